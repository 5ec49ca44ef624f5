/* session_cmd.c - the relay: client commands.
 *
 * Each command that goes on leaves an entry in the queue of owed replies
 * (session_queue); what it changes (the envelope, HELO, trust) is changed by its
 * reply (session_reply), not by the command. */
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
#define REPLY_TOO_BIG "552 5.3.4 Message is too big"
#define REPLY_UNCLEAR "553 5.1.3 Address not understood"
#define REFUSALS_LOGGED 10   /* of one session */
#define REPLY_TOO_LONG "500 5.5.2 Line too long"

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
	struct session_pending *e = session_queue_push(s);
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

static bool is_binary_mail(const char *line, size_t len)
{
	return session_mail_has(line, len, "BODY", "BINARYMIME");
}

static void on_data(struct session *s, const struct smtp_cmd *cmd)
{
	if (s->envelope.mail == NULL && s->envelope.nrcpts_total > 0) {
		/* A transaction that began in a way we do not know. */
		session_queue_answer(s, REPLY_NO_MAIL);
		return;
	}
	if (s->envelope.nrcpts_total == 0) {
		/* The server's own words refuse it (RFC 2920 3.1 for the rest). */
		relay(s, cmd, NULL);
		s->barrier = true;
		return;
	}
	if (cmd->arg_len > 0) {
		session_queue_answer(s, cmd->reply);
		return;
	}
	if (is_binary_mail(s->envelope.mail, strlen(s->envelope.mail))) {
		session_queue_answer(s, REPLY_DATA_BINARY);
		return;
	}
	if (!session_mail_begin(s, false))
		return;
	session_set_state(s, ST_BODY);
	session_say(s, "354 End data with <CR><LF>.<CR><LF>");
}

/* RFC 1870 6.1, for our own limit; the server sees to its. */
static bool is_announced_too_big(const struct session *s, const struct smtp_cmd *cmd)
{
	const uint64_t max = s->env->conf->smtp.max_message_size;

	return max != 0 && session_mail_size(cmd->line, cmd->line_len) > max;
}

/* Refuses by ourselves what the state of this session does not allow; NULL: it
 * does. */
static const char *out_of_order(const struct session *s, const struct smtp_cmd *cmd)
{
	const struct smtp_ehlo_cfg cfg = session_ehlo_cfg(s);

	if (s->msg != NULL && (cmd->verb == SMTP_VERB_MAIL || cmd->verb == SMTP_VERB_RCPT ||
	    cmd->verb == SMTP_VERB_DATA))
		return REPLY_IN_CHUNKS;
	if (cmd->verb == SMTP_VERB_MAIL && is_binary_mail(cmd->line, cmd->line_len) &&
	    !smtp_ehlo_has_binarymime(&cfg, &s->info))
		return REPLY_NO_BINARY;
	if (cmd->verb == SMTP_VERB_MAIL && is_announced_too_big(s, cmd))
		return REPLY_TOO_BIG;
	return NULL;
}

static void log_refusal(struct session *s, const char *what, const struct smtp_cmd *cmd)
{
	if (s->refusals >= REFUSALS_LOGGED)
		return;
	s->refusals++;
	log_info("refused %sverb=%s", what, smtp_verb_name(cmd->verb));
}

static void dispatch(struct session *s, const struct smtp_cmd *cmd,
	const struct conf_settings *settings)
{
	const char *no = out_of_order(s, cmd);

	if (no != NULL) {
		session_queue_answer(s, no);
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
			session_queue_answer(s, cmd->reply);
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
		log_refusal(s, "", cmd);
		session_queue_answer(s, cmd->reply);
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

/* max_commands: how many a client may send between messages. The chunks of one have
 * its time. */
static bool too_many_commands(struct session *s, bool is_chunk)
{
	const uint32_t max = s->env->conf->smtp.max_commands;

	if (max == 0 || (is_chunk && s->msg != NULL) || s->cmds++ < max)
		return false;
	session_close(s, SESSION_END_COMMANDS);
	return true;
}

static void take(struct session *s, const struct smtp_cmd *cmd, enum session_rcpt fate,
	const struct conf_settings *settings)
{
	if (fate == SESSION_RCPT_DEFERRED) {
		session_rcpt_log_deferred(cmd, settings);
		session_queue_answer(s, REPLY_OTHER_SETTINGS);
		return;
	}
	if (fate == SESSION_RCPT_UNCLEAR) {
		log_refusal(s, "address not understood ", cmd);
		session_queue_answer(s, REPLY_UNCLEAR);
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
	const bool has_verb = !t.is_too_long && smtp_cmd_parse(t.p, t.len, &cmd);
	const bool is_command = has_verb && !t.has_cr && !t.has_nul;
	/* We answer these ourselves: not before all replies that they depend on. */
	if (has_verb && (cmd.kind == SMTP_CMD_DATA || cmd.kind == SMTP_CMD_BDAT) && s->queue_len > 0)
		return 0;
	if (is_command) {
		fate = session_rcpt_check(s, &cmd, &settings);
		if (fate == SESSION_RCPT_WAITS)
			return 0;
	}
	session_debug(s, SESSION_FROM_CLIENT, t.p, t.len);
	if (too_many_commands(s, has_verb && cmd.kind == SMTP_CMD_BDAT))
		return used;
	if (is_command)
		take(s, &cmd, fate, &settings);
	else if (has_verb && cmd.kind == SMTP_CMD_BDAT)
		session_close(s, SESSION_END_CHUNK_SIZE); /* octets follow all the same */
	else
		session_queue_answer(s, t.is_too_long ? REPLY_TOO_LONG : REPLY_SYNTAX);
	return used;
}

size_t session_cmd_auth(struct session *s, const char *p, size_t n)
{
	struct smtp_text t;
	size_t used;

	if (smtp_line_next(&s->c_line, p, n, SESSION_AUTH_MAX, &t, &used) == 0)
		return used;
	session_debug(s, SESSION_FROM_CLIENT, t.p, t.len);
	if (t.is_too_long || t.has_cr || t.has_nul) {
		/* What could be two lines to a lax server does not go there. RFC 4954
		 * 4 has a way to end the exchange without an answer. */
		session_queue_at(s, 0)->instead = t.is_too_long ? REPLY_TOO_LONG : REPLY_SYNTAX;
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
