/* main.c - esets_smtp: options and the order of the start. */
#include "config.h"

#include <stdio.h>
#include <syslog.h>

#include "conf.h"
#include "log.h"
#include "manager.h"
#include "proc.h"
#include "service.h"
#include "status.h"
#include "supervise.h"

/* Until the configuration says otherwise: errors to stderr and to syslog, but
 * for a mere check, which is nobody else's business. */
static void log_early(const struct conf_cli *cli)
{
	const struct log_cfg cfg = {
		.facility = cli->check_config || cli->dump_config || cli->status ? -1 : LOG_DAEMON,
		.classes = 1u << LC_ERROR | 1u << LC_WARNING | 1u << LC_INFO, .to_stderr = true,
	};

	log_open("esets_smtp", &cfg);
}

static void note(void *arg, enum conf_note kind, const char *text)
{
	const bool *quiet = arg;

	if (kind == CONF_NOTE_ERROR)
		log_error("%s", text);
	else if (kind == CONF_NOTE_WARNING)
		log_warning("%s", text);
	else if (!*quiet)
		log_info("%s", text);
}

/* Who asks how it does is told of errors only. */
static void note_errors(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	if (kind == CONF_NOTE_ERROR)
		log_error("%s", text);
}

static int status(const struct conf_cli *cli)
{
	log_early(cli);
	struct conf *conf = conf_load(cli, note_errors, NULL);
	if (conf == NULL)
		return STATUS_EX_UNKNOWN;
	const struct status_ask ask = { .program = "esets_smtp", .json = cli->json,
		.path = conf->smtp.mod.status_sock_path,
		.daemon_path = conf->global.mod.status_sock_path };
	int rc = (int)status_command(&ask, stdout);
	conf_free(&conf);
	return rc;
}

static int run(const struct conf_cli *cli)
{
	bool quiet = cli->dump_config;
	struct conf *conf;
	int status = 0;

	log_early(cli);
	if (!cli->check_config && !cli->dump_config)
		supervise_block_signals(); /* from here on none ends us half started */
	conf = conf_load(cli, note, &quiet);
	if (conf == NULL)
		return CONF_EX_CONFIG;
	if (cli->dump_config) {
		conf_dump(conf, CONF_PROG_SMTP, stdout);
	} else if (cli->check_config) {
		status = manager_check(cli, conf);
		if (status == 0)
			printf("%s: configuration is in order%s\n", conf->path, conf->smtp.mod.agent_enabled ?
				"" : "; agent_enabled = no: nothing will start");
	} else if (!conf->smtp.mod.agent_enabled) {
		printf("esets_smtp: agent_enabled = no, nothing started\n");
		service_ready("agent_enabled = no, nothing started");
	} else {
		return manager_run(cli, conf); /* takes conf */
	}
	conf_free(&conf);
	return status;
}

int main(int argc, char **argv)
{
	const struct log_cfg on_stderr = { .facility = -1, .classes = ~0u, .to_stderr = true };
	struct conf_cli cli;
	bool quiet = false;
	int rc = 0;

	if (proc_std_open() < 0)
		return 1;
	log_open("esets_smtp", &on_stderr);
	service_init();
	if (conf_cli_parse(&cli, CONF_PROG_SMTP, argc, argv, note, &quiet) < 0)
		return CONF_EX_USAGE;
	if (cli.help)
		conf_cli_help(&cli, stdout);
	else if (cli.version)
		printf("esets_smtp %s\n", PACKAGE_VERSION);
	else
		rc = cli.status ? status(&cli) : run(&cli);
	conf_cli_fini(&cli);
	if (fflush(stdout) != 0 || ferror(stdout))
		return 1;
	return rc;
}
