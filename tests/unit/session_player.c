/* session_player.c - plays a scripted dialogue, see session_player.h.
 *
 * Some calls of the session are wrapped by the linker (--wrap): the look into
 * the transition table, to see which cells scripts reach; the log, to read
 * the summary line; the spool, to make it fail. */
#include "session_player.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "hdr.h"
#include "log.h"
#include "session.h"
#include "split.h"
#include "stats.h"
#include "str.h"
#include "verdict.h"

#define TEXT_MAX (8u << 20)
#define DEPTH_MAX 8

enum link { LINK_NONE, LINK_DIALLING, LINK_UP };

struct asked {              /* the last scan request, copied */
	char from[256], to[2048], client[80], helo[256], queue[80];
	unsigned of;
	bool av, as;
	unsigned long long size;
};

struct player {
	struct session s;
	struct session_env env;
	struct conf conf;
	struct buf c_wire, s_wire;    /* sent to the session, not yet read by it */
	struct buf c_seen, s_seen;    /* came out, not yet expected */
	struct buf ops, log, body;
	struct asked asked;
	struct split c_cut, s_cut;
	enum link link;
	struct net_addr client, local;
	bool started, ended, is_trusted, eof, gone, scan_down, block_client, block_server;
	bool body_checked, is_skipped;
	bool hold_turns;
	unsigned turns;
	int clean_fd;                 /* given to the session, -1 none */
	uint64_t received_before;
	char packet;                  /* 'C', 'S': records that are still joined */
	struct buf joined;
	char spool_dir[128];
	char av_prefix[256], as_prefix[256];
	char *why;
	size_t why_size;
	const char *file;
	unsigned line;
};

static struct player *playing;    /* for the wrapped calls */
static bool spool_is_broken;
unsigned char session_play_seen[32][32];

