/* session_act.c - what the actions of the transition table do.
 *
 * The rule behind all of them (I2): the client gets 2xx for a message only
 * where the server's 2xx is passed on, or where the policy said discard. */
#include <string.h>

#include "log.h"
#include "session_int.h"
#include "str.h"

#define REPLY_NOT_TAKEN "451 4.4.2 Server connection failed, message not accepted; try again"
#define REPLY_NO_OUTCOME "451 4.4.2 Server did not confirm the message; try again"

/* The server's reply goes to the client as it is, and to the log. */
static void pass_final(struct session *s)
{
	struct buf *raw = &s->reply.raw;
	size_t n = buf_len(raw);

	session_to_client(s, buf_head(raw), n);
	if (s->msg != NULL)
		str_clean(s->msg->reply, sizeof s->msg->reply, buf_head(raw),
			n > 2 ? n - 2 : 0);
}

/* The message had its final reply and the server connection is as it was
 * before MAIL: go on, or leave if the agent stops. */
static void finish_message(struct session *s, const char *outcome)
{
	session_mail_done(s, outcome);
	if (s->stop_later)
		session_close(s, SESSION_END_STOPPED);
	else if (s->client_dead)
		session_close(s, SESSION_END_CLIENT_RESET);
}

/* The same where the server is of no more use. */
static void orphan_message(struct session *s, const char *reply, const char *outcome)
{
	session_drop_server(s);
	if (reply != NULL) {
		str_clean(s->msg->reply, sizeof s->msg->reply, reply, strlen(reply));
		session_say(s, reply);
	}
	finish_message(s, outcome);
}

static void on_lost(struct session *s)
{
	if (!s->server_lost)
		log_info("server closed early, message is kept reply=%d", s->reply.code);
	s->server_lost = true;
	session_drop_server(s);
}

static void on_gone(struct session *s)
{
	if (s->msg != NULL && !session_is_owed(s)) { /* between two chunks */
		on_lost(s);
		return;
	}
	/* A server may close right behind QUIT without a word, or behind words
	 * that said so: none of ours are needed then. */
	if (s->server_bye) {
		session_close(s, SESSION_END_SERVER_BYE);
	} else if (session_queue_is_quit(s)) {
		session_say(s, "221 2.0.0 Bye");
		session_close(s, SESSION_END_QUIT);
	} else {
		session_close(s, SESSION_END_SERVER_CLOSED);
	}
}

static void on_421(struct session *s)
{
	if (s->msg != NULL && !session_is_owed(s)) { /* idle too long between two chunks */
		on_lost(s);
		return;
	}
	session_to_client(s, buf_head(&s->reply.raw), buf_len(&s->reply.raw));
	session_close(s, SESSION_END_SERVER_421);
}

/* May the envelope be given to a new connection? Only if no end of data was
 * even queued (the caller's state says so), once a message, and not where the
 * client proved who it is: we can't do that again. */
static bool may_redial(const struct session *s)
{
	return !s->msg->dialled_again && !s->msg->end_queued && !s->authed && s->helo != NULL &&
		s->envelope.mail != NULL && s->envelope.nrcpts == s->envelope.nrcpts_total &&
		(s->xforward == NULL || s->xforward->nlines <= SESSION_XFORWARD_LINES);
}

static void redial(struct session *s)
{
	session_drop_server(s);
	if (!may_redial(s)) {
		session_set_state(s, ST_ORPHAN);
		orphan_message(s, REPLY_NOT_TAKEN, "failed");
		return;
	}
	log_info("dialling the server again for this message");
	s->msg->dialled_again = true;
	s->msg->replay_step = 0;
	s->msg->sent = 0;
	session_head_fini(&s->msg->head);
	session_set_state(s, ST_REPLAY);
	s->server_since_ms = s->env->now_ms;
	s->msg->replay_ms = s->env->now_ms;
	s->env->ops->dial(s);
}

static void ask_data(struct session *s)
{
	if (s->server_lost || !s->server_up) {
		redial(s);
		return;
	}
	session_send_begin(s);
}

/* Line number step of the replay, counted from 0; NULL behind the last. own
 * has room for a line of ours. */
static const char *replay_line(const struct session *s, unsigned step, char *own, size_t size)
{
	unsigned nx = s->xforward != NULL ? s->xforward->nlines : 0;

	if (s->xclient != NULL) {
		if (step < 2)
			return step == 0 ? session_greet_ehlo(s, own, size) : s->xclient;
		step -= 2;
	}
	if (step == 0)
		return s->helo;
	if (--step < nx)
		return s->xforward->lines[step];
	step -= nx;
	if (step == 0)
		return s->envelope.mail;
	return --step < s->envelope.nrcpts ? s->envelope.rcpts[step] : NULL;
}

/* The new server may offer less than the one that the client was told of. */
static bool replay_fits(struct session *s)
{
	const struct buf *raw = &s->reply.raw;

	if (!s->esmtp || s->msg->replay_step != (s->xclient != NULL ? 3u : 1u))
		return true; /* not the reply to EHLO */
	smtp_ehlo_read((const char *)buf_head(raw), buf_len(raw), &s->info);
	return !s->msg->is_binary || (s->info.chunking && s->info.binarymime);
}

