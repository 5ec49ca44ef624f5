/* smtp_link.c - a tool's connection to an SMTP server, see smtp_link.h. */
#include "smtp_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- octets -------------------------------------------------------------------- */

static int wait_for(struct smtp_link *l, short events, long long end_ms)
{
	struct pollfd p = { .fd = l->fd, .events = events };
	long long left = (l->end_ms != 0 && l->end_ms < end_ms ? l->end_ms : end_ms) - now_ms();

	int n = poll(&p, 1, left > 0 ? (int)left : 0);
	if (n == 0)
		l->why = "timed out";
	else if (n < 0)
		l->why = strerror(errno);
	return n > 0 ? 0 : -1;
}

bool smtp_link_is_quiet(struct smtp_link *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	if (l->have == 0 && poll(&p, 1, 0) == 0)
		return true;
	l->why = "the server speaks before it is asked, or has gone";
	return false;
}

int smtp_link_send(struct smtp_link *l, const void *data, size_t n)
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

int smtp_link_reply(struct smtp_link *l)
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

static int connect_one(struct smtp_link *l, const struct net_endpoint *e)
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

int smtp_link_open(struct smtp_link *l, const char *list, const char *list_name, uint16_t port,
	long long timeout_ms, long long most_ms, char *why, size_t why_size)
{
	struct net_endpoint e[NET_ADDRS_MAX];
	char text[200] = "";

	*l = (struct smtp_link){ .fd = -1, .timeout_ms = timeout_ms, .why = "",
		.end_ms = most_ms != 0 ? now_ms() + most_ms : 0 };
	int n = net_resolve(list, port, false, e, NET_ADDRS_MAX, text, sizeof text);
	for (int i = 0; i < n; i++) {
		if (connect_one(l, &e[i]) == 0) {
			smtp_reply_init(&l->reply);
			return 0;
		}
		char where[160];
		snprintf(why, why_size, "%s: %s", net_endpoint_text(&e[i], where, sizeof where), l->why);
	}
	if (n <= 0)
		snprintf(why, why_size, "%s: %s", list_name, n < 0 ? text : "not set");
	return -1;
}

void smtp_link_close(struct smtp_link *l)
{
	smtp_reply_fini(&l->reply);
	close(l->fd);
	l->fd = -1;
}
