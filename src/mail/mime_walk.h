/* mime_walk.h - one walk of a message, for those who take part in it.
 *
 *   mime.c      parts between the boundaries that a multipart names
 *   mime_net.c  parts that stand behind none of them */
#ifndef ESETS_MIME_WALK_H
#define ESETS_MIME_WALK_H

#include <stdint.h>

#include "mime_int.h"

#define MIME_CANDIDATE_WORK 16u /* looking at one dash costs as much as searching so many octets */
#define WALKED_MAX 1024u   /* boundaries remembered; of more, parts are walked twice */
#define WALKED_TEXT 16384u /* octets of theirs */

/* A boundary, and the range that was searched for it. */
struct walked {
	const char *p;
	size_t n;
	uint16_t text, text_len;
	bool is_digest;
};

struct walked_all {
	unsigned n;
	size_t used;             /* of text */
	struct walked v[WALKED_MAX];
	char text[WALKED_TEXT];
};

struct walk {
	const struct mime_budget *budget;
	mime_part_fn fn;
	void *arg;
	uint64_t *work_left;
	struct pace pace;
	unsigned number, n_bare;
	bool is_over, is_stopped, has_ended;
	bool in_net;             /* what is walked is a guess */
	struct mime_part part;   /* the one being reported */
	bool saw_digest;         /* a multipart around or before */
	struct walked_all *walked;
};

/* How a range is to be read. */
struct where {
	unsigned depth;
	bool is_digest, is_ambiguous;
	bool is_bare;            /* an empty line, and then a text: no multipart */
};

/* The readings of the fields of one part. */
struct readings {
	const struct mime_value *type[MIME_VALUES_MAX + 1]; /* NULL: there is none */
	unsigned n_types;
	struct { enum decode_kind kind; bool is_known; } encoding[MIME_VALUES_MAX + 1];
	unsigned n_encodings;
};

struct search {
	const char *p;
	size_t n;
	const struct mime_boundary *b;
	struct pace *pace;
	bool is_cr_text;
	bool takes_lax;          /* lines that only begin with the boundary count too */
	bool saw_lax;
	size_t lf_from, lf_end;  /* the only LF between these two is the last octet */
};

/* Is there another piece of a loop, of which i octets are looked at? */
static inline bool mime_goes_on(const struct search *s, size_t i)
{
	return i % PACE_OCTETS != PACE_OCTETS - 1 || pace_on(s->pace, PACE_OCTETS);
}

/* Takes from the work that is left; at its end w->has_ended. */
void mime_charge(struct walk *w, uint64_t work);
/* The first CR or LF at or behind i, else the end. */
size_t mime_eol_find(struct search *s, size_t i);
/* The next line at or behind i that begins with "--", else the end. Charged. */
size_t mime_dashes_find(struct walk *w, struct search *s, size_t i);
/* The fields before fields_end, and "no such field" where only a reader that
 * takes bare CRs for line ends sees one. */
void mime_readings_make(struct readings *r, const struct mime_head *h, const char *fields_end);
/* Walks a part and what is in it; too deep, it is text. */
void mime_walk_child(struct walk *w, const char *p, size_t n, const struct where *at);

/* Remembers that the range was searched for that boundary. */
void mime_net_add(struct walk *w, const char *p, size_t n, const struct mime_boundary *b,
	bool is_digest);
/* Behind the walk of a message: the parts that none of those boundaries begins. */
void mime_net_sweep(struct walk *w, const char *msg, size_t len);

#endif
