/* task.c - one scan request worked off, see task.h.
 *
 *   message ─► engines ─► mime_walk ─┬─► part ─► decode ─► engines
 *                                    │            ├─► uuencoded files ─► engines
 *                                    │            └─► a message inside: again
 *
 * Everything is looked at in each reading that some mail program may have. The
 * budget of one task is hard: objects, levels, octets decoded, time. What is
 * beyond it makes the message over the limit, never clean. A base64 text with
 * junk in it, a missing end boundary and the like are common in honest mail
 * and no reason to call it not scanned: all that a reader could see of it was
 * looked at. What nobody can see without a key, or without another message, is
 * not scanned; nor are, as there is no unpacker in this version, archives, TNEF
 * and S/MIME that is not in clear text. Office documents are zip files: not
 * scanned is what they are, and clean would be untrue. What an engine finds by
 * the digest of the whole file is infected all the same.
 * Blocking, no mutable state outside the task. */
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "decode.h"
#include "engine.h"
#include "mime.h"
#include "str.h"

#define DECODE_CHUNK (1u << 20)      /* between two looks at the clock */
#define MIME_DEPTH_MAX 100u          /* multiparts in each other */
#define MIME_HEADERS_MAX 1000u
#define OCTETS_FREE (64u << 20)      /* decoded in any task, however small */
#define OCTETS_FACTOR 16u            /* and so many times the message */
#define LIVE_FREE (64u << 20)        /* octets in memory at once, message aside */
#define LIVE_FACTOR 4u
#define MAIL_LOOK (64u << 10)        /* of a header, to see whether it is one */

struct task {
	const struct scan_request *r;
	struct verdict *v;
	long long deadline_ms;
	task_cancelled_fn cancelled;
	void *arg;
	bool is_cancelled, is_over;      /* give up: nobody waits; time is over */
	unsigned objects_left;
	uint64_t octets_left;
	uint64_t live_left;              /* octets that may be allocated still */
	unsigned marks;                  /* engines_mark of all objects */
	unsigned level;                  /* messages in each other */
	bool root_is_decoded;            /* walks an encoded multipart's content */
	struct verdict_part parts[VERDICT_PARTS_MAX];
};

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void reason(struct task *t, const char *text)
{
	if (t->v->reason[0] == '\0')
		str_copy(t->v->reason, sizeof t->v->reason, text);
}

static void over_limit(struct task *t, const char *text)
{
	t->v->av |= VERDICT_AV_OVERLIMIT;
	reason(t, text);
}

/* Is there any point in going on? */
static bool goes_on(struct task *t)
{
	if (t->is_cancelled || t->is_over)
		return false;
	if (t->cancelled != NULL && t->cancelled(t->arg)) {
		t->is_cancelled = true;
	} else if (now_us() / 1000 >= t->deadline_ms) {
		t->is_over = true;
		t->v->av |= VERDICT_AV_UNAVAILABLE;
		reason(t, "the scan took longer than av_scan_timeout");
	}
	return !t->is_cancelled && !t->is_over;
}

static void add_part(struct task *t, const char *name, unsigned av, const char *virus)
{
	struct verdict_part *p = &t->parts[t->v->nparts];

	if (t->r->want_parts == SCAN_PARTS_NONE || t->v->nparts == VERDICT_PARTS_MAX ||
	    (t->r->want_parts == SCAN_PARTS_NOTABLE && av == VERDICT_AV_CLEAN))
		return;
	str_clean(p->name, sizeof p->name, name, strlen(name));
	str_clean(p->virus, sizeof p->virus, virus, strlen(virus));
	p->av = av;
	t->v->nparts++;
}

static unsigned av_of(enum engine_status s)
{
	switch (s) {
	case ENGINE_CLEAN: return VERDICT_AV_CLEAN;
	case ENGINE_FOUND: return VERDICT_AV_INFECTED;
	case ENGINE_NOTSCANNED: return VERDICT_AV_NOTSCANNED;
	case ENGINE_OVERLIMIT: return VERDICT_AV_OVERLIMIT;
	case ENGINE_ENCRYPTED: return VERDICT_AV_ENCRYPTED;
	case ENGINE_ERROR: break;
	}
	return VERDICT_AV_UNAVAILABLE;
}

