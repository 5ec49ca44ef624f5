/* server.c - a worker of esets_daemon: its threads and how they end.
 *
 * Every thread waits for the shared listening socket in an epoll of its own,
 * exclusively, so that one connection wakes one thread of all workers. A
 * caller that has not asked yet waits apart (server_wait.c), where any thread
 * of its worker finds it. The main thread only waits for signals: threads leave
 * when stop_fd becomes readable, and the last ones are given up when their time
 * is over.
 *
 *     RUN --USR2--> DRAIN --TERM--> STOP       RUN --TERM--> STOP
 *
 * Must not interpret requests; that is server_conn.c. */
#include "server_int.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "stats.h"

#define CANCEL_WAIT_MS 250   /* for tasks to notice that they are given up */
#define NO_FDS_WAIT_MS 100
#define PACKET_WAIT_MS 2
#define LOG_BURST 3

struct thread_arg {
	struct server_pool *pool;
	unsigned index;
	pthread_t main;      /* told when the thread ends */
	pthread_t self;
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- a thread ------------------------------------------------------------ */

/* There is something to read, or the caller has gone. Its packet comes right
 * behind its connection: that moment is cheaper than to wait apart. */
static bool can_read(int conn)
{
	struct pollfd pf = { .fd = conn, .events = POLLIN };

	return poll(&pf, 1, PACKET_WAIT_MS) > 0;
}

/* Takes one connection if there is one. */
static void accept_one(struct server_pool *p, unsigned char *mem)
{
	struct pollfd pf = { .fd = p->stop_fd, .events = POLLIN };
	struct net_addr peer;

	int conn = net_accept(p->cfg->listen_fd, &peer);
	if (conn >= 0 && can_read(conn)) {
		server_conn_serve(p, conn, mem);
	} else if (conn >= 0) {
		server_wait_add(&p->wait, conn, !server_conn_is_allowed(p, conn), now_ms());
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		/* Out of descriptors or memory: the connection stays in the queue and
		 * would wake us without end. */
		if (log_limited(&p->no_fds, LOG_BURST))
			log_error("accept: %s", strerror(errno));
		poll(&pf, 1, NO_FDS_WAIT_MS);
	}
}

static int watch_open(const struct server_pool *p)
{
	struct epoll_event listen_ev = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = -1 };
	struct epoll_event stop_ev = { .events = EPOLLIN, .data.fd = p->stop_fd };
	struct epoll_event wait_ev = { .events = EPOLLIN, .data.fd = p->wait.ep };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep < 0)
		return -1;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, p->cfg->listen_fd, &listen_ev) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, p->stop_fd, &stop_ev) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, p->wait.ep, &wait_ev) < 0) {
		close(ep);
		return -1;
	}
	return ep;
}

/* A caller that waited and whose turn has come. */
static void take_waiting(struct server_pool *p, unsigned char *mem)
{
	int conn = server_wait_take(&p->wait, now_ms());

	if (conn >= 0)
		server_conn_serve(p, conn, mem);
}

/* One wake-up, or some callers' time is over. False: nobody waits apart. */
static bool serve_once(struct server_pool *p, int ep, unsigned char *mem)
{
	struct epoll_event ev[3];
	int timeout_ms;
	bool has_waiting = server_wait_expire(&p->wait, (enum server_state)atomic_load(&p->state),
		now_ms(), atomic_load(&p->stop_ms), &timeout_ms);

	if (!has_waiting && atomic_load(&p->state) != SERVER_RUN)
		return false;
	bool has_new = false, has_input = false;
	int n = epoll_wait(ep, ev, 3, timeout_ms);
	for (int i = 0; i < n; i++) {
		has_new |= ev[i].data.fd == -1;
		has_input |= ev[i].data.fd == p->wait.ep;
	}
	/* In this order: nobody else was woken for the new one. */
	if (has_new)
		accept_one(p, mem);
	if (has_input || n == 0)
		take_waiting(p, mem);
	return true;
}

static void serve(struct server_pool *p, int ep, unsigned char *mem)
{
	while (atomic_load(&p->state) == SERVER_RUN)
		serve_once(p, ep, mem);
	epoll_ctl(ep, EPOLL_CTL_DEL, p->cfg->listen_fd, NULL);
	epoll_ctl(ep, EPOLL_CTL_DEL, p->stop_fd, NULL);
	/* A wake-up that this thread swallowed on its way out was the only one
	 * for its connection: nobody else would look before the next comes. */
	if (atomic_load(&p->state) == SERVER_DRAIN)
		accept_one(p, mem);
	/* Whom this worker has accepted nobody else can serve. */
	while (serve_once(p, ep, mem))
		;
}

