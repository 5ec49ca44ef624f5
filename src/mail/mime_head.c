/* mime_head.c - the header block of a part, see mime_int.h.
 *
 * Owns the question where a header ends and which fields that tell of content
 * are in it. Mail programs disagree about lines that are no header lines, lines of
 * blanks and bare CRs, so there may be more than one answer; each is given.
 * It does not look into the values. */
#include "mime_int.h"

#include <string.h>

#include "str.h"

/* What makes a line no header line to some reader. One that takes offence at some
 * of these ends the header at the first line that has any of them: so only a line
 * with one that was not seen before can be an end. */
enum odd {
	ODD_NO_COLON = 1,        /* mutt, Python; mutt takes the line away in a part */
	ODD_COLON_FIRST = 2,
	ODD_BLANK = 4,           /* before the colon: mutt in a message, Python */
	ODD_WORDS = 8,           /* before the colon: the same */
	ODD_OCTET = 16,          /* control or 8 bit, before the colon: Python */
	ODD_CONTINUES_NOTHING = 32, /* mutt, which takes it away */
	ODD_NUL_FIRST = 64,      /* to C programs an empty line: mutt takes it away */
	ODD_CR_FIRST = 128,      /* the same to who strips the spaces at its end ... */
	ODD_SPACE_FIRST = 256,   /* ... and this, VT or FF */
	/* An mbox line, not the first. */
	ODD_FROM_NO_COLON = 512, /* mutt in a part */
	ODD_FROM_QUOTED = 1024,  /* Python, which passes over those without a ">" */
	ODD_FROM_UNDATED = 2048, /* mutt in a message, which passes over those with ">" or date */
	ODD_FROM_DATED = 4096    /* or like it: the first may have one and the next not */
};
_Static_assert(ODD_FROM_DATED == 1u << (MIME_ODD_KINDS - 1), "kinds");
#define ODD_FROM (ODD_FROM_NO_COLON | ODD_FROM_QUOTED | ODD_FROM_UNDATED | ODD_FROM_DATED)

/* Readers that agree on what a line is. */
struct view {
	unsigned seen;           /* enum odd */
	unsigned n_dated;        /* of ODD_FROM_DATED that count: each does */
	bool has_white_cut, has_odd_cut;
	bool is_open, is_begun;  /* in an odd line; in its first line */
	bool is_field;           /* it is a field too */
	size_t start;            /* where it began */
};

struct reader {
	const char *p;
	size_t n;
	unsigned max_headers, n_headers;
	bool is_cr_text;
	bool has_line;           /* that a continuation may continue */
	struct view strict;      /* LF ends a line */
	struct view lax;         /* so does a bare CR; only asked where there is one */
	struct mime_head *h;
	struct pace *pace;
	struct mime_value *strong, *weak; /* the fields that a continuation belongs to */
	size_t from;             /* where the line before begins, if it is an mbox line; 0 none */
	size_t name, name_len;   /* of a field, if its colon follows behind spaces; 0 none */
};

struct line {
	size_t start, len, next;
	bool is_weak;            /* begins behind a bare CR */
	bool ends_weak;
};

bool mime_is_cr_text(const char *p, size_t n)
{
	return n > 0 && memchr(p, '\n', n) == NULL;
}

/* Past the octets from at on that are such; one line may be all there is. */
static inline size_t skip(const struct reader *r, size_t at, size_t end, bool (*is_such)(char c))
{
	bool on = true;

	while (on && at < end && is_such(r->p[at])) {
		const size_t start = at, stop = pace_end(at, end);
		while (at < stop && is_such(r->p[at]))
			at++;
		on = at < stop || pace_on(r->pace, at - start);
	}
	return at;
}

static bool is_text(char c) { return !mime_is_eol(c); }
static bool is_cr(char c) { return c == '\r'; }
static bool is_gap(char c) { return mime_is_blank(c) || c == '\v' || c == '\f'; }
static bool is_name(char c) { return c != ':' && (unsigned char)c > ' ' && c != 0x7f; }

/* A run of CRs before an LF is one line end; each other CR may be one. */
static void line_read(const struct reader *r, size_t at, bool is_weak, struct line *l)
{
	const size_t e = skip(r, at, r->n, is_text), lf = skip(r, e, r->n, is_cr);

	l->start = at;
	l->len = e - at;
	l->is_weak = is_weak;
	l->ends_weak = false;
	if (e == r->n) {
		l->next = e;
	} else if (lf == r->n || r->p[lf] == '\n') {
		/* In a text without any LF the CRs at the end are lines each. */
		l->next = lf == r->n ? (r->is_cr_text ? e + 1 : lf) : lf + 1;
	} else {
		/* Of many CRs two are enough: an empty line. */
		l->next = !r->is_cr_text && lf - e > 2 ? lf - 1 : e + 1;
		l->ends_weak = !r->is_cr_text;
	}
}

