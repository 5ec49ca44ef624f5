/* dirs.c - directories that programs make for themselves, see dirs.h. Must not
 * log: the callers name the failing step. */
#include "dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "str.h"

#define MISSING_LEVELS 2u  /* of a directory: those that make_dirs makes */

/* One directory. A present one is left as it is: whoever made it decided. */
static int make_one_dir(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : -1;
	/* By descriptor, so that nobody swaps the path meanwhile. */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* In this order it is no matter of CAP_FOWNER. */
	int rc = fchmod(fd, mode) < 0 || fchown(fd, uid, gid) < 0 ? -1 : 0;
	int e = errno;
	close(fd);
	errno = e;
	return rc;
}

static void cut_to_parent(char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	path[n] = '\0';
}

/* The directory that path lies in; "" where it has none to make. */
static int parent_of(const char *path, char *out, size_t size)
{
	if (!str_copy(out, size, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	cut_to_parent(out);
	return 0;
}

static int make_dirs(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	char up[PATH_MAX];

	if (make_one_dir(path, mode, uid, gid) == 0)
		return 0;
	if (errno != ENOENT || parent_of(path, up, sizeof up) < 0 || up[0] == '\0')
		return -1;
	if (make_one_dir(up, 0755, geteuid(), getegid()) < 0)
		return -1; /* it may be for others as well */
	return make_one_dir(path, mode, uid, gid);
}

int dirs_make(const char *path, unsigned mode, const struct proc_identity *id)
{
	return make_dirs(path, mode, id->uid, id->gid);
}

int dirs_make_parent(const char *path, unsigned mode, const struct proc_identity *id)
{
	char up[PATH_MAX];

	if (parent_of(path, up, sizeof up) < 0)
		return -1;
	return up[0] == '\0' ? 0 : make_dirs(up, mode, id->uid, id->gid);
}

/* Can a file be made in dir, once up to missing levels of it were made? There is
 * left in up, of PATH_MAX octets. */
static int try_dir(const char *dir, unsigned missing, char *up)
{
	struct stat st, link;

	if (!str_copy(up, PATH_MAX, dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	while (stat(up[0] != '\0' ? up : ".", &st) < 0) {
		/* A link to nowhere is in the way of mkdir(2). */
		if (errno != ENOENT || lstat(up, &link) == 0 || missing-- == 0)
			return -1;
		cut_to_parent(up);
	}
	if (up[0] == '\0')
		strcpy(up, ".");
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return faccessat(AT_FDCWD, up, W_OK | X_OK, AT_EACCESS);
}

int dirs_try(const char *path, const struct proc_identity *id)
{
	char up[PATH_MAX];

	if (try_dir(path, MISSING_LEVELS, up) < 0)
		return -1;
	/* What is made will be id's; to what is there it must have a way. */
	return proc_try_as(up, strcmp(up, path) == 0 ? W_OK | X_OK : X_OK, id);
}

int dirs_try_file(const char *path, mode_t type, bool makes_dir)
{
	char up[PATH_MAX], there[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) == 0 && (st.st_mode & S_IFMT) != type) {
		errno = type == S_IFSOCK ? ENOTSOCK : S_ISLNK(st.st_mode) ? ELOOP :
			S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
		return -1;
	}
	if (parent_of(path, up, sizeof up) < 0)
		return -1;
	return try_dir(up, makes_dir ? MISSING_LEVELS : 0, there);
}
