/* task_decode.c - takes transfer encodings off, in each reading that decoders
 * have, and hands on what comes out: parts, and uuencoded files in a text.
 *
 * A base64 text with junk in it, a missing end line and the like are common in
 * honest mail and no reason to call it not scanned: all that a reader could
 * see of it is looked at. */
#include "task_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode_uu.h"

#define DECODE_CHUNK (1u << 20)      /* between two looks at the clock */

char *task_decode_all(struct task *t, struct decode *d, const char *head, size_t head_len,
	const char *in, size_t len, size_t *out_len, size_t *size_out)
{
	const size_t size = head_len + len + (size_t)2 * DECODE_HELD + 1;
	char *all = task_alloc(t, size);
	unsigned char *out = (unsigned char *)all;
	size_t w = head_len;

	if (all == NULL)
		return NULL;
	memcpy(all, head, head_len);
	for (size_t at = 0; at < len; at += DECODE_CHUNK) {
		size_t n = len - at < DECODE_CHUNK ? len - at : DECODE_CHUNK;
		if (!task_goes_on(t)) {
			task_free(t, all, size);
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

/* Decoded in one reading of the encoding, scanned, and looked into. */
static bool scan_decoded(struct task *t, struct decode *d, const char *body, size_t len,
	const char *name, unsigned is)
{
	size_t n, size;

	if (!task_charge(t, len))
		return false;
	char *data = task_decode_all(t, d, "", 0, body, len, &n, &size);
	if (data == NULL)
		return false;
	bool on = task_scan_content(t, data, n, name, is);
	task_free(t, data, size);
	return on;
}

/* Mail is mostly stored with LF alone at the end of lines, so readers have a part that
 * was not encoded without its CRs; where it is no text, that makes other octets of it. */
static bool scan_as_stored(struct task *t, const char *body, size_t len, const char *name,
	unsigned is)
{
	const bool outer = t->in_guess;
	size_t n = 0;

	if (len == 0 || memchr(body, '\0', len) == NULL || memmem(body, len, "\r\n", 2) == NULL)
		return true;
	char *copy = task_charge(t, len) ? task_alloc(t, len) : NULL;
	if (copy == NULL)
		return false;
	for (size_t at = 0, end; at < len && pace_on(&t->pace, 0); at = end) {
		end = pace_end(at, len);
		for (size_t i = at; i < end; i++)
			if (body[i] != '\r' || i + 1 == len || body[i + 1] != '\n')
				copy[n++] = body[i];
		pace_on(&t->pace, end - at);
	}
	t->in_guess = true;
	bool on = !t->pace.is_over && task_scan_content(t, copy, n, name, is);
	t->in_guess = outer;
	task_free(t, copy, len);
	return on;
}

/* A part as that encoding. Where decoders disagree, as each of them; where
 * something was not decodable, or readers may not decode it, as it stands too. */
bool task_scan_encoded(struct task *t, enum decode_kind kind, const char *body, size_t len,
	const char *name, unsigned is)
{
	struct decode d;

	if (kind == DECODE_IDENTITY)
		return task_charge(t, len) && task_scan_content(t, body, len, name, is) &&
			scan_as_stored(t, body, len, name, is);
	decode_init(&d, kind);
	if (!scan_decoded(t, &d, body, len, name, is))
		return false;
	const unsigned others = d.others;
	const bool bad = d.bad, outer = t->in_guess;
	bool on = true;

	t->in_guess = true;
	for (unsigned i = 1; on && i < DECODE_READINGS; i++) {
		if (!(others & 1u << i))
			continue;
		decode_init(&d, kind);
		d.reading = i;
		on = scan_decoded(t, &d, body, len, name, is);
	}
	if (on && (bad || (is & TASK_IS_RAW)))
		on = task_charge(t, len) && task_scan_content(t, body, len, name, is);
	t->in_guess = outer;
	return on;
}

/* Some readers look for one file only, and for its end only, where the encoding of a
 * part says that there is one. shown: the first file, which is not looked at again. */
static bool scan_announced(struct task *t, const char *text, size_t len,
	const struct decode_uu *shown, const char *outer)
{
	const bool is_plain = shown->is_ended && decode_uu_is_plain(text, len, &t->pace);
	const bool in_guess = t->in_guess;
	bool on = !t->pace.is_over;

	t->in_guess = true;
	for (unsigned reading = 3; on && reading <= 4; reading++) {
		struct decode_uu f;
		struct decode d;
		if (!decode_uu_find_first(text, len, reading, &t->pace, &f) ||
		    (is_plain && f.body == shown->body))
			continue;
		decode_init(&d, f.kind);
		d.reading = reading;
		on = scan_decoded(t, &d, f.body, f.body_len, outer, TASK_IS_FILE);
	}
	t->in_guess = in_guess;
	return on && !t->pace.is_over;
}

/* Files in uuencode stand in a text, one behind the other. */
bool task_scan_uuencoded(struct task *t, const char *text, size_t len, bool is_announced,
	const char *outer)
{
	struct decode_uu f, first = { .kind = DECODE_IDENTITY };
	size_t from = 0;
	char name[512];

	while (decode_uu_find(text, len, &from, is_announced, &t->pace, &f)) {
		if (first.kind == DECODE_IDENTITY)
			first = f;
		snprintf(name, sizeof name, "%s: %s", outer, f.name);
		task_check_name(t, f.name, name);
		if (!task_is_excluded(t, f.name) &&
		    !task_scan_encoded(t, f.kind, f.body, f.body_len, name, TASK_IS_FILE))
			return false;
	}
	return !t->pace.is_over &&
		(!is_announced || scan_announced(t, text, len, &first, outer));
}
