/* session_model.c - what client and server of a session know, see
 * session_model.h. Written from RFC 5321, 2920, 3030, 4954 and the design. */
#include "session_model.h"

#include <ctype.h>
#include <strings.h>

#include "../unit/smtp_ref.h"
#include "conf.h"
#include "hdr.h"
#include "smtp_cmd.h"

#define COMMAND_MAX 4096u
#define AUTH_MAX 12288u

void model_init(struct model *m, struct session *s, const struct conf *conf)
{
	*m = (struct model){ .conf = conf, .s = s };
	m->owed_cap = 4;
	m->owed = calloc(m->owed_cap, sizeof *m->owed);
	must(m->owed != NULL);
	m->owed[m->nowed++].kind = MODEL_OWED_BANNER;
}

void model_fini(struct model *m)
{
	struct fuzz_text *texts[] = { &m->stream, &m->auth_line, &m->replies, &m->chunks, &m->body,
		&m->server_in };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		fuzz_free(texts[i]);
	for (unsigned i = 0; i < m->nowed; i++)
		fuzz_free(&m->owed[i].line);
	for (unsigned i = 0; i < m->nheard; i++)
		fuzz_free(&m->heard[i].line);
	free(m->owed);
	free(m->heard);
}

static void set_text(struct fuzz_text *t, const void *p, size_t n)
{
	t->len = 0;
	fuzz_add(t, p, n);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Is the first word of a line this verb (only its first k letters if k > 0)? */
static bool has_verb(const struct fuzz_text *line, const char *verb, size_t k)
{
	size_t n = 0;

	while (n < line->len && !is_blank(line->p[n]))
		n++;
	if (k > 0)
		return n >= k && strncasecmp(line->p, verb, k) == 0;
	return n == strlen(verb) && strncasecmp(line->p, verb, n) == 0;
}

static bool has_one_of(const struct fuzz_text *line, const char *const *verbs)
{
	for (; *verbs != NULL; verbs++) {
		if (has_verb(line, *verbs, 0))
			return true;
	}
	return false;
}

/* ---- the client --------------------------------------------------------- */

static struct model_owed *owe(struct model *m, enum model_kind kind)
{
	if (m->nowed == m->owed_cap) {
		m->owed_cap *= 2;
		m->owed = realloc(m->owed, m->owed_cap * sizeof *m->owed);
		must(m->owed != NULL);
	}
	m->owed[m->nowed] = (struct model_owed){ .kind = kind };
	return &m->owed[m->nowed++];
}

static bool keeps_newlines(const struct model *m)
{
	return m->conf->smtp.bare_newline == CONF_BARE_PASS;
}

static void complete(struct model *m)
{
	m->is_complete = true;
	m->is_accepted = m->is_discarded = m->is_dotted = false;
	m->message++;
	if (m->conf->smtp.scan.actions.av == POLICY_ACCEPT)
		m->is_accepted = true;
	else if (m->conf->smtp.scan.actions.av == POLICY_DISCARD)
		m->is_discarded = true;
}

static void forget_message(struct model *m)
{
	m->is_complete = m->is_accepted = m->is_discarded = m->is_dotted = false;
	m->chunks.len = m->body.len = 0;
}

/* With its envelope. */
static void forget_transaction(struct model *m)
{
	forget_message(m);
	m->is_binary = m->has_mail = false;
	m->nrcpts[0] = m->nrcpts[1] = 0;
}

struct policy_actions model_actions(const struct model *m)
{
	const struct policy_actions *plain = &m->conf->smtp.scan.actions, *e = &m->conf->global.scan.actions;
	struct policy_actions both = *plain;

	if (m->is_rogue) /* then nobody else knows who was accepted */
		return m->s->envelope.settings.scan->actions;
	both.av_infected = POLICY_REJECT; /* of reject and discard */
	if (m->conf->smtp.user_config_recipients == CONF_RCPT_STRICTEST && m->nrcpts[0] > 0 &&
	    m->nrcpts[1] > 0)
		return both;
	return m->first_kind ? *e : *plain;
}

/* ---- what the agent answers by itself: one-sided, where the rules are clear -- */

/* Of MAIL, behind its address. */
static bool has_param(const struct fuzz_text *line, const char *name, const char *value)
{
	const char *addr, *params, *arg = line->p + 4, *end = line->p + line->len;
	size_t n;

	while (arg < end && is_blank(*arg))
		arg++;
	smtp_cmd_path(arg, (size_t)(end - arg), "FROM", &addr, &params, &n);
	return smtp_cmd_has_param(params, n, name, value);
}

/* Behind "MAIL FROM:<" or "RCPT TO:<"; NULL: the line is something else. */
static const char *path_at(const struct fuzz_text *line)
{
	const char *const prefix = has_verb(line, "MAIL", 0) ? "MAIL FROM:<" : "RCPT TO:<";
	const size_t n = strlen(prefix);

	return line->len > n && strncasecmp(line->p, prefix, n) == 0 ? line->p + n : NULL;
}

/* Letters, digits and dots, one @, nothing behind; or the null sender. */
static bool is_clear_to_all(const struct fuzz_text *line)
{
	const char *p = path_at(line), *end = line->p + line->len;
	unsigned ats = 0, run = 0;

	if (p == NULL || end[-1] != '>')
		return false;
	if (end - p == 1)
		return has_verb(line, "MAIL", 0);
	for (; p < end - 1; p++) {
		if (isalnum((unsigned char)*p)) {
			run++;
			continue;
		}
		if ((*p != '@' && *p != '.') || run == 0)
			return false;
		ats += *p == '@';
		run = 0;
	}
	return ats == 1 && run > 0;
}

/* A comment, a list, a bang path or a blank, and neither route nor quotes that
 * could make it something else. */
static bool is_clear_to_none(const struct fuzz_text *line)
{
	const char *p = path_at(line), *end = line->p + line->len;

	if (p == NULL || *p == '@' || memchr(line->p, '"', line->len) != NULL ||
	    memchr(line->p, '\\', line->len) != NULL)
		return false;
	while (end > p && is_blank(end[-1]))
		end--;
	for (; p < end && *p != '>'; p++) {
		if (*p != '\0' && strchr("(),;! ", *p) != NULL)
			return true;
	}
	return false;
}

/* Is its first parameter SIZE, and that a number beyond max_message_size (RFC 1870)? */
static bool is_announced_too_big(const struct model *m, const struct fuzz_text *line)
{
	const uint64_t max = m->conf->smtp.max_message_size;
	const char *p = path_at(line), *end = line->p + line->len;
	uint64_t size = 0;
	int digits = 0;

	p = p != NULL && has_verb(line, "MAIL", 0) ? memchr(p, '>', (size_t)(end - p)) : NULL;
	if (max == 0 || p == NULL || end - p < 8 || strncasecmp(p, "> SIZE=", 7) != 0)
		return false;
	for (p += 7; p < end && isdigit((unsigned char)*p) && digits < 18; digits++)
		size = size * 10 + (uint64_t)(*p++ - '0');
	return digits > 0 && (p == end || *p == ' ') && size > max;
}

/* MAIL or RCPT has gone to the server. */
static void check_relayed(const struct model *m, const struct fuzz_text *line)
{
	must(!m->has_users || !is_clear_to_none(line));
	must(!is_announced_too_big(m, line));
}

/* MAIL or RCPT was answered by the agent: in words for which there is a reason.
 * 452 is on_rcpt's. */
static void check_refused(const struct model *m, const struct fuzz_text *line, const char *p,
	size_t n)
{
	const bool is_mail = has_verb(line, "MAIL", 0);

	must(n > 9);
	if (memcmp(p, "553 5.1.3", 9) == 0)
		must(m->has_users && !is_clear_to_all(line));
	else if (memcmp(p, "552 5.3.4", 9) == 0)
		must(is_mail && m->conf->smtp.max_message_size > 0 &&
			has_param(line, "SIZE", NULL));
	else if (memcmp(p, "555 5.5.4", 9) == 0)
		must(is_mail && has_param(line, "BODY", "BINARYMIME"));
	else
		must(memcmp(p, "503 5.5.1", 9) == 0 || (!is_mail && memcmp(p, "452 4.5.3", 9) == 0));
}

/* The server has taken a recipient (c), or it was deferred for its settings. */
static void on_rcpt(struct model *m, const struct fuzz_text *line, int code,
	const struct model_command *c)
{
	const char *addr, *arg = line->p + 4;
	const char *end = line->p + line->len;

	while (arg < end && is_blank(*arg))
		arg++;
	bool kind = m->has_users &&
		smtp_cmd_path(arg, (size_t)(end - arg), "TO", &addr, NULL, NULL) > 0 && *addr == 'e';
	bool defers = m->conf->smtp.user_config_recipients == CONF_RCPT_DEFER;
	bool is_first = m->nrcpts[0] + m->nrcpts[1] == 0;
	if (c == NULL) {
		must(code != 452 || m->is_rogue || (defers && !is_first && kind != m->first_kind));
		return;
	}
	if (code / 100 != 2)
		return;
	must(!defers || is_first || !m->has_mail || m->is_rogue || kind == m->first_kind);
	if (is_first)
		m->first_kind = kind;
	m->nrcpts[kind]++;
}

/* The next line of the stream without its end; false: there is none yet. */
static bool next_line(struct model *m, const char **p, size_t *n, size_t *used)
{
	if (m->stream.len == m->at)
		return false;
	const char *start = m->stream.p + m->at, *lf = memchr(start, '\n', m->stream.len - m->at);
	if (lf == NULL)
		return false;
	*used = (size_t)(lf - start) + 1;
	*p = start;
	*n = *used - 1 - (*used > 1 && lf[-1] == '\r');
	return true;
}

/* Without blanks in front. */
static bool has_plain_verb(const char *p, size_t n)
{
	for (size_t i = 0; i < n && !is_blank(p[i]); i++) {
		if ((unsigned char)p[i] <= 0x20 || (unsigned char)p[i] >= 0x7f)
			return false;
	}
	return n > 0;
}

static bool is_syntax_error(const char *p, size_t n, size_t used)
{
	size_t i = 0;

	while (i < n && is_blank(p[i]))
		i++;
	return used > COMMAND_MAX || memchr(p, '\r', n) != NULL || memchr(p, '\0', n) != NULL ||
		!has_plain_verb(p + i, n - i);
}

static void read_bdat(struct model *m, const struct fuzz_text *line)
{
	const char *arg = memchr(line->p, ' ', line->len), *end = line->p + line->len;

	for (arg = line->p; arg < end && !is_blank(*arg);)
		arg++;
	m->chunk_ok = smtp_cmd_bdat(arg, (size_t)(end - arg), &m->chunk_size, &m->chunk_last) == 0;
}

static bool read_command(struct model *m)
{
	const char *p;
	size_t n, used;

	if (!next_line(m, &p, &n, &used))
		return false;
	m->at += used;
	const bool is_error = is_syntax_error(p, n, used);
	while (n > 0 && is_blank(*p)) {
		p++;
		n--;
	}
	/* Octets follow this one, however it is spoilt. */
	if (is_error && (used > COMMAND_MAX || n < 4 || strncasecmp(p, "BDAT", 4) != 0 ||
	    !has_plain_verb(p, n))) {
		owe(m, MODEL_OWED_SYNTAX);
		return true;
	}
	struct model_owed *o = owe(m, MODEL_OWED_COMMAND);
	fuzz_add(&o->line, p, n);
	if (has_verb(&o->line, "DATA", 0)) {
		o->kind = MODEL_OWED_DATA;
		m->phase = MODEL_DATA_ASKED;
	} else if (has_verb(&o->line, "AUTH", 0)) {
		o->kind = MODEL_OWED_AUTH;
		m->phase = MODEL_AUTH_ASKED;
	} else if (has_verb(&o->line, "BDAT", 4)) {
		o->kind = MODEL_OWED_BDAT;
		m->phase = MODEL_BDAT_ASKED;
		read_bdat(m, &o->line);
		m->chunk_ok &= !is_error;
	}
	return true;
}

static bool read_auth(struct model *m)
{
	const char *p;
	size_t n, used;

	if (!next_line(m, &p, &n, &used))
		return false;
	m->at += used;
	set_text(&m->auth_line, p, n);
	m->phase = MODEL_AUTH_ASKED;
	return true;
}

static bool read_body(struct model *m)
{
	size_t n = m->stream.len - m->at, used;
	char *out = malloc(2 * n + 2);

	must(out != NULL);
	bool end = n > 0 && ref_dot_decode(m->stream.p + m->at, n, keeps_newlines(m), out,
		&m->body.len, &used);
	if (end) {
		n = m->body.len;
		set_text(&m->body, out, n);
		m->at += used;
		m->phase = MODEL_COMMAND;
		owe(m, MODEL_OWED_FINAL);
		complete(m);
	}
	free(out);
	return end;
}

/* The last chunk is there; whether it is a message its reply says. */
static void read_chunk(struct model *m)
{
	/* Not before all replies in front of it: they say what the envelope is. */
	if (m->is_complete || !m->chunk_ok || !m->chunk_last || m->owed_first + 1 < m->nowed ||
	    m->stream.len - m->at < m->chunk_size)
		return;
	struct fuzz_text raw = { NULL, 0, 0 };
	fuzz_add(&raw, m->chunks.p, m->chunks.len);
	if (m->chunk_size > 0)
		fuzz_add(&raw, m->stream.p + m->at, (size_t)m->chunk_size);
	char *out = malloc(2 * raw.len + 1);
	must(out != NULL);
	set_text(&m->body, out, ref_newlines(raw.p, raw.len, m->is_binary || keeps_newlines(m), out));
	free(out);
	fuzz_free(&raw);
	complete(m);
}

static void read_stream(struct model *m)
{
	bool more = true;

	while (more) {
		more = m->phase == MODEL_COMMAND ? read_command(m) :
			m->phase == MODEL_AUTH ? read_auth(m) :
			m->phase == MODEL_BODY ? read_body(m) : false;
	}
	if (m->phase == MODEL_BDAT_ASKED)
		read_chunk(m);
}

/* Is the body's end where the stream ends? */
static bool is_body_end(const struct model *m)
{
	size_t n = m->stream.len - m->at;
	const char *p = m->stream.p + m->at;

	if (n == 3)
		return memcmp(p, ".\r\n", 3) == 0;
	return n >= 5 && memcmp(p + n - 5, "\r\n.\r\n", 5) == 0;
}

void model_client_sends(struct model *m, uint8_t *p, size_t n)
{
	bool in_body = m->phase == MODEL_BODY;
	uint64_t in_chunk = m->s->state == ST_CHUNK && m->s->chunk_error == NULL ?
		m->s->chunk_left : 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == MODEL_TOKEN && !in_body && i >= in_chunk)
			p[i] = '?';
		fuzz_add(&m->stream, &p[i], 1);
		if (in_body && is_body_end(m))
			in_body = false;
	}
	read_stream(m);
}

