/* check_quar_release.c - a message out of quarantine, to a server with a script. */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "digest.h"
#include "quar_release.h"
#include "unit.h"

#define HEARD_MAX (1u << 20)

/* The server says its first reply at once and each next one when what it waits
 * for has come: the end of a line, or that of a body. A reply that is NULL: it
 * closes the connection. */
struct turn {
	const char *until, *reply;
};

static struct {
	int listener;
	const struct turn *turns;
	pthread_t thread;
	size_t n;
	char heard[HEARD_MAX];
} server;

static char path[UNIT_PATH_SIZE], why[QUAR_RELEASE_WHY], id[QUAR_ID_SIZE];
static char digest_hex[DIGEST_HEX_SIZE];
static const char *const rcpts[] = { "b@example.net", "c@example.net" };
static struct conf_smtp conf;
static struct quar_meta meta;
static int dir;

/* False: the other side has gone. */
static bool hear(int fd, const char *until)
{
	const size_t from = server.n, k = strlen(until);

	for (;;) {
		if (server.n - from >= k && memmem(server.heard + from, server.n - from, until, k) != NULL)
			return true;
		ssize_t n = recv(fd, server.heard + server.n, HEARD_MAX - 1 - server.n, 0);
		if (n <= 0)
			return false;
		server.n += (size_t)n;
	}
}

static void *serve(void *arg)
{
	int fd = accept(server.listener, NULL, NULL);
	bool on = fd >= 0;

	(void)arg;
	for (const struct turn *t = server.turns; on; t++) {
		on = t->until == NULL || hear(fd, t->until);
		if (t->reply == NULL)
			break;
		if (on)
			(void)send(fd, t->reply, strlen(t->reply), MSG_NOSIGNAL);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void listen_at_any_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(server.listener, 1), 0);
	ck_assert_int_eq(getsockname(server.listener, (struct sockaddr *)&a, &len), 0);
	conf.server_port = ntohs(a.sin_port);
}

static void setup(void)
{
	unit_dir(path);
	dir = quar_dir_open(path);
	ck_assert_int_ge(dir, 0);
	quar_id_format(id, 1700000000000000, 7);
	conf = (struct conf_smtp){ .server_addr = "127.0.0.1", .timeout_banner = 30,
		.timeout_server = 30, .server_proxy_protocol = CONF_PROXY_NO };
	listen_at_any_port();
}

static void teardown(void)
{
	close(dir);
	close(server.listener);
}

/* Puts a message there, with what is known of it. */
static void keep(const char *text, size_t n)
{
	char file[UNIT_PATH_SIZE + QUAR_NAME_SIZE + 1], name[QUAR_NAME_SIZE];
	struct digest *d = digest_new();

	ck_assert(quar_dir_name(name, id, QUAR_FILE_MESSAGE));
	snprintf(file, sizeof file, "%s/%s", path, name);
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
	ck_assert_int_eq(digest_push(d, text, n), 0);
	ck_assert_int_eq(digest_end(d, digest_hex), 0);
	digest_free(&d);
	meta = (struct quar_meta){ .id = id, .sha256 = digest_hex, .size = n,
		.sender = "a@example.org", .rcpts = rcpts, .nrcpts = 1, .nrcpts_total = 1 };
}

static int release(const struct turn *turns, long long most_ms)
{
	server.turns = turns;
	server.n = 0;
	why[0] = '\0';
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
	int rc = quar_release(&conf, dir, &meta, NULL, 0, most_ms, why);
	pthread_join(server.thread, NULL);
	server.heard[server.n] = '\0';
	return rc;
}

static bool was_heard(const char *text)
{
	return strstr(server.heard, text) != NULL;
}

/* It is stuffed, and nothing is added. */
START_TEST(delivered)
{
	static const struct turn turns[] = { { NULL, "220 x\r\n" },
		{ "\r\n", "250-x\r\n250 SIZE 1000\r\n" }, { "\r\n", "250 ok\r\n" }, { "\r\n", "250 ok\r\n" },
		{ "DATA\r\n", "354 go\r\n" }, { "\r\n.\r\n", "250 queued\r\n" }, { "QUIT\r\n", NULL } };
	static const char text[] = "Subject: x\r\n\r\n.dot\r\nend\r\n";

	keep(text, sizeof text - 1);
	ck_assert_msg(release(turns, 0) == 0, "%s", why);
	ck_assert(was_heard("MAIL FROM:<a@example.org> SIZE=25\r\n"));
	ck_assert(was_heard("RCPT TO:<b@example.net>\r\n"));
	ck_assert(was_heard("DATA\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\n"));
	ck_assert(!was_heard("PROXY"));
}
END_TEST

/* Line ends of its own only go as a chunk. */
START_TEST(delivered_in_a_chunk)
{
	static const struct turn turns[] = { { NULL, "220 x\r\n" },
		{ "EHLO", "250-x\r\n250-BINARYMIME\r\n250 CHUNKING\r\n" }, { "MAIL", "250 ok\r\n" },
		{ "RCPT", "250 ok\r\n" }, { "\n.dot\n", "250 queued\r\n" }, { "QUIT\r\n", NULL } };
	static const char text[] = "Subject: x\n\n.dot\n";

	conf.server_proxy_protocol = CONF_PROXY_V1;
	keep(text, sizeof text - 1);
	ck_assert_msg(release(turns, 0) == 0, "%s", why);
	ck_assert_int_eq(strncmp(server.heard, "PROXY UNKNOWN\r\n", 15), 0);
	ck_assert(was_heard("BDAT 17 LAST\r\nSubject: x\n\n.dot\n"));
}
END_TEST

