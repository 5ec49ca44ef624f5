/* gen.c - SMTP load generator of the benchmark.
 *
 *   tests/bench/gen [OPTION VALUE]... PORT      (of 127.0.0.1)
 *
 *   -c N        connections at once (20)
 *   -m N        messages per connection (1)
 *   -n N        messages in all (no limit)
 *   -t SECONDS  no new message after so many (no limit)
 *   -s A[-B]    octets of a message; a range is log-uniform (4096)
 *   -x text|mime  what the messages are (text)
 *   -p          PIPELINING: envelope in one write, the next one behind the dot
 *   -r RATE     open loop: one message is due every 1/RATE seconds
 *   -S SEED     of sizes (1)
 *   -R RUN      a number that makes contents differ (1)
 *   -w SECONDS  without any message done after which those at work have failed (60)
 *   -I          idle: open the connections, say EHLO, hold until stdin ends
 *   -D          drip: 32 octets a second into a message, until stdin ends
 *
 * Messages are those of mail.h. Latency is taken from when the connection was
 * asked for, for its first message, else from MAIL, to the reply to the final
 * dot; in an open loop from when the message was due, so that a stall counts for
 * all it has kept waiting. The result is one line of JSON on stdout; -I and -D
 * print "ready" when all connections are where they should be. One thread;
 * epoll, edge-triggered. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "mail.h"

#define EVENTS      256
#define PIECES      8
#define DRIP_TICKS  50u         /* a second; each serves a share of the connections */
#define OPENING_MAX 200u        /* -I, -D: connections on their way at once */
#define FAILED_MAX  1000u       /* something is wrong for good */

#define NS 1000000000u

/* MAIL, with SIZE (RFC 1870) as mail servers give it where all are of one size. */
static char envelope[128];
static size_t mail_len, envelope_len;
#define RCPT_LEN 32u
#define DATA_LEN 6u

static const char drop[] = "X-Drip: one line of 32 octets.\r\n";
_Static_assert(sizeof drop - 1 == 32, "the rate of -D");

/* Whose reply is awaited; HELD: none, for now. */
enum state { FREE, BANNER, HELLO, MAIL, RCPT, DATA, DOT, QUIT, HELD };
static const char state_codes[][4] = { [BANNER] = "220", [HELLO] = "250", [MAIL] = "250",
	[RCPT] = "250", [DATA] = "354", [DOT] = "250", [QUIT] = "221", [HELD] = "" };

struct conn {
	int fd;
	enum state state;
	bool pipelining;        /* wanted, and offered */
	bool blocked;           /* the socket takes no more for now */
	bool sending;           /* the mail; cmd goes behind it */
	bool ahead;             /* cmd behind the mail is the next envelope */
	uint64_t left;          /* messages still to be sent here */
	uint64_t id;            /* of the message at work */
	uint64_t began;         /* when, ns */
	struct mail mail;
	uint64_t pos;
	const char *cmd;
	size_t cmd_len;
	char line[600];         /* of a reply, as far as it is here */
	size_t line_len;
};

/* Indices of connections, last in, first out. */
struct stack {
	unsigned *item, n;
};

static struct {
	unsigned connections, port;
	uint64_t per_connection, messages, limit_ns, stall_ns, size_min, size_max, seed, run;
	enum mail_shape shape;
	bool pipelining, idle, drip;
	double rate;
} opt = { .connections = 20, .per_connection = 1, .messages = UINT64_MAX,
	.limit_ns = UINT64_MAX, .stall_ns = 60ull * NS, .size_min = 4096, .size_max = 4096,
	.seed = 1, .run = 1, .shape = MAIL_TEXT };

static int ep, timer = -1;
static struct conn *conns;
static struct stack free_conns, held_conns;
static uint64_t started, now, last_done;
static uint64_t begun, done, failed, octets, pipelined;
static unsigned arrived, opening, next_drip;
static bool said_ready;
static char first_error[700];
static uint64_t *latency;        /* ns, of each message done */
static size_t latency_room;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		die("calloc");
	return p;
}

