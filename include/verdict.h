/* verdict.h - what a scan says of one message: shared by agent and daemon.
 *
 * av is a set of kinds that apply together (one part infected, another
 * encrypted); empty means that every engine called every object clean.
 * The texts are bounded and come from a scanner that is not trusted: whoever
 * reads them off the wire makes them safe for a log (scan_verdict_parse), once;
 * in the daemon they are as they came. */
#ifndef ESETS_VERDICT_H
#define ESETS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* bit, name on the wire, text in the summary line's avstatus */
#define VERDICT_AV_LIST(X)                                   \
	X(INFECTED, 0, "infected", "infected")               \
	X(DELETED, 1, "deleted", "clean (deleted)")          \
	X(NOTSCANNED, 2, "notscanned", "not scanned")        \
	X(ENCRYPTED, 3, "encrypted", "not scanned (encrypted)") \
	X(OVERLIMIT, 4, "overlimit", "not scanned (limit)")  \
	X(UNAVAILABLE, 5, "unavailable", "not scanned (unavailable)")

enum {
#define X(id, bit, name, text) VERDICT_AV_##id = 1 << (bit),
	VERDICT_AV_LIST(X)
#undef X
	VERDICT_AV_CLEAN = 0,
	VERDICT_AV_ALL = 0x3f
};

enum verdict_as {
	VERDICT_AS_NONE,        /* not asked for */
	VERDICT_AS_CLEAN,
	VERDICT_AS_SPAM,
	VERDICT_AS_NOTSCANNED,  /* also: no engine could be asked */
};

/* What became of the copy that av_quarantine_enabled asks for. */
enum verdict_quarantine {
	VERDICT_QUARANTINE_NONE,    /* not asked for, or nothing to keep */
	VERDICT_QUARANTINE_STORED,
	VERDICT_QUARANTINE_FAILED,  /* the message may not be decided yet: 452 */
};

#define VERDICT_NAME_MAX 128
#define VERDICT_QUARANTINE_ID_SIZE 25
#define VERDICT_REASON_MAX 192
#define VERDICT_VDB_MAX 128
#define VERDICT_PARTS_MAX 64

#define VERDICT_ID_SIZE 32

struct verdict_part {
	char name[VERDICT_NAME_MAX];    /* "part 2: invoice.exe" */
	char virus[VERDICT_NAME_MAX];   /* "" unless infected; clean: a find that was allowed */
	unsigned av;                    /* VERDICT_AV_* of this object alone */
	char reason[VERDICT_REASON_MAX];  /* why not scanned, why a find counts; "" */
};

struct verdict {
	char id[VERDICT_ID_SIZE];           /* of the request, its first 31 octets; "" none */
	unsigned av;                        /* set of VERDICT_AV_* */
	enum verdict_as as;
	int as_score_milli;                 /* score * 1000 */
	char virus[VERDICT_NAME_MAX];       /* first name found, "" none */
	char reason[VERDICT_REASON_MAX];    /* why not scanned or unavailable, why a find counts, "" */
	char vdb[VERDICT_VDB_MAX];          /* engines and data versions, no blanks */
	char sha256[65];                    /* of the message as scanned, hex, "" */
	unsigned objects;                   /* objects looked at */
	unsigned time_us;                   /* scan time in the daemon */
	enum verdict_quarantine quarantine;
	char quarantine_id[VERDICT_QUARANTINE_ID_SIZE];  /* a valid one, or "" */
	unsigned nparts;                    /* entries of parts */
	struct verdict_part *parts;         /* malloc'd, NULL if none asked for */
};

/* Text for avstatus: the most serious kind of the set ("clean" for none).
 * Most serious first: infected, unavailable, encrypted, overlimit,
 * notscanned, deleted. */
const char *verdict_av_text(unsigned av);
/* The place of that kind in this order, from 0 on; behind them clean. */
#define VERDICT_AV_RANK_UNAVAILABLE 1u
#define VERDICT_AV_RANK_CLEAN 6u
unsigned verdict_av_rank(unsigned av);
const char *verdict_as_text(enum verdict_as as);
/* The set as on the wire: "clean", or kinds with colons between. 0; -1 no
 * room, or a kind that nobody knows. */
int verdict_kinds_format(struct buf *out, unsigned av);
int verdict_kinds_parse(const char *text, unsigned *av_out);
/* The same of as: "none", "clean", "spam", "notscanned". */
const char *verdict_as_name(enum verdict_as as);
int verdict_as_parse(const char *text, enum verdict_as *out);
/* Is it of a kind that quarantine keeps: infected, deleted, spam? */
bool verdict_is_for_quarantine(const struct verdict *v);
/* Makes v (what it held is neither read nor freed) an empty verdict of kind
 * unavailable, as not scanned, with this reason, which is cleaned. */
void verdict_unavailable(struct verdict *v, const char *reason);
/* Frees what v owns (parts); the rest of it stays readable. */
void verdict_fini(struct verdict *v);

#endif
