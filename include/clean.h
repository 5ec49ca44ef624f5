/* clean.h - what stands instead of an infected part of a message. Pure. */
#ifndef ESETS_CLEAN_H
#define ESETS_CLEAN_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "verdict.h"

/* A part to be taken out: octets [from, to) of the message, its header block,
 * with the empty line, first. */
struct clean_cut {
	size_t from, body, to;
	/* It is a message, not a part of one: fields that do not describe the
	 * content stay. */
	bool keeps_head;
	char name[VERDICT_NAME_MAX];    /* file name, "" none; any octets */
	char virus[VERDICT_NAME_MAX];
};

/* Appends the text part that takes its place. 0, -1 no room in out (which
 * then holds a part of it). */
int clean_replacement(const char *msg, size_t len, const struct clean_cut *c, struct buf *out)
	__attribute__((warn_unused_result));

#endif
