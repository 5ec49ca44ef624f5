/* engine_scratch.c - see engine_scratch.h. */
#include "engine_scratch.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define SMALL_MAX (64u << 10)

static int write_all(int fd, const char *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t w = pwrite(fd, p + at, n - at, (off_t)at);
		if (w > 0)
			at += (size_t)w;
		else if (w < 0 && errno != EINTR)
			return -1;
	}
	return 0;
}

static void close_one(struct engine_scratch *s, unsigned i)
{
	if (s->one[i].fd >= 0)
		close(s->one[i].fd);
	s->one[i].fd = -1;
	s->one[i].len = 0;
}

int engine_scratch_fill(struct engine_scratch *s, const void *p, size_t n)
{
	const unsigned i = n > SMALL_MAX;
	int fd = s->one[i].fd;

	if (fd < 0)
		s->one[i].fd = fd = memfd_create("esets-object", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	if ((n < s->one[i].len && ftruncate(fd, (off_t)n) < 0) || write_all(fd, p, n) < 0) {
		int error = errno;
		close_one(s, i);
		errno = error;
		return -1;
	}
	s->one[i].len = n;
	return fd;
}

void engine_scratch_close(struct engine_scratch *s)
{
	close_one(s, 0);
	close_one(s, 1);
}
