/* check_smtp_line.c - lines out of octets, in every split, against a plain
 * reference that sees the whole input at once. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "smtp_line.h"
#include "split.h"
#include "unit.h"

#define LINES_MAX 64

struct line {
	char text[64];
	size_t len;
	bool bare_lf, cr, nul, too_long;
};

struct lines {
	struct line l[LINES_MAX];
	unsigned n;
	size_t rest;      /* octets behind the last line, 0 while one is eaten */
	bool skipping;
};

static void lines_add(struct lines *out, const char *p, size_t n, bool bare_lf, bool too_long)
{
	need(out->n < LINES_MAX);
	struct line *l = &out->l[out->n++];
	*l = (struct line){ .too_long = too_long };
	if (too_long)
		return;
	need(n <= sizeof l->text);
	memcpy(l->text, p, n);
	l->len = n;
	l->bare_lf = bare_lf;
	for (size_t i = 0; i < n; i++) {
		l->cr |= p[i] == '\r';
		l->nul |= p[i] == '\0';
	}
}

/* Straight from the contract: LF ends a line, one CR before it belongs to it. */
static void lines_reference(struct lines *out, const char *p, size_t n, size_t max)
{
	size_t start = 0;

	out->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n')
			continue;
		bool crlf = i > start && p[i - 1] == '\r';
		lines_add(out, p + start, i - start - crlf, !crlf, i + 1 - start > max);
		start = i + 1;
	}
	out->skipping = n - start > max;
	out->rest = out->skipping ? 0 : n - start;
}

/* As the session does it: what was not taken is shown again. */
static void lines_read(struct lines *out, const char *p, size_t n, size_t max, unsigned mode)
{
	struct split cut = split_init(mode);
	struct smtp_line l = SMTP_LINE_INIT;
	char *kept = NULL;
	size_t len = 0, used;
	struct smtp_text t;

	out->n = 0;
	while (n > 0) {
		size_t k = split_next(&cut, n);
		/* A block of its own each time: sanitizers see a read too far. */
		char *grown = malloc(len + k);
		if (len > 0)
			memcpy(grown, kept, len);
		memcpy(grown + len, p, k);
		free(kept);
		kept = grown;
		len += k;
		p += k;
		n -= k;
		char *at = kept;
		int got;
		while ((got = smtp_line_next(&l, at, len, max, &t, &used)) == 1) {
			need(used > 0);
			need(used <= len);
			lines_add(out, t.p, t.is_too_long ? 0 : t.len, t.is_bare_lf, t.is_too_long);
			if (!t.is_too_long) {
				need(out->l[out->n - 1].cr == t.has_cr);
				need(out->l[out->n - 1].nul == t.has_nul);
			}
			at += used;
			len -= used;
		}
		need(got == 0);
		need(used <= len);
		at += used;
		len -= used;
		need(len <= max);   /* bounded: nothing over-long is kept */
		memmove(kept, at, len);
	}
	free(kept);
	out->rest = len;
	out->skipping = l.skipping;
}

static void lines_same(const struct lines *a, const struct lines *b)
{
	need(a->n == b->n);
	need(a->rest == b->rest);
	need(a->skipping == b->skipping);
	for (unsigned i = 0; i < a->n; i++) {
		const struct line *x = &a->l[i], *y = &b->l[i];
		need(x->too_long == y->too_long);
		need(memcmp(x->text, y->text, x->len) == 0);
		need(x->len == y->len && x->bare_lf == y->bare_lf && x->cr == y->cr &&
			x->nul == y->nul);
	}
}

static void check_all(const char *p, size_t n, size_t max, unsigned modes)
{
	static struct lines want, got;

	lines_reference(&want, p, n, max);
	for (unsigned mode = 0; mode < modes; mode++) {
		lines_read(&got, p, n, max, mode);
		lines_same(&want, &got);
	}
}

