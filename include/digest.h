/* digest.h - SHA-256 of octets that come in pieces. Uses libcrypto. */
#ifndef ESETS_DIGEST_H
#define ESETS_DIGEST_H

#include <stddef.h>

struct digest;

#define DIGEST_HEX_SIZE 65

/* NULL: no memory. */
struct digest *digest_new(void);
void digest_free(struct digest **d);
/* 0, -1 libcrypto refuses. */
int digest_push(struct digest *d, const void *p, size_t n);
/* Ends it; lower-case hex. 0, -1. Only digest_free may follow. */
int digest_end(struct digest *d, char out[DIGEST_HEX_SIZE]);

#endif
