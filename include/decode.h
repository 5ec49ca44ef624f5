/* decode.h - transfer encodings and encoded words, as streams. Pure.
 *
 * Lenient as the mail readers are, because what a reader decodes must be
 * found: junk in base64 is skipped, a missing end is no error. The decoders
 * keep at most a few octets between calls and may be fed in any split. */
#ifndef ESETS_DECODE_H
#define ESETS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum decode_kind { DECODE_IDENTITY, DECODE_BASE64, DECODE_QP, DECODE_UU };

struct decode {
	enum decode_kind kind;
	uint32_t acc;
	unsigned nacc;
	unsigned char hold[80];   /* QP: blanks and an unfinished =XX */
	unsigned nhold;
	unsigned state;
	bool bad;                 /* something was not decodable */
};

void decode_init(struct decode *d, enum decode_kind kind);
/* "base64", "quoted-printable", "x-uuencode", "7bit", ... case-insensitive,
 * blanks and comments around it ignored; unknown -> identity, *known false. */
enum decode_kind decode_kind_parse(const char *cte, size_t n, bool *known_out);
/* Decodes all of in; out needs room for n + 80 octets. Returns the number of
 * octets written. */
size_t decode_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out);
/* The end: writes what was held back (at most 80 octets). */
size_t decode_end(struct decode *d, unsigned char *out);

/* RFC 2047 encoded words in a header value to UTF-8 octets (charsets other
 * than UTF-8, US-ASCII and ISO-8859-1 keep their raw octets). Cut at
 * size - 1. Returns the length. */
size_t decode_words(const char *in, size_t n, char *out, size_t size);

#endif
