/* supervise.c - a parent that keeps num workers alive, see supervise.h.
 *
 *     LIVE --HUP--> DRAIN --drain_ms, TERM--> STOP --stop_ms--> KILLED --> gone
 *       \_____________________________________/ TERM
 *
 * Owns the table of children by slot and, for each position of the live
 * generation, when its next worker may start. One loop waits for signals (by
 * signalfd), the owner's extra descriptor and the next deadline; nothing here
 * blocks or polls. Only the children it started are waited for, so that the
 * owner may have helpers of its own. It counts what becomes of workers, and
 * answers on the status socket. Must not start threads. */
#include "supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "str.h"
#include "service.h"
#include "stats.h"
#include "status_sock.h"

#define YOUNG_MS 1000
#define BACKOFF_MS 1000
#define BACKOFF_MAX_MS 10000
#define TICK_MS 1000
#define KILL_MARGIN_MS 3000    /* for a worker that stops just in time, and gets no turn */
#define KILL_WAIT_MS 2000      /* for the dead to be reaped after USR1 */
#define NO_SLOT (-1)

enum wstate { W_FREE, W_LIVE, W_DRAIN, W_STOP, W_KILLED };

struct worker {                /* by slot */
	pid_t pid;
	enum wstate state;
	unsigned pos;          /* of the live generation, while W_LIVE */
	long long started_ms;
	long long deadline_ms; /* of the state; W_LIVE has none */
};

struct position {
	int slot;              /* worker in it, or NO_SLOT */
	unsigned young;        /* deaths in a row that were young */
	long long start_ms;    /* when the next may start */
};

struct sup {
	struct supervise_cfg *cfg;
	int sigfd;
	struct worker *workers;
	unsigned nslots;
	struct position *pos;
	unsigned npos;
	long long tick_ms;
	bool is_stopping, is_killed, wants_reload;
	bool is_extra_quiet;   /* hung up and nobody took care: not before the tick */
	bool is_status_quiet;  /* nobody can be answered: the same */
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void watched_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
	sigaddset(set, SIGHUP);
}

