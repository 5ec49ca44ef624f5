/* session.c - life of a pair: events, state, time, and the end. See session.h.
 *
 * Every event goes through the transition table; the one setter of the state
 * is here, and so is the one function in which a session ends. */
#include "session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "session_int.h"
#include "stats.h"

static const struct {
	const char *name;
	bool is_error;
	const char *text;
} ends[SESSION_END_COUNT] = {
#define X(id, name, is_error, text) [SESSION_END_##id] = { name, is_error, text },
	SESSION_END_LIST(X)
#undef X
};

static_assert(ST_END_INTERNAL - ST_END_QUIT == SESSION_END_INTERNAL - SESSION_END_QUIT &&
	SESSION_END_INTERNAL == SESSION_END_COUNT - 1, "rows of sessions_total");

const char *session_end_name(enum session_end e)
{
	return ends[e].name;
}

void session_id_text(const struct session *s, char out[24])
{
	snprintf(out, 24, "%012llx", (unsigned long long)s->id);
}

void session_log_ctx(const struct session *s)
{
	log_ctx_set_session(s->id, s->msg != NULL ? s->msgs : 0);
}

void session_init(struct session *s, struct session_env *env, uint64_t id,
	const struct net_addr *client, const struct net_addr *local, bool is_trusted)
{
	*s = (struct session){
		.env = env, .id = id, .client = *client, .local = *local, .is_trusted = is_trusted,
		.state = ST_DIAL, .start_ms = env->now_ms,
		.client_since_ms = env->now_ms, .server_since_ms = env->now_ms,
	};
	/* Twice the largest reply: one may wait while the next is complete. */
	buf_init(&s->c_out, 2 * SMTP_REPLY_MAX);
	buf_init(&s->s_out, 4 * SESSION_OUT_HIGH + 2 * SESSION_AUTH_MAX);
	buf_init(&s->c_in, 1u << 20);
	buf_init(&s->banner, SMTP_REPLY_MAX);
	buf_init(&s->s_in, 1u << 20);
	smtp_reply_init(&s->reply);
}

void session_fini(struct session *s)
{
	if (s->job != NULL)
		s->env->ops->scan_cancel(s, &s->job);
	session_mail_free(s);
	session_reply_fini(s);
	session_greet_fini(s);
	smtp_reply_fini(&s->reply);
	buf_fini(&s->c_in);
	buf_fini(&s->c_out);
	buf_fini(&s->s_in);
	buf_fini(&s->s_out);
}

void session_start(struct session *s)
{
	session_log_ctx(s);
	session_log_connect(s);
	s->env->ops->dial(s);
}

void session_refuse(struct session *s, enum session_end why)
{
	session_log_ctx(s);
	session_close(s, why);
}

void session_set_state(struct session *s, enum session_state next)
{
	if (s->state == next)
		return;
	if (log_wants(LC_DEBUG))
		log_debug("state %s -> %s", session_state_name((enum session_state)s->state),
			session_state_name(next));
	s->state = (uint8_t)next;
}

void session_event(struct session *s, enum session_event e)
{
	struct session_step step = session_fsm_step((enum session_state)s->state, e);

	if (step.action == ACT_BAD)
		log_warning("unexpected event=%s state=%s", session_event_name(e),
			session_state_name((enum session_state)s->state));
	/* CLOSE is entered by session_close alone, which knows the reason. */
	if (step.next != ST_CLOSE)
		session_set_state(s, step.next);
	session_act(s, step.action);
}

void session_close(struct session *s, enum session_end why)
{
	const bool is_sent = s->state == ST_DOT;

	if (s->state == ST_CLOSE)
		return;
	session_set_state(s, ST_CLOSE);
	s->end = (uint8_t)why;
	if (ends[why].text != NULL && !s->client_dead)
		session_say(s, ends[why].text);
	s->client_since_ms = s->env->now_ms;
	if (s->job != NULL)
		s->env->ops->scan_cancel(s, &s->job);
	session_drop_server(s);
	if (s->msg != NULL && is_sent)
		session_log_unconfirmed();
	if (s->msg != NULL)
		session_mail_done(s, is_sent ? "unknown" : "aborted");
	stats_add(stats_nth(ST_END_QUIT, why - SESSION_END_QUIT), 1);
	if (!ends[why].is_error)
		stats_add(ST_SESSIONS_DONE, 1);
	session_log_ctx(s);
	session_log_close(s, ends[why].name);
}

void session_drop_server(struct session *s)
{
	s->env->ops->hangup(s);
	s->server_up = false;
	s->direct.left = 0;
	buf_fini(&s->s_out);
}

void session_to_client(struct session *s, const void *p, size_t n)
{
	if (s->client_dead)
		return;
	session_debug(s, SESSION_TO_CLIENT, p, n);
	if (buf_append(&s->c_out, p, n) < 0) {
		s->client_dead = true;
		session_close(s, SESSION_END_MEMORY);
		return;
	}
	s->octets_out += n;
	stats_add(ST_CLIENT_OUT, n);
	s->client_since_ms = s->env->now_ms;
}

