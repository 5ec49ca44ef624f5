/* task_int.h - what the rooms of task share; see task.c for the picture.
 *
 * Functions that return bool say whether the task goes on: false means that
 * nobody waits for it any more, that its time is over or its budget used up,
 * and is passed up to task_run. */
#ifndef ESETS_TASK_INT_H
#define ESETS_TASK_INT_H

#include <signal.h>

#include "clean.h"
#include "decode.h"
#include "engine.h"
#include "mime.h"
#include "pace.h"
#include "task.h"

struct task_cuts;

/* What a header says of an object. RAW: readers may show it without taking its
 * transfer encoding off. */
enum { TASK_IS_MESSAGE = 1, TASK_IS_FILE = 2, TASK_IS_RAW = 4 };

/* For MIME_OVER_BUDGET: limits that no option names. */
#define TASK_OVER_BUDGET \
	"the message has too many parts, levels or header lines, or a field too long"

struct task_range { const char *p; size_t n; };

/* The octets of the request, see task_content.c. */
struct task_content {
	const void *p;
	size_t len;
	void *mapped;                    /* to be unmapped, or NULL */
	size_t mapped_len;               /* in whole pages */
	void *copy;                      /* to be freed, or NULL */
	volatile sig_atomic_t is_lost;   /* some of them could not be read */
	struct task_content *outer;      /* mapped by this thread before */
};

struct task {
	const struct scan_request *r;
	struct verdict *v;
	struct engine_call call;         /* how long, and for whom */
	struct task_content content;
	int fd;                          /* holds the message and nothing else, or -1 */
	bool is_cancelled, is_over;      /* give up: nobody waits; time is over */
	struct pace pace;                /* asks task_goes_on, in long loops */
	unsigned objects_left;
	uint64_t octets_left;
	uint64_t walk_left;              /* steps of mime_walk */
	uint64_t live_left;              /* octets that may be allocated still */
	uint64_t unpack_left;            /* of the outermost archive at work */
	uint64_t unpack_total_left;      /* of all archives */
	unsigned n_archives;             /* in each other, at work */
	unsigned marks;                  /* engines_mark of all objects */
	bool in_guess;                   /* a reading few have: broken is no news */
	bool in_net;                     /* may be a text about mail: only finds are news */
	unsigned level;                  /* messages and archives in each other */
	unsigned mail_guesses;           /* of these messages only begin like one */
	unsigned mime_depth;             /* multiparts in each other, of all messages around */
	bool root_is_decoded;            /* walks an encoded multipart's content */
	struct task_range file;          /* what a reader has as one: the outermost message, */
	                                 /* or what was decoded last */
	struct task_range *nul_headers;  /* task_nul.c's: the last one of each depth */
	bool in_allowed;                 /* object, or one around it, is in av_allow_hash */
	unsigned allowed;                /* finds that did not count */
	struct task_held *held;          /* finds in what is around, innermost first */
	unsigned finds;                  /* that did */
	char last_virus[VERDICT_NAME_MAX];
	/* For cleaning: the message as it came, what is to be taken out of it. */
	const char *root;
	size_t root_len;
	struct task_cuts *cuts;          /* NULL none; task_clean.c's */
	const char *not_cleaned;         /* why it is not, NULL: it is */
};

/* A find in an object while what lies inside it is looked at: an engine that
 * opens containers itself finds in the container what av_allow_hash lets pass
 * inside. Where an object inside had the same find and was allowed, this one
 * is none either. */
struct task_held {
	char virus[VERDICT_NAME_MAX];    /* "" none */
	char reason[VERDICT_REASON_MAX]; /* why it counts */
	bool is_explained;
	struct task_held *outer;
};

/* ---- task.c: budget -------------------------------------------------------- */

/* Why the verdict is what it is; the first reason stays. */
void task_reason(struct task *t, const char *text);
/* Makes the message over the limit. */
void task_over_limit(struct task *t, const char *text);
/* Is there any point in going on? To be asked between pieces of work. */
bool task_goes_on(struct task *t);
/* Takes len octets of work from the budget. */
bool task_charge(struct task *t, size_t len);
/* One object, or what costs as much, from the budget. */
bool task_take_object(struct task *t);
/* Into a message or an archive, and out of it. False: too deep, noted. */
bool task_enter(struct task *t);
void task_leave(struct task *t);

/* ---- task_content.c -------------------------------------------------------- */

/* t->content, of the descriptor where it is not inline. 0, -1 it cannot be read. */
int task_content_open(struct task *t, int fd);
void task_content_close(struct task *t);

/* ---- task_mem.c: also task_mem_init and task_mem_rest of task.h ------------ */

/* At the end of each task. */
void task_mem_used(void);
/* Memory for an object; NULL: the task is to end. task_free takes the same
 * size, and a null pointer. A failed task_realloc frees nothing. */
void *task_alloc(struct task *t, size_t size);
void *task_realloc(struct task *t, void *p, size_t old, size_t size);
/* Makes the verdict unavailable; false. */
bool task_out_of_memory(struct task *t);
void task_free(struct task *t, void *p, size_t size);

