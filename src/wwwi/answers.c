/* answers.c - what esets_wwwi answers, see wwwi_int.h. A path is a row. */
#include "config.h"

#include "wwwi_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "metrics.h"
#include "quar_meta.h"
#include "status.h"
#include "str.h"
#include "web_json.h"

#define TYPE_JSON "application/json"
#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct ask {
	struct sources *s;
	const struct series *history;
	const char *token;
	struct status_now now;
};

static struct status_now now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct status_now){ .mono_ms = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000,
		.wall_s = time(NULL) };
}

/* --- /metrics ------------------------------------------------------------ */

static int put_up(struct buf *out, const struct sources *s)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < SOURCE_COUNT; i++) {
		const struct metrics_gauge up = { .name = "esets_up", .key = "program",
			.help = "programs whose counters can be read",
			.value = sources_program(i), .number = sources_view(s, i) != NULL,
			.has_head = i == 0 };
		rc = metrics_gauge(out, &up);
	}
	return rc;
}

static int put_quarantine(struct buf *out, const struct quar_index *x)
{
	const struct metrics_gauge messages = { .name = "esets_quarantine_messages",
		.help = "messages in quarantine", .number = x->messages, .has_head = true };
	const struct metrics_gauge bytes = { .name = "esets_quarantine_bytes",
		.help = "octets of the files of the quarantine", .number = x->octets,
		.has_head = true };

	if (!x->is_there)
		return 0;
	return metrics_gauge(out, &messages) < 0 ? -1 : metrics_gauge(out, &bytes);
}

static int metrics(struct answer *a, struct ask *k)
{
	int rc = put_up(&a->body, k->s);

	if (rc == 0)
		rc = put_quarantine(&a->body, sources_quarantine(k->s, k->now.mono_ms));
	for (unsigned i = 0; rc == 0 && i < SOURCE_COUNT; i++)
		if (sources_view(k->s, i) != NULL)
			rc = metrics_table(&a->body, sources_view(k->s, i));
	return rc;
}

/* --- /status.json -------------------------------------------------------- */

static int put_status(struct buf *out, const struct ask *k, enum source which)
{
	const struct stats_view *v = sources_view(k->s, which);

	if (v != NULL)
		return status_json(out, v, &k->now);
	if (buf_printf(out, "{\"program\": \"%s\", \"running\": %s, \"error\": ",
	    sources_program(which), strcmp(sources_state(k->s, which), "unknown") == 0 ? "null" :
	    "false") < 0 || web_json_text(out, sources_why(k->s, which)) < 0)
		return -1;
	return buf_append_str(out, "}\n");
}

static int status_all(struct answer *a, struct ask *k)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < SOURCE_COUNT; i++) {
		rc = buf_printf(&a->body, "%s\"%s\": ", i == 0 ? "{" : ",",
			sources_program(i));
		if (rc == 0)
			rc = put_status(&a->body, k, i);
	}
	return rc < 0 ? -1 : buf_append_str(&a->body, "}\n");
}

/* --- /data.json: what the page shows ------------------------------------- */

static int put_programs(struct buf *out, const struct ask *k)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < SOURCE_COUNT; i++) {
		const struct stats_view *v = sources_view(k->s, i);
		rc = buf_printf(out, "%s{\"name\":\"%s\",\"state\":\"%s\",\"version\":\"%s\","
			"\"start\":%llu,\"why\":", i == 0 ? "" : ",", sources_program(i),
			sources_state(k->s, i), v != NULL ? stats_view_version(v) : "",
			v != NULL ? (unsigned long long)stats_view_start_s(v) : 0);
		if (rc == 0)
			rc = web_json_text(out, sources_why(k->s, i));
		if (rc == 0)
			rc = buf_append_str(out, "}");
	}
	return rc;
}

static unsigned long long engine(const struct stats_view *v, const char *row, const char *name)
{
	return stats_view_value(v, stats_view_find(v, row, name));
}

