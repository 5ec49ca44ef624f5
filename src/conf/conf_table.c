/* conf_table.c - the option table: one row for each option of esets.cfg.
 *
 * Parser, command line, --help, --dump-config and the test that compares
 * man/esets.cfg.5 and etc/esets.cfg with the program all read these rows, so
 * an option is added here and nowhere else. A default is written as in the
 * file and goes through the same parser as a configured value. A row that
 * belongs to [global] and to an agent's section is inherited by the agent;
 * where sections need different defaults, or keep their values apart, the name
 * has a row for each. What an issue to come will give a meaning has the flag
 * CONF_NOT_YET.
 * Pure: no file, no clock, no log. */
#include "conf_int.h"

#include <assert.h>
#include <string.h>

#include "str.h"

#define FIELD(s, f) .offset = offsetof(struct s, f), .size = sizeof(((struct s *)0)->f)
#define MODULE(f) .sections = CONF_SEC_MODULE, .group = CONF_IN_MODULE, \
	FIELD(conf_module, f)
#define MODULE_OF(sec, f) .sections = (sec), .group = CONF_IN_MODULE, FIELD(conf_module, f)
#define SCAN(f) .sections = CONF_SEC_SCAN, .group = CONF_IN_SCAN, \
	FIELD(conf_scan, f)
#define GLOBAL(f) .sections = CONF_SEC_GLOBAL, .group = CONF_IN_GLOBAL, FIELD(conf_global, f)
#define SMTP(f) .sections = CONF_SEC_SMTP, .group = CONF_IN_SMTP, FIELD(conf_smtp, f)
#define SPOOL(f) .sections = CONF_SEC_GLOBAL | CONF_SEC_SMTP, .group = CONF_IN_SMTP, \
	FIELD(conf_smtp, f)
#define WWWI(f) .sections = CONF_SEC_WWWI, .group = CONF_IN_WWWI, FIELD(conf_wwwi, f)

#define BOOL(d) .type = CONF_T_BOOL, .def = (d), .meta = "", .unit = ""
#define NUM(t, d, lo, hi, u) .type = (t), .def = (d), .min = (lo), .max = (hi), .unit = (u), \
	.meta = "N"
#define U16(d, lo, hi) NUM(CONF_T_U16, d, lo, hi, "")
#define U32(d, lo, hi, u) NUM(CONF_T_U32, d, lo, hi, u)
#define SECONDS(d, hi) NUM(CONF_T_U32, d, 1, hi, "seconds")
#define SIZE(d, lo, hi) NUM(CONF_T_U64, d, lo, hi, "octets")
#define WORD(d, w) .type = CONF_T_WORD, .def = (d), .words = (w), .meta = "WORD", .unit = ""
#define TEXT(d, m) .type = CONF_T_STR, .def = (d), .max = 4096, .meta = (m), .unit = ""
#define LIST(d, m, c) TEXT(d, m), .check = (c)
#define PATH(d) .type = CONF_T_PATH, .def = (d), .max = 4095, .meta = "PATH", .unit = ""
#define SOCK(d) .type = CONF_T_PATH, .def = (d), .max = 107, .meta = "PATH", .unit = ""

#define MiB ((uint64_t)1 << 20)
#define TiB ((uint64_t)1 << 40)
#define DAY 86400

static const struct conf_word words_action[] = {
	{ "accept", POLICY_ACCEPT }, { "defer", POLICY_DEFER }, { "discard", POLICY_DISCARD },
	{ "reject", POLICY_REJECT }, { NULL, 0 }
};
static const struct conf_word words_action_scan[] = {
	{ "accept", POLICY_ACCEPT }, { "scan", POLICY_SCAN }, { "defer", POLICY_DEFER },
	{ "discard", POLICY_DISCARD }, { "reject", POLICY_REJECT }, { NULL, 0 }
};
static const struct conf_word words_clean[] = {
	{ "none", SCAN_CLEAN_NONE }, { "standard", SCAN_CLEAN_STANDARD },
	{ "strict", SCAN_CLEAN_STRICT }, { "rigorous", SCAN_CLEAN_RIGOROUS },
	{ "delete", SCAN_CLEAN_DELETE }, { "yes", SCAN_CLEAN_STANDARD },
	{ "no", SCAN_CLEAN_NONE }, { NULL, 0 }
};
static const struct conf_word words_log_format[] = {
	{ "text", CONF_LOG_TEXT }, { "json", CONF_LOG_JSON }, { NULL, 0 }
};
static const struct conf_word words_newline[] = {
	{ "normalize", CONF_BARE_NORMALIZE }, { "reject", CONF_BARE_REJECT },
	{ "pass", CONF_BARE_PASS }, { NULL, 0 }
};
static const struct conf_word words_chunking[] = {
	{ "yes", CONF_CHUNKING_YES }, { "always", CONF_CHUNKING_ALWAYS },
	{ "no", CONF_CHUNKING_NO }, { NULL, 0 }
};
static const struct conf_word words_ehlo[] = {
	{ "pass", CONF_EHLO_PASS }, { "hide", CONF_EHLO_HIDE }, { NULL, 0 }
};
static const struct conf_word words_proxy[] = {
	{ "no", CONF_PROXY_NO }, { "v1", CONF_PROXY_V1 }, { "v2", CONF_PROXY_V2 }, { NULL, 0 }
};
static const struct conf_word words_recipients[] = {
	{ "first", CONF_RCPT_FIRST }, { "defer", CONF_RCPT_DEFER },
	{ "strictest", CONF_RCPT_STRICTEST }, { NULL, 0 }
};

