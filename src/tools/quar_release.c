/* quar_release.c - a message out of quarantine to the server, see
 * quar_release.h.
 *
 * Straight to server_addr, so that it is not scanned again, by a connection of
 * its own and never by a mark in the mail that the filter would honour:
 * anybody could write that. What is said is smtp_send.c's. Blocking, with a
 * deadline for each step. */
#include "quar_release.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "digest.h"
#include "net.h"
#include "proxy_hdr.h"
#include "smtp_dot.h"
#include "smtp_reply.h"
#include "smtp_send.h"

#define CHUNK ((size_t)65536)

struct link {
	int fd;
	long long timeout_ms;      /* of one step */
	struct smtp_reply reply;
	char in[8192];
	size_t have;               /* octets of in that are not taken yet */
	const char *why;
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- octets -------------------------------------------------------------------- */

static int wait_for(struct link *l, short events, long long end_ms)
{
	struct pollfd p = { .fd = l->fd, .events = events };
	long long left = end_ms - now_ms();

	int n = poll(&p, 1, left > 0 ? (int)left : 0);
	if (n == 0)
		l->why = "timed out";
	else if (n < 0)
		l->why = strerror(errno);
	return n > 0 ? 0 : -1;
}

static int send_all(struct link *l, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t k = send(l->fd, p, n, MSG_NOSIGNAL);
		if (k < 0 && errno == EAGAIN) {
			if (wait_for(l, POLLOUT, now_ms() + l->timeout_ms) < 0)
				return -1;
			continue;
		}
		if (k < 0) {
			l->why = strerror(errno);
			return -1;
		}
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* The next whole reply. */
static int read_reply(struct link *l)
{
	long long end_ms = now_ms() + l->timeout_ms;

	smtp_reply_reset(&l->reply);
	for (;;) {
		size_t used = 0;
		int got = smtp_reply_push(&l->reply, l->in, l->have, &used, &l->why);
		memmove(l->in, l->in + used, l->have - used);
		l->have -= used;
		if (got != 0)
			return got;
		if (l->have == sizeof l->in) {
			l->why = "a line of the server is too long";
			return -1;
		}
		ssize_t n = recv(l->fd, l->in + l->have, sizeof l->in - l->have, 0);
		if (n < 0 && errno == EAGAIN) {
			if (wait_for(l, POLLIN, end_ms) < 0)
				return -1;
			continue;
		}
		if (n <= 0) {
			l->why = n == 0 ? "the server closed the connection" : strerror(errno);
			return -1;
		}
		l->have += (size_t)n;
	}
}

/* --- connection ------------------------------------------------------------------ */

static int connect_one(struct link *l, const struct net_endpoint *e)
{
	int error = 0;
	socklen_t len = sizeof error;

	l->fd = net_connect(e, SOCK_STREAM);
	if (l->fd < 0) {
		l->why = strerror(errno);
		return -1;
	}
	if (wait_for(l, POLLOUT, now_ms() + l->timeout_ms) == 0 &&
	    getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
		return 0;
	if (error != 0)
		l->why = strerror(error);
	close(l->fd);
	l->fd = -1;
	return -1;
}

static int connect_any(struct link *l, const struct conf_smtp *c, char why[QUAR_RELEASE_WHY])
{
	struct net_endpoint e[NET_ADDRS_MAX];
	char text[200] = "";

	int n = net_resolve(c->server_addr, c->server_port, false, e, NET_ADDRS_MAX, text, sizeof text);
	for (int i = 0; i < n; i++) {
		if (connect_one(l, &e[i]) == 0)
			return 0;
		char where[160];
		snprintf(why, QUAR_RELEASE_WHY, "%s: %s", net_endpoint_text(&e[i], where, sizeof where),
			l->why);
	}
	if (n <= 0)
		snprintf(why, QUAR_RELEASE_WHY, "server_addr: %s", n < 0 ? text : "not set");
	return -1;
}

/* A server that expects the header gets one that names no client. */
static int send_proxy_header(struct link *l, const struct conf_smtp *c)
{
	const struct proxy_hdr h = { .is_local = true };
	char text[128];

	if (c->server_proxy_protocol == CONF_PROXY_NO)
		return 0;
	size_t n = proxy_hdr_format(&h, c->server_proxy_protocol == CONF_PROXY_V1 ? 1 : 2, text);
	return send_all(l, text, n);
}

/* --- content ---------------------------------------------------------------------- */

/* Reads all of it: for what the server must be told, and against its digest. */
static int look(int fd, const struct quar_meta *m, struct smtp_send_look *out)
{
	struct digest *d = digest_new();
	char *mem = malloc(CHUNK), hex[DIGEST_HEX_SIZE];
	bool is_ok = d != NULL && mem != NULL;
	ssize_t n = 0;

	*out = (struct smtp_send_look){ .has_8bit = false };
	for (off_t at = 0; is_ok && (n = pread(fd, mem, CHUNK, at)) > 0; at += n) {
		smtp_send_look_push(out, mem, (size_t)n);
		is_ok = digest_push(d, mem, (size_t)n) == 0;
	}
	smtp_send_look_end(out);
	is_ok = is_ok && n == 0 && digest_end(d, hex) == 0 && strcmp(hex, m->sha256) == 0;
	digest_free(&d);
	free(mem);
	return is_ok ? 0 : -1;
}

static int send_content(struct link *l, int fd, uint64_t size, bool is_stuffed)
{
	struct smtp_stuff stuff;
	char *mem = malloc(3 * CHUNK);
	int rc = mem != NULL ? 0 : -1;

	l->why = "out of memory";
	smtp_stuff_init(&stuff);
	for (uint64_t at = 0; rc == 0 && at < size;) {
		ssize_t n = pread(fd, mem, size - at < CHUNK ? (size_t)(size - at) : CHUNK, (off_t)at);
		if (n <= 0) {
			l->why = "the message cannot be read";
			rc = -1;
		} else if (is_stuffed) {
			size_t k = smtp_stuff_push(&stuff, mem, (size_t)n, mem + CHUNK);
			rc = send_all(l, mem + CHUNK, k);
		} else {
			rc = send_all(l, mem, (size_t)n);
		}
		at += n > 0 ? (uint64_t)n : 0;
	}
	const char *end = smtp_stuff_end(&stuff);
	if (rc == 0 && is_stuffed)
		rc = send_all(l, end, strlen(end));
	free(mem);
	return rc;
}

/* --- one message -------------------------------------------------------------------- */

static int act(struct link *l, struct smtp_send *s, enum smtp_send_step step, int fd)
{
	if (step != SMTP_SEND_BODY && send_all(l, s->line, strlen(s->line)) < 0)
		return -1;
	if (step == SMTP_SEND_LINE)
		return 0;
	return send_content(l, fd, s->job->size, step == SMTP_SEND_BODY);
}

static void talk(struct link *l, struct smtp_send *s, int fd, const struct conf_smtp *c)
{
	enum smtp_send_step step = SMTP_SEND_LINE;

	while (step != SMTP_SEND_OVER) {
		if (read_reply(l) < 0)
			break;
		step = smtp_send_reply(s, l->reply.code, (const char *)buf_head(&l->reply.raw),
			buf_len(&l->reply.raw));
		l->timeout_ms = c->timeout_server * 1000LL;
		if (step != SMTP_SEND_OVER && act(l, s, step, fd) < 0)
			break;
	}
	if (step != SMTP_SEND_OVER)
		smtp_send_lost(s, l->why);
}

static int release_open(const struct conf_smtp *c, int fd, const struct smtp_send_job *job,
	char why[QUAR_RELEASE_WHY])
{
	struct link l = { .fd = -1, .timeout_ms = c->timeout_banner * 1000LL, .why = "" };
	struct smtp_send s;

	if (smtp_send_init(&s, job) < 0) {
		snprintf(why, QUAR_RELEASE_WHY, "%s", s.why);
		return -1;
	}
	if (connect_any(&l, c, why) < 0)
		return -1;
	smtp_reply_init(&l.reply);
	if (send_proxy_header(&l, c) < 0)
		smtp_send_lost(&s, l.why);
	else
		talk(&l, &s, fd, c);
	smtp_reply_fini(&l.reply);
	close(l.fd);
	snprintf(why, QUAR_RELEASE_WHY, "%s", s.why);
	return s.is_delivered ? 0 : -1;
}

int quar_release(const struct conf_smtp *c, int dir, const struct quar_meta *m,
	const char *const *rcpts, unsigned nrcpts, char why[QUAR_RELEASE_WHY])
{
	struct smtp_send_look content;
	char host[256] = "localhost";
	uint64_t size;
	int rc = -1;

	if (rcpts == NULL && m->nrcpts < m->nrcpts_total) {
		snprintf(why, QUAR_RELEASE_WHY, "only %u of its %u recipients are known: use --to",
			m->nrcpts, m->nrcpts_total);
		return -1;
	}
	int fd = quar_dir_open_file(dir, m->id, QUAR_FILE_MESSAGE, &size);
	if (fd < 0 || size != m->size || look(fd, m, &content) < 0) {
		snprintf(why, QUAR_RELEASE_WHY, "the message is not the one that was kept (SHA-256)");
	} else {
		gethostname(host, sizeof host - 1);
		const struct smtp_send_job job = { .helo = host, .sender = m->sender,
			.rcpts = rcpts != NULL ? rcpts : m->rcpts,
			.nrcpts = rcpts != NULL ? nrcpts : m->nrcpts, .size = m->size,
			.has_8bit = content.has_8bit, .has_bare = content.has_bare };
		rc = release_open(c, fd, &job, why);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
