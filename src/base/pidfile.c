/* pidfile.c - the pid file, see pidfile.h. Must not log: the callers name the
 * failing step. */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirs.h"
#include "str.h"

static struct {
	int fd;
	pid_t owner;
	char path[PATH_MAX];
} g_pidfile = { .fd = -1 };

/* Does another process hold the file at path locked? Only a lock for writing counts:
 * anybody who may read the file can have one for reading. 0 none does; -1 with errno,
 * EWOULDBLOCK one does. */
static int look_for_other(const char *path, pid_t *other_out)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), e = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) < 0 || fcntl(fd, F_GETLK, &fl) < 0)
		e = errno;
	else if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		e = EEXIST;
	else if (fl.l_type != F_UNLCK)
		e = EWOULDBLOCK;
	close(fd);
	if (e == EWOULDBLOCK)
		*other_out = fl.l_pid;
	errno = e;
	return e == 0 ? 0 : -1;
}

/* Locks the open file. 0, 1 it has no longer that name, -1 with errno. */
static int lock_file(int fd, const char *path, pid_t *other_out)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat mine, named;

	if (fstat(fd, &mine) < 0)
		return -1;
	if (!S_ISREG(mine.st_mode) || mine.st_nlink > 1 || mine.st_uid != geteuid()) {
		errno = EEXIST;
		return -1;
	}
	if (fcntl(fd, F_SETLK, &fl) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return -1;
		if (fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type != F_UNLCK)
			*other_out = fl.l_pid;
		errno = EWOULDBLOCK;
		return -1;
	}
	if (lstat(path, &named) < 0 || named.st_dev != mine.st_dev || named.st_ino != mine.st_ino)
		return 1;
	return 0;
}

static int write_pid(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0)
		return -1;
	ssize_t rc = pwrite(fd, text, (size_t)n, 0);
	if (rc >= 0 && rc != n)
		errno = ENOSPC;
	return rc == n ? 0 : -1;
}

/* The file that becomes the pid file, locked; only we can open it. -1 with errno. */
static int new_file(const char *path, pid_t *other_out)
{
	for (int round = 0; round < 5; round++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		int rc = fd < 0 ? -1 : lock_file(fd, path, other_out), e = errno;
		if (rc == 0)
			return fd;
		if (fd >= 0)
			close(fd);
		errno = e;
		if (rc < 0)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

/* Who starts holds the lock of a file that nobody else can open, from before it looks
 * for another instance until that file is the pid file: of several only one gets there,
 * and what has become of the file of one that was killed is of no account. */
int pidfile_open(const char *path, const struct proc_identity *id, pid_t *other_out)
{
	char fresh[PATH_MAX];

	*other_out = 0;
	if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (dirs_make_parent(path, 0755, id) < 0)
		return -1;
	int fd = new_file(fresh, other_out);
	if (fd < 0)
		return -1;
	if (look_for_other(path, other_out) < 0 || write_pid(fd) < 0 || rename(fresh, path) < 0) {
		int e = errno;
		unlink(fresh);
		close(fd);
		errno = e;
		return -1;
	}
	(void)fchmod(fd, 0644); /* not before: a file of that name can be locked by nobody else */
	str_copy(g_pidfile.path, sizeof g_pidfile.path, path);
	g_pidfile.fd = fd;
	g_pidfile.owner = getpid();
	return 0;
}

void pidfile_close(void)
{
	/* A child that inherited the descriptor must not remove the file. */
	if (g_pidfile.fd < 0 || g_pidfile.owner != getpid())
		return;
	unlink(g_pidfile.path);
	close(g_pidfile.fd);
	g_pidfile.fd = -1;
}
