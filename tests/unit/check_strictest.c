/* check_strictest.c - settings of several recipients laid together: each
 * option, and that nothing passes that one of them would not let pass. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "split.h"
#include "strictest.h"
#include "unit.h"

static const struct conf_scan none = {
	.opts = { .ext_exclude = "", .block_ext = "", .allow_hash = "", .allow_name = "" },
	.quarantine_dir = "/one", .av_subject_prefix = "one", .as_subject_prefix = "",
};

START_TEST(options)
{
	struct conf_scan a = none, b = none;
	struct strictest st;

	a.opts = (struct scan_opts){ .clean_mode = SCAN_CLEAN_STRICT, .obj_files = true, .heur = true,
		.archive_max_level = 3, .archive_max_size = 70, .archive_max_files = 9,
		.archive_max_ratio = 5, .max_size = 100, .timeout_s = 30, .as_spam_score_milli = 5000,
		.ext_exclude = "txt:PNG:jpg", .block_ext = "exe", .allow_hash = "", .allow_name = "A.*" };
	b.opts = (struct scan_opts){ .clean_mode = SCAN_CLEAN_DELETE, .obj_archives = true,
		.app_unsafe = true, .quarantine = true, .archive_max_level = 5, .archive_max_size = 60,
		.archive_max_files = 11, .archive_max_ratio = 4, .max_size = 200, .timeout_s = 20,
		.as_spam_score_milli = 4000, .ext_exclude = "png: txt", .block_ext = "scr:EXE",
		.allow_hash = "x", .allow_name = "a.*" };
	b.av_header = true;
	b.quarantine_dir = "/two";
	strictest_init(&st, &a);
	ck_assert_int_eq(strictest_add(&st, &b), 0);
	ck_assert_int_eq(strictest_add(&st, &b), 0);
	const struct scan_opts *o = &st.scan.opts;
	ck_assert(o->clean_mode == SCAN_CLEAN_DELETE && o->obj_files && o->obj_archives && o->heur &&
		o->app_unsafe && o->quarantine && !o->obj_rtp && st.scan.av_header && !st.scan.as_header);
	ck_assert(o->archive_max_level == 5 && o->archive_max_size == 70 && o->archive_max_files == 11 &&
		o->archive_max_ratio == 5 && o->max_size == 200 && o->timeout_s == 30 &&
		o->as_spam_score_milli == 4000);
	ck_assert_str_eq(o->ext_exclude, "png:txt");
	ck_assert_str_eq(o->block_ext, "exe:scr");
	ck_assert_str_eq(o->allow_hash, "");
	ck_assert_str_eq(o->allow_name, "a.*");
	ck_assert_str_eq(st.scan.quarantine_dir, "/one");
	ck_assert_str_eq(st.scan.av_subject_prefix, "one");
	/* A third: no limit, its engine's own score, nothing taken out. */
	ck_assert_int_eq(strictest_add(&st, &none), 0);
	ck_assert(o->clean_mode == SCAN_CLEAN_NONE && o->max_size == 0 &&
		o->as_spam_score_milli == 4000);
	ck_assert_str_eq(o->ext_exclude, "");
	ck_assert_str_eq(o->block_ext, "exe:scr");
	strictest_fini(&st);
	/* From the other side. */
	strictest_init(&st, &none);
	ck_assert_int_eq(strictest_add(&st, &a), 0);
	ck_assert(o->max_size == 0 && o->as_spam_score_milli == 5000);
	ck_assert_str_eq(o->block_ext, "exe");
	ck_assert_str_eq(o->ext_exclude, "");
	strictest_fini(&st);
}
END_TEST

START_TEST(list_without_end)
{
	static char lists[5][4096];
	struct conf_scan more = none;
	struct strictest st;
	int added = 0;

	strictest_init(&st, &none);
	for (int i = 0; i < 5; i++) {
		memset(lists[i], 'a' + i, sizeof lists[i] - 1);
		struct conf_scan *copy = malloc(sizeof *copy);
		*copy = more;
		copy->opts.block_ext = lists[i];
		const bool fits = strictest_fits(&st.scan, copy);
		added = strictest_add(&st, copy);
		ck_assert_int_eq(fits, added == 0);
		free(copy);
		if (added < 0)
			break;
		memset(st.seen, 0, sizeof st.seen); /* the next may have its address */
	}
	ck_assert_int_eq(added, -1);
	more.opts.block_ext = lists[2]; /* what stands there already takes no room */
	ck_assert(strictest_fits(&st.scan, &more));
	strictest_fini(&st);
}
END_TEST

static struct policy_actions random_actions(unsigned *seed)
{
	struct policy_actions a;
	enum policy_action *all[] = { &a.av, &a.as, &a.av_infected, &a.av_notscanned, &a.av_deleted,
		&a.av_encrypted, &a.av_overlimit, &a.av_unavailable, &a.as_spam, &a.as_notscanned };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		*all[i] = (enum policy_action)(split_random(seed) % 5);
		if (i > 1 && *all[i] == POLICY_SCAN)
			*all[i] = POLICY_ACCEPT;
	}
	return a;
}

/* What all of them together let through, each lets through; and where one of
 * them asks for a scan, it is made unless the message is held without. */
START_TEST(nothing_passes_that_one_holds)
{
	unsigned seed = (unsigned)_i + 1;

	for (int t = 0; t < 20000; t++) {
		struct policy_actions a = random_actions(&seed), b = random_actions(&seed);
		struct policy_actions both = policy_strictest(&a, &b);
		struct verdict v = { .av = split_random(&seed) % (VERDICT_AV_ALL + 1),
			.as = (enum verdict_as)(split_random(&seed) % 4) };
		struct policy_wants wants = policy_wants(&both), wa = policy_wants(&a), wb = policy_wants(&b);
		enum policy_action done = policy_decide(&both, &v).action;
		need(done != POLICY_ACCEPT || (policy_decide(&a, &v).action == POLICY_ACCEPT &&
			policy_decide(&b, &v).action == POLICY_ACCEPT));
		need(wants.av || !(wa.av || wb.av) || both.av > POLICY_SCAN);
		need(wants.as || !(wa.as || wb.as) || both.as > POLICY_SCAN || both.av > POLICY_SCAN);
	}
}
END_TEST

START_TEST(strictest_of_each)
{
	static const enum policy_action order[] = { POLICY_ACCEPT, POLICY_SCAN, POLICY_DISCARD,
		POLICY_DEFER, POLICY_REJECT };

	for (size_t i = 0; i < 5; i++) {
		for (size_t k = 0; k < 5; k++) {
			struct policy_actions a = { .av = order[i], .as_notscanned = order[k] };
			struct policy_actions b = { .av = order[k], .as_notscanned = order[i] };
			struct policy_actions both = policy_strictest(&a, &b);
			ck_assert_int_eq(both.av, order[i > k ? i : k]);
			ck_assert_int_eq(both.as_notscanned, order[i > k ? i : k]);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("strictest");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, options);
	tcase_add_test(tc, list_without_end);
	tcase_add_loop_test(tc, nothing_passes_that_one_holds, 0, 5);
	tcase_add_test(tc, strictest_of_each);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