void session_to_server(struct session *s, const void *p, size_t n)
{
	session_debug(s, SESSION_TO_SERVER, p, n);
	if (buf_append(&s->s_out, p, n) < 0)
		session_close(s, SESSION_END_MEMORY);
}

void session_say(struct session *s, const char *text)
{
	session_to_client(s, text, strlen(text));
	session_to_client(s, "\r\n", 2);
}

/* Takes what can be taken of p; returns the octets used. */
static size_t consume(struct session *s, const char *p, size_t n)
{
	size_t used = 0;

	while (used < n) {
		size_t k = 0;
		switch ((enum session_state)s->state) {
		case ST_COMMAND:
			k = session_cmd_next(s, p + used, n - used);
			break;
		case ST_AUTH:
			k = session_cmd_auth(s, p + used, n - used);
			break;
		case ST_BODY:
			k = session_mail_input(s, p + used, n - used);
			break;
		case ST_CHUNK:
			k = session_bdat_input(s, p + used, n - used);
			break;
		case ST_ORPHAN:
			k = session_cmd_orphan(s, p + used, n - used);
			break;
		case ST_CLOSE:
			return n;
		default:
			break;
		}
		if (k == 0)
			break;
		used += k;
	}
	return used;
}

/* The client has closed its side and all it sent was read: what is owed to it
 * decides whether the session may end. */
static void check_eof(struct session *s)
{
	/* Commands may still wait for the client to take its replies. */
	bool waits = !buf_is_empty(&s->c_in) && buf_len(&s->c_out) >= SESSION_OUT_HIGH;

	if (!s->client_eof || s->state == ST_CLOSE)
		return;
	if ((s->state == ST_COMMAND && !session_is_owed(s) && !waits) || s->state == ST_ORPHAN)
		session_close(s, SESSION_END_CLIENT_CLOSED);
	else if (s->state == ST_AUTH || s->state == ST_BODY || s->state == ST_CHUNK)
		session_close(s, SESSION_END_CLIENT_CUT);
}

void session_run(struct session *s)
{
	if (s->running)
		return;
	s->running = true;
	while (!buf_is_empty(&s->c_in)) {
		size_t used = consume(s, (const char *)buf_head(&s->c_in), buf_len(&s->c_in));
		if (used == 0)
			break;
		buf_consume(&s->c_in, used);
	}
	buf_trim(&s->c_in);
	s->running = false;
	check_eof(s);
}

void session_client_input(struct session *s, const void *p, size_t n)
{
	size_t used = 0;

	session_log_ctx(s);
	s->octets_in += n;
	stats_add(ST_CLIENT_IN, n);
	if (buf_is_empty(&s->c_in) && !s->running) {
		s->running = true;
		used = consume(s, p, n);
		s->running = false;
	}
	if (used < n && buf_append(&s->c_in, (const char *)p + used, n - used) < 0) {
		session_close(s, SESSION_END_MEMORY);
		return;
	}
	session_run(s);
}

/* Of the 3xx only 354 asks for a message. 334 belongs to AUTH, whose reply is
 * awaited in COMMAND; elsewhere it is no reply, and there are no others. */
static enum session_event reply_event(const struct session *s, int code)
{
	if (code == 421)
		return EV_R421;
	if (code / 100 == 3 && code != 354 && (code != 334 || s->state != ST_COMMAND)) {
		log_warning("server: reply %d out of place", code);
		return EV_GARBAGE;
	}
	return (enum session_event)(EV_R2 + (code / 100 - 2));
}

void session_server_input(struct session *s, const void *p, size_t n)
{
	const char *why;
	size_t used;

	session_log_ctx(s);
	session_send_check(s);
	if (buf_append(&s->s_in, p, n) < 0) {
		session_event(s, EV_GARBAGE);
		return;
	}
	while (s->state != ST_CLOSE && s->server_up) {
		int got = smtp_reply_push(&s->reply, buf_head(&s->s_in), buf_len(&s->s_in), &used,
			&why);
		buf_consume(&s->s_in, used);
		if (got == 0)
			break;
		if (got < 0) {
			log_warning("server: %s", why);
			smtp_reply_reset(&s->reply);
			session_event(s, EV_GARBAGE);
			break;
		}
		s->server_since_ms = s->env->now_ms;
		session_debug(s, SESSION_FROM_SERVER, buf_head(&s->reply.raw), buf_len(&s->reply.raw));
		session_event(s, reply_event(s, s->reply.code));
		smtp_reply_reset(&s->reply);
	}
	if (!s->server_up)
		buf_clear(&s->s_in);
	buf_trim(&s->s_in);
	session_run(s);
}

