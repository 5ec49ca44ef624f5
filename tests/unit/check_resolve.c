/* check_resolve.c - names resolved in a helper process: its answer, its
 * failure, its delay, and that nothing of it stays. net_resolve and write are
 * wrapped, so that it can be made to hang before and after its answer. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"
#include "resolve.h"
#include "unit.h"

#define SECRET_FD 77

static bool hangs, stays;
static struct net_endpoint *lie;   /* what a helper that was taken over says */

int __real_net_resolve(const char *list, uint16_t port, bool passive, struct net_endpoint *out,
	size_t max, char *why, size_t why_size);
int __wrap_net_resolve(const char *list, uint16_t port, bool passive, struct net_endpoint *out,
	size_t max, char *why, size_t why_size);
int __wrap_net_resolve(const char *list, uint16_t port, bool passive, struct net_endpoint *out,
	size_t max, char *why, size_t why_size)
{
	while (hangs)
		pause();
	if (strcmp(list, "identity") == 0) {
		snprintf(why, why_size, "%ld %ld %d", (long)geteuid(), (long)getegid(),
			fcntl(SECRET_FD, F_GETFD));
		return -1;
	}
	if (lie != NULL) {
		out[0] = *lie;
		return 1;
	}
	return __real_net_resolve(list, port, passive, out, max, why, why_size);
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	ssize_t rc = __real_write(fd, p, n);

	while (stays)
		pause();
	return rc;
}

static unsigned fds_before;
static struct proc_identity self;

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void setup(void)
{
	hangs = stays = false;
	lie = NULL;
	self = (struct proc_identity){ .uid = geteuid(), .gid = getegid() };
	fds_before = open_fds();
}

/* Neither a process nor a descriptor is left. */
static void teardown(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_uint_eq(open_fds(), fds_before);
}

START_TEST(answers)
{
	struct resolve r = RESOLVE_INIT;
	struct net_endpoint e[NET_ADDRS_MAX];
	char why[160] = "";
	unsigned n = 0;

	ck_assert_int_eq(resolve_start(&r, "127.0.0.1, [::1], 192.0.2.3", 2525, &self), 0);
	ck_assert_int_ne(r.pid, 0);
	ck_assert_int_eq(resolve_finish(&r, 20000, e, NET_ADDRS_MAX, &n, why, sizeof why), 1);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(e[0].addr.port, 2525);
	ck_assert_uint_eq(e[0].addr.ip[0], 127);
	ck_assert_uint_eq(e[1].addr.family, AF_INET6);
	ck_assert_uint_eq(e[2].addr.ip[3], 3);
	ck_assert_int_eq(r.pid, 0);
	/* Not more than there is room for. */
	ck_assert_int_eq(resolve_start(&r, "127.0.0.1, 127.0.0.2, 127.0.0.3", 25, &self), 0);
	ck_assert_int_eq(resolve_finish(&r, 20000, e, 2, &n, why, sizeof why), 1);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(e[1].addr.ip[3], 2);
}
END_TEST

START_TEST(lies)
{
	static struct net_endpoint said = { .addr = { .family = AF_INET } };
	struct net_endpoint e[NET_ADDRS_MAX];
	struct resolve r = RESOLVE_INIT;
	char why[160] = "";
	unsigned n = 0;

	lie = &said;
	for (int i = 0; i < 3; i++) {
		if (i > 0)
			memset(said.path, 'x', sizeof said.path);
		if (i > 1)
			said = (struct net_endpoint){ .addr = { .family = AF_PACKET } };
		ck_assert_int_eq(resolve_start(&r, "name.example", 25, &self), 0);
		ck_assert_int_eq(resolve_finish(&r, 20000, e, NET_ADDRS_MAX, &n, why, sizeof why),
			i == 0 ? 1 : -1);
	}
}
END_TEST

START_TEST(fails)
{
	struct resolve r = RESOLVE_INIT;
	struct net_endpoint e[NET_ADDRS_MAX];
	char why[160] = "";
	unsigned n = 0;

	ck_assert_int_eq(resolve_start(&r, "127.0.0.1, 300.0.0.1.invalid", 25, &self), 0);
	ck_assert_int_eq(resolve_finish(&r, 30000, e, NET_ADDRS_MAX, &n, why, sizeof why), -1);
	ck_assert_ptr_nonnull(strstr(why, "300.0.0.1.invalid"));
	ck_assert_int_eq(r.pid, 0);
}
END_TEST

/* It has neither the parent's rights nor its descriptors. */
START_TEST(identity)
{
	const struct proc_identity nobody = { .drop = geteuid() == 0, .user = "nobody",
		.uid = geteuid() == 0 ? 65534 : geteuid(), .gid = geteuid() == 0 ? 65534 : getegid() };
	struct resolve r = RESOLVE_INIT;
	struct net_endpoint e[1];
	char why[160] = "", want[160];
	unsigned n = 0;

	ck_assert_int_eq(dup2(STDERR_FILENO, SECRET_FD), SECRET_FD);
	ck_assert_int_eq(resolve_start(&r, "identity", 25, &nobody), 0);
	ck_assert_int_eq(resolve_finish(&r, 30000, e, 1, &n, why, sizeof why), -1);
	snprintf(want, sizeof want, "%ld %ld -1", (long)nobody.uid, (long)nobody.gid);
	ck_assert_str_eq(why, want);
	close(SECRET_FD);
}
END_TEST

