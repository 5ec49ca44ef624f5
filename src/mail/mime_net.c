/* mime_net.c - the parts of a message that no boundary of ours begins, see
 * mime_walk.h.
 *
 * Readers misread boundaries in more ways than can be listed: a part is found
 * here by its header behind a line of dashes, whatever the boundary was meant
 * to be, and is walked to each line that a reader may take for its end. */
#include "mime_walk.h"

#include <string.h>

#include "str.h"

#define NET_ENDS_MAX 8u    /* ends that readers may see of one part */
#define LONG_LINE 900u     /* some read such a line in pieces */
#define PIECE 1023u        /* mutt's */
#define FIELD_NAME_MAX 998u /* octets of a line (RFC 5322 2.1.1) */
#define BOUNDARY_KEPT 70u  /* RFC 2046; of a longer one a reader may drop what is more */

void mime_net_add(struct walk *w, const char *p, size_t n, const struct mime_boundary *b,
	bool is_digest)
{
	struct walked_all *a = w->walked;

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

/* Lines that no boundary accounts for, and behind which a part may stand: some
 * reader may take them for a boundary of his. */
struct net {
	struct walk *w;
	struct search s;
	/* Between a line before no_field and no_field there is no field of ours;
	 * between the line asked about last and field no blank line. */
	size_t no_field, field;
	size_t part;             /* behind the last line that is accounted for */
	const struct walked *by; /* what accounts for it; NULL: it is the message */
	size_t kept;             /* what the best cut of a boundary had, behind that line */
	size_t line;             /* where the last line looked at began, for LF readers */
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

	mime_charge(w, MIME_CANDIDATE_WORK + a->n);
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
		mime_charge(w, m);
		best = m > best ? m : best;
	}
	return best >= 2 + BOUNDARY_KEPT ? best : 0;
}

/* Whatever stands between the name and the colon, line ends included. */
static bool is_part_field(const char *p, size_t n)
{
	const char c = str_lower(*p);

	return c == 'c' ? str_istarts(p, n, "content-") :
		c == 'x' && str_istarts(p, n, "x-sun-data-");
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

	for (; i < s->n && mime_is_eol(s->p[i]) && n < 2 && mime_goes_on(s, i); i++)
		n += s->p[i] == eol;
	mime_charge(w, i - from + 1);
	*is_blank = n == 2;
	return i;
}

/* A line of dashes with a colon in it may be a field too. */
static bool ends_fields(struct net *x, struct search *s, size_t i, bool is_closing)
{
	bool is_loose;

	if (!is_dashes(s, i))
		return false;
	const size_t n = mime_eol_find(s, i) - i;
	mime_charge(x->w, n);
	return memchr(s->p + i, ':', n) == NULL &&
		(is_closing || (accounts_for(x->w, s->p + i, s->p + s->n, &is_loose) && !is_loose));
}

/* Does a header that begins at the line end at i have a field of ours? The
 * header ends where no reading of it goes on, and at a line that is accounted
 * for. Behind a line that looks like a closing boundary, or is above a signature,
 * it ends at any dashes: the outer boundary may follow at once. */
static bool has_fields(struct net *x, size_t i, bool is_closing)
{
	struct search s = x->s;
	bool is_blank;

	if (i < x->no_field)
		return false;
	if (i < x->field && !is_closing)
		return true;
	while (!x->w->has_ended) {
		i = eols_skip(x->w, &s, i, &is_blank);
		if (i == s.n || is_blank || ends_fields(x, &s, i, is_closing))
			break;
		if (is_part_field(s.p + i, s.n - i)) {
			x->field = i;
			return true;
		}
		size_t end = mime_eol_find(&s, i);
		mime_charge(x->w, end - i);
		i = end;
	}
	x->no_field = i;
	return false;
}

static bool is_rule(const char *p, size_t n)
{
	while (n > 0 && (*p == '-' || mime_is_blank(*p))) {
		p++;
		n--;
	}
	return n == 0;
}

