/* task_unpack.h - one way through one archive, for the rooms of task that know
 * which archives there are. */
#ifndef ESETS_TASK_UNPACK_H
#define ESETS_TASK_UNPACK_H

#include "magic.h"
#include "task_int.h"
#include "unpack.h"

#define NAME_SIZE 512

/* One way through one archive. */
struct reading {
	const char *name;
	enum magic_format format;
	const char *data;
	uint64_t packed, unpacked;   /* octets of it, and of its members so far */
	bool is_guess;               /* it may be no archive at all */
	bool is_hint;                /* a guess that only its end makes true, whatever comes of it */
	bool is_quiet;               /* how it ends is no news */
	bool is_over;                /* a limit */
	bool counts_links;           /* another way gives their octets */
	unsigned links;
	unsigned members;
	size_t headers;              /* of members, also of such as were not read */
	enum unpack_status end;
	size_t position;             /* where it ended, or the member that failed began */
};

/* Reads one archive one way. title: what its one member is called, "" it has
 * names of its own. False: the task is to end. */
bool task_unpack(struct task *t, const struct magic *m, enum unpack_way way,
	const char *data, size_t len, const char *title, struct reading *r);

/* ---- task_zip.c ------------------------------------------------------------ */

/* Everything that some reader of zip files sees. is_guess: it may be none. end_out:
 * where it ends to all of them; 0: they may not agree. */
bool task_scan_zip(struct task *t, const char *data, size_t len, const char *name,
	bool is_guess, size_t *end_out);

#endif
