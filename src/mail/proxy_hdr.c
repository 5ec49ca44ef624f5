/* proxy_hdr.c - the header of the PROXY protocol, see proxy_hdr.h. */
#include "proxy_hdr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

#define V1_MAX 107u           /* with CR LF, by the specification */
#define V2_HEAD 16u

static const unsigned char v2_sig[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I',
	'T', '\n' };

static size_t ip_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

static int parse_port(const char *s, uint16_t *out)
{
	uint64_t v;

	if (str_parse_u64(s, &v) < 0 || v > 65535)
		return -1;
	*out = (uint16_t)v;
	return 0;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 1024 25", words separated by one blank. */
static int parse_v1_line(char *line, struct proxy_hdr *out)
{
	char *word[6] = { NULL };
	size_t n = 0;

	for (char *p = line; n < 6; n++) {
		word[n] = p;
		p = strchr(p, ' ');
		if (p == NULL) {
			n++;
			break;
		}
		*p++ = '\0';
		if (n == 5)
			return -1;
	}
	if (n >= 2 && strcmp(word[1], "UNKNOWN") == 0)
		return 0;
	if (n != 6)
		return -1;
	int family = strcmp(word[1], "TCP4") == 0 ? AF_INET :
		strcmp(word[1], "TCP6") == 0 ? AF_INET6 : 0;
	if (family == 0 || inet_pton(family, word[2], out->src.ip) != 1 ||
	    inet_pton(family, word[3], out->dst.ip) != 1 ||
	    parse_port(word[4], &out->src.port) < 0 || parse_port(word[5], &out->dst.port) < 0)
		return -1;
	out->src.family = out->dst.family = (uint8_t)family;
	return 0;
}

static int parse_v1(const char *p, size_t len, struct proxy_hdr *out, size_t *used_out,
	const char **why_out)
{
	char line[V1_MAX + 1];
	const char *lf = memchr(p, '\n', len < V1_MAX ? len : V1_MAX);

	*why_out = "bad PROXY header";
	if (lf == NULL)
		return len < V1_MAX ? 0 : -1;
	size_t n = (size_t)(lf - p);
	if (n < 1 || lf[-1] != '\r' || memchr(p, '\0', n) != NULL)
		return -1;
	str_copy_n(line, sizeof line, p, n - 1);
	/* UNKNOWN may be followed by anything, which is no business of ours. */
	if (strncmp(line, "PROXY UNKNOWN", 13) == 0 && (line[13] == '\0' || line[13] == ' '))
		line[13] = '\0';
	if (parse_v1_line(line, out) < 0)
		return -1;
	*used_out = n + 1;
	return 1;
}

static uint16_t be16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static int parse_v2(const unsigned char *p, size_t len, struct proxy_hdr *out, size_t *used_out,
	const char **why_out)
{
	*why_out = "bad PROXY header";
	if (len < V2_HEAD)
		return 0;
	size_t body = be16(p + 14);
	if ((p[12] >> 4) != 2 || (p[12] & 15) > 1 || body > PROXY_HDR_MAX - V2_HEAD)
		return -1;
	if (len < V2_HEAD + body)
		return 0;
	*used_out = V2_HEAD + body;
	int family = p[13] == 0x11 ? AF_INET : p[13] == 0x21 ? AF_INET6 : 0;
	out->is_local = (p[12] & 15) == 0;
	if (out->is_local || family == 0)
		return 1; /* LOCAL: the balancer itself, or what is not TCP over IP */
	size_t n = ip_len(family);
	if (body < 2 * n + 4)
		return -1;
	p += V2_HEAD;
	memcpy(out->src.ip, p, n);
	memcpy(out->dst.ip, p + n, n);
	out->src.port = be16(p + 2 * n);
	out->dst.port = be16(p + 2 * n + 2);
	out->src.family = out->dst.family = (uint8_t)family;
	return 1;
}

/* An IPv4 client of a balancer that listens on both families: networks and
 * limits are about the IPv4 address. */
static void unmap(struct net_addr *a)
{
	static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family != AF_INET6 || memcmp(a->ip, prefix, sizeof prefix) != 0)
		return;
	memcpy(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
	a->family = AF_INET;
}

int proxy_hdr_parse(const void *in, size_t len, struct proxy_hdr *out, size_t *used_out,
	const char **why_out)
{
	size_t n = len < sizeof v2_sig ? len : sizeof v2_sig;
	int got;

	*out = (struct proxy_hdr){ .src = { .family = 0 } };
	if (memcmp(in, v2_sig, n) == 0) {
		got = len < sizeof v2_sig ? 0 : parse_v2(in, len, out, used_out, why_out);
	} else if (memcmp(in, "PROXY ", len < 6 ? len : 6) == 0) {
		got = len < 6 ? 0 : parse_v1(in, len, out, used_out, why_out);
	} else {
		*why_out = "no PROXY header";
		return -1;
	}
	unmap(&out->src);
	unmap(&out->dst);
	return got;
}

static bool is_ip(const struct net_addr *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static bool is_tcp(const struct proxy_hdr *h)
{
	return is_ip(&h->src) && is_ip(&h->dst);
}

/* Both addresses of a header are of one family: IPv4 beside IPv6 is mapped. */
static struct net_addr as_family(const struct net_addr *a, int family)
{
	struct net_addr out = *a;

	if (a->family == family)
		return out;
	memset(out.ip, 0, 10);
	out.ip[10] = out.ip[11] = 0xff;
	memcpy(out.ip + 12, a->ip, 4);
	out.family = AF_INET6;
	return out;
}

static int family_of(const struct proxy_hdr *h)
{
	return h->src.family == AF_INET && h->dst.family == AF_INET ? AF_INET : AF_INET6;
}

static size_t format_v1(const struct proxy_hdr *h, char out[128])
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	const int family = family_of(h);
	const struct net_addr a = as_family(&h->src, family), b = as_family(&h->dst, family);

	if (!is_tcp(h) || inet_ntop(family, a.ip, src, sizeof src) == NULL ||
	    inet_ntop(family, b.ip, dst, sizeof dst) == NULL)
		return (size_t)snprintf(out, 128, "PROXY UNKNOWN\r\n");
	return (size_t)snprintf(out, 128, "PROXY TCP%c %s %s %u %u\r\n",
		family == AF_INET ? '4' : '6', src, dst, h->src.port, h->dst.port);
}

static size_t format_v2(const struct proxy_hdr *h, char out[128])
{
	const int family = family_of(h);
	const struct net_addr a = as_family(&h->src, family), b = as_family(&h->dst, family);
	size_t n = is_tcp(h) ? ip_len(family) : 0;
	size_t body = n > 0 ? 2 * n + 4 : 0;
	char *p = out + V2_HEAD;

	memcpy(out, v2_sig, sizeof v2_sig);
	out[12] = n > 0 ? 0x21 : 0x20;
	out[13] = n == 4 ? 0x11 : n == 16 ? 0x21 : 0;
	out[14] = 0;
	out[15] = (char)body;
	if (n == 0)
		return V2_HEAD;
	memcpy(p, a.ip, n);
	memcpy(p + n, b.ip, n);
	p += 2 * n;
	p[0] = (char)(h->src.port >> 8);
	p[1] = (char)(h->src.port & 255);
	p[2] = (char)(h->dst.port >> 8);
	p[3] = (char)(h->dst.port & 255);
	return V2_HEAD + body;
}

size_t proxy_hdr_format(const struct proxy_hdr *h, int version, char out[128])
{
	return version == 1 ? format_v1(h, out) : format_v2(h, out);
}
