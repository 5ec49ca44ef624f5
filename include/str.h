/* str.h - bounded text: numbers, sizes, masks, cleaning text for logs.
 *
 * Pure functions over octets; nothing here allocates or knows a locale:
 * letters are the ASCII ones (SMTP and esets.cfg compare that way). */
#ifndef ESETS_STR_H
#define ESETS_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies src with its NUL into dst, cut to size - 1 octets (size > 0).
 * Returns true if nothing was cut. */
bool str_copy(char *dst, size_t size, const char *src);
/* The same for src of n octets without a NUL. */
bool str_copy_n(char *dst, size_t size, const void *src, size_t n);

/* ASCII without regard to case. */
bool str_ieq(const char *a, const char *b);
bool str_ieq_n(const void *a, size_t alen, const char *b);
bool str_istarts(const void *a, size_t alen, const char *prefix);
int str_icmp_n(const void *a, const void *b, size_t n);
static inline char str_lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }

/* A decimal number, all of s; no sign, blanks or octal. 0 done, -1 not a
 * number or beyond 64 bits. */
int str_parse_u64(const char *s, uint64_t *out);
/* The same with an optional unit K, M or G (1024-based, either case). */
int str_parse_size(const char *s, uint64_t *out);
/* yes/no, true/false, on/off, 1/0, either case. 0 done, -1 neither. */
int str_parse_bool(const char *s, bool *out);

/* Does all of s match the mask, where * stands for any run and ? for one
 * character? Without regard to case; linear time in the worst case times
 * the number of stars. */
bool str_mask_match(const char *mask, const char *s);

/* The next item of a list, e.g. str_list_next(&p, ':', item, sizeof item).
 * Blanks around an item are taken off and empty items skipped. Returns 1 an
 * item, 0 the end, -1 an item longer than size - 1 (it is skipped). */
int str_list_next(const char **list, char sep, char *item, size_t size);

/* Writes n octets of a peer's text so that they are safe in a log line or a
 * quoted value: control characters and DEL as \xHH, quote and backslash with
 * a backslash before them, octets above 0x7f as they are where they are valid
 * UTF-8 and \xHH where not. Cut at size - 1 with "..." at the end. dst always
 * ends in a NUL. Returns dst. */
const char *str_clean(char *dst, size_t size, const void *src, size_t n);

/* Copies src, cut, with a "?" for each octet that is not printable ASCII.
 * Returns dst. */
const char *str_ascii(char *dst, size_t size, const char *src);

/* Lower-case hex of n octets; dst holds 2n + 1. */
void str_hex(char *dst, const void *src, size_t n);
/* Reads exactly 2n hex digits from s. 0 done, -1 another character. */
int str_unhex(void *dst, size_t n, const char *s);

#endif
