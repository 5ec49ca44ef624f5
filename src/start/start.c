/* start.c - see start.h. */
#include "config.h"

#include "start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "buf.h"
#include "dirs.h"
#include "log.h"
#include "pidfile.h"
#include "service.h"
#include "status.h"
#include "status_sock.h"

#define WHY_SIZE 512
#define NOTES_MAX 65536

/* --- which program it is --------------------------------------------------- */

static const char *name_of(enum conf_program program)
{
	return program == CONF_PROG_DAEMON ? "esets_daemon" :
		program == CONF_PROG_WWWI ? "esets_wwwi" : "esets_smtp";
}

static const char *section_of(enum conf_program program)
{
	return program == CONF_PROG_DAEMON ? "global" :
		program == CONF_PROG_WWWI ? "wwwi" : "smtp";
}

const struct conf_module *start_module(const struct conf *c, enum conf_program program)
{
	return program == CONF_PROG_DAEMON ? &c->global.mod :
		program == CONF_PROG_WWWI ? &c->wwwi.mod : &c->smtp.mod;
}

/* --- the log --------------------------------------------------------------- */

void start_log_early(enum conf_program program, bool to_syslog)
{
	const struct log_cfg cfg = { .facility = to_syslog ? LOG_DAEMON : -1,
		.classes = 1u << LC_ERROR | 1u << LC_WARNING | 1u << LC_INFO, .to_stderr = true };

	log_open(name_of(program), &cfg);
}

void start_log(enum conf_program program, const struct conf *c, bool to_stderr)
{
	const struct conf_module *m = start_module(c, program);
	struct log_cfg cfg = { .to_stderr = to_stderr, .json = m->log_format == CONF_LOG_JSON };
	char why[WHY_SIZE];

	/* conf_load has checked both. */
	if (log_facility_parse(m->syslog_facility, &cfg.facility) < 0)
		cfg.facility = LOG_DAEMON;
	if (log_classes_parse(m->syslog_class, &cfg.classes, why, sizeof why) < 0)
		cfg.classes = 1u << LC_ERROR | 1u << LC_WARNING;
	log_open(name_of(program), &cfg);
}

void start_note(void *arg, enum conf_note kind, const char *text)
{
	const enum conf_note *least = arg;

	if (least != NULL && kind > *least)
		return;
	if (kind == CONF_NOTE_ERROR)
		log_error("%s", text);
	else if (kind == CONF_NOTE_WARNING)
		log_warning("%s", text);
	else
		log_info("%s", text);
}

/* A conf_note_fn: into a buf, grade and text; what finds no room is said at once. */
static void note_keep(void *arg, enum conf_note kind, const char *text)
{
	struct buf *kept = arg;
	const size_t n = strlen(text) + 1;
	unsigned char *room = buf_reserve(kept, n + 1);

	if (room == NULL) {
		start_note(NULL, kind, text);
		return;
	}
	room[0] = (unsigned char)kind;
	memcpy(room + 1, text, n);
	buf_commit(kept, n + 1);
}

struct conf *start_load(const struct conf_cli *cli, enum conf_note least)
{
	struct buf kept = BUF_INIT(NOTES_MAX);
	struct conf *c = conf_load(cli, note_keep, &kept);
	const unsigned char *p;

	if (c != NULL && !cli->check_config && !cli->dump_config)
		start_log(cli->program, c, true);
	while ((p = buf_head(&kept)) != NULL && !buf_is_empty(&kept)) {
		const char *text = (const char *)p + 1;
		start_note(&least, (enum conf_note)p[0], text);
		buf_consume(&kept, strlen(text) + 2);
	}
	buf_fini(&kept);
	return c;
}

/* --- main ------------------------------------------------------------------ */

/* Who asks how it does is told of errors only. The agent tells of its scanner too. */
static int status(const struct conf_cli *cli)
{
	enum conf_note least = CONF_NOTE_ERROR;

	start_log_early(cli->program, false);
	struct conf *c = conf_load(cli, start_note, &least);
	if (c == NULL)
		return STATUS_EX_UNKNOWN;
	const struct status_ask ask = { .program = name_of(cli->program), .json = cli->json,
		.path = start_module(c, cli->program)->status_sock_path,
		.daemon_path = cli->program == CONF_PROG_SMTP ? c->global.mod.status_sock_path : NULL };
	int rc = (int)status_command(&ask, stdout);
	conf_free(&c);
	return rc;
}

