/* check_decode_uu.c - encoded files in a text: which lines begin one, where it
 * ends, and that a text full of beginnings takes no more time than another. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "decode_uu.h"
#include "pace.h"
#include "unit.h"

static void check_body(const struct decode_uu *f, const char *out)
{
	unsigned char got[600];
	struct decode d;

	ck_assert_uint_lt(f->body_len, sizeof got - 2 * DECODE_HELD);
	decode_init(&d, f->kind);
	size_t n = decode_push(&d, (const unsigned char *)f->body, f->body_len, got);
	n += decode_end(&d, got + n);
	ck_assert_uint_eq(n, strlen(out));
	ck_assert_int_eq(memcmp(got, out, n), 0);
}

START_TEST(yenc_find)
{
	static const char text[] = "look:\r\n=ybegin line=128 size=3 name=a b.c\r\nklm\r\n=yend size=3\r\n"
		"begin 644 d\r\n=ybegin x\r\nk";
	struct decode_uu f;
	size_t from = 0;

	ck_assert(decode_uu_find(text, strlen(text), &from, false, NULL, &f));
	ck_assert_int_eq(f.kind, DECODE_YENC);
	ck_assert_str_eq(f.name, "a b.c");
	ck_assert(f.body_len >= 3 && memcmp(f.body + f.body_len - 5, "klm\r\n", 5) == 0);
	ck_assert(decode_uu_find(text, strlen(text), &from, false, NULL, &f));
	ck_assert_int_eq(f.kind, DECODE_UU);
	ck_assert(decode_uu_find(text, strlen(text), &from, false, NULL, &f));
	ck_assert_int_eq(f.kind, DECODE_YENC);
	ck_assert_str_eq(f.name, "");
	ck_assert(!decode_uu_find(text, strlen(text), &from, false, NULL, &f));
}
END_TEST

START_TEST(uu_find)
{
	static const char text[] =
		"Dear all,\r\nbegin with this\r\nbeginning 644 x\r\n"
		"begin 644 one two.exe \r\n#0V%T\r\n`\r\nend\r\n"
		"and\r\nBEGIN 0755\tb.bin\n#0V%T\n"            /* no end: up to the next */
		"begin-base64 644 c.txt\nQ2F0\n====\n"
		"begin  outlook.doc\n#0V%T\nend\nbegin 600\n#0V%T\n"
		"begin-base64-encoded 644 YS5leGU=\nQ2F0\n====\n"
		"Begin-Encoded 644 Yi5leGU=\n#0V%T\nend\nbegin-encoded 644 .\n#0V%T\nend\n"
		"begin-encode 644 x\nbegin-base64-encodedx 644 x\n";
	static const struct { const char *name, *out; enum decode_kind kind; } want[] = {
		{ "one two.exe", "Cat", DECODE_UU }, { "b.bin", "Cat", DECODE_UU },
		{ "c.txt", "Cat", DECODE_BASE64 }, { "outlook.doc", "Cat", DECODE_UU },
		{ "", "Cat", DECODE_UU }, { "a.exe", "Cat", DECODE_BASE64 },
		{ "b.exe", "Cat", DECODE_UU }, { ".", "Cat", DECODE_UU },
	};
	struct decode_uu f;
	size_t from = 0;

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		ck_assert(decode_uu_find(text, sizeof text - 1, &from, false, NULL, &f));
		ck_assert_str_eq(f.name, want[i].name);
		ck_assert_int_eq(f.kind, want[i].kind);
		ck_assert(f.body >= text && f.body + f.body_len <= text + sizeof text - 1);
		check_body(&f, want[i].out);
	}
	ck_assert(!decode_uu_find(text, sizeof text - 1, &from, false, NULL, &f));
	ck_assert_uint_eq(from, sizeof text - 1);
	ck_assert(!decode_uu_find("", 0, &(size_t){ 0 }, false, NULL, &f));
}
END_TEST

/* Where an encoding was announced any "begin" with a blank will do; what is
 * found without that is found as it was. */
