/* listen.h - what a worker inherits from the manager: listening sockets, the
 * configuration, and the server's addresses in shared memory. */
#ifndef ESETS_LISTEN_H
#define ESETS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net.h"

struct conf;

#define LISTEN_MAX 32
#define LISTEN_BACKLOG 1024

struct listener {
	struct net_endpoint where;
	int fd;
	bool is_passed;      /* others hold it too: its name is theirs */
};

struct listen_set {
	struct listener l[LISTEN_MAX];
	unsigned n;
};

/* The addresses of server_addr as last resolved. Written by the manager, read
 * by all workers without a lock (a sequence count that is odd while written).
 * Only the process that made it can write; those it forks later can read. */
struct server_table;
struct server_table *server_table_new(void);          /* shared memory; NULL errno */
void server_table_free(struct server_table **t);
void server_table_set(struct server_table *t, const struct net_endpoint *e, unsigned n);
/* Copies up to max entries, returns how many. */
unsigned server_table_get(const struct server_table *t, struct net_endpoint *out, unsigned max);

/* Opens what listen_addr and listen_port name; sockets that old has for the
 * same address, and that listen, are taken over (and are -1 there). 0; -1 with errno (EINVAL: a
 * name does not resolve) and a text in why: then new ones are closed and old is
 * as it was. */
int listen_open(struct listen_set *set, struct listen_set *old, const struct conf *c,
	char *why, size_t why_size);
/* Opens those again that listen no more: a worker can take a TCP socket apart for all
 * of them. Each is logged. true: workers need what is in set now. */
bool listen_mend(struct listen_set *set);
void listen_close(struct listen_set *set);
/* The sockets that the service manager has passed, for listen_open to take what
 * is to be listened on. What it leaves is to be closed. */
void listen_passed(struct listen_set *set);
/* Could they be opened, were nobody there already? 0; -1 with errno and a text. */
int listen_try(const struct conf *c, char *why, size_t why_size);

#endif
