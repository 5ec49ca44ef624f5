/* decode_kind.c - names of transfer encodings, see decode.h.
 *
 * As lenient as the mail readers: a word that one of them takes is known.
 * Source: RFC 2045 6.1. */
#include <string.h>

#include "decode.h"
#include "decode_int.h"
#include "str.h"

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

/* Does each reader know that word? Python compares it with all that stands behind. */
static bool is_standard(const char *p, size_t n)
{
	static const char *const words[] = { "base64", "quoted-printable", "x-uuencode", "uuencode",
		"7bit", "8bit", "binary" };

	while (n > 0 && is_blank(*p)) {
		p++;
		n--;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (n == strlen(words[i]) && str_ieq_n(p, n, words[i]))
			return true;
	return false;
}

/* mutt compares as many letters as the word has that it knows. */
static void kind_begins(const char *word, enum decode_kind *out)
{
	static const struct { const char *word; enum decode_kind kind; } table[] = {
		{ "base64", DECODE_BASE64 }, { "quotedprintable", DECODE_QP },
		{ "xuuencode", DECODE_UU }, { "uuencode", DECODE_UU },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strncmp(word, table[i].word, strlen(table[i].word)) == 0)
			*out = table[i].kind;
}

enum decode_kind decode_kind_parse(const char *cte, size_t n, bool *known_out)
{
	enum decode_kind kind = DECODE_IDENTITY;
	char word[32];

	kind_squeeze(cte, n, false, word, sizeof word);
	*known_out = is_standard(cte, n);
	if (!kind_lookup(word, &kind)) {
		kind_squeeze(cte, n, true, word, sizeof word);
		if (!kind_lookup(word, &kind))
			kind_begins(word, &kind);
	}
	return kind;
}
