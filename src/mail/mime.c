/* mime.c - walks a message in memory and hands out its parts, see mime.h.
 *
 *   walk_part ─► header readings ─► report ─► walk_multipart ─► walk_part ...
 *   net_sweep, once behind it ─► walk_part ...
 *
 * Owns ranges and budgets. A multipart's range is searched for its own
 * boundaries once per reading; its children get the ranges between them, so
 * an outer boundary ends whatever is inside. Readers misread boundaries in more
 * ways than can be listed: the net finds parts by their headers, whatever the
 * boundary was meant to be. It decodes nothing and does not go into nested
 * messages: the caller decodes those and walks them again.
 * Sources: RFC 2045, RFC 2046 5.1. */
#include "mime.h"

#include <stdint.h>
#include <string.h>

#include "mime_int.h"
#include "str.h"

/* What costs as much as searching so many octets: */
#define CANDIDATE_WORK 16u /* looking at one dash */
#define VALUE_WORK 16u     /* an octet of a Content-* value */

#define WALKED_MAX 1024u   /* boundaries remembered; of more, parts are walked twice */
#define WALKED_TEXT 16384u /* octets of theirs */
#define NET_ENDS_MAX 8u    /* ends that readers may see of one part */
#define LONG_LINE 900u     /* some read such a line in pieces */
#define BOUNDARY_KEPT 70u  /* RFC 2046; of a longer one a reader may drop what is more */

/* A boundary, and the range that was searched for it. */
struct walked {
	const char *p;
	size_t n;
	uint16_t text, text_len;
	bool is_digest;
};

struct walked_all {
	unsigned n;
	size_t used;             /* of text */
	struct walked v[WALKED_MAX];
	char text[WALKED_TEXT];
};

struct walk {
	const struct mime_budget *budget;
	mime_part_fn fn;
	void *arg;
	uint64_t *work_left;
	struct pace pace;
	unsigned number;
	bool is_over, is_stopped, has_ended;
	struct mime_part part;   /* the one being reported */
	size_t first_body;       /* of the message: where its first reading begins */
	struct walked_all *walked;
};

/* How a range is to be read. */
struct where {
	unsigned depth;
	bool is_digest, is_ambiguous;
};

/* The readings of the fields of one part. */
struct readings {
	const struct mime_value *type[MIME_VALUES_MAX + 1]; /* NULL: there is none */
	unsigned n_types;
	struct { enum decode_kind kind; bool is_known; } encoding[MIME_VALUES_MAX + 1];
	unsigned n_encodings;
};

static void walk_part(struct walk *w, const char *p, size_t n, const struct where *at);

static void charge(struct walk *w, uint64_t work)
{
	if (work > *w->work_left) {
		*w->work_left = 0;
		w->is_over = w->has_ended = true;
		return;
	}
	*w->work_left -= work;
	if (!w->has_ended && !pace_on(&w->pace, work))
		w->is_stopped = w->has_ended = true;
}

static void report(struct walk *w)
{
	if (w->has_ended)
		return;
	if (w->number == w->budget->max_parts) {
		w->is_over = w->has_ended = true;
		return;
	}
	w->part.number = ++w->number;
	if (!w->fn(w->arg, &w->part))
		w->is_stopped = w->has_ended = true;
}

/* Text that belongs to no part. Nobody misses one of line ends only. */
static void report_filler(struct walk *w, const char *p, size_t n, const struct where *at)
{
	size_t i = 0;

	while (i < n && mime_is_space(p[i]))
		if (++i % PACE_OCTETS == 0)
			charge(w, PACE_OCTETS);
	if (i == n || w->has_ended)
		return;
	memset(&w->part, 0, sizeof w->part);
	w->part.depth = at->depth;
	w->part.hdr = w->part.body = p;
	w->part.body_len = n;
	str_copy(w->part.type, sizeof w->part.type, "text/plain");
	w->part.encoding_known = true;
	w->part.is_filler = true;
	w->part.is_ambiguous = at->is_ambiguous;
	report(w);
}

/* ---- boundaries ---------------------------------------------------------- */

struct search {
	const char *p;
	size_t n;
	const struct mime_boundary *b;
	struct pace *pace;
	bool is_cr_text;
	bool takes_lax;          /* lines that only begin with the boundary count too */
	bool saw_lax;
	size_t lf_from, lf_end;  /* the only LF between these two is the last octet */
};

