/* check_supervise.c - the parent of the workers, with real children.
 *
 * Each test forks a parent that runs supervise_run; it and its workers write
 * what happens into shared memory, the test sends signals and looks. */
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"
#include "unit.h"

#define STARTS_MAX 200

enum mode {
	MODE_OBEY,        /* leaves on TERM and on USR2 */
	MODE_STUBBORN,    /* ignores everything but SIGKILL */
	MODE_LONG_DRAIN,  /* leaves on TERM only */
	MODE_CRASH,       /* exits at once */
	MODE_HELPED       /* the parent also has a helper of its own */
};

struct start {
	_Atomic pid_t pid;
	_Atomic unsigned slot;
	_Atomic long long at_ms;
	_Atomic int got;          /* signal it left by */
	_Atomic bool is_clean;    /* descriptors and signals as promised */
};

struct shared {
	_Atomic unsigned nstarts, nexits, nreloads, nrefreshes, nticks, ntold, nready, nstopping, nproven;
	_Atomic unsigned reload_num;  /* 0: the reload fails */
	_Atomic bool is_proven, is_stale, is_broken, refresh_fails;
	_Atomic int mode;
	_Atomic bool helper_reaped;
	struct start starts[STARTS_MAX];
	struct { pid_t pid; unsigned slot; } told[STARTS_MAX];   /* of starts, to the parent */
};

static struct shared *sh;
static int extra[2] = { -1, -1 };
static pid_t parent;
static pid_t helper;

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* --- what runs in parent and workers --- */

/* Blocked: the five; PIPE ignored; everything else open and at its default; no
 * signalfd. */
static bool child_is_clean(void)
{
	static const int blocked[] = { SIGTERM, SIGUSR2, SIGHUP, SIGINT, SIGUSR1 };
	sigset_t set;
	struct sigaction sa;
	char name[64], link[64];

	sigprocmask(SIG_SETMASK, NULL, &set);
	for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) {
		if (sigismember(&set, blocked[i]) != 1)
			return false;
	}
	if (sigismember(&set, SIGCHLD) != 0 || sigismember(&set, SIGPIPE) != 0)
		return false;
	if (sigaction(SIGPIPE, NULL, &sa) < 0 || sa.sa_handler != SIG_IGN)
		return false;
	if (extra[0] != -1 && fcntl(extra[0], F_GETFD) >= 0)
		return false;
	for (int fd = 3; fd < 64; fd++) {
		snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(name, link, sizeof link - 1);
		if (n > 0 && memmem(link, (size_t)n, "signalfd", 8) != NULL)
			return false;
	}
	return true;
}

static int wait_order(int mode, struct start *me)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			return 9;
		me->got = sig;
		if (mode == MODE_OBEY || (mode == MODE_LONG_DRAIN && sig == SIGTERM))
			return 0;
	}
}

static int run(void *ctx, unsigned slot)
{
	unsigned n = atomic_fetch_add(&sh->nstarts, 1);
	struct start *me = &sh->starts[n < STARTS_MAX ? n : STARTS_MAX - 1];

	(void)ctx;
	me->slot = slot;
	me->at_ms = now_ms();
	me->is_clean = child_is_clean();
	me->pid = getpid();
	if (proc_die_with_parent(parent) < 0)
		return 8;
	if (sh->mode == MODE_CRASH)
		return 3;
	return wait_order(sh->mode, me);
}

static int reload(void *ctx, unsigned *num)
{
	(void)ctx;
	sh->nreloads++;
	if (sh->reload_num == 0)
		return -1;
	*num = sh->reload_num;
	return 0;
}

static int refresh(void *ctx)
{
	(void)ctx;
	sh->nrefreshes++;
	return sh->refresh_fails ? -1 : 0;
}

static bool is_proven(void *ctx, unsigned slot)
{
	(void)ctx;
	(void)slot;
	sh->nproven++;
	return sh->is_proven;
}

static void on_start_worker(void *ctx, unsigned slot, pid_t pid)
{
	unsigned n = sh->ntold++;

	(void)ctx;
	sh->told[n < STARTS_MAX ? n : 0].pid = pid;
	sh->told[n < STARTS_MAX ? n : 0].slot = slot;
}

