/* session_cmd.c - the relay: client commands, the queue of owed replies, and
 * the envelope that the server has accepted.
 *
 * Each command that goes on leaves an entry in the queue; each reply of the
 * server answers the oldest entry (I7). Replies of our own wait in the same
 * queue, so that a pipelining client gets all of them in order. What a
 * command changes (the envelope, HELO, trust) is changed by its reply, not by
 * the command. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session_int.h"
#include "str.h"

#define REPLY_SYNTAX "500 5.5.2 Syntax error, command unrecognized"
#define REPLY_DATA_BINARY "503 5.5.1 BODY=BINARYMIME takes BDAT, not DATA"
#define REPLY_NO_BINARY "555 5.5.4 BODY=BINARYMIME is not offered"
#define REPLY_NO_MAIL "503 5.5.1 DATA without MAIL"
#define REPLY_IN_CHUNKS "503 5.5.1 A message is under way by BDAT"
#define REPLY_OTHER_SETTINGS "452 4.5.3 Recipient has other settings, send it separately"
#define REFUSALS_LOGGED 10   /* of one session */
#define REPLY_TOO_LONG "500 5.5.2 Line too long"

bool session_is_owed(const struct session *s)
{
	return s->queue_len > 0;
}

static struct session_pending *queue_at(const struct session *s, unsigned i)
{
	return &s->queue[(s->queue_head + i) % s->queue_cap];
}

const struct session_pending *session_cmd_pending(const struct session *s, unsigned i)
{
	return queue_at(s, i);
}

bool session_cmd_is_quit_owed(const struct session *s)
{
	return s->queue_len == 1 && queue_at(s, 0)->verb == SMTP_VERB_QUIT;
}

static struct session_pending *queue_push(struct session *s)
{
	if (s->queue_len == s->queue_cap) {
		unsigned cap = s->queue_cap > 0 ? s->queue_cap * 2 : 4;
		struct session_pending *q = calloc(cap, sizeof *q);
		if (q == NULL)
			return NULL;
		for (unsigned i = 0; i < s->queue_len; i++)
			q[i] = *queue_at(s, i);
		free(s->queue);
		s->queue = q;
		s->queue_cap = cap;
		s->queue_head = 0;
	}
	struct session_pending *e = queue_at(s, s->queue_len++);
	*e = (struct session_pending){ .verb = SMTP_VERB_UNKNOWN };
	return e;
}

static void queue_pop(struct session *s)
{
	free(queue_at(s, 0)->line);
	s->queue_head = (s->queue_head + 1) % s->queue_cap;
	if (--s->queue_len > 0)
		return;
	/* An idle session keeps no queue. */
	free(s->queue);
	s->queue = NULL;
	s->queue_cap = s->queue_head = 0;
	s->barrier = false;
}

/* Replies of our own whose turn has come. */
static void flush_local(struct session *s)
{
	while (s->queue_len > 0 && queue_at(s, 0)->local != NULL) {
		session_say(s, queue_at(s, 0)->local);
		queue_pop(s);
	}
}

static void answer(struct session *s, const char *text)
{
	struct session_pending *e = queue_push(s);

	if (e == NULL) {
		session_close(s, SESSION_END_MEMORY);
		return;
	}
	e->local = text;
	flush_local(s);
}

void session_envelope_clear(struct session *s)
{
	struct session_envelope *e = &s->envelope;

	for (unsigned i = 0; i < e->nrcpts; i++)
		free(e->rcpts[i]);
	free(e->rcpts);
	free(e->mail);
	session_rcpt_clear(e);
	*e = (struct session_envelope){ .mail = NULL };
}

void session_xforward_clear(struct session *s)
{
	struct session_xforward *x = s->xforward;

	s->xforward = NULL;
	if (x == NULL)
		return;
	for (unsigned i = 0; i < x->nlines && i < SESSION_XFORWARD_LINES; i++)
		free(x->lines[i]);
	free(x);
}

