/* flush.c - counters of processes that gcov would lose (--enable-coverage only).
 *
 * gcov writes its counters at exit(), fork() and exec(), into files beside the
 * objects. Children here leave by _exit(), and workers are another user, who may
 * not write there, nor to files of root. So _exit() writes them too, and each user
 * has a tree of its own: $ESETS_COVERAGE/UID, chosen anew whenever the user changes;
 * that directory is writable for all. Without ESETS_COVERAGE they go where gcov has
 * them. A process that is killed says nothing: what it did is not counted.
 *
 * The linker puts these functions before those of libc (--wrap). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));
int __real_setresuid(uid_t real, uid_t effective, uid_t saved);
int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved);

static void tree_choose(void)
{
	const char *top = getenv("ESETS_COVERAGE");
	char path[4096];

	if (top == NULL)
		return;
	int n = snprintf(path, sizeof path, "%s/%u", top, (unsigned)geteuid());
	if (n > 0 && (size_t)n < sizeof path)
		setenv("GCOV_PREFIX", path, 1);
}

__attribute__((constructor))
static void start(void)
{
	tree_choose();
}

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved)
{
	int rc = __real_setresuid(real, effective, saved);

	tree_choose();
	return rc;
}
