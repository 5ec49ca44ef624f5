/* check_find.c - find.c against the simplest search there is. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "str.h"
#include "unit.h"

static const char *simple(const char *hay, size_t n, const char *needle, size_t k, bool any_case)
{
	for (size_t i = 0; i + k <= n; i++)
		if (any_case ? str_icmp_n(hay + i, needle, k) == 0 :
		    memcmp(hay + i, needle, k) == 0)
			return hay + i;
	return NULL;
}

/* Each place in hays of each length around the stride, at the very end of what
 * may be read: the sanitizer sees one octet too many. */
START_TEST(each_place)
{
	for (size_t n = 0; n < 200; n++) {
		char *hay = malloc(n > 0 ? n : 1);
		for (size_t at = 0; at + 5 <= n; at++) {
			memset(hay, 'b', n);
			memcpy(hay + at, "begin", 5);
			ck_assert_ptr_eq(find_octets(hay, n, "begin", 5), hay + at);
			memcpy(hay + at, "BeGIn", 5);
			ck_assert_ptr_null(find_octets(hay, n, "begin", 5));
			ck_assert_ptr_eq(find_letters(hay, n, "begin", 5), hay + at);
			ck_assert_ptr_null(find_letters(hay, at + 4, "begin", 5));
		}
		ck_assert_ptr_null(find_octets(hay, n < 5 ? n : 0, "begin", 5));
		free(hay);
	}
}
END_TEST

/* Few different octets, so that halves of the needle are everywhere. */
START_TEST(at_random)
{
	static const char octets[] = "abAB@`\0\xe1";
	char hay[300], needle[4] = "";

	srandom(7);
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)random() % sizeof hay, k = 2 + (size_t)random() % 2;
		for (size_t i = 0; i < n; i++)
			hay[i] = octets[(size_t)random() % 8];
		for (size_t i = 0; i < k; i++)
			needle[i] = "ab"[random() % 2];
		needle[k] = '\0';
		ck_assert_ptr_eq(find_octets(hay, n, needle, k), simple(hay, n, needle, k, false));
		ck_assert_ptr_eq(find_letters(hay, n, needle, k), simple(hay, n, needle, k, true));
	}
}
END_TEST

static size_t odd_line(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			return i;
		if (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))
			return i;
		if (p[i] == '.' && i > 0 && p[i - 1] == '\n')
			return i;
	}
	return n;
}

/* Ordinary lines with one octet, or two, put wrong; and soup. */
START_TEST(odd_lines)
{
	static const char octets[] = "\r\n.ax";
	char p[400];

	srandom(11);
	for (int round = 0; round < 60000; round++) {
		size_t n = (size_t)random() % sizeof p, line = 3 + (size_t)random() % 90;
		for (size_t i = 0; i < n; i++)
			p[i] = i % line == line - 2 ? '\r' : i % line == line - 1 ? '\n' : 'a';
		size_t wrong = round % 4 == 3 ? n : (size_t)(round % 4);
		for (size_t k = 0; k < wrong && n > 0; k++)
			p[(size_t)random() % n] = octets[(size_t)random() % 5];
		char *exact = malloc(n > 0 ? n : 1);
		memcpy(exact, p, n);
		ck_assert_uint_eq(find_odd_line(exact, n), odd_line(p, n));
		free(exact);
	}
}
END_TEST

START_TEST(any_octets)
{
	const char hay[] = "0123\0\xff\0\xfe PK\3\4";

	ck_assert_ptr_eq(find_octets(hay, sizeof hay, "\0\xfe", 2), hay + 6);
	ck_assert_ptr_eq(find_octets(hay, sizeof hay, "PK\3\4", 4), hay + 9);
	ck_assert_ptr_null(find_octets(hay, 12, "PK\3\4", 4));
	ck_assert_ptr_null(find_octets(hay, 0, "PK", 2));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("find");
	TCase *tc = tcase_create("find");

	tcase_add_test(tc, each_place);
	tcase_add_test(tc, at_random);
	tcase_add_test(tc, odd_lines);
	tcase_add_test(tc, any_octets);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