static void on_exit_worker(void *ctx, unsigned slot, pid_t pid, int status)
{
	(void)ctx;
	(void)slot;
	(void)pid;
	(void)status;
	sh->nexits++;
}

static void tick(void *ctx, bool fd_ready)
{
	char c;

	if (fd_ready) {
		sh->nready++;
		/* At the end of file nothing is taken away: a careless owner. */
		ssize_t rc = read(extra[0], &c, 1);
		(void)rc;
	} else {
		sh->nticks++;
	}
	((struct supervise_cfg *)ctx)->is_stale |= atomic_exchange(&sh->is_stale, false);
	((struct supervise_cfg *)ctx)->is_broken |= atomic_exchange(&sh->is_broken, false);
	if (helper > 0 && waitpid(helper, NULL, WNOHANG) == helper)
		sh->helper_reaped = true;
}

static void stopping(void *ctx)
{
	(void)ctx;
	sh->nstopping++;
}

static const struct supervise_cb cb = { .run = run, .reload = reload, .refresh = refresh, .is_proven = is_proven,
	.on_start = on_start_worker, .on_exit = on_exit_worker, .tick = tick, .stopping = stopping };

/* --- what the test does --- */

static pid_t begin(struct supervise_cfg cfg, enum mode mode)
{
	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(sh, MAP_FAILED);
	sh->mode = (int)(mode == MODE_HELPED ? MODE_OBEY : mode);
	cfg.what = "worker";
	cfg.cb = &cb;
	cfg.extra_fd = extra[0];
	pid_t pid = fork();
	if (pid == 0) {
		cfg.ctx = &cfg;
		struct log_cfg log = { -1, 0, false, false };
		log_open("check_supervise", &log);
		signal(SIGCHLD, SIG_IGN); /* as some starters leave it */
		supervise_block_signals();
		parent = getpid();
		if (extra[1] != -1)
			close(extra[1]); /* the test's end */
		if (mode == MODE_HELPED && (helper = fork()) == 0)
			_exit(0);
		_exit(supervise_run(&cfg));
	}
	return pid;
}

#define WAIT_FOR(cond)                                                  \
	do {                                                            \
		long long end_ = now_ms() + 5000;                       \
		while (!(cond) && now_ms() < end_)                      \
			sleep_ms(2);                                    \
		ck_assert_msg(cond, "waited in vain: %s", #cond);       \
	} while (0)

static unsigned alive_from(unsigned first, unsigned n)
{
	unsigned alive = 0;

	for (unsigned i = first; i < first + n; i++)
		alive += sh->starts[i].pid > 0 && kill(sh->starts[i].pid, 0) == 0;
	return alive;
}

static unsigned slot_told(pid_t pid)
{
	for (unsigned i = 0; i < sh->ntold && i < STARTS_MAX; i++) {
		if (sh->told[i].pid == pid)
			return sh->told[i].slot;
	}
	return UINT_MAX;
}

/* All of the first n have started and said so. */
static bool have_started(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (sh->starts[i].pid == 0)
			return false;
	}
	return true;
}

/* Waits for the parent's end; checks that it left nobody behind. */
static void expect_end(pid_t pid, int exit_status)
{
	int status = -1;
	long long end = now_ms() + 8000;

	while (waitpid(pid, &status, WNOHANG) == 0 && now_ms() < end)
		sleep_ms(2);
	ck_assert_msg(WIFEXITED(status), "status %x", (unsigned)status);
	ck_assert_int_eq(WEXITSTATUS(status), exit_status);
	unsigned n = sh->nstarts;
	ck_assert_uint_eq(alive_from(0, n < STARTS_MAX ? n : STARTS_MAX), 0);
}

