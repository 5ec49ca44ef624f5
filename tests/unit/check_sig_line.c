/* check_sig_line.c - lines of signature files. */
#include <stdlib.h>
#include <string.h>

#include "sig_line.h"
#include "unit.h"

#define MD5 "44d88612fea8a8f36de82e1278abb02f"
#define SHA1 "3395856ce81f2b7382dee72602f798b642f14140"
#define SHA256 "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"

static const struct { enum sig_format f; const char *line; int want; enum sig_kind kind;
	uint32_t size; const char *name; } lines[] = {
	{ SIG_HDB, MD5 ":68:Eicar", 1, SIG_MD5, 68, "Eicar" },
	{ SIG_HDB, MD5 ":*:Eicar:73", 1, SIG_MD5, SIG_SIZE_ANY, "Eicar" },
	{ SIG_HDB, "44D88612FEA8A8F36DE82E1278ABB02F:68:Eicar \t", 1, SIG_MD5, 68, "Eicar" },
	{ SIG_HDB, MD5 ":68:Eicar \t:73", 1, SIG_MD5, 68, "Eicar" },
	{ SIG_HDB, MD5 ":68: :73", -1, 0, 0, "" },
	{ SIG_HSB, SHA1 ":68:a b", 1, SIG_SHA1, 68, "a b" },
	{ SIG_HSB, SHA256 ":0:x", 1, SIG_SHA256, 0, "x" },
	{ SIG_HSB, SHA256 ":4294967294:x", 1, SIG_SHA256, UINT32_MAX - 1, "x" },
	{ SIG_PLAIN, SHA256, 1, SIG_SHA256, SIG_SIZE_ANY, "Listed.SHA256" },
	{ SIG_PLAIN, SHA256 "  bad.exe", 1, SIG_SHA256, SIG_SIZE_ANY, "bad.exe" },
	{ SIG_PLAIN, SHA256 " *bad.exe", 1, SIG_SHA256, SIG_SIZE_ANY, "bad.exe" },
	{ SIG_PLAIN, "", 0, 0, 0, "" }, { SIG_HDB, "# " MD5 ":68:x", 0, 0, 0, "" },
	{ SIG_HSB, " \t", 0, 0, 0, "" },
	{ SIG_HDB, SHA1 ":68:x", -1, 0, 0, "" }, { SIG_HSB, MD5 ":68:x", -1, 0, 0, "" },
	{ SIG_HDB, MD5, -1, 0, 0, "" }, { SIG_HDB, MD5 ":68", -1, 0, 0, "" },
	{ SIG_HDB, MD5 ":68:", -1, 0, 0, "" }, { SIG_HDB, MD5 "::x", -1, 0, 0, "" },
	{ SIG_HDB, MD5 ":-1:x", -1, 0, 0, "" }, { SIG_HDB, MD5 ":4294967295:x", -1, 0, 0, "" },
	{ SIG_HDB, MD5 ":99999999999999999999999:x", -1, 0, 0, "" }, { SIG_HDB, ":::", -1, 0, 0, "" },
	{ SIG_HDB, "g4d88612fea8a8f36de82e1278abb02f:68:x", -1, 0, 0, "" },
	{ SIG_PLAIN, MD5, -1, 0, 0, "" }, { SIG_PLAIN, " " SHA256, -1, 0, 0, "" },
	{ SIG_PLAIN, SHA256 "x", -1, 0, 0, "" },
};

START_TEST(line)
{
	char text[256];
	struct sig sig;

	strcpy(text, lines[_i].line);
	ck_assert_int_eq(sig_line_parse(text, lines[_i].f, &sig), lines[_i].want);
	if (lines[_i].want <= 0)
		return;
	ck_assert_int_eq(sig.kind, lines[_i].kind);
	ck_assert_uint_eq(sig.size, lines[_i].size);
	ck_assert_str_eq(sig.name, lines[_i].name);
	ck_assert_uint_eq(sig.digest[0], sig.kind == SIG_MD5 ? 0x44 : sig.kind == SIG_SHA1 ? 0x33 : 0x27);
}
END_TEST

START_TEST(file_names)
{
	static const struct { const char *name; enum sig_format f; } files[] = {
		{ "a.hdb", SIG_HDB }, { "a.b.hsb", SIG_HSB }, { "x.sha256", SIG_PLAIN },
		{ "list.txt", SIG_PLAIN }, { "a.HDB", SIG_NONE }, { "a.hdb~", SIG_NONE },
		{ ".a.hdb", SIG_NONE }, { ".hdb", SIG_NONE }, { "hdb", SIG_NONE }, { "", SIG_NONE },
		{ "README", SIG_NONE },
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		ck_assert_int_eq(sig_format_of(files[i].name), files[i].f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sig_line");
	TCase *t = tcase_create("sig_line");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, line, 0, (int)(sizeof lines / sizeof *lines));
	tcase_add_test(t, file_names);
	return unit_run(s);
}
