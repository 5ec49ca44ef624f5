/* decode.c - transfer encodings and encoded words, see decode.h.
 *
 * Owns how lenient we are. The rule: where mail readers differ, take the
 * reading that yields more octets of an attachment. Nothing here allocates,
 * fails or looks at what is decoded.
 * Sources: RFC 2045 6.7 and 6.8, RFC 2047, POSIX uuencode, the yEnc draft 1.3. */
#include "decode.h"

#include <string.h>

#include "find.h"
#include "str.h"

/* 0x40 | value of a base64 character, 0 for every other octet. */
#define V(c, v) [c] = 0x40 | (v)
static const uint8_t b64_table[256] = {
	V('A', 0), V('B', 1), V('C', 2), V('D', 3), V('E', 4), V('F', 5), V('G', 6), V('H', 7),
	V('I', 8), V('J', 9), V('K', 10), V('L', 11), V('M', 12), V('N', 13), V('O', 14),
	V('P', 15), V('Q', 16), V('R', 17), V('S', 18), V('T', 19), V('U', 20), V('V', 21),
	V('W', 22), V('X', 23), V('Y', 24), V('Z', 25), V('a', 26), V('b', 27), V('c', 28),
	V('d', 29), V('e', 30), V('f', 31), V('g', 32), V('h', 33), V('i', 34), V('j', 35),
	V('k', 36), V('l', 37), V('m', 38), V('n', 39), V('o', 40), V('p', 41), V('q', 42),
	V('r', 43), V('s', 44), V('t', 45), V('u', 46), V('v', 47), V('w', 48), V('x', 49),
	V('y', 50), V('z', 51), V('0', 52), V('1', 53), V('2', 54), V('3', 55), V('4', 56),
	V('5', 57), V('6', 58), V('7', 59), V('8', 60), V('9', 61), V('+', 62), V('/', 63),
};
#undef V
#define B64_MARKS (0x40u << 18 ^ 0x40u << 12 ^ 0x40u << 6 ^ 0x40u)

enum b64_state { B64_DATA, B64_DONE };
enum qp_state { QP_TEXT, QP_BLANKS, QP_EQ, QP_EQ_HEX, QP_EQ_BLANKS, QP_EQ_CR };
enum uu_state { UU_LINE, UU_DATA, UU_SKIP, UU_E, UU_EN, UU_END, UU_DONE };

static bool is_blank(int c)
{
	return c == ' ' || c == '\t';
}

static bool is_eol(int c)
{
	return c == '\r' || c == '\n';
}

static int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

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

/* Groups of four clean characters; stops before the first other octet. */
static const unsigned char *b64_run(const unsigned char *p, const unsigned char *end,
	unsigned char **out)
{
	unsigned char *o = *out;

	while (end - p >= 4) {
		uint32_t a = b64_table[p[0]], b = b64_table[p[1]];
		uint32_t c = b64_table[p[2]], e = b64_table[p[3]];
		if ((a & b & c & e & 0x40) == 0)
			break;
		uint32_t v = a << 18 ^ b << 12 ^ c << 6 ^ e ^ B64_MARKS;
		o[0] = (unsigned char)(v >> 16);
		o[1] = (unsigned char)(v >> 8);
		o[2] = (unsigned char)v;
		o += 3;
		p += 4;
	}
	*out = o;
	return p;
}

