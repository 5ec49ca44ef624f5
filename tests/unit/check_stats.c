/* check_stats.c - counters shared by processes and threads. */
#include "stats.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

	ck_assert_int_eq(stats_init(SLOTS, THREADS), 0);
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
	ck_assert_int_eq(stats_init(1, 2), 0);
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
	ck_assert_int_eq(stats_init(1, 1), 0);
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
	ck_assert_int_eq(stats_init(UINT_MAX, UINT_MAX), -1);
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
		ck_assert_int_eq(stats_init(1, 1), 0);
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

int main(void)
{
	Suite *s = suite_create("stats");
	TCase *t = tcase_create("stats");
	tcase_add_test(t, test_sums);
	tcase_add_test(t, test_gauge_across_threads);
	tcase_add_test(t, test_private);
	tcase_add_test(t, test_too_large);
	tcase_add_loop_test(t, test_next_id, 0, 2);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