static const struct { const char *says; struct turn turns[8]; } refusals[] = {
	{ "closed the connection", { { NULL, NULL } } },
	{ "554 not you", { { NULL, "554 not you\r\n" } } },
	{ "550 no sender", { { NULL, "220 x\r\n" }, { "\r\n", "250 x\r\n" }, { "MAIL", "550 no sender\r\n" } } },
	{ "recipient b@example.net", { { NULL, "220 x\r\n" }, { "\r\n", "250 x\r\n" },
		{ "MAIL", "250 ok\r\n" }, { "RCPT", "550 unknown\r\n" } } },
	{ "452 full", { { NULL, "220 x\r\n" }, { "\r\n", "250 x\r\n" }, { "MAIL", "250 ok\r\n" },
		{ "RCPT", "250 ok\r\n" }, { "DATA", "452 full\r\n" } } },
	{ "554 no", { { NULL, "220 x\r\n" }, { "\r\n", "250 x\r\n" }, { "MAIL", "250 ok\r\n" },
		{ "RCPT", "250 ok\r\n" }, { "DATA", "354 go\r\n" }, { "\r\n.\r\n", "554 no\r\n" } } },
	{ "closed the connection", { { NULL, "220 x\r\n" }, { "\r\n", "250 x\r\n" }, { "MAIL", "250 ok\r\n" },
		{ "RCPT", "250 ok\r\n" }, { "DATA", "354 go\r\n" }, { "\r\n.\r\n", NULL } } },
	{ "", { { NULL, "220 x\r\nwhat?\r\n" } } },
};

START_TEST(refused)
{
	static const char text[] = "Subject: x\r\n\r\nx\r\n";

	keep(text, sizeof text - 1);
	ck_assert_int_eq(release(refusals[_i].turns, 0), -1);
	ck_assert_msg(strstr(why, refusals[_i].says) != NULL && why[0] != '\0', "%s", why);
}
END_TEST

/* A server that says in the middle of the body that it will have none of it, and
 * reads no further, is quoted. */
START_TEST(refused_in_the_middle)
{
	static const struct turn turns[] = { { NULL, "220 x\r\n" }, { "\r\n", "250 x\r\n" },
		{ "MAIL", "250 ok\r\n" }, { "RCPT", "250 ok\r\n" }, { "DATA", "354 go\r\n" },
		{ "x\r\nx\r\n", "552 too much\r\n" }, { NULL, NULL } };
	const size_t n = 3 * (5u << 20);
	char *text = malloc(n);

	for (size_t i = 0; i < n; i++)
		text[i] = "x\r\n"[i % 3];
	memcpy(text, "A: bb\r\n\r\n", 9);
	keep(text, n);
	ck_assert_int_eq(release(turns, 0), -1);
	ck_assert_msg(strstr(why, "552 too much") != NULL, "%s", why);
	free(text);
}
END_TEST

START_TEST(silent_server)
{
	static const struct turn turns[] = { { NULL, "220 x\r\n" }, { "\r\n", "250 x\r\n" },
		{ "never", "" }, { NULL, NULL } };

	keep("A: b\r\n\r\n", 8);
	if (_i == 0)
		conf.timeout_server = 1;
	ck_assert_int_eq(release(turns, _i == 0 ? 0 : 300), -1);
	ck_assert_msg(strstr(why, "timed out") != NULL, "%s", why);
}
END_TEST

/* Nothing is sent then. */
START_TEST(not_begun)
{
	keep("A: b\r\n\r\n", 8);
	meta.nrcpts_total = 2;
	ck_assert_int_eq(quar_release(&conf, dir, &meta, NULL, 0, 0, why), -1);
	ck_assert_ptr_nonnull(strstr(why, "only 1 of its 2 recipients"));
	meta.nrcpts_total = 1;
	meta.sender = "a b> <c";
	ck_assert_int_eq(quar_release(&conf, dir, &meta, NULL, 0, 0, why), -1);
	ck_assert_str_eq(why, "the sender is no address");
	meta.sender = "";
	digest_hex[0] ^= 1;
	ck_assert_int_eq(quar_release(&conf, dir, &meta, NULL, 0, 0, why), -1);
	ck_assert_ptr_nonnull(strstr(why, "SHA-256"));
	digest_hex[0] ^= 1;
	close(server.listener);
	ck_assert_int_eq(quar_release(&conf, dir, &meta, rcpts, 2, 0, why), -1);
	ck_assert_msg(strstr(why, "refused") != NULL, "%s", why);
	conf.server_addr = "";
	ck_assert_int_eq(quar_release(&conf, dir, &meta, rcpts, 2, 0, why), -1);
	ck_assert_msg(strstr(why, "server_addr") != NULL, "%s", why);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quar_release");
	TCase *tc = tcase_create("quar_release");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, delivered);
	tcase_add_test(tc, delivered_in_a_chunk);
	tcase_add_loop_test(tc, refused, 0, sizeof refusals / sizeof refusals[0]);
	tcase_add_test(tc, refused_in_the_middle);
	tcase_add_loop_test(tc, silent_server, 0, 2);
	tcase_add_test(tc, not_begun);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
