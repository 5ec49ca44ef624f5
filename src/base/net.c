/* net.c - listening and connecting; see net.h.
 *
 * Owns the socket options that every connection of the suite has. Must not log
 * and must not keep state. UNIX sockets get their mode before they have a
 * name (fchmod on the unbound socket), so that there is no moment at which
 * a stranger could connect and no chmod by a path that somebody could have
 * replaced meanwhile; binding one changes the umask for that instant and is
 * therefore for a process without threads. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "str.h"

/* The kernel's form of an endpoint; 0 if it is none. */
static socklen_t endpoint_to_sockaddr(const struct net_endpoint *e, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof *ss);
	if (e->addr.family == AF_INET) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(e->addr.port) };
		memcpy(&in.sin_addr, e->addr.ip, 4);
		memcpy(ss, &in, sizeof in);
		return sizeof in;
	}
	if (e->addr.family == AF_INET6) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
			.sin6_port = htons(e->addr.port), .sin6_scope_id = e->addr.scope };
		memcpy(&in6.sin6_addr, e->addr.ip, 16);
		memcpy(ss, &in6, sizeof in6);
		return sizeof in6;
	}
	if (e->addr.family == AF_UNIX && e->path[0] != '\0') {
		struct sockaddr_un un = { .sun_family = AF_UNIX };
		if (!str_copy(un.sun_path, sizeof un.sun_path, e->path))
			return 0;
		memcpy(ss, &un, sizeof un);
		return sizeof un;
	}
	return 0;
}

static void close_keep_errno(int fd)
{
	int e = errno;

	close(fd);
	errno = e;
}

static void set_on(int fd, int level, int option)
{
	int on = 1;

	/* Helpful, never needed: a failure changes speed, not meaning. */
	(void)setsockopt(fd, level, option, &on, sizeof on);
}

/* Those of a listener are its connections' too. */
static void set_tcp_options(int fd)
{
	set_on(fd, IPPROTO_TCP, TCP_NODELAY);
	set_on(fd, SOL_SOCKET, SO_KEEPALIVE);
}

/* Does nobody answer at this path? Removes the socket then. 0 removed; -1
 * with errno: EADDRINUSE somebody answers, ENOTSOCK it is something else. */
static int remove_stale(const char *path, const struct sockaddr *sa, socklen_t len, int type)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* Only a refusal is proof; EAGAIN (full queue) and EPROTOTYPE (another
	 * type of socket) mean that there is a listener. */
	bool stale = connect(fd, sa, len) < 0 && errno == ECONNREFUSED;
	close(fd);
	if (!stale) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(path) < 0 && errno != ENOENT ? -1 : 0;
}

static int bind_unix(int fd, const struct net_endpoint *e, int type, unsigned mode)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(e, &ss);
	const struct sockaddr *sa = (const struct sockaddr *)&ss;

	if (fchmod(fd, mode) < 0)
		return -1;
	for (int round = 0; round < 2; round++) {
		mode_t old = umask(0);
		int rc = bind(fd, sa, len);
		int e_bind = errno;
		umask(old);
		if (rc == 0)
			return 0;
		errno = e_bind;
		if (errno != EADDRINUSE || round > 0 || remove_stale(e->path, sa, len, type) < 0)
			return -1;
	}
	return -1;
}

