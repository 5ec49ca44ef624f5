/* server_wait.c - connections that nobody serves at the moment.
 *
 * A caller that says nothing must not cost a thread. It waits in a list that
 * all threads of the worker share, and whichever thread is free takes it when
 * its packet comes:
 *
 *     accept ─ packet in 2 ms ─────────────────────────────► served ──► closed
 *        └─ not yet ─► list, epoll ─ packet, hang-up ──────►┘  │ keep=yes
 *                      │   ▲                                    │
 *                      │   └────────────────────────────────────┘
 *                      └─ time is over, the list is full, ...: closed
 *
 * One that may not ask waits a moment only, and is told so then: its packet, if it
 * is on its way, must not meet a connection that is closed. One that has been
 * answered and keeps its connection may be closed at any time: its owner then asks
 * on another, perhaps another worker.
 *
 * The list is in the order of arrival. A descriptor in it belongs to it; who
 * finds it under the lock has it alone. It stays in the epoll, which tells of it
 * once (EPOLLONESHOT) until it is back in the list. */
#include "server_int.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define REQUEST_WAIT_MS 10000
#define KEPT_WAIT_MS 60000  /* for the next request of one that was answered */
#define STRANGER_WAIT_MS 100 /* then it is told no, asked or not */
#define STOP_GRACE_MS 500   /* when the worker stops the packet must be on its way */
#define DRAIN_LOOK_MS 500   /* when leaving: another may have served the last one */
#define LOG_BURST 3

enum { ID_LISTEN, ID_FIRST };

static const unsigned wait_ms[] = { [SERVER_NEWCOMER] = REQUEST_WAIT_MS,
	[SERVER_STRANGER] = STRANGER_WAIT_MS, [SERVER_KEPT] = KEPT_WAIT_MS };

static void on_wake(int sig)
{
	(void)sig; /* it ends epoll_pwait, that is all */
}

int server_wait_init(struct server_wait *w, int listen_fd)
{
	struct sigaction wake = { .sa_handler = on_wake };
	/* Of all workers one is woken for a connection. */
	struct epoll_event listen_ev = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = ID_LISTEN };

	*w = (struct server_wait){ .ep = epoll_create1(EPOLL_CLOEXEC), .next_id = ID_FIRST,
		.look_ms = LLONG_MAX };
	if (w->ep < 0 || epoll_ctl(w->ep, EPOLL_CTL_ADD, listen_fd, &listen_ev) < 0 ||
	    sigaction(SERVER_WAKE, &wake, NULL) < 0 ||
	    pthread_sigmask(SIG_BLOCK, NULL, &w->mask) != 0)
		return -1;
	/* Blocked but for the wait itself, so that none comes too early. */
	sigdelset(&w->mask, SERVER_WAKE);
	pthread_mutex_init(&w->lock, NULL);
	return 0;
}

void server_wait_leave(struct server_wait *w, int listen_fd)
{
	epoll_ctl(w->ep, EPOLL_CTL_DEL, listen_fd, NULL);
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

	w->n--;
	memmove(&w->list[i], &w->list[i + 1], (w->n - i) * sizeof *w->list);
	return conn;
}

/* The first of a kind, or w->n. With the lock held. */
static unsigned first_of(const struct server_wait *w, enum server_kind kind, unsigned *n_out)
{
	unsigned first = w->n;

	*n_out = 0;
	for (unsigned i = w->n; i > 0; i--) {
		if (w->list[i - 1].kind == kind) {
			first = i - 1;
			++*n_out;
		}
	}
	return first;
}

/* Which one must go for one more: one that was answered loses nothing; who asks
 * at all asks soon, so of the others the one that came first is the least loss,
 * and a stranger is less than that. w->n: none has to, or there is only the
 * newcomer itself, a stranger. With the lock held. */
static unsigned victim(const struct server_wait *w, bool for_stranger)
{
	unsigned kept, strangers;

	if (!for_stranger && w->n < SERVER_WAIT_MAX)
		return w->n;
	const unsigned first_kept = first_of(w, SERVER_KEPT, &kept);
	const unsigned first_stranger = first_of(w, SERVER_STRANGER, &strangers);

	if (for_stranger && strangers == SERVER_STRANGERS_MAX)
		return first_stranger;
	if (w->n < SERVER_WAIT_MAX)
		return w->n;
	if (kept > 0)
		return first_kept;
	return strangers > 0 || for_stranger ? first_stranger : 0;
}

/* With the lock held. */
static void add(struct server_wait *w, int conn, enum server_kind kind, long long now_ms)
{
	struct server_waiting *e = &w->list[w->n];

	*e = (struct server_waiting){ .conn = conn, .kind = kind, .id = w->next_id++,
		.until_ms = now_ms + wait_ms[kind] };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.u64 = e->id };
	int rc = epoll_ctl(w->ep, EPOLL_CTL_MOD, conn, &ev);
	if (rc < 0 && errno == ENOENT)
		rc = epoll_ctl(w->ep, EPOLL_CTL_ADD, conn, &ev);
	if (rc < 0) {
		close(conn);
		return;
	}
	if (e->until_ms < atomic_load(&w->look_ms))
		atomic_store(&w->look_ms, e->until_ms);
	w->n++;
}

