/* fuzz_session.c - a session between a hostile client, a server that answers
 * as it likes, and a scanner; what must hold is held by session_model.c:
 *   I1  nothing of a message on the server's side before it was accepted, and
 *       no command there that a lax server could read as two
 *   I2  2xx for a message only where the server gave it, or by discard
 *   I3, I5  what the server takes is the whole message that was scanned
 *   I4  one end of data in it, by every rule
 *   I6  STARTTLS is never offered
 *   I7  each reply belongs to its command, in order, and none is too many
 * Input: two octets of configuration (its size has some, too), then records: an
 * octet that says what happens, and its arguments. */
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"
#include "fuzz.h"
#include "log.h"
#include "session_model.h"

#define IN_LIMIT ((16u << 10) + 256)     /* SESSION_IN_HIGH and a record */
#define SERVER_OUT_LIMIT (300u << 10)

enum link { LINK_NONE, LINK_DIALLING, LINK_UP };

struct world {
	struct session s;
	struct session_env env;
	struct conf conf;
	struct model m;
	enum link link;
	struct fuzz_text s_wire;      /* answers on their way to the session */
	size_t peeked;                /* octets of c_out that the model has seen */
	bool block_client, block_server, scan_down, wants_as;
	uint8_t caps;
	unsigned much;
	const uint8_t *in, *end;
};

static bool has_users;

/* Recipients that begin with an e have other settings. */
bool conf_has_users(const struct conf *c)
{
	(void)c;
	return has_users;
}

struct conf_settings conf_settings_for(const struct conf *c, const char *rcpt, size_t rcpt_len,
	const char *sndr, size_t sndr_len)
{
	must(memchr(rcpt, '\r', rcpt_len) == NULL && memchr(sndr, '\r', sndr_len) == NULL);
	if (has_users && rcpt_len > 0 && rcpt[0] == 'e')
		return (struct conf_settings){ .scan = &c->global.scan, .section = "e" };
	return (struct conf_settings){ .scan = &c->smtp.scan, .section = "smtp" };
}

static uint8_t next(struct world *w)
{
	return w->in < w->end ? *w->in++ : 0;
}

static struct world *world_of(struct session *s)
{
	return (struct world *)s; /* s is its first member */
}

/* The model sees replies when they are made, not when they are sent. */
static void peek(struct world *w)
{
	size_t n = buf_len(&w->s.c_out);

	if (n > w->peeked)
		model_client_gets(&w->m, buf_head(&w->s.c_out) + w->peeked, n - w->peeked);
	w->peeked = n;
}

static void op_dial(struct session *s)
{
	struct world *w = world_of(s);

	must(w->link == LINK_NONE);
	w->link = LINK_DIALLING;
}

static void op_hangup(struct session *s)
{
	struct world *w = world_of(s);

	w->link = LINK_NONE;
	w->s_wire.len = 0;
	model_server_down(&w->m);
}

static struct scan_job *op_scan(struct session *s, const struct scan_request *r, int fd,
	unsigned timeout_ms)
{
	struct world *w = world_of(s);
	uint8_t *body = malloc((size_t)r->size + 1);

	peek(w);
	must(body != NULL && timeout_ms > 0);
	if (r->is_inline)
		memcpy(body, r->octets, (size_t)r->size);
	else
		must(pread(fd, body, (size_t)r->size + 1, 0) == (ssize_t)r->size);
	model_scan(&w->m, body, (size_t)r->size);
	free(body);
	w->wants_as = r->want_as;
	return w->scan_down ? NULL : (struct scan_job *)w;
}

static void op_scan_cancel(struct session *s, struct scan_job **job)
{
	must(*job == (struct scan_job *)world_of(s));
	*job = NULL;
}

static const struct session_ops ops = { op_dial, op_hangup, op_scan, op_scan_cancel };

static void check_bounds(const struct world *w)
{
	const struct session *s = &w->s;

	must(buf_len(&s->c_in) <= IN_LIMIT);
	must(buf_len(&s->s_out) <= SERVER_OUT_LIMIT);
	must(buf_len(&s->s_in) <= SMTP_REPLY_LINE_MAX);
	must(s->queue_len <= 1024);
	must(!session_is_over(s) || (w->link == LINK_NONE && s->msg == NULL && s->job == NULL));
}