void session_cmd_fini(struct session *s)
{
	while (s->queue_len > 0)
		queue_pop(s);
	session_envelope_clear(s);
	free(s->helo);
	session_xforward_clear(s);
	s->helo = NULL;
}

static bool keeps_line(enum smtp_verb v)
{
	return v == SMTP_VERB_MAIL || v == SMTP_VERB_RCPT || v == SMTP_VERB_EHLO ||
		v == SMTP_VERB_HELO || v == SMTP_VERB_XFORWARD;
}

static void relay(struct session *s, const struct smtp_cmd *cmd,
	const struct conf_settings *settings)
{
	char *line = NULL;

	if (!s->server_up) { /* it went while chunks came in */
		session_close(s, SESSION_END_SERVER_CLOSED);
		return;
	}
	if (keeps_line(cmd->verb)) {
		line = malloc(cmd->line_len + 1);
		if (line != NULL)
			str_copy_n(line, cmd->line_len + 1, cmd->line, cmd->line_len);
	}
	struct session_pending *e = queue_push(s);
	if (e == NULL || (line == NULL && keeps_line(cmd->verb))) {
		free(line);
		session_close(s, SESSION_END_MEMORY);
		return;
	}
	e->verb = (uint8_t)cmd->verb;
	e->line = line;
	if (settings != NULL)
		e->settings = *settings;
	if (s->queue_len == 1)
		s->server_since_ms = s->env->now_ms;
	/* Canonical form: no leading blanks, CR LF whatever ended it here (I1). */
	session_to_server(s, cmd->line, cmd->line_len);
	session_to_server(s, "\r\n", 2);
}

struct smtp_ehlo_cfg session_ehlo_cfg(const struct session *s)
{
	const struct conf_smtp *c = &s->env->conf->smtp;

	return (struct smtp_ehlo_cfg){
		.is_trusted = s->is_trusted,
		.hide_unknown = c->ehlo_unknown == CONF_EHLO_HIDE,
		.chunking = c->chunking != CONF_CHUNKING_NO,
		.chunking_always = c->chunking == CONF_CHUNKING_ALWAYS,
		.max_size = c->max_message_size,
	};
}

static bool is_binary_mail(const char *line, size_t len)
{
	return smtp_cmd_has_param(line, len, "BODY", "BINARYMIME");
}

static void on_data(struct session *s, const struct smtp_cmd *cmd)
{
	if (s->envelope.mail == NULL && s->envelope.nrcpts_total > 0) {
		/* A transaction that began in a way we do not know. */
		answer(s, REPLY_NO_MAIL);
		return;
	}
	if (s->envelope.nrcpts_total == 0) {
		/* The server's own words refuse it (RFC 2920 3.1 for the rest). */
		relay(s, cmd, NULL);
		s->barrier = true;
		return;
	}
	if (cmd->arg_len > 0) {
		answer(s, cmd->reply);
		return;
	}
	if (is_binary_mail(s->envelope.mail, strlen(s->envelope.mail))) {
		answer(s, REPLY_DATA_BINARY);
		return;
	}
	if (!session_mail_begin(s, false))
		return;
	session_set_state(s, ST_BODY);
	session_say(s, "354 End data with <CR><LF>.<CR><LF>");
}

/* Refuses by ourselves what the state of this session does not allow; NULL: it
 * does. */
static const char *out_of_order(const struct session *s, const struct smtp_cmd *cmd)
{
	const struct smtp_ehlo_cfg cfg = session_ehlo_cfg(s);

	if (s->msg != NULL && (cmd->verb == SMTP_VERB_MAIL || cmd->verb == SMTP_VERB_RCPT ||
	    cmd->verb == SMTP_VERB_DATA))
		return REPLY_IN_CHUNKS;
	if (cmd->verb == SMTP_VERB_MAIL && is_binary_mail(cmd->arg, cmd->arg_len) &&
	    !smtp_ehlo_has_binarymime(&cfg, &s->info))
		return REPLY_NO_BINARY;
	return NULL;
}

