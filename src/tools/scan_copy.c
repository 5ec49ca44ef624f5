/* scan_copy.c - octets into a sealed memfd, and a cleaned message back in the
 * place of its file.
 *
 * The daemon takes a descriptor that nobody can write through: a memfd that is
 * sealed. */
#include "scan_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sealed.h"

#define CHUNK 65536

static int fail(int fd)
{
	int keep = errno;

	if (fd >= 0)
		close(fd);
	errno = keep;
	return -1;
}

static int memfd_new(void)
{
	return memfd_create("esets-scan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/* len octets of in, from an offset, to the end of out. */
static int copy_octets(int out, int in, uint64_t from, uint64_t len)
{
	off_t at = (off_t)from;

	while (len > 0) {
		ssize_t n = sendfile(out, in, &at, len < (1u << 30) ? (size_t)len : 1u << 30);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* the file has become shorter */
		if (n <= 0)
			return -1;
		len -= (uint64_t)n;
	}
	return 0;
}

int scan_copy_range(int fd, uint64_t from, uint64_t len)
{
	int out = memfd_new();

	if (out < 0 || copy_octets(out, fd, from, len) < 0 || seal_fd(out) < 0)
		return fail(out);
	return out;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int scan_copy_stream(int fd, uint64_t max, uint64_t *size_out)
{
	char chunk[CHUNK];
	uint64_t size = 0;
	int out = memfd_new();

	while (out >= 0) {
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n < 0 || seal_fd(out) < 0)
				return fail(out);
			*size_out = size;
			return out;
		}
		size += (uint64_t)n;
		if (size > max)
			errno = EFBIG;
		if (size > max || write_all(out, chunk, (size_t)n) < 0)
			return fail(out);
	}
	return -1;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Written whole under another name, with owner and mode of the old one. */
static int write_new(int new, int clean_fd, const struct stat *old)
{
	struct stat st;

	if (fstat(clean_fd, &st) < 0 || copy_octets(new, clean_fd, 0, (uint64_t)st.st_size) < 0)
		return -1;
	/* Before the mode: to change the owner takes set-id bits off. */
	if (fchown(new, old->st_uid, old->st_gid) < 0 || fchmod(new, old->st_mode & 07777) < 0)
		return -1;
	return fsync(new);
}

/* Both names lie in the directory that was open when the file was found, so
 * that nobody can lead us elsewhere by moving directories. */
static int replace(const struct scan_item *it, int clean_fd, char *tmp)
{
	struct stat old, now;
	int new = mkostemp(tmp, O_CLOEXEC);

	if (new < 0)
		return -1;
	int rc = fstat(it->fd, &old) < 0 ? -1 : write_new(new, clean_fd, &old);
	if (rc == 0)
		rc = fstatat(it->dir_fd, it->base, &now, AT_SYMLINK_NOFOLLOW);
	if (rc == 0 && !is_same_file(&old, &now)) {
		errno = ESTALE; /* what is there now was not scanned */
		rc = -1;
	}
	if (rc == 0)
		rc = renameat(AT_FDCWD, tmp, it->dir_fd, it->base);
	int keep = errno;
	if (rc < 0)
		unlink(tmp);
	close(new);
	errno = keep;
	return rc;
}

int scan_replace(const struct scan_item *it, int clean_fd)
{
	char tmp[64];

	if (it->dir_fd < 0) {
		errno = EINVAL;
		return -1;
	}
	/* A name that readers of a Maildir pass over. */
	snprintf(tmp, sizeof tmp, "/proc/self/fd/%d/.esets.XXXXXX", it->dir_fd);
	return replace(it, clean_fd, tmp);
}
