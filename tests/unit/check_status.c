/* check_status.c - --status: the socket that hands the counters out, and what
 * is printed. */
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sealed.h"
#include "stats.h"
#include "status_sock.h"
#include "unit.h"

static char dir[UNIT_PATH_SIZE];
static char path[UNIT_PATH_SIZE + 8];
static const struct proc_identity self = { .drop = false };

static void set_up(void)
{
	unit_dir(dir);
	snprintf(path, sizeof path, "%s/s", dir);
}

/* A parent that answers until it is killed. */
static pid_t parent_new(enum stats_program who)
{
	struct unix_sock s;

	ck_assert_int_eq(stats_init(who, 2, 2), 0);
	ck_assert_int_eq(status_sock_open(&s, path, &self), 0);
	pid_t pid = fork();
	if (pid == 0) {
		fcntl(s.fd, F_SETFL, 0); /* waits in accept */
		for (;;)
			status_sock_serve(&s);
	}
	unix_sock_close(&s);
	return pid;
}

static void kill_wait(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* --- the socket ----------------------------------------------------------- */

START_TEST(test_hands_out)
{
	struct status_map m;
	struct stat st;
	const char *why;
	char text[200];
	pid_t pid = parent_new(STATS_AGENT);

	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(status_sock_fetch(path, 5000, &m, text, sizeof text), STATUS_SOCK_OK);
		struct stats_view *v = stats_view_new(m.map, m.size, &why);
		ck_assert_ptr_nonnull(v);
		stats_thread(0, 1);
		stats_add(ST_MSGS, 1); /* it is the same memory */
		ck_assert_uint_eq(stats_view_value(v, stats_view_find(v,
			"messages_received_total", "")), (uint64_t)i + 1);
		stats_view_free(&v);
		status_sock_unmap(&m);
	}
	kill_wait(pid);
	/* Dead, its name still there: not running, and the next takes it over. */
	ck_assert_int_eq(status_sock_fetch(path, 5000, &m, text, sizeof text), STATUS_SOCK_NONE);
	ck_assert_ptr_null(m.map);
	kill_wait(parent_new(STATS_AGENT));
	unlink(path);
	ck_assert_int_eq(status_sock_fetch(path, 5000, &m, text, sizeof text), STATUS_SOCK_NONE);
}
END_TEST

START_TEST(test_open_fails)
{
	struct unix_sock s, other;
	char deep[80], way_too_long[300];

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	ck_assert_int_eq(status_sock_open(&s, path, &self), 0);
	ck_assert_int_eq(status_sock_open(&other, path, &self), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	unix_sock_remove(&other); /* not its own */
	ck_assert_int_eq(access(path, F_OK), 0);
	unix_sock_remove(&s);
	ck_assert_int_eq(access(path, F_OK), -1);
	unix_sock_close(&s);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(status_sock_open(&s, path, &self), -1);
	ck_assert_int_eq(errno, ENOTSOCK);
	ck_assert_int_eq(access(path, F_OK), 0);
	snprintf(deep, sizeof deep, "%s/x/s", path);
	ck_assert_int_eq(status_sock_open(&s, deep, &self), -1);
	memset(way_too_long, '/', sizeof way_too_long);
	way_too_long[sizeof way_too_long - 1] = '\0';
	ck_assert_int_eq(status_sock_open(&s, way_too_long, &self), -1);
}
END_TEST

/* A parent that is busy or stopped holds the reader up no longer than it wants. */
START_TEST(test_no_answer)
{
	struct status_map m;
	struct unix_sock s;
	char text[200];

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	ck_assert_int_eq(status_sock_open(&s, path, &self), 0);
	ck_assert_int_eq(status_sock_fetch(path, 50, &m, text, sizeof text), STATUS_SOCK_BROKEN);
	ck_assert_msg(strstr(text, "busy or stopped") != NULL, "%s", text);
	for (int i = 0; i < 200; i++) { /* until its queue is full, and beyond */
		enum status_sock_result r = status_sock_fetch(path, 1, &m, text, sizeof text);
		ck_assert_int_eq(r, STATUS_SOCK_BROKEN);
	}
	unix_sock_close(&s);
}
END_TEST

/* Readers that vanish, never read and come by the hundred: the parent does not
 * wait, and answers the next. */
START_TEST(test_bad_readers)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct unix_sock s;
	int readers[100];

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	ck_assert_int_eq(status_sock_open(&s, path, &self), 0);
	strcpy(un.sun_path, path);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 60; i++) {
			readers[i] = socket(AF_UNIX, SOCK_SEQPACKET, 0);
			ck_assert_int_eq(connect(readers[i], (struct sockaddr *)&un, sizeof un), 0);
			if (round == 1)
				close(readers[i]); /* before it is served */
		}
		for (int i = 0; i < 5; i++)
			ck_assert(status_sock_serve(&s)); /* no more waits in the end */
		for (int i = 0; i < 60 && round != 1; i++)
			close(readers[i]);
	}
	/* Without a descriptor to accept with it says so. */
	int last = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ck_assert_int_eq(connect(last, (struct sockaddr *)&un, sizeof un), 0);
	struct rlimit was, none;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert(!status_sock_serve(&s));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert(status_sock_serve(&s));
	char hello[64];
	ck_assert_int_eq(recv(last, hello, sizeof hello, 0), (ssize_t)strlen(STATUS_SOCK_HELLO));
	close(last);
	unix_sock_close(&s);
}
END_TEST

