/* kv.h - text of key=value lines: packets of the scanner protocol, and files
 * of the quarantine. Pure.
 *
 *     text    = head LF *(key "=" value LF) LF
 *     key     = a-z *(a-z | 0-9 | "_")
 *     value   = *(octet but 0x00-0x1f, 0x7f; "%" only as %XX, not %00)
 *
 * The head is "NAME/VERSION" or "NAME/VERSION WORD". The empty line is the
 * end: a text that was cut is never a shorter valid one. */
#ifndef ESETS_KV_H
#define ESETS_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define KV_MAX 65536u   /* octets of a text that is read */

/* Append; 0, -1 no room (something may have been appended then). */
int kv_put_value(struct buf *out, const char *value, bool blank_too);
/* A line; none for NULL and "", which are the default. */
int kv_put_text(struct buf *out, const char *key, const char *value);
int kv_put_number(struct buf *out, const char *key, uint64_t v);

/* A copy of the text to be taken apart in place, with a NUL behind it; to be
 * freed. NULL: longer than KV_MAX, or no memory. */
char *kv_copy(const void *p, size_t n, const char **why_out);
/* Checks the first line (head with its LF); where the pairs begin, or NULL. */
char *kv_after_head(char *text, size_t n, const char *head, const char **why_out);
/* Takes the next line apart in place. 1 a pair, its value still encoded; 0
 * the empty line and nothing behind it; -1 broken. */
int kv_next(char **p, char *end, char **key_out, char **value_out, const char **why_out);
/* Turns %XX back in place. 0; -1 a raw control character, or % without a
 * number, or %00, which would end the string for C. */
int kv_decode(char *s);
/* Place of value in a NULL-terminated list, or -1. */
int kv_index(const char *const *names, const char *value);

#endif