static size_t b64_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	const unsigned char *p = in, *end = in + n;
	unsigned char *o = out;

	while (p < end && d->state != B64_DONE) {
		if (d->nacc == 0 && d->pending == 0) {
			p = b64_run(p, end, &o);
			if (p == end)
				break;
		}
		unsigned char c = *p++;
		uint32_t v = b64_table[c];
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

/* ---- quoted-printable ---------------------------------------------------- */

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

/* One octet in any state but QP_TEXT. Returns true if c is used up; where
 * not, the state is QP_TEXT and c is to be looked at again. */
static bool qp_step(struct decode *d, unsigned char c, unsigned char **out)
{
	if (d->reading == 1) { /* the last place is for a CR */
		if (d->nhold == sizeof d->hold - 1 && is_blank(c))
			return true;
	} else if (d->nhold == sizeof d->hold - 1 && is_blank(c)) {
		d->others |= 1u << 1; /* which has no place for this one */
	} else if (d->nhold == sizeof d->hold) {
		d->others |= 1u << 1;
		*out += qp_flush(d, *out);
		return false;
	}
	switch ((enum qp_state)d->state) {
	case QP_BLANKS: /* blanks before a line end are not part of the text */
		if (is_blank(c)) {
			qp_hold(d, c, QP_BLANKS);
			return true;
		}
		if (is_eol(c))
			qp_drop(d);
		break;
	case QP_EQ:
		if (hex_value(c) >= 0) {
			qp_hold(d, c, QP_EQ_HEX);
			return true;
		}
		__attribute__((fallthrough));
	case QP_EQ_BLANKS:
		if (is_blank(c) || c == '\r') {
			qp_hold(d, c, is_blank(c) ? QP_EQ_BLANKS : QP_EQ_CR);
			return true;
		}
		if (c == '\n') {
			qp_drop(d);
			return true;
		}
		d->bad = true;
		break;
	case QP_EQ_HEX:
		if (hex_value(c) >= 0) {
			*(*out)++ = (unsigned char)(hex_value(d->hold[1]) << 4 | hex_value(c));
			qp_drop(d);
			return true;
		}
		d->bad = true;
		break;
	case QP_EQ_CR: /* some gateways make CR CR LF of a line end */
		if (c == '\r' && d->reading == 1)
			return true;
		d->others |= c == '\r' ? 1u << 1 : 0;
		qp_drop(d);
		return c == '\n';
	case QP_TEXT:
		break;
	}
	*out += qp_flush(d, *out);
	return false;
}

static size_t qp_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	unsigned char *o = out;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = in[i];
		if (d->state != QP_TEXT && qp_step(d, c, &o))
			continue;
		if (c == '=')
			qp_hold(d, c, QP_EQ);
		else if (is_blank(c))
			qp_hold(d, c, QP_BLANKS);
		else
			*o++ = c;
	}
	return (size_t)(o - out);
}

/* A soft break whose line end went to the boundary is one still. */
static size_t qp_end(struct decode *d, unsigned char *out)
{
	if (d->state == QP_EQ || d->state == QP_EQ_BLANKS || d->state == QP_EQ_CR)
		qp_drop(d);
	return qp_flush(d, out);
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
	bool is_high = c > 0x60 && ((c - 0x20u) & 0x3f) != 0;

	d->line_want = d->line_seen = 0;
	d->acc = d->nacc = 0;
	if (is_high && c != 'e')
		d->others |= 1u << 2;
	if (c == 'e' || c == 'E') {
		/* Both are counts (37 and 5 octets), but then "nd" cannot follow. */
		d->line_want = c == 'E' || d->reading == 2 ? (c - 0x20u) & 0x3f : 0;
		d->state = UU_E;
	} else if ((c > 0x20 && c < 0x60) || (is_high && d->reading == 2)) {
		note_others(d);
		d->line_want = (c - 0x20u) & 0x3f;
		d->state = UU_DATA;
	} else if (!is_eol(c)) {
		d->pending |= 1u << 1;
		d->state = d->reading == 1 ? UU_DONE : UU_SKIP;
	}
}

static size_t uu_data(struct decode *d, unsigned char c, unsigned char *out)
{
	if (is_eol(c))
		return uu_line_end(d, out);
	if (c < 0x20 || c > 0x60)
		d->bad = true;
	d->line_seen++;
	d->acc = d->acc << 6 | ((c - 0x20u) & 0x3f);
	if (++d->nacc < 4)
		return 0;
	size_t w = uu_emit(d, out);
	if (d->line_want == 0)
		d->state = UU_SKIP;
	return w;
}

/* Behind an e at the start of a line. */
static size_t uu_end_word(struct decode *d, unsigned char c, unsigned char *out)
{
	if (d->state == UU_E && c == 'n') {
		d->state = UU_EN;
	} else if (d->state == UU_EN && c == 'd') {
		d->state = UU_END;
	} else if (d->state == UU_END && (is_eol(c) || is_blank(c))) {
		d->state = UU_DONE;
	} else if (d->state == UU_E && d->line_want > 0) {
		note_others(d);
		d->state = UU_DATA;
		return uu_data(d, c, out);
	} else {
		d->others |= 1u << 2;
		d->bad = true;
		d->state = is_eol(c) ? UU_LINE : UU_SKIP;
	}
	return 0;
}