struct delimiter {
	size_t text_end, next;   /* of what is before it; where its line ends */
	bool is_close, is_lax;
};

/* Is there another piece of a loop, of which i octets are looked at? */
static bool goes_on(const struct search *s, size_t i)
{
	return i % PACE_OCTETS != PACE_OCTETS - 1 || pace_on(s->pace, PACE_OCTETS);
}

/* Past the line at i, which may end in a bare CR. */
static size_t line_end(const struct search *s, size_t i)
{
	const char *p = s->p;
	size_t n = s->n;

	while (i < n && !mime_is_eol(p[i]) && goes_on(s, i))
		i++;
	if (n - i > 1 && p[i] == '\r' && p[i + 1] == '\n')
		i++;
	return i + (i < n);
}

/* What stands behind the boundary in its line. */
static void delimiter_tail(const struct search *s, size_t i, struct delimiter *d)
{
	const char *p = s->p;
	size_t n = s->n;

	d->is_close = n - i >= 2 && p[i] == '-' && p[i + 1] == '-';
	if (d->is_close)
		i += 2;
	while (i < n && mime_is_blank(p[i]) && goes_on(s, i))
		i++;
	size_t cr = i;
	while (i < n && p[i] == '\r' && goes_on(s, i))
		i++;
	if (i == n || p[i] == '\n') {
		d->next = s->is_cr_text && cr < n ? cr + 1 : i + (i < n);
	} else if (i > cr) {
		d->next = cr + 1;
		d->is_lax |= !s->is_cr_text;
	} else {
		d->is_lax = true;
		d->next = s->takes_lax ? line_end(s, i) : n;
	}
}

/* The boundary at i, which is the beginning of a line. */
static void delimiter_at(const struct search *s, size_t i, size_t from, struct delimiter *d)
{
	const char *p = s->p;

	d->is_lax = i > 0 && p[i - 1] == '\r' && !s->is_cr_text;
	delimiter_tail(s, i + s->b->n, d);
	d->text_end = i;
	if (i > from) { /* the line end belongs to the boundary */
		d->text_end--;
		if (i - 1 > from && p[i - 1] == '\n' && p[i - 2] == '\r')
			d->text_end--;
	}
}

/* The first CR or LF at or behind i, else the end. The LF is remembered: it
 * may be far behind many CRs. */
static size_t eol_find(struct search *s, size_t i)
{
	const char *q;

	if (i < s->lf_from || i >= s->lf_end) {
		q = memchr(s->p + i, '\n', s->n - i);
		s->lf_from = i;
		s->lf_end = (q != NULL ? (size_t)(q - s->p) : s->n) + 1;
	}
	size_t lf = s->lf_end - 1;
	q = memchr(s->p + i, '\r', lf - i);
	return q != NULL ? (size_t)(q - s->p) : lf;
}

/* The next line at or behind i that begins with "--", else the end. */
static size_t dashes_find(struct walk *w, struct search *s, size_t i)
{
	while (!w->has_ended) {
		const char *q = i < s->n ? memchr(s->p + i, '-', s->n - i) : NULL;
		size_t at = q != NULL ? (size_t)(q - s->p) : s->n;
		charge(w, at - i + CANDIDATE_WORK);
		if (q == NULL)
			break;
		if (s->n - at >= 2 && q[1] == '-' && (at == 0 || mime_is_eol(q[-1])))
			return at;
		i = eol_find(s, at);
		charge(w, i - at);
	}
	return s->n;
}

static bool delimiter_find(struct walk *w, struct search *s, size_t from, struct delimiter *d)
{
	size_t i = from;

	while ((i = dashes_find(w, s, i)) < s->n) {
		if (s->n - i >= s->b->n && memcmp(s->p + i, s->b->text, s->b->n) == 0) {
			delimiter_at(s, i, from, d);
			if (!d->is_lax || s->takes_lax)
				return true;
			s->saw_lax = true;
		}
		size_t end = eol_find(s, i);
		charge(w, end - i);
		i = end;
	}
	return false;
}

static void walk_child(struct walk *w, const char *p, size_t n, const struct where *at)
{
	if (at->depth > w->budget->max_depth) {
		w->is_over = true;
		report_filler(w, p, n, at);
	} else if (n > 0) {
		walk_part(w, p, n, at);
	}
}

