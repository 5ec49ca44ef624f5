/* check_conf_user.c - the user file, through conf_load: settings, inheritance,
 * groups, and what is said of a wrong one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "conf_int.h"
#include "config.h"
#include "unit.h"

static char dir[UNIT_PATH_SIZE], cfg_path[300], user_path[300], said[100000];
static size_t said_len;
static unsigned no_effect;

static void setup(void)
{
	unit_dir(dir);
	snprintf(cfg_path, sizeof cfg_path, "%s/esets.cfg", dir);
	snprintf(user_path, sizeof user_path, "%s/users.cfg", dir);
}

/* Errors and warnings (those of options without effect are counted); with the user file's name as U. */
static void note(void *arg, enum conf_note kind, const char *text)
{
	size_t n = strlen(user_path);

	if ((kind == CONF_NOTE_INFO && arg == NULL) || strstr(text, "has no effect") != NULL) {
		no_effect += kind == CONF_NOTE_WARNING;
		return;
	}
	said_len += (size_t)snprintf(said + said_len, sizeof said - said_len, "%c ",
		kind == CONF_NOTE_ERROR ? 'E' : kind == CONF_NOTE_WARNING ? 'W' : 'I');
	for (const char *p = text; *p != '\0' && said_len < sizeof said - 3; p++) {
		bool is_path = strncmp(p, user_path, n) == 0;
		said[said_len++] = is_path ? 'U' : *p;
		p += is_path ? n - 1 : 0;
	}
	said[said_len++] = '\n';
	said[said_len] = '\0';
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
	ck_assert_int_eq(fclose(f), 0);
}

static struct conf *try(const char *cfg, const char *users, void *arg)
{
	char prog[] = "prog", option[] = "-c";
	char *argv[] = { prog, option, cfg_path, NULL };
	char text[2000];
	struct conf_cli cli;

	said_len = 0;
	said[0] = '\0';
	snprintf(text, sizeof text, "[smtp]\nuser_config = users.cfg\n%s", cfg);
	write_file(cfg_path, text);
	write_file(user_path, users);
	ck_assert_int_eq(conf_cli_parse(&cli, CONF_PROG_SMTP, 3, argv, note, NULL), 0);
	struct conf *c = conf_load(&cli, note, arg);
	conf_cli_fini(&cli);
	return c;
}

static struct conf *load(const char *cfg, const char *users)
{
	struct conf *c = try(cfg, users, NULL);

	ck_assert_msg(c != NULL && said_len == 0, "%s\n%s", users, said);
	return c;
}

static void expect_said(const char *users, const char *expected)
{
	struct conf *c = try("", users, NULL);

	ck_assert_msg(strcmp(said, expected) == 0, "for\n%s\nit says\n%s\nand not\n%s", users, said,
		expected);
	conf_free(&c);
}

static struct conf_settings find(const struct conf *c, const char *rcpt, const char *sndr)
{
	return conf_settings_for(c, rcpt, strlen(rcpt), sndr, strlen(sndr));
}

/* --- settings --------------------------------------------------------------- */

START_TEST(a_section_over_the_agent)
{
	struct conf *c = load("av_scan_timeout = 7\naction_av_infected = discard\n"
		"av_allow_name = \"Agent.*\"\n",
		"# users\n[user@domain.com]\nav_scan_timeout = 8\n\n[|boss@domain.com]\n"
		"action_av_infected = accept  ; trusts nobody\n");
	struct conf_settings u = find(c, "User@Domain.Com", "x@y");

	ck_assert(conf_has_users(c));
	ck_assert_str_eq(u.section, "user@domain.com");
	ck_assert_uint_eq(u.scan->opts.timeout_s, 8);
	ck_assert_int_eq(u.scan->actions.av_infected, POLICY_DISCARD);
	ck_assert_str_eq(u.scan->opts.allow_name, "Agent.*");
	u = find(c, "z@z", "boss@domain.com");
	ck_assert_str_eq(u.section, "|boss@domain.com");
	ck_assert_uint_eq(u.scan->opts.timeout_s, 7);
	ck_assert_int_eq(u.scan->actions.av_infected, POLICY_ACCEPT);
	u = find(c, "z@z", "x@y");
	ck_assert_str_eq(u.section, "smtp");
	ck_assert_ptr_eq(u.scan, &c->smtp.scan);
	conf_free(&c);
}
END_TEST

