/* chaosshim.c - for LD_PRELOAD under tests/chaos: allocations that fail and a
 * wall clock that jumps, as far as the file CHAOS_CONTROL says at the moment.
 * Those of three libraries do not fail, which use some without a look. A crash in
 * libarchive, which the daemon survives, would hide one of ours. libseccomp says that
 * all is well and has left rules out, exit_group for one, or makes its filter for
 * ever. libconfuse ends the process; we look for memory before we call it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* one_of: one allocation in so many fails, 0: none; jump_s: added to the clock; over:
 * all of more octets fail, 0: none. */
struct control {
	uint32_t one_of;
	int32_t jump_s;
	uint32_t over;
};

static const struct control none;
static const volatile struct control *control = &none;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

__attribute__((constructor)) static void control_open(void)
{
	const char *path = getenv("CHAOS_CONTROL");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (map != MAP_FAILED)
		control = map;
}

static int is_exempt(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && (strstr(info.dli_fname, "libarchive") != NULL ||
		strstr(info.dli_fname, "libseccomp") != NULL ||
		strstr(info.dli_fname, "libconfuse") != NULL);
}

static int is_chosen(void)
{
	static _Thread_local uint64_t x;
	uint32_t one_of = control->one_of;

	if (one_of == 0)
		return 0;
	if (x == 0)
		x = (uint64_t)(uintptr_t)&x ^ (uint64_t)getpid() << 32 ^ 0x9e3779b97f4a7c15u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (x >> 20) % one_of == 0;
}

static int fails(size_t size, const void *caller)
{
	const uint32_t over = control->over;

	if (!(over != 0 && size > over) && !is_chosen())
		return 0;
	if (is_exempt(caller))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails(size, __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(count * size, __builtin_return_address(0)) ? NULL :
		__libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return size != 0 && fails(size, __builtin_return_address(0)) ? NULL :
		__libc_realloc(old, size);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int result = (int)syscall(SYS_clock_gettime, id, ts);

	if (result == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += control->jump_s;
	return result;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