void server_wait_add(struct server_wait *w, int conn, enum server_kind kind, long long now_ms)
{
	pthread_mutex_lock(&w->lock);
	const bool is_full = w->n == SERVER_WAIT_MAX;
	const unsigned i = victim(w, kind == SERVER_STRANGER);
	const bool has_kept = i < w->n && w->list[i].kind == SERVER_KEPT;
	if (i < w->n)
		close(take_out(w, i));
	if (w->n < SERVER_WAIT_MAX)
		add(w, conn, kind, now_ms);
	else
		close(conn);
	pthread_mutex_unlock(&w->lock);
	if (is_full && !has_kept && log_limited(&w->full, LOG_BURST))
		log_warning("%u callers wait and ask nothing: one is sent away", SERVER_WAIT_MAX);
}

/* A stranger whose time is over; -1 none. */
static int take_stranger(struct server_wait *w, long long now_ms)
{
	int conn = -1;

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->n && conn < 0; i++) {
		if (w->list[i].kind == SERVER_STRANGER && w->list[i].until_ms <= now_ms)
			conn = take_out(w, i);
	}
	pthread_mutex_unlock(&w->lock);
	return conn;
}

static int take_id(struct server_wait *w, uint64_t id, bool *is_stranger_out)
{
	int conn = -1;

	pthread_mutex_lock(&w->lock);
	/* From the end: whoever asks often is there. Not there at all: its time was
	 * over at the same moment. */
	for (unsigned i = w->n; i > 0 && conn < 0; i--) {
		if (w->list[i - 1].id != id)
			continue;
		*is_stranger_out = w->list[i - 1].kind == SERVER_STRANGER;
		conn = take_out(w, i - 1);
	}
	pthread_mutex_unlock(&w->lock);
	return conn;
}

int server_wait_next(struct server_wait *w, int timeout_ms, long long (*now)(void),
	bool *is_new_out, bool *is_stranger_out)
{
	struct epoll_event ev;
	int n = epoll_pwait(w->ep, &ev, 1, timeout_ms, &w->mask);

	*is_new_out = n == 1 && ev.data.u64 == ID_LISTEN;
	*is_stranger_out = true;
	if (n == 1)
		return ev.data.u64 < ID_FIRST ? -1 : take_id(w, ev.data.u64, is_stranger_out);
	return take_stranger(w, now());
}

static bool can_read(int conn)
{
	struct pollfd pf = { .fd = conn, .events = POLLIN };

	return poll(&pf, 1, 0) > 0;
}

/* Closes a kept one, unless it has asked already and is to stay then. With the lock held. */
static bool let_go(struct server_wait *w, unsigned i, bool also_asked)
{
	if (w->list[i].kind != SERVER_KEPT || (!also_asked && can_read(w->list[i].conn)))
		return false;
	close(take_out(w, i));
	return true;
}

void server_wait_let_go(struct server_wait *w, bool also_asked)
{
	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->n;)
		i += !let_go(w, i, also_asked);
	pthread_mutex_unlock(&w->lock);
}

/* Those whose time is over. With the lock held; returns when to look again. */
static long long expire(struct server_wait *w, enum server_state state, long long now_ms,
	long long stop_ms)
{
	long long first = state == SERVER_RUN ? LLONG_MAX : now_ms + DRAIN_LOOK_MS;

	for (unsigned i = 0; i < w->n;) {
		long long until_ms = w->list[i].until_ms;
		if (state == SERVER_STOP && until_ms > stop_ms + STOP_GRACE_MS)
			until_ms = stop_ms + STOP_GRACE_MS;
		if (state != SERVER_RUN && let_go(w, i, false))
			continue;
		if (until_ms <= now_ms && w->list[i].kind != SERVER_STRANGER) {
			close(take_out(w, i));
			continue;
		}
		if (until_ms < first)
			first = until_ms;
		i++;
	}
	return first;
}

bool server_wait_expire(struct server_wait *w, enum server_state state, long long now_ms,
	long long stop_ms, int *timeout_out)
{
	long long first = atomic_load(&w->look_ms);
	bool has_any = true;

	/* Mostly there is nothing to do, which needs no lock. */
	if (state != SERVER_RUN || now_ms >= first) {
		pthread_mutex_lock(&w->lock);
		first = expire(w, state, now_ms, stop_ms);
		atomic_store(&w->look_ms, first);
		has_any = w->n > 0;
		pthread_mutex_unlock(&w->lock);
	}
	*timeout_out = first == LLONG_MAX || !has_any ? -1 :
		first > now_ms ? (int)(first - now_ms) : 0;
	return has_any;
}
