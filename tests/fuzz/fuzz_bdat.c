/* fuzz_bdat.c - the framing of BDAT (RFC 3030): a session with a client that
 * sends chunks, a server that keeps to the rules, and a scanner. bdat_model.c
 * knows beforehand what each of them must get, to the octet; that it comes so
 * in every split and timing shows that
 *   - what the chunks hold, and nothing else, is the message (I4, I5)
 *   - octets of refused chunks are eaten, none is read as a command (I1)
 *   - no message is at the server before its verdict (I1)
 *   - replies, and commands between chunks, come in order, none is lost (I7)
 *   - a transaction that ends here ends at the server.
 * Input: two octets of configuration, one of timing, then records. */
#include <unistd.h>

#include "../unit/smtp_ref.h"
#include "bdat_model.h"
#include "log.h"
#include "session.h"
#include "verdict.h"

#define LATE 4                        /* added to a mode of fuzz_piece */

struct server {                       /* keeps to the rules, and its own memory */
	bool is_up, is_dialled;
	bool has_mail, in_data;
	bool refuses;                 /* the message, but says so late */
	unsigned nrcpts, tag;
	size_t chunk;                 /* octets of BDAT to come */
	struct fuzz_text in, out;     /* not yet read; not yet with the session */
};

struct world {
	struct session s;
	struct session_env env;
	struct conf conf;
	struct bdat_cfg cfg;
	const struct bdat_script *script;
	struct server server;
	struct fuzz_text replies;
	unsigned nreplies, nheard, nscans;   /* of the script's lists */
	bool is_infected;                    /* what is with the scanner */
	unsigned released, settled;          /* messages: the server may have, has had */
	unsigned mode, seed;                 /* of splits and timing */
};

static bool has_users;

bool conf_has_users(const struct conf *c)
{
	(void)c;
	return has_users;
}

struct conf_settings conf_settings_for(const struct conf *c, const char *rcpt, size_t rcpt_len,
	const char *sndr, size_t sndr_len)
{
	must(memchr(rcpt, '\r', rcpt_len) == NULL && memchr(sndr, '\r', sndr_len) == NULL);
	return (struct conf_settings){ .scan = &c->smtp.scan, .section = "smtp" };
}

static struct world *world_of(struct session *s)
{
	return (struct world *)s; /* s is its first member */
}

static const struct bdat_item *take(const struct bdat_list *l, unsigned *n)
{
	must(*n < l->n);
	return &l->p[(*n)++];
}

static bool is_text(const struct fuzz_text *t, const void *p, size_t n)
{
	return t->len == n && (n == 0 || memcmp(t->p, p, n) == 0);
}

/* Do server and scanner keep the session waiting this time? */
static bool is_late(struct world *w)
{
	if (w->mode < LATE)
		return false;
	w->seed = w->seed * 1103515245u + 12345u;
	return (w->seed >> 16) % 4 != 0;
}

/* ---- the server ----------------------------------------------------------- */

static void server_says(struct world *w, int code)
{
	char text[64];

	snprintf(text, sizeof text, "%d mx tag%u.\r\n", code, ++w->server.tag);
	fuzz_add(&w->server.out, text, strlen(text));
}

static void server_ehlo(struct world *w)
{
	char text[160];

	snprintf(text, sizeof text, "250-mx tag%u.\r\n%s%s250 DSN\r\n", ++w->server.tag,
		w->cfg.pipelining ? "250-PIPELINING\r\n" : "",
		w->cfg.server_chunking ? "250-CHUNKING\r\n250-BINARYMIME\r\n" : "");
	fuzz_add(&w->server.out, text, strlen(text));
}

static void server_forgets(struct server *v)
{
	v->has_mail = v->refuses = false;
	v->nrcpts = 0;
}

static int answer_data(struct world *w)
{
	struct server *v = &w->server;

	if (!v->has_mail || v->nrcpts == 0)
		return v->has_mail ? 554 : 503;
	must(w->settled < w->released); /* I1 */
	w->settled += v->refuses;
	v->in_data = !v->refuses;
	return v->in_data ? 354 : 451;
}

static int answer_rcpt(struct server *v, const char *line)
{
	if (!v->has_mail || strstr(line, "<no@") != NULL)
		return v->has_mail ? 550 : 503;
	v->nrcpts++;
	v->refuses |= strstr(line, "<late@") != NULL;
	return 250;
}

