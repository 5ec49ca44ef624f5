/* check_slab.c - slab.c: no two things share an octet, and memory comes back. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slab.h"
#include "unit.h"

#define MANY 3000

static struct slab slab;
static unsigned char *things[MANY];

/* Resident octets of this process. */
static long resident(void)
{
	long size, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_int_eq(fscanf(f, "%ld %ld", &size, &pages), 2);
	fclose(f);
	return pages * 4096;
}

static bool is_filled(const unsigned char *p, size_t size, int with)
{
	return p[0] == with && memcmp(p, p + 1, size - 1) == 0;
}

static void take(size_t i, size_t size)
{
	things[i] = slab_take(&slab);
	ck_assert_ptr_nonnull(things[i]);
	ck_assert_uint_eq((uintptr_t)things[i] % 16, 0);
	ck_assert(is_filled(things[i], size, 0));
	memset(things[i], (int)(i % 251) + 1, size);
}

static void give(size_t i, size_t size)
{
	ck_assert(is_filled(things[i], size, (int)(i % 251) + 1));
	slab_give(&slab, things[i]);
	things[i] = NULL;
}

static const size_t sizes[] = { 1, 8, 100, 1000, 5000, SLAB_SIZE_MAX };

START_TEST(things_do_not_touch)
{
	const size_t size = sizes[_i];

	srandom(5);
	slab_init(&slab, size);
	for (int round = 0; round < 4 * MANY; round++) {
		size_t i = (size_t)random() % (size > 4096 ? 100 : MANY);
		if (things[i] == NULL)
			take(i, size);
		else
			give(i, size);
	}
	for (size_t i = 0; i < MANY; i++)
		if (things[i] != NULL)
			give(i, size);
	slab_fini(&slab);
}
END_TEST

/* With something on the heap between any two, as it is in a storm. */
START_TEST(memory_comes_back)
{
	static void *others[MANY];

	slab_init(&slab, 1000);
	const long before = resident();
	for (size_t i = 0; i < MANY; i++) {
		take(i, 1000);
		others[i] = malloc(32);
	}
	ck_assert_int_gt(resident() - before, 2500000);
	for (size_t i = 0; i < MANY; i++)
		give(i, 1000);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which keep it */
	ck_assert_int_lt(resident() - before, 500000);
#endif
	for (size_t i = 0; i < MANY; i++)
		free(others[i]);
	slab_fini(&slab);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slab");
	TCase *tc = tcase_create("slab");

	tcase_add_loop_test(tc, things_do_not_touch, 0, sizeof sizes / sizeof *sizes);
	tcase_add_test(tc, memory_comes_back);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
