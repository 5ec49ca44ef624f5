/* strictest.h - the settings of several recipients laid together.
 *
 * user_config_recipients = strictest: of each action the strictest, of the
 * scan options what looks most closely. esets.cfg(5) has the rule for every
 * option. Pure. */
#ifndef ESETS_STRICTEST_H
#define ESETS_STRICTEST_H

#include "conf.h"

#define STRICTEST_LIST_MAX 16384  /* octets of a list laid together */
#define STRICTEST_LISTS 4
#define STRICTEST_SEEN 16

struct strictest {
	struct conf_scan scan;               /* the result */
	char *lists[STRICTEST_LISTS];        /* memory of those that are new */
	const struct conf_scan *seen[STRICTEST_SEEN]; /* added lately, need not be again */
	unsigned nseen;
};

/* Begins with one recipient's; allocates nothing. Texts are borrowed. */
void strictest_init(struct strictest *st, const struct conf_scan *first);
/* Have all their lists room together? Only one can grow: what counts as infected. */
bool strictest_fits(const struct conf_scan *all, const struct conf_scan *more);
/* Adds another's. 0; -1 no memory, or a list beyond STRICTEST_LIST_MAX. */
int strictest_add(struct strictest *st, const struct conf_scan *more);
void strictest_fini(struct strictest *st);

#endif
