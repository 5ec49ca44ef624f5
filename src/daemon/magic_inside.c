/* magic_inside.c - archives that begin in the middle of something else, and where some
 * end, see magic.h. */
#include <string.h>

#include "find.h"
#include "magic_int.h"
#include "str.h"

#define GZIP_NAME_LOOK 4096u         /* for its end, from each of many places */
#define GZIP_NAME_MAX (64u << 10)
#define NAME_LOOK_COST 16u           /* octets gone through for an end, in octets summed */
#define CPIO_TEXT 110u               /* octets of a header in digits */

/* What follows the magic of a file that is no accident. */
static bool is_rar_header(const unsigned char *p, size_t len)
{
	return len > 13 && p[9] == 0x73;
}

static bool is_7z_header(const unsigned char *p, size_t len)
{
	return len >= 32 && p[6] == 0 && p[7] < 16;
}

/* Of a level that has one, with the right sum; else of a possible size. */
static bool is_lha_header(const unsigned char *p, size_t len)
{
	unsigned sum = 0;

	if (!magic_is_lha(p, len) || len < 26)
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
	return memcmp(p, "BZh", 3) == 0 && magic_is_bzip2(p, len);
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
		return magic_is_lha(p, len) && p[20] <= 1 ? p[0] : 0;
	case MAGIC_GZIP:
		return len > 3 && (p[3] & 0x18) ? GZIP_NAME_LOOK / NAME_LOOK_COST : 0;
	case MAGIC_CPIO:
		return len >= CPIO_TEXT ? CPIO_TEXT : 0;
	default:
		return 0;
	}
}

bool magic_inside(enum magic_format f, const void *data, size_t len, size_t *from,
	size_t *at_out, uint64_t *left)
{
	static const struct magic_row inside[] = {
		{ { MAGIC_RAR, "", false }, 0, OCTETS("Rar!\x1a\7\0"), is_rar_header },
		{ { MAGIC_RAR5, "", false }, 0, OCTETS("Rar!\x1a\7\1\0"), NULL },
		{ { MAGIC_7Z, "", false }, 0, OCTETS("7z\xbc\xaf\x27\x1c"), is_7z_header },
		{ { MAGIC_CAB, "", false }, 0, OCTETS("MSCF"), magic_is_cab_header },
		{ { MAGIC_LHA, "", false }, 2, OCTETS("-l"), is_lha_header },
		{ { MAGIC_GZIP, "", false }, 0, OCTETS("\x1f\x8b\10"), is_gzip_header },
		{ { MAGIC_BZIP2, "", false }, 4, OCTETS("1AY&SY"), is_bzip2_header },
		{ { MAGIC_XZ, "", false }, 0, OCTETS("\xfd" "7zXZ\0"), is_xz_header },
		{ { MAGIC_ZSTD, "", false }, 0, OCTETS("\x28\xb5\x2f\xfd"), is_zstd_header },
		{ { MAGIC_CPIO, "", false }, 0, OCTETS("07070"), is_cpio_text },
		{ { MAGIC_ISO, "", false }, 32769, OCTETS("CD001"), is_iso_volume } };
	const struct magic_row *r = inside;

	while (r->m.format != f)
		r++;
	while (*from < len && len - *from > r->at) {
		const unsigned char *start = (const unsigned char *)data + *from;
		const unsigned char *p = find_octets(start + r->at, len - *from - r->at, r->octets, r->n);
		if (p == NULL)
			break;
		*at_out = *from + (size_t)(p - start) - r->at;
		*from = *at_out + 1;
		if (!magic_pay(left, check_cost(f, p - r->at, len - *at_out)))
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

	if (len >= 8 && (magic_le32(p) & 0xfffffff0u) == 0x184d2a50u)
		return len - 8 >= magic_le32(p + 4) ? 8 + (size_t)magic_le32(p + 4) : 0;
	if (len < 6 || magic_le32(p) != 0xfd2fb528u)
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
