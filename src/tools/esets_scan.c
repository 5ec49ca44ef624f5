/* esets_scan.c - esets_scan: files, mailboxes and directories through the
 * scanner daemon. Command line and settings are here, the work is in
 * scan_run.c. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "proc.h"
#include "scan_int.h"

static void note(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	if (kind == CONF_NOTE_ERROR)
		fprintf(stderr, "esets_scan: %s\n", text);
}

/* Files are changed only for whoever says so on the command line: the setting
 * of [global] is meant for mail on its way. */
static bool is_cleaning_asked(const struct conf *c)
{
	return c->global.scan.opts.clean_mode != SCAN_CLEAN_NONE &&
		strncmp(conf_origin(c, "global", "av_clean_mode"), "--", 2) == 0;
}

static int scan(const struct conf *c, const struct conf_cli *cli, char *const *operands)
{
	struct scan_opts opts = c->global.scan.opts;
	const bool may_clean = is_cleaning_asked(c);
	const struct scan_run_cfg cfg = { .sock_path = c->global.daemon_sock_path, .opts = &opts,
		.json = cli->json, .notable = cli->notable };
	struct scan_input *in = scan_input_new(operands, opts.max_size, may_clean);

	if (!may_clean)
		opts.clean_mode = SCAN_CLEAN_NONE;
	if (in == NULL) {
		fputs("esets_scan: out of memory\n", stderr);
		return SCAN_EXIT_ERROR;
	}
	int status = scan_run(&cfg, in);
	scan_input_free(&in);
	return status;
}

static int run(const struct conf_cli *cli, int argc, char **argv)
{
	struct conf *c;

	if (cli->help) {
		conf_cli_help(cli, stdout);
		return 0;
	}
	if (cli->version) {
		printf("esets_scan %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (cli->optind >= argc) {
		fputs("esets_scan: nothing to scan: name files or directories, or - for standard input\n",
			stderr);
		return SCAN_EXIT_ERROR;
	}
	c = conf_load(cli, note, NULL);
	if (c == NULL)
		return SCAN_EXIT_ERROR;
	int status = scan(c, cli, argv + cli->optind);
	conf_free(&c);
	return status;
}

int main(int argc, char **argv)
{
	struct conf_cli cli;

	if (proc_std_open() < 0 ||
	    conf_cli_parse(&cli, CONF_PROG_SCAN, argc, argv, note, NULL) < 0)
		return SCAN_EXIT_ERROR;
	int status = run(&cli, argc, argv);
	conf_cli_fini(&cli);
	if (fflush(stdout) != 0 || ferror(stdout))
		return SCAN_EXIT_ERROR;
	return status;
}