/* The parent is never kept waiting longer than it said. */
START_TEST(slow)
{
	struct resolve r = RESOLVE_INIT;
	struct net_endpoint e[1];
	char why[160] = "";
	unsigned n = 0;

	ck_assert_int_eq(resolve_finish(&r, 1000, e, 1, &n, why, sizeof why), 0);
	hangs = true;
	ck_assert_int_eq(resolve_start(&r, "127.0.0.1", 25, &self), 0);
	pid_t pid = r.pid;
	ck_assert_int_eq(resolve_finish(&r, 0, e, 1, &n, why, sizeof why), 0);
	ck_assert_int_eq(resolve_finish(&r, 20, e, 1, &n, why, sizeof why), 0);
	/* One at a time. */
	ck_assert_int_eq(resolve_start(&r, "127.0.0.2", 25, &self), 0);
	ck_assert_int_eq(r.pid, pid);
	resolve_stop(&r);
	ck_assert_int_eq(r.pid, 0);
	resolve_stop(&r);
}
END_TEST

/* It has answered, and does not end. */
START_TEST(answers_and_stays)
{
	struct resolve r = RESOLVE_INIT;
	struct net_endpoint e[1];
	char why[160] = "";
	unsigned n = 0;

	stays = true;
	ck_assert_int_eq(resolve_start(&r, "127.0.0.1", 25, &self), 0);
	stays = false;
	ck_assert_int_eq(resolve_finish(&r, 20000, e, 1, &n, why, sizeof why), 1);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(r.pid, 0);
}
END_TEST

START_TEST(dies)
{
	struct resolve r = RESOLVE_INIT;
	struct net_endpoint e[1];
	char why[160] = "";
	unsigned n = 0;

	hangs = true;
	ck_assert_int_eq(resolve_start(&r, "127.0.0.1", 25, &self), 0);
	kill(r.pid, SIGKILL);
	ck_assert_int_eq(resolve_finish(&r, 20000, e, 1, &n, why, sizeof why), -1);
	ck_assert_str_eq(why, "name resolution did not finish");
	ck_assert_int_eq(r.pid, 0);
	/* And the next one works. */
	hangs = false;
	ck_assert_int_eq(resolve_start(&r, "127.0.0.1", 25, &self), 0);
	ck_assert_int_eq(resolve_finish(&r, 20000, e, 1, &n, why, sizeof why), 1);
}
END_TEST

/* The helper ends by itself although the parent holds signals back. */
START_TEST(blocked_signals)
{
	struct resolve r = RESOLVE_INIT;
	sigset_t all;
	int status;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGALRM, SIG_IGN);
	hangs = true;
	ck_assert_int_eq(resolve_start(&r, "127.0.0.1", 25, &self), 0);
	/* What its alarm does after a minute, now; again, since at first it has
	 * what we have. */
	do {
		kill(r.pid, SIGALRM);
		usleep(10000);
	} while (waitpid(r.pid, &status, WNOHANG) == 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	close(r.fd);
}
END_TEST

static int in_manager(int listener, int out)
{
	struct resolve r = RESOLVE_INIT;

	(void)listener; /* inherited by the helper, if it does not mind */
	if (resolve_start(&r, "127.0.0.1", 25, &self) < 0 ||
	    write(out, &r.pid, sizeof r.pid) != sizeof r.pid)
		return 1;
	for (;;)
		pause();
}

/* The helper of a manager that is killed neither lives on nor keeps its port; nor
 * does it keep it while both live. */
START_TEST(killed_manager)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	pid_t helper = 0, got;
	int p[2], status;

	hangs = true;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&sin, sizeof sin), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	ck_assert_int_eq(getsockname(s, (struct sockaddr *)&sin, &len), 0);
	ck_assert_int_eq(pipe(p), 0);
	/* Who has lost its parent is ours: so its end can be waited for. */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid_t manager = fork();
	if (manager == 0)
		_exit(in_manager(s, p[1]));
	close(s);
	ck_assert_int_eq(read(p[0], &helper, sizeof helper), sizeof helper);
	close(p[0]);
	close(p[1]);
	kill(manager, SIGKILL);
	ck_assert_int_eq(waitpid(manager, &status, 0), manager);
	do {
		got = waitpid(helper, &status, 0);
	} while (got < 0 && errno == EINTR);
	ck_assert_int_eq(got, helper);
	int again = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(again, (struct sockaddr *)&sin, sizeof sin), 0);
	close(again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tc = tcase_create("resolve");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, answers);
	tcase_add_test(tc, lies);
	tcase_add_test(tc, fails);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, slow);
	tcase_add_test(tc, answers_and_stays);
	tcase_add_test(tc, dies);
	tcase_add_test(tc, blocked_signals);
	tcase_add_test(tc, killed_manager);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