/* Gives one object to the engines. False: the task is to end. */
static bool scan_object(struct task *t, const void *data, size_t len, const char *name,
	bool is_message)
{
	struct engine_object o = { .data = data, .len = len, .fd = -1, .name = name,
		.is_message = is_message, .want_sha256 = is_message };
	struct engine_result r = { .score_milli = 0 };

	if (!goes_on(t))
		return false;
	if (t->objects_left == 0 && !is_message) {
		over_limit(t, "more objects than av_scan_archive_max_files");
		return false;
	}
	t->objects_left -= !is_message;
	t->v->objects++;
	if (t->r->want_as)
		t->marks |= engines_mark(data, len);
	if (!t->r->want_av && !is_message)
		return true;
	enum engine_status s = engines_av(&o, &t->r->opts, t->deadline_ms, &r);
	if (is_message)
		str_copy(t->v->sha256, sizeof t->v->sha256, o.sha256_hex);
	if (!t->r->want_av)
		return true;
	t->v->av |= av_of(s);
	if (s == ENGINE_FOUND && t->v->virus[0] == '\0')
		str_copy(t->v->virus, sizeof t->v->virus, r.name);
	else if (s != ENGINE_FOUND && s != ENGINE_CLEAN)
		reason(t, r.reason);
	add_part(t, name, av_of(s), r.name);
	return true;
}

/* ---- objects inside objects ------------------------------------------------ */

static bool walk_message(struct task *t, const char *msg, size_t len, bool root_is_decoded);

/* What some readers pass over before a header: a byte order mark, empty lines. */
static size_t mail_start(const char *p, size_t len)
{
	size_t i = len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < len && (p[i] == '\r' || p[i] == '\n'))
		i++;
	return i;
}

/* Is there a colon behind the first word? A NUL is nothing for some readers. */
static bool is_field(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != ':' && ((unsigned char)p[i] > ' ' || p[i] == '\0'))
		i++;
	size_t name = i;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return name > 0 && i < n && p[i] == ':';
}

static bool starts_any(const char *p, size_t n, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_istarts(p, n, *words))
			return true;
	return false;
}

/* A message may be attached as a file, or as text: does it begin like one?
 * Either with a field that every message has, or with any field, if one of
 * those by which content is hidden is in the header too. */
static bool looks_like_mail(const char *p, size_t len)
{
	static const char *const first[] = { "received:", "return-path:", "from:", "from ",
		">from ", "to:", "subject:", "date:", "message-id:", "delivered-to:", "x-", NULL };
	static const char *const mime[] = { "content-type", "content-transfer-encoding",
		"mime-version", NULL };
	size_t at = mail_start(p, len), end = len - at < MAIL_LOOK ? len : at + MAIL_LOOK;
	bool is_first = true;

	for (; at < end; is_first = false) {
		size_t eol = at;
		while (eol < end && p[eol] != '\r' && p[eol] != '\n')
			eol++;
		if (eol == at)
			return false;
		if (is_first && starts_any(p + at, eol - at, first))
			return true;
		if (is_first && !is_field(p + at, eol - at))
			return false;
		if (starts_any(p + at, eol - at, mime) && is_field(p + at, eol - at))
			return true;
		at = eol + 1 + (end - eol > 1 && p[eol] == '\r' && p[eol + 1] == '\n');
	}
	return false;
}

static bool ends_any(const char *name, const char *const *ends)
{
	size_t n = strlen(name);

	while (n > 0 && (name[n - 1] == ' ' || name[n - 1] == '.'))
		n--;
	for (; *ends != NULL; ends++) {
		size_t k = strlen(*ends);
		if (n >= k && str_ieq_n(name + n - k, k, *ends))
			return true;
	}
	return false;
}

/* By its name a mail program opens it as a message. */
static bool is_mail_name(const char *name)
{
	static const char *const ends[] = { ".eml", ".mht", ".mhtml", ".nws", NULL };

	return ends_any(name, ends);
}

/* Is this nothing but base64, and not a word by chance? Some readers decode
 * an attachment that only forgot to say so. */
static bool looks_like_base64(const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < 4096; i++) {
		bool word = (str_lower(p[i]) >= 'a' && str_lower(p[i]) <= 'z') ||
			(p[i] >= '0' && p[i] <= '9') || p[i] == '+' || p[i] == '/' || p[i] == '=';
		if (word)
			n++;
		else if (p[i] != '\r' && p[i] != '\n')
			return false;
	}
	return n >= 24;
}

