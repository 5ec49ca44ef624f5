/* mime_field.c - what a Content-* value says, see mime_int.h.
 *
 * Parameters are searched for by name anywhere in the value, not by walking
 * its grammar: a quote left open or a ';' left out hides a parameter from a
 * strict parser, and the reader that is not strict sees it. What is found
 * too much is a boundary that occurs nowhere, or one more name.
 * Sources: RFC 2045 5.1, RFC 2231 3 and 4, RFC 2047. */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>

#include "decode_words.h"
#include "str.h"

#define PIECES_MAX 64u     /* continuations of one parameter */
#define TEXT_MAX 4096u     /* octets of a parameter */
#define PARAMS_MAX 24u     /* parameters of one name, continuations aside */

struct param {
	const char *p;     /* inside the quotes, if there are some */
	size_t n;
	bool is_quoted, is_extended, is_piece;
	unsigned number;
};

struct text {
	size_t n;
	bool is_cut;
	char s[TEXT_MAX];
};

/* VT and FF are blanks for some readers. */
static bool is_wide_space(char c)
{
	return mime_is_space(c) || c == '\v' || c == '\f';
}

/* Past blanks, line ends and comments. */
static const char *skip_space(const char *p, const char *end)
{
	unsigned depth = 0;

	for (; p < end; p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !is_wide_space(*p))
			break;
	}
	return p;
}

void mime_type_parse(const struct mime_value *v, char *out, size_t size)
{
	const char *p = v->p, *end = v->p + v->n;
	bool has_slash = false, has_subtype = false;
	size_t w = 0;

	while ((p = skip_space(p, end)) < end && *p != ';' && *p != ',') {
		for (; p < end && !mime_is_space(*p) && strchr(";,(", *p) == NULL; p++) {
			char c = str_lower(*p);
			has_subtype |= has_slash;
			has_slash |= c == '/';
			if (c > ' ' && c != '"' && c < 0x7f && w + 1 < size)
				out[w++] = c;
		}
		if (p < end && *p == '\0')
			p++;
		if (has_subtype)
			break;
	}
	out[w] = '\0';
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_';
}

/* RFC 2231 behind a name: "*" extended, "*1" a continuation, "*1*" both. */
static const char *param_parse_star(const char *p, const char *end, struct param *out)
{
	p = skip_space(p, end);
	if (p == end || *p != '*')
		return p;
	for (p++; p < end && *p >= '0' && *p <= '9'; p++) {
		out->is_piece = true;
		if (out->number < 100000)
			out->number = out->number * 10 + (unsigned)(*p - '0');
	}
	out->is_extended = !out->is_piece;
	if (out->is_piece && p < end && *p == '*') {
		out->is_extended = true;
		p++;
	}
	return skip_space(p, end);
}

/* Behind a parameter's name: stars, the sign, the value. */
static bool param_parse(const char *p, const char *end, struct param *out)
{
	memset(out, 0, sizeof *out);
	p = param_parse_star(p, end, out);
	if (p == end || *p != '=')
		return false;
	const char *narrow = p + 1;
	p = skip_space(narrow, end);
	if (p == end || *p != '"') /* a VT may belong to the value */
		while (p > narrow && (p[-1] == '\v' || p[-1] == '\f'))
			p--;
	out->is_quoted = p < end && *p == '"';
	if (out->is_quoted)
		p++;
	out->p = p;
	if ((size_t)(end - p) > TEXT_MAX + 1) /* noticed as cut by who copies it */
		end = p + TEXT_MAX + 1;
	if (out->is_quoted) {
		for (; p < end && *p != '"'; p++)
			if (*p == '\\' && p + 1 < end)
				p++;
	} else {
		while (p < end && *p != ';')
			p++;
		while (p > out->p && mime_is_space(p[-1]))
			p--;
	}
	out->n = (size_t)(p - out->p);
	return true;
}

/* The next parameter of that name at or behind *at. */
static bool param_next(const struct mime_value *v, const char *name, size_t *at, struct param *out)
{
	size_t n = strlen(name), len = v->n < MIME_VALUE_MAX ? v->n : MIME_VALUE_MAX;

	for (; *at + n < len; ++*at) {
		const char *p = v->p + *at;
		if (str_lower(*p) != *name || !str_istarts(p, len - *at, name) ||
		    (*at > 0 && is_name_char(p[-1])))
			continue;
		++*at;
		if (param_parse(p + n, v->p + len, out))
			return true;
		--*at;
	}
	return false;
}

/* ---- boundaries ---------------------------------------------------------- */

