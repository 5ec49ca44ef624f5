/* check_smtp_dot.c - end of data and dot-stuffing against a reference that was
 * written straight from RFC 5321 (smtp_ref.h), on every short string of the
 * octets that matter and on long random ones; and what goes out again must
 * show one message to every server, however lax (I4). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp_dot.h"
#include "smtp_ref.h"
#include "split.h"
#include "unit.h"

#define IN_MAX 2048

struct got {
	char body[2 * IN_MAX];
	size_t len, used;
	int end;
	struct smtp_dot d;
};

static int keep_octets(void *arg, const void *p, size_t n)
{
	struct got *g = arg;

	need(n > 0 && g->len + n <= sizeof g->body);
	memcpy(g->body + g->len, p, n);
	g->len += n;
	return 0;
}

static void decode(struct got *g, const char *in, size_t n, bool keep, unsigned mode)
{
	struct split cut = split_init(mode);

	g->len = g->used = 0;
	g->end = 0;
	smtp_dot_init(&g->d, keep);
	while (g->used < n && g->end == 0) {
		size_t k = split_next(&cut, n - g->used), used = 0;
		g->end = smtp_dot_push(&g->d, in + g->used, k, keep_octets, g, &used);
		need(g->end == 1 ? used > 0 && used <= k : used == k);
		g->used += used;
	}
}

/* What the flags should say of a body that was decoded. */
static void check_flags(const struct got *g, const char *in, bool keep)
{
	bool dot_lines = false, bare = false;

	for (size_t i = 0; i < g->len; i++)
		dot_lines |= g->body[i] == '.' && (i == 0 || g->body[i - 1] == '\n');
	for (size_t i = 0; i < g->used; i++) {
		bare |= in[i] == '\n' && (i == 0 || in[i - 1] != '\r');
		bare |= in[i] == '\r' && (i + 1 == g->used || in[i + 1] != '\n');
	}
	need(g->d.has_dot_lines == dot_lines);
	need(g->d.has_bare == bare);
	need(!g->d.sink_failed);
	for (size_t i = 0; !keep && i < g->len; i++) {
		need(g->body[i] != '\n' || (i > 0 && g->body[i - 1] == '\r'));
		need(g->body[i] != '\r' || (i + 1 < g->len && g->body[i + 1] == '\n'));
	}
}

static size_t stuff(const char *in, size_t n, char *out, unsigned mode)
{
	struct split cut = split_init(mode);
	struct smtp_stuff s;
	size_t w = 0;

	smtp_stuff_init(&s);
	while (n > 0) {
		size_t k = split_next(&cut, n), before = w;
		w += smtp_stuff_push(&s, in, k, out + w);
		need(w - before >= k && w - before <= 2 * k);
		in += k;
		n -= k;
	}
	const char *end = smtp_stuff_end(&s);
	memcpy(out + w, end, strlen(end));
	return w + strlen(end);
}

/* Stuffed and decoded again it is the same body, with a line end where its last
 * line had none (chunks may end so), and there is one end of data by any rule:
 * the last three octets. */
static void check_stuffed(const struct got *g, bool keep, unsigned modes)
{
	static char out[2][4 * IN_MAX + 8];
	static struct got again;
	size_t n = 0;

	for (unsigned mode = 0; mode < modes; mode++) {
		size_t k = stuff(g->body, g->len, out[mode > 0], mode);
		need(mode == 0 || (k == n && memcmp(out[0], out[1], n) == 0));
		n = k;
	}
	decode(&again, out[0], n, keep, SPLIT_WHOLE);
	need(again.end == 1 && again.used == n);
	need(again.len >= g->len && memcmp(again.body, g->body, g->len) == 0);
	bool ends = g->len == 0 || (g->len > 1 && memcmp(g->body + g->len - 2, "\r\n", 2) == 0);
	need(again.len == g->len + (ends ? 0 : 2));
	need(ends || memcmp(again.body + g->len, "\r\n", 2) == 0);
	if (!keep) {
		need(ref_lax_ends(out[0], n) == 1);
		need(n >= 3 && memcmp(out[0] + n - 3, ".\r\n", 3) == 0);
	}
}

