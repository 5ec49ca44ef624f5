/* decode.c - transfer encodings, see decode.h.
 *
 * Owns how lenient we are. The rule: where mail readers differ, take the
 * reading that yields more octets of an attachment. Nothing here allocates,
 * fails or looks at what is decoded.
 * Sources: RFC 2045 6.7 and 6.8, POSIX uuencode, the yEnc draft 1.3. */
#include "decode.h"

#include <string.h>

#include "decode_int.h"
#include "decode_run.h"

enum b64_state { B64_DATA, B64_DONE };
enum uu_state { UU_LINE, UU_DATA, UU_SKIP, UU_E, UU_EN, UU_END, UU_DONE };

void decode_init(struct decode *d, enum decode_kind kind)
{
	memset(d, 0, sizeof *d);
	d->kind = kind;
}

/* ---- base64 -------------------------------------------------------------- */

/* Data behind padding, junk or an empty line: some readers never see it. */
static void note_others(struct decode *d)
{
	d->others |= d->pending;
	d->pending = 0;
}

/* What two or three sextets hold; padding or the end came behind them. */
static size_t b64_flush(struct decode *d, unsigned char *out)
{
	size_t w = 0;

	if (d->reading == 4) {
		unsigned pads = d->npads < d->nacc ? d->npads : d->nacc;
		d->acc >>= 6 * pads;
		d->nacc -= pads;
	}
	if (d->nacc == 1)
		d->bad = true;
	if (d->nacc == 2) {
		out[w++] = (unsigned char)(d->acc >> 4);
	} else if (d->nacc == 3) {
		out[w++] = (unsigned char)(d->acc >> 10);
		out[w++] = (unsigned char)(d->acc >> 2);
	}
	d->acc = d->nacc = d->npads = 0;
	return w;
}

/* A sextet, or a '=' that is taken for one (reading 4). */
static size_t b64_sextet(struct decode *d, uint32_t v, bool is_pad, unsigned char *out)
{
	note_others(d);
	if (d->owed > 0)
		d->others |= 1u << 4;
	d->owed = 0;
	d->npads = is_pad ? d->npads + 1 : d->reading == 4 ? d->npads : 0;
	d->acc = d->acc << 6 | v;
	if (++d->nacc < 4)
		return 0;
	size_t n = d->npads < 3 ? 3 - d->npads : 1;
	out[0] = (unsigned char)(d->acc >> 16);
	out[1] = (unsigned char)(d->acc >> 8);
	out[2] = (unsigned char)d->acc;
	d->acc = d->nacc = d->npads = 0;
	return n;
}

/* Padding, in any reading but 4. Reading 0 notes where it does not just fill
 * a group of four. Returns true if it ends all. */
static bool b64_padding(struct decode *d)
{
	d->pending |= 1u << 1 | 1u << 2 | (d->nacc > 0 ? 1u << 5 : 0);
	if (d->nacc >= 2)
		d->owed = 3 - d->nacc;
	else if (d->nacc == 0 && d->owed > 0)
		d->owed--;
	else
		d->others |= 1u << 4;
	if (d->reading == 5)
		return d->nacc >= 2 && d->nacc + ++d->npads >= 4;
	return d->reading == 1 || d->reading == 3;
}

/* Padding or junk. Returns true if it ends all in this reading. */
static bool b64_ends(struct decode *d, unsigned char c)
{
	if (c == '=')
		return b64_padding(d);
	d->bad = true;
	d->pending |= 1u << 3;
	return d->reading == 3;
}

static size_t b64_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	const unsigned char *p = in, *end = in + n;
	unsigned char *o = out;

	while (p < end && d->state != B64_DONE) {
		if (d->nacc == 0 && d->pending == 0) {
			p = decode_b64_run(p, end, &o);
			if (p == end)
				break;
		}
		unsigned char c = *p++;
		uint32_t v = decode_b64_table[c];
		if (v != 0 || (c == '=' && d->reading == 4)) {
			o += b64_sextet(d, v & 0x3f, v == 0, o);
		} else if (!is_blank(c) && !is_eol(c)) {
			if (b64_ends(d, c))
				d->state = B64_DONE;
			if (d->state == B64_DONE || (c == '=' && d->reading != 2 && d->reading != 5))
				o += b64_flush(d, o);
		}
	}
	return (size_t)(o - out);
}

