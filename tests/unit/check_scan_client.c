/* check_scan_client.c - requests to a scanner that this file plays.
 *
 * In the asynchronous tests one thread plays both sides in turn, so that each
 * step is where the test wants it; for the blocking form the scanner is a
 * thread. Every test checks that no descriptor is left behind. */
#include "scan_client.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "unit.h"

#define SIZE 1000

static char dir[UNIT_PATH_SIZE];
static struct net_endpoint daemon_ep = { .addr = { .family = AF_UNIX } };
static struct event_base *base;
static int listen_fd = -1, msg_fd = -1;
static unsigned fds_before;

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void listen_with(int backlog)
{
	listen_fd = net_listen(&daemon_ep, backlog, SOCK_SEQPACKET, 0600);
	ck_assert_int_ge(listen_fd, 0);
}

static void setup(void)
{
	unit_dir(dir);
	snprintf(daemon_ep.path, sizeof daemon_ep.path, "%s/s", dir);
	fds_before = open_fds();
	base = event_base_new();
	msg_fd = memfd_create("msg", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(msg_fd, SIZE), 0);
}

static void teardown(void)
{
	close(msg_fd);
	if (listen_fd >= 0)
		close(listen_fd);
	event_base_free(base);
	ck_assert_uint_eq(open_fds(), fds_before);
}

static struct scan_request request(const char *id)
{
	return (struct scan_request){ .id = id, .agent = "test", .is_mail = true, .size = SIZE,
		.want_av = true, .opts = { .clean_mode = SCAN_CLEAN_STANDARD, .timeout_s = 60 } };
}

/* --- the client's side --- */

struct result {
	int calls;
	unsigned av;
	enum verdict_as as;
	char reason[VERDICT_REASON_MAX], virus[VERDICT_NAME_MAX];
	int fd;
};

