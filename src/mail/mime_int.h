/* mime_int.h - what the files of the MIME walker share.
 *
 *   mime.c        ranges: parts, boundaries, budgets
 *   mime_net.c    parts that no boundary of ours begins
 *   mime_head.c   a header block: where it ends, which fields count
 *   mime_field.c  the value of a Content-* field: type, boundaries, names */
#ifndef ESETS_MIME_INT_H
#define ESETS_MIME_INT_H

#include "mime.h"
#include "pace.h"

#define MIME_VALUES_MAX 4u       /* different values of one field */
#define MIME_VALUE_MAX 16384u    /* octets of a value looked at */
#define MIME_ODD_KINDS 13u       /* of lines that may be no header lines; the last counts ... */
#define MIME_DATED_MAX 4u        /* ... so often: dated mbox lines in one header */
#define MIME_CUTS_MAX (2 * (4 * (MIME_ODD_KINDS - 1 + MIME_DATED_MAX) + 2) + 4) /* see cut_add */
#define MIME_BOUNDARY_MAX 256u   /* RFC 2046 allows 70 */
#define MIME_BOUNDARIES_MAX 6u

struct mime_value {
	const char *p;
	size_t n;
	bool is_weak;            /* only some readers have it: that take a bare CR as a line end,
	                          * or any space before the colon */
};

struct mime_values {
	struct mime_value v[MIME_VALUES_MAX];
	unsigned n;
};

/* One reading of where the header ends: fields that begin before fields_end
 * count, the body begins at body (offsets in the part). */
struct mime_cut {
	size_t fields_end, body;
	bool is_odd;             /* fields, and then no blank line */
};

struct mime_head {
	struct mime_values type, encoding, disposition;
	struct mime_values name;     /* Content-Name, X-Sun-Data-Name */
	struct mime_values location;
	struct mime_cut cuts[MIME_CUTS_MAX];
	unsigned n_cuts;         /* one at least */
	size_t scanned;
	bool is_over;            /* too many lines or values */
};

/* Where pace is over behind it, it was not read to its end. */
void mime_head_read(const char *p, size_t n, unsigned max_headers, struct pace *pace,
	struct mime_head *h);
/* Does a bare CR end lines here? Only where there is no LF at all. */
bool mime_is_cr_text(const char *p, size_t n);

static inline bool mime_is_blank(char c) { return c == ' ' || c == '\t'; }
static inline bool mime_is_eol(char c) { return c == '\r' || c == '\n'; }
static inline bool mime_is_space(char c) { return mime_is_blank(c) || mime_is_eol(c); }

/* With the "--" before it, as it stands in a line. */
struct mime_boundary {
	size_t n;
	char text[2 + MIME_BOUNDARY_MAX];
};

struct mime_boundaries {
	struct mime_boundary b[MIME_BOUNDARIES_MAX];
	unsigned n;
	bool is_over;
};

/* The type of a Content-Type value, lower case, "" if there is none. */
void mime_type_parse(const struct mime_value *v, char *out, size_t size);
/* Each reading of its boundary parameter. */
void mime_boundaries_read(const struct mime_value *v, struct mime_boundaries *out);
void mime_boundaries_add(struct mime_boundaries *bs, const char *p, size_t n);
/* Adds the names that the value of Content-Type or Content-Disposition gives
 * the part. False: there are more than we look at. */
bool mime_names_read(const struct mime_value *v, struct mime_part *part);
/* Adds the name that a field says which few readers know: to other_names alone,
 * as it makes no file of the part. False: as above. */
bool mime_rare_name_read(const struct mime_value *v, struct mime_part *part);
/* The same for Content-Location, a URI: what the file is called there. */
bool mime_location_read(const struct mime_value *v, struct mime_part *part);

#endif
