/* magic_int.h - what the files of magic share; magic.c says which there are. */
#ifndef ESETS_MAGIC_INT_H
#define ESETS_MAGIC_INT_H

#include <stdint.h>

#include "magic.h"

struct magic_row {
	struct magic m;
	size_t at;
	const char *octets;
	size_t n;
	bool (*check)(const unsigned char *p, size_t len);
};

#define OCTETS(s) s, sizeof(s) - 1

bool magic_row_fits(const struct magic_row *r, const unsigned char *p, size_t len);
/* The checks of rows that begin so. */
bool magic_is_bzip2(const unsigned char *p, size_t len);
bool magic_is_lha(const unsigned char *p, size_t len);
bool magic_is_cab_header(const unsigned char *p, size_t len);
bool magic_is_tar_head(const unsigned char *p, size_t len);

static inline uint32_t magic_le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* For octets that were gone through. False where *left isn't enough: then it is 0. */
static inline bool magic_pay(uint64_t *left, size_t n)
{
	const bool is_enough = n < *left;

	*left = is_enough ? *left - n : 0;
	return is_enough;
}

#endif
