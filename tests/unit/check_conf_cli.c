/* check_conf_cli.c - command line and --help of the programs. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "conf_int.h"
#include "unit.h"

#define ARGS_MAX 16

static char said[1000];
static unsigned nsaid;

static void note(void *arg, enum conf_note kind, const char *text)
{
	ck_assert_ptr_eq(arg, said);
	ck_assert_int_eq(kind, CONF_NOTE_ERROR);
	snprintf(said, sizeof(said), "%s", text);
	nsaid++;
}

/* args: the arguments, separated by "|". */
static int parse(struct conf_cli *cli, enum conf_program program, const char *args)
{
	static char text[500];
	char *argv[ARGS_MAX + 2] = { NULL }, *p = text;
	static char prog[] = "prog";
	int argc = 1;

	argv[0] = prog;
	snprintf(text, sizeof(text), "%s", args);
	while (args[0] != '\0' && p != NULL) {
		ck_assert_int_lt(argc, ARGS_MAX);
		argv[argc++] = strsep(&p, "|");
	}
	said[0] = '\0';
	nsaid = 0;
	int rc = conf_cli_parse(cli, program, argc, argv, note, said);
	ck_assert_msg((rc < 0) == (nsaid == 1) && nsaid <= 1, "%s: %s", args, said);
	if (rc < 0)
		ck_assert(cli->sets == NULL && cli->config_path == NULL);
	return rc;
}

/* The sets as "name=value;...". */
static const char *sets_text(const struct conf_cli *cli)
{
	static char out[1000];
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < cli->nsets; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s=%s;", cli->sets[i].opt->name,
			cli->sets[i].text);
	return out;
}

START_TEST(options_of_the_section)
{
	static const struct { enum conf_program program; const char *args, *sets; } cases[] = {
		{ CONF_PROG_SMTP, "", "" },
		{ CONF_PROG_SMTP, "--num-thrd|4", "num_thrd=4;" },
		{ CONF_PROG_SMTP, "--num-thrd=4", "num_thrd=4;" },
		{ CONF_PROG_SMTP, "--num_thrd=4", "num_thrd=4;" },
		{ CONF_PROG_SMTP, "--max-message-size|4K", "max_message_size=4K;" },
		{ CONF_PROG_SMTP, "--max-message-size=1g", "max_message_size=1g;" },
		{ CONF_PROG_SMTP, "--add-header-received", "add_header_received=yes;" },
		{ CONF_PROG_SMTP, "--no-add-header-xvirus", "add_header_xvirus=no;" },
		{ CONF_PROG_SMTP, "--no_add_header_xvirus", "add_header_xvirus=no;" },
		{ CONF_PROG_SMTP, "--listen-addr|\"::1, a\"", "listen_addr=::1, a;" },
		{ CONF_PROG_SMTP, "--listen-addr=\"::1\"", "listen_addr=::1;" },
		{ CONF_PROG_SMTP, "--num-thrd=\"4\"", "num_thrd=4;" },
		{ CONF_PROG_SMTP, "--av-eml-subject-prefix=a=b", "av_eml_subject_prefix=a=b;" },
		{ CONF_PROG_SMTP, "--av-eml-subject-prefix=", "av_eml_subject_prefix=;" },
		{ CONF_PROG_SMTP, "--av-eml-subject-prefix|\"\"", "av_eml_subject_prefix=;" },
		{ CONF_PROG_SMTP, "--av-eml-subject-prefix=--help", "av_eml_subject_prefix=--help;" },
		{ CONF_PROG_SMTP, "--av-eml-subject-prefix|--spam--", "av_eml_subject_prefix=--spam--;" },
		{ CONF_PROG_SMTP, "--av-eml-subject-prefix|a\"", "av_eml_subject_prefix=a\";" },
		{ CONF_PROG_SMTP, "--action-av=DEFER|--", "action_av=DEFER;" },
		{ CONF_PROG_SMTP, "--num-proc|1|--agent-enabled|--num-proc=2",
		  "num_proc=1;agent_enabled=yes;num_proc=2;" },
		{ CONF_PROG_DAEMON, "--num-thrd|9|--av-engines=builtin:clamd",
		  "num_thrd=9;av_engines=builtin:clamd;" },
		{ CONF_PROG_WWWI, "--listen-port=8081|--no-agent-enabled",
		  "listen_port=8081;agent_enabled=no;" },
	};
	struct conf_cli cli;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(parse(&cli, cases[i].program, cases[i].args) == 0, "%s", said);
		ck_assert_str_eq(sets_text(&cli), cases[i].sets);
		ck_assert(cli.program == cases[i].program);
		for (size_t k = 0; k < cli.nsets; k++)
			ck_assert((cli.sets[k].opt->sections &
				conf_program_section(cli.program)) != 0);
		conf_cli_fini(&cli);
		conf_cli_fini(&cli);
	}
}
END_TEST

