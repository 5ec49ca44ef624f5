/* task_walk.c - what lies inside a message, or in any object: parts, messages
 * in messages, S/MIME, uuencoded files.
 *
 * What nobody can see without a key, or without another message, is not
 * scanned; nor is S/MIME that is not in clear text. */
#include "task_int.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "marks.h"
#include "str.h"

#define MIME_DEPTH_MAX 100u          /* multiparts in each other, in all messages: our stack */
#define MIME_HEADERS_MAX 1000u
#define MAIL_GUESSES_MAX 4u          /* texts in each other that only begin like a message */

/* The entity that lies inside opaque signed S/MIME (SignedData, RFC 5652): it
 * is there as it stands, or in long pieces. */
static bool walk_signed(struct task *t, const char *data, size_t len)
{
	static const char oid[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
	static const char *const fields[] = { "content-", "mime-version:", NULL };

	if (len < 1 || data[0] != 0x30 ||
	    memmem(data, len < 64 ? len : 64, oid, sizeof oid - 1) == NULL)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (i % PACE_OCTETS == PACE_OCTETS - 1 && !pace_on(&t->pace, PACE_OCTETS))
			return false;
		if ((str_lower(data[i]) == 'c' || str_lower(data[i]) == 'm') &&
		    guess_starts_any(data + i, len - i, fields))
			return task_walk_message(t, data + i, len - i, false);
	}
	return true;
}

/* With the list of properties behind it, and without. */
static bool walk_emlx(struct task *t, const char *data, size_t len)
{
	const bool outer = t->in_guess;
	size_t at, n;

	if (!guess_is_emlx(&t->pace, data, len, &at, &n))
		return true;
	bool on = task_walk_message(t, data + at, n, false);
	if (on && n < len - at) {
		t->in_guess = true;
		on = task_walk_message(t, data + at, len - at, false);
		t->in_guess = outer;
	}
	return on;
}

/* Is it one, or only like one? In a text about mail every piece begins like one: what
 * stands in the text itself is followed some levels only, but each file anew, as
 * somebody may open it. */
static bool is_message(struct task *t, const char *data, size_t len, const char *name, unsigned is,
	bool *is_guess_out)
{
	const bool is_said = (is & TASK_IS_MESSAGE) || guess_is_mail_name(name);

	*is_guess_out = !is_said && !t->in_net &&
		((is & TASK_IS_FILE) || t->mail_guesses < MAIL_GUESSES_MAX) &&
		guess_is_mail(&t->pace, data, len);
	return is_said || *is_guess_out;
}

/* Mail in it: signed, a mailbox, or a message. */
static bool look_for_mail(struct task *t, const char *data, size_t len, const char *name,
	unsigned is)
{
	const struct scan_opts *o = &t->r->opts;
	const size_t from = guess_mail_start(&t->pace, data, len);
	bool is_guess;

	if (o->obj_emails && !walk_signed(t, data, len))
		return false;
	if (o->obj_emails && !walk_emlx(t, data, len))
		return false;
	if (o->obj_mailbox && guess_is_mailbox(data + from, len - from) &&
	    !task_walk_mailbox(t, data + from, len - from))
		return false;
	if (!o->obj_emails || !is_message(t, data, len, name, is, &is_guess))
		return true;
	const unsigned outer = t->mail_guesses;
	t->mail_guesses = is_guess ? (is & TASK_IS_FILE ? 1 : outer + 1) : outer;
	bool on = task_walk_message(t, data + from, len - from, false);
	t->mail_guesses = outer;
	return on;
}

/* A piece begins a little before the end of the one before it. */
static unsigned find_marks(struct task *t, const char *data, size_t len)
{
	unsigned marks = 0;

	for (size_t at = 0, end; at < len && pace_on(&t->pace, 0); at = end) {
		const size_t from = at < MARK_OCTETS ? 0 : at - MARK_OCTETS;
		end = pace_end(at, len);
		marks |= marks_find(data + from, end - from);
		pace_on(&t->pace, end - at);
	}
	return marks;
}

