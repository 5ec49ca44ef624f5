/* check_spool.c - a message on the heap, in a memfd and in a file: the same
 * octets everywhere, a descriptor nobody can write through, and nothing left
 * behind, also where memory, descriptors or disk run out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "split.h"
#include "spool.h"
#include "unit.h"

#define KI 1024u
#define MI (1024u * KI)

static char dir[UNIT_PATH_SIZE];
static bool no_tmpfile;   /* a file system that has no O_TMPFILE */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	unsigned mode = va_arg(ap, unsigned);
	va_end(ap);
	if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_open(path, flags, mode);
}

static void setup(void)
{
	unit_dir(dir);
	no_tmpfile = false;
}

static void teardown(void)
{
	/* Fails, and the test with it, if anything was left there. */
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_uint_eq(spool_memory_used(), 0);
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static struct spool_cfg config(uint64_t message_memory, uint64_t memory_max)
{
	return (struct spool_cfg){ .dir = dir, .message_memory = message_memory,
		.memory_max = memory_max, .min_free = 0 };
}

static unsigned char octet_at(uint64_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

/* Appends octets by the pieces that mode gives. */
static int fill(struct spool *s, uint64_t n, size_t piece)
{
	static unsigned char block[70 * KI];
	uint64_t at = spool_size(s), end = at + n;

	while (at < end) {
		size_t k = end - at < piece ? (size_t)(end - at) : piece;
		for (size_t i = 0; i < k; i++)
			block[i] = octet_at(at + i);
		if (spool_write(s, block, k) < 0)
			return -1;
		at += k;
		need(spool_size(s) == at);
	}
	return 0;
}

static void check_range(const struct spool *s, int fd, uint64_t from, size_t n)
{
	static unsigned char got[70 * KI];
	uint64_t size = spool_size(s);

	need(n <= sizeof got);
	ssize_t k = fd >= 0 ? pread(fd, got, n, (off_t)from) : spool_read(s, from, got, n);
	size_t want = from >= size ? 0 : size - from < n ? (size_t)(size - from) : n;
	need(k == (ssize_t)want);
	for (size_t i = 0; i < want; i++)
		need(got[i] == octet_at(from + i));
}

static void check_content(const struct spool *s, int fd)
{
	unsigned seed = 3;

	for (uint64_t at = 0; at < spool_size(s); at += 64 * KI)
		check_range(s, fd, at, 64 * KI);
	for (int i = 0; i < 50; i++)
		check_range(s, fd, split_random(&seed) % (spool_size(s) + 10),
			split_random(&seed) % (8 * KI));
	check_range(s, fd, spool_size(s), 10);
	check_range(s, fd, UINT64_MAX / 4, 10);
}

static void cannot_write(int fd)
{
	struct stat st, after;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_lt(write(fd, "x", 1), 0);
	ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
	ck_assert_int_lt(pwrite(fd, "x", 1, st.st_size), 0);
	ck_assert_int_lt(ftruncate(fd, st.st_size + 1), 0);
	if (st.st_size > 0)
		ck_assert_int_lt(ftruncate(fd, 0), 0);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_eq(st.st_size, after.st_size);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

static const struct { uint64_t size; size_t piece; } sizes[] = {
	{ 0, 1 }, { 1, 1 }, { 100, 7 }, { 4 * KI, 4 * KI }, { 64 * KI - 1, 999 },
	{ 64 * KI, 64 * KI }, { 64 * KI + 1, 64 * KI + 1 }, { 64 * KI + 1, 1 },
	{ 200 * KI, 3 * KI + 1 }, { 256 * KI, 64 * KI }, { 256 * KI + 1, 64 * KI },
	{ 256 * KI + 1, 5000 }, { 3 * MI, 33333 },
};

/* Every size, with memory for 256 KiB of it; then it is shown to a scanner. */
START_TEST(kept_and_shown)
{
	for (int i = 0; i < 2; i++) {
		struct spool_cfg cfg = config(256 * KI, 64 * MI);
		struct spool *s = spool_open(&cfg, 0);
		unsigned fds = open_fds();
		no_tmpfile = i == 1;
		ck_assert_int_eq(fill(s, sizes[_i].size, sizes[_i].piece), 0);
		check_content(s, -1);
		int fd = spool_fd(s);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(spool_fd(s), fd);
		check_content(s, fd);
		check_content(s, -1);
		cannot_write(fd);
		/* Whoever has the descriptor moves its offset: no matter. */
		lseek(fd, 1, SEEK_SET);
		check_content(s, -1);
		spool_close(&s);
		ck_assert_ptr_null(s);
		ck_assert_uint_le(open_fds(), fds);
	}
}
END_TEST

static bool is_memfd(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

/* Where the octets are, by their number. */
START_TEST(places)
{
	struct spool_cfg cfg = config(256 * KI, 64 * MI);
	struct spool *s = spool_open(&cfg, 0);
	unsigned fds = open_fds();

	ck_assert_int_eq(fill(s, 64 * KI, 4 * KI), 0);
	ck_assert_ptr_nonnull(spool_view(s));
	ck_assert_int_eq(((const unsigned char *)spool_view(s))[5], octet_at(5));
	ck_assert_uint_eq(open_fds(), fds);           /* the heap: no descriptor */
	ck_assert_uint_eq(spool_memory_used(), 64 * KI);
	ck_assert_int_eq(fill(s, 192 * KI, 4 * KI), 0);
	ck_assert_ptr_null(spool_view(s));
	ck_assert_uint_eq(open_fds(), fds + 1);       /* memfd */
	ck_assert_uint_eq(spool_memory_used(), 256 * KI);
	ck_assert(is_memfd(spool_fd(s)));
	int seals = fcntl(spool_fd(s), F_GET_SEALS);
	ck_assert_int_eq(seals, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	spool_close(&s);

	s = spool_open(&cfg, 0);
	ck_assert_int_eq(fill(s, 256 * KI, 4 * KI), 0);
	ck_assert_int_eq(fill(s, 1, 1), 0);
	ck_assert_uint_eq(spool_memory_used(), 0);    /* all of it is in a file */
	ck_assert(!is_memfd(spool_fd(s)));
	ck_assert_int_eq(fcntl(spool_fd(s), F_GETFL) & O_ACCMODE, O_RDONLY);
	check_content(s, -1);
	spool_close(&s);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* A file has no name, or only for a moment, and cannot be opened again to write. */
START_TEST(no_name)
{
	struct spool_cfg cfg = config(0, 64 * MI);
	struct stat st;

	for (int i = 0; i < 2; i++) {
		struct spool *s = spool_open(&cfg, 0);
		no_tmpfile = i == 1;
		ck_assert_int_eq(fill(s, 10, 3), 0);
		ck_assert_int_eq(fstat(spool_fd(s), &st), 0);
		ck_assert_uint_eq(st.st_nlink, 0);
		ck_assert_uint_eq(st.st_mode & 0777, 0400);
		ck_assert_int_eq(rmdir(dir), 0);
		ck_assert_int_eq(mkdir(dir, 0700), 0);
		spool_close(&s);
	}
}
END_TEST

/* All spools share one memory: who comes late goes to a file. */
START_TEST(shared_memory)
{
	struct spool_cfg cfg = config(MI, 100 * KI);
	struct spool *a = spool_open(&cfg, 0), *b = spool_open(&cfg, 0), *c = spool_open(&cfg, 0);

	ck_assert_int_eq(fill(a, 60 * KI, 4 * KI), 0);
	ck_assert_int_eq(fill(b, 40 * KI, 4 * KI), 0);
	ck_assert_uint_eq(spool_memory_used(), 100 * KI);
	ck_assert_int_eq(fill(c, 1, 1), 0);
	ck_assert(!is_memfd(spool_fd(c)));
	ck_assert_int_eq(fill(b, 1, 1), 0);
	ck_assert_uint_eq(spool_memory_used(), 60 * KI);
	check_content(a, -1);
	check_content(b, -1);
	check_content(c, -1);
	spool_close(&c);
	c = spool_open(&cfg, 0);
	ck_assert_int_eq(fill(c, 40 * KI, 4 * KI), 0);
	ck_assert_uint_eq(spool_memory_used(), 100 * KI);
	spool_close(&a);
	spool_close(&b);
	spool_close(&c);
	spool_close(&c);
}
END_TEST

/* What is known to be large does not begin in memory; one that was announced so
 * and is not is none the worse for it. */
START_TEST(expected)
{
	static const uint64_t said[] = { 0, 99, 100, 101, 5 * MI };
	struct spool_cfg cfg = config(100, 64 * MI);

	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		for (size_t n = 1; n <= 300; n += 149) {
			struct spool *s = spool_open(&cfg, said[i]);
			ck_assert_int_eq(fill(s, n, 7), 0);
			ck_assert(is_memfd(spool_fd(s)) == (said[i] <= 100 && n <= 100));
			check_content(s, spool_fd(s));
			spool_close(&s);
		}
	}
}
END_TEST

START_TEST(no_directory)
{
	struct spool_cfg cfg = config(100, 64 * MI);
	struct spool *s = spool_open(&cfg, 0);

	cfg.dir = "/nonexistent/spool";
	ck_assert_int_eq(fill(s, 100, 10), 0);
	errno = 0;
	ck_assert_int_eq(fill(s, 1, 1), -1);
	ck_assert_int_eq(errno, ENOENT);
	spool_close(&s);
}
END_TEST

/* So much of the disk stays free. */
START_TEST(min_free)
{
	struct spool_cfg cfg = config(100, 64 * MI);
	struct statvfs v;

	ck_assert_int_eq(statvfs(dir, &v), 0);
	uint64_t avail = (uint64_t)v.f_bavail * v.f_frsize;
	cfg.min_free = avail + 100 * (uint64_t)MI;
	struct spool *s = spool_open(&cfg, 0);
	errno = 0;
	ck_assert_int_eq(fill(s, 101, 101), -1);
	ck_assert_int_eq(errno, ENOSPC);
	spool_close(&s);
	if (avail < 300 * (uint64_t)MI)
		return;
	cfg.min_free = avail / 2;
	s = spool_open(&cfg, 0);
	ck_assert_int_eq(fill(s, 3 * MI, 64 * KI), 0);
	check_content(s, -1);
	spool_close(&s);
}
END_TEST

static void limit(__rlimit_resource_t what, rlim_t n)
{
	struct rlimit r;

	ck_assert_int_eq(getrlimit(what, &r), 0);
	r.rlim_cur = n;
	ck_assert_int_eq(setrlimit(what, &r), 0);
}

/* A write that ends short: an error, not a shorter message. Also while what
 * was in memory moves to the file. */
START_TEST(disk_full)
{
	unsigned fds = open_fds();

	signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		struct spool_cfg cfg = config(i == 0 ? 100 : 300 * KI, 64 * MI);
		struct spool *s = spool_open(&cfg, 0);
		limit(RLIMIT_FSIZE, RLIM_INFINITY);
		if (i == 2)
			ck_assert_int_eq(fill(s, 300 * KI, 4 * KI), 0);
		limit(RLIMIT_FSIZE, 100 * KI + 50);
		errno = 0;
		ck_assert_int_eq(fill(s, MI, 7 * KI), -1);
		ck_assert_int_eq(errno, EFBIG);
		limit(RLIMIT_FSIZE, RLIM_INFINITY);
		spool_close(&s);
		ck_assert_uint_eq(open_fds(), fds);
	}
}
END_TEST

START_TEST(no_descriptor)
{
	struct spool_cfg cfg = config(256 * KI, 64 * MI);
	struct spool *heap = spool_open(&cfg, 0), *file = spool_open(&cfg, 0), *more = spool_open(&cfg, 0);
	unsigned fds = open_fds();
	struct rlimit r;

	ck_assert_int_eq(fill(heap, 10, 10), 0);
	ck_assert_int_eq(fill(more, 10, 10), 0);
	ck_assert_int_eq(fill(file, 257 * KI, 10 * KI), 0);
	getrlimit(RLIMIT_NOFILE, &r);
	limit(RLIMIT_NOFILE, 0);
	errno = 0;
	ck_assert_int_eq(spool_fd(heap), -1);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(spool_fd(file), -1);
	ck_assert_int_eq(errno, EMFILE);
	errno = 0;
	ck_assert_int_eq(fill(more, 64 * KI, 64 * KI), -1);
	ck_assert_int_eq(errno, EMFILE);
	limit(RLIMIT_NOFILE, r.rlim_cur);
	/* What could not be shown can be later. */
	ck_assert_int_ge(spool_fd(heap), 0);
	check_content(heap, spool_fd(heap));
	check_content(file, spool_fd(file));
	spool_close(&heap);
	spool_close(&file);
	spool_close(&more);
	ck_assert_uint_le(open_fds(), fds);
}
END_TEST

static void *churn(void *arg)
{
	struct spool_cfg *cfg = arg;

	for (int i = 0; i < 300; i++) {
		struct spool *s = spool_open(cfg, 0);
		if (s == NULL || spool_write(s, "0123456789", 10) < 0 ||
		    spool_memory_used() > cfg->memory_max + 40)
			return arg;
		spool_close(&s);
	}
	return NULL;
}

/* Threads share the account of memory and nothing else. */
START_TEST(threads)
{
	struct spool_cfg cfg = config(MI, 25);
	pthread_t t[4];
	void *bad = NULL, *got;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, churn, &cfg), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &got);
		bad = got != NULL ? got : bad;
	}
	ck_assert_ptr_null(bad);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool");
	TCase *tc = tcase_create("spool");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, kept_and_shown, 0, (int)(sizeof sizes / sizeof *sizes));
	tcase_add_test(tc, places);
	tcase_add_test(tc, no_name);
	tcase_add_test(tc, shared_memory);
	tcase_add_test(tc, expected);
	tcase_add_test(tc, no_directory);
	tcase_add_test(tc, min_free);
	tcase_add_test(tc, disk_full);
	tcase_add_test(tc, no_descriptor);
	tcase_add_test(tc, threads);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