static bool is_white(const struct reader *r, const struct line *l)
{
	const size_t end = l->start + l->len;

	return skip(r, l->start, end, mime_is_blank) == end;
}

/* The offset of the colon in a header line, blanks before it allowed; 0 if
 * this is none. */
static size_t field_colon(const struct reader *r, const struct line *l)
{
	const size_t end = l->start + l->len, name = skip(r, l->start, end, is_name);
	const size_t i = skip(r, name, end, mime_is_blank);

	return name > l->start && i < end && r->p[i] == ':' ? i - l->start : 0;
}

static bool same_value(const struct mime_value *a, const struct mime_value *b)
{
	return a->n == b->n && a->is_weak == b->is_weak && memcmp(a->p, b->p, a->n) == 0;
}

/* What a field says twice in the same words is one reading. */
static void values_squeeze(struct mime_values *vs)
{
	for (unsigned i = 0; i + 1 < vs->n; i++) {
		if (same_value(&vs->v[i], &vs->v[vs->n - 1])) {
			vs->n--;
			return;
		}
	}
}

static struct mime_values *values_of(struct mime_head *h, const char *name, size_t n)
{
	if (str_ieq_n(name, n, "content-type"))
		return &h->type;
	if (str_ieq_n(name, n, "content-transfer-encoding"))
		return &h->encoding;
	if (str_ieq_n(name, n, "content-disposition"))
		return &h->disposition;
	if (str_ieq_n(name, n, "content-name") || str_ieq_n(name, n, "x-sun-data-name"))
		return &h->name;
	if (str_ieq_n(name, n, "content-location"))
		return &h->location;
	return NULL;
}

/* A new field, its value from at to the end of the line; where it is one of ours, the
 * entry for that. */
static struct mime_value *field_begin(struct reader *r, const char *name, size_t name_len,
	const struct line *l, size_t at, bool is_weak)
{
	struct mime_values *vs = values_of(r->h, name, name_len);
	if (vs == NULL)
		return NULL;
	values_squeeze(vs);
	if (vs->n == MIME_VALUES_MAX) {
		r->h->is_over = true;
		return NULL;
	}
	struct mime_value *v = &vs->v[vs->n++];
	*v = (struct mime_value){ r->p + at, l->start + l->len - at, is_weak };
	return v;
}

static struct mime_value *line_field(struct reader *r, const struct line *l, size_t colon)
{
	const char *p = r->p + l->start;
	size_t name = colon;

	while (name > 0 && mime_is_blank(p[name - 1]))
		name--;
	return field_begin(r, p, name, l, l->start + colon + 1, l->is_weak);
}

/* Some take any spaces before the colon, and those at which a header line is folded: a
 * line without a colon may be the name of a field, and one behind it have its colon. */
static void take_late_colon(struct reader *r, const struct line *l)
{
	const size_t end = l->start + l->len;
	size_t i = l->start;

	if (i == end || is_gap(r->p[i])) {
		if (r->name_len == 0)
			return;
	} else {
		i = skip(r, i, end, is_name);
		r->name = l->start;
		r->name_len = i - l->start;
	}
	i = skip(r, i, end, is_gap);
	if (i == end)
		return;
	if (r->name_len > 0 && r->p[i] == ':')
		r->weak = field_begin(r, r->p + r->name, r->name_len, l, i + 1, true);
	r->name_len = 0;
}

static void value_extend(struct reader *r, struct mime_value *v, const struct line *l)
{
	if (v != NULL)
		v->n = (size_t)(r->p + l->start + l->len - v->p);
}

/* No more than MIME_CUTS_MAX, for each of the two views: four for each kind of odd line
 * and each dated mbox line (view_take comes so far once: its beginning, its end, that of
 * its continuations, and the mbox line before it), two for a line of blanks; and two for
 * the end of the header and for an mbox line that is its first. */
static void cut_add(struct reader *r, size_t fields_end, size_t body)
{
	struct mime_head *h = r->h;
	bool is_odd = fields_end == body && fields_end > 0 && body < r->n;

	for (unsigned i = 0; i < h->n_cuts; i++)
		if (h->cuts[i].fields_end == fields_end && h->cuts[i].body == body)
			return;
	h->cuts[h->n_cuts++] = (struct mime_cut){ fields_end, body, is_odd };
}

