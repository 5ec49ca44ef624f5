/* check_proc.c - background, identity, descriptors. Each test runs
 * in a process of its own (check forks), so that it may give itself away. */
#include "proc.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct proc_identity self(void)
{
	return (struct proc_identity){ .uid = geteuid(), .gid = getegid() };
}

static int wait_status(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* --- background --- */

/* Forks; the child goes into the background and does what fn says. Returns
 * the exit status that an init script would see. */
static int background(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		if (proc_daemonize() < 0)
			_exit(99);
		fn();
		_exit(0);
	}
	int status = wait_status(pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int g_pipe[2];

static void say_ready(void)
{
	char cwd[16] = "";
	struct stat in, out, null;
	bool ok = getsid(0) == getpid() && getcwd(cwd, sizeof cwd) != NULL &&
		strcmp(cwd, "/") == 0 && stat("/dev/null", &null) == 0 && fstat(0, &in) == 0 &&
		fstat(1, &out) == 0 && in.st_rdev == null.st_rdev && out.st_rdev == null.st_rdev;

	proc_daemon_ready();
	ok = ok && fstat(2, &out) == 0 && out.st_rdev == null.st_rdev;
	ssize_t rc = write(g_pipe[1], ok ? "y" : "n", 1);
	(void)rc;
}

static void fail_early(void)
{
	_exit(78);
}

static void crash_early(void)
{
	raise(SIGKILL);
}

static void forget_to_say(void)
{
	exit(0);
}

START_TEST(test_daemonize)
{
	char answer;

	ck_assert_int_eq(pipe(g_pipe), 0);
	ck_assert_int_eq(background(say_ready), 0);
	ck_assert_int_eq(read(g_pipe[0], &answer, 1), 1);
	ck_assert_int_eq(answer, 'y');
	ck_assert_int_eq(background(fail_early), 78);
	ck_assert_int_eq(background(crash_early), 128 + SIGKILL);
	ck_assert_int_eq(background(forget_to_say), 0);
	proc_daemon_ready(); /* in the foreground: nothing */
	ck_assert_int_eq(fcntl(2, F_GETFD) < 0, 0);
}
END_TEST

START_TEST(test_std_open)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(0);
		close(2);
		if (proc_std_open() < 0)
			_exit(1);
		for (int i = 0; i < 3; i++) {
			if (fcntl(i, F_GETFD) < 0)
				_exit(2);
		}
		_exit(0);
	}
	ck_assert_int_eq(wait_status(pid), 0);
}
END_TEST

/* --- as another user --- */

static int by_number(const void *arg)
{
	switch (*(const int *)arg) {
	case 0: return 0;
	case 1: errno = EMLINK; return -1;
	case 2: return raise(SIGKILL);
	default: raise(SIGSTOP); return 0;
	}
}

/* A child that hangs does not make its parent hang. */
START_TEST(test_do_as)
{
	static const int want[] = { 0, EMLINK, EIO, ETIMEDOUT };
	struct proc_identity id = self();

	errno = 0;
	ck_assert_int_eq(proc_do_as(&id, by_number, &_i), want[_i] == 0 ? 0 : -1);
	ck_assert_int_eq(errno, want[_i]);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* --- identity --- */

START_TEST(test_identity_get)
{
	struct proc_identity id;
	char why[256] = "";

	if (geteuid() != 0) { /* names do not even have to exist */
		ck_assert_int_eq(proc_identity_get("no-such-user", "x", &id, why, sizeof why), 0);
		ck_assert(!id.drop && id.uid == geteuid() && id.gid == getegid());
		return;
	}
	ck_assert_int_eq(proc_identity_get("no-such-user", "root", &id, why, sizeof why), -1);
	ck_assert_str_eq(why, "user: no such user no-such-user: make it, for example with "
		"adduser --system --group --no-create-home no-such-user");
	ck_assert_int_eq(proc_identity_get("root", "no-such-group", &id, why, sizeof why), -1);
	ck_assert_str_eq(why, "group: no such group no-such-group: make it, for example with "
		"groupadd --system no-such-group");
	ck_assert_int_eq(proc_identity_get("root", "root", &id, why, sizeof why), 0);
	ck_assert(!id.drop && id.uid == 0);
	ck_assert_int_eq(proc_identity_get("nobody", "nogroup", &id, why, sizeof why), 0);
	ck_assert(id.drop && id.uid != 0 && id.gid != 0);
	ck_assert_str_eq(id.user, "nobody");
}
END_TEST

START_TEST(test_identity_take)
{
	struct proc_identity id = self();
	struct rlimit rl;
	char why[100];
	gid_t groups[64] = { 0, 3 };

	if (geteuid() == 0) {
		ck_assert_int_eq(setgroups(2, groups), 0); /* what root may have */
		ck_assert_int_eq(proc_identity_get("nobody", "nogroup", &id, why, sizeof why), 0);
	}
	ck_assert_int_eq(proc_identity_take(&id), 0);
	ck_assert(geteuid() == id.uid && getuid() == id.uid && getegid() == id.gid);
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	ck_assert_uint_eq(umask(0), 077);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &rl), 0);
	ck_assert_uint_le(rl.rlim_max, 1);
	if (id.drop) {
		ck_assert_int_eq(setuid(0), -1);
		ck_assert_int_eq(seteuid(0), -1);
		ck_assert_int_eq(setgid(0), -1);
		int n = getgroups(64, groups);
		ck_assert_int_ge(n, 0);
		for (int i = 0; i < n; i++)
			ck_assert(groups[i] != 0 && groups[i] != 3);
	}
}
END_TEST

