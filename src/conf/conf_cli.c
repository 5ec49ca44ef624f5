/* conf_cli.c - the command line: options of the program's own section.
 *
 * Arguments are read from left to right, as getopt does: the first mistake
 * ends it with one message, and so does -h or -v, which makes what follows it
 * not matter. A value is checked here, so a wrong one is a usage error; it
 * then goes through conf_load like a value of the file, only later. */
#include "conf_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "str.h"

#define NAME_MAX_LEN 64

struct args {
	struct conf_cli *cli;
	struct conf_notes notes;
	unsigned section;        /* CONF_SEC_ bit, 0 for tools */
	int argc, i;             /* i: the argument being read */
	char **argv;
};

unsigned conf_program_section(enum conf_program p)
{
	switch (p) {
	case CONF_PROG_SMTP: return CONF_SEC_SMTP;
	case CONF_PROG_DAEMON: case CONF_PROG_SCAN: return CONF_SEC_GLOBAL;
	case CONF_PROG_WWWI: return CONF_SEC_WWWI;
	case CONF_PROG_TOOL: break;
	}
	return 0;
}

const char *conf_program_name(enum conf_program p)
{
	switch (p) {
	case CONF_PROG_SMTP: return "esets_smtp";
	case CONF_PROG_DAEMON: return "esets_daemon";
	case CONF_PROG_WWWI: return "esets_wwwi";
	case CONF_PROG_SCAN: return "esets_scan";
	case CONF_PROG_TOOL: break;
	}
	return program_invocation_short_name;
}

/* Of a scan's own options all that the daemon obeys; what is done with a
 * verdict is for those who deliver mail. */
static bool is_scan_option(const struct conf_opt *o)
{
	const size_t from = offsetof(struct conf_scan, opts);

	return o->group == CONF_IN_SCAN && strncmp(o->name, "av_", 3) == 0 && o->offset >= from &&
		o->offset < from + sizeof(struct scan_opts) &&
		o->offset != offsetof(struct conf_scan, opts.quarantine);
}

bool conf_program_has(enum conf_program p, const struct conf_opt *o)
{
	if ((o->sections & conf_program_section(p)) == 0)
		return false;
	return p != CONF_PROG_SCAN || is_scan_option(o) ||
		strcmp(o->name, "daemon_sock_path") == 0;
}

/* --- pieces --------------------------------------------------------------- */

static int usage_error(struct args *a, const char *what, const char *why)
{
	char shown[128];

	conf_note(&a->notes, CONF_NOTE_ERROR, str_clean(shown, sizeof(shown), what, strlen(what)),
		"%s", why);
	return -1;
}

/* "--num-thrd" for a row; also what messages and --dump-config call it. */
static void option_text(const struct conf_opt *o, bool negated, char *out, size_t size)
{
	snprintf(out, size, "--%s%s", negated ? "no-" : "", o->name);
	for (char *p = out; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
}

/* A copy without the quotes around it (`--name="a b"` inside a quoted
 * argument, as the specification's examples have them). */
static char *unquoted(const char *s)
{
	size_t n = strlen(s);

	return n >= 2 && s[0] == '"' && s[n - 1] == '"' ? strndup(s + 1, n - 2) : strdup(s);
}

/* The file's name as it holds after the program has gone to /. */
static char *absolute(const char *path)
{
	char *cwd, *out = NULL;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd != NULL && asprintf(&out, "%s%s%s", cwd, cwd[1] == '\0' ? "" : "/", path) < 0)
		out = NULL;
	free(cwd);
	return out;
}

static int add_set(struct args *a, const struct conf_opt *o, bool negated, const char *value)
{
	struct conf_cli *cli = a->cli;
	char where[NAME_MAX_LEN + 8];
	struct conf_set *sets = realloc(cli->sets, (cli->nsets + 1) * sizeof(*sets));

	if (sets == NULL)
		return usage_error(a, o->name, "out of memory");
	cli->sets = sets;
	option_text(o, negated, where, sizeof(where));
	sets[cli->nsets] = (struct conf_set){ .opt = o, .text = strdup(value),
		.where = strdup(where) };
	cli->nsets++;
	if (sets[cli->nsets - 1].text == NULL || sets[cli->nsets - 1].where == NULL)
		return usage_error(a, where, "out of memory");
	return 0;
}

static int set_config(struct args *a, const char *option, const char *value)
{
	if (value[0] == '\0')
		return usage_error(a, option, "the name of the file is empty");
	char *path = absolute(value);
	if (path == NULL)
		return usage_error(a, option, strerror(errno));
	free((char *)a->cli->config_path);
	a->cli->config_path = path; /* -Wanalyzer-malloc-leak: conf_cli_free frees it */
	return 0;
}

