/* check_str.c - str.c: numbers, sizes, masks, lists, text for logs. */
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "unit.h"

START_TEST(copies)
{
	char d[4] = "zzz";

	ck_assert(str_copy(d, sizeof(d), "abc"));
	ck_assert_str_eq(d, "abc");
	ck_assert(!str_copy(d, sizeof(d), "abcd"));
	ck_assert_str_eq(d, "abc");
	ck_assert(str_copy_n(d, sizeof(d), "xyz", 2));
	ck_assert_str_eq(d, "xy");
	ck_assert(!str_copy_n(d, 1, "xyz", 2));
	ck_assert_str_eq(d, "");
	ck_assert(str_copy(d, 1, ""));
}
END_TEST

START_TEST(compares)
{
	ck_assert(str_ieq("MAIL", "mail"));
	ck_assert(!str_ieq("MAIL", "mai"));
	ck_assert(!str_ieq("[", "{"));
	ck_assert(!str_ieq("\xc4", "\xe4"));
	ck_assert(str_ieq("", ""));
	ck_assert(str_ieq_n("mailx", 4, "MAIL"));
	ck_assert(!str_ieq_n("mailx", 5, "MAIL"));
	ck_assert(str_istarts("Mail from", 9, "MAIL "));
	ck_assert(!str_istarts("mai", 3, "mail"));
	ck_assert(str_istarts("x", 1, ""));
	ck_assert_int_lt(str_icmp_n("a", "B", 1), 0);
	ck_assert_int_gt(str_icmp_n("\xff", "a", 1), 0);
	ck_assert_int_eq(str_icmp_n("a", "B", 0), 0);
}
END_TEST

