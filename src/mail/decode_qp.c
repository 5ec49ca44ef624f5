/* decode_qp.c - quoted-printable, see decode.h.
 *
 * Readings 0 to 2 are one state machine (qp_step), which also notes where others would
 * give other octets; Thunderbird, Python and mutt have one each.
 * Source: RFC 2045 6.7. */
#include <string.h>

#include "decode.h"
#include "decode_int.h"

enum qp_state { QP_TEXT, QP_BLANKS, QP_BLANKS_CR, QP_EQ, QP_EQ_HEX, QP_EQ_BLANKS, QP_EQ_CR };

#define QP_BLANKS_MAX 80u            /* held of blanks in a row, with what is in front */

static void qp_hold(struct decode *d, unsigned char c, enum qp_state state)
{
	d->hold[d->nhold++] = c;
	d->state = state;
}

static void qp_drop(struct decode *d)
{
	d->nhold = 0;
	d->state = QP_TEXT;
}

/* What was held turns out to be text. */
static size_t qp_flush(struct decode *d, unsigned char *out)
{
	size_t n = d->nhold;

	memcpy(out, d->hold, n);
	qp_drop(d);
	return n;
}

/* May c stand between what is held and a line end without being of the text? */
static bool qp_is_blank(const struct decode *d, unsigned char c)
{
	return is_blank(c) || (d->reading == 2 && (c == '\v' || c == '\f' ||
		(c == '\r' && d->nhold > 0 && d->hold[0] == '=')));
}

/* More blanks than can be held; where a soft break began, white space too. */
static void qp_note_blanks(struct decode *d)
{
	d->others |= d->hold[0] == '=' ? 1u << 1 | 1u << 2 | 1u << 5 : 1u << 1 | 1u << 5;
}

/* A "=" that is none, with c behind it: readers take more or less of what follows
 * for text. Blanks too are read in another way by reading 3, but not by 4. */
static void qp_note_bad(struct decode *d, unsigned char c)
{
	d->others |= c == '=' || (d->others & 1u << 3) ? 1u << 3 | 1u << 4 : 1u << 3;
	d->bad = true;
}

static void qp_note_dropped(struct decode *d)
{
	d->others |= d->bad ? 1u << 3 | 1u << 4 : 1u << 3;
}

/* One octet in any state but QP_TEXT. Returns true if c is used up; where
 * not, the state is QP_TEXT and c is to be looked at again. */
static bool qp_step(struct decode *d, unsigned char c, unsigned char **out)
{
	if (d->reading == 1 || d->reading == 2) { /* the last place is for a CR */
		if (d->nhold == QP_BLANKS_MAX - 1 && qp_is_blank(d, c))
			return true;
	} else if (d->nhold == QP_BLANKS_MAX - 1 && is_blank(c)) {
		qp_note_blanks(d); /* there is no place for this one */
	} else if (d->nhold == QP_BLANKS_MAX) {
		qp_note_blanks(d);
		*out += qp_flush(d, *out);
		return false;
	}
	switch ((enum qp_state)d->state) {
	case QP_BLANKS: /* blanks before a line end are not part of the text */
		if (qp_is_blank(d, c)) {
			qp_hold(d, c, QP_BLANKS);
			return true;
		}
		if (!is_eol(c))
			break;
		qp_note_dropped(d);
		qp_drop(d);
		if (c == '\r')
			d->state = QP_BLANKS_CR;
		*(*out)++ = c;
		return true;
	case QP_BLANKS_CR:
		d->others |= c != '\n' ? 1u << 5 : 0;
		break;
	case QP_EQ:
		if (hex_value(c) >= 0) {
			qp_hold(d, c, QP_EQ_HEX);
			return true;
		}
		__attribute__((fallthrough));
	case QP_EQ_BLANKS:
		if (qp_is_blank(d, c) || c == '\r') {
			d->others |= c != '\r' ? 1u << 3 | 1u << 4 : 0;
			qp_hold(d, c, qp_is_blank(d, c) ? QP_EQ_BLANKS : QP_EQ_CR);
			return true;
		}
		if (c == '\n') {
			qp_drop(d);
			return true;
		}
		qp_note_bad(d, c);
		break;
	case QP_EQ_HEX:
		if (hex_value(c) >= 0) {
			*(*out)++ = (unsigned char)(hex_value(d->hold[1]) << 4 | hex_value(c));
			qp_drop(d);
			return true;
		}
		qp_note_bad(d, c);
		break;
	case QP_EQ_CR: /* some gateways make CR CR LF of a line end */
		if (c == '\r' && d->reading == 1)
			return true;
		d->others |= (c == '\r' ? 1u << 1 : 0) |
			(c != '\n' ? 1u << 2 | 1u << 4 | 1u << 5 : 0);
		qp_drop(d);
		return c == '\n';
	case QP_TEXT:
		break;
	}
	*out += qp_flush(d, *out);
	return false;
}

