/* check_listen.c - the shared table of server addresses, and listening sockets
 * that are opened, taken over, and given back when one of them fails. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "listen.h"
#include "split.h"
#include "unit.h"

/* ---- the table ---------------------------------------------------------- */

/* n entries that all tell of the same number. */
static void entries(struct net_endpoint *e, unsigned n, unsigned number)
{
	memset(e, 0, n * sizeof *e);
	for (unsigned i = 0; i < n; i++) {
		e[i].addr.family = AF_INET;
		e[i].addr.port = (uint16_t)number;
		memset(e[i].addr.ip, (int)(number & 255), 16);
		memset(e[i].path, 'a' + (int)(number % 26), 50);
	}
}

START_TEST(table_keeps)
{
	struct net_endpoint in[NET_ADDRS_MAX + 4], out[NET_ADDRS_MAX + 4];
	struct server_table *t = server_table_new();

	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(server_table_get(t, out, NET_ADDRS_MAX), 0);
	entries(in, NET_ADDRS_MAX + 4, 7);
	in[1].addr.port = 8;
	server_table_set(t, in, 3);
	ck_assert_uint_eq(server_table_get(t, out, NET_ADDRS_MAX), 3);
	ck_assert_mem_eq(in, out, 3 * sizeof *in);
	ck_assert_uint_eq(server_table_get(t, out, 2), 2);
	ck_assert_uint_eq(server_table_get(t, out, 0), 0);
	server_table_set(t, in, NET_ADDRS_MAX + 4);
	ck_assert_uint_eq(server_table_get(t, out, NET_ADDRS_MAX + 4), NET_ADDRS_MAX);
	ck_assert_mem_eq(in, out, NET_ADDRS_MAX * sizeof *in);
	server_table_set(t, NULL, 0);
	ck_assert_uint_eq(server_table_get(t, out, NET_ADDRS_MAX), 0);
	server_table_free(&t);
	ck_assert_ptr_null(t);
	server_table_free(&t);
}
END_TEST

/* 0; 1 half of something; 2 nothing was written meanwhile. */
static int read_while_written(const struct server_table *t)
{
	struct net_endpoint e[NET_ADDRS_MAX];
	unsigned changes = 0, last = 0;

	/* On a busy machine the reader may have to wait for the writer's turn. */
	for (int i = 0; i < 200000 || (changes <= 10 && i < 200000000); i++) {
		unsigned n = server_table_get(t, e, NET_ADDRS_MAX);
		if (n != last)
			changes++;
		last = n;
		if (e[0].addr.port == 1 && n == NET_ADDRS_MAX)
			continue; /* as it was at first */
		for (unsigned k = 0; k < n; k++) {
			if (e[k].addr.port != n || e[k].addr.ip[15] != n ||
			    e[k].path[49] != 'a' + (int)(n % 26))
				return 1;
		}
	}
	return changes > 10 ? 0 : 2;
}

/* A reader sees one state or another, never the half of each. */
START_TEST(table_across_processes)
{
	struct server_table *t = server_table_new();
	struct net_endpoint e[NET_ADDRS_MAX];
	int status;

	entries(e, NET_ADDRS_MAX, 1);
	server_table_set(t, e, NET_ADDRS_MAX);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(read_while_written(t));
	for (unsigned i = 1; waitpid(pid, &status, WNOHANG) == 0; i++) {
		unsigned n = 1 + i % NET_ADDRS_MAX;
		entries(e, n, n);
		server_table_set(t, e, n);
	}
	ck_assert_int_eq(status, 0);
	server_table_free(&t);
}
END_TEST

/* Of a child's mappings none is writable, or can be made so. */
static int table_is_read_only(void)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	int found = 0;
	bool here = false;

	while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
		if (strstr(line, "memfd:esets-servers") != NULL) {
			found++;
			here = true;
			if (strstr(line, " r--s ") == NULL)
				return 1;
		} else if (here && strncmp(line, "VmFlags:", 8) == 0) {
			here = false;
			if (strstr(line, " mw") != NULL)
				return 2;
		}
	}
	return found == 1 ? 0 : 3;
}

START_TEST(table_of_a_child)
{
	struct server_table *t = server_table_new();
	struct net_endpoint e[NET_ADDRS_MAX];
	int status;

	entries(e, 3, 1);
	server_table_set(t, e, 3);
	pid_t pid = fork();
	if (pid == 0)
		_exit(server_table_get(t, e, NET_ADDRS_MAX) == 3 ? table_is_read_only() : 4);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	server_table_free(&t);
}
END_TEST