/* Who answers may be anybody. */
static void impostor(int kind)
{
	struct unix_sock s;
	struct net_addr peer;
	static const char zeros[4096];
	int fd = -1;

	ck_assert_int_eq(unix_sock_listen(&s, path, 1, &self), 0);
	if (fork() != 0) {
		unix_sock_close(&s);
		return;
	}
	fcntl(s.fd, F_SETFL, 0);
	int conn = net_accept(s.fd, &peer);
	if (kind == 1 || kind == 5) {
		fd = memfd_create("x", MFD_ALLOW_SEALING); /* can be made shorter */
		if (ftruncate(fd, 4096) < 0)
			_exit(1);
	} else if (kind == 2) {
		fd = open("/dev/null", O_RDONLY);
	} else if (kind == 3) {
		fd = sealed_fd("x", "", 0);
	} else if (kind == 4) {
		fd = sealed_fd("x", zeros, sizeof zeros); /* no table: the view says so */
	}
	if (kind != 6)
		net_send_fd(conn, kind == 5 ? "hello\n" : STATUS_SOCK_HELLO,
			kind == 5 ? 6 : strlen(STATUS_SOCK_HELLO), fd);
	_exit(0);
}

START_TEST(test_impostor)
{
	struct status_map m;
	const char *why;
	char text[200];
	int status;

	impostor(_i);
	enum status_sock_result r = status_sock_fetch(path, 5000, &m, text, sizeof text);
	wait(&status);
	if (_i != 4) {
		ck_assert_int_eq(r, STATUS_SOCK_BROKEN);
		ck_assert_ptr_null(m.map);
		ck_assert_uint_gt(strlen(text), 10);
		return;
	}
	ck_assert_int_eq(r, STATUS_SOCK_OK);
	ck_assert_ptr_null(stats_view_new(m.map, m.size, &why));
	status_sock_unmap(&m);
}
END_TEST

/* --- what is printed ------------------------------------------------------ */

static struct stats_view *view(void)
{
	const char *why;
	struct stat st;

	ck_assert_int_eq(fstat(stats_fd(), &st), 0);
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, stats_fd(), 0);
	struct stats_view *v = stats_view_new(map, (size_t)st.st_size, &why);
	ck_assert_msg(v != NULL, "%s", why);
	return v;
}

/* Every counter at this value; processes are fewer. */
static void fill(uint64_t n)
{
	stats_thread(0, 0);
	for (int id = ST_WORKERS; id < STATS_CELLS; id++)
		stats_add((enum stats_id)id, id < ST_SESSIONS && n > 99999 ? 99999 : n);
}

