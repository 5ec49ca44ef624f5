/* c_lines.h - a message as a reader sees it to whom lines are C strings, read by
 * fgets() into a buffer: mutt. A NUL hides what else is in the buffer then, which is
 * the rest of a short line, but only a piece of a long one. Pure. */
#ifndef ESETS_C_LINES_H
#define ESETS_C_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct pace;

#define C_LINES_ENDS_MAX 8u      /* of one header; honest mail has no NUL there */

/* The header at p, up to the i-th of the places, from 0, where such a reader may end it:
 * its lines are written to out, unfolded, each with an LF; out has room for n octets.
 * The body begins at *body_out, and from there on stands as it is. False: there is no
 * such place, or pace is over. */
bool c_lines_head(const char *p, size_t n, unsigned i, struct pace *pace, char *out,
	size_t *out_len, size_t *body_out);

/* A quoted-printable body of len octets, as it would have to be for readers that see all
 * of it: a piece that ends before its line does has a soft line break behind it. What is
 * hidden is not counted, so it is read beyond its end, up to all octets. Returns how
 * many are written to out (NULL: would be), no more than 3 * len; *used_out: are read. */
size_t c_lines_quoted(const char *p, size_t all, size_t len, struct pace *pace, char *out,
	size_t *used_out);

#endif