static bool has_content_field(const struct mime_head *h)
{
	return h->type.n + h->encoding.n + h->disposition.n + h->name.n + h->location.n > 0;
}

/* Python, which passes over "From ", takes it for the body's first line where it is the
 * header's last. */
static void from_cut(struct reader *r)
{
	if (r->from > 0 && has_content_field(r->h))
		cut_add(r, r->from, r->from);
}

static void white_cut(struct reader *r, struct view *v, const struct line *l)
{
	if (v->has_white_cut)
		return;
	from_cut(r);
	cut_add(r, l->start, l->next);
	v->has_white_cut = true;
}

static bool is_from(const char *p, size_t n)
{
	return (n >= 5 && memcmp(p, "From ", 5) == 0) || (n >= 6 && memcmp(p, ">From ", 6) == 0);
}

static unsigned oddity_of_first(char c)
{
	switch (c) {
	case '\0':
		return ODD_NUL_FIRST;
	case '\r':
		return ODD_CR_FIRST;
	case '\v':
	case '\f':
		return ODD_SPACE_FIRST;
	default:
		return 0;
	}
}

/* A date has a time in it. */
static unsigned oddity_of_from(const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);
	const unsigned odd = *p == '>' ? ODD_FROM_QUOTED : ODD_FROM_UNDATED;

	if (colon == NULL)
		return odd | ODD_FROM_NO_COLON;
	for (; *p != '>' && colon != NULL; colon = memchr(colon + 1, ':', n - (size_t)(colon + 1 - p)))
		if (colon[-1] >= '0' && colon[-1] <= '9')
			return ODD_FROM_DATED;
	return odd;
}

/* What is odd about a line, up to its colon; enum odd. A NUL ends it for C programs. */
static unsigned oddity(const struct reader *r, size_t start, size_t end)
{
	const char *p = r->p;
	const unsigned odd_first = oddity_of_first(p[start]);
	unsigned odd = odd_first;
	size_t i = start;

	if (is_from(p + start, end - start))
		return oddity_of_from(p + start, end - start);
	for (; i < end && p[i] != ':' && p[i] != '\0'; i++) {
		if (i % PACE_OCTETS == PACE_OCTETS - 1 && !pace_on(r->pace, PACE_OCTETS))
			return 0;
		if (mime_is_blank(p[i])) {
			odd |= ODD_BLANK;
			continue;
		}
		odd |= odd & ODD_BLANK ? ODD_WORDS : 0;
		odd |= (unsigned char)p[i] < ' ' || (unsigned char)p[i] > 0x7e ? ODD_OCTET : 0;
	}
	if (i == end || p[i] != ':')
		return odd_first | ODD_NO_COLON;
	return i == start ? ODD_COLON_FIRST : odd;
}

/* The body begins at the odd line, or behind it. A field in that line does not count. */
static void odd_cut(struct reader *r, const struct view *v, size_t body)
{
	cut_add(r, v->is_field ? v->start : body, body);
}

/* An odd line may end the header. But where no field told of content before, and what
 * stands there begins like a field, that body is text which the readings around it have
 * too; it would also look like a message, with the next odd line in it, and so on:
 * honest mail may have many, "Subject : x" or lines that lost the blank before them.
 * An mbox line is a mailbox too, so the first odd line may be one. */
static void view_take(struct reader *r, struct view *v, unsigned odd, size_t start, bool is_field)
{
	const bool is_dated = odd == ODD_FROM_DATED, is_new = is_dated || (odd & ~v->seen) != 0;
	const bool is_more = v->has_odd_cut && (odd & ODD_FROM) != 0;

	v->seen |= odd;
	if (!is_new || ((is_field || is_more) && !has_content_field(r->h)))
		return;
	if (is_dated && v->n_dated == MIME_DATED_MAX) {
		r->h->is_over = true;
		return;
	}
	v->n_dated += is_dated;
	from_cut(r);
	v->has_odd_cut = true;
	v->is_open = v->is_begun = true;
	v->is_field = is_field;
	v->start = start;
	odd_cut(r, v, start);
}

/* A line begins. The odd one before it ends here, or with its continuations. */
static void view_go_on(struct reader *r, struct view *v, size_t at, bool continues,
	bool begins_text)
{
	if (v->is_open && (v->is_begun || !continues) && (begins_text || has_content_field(r->h)))
		odd_cut(r, v, at);
	v->is_begun = false;
	v->is_open &= continues;
}