START_TEST(test_start_and_term)
{
	struct supervise_cfg cfg = { .num = 3, .stop_ms = 2000, .drain_ms = 2000 };
	pid_t pid = begin(cfg, MODE_OBEY);

	WAIT_FOR(have_started(3));
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(sh->starts[i].is_clean);
		ck_assert_uint_lt(sh->starts[i].slot, supervise_slots(3));
		for (unsigned k = 0; k < i; k++)
			ck_assert_uint_ne(sh->starts[i].slot, sh->starts[k].slot);
	}
	kill(pid, _i == 0 ? SIGTERM : SIGINT);
	expect_end(pid, 0);
	ck_assert_uint_eq(sh->nstarts, 3);
	ck_assert_uint_eq(sh->ntold, 3);
	ck_assert_uint_eq(sh->nexits, 3);
	ck_assert_uint_eq(sh->nstopping, 1);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(sh->starts[i].got, SIGTERM);
		ck_assert_uint_eq(slot_told(sh->starts[i].pid), sh->starts[i].slot);
	}
}
END_TEST

START_TEST(test_replace_at_once)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 2000, .drain_ms = 2000 };
	pid_t pid = begin(cfg, MODE_OBEY);

	WAIT_FOR(have_started(2));
	long long at = now_ms();
	kill(sh->starts[0].pid, SIGKILL);
	WAIT_FOR(sh->starts[2].pid != 0);
	ck_assert_int_lt(sh->starts[2].at_ms - at, 900);
	ck_assert_uint_eq(sh->starts[2].slot, sh->starts[0].slot);
	ck_assert_uint_eq(alive_from(1, 2), 2);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
	ck_assert_uint_eq(sh->nstarts, 3);
	ck_assert_uint_eq(sh->nproven, 1); /* asked for the one that died alone */
}
END_TEST

START_TEST(test_young_back_off)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 500, .drain_ms = 500,
		.young_ms = 30000, .backoff_ms = 60, .backoff_max_ms = 200 };
	static const int least[] = { 0, 60, 120, 200, 200 };
	pid_t pid = begin(cfg, MODE_CRASH);

	WAIT_FOR(have_started(6));
	for (unsigned i = 0; i < 5; i++) {
		long long gap = sh->starts[i + 1].at_ms - sh->starts[i].at_ms;
		ck_assert_int_ge(gap, least[i] - 2);
		ck_assert_int_lt(gap, least[i] + 1000);
	}
	/* The parent is not held up by a worker that waits for its turn. */
	long long at = now_ms();
	kill(pid, SIGTERM);
	expect_end(pid, 0);
	ck_assert_int_lt(now_ms() - at, 3000);
}
END_TEST

/* young, young, proven: the row starts afresh. */
START_TEST(test_proven_resets)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 500, .drain_ms = 500,
		.young_ms = 30000, .backoff_ms = 2000, .backoff_max_ms = 2000 };
	static const bool proven[] = { false, true, true, true, false, false };
	static const bool waits[] = { false, false, false, false, false, true };
	pid_t pid = begin(cfg, MODE_OBEY);

	for (unsigned i = 0; i < 6; i++) {
		WAIT_FOR(have_started(i + 1));
		sh->is_proven = proven[i];
		kill(sh->starts[i].pid, SIGKILL);
	}
	WAIT_FOR(have_started(7));
	for (unsigned i = 0; i < 6; i++) {
		long long gap = sh->starts[i + 1].at_ms - sh->starts[i].at_ms;
		ck_assert_msg(waits[i] ? gap >= 1998 : gap < 1500, "%u: %lld ms", i, gap);
	}
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

/* One that lived longer is not young, proven or not. */
START_TEST(test_old_enough)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 500, .drain_ms = 500,
		.young_ms = 30, .backoff_ms = 5000, .backoff_max_ms = 5000 };
	pid_t pid = begin(cfg, MODE_OBEY);

	for (unsigned i = 0; i < 4; i++) {
		WAIT_FOR(have_started(i + 1));
		sleep_ms(60);
		kill(sh->starts[i].pid, SIGKILL);
	}
	WAIT_FOR(have_started(5));
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

START_TEST(test_stubborn_is_killed)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 300, .drain_ms = 300 };
	pid_t pid = begin(cfg, MODE_STUBBORN);

	WAIT_FOR(have_started(2));
	long long at = now_ms();
	kill(pid, SIGTERM);
	WAIT_FOR(sh->starts[0].got == SIGTERM);
	kill(pid, SIGTERM); /* again: shortens nothing */
	kill(pid, SIGINT);
	kill(pid, SIGHUP); /* too late for that */
	expect_end(pid, 0);
	ck_assert_int_ge(now_ms() - at, 300);
	ck_assert_int_lt(now_ms() - at, 6000);
	ck_assert_uint_eq(sh->nstopping, 1);
	ck_assert_uint_eq(sh->nreloads, 0);
	ck_assert_uint_eq(sh->nstarts, 2);
}
END_TEST

