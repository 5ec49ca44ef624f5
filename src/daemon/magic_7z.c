/* magic_7z.c - headers of 7z and xz, see magic.h. */
#include <string.h>

#include "magic_int.h"

#define CODERS_7Z_MAX 8u
#define HEADER_7Z_MAX (1u << 19)     /* unpacked: thousands of names */

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

	return len >= 32 && memcmp(p, "7z\xbc\xaf\x27\x1c", 6) == 0 &&
		crc32_of(p + 12, 20) == magic_le32(p + 8);
}

bool magic_is_xz(const void *data, size_t len)
{
	const unsigned char *p = data;

	return len >= 12 && memcmp(p, "\xfd" "7zXZ\0", 6) == 0 && crc32_of(p + 6, 2) == magic_le32(p + 8);
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
	const uint64_t at = magic_le32(p + 12) | (uint64_t)magic_le32(p + 16) << 32;
	const uint64_t n = magic_le32(p + 20) | (uint64_t)magic_le32(p + 24) << 32;
	if (n > len || at > len - 32 || n > len - 32 - at || n == 0)
		return true;   /* nothing that can be read */
	p += 32 + (size_t)at;
	return n <= HEADER_7Z_MAX && (p[0] != 0x17 || packed_header_is_small(p, p + n));
}
