/* decode_uu.h - encoded files in a text: uuencode, its base64, yEnc. Pure. */
#ifndef ESETS_DECODE_UU_H
#define ESETS_DECODE_UU_H

#include <stdbool.h>
#include <stddef.h>

#include "decode.h"

struct pace;

/* One encoded file in a text. */
struct decode_uu {
	enum decode_kind kind;    /* DECODE_UU, _BASE64 (begin-base64), _YENC */
	const char *body;         /* the lines behind the begin line ... */
	size_t body_len;          /* ... up to the end line or the next begin */
	bool is_ended;            /* by a line that is "end" and nothing else */
	char name[256];           /* as it stands there, or decoded ("begin-encoded",
	                           * "begin-base64-encoded"); the tail of a longer one */
};

/* Finds the next "begin MODE NAME" (or "begin-base64", "begin-encoded" ...) or
 * "=ybegin ... name=NAME" line at or behind *from and moves *from past its file.
 * is_announced: a header says that there is one, and "begin" with a blank behind
 * it is enough. The whole text is passed over once, however many files it
 * holds. Returns false when there is none, or pace (NULL: none) is over. */
bool decode_uu_find(const char *text, size_t len, size_t *from, bool is_announced,
	struct pace *pace, struct decode_uu *out);

/* The file that a reader sees who looks for no other once an encoding was announced:
 * behind the first "begin" with white space that stands at the start of a line, or of a
 * piece of one (reading 3 or 4 of decode.h), all up to the end of the text. Without a
 * name. Returns false where there is none, or pace is over. */
bool decode_uu_find_first(const char *text, size_t len, unsigned reading, struct pace *pace,
	struct decode_uu *out);
/* Are all lines such that these two cut and end them as everybody does? */
bool decode_uu_is_plain(const char *text, size_t len, struct pace *pace);

#endif
