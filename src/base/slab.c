/* slab.c - blocks of 64 KiB cut into equal pieces, see slab.h.
 *
 * In a build with the address sanitizer each thing is on the heap by itself:
 * what is used behind its end would not be seen in here. */
#include "slab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK 65536u
#define ALIGN 16u

#if defined __SANITIZE_ADDRESS__
#define IS_WATCHED true
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define IS_WATCHED true
#endif
#endif
#ifndef IS_WATCHED
#define IS_WATCHED false
#endif

struct slab_block {
	struct slab_block *next, **prev;   /* among those with room */
	unsigned used, cut;                /* pieces in use; ever handed out */
	void *free;                        /* list of pieces given back */
};

/* Before each piece. */
union piece {
	struct slab_block *block;
	char align[ALIGN];
};

static unsigned pieces_of(const struct slab *s)
{
	return (unsigned)((BLOCK - sizeof(struct slab_block) - ALIGN) / s->size);
}

static void link_in(struct slab *s, struct slab_block *b)
{
	b->next = s->some;
	b->prev = &s->some;
	if (b->next != NULL)
		b->next->prev = &b->next;
	s->some = b;
}

static void link_out(struct slab_block *b)
{
	*b->prev = b->next;
	if (b->next != NULL)
		b->next->prev = b->prev;
}

void slab_init(struct slab *s, size_t size)
{
	*s = (struct slab){ .size = (size + sizeof(union piece) + ALIGN - 1) / ALIGN * ALIGN };
}

void slab_fini(struct slab *s)
{
	if (s->spare != NULL)
		munmap(s->spare, BLOCK);
	s->spare = NULL;
}

static struct slab_block *block_new(struct slab *s)
{
	struct slab_block *b = s->spare;

	if (b != NULL) {
		s->spare = NULL;
	} else {
		b = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (b == MAP_FAILED)
			return NULL;
	}
	link_in(s, b);
	return b;
}

static union piece *cut_piece(struct slab *s, struct slab_block *b)
{
	char *first = (char *)(b + 1);

	first += (ALIGN - (size_t)first % ALIGN) % ALIGN;
	return (union piece *)(first + b->cut++ * s->size);
}

void *slab_take(struct slab *s)
{
	if (IS_WATCHED)
		return calloc(1, s->size);
	struct slab_block *b = s->some != NULL ? s->some : block_new(s);
	union piece *p;

	if (b == NULL)
		return NULL;
	if (b->free != NULL) {
		p = b->free;
		memcpy(&b->free, p + 1, sizeof b->free);
	} else {
		p = cut_piece(s, b);
	}
	if (++b->used == pieces_of(s))
		link_out(b);
	p->block = b;
	return memset(p + 1, 0, s->size - sizeof *p);
}

void slab_give(struct slab *s, void *thing)
{
	if (IS_WATCHED) {
		free(thing);
		return;
	}
	union piece *p = (union piece *)thing - 1;
	struct slab_block *b = p->block;

	if (b->used-- == pieces_of(s))
		link_in(s, b);
	memcpy(thing, &b->free, sizeof b->free);
	b->free = p;
	if (b->used > 0)
		return;
	link_out(b);
	if (s->spare != NULL)
		munmap(b, BLOCK);
	else
		s->spare = b;
}
