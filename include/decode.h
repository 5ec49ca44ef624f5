/* decode.h - transfer encodings and encoded words, as streams. Pure.
 *
 * Lenient as the mail readers are, because what a reader decodes must be
 * found: junk in base64 is skipped, a missing end is no error. Where readers
 * would end earlier, or later, there are further readings, and reading 0 says
 * which of them give other octets. The decoders keep at most a few octets
 * between calls and may be fed in any split. */
#ifndef ESETS_DECODE_H
#define ESETS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum decode_kind { DECODE_IDENTITY, DECODE_BASE64, DECODE_QP, DECODE_UU,
	DECODE_YENC };

/* base64            0 decoding goes on behind padding and junk
 *                   1 padding ends all       2 padding is junk
 *                   3 junk ends all, and so does padding
 *                   4 '=' is a sextet of zeros, each takes an octet off its group
 *                   5 padding ends all where it fills a group, and else is junk
 * quoted-printable  0 more than 80 blanks in a row are text
 *                   1 not if a line end follows; CR CR LF is one line end
 * uuencode          0 goes on to the end line
 *                   1 ends at the first line that holds no data
 *                   2 a count may have 0x40 added to it */
#define DECODE_READINGS 6u

struct decode {
	enum decode_kind kind;
	unsigned reading;         /* set behind decode_init, 0 if not */
	unsigned others;          /* out, reading 0: 1u << n for each that differs */
	unsigned pending;         /* those that differ if any data follows */
	uint32_t acc;
	unsigned nacc;            /* sextets in acc */
	unsigned npads, owed;     /* base64: '=' seen in a group, '=' it still lacks */
	unsigned char hold[80];   /* QP: blanks and an unfinished =XX */
	unsigned nhold;
	unsigned state;
	unsigned line_want;       /* UU: octets the line still owes */
	unsigned line_seen;       /* UU: characters of the line decoded */
	bool bad;                 /* something was not decodable */
};

void decode_init(struct decode *d, enum decode_kind kind);
/* "base64", "quoted-printable", "x-uuencode", "7bit", ... case-insensitive,
 * blanks, quotes and comments ignored, as is what stands behind a ';'.
 * Unknown -> identity, *known_out false. A known word followed by others
 * gives that word's kind, and *known_out false too: readers may differ. */
enum decode_kind decode_kind_parse(const char *cte, size_t n, bool *known_out);
/* Decodes all of in; out needs room for n + 80 octets and may not overlap in.
 * Returns the number of octets written. */
size_t decode_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out);
/* The end: writes what was held back (at most 80 octets). */
size_t decode_end(struct decode *d, unsigned char *out);

/* One encoded file in a text. */
struct decode_uu {
	enum decode_kind kind;    /* DECODE_UU, _BASE64 (begin-base64), _YENC */
	const char *body;         /* the lines behind the begin line ... */
	size_t body_len;          /* ... up to the end line or the next begin */
	char name[256];           /* as it stands there; the tail of a longer one */
};

/* Finds the next "begin MODE NAME" or "=ybegin ... name=NAME" line at or behind *from and moves *from
 * past its file. The whole text is passed over once, however many files it
 * holds. Returns false when there is none. */
bool decode_uu_find(const char *text, size_t len, size_t *from, struct decode_uu *out);

/* RFC 2047 encoded words in a header value to UTF-8 octets (charsets other
 * than UTF-8, US-ASCII, ISO-8859-1 and windows-1252 keep their raw octets);
 * folds are taken out. Cut at size - 1, NUL behind it. Returns the length. */
size_t decode_words(const char *in, size_t n, char *out, size_t size);
/* Is what looks like ASCII in a text of that charset ASCII, and is there no
 * other way to write it; or is it ISO 2022 (see file_ext.h), or none ("")? */
bool decode_charset_is_plain(const char *charset, size_t n);
/* Is each encoded word in such a charset? */
bool decode_words_are_plain(const char *in, size_t n);
/* Text of the named charset to UTF-8, by the same rule. */
size_t decode_charset(const char *charset, size_t charset_len, const char *in, size_t n,
	char *out, size_t size);

#endif