/* Every option of every program in both spellings. */
START_TEST(every_option)
{
	static const enum conf_program programs[] = { CONF_PROG_SMTP, CONF_PROG_DAEMON,
		CONF_PROG_WWWI };
	struct conf_cli cli;
	char arg[200];

	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < conf_nopts; i++) {
			const struct conf_opt *o = &conf_opts[i];
			bool is_bool = o->type == CONF_T_BOOL;
			const char *def = o->def != NULL ? o->def : o->type == CONF_T_U16 ? "25" : "h";
			bool is_own = (o->sections & conf_program_section(programs[k])) != 0;
			if (!is_own && conf_opt_find(o->name, conf_program_section(programs[k])) != NULL)
				continue;
			snprintf(arg, sizeof(arg), is_bool ? "--no-%s" : "--%s=%s", o->name, def);
			int rc = parse(&cli, programs[k], arg);
			ck_assert_msg((rc == 0) == is_own, "%s: %s", arg, said);
			if (rc == 0)
				ck_assert_ptr_eq(cli.sets[0].opt, o);
			conf_cli_fini(&cli);
		}
	}
}
END_TEST

START_TEST(common_options)
{
	struct conf_cli cli;
	char cwd[PATH_MAX], expected[PATH_MAX + 20];

	ck_assert_int_eq(parse(&cli, CONF_PROG_SMTP, ""), 0);
	ck_assert_str_eq(cli.config_path, CONF_DEFAULT_PATH);
	ck_assert(!cli.foreground && !cli.check_config && !cli.dump_config && !cli.help &&
		!cli.version && cli.nsets == 0 && cli.optind == 1);
	conf_cli_fini(&cli);
	ck_assert_int_eq(parse(&cli, CONF_PROG_SMTP,
		"--foreground|--check-config|--dump-config|-c|/x/y"), 0);
	ck_assert(cli.foreground && cli.check_config && cli.dump_config && cli.optind == 6);
	ck_assert_str_eq(cli.config_path, "/x/y");
	conf_cli_fini(&cli);
	ck_assert_int_eq(parse(&cli, CONF_PROG_SMTP, "--status"), 0);
	ck_assert(cli.status && !cli.json);
	conf_cli_fini(&cli);
	ck_assert_int_eq(parse(&cli, CONF_PROG_DAEMON, "--status=json"), 0);
	ck_assert(cli.status && cli.json);
	conf_cli_fini(&cli);
	/* relative to where the program was started: a daemon changes to / */
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s/a/b.cfg", cwd);
	static const char *const forms[] = { "-c|a/b.cfg", "-ca/b.cfg", "--config|a/b.cfg",
		"--config=a/b.cfg", "-c|x|--config=\"a/b.cfg\"" };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		ck_assert_int_eq(parse(&cli, CONF_PROG_DAEMON, forms[i]), 0);
		ck_assert_str_eq(cli.config_path, expected);
		conf_cli_fini(&cli);
	}
}
END_TEST

/* In order: what stands before -h counts, what follows does not. */
START_TEST(help_and_version)
{
	static const struct { const char *args; bool help, version; } cases[] = {
		{ "-h", true, false }, { "--help", true, false }, { "-v", false, true },
		{ "--version", false, true }, { "--help|--nonsense", true, false },
		{ "-v|operand", false, true }, { "-h|-v", true, false },
		{ "--num-proc=2|-h|--num-proc=x", true, false },
	};
	struct conf_cli cli;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int p = CONF_PROG_SMTP; p <= CONF_PROG_TOOL; p++) {
			if (strncmp(cases[i].args, "--num", 5) == 0 && p > CONF_PROG_DAEMON)
				continue; /* no such option there */
			ck_assert_int_eq(parse(&cli, (enum conf_program)p, cases[i].args), 0);
			ck_assert(cli.help == cases[i].help && cli.version == cases[i].version);
			conf_cli_fini(&cli);
		}
	}
	ck_assert_int_eq(parse(&cli, CONF_PROG_SMTP, "--nonsense|--help"), -1);
	ck_assert_int_eq(parse(&cli, CONF_PROG_SMTP, "--num-proc=x|-v"), -1);
}
END_TEST

