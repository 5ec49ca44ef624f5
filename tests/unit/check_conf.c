/* check_conf.c - esets.cfg from text to struct conf, through conf_load.
 *
 * Each test writes a file into a scratch directory and loads it as one of the
 * programs would; what conf_load says is kept in `said`, one line each with E,
 * W or I in front and the file's name taken off. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "conf_int.h"
#include "str.h"
#include "unit.h"

static char dir[UNIT_PATH_SIZE], path[300], said[200000];
static size_t said_len;

static void setup(void)
{
	unit_dir(dir);
	snprintf(path, sizeof(path), "%s/esets.cfg", dir);
}

static void note(void *arg, enum conf_note kind, const char *text)
{
	size_t n = strlen(path);

	(void)arg;
	ck_assert_ptr_null(strchr(text, '\n'));
	if (strncmp(text, path, n) == 0 && text[n] == ':')
		text += n + 1;
	int w = snprintf(said + said_len, sizeof(said) - said_len, "%c %s\n",
		kind == CONF_NOTE_ERROR ? 'E' : kind == CONF_NOTE_WARNING ? 'W' : 'I', text);
	ck_assert(w > 0 && (size_t)w < sizeof(said) - said_len);
	said_len += (size_t)w;
}

static void write_file(const void *text, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static struct conf *load_args(enum conf_program program, int argc, const char **args)
{
	struct conf_cli cli;
	char *argv[32];

	said_len = 0;
	said[0] = '\0';
	memcpy(argv, args, (size_t)(argc + 1) * sizeof(argv[0]));
	ck_assert_msg(conf_cli_parse(&cli, program, argc, argv, note, NULL) == 0, "%s", said);
	struct conf *c = conf_load(&cli, note, NULL);
	conf_cli_fini(&cli);
	ck_assert((c == NULL) == (strncmp(said, "E ", 2) == 0 || strstr(said, "\nE ") != NULL));
	return c;
}

static struct conf *load_as(enum conf_program program, const char *text)
{
	const char *argv[] = { "prog", "-c", path, NULL };

	write_file(text, strlen(text));
	return load_args(program, 3, argv);
}

static struct conf *load(const char *text)
{
	struct conf *c = load_as(CONF_PROG_SMTP, text);

	ck_assert_msg(c != NULL, "%s%s", text, said);
	return c;
}

/* As a tool reads it: options that are not in this version are no error. */
static struct conf *load_any(const char *text)
{
	struct conf *c = load_as(CONF_PROG_TOOL, text);

	ck_assert_msg(c != NULL, "%s%s", text, said);
	return c;
}

/* The text is refused, and this is all that is said. */
static void expect_said(enum conf_program program, const char *text, const char *expected)
{
	struct conf *c = load_as(program, text);

	ck_assert_msg(strcmp(said, expected) == 0, "for\n%s\nit says\n%s\nand not\n%s", text, said,
		expected);
	conf_free(&c);
}

/* --- the table ------------------------------------------------------------------ */

START_TEST(table_is_sound)
{
	char why[CONF_WHY];

	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		size_t n = strspn(o->name, "abcdefghijklmnopqrstuvwxyz_");
		ck_assert_msg(o->name[n] == '\0' && strncmp(o->name, "no_", 3) != 0, "%s", o->name);
		ck_assert_msg(o->help != NULL && o->help[0] != '\0', "%s", o->name);
		ck_assert_msg(o->unit != NULL && o->meta != NULL, "%s", o->name);
		ck_assert_msg(o->sections != 0, "%s", o->name);
		ck_assert_msg((o->type == CONF_T_WORD) == (o->words != NULL), "%s", o->name);
		ck_assert_msg(!conf_opt_is_legacy(o->name), "%s", o->name);
		if (o->def != NULL && conf_opt_check(o, o->def, why, sizeof(why)) < 0)
			ck_abort_msg("%s: default: %s", o->name, why);
		if (conf_opt_is_number(o))
			ck_assert_msg(o->min <= o->max && o->max > 0, "%s", o->name);
		for (size_t k = 0; k < i; k++) {
			const struct conf_opt *p = &conf_opts[k];
			bool same_name = strcmp(o->name, p->name) == 0;
			ck_assert_msg(!same_name || (o->sections & p->sections) == 0,
				"%s twice in a section", o->name);
			ck_assert_msg(o->group != p->group || o->group == CONF_IN_NONE || same_name ||
				o->offset + o->size <= p->offset || p->offset + p->size <= o->offset,
				"%s and %s share a field", o->name, p->name);
		}
	}
}
END_TEST

/* Rows of the facts page, sections 2, 3 and 3b, and of the specification:
 * name, section, default (NULL none). */
START_TEST(every_option_is_there)
{
	static const struct { unsigned section; const char *name, *def; } rows[] = {
#define ALL3 CONF_SEC_GLOBAL | CONF_SEC_SMTP | CONF_SEC_WWWI
#define SCANNER CONF_SEC_GLOBAL | CONF_SEC_SMTP | CONF_SEC_USER
		{ ALL3, "agent_enabled", "no" }, { ALL3, "syslog_facility", "daemon" },
		{ ALL3, "syslog_class", "error:warning:summ:info" }, { ALL3, "user_config", "" },
		{ ALL3, "user", "esets" }, { ALL3, "group", "esets" },
		{ CONF_SEC_GLOBAL, "pid_file", "/run/esets/esets_daemon.pid" },
		{ CONF_SEC_SMTP, "pid_file", "/run/esets/esets_smtp.pid" },
		{ CONF_SEC_WWWI, "pid_file", "/run/esets/esets_wwwi.pid" },
		{ CONF_SEC_GLOBAL, "status_sock_path", "/run/esets/esets_daemon.status" },
		{ CONF_SEC_SMTP, "status_sock_path", "/run/esets/esets_smtp.status" },
		{ CONF_SEC_WWWI, "status_sock_path", "/run/esets/esets_wwwi.status" },
		{ ALL3, "log_format", "text" },
		{ SCANNER, "action_av", "scan" }, { SCANNER, "action_av_infected", "reject" },
		{ SCANNER, "action_av_notscanned", "accept" },
		{ SCANNER, "action_av_deleted", "accept" },
		{ SCANNER, "action_av_encrypted", "accept" },
		{ SCANNER, "action_av_overlimit", "accept" },
		{ SCANNER, "action_av_unavailable", "defer" }, { SCANNER, "action_as", "accept" },
		{ SCANNER, "action_as_spam", "accept" },
		{ SCANNER, "action_as_notscanned", "accept" }, { SCANNER, "av_clean_mode", "none" },
		{ SCANNER, "av_scan_obj_files", "yes" }, { SCANNER, "av_scan_obj_archives", "yes" },
		{ SCANNER, "av_scan_obj_emails", "yes" }, { SCANNER, "av_scan_obj_mailbox", "yes" },
		{ SCANNER, "av_scan_obj_sfx", "yes" }, { SCANNER, "av_scan_obj_rtp", "yes" },
		{ SCANNER, "av_scan_app_adware", "yes" }, { SCANNER, "av_scan_app_unwanted", "no" },
		{ SCANNER, "av_scan_app_unsafe", "no" }, { SCANNER, "av_scan_heur", "yes" },
		{ SCANNER, "av_scan_adv_heur", "yes" },
		{ SCANNER, "av_scan_archive_max_level", "10" },
		{ SCANNER, "av_scan_archive_max_size", "256M" },
		{ SCANNER, "av_scan_archive_max_files", "10000" },
		{ SCANNER, "av_scan_archive_max_ratio", "1000" }, { SCANNER, "av_scan_max_size", "0" },
		{ SCANNER, "av_scan_timeout", "60" }, { SCANNER, "av_scan_ext_exclude", "" },
		{ SCANNER, "av_quarantine_enabled", "no" },
		{ SCANNER, "av_quarantine_dir", "/var/lib/esets/quarantine" },
		{ SCANNER, "av_eml_header_modification", "no" },
		{ SCANNER, "as_eml_header_modification", "no" },
		{ SCANNER, "av_eml_subject_prefix", "" }, { SCANNER, "as_eml_subject_prefix", "" },
		{ SCANNER, "av_allow_hash", "" }, { SCANNER, "av_allow_name", "" },
		{ SCANNER, "av_block_ext", "" }, { SCANNER, "as_spam_score", "" },
		{ CONF_SEC_GLOBAL, "num_proc", "1" }, { CONF_SEC_GLOBAL, "num_thrd", "4" },
		{ CONF_SEC_GLOBAL, "daemon_sock_path", "/run/esets/esets.sock" },
		{ CONF_SEC_GLOBAL, "daemon_allowed_users", "root:esets" },
		{ CONF_SEC_GLOBAL, "av_engines", "builtin" },
		{ CONF_SEC_GLOBAL, "av_signature_dir", "/var/lib/esets/signatures" },
		{ CONF_SEC_GLOBAL, "clamd_addr", "" }, { CONF_SEC_GLOBAL, "clamd_max_size", "100M" },
		{ CONF_SEC_GLOBAL, "engine_timeout_connect", "10" },
		{ CONF_SEC_GLOBAL, "engine_timeout_read", "60" },
		{ CONF_SEC_GLOBAL, "engine_max_scans", "0" },
		{ CONF_SEC_GLOBAL, "as_engines", "builtin" }, { CONF_SEC_GLOBAL, "spamd_addr", "" },
		{ CONF_SEC_GLOBAL, "rspamd_url", "" }, { CONF_SEC_GLOBAL, "exec_script", "" },
		{ CONF_SEC_GLOBAL, "exec_script_rate", "10" },
		{ CONF_SEC_GLOBAL, "av_quarantine_max_size", "1G" },
		{ CONF_SEC_GLOBAL, "av_quarantine_max_days", "30" },
		{ CONF_SEC_GLOBAL, "timeout_stop", "30" }, { CONF_SEC_GLOBAL, "timeout_drain", "600" },
#define SPOOL CONF_SEC_GLOBAL | CONF_SEC_SMTP
		{ SPOOL, "spool_dir", "/var/spool/esets" }, { SPOOL, "spool_message_memory", "1M" },
		{ SPOOL, "spool_memory_max", "256M" }, { SPOOL, "spool_min_free", "64M" },
		{ CONF_SEC_SMTP, "num_proc", "1" }, { CONF_SEC_SMTP, "num_thrd", "2" },
		{ CONF_SEC_SMTP, "listen_addr", NULL }, { CONF_SEC_SMTP, "listen_port", NULL },
		{ CONF_SEC_SMTP, "server_addr", NULL }, { CONF_SEC_SMTP, "server_port", NULL },
		{ CONF_SEC_SMTP, "timeout_client", "30" },
		{ CONF_SEC_SMTP, "add_header_xvirus", "yes" },
		{ CONF_SEC_SMTP, "add_header_received", "no" },
		{ CONF_SEC_SMTP, "policy_dry_run", "no" }, { CONF_SEC_SMTP, "max_received", "100" },
		{ CONF_SEC_SMTP, "bare_newline", "normalize" }, { CONF_SEC_SMTP, "chunking", "yes" },
		{ CONF_SEC_SMTP, "trusted_networks", "127.0.0.0/8, ::1" },
		{ CONF_SEC_SMTP, "client_networks", "any" }, { CONF_SEC_SMTP, "debug_clients", "" },
		{ CONF_SEC_SMTP, "ehlo_unknown", "pass" },
		{ CONF_SEC_SMTP, "listen_proxy_protocol", "" },
		{ CONF_SEC_SMTP, "server_proxy_protocol", "no" },
		{ CONF_SEC_SMTP, "server_xclient", "no" }, { CONF_SEC_SMTP, "max_sessions", "10000" },
		{ CONF_SEC_SMTP, "max_sessions_per_client", "0" },
		{ CONF_SEC_SMTP, "max_message_size", "0" }, { CONF_SEC_SMTP, "max_commands", "0" },
		{ CONF_SEC_SMTP, "timeout_banner", "60" }, { CONF_SEC_SMTP, "timeout_server", "300" },
		{ CONF_SEC_SMTP, "timeout_data", "3600" }, { CONF_SEC_SMTP, "timeout_stop", "30" },
		{ CONF_SEC_SMTP, "timeout_drain", "600" },
		{ CONF_SEC_SMTP, "user_config_recipients", "first" },
		{ CONF_SEC_WWWI, "listen_addr", "127.0.0.1" }, { CONF_SEC_WWWI, "listen_port", "8080" },
		{ CONF_SEC_WWWI, "username", "" }, { CONF_SEC_WWWI, "password", "" },
		{ CONF_SEC_WWWI, "release", "no" },
		{ CONF_SEC_USER, "parent_id", "" },
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i < n; i++) {
		for (unsigned bit = 1; bit <= CONF_SEC_USER; bit <<= 1) {
			const struct conf_opt *o = (rows[i].section & bit) != 0 ?
				conf_opt_find(rows[i].name, bit) : NULL;
			if ((rows[i].section & bit) == 0)
				continue;
			ck_assert_msg(o != NULL, "%s", rows[i].name);
			if (rows[i].def == NULL)
				ck_assert_ptr_null(o->def);
			else
				ck_assert_str_eq(o->def, rows[i].def);
		}
	}
	ck_assert_uint_eq(n, conf_nopts);
}
END_TEST

