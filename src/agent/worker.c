/* worker.c - a worker process: its threads, what they accept, how they stop.
 *
 * Threads share the constant struct worker and nothing else; the main thread
 * only waits for signals and passes them on through each thread's eventfd. A
 * worker never exits because of a client. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "conf.h"
#include "log.h"
#include "scan_client.h"
#include "stats.h"
#include "worker_int.h"

#define SCANS_PER_THREAD 64
#define ACCEPTS_PER_WAKE 4
#define RESERVE_PER_THREAD ((rlim_t)2 * SCANS_PER_THREAD)  /* a scan's socket, its message */
#define OWN_FDS 5           /* the standard ones, the log's, what listens */
#define FDS_PER_THREAD 4    /* its loop with a pipe for signals, and what wakes it */
#define CUT_MS 250          /* for last replies; supervise.c kills us 250 ms later */
#define CROWD 500u          /* sessions whose memory is worth giving back */

void worker_clock(struct worker_thread *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	t->env.now_us = ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
	t->env.now_ms = t->env.now_us / 1000;
}

static void wall_clock(struct worker_thread *t)
{
	time_t now = time(NULL);
	struct tm tm;

	t->env.wall_s = now;
	if (localtime_r(&now, &tm) != NULL)
		t->env.tz_minutes = (int)(tm.tm_gmtoff / 60);
}

static void drop_event(struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
}

static void set_listening(struct worker_thread *t, bool on)
{
	if (t->listening == on)
		return;
	t->listening = on;
	for (unsigned i = 0; i < t->worker->in.listen->n; i++) {
		if (on)
			event_add(t->ev_listen[i], NULL);
		else
			event_del(t->ev_listen[i]);
	}
}

/* The kernel gives the lowest number that is free: so many are in use. -1 all. */
static int lowest_free(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd; /* cppcheck-suppress deallocret ; the number is what is wanted */
}

/* Some are kept in reserve, a quarter where there are few: sessions that are there
 * must still reach the server, the spool and the scanner. */
static rlim_t without_reserve(rlim_t files, rlim_t own, unsigned threads)
{
	const rlim_t reserve = threads * RESERVE_PER_THREAD, left = files > own ? files - own : 0;

	return files - (reserve < left / 4 ? reserve : left / 4);
}

static int descriptors_for_clients(const struct worker *w)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur > INT_MAX)
		return INT_MAX;
	return (int)without_reserve(rl.rlim_cur, w->fds_own, w->in.conf->smtp.num_thrd);
}

unsigned long worker_sessions(unsigned long files, unsigned threads)
{
	const rlim_t own = OWN_FDS + (rlim_t)FDS_PER_THREAD * threads;

	return files > own ? (unsigned long)(without_reserve(files, own, threads) - own) / 2 : 0;
}

static bool has_descriptors(const struct worker_thread *t)
{
	const int used = lowest_free();

	return used >= 0 && used < t->fds_for_clients;
}

/* The others wait in the kernel's queue, or another worker takes them. */
static void pause_accept(struct worker_thread *t, const char *why)
{
	static struct log_limit limit; /* guarded by its own rules, see log.h */

	if (log_limited(&limit, 5))
		log_error("accept: %s; new clients wait", why);
	t->accept_paused = true;
	set_listening(t, false);
}

static void resume_accept(struct worker_thread *t)
{
	if (!t->accept_paused || t->listen_over || !has_descriptors(t))
		return;
	t->accept_paused = false;
	set_listening(t, true);
}

static void on_listen(evutil_socket_t fd, short what, void *arg)
{
	struct worker_thread *t = arg;

	(void)what;
	worker_clock(t);
	for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
		struct net_addr peer;
		int client = net_accept(fd, &peer);
		if (client >= 0) {
			pair_new(t, client, &peer);
			if (client < t->fds_for_clients)
				continue;
			pause_accept(t, "the descriptors left are for sessions that are open (raise "
				"LimitNOFILE, ulimit -n, or lower max_sessions)");
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ||
		    errno == EINVAL) { /* it listens no more, and is ready for ever */
			pause_accept(t, strerror(errno));
		}
		return;
	}
}

/* For good. The last thread of the process closes the sockets, so that the
 * port is free, or another worker's alone, while sessions still finish. */
static void stop_listening(struct worker_thread *t)
{
	const struct listen_set *l = t->worker->in.listen;

	if (t->listen_over)
		return;
	t->listen_over = true;
	set_listening(t, false);
	for (unsigned i = 0; i < LISTEN_MAX; i++)
		drop_event(&t->ev_listen[i]);
	if (atomic_fetch_sub(&t->worker->listening, 1) != 1)
		return;
	for (unsigned i = 0; i < l->n; i++)
		close(l->l[i].fd);
}

/* Nothing more comes and nothing is left: the loop may end. */
static void check_end(struct worker_thread *t)
{
	if (atomic_load(&t->phase) != WORKER_RUN && t->npairs == 0)
		event_base_loopbreak(t->base);
}

