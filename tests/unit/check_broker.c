/* check_broker.c - a worker gets connections to the addresses that the broker has,
 * and to no others. The engines are made up: two lists, one of them shorter. */
#include "broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/daemon/broker_int.h"
#include "unit.h"

#define WAIT_MS 5000
#define MANY 800    /* more requests than a socket holds */

static struct engine_ext first, third;
static struct engine_addresses lists[ENGINES_EXTERNAL];
static int pair[2], listener;
static pid_t broker;
static char dir[UNIT_PATH_SIZE], path[UNIT_PATH_SIZE + 8];

/* --- what the broker asks of the engines --- */

struct engine_ext *engines_external(unsigned n)
{
	return n == 0 ? &first : n == 2 ? &third : NULL;
}

void engine_ext_addresses(struct engine_ext *e, struct engine_addresses *out)
{
	*out = lists[e == &first ? 0 : 2];
}

void engine_ext_resolve(struct engine_ext *e)
{
	(void)e;
}

/* --- a broker, and this process as a worker --- */

static int run(void)
{
	close(pair[0]);
	close(listener);
	return broker_run(pair[1], NULL);
}

static void start(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	broker = fork();
	ck_assert_int_ge(broker, 0);
	if (broker == 0)
		_exit(run());
}

static struct net_endpoint at_path(const char *name)
{
	struct net_endpoint e = { .addr = { .family = AF_UNIX } };

	snprintf(e.path, sizeof e.path, "%s", name);
	return e;
}

static struct net_endpoint at_port(uint16_t port)
{
	struct net_endpoint e = { .addr = { .family = AF_INET, .port = port } };

	memcpy(e.addr.ip, "\177\0\0\1", 4);
	return e;
}

static void add(unsigned engine, struct net_endpoint e)
{
	lists[engine].ep[lists[engine].n++] = e;
}

static void setup(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	unit_dir(dir);
	snprintf(path, sizeof path, "%s/s", dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	strcpy(un.sun_path, path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&un, sizeof un), 0);
	ck_assert_int_eq(listen(listener, 5), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	memset(lists, 0, sizeof lists);
	add(0, at_path("/nowhere/at/all"));
	add(2, at_path(path));
	broker_use(pair[0]);
	start();
}

static void teardown(void)
{
	int status;

	kill(broker, SIGTERM);
	ck_assert_int_eq(waitpid(broker, &status, 0), broker);
	ck_assert_int_eq(status, 0);
}

static int wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, WAIT_MS);
}

/* The socket, -1 with errno. */
static int dial(struct net_endpoint e)
{
	int ask = broker_ask(&e);

	ck_assert_int_ge(ask, 0);
	ck_assert_int_eq(wait_for(ask), 1);
	return broker_take(ask);
}

START_TEST(connects)
{
	char c;
	int fd = dial(at_path(path));

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	int conn = accept(listener, NULL, NULL);
	ck_assert_int_ge(conn, 0);
	ck_assert_int_eq(send(fd, "x", 1, 0), 1);
	ck_assert_int_eq(recv(conn, &c, 1, 0), 1);
	close(fd);
	/* The broker has kept nothing of it. */
	ck_assert_int_eq(recv(conn, &c, 1, 0), 0);
	close(conn);
}
END_TEST

START_TEST(says_why_not)
{
	ck_assert_int_eq(dial(at_path("/nowhere/at/all")), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* What the broker does not have is not reached, though it is there. */
START_TEST(only_what_it_has)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	int other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(other, (struct sockaddr *)&in, sizeof in), 0);
	ck_assert_int_eq(listen(other, 5), 0);
	ck_assert_int_eq(getsockname(other, (struct sockaddr *)&in, &len), 0);
	ck_assert_int_eq(dial(at_port(ntohs(in.sin_port))), -1);
	ck_assert_int_eq(errno, ENXIO);
	ck_assert_int_eq(accept(other, NULL, NULL), -1);
	close(other);
}
END_TEST

START_TEST(numbers_differ)
{
	struct net_endpoint e = at_port(3310), f = e;
	const uint64_t n = broker_number(&e);

	ck_assert_uint_gt(n, BROKER_LOG);
	ck_assert_uint_eq(broker_number(&f), n);
	f.addr.port++;
	ck_assert_uint_ne(broker_number(&f), n);
	f = e;
	f.addr.ip[3]++;
	ck_assert_uint_ne(broker_number(&f), n);
	f = e;
	f.addr.family = AF_INET6;
	ck_assert_uint_ne(broker_number(&f), n);
	f = at_path("/a");
	e = at_path("/b");
	ck_assert_uint_ne(broker_number(&e), broker_number(&f));
}
END_TEST