static char *told(int (*form)(struct buf *, const struct stats_view *, const struct status_now *),
	long long start_ms)
{
	struct buf b = BUF_INIT(STATUS_SIZE_MAX);
	struct stats_view *v = view();
	const struct status_now now = { start_ms, (long long)stats_view_start_s(v) + 100000 };

	ck_assert_int_eq(form(&b, v, &now), 0);
	char *text = calloc(1, buf_len(&b) + 1);
	ck_assert_ptr_nonnull(text);
	memcpy(text, buf_head(&b), buf_len(&b));
	buf_fini(&b);
	stats_view_free(&v);
	return text;
}

static void check_lines(const char *text)
{
	for (const char *p = text; *p != '\0';) {
		const size_t n = strcspn(p, "\n");
		ck_assert_msg(n <= 80, "%zu columns: %.*s", n, (int)n, p);
		ck_assert_msg(n == 0 || p[n - 1] != ' ', "blank at the end: %.*s", (int)n, p);
		ck_assert_int_eq(p[n], '\n');
		p += n + 1;
	}
}

static const uint64_t amounts[] = { 0, 1, 999, 123456789, 9876543210 };

/* Whatever the numbers: lines fit a terminal. */
START_TEST(test_text_fits)
{
	const enum stats_program who = _i % 2 == 0 ? STATS_AGENT : STATS_DAEMON;

	ck_assert_int_eq(stats_init(who, 1, 1), 0);
	stats_parent_tick(1000);
	fill(amounts[_i / 2]);
	char *text = told(status_text, 61000);
	check_lines(text);
	ck_assert_ptr_nonnull(strstr(text, who == STATS_AGENT ? "esets_smtp" : "esets_daemon"));
	ck_assert_ptr_nonnull(strstr(text, " for 1 d 3 h\n"));
	free(text);
}
END_TEST

START_TEST(test_text_says)
{
	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	stats_parent_tick(1000);
	stats_parent_add(ST_RESTARTS, 3);
	stats_parent_set(ST_WORKERS, 2);
	stats_thread(0, 0);
	stats_add(ST_MSGS, 120);
	stats_add(ST_MSGS_REJECTED, 7);
	stats_add(ST_MSGS_ACCEPTED, 8);
	stats_add(ST_AV_INFECTED, 7);
	stats_add(ST_BYTES_IN, 3 << 20);
	stats_add(ST_SESSIONS_OPEN, 5);
	stats_add(ST_SPOOL_FILES, 2);
	stats_time(ST_SCAN_TIME, 1500);
	char *text = told(status_text, 61000);
	static const char *const says[] = {
		"2 running, 0 leaving; 3 died and were replaced\n", "5 open now\n",
		"120, 2.0 a second\n", "accepted 8, rejected 7\n", "infected 7\n", "3.0 MiB,",
		"2 files\n", "scanner           1.5 ms",
	};
	for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
		ck_assert_msg(strstr(text, says[i]) != NULL, "no \"%s\" in\n%s", says[i], text);
	free(text);
}
END_TEST

/* What is counted stands beside its rate and under its name. */
START_TEST(test_text_daemon)
{
	ck_assert_int_eq(stats_init(STATS_DAEMON, 1, 1), 0);
	stats_parent_tick(1000);
	stats_thread(0, 0);
	stats_add(ST_REQUESTS, 30);
	stats_add(ST_REQUESTS_BROKEN, 2);
	stats_add(ST_REQUESTS_ACTIVE, 1);
	stats_add(ST_SCAN_BYTES, 792);
	stats_time(ST_DAEMON_TIME, 1500);
	char *text = told(status_text, 61000);
	static const char *const says[] = {
		"\nrequests        30, 0.5 a second; 1 at work now\n",
		"\ndata            792 octets, 13 octets a second\n", "\nobjects         0\n",
		"\nrequests        answered 30, broken 2\n", "      mean    requests\n",
	};
	for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
		ck_assert_msg(strstr(text, says[i]) != NULL, "no \"%s\" in\n%s", says[i], text);
	free(text);
}
END_TEST

