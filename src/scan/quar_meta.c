/* quar_meta.c - what is known of a message in quarantine, see quar_meta.h.
 *
 * Owns the table of keys, from which both directions draw, the form of an id
 * and what a filter means. Pure: no descriptor, no log; time is an argument.
 * The reader faces files that somebody may have put there, and requests of
 * workers, which read hostile mail. */
#include "quar_meta.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kv.h"
#include "str.h"

#define HEAD "esets-quarantine/1\n"
#define DAY_S 86400
#define SECOND_US 1000000

/* --- ids ------------------------------------------------------------------- */

static bool are_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
	}
	return true;
}

static int number(const char *s, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = 10 * v + (s[i] - '0');
	return v;
}

/* The same day comes back only of a date that exists. */
static bool is_date(const struct tm *want, bool is_utc, int64_t *time_s_out)
{
	struct tm tm = *want;
	time_t t = is_utc ? timegm(&tm) : mktime(&tm);

	*time_s_out = t;
	return tm.tm_year == want->tm_year && tm.tm_mon == want->tm_mon &&
		tm.tm_mday == want->tm_mday && want->tm_hour < 24 && want->tm_min < 60 &&
		want->tm_sec < 60;
}

static bool id_time(const char *id, int64_t *time_s_out)
{
	const struct tm tm = { .tm_year = number(id, 4) - 1900, .tm_mon = number(id + 4, 2) - 1,
		.tm_mday = number(id + 6, 2), .tm_hour = number(id + 9, 2),
		.tm_min = number(id + 11, 2), .tm_sec = number(id + 13, 2) };

	return is_date(&tm, true, time_s_out) && tm.tm_year >= 70;
}

bool quar_id_is_valid(const char *id)
{
	int64_t t;

	return strnlen(id, QUAR_ID_SIZE) == QUAR_ID_LEN && are_digits(id, 8) && id[8] == '-' &&
		are_digits(id + 9, 6) && id[15] == '-' &&
		strspn(id + 16, "0123456789abcdef") == 8 && id_time(id, &t);
}

void quar_id_format(char out[QUAR_ID_SIZE], int64_t time_us, uint32_t tag)
{
	const int64_t last = 253402300800 * SECOND_US - 1; /* of the year 9999 */
	int64_t us = time_us < 0 ? 0 : time_us > last ? last : time_us;
	time_t t = (time_t)(us / SECOND_US);
	struct tm tm;
	char text[80];

	(void)gmtime_r(&t, &tm); /* such a year it knows */
	snprintf(text, sizeof text, "%04d%02d%02d-%02d%02d%02d-%05x%03x", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(us % SECOND_US),
		tag & 0xfff);
	str_copy(out, QUAR_ID_SIZE, text);
}

uint32_t quar_id_tag(const char *id)
{
	return (uint32_t)strtoul(id + QUAR_ID_LEN - 3, NULL, 16);
}

int64_t quar_id_time(const char *id)
{
	int64_t t = 0;

	id_time(id, &t);
	return t;
}

/* --- the table of keys ------------------------------------------------------- */

enum kind { K_TEXT, K_U64, K_U32, K_INT, K_ID, K_SHA256, K_AV, K_AS };

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
} keys[] = {
#define KEY(name, kind, member) { name, kind, offsetof(struct quar_meta, member) }
	KEY("size", K_U64, size), /* first: the one that must be there */
	KEY("id", K_ID, id),
	KEY("time", K_U64, time_s),
	KEY("seen", K_U32, seen),
	KEY("last", K_U64, last_s),
	KEY("released", K_U64, released_s),
	KEY("sha256", K_SHA256, sha256),
	KEY("agent", K_TEXT, agent),
	KEY("session", K_TEXT, session),
	KEY("client", K_TEXT, client),
	KEY("helo", K_TEXT, helo),
	KEY("queue_id", K_TEXT, queue_id),
	KEY("name", K_TEXT, name),
	KEY("av", K_AV, av),
	KEY("virus", K_TEXT, virus),
	KEY("as", K_AS, as),
	KEY("as_score_milli", K_INT, as_score_milli),
	KEY("reason", K_TEXT, reason),
	KEY("vdb", K_TEXT, vdb),
	KEY("sender", K_TEXT, sender),
	KEY("rcpts", K_U32, nrcpts_total),
#undef KEY
};

#define NKEYS (sizeof keys / sizeof keys[0])
_Static_assert(NKEYS <= 32, "the set of keys seen is one 32 bit number");