/* What lies between the boundaries. In the pass that takes lax ones, what the
 * strict pass had seen with the same two ends is left out. Behind a closing
 * boundary there should be no parts; a reader may show them. Returns whether
 * there was a boundary. */
static bool walk_segments(struct walk *w, struct search *s, const struct where *children)
{
	enum { BEFORE, INSIDE, BEHIND } state = BEFORE;
	struct where at = *children;
	struct delimiter d = { 0 };
	bool begins_lax = false, found = false, more;
	size_t start = 0;

	do {
		more = delimiter_find(w, s, start, &d);
		size_t end = more ? d.text_end : s->n;
		if (w->has_ended || (!more && !found))
			break;
		if (!s->takes_lax || begins_lax || (more && d.is_lax)) {
			if (state == INSIDE)
				walk_child(w, s->p + start, end - start, &at);
			else
				report_filler(w, s->p + start, end - start, &at);
		}
		found = true;
		at.is_ambiguous |= state == BEHIND;
		state = d.is_close ? BEHIND : INSIDE;
		begins_lax = d.is_lax;
		start = d.next;
	} while (more);
	return found;
}

static void walked_add(struct walked_all *a, const char *p, size_t n,
	const struct mime_boundary *b, bool is_digest)
{
	for (unsigned i = 0; i < a->n; i++) {
		const struct walked *k = &a->v[i];
		if (p >= k->p && p + n <= k->p + k->n && b->n == k->text_len &&
		    memcmp(b->text, a->text + k->text, b->n) == 0)
			return;
	}
	if (a->n == WALKED_MAX || b->n > sizeof a->text - a->used)
		return;
	memcpy(a->text + a->used, b->text, b->n);
	a->v[a->n++] = (struct walked){ p, n, (uint16_t)a->used, (uint16_t)b->n, is_digest };
	a->used += b->n;
}

/* One boundary in both readings: whole lines, and lines that begin with it
 * (RFC 2046 5.1.2 compares the beginning; with "abc" outside and "abcdef"
 * inside that takes the inner ones for outer ones). Returns whether the
 * boundary occurs as a whole line. */
static bool walk_boundary(struct walk *w, const char *p, size_t n, const struct mime_boundary *b,
	const struct where *children)
{
	struct search s = { .p = p, .n = n, .b = b, .pace = &w->pace,
		.is_cr_text = mime_is_cr_text(p, n) };
	struct where at = *children;

	walked_add(w->walked, p, n, b, at.is_digest);
	bool found = walk_segments(w, &s, &at);
	if (s.saw_lax) {
		s.takes_lax = true;
		at.is_ambiguous = true;
		walk_segments(w, &s, &at);
	}
	return found;
}

/* The lines that look like boundaries; is_over where they are too many. */
static void boundary_guess(struct walk *w, const char *p, size_t n, struct mime_boundaries *out)
{
	struct search s = { .p = p, .n = n };
	size_t i = 0;

	out->n = 0;
	out->is_over = false;
	while (!out->is_over && (i = dashes_find(w, &s, i)) < n) {
		size_t end = eol_find(&s, i), last = end;
		charge(w, end - i);
		while (last > i + 2 && mime_is_blank(p[last - 1]))
			last--;
		if (last > i + 2 && last - i <= 2 + MIME_BOUNDARY_MAX)
			mime_boundaries_add(out, p + i + 2, last - i - 2);
		i = end;
	}
}

/* A part that may be a multipart: with each boundary its type names, and if
 * none of these occurs, with some that do, and as text. */
static void walk_multipart(struct walk *w, const char *p, size_t n, const struct mime_value *type,
	bool is_multipart, const struct where *children)
{
	struct mime_boundaries bs;
	struct where at = *children;
	bool found = false;

	charge(w, VALUE_WORK * type->n);
	mime_boundaries_read(type, &bs);
	if (bs.n == 0 && !is_multipart)
		return;
	w->is_over |= bs.is_over;
	at.is_ambiguous |= bs.n != 1 || !is_multipart;
	for (unsigned i = 0; i < bs.n && !w->has_ended; i++)
		found |= walk_boundary(w, p, n, &bs.b[i], &at);
	if (found || !is_multipart)
		return;
	at.is_ambiguous = true;
	boundary_guess(w, p, n, &bs);
	w->is_over |= bs.is_over;
	for (unsigned i = 0; i < bs.n && !w->has_ended; i++)
		walk_boundary(w, p, n, &bs.b[i], &at);
	report_filler(w, p, n, &at);
}

