/* scan_int.h - what the files of esets_scan share, and nobody else.
 *
 *   operands ─► scan_input ─► items ─► scan_run ─► daemon ─► scan_out ─► stdout
 *               (walk, mailboxes)      (some at once, told in order)            */
#ifndef ESETS_SCAN_INT_H
#define ESETS_SCAN_INT_H

#include "scan_opts.h"
#include "scan_out.h"

/* One thing to scan, or to tell about. Owned by whoever got it. */
struct scan_item {
	char *name;            /* for the user */
	int fd;                /* -1: nothing to scan */
	int dir_fd;            /* where the file lies, if it may be replaced; else -1 */
	char *base;            /* its name there */
	uint64_t size;
	bool is_mail;
	enum scan_fate fate;   /* SCANNED: to be scanned */
	char why[128];
};
void scan_item_fini(struct scan_item *it);

/* ---- scan_input.c: what the operands name, one item after the other -------- */

struct scan_input;
/* operands: argv, borrowed. max_size: larger messages are not copied out of
 * mailboxes and stdin (0: SCAN_COPY_MAX). may_clean: items know their place.
 * NULL: no memory. */
struct scan_input *scan_input_new(char *const *operands, uint64_t max_size, bool may_clean);
void scan_input_free(struct scan_input **in);
/* 1 an item; 0 the end; -1 no memory. */
int scan_input_next(struct scan_input *in, struct scan_item *out);
#define SCAN_COPY_MAX (1024ull << 20)

/* ---- scan_copy.c: octets into a sealed memfd ------------------------------- */

/* len octets of a file from an offset; the descriptor, or -1 with errno. */
int scan_copy_range(int fd, uint64_t from, uint64_t len);
/* All there is, at most max octets: else -1 with EFBIG. */
int scan_copy_stream(int fd, uint64_t max, uint64_t *size_out);
/* Puts the octets of clean_fd in the place of the item's file, which must still
 * be the one that was scanned. 0, -1 with errno. */
int scan_replace(const struct scan_item *it, int clean_fd);

/* ---- scan_run.c ------------------------------------------------------------ */

struct scan_run_cfg {
	const char *sock_path;
	const struct scan_opts *opts;
	bool json, notable;    /* the form; only what is not clean */
};
/* Scans it all; the exit status. */
int scan_run(const struct scan_run_cfg *cfg, struct scan_input *in);

#endif
