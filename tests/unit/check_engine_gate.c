/* check_engine_gate.c - cells of scans at external engines: who holds one, and
 * what becomes of those that nobody alive holds. */
#include "engine_gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define MAX 8

static const unsigned gate = ENGINE_GATE_SPAMD + 1;

static void setup(void)
{
	ck_assert_int_eq(engine_gate_init(), 0);
	engine_gate_use(gate, MAX);
	engine_gate_started(0);
	engine_gate_started(1);
}

/* As a worker would, all of them or so many. */
static unsigned take(unsigned slot, unsigned n)
{
	unsigned got = 0;

	engine_gate_worker(slot);
	while (got < n && engine_gate_enter(gate, MAX) >= 0)
		got++;
	return got;
}

START_TEST(cells_are_counted)
{
	engine_gate_worker(0);
	for (int i = 0; i < MAX; i++)
		ck_assert_int_eq(engine_gate_enter(gate, MAX), i);
	ck_assert_int_eq(engine_gate_enter(gate, MAX), -1);
	ck_assert_int_eq(engine_gate_enter(gate + 1, MAX), 0); /* another gate */
	engine_gate_leave(gate, 3);
	ck_assert_int_eq(engine_gate_enter(gate, MAX), 3);
}
END_TEST

/* Also by a child, which is killed with its cells in hand. */
START_TEST(the_dead_hold_none)
{
	ck_assert_uint_eq(take(0, 3), 3);
	pid_t pid = fork();
	if (pid == 0)
		_exit(take(1, MAX) == MAX - 3 ? 0 : 1);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(take(0, 1), 0);
	engine_gate_ended(1);
	ck_assert_uint_eq(take(0, MAX), MAX - 3);
}
END_TEST

/* A worker that strangers have taken may write what it likes. What it wrote is
 * gone with it, or with the one in whose name it was. */
START_TEST(names_of_nobody)
{
	static const unsigned names[] = { 5, ENGINE_GATE_SLOTS - 1, ENGINE_GATE_SLOTS, 70000,
		(unsigned)-2 };

	ck_assert_uint_eq(take(0, 2), 2);
	ck_assert_uint_eq(take(1, 1), 1);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_uint_eq(take(names[i], 1), 1);
	ck_assert_uint_eq(take(0, 1), 0);
	engine_gate_ended(1);
	ck_assert_uint_eq(take(1, MAX), MAX - 2); /* what is of 0 stays */
	engine_gate_started(1);
	engine_gate_ended(0);
	ck_assert_uint_eq(take(0, MAX), 2);
}
END_TEST

/* Nor does what it wrote in the name of one that lives on. */
START_TEST(names_of_another)
{
	ck_assert_uint_eq(take(0, 2), 2);
	pid_t pid = fork();
	if (pid == 0)
		_exit(take(0, MAX) == MAX - 2 ? 0 : 1);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	engine_gate_ended(1);
	ck_assert_uint_eq(take(0, 1), 0);
	engine_gate_worker(1);
	engine_gate_sweep(gate, MAX); /* none of its own */
	ck_assert_uint_eq(take(0, 1), 0);
	engine_gate_sweep(gate, MAX);
	ck_assert_uint_eq(take(0, MAX), MAX - 2);
	engine_gate_sweep(gate, MAX);
	ck_assert_uint_eq(take(0, 1), 0);
	engine_gate_leave(gate, 0);
	ck_assert_uint_eq(take(0, 2), 1);
}
END_TEST

/* engine_max_scans was more before a reload: its cells are looked at as well. */
START_TEST(cells_of_before)
{
	ck_assert_uint_eq(take(1, MAX), MAX);
	engine_gate_use(gate, 2);
	engine_gate_ended(1);
	ck_assert_uint_eq(take(0, MAX), MAX);
}
END_TEST

#define ROUNDS 300000

static _Atomic int at_work, most_at_work;
static _Atomic bool is_over;

static void *scan_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int cell = engine_gate_enter(gate, 1);
		if (cell < 0)
			continue;
		int n = atomic_fetch_add(&at_work, 1) + 1;
		if (n > atomic_load(&most_at_work))
			atomic_store(&most_at_work, n);
		for (int k = 0; k < 100; k++)
			atomic_load(&is_over); /* long enough for another to be seen */
		atomic_fetch_sub(&at_work, 1);
		engine_gate_leave(gate, cell);
	}
	return NULL;
}

static void *sweep_always(void *arg)
{
	(void)arg;
	while (!atomic_load(&is_over))
		engine_gate_sweep(gate, 1);
	return NULL;
}

/* A cell is not freed under one who has just taken it. */
START_TEST(sweeping_while_others_work)
{
	pthread_t scans[3], sweeper;

	engine_gate_worker(0);
	ck_assert_int_eq(pthread_create(&sweeper, NULL, sweep_always, NULL), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&scans[i], NULL, scan_often, NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(scans[i], NULL);
	atomic_store(&is_over, true);
	pthread_join(sweeper, NULL);
	ck_assert_int_eq(most_at_work, 1);
	ck_assert_int_eq(engine_gate_enter(gate, 1), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_gate");
	TCase *t = tcase_create("engine_gate");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, cells_are_counted);
	tcase_add_test(t, the_dead_hold_none);
	tcase_add_test(t, names_of_nobody);
	tcase_add_test(t, names_of_another);
	tcase_add_test(t, cells_of_before);
	tcase_add_test(t, sweeping_while_others_work);
	suite_add_tcase(s, t);
	return unit_run(s);
}