/* What the session left goes out; true if there was any. */
static bool flush(struct world *w)
{
	struct session *s = &w->s;
	bool any = false;

	peek(w);
	if (!w->block_client && !buf_is_empty(&s->c_out)) {
		buf_clear(&s->c_out);
		w->peeked = 0;
		any = true;
	}
	if (!w->block_server && w->link == LINK_UP && !buf_is_empty(&s->s_out)) {
		size_t n = buf_len(&s->s_out);
		uint8_t *p = malloc(n);
		must(p != NULL);
		memcpy(p, buf_head(&s->s_out), n);
		buf_clear(&s->s_out);
		model_server_gets(&w->m, p, n);
		free(p);
		any = true;
	}
	while (!w->block_server && w->link == LINK_UP && s->direct.left > 0) {
		uint8_t octet;
		must(pread(s->direct.fd, &octet, 1, (off_t)s->direct.at) == 1);
		session_direct_sent(s, 1);
		model_server_gets(&w->m, &octet, 1);
		any = true;
	}
	if (any && !session_is_over(s) && buf_is_empty(&s->c_out) &&
	    (w->link != LINK_UP || !session_has_output(s)))
		session_on_written(s);
	return any;
}

static bool give_server(struct world *w)
{
	size_t n = w->s_wire.len;

	if (n == 0 || w->link != LINK_UP || !session_wants_server(&w->s))
		return false;
	uint8_t *p = malloc(n);
	must(p != NULL);
	memcpy(p, w->s_wire.p, n);
	w->s_wire.len = 0;
	session_server_input(&w->s, p, n);
	free(p);
	return true;
}

static bool give_turn(struct world *w)
{
	if (!session_wants_turn(&w->s))
		return false;
	session_on_turn(&w->s);
	return true;
}

static void pump(struct world *w)
{
	bool moved = true;

	for (int rounds = 0; moved; rounds++) {
		must(rounds < 10000);
		moved = flush(w);
		moved |= give_server(w);
		moved |= give_turn(w);
	}
	peek(w);
	check_bounds(w);
}

/* ---- what happens ------------------------------------------------------- */

static void client_sends(struct world *w, const uint8_t *p, size_t n, bool by_octet)
{
	if (n == 0 || session_is_over(&w->s) || !session_wants_client(&w->s))
		return;
	uint8_t *octets = malloc(n);
	must(octets != NULL);
	memcpy(octets, p, n);
	if (!by_octet) {
		model_client_sends(&w->m, octets, n);
		session_client_input(&w->s, octets, n);
		pump(w);
	}
	for (size_t i = 0; by_octet && i < n && session_wants_client(&w->s); i++) {
		model_client_sends(&w->m, octets + i, 1);
		session_client_input(&w->s, octets + i, 1);
		pump(w);
	}
	free(octets);
}

static void on_raw(struct world *w, bool by_octet)
{
	size_t n = next(w) % 64, left = (size_t)(w->end - w->in);

	n = n < left ? n : left;
	const uint8_t *p = w->in;
	w->in += n;
	client_sends(w, p, n, by_octet);
}