/* Whether a line ends with CR LF or LF matters where the octets are no text: where one
 * is less than TAB, of eight at a time. */
static void qp_note_binary(struct decode *d, const unsigned char *out, size_t n)
{
	const uint64_t ones = UINT64_MAX / 255;
	size_t i = 0;

	for (uint64_t v; n - i >= sizeof v && !d->is_binary; i += sizeof v) {
		memcpy(&v, out + i, sizeof v);
		d->is_binary = ((v - '\t' * ones) & ~v & 0x80 * ones) != 0;
	}
	for (; i < n && !d->is_binary; i++)
		d->is_binary = out[i] < '\t';
	if (d->is_binary)
		d->others |= d->pending;
}

static unsigned char *qp_octets(struct decode *d, const unsigned char *p,
	const unsigned char *end, unsigned char *o)
{
	for (; p < end; p++) {
		const unsigned char c = *p;
		if (d->state != QP_TEXT && qp_step(d, c, &o))
			continue;
		if (c == '=')
			qp_hold(d, c, QP_EQ);
		else if (c <= ' ' && qp_is_blank(d, c))
			qp_hold(d, c, QP_BLANKS);
		else
			*o++ = c;
	}
	return o;
}

/* Up to the end of a line, or of a piece: some readers take lines in pieces, and what
 * is held at the end of one is text to them, or a soft break. */
static const unsigned char *qp_line(struct decode *d, const unsigned char *p,
	const unsigned char *end, unsigned char **out)
{
	const size_t left = (size_t)(end - p), room = DECODE_HELD - d->col;
	const size_t n = left < room ? left : room;
	const unsigned char *lf = memchr(p, '\n', n);

	*out = qp_octets(d, p, lf != NULL ? lf : p + n, *out);
	if (lf != NULL) {
		unsigned char *o = qp_octets(d, lf, lf + 1, *out);
		d->pending |= o > *out ? 1u << 4 | 1u << 5 : 0;
		d->col = 0;
		*out = o;
		return lf + 1;
	}
	d->col += (unsigned)n;
	if (d->col == DECODE_HELD) {
		d->others |= d->state != QP_TEXT ? 1u << 5 : 0;
		d->col = 0;
	}
	return p + n;
}

static size_t qp_push_lenient(struct decode *d, const unsigned char *in, size_t n,
	unsigned char *out)
{
	unsigned char *o = out;

	if (memchr(in, '\v', n) != NULL || memchr(in, '\f', n) != NULL)
		d->others |= 1u << 2 | 1u << 5;
	if (memchr(in, '\0', n) != NULL)
		d->others |= 1u << 5;
	for (const unsigned char *p = in; p < in + n;)
		p = qp_line(d, p, in + n, &o);
	if (d->reading == 0)
		qp_note_binary(d, out, (size_t)(o - out));
	return (size_t)(o - out);
}

/* Reading 3: one octet of text, or of three that "=" begins. Returns true if c is
 * used up. */
