/* check_magic.c - which archives octets may be; do zip readers agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magic.h"
#include "unit.h"
#include "zip_dir.h"

static uint64_t left = UINT64_MAX;     /* of octets that may be gone through */

struct sample {
	const char *octets;
	size_t n;
	const char *name;      /* "" none */
};

#define SAMPLE(s, name) { s, sizeof(s) - 1, name }

static const struct sample samples[] = {
	SAMPLE("", ""),
	SAMPLE("PK\3\4", "zip"), SAMPLE("PK\5\6", "zip"), SAMPLE("PK\7\10PK\3\4", "zip"),
	SAMPLE("PK\3", ""), SAMPLE("xPK\3\4", ""),
	SAMPLE("Rar!\x1a\7\0", "rar"), SAMPLE("Rar!\x1a\7\1", "rar"), SAMPLE("Rar!", ""),
	SAMPLE("7z\xbc\xaf\x27\x1c", "7z"), SAMPLE("7z text", ""),
	SAMPLE("MSCF\0\0\0\0", "cab"), SAMPLE("MSCF", ""),
	SAMPLE("MSCF\1\0\0\0\x50\0\0\0\1\0\0\0\x24\0\0\0\1\0\0\0\3\1\1\0\1\0\0\0\0\0\0\0", "cab"),
	SAMPLE("\x1f\x8b\10", "gzip"), SAMPLE("\x1f\x8b\7", ""),
	SAMPLE("BZh91AY&SY", "bzip2"), SAMPLE("BZh9\x17\x72\x45\x38\x50\x90", "bzip2"),
	SAMPLE("BZh9 is text", ""),
	SAMPLE("\xfd" "7zXZ\0", "xz"),
	SAMPLE("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", "lzma"),
	SAMPLE("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\1", ""),
	SAMPLE("\x5e\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", "lzma"),
	SAMPLE("\x5e\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0", "lzma"),
	SAMPLE("\x5e\1\0\3\0\xff\xff\xff\xff\xff\xff\xff\xff\0", ""),
	SAMPLE("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\0\0", "lzma"),
	SAMPLE("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\1\0", ""),
	SAMPLE("\x5d\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0", "lzma"),
	SAMPLE("\x5d\0\1\2\3\x44\0\0\0\0\0\0\0\0", "lzma"),
	SAMPLE("]\0t\0e\0x\0t\0o\0f\0", ""),
	SAMPLE("\1\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", "lzma86"),
	SAMPLE("\2\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", ""),
	SAMPLE("\x1f\x1e\0\0\0\1\1x", "pack"), SAMPLE("\x1f\x1e\0\0\0\1\0x", ""),
	SAMPLE("\x1f\x1e\0\0\0\1\1", ""), SAMPLE("\x1f\xa0\0\1\x98x", "compress of SCO"),
	SAMPLE("\x1f\xa0\0\1\xa0x", ""), SAMPLE("\x1f\xa0\0\1\x98", ""),
	SAMPLE("\x8f\xaf\xac\x84", "ppmd"), SAMPLE("QFI\xfb\0\0\0", "qcow"),
	SAMPLE("\x3a\xff\x26\xed\1\0", "simg"), SAMPLE("sqsh text and more text, and more", ""),
	SAMPLE("sqsh++++++++++++++++++++++++\0\4++", "squashfs"),
	SAMPLE("shsq++++++++++++++++++++++++\4\0++", "squashfs"),
	SAMPLE("++++++++++++++++Compressed ROMFS", "cramfs"),
	SAMPLE("++++++++++++++++++++++++++++++++NXSB\0", "apfs"),
	SAMPLE("ITOLITLS\1\0\0\0\x28\0\0\0", "hxs"), SAMPLE("ER\2\0++++", ""),
	SAMPLE("\x28\xb5\x2f\xfd", "zstd"), SAMPLE("\x50\x2a\x4d\x18\1\0\0\0x\x28\xb5\x2f\xfd", "zstd"),
	SAMPLE("\x50\x2a\x4d\x18\xff\xff\xff\xffx\x28\xb5\x2f\xfd", ""),
	SAMPLE("\x50\x2a\x4d\x18\1\0\0\0x\x5d\0", "zstd of other kinds"),
	SAMPLE("\x50\x2a\x4d\x18\1\0\0\0x", ""),
	SAMPLE("\x04\x22\x4d\x18", "lz4"),
	SAMPLE("LZIP\1", "lzip"), SAMPLE("LZIP\0", "lzip"), SAMPLE("LZIP\2", ""),
	SAMPLE("\x1f\x9d\x90x", "compress"), SAMPLE("\x1f\x9d\xffx", ""),
	SAMPLE("\x1f\x9d\x88x", "compress of few bits"), SAMPLE("\x1f\x9d\x80x", "compress of few bits"),
	SAMPLE("!<arch>\n", "ar"),
	SAMPLE("\x20\0-lh5-\1\0\0\0\1\0\0\0\0\0\0\0\x20\0\0", "lha"),
	SAMPLE("xar!", "xar"),
};