START_TEST(usage_errors)
{
	static const struct { const char *args, *says; } cases[] = {
		{ "--nonsense", "--nonsense: unknown option (--help lists them)" },
		{ "--nonsense=1", "--nonsense: unknown option (--help lists them)" },
		{ "--av-engines=x", "--av-engines: unknown option (--help lists them)" },
		{ "--no-num-proc", "--no-num-proc: unknown option (--help lists them)" },
		{ "--no-", "--no-: unknown option (--help lists them)" },
		{ "--=x", "--: unknown option (--help lists them)" },
		{ "--Num-proc=1", "--Num-proc: unknown option (is --num-proc meant?)" },
		{ "-x", "-x: unknown option (--help lists them)" },
		{ "-hv", "-hv: unknown option (--help lists them)" },
		{ "-\n", "-\\x0a: unknown option (--help lists them)" },
		{ "--num-proc", "--num-proc: a value is missing" },
		{ "--num_proc", "--num-proc: a value is missing" },
		{ "-c", "-c: a value is missing" },
		{ "-c|--check-config", "-c: a value is missing" },
		{ "--num-thrd|--dump-config", "--num-thrd: a value is missing" },
		{ "--num-thrd|--no-agent-enabled", "--num-thrd: a value is missing" },
		{ "--num-thrd|--num-proc=1", "--num-thrd: a value is missing" },
		{ "--num-thrd|--config", "--num-thrd: a value is missing" },
		{ "--nmu-thrd|4", "--nmu-thrd: unknown option (is --num-thrd meant?)" },
		{ "--nmu-thrd=4", "--nmu-thrd: unknown option (is --num-thrd meant?)" },
		{ "--chek-config", "--chek-config: unknown option (is --check-config meant?)" },
		{ "--no-agent-enable", "--no-agent-enable: unknown option "
		  "(is --no-agent-enabled meant?)" },
		{ "--av-eml-subject-prefix|\"a b", "--av-eml-subject-prefix: the quote is not closed" },
		{ "--av-eml-subject-prefix=\"", "--av-eml-subject-prefix: the quote is not closed" },
		{ "--config", "--config: a value is missing" },
		{ "--config=", "--config: the name of the file is empty" },
		{ "-c|", "-c: the name of the file is empty" },
		{ "--add-header-xvirus=yes",
		  "--add-header-xvirus: takes no value (--NAME is yes, --no-NAME is no)" },
		{ "--no-add-header-xvirus=no",
		  "--no-add-header-xvirus: takes no value (--NAME is yes, --no-NAME is no)" },
		{ "--foreground=yes", "--foreground: takes no value" },
		{ "--status=text", "--status: takes no value but json" },
		{ "--status=", "--status: takes no value but json" },
		{ "--status|json", "json: unexpected argument" },
		{ "--no-status", "--no-status: unknown option (--help lists them)" },
		{ "--help=x", "--help: takes no value" },
		{ "--no-foreground", "--no-foreground: unknown option (--help lists them)" },
		{ "--add-header-xvirus|yes", "yes: unexpected argument" },
		{ "operand", "operand: unexpected argument" },
		{ "", NULL },
		{ "-", "-: unexpected argument" },
		{ "--|--num-proc=1", "--num-proc=1: unexpected argument" },
		{ "--num-proc=0", "--num-proc: 0 is out of range, 1 to 256" },
		{ "--num-proc|x", "--num-proc: \"x\" is not a number (decimal; K, M or G may follow)" },
		{ "--num-proc=", "--num-proc: \"\" is not a number (decimal; K, M or G may follow)" },
		{ "--action-av=no",
		  "--action-av: \"no\" is not one of accept, scan, defer, discard, reject" },
		{ "--spool-dir=x", "--spool-dir: must be an absolute path (it begins with /)" },
		{ "--av-eml-subject-prefix=a\nb",
		  "--av-eml-subject-prefix: holds a control character" },
		{ "--num-proc=1|--num-proc=x|--nonsense",
		  "--num-proc: \"x\" is not a number (decimal; K, M or G may follow)" },
	};
	struct conf_cli cli;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].says == NULL)
			continue;
		ck_assert_msg(parse(&cli, CONF_PROG_SMTP, cases[i].args) == -1, "%s", cases[i].args);
		ck_assert_str_eq(said, cases[i].says);
	}
	/* a name longer than any option */
	ck_assert_int_eq(parse(&cli, CONF_PROG_SMTP, "--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), -1);
}
END_TEST

START_TEST(tools_have_operands)
{
	static const char *const bad[] = { "--foreground", "--num-proc=1", "--agent-enabled",
		"--dump-config", "-x" };
	struct conf_cli cli;

	ck_assert_int_eq(parse(&cli, CONF_PROG_TOOL, "-c|/x|a|-b|--c"), 0);
	ck_assert_int_eq(cli.optind, 3);
	ck_assert_str_eq(cli.config_path, "/x");
	conf_cli_fini(&cli);
	ck_assert_int_eq(parse(&cli, CONF_PROG_TOOL, "--|-v"), 0);
	ck_assert_int_eq(cli.optind, 2);
	ck_assert(!cli.version);
	conf_cli_fini(&cli);
	ck_assert_int_eq(parse(&cli, CONF_PROG_TOOL, "-"), 0);
	ck_assert_int_eq(cli.optind, 1);
	conf_cli_fini(&cli);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(&cli, CONF_PROG_TOOL, bad[i]) == -1, "%s", bad[i]);
}
END_TEST

