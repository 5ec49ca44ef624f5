/* spool.c - the body of one message, see spool.h.
 *
 *      heap block ──(> HEAP_MAX)──► memfd ──(> message_memory, or no
 *          │                          │        memory left)──► O_TMPFILE
 *          └── spool_fd(): memfd ◄────┘ sealed        └── reopened read-only
 *
 * Reads and writes carry their offset (pread, pwrite): the descriptor is
 * shared with the daemon and with engines, and so is its file position. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sealed.h"
#include "stats.h"

#define HEAP_MAX (64u << 10)
#define HEAP_MIN (4u << 10)
#define FREE_CHECK_OCTETS (1u << 20)   /* how often the disk is looked at */
#define COPY_CHUNK (64u << 10)
#define FILE_MODE 0400

struct spool {
	const struct spool_cfg *cfg;
	unsigned char *heap;
	size_t heap_cap;
	uint64_t size;
	uint64_t accounted;     /* octets counted in memory_used */
	uint64_t next_check;    /* size at which the disk is looked at again */
	int fd;                 /* memfd or file, -1 while on the heap only */
	int ro_fd;              /* file opened again, read-only; -1 */
	bool is_large;          /* as its sender says: to a file from the beginning */
	bool is_file;
	bool is_sealed;
};

static _Atomic uint64_t memory_used;

uint64_t spool_memory_used(void)
{
	return atomic_load_explicit(&memory_used, memory_order_relaxed);
}

/* Takes n more octets from the memory of all spools; false: none left. */
static bool account(struct spool *s, uint64_t n)
{
	uint64_t was = atomic_fetch_add_explicit(&memory_used, n, memory_order_relaxed);

	if (was + n > s->cfg->memory_max) {
		atomic_fetch_sub_explicit(&memory_used, n, memory_order_relaxed);
		return false;
	}
	s->accounted += n;
	stats_add(ST_SPOOL_MEMORY, n);
	return true;
}

static void unaccount(struct spool *s)
{
	atomic_fetch_sub_explicit(&memory_used, s->accounted, memory_order_relaxed);
	stats_sub(ST_SPOOL_MEMORY, s->accounted);
	s->accounted = 0;
}

struct spool *spool_open(const struct spool_cfg *cfg, uint64_t expected)
{
	struct spool *s = calloc(1, sizeof *s);

	if (s != NULL) {
		s->cfg = cfg;
		s->is_large = expected > cfg->message_memory;
		s->fd = s->ro_fd = -1;
	}
	return s;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void spool_close(struct spool **sp)
{
	struct spool *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	unaccount(s);
	stats_sub(ST_SPOOL_FILES, s->is_file);
	close_fd(&s->fd);
	close_fd(&s->ro_fd);
	free(s->heap);
	free(s);
}

static int write_at(int fd, const void *p, size_t n, uint64_t offset)
{
	const char *c = p;

	while (n > 0) {
		ssize_t w = pwrite(fd, c, n, (off_t)offset);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			if (w == 0)
				errno = ENOSPC;
			return -1;
		}
		c += w;
		offset += (uint64_t)w;
		n -= (size_t)w;
	}
	return 0;
}

/* Fails with ENOSPC where fewer than min_free octets would stay free. */
static int check_disk(struct spool *s, size_t n)
{
	struct statvfs v;

	if (s->size + n < s->next_check)
		return 0;
	if (fstatvfs(s->fd, &v) < 0)
		return -1;
	if ((uint64_t)v.f_bavail * v.f_frsize < s->cfg->min_free + n + FREE_CHECK_OCTETS) {
		errno = ENOSPC;
		return -1;
	}
	s->next_check = s->size + n + FREE_CHECK_OCTETS;
	return 0;
}

int spool_open_file(const char *dir)
{
	char path[4096];
	uint64_t name;
	/* For its owner to read only, so that whoever gets it to read, and is the
	 * same user, cannot open it again to write but by changing the mode first,
	 * which the scanner's filter refuses as well. This descriptor can. */
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	/* A file system without O_TMPFILE: a name nobody can guess, for a moment. */
	if (getrandom(&name, sizeof name, 0) != (ssize_t)sizeof name)
		return -1;
	if (snprintf(path, sizeof path, "%s/esets.%016" PRIx64, dir, name) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, FILE_MODE);
	if (fd >= 0 && unlink(path) < 0)
		close_fd(&fd);
	return fd;
}