static const struct quar_meta defaults = {
	.id = "", .sha256 = "", .agent = "", .session = "", .sender = "", .client = "",
	.helo = "", .queue_id = "", .name = "", .virus = "", .reason = "", .vdb = "",
};

/* --- writing ----------------------------------------------------------------- */

static int put_key(struct buf *out, const struct quar_meta *m, const struct key *k)
{
	const void *p = (const char *)m + k->offset;

	switch (k->kind) {
	case K_TEXT: case K_ID: case K_SHA256:
		return kv_put_text(out, k->name, *(const char *const *)p);
	case K_U64:
		return kv_put_number(out, k->name, *(const uint64_t *)p);
	case K_U32:
		return kv_put_number(out, k->name, *(const unsigned *)p);
	case K_INT:
		return buf_printf(out, "%s=%d\n", k->name, *(const int *)p);
	case K_AV:
		return buf_append_str(out, "av=") < 0 ||
			verdict_kinds_format(out, *(const unsigned *)p) < 0 ? -1 :
			buf_append(out, "\n", 1);
	case K_AS:
		return kv_put_text(out, k->name, verdict_as_name(m->as));
	}
	return -1;
}

int quar_meta_format(const struct quar_meta *m, struct buf *out)
{
	size_t len = buf_len(out), max = out->max;
	unsigned n = m->nrcpts < SCAN_MSG_RCPTS_MAX ? m->nrcpts : SCAN_MSG_RCPTS_MAX;
	int rc = buf_append_str(out, HEAD);

	if (out->max > len + KV_MAX)
		out->max = len + KV_MAX;
	if (out->max > len)
		out->max--; /* for the empty line */
	for (size_t i = 0; rc == 0 && i < NKEYS; i++)
		rc = put_key(out, m, &keys[i]);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		size_t before = buf_len(out);
		if (kv_put_text(out, "rcpt", m->rcpts[i]) < 0) {
			out->end = out->pos + before;
			break;
		}
	}
	out->max = max;
	if (rc == 0)
		rc = buf_append(out, "\n", 1);
	if (rc < 0)
		out->end = out->pos + len;
	return rc;
}

/* --- reading ----------------------------------------------------------------- */

static int parse_int(const char *text, int *out)
{
	bool is_negative = text[0] == '-';
	uint64_t v;

	if (str_parse_u64(text + is_negative, &v) < 0 || v > INT_MAX)
		return -1;
	*out = is_negative ? -(int)v : (int)v;
	return 0;
}

static int set_number(void *p, const struct key *k, const char *value)
{
	uint64_t v;

	if (str_parse_u64(value, &v) < 0)
		return -1;
	if (k->kind == K_U64) {
		*(uint64_t *)p = v;
		return 0;
	}
	*(unsigned *)p = (unsigned)v;
	return v <= UINT_MAX ? 0 : -1;
}

static int set_key(struct quar_meta *m, const struct key *k, const char *value)
{
	void *p = (char *)m + k->offset;
	unsigned char digest[32];

	switch (k->kind) {
	case K_U64: case K_U32:
		return set_number(p, k, value);
	case K_INT:
		return parse_int(value, p);
	case K_AV:
		return verdict_kinds_parse(value, p);
	case K_AS:
		return verdict_as_parse(value, &m->as);
	case K_ID:
		if (!quar_id_is_valid(value))
			return -1;
		break;
	case K_SHA256:
		if (strlen(value) != 64 || str_unhex(digest, sizeof digest, value) < 0)
			return -1;
		break;
	case K_TEXT:
		break;
	}
	*(const char **)p = value;
	return 0;
}

static int add_rcpt(struct quar_meta *m, struct scan_msg_store *store, const char *value)
{
	if (store->rcpts == NULL)
		store->rcpts = calloc(SCAN_MSG_RCPTS_MAX, sizeof *store->rcpts);
	if (store->rcpts == NULL || m->nrcpts >= SCAN_MSG_RCPTS_MAX)
		return -1;
	store->rcpts[m->nrcpts++] = value;
	m->rcpts = store->rcpts;
	return 0;
}

static int take_pair(struct quar_meta *m, struct scan_msg_store *store, uint32_t *seen,
	const char *key, char *value, const char **why)
{
	*why = "a value is not encoded right";
	if (kv_decode(value) < 0)
		return -1;
	if (strcmp(key, "rcpt") == 0) {
		*why = "too many recipients";
		return add_rcpt(m, store, value);
	}
	for (size_t i = 0; i < NKEYS; i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		*why = "a key is repeated";
		if ((*seen & 1u << i) != 0)
			return -1;
		*seen |= 1u << i;
		*why = "a value is out of range";
		return set_key(m, &keys[i], value);
	}
	return 0;
}

