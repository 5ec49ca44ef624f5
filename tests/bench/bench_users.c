/* bench_users.c - how long a user file takes to load and a message to be
 * matched, and how much memory the sections hold. Not part of `make check`.
 *
 *   tests/bench/bench_users [SECTIONS ...]     (10 1000 100000)
 *
 * Of the sections one in four is a recipient's, one a sender's, one a domain,
 * one a pair; each sets an option or two, one in ten inherits a group. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"

#define LOOKUPS 1000000u

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void section_name(char *out, size_t size, unsigned i)
{
	switch (i % 4) {
	case 0: snprintf(out, size, "user%u@d%u.example.com", i, i % 1000); break;
	case 1: snprintf(out, size, "|from%u@s%u.example.org", i, i % 1000); break;
	case 2: snprintf(out, size, "host%u.d%u.example.net", i, i % 1000); break;
	default: snprintf(out, size, "to%u@d%u.example.com|s.example.org", i, i % 1000); break;
	}
}

static int write_file(const char *path, unsigned n)
{
	FILE *f = fopen(path, "w");
	char name[100];

	if (f == NULL)
		return -1;
	fprintf(f, "[list]\naction_av_infected = discard\nav_allow_name = \"Test.*\"\n");
	for (unsigned i = 0; i < n; i++) {
		section_name(name, sizeof name, i);
		fprintf(f, "[%s]\nav_scan_obj_archives = %s\nav_scan_timeout = %u\n%s\n", name,
			i % 3 ? "yes" : "no", 10 + i % 500, i % 10 ? "" : "parent_id = list\n");
	}
	return fclose(f);
}

static void note(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	if (kind == CONF_NOTE_ERROR)
		fprintf(stderr, "%s\n", text);
}

static struct conf *load(char *path)
{
	char prog[] = "bench", option[] = "-c";
	char *argv[] = { prog, option, path, NULL };
	struct conf_cli cli;

	if (conf_cli_parse(&cli, CONF_PROG_SMTP, 3, argv, note, NULL) < 0)
		return NULL;
	struct conf *c = conf_load(&cli, note, NULL);
	conf_cli_fini(&cli);
	return c;
}

/* Nanoseconds of one match, where every second address has a section. */
static double match_ns(const struct conf *c, unsigned n, unsigned *hits)
{
	enum { KINDS = 1024 };
	static char rcpts[KINDS][64], sndrs[KINDS][64];
	unsigned x = 12345;

	for (unsigned i = 0; i < KINDS; i++) {
		x = x * 1103515245u + 12345u;
		unsigned k = i % 2 ? (x >> 8) % n / 4 * 4 : n + (x >> 8) % n;
		snprintf(rcpts[i], sizeof rcpts[i], "User%u@D%u.Example.com", k, k % 1000);
		snprintf(sndrs[i], sizeof sndrs[i], "someone%u@mail.example.edu", x >> 8);
	}
	double start = now_s();
	for (unsigned i = 0; i < LOOKUPS; i++) {
		const char *r = rcpts[i * 7 % KINDS], *s = sndrs[i * 11 % KINDS];
		*hits += conf_settings_for(c, r, strlen(r), s, strlen(s)).scan != &c->smtp.scan;
	}
	return (now_s() - start) / LOOKUPS * 1e9;
}

static int bench(char *cfg, const char *users, unsigned n)
{
	unsigned hits = 0;

	if (write_file(users, n) != 0)
		return -1;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	double start = now_s();
	struct conf *c = load(cfg);
	double loaded = now_s() - start;
	if (c == NULL)
		return -1;
	size_t held = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	double ns = match_ns(c, n, &hits);
	printf("%7u sections: loaded in %7.3f s, hold %8.2f MiB, a match takes %5.0f ns (%u %% hit)\n",
		n, loaded, (double)held / (1 << 20), ns, hits / (LOOKUPS / 100));
	conf_free(&c);
	return 0;
}

int main(int argc, char **argv)
{
	static const unsigned sizes[] = { 10, 1000, 100000 };
	char dir[200], cfg[300], users[300];
	const char *tmp = getenv("TMPDIR");
	int failed = 0;

	snprintf(dir, sizeof dir, "%s/bench_users.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(cfg, sizeof cfg, "%s/esets.cfg", dir);
	snprintf(users, sizeof users, "%s/users.cfg", dir);
	FILE *f = fopen(cfg, "w");
	if (f != NULL) {
		fputs("[smtp]\nuser_config = users.cfg\n", f);
		fclose(f);
	}
	for (int i = 1; i < argc; i++)
		failed |= bench(cfg, users, (unsigned)strtoul(argv[i], NULL, 10));
	for (size_t i = 0; argc == 1 && i < sizeof sizes / sizeof *sizes; i++)
		failed |= bench(cfg, users, sizes[i]);
	unlink(users);
	unlink(cfg);
	rmdir(dir);
	return failed != 0;
}