/* New ones go to the end: inputs name them by their number. */
static const char *const lines[] = {
	"EHLO c\r\n", "HELO c\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "DATA\r\n",
	"MAIL FROM:<a@b> BODY=BINARYMIME\r\n", "BDAT 5\r\n", "BDAT 9 LAST\r\n", "BDAT 0 LAST\r\n",
	"RSET\r\n", "NOOP\n", "QUIT\r\n", "AUTH LOGIN\r\n", "AUTH PLAIN AA==\r\n", "c2VjcmV0\r\n",
	"*\r\n", "STARTTLS\r\n", " \tburl x\r\n", "XYZZY\r\n", "XFORWARD ADDR=192.0.2.1\r\n",
	"XCLIENT ADDR=192.0.2.1\r\n", "NOOP\rBDAT 3 LAST\r\n", "VRFY\0x\n", "\r\n",
	"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
	"RCPT TO:<e@f>\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<e@d>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
	"MAIL FROM:<a@b> SIZE=60\r\n", "mail from:<a@b> size=61 BODY=8BITMIME\r\n",
	"MAIL FROM:<a@b> SIZE=99999999999999999999\r\n", "MAIL FROM:<a!b@c>\r\n", "MAIL FROM:<>\r\n",
	"RCPT TO:<(e)c@d>\r\n", "RCPT TO:<\"e\"@d>\r\n", "RCPT TO:<@x,@y:e@d>\r\n", "RCPT TO:c@d\r\n",
	"MAIL FROM:<\"a BODY=BINARYMIME SIZE=99 b\"@c>\r\n",
	"MAIL FROM:<a@b> SIZE=61\r\nRCPT TO:<c@d>\r\nDATA\r\n",
	"BDAT +5\r\n", "BDAT 5\rLAST\r\n", "bdat 000000000000000000000012\r\nRSET\r\nNOOP\r\n",
};
static const char *const pieces[] = {
	"Subject: \xa5\r\n\r\n\xa5 text\r\n", ".\r\n", "\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n",
	"\r\n.\n", "\r\n..\r\n", "\r", "\n", ".", "\xa5", "From x\r\n", "X-Virus-Scanner: y\r\n",
	"\xa5\r\n.\r\nMAIL FROM:<x@y>\r\n", "\xa5\xa5\xa5\xa5\xa5",
};

static void on_line(struct world *w, bool by_octet)
{
	const char *p = lines[next(w) % (sizeof lines / sizeof *lines)];
	size_t n = strlen(p);

	if (n == 4 && memcmp(p, "VRFY", 4) == 0)
		n = 7; /* with its NUL */
	client_sends(w, (const uint8_t *)p, n, by_octet);
}

static void on_piece(struct world *w, bool by_octet)
{
	const char *p = pieces[next(w) % (sizeof pieces / sizeof *pieces)];

	client_sends(w, (const uint8_t *)p, strlen(p), by_octet);
}

/* More than goes out at once: lines of a body, twice at most 50 KiB. */
static void on_much(struct world *w)
{
	static const char line[] = "\xa5 0123456789 0123456789 0123456789\r\n";
	size_t k = sizeof line - 1, n = (1u + next(w) % 5) * 250 * k;

	if (w->much++ >= 2)
		return;
	uint8_t *p = malloc(n);
	must(p != NULL);
	for (size_t i = 0; i < n; i += k)
		memcpy(p + i, line, k);
	if (w->s.state == ST_BODY)
		client_sends(w, p, n, false);
	free(p);
}

static void on_answer(struct world *w, bool by_octet)
{
	uint8_t choice = next(w);
	unsigned count = 1u + choice / 16u % 4;

	if (w->link != LINK_UP)
		return;
	while (count-- > 0 && model_server_answers(&w->m, choice, w->caps, &w->s_wire))
		;
	while (by_octet && w->s_wire.len > 0 && w->link == LINK_UP && session_wants_server(&w->s)) {
		uint8_t c = (uint8_t)w->s_wire.p[0];
		memmove(w->s_wire.p, w->s_wire.p + 1, --w->s_wire.len);
		session_server_input(&w->s, &c, 1);
		/* Not pump, which would give the rest. */
		while (flush(w))
			;
	}
	pump(w);
}

/* Before it has the whole message: with what it was given already, or not. */
static void on_early(struct world *w)
{
	if (w->link == LINK_UP && model_server_is_early(&w->m, next(w), &w->s_wire))
		give_server(w);
	pump(w);
}

static void on_rogue(struct world *w)
{
	size_t n = next(w) % 64, left = (size_t)(w->end - w->in);

	n = n < left ? n : left;
	if (w->link == LINK_UP && n > 0) {
		w->m.is_rogue = true;
		fuzz_add(&w->s_wire, w->in, n);
		pump(w);
	}
	w->in += n;
}