START_TEST(at_the_start)
{
	struct magic m[MAGIC_MAX];
	const struct sample *s = &samples[_i];
	char *exact = malloc(s->n + 1);

	memcpy(exact, s->octets, s->n);
	unsigned n = magic_at_start(exact, s->n, m);
	ck_assert_msg(n == (s->name[0] != '\0'), "%d: %u", _i, n);
	if (n > 0)
		ck_assert_str_eq(m[0].name, s->name);
	free(exact);
}
END_TEST

/* What ends behind the first octets of a magic is not read any further (sanitizers
 * see that). */
START_TEST(cut_off)
{
	struct magic found[MAGIC_MAX];

	for (size_t n = 1; n <= 3; n++) {
		unsigned char *p = calloc(1, n);
		ck_assert_ptr_nonnull(p);
		for (unsigned i = 0; i < (n > 1 ? 65536u : 256u); i++) {
			p[0] = (unsigned char)i;
			if (n > 1)
				p[1] = (unsigned char)(i >> 8);
			(void)magic_at_start(p, n, found);
		}
		free(p);
	}
}
END_TEST

START_TEST(several_at_once)
{
	static char d[40000];
	struct magic m[MAGIC_MAX];

	memcpy(d + 257, "ustar", 5);
	unsigned sum = 8 * ' ';
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)d[i];
	ck_assert_int_eq(snprintf(d + 148, 8, "%06o", sum), 6);
	memcpy(d + 32769, "CD001", 5);
	memcpy(d + 34817, "NSR02", 5);
	ck_assert_uint_eq(magic_at_start(d, sizeof d, m), 3);
	ck_assert_int_eq(m[0].format, MAGIC_TAR);
	ck_assert_int_eq(m[1].format, MAGIC_ISO);
	ck_assert_int_eq(m[2].format, MAGIC_UNKNOWN);
	ck_assert(magic_is(MAGIC_ISO, d, sizeof d));
	ck_assert(!magic_is(MAGIC_ZIP, d, sizeof d));
	ck_assert(!magic_is(MAGIC_ISO, d, 32769 + 4));
	ck_assert(magic_is_tar(d, 512));
	ck_assert(!magic_is_tar(d, 511));
	d[0] = 'x';
	ck_assert(!magic_is_tar(d, 512));
}
END_TEST

START_TEST(inside)
{
	static const char d[] = "MZ..Rar!\x1a\7\0..\x73......Rar!\x1a\7\1\0..7z\xbc\xaf\x27\x1c\0\4";
	size_t from = 1, at;

	ck_assert(magic_inside(MAGIC_RAR, d, sizeof d, &from, &at, &left));
	ck_assert_uint_eq(at, 4);
	ck_assert(!magic_inside(MAGIC_RAR, d, sizeof d, &from, &at, &left));
	from = 1;
	ck_assert(magic_inside(MAGIC_RAR5, d, sizeof d, &from, &at, &left));
	from = 1;
	ck_assert(!magic_inside(MAGIC_7Z, d, sizeof d, &from, &at, &left)); /* too short */
	from = 1;
	ck_assert(!magic_inside(MAGIC_CAB, d, sizeof d, &from, &at, &left));
}
END_TEST

static const char *name_at_start(const void *p, size_t n)
{
	struct magic m[MAGIC_MAX];

	return magic_at_start(p, n, m) > 0 ? m[0].name : "";
}

/* Images of disks, whose magic has two octets: what stands around it counts. */
START_TEST(disk_images)
{
	static char d[8192];

	memcpy(d + 1080, "\x53\xef", 2);
	ck_assert_str_eq(name_at_start(d, sizeof d), "");
	d[1024] = d[1028] = 1;
	ck_assert_str_eq(name_at_start(d, sizeof d), "ext");
	ck_assert_str_eq(name_at_start(d, 1082), "ext");
	ck_assert_str_eq(name_at_start(d, 1081), "");
	d[1048] = 7;
	ck_assert_str_eq(name_at_start(d, sizeof d), "");
	memset(d, 0, sizeof d);
	memcpy(d + 1024, "BD", 2);
	ck_assert_str_eq(name_at_start(d, sizeof d), "");
	d[1024 + 22] = 2;
	d[1024 + 36] = 1;
	ck_assert_str_eq(name_at_start(d, sizeof d), "hfs");
	ck_assert_str_eq(name_at_start(d, 1024 + 63), "");
	d[1024 + 23] = 1;
	ck_assert_str_eq(name_at_start(d, sizeof d), "");
	memset(d, 0, sizeof d);
	memcpy(d, "ER\2\0", 4);
	ck_assert_str_eq(name_at_start(d, sizeof d), "");
	memcpy(d + 512, "PM", 2);
	ck_assert_str_eq(name_at_start(d, sizeof d), "apm");
	ck_assert_str_eq(name_at_start(d, 515), "");
	memset(d, 0, sizeof d);
	memcpy(d + 4096, "gDla\x34\0\0\0", 8);
	ck_assert_str_eq(name_at_start(d, sizeof d), "android super");
}
END_TEST

