/* check_clients.c - sessions per client, counted by workers of which one may be
 * somebody else's. */
#include "clients.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct net_addr one = { .family = AF_INET, .ip = { 192, 0, 2, 1 } };
static const struct net_addr another = { .family = AF_INET, .ip = { 192, 0, 2, 2 } };

START_TEST(counts_over_all_slots)
{
	struct clients *c = clients_new(3);

	ck_assert_uint_eq(clients_add(c, 0, &one), 1);
	ck_assert_uint_eq(clients_add(c, 2, &one), 2);
	ck_assert_uint_eq(clients_add(c, 1, &another), 1);
	clients_sub(c, 0, &one);
	ck_assert_uint_eq(clients_add(c, 1, &one), 2);
	clients_slot_begin(c, 1);
	ck_assert_uint_eq(clients_add(c, 0, &one), 2);
	clients_free(&c);
	ck_assert_ptr_null(c);
}
END_TEST

/* All memory that it shares with others, but the test's own. */
static void fill_shared(size_t size)
{
	unsigned long from, to;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%lx-%lx rw-s", &from, &to) == 2 && strstr(line, "rw-s") != NULL &&
		    to - from >= size)
			memset((void *)from, 0xff, to - from); /* NOLINT(performance-no-int-to-ptr) */
	}
	if (f != NULL)
		fclose(f);
}

START_TEST(hostile_worker)
{
	const size_t rows = 2 * 65536 * sizeof(uint16_t);
	struct clients *c = clients_new(2);
	int status;

	ck_assert_uint_eq(clients_add(c, 0, &one), 1);
	pid_t pid = fork();
	if (pid == 0) {
		fill_shared(rows);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	/* Wrong, but a number of two rows. */
	ck_assert_uint_le(clients_add(c, 0, &one), 2 * 65535);
	clients_slot_begin(c, 0);
	clients_slot_begin(c, 1);
	ck_assert_uint_eq(clients_add(c, 0, &one), 1);
	clients_free(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clients");
	TCase *t = tcase_create("all");

	tcase_add_test(t, counts_over_all_slots);
	tcase_add_test(t, hostile_worker);
	suite_add_tcase(s, t);
	return unit_run(s);
}