/* ---- uuencode ------------------------------------------------------------ */

static size_t uu_emit(struct decode *d, unsigned char *out)
{
	size_t w = 0;

	for (unsigned shift = 24; shift > 0 && d->line_want > 0; d->line_want--) {
		shift -= 8;
		out[w++] = (unsigned char)(d->acc >> shift);
	}
	d->acc = d->nacc = 0;
	return w;
}

static bool uu_is_eol(const struct decode *d, unsigned char c)
{
	return c == '\n' || (c == '\r' && d->reading != 4);
}

/* A line that ends early lost blanks on its way: they were zeros. Not more
 * of them than keep the output below the input. */
static size_t uu_line_end(struct decode *d, unsigned char *out)
{
	unsigned pad = d->line_seen / 4 + (d->nacc > 0 ? 0 : 2);
	size_t w = 0;

	if (d->nacc > 0) {
		d->acc <<= 6 * (4 - d->nacc);
		w = uu_emit(d, out);
	}
	for (; d->line_want > 0 && pad > 0; d->line_want--, pad--)
		out[w++] = 0;
	if (d->line_want > 0)
		d->bad = true;
	d->state = UU_LINE;
	return w;
}

/* The first character says how many octets the line holds. */
static void uu_line_start(struct decode *d, unsigned char c)
{
	/* Some encoders add 0x40 to the count, and some readers take it off. */
	const bool is_high = c > 0x60 && ((c - 0x20u) & 0x3f) != 0;
	const bool takes_high = d->reading == 2 || d->reading == 3;

	d->line_want = d->line_seen = 0;
	d->acc = d->nacc = 0;
	if (is_high && c != 'e')
		d->others |= 1u << 2;
	if (c == 'e' || c == 'E') {
		/* Both are counts (37 and 5 octets), but then "nd" cannot follow. */
		d->line_want = c == 'E' || takes_high ? (c - 0x20u) & 0x3f : 0;
		d->state = UU_E;
	} else if ((c > 0x20 && c < 0x60) || (is_high && takes_high)) {
		note_others(d);
		d->line_want = (c - 0x20u) & 0x3f;
		d->state = UU_DATA;
	} else if (!uu_is_eol(d, c)) {
		d->pending |= 1u << 1;
		d->state = d->reading == 1 ? UU_DONE : UU_SKIP;
	}
}

static size_t uu_data(struct decode *d, unsigned char c, unsigned char *out)
{
	const bool is_odd = c < 0x20 || c > 0x60;

	if (uu_is_eol(d, c))
		return uu_line_end(d, out);
	if (is_odd) {
		d->others |= 1u << 4;
		d->bad = true;
	}
	d->line_seen++;
	d->acc = d->acc << 6 | (is_odd && d->reading == 4 ? 0 : (c - 0x20u) & 0x3f);
	if (++d->nacc < 4)
		return 0;
	size_t w = uu_emit(d, out);
	if (d->line_want == 0)
		d->state = UU_SKIP;
	return w;
}

/* No end: the letters are data to those who take e for a count. */
static size_t uu_no_end(struct decode *d, unsigned char c, unsigned char *out)
{
	const unsigned n = d->state == UU_END ? 2 : d->state == UU_EN ? 1 : 0;
	size_t w = 0;

	if (n > 0 || d->line_want == 0) {
		d->others |= 1u << 2 | 1u << 3 | (n == 2 ? 1u << 4 : 0);
		d->bad = true;
	}
	if (d->line_want == 0 || (n > 0 && d->reading != 3)) {
		d->state = uu_is_eol(d, c) ? UU_LINE : UU_SKIP;
		return 0;
	}
	note_others(d);
	d->state = UU_DATA;
	for (unsigned i = 0; i < n; i++)
		w += uu_data(d, i == 0 ? 'n' : 'd', out + w);
	return w + uu_data(d, c, out + w);
}

