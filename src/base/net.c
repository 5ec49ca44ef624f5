/* net.c - addresses, listening, connecting, descriptor passing; see net.h.
 *
 * Owns how text and kernel addresses become struct net_addr and back, and
 * the socket options that every connection of the suite has. Must not log
 * and must not keep state. UNIX sockets get their mode before they have a
 * name (fchmod on the unbound socket), so that there is no moment at which
 * a stranger could connect and no chmod by a path that somebody could have
 * replaced meanwhile; binding one changes the umask for that instant and is
 * therefore for a process without threads. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "str.h"

#define ITEM_MAX 300       /* one item of an address list */
#define FDS_PER_MSG 253    /* SCM_MAX_FD: what one message can carry */

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

/* --- addresses ----------------------------------------------------------- */

static void set_ip6(struct net_addr *out, const uint8_t ip[16])
{
	if (memcmp(ip, v4_mapped, sizeof v4_mapped) == 0) {
		out->family = AF_INET;
		memcpy(out->ip, ip + 12, 4);
	} else {
		out->family = AF_INET6;
		memcpy(out->ip, ip, 16);
	}
}

/* The interface of a link-local address, by name or number. */
static int parse_scope(const char *s, uint32_t *out)
{
	uint64_t v;

	*out = if_nametoindex(s);
	if (*out != 0)
		return 0;
	if (str_parse_u64(s, &v) < 0 || v == 0 || v > UINT32_MAX)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

int net_addr_parse(const char *s, struct net_addr *out)
{
	char text[NET_ADDR_TEXT + IF_NAMESIZE];
	uint8_t ip[16];
	size_t len = strlen(s);

	memset(out, 0, sizeof *out);
	if (len >= sizeof text)
		return -1;
	if (inet_pton(AF_INET, s, out->ip) == 1) {
		out->family = AF_INET;
		return 0;
	}
	if (s[0] == '[') {
		if (s[len - 1] != ']')
			return -1;
		str_copy_n(text, sizeof text, s + 1, len - 2);
	} else {
		str_copy(text, sizeof text, s);
	}
	char *scope = strchr(text, '%');
	if (scope != NULL) {
		*scope++ = '\0';
		if (parse_scope(scope, &out->scope) < 0)
			return -1;
	}
	if (inet_pton(AF_INET6, text, ip) != 1) {
		out->scope = 0;
		return -1;
	}
	set_ip6(out, ip);
	return 0;
}

void net_addr_from_sockaddr(struct net_addr *out, const struct sockaddr *sa, socklen_t len)
{
	memset(out, 0, sizeof *out);
	if (len < sizeof sa->sa_family)
		return;
	if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		out->family = AF_INET;
		out->port = ntohs(in.sin_port);
		memcpy(out->ip, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		out->port = ntohs(in6.sin6_port);
		out->scope = in6.sin6_scope_id;
		set_ip6(out, in6.sin6_addr.s6_addr);
	} else if (sa->sa_family == AF_UNIX) {
		out->family = AF_UNIX;
	}
}

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

static size_t ip_len(uint8_t family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

bool net_addr_is_equal_ip(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && a->scope == b->scope &&
		memcmp(a->ip, b->ip, ip_len(a->family)) == 0;
}

bool net_addr_is_loopback(const struct net_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->ip[0] == 127;
	return a->family == AF_UNIX || (a->family == AF_INET6 && memcmp(a->ip, one, 16) == 0);
}

bool net_addr_is_any(const struct net_addr *a)
{
	static const uint8_t zero[16];

	return ip_len(a->family) > 0 && memcmp(a->ip, zero, ip_len(a->family)) == 0;
}

const char *net_addr_text(const struct net_addr *a, char out[NET_ADDR_TEXT])
{
	if (ip_len(a->family) == 0) {
		str_copy(out, NET_ADDR_TEXT, a->family == AF_UNIX ? "unix" : "unknown");
		return out;
	}
	inet_ntop(a->family, a->ip, out, INET6_ADDRSTRLEN);
	if (a->scope != 0) {
		size_t n = strlen(out);
		snprintf(out + n, NET_ADDR_TEXT - n, "%%%u", a->scope);
	}
	return out;
}

const char *net_endpoint_text(const struct net_endpoint *e, char *out, size_t size)
{
	char ip[NET_ADDR_TEXT];

	if (e->addr.family == AF_UNIX)
		snprintf(out, size, "unix:%s", e->path);
	else if (e->addr.family == AF_INET6)
		snprintf(out, size, "[%s]:%u", net_addr_text(&e->addr, ip), e->addr.port);
	else
		snprintf(out, size, "%s:%u", net_addr_text(&e->addr, ip), e->addr.port);
	return out;
}

/* --- names --------------------------------------------------------------- */

struct resolve {
	struct net_endpoint *out;
	size_t n, max;
	uint16_t port;
};

static bool is_same_endpoint(const struct net_endpoint *a, const struct net_endpoint *b)
{
	return net_addr_is_equal_ip(&a->addr, &b->addr) && a->addr.port == b->addr.port &&
		strcmp(a->path, b->path) == 0;
}

/* 0 added or known already, -1 no room. */
static int resolve_add(struct resolve *r, const struct net_endpoint *e)
{
	for (size_t i = 0; i < r->n; i++) {
		if (is_same_endpoint(&r->out[i], e))
			return 0;
	}
	if (r->n >= r->max)
		return -1;
	r->out[r->n++] = *e;
	return 0;
}

static int resolve_name(struct resolve *r, const char *name, bool passive, char *why, size_t size)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = passive ? AI_PASSIVE : 0 };
	struct addrinfo *list;
	int taken = 0;

	int rc = getaddrinfo(name, NULL, &hints, &list);
	if (rc != 0) {
		char clean[ITEM_MAX];
		snprintf(why, size, "%s: %s", str_clean(clean, sizeof clean, name, strlen(name)),
			rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
		return -1;
	}
	/* What goes beyond the room is left out: a name has spare addresses. */
	for (struct addrinfo *ai = list; ai != NULL && taken < NET_ADDRS_MAX; ai = ai->ai_next) {
		struct net_endpoint e = { .path = "" };
		net_addr_from_sockaddr(&e.addr, ai->ai_addr, ai->ai_addrlen);
		e.addr.port = r->port;
		if (ip_len(e.addr.family) > 0 && resolve_add(r, &e) == 0)
			taken++;
	}
	freeaddrinfo(list);
	if (taken == 0) {
		snprintf(why, size, "too many addresses (at most %zu)", r->max);
		return -1;
	}
	return 0;
}

static int resolve_item(struct resolve *r, const char *item, bool passive, char *why, size_t size)
{
	struct net_endpoint e = { .path = "" };

	if (strncmp(item, "unix:", 5) == 0) {
		e.addr.family = AF_UNIX;
		if (item[5] != '/' || !str_copy(e.path, sizeof e.path, item + 5)) {
			snprintf(why, size, "not an absolute path of at most %zu octets: %s",
				sizeof e.path - 1, item + 5);
			return -1;
		}
	} else if (net_addr_parse(item, &e.addr) == 0) {
		e.addr.port = r->port;
	} else {
		return resolve_name(r, item, passive, why, size);
	}
	if (resolve_add(r, &e) < 0) {
		snprintf(why, size, "too many addresses (at most %zu)", r->max);
		return -1;
	}
	return 0;
}

int net_resolve(const char *list, uint16_t port, bool passive,
	struct net_endpoint *out, size_t max, char *why, size_t why_size)
{
	struct resolve r = { out, 0, max, port };
	char item[ITEM_MAX];
	int rc;

	while ((rc = str_list_next(&list, ',', item, sizeof item)) != 0) {
		if (rc < 0) {
			snprintf(why, why_size, "an address is too long");
			return -1;
		}
		if (resolve_item(&r, item, passive, why, why_size) < 0)
			return -1;
	}
	if (r.n == 0) {
		snprintf(why, why_size, "no address");
		return -1;
	}
	return (int)r.n;
}

bool net_list_has_names(const char *list)
{
	char item[ITEM_MAX];
	struct net_addr a;
	int rc;

	while ((rc = str_list_next(&list, ',', item, sizeof item)) != 0) {
		if (rc < 0)
			return true;
		if (strncmp(item, "unix:", 5) != 0 && net_addr_parse(item, &a) < 0)
			return true;
	}
	return false;
}

/* --- sockets ------------------------------------------------------------- */

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

int net_listen(const struct net_endpoint *e, int backlog, int type, unsigned unix_mode)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(e, &ss);
	int rc;

	if (len == 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	int fd = socket(e->addr.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
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
		rc = bind(fd, (const struct sockaddr *)&ss, len);
	}
	if (rc < 0 || listen(fd, backlog) < 0) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
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
	socklen_t len = endpoint_to_sockaddr(e, &ss);

	if (len == 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	int fd = socket(e->addr.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
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

/* --- descriptor passing -------------------------------------------------- */

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
		rc = sendmsg(sock, &msg, MSG_NOSIGNAL);
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
		rc = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
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

/* --- networks ------------------------------------------------------------ */

static bool has_host_bits(const struct net_cidr *c)
{
	for (size_t i = 0; i < ip_len(c->family); i++) {
		unsigned keep = c->prefix > 8 * i ? c->prefix - 8 * (unsigned)i : 0;
		unsigned mask = keep >= 8 ? 0xff : 0xff00u >> keep & 0xff;
		if ((c->ip[i] & ~mask) != 0)
			return true;
	}
	return false;
}

static int cidr_parse(const char *item, struct net_cidr *out)
{
	char text[NET_ADDR_TEXT];
	struct net_addr a;

	if (!str_copy(text, sizeof text, item))
		return -1;
	char *slash = strchr(text, '/');
	if (slash != NULL)
		*slash = '\0';
	if (net_addr_parse(text, &a) < 0 || a.scope != 0)
		return -1;
	size_t bits = 8 * ip_len(a.family);
	uint64_t prefix = bits;
	if (slash != NULL) {
		if (str_parse_u64(slash + 1, &prefix) < 0)
			return -1;
		/* ::ffff:192.0.2.0/120 is 192.0.2.0/24. */
		if (a.family == AF_INET && strchr(text, ':') != NULL)
			prefix = prefix >= 96 ? prefix - 96 : UINT64_MAX;
		if (prefix > bits)
			return -1;
	}
	*out = (struct net_cidr){ .family = a.family, .prefix = (uint8_t)prefix };
	memcpy(out->ip, a.ip, sizeof out->ip);
	return has_host_bits(out) ? -1 : 0;
}

static int cidr_push(struct net_cidr **list, size_t *n, const struct net_cidr *c)
{
	struct net_cidr *p = realloc(*list, (*n + 1) * sizeof *p);

	if (p == NULL)
		return -1;
	p[(*n)++] = *c;
	*list = p;
	return 0;
}

static int cidr_add_item(struct net_cidr **list, size_t *n, const char *item)
{
	struct net_cidr c;

	if (str_ieq(item, "any")) {
		c = (struct net_cidr){ .family = AF_INET };
		if (cidr_push(list, n, &c) < 0)
			return -1;
		c.family = AF_INET6;
	} else if (cidr_parse(item, &c) < 0) {
		return -1;
	}
	return cidr_push(list, n, &c);
}

int net_cidrs_parse(const char *list, struct net_cidr **out, size_t *n_out,
	char *why, size_t why_size)
{
	char item[ITEM_MAX];
	int rc;

	*out = NULL;
	*n_out = 0;
	while ((rc = str_list_next(&list, ',', item, sizeof item)) != 0) {
		if (rc > 0 && cidr_add_item(out, n_out, item) == 0)
			continue;
		str_clean(why, why_size, item, strlen(item));
		free(*out);
		*out = NULL;
		*n_out = 0;
		return -1;
	}
	return 0;
}

static bool cidr_covers(const struct net_cidr *c, const struct net_addr *a)
{
	size_t whole = c->prefix / 8;
	unsigned rest = c->prefix % 8;

	if (c->family != a->family || memcmp(c->ip, a->ip, whole) != 0)
		return false;
	return rest == 0 || ((c->ip[whole] ^ a->ip[whole]) & (0xff00u >> rest & 0xff)) == 0;
}

bool net_cidrs_match(const struct net_cidr *list, size_t n, const struct net_addr *a)
{
	struct net_addr local = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };

	if (a->family == AF_UNIX)
		a = &local;
	for (size_t i = 0; i < n; i++) {
		if (cidr_covers(&list[i], a))
			return true;
	}
	return false;
}
