/* session_reply.c - the relay: replies of the server, and what the commands
 * they answer have changed: the envelope that it has accepted, HELO, trust. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session_int.h"

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

void session_reply_fini(struct session *s)
{
	while (s->queue_len > 0)
		session_queue_pop(s);
	session_envelope_clear(s);
	free(s->helo);
	session_xforward_clear(s);
	s->helo = NULL;
}

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

/* 334 or 354. Only AUTH has one that the client may see. */
static void reply_3xx(struct session *s, struct session_pending *e)
{
	const bool is_auth = s->reply.code == 334;

	if (is_auth && e->verb == SMTP_VERB_AUTH && e->instead == NULL) {
		session_set_state(s, ST_AUTH);
		session_to_client(s, buf_head(&s->reply.raw), buf_len(&s->reply.raw));
	} else if (!is_auth && e->verb == SMTP_VERB_DATA && !e->has_dot) {
		/* No recipient was accepted, and yet 354: RFC 2920 3.1 has us end it
		 * at once; what the server says to that is the client's answer. */
		session_to_server(s, ".\r\n", 3);
		e->has_dot = true;
	} else {
		/* What would follow is not commands, and not ours to look at (I1). */
		log_warning("server wants more after a command that has no such reply");
		session_close(s, SESSION_END_SERVER_GARBAGE);
	}
}

void session_reply_take(struct session *s)
{
	if (s->queue_len == 0) {
		log_warning("server speaks out of turn");
		session_close(s, SESSION_END_SERVER_GARBAGE);
		return;
	}
	struct session_pending *e = session_queue_at(s, 0);
	enum smtp_verb verb = (enum smtp_verb)e->verb;
	int class = s->reply.code / 100;

	if (class == 3) {
		reply_3xx(s, e);
		return;
	}
	if (class == 2 && verb == SMTP_VERB_LONGER) {
		log_warning("server takes a longer word for a verb, and what it has done is unknown");
		session_close(s, SESSION_END_SERVER_GARBAGE);
		return;
	}
	if (class == 2 && verb == SMTP_VERB_DATA) {
		/* The client would take its message for accepted (I2). */
		log_warning("server accepts a message that it did not get");
		session_close(s, SESSION_END_SERVER_GARBAGE);
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
	session_queue_pop(s);
	if (is_end)
		session_close(s, verb == SMTP_VERB_QUIT ? SESSION_END_QUIT : SESSION_END_SERVER_BYE);
	else
		session_queue_flush(s);
}
