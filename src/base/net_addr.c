/* net_addr.c - addresses, see net.h.
 *
 * Owns how text and kernel addresses become struct net_addr and back. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "net_int.h"
#include "str.h"

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

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

bool net_addr_is_equal_ip(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && a->scope == b->scope &&
		memcmp(a->ip, b->ip, net_ip_len(a->family)) == 0;
}

bool net_endpoint_is_equal(const struct net_endpoint *a, const struct net_endpoint *b)
{
	return net_addr_is_equal_ip(&a->addr, &b->addr) && a->addr.port == b->addr.port &&
		strcmp(a->path, b->path) == 0;
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

	return net_ip_len(a->family) > 0 && memcmp(a->ip, zero, net_ip_len(a->family)) == 0;
}

const char *net_addr_text(const struct net_addr *a, char out[NET_ADDR_TEXT])
{
	if (net_ip_len(a->family) == 0) {
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

bool net_endpoint_is_sound(const struct net_endpoint *e)
{
	const int family = e->addr.family;

	return (family == AF_INET || family == AF_INET6 || family == AF_UNIX) &&
		memchr(e->path, '\0', sizeof e->path) != NULL;
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
