/* status_json.c - counters for programs, see status.h. Texts of a view need no
 * escapes (stats_view.h). */
#include "status.h"

#include <string.h>

static const char *kind_name(char kind)
{
	return kind == 'H' ? "histogram" : kind == 'C' || kind == 'R' ? "counter" : "gauge";
}

static int put_times(struct buf *out, const struct stats_view *v, const struct stats_view_row *r)
{
	static const struct { const char *name; double part; } parts[] = {
		{ "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 } };
	struct stats_view_times t;
	unsigned n;
	const uint64_t *bounds = stats_view_bounds_us(v, &n);
	uint64_t below = 0;
	int rc;

	stats_view_times(v, r, &t);
	rc = buf_printf(out, ", \"count\": %llu, \"sum\": %.6f", (unsigned long long)t.count,
		(double)t.sum_us / 1e6);
	for (size_t i = 0; rc == 0 && i < sizeof parts / sizeof parts[0]; i++) {
		const double us = stats_view_quantile_us(v, &t, parts[i].part);
		rc = us < 0 ? buf_printf(out, ", \"%s\": null", parts[i].name) :
			buf_printf(out, ", \"%s\": %.6f", parts[i].name, us / 1e6);
	}
	if (rc == 0)
		rc = buf_append_str(out, ", \"buckets\": [");
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		below += t.bucket[i];
		rc = buf_printf(out, "{\"le\": %.4f, \"count\": %llu}, ", (double)bounds[i] / 1e6,
			(unsigned long long)below);
	}
	return rc < 0 ? -1 : buf_printf(out, "{\"le\": null, \"count\": %llu}]",
		(unsigned long long)t.count);
}

static int put_row(struct buf *out, const struct stats_view *v, const struct stats_view_row *r,
	const struct status_now *now)
{
	int rc = buf_printf(out, "    {\"name\": \"%s_%s\"", stats_view_program(v), r->name);

	if (rc == 0 && r->key[0] != '\0')
		rc = buf_printf(out, ", \"labels\": {\"%s\": \"%s\"}", r->key, r->value);
	if (rc == 0)
		rc = buf_printf(out, ", \"kind\": \"%s\", \"help\": \"%s\"", kind_name(r->kind),
			r->help);
	if (rc == 0)
		rc = r->kind == 'H' ? put_times(out, v, r) : buf_printf(out, ", \"value\": %llu",
			(unsigned long long)stats_view_value(v, r));
	if (rc == 0 && r->kind == 'R') {
		const double rate = stats_view_rate(v, r, now->mono_ms);
		rc = rate < 0 ? buf_append_str(out, ", \"rate\": null") :
			buf_printf(out, ", \"rate\": %.3f", rate);
	}
	return rc < 0 ? -1 : buf_append_str(out, "}");
}

int status_json(struct buf *out, const struct stats_view *v, const struct status_now *now)
{
	const long long start = (long long)stats_view_start_s(v);
	const struct stats_view_row *r;
	int rc = buf_printf(out, "{\n  \"program\": \"%s\", \"running\": true, \"version\": \"%s\",\n"
		"  \"pid\": %llu, \"time\": %lld, \"uptime\": %lld,\n  \"counters\": [",
		stats_view_program(v), stats_view_version(v),
		(unsigned long long)stats_view_pid(v), now->wall_s,
		now->wall_s > start ? now->wall_s - start : 0);

	for (size_t i = 0; rc == 0 && (r = stats_view_row(v, i)) != NULL; i++) {
		rc = buf_append_str(out, i == 0 ? "\n" : ",\n");
		if (rc == 0)
			rc = put_row(out, v, r, now);
	}
	return rc < 0 ? -1 : buf_append_str(out, "\n  ]\n}\n");
}