START_TEST(uu_find_announced)
{
	static const char text[] = "begin\r\nbeginning 1\r\n"
		"begin foo\r\n#0V%T\r\nbegin 644 x\r\n#0V%T\r\nbegin y\r\n#0V%T\r\nend\r\n"
		"begin\t\n#0V%T\nend\n=ybegin name=a\nk\n=yend\nbegin-base64 z\nQ2F0\n====\n";
	static const struct { const char *name, *out; } want[] = { { "foo", "Cat" },
		{ "x", NULL }, { "", "Cat" }, { "a", "A" }, { "z", "Cat" } };
	struct decode_uu f, strict;
	size_t from = 0;

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		ck_assert(decode_uu_find(text, sizeof text - 1, &from, true, NULL, &f));
		ck_assert_str_eq(f.name, want[i].name);
		if (want[i].out != NULL) {
			check_body(&f, want[i].out);
		} else {
			ck_assert(decode_uu_find(text, sizeof text - 1, &(size_t){ 0 }, false, NULL,
				&strict));
			ck_assert_ptr_eq(f.body, strict.body);
			ck_assert_uint_eq(f.body_len, strict.body_len);
		}
	}
	ck_assert(!decode_uu_find(text, sizeof text - 1, &from, true, NULL, &f));
}
END_TEST

static void check_first(const char *text, unsigned reading, const char *body)
{
	struct decode_uu f;
	const bool found = decode_uu_find_first(text, strlen(text), reading, NULL, &f);

	ck_assert_msg(found == (body != NULL), "%u: %s", reading, text);
	if (!found)
		return;
	ck_assert_str_eq(f.body, body);
	ck_assert_uint_eq(f.body_len, strlen(body));
}