/* --- values ----------------------------------------------------------------------- */

START_TEST(defaults)
{
	struct conf *c = load("");
	const struct policy_actions *a = &c->smtp.scan.actions;
	const struct scan_opts *s = &c->smtp.scan.opts;

	ck_assert_str_eq(said, "");
	ck_assert_str_eq(c->path, path);
	ck_assert(!c->smtp.mod.agent_enabled && !c->smtp.mod.pid_file_is_set &&
		!c->smtp.mod.status_sock_is_set);
	ck_assert_str_eq(c->smtp.mod.pid_file, "/run/esets/esets_smtp.pid");
	ck_assert_str_eq(c->global.mod.pid_file, "/run/esets/esets_daemon.pid");
	ck_assert_str_eq(c->wwwi.mod.status_sock_path, "/run/esets/esets_wwwi.status");
	ck_assert_str_eq(c->smtp.mod.user, "esets");
	ck_assert_str_eq(c->smtp.mod.user_config, "");
	ck_assert(c->smtp.mod.log_format == CONF_LOG_TEXT);
	ck_assert(a->av == POLICY_SCAN && a->av_infected == POLICY_REJECT &&
		a->av_notscanned == POLICY_ACCEPT && a->av_deleted == POLICY_ACCEPT &&
		a->av_encrypted == POLICY_ACCEPT && a->av_overlimit == POLICY_ACCEPT &&
		a->av_unavailable == POLICY_DEFER && a->as == POLICY_ACCEPT &&
		a->as_spam == POLICY_ACCEPT && a->as_notscanned == POLICY_ACCEPT);
	ck_assert(s->clean_mode == SCAN_CLEAN_NONE && s->obj_files && s->obj_archives &&
		s->obj_emails && s->obj_mailbox && s->obj_sfx && s->obj_rtp && s->app_adware &&
		!s->app_unwanted && !s->app_unsafe && s->heur && s->adv_heur && !s->quarantine);
	ck_assert(s->archive_max_level == 10 && s->archive_max_size == 256u << 20 &&
		s->archive_max_files == 10000 && s->archive_max_ratio == 1000 && s->max_size == 0 &&
		s->timeout_s == 60 && s->as_spam_score_milli == 0);
	ck_assert_str_eq(s->ext_exclude, "");
	ck_assert_str_eq(s->allow_hash, "");
	ck_assert(c->smtp.num_proc == 1 && c->smtp.num_thrd == 2);
	ck_assert(c->global.num_proc == 1 && c->global.num_thrd == 4);
	ck_assert_str_eq(c->smtp.listen_addr, "");
	ck_assert_str_eq(c->smtp.server_addr, "");
	ck_assert(c->smtp.listen_port == 0 && c->smtp.server_port == 0);
	ck_assert(c->smtp.add_header_xvirus && !c->smtp.add_header_received);
	ck_assert(c->smtp.timeout_client == 30 && c->smtp.timeout_data == 3600);
	ck_assert(c->smtp.spool_message_memory == 1u << 20 &&
		c->smtp.spool_memory_max == 256u << 20 && c->smtp.spool_min_free == 64u << 20);
	ck_assert(c->smtp.bare_newline == CONF_BARE_NORMALIZE &&
		c->smtp.chunking == CONF_CHUNKING_YES && c->smtp.ehlo_unknown == CONF_EHLO_PASS &&
		c->smtp.server_proxy_protocol == CONF_PROXY_NO &&
		c->smtp.user_config_recipients == CONF_RCPT_FIRST);
	ck_assert_str_eq(c->smtp.daemon_sock_path, "/run/esets/esets.sock");
	ck_assert_str_eq(c->global.av_engines, "builtin");
	ck_assert(c->global.av_quarantine_max_size == 1u << 30);
	ck_assert(c->wwwi.listen_port == 8080);
	ck_assert_str_eq(c->wwwi.listen_addr, "127.0.0.1");
	ck_assert_ptr_eq(conf_settings_for(c, "c@d", 3, "a@b", 3).scan, &c->smtp.scan);
	ck_assert(!conf_has_users(c));
	conf_free(&c);
	ck_assert_ptr_null(c);
	conf_free(&c);
}
END_TEST

/* A value that differs from the default, for every row in every section, and
 * it is found in the field of just that row: stored, printed, told apart. */
static void other_value(const struct conf_opt *o, size_t i, char *out, size_t size)
{
	char why[CONF_WHY];
	static const char *const tries[] = { "local3", "error:debug", "10.0.0.0/8", "192.0.2.7",
		"clamd:builtin", "spamd", "/run/x:y", "/run/x", "http://r:11333", "root", "zip:rar",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "Foo*" };

	if (o->type == CONF_T_BOOL) {
		snprintf(out, size, "%s", strcmp(o->def, "yes") == 0 ? "no" : "yes");
	} else if (o->type == CONF_T_WORD) {
		const struct conf_word *w = o->words;
		while (strcmp(w->name, o->def) == 0)
			w++;
		snprintf(out, size, "%s", w->name);
	} else if (o->type == CONF_T_MILLI) {
		snprintf(out, size, "5.250");
	} else if (conf_opt_is_number(o)) {
		uint64_t n = o->min + 1 + i % 7;
		snprintf(out, size, "%llu", (unsigned long long)(n <= o->max ? n : o->max));
		if (o->def != NULL && strcmp(out, o->def) == 0)
			snprintf(out, size, "%llu", (unsigned long long)n - 1);
	} else {
		for (size_t k = 0; k < sizeof(tries) / sizeof(tries[0]); k++) {
			snprintf(out, size, "%s", tries[k]);
			if (conf_opt_check(o, out, why, sizeof(why)) == 0 &&
			    (o->def == NULL || strcmp(out, o->def) != 0))
				return;
		}
		ck_abort_msg("no value for %s", o->name);
	}
}

static void dump_text(const struct conf *c, enum conf_program program, char *out, size_t size)
{
	FILE *f = fmemopen(out, size, "w");

	ck_assert_ptr_nonnull(f);
	conf_dump(c, program, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_uint_lt(strlen(out), size - 1);
}

START_TEST(every_option_is_stored)
{
	static const enum conf_program programs[] = { CONF_PROG_DAEMON, CONF_PROG_SMTP,
		CONF_PROG_WWWI };
	enum conf_program program = programs[_i];
	unsigned section = conf_program_section(program);
	char text[400], value[128], base[20000], dump[20000], line[900], printed[500];

	struct conf *c = load_as(program, "");
	dump_text(c, program, base, sizeof(base));
	conf_free(&c);
	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		if ((o->sections & section) == 0 || (o->flags & CONF_SECRET) != 0)
			continue;
		other_value(o, i, value, sizeof(value));
		snprintf(text, sizeof(text), "[%s]\n%s = \"%s\"\n%s%s", conf_section_name(section),
			o->name, value, strcmp(o->name, "agent_enabled") == 0 && section == CONF_SEC_SMTP ?
			"listen_addr = unix:/l\nserver_addr = unix:/s\n" : "",
			strstr(o->name, "_engines") ? "clamd_addr = /c\nspamd_addr = /s\n" : "");
		snprintf(line, sizeof(line), "%s/%s", dir, value);
		int file = o->type == CONF_T_FILE ? creat(line, 0600) : -1;
		c = load_as(program, text);
		ck_assert_msg(c != NULL, "%s%s", text, said);
		if (file >= 0) {
			close(file);
			unlink(line);
		}
		const void *group = conf_group_of(c, section, o->group);
		if (group != NULL) {
			dump_text(c, program, dump, sizeof(dump));
			snprintf(printed, sizeof(printed), conf_opt_is_text(o) ? "\"%s%s%s\"" : "%s%s%s",
				o->type == CONF_T_FILE && value[0] != '/' ? dir : "",
				o->type == CONF_T_FILE && value[0] != '/' ? "/" : "", value);
			snprintf(line, sizeof(line), "\n%s = %s\t# %s:2%s%s\n", o->name, printed, path,
				conf_opt_state(o) != NULL ? ", " : "",
				conf_opt_state(o) != NULL ? conf_opt_state(o) : "");
			ck_assert_msg(strstr(dump, line) != NULL, "%s not in\n%s", line, dump);
			ck_assert_ptr_null(strstr(base, line));
		}
		conf_free(&c);
	}
}
END_TEST

