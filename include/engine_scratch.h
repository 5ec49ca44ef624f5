/* engine_scratch.h - a memfd that is filled again and again, for an engine that
 * is handed descriptors.
 *
 * To make one for each object, and to give its pages back, costs more than to
 * write it. Whoever was handed it can change what is in it: only those who
 * are to judge that content may be. */
#ifndef ESETS_ENGINE_SCRATCH_H
#define ESETS_ENGINE_SCRATCH_H

#include <stddef.h>

#define ENGINE_SCRATCH_MAX (8u << 20)   /* octets: what is larger has its own */

struct engine_scratch {
	struct { int fd; size_t len; } one[2];   /* small and large, or a small object
	                                          * would give back what a large one needs */
};

#define ENGINE_SCRATCH_NONE { { { -1, 0 }, { -1, 0 } } }

/* A descriptor that holds exactly the n octets (at most ENGINE_SCRATCH_MAX),
 * lent until the next call. Nobody may read the one before any more. -1 with
 * errno. */
int engine_scratch_fill(struct engine_scratch *s, const void *p, size_t n);
void engine_scratch_close(struct engine_scratch *s);

#endif
