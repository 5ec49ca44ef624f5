/* scan_out.c - what esets_scan says, see scan_out.h. Pure: no descriptor, no
 * clock, no log.
 *
 * All text is made safe once, by str_clean; JSON takes the same text and only
 * rewrites \xHH, which it does not have. */
#include "scan_out.h"

#include <string.h>

#include "str.h"

#define NAME_OUT_MAX 16400   /* a path of 4096 octets, each of them escaped */
#define INFO_MAX ((size_t)256)

/* --- what is to be told ----------------------------------------------------- */

static bool has_verdict(const struct scan_result *r)
{
	return r->fate == SCAN_FATE_SCANNED || r->fate == SCAN_FATE_CLEANED;
}

/* DELETED alone says that a cleaned copy was made; if it was not put in place
 * the threat is still in the file. */
static bool is_infected(const struct scan_result *r)
{
	return has_verdict(r) && ((r->v->av & VERDICT_AV_INFECTED) != 0 ||
		((r->v->av & VERDICT_AV_DELETED) != 0 && r->fate != SCAN_FATE_CLEANED));
}

#define NOT_SCANNED ((unsigned)VERDICT_AV_ALL & ~(unsigned)(VERDICT_AV_INFECTED | VERDICT_AV_DELETED))

static bool is_notscanned(const struct scan_result *r)
{
	return r->fate == SCAN_FATE_NOTSCANNED || r->fate == SCAN_FATE_ERROR ||
		(has_verdict(r) && (r->v->av & NOT_SCANNED) != 0);
}

bool scan_out_is_notable(const struct scan_result *r)
{
	return r->fate == SCAN_FATE_CLEANED || is_infected(r) || is_notscanned(r) ||
		(has_verdict(r) && r->v->nparts > 0);
}

static const char *status_text(const struct scan_result *r)
{
	switch (r->fate) {
	case SCAN_FATE_SKIPPED: return "skipped";
	case SCAN_FATE_NOTSCANNED: return "not scanned";
	case SCAN_FATE_ERROR: return "error";
	case SCAN_FATE_SCANNED: case SCAN_FATE_CLEANED: break;
	}
	return is_infected(r) ? "infected" : verdict_av_text(r->v->av);
}

static const char *action_text(const struct scan_result *r)
{
	return is_infected(r) ? "retained" :
		r->fate == SCAN_FATE_CLEANED ? "cleaned by deleting" : "";
}

static const char *kind_and_reason(char out[INFO_MAX], const char *kind, const char *reason)
{
	struct buf b = BUF_INIT(2 * INFO_MAX);

	out[0] = '\0';
	if (buf_printf(&b, "%s%s%s", kind, kind[0] != '\0' && reason[0] != '\0' ? ": " : "",
	    reason) == 0)
		str_copy_n(out, INFO_MAX, buf_head(&b), buf_len(&b));
	buf_fini(&b);
	return out;
}

/* "not scanned (encrypted): the reason"; a threat's own kind needs no words. */
static const char *info_text(char out[INFO_MAX], const struct scan_result *r)
{
	const char *reason = has_verdict(r) && r->why[0] == '\0' ? r->v->reason : r->why;
	const char *kind = has_verdict(r) ? verdict_av_text(r->v->av & NOT_SCANNED) : status_text(r);

	if (has_verdict(r) && (r->v->av & NOT_SCANNED) == 0)
		kind = "";
	return kind_and_reason(out, kind, reason);
}

static bool is_allowed(const struct verdict_part *p)
{
	return p->av == VERDICT_AV_CLEAN && p->virus[0] != '\0';
}

static const char *part_action(const struct scan_result *r, const struct verdict_part *p)
{
	if (is_allowed(p))
		return "allowed";
	if ((p->av & (VERDICT_AV_INFECTED | VERDICT_AV_DELETED)) == 0)
		return "";
	return r->fate == SCAN_FATE_CLEANED ? "cleaned by deleting" : "retained";
}

static const char *part_info(char out[INFO_MAX], const struct verdict_part *p)
{
	return kind_and_reason(out, (p->av & NOT_SCANNED) != 0 ?
		verdict_av_text(p->av & NOT_SCANNED) : "", p->reason);
}

/* The whole has its line; its own part is told only for what was allowed. */
static bool is_told(const struct scan_result *r, const struct verdict_part *p)
{
	return strcmp(p->name, r->root) != 0 || is_allowed(p);
}

/* The part's name without that of the file, which stands before it already. */
static const char *part_name(const struct scan_result *r, const struct verdict_part *p)
{
	size_t n = strlen(r->root);
	bool has_root = n > 0 && strncmp(p->name, r->root, n) == 0 && strncmp(p->name + n, ": ", 2) == 0;

	return has_root ? p->name + n + 2 : p->name;
}

/* --- text ------------------------------------------------------------------- */

static int put_line(struct buf *out, const char *name, const char *part, const char *threat,
	const char *action, const char *info)
{
	char clean[NAME_OUT_MAX];

	return buf_printf(out, "name=\"%s%s%s\", threat=\"%s\", action=\"%s\", info=\"%s\"\n",
		str_clean(clean, sizeof clean, name, strlen(name)), part[0] != '\0' ? ": " : "", part,
		threat, action, info);
}

int scan_out_text(struct buf *out, const struct scan_result *r)
{
	char info[INFO_MAX];

	if (put_line(out, r->name, "", has_verdict(r) ? r->v->virus : "", action_text(r),
	    info_text(info, r)) < 0)
		return -1;
	for (unsigned i = 0; has_verdict(r) && i < r->v->nparts; i++) {
		const struct verdict_part *p = &r->v->parts[i];
		if (is_told(r, p) && put_line(out, r->name, part_name(r, p), p->virus, part_action(r, p),
		    part_info(info, p)) < 0)
			return -1;
	}
	return 0;
}

