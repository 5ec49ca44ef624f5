/* stats_view.c - the table of counters for a reader, see stats_view.h.
 *
 * Head and rows are copied before they are checked, so that nobody changes
 * them behind the check; the number of threads of a slot, which changes, is
 * bounded each time it is read. */
#include "stats_view.h"

#include <stdlib.h>
#include <string.h>

#include "stats_map.h"

#define ROWS_MAX 4096u
#define CELLS_MAX 16384u

struct stats_view {
	struct stats_map_head head;
	const unsigned char *map;
	size_t nrows;
	struct stats_view_row rows[];
};

/* --- what is told is checked --------------------------------------------- */

static bool is_text(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	for (size_t i = 0; i < n; i++) {
		if (s[i] < 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\')
			return false;
	}
	return n < size;
}

/* n pieces of that size from at on, each 8-aligned, lie in the table. */
static bool has_room(size_t size, uint64_t at, uint64_t n, uint64_t each)
{
	return at <= size && at % 8 == 0 && each % 8 == 0 && each > 0 && n <= (size - at) / each;
}

static bool is_good_head(const struct stats_map_head *h, size_t size)
{
	if (h->nrows > ROWS_MAX || h->ncells > CELLS_MAX || h->nbounds > STATS_MAP_BOUNDS_MAX ||
	    h->row_size != sizeof(struct stats_map_row) || h->nslots > UINT32_MAX / 2 ||
	    (h->nslots > 0 && h->nthreads > UINT32_MAX / h->nslots) ||
	    h->line_size / 8 < h->ncells)
		return false;
	for (unsigned i = 1; i < h->nbounds; i++) {
		if (h->bounds_us[i] <= h->bounds_us[i - 1])
			return false;
	}
	return is_text(h->program, sizeof h->program) && is_text(h->version, sizeof h->version) &&
		has_room(size, h->rows_at, h->nrows, sizeof(struct stats_map_row)) &&
		has_room(size, h->kept_at, STATS_MAP_KEPT, sizeof(struct stats_map_kept)) &&
		h->used_at % 8 == 0 && h->used_at <= size &&
		h->nslots <= (size - h->used_at) / sizeof(uint32_t) &&
		has_room(size, h->lines_at, 1 + (uint64_t)h->nslots * h->nthreads, h->line_size);
}

static bool is_good_row(const struct stats_map_row *r, const struct stats_map_head *h)
{
	const uint32_t width = r->kind == 'H' ? h->nbounds + 2 : 1;

	return is_text(r->name, sizeof r->name) && is_text(r->key, sizeof r->key) &&
		is_text(r->value, sizeof r->value) && is_text(r->help, sizeof r->help) &&
		r->kind != 0 && r->kind <= 'Z' && strchr("CRGNH", (int)r->kind) != NULL &&
		r->width == width && r->cell < h->ncells && width <= h->ncells - r->cell &&
		r->rate < STATS_MAP_RATES_MAX;
}

static void row_take(struct stats_view_row *to, const struct stats_map_row *r)
{
	memcpy(to->name, r->name, sizeof to->name);
	memcpy(to->key, r->key, sizeof to->key);
	memcpy(to->value, r->value, sizeof to->value);
	memcpy(to->help, r->help, sizeof to->help);
	to->kind = (char)r->kind;
	to->cell = r->cell;
	to->width = r->width;
	to->rate = r->rate;
}

/* NULL, or why this is no table that can be read. */
static const char *head_take(struct stats_map_head *h, const unsigned char *map, size_t size)
{
	if (size < sizeof *h || size > STATS_VIEW_SIZE_MAX)
		return "it is no table of counters";
	memcpy(h, map, sizeof *h);
	if (memcmp(h->magic, STATS_MAP_MAGIC, sizeof h->magic) != 0)
		return "it is no table of counters";
	if (h->format != STATS_MAP_FORMAT || h->head_size != sizeof *h)
		return "the program that runs is of another version, whose table has another form";
	return is_good_head(h, size) ? NULL : "the table of counters is broken";
}

struct stats_view *stats_view_new(const void *map, size_t size, const char **why_out)
{
	struct stats_map_head h;

	*why_out = head_take(&h, map, size);
	if (*why_out != NULL)
		return NULL;
	struct stats_view *v = malloc(sizeof *v + h.nrows * sizeof v->rows[0]);
	if (v == NULL) {
		*why_out = "out of memory";
		return NULL;
	}
	v->head = h;
	v->map = map;
	v->nrows = h.nrows;
	for (size_t i = 0; i < v->nrows; i++) {
		struct stats_map_row r;
		memcpy(&r, v->map + h.rows_at + i * sizeof r, sizeof r);
		if (!is_good_row(&r, &h)) {
			*why_out = "the table of counters is broken";
			stats_view_free(&v);
			return NULL;
		}
		row_take(&v->rows[i], &r);
	}
	return v;
}

void stats_view_free(struct stats_view **v)
{
	free(*v);
	*v = NULL;
}

/* --- who and what -------------------------------------------------------- */

const char *stats_view_program(const struct stats_view *v)
{
	return v->head.program;
}

const char *stats_view_version(const struct stats_view *v)
{
	return v->head.version;
}

uint64_t stats_view_pid(const struct stats_view *v)
{
	return v->head.pid;
}

uint64_t stats_view_start_s(const struct stats_view *v)
{
	return v->head.start_s;
}

const uint64_t *stats_view_bounds_us(const struct stats_view *v, unsigned *n_out)
{
	*n_out = v->head.nbounds;
	return v->head.bounds_us;
}

const struct stats_view_row *stats_view_row(const struct stats_view *v, size_t i)
{
	return i < v->nrows ? &v->rows[i] : NULL;
}

const struct stats_view_row *stats_view_find(const struct stats_view *v, const char *name,
	const char *value)
{
	for (size_t i = 0; i < v->nrows; i++) {
		if (strcmp(v->rows[i].name, name) == 0 &&
		    (value[0] == '\0' || strcmp(v->rows[i].value, value) == 0))
			return &v->rows[i];
	}
	return NULL;
}

/* --- values -------------------------------------------------------------- */

static uint64_t cell_of(const struct stats_view *v, uint64_t line, uint32_t cell)
{
	const unsigned char *p = v->map + v->head.lines_at + line * v->head.line_size + (size_t)8 * cell;

	return atomic_load_explicit((const _Atomic uint64_t *)(const void *)p,
		memory_order_relaxed);
}

static unsigned used_of(const struct stats_view *v, unsigned slot)
{
	const unsigned char *p = v->map + v->head.used_at + sizeof(uint32_t) * slot;
	uint32_t n = atomic_load_explicit((const _Atomic uint32_t *)(const void *)p,
		memory_order_relaxed);

	return n < v->head.nthreads ? n : v->head.nthreads;
}

static uint64_t joined(char kind, uint64_t all, uint64_t one)
{
	if (kind == 'N')
		return all > one ? all : one;
	return all + one;
}

/* A cell of all lines. */
static uint64_t cell_joined(const struct stats_view *v, char kind, uint32_t cell)
{
	uint64_t all = cell_of(v, 0, cell);

	for (unsigned s = 0; s < v->head.nslots; s++) {
		const unsigned n = used_of(v, s);
		for (unsigned t = 0; t < n; t++)
			all = joined(kind, all, cell_of(v, 1 + (uint64_t)s * v->head.nthreads + t,
				cell));
	}
	return kind == 'N' ? all & (((uint64_t)1 << STATS_MAP_STATE_BITS) - 1) : all;
}

void stats_view_times(const struct stats_view *v, const struct stats_view_row *r,
	struct stats_view_times *out)
{
	*out = (struct stats_view_times){ .count = 0 };
	if (r == NULL || r->kind != 'H')
		return;
	for (unsigned i = 0; i <= v->head.nbounds; i++) {
		out->bucket[i] = cell_joined(v, 'H', r->cell + i);
		out->count += out->bucket[i];
	}
	out->sum_us = cell_joined(v, 'H', r->cell + v->head.nbounds + 1);
}

uint64_t stats_view_value(const struct stats_view *v, const struct stats_view_row *r)
{
	struct stats_view_times t;

	if (r == NULL)
		return 0;
	if (r->kind != 'H') {
		uint64_t n = cell_joined(v, r->kind, r->cell);
		/* Lines are not read at one moment: raised here, lowered there. */
		return r->kind == 'G' && n > UINT64_MAX / 2 ? 0 : n;
	}
	stats_view_times(v, r, &t);
	return t.count;
}

/* The oldest sample that is whole. False: none. */
static bool oldest(const struct stats_view *v, uint32_t rate, uint64_t *at_ms, uint64_t *value)
{
	const struct stats_map_kept *kept =
		(const struct stats_map_kept *)(const void *)(v->map + v->head.kept_at);
	bool got = false;

	for (unsigned i = 0; i < STATS_MAP_KEPT; i++) {
		const uint64_t at = atomic_load(&kept[i].at_ms);
		const uint64_t n = atomic_load(&kept[i].value[rate]);
		if (at == 0 || atomic_load(&kept[i].at_ms) != at || (got && at >= *at_ms))
			continue;
		*at_ms = at;
		*value = n;
		got = true;
	}
	return got;
}

double stats_view_rate(const struct stats_view *v, const struct stats_view_row *r,
	long long now_ms)
{
	uint64_t at_ms = 0, was = 0;

	if (r == NULL || r->kind != 'R' || now_ms <= 0 || !oldest(v, r->rate, &at_ms, &was) ||
	    at_ms >= (uint64_t)now_ms)
		return -1;
	const uint64_t is = stats_view_value(v, r);
	return is < was ? -1 : (double)(is - was) * 1000.0 / (double)((uint64_t)now_ms - at_ms);
}

double stats_view_quantile_us(const struct stats_view *v, const struct stats_view_times *t,
	double part)
{
	const double rank = part * (double)t->count;
	double below = 0;

	if (t->count == 0)
		return -1;
	for (unsigned i = 0; i < v->head.nbounds; i++) {
		const double here = (double)t->bucket[i];
		const double low = i > 0 ? (double)v->head.bounds_us[i - 1] : 0;
		if (here > 0 && below + here >= rank)
			return low + ((double)v->head.bounds_us[i] - low) * (rank - below) / here;
		below += here;
	}
	return v->head.nbounds > 0 ? (double)v->head.bounds_us[v->head.nbounds - 1] : -1;
}
