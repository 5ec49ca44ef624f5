/* session_queue.c - the queue of owed replies.
 *
 * Each command that goes on leaves an entry; each reply of the server answers
 * the oldest one (I7). Replies of our own wait in the same queue, so that a
 * pipelining client gets all of them in order. */
#include <stdlib.h>

#include "session_int.h"

bool session_is_owed(const struct session *s)
{
	return s->queue_len > 0;
}

struct session_pending *session_queue_at(const struct session *s, unsigned i)
{
	return &s->queue[(s->queue_head + i) % s->queue_cap];
}

bool session_queue_is_quit(const struct session *s)
{
	return s->queue_len == 1 && session_queue_at(s, 0)->verb == SMTP_VERB_QUIT;
}

struct session_pending *session_queue_push(struct session *s)
{
	if (s->queue_len == s->queue_cap) {
		unsigned cap = s->queue_cap > 0 ? s->queue_cap * 2 : 4;
		struct session_pending *q = calloc(cap, sizeof *q);
		if (q == NULL)
			return NULL;
		for (unsigned i = 0; i < s->queue_len; i++)
			q[i] = *session_queue_at(s, i);
		free(s->queue);
		s->queue = q;
		s->queue_cap = cap;
		s->queue_head = 0;
	}
	struct session_pending *e = session_queue_at(s, s->queue_len++);
	*e = (struct session_pending){ .verb = SMTP_VERB_UNKNOWN };
	return e;
}

void session_queue_pop(struct session *s)
{
	free(session_queue_at(s, 0)->line);
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
void session_queue_flush(struct session *s)
{
	while (s->queue_len > 0 && session_queue_at(s, 0)->local != NULL) {
		session_say(s, session_queue_at(s, 0)->local);
		session_queue_pop(s);
	}
}

void session_queue_answer(struct session *s, const char *text)
{
	struct session_pending *e = session_queue_push(s);

	if (e == NULL) {
		session_close(s, SESSION_END_MEMORY);
		return;
	}
	e->local = text;
	session_queue_flush(s);
}