/* In any of the sectors that readers go through, or by its anchor alone. */
START_TEST(udf_anywhere)
{
	static char d[1100000];
	unsigned sum;

	for (size_t at = 16 * 2048; at <= 33 * 2048; at += 1024) {
		memset(d, 0, sizeof d);
		memcpy(d + at + 1, "NSR03", 5);
		ck_assert_str_eq(name_at_start(d, sizeof d), at % 2048 == 0 && at <= 32 * 2048 ? "udf" : "");
		ck_assert_str_eq(name_at_start(d, at + 5), "");
	}
	for (size_t at = 32768; at <= 1 << 20; at *= 2) {
		memset(d, 0, sizeof d);
		memcpy(d + at, "\2\0\3\0\0\0\1\0abcd\0\1\0\0\0\x80", 18);
		for (size_t i = sum = 0; i < 16; i++)
			sum += (unsigned char)d[at + i];
		d[at + 4] = (char)sum;
		ck_assert_str_eq(name_at_start(d, sizeof d), at >= 65536 ? "udf" : "");
		ck_assert_str_eq(name_at_start(d, at + 31), "");
		d[at + 4]++;
		ck_assert_str_eq(name_at_start(d, sizeof d), "");
	}
}
END_TEST

/* Each behind three octets, and what begins like it and isn't. */
static const struct {
	enum magic_format f;
	bool is_found;
	const char *octets;
	size_t n;
} hints[] = {
#define HINT(f, yes, s) { f, yes, s, sizeof(s) - 1 }
	HINT(MAGIC_GZIP, true, "\x1f\x8b\10\0\0\0\0\0\0\3\3\0\0\0\0\0\0\0"),
	HINT(MAGIC_GZIP, true, "\x1f\x8b\10\0\0\0\0\0\0\3\1\1\0\xfe\xff" "x\0\0\0\0\1\0\0\0"),
	HINT(MAGIC_GZIP, false, "\x1f\x8b\10\0\0\0\0\0\0\3\1\1\0\xfe\xfe" "x\0\0\0\0\1\0\0\0"),
	HINT(MAGIC_GZIP, true, "\x1f\x8b\10\x1e\0\0\0\0\0\3\1\0" "x" "name\0text\0..\3\0\0\0\0\0\0\0"),
	HINT(MAGIC_GZIP, false, "\x1f\x8b\10\x1e\0\0\0\0\0\3\1\0" "x" "name\0text\0..\7\0\0\0\0\0\0\0"),
	HINT(MAGIC_GZIP, false, "\x1f\x8b\10\10\0\0\0\0\0\3name that has no end"),
	HINT(MAGIC_GZIP, false, "\x1f\x8b\10\4\0\0\0\0\0\3\xff\xff\0\0\0\0\0\0\0\0\0\0"),
	HINT(MAGIC_GZIP, false, "\x1f\x8b\10\x20\0\0\0\0\0\3\3\0\0\0\0\0\0\0"),
	HINT(MAGIC_GZIP, false, "\x1f\x8b\10\0\0\0\0\0\0\3\xf5\0\0\0\0\0\0\0"),
	HINT(MAGIC_BZIP2, true, "BZh91AY&SY"), HINT(MAGIC_BZIP2, false, "BZh01AY&SY"),
	HINT(MAGIC_BZIP2, false, "BZx91AY&SY"), HINT(MAGIC_BZIP2, false, "xx1AY&SY"),
	HINT(MAGIC_XZ, true, "\xfd" "7zXZ\0\0\4\xe6\xd6\xb4\x46"),
	HINT(MAGIC_XZ, false, "\xfd" "7zXZ\0\0\4\xe6\xd6\xb4\x47"),
	HINT(MAGIC_ZSTD, true, "\x28\xb5\x2f\xfd\x20\1\x09\0\0x"),
	HINT(MAGIC_ZSTD, false, "\x28\xb5\x2f\xfd\x28\1\x09\0\0x"),
	HINT(MAGIC_ZSTD, false, "\x28\xb5\x2f\xfd\x20\1\x0f\0\0x"),
	HINT(MAGIC_ZSTD, false, "\x28\xb5\x2f\xfd\x20\1\x09\0\xffx"),
	HINT(MAGIC_ZSTD, false, "\x28\xb5\x2f\xfd\xe0\1\x09\0\0x"),
#define DIGITS "0123456789012345678901234567890123456789012345678901234567890123456789"
	HINT(MAGIC_CPIO, true, "070701" DIGITS "0123456789abcdefABCDEF000000000000"),
	HINT(MAGIC_CPIO, false, "070701" DIGITS "0123456789abcdefABCDEF00000000000g"),
	HINT(MAGIC_CPIO, false, "070701" DIGITS "0123456789abcdefABCDEF00000000000"),
	HINT(MAGIC_CPIO, true, "070707" "0123456701234567012345670123456701234567012345670123456701234567012345"),
	HINT(MAGIC_CPIO, false, "070707" DIGITS),
};

