/* check_web_http.c - the bounds that web_http.c puts on evhttp: places, what is kept
 * of a client, answers that are long or late. Clients and server share one loop. */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"
#include "wwwi_int.h"

#define PLACES ((int)WEB_PLACES)
#define LONG ((size_t)6 << 20)   /* more than the kernel takes at once */
#define HEAD(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static struct event_base *base;
static struct web_http *http;
static struct sockaddr_in at;
static int listen_fd;
static struct evhttp_request *held;
static unsigned served;

static void serve(struct evhttp_request *in, const struct web_req *r, void *arg)
{
	struct answer a = { .body = BUF_INIT(ANSWER_MAX), .status = 200, .type = WEB_TYPE_TEXT };

	(void)arg;
	served++;
	if (strcmp(r->path, "/late") == 0) {
		held = in;
	} else if (strcmp(r->path, "/long") == 0) {
		unsigned char *p = buf_reserve(&a.body, LONG);
		ck_assert_ptr_nonnull(p);
		memset(p, 'x', LONG);
		buf_commit(&a.body, LONG);
		web_http_answer(in, &a);
	} else {
		ck_assert_str_eq(web_http_peer(in), "127.0.0.1");
		web_http_text(in, 200, r->path);
	}
}

static void setup(void)
{
	socklen_t len = sizeof at;

	at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(listen(listen_fd, 500), 0);
	ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&at, &len), 0);
	base = event_base_new();
	http = web_http_new(base, listen_fd, serve, NULL);
	ck_assert_ptr_nonnull(http);
	held = NULL;
	served = 0;
}

static void teardown(void)
{
	web_http_free(&http);
	event_base_free(base);
	close(listen_fd);
}

/* The loop has done what there is to do. */
static void turn(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static int dial(const char *say)
{
	const int small = 4096;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(send(fd, say, strlen(say), MSG_NOSIGNAL), (ssize_t)strlen(say));
	turn();
	return fd;
}

/* How much came until the end; the first octets in out. */
static size_t read_all(int fd, char *out, size_t size)
{
	static char mem[65536];
	size_t all = 0;

	for (;;) {
		ssize_t n = recv(fd, mem, sizeof mem, 0);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLIN };
			event_base_loop(base, EVLOOP_NONBLOCK);
			poll(&p, 1, 1);
			continue;
		}
		if (n <= 0)
			break;
		if (all < size - 1) {
			size_t k = size - 1 - all < (size_t)n ? size - 1 - all : (size_t)n;
			memcpy(out + all, mem, k);
			out[all + k] = '\0';
		}
		all += (size_t)n;
	}
	close(fd);
	return all;
}

