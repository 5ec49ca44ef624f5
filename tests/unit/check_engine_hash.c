/* check_engine_hash.c - digest signatures: file formats, bad lines, look-up. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "engine_hash.h"
#include "log.h"
#include "str.h"
#include "unit.h"

static char dir[UNIT_PATH_SIZE];
static char path[128];

static void write_file(const char *name, const char *text)
{
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	unit_dir(dir);
}

static void teardown(void)
{
	engine_hash_unload();
}

static const char *hex_of(const char *algorithm, const char *text)
{
	static char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	ck_assert_int_eq(EVP_Digest(text, strlen(text), digest, &n, EVP_get_digestbyname(algorithm),
		NULL), 1);
	str_hex(hex, digest, n);
	return hex;
}

static const char *allow_name = "";

static enum engine_status scan(const char *text, char name[VERDICT_NAME_MAX])
{
	struct engine_object o = { .data = (const unsigned char *)text, .len = strlen(text), .fd = -1 };
	struct engine_result r = { .score_milli = 0 };
	enum engine_status s = engine_hash_scan(&o, allow_name, NULL, &r);

	strcpy(name, r.name);
	return s;
}

static void load(unsigned long want)
{
	char why[256];

	ck_assert_msg(engine_hash_load(dir, why, sizeof why) == 0, "%s", why);
	ck_assert_uint_eq(engine_hash_count(), want);
}

START_TEST(formats)
{
	char text[2048], name[VERDICT_NAME_MAX];
	size_t n = 0;

	n += (size_t)snprintf(text, sizeof text, "# comment\n\n%s:3:Md5.Sized\r\n", hex_of("MD5", "one"));
	snprintf(text + n, sizeof text - n, "%s:*:Md5.Any", hex_of("MD5", "two"));
	write_file("a.hdb", text);
	n = (size_t)snprintf(text, sizeof text, "%s:5:Sha1.Sized\n", hex_of("SHA1", "three"));
	snprintf(text + n, sizeof text - n, "%s:*:Sha256.Any:73\n", hex_of("SHA256", "four"));
	write_file("a.hsb", text);
	n = (size_t)snprintf(text, sizeof text, "%s\n", hex_of("SHA256", "five"));
	n += (size_t)snprintf(text + n, sizeof text - n, "%s  file name.exe\n", hex_of("SHA256", "six"));
	snprintf(text + n, sizeof text - n, "%s *binary.exe\n", hex_of("SHA256", "seven"));
	write_file("a.sha256", text);
	write_file("x.other", "this is no list of signatures\n");
	load(7);
	static const struct { const char *object, *name; } want[] = {
		{ "one", "Md5.Sized" }, { "two", "Md5.Any" }, { "three", "Sha1.Sized" },
		{ "four", "Sha256.Any" }, { "five", "Listed.SHA256" }, { "six", "file name.exe" },
		{ "seven", "binary.exe" },
	};
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		ck_assert_int_eq(scan(want[i].object, name), ENGINE_FOUND);
		ck_assert_str_eq(name, want[i].name);
	}
	ck_assert_int_eq(scan("eight", name), ENGINE_CLEAN);
	ck_assert_int_eq(scan("", name), ENGINE_CLEAN);
}
END_TEST

/* The files that come with the tests, as an administrator may try them. */
START_TEST(shipped_files)
{
	static const char *const want[][2] = {
		{ "md5", "Test.Md5" }, { "sha1", "Test.Sha1" }, { "sha256", "Test.Sha256" },
		{ "named", "Test.Named" }, { "nameless", "Listed.SHA256" },
	};
	char why[256], object[64], name[VERDICT_NAME_MAX];

	ck_assert_msg(engine_hash_load(TEST_DATA "/signatures", why, sizeof why) == 0, "%s", why);
	ck_assert_uint_eq(engine_hash_count(), sizeof want / sizeof want[0]);
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		snprintf(object, sizeof object, "object with a %s signature\n", want[i][0]);
		ck_assert_int_eq(scan(object, name), ENGINE_FOUND);
		ck_assert_str_eq(name, want[i][1]);
	}
}
END_TEST

