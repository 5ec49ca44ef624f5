/* mbox.h - a mailbox in one file, cut into its messages. Pure.
 *
 * A message begins behind a line "From SENDER DATE" and ends at the next one,
 * less the empty line in front of that. Programs do not agree on which lines
 * count: some want an empty line in front, some a date. A line that lacks one
 * of them is doubtful: the messages are told as if it were none, and what lies
 * between doubtful lines is told too, so that whatever a reader takes for a
 * message is among what is told. */
#ifndef ESETS_MBOX_H
#define ESETS_MBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets from..to of the file, without the From line. */
struct mbox_segment {
	uint64_t from, to;
	uint64_t number;    /* of the message, from 1; 0: in front of the first From line */
	unsigned reading;   /* 0: the message; 1 and up: pieces of it, at doubtful lines */
};

struct mbox {
	uint64_t at;                 /* octets seen */
	int state;                   /* of the line being read */
	unsigned matched;            /* octets of "From " */
	bool after_empty, has_time;
	unsigned char last[2];
	uint64_t line_at, empty_at;  /* where this line, the empty one before it begin */
	uint64_t from, piece_from;   /* of the message, of its piece at hand */
	uint64_t number;
	unsigned pieces;
};

void mbox_init(struct mbox *m);
/* Looks at the next n octets, any split legal. *n_out segments (0 to 2) end
 * there, in the order in which they are to be told: pieces before the message.
 * Returns the octets consumed; less than n only if there are segments: call
 * again with the rest. Allocates nothing. */
size_t mbox_push(struct mbox *m, const void *p, size_t n, struct mbox_segment out[2],
	unsigned *n_out);
/* The file ends: the last segments (0 to 2). */
unsigned mbox_end(struct mbox *m, struct mbox_segment out[2]);

#endif