/* Does a line begin there that may be a field? */
static bool is_field_like(struct net *x, const struct search *s, size_t at)
{
	const size_t end = s->n - at > FIELD_NAME_MAX ? at + FIELD_NAME_MAX : s->n;
	size_t i = at;

	while (i < end && (unsigned char)s->p[i] > ' ' && s->p[i] != ':')
		i++;
	mime_charge(x->w, i - at);
	return i > at && i < end && s->p[i] == ':' && !is_dashes(s, at);
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
	mime_charge(w, h.scanned);
	if (h.n_cuts != 1)
		return false;
	mime_readings_make(&r, &h, p + h.cuts[0].fields_end);
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
		mime_charge(w, n);
		return n <= l->n && memcmp(l->text + l->n - n, p, n) == 0 ? l->n + 1 : 2;
	}
	while (k < n && k < l->n && p[k] == l->text[k])
		k++;
	mime_charge(w, k);
	return k == l->n && (n == k || (n == k + 2 && memcmp(p + k, "--", 2) == 0)) ? k + 1 : k;
}

/* A part that ends before the line at end; the line end belongs to that. */
static void net_walk(struct net *x, size_t from, size_t end, bool is_bare)
{
	const struct where at = { .depth = 1, .is_ambiguous = true, .is_bare = is_bare };
	const char *p = x->s.p;

	if (end < x->s.n && end > from) {
		end--;
		end -= end > from && p[end] == '\n' && p[end - 1] == '\r';
	}
	mime_walk_child(x->w, p + from, end - from, &at);
}

/* Has the part behind it a type, in all readings? Without one it is a message in a
 * digest, of which a net inside knows nothing. */
static bool has_type(struct net *x, size_t behind)
{
	struct walk *w = x->w;
	struct mime_head h;

	mime_head_read(x->s.p + behind, x->s.n - behind, w->budget->max_headers, &w->pace, &h);
	mime_charge(w, h.scanned);
	return h.n_cuts == 1 && h.type.n > 0 && !h.type.v[0].is_weak;
}

/* Once for each line that ends the part better than those before it, and once
 * to the end where there is no best one. */
static void net_take(struct net *x, const struct net_line *l)
{
	struct search s = x->s;
	struct walk *w = x->w;
	bool is_inside = in_message(x, (size_t)(l->text - s.p)) &&
		(!w->saw_digest || has_type(x, l->behind));
	const char *stop = x->by != NULL ? x->by->p + x->by->n : s.p + s.n;
	size_t best = 0, i = l->behind, match;
	bool is_loose;
	unsigned n = 0;

	do {
		size_t line = i = mime_dashes_find(w, &s, i);
		if (i < s.n) {
			i = mime_eol_find(&s, line);
			mime_charge(w, i - line);
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
		net_walk(x, l->behind, line, false);
	} while (best <= l->n && !w->has_ended);
}

/* Past the line end at i; CRs before an LF belong to it. */
static size_t eol_skip(const struct search *s, size_t i)
{
	size_t k = i;

	while (k < s->n && s->p[k] == '\r' && mime_goes_on(s, k))
		k++;
	if (k < s->n && s->p[k] == '\n' && !s->is_cr_text)
		return k + 1;
	return i + (i < s->n);
}

/* Behind an empty line, is there a text? Past both. */
static size_t text_begin(struct net *x, size_t end)
{
	struct search s = x->s;
	bool is_blank;
	size_t i = eols_skip(x->w, &s, end, &is_blank);
	const size_t from = i;

	while (is_blank && i < s.n && mime_is_space(s.p[i]) && mime_goes_on(&s, i))
		i++;
	mime_charge(x->w, i - from);
	return is_blank && i < s.n && !is_dashes(&s, i) ? i : s.n;
}

/* A part without any field of ours. It is a message in a digest, and else a text, of
 * which all but its beginning is looked at as part of what it is in: it is taken to the
 * next line of dashes, for there are many in texts. Rules are no boundaries there. */
static void net_take_bare(struct net *x, const struct net_line *l, size_t end)
{
	struct search s = x->s;
	bool is_blank;

	if (x->w->saw_digest) {
		if (text_begin(x, end) < s.n ||
		    is_field_like(x, &s, eols_skip(x->w, &s, end, &is_blank)))
			net_take(x, l);
		return;
	}
	mime_charge(x->w, l->n);
	const size_t i = is_rule(l->text, l->n) ? s.n : text_begin(x, end);
	if (i < s.n && !in_message(x, i))
		net_walk(x, l->behind, mime_dashes_find(x->w, &s, i), true);
}

static void net_candidate(struct net *x, const struct net_line *l, size_t end)
{
	if (has_fields(x, end, memcmp(l->text + l->n - 2, "--", 2) == 0))
		net_take(x, l);
	else
		net_take_bare(x, l, end);
}

/* Does the part behind the line end at i end within what accounts for it? A reader
 * who knows that boundary alone reads on to the next such line. */
static bool ends_inside(struct net *x, const struct walked *by, size_t i)
{
	struct search s = { .p = x->s.p, .n = (size_t)(by->p + by->n - x->s.p),
		.pace = &x->w->pace };
	const char *text = x->w->walked->text + by->text;

	if (s.n == x->s.n)
		return true;
	while ((i = mime_dashes_find(x->w, &s, i)) < s.n) {
		const size_t end = mime_eol_find(&s, i), n = by->text_len;
		const char *q = s.p + i + n;
		mime_charge(x->w, end - i);
		if (end - i >= n && memcmp(s.p + i, text, n) == 0 && (is_whole_line(q, s.p + end) ||
		    (end - i >= n + 2 && memcmp(q, "--", 2) == 0 && is_whole_line(q + 2, s.p + end))))
			return true;
		i = end;
	}
	return false;
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
			net_walk(x, x->part, i, false);
		x->kept = kept > x->kept ? kept : x->kept;
	}
	if (by != NULL) {
		x->by = by;
		x->part = eol_skip(&x->s, end);
		x->kept = 0;
		x->is_judged = is_loose; /* an epilogue is no message */
		x->message_at = x->s.n;
	}
	if (by == NULL || is_loose || !ends_inside(x, by, end))
		net_candidate(x, &(struct net_line){ p, n, eol_skip(&x->s, end), false }, end);
}

