/* conf.h - the configuration as everybody but conf*.c sees it: constant.
 *
 * Read once at start and once a reload; a struct conf never changes after
 * conf_load and is freed whole. Every option is one row of the table in
 * conf_table.c, which the parser, the command line, --help, --dump-config and
 * the test of the manual page draw from. Options of issues to come are read,
 * checked and kept here from the start. */
#ifndef ESETS_CONF_H
#define ESETS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy.h"
#include "scan_opts.h"

#define CONF_EX_USAGE 64   /* EX_USAGE: command line */
#define CONF_EX_CONFIG 78  /* EX_CONFIG: file, or a value in it */

enum conf_bare_newline { CONF_BARE_NORMALIZE, CONF_BARE_REJECT, CONF_BARE_PASS };
enum conf_chunking { CONF_CHUNKING_NO, CONF_CHUNKING_YES, CONF_CHUNKING_ALWAYS };
enum conf_ehlo_unknown { CONF_EHLO_PASS, CONF_EHLO_HIDE };
enum conf_proxy { CONF_PROXY_NO, CONF_PROXY_V1, CONF_PROXY_V2 };
enum conf_recipients { CONF_RCPT_FIRST, CONF_RCPT_DEFER, CONF_RCPT_STRICTEST };
enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_JSON };

/* Module common options of one section, after inheritance from [global]. */
struct conf_module {
	bool agent_enabled;
	const char *syslog_facility;
	const char *syslog_class;
	const char *user_config;       /* absolute, "" none */
	const char *user, *group;
	const char *pid_file;          /* default filled in */
	bool pid_file_is_set;          /* explicitly */
	const char *status_sock_path;
	bool status_sock_is_set;
	enum conf_log_format log_format;
};

/* Scanner common options of one section, after inheritance. */
struct conf_scan {
	struct policy_actions actions;   /* follows-rules already resolved */
	struct scan_opts opts;
	const char *quarantine_dir;
	bool av_header, as_header;       /* *_eml_header_modification */
	const char *av_subject_prefix, *as_subject_prefix;
};

struct conf_smtp {
	struct conf_module mod;
	struct conf_scan scan;
	uint32_t num_proc, num_thrd;
	const char *listen_addr, *server_addr;   /* comma lists, as written; "" unset */
	uint16_t listen_port, server_port;       /* 0 unset */
	bool add_header_xvirus, add_header_received;
	bool policy_dry_run;
	uint32_t timeout_client, timeout_banner, timeout_server, timeout_data,
		timeout_stop, timeout_drain;     /* seconds */
	uint32_t max_received;
	uint32_t max_sessions, max_sessions_per_client, max_commands;
	uint64_t max_message_size;               /* octets, 0 the server's */
	const char *spool_dir;
	uint64_t spool_message_memory, spool_memory_max, spool_min_free;
	enum conf_bare_newline bare_newline;
	enum conf_chunking chunking;
	const char *trusted_networks, *client_networks, *debug_clients;   /* comma lists */
	enum conf_ehlo_unknown ehlo_unknown;
	const char *listen_proxy_protocol;       /* networks, "" none */
	enum conf_proxy server_proxy_protocol;
	bool server_xclient;
	enum conf_recipients user_config_recipients;
	const char *daemon_sock_path;            /* [global]'s, for convenience */
};

struct conf_global {                             /* esets_daemon's own */
	struct conf_module mod;
	struct conf_scan scan;
	uint32_t num_proc, num_thrd;
	const char *daemon_sock_path, *daemon_allowed_users;
	const char *av_engines, *av_signature_dir;
	const char *clamd_addr;
	uint64_t clamd_max_size;
	uint32_t engine_timeout_connect, engine_timeout_read, engine_max_scans;
	const char *as_engines, *spamd_addr, *rspamd_url;
	const char *exec_script;
	uint32_t exec_script_rate;
	uint64_t av_quarantine_max_size;
	uint32_t av_quarantine_max_days;
	uint32_t timeout_stop, timeout_drain;
};

#define CONF_LOGIN_MAX 500u       /* octets of username and password */

struct conf_wwwi {
	struct conf_module mod;
	const char *listen_addr, *username;
	const char *password;         /* x, as many as it has octets, but in esets_wwwi */
	uint16_t listen_port;
	bool release;                 /* of messages in quarantine, from the page */
};