/* in must hold an end of data. */
static void check_in(const char *in, size_t n, bool keep, unsigned modes)
{
	static struct got g;
	static char want[2 * IN_MAX];
	size_t want_len = 0, want_used = 0;

	need(ref_dot_decode(in, n, keep, want, &want_len, &want_used));
	for (unsigned mode = 0; mode < modes; mode++) {
		decode(&g, in, n, keep, mode);
		need(g.end == 1);
		need(g.used == want_used);
		need(g.len == want_len && memcmp(g.body, want, want_len) == 0);
		check_flags(&g, in, keep);
	}
	check_stuffed(&g, keep, modes);
}

/* The octets, and what surely ends them. */
static void check_ended(const char *in, size_t n, bool keep, unsigned modes)
{
	static char all[IN_MAX];

	memcpy(all, in, n);
	memcpy(all + n, "\r\n.\r\n", 5);
	check_in(all, n + 5, keep, modes);
	memcpy(all + n, "\r\n.\r\nMAIL FROM:<>\r\n", 19);   /* and what follows stays */
	check_in(all, n + 19, keep, 2);
}

static const char alphabet[] = { '\r', '\n', '.', 'a', '\0' };

static void check_every(size_t n, bool keep, unsigned modes)
{
	char in[16];
	size_t all = 1;

	for (size_t i = 0; i < n; i++)
		all *= sizeof alphabet;
	for (size_t v = 0; v < all; v++) {
		size_t rest = v;
		for (size_t i = 0; i < n; i++) {
			in[i] = alphabet[rest % sizeof alphabet];
			rest /= sizeof alphabet;
		}
		check_ended(in, n, keep, modes);
	}
}

START_TEST(every_short_body)
{
	check_every((size_t)_i, false, 3);
	if (_i < 8)
		check_every((size_t)_i, true, 3);
}
END_TEST

static void check_random(bool keep)
{
	static const char mix[] = "\r\n\r\n\r\n\n\r..aaa\0bc";
	unsigned seed = keep ? 3 : 4;
	char in[IN_MAX - 32];

	for (int round = 0; round < 2000; round++) {
		size_t top = round % 10 == 0 ? sizeof in : 80;
		size_t n = split_random(&seed) % top;
		for (size_t i = 0; i < n; i++)
			in[i] = mix[split_random(&seed) % (sizeof mix - 1)];
		check_ended(in, n, keep, SPLIT_MODES);
	}
}

START_TEST(random_bodies)
{
	check_random(false);
	check_random(true);
}
END_TEST

#define LARGE (384u << 10)

struct large {
	size_t len;
	char body[2 * LARGE];
};

static int keep_large(void *arg, const void *p, size_t n)
{
	struct large *l = arg;

	need(n > 0 && l->len + n <= sizeof l->body);
	memcpy(l->body + l->len, p, n);
	l->len += n;
	return 0;
}

/* Lines of this length, with a dot or a bare newline between some. */
static size_t make_lines(char *out, size_t line)
{
	static const char *const ends[] = { "\r\n", "\n", "\r\n..", "\r", "\r\n.\r.", "\r\n\r\n" };
	size_t n = 0;

	for (size_t i = 0; n + line + 16 < LARGE; i++) {
		const char *end = ends[i % (sizeof ends / sizeof *ends)];
		for (size_t k = 0; k < line; k++)
			out[n++] = (char)('a' + (i + k) % 26);
		memcpy(out + n, end, strlen(end));
		n += strlen(end);
	}
	memcpy(out + n, "\r\n.\r\n", 5);
	return n + 5;
}

/* Long pieces go to the sink at once and short ones are collected: in their
 * order all the same. */