/* A socket of the endpoint's family, and its address. -1 with errno. */
static int socket_for(const struct net_endpoint *e, int type, struct sockaddr_storage *ss_out,
	socklen_t *len_out)
{
	*len_out = endpoint_to_sockaddr(e, ss_out);
	if (*len_out == 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return socket(e->addr.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int copy_option(int from, int to, int level, int option)
{
	unsigned char value[IFNAMSIZ] = { 0 };
	socklen_t len = sizeof value;

	if (getsockopt(from, level, option, value, &len) < 0)
		return -1;
	return setsockopt(to, level, option, value, len);
}

/* What narrows or widens where a socket listens: whoever opened it has decided. A name
 * of an interface is set only where there is one, as not everybody may. */
static int copy_place(int from, int to, const struct net_endpoint *e)
{
	char device[IFNAMSIZ];
	socklen_t len = sizeof device;

	if (getsockopt(from, SOL_SOCKET, SO_BINDTODEVICE, device, &len) == 0 && len > 0 &&
	    copy_option(from, to, SOL_SOCKET, SO_BINDTODEVICE) < 0)
		return -1;
	if (copy_option(from, to, IPPROTO_IP, IP_FREEBIND) < 0)
		return -1;
	return e->addr.family != AF_INET6 ? 0 : copy_option(from, to, IPPROTO_IPV6, IPV6_V6ONLY);
}

/* like: -1, or a socket that listened there. */
static int listen_at(const struct net_endpoint *e, int backlog, int type, unsigned unix_mode,
	int like)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int rc;
	int fd = socket_for(e, type, &ss, &len);

	if (fd < 0)
		return -1;
	if (e->addr.family == AF_UNIX) {
		rc = bind_unix(fd, e, type, unix_mode);
	} else {
		set_on(fd, SOL_SOCKET, SO_REUSEADDR);
		if (type == SOCK_STREAM)
			set_tcp_options(fd);
		if (e->addr.family == AF_INET6)
			set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
		rc = like < 0 ? 0 : copy_place(like, fd, e);
		rc = rc < 0 ? -1 : bind(fd, (const struct sockaddr *)&ss, len);
	}
	if (rc < 0 || listen(fd, backlog) < 0) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}

int net_listen(const struct net_endpoint *e, int backlog, int type, unsigned unix_mode)
{
	return listen_at(e, backlog, type, unix_mode, -1);
}

static bool has_option(int fd, int option, int value)
{
	int is = -1;
	socklen_t len = sizeof is;

	return getsockopt(fd, SOL_SOCKET, option, &is, &len) == 0 && is == value;
}

bool net_is_listening(int fd)
{
	return has_option(fd, SO_ACCEPTCONN, 1);
}

int net_mend(int *fd, const struct net_endpoint *e, int backlog, int type, unsigned unix_mode)
{
	if (net_is_listening(*fd))
		return 0;
	/* That one still has the address, as SO_REUSEADDR has it for others too. */
	int fresh = listen_at(e, backlog, type, unix_mode, *fd);
	if (fresh < 0)
		return -1;
	close(*fd);
	*fd = fresh;
	return 1;
}

int net_adopt(int fd, int type, struct net_endpoint *where_out)
{
	union {
		struct sockaddr_storage ss;
		struct sockaddr sa;
		struct sockaddr_un un;
	} a = { .ss = { .ss_family = AF_UNSPEC } };
	socklen_t len = sizeof a;

	*where_out = (struct net_endpoint){ .path = "" };
	if (getsockname(fd, &a.sa, &len) < 0)
		return -1;
	net_addr_from_sockaddr(&where_out->addr, &a.sa, len);
	if (where_out->addr.family == AF_UNIX)
		str_copy_n(where_out->path, sizeof where_out->path, a.un.sun_path,
			strnlen(a.un.sun_path, len - offsetof(struct sockaddr_un, sun_path)));
	if (!has_option(fd, SO_TYPE, type) || !net_is_listening(fd) ||
	    where_out->addr.family == 0 ||
	    (where_out->addr.family == AF_UNIX && where_out->path[0] == '\0')) {
		errno = EINVAL;
		return -1;
	}
	if (where_out->addr.family != AF_UNIX && type == SOCK_STREAM)
		set_tcp_options(fd);
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -1 :
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int net_try_addr(const struct net_addr *a)
{
	struct net_endpoint e = { .addr = *a, .path = "" };

	e.addr.port = 0;
	int fd = net_listen(&e, 1, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

int net_connect(const struct net_endpoint *e, int type)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket_for(e, type, &ss, &len);

	if (fd < 0)
		return -1;
	if (e->addr.family != AF_UNIX)
		set_tcp_options(fd);
	if (connect(fd, (const struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}

int net_accept(int listen_fd, struct net_addr *peer_out)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	do {
		len = sizeof ss;
		fd = accept4(listen_fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return -1;
	net_addr_from_sockaddr(peer_out, (const struct sockaddr *)&ss, len);
	return fd;
}

void net_local_addr(int fd, struct net_addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		memset(out, 0, sizeof *out);
	else
		net_addr_from_sockaddr(out, (const struct sockaddr *)&ss, len);
}
