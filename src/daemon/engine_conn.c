/* engine_conn.c - talking to an external engine, see engine_conn.h.
 *
 * The socket never blocks; all waiting is in one place, in slices after which
 * the requester is looked at. Must not know what is said, and not log. */
#include "engine_conn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "broker.h"
#include "str.h"

#define SLICE_MS 50       /* a requester that has gone is noticed after it */
#define READ_MAX 16384
#define HEADER_MAX 1000
#define FULL_WAIT_MS 10   /* until a UNIX socket with a full queue is tried again */

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int trouble(struct engine_conn *c, enum engine_trouble t, int error)
{
	if (c->trouble == ENGINE_FINE) {
		c->trouble = t;
		c->error = error;
	}
	return -1;
}

int engine_conn_garbage(struct engine_conn *c, const char *why)
{
	if (c->trouble == ENGINE_FINE)
		str_copy(c->why, sizeof c->why, why);
	return trouble(c, ENGINE_GARBAGE, 0);
}

int engine_conn_hung_up(struct engine_conn *c)
{
	return trouble(c, ENGINE_REFUSED, 0);
}

const char *engine_conn_text(const struct engine_conn *c)
{
	switch (c->trouble) {
	case ENGINE_FINE: return "no trouble";
	case ENGINE_REFUSED: return c->error != 0 ? strerror(c->error) :
		"it hung up without an answer";
	case ENGINE_GARBAGE: return c->why;
	case ENGINE_UNREACHED: return "no connection within engine_timeout_connect";
	case ENGINE_SILENT: return "no answer in time";
	case ENGINE_DEADLINE: return "no answer within av_scan_timeout";
	case ENGINE_CANCELLED: return "nobody waits for the answer";
	}
	return "";
}

/* Waits for events (0: only lets up to slice_ms pass); >0 there are some, 0 the
 * slice is over, -1 trouble (late: what it is when end_ms is over). */
static int wait_slice(struct engine_conn *c, short events, int slice_ms, long long end_ms,
	enum engine_trouble late)
{
	struct pollfd pf = { .fd = events != 0 ? c->fd : -1, .events = events };
	long long now = now_ms(), end = end_ms < c->call->deadline_ms ? end_ms :
		c->call->deadline_ms;

	if (now >= c->call->deadline_ms)
		return trouble(c, ENGINE_DEADLINE, 0);
	if (now >= end_ms)
		return trouble(c, late, 0);
	int n = poll(&pf, 1, end - now < slice_ms ? (int)(end - now) : slice_ms);
	if (n > 0)
		return pf.revents;
	if (n < 0 && errno != EINTR)
		return trouble(c, ENGINE_REFUSED, errno);
	if (c->call->cancelled != NULL && c->call->cancelled(c->call->arg))
		return trouble(c, ENGINE_CANCELLED, 0);
	return 0;
}

static int wait_for(struct engine_conn *c, short events, long long end_ms,
	enum engine_trouble late)
{
	int got;

	do
		got = wait_slice(c, events, SLICE_MS, end_ms, late);
	while (got == 0);
	return got;
}

/* The socket, or -1 with errno, or trouble. */
static int dial(struct engine_conn *c, const struct net_endpoint *e, long long end_ms)
{
	if (!broker_is_used())
		return net_connect(e, SOCK_STREAM);
	const int ask = c->fd = broker_ask(e);
	if (ask < 0)
		return -1;
	const int got = wait_for(c, POLLIN, end_ms, ENGINE_UNREACHED);
	c->fd = -1;
	if (got >= 0)
		return broker_take(ask);
	close(ask);
	return -1;
}

/* A UNIX socket whose queue is full gives no event: it is tried again. */
static int start_connect(struct engine_conn *c, const struct net_endpoint *e, long long end_ms)
{
	while ((c->fd = dial(c, e, end_ms)) < 0) {
		if (c->trouble == ENGINE_FINE && errno != EAGAIN && errno != EINTR)
			return trouble(c, ENGINE_REFUSED, errno);
		if (wait_slice(c, 0, FULL_WAIT_MS, end_ms, ENGINE_UNREACHED) < 0)
			return -1;
	}
	return 0;
}

