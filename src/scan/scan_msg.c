/* scan_msg.c - the scanner protocol as octets, see scan_msg.h.
 *
 * The grammar is that of kv.h, with the heads "esets-scan/1 scan" and
 * "esets-scan/1 verdict".
 * Owns the table of keys, from which both directions draw, and the bounds.
 * Pure: no descriptor, no clock, no log. Both parsers face a peer that is not
 * trusted: every length comes from the packet, numbers are checked against
 * their type, and what is not understood is an error or ignored, never
 * guessed. Strings of a request point into one copy of the packet. */
#include "scan_msg.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"
#include "quar_meta.h"
#include "str.h"

#define HEAD_SCAN "esets-scan/1 scan\n"
#define HEAD_VERDICT "esets-scan/1 verdict\n"

/* --- the table of request keys ------------------------------------------- */

enum kind { K_STR, K_BOOL, K_U32, K_U64, K_CLEAN, K_PARTS, K_TYPE };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;   /* in struct scan_request */
};

#define KEY(name, kind, member) { name, kind, offsetof(struct scan_request, member) }

static const struct key keys[] = {
	KEY("size", K_U64, size), /* first: the one that must be there */
	KEY("inline", K_BOOL, is_inline),
	KEY("keep", K_BOOL, keep),
	KEY("id", K_STR, id),
	KEY("agent", K_STR, agent),
	KEY("sender", K_STR, sender),
	KEY("rcpts", K_U32, nrcpts_total),
	KEY("client", K_STR, client),
	KEY("helo", K_STR, helo),
	KEY("queue_id", K_STR, queue_id),
	KEY("name", K_STR, name),
	KEY("type", K_TYPE, is_mail),
	KEY("want_av", K_BOOL, want_av),
	KEY("want_as", K_BOOL, want_as),
	KEY("want_parts", K_PARTS, want_parts),
	KEY("sha256_if_found", K_BOOL, sha256_if_found),
	KEY("clean_mode", K_CLEAN, opts.clean_mode),
	KEY("obj_files", K_BOOL, opts.obj_files),
	KEY("obj_archives", K_BOOL, opts.obj_archives),
	KEY("obj_emails", K_BOOL, opts.obj_emails),
	KEY("obj_mailbox", K_BOOL, opts.obj_mailbox),
	KEY("obj_sfx", K_BOOL, opts.obj_sfx),
	KEY("obj_rtp", K_BOOL, opts.obj_rtp),
	KEY("app_adware", K_BOOL, opts.app_adware),
	KEY("app_unwanted", K_BOOL, opts.app_unwanted),
	KEY("app_unsafe", K_BOOL, opts.app_unsafe),
	KEY("heur", K_BOOL, opts.heur),
	KEY("adv_heur", K_BOOL, opts.adv_heur),
	KEY("archive_max_level", K_U32, opts.archive_max_level),
	KEY("archive_max_size", K_U64, opts.archive_max_size),
	KEY("archive_max_files", K_U32, opts.archive_max_files),
	KEY("archive_max_ratio", K_U32, opts.archive_max_ratio),
	KEY("max_size", K_U64, opts.max_size),
	KEY("timeout", K_U32, opts.timeout_s),
	KEY("quarantine", K_BOOL, opts.quarantine),
	KEY("as_spam_score_milli", K_U32, opts.as_spam_score_milli),
	KEY("ext_exclude", K_STR, opts.ext_exclude),
	KEY("block_ext", K_STR, opts.block_ext),
	KEY("allow_hash", K_STR, opts.allow_hash),
	KEY("allow_name", K_STR, opts.allow_name),
};

#define NKEYS (sizeof keys / sizeof keys[0])
_Static_assert(NKEYS <= 64, "the set of keys seen is one 64 bit number");

static const char *const clean_names[] = { [SCAN_CLEAN_NONE] = "none",
	[SCAN_CLEAN_STANDARD] = "standard", [SCAN_CLEAN_STRICT] = "strict",
	[SCAN_CLEAN_RIGOROUS] = "rigorous", [SCAN_CLEAN_DELETE] = "delete", NULL };
static const char *const parts_names[] = { [SCAN_PARTS_NONE] = "none",
	[SCAN_PARTS_NOTABLE] = "notable", [SCAN_PARTS_ALL] = "all", NULL };
static const char *const type_names[] = { "file", "mail", NULL };
static const char *const bool_names[] = { "no", "yes", NULL };