/* Memory for an object; NULL: the task is to end. */
static void *live_alloc(struct task *t, size_t size)
{
	if (size > t->live_left) {
		over_limit(t, "too much memory for encodings in each other");
		return NULL;
	}
	void *p = malloc(size);
	if (p == NULL) {
		t->v->av |= VERDICT_AV_UNAVAILABLE;
		reason(t, "out of memory");
		return NULL;
	}
	t->live_left -= size;
	return p;
}

static void live_free(struct task *t, void *p, size_t size)
{
	if (p != NULL)
		t->live_left += size;
	free(p);
}

/* Decodes what is left of d's input behind the head_len octets of a header
 * that are copied. *size_out is for live_free. The rest of the decoder's
 * state is in d. */
static char *decode_all(struct task *t, struct decode *d, const char *head, size_t head_len,
	const char *in, size_t len, size_t *out_len, size_t *size_out)
{
	const size_t size = head_len + len + 2 * 80 + 1;
	char *all = live_alloc(t, size);
	unsigned char *out = (unsigned char *)all;
	size_t w = head_len;

	if (all == NULL)
		return NULL;
	memcpy(all, head, head_len);
	for (size_t at = 0; at < len; at += DECODE_CHUNK) {
		size_t n = len - at < DECODE_CHUNK ? len - at : DECODE_CHUNK;
		if (!goes_on(t)) {
			live_free(t, all, size);
			return NULL;
		}
		w += decode_push(d, (const unsigned char *)in + at, n, out + w);
	}
	w += decode_end(d, out + w);
	*out_len = w;
	*size_out = w < size ? w + 1 : size;
	char *tight = realloc(all, *size_out);
	t->live_left += size - *size_out;
	return tight != NULL ? tight : all;
}

static bool charge(struct task *t, size_t len)
{
	if (len > t->octets_left) {
		over_limit(t, "too many octets to decode");
		return false;
	}
	t->octets_left -= len;
	return true;
}

static bool scan_content(struct task *t, const char *data, size_t len, const char *name,
	bool is_message);

/* Decoded in one reading of the encoding, scanned, and looked into. */
static bool scan_decoded(struct task *t, struct decode *d, const char *body, size_t len,
	const char *name, bool is_message)
{
	size_t n, size;

	if (!charge(t, len))
		return false;
	char *data = decode_all(t, d, "", 0, body, len, &n, &size);
	if (data == NULL)
		return false;
	bool on = scan_content(t, data, n, name, is_message);
	live_free(t, data, size);
	return on;
}

/* A part as that encoding. Where decoders disagree, as each of them; where
 * something was not decodable, also as it stands. */
static bool scan_encoded(struct task *t, enum decode_kind kind, const char *body, size_t len,
	const char *name, bool is_message)
{
	struct decode d;

	if (kind == DECODE_IDENTITY)
		return charge(t, len) && scan_content(t, body, len, name, is_message);
	decode_init(&d, kind);
	if (!scan_decoded(t, &d, body, len, name, is_message))
		return false;
	const unsigned others = d.others;
	const bool bad = d.bad;
	for (unsigned i = 1; i < DECODE_READINGS; i++) {
		if (!(others & 1u << i))
			continue;
		decode_init(&d, kind);
		d.reading = i;
		if (!scan_decoded(t, &d, body, len, name, is_message))
			return false;
	}
	return !bad || (charge(t, len) && scan_content(t, body, len, name, is_message));
}

/* Files in uuencode stand in a text, one behind the other. */
static bool scan_uuencoded(struct task *t, const char *text, size_t len, const char *outer)
{
	struct decode_uu f;
	size_t from = 0;
	char name[512];

	while (decode_uu_find(text, len, &from, &f)) {
		snprintf(name, sizeof name, "%s: %s", outer, f.name);
		if (!scan_encoded(t, f.kind, f.body, f.body_len, name, false))
			return false;
	}
	return true;
}

/* ---- what is not looked into ----------------------------------------------- */

static void note(struct task *t, unsigned av, const char *name, const char *why)
{
	if (!t->r->want_av)
		return;
	t->v->av |= av;
	reason(t, why);
	add_part(t, name, av, "");
}

