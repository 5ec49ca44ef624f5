/* check_stats.c - counters shared by processes and threads. */
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stats_view.h"
#include "unit.h"

#define SLOTS 3
#define THREADS 4
#define ROUNDS 5000

static unsigned g_slot;

static void *adder(void *arg)
{
	stats_thread(g_slot, (unsigned)(size_t)arg);
	for (int i = 0; i < ROUNDS; i++) {
		stats_add(ST_SESSIONS, 1);
		stats_add(ST_SESSIONS_OPEN, 3);
		stats_sub(ST_SESSIONS_OPEN, 2);
	}
	return NULL;
}

static void run_worker(unsigned slot)
{
	pthread_t t[THREADS];

	g_slot = slot;
	stats_slot_begin(slot);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, adder, (void *)i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void in_child(void (*fn)(unsigned), unsigned arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(test_sums)
{
	const uint64_t one = (uint64_t)THREADS * ROUNDS;

	ck_assert_int_eq(stats_init(STATS_AGENT, SLOTS, THREADS), 0);
	in_child(run_worker, 0);
	in_child(run_worker, 2);
	ck_assert_uint_eq(stats_sum(ST_SESSIONS), 2 * one);
	ck_assert_uint_eq(stats_slot_sum(ST_SESSIONS, 0), one);
	ck_assert_uint_eq(stats_slot_sum(ST_SESSIONS, 1), 0);
	ck_assert_uint_eq(stats_slot_sum(ST_SESSIONS, 2), one);
	ck_assert_uint_eq(stats_sum(ST_SESSIONS_OPEN), 2 * one);
	ck_assert_uint_eq(stats_sum(ST_MSGS), 0);
	/* A new worker in slot 0: what it counted stays, what was open is not. */
	in_child(stats_slot_begin, 0);
	ck_assert_uint_eq(stats_sum(ST_SESSIONS), 2 * one);
	ck_assert_uint_eq(stats_slot_sum(ST_SESSIONS_OPEN, 0), 0);
	ck_assert_uint_eq(stats_sum(ST_SESSIONS_OPEN), one);
}
END_TEST

/* A gauge raised on one thread and lowered on another sums up to nothing. */
START_TEST(test_gauge_across_threads)
{
	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 2), 0);
	stats_thread(0, 0);
	stats_add(ST_SPOOL_MEMORY, 1000);
	stats_thread(0, 1);
	stats_sub(ST_SPOOL_MEMORY, 1000);
	ck_assert_uint_eq(stats_sum(ST_SPOOL_MEMORY), 0);
}
END_TEST

START_TEST(test_private)
{
	stats_add(ST_MSGS, 5); /* before stats_init */
	ck_assert_uint_eq(stats_sum(ST_MSGS), 0);
	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	stats_add(ST_MSGS, 5); /* a thread without a line */
	stats_thread(1, 0);
	stats_add(ST_MSGS, 5); /* beyond the table */
	stats_thread(0, 1);
	stats_add(ST_MSGS, 5);
	stats_slot_begin(7);
	ck_assert_uint_eq(stats_sum(ST_MSGS), 0);
	ck_assert_uint_eq(stats_slot_sum(ST_MSGS, 7), 0);
	stats_thread(0, 0);
	stats_add(ST_MSGS, 5);
	ck_assert_uint_eq(stats_sum(ST_MSGS), 5);
}
END_TEST