static void on_done(void *arg, struct verdict *v, int clean_fd)
{
	struct result *r = arg;

	r->calls++;
	r->av = v->av;
	r->as = v->as;
	strcpy(r->reason, v->reason);
	strcpy(r->virus, v->virus);
	r->fd = clean_fd;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Runs the loop until *calls is n, or gives up. */
static void until(const int *calls, int n)
{
	long long end = now_ms() + 8000;

	while (*calls < n && now_ms() < end) {
		turn();
		poll(NULL, 0, 1);
	}
	ck_assert_int_eq(*calls, n);
}

static struct scan_job *start(struct scan_client *c, const char *id, unsigned timeout_ms,
	struct result *r)
{
	struct scan_request q = request(id);

	memset(r, 0, sizeof *r);
	r->fd = -1;
	struct scan_job *j = scan_client_start(c, &q, msg_fd, timeout_ms, on_done, r);
	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(r->calls, 0); /* never from within start */
	return j;
}

/* --- the scanner's side --- */

struct served {
	int sock, fd;
	char id[32];
};

/* Takes a connection and its request; sock is -1 if none is waiting. */
static struct served serve_one(void)
{
	struct served s = { -1, -1, "" };
	struct net_addr peer;
	struct scan_request r;
	struct scan_msg_store store;
	static char mem[SCAN_MSG_MAX];
	const char *why;

	s.sock = net_accept(listen_fd, &peer);
	if (s.sock < 0)
		return s;
	struct pollfd p = { .fd = s.sock, .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ptrdiff_t n = net_recv_fd(s.sock, mem, sizeof mem, &s.fd);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(scan_request_parse(mem, (size_t)n, &r, &store, &why), 0);
	ck_assert_uint_eq(r.size, SIZE);
	ck_assert_int_ge(s.fd, 0);
	strcpy(s.id, r.id);
	scan_msg_store_fini(&store);
	return s;
}

static void served_end(struct served *s)
{
	if (s->fd >= 0)
		close(s->fd);
	close(s->sock);
	s->sock = s->fd = -1;
}

static void answer_text(struct served *s, const char *text, int fd)
{
	ck_assert_int_eq(net_send_fd(s->sock, text, strlen(text), fd), (long)strlen(text));
	served_end(s);
}

static void answer(struct served *s, unsigned av, int fd)
{
	struct verdict v = { .av = av };
	struct buf b = BUF_INIT(SCAN_MSG_MAX);

	strcpy(v.id, s->id);
	strcpy(v.virus, av == VERDICT_AV_INFECTED ? "Eicar" : "");
	ck_assert_int_eq(scan_verdict_format(&v, &b), 0);
	ck_assert_int_gt(net_send_fd(s->sock, buf_head(&b), buf_len(&b), fd), 0);
	buf_fini(&b);
	served_end(s);
}

static void send_text(const struct served *s, const char *text)
{
	ck_assert_int_eq(send(s->sock, text, strlen(text), MSG_NOSIGNAL), (long)strlen(text));
}

/* Clean, and the connection stays. */
static void answer_and_keep(struct served *s)
{
	char text[100];

	snprintf(text, sizeof text, "esets-scan/1 verdict\nid=%s\nav=clean\n\n", s->id);
	send_text(s, text);
	close(s->fd);
	s->fd = -1;
}

/* Takes the next request on a connection that was kept. */
static void serve_again(struct served *s)
{
	static char mem[SCAN_MSG_MAX];
	struct pollfd p = { .fd = s->sock, .events = POLLIN };
	struct scan_msg_store store;
	struct scan_request r;
	const char *why;

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ptrdiff_t n = net_recv_fd(s->sock, mem, sizeof mem, &s->fd);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(scan_request_parse(mem, (size_t)n, &r, &store, &why), 0);
	ck_assert(r.keep);
	strcpy(s->id, r.id);
	scan_msg_store_fini(&store);
}

static bool has_hung_up(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1;
}

static int memfd_with(off_t size, int seals)
{
	int fd = memfd_create("clean", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, size), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* --- tests --- */

START_TEST(test_answer)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "one", 5000, &r);
	turn();
	struct served s = serve_one();
	ck_assert_str_eq(s.id, "one");
	turn();
	ck_assert_int_eq(r.calls, 0);
	answer(&s, VERDICT_AV_INFECTED, -1);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_INFECTED);
	ck_assert_str_eq(r.virus, "Eicar");
	ck_assert_int_eq(r.fd, -1);
	turn();
	ck_assert_int_eq(r.calls, 1);
	scan_client_free(&c);
	ck_assert_ptr_null(c);
	scan_client_free(&c);
}
END_TEST

/* The daemon is down: said at once, but not from within start. */
START_TEST(test_unreachable)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	if (_i == 1) { /* a socket that nobody listens on any more */
		listen_with(8);
		close(listen_fd);
		listen_fd = -1;
	}
	long long at = now_ms();
	start(c, "x", 30000, &r);
	until(&r.calls, 1);
	ck_assert_int_lt(now_ms() - at, 2000);
	ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(r.reason, "scanner daemon is not reachable: "));
	ck_assert_ptr_nonnull(strstr(r.reason, daemon_ep.path));
	scan_client_free(&c);
}
END_TEST

START_TEST(test_bad_path)
{
	char path[300];

	memset(path, 'p', sizeof path);
	path[sizeof path - 1] = '\0';
	ck_assert_ptr_null(scan_client_new(base, path, 1));
	ck_assert_ptr_null(scan_client_new(base, "", 1));
}
END_TEST

