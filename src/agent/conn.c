/* conn.c - a socket turned into events, see conn.h. */
#include "conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"

#define SCRATCH (64u << 10)

/* One read at a time in a thread: all connections share the thread's. */
static _Thread_local unsigned char scratch[SCRATCH];

void conn_init(struct conn *c, struct event_base *base, conn_fn fn)
{
	*c = (struct conn){ .fd = -1, .base = base, .fn = fn };
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n = recv(fd, scratch, sizeof scratch, 0);

	(void)what;
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

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	c->writing = false;
	c->fn(c, CONN_WRITABLE, NULL, 0);
}

int conn_open(struct conn *c, int fd)
{
	c->ev_read = event_new(c->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	if (c->ev_read == NULL) {
		close(fd);
		return -1;
	}
	c->fd = fd;
	c->error = 0;
	c->reading = c->writing = c->write_dead = false;
	return 0;
}

static void drop_event(struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
}

void conn_close(struct conn *c)
{
	drop_event(&c->ev_read);
	drop_event(&c->ev_write);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->reading = c->writing = false;
}

void conn_set_reading(struct conn *c, bool on)
{
	if (c->fd < 0 || on == c->reading)
		return;
	c->reading = on;
	if (on)
		event_add(c->ev_read, NULL);
	else
		event_del(c->ev_read);
}

void conn_want_writable(struct conn *c)
{
	if (c->writing || c->fd < 0)
		return;
	if (c->ev_write == NULL)
		c->ev_write = event_new(c->base, c->fd, EV_WRITE, on_writable, c);
	if (c->ev_write == NULL || event_add(c->ev_write, NULL) < 0) {
		c->write_dead = true;
		c->error = ENOMEM;
		return;
	}
	c->writing = true;
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

int conn_connect_result(const struct conn *c)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return errno;
	return err;
}
