/* decode_words.c - text of a header, see decode_words.h.
 *
 * Nothing here allocates, fails or looks at what is decoded. Source: RFC 2047. */
#include "decode_words.h"

#include <string.h>

#include "decode.h"
#include "decode_int.h"
#include "str.h"

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
	unsigned char out[64 + DECODE_HELD];
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
