/* find.h - where a few octets stand in many. Pure.
 *
 * memmem() of the C library takes an octet a cycle with needles this short: 10 to
 * 12 GB/s against 3.4. For those that any object may hold see marks.h. */
#ifndef ESETS_FIND_H
#define ESETS_FIND_H

#include <stddef.h>

/* The first place of needle (k octets, at least 2) in hay, or NULL. */
const void *find_octets(const void *hay, size_t n, const void *needle, size_t k);
/* The same without regard to ASCII case; needle in lower case, and its first
 * two octets are letters. */
const void *find_letters(const void *hay, size_t n, const char *needle, size_t k);

/* How many octets from p on are nothing but ordinary lines: up to the first CR
 * without LF behind it (one at the end of p too), the first LF without CR before
 * it, or the first dot behind a LF. */
size_t find_odd_line(const void *p, size_t n);

#endif
