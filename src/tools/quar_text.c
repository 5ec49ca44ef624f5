/* quar_text.c - metadata for people and for programs, see quar_text.h. */
#include "quar_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "str.h"

#define FIELD_MAX 512

static const char *clean(char *dst, size_t size, const char *src)
{
	return str_clean(dst, size, src, strlen(src));
}

static const char *kinds_text(unsigned av, char out[128])
{
	struct buf b = BUF_INIT(127);

	out[0] = '\0';
	if (verdict_kinds_format(&b, av) == 0)
		str_copy_n(out, 128, buf_head(&b), buf_len(&b));
	buf_fini(&b);
	return out;
}

static const char *time_text(uint64_t time_s, char out[40])
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (time_s == 0 || time_s > 253402300799 || localtime_r(&t, &tm) == NULL ||
	    strftime(out, 40, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		str_copy(out, 40, "");
	return out;
}

/* What it is kept for. */
static const char *what(const struct quar_meta *m, char *out, size_t size)
{
	if (m->virus[0] != '\0')
		return clean(out, size, m->virus);
	str_copy(out, size, m->as == VERDICT_AS_SPAM ? "spam" : "-");
	return out;
}

static bool has_score(const struct quar_meta *m)
{
	return m->as == VERDICT_AS_CLEAN || m->as == VERDICT_AS_SPAM;
}

void quar_text_line(const struct quar_meta *m, FILE *out)
{
	char name[FIELD_MAX], sender[FIELD_MAX], rcpt[FIELD_MAX];

	fprintf(out, "%s %10" PRIu64 "  %s  from=<%s> to=<%s>", m->id, m->size,
		what(m, name, sizeof name), clean(sender, sizeof sender, m->sender),
		clean(rcpt, sizeof rcpt, m->nrcpts > 0 ? m->rcpts[0] : ""));
	if (m->nrcpts_total > 1)
		fprintf(out, " and %u more", m->nrcpts_total - 1);
	if (m->queue_id[0] != '\0')
		fprintf(out, " queue_id=%s", clean(name, sizeof name, m->queue_id));
	if (has_score(m))
		fprintf(out, " score=%.3f", m->as_score_milli / 1000.0);
	if (m->seen > 1)
		fprintf(out, "  seen %u times", m->seen);
	fputs(m->released_s != 0 ? "  released\n" : "\n", out);
}

static void show_text(const char *name, const char *value, FILE *out)
{
	char text[4096];

	if (value[0] != '\0')
		fprintf(out, "%s: %s\n", name, clean(text, sizeof text, value));
}

void quar_text_show(const struct quar_meta *m, FILE *out)
{
	char text[128];

	fprintf(out, "id: %s\n", m->id);
	show_text("time", time_text(m->time_s, text), out);
	if (m->seen > 1) {
		fprintf(out, "seen: %u times\n", m->seen);
		show_text("last", time_text(m->last_s, text), out);
	}
	show_text("released", time_text(m->released_s, text), out);
	fprintf(out, "size: %" PRIu64 "\n", m->size);
	show_text("sha256", m->sha256, out);
	show_text("agent", m->agent, out);
	show_text("session", m->session, out);
	show_text("client", m->client, out);
	show_text("helo", m->helo, out);
	show_text("queue id", m->queue_id, out);
	show_text("name", m->name, out);
	show_text("viruses", kinds_text(m->av, text), out);
	show_text("virus", m->virus, out);
	show_text("spam", verdict_as_name(m->as), out);
	if (has_score(m))
		fprintf(out, "spam score: %.3f\n", m->as_score_milli / 1000.0);
	show_text("reason", m->reason, out);
	show_text("engines", m->vdb, out);
	fputs("sender: <", out);
	fputs(clean((char[4096]){ 0 }, 4096, m->sender), out);
	fprintf(out, ">\nrecipients: %u\n", m->nrcpts_total);
	for (unsigned i = 0; i < m->nrcpts; i++)
		fprintf(out, "recipient: <%s>\n",
			clean((char[4096]){ 0 }, 4096, m->rcpts[i]));
}

/* --- JSON ---------------------------------------------------------------------- */

/* Octets of the valid UTF-8 sequence at p, or 0. str_clean knows the rules, and
 * the controls of C1: what it leaves as it is may be seen. */
static size_t utf8_len(const char *p)
{
	char clean[8];
	unsigned char c = (unsigned char)p[0];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (n < 2 || strnlen(p, n) < n)
		return n == 1 ? 1 : 0;
	str_clean(clean, sizeof clean, p, n);
	return strncmp(clean, p, n) == 0 && clean[n] == '\0' ? n : 0;
}

static void json_string(const char *s, FILE *out)
{
	fputc('"', out);
	while (*s != '\0') {
		unsigned char c = (unsigned char)*s;
		size_t n = utf8_len(s);
		if (n == 0)
			fputs("\\ufffd", out);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fprintf(out, "%s%.*s", c == '"' || c == '\\' ? "\\" : "", (int)n, s);
		s += n > 0 ? n : 1;
	}
	fputc('"', out);
}

static void json_text(const char *name, const char *value, FILE *out)
{
	fprintf(out, ",\"%s\":", name);
	json_string(value, out);
}

void quar_text_json(const struct quar_meta *m, FILE *out)
{
	char kinds[128];

	fprintf(out, "{\"id\":\"%s\",\"time\":%" PRIu64 ",\"seen\":%u,\"last\":%" PRIu64
		",\"released\":%" PRIu64 ",\"size\":%" PRIu64, m->id, m->time_s, m->seen, m->last_s,
		m->released_s, m->size);
	json_text("sha256", m->sha256, out);
	json_text("agent", m->agent, out);
	json_text("session", m->session, out);
	json_text("client", m->client, out);
	json_text("helo", m->helo, out);
	json_text("queue_id", m->queue_id, out);
	json_text("name", m->name, out);
	json_text("av", kinds_text(m->av, kinds), out);
	json_text("virus", m->virus, out);
	json_text("as", verdict_as_name(m->as), out);
	fprintf(out, ",\"as_score_milli\":%d,\"score\":", m->as_score_milli);
	if (has_score(m))
		fprintf(out, "%.3f", m->as_score_milli / 1000.0);
	else
		fputs("null", out);
	json_text("reason", m->reason, out);
	json_text("vdb", m->vdb, out);
	json_text("sender", m->sender, out);
	fprintf(out, ",\"rcpts\":%u,\"rcpt\":[", m->nrcpts_total);
	for (unsigned i = 0; i < m->nrcpts; i++) {
		fputs(i > 0 ? "," : "", out);
		json_string(m->rcpts[i], out);
	}
	fputs("]}\n", out);
}

void quar_text_octets(const char *p, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c != '\r')
			fputc((c < 0x20 && c != '\n' && c != '\t') || c >= 0x7f ? '?' : c, out);
	}
}