bool task_look_into(struct task *t, const char *data, size_t len, const char *name, unsigned is)
{
	const unsigned marks = find_marks(t, data, len);

	return !t->pace.is_over && task_scan_archive(t, data, len, name, marks) &&
		look_for_mail(t, data, len, name, is) &&
		(!(marks & MARK_UU) || task_scan_uuencoded(t, data, len, false, name)) &&
		task_scan_carriers(t, data, len, name, marks);
}

/* Some readers, and unpackers, decode one without being told to. What comes out is no
 * file again: it may be the same octets, in the reading that does not decode them. */
static bool scan_base64_file(struct task *t, const char *data, size_t len, const char *name)
{
	const bool outer = t->in_guess;

	if (!guess_is_base64(&t->pace, data, len))
		return !t->pace.is_over;
	t->in_guess = true;
	bool on = task_scan_encoded(t, DECODE_BASE64, data, len, name, 0);
	t->in_guess = outer;
	return on;
}

bool task_scan_content(struct task *t, const char *data, size_t len, const char *name,
	unsigned is)
{
	struct task_scope scope;
	const bool is_wanted = !(is & TASK_IS_FILE) || t->r->opts.obj_files;

	task_scope_begin(t, &scope);
	bool on = is_wanted ? task_scan_object(t, data, len, name, false) : task_take_object(t);
	if (on)
		on = task_look_into(t, data, len, name, is);
	if (on && (is & TASK_IS_FILE))
		on = scan_base64_file(t, data, len, name);
	task_scope_end(t, &scope, name);
	return on;
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
	if (!task_charge(t, p->hdr_len + p->body_len))
		return false;
	char *msg = task_decode_all(t, &d, p->hdr, p->hdr_len, p->body, p->body_len, &n, &size);
	if (msg == NULL)
		return false;
	bool on = task_walk_message(t, msg, n, true);
	task_free(t, msg, size);
	return on;
}

/* Does the header hold that word? It need not be in the right place. */
static bool header_has(struct task *t, const struct mime_part *p, const char *word)
{
	const char *const words[] = { word, NULL };

	for (size_t i = 0; i < p->hdr_len; i++) {
		if (i % PACE_OCTETS == PACE_OCTETS - 1 && !pace_on(&t->pace, PACE_OCTETS))
			return false;
		if (str_lower(p->hdr[i]) == word[0] &&
		    guess_starts_any(p->hdr + i, p->hdr_len - i, words))
			return true;
	}
	return false;
}

static bool is_named(const struct mime_part *p, const char *const *ends)
{
	bool yes = guess_ends_any(p->filename, ends);

	for (unsigned i = 0; i < p->n_other_names; i++)
		yes |= guess_ends_any(p->other_names[i], ends);
	return yes;
}

/* What nobody can judge from here, or not in this version. */
static void note_hidden(struct task *t, const struct mime_part *p, const char *name)
{
	static const char *const p7m[] = { ".p7m", ".p7z", NULL };

	if (strcmp(p->type, "multipart/encrypted") == 0)
		task_note(t, VERDICT_AV_ENCRYPTED, name, "the message is encrypted");
	else if (strcmp(p->type, "message/partial") == 0)
		task_note(t, VERDICT_AV_NOTSCANNED, name, "a fragment of a message (message/partial)");
	if (strcmp(p->type, "application/pkcs7-mime") != 0 &&
	    strcmp(p->type, "application/x-pkcs7-mime") != 0 && !is_named(p, p7m))
		return;
	if (header_has(t, p, "signed-data") && !header_has(t, p, "enveloped-data"))
		task_note(t, VERDICT_AV_NOTSCANNED, name, "opaque signed S/MIME");
	else
		task_note(t, VERDICT_AV_ENCRYPTED, name, "S/MIME that may be encrypted");
}

/* What its names make of the part; they are checked on the way. */
static unsigned kind_of_part(struct task *t, const struct mime_part *p, const char *shown)
{
	unsigned is = p->is_message ? TASK_IS_MESSAGE : 0;

	task_check_name(t, p->filename, shown);
	for (unsigned i = 0; i < p->n_other_names; i++) {
		task_check_name(t, p->other_names[i], shown);
		is |= guess_is_mail_name(p->other_names[i]) ? TASK_IS_MESSAGE : 0;
	}
	if (p->is_name_foreign && t->r->opts.block_ext[0] != '\0')
		task_note(t, VERDICT_AV_NOTSCANNED, shown, "file name in a charset that is not understood");
	return is | (p->filename[0] != '\0' ? TASK_IS_FILE : 0);
}