/* Moves what is there to a descriptor of the other kind. */
static int move_to(struct spool *s, int fd)
{
	char chunk[COPY_CHUNK];

	for (uint64_t off = 0; off < s->size;) {
		ssize_t n = spool_read(s, off, chunk, sizeof chunk);
		if (n <= 0 || write_at(fd, chunk, (size_t)n, off) < 0) {
			int keep = n == 0 ? EIO : errno;
			close(fd);
			errno = keep;
			return -1;
		}
		off += (uint64_t)n;
	}
	close_fd(&s->fd);
	s->fd = fd;
	free(s->heap);
	s->heap = NULL;
	s->heap_cap = 0;
	return 0;
}

static int to_memfd(struct spool *s)
{
	int fd = memfd_create("esets-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -1 : move_to(s, fd);
}

static int to_file(struct spool *s)
{
	int fd = spool_open_file(s->cfg->dir);

	if (fd < 0 || move_to(s, fd) < 0)
		return -1;
	s->is_file = true;
	stats_add(ST_SPOOL_FILES, 1);
	s->next_check = 0;
	unaccount(s);
	return 0;
}

static int heap_write(struct spool *s, const void *p, size_t n)
{
	size_t need = (size_t)s->size + n, cap = s->heap_cap > 0 ? s->heap_cap : HEAP_MIN;

	while (cap < need)
		cap *= 2;
	if (cap > s->heap_cap) {
		unsigned char *heap = realloc(s->heap, cap);
		if (heap == NULL)
			return -1;
		s->heap = heap;
		s->heap_cap = cap;
	}
	memcpy(s->heap + s->size, p, n);
	s->size += n;
	return 0;
}

int spool_write(struct spool *s, const void *p, size_t n)
{
	uint64_t need = s->size + n;

	if (n == 0)
		return 0;
	if (!s->is_file && (s->is_large || need > s->cfg->message_memory || !account(s, n)) &&
	    to_file(s) < 0)
		return -1;
	if (s->fd < 0) {
		if (need <= (s->cfg->heap_max > 0 ? s->cfg->heap_max : HEAP_MAX))
			return heap_write(s, p, n);
		if (to_memfd(s) < 0)
			return -1;
	}
	if ((s->is_file && check_disk(s, n) < 0) || write_at(s->fd, p, n, s->size) < 0)
		return -1;
	s->size = need;
	return 0;
}

uint64_t spool_size(const struct spool *s)
{
	return s->size;
}

int spool_fd(struct spool *s)
{
	char path[32];

	if (s->is_file) {
		/* A file can't be sealed: what is passed on is opened anew, read-only. */
		snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd);
		if (s->ro_fd < 0)
			s->ro_fd = open(path, O_RDONLY | O_CLOEXEC);
		return s->ro_fd;
	}
	if (s->is_sealed)
		return s->fd;
	/* A heap block stays: it is what the server gets. */
	if (s->fd < 0)
		s->fd = sealed_fd("esets-message", s->heap, (size_t)s->size);
	else if (seal_fd(s->fd) < 0)
		return -1;
	s->is_sealed = s->fd >= 0;
	return s->fd;
}

ssize_t spool_read(const struct spool *s, uint64_t offset, void *p, size_t n)
{
	if (offset >= s->size)
		return 0;
	if (n > s->size - offset)
		n = (size_t)(s->size - offset);
	if (s->heap != NULL) {
		memcpy(p, s->heap + offset, n);
		return (ssize_t)n;
	}
	for (size_t at = 0; at < n;) {
		ssize_t got = pread(s->fd, (char *)p + at, n - at, (off_t)(offset + at));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0) /* shorter than it was */
			return (ssize_t)at;
		at += (size_t)got;
	}
	return (ssize_t)n;
}

int spool_raw_fd(const struct spool *s)
{
	return s->heap == NULL ? s->fd : -1;
}

const void *spool_view(const struct spool *s)
{
	return s->heap;
}
