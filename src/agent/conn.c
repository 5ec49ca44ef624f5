/* conn.c - a socket turned into events, see conn.h. */
#include "conn.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "log.h"

#define SCRATCH (256u << 10)
#define COPY (32u << 10)

/* One read at a time in a thread: all connections share the thread's. */
static _Thread_local unsigned char scratch[SCRATCH];

void conn_init(struct conn *c, struct event_base *base, conn_fn fn)
{
	*c = (struct conn){ .fd = -1, .base = base, .fn = fn };
}

static void on_readable(struct conn *c)
{
	ssize_t n = recv(c->fd, scratch, sizeof scratch, 0);

	if (n > 0) {
		c->fn(c, CONN_READ, scratch, (size_t)n);
	} else if (n == 0) {
		conn_set_reading(c, false);
		c->fn(c, CONN_EOF, NULL, 0);
	} else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		c->error = errno;
		conn_set_reading(c, false);
		c->fn(c, CONN_ERROR, NULL, 0);
	}
}

static int watch(struct conn *c);

static void on_writable(struct conn *c)
{
	c->writing = false;
	watch(c);
	c->fn(c, CONN_WRITABLE, NULL, 0);
}

/* One of the two at a time, since the owner may be gone behind it; the other
 * comes with the next turn of the loop. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	c->wrote_last = (what & EV_WRITE) && !((what & EV_READ) && c->wrote_last);
	if (c->wrote_last)
		on_writable(c);
	else
		on_readable(c);
}

/* Turns the event to what is asked for. 0, -1 no memory. */
static int watch(struct conn *c)
{
	const short want = (short)((c->reading ? EV_READ : 0) | (c->writing ? EV_WRITE : 0));

	if (want == c->on)
		return 0;
	if (c->on != 0)
		event_del(&c->ev);
	c->on = 0;
	if (want == 0)
		return 0;
	event_assign(&c->ev, c->base, c->fd, (short)(want | EV_PERSIST), on_event, c);
	if (event_add(&c->ev, NULL) < 0)
		return -1;
	c->on = want;
	return 0;
}

void conn_open(struct conn *c, int fd)
{
	c->fd = fd;
	c->error = 0;
	c->reading = c->writing = c->write_dead = false;
}

void conn_close(struct conn *c)
{
	c->reading = c->writing = false;
	watch(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void conn_abort(struct conn *c)
{
	/* Not SO_LINGER: a worker may set no options, as listening sockets are shared. */
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	if (c->fd >= 0 && connect(c->fd, &nobody, sizeof nobody) < 0)
		log_debug("a connection cannot be reset: %m");
	conn_close(c);
}

uint64_t conn_taken(const struct conn *c, bool *is_all_out)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	memset(&info, 0, sizeof info);
	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		memset(&info, 0, sizeof info);
	*is_all_out = info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0;
	return info.tcpi_bytes_acked;
}

void conn_set_reading(struct conn *c, bool on)
{
	if (c->fd < 0)
		return;
	c->reading = on;
	watch(c);
}

void conn_want_writable(struct conn *c)
{
	if (c->writing || c->fd < 0)
		return;
	c->writing = true;
	if (watch(c) == 0)
		return;
	c->writing = false;
	c->write_dead = true;
	c->error = ENOMEM;
}

bool conn_flush(struct conn *c, struct buf *b)
{
	while (!buf_is_empty(b) && !c->write_dead) {
		ssize_t n = send(c->fd, buf_head(b), buf_len(b), MSG_NOSIGNAL);
		if (n > 0) {
			buf_consume(b, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			conn_want_writable(c);
			return false;
		}
		c->error = errno;
		c->write_dead = true;
	}
	buf_trim(b);
	return buf_is_empty(b);
}

/* Whose failure it was, the file's or the connection's, shows where one is read and
 * then the other written; and there are file systems that sendfile does not take. */
static ptrdiff_t send_copy(const struct conn *c, int fd, uint64_t at, size_t n)
{
	char chunk[COPY];
	ssize_t got, sent;

	do {
		got = pread(fd, chunk, n < sizeof chunk ? n : sizeof chunk, (off_t)at);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return 0;
	do {
		sent = send(c->fd, chunk, (size_t)got, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

ptrdiff_t conn_send_file(struct conn *c, int fd, uint64_t at, size_t n)
{
	off_t off = (off_t)at;
	ssize_t sent;

	do {
		sent = sendfile(c->fd, fd, &off, n);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		sent = send_copy(c, fd, at, n);
	if (sent >= 0)
		return sent;
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		conn_want_writable(c);
	} else {
		c->error = errno;
		c->write_dead = true;
	}
	return -1;
}

int conn_connect_result(const struct conn *c)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return errno;
	return err;
}
