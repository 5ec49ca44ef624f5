/* login_brake.c - a wrong password is answered late, see wwwi_int.h. The answer needs
 * no memory but its place here; whether the client is still there does not matter. */
#include "wwwi_int.h"

#include <event2/event.h>
#include <stdlib.h>

struct held {
	struct event *timer;
	struct evhttp_request *in;   /* NULL: free */
};

struct login_brake {
	struct held held[LOGIN_HELD_MAX];
};

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct held *h = arg;
	struct evhttp_request *in = h->in;

	(void)fd;
	(void)what;
	h->in = NULL;
	web_http_text(in, 401, LOGIN_TEXT);
}

struct login_brake *login_brake_new(struct event_base *base)
{
	struct login_brake *b = calloc(1, sizeof *b);

	for (unsigned i = 0; b != NULL && i < LOGIN_HELD_MAX; i++) {
		b->held[i].timer = evtimer_new(base, on_due, &b->held[i]);
		if (b->held[i].timer == NULL)
			login_brake_free(&b);
	}
	return b;
}

void login_brake_free(struct login_brake **b)
{
	struct login_brake *p = *b;

	if (p == NULL)
		return;
	*b = NULL;
	for (unsigned i = 0; i < LOGIN_HELD_MAX; i++)
		if (p->held[i].timer != NULL)
			event_free(p->held[i].timer);
	free(p);
}

void login_brake_refuse(struct login_brake *b, struct evhttp_request *in)
{
	const struct timeval late = { .tv_sec = LOGIN_HELD_S };

	for (unsigned i = 0; i < LOGIN_HELD_MAX; i++)
		if (b->held[i].in == NULL && evtimer_add(b->held[i].timer, &late) == 0) {
			b->held[i].in = in;
			return;
		}
	web_http_text(in, 429, "too many wrong passwords at once: try again in a second");
}
