/* magic.c - which archives may these octets be, see magic.h. */
#include "magic.h"

#include <stdint.h>
#include <string.h>

#include "find.h"
#include "str.h"

#define TAR_BLOCK 512u
#define TAR_SIZE_AT 124u
#define TAR_SUM_AT 148u
#define TAR_TYPE_AT 156u
#define TAR_NAME_AT 257u
#define TAR_LOOK (64u << 10)         /* behind junk of no more */
#define DIGITS_MAX 18u
#define CODERS_7Z_MAX 8u
#define GZIP_NAME_LOOK 4096u         /* for its end, from each of many places */
#define GZIP_NAME_MAX (64u << 10)
#define NAME_LOOK_COST 16u           /* octets gone through for an end, in octets summed */
#define CPIO_TEXT 110u               /* octets of a header in digits */
#define HEADER_7Z_MAX (1u << 19)     /* unpacked: thousands of names */

static uint32_t le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A number in octal digits, blanks around it; some readers pass over a NUL. */
static bool octal(const unsigned char *p, size_t n, uint64_t *out)
{
	size_t i = 0;

	i += p[0] == '\0';
	while (i < n && (p[i] == ' ' || (p[i] >= '\t' && p[i] <= '\r')))
		i++;
	const size_t first = i;
	for (*out = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out * 8 + (uint64_t)(p[i] - '0');
	return i > first;
}

/* The sum over the header with blanks for itself; some writers took octets for
 * signed. */
static bool is_tar(const unsigned char *p, size_t len)
{
	uint64_t want;
	unsigned sum = 0;
	int is_signed = 0;

	if (len < TAR_BLOCK || !octal(p + TAR_SUM_AT, 8, &want))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		unsigned char c = i >= TAR_SUM_AT && i < TAR_SUM_AT + 8 ? ' ' : p[i];
		sum += c;
		is_signed += (signed char)c;
	}
	return sum == want || (is_signed >= 0 && (unsigned)is_signed == want);
}

