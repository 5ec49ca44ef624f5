/* policy.h - the handle object policy: verdict and settings to action.
 *
 * The figure of esets_smtp(1), HANDLE OBJECT POLICY, as a pure function. It
 * knows nothing of SMTP, sockets or logs. */
#ifndef ESETS_POLICY_H
#define ESETS_POLICY_H

#include "verdict.h"

/* Ordered by strictness (design 3.4); policy_strictest counts on it. */
enum policy_action { POLICY_ACCEPT, POLICY_SCAN, POLICY_DISCARD, POLICY_DEFER, POLICY_REJECT };

/* Values of the action_* options of one section, resolved: "follows" is
 * already replaced by what it follows. */
struct policy_actions {
	enum policy_action av, av_infected, av_notscanned, av_deleted, av_encrypted,
		av_overlimit, av_unavailable;
	enum policy_action as, as_spam, as_notscanned;
};

enum policy_level {          /* which option decided, for text and log */
	POLICY_BY_NONE,      /* nothing to object */
	POLICY_BY_AV, POLICY_BY_INFECTED, POLICY_BY_NOTSCANNED, POLICY_BY_DELETED,
	POLICY_BY_ENCRYPTED, POLICY_BY_OVERLIMIT, POLICY_BY_UNAVAILABLE,
	POLICY_BY_AS, POLICY_BY_SPAM, POLICY_BY_AS_NOTSCANNED,
	POLICY_BY_COUNT
};

struct policy_result {
	enum policy_action action;   /* never POLICY_SCAN */
	enum policy_level by;
};

/* What must be asked of the scanner? Neither: the message is decided without
 * a scan. want_as is false where action_av alone ends it. */
struct policy_wants { bool av, as; };
struct policy_wants policy_wants(const struct policy_actions *a);

/* v may be NULL where policy_wants asked for nothing. */
struct policy_result policy_decide(const struct policy_actions *a, const struct verdict *v);

/* The strictest of two settings for each action: reject, then defer, discard,
 * scan, accept. What these let through, both would let through. */
struct policy_actions policy_strictest(const struct policy_actions *a,
	const struct policy_actions *b);

const char *policy_action_name(enum policy_action a);      /* "accept", ... */
const char *policy_action_hop(enum policy_action a);       /* "accepted", ... */
const char *policy_level_option(enum policy_level l);      /* "action_av_infected", ... */

#endif
