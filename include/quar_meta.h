/* quar_meta.h - what is known of a message in quarantine, and its id. Pure.
 *
 * The text is that of kv.h with the head "esets-quarantine/1": the file
 * ID.meta beside ID.eml, and, with neither id nor time in it, what a worker
 * tells the process that keeps it. esets_quar(1) has the grammar with every
 * key. What is read is not trusted: texts may hold anything but NUL. */
#ifndef ESETS_QUAR_META_H
#define ESETS_QUAR_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "scan_msg.h"
#include "verdict.h"

/* "20261121-113249-4f3a9c21": UTC; in the last group five digits are the
 * microseconds and three say what message it is (quar_store.c): the same ones
 * for one that comes again. Sorts by age. */
#define QUAR_ID_LEN 24u
#define QUAR_ID_SIZE (QUAR_ID_LEN + 1)
_Static_assert(QUAR_ID_SIZE == VERDICT_QUARANTINE_ID_SIZE, "a verdict holds such an id");

/* The whole text is an id, and its date is one. Nothing else becomes part of
 * a file's name. */
bool quar_id_is_valid(const char *id);
/* time_us: since 1970, up to the year 9999; of tag 12 bits count. */
void quar_id_format(char out[QUAR_ID_SIZE], int64_t time_us, uint32_t tag);
/* The tag in a valid id. */
uint32_t quar_id_tag(const char *id);
/* The time in a valid id, in seconds since 1970. */
int64_t quar_id_time(const char *id);

/* Everything is borrowed when formatted; when parsed, texts point into the
 * store. None is NULL. */
struct quar_meta {
	const char *id;            /* "" in a worker's request */
	uint64_t time_s;           /* when it was stored, 0 in a request */
	unsigned seen;             /* how often the same came, >= 1; 0 in a request */
	uint64_t last_s;           /* when it came last, 0 in a request */
	uint64_t released_s;       /* when it was released last, 0 never */
	uint64_t size;             /* octets of the message */
	const char *sha256;        /* of the message, hex, "" unknown */
	const char *agent;
	const char *session;       /* id of the request, for both logs */
	const char *sender;        /* without <>, "" null sender */
	const char *const *rcpts;
	unsigned nrcpts;           /* entries of rcpts, <= SCAN_MSG_RCPTS_MAX */
	unsigned nrcpts_total;     /* recipients it had */
	const char *client, *helo, *queue_id, *name;
	unsigned av;               /* VERDICT_AV_* */
	enum verdict_as as;
	int as_score_milli;
	const char *virus, *reason, *vdb;
};

/* 0; -1 no room (out is then as it was). Recipients beyond the room are left
 * out from the end. */
int quar_meta_format(const struct quar_meta *m, struct buf *out);
/* 0; -1 with a text. On 0 the store is to be freed with scan_msg_store_fini
 * when m is no longer used. */
int quar_meta_parse(const void *p, size_t n, struct quar_meta *m, struct scan_msg_store *store,
	const char **why_out);

/* Which messages are wanted; what is "", 0 or false asks for nothing. Masks
 * are those of str_mask_match. */
struct quar_filter {
	int64_t since_s, until_s;  /* until: that second included */
	const char *sender, *recipient, *virus;
	bool spam;
};
bool quar_filter_match(const struct quar_filter *f, const struct quar_meta *m);
/* "2026-11-21", "2026-11-21 11:32", "2026-11-21T11:32:49" in local time, or an
 * age: "90m", "12h", "7d". is_end: a day or a minute means its last second. 0,
 * -1 it is none of these. */
int quar_time_parse(const char *text, int64_t now_s, bool is_end, int64_t *out);

#endif