/* No descriptor goes with it; of a system with small buffers it is not asked. */
START_TEST(test_inline)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	static char mem[SCAN_PACKET_MAX], octets[SCAN_INLINE_MAX];
	struct scan_request q = request("x"), got;
	struct scan_msg_store store;
	struct result r = { .fd = -1 };
	struct net_addr peer;
	const char *why;

	listen_with(8);
	ck_assert_uint_eq(scan_client_inline_max(c), SCAN_INLINE_MAX);
	memset(octets, 'o', sizeof octets);
	q.is_inline = true;
	q.octets = octets;
	q.size = sizeof octets;
	ck_assert_ptr_nonnull(scan_client_start(c, &q, -1, 5000, on_done, &r));
	memset(octets, 'x', sizeof octets); /* it was formatted at once */
	turn();
	struct served s = { .sock = net_accept(listen_fd, &peer), .fd = -1, .id = "x" };
	ck_assert_int_ge(s.sock, 0);
	ptrdiff_t n = net_recv_fd(s.sock, mem, sizeof mem, &s.fd);
	ck_assert_int_eq(s.fd, -1);
	ck_assert_int_eq(scan_request_parse(mem, (size_t)n, &got, &store, &why), 0);
	ck_assert_uint_eq(got.size, sizeof octets);
	for (size_t i = 0; i < sizeof octets; i++)
		ck_assert_int_eq(((const char *)got.octets)[i], 'o');
	scan_msg_store_fini(&store);
	answer(&s, VERDICT_AV_CLEAN, -1);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_CLEAN);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_request_too_large)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct scan_request q = request("x");
	struct result r;
	char *huge = malloc(SCAN_MSG_MAX + 1);

	memset(huge, 'h', SCAN_MSG_MAX);
	huge[SCAN_MSG_MAX] = '\0';
	q.opts.allow_hash = huge;
	ck_assert_ptr_null(scan_client_start(c, &q, msg_fd, 1000, on_done, &r));
	free(huge);
	scan_client_free(&c);
}
END_TEST

static const struct { const char *text; bool extra_fd; } wrong[] = {
	{ "garbage", false }, { "esets-scan/1 verdict\n\n", true },
	{ "esets-scan/1 verdict\nav=clean\n", false },
	{ "esets-scan/1 verdict\nid=x\nav=clean:fine\n\n", true },
	{ "esets-scan/1 verdict\nid=x\nav=deleted\n\n", false },         /* without a descriptor */
	{ "esets-scan/1 verdict\nid=x\nav=deleted:infected\n\n", true }, /* not sealed */
	{ "esets-scan/2 verdict\nid=x\nav=clean\n\n", false },
	{ "esets-scan/1 verdict\nav=clean\n\n", false },                 /* of no request */
	{ "esets-scan/1 verdict\nid=\nav=infected\n\n", false },
	{ "esets-scan/1 verdict\nav=unavailable:clean\n\n", false },
	{ "esets-scan/1 verdict\nid=y\nav=clean\n\n", false },           /* of another one */
	{ "esets-scan/1 verdict\nid=y\nav=unavailable\n\n", false },
};

START_TEST(test_wrong_answer)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "x", 5000, &r);
	turn();
	struct served s = serve_one();
	answer_text(&s, wrong[_i].text, wrong[_i].extra_fd ? msg_fd : -1);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(r.reason, "wrong answer"));
	ck_assert_int_eq(r.fd, -1);
	scan_client_free(&c);
}
END_TEST

enum { END_CLOSE, END_UNREAD, END_LONG, END_EMPTY, END_COUNT };

START_TEST(test_no_answer)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;
	struct net_addr peer;
	char *huge = calloc(1, SCAN_MSG_MAX + 100);

	listen_with(8);
	start(c, "x", 5000, &r);
	turn();
	if (_i == END_UNREAD) {
		close(net_accept(listen_fd, &peer));
	} else {
		struct served s = serve_one();
		if (_i == END_LONG)
			ck_assert_int_gt(send(s.sock, huge, SCAN_MSG_MAX + 100, 0), SCAN_MSG_MAX);
		if (_i == END_EMPTY)
			ck_assert_int_eq(send(s.sock, "", 0, 0), 0);
		served_end(&s);
	}
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_str_ne(r.reason, "");
	free(huge);
	scan_client_free(&c);
}
END_TEST

