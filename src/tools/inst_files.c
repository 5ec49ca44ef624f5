/* inst_files.c - files that are replaced whole, see inst_int.h. */
#include "inst_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"

#define FILE_MAX_OCTETS (8u << 20)

char *inst_text_of(const struct buf *b)
{
	size_t n = buf_len(b);
	char *text = malloc(n + 1);

	if (text == NULL)
		return NULL;
	if (n > 0)
		memcpy(text, buf_head(b), n); /* -Wanalyzer-null-argument: n octets are there */
	text[n] = '\0';
	return text;
}

static char *read_fd(int fd, size_t *len_out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_OCTETS) {
		errno = EFBIG;
		return NULL;
	}
	char *text = malloc((size_t)st.st_size + 1);
	size_t have = 0;
	while (text != NULL && have < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + have, (size_t)st.st_size - have, (off_t)have);
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			free(text);
			return NULL;
		}
		have += (size_t)n;
	}
	if (text != NULL)
		text[have] = '\0';
	*len_out = have;
	return text;
}

char *inst_file_read(int dir, const char *name, size_t *len_out)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = fd >= 0 ? read_fd(fd, len_out) : NULL;
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return text;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return fsync(fd);
}

static int fill(int fd, int dir, const char *name, const void *text, size_t n, mode_t mode)
{
	struct stat st;
	bool is_there = fstatat(dir, name, &st, 0) == 0;

	if (is_there && fchown(fd, st.st_uid, st.st_gid) < 0 &&
	    (st.st_uid != geteuid() || st.st_gid != getegid()))
		return -1;
	if (fchmod(fd, is_there ? st.st_mode & 07777 : mode) < 0)
		return -1;
	return write_all(fd, text, n);
}

/* A name that is a link stays one: what it leads to is replaced. */
static int resolve(int dir, const char *name, char path[PATH_MAX])
{
	char link[64 + PATH_MAX];

	snprintf(link, sizeof link, "/proc/self/fd/%d/%s", dir, name);
	if (name[0] == '/')
		snprintf(link, sizeof link, "%s", name);
	return realpath(link, path) != NULL ? 0 : -1;
}

int inst_file_write(int dir, const char *name, const void *text, size_t n, mode_t mode)
{
	char path[PATH_MAX], temp[PATH_MAX + 16];

	if (resolve(dir, name, path) == 0)
		name = path;
	else if (errno != ENOENT)
		return -1;
	snprintf(temp, sizeof temp, "%s.esets-tmp", name);
	unlinkat(dir, temp, 0);
	int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	int rc = fill(fd, dir, name, text, n, mode), error = errno;
	if (close(fd) < 0 && rc == 0) {
		rc = -1;
		error = errno;
	}
	if (rc == 0 && (rc = renameat(dir, temp, dir, name)) < 0)
		error = errno;
	if (rc < 0)
		unlinkat(dir, temp, 0);
	errno = error;
	return rc;
}

bool inst_file_is(int dir, const char *name, const void *text, size_t n)
{
	size_t len;
	char *own = inst_file_read(dir, name, &len);
	bool is_same = own != NULL && len == n && memcmp(own, text, n) == 0;

	free(own);
	return is_same;
}
