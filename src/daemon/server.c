/* server.c - a worker of esets_daemon: its threads and how they end.
 *
 * Threads wait together (server_wait.c) for new connections and for requests on
 * those that are there; one of them is woken, and serves it. The main thread
 * only waits for signals: threads leave when it says so, and the last ones are
 * given up when their time is over.
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
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "stats.h"
#include "task.h"

#define CANCEL_WAIT_MS 250   /* for tasks to notice that they are given up */
#define NO_FDS_WAIT_MS 100
#define PACKET_WAIT_MS 2
#define LONG_MS 20           /* a scan that others should not wait for */
#define LOG_BURST 3
#define STACK_OCTETS (8u << 20)   /* of which 100 levels of a scan take most */
#define REST_MS 10000        /* between two looks at memory that lies idle */

struct server_thread {
	struct server_pool *pool;
	unsigned index;
	pthread_t main;      /* told when the thread ends */
	pthread_t self;
	unsigned char *mem;  /* SCAN_PACKET_MAX octets */
	_Atomic long long since_ms;  /* it serves since then; 0 it waits */
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

/* Are all threads at work, and one of them for long? Then what others keep here
 * would wait behind that while another worker may rest. */
static bool is_stuck(const struct server_pool *p, long long now)
{
	bool has_long = false;

	for (unsigned i = 0; i < p->cfg->threads; i++) {
		long long since = atomic_load_explicit(&p->thread[i].since_ms, memory_order_relaxed);
		if (since == 0)
			return false;
		has_long |= now - since >= LONG_MS;
	}
	return has_long;
}

void server_relieve(struct server_pool *p, long long now_ms, bool also_asked)
{
	if (!p->cfg->is_alone && atomic_load(&p->state) == SERVER_RUN && is_stuck(p, now_ms))
		server_wait_let_go(&p->wait, also_asked);
}

static void serve_conn(struct server_thread *t, int conn, bool is_stranger)
{
	struct server_pool *p = t->pool;
	const long long now = now_ms();

	atomic_store_explicit(&t->since_ms, now, memory_order_relaxed);
	server_relieve(p, now, false);
	bool keep = server_conn_serve(p, conn, is_stranger, t->mem);
	atomic_store_explicit(&t->since_ms, 0, memory_order_relaxed);
	if (keep && atomic_load(&p->state) == SERVER_RUN)
		server_wait_add(&p->wait, conn, SERVER_KEPT, now_ms());
	else
		close(conn);
}

/* Takes one connection if there is one. */
static void accept_one(struct server_thread *t)
{
	struct server_pool *p = t->pool;
	struct net_addr peer;

	int conn = net_accept(p->cfg->listen_fd, &peer);
	if (conn >= 0) {
		bool is_stranger = !server_conn_is_allowed(p, conn);
		if (can_read(conn))
			serve_conn(t, conn, is_stranger);
		else
			server_wait_add(&p->wait, conn, is_stranger ? SERVER_STRANGER :
				SERVER_NEWCOMER, now_ms());
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		/* Out of descriptors or memory: the connection stays in the queue and
		 * would wake us without end. */
		if (log_limited(&p->no_fds, LOG_BURST))
			log_error("accept: %s", strerror(errno));
		poll(NULL, 0, NO_FDS_WAIT_MS);
	}
}

/* One wake-up, or some callers' time is over. False: nobody waits. */
static bool serve_once(struct server_thread *t)
{
	struct server_pool *p = t->pool;
	int timeout_ms;
	bool has_waiting = server_wait_expire(&p->wait, (enum server_state)atomic_load(&p->state),
		now_ms(), atomic_load(&p->stop_ms), &timeout_ms);

	if (!has_waiting && atomic_load(&p->state) != SERVER_RUN)
		return false;
	bool is_new, is_stranger;
	int conn = server_wait_next(&p->wait, timeout_ms, now_ms, &is_new, &is_stranger);
	if (is_new)
		accept_one(t);
	else if (conn >= 0)
		serve_conn(t, conn, is_stranger);
	return true;
}

static void serve(struct server_thread *t)
{
	struct server_pool *p = t->pool;

	while (atomic_load(&p->state) == SERVER_RUN)
		serve_once(t);
	server_wait_leave(&p->wait, p->cfg->listen_fd);
	/* A wake-up that this thread swallowed on its way out was the only one
	 * for its connection: nobody else would look before the next comes. */
	if (atomic_load(&p->state) == SERVER_DRAIN)
		accept_one(t);
	/* Whom this worker has accepted nobody else can serve. */
	while (serve_once(t))
		;
}

static void *thread_main(void *arg)
{
	struct server_thread *t = arg;
	struct server_pool *p = t->pool;

	t->mem = malloc(SCAN_PACKET_MAX);
	stats_thread(p->cfg->slot, t->index + 1);
	if (t->mem != NULL)
		serve(t);
	else
		log_error("a thread cannot start: %s", strerror(errno));
	free(t->mem);
	atomic_fetch_sub(&p->running, 1);
	pthread_kill(t->main, SIGUSR2);
	return NULL;
}

/* --- the worker ---------------------------------------------------------- */

static void threads_start(struct server_pool *p)
{
	pthread_attr_t attr;

	/* Without it the limit that the caller happened to have (ulimit -s) decides. */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_OCTETS);
	for (unsigned i = 0; i < p->cfg->threads; i++) {
		struct server_thread *t = &p->thread[i];
		t->pool = p;
		t->index = i;
		t->main = pthread_self();
		atomic_fetch_add(&p->running, 1);
		int rc = pthread_create(&t->self, &attr, thread_main, t);
		if (rc != 0) {
			atomic_fetch_sub(&p->running, 1);
			log_error("thread %u of %u: %s", i, p->cfg->threads, strerror(rc));
			break;
		}
		p->nthreads++;
	}
	pthread_attr_destroy(&attr);
}

static void leave(struct server_pool *p, enum server_state state)
{
	if (state == SERVER_STOP)
		atomic_store(&p->stop_ms, now_ms());
	atomic_store(&p->state, (int)state);
	for (unsigned i = 0; i < p->nthreads; i++)
		pthread_kill(p->thread[i].self, SERVER_WAKE);
}

/* Waits for a signal until end_ms, at most REST_MS. -1: none. */
static int wait_signal(long long end_ms)
{
	long long left = end_ms != 0 ? end_ms - now_ms() : REST_MS;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	left = left < 0 ? 0 : left > REST_MS ? REST_MS : left;
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
		if (sig < 0)
			task_mem_rest();
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

	/* A caller may be gone when the answer is written, an engine too. */
	signal(SIGPIPE, SIG_IGN);
	pool.thread = calloc(cfg->threads, sizeof *pool.thread);
	if (pool.thread == NULL || server_wait_init(&pool.wait, cfg->listen_fd) < 0) {
		log_error("worker: %s", strerror(errno));
		free(pool.thread);
		return 1;
	}
	threads_start(&pool);
	int status = pool.nthreads == cfg->threads ? 0 : 1;
	if (status != 0)
		leave(&pool, SERVER_DRAIN);
	supervise_threads(&pool);
	unsigned left = atomic_load(&pool.running);
	for (unsigned i = 0; i < pool.nthreads; i++) {
		if (left == 0)
			pthread_join(pool.thread[i].self, NULL);
		else
			pthread_tryjoin_np(pool.thread[i].self, NULL);
	}
	if (left > 0) {
		/* They use pool and the heap: nothing may be torn down under them. */
		log_warning("%u scans were still at work and are given up", left);
		_exit(0);
	}
	server_wait_fini(&pool.wait);
	free(pool.thread);
	return status;
}
