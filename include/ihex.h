/* ihex.h - Intel HEX: octets in lines of hexadecimal digits, each with its address
 * and a sum. Pure.
 *
 * Unpackers show each run of octets whose addresses follow each other as a file. */
#ifndef ESETS_IHEX_H
#define ESETS_IHEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pace.h"

struct ihex {
	const char *text;
	size_t len, at;
	uint32_t base;           /* of the addresses from at on */
};

/* Is the first line a record, with the right sum? */
bool ihex_init(struct ihex *h, const char *text, size_t len);
/* The next run; h moves behind it. out: room for half of the text, or NULL to be told
 * the size only. Returns the size; 0: there is no more, or the next line is no
 * record. */
size_t ihex_run(struct ihex *h, unsigned char *out, struct pace *pace);

#endif