/* The size counts: the same digest with another size is no match. */
START_TEST(size_is_part_of_the_signature)
{
	char text[256], name[VERDICT_NAME_MAX];

	snprintf(text, sizeof text, "%s:4:Wrong.Size\n", hex_of("MD5", "one"));
	write_file("a.hdb", text);
	load(1);
	ck_assert_int_eq(scan("one", name), ENGINE_CLEAN);
}
END_TEST

START_TEST(bad_lines_are_skipped)
{
	char text[8192], name[VERDICT_NAME_MAX];
	size_t n = 0;

	n += (size_t)snprintf(text, sizeof text, "nonsense\n:::\nabc:3:Short\n%s:3\n%s:x:Size\n%s:3:\n",
		hex_of("MD5", "a"), hex_of("MD5", "b"), hex_of("MD5", "c"));
	n += (size_t)snprintf(text + n, sizeof text - n, "%s:3:Sha1.In.Hdb\n", hex_of("SHA1", "d"));
	memset(text + n, 'f', 3000);
	n += 3000;
	snprintf(text + n, sizeof text - n, ":3:Too.Long\n%s:3:Good\n", hex_of("MD5", "one"));
	write_file("a.hdb", text);
	write_file("a.hsb", "zz\n");
	load(1);
	ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
	ck_assert_str_eq(name, "Good");
}
END_TEST

/* Thousands of records: every one is found, none beside them. */
START_TEST(every_record_is_found)
{
	char object[32], name[VERDICT_NAME_MAX];

	snprintf(path, sizeof path, "%s/a.hsb", dir);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 5000; i++) {
		snprintf(object, sizeof object, "object %d", i);
		fprintf(f, "%s:%s:Name.%d\n", hex_of("SHA256", object), i % 2 ? "*" : i < 10 ? "8" :
			i < 100 ? "9" : i < 1000 ? "10" : "11", i);
	}
	fclose(f);
	load(5000);
	for (int i = 0; i < 5100; i++) {
		char want[32];
		snprintf(object, sizeof object, "object %d", i);
		snprintf(want, sizeof want, "Name.%d", i);
		ck_assert_int_eq(scan(object, name), i < 5000 ? ENGINE_FOUND : ENGINE_CLEAN);
		ck_assert(i >= 5000 || strcmp(name, want) == 0);
	}
}
END_TEST

/* Digests that lie close together do not lead the interpolation astray. */
START_TEST(uneven_digests)
{
	char name[VERDICT_NAME_MAX], hex[65];

	snprintf(path, sizeof path, "%s/b.txt", dir);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 3000; i++) {
		snprintf(hex, sizeof hex, "%056d%08x", 0, (unsigned)i);
		fprintf(f, "%s Low.%d\n", hex, i);
	}
	fprintf(f, "%s Found\n%064d Zero\n", hex_of("SHA256", "one"), 0);
	for (int i = 0; i < 64; i++)
		fputc('f', f);
	fputs(" Ones\n", f);
	fclose(f);
	load(3003);
	ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
	ck_assert_str_eq(name, "Found");
	ck_assert_int_eq(scan("two", name), ENGINE_CLEAN);
}
END_TEST

START_TEST(reload_replaces)
{
	char text[256], name[VERDICT_NAME_MAX], why[256];

	snprintf(text, sizeof text, "%s First\n", hex_of("SHA256", "one"));
	write_file("b.txt", text);
	load(1);
	snprintf(text, sizeof text, "%s Second\n", hex_of("SHA256", "two"));
	write_file("b.txt", text);
	load(1);
	ck_assert_int_eq(scan("one", name), ENGINE_CLEAN);
	ck_assert_int_eq(scan("two", name), ENGINE_FOUND);
	/* A directory that is a file is an error, and changes nothing. */
	ck_assert_int_eq(engine_hash_load(path, why, sizeof why), -1);
	ck_assert_int_eq(scan("two", name), ENGINE_FOUND);
	ck_assert_int_eq(engine_hash_load("/nonexistent/directory", why, sizeof why), 0);
	ck_assert_int_eq(scan("two", name), ENGINE_CLEAN);
}
END_TEST