/* A descriptor that nobody asked for is closed (teardown counts). */
START_TEST(test_stray_descriptor)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "x", 5000, &r);
	turn();
	struct served s = serve_one();
	answer(&s, VERDICT_AV_CLEAN, msg_fd);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_CLEAN);
	ck_assert_int_eq(r.fd, -1);
	scan_client_free(&c);
}
END_TEST

static const struct { off_t size; int seals; bool ok; } cleaned[] = {
	{ 500, ALL_SEALS, true }, { SIZE + (1 << 20), ALL_SEALS, true },
	{ SIZE + (1 << 20) + 1, ALL_SEALS, false }, { 0, ALL_SEALS, false },
	{ 500, 0, false }, { 500, F_SEAL_SHRINK | F_SEAL_GROW, false },
	{ 500, F_SEAL_WRITE | F_SEAL_GROW, false }, { 500, F_SEAL_WRITE | F_SEAL_SHRINK, false },
};

START_TEST(test_cleaned)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	int fd = memfd_with(cleaned[_i].size, cleaned[_i].seals);
	struct result r;

	listen_with(8);
	start(c, "x", 5000, &r);
	turn();
	struct served s = serve_one();
	answer(&s, VERDICT_AV_DELETED, fd);
	close(fd);
	until(&r.calls, 1);
	if (cleaned[_i].ok) {
		ck_assert_uint_eq(r.av, VERDICT_AV_DELETED);
		ck_assert_int_ge(r.fd, 0);
		ck_assert_int_eq(lseek(r.fd, 0, SEEK_END), cleaned[_i].size);
		close(r.fd);
	} else {
		ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
		ck_assert_int_eq(r.fd, -1);
	}
	scan_client_free(&c);
}
END_TEST

/* Sockets, pipes and files have no seals. */
START_TEST(test_cleaned_not_memfd)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "x", 5000, &r);
	turn();
	struct served s = serve_one();
	answer(&s, VERDICT_AV_DELETED, listen_fd);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_int_eq(r.fd, -1);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_cleaned_not_asked)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct scan_request q = request("x");
	struct result r = { 0 };
	int fd = memfd_with(500, ALL_SEALS);

	listen_with(8);
	q.opts.clean_mode = SCAN_CLEAN_NONE;
	ck_assert_ptr_nonnull(scan_client_start(c, &q, msg_fd, 5000, on_done, &r));
	struct served s = serve_one();
	answer(&s, VERDICT_AV_DELETED, fd);
	close(fd);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_int_eq(r.fd, -1);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_as_not_answered)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct scan_request q = request("x");
	struct result r = { 0 };

	listen_with(8);
	q.want_as = true;
	ck_assert_ptr_nonnull(scan_client_start(c, &q, msg_fd, 5000, on_done, &r));
	struct served s = serve_one();
	answer(&s, VERDICT_AV_CLEAN, -1);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_CLEAN);
	ck_assert_int_eq(r.as, VERDICT_AS_NOTSCANNED);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_deadline)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 1);
	struct result r[2];

	listen_with(8);
	long long at = now_ms();
	start(c, "slow", 150, &r[0]);
	start(c, "waits", 100, &r[1]); /* its time runs while it waits, too */
	struct served s = serve_one();
	until(&r[1].calls, 1);
	ck_assert_int_ge(now_ms() - at, 100);
	ck_assert_str_eq(r[1].reason, "scanner daemon had no place in time");
	ck_assert_int_eq(r[0].calls, 0);
	until(&r[0].calls, 1);
	ck_assert_int_ge(now_ms() - at, 150);
	ck_assert_uint_eq(r[0].av, VERDICT_AV_UNAVAILABLE);
	ck_assert_str_eq(r[0].reason, "scanner daemon did not answer in time");
	ck_assert(has_hung_up(s.sock)); /* the daemon can stop working on it */
	served_end(&s);
	scan_client_free(&c);
}
END_TEST