/* Formats that readers open by themselves, or one click away. */
static void note_format(struct task *t, const char *data, size_t len, const char *name)
{
	static const struct { const char *magic; size_t n; } archives[] = {
		{ "PK\3\4", 4 }, { "Rar!", 4 }, { "7z\xbc\xaf\x27\x1c", 6 }, { "\x1f\x8b", 2 },
		{ "BZh", 3 }, { "\xfd" "7zXZ", 5 }, { "MSCF", 4 } };

	if (len >= 4 && memcmp(data, "\x78\x9f\x3e\x22", 4) == 0)
		note(t, VERDICT_AV_NOTSCANNED, name, "TNEF is not looked into");
	if (!t->r->opts.obj_archives)
		return;
	for (size_t i = 0; i < sizeof archives / sizeof archives[0]; i++)
		if (len >= archives[i].n && memcmp(data, archives[i].magic, archives[i].n) == 0)
			note(t, VERDICT_AV_NOTSCANNED, name,
				"archives are not looked into in this version");
}

/* The entity that lies inside opaque signed S/MIME (SignedData, RFC 5652): it
 * is there as it stands, or in long pieces. */
static bool walk_signed(struct task *t, const char *data, size_t len)
{
	static const char oid[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
	static const char *const fields[] = { "content-", "mime-version:", NULL };

	if (len < 1 || data[0] != 0x30 ||
	    memmem(data, len < 64 ? len : 64, oid, sizeof oid - 1) == NULL)
		return true;
	for (size_t i = 0; i < len; i++)
		if ((str_lower(data[i]) == 'c' || str_lower(data[i]) == 'm') &&
		    starts_any(data + i, len - i, fields))
			return walk_message(t, data + i, len - i, false);
	return true;
}

static bool scan_content(struct task *t, const char *data, size_t len, const char *name,
	bool is_message)
{
	if (!scan_object(t, data, len, name, false))
		return false;
	note_format(t, data, len, name);
	if (t->r->opts.obj_emails && !walk_signed(t, data, len))
		return false;
	is_message |= is_mail_name(name);
	if (t->r->opts.obj_emails && (is_message || looks_like_mail(data, len))) {
		size_t from = mail_start(data, len);
		if (!walk_message(t, data + from, len - from, false))
			return false;
	}
	return scan_uuencoded(t, data, len, name);
}

static void part_name(const struct mime_part *p, char *out, size_t size)
{
	const char *what = p->filename[0] != '\0' ? p->filename : p->type;

	snprintf(out, size, "part %u: %s", p->number, what);
}

/* An encoding is not allowed for a multipart (RFC 2045 6.4), and some readers
 * take it off all the same: header and decoded content, walked again. */
static bool walk_encoded_multipart(struct task *t, const struct mime_part *p)
{
	struct decode d;
	size_t n, size;

	decode_init(&d, p->encoding);
	if (!charge(t, p->hdr_len + p->body_len))
		return false;
	char *msg = decode_all(t, &d, p->hdr, p->hdr_len, p->body, p->body_len, &n, &size);
	if (msg == NULL)
		return false;
	bool on = walk_message(t, msg, n, true);
	live_free(t, msg, size);
	return on;
}

/* Does the header hold that word? It need not be in the right place. */
static bool header_has(const struct mime_part *p, const char *word)
{
	const char *const words[] = { word, NULL };

	for (size_t i = 0; i < p->hdr_len; i++)
		if (str_lower(p->hdr[i]) == word[0] &&
		    starts_any(p->hdr + i, p->hdr_len - i, words))
			return true;
	return false;
}

static bool is_named(const struct mime_part *p, const char *const *ends)
{
	bool yes = ends_any(p->filename, ends);

	for (unsigned i = 0; i < p->n_other_names; i++)
		yes |= ends_any(p->other_names[i], ends);
	return yes;
}

/* What nobody can judge from here, or not in this version. */
static void note_hidden(struct task *t, const struct mime_part *p, const char *name)
{
	static const char *const tnef[] = { "winmail.dat", "win.dat", NULL };
	static const char *const p7m[] = { ".p7m", ".p7z", NULL };

	if (strcmp(p->type, "multipart/encrypted") == 0)
		note(t, VERDICT_AV_ENCRYPTED, name, "the message is encrypted");
	else if (strcmp(p->type, "message/partial") == 0)
		note(t, VERDICT_AV_NOTSCANNED, name, "a fragment of a message (message/partial)");
	else if (strcmp(p->type, "application/ms-tnef") == 0 ||
	    strcmp(p->type, "application/vnd.ms-tnef") == 0 || is_named(p, tnef))
		note(t, VERDICT_AV_NOTSCANNED, name, "TNEF is not looked into");
	if (strcmp(p->type, "application/pkcs7-mime") != 0 &&
	    strcmp(p->type, "application/x-pkcs7-mime") != 0 && !is_named(p, p7m))
		return;
	if (header_has(p, "signed-data") && !header_has(p, "enveloped-data"))
		note(t, VERDICT_AV_NOTSCANNED, name, "opaque signed S/MIME");
	else
		note(t, VERDICT_AV_ENCRYPTED, name, "S/MIME that may be encrypted");
}

static bool on_multipart(struct task *t, const struct mime_part *p)
{
	if (p->encoding != DECODE_IDENTITY && !(p->depth == 0 && t->root_is_decoded))
		return walk_encoded_multipart(t, p);
	return goes_on(t); /* its children follow */
}

static bool on_part(void *arg, const struct mime_part *p)
{
	struct task *t = arg;
	char name[sizeof p->filename + 32];
	bool is_message = p->is_message;

	part_name(p, name, sizeof name);
	for (unsigned i = 0; i < p->n_other_names; i++)
		is_message |= is_mail_name(p->other_names[i]);
	note_hidden(t, p, name);
	if (p->is_multipart)
		return on_multipart(t, p);
	if (!scan_encoded(t, p->encoding, p->body, p->body_len, name, is_message))
		return false;
	/* Lines before the begin line may look like data too. */
	if ((p->encoding == DECODE_UU || p->encoding == DECODE_YENC) &&
	    !scan_uuencoded(t, p->body, p->body_len, name))
		return false;
	if (p->encoding_known && p->encoding == DECODE_IDENTITY && !p->is_message &&
	    looks_like_base64(p->body, p->body_len))
		return scan_encoded(t, DECODE_BASE64, p->body, p->body_len, name, false);
	if (p->encoding_known)
		return true;
	/* A reader that does not know the encoding may guess. */
	return scan_encoded(t, DECODE_BASE64, p->body, p->body_len, name, is_message) &&
		scan_encoded(t, DECODE_QP, p->body, p->body_len, name, is_message);
}

static bool walk_goes_on(void *arg)
{
	return goes_on(arg);
}

/* Some readers take no notice of NULs. What is inside has none any more, so
 * there is one such copy of a message. */
static enum mime_result walk_without_nul(struct task *t, const char *msg, size_t len,
	const struct mime_budget *b)
{
	size_t n = 0;

	if (len == 0 || memchr(msg, '\0', len) == NULL)
		return MIME_DONE;
	if (!charge(t, len))
		return MIME_STOPPED;
	char *copy = live_alloc(t, len);
	if (copy == NULL)
		return MIME_STOPPED;
	for (size_t i = 0; i < len; i++)
		if (msg[i] != '\0')
			copy[n++] = msg[i];
	enum mime_result got = mime_walk(copy, n, b, on_part, t);
	live_free(t, copy, len);
	return got;
}

/* False: the task is to end. */
static bool walk_message(struct task *t, const char *msg, size_t len, bool root_is_decoded)
{
	/* Multiparts are reported too, though they are no objects. */
	const struct mime_budget b = { .max_depth = MIME_DEPTH_MAX,
		.max_parts = 2 * t->objects_left + 64, .max_headers = MIME_HEADERS_MAX,
		.go_on = walk_goes_on };
	const bool outer = t->root_is_decoded;
	enum mime_result got;

	if (t->level > t->r->opts.archive_max_level) {
		over_limit(t, "messages in messages beyond av_scan_archive_max_level");
		return true; /* what lies beside it is still looked at */
	}
	t->level++;
	t->root_is_decoded = root_is_decoded;
	got = mime_walk(msg, len, &b, on_part, t);
	if (got == MIME_OVER_BUDGET)
		over_limit(t, "the message has too many parts, levels or header lines");
	if (got != MIME_STOPPED)
		got = walk_without_nul(t, msg, len, &b);
	t->root_is_decoded = outer;
	t->level--;
	if (got == MIME_OVER_BUDGET)
		over_limit(t, "the message has too many parts, levels or header lines");
	return got != MIME_STOPPED;
}

/* ---- the request --------------------------------------------------------- */

struct content {
	void *p;
	size_t len;
};

static int read_all(int fd, char *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(fd, p + at, len - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += (size_t)n;
	}
	return 0;
}

/* A sealed memfd is mapped where it lies. A file could be cut short while we
 * read its mapping, which would be a signal: it is copied. */
static int content_open(struct content *c, int fd, size_t len)
{
	int seals = fcntl(fd, F_GET_SEALS);
	bool sealed = seals >= 0 && (seals & F_SEAL_SHRINK) && (seals & F_SEAL_WRITE);

	*c = (struct content){ .len = len };
	if (len == 0)
		return 0;
	c->p = sealed ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) :
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->p == MAP_FAILED)
		return -1;
	if (sealed || read_all(fd, c->p, len) == 0)
		return 0;
	munmap(c->p, len);
	return -1;
}