/* Those options of [global] that a scan obeys, two flags, operands. */
START_TEST(scan_has_options_of_a_scan)
{
	static const char *const bad[] = { "--foreground", "--num-proc=1", "--action-av=accept",
		"--check-config", "--av-quarantine-enabled", "--as-spam-score=1", "--no-json",
		"--av-engines=clamd", "--json=yes", "--av-scan-archive-max-level=x",
		"--av-scan-archive-max-level|--json", "--no-av-scan-timeout", "--action-av-infecte=x" };
	struct conf_cli cli;

	ck_assert_int_eq(parse(&cli, CONF_PROG_SCAN, "--json|--no-av-scan-obj-archives|"
		"--av-scan-archive-max-level|3|--av-scan-timeout=5|--daemon-sock-path=/s|"
		"--av-allow-name=a|-c|/x|-|--notable"), 0);
	ck_assert(cli.json && !cli.notable);
	ck_assert_int_eq(cli.optind, 10);
	ck_assert_uint_eq(cli.nsets, 5);
	conf_cli_fini(&cli);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(&cli, CONF_PROG_SCAN, bad[i]) == -1, "%s", bad[i]);
	ck_assert_int_eq(parse(&cli, CONF_PROG_SMTP, "--json"), -1);
}
END_TEST

static void help_text(enum conf_program program, char *out, size_t size)
{
	struct conf_cli cli;
	FILE *f = fmemopen(out, size, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(parse(&cli, program, "--help"), 0);
	conf_cli_help(&cli, f);
	conf_cli_fini(&cli);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_uint_lt(strlen(out), size - 1);
}

/* Within 80 columns; each option of the section with its default, no other. */
START_TEST(help)
{
	static char out[40000];
	char line[200], name[80], flat[40000];
	enum conf_program program = (enum conf_program)_i;
	unsigned section = conf_program_section(program);

	help_text(program, out, sizeof(out));
	/* But for the built-in path, which is as long as the prefix makes it. */
	for (const char *p = out; *p != '\0'; p += strcspn(p, "\n") + 1)
		ck_assert(strcspn(p, "\n") < 80 || strncmp(p, "  -c, --config", 14) == 0);
	static const char *const common[] = { "-h, --help", "-v, --version", "-c, --config FILE" };
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(strstr(out, common[i]));
	ck_assert((strstr(out, "--foreground") != NULL) == (program < CONF_PROG_TOOL));
	/* the same with each break of a line a blank, to find wrapped text */
	size_t n = 0;
	for (const char *p = out; *p != '\0'; p++)
		if (*p != '\n' && !(*p == ' ' && n > 0 && flat[n - 1] == ' '))
			flat[n++] = *p;
		else if (n > 0 && flat[n - 1] != ' ')
			flat[n++] = ' ';
	flat[n] = '\0';
	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		snprintf(name, sizeof(name), "%s", o->name);
		for (char *p = name; *p != '\0'; p++)
			*p = *p == '_' ? '-' : *p;
		snprintf(line, sizeof(line), o->type == CONF_T_BOOL ? "\n  --[no-]%s\n" : "\n  --%s ",
			name);
		const struct conf_opt *own = conf_opt_find(o->name, section);
		bool is_own = own != NULL && conf_program_has(program, own);
		ck_assert_msg((strstr(out, line) != NULL) == is_own, "%s", name);
		if (!is_own || (o->sections & section) == 0)
			continue;
		snprintf(line, sizeof(line), "%s%s)%s%s%s", o->def == NULL ? "no default" : "default: ",
			o->def == NULL ? "" : conf_opt_default_text(o),
			conf_opt_state(o) != NULL ? " (" : "",
			conf_opt_state(o) != NULL ? conf_opt_state(o) : "",
			conf_opt_state(o) != NULL ? ")" : " ");
		const char *at = strstr(flat, o->help);
		ck_assert_msg(at != NULL && strstr(at, line) != NULL, "%s", name);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_cli");
	TCase *tc = tcase_create("conf_cli");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, options_of_the_section);
	tcase_add_test(tc, every_option);
	tcase_add_test(tc, common_options);
	tcase_add_test(tc, help_and_version);
	tcase_add_test(tc, usage_errors);
	tcase_add_test(tc, tools_have_operands);
	tcase_add_test(tc, scan_has_options_of_a_scan);
	tcase_add_loop_test(tc, help, CONF_PROG_SMTP, CONF_PROG_SCAN + 1);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