START_TEST(known_lines)
{
	static const char in[] = "EHLO a\r\nNOOP\nx\ry\r\n\r\n\nz\0\r\n\r\r\nend";
	static struct lines got;

	check_all(in, sizeof in - 1, 512, SPLIT_MODES);
	lines_read(&got, in, sizeof in - 1, 512, SPLIT_OCTETS);
	ck_assert_uint_eq(got.n, 7);
	ck_assert_mem_eq(got.l[0].text, "EHLO a", 6);
	ck_assert(got.l[0].len == 6 && !got.l[0].bare_lf);
	ck_assert(got.l[1].len == 4 && got.l[1].bare_lf && !got.l[1].cr);
	ck_assert(got.l[2].len == 3 && got.l[2].cr && !got.l[2].bare_lf);
	ck_assert(got.l[3].len == 0 && !got.l[3].bare_lf);
	ck_assert(got.l[4].len == 0 && got.l[4].bare_lf);
	ck_assert(got.l[5].len == 2 && got.l[5].nul && !got.l[5].cr);
	ck_assert(got.l[6].len == 1 && got.l[6].cr);
	ck_assert_uint_eq(got.rest, 3);
}
END_TEST

/* The limit counts the line end: max octets are a line, one more is not. */
START_TEST(limit)
{
	static const struct { const char *in; bool too_long; } cases[] = {
		{ "123456\r\n", false }, { "1234567\n", false }, { "1234567\r\n", true },
		{ "12345678\n", true }, { "123456789012345678901234567890\r\n", true },
	};
	static struct lines got;
	char in[128];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		/* What stands behind a line that was eaten is a line again. */
		strcpy(in, cases[i].in);
		strcat(in, "QUIT\r\n");
		check_all(in, strlen(in), 8, SPLIT_MODES);
		lines_read(&got, in, strlen(in), 8, SPLIT_WHOLE);
		ck_assert_uint_eq(got.n, 2);
		ck_assert(got.l[0].too_long == cases[i].too_long);
		ck_assert_mem_eq(got.l[1].text, "QUIT", 4);
	}
}
END_TEST

/* An endless line is eaten as it comes: nothing of it is kept. */
START_TEST(endless_line)
{
	struct smtp_line l = SMTP_LINE_INIT;
	char block[100];
	struct smtp_text t;
	size_t used;

	memset(block, 'a', sizeof block);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(smtp_line_next(&l, block, sizeof block, 50, &t, &used), 0);
		ck_assert_uint_eq(used, sizeof block);
	}
	block[10] = '\n';
	ck_assert_int_eq(smtp_line_next(&l, block, sizeof block, 50, &t, &used), 1);
	ck_assert(t.is_too_long);
	ck_assert_uint_eq(used, 11);
}
END_TEST

/* A slow sender must not have its line searched again from the start. */
START_TEST(no_second_look)
{
	struct smtp_line l = SMTP_LINE_INIT;
	struct smtp_text t;
	size_t used;

	ck_assert_int_eq(smtp_line_next(&l, "abc", 3, 50, &t, &used), 0);
	ck_assert_uint_eq(l.scanned, 3);
	ck_assert_uint_eq(used, 0);
	ck_assert_int_eq(smtp_line_next(&l, NULL, 0, 50, &t, &used), 0);
	ck_assert_int_eq(smtp_line_next(&l, "abcd\r\n", 6, 50, &t, &used), 1);
	ck_assert_uint_eq(l.scanned, 0);
	ck_assert_uint_eq(t.len, 4);
}
END_TEST

/* All strings up to seven octets, with a limit that some of them break. */
START_TEST(exhaustive)
{
	static const char alphabet[] = { '\r', '\n', '\0', 'a' };
	char in[7];

	for (size_t n = 0; n <= sizeof in; n++) {
		for (size_t v = 0; v < (size_t)1 << (2 * n); v++) {
			for (size_t i = 0; i < n; i++)
				in[i] = alphabet[v >> (2 * i) & 3];
			check_all(in, n, 4, 3);
		}
	}
}
END_TEST

START_TEST(random_lines)
{
	static const char alphabet[] = "\r\n\n\r\0 aB";
	unsigned seed = 11;
	char in[60];

	for (int round = 0; round < 3000; round++) {
		size_t n = split_random(&seed) % sizeof in;
		for (size_t i = 0; i < n; i++)
			in[i] = alphabet[split_random(&seed) % (sizeof alphabet - 1)];
		check_all(in, n, 1 + split_random(&seed) % 20, SPLIT_MODES);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smtp_line");
	TCase *tc = tcase_create("smtp_line");

	tcase_add_test(tc, known_lines);
	tcase_add_test(tc, limit);
	tcase_add_test(tc, endless_line);
	tcase_add_test(tc, no_second_look);
	tcase_add_test(tc, exhaustive);
	tcase_add_test(tc, random_lines);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
