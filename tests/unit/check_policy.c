/* check_policy.c - the handle object policy, every value of every option.
 *
 * expect() is the specification's figure written down a second time, from the
 * text rather than from the code; the loops then go through every set of av
 * kinds, every as status and every action. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "unit.h"

static const enum policy_action finals[] = { POLICY_ACCEPT, POLICY_DISCARD, POLICY_DEFER,
	POLICY_REJECT };
static const enum policy_action actions[] = { POLICY_ACCEPT, POLICY_SCAN, POLICY_DISCARD,
	POLICY_DEFER, POLICY_REJECT };

/* reject > defer > discard > accept */
static int strictness(enum policy_action a)
{
	return a == POLICY_REJECT ? 3 : a == POLICY_DEFER ? 2 : a == POLICY_DISCARD ? 1 : 0;
}

static enum policy_action stricter(enum policy_action a, enum policy_action b)
{
	return strictness(b) > strictness(a) ? b : a;
}

static enum policy_action expect_av(const struct policy_actions *a, unsigned av)
{
	enum policy_action r = POLICY_ACCEPT;

	if ((av & VERDICT_AV_INFECTED) != 0)
		return a->av_infected;
	if ((av & VERDICT_AV_DELETED) != 0)
		r = stricter(r, a->av_deleted);
	if ((av & VERDICT_AV_NOTSCANNED) != 0)
		r = stricter(r, a->av_notscanned);
	if ((av & VERDICT_AV_ENCRYPTED) != 0)
		r = stricter(r, a->av_encrypted);
	if ((av & VERDICT_AV_OVERLIMIT) != 0)
		r = stricter(r, a->av_overlimit);
	if ((av & VERDICT_AV_UNAVAILABLE) != 0)
		r = stricter(r, a->av_unavailable);
	return r;
}

static enum policy_action expect(const struct policy_actions *a, unsigned av, enum verdict_as as)
{
	enum policy_action r = a->av == POLICY_SCAN ? expect_av(a, av) : a->av;

	if (r != POLICY_ACCEPT || a->as == POLICY_ACCEPT)
		return r;
	if (a->as != POLICY_SCAN)
		return a->as;
	return as == VERDICT_AS_CLEAN ? POLICY_ACCEPT :
		as == VERDICT_AS_SPAM ? a->as_spam : a->as_notscanned;
}

/* The value of the option that is said to have decided. */
static enum policy_action value_of(const struct policy_actions *a, enum policy_level by)
{
	switch (by) {
	case POLICY_BY_AV: return a->av;
	case POLICY_BY_INFECTED: return a->av_infected;
	case POLICY_BY_NOTSCANNED: return a->av_notscanned;
	case POLICY_BY_DELETED: return a->av_deleted;
	case POLICY_BY_ENCRYPTED: return a->av_encrypted;
	case POLICY_BY_OVERLIMIT: return a->av_overlimit;
	case POLICY_BY_UNAVAILABLE: return a->av_unavailable;
	case POLICY_BY_AS: return a->as;
	case POLICY_BY_SPAM: return a->as_spam;
	case POLICY_BY_AS_NOTSCANNED: return a->as_notscanned;
	default: return POLICY_ACCEPT;
	}
}

static void check_one(const struct policy_actions *a, unsigned av, enum verdict_as as)
{
	struct verdict v = { .av = av, .as = as };
	struct policy_result r = policy_decide(a, &v);

	if (r.action != expect(a, av, as) || r.action != value_of(a, r.by) ||
	    (r.by == POLICY_BY_NONE) != (r.action == POLICY_ACCEPT))
		ck_abort_msg("av %d as %d verdict %x/%d: %s by %s", (int)a->av, (int)a->as, av,
			(int)as, policy_action_name(r.action), policy_level_option(r.by));
}

/* Every value of the seven av options and every set of kinds: 5 x 4^6 x 64. */
START_TEST(av_exhaustive)
{
	enum policy_action av = actions[_i];

	for (unsigned code = 0; code < 4096; code++) {
		struct policy_actions a = { .av = av,
			.av_infected = finals[code & 3], .av_notscanned = finals[code >> 2 & 3],
			.av_deleted = finals[code >> 4 & 3], .av_encrypted = finals[code >> 6 & 3],
			.av_overlimit = finals[code >> 8 & 3],
			.av_unavailable = finals[code >> 10 & 3],
			.as = POLICY_ACCEPT, .as_spam = POLICY_REJECT,
			.as_notscanned = POLICY_REJECT };
		for (unsigned set = 0; set <= VERDICT_AV_ALL; set++)
			check_one(&a, set, VERDICT_AS_SPAM);
	}
}
END_TEST

/* Every value of the three as options behind every way through action_av. */
START_TEST(as_exhaustive)
{
	for (unsigned code = 0; code < 5 * 5 * 4 * 4 * 4; code++) {
		struct policy_actions a = { .av = actions[code % 5], .as = actions[code / 5 % 5],
			.as_spam = finals[code / 25 % 4], .as_notscanned = finals[code / 100 % 4],
			.av_infected = finals[code / 400 % 4], .av_unavailable = POLICY_DEFER };
		for (int as = VERDICT_AS_NONE; as <= VERDICT_AS_NOTSCANNED; as++) {
			check_one(&a, VERDICT_AV_CLEAN, (enum verdict_as)as);
			check_one(&a, VERDICT_AV_INFECTED, (enum verdict_as)as);
			check_one(&a, VERDICT_AV_UNAVAILABLE, (enum verdict_as)as);
		}
	}
}
END_TEST

