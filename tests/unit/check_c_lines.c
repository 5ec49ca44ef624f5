/* check_c_lines.c - what mutt makes of NULs in a header and in quoted-printable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_lines.h"
#include "pace.h"
#include "unit.h"

/* "@" is a NUL, "{600}" so many times "x". */
static size_t spell(char *out, const char *s)
{
	size_t w = 0;

	while (*s != '\0') {
		if (*s == '{') {
			size_t n = strtoul(s + 1, NULL, 10);
			memset(out + w, 'x', n);
			w += n;
			s = strchr(s, '}') + 1;
		} else {
			out[w++] = *s == '@' ? '\0' : *s;
			s++;
		}
	}
	return w;
}

static const struct {
	const char *msg, *want[7];   /* header, "|", body; one for each end */
} heads[] = {
	{ "", { "|" } },
	{ "A: b\n\nx@\ny", { "A: b\n|x@\ny" } },
	{ "A: b \r\n\t c\n d \n\nz", { "A: b c d\n|z" } },
	{ "A: b", { "|" } },
	/* What is empty to it. */
	{ "A: b\n@c\nd\n", { "A: b\n|d\n" } },
	{ "A: b\n\rc\nd\n", { "A: b\n|d\n" } },
	{ "A: b\n\vc\nd\n", { "A: b\n|d\n" } },
	{ "A: b\n @c\n d: e\nf", { "A: b \n|f" } },
	/* A NUL hides the line end, but not what is behind the piece. */
	{ "A: b@c\nd\n\nz", { "A: bd\n|z" } },
	{ "A@b\n:c\n\nz", { "A:c\n|z" } },
	{ "A: b@{1018}c\n\nz", { "A: bc\n|z" } },
	{ "A: b@{1017}c\n\nz", { "A: b\n|z" } },
	{ "A:\n\t@{1100}c\n\nz", { "A: \n|{81}c\n\nz", "A: \n|\nz" } },
	{ "A:\n b@{1018}c\n\nz", { "A: bc\n|z" } },
	{ "A: @{1019}b@{1018}c@{1017}d\n\nz", { "A: bcd\n|z" } },
	/* A line that is longer makes the buffer so, for all behind it. */
	{ "A: {1020}{256}b\nB@{1533}c:\n\nz", { "A: {1020}{256}b\nBc:\n|z" } },
	/* No field: in a message it begins the body, in a part it is taken away. */
	{ "A: b\nc@d\n\nz", { "A: b\n|c@d\n\nz", "A: b\n|z" } },
	{ "A: b\nc\nz", { "A: b\n|c\nz", "A: b\n|z" } },
	{ "A: b\nc :d\nE: f\ng h:\ni\nz", { "A: b\n|c :d\nE: f\ng h:\ni\nz",
		"A: b\nc :d\nE: f\ng h:\n|i\nz", "A: b\nc :d\nE: f\ng h:\n|z" } },
	{ "A: b\nFrom c\nD: e\n>From f: g\n\nz", { "A: b\n|From c\nD: e\n>From f: g\n\nz",
		"A: b\n|D: e\n>From f: g\n\nz", "A: b\nFrom c\nD: e\n|>From f: g\n\nz",
		"A: b\nFrom c\nD: e\n>From f: g\n|z" } },
};

START_TEST(headers)
{
	char msg[8192], want[8192], got[8192 + 1];
	size_t n = spell(msg, heads[_i].msg), len, body, w;
	unsigned k = 0;

	for (; c_lines_head(msg, n, k, NULL, got, &len, &body); k++) {
		ck_assert_msg(k < 7 && heads[_i].want[k] != NULL, "%s: %u", heads[_i].msg, k);
		ck_assert(len <= body && body <= n);
		got[len] = '|';
		memcpy(got + len + 1, msg + body, n - body);
		len += 1 + n - body;
		w = spell(want, heads[_i].want[k]);
		ck_assert_msg(len == w && memcmp(got, want, w) == 0, "%s: %u: %.*s", heads[_i].msg, k,
			(int)len, got);
	}
	ck_assert_msg(heads[_i].want[k] == NULL, "%s: %u", heads[_i].msg, k);
}
END_TEST

static const struct {
	const char *body, *behind, *want;
} quoted[] = {
	{ "", "x", "" },
	{ "a=\nb \r\n", "x", "a=\nb \r\n" },
	{ "a@b\nc", "", "a=\nc=\n" },
	{ "a=@b\nc\n", "", "a=\nc\n" },
	{ "a@{253}b\nc@{253}d@\n", "", "a=\nb\nc=\nd=\n" },
	{ "{254}=41\n", "", "{254}=\n41\n" },
	{ "@{254}a\n", "", "a\n" },
	/* What is hidden does not count, so it goes on. */
	{ "a@bc\n", "\n--x\nd", "a=\n\n--x=\n" },
	{ "@@@", "ab\ncdef", "ab\n" },
	{ "@@@\n", "abcdef", "abcd=\n" },
};

START_TEST(quoted_bodies)
{
	char msg[8192], want[8192], got[8192];
	const size_t len = spell(msg, quoted[_i].body);
	const size_t all = len + spell(msg + len, quoted[_i].behind);
	const size_t w = spell(want, quoted[_i].want);
	size_t used, used_again;

	ck_assert_uint_eq(c_lines_quoted(msg, all, len, NULL, NULL, &used), w);
	ck_assert_uint_eq(c_lines_quoted(msg, all, len, NULL, got, &used_again), w);
	ck_assert_msg(memcmp(got, want, w) == 0, "%s: %.*s", quoted[_i].body, (int)w, got);
	ck_assert(used == used_again && used <= all && w <= 3 * len);
}
END_TEST

static bool never(void *arg)
{
	(void)arg;
	return false;
}

START_TEST(stopped)
{
	struct pace pace = { .go_on = never, .unasked = PACE_OCTETS };
	char out[16];
	size_t len, body;

	ck_assert(!c_lines_head("A: b\n\n", 6, 0, &pace, out, &len, &body));
	ck_assert_uint_eq(c_lines_quoted("abc", 3, 3, &pace, out, &len), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("c_lines");
	TCase *t = tcase_create("c_lines");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, headers, 0, sizeof heads / sizeof heads[0]);
	tcase_add_loop_test(t, quoted_bodies, 0, sizeof quoted / sizeof quoted[0]);
	tcase_add_test(t, stopped);
	return unit_run(s);
}
