/* check_cell.c - what a worker of the agent can still reach, tried by one that
 * is shut in; the calls that are for nobody are check_sandbox's. */
#include "config.h"

#include "cell.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "log.h"
#include "sandbox.h"
#include "spool.h"
#include "unit.h"

static char top[UNIT_PATH_SIZE], dir[80], other[80], name[96], sock[96];
static struct spool_cfg cfg;
static int listener = -1, tcp = -1;
static struct sockaddr_in tcp_addr;

/* Each says 0 or an errno. */

static int result(int rc)
{
	return rc < 0 ? errno : 0;
}

static int write_elsewhere(void)
{
	snprintf(name, sizeof name, "%s/new", other);
	return result(open(name, O_WRONLY | O_CREAT, 0600));
}

static int change_elsewhere(void)
{
	snprintf(name, sizeof name, "%s/there", other);
	return result(open(name, O_WRONLY | O_TRUNC));
}

static int read_elsewhere(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int read_configuration(void)
{
	snprintf(name, sizeof name, "%s/there", other);
	return result(open(name, O_RDONLY));
}

static int read_other_process(void)
{
	snprintf(name, sizeof name, "/proc/%ld/environ", (long)getppid());
	return result(open(name, O_RDONLY));
}

static int read_own_memory(void)
{
	return result(open("/proc/self/mem", O_RDWR));
}

static int list_spool(void)
{
	return result(open(dir, O_RDONLY | O_DIRECTORY));
}

static int tmpfile_elsewhere(void)
{
	return result(open(other, O_TMPFILE | O_RDWR, 0600));
}

static int remove_elsewhere(void)
{
	snprintf(name, sizeof name, "%s/there", other);
	return result(unlink(name));
}

static int rename_out(void)
{
	snprintf(name, sizeof name, "%s/there", other);
	return result((int)syscall(SYS_renameat2, AT_FDCWD, dir, AT_FDCWD, name, 0));
}

static int run_program(void)
{
	char *argv[] = { (char *)"true", NULL };

	return result(execv("/bin/true", argv));
}

static int make_process(void)
{
	return result(fork());
}

static int trace(void)
{
	return result((int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

/* Signal 0, which harms nobody where there is no filter. */
static int signal_parent(void)
{
	return result(kill(getppid(), 0));
}

static int signal_all(void)
{
	return result(kill(-1, 0));
}

/* What the scanner may be reading. */
static int cut_short(void)
{
	int fd = open(dir, O_TMPFILE | O_RDWR, 0600);

	return fd < 0 ? 0 : result(ftruncate(fd, 0));
}

static int cut_out(void)
{
	int fd = open(dir, O_TMPFILE | O_RDWR, 0600);

	return fd < 0 ? 0 : result(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
}

/* --- what must go on --- */

/* A message that is too large for memory, read back, and handed over. */
static int spool_file(void)
{
	struct spool *s = spool_open(&cfg, 0);
	char block[70000] = { 'x' }, back[16];
	struct stat st;

	if (s == NULL || spool_write(s, block, sizeof block) < 0)
		return errno;
	int fd = spool_fd(s);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno;
	if (st.st_size != (off_t)sizeof block || pread(fd, back, 1, 0) != 1 || back[0] != 'x')
		return EIO;
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
		return EBADF;
	spool_close(&s);
	return 0;
}

static int connect_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, sock);
	return result(fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof a));
}

static int connect_tcp(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) < 0)
		return errno;
	return result(connect(fd, (struct sockaddr *)&tcp_addr, sizeof tcp_addr));
}

static int tell_time(void)
{
	time_t now = time(NULL);
	struct tm tm;

	return localtime_r(&now, &tm) != NULL ? 0 : EIO;
}

static int write_syslog(void)
{
	log_reopen();
	syslog(LOG_MAIL | LOG_DEBUG, "check_cell");
	return 0;
}

#define KILLED (-1)

static const struct {
	int (*try)(void);
	int error;              /* 0 it works */
	bool by_landlock;
} tries[] = {
	{ write_elsewhere, EACCES, true },
	{ change_elsewhere, EACCES, true },
	{ read_elsewhere, EACCES, true },
	{ read_configuration, EACCES, true },
	{ read_other_process, EACCES, true },
	{ read_own_memory, EACCES, true },
	{ list_spool, EACCES, true },
	{ tmpfile_elsewhere, EACCES, true },
	{ remove_elsewhere, EACCES, true },
	{ rename_out, EACCES, false },
	{ run_program, KILLED, false },
	{ make_process, KILLED, false },
	{ trace, KILLED, false },
	{ signal_parent, EACCES, false },
	{ signal_all, EACCES, false },
	{ cut_short, EACCES, false },
	{ cut_out, EACCES, false },
	{ spool_file, 0, false },
	{ connect_unix, 0, false },
	{ connect_tcp, 0, false },
	{ tell_time, 0, false },
	{ write_syslog, 0, false },
};
#define TRIES ((int)(sizeof tries / sizeof tries[0]))