/* What the load logs. */
static void load_and_read_log(char *out, size_t size)
{
	struct log_cfg cfg = { .facility = -1, .classes = 1u << LC_WARNING, .to_stderr = true };
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	fflush(stderr);
	int saved = dup(STDERR_FILENO);
	ck_assert(saved >= 0 && dup2(fileno(f), STDERR_FILENO) >= 0);
	log_open("check_hash", &cfg);
	load(0);
	fflush(stderr);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(saved);
	rewind(f);
	out[fread(out, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* A file that is not read is told of, once, unless it is plainly no database. */
START_TEST(other_files)
{
	static const char *const quiet[] = { ".x.other", "README", "README.md", "a.hdb~", "a.hdb" };
	char text[4096];

	for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++)
		write_file(quiet[i], "");
	load_and_read_log(text, sizeof text);
	ck_assert_str_eq(text, "");
	write_file("x.other", "");
	write_file("daily.cvd", "");
	write_file("other", "");
	load_and_read_log(text, sizeof text);
	unsigned lines = 0;
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	ck_assert_msg(lines == 3, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "/x.other: not loaded"));
	ck_assert_ptr_nonnull(strstr(text, "/daily.cvd: not loaded"));
	ck_assert_ptr_nonnull(strstr(text, "/other: not loaded"));
}
END_TEST

START_TEST(sha256_on_request)
{
	struct engine_object o = { .data = (const unsigned char *)"abc", .len = 3, .fd = -1,
		.want_sha256 = true };
	struct engine_result r;

	load(0);
	ck_assert_int_eq(engine_hash_scan(&o, "", NULL, &r), ENGINE_CLEAN);
	ck_assert_str_eq(o.sha256_hex,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

/* An allowed name does not hide another signature of the same object. */
START_TEST(allowed_names_come_last)
{
	char name[VERDICT_NAME_MAX], text[400];

	snprintf(text, sizeof text, "%s  False.Alarm\n", hex_of("SHA256", "one"));
	write_file("a.sha256", text);
	snprintf(text, sizeof text, "%s:3:Real.Thing\n", hex_of("MD5", "one"));
	write_file("a.hdb", text);
	load(2);
	ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
	ck_assert_str_eq(name, "False.Alarm");
	allow_name = "False.*";
	ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
	ck_assert_str_eq(name, "Real.Thing");
	allow_name = "False.*:Real.*";
	ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
	ck_assert_int_eq(scan("two", name), ENGINE_CLEAN);
	allow_name = "";
}
END_TEST

/* What others than root and we can change is taken at a start, but does not replace
 * what they cannot. */
START_TEST(files_of_others)
{
	static const struct { bool is_dir; mode_t mode; uid_t uid; const char *why; } ways[] = {
		{ false, 0646, 0, "/a.sha256: everybody can write to it, and so far" },
		{ false, 0644, 65534, "/a.sha256 belongs to user 65534, who can change it, and" },
		{ true, 0733, 0, ": everybody can write to it" },
		{ true, 01733, 0, ": everybody can write to it" },
		{ true, 0755, 65534, " belongs to user 65534" },
	};
	char name[VERDICT_NAME_MAX], text[400], why[512];

	snprintf(text, sizeof text, "%s  One\n", hex_of("SHA256", "one"));
	write_file("a.sha256", text);
	load(1);
	snprintf(text, sizeof text, "%s  Two\n", hex_of("SHA256", "two"));
	write_file("a.sha256", text);
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		const char *of = ways[i].is_dir ? dir : path;
		if (ways[i].uid != 0 && chown(of, ways[i].uid, (gid_t)-1) < 0)
			continue; /* not as root */
		ck_assert_int_eq(chmod(of, ways[i].mode), 0);
		ck_assert_int_eq(engine_hash_load(dir, why, sizeof why), -1);
		ck_assert_msg(strstr(why, ways[i].why) != NULL, "%s", why);
		ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
		ck_assert_int_eq(chmod(of, 0700), 0);
		ck_assert_int_eq(chown(of, geteuid(), (gid_t)-1), 0);
	}
	engine_hash_unload();
	ck_assert_int_eq(chmod(path, 0646), 0);
	load(1); /* with a warning */
	load(1);
}
END_TEST

/* A link of root's into a directory where others rename what they like. */
START_TEST(linked_directory)
{
	char name[VERDICT_NAME_MAX], text[400], why[512], open_dir[300], link[300];

	snprintf(open_dir, sizeof open_dir, "%s/open", dir);
	snprintf(link, sizeof link, "%s/link", dir);
	ck_assert_int_eq(mkdir(open_dir, 0700), 0);
	snprintf(path, sizeof path, "%s/open/sigs", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(text, sizeof text, "%s  One\n", hex_of("SHA256", "one"));
	write_file("open/sigs/a.sha256", text);
	ck_assert_int_eq(symlink("open/sigs", link), 0);
	ck_assert_int_eq(engine_hash_load(link, why, sizeof why), 0);
	ck_assert_int_eq(chmod(open_dir, 0777), 0);
	ck_assert_int_eq(engine_hash_load(link, why, sizeof why), -1);
	ck_assert_msg(strstr(why, "/open: everybody can write to it") != NULL, "%s", why);
	ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
}
END_TEST

/* Nobody waits for a writer who never comes. */
START_TEST(fifo)
{
	char why[512];

	snprintf(path, sizeof path, "%s/x.hdb", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(engine_hash_load(dir, why, sizeof why), -1);
	ck_assert_ptr_nonnull(strstr(why, "/x.hdb: not a file"));
}
END_TEST

/* A file without one good line: at the start the others are loaded, later on
 * what is in force stays. */
START_TEST(broken_file)
{
	char name[VERDICT_NAME_MAX], text[400], why[256];

	snprintf(text, sizeof text, "%s  One\n", hex_of("SHA256", "one"));
	write_file("a.sha256", text);
	write_file("b.txt", "<html>\nsorry\n");
	load(1);
	ck_assert(engine_hash_has_broken_file());
	write_file("a.sha256", "# nothing in it\n");
	ck_assert_int_eq(engine_hash_load(dir, why, sizeof why), -1);
	ck_assert_ptr_nonnull(strstr(why, "b.txt: none of its lines is a signature"));
	ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
	write_file("b.txt", "");
	load(0);
	ck_assert_int_eq(scan("one", name), ENGINE_CLEAN);
}
END_TEST

/* A file that held signatures and is of no length now: what is in force stays, for as
 * long as the file is there. Comments, or no file, are somebody's will. */
START_TEST(emptied_file)
{
	char name[VERDICT_NAME_MAX], text[400], why[256];

	snprintf(text, sizeof text, "%s  One\n", hex_of("SHA256", "one"));
	write_file("e.sha256", text);
	write_file("new.txt", "");
	load(1);
	write_file("e.sha256", "");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(engine_hash_load(dir, why, sizeof why), -1);
		ck_assert_ptr_nonnull(strstr(why, "e.sha256: it is empty, and held signatures"));
		ck_assert_int_eq(scan("one", name), ENGINE_FOUND);
	}
	write_file("e.sha256", "# none any more\n");
	load(0);
	write_file("e.sha256", "");
	load(0);
	write_file("e.sha256", text);
	load(1);
	ck_assert_int_eq(unlink(path), 0);
	load(0);
}
END_TEST

START_TEST(sha256_alone)
{
	struct engine_object o = { .data = (const unsigned char *)"abc", .len = 3, .fd = -1 };

	engine_hash_unload(); /* as where builtin is not among av_engines */
	ck_assert_int_eq(engine_hash_sha256(&o, NULL), 0);
	ck_assert_str_eq(o.sha256_hex, hex_of("SHA256", "abc"));
}
END_TEST

static unsigned asked, answers;

static bool is_gone(void *arg)
{
	(void)arg;
	return ++asked > answers;
}

/* A long object in pieces, and between them: does anybody wait? */
START_TEST(long_object)
{
	const size_t len = (20u << 20) + 3;
	struct engine_object o = { .data = calloc(1, len), .len = len, .fd = -1, .want_sha256 = true };
	struct engine_call call = { .deadline_ms = LLONG_MAX, .cancelled = is_gone };
	struct engine_result r = { .score_milli = 0 };
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[65];

	load(0);
	asked = 0;
	answers = 2;
	ck_assert_int_eq(engine_hash_scan(&o, "", &call, &r), ENGINE_ERROR);
	ck_assert_uint_eq(asked, 3 + 1); /* and why it is an error */
	ck_assert_str_eq(o.sha256_hex, "");
	ck_assert_int_eq(engine_hash_sha256(&o, &call), -1);
	answers = UINT_MAX;
	call.deadline_ms = 0;
	ck_assert_int_eq(engine_hash_scan(&o, "", &call, &r), ENGINE_ERROR);
	ck_assert_str_eq(r.reason, "the scan took longer than av_scan_timeout");
	call.deadline_ms = LLONG_MAX;
	ck_assert_int_eq(engine_hash_scan(&o, "", &call, &r), ENGINE_CLEAN);
	ck_assert_int_eq(EVP_Digest(o.data, len, digest, NULL, EVP_sha256(), NULL), 1);
	str_hex(hex, digest, 32);
	ck_assert_str_eq(o.sha256_hex, hex);
	/* One that takes no time to speak of asks nothing. */
	answers = 0;
	o.len = 1000;
	o.sha256_hex[0] = '\0';
	ck_assert_int_eq(engine_hash_sha256(&o, &call), 0);
	free((void *)(uintptr_t)o.data);
}
END_TEST

/* What is as long as its parts and never the same twice. */
START_TEST(any_size_is_not_for_all)
{
	struct engine_object o = { .data = (const unsigned char *)"one", .len = 3, .fd = -1,
		.sized_only = true, .want_sha256 = true };
	struct engine_result r;
	char text[400];

	snprintf(text, sizeof text, "%s:*:Any.Size\n%s:4:Other.Size\n", hex_of("SHA256", "one"),
		hex_of("SHA256", "one"));
	write_file("a.hsb", text);
	load(2);
	ck_assert_int_eq(engine_hash_scan(&o, "", NULL, &r), ENGINE_CLEAN);
	snprintf(text, sizeof text, "%s:3:This.Size\n", hex_of("MD5", "one"));
	write_file("a.hdb", text);
	load(3);
	ck_assert_int_eq(engine_hash_scan(&o, "", NULL, &r), ENGINE_FOUND);
	ck_assert_str_eq(r.name, "This.Size");
	o.sized_only = false;
	ck_assert_int_eq(engine_hash_scan(&o, "", NULL, &r), ENGINE_FOUND);
	ck_assert_str_eq(r.name, "Any.Size");
}
END_TEST

/* Digests of numbers, and for some of them a few that differ from them late: what
 * is alike in its first octets is found all the same. */
START_TEST(alike_digests)
{
	enum { NUMBERS = 1500, ALIKE = 1200, PLACES = 40, OTHER = 41 };
	static char text[(NUMBERS + ALIKE) * 66];
	char number[16], name[VERDICT_NAME_MAX];
	size_t n = 0;

	for (int i = 0; i < NUMBERS + ALIKE; i++) {
		snprintf(number, sizeof number, "%d", i < NUMBERS ? i : i % OTHER);
		n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", hex_of("SHA256", number));
		char *digit = text + n - 2 - (i >= NUMBERS ? i % PLACES : 0);
		if (i >= NUMBERS)
			*digit = *digit == '0' ? '1' : '0';
	}
	write_file("a.sha256", text);
	load(NUMBERS + ALIKE);
	for (int i = 0; i < 2 * NUMBERS; i++) {
		snprintf(number, sizeof number, "%d", i);
		ck_assert_int_eq(scan(number, name), i < NUMBERS ? ENGINE_FOUND : ENGINE_CLEAN);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_hash");
	TCase *t = tcase_create("engine_hash");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_test(t, formats);
	tcase_add_test(t, shipped_files);
	tcase_add_test(t, size_is_part_of_the_signature);
	tcase_add_test(t, bad_lines_are_skipped);
	tcase_add_test(t, every_record_is_found);
	tcase_add_test(t, uneven_digests);
	tcase_add_test(t, reload_replaces);
	tcase_add_test(t, other_files);
	tcase_add_test(t, sha256_on_request);
	tcase_add_test(t, broken_file);
	tcase_add_test(t, emptied_file);
	tcase_add_test(t, files_of_others);
	tcase_add_test(t, linked_directory);
	tcase_add_test(t, fifo);
	tcase_add_test(t, sha256_alone);
	tcase_add_test(t, long_object);
	tcase_add_test(t, allowed_names_come_last);
	tcase_add_test(t, alike_digests);
	tcase_add_test(t, any_size_is_not_for_all);
	return unit_run(s);
}
