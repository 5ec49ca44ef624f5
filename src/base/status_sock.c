/* status_sock.c - see status_sock.h. */
#include "status_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "dirs.h"
#include "stats.h"
#include "stats_view.h"
#include "str.h"

#define BACKLOG 64
#define ACCEPTS_PER_WAKE 16    /* then the parent has other things to do */

/* --- the parent's end ---------------------------------------------------- */

int status_sock_open(struct unix_sock *s, const char *path, const struct proc_identity *id)
{
	if (dirs_make_parent(path, 0755, id) < 0)
		return -1;
	return unix_sock_listen(s, path, BACKLOG, id);
}

bool status_sock_serve(const struct unix_sock *s)
{
	struct net_addr peer;

	for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
		int conn = net_accept(s->fd, &peer);
		if (conn < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		/* A new connection has room for it. What fails is the reader's matter:
		 * it sees the end of the connection. */
		ptrdiff_t rc = net_send_fd(conn, STATUS_SOCK_HELLO, strlen(STATUS_SOCK_HELLO),
			stats_fd());
		(void)rc;
		close(conn);
	}
	return true;
}

/* --- the reader's end ---------------------------------------------------- */

/* Neither may it block on the way: the parent may be busy, or stopped. */
static int connect_within(const char *path, unsigned timeout_ms)
{
	const struct timeval t = { .tv_sec = timeout_ms / 1000,
		.tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (!str_copy(un.sun_path, sizeof un.sun_path, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) == 0 &&
	    connect(fd, (const struct sockaddr *)&un, sizeof un) == 0)
		return fd;
	const int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* The descriptor that comes, or -1 and why. */
static int receive(int sock, unsigned timeout_ms, char *why, size_t why_size)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char hello[64];
	int fd;

	(void)poll(&p, 1, (int)timeout_ms); /* what has not come yet is said below */
	ptrdiff_t n = net_recv_fd(sock, hello, sizeof hello, &fd);

	if (n < 0)
		snprintf(why, why_size, "no answer: %s", errno == EAGAIN || errno == EWOULDBLOCK ?
			"it is busy or stopped" : strerror(errno));
	else if (n == 0)
		snprintf(why, why_size, "no answer: the connection was closed");
	else if (fd < 0 || (size_t)n != strlen(STATUS_SOCK_HELLO) ||
	         memcmp(hello, STATUS_SOCK_HELLO, (size_t)n) != 0)
		snprintf(why, why_size, "who answers there is no program of this suite");
	else
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Maps what came. It must not become shorter while it is read: that would be a
 * signal, not an error. */
static int map_table(int fd, struct status_map *out, char *why, size_t why_size)
{
	struct stat st;
	const int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uint64_t)st.st_size > STATS_VIEW_SIZE_MAX) {
		snprintf(why, why_size, "what it hands out is no table of counters");
		return -1;
	}
	out->size = (size_t)st.st_size;
	out->map = mmap(NULL, out->size, PROT_READ, MAP_SHARED, fd, 0);
	if (out->map == MAP_FAILED) {
		snprintf(why, why_size, "the table cannot be mapped: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static enum status_sock_result no_connection(int error, char *why, size_t why_size)
{
	if (error == ENOENT || error == ECONNREFUSED) {
		snprintf(why, why_size, "it is not running");
		return STATUS_SOCK_NONE;
	}
	snprintf(why, why_size, "%s", error == EAGAIN ? "no answer: it is busy or stopped" :
		strerror(error));
	return error == EACCES || error == EPERM ? STATUS_SOCK_DENIED : STATUS_SOCK_BROKEN;
}

enum status_sock_result status_sock_fetch(const char *path, unsigned timeout_ms,
	struct status_map *out, char *why, size_t why_size)
{
	*out = (struct status_map){ .map = NULL };
	int sock = connect_within(path, timeout_ms);
	if (sock < 0)
		return no_connection(errno, why, why_size);
	int fd = receive(sock, timeout_ms, why, why_size);
	close(sock);
	if (fd < 0)
		return STATUS_SOCK_BROKEN;
	int rc = map_table(fd, out, why, why_size);
	close(fd);
	if (rc < 0)
		*out = (struct status_map){ .map = NULL };
	return rc < 0 ? STATUS_SOCK_BROKEN : STATUS_SOCK_OK;
}

void status_sock_unmap(struct status_map *m)
{
	if (m->map != NULL)
		munmap(m->map, m->size);
	*m = (struct status_map){ .map = NULL };
}