START_TEST(lists_its_addresses)
{
	struct engine_addresses a;

	ck_assert_int_eq(broker_list(2, &a, WAIT_MS), 0);
	ck_assert_uint_eq(a.n, 1);
	ck_assert_str_eq(a.ep[0].path, path);
	ck_assert_int_eq(broker_list(1, &a, WAIT_MS), -1);
	ck_assert_int_eq(broker_list(77, &a, WAIT_MS), -1);
}
END_TEST

/* A worker that was taken over sends what it likes. */
START_TEST(bad_requests)
{
	struct broker_request r = { .number = 1 };
	char many[64] = "";
	int ends[2], null = open("/dev/null", O_RDONLY);

	ck_assert_int_eq(net_send_fd(pair[0], "x", 1, -1), 1);
	ck_assert_int_eq(net_send_fd(pair[0], many, sizeof many, null), sizeof many);
	ck_assert_int_eq(net_send_fd(pair[0], &r, sizeof r, -1), sizeof r);
	ck_assert_int_eq(net_send_fd(pair[0], &r, sizeof r, null), sizeof r);
	ck_assert_int_eq(net_send_fd(pair[0], &r, sizeof r, pair[0]), sizeof r);
	ck_assert_int_eq(send(pair[0], "", 0, 0), 0);
	/* Nor does one hold it up by not reading. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while (send(ends[0], many, sizeof many, 0) > 0)
		;
	fcntl(ends[0], F_SETFL, 0);
	r.number = BROKER_LIST;
	ck_assert_int_eq(net_send_fd(pair[0], &r, sizeof r, ends[0]), sizeof r);
	int fd = dial(at_path(path));
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	close(null);
}
END_TEST

/* Somebody else who holds that socket has it block, again and again. */
START_TEST(asker_that_blocks)
{
	const struct broker_request r = { .number = BROKER_LIST, .engine = 2 };
	char many[64] = "";
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	while (send(ends[0], many, sizeof many, 0) > 0)
		;
	pid_t other = fork();
	ck_assert_int_ge(other, 0);
	while (other == 0)
		fcntl(ends[0], F_SETFL, 0);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(net_send_fd(pair[0], &r, sizeof r, ends[0]), sizeof r);
		int fd = dial(at_path("/nowhere/at/all"));
		ck_assert_int_eq(fd, -1);
	}
	kill(other, SIGKILL);
	ck_assert_int_eq(waitpid(other, NULL, 0), other);
}
END_TEST

/* What was asked while there was none is for the next. */
START_TEST(another_broker)
{
	struct net_endpoint e = at_path(path);
	int status;

	kill(broker, SIGKILL);
	ck_assert_int_eq(waitpid(broker, &status, 0), broker);
	int ask = broker_ask(&e);
	ck_assert_int_ge(ask, 0);
	start();
	ck_assert_int_eq(wait_for(ask), 1);
	int fd = broker_take(ask);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

/* One that dies with the request in its hands: it may be asked again. */
START_TEST(broker_dies)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	close(ends[1]);
	ck_assert_int_eq(broker_take(ends[0]), -1);
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(leaves_with_the_workers)
{
	int status;

	close(pair[0]);
	close(pair[1]);
	ck_assert_int_eq(waitpid(broker, &status, 0), broker);
	ck_assert_int_eq(status, 0);
	start(); /* for teardown */
}
END_TEST

/* It stands still: the worker is told so at once. */
START_TEST(full_queue)
{
	unsigned n = 0;
	int fd[MANY];
	struct net_endpoint e = at_path(path);
	struct rlimit rl;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = rl.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	kill(broker, SIGSTOP);
	while (n < MANY && (fd[n] = broker_ask(&e)) >= 0)
		n++;
	ck_assert_uint_lt(n, MANY);
	ck_assert_int_eq(errno, EAGAIN);
	kill(broker, SIGCONT);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(wait_for(fd[i]), 1);
		int got = broker_take(fd[i]);
		if (got >= 0)
			close(got);
		else
			ck_assert_int_eq(errno, EAGAIN); /* nobody accepts them */
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker");
	TCase *t = tcase_create("broker");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, connects);
	tcase_add_test(t, says_why_not);
	tcase_add_test(t, only_what_it_has);
	tcase_add_test(t, numbers_differ);
	tcase_add_test(t, lists_its_addresses);
	tcase_add_test(t, bad_requests);
	tcase_add_test(t, asker_that_blocks);
	tcase_add_test(t, another_broker);
	tcase_add_test(t, broker_dies);
	tcase_add_test(t, leaves_with_the_workers);
	tcase_add_test(t, full_queue);
	suite_add_tcase(s, t);
	return unit_run(s);
}