START_TEST(test_usr1)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 60000, .drain_ms = 60000 };
	pid_t pid = begin(cfg, MODE_STUBBORN);

	WAIT_FOR(have_started(2));
	if (_i == 1) { /* also in the middle of a stop */
		kill(pid, SIGTERM);
		WAIT_FOR(sh->starts[1].got == SIGTERM);
	}
	long long at = now_ms();
	kill(pid, SIGUSR1);
	expect_end(pid, 0);
	ck_assert_int_lt(now_ms() - at, 5000);
}
END_TEST

START_TEST(test_parent_killed)
{
	struct supervise_cfg cfg = { .num = 3, .stop_ms = 60000, .drain_ms = 60000 };
	pid_t pid = begin(cfg, MODE_STUBBORN);
	int status;

	WAIT_FOR(have_started(3));
	sleep_ms(20); /* until they have asked to die with it */
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	WAIT_FOR(alive_from(0, 3) == 0);
}
END_TEST

START_TEST(test_reload)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 2000, .drain_ms = 5000 };
	pid_t pid = begin(cfg, MODE_OBEY);

	WAIT_FOR(have_started(2));
	sh->reload_num = 3;
	kill(pid, SIGHUP);
	WAIT_FOR(have_started(5));
	WAIT_FOR(alive_from(0, 2) == 0);
	ck_assert_int_eq(sh->starts[0].got, SIGUSR2);
	ck_assert_int_eq(sh->starts[1].got, SIGUSR2);
	for (unsigned i = 2; i < 5; i++) {
		ck_assert_uint_lt(sh->starts[i].slot, supervise_slots(3));
		for (unsigned k = 0; k < i; k++)
			ck_assert_uint_ne(sh->starts[i].slot, sh->starts[k].slot);
	}
	/* Less, and a dead one of the new generation is replaced. */
	sh->reload_num = 1;
	kill(pid, SIGHUP);
	WAIT_FOR(have_started(6));
	WAIT_FOR(alive_from(0, 5) == 0);
	kill(sh->starts[5].pid, SIGKILL);
	WAIT_FOR(have_started(7));
	sleep_ms(50);
	ck_assert_uint_eq(sh->nstarts, 7);
	ck_assert_uint_eq(sh->nreloads, 2);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

START_TEST(test_reload_fails)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 2000, .drain_ms = 5000 };
	pid_t pid = begin(cfg, MODE_OBEY);

	WAIT_FOR(have_started(2));
	kill(pid, SIGHUP);
	WAIT_FOR(sh->nreloads == 1);
	sleep_ms(50);
	ck_assert_uint_eq(alive_from(0, 2), 2);
	ck_assert_uint_eq(sh->nstarts, 2);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

/* What tick finds to be stale is taken in once; a failure changes nothing. */
START_TEST(test_refresh)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 2000, .drain_ms = 5000 };
	pid_t pid = begin(cfg, MODE_OBEY);

	WAIT_FOR(have_started(2));
	sh->is_stale = true;
	WAIT_FOR(have_started(4));
	WAIT_FOR(alive_from(0, 2) == 0);
	ck_assert_int_eq(sh->starts[0].got, SIGUSR2);
	sh->refresh_fails = true;
	sh->is_stale = true;
	WAIT_FOR(sh->nrefreshes == 2);
	sleep_ms(50);
	ck_assert_uint_eq(sh->nstarts, 4);
	ck_assert_uint_eq(alive_from(2, 2), 2);
	ck_assert_uint_eq(sh->nreloads, 0);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

