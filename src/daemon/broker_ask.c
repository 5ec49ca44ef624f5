/* broker_ask.c - a worker's side of the broker, see broker.h. */
#include "broker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker_int.h"
#include "engine_names.h"

#define LOG_WAIT_MS 500
#define FNV_START 14695981039346656037ull
#define FNV_FACTOR 1099511628211ull

static int broker_fd = -1;

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * FNV_FACTOR;
	return h;
}

uint64_t broker_number(const struct net_endpoint *e)
{
	uint64_t h = mix(FNV_START, &e->addr.family, sizeof e->addr.family);

	h = mix(h, &e->addr.port, sizeof e->addr.port);
	h = mix(h, &e->addr.scope, sizeof e->addr.scope);
	h = mix(h, e->addr.ip, sizeof e->addr.ip);
	h = mix(h, e->path, strnlen(e->path, sizeof e->path));
	return h > BROKER_LOG ? h : h + BROKER_LOG + 1;
}

void broker_use(int ask_fd)
{
	broker_fd = ask_fd;
}

bool broker_is_used(void)
{
	return broker_fd >= 0;
}

static int ask(const struct broker_request *r)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	ptrdiff_t n = net_send_fd(broker_fd, r, sizeof *r, ends[1]);
	int error = errno;
	/* Only the broker holds it from now on: its end is an answer too. */
	close(ends[1]);
	if (n == (ptrdiff_t)sizeof *r)
		return ends[0];
	close(ends[0]);
	errno = error;
	return -1;
}

int broker_ask(const struct net_endpoint *e)
{
	return ask(&(struct broker_request){ .number = broker_number(e) });
}

int broker_take(int ask)
{
	struct broker_answer a = { .error = 0 };
	int fd = -1;
	ptrdiff_t n = net_recv_fd(ask, &a, sizeof a, &fd);
	int error = n < 0 ? errno : n == 0 ? EAGAIN : n != (ptrdiff_t)sizeof a ? EPROTO : a.error;

	if (error == 0 && fd < 0)
		error = EPROTO;
	if (error != 0 && fd >= 0)
		close(fd);
	close(ask);
	errno = error;
	return error == 0 ? fd : -1;
}

int broker_dial_log(void)
{
	struct pollfd p = { .fd = ask(&(struct broker_request){ .number = BROKER_LOG }),
		.events = POLLIN };

	if (p.fd < 0)
		return -1;
	if (poll(&p, 1, LOG_WAIT_MS) > 0)
		return broker_take(p.fd);
	close(p.fd);
	return -1;
}

int broker_list(unsigned n, struct engine_addresses *out, int timeout_ms)
{
	struct pollfd p = { .fd = ask(&(struct broker_request){ .number = BROKER_LIST,
		.engine = n }), .events = POLLIN };
	int fd = -1, rc = -1;

	if (p.fd < 0)
		return -1;
	errno = ETIMEDOUT;
	if (poll(&p, 1, timeout_ms) > 0) {
		ptrdiff_t got = net_recv_fd(p.fd, out, sizeof *out, &fd);
		rc = got == (ptrdiff_t)sizeof *out && engine_names_is_sound(out) ? 0 : -1;
		errno = got < 0 ? errno : EPROTO;
	}
	int error = errno;
	if (fd >= 0)
		close(fd);
	close(p.fd);
	errno = error;
	return rc;
}