START_TEST(hints_inside)
{
	const size_t n = hints[_i].n + 3;
	char *exact = malloc(n);
	size_t from = 1, at = 0;

	memcpy(exact, "...", 3);
	memcpy(exact + 3, hints[_i].octets, hints[_i].n);
	const bool is_found = magic_inside(hints[_i].f, exact, n, &from, &at, &left);
	ck_assert_msg(is_found == hints[_i].is_found, "%d", _i);
	ck_assert(!hints[_i].is_found || at == 3);
	free(exact);
	/* cut off anywhere: nothing is read behind it */
	for (size_t cut = 1; cut < n; cut++) {
		exact = malloc(cut);
		memcpy(exact, "...", cut < 3 ? cut : 3);
		memcpy(exact + (cut < 3 ? cut : 3), hints[_i].octets, cut < 3 ? 0 : cut - 3);
		from = 1;
		magic_inside(hints[_i].f, exact, cut, &from, &at, &left);
		free(exact);
	}
}
END_TEST

/* A name longer than is looked for: whoever unpacks it has to tell. */
START_TEST(gzip_of_a_long_name_inside)
{
	static char d[9000] = "x\x1f\x8b\10\10";
	size_t from = 1, at;

	memset(d + 11, 'n', sizeof d - 11);
	ck_assert(magic_inside(MAGIC_GZIP, d, sizeof d, &from, &at, &left));
	ck_assert(!magic_gzip_is_bounded(d + 1, sizeof d - 1));
	d[8000] = '\0';
	ck_assert(magic_gzip_is_bounded(d + 1, sizeof d - 1));
	from = 1;
	ck_assert(!magic_inside(MAGIC_GZIP, d, 4000, &from, &at, &left));
}
END_TEST

START_TEST(iso_inside)
{
	static char d[40000];
	size_t from = 1, at;

	memcpy(d + 32768 + 7, "\1CD001\1", 7);
	ck_assert(magic_inside(MAGIC_ISO, d, sizeof d, &from, &at, &left));
	ck_assert_uint_eq(at, 7);
	from = 1;
	ck_assert(!magic_inside(MAGIC_ISO, d, 32768 + 7 + 2048, &from, &at, &left));
	d[32768 + 7] = 4;
	from = 1;
	ck_assert(!magic_inside(MAGIC_ISO, d, sizeof d, &from, &at, &left));
	memcpy(d + 100, "CD001", 5);          /* no room for what is in front of it */
	from = 1;
	ck_assert(!magic_inside(MAGIC_ISO, d, sizeof d, &from, &at, &left));
}
END_TEST

