/* check_allow.c - av_allow_name and av_allow_hash: what matches, what never does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allow.h"
#include "unit.h"

#define A16 "0123456789abcdef"
#define A64 A16 A16 A16 A16
#define B64 "fedcba9876543210" A16 A16 A16

static const struct { const char *list, *name; bool yes; } names[] = {
	{ "", "Foo", false }, { "Foo", "Foo", true }, { "Foo", "foo", true },
	{ "Foo", "Foo.A", false }, { "Foo", "A.Foo", false }, { "Foo*", "Foo.A", true },
	{ "*.Foo", "A.Foo", true }, { "*oo*", "A.Foo.B", true }, { "F?o", "Foo", true },
	{ "F?o", "Fo", false }, { "A:Foo:B", "Foo", true }, { " A : Foo : B ", "Foo", true },
	{ "A:B", "Foo", false }, { "A:B", "A:B", false }, { ":::", "Foo", false },
	/* These would switch the scanner off. */
	{ "*", "Foo", false }, { "?*", "Foo", false }, { "???", "Foo", false },
	{ "*:Foo", "Foo", true }, { "", "", false }, { "*", "", false }, { "a*", "", false },
	{ "\xc3\xa4*", "\xc3\xa4" "B", true },
};

START_TEST(name_table)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		ck_assert_msg(allow_has_name(names[i].list, names[i].name) == names[i].yes, "%s in %s",
			names[i].name, names[i].list);
}
END_TEST

static const struct { const char *list, *hash; bool yes; } hashes[] = {
	{ "", A64, false }, { A64, A64, true }, { A64, B64, false }, { B64 ":" A64, A64, true },
	{ " " B64 " : " A64 " ", B64, true }, { A64 "0", A64, false }, { "0" A64, A64, false },
	{ A16 A16 A16, A64, false }, { A64 "0:" B64, B64, true }, { A64, "", false },
	{ "", "", false }, { ":", "", false }, { A64, A16, false }, { A16, A16, false },
	{ "*", A64, false }, { "0123456789ABCDEF" A16 A16 A16, A64, true },
	{ A64, "0123456789ABCDEF" A16 A16 A16, true },
};

START_TEST(hash_table)
{
	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
		ck_assert_msg(allow_has_hash(hashes[i].list, hashes[i].hash) == hashes[i].yes,
			"%s in %s", hashes[i].hash, hashes[i].list);
}
END_TEST

/* An item that is too long is passed over, and not taken for its beginning. */
START_TEST(long_items)
{
	static char list[3000];

	memset(list, 'a', sizeof list - 1);
	memcpy(list + 2000, ":Foo:", 5);
	ck_assert(allow_has_name(list, "foo"));
	ck_assert(!allow_has_name(list, "aaa"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("allow");
	TCase *tc = tcase_create("allow");

	tcase_add_test(tc, name_table);
	tcase_add_test(tc, hash_table);
	tcase_add_test(tc, long_items);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