static bool wrong(struct player *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool wrong(struct player *p, const char *fmt, ...)
{
	va_list ap;

	if (p->why[0] != '\0')
		return false;
	int n = snprintf(p->why, p->why_size, "%s:%u: ", p->file, p->line);
	va_start(ap, fmt);
	vsnprintf(p->why + n, p->why_size - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

static void add(struct buf *b, const void *p, size_t n)
{
	if (buf_append(b, p, n) < 0)
		abort();
}

/* ---- wrapped calls ------------------------------------------------------ */

struct session_step __real_session_fsm_step(enum session_state state, enum session_event event);
struct session_step __wrap_session_fsm_step(enum session_state state, enum session_event event);
struct session_step __wrap_session_fsm_step(enum session_state state, enum session_event event)
{
	session_play_seen[state][event] = 1;
	return __real_session_fsm_step(state, event);
}

bool __wrap_log_wants(enum log_class c);
bool __wrap_log_wants(enum log_class c)
{
	return c != LC_DEBUG;
}

void __wrap_log_pairs(enum log_class c, int prio, const struct log_pair *pairs, unsigned n);
void __wrap_log_pairs(enum log_class c, int prio, const struct log_pair *pairs, unsigned n)
{
	static const char *const names[] = {
#define X(id, name, dflt) name,
		LOG_CLASS_LIST(X)
#undef X
	};
	char text[4096];

	log_pairs_text(text, sizeof text, pairs, n);
	if (playing != NULL && buf_printf(&playing->log, "%s %d %s\n", names[c], prio, text) < 0)
		abort();
}

ssize_t __real_spool_read(const struct spool *s, uint64_t offset, void *p, size_t n);
ssize_t __wrap_spool_read(const struct spool *s, uint64_t offset, void *p, size_t n);
ssize_t __wrap_spool_read(const struct spool *s, uint64_t offset, void *p, size_t n)
{
	if (spool_is_broken) {
		errno = EIO;
		return -1;
	}
	return __real_spool_read(s, offset, p, n);
}

int __real_spool_fd(struct spool *s);
int __wrap_spool_fd(struct spool *s);
int __wrap_spool_fd(struct spool *s)
{
	if (spool_is_broken) {
		errno = EMFILE;
		return -1;
	}
	return __real_spool_fd(s);
}

/* User sections are conf_user.c's; here a script's own, by the whole address
 * of the recipient or, behind a |, of the sender. */
static struct user {
	char name[64];
	const struct conf_scan *same;   /* an earlier one of the same values */
	struct conf_scan scan;
} users[4];
static unsigned nusers;

bool conf_has_users(const struct conf *c)
{
	(void)c;
	return nusers > 0;
}

struct conf_settings conf_settings_for(const struct conf *c, const char *rcpt, size_t rcpt_len,
	const char *sndr, size_t sndr_len)
{
	for (unsigned i = 0; i < nusers; i++) {
		const char *name = users[i].name;
		bool hit = name[0] == '|' ? str_ieq_n(sndr, sndr_len, name + 1) :
			str_ieq_n(rcpt, rcpt_len, name);
		if (hit)
			return (struct conf_settings){ users[i].same, name };
	}
	return (struct conf_settings){ &c->smtp.scan, "smtp" };
}

/* ---- the owner ---------------------------------------------------------- */

static struct player *player_of(struct session *s)
{
	return (struct player *)s; /* s is its first member */
}

static void note_op(struct player *p, const char *text)
{
	if (buf_printf(&p->ops, "%s\n", text) < 0)
		abort();
}

static void op_dial(struct session *s)
{
	struct player *p = player_of(s);

	note_op(p, "dial");
	if (p->link != LINK_NONE)
		wrong(p, "dials while a connection is there");
	p->link = LINK_DIALLING;
	buf_clear(&p->s_wire);
	p->gone = false;
}

static void op_hangup(struct session *s)
{
	struct player *p = player_of(s);

	if (p->link != LINK_NONE)
		note_op(p, "hangup");
	p->link = LINK_NONE;
	buf_clear(&p->s_wire);
	p->gone = false;
}

static void read_body(struct player *p, const struct scan_request *r, int fd)
{
	const uint64_t size = r->size;
	char chunk[4096];
	off_t at = 0;
	ssize_t n;

	buf_clear(&p->body);
	p->body_checked = false;
	if (r->is_inline) {
		add(&p->body, r->octets, (size_t)size);
		if (fd >= 0)
			wrong(p, "inline, and a descriptor");
		return;
	}
	while ((n = pread(fd, chunk, sizeof chunk, at)) > 0) {
		add(&p->body, chunk, (size_t)n);
		at += n;
	}
	if (n < 0 || (uint64_t)at != size)
		wrong(p, "descriptor holds %lld octets, the request says %llu", (long long)at,
			(unsigned long long)size);
	if (write(fd, "x", 1) >= 0 || pwrite(fd, "x", 1, 0) >= 0)
		wrong(p, "the scanner's descriptor can be written");
}

static struct scan_job *op_scan(struct session *s, const struct scan_request *r, int fd,
	unsigned timeout_ms)
{
	struct player *p = player_of(s);
	struct asked *a = &p->asked;
	size_t w = 0;

	note_op(p, "scan");
	if (p->scan_down)
		return NULL;
	if (timeout_ms != 60000 || !r->is_mail || strcmp(r->agent, "smtp") != 0)
		wrong(p, "scan request is wrong");
	*a = (struct asked){ .of = r->nrcpts_total, .av = r->want_av, .as = r->want_as,
		.size = r->size };
	str_copy(a->from, sizeof a->from, r->sender);
	str_copy(a->client, sizeof a->client, r->client);
	str_copy(a->helo, sizeof a->helo, r->helo);
	str_copy(a->queue, sizeof a->queue, r->queue_id);
	for (unsigned i = 0; i < r->nrcpts && w < sizeof a->to; i++)
		w += (size_t)snprintf(a->to + w, sizeof a->to - w, "%s%s", i > 0 ? "," : "",
			r->rcpts[i]);
	read_body(p, r, fd);
	return (struct scan_job *)p; /* anything that is not NULL */
}

static void op_scan_cancel(struct session *s, struct scan_job **job)
{
	struct player *p = player_of(s);

	if (*job == NULL)
		wrong(p, "cancels no scan");
	note_op(p, "cancel");
	*job = NULL;
}

static const struct session_ops player_ops = { op_dial, op_hangup, op_scan, op_scan_cancel };

/* What is to be sent from a descriptor, in pieces as sockets take them. */
static bool take_direct(struct player *p)
{
	char piece[7];
	bool any = false;

	while (p->s.direct.left > 0) {
		const struct session_direct *d = &p->s.direct;
		ssize_t n = spool_is_broken ? 0 : pread(d->fd, piece,
			d->left < sizeof piece ? (size_t)d->left : sizeof piece, (off_t)d->at);
		if (n > 0)
			add(&p->s_seen, piece, (size_t)n);
		session_direct_sent(&p->s, n > 0 ? (size_t)n : 0);
		any = true;
	}
	return any;
}

/* What the session left goes over the wires; true if there was any. */
static bool take_output(struct player *p)
{
	bool any = false;

	/* Nothing of a message, and nothing else, while it is not decided (I1). */
	bool held = p->s.state == ST_BODY || p->s.state == ST_CHUNK || p->s.state == ST_SCAN;
	if (held && session_has_output(&p->s) && !p->block_server)
		wrong(p, "octets for the server in state %s",
			session_state_name((enum session_state)p->s.state));
	if (!p->block_client && !buf_is_empty(&p->s.c_out)) {
		add(&p->c_seen, buf_head(&p->s.c_out), buf_len(&p->s.c_out));
		buf_clear(&p->s.c_out);
		any = true;
	}
	if (!p->block_server && p->link == LINK_UP && !buf_is_empty(&p->s.s_out)) {
		add(&p->s_seen, buf_head(&p->s.s_out), buf_len(&p->s.s_out));
		buf_clear(&p->s.s_out);
		any = true;
	}
	if (!p->block_server && p->link == LINK_UP && buf_is_empty(&p->s.s_out))
		any |= take_direct(p);
	return any;
}

static size_t piece(struct split *cut, size_t n)
{
	size_t k = split_next(cut, n);

	return k < 65536 ? k : 65536;
}

static bool give_client(struct player *p)
{
	struct session *s = &p->s;

	if (session_is_over(s)) {
		buf_clear(&p->c_wire);
		return false;
	}
	if (!session_wants_client(s))
		return false;
	if (!buf_is_empty(&p->c_wire)) {
		/* A block of its own: the session may keep no pointer into it. */
		size_t n = piece(&p->c_cut, buf_len(&p->c_wire));
		char *octets = malloc(n);
		memcpy(octets, buf_head(&p->c_wire), n);
		buf_consume(&p->c_wire, n);
		session_client_input(s, octets, n);
		free(octets);
		return true;
	}
	if (p->eof && !s->client_eof) {
		session_client_eof(s);
		return true;
	}
	return false;
}

static bool give_server(struct player *p)
{
	if (p->link != LINK_UP)
		return false;
	if (!buf_is_empty(&p->s_wire) && session_wants_server(&p->s)) {
		size_t n = piece(&p->s_cut, buf_len(&p->s_wire));
		char *octets = malloc(n);
		memcpy(octets, buf_head(&p->s_wire), n);
		buf_consume(&p->s_wire, n);
		session_server_input(&p->s, octets, n);
		free(octets);
		return true;
	}
	if (p->gone && buf_is_empty(&p->s_wire)) {
		p->gone = false;
		p->link = LINK_NONE;
		session_server_gone(&p->s);
		return true;
	}
	return false;
}

static bool give_turn(struct player *p)
{
	if (p->hold_turns || !session_wants_turn(&p->s))
		return false;
	p->turns++;
	session_on_turn(&p->s);
	return true;
}

/* What the session was given of the scanner must be closed once it is read. */
static bool has_leaked(struct player *p)
{
	if (p->clean_fd < 0 || session_wants_turn(&p->s))
		return false;
	const bool is_open = fcntl(p->clean_fd, F_GETFD) >= 0;
	p->clean_fd = -1;
	return is_open;
}

/* Until nothing moves any more. */
static bool pump(struct player *p)
{
	bool moved;
	unsigned rounds = 0;

	do {
		if (has_leaked(p))
			return wrong(p, "the cleaned message's descriptor stays open");
		moved = take_output(p);
		if (!session_is_over(&p->s) && (p->link != LINK_UP || !session_has_output(&p->s)))
			session_on_written(&p->s);
		moved |= take_output(p);
		moved |= give_client(p);
		moved |= take_output(p);
		moved |= give_server(p);
		moved |= give_turn(p);
		if (++rounds > 10000000)
			return wrong(p, "never comes to rest");
	} while (moved);
	return p->why[0] == '\0';
}

/* ---- records ------------------------------------------------------------ */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, str_lower(c)) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static bool text_of(struct player *p, const char *t, size_t n, struct buf *out);

static size_t xvirus_len(void)
{
	struct buf b = BUF_INIT(1024);
	size_t n = hdr_xvirus_format(&b) == 0 ? buf_len(&b) : 0;

	buf_fini(&b);
	return n;
}

/* \{...}: t stands behind the brace. Returns octets of t, 0 on an error. */
static size_t braced(struct player *p, const char *t, size_t n, struct buf *out)
{
	const char *star;
	size_t len = 0;

	for (unsigned depth = 1; len < n; len++) {
		depth += t[len] == '{';
		depth -= t[len] == '}';
		if (depth == 0)
			break;
	}
	if (len == n)
		return 0;
	if (str_ieq_n(t, len, "xvirus"))
		return hdr_xvirus_format(out) == 0 ? len + 1 : 0;
	if (t[0] == '+')
		return buf_printf(out, "%lu", strtoul(t, NULL, 10) + xvirus_len()) == 0 ? len + 1 : 0;
	star = memchr(t, '*', len);
	if (star == NULL)
		return 0;
	for (long times = strtol(t, NULL, 10); times > 0; times--) {
		if (!text_of(p, star + 1, (size_t)(t + len - star - 1), out))
			return 0;
	}
	return len + 1;
}

static bool text_of(struct player *p, const char *t, size_t n, struct buf *out)
{
	static const char from[] = "rntvf0\\", to[] = "\r\n\t\v\f\0\\";

	for (size_t i = 0; i < n; i++) {
		if (t[i] != '\\') {
			add(out, t + i, 1);
			continue;
		}
		const char *simple = ++i < n ? memchr(from, t[i], sizeof from - 1) : NULL;
		if (simple != NULL) {
			add(out, to + (simple - from), 1);
		} else if (i + 2 < n && t[i] == 'x' && hex(t[i + 1]) >= 0 && hex(t[i + 2]) >= 0) {
			char c = (char)(hex(t[i + 1]) * 16 + hex(t[i + 2]));
			add(out, &c, 1);
			i += 2;
		} else if (i < n && t[i] == '{') {
			size_t k = braced(p, t + i + 1, n - i - 1, out);
			if (k == 0)
				return wrong(p, "bad braces");
			i += k;
		} else {
			return wrong(p, "bad escape");
		}
	}
	return true;
}

static const char *octets_of(const struct buf *b)
{
	return buf_len(b) > 0 ? (const char *)buf_head(b) : "";
}

/* The octets that came, to be read by people. */
static const char *shown(const struct buf *b, char out[400])
{
	return str_clean(out, 400, octets_of(b), buf_len(b));
}

static bool expect(struct player *p, const char *who, struct buf *seen, const char *t, size_t n,
	const char *end)
{
	struct buf want = BUF_INIT(TEXT_MAX);
	char a[400], b[400];
	bool ok = text_of(p, t, n, &want);

	add(&want, end, strlen(end));
	if (ok && (buf_len(seen) < buf_len(&want) ||
	           memcmp(octets_of(seen), octets_of(&want), buf_len(&want)) != 0))
		ok = wrong(p, "%s should get \"%s\" and has \"%s\"", who, shown(&want, a), shown(seen, b));
	if (ok)
		buf_consume(seen, buf_len(&want));
	buf_fini(&want);
	return ok;
}

static bool nothing_left(struct player *p)
{
	const struct { const char *who; const struct buf *b; } left[] = {
		{ "client", &p->c_seen }, { "server", &p->s_seen }, { "owner", &p->ops },
	};
	char text[400];

	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		if (buf_len(left[i].b) > 0)
			return wrong(p, "%s got \"%s\", which was not expected", left[i].who,
				shown(left[i].b, text));
	}
	if (p->body_checked && !buf_is_empty(&p->body))
		return wrong(p, "the scanner can read more: \"%s\"", shown(&p->body, text));
	return true;
}

static bool flush_packet(struct player *p)
{
	struct buf *wire = p->packet == 'C' ? &p->c_wire : &p->s_wire;

	if (p->packet == '\0')
		return true;
	if (p->packet == 'S' && p->link != LINK_UP)
		return wrong(p, "script: there is no server connection");
	if (p->packet == 'C' && p->eof)
		return wrong(p, "script: the client has closed its side");
	p->packet = '\0';
	add(wire, buf_head(&p->joined), buf_len(&p->joined));
	buf_clear(&p->joined);
	return pump(p);
}

static bool on_octets(struct player *p, char who, const char *t, size_t n, const char *end)
{
	if (p->packet != who && (!flush_packet(p) || !nothing_left(p)))
		return false;
	p->packet = who;
	if (!text_of(p, t, n, &p->joined))
		return false;
	add(&p->joined, end, strlen(end));
	return true;
}

static bool check_asked(struct player *p, const char *t)
{
	const struct asked *a = &p->asked;
	char have[2400];
	const struct { const char *key, *text; } texts[] = {
		{ "from", a->from }, { "to", a->to }, { "client", a->client }, { "helo", a->helo },
		{ "queue", a->queue }, { "av", a->av ? "yes" : "no" }, { "as", a->as ? "yes" : "no" },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t k = strlen(texts[i].key);
		if (strncmp(t, texts[i].key, k) != 0 || t[k] != '=')
			continue;
		if (strcmp(t + k + 1, texts[i].text) == 0)
			return true;
		return wrong(p, "the request says %s=%s", texts[i].key, texts[i].text);
	}
	snprintf(have, sizeof have, t[0] == 's' ? "size=%llu" : "of=%llu",
		t[0] == 's' ? a->size : (unsigned long long)a->of);
	return strcmp(t, have) == 0 || wrong(p, "the request says %s", have);
}

/* ---- conf --------------------------------------------------------------- */

static const struct conf start_conf = {
	.smtp = {
		.timeout_client = 30, .timeout_banner = 60, .timeout_server = 300,
		.timeout_data = 3600, .timeout_stop = 30, .max_received = 100,
		.chunking = CONF_CHUNKING_YES,
		.scan = {
			.actions = {
				.av = POLICY_SCAN, .av_infected = POLICY_REJECT,
				.av_unavailable = POLICY_DEFER,
			},
			.opts = { .timeout_s = 60, .ext_exclude = "", .block_ext = "",
				.allow_hash = "", .allow_name = "" },
			.quarantine_dir = "", .av_subject_prefix = "", .as_subject_prefix = "",
		},
		.trusted_networks = "", .client_networks = "", .debug_clients = "", .spool_dir = "",
		.listen_addr = "", .server_addr = "", .listen_proxy_protocol = "",
		.daemon_sock_path = "",
	},
};

static bool action_of(const char *value, enum policy_action *out)
{
	for (int a = POLICY_ACCEPT; a <= POLICY_REJECT; a++) {
		if (strcmp(policy_action_name((enum policy_action)a), value) == 0) {
			*out = (enum policy_action)a;
			return true;
		}
	}
	return false;
}

static bool action_set(struct policy_actions *a, const char *name, const char *value, bool *is_one)
{
	const struct { const char *name; enum policy_action *action; } actions[] = {
		{ "action_av", &a->av }, { "action_av_infected", &a->av_infected },
		{ "action_av_notscanned", &a->av_notscanned },
		{ "action_av_deleted", &a->av_deleted },
		{ "action_av_encrypted", &a->av_encrypted },
		{ "action_av_overlimit", &a->av_overlimit },
		{ "action_av_unavailable", &a->av_unavailable }, { "action_as", &a->as },
		{ "action_as_spam", &a->as_spam }, { "action_as_notscanned", &a->as_notscanned },
	};

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		*is_one = strcmp(name, actions[i].name) == 0;
		if (*is_one)
			return action_of(value, actions[i].action);
	}
	return false;
}