static void on_dialled(struct world *w, bool up)
{
	if (w->link != LINK_DIALLING)
		return;
	w->link = up ? LINK_UP : LINK_NONE;
	if (up)
		model_server_up(&w->m);
	session_on_dial(&w->s, up);
	pump(w);
}

static void on_gone(struct world *w)
{
	if (w->link != LINK_UP)
		return;
	w->link = LINK_NONE;
	w->s_wire.len = 0;
	model_server_down(&w->m);
	session_server_gone(&w->s);
	pump(w);
}

/* The message as a scanner cleaned it that means no good. */
static int cleaned(struct world *w, bool *may_go)
{
	struct fuzz_text t = { NULL, 0, 0 };
	int fd = memfd_create("cleaned", MFD_CLOEXEC);

	for (int n = next(w) % 4; n > 0; n--) {
		const char *p = pieces[next(w) % (sizeof pieces / sizeof *pieces)];
		fuzz_add(&t, p, strlen(p));
	}
	must(fd >= 0 && (t.len == 0 || write(fd, t.p, t.len) == (ssize_t)t.len));
	*may_go = model_cleaned(&w->m, t.p, t.len);
	fuzz_free(&t);
	return fd;
}

static void on_verdict(struct world *w)
{
	static const unsigned kinds[] = { 0, VERDICT_AV_INFECTED, VERDICT_AV_UNAVAILABLE,
		VERDICT_AV_NOTSCANNED, VERDICT_AV_DELETED, 0, 0, VERDICT_AV_ENCRYPTED | VERDICT_AV_INFECTED };
	uint8_t choice = next(w);
	struct verdict v = { .av = kinds[choice % 8],
		.as = w->wants_as ? VERDICT_AS_CLEAN : VERDICT_AS_NONE };
	const bool cleans = w->conf.smtp.scan.opts.clean_mode != SCAN_CLEAN_NONE;
	bool may_go = true;
	int fd = -1;

	if (w->s.job == NULL)
		return;
	if (choice / 8 % 4 == 3)
		v.quarantine = VERDICT_QUARANTINE_FAILED;
	if (v.av & VERDICT_AV_DELETED)
		fd = cleans ? cleaned(w, &may_go) : memfd_create("cleaned", MFD_CLOEXEC);
	struct verdict seen = v;
	if ((seen.av & VERDICT_AV_DELETED) && !cleans)
		verdict_unavailable(&seen, ""); /* it was not asked to clean */
	const struct policy_actions actions = model_actions(&w->m);
	enum policy_action a = policy_decide(&actions, &seen).action;
	if (seen.quarantine == VERDICT_QUARANTINE_FAILED)
		a = POLICY_DEFER;
	model_decided(&w->m, a == POLICY_ACCEPT && may_go, a == POLICY_DISCARD && may_go);
	strcpy(v.virus, "Bad\r\n250 Ok");
	session_on_verdict(&w->s, &v, fd);
	pump(w);
}

/* Everybody does what is usual, so that inputs come far. */
static void on_usual(struct world *w)
{
	on_dialled(w, true);
	for (int i = 0; i < 20 && w->link == LINK_UP; i++) {
		if (!model_server_answers(&w->m, 0, w->caps, &w->s_wire))
			break;
		pump(w);
	}
}

static void happen(struct world *w)
{
	uint8_t op = next(w);
	bool by_octet = op & 0x80;

	switch (op % 32) {
	case 0: case 1:
		on_raw(w, by_octet);
		break;
	case 2: case 3: case 4: case 5: case 6:
		on_line(w, by_octet);
		break;
	case 7: case 8: case 9: case 10:
		on_piece(w, by_octet);
		break;
	case 11: case 12: case 13: case 14:
		on_answer(w, by_octet);
		break;
	case 15:
		on_rogue(w);
		break;
	case 16: case 17:
		on_dialled(w, op % 32 == 16);
		break;
	case 18: case 19: case 20:
		on_verdict(w);
		break;
	case 21:
		w->env.now_ms += 1000LL * (next(w) % 100);
		session_tick(&w->s);
		break;
	case 22:
		if (!w->s.client_eof)
			session_client_eof(&w->s);
		break;
	case 23:
		if (!w->s.client_dead)
			session_client_error(&w->s);
		w->peeked = 0;
		break;
	case 24:
		on_gone(w);
		break;
	case 25:
		session_stop(&w->s);
		break;
	case 26:
		w->block_client = !w->block_client;
		break;
	case 27:
		w->block_server = !w->block_server;
		break;
	case 28:
		w->scan_down = !w->scan_down;
		break;
	case 30:
		on_early(w);
		break;
	case 31:
		on_much(w);
		break;
	default:
		on_usual(w);
		break;
	}
	pump(w);
}