/* The flags that are no rows of the table, and whose they are. */
#define OF(p) (1u << CONF_PROG_##p)
#define OF_SERVERS (OF(SMTP) | OF(DAEMON) | OF(WWWI))
static const struct cli_flag { const char *name; size_t offset; unsigned programs; } flags[] = {
	{ "help", offsetof(struct conf_cli, help), ~0u },
	{ "version", offsetof(struct conf_cli, version), ~0u },
	{ "foreground", offsetof(struct conf_cli, foreground), OF_SERVERS },
	{ "check_config", offsetof(struct conf_cli, check_config), OF_SERVERS },
	{ "dump_config", offsetof(struct conf_cli, dump_config), OF_SERVERS },
	{ "status", offsetof(struct conf_cli, status), OF_SERVERS },
	{ "json", offsetof(struct conf_cli, json), OF(SCAN) },
	{ "notable", offsetof(struct conf_cli, notable), OF(SCAN) },
};
#define NFLAGS (sizeof(flags) / sizeof(flags[0]))

static bool has_flag(const struct conf_cli *cli, size_t i)
{
	return (flags[i].programs & 1u << cli->program) != 0;
}

/* The flag of that name, or NULL. */
static bool *find_flag(struct conf_cli *cli, const char *name)
{
	for (size_t i = 0; i < NFLAGS; i++)
		if (has_flag(cli, i) && strcmp(name, flags[i].name) == 0)
			return (bool *)((char *)cli + flags[i].offset);
	return NULL;
}

static bool takes_operands(enum conf_program p)
{
	return p == CONF_PROG_TOOL || p == CONF_PROG_SCAN;
}

/* The option's row; *negated_out: it was named with no_ in front. */
static const struct conf_opt *find_row(const struct args *a, const char *name, bool *negated_out)
{
	const struct conf_opt *o = a->section != 0 ? conf_opt_find(name, a->section) : NULL;

	*negated_out = o == NULL && a->section != 0 && strncmp(name, "no_", 3) == 0;
	if (*negated_out)
		o = conf_opt_find(name + 3, a->section);
	if (o == NULL || !conf_program_has(a->cli->program, o))
		return NULL;
	return *negated_out && o->type != CONF_T_BOOL ? NULL : o;
}