/* "ADDRESS OPTION=ACTION ...": over what is set so far. */
static bool conf_user(struct player *p, const char *text)
{
	struct user *u = &users[nusers];
	char words[256], *save = NULL, *word;
	bool is_one = true;

	str_copy(words, sizeof words, text);
	if (nusers == sizeof users / sizeof *users || (word = strtok_r(words, " ", &save)) == NULL)
		return false;
	str_copy(u->name, sizeof u->name, word);
	u->scan = p->conf.smtp.scan;
	while (is_one && (word = strtok_r(NULL, " ", &save)) != NULL) {
		char *value = strchr(word, '=');
		if (value == NULL)
			return false;
		*value++ = '\0';
		if (!action_set(&u->scan.actions, word, value, &is_one))
			return false;
	}
	u->same = &u->scan;
	for (unsigned i = 0; i < nusers; i++)
		if (memcmp(&users[i].scan.actions, &u->scan.actions, sizeof u->scan.actions) == 0)
			u->same = &users[i].scan;
	if (memcmp(&p->conf.smtp.scan.actions, &u->scan.actions, sizeof u->scan.actions) == 0)
		u->same = &p->conf.smtp.scan;
	nusers++;
	return true;
}

static bool conf_set(struct player *p, const char *name, const char *value)
{
	struct conf_smtp *c = &p->conf.smtp;
	const struct { const char *name; bool *flag; } flags[] = {
		{ "trusted", &p->is_trusted }, { "add_header_xvirus", &c->add_header_xvirus },
		{ "add_header_received", &c->add_header_received },
		{ "server_xclient", &c->server_xclient }, { "policy_dry_run", &c->policy_dry_run },
		{ "av_eml_header_modification", &c->scan.av_header },
		{ "as_eml_header_modification", &c->scan.as_header },
		{ "av_quarantine_enabled", &c->scan.opts.quarantine },
	};
	const struct { const char *name; uint32_t *number; } numbers[] = {
		{ "timeout_client", &c->timeout_client }, { "timeout_banner", &c->timeout_banner },
		{ "timeout_server", &c->timeout_server }, { "timeout_data", &c->timeout_data },
		{ "max_received", &c->max_received }, { "max_commands", &c->max_commands },
	};
	const struct { const char *name; uint64_t *size; } sizes[] = {
		{ "max_message_size", &c->max_message_size },
		{ "spool_message_memory", &p->env.spool.message_memory },
	};

	bool is_action;
	bool done = action_set(&c->scan.actions, name, value, &is_action);
	if (is_action)
		return done;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (strcmp(name, flags[i].name) == 0)
			return str_parse_bool(value, flags[i].flag) == 0;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(name, numbers[i].name) == 0)
			return (*numbers[i].number = (uint32_t)strtoul(value, NULL, 10)) > 0;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (strcmp(name, sizes[i].name) == 0)
			return str_parse_u64(value, sizes[i].size) == 0;
	if (strcmp(name, "user") == 0)
		return conf_user(p, value);
	if (strcmp(name, "user_config_recipients") == 0)
		c->user_config_recipients = value[0] == 'f' ? CONF_RCPT_FIRST : value[0] == 'd' ?
			CONF_RCPT_DEFER : CONF_RCPT_STRICTEST;
	else if (strcmp(name, "only") == 0)
		p->is_skipped = p->c_cut.mode != SPLIT_WHOLE || p->s_cut.mode != SPLIT_WHOLE;
	else if (strcmp(name, "av_clean_mode") == 0)
		c->scan.opts.clean_mode = SCAN_CLEAN_STANDARD;
	else if (strcmp(name, "bare_newline") == 0)
		c->bare_newline = value[0] == 'n' ? CONF_BARE_NORMALIZE : value[0] == 'r' ?
			CONF_BARE_REJECT : CONF_BARE_PASS;
	else if (strcmp(name, "chunking") == 0)
		c->chunking = value[0] == 'n' ? CONF_CHUNKING_NO : value[0] == 'y' ?
			CONF_CHUNKING_YES : CONF_CHUNKING_ALWAYS;
	else if (strcmp(name, "ehlo_unknown") == 0)
		c->ehlo_unknown = strcmp(value, "hide") == 0 ? CONF_EHLO_HIDE : CONF_EHLO_PASS;
	else if (strcmp(name, "spool_dir") == 0)
		str_copy(p->spool_dir, sizeof p->spool_dir, value);
	else if (strcmp(name, "av_eml_subject_prefix") == 0)
		str_copy(p->av_prefix, sizeof p->av_prefix, value);
	else if (strcmp(name, "as_eml_subject_prefix") == 0)
		str_copy(p->as_prefix, sizeof p->as_prefix, value);
	else if (strcmp(name, "client") == 0)
		return net_addr_parse(value, &p->client) == 0;
	else if (strcmp(name, "server_proxy_protocol") == 0)
		c->server_proxy_protocol = value[1] == '1' ? CONF_PROXY_V1 : CONF_PROXY_V2;
	else
		return false;
	return true;
}

