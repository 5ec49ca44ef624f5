/* net_int.h - shared by the parts of net:
 *   net.c          sockets: listening, connecting
 *   net_addr.c     addresses, from and to text and the kernel's form
 *   net_resolve.c  lists of names
 *   net_cidr.c     lists of networks
 *   net_fd.c       descriptors that go along with a message */
#ifndef ESETS_NET_INT_H
#define ESETS_NET_INT_H

#include "net.h"

#define NET_ITEM_MAX 300       /* one item of an address list */

static inline size_t net_ip_len(uint8_t family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

#endif
