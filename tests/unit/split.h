/* split.h - how the tests of stream parsers cut their input. Header only.
 *
 * A parser must give the same result whatever pieces its input comes in: each
 * test runs over the modes whole, octet by octet, and a number of random
 * cuts. The seed is fixed, so that a failure can be played again. */
#ifndef ESETS_TESTS_SPLIT_H
#define ESETS_TESTS_SPLIT_H

#include <stddef.h>

/* ck_assert for inner loops: check notes every assertion that holds, too. For
 * users that include check.h. */
#define need(what) ((what) ? (void)0 : (void)ck_abort_msg("not so: %s", #what))

#define SPLIT_WHOLE 0u
#define SPLIT_OCTETS 1u
#define SPLIT_MODES 8u   /* from 2 on: random cuts, each mode with its own seed */

struct split {
	unsigned mode, seed;
};

static inline unsigned split_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

static inline struct split split_init(unsigned mode)
{
	return (struct split){ mode, mode * 7919u + 1u };
}

/* Length of the next piece, where left > 0 octets are left. */
static inline size_t split_next(struct split *s, size_t left)
{
	if (s->mode == SPLIT_WHOLE)
		return left;
	if (s->mode == SPLIT_OCTETS)
		return 1;
	/* Mostly small pieces; now and then a big one. */
	unsigned top = split_random(&s->seed) % 8 == 0 ? 400 : 5;
	size_t n = 1 + split_random(&s->seed) % top;
	return n < left ? n : left;
}

#endif