START_TEST(some_fields)
{
	struct conf *c = load_any(
		"[global]\ndaemon_sock_path = /d.sock\nav_engines = builtin:clamd\nspamd_addr = h:783\n"
		"num_proc = 7\nnum_thrd = 9\ntimeout_stop = 11\nexec_script = /bin/x\n"
		"clamd_max_size = 5K\nengine_max_scans = 3\n"
		"[smtp]\nagent_enabled = yes\nlisten_addr = \"::1, unix:/l.sock\"\nlisten_port = 2526\n"
		"server_addr = mx.example.org\nserver_port = 25\nnum_proc = 3\nnum_thrd = 5\n"
		"timeout_stop = 12\ntimeout_client = 1K\nmax_message_size = 10M\nbare_newline = PASS\n"
		"chunking = always\nehlo_unknown = hide\nserver_proxy_protocol = v2\nlog_format = json\n"
		"user_config_recipients = strictest\nas_spam_score = 6.5\nav_clean_mode = Yes\n"
		"av_scan_archive_max_size = 3G\npid_file = /p\nserver_xclient = on\n"
		"[wwwi]\nlisten_port = 81\npassword = \"a b\"\n");
	const struct conf_smtp *s = &c->smtp;

	ck_assert_str_eq(c->global.daemon_sock_path, "/d.sock");
	ck_assert_str_eq(s->daemon_sock_path, "/d.sock");
	ck_assert_str_eq(c->global.av_engines, "builtin:clamd");
	ck_assert_str_eq(c->global.spamd_addr, "h:783");
	ck_assert_str_eq(c->global.exec_script, "/bin/x");
	ck_assert(c->global.num_proc == 7 && c->global.num_thrd == 9 && s->num_proc == 3 &&
		s->num_thrd == 5 && c->global.timeout_stop == 11 && s->timeout_stop == 12 &&
		c->global.clamd_max_size == 5120 && c->global.engine_max_scans == 3);
	ck_assert_str_eq(s->listen_addr, "::1, unix:/l.sock");
	ck_assert_str_eq(s->server_addr, "mx.example.org");
	ck_assert(s->listen_port == 2526 && s->server_port == 25 && s->timeout_client == 1024 &&
		s->max_message_size == 10u << 20 && s->bare_newline == CONF_BARE_PASS &&
		s->chunking == CONF_CHUNKING_ALWAYS && s->ehlo_unknown == CONF_EHLO_HIDE &&
		s->server_proxy_protocol == CONF_PROXY_V2 && s->server_xclient &&
		s->user_config_recipients == CONF_RCPT_STRICTEST &&
		s->mod.log_format == CONF_LOG_JSON && s->mod.agent_enabled && s->mod.pid_file_is_set);
	ck_assert(s->scan.opts.as_spam_score_milli == 6500 &&
		s->scan.opts.clean_mode == SCAN_CLEAN_STANDARD &&
		s->scan.opts.archive_max_size == (uint64_t)3 << 30);
	ck_assert(c->wwwi.listen_port == 81);
	ck_assert_str_eq(c->wwwi.password, "xxx"); /* only esets_wwwi's own is kept */
	conf_free(&c);
}
END_TEST

/* --- grammar ---------------------------------------------------------------------- */

START_TEST(forms_of_a_line)
{
	static const char *const texts[] = {
		"[smtp]\nnum_proc=3\n", "[smtp]\nnum_proc = 3", "[smtp]\n\t num_proc\t =\t3 \t\n",
		" \t[ smtp ] # comment\nnum_proc = \"3\"\n", "[smtp]\r\nnum_proc = 3\r\n",
		"\xef\xbb\xbf[smtp]\nnum_proc = 3\n", "[smtp]\nnum_proc = 03\n",
		"; c\n# c\n\n   ; num_proc = 4\n[smtp];x\nnum_proc = 3 ; c = d \"\n",
		"[smtp]\nnum_proc = 3 # \"\n#num_proc = 4\n;num_proc = 5\n",
		"[pop3]\nnum_proc = x y\nfoo\n\"\n[smtp]\nnum_proc = 3\n[imap]\n= 4\n",
		"[smtp]\n[global]\nnum_proc = 9\n[smtp]\nnum_proc = 3\n",
		"[smtp]\nnum_proc = \"3\"; no blank before\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf *c = load(texts[i]);
		ck_assert_msg(c->smtp.num_proc == 3, "%s", texts[i]);
		conf_free(&c);
	}
}
END_TEST

START_TEST(strings)
{
	static const struct { const char *written, *read; } cases[] = {
		{ "plain", "plain" }, { "\"in quotes\"", "in quotes" }, { "\"\"", "" },
		{ "\"a\\\"b\\\\c\"", "a\"b\\c" }, { "\"\\\\\"", "\\" },
		{ "\"# no ; comment\" # a comment", "# no ; comment" },
		{ "\"${HOME}${CONF_TEST:-x}$1\"", "${HOME}${CONF_TEST:-x}$1" },
		{ "${HOME}$$", "${HOME}$$" }, { "\"\\\\${HOME}\"", "\\${HOME}" },
		{ "\"it's // not a /* comment */\"", "it's // not a /* comment */" },
		{ "//x", "//x" }, { "/*x*/", "/*x*/" }, { "a(b){c},+d", "a(b){c},+d" },
		{ "\"\xc3\xa4 \xe2\x82\xac\"", "\xc3\xa4 \xe2\x82\xac" },
		{ "\" blanks stay \"", " blanks stay " }, { "\"\\\"\"", "\"" },
	};
	char text[200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\nav_eml_subject_prefix = %s\n", cases[i].written);
		struct conf *c = load(text);
		ck_assert_str_eq(c->smtp.scan.av_subject_prefix, cases[i].read);
		conf_free(&c);
	}
}
END_TEST

START_TEST(bools_and_words)
{
	static const struct { const char *text; bool value; } bools[] = { { "yes", true },
		{ "YES", true }, { "true", true }, { "on", true }, { "no", false }, { "False", false },
		{ "off", false } };
	static const struct { const char *text; enum scan_clean_mode mode; } modes[] = {
		{ "none", SCAN_CLEAN_NONE }, { "no", SCAN_CLEAN_NONE }, { "yes", SCAN_CLEAN_STANDARD },
		{ "Standard", SCAN_CLEAN_STANDARD }, { "STRICT", SCAN_CLEAN_STRICT },
		{ "rigorous", SCAN_CLEAN_RIGOROUS }, { "delete", SCAN_CLEAN_DELETE } };
	char text[200];

	for (size_t i = 0; i < sizeof(bools) / sizeof(bools[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\npolicy_dry_run = %s\n", bools[i].text);
		struct conf *c = load_any(text);
		ck_assert(c->smtp.policy_dry_run == bools[i].value);
		conf_free(&c);
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\nav_clean_mode = \"%s\"\n", modes[i].text);
		struct conf *c = load(text);
		ck_assert(c->smtp.scan.opts.clean_mode == modes[i].mode);
		conf_free(&c);
	}
}
END_TEST

START_TEST(numbers)
{
	static const struct { const char *text; uint64_t value; } cases[] = {
		{ "0", 0 }, { "010", 10 }, { "08", 8 }, { "4k", 4096 }, { "2M", 2097152 },
		{ "1024G", (uint64_t)1 << 40 }, { "1099511627776", (uint64_t)1 << 40 } };
	char text[200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\nmax_message_size = %s\n", cases[i].text);
		struct conf *c = load(text);
		ck_assert_msg(c->smtp.max_message_size == cases[i].value, "%s", cases[i].text);
		conf_free(&c);
	}
}
END_TEST

START_TEST(scores)
{
	static const struct { const char *text; uint32_t value; } good[] = { { "\"\"", 0 },
		{ "5", 5000 }, { "5.0", 5000 }, { "0.5", 500 }, { "6.25", 6250 }, { "6.125", 6125 },
		{ "0", 0 }, { "1000", 1000000 } };
	static const char *const bad[] = { ".5", "5.", "-1", "1,5", "1e3", "1.2345", "1000.001",
		"99999999999999999999", "5K", "x", "5.x" };
	char text[200];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\nas_spam_score = %s\n", good[i].text);
		struct conf *c = load(text);
		ck_assert_msg(c->smtp.scan.opts.as_spam_score_milli == good[i].value, "%s",
			good[i].text);
		conf_free(&c);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\nas_spam_score = %s\n", bad[i]);
		ck_assert_msg(load_as(CONF_PROG_SMTP, text) == NULL, "%s", bad[i]);
		ck_assert_int_eq(strncmp(said, "E 2: as_spam_score: ", 20), 0);
	}
}
END_TEST

/* --- inheritance ------------------------------------------------------------------ */