const struct conf_opt conf_opts[] = {
/* --- module common options ------------------------------------------------ */
{ .name = "agent_enabled", MODULE(agent_enabled), BOOL("no"), .flags = CONF_RESTART,
  .help = "whether the agent runs" },
{ .name = "syslog_facility", MODULE(syslog_facility),
  LIST("daemon", "NAME", conf_check_facility), .flags = CONF_NONEMPTY,
  .help = "syslog facility: daemon, mail, user, local0 to local7; none: no syslog" },
{ .name = "syslog_class", MODULE(syslog_class),
  LIST("error:warning:summ:info", "LIST", conf_check_classes),
  .help = "classes that are logged: error, warning, summ, summall, part, partall, info, debug" },
{ .name = "user_config", MODULE(user_config), .type = CONF_T_FILE, .def = "",
  .def_text = "none", .max = 4095, .meta = "FILE", .unit = "",
  .help = "file with sections for users" },
{ .name = "user", MODULE(user), LIST("esets", "NAME", conf_check_user),
  .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "what workers run as when started as root" },
{ .name = "group", MODULE(group), LIST("esets", "NAME", conf_check_user),
  .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "group that workers run as when started as root" },
{ .name = "pid_file", MODULE_OF(CONF_SEC_GLOBAL, pid_file), PATH("/run/esets/esets_daemon.pid"),
  .def_text = "/run/esets/PROGRAM.pid", .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "pid file; with --foreground only if set" },
{ .name = "pid_file", MODULE_OF(CONF_SEC_SMTP, pid_file), PATH("/run/esets/esets_smtp.pid"),
  .def_text = "/run/esets/PROGRAM.pid", .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "pid file; with --foreground only if set" },
{ .name = "pid_file", MODULE_OF(CONF_SEC_WWWI, pid_file), PATH("/run/esets/esets_wwwi.pid"),
  .def_text = "/run/esets/PROGRAM.pid", .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "pid file; with --foreground only if set" },
{ .name = "status_sock_path", MODULE_OF(CONF_SEC_GLOBAL, status_sock_path),
  SOCK("/run/esets/esets_daemon.status"), .def_text = "/run/esets/PROGRAM.status",
  .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "socket that tells the counters; with --foreground only if set" },
{ .name = "status_sock_path", MODULE_OF(CONF_SEC_SMTP, status_sock_path),
  SOCK("/run/esets/esets_smtp.status"), .def_text = "/run/esets/PROGRAM.status",
  .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "socket that tells the counters; with --foreground only if set" },
{ .name = "status_sock_path", MODULE_OF(CONF_SEC_WWWI, status_sock_path),
  SOCK("/run/esets/esets_wwwi.status"), .def_text = "/run/esets/PROGRAM.status",
  .flags = CONF_NONEMPTY | CONF_RESTART,
  .help = "socket that tells the counters; with --foreground only if set" },
{ .name = "log_format", MODULE(log_format), WORD("text", words_log_format),
  .help = "form of the log lines: text, json" },

/* --- scanner common options ------------------------------------------------ */
{ .name = "action_av", SCAN(actions.av), WORD("scan", words_action_scan),
  .help = "virus scan: accept, scan, defer, discard, reject" },
{ .name = "action_av_infected", SCAN(actions.av_infected), WORD("reject", words_action),
  .help = "infected: accept, defer, discard, reject" },
{ .name = "action_av_notscanned", SCAN(actions.av_notscanned), WORD("accept", words_action),
  .help = "could not be scanned: accept, defer, discard, reject" },
{ .name = "action_av_deleted", SCAN(actions.av_deleted), WORD("accept", words_action),
  .help = "infected objects were taken out: accept, defer, discard, reject" },
{ .name = "action_av_encrypted", SCAN(actions.av_encrypted), WORD("accept", words_action),
  .def_text = "as action_av_notscanned",
  .help = "holds an encrypted object: accept, defer, discard, reject" },
{ .name = "action_av_overlimit", SCAN(actions.av_overlimit), WORD("accept", words_action),
  .def_text = "as action_av_notscanned",
  .help = "holds an object beyond a limit: accept, defer, discard, reject" },
{ .name = "action_av_unavailable", SCAN(actions.av_unavailable), WORD("defer", words_action),
  .def_text = "as action_av_notscanned where that is set, else defer",
  .help = "no verdict could be had: accept, defer, discard, reject" },
{ .name = "action_as", SCAN(actions.as), WORD("accept", words_action_scan),
  .help = "spam scan: accept, scan, defer, discard, reject" },
{ .name = "action_as_spam", SCAN(actions.as_spam), WORD("accept", words_action),
  .help = "spam: accept, defer, discard, reject" },
{ .name = "action_as_notscanned", SCAN(actions.as_notscanned), WORD("accept", words_action),
  .help = "could not be scanned for spam: accept, defer, discard, reject" },
{ .name = "av_clean_mode", SCAN(opts.clean_mode), WORD("none", words_clean),
  .help = "take infected objects out: none, standard, strict, rigorous, delete" },
{ .name = "av_scan_obj_files", SCAN(opts.obj_files), BOOL("yes"),
  .help = "scan attached files" },
{ .name = "av_scan_obj_archives", SCAN(opts.obj_archives), BOOL("yes"),
  .help = "scan what archives hold" },
{ .name = "av_scan_obj_emails", SCAN(opts.obj_emails), BOOL("yes"),
  .help = "scan what attached messages hold" },
{ .name = "av_scan_obj_mailbox", SCAN(opts.obj_mailbox), BOOL("yes"),
  .help = "scan what mailboxes hold" },
{ .name = "av_scan_obj_sfx", SCAN(opts.obj_sfx), BOOL("yes"),
  .help = "scan archives behind something else, e.g. self-extracting" },
{ .name = "av_scan_obj_rtp", SCAN(opts.obj_rtp), BOOL("yes"),
  .flags = CONF_NOT_YET, .help = "scan what runtime packers hold" },
{ .name = "av_scan_app_adware", SCAN(opts.app_adware), BOOL("yes"),
  .help = "adware counts as infected" },
{ .name = "av_scan_app_unwanted", SCAN(opts.app_unwanted), BOOL("no"),
  .help = "unwanted applications count as infected" },
{ .name = "av_scan_app_unsafe", SCAN(opts.app_unsafe), BOOL("no"),
  .help = "unsafe applications count as infected" },
{ .name = "av_scan_heur", SCAN(opts.heur), BOOL("yes"),
  .help = "heuristic detections count" },
{ .name = "av_scan_adv_heur", SCAN(opts.adv_heur), BOOL("yes"),
  .help = "detections of advanced heuristics count" },
{ .name = "av_scan_archive_max_level", SCAN(opts.archive_max_level),
  U32("10", 1, 100, "levels"), .help = "objects nested deeper are over the limit" },
{ .name = "av_scan_archive_max_size", SCAN(opts.archive_max_size),
  SIZE("256M", 1, TiB),
  .help = "octets unpacked from one archive" },
{ .name = "av_scan_archive_max_files", SCAN(opts.archive_max_files),
  U32("10000", 1, 10000000, "objects"), .help = "objects in one message" },
{ .name = "av_scan_archive_max_ratio", SCAN(opts.archive_max_ratio),
  U32("1000", 1, 1000000, "times"),
  .help = "unpacked size of an archive to its own" },
{ .name = "av_scan_max_size", SCAN(opts.max_size), SIZE("0", 0, TiB),
  .help = "larger messages are over the limit; 0: no limit" },
{ .name = "av_scan_timeout", SCAN(opts.timeout_s), SECONDS("60", 3600),
  .help = "time for the verdict, waiting included" },
{ .name = "av_scan_ext_exclude", SCAN(opts.ext_exclude), LIST("", "LIST", conf_check_exts),
  .help = "extensions of files that are not scanned" },
{ .name = "av_block_ext", SCAN(opts.block_ext), LIST("", "LIST", conf_check_exts),
  .help = "extensions of files that count as infected" },
{ .name = "av_allow_hash", SCAN(opts.allow_hash), .type = CONF_T_STR, .def = "", .max = 16384,
  .meta = "LIST", .unit = "", .check = conf_check_hashes,
  .help = "SHA-256 of objects that must pass" },
{ .name = "av_allow_name", SCAN(opts.allow_name), LIST("", "LIST", conf_check_masks),
  .help = "signature names, with *, that must pass" },
{ .name = "as_spam_score", SCAN(opts.as_spam_score_milli), .type = CONF_T_MILLI, .def = "",
  .def_text = "the engine's own", .max = 1000000, .meta = "SCORE", .unit = "",
  .help = "score from which a message is spam" },
{ .name = "av_quarantine_enabled", SCAN(opts.quarantine), BOOL("no"),
  .help = "keep a copy of what is infected or spam" },
{ .name = "av_quarantine_dir", SCAN(quarantine_dir), PATH("/var/lib/esets/quarantine"),
  .flags = CONF_NONEMPTY, .help = "where the copies are; [global]'s counts for all" },
{ .name = "av_eml_header_modification", SCAN(av_header), BOOL("no"),
  .help = "add X-EsetResult" },
{ .name = "as_eml_header_modification", SCAN(as_header), BOOL("no"),
  .help = "add X-ESET-AS and X-ESET-Antispam" },
{ .name = "av_eml_subject_prefix", SCAN(av_subject_prefix), .type = CONF_T_STR, .def = "",
  .max = 200, .meta = "TEXT", .unit = "",
  .help = "put before the subject of infected mail" },
{ .name = "as_eml_subject_prefix", SCAN(as_subject_prefix), .type = CONF_T_STR, .def = "",
  .max = 200, .meta = "TEXT", .unit = "",
  .help = "put before the subject of spam" },

/* --- esets_daemon ---------------------------------------------------------- */
{ .name = "num_proc", GLOBAL(num_proc), U32("1", 1, 256, "processes"),
  .help = "scanner processes" },
{ .name = "num_thrd", GLOBAL(num_thrd), U32("4", 1, 256, "threads"),
  .help = "threads in each process; each scans one message at a time" },
{ .name = "daemon_sock_path", GLOBAL(daemon_sock_path), SOCK("/run/esets/esets.sock"),
  .flags = CONF_NONEMPTY | CONF_RESTART, .help = "socket of the scanner daemon" },
{ .name = "daemon_allowed_users", GLOBAL(daemon_allowed_users),
  LIST("root:esets", "LIST", conf_check_users), .flags = CONF_NONEMPTY,
  .help = "who may ask for scans; @name is a group" },
{ .name = "av_engines", GLOBAL(av_engines), LIST("builtin", "LIST", conf_check_av_engines),
  .help = "virus engines in their order: builtin, clamd" },
{ .name = "av_signature_dir", GLOBAL(av_signature_dir), PATH("/var/lib/esets/signatures"),
  .flags = CONF_NONEMPTY, .help = "signature files of the builtin engine" },
{ .name = "clamd_addr", GLOBAL(clamd_addr), LIST("", "LIST", conf_check_engine_addrs),
  .def_text = "none",
  .help = "where clamd listens: /path or host:port, alternatives by comma" },
{ .name = "clamd_max_size", GLOBAL(clamd_max_size), SIZE("100M", 1, TiB),
  .help = "larger objects are over the limit for clamd" },
{ .name = "engine_timeout_connect", GLOBAL(engine_timeout_connect), SECONDS("10", 3600),
  .help = "time to reach an engine" },
{ .name = "engine_timeout_read", GLOBAL(engine_timeout_read), SECONDS("60", 3600),
  .help = "silence of an engine" },
{ .name = "engine_max_scans", GLOBAL(engine_max_scans), U32("0", 0, 65536, "scans"),
  .help = "scans at work at once; 0: num_proc times num_thrd" },
{ .name = "as_engines", GLOBAL(as_engines), LIST("builtin", "LIST", conf_check_as_engines),
  .help = "spam engines in their order: builtin, spamd, rspamd" },
{ .name = "spamd_addr", GLOBAL(spamd_addr), LIST("", "LIST", conf_check_engine_addrs),
  .def_text = "none",
  .help = "where spamd listens: /path or host:port, alternatives by comma" },
{ .name = "rspamd_url", GLOBAL(rspamd_url), LIST("", "URL", conf_check_url),
  .def_text = "none",
  .help = "where rspamd listens: http://host:port" },
{ .name = "exec_script", GLOBAL(exec_script), PATH(""), .def_text = "none",
  .help = "program run when something infected was found" },
{ .name = "exec_script_rate", GLOBAL(exec_script_rate), U32("10", 1, 6000, "a minute"),
  .help = "runs of exec_script at most" },
{ .name = "av_quarantine_max_size", GLOBAL(av_quarantine_max_size), SIZE("1G", 1, 1024 * TiB),
  .help = "size of the whole quarantine; the oldest go first" },
{ .name = "av_quarantine_max_days", GLOBAL(av_quarantine_max_days),
  U32("30", 1, 36500, "days"),
  .help = "age of what is kept" },
{ .name = "timeout_stop", GLOBAL(timeout_stop), SECONDS("30", 3600),
  .help = "time for scans at work when stopping" },
{ .name = "timeout_drain", GLOBAL(timeout_drain), SECONDS("600", DAY),
  .help = "time old workers have after a reload" },

/* --- esets_smtp ------------------------------------------------------------- */
{ .name = "num_proc", SMTP(num_proc), U32("1", 1, 256, "processes"),
  .help = "worker processes" },
{ .name = "num_thrd", SMTP(num_thrd), U32("2", 1, 256, "threads"),
  .help = "threads in each process; each serves many sessions" },
{ .name = "listen_addr", SMTP(listen_addr), LIST(NULL, "LIST", conf_check_endpoints),
  .help = "listen on these names, addresses, unix:/path" },
{ .name = "listen_port", SMTP(listen_port), U16(NULL, 1, 65535),
  .help = "TCP port to listen on" },
{ .name = "server_addr", SMTP(server_addr), LIST(NULL, "LIST", conf_check_endpoints),
  .help = "servers that get the mail: names, addresses, unix:/path" },
{ .name = "server_port", SMTP(server_port), U16(NULL, 1, 65535),
  .help = "TCP port of the server" },
{ .name = "timeout_client", SMTP(timeout_client), SECONDS("30", DAY),
  .help = "silence of the client since the last reply" },
{ .name = "timeout_banner", SMTP(timeout_banner), SECONDS("60", 3600),
  .help = "time for connection and banner of the server" },
{ .name = "timeout_server", SMTP(timeout_server), SECONDS("300", DAY),
  .help = "time for a reply of the server" },
{ .name = "timeout_data", SMTP(timeout_data), SECONDS("3600", DAY),
  .help = "time for the whole content of a message" },
{ .name = "timeout_stop", SMTP(timeout_stop), SECONDS("30", 3600),
  .help = "time for messages in the making when stopping" },
{ .name = "timeout_drain", SMTP(timeout_drain), SECONDS("600", DAY),
  .help = "time old workers have after a reload" },
{ .name = "add_header_xvirus", SMTP(add_header_xvirus), BOOL("yes"),
  .help = "add X-Virus-Scanner to scanned messages" },
{ .name = "add_header_received", SMTP(add_header_received), BOOL("no"),
  .help = "add Received to scanned messages" },
{ .name = "policy_dry_run", SMTP(policy_dry_run), BOOL("no"),
  .help = "log what would happen and accept everything" },
{ .name = "max_received", SMTP(max_received), U32("100", 1, 10000, "lines"),
  .help = "Received lines beyond which a message loops" },
{ .name = "max_sessions", SMTP(max_sessions), U32("10000", 1, 1000000, "sessions"),
  .help = "sessions of the whole agent" },
{ .name = "max_sessions_per_client", SMTP(max_sessions_per_client),
  U32("0", 0, 1000000, "sessions"), .help = "sessions of one address; 0: no limit" },
{ .name = "max_message_size", SMTP(max_message_size), SIZE("0", 0, TiB),
  .help = "size of a message; 0: the server's SIZE" },
{ .name = "max_commands", SMTP(max_commands), U32("0", 0, 1000000, "commands"),
  .help = "commands without a message; 0: no limit" },
{ .name = "spool_dir", SPOOL(spool_dir), PATH("/var/spool/esets"),
  .flags = CONF_NONEMPTY, .help = "directory for messages beyond the memory limits" },
{ .name = "spool_message_memory", SPOOL(spool_message_memory), SIZE("1M", 4096, 1024 * MiB),
  .help = "memory for one message" },
{ .name = "spool_memory_max", SPOOL(spool_memory_max), SIZE("256M", MiB, TiB),
  .help = "memory of one worker for messages" },
{ .name = "spool_min_free", SPOOL(spool_min_free), SIZE("64M", 0, TiB),
  .help = "room that stays free in spool_dir" },
{ .name = "bare_newline", SMTP(bare_newline), WORD("normalize", words_newline),
  .help = "lone CR and LF in messages: normalize, reject, pass" },
{ .name = "chunking", SMTP(chunking), WORD("yes", words_chunking),
  .help = "offer CHUNKING: yes (when the server does), always, no" },
{ .name = "trusted_networks", SMTP(trusted_networks),
  LIST("127.0.0.0/8, ::1", "LIST", conf_check_networks),
  .help = "who may use XFORWARD and XCLIENT" },
{ .name = "client_networks", SMTP(client_networks), LIST("any", "LIST", conf_check_networks),
  .flags = CONF_NONEMPTY, .help = "who may connect" },
{ .name = "debug_clients", SMTP(debug_clients), LIST("", "LIST", conf_check_networks),
  .def_text = "none", .help = "clients whose dialogue is logged" },
{ .name = "ehlo_unknown", SMTP(ehlo_unknown), WORD("pass", words_ehlo),
  .help = "unknown EHLO keywords: pass, hide" },
{ .name = "listen_proxy_protocol", SMTP(listen_proxy_protocol),
  LIST("", "LIST", conf_check_networks), .def_text = "none",
  .help = "networks whose PROXY header is believed" },
{ .name = "server_proxy_protocol", SMTP(server_proxy_protocol), WORD("no", words_proxy),
  .help = "PROXY header to the server: no, v1, v2" },
{ .name = "server_xclient", SMTP(server_xclient), BOOL("no"),
  .help = "tell the server the client by XCLIENT" },
{ .name = "user_config_recipients", SMTP(user_config_recipients),
  WORD("first", words_recipients),
  .help = "whose settings hold for several recipients: first, defer, strictest" },

/* --- esets_wwwi --------------------------------------------------------------- */
{ .name = "listen_addr", WWWI(listen_addr), LIST("127.0.0.1", "ADDR", conf_check_ip),
  .flags = CONF_NONEMPTY, .help = "address to listen on" },
{ .name = "listen_port", WWWI(listen_port), U16("8080", 1, 65535),
  .help = "TCP port to listen on" },
{ .name = "username", WWWI(username), TEXT("", "NAME"),
  .help = "name to log in with" },
{ .name = "password", WWWI(password), TEXT("", "TEXT"), .flags = CONF_SECRET,
  .help = "password to log in with" },
{ .name = "release", WWWI(release), BOOL("no"),
  .help = "release messages from the page" },

/* --- sections of users ---------------------------------------------------------- */
{ .name = "parent_id", .sections = CONF_SEC_USER, .group = CONF_IN_NONE,
  TEXT("", "NAME"), .def_text = "none", .help = "section that this one inherits" },
};
const size_t conf_nopts = sizeof(conf_opts) / sizeof(conf_opts[0]);
_Static_assert(sizeof(conf_opts) / sizeof(conf_opts[0]) <= CONF_OPTS_MAX, "CONF_OPTS_MAX");