/* What is stale waits until the predecessors have drained; what is broken does not. */
START_TEST(test_refresh_broken)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 2000, .drain_ms = 60000 };
	pid_t pid = begin(cfg, MODE_LONG_DRAIN);

	WAIT_FOR(have_started(1));
	sh->is_broken = true;
	WAIT_FOR(have_started(2));
	WAIT_FOR(sh->starts[0].got == SIGUSR2);
	unsigned ticks = sh->nticks;
	sh->is_stale = true;
	WAIT_FOR(sh->nticks >= ticks + 2);
	ck_assert_uint_eq(sh->nrefreshes, 1);
	ck_assert_uint_eq(alive_from(0, 2), 2);
	sh->is_broken = true;
	WAIT_FOR(have_started(3));
	ck_assert_int_eq(sh->starts[0].got, SIGTERM);
	ck_assert_uint_eq(alive_from(0, 1), 0);
	WAIT_FOR(sh->starts[1].got == SIGUSR2);
	ck_assert_uint_eq(sh->nrefreshes, 2);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

/* Without memory for others, workers with what is broken are replaced later. */
START_TEST(test_refresh_broken_fails)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 2000, .drain_ms = 5000 };
	pid_t pid = begin(cfg, MODE_OBEY);

	WAIT_FOR(have_started(1));
	sh->refresh_fails = true;
	sh->is_broken = true;
	WAIT_FOR(sh->nrefreshes >= 2);
	ck_assert_uint_eq(sh->nstarts, 1);
	sh->refresh_fails = false;
	WAIT_FOR(have_started(2));
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

/* A configuration that is not taken does not keep workers at what is stale. */
START_TEST(test_refresh_and_bad_reload)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 2000, .drain_ms = 60000 };
	pid_t pid = begin(cfg, MODE_LONG_DRAIN);

	WAIT_FOR(have_started(1));
	sh->is_broken = true;
	WAIT_FOR(have_started(2));
	WAIT_FOR(sh->starts[0].got == SIGUSR2);
	unsigned ticks = sh->nticks;
	sh->is_stale = true;
	WAIT_FOR(sh->nticks >= ticks + 2);
	sh->reload_num = 0;
	kill(pid, SIGHUP);
	WAIT_FOR(have_started(3));
	ck_assert_uint_eq(sh->nreloads, 1);
	ck_assert_uint_eq(sh->nrefreshes, 2);
	WAIT_FOR(sh->starts[1].got == SIGUSR2);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

START_TEST(test_drain_overdue)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 200, .drain_ms = 300 };
	pid_t pid = begin(cfg, _i == 0 ? MODE_LONG_DRAIN : MODE_STUBBORN);

	WAIT_FOR(have_started(1));
	sh->reload_num = 1;
	long long at = now_ms();
	kill(pid, SIGHUP);
	WAIT_FOR(have_started(2));
	WAIT_FOR(alive_from(0, 1) == 0);
	ck_assert_int_eq(sh->starts[0].got, SIGTERM);
	ck_assert_int_ge(now_ms() - at, _i == 0 ? 300 : 500);
	ck_assert_int_lt(now_ms() - at, 6000);
	ck_assert_uint_eq(alive_from(1, 1), 1);
	kill(pid, SIGUSR1);
	expect_end(pid, 0);
}
END_TEST

/* The second HUP waits for the first one's predecessors, whom it hurries;
 * those that serve go on meanwhile. */
START_TEST(test_reload_twice)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 400, .drain_ms = 60000 };
	pid_t pid = begin(cfg, MODE_STUBBORN);

	WAIT_FOR(have_started(2));
	sh->reload_num = 2;
	kill(pid, SIGHUP);
	WAIT_FOR(have_started(4));
	WAIT_FOR(sh->starts[0].got == SIGUSR2 && sh->starts[1].got == SIGUSR2);
	kill(pid, SIGHUP);
	WAIT_FOR(sh->starts[0].got == SIGTERM && sh->starts[1].got == SIGTERM);
	ck_assert_uint_eq(sh->nreloads, 1);
	ck_assert_uint_eq(alive_from(2, 2), 2);
	ck_assert_int_eq(sh->starts[2].got, 0);
	WAIT_FOR(have_started(6));
	ck_assert_uint_eq(sh->nreloads, 2);
	ck_assert_uint_eq(alive_from(0, 2), 0);
	WAIT_FOR(sh->starts[2].got == SIGUSR2);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_lt(sh->starts[i].slot, supervise_slots(2));
	kill(pid, SIGUSR1);
	expect_end(pid, 0);
}
END_TEST

