/* session_model.h - what client and server of a session know, kept apart from
 * the session, to tell whether what comes out of it is right.
 *
 *   client octets ──► commands, messages ──┐ each reply must belong to the
 *   c_out ──► replies ─────────────────────┘ oldest command without one (I7)
 *   s_out ──► commands, data ── answered with a tag, so that a reply that
 *                               reaches the client shows where it is from
 *
 * A message of the client holds an octet that its commands never do: where
 * that octet appears on the server's side, and when, shows I1. */
#ifndef ESETS_TESTS_SESSION_MODEL_H
#define ESETS_TESTS_SESSION_MODEL_H

#include <stdbool.h>

#include "fuzz.h"
#include "session.h"

#define MODEL_TOKEN 0xa5

enum model_phase {       /* of the client's stream, at its first octet not read */
	MODEL_COMMAND,
	MODEL_DATA_ASKED,    /* DATA was sent: only its reply says what follows */
	MODEL_AUTH_ASKED,
	MODEL_BDAT_ASKED,
	MODEL_AUTH,          /* a 334 came: the next line is an answer */
	MODEL_BODY,          /* a 354 came */
};

enum model_kind {        /* a reply that the client is owed */
	MODEL_OWED_BANNER, MODEL_OWED_COMMAND, MODEL_OWED_SYNTAX, MODEL_OWED_DATA,
	MODEL_OWED_AUTH, MODEL_OWED_BDAT, MODEL_OWED_FINAL,
};

struct model_owed {
	enum model_kind kind;
	struct fuzz_text line;   /* as a server would have to get it */
};

enum model_heard { MODEL_BANNER, MODEL_LINE, MODEL_ANSWER, MODEL_DOT, MODEL_LONE_DOT };

struct model_command {       /* of the server; its number is the tag */
	enum model_heard kind;
	struct fuzz_text line;
	int code;            /* of its answer, 0 none yet */
	bool is_nested;      /* MAIL: a transaction was open before it */
	unsigned message;    /* DOT: which of the client's */
};

struct model {
	const struct conf *conf;
	struct session *s;
	bool has_users;          /* addresses are looked at: they name settings */
	bool is_rogue;           /* the server has sent octets of its own making */

	struct fuzz_text stream; /* all that the client sent */
	size_t at;               /* read up to here */
	enum model_phase phase;
	struct model_owed *owed;
	unsigned owed_first, nowed, owed_cap;
	struct fuzz_text auth_line, replies;
	bool is_closing;         /* a 421 or the answer to QUIT was said */

	struct fuzz_text chunks; /* of the message under way by BDAT */
	uint64_t chunk_size;
	bool chunk_ok, chunk_last, is_binary;
	bool has_mail;           /* a transaction is open as far as the client knows */

	unsigned nrcpts[2];      /* of the transaction, by settings, see model_actions */
	bool first_kind;         /* the first one's */

	struct fuzz_text body;   /* of the message that is complete */
	bool is_complete, is_accepted, is_discarded, is_dotted;
	unsigned message;

	bool server_data, server_auth, server_mail;
	bool is_early;           /* the message under way has its answer already */
	uint64_t server_chunk;   /* octets of BDAT to come, 0 none */
	struct fuzz_text server_in;
	struct model_command *heard;
	unsigned nheard, heard_cap, answered, last_tag;
};

void model_init(struct model *m, struct session *s, const struct conf *conf);
void model_fini(struct model *m);

/* Octets that the client is about to send: a token that has no business there
 * is replaced. */
void model_client_sends(struct model *m, uint8_t *p, size_t n);
/* Octets for the client, when the session has made them. */
void model_client_gets(struct model *m, const uint8_t *p, size_t n);

void model_server_up(struct model *m);
void model_server_down(struct model *m);
void model_server_gets(struct model *m, const uint8_t *p, size_t n);
/* Answers the oldest command; false: there is none. */
bool model_server_answers(struct model *m, uint8_t choice, uint8_t caps, struct fuzz_text *out);
/* Answers the message that has only begun to come; false: there is none. */
bool model_server_is_early(struct model *m, uint8_t choice, struct fuzz_text *out);

/* The message that is complete now, as the scanner must see it. */
void model_scan(struct model *m, const uint8_t *p, size_t n);
/* What the scanner made of it, if that may take its place: false, it may not. */
bool model_cleaned(struct model *m, const char *p, size_t n);
void model_decided(struct model *m, bool is_accepted, bool is_discarded);

/* The actions that hold for the transaction: by recipients whose address
 * begins with an e, for which [global] stands, and others. */
struct policy_actions model_actions(const struct model *m);

#endif