void mime_boundaries_add(struct mime_boundaries *bs, const char *p, size_t n)
{
	struct mime_boundary b;

	b.n = 0;
	b.text[b.n++] = '-';
	b.text[b.n++] = '-';
	for (size_t i = 0; i < n; i++) {
		if (mime_is_eol(p[i]))
			continue;
		if (b.n == sizeof b.text) {
			bs->is_over = true;
			break;
		}
		b.text[b.n++] = p[i];
	}
	while (b.n > 2 && mime_is_blank(b.text[b.n - 1]))
		b.n--;
	for (unsigned i = 0; i < bs->n; i++)
		if (bs->b[i].n == b.n && memcmp(bs->b[i].text, b.text, b.n) == 0)
			return;
	if (bs->n == MIME_BOUNDARIES_MAX)
		bs->is_over = true;
	else
		bs->b[bs->n++] = b;
}

static void text_put(struct text *t, char c)
{
	if (t->n < sizeof t->s)
		t->s[t->n++] = c;
	else
		t->is_cut = true;
}

/* The value without line ends; backslashes of a quoted one taken off. */
static void text_put_param(struct text *t, const struct param *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->is_quoted && a->p[i] == '\\' && i + 1 < a->n)
			i++;
		if (!mime_is_eol(a->p[i]))
			text_put(t, a->p[i]);
	}
}

/* charset'language'text with %XX; the text goes to t, the charset is a range. */
static void text_put_extended(struct text *t, const struct param *a, bool has_charset,
	const char **charset, size_t *charset_len)
{
	const char *p = a->p, *end = a->p + a->n;
	const char *q1 = has_charset ? memchr(p, '\'', a->n) : NULL;
	const char *q2 = q1 != NULL ? memchr(q1 + 1, '\'', (size_t)(end - q1) - 1) : NULL;

	if (q2 != NULL) {
		*charset = p;
		*charset_len = (size_t)(q1 - p);
		p = q2 + 1;
	}
	for (; p < end; p++) {
		unsigned char c;
		if (*p == '%' && end - p > 2 && memchr(p + 1, '\0', 2) == NULL &&
		    str_unhex(&c, 1, p + 1) == 0) {
			text_put(t, (char)c);
			p += 2;
		} else if (!mime_is_eol(*p)) {
			text_put(t, *p);
		}
	}
}

/* Up to the first octet of set. */
static size_t span_until(const struct param *a, const char *set)
{
	size_t i = 0;

	while (i < a->n && (a->p[i] == '\0' || strchr(set, a->p[i]) == NULL))
		i++;
	return i;
}

/* Continuations in the order of their numbers, each decoded as its sign says. */
static int piece_order(const void *a, const void *b)
{
	const struct param *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->p < y->p ? -1 : x->p > y->p;
}

struct pieces {
	unsigned n;
	bool is_over;
	struct param v[PIECES_MAX];
};

static void pieces_add(struct pieces *ps, const struct param *a)
{
	if (ps->n < PIECES_MAX)
		ps->v[ps->n++] = *a;
	else
		ps->is_over = true;
}

static void pieces_join(struct pieces *ps, struct text *t, const char **charset,
	size_t *charset_len)
{
	qsort(ps->v, ps->n, sizeof ps->v[0], piece_order);
	for (unsigned i = 0; i < ps->n; i++) {
		if (ps->v[i].is_extended)
			text_put_extended(t, &ps->v[i], i == 0, charset, charset_len);
		else
			text_put_param(t, &ps->v[i]);
	}
}

static void boundary_add_text(struct mime_boundaries *bs, const struct text *t)
{
	bs->is_over |= t->is_cut;
	mime_boundaries_add(bs, t->s, t->n);
}

/* Without VT and FF around it, and without single quotes. */
static void boundary_add_bare(struct mime_boundaries *bs, const struct param *a)
{
	struct param b = *a;

	while (b.n > 0 && is_wide_space(*b.p)) {
		b.p++;
		b.n--;
	}
	b.n = span_until(&b, " \t\r\n\v\f\"(");
	mime_boundaries_add(bs, b.p, b.n);
	if (b.n > 0 && *b.p == '\'') {
		b.p++;
		b.n--;
		mime_boundaries_add(bs, b.p, span_until(&b, "'"));
	}
}