/* Every scanner common option may stand there, and nothing else. */
START_TEST(all_scanner_options)
{
	struct conf *c = try("", "[a@b]\naction_av = accept\naction_av_infected = defer\n"
		"action_av_notscanned = defer\naction_av_deleted = defer\naction_av_encrypted = defer\n"
		"action_av_overlimit = defer\naction_av_unavailable = accept\naction_as = scan\n"
		"action_as_spam = discard\naction_as_notscanned = defer\nav_clean_mode = strict\n"
		"av_scan_obj_files = no\nav_scan_obj_archives = no\nav_scan_obj_emails = no\n"
		"av_scan_obj_mailbox = no\nav_scan_obj_sfx = no\nav_scan_obj_rtp = no\n"
		"av_scan_app_adware = no\nav_scan_app_unwanted = yes\nav_scan_app_unsafe = yes\n"
		"av_scan_heur = no\nav_scan_adv_heur = no\nav_scan_archive_max_level = 2\n"
		"av_scan_archive_max_size = 1K\nav_scan_archive_max_files = 3\n"
		"av_scan_archive_max_ratio = 4\nav_scan_max_size = 5K\nav_scan_timeout = 6\n"
		"av_scan_ext_exclude = txt\nav_block_ext = exe\nav_allow_name = \"A.*\"\n"
		"as_spam_score = 6.5\nav_quarantine_enabled = yes\nav_quarantine_dir = /q\n"
		"av_eml_header_modification = yes\nas_eml_header_modification = yes\n"
		"av_eml_subject_prefix = \"V\"\nas_eml_subject_prefix = \"S\"\n", NULL);
	ck_assert_msg(c != NULL, "%s", said);
	const struct conf_scan *s = find(c, "a@b", "").scan;

	ck_assert(s->actions.av == POLICY_ACCEPT && s->actions.as_spam == POLICY_DISCARD);
	ck_assert(!s->opts.obj_archives && s->opts.app_unsafe && s->opts.archive_max_size == 1024);
	ck_assert_uint_eq(s->opts.as_spam_score_milli, 6500);
	ck_assert_str_eq(s->opts.block_ext, "exe");
	ck_assert_str_eq(s->quarantine_dir, "/q");
	ck_assert_str_eq(s->as_subject_prefix, "S");
	conf_free(&c);
	static const char *const others[] = { "listen_addr", "num_proc", "syslog_class", "user_config",
		"clamd_addr", "policy_dry_run", "user_config_recipients", "nonsense" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		char text[200];
		snprintf(text, sizeof text, "[a@b]\n\n%s = x\n", others[i]);
		c = try("", text, NULL);
		ck_assert_ptr_null(c);
		ck_assert_msg(strncmp(said, "E U:3: ", 7) == 0 && strstr(said, others[i]) != NULL, "%s",
			said);
	}
}
END_TEST

START_TEST(follow_rules)
{
	struct conf *c = load("", "[a@b]\naction_av_notscanned = reject\n"
		"[c@d]\naction_av_notscanned = reject\naction_av_encrypted = discard\n"
		"action_av_unavailable = defer\n");
	const struct policy_actions *a = &find(c, "a@b", "").scan->actions;

	ck_assert(a->av_encrypted == POLICY_REJECT && a->av_overlimit == POLICY_REJECT &&
		a->av_unavailable == POLICY_REJECT);
	a = &find(c, "c@d", "").scan->actions;
	ck_assert(a->av_encrypted == POLICY_DISCARD && a->av_overlimit == POLICY_REJECT &&
		a->av_unavailable == POLICY_DEFER);
	a = &find(c, "e@f", "").scan->actions;
	ck_assert(a->av_encrypted == POLICY_ACCEPT && a->av_unavailable == POLICY_DEFER);
	conf_free(&c);
	c = load("action_av_notscanned = discard\naction_av_overlimit = defer\n",
		"[g]\naction_av_encrypted = accept\n[a@b]\nparent_id = g\naction_av_notscanned = reject\n");
	a = &find(c, "a@b", "").scan->actions;
	ck_assert(a->av_encrypted == POLICY_ACCEPT && a->av_overlimit == POLICY_DEFER &&
		a->av_unavailable == POLICY_REJECT);
	conf_free(&c);
}
END_TEST

