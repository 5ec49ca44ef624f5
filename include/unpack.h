/* unpack.h - members of one archive in memory, one behind the other.
 *
 * The only module that knows libarchive, and that libarchive may be missing.
 * One format is read at a time, the one that the caller names: no guessing, no
 * decompressor inside a decompressor behind the caller's back, no program
 * started, no file opened. Holds no more than one block of the member; limits
 * are the caller's. One thread at a time per struct unpack. */
#ifndef ESETS_UNPACK_H
#define ESETS_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "magic.h"

struct unpack;

enum unpack_status {
	UNPACK_OK,          /* a member, a block */
	UNPACK_END,         /* no more of them */
	UNPACK_ENCRYPTED,   /* needs a key */
	UNPACK_BROKEN,      /* cannot be read: unpack_error */
	UNPACK_STOPPED      /* go_on said no, or memory ran out: unpack_is_short */
};

/* How an archive is read that has two tables of contents: zip by the directory
 * at its end or by the headers on the way, ISO with Joliet names or without,
 * and without Rock Ridge either. */
enum unpack_way { UNPACK_FIRST_WAY, UNPACK_SECOND_WAY, UNPACK_THIRD_WAY };

/* Of all but files libarchive gives no octets, whatever lies there. */
enum unpack_type { UNPACK_FILE, UNPACK_DIR, UNPACK_LINK, UNPACK_OTHER };

struct unpack_member {
	const char *name;   /* UTF-8 or raw octets, "" unknown; until the next call */
	uint64_t size;      /* as declared, 0 unknown; not to be believed */
	bool is_sized;      /* size is what it says, 0 included */
	enum unpack_type type;
	const char *target; /* of a link, or NULL; until the next call */
	bool is_encrypted;  /* its octets can't be read */
};

/* Asked between blocks: is there any point in going on? */
typedef bool (*unpack_go_on_fn)(void *arg);

/* Opens what libarchive would open later, from the system's files: the tables of
 * character sets that archives name. Once, for a process that cannot any more.
 * How many this machine does not have. */
unsigned unpack_preload(void);
/* Is there anything in this build that can read that format? */
bool unpack_knows(enum magic_format f);
/* The data is borrowed until unpack_close. NULL: no memory. */
struct unpack *unpack_open(enum magic_format f, enum unpack_way way, const void *data,
	size_t len, unpack_go_on_fn go_on, void *arg);
enum unpack_status unpack_next(struct unpack *u, struct unpack_member *out);
/* The next block of the member; it belongs at *at (in between are zeros). At
 * its end *at is where the member ends. */
enum unpack_status unpack_read(struct unpack *u, const void **block, size_t *n, uint64_t *at);
/* Octets of the archive that were used up, and where the last member began. */
size_t unpack_position(const struct unpack *u);
size_t unpack_member_position(const struct unpack *u);
/* Was a header passed over, or taken that says two things of a size? */
bool unpack_is_damaged(const struct unpack *u);
/* Was a gzip read to its end though the sum and the size behind it are missing? */
bool unpack_lacks_tail(struct unpack *u);
/* Has memory run out? Then nothing is known of the archive. */
bool unpack_is_short(const struct unpack *u);
/* Why it is broken or damaged. */
const char *unpack_error(const struct unpack *u);
void unpack_close(struct unpack **up);

#endif
