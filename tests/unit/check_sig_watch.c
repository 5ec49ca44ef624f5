/* check_sig_watch.c - when changed signatures are noticed; the time is made up. */
#include "sig_watch.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[UNIT_PATH_SIZE];
static char sub[UNIT_PATH_SIZE + 8], other[UNIT_PATH_SIZE + 8];
static struct sig_watch w = SIG_WATCH_INIT;

static void in_dir(char out[160], const char *name)
{
	snprintf(out, 160, "%s/%s", sub, name);
}

static void write_file(const char *name)
{
	char path[160];

	in_dir(path, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x\n", 2), 2);
	close(fd);
}

static void rename_file(const char *from, const char *to)
{
	char a[160], b[160];

	in_dir(a, from);
	in_dir(b, to);
	ck_assert_int_eq(rename(a, b), 0);
}

static void remove_file(const char *name)
{
	char path[160];

	in_dir(path, name);
	ck_assert_int_eq(unlink(path), 0);
}

/* Each kind of change, told of once, two seconds after the last one. */
START_TEST(changes)
{
	long long now = 1000;

	ck_assert_int_eq(sig_watch_set(&w, sub, now), 0);
	ck_assert(!sig_watch_is_due(&w, now + 60000));
	for (int kind = 0; kind < 4; kind++) {
		switch (kind) {
		case 0: write_file("a.hdb"); break;
		case 1: write_file("new.tmp"); rename_file("new.tmp", "b.sha256"); break;
		case 2: rename_file("b.sha256", "b.off"); break;
		case 3: remove_file("a.hdb"); break;
		}
		now += 100000;
		ck_assert_msg(!sig_watch_is_due(&w, now), "kind %d", kind);
		ck_assert(!sig_watch_is_due(&w, now + 1999));
		ck_assert(sig_watch_is_due(&w, now + 2000));
		ck_assert(!sig_watch_is_due(&w, now + 90000));
	}
	remove_file("b.off");
}
END_TEST

/* What would not be loaded, or is still being written, is no change. */
START_TEST(no_changes)
{
	char path[160];

	ck_assert_int_eq(sig_watch_set(&w, sub, 1), 0);
	write_file("README");
	write_file("half.hdb.tmp");
	in_dir(path, "a.hsb");
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert(!sig_watch_is_due(&w, 100));
	ck_assert(!sig_watch_is_due(&w, 100000));
	close(fd);
	ck_assert(!sig_watch_is_due(&w, 200000));
	ck_assert(sig_watch_is_due(&w, 202000));
	remove_file("README");
	remove_file("half.hdb.tmp");
	remove_file("a.hsb");
}
END_TEST

/* One change after the other: at the latest after thirty seconds. */
START_TEST(without_end)
{
	long long now = 1;

	ck_assert_int_eq(sig_watch_set(&w, sub, now), 0);
	for (; now < 30001; now += 1000) {
		write_file("a.txt");
		ck_assert(!sig_watch_is_due(&w, now));
	}
	write_file("a.txt");
	ck_assert(sig_watch_is_due(&w, now));
	remove_file("a.txt");
}
END_TEST

/* A directory that comes, goes and comes again; then another one. */
START_TEST(directories)
{
	ck_assert_int_eq(rmdir(sub), 0);
	ck_assert_int_eq(sig_watch_set(&w, sub, 1), 0);
	ck_assert(!sig_watch_is_due(&w, 50000));
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	ck_assert(!sig_watch_is_due(&w, 61000));
	ck_assert(sig_watch_is_due(&w, 63000));
	write_file("a.hdb");
	ck_assert(!sig_watch_is_due(&w, 70000));
	ck_assert(sig_watch_is_due(&w, 72000));
	remove_file("a.hdb");
	ck_assert_int_eq(rmdir(sub), 0);
	ck_assert(!sig_watch_is_due(&w, 80000));
	ck_assert(sig_watch_is_due(&w, 82000));
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	ck_assert(!sig_watch_is_due(&w, 100000));
	ck_assert(sig_watch_is_due(&w, 102000));
	ck_assert_int_eq(sig_watch_set(&w, sub, 103000), 0);
	ck_assert(!sig_watch_is_due(&w, 110000));
	ck_assert_int_eq(sig_watch_set(&w, other, 120000), 0);
	write_file("a.hdb");
	ck_assert(sig_watch_is_due(&w, 122000));
	ck_assert(!sig_watch_is_due(&w, 222000));
	remove_file("a.hdb");
}
END_TEST

static void each_begin(void)
{
	unit_dir(dir);
	snprintf(sub, sizeof sub, "%s/sub", dir);
	snprintf(other, sizeof other, "%s/other", dir);
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	ck_assert_int_eq(mkdir(other, 0700), 0);
}

static void each_end(void)
{
	sig_watch_close(&w);
}

int main(void)
{
	Suite *s = suite_create("sig_watch");
	TCase *t = tcase_create("sig_watch");

	tcase_add_checked_fixture(t, each_begin, each_end);
	tcase_add_test(t, changes);
	tcase_add_test(t, no_changes);
	tcase_add_test(t, without_end);
	tcase_add_test(t, directories);
	suite_add_tcase(s, t);
	return unit_run(s);
}
