/* check_quarantine.c - the processes that have the quarantine's directory: they are
 * confined before they listen to anybody, with and without one.
 *
 * poll() is wrapped, where they wait for somebody to ask: there each tries to open a
 * file of its user that is not in the directory. clock_gettime() is, so that time
 * passes at once. */
#include "config.h"

#include "quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "confine.h"
#include "kv.h"
#include "log.h"
#include "net.h"
#include "quar_meta.h"
#include "release.h"
#include "supervise.h"
#include "unit.h"

#define SOCKET "asked"

struct shared {
	_Atomic unsigned waits;
	atomic_bool could_write;
	_Atomic int later_s;
};

static struct shared *sh;
static bool is_process;               /* not check itself */
static int ask[2];                    /* where requests are handed over, and come */

int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	if (is_process && n == 2) {
		int fd = open("foreign", O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			sh->could_write = true;
			close(fd);
		}
		sh->waits++;
	}
	return __real_poll(fds, n, ms);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = __real_clock_gettime(clock, ts);

	if (is_process)
		ts->tv_sec += sh->later_s;
	return rc;
}

/* Else all that is tried is possible. */
static bool has_landlock(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(confine_to_dir(-1) == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static int keep(const char *dir)
{
	const struct quarantine_cfg cfg = { .serve_fd = ask[1], .dir = dir,
		.max_octets = 1u << 20, .max_days = 1 };

	return quarantine_run(&cfg);
}

static int let_out(const char *dir)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	struct conf *c = calloc(1, sizeof *c);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (c == NULL || bind(fd, (struct sockaddr *)&un, sizeof un) < 0 || listen(fd, 1) < 0)
		return 99;
	c->global.scan.quarantine_dir = (char *)(uintptr_t)dir;
	c->wwwi.mod.user = (char *)(uintptr_t)"root";
	return release_run(fd, c);
}

/* Until it waits for somebody to ask. */
static pid_t start(int (*run)(const char *dir), const char *dir)
{
	const unsigned before = sh->waits;

	unlink(SOCKET);
	pid_t pid = fork();
	if (pid == 0) {
		is_process = true;
		_exit(run(dir));
	}
	ck_assert_int_gt(pid, 0);
	while (sh->waits == before)
		usleep(100);
	return pid;
}

static void await_end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void end(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	await_end(pid);
}

static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* A message to be kept; the end at which the answer comes. */
static int send_message(void)
{
	const struct quar_meta m = { .id = "", .size = 4, .sha256 = "", .agent = "check",
		.session = "", .sender = "", .client = "", .helo = "", .queue_id = "", .name = "",
		.av = VERDICT_AV_INFECTED, .virus = "Check", .reason = "", .vdb = "" };
	struct buf text = BUF_INIT(KV_MAX);
	int message = memfd_create("check", MFD_CLOEXEC), conn[2];

	ck_assert_int_eq(write(message, "mail", 4), 4);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, conn), 0);
	ck_assert_int_eq(quar_meta_format(&m, &text), 0);
	ck_assert_int_gt(net_send_fd(conn[0], buf_head(&text), buf_len(&text), message), 0);
	ck_assert_int_eq(net_send_fd(ask[0], "", 1, conn[1]), 1);
	buf_fini(&text);
	close(message);
	close(conn[1]);
	return conn[0];
}

static void await_answer(int conn, const char *want)
{
	char text[100] = "";

	ck_assert_int_gt(recv(conn, text, sizeof text - 1, 0), 0);
	ck_assert_msg(strncmp(text, want, strlen(want)) == 0, "%s", text);
	close(conn);
}

static void setup(void)
{
	const struct log_cfg quiet = { -1, 0, false, false };
	char dir[] = "check_quarantine.XXXXXX";

	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(sh, MAP_FAILED);
	log_open("check_quarantine", &quiet);
	supervise_block_signals();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	close(open("foreign", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ask), 0);
}

static void teardown(void)
{
	char here[200], command[250];

	ck_assert(!sh->could_write || !has_landlock());
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	ck_assert_int_eq(chdir(".."), 0);
	snprintf(command, sizeof command, "rm -r '%s'", here);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(one_that_is_there)
{
	ck_assert_int_eq(mkdir("there", 0700), 0);
	end(start(let_out, "there"));
	pid_t pid = start(keep, "there");
	await_answer(send_message(), "stored ");
	end(pid);
}
END_TEST

/* It is made when it is needed, not by who could not be confined to it any more. */
START_TEST(one_that_is_missing)
{
	pid_t pid = start(keep, "new");
	ck_assert(!is_there("new"));
	int conn = send_message();
	await_end(pid);
	ck_assert(!is_there("new"));
	pid = start(keep, "new");
	await_answer(conn, "stored ");
	end(pid);
}
END_TEST

/* Who asks is told so, and now and then it is tried again. */
START_TEST(one_that_cannot_be_made)
{
	pid_t pid = start(keep, "none/new");
	int conn = send_message();
	await_end(pid);
	pid = start(keep, "none/new");
	await_answer(conn, "failed");
	ck_assert_int_eq(mkdir("none", 0700), 0);
	ck_assert_int_eq(mkdir("none/new", 0700), 0);
	await_answer(send_message(), "failed");
	sh->later_s = 60;
	conn = send_message();
	await_end(pid);
	pid = start(keep, "none/new");
	await_answer(conn, "stored ");
	end(pid);
}
END_TEST

START_TEST(releases_without_one)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pid_t pid = start(let_out, "new");

	ck_assert_int_eq(mkdir("new", 0700), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
	await_end(pid);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("quarantine");
	TCase *t = tcase_create("quarantine");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_that_is_there);
	tcase_add_test(t, one_that_is_missing);
	tcase_add_test(t, one_that_cannot_be_made);
	tcase_add_test(t, releases_without_one);
	suite_add_tcase(s, t);
	return unit_run(s);
}