/* ---- events ------------------------------------------------------------- */

static void start(struct player *p, bool refuse, enum session_end why)
{
	p->started = true;
	p->received_before = stats_sum(ST_BYTES_IN);
	session_init(&p->s, &p->env, 0x5e551, &p->client, &p->local, p->is_trusted);
	if (refuse)
		session_refuse(&p->s, why);
	else
		session_start(&p->s);
}

/* "infected+stored", "spam+failed" */
static void take_quarantine(char *kind, struct verdict *v)
{
	char *plus = strchr(kind, '+');

	if (plus == NULL)
		return;
	*plus = '\0';
	v->quarantine = strcmp(plus + 1, "stored") == 0 ? VERDICT_QUARANTINE_STORED :
		VERDICT_QUARANTINE_FAILED;
	if (v->quarantine == VERDICT_QUARANTINE_STORED)
		str_copy(v->quarantine_id, sizeof v->quarantine_id, "20260102-030405-0123abcd");
}

static bool wrong_buf(struct player *p, struct buf *b, const char *why)
{
	buf_fini(b);
	return wrong(p, "%s", why);
}

static bool give_verdict(struct player *p, char *kind, const char *text)
{
	static const struct { const char *kind; unsigned av; } kinds[] = {
		{ "clean", VERDICT_AV_CLEAN }, { "infected", VERDICT_AV_INFECTED },
		{ "notscanned", VERDICT_AV_NOTSCANNED }, { "encrypted", VERDICT_AV_ENCRYPTED },
		{ "overlimit", VERDICT_AV_OVERLIMIT }, { "unavailable", VERDICT_AV_UNAVAILABLE },
		{ "deleted", VERDICT_AV_DELETED }, { "cleaned", VERDICT_AV_DELETED }, { "spam", VERDICT_AV_CLEAN },
		{ "as-notscanned", VERDICT_AV_CLEAN }, { "part", VERDICT_AV_INFECTED },
		{ "part-allowed", VERDICT_AV_CLEAN },
	};
	struct verdict v = { .as = p->asked.as ? VERDICT_AS_CLEAN : VERDICT_AS_NONE };
	struct buf name_buf = BUF_INIT(TEXT_MAX);
	char name[VERDICT_NAME_MAX];
	int fd = -1;
	size_t i = 0;

	if (!text_of(p, text, strlen(text), &name_buf))
		return false;
	str_copy_n(name, sizeof name, octets_of(&name_buf), buf_len(&name_buf));
	take_quarantine(kind, &v);

	while (i < sizeof kinds / sizeof *kinds && strcmp(kinds[i].kind, kind) != 0)
		i++;
	if (i == sizeof kinds / sizeof *kinds || p->s.job == NULL)
		return wrong_buf(p, &name_buf, "script: no such verdict, or no scan");
	v.av = kinds[i].av;
	if (strcmp(kind, "spam") == 0)
		v.as = VERDICT_AS_SPAM;
	else if (strcmp(kind, "as-notscanned") == 0)
		v.as = VERDICT_AS_NOTSCANNED;
	if (strncmp(kind, "part", 4) == 0 && (v.parts = calloc(1, sizeof *v.parts)) != NULL) {
		v.nparts = 1;
		v.parts[0].av = v.av;
		str_copy(v.parts[0].name, sizeof v.parts[0].name, "part 2: \\\"a\\\"");
		str_copy(v.parts[0].virus, sizeof v.parts[0].virus, name);
	}
	if (strcmp(kind, "part-allowed") != 0)
		str_copy(v.virus, sizeof v.virus, name);
	v.as_score_milli = v.as == VERDICT_AS_SPAM ? 100000 : -1500;
	if (strcmp(kind, "cleaned") == 0)
		str_copy(v.virus, sizeof v.virus, "Eicar");
	str_copy(v.vdb, sizeof v.vdb, "builtin:7");
	if (v.av & (VERDICT_AV_UNAVAILABLE | VERDICT_AV_NOTSCANNED))
		str_copy(v.reason, sizeof v.reason, name);
	if (v.av & VERDICT_AV_DELETED)
		fd = memfd_create("cleaned", MFD_CLOEXEC);
	if (strcmp(kind, "cleaned") == 0 && write(fd, buf_head(&name_buf), buf_len(&name_buf)) < 0)
		return wrong_buf(p, &name_buf, "no cleaned message");
	buf_fini(&name_buf);
	p->clean_fd = fd;
	session_on_verdict(&p->s, &v, fd);
	if (v.parts != NULL)
		return wrong(p, "the verdict's parts were not taken");
	return true;
}

