/* confine.c - a process that may use one directory, see confine.h.
 *
 * Landlock by its system calls: the C library has no functions for them. Needs
 * no privilege but PR_SET_NO_NEW_PRIVS, which proc_identity_take sets. */
#include "config.h"

#include "confine.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#endif
#endif

/* What measures a program does things of its own in it: it opens its files, maps
 * terabytes, unwinds by system calls that we never make. */
const char *confine_why_not(void)
{
#ifdef WITH_INSTRUMENTS
	return "built with sanitizers or for coverage";
#else
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "/vgpreload_") != NULL ? "under valgrind" : NULL;
#endif
}

#if defined(LANDLOCK_ACCESS_FS_EXECUTE) && defined(SYS_landlock_create_ruleset)

#define CHANGE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	LANDLOCK_ACCESS_FS_MAKE_REG)
#define OTHERS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static uint64_t truncation(void)
{
	uint64_t bits = 0;

#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 3)
		bits = LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
	return bits;
}

/* more: what else is from now on only for files below the directory. */
static int confine(int dir, uint64_t more)
{
	uint64_t change = CHANGE | truncation();
	struct landlock_ruleset_attr attr = { .handled_access_fs = change | OTHERS | more };
	struct landlock_path_beneath_attr below = { .parent_fd = dir,
		.allowed_access = change | (more & LANDLOCK_ACCESS_FS_READ_FILE) };
	int rc = -1, rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (rules < 0)
		return -1;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0 &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		rc = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	int error = errno;
	close(rules);
	errno = error;
	return rc;
}

int confine_to_dir(int dir)
{
	return confine(dir, 0);
}

int confine_all_to_dir(int dir)
{
	return confine(dir, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
}

#else

int confine_to_dir(int dir)
{
	(void)dir;
	errno = ENOSYS;
	return -1;
}

int confine_all_to_dir(int dir)
{
	return confine_to_dir(dir);
}

#endif