/* Fills the accept queue; returns how many connections that took. */
static int fill_queue(int *fds, int max)
{
	int n = 0;

	while (n < max && (fds[n] = net_connect(&daemon_ep, SOCK_SEQPACKET)) >= 0)
		n++;
	ck_assert_int_eq(errno, EAGAIN);
	return n;
}

START_TEST(test_full_queue)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;
	struct net_addr peer;
	int fds[8];

	listen_with(1);
	int n = fill_queue(fds, 8);
	start(c, "x", 6000, &r);
	long long end = now_ms() + 80;
	while (now_ms() < end)
		turn();
	ck_assert_int_eq(r.calls, 0);
	for (int i = 0; i < n; i++) {
		close(net_accept(listen_fd, &peer));
		close(fds[i]);
	}
	struct served s = { .sock = -1 };
	end = now_ms() + 3000;
	while (s.sock < 0 && now_ms() < end) {
		turn();
		s = serve_one();
	}
	ck_assert_int_ge(s.sock, 0);
	answer(&s, VERDICT_AV_CLEAN, -1);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_CLEAN);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_full_queue_for_good)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;
	int fds[8];

	listen_with(1);
	int n = fill_queue(fds, 8);
	long long at = now_ms();
	start(c, "x", 150, &r);
	until(&r.calls, 1);
	ck_assert_int_ge(now_ms() - at, 150);
	ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
	while (n > 0)
		close(fds[--n]);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_inflight_in_order)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 2);
	struct result r[5];
	struct served s[5];
	char id[16];

	listen_with(8);
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof id, "j%d", i);
		start(c, id, 5000, &r[i]);
	}
	for (int i = 0; i < 10; i++)
		turn();
	for (int i = 0; i < 2; i++) {
		s[i] = serve_one();
		snprintf(id, sizeof id, "j%d", i);
		ck_assert_str_eq(s[i].id, id);
	}
	ck_assert_int_eq(serve_one().sock, -1); /* no third one yet */
	answer(&s[1], VERDICT_AV_CLEAN, -1); /* out of order is fine */
	until(&r[1].calls, 1);
	ck_assert_int_eq(r[0].calls, 0);
	for (int i = 2; i < 5; i++) {
		turn();
		s[i] = serve_one();
		snprintf(id, sizeof id, "j%d", i);
		ck_assert_str_eq(s[i].id, id);
		ck_assert_int_eq(serve_one().sock, -1);
		answer(&s[i], VERDICT_AV_CLEAN, -1);
		until(&r[i].calls, 1);
	}
	answer(&s[0], VERDICT_AV_CLEAN, -1);
	until(&r[0].calls, 1);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_cancel)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 1);
	struct result r[3];
	struct scan_job *j[3];

	listen_with(8);
	for (int i = 0; i < 3; i++)
		j[i] = start(c, i == 2 ? "third" : "x", 5000, &r[i]);
	turn();
	struct served s = serve_one();
	scan_job_cancel(&j[1]); /* one that waits */
	ck_assert_ptr_null(j[1]);
	scan_job_cancel(&j[1]);
	scan_job_cancel(&j[0]); /* the one at work */
	ck_assert(has_hung_up(s.sock));
	served_end(&s);
	turn();
	s = serve_one(); /* its place is taken at once */
	ck_assert_str_eq(s.id, "third");
	answer(&s, VERDICT_AV_CLEAN, -1);
	until(&r[2].calls, 1);
	turn();
	ck_assert_int_eq(r[0].calls + r[1].calls, 0);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_cancel_unreachable)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 1);
	struct result r[2];
	struct scan_job *j = start(c, "x", 5000, &r[0]);

	start(c, "y", 5000, &r[1]);
	scan_job_cancel(&j); /* its failure was known already, but not told */
	until(&r[1].calls, 1);
	ck_assert_int_eq(r[0].calls, 0);
	scan_client_free(&c);
}
END_TEST

