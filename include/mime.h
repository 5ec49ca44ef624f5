/* mime.h - walks a message in memory and hands out its parts. Pure.
 *
 * The message is mapped; the walker only computes ranges, it copies nothing
 * but bounded header values. It goes into multipart/anything, and tells where
 * a message/rfc822 (or a text that looks like one) is, so that the caller can
 * walk that too. Every part is reported, also the preamble and epilogue and
 * what stands behind a missing closing boundary: a reader may show them.
 * Where readers disagree (two boundaries, two encodings, a missing blank
 * line), the part is reported once per reading, marked ambiguous, and the
 * caller looks at all of them. What has the header of a part behind a line of
 * dashes, or an empty line and a text, is reported as one (at depth 1) though no
 * boundary is known to end there: some reader may know one. Budgets are hard: what lies beyond one makes
 * the result MIME_OVER_BUDGET, though the walk goes on where it can. The work
 * is bounded by the size of the message times the depth. No allocation; the
 * stack used is 40 KB, and about 6 KB for each level of depth. */
#ifndef ESETS_MIME_H
#define ESETS_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode.h"

#define MIME_NAMES_MAX 8

struct mime_budget {
	unsigned max_depth;     /* multipart nesting */
	unsigned max_parts;     /* reports, so readings of one part count each */
	unsigned max_headers;   /* header lines per part looked at */
	/* Steps that walks may take, about one for each octet looked at: shared by
	 * all walks that point to it, at the end 0. NULL: bounded by len and
	 * max_depth. */
	uint64_t *work_left;
	/* Asked now and then while no part comes up, with mime_walk's arg; false
	 * stops the walk. May be NULL. */
	bool (*go_on)(void *arg);
};

struct mime_part {
	unsigned depth;              /* 0 the message itself */
	unsigned number;             /* counted through the message, from 1 */
	const char *hdr; size_t hdr_len;    /* header block with its blank line */
	const char *body; size_t body_len;  /* still encoded */
	char type[64];               /* "text/plain", lower case, default by RFC 2045 5.2 */
	char filename[256];          /* decoded name or filename parameter, "" none; of a
				      * longer one the end, where the extension is */
	/* What else a reader may call it, also by fields that few know. */
	char other_names[MIME_NAMES_MAX - 1][256];
	unsigned n_other_names;
	bool is_name_foreign;        /* one is in a charset that is not understood */
	enum decode_kind encoding;
	bool encoding_known;         /* false: readers may take another one */
	bool is_multipart;           /* its children follow; body is the whole range */
	bool is_message;             /* message/anything: to be decoded and walked */
	bool is_filler;              /* preamble, epilogue: no header, text/plain */
	bool is_ambiguous;
	bool is_guess;               /* behind no boundary we know: a reader may know one */
	bool is_bare;                /* and without a field: a text, of which there are many
				      * in texts, so max_parts does not count them */
};

/* Return false to stop the walk. The part is valid during the call. */
typedef bool (*mime_part_fn)(void *arg, const struct mime_part *part);

enum mime_result { MIME_DONE, MIME_STOPPED, MIME_OVER_BUDGET };

enum mime_result mime_walk(const char *msg, size_t len, const struct mime_budget *b,
	mime_part_fn fn, void *arg);

#endif
