/* proxy_hdr.h - the header of the PROXY protocol, versions 1 and 2. Pure.
 *
 * A balancer in front of us, or we in front of a server, say with it whose
 * connection this is. Source: HAProxy's proxy-protocol.txt, 2020/03/05. */
#ifndef ESETS_PROXY_HDR_H
#define ESETS_PROXY_HDR_H

#include <stddef.h>

#include "net.h"

#define PROXY_HDR_MAX 4096u   /* with the extensions of version 2, which are skipped */

struct proxy_hdr {
	/* Family 0: the header says nothing of the client (UNKNOWN, LOCAL). An
	 * IPv4-mapped address is an IPv4 one. */
	struct net_addr src, dst;
	bool is_local;         /* LOCAL: the balancer's own connection */
};

/* Reads a header at the start of in. 1 and *used_out; 0 more input needed; -1
 * no such header, with *why_out. */
int proxy_hdr_parse(const void *in, size_t len, struct proxy_hdr *out, size_t *used_out,
	const char **why_out);
/* Writes a header of version 1 or 2 (at most 107 octets). An IPv4 address
 * beside an IPv6 one is written mapped; what is neither makes the header
 * UNKNOWN or LOCAL. Returns octets. */
size_t proxy_hdr_format(const struct proxy_hdr *h, int version, char out[128]);

#endif