static bool is_bzip2(const unsigned char *p, size_t len)
{
	return len >= 10 && p[3] >= '1' && p[3] <= '9' &&
		(memcmp(p + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
		memcmp(p + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

/* No magic: properties, size of the dictionary, size, a first octet of zero. A size
 * that no file has is taken by some readers, which stop where the data ends. */
static bool is_sized_lzma(const unsigned char *p, size_t len)
{
	if (len < 14 || p[0] > 224 || p[13] != 0)
		return false;
	const uint32_t low = le32(p + 5), high = le32(p + 9);
	return (low == UINT32_MAX && high == UINT32_MAX) || high < 1u << 24;
}

/* The dictionary is of a size that writers choose. */
static bool is_lzma(const unsigned char *p, size_t len)
{
	if (!is_sized_lzma(p, len))
		return false;
	const uint32_t dict = le32(p + 1);
	return dict > 0 && ((dict & (dict - 1)) == 0 || dict == UINT32_MAX ||
		(dict % 3 == 0 && ((dict / 3) & (dict / 3 - 1)) == 0));
}

/* Whether the code of x86 was made ready for it, an lzma. */
static bool is_lzma86(const unsigned char *p, size_t len)
{
	return p[0] <= 1 && is_lzma(p + 1, len - 1);
}

static bool is_to_skip(const unsigned char *p, size_t len)
{
	return len >= 8 && (le32(p) & 0xfffffff0u) == 0x184d2a50u;
}

/* Frames of zstd and lz4 that are to be skipped may stand in front. len: behind them all
 * there is nothing. */
static size_t frames_to_skip(const unsigned char *p, size_t len)
{
	size_t at = 0;

	while (is_to_skip(p + at, len - at)) {
		const uint64_t skip = 8 + (uint64_t)le32(p + at + 4);
		if (skip >= len - at)
			return len;
		at += (size_t)skip;
	}
	return at;
}

static bool is_frame(const unsigned char *p, size_t len, uint32_t magic)
{
	const size_t at = frames_to_skip(p, len);

	return len - at >= 4 && le32(p + at) == magic;
}

static bool is_zstd(const unsigned char *p, size_t len)
{
	return is_frame(p, len, 0xfd2fb528u);
}

static bool is_old_zstd(const unsigned char *p, size_t len)
{
	return len >= 4 && p[0] >= 0x22 && p[0] <= 0x27 && memcmp(p + 1, "\xb5\x2f\xfd", 3) == 0;
}

static bool is_lz4(const unsigned char *p, size_t len)
{
	return is_frame(p, len, 0x184d2204u) || is_frame(p, len, 0x184c2102u);
}

static bool is_compress(const unsigned char *p, size_t len)
{
	return len > 3 && (p[2] & 0x1f) >= 9 && (p[2] & 0x1f) <= 16;
}

/* Of fewer bits than its shortest code has: some readers ask for no more than 16. */
static bool is_short_compress(const unsigned char *p, size_t len)
{
	return len > 3 && (p[2] & 0x1f) < 9;
}

/* What readers of compressed files that read several kinds look at before they go on,
 * with another file or with what may be one. */
static bool is_compressed(const unsigned char *p, size_t len)
{
	static const struct { const char *octets; size_t n; } kinds[] = {
		{ "\x1f\x8b", 2 }, { "\x1f\x9d", 2 }, { "\x1f\x9e", 2 }, { "\x1f\x1e", 2 }, { "\x1f\xa0", 2 },
		{ "BZh", 3 }, { "\xfd" "7zXZ", 5 }, { "\x5d\0", 2 }, { "LZIP", 4 }, { "\x89LZO", 4 },
		{ "\x04\x22\x4d\x18", 4 }, { "\x02\x21\x4c\x18", 4 }, { "\x28\xb5\x2f\xfd", 4 } };
	bool yes = is_old_zstd(p, len);

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		yes |= len >= kinds[i].n && memcmp(p, kinds[i].octets, kinds[i].n) == 0;
	return yes;
}

bool magic_goes_on(const void *data, size_t len)
{
	const unsigned char *p = data;
	const size_t at = frames_to_skip(p, len);

	return is_compressed(p + at, len - at);
}

/* Not the kind that such frames are of. */
static bool is_other_behind_frames(const unsigned char *p, size_t len)
{
	return is_to_skip(p, len) && !is_zstd(p, len) && !is_lz4(p, len) && magic_goes_on(p, len);
}

/* "-lh5-", "-lzs-", "-pm0-" and the like at the third octet, a level. */
static bool is_lha(const unsigned char *p, size_t len)
{
	return len > 21 && (memcmp(p + 2, "-lh", 3) == 0 || memcmp(p + 2, "-lz", 3) == 0 ||
		memcmp(p + 2, "-pm", 3) == 0) && p[6] == '-' && p[20] <= 3;
}

static bool is_arj(const unsigned char *p, size_t len)
{
	return len > 10 && (p[2] | p[3] << 8) <= 2600 && (p[2] | p[3] << 8) >= 30 && p[10] == 2;
}

/* Files, in folders, and their list has a possible place: not one behind the end, as
 * the letters of a text would give it. */
static bool is_cab_filled(const unsigned char *p, size_t len)
{
	return len >= 36 && le32(p + 16) >= 36 && le32(p + 16) < le32(p + 8) &&
		le32(p + 16) <= len && (p[26] | p[27]) != 0 && (p[28] | p[29]) != 0;
}

/* Of version 1, what is reserved zero, or more than that: not all readers look
 * at either. */
static bool is_cab_header(const unsigned char *p, size_t len)
{
	return is_cab_filled(p, len) || (len >= 36 && p[25] == 1 && le32(p + 4) == 0 &&
		le32(p + 12) == 0 && le32(p + 20) == 0);
}

/* The trailer of a disk image. */
static bool is_dmg(const unsigned char *p, size_t len)
{
	return len >= 512 && memcmp(p + len - 512, "koly\0\0\0\4", 8) == 0;
}

static bool is_vhd(const unsigned char *p, size_t len)
{
	return len >= 512 && (memcmp(p, "conectix", 8) == 0 ||
		memcmp(p + len - 512, "conectix", 8) == 0);
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Blocks of no more than 64 KiB, and neither they nor the inodes are none. */
static bool is_ext(const unsigned char *p, size_t len)
{
	const unsigned char *super = p + 1024;

	(void)len;
	return le32(super) > 0 && le32(super + 4) > 0 && le32(super + 24) <= 6;
}

static uint32_t le16(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

/* The tag of a descriptor that says where the others are, with its sum, and they have
 * a length (ECMA-167 3/7.2, 3/10.2). */
static bool is_udf_anchor(const unsigned char *p)
{
	unsigned sum = 0;

	for (size_t i = 0; i < 16; i++)
		sum += i == 4 ? 0 : p[i];
	return le16(p) == 2 && (le16(p + 2) == 2 || le16(p + 2) == 3) && (sum & 0xff) == p[4] &&
		le32(p + 16) > 0;
}

/* One of the descriptors behind the 32 KiB that are nobody's, or, as some readers don't
 * look at these, the anchor in sector 256, whatever the size of sectors. */
static bool is_udf(const unsigned char *p, size_t len)
{
	bool yes = false;

	for (size_t at = 16 * 2048; at <= 32 * 2048 && at + 8 <= len; at += 2048)
		yes |= memcmp(p + at + 1, "NSR0", 4) == 0;
	for (size_t sector = 256; sector <= 4096 && 256 * sector + 32 <= len; sector *= 2)
		yes |= is_udf_anchor(p + 256 * sector);
	return yes;
}

/* A map of partitions in the next block. */
static bool is_apm(const unsigned char *p, size_t len)
{
	const size_t block = len >= 4 ? (size_t)p[2] << 8 | p[3] : 0;

	return block >= 512 && block <= 4096 && (block & (block - 1)) == 0 && len >= block + 4 &&
		memcmp(p + block, "PM\0\0", 4) == 0;
}

/* Blocks of a possible size, a volume with a name. */
static bool is_hfs(const unsigned char *p, size_t len)
{
	const unsigned char *volume = p + 1024;

	return len >= 1024 + 64 && be32(volume + 20) > 0 && be32(volume + 20) % 512 == 0 &&
		volume[36] > 0 && volume[36] <= 27;
}

/* A version up to 4, in either order of octets. */
static bool is_squashfs(const unsigned char *p, size_t len)
{
	return len >= 32 && (p[28] == 0) != (p[29] == 0) && (p[28] | p[29]) <= 4;
}

/* A size, and a code of so many bits at the most. */
static bool is_pack(const unsigned char *p, size_t len)
{
	return len >= 8 && be32(p + 2) > 0 && p[6] > 0 && p[6] <= 25;
}

/* A block of codes, of which the first table describes 19 at the most. */
static bool is_lzh_stream(const unsigned char *p, size_t len)
{
	return len >= 6 && (p[2] | p[3]) != 0 && p[4] >> 3 <= 19;
}

static bool is_cpio_odc(const unsigned char *p, size_t len)
{
	return len >= 76 && (p[5] == '1' || p[5] == '2' || p[5] == '7');
}

static bool is_cpio_binary(const unsigned char *p, size_t len)
{
	return len >= 26 && (memcmp(p, "\xc7\x71", 2) == 0 || memcmp(p, "\x71\xc7", 2) == 0);
}

struct row {
	struct magic m;
	size_t at;
	const char *octets;
	size_t n;
	bool (*check)(const unsigned char *p, size_t len);
};

#define OCTETS(s) s, sizeof(s) - 1

static const struct row rows[] = {
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK\3\4"), NULL },
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK\5\6"), NULL },
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK\7\10PK\3\4"), NULL },
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK00PK\3\4"), NULL },
	{ { MAGIC_7Z, "7z", false }, 0, OCTETS("7z\xbc\xaf\x27\x1c"), NULL },
	{ { MAGIC_RAR, "rar", false }, 0, OCTETS("Rar!\x1a\7\0"), NULL },
	{ { MAGIC_RAR5, "rar", false }, 0, OCTETS("Rar!\x1a\7\1"), NULL },
	{ { MAGIC_UNKNOWN, "rar of before 1995", false }, 0, OCTETS("RE~^"), NULL },
	{ { MAGIC_CAB, "cab", false }, 0, OCTETS("MSCF\0\0\0\0"), NULL },
	{ { MAGIC_CAB, "cab", false }, 0, OCTETS("MSCF"), is_cab_header },
	{ { MAGIC_GZIP, "gzip", false }, 0, OCTETS("\x1f\x8b\10"), NULL },
	{ { MAGIC_UNKNOWN, "gzip of before 1993", false }, 0, OCTETS("\x1f\x9e\10"), NULL },
	{ { MAGIC_UNKNOWN, "pack", false }, 0, OCTETS("\x1f\x1e"), is_pack },
	{ { MAGIC_UNKNOWN, "compress of SCO", false }, 0, OCTETS("\x1f\xa0"), is_lzh_stream },
	{ { MAGIC_UNKNOWN, "ppmd", false }, 0, OCTETS("\x8f\xaf\xac\x84"), NULL },
	{ { MAGIC_BZIP2, "bzip2", false }, 0, OCTETS("BZh"), is_bzip2 },
	{ { MAGIC_XZ, "xz", false }, 0, OCTETS("\xfd" "7zXZ\0"), NULL },
	{ { MAGIC_LZMA, "lzma", false }, 0, OCTETS("\x5d\0\0"), is_lzma },
	{ { MAGIC_LZMA, "lzma", true }, 0, OCTETS(""), is_lzma },
	{ { MAGIC_LZMA, "lzma", true }, 0, OCTETS("\x5d\0"), is_sized_lzma },
	{ { MAGIC_UNKNOWN, "lzma86", false }, 1, OCTETS("\x5d\0\0"), is_lzma86 },
	{ { MAGIC_ZSTD, "zstd", false }, 0, OCTETS(""), is_zstd },
	{ { MAGIC_LZ4, "lz4", false }, 0, OCTETS(""), is_lz4 },
	{ { MAGIC_LZIP, "lzip", false }, 0, OCTETS("LZIP\0"), NULL },
	{ { MAGIC_LZIP, "lzip", false }, 0, OCTETS("LZIP\1"), NULL },
	{ { MAGIC_COMPRESS, "compress", true }, 0, OCTETS("\x1f\x9d"), is_compress },
	{ { MAGIC_UNKNOWN, "compress of few bits", false }, 0, OCTETS("\x1f\x9d"), is_short_compress },
	{ { MAGIC_TAR, "tar", false }, 0, OCTETS(""), is_tar },
	{ { MAGIC_CPIO, "cpio", false }, 0, OCTETS("07070"), is_cpio_odc },
	{ { MAGIC_CPIO, "cpio", true }, 0, OCTETS(""), is_cpio_binary },
	{ { MAGIC_AR, "ar", false }, 0, OCTETS("!<arch>\n"), NULL },
	{ { MAGIC_LHA, "lha", false }, 0, OCTETS(""), is_lha },
	{ { MAGIC_ISO, "iso", false }, 32769, OCTETS("CD001"), NULL },
	{ { MAGIC_UNKNOWN, "udf", false }, 0, OCTETS(""), is_udf },
	{ { MAGIC_UNKNOWN, "arj", false }, 0, OCTETS("\x60\xea"), is_arj },
	{ { MAGIC_UNKNOWN, "ace", false }, 7, OCTETS("**ACE**"), NULL },
	{ { MAGIC_UNKNOWN, "zoo", false }, 20, OCTETS("\xdc\xa7\xc4\xfd"), NULL },
	{ { MAGIC_UNKNOWN, "alz", false }, 0, OCTETS("ALZ\1"), NULL },
	{ { MAGIC_UNKNOWN, "egg", false }, 0, OCTETS("EGGA"), NULL },
	{ { MAGIC_UNKNOWN, "warc", false }, 0, OCTETS("WARC/"), NULL },
	{ { MAGIC_UNKNOWN, "xar", false }, 0, OCTETS("xar!"), NULL },
	{ { MAGIC_UNKNOWN, "wim", false }, 0, OCTETS("MSWIM\0\0\0"), NULL },
	{ { MAGIC_UNKNOWN, "rpm", false }, 0, OCTETS("\xed\xab\xee\xdb"), NULL },
	{ { MAGIC_UNKNOWN, "lzop", false }, 0, OCTETS("\x89LZO\0\r\n\x1a\n"), NULL },
	{ { MAGIC_UNKNOWN, "lrzip", false }, 0, OCTETS("LRZI\0"), NULL },
	{ { MAGIC_UNKNOWN, "vhdx", false }, 0, OCTETS("vhdxfile"), NULL },
	{ { MAGIC_UNKNOWN, "vhd", false }, 0, OCTETS(""), is_vhd },
	{ { MAGIC_UNKNOWN, "vmdk", false }, 0, OCTETS("KDMV"), NULL },
	{ { MAGIC_UNKNOWN, "vdi", false }, 64, OCTETS("\x7f\x10\xda\xbe"), NULL },
	{ { MAGIC_UNKNOWN, "hfs", false }, 1024, OCTETS("H+\0\4"), NULL },
	{ { MAGIC_UNKNOWN, "hfs", false }, 1024, OCTETS("HX\0\5"), NULL },
	{ { MAGIC_UNKNOWN, "hfs", false }, 1024, OCTETS("BD"), is_hfs },
	{ { MAGIC_UNKNOWN, "apfs", false }, 32, OCTETS("NXSB\0"), NULL },
	{ { MAGIC_UNKNOWN, "apm", false }, 0, OCTETS("ER"), is_apm },
	{ { MAGIC_UNKNOWN, "gpt", false }, 512, OCTETS("EFI PART"), NULL },
	{ { MAGIC_UNKNOWN, "ntfs", false }, 3, OCTETS("NTFS    "), NULL },
	{ { MAGIC_UNKNOWN, "fat", false }, 54, OCTETS("FAT1"), NULL },
	{ { MAGIC_UNKNOWN, "fat", false }, 82, OCTETS("FAT32   "), NULL },
	{ { MAGIC_UNKNOWN, "ext", false }, 1080, OCTETS("\x53\xef"), is_ext },
	{ { MAGIC_UNKNOWN, "cramfs", false }, 16, OCTETS("Compressed ROMFS"), NULL },
	{ { MAGIC_UNKNOWN, "squashfs", false }, 0, OCTETS("hsqs"), NULL },
	{ { MAGIC_UNKNOWN, "squashfs", false }, 0, OCTETS("sqsh"), is_squashfs },
	{ { MAGIC_UNKNOWN, "squashfs", false }, 0, OCTETS("shsq"), is_squashfs },
	{ { MAGIC_UNKNOWN, "squashfs", false }, 0, OCTETS("qshs"), is_squashfs },
	{ { MAGIC_UNKNOWN, "simg", false }, 0, OCTETS("\x3a\xff\x26\xed\1\0"), NULL },
	{ { MAGIC_UNKNOWN, "android super", false }, 4096, OCTETS("gDla\x34\0\0\0"), NULL },
	{ { MAGIC_UNKNOWN, "qcow", false }, 0, OCTETS("QFI\xfb\0\0\0"), NULL },
	{ { MAGIC_UNKNOWN, "chm", false }, 0, OCTETS("ITSF\3\0\0\0"), NULL },
	{ { MAGIC_UNKNOWN, "hxs", false }, 0, OCTETS("ITOLITLS\1\0\0\0\x28\0\0\0"), NULL },
	{ { MAGIC_UNKNOWN, "szdd", false }, 0, OCTETS("SZDD\x88\xf0\x27\x33"), NULL },
	{ { MAGIC_UNKNOWN, "kwaj", false }, 0, OCTETS("KWAJ\x88\xf0\x27\xd1"), NULL },
	{ { MAGIC_UNKNOWN, "aar", false }, 0, OCTETS("AA01"), NULL },
	{ { MAGIC_UNKNOWN, "aar", false }, 0, OCTETS("YAA1"), NULL },
	{ { MAGIC_UNKNOWN, "zstd of before 2016", false }, 1, OCTETS("\xb5\x2f\xfd"), is_old_zstd },
	{ { MAGIC_UNKNOWN, "zstd of other kinds", false }, 0, OCTETS(""), is_other_behind_frames },
	{ { MAGIC_UNKNOWN, "dmg", false }, 0, OCTETS(""), is_dmg },
};

static bool row_fits(const struct row *r, const unsigned char *p, size_t len)
{
	return len >= r->at + r->n && memcmp(p + r->at, r->octets, r->n) == 0 &&
		(r->check == NULL || r->check(p, len));
}

bool magic_is(enum magic_format f, const void *data, size_t len)
{
	bool yes = false;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		yes |= rows[i].m.format == f && row_fits(&rows[i], data, len);
	return yes;
}

unsigned magic_at_start(const void *data, size_t len, struct magic out[MAGIC_MAX])
{
	const unsigned char *p = data;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && n < MAGIC_MAX; i++) {
		const struct row *r = &rows[i];
		if (!row_fits(r, p, len))
			continue;
		if (n == 0 || out[n - 1].format != r->m.format || r->m.format == MAGIC_UNKNOWN)
			out[n++] = r->m;
	}
	return n;
}

/* What follows the magic of a file that is no accident. */
static bool is_rar_header(const unsigned char *p, size_t len)
{
	return len > 13 && p[9] == 0x73;
}

/* A bit at a time, as it is twenty octets at the most. */
static uint32_t crc32_of(const unsigned char *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < 8 * n; i++) {
		crc ^= i % 8 == 0 ? p[i / 8] : 0;
		crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

bool magic_is_7z(const void *data, size_t len)
{
	const unsigned char *p = data;

	return len >= 32 && memcmp(p, "7z\xbc\xaf\x27\x1c", 6) == 0 && crc32_of(p + 12, 20) == le32(p + 8);
}

bool magic_is_xz(const void *data, size_t len)
{
	const unsigned char *p = data;

	return len >= 12 && memcmp(p, "\xfd" "7zXZ\0", 6) == 0 && crc32_of(p + 6, 2) == le32(p + 8);
}

bool magic_is_cab(const void *data, size_t len)
{
	const unsigned char *p = data;

	return len >= 4 && memcmp(p, "MSCF", 4) == 0 && is_cab_filled(p, len);
}

/* A number of 7z: as many ones in front as octets follow. */
static bool number_7z(const unsigned char **p, const unsigned char *end, uint64_t *out)
{
	if (*p == end)
		return false;
	const unsigned first = *(*p)++;
	unsigned mask = 0x80, n = 0;
	for (*out = 0; (first & mask) && mask != 0; mask >>= 1, n++) {
		if (*p == end)
			return false;
		*out |= (uint64_t)*(*p)++ << (8 * n);
	}
	if (n < 8)
		*out |= (uint64_t)(first & (mask - 1)) << (8 * n);
	return true;
}

/* The coders of one folder, how they are bound, and what they take. */
static bool skip_coders(const unsigned char **p, const unsigned char *end, uint64_t *n_out)
{
	uint64_t n, k, ins = 0, skipped;

	if (!number_7z(p, end, &n) || n == 0 || n > CODERS_7Z_MAX)
		return false;
	*n_out = n;
	for (uint64_t i = 0; i < n; i++) {
		if (*p == end)
			return false;
		const unsigned flags = *(*p)++;
		uint64_t outs = 1, more = 1;
		k = flags & 0xf;
		if ((size_t)(end - *p) < k)
			return false;
		*p += k;
		if ((flags & 0x10) && (!number_7z(p, end, &more) || !number_7z(p, end, &outs)))
			return false;
		if (outs != 1 || more == 0 || more > CODERS_7Z_MAX)
			return false;
		ins += more;
		if (!(flags & 0x20))
			continue;
		if (!number_7z(p, end, &k) || k > (size_t)(end - *p))
			return false;
		*p += k;
	}
	const uint64_t packed = ins - (n - 1);
	for (uint64_t i = 0; i < 2 * (n - 1) + (packed > 1 ? packed : 0); i++)
		if (!number_7z(p, end, &skipped))
			return false;
	return true;
}

/* PackInfo of one or more streams, a folder, its sizes. */
static bool packed_header_is_small(const unsigned char *p, const unsigned char *end)
{
	uint64_t n, value, coders;

	if (end - p < 2 || p[1] != 6)
		return false;
	p += 2;
	if (!number_7z(&p, end, &value) || !number_7z(&p, end, &n) || n > CODERS_7Z_MAX ||
	    p == end || *p++ != 9)
		return false;
	while (n-- > 0)
		if (!number_7z(&p, end, &value))
			return false;
	/* no sums of what is packed: nobody writes them */
	if (end - p < 5 || memcmp(p, "\0\7\13\1\0", 5) != 0)
		return false;
	p += 5;
	if (!skip_coders(&p, end, &coders) || p == end || *p++ != 12)
		return false;
	while (coders-- > 0)
		if (!number_7z(&p, end, &value) || value > HEADER_7Z_MAX)
			return false;
	return true;
}

bool magic_7z_is_bounded(const void *data, size_t len)
{
	const unsigned char *p = data;

	if (len < 32)
		return true;
	const uint64_t at = le32(p + 12) | (uint64_t)le32(p + 16) << 32;
	const uint64_t n = le32(p + 20) | (uint64_t)le32(p + 24) << 32;
	if (n > len || at > len - 32 || n > len - 32 - at || n == 0)
		return true;   /* nothing that can be read */
	p += 32 + (size_t)at;
	return n <= HEADER_7Z_MAX && (p[0] != 0x17 || packed_header_is_small(p, p + n));
}

static bool is_7z_header(const unsigned char *p, size_t len)
{
	return len >= 32 && p[6] == 0 && p[7] < 16;
}

/* Of a level that has one, with the right sum; else of a possible size. */
static bool is_lha_header(const unsigned char *p, size_t len)
{
	unsigned sum = 0;

	if (!is_lha(p, len) || len < 26)
		return false;
	if (p[20] > 1)
		return (p[0] | (size_t)p[1] << 8) <= len && (p[20] == 2 ? p[0] >= 26 || p[1] > 0 : p[0] == 4);
	for (size_t i = 0; i < p[0]; i++) {
		if (i + 2 == len)
			return false;
		sum += p[i + 2];
	}
	return p[0] >= 20 && (sum & 0xff) == p[1];
}

static bool is_xz_header(const unsigned char *p, size_t len)
{
	return magic_is_xz(p, len);
}

static bool is_bzip2_header(const unsigned char *p, size_t len)
{
	return memcmp(p, "BZh", 3) == 0 && is_bzip2(p, len);
}

/* Where its data begins, behind names of no more than so many octets. 0: they have no
 * end; SIZE_MAX: none that is so near. */
static size_t gzip_data_at(const unsigned char *p, size_t len, size_t name_max)
{
	size_t at = 10;

	if (p[3] & 4)
		at += 2 + (size_t)(p[10] | p[11] << 8);
	for (unsigned flag = 8; flag <= 16; flag <<= 1) {
		if (!(p[3] & flag))
			continue;
		const size_t left = at < len ? len - at : 0;
		const unsigned char *end = left > 0 ? memchr(p + at, '\0',
			left < name_max ? left : name_max) : NULL;
		if (end == NULL)
			return left > name_max ? SIZE_MAX : 0;
		at = (size_t)(end - p) + 1;
	}
	return at + (p[3] & 2 ? 2 : 0);
}

/* No reserved flags, and behind what they announce the data begins with a block that
 * may be one (RFC 1951 3.2.3): stored, with its length twice, or of a known kind. Behind
 * a long name it may be anything: looking for its end is work (magic_gzip_is_bounded). */
static bool is_gzip_header(const unsigned char *p, size_t len)
{
	if (len < 18 || (p[3] & 0xe0) != 0)
		return false;
	const size_t at = gzip_data_at(p, len, GZIP_NAME_LOOK);
	if (at == SIZE_MAX)
		return true;
	if (at == 0 || at >= len || len - at < 5)
		return false;
	const unsigned char *block = p + at;
	switch (block[0] >> 1 & 3) {
	case 0:
		return (block[1] ^ block[3]) == 0xff && (block[2] ^ block[4]) == 0xff;
	case 1:
		return true;
	case 2: /* so many lengths of codes, and of distances */
		return block[0] >> 3 <= 29 && (block[1] & 0x1f) <= 29;
	default:
		return false;
	}
}

/* The reserved bit is zero, the first block of a known kind and not too large (RFC 8878
 * 3.1.1). */
static bool is_zstd_header(const unsigned char *p, size_t len)
{
	static const unsigned char id_len[] = { 0, 1, 2, 4 }, size_len[] = { 0, 2, 4, 8 };

	if (len < 9 || (p[4] & 8))
		return false;
	const bool single = p[4] & 0x20;
	const size_t at = (single ? 5u : 6u) + id_len[p[4] & 3] +
		(single && p[4] >> 6 == 0 ? 1u : size_len[p[4] >> 6]);
	if (len < at + 3)
		return false;
	const uint32_t head = p[at] | (uint32_t)p[at + 1] << 8 | (uint32_t)p[at + 2] << 16;
	return (head >> 1 & 3) != 3 && head >> 3 <= 128u << 10;
}

/* Nothing but digits, of a base of 8 or 16. */
static bool is_cpio_text(const unsigned char *p, size_t len)
{
	const bool is_odc = len > 5 && p[5] == '7';
	const size_t n = is_odc ? 76 : CPIO_TEXT;

	if (len < n || (!is_odc && p[5] != '1' && p[5] != '2'))
		return false;
	for (size_t i = 6; i < n; i++) {
		const unsigned char c = (unsigned char)str_lower((char)p[i]);
		if (!(c >= '0' && c <= (is_odc ? '7' : '9')) && (is_odc || c < 'a' || c > 'f'))
			return false;
	}
	return true;
}

/* The first of the descriptors: others of the same ISO follow it at 2 KiB. */
static bool is_iso_volume(const unsigned char *p, size_t len)
{
	return len > 32768 + 2048 && p[32768] <= 3 && p[32774] <= 2;
}

/* What the check of one goes through, which has to be paid for: what begins like one
 * may begin again after a few octets. */
static size_t check_cost(enum magic_format f, const unsigned char *p, size_t len)
{
	switch (f) {
	case MAGIC_LHA:
		return is_lha(p, len) && p[20] <= 1 ? p[0] : 0;
	case MAGIC_GZIP:
		return len > 3 && (p[3] & 0x18) ? GZIP_NAME_LOOK / NAME_LOOK_COST : 0;
	case MAGIC_CPIO:
		return len >= CPIO_TEXT ? CPIO_TEXT : 0;
	default:
		return 0;
	}
}

/* False where it isn't enough: then nothing is left. */
static bool pay(uint64_t *left, size_t n)
{
	const bool is_enough = n < *left;

	*left = is_enough ? *left - n : 0;
	return is_enough;
}

bool magic_inside(enum magic_format f, const void *data, size_t len, size_t *from,
	size_t *at_out, uint64_t *left)
{
	static const struct row inside[] = {
		{ { MAGIC_RAR, "", false }, 0, OCTETS("Rar!\x1a\7\0"), is_rar_header },
		{ { MAGIC_RAR5, "", false }, 0, OCTETS("Rar!\x1a\7\1\0"), NULL },
		{ { MAGIC_7Z, "", false }, 0, OCTETS("7z\xbc\xaf\x27\x1c"), is_7z_header },
		{ { MAGIC_CAB, "", false }, 0, OCTETS("MSCF"), is_cab_header },
		{ { MAGIC_LHA, "", false }, 2, OCTETS("-l"), is_lha_header },
		{ { MAGIC_GZIP, "", false }, 0, OCTETS("\x1f\x8b\10"), is_gzip_header },
		{ { MAGIC_BZIP2, "", false }, 4, OCTETS("1AY&SY"), is_bzip2_header },
		{ { MAGIC_XZ, "", false }, 0, OCTETS("\xfd" "7zXZ\0"), is_xz_header },
		{ { MAGIC_ZSTD, "", false }, 0, OCTETS("\x28\xb5\x2f\xfd"), is_zstd_header },
		{ { MAGIC_CPIO, "", false }, 0, OCTETS("07070"), is_cpio_text },
		{ { MAGIC_ISO, "", false }, 32769, OCTETS("CD001"), is_iso_volume } };
	const struct row *r = inside;

	while (r->m.format != f)
		r++;
	while (*from < len && len - *from > r->at) {
		const unsigned char *start = (const unsigned char *)data + *from;
		const unsigned char *p = find_octets(start + r->at, len - *from - r->at, r->octets, r->n);
		if (p == NULL)
			break;
		*at_out = *from + (size_t)(p - start) - r->at;
		*from = *at_out + 1;
		if (!pay(left, check_cost(f, p - r->at, len - *at_out)))
			break;
		if (r->check == NULL || r->check(p - r->at, len - *at_out))
			return true;
	}
	*from = len;
	return false;
}

/* A frame of zstd or one to be skipped, from its first octet (RFC 8878 3.1). 0:
 * there is no whole one. */
static size_t zstd_frame_len(const unsigned char *p, size_t len)
{
	static const unsigned char id_len[] = { 0, 1, 2, 4 }, size_len[] = { 0, 2, 4, 8 };

	if (len >= 8 && (le32(p) & 0xfffffff0u) == 0x184d2a50u)
		return len - 8 >= le32(p + 4) ? 8 + (size_t)le32(p + 4) : 0;
	if (len < 6 || le32(p) != 0xfd2fb528u)
		return 0;
	const bool single = p[4] & 0x20;
	size_t at = (single ? 5 : 6) + (size_t)id_len[p[4] & 3] +
		(single && p[4] >> 6 == 0 ? 1u : size_len[p[4] >> 6]);
	for (bool is_last = false; !is_last;) {
		if (at > len || len - at < 3)
			return 0;
		uint32_t head = p[at] | (uint32_t)p[at + 1] << 8 | (uint32_t)p[at + 2] << 16;
		is_last = head & 1;
		at += 3 + ((head >> 1 & 3) == 1 ? 1 : head >> 3);
	}
	at += p[4] & 4 ? 4 : 0;
	return at <= len ? at : 0;
}

/* Behind the last footer (its size is a multiple of four, flags as in the
 * header). */
static size_t xz_end(const unsigned char *p, size_t len)
{
	for (size_t at = len & ~(size_t)3; at >= 24; at -= 4)
		if (p[at - 2] == 'Y' && p[at - 1] == 'Z' && memcmp(p + at - 4, p + 6, 2) == 0)
			return at;
	return len;
}

bool magic_is_tar(const void *data, size_t len)
{
	return is_tar(data, len);
}

/* Keys of files with holes, which are of a sort for each tar, and known to no other. */
static const struct { const char *octets; size_t n; } sparse[] = {
	{ OCTETS(" GNU.sparse.") }, { OCTETS(" SCHILY.realsize=") }, { OCTETS(" SUN.holesdata=") } };

/* Size, path and sparseness, for all members behind it. */
static bool global_is_odd(const unsigned char *p, size_t n)
{
	bool is_odd = find_octets(p, n, " size=", 6) != NULL || find_octets(p, n, " path=", 6) != NULL;

	for (size_t i = 0; i < sizeof sparse / sizeof sparse[0]; i++)
		is_odd |= find_octets(p, n, sparse[i].octets, sparse[i].n) != NULL;
	return is_odd;
}

/* How many digits there are, of a number that no file is too large for. */
static size_t decimal(const unsigned char *p, size_t n, uint64_t *out)
{
	size_t i = 0;

	for (*out = 0; i < n && i < DIGITS_MAX && p[i] >= '0' && p[i] <= '9'; i++)
		*out = *out * 10 + (uint64_t)(p[i] - '0');
	return i;
}

/* " KEY=VALUE\n" */
static bool record_is_plain(const unsigned char *p, size_t n, uint64_t size)
{
	uint64_t value;

	for (size_t i = 0; i < sizeof sparse / sizeof sparse[0]; i++)
		if (n >= sparse[i].n && memcmp(p, sparse[i].octets, sparse[i].n) == 0)
			return false;
	return n < 6 || memcmp(p, " size=", 6) != 0 ||
		(decimal(p + 6, n - 6, &value) == n - 7 && value == size);
}

/* Records, each with its length in front, of a member that has so many octets to those
 * who know nothing of them. */
static bool records_are_plain(const unsigned char *p, size_t n, uint64_t size)
{
	while (n > 0) {
		uint64_t all;
		const size_t digits = decimal(p, n, &all);
		if (all > n || all < digits + 2 || digits == 0 || p[digits] != ' ' || p[all - 1] != '\n' ||
		    !record_is_plain(p + digits, (size_t)all - digits, size))
			return false;
		p += all;
		n -= (size_t)all;
	}
	return true;
}

bool magic_tar_head_is_plain(const void *data, size_t len)
{
	const unsigned char *p = data, *records = p;
	size_t n_records = 0;
	unsigned own = 0;
	uint64_t size;

	while (is_tar(p, len) && p[TAR_TYPE_AT] != '\0' && strchr("AKLVXgx", p[TAR_TYPE_AT]) != NULL) {
		if (!octal(p + TAR_SIZE_AT, 12, &size))
			return false;
		const char type = (char)p[TAR_TYPE_AT];
		own += type == 'x' || type == 'X' || type == 'L';
		p += TAR_BLOCK;
		len -= TAR_BLOCK;
		const size_t n = size < len ? (size_t)size : len;
		if (type == 'x' || type == 'X') {
			records = p;
			n_records = n;
		}
		if (own > 1 || (type == 'g' && global_is_odd(p, n)))
			return false;
		const size_t all = n + (size_t)-n % TAR_BLOCK < len ? n + (size_t)-n % TAR_BLOCK : len;
		p += all;
		len -= all;
	}
	if (!is_tar(p, len) || n_records == 0)
		return true;
	return records_are_plain(records, n_records, octal(p + TAR_SIZE_AT, 12, &size) ? size : UINT64_MAX);
}

bool magic_tar_behind(const void *data, size_t len, size_t *from, size_t *at_out, uint64_t *left)
{
	const unsigned char *p = data;
	const size_t end = len < TAR_LOOK ? len : TAR_LOOK;
	size_t named = *from, block = *from + (size_t)-*from % TAR_BLOCK;

	for (; block < end && !is_tar(p + block, len - block);)
		block += TAR_BLOCK;
	for (; named < block && named + TAR_BLOCK <= end; named++) {
		const unsigned char *q = find_octets(p + named + TAR_NAME_AT, end - named - TAR_NAME_AT,
			"ustar", 5);
		if (q == NULL)
			break;
		named = (size_t)(q - p) - TAR_NAME_AT;
		if (!pay(left, TAR_BLOCK)) {
			block = end;
			break;
		}
		if (is_tar(p + named, len - named) && named < block) {
			block = named;
			break;
		}
	}
	*at_out = block;
	*from = block < end ? block + 1 : len;
	return block < end;
}

size_t magic_stream_end(enum magic_format f, const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t at = 0, n;

	if (f == MAGIC_XZ)
		return xz_end(p, len);
	if (f != MAGIC_ZSTD)
		return len;
	while (at < len && (n = zstd_frame_len(p + at, len - at)) > 0)
		at += n;
	return at > 0 ? at : len;
}

bool magic_gzip_is_bounded(const void *data, size_t len)
{
	const size_t at = len >= 18 ? gzip_data_at(data, len, GZIP_NAME_MAX) : 0;

	return at != 0 && at != SIZE_MAX;
}

void magic_gzip_name(const void *data, size_t len, char *out, size_t size)
{
	const unsigned char *p = data;
	size_t at = 10;

	out[0] = '\0';
	if (len < at || !(p[3] & 8))
		return;
	if (p[3] & 4) {
		if (len < 12)
			return;
		at = 12 + (size_t)(p[10] | p[11] << 8);
	}
	const unsigned char *end = at < len ? memchr(p + at, '\0', len - at) : NULL;
	if (end != NULL)
		str_copy_n(out, size, p + at, (size_t)(end - (p + at)));
}
