/* slab.h - memory for many things of one size that come and go by thousands.
 *
 * They lie together, apart from the heap, so that all of it goes back to the
 * system when they have gone; between other things they would leave holes that
 * no page fits into. One thread at a time. */
#ifndef ESETS_SLAB_H
#define ESETS_SLAB_H

#include <stddef.h>

struct slab_block;

struct slab {
	size_t size;               /* of a thing, rounded up */
	struct slab_block *some;   /* blocks with room */
	struct slab_block *spare;  /* an empty one, for the next storm; or NULL */
};

/* size: octets of a thing, at most SLAB_SIZE_MAX. */
#define SLAB_SIZE_MAX 16384u
void slab_init(struct slab *s, size_t size);
/* Everything must have been given back. */
void slab_fini(struct slab *s);
/* Zeroed; NULL: no memory. */
void *slab_take(struct slab *s);
void slab_give(struct slab *s, void *p);

#endif