/* The name between "--" and "=" as it stands in the file. False: too long. */
static bool option_name(const char *arg, char name[NAME_MAX_LEN])
{
	if (!str_copy_n(name, NAME_MAX_LEN, arg + 2, strcspn(arg + 2, "=")))
		return false;
	for (char *p = name; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	return true;
}

static bool is_option(const struct args *a, const char *arg)
{
	char name[NAME_MAX_LEN];
	bool negated;

	if (strncmp(arg, "--", 2) != 0 || !option_name(arg, name))
		return false;
	return find_flag(a->cli, name) != NULL || strcmp(name, "config") == 0 ||
		find_row(a, name, &negated) != NULL;
}

static int unknown_option(struct args *a, const char *arg, const char *name)
{
	const char *guess = NULL;
	bool negated = strncmp(name, "no_", 3) == 0;
	char text[NAME_MAX_LEN], why[CONF_WHY];

	for (size_t i = 0; i < NFLAGS; i++)
		if (has_flag(a->cli, i) && conf_is_typo(name, flags[i].name))
			guess = flags[i].name;
	if (guess != NULL)
		negated = false;
	else if (a->section != 0)
		guess = conf_opt_guess(negated ? name + 3 : name, a->section);
	if (guess != NULL && conf_opt_find(guess, a->section) != NULL &&
	    !conf_program_has(a->cli->program, conf_opt_find(guess, a->section)))
		guess = NULL;
	if (guess == NULL || (negated && conf_opt_find(guess, a->section)->type != CONF_T_BOOL))
		return usage_error(a, arg, "unknown option (--help lists them)");
	str_copy(text, sizeof(text), guess);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
	snprintf(why, sizeof(why), "unknown option (is --%s%s meant?)", negated ? "no-" : "", text);
	return usage_error(a, arg, why);
}

/* The value of an option: behind its "=" (if not NULL), or the next argument.
 * One that is an option of this program is not meant as a value. */
static int take_value(struct args *a, const char *option, const char *inlined, char **value_out)
{
	if (inlined == NULL && (a->i + 1 >= a->argc || is_option(a, a->argv[a->i + 1])))
		return usage_error(a, option, "a value is missing");
	const char *s = inlined != NULL ? inlined : a->argv[++a->i];
	size_t n = strlen(s);
	if (s[0] == '"' && (n < 2 || s[n - 1] != '"'))
		return usage_error(a, option, "the quote is not closed");
	*value_out = unquoted(s);
	return *value_out != NULL ? 0 : usage_error(a, option, "out of memory");
}

/* --- options -------------------------------------------------------------- */

static int read_value_option(struct args *a, const struct conf_opt *o, const char *inlined)
{
	char where[NAME_MAX_LEN + 8], why[CONF_WHY], *value;
	int rc = -1;

	option_text(o, false, where, sizeof(where));
	if (take_value(a, where, inlined, &value) < 0)
		return -1;
	if (conf_opt_check(o, value, why, sizeof(why)) < 0)
		usage_error(a, where, why);
	else
		rc = add_set(a, o, false, value);
	free(value);
	return rc;
}

static int read_bool_option(struct args *a, const struct conf_opt *o, bool negated,
	const char *inlined)
{
	char where[NAME_MAX_LEN + 8];

	option_text(o, negated, where, sizeof(where));
	if (inlined != NULL)
		return usage_error(a, where, "takes no value (--NAME is yes, --no-NAME is no)");
	return add_set(a, o, negated, negated ? "no" : "yes");
}

/* name: as in the file, "-" made "_". */
static int read_named(struct args *a, const char *arg, const char *name, const char *inlined)
{
	bool negated, *flag = find_flag(a->cli, name);
	char *value;

	if (flag == &a->cli->status && inlined != NULL) {
		if (strcmp(inlined, "json") != 0)
			return usage_error(a, arg, "takes no value but json");
		a->cli->json = *flag = true;
		return 0;
	}
	if (flag != NULL) {
		if (inlined != NULL)
			return usage_error(a, arg, "takes no value");
		*flag = true;
		return 0;
	}
	if (strcmp(name, "config") == 0) {
		if (take_value(a, "--config", inlined, &value) < 0)
			return -1;
		int rc = set_config(a, "--config", value);
		free(value);
		return rc;
	}
	const struct conf_opt *o = find_row(a, name, &negated);
	if (o == NULL)
		return unknown_option(a, arg, name);
	return o->type == CONF_T_BOOL ? read_bool_option(a, o, negated, inlined) :
		read_value_option(a, o, inlined);
}

static int read_long(struct args *a, const char *arg)
{
	const char *equals = strchr(arg, '=');
	size_t n = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
	char shown[NAME_MAX_LEN + 2], name[NAME_MAX_LEN];

	str_copy_n(shown, sizeof(shown), arg, n);
	if (!option_name(arg, name))
		return usage_error(a, shown, "unknown option (--help lists them)");
	return read_named(a, shown, name, equals != NULL ? equals + 1 : NULL);
}

static int read_short(struct args *a, const char *arg)
{
	char *value;

	if (arg[1] == 'c') {
		if (take_value(a, "-c", arg[2] != '\0' ? arg + 2 : NULL, &value) < 0)
			return -1;
		int rc = set_config(a, "-c", value);
		free(value);
		return rc;
	}
	if ((arg[1] == 'h' || arg[1] == 'v') && arg[2] == '\0') {
		a->cli->help = arg[1] == 'h';
		a->cli->version = arg[1] == 'v';
		return 0;
	}
	return usage_error(a, arg, "unknown option (--help lists them)");
}

static int read_all(struct args *a)
{
	struct conf_cli *cli = a->cli;

	for (a->i = 1; a->i < a->argc && !cli->help && !cli->version; a->i++) {
		const char *arg = a->argv[a->i];
		bool is_end = strcmp(arg, "--") == 0;
		if (is_end || arg[0] != '-' || arg[1] == '\0') {
			a->i += is_end;
			break;
		}
		if ((arg[1] == '-' ? read_long(a, arg) : read_short(a, arg)) < 0)
			return -1;
	}
	cli->optind = a->i;
	if (a->i < a->argc && !takes_operands(cli->program) && !cli->help && !cli->version)
		return usage_error(a, a->argv[a->i], "unexpected argument");
	return 0;
}

int conf_cli_parse(struct conf_cli *cli, enum conf_program program, int argc, char **argv,
	conf_note_fn note, void *arg)
{
	struct args a = { .cli = cli, .notes = { .fn = note, .arg = arg },
		.section = conf_program_section(program), .argc = argc, .argv = argv };

	*cli = (struct conf_cli){ .program = program, .config_path = strdup(CONF_DEFAULT_PATH) };
	if (cli->config_path != NULL && read_all(&a) == 0)
		return 0;
	if (cli->config_path == NULL)
		usage_error(&a, "--config", "out of memory");
	conf_cli_fini(cli);
	return -1;
}

void conf_cli_fini(struct conf_cli *cli)
{
	for (size_t i = 0; i < cli->nsets; i++) {
		free((char *)cli->sets[i].text);
		free((char *)cli->sets[i].where);
	}
	free(cli->sets);
	free((char *)cli->config_path);
	*cli = (struct conf_cli){ .program = cli->program };
}

/* --- --help --------------------------------------------------------------- */

#define HELP_INDENT 8
#define HELP_WIDTH 79

/* Words of text from the given column on, wrapped. */
static void print_wrapped(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		if (column > 0 && column + 1 + n > HELP_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column = (size_t)fprintf(out, "%*s%.*s", HELP_INDENT, "", (int)n, text);
		else
			column += (size_t)fprintf(out, " %.*s", (int)n, text);
		text += n;
		text += *text == ' ';
	}
	fputc('\n', out);
}

static void print_option(const struct conf_opt *o, FILE *out)
{
	char name[NAME_MAX_LEN + 8], range[96] = "", text[512], lo[32], hi[32];
	const char *state = conf_opt_state(o);

	option_text(o, false, name, sizeof(name));
	if (o->type == CONF_T_BOOL)
		fprintf(out, "  --[no-]%s\n", name + 2);
	else
		fprintf(out, "  %s %s\n", name, o->meta);
	if (conf_opt_is_number(o))
		snprintf(range, sizeof(range), "%s%s%s to %s; ", o->unit,
			o->unit[0] != '\0' ? ", " : "", conf_number_text(o, o->min, lo),
			conf_number_text(o, o->max, hi));
	snprintf(text, sizeof(text), "%s (%s%s%s)%s%s%s", o->help, range,
		o->def != NULL ? "default: " : "", conf_opt_default_text(o),
		state != NULL ? " (" : "", state != NULL ? state : "", state != NULL ? ")" : "");
	print_wrapped(out, text);
}

static const char *program_purpose(enum conf_program p)
{
	switch (p) {
	case CONF_PROG_SMTP: return "Filters SMTP traffic for viruses and spam.";
	case CONF_PROG_DAEMON: return "Scans messages for the agents of the suite.";
	case CONF_PROG_WWWI: return "Shows the state of the suite over HTTP.";
	case CONF_PROG_SCAN: return "Scans files, mailboxes and directories; - is standard input.";
	case CONF_PROG_TOOL: break;
	}
	return NULL;
}

static void print_options(enum conf_program p, FILE *out)
{
	for (size_t i = 0; i < conf_nopts; i++)
		if (conf_program_has(p, &conf_opts[i]))
			print_option(&conf_opts[i], out);
}

static void print_flags(enum conf_program p, FILE *out)
{
	if (p == CONF_PROG_SCAN)
		fputs("  --json             one JSON object a line\n"
			"  --notable          tell nothing of what is clean\n", out);
	else
		fputs("  --foreground       stay in the foreground and log to stderr too\n"
			"  --check-config     check the configuration and exit\n"
			"  --dump-config      print the configuration in force and exit\n", out);
	if ((OF_SERVERS & 1u << p) != 0)
		fputs("  --status[=json]    print how the running program does and exit\n", out);
}

void conf_cli_help(const struct conf_cli *cli, FILE *out)
{
	const char *purpose = program_purpose(cli->program);
	unsigned section = conf_program_section(cli->program);

	fprintf(out, "Usage: %s [OPTION]...%s\n", conf_program_name(cli->program),
		cli->program == CONF_PROG_SCAN ? " [--] FILE|DIRECTORY|-..." :
		takes_operands(cli->program) ? " [--] [OPERAND]..." : "");
	if (purpose != NULL)
		fprintf(out, "%s\n", purpose);
	fprintf(out, "\n"
		"  -h, --help         print this text and exit\n"
		"  -v, --version      print the version and exit\n"
		"  -c, --config FILE  read FILE (default: %s)\n", CONF_DEFAULT_PATH);
	if (section == 0)
		return;
	print_flags(cli->program, out);
	fprintf(out,
		"\nOptions of section [%s], each over its value in the file. Numbers take K, M\n"
		"and G (1024-based). esets.cfg(5) says more of each.\n\n",
		conf_section_name(section));
	print_options(cli->program, out);
}