/* What holds for keys that a client leaves out: those of esets.cfg. */
static const struct scan_request request_defaults = {
	.id = "", .agent = "", .sender = "", .client = "", .helo = "", .queue_id = "", .name = "",
	.is_mail = true, .want_av = true,
	.opts = {
		.obj_files = true, .obj_archives = true, .obj_emails = true, .obj_mailbox = true,
		.obj_sfx = true, .obj_rtp = true, .app_adware = true, .heur = true,
		.adv_heur = true, .archive_max_level = 10, .archive_max_size = 256u << 20,
		.archive_max_files = 10000, .archive_max_ratio = 1000, .timeout_s = 60,
		.ext_exclude = "", .block_ext = "", .allow_hash = "", .allow_name = "",
	},
};

/* The names of a kind that is a word, else NULL. */
static const char *const *kind_names(enum kind kind)
{
	switch (kind) {
	case K_BOOL: return bool_names;
	case K_TYPE: return type_names;
	case K_CLEAN: return clean_names;
	case K_PARTS: return parts_names;
	case K_STR: case K_U32: case K_U64: break;
	}
	return NULL;
}

/* --- writing ------------------------------------------------------------- */

/* A value of the request as a number: what every kind but K_STR is. */
static uint64_t member_number(const struct scan_request *r, const struct key *k)
{
	const char *p = (const char *)r + k->offset;
	uint64_t u64;
	uint32_t u32;
	bool b;

	switch (k->kind) {
	case K_BOOL: case K_TYPE:
		memcpy(&b, p, sizeof b);
		return b;
	case K_U64:
		memcpy(&u64, p, sizeof u64);
		return u64;
	case K_U32: case K_CLEAN: case K_PARTS:
		memcpy(&u32, p, sizeof u32);
		return u32;
	case K_STR:
		break;
	}
	return 0;
}

_Static_assert(sizeof(enum scan_clean_mode) == sizeof(uint32_t) &&
	sizeof(enum scan_parts) == sizeof(uint32_t), "enums are handled as 32 bits");

static int put_key(struct buf *out, const struct scan_request *r, const struct key *k)
{
	const char *const *names = kind_names(k->kind);
	const char *text;

	if (k->kind == K_STR) {
		memcpy(&text, (const char *)r + k->offset, sizeof text);
		return kv_put_text(out, k->name, text);
	}
	uint64_t v = member_number(r, k);
	if (k != &keys[0] && v == member_number(&request_defaults, k))
		return 0;
	return names != NULL ? kv_put_text(out, k->name, names[v]) : kv_put_number(out, k->name, v);
}

/* Undoes a packet that was begun at length len. */
static int put_undo(struct buf *out, size_t len, size_t max)
{
	out->end = out->pos + len;
	out->max = max;
	return -1;
}

/* The buffer's own limit must not cut what SCAN_MSG_MAX allows, nor allow
 * what it forbids; one octet is kept for the empty line. */
static void put_limit(struct buf *out, size_t len)
{
	if (out->max - len > SCAN_MSG_MAX)
		out->max = len + SCAN_MSG_MAX;
	if (out->max > len)
		out->max--;
}

static int put_end(struct buf *out, size_t len, size_t max)
{
	out->max++;
	if (buf_append(out, "\n", 1) < 0)
		return put_undo(out, len, max);
	out->max = max;
	return 0;
}

int scan_request_format(const struct scan_request *r, struct buf *out)
{
	size_t len = buf_len(out), max = out->max;
	unsigned n = r->nrcpts < SCAN_MSG_RCPTS_MAX ? r->nrcpts : SCAN_MSG_RCPTS_MAX;

	if (r->is_inline && r->size > SCAN_INLINE_MAX)
		return -1;
	put_limit(out, len);
	if (buf_append_str(out, HEAD_SCAN) < 0)
		return put_undo(out, len, max);
	for (size_t i = 0; i < NKEYS; i++) {
		if (put_key(out, r, &keys[i]) < 0)
			return put_undo(out, len, max);
	}
	for (unsigned i = 0; i < n; i++) {
		size_t before = buf_len(out);
		if (kv_put_text(out, "rcpt", r->rcpts[i]) < 0) {
			out->end = out->pos + before; /* no room for this one */
			break;
		}
	}
	if (put_end(out, len, max) < 0)
		return -1;
	if (r->is_inline && buf_append(out, r->octets, (size_t)r->size) < 0)
		return put_undo(out, len, max);
	return 0;
}