/* Behind an e at the start of a line. */
static size_t uu_end_word(struct decode *d, unsigned char c, unsigned char *out)
{
	const bool is_blank_behind = d->state == UU_END && is_blank(c);

	if (is_blank_behind)
		d->others |= 1u << 3;
	if (d->state == UU_E && c == 'n')
		d->state = UU_EN;
	else if (d->state == UU_EN && c == 'd')
		d->state = d->reading == 4 ? UU_DONE : UU_END;
	else if (d->state == UU_END && (is_eol(c) || (is_blank_behind && d->reading != 3)))
		d->state = UU_DONE;
	else
		return uu_no_end(d, c, out);
	return 0;
}

static size_t uu_in_line(struct decode *d, unsigned char c, unsigned char *out)
{
	switch ((enum uu_state)d->state) {
	case UU_LINE:
		uu_line_start(d, c);
		break;
	case UU_DATA:
		return uu_data(d, c, out);
	case UU_E:
	case UU_EN:
	case UU_END:
		return uu_end_word(d, c, out);
	case UU_SKIP:
		if (uu_is_eol(d, c))
			d->state = UU_LINE;
		break;
	case UU_DONE:
		break;
	}
	return 0;
}

/* Some readers take long lines in pieces. */
static size_t uu_step(struct decode *d, unsigned char c, unsigned char *out)
{
	const bool is_cut = ++d->col == DECODE_UU_PIECE;
	size_t w = uu_in_line(d, c, out);

	if (uu_is_eol(d, c)) {
		d->col = 0;
	} else if (is_cut && (d->reading == 3 || d->reading == 4)) {
		if (d->state == UU_DATA)
			w += uu_line_end(d, out + w);
		if (d->state != UU_DONE)
			d->state = UU_LINE;
		d->col = 0;
	} else if (is_cut) {
		d->others |= 1u << 3 | 1u << 4;
	}
	return w;
}

/* A CR without LF is an octet like others to reading 4. */
static size_t uu_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	size_t w = 0;

	for (size_t i = 0; i < n && d->state != UU_DONE; i++) {
		const bool is_alone = d->was_cr && in[i] != '\n';
		d->was_cr = in[i] == '\r';
		if (is_alone) {
			d->others |= 1u << 4;
			w += d->reading == 4 ? uu_step(d, '\r', out + w) : 0;
		}
		if (in[i] != '\r' || d->reading != 4)
			w += uu_step(d, in[i], out + w);
	}
	return w;
}

/* A CR at the end of all ends a line to each reading. */
static size_t uu_end(struct decode *d, unsigned char *out)
{
	if (d->was_cr && d->reading == 4)
		return uu_step(d, '\n', out);
	return d->state == UU_DATA ? uu_line_end(d, out) : 0;
}

/* ---- yEnc ---------------------------------------------------------------- */

/* Lines that begin with "=y" are not data; a y is never escaped. */
static size_t yenc_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	enum { LINE, TEXT, EQ_LINE, EQ, SKIP };
	size_t w = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = in[i];
		bool is_escaped = d->state == EQ || d->state == EQ_LINE;
		if (is_eol(c)) {
			d->state = LINE;
		} else if (d->state == SKIP || (d->state == EQ_LINE && c == 'y')) {
			d->state = SKIP;
		} else if (c == '=' && !is_escaped) {
			d->state = d->state == LINE ? EQ_LINE : EQ;
		} else {
			out[w++] = (unsigned char)(c - 42 - (is_escaped ? 64 : 0));
			d->state = TEXT;
		}
	}
	return w;
}

/* ---- all of them --------------------------------------------------------- */

size_t decode_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	if (n == 0)
		return 0;
	switch (d->kind) {
	case DECODE_BASE64:
		return b64_push(d, in, n, out);
	case DECODE_QP:
		return decode_qp_push(d, in, n, out);
	case DECODE_UU:
		return uu_push(d, in, n, out);
	case DECODE_YENC:
		return yenc_push(d, in, n, out);
	case DECODE_IDENTITY:
		break;
	}
	memcpy(out, in, n);
	return n;
}

size_t decode_end(struct decode *d, unsigned char *out)
{
	switch (d->kind) {
	case DECODE_BASE64:
		return b64_flush(d, out);
	case DECODE_QP:
		return decode_qp_end(d, out);
	case DECODE_UU:
		return uu_end(d, out);
	case DECODE_YENC:
	case DECODE_IDENTITY:
		break;
	}
	return 0;
}