/* A worker of an old generation that dies is not replaced. */
START_TEST(test_old_is_not_replaced)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 400, .drain_ms = 60000 };
	pid_t pid = begin(cfg, MODE_LONG_DRAIN);

	WAIT_FOR(have_started(1));
	sh->reload_num = 1;
	kill(pid, SIGHUP);
	WAIT_FOR(have_started(2));
	WAIT_FOR(sh->starts[0].got == SIGUSR2);
	kill(sh->starts[0].pid, SIGKILL);
	WAIT_FOR(sh->nexits == 1);
	sleep_ms(50);
	ck_assert_uint_eq(sh->nstarts, 2);
	/* Two generations get the one TERM. */
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

static long switches(pid_t pid)
{
	char name[64], line[200];
	long n = -1;

	snprintf(name, sizeof name, "/proc/%ld/status", (long)pid);
	FILE *f = fopen(name, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL)
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	fclose(f);
	return n;
}

START_TEST(test_extra_and_idle)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 400, .drain_ms = 400 };

	ck_assert_int_eq(pipe(extra), 0);
	pid_t pid = begin(cfg, MODE_OBEY);
	WAIT_FOR(have_started(1));
	ck_assert(sh->starts[0].is_clean);
	close(extra[0]);
	ck_assert_int_eq(write(extra[1], "x", 1), 1);
	WAIT_FOR(sh->nready == 1);
	/* The writer goes: an end of file that stays must not make it spin. */
	close(extra[1]);
	WAIT_FOR(sh->nready >= 2);
	long before = switches(pid);
	unsigned ticks = sh->nticks;
	sleep_ms(1300);
	ck_assert_int_le(switches(pid) - before, 8);
	ck_assert_uint_le(sh->nready, 5);
	ck_assert_uint_ge(sh->nticks, ticks + 1);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

/* Children that others started are theirs to wait for. */
START_TEST(test_helper)
{
	struct supervise_cfg cfg = { .num = 1, .stop_ms = 400, .drain_ms = 400 };
	pid_t pid = begin(cfg, MODE_HELPED);

	WAIT_FOR(sh->nticks >= 1);
	ck_assert(sh->helper_reaped);
	kill(pid, SIGTERM);
	expect_end(pid, 0);
}
END_TEST

/* Signals that come before the loop runs are not lost. */
START_TEST(test_early_signal)
{
	struct supervise_cfg cfg = { .num = 2, .stop_ms = 400, .drain_ms = 400, .what = "w",
		.cb = &cb, .extra_fd = -1 };
	int status;

	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct log_cfg log = { -1, 0, false, false };
		log_open("check_supervise", &log);
		supervise_block_signals();
		parent = getpid();
		raise(SIGTERM);
		_exit(supervise_run(&cfg));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("supervise");
	TCase *t = tcase_create("supervise");
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, test_start_and_term, 0, 2);
	tcase_add_test(t, test_replace_at_once);
	tcase_add_test(t, test_young_back_off);
	tcase_add_test(t, test_proven_resets);
	tcase_add_test(t, test_old_enough);
	tcase_add_test(t, test_stubborn_is_killed);
	tcase_add_loop_test(t, test_usr1, 0, 2);
	tcase_add_test(t, test_parent_killed);
	tcase_add_test(t, test_reload);
	tcase_add_test(t, test_reload_fails);
	tcase_add_test(t, test_refresh);
	tcase_add_test(t, test_refresh_broken);
	tcase_add_test(t, test_refresh_broken_fails);
	tcase_add_test(t, test_refresh_and_bad_reload);
	tcase_add_loop_test(t, test_drain_overdue, 0, 2);
	tcase_add_test(t, test_reload_twice);
	tcase_add_test(t, test_old_is_not_replaced);
	tcase_add_test(t, test_extra_and_idle);
	tcase_add_test(t, test_helper);
	tcase_add_test(t, test_early_signal);
	suite_add_tcase(s, t);
	return unit_run(s);
}