START_TEST(agents_inherit_from_global)
{
	struct conf *c = load_any("[smtp]\naction_as = scan\nuser = a\n"
		"[global]\nsyslog_class = error\nuser = b\ngroup = g\naction_av_infected = discard\n"
		"action_as = reject\nav_scan_timeout = 7\nspool_dir = /s\nlog_format = json\n"
		"agent_enabled = no\npid_file = /g.pid\nstatus_sock_path = /g.st\nnum_proc = 9\n"
		"num_thrd = 9\ntimeout_stop = 9\ntimeout_drain = 9\nuser_config = users\n");

	ck_assert_str_eq(c->smtp.mod.syslog_class, "error");
	ck_assert_str_eq(c->wwwi.mod.syslog_class, "error");
	ck_assert_str_eq(c->smtp.mod.user, "a");
	ck_assert_str_eq(c->wwwi.mod.user, "b");
	ck_assert_str_eq(c->smtp.mod.group, "g");
	ck_assert_str_eq(c->smtp.spool_dir, "/s");
	ck_assert(c->smtp.mod.log_format == CONF_LOG_JSON);
	ck_assert(c->smtp.scan.actions.av_infected == POLICY_DISCARD);
	ck_assert(c->smtp.scan.actions.as == POLICY_SCAN);
	ck_assert(c->global.scan.actions.as == POLICY_REJECT);
	ck_assert(c->smtp.scan.opts.timeout_s == 7);
	/* what belongs to one program is not inherited */
	ck_assert_str_eq(c->smtp.mod.pid_file, "/run/esets/esets_smtp.pid");
	ck_assert_str_eq(c->smtp.mod.status_sock_path, "/run/esets/esets_smtp.status");
	ck_assert(!c->smtp.mod.pid_file_is_set && c->global.mod.pid_file_is_set &&
		c->global.mod.status_sock_is_set);
	ck_assert(c->smtp.num_proc == 1 && c->smtp.num_thrd == 2 && c->smtp.timeout_stop == 30 &&
		c->smtp.timeout_drain == 600);
	conf_free(&c);
	c = load("[global]\nagent_enabled = yes\n[wwwi]\nagent_enabled = no\n"
		"[smtp]\nlisten_addr = a\nlisten_port = 1\nserver_addr = b\nserver_port = 2\n");
	ck_assert(c->smtp.mod.agent_enabled && !c->wwwi.mod.agent_enabled);
	conf_free(&c);
}
END_TEST

START_TEST(actions_follow)
{
	static const struct {
		const char *text;
		enum policy_action notscanned, encrypted, overlimit, unavailable;
	} cases[] = {
		{ "", POLICY_ACCEPT, POLICY_ACCEPT, POLICY_ACCEPT, POLICY_DEFER },
		{ "[smtp]\naction_av_notscanned = reject\n",
		  POLICY_REJECT, POLICY_REJECT, POLICY_REJECT, POLICY_REJECT },
		{ "[global]\naction_av_notscanned = discard\n",
		  POLICY_DISCARD, POLICY_DISCARD, POLICY_DISCARD, POLICY_DISCARD },
		/* set, though to the default: that is the administrator's word */
		{ "[smtp]\naction_av_notscanned = accept\n",
		  POLICY_ACCEPT, POLICY_ACCEPT, POLICY_ACCEPT, POLICY_ACCEPT },
		{ "[global]\naction_av_notscanned = discard\n[smtp]\naction_av_notscanned = reject\n",
		  POLICY_REJECT, POLICY_REJECT, POLICY_REJECT, POLICY_REJECT },
		{ "[global]\naction_av_encrypted = discard\n[smtp]\naction_av_notscanned = reject\n",
		  POLICY_REJECT, POLICY_DISCARD, POLICY_REJECT, POLICY_REJECT },
		{ "[smtp]\naction_av_overlimit = defer\n",
		  POLICY_ACCEPT, POLICY_ACCEPT, POLICY_DEFER, POLICY_DEFER },
		{ "[global]\naction_av_unavailable = accept\n[smtp]\naction_av_notscanned = reject\n",
		  POLICY_REJECT, POLICY_REJECT, POLICY_REJECT, POLICY_ACCEPT },
		{ "[smtp]\naction_av_unavailable = reject\n",
		  POLICY_ACCEPT, POLICY_ACCEPT, POLICY_ACCEPT, POLICY_REJECT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *c = load(cases[i].text);
		const struct policy_actions *a = &c->smtp.scan.actions;
		ck_assert_msg(a->av_notscanned == cases[i].notscanned &&
			a->av_encrypted == cases[i].encrypted &&
			a->av_overlimit == cases[i].overlimit &&
			a->av_unavailable == cases[i].unavailable, "%s", cases[i].text);
		conf_free(&c);
	}
}
END_TEST

/* What a user section will need: a third layer, follows-rules included. */
static struct conf_values own;
static bool user_section(struct conf_reader *r, const char *name, const char *where,
	unsigned *section_out, struct conf_values **values_out)
{
	(void)r;
	(void)where;
	ck_assert_str_eq(name, "joe@example.org|spam.example");
	*section_out = CONF_SEC_USER;
	*values_out = &own;
	return true;
}

START_TEST(user_section_over_smtp)
{
	struct conf *c = load("[global]\naction_as = scan\n[smtp]\naction_av_encrypted = discard\n"
		"av_scan_timeout = 7\n");
	char text[] = "[joe@example.org|spam.example]\naction_av_notscanned = reject\n"
		"parent_id = \"x\"\nnum_proc = 3\n";
	struct conf_notes notes = { .fn = note };
	struct conf_reader r = { .path = "users", .mem = &c->priv->mem, .notes = &notes,
		.on_section = user_section };
	struct conf_values merged;
	struct conf_scan scan = { 0 };

	ck_assert_int_eq(conf_file_parse(&r, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(said, "E users:4: option num_proc does not belong here but in [global], "
		"[smtp]\n");
	conf_values_merge(&own, conf_merged(c, CONF_SEC_SMTP), CONF_SEC_USER, &merged);
	conf_scan_store(&merged, CONF_SEC_USER, &scan);
	ck_assert(scan.actions.av_notscanned == POLICY_REJECT &&
		scan.actions.av_encrypted == POLICY_DISCARD &&
		scan.actions.av_overlimit == POLICY_REJECT &&
		scan.actions.av_unavailable == POLICY_REJECT &&
		scan.actions.as == POLICY_SCAN && scan.opts.timeout_s == 7);
	conf_free(&c);
}
END_TEST

START_TEST(user_config_path)
{
	char expected[400];
	struct conf *c = load_any("[smtp]\nuser_config = \"sub/users.cfg\"\n[wwwi]\nuser_config = /u\n");

	snprintf(expected, sizeof(expected), "%s/sub/users.cfg", dir);
	ck_assert_str_eq(c->smtp.mod.user_config, expected);
	ck_assert_str_eq(c->wwwi.mod.user_config, "/u");
	ck_assert_str_eq(c->global.mod.user_config, "");
	conf_free(&c);
}
END_TEST

/* --- what is refused ---------------------------------------------------------------- */

START_TEST(bad_lines)
{
	static const struct { const char *line, *says; } cases[] = {
		{ "num_proc", "not a line of the form name = value" },
		{ "num_proc 3", "not a line of the form name = value" },
		{ "num_proc += 3", "not a line of the form name = value" },
		{ "num_proc == 3", "a value with any of \" ' = ; # \\ must be in double quotes" },
		{ "= 3", "not a line of the form name = value" },
		{ "\"num_proc\" = 3", "not a line of the form name = value" },
		{ "num.proc = 3", "not a line of the form name = value" },
		{ "num_proc = {1, 2}", "text behind the value: one option a line, and a value with "
		  "blanks in double quotes" },
		{ "num_proc =", "the value is missing (\"\" is an empty one)" },
		{ "num_proc = # 3", "the value is missing (\"\" is an empty one)" },
		{ "num_proc = 1 num_thrd = 2", "text behind the value: one option a line, and a value "
		  "with blanks in double quotes" },
		{ "num_proc=1num_thrd=2",
		  "a value with any of \" ' = ; # \\ must be in double quotes" },
		{ "num_proc = \"1\" 2", "text behind the value: one option a line, and a value with "
		  "blanks in double quotes" },
		{ "user = 'a'", "a value with any of \" ' = ; # \\ must be in double quotes" },
		{ "user = \"abc", "the string is not closed on its line" },
		{ "user = \"abc\\", "the string is not closed on its line" },
		{ "user = \"abc\\\"", "the string is not closed on its line" },
		{ "user = \"a\\nb\"", "only \\\" and \\\\ may follow a backslash in a string" },
		{ "user = \"a\\x41\"", "only \\\" and \\\\ may follow a backslash in a string" },
		{ "include(\"/etc/passwd\")", "not a line of the form name = value" },
		{ "av_eml_subject_prefix = \"a\tb\"",
		  "av_eml_subject_prefix: holds a control character" },
		{ "av_eml_subject_prefix = \"a\x7f\"",
		  "av_eml_subject_prefix: holds a control character" },
		{ "numm_proc = 1", "unknown option numm_proc (is num_proc meant?)" },
		{ "nmu_proc = 1", "unknown option nmu_proc (is num_proc meant?)" },
		{ "Num_proc = 1", "unknown option Num_proc (is num_proc meant?)" },
		{ "num-proc = 1", "unknown option num-proc (is num_proc meant?)" },
		{ "frobnicate = 1", "unknown option frobnicate" },
		{ "av_engines = builtin", "option av_engines does not belong here but in [global]" },
		{ "username = x", "option username does not belong here but in [wwwi]" },
		{ "parent_id = x", "option parent_id does not belong here but in a user section" },
		{ "[", "the section header is not closed by ]" },
		{ "[]", "the section has no name" },
		{ "[ ]", "the section has no name" },
		{ "[global] x", "text behind the section header" },
	};
	char text[300], says[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "# first\n[smtp]\n\n%s\n", cases[i].line);
		snprintf(says, sizeof(says), "E 4: %s\n", cases[i].says);
		expect_said(CONF_PROG_SMTP, text, says);
		/* without an end of line, and with CR LF */
		text[strlen(text) - 1] = '\0';
		expect_said(CONF_PROG_SMTP, text, says);
		strcat(text, "\r\n\r\n");
		expect_said(CONF_PROG_SMTP, text, says);
	}
	expect_said(CONF_PROG_SMTP, "\nnum_proc = 1\n",
		"E 2: an option must follow a section header\n");
}
END_TEST

START_TEST(bad_values)
{
	static const struct { const char *line, *says; } cases[] = {
		{ "num_proc = yes", "\"yes\" is not a number (decimal; K, M or G may follow)" },
		{ "num_proc = -1", "\"-1\" is not a number (decimal; K, M or G may follow)" },
		{ "num_proc = 0x10", "\"0x10\" is not a number (decimal; K, M or G may follow)" },
		{ "num_proc = 1.5", "\"1.5\" is not a number (decimal; K, M or G may follow)" },
		{ "num_proc = \"\"", "\"\" is not a number (decimal; K, M or G may follow)" },
		{ "num_proc = 1T", "\"1T\" is not a number (decimal; K, M or G may follow)" },
		{ "num_proc = 0", "0 is out of range, 1 to 256" },
		{ "num_proc = 257", "257 is out of range, 1 to 256" },
		{ "num_proc = 1K", "1K is out of range, 1 to 256" },
		{ "num_thrd = 99999999999999999999", "99999999999999999999 is out of range, 1 to 256" },
		{ "listen_port = 0", "0 is out of range, 1 to 65535" },
		{ "server_port = 64K", "64K is out of range, 1 to 65535" },
		{ "timeout_client = 0", "0 is out of range, 1 to 86400" },
		{ "spool_message_memory = 1K", "1K is out of range, 4K to 1G" },
		{ "max_message_size = 1025G", "1025G is out of range, 0 to 1024G" },
		{ "agent_enabled = maybe", "\"maybe\" is not yes or no" },
		{ "agent_enabled = 2", "\"2\" is not yes or no" },
		{ "agent_enabled = \"\"", "\"\" is not yes or no" },
		{ "action_av_infected = scan",
		  "\"scan\" is not one of accept, defer, discard, reject" },
		{ "action_av = \"\"", "\"\" is not one of accept, scan, defer, discard, reject" },
		{ "chunking = maybe", "\"maybe\" is not one of yes, always, no" },
		{ "user = \"\"", "must not be empty" },
		{ "user = \"a b\"", "\"a b\" is not a user or group name" },
		{ "spool_dir = spool", "must be an absolute path (it begins with /)" },
		{ "spool_dir = \"\"", "must not be empty" },
		{ "syslog_facility = auth",
		  "\"auth\" is not one of daemon, mail, user, local0 to local7, none" },
		{ "syslog_class = \"error,info\"",
		  "\"error,info\" is one item: colons separate the items of this list" },
		{ "syslog_class = error:summe", "\"summe\" is not one of error, warning, summ, summall, "
		  "part, partall, info, debug" },
		{ "listen_addr = 127.0.0.1:25",
		  "\"127.0.0.1:25\" holds a port, which is an option of its own" },
		{ "listen_addr = [::1]:25",
		  "\"[::1]:25\" holds a port, which is an option of its own" },
		{ "listen_addr = \"::1, 300.1.2.3\"",
		  "\"300.1.2.3\" is not an address or a host name" },
		{ "server_addr = \"a b\"", "\"a b\" is not an address or a host name" },
		{ "server_addr = \"a..b\"", "\"a..b\" is not an address or a host name" },
		{ "server_addr = \"::g\"", "\"::g\" is not an address or a host name" },
		{ "server_addr = unix:sock", "\"unix:sock\" must name an absolute path" },
		{ "trusted_networks = 10.0.0.1/8", "\"10.0.0.1/8\" is not a network such as "
		  "192.0.2.0/24 (bits behind the prefix are 0), 2001:db8::/32 or any" },
		{ "client_networks = \"any, x\"", "\"x\" is not a network such as 192.0.2.0/24 "
		  "(bits behind the prefix are 0), 2001:db8::/32 or any" },
		{ "client_networks = \"\"", "must not be empty" },
		{ "av_allow_hash = abc", "\"abc\" is not a SHA-256 of 64 hexadecimal digits" },
		{ "av_allow_hash = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
		  "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\" "
		  "is not a SHA-256 of 64 hexadecimal digits" },
		{ "av_allow_name = \"Foo:*\"", "\"*\" would let every detection pass" },
		{ "av_block_ext = \"exe:a/b\"", "\"a/b\" is not a file name extension" },
		{ "av_block_ext = \".\"", "\".\" is not a file name extension" },
		{ "av_block_ext = \"exe,com\"",
		  "\"exe,com\" is one item: colons separate the items of this list" },
	};
	static const struct { const char *line, *says; } globals[] = {
		{ "av_engines = builtin:mcafee", "\"mcafee\" is not one of builtin, clamd" },
		{ "av_engines = \"builtin, clamd\"",
		  "\"builtin, clamd\" is one item: colons separate the items of this list" },
		{ "as_engines = clamd", "\"clamd\" is not one of builtin, spamd, rspamd" },
		{ "clamd_addr = clamd", "\"clamd\" must be /path, unix:/path or host:port" },
		{ "clamd_addr = \"h:1, h:0\"", "\"h:0\" must be /path, unix:/path or host:port" },
		{ "clamd_addr = \"::1:3310\"", "\"::1:3310\" must have its IPv6 address in brackets" },
		{ "clamd_addr = \"a b:3310\"",
		  "\"a b:3310\" is not an address or a host name with a port" },
		{ "rspamd_url = https://h", "\"https://h\" must begin with http://" },
		{ "rspamd_url = http://", "\"http://\" is not http://host:port" },
		{ "rspamd_url = http://u@h", "\"http://u@h\" is not http://host:port" },
		{ "rspamd_url = http://h:x", "\"http://h:x\" is not http://host:port" },
		{ "daemon_allowed_users = \"root:@\"", "\"\" is not a user or group name" },
		{ "daemon_allowed_users = \"ro ot\"", "\"ro ot\" is not a user or group name" },
		{ "exec_script = run.sh", "must be an absolute path (it begins with /)" },
	};
	char text[300], says[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\n%s\n", cases[i].line);
		snprintf(says, sizeof(says), "E 2: %.*s: %s\n", (int)strcspn(cases[i].line, " "),
			cases[i].line, cases[i].says);
		expect_said(CONF_PROG_SMTP, text, says);
	}
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		snprintf(text, sizeof(text), "[global]\n%s\n", globals[i].line);
		ck_assert_ptr_null(load_as(CONF_PROG_DAEMON, text));
		snprintf(says, sizeof(says), "E 2: %s", globals[i].line);
		strcpy(says + strcspn(says + 5, " ") + 5, ": ");
		ck_assert_msg(strncmp(said, says, strlen(says)) == 0, "%s", said);
		if (strstr(globals[i].line, "@\"") == NULL)
			ck_assert_msg(strstr(said, globals[i].says) != NULL, "%s", said);
	}
}
END_TEST

START_TEST(good_values)
{
	static const char *const lines[] = {
		"listen_addr = \"0.0.0.0, ::, [::1], localhost, a-b.example.\"",
		"listen_addr = unix:/run/x", "server_addr = mx_1.example.org",
		"server_addr = \"fe80::1%lo\"", "trusted_networks = \"\"", "trusted_networks = any",
		"client_networks = \"10.0.0.0/8,2001:db8::/32,192.0.2.1\"", "syslog_facility = none",
		"syslog_facility = local7", "syslog_class = \"\"",
		"syslog_class = summall:partall:debug", "user = www-data", "user = _esets",
		"av_scan_ext_exclude = \"txt:.log:tar.gz\"", "av_allow_name = \"Foo.*:PUA.?\"",
		"as_eml_subject_prefix = \"[SPAM] \"", "max_sessions_per_client = 0",
	};
	static const char *const globals[] = {
		"clamd_addr = \"/run/clamd, unix:/c, h:1, [::1]:3310, 192.0.2.1:3310\"",
		"rspamd_url = http://localhost:11333/", "rspamd_url = http://[::1]:11333",
		"rspamd_url = http://h", "av_engines = \"\"", "daemon_allowed_users = \"root:@mail\"",
		"exec_script = \"\"",
	};
	char text[300];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "[smtp]\n%s\n", lines[i]);
		struct conf *c = load(text);
		ck_assert(said[0] == '\0' || strstr(said, "has no effect in this version") != NULL);
		conf_free(&c);
	}
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		snprintf(text, sizeof(text), "[global]\n%s\n", globals[i]);
		struct conf *c = load_as(CONF_PROG_DAEMON, text);
		ck_assert_msg(c != NULL, "%s%s", text, said);
		conf_free(&c);
	}
}
END_TEST