/* ---- sockets ------------------------------------------------------------ */

static struct conf conf;
static char dir[UNIT_PATH_SIZE], why[256];

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* A bound socket and its port, to find a free one or to hold one. */
static int hold_port(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void setup(void)
{
	unit_dir(dir);
	int fd = hold_port(&conf.smtp.listen_port);
	close(fd);
	why[0] = '\0';
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(dir), 0);
}

static void must_answer(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd);
}

START_TEST(opened)
{
	static char list[256];
	struct listen_set set;
	unsigned fds = open_fds();
	struct stat st;
	char path[100];

	snprintf(path, sizeof path, "%s/sock", dir);
	snprintf(list, sizeof list, "127.0.0.1, unix:%s", path);
	conf.smtp.listen_addr = list;
	ck_assert_msg(listen_open(&set, NULL, &conf, why, sizeof why) == 0, "%s", why);
	ck_assert_uint_eq(set.n, 2);
	must_answer(conf.smtp.listen_port);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(listen_try(&conf, why, sizeof why), 0); /* all in use */
	listen_close(&set);
	ck_assert_uint_eq(set.n, 0);
	ck_assert_int_lt(stat(path, &st), 0);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(in_use)
{
	struct listen_set set;
	int held = hold_port(&conf.smtp.listen_port);
	unsigned fds = open_fds();

	conf.smtp.listen_addr = "127.0.0.1";
	ck_assert_int_eq(listen_open(&set, NULL, &conf, why, sizeof why), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(why, "cannot listen on 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(why, "in use"));
	ck_assert_uint_eq(set.n, 0);
	ck_assert_uint_eq(open_fds(), fds);
	close(held);
}
END_TEST

START_TEST(tried)
{
	static char list[256];
	char path[100];

	conf.smtp.listen_addr = "127.0.0.1, 192.0.2.1";
	ck_assert_int_eq(listen_try(&conf, why, sizeof why), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(why, "cannot listen on 192.0.2.1:"));
	snprintf(path, sizeof path, "%s/file", dir);
	snprintf(list, sizeof list, "unix:%s", path);
	conf.smtp.listen_addr = list;
	ck_assert_int_eq(listen_try(&conf, why, sizeof why), 0);
	ck_assert_int_eq(close(creat(path, 0600)), 0);
	ck_assert_int_eq(listen_try(&conf, why, sizeof why), -1);
	ck_assert_int_eq(errno, ENOTSOCK);
	ck_assert_ptr_nonnull(strstr(why, list));
	unlink(path);
	conf.smtp.listen_addr = "host.invalid";
	ck_assert_int_eq(listen_try(&conf, why, sizeof why), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(no_address)
{
	struct listen_set set = { .n = 5 };

	conf.smtp.listen_addr = "host.invalid";
	ck_assert_int_eq(listen_open(&set, NULL, &conf, why, sizeof why), -1);
	ck_assert_ptr_nonnull(strstr(why, "host.invalid"));
	ck_assert_uint_eq(set.n, 0);
}
END_TEST

/* A reload: the same addresses keep their sockets, so that nobody who waits
 * in the accept queue is refused. */
START_TEST(taken_over)
{
	static char list[256];
	struct listen_set old, set;
	char path[100];

	snprintf(path, sizeof path, "%s/sock", dir);
	snprintf(list, sizeof list, "127.0.0.1, unix:%s, 127.0.0.3", path);
	conf.smtp.listen_addr = list;
	ck_assert_msg(listen_open(&old, NULL, &conf, why, sizeof why) == 0, "%s", why);
	int tcp = old.l[0].fd, local = old.l[1].fd, dropped = old.l[2].fd;
	unsigned fds = open_fds();
	snprintf(list, sizeof list, "127.0.0.2, unix:%s, 127.0.0.1", path);
	ck_assert_msg(listen_open(&set, &old, &conf, why, sizeof why) == 0, "%s", why);
	ck_assert_uint_eq(set.n, 3);
	ck_assert_int_eq(set.l[1].fd, local);
	ck_assert_int_eq(set.l[2].fd, tcp);
	ck_assert_int_eq(old.l[0].fd, -1);
	ck_assert_int_eq(old.l[1].fd, -1);
	ck_assert_int_eq(old.l[2].fd, dropped);
	ck_assert_uint_eq(open_fds(), fds + 1);
	listen_close(&old);
	must_answer(conf.smtp.listen_port);
	ck_assert_int_eq(access(path, F_OK), 0);
	listen_close(&set);
	ck_assert_uint_eq(open_fds(), fds - 3);
}
END_TEST

/* As a worker can do it, for all that have the socket. */
static void take_apart(int fd)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	ck_assert_int_eq(connect(fd, &nowhere, sizeof nowhere), 0);
}

/* Those that listen are left alone, and with them who waits in their queues. */
START_TEST(mended)
{
	static char list[256];
	struct listen_set set;
	int others[2];

	snprintf(list, sizeof list, "127.0.0.1, unix:%s/sock, 127.0.0.2", dir);
	conf.smtp.listen_addr = list;
	ck_assert_msg(listen_open(&set, NULL, &conf, why, sizeof why) == 0, "%s", why);
	unsigned fds = open_fds();
	ck_assert(!listen_mend(&set));
	others[0] = set.l[1].fd;
	others[1] = set.l[2].fd;
	set.l[0].is_passed = true;
	take_apart(set.l[0].fd);
	ck_assert(!net_is_listening(set.l[0].fd));
	ck_assert(listen_mend(&set));
	ck_assert(!listen_mend(&set));
	ck_assert(!set.l[0].is_passed);
	must_answer(conf.smtp.listen_port);
	ck_assert_int_eq(set.l[1].fd, others[0]);
	ck_assert_int_eq(set.l[2].fd, others[1]);
	ck_assert_uint_eq(open_fds(), fds);
	listen_close(&set);
	ck_assert(!listen_mend(&set));
}
END_TEST

/* Whoever has the port meanwhile keeps it; a reload does not take what is dead. */
START_TEST(mended_later)
{
	struct listen_set old, set;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(conf.smtp.listen_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	conf.smtp.listen_addr = "127.0.0.1";
	ck_assert_msg(listen_open(&old, NULL, &conf, why, sizeof why) == 0, "%s", why);
	int fd = old.l[0].fd;
	take_apart(fd);
	setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	ck_assert_int_eq(bind(other, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(listen(other, 1), 0);
	ck_assert(!listen_mend(&old));
	ck_assert_int_eq(old.l[0].fd, fd);
	ck_assert_int_eq(listen_open(&set, &old, &conf, why, sizeof why), -1);
	ck_assert_int_eq(old.l[0].fd, fd);
	close(other);
	ck_assert_msg(listen_open(&set, &old, &conf, why, sizeof why) == 0, "%s", why);
	ck_assert_int_eq(old.l[0].fd, fd);
	listen_close(&old);
	must_answer(conf.smtp.listen_port);
	listen_close(&set);
}
END_TEST

/* One that fails: all is as it was before. */
START_TEST(given_back)
{
	static char list[256];
	struct listen_set old, set;
	uint16_t port;
	int held = hold_port(&port);
	unsigned fds = open_fds();

	conf.smtp.listen_port = port;
	conf.smtp.listen_addr = "127.0.0.2";
	ck_assert_msg(listen_open(&old, NULL, &conf, why, sizeof why) == 0, "%s", why);
	int fd = old.l[0].fd;
	snprintf(list, sizeof list, "127.0.0.2, unix:%s/sock, 127.0.0.3, 127.0.0.1", dir);
	conf.smtp.listen_addr = list;
	ck_assert_int_eq(listen_open(&set, &old, &conf, why, sizeof why), -1);
	ck_assert_uint_eq(set.n, 0);
	ck_assert_uint_eq(old.n, 1);
	ck_assert_int_eq(old.l[0].fd, fd);
	ck_assert_uint_eq(open_fds(), fds + 1);
	listen_close(&old);
	close(held);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listen");
	TCase *table = tcase_create("table"), *sockets = tcase_create("sockets");

	tcase_add_test(table, table_keeps);
	tcase_add_test(table, table_across_processes);
	tcase_add_test(table, table_of_a_child);
	tcase_set_timeout(table, 120);
	tcase_add_checked_fixture(sockets, setup, teardown);
	tcase_add_test(sockets, opened);
	tcase_add_test(sockets, in_use);
	tcase_add_test(sockets, tried);
	tcase_add_test(sockets, no_address);
	tcase_add_test(sockets, taken_over);
	tcase_add_test(sockets, mended);
	tcase_add_test(sockets, mended_later);
	tcase_add_test(sockets, given_back);
	tcase_set_timeout(sockets, 60);
	suite_add_tcase(suite, table);
	suite_add_tcase(suite, sockets);
	return unit_run(suite);
}
