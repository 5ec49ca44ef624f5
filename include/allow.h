/* allow.h - false alarms that must pass: av_allow_name, av_allow_hash. Pure.
 *
 * Lists are as in esets.cfg: items with colons between, blanks around an item
 * don't count. They come with the request, so an item that is no mask or no
 * digest is passed over here (esets.cfg refuses it when it is read). */
#ifndef ESETS_ALLOW_H
#define ESETS_ALLOW_H

#include <stdbool.h>

/* Does an item of the list match the signature's name? "*" any text, "?" one
 * character, without regard to case. A mask of these two only matches nothing:
 * it would switch the scanner off. An empty name is never matched. */
bool allow_has_name(const char *list, const char *name);
/* Is the SHA-256 (64 hexadecimal digits, either case) an item of the list? */
bool allow_has_hash(const char *list, const char *sha256_hex);

#endif
