/* check_decode_words.c - encoded words and charsets: a table of what mail programs
 * send and what hostile ones send, into rooms of all sizes. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "decode_words.h"
#include "unit.h"

START_TEST(words)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "", "" }, { "plain", "plain" }, { "a =? b", "a =? b" },
		{ "=?utf-8?B?w6R4?=", "\xc3\xa4x" }, { "=?UTF-8?q?=C3=A4x?=", "\xc3\xa4x" },
		{ "=?iso-8859-1?Q?=E4_b?=", "\xc3\xa4 b" },
		{ "=?ISO-8859-1*de?q?=E4?=", "\xc3\xa4" },
		{ "=?windows-1252?Q?=80?=", "\xe2\x82\xac" }, { "=?koi8-r?Q?=C1?=", "\xc1" },
		{ "=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab" },
		{ "=?utf-8?Q?a?=\r\n =?utf-8?B?Yg==?=", "ab" },
		{ "=?utf-8?Q?a?= x =?utf-8?Q?b?=", "a x b" }, { "x =?utf-8?Q?a?= y", "x a y" },
		{ "=?utf-8?Q?a?==?utf-8?Q?b?=", "ab" }, { "pre=?utf-8?Q?a?=post", "preapost" },
		{ "=?utf-8?Q?a b.exe?=", "a b.exe" },   /* blanks inside: broken, and shown */
		{ "=?utf-8?B?YS5leGU", "a.exe" },       /* no end */
		{ "=?utf-8?X?a?=", "=?utf-8?X?a?=" }, { "=??Q?a?=", "=??Q?a?=" },
		{ "=?utf-8?Q?a=4?=", "a=4" }, { "=?utf-8?Q?a=zz?=", "a=zz" },
		{ "folded\r\n name", "folded name" }, { "=?utf-8?Q?" "?=", "" },
		{ "=?", "=?" }, { "=?a?B", "=?a?B" }, { "=?a?B?", "" },
	};
	char out[200];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *in = malloc(strlen(rows[i].in) + 1);
		ck_assert_ptr_nonnull(in);
		memcpy(in, rows[i].in, strlen(rows[i].in));
		size_t n = decode_words(in, strlen(rows[i].in), out, sizeof out);
		ck_assert_str_eq(out, rows[i].out);
		ck_assert_uint_eq(n, strlen(rows[i].out));
		for (size_t size = 1; size < 12; size++) {
			n = decode_words(in, strlen(rows[i].in), out, size);
			ck_assert(n < size && strlen(out) == n);
		}
		free(in);
	}
	static const char *const plain[] = { "", "x", "=?utf-8?Q?a?=", "=?ISO-8859-15*de?q?a?=",
		"=?iso-2022-jp?B?YQ==?=", "=?GB2312?B?YQ==?= =?big5?Q?a?=", "=?utf-7?X?a?=" };
	static const char *const foreign[] = { "=?utf-7?Q?e+AC4-exe?=", "=?ibm037?Q?a?=",
		"=?hz-gb-2312?Q?a?=", "x=?utf-8?Q?a?= =?UTF-16*en?B?YQ==?=", "=?utf-7?Q?a" };
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		ck_assert_msg(decode_words_are_plain(plain[i], strlen(plain[i])), "%s", plain[i]);
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
		ck_assert_msg(!decode_words_are_plain(foreign[i], strlen(foreign[i])), "%s", foreign[i]);
	ck_assert_uint_eq(decode_words("=?utf-8?Q?a=00b?=", 17, out, sizeof out), 3);
	ck_assert(memcmp(out, "a\0b", 4) == 0);
	ck_assert_uint_eq(decode_charset("latin1", 6, "\xe4", 1, out, sizeof out), 2);
	ck_assert_str_eq(out, "\xc3\xa4");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode_words");
	TCase *t = tcase_create("all");

	tcase_add_test(t, words);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return unit_run(s);
}
