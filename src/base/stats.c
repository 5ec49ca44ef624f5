/* stats.c - counters in memory that all workers share, see stats.h.
 *
 * Owns the shared table and what is written to it. A line has exactly one
 * writer, so adding is a plain load and store, made atomic only so that a
 * reader never sees half a number; lines start on cache lines of their own, or
 * threads would slow each other down. Only lines of threads that there were are
 * summed: the others are not even in memory. Must not log and never fails after
 * the start. What stands in the table may be a hostile worker's: it is no
 * index or size here unless it is bounded first. */
#include "config.h"

#include "stats.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stats_map.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010   /* Linux 5.1; not in older headers */
#endif

#define WHO_A STATS_AGENT
#define WHO_D STATS_DAEMON
#define WHO_B (STATS_AGENT | STATS_DAEMON)
#define WHO_W STATS_WWWI
#define WHO_E (STATS_AGENT | STATS_DAEMON | STATS_WWWI)

struct row {
	const char *name, *key, *value, *help;
	enum stats_id first;
	unsigned width;
	int who;
	char kind;
};

static const struct row rows[] = {
#define X(id, who_, kind_, name_, key_, value_, help_) \
	{ name_, key_, value_, help_, ST_##id, STATS_WIDTH_##kind_, WHO_##who_, #kind_[0] },
	STATS_LIST(X)
#undef X
};
#define NROWS (sizeof rows / sizeof rows[0])

#define FITS(text, field) (sizeof(text) <= sizeof(((struct stats_map_row *)0)->field))
#define X(id, who, kind, n, k, v, h) \
	static_assert(FITS(n, name) && FITS(k, key) && FITS(v, value) && FITS(h, help), "too long");
STATS_LIST(X)
#undef X

static const uint64_t bounds_us[] = {
	100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000,
	1000000, 2000000, 5000000, 10000000, 20000000, 50000000, 100000000, 200000000, 500000000,
};
#define NBOUNDS (sizeof bounds_us / sizeof bounds_us[0])
static_assert(NBOUNDS + 1 == STATS_BUCKETS && NBOUNDS <= STATS_MAP_BOUNDS_MAX, "buckets");

struct line {
	_Alignas(STATS_MAP_LINE) _Atomic uint64_t value[STATS_CELLS];
};

static struct {
	unsigned char *map;
	struct stats_map_head *head;
	struct stats_map_kept *kept;
	_Atomic uint32_t *used;    /* by slot: threads whose lines were used */
	struct line *lines;
	size_t size;
	unsigned slots, threads;
	int who;                   /* enum stats_program */
	int fd;
	uint64_t generation;
	long long kept_ms;
} g = { .fd = -1 };

static _Thread_local struct line t_private;
static _Thread_local struct line *t_line;

/* --- the table ----------------------------------------------------------- */

static uint64_t round_up(uint64_t n)
{
	return (n + STATS_MAP_LINE - 1) / STATS_MAP_LINE * STATS_MAP_LINE;
}

/* Places and sizes; 0, -1 it is too large. */
static int head_make(struct stats_map_head *h, unsigned slots, unsigned threads)
{
	const uint64_t most = SIZE_MAX / 4;

	h->row_size = sizeof(struct stats_map_row);
	h->nslots = slots;
	h->nthreads = threads;
	h->ncells = STATS_CELLS;
	h->line_size = sizeof(struct line);
	h->rows_at = round_up(sizeof *h);
	h->kept_at = round_up(h->rows_at + NROWS * sizeof(struct stats_map_row));
	h->used_at = round_up(h->kept_at + STATS_MAP_KEPT * sizeof(struct stats_map_kept));
	h->lines_at = round_up(h->used_at + slots * sizeof(uint32_t));
	if (threads != 0 && slots >= (most - h->lines_at) / sizeof(struct line) / threads)
		return -1;
	h->size = h->lines_at + (1 + (uint64_t)slots * threads) * sizeof(struct line);
	return 0;
}

/* A memfd of that size, mapped; from now on nobody else can write to it. */
static void *map_new(uint64_t size, int *fd_out)
{
	const int seals = F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	int fd = memfd_create("esets-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED && fcntl(fd, F_ADD_SEALS, seals) == 0) {
		*fd_out = fd;
		return p;
	}
	const int error = errno;
	if (p != MAP_FAILED)
		munmap(p, size);
	if (fd >= 0)
		close(fd);
	errno = error;
	return NULL;
}

/* The rows of this program, so that a reader needs no table of its own. */
static uint32_t rows_write(unsigned char *to, enum stats_program who)
{
	struct stats_map_row *out = (struct stats_map_row *)(void *)to;
	uint32_t n = 0, rates = 0;

	for (size_t i = 0; i < NROWS; i++) {
		const struct row *r = &rows[i];
		if ((r->who & (int)who) == 0)
			continue;
		struct stats_map_row *o = &out[n++];
		strcpy(o->name, r->name); /* they fit, see above */
		strcpy(o->key, r->key);
		strcpy(o->value, r->value);
		strcpy(o->help, r->help);
		o->kind = (unsigned char)r->kind;
		o->cell = r->first;
		o->width = r->width;
		o->rate = r->kind == 'R' ? rates++ : 0;
		assert(rates <= STATS_MAP_RATES_MAX);
	}
	return n;
}

static void forget(void)
{
	if (g.map != NULL)
		munmap(g.map, g.size);
	if (g.fd >= 0)
		close(g.fd);
	t_line = NULL;
}

int stats_init(enum stats_program who, unsigned slots, unsigned threads)
{
	struct stats_map_head h = { .format = STATS_MAP_FORMAT, .head_size = sizeof h,
		.version = PACKAGE_VERSION, .pid = (uint64_t)getpid(),
		.start_s = (uint64_t)time(NULL), .nbounds = NBOUNDS };
	int fd;

	if (head_make(&h, slots, threads) < 0) {
		errno = ENOMEM;
		return -1;
	}
	unsigned char *map = map_new(h.size, &fd);
	if (map == NULL)
		return -1;
	forget();
	memcpy(h.magic, STATS_MAP_MAGIC, sizeof h.magic);
	strcpy(h.program, who == STATS_AGENT ? "esets_smtp" : who == STATS_DAEMON ?
		"esets_daemon" : "esets_wwwi");
	memcpy(h.bounds_us, bounds_us, sizeof bounds_us);
	h.nrows = rows_write(map + h.rows_at, who);
	atomic_init(&h.next_id, h.start_s << 16);
	memcpy(map, &h, sizeof h);
	g.map = map;
	g.size = h.size;
	g.fd = fd;
	g.who = (int)who;
	g.slots = slots;
	g.threads = threads;
	g.head = (struct stats_map_head *)(void *)map;
	g.kept = (struct stats_map_kept *)(void *)(map + h.kept_at);
	g.used = (_Atomic uint32_t *)(void *)(map + h.used_at);
	g.lines = (struct line *)(void *)(map + h.lines_at);
	g.generation = 1;
	g.kept_ms = 0;
	stats_parent_set(ST_START, h.start_s);
	stats_parent_set(ST_CONFIG, h.start_s);
	return 0;
}

int stats_fd(void)
{
	return g.fd;
}

/* --- lines --------------------------------------------------------------- */

static struct line *line_of(unsigned slot, unsigned thread)
{
	if (slot >= g.slots || thread >= g.threads)
		return NULL;
	return &g.lines[1 + (size_t)slot * g.threads + thread];
}

/* Threads of a slot whose lines were used. */
static unsigned used_of(unsigned slot)
{
	unsigned n = slot < g.slots ? atomic_load_explicit(&g.used[slot], memory_order_relaxed) : 0;

	return n < g.threads ? n : g.threads;
}

void stats_slot_end(unsigned slot)
{
	for (unsigned t = 0; t < used_of(slot); t++) {
		for (size_t i = 0; i < NROWS; i++) {
			if (rows[i].kind == 'G' || rows[i].kind == 'N')
				atomic_store_explicit(&line_of(slot, t)->value[rows[i].first], 0,
					memory_order_relaxed);
		}
	}
}

void stats_slot_begin(unsigned slot)
{
	t_line = NULL;
	stats_slot_end(slot);
}

void stats_thread(unsigned slot, unsigned thread)
{
	t_line = line_of(slot, thread);
	if (t_line == NULL)
		return;
	uint32_t was = atomic_load(&g.used[slot]);
	while (was < thread + 1 && !atomic_compare_exchange_weak(&g.used[slot], &was, thread + 1))
		;
}

static struct line *mine(void)
{
	return t_line != NULL ? t_line : &t_private;
}

static void put(struct line *l, enum stats_id id, uint64_t value)
{
	atomic_store_explicit(&l->value[id], value, memory_order_relaxed);
}

static uint64_t get(const struct line *l, enum stats_id id)
{
	return atomic_load_explicit(&l->value[id], memory_order_relaxed);
}

void stats_add(enum stats_id id, uint64_t n)
{
	struct line *l = mine();

	put(l, id, get(l, id) + n);
}

void stats_sub(enum stats_id id, uint64_t n)
{
	stats_add(id, -n); /* modulo 2^64, as the sum over all lines is */
}

void stats_time(enum stats_id id, long long us)
{
	const uint64_t t = us > 0 ? (uint64_t)us : 0;
	unsigned b = 0;

	while (b < NBOUNDS && t > bounds_us[b])
		b++;
	stats_add(stats_nth(id, b), 1);
	stats_add(stats_nth(id, STATS_BUCKETS), t);
}

void stats_state(enum stats_id id, uint64_t value)
{
	put(mine(), id, g.generation << STATS_MAP_STATE_BITS | value);
}

/* --- the parent ---------------------------------------------------------- */

static struct line *parent_line(void)
{
	return g.lines != NULL ? &g.lines[0] : &t_private;
}

void stats_parent_add(enum stats_id id, uint64_t n)
{
	struct line *l = parent_line();

	put(l, id, get(l, id) + n);
}

void stats_parent_set(enum stats_id id, uint64_t value)
{
	put(parent_line(), id, value);
}

void stats_parent_state(enum stats_id id, uint64_t value)
{
	put(parent_line(), id, g.generation << STATS_MAP_STATE_BITS | value);
}

void stats_parent_generation(void)
{
	g.generation++;
}

void stats_parent_tick(long long now_ms)
{
	if (g.head == NULL || (g.kept_ms != 0 && now_ms - g.kept_ms < STATS_MAP_KEEP_MS))
		return;
	g.kept_ms = now_ms;
	uint64_t n = atomic_load_explicit(&g.head->nkept, memory_order_relaxed);
	struct stats_map_kept *k = &g.kept[n % STATS_MAP_KEPT];
	/* A reader that finds the time changed takes another one. */
	atomic_store(&k->at_ms, 0);
	for (size_t i = 0, rate = 0; i < NROWS; i++) {
		if (rows[i].kind == 'R' && (rows[i].who & g.who) != 0)
			atomic_store(&k->value[rate++], stats_sum(rows[i].first));
	}
	atomic_store(&k->at_ms, (uint64_t)now_ms);
	atomic_store(&g.head->nkept, n + 1);
}

/* --- sums ---------------------------------------------------------------- */

uint64_t stats_slot_sum(enum stats_id id, unsigned slot)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < used_of(slot); t++)
		sum += get(line_of(slot, t), id);
	return sum;
}

uint64_t stats_sum(enum stats_id id)
{
	uint64_t sum = g.lines != NULL ? get(&g.lines[0], id) : 0;

	for (unsigned s = 0; s < g.slots; s++)
		sum += stats_slot_sum(id, s);
	return sum;
}

uint64_t stats_next_id(void)
{
	static _Atomic uint64_t lone; /* a program without a table */

	if (g.head != NULL)
		return atomic_fetch_add_explicit(&g.head->next_id, 1, memory_order_relaxed);
	uint64_t zero = 0;
	atomic_compare_exchange_strong(&lone, &zero, (uint64_t)time(NULL) << 16);
	return atomic_fetch_add(&lone, 1);
}
