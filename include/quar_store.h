/* quar_store.h - puts messages into quarantine and keeps it within its bounds.
 *
 * Owned by one process at a time (for a moment, at a reload, by two). The
 * oldest go first, for size and for age; others may remove files meanwhile. */
#ifndef ESETS_QUAR_STORE_H
#define ESETS_QUAR_STORE_H

#include <time.h>

#include "quar_dir.h"

#define QUAR_STORE_WHY 512
#define QUAR_STORE_LOOKS 32

struct quar_store {
	const char *path;           /* must outlive the store */
	uint64_t max_octets;        /* of all files */
	unsigned max_days;
	int dir;                    /* -1 not open yet */
	struct quar_list list;      /* as last seen, and what was done since */
	size_t first;               /* entries before it are gone */
	struct timespec changed;    /* the directory's mtime that goes with it */
	int64_t listed_s;
};

void quar_store_init(struct quar_store *s, const char *path, uint64_t max_octets,
	unsigned max_days);
void quar_store_fini(struct quar_store *s);
/* Opens the directory if that was not done; makes it (0700) if it is missing.
 * 1 it is open now, 0 it was before, -1 with errno. */
int quar_store_open(struct quar_store *s);
/* Was the open directory removed? Whatever has its name now is another one. */
bool quar_store_is_gone(const struct quar_store *s);
/* Keeps the octets 0 to m->size of fd, which must be a regular file, with what
 * m says; its id, times and sha256 are set here. 0 and the id: both files are
 * on the disk. 1 and the id: the same octets with the same envelope and verdict
 * are there already, and it is noted that they came again. -1 with a text:
 * nothing is left of it.
 * To find that out costs a look through the list in memory and at most
 * QUAR_STORE_LOOKS metadata files. */
int quar_store_put(struct quar_store *s, const struct quar_meta *m, int fd, int64_t now_s,
	char id_out[QUAR_ID_SIZE], char why[QUAR_STORE_WHY]);
/* Removes one that was just put. */
void quar_store_take_back(struct quar_store *s, const char *id);
/* Removes what is too old, what is beyond the size, and halves that an hour
 * has not made whole. Returns how many messages went. */
unsigned quar_store_expire(struct quar_store *s, int64_t now_s);

#endif
