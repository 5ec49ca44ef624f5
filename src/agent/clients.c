/* clients.c - sessions per client address, see clients.h. */
#include "clients.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define BUCKETS 65536u

/* Only the counters are shared: a worker that is somebody else's may write
 * there what it likes. */
struct clients {
	uint64_t key;          /* nobody outside can choose who shares a counter */
	unsigned slots;
	_Atomic uint16_t (*row)[BUCKETS];
};

static size_t size_of(unsigned slots)
{
	return slots * sizeof(_Atomic uint16_t[BUCKETS]);
}

struct clients *clients_new(unsigned slots)
{
	struct clients *c = malloc(sizeof *c);

	if (c == NULL)
		return NULL;
	void *shared = mmap(NULL, size_of(slots), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	*c = (struct clients){ .slots = slots, .row = shared };
	if (shared == MAP_FAILED) {
		free(c);
		return NULL;
	}
	if (getrandom(&c->key, sizeof c->key, 0) != (ssize_t)sizeof c->key)
		clients_free(&c);
	return c;
}

void clients_free(struct clients **c)
{
	if (*c != NULL)
		munmap((*c)->row, size_of((*c)->slots));
	free(*c);
	*c = NULL;
}

void clients_slot_begin(struct clients *c, unsigned slot)
{
	/* Only what is not empty is written: untouched pages stay untouched. */
	for (unsigned i = 0; i < BUCKETS; i++) {
		if (atomic_load_explicit(&c->row[slot][i], memory_order_relaxed) != 0)
			atomic_store_explicit(&c->row[slot][i], 0, memory_order_relaxed);
	}
}

static unsigned bucket(const struct clients *c, const struct net_addr *a)
{
	size_t n = a->family == AF_INET ? 4 : a->family == AF_INET6 ? 8 : 0;
	uint64_t h = c->key ^ a->family;

	for (size_t i = 0; i < n; i++) {
		h ^= a->ip[i];
		h *= 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return (unsigned)(h >> 32) % BUCKETS;
}

unsigned clients_add(struct clients *c, unsigned slot, const struct net_addr *a)
{
	unsigned b = bucket(c, a), sum = 0;

	atomic_fetch_add_explicit(&c->row[slot][b], 1, memory_order_relaxed);
	for (unsigned i = 0; i < c->slots; i++)
		sum += atomic_load_explicit(&c->row[i][b], memory_order_relaxed);
	return sum;
}

void clients_sub(struct clients *c, unsigned slot, const struct net_addr *a)
{
	atomic_fetch_sub_explicit(&c->row[slot][bucket(c, a)], 1, memory_order_relaxed);
}
