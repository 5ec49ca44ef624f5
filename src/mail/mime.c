/* mime.c - walks a message in memory and hands out its parts, see mime.h.
 *
 *   walk_part ─► header readings ─► report ─► walk_multipart ─► walk_part ...
 *   mime_net_sweep, once behind it ─► walk_part ...
 *
 * Owns ranges and budgets. A multipart's range is searched for its own
 * boundaries once per reading; its children get the ranges between them, so
 * an outer boundary ends whatever is inside. It decodes nothing and does not
 * go into nested messages: the caller decodes those and walks them again.
 * Sources: RFC 2045, RFC 2046 5.1. */
#include "mime.h"

#include <stdint.h>
#include <string.h>

#include "mime_walk.h"
#include "str.h"

#define VALUE_WORK 16u     /* an octet of a Content-* value costs as much as so many searched */

static void walk_part(struct walk *w, const char *p, size_t n, const struct where *at);

void mime_charge(struct walk *w, uint64_t work)
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
	if (w->number - w->n_bare == w->budget->max_parts && !w->part.is_bare) {
		w->is_over = w->has_ended = true;
		return;
	}
	w->part.number = ++w->number;
	w->n_bare += w->part.is_bare;
	w->part.is_guess = w->in_net;
	if (!w->fn(w->arg, &w->part))
		w->is_stopped = w->has_ended = true;
}

/* Text that belongs to no part. Nobody misses one of line ends only. */
static void report_filler(struct walk *w, const char *p, size_t n, const struct where *at)
{
	size_t i = 0;

	while (i < n && mime_is_space(p[i]))
		if (++i % PACE_OCTETS == 0)
			mime_charge(w, PACE_OCTETS);
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

struct delimiter {
	size_t text_end, next;   /* of what is before it; where its line ends */
	bool is_close, is_lax;
};

/* Past the line at i, which may end in a bare CR. */
static size_t line_end(const struct search *s, size_t i)
{
	const char *p = s->p;
	size_t n = s->n;

	while (i < n && !mime_is_eol(p[i]) && mime_goes_on(s, i))
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
	while (i < n && mime_is_blank(p[i]) && mime_goes_on(s, i))
		i++;
	size_t cr = i;
	while (i < n && p[i] == '\r' && mime_goes_on(s, i))
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
size_t mime_eol_find(struct search *s, size_t i)
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
size_t mime_dashes_find(struct walk *w, struct search *s, size_t i)
{
	while (!w->has_ended) {
		const char *q = i < s->n ? memchr(s->p + i, '-', s->n - i) : NULL;
		size_t at = q != NULL ? (size_t)(q - s->p) : s->n;
		mime_charge(w, at - i + MIME_CANDIDATE_WORK);
		if (q == NULL)
			break;
		if (s->n - at >= 2 && q[1] == '-' && (at == 0 || mime_is_eol(q[-1])))
			return at;
		i = mime_eol_find(s, at);
		mime_charge(w, i - at);
	}
	return s->n;
}

static bool delimiter_find(struct walk *w, struct search *s, size_t from, struct delimiter *d)
{
	size_t i = from;

	while ((i = mime_dashes_find(w, s, i)) < s->n) {
		if (s->n - i >= s->b->n && memcmp(s->p + i, s->b->text, s->b->n) == 0) {
			delimiter_at(s, i, from, d);
			if (!d->is_lax || s->takes_lax)
				return true;
			s->saw_lax = true;
		}
		size_t end = mime_eol_find(s, i);
		mime_charge(w, end - i);
		i = end;
	}
	return false;
}

void mime_walk_child(struct walk *w, const char *p, size_t n, const struct where *at)
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
				mime_walk_child(w, s->p + start, end - start, &at);
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

	mime_net_add(w, p, n, b, at.is_digest);
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
	while (!out->is_over && (i = mime_dashes_find(w, &s, i)) < n) {
		size_t end = mime_eol_find(&s, i), last = end;
		mime_charge(w, end - i);
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

	mime_charge(w, VALUE_WORK * type->n);
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
void mime_readings_make(struct readings *r, const struct mime_head *h, const char *fields_end)
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
		mime_charge(w, VALUE_WORK * vs->v[i].n);
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

/* A part, and one reading of where its header ends. */
struct cut_part {
	const char *p;
	size_t n;
	const struct mime_head *h;
	const struct mime_cut *cut;
	struct readings r;
};

/* The part as of that type, or without one (NULL): a message then in a digest. */
static void walk_type(struct walk *w, const struct cut_part *c, const struct mime_value *type,
	const struct where *at)
{
	const char *p = c->p, *fields_end = p + c->cut->fields_end;
	const size_t body = c->cut->body;
	struct where inside = *at;

	memset(&w->part, 0, sizeof w->part);
	w->part.depth = at->depth;
	w->part.hdr = p;
	w->part.hdr_len = body;
	w->part.body = p + body;
	w->part.body_len = c->n - body;
	w->part.is_ambiguous = at->is_ambiguous;
	w->part.is_bare = at->is_bare;
	part_read_names(w, &c->h->disposition, mime_names_read, fields_end);
	part_read_names(w, &c->h->type, mime_names_read, fields_end);
	part_read_names(w, &c->h->name, mime_rare_name_read, fields_end);
	part_read_names(w, &c->h->location, mime_location_read, fields_end);
	part_set_type(&w->part, type, at->is_digest);
	bool is_multipart = w->part.is_multipart;
	inside.depth = at->depth + 1;
	inside.is_bare = false; /* what is in it counts */
	inside.is_digest = strncmp(w->part.type, "multipart/digest", 16) == 0;
	w->saw_digest |= inside.is_digest;
	for (unsigned e = 0; e < c->r.n_encodings; e++) {
		w->part.encoding = c->r.encoding[e].kind;
		w->part.encoding_known = c->r.encoding[e].is_known;
		report(w);
	}
	if (type != NULL && !w->has_ended)
		walk_multipart(w, p + body, c->n - body, type, is_multipart, &inside);
}

/* Near a digest, readers that differ about boundaries also differ about what is in it. */
static void walk_cut(struct walk *w, struct cut_part *c, const struct where *at)
{
	const struct where in_digest = { at->depth, .is_digest = true, .is_ambiguous = true };
	struct where as = *at;
	const struct readings *r = &c->r;

	mime_readings_make(&c->r, c->h, c->p + c->cut->fields_end);
	as.is_ambiguous |= c->h->n_cuts > 1 || c->cut->is_odd || r->n_types > 1 ||
		r->n_encodings > 1;
	for (unsigned t = 0; t < r->n_types && !w->has_ended; t++) {
		walk_type(w, c, r->type[t], &as);
		if (r->type[t] == NULL && w->saw_digest && !at->is_digest && at->depth > 0)
			walk_type(w, c, NULL, &in_digest);
	}
}

static void walk_part(struct walk *w, const char *p, size_t n, const struct where *at)
{
	struct mime_head h;

	mime_head_read(p, n, w->budget->max_headers, &w->pace, &h);
	if (w->pace.is_over)
		w->is_stopped = w->has_ended = true;
	mime_charge(w, h.scanned);
	w->is_over |= h.is_over;
	for (unsigned i = 0; i < h.n_cuts && !w->has_ended; i++) {
		struct cut_part c = { .p = p, .n = n, .h = &h, .cut = &h.cuts[i] };
		walk_cut(w, &c, at);
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
	mime_net_sweep(&w, msg, len);
	if (w.is_stopped)
		return MIME_STOPPED;
	return w.is_over ? MIME_OVER_BUDGET : MIME_DONE;
}
