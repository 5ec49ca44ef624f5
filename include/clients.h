/* clients.h - how many sessions each client address has, over all workers.
 *
 * A table of counters in shared memory, one row per worker slot, so that a
 * worker that is killed takes its counts with it. An address is hashed into
 * 65536 counters: two addresses share one by a chance of 1 in 65536, which
 * errs to the strict side by one client's sessions. IPv6 counts by /64. */
#ifndef ESETS_CLIENTS_H
#define ESETS_CLIENTS_H

#include "net.h"

struct clients;

/* Shared memory for so many slots, before any fork. NULL with errno. */
struct clients *clients_new(unsigned slots);
void clients_free(struct clients **c);
/* The slot is given out: its row is empty. */
void clients_slot_begin(struct clients *c, unsigned slot);
/* Counts a session of a; returns how many a has now in all workers. */
unsigned clients_add(struct clients *c, unsigned slot, const struct net_addr *a);
void clients_sub(struct clients *c, unsigned slot, const struct net_addr *a);

#endif
