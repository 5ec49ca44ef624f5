/* start.h - what the starts of esets_smtp, esets_daemon and esets_wwwi share:
 * the command line's questions, where the log goes, what is wrong with a setting,
 * identity, pid file and status socket.
 *
 * For the parent process, which has one thread. Says in the log what is wrong
 * and ends nothing: the caller knows what else there is to undo. */
#ifndef ESETS_START_H
#define ESETS_START_H

#include <stdbool.h>

#include "conf.h"
#include "proc.h"
#include "unix_sock.h"

#define START_EX_RUNNING 1     /* another instance has what this one needs */

/* All of main(): the command line, --help, --version and --status are answered
 * here, the rest is run's, whose result is the exit status. */
int start_main(enum conf_program program, int (*run)(const struct conf_cli *cli), int argc,
	char **argv);

/* The module common options of that program. */
const struct conf_module *start_module(const struct conf *c, enum conf_program program);

/* Until the configuration says otherwise: errors to stderr and, but for a mere
 * question, which is nobody else's business, to syslog. */
void start_log_early(enum conf_program program, bool to_syslog);
/* As the configuration says. */
void start_log(enum conf_program program, const struct conf *c, bool to_stderr);

/* A conf_note_fn: logs what is at least as grave as *arg, an enum conf_note;
 * NULL: everything. */
void start_note(void *arg, enum conf_note kind, const char *text);

/* conf_load for a program that starts, or is asked about its configuration. Its
 * remarks, those as grave as least, wait until the log is as the configuration
 * says: its form, too. Where that is wrong, or for a mere question, they go where
 * start_log_early says. NULL: it is not valid. */
struct conf *start_load(const struct conf_cli *cli, enum conf_note least);

/* --check-config has found nothing: says so on stdout. */
void start_say_in_order(enum conf_program program, const struct conf *c);
/* agent_enabled, for programs that have it; if not, stdout and the service
 * manager are told that nothing is started. */
bool start_is_enabled(enum conf_program program, const struct conf *c);

/* A setting is to blame: says where it was made. Returns CONF_EX_CONFIG. */
int start_fail(enum conf_program program, const struct conf *c, const char *option,
	const char *why);
/* "PATH: what was wrong"; with whose rights it was tried, where id's were too few. */
void start_path_why(char *out, size_t size, const char *path, int error,
	const struct proc_identity *id);
/* The exit status of a start that failed with this errno: 1 where it may go well
 * the next time, so that a service manager is to try again (a full disk, a port that
 * somebody has), else CONF_EX_CONFIG. */
int start_status_of(int error);
/* At a reload, of what was fixed at the start: a change waits for a restart. */
void start_say_fixed(const char *option, const char *was, const char *is);
/* The same for the module common options that are fixed. */
void start_say_fixed_module(const struct conf_module *was, const struct conf_module *is);

/* The identity that children take. 0, CONF_EX_CONFIG. */
int start_identity(enum conf_program program, const struct conf *c, struct proc_identity *out);

bool start_wants_pid_file(const struct conf_cli *cli, const struct conf *c);
/* Takes the pid file, where one is wanted. 0; START_EX_RUNNING, which was said;
 * -1 with errno, which was not. */
int start_pid_file(const struct conf_cli *cli, const struct conf *c,
	const struct proc_identity *id);

/* The status socket, where one is wanted: a service runs without it as well, so
 * a failure is a warning. */
void start_status(const struct conf_cli *cli, const struct conf *c,
	const struct proc_identity *id, struct unix_sock *out);
/* --check-config: could it be made? */
void start_try_status(const struct conf_cli *cli, const struct conf *c);

#endif