/* ---- parts --------------------------------------------------------------- */

static void readings_add_encoding(struct readings *r, enum decode_kind kind, bool is_known)
{
	for (unsigned i = 0; i < r->n_encodings; i++) {
		if (r->encoding[i].kind == kind) {
			r->encoding[i].is_known &= is_known;
			return;
		}
	}
	r->encoding[r->n_encodings].kind = kind;
	r->encoding[r->n_encodings++].is_known = is_known;
}

/* The fields before the cut, and "no such field" where only a reader that
 * takes bare CRs for line ends sees one. */
static void readings_make(struct readings *r, const struct mime_head *h, const char *fields_end)
{
	bool has_type = false, has_encoding = false;

	memset(r, 0, sizeof *r);
	for (unsigned i = 0; i < h->type.n; i++) {
		const struct mime_value *v = &h->type.v[i];
		if (v->p <= fields_end) {
			r->type[r->n_types++] = v;
			has_type |= !v->is_weak;
		}
	}
	if (!has_type)
		r->type[r->n_types++] = NULL;
	for (unsigned i = 0; i < h->encoding.n; i++) {
		const struct mime_value *v = &h->encoding.v[i];
		bool is_known;
		if (v->p <= fields_end) {
			enum decode_kind kind = decode_kind_parse(v->p, v->n, &is_known);
			readings_add_encoding(r, kind, is_known);
			has_encoding |= !v->is_weak;
		}
	}
	if (!has_encoding)
		readings_add_encoding(r, DECODE_IDENTITY, true);
}

typedef bool (*names_read_fn)(const struct mime_value *v, struct mime_part *part);

static void part_read_names(struct walk *w, const struct mime_values *vs, names_read_fn names_read,
	const char *fields_end)
{
	for (unsigned i = 0; i < vs->n; i++) {
		if (vs->v[i].p > fields_end)
			continue;
		charge(w, VALUE_WORK * vs->v[i].n);
		w->is_over |= !names_read(&vs->v[i], &w->part);
	}
}

static void part_set_type(struct mime_part *part, const struct mime_value *type, bool is_digest)
{
	part->type[0] = '\0';
	if (type != NULL)
		mime_type_parse(type, part->type, sizeof part->type);
	if (part->type[0] == '\0')
		str_copy(part->type, sizeof part->type,
			is_digest ? "message/rfc822" : "text/plain");
	part->is_multipart = strncmp(part->type, "multipart", 9) == 0;
	part->is_message = strncmp(part->type, "message", 7) == 0;
}

/* One reading of where the header ends. */
static void walk_cut(struct walk *w, const char *p, size_t n, const struct mime_head *h,
	const struct mime_cut *cut, const struct where *at)
{
	struct readings r;
	struct where inside = *at;

	readings_make(&r, h, p + cut->fields_end);
	inside.is_ambiguous |= h->n_cuts > 1 || cut->is_odd || r.n_types > 1 || r.n_encodings > 1;
	for (unsigned t = 0; t < r.n_types && !w->has_ended; t++) {
		memset(&w->part, 0, sizeof w->part);
		w->part.depth = at->depth;
		w->part.hdr = p;
		w->part.hdr_len = cut->body;
		w->part.body = p + cut->body;
		w->part.body_len = n - cut->body;
		w->part.is_ambiguous = inside.is_ambiguous;
		part_read_names(w, &h->disposition, mime_names_read, p + cut->fields_end);
		part_read_names(w, &h->type, mime_names_read, p + cut->fields_end);
		part_read_names(w, &h->name, mime_rare_name_read, p + cut->fields_end);
		part_read_names(w, &h->location, mime_location_read, p + cut->fields_end);
		part_set_type(&w->part, r.type[t], at->is_digest);
		bool is_multipart = w->part.is_multipart;
		inside.depth = at->depth + 1;
		inside.is_digest = strncmp(w->part.type, "multipart/digest", 16) == 0;
		for (unsigned e = 0; e < r.n_encodings; e++) {
			w->part.encoding = r.encoding[e].kind;
			w->part.encoding_known = r.encoding[e].is_known;
			report(w);
		}
		if (r.type[t] != NULL && !w->has_ended)
			walk_multipart(w, p + cut->body, n - cut->body, r.type[t], is_multipart,
				&inside);
	}
}

