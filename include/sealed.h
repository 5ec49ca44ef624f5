/* sealed.h - octets in a memfd that nobody can change any more. */
#ifndef ESETS_SEALED_H
#define ESETS_SEALED_H

#include <stddef.h>

/* A new descriptor that holds the n octets; its name is for /proc. -1 with
 * errno. */
int sealed_fd(const char *name, const void *p, size_t n);
/* No more writing, growing or shrinking. 0, -1 with errno. */
int seal_fd(int fd);

#endif