static unsigned tag_of(const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	size_t i = ref_find(p, lf != NULL ? (size_t)(lf - p) : n, " tag", 4);

	return i + 4 < n ? (unsigned)strtoul(p + i + 4, NULL, 10) : 0;
}

static bool same_line(const struct fuzz_text *a, const struct fuzz_text *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

/* The final reply to a message (I2). */
static void on_final(struct model *m, int code, const struct model_command *c)
{
	if (code / 100 == 2 && c != NULL)
		must(c->kind == MODEL_DOT && c->message == m->message && m->is_dotted);
	else if (code / 100 == 2 && !m->is_rogue)
		must(m->is_discarded && !m->is_dotted);
	else if (c != NULL)
		must(c->kind == MODEL_DOT || has_verb(&c->line, "DATA", 0) ||
			has_verb(&c->line, "BDAT", 0));
	must(code / 100 != 3);
	forget_transaction(m);
}

static void on_bdat(struct model *m, int code, const struct model_command *c, bool out_of_order)
{
	m->phase = MODEL_COMMAND;
	if (!m->chunk_ok) {
		must(c == NULL && code == 501 && session_is_over(m->s));
		m->is_closing = true;
		return;
	}
	must(m->stream.len - m->at >= m->chunk_size);
	if (!m->chunk_last && code == 250 && m->chunk_size > 0)
		fuzz_add(&m->chunks, m->stream.p + m->at, (size_t)m->chunk_size);
	m->at += (size_t)m->chunk_size;
	if (out_of_order && m->chunk_last)
		forget_transaction(m);
	else if (out_of_order)
		forget_message(m);
	else if (m->chunk_last)
		on_final(m, code, c);
	else
		must(c == NULL);
}

/* Keywords that no client may see (I6 and I1). */
static void check_ehlo(const struct model *m, const char *p, size_t n)
{
	const char *const never[] = { "STARTTLS", "BURL", "XEXCH50", "COMPRESS", "PRDR", NULL };
	const char *lf = memchr(p, '\n', n), *end = p + n;

	for (p = lf + 1; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		must(lf != NULL && lf - p >= 5);
		struct fuzz_text word = { NULL, 0, 0 };
		fuzz_add(&word, p + 4, (size_t)(lf - p) - 5);
		must(!has_one_of(&word, never));
		must(m->s->is_trusted || !has_verb(&word, "XCLIENT", 0));
		must(m->conf->smtp.chunking != CONF_CHUNKING_NO || !has_verb(&word, "CHUNKING", 0));
		fuzz_free(&word);
	}
}

static void on_command(struct model *m, const struct model_owed *o, int code,
	const struct model_command *c, const char *p, size_t n)
{
	static const char *const always[] = { "NOOP", "VRFY", "HELP", "RSET", "EXPN", "ETRN", "EHLO",
		"HELO", "XYZZY", NULL };
	static const char *const never[] = { "STARTTLS", "XEXCH50", "X-EXPS", "X-LINK2STATE",
		"COMPRESS", "CHECKPOINT", NULL };
	static const char *const resets[] = { "RSET", "EHLO", "HELO", "XCLIENT", NULL };
	bool refused = has_one_of(&o->line, never) || has_verb(&o->line, "BURL", 4) ||
		has_verb(&o->line, "TURN", 4) || has_verb(&o->line, "ATRN", 4) ||
		has_verb(&o->line, "LHLO", 4);

	must(code / 100 != 3);
	if (!m->is_rogue) {
		must(!refused || c == NULL);
		must(!has_one_of(&o->line, always) || c != NULL);
		must(c == NULL || (c->kind == MODEL_LINE && same_line(&c->line, &o->line)));
		/* What has ended for the client has ended at the server. */
		must(c == NULL || !c->is_nested || m->has_mail);
	}
	if (c == NULL && !m->is_rogue && (has_verb(&o->line, "MAIL", 0) || has_verb(&o->line, "RCPT", 0)))
		check_refused(m, &o->line, p, n);
	if (has_verb(&o->line, "RCPT", 0))
		on_rcpt(m, &o->line, code, c);
	if (code / 100 != 2 || refused)
		return;
	if (has_one_of(&o->line, resets))
		forget_transaction(m);
	if (has_verb(&o->line, "EHLO", 0) && !m->is_rogue)
		check_ehlo(m, p, n);
	if (has_verb(&o->line, "MAIL", 0)) {
		m->nrcpts[0] = m->nrcpts[1] = 0;
		m->has_mail = true;
		m->is_binary = has_param(&o->line, "BODY", "BINARYMIME");
	}
}

static void on_data(struct model *m, const struct model_owed *o, int code,
	const struct model_command *c)
{
	if (code == 354) {
		must(c == NULL);
		m->phase = MODEL_BODY;
		return;
	}
	m->phase = MODEL_COMMAND;
	must(code / 100 == 4 || code / 100 == 5);
	must(m->is_rogue || c == NULL || c->kind == MODEL_LONE_DOT || same_line(&c->line, &o->line));
}

/* Returns whether the exchange is over. */
static bool on_auth(struct model *m, const struct model_owed *o, int code,
	const struct model_command *c)
{
	must(m->is_rogue || c == NULL || same_line(&c->line, &o->line) ||
		same_line(&c->line, &m->auth_line));
	must(m->is_rogue || c != NULL || code / 100 == 5);
	m->phase = code / 100 == 3 ? MODEL_AUTH : MODEL_COMMAND;
	return code / 100 != 3;
}

/* The three digits, which need not be followed by anything. */
static int code_of(const char *p, size_t n)
{
	must(n >= 3);
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

static const struct model_command *command_of(struct model *m, const char *p, size_t n)
{
	unsigned tag = m->is_rogue ? 0 : tag_of(p, n);

	if (tag == 0)
		return NULL;
	/* Replies come in the order of what was said, none twice. */
	must(tag <= m->nheard && tag > m->last_tag);
	m->last_tag = tag;
	must(m->heard[tag - 1].code == code_of(p, n));
	return &m->heard[tag - 1];
}

static void on_reply(struct model *m, const char *p, size_t n)
{
	const struct model_command *c = command_of(m, p, n);
	int code = code_of(p, n);
	bool over = true;

	must(!m->is_closing);
	if (code == 421) {
		must(session_is_over(m->s));
		m->is_closing = true;
		return;
	}
	must(m->owed_first < m->nowed);
	struct model_owed *o = &m->owed[m->owed_first];
	switch (o->kind) {
	case MODEL_OWED_BANNER:
		/* Or that of a server that was told by us who the client is. */
		must(m->is_rogue || (c != NULL && (c->kind == MODEL_BANNER ||
			(m->conf->smtp.server_xclient && has_verb(&c->line, "XCLIENT", 0)))));
		break;
	case MODEL_OWED_SYNTAX:
		/* A QUIT to us alone may look a little odd. */
		must(c == NULL && (code == 500 || (code == 221 && session_is_over(m->s))));
		break;
	case MODEL_OWED_COMMAND:
		on_command(m, o, code, c, p, n);
		break;
	case MODEL_OWED_DATA:
		on_data(m, o, code, c);
		break;
	case MODEL_OWED_AUTH:
		over = on_auth(m, o, code, c);
		break;
	case MODEL_OWED_BDAT:
		/* Before MAIL or RCPT, or not offered: not the reply to a message. */
		on_bdat(m, code, c, c == NULL && n > 9 && (code == 503 ||
			memcmp(p, "502 5.5.1", 9) == 0 || memcmp(p, "554 5.5.1", 9) == 0));
		break;
	case MODEL_OWED_FINAL:
		on_final(m, code, c);
		break;
	}
	m->owed_first += over;
	read_stream(m);
}

/* Complete replies, line by line. */
void model_client_gets(struct model *m, const uint8_t *p, size_t n)
{
	size_t start = 0, line = 0;

	fuzz_add(&m->replies, p, n);
	for (size_t i = 0; i < m->replies.len; i++) {
		if (m->replies.p[i] != '\n')
			continue;
		const char *l = m->replies.p + line;
		must(i - line >= 4 && m->replies.p[i - 1] == '\r');
		must(isdigit((unsigned char)l[0]) && (l[3] == '-' || l[3] == ' ' || l[3] == '\r'));
		if (l[3] != '-') {
			on_reply(m, m->replies.p + start, i + 1 - start);
			start = i + 1;
		}
		line = i + 1;
	}
	m->replies.len -= start;
	memmove(m->replies.p, m->replies.p + start, m->replies.len);
}

void model_scan(struct model *m, const uint8_t *p, size_t n)
{
	must(m->is_complete && !m->is_accepted);
	must(n == m->body.len && (n == 0 || memcmp(p, m->body.p, n) == 0));
}

bool model_cleaned(struct model *m, const char *p, size_t n)
{
	char *out = malloc(2 * n + 1);

	must(out != NULL);
	set_text(&m->body, out, ref_newlines(p, n, m->is_binary || keeps_newlines(m), out));
	free(out);
	return m->is_binary || m->conf->smtp.bare_newline != CONF_BARE_REJECT ||
		(m->body.len == n && (n == 0 || memcmp(m->body.p, p, n) == 0));
}

void model_decided(struct model *m, bool is_accepted, bool is_discarded)
{
	m->is_accepted = is_accepted;
	m->is_discarded = is_discarded;
}

/* ---- the server --------------------------------------------------------- */

static struct model_command *hear(struct model *m, enum model_heard kind)
{
	if (m->nheard == m->heard_cap) {
		m->heard_cap = m->heard_cap > 0 ? m->heard_cap * 2 : 8;
		m->heard = realloc(m->heard, m->heard_cap * sizeof *m->heard);
		must(m->heard != NULL);
	}
	m->heard[m->nheard] = (struct model_command){ .kind = kind, .message = m->message };
	return &m->heard[m->nheard++];
}

void model_server_down(struct model *m)
{
	m->answered = m->nheard;
	m->server_in.len = 0;
	m->server_data = m->server_auth = m->server_mail = false;
	m->server_chunk = 0;
	m->is_early = false;
}

void model_server_up(struct model *m)
{
	model_server_down(m);
	hear(m, MODEL_BANNER);
}

static bool is_body_with(const struct fuzz_text *got, const struct fuzz_text *body, size_t at,
	const char *header, size_t n)
{
	return got->len == body->len + n && memcmp(got->p, body->p, at) == 0 &&
		memcmp(got->p + at, header, n) == 0 &&
		memcmp(got->p + at + n, body->p + at, body->len - at) == 0;
}

/* Is it the message, but for a header field of ours (I5)? */
static bool is_message(const struct model *m, const struct fuzz_text *got)
{
	struct buf ours = BUF_INIT(4096);
	struct fuzz_text body = { NULL, 0, 0 };

	fuzz_add(&body, "", 1);  /* even an empty one has memory */
	set_text(&body, m->body.p, m->body.len);
	if (!m->is_binary && body.len > 0 &&
	    (body.len < 2 || memcmp(body.p + body.len - 2, "\r\n", 2) != 0))
		fuzz_add(&body, "\r\n", 2);
	bool same = same_line(got, &body);
	must(hdr_xvirus_format(&ours) == 0);
	size_t n = buf_len(&ours);
	/* At the top, or behind an mbox line; maybe apart from a bare body. */
	for (int blank = 0; blank < 2 && !same; blank++) {
		size_t at = got->len > n ? ref_find(got->p, got->len, (char *)buf_head(&ours), n) : 0;
		if (at > body.len)
			break;
		same = m->conf->smtp.add_header_xvirus &&
			is_body_with(got, &body, at, (char *)buf_head(&ours), buf_len(&ours));
		must(buf_append(&ours, "\r\n", 2) == 0);
	}
	buf_fini(&ours);
	fuzz_free(&body);
	return same;
}

static void on_message(struct model *m, const struct fuzz_text *got)
{
	must(m->is_complete && m->is_accepted && !m->is_dotted);
	m->is_dotted = true;
	must(is_message(m, got));
	if (!m->is_early)
		hear(m, MODEL_DOT);
	m->is_early = false;
}

static void on_dot(struct model *m)
{
	struct fuzz_text got = { NULL, 0, 0 };
	size_t n = m->server_in.len, used;

	m->server_data = false;
	if (!m->is_accepted) { /* no recipients, and yet 354 */
		must(n == 3);
		hear(m, MODEL_LONE_DOT);
		return;
	}
	/* One end of data by every rule (I4). */
	must(keeps_newlines(m) || ref_lax_ends(m->server_in.p, n) == 1);
	got.p = malloc(2 * n + 2);
	must(got.p != NULL);
	must(ref_dot_decode(m->server_in.p, n, true, got.p, &got.len, &used) && used == n);
	on_message(m, &got);
	fuzz_free(&got);
}

static void forget_line(struct model *m)
{
	m->nheard--;
	fuzz_free(&m->heard[m->nheard].line);
}

static void on_line(struct model *m)
{
	static const char *const never[] = { "STARTTLS", "XEXCH50", "X-EXPS", "X-LINK2STATE",
		"COMPRESS", "CHECKPOINT", NULL };
	static const char *const fours[] = { "BURL", "TURN", "ATRN", "LHLO", NULL };
	const char *p = m->server_in.p;
	size_t n = m->server_in.len - 2;
	bool is_answer = m->server_auth;

	/* Canonical form: one CR LF, at the end (I1). */
	must(p[n] == '\r' && memchr(p, '\r', n) == NULL && memchr(p, '\0', n) == NULL);
	must(is_answer || (n > 0 && !is_blank(*p)));
	struct model_command *c = hear(m, MODEL_LINE);
	fuzz_add(&c->line, p, n);
	m->server_auth = false;
	if (is_answer) {
		c->kind = MODEL_ANSWER;
		return;
	}
	must(!has_one_of(&c->line, never));
	for (size_t i = 0; fours[i] != NULL; i++)
		must(!has_verb(&c->line, fours[i], 4));
	if (has_verb(&c->line, "MAIL", 0) || has_verb(&c->line, "RCPT", 0))
		check_relayed(m, &c->line);
	if (!has_verb(&c->line, "BDAT", 4))
		return;
	must(m->is_accepted && m->is_binary);
	must(sscanf(p, "BDAT %llu LAST\r", (unsigned long long *)&m->server_chunk) == 1);
	if (m->server_chunk == 0) {
		const struct fuzz_text none = { NULL, 0, 0 };
		forget_line(m);              /* the chunk's end is what is answered */
		on_message(m, &none);
	}
}

static void on_octet(struct model *m, char c)
{
	fuzz_add(&m->server_in, &c, 1);
	if ((uint8_t)c == MODEL_TOKEN)  /* I1 */
		must(m->is_accepted && (m->server_data || m->server_chunk > 0));
	size_t n = m->server_in.len;
	const char *p = m->server_in.p;
	if (m->server_chunk > 0) {
		if (n < m->server_chunk)
			return;
		/* One answer for the command and its chunk. */
		if (!m->is_early)
			forget_line(m);
		on_message(m, &m->server_in);
		m->server_chunk = 0;
	} else if (m->server_data) {
		if (c != '\n' || !((n == 3 && memcmp(p, ".\r\n", 3) == 0) ||
		                   (n >= 5 && memcmp(p + n - 5, "\r\n.\r\n", 5) == 0)))
			return;
		on_dot(m);
	} else {
		if (c != '\n')
			return;
		must(n >= 2);
		on_line(m);
	}
	m->server_in.len = 0;
}

void model_server_gets(struct model *m, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!m->is_rogue)
			on_octet(m, (char)p[i]);
		else if (p[i] == MODEL_TOKEN)
			must(m->is_accepted);
	}
}