START_TEST(large_bodies)
{
	static const size_t lines[] = { 1, 76, 1000, 8189, 8190, 8191, 8192, 8193, 30000, 32767,
		32768, 32769, 100000 };
	static char in[LARGE], want[2 * LARGE];
	static struct large got;
	struct smtp_dot d;
	size_t n = make_lines(in, lines[_i]), len = 0, want_used = 0, used = 0;

	need(ref_dot_decode(in, n, false, want, &len, &want_used));
	for (size_t step = 10000; step <= LARGE; step *= 6) {
		int end = 0;
		got.len = 0;
		smtp_dot_init(&d, false);
		for (size_t at = 0; at < n && end == 0; at += used)
			end = smtp_dot_push(&d, in + at, n - at < step ? n - at : step, keep_large,
				&got, &used);
		need(end == 1);
		need(got.len == len && memcmp(got.body, want, len) == 0);
	}
}
END_TEST

/* Chunks of BDAT: no end, no dots, the same newlines (RFC 3030). */
static void check_chunks(const char *in, size_t n, bool keep, unsigned modes)
{
	static struct got g;
	static char want[2 * IN_MAX];
	size_t len = ref_newlines(in, n, keep, want);

	for (unsigned mode = 0; mode < modes; mode++) {
		struct split cut = split_init(mode);
		size_t used;
		g.len = 0;
		smtp_dot_init_chunks(&g.d, keep);
		for (g.used = 0; g.used < n; g.used += used) {
			size_t k = split_next(&cut, n - g.used);
			need(smtp_dot_push(&g.d, in + g.used, k, keep_octets, &g, &used) == 0);
			need(used == k);
		}
		smtp_dot_end(&g.d, keep_octets, &g);
		need(g.len == len && memcmp(g.body, want, len) == 0);
		check_flags(&g, in, keep);
	}
	check_stuffed(&g, keep, modes);
}

START_TEST(chunks)
{
	static const char mix[] = "\r\n\r\n\n\r..a\0";
	unsigned seed = 8;
	char in[200];

	check_chunks("", 0, false, 1);
	check_chunks("a\r\n.\r\nb\r", 8, false, SPLIT_MODES);
	for (int round = 0; round < 5000; round++) {
		size_t n = split_random(&seed) % (round % 2 ? 6 : sizeof in);
		for (size_t i = 0; i < n; i++)
			in[i] = mix[split_random(&seed) % (sizeof mix - 1)];
		check_chunks(in, n, round & 2, SPLIT_MODES);
	}
}
END_TEST

/* Without its end, what has come out is the beginning of what will. */
START_TEST(unfinished)
{
	static const char *const parts[] = { "", ".", ".\r", "a\r", "a\r\n", "a\r\n.", "a\r\n.\r",
		"\r", "\r\r", "a\n.", "a\n.\n", "..", ".a", "a\r\n..\r", "\r\n.\r." };
	static struct got half, whole;
	char in[64];

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t n = strlen(parts[i]);
		for (unsigned mode = 0; mode < 2; mode++) {
			decode(&half, parts[i], n, false, mode);
			ck_assert_int_eq(half.end, 0);
			snprintf(in, sizeof in, "%s%s", parts[i], "\r\n.\r\n");
			decode(&whole, in, strlen(in), false, mode);
			ck_assert_int_eq(whole.end, 1);
			ck_assert_uint_le(half.len, whole.len);
			ck_assert_mem_eq(half.body, whole.body, half.len);
		}
	}
}
END_TEST

/* Every look-alike of an end of data, at the start, in the middle and at the
 * end: the message goes on, and what is sent on holds none of them. */
START_TEST(smuggling)
{
	static const char *const ends[] = { "\r\n", "\n", "\r", "\n\r", "\r\r\n", "\n\n", "" };
	static struct got g;
	char in[256];

	for (size_t a = 0; a < 7; a++) {
		for (size_t b = 0; b < 7; b++) {
			int n = snprintf(in, sizeof in,
				"one%s.%sMAIL FROM:<x>\r\nDATA\r\ntwo\r\n.\r\n", ends[a], ends[b]);
			decode(&g, in, (size_t)n, false, SPLIT_WHOLE);
			ck_assert_int_eq(g.end, 1);
			/* "CR LF . CR LF" itself, however its first half came about. */
			const char *true_end = strstr(in, "\r\n.\r\n");
			ck_assert_uint_eq(g.used, (size_t)(true_end - in) + 5);
			check_in(in, (size_t)n, false, SPLIT_MODES);
		}
	}
}
END_TEST

