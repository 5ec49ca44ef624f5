/* web_json.c - see web_json.h. */
#include "web_json.h"

#include <inttypes.h>
#include <string.h>

#include "str.h"

int web_json_text(struct buf *out, const char *s)
{
	char clean[WEB_TEXT_MAX + 1];
	int rc = buf_append_str(out, "\"");

	str_clean(clean, sizeof clean, s, strlen(s));
	for (const char *p = clean; rc == 0 && *p != '\0'; p++) {
		/* str_clean's are for a log */
		if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
			p++;
		const unsigned char c = (unsigned char)*p;
		rc = c < 0x20 || c == 0x7f || strchr("\"\\<>&'", c) != NULL ?
			buf_printf(out, "\\u%04x", c) : buf_append(out, p, 1);
	}
	return rc < 0 ? -1 : buf_append_str(out, "\"");
}

static int put_text(struct buf *out, const char *name, const char *value)
{
	return buf_printf(out, ",\"%s\":", name) < 0 ? -1 : web_json_text(out, value);
}

static int put_rcpts(struct buf *out, const struct quar_meta *m)
{
	int rc = buf_printf(out, ",\"rcpts\":%u,\"rcpt\":[", m->nrcpts_total);

	for (unsigned i = 0; rc == 0 && i < m->nrcpts && i < WEB_RCPTS_MAX; i++) {
		rc = i > 0 ? buf_append_str(out, ",") : 0;
		if (rc == 0)
			rc = web_json_text(out, m->rcpts[i]);
	}
	return rc < 0 ? -1 : buf_append_str(out, "]}");
}

static int put_kinds(struct buf *out, unsigned av)
{
	if (buf_append_str(out, ",\"av\":\"") < 0 || verdict_kinds_format(out, av) < 0)
		return -1;
	return buf_append_str(out, "\"");
}

int web_json_meta(struct buf *out, const struct quar_meta *m)
{
	const struct { const char *name, *value; } texts[] = {
		{ "sha256", m->sha256 }, { "agent", m->agent }, { "session", m->session },
		{ "client", m->client }, { "helo", m->helo }, { "queue_id", m->queue_id },
		{ "name", m->name }, { "virus", m->virus }, { "reason", m->reason },
		{ "engines", m->vdb }, { "as", verdict_as_name(m->as) }, { "sender", m->sender },
	};
	int rc = buf_append_str(out, "{\"id\":");

	if (rc == 0)
		rc = web_json_text(out, m->id);
	if (rc == 0)
		rc = buf_printf(out, ",\"time\":%" PRIu64 ",\"seen\":%u,\"last\":%" PRIu64
			",\"released\":%" PRIu64 ",\"size\":%" PRIu64 ",\"score\":%.3f",
			m->time_s, m->seen, m->last_s, m->released_s, m->size,
			m->as_score_milli / 1000.0);
	if (rc == 0)
		rc = put_kinds(out, m->av);
	for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof texts[0]; i++)
		rc = put_text(out, texts[i].name, texts[i].value);
	return rc < 0 ? -1 : put_rcpts(out, m);
}
