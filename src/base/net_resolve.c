/* net_resolve.c - lists of names and addresses, see net.h. Blocks. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "net_int.h"
#include "str.h"

struct resolve {
	struct net_endpoint *out;
	size_t n, max;
	uint16_t port;
};

/* 0 added or known already, -1 no room. */
static int resolve_add(struct resolve *r, const struct net_endpoint *e)
{
	for (size_t i = 0; i < r->n; i++) {
		if (net_endpoint_is_equal(&r->out[i], e))
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
		char clean[NET_ITEM_MAX];
		snprintf(why, size, "%s: %s", str_clean(clean, sizeof clean, name, strlen(name)),
			rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
		return -1;
	}
	/* What goes beyond the room is left out: a name has spare addresses. */
	for (struct addrinfo *ai = list; ai != NULL && taken < NET_ADDRS_MAX; ai = ai->ai_next) {
		struct net_endpoint e = { .path = "" };
		net_addr_from_sockaddr(&e.addr, ai->ai_addr, ai->ai_addrlen);
		e.addr.port = r->port;
		if (net_ip_len(e.addr.family) > 0 && resolve_add(r, &e) == 0)
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
	char item[NET_ITEM_MAX];
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
	char item[NET_ITEM_MAX];
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