void supervise_block_signals(void)
{
	sigset_t set;

	watched_signals(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* Ignored by whoever started us, children would vanish unreaped. The others
	 * come to a signalfd although they are ignored. */
	signal(SIGCHLD, SIG_DFL);
	/* Children, too, are to see what a write was refused for, and not to end by it
	 * with all their sessions: a reader of stderr that has ended, where the log goes
	 * with --foreground, or a limit of the size of files (ulimit -f). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

unsigned supervise_slots(unsigned num)
{
	return 2 * num;
}

/* --- children ------------------------------------------------------------ */

__attribute__((noreturn))
static void child_run(struct sup *s, unsigned slot)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		signal(ours[i], SIG_DFL);
	watched_signals(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	close(s->sigfd);
	if (s->cfg->extra_fd != -1)
		close(s->cfg->extra_fd);
	if (s->cfg->status != NULL)
		unix_sock_close(s->cfg->status);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the threads of run have ended */
	exit(s->cfg->cb->run(s->cfg->ctx, slot));
}

static int free_slot(const struct sup *s)
{
	for (unsigned i = 0; i < s->nslots; i++) {
		if (s->workers[i].state == W_FREE)
			return (int)i;
	}
	return NO_SLOT;
}

static unsigned backoff_ms(const struct sup *s, unsigned young)
{
	unsigned first = s->cfg->backoff_ms != 0 ? s->cfg->backoff_ms : BACKOFF_MS;
	unsigned most = s->cfg->backoff_max_ms != 0 ? s->cfg->backoff_max_ms : BACKOFF_MAX_MS;
	unsigned ms = first;

	if (young < 2) /* the first restart is immediate */
		return 0;
	for (unsigned i = 2; i < young && ms < most; i++)
		ms *= 2;
	return ms < most ? ms : most;
}

static void start_worker(struct sup *s, unsigned pos)
{
	int slot = free_slot(s);

	if (slot == NO_SLOT)
		return; /* asked again as soon as one is reaped */
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		child_run(s, (unsigned)slot);
	if (pid < 0) {
		log_error("%s %u: fork: %s", s->cfg->what, pos, strerror(errno));
		s->pos[pos].start_ms = now_ms() + backoff_ms(s, 2);
		return;
	}
	s->pos[pos].slot = slot;
	s->workers[slot] = (struct worker){ .pid = pid, .state = W_LIVE, .pos = pos,
		.started_ms = now_ms() };
	if (s->cfg->cb->on_start != NULL)
		s->cfg->cb->on_start(s->cfg->ctx, (unsigned)slot, pid);
	log_info("%s %u started, pid %ld", s->cfg->what, pos, (long)pid);
}

static void start_due(struct sup *s)
{
	if (s->is_stopping || s->is_killed)
		return;
	for (unsigned i = 0; i < s->npos; i++) {
		if (s->pos[i].slot == NO_SLOT && s->pos[i].start_ms <= now_ms())
			start_worker(s, i);
	}
}

static const char *death_text(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		str_copy(out, size, "by its filter: it made a system call that it may not make");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		snprintf(out, size, "with status %d", WEXITSTATUS(status));
	return out;
}

/* A worker died that should live: when may the next one start? */
static void plan_restart(struct sup *s, const struct worker *w, unsigned slot, int status)
{
	const struct supervise_cfg *c = s->cfg;
	struct position *p = &s->pos[w->pos];
	unsigned young_ms = c->young_ms != 0 ? c->young_ms : YOUNG_MS;
	char how[80];
	unsigned wait_ms = 0;

	if (c->cb->is_proven != NULL && c->cb->is_proven(c->ctx, slot)) {
		p->young = 0;
	} else if (now_ms() - w->started_ms < young_ms) {
		p->young++;
		wait_ms = backoff_ms(s, p->young);
	}
	p->slot = NO_SLOT;
	p->start_ms = now_ms() + wait_ms;
	stats_parent_add(ST_RESTARTS, 1);
	if (wait_ms == 0)
		log_warning("%s %u (pid %ld) ended %s, it is replaced at once", c->what, w->pos,
			(long)w->pid, death_text(status, how, sizeof how));
	else
		log_error("%s %u (pid %ld) ended %s, %u times in a row right after its start: "
			"next try in %u ms", c->what, w->pos, (long)w->pid,
			death_text(status, how, sizeof how), p->young, wait_ms);
}

static void worker_gone(struct sup *s, unsigned slot, int status)
{
	struct worker w = s->workers[slot];
	char how[80];

	s->workers[slot].state = W_FREE;
	if (w.state == W_LIVE)
		plan_restart(s, &w, slot, status);
	else
		log_info("%s (pid %ld) ended %s", s->cfg->what, (long)w.pid,
			death_text(status, how, sizeof how));
	if (s->cfg->cb->on_exit != NULL)
		s->cfg->cb->on_exit(s->cfg->ctx, slot, w.pid, status);
	stats_slot_end(slot); /* the dead have nothing open */
}

static void reap(struct sup *s)
{
	for (unsigned i = 0; i < s->nslots; i++) {
		int status;
		if (s->workers[i].state != W_FREE &&
		    waitpid(s->workers[i].pid, &status, WNOHANG) == s->workers[i].pid)
			worker_gone(s, i, status);
	}
}

static unsigned count_workers(const struct sup *s, bool only_old)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->nslots; i++) {
		if (s->workers[i].state != W_FREE && !(only_old && s->workers[i].state == W_LIVE))
			n++;
	}
	return n;
}

/* --- what signals ask for ------------------------------------------------ */

static void worker_signal(struct worker *w, int sig, enum wstate state, long long deadline_ms)
{
	kill(w->pid, sig);
	w->state = state;
	w->deadline_ms = deadline_ms;
}

static void worker_stop(struct sup *s, struct worker *w)
{
	worker_signal(w, SIGTERM, W_STOP, now_ms() + s->cfg->stop_ms + KILL_MARGIN_MS);
}

static void stop_begin(struct sup *s)
{
	if (s->is_stopping)
		return; /* asking twice does not shorten anybody's time */
	s->is_stopping = true;
	log_info("stopping");
	service_stopping();
	if (s->cfg->cb->stopping != NULL)
		s->cfg->cb->stopping(s->cfg->ctx);
	for (unsigned i = 0; i < s->nslots; i++) {
		if (s->workers[i].state == W_LIVE || s->workers[i].state == W_DRAIN)
			worker_stop(s, &s->workers[i]);
	}
}

static void kill_all(struct sup *s)
{
	log_info("stopping at once");
	service_stopping();
	s->is_killed = true;
	for (unsigned i = 0; i < s->nslots; i++) {
		if (s->workers[i].state != W_FREE)
			worker_signal(&s->workers[i], SIGKILL, W_KILLED, 0);
	}
	long long end_ms = now_ms() + KILL_WAIT_MS;
	while (count_workers(s, false) > 0 && now_ms() < end_ms) {
		reap(s);
		if (count_workers(s, false) > 0)
			poll(NULL, 0, 5);
	}
}

