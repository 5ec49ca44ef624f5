/* net_fd.c - a message with a descriptor, see net.h. What came unasked is closed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net.h"

#define FDS_PER_MSG 253    /* SCM_MAX_FD: what one message can carry */

ptrdiff_t net_send_fd(int sock, const void *p, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t rc;

	/* Without an octet to go with, a stream would lose the descriptor, and an
	 * empty packet is taken for the end. */
	if (n == 0) {
		errno = EINVAL;
		return -1;
	}
	if (fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof control.space;
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	do {
		rc = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

/* Keeps the first descriptor of a received message and closes the others. */
static int take_fds(struct msghdr *msg)
{
	int kept = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

ptrdiff_t net_recv_fd(int sock, void *p, size_t n, int *fd_out)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_PER_MSG * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = p, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.space, .msg_controllen = sizeof control.space };
	ssize_t rc;

	*fd_out = -1;
	do {
		rc = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return -1;
	int fd = take_fds(&msg);
	int why = 0;
	if ((msg.msg_flags & MSG_TRUNC) != 0)
		why = EMSGSIZE;
	else if ((msg.msg_flags & MSG_CTRUNC) != 0 && fd < 0)
		why = EMFILE; /* there was one, but our table is full */
	if ((rc == 0 || why != 0) && fd >= 0) {
		close(fd);
		fd = -1;
	}
	if (why != 0) {
		errno = why;
		return -1;
	}
	*fd_out = fd;
	return rc;
}