START_TEST(test_too_large)
{
	ck_assert_int_eq(stats_init(STATS_AGENT, UINT_MAX, UINT_MAX), -1);
	ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

#define IDS 500
static int g_pipe[2];

static void send_ids(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t id = stats_next_id();
		if (write(g_pipe[1], &id, sizeof id) != (ssize_t)sizeof id)
			_exit(1);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	x = *(const uint64_t *)a;
	y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

START_TEST(test_next_id)
{
	static uint64_t ids[3 * IDS];

	if (_i == 1)
		ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	ck_assert_int_eq(pipe(g_pipe), 0);
	uint64_t first = stats_next_id();
	ck_assert_uint_ge(first >> 16, (uint64_t)time(NULL) - 10);
	ck_assert_uint_le(first >> 16, (uint64_t)time(NULL));
	if (_i == 0) { /* without a table: one process */
		ck_assert_uint_eq(stats_next_id(), first + 1);
		return;
	}
	for (int i = 0; i < 3; i++)
		in_child(send_ids, IDS);
	ck_assert_int_eq(read(g_pipe[0], ids, sizeof ids), (int)sizeof ids);
	qsort(ids, 3 * IDS, sizeof ids[0], by_value);
	for (uint64_t i = 0; i < 3 * IDS; i++)
		ck_assert_uint_eq(ids[i], first + 1 + i);
}
END_TEST

/* --- what a reader sees --------------------------------------------------- */

static struct stats_view *view(void)
{
	const char *why;
	struct stat st;

	ck_assert_int_eq(fstat(stats_fd(), &st), 0);
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, stats_fd(), 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	struct stats_view *v = stats_view_new(map, (size_t)st.st_size, &why);
	ck_assert_msg(v != NULL, "%s", why);
	return v;
}

static uint64_t seen(const struct stats_view *v, const char *name, const char *value)
{
	const struct stats_view_row *r = stats_view_find(v, name, value);

	ck_assert_msg(r != NULL, "%s %s", name, value);
	return stats_view_value(v, r);
}

/* Nobody who is given the table can change it, or make it shorter. */
START_TEST(test_sealed)
{
	struct stat st;

	ck_assert_int_eq(stats_init(STATS_AGENT, SLOTS, THREADS), 0);
	ck_assert_int_eq(fstat(stats_fd(), &st), 0);
	const size_t n = (size_t)st.st_size;
	ck_assert_ptr_eq(mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, stats_fd(), 0),
		MAP_FAILED);
	void *map = mmap(NULL, n, PROT_READ, MAP_SHARED, stats_fd(), 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mprotect(map, n, PROT_READ | PROT_WRITE), -1);
	munmap(map, n);
	ck_assert_int_eq(write(stats_fd(), "x", 1), -1);
	ck_assert_int_eq(ftruncate(stats_fd(), 0), -1);
	ck_assert_int_eq(fallocate(stats_fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		(off_t)n), -1);
	ck_assert_int_eq(fcntl(stats_fd(), F_ADD_SEALS, F_SEAL_WRITE), -1);
	stats_thread(0, 0);
	stats_add(ST_MSGS, 1); /* ours still can */
	ck_assert_uint_eq(stats_sum(ST_MSGS), 1);
}
END_TEST

START_TEST(test_view)
{
	ck_assert_int_eq(stats_init(STATS_AGENT, SLOTS, THREADS), 0);
	struct stats_view *v = view();
	const uint64_t one = (uint64_t)THREADS * ROUNDS;

	ck_assert_str_eq(stats_view_program(v), "esets_smtp");
	ck_assert_uint_eq(stats_view_pid(v), (uint64_t)getpid());
	ck_assert_uint_le(stats_view_start_s(v), (uint64_t)time(NULL));
	in_child(run_worker, 0);
	in_child(run_worker, 2);
	ck_assert_uint_eq(seen(v, "connections_total", ""), 2 * one);
	ck_assert_uint_eq(seen(v, "sessions_open", ""), 2 * one);
	stats_slot_end(2); /* it was killed: what it counted stays, its sessions are gone */
	ck_assert_uint_eq(seen(v, "connections_total", ""), 2 * one);
	ck_assert_uint_eq(seen(v, "sessions_open", ""), one);
	stats_parent_add(ST_RESTARTS, 2);
	stats_parent_set(ST_WORKERS_LEAVING, 7);
	ck_assert_uint_eq(seen(v, "worker_restarts_total", ""), 2);
	ck_assert_uint_eq(seen(v, "workers", "leaving"), 7);
	ck_assert_uint_eq(seen(v, "workers", "running"), 0);
	ck_assert_uint_eq(seen(v, "start_time_seconds", ""), stats_view_start_s(v));
	/* Not the other program's. */
	ck_assert_ptr_null(stats_view_find(v, "requests_total", ""));
	ck_assert_ptr_null(stats_view_find(v, "messages_total", "nonsense"));
	/* A gauge that is read while it moves from line to line is not below 0. */
	stats_thread(1, 0);
	stats_sub(ST_SPOOL_FILES, 1);
	ck_assert_uint_eq(seen(v, "spool_files", ""), 0);
	stats_view_free(&v);
	ck_assert_ptr_null(v);
}
END_TEST

/* In a worker a thread without a line of its own writes to nobody's. */
static void counts_nowhere(unsigned slot)
{
	stats_slot_begin(slot);
	stats_add(ST_MSGS, 1000);
}

START_TEST(test_forked_line)
{
	ck_assert_int_eq(stats_init(STATS_AGENT, 2, 2), 0);
	stats_thread(0, 1);
	stats_add(ST_MSGS, 1);
	in_child(counts_nowhere, 1);
	ck_assert_uint_eq(stats_sum(ST_MSGS), 1);
}
END_TEST

/* What workers of the newest generation say holds, and of those the highest. */
START_TEST(test_states)
{
	ck_assert_int_eq(stats_init(STATS_DAEMON, 3, 1), 0);
	struct stats_view *v = view();

	ck_assert_uint_eq(seen(v, "engine_up", "clamd"), 0);
	stats_thread(0, 0);
	stats_state(ST_ENGINE_UP_CLAMD, 1);
	stats_state(ST_ENGINE_DATA_CLAMD, 1763596800);
	stats_thread(1, 0);
	stats_state(ST_ENGINE_UP_CLAMD, 0);
	ck_assert_uint_eq(seen(v, "engine_up", "clamd"), 1);
	ck_assert_uint_eq(seen(v, "engine_data_time_seconds", "clamd"), 1763596800);
	ck_assert_uint_eq(seen(v, "engine_up", "spamd"), 0);
	stats_parent_generation();
	stats_thread(2, 0);
	stats_state(ST_ENGINE_UP_CLAMD, 0);
	ck_assert_uint_eq(seen(v, "engine_up", "clamd"), 0);
	stats_slot_end(2); /* it died: the old ones' word again */
	ck_assert_uint_eq(seen(v, "engine_up", "clamd"), 1);
	stats_parent_state(ST_ENGINE_UP, 1);
	ck_assert_uint_eq(seen(v, "engine_up", "builtin"), 1);
	stats_view_free(&v);
}
END_TEST

START_TEST(test_times)
{
	struct stats_view_times t;
	unsigned n;

	ck_assert_int_eq(stats_init(STATS_AGENT, 2, 2), 0);
	struct stats_view *v = view();
	const struct stats_view_row *r = stats_view_find(v, "scan_seconds", "");
	const uint64_t *bounds = stats_view_bounds_us(v, &n);
	ck_assert_uint_eq(n + 1, STATS_BUCKETS);
	ck_assert_uint_eq(bounds[0], 100);
	ck_assert_uint_eq(bounds[n - 1], 500000000);
	stats_view_times(v, r, &t);
	ck_assert_uint_eq(t.count, 0);
	ck_assert(stats_view_quantile_us(v, &t, 0.5) < 0);
	stats_thread(0, 0);
	for (int i = 0; i < 50; i++)
		stats_time(ST_SCAN_TIME, 100);     /* a bound belongs to its bucket */
	stats_thread(1, 1);
	for (int i = 0; i < 49; i++)
		stats_time(ST_SCAN_TIME, 101);
	stats_time(ST_SCAN_TIME, 1LL << 40);
	stats_view_times(v, r, &t);
	ck_assert_uint_eq(t.count, 100);
	ck_assert_uint_eq(stats_view_value(v, r), 100);
	ck_assert_uint_eq(t.sum_us, 50 * 100 + 49 * 101 + (1ULL << 40));
	ck_assert_uint_eq(t.bucket[0], 50);
	ck_assert_uint_eq(t.bucket[1], 49);
	ck_assert_uint_eq(t.bucket[n], 1);
	ck_assert(fabs(stats_view_quantile_us(v, &t, 0.25) - 50) < 0.001);
	ck_assert(fabs(stats_view_quantile_us(v, &t, 0.5) - 100) < 0.001);
	ck_assert(fabs(stats_view_quantile_us(v, &t, 0.99) - 200) < 0.001);
	ck_assert(fabs(stats_view_quantile_us(v, &t, 0.999) - 5e8) < 0.001);
	stats_time(ST_SERVER_TIME, -5); /* a clock that went back */
	stats_view_times(v, stats_view_find(v, "server_seconds", ""), &t);
	ck_assert_uint_eq(t.bucket[0], 1);
	ck_assert_uint_eq(t.sum_us, 0);
	stats_view_times(v, stats_view_find(v, "message_seconds", ""), &t);
	ck_assert_uint_eq(t.count, 0);
	stats_view_free(&v);
}
END_TEST

/* Over a minute and no longer. */
START_TEST(test_rates)
{
	const long long start = 5000000;

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	struct stats_view *v = view();
	const struct stats_view_row *r = stats_view_find(v, "messages_received_total", "");
	ck_assert(stats_view_rate(v, r, start) < 0); /* nothing to compare with */
	stats_thread(0, 0);
	stats_add(ST_MSGS, 1000); /* long ago */
	for (long long s = 0; s <= 600; s++) {
		stats_parent_tick(start + 1000 * s);
		if (s == 30)
			ck_assert(fabs(stats_view_rate(v, r, start + 1000 * s) - 2) < 0.001);
		stats_add(ST_MSGS, s < 300 ? 2 : 5);
	}
	double rate = stats_view_rate(v, r, start + 600500);
	ck_assert_msg(fabs(rate - 5) < 0.1, "%f", rate);
	ck_assert(stats_view_rate(v, r, 0) < 0);
	ck_assert(stats_view_rate(v, r, 1000) < 0); /* another clock */
	ck_assert(stats_view_rate(v, stats_view_find(v, "spool_files", ""), start + 600500) < 0);
	ck_assert(stats_view_rate(v, NULL, start + 600500) < 0);
	stats_view_free(&v);
}
END_TEST

static bool is_word(const char *s)
{
	return s[0] != '\0' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool ends_in(const char *s, const char *end)
{
	const size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

/* Names are fit for Prometheus: words, counters end in _total and nothing else
 * does; rows of one name stand together, with one help and label and different
 * values. And the manual has each. */
START_TEST(test_names)
{
	static char page[300000];
	const struct stats_view_row *r, *next;
	const char *dir = getenv("srcdir");
	char path[1000];

	snprintf(path, sizeof path, "%s/man/%s", dir != NULL ? dir : ".",
		_i == 0 ? "esets_smtp.1" : "esets_daemon.8");
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	page[fread(page, 1, sizeof page - 1, f)] = '\0';
	fclose(f);
	ck_assert_int_eq(stats_init(_i == 0 ? STATS_AGENT : STATS_DAEMON, 1, 1), 0);
	struct stats_view *v = view();
	for (size_t i = 0; (r = stats_view_row(v, i)) != NULL; i++) {
		ck_assert_msg(is_word(r->name) && r->help[0] != '\0', "%s", r->name);
		ck_assert_msg((r->key[0] == '\0') == (r->value[0] == '\0'), "%s", r->name);
		ck_assert_msg(r->key[0] == '\0' || is_word(r->key), "%s", r->name);
		ck_assert_msg((r->kind == 'C' || r->kind == 'R') == ends_in(r->name, "_total"), "%s",
			r->name);
		ck_assert_msg(r->kind != 'H' || ends_in(r->name, "_seconds"), "%s", r->name);
		ck_assert_msg(strstr(page, r->name) != NULL, "%s is not in %s", r->name, path);
		for (size_t k = i + 1; (next = stats_view_row(v, k)) != NULL; k++) {
			if (strcmp(next->name, r->name) != 0)
				continue;
			ck_assert_str_eq(next->help, r->help);
			ck_assert_str_eq(next->key, r->key);
			ck_assert_str_ne(next->value, r->value);
			ck_assert_str_eq(stats_view_row(v, k - 1)->name, r->name);
		}
	}
	stats_view_free(&v);
}
END_TEST

/* --- what is no table, or a hostile one ----------------------------------- */

/* A copy of a real table in memory of exactly its size. */
static unsigned char *copy_of(size_t *n_out)
{
	struct stat st;

	ck_assert_int_eq(fstat(stats_fd(), &st), 0);
	*n_out = (size_t)st.st_size;
	unsigned char *p = aligned_alloc(64, *n_out);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(pread(stats_fd(), p, *n_out, 0), (ssize_t)*n_out);
	return p;
}

/* Everything that can be asked. */
static void read_all(const struct stats_view *v)
{
	struct stats_view_times t;
	const struct stats_view_row *r;

	for (size_t i = 0; (r = stats_view_row(v, i)) != NULL; i++) {
		ck_assert_uint_lt(strlen(r->name) + strlen(r->help), 200);
		stats_view_value(v, r);
		stats_view_rate(v, r, 1 << 30);
		stats_view_times(v, r, &t);
		stats_view_quantile_us(v, &t, 0.9);
	}
}

START_TEST(test_hostile)
{
	const char *why = NULL;
	size_t n;
	unsigned refused = 0;

	ck_assert_int_eq(stats_init(STATS_AGENT, 2, 2), 0);
	in_child(run_worker, 1); /* writes beyond its two threads, as far as they go */
	unsigned char *good = copy_of(&n), *p = aligned_alloc(64, n);
	for (size_t k = 0; k < n; k += k < 1024 ? 1 : 997) { /* cut short */
		unsigned char *part = malloc(k + 1);
		memcpy(part, good, k);
		struct stats_view *v = stats_view_new(part, k, &why);
		ck_assert_msg(v == NULL && why != NULL, "%zu", k);
		free(part);
	}
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff, '"', 8 };
		memcpy(p, good, n);
		/* Mostly in the head, where places and sizes are. */
		for (long k = random() % 3; k >= 0; k--)
			p[(size_t)random() % (i % 3 != 0 ? 400 : n)] =
				values[(size_t)random() % sizeof values];
		struct stats_view *v = stats_view_new(p, n, &why);
		refused += v == NULL;
		ck_assert(v != NULL || why != NULL);
		if (v != NULL)
			read_all(v);
		stats_view_free(&v);
	}
	ck_assert_uint_gt(refused, 1000);
	free(good);
	free(p);
}
END_TEST

START_TEST(test_other_format)
{
	const char *why = NULL;
	size_t n;

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	unsigned char *p = copy_of(&n);
	p[8]++; /* format */
	ck_assert_ptr_null(stats_view_new(p, n, &why));
	ck_assert_msg(strstr(why, "version") != NULL, "%s", why);
	free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats");
	TCase *t = tcase_create("stats");
	tcase_add_test(t, test_sums);
	tcase_add_test(t, test_gauge_across_threads);
	tcase_add_test(t, test_private);
	tcase_add_test(t, test_too_large);
	tcase_add_loop_test(t, test_next_id, 0, 2);
	tcase_add_test(t, test_sealed);
	tcase_add_test(t, test_view);
	tcase_add_test(t, test_forked_line);
	tcase_add_test(t, test_states);
	tcase_add_test(t, test_times);
	tcase_add_test(t, test_rates);
	tcase_add_loop_test(t, test_names, 0, 2);
	tcase_add_test(t, test_hostile);
	tcase_add_test(t, test_other_format);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return unit_run(s);
}
