/* fakeclamd.c - a clamd that calls everything clean at once and looks at nothing.
 *
 *   tests/bench/fakeclamd SOCKET
 *
 * Behind the other filters in tests/bench/run: what they cost without what a
 * scanner costs. Knows PING, VERSION, SCAN and its relatives, INSTREAM, FILDES
 * and the two kinds of session, with and without the prefixes n and z. One
 * thread; epoll. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS 64

struct conn {
	int fd;
	char line[2048];         /* a command, as far as it is here */
	size_t len;
	bool session;            /* IDSESSION or SESSION: more than one command */
	bool numbered;           /* IDSESSION: replies begin with a number */
	unsigned number;
	bool stream;             /* INSTREAM: chunks follow */
	unsigned char size[4];
	size_t size_len;
	uint32_t chunk;          /* octets of it still to come */
	char end;                /* what ends commands and replies */
	bool want_fd;            /* FILDES: the octet with the descriptor is to come */
	bool has_fd;
};

/* Returns false when the connection is over. */
static bool answer(struct conn *c, const char *what, const char *verdict)
{
	char text[2200];
	int n;

	c->number++;
	if (c->numbered)
		n = snprintf(text, sizeof text, "%u: %s%s%c", c->number, what, verdict, c->end);
	else
		n = snprintf(text, sizeof text, "%s%s%c", what, verdict, c->end);
	return send(c->fd, text, (size_t)n, MSG_NOSIGNAL) == n && c->session;
}

static bool descriptor(struct conn *c)
{
	c->want_fd = false;
	if (!c->has_fd)
		return answer(c, "No file descriptor received", ". ERROR");
	c->has_fd = false;
	return answer(c, "fd[10]", ": OK");
}

static bool command(struct conn *c, char *line)
{
	char *arg = strchr(line, ' ');

	if (arg != NULL)
		*arg++ = '\0';
	if (strcmp(line, "IDSESSION") == 0 || strcmp(line, "SESSION") == 0) {
		c->numbered = line[0] == 'I';
		c->session = true;
		return true;
	}
	if (strcmp(line, "INSTREAM") == 0) {
		c->stream = true;
		return true;
	}
	if (strcmp(line, "FILDES") == 0) {
		c->want_fd = true;
		return true;
	}
	if (strcmp(line, "PING") == 0)
		return answer(c, "PONG", "");
	if (strcmp(line, "VERSION") == 0)
		return answer(c, "ClamAV 1.4.0/27000/Sat Jan  1 00:00:00 2000", "");
	if (strstr(line, "SCAN") != NULL && arg != NULL)
		return answer(c, arg, ": OK");
	if (strcmp(line, "END") == 0)
		return false;
	return answer(c, "UNKNOWN COMMAND", "");
}

/* An octet of a command. */
static bool command_octet(struct conn *c, char octet)
{
	char *line = c->line;

	if (octet != '\0' && octet != '\n') {
		c->line[c->len] = octet;
		c->len += c->len < sizeof c->line - 1;
		return true;
	}
	if (c->len != 0 && c->line[c->len - 1] == '\r')
		c->len--;
	line[c->len] = '\0';
	c->end = octet;
	line += c->len > 1 && (line[0] == 'z' || line[0] == 'n') && line[1] >= 'A' && line[1] <= 'Z';
	c->len = 0;
	return command(c, line);
}

/* Octets of a stream; returns how many, or -1: over. */
static ssize_t stream(struct conn *c, const char *data, size_t n)
{
	if (c->chunk != 0) {
		size_t skip = n < c->chunk ? n : c->chunk;
		c->chunk -= (uint32_t)skip;
		return (ssize_t)skip;
	}
	c->size[c->size_len++] = (unsigned char)data[0];
	if (c->size_len < sizeof c->size)
		return 1;
	c->size_len = 0;
	uint32_t size;
	memcpy(&size, c->size, sizeof size);
	c->chunk = ntohl(size);
	if (c->chunk != 0)
		return 1;
	c->stream = false;
	return answer(c, "stream", ": OK") ? 1 : -1;
}

static bool input(struct conn *c, const char *data, size_t n)
{
	size_t used = 0;

	while (used < n) {
		if (c->want_fd) {
			used++;         /* the octet that came with the descriptor */
			if (!descriptor(c))
				return false;
		} else if (c->stream) {
			ssize_t step = stream(c, data + used, n - used);
			if (step < 0)
				return false;
			used += (size_t)step;
		} else if (!command_octet(c, data[used++])) {
			return false;
		}
	}
	return true;
}

/* Closes a descriptor that came along. */
static void take_descriptor(struct conn *c, struct msghdr *msg)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(msg);
	int fd;

	if (h == NULL || h->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(h), sizeof fd);
	close(fd);
	c->has_fd = true;
}

static bool conn_read(struct conn *c)
{
	static char data[262144];
	union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
	struct iovec iov = { .iov_base = data, .iov_len = sizeof data };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	ssize_t n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	take_descriptor(c, &msg);
	return input(c, data, (size_t)n);
}

static int listen_on(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || chmod(path, 0666) < 0 ||
	    listen(fd, 1024) < 0) {
		perror("fakeclamd: listen");
		exit(1);
	}
	return fd;
}

static void accept_one(int ep, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof *c);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (c == NULL)
		return;
	c->fd = fd;
	c->end = '\n';
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		perror("fakeclamd: epoll_ctl");
}

int main(int argc, char **argv)
{
	struct epoll_event ev[EVENTS] = { { .events = EPOLLIN } };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2) {
		fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
		return 2;
	}
	int listener = listen_on(argv[1]);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev[0]) < 0)
		return 1;
	for (;;) {
		int n = epoll_wait(ep, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			if (c == NULL) {
				accept_one(ep, listener);
			} else if (!conn_read(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
}