/* All of the replay has the time of one reply: who waits for the end of it has sent
 * the message once and knows nothing of these lines. */
static void replay_time(struct session *s)
{
	s->server_since_ms = s->msg->replay_ms;
}

/* One line at a time, each after a 2xx to the one before (or the banner). */
static void replay_next(struct session *s)
{
	char own[300];

	if (!replay_fits(s)) {
		session_set_state(s, ST_ORPHAN);
		orphan_message(s, REPLY_NOT_TAKEN, "failed");
		return;
	}
	const char *line = replay_line(s, s->msg->replay_step++, own, sizeof own);

	if (line != NULL) {
		replay_time(s);
		session_to_server(s, line, strlen(line));
		session_to_server(s, "\r\n", 2);
		return;
	}
	s->server_lost = false;
	session_set_state(s, ST_DATA);
	session_send_begin(s);
}

static void on_final_421(struct session *s)
{
	pass_final(s);
	session_drop_server(s);
	session_mail_done(s, "refused");
	session_close(s, SESSION_END_SERVER_421);
}

static void replay_fail(struct session *s)
{
	if (s->reply.code == 421) {
		on_final_421(s);
		return;
	}
	orphan_message(s, REPLY_NOT_TAKEN, "failed");
}

static void on_send(struct session *s)
{
	s->server_since_ms = s->env->now_ms;
	session_send_fill(s);
}

static void on_data_refused(struct session *s)
{
	pass_final(s);
	if (s->state == ST_CLOSE)
		return;
	session_mail_done(s, "refused");
	s->server_since_ms = s->env->now_ms;
	session_to_server(s, "RSET\r\n", 6);
	if (s->stop_later)
		session_close(s, SESSION_END_STOPPED);
}

/* The server refuses while the message is on its way. Its dialogue can't go
 * on (the rest would be commands), its refusal is the answer. */
static void on_early(struct session *s)
{
	pass_final(s);
	orphan_message(s, NULL, "refused");
}

static void on_delivered(struct session *s)
{
	bool taken = s->reply.code / 100 == 2;

	pass_final(s);
	finish_message(s, taken ? "accepted" : "refused");
}

static void on_unknown(struct session *s)
{
	session_log_unconfirmed();
	orphan_message(s, REPLY_NO_OUTCOME, "unknown");
}

void session_act(struct session *s, enum session_action a)
{
	switch (a) {
	case ACT_NONE:
	case ACT_CLIEOF:       /* session_run looks after every event */
		break;
	case ACT_BAD:
		session_close(s, SESSION_END_SERVER_GARBAGE);
		break;
	case ACT_UP:
		session_greet_up(s);
		break;
	case ACT_BANNER:
		session_greet_banner(s);
		break;
	case ACT_XCLIENT:
		session_greet_xclient(s);
		break;
	case ACT_XCLIENT_DONE:
		session_greet_end(s, true);
		break;
	case ACT_XCLIENT_NOT:
		session_greet_end(s, false);
		break;
	case ACT_REPLY:
		session_reply_take(s);
		break;
	case ACT_END_421:
		on_421(s);
		break;
	case ACT_END_GONE:
		on_gone(s);
		break;
	case ACT_END_DOWN:
		session_close(s, SESSION_END_SERVER_DOWN);
		break;
	case ACT_END_SRVTIME:
		session_close(s, SESSION_END_SERVER_TIMEOUT);
		break;
	case ACT_END_CLITIME:
		session_close(s, SESSION_END_CLIENT_TIMEOUT);
		break;
	case ACT_END_STOP:
		session_close(s, SESSION_END_STOPPED);
		break;
	case ACT_END_CLIERR:
		session_close(s, SESSION_END_CLIENT_RESET);
		break;
	case ACT_END_CUT:
		session_close(s, SESSION_END_CLIENT_CUT);
		break;
	case ACT_STOP_LATER:
		s->stop_later = true;
		break;
	case ACT_LOST:
		on_lost(s);
		break;
	case ACT_DECIDE:
		session_mail_decide(s);
		break;
	case ACT_ASK_DATA:
		ask_data(s);
		break;
	case ACT_HOLD:
		session_mail_hold(s);
		break;
	case ACT_REPLAY_UP:
		s->msg->replay_step = 0;
		replay_time(s);
		session_greet_up(s);
		break;
	case ACT_REPLAY_NEXT:
		replay_next(s);
		break;
	case ACT_REPLAY_FAIL:
		replay_fail(s);
		break;
	case ACT_SEND:
		on_send(s);
		break;
	case ACT_DATA_REFUSED:
		on_data_refused(s);
		break;
	case ACT_REDIAL:
		redial(s);
		break;
	case ACT_EARLY:
		on_early(s);
		break;
	case ACT_DELIVERED:
		on_delivered(s);
		break;
	case ACT_FINAL_421:
		on_final_421(s);
		break;
	case ACT_UNKNOWN:
		on_unknown(s);
		break;
	case ACT_RESUME:
		s->client_since_ms = s->env->now_ms;
		break;
	case ACT_ORPHAN:
		session_drop_server(s);
		break;
	case SESSION_ACTION_COUNT:
		break;
	}
}