static bool on_refuse(struct player *p, const char *name)
{
	for (int e = 0; e < SESSION_END_COUNT; e++) {
		if (strcmp(session_end_name((enum session_end)e), name) == 0) {
			start(p, true, (enum session_end)e);
			return pump(p);
		}
	}
	return wrong(p, "script: no such end");
}

static bool on_link(struct player *p, const char *word)
{
	if (strcmp(word, "server-gone") == 0) {
		if (p->link != LINK_UP)
			return wrong(p, "script: there is no server connection");
		p->gone = true;
		return true;
	}
	if (p->link != LINK_DIALLING)
		return wrong(p, "script: nothing is dialled");
	p->link = strcmp(word, "dial-up") == 0 ? LINK_UP : LINK_NONE;
	session_on_dial(&p->s, p->link == LINK_UP);
	return true;
}

static bool on_flag(struct player *p, const char *word)
{
	if (strcmp(word, "client-eof") == 0)
		p->eof = true;
	else if (strcmp(word, "client-error") == 0)
		session_client_error(&p->s);
	else if (strcmp(word, "stop") == 0)
		session_stop(&p->s);
	else if (strcmp(word, "cut") == 0)
		session_cut(&p->s);
	else if (strcmp(word, "scan-down") == 0)
		p->scan_down = true;
	else if (strcmp(word, "spool-broken") == 0)
		spool_is_broken = true;
	else if (strcmp(word, "spool-mended") == 0)
		spool_is_broken = false;
	else if (strcmp(word, "block-client") == 0)
		p->block_client = true;
	else if (strcmp(word, "no-memory") == 0)
		p->s.c_out.max = 0;
	else if (strcmp(word, "block-server") == 0)
		p->block_server = true;
	else if (strcmp(word, "hold-turns") == 0)
		p->hold_turns = true;
	else if (strcmp(word, "unblock") == 0)
		p->block_client = p->block_server = p->hold_turns = false;
	else
		return wrong(p, "script: no such event");
	return true;
}