static bool is_closed_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLHUP) != 0;
}

START_TEST(test_die_with_parent)
{
	int p[2], go[2];
	char c;

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(pipe(go), 0);
	pid_t mid = fork();
	if (mid == 0) {
		pid_t parent = getpid();
		if (fork() == 0) {
			struct proc_identity id = self();
			char why[100];
			if (geteuid() == 0 &&
			    proc_identity_get("nobody", "nogroup", &id, why, sizeof why) < 0)
				_exit(1);
			if (proc_identity_take(&id) < 0 || proc_die_with_parent(parent) < 0)
				_exit(1);
			ssize_t rc = write(go[1], "x", 1);
			(void)rc;
			for (;;)
				pause();
		}
		for (;;)
			pause();
	}
	close(p[1]);
	ck_assert_int_eq(read(go[0], &c, 1), 1); /* the grandchild is set up */
	ck_assert(!is_closed_within(p[0], 50));
	kill(mid, SIGKILL);
	wait_status(mid);
	ck_assert(is_closed_within(p[0], 5000));
	/* One whose parent is gone already is told so. */
	ck_assert_int_eq(proc_die_with_parent(getppid() + 1), -1);
}
END_TEST

/* --- descriptors --- */

START_TEST(test_close_others)
{
	int fds[6], keep[3];

	for (int i = 0; i < 6; i++)
		fds[i] = dup2(0, 20 + 3 * i);
	keep[0] = fds[4]; /* in no order, one twice */
	keep[1] = fds[1];
	keep[2] = fds[4];
	proc_close_others(keep, 3);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(fcntl(fds[i], F_GETFD) >= 0, i == 1 || i == 4);
	for (int i = 0; i < 3; i++)
		ck_assert_int_ge(fcntl(i, F_GETFD), 0);
	proc_close_others(NULL, 0);
	ck_assert_int_lt(fcntl(fds[1], F_GETFD), 0);
	_exit(0); /* what check wants to report through is gone */
}
END_TEST

START_TEST(test_raise_nofile)
{
	struct rlimit rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &rl);
	ck_assert_uint_eq(proc_raise_nofile(), rl.rlim_max);
	getrlimit(RLIMIT_NOFILE, &rl);
	ck_assert_uint_eq(rl.rlim_cur, rl.rlim_max);
}
END_TEST

START_TEST(test_title)
{
	char name[16];

	proc_set_title("esets_daemon/w-and-more");
	prctl(PR_GET_NAME, name, 0, 0, 0);
	ck_assert_str_eq(name, "esets_daemon/w-");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("proc");
	TCase *t = tcase_create("proc");
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_daemonize);
	tcase_add_test(t, test_std_open);
	tcase_add_loop_test(t, test_do_as, 0, 4);
	tcase_add_test(t, test_identity_get);
	tcase_add_test(t, test_identity_take);
	tcase_add_test(t, test_die_with_parent);
	tcase_add_exit_test(t, test_close_others, 0);
	tcase_add_test(t, test_raise_nofile);
	tcase_add_test(t, test_title);
	suite_add_tcase(s, t);
	return unit_run(s);
}
