/* binhex.h - files in BinHex 4.0, in a text. Pure.
 * Source: RFC 1741. */
#ifndef ESETS_BINHEX_H
#define ESETS_BINHEX_H

#include <stdbool.h>
#include <stddef.h>

struct pace;

/* Does a file begin here, without the line that says so? */
bool binhex_begins(const char *text, size_t len);
/* The next file at or behind *from, which moves behind its first octets: behind
 * the line that says so, or at the beginning of the text without one. *n_out
 * octets at *body_out, up to the end of the text. */
bool binhex_find(const char *text, size_t len, size_t *from, const char **body_out,
	size_t *n_out);
/* Decodes up to the colon at the end. out may be NULL, else it has room for as many
 * octets as were returned then. *used_out: octets that were looked at: not
 * all, where pace (NULL: none) is over. */
size_t binhex_decode(const char *body, size_t n, unsigned char *out, size_t *used_out,
	struct pace *pace);

struct binhex_file {
	const unsigned char *data, *resource;   /* cut off where there is no more */
	size_t data_len, resource_len;
	char name[64];
};

/* What was decoded. False: that is no file. */
bool binhex_parse(const unsigned char *p, size_t n, struct binhex_file *out);

#endif
