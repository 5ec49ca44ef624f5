/* main.c - esets_smtp: options and the order of the start. */
#include <stdio.h>

#include "manager.h"
#include "start.h"
#include "supervise.h"

static int with_conf(const struct conf_cli *cli, struct conf *conf)
{
	int status = 0;

	if (cli->dump_config) {
		conf_dump(conf, CONF_PROG_SMTP, stdout);
	} else if (cli->check_config) {
		status = manager_check(cli, conf);
		if (status == 0)
			start_say_in_order(CONF_PROG_SMTP, conf);
	} else if (start_is_enabled(CONF_PROG_SMTP, conf)) {
		return manager_run(cli, conf); /* takes conf */
	}
	conf_free(&conf);
	return status;
}

static int run(const struct conf_cli *cli)
{
	const bool is_question = cli->check_config || cli->dump_config;

	start_log_early(CONF_PROG_SMTP, !is_question);
	if (!is_question)
		supervise_block_signals(); /* from here on none ends us half started */
	struct conf *conf = start_load(cli,
		cli->dump_config ? CONF_NOTE_WARNING : CONF_NOTE_INFO);
	return conf == NULL ? CONF_EX_CONFIG : with_conf(cli, conf);
}

int main(int argc, char **argv)
{
	return start_main(CONF_PROG_SMTP, run, argc, argv);
}
