/* session_send.c - one message on its way to the server.
 *
 * The spool with what this proxy adds at its places, dot-stuffed; a BINARYMIME
 * message as one chunk of BDAT instead, since it has no lines. What lies in a
 * descriptor and needs no dots goes out of there directly (session_direct). Nothing is sent
 * beyond what the server takes: the rest waits in the spool. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_int.h"

#define FILL_CHUNK (32u << 10)

static void send_end(struct session *s)
{
	const char *end = smtp_stuff_end(&s->msg->stuff);

	if (!s->msg->is_binary)
		session_to_server(s, end, strlen(end));
	s->server_since_ms = s->env->now_ms;
	s->msg->end_queued = true;
}

/* The server's word on the message counts from when all of it has left us: a
 * reply before that is no reply to it. */
void session_send_check(struct session *s)
{
	if (s->state != ST_SEND || !s->msg->end_queued || session_has_output(s))
		return;
	session_log_ctx(s);
	session_event(s, EV_SENT);
}

bool session_end_is_queued(const struct session *s)
{
	return s->msg != NULL && s->msg->end_queued;
}

/* A spool that can't be read any more must not become a short message: the
 * connection is cut before the dot (I3). */
static void spool_broken(struct session *s)
{
	log_error("spool_dir: %s: a message cannot be read back: %m", s->env->spool.dir);
	s->reply.code = 0;
	session_event(s, EV_GARBAGE);
}

/* Octets of the message to the server, stuffed where it has lines. */
static bool give(struct session *s, const void *p, size_t n)
{
	struct session_msg *m = s->msg;
	unsigned char *room = buf_reserve(&s->s_out, 2 * n);

	if (room == NULL) {
		session_close(s, SESSION_END_MEMORY);
		return false;
	}
	if (m->is_binary)
		memcpy(room, p, n); /* -Wanalyzer-null-argument: there are n octets at p */
	buf_commit(&s->s_out, m->is_binary ? n : smtp_stuff_push(&m->stuff, p, n, (char *)room));
	s->server_since_ms = s->env->now_ms;
	return true;
}

/* Gives up to max octets of the spool. False: none were given, the session
 * has gone on elsewhere. */
static bool give_spool(struct session *s, uint64_t max)
{
	struct session_msg *m = s->msg;
	char chunk[FILL_CHUNK];
	ssize_t n = spool_read(m->spool, m->sent, chunk, max < sizeof chunk ? max : sizeof chunk);

	if (n <= 0) {
		if (n == 0)
			errno = EIO; /* shorter than it was */
		spool_broken(s);
		return false;
	}
	m->sent += (uint64_t)n;
	return give(s, chunk, (size_t)n);
}

static bool may_go_directly(const struct session_msg *m)
{
	return spool_raw_fd(m->spool) >= 0 && (m->is_binary || !m->dot.has_dot_lines);
}

/* The same by the descriptor. Only its last octets are looked at: they say whether
 * a line ends there. */
static bool give_directly(struct session *s, uint64_t n)
{
	struct session_msg *m = s->msg;
	char tail[2], room[4];
	const size_t k = n < sizeof tail ? 1 : sizeof tail;

	if (spool_read(m->spool, m->sent + n - k, tail, k) != (ssize_t)k) {
		spool_broken(s);
		return false;
	}
	smtp_stuff_push(&m->stuff, tail, k, room);
	s->direct = (struct session_direct){ spool_raw_fd(m->spool), m->sent, n };
	m->sent += n;
	s->server_since_ms = s->env->now_ms;
	return true;
}

void session_direct_sent(struct session *s, size_t n)
{
	session_log_ctx(s);
	s->direct.at += n;
	s->direct.left -= n;
	s->server_since_ms = s->env->now_ms;
	if (n == 0) {
		errno = EIO; /* shorter than it was */
		s->direct.left = 0;
		spool_broken(s);
	}
}

void session_send_begin(struct session *s)
{
	s->server_since_ms = s->env->now_ms;
	if (!s->msg->is_binary) {
		session_to_server(s, "DATA\r\n", 6);
		return;
	}
	session_set_state(s, ST_SEND);
	session_send_fill(s);
}

static bool send_head(struct session *s)
{
	struct session_msg *m = s->msg;
	char line[64];

	smtp_stuff_init(&m->stuff);
	if (session_head_make(s) < 0) {
		session_close(s, SESSION_END_MEMORY);
		return false;
	}
	if (m->is_binary) {
		snprintf(line, sizeof line, "BDAT %llu LAST\r\n",
			(unsigned long long)buf_len(&m->head.text) + spool_size(m->spool));
		session_to_server(s, line, strlen(line));
	}
	return s->state == ST_SEND;
}

void session_send_fill(struct session *s)
{
	struct session_msg *m = s->msg;
	struct session_head *h = &m->head;

	if (!h->made && !send_head(s))
		return;
	while (s->state == ST_SEND && !m->end_queued && s->direct.left == 0 &&
	       buf_len(&s->s_out) < SESSION_OUT_HIGH) {
		const uint64_t stop = h->next < h->n ? h->at[h->next] : spool_size(m->spool);
		if (m->sent < stop) {
			if (!(may_go_directly(m) ? give_directly(s, stop - m->sent) :
			      give_spool(s, stop - m->sent)))
				return;
		} else if (h->next < h->n) {
			const size_t n = h->len[h->next++];
			if (n > 0 && !give(s, buf_head(&h->text), n))
				return;
			buf_consume(&h->text, n);
		} else {
			send_end(s);
		}
	}
}