START_TEST(lengths)
{
	char text[20000], value[17000];

	memset(value, 'a', sizeof(value));
	value[0] = '/';
	value[107] = '\0';
	snprintf(text, sizeof(text), "[global]\ndaemon_sock_path = %s\n", value);
	struct conf *c = load(text);
	conf_free(&c);
	value[107] = 'a';
	value[108] = '\0';
	snprintf(text, sizeof(text), "[global]\ndaemon_sock_path = %s\n", value);
	expect_said(CONF_PROG_SMTP, text, "E 2: daemon_sock_path: is longer than 107 octets\n");
	snprintf(text, sizeof(text), "[smtp]\nlisten_addr = unix:%s\n", value);
	ck_assert_ptr_null(load_as(CONF_PROG_SMTP, text));
	ck_assert_ptr_nonnull(strstr(said, "longer than a socket's path may be"));
	value[108] = 'a';
	value[4097] = '\0';
	snprintf(text, sizeof(text), "[smtp]\nlisten_addr = %s\n", value + 1);
	ck_assert_ptr_null(load_as(CONF_PROG_SMTP, text));
	ck_assert_ptr_nonnull(strstr(said, "is too long"));
	value[4097] = 'a';
	value[16999] = '\0';
	snprintf(text, sizeof(text), "[smtp]\nspool_dir = \"%s\"\n", value);
	expect_said(CONF_PROG_SMTP, text, "E 2: spool_dir: is longer than 4095 octets\n");
}
END_TEST

/* All mistakes are told, in the order of the file, each with its line. */
START_TEST(all_errors_are_told)
{
	expect_said(CONF_PROG_SMTP,
		"foo = 1\n[smtp]\nnum_proc = 0\nbar = 2\nnum_thrd = \"3\n\nlisten_port = x\n"
		"[global]\n# c\naction_av = maybe\n[smtp]\nchunking = never\nserver_port = 99999\n",
		"E 1: an option must follow a section header\n"
		"E 3: num_proc: 0 is out of range, 1 to 256\n"
		"E 4: unknown option bar\n"
		"E 5: the string is not closed on its line\n"
		"E 7: listen_port: \"x\" is not a number (decimal; K, M or G may follow)\n"
		"E 10: action_av: \"maybe\" is not one of accept, scan, defer, discard, reject\n"
		"E 12: chunking: \"never\" is not one of yes, always, no\n"
		"E 13: server_port: 99999 is out of range, 1 to 65535\n");
}
END_TEST