START_TEST(test_free_with_jobs)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 1);
	struct result r[3];

	listen_with(8);
	for (int i = 0; i < 3; i++)
		start(c, "x", 5000, &r[i]);
	turn();
	scan_client_free(&c);
	for (int i = 0; i < 5; i++)
		turn();
	ck_assert_int_eq(r[0].calls + r[1].calls + r[2].calls, 0);
}
END_TEST

/* In the callback one may ask again, and even free the client. */
struct chain {
	struct scan_client *c;
	struct result second;
	int calls;
	bool frees;
};

static void on_done_chain(void *arg, struct verdict *v, int clean_fd)
{
	struct chain *ch = arg;

	(void)v;
	(void)clean_fd;
	ch->calls++;
	if (ch->frees)
		scan_client_free(&ch->c);
	else
		start(ch->c, "second", 5000, &ch->second);
}

START_TEST(test_start_and_free_in_done)
{
	struct chain ch = { .c = scan_client_new(base, daemon_ep.path, 1), .frees = _i != 0 };
	struct scan_request q = request("x");

	ck_assert_ptr_nonnull(scan_client_start(ch.c, &q, msg_fd, 5000, on_done_chain, &ch));
	until(&ch.calls, 1);
	if (_i == 0)
		until(&ch.second.calls, 1);
	scan_client_free(&ch.c);
}
END_TEST

/* --- connections that are kept --- */

/* One after the other goes by the same connection. */
START_TEST(test_kept)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "one", 5000, &r);
	struct served s = serve_one();
	answer_and_keep(&s);
	until(&r.calls, 1);
	for (int i = 0; i < 3; i++) {
		start(c, "two", 5000, &r);
		ck_assert_int_eq(serve_one().sock, -1);
		serve_again(&s);
		ck_assert_str_eq(s.id, "two");
		answer_and_keep(&s);
		until(&r.calls, 1);
		ck_assert_uint_eq(r.av, VERDICT_AV_CLEAN);
	}
	/* Two at once need two. */
	struct result both[2];
	start(c, "a", 5000, &both[0]);
	start(c, "b", 5000, &both[1]);
	struct served other = serve_one();
	ck_assert_int_ge(other.sock, 0);
	serve_again(&s);
	answer_and_keep(&other);
	answer_and_keep(&s);
	until(&both[0].calls, 1);
	until(&both[1].calls, 1);
	scan_client_free(&c);
	ck_assert(has_hung_up(s.sock) && has_hung_up(other.sock));
	served_end(&s);
	served_end(&other);
}
END_TEST

/* The daemon may close it: unused (0), with the next request in it, unread (1),
 * or read (2). The request is asked anew, once: the fourth time (3) that fails. */
START_TEST(test_kept_and_closed)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "one", 5000, &r);
	struct served s = serve_one();
	answer_and_keep(&s);
	until(&r.calls, 1);
	if (_i == 0)
		served_end(&s);
	start(c, "two", 5000, &r);
	if (_i >= 2)
		serve_again(&s);
	if (_i != 0)
		served_end(&s);
	for (int i = 0; i < 3; i++)
		turn();
	s = serve_one();
	ck_assert_int_ge(s.sock, 0);
	ck_assert_str_eq(s.id, "two");
	if (_i == 3)
		served_end(&s);
	else
		answer_and_keep(&s);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, _i == 3 ? VERDICT_AV_UNAVAILABLE : VERDICT_AV_CLEAN);
	ck_assert_int_eq(serve_one().sock, -1);
	if (s.sock >= 0)
		served_end(&s);
	scan_client_free(&c);
}
END_TEST

