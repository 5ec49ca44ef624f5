/* spamd_reply.h - what spamd, of SpamAssassin, answers. Pure.
 *
 *     SPAMD/1.1 0 EX_OK CR LF                 SPAMD/1.5 0 PONG CR LF
 *     Content-length: 217 CR LF               (to PING, nothing else)
 *     Spam: True ; 15.2 / 5.0 CR LF
 *     CR LF
 *     217 octets (to HEADERS: the message's header as it would be)
 *
 * Source: SpamAssassin's spamd/PROTOCOL. */
#ifndef ESETS_SPAMD_REPLY_H
#define ESETS_SPAMD_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "verdict.h"

#define SPAMD_HEAD_MAX 8192

struct spamd_reply {
	bool is_spam;
	int score_milli, threshold_milli;
	const char *body;             /* in the octets that were parsed */
	size_t body_len;
	char why[VERDICT_NAME_MAX];   /* where it is broken, or says an error */
};

/* Parses the n octets that have come so far. is_end: none will follow. 1 the
 * answer is whole, 0 more needed, -1 broken or an error (r->why). The same
 * octets give the same result, whatever pieces they came in. */
int spamd_reply_parse(const char *p, size_t n, bool is_end, struct spamd_reply *r);
/* The same for the answer to PING. */
int spamd_reply_pong(const char *p, size_t n, bool is_end, struct spamd_reply *r);

#endif