START_TEST(groups)
{
	/* the facts page's own */
	struct conf *c = load("", "[black-list]\naction_av = \"reject\"\n"
		"[white-list]\naction_av = \"accept\"\naction_as = \"accept\"\n"
		"[|spammer@domain.com]\nparent_id = \"black-list\"\n"
		"[|friend@domain.com]\nparent_id = \"white-list\"\naction_as = scan\n");

	ck_assert_int_eq(find(c, "a@b", "spammer@domain.com").scan->actions.av, POLICY_REJECT);
	ck_assert_int_eq(find(c, "a@b", "friend@domain.com").scan->actions.av, POLICY_ACCEPT);
	ck_assert_int_eq(find(c, "a@b", "friend@domain.com").scan->actions.as, POLICY_SCAN);
	ck_assert_str_eq(find(c, "a@black-list", "x@y").section, "smtp");
	conf_free(&c);
	/* An address that others inherit is a group and never chosen; a parent may
	 * come later, have a parent, and any name. */
	c = load("", "[x@y]\nparent_id = \"a b]\"\n[a@b]\nav_scan_timeout = 3\n"
		"[c@d]\nparent_id = \"a@b\"\n[a b]]\nparent_id = top\nav_scan_archive_max_level = 4\n"
		"[top]\nav_scan_archive_max_level = 5\nav_scan_timeout = 6\n");
	ck_assert_uint_eq(find(c, "x@y", "").scan->opts.timeout_s, 6);
	ck_assert_uint_eq(find(c, "x@y", "").scan->opts.archive_max_level, 4);
	ck_assert_str_eq(find(c, "a@b", "").section, "smtp");
	ck_assert_uint_eq(find(c, "c@d", "").scan->opts.timeout_s, 3);
	conf_free(&c);
}
END_TEST

START_TEST(equal_settings_are_one)
{
	struct conf *c = load("av_scan_timeout = 9\n", "[a@b]\nav_scan_timeout = 8\n"
		"av_allow_name = \"A*\"\n[c@d]\nav_allow_name = \"A*\"\nav_scan_timeout = 8\n"
		"[e@f]\nav_scan_timeout = 9\n[g@h]\n[i@j]\nav_scan_timeout = 8\nav_allow_name = \"a*\"\n");

	ck_assert_ptr_eq(find(c, "a@b", "").scan, find(c, "c@d", "").scan);
	ck_assert_ptr_ne(find(c, "a@b", "").scan, find(c, "i@j", "").scan);
	ck_assert_ptr_eq(find(c, "e@f", "").scan, &c->smtp.scan);
	ck_assert_ptr_eq(find(c, "g@h", "").scan, &c->smtp.scan);
	ck_assert_str_eq(find(c, "g@h", "").section, "g@h");
	conf_free(&c);
}
END_TEST

START_TEST(repeated_sections)
{
	struct conf *c = load("", "[a@b]\nav_scan_timeout = 8\n[c@d]\n[a@b]\nav_scan_archive_max_level = 2\n");

	ck_assert_uint_eq(find(c, "a@b", "").scan->opts.timeout_s, 8);
	ck_assert_uint_eq(find(c, "a@b", "").scan->opts.archive_max_level, 2);
	conf_free(&c);
	c = try("", "[a@b]\nav_scan_timeout = 8\n[a@b]\nav_scan_timeout = 9\n", NULL);
	ck_assert_str_eq(said, "W U:4: av_scan_timeout is set again, which replaces U:2\n");
	ck_assert_uint_eq(find(c, "a@b", "").scan->opts.timeout_s, 9);
	conf_free(&c);
	c = try("", "[a@b]\nav_scan_timeout = 8\nav_scan_timeout = 9\n", NULL);
	ck_assert_str_eq(said, "W U:3: av_scan_timeout is set again, which replaces U:2\n");
	conf_free(&c);
}
END_TEST

