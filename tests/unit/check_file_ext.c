/* check_file_ext.c - what a name is taken for, case by case. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "file_ext.h"

static const struct {
	const char *name;
	const char *ext;      /* NULL: not blocked */
	bool is_excluded;
} cases[] = {
	{ "a.exe", "exe", true },
	{ "A.EXE", "exe", true },
	{ "a.b.exe", "exe", true },
	{ "a.pdf.exe", "exe", true },
	{ ".exe", "exe", true },
	{ "x .exe", "exe", true },
	{ "a.tar.gz", "tar.gz", true },
	{ "b.gz", NULL, false },
	{ "exe", NULL, false },
	{ "a.exe.txt", NULL, false },
	{ "a.exee", NULL, false },
	{ "a.xexe", NULL, false },
	{ "", NULL, false },
	{ "a.exe ", "exe", false },
	{ "a.exe.", "exe", false },
	{ "a.exe. . .", "exe", false },
	{ "a.exe\t", "exe", false },
	{ "a.exe\"", "exe", false },
	{ "'a.exe'", "exe", false },
	{ "a.exe/", "exe", false },
	{ "d/a.exe", "exe", false },
	{ "C:\\d\\a.exe", "exe", false },
	{ "a.exe:$DATA", "exe", false },
	{ "a.exe::$DATA", "exe", false },
	{ "a.txt:b.exe", "exe", false },
	{ "a.exe:x.txt", "exe", false },
	{ "a\u202etxt.exe", "exe", false },
	{ "cod\u202e.exe", "exe", false },
	{ "a.e\u200bxe", "exe", false },
	{ "a.exe\u00a0", "exe", false },
	{ "a.exe\u3000", "exe", false },
	{ "a.ex\u00ade", "exe", false },
	{ "a\uff0eexe", "exe", false },
	{ "a\u3002exe", "exe", false },
	{ "a.\uff45\uff58\uff45", "exe", false },
	{ "a.\uff25\uff38\uff25", "exe", false },
	{ "a.e\001xe", "exe", false },
	{ "a%2eexe", "exe", false },
	{ "a.ex%65", "exe", false },
	{ "a.exe%20", "exe", false },
	{ "100%.exe", "exe", false },
	{ "100%.txt", NULL, false },
	{ "a.exe%00.txt", NULL, false },
	{ "a.exe.gz", "exe", false },
	{ "a.exe.BZ2", "exe", false },
	{ "a.exe.zst ", "exe", false },
	{ "a.gz.exe", "exe", true },
	{ "\u0440\u0430\u0445.exe", "exe", true },
	{ "\xff\xfe.exe", "exe", true },
	{ "a.\xe5xe", NULL, false },
	{ "\xc0\xae" "exe", NULL, false },
	{ "a.\u0435xe", NULL, false },
};

START_TEST(every_form)
{
	const char *name = cases[_i].name;
	char ext[FILE_EXT_MAX];
	bool got = file_ext_is_blocked("scr: .EXE :tar.gz", name, ext);

	ck_assert_msg(got == (cases[_i].ext != NULL), "%s", name);
	if (got)
		ck_assert_msg(strcmp(ext, cases[_i].ext) == 0, "%s: %s", name, ext);
	got = file_ext_is_excluded("scr:exe:tar.gz", name);
	ck_assert_msg(got == cases[_i].is_excluded, "excluded: %s", name);
	ck_assert(!file_ext_is_blocked("", name, ext));
	ck_assert(!file_ext_is_excluded("", name));
}
END_TEST

START_TEST(shifted)
{
	static const struct { const char *name; bool is_blocked; } rows[] = {
		{ "e.e\033(Bxe", true }, { "e.\033(Jexe\033(B", true }, { "e\033(B.exe\033", true },
		{ "\033$B#e!%#e#x#e\033(B", true }, { "\033$Ba.\033(B.exe", true },
		{ "\033$)C\016#e\017.exe", true }, { "\033$(D#.#e#x#e", true },
		{ "\033$B.exe\033(B", false }, { "\033$B#e!%#e#x", false }, { "\033$B#", false },
		{ "e.\033(B", false }, { "e.exe\033(B.txt", false },
	};
	char ext[FILE_EXT_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_msg(file_ext_is_blocked("exe", rows[i].name, ext) == rows[i].is_blocked, "row %zu",
			i);
}
END_TEST

/* Of a long name the end counts. */
START_TEST(long_names)
{
	char name[5000], ext[FILE_EXT_MAX];

	memset(name, 'a', sizeof name);
	snprintf(name + 4900, 100, ".exe");
	ck_assert(file_ext_is_blocked("exe", name, ext));
	memset(name, ' ', 4900);
	memcpy(name, "a.exe", 5);
	snprintf(name + 4900, 100, "x.txt");
	ck_assert(!file_ext_is_blocked("exe", name, ext));
	snprintf(name + 4900, 100, ".txt");
	ck_assert(file_ext_is_blocked("txt", name, ext));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("file_ext");
	TCase *t = tcase_create("file_ext");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, every_form, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, shifted);
	tcase_add_test(t, long_names);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
