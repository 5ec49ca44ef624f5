/* digest.c - SHA-256 of octets that come in pieces, see digest.h. */
#include "digest.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "str.h"

struct digest {
	EVP_MD_CTX *ctx;
};

struct digest *digest_new(void)
{
	struct digest *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	d->ctx = EVP_MD_CTX_new();
	if (d->ctx == NULL || EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
		digest_free(&d);
	return d;
}

void digest_free(struct digest **dp)
{
	struct digest *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

int digest_push(struct digest *d, const void *p, size_t n)
{
	return EVP_DigestUpdate(d->ctx, p, n) == 1 ? 0 : -1;
}

int digest_end(struct digest *d, char out[DIGEST_HEX_SIZE])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestFinal_ex(d->ctx, md, &n) != 1 || 2 * n + 1 != DIGEST_HEX_SIZE)
		return -1;
	str_hex(out, md, n);
	return 0;
}