static size_t uu_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out)
{
	size_t w = 0;

	for (size_t i = 0; i < n && d->state != UU_DONE; i++) {
		unsigned char c = in[i];
		switch ((enum uu_state)d->state) {
		case UU_LINE:
			uu_line_start(d, c);
			break;
		case UU_DATA:
			w += uu_data(d, c, out + w);
			break;
		case UU_E:
		case UU_EN:
		case UU_END:
			w += uu_end_word(d, c, out + w);
			break;
		case UU_SKIP:
			if (is_eol(c))
				d->state = UU_LINE;
			break;
		case UU_DONE:
			break;
		}
	}
	return w;
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

static bool yenc_parse_begin(const char *p, size_t n, struct decode_uu *out)
{
	const char *name = memmem(p, n, "name=", 5);
	size_t k = name != NULL ? n - (size_t)(name + 5 - p) : 0;

	if (!str_istarts(p, n, "=ybegin "))
		return false;
	if (k >= sizeof out->name) {
		name += k - (sizeof out->name - 1);
		k = sizeof out->name - 1;
	}
	str_copy_n(out->name, sizeof out->name, k > 0 ? name + 5 : "", k);
	out->kind = DECODE_YENC;
	return true;
}

/* ---- files in a text ----------------------------------------------------- */

/* Does the line begin with this word, a blank or its end behind it? */
static bool starts_word(const char *p, size_t n, const char *word)
{
	size_t k = strlen(word);

	return str_istarts(p, n, word) && (n == k || is_blank(p[k]));
}

/* "begin 644 name", "begin-base64 644 name", and Outlook's "begin  name".
 * Prose that begins a line with the word "begin" is not meant. */
static bool uu_parse_begin(const char *p, size_t n, struct decode_uu *out)
{
	bool base64 = starts_word(p, n, "begin-base64");
	size_t i = base64 ? 12 : 5, blanks = 0, digits = 0;

	if (!base64 && !starts_word(p, n, "begin"))
		return yenc_parse_begin(p, n, out);
	for (; i < n && is_blank(p[i]); i++)
		blanks++;
	size_t start = i;
	for (; i < n && p[i] >= '0' && p[i] <= '9'; i++)
		digits++;
	if (digits > 0 && (i == n || is_blank(p[i]))) {
		while (i < n && is_blank(p[i]))
			i++;
	} else if (blanks >= 2) {
		i = start;
	} else {
		return false;
	}
	while (n > i && is_blank(p[n - 1]))
		n--;
	if (n == i && digits == 0)
		return false;
	if (n - i >= sizeof out->name)
		i = n - (sizeof out->name - 1);
	str_copy_n(out->name, sizeof out->name, p + i, n - i);
	out->kind = base64 ? DECODE_BASE64 : DECODE_UU;
	return true;
}

/* The length of the line at p without its end; *next_out is past that. A CR
 * alone ends a line too, so a CRLF looks like an empty line behind each. */
static size_t line_at(const char *text, size_t len, size_t p, size_t *next_out)
{
	size_t e = p;

	while (e < len && !is_eol(text[e]))
		e++;
	*next_out = e < len ? e + 1 : len;
	return e - p;
}

/* The next line from p on, itself the start of one, that may be the first of a
 * file: "begin" or "=ybegin" is at its start. len: there is none. */
static size_t begin_find(const char *text, size_t len, size_t p)
{
	const char *line, *at = text + p;

	while ((at = find_letters(at, len - (size_t)(at - text), "begin", 5)) != NULL) {
		line = at - text >= (ptrdiff_t)p + 2 && str_istarts(at - 2, 2, "=y") ? at - 2 : at;
		if (line == text + p || is_eol(line[-1]))
			return (size_t)(line - text);
		at++;
	}
	return len;
}

bool decode_uu_find(const char *text, size_t len, size_t *from, struct decode_uu *out)
{
	size_t p = begin_find(text, len, *from), next;
	bool found = false;
	struct decode_uu other;

	while (p < len && !found) {
		size_t n = line_at(text, len, p, &next);
		found = uu_parse_begin(text + p, n, out);
		p = found ? next : begin_find(text, len, next);
	}
	*from = p;
	if (!found)
		return false;
	const char *last = out->kind == DECODE_UU ? "end" :
		out->kind == DECODE_YENC ? "=yend" : "====";
	size_t end = p;
	for (; end < len; end = next) {
		size_t n = line_at(text, len, end, &next);
		if (starts_word(text + end, n, last) || uu_parse_begin(text + end, n, &other))
			break;
	}
	*from = end;
	out->body = text + p;
	out->body_len = end - p;
	return true;
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
		return qp_push(d, in, n, out);
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
		return qp_end(d, out);
	case DECODE_UU:
		return d->state == UU_DATA ? uu_line_end(d, out) : 0;
	case DECODE_YENC:
	case DECODE_IDENTITY:
		break;
	}
	return 0;
}

