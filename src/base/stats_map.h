/* stats_map.h - how the table of counters lies in memory; stats.c writes it,
 * stats_view.c reads it, perhaps of another version of the program: names,
 * kinds and places are told by the table itself. What is told is bounded and
 * checked by the reader; a change of these structures is a new format.
 *
 *   head | rows | kept for rates | used threads by slot | lines
 *
 * The first line is the parent's; that of a thread is 1 + slot * nthreads +
 * thread. Only lines that were used take memory. */
#ifndef ESETS_STATS_MAP_H
#define ESETS_STATS_MAP_H

#include <stdatomic.h>
#include <stdint.h>

#define STATS_MAP_MAGIC "esetstat"
#define STATS_MAP_FORMAT 1u
#define STATS_MAP_LINE 64u      /* lines begin on a cache line of their own */
#define STATS_MAP_BOUNDS_MAX 32u
#define STATS_MAP_RATES_MAX 8u
#define STATS_MAP_KEPT 13u      /* samples, */
#define STATS_MAP_KEEP_MS 5000  /* and the time between two: a minute in all */
#define STATS_MAP_STATE_BITS 40 /* of kind N: the value; above it the generation */

struct stats_map_head {
	char magic[8];
	uint32_t format, head_size;
	uint64_t size;                    /* of all of it */
	char program[16], version[32];
	uint64_t pid, start_s;
	uint32_t nrows, row_size, nslots, nthreads;
	uint32_t ncells, nbounds;         /* cells of a line; bounds of a histogram's buckets */
	uint64_t bounds_us[STATS_MAP_BOUNDS_MAX];
	uint64_t rows_at, kept_at, used_at, lines_at, line_size;
	_Alignas(STATS_MAP_LINE) _Atomic uint64_t next_id;   /* stats_next_id */
	_Alignas(STATS_MAP_LINE) _Atomic uint64_t nkept;     /* samples ever taken */
};

struct stats_map_row {
	char name[40], key[16], value[32], help[80];   /* each with a NUL */
	uint32_t kind;                    /* 'C' and so on */
	uint32_t cell;                    /* its first */
	uint32_t width;                   /* how many */
	uint32_t rate;                    /* its place in a sample, R only */
};

struct stats_map_kept {
	_Atomic uint64_t at_ms;           /* monotonic; 0 it is being written */
	_Atomic uint64_t value[STATS_MAP_RATES_MAX];
};

#endif
