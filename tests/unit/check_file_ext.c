/* check_file_ext.c - what a name is taken for, case by case. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_ext.h"
#include "unit.h"

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
	{ "a.exe*", "exe", false },
	{ "a.exe.|?", "exe", false },
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
	enum file_ext answer = file_ext_check("scr: .EXE :tar.gz", name, ext);
	bool got = answer == FILE_EXT_BLOCKED;

	ck_assert_msg(got == (cases[_i].ext != NULL), "%s", name);
	ck_assert(got || answer == FILE_EXT_OTHER);
	if (got)
		ck_assert_msg(strcmp(ext, cases[_i].ext) == 0, "%s: %s", name, ext);
	got = file_ext_is_excluded("scr:exe:tar.gz", name);
	ck_assert_msg(got == cases[_i].is_excluded, "excluded: %s", name);
	ck_assert_int_eq(file_ext_check("", name, ext), FILE_EXT_OTHER);
	ck_assert(!file_ext_is_excluded("", name));
}
END_TEST

static bool is_blocked(const char *list, const char *name, char ext[FILE_EXT_MAX])
{
	return file_ext_check(list, name, ext) == FILE_EXT_BLOCKED;
}

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
		ck_assert_msg(is_blocked("exe", rows[i].name, ext) == rows[i].is_blocked, "row %zu", i);
}
END_TEST

/* Raw octets of a charset that nobody names, as in a zip. */
START_TEST(octets_of_a_charset)
{
	static const struct { const char *name; bool is_blocked; } rows[] = {
		/* a.exe, letters fullwidth, then dots and blanks: GBK and EUC-KR, EUC-JP ... */
		{ "a.\xa3\xe5\xa3\xf8\xa3\xe5", true }, { "a.\xa3\xc5XE", true },
		{ "a\xa3\xae" "exe", true }, { "a\xa1\xa5" "exe", true }, { "a\xa1\xa3" "exe", true },
		{ "a\xa9\x71" "exe", true }, { "a\x8e\xa1" "exe", true }, { "a.exe\xa1\xa1", true },
		{ "\x8f\xa2\xaf.\x8f\xa2\xaf\xa1\xa5\xa3\xe5xe", true },
		{ "\xb0\xa3\xa3\xae\xa3\xe5\xa3\xf8\xa3\xe5", true },
		{ "\xa3\xa3\xae\xa3\xe5\xa3\xf8\xa3\xe5", true }, /* cut in a character */
		{ "a.exe\xa1\xa7x.txt", true }, { "a.e\xa1\xa9xe", true },
		/* ... GB 18030, of four octets */
		{ "a.e\x81\x36\xa4\x37xe", true }, { "a\x84\x31\x95\x37" "exe", true },
		{ "a\x81\x36\xa6\x33" "exe", true },
		/* ... Shift_JIS ... */
		{ "a.\x82\x85\x82\x98\x82\x85", true }, { "a.\x82\x64xe", true },
		{ "a\x81\x44" "exe", true }, { "a\x81\x42" "exe", true }, { "a\xa1" "exe", true },
		{ "a.exe\x81\x40", true }, { "\x82\x85\x81\x44\x82\x85\x82\x98\x82\x85", true },
		/* ... Big5 */
		{ "a.\xa2\xed\xa3\x41\xa2\xed", true }, { "a.\xa2\xd3xe", true },
		{ "a\xa1\x44" "exe", true }, { "a.exe\xa1\x40", true }, { "a\xa1\x4f" "exe", true },
		/* What is invisible, or a blank, in one of single octets. */
		{ "a.e\xadxe", true }, { "a.exe\xa0", true }, { "a.e\x9dxe", true },
		/* In an address of the web too. */
		{ "a.%A3%E5xe", true }, { "a%81%44exe", true },
		/* Other letters, others without dot, unfinished. */
		{ "a.\xa3\xe5xf", false }, { "a\xa3\xe5xe", false }, { "a.ex\xa3", false },
		{ "a.ex\x81\x36\xa4", false }, { "a.ex\x8f\xa2", false }, { "a.exe\xa3\xe5", false },
		{ "\xc5\xe4.txt", false }, { "a.\u00e9xe", false }, { "\u6f22.\u5b57", false },
	};
	char ext[FILE_EXT_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *exact = strdup(rows[i].name);
		ck_assert_msg(is_blocked("exe", exact, ext) == rows[i].is_blocked, "row %zu", i);
		free(exact);
	}
}
END_TEST

/* Streams of NTFS: as many as an honest name may have, and more. */
START_TEST(colons)
{
	char name[4000], ext[FILE_EXT_MAX];

	for (size_t n = 0; n < sizeof name - 10; n += n < 20 ? 1 : 900) {
		memset(name, ':', n);
		memcpy(name + n, "a.txt", 6);
		ck_assert_int_eq(file_ext_check("exe", name, ext),
			n < 16 ? FILE_EXT_OTHER : FILE_EXT_UNKNOWN);
		memcpy(name + n, "a.exe", 6);
		ck_assert_int_eq(file_ext_check("exe", name, ext),
			n < 16 ? FILE_EXT_BLOCKED : FILE_EXT_UNKNOWN);
	}
	memset(name, ':', 500);
	memcpy(name, "a.exe", 5);
	name[500] = '\0';
	ck_assert(is_blocked("exe", name, ext));
}
END_TEST

/* Any octets, in a room of their own size. */
START_TEST(any_octets)
{
	static const unsigned char few[] = "\x81\x30\x84\x8f\x8e\xa1\xa3\xe5.:%\033$B(\x40\xff\xe2\x80";
	char name[64], ext[FILE_EXT_MAX];

	srand(7);
	for (int i = 0; i < 20000; i++) {
		size_t n = 1 + (size_t)rand() % 20;
		for (size_t k = 0; k < n; k++)
			name[k] = (char)few[(size_t)rand() % (sizeof few - 1)];
		name[n] = '\0';
		char *exact = strdup(name);
		ck_assert(!is_blocked("exe", exact, ext));
		free(exact);
	}
}
END_TEST

/* Of a long name the end counts. */
START_TEST(long_names)
{
	char name[5000], ext[FILE_EXT_MAX];

	memset(name, 'a', sizeof name);
	snprintf(name + 4900, 100, ".exe");
	ck_assert(is_blocked("exe", name, ext));
	memset(name, ' ', 4900);
	memcpy(name, "a.exe", 5);
	snprintf(name + 4900, 100, "x.txt");
	ck_assert(!is_blocked("exe", name, ext));
	snprintf(name + 4900, 100, ".txt");
	ck_assert(is_blocked("txt", name, ext));
	memset(name, 'a', 4900);
	for (size_t i = 0; i < 2; i++) {
		static const char *const ends[] = { "\033(B.e\033(Bxe", ".e%78e" };
		snprintf(name + 4900, 100, "%s", ends[i]);
		ck_assert(is_blocked("exe", name, ext));
	}
	memset(name, '\xa3', 4900);
	for (size_t i = 0; i < 2; i++) {
		memcpy(name + 4900, "\xa3\xae\xa3\xe5\xa3\xf8\xa3\xe5", 9);
		ck_assert(is_blocked("exe", name + i, ext));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("file_ext");
	TCase *t = tcase_create("file_ext");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, every_form, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, shifted);
	tcase_add_test(t, octets_of_a_charset);
	tcase_add_test(t, colons);
	tcase_add_test(t, long_names);
	t = tcase_create("any_octets");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, any_octets);
	suite_add_tcase(s, t);
	return unit_run(s);
}
