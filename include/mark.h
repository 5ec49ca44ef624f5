/* mark.h - the text of the marks that a message may get (esets.cfg(5),
 * av_eml_header_modification and its fellows). Pure.
 *
 * A mark is added to a header and never looked for in one: whoever sends a
 * mail can put any of them there. */
#ifndef ESETS_MARK_H
#define ESETS_MARK_H

#include <stddef.h>

#include "buf.h"
#include "verdict.h"

/* Room that mark_subject needs of the value to see where its first word and
 * its first line end: RFC 5322 2.1.1, and some. */
#define MARK_VALUE_MAX 1024

/* What is to stand between "Subject:" and its value, of which the first n
 * octets are given (n < MARK_VALUE_MAX only where no more are there). A prefix
 * that is not plain ASCII becomes encoded words (RFC 2047). All of these: 0;
 * -1 no room in out, which may hold a part of it then. */
int mark_subject(const char *prefix, const char *value, size_t n, struct buf *out)
	__attribute__((warn_unused_result));
/* "X-EsetResult: clean, is OK" and the like, with CR LF. */
int mark_av(const struct verdict *v, struct buf *out) __attribute__((warn_unused_result));
/* X-ESET-AS and X-ESET-Antispam; nothing where no engine gave a verdict. */
int mark_as(const struct verdict *v, struct buf *out) __attribute__((warn_unused_result));
/* X-Esets-Dry-Run: what would have become of the message, and why. */
int mark_dry_run(const char *hop, const char *why, struct buf *out)
	__attribute__((warn_unused_result));

#endif
