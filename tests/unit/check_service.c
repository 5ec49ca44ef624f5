/* check_service.c - what the service manager hears, by a socket of our own. */
#include "service.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "unit.h"

static char dir[UNIT_PATH_SIZE];
static char path[UNIT_PATH_SIZE + 8];
static int fd = -1;

static void quiet(void)
{
	const struct log_cfg cfg = { -1, 0, false, false };

	log_open("check_service", &cfg);
}

/* Listens at a path or, with @ in front, at an abstract name. */
static void listen_at(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = 5 };
	size_t n = strlen(name);

	memcpy(a.sun_path, name, n);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static const char *heard(void)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void all_messages(const char *name)
{
	char want[128];
	long long usec;
	struct timespec ts;
	int end = 0;

	listen_at(name);
	service_init();
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	service_ready("%u workers", 3u);
	snprintf(want, sizeof want, "READY=1\nMAINPID=%ld\nSTATUS=3 workers\n", (long)getpid());
	ck_assert_str_eq(heard(), want);
	service_reloading();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ck_assert_int_eq(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading\n%n",
		&usec, &end), 1);
	ck_assert_int_gt(end, 0);
	ck_assert_int_le(llabs(ts.tv_sec * 1000000LL + ts.tv_nsec / 1000 - usec), 30 * 1000000LL);
	service_stopping();
	ck_assert_str_eq(heard(), "STOPPING=1\nSTATUS=stopping\n");
}

START_TEST(by_path)
{
	all_messages(path);
}
END_TEST

START_TEST(by_abstract_name)
{
	char name[64];

	snprintf(name, sizeof name, "@check_service-%ld", (long)getpid());
	all_messages(name);
}
END_TEST

/* The longest path that the structure holds with its end, and one more. */
START_TEST(length)
{
	struct sockaddr_un a;
	char name[sizeof a.sun_path + 1];

	memset(name, 'x', sizeof name);
	memcpy(name, path, strlen(path));
	name[sizeof a.sun_path - 1] = '\0';
	listen_at(name);
	service_init();
	service_stopping();
	ck_assert_str_eq(heard(), "STOPPING=1\nSTATUS=stopping\n");
	unlink(name);
	name[sizeof a.sun_path - 1] = 'x';
	name[sizeof a.sun_path] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	service_init();
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	service_stopping();
	ck_assert_int_eq(recv(fd, name, 1, MSG_DONTWAIT), -1);
}
END_TEST

/* A status that is too long is cut; the line keeps its end. */
START_TEST(long_status)
{
	char text[1000];

	memset(text, 's', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	listen_at(path);
	service_init();
	service_ready("%s", text);
	const char *got = heard();
	const char *status = strstr(got, "STATUS=");
	ck_assert_ptr_nonnull(status);
	ck_assert_uint_eq(strspn(status + 7, "s"), 199);
	ck_assert_str_eq(status + 7 + 199, "\n");
}
END_TEST

/* No socket, nonsense, nobody there, nobody who reads: nothing happens. */
START_TEST(nobody)
{
	static const char *const names[] = { NULL, "", "/", "@", "relative", "vsock:2:1234",
		"/nonexistent/notify" };
	int small = 1;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (names[i] == NULL)
			unsetenv("NOTIFY_SOCKET");
		else
			setenv("NOTIFY_SOCKET", names[i], 1);
		service_init();
		ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
		service_ready("x");
	}
	listen_at(path);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	service_init();
	/* Until the queue is full, and once more: that one gives up. */
	int flags = SOCK_DGRAM | SOCK_NONBLOCK, s = socket(AF_UNIX, flags, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path, path, strlen(path));
	while (sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof a) == 1)
		;
	ck_assert_int_eq(errno, EAGAIN);
	close(s);
	service_stopping();
}
END_TEST

/* Only what is meant for this process, and nothing is left for others. */
START_TEST(passed_sockets)
{
	char own[32];
	const struct { const char *pid, *fds; unsigned want; } cases[] = {
		{ own, "2", 2 }, { own, "0", 0 }, { own, "64", 64 }, { own, "65", 0 }, { own, "-1", 0 },
		{ own, "2x", 0 }, { own, "", 0 }, { own, NULL, 0 }, { "1", "2", 0 }, { "", "2", 0 },
		{ NULL, "2", 0 },
	};

	snprintf(own, sizeof own, "%ld", (long)getpid());
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		unsetenv("LISTEN_PID");
		if (cases[i].pid != NULL)
			setenv("LISTEN_PID", cases[i].pid, 1);
		if (cases[i].fds != NULL)
			setenv("LISTEN_FDS", cases[i].fds, 1);
		setenv("LISTEN_FDNAMES", "a:b", 1);
		service_init();
		ck_assert_uint_eq(service_fds(), cases[i].want);
		ck_assert_ptr_null(getenv("LISTEN_PID"));
		ck_assert_ptr_null(getenv("LISTEN_FDS"));
		ck_assert_ptr_null(getenv("LISTEN_FDNAMES"));
	}
}
END_TEST

static void each_begin(void)
{
	unit_dir(dir);
	snprintf(path, sizeof path, "%s/notify", dir);
	quiet();
}

static void each_end(void)
{
	close(fd);
}

int main(void)
{
	Suite *s = suite_create("service");
	TCase *t = tcase_create("service");

	tcase_add_checked_fixture(t, each_begin, each_end);
	tcase_add_test(t, by_path);
	tcase_add_test(t, by_abstract_name);
	tcase_add_test(t, length);
	tcase_add_test(t, long_status);
	tcase_add_test(t, nobody);
	tcase_add_test(t, passed_sockets);
	suite_add_tcase(s, t);
	return unit_run(s);
}