/* A reader of pieces sees a line begin in the middle of a long one. Its first
 * two dashes are at i. */
static void net_long_line(struct net *x, size_t i, size_t end)
{
	const char *p = x->s.p;

	if (end - x->line <= LONG_LINE ||
	    (x->s.is_cr_text && memrchr(p + end - LONG_LINE, '\r', LONG_LINE) != NULL))
		return;
	if (has_fields(x, end, false))
		net_take(x, &(struct net_line){ p + i, trimmed(p + i, end - i),
			eol_skip(&x->s, end), true });
}

/* And its boundary may fill one, with blanks; the header begins in the same line. */
static void net_pieces(struct net *x)
{
	const char *p = x->s.p, *lf = memchr(p + x->line, '\n', x->s.n - x->line);
	size_t end = lf != NULL ? (size_t)(lf - p) : x->s.n;

	mime_charge(x->w, end - x->line);
	while (end > x->line && p[end - 1] == '\r')
		end--;
	if (end - x->line < PIECE)
		return;
	for (size_t i = x->line; i + 2 < end && !x->w->has_ended; i += PIECE) {
		const bool is_last = end - i <= PIECE;
		const size_t n = trimmed(p + i, is_last ? end - i : PIECE);
		if (!is_dashes(&x->s, i))
			continue;
		if (is_last)
			net_candidate(x, &(struct net_line){ p + i, n, eol_skip(&x->s, end), false },
				end);
		else if (is_field_like(x, &x->s, i + PIECE))
			net_take(x, &(struct net_line){ p + i, n, i + PIECE, false });
	}
}

/* On to the line that at is in. */
static void net_go_on(struct net *x, size_t from, size_t at)
{
	const char *lf = at > from ? memrchr(x->s.p + from, '\n', at - from) : NULL;

	if (lf == NULL && from > 0)
		return;
	x->line = lf != NULL ? (size_t)(lf + 1 - x->s.p) : 0;
	net_pieces(x);
}

void mime_net_sweep(struct walk *w, const char *msg, size_t len)
{
	struct net x = { .w = w, .s = { .p = msg, .n = len, .pace = &w->pace,
		.is_cr_text = mime_is_cr_text(msg, len) } };
	size_t i = 0;

	w->in_net = true;
	while (!w->has_ended && i < len) {
		const char *q = memchr(msg + i, '-', len - i);
		size_t at = q != NULL ? (size_t)(q - msg) : len;
		mime_charge(w, at - i + MIME_CANDIDATE_WORK);
		if (q == NULL)
			return;
		net_go_on(&x, i, at);
		i = at + 1;
		if (!is_dashes(&x.s, at))
			continue;
		i = mime_eol_find(&x.s, at);
		mime_charge(w, i - at);
		if (at == 0 || mime_is_eol(q[-1]))
			net_line(&x, at, i);
		net_long_line(&x, at, i);
	}
}
