/* decode_uu.c - encoded files in a text, see decode_uu.h.
 *
 * Finds where they begin and end; what is in them decode.c decodes.
 * Sources: POSIX uuencode, the manual of sharutils (file names in base64), the
 * yEnc draft 1.3. */
#include "decode_uu.h"

#include <string.h>

#include "decode_int.h"
#include "find.h"
#include "pace.h"
#include "str.h"

#define NAME_CODE_MAX 1024u      /* octets of a name in base64, of a multiple of four */

/* Does the line begin with this word, a blank or its end behind it? */
static bool starts_word(const char *p, size_t n, const char *word)
{
	size_t k = strlen(word);

	return str_istarts(p, n, word) && (n == k || is_blank(p[k]));
}

/* The end of a name is what counts: the extension is there. */
static void name_copy(struct decode_uu *out, const char *p, size_t n)
{
	const size_t max = sizeof out->name - 1;

	str_copy_n(out->name, sizeof out->name, n > max ? p + n - max : p, n > max ? max : n);
}

static bool yenc_parse_begin(const char *p, size_t n, struct decode_uu *out)
{
	const char *name = memmem(p, n, "name=", 5);

	if (!str_istarts(p, n, "=ybegin "))
		return false;
	if (name != NULL)
		name_copy(out, name + 5, n - (size_t)(name + 5 - p));
	else
		out->name[0] = '\0';
	out->kind = DECODE_YENC;
	return true;
}

static const struct begin {
	const char *word;
	enum decode_kind kind;
	bool is_name_encoded;    /* in base64 */
} begins[] = {
	{ "begin", DECODE_UU, false },
	{ "begin-base64", DECODE_BASE64, false },
	{ "begin-encoded", DECODE_UU, true },
	{ "begin-base64-encoded", DECODE_BASE64, true },
};

static const struct begin *begin_of(const char *p, size_t n)
{
	if (!str_istarts(p, n, "begin"))
		return NULL;
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (starts_word(p, n, begins[i].word))
			return &begins[i];
	return NULL;
}

/* Where nothing comes of it, it is a name as it stands. */
static void name_decode(struct decode_uu *out, const char *p, size_t n)
{
	unsigned char name[NAME_CODE_MAX + 2 * DECODE_HELD];
	struct decode d;

	if (n > NAME_CODE_MAX) {
		const size_t skipped = (n - NAME_CODE_MAX + 3) / 4 * 4;
		p += skipped;
		n -= skipped;
	}
	decode_init(&d, DECODE_BASE64);
	size_t k = decode_push(&d, (const unsigned char *)p, n, name);
	k += decode_end(&d, name + k);
	if (k > 0)
		name_copy(out, (const char *)name, k);
	else
		name_copy(out, p, n);
}

/* "begin 644 name", "begin-base64 644 name", and Outlook's "begin  name".
 * Prose that begins a line with the word "begin" is not meant, but where prose is
 * not expected (is_announced) some readers take it. */
static bool uu_parse_begin(const char *p, size_t n, bool is_announced, struct decode_uu *out)
{
	const struct begin *begin = begin_of(p, n);
	size_t blanks = 0, digits = 0;

	if (begin == NULL)
		return yenc_parse_begin(p, n, out);
	size_t i = strlen(begin->word);
	for (; i < n && is_blank(p[i]); i++)
		blanks++;
	size_t start = i;
	for (; i < n && p[i] >= '0' && p[i] <= '9'; i++)
		digits++;
	if (digits > 0 && (i == n || is_blank(p[i]))) {
		while (i < n && is_blank(p[i]))
			i++;
	} else if (blanks >= (is_announced ? 1 : 2)) {
		i = start;
	} else {
		return false;
	}
	while (n > i && is_blank(p[n - 1]))
		n--;
	if (n == i && digits == 0 && !is_announced)
		return false;
	if (begin->is_name_encoded)
		name_decode(out, p + i, n - i);
	else
		name_copy(out, p + i, n - i);
	out->kind = begin->kind;
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
static size_t begin_find(const char *text, size_t len, size_t p, struct pace *pace)
{
	const char *line, *from = text + p, *at = from;

	while ((at = find_letters(at, len - (size_t)(at - text), "begin", 5)) != NULL) {
		line = at - text >= (ptrdiff_t)p + 2 && str_istarts(at - 2, 2, "=y") ? at - 2 : at;
		if (line == text + p || is_eol(line[-1]))
			return (size_t)(line - text);
		at++;
		if (!pace_on(pace, (size_t)(at - from)))
			break;
		from = at;
	}
	return len;
}

/* What only is_announced makes a beginning ends no file: those that would be
 * found without it are found as they are. */
bool decode_uu_find(const char *text, size_t len, size_t *from, bool is_announced,
	struct pace *pace, struct decode_uu *out)
{
	size_t p = begin_find(text, len, *from, pace), next;
	bool found = false;
	struct decode_uu other;

	while (p < len && !found) {
		size_t n = line_at(text, len, p, &next);
		found = uu_parse_begin(text + p, n, is_announced, out);
		if (!pace_on(pace, next - p))
			next = len;
		p = found ? next : begin_find(text, len, next, pace);
	}
	*from = p;
	if (!found)
		return false;
	const char *last = out->kind == DECODE_UU ? "end" :
		out->kind == DECODE_YENC ? "=yend" : "====";
	size_t end = p;
	for (; end < len; end = next) {
		size_t n = line_at(text, len, end, &next);
		if (starts_word(text + end, n, last) || uu_parse_begin(text + end, n, false, &other) ||
		    !pace_on(pace, next - end))
			break;
	}
	*from = end;
	out->body = text + p;
	out->body_len = end - p;
	out->is_ended = len - end >= 3 && memcmp(text + end, "end", 3) == 0 &&
		(len - end == 3 || is_eol(text[end + 3]));
	return true;
}

/* The octets of the next line, or piece of one, with its end. */
static size_t piece_at(const char *p, size_t len, unsigned reading)
{
	const size_t max = len < DECODE_UU_PIECE ? len : DECODE_UU_PIECE;

	for (size_t n = 0; n < max; n++)
		if (p[n] == '\n' || (p[n] == '\r' && reading == 3))
			return n + 1;
	return max;
}

bool decode_uu_find_first(const char *text, size_t len, unsigned reading, struct pace *pace,
	struct decode_uu *out)
{
	const char *spaces = reading == 3 ? " " : " \t\n\v\f\r";
	size_t n;

	for (size_t p = 0; p < len; p += n) {
		n = piece_at(text + p, len - p, reading);
		if (n > 5 && memcmp(text + p, "begin", 5) == 0 && text[p + 5] != '\0' &&
		    strchr(spaces, text[p + 5]) != NULL) {
			*out = (struct decode_uu){ .kind = DECODE_UU, .body = text + p + n,
				.body_len = len - p - n };
			return true;
		}
		if (!pace_on(pace, n))
			break;
	}
	return false;
}

bool decode_uu_is_plain(const char *text, size_t len, struct pace *pace)
{
	size_t n;

	for (size_t p = 0; p < len; p += n) {
		const char *lf = memchr(text + p, '\n', len - p);
		n = lf != NULL ? (size_t)(lf + 1 - text) - p : len - p;
		const char *cr = memchr(text + p, '\r', n);
		if (n > DECODE_UU_PIECE || (cr != NULL && cr + 1 != lf) || !pace_on(pace, n) ||
		    (n > 3 && memcmp(text + p, "end", 3) == 0 && !is_eol(text[p + 3])))
			return false;
	}
	return true;
}