START_TEST(peer_text_is_cleaned)
{
	ck_assert_ptr_null(load_as(CONF_PROG_SMTP, "[smtp]\naction_av = \"a\x1b[31m\\\"\xff\"\n"));
	ck_assert_str_eq(said, "E 2: action_av: \"a\\x1b[31m\\\"\\xff\" is not one of accept, scan, "
		"defer, discard, reject\n");
	struct conf *c = load("[a\x1b]\n");
	ck_assert_str_eq(said, "I 1: section [a\\x1b] is of another program and is passed over\n");
	conf_free(&c);
}
END_TEST

/* --- warnings and remarks ------------------------------------------------------------ */

START_TEST(unknown_sections)
{
	static const char *const foreign[] = { "dac", "http", "pop3", "imap", "smfi", "icap", "x" };
	static const char *const typos[] = { "smpt", "smt", "smtpp", "SMTP", "Smtp", "mstp", "smtq",
		"globl", "gobal", "GLOBAL", "wwi", "wwwwi" };
	char text[100], says[200];

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		snprintf(text, sizeof(text), "\n[%s]\nnum_proc = \"\n", foreign[i]);
		snprintf(says, sizeof(says),
			"I 2: section [%s] is of another program and is passed over\n", foreign[i]);
		expect_said(CONF_PROG_SMTP, text, says);
	}
	for (size_t i = 0; i < sizeof(typos) / sizeof(typos[0]); i++) {
		snprintf(text, sizeof(text), "[%s]\nnum_proc = 0\n", typos[i]);
		snprintf(says, sizeof(says), "W 1: unknown section [%s] is passed over (is [", typos[i]);
		struct conf *c = load(text);
		ck_assert_msg(strncmp(said, says, strlen(says)) == 0, "%s", said);
		conf_free(&c);
	}
}
END_TEST

START_TEST(legacy_options)
{
	static const char *const names[] = { "av_update_username", "license_dir", "samples_enabled",
		"racl_update", "av_mirror_enabled", "as_update_x", "scheduler_tasks",
		"privileged_users", "as_rbl_service", "av_exclude" };
	char text[100], says[200];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "[global]\n%s = \"x\"\nnum_proc = 3\n", names[i]);
		snprintf(says, sizeof(says),
			"I 2: %s has no meaning for this program and is passed over\n", names[i]);
		expect_said(CONF_PROG_SMTP, text, says);
	}
}
END_TEST

START_TEST(duplicates)
{
	char says[800];
	struct conf *c = load("[smtp]\nnum_proc = 3\nnum_proc = 4\n[global]\nnum_proc = 7\n"
		"[smtp]\nnum_proc = 5\n");

	snprintf(says, sizeof(says), "W 3: num_proc is set again, which replaces %s:2\n"
		"W 7: num_proc is set again, which replaces %s:3\n", path, path);
	ck_assert_str_eq(said, says);
	ck_assert(c->smtp.num_proc == 5 && c->global.num_proc == 7);
	conf_free(&c);
}
END_TEST

START_TEST(root_is_warned_of)
{
	struct conf *c = load("[global]\nuser = root\n");

	ck_assert_str_eq(said, "W 2: user = root: what reads mail from strangers had better run as "
		"another user\n");
	ck_assert_str_eq(c->smtp.mod.user, "root");
	conf_free(&c);
}
END_TEST

/* --- checks over several options --------------------------------------------------------- */

START_TEST(what_an_enabled_agent_needs)
{
	expect_said(CONF_PROG_SMTP, "[smtp]\n\nagent_enabled = yes\n",
		"E 3: the agent is enabled, but listen_addr is not set in [smtp]\n"
		"E 3: the agent is enabled, but listen_port is not set in [smtp]\n"
		"E 3: the agent is enabled, but server_addr is not set in [smtp]\n"
		"E 3: the agent is enabled, but server_port is not set in [smtp]\n");
	expect_said(CONF_PROG_SMTP, "[smtp]\nagent_enabled = yes\nlisten_addr = \"\"\n"
		"listen_port = 1\nserver_addr = unix:/s\n",
		"E 2: the agent is enabled, but listen_addr is not set in [smtp]\n");
	expect_said(CONF_PROG_SMTP, "[smtp]\nagent_enabled = yes\nlisten_addr = unix:/l\n"
		"server_addr = \"unix:/s, a\"\n",
		"E 2: the agent is enabled, but server_port is not set in [smtp]\n");
	/* a value that is wrong is not missing as well */
	expect_said(CONF_PROG_SMTP, "[smtp]\nagent_enabled = yes\nlisten_addr = a\nlisten_port = 0\n"
		"server_addr = unix:/s\n", "E 4: listen_port: 0 is out of range, 1 to 65535\n");
	expect_said(CONF_PROG_SMTP, "[smtp]\nagent_enabled = yes\nlisten_addr = unix:/l\n"
		"server_addr = unix:/s\n", "");
	expect_said(CONF_PROG_SMTP, "[smtp]\nagent_enabled = no\n", "");
	expect_said(CONF_PROG_DAEMON, "[smtp]\nagent_enabled = yes\n", "");
	expect_said(CONF_PROG_WWWI, "[smtp]\nagent_enabled = yes\n", "");
	expect_said(CONF_PROG_TOOL, "[smtp]\nagent_enabled = yes\n", "");
}
END_TEST

START_TEST(own_listener)
{
	static const struct { const char *listen, *server; bool is_loop; } cases[] = {
		{ "127.0.0.1", "127.0.0.1", true }, { "0.0.0.0", "127.0.0.1", true },
		{ "0.0.0.0", "127.9.9.9", true }, { "0.0.0.0", "0.0.0.0", true },
		{ "127.0.0.1", "0.0.0.0", true }, { "0.0.0.0", "localhost", true },
		{ "::", "::1", true }, { "::", "localhost", true }, { "::1", "::", true },
		{ "[::1]", "0:0::1", true }, { "localhost", "127.0.0.1", true },
		{ "LocalHost", "localhost", true }, { "localhost", "::1", true },
		{ "mx.example", "MX.example", true }, { "10.0.0.1, 127.0.0.1", "10.0.0.2, 127.0.0.1",
		  true }, { "::ffff:127.0.0.1", "127.0.0.1", true },
		{ "10.0.0.1", "127.0.0.1", false }, { "127.0.0.1", "127.0.0.2", false },
		{ "0.0.0.0", "10.0.0.1", false }, { "mx.example", "10.0.0.1", false },
		{ "0.0.0.0", "mx.example", false }, { "10.0.0.1", "localhost", false },
		{ "0.0.0.0", "::1", false }, { "::", "127.0.0.1", false },
		{ "unix:/a", "unix:/a", true }, { "unix:/a", "unix:/b", false },
		{ "unix:/a, 10.0.0.1", "10.0.0.2, unix:/a", true },
		{ "unix:/a", "127.0.0.1", false },
	};
	char text[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int other = 0; other < 2; other++) {
			bool has_unix = strstr(cases[i].listen, "unix:") != NULL;
			bool is_loop = cases[i].is_loop && (!other || has_unix);
			snprintf(text, sizeof(text), "[smtp]\nagent_enabled = yes\nlisten_addr = \"%s\"\n"
				"listen_port = 2525\nserver_addr = \"%s\"\nserver_port = %d\n",
				cases[i].listen, cases[i].server, 2525 + other);
			struct conf *c = load_as(CONF_PROG_SMTP, text);
			ck_assert_msg((c == NULL) == is_loop, "%s%s", text, said);
			if (is_loop) {
				ck_assert_int_eq(strncmp(said, "E 5: server_addr: ", 18), 0);
				ck_assert_ptr_nonnull(strstr(said, "own listener"));
			}
			conf_free(&c);
		}
	}
}
END_TEST

START_TEST(engines_need_addresses)
{
	expect_said(CONF_PROG_DAEMON, "[global]\nav_engines = builtin:clamd\n"
		"as_engines = \"spamd:rspamd\"\n",
		"E 2: av_engines: clamd needs clamd_addr\n"
		"E 3: as_engines: spamd needs spamd_addr\n"
		"E 3: as_engines: rspamd needs rspamd_url\n");
	expect_said(CONF_PROG_DAEMON, "[global]\nav_engines = \" clamd : builtin \"\n"
		"clamd_addr = /c\n", "");
	expect_said(CONF_PROG_SMTP, "[global]\nav_engines = builtin:clamd\n", "");
	expect_said(CONF_PROG_DAEMON, "[global]\nclamd_addr = /c\nas_engines = spamd\n"
		"spamd_addr = /s\nrspamd_url = http://h\n",
		"W 2: clamd_addr: av_engines does not name clamd, which is not asked\n"
		"W 5: rspamd_url: as_engines does not name rspamd, which is not asked\n");
	expect_said(CONF_PROG_DAEMON, "[global]\nav_engines = clamd\nclamd_addr = c\n",
		"E 3: clamd_addr: \"c\" must be /path, unix:/path or host:port\n");
}
END_TEST

START_TEST(spam_that_nobody_looks_for)
{
	expect_said(CONF_PROG_SMTP, "[smtp]\naction_as_spam = reject\n",
		"W 2: action_as_spam: nothing is scanned for spam, since action_as is not scan\n");
	expect_said(CONF_PROG_SMTP, "[global]\naction_as_spam = reject\n[smtp]\naction_as = scan\n", "");
}
END_TEST

START_TEST(one_quarantine)
{
	expect_said(CONF_PROG_SMTP, "[global]\nav_quarantine_dir = /a\n[smtp]\n"
		"av_quarantine_enabled = yes\nav_quarantine_dir = /a\n", "");
	expect_said(CONF_PROG_DAEMON, "[smtp]\nav_quarantine_dir = /b\n",
		"W 2: av_quarantine_dir: only the one of [global] counts\n");
}
END_TEST