/* The line as each view has it: one that holds bare CRs is one line, and several. */
static void take_odd(struct reader *r, const struct line *l, size_t colon)
{
	const bool has_cr = l->is_weak || l->ends_weak, is_field = colon > 0;
	const bool is_indented = l->len > 0 && mime_is_blank(r->p[l->start]);
	const size_t start = l->start;
	size_t end = start + l->len;
	const bool begins_text = !is_field && !is_from(r->p + start, l->len);

	view_go_on(r, &r->lax, start, is_indented, begins_text);
	if (!l->is_weak)
		view_go_on(r, &r->strict, start, is_indented, begins_text);
	if (is_indented) {
		if (!r->has_line && !is_white(r, l))
			view_take(r, &r->strict, ODD_CONTINUES_NOTHING, start, false);
		return;
	}
	if (has_cr && l->len > 0)
		view_take(r, &r->lax, oddity(r, start, end), start, is_field);
	if (l->is_weak)
		return;
	if (l->ends_weak) {
		const char *lf = memchr(r->p + end, '\n', r->n - end);
		end = lf != NULL ? (size_t)(lf - r->p) : r->n;
	}
	if (end > start)
		view_take(r, &r->strict, oddity(r, start, end), start, is_field);
}

/* A piece of a line behind a bare CR: it belongs to the value before it, and
 * may be a line of its own. */
static void take_weak_line(struct reader *r, const struct line *l, size_t colon)
{
	value_extend(r, r->strong, l);
	if (is_white(r, l))
		white_cut(r, &r->lax, l);
	else if (mime_is_blank(r->p[l->start]) || colon == 0)
		value_extend(r, r->weak, l);
	else
		r->weak = line_field(r, l, colon);
}

/* An mbox line that is the first. One with a date, so with a colon, is passed over by most
 * and common in mailboxes. mutt ends the header of a part at another, and takes that away,
 * and Python at one with ">". */
static void take_mbox_line(struct reader *r, const struct line *l)
{
	const char *p = r->p + l->start;

	if (memchr(p, ':', l->len) != NULL)
		return;
	if (*p == '>')
		cut_add(r, 0, 0);
	cut_add(r, l->next, l->next);
}

/* Returns false at the end of the header. */
static bool take_line(struct reader *r, const struct line *l)
{
	const char *p = r->p + l->start;
	size_t colon = field_colon(r, l);
	const bool is_mbox = l->start == 0 && is_from(p, l->len);

	if (colon > 0 && ++r->n_headers > r->max_headers) {
		r->h->is_over = true;
		cut_add(r, l->start, l->start);
		return false;
	}
	if (is_mbox)
		take_mbox_line(r, l);
	else
		take_odd(r, l, colon);
	r->has_line |= !is_mbox;
	if (l->is_weak) {
		take_weak_line(r, l, colon);
	} else if (l->len == 0 && !l->ends_weak) {
		from_cut(r);
		cut_add(r, l->start, l->next);
		return false;
	} else if (is_white(r, l)) {
		white_cut(r, l->ends_weak ? &r->lax : &r->strict, l);
	} else if (mime_is_blank(*p)) {
		value_extend(r, r->strong, l);
		value_extend(r, r->weak, l);
	} else if (colon > 0) {
		r->weak = NULL;
		r->strong = line_field(r, l, colon);
	} else if (!is_mbox) {
		r->strong = r->weak = NULL;
	}
	if (colon > 0)
		r->name_len = 0;
	else if (!is_mbox)
		take_late_colon(r, l);
	r->from = is_from(p, l->len) ? l->start : 0;
	return true;
}

void mime_head_read(const char *p, size_t n, unsigned max_headers, struct pace *pace,
	struct mime_head *h)
{
	struct reader r = { .p = p, .n = n, .max_headers = max_headers, .h = h, .pace = pace,
		.is_cr_text = mime_is_cr_text(p, n) };
	struct line l = { 0 };
	bool more = true;

	memset(h, 0, sizeof *h);
	while (more && l.next < n) {
		line_read(&r, l.next, l.ends_weak, &l);
		more = take_line(&r, &l) && pace_on(pace, l.next - l.start);
	}
	if (h->n_cuts == 0)
		cut_add(&r, n, n);
	values_squeeze(&h->type);
	h->scanned = l.next + (r.is_cr_text ? n : 0);
}
