/* task_content.c - the octets of a request: inline, copied, or mapped where they lie.
 *
 * What is mapped may be cut short while it is read, or the disk fail: that is a
 * signal (SIGBUS), which would end the worker with the mail of all its threads. Here
 * it costs the one message: the rest of its mapping becomes zeros, the reader goes
 * on, and the verdict says that the message could not be read. */
#include "task_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define COPY_MAX (1u << 20)          /* copied sooner than mapped, faulted in and unmapped */

/* ---- what can be read no more ------------------------------------------------ */

/* Of this thread, innermost first: a task that cleans runs another one. */
static _Thread_local struct task_content *volatile mapped_ones;
static uintptr_t page_size;

static struct task_content *find_mapped(uintptr_t at)
{
	struct task_content *c = mapped_ones;

	while (c != NULL && at - (uintptr_t)c->mapped >= c->mapped_len)
		c = c->outer;
	return c;
}

/* A read of this thread that failed, or no affair of ours. */
static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	const int error = errno;
	const uintptr_t at = (uintptr_t)info->si_addr & ~(page_size - 1);
	struct task_content *c = info->si_code > 0 ? find_mapped(at) : NULL;
	void *zeros = MAP_FAILED;

	(void)context;
	if (c != NULL)
		zeros = mmap((char *)c->mapped + (at - (uintptr_t)c->mapped),
			(uintptr_t)c->mapped + c->mapped_len - at, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (zeros != MAP_FAILED) {
		c->is_lost = 1;
	} else {
		signal(sig, SIG_DFL);
		(void)raise(sig); /* as soon as this returns */
	}
	errno = error;
}

static void catch_bus_errors(void)
{
	struct sigaction a = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	sigaction(SIGBUS, &a, NULL);
}

/* ---- taken and given back ---------------------------------------------------- */

static int read_all(struct task *t, int fd, char *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		if (!task_goes_on(t))
			return -1;
		ssize_t n = pread(fd, p + at, pace_end(at, len) - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENODATA; /* it is shorter than was said */
		if (n <= 0)
			return -1;
		at += (size_t)n;
	}
	return 0;
}

/* Octets that nobody has written take no memory before a mapping of them is read; of
 * a file in memory that would be memory that no limit of ours counts. */
static bool has_holes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size;
}

/* A file without a name of our own user's: the agent's spool, which nobody cuts short
 * in good faith. What FUSE says of a file its user says, and a page of it may take as
 * long as he likes, which no limit of time would end. */
static bool is_own_spool(int fd, const struct stat *st)
{
	struct statfs fs;

	return S_ISREG(st->st_mode) && st->st_nlink == 0 && st->st_uid == geteuid() &&
		(st->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
		fstatfs(fd, &fs) == 0 && fs.f_type != FUSE_SUPER_MAGIC &&
		(fs.f_type != TMPFS_MAGIC || !has_holes(st));
}

/* Are there len octets that stay, and no holes? Seals first: before them it may be cut. */
static bool is_steady(int fd, size_t len)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	const bool is_sealed = seals >= 0 && (seals & F_SEAL_SHRINK) && (seals & F_SEAL_WRITE);
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size >= len &&
		(is_sealed ? !has_holes(&st) : is_own_spool(fd, &st));
}

static int map(struct task_content *c, int fd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, catch_bus_errors);
	void *p = mmap(NULL, c->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	c->p = c->mapped = p;
	c->mapped_len = (c->len + page_size - 1) & ~(page_size - 1);
	c->outer = mapped_ones;
	atomic_signal_fence(memory_order_seq_cst);
	mapped_ones = c;
	return 0;
}

/* What is long, steady and all there is mapped where it lies. Another file is copied,
 * within the limit of memory. */
int task_content_open(struct task *t, int fd)
{
	struct task_content *c = &t->content;
	const struct scan_request *r = t->r;

	*c = (struct task_content){ .p = "", .len = (size_t)r->size };
	if (r->is_inline)
		c->p = r->octets;
	if (r->is_inline || c->len == 0)
		return 0;
	if (c->len > COPY_MAX && is_steady(fd, c->len))
		return map(c, fd);
	c->p = c->copy = malloc(c->len);
	return c->copy != NULL ? read_all(t, fd, c->copy, c->len) : -1;
}

void task_content_close(struct task *t)
{
	struct task_content *c = &t->content;

	if (c->mapped != NULL) {
		mapped_ones = c->outer; /* it is the innermost */
		atomic_signal_fence(memory_order_seq_cst);
		munmap(c->mapped, c->len);
	}
	free(c->copy);
}