void worker_pair_gone(struct worker_thread *t)
{
	resume_accept(t);
	check_end(t);
}

static void each_pair(struct worker_thread *t, void (*fn)(struct pair *))
{
	for (struct pair *p = t->pairs, *next; p != NULL; p = next) {
		next = p->next; /* fn may free p, and only p */
		fn(p);
	}
}

/* A storm is over: what its sessions took goes back to the system, which the C
 * library does of its own accord only for the end of its heap. */
static void give_memory_back(struct worker_thread *t)
{
	if (t->npairs > t->npairs_high)
		t->npairs_high = t->npairs;
	if (t->npairs_high < CROWD || t->npairs > t->npairs_high / 4)
		return;
	t->npairs_high = t->npairs;
#ifdef HAVE_MALLOC_TRIM
	malloc_trim(0);
#endif
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker_thread *t = arg;

	(void)fd;
	(void)what;
	worker_clock(t);
	wall_clock(t);
	t->env.scan_inline_max = scan_client_inline_max(t->scan);
	each_pair(t, pair_tick);
	give_memory_back(t);
	t->fds_for_clients = descriptors_for_clients(t->worker);
	resume_accept(t);
	check_end(t);
}

/* A timer that is due already: sockets get their turn before it. */
void worker_want_turn(struct worker_thread *t)
{
	const struct timeval now = { 0, 0 };

	if (!event_pending(t->ev_turn, EV_TIMEOUT, NULL) && event_add(t->ev_turn, &now) < 0)
		log_error("no memory for a timer"); /* each tick asks again, by pair_update */
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct worker_thread *t = arg;

	(void)fd;
	(void)what;
	worker_clock(t);
	each_pair(t, pair_turn);
	check_end(t);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct worker_thread *t = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof n) < 0)
		return;
	worker_clock(t);
	stop_listening(t);
	const int phase = atomic_load(&t->phase);
	if (phase >= WORKER_STOP)
		each_pair(t, phase == WORKER_STOP ? pair_stop : pair_cut);
	check_end(t);
}

static int thread_init(struct worker_thread *t, struct worker *w, unsigned number)
{
	const struct conf *c = w->in.conf;
	const struct timeval second = { 1, 0 };

	*t = (struct worker_thread){ .worker = w, .number = number, .wake_fd = -1 };
	t->env = (struct session_env){
		.conf = c, .hostname = w->hostname, .ops = &pair_ops,
		.spool = { .dir = c->smtp.spool_dir,
			.message_memory = c->smtp.spool_message_memory,
			.memory_max = c->smtp.spool_memory_max,
			.min_free = c->smtp.spool_min_free },
	};
	struct event_config *ec = event_config_new();
	slab_init(&t->slab, sizeof(struct pair));
	if (ec == NULL)
		return -1;
	/* A loop and all its events belong to one thread: no locks. */
	event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK);
	t->base = event_base_new_with_config(ec);
	event_config_free(ec);
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->base == NULL || t->wake_fd < 0)
		return -1;
	t->scan = scan_client_new(t->base, c->smtp.daemon_sock_path, SCANS_PER_THREAD);
	t->ev_wake = event_new(t->base, t->wake_fd, EV_READ | EV_PERSIST, on_wake, t);
	t->ev_tick = event_new(t->base, -1, EV_PERSIST, on_tick, t);
	t->ev_turn = event_new(t->base, -1, 0, on_turn, t);
	if (t->scan == NULL || t->ev_wake == NULL || t->ev_tick == NULL || t->ev_turn == NULL)
		return -1;
	t->env.scan_inline_max = scan_client_inline_max(t->scan);
	for (unsigned i = 0; i < w->in.listen->n; i++) {
		t->ev_listen[i] = event_new(t->base, w->in.listen->l[i].fd, EV_READ | EV_PERSIST,
			on_listen, t);
		if (t->ev_listen[i] == NULL)
			return -1;
	}
	if (event_add(t->ev_wake, NULL) < 0 || event_add(t->ev_tick, &second) < 0)
		return -1;
	worker_clock(t);
	wall_clock(t);
	set_listening(t, true);
	return 0;
}

static void thread_fini(struct worker_thread *t)
{
	each_pair(t, pair_free);
	for (unsigned i = 0; i < LISTEN_MAX; i++)
		drop_event(&t->ev_listen[i]);
	drop_event(&t->ev_wake);
	drop_event(&t->ev_tick);
	drop_event(&t->ev_turn);
	if (t->scan != NULL)
		scan_client_free(&t->scan);
	if (t->base != NULL)
		event_base_free(t->base);
	slab_fini(&t->slab);
	/* wake_fd stays open: the main thread may still write to it, and would hit
	 * whatever had its number by then. */
}

static void *thread_main(void *arg)
{
	struct worker_thread *t = arg;

	stats_thread(t->worker->in.slot, t->number);
	event_base_dispatch(t->base);
	thread_fini(t);
	return NULL;
}