static void server_line(struct world *w, const char *line)
{
	struct server *v = &w->server;
	int code = 250;

	if (strncmp(line, "BDAT ", 5) == 0) {
		must(sscanf(line, "BDAT %zu LAST\r", &v->chunk) == 1);
		must(v->nrcpts > 0 && w->settled < w->released); /* I1 */
		return;
	}
	const struct bdat_item *e = take(&w->script->to_server, &w->nheard);
	must(e->kind == BDAT_LINE && is_text(&e->text, line, strlen(line)));
	if (strncmp(line, "EHLO", 4) == 0) {
		server_forgets(v);
		server_ehlo(w);
		return;
	}
	if (strncmp(line, "MAIL", 4) == 0) {
		code = v->has_mail ? 503 : 250;
		v->has_mail = true;
	} else if (strncmp(line, "RCPT", 4) == 0) {
		code = answer_rcpt(v, line);
	} else if (strncmp(line, "DATA", 4) == 0) {
		code = answer_data(w);
	} else if (strncmp(line, "QUIT", 4) == 0) {
		code = 221;
	} else if (strncmp(line, "RSET", 4) == 0 || strncmp(line, "HELO", 4) == 0) {
		server_forgets(v);
	}
	server_says(w, code);
}

static void server_message(struct world *w, enum bdat_kind kind, const void *p, size_t n)
{
	const struct bdat_item *e = take(&w->script->to_server, &w->nheard);

	must(e->kind == kind && is_text(&e->text, p, n));
	must(w->settled++ < w->released);
	const int code = w->server.refuses ? 451 : 250;
	server_forgets(&w->server);
	server_says(w, code);
}

/* One line, chunk or body of what has come; false: there is none yet. */
static bool server_reads(struct world *w)
{
	struct server *v = &w->server;
	size_t used = 0, len;

	if (v->in_data) {
		must(v->in.len == 0 || w->settled < w->released);
		char *out = malloc(2 * v->in.len + 2);
		must(out != NULL);
		if (ref_dot_decode(v->in.p, v->in.len, true, out, &len, &used)) {
			/* One end of data by every rule (I4). */
			must(w->cfg.bare_newline == CONF_BARE_PASS || ref_lax_ends(v->in.p, used) == 1);
			v->in_data = false;
			server_message(w, BDAT_MAIL, out, len);
		}
		free(out);
	} else if (v->in.len > 0) {
		const char *lf = memchr(v->in.p, '\n', v->in.len);
		if (lf == NULL)
			return false;
		char line[128];
		used = (size_t)(lf - v->in.p) + 1;
		must(used < sizeof line);
		memcpy(line, v->in.p, used);
		line[used] = '\0';
		must(strlen(line) == used);
		server_line(w, line);
		if (strncmp(line, "BDAT ", 5) == 0) {
			if (v->in.len - used < v->chunk)
				return false; /* the line is read again with its octets */
			server_message(w, BDAT_CHUNK, v->in.p + used, v->chunk);
			used += v->chunk;
		}
	}
	v->in.len -= used;
	if (used > 0)
		memmove(v->in.p, v->in.p + used, v->in.len);
	return used > 0;
}

/* ---- what the session asks for -------------------------------------------- */

static void op_dial(struct session *s)
{
	struct world *w = world_of(s);

	must(!w->server.is_dialled); /* this server never goes away */
	w->server.is_dialled = true;
}

static void op_hangup(struct session *s)
{
	world_of(s)->server.is_up = false;
}

static struct scan_job *op_scan(struct session *s, const struct scan_request *r, int fd,
	unsigned timeout_ms)
{
	struct world *w = world_of(s);
	size_t n = (size_t)r->size;
	uint8_t *body = malloc(n + 1);

	must(body != NULL && timeout_ms > 0);
	if (r->is_inline)
		memcpy(body, r->octets, n);
	else
		must(pread(fd, body, n + 1, 0) == (ssize_t)n);
	const struct bdat_item *e = take(&w->script->to_scanner, &w->nscans);
	must(is_text(&e->text, body, n));
	w->is_infected = memchr(body, BDAT_INFECTED, n) != NULL;
	free(body);
	return (struct scan_job *)w;
}

static void op_scan_cancel(struct session *s, struct scan_job **job)
{
	must(*job == (struct scan_job *)world_of(s));
	*job = NULL;
}

static const struct session_ops ops = { op_dial, op_hangup, op_scan, op_scan_cancel };