int engine_conn_open(struct engine_conn *c, const struct net_endpoint *e, unsigned connect_ms,
	unsigned read_ms, const struct engine_call *call)
{
	const long long end_ms = now_ms() + connect_ms;
	int error = 0;
	socklen_t len = sizeof error;

	*c = (struct engine_conn){ .call = call, .read_ms = read_ms, .fd = -1,
		.scratch = ENGINE_SCRATCH_NONE };
	if (start_connect(c, e, end_ms) < 0 ||
	    wait_for(c, POLLOUT, end_ms, ENGINE_UNREACHED) < 0)
		return -1;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	return error != 0 ? trouble(c, ENGINE_REFUSED, error) : 0;
}

void engine_conn_close(struct engine_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	engine_scratch_close(&c->scratch);
}

static int send_all(struct engine_conn *c, const char *p, size_t n, int fd, int flags)
{
	if (c->trouble != ENGINE_FINE)
		return -1;
	while (n > 0) {
		int got = wait_for(c, POLLIN | POLLOUT, now_ms() + c->read_ms, ENGINE_SILENT);
		if (got < 0)
			return -1;
		if ((got & POLLIN) != 0)
			return 1;
		ptrdiff_t k = fd >= 0 ? net_send_fd(c->fd, p, n, fd) :
			send(c->fd, p, n, MSG_NOSIGNAL | flags);
		if (k < 0 && errno != EAGAIN && errno != EINTR)
			return trouble(c, ENGINE_REFUSED, errno == EPIPE ? 0 : errno);
		if (k <= 0)
			continue;
		p += k;
		n -= (size_t)k;
		fd = -1;
	}
	return 0;
}

int engine_conn_send(struct engine_conn *c, const void *p, size_t n, bool more)
{
	return send_all(c, p, n, -1, more ? MSG_MORE : 0);
}

int engine_conn_send_fd(struct engine_conn *c, const void *p, size_t n, int fd)
{
	return send_all(c, p, n, fd, 0);
}

ptrdiff_t engine_conn_recv(struct engine_conn *c, void *p, size_t n)
{
	if (c->trouble != ENGINE_FINE)
		return -1;
	for (;;) {
		if (wait_for(c, POLLIN, now_ms() + c->read_ms, ENGINE_SILENT) < 0)
			return -1;
		ptrdiff_t k = recv(c->fd, p, n, 0);
		if (k >= 0)
			return k;
		if (errno != EAGAIN && errno != EINTR)
			return trouble(c, ENGINE_REFUSED, errno);
	}
}

ptrdiff_t engine_conn_read(struct engine_conn *c, struct buf *b)
{
	unsigned char in[READ_MAX];
	ptrdiff_t n = engine_conn_recv(c, in, sizeof in);

	if (n > 0 && buf_append(b, in, (size_t)n) < 0)
		return engine_conn_garbage(c, "an answer that is too long");
	return n;
}

int engine_conn_answer(struct engine_conn *c, struct buf *in, engine_parse_fn parse, void *answer)
{
	const char *why = "";
	int got = 0;

	while (got == 0) {
		ptrdiff_t n = engine_conn_read(c, in);
		if (n < 0)
			return -1;
		if (n == 0 && buf_is_empty(in))
			return engine_conn_hung_up(c);
		got = parse((const char *)buf_head(in), buf_len(in), n == 0, answer, &why);
	}
	return got < 0 ? engine_conn_garbage(c, why) : 0;
}

int engine_conn_ask(struct engine_conn *c, const struct buf *head, const struct engine_object *o,
	struct buf *in, engine_parse_fn parse, void *answer)
{
	int rc = engine_conn_send(c, buf_head(head), buf_len(head), o->len > 0);

	if (rc == 0)
		rc = engine_conn_send(c, o->data, o->len, false);
	if (rc >= 0 && engine_conn_answer(c, in, parse, answer) < 0)
		rc = -1;
	return rc;
}

bool engine_conn_is_header(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	}
	return n > 0 && n <= HEADER_MAX;
}
