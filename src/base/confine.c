/* confine.c - a process that reaches little, see confine.h.
 *
 * Landlock by its system calls: the C library has no functions for them. Needs
 * no privilege but PR_SET_NO_NEW_PRIVS, which proc_identity_take sets. */
#include "config.h"

#include "confine.h"

#include <errno.h>
#include <stdbool.h>
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

static bool is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "/vgpreload_") != NULL;
}

/* What measures a program does things of its own in it: it opens its files, maps
 * terabytes, unwinds by system calls that we never make. */
const char *confine_why_not(void)
{
#ifdef WITH_INSTRUMENTS
	return "built with sanitizers or for coverage";
#else
	return is_under_valgrind() ? "under valgrind" : NULL;
#endif
}

#if defined(LANDLOCK_ACCESS_FS_EXECUTE) && defined(SYS_landlock_create_ruleset)

#define CHANGE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	LANDLOCK_ACCESS_FS_MAKE_REG)
#define OTHERS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define LOOK (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* Of kernels that may be newer than the headers: by version of the interface. */
#define REFER (1ull << 13)         /* 2: from one directory to another */
#define TRUNCATE (1ull << 14)      /* 3 */
#define TCP (1ull << 0 | 1ull << 1)    /* 4: bind, connect */
#define IOCTL_DEV (1ull << 15)     /* 5 */
#define SCOPES (1ull << 0 | 1ull << 1) /* 6: abstract UNIX sockets, signals */

struct ruleset_attr {              /* as of version 6 */
	uint64_t handled_access_fs, handled_access_net, scoped;
};

/* valgrind complains of system calls that it does not know. */
static int version(void)
{
	if (is_under_valgrind()) {
		errno = ENOSYS;
		return -1;
	}
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* dir: below which there is this right, or -1. */
static int restrict_to(const struct ruleset_attr *attr, size_t size, int dir, uint64_t right)
{
	struct landlock_path_beneath_attr below = { .allowed_access = right, .parent_fd = dir };
	int rc = -1, rules;

	if (version() < 0)
		return -1;
	rules = (int)syscall(SYS_landlock_create_ruleset, attr, size, 0);
	if (rules < 0)
		return -1;
	if ((dir < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below,
	    0) == 0) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		rc = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	int error = errno;
	close(rules);
	errno = error;
	return rc;
}

/* more: what else is from now on only for files below the directory. */
static int confine(int dir, uint64_t more)
{
	const uint64_t change = CHANGE | (version() >= 3 ? TRUNCATE : 0);
	const struct ruleset_attr attr = { .handled_access_fs = change | OTHERS | more };

	return restrict_to(&attr, sizeof attr.handled_access_fs, dir,
		change | (more & LANDLOCK_ACCESS_FS_READ_FILE));
}

int confine_to_dir(int dir)
{
	return confine(dir, 0);
}

int confine_all_to_dir(int dir)
{
	return confine(dir, LOOK);
}

int confine_to_read(int dir)
{
	const int v = version();
	struct ruleset_attr attr = { .handled_access_fs = CHANGE | OTHERS | LOOK };
	size_t size = sizeof attr.handled_access_fs;

	if (v >= 2)
		attr.handled_access_fs |= REFER;
	if (v >= 3)
		attr.handled_access_fs |= TRUNCATE;
	if (v >= 4) {
		attr.handled_access_net = TCP;
		size += sizeof attr.handled_access_net;
	}
	if (v >= 5)
		attr.handled_access_fs |= IOCTL_DEV;
	if (v >= 6) {
		attr.scoped = SCOPES;
		size += sizeof attr.scoped;
	}
	return restrict_to(&attr, size, dir, LOOK);
}

int confine_to_nothing(void)
{
	return confine_to_read(-1);
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

int confine_to_read(int dir)
{
	return confine_to_dir(dir);
}

int confine_to_nothing(void)
{
	return confine_to_dir(-1);
}

#endif