/* mutt takes encoded words for what they mean, Python takes angles off. */
static void boundary_add_meant(struct mime_boundaries *bs, const struct param *a)
{
	char words[TEXT_MAX];
	const char *p = a->p;
	size_t n = a->n;

	if (n > 0 && memmem(p, n, "=?", 2) != NULL)
		mime_boundaries_add(bs, words, decode_words(p, n, words, sizeof words));
	while (n > 2 && p[0] == '<' && p[n - 1] == '>') {
		p++;
		n -= 2;
	}
	if (n < a->n)
		mime_boundaries_add(bs, p, n);
}

/* What a value without quotes is, is said differently: up to a blank, up to
 * a comment, or up to the semicolon. */
static void boundary_add_plain(struct mime_boundaries *bs, const struct param *a)
{
	struct text t = { 0 };

	boundary_add_meant(bs, a);
	if (!a->is_quoted) {
		boundary_add_bare(bs, a);
		mime_boundaries_add(bs, a->p, span_until(a, " \t\r\n\"("));
		mime_boundaries_add(bs, a->p, span_until(a, " \t\r\n\""));
		mime_boundaries_add(bs, a->p, a->n);
		return;
	}
	text_put_param(&t, a);
	boundary_add_text(bs, &t);
	if (memchr(a->p, '\\', a->n) != NULL)
		mime_boundaries_add(bs, a->p, a->n);
}

static void boundary_add_extended(struct mime_boundaries *bs, const struct param *a)
{
	struct text t = { 0 };
	const char *cs = NULL;
	size_t cs_len = 0;

	text_put_extended(&t, a, true, &cs, &cs_len);
	boundary_add_text(bs, &t);
}

void mime_boundaries_read(const struct mime_value *v, struct mime_boundaries *out)
{
	struct pieces ps = { 0 };
	struct param a;
	unsigned n = 0;

	out->n = 0;
	out->is_over = v->n > MIME_VALUE_MAX;
	for (size_t at = 0; param_next(v, "boundary", &at, &a);) {
		if (++n > PARAMS_MAX + PIECES_MAX || ps.is_over)
			break;
		if (a.is_piece)
			pieces_add(&ps, &a);
		else if (a.is_extended)
			boundary_add_extended(out, &a);
		else
			boundary_add_plain(out, &a);
	}
	if (ps.n > 0) {
		struct text t = { 0 };
		const char *cs = NULL;
		size_t cs_len = 0;
		pieces_join(&ps, &t, &cs, &cs_len);
		boundary_add_text(out, &t);
	}
	out->is_over |= ps.is_over || n > PARAMS_MAX + PIECES_MAX;
}

/* ---- names --------------------------------------------------------------- */

static bool other_name_add(struct mime_part *part, const char *name)
{
	for (unsigned i = 0; i < part->n_other_names; i++)
		if (strcmp(part->other_names[i], name) == 0)
			return true;
	if (part->n_other_names == MIME_NAMES_MAX - 1)
		return false;
	strcpy(part->other_names[part->n_other_names++], name);
	return true;
}

/* The end of a name is what counts: the extension is there. */
static bool name_add_octets(struct mime_part *part, const char *s, size_t n)
{
	const size_t max = sizeof part->filename - 1;
	char name[sizeof part->filename];

	while (n > 0 && mime_is_space(*s)) {
		s++;
		n--;
	}
	if (n == 0)
		return true;
	str_copy_n(name, sizeof name, n > max ? s + n - max : s, n > max ? max : n);
	if (part->filename[0] == '\0') {
		memcpy(part->filename, name, sizeof name);
		return true;
	}
	return strcmp(part->filename, name) == 0 || other_name_add(part, name);
}

/* A NUL ends the name for some readers and is nothing for others. */
static bool name_add(struct mime_part *part, char *s, size_t n)
{
	const char *nul = memchr(s, '\0', n);
	bool fits = true;
	size_t w = 0;

	if (nul != NULL) {
		fits = name_add_octets(part, s, (size_t)(nul - s));
		for (size_t i = 0; i < n; i++)
			if (s[i] != '\0')
				s[w++] = s[i];
		n = w;
	}
	return name_add_octets(part, s, n) && fits;
}

static bool name_add_text(struct mime_part *part, const struct text *t, const char *charset,
	size_t charset_len)
{
	char a[3 * TEXT_MAX + 1], b[3 * TEXT_MAX + 1];
	size_t n = decode_charset(charset, charset_len, t->s, t->n, a, sizeof a);

	part->is_name_foreign |= !decode_charset_is_plain(charset, charset_len) ||
		!decode_words_are_plain(a, n);
	n = decode_words(a, n, b, sizeof b);
	return name_add(part, b, n) && !t->is_cut;
}