static int put_part(struct buf *out, const struct verdict_part *p)
{
	if (buf_append_str(out, "part=") < 0 || verdict_kinds_format(out, p->av) < 0 ||
	    buf_append(out, " ", 1) < 0 || kv_put_value(out, p->virus, true) < 0 ||
	    buf_append(out, " ", 1) < 0 || kv_put_value(out, p->name, false) < 0 ||
	    buf_append(out, "\n", 1) < 0)
		return -1;
	return kv_put_text(out, "part_reason", p->reason);
}

static const char *const quarantine_names[] = { [VERDICT_QUARANTINE_NONE] = "none",
	[VERDICT_QUARANTINE_STORED] = "stored", [VERDICT_QUARANTINE_FAILED] = "failed", NULL };

static int put_verdict(struct buf *out, const struct verdict *v)
{
	unsigned nparts = v->parts == NULL ? 0 :
		v->nparts < VERDICT_PARTS_MAX ? v->nparts : VERDICT_PARTS_MAX;

	if (buf_append_str(out, HEAD_VERDICT) < 0 || kv_put_text(out, "id", v->id) < 0 ||
	    buf_append_str(out, "av=") < 0 || verdict_kinds_format(out, v->av) < 0 ||
	    buf_append(out, "\n", 1) < 0 || kv_put_text(out, "as", verdict_as_name(v->as)) < 0 ||
	    buf_printf(out, "as_score_milli=%d\n", v->as_score_milli) < 0 ||
	    kv_put_text(out, "virus", v->virus) < 0 || kv_put_text(out, "reason", v->reason) < 0 ||
	    kv_put_text(out, "vdb", v->vdb) < 0 || kv_put_text(out, "sha256", v->sha256) < 0 ||
	    kv_put_number(out, "objects", v->objects) < 0 ||
	    kv_put_number(out, "time_us", v->time_us) < 0)
		return -1;
	if (v->quarantine != VERDICT_QUARANTINE_NONE &&
	    (kv_put_text(out, "quarantine", quarantine_names[v->quarantine]) < 0 ||
	     kv_put_text(out, "quarantine_id", v->quarantine_id) < 0))
		return -1;
	for (unsigned i = 0; i < nparts; i++) {
		if (put_part(out, &v->parts[i]) < 0)
			return -1;
	}
	return 0;
}

int scan_verdict_format(const struct verdict *v, struct buf *out)
{
	size_t len = buf_len(out), max = out->max;

	put_limit(out, len);
	if (put_verdict(out, v) < 0)
		return put_undo(out, len, max);
	return put_end(out, len, max);
}

/* --- reading ------------------------------------------------------------- */

static int set_number(struct scan_request *r, const struct key *k, uint64_t v)
{
	char *p = (char *)r + k->offset;
	uint32_t u32 = (uint32_t)v;
	bool b = v != 0;

	switch (k->kind) {
	case K_BOOL: case K_TYPE:
		memcpy(p, &b, sizeof b);
		return 0;
	case K_U64:
		memcpy(p, &v, sizeof v);
		return 0;
	case K_U32: case K_CLEAN: case K_PARTS:
		memcpy(p, &u32, sizeof u32);
		return v <= UINT32_MAX ? 0 : -1;
	case K_STR:
		break;
	}
	return -1;
}

static int set_key(struct scan_request *r, const struct key *k, const char *value)
{
	const char *const *names = kind_names(k->kind);
	uint64_t v;

	if (k->kind == K_STR) {
		memcpy((char *)r + k->offset, &value, sizeof value);
		return 0;
	}
	if (names != NULL) {
		int i = kv_index(names, value);
		return i < 0 ? -1 : set_number(r, k, (uint64_t)i);
	}
	return str_parse_u64(value, &v) < 0 ? -1 : set_number(r, k, v);
}

static int add_rcpt(struct scan_request *r, struct scan_msg_store *store, const char *value)
{
	if (store->rcpts == NULL)
		store->rcpts = malloc(SCAN_MSG_RCPTS_MAX * sizeof *store->rcpts);
	if (store->rcpts == NULL || r->nrcpts >= SCAN_MSG_RCPTS_MAX)
		return -1;
	store->rcpts[r->nrcpts++] = value;
	r->rcpts = store->rcpts;
	return 0;
}

