/* sink.c - the SMTP server behind a filter under measurement.
 *
 *   tests/bench/sink [--no-pipelining] PORT
 *
 * Takes messages of tests/bench/gen on 127.0.0.1 and compares every octet with
 * what the generator made (mail.h); header fields that a filter adds are passed
 * over, fields of the message itself must be there, together and unchanged.
 * USR1: prints what was received since the last time as one line of JSON and
 * begins anew: mail of a seed that was seen before is only counted as late. TERM
 * does so too, and ends. One thread; epoll, edge-triggered. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail.h"

#define LINE_MAX_LEN 2048u
#define HEADER_MAX   65536u
#define READ_SIZE    262144u
#define EVENTS       256

enum state { COMMANDS, HEADER, BODY, STRAY };

struct conn {
	int fd;
	enum state state;
	char *kept;              /* an incomplete line, or header, and how long */
	size_t kept_len;
	struct mail mail;
	uint64_t seed, id;
	bool known;              /* mail, seed and id are this message's */
	bool changed;
	uint64_t pos;            /* BODY: how much of the mail is compared */
	unsigned end_state;      /* STRAY: octets of CR LF . CR LF seen */
	char out[4096];          /* replies, written once per read */
	size_t out_len;
};

static struct {
	uint64_t connections, messages, changed, twice, late, cut, octets;
} count;

/* Seeds rise from run to run: the highest one, and the lowest that is not late. */
static uint64_t seed_seen, seed_now;

/* Ids seen since the last report, a bit each. */
static unsigned char *seen;
static size_t seen_size;

static char input[READ_SIZE + HEADER_MAX + 1];
static bool pipelining = true;

static bool is_second(uint64_t id)
{
	size_t at = (size_t)(id / 8);

	if (at >= seen_size) {
		size_t size = at * 2 + 4096;
		unsigned char *grown = realloc(seen, size);

		if (grown == NULL)
			abort();
		memset(grown + seen_size, 0, size - seen_size);
		seen = grown;
		seen_size = size;
	}
	bool second = (seen[at] >> (id & 7)) & 1;
	seen[at] |= (unsigned char)(1u << (id & 7));
	return second;
}

static void report(void)
{
	printf("{\"connections\": %" PRIu64 ", \"messages\": %" PRIu64 ", \"changed\": %" PRIu64
		", \"twice\": %" PRIu64 ", \"late\": %" PRIu64 ", \"cut\": %" PRIu64
		", \"octets\": %" PRIu64 "}\n", count.connections, count.messages, count.changed,
		count.twice, count.late, count.cut, count.octets);
	fflush(stdout);
	memset(&count, 0, sizeof count);
	seed_now = seed_seen + 1;
	if (seen_size != 0)
		memset(seen, 0, seen_size);
}

static void conn_flush(struct conn *c)
{
	if (c->out_len != 0 && send(c->fd, c->out, c->out_len, MSG_NOSIGNAL) < 0 &&
	    errno != EPIPE && errno != ECONNRESET)
		perror("sink: send");
	c->out_len = 0;
}

static void reply(struct conn *c, const char *text)
{
	size_t n = strlen(text);

	if (c->out_len + n > sizeof c->out)
		conn_flush(c);
	memcpy(c->out + c->out_len, text, n);
	c->out_len += n;
}

static bool is_verb(const char *line, size_t n, const char *verb)
{
	return n >= 4 && strncasecmp(line, verb, 4) == 0;
}

/* Returns false when the session is over. */
static bool command(struct conn *c, const char *line, size_t n)
{
	if (is_verb(line, n, "EHLO")) {
		reply(c, pipelining ? "250-sink.example\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n"
			: "250-sink.example\r\n250-SIZE\r\n250 8BITMIME\r\n");
	} else if (is_verb(line, n, "DATA")) {
		reply(c, "354 go on\r\n");
		c->state = HEADER;
	} else if (is_verb(line, n, "QUIT")) {
		reply(c, "221 bye\r\n");
		return false;
	} else if (is_verb(line, n, "MAIL") || is_verb(line, n, "RCPT") || is_verb(line, n, "RSET") ||
	           is_verb(line, n, "HELO") || is_verb(line, n, "NOOP")) {
		reply(c, "250 ok\r\n");
	} else {
		reply(c, "502 not here\r\n");
	}
	return true;
}