/* Status of a process that is shut in and does it. */
static int status_of(const char *spool_dir, int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		cell_enter(spool_dir);
		_exit(try());
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool has_landlock(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(confine_all_to_dir(open(dir, O_PATH | O_DIRECTORY)) == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static bool has_filter(void)
{
#ifdef HAVE_LIBSECCOMP
	return true;
#else
	return false;
#endif
}

START_TEST(from_inside)
{
	const int want = tries[_i].error;

	/* Works in both; or what is there to stop it. */
	if (want != 0 && (confine_why_not() != NULL ||
	    (tries[_i].by_landlock ? !has_landlock() : !has_filter())))
		return;
	const int status = status_of(dir, tries[_i].try);
	if (want == KILLED)
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
			"try %d: status %x", _i, (unsigned)status);
	else
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == want,
			"try %d: status %x", _i, (unsigned)status);
}
END_TEST

/* A spool directory that has gone leaves a worker less to open, not more. */
START_TEST(without_its_directory)
{
	if (confine_why_not() != NULL || !has_landlock())
		return;
	if (tries[_i].try != spool_file && !tries[_i].by_landlock && tries[_i].error != 0)
		return;
	const int status = status_of("/nonexistent/spool", tries[_i].try);
	const int want = tries[_i].try == spool_file ? EACCES : tries[_i].error;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == want, "try %d: status %x", _i,
		(unsigned)status);
}
END_TEST

/* --- esets_wwwi's worker: reads one directory, asks UNIX sockets --- */

static int list_other(void)
{
	return result(open(other, O_RDONLY | O_DIRECTORY));
}

static const struct {
	int (*try)(void);
	bool works, is_fatal;
} web_tries[] = {
	{ read_configuration, true, false },   /* it lies in the directory */
	{ list_other, true, false },
	{ connect_unix, true, false },
	{ tell_time, true, false },
	{ list_spool, false, false },
	{ read_elsewhere, false, false },
	{ read_other_process, false, false },
	{ write_elsewhere, false, false },
	{ change_elsewhere, false, false },
	{ tmpfile_elsewhere, false, false },
	{ remove_elsewhere, false, false },
	{ rename_out, false, false },
	{ connect_tcp, false, false },
	{ signal_parent, false, false },
	{ run_program, false, true },
	{ make_process, false, true },
};
#define WEB_TRIES ((int)(sizeof web_tries / sizeof web_tries[0]))

START_TEST(from_inside_wwwi)
{
	const char *why;
	int status;

	if (confine_why_not() != NULL || !has_landlock() || !has_filter())
		return;
	pid_t pid = fork();
	if (pid == 0) {
		tzset();
		if (confine_to_read(open(other, O_RDONLY | O_DIRECTORY)) < 0 ||
		    sandbox_enter(SANDBOX_WWWI, &why) < 0)
			_exit(99);
		_exit(web_tries[_i].try());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (web_tries[_i].is_fatal)
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "try %d: %x", _i,
			(unsigned)status);
	else
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 99 &&
			(WEXITSTATUS(status) == 0) == web_tries[_i].works, "try %d: %x", _i,
			(unsigned)status);
}
END_TEST

/* Who gets a spool file to read cannot write to it, though the user is the same:
 * only root, who may everything, can. */
static int write_again(int fd)
{
	char path[32];

	if (geteuid() == 0 && setuid(65534) < 0)
		return errno;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return result(open(path, O_RDWR));
}

START_TEST(handed_over)
{
	struct spool *s;
	char block[70000] = { 'x' };
	int status;

	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(chmod(top, 0755), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(errno);
		s = spool_open(&cfg, 0);
		_exit(spool_write(s, block, sizeof block) < 0 ? errno : write_again(spool_fd(s)));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), EACCES);
}
END_TEST

static void listen_on(int fd, const void *addr, socklen_t len)
{
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, addr, len), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
}

static void each_begin(void)
{
	const struct log_cfg quiet = { LOG_MAIL, 0, false, false };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof tcp_addr;

	log_open("check_cell", &quiet);
	unit_dir(top);
	snprintf(dir, sizeof dir, "%s/spool", top);
	snprintf(other, sizeof other, "%s/other", top);
	snprintf(sock, sizeof sock, "%s/sock", top);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(mkdir(other, 0700), 0);
	snprintf(name, sizeof name, "%s/there", other);
	close(open(name, O_WRONLY | O_CREAT, 0600));
	cfg = (struct spool_cfg){ .dir = dir, .message_memory = 1000, .memory_max = 1000 };
	strcpy(un.sun_path, sock);
	listen_on(listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), &un, sizeof un);
	tcp_addr = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listen_on(tcp = socket(AF_INET, SOCK_STREAM, 0), &tcp_addr, len);
	ck_assert_int_eq(getsockname(tcp, (struct sockaddr *)&tcp_addr, &len), 0);
}

static void each_end(void)
{
	close(listener);
	close(tcp);
	unlink(sock);
	snprintf(name, sizeof name, "%s/there", other);
	unlink(name);
	ck_assert_int_eq(rmdir(other), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(rmdir(top), 0);
}

int main(void)
{
	Suite *s = suite_create("cell");
	TCase *t = tcase_create("cell");

	tcase_add_checked_fixture(t, each_begin, each_end);
	tcase_add_loop_test(t, from_inside, 0, TRIES);
	tcase_add_loop_test(t, without_its_directory, 0, TRIES);
	tcase_add_loop_test(t, from_inside_wwwi, 0, WEB_TRIES);
	tcase_add_test(t, handed_over);
	suite_add_tcase(s, t);
	return unit_run(s);
}
