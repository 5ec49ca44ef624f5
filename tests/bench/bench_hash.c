/* bench_hash.c - how long a table of digest signatures takes to load and to
 * look into, and how much memory. Not part of `make check`.
 *
 *   tests/bench/bench_hash [SIGNATURES]     (5,000,000)
 *
 * Writes a list of random digests to a directory of its own under TMPDIR and
 * removes it again. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine_hash.h"
#include "str.h"

#define LOOKUPS 1000000u

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* xorshift64*: spread as evenly as digests are. */
static uint64_t random_next(uint64_t *x)
{
	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * 2685821657736338717u;
}

static long status_kb(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t n = strlen(key);
	char line[256];
	long kb = -1;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, key, n) == 0)
			kb = strtol(line + n, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kb;
}

static int write_list(const char *path, unsigned long n)
{
	FILE *f = fopen(path, "w");
	uint64_t x = 88172645463325252u, digest[4];
	char hex[65];

	if (f == NULL)
		return -1;
	for (unsigned long i = 0; i < n; i++) {
		for (int k = 0; k < 4; k++)
			digest[k] = random_next(&x);
		str_hex(hex, digest, sizeof digest);
		fprintf(f, "%s\n", hex);
	}
	return fclose(f);
}

/* Nanoseconds for one small object; with the table empty: the digest alone. */
static double scan_ns(void)
{
	unsigned char object[64] = { 0 };
	struct engine_result r;
	double start = now_s();

	for (unsigned i = 0; i < LOOKUPS; i++) {
		memcpy(object, &i, sizeof i);
		struct engine_object o = { .data = object, .len = sizeof object, .fd = -1,
			.name = "", .want_sha256 = true };
		if (engine_hash_scan(&o, "", NULL, &r) != ENGINE_CLEAN)
			fprintf(stderr, "found what cannot be there\n");
	}
	return (now_s() - start) / LOOKUPS * 1e9;
}

static int measure(const char *dir, unsigned long n)
{
	char path[4200], none[4200], why[256];
	long before_kb, after_kb;

	snprintf(path, sizeof path, "%s/list.sha256", dir);
	snprintf(none, sizeof none, "%s/none", dir);
	if (write_list(path, n) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	if (engine_hash_load(none, why, sizeof why) < 0)
		return -1;
	double digest_ns = scan_ns();
	before_kb = status_kb("VmRSS:");
	double start = now_s();
	if (engine_hash_load(dir, why, sizeof why) < 0) {
		fprintf(stderr, "%s\n", why);
		return -1;
	}
	double load_s = now_s() - start;
	after_kb = status_kb("VmRSS:");
	printf("%lu signatures: loaded in %.2f s, %.1f MiB (at most %.1f MiB in all)\n",
		engine_hash_count(), load_s, (double)(after_kb - before_kb) / 1024,
		(double)status_kb("VmHWM:") / 1024);
	printf("look-up: %.0f ns\n", scan_ns() - digest_ns);
	return 0;
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000000;
	char dir[4096], path[4200];

	snprintf(dir, sizeof dir, "%s/bench_hash.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (n == 0 || mkdtemp(dir) == NULL) {
		fprintf(stderr, "usage: %s [SIGNATURES]\n", argv[0]);
		return 64;
	}
	int result = measure(dir, n);
	engine_hash_unload();
	snprintf(path, sizeof path, "%s/list.sha256", dir);
	unlink(path);
	rmdir(dir);
	return result < 0;
}