static int usual_code(const struct model_command *c)
{
	if (c->kind == MODEL_BANNER || (c->kind == MODEL_LINE && has_verb(&c->line, "XCLIENT", 0)))
		return 220;
	if (c->kind == MODEL_LINE && has_verb(&c->line, "DATA", 0))
		return 354;
	if (c->kind == MODEL_LINE && has_verb(&c->line, "QUIT", 0))
		return 221;
	if (c->kind == MODEL_ANSWER || (c->kind == MODEL_LINE && has_verb(&c->line, "AUTH", 0)))
		return 235;
	return 250;
}

static int code_for(const struct model_command *c, uint8_t choice)
{
	static const int others[] = { 450, 550, 421, 250, 354, 334, 251, 220 };

	return choice % 16 < 8 ? usual_code(c) : others[choice % 16 - 8];
}

/* MAIL opens a transaction; a dot and what resets end it. */
static void follow_mail(struct model *m, struct model_command *c)
{
	static const char *const resets[] = { "RSET", "EHLO", "HELO", "XCLIENT", NULL };

	if (c->kind == MODEL_DOT || c->kind == MODEL_LONE_DOT) {
		m->server_mail = false;
	} else if (c->kind == MODEL_LINE && has_verb(&c->line, "MAIL", 0)) {
		c->is_nested = m->server_mail;
		m->server_mail |= c->code / 100 == 2;
	} else if (c->kind == MODEL_LINE && has_one_of(&c->line, resets) && c->code / 100 == 2) {
		m->server_mail = false;
	}
}

