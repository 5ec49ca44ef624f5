/* series.c - see series.h. A program that was started anew counts from zero;
 * what a counter lost is not a rate below zero. */
#include "series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct row {
	const char *field, *name, *value;
	char who, kind;
} rows[SERIES_FIELDS] = {
#define X(field, who, kind, name, value) { #field, name, value, #who[0], #kind[0] },
	SERIES_LIST(X)
#undef X
};

static void times_less(struct stats_view_times *t, const struct stats_view_times *was)
{
	t->count = 0;
	for (unsigned i = 0; i <= STATS_VIEW_BOUNDS_MAX; i++) {
		t->bucket[i] = t->bucket[i] > was->bucket[i] ? t->bucket[i] - was->bucket[i] : 0;
		t->count += t->bucket[i];
	}
}

static double quantile(const struct stats_view *v, const struct stats_view_times *t,
	const char *part)
{
	const double us = stats_view_quantile_us(v, t, strtod(part, NULL));

	return us < 0 ? NAN : us / 1e6;
}

static double rate(double is, double was, long long ms)
{
	return ms > 0 && is >= was ? (is - was) * 1000.0 / (double)ms : NAN;
}

/* The fields of one program. */
static void take_one(struct series_sample *to, struct series_last *last,
	const struct stats_view *v, char who, long long mono_ms)
{
	const bool is_same = last->pid == stats_view_pid(v) &&
		last->start_s == stats_view_start_s(v);
	struct series_last now = { .pid = stats_view_pid(v), .start_s = stats_view_start_s(v),
		.mono_ms = mono_ms };
	struct stats_view_times t = { .count = 0 };

	for (unsigned i = 0; i < SERIES_FIELDS; i++) {
		const struct row *r = &rows[i];
		const struct stats_view_row *row = stats_view_find(v, r->name, r->value);
		if (r->who != who)
			continue;
		if (r->kind == 'Q') {
			stats_view_times(v, stats_view_find(v, r->name, ""), &now.times);
			t = now.times;
			if (is_same)
				times_less(&t, &last->times);
			to->v[i] = quantile(v, &t, r->value);
			continue;
		}
		now.v[i] = (double)stats_view_value(v, row);
		to->v[i] = r->kind == 'G' ? now.v[i] :
			is_same ? rate(now.v[i], last->v[i], mono_ms - last->mono_ms) : NAN;
	}
	*last = now;
}

void series_take(struct series *s, const struct stats_view *agent,
	const struct stats_view *daemon, long long mono_ms, int64_t wall_s)
{
	struct series_sample *to = &s->s[s->next % SERIES_SAMPLES];

	to->at_s = wall_s;
	for (unsigned i = 0; i < SERIES_FIELDS; i++)
		to->v[i] = NAN;
	if (agent != NULL)
		take_one(to, &s->agent, agent, 'A', mono_ms);
	if (daemon != NULL)
		take_one(to, &s->daemon, daemon, 'D', mono_ms);
	s->next = (s->next % SERIES_SAMPLES + 1) % SERIES_SAMPLES;
	s->n = s->n < SERIES_SAMPLES ? s->n + 1 : SERIES_SAMPLES;
}

static int put_sample(struct buf *out, const struct series_sample *s)
{
	int rc = buf_printf(out, "[%lld", (long long)s->at_s);

	for (unsigned i = 0; rc == 0 && i < SERIES_FIELDS; i++)
		rc = isfinite(s->v[i]) ? buf_printf(out, ",%.6g", s->v[i]) :
			buf_append_str(out, ",null");
	return rc < 0 ? -1 : buf_append_str(out, "]");
}

int series_json(struct buf *out, const struct series *s)
{
	const uint32_t n = s->n < SERIES_SAMPLES ? s->n : SERIES_SAMPLES;
	int rc = buf_printf(out, "\"step\":%d,\"fields\":[\"time\"", SERIES_STEP_S);

	for (unsigned i = 0; rc == 0 && i < SERIES_FIELDS; i++)
		rc = buf_printf(out, ",\"%s\"", rows[i].field);
	if (rc == 0)
		rc = buf_append_str(out, "],\"samples\":[");
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const uint32_t at = (s->next % SERIES_SAMPLES + SERIES_SAMPLES - n + i) %
			SERIES_SAMPLES;
		rc = i > 0 ? buf_append_str(out, ",") : 0;
		if (rc == 0)
			rc = put_sample(out, &s->s[at]);
	}
	return rc < 0 ? -1 : buf_append_str(out, "]");
}