/* ---- octets and events ---------------------------------------------------- */

/* The client has a reply, whose first line is p[0..n). */
static void client_gets(struct world *w, const char *p, size_t n)
{
	const struct bdat_item *e = take(&w->script->to_client, &w->nreplies);
	const size_t k = e->text.len;

	if (e->kind == BDAT_REPLY_EITHER && n > 9 && memcmp(p, "552 5.3.4", 9) == 0)
		return;
	must(n >= k && memcmp(p, e->text.p, k) == 0);
	must(k > 0 && (e->text.p[k - 1] == ' ' || n == k || p[k] == ' '));
}

static void read_replies(struct world *w)
{
	struct session *s = &w->s;
	size_t start = 0, line = 0, first = 0;

	fuzz_add(&w->replies, buf_head(&s->c_out), buf_len(&s->c_out));
	buf_clear(&s->c_out);
	for (size_t i = 0; i < w->replies.len; i++) {
		const char *p = w->replies.p;
		if (p[i] != '\n')
			continue;
		must(i - line >= 4);
		if (first == 0)
			first = i + 1 - start;
		if (p[line + 3] != '-') {
			client_gets(w, p + start, first);
			start = i + 1;
			first = 0;
		}
		line = i + 1;
	}
	w->replies.len -= start;
	memmove(w->replies.p, w->replies.p + start, w->replies.len);
}

/* What the session has made goes where it belongs. */
static bool flush(struct world *w)
{
	struct session *s = &w->s;
	bool any = false;

	if (!buf_is_empty(&s->c_out)) {
		read_replies(w);
		any = true;
	}
	if (w->server.is_up && !buf_is_empty(&s->s_out)) {
		fuzz_add(&w->server.in, buf_head(&s->s_out), buf_len(&s->s_out));
		buf_clear(&s->s_out);
		while (server_reads(w))
			;
		any = true;
	}
	while (w->server.is_up && s->direct.left > 0) {
		uint8_t octet;
		must(pread(s->direct.fd, &octet, 1, (off_t)s->direct.at) == 1);
		session_direct_sent(s, 1);
		fuzz_add(&w->server.in, &octet, 1);
		while (server_reads(w))
			;
		any = true;
	}
	if (any && !session_is_over(s))
		session_on_written(s);
	return any;
}

static bool give_server(struct world *w)
{
	struct fuzz_text *out = &w->server.out;

	if (out->len == 0 || !w->server.is_up || !session_wants_server(&w->s))
		return false;
	size_t n = fuzz_piece(w->mode % LATE, &w->seed, out->len);
	uint8_t *p = malloc(n);
	must(p != NULL);
	memcpy(p, out->p, n);
	out->len -= n;
	memmove(out->p, out->p + n, out->len);
	session_server_input(&w->s, p, n);
	free(p);
	return true;
}

static bool give_verdict(struct world *w)
{
	struct verdict v = { .av = w->is_infected ? VERDICT_AV_INFECTED : 0, .as = VERDICT_AS_NONE };

	if (w->s.job == NULL)
		return false;
	w->released += !w->is_infected;
	session_on_verdict(&w->s, &v, -1);
	return true;
}

static bool dial_up(struct world *w)
{
	if (!w->server.is_dialled || w->server.tag > 0)
		return false;
	w->server.is_up = true;
	server_says(w, 220);
	session_on_dial(&w->s, true);
	return true;
}

/* All that can happen without the client, unless it is late. */
static void pump(struct world *w, bool to_the_end)
{
	bool moved = true;

	while (moved) {
		moved = flush(w);
		if (!to_the_end && is_late(w))
			continue;
		moved |= dial_up(w);
		moved |= give_server(w);
		moved |= give_verdict(w);
	}
}

static void client_sends(struct world *w, const char *p, size_t n)
{
	if (!session_wants_client(&w->s))
		pump(w, true);
	if (session_is_over(&w->s))
		return;
	must(session_wants_client(&w->s));
	uint8_t *octets = malloc(n);
	must(octets != NULL);
	memcpy(octets, p, n);
	session_client_input(&w->s, octets, n);
	free(octets);
	pump(w, false);
}