static void dispatch(struct session *s, const struct smtp_cmd *cmd,
	const struct conf_settings *settings)
{
	const char *no = out_of_order(s, cmd);

	if (no != NULL) {
		answer(s, no);
		return;
	}
	switch (cmd->kind) {
	case SMTP_CMD_RELAY:
		relay(s, cmd, settings);
		/* Whether the chunks so far are forgotten decides on what is behind. */
		if (cmd->verb == SMTP_VERB_RSET && s->msg != NULL)
			s->barrier = true;
		break;
	case SMTP_CMD_TRUSTED:
		if (!s->is_trusted) {
			answer(s, cmd->reply);
			break;
		}
		__attribute__((fallthrough));
	case SMTP_CMD_BARRIER:
		relay(s, cmd, NULL);
		s->barrier = true;
		break;
	case SMTP_CMD_DATA:
		on_data(s, cmd);
		break;
	case SMTP_CMD_BDAT:
		/* The queue is empty, see session_cmd_next. */
		session_bdat_begin(s, cmd);
		break;
	case SMTP_CMD_REFUSE:
		if (s->refusals < REFUSALS_LOGGED) {
			s->refusals++;
			log_info("refused verb=%s", smtp_verb_name(cmd->verb));
		}
		answer(s, cmd->reply);
		break;
	}
}

/* May another command be parsed now? */
static bool may_parse(const struct session *s)
{
	if (s->barrier || buf_len(&s->c_out) >= SESSION_OUT_HIGH ||
	    buf_len(&s->s_out) >= SESSION_OUT_HIGH || s->queue_len >= SESSION_QUEUE_MAX)
		return false;
	/* A server that does not offer PIPELINING gets one command at a time. */
	return s->queue_len == 0 || s->info.pipelining;
}

/* max_commands: how many a client may send between messages. */
static bool too_many_commands(struct session *s)
{
	const uint32_t max = s->env->conf->smtp.max_commands;

	if (max == 0 || s->cmds++ < max)
		return false;
	session_close(s, SESSION_END_COMMANDS);
	return true;
}

static void take(struct session *s, const struct smtp_cmd *cmd, enum session_rcpt fate,
	const struct conf_settings *settings)
{
	if (fate == SESSION_RCPT_DEFERRED) {
		session_rcpt_log_deferred(cmd, settings);
		answer(s, REPLY_OTHER_SETTINGS);
		return;
	}
	dispatch(s, cmd, settings);
}

size_t session_cmd_next(struct session *s, const char *p, size_t n)
{
	enum session_rcpt fate = SESSION_RCPT_GOES;
	struct conf_settings settings = { .scan = NULL };
	struct smtp_text t;
	struct smtp_cmd cmd;
	size_t used;

	if (!may_parse(s))
		return 0;
	if (smtp_line_next(&s->c_line, p, n, SESSION_CMD_MAX, &t, &used) == 0)
		return used;
	const bool is_command = !t.is_too_long && !t.has_cr && !t.has_nul &&
		smtp_cmd_parse(t.p, t.len, &cmd);
	if (is_command) {
		/* We answer these ourselves: not before all replies that they depend on. */
		if ((cmd.kind == SMTP_CMD_DATA || cmd.kind == SMTP_CMD_BDAT) && s->queue_len > 0)
			return 0;
		fate = session_rcpt_check(s, &cmd, &settings);
		if (fate == SESSION_RCPT_WAITS)
			return 0;
	}
	if (too_many_commands(s))
		return used;
	if (is_command)
		take(s, &cmd, fate, &settings);
	else
		answer(s, t.is_too_long ? REPLY_TOO_LONG : REPLY_SYNTAX);
	return used;
}

