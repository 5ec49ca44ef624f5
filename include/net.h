/* net.h - addresses, listening, connecting, descriptor passing.
 *
 * A struct net_addr is small enough to sit in every session (an idle one
 * must cost little); UNIX paths are kept apart for that reason. Nothing here
 * blocks but net_resolve. Descriptors returned are close-on-exec and
 * non-blocking unless said otherwise. */
#ifndef ESETS_NET_H
#define ESETS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct net_addr {
	uint8_t family;      /* AF_INET, AF_INET6, AF_UNIX, 0 = none */
	uint16_t port;       /* host order; 0 for AF_UNIX */
	uint32_t scope;      /* IPv6 link-local interface */
	uint8_t ip[16];      /* network order, 4 or 16 octets; zero for AF_UNIX */
};

#define NET_ADDR_TEXT 64   /* "[ipv6%scope]:port" fits */
#define NET_ADDRS_MAX 16   /* addresses kept for one name */

/* An address to listen on or to connect to, as configured and resolved. */
struct net_endpoint {
	struct net_addr addr;
	char path[108];      /* AF_UNIX: sun_path, else "" */
};

/* "192.0.2.1" or "::1" (or "[::1]"), never a name. 0 done, -1 no address.
 * An IPv4-mapped IPv6 address becomes IPv4. port stays 0. */
int net_addr_parse(const char *s, struct net_addr *out);
/* From the kernel's form; anything else than INET, INET6, UNIX: family 0. */
void net_addr_from_sockaddr(struct net_addr *out, const struct sockaddr *sa, socklen_t len);
bool net_addr_is_equal_ip(const struct net_addr *a, const struct net_addr *b);
bool net_endpoint_is_equal(const struct net_endpoint *a, const struct net_endpoint *b);
/* One that another process made: is it any, as far as its readers have to know? */
bool net_endpoint_is_sound(const struct net_endpoint *e);
bool net_addr_is_loopback(const struct net_addr *a);
bool net_addr_is_any(const struct net_addr *a);
/* "192.0.2.1", "2001:db8::1", "unix", "unknown"; without the port. */
const char *net_addr_text(const struct net_addr *a, char out[NET_ADDR_TEXT]);
/* "192.0.2.1:25", "[::1]:25", the path of an AF_UNIX endpoint as unix:/path. */
const char *net_endpoint_text(const struct net_endpoint *e, char *out, size_t size);

/* A comma list of names, addresses, [v6], each with the given port, or
 * unix:/path, into endpoints; blocks in getaddrinfo for names. passive: for
 * listening ("localhost" may give two). Returns the number (may be 0 only
 * with -1), or -1 with a text in why: which item does not resolve. Duplicate
 * addresses are taken once. */
int net_resolve(const char *list, uint16_t port, bool passive,
	struct net_endpoint *out, size_t max, char *why, size_t why_size);
/* Does the list hold anything that needs getaddrinfo? */
bool net_list_has_names(const char *list);

/* Listening socket of a type (SOCK_STREAM, SOCK_SEQPACKET): SO_REUSEADDR,
 * IPV6_V6ONLY, TCP_NODELAY and SO_KEEPALIVE for its connections, backlog; a UNIX path is bound with exactly unix_mode (only
 * while the process has no threads) and a stale socket (nobody answers) is
 * replaced, one that answers gives EADDRINUSE, something that is no socket
 * ENOTSOCK. -1 with errno. */
int net_listen(const struct net_endpoint *e, int backlog, int type, unsigned unix_mode);
/* A listening socket that somebody else has opened, made what net_listen makes
 * (but for IPV6_V6ONLY and the backlog); where it listens. 0; -1 with errno:
 * EINVAL it does not listen, or is of another type, family or a nameless path. */
int net_adopt(int fd, int type, struct net_endpoint *where_out);
bool net_is_listening(int fd);
/* One that listens no more, as a process that shares it has taken it apart, gives way
 * to another at the same place, of the same kind (IPV6_V6ONLY, IP_FREEBIND,
 * SO_BINDTODEVICE). 0 it listens, 1 it did not and *fd is another one, -1
 * it does not and nothing can be done now, with errno. */
int net_mend(int *fd, const struct net_endpoint *e, int backlog, int type, unsigned unix_mode);
/* Is it an IP address of this machine? Whether the port is free is not asked.
 * 0, -1 with errno. */
int net_try_addr(const struct net_addr *a);
/* Starts a non-blocking stream connect with TCP_NODELAY and SO_KEEPALIVE.
 * The descriptor (connected or in progress), or -1 with errno. */
int net_connect(const struct net_endpoint *e, int type);
/* accept4; peer filled in. Over TCP it has the options of net_listen's socket. */
int net_accept(int listen_fd, struct net_addr *peer_out);
/* getsockname of a connected socket; family 0 if it fails. */
void net_local_addr(int fd, struct net_addr *out);

/* One message (n > 0) with at most one descriptor (fd -1: none),
 * MSG_NOSIGNAL. Like send and recv: octets, 0 end of stream, -1 with errno. Neither
 * ever waits, whatever the socket's flags: these are also those of whoever holds its
 * other descriptors, who may change them at any moment.
 * net_recv_fd closes descriptors beyond the first, sets it close-on-exec and
 * gives -1 in *fd_out when there was none; EMSGSIZE where the message was
 * cut, EMFILE where there was no room for the descriptor. */
ptrdiff_t net_send_fd(int sock, const void *p, size_t n, int fd);
ptrdiff_t net_recv_fd(int sock, void *p, size_t n, int *fd_out);

/* A list of networks: "127.0.0.0/8, ::1, any". */
struct net_cidr {
	uint8_t family;
	uint8_t prefix;
	uint8_t ip[16];
};
/* 0 done, -1 and the text of the bad item in why. *out is malloc'd (NULL for
 * an empty list); "any" gives 0.0.0.0/0 and ::/0. Host bits must be zero. */
int net_cidrs_parse(const char *list, struct net_cidr **out, size_t *n_out,
	char *why, size_t why_size);
/* An AF_UNIX peer counts as loopback (127.0.0.1). */
bool net_cidrs_match(const struct net_cidr *list, size_t n, const struct net_addr *a);

#endif