/* In modes 0 and LATE as the script has cut it; much of it goes faster. */
static void play(struct world *w)
{
	const struct bdat_script *b = w->script;
	const size_t scale = 1 + b->stream.len / 256;
	size_t at = 0, k = 0;

	while (at < b->stream.len) {
		size_t n = b->stream.len - at;
		if (w->mode % LATE == 0) {
			while (k < b->ncuts && b->cuts[k] <= at)
				k++;
			n = k < b->ncuts ? b->cuts[k] - at : n;
		} else {
			size_t piece = scale * fuzz_piece(w->mode % LATE, &w->seed, n);
			n = piece < n ? piece : n;
		}
		client_sends(w, b->stream.p + at, n);
		at += n;
	}
	pump(w, true);
}

/* All that should come has come; then the client leaves, and what it has not
 * ended goes nowhere (I3). */
static void check_end(struct world *w)
{
	const struct bdat_script *b = w->script;
	struct session *s = &w->s;

	for (int i = 0; i < 2; i++) {
		must(w->nreplies == b->to_client.n && w->replies.len == 0);
		must(w->nheard == b->to_server.n && w->server.in.len == 0);
		must(w->nscans == b->to_scanner.n && w->settled == w->released);
		must(session_is_over(s) == (i > 0 || b->has_end));
		if (!session_is_over(s))
			session_client_eof(s);
		pump(w, true);
	}
}

static void configure(struct world *w, uint8_t a, uint8_t b)
{
	struct conf_smtp *c = &w->conf.smtp;

	w->cfg = (struct bdat_cfg){
		.pipelining = !(a & 1), .server_chunking = !(a & 2),
		.chunking = (enum conf_chunking[]){ CONF_CHUNKING_YES, CONF_CHUNKING_ALWAYS,
			CONF_CHUNKING_YES, CONF_CHUNKING_NO }[a >> 2 & 3],
		.bare_newline = (enum conf_bare_newline[]){ CONF_BARE_NORMALIZE, CONF_BARE_REJECT,
			CONF_BARE_PASS, CONF_BARE_NORMALIZE }[a >> 4 & 3],
		.size_max = a & 64 ? 1u + b % 128u : 0,
		.has_users = a & 128,
	};
	has_users = w->cfg.has_users;
	*c = (struct conf_smtp){
		.timeout_client = 30, .timeout_banner = 60, .timeout_server = 300,
		.timeout_data = 3600, .max_received = 1000, .chunking = w->cfg.chunking,
		.bare_newline = w->cfg.bare_newline, .max_message_size = (uint32_t)w->cfg.size_max,
	};
	c->scan.actions = (struct policy_actions){ .av = POLICY_SCAN,
		.av_infected = POLICY_REJECT, .av_unavailable = POLICY_DEFER };
	c->scan.av_subject_prefix = c->scan.as_subject_prefix = "";
	c->scan.opts = (struct scan_opts){ .timeout_s = 60, .ext_exclude = "", .block_ext = "",
		.allow_hash = "", .allow_name = "" };
	w->env = (struct session_env){
		.conf = &w->conf, .ops = &ops, .hostname = "filter.example", .now_ms = 1000000,
		.spool = { .dir = "/nonexistent/spool", .message_memory = 1u << 20,
			.memory_max = 8u << 20, .heap_max = b & 64 ? 8 : 0 },
		.scan_inline_max = SCAN_INLINE_MAX,
	};
}

/* mode: how the octets of client and server are cut, as fuzz_piece has it; with
 * LATE added server and scanner take their time. */
static void run(const uint8_t *in, size_t n, unsigned mode, unsigned seed)
{
	static const struct net_addr client = { .family = 2, .port = 4321, .ip = { 192, 0, 2, 7 } };
	struct world *w = calloc(1, sizeof *w);
	struct bdat_script script;

	must(w != NULL);
	configure(w, in[0], in[1]);
	bdat_script_make(&script, &w->cfg, in + 3, n - 3);
	w->script = &script;
	w->mode = mode;
	w->seed = seed;
	session_init(&w->s, &w->env, 1, &client, &client, false);
	session_start(&w->s);
	pump(w, false);
	play(w);
	check_end(w);
	session_fini(&w->s);
	must(spool_memory_used() == 0);
	fuzz_free(&w->server.in);
	fuzz_free(&w->server.out);
	fuzz_free(&w->replies);
	bdat_script_free(&script);
	free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_cfg silent = { .facility = -1 };
	static const unsigned modes[] = { 0, 1, LATE, LATE + 2 };

	if (size < 3)
		return 0;
	log_open("fuzz", &silent);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		run(data, size, modes[i], data[2]);
	return 0;
}
