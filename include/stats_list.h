/* stats_list.h - the table of counters, see stats.h. Rows that are counted by
 * the value of an enum stand together, in its order (asserted where they are
 * counted). */
#ifndef ESETS_STATS_LIST_H
#define ESETS_STATS_LIST_H

/* How many rows of one name there are, where code counts on it. */
#define STATS_ENDS 17u       /* reasons in session.h */
#define STATS_FAILS 6u       /* FAIL_ of session_int.h */
#define STATS_ENGINES 4u     /* rows of engine.c */

#define STATS_ENGINE_ROWS(X, id, who, kind, name, help) \
	X(id, who, kind, name, "engine", "builtin", help) \
	X(id##_CLAMD, who, kind, name, "engine", "clamd", help) \
	X(id##_SPAMD, who, kind, name, "engine", "spamd", help) \
	X(id##_RSPAMD, who, kind, name, "engine", "rspamd", help)

#define STATS_LIST(X) \
/* every program; written by the parent */ \
X(START, E, G, "start_time_seconds", "", "", "unix time of the start") \
X(CONFIG, E, G, "config_time_seconds", "", "", "unix time when the configuration was read") \
X(WORKERS, E, G, "workers", "state", "running", "worker processes") \
X(WORKERS_LEAVING, E, G, "workers", "state", "leaving", "worker processes") \
X(RESTARTS, E, C, "worker_restarts_total", "", "", "workers that died and are replaced") \
X(RELOADS, E, C, "reloads_total", "result", "ok", "reloads of the configuration") \
X(RELOADS_FAILED, E, C, "reloads_total", "result", "failed", "reloads of the configuration") \
X(REFRESHES, D, C, "signature_reloads_total", "result", "ok", \
	"changed signatures that were loaded without a reload") \
X(REFRESHES_FAILED, D, C, "signature_reloads_total", "result", "failed", \
	"changed signatures that were loaded without a reload") \
/* esets_smtp */ \
X(SESSIONS, A, R, "connections_total", "", "", "client connections accepted") \
X(SESSIONS_OPEN, A, G, "sessions_open", "", "", "sessions open now") \
X(SESSIONS_DONE, A, C, "sessions_orderly_total", "", "", "sessions that ended in order") \
X(END_QUIT, A, C, "sessions_total", "reason", "quit", "sessions by how they ended") \
X(END_CLOSED, A, C, "sessions_total", "reason", "client-closed", "sessions by how they ended") \
X(END_CUT, A, C, "sessions_total", "reason", "client-closed-in-message", \
	"sessions by how they ended") \
X(END_RESET, A, C, "sessions_total", "reason", "client-reset", "sessions by how they ended") \
X(END_TIMEOUT, A, C, "sessions_total", "reason", "client-timeout", "sessions by how they ended") \
X(END_BYE, A, C, "sessions_total", "reason", "server-bye", "sessions by how they ended") \
X(END_SERVER_CLOSED, A, C, "sessions_total", "reason", "server-closed", \
	"sessions by how they ended") \
X(END_421, A, C, "sessions_total", "reason", "server-421", "sessions by how they ended") \
X(END_SERVER_TIMEOUT, A, C, "sessions_total", "reason", "server-timeout", \
	"sessions by how they ended") \
X(END_GARBAGE, A, C, "sessions_total", "reason", "server-garbage", "sessions by how they ended") \
X(END_DOWN, A, C, "sessions_total", "reason", "server-unreachable", \
	"sessions by how they ended") \
X(END_STOPPED, A, C, "sessions_total", "reason", "stopped", "sessions by how they ended") \
X(END_MEMORY, A, C, "sessions_total", "reason", "no-memory", "sessions by how they ended") \
X(END_NOT_ALLOWED, A, C, "sessions_total", "reason", "not-allowed", \
	"sessions by how they ended") \
X(END_COMMANDS, A, C, "sessions_total", "reason", "too-many-commands", \
	"sessions by how they ended") \
X(END_CHUNK_SIZE, A, C, "sessions_total", "reason", "bad-chunk-size", \
	"sessions by how they ended") \
X(END_BUSY, A, C, "sessions_total", "reason", "too-many-sessions", \
	"sessions by how they ended") \
X(END_INTERNAL, A, C, "sessions_total", "reason", "internal", "sessions by how they ended") \
X(MSGS, A, R, "messages_received_total", "", "", "messages received to their end") \
X(MSGS_ACCEPTED, A, C, "messages_total", "outcome", "accepted", "messages by what became of them") \
X(MSGS_REJECTED, A, C, "messages_total", "outcome", "rejected", "messages by what became of them") \
X(MSGS_DEFERRED, A, C, "messages_total", "outcome", "deferred", "messages by what became of them") \
X(MSGS_DISCARDED, A, C, "messages_total", "outcome", "discarded", "messages by what became of them") \
X(MSGS_REFUSED, A, C, "messages_total", "outcome", "refused", "messages by what became of them") \
X(MSGS_FAILED, A, C, "messages_total", "outcome", "failed", "messages by what became of them") \
X(MSGS_UNKNOWN, A, C, "messages_total", "outcome", "unknown", "messages by what became of them") \
X(MSGS_ABORTED, A, C, "messages_total", "outcome", "aborted", "messages by what became of them") \
X(FAIL_TOO_BIG, A, C, "messages_not_taken_total", "reason", "too-big", \
	"messages that this proxy could not take") \
X(FAIL_STORAGE, A, C, "messages_not_taken_total", "reason", "storage", \
	"messages that this proxy could not take") \
X(FAIL_LOOP, A, C, "messages_not_taken_total", "reason", "loop", \
	"messages that this proxy could not take") \
X(FAIL_BARE, A, C, "messages_not_taken_total", "reason", "bare-newline", \
	"messages that this proxy could not take") \
X(FAIL_CLEAN, A, C, "messages_not_taken_total", "reason", "not-cleaned", \
	"messages that this proxy could not take") \
X(FAIL_QUARANTINE, A, C, "messages_not_taken_total", "reason", "quarantine", \
	"messages that this proxy could not take") \
X(ACTION_ACCEPT, A, C, "actions_total", "action", "accept", "messages by the policy's decision") \
X(ACTION_DEFER, A, C, "actions_total", "action", "defer", "messages by the policy's decision") \
X(ACTION_DISCARD, A, C, "actions_total", "action", "discard", "messages by the policy's decision") \
X(ACTION_REJECT, A, C, "actions_total", "action", "reject", "messages by the policy's decision") \
/* of the agent messages, of the daemon requests; the most serious first */ \
X(AV_INFECTED, B, C, "av_verdicts_total", "status", "infected", "messages by virus status") \
X(AV_UNAVAILABLE, B, C, "av_verdicts_total", "status", "unavailable", "messages by virus status") \
X(AV_ENCRYPTED, B, C, "av_verdicts_total", "status", "encrypted", "messages by virus status") \
X(AV_OVERLIMIT, B, C, "av_verdicts_total", "status", "overlimit", "messages by virus status") \
X(AV_NOTSCANNED, B, C, "av_verdicts_total", "status", "notscanned", "messages by virus status") \
X(AV_DELETED, B, C, "av_verdicts_total", "status", "deleted", "messages by virus status") \
X(AV_CLEAN, B, C, "av_verdicts_total", "status", "clean", "messages by virus status") \
X(AV_NONE, B, C, "av_verdicts_total", "status", "none", "messages by virus status") \
X(AS_NONE, B, C, "as_verdicts_total", "status", "none", "messages by spam status") \
X(AS_CLEAN, B, C, "as_verdicts_total", "status", "clean", "messages by spam status") \
X(AS_SPAM, B, C, "as_verdicts_total", "status", "spam", "messages by spam status") \
X(AS_NOTSCANNED, B, C, "as_verdicts_total", "status", "notscanned", "messages by spam status") \
X(BYTES_IN, A, R, "message_bytes_total", "", "", "octets of messages as clients sent them") \
X(CLIENT_IN, A, C, "client_received_bytes_total", "", "", "octets received from clients") \
X(CLIENT_OUT, A, C, "client_sent_bytes_total", "", "", "octets sent to clients") \
X(SCANS_WAITING, A, G, "scans", "state", "waiting", "messages at the scanner now") \
X(SCANS_ACTIVE, A, G, "scans", "state", "active", "messages at the scanner now") \
X(SPOOL_MEMORY, A, G, "spool_memory_bytes", "", "", "octets of messages held in memory") \
X(SPOOL_FILES, A, G, "spool_files", "", "", "messages held in files") \
X(SCAN_TIME, A, H, "scan_seconds", "", "", "from the end of a message to its verdict") \
X(SERVER_TIME, A, H, "server_seconds", "", "", "from the decision to the server's reply") \
X(TOTAL_TIME, A, H, "message_seconds", "", "", "from the end of a message to its reply") \
/* esets_daemon */ \
X(REQUESTS, D, R, "requests_total", "result", "answered", "requests by what became of them") \
X(REQUESTS_BROKEN, D, C, "requests_total", "result", "broken", "requests by what became of them") \
X(REQUESTS_DENIED, D, C, "requests_total", "result", "denied", "requests by what became of them") \
X(REQUESTS_GIVEN_UP, D, C, "requests_total", "result", "given-up", \
	"requests by what became of them") \
X(REQUESTS_ACTIVE, D, G, "requests_active", "", "", "requests at work now") \
X(SCAN_BYTES, D, R, "scanned_bytes_total", "", "", "octets of messages that were scanned") \
X(OBJECTS, D, C, "objects_total", "", "", "objects that were looked at") \
X(DAEMON_TIME, D, H, "scan_seconds", "", "", "time at work on a request") \
X(KEPT, D, C, "quarantine_total", "result", "stored", "messages to be kept in quarantine") \
X(KEPT_FAILED, D, C, "quarantine_total", "result", "failed", "messages to be kept in quarantine") \
STATS_ENGINE_ROWS(X, ENGINE_ON, D, G, "engine_enabled", "1: av_engines or as_engines names it") \
STATS_ENGINE_ROWS(X, ENGINE_UP, D, N, "engine_up", "1: it answers") \
STATS_ENGINE_ROWS(X, ENGINE_DATA, D, N, "engine_data_time_seconds", \
	"unix time of its signatures; 0: not known") \
X(ENGINE_SIGS, D, G, "engine_signatures", "engine", "builtin", "signatures loaded") \
STATS_ENGINE_ROWS(X, ENGINE_ASKED, D, C, "engine_scans_total", "objects it was asked about") \
STATS_ENGINE_ROWS(X, ENGINE_ERRORS, D, C, "engine_errors_total", "of these without a verdict") \
/* esets_wwwi */ \
X(HTTP_OK, W, C, "http_requests_total", "code", "200", "requests by how they were answered") \
X(HTTP_WHO, W, C, "http_requests_total", "code", "401", "requests by how they were answered") \
X(HTTP_UNWELL, W, C, "http_requests_total", "code", "503", "requests by how they were answered") \
X(HTTP_OTHER, W, C, "http_requests_total", "code", "other", "requests by how they were answered") \
X(HTTP_CUT, W, C, "http_connections_cut_total", "", "", "connections without a whole request")

#endif
