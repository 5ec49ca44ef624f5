/* scan_call.c - the blocking form of the scanner client: one request on a
 * connection of its own, see scan_client.h. */
#include "scan_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scan_client_int.h"

struct call {
	struct net_endpoint daemon;
	struct buf packet;
	struct scan_ask ask;
	int sock, fd;
	long long deadline_ms;
};

/* 0 sent; -1 with errno, ETIMEDOUT at the deadline. */
static int call_send(struct call *c)
{
	unsigned retry_ms = SCAN_RETRY_FIRST_MS;

	for (;;) {
		c->sock = net_connect(&c->daemon, SOCK_SEQPACKET);
		if (c->sock >= 0 && net_send_fd(c->sock, buf_head(&c->packet),
				buf_len(&c->packet), c->fd) >= 0)
			return 0;
		int error = errno;
		if (c->sock >= 0)
			close(c->sock);
		c->sock = -1;
		errno = error;
		if (!scan_is_passing(error))
			return -1;
		if (scan_now_ms() + retry_ms > c->deadline_ms) {
			errno = ETIMEDOUT;
			return -1;
		}
		poll(NULL, 0, (int)retry_ms);
		retry_ms = scan_retry_next(retry_ms);
	}
}

static void call_wait(struct call *c, unsigned char *mem, struct verdict *v, int *clean_fd_out)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	for (;;) {
		long long left = c->deadline_ms - scan_now_ms();
		if (left <= 0) {
			verdict_unavailable(v, "scanner daemon did not answer in time");
			return;
		}
		if (poll(&p, 1, left > 60000 ? 60000 : (int)left) > 0 &&
		    scan_answer_read(c->sock, mem, &c->ask, v, clean_fd_out) != SCAN_ANSWER_NOT_YET)
			return;
	}
}

void scan_client_call(const char *sock_path, const struct scan_request *r, int fd,
	unsigned timeout_ms, struct verdict *v, int *clean_fd_out)
{
	struct call c = { .ask = scan_ask_of(r), .sock = -1, .fd = fd,
		.deadline_ms = scan_now_ms() + timeout_ms };
	unsigned char *mem = malloc(SCAN_MSG_MAX);
	char text[SCAN_UNREACHABLE_MAX];

	*clean_fd_out = -1;
	buf_init(&c.packet, SCAN_PACKET_MAX);
	if (mem == NULL || scan_request_format(r, &c.packet) < 0) {
		verdict_unavailable(v, "the request is too large");
	} else if (scan_daemon_at(&c.daemon, sock_path) < 0 || call_send(&c) < 0) {
		scan_unreachable(text, sizeof text, &c.daemon, errno);
		verdict_unavailable(v, text);
	} else {
		call_wait(&c, mem, v, clean_fd_out);
	}
	if (c.sock >= 0)
		close(c.sock);
	buf_fini(&c.packet);
	free(mem);
}