/* ---- task_object.c --------------------------------------------------------- */

/* Around task_scan_object and the look into the same object: what is allowed,
 * and a find that may be explained, hold until the end. */
struct task_scope { bool in_allowed; struct task_held held; };
void task_scope_begin(struct task *t, struct task_scope *s);
void task_scope_end(struct task *t, struct task_scope *s, const char *name);
/* Gives one object to the engines, within a scope. */
bool task_scan_object(struct task *t, const void *data, size_t len, const char *name,
	bool is_message);
/* An object of that name is of kind av (one VERDICT_AV_*), and why. */
void task_note(struct task *t, unsigned av, const char *name, const char *why);
/* A name that a reader may see; is it blocked (av_block_ext)? shown: what the
 * object is called in the verdict. */
void task_check_name(struct task *t, const char *name, const char *shown);
/* Is a file of that name to be left alone (av_scan_ext_exclude)? */
bool task_is_excluded(const struct task *t, const char *name);

/* ---- task_clean.c ---------------------------------------------------------- */

/* To be called before a part of the message is scanned, and behind it. */
struct task_clean_at { unsigned finds, cuts; };
struct task_clean_at task_clean_enter(struct task *t, const struct mime_part *p);
void task_clean_leave(struct task *t, const struct mime_part *p, struct task_clean_at at);
/* The message without its infected parts as a sealed memfd; -1 it cannot be
 * cleaned. */
int task_clean_make(struct task *t);
void task_clean_fini(struct task *t);

/* ---- task_guess.c: pure ---------------------------------------------------- */

/* Where a header may begin: behind a byte order mark and empty lines. */
size_t guess_mail_start(struct pace *pace, const char *p, size_t len);
/* Do the octets begin like a message? */
bool guess_is_mail(struct pace *pace, const char *p, size_t len);
bool guess_is_mail_name(const char *name);
/* Does a file of Mail (.emlx) begin here: its size in a line, a message? Where
 * that begins, and how many octets it is said to have. */
bool guess_is_emlx(struct pace *pace, const char *p, size_t len, size_t *at_out, size_t *n_out);
bool guess_is_base64(struct pace *pace, const char *p, size_t len);
/* Lists end with NULL. Ends: blanks and dots behind the name don't count. */
bool guess_starts_any(const char *p, size_t n, const char *const *words);
bool guess_ends_any(const char *name, const char *const *ends);

/* ---- task_decode.c --------------------------------------------------------- */

/* Decodes len octets behind a copy of the head. NULL: the task is to end;
 * else to be freed with task_free, *size_out being its size. */
char *task_decode_all(struct task *t, struct decode *d, const char *head, size_t head_len,
	const char *in, size_t len, size_t *out_len, size_t *size_out);
/* Scans what that encoding holds, in all readings. */
bool task_scan_encoded(struct task *t, enum decode_kind kind, const char *body, size_t len,
	const char *name, unsigned is);
/* Scans the encoded files that stand in a text; is_announced as in decode_uu.h. */
bool task_scan_uuencoded(struct task *t, const char *text, size_t len, bool is_announced,
	const char *outer);

/* ---- task_archive.c -------------------------------------------------------- */

/* Scans what the object holds if it is an archive, or has one inside. marks: of
 * marks.h, those that occur in it. */
bool task_scan_archive(struct task *t, const char *data, size_t len, const char *name,
	unsigned marks);

/* ---- task_carrier.c -------------------------------------------------------- */

/* Scans the files that the object holds without being an archive. */
bool task_scan_carriers(struct task *t, const char *data, size_t len, const char *name,
	unsigned marks);

/* ---- task_mbox.c ----------------------------------------------------------- */

/* Do the octets begin like a mailbox? Pure. */
bool guess_is_mailbox(const char *p, size_t len);
/* Scans what lies inside each of its messages. */
bool task_walk_mailbox(struct task *t, const char *p, size_t len);

/* ---- task_walk.c ----------------------------------------------------------- */

/* Scans one decoded object and whatever lies inside it. is: set of
 * TASK_IS_*. */
bool task_scan_content(struct task *t, const char *data, size_t len, const char *name,
	unsigned is);
/* The same without the object itself. */
bool task_look_into(struct task *t, const char *data, size_t len, const char *name,
	unsigned is);
/* Scans what lies inside a message. root_is_decoded: the encoding that its
 * header names has been taken off already. */
bool task_walk_message(struct task *t, const char *msg, size_t len, bool root_is_decoded);
/* As a message, in one reading of its NULs. */
enum mime_result task_walk_octets(struct task *t, const char *msg, size_t len);

/* ---- task_nul.c: more readings where there are NULs, else nothing ---------- */

/* Of a whole message. */
enum mime_result task_walk_nuls(struct task *t, const char *msg, size_t len);
/* Of a part whose header has some. */
bool task_walk_nul_header(struct task *t, const struct mime_part *p);
/* Of a part in quoted-printable; name and is: of task_scan_encoded. */
bool task_scan_nul_quoted(struct task *t, const struct mime_part *p, const char *name,
	unsigned is);

#endif