int scan_sum_text(struct buf *out, const struct scan_sum *s)
{
	return buf_printf(out, "Scanned: %llu, objects: %llu\nInfected: %llu\nCleaned: %llu\n"
		"Not scanned: %llu\nSkipped: %llu\nErrors: %llu\n", (unsigned long long)s->scanned,
		(unsigned long long)s->objects, (unsigned long long)s->infected,
		(unsigned long long)s->cleaned, (unsigned long long)s->notscanned,
		(unsigned long long)s->skipped, (unsigned long long)s->errors);
}

/* --- JSON (RFC 8259) ---------------------------------------------------------- */

/* A string of text that is clean: \" and \\ are the same in JSON. */
static int put_string(struct buf *out, const char *key, const char *clean)
{
	if (buf_printf(out, "\"%s\":\"", key) < 0)
		return -1;
	for (const char *p = clean; *p != '\0';) {
		size_t n = strcspn(p, "\\");
		if (n > 0 && buf_append(out, p, n) < 0)
			return -1;
		p += n;
		if (p[0] == '\0' || p[1] == '\0')
			break;
		int rc = p[1] == 'x' ? buf_append(out, "\\u00", 4) : buf_append(out, p, 2);
		if (rc < 0)
			return -1;
		p += 2;
	}
	return buf_append(out, "\"", 1);
}

static int put_more(struct buf *out, const char *key, const char *clean)
{
	return buf_append(out, ",", 1) < 0 ? -1 : put_string(out, key, clean);
}

static int put_parts(struct buf *out, const struct scan_result *r)
{
	const char *comma = "";
	char info[INFO_MAX];

	if (buf_append_str(out, ",\"parts\":[") < 0)
		return -1;
	for (unsigned i = 0; i < r->v->nparts; i++) {
		const struct verdict_part *p = &r->v->parts[i];
		if (!is_told(r, p))
			continue;
		if (buf_printf(out, "%s{", comma) < 0 || put_string(out, "name", part_name(r, p)) < 0 ||
		    put_more(out, "threat", p->virus) < 0 ||
		    put_more(out, "action", part_action(r, p)) < 0 ||
		    put_more(out, "info", part_info(info, p)) < 0 ||
		    put_more(out, "status", verdict_av_text(p->av)) < 0 ||
		    buf_append(out, "}", 1) < 0)
			return -1;
		comma = ",";
	}
	return buf_append(out, "]", 1);
}

static int put_verdict(struct buf *out, const struct scan_result *r)
{
	const struct verdict *v = r->v;

	if (put_more(out, "vdb", v->vdb) < 0 || put_more(out, "sha256", v->sha256) < 0 ||
	    buf_printf(out, ",\"objects\":%u,\"time_us\":%u", v->objects, v->time_us) < 0)
		return -1;
	return put_parts(out, r);
}

int scan_out_json(struct buf *out, const struct scan_result *r)
{
	char clean[NAME_OUT_MAX], info[INFO_MAX];

	str_clean(clean, sizeof clean, r->name, strlen(r->name));
	if (buf_append(out, "{", 1) < 0 || put_string(out, "name", clean) < 0 ||
	    put_more(out, "threat", has_verdict(r) ? r->v->virus : "") < 0 ||
	    put_more(out, "action", action_text(r)) < 0 ||
	    put_more(out, "info", info_text(info, r)) < 0 ||
	    put_more(out, "status", status_text(r)) < 0 ||
	    buf_printf(out, ",\"size\":%llu", (unsigned long long)r->size) < 0 ||
	    (has_verdict(r) && put_verdict(out, r) < 0))
		return -1;
	return buf_append(out, "}\n", 2);
}

int scan_sum_json(struct buf *out, const struct scan_sum *s)
{
	return buf_printf(out, "{\"summary\":{\"scanned\":%llu,\"objects\":%llu,\"infected\":%llu,"
		"\"cleaned\":%llu,\"notscanned\":%llu,\"skipped\":%llu,\"errors\":%llu,\"exit\":%d}}\n",
		(unsigned long long)s->scanned, (unsigned long long)s->objects,
		(unsigned long long)s->infected, (unsigned long long)s->cleaned,
		(unsigned long long)s->notscanned, (unsigned long long)s->skipped,
		(unsigned long long)s->errors, (int)scan_sum_exit(s));
}

/* --- the summary -------------------------------------------------------------- */

void scan_sum_add(struct scan_sum *s, const struct scan_result *r)
{
	s->skipped += r->fate == SCAN_FATE_SKIPPED;
	s->errors += r->fate == SCAN_FATE_ERROR;
	s->infected += is_infected(r);
	s->cleaned += r->fate == SCAN_FATE_CLEANED;
	s->notscanned += is_notscanned(r) && r->fate != SCAN_FATE_ERROR;
	if (has_verdict(r)) {
		s->scanned++;
		s->objects += r->v->objects;
	}
}

enum scan_exit scan_sum_exit(const struct scan_sum *s)
{
	return s->infected > 0 ? SCAN_EXIT_FOUND : s->errors > 0 ? SCAN_EXIT_ERROR :
		s->notscanned > 0 ? SCAN_EXIT_NOTSCANNED : s->cleaned > 0 ? SCAN_EXIT_CLEANED :
		SCAN_EXIT_CLEAN;
}