static int request_pair(struct scan_request *r, struct scan_msg_store *store, uint64_t *seen,
	const char *key, char *value, const char **why)
{
	*why = "a value is not encoded right";
	if (kv_decode(value) < 0)
		return -1;
	if (strcmp(key, "rcpt") == 0) {
		*why = "too many recipients";
		return add_rcpt(r, store, value);
	}
	for (size_t i = 0; i < NKEYS; i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		*why = "a key is repeated";
		if ((*seen & 1ull << i) != 0)
			return -1;
		*seen |= 1ull << i;
		*why = "a value is out of range";
		return set_key(r, &keys[i], value);
	}
	return 0;
}

/* What stands behind the text is what the text says it is. */
static int take_octets(struct scan_request *r, const void *p, size_t n, const char **why)
{
	*why = "octets after the end";
	if (!r->is_inline)
		return n == 0 ? 0 : -1;
	*why = "more is inline than may be";
	if (r->size > SCAN_INLINE_MAX)
		return -1;
	*why = "size is not that of the octets inline";
	r->octets = p;
	return n == r->size ? 0 : -1;
}

int scan_request_parse(const void *p, size_t len, struct scan_request *r,
	struct scan_msg_store *store, const char **why_out)
{
	const char *end = memmem(p, len, "\n\n", 2);
	const size_t n = end != NULL ? (size_t)(end + 2 - (const char *)p) : len;
	uint64_t seen = 0;
	char *key, *value;
	int rc = -1;

	*r = request_defaults;
	*store = (struct scan_msg_store){ .text = kv_copy(p, n, why_out) };
	if (store->text == NULL)
		return -1;
	char *pos = kv_after_head(store->text, n, HEAD_SCAN, why_out);
	while (pos != NULL &&
	       (rc = kv_next(&pos, store->text + n, &key, &value, why_out)) == 1) {
		rc = request_pair(r, store, &seen, key, value, why_out);
		if (rc < 0)
			break;
	}
	if (rc == 0 && (seen & 1) == 0) {
		*why_out = "size is missing";
		rc = -1;
	}
	if (r->nrcpts_total == 0)
		r->nrcpts_total = r->nrcpts;
	if (rc == 0 && r->nrcpts_total < r->nrcpts) {
		*why_out = "rcpts is less than the recipients named";
		rc = -1;
	}
	if (rc == 0)
		rc = take_octets(r, (const char *)p + n, len - n, why_out);
	if (rc < 0) {
		scan_msg_store_fini(store);
		*r = request_defaults;   /* nothing points there any more */
	}
	return rc;
}

void scan_msg_store_fini(struct scan_msg_store *s)
{
	free(s->text);
	free(s->rcpts);
	*s = (struct scan_msg_store){ NULL, NULL };
}

/* --- reading a verdict --------------------------------------------------- */

static int parse_int(const char *value, int *out)
{
	bool is_negative = value[0] == '-';
	uint64_t v;

	if (str_parse_u64(value + is_negative, &v) < 0 || v > (uint64_t)INT_MAX + is_negative)
		return -1;
	*out = (int)(is_negative ? -(int64_t)v : (int64_t)v);
	return 0;
}

static int parse_unsigned(const char *value, unsigned *out)
{
	uint64_t v;

	if (str_parse_u64(value, &v) < 0 || v > UINT_MAX)
		return -1;
	*out = (unsigned)v;
	return 0;
}

static void take_text(char *dst, size_t size, const char *value)
{
	str_clean(dst, size, value, strlen(value));
}

static int parse_sha256(struct verdict *v, const char *value)
{
	unsigned char digest[32];

	if (strlen(value) != 2 * sizeof digest || str_unhex(digest, sizeof digest, value) < 0)
		return -1;
	str_hex(v->sha256, digest, sizeof digest);
	return 0;
}

/* KINDS SP VIRUS SP NAME; a blank in VIRUS is %20. Those beyond the bound
 * are dropped: they only inform. */
static int parse_part(struct verdict *v, char *value)
{
	char *virus = strchr(value, ' ');
	char *name = virus == NULL ? NULL : strchr(virus + 1, ' ');
	struct verdict_part part;

	if (name == NULL)
		return -1;
	*virus++ = '\0';
	*name++ = '\0';
	if (verdict_kinds_parse(value, &part.av) < 0 || kv_decode(virus) < 0 || kv_decode(name) < 0)
		return -1;
	take_text(part.virus, sizeof part.virus, virus);
	take_text(part.name, sizeof part.name, name);
	if (v->parts == NULL)
		v->parts = calloc(VERDICT_PARTS_MAX, sizeof *v->parts);
	if (v->parts == NULL)
		return -1;
	part.reason[0] = '\0';
	if (v->nparts < VERDICT_PARTS_MAX)
		v->parts[v->nparts++] = part;
	return 0;
}