static void walk_part(struct walk *w, const char *p, size_t n, const struct where *at)
{
	struct mime_head h;

	mime_head_read(p, n, w->budget->max_headers, &w->pace, &h);
	if (w->pace.is_over)
		w->is_stopped = w->has_ended = true;
	charge(w, h.scanned);
	w->is_over |= h.is_over;
	if (at->depth == 0)
		w->first_body = h.cuts[0].body;
	for (unsigned i = 0; i < h.n_cuts && !w->has_ended; i++)
		walk_cut(w, p, n, &h, &h.cuts[i], at);
}

/* ---- the net ------------------------------------------------------------- */

/* Lines that no boundary accounts for, and behind which a header of a part
 * stands: some reader may take them for a boundary of his. */
struct net {
	struct walk *w;
	struct search s;
	/* Between a line before no_field and no_field there is no field of ours;
	 * between the line asked about last and field no blank line. */
	size_t no_field, field;
	size_t part;             /* behind the last line that is accounted for */
	const struct walked *by; /* what accounts for it; NULL: it is the message */
	size_t kept;             /* what the best cut of a boundary had, behind that line */
	bool is_judged;          /* is message_at known? */
	size_t message_at;       /* where the message begins that this part is, or n */
};

/* One of those: what stands behind it, and what it may be. */
struct net_line {
	const char *text;
	size_t n, behind;
	bool is_long;            /* the boundary is somewhere at its end */
};

static bool is_whole_line(const char *q, const char *end)
{
	while (q < end && mime_is_blank(*q))
		q++;
	return q == end || mime_is_eol(*q);
}

/* The walk that made a part of what is behind that line. Loosely where the line
 * only begins with the boundary: it may close it, and then there is no part, or
 * be another boundary, that ends elsewhere. */
static const struct walked *accounts_for(struct walk *w, const char *q, const char *end,
	bool *is_loose)
{
	const struct walked_all *a = w->walked;
	const struct walked *loose = NULL;

	charge(w, CANDIDATE_WORK + a->n);
	for (unsigned i = 0; i < a->n; i++) {
		const struct walked *k = &a->v[i];
		const size_t n = k->text_len;
		if (q < k->p || q >= k->p + k->n || (size_t)(end - q) < n ||
		    memcmp(q, a->text + k->text, n) != 0)
			continue;
		*is_loose = !is_whole_line(q + n, end);
		if (!*is_loose)
			return k;
		loose = k;
	}
	return loose;
}

/* How much of a boundary that line has, for a reader who keeps so much of it. */
static size_t boundary_kept(struct walk *w, const char *q, size_t n)
{
	const struct walked_all *a = w->walked;
	size_t best = 0;

	for (unsigned i = 0; i < a->n; i++) {
		const struct walked *k = &a->v[i];
		size_t m = 0;
		if (k->text_len <= 2 + BOUNDARY_KEPT || q < k->p || q >= k->p + k->n)
			continue;
		while (m < n && m < k->text_len && q[m] == a->text[k->text + m])
			m++;
		charge(w, m);
		best = m > best ? m : best;
	}
	return best >= 2 + BOUNDARY_KEPT ? best : 0;
}

static bool is_part_field(const char *p, size_t n)
{
	static const char *const names[] = { "content-type", "content-transfer-encoding",
		"content-disposition", "x-sun-data-type", "x-sun-data-name" };

	if (str_lower(*p) != 'c' && str_lower(*p) != 'x')
		return false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t k = strlen(names[i]);
		if (!str_istarts(p, n, names[i]))
			continue;
		while (k < n && mime_is_blank(p[k]))
			k++;
		return k < n && p[k] == ':';
	}
	return false;
}

static bool is_dashes(const struct search *s, size_t i)
{
	return s->n - i >= 2 && s->p[i] == '-' && s->p[i + 1] == '-';
}

/* Past the line ends at i. Are there two, so an empty line? */
static size_t eols_skip(struct walk *w, const struct search *s, size_t i, bool *is_blank)
{
	const char eol = s->is_cr_text ? '\r' : '\n';
	const size_t from = i;
	unsigned n = 0;

	for (; i < s->n && mime_is_eol(s->p[i]) && n < 2 && goes_on(s, i); i++)
		n += s->p[i] == eol;
	charge(w, i - from + 1);
	*is_blank = n == 2;
	return i;
}