static bool on_event(struct player *p, char *t)
{
	char *word = strtok(t, " "), *arg = strtok(NULL, " "), *name = strtok(NULL, "");

	if (word == NULL || !nothing_left(p))
		return wrong(p, "script: event?");
	if (strcmp(word, "verdict") == 0) {
		if (arg == NULL || !give_verdict(p, arg, name != NULL ? name : ""))
			return false;
	} else if (strcmp(word, "tick") == 0 || strcmp(word, "wait") == 0) {
		long s = arg != NULL && arg[0] == '+' ? strtol(arg + 1, NULL, 10) : -1;
		if (s < 0)
			return wrong(p, "script: %s +SECONDSs", word);
		p->env.now_ms += 1000LL * s;
		p->env.wall_s += s;
		if (word[0] == 't')
			session_tick(&p->s);
	} else if (strcmp(word, "dial-up") == 0 || strcmp(word, "dial-down") == 0 ||
	           strcmp(word, "server-gone") == 0) {
		if (!on_link(p, word))
			return false;
	} else if (!on_flag(p, word)) {
		return false;
	}
	return pump(p);
}

static bool on_end(struct player *p, const char *name)
{
	const char *have = session_end_name((enum session_end)p->s.end);

	if (!nothing_left(p))
		return false;
	p->ended = true;
	if (session_is_over(&p->s) != (p->s.end != SESSION_END_NONE))
		return wrong(p, "state and end disagree");
	if (strcmp(have, name) != 0)
		return wrong(p, "the session is \"%s\"", have);
	if (p->s.end != SESSION_END_NONE && (p->link != LINK_NONE || p->s.msg != NULL))
		return wrong(p, "over, and yet there is a server connection or a message");
	return true;
}

