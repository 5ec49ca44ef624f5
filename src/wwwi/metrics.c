/* metrics.c - see metrics.h. Texts of a view need no escapes (stats_view.h). */
#include "metrics.h"

#include <string.h>

static int put_head(struct buf *out, const struct stats_view *v, const struct stats_view_row *r)
{
	const char *program = stats_view_program(v);
	const char *type = r->kind == 'H' ? "histogram" :
		r->kind == 'C' || r->kind == 'R' ? "counter" : "gauge";

	return buf_printf(out, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", program, r->name, r->help,
		program, r->name, type);
}

static int put_times(struct buf *out, const struct stats_view *v, const struct stats_view_row *r)
{
	const char *program = stats_view_program(v);
	struct stats_view_times t;
	uint64_t below = 0;
	unsigned n;
	const uint64_t *bounds = stats_view_bounds_us(v, &n);
	int rc = 0;

	stats_view_times(v, r, &t);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		below += t.bucket[i];
		rc = buf_printf(out, "%s_%s_bucket{le=\"%g\"} %llu\n", program, r->name,
			(double)bounds[i] / 1e6, (unsigned long long)below);
	}
	return rc < 0 ? -1 : buf_printf(out, "%s_%s_bucket{le=\"+Inf\"} %llu\n"
		"%s_%s_sum %.6f\n%s_%s_count %llu\n", program, r->name, (unsigned long long)t.count,
		program, r->name, (double)t.sum_us / 1e6, program, r->name,
		(unsigned long long)t.count);
}

static int put_value(struct buf *out, const struct stats_view *v, const struct stats_view_row *r)
{
	const unsigned long long n = stats_view_value(v, r);

	if (r->key[0] == '\0')
		return buf_printf(out, "%s_%s %llu\n", stats_view_program(v), r->name, n);
	return buf_printf(out, "%s_%s{%s=\"%s\"} %llu\n", stats_view_program(v), r->name, r->key,
		r->value, n);
}

int metrics_table(struct buf *out, const struct stats_view *v)
{
	const struct stats_view_row *r;
	const char *family = "";
	int rc = 0;

	for (size_t i = 0; rc == 0 && (r = stats_view_row(v, i)) != NULL; i++) {
		if (strcmp(r->name, family) != 0)
			rc = put_head(out, v, r);
		family = r->name;
		if (rc == 0)
			rc = r->kind == 'H' ? put_times(out, v, r) : put_value(out, v, r);
	}
	return rc;
}

int metrics_gauge(struct buf *out, const struct metrics_gauge *g)
{
	if (g->has_head && buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", g->name, g->help,
	    g->name) < 0)
		return -1;
	if (g->key == NULL)
		return buf_printf(out, "%s %llu\n", g->name, (unsigned long long)g->number);
	return buf_printf(out, "%s{%s=\"%s\"} %llu\n", g->name, g->key, g->value,
		(unsigned long long)g->number);
}
