/* server_wait.c - callers that are connected and have not asked yet.
 *
 * Nearly all ask at once; one that does not must not cost a thread. It waits in
 * a list that all threads of the worker share, and whichever thread is free
 * takes it when its packet comes:
 *
 *     accept ─ packet in 2 ms ────────────────────────► served
 *        └─ not yet ─► list, epoll ─ packet, hang-up ──►┘
 *                        └─ time is over, or the list is full: closed
 *
 * One that may not ask waits a moment only, and is told so then: its packet, if it
 * is on its way, must not meet a connection that is closed.
 *
 * The list is in the order of arrival. A descriptor in it belongs to it; who
 * finds it under the lock has it alone. */
#include "server_int.h"

#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define REQUEST_WAIT_MS 10000
#define STRANGER_WAIT_MS 100 /* then it is told no, asked or not */
#define STOP_GRACE_MS 500   /* when the worker stops the packet must be on its way */
#define DRAIN_LOOK_MS 500   /* draining may become stopping, and nothing wakes us */
#define LOG_BURST 3

int server_wait_init(struct server_wait *w)
{
	*w = (struct server_wait){ .ep = epoll_create1(EPOLL_CLOEXEC) };
	if (w->ep < 0)
		return -1;
	pthread_mutex_init(&w->lock, NULL);
	return 0;
}

void server_wait_fini(struct server_wait *w)
{
	for (unsigned i = 0; i < w->n; i++)
		close(w->list[i].conn);
	close(w->ep);
	pthread_mutex_destroy(&w->lock);
}

/* With the lock held. */
static int take_out(struct server_wait *w, unsigned i)
{
	int conn = w->list[i].conn;

	epoll_ctl(w->ep, EPOLL_CTL_DEL, conn, NULL);
	w->n--;
	memmove(&w->list[i], &w->list[i + 1], (w->n - i) * sizeof *w->list);
	return conn;
}

/* Which one must go for one more: who asks at all asks soon, so the one that came
 * first is the least loss, and a stranger is less than that. w->n none has to;
 * the newcomer itself where only it is a stranger. With the lock held. */
static unsigned victim(const struct server_wait *w, bool for_stranger)
{
	unsigned first = w->n, strangers = 0;

	for (unsigned i = w->n; i > 0; i--) {
		if (w->list[i - 1].is_stranger) {
			first = i - 1;
			strangers++;
		}
	}
	if (w->n < SERVER_WAIT_MAX)
		return for_stranger && strangers == SERVER_STRANGERS_MAX ? first : w->n;
	return strangers > 0 || for_stranger ? first : 0;
}

static void add(struct server_wait *w, int conn, bool is_stranger, long long now_ms)
{
	struct server_waiting *e = &w->list[w->n];

	*e = (struct server_waiting){ .conn = conn, .is_stranger = is_stranger, .id = w->next_id++,
		.until_ms = now_ms + (is_stranger ? STRANGER_WAIT_MS : REQUEST_WAIT_MS) };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.u64 = e->id };
	if (epoll_ctl(w->ep, EPOLL_CTL_ADD, conn, &ev) == 0)
		w->n++;
	else
		close(conn);
}

void server_wait_add(struct server_wait *w, int conn, bool is_stranger, long long now_ms)
{
	pthread_mutex_lock(&w->lock);
	const bool is_full = w->n == SERVER_WAIT_MAX;
	const unsigned i = victim(w, is_stranger);
	if (i < w->n)
		close(take_out(w, i));
	if (w->n < SERVER_WAIT_MAX)
		add(w, conn, is_stranger, now_ms);
	else
		close(conn);
	pthread_mutex_unlock(&w->lock);
	if (is_full && log_limited(&w->full, LOG_BURST))
		log_warning("%u callers wait and ask nothing: one is sent away", SERVER_WAIT_MAX);
}

/* A stranger whose time is over; -1 none. */
static int take_stranger(struct server_wait *w, long long now_ms)
{
	int conn = -1;

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->n && conn < 0; i++) {
		if (w->list[i].is_stranger && w->list[i].until_ms <= now_ms)
			conn = take_out(w, i);
	}
	pthread_mutex_unlock(&w->lock);
	return conn;
}

int server_wait_take(struct server_wait *w, long long now_ms)
{
	struct epoll_event ev;
	int conn = take_stranger(w, now_ms);

	if (conn >= 0 || epoll_wait(w->ep, &ev, 1, 0) != 1)
		return conn;
	pthread_mutex_lock(&w->lock);
	/* Not there: its time was over at the same moment. */
	for (unsigned i = 0; i < w->n && conn < 0; i++) {
		if (w->list[i].id == ev.data.u64)
			conn = take_out(w, i);
	}
	pthread_mutex_unlock(&w->lock);
	return conn;
}

bool server_wait_expire(struct server_wait *w, enum server_state state, long long now_ms,
	long long stop_ms, int *timeout_out)
{
	long long first = state == SERVER_RUN ? LLONG_MAX : now_ms + DRAIN_LOOK_MS;

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->n;) {
		long long until_ms = w->list[i].until_ms;
		if (state == SERVER_STOP && until_ms > stop_ms + STOP_GRACE_MS)
			until_ms = stop_ms + STOP_GRACE_MS;
		if (until_ms <= now_ms && !w->list[i].is_stranger) {
			close(take_out(w, i));
			continue;
		}
		if (until_ms < first)
			first = until_ms;
		i++;
	}
	const bool has_any = w->n > 0;
	pthread_mutex_unlock(&w->lock);
	*timeout_out = !has_any ? -1 : first > now_ms ? (int)(first - now_ms) : 0;
	return has_any;
}