/* ---- a script ----------------------------------------------------------- */

static bool play_file(struct player *p, const char *dir, const char *name, unsigned depth);

static bool on_expect(struct player *p, char who, const char *t, size_t n, const char *end)
{
	if (!flush_packet(p))
		return false;
	switch (who) {
	case 'c':
		return expect(p, "client", &p->c_seen, t, n, end);
	case 's':
		return expect(p, "server", &p->s_seen, t, n, end);
	case 'o':
		return expect(p, "owner", &p->ops, t, n, "\n");
	case 'l':
		return expect(p, "log", &p->log, t, n, "\n");
	case 'b':
		p->body_checked = true;
		return expect(p, "scanner", &p->body, t, n, end);
	default:
		return check_asked(p, t);
	}
}

/* Octets of messages, as the counter has them. */
static uint64_t received(const struct player *p)
{
	return stats_sum(ST_BYTES_IN) - p->received_before;
}

static bool on_word(struct player *p, const char *dir, char *t, unsigned depth)
{
	char *arg = strchr(t, ' ');

	if (arg == NULL)
		return wrong(p, "script: what?");
	*arg++ = '\0';
	if (strcmp(t, "include") == 0)
		return flush_packet(p) && play_file(p, dir, arg, depth + 1);
	if (strcmp(t, "conf") == 0) {
		char *value = strchr(arg, ' ');
		if (value == NULL || p->started)
			return wrong(p, "script: conf NAME VALUE, before all else");
		*value++ = '\0';
		return conf_set(p, arg, value) || wrong(p, "script: no such option or value");
	}
	if (!flush_packet(p))
		return false;
	if (strcmp(t, "event") == 0)
		return on_event(p, arg);
	if (strcmp(t, "state") == 0)
		return strcmp(session_state_name((enum session_state)p->s.state), arg) == 0 ||
			wrong(p, "state is %s", session_state_name((enum session_state)p->s.state));
	if (strcmp(t, "turns") == 0)
		return p->turns == strtoul(arg, NULL, 10) || wrong(p, "%u turns", p->turns);
	if (strcmp(t, "received") == 0)
		return received(p) == strtoull(arg, NULL, 10) ||
			wrong(p, "%llu octets count as received", (unsigned long long)received(p));
	if (strcmp(t, "end") == 0)
		return on_end(p, arg);
	return wrong(p, "script: what?");
}

