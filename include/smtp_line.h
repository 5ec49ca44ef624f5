/* smtp_line.h - octets to lines, as the laxest server would see them. Pure.
 *
 * A line ends at LF, with or without a CR before it (invariant I1: what a
 * server behind us might take for a line end is one here too). What is wrong
 * with a line is reported, not repaired; the caller sends on only canonical
 * lines. Source: RFC 5321 2.3.8, 4.5.3.1. */
#ifndef ESETS_SMTP_LINE_H
#define ESETS_SMTP_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct smtp_line {
	size_t scanned;   /* octets of the input known to hold no LF */
	bool skipping;    /* inside a line that was too long */
};

struct smtp_text {
	const char *p;    /* into the input, without the line end */
	size_t len;
	bool is_bare_lf;  /* ended by LF alone */
	bool has_cr;      /* a CR inside */
	bool has_nul;
	bool is_too_long; /* p and len are void; the line was eaten whole */
};

#define SMTP_LINE_INIT { 0, false }

/* Looks for the next line in in[0..len), which must be all that was not yet
 * taken (the same octets again, with more behind them, after a 0).
 * max: limit of the line with its CR LF.
 * Returns 1 with *out and *used_out octets to drop; 0 more input needed,
 * after dropping *used_out (which is not 0 only while a too long line is
 * being eaten). */
int smtp_line_next(struct smtp_line *l, const void *in, size_t len, size_t max,
	struct smtp_text *out, size_t *used_out);

#endif
