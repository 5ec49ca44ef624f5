/* check_net.c - addresses, listening, connecting, descriptor passing. */
#include "net.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[UNIT_PATH_SIZE];

static void dir_make(void)
{
	unit_dir(dir);
}

static void dir_remove(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/s", dir);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct net_endpoint unix_endpoint(void)
{
	struct net_endpoint e = { .addr = { .family = AF_UNIX } };

	snprintf(e.path, sizeof e.path, "%s/s", dir);
	return e;
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

/* --- addresses --- */

static const struct { const char *in, *text; } good_addrs[] = {
	{ "192.0.2.1", "192.0.2.1" }, { "0.0.0.0", "0.0.0.0" },
	{ "::1", "::1" }, { "[::1]", "::1" }, { "2001:DB8::1", "2001:db8::1" },
	{ "::ffff:192.0.2.7", "192.0.2.7" }, { "[::ffff:10.0.0.1]", "10.0.0.1" },
	{ "::", "::" }, { "fe80::1%1", "fe80::1%1" }, { "fe80::1%lo", "fe80::1%1" },
	{ "[fe80::2%4294967295]", "fe80::2%4294967295" },
};

START_TEST(test_addr_parse)
{
	char text[NET_ADDR_TEXT];
	struct net_addr a;

	ck_assert_int_eq(net_addr_parse(good_addrs[_i].in, &a), 0);
	ck_assert_str_eq(net_addr_text(&a, text), good_addrs[_i].text);
	ck_assert_uint_eq(a.port, 0);
}
END_TEST

static const char *const bad_addrs[] = { "", "localhost", "192.0.2", "192.0.2.1.", "192.0.2.256",
	"1", " 192.0.2.1", "[192.0.2.1]x", "[", "[]", "[::1", "::1]", ":::", "12345::",
	"::1%", "::1%nosuchif", "::1%4294967296", "::1%0", "192.0.2.1:25",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

START_TEST(test_addr_parse_bad)
{
	struct net_addr a;

	ck_assert_int_eq(net_addr_parse(bad_addrs[_i], &a), -1);
}
END_TEST

START_TEST(test_addr_predicates)
{
	struct net_addr a, b;
	char text[NET_ADDR_TEXT];

	net_addr_parse("127.8.9.1", &a);
	ck_assert(net_addr_is_loopback(&a) && !net_addr_is_any(&a));
	net_addr_parse("128.0.0.1", &a);
	ck_assert(!net_addr_is_loopback(&a));
	net_addr_parse("::1", &a);
	ck_assert(net_addr_is_loopback(&a));
	net_addr_parse("::", &b);
	ck_assert(net_addr_is_any(&b) && !net_addr_is_loopback(&b));
	ck_assert(!net_addr_is_equal_ip(&a, &b));
	net_addr_parse("0.0.0.0", &a);
	ck_assert(net_addr_is_any(&a) && !net_addr_is_equal_ip(&a, &b));
	b = a;
	b.port = 99;
	ck_assert(net_addr_is_equal_ip(&a, &b));
	net_addr_parse("fe80::1%1", &a);
	net_addr_parse("fe80::1%2", &b);
	ck_assert(!net_addr_is_equal_ip(&a, &b));
	memset(&a, 0, sizeof a);
	ck_assert(!net_addr_is_any(&a) && !net_addr_is_loopback(&a));
	ck_assert_str_eq(net_addr_text(&a, text), "unknown");
	a.family = AF_UNIX;
	ck_assert(net_addr_is_loopback(&a));
	ck_assert_str_eq(net_addr_text(&a, text), "unix");
}
END_TEST

START_TEST(test_addr_sockaddr)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(25) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(2525) };
	struct sockaddr other = { .sa_family = AF_APPLETALK };
	struct net_addr a;
	char text[NET_ADDR_TEXT];

	inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
	net_addr_from_sockaddr(&a, (struct sockaddr *)&in6, sizeof in6);
	ck_assert_str_eq(net_addr_text(&a, text), "192.0.2.1");
	ck_assert_uint_eq(a.port, 25);
	net_addr_from_sockaddr(&a, (struct sockaddr *)&in6, 4);
	ck_assert_uint_eq(a.family, 0);
	net_addr_from_sockaddr(&a, (struct sockaddr *)&in, sizeof in);
	ck_assert_uint_eq(a.port, 2525);
	net_addr_from_sockaddr(&a, &other, sizeof other);
	ck_assert_uint_eq(a.family, 0);
	net_addr_from_sockaddr(&a, &other, 0);
	ck_assert_uint_eq(a.family, 0);
}
END_TEST

START_TEST(test_endpoint_text)
{
	struct net_endpoint e = { .path = "" };
	char out[160];

	net_addr_parse("192.0.2.1", &e.addr);
	e.addr.port = 25;
	ck_assert_str_eq(net_endpoint_text(&e, out, sizeof out), "192.0.2.1:25");
	net_addr_parse("fe80::1%3", &e.addr);
	e.addr.port = 65535;
	ck_assert_str_eq(net_endpoint_text(&e, out, sizeof out), "[fe80::1%3]:65535");
	e = (struct net_endpoint){ .addr.family = AF_UNIX, .path = "/run/x" };
	ck_assert_str_eq(net_endpoint_text(&e, out, sizeof out), "unix:/run/x");
	ck_assert_str_eq(net_endpoint_text(&e, out, 5), "unix");
}
END_TEST

/* --- names --- */

START_TEST(test_resolve)
{
	struct net_endpoint e[4];
	char why[200], text[160];

	ck_assert_int_eq(net_resolve("192.0.2.1, [::1],192.0.2.1 ,unix:/run/s", 25, true, e, 4, why,
		sizeof why), 3);
	ck_assert_str_eq(net_endpoint_text(&e[0], text, sizeof text), "192.0.2.1:25");
	ck_assert_str_eq(net_endpoint_text(&e[1], text, sizeof text), "[::1]:25");
	ck_assert_str_eq(net_endpoint_text(&e[2], text, sizeof text), "unix:/run/s");
	ck_assert_uint_eq(e[2].addr.port, 0);
	int n = net_resolve("localhost", 26, false, e, 4, why, sizeof why);
	ck_assert_int_ge(n, 1);
	for (int i = 0; i < n; i++)
		ck_assert(net_addr_is_loopback(&e[i].addr) && e[i].addr.port == 26);
	/* A name has at most as many addresses as there is room. */
	ck_assert_int_eq(net_resolve("localhost", 26, false, e, 1, why, sizeof why), 1);
}
END_TEST

static const char *const bad_lists[] = { "", " , ,", "unix:relative", "unix:", "no.such.invalid",
	"127.0.0.1,no.such.invalid", "1.1.1.1,2.2.2.2,3.3.3.3",
	("unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") };

START_TEST(test_resolve_bad)
{
	struct net_endpoint e[2];
	char why[200] = "";

	ck_assert_int_eq(net_resolve(bad_lists[_i], 25, true, e, 2, why, sizeof why), -1);
	ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(test_resolve_long)
{
	char list[2000], why[40] = "";
	struct net_endpoint e[2];

	memset(list, 'a', sizeof list);
	list[sizeof list - 1] = '\0';
	ck_assert_int_eq(net_resolve(list, 25, true, e, 2, why, sizeof why), -1);
	ck_assert_str_ne(why, "");
	ck_assert(net_list_has_names(list));
}
END_TEST

START_TEST(test_has_names)
{
	ck_assert(!net_list_has_names("192.0.2.1, ::1,[::1], unix:/x"));
	ck_assert(!net_list_has_names(""));
	ck_assert(net_list_has_names("192.0.2.1, mail.example.org"));
}
END_TEST

/* --- sockets --- */

static int int_option(int fd, int level, int option)
{
	int v = -1;
	socklen_t len = sizeof v;

	getsockopt(fd, level, option, &v, &len);
	return v;
}

START_TEST(test_tcp)
{
	static const char *const addrs[] = { "127.0.0.1", "::1" };
	struct net_endpoint e = { .path = "" };
	struct net_addr local, peer;
	char text[NET_ADDR_TEXT];

	net_addr_parse(addrs[_i], &e.addr);
	int l = net_listen(&e, 8, SOCK_STREAM, 0);
	if (l < 0 && _i == 1 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		return; /* a machine without IPv6 */
	ck_assert_int_ge(l, 0);
	net_local_addr(l, &local);
	ck_assert_uint_ne(local.port, 0);
	ck_assert_int_eq(net_accept(l, &peer), -1);
	ck_assert_int_eq(errno, EAGAIN);
	e.addr.port = local.port;
	ck_assert_int_eq(net_listen(&e, 8, SOCK_STREAM, 0), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	int c = net_connect(&e, SOCK_STREAM);
	ck_assert_int_ge(c, 0);
	int s = net_accept(l, &peer);
	ck_assert_int_ge(s, 0);
	ck_assert_str_eq(net_addr_text(&peer, text), addrs[_i]);
	for (int i = 0; i < 2; i++) {
		int fd = i == 0 ? c : s;
		ck_assert_int_eq(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
		ck_assert_int_eq(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
		ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	}
	if (_i == 1)
		ck_assert_int_eq(int_option(l, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	/* The port is in use, the address is ours all the same. */
	ck_assert_int_eq(net_try_addr(&e.addr), 0);
	close(c);
	close(s);
	close(l);
}
END_TEST

START_TEST(test_adopt)
{
	struct net_endpoint e = { .path = "" }, where;
	struct net_addr local;

	net_addr_parse("127.0.0.1", &e.addr);
	int plain = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(net_adopt(plain, SOCK_STREAM, &where), -1); /* it does not listen */
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(listen(plain, 8), 0);
	ck_assert_int_eq(net_adopt(plain, SOCK_SEQPACKET, &where), -1);
	ck_assert_int_eq(net_adopt(plain, SOCK_STREAM, &where), 0);
	net_local_addr(plain, &local);
	ck_assert_uint_eq(where.addr.port, local.port);
	ck_assert_str_eq(where.path, "");
	ck_assert_int_eq(int_option(plain, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(int_option(plain, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_ne(fcntl(plain, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(plain, F_GETFD) & FD_CLOEXEC, 0);
	close(plain);
	dir_make();
	e = unix_endpoint();
	int l = net_listen(&e, 8, SOCK_SEQPACKET, 0600);
	ck_assert_int_eq(net_adopt(l, SOCK_SEQPACKET, &where), 0);
	ck_assert_str_eq(where.path, e.path);
	ck_assert_int_eq(where.addr.family, AF_UNIX);
	close(l);
	dir_remove();
	int nameless = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	ck_assert_int_eq(bind(nameless, (struct sockaddr *)&any, sizeof any.sun_family), 0);
	ck_assert_int_eq(listen(nameless, 1), 0);
	ck_assert_int_eq(net_adopt(nameless, SOCK_STREAM, &where), -1);
	close(nameless);
	ck_assert_int_eq(net_adopt(-1, SOCK_STREAM, &where), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

/* A socket of somebody else's, ended by a worker: another, at the same place and not
 * elsewhere. */
START_TEST(test_mend)
{
	static const char *const addrs[] = { "127.0.0.1", "::", "::" };
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	const bool is_inet6 = _i > 0;
	const int v6only = _i == 2;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct net_endpoint where;
	struct net_addr local;
	char text[NET_ADDR_TEXT];

	int fd = socket(is_inet6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	if (fd < 0 && is_inet6)
		return; /* a machine without IPv6 */
	if (is_inet6)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only), 0);
	else
		here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int on = 1;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on), 0);
	const bool is_bound = geteuid() == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0;
	ck_assert_int_eq(bind(fd, is_inet6 ? (struct sockaddr *)&any : (struct sockaddr *)&here,
		is_inet6 ? sizeof any : sizeof here), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(net_adopt(fd, SOCK_STREAM, &where), 0);
	ck_assert_str_eq(net_addr_text(&where.addr, text), addrs[_i]);
	ck_assert_int_eq(net_mend(&fd, &where, 8, SOCK_STREAM, 0), 0);
	ck_assert_int_eq(connect(fd, &nobody, sizeof nobody), 0);
	ck_assert(!net_is_listening(fd));
	ck_assert_int_eq(net_mend(&fd, &where, 8, SOCK_STREAM, 0), 1);
	net_local_addr(fd, &local);
	ck_assert_uint_eq(local.port, where.addr.port);
	ck_assert_int_eq(int_option(fd, IPPROTO_IP, IP_FREEBIND), 1);
	char device[16] = "";
	socklen_t len = sizeof device;
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len), 0);
	ck_assert_str_eq(device, is_bound ? "lo" : "");
	if (is_inet6)
		ck_assert_int_eq(int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY), v6only);
	struct net_endpoint from4 = { .path = "" };
	net_addr_parse("127.0.0.1", &from4.addr);
	from4.addr.port = local.port;
	int c = net_connect(&from4, SOCK_STREAM);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, v6only ? 50 : 5000), v6only ? 0 : 1);
	close(c);
	close(fd);
}
END_TEST

START_TEST(test_try_addr)
{
	static const char *const others[] = { "192.0.2.1", "203.0.113.255", "2001:db8::1" };
	struct net_addr a;

	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(net_addr_parse(others[i], &a), 0);
		a.port = 25;
		ck_assert_int_eq(net_try_addr(&a), -1);
		ck_assert(errno == EADDRNOTAVAIL || (i == 2 && errno == EAFNOSUPPORT));
	}
	net_addr_parse("0.0.0.0", &a);
	ck_assert_int_eq(net_try_addr(&a), 0);
}
END_TEST

START_TEST(test_unix_mode_and_stale)
{
	dir_make();
	struct net_endpoint e = unix_endpoint();
	struct stat st;

	mode_t old = umask(077);
	int l = net_listen(&e, 8, SOCK_SEQPACKET, 0660);
	ck_assert_int_ge(l, 0);
	ck_assert_int_eq(umask(old), 077); /* put back */
	ck_assert_int_eq(stat(e.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	/* Somebody listens: of the same type and of another. */
	ck_assert_int_eq(net_listen(&e, 8, SOCK_SEQPACKET, 0660), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_eq(net_listen(&e, 8, SOCK_STREAM, 0660), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(l);
	/* Nobody does any more. */
	ck_assert_int_eq(net_connect(&e, SOCK_SEQPACKET), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	l = net_listen(&e, 8, SOCK_SEQPACKET, 0600);
	ck_assert_int_ge(l, 0);
	ck_assert_int_eq(stat(e.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	close(l);
	dir_remove();
}
END_TEST

START_TEST(test_unix_full_queue_is_alive)
{
	dir_make();
	struct net_endpoint e = unix_endpoint();
	int fds[8], n = 0;

	int l = net_listen(&e, 0, SOCK_SEQPACKET, 0600);
	while (n < 8 && (fds[n] = net_connect(&e, SOCK_SEQPACKET)) >= 0)
		n++;
	ck_assert_int_lt(n, 8);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(net_listen(&e, 8, SOCK_SEQPACKET, 0660), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	while (n > 0)
		close(fds[--n]);
	close(l);
	dir_remove();
}
END_TEST

START_TEST(test_unix_not_a_socket)
{
	dir_make();
	struct net_endpoint e = unix_endpoint();
	struct stat st;

	int fd = open(e.path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_eq(net_listen(&e, 8, SOCK_SEQPACKET, 0660), -1);
	ck_assert_int_eq(errno, ENOTSOCK);
	ck_assert_int_eq(stat(e.path, &st), 0); /* left alone */
	ck_assert(S_ISREG(st.st_mode));
	dir_remove();
}
END_TEST

START_TEST(test_bad_endpoint)
{
	struct net_endpoint e = { .path = "" };

	ck_assert_int_eq(net_listen(&e, 8, SOCK_STREAM, 0), -1);
	ck_assert_int_eq(net_connect(&e, SOCK_STREAM), -1);
	e.addr.family = AF_UNIX;
	ck_assert_int_eq(net_connect(&e, SOCK_STREAM), -1);
	strcpy(e.path, "/nonexistent/dir/s");
	ck_assert_int_eq(net_connect(&e, SOCK_STREAM), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* --- descriptor passing --- */

static void send_fds(int sock, const char *text, size_t len, const int *fds, unsigned n)
{
	char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec iov = { (void *)(uintptr_t)text, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	memset(control, 0, sizeof control);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	ck_assert_int_eq(sendmsg(sock, &msg, 0), (ssize_t)len);
}

START_TEST(test_fd_passing)
{
	char in[16] = "";
	int sv[2], p[2], fd;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(net_send_fd(sv[0], "hello", 5, p[1]), 5);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), 5);
	ck_assert_str_eq(in, "hello");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(read(p[0], in, 1), 1);
	close(fd);
	ck_assert_int_eq(net_send_fd(sv[0], "bare", 4, -1), 4);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), 4);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(net_send_fd(sv[0], "", 0, p[0]), -1);
	ck_assert_int_eq(errno, EINVAL);
	close(sv[0]);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), 0);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(net_send_fd(sv[1], "x", 1, -1), -1); /* and no SIGPIPE */
	ck_assert_int_eq(errno, EPIPE);
	close(sv[1]);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(test_fd_passing_hostile)
{
	char in[16];
	int sv[2], p[2], fd;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
	ck_assert_int_eq(pipe(p), 0);
	const int many[8] = { p[0], p[1], p[0], p[1], p[0], p[1], p[0], p[1] };
	unsigned before = open_fds();

	/* Several: the first is kept. */
	send_fds(sv[0], "a", 1, many, 8);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(open_fds(), before + 1);
	close(fd);
	/* A packet of no octets that carries descriptors. */
	send_fds(sv[0], "", 0, many, 2);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), 0);
	ck_assert_int_eq(fd, -1);
	ck_assert_uint_eq(open_fds(), before);
	/* One that does not fit. */
	send_fds(sv[0], "0123456789abcdefg", 17, many, 3);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(fd, -1);
	ck_assert_uint_eq(open_fds(), before);
	close(sv[0]);
	close(sv[1]);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* A table of descriptors that is full must not look like a message without. */
START_TEST(test_fd_passing_full_table)
{
	char in[16];
	int sv[2], fd, filler[128];
	size_t n = 0;
	struct rlimit few = { 100, 100 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
	ck_assert_int_eq(net_send_fd(sv[0], "a", 1, sv[0]), 1);
	while (n < 128 && (filler[n] = dup(sv[0])) >= 0)
		n++;
	ck_assert_uint_lt(n, 128);
	ck_assert_int_eq(net_recv_fd(sv[1], in, sizeof in, &fd), -1);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(fd, -1);
	while (n > 0)
		close(filler[--n]);
	close(sv[0]);
	close(sv[1]);
}
END_TEST

/* --- networks --- */

static const struct { const char *list, *addr; bool match; } cidrs[] = {
	{ "127.0.0.0/8, ::1", "127.1.2.3", true }, { "127.0.0.0/8, ::1", "::1", true },
	{ "127.0.0.0/8, ::1", "128.0.0.0", false }, { "127.0.0.0/8, ::1", "::2", false },
	{ "any", "192.0.2.1", true }, { "any", "2001:db8::1", true }, { "ANY", "::", true },
	{ "0.0.0.0/0", "::1", false }, { "::/0", "192.0.2.1", false },
	{ "192.0.2.128/25", "192.0.2.128", true }, { "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.4/31", "192.0.2.5", true }, { "192.0.2.4/31", "192.0.2.6", false },
	{ "192.0.2.4", "192.0.2.4", true }, { "192.0.2.4", "192.0.2.5", false },
	{ "192.0.2.4/32", "192.0.2.4", true }, { "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false }, { "[2001:db8::]/32", "2001:db8::9", true },
	{ "::ffff:192.0.2.0/120", "192.0.2.77", true }, { "::ffff:192.0.2.9", "192.0.2.9", true },
	{ "", "192.0.2.1", false },
};

START_TEST(test_cidrs)
{
	struct net_cidr *list;
	struct net_addr a;
	size_t n;
	char why[80] = "";

	int rc = net_cidrs_parse(cidrs[_i].list, &list, &n, why, sizeof why);
	ck_assert_msg(rc == 0, "%s: %s", cidrs[_i].list, why);
	ck_assert_int_eq(net_addr_parse(cidrs[_i].addr, &a), 0);
	ck_assert_int_eq(net_cidrs_match(list, n, &a), cidrs[_i].match);
	free(list);
}
END_TEST

static const char *const bad_cidrs[] = { "127.0.0.1/8", "10.0.0.0/33", "::/129", "host", "1.2.3.4/",
	"1.2.3.4/-1", "1.2.3.4/a", "127.0.0.0/8, nonsense", "::1/127", "::ffff:0.0.0.0/95",
	"fe80::1%1", "192.0.2.0/24/24" };

START_TEST(test_cidrs_bad)
{
	struct net_cidr *list;
	size_t n;
	char why[80] = "";

	ck_assert_int_eq(net_cidrs_parse(bad_cidrs[_i], &list, &n, why, sizeof why), -1);
	ck_assert_ptr_null(list);
	ck_assert_uint_eq(n, 0);
	ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(test_cidrs_unix)
{
	struct net_addr a = { .family = AF_UNIX };
	struct net_cidr *list;
	size_t n;
	char why[80];

	ck_assert_int_eq(net_cidrs_parse("127.0.0.0/8", &list, &n, why, sizeof why), 0);
	ck_assert(net_cidrs_match(list, n, &a));
	a.family = 0;
	ck_assert(!net_cidrs_match(list, n, &a));
	free(list);
	ck_assert_int_eq(net_cidrs_parse("any", &list, &n, why, sizeof why), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert(!net_cidrs_match(list, n, &a)); /* unknown is not any */
	free(list);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("net");
	TCase *t = tcase_create("addresses");
	tcase_add_loop_test(t, test_addr_parse, 0, COUNT(good_addrs));
	tcase_add_loop_test(t, test_addr_parse_bad, 0, COUNT(bad_addrs));
	tcase_add_test(t, test_addr_predicates);
	tcase_add_test(t, test_addr_sockaddr);
	tcase_add_test(t, test_endpoint_text);
	suite_add_tcase(s, t);
	t = tcase_create("names");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, test_resolve);
	tcase_add_loop_test(t, test_resolve_bad, 0, COUNT(bad_lists));
	tcase_add_test(t, test_resolve_long);
	tcase_add_test(t, test_has_names);
	suite_add_tcase(s, t);
	t = tcase_create("sockets");
	tcase_add_loop_test(t, test_tcp, 0, 2);
	tcase_add_test(t, test_try_addr);
	tcase_add_test(t, test_adopt);
	tcase_add_loop_test(t, test_mend, 0, 3);
	tcase_add_test(t, test_unix_mode_and_stale);
	tcase_add_test(t, test_unix_full_queue_is_alive);
	tcase_add_test(t, test_unix_not_a_socket);
	tcase_add_test(t, test_bad_endpoint);
	tcase_add_test(t, test_fd_passing);
	tcase_add_test(t, test_fd_passing_hostile);
	tcase_add_test(t, test_fd_passing_full_table);
	suite_add_tcase(s, t);
	t = tcase_create("networks");
	tcase_add_loop_test(t, test_cidrs, 0, COUNT(cidrs));
	tcase_add_loop_test(t, test_cidrs_bad, 0, COUNT(bad_cidrs));
	tcase_add_test(t, test_cidrs_unix);
	suite_add_tcase(s, t);
	return unit_run(s);
}
