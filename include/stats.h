/* stats.h - counters in memory that all workers share.
 *
 * One row of STATS_LIST is one counter: id, whose it is (A esets_smtp, D
 * esets_daemon, B both, W esets_wwwi, E every program), kind, name, label and its
 * value, help. Behind the program's name names are those of Prometheus: base units,
 * _total for what only grows; rows of one name differ in their label's value.
 *
 *   C  counter: only grows                 R  the same; its rate is kept too
 *   G  gauge: the sum over all threads     H  histogram of times, in seconds
 *   N  state: the highest of the newest generation of workers
 *
 * Each thread writes its own line of the table without a lock; a reader sums
 * the lines. A dead worker's lines stay (its counters count), but what it had
 * open is zeroed. The table lies in a memfd that nobody can map or write anew:
 * whoever is given it reads while the program runs, and can do nothing else
 * (status_sock.h hands it out, stats_view.h reads it). */
#ifndef ESETS_STATS_H
#define ESETS_STATS_H

#include <stdint.h>

#include "stats_list.h"

#define STATS_BUCKETS 22u   /* of a histogram: 100 us, 200 us, 500 us ... 500 s, more */

#define STATS_WIDTH_C 1u
#define STATS_WIDTH_R 1u
#define STATS_WIDTH_G 1u
#define STATS_WIDTH_N 1u
#define STATS_WIDTH_H (STATS_BUCKETS + 1u) /* buckets, and the sum in us */

enum stats_id {
#define X(id, who, kind, name, key, value, help) \
	ST_##id, ST_##id##_END = ST_##id + (int)STATS_WIDTH_##kind - 1,
	STATS_LIST(X)
#undef X
	STATS_CELLS
};

/* The row that is n behind, of those that stand together. */
static inline enum stats_id stats_nth(enum stats_id first, unsigned n)
{
	return (enum stats_id)((unsigned)first + n);
}

enum stats_program { STATS_AGENT = 1, STATS_DAEMON = 2, STATS_WWWI = 4 };

/* Parent, before any fork: lines for slots * threads, and one of its own. 0, -1
 * with errno. */
int stats_init(enum stats_program who, unsigned slots, unsigned threads);
/* The table for a reader, or -1. Remains the module's. */
int stats_fd(void);
/* Child: the slot is given out; parent: its worker has gone. Zeroes what it had
 * open. */
void stats_slot_begin(unsigned slot);
void stats_slot_end(unsigned slot);
/* Thread: its line. A thread that never calls this writes to a private line. */
void stats_thread(unsigned slot, unsigned thread);
void stats_add(enum stats_id id, uint64_t n);
void stats_sub(enum stats_id id, uint64_t n);
/* One more of a histogram. */
void stats_time(enum stats_id id, long long us);
/* A state (kind N; below 2^40) as this thread sees it. */
void stats_state(enum stats_id id, uint64_t value);

/* Parent only: the same in its own line. */
void stats_parent_add(enum stats_id id, uint64_t n);
void stats_parent_set(enum stats_id id, uint64_t value);
void stats_parent_state(enum stats_id id, uint64_t value);
/* The workers that it starts from now on know better than those before. */
void stats_parent_generation(void);
/* To be called about once a second: keeps what rates are told from. */
void stats_parent_tick(long long now_ms);

/* Any process: over all lines, or over one slot's. */
uint64_t stats_sum(enum stats_id id);
uint64_t stats_slot_sum(enum stats_id id, unsigned slot);
/* A number no other session of this machine has soon: unix seconds at start
 * times 65536, counted up by all workers. */
uint64_t stats_next_id(void);

#endif
