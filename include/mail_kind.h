/* mail_kind.h - is a file a message, a mailbox, or something else? Pure.
 *
 * Strict on purpose: what is called a message is scanned as mail and nothing
 * else, so an archive that begins like a header must not be called one. What
 * is called other is scanned as a file, in which the daemon still finds mail. */
#ifndef ESETS_MAIL_KIND_H
#define ESETS_MAIL_KIND_H

#include <stddef.h>

#define MAIL_KIND_LOOK 65536u   /* octets from the beginning that are enough */

enum mail_kind { MAIL_KIND_OTHER, MAIL_KIND_MAIL, MAIL_KIND_MBOX };

/* p: the first n octets, all of the file if n < MAIL_KIND_LOOK. */
enum mail_kind mail_kind_of(const void *p, size_t n);

#endif