static bool name_add_param(struct mime_part *part, const struct param *a)
{
	struct text t = { 0 };
	const char *cs = "";
	size_t cs_len = 0;

	if (a->is_extended)
		text_put_extended(&t, a, true, &cs, &cs_len);
	else
		text_put_param(&t, a);
	if (!name_add_text(part, &t, cs, cs_len))
		return false;
	size_t word = a->is_quoted || a->is_extended ? a->n : span_until(a, " \t\r\n\"(");
	if (word == a->n || memmem(a->p, a->n, "=?", 2) != NULL)
		return true;
	const struct param first = { .p = a->p, .n = word };
	t.n = 0;
	text_put_param(&t, &first);
	return name_add_text(part, &t, cs, cs_len);
}

static bool names_read_key(const struct mime_value *v, const char *key, struct mime_part *part)
{
	struct pieces ps = { 0 };
	struct param a;
	bool fits = true;
	unsigned n = 0;

	for (size_t at = 0; fits && !ps.is_over && param_next(v, key, &at, &a);) {
		if (a.is_piece)
			pieces_add(&ps, &a);
		else
			fits = ++n <= PARAMS_MAX && name_add_param(part, &a);
	}
	if (ps.n > 0) {
		struct text t = { 0 };
		const char *cs = "";
		size_t cs_len = 0;
		pieces_join(&ps, &t, &cs, &cs_len);
		fits &= name_add_text(part, &t, cs, cs_len);
	}
	return fits && !ps.is_over;
}

bool mime_names_read(const struct mime_value *v, struct mime_part *part)
{
	bool fits = v->n <= MIME_VALUE_MAX;

	fits &= names_read_key(v, "filename", part);
	fits &= names_read_key(v, "name", part);
	return fits;
}

/* ---- fields that few readers know ------------------------------------------ */

/* A value that is a name, in quotes or not. */
static bool rare_name_add(struct mime_part *part, const char *p, size_t n)
{
	const bool was_named = part->filename[0] != '\0', is_quoted = n > 0 && *p == '"';
	struct param a = { .p = p + is_quoted, .n = n - is_quoted, .is_quoted = is_quoted };

	for (size_t i = 0; is_quoted && i < a.n; i++) {
		if (a.p[i] == '\\')
			i++;
		else if (a.p[i] == '"')
			a.n = i;
	}
	bool fits = name_add_param(part, &a);
	if (!was_named && part->filename[0] != '\0') {
		fits &= other_name_add(part, part->filename);
		part->filename[0] = '\0';
	}
	return fits;
}

bool mime_rare_name_read(const struct mime_value *v, struct mime_part *part)
{
	const char *end = v->p + (v->n < MIME_VALUE_MAX ? v->n : MIME_VALUE_MAX);
	const char *p = v->p;

	while (p < end && is_wide_space(*p))
		p++;
	while (end > p && is_wide_space(end[-1]))
		end--;
	return rare_name_add(part, p, (size_t)(end - p)) && v->n <= MIME_VALUE_MAX;
}

/* Behind "http://host", and nothing of "cid:part@host": a host is no extension. */
static const char *location_path(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && (is_name_char(*q) || *q == '+' || *q == '.'))
		q++;
	q = q < end && *q == ':' ? q + 1 : p;
	if (end - q >= 2 && q[0] == '/' && q[1] == '/') {
		const char *path = memchr(q + 2, '/', (size_t)(end - q) - 2);
		return path != NULL ? path : end;
	}
	const bool has_id = str_istarts(p, (size_t)(end - p), "cid:") ||
		str_istarts(p, (size_t)(end - p), "mid:");
	return has_id && memchr(q, '@', (size_t)(end - q)) != NULL ? end : p;
}

/* Blanks are none of its own (RFC 2557 4.4.2). Queries and fragments belong to
 * the name for some. */
bool mime_location_read(const struct mime_value *v, struct mime_part *part)
{
	struct text t = { 0 };

	for (size_t i = 0; i < v->n && !t.is_cut; i++)
		if (!is_wide_space(v->p[i]) && v->p[i] != '"')
			text_put(&t, v->p[i]);
	const char *end = t.s + t.n, *path = location_path(t.s, end);
	bool fits = rare_name_add(part, path, (size_t)(end - path));
	const struct param whole = { .p = path, .n = (size_t)(end - path) };
	const size_t bare = span_until(&whole, "?#;");
	return (bare == whole.n || rare_name_add(part, path, bare)) && fits && !t.is_cut;
}