void session_client_eof(struct session *s)
{
	session_log_ctx(s);
	s->client_eof = true;
	if (buf_is_empty(&s->c_in))
		session_event(s, EV_CLIEOF);
	session_run(s);
}

void session_client_error(struct session *s)
{
	session_log_ctx(s);
	session_send_check(s);
	s->client_eof = s->client_dead = true;
	buf_clear(&s->c_out);
	session_event(s, EV_CLIERR);
	session_run(s);
}

void session_server_gone(struct session *s)
{
	session_log_ctx(s);
	session_send_check(s);
	s->server_up = false;
	smtp_reply_reset(&s->reply); /* half a reply is none */
	session_event(s, EV_GONE);
	session_run(s);
}

void session_on_dial(struct session *s, bool up)
{
	session_log_ctx(s);
	s->server_up = up;
	/* Half a reply of a connection before this one may be left over. */
	smtp_reply_fini(&s->reply);
	smtp_reply_init(&s->reply);
	buf_clear(&s->s_in);
	s->server_since_ms = s->env->now_ms;
	session_event(s, up ? EV_UP : EV_DOWN);
	session_run(s);
}

void session_stop(struct session *s)
{
	session_log_ctx(s);
	session_event(s, EV_STOP);
}

void session_cut(struct session *s)
{
	session_log_ctx(s);
	session_send_check(s);
	session_close(s, SESSION_END_STOPPED);
}

/* When the time of the state runs out; 0: no limit here. */
static long long deadline_ms(const struct session *s, enum session_event *who)
{
	const struct conf_smtp *c = &s->env->conf->smtp;
	long long client = s->client_since_ms + 1000LL * c->timeout_client, data;

	*who = EV_SRVTIME;
	switch ((enum session_state)s->state) {
	case ST_BANNER:
		return s->server_since_ms + 1000LL * c->timeout_banner;
	case ST_COMMAND:
		if (session_is_owed(s))
			break;
		*who = EV_CLITIME;
		if (s->msg == NULL)
			return client;
		data = s->msg->start_ms + 1000LL * c->timeout_data;
		return data < client ? data : client; /* between two chunks */
	case ST_AUTH:
	case ST_ORPHAN:
		*who = EV_CLITIME;
		return client;
	case ST_CHUNK:
	case ST_BODY:
		*who = EV_CLITIME;
		data = (s->msg != NULL ? s->msg->start_ms : s->chunk_start_ms) +
			1000LL * c->timeout_data;
		return data < client ? data : client;
	case ST_DIAL:   /* whoever dials gives up on its own */
	case ST_SCAN:   /* the request has its own deadline */
	case ST_CLOSE:
		return 0;
	default:
		break;
	}
	return s->server_since_ms + 1000LL * c->timeout_server;
}

/* The server took the connection and says nothing. */
static void warn_silent_server(const struct session *s)
{
	static struct log_limit limit;
	const struct conf_smtp *c = &s->env->conf->smtp;

	if (!log_limited(&limit, 10))
		return;
	log_warning("server %s has sent no greeting within timeout_banner (%u s)%s",
		s->server_text[0] != '\0' ? s->server_text : c->server_addr, c->timeout_banner,
		c->server_proxy_protocol == CONF_PROXY_NO ? "; one that waits for a PROXY header "
		"is silent like this: see server_proxy_protocol" : "");
}

void session_tick(struct session *s)
{
	enum session_event who;
	long long when;

	session_send_check(s);
	when = deadline_ms(s, &who);
	if (s->state == ST_CLOSE && s->env->now_ms - s->client_since_ms > SESSION_CLOSE_MS)
		s->client_dead = true; /* it does not take its last reply */
	if (when == 0 || s->env->now_ms < when)
		return;
	session_log_ctx(s);
	if (s->state == ST_BANNER)
		warn_silent_server(s);
	if (who == EV_SRVTIME)
		smtp_reply_reset(&s->reply);
	session_event(s, who);
	session_run(s);
}

void session_server_takes(struct session *s)
{
	s->server_since_ms = s->env->now_ms;
}

void session_on_written(struct session *s)
{
	if (s->state == ST_SEND) {
		session_log_ctx(s);
		session_send_check(s);
		session_send_fill(s);
	} else if (!buf_is_empty(&s->c_in)) {
		session_log_ctx(s);
		session_run(s);
	}
}

bool session_wants_client(const struct session *s)
{
	if (s->client_eof || s->state == ST_CLOSE)
		return false;
	if (s->state == ST_BODY || s->state == ST_CHUNK)
		return true;
	/* Also while nothing can be parsed, a little is read ahead: a reset of
	 * the connection is seen that way. */
	return buf_len(&s->c_in) < SESSION_IN_HIGH && buf_len(&s->c_out) < SESSION_OUT_HIGH;
}

bool session_wants_server(const struct session *s)
{
	return s->server_up && buf_len(&s->c_out) < SMTP_REPLY_MAX;
}