const struct conf_opt *conf_opt_find(const char *name, unsigned section)
{
	for (size_t i = 0; i < conf_nopts; i++)
		if ((conf_opts[i].sections & section) != 0 && strcmp(conf_opts[i].name, name) == 0)
			return &conf_opts[i];
	return NULL;
}

unsigned conf_opt_sections(const char *name)
{
	unsigned sections = 0;

	for (size_t i = 0; i < conf_nopts; i++)
		if (strcmp(conf_opts[i].name, name) == 0)
			sections |= conf_opts[i].sections;
	return sections;
}

bool conf_is_typo(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);

	while (*a != '\0' && *a == *b)
		a++, b++, la--, lb--;
	if (la == lb) {
		if (la == 0)
			return false;
		return str_ieq(a, b) || str_ieq(a + 1, b + 1) ||
			(la > 1 && a[0] == b[1] && a[1] == b[0] && str_ieq(a + 2, b + 2));
	}
	if (la == lb + 1)
		return str_ieq(a + 1, b);
	return lb == la + 1 && str_ieq(a, b + 1);
}

const char *conf_opt_guess(const char *name, unsigned section)
{
	for (size_t i = 0; i < conf_nopts; i++)
		if ((conf_opts[i].sections & section) != 0 && conf_is_typo(name, conf_opts[i].name))
			return conf_opts[i].name;
	return NULL;
}