/* Does a header that begins at the line end at i have a field of ours? The
 * header ends where no reading of it goes on, and at a line that is accounted
 * for. Behind a line that looks like a closing boundary, or is above a signature,
 * it ends at any dashes: the outer boundary may follow at once. */
static bool has_fields(struct net *x, size_t i, bool is_closing)
{
	struct search s = x->s;
	bool is_blank, is_loose;

	if (i < x->no_field)
		return false;
	if (i < x->field && !is_closing)
		return true;
	while (!x->w->has_ended) {
		i = eols_skip(x->w, &s, i, &is_blank);
		if (i == s.n || is_blank)
			break;
		if (is_dashes(&s, i) && (is_closing ||
		    (accounts_for(x->w, s.p + i, s.p + s.n, &is_loose) && !is_loose)))
			break;
		if (is_part_field(s.p + i, s.n - i)) {
			x->field = i;
			return true;
		}
		size_t end = eol_find(&s, i);
		charge(x->w, end - i);
		i = end;
	}
	x->no_field = i;
	return false;
}

/* Is that line inside a part that is a message as it stands, in every reading?
 * The caller walks that, with a net of its own. */
static bool in_message(struct net *x, size_t at)
{
	const char *p = x->s.p + x->part;
	const size_t n = x->s.n - x->part;
	struct walk *w = x->w;
	struct mime_head h;
	struct readings r;
	char type[64] = "";

	if (x->is_judged)
		return at >= x->message_at;
	x->is_judged = true;
	x->message_at = x->s.n;
	mime_head_read(p, n, w->budget->max_headers, &w->pace, &h);
	charge(w, h.scanned);
	if (h.n_cuts != 1)
		return false;
	readings_make(&r, &h, p + h.cuts[0].fields_end);
	if (r.n_types != 1 || r.n_encodings != 1 || r.encoding[0].kind != DECODE_IDENTITY)
		return false;
	if (r.type[0] != NULL)
		mime_type_parse(r.type[0], type, sizeof type);
	if (strncmp(type, "message", 7) == 0 ||
	    (type[0] == '\0' && x->by != NULL && x->by->is_digest))
		x->message_at = x->part + h.cuts[0].body;
	return at >= x->message_at;
}

static size_t trimmed(const char *p, size_t n)
{
	while (n > 2 && mime_is_blank(p[n - 1]))
		n--;
	return n;
}

/* How far a line of dashes is the one that ends what l begins: a reader may
 * compare only the beginning, so the longer what both have in common the
 * better. More than l->n: nobody reads on. */
static size_t net_match(struct walk *w, const struct net_line *l, const char *p, size_t n)
{
	size_t k = 0;

	n = trimmed(p, n);
	if (l->is_long) {
		if (n > 4 && memcmp(p + n - 2, "--", 2) == 0)
			n -= 2;
		charge(w, n);
		return n <= l->n && memcmp(l->text + l->n - n, p, n) == 0 ? l->n + 1 : 2;
	}
	while (k < n && k < l->n && p[k] == l->text[k])
		k++;
	charge(w, k);
	return k == l->n && (n == k || (n == k + 2 && memcmp(p + k, "--", 2) == 0)) ? k + 1 : k;
}

/* A part that ends before the line at end; the line end belongs to that. */
static void net_walk(struct net *x, size_t from, size_t end)
{
	const struct where at = { .depth = 1, .is_ambiguous = true };
	const char *p = x->s.p;

	if (end < x->s.n && end > from) {
		end--;
		end -= end > from && p[end] == '\n' && p[end - 1] == '\r';
	}
	walk_child(x->w, p + from, end - from, &at);
}

/* Once for each line that ends the part better than those before it, and once
 * to the end where there is no best one. */