START_TEST(known_bodies)
{
	static const struct { const char *in, *out; } cases[] = {
		{ ".\r\n", "" },
		{ "\r\n.\r\n", "\r\n" },
		{ "a\r\n.\r\n", "a\r\n" },
		{ "..a\r\n.\r\n", ".a\r\n" },
		{ ".a\r\n.\r\n", "a\r\n" },        /* unstuffed all the same: 4.5.2 */
		{ "a\r\n..\r\n.\r\n", "a\r\n.\r\n" },
		{ "a\nb\r\n.\r\n", "a\r\nb\r\n" },
		{ "a\rb\r\n.\r\n", "a\r\nb\r\n" },
		{ "a\r\r\n.\r\n", "a\r\n\r\n" },
		{ "a\n.\n.\r\n.\r\n", "a\r\n.\r\n.\r\n" },
		{ "a\r\n.\n\r\n.\r\n", "a\r\n\r\n\r\n" },
		{ "a\r\n.\r.\r\n.\r\n", "a\r\n\r\n.\r\n" },
	};
	static struct got g;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		decode(&g, cases[i].in, strlen(cases[i].in), false, SPLIT_OCTETS);
		ck_assert_int_eq(g.end, 1);
		ck_assert_uint_eq(g.len, strlen(cases[i].out));
		ck_assert_mem_eq(g.body, cases[i].out, g.len);
	}
}
END_TEST

static int refuse_second(void *arg, const void *p, size_t n)
{
	unsigned *calls = arg;

	(void)p;
	(void)n;
	return ++*calls < 2 ? 0 : -1;
}

/* A sink that can take no more is not asked again; the end is still found. */
START_TEST(sink_fails)
{
	static char in[40000 + sizeof "\r\n..\r\n.\r\nQUIT\r\n"];

	memset(in, '\n', 40000);
	strcpy(in + 40000, "\r\n..\r\n.\r\nQUIT\r\n");
	for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
		struct split cut = split_init(mode);
		struct smtp_dot d;
		unsigned calls = 0;
		size_t at = 0, used = 0;
		int end = 0;
		smtp_dot_init(&d, false);
		while (end == 0) {
			size_t k = split_next(&cut, sizeof in - 1 - at);
			end = smtp_dot_push(&d, in + at, k, refuse_second, &calls, &used);
			at += used;
		}
		ck_assert_uint_eq(at, sizeof in - 1 - 6);
		ck_assert_uint_eq(calls, 2);
		ck_assert(d.sink_failed);
	}
}
END_TEST

static int count(void *arg, const void *p, size_t n)
{
	unsigned *calls = arg;

	(void)p;
	(void)n;
	++*calls;
	return 0;
}

/* Line ends of one octet cost no call each, and every octet arrives. */
START_TEST(few_calls_for_many_newlines)
{
	static char in[65536];
	static const char *const bodies[] = { "\n", "\r", "\r\n", ".\r", ".\n", "x\n.\n" };

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		const size_t len = strlen(bodies[i]);
		struct smtp_dot d;
		unsigned calls = 0;
		size_t used;
		for (size_t k = 0; k < sizeof in; k++)
			in[k] = bodies[i][k % len];
		smtp_dot_init(&d, false);
		ck_assert_int_eq(smtp_dot_push(&d, in, sizeof in, count, &calls, &used), 0);
		ck_assert_uint_le(calls, 2 * sizeof in / 3500 + 2);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smtp_dot");
	TCase *tc = tcase_create("smtp_dot");

	tcase_add_test(tc, few_calls_for_many_newlines);
	tcase_add_test(tc, known_bodies);
	tcase_add_loop_test(tc, every_short_body, 0, 9);
	tcase_add_test(tc, random_bodies);
	tcase_add_loop_test(tc, large_bodies, 0, 13);
	tcase_add_test(tc, chunks);
	tcase_add_test(tc, unfinished);
	tcase_add_test(tc, smuggling);
	tcase_add_test(tc, sink_fails);
	tcase_set_timeout(tc, 300);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