struct conf {
	const char *path;             /* absolute path of the file, "" none */
	struct conf_global global;
	struct conf_smtp smtp;
	struct conf_wwwi wwwi;
	struct conf_priv *priv;       /* memory of all of it; conf.c's */
};

enum conf_program { CONF_PROG_SMTP, CONF_PROG_DAEMON, CONF_PROG_WWWI, CONF_PROG_TOOL,
	CONF_PROG_SCAN };

/* What the command line said, for one program. */
struct conf_cli {
	enum conf_program program;
	const char *config_path;      /* -c, or the built-in default */
	bool foreground, check_config, dump_config, help, version;
	bool status;                  /* CONF_PROG_SMTP, _DAEMON */
	bool json, notable;           /* CONF_PROG_SCAN; json with status too */
	struct conf_set *sets;        /* options given; conf_cli.c's */
	size_t nsets;
	int optind;                   /* first operand */
};

/* Says something about the configuration: an error, or a warning or remark
 * to be logged. line 0: not from a line of the file. */
enum conf_note { CONF_NOTE_ERROR, CONF_NOTE_WARNING, CONF_NOTE_INFO };
typedef void (*conf_note_fn)(void *arg, enum conf_note kind, const char *text);

/* Reads argv. Accepts --name value, --name=value, --bool, --no-bool for the
 * options of the program's own section, and the common ones: -c/--config,
 * --foreground, --check-config, --dump-config, -h/--help, -v/--version.
 * 0; -1 after note(ERROR) with one line. Operands are an error but for
 * CONF_PROG_TOOL, which has -c, -h and -v only and stops at the first operand,
 * and CONF_PROG_SCAN, which has --json, --notable and those options of [global]
 * too that matter for a scan.
 * Arguments are read in order: the first mistake ends it, and so does -h or
 * -v, behind which nothing is looked at. The path of the file is made
 * absolute. A wrong value is an error here (usage). On -1 nothing is left to
 * free. */
int conf_cli_parse(struct conf_cli *cli, enum conf_program program, int argc, char **argv,
	conf_note_fn note, void *arg);
void conf_cli_fini(struct conf_cli *cli);
/* --help: synopsis, commands, options with type, default and help, <= 80 columns. */
void conf_cli_help(const struct conf_cli *cli, FILE *out);

/* Reads cli->config_path, applies the command line, checks everything that
 * needs no socket: types, bounds, values of lists, what must be set while the
 * agent is enabled, server_addr that is our own listener (as written).
 * Errors come as "FILE:LINE: what is wrong", or "--option: what"; all are
 * reported, not only the first. The result, or NULL. */
struct conf *conf_load(const struct conf_cli *cli, conf_note_fn note, void *arg);
void conf_free(struct conf **c);
/* --dump-config: every option of the program with the value in force and
 * where it comes from ("default", FILE:LINE, "command line"), readable as a
 * configuration file again. Passwords are left out. */
void conf_dump(const struct conf *c, enum conf_program program, FILE *out);
/* Says (CONF_NOTE_INFO), a line each, which options of the program have another
 * value now: "[smtp] num_proc = 2 (was 1)"; passwords are left out. Returns how
 * many. Both must be that program's. */
unsigned conf_changes(const struct conf *was, const struct conf *is, enum conf_program program,
	conf_note_fn note, void *arg);
/* Where an option got its value: "FILE:LINE", "--option", "default"; for
 * errors that show up later (an address that does not resolve). */
const char *conf_origin(const struct conf *c, const char *section, const char *name);

/* Settings that hold for one recipient and sender: those of the first user
 * section that matches, else of the agent's own. */
struct conf_settings {
	const struct conf_scan *scan;    /* one pointer for all with equal values */
	const char *section;             /* its name; "smtp" the agent's */
};
/* Addresses as SMTP has them between < and >; length 0: none. Both strings
 * live as long as c. */
struct conf_settings conf_settings_for(const struct conf *c, const char *rcpt, size_t rcpt_len,
	const char *sndr, size_t sndr_len);
/* Are there user sections at all? */
bool conf_has_users(const struct conf *c);

#endif
