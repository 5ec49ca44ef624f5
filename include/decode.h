/* decode.h - transfer encodings, as streams. Pure.
 *
 * Lenient as the mail readers are, because what a reader decodes must be
 * found: junk in base64 is skipped, a missing end is no error. Where readers
 * would end earlier, or later, there are further readings, and reading 0 says
 * which of them give other octets. The decoders keep at most DECODE_HELD
 * octets between calls and may be fed in any split. */
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
 *                   2 as 1, where VT and FF are blanks, and behind '=' so is CR
 *                   3 what is no escape is text, also blanks before a line end; "="
 *                     takes two octets with it, whatever they are (Thunderbird)
 *                   4 blanks are text too; behind "=" CR all up to LF is dropped; "=="
 *                     is "=" (Python)
 *                   5 as 2, but lines come in pieces of 255 octets, each of which has
 *                     its own end, and a NUL hides the rest of its piece (mutt)
 *                   4 and 5 take mail as it is stored where a line ends with LF
 * uuencode          0 goes on to the end line
 *                   1 ends at the first line that holds no data
 *                   2 a count may have 0x40 added to it
 *                   3 as 2, and behind 127 octets a line begins anew (Thunderbird)
 *                   4 as 0, with the lines of 3, which no CR ends, and all that begins
 *                     with "end" is the end line (mutt) */
#define DECODE_READINGS 6u
#define DECODE_UU_PIECE 127u
#define DECODE_HELD 255u          /* octets that may be kept between calls */

struct decode {
	enum decode_kind kind;
	unsigned reading;         /* set behind decode_init, 0 if not */
	unsigned others;          /* out, reading 0: 1u << n for each that differs */
	unsigned pending;         /* those that differ if any data follows */
	uint32_t acc;
	unsigned nacc;            /* sextets in acc */
	unsigned npads, owed;     /* base64: '=' seen in a group, '=' it still lacks */
	unsigned char hold[DECODE_HELD]; /* QP: blanks, an unfinished =XX, or a piece */
	unsigned nhold;
	unsigned state;
	unsigned col;             /* QP and UU: octets since the line, or its piece, began */
	bool is_binary;           /* QP: there was an octet that no text has */
	bool was_cr;              /* UU */
	unsigned line_want;       /* UU: octets the line still owes */
	unsigned line_seen;       /* UU: characters of the line decoded */
	bool bad;                 /* something was not decodable */
};

void decode_init(struct decode *d, enum decode_kind kind);
/* "base64", "quoted-printable", "x-uuencode", "7bit", ... case-insensitive,
 * blanks, quotes and comments ignored, as is what stands behind a ';'.
 * Unknown -> identity. *known_out: it is one of RFC 2045, or uuencode, and nothing else
 * stands beside it, so readers do not differ. */
enum decode_kind decode_kind_parse(const char *cte, size_t n, bool *known_out);
/* Decodes all of in; out needs room for n + DECODE_HELD octets and may not overlap
 * in.
 * Returns the number of octets written. */
size_t decode_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out);
/* The end: writes what was held back (at most DECODE_HELD octets). */
size_t decode_end(struct decode *d, unsigned char *out);

#endif