/* Each name that a reader may see has to say so. */
static bool is_excluded(const struct task *t, const struct mime_part *p)
{
	if (p->filename[0] == '\0' || !task_is_excluded(t, p->filename))
		return false;
	for (unsigned i = 0; i < p->n_other_names; i++)
		if (!task_is_excluded(t, p->other_names[i]))
			return false;
	return true;
}

/* Are there readers that don't take this encoding off? Not all know yEnc; for a
 * message one is not allowed (RFC 2045 6.4). What is base64 from end to end has no
 * colon, and therefore no header that could say anything. */
static bool is_raw_to_some(const struct mime_part *p)
{
	return p->encoding == DECODE_YENC ||
		(p->is_message && p->encoding != DECODE_IDENTITY && p->encoding != DECODE_BASE64);
}

/* Some readers look for encoded files before they take the encoding off, where the
 * part has no type; and lines before the begin line may look like data to the
 * decoder. */
static bool scan_raw_uuencoded(struct task *t, const struct mime_part *p, const char *name)
{
	const bool outer = t->in_guess;

	if (p->encoding == DECODE_IDENTITY ||
	    (p->encoding == DECODE_BASE64 && strcmp(p->type, "text/plain") != 0))
		return true;
	t->in_guess |= p->encoding != DECODE_UU && p->encoding != DECODE_YENC;
	bool on = task_scan_uuencoded(t, p->body, p->body_len, p->encoding == DECODE_UU, name);
	t->in_guess = outer;
	return on;
}

/* Do all readers take it for the parts in it, and for nothing else? */
static bool is_parts_only(const struct task *t, const struct mime_part *p)
{
	return (p->depth == 0 && t->root_is_decoded) || (p->encoding == DECODE_IDENTITY &&
		p->encoding_known && strncmp(p->type, "multipart/", 10) == 0);
}

/* As that encoding, or those that a reader guesses who does not know it. */
static bool scan_body(struct task *t, const struct mime_part *p, const char *name, unsigned is)
{
	static const enum decode_kind guesses[] = { DECODE_IDENTITY, DECODE_BASE64, DECODE_QP };
	bool on = task_scan_encoded(t, p->encoding, p->body, p->body_len, name, is) &&
		task_scan_nul_quoted(t, p, name, is) && scan_raw_uuencoded(t, p, name);

	for (size_t i = 0; on && !p->encoding_known && i < sizeof guesses / sizeof guesses[0]; i++)
		if (guesses[i] != p->encoding)
			on = task_scan_encoded(t, guesses[i], p->body, p->body_len, name, is);
	return on;
}

/* An encoded one, or a type that only begins so, is a file to some readers, and its
 * children are parts to others. */
static bool scan_multipart(struct task *t, const struct mime_part *p, const char *name, unsigned is)
{
	const bool outer = t->in_guess;

	if (is_parts_only(t, p))
		return task_goes_on(t);
	if (p->encoding != DECODE_IDENTITY && !walk_encoded_multipart(t, p))
		return false;
	t->in_guess = true;
	bool on = scan_body(t, p, name, is);
	t->in_guess = outer;
	return on;
}

/* Past the next empty line at or behind at; *end_out: what is before it. */
static size_t block_end(struct task *t, const char *p, size_t n, size_t at, size_t *end_out)
{
	const char *lf;

	for (size_t next; at < n && (lf = memchr(p + at, '\n', n - at)) != NULL; at = next) {
		const size_t blank = (size_t)(lf - p) + 1;
		if (!pace_on(&t->pace, blank - at))
			break;
		next = blank + (blank < n && p[blank] == '\r');
		*end_out = blank;
		if (next < n && p[next] == '\n')
			return next + 1;
		next = blank;
	}
	*end_out = n;
	return n;
}

/* Python takes each block of a delivery status for a message (RFC 3464 2.1: they are
 * fields, and nothing else). */