START_TEST(cab_inside)
{
	char d[] = "MZ..MSCF\1\0\0\0\x50\0\0\0\1\0\0\0\x24\0\0\0\1\0\0\0\3\2\1\0\1\0\0\0\0\0\0\0..";
	const size_t n = sizeof d - 1;
	size_t from = 1, at;

	ck_assert(magic_inside(MAGIC_CAB, d, n, &from, &at, &left));
	ck_assert_uint_eq(at, 4);
	ck_assert(magic_is_cab(d + 4, n - 4));
	ck_assert(!magic_is_cab(d + 3, n - 3));
	ck_assert(!magic_is_cab(d + 4, 35));
	ck_assert(!magic_is_cab("MSCFabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 56));
	ck_assert(!magic_is_cab("MSCFzzzzzzzzzzzzaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 56));
	d[4 + 28] = 0;                         /* no files */
	ck_assert(!magic_is_cab(d + 4, n - 4));
	from = 1;
	ck_assert(!magic_inside(MAGIC_CAB, d, n, &from, &at, &left));
}
END_TEST

START_TEST(ends_of_streams)
{
	static const char zst[] = "\x28\xb5\x2f\xfd\x20\3\x19\0\0abc" "junk";
	static const char xz[] = "\xfd" "7zXZ\0\0\4CRC_" "block___" "CRC_BSIZ\0\4YZ" "junk!";
	static const char named[] = "\x1f\x8b\10\10\0\0\0\0\0\0a.exe\0data";
	char name[16];

	ck_assert_uint_eq(magic_stream_end(MAGIC_ZSTD, zst, sizeof zst - 1), sizeof zst - 5);
	ck_assert_uint_eq(magic_stream_end(MAGIC_ZSTD, zst, 10), 10);
	ck_assert_uint_eq(magic_stream_end(MAGIC_XZ, xz, sizeof xz - 1), sizeof xz - 6);
	ck_assert_uint_eq(magic_stream_end(MAGIC_XZ, xz, 20), 20);
	ck_assert_uint_eq(magic_stream_end(MAGIC_GZIP, xz, 20), 20);
	magic_gzip_name(named, sizeof named - 1, name, sizeof name);
	ck_assert_str_eq(name, "a.exe");
	magic_gzip_name(named, 13, name, sizeof name);
	ck_assert_str_eq(name, "");
	magic_gzip_name(named, 9, name, sizeof name);
	ck_assert_str_eq(name, "");
}
END_TEST

/* Of any kind, also behind frames that are to be skipped. */
START_TEST(goes_on_with_another_kind)
{
	static const struct { const char *octets; size_t n; bool yes; } rows[] = {
#define MORE(s, yes) { s, sizeof(s) - 1, yes }
		MORE("\x1f\x8b", true), MORE("\x1f\x9d", true), MORE("\x1f\x1e", true), MORE("\x5d\0", true),
		MORE("BZh", true), MORE("\xfd" "7zXZ", true), MORE("LZIP", true), MORE("\x28\xb5\x2f\xfd", true),
		MORE("\x25\xb5\x2f\xfd", true), MORE("\x04\x22\x4d\x18", true),
		MORE("\x50\x2a\x4d\x18\1\0\0\0x\x5d\0", true), MORE("\x50\x2a\x4d\x18\1\0\0\0x", false),
		MORE("\x50\x2a\x4d\x18\1\0\0\0x\x5f\x2a\x4d\x18\0\0\0\0\x1f\x8b", true),
		MORE("", false), MORE("\x1f", false), MORE("\r\n", false),
		MORE("junk", false), MORE("\0\0\0\0", false) };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t n = 0; n <= rows[i].n; n++) {
			char *exact = malloc(n + 1);   /* sanitizers see what is read behind it */
			memcpy(exact + 1, rows[i].octets, n);
			const bool yes = magic_goes_on(exact + 1, n);
			ck_assert_msg(yes == rows[i].yes || n < rows[i].n, "row %zu", i);
			free(exact);
		}
	}
}
END_TEST

/* Level 0 with its sum; a sum that is wrong; cut off. */
START_TEST(lha_inside)
{
	char d[] = "MZ-lh5-..\x17\xd8-lh0-\1\0\0\0\1\0\0\0!Z!Z\x20\0\1a\0\0x";
	const size_t n = sizeof d - 1, at_lha = 9;
	size_t from = 1, at;
	unsigned sum = 0;

	for (size_t i = 0; i < 0x17; i++)
		sum += (unsigned char)d[at_lha + 2 + i];
	d[at_lha + 1] = (char)sum;
	ck_assert(magic_inside(MAGIC_LHA, d, n, &from, &at, &left));
	ck_assert_uint_eq(at, at_lha);
	ck_assert(!magic_inside(MAGIC_LHA, d, n, &from, &at, &left));
	for (size_t cut = 1; cut < n; cut++) {
		char *exact = malloc(cut);
		memcpy(exact, d, cut);
		from = 1;
		ck_assert(!magic_inside(MAGIC_LHA, exact, cut, &from, &at, &left) || cut - at_lha >= 0x19);
		free(exact);
	}
	d[at_lha + 1]++;
	from = 1;
	ck_assert(!magic_inside(MAGIC_LHA, d, n, &from, &at, &left));
}
END_TEST

static void tar_sum(char *d)
{
	unsigned sum = 8 * ' ';

	memset(d + 148, 0, 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)d[i];
	ck_assert_int_eq(snprintf(d + 148, 8, "%06o", sum), 6);
}

static void tar_header(char *d, const char *magic)
{
	memset(d, 0, 512);
	memcpy(d + 257, magic, strlen(magic));
	d[0] = 'a';
	tar_sum(d);
}

static void tar_header_of(char *d, char type, size_t size)
{
	tar_header(d, "ustar");
	ck_assert_int_eq(snprintf(d + 124, 12, "%011zo", size), 11);
	d[156] = type;
	tar_sum(d);
}

/* Records of an extended header in front of a member of 68 octets. */
START_TEST(records_of_a_tar)
{
	static const struct { const char *octets; bool is_plain; } rows[] = {
		{ "", true }, { "13 path=abcd\n", true }, { "11 size=68\n", true }, { "11 size=69\n", false },
		{ "30 mtime=1350244992.023960108\n11 size=68\n", true },
		{ "30 mtime=1350244992.023960108\n11 size=67\n", false },
		{ "19 path=a size=12.c\n", false }, { "20 path=a size=12.c\n", true },
		{ "12 size=068\n", true }, { "12 size=68 \n", false }, { "9 size=\n", false },
		{ "8 size=\n", false },
		{ "12 size= 68\n", false }, { "32 size=18446744073709551684.00\n", false },
		{ "22 GNU.sparse.major=1\n", false }, { "23 SCHILY.realsize=168\n", false },
		{ "26 SUN.holesdata= 100 168\n", false }, { "23 comment=GNU.sparse.\n", true },
		{ "13 path=abcdx", false }, { "14 path=abcd\n", false }, { "x", false }, { "3", false },
		{ "2 \n", false }, { "3 \n", true }, { "13\tpath=abcd\n", false }, { "0 \n", false },
		{ " 13 path=abcd\n", false } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const size_t n = strlen(rows[i].octets);
		char *d = calloc(1, 3 * 512);
		tar_header_of(d, 'x', n);
		memcpy(d + 512, rows[i].octets, n);
		tar_header_of(d + 1024, '0', 68);
		ck_assert_msg(magic_tar_head_is_plain(d, 3 * 512) == rows[i].is_plain || n == 0, "row %zu", i);
		tar_header_of(d, 'g', n);
		const bool is_odd = strstr(rows[i].octets, " GNU.sparse.") != NULL ||
			strstr(rows[i].octets, " SCHILY") != NULL || strstr(rows[i].octets, " SUN.") != NULL ||
			strstr(rows[i].octets, " size=") != NULL || strstr(rows[i].octets, " path=") != NULL;
		ck_assert_msg(magic_tar_head_is_plain(d, 3 * 512) != is_odd || n == 0, "row %zu", i);
		free(d);
	}
	/* cut off in the records: nothing is read behind them */
	for (size_t cut = 0; cut <= 14; cut++) {
		char *d = malloc(512 + cut);
		tar_header_of(d, 'x', 14);
		memcpy(d + 512, "14 path=abcde\n", cut);
		magic_tar_head_is_plain(d, 512 + cut);
		free(d);
	}
}
END_TEST

START_TEST(tar_behind_junk)
{
	static const struct { size_t at; const char *magic; bool is_found; } rows[] = {
		{ 1, "ustar", true }, { 511, "ustar", true }, { 512, "ustar", true }, { 512, "", true },
		{ 700, "ustar", true }, { 700, "", false }, { 1024, "", true }, { 65024, "", true },
		{ 65280, "ustar", false }, { 65536, "ustar", false } };
	static char d[70000];
	size_t from, at;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		memset(d, 'u', sizeof d);
		tar_header(d + rows[i].at, rows[i].magic);
		from = 1;
		ck_assert_msg(magic_tar_behind(d, sizeof d, &from, &at, &left) == rows[i].is_found, "row %zu", i);
		if (!rows[i].is_found)
			continue;
		ck_assert_uint_eq(at, rows[i].at);
		ck_assert(!magic_tar_behind(d, sizeof d, &from, &at, &left));
		from = 1;
		ck_assert(!magic_tar_behind(d, rows[i].at + 511, &from, &at, &left));
	}
}
END_TEST

/* What looks like many and is none is gone through no further than was paid for. */
START_TEST(looks_are_paid_for)
{
	static const struct { enum magic_format f; const char *octets; size_t n; } kinds[] = {
		{ MAGIC_TAR, "ustar0", 6 }, { MAGIC_LHA, "-lh5-\0\0\0\0\xff\0", 11 },
		{ MAGIC_GZIP, "\x1f\x8b\10\x18", 4 }, { MAGIC_CPIO, "07", 2 } };
	static char d[64 << 10];

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		for (size_t at = 0; at < sizeof d; at++)
			d[at] = (at & 0xfff) >= 0xffe ? '\0' : kinds[i].octets[at % kinds[i].n];
		const bool is_tar = kinds[i].f == MAGIC_TAR;
		size_t from = 1, at;
		uint64_t budget = 10000;
		for (unsigned n = 0; is_tar ? magic_tar_behind(d, sizeof d, &from, &at, &budget) :
		    magic_inside(kinds[i].f, d, sizeof d, &from, &at, &budget); n++)
			ck_assert_uint_lt(n, 100);
		ck_assert_msg(budget == 0, "%zu", i);
	}
	/* an honest one costs nothing */
	size_t from = 1, at;
	uint64_t budget = 1;
	memset(d, 'x', sizeof d);
	ck_assert(!magic_tar_behind(d, sizeof d, &from, &at, &budget));
	from = 1;
	ck_assert(!magic_inside(MAGIC_LHA, d, sizeof d, &from, &at, &budget));
	ck_assert_uint_eq(budget, 1);
}
END_TEST

