/* bdat_model.h - what a client says by BDAT, and what must come of it.
 *
 *   records ──► script: the client's stream, and where a piece of it ends
 *                       replies, in order
 *                       what the server hears, in order
 *                       what the scanner sees, in order
 *
 * All of it is known before the session hears the first octet: where the
 * stream is cut, and how long server and scanner take, changes nothing of it.
 * Written from RFC 3030 and the design, not from the sources. */
#ifndef ESETS_TESTS_BDAT_MODEL_H
#define ESETS_TESTS_BDAT_MODEL_H

#include <stdbool.h>

#include "conf.h"
#include "fuzz.h"

#define BDAT_CUTS_MAX 512
#define BDAT_INFECTED 0x08   /* octet behind which a message is no clean one */

enum bdat_kind {
	BDAT_REPLY,          /* text: how its first line begins */
	BDAT_REPLY_EITHER,   /* the same, or too big: a CR at the end may be half a line end */
	BDAT_LINE,           /* a command for the server, with CR LF */
	BDAT_MAIL,           /* a message for the server by DATA, decoded */
	BDAT_CHUNK,          /* the same by BDAT */
	BDAT_SCAN,           /* a message for the scanner */
};

struct bdat_item {
	enum bdat_kind kind;
	struct fuzz_text text;
};

struct bdat_list {
	struct bdat_item *p;
	unsigned n, cap;
};

struct bdat_cfg {
	bool pipelining, server_chunking;   /* what the server offers */
	enum conf_chunking chunking;
	enum conf_bare_newline bare_newline;
	size_t size_max;                    /* 0 none */
	bool has_users;                     /* addresses are looked at */
};

struct bdat_script {
	struct fuzz_text stream;
	size_t cuts[BDAT_CUTS_MAX];         /* a piece ends here, ascending */
	unsigned ncuts;
	bool has_end;                       /* its last reply ends the session */
	struct bdat_list to_client, to_server, to_scanner;
};

/* Records in[0..n) to a script. */
void bdat_script_make(struct bdat_script *b, const struct bdat_cfg *cfg, const uint8_t *in,
	size_t n);
void bdat_script_free(struct bdat_script *b);

#endif