static void tell(struct worker_thread *threads, unsigned n, enum worker_phase phase)
{
	const uint64_t one = 1;

	for (unsigned i = 0; i < n; i++) {
		atomic_store(&threads[i].phase, (int)phase);
		if (write(threads[i].wake_fd, &one, sizeof one) < 0)
			log_error("wake-up: %m");
	}
}

/* How many of the threads have not ended by now? */
static unsigned join_ended(pthread_t *ids, bool *joined, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!joined[i] && pthread_tryjoin_np(ids[i], NULL) == 0)
			joined[i] = true;
		left += !joined[i];
	}
	return left;
}

static long long monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Waits for signals and for the threads to end after one. 0 all have ended,
 * -1 the time is over, also for a last reply: threads may still run. */
static int wait_signals(const struct worker *w, struct worker_thread *threads, pthread_t *ids,
	bool *joined, unsigned n)
{
	const struct timespec poll_time = { 0, 50000000 };
	enum worker_phase phase = WORKER_RUN;
	long long until = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	for (;;) {
		int sig = phase == WORKER_RUN ? sigwaitinfo(&set, NULL) :
			sigtimedwait(&set, NULL, &poll_time);
		if (sig == SIGTERM && phase < WORKER_STOP) {
			phase = WORKER_STOP;
			until = monotonic_ms() + 1000LL * w->in.conf->smtp.timeout_stop;
			tell(threads, n, phase);
		} else if (sig == SIGUSR2 && phase == WORKER_RUN) {
			phase = WORKER_DRAIN;
			tell(threads, n, phase);
		}
		if (phase != WORKER_RUN && join_ended(ids, joined, n) == 0)
			return 0;
		if (phase < WORKER_STOP || monotonic_ms() < until)
			continue;
		if (phase == WORKER_CUT)
			return -1;
		log_warning("sessions did not finish within timeout_stop: they are told 421");
		phase = WORKER_CUT;
		until += CUT_MS;
		tell(threads, n, phase);
	}
}

static int read_networks(const char *option, const char *text, struct cidrs *out)
{
	char why[128];

	if (net_cidrs_parse(text, &out->list, &out->n, why, sizeof why) == 0)
		return 0;
	log_error("%s: %s", option, why);
	return -1;
}

static int worker_init(struct worker *w, const struct worker_inherit *in)
{
	const struct conf_smtp *c = &in->conf->smtp;

	*w = (struct worker){ .in = *in, .listening = c->num_thrd };
	if (read_networks("trusted_networks", c->trusted_networks, &w->trusted) < 0 ||
	    read_networks("client_networks", c->client_networks, &w->allowed) < 0 ||
	    read_networks("listen_proxy_protocol", c->listen_proxy_protocol, &w->balancers) < 0 ||
	    read_networks("debug_clients", c->debug_clients, &w->debugged) < 0)
		return -1;
	if (gethostname(w->hostname, sizeof w->hostname - 1) < 0)
		strcpy(w->hostname, "localhost");
	return 0;
}

int worker_run(const struct worker_inherit *in)
{
	unsigned n = in->conf->smtp.num_thrd;
	struct worker_thread *threads = calloc(n, sizeof *threads);
	pthread_t *ids = calloc(n, sizeof *ids);
	bool *joined = calloc(n, sizeof *joined);
	struct worker w;
	unsigned started = 0;

	signal(SIGPIPE, SIG_IGN); /* sendfile has no MSG_NOSIGNAL */
	/* -Wanalyzer-malloc-leak: the process ends */
	if (threads == NULL || ids == NULL || joined == NULL || worker_init(&w, in) < 0)
		return 1;
	for (unsigned i = 0; i < n; i++) {
		if (thread_init(&threads[i], &w, i) < 0) {
			/* -Wanalyzer-malloc-leak: the process ends */
			log_error("thread %u: %m", i);
			return 1;
		}
	}
	/* Where none is left just now nobody knows; the reserve is rather too large then. */
	const int own = lowest_free();
	w.fds_own = own >= 0 ? (unsigned)own : 0;
	for (unsigned i = 0; i < n; i++)
		threads[i].fds_for_clients = descriptors_for_clients(&w);
	for (; started < n; started++) {
		int err = pthread_create(&ids[started], NULL, thread_main, &threads[started]);
		if (err != 0) {
			log_error("thread %u: %s", started, strerror(err));
			return 1;
		}
	}
	if (wait_signals(&w, threads, ids, joined, n) < 0)
		_exit(1); /* threads still run: nothing may be freed under them */
	for (unsigned i = 0; i < n; i++)
		close(threads[i].wake_fd);
	free(w.trusted.list);
	free(w.debugged.list);
	free(w.allowed.list);
	free(w.balancers.list);
	free(joined);
	free(ids);
	free(threads);
	return 0;
}
