/* status_text.c - counters for people, see status.h. What a table does not have
 * (another version's) is left out. */
#include "status.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define COLUMNS 79
#define INDENT 16
#define ITEM_MAX 64

struct out {
	struct buf *buf;
	const struct stats_view *v;
	const struct status_now *now;
	bool failed;
};

__attribute__((format(printf, 2, 3)))
static void put(struct out *o, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (buf_append_str(o->buf, text) < 0)
		o->failed = true;
}

static uint64_t value(const struct out *o, const char *name, const char *label)
{
	return stats_view_value(o->v, stats_view_find(o->v, name, label));
}

/* "3 d 4 h", "12 min", "5 s" */
static const char *span_text(char text[ITEM_MAX], long long s)
{
	if (s < 0)
		s = 0;
	if (s >= 86400)
		snprintf(text, ITEM_MAX, "%lld d %lld h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(text, ITEM_MAX, "%lld h %lld min", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(text, ITEM_MAX, "%lld min", s / 60);
	else
		snprintf(text, ITEM_MAX, "%lld s", s);
	return text;
}

static const char *octets_text(char text[ITEM_MAX], double n)
{
	static const char *const units[] = { "octets", "KiB", "MiB", "GiB", "TiB", "PiB" };
	unsigned u = 0;

	while (n >= 1024 && u + 1 < sizeof units / sizeof units[0]) {
		n /= 1024;
		u++;
	}
	snprintf(text, ITEM_MAX, u == 0 ? "%.0f %s" : "%.1f %s", n, units[u]);
	return text;
}

static const char *time_text(char text[ITEM_MAX], double us)
{
	if (us < 0)
		snprintf(text, ITEM_MAX, "-");
	else if (us < 1e3)
		snprintf(text, ITEM_MAX, "%.0f us", us);
	else if (us < 1e6)
		snprintf(text, ITEM_MAX, us < 1e5 ? "%.1f ms" : "%.0f ms", us / 1e3);
	else
		snprintf(text, ITEM_MAX, "%.1f s", us / 1e6);
	return text;
}

static const char *when_text(char text[ITEM_MAX], uint64_t s)
{
	const time_t t = (time_t)s;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(text, ITEM_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(text, ITEM_MAX, "%llu", (unsigned long long)s);
	return text;
}

/* ", 12.3 a second", of the last minute; or nothing */
static void put_rate(struct out *o, const char *name, bool octets)
{
	const struct stats_view_row *r = stats_view_find(o->v, name, "");
	const double rate = stats_view_rate(o->v, r, o->now->mono_ms);
	char text[ITEM_MAX];

	if (rate < 0)
		return;
	if (octets)
		octets_text(text, rate);
	else
		snprintf(text, sizeof text, "%.1f", rate);
	put(o, ", %s a second", text);
}

/* All rows of a name that are not 0, in lines that are not too long. */
static void put_rows(struct out *o, const char *title, const char *name)
{
	const struct stats_view_row *r;
	char item[ITEM_MAX];
	size_t column = INDENT;
	bool any = false;

	if (stats_view_find(o->v, name, "") == NULL)
		return;
	put(o, "%-*s", INDENT, title);
	for (size_t i = 0; (r = stats_view_row(o->v, i)) != NULL; i++) {
		const uint64_t n = strcmp(r->name, name) == 0 ? stats_view_value(o->v, r) : 0;
		if (n == 0)
			continue;
		const size_t len = (size_t)snprintf(item, sizeof item, "%s %llu", r->value,
			(unsigned long long)n);
		if (any)
			put(o, ",");
		if (column + 2 + len > COLUMNS) {
			put(o, "\n%*s", INDENT, "");
			column = INDENT;
		} else if (any) {
			put(o, " ");
			column++;
		}
		put(o, "%s", item);
		column += len + 1;
		any = true;
	}
	put(o, any ? "\n" : "none\n");
}

static void put_head(struct out *o)
{
	const struct stats_view *v = o->v;
	char text[ITEM_MAX];

	put(o, "%s %s is running, process %llu, for %s\n", stats_view_program(v),
		stats_view_version(v), (unsigned long long)stats_view_pid(v),
		span_text(text, o->now->wall_s - (long long)stats_view_start_s(v)));
	put(o, "%-*s%llu running, %llu leaving; %llu died and were replaced\n", INDENT, "workers",
		(unsigned long long)value(o, "workers", "running"),
		(unsigned long long)value(o, "workers", "leaving"),
		(unsigned long long)value(o, "worker_restarts_total", ""));
	put(o, "%-*sread %s; %llu reloads, %llu more failed\n", INDENT, "configuration",
		when_text(text, value(o, "config_time_seconds", "")),
		(unsigned long long)value(o, "reloads_total", "ok"),
		(unsigned long long)value(o, "reloads_total", "failed"));
}

static void put_octets(struct out *o, const char *name)
{
	char text[ITEM_MAX];

	put(o, "%-*s%s", INDENT, "data", octets_text(text, (double)value(o, name, "")));
	put_rate(o, name, true);
	put(o, "\n");
}

static void put_times(struct out *o, const char *title, const char *name)
{
	static const double parts[] = { 0.5, 0.9, 0.99 };
	const struct stats_view_row *r = stats_view_find(o->v, name, "");
	struct stats_view_times t;
	char text[ITEM_MAX];

	if (r == NULL)
		return;
	stats_view_times(o->v, r, &t);
	put(o, "  %-*s", INDENT - 2, title);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		put(o, "%10s", time_text(text, stats_view_quantile_us(o->v, &t, parts[i])));
	put(o, "%10s%12llu\n", time_text(text, t.count == 0 ? -1 :
		(double)t.sum_us / (double)t.count), (unsigned long long)t.count);
}

static void put_times_head(struct out *o, const char *what)
{
	put(o, "\n%-*s%10s%10s%10s%10s%12s\n", INDENT, "time", "half in", "90 % in", "99 % in",
		"mean", what);
}

static void put_verdicts(struct out *o)
{
	put_rows(o, "viruses", "av_verdicts_total");
	put_rows(o, "spam", "as_verdicts_total");
}

static void put_agent(struct out *o)
{
	char text[ITEM_MAX];

	put(o, "%-*s%llu", INDENT, "connections",
		(unsigned long long)value(o, "connections_total", ""));
	put_rate(o, "connections_total", false);
	put(o, "; %llu open now\n", (unsigned long long)value(o, "sessions_open", ""));
	put(o, "%-*s%llu", INDENT, "messages",
		(unsigned long long)value(o, "messages_received_total", ""));
	put_rate(o, "messages_received_total", false);
	put(o, "\n");
	put_octets(o, "message_bytes_total");
	put(o, "%-*s%llu messages at work, %llu waiting\n", INDENT, "scanner",
		(unsigned long long)value(o, "scans", "active"),
		(unsigned long long)value(o, "scans", "waiting"));
	put(o, "%-*s%s in memory, %llu files\n", INDENT, "spool",
		octets_text(text, (double)value(o, "spool_memory_bytes", "")),
		(unsigned long long)value(o, "spool_files", ""));
	put(o, "\n");
	put_rows(o, "messages", "messages_total");
	put_rows(o, "not taken", "messages_not_taken_total");
	put_rows(o, "policy", "actions_total");
	put_verdicts(o);
	put_rows(o, "sessions ended", "sessions_total");
	put_times_head(o, "messages");
	put_times(o, "scanner", "scan_seconds");
	put_times(o, "server", "server_seconds");
	put_times(o, "in all", "message_seconds");
}

/* --- the daemon ---------------------------------------------------------- */

static void put_engine(struct out *o, const char *name)
{
	const uint64_t at = value(o, "engine_data_time_seconds", name);
	const struct stats_view_row *sigs = stats_view_find(o->v, "engine_signatures", name);
	const long long days = (o->now->wall_s - (long long)at) / 86400;
	char day[ITEM_MAX];

	put(o, "  %-*s%-6s %9llu %7llu", INDENT - 2, name,
		value(o, "engine_up", name) != 0 ? "up" : "DOWN",
		(unsigned long long)value(o, "engine_scans_total", name),
		(unsigned long long)value(o, "engine_errors_total", name));
	if (sigs != NULL)
		put(o, "  %llu", (unsigned long long)stats_view_value(o->v, sigs));
	else if (at > 0)
		put(o, "  database");
	if (at > 0)
		put(o, " of %.10s (%lld d)", when_text(day, at), days > 0 ? days : 0);
	put(o, "\n");
}

static void put_engines(struct out *o)
{
	const struct stats_view_row *r;

	put(o, "%-*s%-6s%10s%8s  signatures\n", INDENT, "engine", "state", "scans", "errors");
	for (size_t i = 0; (r = stats_view_row(o->v, i)) != NULL; i++) {
		if (strcmp(r->name, "engine_enabled") == 0 && stats_view_value(o->v, r) != 0)
			put_engine(o, r->value);
	}
}

static void put_daemon(struct out *o)
{
	put(o, "%-*s%llu", INDENT, "requests",
		(unsigned long long)value(o, "requests_total", "answered"));
	put_rate(o, "requests_total", false);
	put(o, "; %llu at work now\n", (unsigned long long)value(o, "requests_active", ""));
	put_octets(o, "scanned_bytes_total");
	put(o, "%-*s%llu\n", INDENT, "objects", (unsigned long long)value(o, "objects_total", ""));
	put(o, "\n");
	put_rows(o, "requests", "requests_total");
	put_verdicts(o);
	put_rows(o, "quarantine", "quarantine_total");
	put_times_head(o, "requests");
	put_times(o, "at work", "scan_seconds");
	put(o, "\n");
	put_engines(o);
}

int status_text(struct buf *out, const struct stats_view *v, const struct status_now *now)
{
	struct out o = { .buf = out, .v = v, .now = now };

	put_head(&o);
	if (stats_view_find(v, "engine_enabled", "") != NULL)
		put_daemon(&o);
	else if (stats_view_find(v, "http_requests_total", "") != NULL)
		put_rows(&o, "answers", "http_requests_total");
	else
		put_agent(&o);
	return o.failed ? -1 : 0;
}

int status_text_engines(struct buf *out, const struct stats_view *v,
	const struct status_now *now)
{
	struct out o = { .buf = out, .v = v, .now = now };

	put(&o, "\n");
	put_head(&o);
	put_engines(&o);
	return o.failed ? -1 : 0;
}