static int table_size(struct sup *s, unsigned num)
{
	unsigned nslots = supervise_slots(num);

	if (nslots > s->nslots) {
		struct worker *w = realloc(s->workers, nslots * sizeof *w);
		if (w == NULL)
			return -1;
		memset(w + s->nslots, 0, (nslots - s->nslots) * sizeof *w);
		s->workers = w;
		s->nslots = nslots;
	}
	struct position *p = realloc(s->pos, num * sizeof *p);
	if (p == NULL)
		return -1;
	s->pos = p;
	s->npos = num;
	for (unsigned i = 0; i < num; i++)
		s->pos[i] = (struct position){ .slot = NO_SLOT };
	return 0;
}

/* The live generation becomes the old one. */
static void drain_begin(struct sup *s, const unsigned *old_slots, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = &s->workers[old_slots[i]];
		worker_signal(w, SIGUSR2, W_DRAIN, now_ms() + s->cfg->drain_ms);
	}
}

/* What is new is taken in by whoever owns it. 0, -1 everything stays. */
static int ask_for_new(struct sup *s, bool is_reload, unsigned *num_io)
{
	if (!is_reload)
		return s->cfg->cb->refresh(s->cfg->ctx);
	return s->cfg->cb->reload != NULL ? s->cfg->cb->reload(s->cfg->ctx, num_io) : -1;
}

/* 0; -1 everything stays as it was. */
static int reload_now(struct sup *s, bool is_reload)
{
	unsigned num = s->cfg->num, n = 0;
	unsigned *old = calloc(s->nslots, sizeof *old);

	if (old == NULL || ask_for_new(s, is_reload, &num) < 0) {
		free(old);
		return -1;
	}
	for (unsigned i = 0; i < s->nslots; i++) {
		if (s->workers[i].state == W_LIVE)
			old[n++] = i;
	}
	if (num == 0 || table_size(s, num) < 0) {
		log_error("reload: no memory for %u %ss, the old ones stay", num, s->cfg->what);
		free(old);
		return -1;
	}
	s->cfg->num = num;
	stats_parent_generation();
	/* First the new ones, so that somebody accepts all the time. */
	for (unsigned i = 0; i < n; i++)
		s->workers[old[i]].state = W_DRAIN;
	start_due(s);
	drain_begin(s, old, n);
	free(old);
	return 0;
}

static void count_reload(bool is_reload, int result)
{
	if (is_reload)
		stats_parent_add(result < 0 ? ST_RELOADS_FAILED : ST_RELOADS, 1);
	else
		stats_parent_add(result < 0 ? ST_REFRESHES_FAILED : ST_REFRESHES, 1);
	if (is_reload && result == 0)
		stats_parent_set(ST_CONFIG, (uint64_t)time(NULL));
}

static void say_ready(const struct sup *s, int reloaded)
{
	service_ready("%u %s%s%s", s->cfg->num, s->cfg->what, s->cfg->num == 1 ? "" : "s",
		reloaded < 0 ? "; the reload failed, what held before it holds" : "");
}

/* The slots are taken while predecessors drain: what cannot wait for their end
 * hurries them; the present ones go on serving. */
static void hurry_old(struct sup *s)
{
	for (unsigned i = 0; i < s->nslots; i++) {
		if (s->workers[i].state == W_DRAIN)
			worker_stop(s, &s->workers[i]);
	}
}

static void reload_request(struct sup *s)
{
	if (!s->wants_reload)
		service_reloading();
	s->wants_reload = true;
	hurry_old(s);
}