/* --- one connection ------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	close(c->fd);
	c->state = FREE;
	free_conns.item[free_conns.n++] = (unsigned)(c - conns);
}

static void conn_failed(struct conn *c, const char *why)
{
	if (failed++ == 0)
		snprintf(first_error, sizeof first_error, "awaiting %s: %s",
			c->state == DOT ? "250 for a message" : state_codes[c->state], why);
	if (c->state != HELD && (opt.idle || opt.drip))
		opening--;
	conn_free(c);
}

/* What is still to be written: the rest of the mail, then the command. */
static size_t conn_pieces(const struct conn *c, struct iovec iov[PIECES])
{
	uint64_t pos = c->pos;
	const char *p;
	size_t n = 0;

	while (c->sending && pos < c->mail.total && n < PIECES - 1) {
		size_t len = mail_piece(&c->mail, pos, &p);
		iov[n++] = (struct iovec){ .iov_base = (char *)(uintptr_t)p, .iov_len = len };
		pos += len;
	}
	if (c->cmd_len != 0 && (!c->sending || pos == c->mail.total))
		iov[n++] = (struct iovec){ .iov_base = (char *)(uintptr_t)c->cmd,
			.iov_len = c->cmd_len };
	return n;
}

static void conn_wrote(struct conn *c, size_t n)
{
	octets += n;
	if (c->sending) {
		size_t of_mail = c->mail.total - c->pos < n ? (size_t)(c->mail.total - c->pos) : n;

		c->pos += of_mail;
		n -= of_mail;
		c->sending = c->pos < c->mail.total;
	}
	c->cmd += n;
	c->cmd_len -= n;
}

/* An error shows when the connection is read. */
static void conn_write(struct conn *c)
{
	struct iovec iov[PIECES];
	size_t n;

	while (!c->blocked && (n = conn_pieces(c, iov)) != 0) {
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
		ssize_t sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);

		if (sent < 0)
			c->blocked = true;
		else
			conn_wrote(c, (size_t)sent);
	}
}

static void conn_say(struct conn *c, enum state next, const char *cmd, size_t n)
{
	c->state = next;
	c->cmd = cmd;
	c->cmd_len = n;
	conn_write(c);
}

/* --- messages ------------------------------------------------------------- */

static bool is_over(void)
{
	return begun >= opt.messages || now - started >= opt.limit_ns;
}

static uint64_t message_size(uint64_t id)
{
	double u = (double)(mail_mix(opt.seed * 31 + id) >> 11) / 9007199254740992.0;

	if (opt.size_min == opt.size_max)
		return opt.size_min;
	return (uint64_t)((double)opt.size_min *
		pow((double)opt.size_max / (double)opt.size_min, u));
}

static void latency_add(uint64_t ns)
{
	if (done >= latency_room) {
		latency_room = latency_room * 2 + 65536;
		latency = realloc(latency, latency_room * sizeof *latency);
		if (latency == NULL)
			die("realloc");
	}
	latency[done] = ns;
}

/* Does another message follow at once? In an open loop each waits to be due. */
static bool has_next(const struct conn *c)
{
	return c->left != 0 && opt.rate <= 0 && !is_over();
}

static void envelope_make(void)
{
	char size[32] = "";

	if (opt.size_min == opt.size_max)
		snprintf(size, sizeof size, " SIZE=%" PRIu64, opt.size_max);
	mail_len = (size_t)snprintf(envelope, sizeof envelope,
		"MAIL FROM:<sender@bench.example>%s\r\n", size);
	envelope_len = mail_len + (size_t)snprintf(envelope + mail_len,
		sizeof envelope - mail_len, "RCPT TO:<reader@bench.example>\r\nDATA\r\n");
}

static void envelope_say(struct conn *c)
{
	conn_say(c, MAIL, envelope, c->pipelining ? envelope_len : mail_len);
}

/* The mail, and when pipelining what comes behind it. */
static void mail_say(struct conn *c)
{
	mail_make(&c->mail, opt.run, c->id, message_size(c->id), opt.shape);
	c->pos = 0;
	c->sending = true;
	c->ahead = c->pipelining && has_next(c);
	if (c->ahead) {
		c->left--;
		c->id = begun++;
		conn_say(c, DOT, envelope, envelope_len);
	} else {
		conn_say(c, DOT, "QUIT\r\n", c->pipelining && opt.rate <= 0 ? 6 : 0);
	}
}