bool model_server_answers(struct model *m, uint8_t choice, uint8_t caps, struct fuzz_text *out)
{
	char text[200];

	/* What has only begun to come is not answered. */
	if (m->is_rogue || m->answered + (m->server_chunk > 0) >= m->nheard)
		return false;
	struct model_command *c = &m->heard[m->answered++];
	c->code = code_for(c, choice);
	follow_mail(m, c);
	bool is_ehlo = c->kind == MODEL_LINE && has_verb(&c->line, "EHLO", 0) && c->code == 250;
	bool lines = is_ehlo || c->code == 251;
	snprintf(text, sizeof text, "%d%cmx tag%u.\r\n", c->code, lines ? '-' : ' ', m->answered);
	fuzz_add(out, text, strlen(text));
	if (is_ehlo)
		snprintf(text, sizeof text, "%s%s%s250-STARTTLS\r\n250-BURL\r\n"
			"250-XCLIENT NAME ADDR\r\n250 DSN\r\n",
			caps & 1 ? "250-PIPELINING\r\n" : "",
			caps & 2 ? "250-CHUNKING\r\n250-BINARYMIME\r\n" : "",
			caps & 4 ? "250-SIZE 200\r\n" : "");
	else
		snprintf(text, sizeof text, "%d more\r\n", c->code);
	if (lines)
		fuzz_add(out, text, strlen(text));
	if (c->code / 100 != 3)
		return true;
	if (c->kind == MODEL_LINE && has_verb(&c->line, "DATA", 0))
		m->server_data = c->code == 354;
	else
		m->server_auth = c->code == 334;
	return true;
}

bool model_server_is_early(struct model *m, uint8_t choice, struct fuzz_text *out)
{
	char text[64];

	if (m->is_rogue || m->is_early || !m->is_accepted ||
	    (!m->server_data && m->server_chunk == 0))
		return false;
	struct model_command *c = m->server_data ? hear(m, MODEL_DOT) : &m->heard[m->nheard - 1];
	must(++m->answered == m->nheard);
	m->is_early = true;
	c->kind = MODEL_DOT;
	c->message = m->message;
	c->code = code_for(c, choice);
	m->server_mail = false;
	snprintf(text, sizeof text, "%d mx tag%u.\r\n", c->code, m->answered);
	fuzz_add(out, text, strlen(text));
	return true;
}