size_t session_cmd_auth(struct session *s, const char *p, size_t n)
{
	struct smtp_text t;
	size_t used;

	if (smtp_line_next(&s->c_line, p, n, SESSION_AUTH_MAX, &t, &used) == 0)
		return used;
	if (t.is_too_long || t.has_cr || t.has_nul) {
		/* What could be two lines to a lax server does not go there. RFC 4954
		 * 4 has a way to end the exchange without an answer. */
		queue_at(s, 0)->instead = t.is_too_long ? REPLY_TOO_LONG : REPLY_SYNTAX;
		session_to_server(s, "*", 1);
	} else {
		session_to_server(s, t.p, t.len);
	}
	session_to_server(s, "\r\n", 2);
	s->server_since_ms = s->env->now_ms;
	session_set_state(s, ST_COMMAND);
	return used;
}

size_t session_cmd_orphan(struct session *s, const char *p, size_t n)
{
	struct smtp_text t;
	struct smtp_cmd cmd;
	size_t used;

	if (smtp_line_next(&s->c_line, p, n, SESSION_CMD_MAX, &t, &used) == 0)
		return used;
	if (!t.is_too_long && smtp_cmd_parse(t.p, t.len, &cmd) && cmd.verb == SMTP_VERB_QUIT) {
		session_say(s, "221 2.0.0 Bye");
		session_close(s, SESSION_END_QUIT);
	} else {
		session_close(s, SESSION_END_SERVER_CLOSED);
	}
	return used;
}

/* ---- replies ---------------------------------------------------------- */

static void envelope_rcpt(struct session_envelope *e, char **line)
{
	size_t len = strlen(*line);

	e->nrcpts_total++;
	if (e->octets + len > SESSION_ENVELOPE_MAX)
		return;
	if (e->nrcpts == e->cap) {
		unsigned cap = e->cap > 0 ? e->cap * 2 : 2;
		char **rcpts = realloc(e->rcpts, cap * sizeof *rcpts);
		if (rcpts == NULL)
			return;
		e->rcpts = rcpts;
		e->cap = cap;
	}
	e->rcpts[e->nrcpts++] = *line;
	e->octets += len;
	*line = NULL;
}

static void keep_xforward(struct session *s, char **line)
{
	struct session_xforward *x = s->xforward;
	size_t n = strlen(*line);

	if (x == NULL)
		x = s->xforward = calloc(1, sizeof *x);
	if (x == NULL) {
		session_close(s, SESSION_END_MEMORY);
		return;
	}
	smtp_cmd_attr(*line, n, "ADDR", x->addr, sizeof x->addr);
	smtp_cmd_attr(*line, n, "NAME", x->name, sizeof x->name);
	smtp_cmd_attr(*line, n, "HELO", x->helo, sizeof x->helo);
	smtp_cmd_attr(*line, n, "IDENT", x->ident, sizeof x->ident);
	if (x->nlines < SESSION_XFORWARD_LINES) {
		x->lines[x->nlines] = *line;
		*line = NULL;
	}
	x->nlines++;
}

static void keep_helo(struct session *s, struct session_pending *e)
{
	free(s->helo);
	s->helo = e->line;
	e->line = NULL;
	s->esmtp = e->verb == SMTP_VERB_EHLO;
}

/* The server has forgotten the transaction, and so do we; with it a message
 * of which only some chunks came. */
static void forget_transaction(struct session *s)
{
	if (s->msg != NULL)
		session_mail_done(s, "aborted");
	session_envelope_clear(s);
	session_xforward_clear(s);
}