static void hold(struct conn *c)
{
	c->state = HELD;
	held_conns.item[held_conns.n++] = (unsigned)(c - conns);
}

static void on_taken(struct conn *c)
{
	latency_add(now - c->began);
	done++;
	pipelined += c->pipelining;
	last_done = c->began = now;
	if (c->ahead) {
		c->state = MAIL;
	} else if (c->pipelining && opt.rate <= 0) {
		c->state = QUIT;
	} else if (has_next(c)) {
		c->left--;
		c->id = begun++;
		envelope_say(c);
	} else if (opt.rate > 0 && c->left != 0 && !is_over()) {
		hold(c);
	} else {
		conn_say(c, QUIT, "QUIT\r\n", 6);
	}
}

/* -I, -D: this connection is where it should be. */
static void on_arrived(struct conn *c)
{
	c->state = HELD;
	arrived++;
	opening--;
}

static void on_reply(struct conn *c)
{
	switch (c->state) {
	case BANNER:
		conn_say(c, HELLO, "EHLO gen.example\r\n", 18);
		break;
	case HELLO:
		if (opt.idle)
			on_arrived(c);
		else
			envelope_say(c);
		break;
	case MAIL:
		c->state = RCPT;
		if (!c->pipelining)
			conn_say(c, RCPT, envelope + mail_len, RCPT_LEN);
		break;
	case RCPT:
		c->state = DATA;
		if (!c->pipelining)
			conn_say(c, DATA, envelope + mail_len + RCPT_LEN, DATA_LEN);
		break;
	case DATA:
		if (opt.drip)
			on_arrived(c);
		else
			mail_say(c);
		break;
	case DOT:
		on_taken(c);
		break;
	case QUIT:
		conn_free(c);
		break;
	default:
		conn_failed(c, c->line);
	}
}

/* --- input ---------------------------------------------------------------- */

static void on_line(struct conn *c)
{
	c->line[c->line_len] = '\0';
	if (c->line_len < 4 || strncmp(c->line, state_codes[c->state], 3) != 0) {
		conn_failed(c, c->line);
		return;
	}
	if (c->state == HELLO && opt.pipelining && strncmp(c->line + 4, "PIPELINING", 10) == 0)
		c->pipelining = true;
	if (c->line[3] != '-')
		on_reply(c);
	c->line_len = 0;
}

static void on_octets(struct conn *c, const char *data, size_t n)
{
	for (size_t i = 0; i < n && c->state != FREE; i++) {
		if (data[i] == '\n')
			on_line(c);
		else if (c->line_len < sizeof c->line - 1)
			c->line[c->line_len++] = data[i];
	}
}

static void conn_read(struct conn *c)
{
	char data[16384];

	while (c->state != FREE) {
		ssize_t n = read(c->fd, data, sizeof data);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_failed(c, n == 0 ? "connection closed" : strerror(errno));
			return;
		}
		on_octets(c, data, (size_t)n);
		if ((size_t)n < sizeof data)
			return;
	}
}

/* A connection that is over shows by its read, also when octets came first. */
static void on_event(struct conn *c, uint32_t events)
{
	if (c->state == FREE)
		return;
	if (events & EPOLLOUT) {
		c->blocked = false;
		conn_write(c);
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		conn_read(c);
	if (c->state != FREE && events & EPOLLRDHUP)
		conn_read(c);
}

/* --- new work ------------------------------------------------------------- */

static int conn_open(struct conn *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .data.ptr = c,
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("gen: socket");
	c->fd = fd;
	c->state = BANNER;
	c->pipelining = c->sending = c->ahead = false;
	c->blocked = true;
	c->cmd_len = c->line_len = 0;
	c->left = opt.per_connection;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("gen: epoll_ctl");
	opening += opt.idle || opt.drip;
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0 && errno != EINPROGRESS) {
		conn_failed(c, strerror(errno));
		return -1;
	}
	return 0;
}