/* Of the part before it; that of one beyond the bound stands for no other. */
static int parse_part_reason(struct verdict *v, char *value)
{
	struct verdict_part *p = v->nparts > 0 ? &v->parts[v->nparts - 1] : NULL;

	if (p == NULL || kv_decode(value) < 0)
		return -1;
	if (v->nparts < VERDICT_PARTS_MAX && p->reason[0] == '\0')
		take_text(p->reason, sizeof p->reason, value);
	return 0;
}

enum vkey { V_ID, V_AV, V_AS, V_SCORE, V_VIRUS, V_REASON, V_VDB, V_SHA256, V_OBJECTS, V_TIME,
	V_QUARANTINE, V_QUARANTINE_ID };

static const char *const verdict_keys[] = { [V_ID] = "id", [V_AV] = "av", [V_AS] = "as",
	[V_SCORE] = "as_score_milli", [V_VIRUS] = "virus", [V_REASON] = "reason",
	[V_VDB] = "vdb", [V_SHA256] = "sha256", [V_OBJECTS] = "objects", [V_TIME] = "time_us",
	[V_QUARANTINE] = "quarantine", [V_QUARANTINE_ID] = "quarantine_id", NULL };

static int set_verdict(struct verdict *v, enum vkey key, const char *value)
{
	int i;

	switch (key) {
	case V_ID:
		str_copy(v->id, sizeof v->id, "");
		str_copy_n(v->id, sizeof v->id, value, strlen(value));
		return 0;
	case V_AV:
		return verdict_kinds_parse(value, &v->av);
	case V_AS:
		return verdict_as_parse(value, &v->as);
	case V_SCORE:
		return parse_int(value, &v->as_score_milli);
	case V_VIRUS:
		take_text(v->virus, sizeof v->virus, value);
		return 0;
	case V_REASON:
		take_text(v->reason, sizeof v->reason, value);
		return 0;
	case V_VDB:
		take_text(v->vdb, sizeof v->vdb, value);
		for (char *p = v->vdb; (p = strchr(p, ' ')) != NULL;)
			*p = '_';
		return 0;
	case V_SHA256:
		return parse_sha256(v, value);
	case V_OBJECTS:
		return parse_unsigned(value, &v->objects);
	case V_TIME:
		return parse_unsigned(value, &v->time_us);
	case V_QUARANTINE:
		i = kv_index(quarantine_names, value);
		v->quarantine = i < 0 ? VERDICT_QUARANTINE_FAILED : (enum verdict_quarantine)i;
		return i < 0 ? -1 : 0;
	case V_QUARANTINE_ID:
		return quar_id_is_valid(value) &&
			str_copy(v->quarantine_id, sizeof v->quarantine_id, value) ? 0 : -1;
	}
	return -1;
}

static int verdict_pair(struct verdict *v, unsigned *seen, const char *key, char *value,
	const char **why)
{
	*why = "a value is out of range";
	if (strcmp(key, "part") == 0)
		return parse_part(v, value);
	if (strcmp(key, "part_reason") == 0)
		return parse_part_reason(v, value);
	if (kv_decode(value) < 0)
		return -1;
	int i = kv_index(verdict_keys, key);
	if (i < 0)
		return 0;
	if ((*seen & 1u << i) != 0) {
		*why = "a key is repeated";
		return -1;
	}
	*seen |= 1u << i;
	return set_verdict(v, (enum vkey)i, value);
}

int scan_verdict_parse(const void *p, size_t n, struct verdict *v, const char **why_out)
{
	unsigned seen = 0;
	char *key, *value;
	int rc = -1;

	memset(v, 0, sizeof *v);
	char *text = kv_copy(p, n, why_out);
	if (text == NULL)
		return -1;
	char *pos = kv_after_head(text, n, HEAD_VERDICT, why_out);
	while (pos != NULL && (rc = kv_next(&pos, text + n, &key, &value, why_out)) == 1) {
		rc = verdict_pair(v, &seen, key, value, why_out);
		if (rc < 0)
			break;
	}
	if (rc == 0 && (seen & 1u << V_AV) == 0) {
		*why_out = "av is missing";
		rc = -1;
	}
	if (rc == 0 && v->quarantine == VERDICT_QUARANTINE_STORED && v->quarantine_id[0] == '\0') {
		*why_out = "quarantine_id is missing";
		rc = -1;
	}
	free(text);
	if (rc < 0)
		verdict_fini(v);
	return rc;
}