static bool qp_triple(struct decode *d, unsigned char c, unsigned char **out)
{
	if (d->nhold == 2 && d->hold[1] == '\r') {
		qp_drop(d);
		return c == '\n';
	}
	d->hold[d->nhold++] = c;
	if (d->nhold < 3 && d->hold[0] == '=') {
		if (c == '\n')
			qp_drop(d);
		return true;
	}
	if (d->nhold == 3 && hex_value(d->hold[1]) >= 0 && hex_value(c) >= 0) {
		*(*out)++ = (unsigned char)(hex_value(d->hold[1]) << 4 | hex_value(c));
		qp_drop(d);
	} else {
		*out += qp_flush(d, *out);
	}
	return true;
}

/* Reading 4. Returns true if c is used up. */
static bool qp_python(struct decode *d, unsigned char c, unsigned char **out)
{
	const unsigned char first = d->nhold > 0 ? d->hold[0] : '\0';

	if (d->state == QP_EQ_CR) {
		if (c == '\n')
			qp_drop(d);
		return true;
	}
	if (d->nhold == 0 ? c == '=' || c == '\r' : first == '=' && d->nhold == 1 &&
	    hex_value(c) >= 0) {
		d->hold[d->nhold++] = c;
		return true;
	}
	if (first == '=' && d->nhold == 1 && (is_eol(c) || c == '=')) {
		qp_drop(d);
		if (c == '\r')
			d->state = QP_EQ_CR;
		else if (c == '=')
			*(*out)++ = c;
		return true;
	}
	if (d->nhold == 2 && hex_value(c) >= 0) {
		*(*out)++ = (unsigned char)(hex_value(d->hold[1]) << 4 | hex_value(c));
		qp_drop(d);
		return true;
	}
	if (first == '\r' && c == '\n')
		qp_drop(d);
	*out += qp_flush(d, *out);
	if (c == '=' || c == '\r')
		return false;
	*(*out)++ = c;
	return true;
}

/* Reading 5: one piece of a line. An encoded CR before the line end is of this. */
static size_t qp_piece(struct decode *d, unsigned char *out)
{
	const unsigned char *p = d->hold, *nul = memchr(p, '\0', d->nhold);
	size_t n = nul != NULL ? (size_t)(nul - p) : d->nhold, w = 0;
	const bool is_line = n > 0 && p[n - 1] == '\n';
	bool is_soft = false, is_cr = false;

	while (is_line && n > 0 && (is_blank(p[n - 1]) || (p[n - 1] >= '\n' && p[n - 1] <= '\r')))
		n--;
	for (size_t i = 0; i < n;) {
		if (n - i > 2 && p[i] == '=' && hex_value(p[i + 1]) >= 0 &&
		    hex_value(p[i + 2]) >= 0) {
			out[w++] = (unsigned char)(hex_value(p[i + 1]) << 4 | hex_value(p[i + 2]));
			i += 3;
			is_cr = i == n && out[w - 1] == '\r';
		} else if (p[i] == '=' && i + 1 == n) {
			is_soft = true;
			i++;
		} else {
			out[w++] = p[i++];
		}
	}
	d->nhold = 0;
	if (is_line && !is_soft) {
		w -= is_cr;
		out[w++] = '\n';
	}
	return w;
}

size_t decode_qp_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	unsigned char *o = out;

	if (d->reading < 3)
		return qp_push_lenient(d, in, n, out);
	for (size_t i = 0; i < n; i++) {
		if (d->reading == 3) {
			while (!qp_triple(d, in[i], &o))
				continue;
		} else if (d->reading == 4) {
			while (!qp_python(d, in[i], &o))
				continue;
		} else {
			d->hold[d->nhold++] = in[i];
			if (in[i] == '\n' || d->nhold == DECODE_HELD)
				o += qp_piece(d, o);
		}
	}
	return (size_t)(o - out);
}

/* A soft break whose line end went to the boundary is one still. */
size_t decode_qp_end(struct decode *d, unsigned char *out)
{
	if (d->reading == 5)
		return qp_piece(d, out);
	d->others |= d->state == QP_BLANKS_CR ? 1u << 5 : 0;
	if (d->nhold > 0 && d->hold[0] == '=' && (d->nhold == 1 || hex_value(d->hold[1]) < 0)) {
		d->others |= d->nhold > 1 ? 1u << 5 : 0;
		qp_drop(d);
	}
	return qp_flush(d, out);
}