/* Octets unless there is a unit, and a reload removes what is too much. */
START_TEST(quarantine_of_octets)
{
	expect_said(CONF_PROG_DAEMON, "[global]\nav_quarantine_max_size = 500\n",
		"W 2: av_quarantine_max_size: copies beyond 500 octets are removed at once; "
		"megabytes have M behind the number\n");
	expect_said(CONF_PROG_DAEMON, "[global]\nav_quarantine_max_size = 1023K\n",
		"W 2: av_quarantine_max_size: copies beyond 1023K octets are removed at once; "
		"megabytes have M behind the number\n");
	expect_said(CONF_PROG_DAEMON, "[global]\nav_quarantine_max_size = 1M\n", "");
	expect_said(CONF_PROG_SMTP, "[global]\nav_quarantine_max_size = 500\n", "");
}
END_TEST

#define WWWI "[wwwi]\nagent_enabled = yes\n"
/* A secret is known to the program that it is for, and to no other. */
START_TEST(secrets_of_others)
{
	static const char text[] = "[wwwi]\nusername = me\npassword = \"a\\\\\\\"$ b\"\n";
	static const struct { enum conf_program program; const char *password; } rows[] = {
		{ CONF_PROG_WWWI, "a\\\"$ b" }, { CONF_PROG_DAEMON, "x\\\\xxx" },
		{ CONF_PROG_SMTP, "x\\\\xxx" }, { CONF_PROG_TOOL, "x\\\\xxx" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf *c = load_as(rows[i].program, text);
		ck_assert_ptr_nonnull(c);
		ck_assert_str_eq(c->wwwi.username, "me");
		ck_assert_str_eq(c->wwwi.password, rows[i].password);
		conf_free(&c);
	}
}
END_TEST

#define READABLE "everybody can read the file, which holds this password: chmod o-r\n"
START_TEST(who_may_look)
{
	expect_said(CONF_PROG_WWWI, WWWI "listen_addr = ::1\n", "");
	expect_said(CONF_PROG_WWWI, WWWI "listen_addr = 127.8.0.1\n", "");
	expect_said(CONF_PROG_WWWI, WWWI "listen_addr = ::\nusername = a\npassword = b\n",
		"W 5: " READABLE);
	expect_said(CONF_PROG_WWWI, WWWI "listen_addr = 0.0.0.0\n",
		"E 3: listen_addr: beyond loopback only with username and password\n");
	expect_said(CONF_PROG_WWWI, WWWI "listen_addr = 192.0.2.1\nusername = a\n",
		"E 4: username and password go together: set both or neither\n");
	expect_said(CONF_PROG_WWWI, WWWI "password = a\n",
		"E 3: username and password go together: set both or neither\nW 3: " READABLE);
	expect_said(CONF_PROG_WWWI, WWWI "release = yes\n",
		"E 3: release: only with username and password\n");
	expect_said(CONF_PROG_DAEMON, WWWI "release = yes\n", "");
	expect_said(CONF_PROG_WWWI, WWWI "username = \"a:b\"\npassword = c\n",
		"E 3: username: holds a colon\nW 4: " READABLE);
	expect_said(CONF_PROG_WWWI, WWWI "listen_addr = localhost\n",
		"E 3: listen_addr: \"localhost\" is not an address such as 127.0.0.1 or ::1\n");
	/* nothing is served, or it is nobody else's business */
	expect_said(CONF_PROG_WWWI, "[wwwi]\nlisten_addr = 0.0.0.0\n", "");
	expect_said(CONF_PROG_SMTP, WWWI "listen_addr = 0.0.0.0\n", "");
}
END_TEST

START_TEST(options_without_effect)
{
	static const char text[] = "[global]\nav_scan_obj_rtp = no\n\n"
		"status_sock_path = /x\n[smtp]\nav_scan_obj_rtp = no\nstatus_sock_path = /y\n"
		"[wwwi]\nagent_enabled = yes\nlisten_port = 81\n";

	/* one for each, where the value in force comes from */
	expect_said(CONF_PROG_SMTP, text, "W 6: av_scan_obj_rtp has no effect in this version\n");
	expect_said(CONF_PROG_DAEMON, text, "W 2: av_scan_obj_rtp has no effect in this version\n");
	expect_said(CONF_PROG_TOOL, text, "");
	/* what means the default, in whatever words, is no news */
	expect_said(CONF_PROG_SMTP, "[smtp]\nav_scan_obj_rtp = Yes\nav_scan_heur = on\n"
		"av_scan_archive_max_size = 262144K\nav_block_ext = \"\"\npolicy_dry_run = false\n"
		"user_config = \"\"\n[global]\nagent_enabled = no\n[wwwi]\nagent_enabled = no\n", "");
	/* a wrong value is told of once */
	expect_said(CONF_PROG_SMTP, "[smtp]\nav_scan_heur = x\n",
		"E 2: av_scan_heur: \"x\" is not yes or no\n");
}
END_TEST

/* --- files ----------------------------------------------------------------------------- */

START_TEST(unreadable_files)
{
	const char *argv[] = { "prog", "-c", path, NULL };
	const char *at_dir[] = { "prog", "-c", dir, NULL };
	const char *endless[] = { "prog", "-c", "/dev/zero", NULL };

	ck_assert_ptr_null(load_args(CONF_PROG_SMTP, 3, argv));
	ck_assert_str_eq(said, "E  cannot be read: No such file or directory\n");
	ck_assert_ptr_null(load_args(CONF_PROG_SMTP, 3, at_dir));
	ck_assert_ptr_nonnull(strstr(said, "cannot be read: Is a directory\n"));
	ck_assert_ptr_null(load_args(CONF_PROG_SMTP, 3, endless));
	ck_assert_str_eq(said, "E /dev/zero: cannot be read: File too large\n");
	if (geteuid() != 0) {
		write_file("", 0);
		ck_assert_int_eq(chmod(path, 0), 0);
		ck_assert_ptr_null(load_args(CONF_PROG_SMTP, 3, argv));
		ck_assert_str_eq(said, "E  cannot be read: Permission denied\n");
	}
}
END_TEST

START_TEST(nul_octets)
{
	static const char text[] = "[smtp]\nnum_proc = 3\0\nnum_thrd = 4\n\0\nlisten_port = 0\n";
	const char *argv[] = { "prog", "-c", path, NULL };

	write_file(text, sizeof(text) - 1);
	ck_assert_ptr_null(load_args(CONF_PROG_SMTP, 3, argv));
	ck_assert_str_eq(said, "E 2: the line holds a NUL\nE 4: the line holds a NUL\n"
		"E 5: listen_port: 0 is out of range, 1 to 65535\n");
}
END_TEST

START_TEST(errors_are_bounded)
{
	size_t size = 3000000;
	char *text = malloc(size + 1);
	unsigned lines = 0;

	ck_assert_ptr_nonnull(text);
	strcpy(text, "[smtp]\n");
	for (size_t n = 7; n + 2 <= size; n += 2)
		memcpy(text + n, "x\n", 3);
	ck_assert_ptr_null(load_as(CONF_PROG_SMTP, text));
	for (const char *p = said; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	ck_assert_uint_eq(lines, CONF_ERRORS_MAX + 1);
	ck_assert_ptr_nonnull(strstr(said, "too many errors"));
	free(text);
}
END_TEST

/* Lines put together at random from the pieces of the grammar, then octets
 * changed: never a crash, and an answer each time. */
START_TEST(random_files)
{
	static const char *const pieces[] = { "[smtp]", "[global]", "[x", "]", "\n", "\n", "\n", " ",
		"=", "num_proc", "user", "\"", "\\", "3", "$", "${HOME}", "#", ";", "av_engines",
		"av_update_x", "listen_addr", "a, b", "\xff", "\r", "\t", "'", "{", "}", "+=", "//",
		"/*", "as_spam_score", "0.5" };
	unsigned seed = (unsigned)_i * 7919 + 1;
	const char *argv[] = { "prog", "-c", path, NULL };
	char text[600];

	for (int round = 0; round < 300; round++) {
		size_t len = 0;
		while (len < 500) {
			seed = seed * 1103515245 + 12345;
			const char *p = pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))];
			memcpy(text + len, p, strlen(p));
			len += strlen(p);
		}
		seed = seed * 1103515245 + 12345;
		text[(seed >> 8) % len] = (char)(seed >> 20);
		write_file(text, len);
		struct conf *c = load_args(CONF_PROG_SMTP, 3, argv);
		conf_free(&c);
	}
}
END_TEST

/* --- dump and origin --------------------------------------------------------------------- */

/* Takes the origins off. */
static void strip_comments(char *s)
{
	char *out = s;

	while (*s != '\0') {
		if (strncmp(s, "\t# ", 3) == 0)
			s += strcspn(s, "\n");
		else
			*out++ = *s++;
	}
	*out = '\0';
}

/* What follows another option says so, and where that was set. */
START_TEST(dump_names_what_is_followed)
{
	static const struct { const char *text, *line, *number; } rows[] = {
		{ "[global]\naction_av_notscanned = defer\n",
		  "\n;action_av_unavailable = defer\t# as action_av_notscanned, ", "2" },
		{ "[global]\naction_av_notscanned = defer\n",
		  "\n;action_av_overlimit = defer\t# as action_av_notscanned, ", "2" },
		{ "", "\n;action_av_encrypted = accept\t# as action_av_notscanned, default\n", NULL },
		{ "", "\n;action_av_unavailable = defer\t# default\n", NULL },
		{ "[smtp]\naction_av_notscanned = reject\naction_av_unavailable = accept\n",
		  "\naction_av_unavailable = accept\t# ", "3" },
		{ "[smtp]\naction_av_notscanned = reject\naction_av_unavailable = accept\n",
		  "\n;action_av_encrypted = reject\t# as action_av_notscanned, ", "2" },
	};
	static char dump[20000];
	char line[600];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf *c = load_as(CONF_PROG_SMTP, rows[i].text);
		ck_assert_msg(c != NULL, "%s", said);
		dump_text(c, CONF_PROG_SMTP, dump, sizeof(dump));
		conf_free(&c);
		str_copy(line, sizeof(line), rows[i].line);
		if (rows[i].number != NULL)
			snprintf(line, sizeof(line), "%s%s:%s\n", rows[i].line, path, rows[i].number);
		ck_assert_msg(strstr(dump, line) != NULL, "%s not in\n%s", line, dump);
	}
}
END_TEST

