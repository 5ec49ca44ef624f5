/* manager.h - esets_smtp's manager: sockets, workers, signals, reload. */
#ifndef ESETS_MANAGER_H
#define ESETS_MANAGER_H

#include "conf.h"

/* Starts everything that cli and conf ask for and runs until it is told to
 * stop. Takes conf. Returns the exit status; nothing was started where that is
 * CONF_EX_CONFIG. Errors go to the log and, until the start is over, to
 * stderr. */
int manager_run(const struct conf_cli *cli, struct conf *conf);

/* --check-config: what a start would find wrong beyond conf_load, as far as it
 * can be seen without making anything. 0 or CONF_EX_CONFIG, logged. */
int manager_check(const struct conf_cli *cli, struct conf *conf);

#endif