/* ---- zip --------------------------------------------------------------------- */

/* Two members "a" and "b" of the octet 'x', stored. */
#define LOCAL(n) "PK\3\4\x14\0\0\0\0\0\0\0\0\0\x83\x16\xdc\x8c\1\0\0\0\1\0\0\0\1\0\0\0" n "x"
#define ENTRY(n, at) "PK\1\2\x14\0\x14\0\0\0\0\0\0\0\0\0\x83\x16\xdc\x8c\1\0\0\0\1\0\0\0" \
	"\1\0\0\0\0\0\0\0\0\0\0\0\0\0" at "\0\0\0" n
#define END_AT(at, comment) "PK\5\6\0\0\0\0\2\0\2\0\x5e\0\0\0" at "\0\0\0" comment
static const char plain[] = LOCAL("a") LOCAL("b") ENTRY("a", "\0") ENTRY("b", "\x20")
	END_AT("\x40", "\0\0");

static bool is_plain(const void *p, size_t n)
{
	size_t end;
	char *exact = malloc(n + 1);

	memcpy(exact, p, n);
	bool yes = zip_dir_is_plain(exact, n, &end);
	ck_assert(!yes || end <= n);
	free(exact);
	return yes;
}

/* Whatever octet is changed in a header, and wherever it is cut, it is plain no
 * more, but for what says nothing of what is where. */