START_TEST(names_of_sections)
{
	struct conf *c = load("", "[a@[192.0.2.1]]\n[ [192.0.2.2] | \"a ] b\"@c ] # two ]\n"
		"[|\"x|y\"@z]\n[|]\n");

	ck_assert_str_eq(find(c, "a@[192.0.2.1]", "q@q").section, "a@[192.0.2.1]");
	ck_assert_str_eq(find(c, "b@[192.0.2.2]", "\"a ] b\"@c").section,
		"[192.0.2.2] | \"a ] b\"@c");
	ck_assert_str_eq(find(c, "k@l", "\"x|y\"@z").section, "|\"x|y\"@z");
	ck_assert_str_eq(find(c, "k@l", "q@q").section, "|");
	conf_free(&c);
	c = try("", "", (void *)1);
	ck_assert_str_eq(said, "I U: 0 sections, 1 different settings\n");
	ck_assert_str_eq(find(c, "", "").section, "smtp");
	conf_free(&c);
}
END_TEST

/* --- what is wrong ------------------------------------------------------------- */

START_TEST(errors)
{
	expect_said("[a@b]\n\nparent_id = \"no\"\n", "E U:3: parent_id: there is no section [no]\n");
	expect_said("[a]\nparent_id = a\n", "E U:2: parent_id: [a] would inherit itself\n");
	expect_said("[a]\nparent_id = b\n[b]\nparent_id = c\n[c]\nparent_id = b\n[d@e]\nparent_id = a\n",
		"E U:6: parent_id: [c] would inherit itself\n");
	expect_said("[a@b]\nav_scan_timeout = soon\n",
		"E U:2: av_scan_timeout: \"soon\" is not a number (decimal; K, M or G may follow)\n");
	expect_said("[a@b]\nlisten_port = 1\n",
		"E U:2: option listen_port does not belong here but in [smtp], [wwwi]\n");
	expect_said("[a@b]\nav_scan_timeot = 1\n",
		"E U:2: unknown option av_scan_timeot (is av_scan_timeout meant?)\n");
	expect_said("av_scan_timeout = 1\n", "E U:1: an option must follow a section header\n");
	expect_said("[a b@c]\n[@d]\n[*@d]\n[a|b|c]\n[x@y\n",
		"E U:5: the section header is not closed by ]\n"
		"E U:1: the section's name is not an address or a domain\n"
		"E U:2: the section's name begins with @: the domain alone stands for all addresses in it\n"
		"E U:3: the section's name holds a *: masks are not known, a domain stands for all that is in it\n"
		"E U:4: the section's name has more than one |\n");
	expect_said("[a@b]\nav_quarantine_dir = /x\n[c@d]\nav_quarantine_dir = /y\n",
		"W U:1: av_quarantine_dir: only the one of [global] counts\n");
	expect_said("[x@y] z\n", "E U:1: text behind the section header\n");
	expect_said("[a@b]\n[A@B.]\n",
		"W U:2: the section is never chosen: [a@b] of U:1 stands for the same and is first\n");
	expect_said("[b.c]\n[x@y]\nparent_id=lists\n[lists]\n[com]\n[a@x.b.c|d@e]\n[grp]\n[group]\n",
		"W U:6: the section is never chosen: [b.c] of U:1 stands for all of it and is first\n"
		"W U:8: no parent_id names [group]: it is no group and stands for the domain of that name\n");
#ifndef HAVE_LIBIDN2
	expect_said("[\xc3\xbc.de]\n[\xc3\xb6.de]\n",
		"W U:1: without libidn2 the A-label form of this domain is another one\n");
#endif
}
END_TEST

/* A hundred thousand useless sections are found in no time, and do not fill the
 * log. */