static int put_engines(struct buf *out, const struct stats_view *v)
{
	const struct stats_view_row *r;
	bool has_one = false;
	int rc = 0;

	for (size_t i = 0; v != NULL && rc == 0 && (r = stats_view_row(v, i)) != NULL; i++) {
		if (strcmp(r->name, "engine_enabled") != 0 || stats_view_value(v, r) == 0)
			continue;
		rc = buf_printf(out, "%s{\"name\":\"%s\",\"up\":%llu,\"scans\":%llu,\"errors\":%llu,"
			"\"signatures\":%llu,\"data_time\":%llu}", has_one ? "," : "", r->value,
			engine(v, "engine_up", r->value), engine(v, "engine_scans_total", r->value),
			engine(v, "engine_errors_total", r->value),
			engine(v, "engine_signatures", r->value),
			engine(v, "engine_data_time_seconds", r->value));
		has_one = true;
	}
	return rc;
}

static int data(struct answer *a, struct ask *k)
{
	const struct quar_index *x = sources_quarantine(k->s, k->now.mono_ms);
	int rc = buf_printf(&a->body, "{\"now\":%lld,\"release\":\"%s\",\"programs\":[",
		k->now.wall_s, k->token);

	if (rc == 0)
		rc = put_programs(&a->body, k);
	if (rc == 0)
		rc = buf_append_str(&a->body, "],\"engines\":[");
	if (rc == 0)
		rc = put_engines(&a->body, sources_view(k->s, SOURCE_DAEMON));
	if (rc == 0)
		rc = buf_append_str(&a->body, "],");
	if (rc == 0)
		rc = series_json(&a->body, k->history);
	if (rc == 0)
		rc = buf_printf(&a->body, ",\"quarantine\":{\"there\":%s,\"messages\":%zu,"
			"\"bytes\":%llu,\"list\":[", x->is_there ? "true" : "false", x->messages,
			(unsigned long long)x->octets);
	if (rc == 0 && !buf_is_empty(&x->json))
		rc = buf_append(&a->body, buf_head(&x->json), buf_len(&x->json));
	return rc < 0 ? -1 : buf_append_str(&a->body, "]}}\n");
}

/* --- / ------------------------------------------------------------------- */

static int page(struct answer *a, struct ask *k)
{
	static const char mark[] = "@NONCE@";
	unsigned char random[(NONCE_SIZE - 1) / 2];
	const char *p = wwwi_page, *at;
	int rc = 0;

	(void)k;
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -1;
	str_hex(a->nonce, random, sizeof random);
	while (rc == 0 && (at = strstr(p, mark)) != NULL) {
		rc = buf_append(&a->body, p, (size_t)(at - p));
		if (rc == 0)
			rc = buf_append_str(&a->body, a->nonce);
		p = at + strlen(mark);
	}
	return rc < 0 ? -1 : buf_append_str(&a->body, p);
}

/* --- all of them --------------------------------------------------------- */

static const struct path {
	const char *name, *type;
	int (*make)(struct answer *a, struct ask *k);   /* NULL: see ANSWER_HEALTH */
} paths[] = {
	{ "/", TYPE_HTML, page },
	{ "/data.json", TYPE_JSON, data },
	{ "/healthz", WEB_TYPE_TEXT, NULL },
	{ "/metrics", TYPE_METRICS, metrics },
	{ "/status.json", TYPE_JSON, status_all },
};

enum answer_kind answer_make(struct answer *a, const char *path, struct sources *s,
	const struct series *history, const char *token)
{
	struct ask k = { .s = s, .history = history, .token = token, .now = now() };

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (strcmp(path, paths[i].name) != 0)
			continue;
		if (paths[i].make == NULL)
			return ANSWER_HEALTH;
		a->status = 200;
		a->type = paths[i].type;
		sources_refresh(s, k.now.mono_ms);
		if (paths[i].make(a, &k) < 0)
			answer_text(a, 500, "out of memory");
		return ANSWER_NOW;
	}
	answer_text(a, 404, "there is no such page");
	return ANSWER_NOW;
}