static void configure(struct world *w, size_t size)
{
	struct conf_smtp *c = &w->conf.smtp;
	uint8_t a = next(w), b = next(w);

	*c = (struct conf_smtp){
		.timeout_client = 30, .timeout_banner = 60, .timeout_server = 300,
		.timeout_data = 3600, .max_received = 2,
		.add_header_xvirus = a & 1, .chunking = (enum conf_chunking)(a >> 1 & 3) % 3,
		.bare_newline = (enum conf_bare_newline)(a >> 3 & 3) % 3,
		.ehlo_unknown = a & 32 ? CONF_EHLO_HIDE : CONF_EHLO_PASS,
		.max_message_size = a & 64 ? 60 : 0, .max_commands = a & 128 ? 12 : 0,
	};
	c->scan.actions = (struct policy_actions){ .av = POLICY_SCAN,
		.av_infected = b & 1 ? POLICY_DISCARD : POLICY_REJECT, .av_unavailable = POLICY_DEFER };
	if ((b >> 1 & 7) == 7)
		c->scan.actions.av = POLICY_ACCEPT;
	else if ((b >> 1 & 7) == 6)
		c->scan.actions.av = POLICY_DISCARD;
	c->server_xclient = (size & 30) == 30;
	has_users = (size & 66) != 66;
	c->scan.av_subject_prefix = c->scan.as_subject_prefix = "";
	/* Their two bits have a value to spare. */
	if ((a >> 1 & 3) == 3) {
		c->chunking = CONF_CHUNKING_YES;
		c->user_config_recipients = CONF_RCPT_DEFER;
	} else if ((a >> 3 & 3) == 3) {
		c->user_config_recipients = CONF_RCPT_STRICTEST;
	}
	c->scan.opts = (struct scan_opts){ .timeout_s = 60, .ext_exclude = "", .block_ext = "",
		.allow_hash = "", .allow_name = "",
		.clean_mode = size & 32 ? SCAN_CLEAN_STANDARD : SCAN_CLEAN_NONE };
	w->conf.global.scan = c->scan;
	w->conf.global.scan.actions.av_infected = b & 1 ? POLICY_REJECT : POLICY_DISCARD;
	w->caps = b >> 4 & 7;
	w->env = (struct session_env){
		.conf = &w->conf, .ops = &ops, .hostname = "filter.example", .now_ms = 1000000,
		.spool = { .dir = "/nonexistent/spool", .message_memory = b & 128 ? 100 : 1u << 20,
			.memory_max = 8u << 20, .heap_max = b & 64 ? 8 : 0 },
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_cfg silent = { .facility = -1 };
	static const struct net_addr client = { .family = 2, .port = 4321, .ip = { 192, 0, 2, 7 } };
	struct world *w = calloc(1, sizeof *w);

	must(w != NULL);
	log_open("fuzz", &silent);
	w->in = data;
	w->end = data + size;
	configure(w, size);
	session_init(&w->s, &w->env, 1, &client, &client, size & 1);
	model_init(&w->m, &w->s, &w->conf);
	w->m.has_users = has_users;
	session_start(&w->s);
	pump(w);
	while (w->in < w->end && !session_is_over(&w->s))
		happen(w);
	w->block_client = w->block_server = false;
	pump(w);
	session_fini(&w->s);
	must(spool_memory_used() == 0);
	model_fini(&w->m);
	fuzz_free(&w->s_wire);
	free(w);
	return 0;
}
