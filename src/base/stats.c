/* stats.c - counters in memory that all workers share, see stats.h.
 *
 * Owns the shared table: a header with the session number, and one line of
 * counters for each thread of each slot. A line has exactly one writer, so
 * adding is a plain load and store, made atomic only so that a reader never
 * sees half a number; lines start on cache lines of their own, or threads
 * would slow each other down. Must not log and never fails after the start. */
#include "stats.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define CACHE_LINE 64

struct line {
	_Alignas(CACHE_LINE) _Atomic uint64_t value[STATS_COUNT];
};

struct table {
	_Alignas(CACHE_LINE) _Atomic uint64_t next_id;
	struct line lines[];
};

#define STATS_KIND_C 0
#define STATS_KIND_G 1

static const unsigned char is_gauge[STATS_COUNT] = {
#define X(id, name, kind, help) [ST_##id] = STATS_KIND_##kind,
	STATS_LIST(X)
#undef X
};

static struct {
	struct table *table;
	size_t size;
	unsigned slots, threads;
} g_stats;

static _Thread_local struct line t_private;
static _Thread_local struct line *t_line;

int stats_init(unsigned slots, unsigned threads)
{
	if (threads != 0 && slots > (SIZE_MAX / 2 / sizeof(struct line)) / threads) {
		errno = ENOMEM;
		return -1;
	}
	size_t size = sizeof(struct table) + (size_t)slots * threads * sizeof(struct line);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	if (g_stats.table != NULL)
		munmap(g_stats.table, g_stats.size);
	t_line = NULL;
	g_stats.table = p;
	g_stats.size = size;
	g_stats.slots = slots;
	g_stats.threads = threads;
	atomic_init(&g_stats.table->next_id, (uint64_t)time(NULL) << 16);
	return 0;
}

static struct line *line_of(unsigned slot, unsigned thread)
{
	if (slot >= g_stats.slots || thread >= g_stats.threads)
		return NULL;
	return &g_stats.table->lines[(size_t)slot * g_stats.threads + thread];
}

void stats_slot_begin(unsigned slot)
{
	for (unsigned t = 0; t < g_stats.threads; t++) {
		struct line *l = line_of(slot, t);
		for (int i = 0; l != NULL && i < STATS_COUNT; i++) {
			if (is_gauge[i])
				atomic_store_explicit(&l->value[i], 0, memory_order_relaxed);
		}
	}
}

void stats_thread(unsigned slot, unsigned thread)
{
	t_line = line_of(slot, thread);
}

void stats_add(enum stats_id id, uint64_t n)
{
	struct line *l = t_line != NULL ? t_line : &t_private;
	uint64_t v = atomic_load_explicit(&l->value[id], memory_order_relaxed);

	atomic_store_explicit(&l->value[id], v + n, memory_order_relaxed);
}

void stats_sub(enum stats_id id, uint64_t n)
{
	stats_add(id, -n); /* modulo 2^64, as the sum over all lines is */
}

uint64_t stats_slot_sum(enum stats_id id, unsigned slot)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < g_stats.threads; t++) {
		struct line *l = line_of(slot, t);
		if (l != NULL)
			sum += atomic_load_explicit(&l->value[id], memory_order_relaxed);
	}
	return sum;
}

uint64_t stats_sum(enum stats_id id)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < g_stats.slots; s++)
		sum += stats_slot_sum(id, s);
	return sum;
}

uint64_t stats_next_id(void)
{
	static _Atomic uint64_t lone; /* a program without a table */

	if (g_stats.table != NULL)
		return atomic_fetch_add_explicit(&g_stats.table->next_id, 1, memory_order_relaxed);
	uint64_t zero = 0;
	atomic_compare_exchange_strong(&lone, &zero, (uint64_t)time(NULL) << 16);
	return atomic_fetch_add(&lone, 1);
}