static struct conn *pop(struct stack *s)
{
	return &conns[s->item[--s->n]];
}

/* Opens the connections of -I and -D, some at a time. */
static void open_held(void)
{
	while (arrived + opening + failed < opt.connections && opening < OPENING_MAX)
		if (conn_open(pop(&free_conns)) < 0)
			return;
	if (!said_ready && arrived + failed >= opt.connections) {
		said_ready = true;
		printf("{\"ready\": %u, \"failed\": %" PRIu64 "}\n", arrived, failed);
		fflush(stdout);
	}
}

/* Closed loop: each connection that has ended is replaced. */
static void open_free(void)
{
	while (free_conns.n != 0 && !is_over()) {
		struct conn *c = pop(&free_conns);

		c->id = begun++;
		c->began = now;
		if (conn_open(c) < 0)
			return;
		c->left--;
	}
}

static uint64_t due_at(uint64_t id)
{
	return started + (uint64_t)((double)id * (double)NS / opt.rate);
}

/* Open loop: every message that is due goes to a connection that is held, or to
 * a new one; where there is none it waits, and its wait counts. */
static void send_due(void)
{
	while (!is_over() && due_at(begun) <= now && held_conns.n + free_conns.n != 0) {
		bool is_new = held_conns.n == 0;
		struct conn *c = pop(is_new ? &free_conns : &held_conns);

		c->began = due_at(begun);
		c->id = begun++;
		if (is_new && conn_open(c) < 0)
			return;
		c->left--;
		if (!is_new)
			envelope_say(c);
	}
	while (is_over() && held_conns.n != 0)
		conn_say(pop(&held_conns), QUIT, "QUIT\r\n", 6);
	uint64_t next = due_at(begun) > now ? due_at(begun) : now + NS / 1000;
	struct itimerspec at = { .it_value = { .tv_sec = (time_t)(next / NS),
		.tv_nsec = (long)(next % NS) } };
	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		die("gen: timerfd_settime");
}

static void on_timer(void)
{
	uint64_t times;

	if (read(timer, &times, sizeof times) < 0 || !opt.drip)
		return;
	for (unsigned i = 0; i < (opt.connections + DRIP_TICKS - 1) / DRIP_TICKS; i++) {
		struct conn *c = &conns[next_drip++ % opt.connections];
		if (c->state == HELD && send(c->fd, drop, sizeof drop - 1, MSG_NOSIGNAL) > 0)
			octets += sizeof drop - 1;
	}
}

static void work(void)
{
	if (opt.idle || opt.drip)
		open_held();
	else if (opt.rate > 0)
		send_due();
	else
		open_free();
}

static bool is_finished(void)
{
	if (failed > FAILED_MAX)
		return true;
	if (opt.idle || opt.drip)
		return false;
	if (free_conns.n == opt.connections && is_over())
		return true;
	if (now - last_done < opt.stall_ns)
		return false;
	failed += opt.connections - free_conns.n;
	if (first_error[0] == '\0')
		snprintf(first_error, sizeof first_error, "no reply for %.0f s",
			(double)opt.stall_ns / NS);
	return true;
}

/* Until all is done, or stdin ends. */
static void run(void)
{
	struct epoll_event ev[EVENTS];

	started = last_done = now = now_ns();
	for (work(); !is_finished(); work()) {
		int n = epoll_wait(ep, ev, EVENTS, 1000);

		now = now_ns();
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == &timer)
				on_timer();
			else if (ev[i].data.ptr == NULL)
				return;
			else
				on_event(ev[i].data.ptr, ev[i].events);
		}
	}
}

/* --- result --------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double latency_ms(double share)
{
	return done == 0 ? 0 : (double)latency[(uint64_t)(share * (double)(done - 1))] / 1e6;
}

/* Octaves: [up to so many ms, messages]. */
static void histogram(void)
{
	uint64_t at = 0;

	printf("\"histogram\": [");
	for (uint64_t upto = 16000; at < done; upto *= 2) {
		uint64_t from = at;

		while (at < done && latency[at] <= upto)
			at++;
		printf("%s[%.3f, %" PRIu64 "]", upto == 16000 ? "" : ", ", (double)upto / 1e6, at - from);
	}
	printf("]");
}