static bool on_record(struct player *p, const char *dir, char *t, size_t n, unsigned depth)
{
	bool is_octets = n >= 2 && (t[1] == ':' || t[1] == '.' || t[1] == '>');

	if (n == 0 || t[0] == '#' || p->is_skipped)
		return true;
	if (p->ended)
		return wrong(p, "script: goes on behind its end");
	if (strncmp(t, "event refuse ", 13) == 0)
		return on_refuse(p, t + 13);
	if (!p->started && strncmp(t, "conf ", 5) != 0 && strncmp(t, "include ", 8) != 0) {
		start(p, false, SESSION_END_NONE);
		if (!pump(p))
			return false;
	}
	if (strcmp(t, "--") == 0)
		return flush_packet(p);
	if (!is_octets)
		return on_word(p, dir, t, depth);
	const char *end = t[1] == '.' ? "" : "\r\n", *text = t + (n > 2 ? 3 : 2);
	size_t len = n > 2 ? n - 3 : 0;
	if (t[0] == 'C' || t[0] == 'S')
		return on_octets(p, t[0], text, len, end);
	if (strchr("csoblq", t[0]) == NULL)
		return wrong(p, "script: what?");
	return on_expect(p, t[0], text, len, end);
}

static bool play_file(struct player *p, const char *dir, const char *name, unsigned depth)
{
	const char *file_before = p->file;
	unsigned line_before = p->line;
	char path[512], *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool ok = true;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = depth < DEPTH_MAX ? fopen(path, "r") : NULL;
	if (f == NULL)
		return wrong(p, "script: cannot read %s", name);
	p->file = name;
	for (p->line = 1; ok && (n = getline(&line, &cap, f)) >= 0; p->line++) {
		if (n > 0 && line[n - 1] == '\n')
			line[--n] = '\0';
		ok = on_record(p, dir, line, (size_t)n, depth);
		if (!ok)
			break;
	}
	free(line);
	fclose(f);
	p->file = file_before;
	p->line = line_before;
	return ok;
}

static void player_init(struct player *p, unsigned mode, char *why, size_t why_size)
{
	struct buf *bufs[] = { &p->c_wire, &p->s_wire, &p->c_seen, &p->s_seen, &p->ops, &p->log,
		&p->body, &p->joined };
	bool random = mode >= 4;

	*p = (struct player){ .why = why, .why_size = why_size, .file = "", .conf = start_conf,
		.clean_fd = -1 };
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		buf_init(bufs[i], TEXT_MAX);
	p->c_cut = split_init(random ? mode : mode & 1);
	p->s_cut = split_init(random ? mode + 7 : mode >> 1 & 1);
	str_copy(p->spool_dir, sizeof p->spool_dir, P_tmpdir);
	net_addr_parse("192.0.2.7", &p->client);
	net_addr_parse("198.51.100.2", &p->local);
	p->conf.smtp.scan.av_subject_prefix = p->av_prefix;
	p->conf.smtp.scan.as_subject_prefix = p->as_prefix;
	p->client.port = 4321;
	p->local.port = 25;
	p->env = (struct session_env){
		.conf = &p->conf, .ops = &player_ops, .hostname = "filter.example",
		/* In some modes hardly anything stays in a heap block. */
		.spool = { .dir = p->spool_dir, .message_memory = 1u << 20,
			.heap_max = mode % 3 == 1 ? 8 : 0,
			.memory_max = 64u << 20, .min_free = 0 },
		.now_ms = 1000000, .wall_s = 1700000000, .tz_minutes = 60,
		.scan_inline_max = mode % 3 == 0 ? 0 : 40, /* some messages are larger */
	};
	why[0] = '\0';
	spool_is_broken = false;
	nusers = 0;
	playing = p;
}

static void player_fini(struct player *p)
{
	struct buf *bufs[] = { &p->c_wire, &p->s_wire, &p->c_seen, &p->s_seen, &p->ops, &p->log,
		&p->body, &p->joined };

	if (p->started)
		session_fini(&p->s);
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		buf_fini(bufs[i]);
	playing = NULL;
}

bool session_play(const char *dir, const char *name, unsigned mode, char *why, size_t why_size)
{
	static const struct log_cfg silent = { .facility = -1 };
	struct player *p = calloc(1, sizeof *p);

	if (p == NULL)
		return false;
	log_open("check", &silent);
	player_init(p, mode, why, why_size);
	bool ok = play_file(p, dir, name, 0);
	if (ok && why[0] == '\0' && !p->ended && !p->is_skipped) {
		p->file = name;
		ok = wrong(p, "script: no end");
	}
	ok = ok && why[0] == '\0';
	player_fini(p);
	if (ok && spool_memory_used() != 0)
		ok = false;
	free(p);
	return ok;
}