static const char *const stray[] = {
	"esets-scan/1 verdict\nid=one\nav=clean\n\n",
	"esets-scan/1 verdict\nav=clean\n\n",
	"esets-scan/1 verdict\nav=unavailable\n\n",
};

/* A second answer to one request is never the next one's: not where it lies there
 * before that is asked (0), nor where it comes later (1). The request is asked anew,
 * on a new connection, once: the next time (2) that is no verdict. */
START_TEST(test_kept_answers_are_told_apart)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	const char *const second = stray[_i % 3];
	const int when = _i / 3;
	struct result r;

	listen_with(8);
	start(c, "one", 5000, &r);
	struct served s = serve_one();
	answer_and_keep(&s);
	until(&r.calls, 1);
	if (when == 0)
		send_text(&s, second);
	start(c, "two", 5000, &r);
	if (when != 0) {
		serve_again(&s);
		send_text(&s, second);
	}
	for (int i = 0; i < 3; i++)
		turn();
	ck_assert(has_hung_up(s.sock));
	ck_assert_int_eq(r.calls, 0);
	served_end(&s);
	s = serve_one();
	ck_assert_str_eq(s.id, "two");
	if (when == 2)
		answer_text(&s, second, -1);
	else
		answer_and_keep(&s);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, when == 2 ? VERDICT_AV_UNAVAILABLE : VERDICT_AV_CLEAN);
	ck_assert_int_eq(serve_one().sock, -1);
	if (s.sock >= 0)
		served_end(&s);
	scan_client_free(&c);
}
END_TEST

/* A connection is not used again behind a request that was given up (0), nor where
 * anything comes while nobody waits (1). */
START_TEST(test_kept_no_more)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "one", 5000, &r);
	struct served s = serve_one();
	answer_and_keep(&s);
	until(&r.calls, 1);
	if (_i == 0) {
		struct scan_job *j = start(c, "two", 5000, &r);
		serve_again(&s);
		scan_job_cancel(&j);
	} else {
		send_text(&s, stray[0]);
		for (int i = 0; i < 3; i++)
			turn();
	}
	ck_assert(has_hung_up(s.sock));
	served_end(&s);
	scan_client_free(&c);
}
END_TEST

/* Who may not ask is told so by one who has not read the request. */
START_TEST(test_refused_unread)
{
	struct scan_client *c = scan_client_new(base, daemon_ep.path, 4);
	struct result r;

	listen_with(8);
	start(c, "x", 5000, &r);
	struct served s = serve_one();
	answer_text(&s, "esets-scan/1 verdict\nav=unavailable\nreason=may not ask\n\n", -1);
	until(&r.calls, 1);
	ck_assert_uint_eq(r.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_str_eq(r.reason, "may not ask");
	scan_client_free(&c);
}
END_TEST

/* --- blocking form --- */

struct player {
	int delay_ms;
	unsigned av;
	int fd;
	bool hangs;
	bool saw_hang_up;
};

static void *play(void *arg)
{
	struct player *p = arg;
	struct pollfd pl = { .fd = listen_fd, .events = POLLIN };

	poll(NULL, 0, p->delay_ms);
	ck_assert_int_eq(poll(&pl, 1, 5000), 1);
	struct served s = serve_one();
	if (!p->hangs) {
		answer(&s, p->av, p->fd);
		return NULL;
	}
	struct pollfd ps = { .fd = s.sock, .events = POLLRDHUP };
	p->saw_hang_up = poll(&ps, 1, 5000) == 1;
	served_end(&s);
	return NULL;
}

static void call_with(struct player *p, unsigned timeout_ms, struct verdict *v, int *fd)
{
	struct scan_request q = request("call");
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, play, p), 0);
	scan_client_call(daemon_ep.path, &q, msg_fd, timeout_ms, v, fd);
	pthread_join(t, NULL);
}