static void report(void)
{
	for (char *p = first_error; *p != '\0'; p++)
		if (*p < ' ' || *p == '"' || *p == '\\')
			*p = ' ';
	if (done != 0)
		qsort(latency, done, sizeof *latency, compare);
	double seconds = (double)(last_done - started) / 1e9;
	printf("{\"messages\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"error\": \"%s\", "
		"\"octets\": %" PRIu64 ", \"pipelined\": %" PRIu64 ", \"seconds\": %.6f, "
		"\"rate\": %.2f, \"p50\": %.4f, \"p90\": %.4f, "
		"\"p99\": %.4f, \"p99.9\": %.4f, \"max\": %.4f, ", done, failed, first_error, octets,
		pipelined, seconds, seconds > 0 ? (double)done / seconds : 0, latency_ms(.5), latency_ms(.9),
		latency_ms(.99), latency_ms(.999), latency_ms(1));
	histogram();
	puts("}");
}

/* --- start ---------------------------------------------------------------- */

static void usage(const char *name)
{
	fprintf(stderr, "usage: %s [-c CONNECTIONS] [-m PER_CONNECTION] [-n MESSAGES] [-t SECONDS]\n"
		"\t[-s SIZE[-SIZE]] [-x text|mime] [-p] [-r RATE] [-S SEED] [-R RUN]\n"
		"\t[-w SECONDS] [-I] [-D] PORT\n", name);
	exit(2);
}

static void parse_size(const char *text)
{
	char *end;

	opt.size_min = opt.size_max = strtoull(text, &end, 10);
	if (*end == '-')
		opt.size_max = strtoull(end + 1, NULL, 10);
}

static void parse(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "c:m:n:t:s:x:pr:R:S:w:ID")) != -1) {
		switch (o) {
		case 'c': opt.connections = (unsigned)atoi(optarg); break;
		case 'm': opt.per_connection = strtoull(optarg, NULL, 10); break;
		case 'n': opt.messages = strtoull(optarg, NULL, 10); break;
		case 't': opt.limit_ns = (uint64_t)(atof(optarg) * 1e9); break;
		case 's': parse_size(optarg); break;
		case 'x': opt.shape = optarg[0] == 'm' ? MAIL_MIME : MAIL_TEXT; break;
		case 'p': opt.pipelining = true; break;
		case 'r': opt.rate = atof(optarg); break;
		case 'R': opt.run = strtoull(optarg, NULL, 10); break;
		case 'S': opt.seed = strtoull(optarg, NULL, 10); break;
		case 'w': opt.stall_ns = (uint64_t)(atof(optarg) * 1e9); break;
		case 'I': opt.idle = true; break;
		case 'D': opt.drip = true; break;
		default: usage(argv[0]);
		}
	}
	envelope_make();
	if (optind != argc - 1 || opt.connections == 0 || opt.per_connection == 0 ||
	    opt.size_min == 0 || opt.size_max < opt.size_min)
		usage(argv[0]);
	opt.port = (unsigned)atoi(argv[optind]);
}

static void watch(int fd, void *mark)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = mark };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("gen: epoll_ctl");
}

static void open_all(void)
{
	struct itimerspec tick = { .it_interval.tv_nsec = NS / DRIP_TICKS,
		.it_value.tv_nsec = NS / DRIP_TICKS };

	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		die("gen: epoll_create1");
	if (opt.idle || opt.drip)
		watch(STDIN_FILENO, NULL);
	if (opt.rate > 0 || opt.drip) {
		timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		watch(timer, &timer);
	}
	if (opt.drip)
		timerfd_settime(timer, 0, &tick, NULL);
	conns = allocate(opt.connections, sizeof *conns);
	free_conns.item = allocate(opt.connections, sizeof(unsigned));
	held_conns.item = allocate(opt.connections, sizeof(unsigned));
	for (unsigned i = opt.connections; i-- > 0;)
		free_conns.item[free_conns.n++] = i;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	parse(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	mail_init();
	open_all();
	run();
	report();
	return failed != 0;
}
