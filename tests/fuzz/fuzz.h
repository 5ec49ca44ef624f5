/* fuzz.h - what the fuzz targets share. Header only. */
#ifndef ESETS_TESTS_FUZZ_H
#define ESETS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; unlike assert also with NDEBUG. */
#define must(what) do {                                                         \
	if (!(what)) {                                                          \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
		abort();                                                        \
	}                                                                       \
} while (0)

/* The next piece of n > 0 octets in mode 0 whole, 1 octet by octet, 2 and more
 * at random. */
static inline size_t fuzz_piece(unsigned mode, unsigned *seed, size_t n)
{
	if (mode == 0)
		return n;
	if (mode == 1)
		return 1;
	*seed = *seed * 1103515245u + 12345u;
	size_t k = 1 + (*seed >> 8) % 9;
	return k < n ? k : n;
}

/* A text of results, to be compared between two ways of feeding. */
struct fuzz_text {
	char *p;
	size_t len, cap;
};

static inline void fuzz_add(struct fuzz_text *t, const void *p, size_t n)
{
	if (t->len + n > t->cap) {
		t->cap = 2 * (t->len + n) + 64;
		t->p = realloc(t->p, t->cap);
		must(t->p != NULL);
	}
	if (n > 0)
		memcpy(t->p + t->len, p, n);
	t->len += n;
}

static inline void fuzz_same(const struct fuzz_text *a, const struct fuzz_text *b)
{
	must(a->len == b->len);
	must(a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static inline void fuzz_free(struct fuzz_text *t)
{
	free(t->p);
	*t = (struct fuzz_text){ NULL, 0, 0 };
}

#endif
