/* sealed.c - see sealed.h. */
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int seal_fd(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

int sealed_fd(const char *name, const void *p, size_t n)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const char *c = p;

	for (size_t at = 0; fd >= 0 && at < n;) {
		ssize_t w = pwrite(fd, c + at, n - at, (off_t)at);
		if (w > 0)
			at += (size_t)w;
		else if (w < 0 && errno != EINTR)
			goto fail;
	}
	if (fd < 0 || seal_fd(fd) == 0)
		return fd;
fail:;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}
