/* check_side_proc.c - processes beside the workers: their master never waits.
 *
 * waitpid() and poll() are wrapped: a process that hangs in the kernel, where not
 * even SIGKILL ends it, is one that waitpid() does not give back, and then time
 * passes at once. */
#include "side_proc.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"
#include "supervise.h"
#include "unit.h"

struct shared {
	_Atomic unsigned started, left;   /* left as they were asked to */
};

static struct shared *sh;
static struct side_proc p;
static bool is_master;               /* not check itself, which waits for cases */
static bool hangs;
static long waited_ms;
static const struct proc_identity self = { .drop = false };

pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	if (!is_master)
		return __real_waitpid(pid, status, options);
	ck_assert_msg((options & WNOHANG) != 0, "the master waits for process %ld", (long)pid);
	return hangs ? 0 : __real_waitpid(pid, status, options);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	if (!is_master || !hangs || n != 0)
		return __real_poll(fds, n, ms);
	waited_ms += ms;
	return 0;
}

/* Leaves on TERM, as all of them do. */
static int run(int serve_fd, void *arg)
{
	struct signalfd_siginfo si;
	sigset_t set;

	(void)serve_fd;
	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	sh->started++;
	if (read(fd, &si, sizeof si) == (ssize_t)sizeof si)
		sh->left++;
	return 0;
}

static void start_one(void)
{
	const unsigned before = sh->started;

	side_proc_start(&p, run, NULL, &self, getpid());
	ck_assert_int_gt(p.pid, 0);
	while (sh->started == before)
		usleep(100);
}

/* It has ended, and its parent has not asked for it yet. */
static void await_end(pid_t pid)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void setup(void)
{
	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(sh, MAP_FAILED);
	const struct log_cfg quiet = { -1, 0, false, false };
	log_open("check_side_proc", &quiet);
	supervise_block_signals();
	is_master = true;
	p = (struct side_proc)SIDE_PROC_INIT("test", "check_side");
	ck_assert_int_eq(side_proc_open(&p), 0);
	start_one();
}

/* Not waited for at a reload, nor at the next ones, nor at the end. */
START_TEST(hung_ones)
{
	pid_t pids[3 * SIDE_PROC_LEAVING_MAX];
	const size_t n = sizeof pids / sizeof *pids;

	hangs = true;
	for (size_t i = 0; i < n; i++) {
		pids[i] = p.pid;
		start_one();
		ck_assert(!side_proc_tick(&p));
	}
	for (size_t i = 0; i < n; i++)
		await_end(pids[i]);
	ck_assert_int_eq(waited_ms, 0);
	if (_i == 0) { /* the disk is there again: none of them is forgotten */
		hangs = false;
		ck_assert(!side_proc_tick(&p));
		for (size_t i = 0; i < n; i++)
			ck_assert_int_eq(kill(pids[i], 0), -1);
		ck_assert_int_eq(kill(p.pid, 0), 0);
	}
	side_proc_stop(&p);
	ck_assert_int_le(waited_ms, 10000);
	ck_assert(_i == 0 || waited_ms > 0);
}
END_TEST

/* Those that leave when they are asked to are never killed, however often. */
START_TEST(many_reloads)
{
	const unsigned n = 3 * SIDE_PROC_LEAVING_MAX;

	for (unsigned i = 0; i < n; i++) {
		pid_t was = p.pid;
		start_one();
		await_end(was);
	}
	side_proc_stop(&p);
	ck_assert_uint_eq(sh->left, n + 1);
}
END_TEST

/* Without a socket pair there is no process to be replaced. */
START_TEST(let_go)
{
	pid_t was = p.pid;

	side_proc_let_go(&p);
	ck_assert(p.ask_fd < 0 && p.serve_fd < 0 && p.pid == 0);
	ck_assert(!side_proc_tick(&p));
	ck_assert_int_eq(kill(was, 0), 0); /* its workers are still there */
	kill(was, SIGKILL);
	await_end(was);
	ck_assert_int_eq(side_proc_open(&p), 0);
	ck_assert(side_proc_tick(&p));
	ck_assert_int_eq(kill(was, 0), -1);
	side_proc_stop(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("side_proc");
	TCase *t = tcase_create("side_proc");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, hung_ones, 0, 2);
	tcase_add_test(t, many_reloads);
	tcase_add_test(t, let_go);
	suite_add_tcase(s, t);
	return unit_run(s);
}
