/* net_cidr.c - lists of networks, see net.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net_int.h"
#include "str.h"

static bool has_host_bits(const struct net_cidr *c)
{
	for (size_t i = 0; i < net_ip_len(c->family); i++) {
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
	size_t bits = 8 * net_ip_len(a.family);
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
	char item[NET_ITEM_MAX];
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