START_TEST(wants)
{
	for (size_t i = 0; i < 5; i++) {
		for (size_t k = 0; k < 5; k++) {
			struct policy_actions a = { .av = actions[i], .as = actions[k] };
			struct policy_wants w = policy_wants(&a);
			bool passes = actions[i] == POLICY_ACCEPT || actions[i] == POLICY_SCAN;
			ck_assert(w.av == (actions[i] == POLICY_SCAN));
			ck_assert(w.as == (passes && actions[k] == POLICY_SCAN));
			/* What asks for nothing is decided without a verdict. */
			if (!w.av && !w.as)
				ck_assert(policy_decide(&a, NULL).action ==
					(actions[i] != POLICY_ACCEPT ? actions[i] : actions[k]));
		}
	}
}
END_TEST

/* The defaults of the suite, in words. */
START_TEST(examples)
{
	struct policy_actions a = { .av = POLICY_SCAN, .av_infected = POLICY_REJECT,
		.av_unavailable = POLICY_DEFER };
	struct verdict v = { .av = VERDICT_AV_INFECTED | VERDICT_AV_UNAVAILABLE };
	struct policy_result r = policy_decide(&a, &v);

	ck_assert(r.action == POLICY_REJECT && r.by == POLICY_BY_INFECTED);
	v.av = VERDICT_AV_UNAVAILABLE | VERDICT_AV_DELETED;
	r = policy_decide(&a, &v);
	ck_assert(r.action == POLICY_DEFER && r.by == POLICY_BY_UNAVAILABLE);
	/* Infected decides alone: accepted although the scan was not whole. */
	a.av_infected = POLICY_ACCEPT;
	v.av = VERDICT_AV_INFECTED | VERDICT_AV_UNAVAILABLE;
	ck_assert(policy_decide(&a, &v).action == POLICY_ACCEPT);
	a.av_encrypted = POLICY_DISCARD;
	a.av_overlimit = POLICY_REJECT;
	v.av = VERDICT_AV_ENCRYPTED | VERDICT_AV_OVERLIMIT | VERDICT_AV_UNAVAILABLE;
	r = policy_decide(&a, &v);
	ck_assert(r.action == POLICY_REJECT && r.by == POLICY_BY_OVERLIMIT);
	/* Accepted infected mail is still looked at for spam. */
	a.as = POLICY_SCAN;
	a.as_spam = POLICY_DISCARD;
	v.av = VERDICT_AV_INFECTED;
	v.as = VERDICT_AS_SPAM;
	r = policy_decide(&a, &v);
	ck_assert(r.action == POLICY_DISCARD && r.by == POLICY_BY_SPAM);
}
END_TEST

/* What cannot be is a temporary failure, never a pass. */
START_TEST(in_doubt_defer)
{
	struct policy_actions a = { .av = POLICY_SCAN, .av_unavailable = POLICY_DEFER };
	struct verdict v = { .av = 1u << 9 };

	ck_assert(policy_decide(&a, NULL).action == POLICY_DEFER);
	ck_assert(policy_decide(&a, &v).action == POLICY_DEFER);
	a.av_infected = POLICY_SCAN;
	v.av = VERDICT_AV_INFECTED;
	ck_assert(policy_decide(&a, &v).action == POLICY_DEFER);
	a = (struct policy_actions){ .as = POLICY_SCAN, .as_notscanned = POLICY_REJECT };
	ck_assert(policy_decide(&a, NULL).action == POLICY_REJECT);
	v = (struct verdict){ .as = (enum verdict_as)9 };
	ck_assert(policy_decide(&a, &v).action == POLICY_REJECT);
	a.av = (enum policy_action)9;
	ck_assert(policy_decide(&a, &v).action == POLICY_DEFER);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(policy_action_name(POLICY_SCAN), "scan");
	ck_assert_str_eq(policy_action_name(POLICY_DEFER), "defer");
	ck_assert_str_eq(policy_action_hop(POLICY_ACCEPT), "accepted");
	ck_assert_str_eq(policy_action_hop(POLICY_DEFER), "deferred");
	ck_assert_str_eq(policy_action_hop(POLICY_DISCARD), "discarded");
	ck_assert_str_eq(policy_action_hop(POLICY_REJECT), "rejected");
	ck_assert_str_eq(policy_level_option(POLICY_BY_NONE), "");
	ck_assert_str_eq(policy_level_option(POLICY_BY_SPAM), "action_as_spam");
	for (int l = POLICY_BY_AV; l < POLICY_BY_COUNT; l++)
		ck_assert_int_eq(strncmp(policy_level_option((enum policy_level)l), "action_a", 8), 0);
	ck_assert_str_eq(policy_level_option(POLICY_BY_COUNT), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_add_loop_test(tc, av_exhaustive, 0, 5);
	tcase_add_test(tc, as_exhaustive);
	tcase_add_test(tc, wants);
	tcase_add_test(tc, examples);
	tcase_add_test(tc, in_doubt_defer);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
