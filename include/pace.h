/* pace.h - asked now and then by code that goes over many octets: is anybody still
 * waiting for it? Pure.
 *
 * A message may be of gigabytes, and one loop over it of seconds. Each such loop
 * tells how many octets it has gone over, and ends where it hears false. */
#ifndef ESETS_PACE_H
#define ESETS_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_OCTETS (8u << 20)       /* between two questions: some milliseconds */

struct pace {
	bool (*go_on)(void *arg);        /* NULL: always */
	void *arg;
	uint64_t unasked;                /* octets since the last question */
	bool is_over;                    /* it was answered with no, once and for all */
};

/* n more octets are done; false: stop, what comes of it is of no use. A null p never
 * stops. */
static inline bool pace_on(struct pace *p, uint64_t n)
{
	if (p == NULL)
		return true;
	p->unasked += n;
	if (p->unasked < PACE_OCTETS || p->is_over)
		return !p->is_over;
	p->unasked = 0;
	p->is_over = p->go_on != NULL && !p->go_on(p->arg);
	return !p->is_over;
}

/* Where the next piece of work from at on ends. */
static inline size_t pace_end(size_t at, size_t end)
{
	return end - at > PACE_OCTETS ? at + PACE_OCTETS : end;
}

#endif