static void message_count(const struct conn *c)
{
	if (c->known && c->seed < seed_now) {
		count.late++;
		return;
	}
	count.messages++;
	count.changed += c->changed;
	count.twice += c->known && is_second(c->id);
	if (c->known && c->seed > seed_seen)
		seed_seen = c->seed;
}

static void message_done(struct conn *c)
{
	message_count(c);
	reply(c, "250 taken\r\n");
	c->state = COMMANDS;
}

/* The header block is here: which message is it, and are its fields whole? */
static void header_done(struct conn *c, const char *text, size_t n)
{
	uint64_t seed, id, size;
	enum mail_shape shape;

	c->changed = c->known = false;
	if (mail_identify(text, &seed, &id, &size, &shape) < 0) {
		c->changed = true;
		c->end_state = 2;
		c->state = STRAY;
		return;
	}
	c->known = true;
	c->seed = seed;
	c->id = id;
	mail_make(&c->mail, seed, id, size, shape);
	if (memmem(text, n, c->mail.head, c->mail.fields_len) == NULL)
		c->changed = true;
	c->pos = c->mail.fields_len + 2;
	c->state = BODY;
}

/* Was the octet before pos, which has been compared, the end of a line? */
static bool at_line_start(const struct mail *m, uint64_t pos)
{
	const char *last;

	mail_piece(m, pos - 1, &last);
	return *last == '\n';
}

/* Compares; returns octets used. On a difference the rest goes to STRAY. */
static size_t body(struct conn *c, const char *data, size_t n)
{
	size_t used = 0;

	while (used < n) {
		const char *want;
		size_t len = mail_piece(&c->mail, c->pos, &want);

		if (len == 0)
			break;
		len = len < n - used ? len : n - used;
		if (memcmp(data + used, want, len) != 0) {
			c->changed = true;
			c->end_state = at_line_start(&c->mail, c->pos) ? 2 : 0;
			c->state = STRAY;
			return used;
		}
		used += len;
		c->pos += len;
	}
	if (c->pos == c->mail.total)
		message_done(c);
	return used;
}

/* Looks for the end of a message that is not what it should be. */
static size_t stray(struct conn *c, const char *data, size_t n)
{
	static const char end[] = "\r\n.\r\n";

	for (size_t i = 0; i < n; i++) {
		if (data[i] == end[c->end_state])
			c->end_state++;
		else
			c->end_state = data[i] == '\r';
		if (c->end_state == 5) {
			message_done(c);
			return i + 1;
		}
	}
	return n;
}

/* The end of data within n octets that begin a message, or NULL. */
static char *early_end(char *data, size_t n)
{
	char *end = memmem(data, n, "\r\n.\r\n", 5);

	if (n >= 3 && memcmp(data, ".\r\n", 3) == 0)
		return data + 3;
	return end != NULL ? end + 5 : NULL;
}

/* Header block with its blank line, if it is here whole; 0 if not. */
static size_t header(struct conn *c, char *data, size_t n)
{
	char *end = memmem(data, n, "\r\n\r\n", 4);
	size_t len = end == NULL ? n : (size_t)(end - data) + 4;
	char *early = early_end(data, len);

	if (early != NULL) {
		c->changed = true;
		c->known = false;
		message_done(c);
		return (size_t)(early - data);
	}
	if (end == NULL && n < HEADER_MAX)
		return 0;
	char behind = data[len];
	data[len] = '\0';
	header_done(c, data, len);
	data[len] = behind;
	return len;
}