static void net_take(struct net *x, const struct net_line *l)
{
	struct search s = x->s;
	struct walk *w = x->w;
	bool is_inside = in_message(x, (size_t)(l->text - s.p));
	const char *stop = x->by != NULL ? x->by->p + x->by->n : s.p + s.n;
	size_t best = 0, i = l->behind, match;
	bool is_loose;
	unsigned n = 0;

	do {
		size_t line = i = dashes_find(w, &s, i);
		if (i < s.n) {
			i = eol_find(&s, line);
			charge(w, i - line);
			match = net_match(w, l, s.p + line, i - line);
			is_inside &= s.p + line < stop &&
				!accounts_for(w, s.p + line, s.p + s.n, &is_loose);
		} else {
			match = l->n + 1;
			is_inside &= stop == s.p + s.n;
		}
		if (match <= best || w->has_ended)
			continue;
		best = match;
		if (is_inside)
			continue;
		if (n++ == NET_ENDS_MAX) {
			w->is_over = true;
			return;
		}
		net_walk(x, l->behind, line);
	} while (best <= l->n && !w->has_ended);
}

/* Past the line end at i; CRs before an LF belong to it. */
static size_t eol_skip(const struct search *s, size_t i)
{
	size_t k = i;

	while (k < s->n && s->p[k] == '\r' && goes_on(s, k))
		k++;
	if (k < s->n && s->p[k] == '\n' && !s->is_cr_text)
		return k + 1;
	return i + (i < s->n);
}

static void net_line(struct net *x, size_t i, size_t end)
{
	const char *p = x->s.p + i;
	const size_t n = trimmed(p, end - i);
	bool is_loose = false;
	const struct walked *by = accounts_for(x->w, p, x->s.p + x->s.n, &is_loose);

	if (by == NULL && x->by != NULL) {
		size_t kept = boundary_kept(x->w, p, n);
		if (kept > x->kept)
			net_walk(x, x->part, i);
		x->kept = kept > x->kept ? kept : x->kept;
	}
	if (by != NULL) {
		x->by = by;
		x->part = eol_skip(&x->s, end);
		x->kept = 0;
		x->is_judged = is_loose; /* an epilogue is no message */
		x->message_at = x->s.n;
	}
	if ((by == NULL || is_loose) && has_fields(x, end, memcmp(p + n - 2, "--", 2) == 0))
		net_take(x, &(struct net_line){ p, n, eol_skip(&x->s, end), false });
}

/* A reader of pieces sees a line begin in the middle of a long one. Its first
 * two dashes are at i. */
static void net_long_line(struct net *x, size_t i, size_t end)
{
	const char *p = x->s.p, *tail = p + end - LONG_LINE;

	if (end <= LONG_LINE || memrchr(tail, '\n', LONG_LINE) != NULL ||
	    memrchr(tail, '\r', LONG_LINE) != NULL)
		return;
	if (has_fields(x, end, false))
		net_take(x, &(struct net_line){ p + i, trimmed(p + i, end - i),
			eol_skip(&x->s, end), true });
}

static void net_sweep(struct walk *w, const char *msg, size_t len)
{
	struct net x = { .w = w, .s = { .p = msg, .n = len, .pace = &w->pace,
		.is_cr_text = mime_is_cr_text(msg, len) } };
	size_t i = w->first_body;

	while (!w->has_ended && i < len) {
		const char *q = memchr(msg + i, '-', len - i);
		size_t at = q != NULL ? (size_t)(q - msg) : len;
		charge(w, at - i + CANDIDATE_WORK);
		i = at + 1;
		if (q == NULL || !is_dashes(&x.s, at))
			continue;
		i = eol_find(&x.s, at);
		charge(w, i - at);
		if (at == 0 || mime_is_eol(q[-1]))
			net_line(&x, at, i);
		net_long_line(&x, at, i);
	}
}

enum mime_result mime_walk(const char *msg, size_t len, const struct mime_budget *b,
	mime_part_fn fn, void *arg)
{
	struct walked_all walked;
	struct walk w = { .budget = b, .fn = fn, .arg = arg, .walked = &walked,
		.pace = { .go_on = b->go_on, .arg = arg } };
	const struct where at = { 0 };

	/* Each level is searched once, or a few times where readers differ.
	 * Ambiguous levels in each other double the work: that ends here. */
	uint64_t work = ((uint64_t)len + 65536) * ((uint64_t)b->max_depth + 64);
	w.work_left = b->work_left != NULL ? b->work_left : &work;
	walked.n = 0;
	walked.used = 0;
	walk_part(&w, msg, len, &at);
	net_sweep(&w, msg, len);
	if (w.is_stopped)
		return MIME_STOPPED;
	return w.is_over ? MIME_OVER_BUDGET : MIME_DONE;
}
