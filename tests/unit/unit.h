/* unit.h - what every unit test's main() does: runs its suite, and removes what
 * its cases have left in the file system.
 *
 * All files of a test lie in one directory of the program's own. It is removed
 * behind the last case, also behind cases that failed or were killed. */
#ifndef ESETS_UNIT_H
#define ESETS_UNIT_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIT_PATH_SIZE 64

/* Short, for sockets lie there too. Others may pass through: some cases run as
 * another user. */
static char unit_top[] = "/tmp/check.XXXXXX";

static inline int unit_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)at;
	return kind == FTW_DP ? rmdir(path) : unlink(path);
}

/* A new directory (mode 0700), which need not be removed. */
static inline void unit_dir(char out[static UNIT_PATH_SIZE])
{
	snprintf(out, UNIT_PATH_SIZE, "%s/XXXXXX", unit_top);
	ck_assert_ptr_nonnull(mkdtemp(out));
}

/* A new file (mode 0600), open for both, which need not be removed. */
static inline int unit_file(char out[static UNIT_PATH_SIZE])
{
	snprintf(out, UNIT_PATH_SIZE, "%s/XXXXXX", unit_top);
	int fd = mkstemp(out);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Takes the suite. Returns the exit status: 1 where a check failed, or something
 * is left that cannot be removed. CK_VERBOSITY, CK_RUN_CASE and so on hold. */
static inline int unit_run(Suite *s)
{
	if (mkdtemp(unit_top) == NULL || chmod(unit_top, 0711) < 0) {
		perror(unit_top);
		return EXIT_FAILURE;
	}
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	if (nftw(unit_top, unit_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) {
		perror(unit_top);
		failed++;
	}
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