/* Goes through what was read. Returns octets used, or -1: over. */
static ssize_t conn_input(struct conn *c, char *data, size_t n)
{
	size_t used = 0;

	while (used < n) {
		size_t step = 0;

		if (c->state == COMMANDS) {
			char *lf = memchr(data + used, '\n', n - used);
			if (lf == NULL)
				return n - used > LINE_MAX_LEN ? -1 : (ssize_t)used;
			step = (size_t)(lf - (data + used)) + 1;
			if (!command(c, data + used, step))
				return -1;
		} else if (c->state == HEADER) {
			step = header(c, data + used, n - used);
			if (step == 0)
				break;
		} else if (c->state == BODY) {
			step = body(c, data + used, n - used);
		} else {
			step = stray(c, data + used, n - used);
		}
		used += step;
	}
	return (ssize_t)used;
}

static int conn_keep(struct conn *c, const char *rest, size_t n)
{
	char *kept = n != 0 ? realloc(c->kept, n) : NULL;

	if (n == 0)
		free(c->kept);
	else if (kept == NULL)
		return -1;
	c->kept = kept;
	if (n != 0)
		memcpy(kept, rest, n);
	c->kept_len = n;
	return 0;
}

/* Reads until nothing is left; has_end: its end is there too, and no further event
 * would tell of it. Returns -1 when the connection is over. */
static int conn_read(struct conn *c, bool has_end)
{
	for (;;) {
		if (c->kept_len != 0)
			memcpy(input, c->kept, c->kept_len);
		ssize_t n = read(c->fd, input + c->kept_len, READ_SIZE);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;
		count.octets += (uint64_t)n;
		size_t have = c->kept_len + (size_t)n;
		ssize_t used = conn_input(c, input, have);
		conn_flush(c);
		if (used < 0 || conn_keep(c, input + used, have - (size_t)used) < 0)
			return -1;
		if ((size_t)n < READ_SIZE && !has_end)
			return 0;
	}
}

static void conn_close(struct conn *c)
{
	count.cut += c->state != COMMANDS;
	close(c->fd);
	free(c->kept);
	free(c);
}

static void accept_all(int ep, int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof *c);
		struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = c };

		if (c == NULL)
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		c->fd = fd;
		count.connections++;
		reply(c, "220 sink.example ESMTP\r\n");
		conn_flush(c);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
			conn_close(c);
	}
	if (errno != EAGAIN)
		perror("sink: accept");
}

static int listen_on(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0) {
		perror("sink: listen");
		exit(1);
	}
	return fd;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Returns false on TERM. */
static bool on_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof info) != sizeof info)
		return true;
	report();
	return info.ssi_signo != SIGTERM;
}

static void serve(int ep, int *listener, int *signals)
{
	struct epoll_event ev[EVENTS];

	for (;;) {
		int n = epoll_wait(ep, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == listener)
				accept_all(ep, *listener);
			else if (ev[i].data.ptr == signals && !on_signal(*signals))
				return;
			else if (ev[i].data.ptr != signals &&
			         conn_read(ev[i].data.ptr, ev[i].events & EPOLLRDHUP) < 0)
				conn_close(ev[i].data.ptr);
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int signals = signals_open(), ep = epoll_create1(EPOLL_CLOEXEC);

	if (argc == 3 && strcmp(argv[1], "--no-pipelining") == 0)
		pipelining = false;
	else if (argc != 2) {
		fprintf(stderr, "usage: %s [--no-pipelining] PORT\n", argv[0]);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	mail_init();
	int listener = listen_on((unsigned)atoi(argv[argc - 1]));
	struct epoll_event on_accept = { .events = EPOLLIN, .data.ptr = &listener };
	struct epoll_event on_sig = { .events = EPOLLIN, .data.ptr = &signals };
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &on_accept) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, signals, &on_sig) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	serve(ep, &listener, &signals);
	return 0;
}