START_TEST(dump_reads_back)
{
	static const enum conf_program programs[] = { CONF_PROG_DAEMON, CONF_PROG_SMTP,
		CONF_PROG_WWWI };
	static char first[20000], second[20000];
	const char *argv[] = { "prog", "-c", path, NULL };

	for (size_t i = 0; i < 3; i++) {
		struct conf *c = load_as(programs[i],
			"[global]\naction_av_notscanned = defer\nnum_proc = 5\n"
			"as_spam_score = 5.5\nav_eml_subject_prefix = \"a \\\"b\\\" \\\\ ${HOME} \"\n"
			"daemon_sock_path = /s\nav_scan_max_size = 3072\npid_file = /g\n"
			"[smtp]\nagent_enabled = yes\nlisten_addr = \"::1, unix:/x\"\nlisten_port = 2526\n"
			"server_addr = a\nserver_port = 25\nav_clean_mode = yes\nchunking = no\n"
			"[wwwi]\nusername = me\npassword = geheim\n");
		ck_assert_msg(c != NULL, "%s", said);
		dump_text(c, programs[i], first, sizeof(first));
		conf_free(&c);
		ck_assert_ptr_null(strstr(first, "geheim"));
		write_file(first, strlen(first));
		c = load_args(programs[i], 3, argv);
		ck_assert_msg(c != NULL, "%s%s", first, said);
		dump_text(c, programs[i], second, sizeof(second));
		conf_free(&c);
		strip_comments(first);
		strip_comments(second);
		/* the one line that does not come back */
		char *p = strstr(first, ";password = ...\n"), *q = strstr(second, ";password = \"\"\n");
		ck_assert((p != NULL) == (programs[i] == CONF_PROG_WWWI));
		ck_assert((q != NULL) == (programs[i] == CONF_PROG_WWWI));
		if (p != NULL && q != NULL)
			*p = *q = '\0';
		ck_assert_str_eq(first, second);
	}
}
END_TEST

static char changed[1000];

static void note_change(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	ck_assert_int_eq(kind, CONF_NOTE_INFO);
	snprintf(changed + strlen(changed), sizeof changed - strlen(changed), "%s\n", text);
}

/* What a reload changes; of a password only that it is another. */
START_TEST(changes)
{
	static const struct { enum conf_program program; const char *was, *is, *want; } cases[] = {
		{ CONF_PROG_DAEMON, "[global]\nnum_proc = 2\n", "[global]\n# x\nnum_proc=2\n", "" },
		{ CONF_PROG_DAEMON, "[global]\nnum_proc = 2\n", "[global]\nnum_proc = 3\n",
			"[global] num_proc = 3 (was 2)\n" },
		{ CONF_PROG_DAEMON, "[global]\nav_signature_dir = /a\nav_engines = builtin\n",
			"[global]\nav_signature_dir = \"/b\"\nav_engines = \"builtin:clamd\"\n"
			"clamd_addr = /c\n",
			"[global] av_engines = \"builtin:clamd\" (was \"builtin\")\n"
			"[global] av_signature_dir = \"/b\" (was \"/a\")\n"
			"[global] clamd_addr = \"/c\" (was \"\")\n" },
		{ CONF_PROG_SMTP, "[global]\naction_av = scan\n", "[global]\naction_av = defer\n",
			"[global] action_av = defer (was scan)\n" },
		{ CONF_PROG_SMTP, "[global]\nuser = a\n", "[global]\nuser = b\n[smtp]\nuser = c\n",
			"[smtp] user = \"c\" (was \"a\")\n" },
		{ CONF_PROG_SMTP, "[global]\nuser = a\n[smtp]\nuser = b\n", "[global]\nuser = a\n",
			"[global] user = \"a\" (was \"b\")\n" },
		{ CONF_PROG_SMTP, "[global]\nuser = a\n", "",
			"[global] user = \"esets\" (was \"a\")\n" },
		{ CONF_PROG_SMTP, "[smtp]\nuser = a\n", "",
			"[smtp] user = \"esets\" (was \"a\")\n" },
		{ CONF_PROG_SMTP, "[wwwi]\nlisten_port = 1\n", "[wwwi]\nlisten_port = 2\n", "" },
		{ CONF_PROG_WWWI, "[wwwi]\npassword = secret\n", "[wwwi]\npassword = geheim\n",
			"[wwwi] password has changed\n" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct conf *was = load_as(cases[i].program, cases[i].was);
		ck_assert_msg(was != NULL, "%s", said);
		struct conf *is = load_as(cases[i].program, cases[i].is);
		ck_assert_msg(is != NULL, "%s", said);
		changed[0] = '\0';
		unsigned n = conf_changes(was, is, cases[i].program, note_change, NULL), lines = 0;
		ck_assert_str_eq(changed, cases[i].want);
		for (const char *p = changed; *p != '\0'; p++)
			lines += *p == '\n';
		ck_assert_uint_eq(n, lines);
		conf_free(&was);
		conf_free(&is);
	}
}
END_TEST

START_TEST(origins)
{
	char expected[400];
	struct conf *c = load("[global]\nuser = a\n[smtp]\nnum_proc = 3\n");

	snprintf(expected, sizeof(expected), "%s:4", path);
	ck_assert_str_eq(conf_origin(c, "smtp", "num_proc"), expected);
	snprintf(expected, sizeof(expected), "%s:2", path);
	ck_assert_str_eq(conf_origin(c, "smtp", "user"), expected);
	ck_assert_str_eq(conf_origin(c, "smtp", "num_thrd"), "default");
	ck_assert_str_eq(conf_origin(c, "global", "num_proc"), "default");
	ck_assert_str_eq(conf_origin(c, "smtp", "nonsense"), "default");
	ck_assert_str_eq(conf_origin(c, "nonsense", "num_proc"), "default");
	conf_free(&c);
}
END_TEST

/* --- command line over the file -------------------------------------------------------------- */

START_TEST(command_line_wins)
{
	const char *argv[] = { "prog", "-c", path, "--num-proc", "6", "--num-proc=7", "--user", "cli",
		"--no-add-header-xvirus", "--action-av-notscanned=discard", NULL };
	static const char text[] = "[smtp]\nnum_proc = 3\nnum_thrd = 5\n[global]\nuser = f\n";
	char dump[20000];

	write_file(text, strlen(text));
	struct conf *c = load_args(CONF_PROG_SMTP, 10, argv);
	ck_assert_msg(c != NULL, "%s", said);
	ck_assert_str_eq(said, "");
	ck_assert(c->smtp.num_proc == 7 && c->smtp.num_thrd == 5 && c->global.num_proc == 1);
	ck_assert(!c->smtp.add_header_xvirus);
	ck_assert(c->smtp.scan.actions.av_unavailable == POLICY_DISCARD);
	ck_assert(c->global.scan.actions.av_unavailable == POLICY_DEFER);
	ck_assert_str_eq(c->smtp.mod.user, "cli");
	ck_assert_str_eq(c->global.mod.user, "f");
	ck_assert_str_eq(conf_origin(c, "smtp", "num_proc"), "--num-proc");
	ck_assert_str_eq(conf_origin(c, "smtp", "add_header_xvirus"), "--no-add-header-xvirus");
	dump_text(c, CONF_PROG_SMTP, dump, sizeof(dump));
	ck_assert_ptr_nonnull(strstr(dump, "\nnum_proc = 7\t# command line\n"));
	conf_free(&c);
	/* [global] of the daemon is the default of agents, from its own line too */
	const char *daemon[] = { "prog", "-c", path, "--user", "cli", NULL };
	c = load_args(CONF_PROG_DAEMON, 5, daemon);
	ck_assert_str_eq(c->global.mod.user, "cli");
	conf_free(&c);
}
END_TEST

START_TEST(command_line_in_messages)
{
	const char *argv[] = { "prog", "-c", path, "--agent-enabled", "--listen-addr=unix:/x",
		"--server-addr=unix:/x", NULL };

	write_file("", 0);
	ck_assert_ptr_null(load_args(CONF_PROG_SMTP, 6, argv));
	ck_assert_str_eq(said, "E --server-addr: server_addr: unix:/x is this agent's own listener, "
		"mail would loop\n");
	ck_assert_ptr_null(load_args(CONF_PROG_SMTP, 4, argv));
	ck_assert_int_eq(strncmp(said, "E --agent-enabled: the agent is enabled, but listen_addr",
		55), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf");
	TCase *tc = tcase_create("conf");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, table_is_sound);
	tcase_add_test(tc, every_option_is_there);
	tcase_add_test(tc, defaults);
	tcase_add_loop_test(tc, every_option_is_stored, 0, 3);
	tcase_add_test(tc, some_fields);
	tcase_add_test(tc, forms_of_a_line);
	tcase_add_test(tc, strings);
	tcase_add_test(tc, bools_and_words);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, scores);
	tcase_add_test(tc, agents_inherit_from_global);
	tcase_add_test(tc, actions_follow);
	tcase_add_test(tc, user_section_over_smtp);
	tcase_add_test(tc, user_config_path);
	tcase_add_test(tc, bad_lines);
	tcase_add_test(tc, bad_values);
	tcase_add_test(tc, good_values);
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, all_errors_are_told);
	tcase_add_test(tc, peer_text_is_cleaned);
	tcase_add_test(tc, unknown_sections);
	tcase_add_test(tc, legacy_options);
	tcase_add_test(tc, duplicates);
	tcase_add_test(tc, root_is_warned_of);
	tcase_add_test(tc, what_an_enabled_agent_needs);
	tcase_add_test(tc, own_listener);
	tcase_add_test(tc, engines_need_addresses);
	tcase_add_test(tc, spam_that_nobody_looks_for);
	tcase_add_test(tc, who_may_look);
	tcase_add_test(tc, secrets_of_others);
	tcase_add_test(tc, options_without_effect);
	tcase_add_test(tc, one_quarantine);
	tcase_add_test(tc, quarantine_of_octets);
	tcase_add_test(tc, unreadable_files);
	tcase_add_test(tc, nul_octets);
	tcase_add_test(tc, errors_are_bounded);
	tcase_add_loop_test(tc, random_files, 0, 10);
	tcase_add_test(tc, dump_reads_back);
	tcase_add_test(tc, dump_names_what_is_followed);
	tcase_add_test(tc, origins);
	tcase_add_test(tc, changes);
	tcase_add_test(tc, command_line_wins);
	tcase_add_test(tc, command_line_in_messages);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
