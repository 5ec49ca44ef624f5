/* metrics.h - counters as Prometheus reads them (text format 0.0.4). Pure. */
#ifndef ESETS_METRICS_H
#define ESETS_METRICS_H

#include <stdint.h>

#include "buf.h"
#include "stats_view.h"

/* All rows of a table, families with HELP and TYPE; names begin with the
 * program's. Append; 0, -1 no room or no memory. */
int metrics_table(struct buf *out, const struct stats_view *v);
/* One gauge of its own, perhaps with a label (key NULL none), and its head where
 * has_head. */
struct metrics_gauge {
	const char *name, *help, *key, *value;
	uint64_t number;
	bool has_head;
};
int metrics_gauge(struct buf *out, const struct metrics_gauge *g);

#endif