static bool walk_blocks(struct task *t, const struct mime_part *p)
{
	const bool outer = t->in_guess;
	bool on = true;
	size_t end;

	t->in_guess = true;
	for (size_t at = 0, next; on && at < p->body_len && !t->pace.is_over; at = next) {
		next = block_end(t, p->body, p->body_len, at, &end);
		on = task_walk_message(t, p->body + at, end - at, false);
	}
	t->in_guess = outer;
	return on && !t->pace.is_over;
}

static bool scan_part(struct task *t, const struct mime_part *p)
{
	char name[sizeof p->filename + 32];

	part_name(p, name, sizeof name);
	const unsigned is = kind_of_part(t, p, name), raw = is_raw_to_some(p) ? TASK_IS_RAW : 0;
	if (!task_walk_nul_header(t, p))
		return false;
	if (is_excluded(t, p) && !p->is_multipart && !p->is_message)
		return task_take_object(t);
	note_hidden(t, p, name);
	if (p->is_multipart)
		return scan_multipart(t, p, name, is | raw);
	if (!scan_body(t, p, name, is | raw))
		return false;
	if (strcmp(p->type, "message/delivery-status") == 0 && !walk_blocks(t, p))
		return false;
	return !p->encoding_known || p->encoding != DECODE_IDENTITY || p->is_message ||
		(is & TASK_IS_FILE) || !guess_is_base64(&t->pace, p->body, p->body_len) ||
		task_scan_encoded(t, DECODE_BASE64, p->body, p->body_len, name, 0);
}

static bool on_part(void *arg, const struct mime_part *p)
{
	struct task *t = arg;
	const struct task_clean_at at = task_clean_enter(t, p);
	const bool outer = t->in_net;

	t->in_net |= p->is_guess;
	t->objects_left += p->is_bare; /* which it takes: it costs its octets, and no object */
	t->mime_depth += p->depth;
	bool on = scan_part(t, p);
	t->mime_depth -= p->depth;
	t->in_net = outer;
	task_clean_leave(t, p, at);
	return on;
}

static bool walk_goes_on(void *arg)
{
	return task_goes_on(arg);
}

/* The octets, as one message. What lies in the one that is walked already is a piece of
 * the same file to readers. */
enum mime_result task_walk_octets(struct task *t, const char *msg, size_t len)
{
	/* Multiparts are reported too, though they are no objects. */
	const unsigned depth = t->mime_depth < MIME_DEPTH_MAX ? MIME_DEPTH_MAX - t->mime_depth : 0;
	const struct mime_budget b = { .max_depth = depth,
		.max_parts = 2 * t->objects_left + 64, .max_headers = MIME_HEADERS_MAX,
		.work_left = &t->walk_left,
		.go_on = walk_goes_on };
	struct task_range headers[MIME_DEPTH_MAX + 2] = { { 0 } };
	const struct task_range outer = t->file;
	struct task_range *const outer_headers = t->nul_headers;

	if ((uintptr_t)msg < (uintptr_t)outer.p ||
	    (uintptr_t)msg + len > (uintptr_t)outer.p + outer.n)
		t->file = (struct task_range){ msg, len };
	t->nul_headers = headers;
	const enum mime_result got = mime_walk(msg, len, &b, on_part, t);
	t->nul_headers = outer_headers;
	t->file = outer;
	return got;
}

bool task_walk_message(struct task *t, const char *msg, size_t len, bool root_is_decoded)
{
	const bool outer = t->root_is_decoded;
	enum mime_result got;

	if (!task_enter(t))
		return true; /* what lies beside it is still looked at */
	t->root_is_decoded = root_is_decoded;
	got = task_walk_octets(t, msg, len);
	if (got == MIME_OVER_BUDGET)
		task_over_limit(t, TASK_OVER_BUDGET);
	if (got != MIME_STOPPED)
		got = task_walk_nuls(t, msg, len);
	t->root_is_decoded = outer;
	task_leave(t);
	if (got == MIME_OVER_BUDGET)
		task_over_limit(t, TASK_OVER_BUDGET);
	return got != MIME_STOPPED;
}
