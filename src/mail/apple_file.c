/* apple_file.c - forks of files of a Mac, see apple_file.h. */
#include "apple_file.h"

#include <stdint.h>
#include <string.h>

#define HEAD_LEN 26u
#define ENTRY_LEN 12u
#define DATA_FORK 1u
#define RESOURCE_FORK 2u
#define REAL_NAME 3u
#define BINARY_LEN 128u          /* header of MacBinary */

static uint32_t be16(const unsigned char *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const unsigned char *p)
{
	return be16(p) << 16 | be16(p + 2);
}

static void cut_out(const void *data, size_t len, uint64_t at, uint64_t n, struct apple_fork *out)
{
	out->p = (const char *)data + (at < len ? at : len);
	out->n = at >= len ? 0 : n < len - at ? (size_t)n : len - (size_t)at;
}

static bool single_next(const unsigned char *p, size_t len, unsigned *i, struct apple_fork *out)
{
	while (*i < be16(p + 24) && len - HEAD_LEN >= (size_t)(*i + 1) * ENTRY_LEN) {
		const unsigned char *e = p + HEAD_LEN + (size_t)(*i)++ * ENTRY_LEN;
		const uint32_t id = be32(e);
		if (id != DATA_FORK && id != RESOURCE_FORK && id != REAL_NAME)
			continue;
		cut_out(p, len, be32(e + 4), be32(e + 8), out);
		out->is_name = id == REAL_NAME;
		if (out->n > 0)
			return true;
	}
	return false;
}

/* It has no magic: places that are zero, a name, sizes. Whether these fit not
 * all readers look at. */
static bool is_binary(const unsigned char *p, size_t len)
{
	if (len <= BINARY_LEN || p[0] != 0 || p[1] == 0 || p[1] > 63 || p[74] != 0 || p[82] != 0 ||
	    memchr(p + 2, '\0', p[1]) != NULL)
		return false;
	return be32(p + 83) > 0 || be32(p + 87) > 0;
}

static uint64_t padded(uint64_t n)
{
	return n + (BINARY_LEN - n % BINARY_LEN) % BINARY_LEN;
}

/* Some readers know of a second header behind the first, some don't. */
static bool binary_next(const unsigned char *p, size_t len, unsigned *i, struct apple_fork *out)
{
	const uint64_t data = be32(p + 83), resource = be32(p + 87), second = padded(be16(p + 120));

	while (*i < (second > 0 ? 5 : 3)) {
		const unsigned fork = (*i)++;
		const uint64_t at = BINARY_LEN + (fork > 2 ? second : 0);
		if (fork == 0)
			cut_out(p, len, 2, p[1], out);
		else if (fork % 2 == 1)
			cut_out(p, len, at, data, out);
		else
			cut_out(p, len, at + padded(data), resource, out);
		out->is_name = fork == 0;
		if (out->n > 0)
			return true;
	}
	return false;
}

bool apple_file_next(const void *data, size_t len, unsigned *i, struct apple_fork *out)
{
	const unsigned char *p = data;

	if (len >= HEAD_LEN && (memcmp(p, "\0\5\x16\0\0", 5) == 0 || memcmp(p, "\0\5\x16\7\0", 5) == 0))
		return single_next(p, len, i, out);
	return is_binary(p, len) && binary_next(p, len, i, out);
}
