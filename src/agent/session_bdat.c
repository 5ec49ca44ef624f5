/* session_bdat.c - a message that comes in by BDAT (RFC 3030).
 *
 * The agent serves BDAT itself: what a chunk holds goes to the spool and is
 * scanned as any other content. The octets of a chunk are always taken off the
 * stream, whatever becomes of them, also where BDAT was not offered: left there
 * they would be read as commands, and a body would say to the server what it
 * likes (I1). Where the line cannot be read nobody knows where the octets end;
 * then nothing that follows is read, as the session ends. Postfix does so too.
 * Between chunks the session is in state COMMAND with a message. */
#include <stdio.h>

#include "session_int.h"
#include "stats.h"

#define REPLY_NO_MAIL "503 5.5.1 BDAT before MAIL"
#define REPLY_NO_RCPT "554 5.5.1 BDAT without an accepted recipient"
#define REPLY_GAP "503 5.5.1 BDAT behind a refused chunk"

/* A refused last chunk is the end of its transaction: a client that pipelines
 * goes on with MAIL. The server is told so even where it accepted no MAIL: what
 * it keeps of a refused one (Postfix: its SIZE) would be held against the next.
 * Behind another one there is no message any more that could be whole (RFC 3030, 2). */
static void chunk_refused(struct session *s)
{
	session_say(s, s->chunk_error);
	if (!s->chunk_last) {
		s->envelope.has_gap = s->envelope.mail != NULL;
		session_set_state(s, ST_COMMAND);
		return;
	}
	session_envelope_clear(s);
	session_xforward_clear(s);
	if (!s->server_up) {
		session_set_state(s, ST_ORPHAN);
		return;
	}
	session_set_state(s, ST_RSET);
	s->server_since_ms = s->env->now_ms;
	session_to_server(s, "RSET\r\n", 6);
}

static void chunk_end(struct session *s)
{
	struct session_msg *m = s->msg;
	char text[80];

	if (s->chunk_error != NULL) {
		chunk_refused(s);
		return;
	}
	if (s->chunk_last) {
		session_mail_chunks_end(s);
		session_event(s, EV_EOD);
		return;
	}
	session_set_state(s, ST_COMMAND);
	snprintf(text, sizeof text, "250 2.0.0 %llu octets received",
		(unsigned long long)m->received);
	session_say(s, m->fail != FAIL_NONE ? session_mail_fail_reply(m) : text);
}

void session_bdat_begin(struct session *s, const struct smtp_cmd *cmd)
{
	if (smtp_cmd_bdat(cmd->arg, cmd->arg_len, &s->chunk_left, &s->chunk_last) < 0) {
		session_close(s, SESSION_END_CHUNK_SIZE);
		return;
	}
	s->chunk_error = !s->told_chunking ? cmd->reply :
		s->envelope.mail == NULL ? REPLY_NO_MAIL :
		s->envelope.has_gap ? REPLY_GAP :
		s->envelope.nrcpts_total == 0 ? REPLY_NO_RCPT : NULL;
	if (s->chunk_error == NULL && s->msg == NULL && !session_mail_begin(s, true))
		return;
	s->client_since_ms = s->chunk_start_ms = s->env->now_ms;
	session_set_state(s, ST_CHUNK);
	if (s->chunk_left == 0)
		chunk_end(s);
}

size_t session_bdat_input(struct session *s, const char *p, size_t n)
{
	if (n > s->chunk_left)
		n = (size_t)s->chunk_left;
	s->chunk_left -= n;
	s->client_since_ms = s->env->now_ms;
	if (s->chunk_error == NULL) {
		s->msg->received += n;
		stats_add(ST_BYTES_IN, n);
		session_mail_chunk(s, p, n);
	}
	if (s->chunk_left == 0)
		chunk_end(s);
	return n;
}