bool conf_opt_is_legacy(const char *name)
{
	static const char *const prefixes[] = { "av_update_", "license_", "samples_", "racl_",
		"av_mirror_", "as_update_" };
	static const char *const names[] = { "scheduler_tasks", "privileged_users",
		"as_rbl_service", "av_exclude" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

const char *conf_section_name(unsigned section)
{
	switch (section) {
	case CONF_SEC_GLOBAL: return "global";
	case CONF_SEC_SMTP: return "smtp";
	case CONF_SEC_WWWI: return "wwwi";
	default: return "user section";
	}
}

const char *conf_sections_text(unsigned sections, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned bit = CONF_SEC_GLOBAL; bit <= CONF_SEC_USER; bit <<= 1) {
		if ((sections & bit) == 0 || n >= size)
			continue;
		int w = bit == CONF_SEC_USER ?
			snprintf(out + n, size - n, "%sa user section", n > 0 ? ", " : "") :
			snprintf(out + n, size - n, "%s[%s]", n > 0 ? ", " : "",
				conf_section_name(bit));
		n += w > 0 ? (size_t)w : 0;
	}
	return out;
}

const char *conf_number_text(const struct conf_opt *o, uint64_t n, char out[32])
{
	static const char units[] = "KMG";
	int unit = -1;

	while (o->type == CONF_T_U64 && n != 0 && n % 1024 == 0 && unit < 2) {
		n /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, 32, "%llu", (unsigned long long)n);
	else
		snprintf(out, 32, "%llu%c", (unsigned long long)n, units[unit]);
	return out;
}

const char *conf_opt_default_text(const struct conf_opt *o)
{
	if (o->def_text != NULL)
		return o->def_text;
	if (o->def == NULL)
		return "no default";
	return o->def[0] == '\0' ? "empty" : o->def;
}

/* --- values -------------------------------------------------------------------- */

/* A value between parsing and storing; which member counts is the type's. */
struct parsed {
	bool b;
	uint64_t n;
	int word;
};

static int parse_number(const struct conf_opt *o, const char *s, struct parsed *p,
	char *why, size_t size)
{
	char shown[64], lo[32], hi[32];
	size_t digits = strspn(s, "0123456789");
	bool is_number = digits > 0 &&
		(s[digits] == '\0' ||
		 (strchr("kKmMgG", s[digits]) != NULL && s[digits + 1] == '\0'));

	str_clean(shown, sizeof(shown), s, strlen(s));
	if (!is_number) {
		snprintf(why, size, "\"%s\" is not a number (decimal; K, M or G may follow)",
			shown);
		return -1;
	}
	if (str_parse_size(s, &p->n) < 0 || p->n < o->min || p->n > o->max) {
		snprintf(why, size, "%s is out of range, %s to %s", shown,
			conf_number_text(o, o->min, lo), conf_number_text(o, o->max, hi));
		return -1;
	}
	return 0;
}

/* "5", "5.25": at most three digits behind the point; "" is 0. */
static int parse_milli(const struct conf_opt *o, const char *s, struct parsed *p,
	char *why, size_t size)
{
	char digits[24], shown[64];
	size_t whole = strspn(s, "0123456789");
	size_t frac = s[whole] == '.' ? strspn(s + whole + 1, "0123456789") : 0;
	bool has_point = s[whole] == '.';

	p->n = 0;
	if (s[0] == '\0')
		return 0;
	str_clean(shown, sizeof(shown), s, strlen(s));
	if (whole == 0 || frac > 3 || (has_point && frac == 0) ||
	    s[whole + has_point + frac] != '\0') {
		snprintf(why, size, "\"%s\" is not a number such as 5 or 5.25", shown);
		return -1;
	}
	snprintf(digits, sizeof(digits), "%.*s%.*s000", whole < 12 ? (int)whole : 12, s,
		(int)frac, s + whole + has_point);
	digits[whole < 12 ? whole + 3 : 15] = '\0';
	if (whole >= 12 || str_parse_u64(digits, &p->n) < 0 || p->n > o->max) {
		snprintf(why, size, "%s is out of range, 0 to %llu", shown,
			(unsigned long long)(o->max / 1000));
		return -1;
	}
	return 0;
}

static int parse_word(const struct conf_opt *o, const char *s, struct parsed *p,
	char *why, size_t size)
{
	char shown[64], list[160] = "";
	size_t n = 0;

	for (const struct conf_word *w = o->words; w->name != NULL; w++) {
		if (str_ieq(s, w->name)) {
			p->word = w->value;
			return 0;
		}
		int k = snprintf(list + n, sizeof(list) - n, "%s%s", n > 0 ? ", " : "", w->name);
		n += k > 0 && (size_t)k < sizeof(list) - n ? (size_t)k : 0;
	}
	str_clean(shown, sizeof(shown), s, strlen(s));
	snprintf(why, size, "\"%s\" is not one of %s", shown, list);
	return -1;
}

static int check_text(const struct conf_opt *o, const char *s, char *why, size_t size)
{
	size_t n = strlen(s);

	if (n == 0) {
		snprintf(why, size, "must not be empty");
		return (o->flags & CONF_NONEMPTY) != 0 ? -1 : 0;
	}
	if (n > o->max) {
		snprintf(why, size, "is longer than %llu octets", (unsigned long long)o->max);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
			snprintf(why, size, "holds a control character");
			return -1;
		}
	}
	if (o->type == CONF_T_PATH && s[0] != '/') {
		snprintf(why, size, "must be an absolute path (it begins with /)");
		return -1;
	}
	return o->check != NULL ? o->check(s, why, size) : 0;
}