START_TEST(many_covered)
{
	struct buf text = BUF_INIT(8u << 20);
	const char *p;
	unsigned lines = 0;

	ck_assert_int_eq(buf_append_str(&text, "[example.org]\n"), 0);
	for (unsigned i = 0; i < 100000; i++)
		ck_assert_int_eq(buf_printf(&text, "[u%u@a.b%u.example.org|s%u.net]\n", i, i % 7, i % 5), 0);
	ck_assert_int_eq(buf_append(&text, "", 1), 0);
	struct conf *c = try("", (const char *)buf_head(&text), NULL);
	ck_assert_ptr_nonnull(c);
	for (p = said; (p = strstr(p, "is never chosen")) != NULL; p++)
		lines++;
	ck_assert_uint_eq(lines, 20);
	ck_assert_ptr_nonnull(strstr(said, "99980 sections more are never chosen"));
	conf_free(&c);
	buf_fini(&text);
}
END_TEST

/* Said once for each option, not for each section. */
START_TEST(options_without_effect)
{
	char text[400];

	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		if (o->group != CONF_IN_SCAN || o->type != CONF_T_BOOL || conf_opt_state(o) == NULL)
			continue;
		const char *other = conf_opt_is_default(o, "yes") ? "no" : "yes";
		snprintf(text, sizeof text, "[a@b]\n%s = %s\n[c@d]\n%s = %s\n", o->name, other, o->name,
			other);
		no_effect = 0;
		struct conf *c = load("", text);
		ck_assert_uint_eq(no_effect, 1);
		conf_free(&c);
	}
}
END_TEST

START_TEST(file_that_is_not_there)
{
	write_file(cfg_path, "[smtp]\nuser_config = none.cfg\n");
	char prog[] = "prog", option[] = "-c";
	char *argv[] = { prog, option, cfg_path, NULL };
	struct conf_cli cli;

	said_len = 0;
	ck_assert_int_eq(conf_cli_parse(&cli, CONF_PROG_SMTP, 3, argv, note, NULL), 0);
	ck_assert_ptr_null(conf_load(&cli, note, NULL));
	conf_cli_fini(&cli);
	ck_assert_msg(strstr(said, "/none.cfg: cannot be read: No such file") != NULL, "%s", said);
}
END_TEST

/* A line of parents as long as the file: time and stack stay bounded. */
START_TEST(long_line_of_parents)
{
	static char text[2000000];
	size_t n = 0;

	for (int i = 0; i < 30000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "[g%d]\nparent_id = g%d\n", i, i + 1);
	snprintf(text + n, sizeof text - n, "[g30000]\nav_scan_timeout = 3\n[a@b]\nparent_id = g0\n");
	struct conf *c = load("", text);
	ck_assert_uint_eq(find(c, "a@b", "").scan->opts.timeout_s, 3);
	conf_free(&c);
}
END_TEST

static void count_change(void *arg, enum conf_note kind, const char *text)
{
	(void)kind;
	ck_assert_str_eq(text, "the sections of user_config have changed");
	++*(unsigned *)arg;
}

START_TEST(changed_sections)
{
	struct conf *a = load("", "[a@b]\nav_scan_timeout = 8\n"), *same = load("", "[a@b]\nav_scan_timeout = 8\n"),
		*other = load("", "[a@b]\nav_scan_timeout = 9\n");
	unsigned n = 0;

	ck_assert_uint_eq(conf_changes(a, same, CONF_PROG_SMTP, count_change, &n), 0);
	ck_assert_uint_eq(conf_changes(a, other, CONF_PROG_SMTP, count_change, &n), 1);
	ck_assert_uint_eq(n, 1);
	conf_free(&a);
	conf_free(&same);
	conf_free(&other);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_user");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_section_over_the_agent);
	tcase_add_test(tc, all_scanner_options);
	tcase_add_test(tc, follow_rules);
	tcase_add_test(tc, groups);
	tcase_add_test(tc, equal_settings_are_one);
	tcase_add_test(tc, repeated_sections);
	tcase_add_test(tc, names_of_sections);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, options_without_effect);
	tcase_add_test(tc, many_covered);
	tcase_add_test(tc, file_that_is_not_there);
	tcase_add_test(tc, long_line_of_parents);
	tcase_add_test(tc, changed_sections);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