START_TEST(plain_zip)
{
	char d[sizeof plain + 10];
	const size_t n = sizeof plain - 1;
	unsigned still = 0;

	ck_assert(is_plain(plain, n));
	for (size_t i = 0; i < n; i++) {
		ck_assert(!is_plain(plain, i));
		memcpy(d, plain, n);
		d[i] = (char)(d[i] ^ 0x55);
		still += is_plain(d, n);
	}
	/* Versions, times, attributes, the data. */
	ck_assert_uint_eq(still, 2 * (2 + 4 + 1) + 2 * (4 + 4 + 2 + 4));
	memcpy(d, plain, n);
	memcpy(d + n, "x", 1);
	ck_assert(!is_plain(d, n + 1));
	d[n - 2] = 1;
	ck_assert(is_plain(d, n + 1));
}
END_TEST

START_TEST(ends_and_headers_are_found)
{
	static const char two[] = LOCAL("a") LOCAL("b") ENTRY("a", "\0") ENTRY("b", "\x20")
		END_AT("\x40", "\x16\0") "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	size_t n = sizeof two - 1, from = n, end, at;
	bool has_dir;
	const char *name;

	ck_assert(!is_plain(two, n));
	ck_assert(zip_dir_prev_end(two, n, &from, &end, &has_dir));
	ck_assert(!has_dir);
	ck_assert_uint_eq(end, n);
	ck_assert(zip_dir_prev_end(two, n, &from, &end, &has_dir));
	ck_assert(has_dir);
	ck_assert_uint_eq(end, n - 22);
	ck_assert(!zip_dir_prev_end(two, n, &from, &end, &has_dir));
	from = 0;
	ck_assert(zip_dir_next_local(two, n, &from, &at));
	ck_assert_uint_eq(at, 0);
	ck_assert(zip_dir_next_local(two, n, &from, &at));
	ck_assert_uint_eq(at, 32);
	ck_assert(!zip_dir_next_local(two, n, &from, &at));
	from = 0;
	unsigned names = 0;
	while (zip_dir_next_name(two, n, &from, &name, &end)) {
		ck_assert_uint_eq(end, 1);
		ck_assert_int_eq(*name, "abab"[names++]);
	}
	ck_assert_uint_eq(names, 4);
}
END_TEST

#define END64(size) "PK\6\6\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0" \
	"\2\0\0\0\0\0\0\0" size "\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0" \
	"PK\6\7\0\0\0\0\x9e\0\0\0\0\0\0\0\1\0\0\0"

static bool agrees(const char *p, size_t n, size_t count)
{
	size_t got;
	char *exact = malloc(n + 1);

	memcpy(exact, p, n);
	bool yes = zip_dir_agrees(exact, n, &got);
	ck_assert(!yes || got == count);
	free(exact);
	return yes;
}