/* What begins the one file for those who look for no other. */
START_TEST(uu_find_first)
{
#define COL_127 "M23456789012345678901234567890123456789012345678901234567890123" \
	"4567890123456789012345678901234567890123456789012345678901234567"
	static const struct { const char *text, *eols, *lf; } rows[] = {
		{ "begin 644 x\n#0V%T\nend\nbegin 1 y\n", "#0V%T\nend\nbegin 1 y\n",
			"#0V%T\nend\nbegin 1 y\n" },
		{ "prose\r\nbegin x\r\n#0V%T", "#0V%T", "#0V%T" },
		{ "begin\ve\n#0V%T", NULL, "#0V%T" }, { "begin\n#0V%T", NULL, "#0V%T" },
		{ "begin\r\n#0V%T", NULL, "#0V%T" }, { "a\rbegin x\n#0V%T", "#0V%T", NULL },
		{ "BEGIN x\n", NULL, NULL }, { "beginning\n", NULL, NULL }, { "begin", NULL, NULL },
		{ "", NULL, NULL }, { " begin x\n", NULL, NULL },
		{ "\n" COL_127 "begin x\n#0V%T", "#0V%T", "#0V%T" },
		{ COL_127 COL_127 "begin x\n#0V%T", "#0V%T", "#0V%T" },
		{ COL_127 " begin x\n", NULL, NULL }, { "\r" COL_127 "begin x\n#0V%T", "#0V%T", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		/* The CR of CR LF is of the line, its LF of the next one. */
		check_first(rows[i].text, 3, rows[i].eols != NULL && strchr(rows[i].text, '\r') != NULL &&
			strstr(rows[i].text, "\r\n#") != NULL ? "\n#0V%T" : rows[i].eols);
		check_first(rows[i].text, 4, rows[i].lf);
	}
	/* What does not fit into its piece is data. */
	check_first("begin " COL_127 "#0V%T", 4, "234567#0V%T");
}
END_TEST

/* Lines that all who read uuencode cut and end in one way. */
START_TEST(uu_is_plain)
{
	static const struct { const char *text; bool is_plain; } rows[] = {
		{ "", true }, { "begin 644 x\r\n#0V%T\r\n`\r\nend\r\n", true },
		{ "#0V%T\nend", true }, { "#0V%T\nend\r", false }, { "a\rb\n", false },
		{ "a\r\r\n", false }, { "endx\n", false }, { "end \n", false }, { "end\n", true },
		{ COL_127, true }, { COL_127 "\n", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_msg(decode_uu_is_plain(rows[i].text, strlen(rows[i].text), NULL) ==
			rows[i].is_plain, "%s", rows[i].text);
}
END_TEST

START_TEST(uu_find_is_ended)
{
	static const struct { const char *text; bool is_ended; } rows[] = {
		{ "begin 644 x\n#0V%T\nend\n", true }, { "begin 644 x\n#0V%T\nend", true },
		{ "begin 644 x\n#0V%T\nend \n", false }, { "begin 644 x\n#0V%T\nEND\n", false },
		{ "begin 644 x\n#0V%T\nbegin 644 y\n", false }, { "begin 644 x\n#0V%T\n", false },
	};
	struct decode_uu f;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert(decode_uu_find(rows[i].text, strlen(rows[i].text), &(size_t){ 0 }, true, NULL,
			&f));
		ck_assert_msg(f.is_ended == rows[i].is_ended, "%s", rows[i].text);
	}
}
END_TEST

/* The end of a long name is kept: the extension is there. */
START_TEST(uu_find_long_name)
{
	char text[2000] = "begin 644 ";
	struct decode_uu f;
	size_t from = 0;

	memset(text + 10, 'n', 1000);
	memcpy(text + 1010, ".exe\nend\n", 10);
	ck_assert(decode_uu_find(text, strlen(text), &from, false, NULL, &f));
	ck_assert_uint_eq(strlen(f.name), sizeof f.name - 1);
	ck_assert_str_eq(f.name + strlen(f.name) - 4, ".exe");
}
END_TEST

START_TEST(uu_find_long_encoded_name)
{
	char text[4000] = "begin-encoded 644 ";
	struct decode_uu f;
	size_t from = 0;

	for (size_t i = 0; i < 900; i++)
		memcpy(text + 18 + 4 * i, i == 899 ? "LmV4" : "bm5u", 4);
	ck_assert(decode_uu_find(text, strlen(text), &from, false, NULL, &f));
	ck_assert_uint_eq(strlen(f.name), sizeof f.name - 1);
	ck_assert_str_eq(f.name + strlen(f.name) - 4, "n.ex");
}
END_TEST

/* Many begin lines without an end: each octet is passed once. */
START_TEST(uu_find_many)
{
	const size_t n = 8u << 20;
	char *text = malloc(n);
	struct decode_uu f;
	size_t from = 0, found = 0, octets = 0;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < n; i += 16)
		memcpy(text + i, "begin 644 x.exe\n", 16);
	while (decode_uu_find(text, n, &from, false, NULL, &f)) {
		found++;
		octets += f.body_len;
	}
	ck_assert_uint_eq(found, n / 16);
	ck_assert_uint_eq(octets, 0);
	free(text);
}
END_TEST

static bool stops_at_once(void *arg)
{
	++*(unsigned *)arg;
	return false;
}

/* Nobody waits for it any more: it ends within a piece, before a file or in one. */
START_TEST(uu_find_ends_early)
{
	static const char *const pieces[] = { "beginx\n", "begin\n.", "x\n\r\ny\n" };
	const size_t len = 3 * PACE_OCTETS;
	char *text = malloc(len);
	struct decode_uu f;

	ck_assert_ptr_nonnull(text);
	for (unsigned k = 0; k < 3; k++) {
		unsigned asked = 0;
		struct pace pace = { .go_on = stops_at_once, .arg = &asked };
		size_t from = 0;
		for (size_t i = 0; i < len; i++)
			text[i] = pieces[k][i % strlen(pieces[k])];
		if (k == 2)
			memcpy(text, "begin 644 x\n", 12);
		bool found = decode_uu_find(text, len, &from, false, &pace, &f);
		ck_assert_int_eq(found, k == 2);
		ck_assert_uint_eq(asked, 1);
		if (found)
			ck_assert_uint_lt(f.body_len, 2 * PACE_OCTETS);
	}
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode_uu");
	TCase *t = tcase_create("all");

	tcase_add_test(t, yenc_find);
	tcase_add_test(t, uu_find);
	tcase_add_test(t, uu_find_announced);
	tcase_add_test(t, uu_find_first);
	tcase_add_test(t, uu_is_plain);
	tcase_add_test(t, uu_find_is_ended);
	tcase_add_test(t, uu_find_long_name);
	tcase_add_test(t, uu_find_long_encoded_name);
	tcase_add_test(t, uu_find_many);
	tcase_add_test(t, uu_find_ends_early);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return unit_run(s);
}
