/* scan_out.h - what esets_scan says: lines, objects of JSON, the summary and
 * the exit status. Pure.
 *
 * Text: a line for each file or message, and for each object in it that is not
 * clean:   name="...", threat="...", action="...", info="..."
 * Quotes, backslashes and control characters in a value are escaped, so a
 * line is a line and a value ends at its quote. */
#ifndef ESETS_SCAN_OUT_H
#define ESETS_SCAN_OUT_H

#include "buf.h"
#include "verdict.h"

/* Exit status; a later one of this list is overruled by an earlier one. */
enum scan_exit {
	SCAN_EXIT_FOUND = 50,      /* a threat was found and is still there */
	SCAN_EXIT_ERROR = 100,     /* command line, configuration, operand, output */
	SCAN_EXIT_NOTSCANNED = 10, /* something could not be scanned */
	SCAN_EXIT_CLEANED = 1,     /* threats were found, all were taken out */
	SCAN_EXIT_CLEAN = 0
};

enum scan_fate {
	SCAN_FATE_SCANNED,     /* v holds */
	SCAN_FATE_CLEANED,     /* v holds, and the cleaned message is in place */
	SCAN_FATE_SKIPPED,     /* not looked at, and no reason to worry */
	SCAN_FATE_NOTSCANNED,  /* not looked at: why */
	SCAN_FATE_ERROR        /* the same, and the caller's mistake */
};

struct scan_result {
	const char *name;          /* as the file system has it: any octets */
	enum scan_fate fate;
	const char *why;           /* of the last three, of SCANNED where cleaning failed; or "" */
	const struct verdict *v;   /* texts clean as scan_verdict_parse leaves them */
	const char *root;          /* what v calls the whole; told once only */
	uint64_t size;
};

struct scan_sum {
	uint64_t scanned, objects, infected, cleaned, notscanned, skipped, errors;
};

/* Is there anything to tell but that it is clean? */
bool scan_out_is_notable(const struct scan_result *r);
/* Append; 0, -1 no room or no memory. */
int scan_out_text(struct buf *out, const struct scan_result *r);
int scan_out_json(struct buf *out, const struct scan_result *r);
void scan_sum_add(struct scan_sum *s, const struct scan_result *r);
int scan_sum_text(struct buf *out, const struct scan_sum *s);
int scan_sum_json(struct buf *out, const struct scan_sum *s);
enum scan_exit scan_sum_exit(const struct scan_sum *s);

#endif
