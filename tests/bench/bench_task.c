/* bench_task.c - CPU time of the scan itself: task_run with the builtin engine,
 * without sockets and sessions. Not part of `make check`.
 *
 *   tests/bench/bench_task [-f | -n] [-s] [KIB [SECONDS]]     (4 KiB, 1 s)
 *
 * -f  the message is in a file without a name, as the agent's spool, not in a
 *     memfd; -n in one with a name, which is copied    -s  it is judged for spam too
 *
 * The message is a text, or from 64 KiB on a base64 attachment, and a signature
 * has every object hashed. Up to SCAN_INLINE_MAX octets go inline, as from the
 * agent. Writes to a directory of its own under TMPDIR and removes it. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "engine.h"
#include "sealed.h"
#include "task.h"

#define TEXT_BELOW (64u << 10)
#define LINE 76u

static char dir[4000], list[4096], spool[4096];

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * 2685821657736338717u;
}

/* Whole lines of digits of base64, or of words. Returns the size. */
static size_t make_message(char *out, size_t size, bool is_text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t x = 88172645463325252u;
	size_t n = (size_t)sprintf(out, "From: a@bench.example\r\nTo: b@bench.example\r\n"
		"Subject: a message\r\nMIME-Version: 1.0\r\nContent-Type: %s\r\n"
		"Content-Transfer-Encoding: %s\r\n\r\n",
		is_text ? "text/plain; charset=utf-8" : "application/octet-stream; name=data.bin",
		is_text ? "8bit" : "base64");

	while (n + LINE + 2 <= size) {
		for (unsigned column = 0; column < LINE; column++) {
			const uint64_t r = random_next(&x) >> 32;
			out[n++] = is_text && r % 6 == 0 ? ' ' : digits[r % 64];
		}
		memcpy(out + n, "\r\n", 2);
		n += 2;
	}
	return n;
}

static int write_file(const char *path, const char *p, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	while (fd >= 0 && n > 0) {
		ssize_t done = write(fd, p, n);
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return fd;
}

static int load(void)
{
	static const char line[] =
		"0000000000000000000000000000000000000000000000000000000000000001\n";
	struct conf c = { .global = { .av_engines = "builtin", .as_engines = "builtin",
		.av_signature_dir = dir } };
	char why[256];
	int fd = write_file(list, line, sizeof line - 1);

	if (fd < 0 || close(fd) < 0)
		return -1;
	if (engines_load(&c, why, sizeof why) == 0)
		return 0;
	fprintf(stderr, "%s\n", why);
	return -1;
}

static int measure(struct scan_request *r, int fd, double seconds)
{
	struct verdict v;
	unsigned long n = 0;
	int clean_fd;
	double start = cpu_s(), used = 0;

	for (; used < seconds; n++) {
		if (!task_run(r, fd, LLONG_MAX, NULL, NULL, &v, &clean_fd) || v.av != VERDICT_AV_CLEAN) {
			fprintf(stderr, "not clean: %s\n", v.reason);
			return -1;
		}
		verdict_fini(&v);
		if (n % 64 == 0 || r->size > 1u << 20)
			used = cpu_s() - start;
	}
	used = cpu_s() - start;
	printf("%llu octets: %.1f MB/s of message, %.2f us each\n", (unsigned long long)r->size,
		(double)r->size * (double)n / used / 1e6, used / (double)n * 1e6);
	return 0;
}

static int run(size_t size, double seconds, bool is_file, bool is_named, bool want_as)
{
	char *p = malloc(size + 1024);

	task_mem_init();
	if (p == NULL || load() < 0)
		return -1;
	const size_t n = make_message(p, size, size < TEXT_BELOW);
	struct scan_request r = { .id = "", .agent = "bench", .sender = "", .client = "", .helo = "",
		.queue_id = "", .name = "", .is_mail = true, .want_av = true, .want_as = want_as,
		.size = n, .octets = p, .is_inline = n <= SCAN_INLINE_MAX && !is_file,
		.opts = { .obj_files = true, .obj_archives = true, .obj_emails = true,
			.obj_mailbox = true, .obj_sfx = true, .obj_rtp = true,
			.archive_max_level = 10, .archive_max_size = 100u << 20,
			.archive_max_files = 1000, .archive_max_ratio = 150, .ext_exclude = "",
			.block_ext = "", .allow_hash = "", .allow_name = "" } };
	int fd = r.is_inline ? -1 : is_file ? write_file(spool, p, n) : sealed_fd("bench", p, n);
	if (is_file && !is_named)
		unlink(spool);
	int result = !r.is_inline && fd < 0 ? -1 : measure(&r, fd, seconds);

	free(p);
	if (fd >= 0)
		close(fd);
	return result;
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	bool is_file = false, is_named = false, want_as = false;
	int c;

	while ((c = getopt(argc, argv, "fns")) != -1) {
		is_file |= c == 'f' || c == 'n';
		is_named |= c == 'n';
		want_as |= c == 's';
		if (c == '?')
			return 64;
	}
	const unsigned long kib = optind < argc ? strtoul(argv[optind], NULL, 10) : 4;
	const double seconds = optind + 1 < argc ? strtod(argv[optind + 1], NULL) : 1;
	snprintf(dir, sizeof dir, "%s/bench_task.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (kib == 0 || mkdtemp(dir) == NULL) {
		fprintf(stderr, "usage: %s [-f | -n] [-s] [KIB [SECONDS]]\n", argv[0]);
		return 64;
	}
	snprintf(list, sizeof list, "%s/list.sha256", dir);
	snprintf(spool, sizeof spool, "%s/message", dir);
	int result = run(kib << 10, seconds, is_file, is_named, want_as);
	unlink(spool);
	unlink(list);
	rmdir(dir);
	return result < 0;
}
