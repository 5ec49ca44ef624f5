/* check_smtp_link.c - a tool's connection: its ends in time, and what a server
 * says without being asked. */
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "smtp_link.h"
#include "unit.h"

#define LONG_MS 60000      /* never waited for */
#define SHORT_MS 200

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Listens at 127.0.0.host; *port 0: at any port, which is told. */
static int listener(unsigned host, uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(*port),
		.sin_addr.s_addr = htonl((127u << 24) + host) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* Connections nobody takes, until the next one hangs. */
static void choke(unsigned host, uint16_t port)
{
	const struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl((127u << 24) + host) };

	for (int i = 0; i < 8; i++) {
		struct pollfd p = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
			.events = POLLOUT };
		(void)connect(p.fd, (const struct sockaddr *)&a, sizeof a);
		if (poll(&p, 1, SHORT_MS) == 0)
			return;
	}
	ck_abort_msg("connections are still accepted");
}

/* Several addresses that hang take no longer together than all may take. */
START_TEST(end_of_all_holds_for_connecting)
{
	struct smtp_link l;
	uint16_t port = 0;
	char why[400];

	listener(1, &port);
	listener(2, &port);
	choke(1, port);
	choke(2, port);
	const long long began = now_ms();
	ck_assert_int_eq(smtp_link_open(&l, "127.0.0.1, 127.0.0.2", "server_addr", port, LONG_MS,
		SHORT_MS, why, sizeof why), -1);
	ck_assert_ptr_nonnull(strstr(why, "timed out"));
	ck_assert_int_lt(now_ms() - began, LONG_MS / 2);
	ck_assert_int_ge(now_ms() - began, SHORT_MS);
}
END_TEST

/* A server at the other end, and the link to it. */
static int link_to(struct smtp_link *l, long long timeout_ms, long long most_ms)
{
	uint16_t port = 0;
	char why[400];
	int fd = listener(1, &port);

	ck_assert_msg(smtp_link_open(l, "127.0.0.1", "server_addr", port, timeout_ms, most_ms, why,
		sizeof why) == 0, "%s", why);
	int server = accept(fd, NULL, NULL);
	ck_assert_int_ge(server, 0);
	close(fd);
	return server;
}

static void say(int server, const char *text)
{
	ck_assert_int_eq(send(server, text, strlen(text), 0), (ssize_t)strlen(text));
}

START_TEST(replies_in_time)
{
	struct smtp_link l;

	for (int all = 0; all < 2; all++) {
		int server = link_to(&l, all ? LONG_MS : SHORT_MS, all ? SHORT_MS : 0);
		say(server, "250-a\r\n250 b\r\n");
		ck_assert_int_eq(smtp_link_reply(&l), 1);
		ck_assert_int_eq(l.reply.code, 250);
		say(server, "250-a\r\n"); /* and no more */
		ck_assert_int_eq(smtp_link_reply(&l), -1);
		ck_assert_str_eq(l.why, "timed out");
		smtp_link_close(&l);
		close(server);
	}
}
END_TEST

static void wait_readable(const struct smtp_link *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, LONG_MS), 1);
}

START_TEST(quiet)
{
	struct smtp_link l;
	int server = link_to(&l, LONG_MS, 0);

	ck_assert(smtp_link_is_quiet(&l));
	say(server, "220 x\r\n250 y");
	wait_readable(&l);
	ck_assert(!smtp_link_is_quiet(&l));
	ck_assert_int_eq(smtp_link_reply(&l), 1);
	ck_assert(!smtp_link_is_quiet(&l)); /* half a line is there */
	say(server, "\r\n");
	ck_assert_int_eq(smtp_link_reply(&l), 1);
	ck_assert_int_eq(l.reply.code, 250);
	ck_assert(smtp_link_is_quiet(&l));
	close(server);
	wait_readable(&l);
	ck_assert(!smtp_link_is_quiet(&l));
	ck_assert_int_eq(smtp_link_reply(&l), -1);
	ck_assert_str_eq(l.why, "the server closed the connection");
	smtp_link_close(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smtp_link");
	TCase *tc = tcase_create("smtp_link");

	tcase_add_test(tc, end_of_all_holds_for_connecting);
	tcase_add_test(tc, replies_in_time);
	tcase_add_test(tc, quiet);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
