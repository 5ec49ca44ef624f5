/* c_lines.c - lines as C strings that were read in pieces, see c_lines.h.
 *
 * How long a piece is depends on the buffer, and that on the lines before. So this
 * does what mutt 1.5 to 2.2 does, octet by octet (mutt_read_rfc822_line, and
 * mutt_decode_quoted); a NUL in a header has no meaning that could be guessed at. */
#include "c_lines.h"

#include <string.h>

#include "pace.h"

#define HEAD_BUFFER 1024u    /* for a line of a header; grows with the longest */
#define HEAD_BUFFER_STEP 256u
#define QUOTED_PIECE 255u

struct head {
	const char *p;
	size_t n, at;
	size_t buffer;
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_space(char c) { return is_blank(c) || (c >= '\n' && c <= '\r'); }

/* What fgets() takes of n octets, the line end included. */
static size_t piece_len(const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);

	return lf != NULL ? (size_t)(lf - p) + 1 : n;
}

/* A line with its continuations; false: it is empty, so the header ends. */
static bool head_line(struct head *h, char *out, size_t *len_out)
{
	size_t w = 0;

	for (;;) {
		const char *piece = h->p + h->at;
		const size_t rest = h->n - h->at, room = h->buffer - w - 1;
		if (rest == 0)
			return false;
		const size_t n = piece_len(piece, room < rest ? room : rest);
		const size_t seen = strnlen(piece, n);
		h->at += n;
		*len_out = w;
		if (w == 0 && is_space(*piece))
			return false;
		if (seen == 0)
			return w > 0;
		memcpy(out + w, piece, seen);
		w += seen;
		if (out[w - 1] == '\n') {
			while (w > 0 && is_space(out[w - 1]))
				w--;
			*len_out = w;
			if (h->at == h->n || !is_blank(h->p[h->at]))
				return true;
			while (h->at < h->n && is_blank(h->p[h->at]))
				h->at++;
			out[w++] = ' ';
		}
		if (h->buffer < w + HEAD_BUFFER_STEP)
			h->buffer += HEAD_BUFFER_STEP;
	}
}

static bool is_mbox_line(const char *p, size_t n)
{
	return (n >= 5 && memcmp(p, "From ", 5) == 0) || (n >= 6 && memcmp(p, ">From ", 6) == 0);
}

enum field { FIELD, FIELD_BLANK, FIELD_NONE };

/* In a message a blank before the colon makes it no field. */
static enum field field_kind(const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);
	const size_t name = colon != NULL ? (size_t)(colon - p) : n;

	if (colon == NULL)
		return FIELD_NONE;
	return memchr(p, ' ', name) != NULL || memchr(p, '\t', name) != NULL ? FIELD_BLANK : FIELD;
}

bool c_lines_head(const char *p, size_t n, unsigned i, struct pace *pace, char *out,
	size_t *out_len, size_t *body_out)
{
	struct head h = { p, n, 0, HEAD_BUFFER };
	bool was_blank = false;
	size_t w = 0, len = 0;

	for (;;) {
		const size_t start = h.at;
		const bool is_line = head_line(&h, out + w, &len);
		if (!pace_on(pace, h.at - start))
			return false;
		*out_len = w;
		*body_out = h.at;
		if (!is_line)
			return i == 0;
		const enum field field = field_kind(out + w, len);
		const bool is_mbox = is_mbox_line(out + w, len);
		/* Before it in a message, and behind it in a part. */
		if (field == FIELD_NONE || (field == FIELD_BLANK && (is_mbox || !was_blank))) {
			*body_out = start;
			if (i-- == 0)
				return true;
		}
		*body_out = h.at;
		if (field == FIELD_NONE && i-- == 0)
			return true;
		if (field == FIELD_NONE && !is_mbox)
			return false;
		was_blank |= field == FIELD_BLANK && !is_mbox;
		w += len;
		out[w++] = '\n';
	}
}

size_t c_lines_quoted(const char *p, size_t all, size_t len, struct pace *pace, char *out,
	size_t *used_out)
{
	size_t at = 0, w = 0, left = len;

	while (left > 0 && at < all) {
		const size_t most = left < QUOTED_PIECE ? left : QUOTED_PIECE, rest = all - at;
		const size_t n = piece_len(p + at, most < rest ? most : rest);
		const size_t seen = strnlen(p + at, n);
		if (!pace_on(pace, n))
			break;
		if (out != NULL)
			memcpy(out + w, p + at, seen);
		w += seen;
		const char last = seen > 0 ? p[at + seen - 1] : '\n';
		if (last != '\n') {
			const size_t k = last == '=' ? 1 : 2; /* it may be one already */
			if (out != NULL)
				memcpy(out + w, &"=\n"[2 - k], k);
			w += k;
		}
		at += n;
		left -= seen;
	}
	*used_out = at;
	return w;
}