int quar_meta_parse(const void *p, size_t n, struct quar_meta *m, struct scan_msg_store *store,
	const char **why_out)
{
	uint32_t seen = 0;
	char *key, *value;
	int rc = -1;

	*m = defaults;
	*store = (struct scan_msg_store){ .text = kv_copy(p, n, why_out) };
	if (store->text == NULL)
		return -1;
	char *pos = kv_after_head(store->text, n, HEAD, why_out);
	while (pos != NULL && (rc = kv_next(&pos, store->text + n, &key, &value, why_out)) == 1) {
		rc = take_pair(m, store, &seen, key, value, why_out);
		if (rc < 0)
			break;
	}
	if (rc == 0 && (seen & 1) == 0) {
		*why_out = "size is missing";
		rc = -1;
	}
	if (m->nrcpts_total == 0)
		m->nrcpts_total = m->nrcpts;
	if (m->id[0] != '\0' && m->seen == 0)
		m->seen = 1;
	if (m->seen == 1 || m->last_s == 0)
		m->last_s = m->time_s;
	if (rc == 0 && m->nrcpts_total < m->nrcpts) {
		*why_out = "rcpts is less than the recipients named";
		rc = -1;
	}
	if (rc < 0)
		scan_msg_store_fini(store);
	return rc;
}

/* --- filters ------------------------------------------------------------------- */

static bool has_rcpt(const struct quar_meta *m, const char *mask)
{
	for (unsigned i = 0; i < m->nrcpts; i++) {
		if (str_mask_match(mask, m->rcpts[i]))
			return true;
	}
	return false;
}

static bool is_wanted(const char *mask)
{
	return mask != NULL && mask[0] != '\0';
}

bool quar_filter_match(const struct quar_filter *f, const struct quar_meta *m)
{
	int64_t t = m->time_s > INT64_MAX ? INT64_MAX : (int64_t)m->time_s;

	return (f->since_s == 0 || t >= f->since_s) && (f->until_s == 0 || t <= f->until_s) &&
		(!f->spam || m->as == VERDICT_AS_SPAM) &&
		(!is_wanted(f->sender) || str_mask_match(f->sender, m->sender)) &&
		(!is_wanted(f->recipient) || has_rcpt(m, f->recipient)) &&
		(!is_wanted(f->virus) || str_mask_match(f->virus, m->virus));
}

/* "90m", "12h", "7d" */
static int age_parse(const char *text, int64_t now_s, int64_t *out)
{
	static const struct { char unit; int64_t s; } units[] = {
		{ 'm', 60 }, { 'h', 3600 }, { 'd', DAY_S } };
	size_t n = strspn(text, "0123456789");

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (n == 0 || n > 6 || text[n] != units[i].unit || text[n + 1] != '\0')
			continue;
		*out = now_s - number(text, n) * units[i].s;
		return 0;
	}
	return -1;
}

int quar_time_parse(const char *text, int64_t now_s, bool is_end, int64_t *out)
{
	struct tm tm = { .tm_isdst = -1, .tm_hour = is_end ? 23 : 0, .tm_min = is_end ? 59 : 0,
		.tm_sec = is_end ? 59 : 0 };
	size_t n = strlen(text);

	if (age_parse(text, now_s, out) == 0)
		return 0;
	if ((n != 10 && n != 16 && n != 19) || !are_digits(text, 4) || text[4] != '-' ||
	    !are_digits(text + 5, 2) || text[7] != '-' || !are_digits(text + 8, 2))
		return -1;
	tm.tm_year = number(text, 4) - 1900;
	tm.tm_mon = number(text + 5, 2) - 1;
	tm.tm_mday = number(text + 8, 2);
	if (n > 10) {
		if ((text[10] != ' ' && text[10] != 'T') || !are_digits(text + 11, 2) ||
		    text[13] != ':' || !are_digits(text + 14, 2))
			return -1;
		tm.tm_hour = number(text + 11, 2);
		tm.tm_min = number(text + 14, 2);
	}
	if (n > 16) {
		if (text[16] != ':' || !are_digits(text + 17, 2))
			return -1;
		tm.tm_sec = number(text + 17, 2);
	}
	return is_date(&tm, false, out) ? 0 : -1;
}