static void judge_spam(struct task *t, const struct content *c)
{
	const void *data = c->p != NULL ? c->p : "";
	const struct engine_object o = { .data = data, .len = c->len, .fd = -1, .name = "",
		.is_message = true, .marks = t->marks };
	struct engine_result r = { .score_milli = 0 };

	if (!goes_on(t)) {
		t->v->as = VERDICT_AS_NOTSCANNED;
		return;
	}
	switch (engines_as(&o, t->r, t->deadline_ms, &r)) {
	case ENGINE_FOUND:
		t->v->as = VERDICT_AS_SPAM;
		break;
	case ENGINE_CLEAN:
		t->v->as = VERDICT_AS_CLEAN;
		break;
	default:
		t->v->as = VERDICT_AS_NOTSCANNED;
		reason(t, r.reason);
		break;
	}
	t->v->as_score_milli = r.score_milli;
}

static void scan_all(struct task *t, const struct content *c)
{
	const struct scan_request *r = t->r;
	const char *name = r->is_mail ? "message" : r->name;
	const char *data = c->p != NULL ? c->p : "";

	if (!scan_object(t, data, c->len, name, true))
		return;
	if (!r->is_mail)
		note_format(t, data, c->len, name);
	size_t from = mail_start(data, c->len);
	if (r->is_mail || (r->opts.obj_emails &&
	    (is_mail_name(name) || looks_like_mail(data, c->len))))
		walk_message(t, data + from, c->len - from, false);
	else
		scan_uuencoded(t, data, c->len, name);
}