static int parse_value(const struct conf_opt *o, const char *s, struct parsed *p,
	char *why, size_t size)
{
	char shown[64];

	switch (o->type) {
	case CONF_T_BOOL:
		if (str_parse_bool(s, &p->b) == 0)
			return 0;
		str_clean(shown, sizeof(shown), s, strlen(s));
		snprintf(why, size, "\"%s\" is not yes or no", shown);
		return -1;
	case CONF_T_U16:
	case CONF_T_U32:
	case CONF_T_U64:
		return parse_number(o, s, p, why, size);
	case CONF_T_MILLI:
		return parse_milli(o, s, p, why, size);
	case CONF_T_WORD:
		return parse_word(o, s, p, why, size);
	case CONF_T_STR:
	case CONF_T_PATH:
	case CONF_T_FILE:
		return check_text(o, s, why, size);
	}
	return -1;
}

int conf_opt_check(const struct conf_opt *o, const char *text, char *why, size_t size)
{
	struct parsed p = { 0 };

	return parse_value(o, text, &p, why, size);
}

bool conf_opt_is_default(const struct conf_opt *o, const char *text)
{
	struct parsed a = { 0 }, b = { 0 };
	char why[CONF_WHY];

	if (o->def == NULL || conf_opt_is_text(o))
		return o->def != NULL && strcmp(text, o->def) == 0;
	return parse_value(o, text, &a, why, sizeof(why)) == 0 &&
		parse_value(o, o->def, &b, why, sizeof(why)) == 0 &&
		a.b == b.b && a.n == b.n && a.word == b.word;
}

static void put(const struct conf_opt *o, void *group, const void *value, size_t size)
{
	assert(size == o->size);
	memcpy((char *)group + o->offset, value, size);
}

void conf_opt_store(const struct conf_opt *o, void *group, const char *text)
{
	const char *s = text != NULL ? text : "";
	struct parsed p = { 0 };
	char why[CONF_WHY];

	if (conf_opt_is_text(o)) {
		put(o, group, &s, sizeof(s));
		return;
	}
	int rc = text != NULL ? parse_value(o, text, &p, why, sizeof(why)) : 0;
	assert(rc == 0); /* it was checked where it was read */
	(void)rc;
	const uint32_t n32 = (uint32_t)p.n;
	const uint16_t n16 = (uint16_t)p.n;
	if (o->type == CONF_T_BOOL)
		put(o, group, &p.b, sizeof(p.b));
	else if (o->type == CONF_T_WORD)
		put(o, group, &p.word, sizeof(p.word));
	else if (o->type == CONF_T_U64)
		put(o, group, &p.n, sizeof(p.n));
	else if (o->type == CONF_T_U16)
		put(o, group, &n16, sizeof(n16));
	else
		put(o, group, &n32, sizeof(n32));
}
