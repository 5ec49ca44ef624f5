/* shortshim.c - for LD_PRELOAD: calls that do less than they were asked for, as far
 * as the file SHORT_CONTROL says at the moment. A file or a stream takes or gives
 * some of the octets; a call is interrupted; a socket that does not block would
 * have to; and files have room for so many octets only, then ENOSPC. Never twice
 * in a row on one thread, so that whoever tries again gets on. What packets, of
 * which there is room for at least one, and descriptors that count events cannot
 * do does not happen to them. And sendfile, or reading more of a file than the end
 * of a line too, fails each time with an error of choice. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* one_of: one call in so many, 0: none; hits: how many it was so far; room: octets
 * that files still take, negative: no limit; the errors: 0 none. */
struct control {
	uint32_t one_of;
	uint32_t hits;
	int64_t room;
	uint32_t sendfile_error;
	uint32_t pread_error;
};

static struct control none = { .room = -1 };
static struct control *control = &none;

#define REAL(name) static __typeof__(name) *real; \
	if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void control_open(void)
{
	const char *path = getenv("SHORT_CONTROL");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (map != MAP_FAILED)
		control = map;
}

enum what { WHOLE, SHORT, FAIL };

static uint64_t number(void)
{
	static _Thread_local uint64_t x;

	if (x == 0)
		x = (uint64_t)(uintptr_t)&x ^ (uint64_t)getpid() << 32 ^ 0x9e3779b97f4a7c15u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x >> 20;
}

static enum what choose(int can_be_short, int may_block)
{
	static _Thread_local int was_hit;
	uint32_t one_of = __atomic_load_n(&control->one_of, __ATOMIC_RELAXED);

	was_hit = one_of != 0 && !was_hit && number() % one_of == 0;
	if (!was_hit)
		return WHOLE;
	__atomic_fetch_add(&control->hits, 1, __ATOMIC_RELAXED);
	if (can_be_short && number() % 2 == 0)
		return SHORT;
	errno = may_block && number() % 2 == 0 ? EAGAIN : EINTR;
	return FAIL;
}

static int is_nonblocking(int fd, int flags)
{
	return (flags & MSG_DONTWAIT) != 0 || (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

static int is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static int is_file(int fd)
{
	struct stat st;

	return fd > STDERR_FILENO && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* From 1 to n, and mostly near one of the ends. */
static size_t some(size_t n)
{
	switch (n > 1 ? number() % 4 : 3) {
	case 0: return 1;
	case 1: return n - 1;
	case 2: return 1 + number() % n;
	default: return n;
	}
}

/* How much of n octets a file takes; -1 none. */
static ssize_t room_for(size_t n)
{
	int64_t room = __atomic_load_n(&control->room, __ATOMIC_RELAXED);

	if (room < 0 || n == 0)
		return (ssize_t)n;
	if ((uint64_t)room < n)
		n = (size_t)room;
	if (n == 0) {
		errno = ENOSPC;
		return -1;
	}
	__atomic_fetch_sub(&control->room, (int64_t)n, __ATOMIC_RELAXED);
	return (ssize_t)n;
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	REAL(send);
	const enum what w = is_stream(fd) ? choose(1, is_nonblocking(fd, flags)) : WHOLE;

	return w == FAIL ? -1 : real(fd, p, w == SHORT ? some(n) : n, flags);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	REAL(recv);
	const enum what w = is_stream(fd) && (flags & MSG_PEEK) == 0 ?
		choose(1, is_nonblocking(fd, flags)) : WHOLE;

	return w == FAIL ? -1 : real(fd, p, w == SHORT ? some(n) : n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	REAL(sendmsg);
	return choose(0, 0) == FAIL ? -1 : real(fd, msg, flags);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	REAL(recvmsg);
	return choose(0, 0) == FAIL ? -1 : real(fd, msg, flags);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	REAL(accept4);
	return choose(0, 1) == FAIL ? -1 : real(fd, addr, len, flags);
}

ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
	REAL(sendfile);
	if (control->sendfile_error != 0) {
		errno = (int)control->sendfile_error;
		return -1;
	}
	const enum what w = choose(1, is_nonblocking(out, 0));

	return w == FAIL ? -1 : real(out, in, at, w == SHORT ? some(n) : n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	REAL(pread);
	if (control->pread_error != 0 && n > 2 && is_file(fd)) {
		errno = (int)control->pread_error;
		return -1;
	}
	const enum what w = is_file(fd) ? choose(1, 0) : WHOLE;

	return w == FAIL ? -1 : real(fd, p, w == SHORT ? some(n) : n, at);
}

ssize_t read(int fd, void *p, size_t n)
{
	REAL(read);
	const enum what w = is_file(fd) ? choose(1, 0) : WHOLE;

	return w == FAIL ? -1 : real(fd, p, w == SHORT ? some(n) : n);
}

static ssize_t to_file(int fd, size_t n)
{
	if (!is_file(fd))
		return (ssize_t)n;
	const enum what w = choose(1, 0);
	return w == FAIL ? -1 : room_for(w == SHORT ? some(n) : n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	REAL(pwrite);
	const ssize_t k = to_file(fd, n);

	return k < 0 ? -1 : real(fd, p, (size_t)k, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	REAL(write);
	const ssize_t k = to_file(fd, n);

	return k < 0 ? -1 : real(fd, p, (size_t)k);
}

/* Names of the same for programs with 64-bit offsets. */
ssize_t pread64(int fd, void *p, size_t n, off_t at) __attribute__((alias("pread")));
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) __attribute__((alias("pwrite")));
ssize_t sendfile64(int out, int in, off_t *at, size_t n) __attribute__((alias("sendfile")));