static void *thread_main(void *arg)
{
	struct thread_arg *t = arg;
	struct server_pool *p = t->pool;
	unsigned char *mem = malloc(SCAN_PACKET_MAX);
	int ep = watch_open(p);

	stats_thread(p->cfg->slot, t->index);
	if (mem != NULL && ep >= 0)
		serve(p, ep, mem);
	else
		log_error("a thread cannot start: %s", strerror(errno));
	if (ep >= 0)
		close(ep);
	free(mem);
	atomic_fetch_sub(&p->running, 1);
	pthread_kill(t->main, SIGUSR2);
	return NULL;
}

/* --- the worker ---------------------------------------------------------- */

static unsigned threads_start(struct server_pool *p, struct thread_arg *args)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->cfg->threads; i++) {
		args[n] = (struct thread_arg){ .pool = p, .index = i, .main = pthread_self() };
		atomic_fetch_add(&p->running, 1);
		int rc = pthread_create(&args[n].self, NULL, thread_main, &args[n]);
		if (rc != 0) {
			atomic_fetch_sub(&p->running, 1);
			log_error("thread %u of %u: %s", i, p->cfg->threads, strerror(rc));
			break;
		}
		n++;
	}
	return n;
}

static void leave(struct server_pool *p, enum server_state state)
{
	uint64_t one = 1;

	if (state == SERVER_STOP)
		atomic_store(&p->stop_ms, now_ms());
	atomic_store(&p->state, (int)state);
	ssize_t rc = write(p->stop_fd, &one, sizeof one);
	(void)rc; /* it can only fail by being readable already */
}

/* Waits for a signal until end_ms (0: without end). 0: none. */
static int wait_signal(long long end_ms)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	if (end_ms == 0)
		return sigwaitinfo(&set, NULL);
	long long left = end_ms - now_ms();
	if (left < 0)
		left = 0;
	struct timespec ts = { .tv_sec = (time_t)(left / 1000),
		.tv_nsec = (long)(left % 1000 * 1000000) };
	return sigtimedwait(&set, NULL, &ts);
}

/* Obeys signals until all threads have ended, or their time is over. */
static void supervise_threads(struct server_pool *p)
{
	long long end_ms = 0; /* 0: no order to leave yet */

	while (atomic_load(&p->running) > 0) {
		int sig = wait_signal(end_ms);
		int state = atomic_load(&p->state);
		if (sig == SIGTERM && state != SERVER_STOP) {
			leave(p, SERVER_STOP);
			end_ms = now_ms() + p->cfg->stop_ms;
		} else if (sig == SIGUSR2 && state == SERVER_RUN) {
			/* From the master, or a thread that could not start: without it
			 * the worker is not whole, and a new one may fare better. */
			leave(p, SERVER_DRAIN);
			end_ms = now_ms() + p->cfg->drain_ms;
		} else if (end_ms != 0 && now_ms() >= end_ms) {
			if (atomic_exchange(&p->cancel, true))
				return;
			end_ms = now_ms() + CANCEL_WAIT_MS;
		}
	}
}

int server_run(const struct server_cfg *cfg)
{
	struct server_pool pool = { .cfg = cfg };
	struct thread_arg *args = calloc(cfg->threads, sizeof *args);

	/* A caller may be gone when the answer is written, an engine too. */
	signal(SIGPIPE, SIG_IGN);
	pool.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (args == NULL || pool.stop_fd < 0 || server_wait_init(&pool.wait) < 0) {
		log_error("worker: %s", strerror(errno));
		free(args);
		return 1;
	}
	unsigned n = threads_start(&pool, args);
	int status = n == cfg->threads ? 0 : 1;
	if (status != 0)
		leave(&pool, SERVER_DRAIN);
	supervise_threads(&pool);
	unsigned left = atomic_load(&pool.running);
	for (unsigned i = 0; i < n; i++) {
		if (left == 0)
			pthread_join(args[i].self, NULL);
		else
			pthread_tryjoin_np(args[i].self, NULL);
	}
	if (left > 0) {
		/* They use pool and the heap: nothing may be torn down under them. */
		log_warning("%u scans were still at work and are given up", left);
		_exit(0);
	}
	server_wait_fini(&pool.wait);
	close(pool.stop_fd);
	free(args);
	return status;
}
