/* start_check.h - what would prevent the start of esets_daemon and can be seen
 * without doing it: the same for --check-config, which makes nothing, as for the
 * start. */
#ifndef ESETS_START_CHECK_H
#define ESETS_START_CHECK_H

#include "conf.h"
#include "proc.h"

/* A failure that a setting is to blame for: says where it was made, and ends
 * the program with start_status_of(error), an errno or 0. */
void start_check_fatal(const struct conf *c, const char *name, int error, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));
/* Can the files and directories be used that the settings name? Says what is
 * wrong, all of it with --check-config, else ends the program at the first
 * error. */
bool start_check_paths(const struct conf *c, const struct conf_cli *cli,
	const struct proc_identity *id);
/* The same of what a reload would change; never ends the program. */
bool start_check_reload(const struct conf *c, const struct conf_cli *cli,
	const struct proc_identity *id);
/* Is a copy asked for anywhere? Users' own settings are the agent's to read. */
bool start_check_wants_quarantine(const struct conf *c);

#endif
