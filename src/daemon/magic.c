/* magic.c - which archives may these octets be, see magic.h.
 *
 *   magic.c         what an object is, by what it begins with: a table
 *   magic_inside.c  what begins in the middle of one, and where it ends
 *   magic_tar.c     headers of tar
 *   magic_7z.c      headers of 7z and xz, with their sums */
#include "magic.h"

#include <stdint.h>
#include <string.h>

#include "magic_int.h"

bool magic_is_bzip2(const unsigned char *p, size_t len)
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
	const uint32_t low = magic_le32(p + 5), high = magic_le32(p + 9);
	return (low == UINT32_MAX && high == UINT32_MAX) || high < 1u << 24;
}

/* The dictionary is of a size that writers choose. */
static bool is_lzma(const unsigned char *p, size_t len)
{
	if (!is_sized_lzma(p, len))
		return false;
	const uint32_t dict = magic_le32(p + 1);
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
	return len >= 8 && (magic_le32(p) & 0xfffffff0u) == 0x184d2a50u;
}

/* Frames of zstd and lz4 that are to be skipped may stand in front. len: behind them all
 * there is nothing. */
static size_t frames_to_skip(const unsigned char *p, size_t len)
{
	size_t at = 0;

	while (is_to_skip(p + at, len - at)) {
		const uint64_t skip = 8 + (uint64_t)magic_le32(p + at + 4);
		if (skip >= len - at)
			return len;
		at += (size_t)skip;
	}
	return at;
}

static bool is_frame(const unsigned char *p, size_t len, uint32_t magic)
{
	const size_t at = frames_to_skip(p, len);

	return len - at >= 4 && magic_le32(p + at) == magic;
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
bool magic_is_lha(const unsigned char *p, size_t len)
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
	return len >= 36 && magic_le32(p + 16) >= 36 && magic_le32(p + 16) < magic_le32(p + 8) &&
		magic_le32(p + 16) <= len && (p[26] | p[27]) != 0 && (p[28] | p[29]) != 0;
}

/* Of version 1, what is reserved zero, or more than that: not all readers look
 * at either. */
bool magic_is_cab_header(const unsigned char *p, size_t len)
{
	return is_cab_filled(p, len) || (len >= 36 && p[25] == 1 && magic_le32(p + 4) == 0 &&
		magic_le32(p + 12) == 0 && magic_le32(p + 20) == 0);
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
	return magic_le32(super) > 0 && magic_le32(super + 4) > 0 && magic_le32(super + 24) <= 6;
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
		magic_le32(p + 16) > 0;
}

/* One of the descriptors behind the 32 KiB that are nobody's, or, as some readers don't
 * look at these, the anchor in sector 256, whatever the size of sectors. */
static bool is_udf(const unsigned char *p, size_t len)
{
	bool yes = false;

	for (size_t at = 32768; at <= 65536 && at + 8 <= len; at += 2048)
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

static const struct magic_row rows[] = {
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK\3\4"), NULL },
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK\5\6"), NULL },
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK\7\10PK\3\4"), NULL },
	{ { MAGIC_ZIP, "zip", false }, 0, OCTETS("PK00PK\3\4"), NULL },
	{ { MAGIC_7Z, "7z", false }, 0, OCTETS("7z\xbc\xaf\x27\x1c"), NULL },
	{ { MAGIC_RAR, "rar", false }, 0, OCTETS("Rar!\x1a\7\0"), NULL },
	{ { MAGIC_RAR5, "rar", false }, 0, OCTETS("Rar!\x1a\7\1"), NULL },
	{ { MAGIC_UNKNOWN, "rar of before 1995", false }, 0, OCTETS("RE~^"), NULL },
	{ { MAGIC_CAB, "cab", false }, 0, OCTETS("MSCF\0\0\0\0"), NULL },
	{ { MAGIC_CAB, "cab", false }, 0, OCTETS("MSCF"), magic_is_cab_header },
	{ { MAGIC_GZIP, "gzip", false }, 0, OCTETS("\x1f\x8b\10"), NULL },
	{ { MAGIC_UNKNOWN, "gzip of before 1993", false }, 0, OCTETS("\x1f\x9e\10"), NULL },
	{ { MAGIC_UNKNOWN, "pack", false }, 0, OCTETS("\x1f\x1e"), is_pack },
	{ { MAGIC_UNKNOWN, "compress of SCO", false }, 0, OCTETS("\x1f\xa0"), is_lzh_stream },
	{ { MAGIC_UNKNOWN, "ppmd", false }, 0, OCTETS("\x8f\xaf\xac\x84"), NULL },
	{ { MAGIC_BZIP2, "bzip2", false }, 0, OCTETS("BZh"), magic_is_bzip2 },
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
	{ { MAGIC_TAR, "tar", false }, 0, OCTETS(""), magic_is_tar_head },
	{ { MAGIC_CPIO, "cpio", false }, 0, OCTETS("07070"), is_cpio_odc },
	{ { MAGIC_CPIO, "cpio", true }, 0, OCTETS(""), is_cpio_binary },
	{ { MAGIC_AR, "ar", false }, 0, OCTETS("!<arch>\n"), NULL },
	{ { MAGIC_LHA, "lha", false }, 0, OCTETS(""), magic_is_lha },
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

bool magic_row_fits(const struct magic_row *r, const unsigned char *p, size_t len)
{
	return len >= r->at + r->n && memcmp(p + r->at, r->octets, r->n) == 0 &&
		(r->check == NULL || r->check(p, len));
}

bool magic_is(enum magic_format f, const void *data, size_t len)
{
	bool yes = false;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		yes |= rows[i].m.format == f && magic_row_fits(&rows[i], data, len);
	return yes;
}

unsigned magic_at_start(const void *data, size_t len, struct magic out[MAGIC_MAX])
{
	const unsigned char *p = data;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && n < MAGIC_MAX; i++) {
		const struct magic_row *r = &rows[i];
		if (!magic_row_fits(r, p, len))
			continue;
		if (n == 0 || out[n - 1].format != r->m.format || r->m.format == MAGIC_UNKNOWN)
			out[n++] = r->m;
	}
	return n;
}

bool magic_is_cab(const void *data, size_t len)
{
	const unsigned char *p = data;

	return len >= 4 && memcmp(p, "MSCF", 4) == 0 && is_cab_filled(p, len);
}