static void keep_parts(struct task *t)
{
	if (t->v->nparts == 0)
		return;
	t->v->parts = malloc(t->v->nparts * sizeof *t->v->parts);
	if (t->v->parts == NULL)
		t->v->nparts = 0;
	else
		memcpy(t->v->parts, t->parts, t->v->nparts * sizeof *t->v->parts);
}

bool task_run(const struct scan_request *r, int fd, long long deadline_ms,
	task_cancelled_fn cancelled, void *arg, struct verdict *v, int *clean_fd_out)
{
	long long start_us = now_us();
	struct task *t = calloc(1, sizeof *t);
	struct content c;

	*clean_fd_out = -1;
	if (t == NULL) {
		verdict_unavailable(v, "out of memory");
		return true;
	}
	*v = (struct verdict){ .as = VERDICT_AS_NONE };
	*t = (struct task){ .r = r, .v = v, .deadline_ms = deadline_ms, .cancelled = cancelled,
		.arg = arg, .objects_left = r->opts.archive_max_files > 0 ?
			r->opts.archive_max_files : 1,
		.octets_left = OCTETS_FREE + OCTETS_FACTOR * r->size,
		.live_left = LIVE_FREE + LIVE_FACTOR * r->size };
	if (r->opts.max_size != 0 && r->size > r->opts.max_size) {
		over_limit(t, "larger than av_scan_max_size");
		v->as = r->want_as ? VERDICT_AS_NOTSCANNED : VERDICT_AS_NONE;
	} else if (content_open(&c, fd, (size_t)r->size) < 0) {
		verdict_unavailable(v, "the message could not be read");
	} else {
		scan_all(t, &c);
		if (r->want_as)
			judge_spam(t, &c);
		if (c.p != NULL)
			munmap(c.p, c.len);
	}
	str_copy(v->vdb, sizeof v->vdb, engines_version());
	keep_parts(t);
	v->time_us = (unsigned)(now_us() - start_us);
	bool done = !t->is_cancelled;
	if (!done)
		verdict_fini(v);
	free(t);
	return done;
}