START_TEST(test_text_engines)
{
	ck_assert_int_eq(stats_init(STATS_DAEMON, 1, 1), 0);
	stats_parent_set(ST_ENGINE_ON, 1);
	stats_parent_set(ST_ENGINE_ON_CLAMD, 1);
	stats_parent_state(ST_ENGINE_UP, 1);
	stats_parent_set(ST_ENGINE_SIGS, 4711);
	stats_parent_state(ST_ENGINE_DATA, (uint64_t)time(NULL) - 86400 * 3);
	char *text = told(_i == 0 ? status_text : status_text_engines, 61000);
	check_lines(text);
	ck_assert_ptr_nonnull(strstr(text, "  builtin       up "));
	ck_assert_ptr_nonnull(strstr(text, " 4711 of 20"));
	ck_assert_ptr_nonnull(strstr(text, " d)"));
	ck_assert_ptr_nonnull(strstr(text, "  clamd         DOWN "));
	ck_assert_ptr_null(strstr(text, "rspamd"));
	free(text);
}
END_TEST

/* Braces and quotes balance; a real parser reads it in tests/system/467-status. */
START_TEST(test_json)
{
	ck_assert_int_eq(stats_init(_i == 0 ? STATS_AGENT : STATS_DAEMON, 1, 1), 0);
	fill(123);
	char *text = told(status_json, 61000);
	int depth = 0, quotes = 0;
	for (const char *p = text; *p != '\0'; p++) {
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		quotes += *p == '"';
		ck_assert_int_ge(depth, 0);
	}
	ck_assert_int_eq(depth, 0);
	ck_assert_int_eq(quotes % 2, 0);
	ck_assert_ptr_nonnull(strstr(text, "\"running\": true"));
	ck_assert_ptr_nonnull(strstr(text, "\"uptime\": 100000"));
	free(text);
}
END_TEST

START_TEST(test_no_room)
{
	const struct status_now now = { 0, 0 };

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	struct stats_view *v = view();
	for (size_t room = 0; room < 900; room += 30) {
		struct buf b = BUF_INIT(room);
		ck_assert_int_eq(status_json(&b, v, &now), -1);
		buf_fini(&b);
		if (room > 600)
			continue;
		ck_assert_int_eq(status_text(&b, v, &now), -1);
		buf_fini(&b);
	}
	stats_view_free(&v);
}
END_TEST

/* --- the command ---------------------------------------------------------- */

START_TEST(test_command)
{
	char *text = NULL;
	size_t n = 0;
	struct status_ask ask = { .program = "esets_smtp", .path = path, .daemon_path = path,
		.json = _i == 1 };

	FILE *out = open_memstream(&text, &n);
	ck_assert_int_eq(status_command(&ask, out), STATUS_EX_NOT_RUNNING);
	fflush(out);
	ck_assert_ptr_nonnull(strstr(text, _i == 0 ? "esets_smtp: it is not running" :
		"{\"program\": \"esets_smtp\", \"running\": false, \"error\": "));
	pid_t pid = parent_new(STATS_AGENT);
	rewind(out);
	ck_assert_int_eq(status_command(&ask, out), _i == 0 ? STATUS_EX_NO_DAEMON :
		STATUS_EX_RUNNING);
	fflush(out);
	ck_assert_ptr_nonnull(strstr(text, _i == 0 ? "esets_smtp " : "\"esets_smtp_workers\""));
	if (_i == 0) /* at the daemon's place is the agent */
		ck_assert_ptr_nonnull(strstr(text, "esets_daemon: another program"));
	ask.program = "esets_daemon";
	ck_assert_int_eq(status_command(&ask, out), STATUS_EX_UNKNOWN);
	kill_wait(pid);
	fclose(out);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("status");
	TCase *t = tcase_create("status");
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, test_hands_out);
	tcase_add_test(t, test_open_fails);
	tcase_add_test(t, test_no_answer);
	tcase_add_test(t, test_bad_readers);
	tcase_add_loop_test(t, test_impostor, 0, 7);
	tcase_add_loop_test(t, test_text_fits, 0, 2 * (int)(sizeof amounts / sizeof amounts[0]));
	tcase_add_test(t, test_text_says);
	tcase_add_test(t, test_text_daemon);
	tcase_add_loop_test(t, test_text_engines, 0, 2);
	tcase_add_loop_test(t, test_json, 0, 2);
	tcase_add_test(t, test_no_room);
	tcase_add_loop_test(t, test_command, 0, 2);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return unit_run(s);
}