static void on_signals(struct sup *s)
{
	struct signalfd_siginfo si;

	while (read(s->sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
		switch (si.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			stop_begin(s);
			break;
		case SIGUSR1:
			kill_all(s);
			return;
		case SIGHUP:
			if (!s->is_stopping)
				reload_request(s);
			break;
		default: /* SIGCHLD: reaped below; SIGUSR2 means nothing here */
			break;
		}
	}
}

/* --- time ---------------------------------------------------------------- */

static void on_deadlines(struct sup *s)
{
	for (unsigned i = 0; i < s->nslots; i++) {
		struct worker *w = &s->workers[i];
		if ((w->state != W_DRAIN && w->state != W_STOP) || w->deadline_ms > now_ms())
			continue;
		if (w->state == W_DRAIN) {
			worker_stop(s, w);
		} else {
			log_warning("%s (pid %ld) did not stop in time, it is killed", s->cfg->what,
				(long)w->pid);
			worker_signal(w, SIGKILL, W_KILLED, 0);
		}
	}
}

static long long earlier(long long a, long long b)
{
	return a < b ? a : b;
}

static int wait_time(const struct sup *s)
{
	long long next = s->tick_ms + TICK_MS;

	for (unsigned i = 0; i < s->nslots; i++) {
		if (s->workers[i].state == W_DRAIN || s->workers[i].state == W_STOP)
			next = earlier(next, s->workers[i].deadline_ms);
	}
	for (unsigned i = 0; i < s->npos && !s->is_stopping && free_slot(s) != NO_SLOT; i++) {
		if (s->pos[i].slot == NO_SLOT)
			next = earlier(next, s->pos[i].start_ms);
	}
	next -= now_ms();
	return next < 0 ? 0 : (int)next;
}

static void call_tick(struct sup *s, bool fd_ready)
{
	if (s->cfg->cb->tick != NULL)
		s->cfg->cb->tick(s->cfg->ctx, fd_ready);
}

static void on_extra(struct sup *s, short revents)
{
	int fd = s->cfg->extra_fd;

	call_tick(s, true);
	/* An end of file that its owner leaves there would make us spin. */
	if ((revents & POLLIN) == 0 && s->cfg->extra_fd == fd)
		s->is_extra_quiet = true;
}

static void count_states(const struct sup *s)
{
	const unsigned all = count_workers(s, false), leaving = count_workers(s, true);

	stats_parent_set(ST_WORKERS, all - leaving);
	stats_parent_set(ST_WORKERS_LEAVING, leaving);
}

static void wait_once(struct sup *s)
{
	const struct unix_sock *status = s->cfg->status;
	struct pollfd p[3] = { { .fd = s->sigfd, .events = POLLIN },
		{ .fd = s->is_extra_quiet ? -1 : s->cfg->extra_fd, .events = POLLIN },
		{ .fd = status == NULL || s->is_status_quiet ? -1 : status->fd, .events = POLLIN } };

	count_states(s);
	if (poll(p, 3, wait_time(s)) > 0) {
		if (p[0].revents != 0)
			on_signals(s);
		if (p[1].revents != 0 && !s->is_killed)
			on_extra(s, p[1].revents);
		if (p[2].revents != 0 && !s->is_killed)
			s->is_status_quiet = !status_sock_serve(status);
	}
	if (now_ms() - s->tick_ms >= TICK_MS && !s->is_killed) {
		s->tick_ms = now_ms();
		s->is_extra_quiet = s->is_status_quiet = false;
		stats_parent_tick(s->tick_ms);
		call_tick(s, false);
	}
}

/* One generation at a time: slots are for two. */
static void renew(struct sup *s)
{
	const bool is_reload = s->wants_reload, is_due = s->cfg->is_stale || s->cfg->is_broken;

	if ((!is_reload && !is_due) || s->is_stopping)
		return;
	if (s->cfg->is_broken)
		hurry_old(s);
	if (count_workers(s, true) > 0)
		return;
	const bool was_broken = s->cfg->is_broken;
	s->wants_reload = s->cfg->is_stale = s->cfg->is_broken = false;
	int rc = reload_now(s, is_reload), refreshed = rc;
	/* The configuration was not taken; what workers share is renewed all the same. */
	if (rc < 0 && is_reload && is_due)
		refreshed = reload_now(s, false);
	/* Workers with what is broken cannot stay: once more, when there is memory. */
	if (refreshed < 0 && was_broken)
		s->cfg->is_broken = true;
	count_reload(is_reload, rc);
	if (is_reload)
		say_ready(s, rc);
}

static int open_signals(struct sup *s)
{
	sigset_t set;

	watched_signals(&set);
	sigaddset(&set, SIGCHLD);
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->sigfd < 0 ? -1 : 0;
}

int supervise_run(struct supervise_cfg *cfg)
{
	struct sup s = { .cfg = cfg, .sigfd = -1 };
	int status = 1;

	if (open_signals(&s) < 0 || cfg->num == 0 || table_size(&s, cfg->num) < 0) {
		log_error("%ss cannot be started: %s", cfg->what, strerror(errno));
		goto out;
	}
	s.tick_ms = now_ms();
	stats_parent_tick(s.tick_ms);
	start_due(&s);
	say_ready(&s, 0);
	while (!s.is_killed && !(s.is_stopping && count_workers(&s, false) == 0)) {
		wait_once(&s);
		if (s.is_killed)
			break;
		reap(&s);
		on_deadlines(&s);
		renew(&s);
		start_due(&s);
	}
	status = 0;
out:
	if (s.sigfd >= 0)
		close(s.sigfd);
	free(s.workers);
	free(s.pos);
	return status;
}
