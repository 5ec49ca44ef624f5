/* rspamd_reply.h - what rspamd says of a message: the JSON text that it sends
 * as answer to /checkv2. Pure.
 *
 * Of the object's members these are looked at, each of which may be there
 * once: action, score, required_score, error. All else must be valid JSON, of
 * at most RSPAMD_DEPTH_MAX levels, and is passed over. */
#ifndef ESETS_RSPAMD_REPLY_H
#define ESETS_RSPAMD_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#define RSPAMD_DEPTH_MAX 32
#define RSPAMD_WORD_MAX 64

struct rspamd_reply {
	bool has_action, has_score, has_required;
	char action[RSPAMD_WORD_MAX];   /* "no action", "add header"; cut */
	char error[RSPAMD_WORD_MAX];    /* "" none */
	int score_milli, required_milli;
};

enum rspamd_means {
	RSPAMD_HAM,      /* no action, greylist */
	RSPAMD_SPAM,     /* add header, rewrite subject, quarantine, discard, reject */
	RSPAMD_LATER,    /* soft reject: rspamd could not decide yet */
	RSPAMD_UNKNOWN   /* an action of the site's own */
};

/* 0; -1 not such an object, or without action or score. */
int rspamd_reply_parse(const char *p, size_t n, struct rspamd_reply *r, const char **why_out);
/* What its action means here. */
enum rspamd_means rspamd_reply_means(const struct rspamd_reply *r);

#endif