/* Plain numbers and those of 64 bits; what leads nowhere. */
START_TEST(two_ways_to_a_directory)
{
	static const char both[] = LOCAL("a") LOCAL("b") ENTRY("a", "\0") ENTRY("b", "\x20")
		END64("\x5e") END_AT("\x40", "\0\0");
	static const char other[] = LOCAL("a") LOCAL("b") ENTRY("a", "\0") ENTRY("b", "\x20")
		END64("\x2f") END_AT("\x40", "\0\0");
	static const char lost[] = LOCAL("a") ENTRY("a", "\0") "gap" END_AT("\x20", "\0\0");
	static const char gone[] = LOCAL("a") "gap" END_AT("\x20", "\0\0");
	const size_t n = sizeof plain - 1;
	size_t end;
	char d[sizeof plain];

	ck_assert(agrees(plain, n, 2));
	ck_assert(!zip_dir_is_lost(plain, n, n, false));
	ck_assert(agrees(both, sizeof both - 1, 2));
	ck_assert(!is_plain(both, sizeof both - 1));
	ck_assert(!agrees(other, sizeof other - 1, 2));
	ck_assert(!agrees(lost, sizeof lost - 1, 1));
	ck_assert(zip_dir_is_lost(lost, sizeof lost - 1, sizeof lost - 1, true));
	ck_assert(!zip_dir_is_lost(gone, sizeof gone - 1, sizeof gone - 1, true));
	ck_assert(zip_dir_is_lost(gone, sizeof gone - 1, sizeof gone - 1, false));
	/* Any end is read within its bounds. */
	for (size_t i = 0; i + 22 <= n; i++) {
		memcpy(d, plain + i, n - i);
		agrees(d, n - i, 2);
		memcpy(d, plain + n - 22, 22);
		zip_dir_is_lost(d, n - i, 22, true);
		zip_dir_agrees(d, 22, &end);
	}
}
END_TEST

START_TEST(links)
{
	const size_t n = sizeof plain - 1;
	char d[sizeof plain];

	ck_assert(zip_dir_link_is(plain, n, 32, "x"));
	ck_assert(!zip_dir_link_is(plain, n, 32, "y"));
	ck_assert(!zip_dir_link_is(plain, n, 32, ""));
	ck_assert(!zip_dir_link_is(plain, n, 33, "x"));
	ck_assert(!zip_dir_link_is(plain, 63, 32, "x"));
	ck_assert(!zip_dir_link_is(plain, n, n + 1, "x"));
	memcpy(d, plain, n);
	d[32 + 6] = 8;
	ck_assert(!zip_dir_link_is(d, n, 32, "x"));
}
END_TEST

/* The numbers of a 7z header, whole and cut off. */
START_TEST(header_of_7z)
{
	static const unsigned char small[] = "\x17\6\0\1\x09\x40\0\7\13\1\0\1\x21\x21\1\x14\x0c\x40\0\0";
	static const unsigned char large[] = "\x17\6\0\1\x09\x40\0\7\13\1\0\1\x21\x21\1\x14\x0c\xe0\0\0\x20";
	unsigned char d[64] = "7z\xbc\xaf\x27\x1c\0\4";

	ck_assert(!magic_is_7z(d, sizeof d));
	memcpy(d + 8, "\x8d\x9b\xd5\x0f", 4);   /* of an archive with nothing in it */
	ck_assert(magic_is_7z(d, sizeof d));
	ck_assert(!magic_is_7z(d, 31));
	memcpy(d + 32, small, sizeof small);
	for (unsigned char n = 1; n < sizeof small; n++) {
		d[20] = n;
		ck_assert_msg(magic_7z_is_bounded(d, 32u + n) == (n >= sizeof small - 3), "%u", n);
		ck_assert(magic_7z_is_bounded(d, 31u + n));   /* it isn't there */
	}
	memcpy(d + 32, large, sizeof large);
	d[20] = sizeof large;
	ck_assert(!magic_7z_is_bounded(d, sizeof d));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("magic");
	TCase *t = tcase_create("magic");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, at_the_start, 0, sizeof samples / sizeof samples[0]);
	tcase_add_test(t, cut_off);
	tcase_add_test(t, several_at_once);
	tcase_add_test(t, inside);
	tcase_add_test(t, disk_images);
	tcase_add_test(t, udf_anywhere);
	tcase_add_loop_test(t, hints_inside, 0, sizeof hints / sizeof hints[0]);
	tcase_add_test(t, gzip_of_a_long_name_inside);
	tcase_add_test(t, iso_inside);
	tcase_add_test(t, lha_inside);
	tcase_add_test(t, cab_inside);
	tcase_add_test(t, records_of_a_tar);
	tcase_add_test(t, tar_behind_junk);
	tcase_add_test(t, looks_are_paid_for);
	tcase_add_test(t, two_ways_to_a_directory);
	tcase_add_test(t, links);
	tcase_add_test(t, ends_of_streams);
	tcase_add_test(t, goes_on_with_another_kind);
	tcase_add_test(t, plain_zip);
	tcase_add_test(t, ends_and_headers_are_found);
	tcase_add_test(t, header_of_7z);
	return unit_run(s);
}
