/* check_confined.c - what a worker of the scanner cannot do any more, tried by one:
 * behind all walls, and behind Landlock alone. */
#include "config.h"

#include "confined.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "confine.h"
#include "engine_hash.h"
#include "unit.h"
#include "unpack.h"

#define SKIPPED 99
#define MEMORY_MAX (16ull << 30)

static int message, spooled, tcp;
static uint16_t port;

/* A message as the agent hands it over: sealed memory, or a file that has no name
 * any more, opened to be read. */
static void open_messages(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	char self[40];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	message = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(write(message, "mail", 4), 4);
	ck_assert_int_eq(fcntl(message, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "mail", 4), 4);
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	spooled = open(self, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(spooled, 0);
	close(fd);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(tcp, (struct sockaddr *)&in, sizeof in), 0);
	ck_assert_int_eq(listen(tcp, 1), 0);
	ck_assert_int_eq(getsockname(tcp, (struct sockaddr *)&in, &len), 0);
	port = in.sin_port;
}

static bool can_open_again(int fd, int mode)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, mode) >= 0;
}

static bool can_connect(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof in) == 0;
}

/* 0, or the number of what was possible. */
static int attempts(void)
{
	char c;

	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/proc/self/maps", O_RDONLY) >= 0 ||
	    open("/dev/null", O_WRONLY) >= 0 || open("/proc/1/status", O_RDONLY) >= 0)
		return 1;
	if (open("new", O_WRONLY | O_CREAT, 0600) >= 0 || open(".", O_TMPFILE | O_RDWR, 0600) >= 0)
		return 2;
	if (opendir(".") != NULL || mkdir("new", 0700) == 0 || unlink("check_confined.gone") == 0)
		return 3;
	if (can_open_again(spooled, O_RDWR) || can_open_again(spooled, O_WRONLY))
		return 4;
	if (write(message, "x", 1) >= 0 || ftruncate(message, 0) == 0 || write(spooled, "x", 1) >= 0 ||
	    ftruncate(spooled, 0) == 0)
		return 5;
	if (mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, message, 0) != MAP_FAILED ||
	    mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, spooled, 0) != MAP_FAILED)
		return 6;
	/* And reading goes on. */
	if (pread(message, &c, 1, 0) != 1 || pread(spooled, &c, 1, 3) != 1 || c != 'l')
		return 7;
	return 0;
}

static int confined(void)
{
	struct conf_global g = { .num_thrd = 4 };
	struct engine_object o = { .data = (const unsigned char *)"mail", .len = 4, .fd = -1,
		.name = "", .want_sha256 = true };
	struct rlimit rl;
	time_t now = time(NULL);
	struct tm tm;

	if (confine_why_not() != NULL)
		return SKIPPED;
	g.scan.opts.archive_max_size = 256u << 20;
	confined_begin(&g);
	int rc = attempts();
	if (rc != 0)
		return rc;
#ifdef HAVE_LIBSECCOMP
	if (can_open_again(message, O_RDONLY) || can_open_again(message, O_RDWR) ||
	    socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return 20;
	if (can_connect())
		return 21;
#endif
	if (getrlimit(RLIMIT_DATA, &rl) < 0 || rl.rlim_cur > MEMORY_MAX)
		return 22;
	void *volatile p = malloc(MEMORY_MAX); /* a compiler may leave out what nobody uses */
	if (p != NULL || errno != ENOMEM)
		return 23;
	p = malloc(512u << 20);
	if (p == NULL)
		return 24;
	free(p);
	/* What libraries open when it is first needed, they have. */
	if (localtime_r(&now, &tm) == NULL || engine_hash_sha256(&o, NULL) < 0)
		return 25;
	return 0;
}

/* The second wall by itself. */
static int behind_landlock(void)
{
	if (confine_why_not() != NULL)
		return SKIPPED;
	if (!can_connect())
		return 32;
	if (confine_to_nothing() < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? SKIPPED : 30;
	int rc = attempts();
	if (rc != 0)
		return rc;
	/* Kernels before 6.7 leave this to the filter. */
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 4 && can_connect() ? 31 : 0;
}

/* No file changed anywhere; reading goes on. */
static int changes_nothing(void)
{
	if (confine_why_not() != NULL)
		return SKIPPED;
	if (confine_to_dir(-1) < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? SKIPPED : 40;
	if (open("new", O_WRONLY | O_CREAT, 0600) >= 0 || open("/dev/null", O_WRONLY) >= 0 ||
	    mkdir("new", 0700) == 0)
		return 41;
	return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : 42;
}

#ifdef HAVE_LIBARCHIVE
static int character_sets(void)
{
	struct conf_global g = { .num_thrd = 1 };

	if (confine_why_not() != NULL)
		return SKIPPED;
	iconv_t before = iconv_open("UTF-8", "CP932"); /* does this machine have it? */
	if (before == (iconv_t)-1)
		return SKIPPED;
	iconv_close(before);
	confined_begin(&g);
	for (int i = 0; i < 5; i++) {
		iconv_t cd = iconv_open("UTF-8", "CP932");
		if (cd == (iconv_t)-1)
			return 50;
		iconv_close(cd);
	}
	return 0;
}
#endif

static void in_child(int (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(what());
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "it ended by signal %d", WTERMSIG(status));
	ck_assert_msg(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIPPED,
		"number %d", WEXITSTATUS(status));
}

START_TEST(worker)
{
	open_messages();
	in_child(confined);
}
END_TEST

START_TEST(landlock)
{
	open_messages();
	in_child(behind_landlock);
	in_child(changes_nothing);
}
END_TEST

START_TEST(archives)
{
#ifdef HAVE_LIBARCHIVE
	in_child(character_sets);
#endif
}
END_TEST

int main(void)
{
	Suite *s = suite_create("confined");
	TCase *t = tcase_create("confined");

	tcase_add_test(t, worker);
	tcase_add_test(t, landlock);
	tcase_add_test(t, archives);
	suite_add_tcase(s, t);
	return unit_run(s);
}
