/* decode_int.h - octets that all parts of decode look at:
 *   decode.c        transfer encodings as streams
 *   decode_kind.c   their names
 *   decode_qp.c     quoted-printable
 *   decode_run.c    base64 where it is clean
 *   decode_uu.c     encoded files in a text
 *   decode_words.c  header text: charsets, encoded words */
#ifndef ESETS_DECODE_INT_H
#define ESETS_DECODE_INT_H

#include <stdbool.h>
#include <stddef.h>

struct decode;

/* decode_push and decode_end of quoted-printable. */
size_t decode_qp_push(struct decode *d, const unsigned char *in, size_t n, unsigned char *out);
size_t decode_qp_end(struct decode *d, unsigned char *out);

static inline bool is_blank(int c)
{
	return c == ' ' || c == '\t';
}

static inline bool is_eol(int c)
{
	return c == '\r' || c == '\n';
}

static inline int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