START_TEST(test_call)
{
	struct player p = { .delay_ms = 30, .av = VERDICT_AV_INFECTED, .fd = -1 };
	struct verdict v;
	int fd;

	listen_with(8);
	call_with(&p, 5000, &v, &fd);
	ck_assert_uint_eq(v.av, VERDICT_AV_INFECTED);
	ck_assert_int_eq(fd, -1);
	verdict_fini(&v);
	p = (struct player){ .av = VERDICT_AV_DELETED, .fd = memfd_with(10, ALL_SEALS) };
	call_with(&p, 5000, &v, &fd);
	ck_assert_uint_eq(v.av, VERDICT_AV_DELETED);
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(p.fd);
	verdict_fini(&v);
	p = (struct player){ .hangs = true };
	long long at = now_ms();
	call_with(&p, 100, &v, &fd);
	ck_assert_int_ge(now_ms() - at, 100);
	ck_assert_uint_eq(v.av, VERDICT_AV_UNAVAILABLE);
	ck_assert(p.saw_hang_up);
}
END_TEST

START_TEST(test_call_unreachable)
{
	struct scan_request q = request("call");
	struct verdict v;
	int fd, fds[8];
	char *huge = malloc(SCAN_MSG_MAX + 1);

	scan_client_call(daemon_ep.path, &q, msg_fd, 5000, &v, &fd);
	ck_assert_uint_eq(v.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(v.reason, "not reachable"));
	ck_assert_ptr_nonnull(strstr(v.reason, daemon_ep.path));
	listen_with(1);
	int n = fill_queue(fds, 8);
	long long at = now_ms();
	scan_client_call(daemon_ep.path, &q, msg_fd, 150, &v, &fd);
	ck_assert_uint_eq(v.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_int_lt(now_ms() - at, 3000);
	while (n > 0)
		close(fds[--n]);
	memset(huge, 'h', SCAN_MSG_MAX);
	huge[SCAN_MSG_MAX] = '\0';
	q.opts.allow_hash = huge;
	scan_client_call(daemon_ep.path, &q, msg_fd, 150, &v, &fd);
	ck_assert_uint_eq(v.av, VERDICT_AV_UNAVAILABLE);
	free(huge);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("scan_client");
	TCase *t = tcase_create("asynchronous");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_answer);
	tcase_add_loop_test(t, test_unreachable, 0, 2);
	tcase_add_test(t, test_bad_path);
	tcase_add_test(t, test_inline);
	tcase_add_test(t, test_request_too_large);
	tcase_add_loop_test(t, test_wrong_answer, 0, COUNT(wrong));
	tcase_add_loop_test(t, test_no_answer, 0, END_COUNT);
	tcase_add_test(t, test_stray_descriptor);
	tcase_add_loop_test(t, test_cleaned, 0, COUNT(cleaned));
	tcase_add_test(t, test_cleaned_not_memfd);
	tcase_add_test(t, test_cleaned_not_asked);
	tcase_add_test(t, test_as_not_answered);
	tcase_add_test(t, test_deadline);
	tcase_add_test(t, test_full_queue);
	tcase_add_test(t, test_full_queue_for_good);
	tcase_add_test(t, test_inflight_in_order);
	tcase_add_test(t, test_cancel);
	tcase_add_test(t, test_cancel_unreachable);
	tcase_add_test(t, test_free_with_jobs);
	tcase_add_loop_test(t, test_start_and_free_in_done, 0, 2);
	tcase_add_test(t, test_kept);
	tcase_add_loop_test(t, test_kept_and_closed, 0, 4);
	tcase_add_loop_test(t, test_kept_answers_are_told_apart, 0, 3 * COUNT(stray));
	tcase_add_loop_test(t, test_kept_no_more, 0, 2);
	tcase_add_test(t, test_refused_unread);
	suite_add_tcase(s, t);
	t = tcase_create("blocking");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_call);
	tcase_add_test(t, test_call_unreachable);
	suite_add_tcase(s, t);
	return unit_run(s);
}