/* What an accepted command changes. */
static void apply(struct session *s, struct session_pending *e)
{
	switch ((enum smtp_verb)e->verb) {
	case SMTP_VERB_EHLO:
	case SMTP_VERB_HELO:
		forget_transaction(s);
		keep_helo(s, e);
		if (!s->esmtp) {
			s->info = (struct smtp_ehlo_info){ .size_max = 0 };
			s->told_chunking = false;
		}
		break;
	case SMTP_VERB_MAIL:
		session_envelope_clear(s);
		s->envelope.mail = e->line;
		s->envelope.octets = strlen(e->line);
		e->line = NULL;
		break;
	case SMTP_VERB_RCPT:
		session_rcpt_accepted(s, e);
		envelope_rcpt(&s->envelope, &e->line);
		break;
	case SMTP_VERB_RSET:
		forget_transaction(s);
		break;
	case SMTP_VERB_AUTH:
		s->authed = true;
		break;
	case SMTP_VERB_XCLIENT:
		/* The server starts again with a new banner. */
		s->authed = true;
		forget_transaction(s);
		free(s->helo);
		s->helo = NULL;
		s->info = (struct smtp_ehlo_info){ .size_max = 0 };
		s->told_chunking = false;
		break;
	case SMTP_VERB_XFORWARD:
		keep_xforward(s, &e->line);
		break;
	default:
		break;
	}
}

static void pass_reply(struct session *s, enum smtp_verb verb)
{
	struct buf *raw = &s->reply.raw;

	if (verb != SMTP_VERB_EHLO || s->reply.code / 100 != 2) {
		session_to_client(s, buf_head(raw), buf_len(raw));
		return;
	}
	const struct smtp_ehlo_cfg cfg = session_ehlo_cfg(s);
	struct buf out = BUF_INIT(2 * SMTP_REPLY_MAX);
	if (smtp_ehlo_filter((const char *)buf_head(raw), buf_len(raw), &cfg, &s->info, &out) < 0)
		session_close(s, SESSION_END_MEMORY);
	else
		session_to_client(s, buf_head(&out), buf_len(&out));
	s->told_chunking = smtp_ehlo_has_chunking(&cfg, &s->info);
	buf_fini(&out);
}

/* A 3xx reply. Only AUTH has one that the client may see. */
static void reply_3xx(struct session *s, struct session_pending *e)
{
	if (e->verb == SMTP_VERB_AUTH && e->instead == NULL) {
		session_set_state(s, ST_AUTH);
		session_to_client(s, buf_head(&s->reply.raw), buf_len(&s->reply.raw));
	} else if (e->verb == SMTP_VERB_DATA) {
		/* No recipient was accepted, and yet 354: RFC 2920 3.1 has us end it
		 * at once; what the server says to that is the client's answer. */
		session_to_server(s, ".\r\n", 3);
		e->verb = SMTP_VERB_UNKNOWN;
	} else {
		/* What would follow is not commands, and not ours to look at (I1). */
		log_warning("server wants more after a command that has no such reply");
		session_close(s, SESSION_END_SERVER_GARBAGE);
	}
}

void session_cmd_reply(struct session *s)
{
	if (s->queue_len == 0) {
		log_warning("server speaks out of turn");
		session_close(s, SESSION_END_SERVER_GARBAGE);
		return;
	}
	struct session_pending *e = queue_at(s, 0);
	enum smtp_verb verb = (enum smtp_verb)e->verb;
	int class = s->reply.code / 100;

	if (class == 3) {
		reply_3xx(s, e);
		return;
	}
	/* 221 announces the close, whatever it answers; 521 may do so. */
	const bool is_end = verb == SMTP_VERB_QUIT || s->reply.code == 221;
	s->server_bye = s->reply.code == 221 || s->reply.code == 521;
	if (e->instead != NULL)
		session_say(s, e->instead);
	else
		pass_reply(s, verb);
	if (s->state == ST_CLOSE)
		return;
	if (class == 2 && e->instead == NULL)
		apply(s, e);
	queue_pop(s);
	if (is_end)
		session_close(s, verb == SMTP_VERB_QUIT ? SESSION_END_QUIT : SESSION_END_SERVER_BYE);
	else
		flush_local(s);
}
