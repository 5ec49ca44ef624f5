/* policy.c - the handle object policy: verdict and settings to action.
 *
 *   action_av --accept------------------------------+
 *      |  \--defer, discard, reject--> not accepted  |
 *     scan: infected, else the strictest of what     |
 *      |    applies --defer, discard, reject--> not  |
 *      |                                   accepted  |
 *      +--accept------------------------------------>+--> action_as
 *   action_as --accept--> accepted
 *      |  \--defer, discard, reject--> not accepted
 *     scan: spam or not scanned --accept--> accepted, else not accepted
 *
 * The figure of esets_smtp(1), HANDLE OBJECT POLICY. Pure; it knows nothing of
 * SMTP. In doubt (a value that cannot be) the answer is defer, never accept. */
#include "policy.h"

#include <stddef.h>

/* What applies beside infected; of equally strict ones the first is named. */
static const struct kind {
	unsigned bit;
	enum policy_level level;
	size_t action;
} kinds[] = {
	{ VERDICT_AV_UNAVAILABLE, POLICY_BY_UNAVAILABLE,
	  offsetof(struct policy_actions, av_unavailable) },
	{ VERDICT_AV_ENCRYPTED, POLICY_BY_ENCRYPTED,
	  offsetof(struct policy_actions, av_encrypted) },
	{ VERDICT_AV_OVERLIMIT, POLICY_BY_OVERLIMIT,
	  offsetof(struct policy_actions, av_overlimit) },
	{ VERDICT_AV_NOTSCANNED, POLICY_BY_NOTSCANNED,
	  offsetof(struct policy_actions, av_notscanned) },
	{ VERDICT_AV_DELETED, POLICY_BY_DELETED,
	  offsetof(struct policy_actions, av_deleted) },
};

/* The four that end a matter; scan where no scan is left to make, or a value
 * that is none, defers. */
static enum policy_action final(enum policy_action a)
{
	switch (a) {
	case POLICY_ACCEPT:
	case POLICY_DISCARD:
	case POLICY_DEFER:
	case POLICY_REJECT:
		return a;
	case POLICY_SCAN:
		break;
	}
	return POLICY_DEFER;
}

static struct policy_result result(enum policy_action action, enum policy_level by)
{
	action = final(action);
	return (struct policy_result){ .action = action,
		.by = action == POLICY_ACCEPT ? POLICY_BY_NONE : by };
}

struct policy_wants policy_wants(const struct policy_actions *a)
{
	bool passes = a->av == POLICY_ACCEPT || a->av == POLICY_SCAN;

	return (struct policy_wants){ .av = a->av == POLICY_SCAN,
		.as = passes && a->as == POLICY_SCAN };
}

static struct policy_result decide_av(const struct policy_actions *a, const struct verdict *v)
{
	struct policy_result worst = { POLICY_ACCEPT, POLICY_BY_NONE };
	unsigned av = v != NULL ? v->av : VERDICT_AV_UNAVAILABLE;

	if ((av & ~(unsigned)VERDICT_AV_ALL) != 0)
		av |= VERDICT_AV_UNAVAILABLE;
	if ((av & VERDICT_AV_INFECTED) != 0)
		return result(a->av_infected, POLICY_BY_INFECTED);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((av & kinds[i].bit) == 0)
			continue;
		const enum policy_action *action =
			(const void *)((const char *)a + kinds[i].action);
		struct policy_result r = result(*action, kinds[i].level);
		if (r.action > worst.action)
			worst = r;
	}
	return worst;
}

static struct policy_result decide_as(const struct policy_actions *a, const struct verdict *v)
{
	enum verdict_as as = v != NULL ? v->as : VERDICT_AS_NOTSCANNED;

	if (as == VERDICT_AS_CLEAN)
		return result(POLICY_ACCEPT, POLICY_BY_NONE);
	if (as == VERDICT_AS_SPAM)
		return result(a->as_spam, POLICY_BY_SPAM);
	return result(a->as_notscanned, POLICY_BY_AS_NOTSCANNED);
}

struct policy_result policy_decide(const struct policy_actions *a, const struct verdict *v)
{
	struct policy_result r = a->av == POLICY_SCAN ? decide_av(a, v) :
		result(a->av, POLICY_BY_AV);

	if (r.action != POLICY_ACCEPT)
		return r;
	return a->as == POLICY_SCAN ? decide_as(a, v) : result(a->as, POLICY_BY_AS);
}

static enum policy_action stricter(enum policy_action a, enum policy_action b)
{
	return a > b ? a : b;
}

struct policy_actions policy_strictest(const struct policy_actions *a,
	const struct policy_actions *b)
{
	return (struct policy_actions){
		.av = stricter(a->av, b->av),
		.av_infected = stricter(a->av_infected, b->av_infected),
		.av_notscanned = stricter(a->av_notscanned, b->av_notscanned),
		.av_deleted = stricter(a->av_deleted, b->av_deleted),
		.av_encrypted = stricter(a->av_encrypted, b->av_encrypted),
		.av_overlimit = stricter(a->av_overlimit, b->av_overlimit),
		.av_unavailable = stricter(a->av_unavailable, b->av_unavailable),
		.as = stricter(a->as, b->as),
		.as_spam = stricter(a->as_spam, b->as_spam),
		.as_notscanned = stricter(a->as_notscanned, b->as_notscanned),
	};
}

const char *policy_action_name(enum policy_action a)
{
	switch (a) {
	case POLICY_ACCEPT: return "accept";
	case POLICY_SCAN: return "scan";
	case POLICY_DISCARD: return "discard";
	case POLICY_DEFER: return "defer";
	case POLICY_REJECT: return "reject";
	}
	return "unknown";
}

const char *policy_action_hop(enum policy_action a)
{
	switch (a) {
	case POLICY_ACCEPT: return "accepted";
	case POLICY_DISCARD: return "discarded";
	case POLICY_DEFER: return "deferred";
	case POLICY_REJECT: return "rejected";
	case POLICY_SCAN: break;
	}
	return "unknown";
}

const char *policy_level_option(enum policy_level l)
{
	static const char *const names[POLICY_BY_COUNT] = {
		[POLICY_BY_NONE] = "",
		[POLICY_BY_AV] = "action_av",
		[POLICY_BY_INFECTED] = "action_av_infected",
		[POLICY_BY_NOTSCANNED] = "action_av_notscanned",
		[POLICY_BY_DELETED] = "action_av_deleted",
		[POLICY_BY_ENCRYPTED] = "action_av_encrypted",
		[POLICY_BY_OVERLIMIT] = "action_av_overlimit",
		[POLICY_BY_UNAVAILABLE] = "action_av_unavailable",
		[POLICY_BY_AS] = "action_as",
		[POLICY_BY_SPAM] = "action_as_spam",
		[POLICY_BY_AS_NOTSCANNED] = "action_as_notscanned",
	};
	return (unsigned)l < POLICY_BY_COUNT ? names[l] : "";
}