START_TEST(numbers)
{
	static const char *const bad[] = { "", " 1", "1 ", "-1", "+1", "0x1", "1.0", "a", "1k",
		"18446744073709551616", "99999999999999999999" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(str_parse_u64(bad[i], &v) == -1, "%s", bad[i]);
	ck_assert_int_eq(str_parse_u64("010", &v), 0);
	ck_assert_uint_eq(v, 10);
	ck_assert_int_eq(str_parse_u64("18446744073709551615", &v), 0);
	ck_assert(v == UINT64_MAX);
	ck_assert_int_eq(str_parse_u64("0", &v), 0);
	ck_assert(v == 0);
}
END_TEST

START_TEST(sizes)
{
	static const struct { const char *text; uint64_t value; } good[] = {
		{ "0", 0 }, { "7", 7 }, { "4K", 4096 }, { "4k", 4096 }, { "1M", 1048576 },
		{ "2g", 2147483648u }, { "010K", 10240 }, { "0G", 0 },
		{ "17179869183G", 17179869183u * (uint64_t)1073741824 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = { "", "K", "4KB", "4KK", "4 K", "-4K", "4T", "17179869184G",
		"18446744073709551615K" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(str_parse_size(good[i].text, &v) == 0, "%s", good[i].text);
		ck_assert_msg(v == good[i].value, "%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(str_parse_size(bad[i], &v) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(bools)
{
	static const char *const yes[] = { "yes", "YES", "true", "on", "On", "1" };
	static const char *const no[] = { "no", "No", "false", "off", "0" };
	static const char *const bad[] = { "", "y", "yes ", "2", "none", "truee" };
	bool b;

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		b = false;
		ck_assert(str_parse_bool(yes[i], &b) == 0 && b);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		b = true;
		ck_assert(str_parse_bool(no[i], &b) == 0 && !b);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(str_parse_bool(bad[i], &b) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(masks)
{
	static const struct { const char *mask, *text; bool match; } cases[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "abc", true },
		{ "a*", "abc", true }, { "a*", "bac", false }, { "*c", "abc", true },
		{ "*c", "abcd", false }, { "a*c", "ac", true }, { "a*c", "abcabc", true },
		{ "?", "", false }, { "?", "x", true }, { "a?c", "abc", true },
		{ "**", "x", true }, { "*?*", "", false }, { "*?*", "x", true },
		{ "Win32/*", "win32/EICAR", true }, { "*.a*.b", "x.a1.a2.b", true },
		{ "a*a*a*a", "aaa", false }, { "a*a*a*a", "aaaa", true },
		{ "*\\*", "a\\b", true }, { "abc", "ab", false }, { "ab", "abc", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(str_mask_match(cases[i].mask, cases[i].text) == cases[i].match,
			"%s on %s", cases[i].mask, cases[i].text);
}
END_TEST

/* A mask made to be slow in a matcher that tries every way. */
START_TEST(mask_stays_fast)
{
	char text[4001], mask[201];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(mask); i++)
		mask[i] = i % 2 == 0 ? '*' : 'a';
	mask[sizeof(mask) - 2] = 'b';
	mask[sizeof(mask) - 1] = '\0';
	ck_assert(!str_mask_match(mask, text));
}
END_TEST

START_TEST(lists)
{
	const char *p = " a : b c::  :d ";
	char item[4];

	ck_assert_int_eq(str_list_next(&p, ':', item, sizeof(item)), 1);
	ck_assert_str_eq(item, "a");
	ck_assert_int_eq(str_list_next(&p, ':', item, sizeof(item)), 1);
	ck_assert_str_eq(item, "b c");
	ck_assert_int_eq(str_list_next(&p, ':', item, sizeof(item)), 1);
	ck_assert_str_eq(item, "d");
	ck_assert_int_eq(str_list_next(&p, ':', item, sizeof(item)), 0);
	ck_assert_int_eq(str_list_next(&p, ':', item, sizeof(item)), 0);
	p = "abcd,e";
	ck_assert_int_eq(str_list_next(&p, ',', item, sizeof(item)), -1);
	ck_assert_int_eq(str_list_next(&p, ',', item, sizeof(item)), 1);
	ck_assert_str_eq(item, "e");
	p = "";
	ck_assert_int_eq(str_list_next(&p, ',', item, sizeof(item)), 0);
	p = " , ";
	ck_assert_int_eq(str_list_next(&p, ',', item, sizeof(item)), 0);
}
END_TEST

#define CLEAN(size, text) str_clean(out, size, text, sizeof(text) - 1)
START_TEST(cleaning)
{
	char out[64];

	ck_assert_str_eq(CLEAN(64, "plain"), "plain");
	ck_assert_str_eq(CLEAN(64, ""), "");
	ck_assert_str_eq(CLEAN(64, "a\r\nb\tc\0d\x7f"), "a\\x0d\\x0ab\\x09c\\x00d\\x7f");
	ck_assert_str_eq(CLEAN(64, "say \"hi\" \\o/"), "say \\\"hi\\\" \\\\o/");
	ck_assert_str_eq(CLEAN(64, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	/* lone, cut, overlong, surrogate, beyond U+10FFFF, C1 control */
	ck_assert_str_eq(CLEAN(64, "\x80\xff"), "\\x80\\xff");
	ck_assert_str_eq(CLEAN(64, "\xc3"), "\\xc3");
	ck_assert_str_eq(CLEAN(64, "\xe2\x82"), "\\xe2\\x82");
	ck_assert_str_eq(CLEAN(64, "\xf0\x9f\x98"), "\\xf0\\x9f\\x98");
	ck_assert_str_eq(CLEAN(64, "\xc0\xaf"), "\\xc0\\xaf");
	ck_assert_str_eq(CLEAN(64, "\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
	ck_assert_str_eq(CLEAN(64, "\xed\xa0\x80"), "\\xed\\xa0\\x80");
	ck_assert_str_eq(CLEAN(64, "\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf");
	ck_assert_str_eq(CLEAN(64, "\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	ck_assert_str_eq(CLEAN(64, "\xc2\x9b"), "\\xc2\\x9b");
	ck_assert_str_eq(CLEAN(64, "\xc2\xa0"), "\xc2\xa0");
}
END_TEST

START_TEST(cleaning_cuts)
{
	char out[64];

	ck_assert_str_eq(CLEAN(9, "12345678"), "12345678");
	ck_assert_str_eq(CLEAN(8, "12345678"), "1234...");
	ck_assert_str_eq(CLEAN(4, "12345678"), "...");
	ck_assert_str_eq(CLEAN(3, "12345678"), "");
	ck_assert_str_eq(CLEAN(1, "12345678"), "");
	/* never in the middle of an escape or of a character */
	ck_assert_str_eq(CLEAN(8, "abc\n\n"), "abc...");
	ck_assert_str_eq(CLEAN(8, "abc\xe2\x82\xac\xe2\x82\xac"), "abc...");
	for (size_t size = 1; size < 40; size++) {
		memset(out, 'Z', sizeof(out));
		CLEAN(size, "\"\"\\\n\xc3\xa4\xe2\x82\xac and a long tail of plain text");
		ck_assert_uint_lt(strlen(out), size);
		ck_assert_int_eq(out[size], 'Z');
	}
}
END_TEST

START_TEST(hex)
{
	char text[7];
	unsigned char raw[3];

	str_hex(text, "\x00\x9f\xff", 3);
	ck_assert_str_eq(text, "009fff");
	ck_assert_int_eq(str_unhex(raw, 3, "009FfF"), 0);
	ck_assert_mem_eq(raw, "\x00\x9f\xff", 3);
	ck_assert_int_eq(str_unhex(raw, 3, "009ff"), -1);
	ck_assert_int_eq(str_unhex(raw, 3, ""), -1);
	ck_assert_int_eq(str_unhex(raw, 1, "g0"), -1);
	ck_assert_int_eq(str_unhex(raw, 1, "0:"), -1);
	str_hex(text, "", 0);
	ck_assert_str_eq(text, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("str");
	TCase *tc = tcase_create("str");

	tcase_add_test(tc, copies);
	tcase_add_test(tc, compares);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, bools);
	tcase_add_test(tc, masks);
	tcase_add_test(tc, mask_stays_fast);
	tcase_add_test(tc, lists);
	tcase_add_test(tc, cleaning);
	tcase_add_test(tc, cleaning_cuts);
	tcase_add_test(tc, hex);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
