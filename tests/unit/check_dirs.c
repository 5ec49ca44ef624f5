/* check_dirs.c - directories that programs make, and what would be in their way. Each
 * test runs in a process of its own (check forks), so that it may become another user. */
#include "dirs.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[UNIT_PATH_SIZE];
static char path[200];

/* A directory that any user may look into; tests run as root and as others. */
static const char *in_dir(const char *name)
{
	if (dir[0] == '\0') {
		unit_dir(dir);
		ck_assert_int_eq(chmod(dir, 0755), 0);
	}
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static struct proc_identity self(void)
{
	return (struct proc_identity){ .uid = geteuid(), .gid = getegid() };
}

START_TEST(test_make_dir)
{
	struct proc_identity id = self();
	struct stat st;

	umask(077);
	ck_assert_int_eq(dirs_make(in_dir("a/b"), 0750, &id), 0);
	ck_assert_int_eq(stat(in_dir("a"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_int_eq(stat(in_dir("a/b"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0750);
	ck_assert_int_eq(dirs_make(in_dir("a/b"), 0700, &id), 0);
	stat(path, &st);
	ck_assert_uint_eq(st.st_mode & 07777, 0750); /* as it was */
	ck_assert_int_eq(dirs_make(in_dir("c/d/e"), 0750, &id), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(dirs_make_parent(in_dir("f//file"), 0700, &id), 0);
	ck_assert_int_eq(stat(in_dir("f"), &st), 0);
	ck_assert_int_eq(stat(in_dir("f/file"), &st), -1);
	ck_assert_int_eq(dirs_make_parent("file", 0700, &id), 0);
	if (geteuid() == 0) {
		id.uid = 1;
		id.gid = 2;
		ck_assert_int_eq(dirs_make(in_dir("g/h"), 0700, &id), 0);
		stat(in_dir("g"), &st);
		ck_assert(st.st_uid == 0); /* what else will lie in it, nobody knows */
		stat(in_dir("g/h"), &st);
		ck_assert(st.st_uid == 1 && st.st_gid == 2);
	}
}
END_TEST

static int try_file(const char *name, mode_t type, bool makes_dir)
{
	return dirs_try_file(in_dir(name), type, makes_dir) == 0 ? 0 : errno;
}

/* What a start would run into, and nothing is made. */
START_TEST(test_try)
{
	struct proc_identity id = self();
	struct stat st;
	char why[200];

	in_dir("");
	ck_assert_int_eq(mkdir(in_dir("d"), 0755), 0);
	ck_assert_int_eq(close(creat(in_dir("file"), 0644)), 0);
	ck_assert_int_eq(symlink("file", in_dir("link")), 0);
	ck_assert_int_eq(symlink("nowhere", in_dir("loose")), 0);
	ck_assert_int_eq(dirs_try(in_dir("loose"), &id), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(dirs_try(in_dir("loose/a"), &id), -1);
	ck_assert_int_eq(mknod(in_dir("sock"), S_IFSOCK | 0600, 0), 0);
	ck_assert_int_eq(dirs_try(in_dir("d"), &id), 0);
	ck_assert_int_eq(dirs_try(in_dir("a/b"), &id), 0);
	ck_assert_int_eq(dirs_try(in_dir("a//b/"), &id), 0);
	ck_assert_int_eq(dirs_try(in_dir("a/b/c"), &id), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(dirs_try(in_dir("file"), &id), -1);
	ck_assert_int_eq(errno, ENOTDIR);
	ck_assert_int_eq(dirs_try(in_dir("file/a"), &id), -1);
	ck_assert_int_eq(errno, ENOTDIR);
	ck_assert_int_eq(try_file("d/x", S_IFREG, false), 0);
	ck_assert_int_eq(try_file("a/b/x", S_IFREG, true), 0);
	ck_assert_int_eq(try_file("a/b/c/x", S_IFREG, true), ENOENT);
	ck_assert_int_eq(try_file("a/x", S_IFSOCK, false), ENOENT);
	ck_assert_int_eq(try_file("file/x", S_IFSOCK, true), ENOTDIR);
	ck_assert_int_eq(try_file("file", S_IFREG, true), 0);
	ck_assert_int_eq(try_file("file", S_IFSOCK, true), ENOTSOCK);
	ck_assert_int_eq(try_file("d", S_IFSOCK, true), ENOTSOCK);
	ck_assert_int_eq(try_file("sock", S_IFSOCK, true), 0);
	ck_assert_int_eq(try_file("sock", S_IFREG, true), EEXIST);
	ck_assert_int_eq(try_file("link", S_IFREG, true), ELOOP);
	ck_assert_int_eq(try_file("d", S_IFREG, true), EISDIR);
	ck_assert_int_eq(dirs_try_file("none-of-the-kind", S_IFREG, false), 0);
	ck_assert_int_eq(dirs_try("none-of-the-kind", &id), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(setegid(1), 0);
		ck_assert_int_eq(seteuid(1), 0);
		ck_assert_int_eq(try_file("d/x", S_IFREG, true), EACCES);
		ck_assert_int_eq(try_file("d/a/x", S_IFREG, true), EACCES);
		ck_assert_int_eq(seteuid(0), 0);
		/* Root may make it, and whoever shall use it has no way there. */
		ck_assert_int_eq(mkdir(in_dir("shut"), 0700), 0);
		ck_assert_int_eq(proc_identity_get("nobody", "nogroup", &id, why, sizeof why), 0);
		ck_assert_int_eq(dirs_try(in_dir("shut/x"), &id), -1);
		ck_assert_int_eq(errno, EACCES);
		ck_assert_int_eq(dirs_try(in_dir("d"), &id), -1);
		ck_assert_int_eq(errno, EACCES);
	}
	ck_assert_int_eq(stat(in_dir("a"), &st), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dirs");
	TCase *t = tcase_create("dirs");
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_make_dir);
	tcase_add_test(t, test_try);
	suite_add_tcase(s, t);
	return unit_run(s);
}