static bool kind_lookup(const char *word, enum decode_kind *out)
{
	static const struct { const char *word; enum decode_kind kind; } table[] = {
		{ "base64", DECODE_BASE64 }, { "b64", DECODE_BASE64 },
		{ "quotedprintable", DECODE_QP }, { "qp", DECODE_QP },
		{ "xuuencode", DECODE_UU }, { "uuencode", DECODE_UU },
		{ "xyencode", DECODE_YENC }, { "yencode", DECODE_YENC },
		{ "xyenc", DECODE_YENC }, { "yenc", DECODE_YENC },
		{ "xuue", DECODE_UU }, { "uue", DECODE_UU },
		{ "7bit", DECODE_IDENTITY }, { "8bit", DECODE_IDENTITY },
		{ "binary", DECODE_IDENTITY }, { "none", DECODE_IDENTITY },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(word, table[i].word) == 0) {
			*out = table[i].kind;
			return true;
		}
	}
	return false;
}

/* Letters and digits of the value up to its end (or the end of its first
 * word, if only that is asked for), comments left out. */
static void kind_squeeze(const char *p, size_t n, bool first_word, char *out, size_t size)
{
	unsigned depth = 0;
	size_t w = 0;

	for (size_t i = 0; i < n && w + 1 < size; i++) {
		char c = str_lower(p[i]);
		bool is_gap = is_blank(c) || is_eol(c) || c == ',';
		if (c == '(') {
			depth++;
		} else if (c == ')' && depth > 0) {
			depth--;
		} else if (depth > 0) {
			continue;
		} else if (c == ';' || (first_word && w > 0 && is_gap)) {
			break;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
			out[w++] = c;
		}
	}
	out[w] = '\0';
}

enum decode_kind decode_kind_parse(const char *cte, size_t n, bool *known_out)
{
	enum decode_kind kind = DECODE_IDENTITY;
	char word[32];

	kind_squeeze(cte, n, false, word, sizeof word);
	*known_out = kind_lookup(word, &kind);
	if (!*known_out) {
		kind_squeeze(cte, n, true, word, sizeof word);
		kind_lookup(word, &kind);
	}
	return kind;
}

/* ---- header text --------------------------------------------------------- */

/* Windows-1252 from 0x80 to 0x9f. Text said to be ISO-8859-1 is read that way
 * too, as the mail readers do. */
static const uint16_t cp1252[32] = {
	0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
	0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
};

struct sink {
	char *out;
	size_t size, n;
};

static void sink_put(struct sink *s, unsigned c)
{
	if (s->n + 1 < s->size)
		s->out[s->n++] = (char)c;
}

static void sink_put_latin1(struct sink *s, unsigned char c)
{
	unsigned u = c >= 0x80 && c < 0xa0 ? cp1252[c - 0x80] : c;

	if (u < 0x80) {
		sink_put(s, u);
	} else if (u < 0x800) {
		sink_put(s, 0xc0 | u >> 6);
		sink_put(s, 0x80 | (u & 0x3f));
	} else {
		sink_put(s, 0xe0 | u >> 12);
		sink_put(s, 0x80 | (u >> 6 & 0x3f));
		sink_put(s, 0x80 | (u & 0x3f));
	}
}

static bool charset_is_latin1(const char *cs, size_t n)
{
	static const char *const names[] = {
		"iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "windows-1252", "cp1252",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (str_ieq_n(cs, n, names[i]))
			return true;
	return false;
}

bool decode_charset_is_plain(const char *charset, size_t n)
{
	static const char *const heads[] = {
		"utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4", "iso-8859-", "iso8859-", "iso_8859-",
		"latin", "windows-125", "windows-874", "windows-936", "windows-949", "windows-31j",
		"cp125", "cp437", "cp85", "cp86", "cp874", "cp932", "cp936", "cp949", "cp950", "ibm437",
		"ibm85", "ibm86", "koi8", "gb2312", "gb_2312", "gbk", "x-gbk", "gb18030", "big5",
		"x-big5", "shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "euc-jp", "x-euc-jp",
		"euc-kr", "x-euc-kr", "euc-cn", "x-euc-cn", "ks_c_5601",
		"ksc5601", "uhc", "tis-620", "viscii", "macintosh", "x-mac-", "iso-2022-", "unknown-8bit",
		"x-unknown", "unknown", "8bit", "binary", "default",
	};

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		if (str_istarts(charset, n, heads[i]))
			return true;
	return n == 0;
}

static void sink_text(struct sink *s, bool latin1, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (latin1)
			sink_put_latin1(s, p[i]);
		else
			sink_put(s, p[i]);
	}
}