int start_main(enum conf_program program, int (*run)(const struct conf_cli *cli), int argc,
	char **argv)
{
	struct conf_cli cli;
	int rc = 0;

	if (proc_std_open() < 0)
		return 1;
	start_log_early(program, false);
	service_init();
	if (conf_cli_parse(&cli, program, argc, argv, start_note, NULL) < 0)
		return CONF_EX_USAGE;
	if (cli.help)
		conf_cli_help(&cli, stdout);
	else if (cli.version)
		printf("%s %s\n", name_of(program), PACKAGE_VERSION);
	else
		rc = cli.status ? status(&cli) : run(&cli);
	conf_cli_fini(&cli);
	return fflush(stdout) != 0 || ferror(stdout) ? 1 : rc;
}

void start_say_in_order(enum conf_program program, const struct conf *c)
{
	const bool starts = program == CONF_PROG_DAEMON || start_module(c, program)->agent_enabled;

	printf("%s: configuration is in order%s\n", c->path, starts ? "" :
		"; agent_enabled = no: nothing will start");
}

bool start_is_enabled(enum conf_program program, const struct conf *c)
{
	static const char no[] = "agent_enabled = no, nothing started";

	if (start_module(c, program)->agent_enabled)
		return true;
	printf("%s: %s\n", name_of(program), no);
	service_ready("%s", no);
	return false;
}

/* --- settings -------------------------------------------------------------- */

int start_fail(enum conf_program program, const struct conf *c, const char *option,
	const char *why)
{
	const char *origin = conf_origin(c, section_of(program), option);

	if (strcmp(origin, "default") == 0)
		log_error("%s: %s", option, why);
	else
		log_error("%s: %s: %s", origin, option, why);
	return CONF_EX_CONFIG;
}

void start_path_why(char *out, size_t size, const char *path, int error,
	const struct proc_identity *id)
{
	bool is_theirs = error == EACCES && id->drop;

	snprintf(out, size, "%s: %s%s%s", path, strerror(error), is_theirs ? " for user " : "",
		is_theirs ? id->user : "");
}

int start_status_of(int error)
{
	static const int passing[] = { ENOSPC, EDQUOT, EROFS, EIO, ENOMEM, ENOBUFS, EMFILE, ENFILE,
		EAGAIN, EINTR, EADDRINUSE, EADDRNOTAVAIL };

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
		if (error == passing[i])
			return 1;
	}
	return CONF_EX_CONFIG;
}

void start_say_fixed(const char *option, const char *was, const char *is)
{
	if (strcmp(was, is) != 0)
		log_warning("%s: a change takes effect after a restart only", option);
}

void start_say_fixed_module(const struct conf_module *was, const struct conf_module *is)
{
	start_say_fixed("pid_file", was->pid_file, is->pid_file);
	start_say_fixed("user", was->user, is->user);
	start_say_fixed("group", was->group, is->group);
	start_say_fixed("status_sock_path", was->status_sock_path, is->status_sock_path);
}

/* --- what a start takes ---------------------------------------------------- */

int start_identity(enum conf_program program, const struct conf *c, struct proc_identity *out)
{
	const struct conf_module *m = start_module(c, program);
	char why[WHY_SIZE];

	if (proc_identity_get(m->user, m->group, out, why, sizeof why) == 0)
		return 0;
	/* The text begins with the option's name. */
	const char *option = strncmp(why, "group: ", 7) == 0 ? "group" : "user";
	return start_fail(program, c, option, why + strlen(option) + 2);
}

bool start_wants_pid_file(const struct conf_cli *cli, const struct conf *c)
{
	return !cli->foreground || start_module(c, cli->program)->pid_file_is_set;
}

int start_pid_file(const struct conf_cli *cli, const struct conf *c,
	const struct proc_identity *id)
{
	const char *path = start_module(c, cli->program)->pid_file;
	pid_t other = 0;

	if (!start_wants_pid_file(cli, c) || pidfile_open(path, id, &other) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -1;
	log_error("%s: already running as process %ld", path, (long)other);
	return START_EX_RUNNING;
}

void start_status(const struct conf_cli *cli, const struct conf *c,
	const struct proc_identity *id, struct unix_sock *out)
{
	const struct conf_module *m = start_module(c, cli->program);

	if ((!cli->foreground || service_is_told() || m->status_sock_is_set) &&
	    status_sock_open(out, m->status_sock_path, id) < 0)
		log_warning("status_sock_path: %s: %s; --status will not tell anything",
			m->status_sock_path, errno == EADDRINUSE ?
			"another program answers there" : strerror(errno));
}

void start_try_status(const struct conf_cli *cli, const struct conf *c)
{
	const struct conf_module *m = start_module(c, cli->program);

	if (m->status_sock_is_set && dirs_try_file(m->status_sock_path, S_IFSOCK, true) < 0)
		log_warning("%s: status_sock_path: %s: %s", conf_origin(c, section_of(cli->program),
			"status_sock_path"), m->status_sock_path, strerror(errno));
}