static bool is_closed(int fd)
{
	char octet;
	ssize_t n = recv(fd, &octet, 1, 0);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static size_t resident(void)
{
	size_t all, pages;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu %zu", &all, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void expect_served(const char *path)
{
	char request[100], out[2000] = "", want[100];

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	snprintf(want, sizeof want, "\r\n\r\n%s\n", path);
	read_all(dial(request), out, sizeof out);
	ck_assert_msg(strncmp(out, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", out);
	ck_assert_msg(strstr(out, want) != NULL, "%s", out);
}

START_TEST(one_after_the_other)
{
	char path[20];

	for (unsigned i = 0; i < 3 * PLACES; i++) {
		snprintf(path, sizeof path, "/%u", i);
		expect_served(path);
	}
	ck_assert_uint_eq(served, 3 * PLACES);
}
END_TEST

/* Those that say nothing give way, the oldest first; one that was heard stays. */
START_TEST(places)
{
	int fd[PLACES + 10], busy = dial(HEAD("/long"));
	char out[100];

	for (int i = 0; i < PLACES + 10; i++) {
		fd[i] = dial("GET /");
		turn();
	}
	for (int i = 0; i < PLACES + 10; i++)
		ck_assert_msg(is_closed(fd[i]) == (i < 11), "%d", i);
	expect_served("/x");
	ck_assert(is_closed(fd[11]));
	ck_assert_uint_gt(read_all(busy, out, sizeof out), LONG);
	for (int i = 0; i < PLACES + 10; i++)
		close(fd[i]);
}
END_TEST

/* Where all are being answered the oldest of them goes. */
START_TEST(places_of_readers)
{
	int fd[PLACES + 1];
	char out[100];

	for (int i = 0; i < PLACES + 1; i++)
		fd[i] = dial(HEAD("/long"));
	turn();
	ck_assert_uint_lt(read_all(fd[0], out, sizeof out), LONG);
	ck_assert_uint_gt(read_all(fd[PLACES], out, sizeof out), LONG);
	for (int i = 1; i < PLACES; i++)
		close(fd[i]);
	turn();
}
END_TEST

/* Clients that come and go without a request leave their places: nobody who is
 * there has to make room for more of them. */
START_TEST(gone)
{
	int slow = dial("GET /slow HTTP/1.1\r\nHost: localhost\r\n");
	char out[2000] = "";

	for (int i = 0; i < 3 * PLACES; i++) {
		int fd = dial(i % 2 == 0 ? "" : "POST / HTTP/1.1\r\n");
		close(fd);
		turn();
	}
	expect_served("/x");
	ck_assert_int_eq(send(slow, "\r\n", 2, 0), 2);
	read_all(slow, out, sizeof out);
	ck_assert_msg(strstr(out, "/slow") != NULL, "%s", out);
}
END_TEST

START_TEST(greedy)
{
	static char mem[65536];
	int fd = dial(HEAD("/long"));
	const size_t before = resident();

	for (int i = 0; i < 2000; i++) {
		(void)!send(fd, mem, sizeof mem, MSG_NOSIGNAL);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert_uint_lt(resident(), before + (4u << 20));
	close(fd);
	turn();
}
END_TEST

START_TEST(half_closed)
{
	char out[100];
	int fd = dial("GET /long HTTP/1.1\r\nHost: localhost\r\n");

	ck_assert_int_eq(send(fd, "\r\n", 2, 0), 2);
	shutdown(fd, SHUT_WR);
	ck_assert_uint_gt(read_all(fd, out, sizeof out), LONG);
}
END_TEST

/* An answer that is late: octets behind the request, the client's half closed, the
 * client gone, its place wanted. */
START_TEST(late)
{
	static char mem[65536];
	char out[2000] = "";
	int fd = dial(HEAD("/late")), others[PLACES + 1];

	ck_assert_ptr_nonnull(held);
	if (_i == 1)
		(void)!send(fd, mem, sizeof mem, MSG_NOSIGNAL);
	else if (_i == 2)
		shutdown(fd, SHUT_WR);
	else if (_i == 3)
		close(fd);
	for (int i = 0; _i == 4 && i < PLACES; i++)
		others[i] = dial(i % 2 == 0 ? HEAD("/long") : "GET");
	turn();
	web_http_text(held, 200, "at last");
	turn();
	if (_i != 3) {
		read_all(fd, out, sizeof out);
		ck_assert_ptr_nonnull(strstr(out, "at last"));
	}
	for (int i = 0; _i == 4 && i < PLACES; i++)
		close(others[i]);
	turn();
	expect_served("/x");
}
END_TEST

static unsigned answers_in(const char *text)
{
	unsigned n = 0;

	for (; (text = strstr(text, "HTTP/1.1 ")) != NULL; text++)
		n++;
	return n;
}

/* Whatever is asked, and whoever answers, the connection ends behind it. */
START_TEST(one_request)
{
	static const char *const methods[] = { "GET /", "POST /", "PUT /", "CONNECT x:1", "CONNECT /",
		"TRACE /", "CONNECT", "get /", "CONNECT x:1 HTTP/1.1\r\nContent-Length: -1" };
	char one[200], three[700], out[9000] = "";

	snprintf(one, sizeof one, "%s%s\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
		methods[_i], strchr(methods[_i], '\n') == NULL ? " HTTP/1.1" : "");
	snprintf(three, sizeof three, "%s%s%s", one, HEAD("/second"), one);
	read_all(dial(three), out, sizeof out);
	ck_assert_msg(answers_in(out) == 1 && strstr(out, "/second") == NULL, "%s", out);
	ck_assert_uint_le(served, 1);
	int fd = dial(one);
	turn();
	(void)!send(fd, HEAD("/second"), strlen(HEAD("/second")), MSG_NOSIGNAL);
	out[0] = '\0';
	read_all(fd, out, sizeof out);
	ck_assert_msg(answers_in(out) == 1 && strstr(out, "/second") == NULL, "%s", out);
}
END_TEST

/* Clients that keep what they got an answer on have no place any more. */
START_TEST(places_of_the_answered)
{
	int slow = dial("GET /slow HTTP/1.1\r\n"), fd[PLACES];
	char out[2000] = "";

	for (int i = 0; i < PLACES; i++)
		fd[i] = dial(i % 2 == 0 ? "CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n" : HEAD("/x"));
	ck_assert_int_eq(send(slow, "Host: localhost\r\n\r\n", 19, 0), 19);
	read_all(slow, out, sizeof out);
	ck_assert_msg(strstr(out, "/slow") != NULL, "%s", out);
	for (int i = 0; i < PLACES; i++)
		close(fd[i]);
}
END_TEST

START_TEST(expects)
{
	char out[2000] = "";
	int fd = dial("POST /sent HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
		"Expect: 100-continue\r\n\r\n");

	turn();
	ck_assert_int_eq(send(fd, "ab", 2, 0), 2);
	read_all(fd, out, sizeof out);
	ck_assert_msg(strstr(out, "HTTP/1.1 100 Continue\r\n") == out, "%s", out);
	ck_assert_msg(strstr(out, "\r\n\r\n/sent\n") != NULL, "%s", out);
}
END_TEST

/* The length of a chunk, a field behind the last: it is not kept, and others are
 * served. */
START_TEST(endless)
{
	static const char *const begins[] = { "Transfer-Encoding: chunked\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n0\r\n" };
	static char mem[65536];
	char begin[200];

	snprintf(begin, sizeof begin, "POST / HTTP/1.1\r\nHost: localhost\r\n%s", begins[_i]);
	int fd = dial(begin);
	const size_t before = resident();
	memset(mem, '0', sizeof mem);
	for (int i = 0; i < 1000; i++) {
		(void)!send(fd, mem, sizeof mem, MSG_NOSIGNAL);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert_uint_lt(resident(), before + (4u << 20));
	expect_served("/x");
	close(fd);
	turn();
}
END_TEST

/* The rest of a field behind an octet 0 would be seen by nobody. */
START_TEST(nul)
{
	static const char *const requests[] = { "GET / HTTP/1.1\r\nHost: localhost@evil\r\n\r\n",
		"GET /@ HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX: @\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n@" };
	char out[2000] = "";

	for (unsigned i = 0; i < 2 * sizeof requests / sizeof requests[0]; i++) {
		const char *r = requests[i / 2];
		int fd = dial("");
		for (const char *p = r; *p != '\0'; p++) {
			if (send(fd, *p == '@' ? "" : p, 1, MSG_NOSIGNAL) < 0)
				break; /* it has its answer */
			if (i % 2 == 0)
				turn();
		}
		read_all(fd, out, sizeof out);
		ck_assert_msg(strncmp(out, "HTTP/1.1 400 ", 13) == 0, "%u: %s", i, out);
	}
	ck_assert_uint_eq(served, 0);
}
END_TEST

START_TEST(head_without_body)
{
	char out[3000] = "";

	read_all(dial("HEAD /four HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"), out,
		sizeof out);
	ck_assert_msg(strstr(out, "\r\nContent-Length: 6\r\n") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "\r\nConnection: close\r\n") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "\r\n\r\n") == out + strlen(out) - 4, "%s", out);
}
END_TEST

/* Who is there is answered; the loop ends then, and by itself. */
START_TEST(stops)
{
	int busy = dial(HEAD("/late")), slow = dial("GET"), left = dial("G");
	char out[2000] = "", other[2000] = "";

	web_http_stop(http);
	close(left);
	turn();
	ck_assert(!is_closed(slow));
	ck_assert_int_gt(send(slow, &HEAD("/slow")[3], strlen(HEAD("/slow")) - 3, 0), 0);
	turn();
	web_http_text(held, 200, "at last");
	ck_assert_int_eq(event_base_dispatch(base), 0);
	read_all(slow, other, sizeof other);
	ck_assert_ptr_nonnull(strstr(other, "/slow"));
	read_all(busy, out, sizeof out);
	ck_assert_ptr_nonnull(strstr(out, "at last"));
}
END_TEST

START_TEST(freed_at_work)
{
	int fd[] = { dial(HEAD("/late")), dial("GET"), dial(HEAD("/long")), dial("") };

	web_http_free(&http);
	for (unsigned i = 0; i < sizeof fd / sizeof fd[0]; i++)
		close(fd[i]);
}
END_TEST

/* There is a pause, and then whoever waits is served. */
START_TEST(no_descriptor)
{
	struct rlimit was, none;
	char out[400];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int lowest = dup(fd);
	close(lowest);
	none = was;
	none.rlim_cur = (rlim_t)lowest;
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(send(fd, HEAD("/x"), strlen(HEAD("/x")), 0), (ssize_t)strlen(HEAD("/x")));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn();
	ck_assert_uint_eq(served, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	read_all(fd, out, sizeof out);
	ck_assert_uint_eq(served, 1);
}
END_TEST

/* Another who has the socket has ended it: that is no reason to end as well, or to
 * try all the time. */
START_TEST(listens_no_more)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	socklen_t len = sizeof at;
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	ck_assert_int_eq(connect(listen_fd, &nowhere, sizeof nowhere), 0);
	event_base_loop(base, EVLOOP_ONCE);
	event_base_loop(base, EVLOOP_ONCE);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_int_ge((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000,
		900);
	ck_assert_int_eq(listen(listen_fd, 500), 0);
	ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&at, &len), 0);
	expect_served("/again");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("web_http");
	TCase *c = tcase_create("web_http");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, one_after_the_other);
	tcase_add_test(c, places);
	tcase_add_test(c, places_of_readers);
	tcase_add_test(c, gone);
	tcase_add_test(c, greedy);
	tcase_add_test(c, half_closed);
	tcase_add_loop_test(c, late, 0, 5);
	tcase_add_loop_test(c, one_request, 0, 9);
	tcase_add_test(c, places_of_the_answered);
	tcase_add_test(c, expects);
	tcase_add_loop_test(c, endless, 0, 2);
	tcase_add_test(c, nul);
	tcase_add_test(c, head_without_body);
	tcase_add_test(c, stops);
	tcase_add_test(c, freed_at_work);
	tcase_add_test(c, no_descriptor);
	tcase_add_test(c, listens_no_more);
	suite_add_tcase(s, c);
	return unit_run(s);
}
