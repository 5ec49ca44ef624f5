/* mime_head.c - the header block of a part, see mime_int.h.
 *
 * Owns the question where a header ends and which fields that tell of content
 * are in it. Mail programs disagree about lines that are no header lines, lines of
 * blanks and bare CRs, so there may be more than one answer; each is given.
 * It does not look into the values. */
#include "mime_int.h"

#include <string.h>

#include "str.h"

struct reader {
	const char *p;
	size_t n;
	unsigned max_headers, n_headers;
	bool is_cr_text;
	bool has_blank_cut, has_bad_cut;
	struct mime_head *h;
	struct pace *pace;
	struct mime_value *strong, *weak; /* the fields that a continuation belongs to */
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

/* A new field; where it is one of ours, the entry for its value. */
static struct mime_value *field_begin(struct reader *r, const struct line *l, size_t colon)
{
	const char *p = r->p + l->start;
	size_t name = colon;

	while (name > 0 && mime_is_blank(p[name - 1]))
		name--;
	struct mime_values *vs = values_of(r->h, p, name);
	if (vs == NULL)
		return NULL;
	values_squeeze(vs);
	if (vs->n == MIME_VALUES_MAX) {
		r->h->is_over = true;
		return NULL;
	}
	struct mime_value *v = &vs->v[vs->n++];
	*v = (struct mime_value){ p + colon + 1, l->len - colon - 1, l->is_weak };
	return v;
}

static void value_extend(struct reader *r, struct mime_value *v, const struct line *l)
{
	if (v != NULL)
		v->n = (size_t)(r->p + l->start + l->len - v->p);
}

static void cut_add(struct reader *r, size_t fields_end, size_t body)
{
	bool is_odd = fields_end == body && fields_end > 0 && body < r->n;

	r->h->cuts[r->h->n_cuts++] = (struct mime_cut){ fields_end, body, is_odd };
}

static bool is_mbox_line(const struct reader *r, const struct line *l)
{
	return l->start == 0 && (str_istarts(r->p, l->len, "From ") ||
		str_istarts(r->p, l->len, ">From "));
}

/* A piece of a line behind a bare CR: it belongs to the value before it, and
 * may be a line of its own. */
static void take_weak_line(struct reader *r, const struct line *l, size_t colon)
{
	const char *p = r->p + l->start;

	value_extend(r, r->strong, l);
	if (is_white(r, l)) {
		if (!r->has_blank_cut)
			cut_add(r, l->start, l->next);
		r->has_blank_cut = true;
	} else if (mime_is_blank(*p) || colon == 0) {
		value_extend(r, r->weak, l);
	} else {
		r->weak = field_begin(r, l, colon);
	}
}

/* Returns false at the end of the header. */
static bool take_line(struct reader *r, const struct line *l)
{
	const char *p = r->p + l->start;
	size_t colon = field_colon(r, l);

	if (colon > 0 && ++r->n_headers > r->max_headers) {
		r->h->is_over = true;
		cut_add(r, l->start, l->start);
		return false;
	}
	if (l->is_weak) {
		take_weak_line(r, l, colon);
	} else if (l->len == 0 && !l->ends_weak) {
		cut_add(r, l->start, l->next);
		return false;
	} else if (is_white(r, l)) {
		if (!r->has_blank_cut)
			cut_add(r, l->start, l->next);
		r->has_blank_cut = true;
	} else if (mime_is_blank(*p)) {
		value_extend(r, r->strong, l);
		value_extend(r, r->weak, l);
	} else if (colon > 0) {
		r->weak = NULL;
		r->strong = field_begin(r, l, colon);
	} else if (!is_mbox_line(r, l)) {
		r->strong = r->weak = NULL;
		if (!r->has_bad_cut)
			cut_add(r, l->start, l->start);
		r->has_bad_cut = true;
	}
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
