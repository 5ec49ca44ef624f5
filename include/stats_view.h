/* stats_view.h - the table of counters of a running program, for a reader.
 *
 * The table may be another version's, and changes while it is read; it may
 * come from somebody who wants the reader harm. All that places and sizes
 * depend on is copied and checked once; values are just numbers. Texts are
 * printable ASCII without quotes and backslashes, or the table is refused.
 * Pure: no descriptor, no clock, no log. */
#ifndef ESETS_STATS_VIEW_H
#define ESETS_STATS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_VIEW_BOUNDS_MAX 32u
#define STATS_VIEW_SIZE_MAX ((size_t)256 << 20)

struct stats_view;

struct stats_view_row {
	char name[40];               /* "sessions_total", without the program's name */
	char key[16], value[32];     /* of its label, "" none */
	char help[80];
	char kind;                   /* see stats.h */
	uint32_t cell, width, rate;
};

struct stats_view_times {            /* a histogram */
	uint64_t bucket[STATS_VIEW_BOUNDS_MAX + 1];
	uint64_t count, sum_us;
};

/* map: size octets, 8-aligned, that stay as long as the view and never shrink.
 * NULL, and why not. */
struct stats_view *stats_view_new(const void *map, size_t size, const char **why_out);
void stats_view_free(struct stats_view **v);

const char *stats_view_program(const struct stats_view *v);
const char *stats_view_version(const struct stats_view *v);
uint64_t stats_view_pid(const struct stats_view *v);
uint64_t stats_view_start_s(const struct stats_view *v);   /* unix time */

/* Row i, NULL behind the last. Rows of one name follow each other. */
const struct stats_view_row *stats_view_row(const struct stats_view *v, size_t i);
/* The row of that name and label value ("" none, or any: the first), or NULL. */
const struct stats_view_row *stats_view_find(const struct stats_view *v, const char *name,
	const char *value);
/* Its value now; of a histogram the number of times. r NULL: 0. */
uint64_t stats_view_value(const struct stats_view *v, const struct stats_view_row *r);
/* How much a row of kind R grew in a second, over the last minute or since the
 * start; -1 not known. now_ms: CLOCK_MONOTONIC. */
double stats_view_rate(const struct stats_view *v, const struct stats_view_row *r,
	long long now_ms);
void stats_view_times(const struct stats_view *v, const struct stats_view_row *r,
	struct stats_view_times *out);
/* Upper ends of the buckets but the last, which has none. */
const uint64_t *stats_view_bounds_us(const struct stats_view *v, unsigned *n_out);
/* The time below which that part of all lies, 0 < part < 1, drawn as a line
 * within its bucket; -1 there were none. What is beyond the last bound is told
 * as that bound. */
double stats_view_quantile_us(const struct stats_view *v, const struct stats_view_times *t,
	double part);

#endif