size_t decode_charset(const char *charset, size_t charset_len, const char *in, size_t n,
	char *out, size_t size)
{
	struct sink s = { out, size, 0 };

	sink_text(&s, charset_is_latin1(charset, charset_len), (const unsigned char *)in, n);
	out[s.n] = '\0';
	return s.n;
}

struct word {
	bool latin1, is_plain, is_b;
	const char *text;
	size_t text_len, total;
};

/* =?charset*lang?B|Q?text?= at p. The text may hold blanks, and the final ?=
 * may be missing at the end of the value: readers accept both. */
static bool word_parse(const char *p, size_t n, struct word *w)
{
	if (n < 5 || p[0] != '=' || p[1] != '?')
		return false;
	const char *q = memchr(p + 2, '?', n - 2 < 80 ? n - 2 : 80);
	if (q == NULL || q == p + 2 || p + n - q < 3 || q[2] != '?')
		return false;
	if (str_lower(q[1]) != 'b' && str_lower(q[1]) != 'q')
		return false;
	const char *star = memchr(p + 2, '*', (size_t)(q - p) - 2);
	const size_t cs_len = (size_t)((star != NULL ? star : q) - p) - 2;
	w->latin1 = charset_is_latin1(p + 2, cs_len);
	w->is_plain = decode_charset_is_plain(p + 2, cs_len);
	w->is_b = str_lower(q[1]) == 'b';
	w->text = q + 3;
	const char *e = memmem(w->text, (size_t)(p + n - w->text), "?=", 2);
	w->text_len = (size_t)((e != NULL ? e : p + n) - w->text);
	w->total = e != NULL ? (size_t)(e + 2 - p) : n;
	return true;
}

static void word_decode_b(const struct word *w, struct sink *s)
{
	unsigned char out[64 + 80];
	struct decode d;

	decode_init(&d, DECODE_BASE64);
	for (size_t i = 0; i < w->text_len; i += 64) {
		size_t k = w->text_len - i < 64 ? w->text_len - i : 64;
		size_t m = decode_push(&d, (const unsigned char *)w->text + i, k, out);
		sink_text(s, w->latin1, out, m);
	}
	sink_text(s, w->latin1, out, decode_end(&d, out));
}

static void word_decode_q(const struct word *w, struct sink *s)
{
	for (size_t i = 0; i < w->text_len; i++) {
		unsigned char c = (unsigned char)w->text[i];
		if (c == '=' && w->text_len - i > 2 && hex_value(w->text[i + 1]) >= 0 &&
		    hex_value(w->text[i + 2]) >= 0) {
			c = (unsigned char)(hex_value(w->text[i + 1]) << 4 |
				hex_value(w->text[i + 2]));
			i += 2;
		} else if (c == '_') {
			c = ' ';
		}
		sink_text(s, w->latin1, &c, 1);
	}
}

/* Is there nothing but blanks and folds between these two places? */
static bool is_gap(const char *in, size_t from, size_t to)
{
	while (from < to && (is_blank(in[from]) || is_eol(in[from])))
		from++;
	return from == to;
}

size_t decode_words(const char *in, size_t n, char *out, size_t size)
{
	struct sink s = { out, size, 0 };
	size_t word_end = 0, word_out = 0; /* the last word: behind it in both texts */

	for (size_t i = 0; i < n;) {
		struct word w;
		if (in[i] == '=' && word_parse(in + i, n - i, &w)) {
			if (word_end > 0 && is_gap(in, word_end, i))
				s.n = word_out;
			if (w.is_b)
				word_decode_b(&w, &s);
			else
				word_decode_q(&w, &s);
			i += w.total;
			word_end = i;
			word_out = s.n;
			continue;
		}
		if (!is_eol(in[i]))
			sink_put(&s, (unsigned char)in[i]);
		i++;
	}
	out[s.n] = '\0';
	return s.n;
}

bool decode_words_are_plain(const char *in, size_t n)
{
	struct word w;

	for (size_t i = 0; i < n;) {
		bool is_word = in[i] == '=' && word_parse(in + i, n - i, &w);
		if (is_word && !w.is_plain)
			return false;
		i += is_word ? w.total : 1;
	}
	return true;
}
