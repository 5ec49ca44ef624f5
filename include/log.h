/* log.h - the suite's log: classes, syslog, and the context of a line.
 *
 * A line is `class[ID]: text`, where ID is the session (or, in a worker
 * without one, the process) that the calling thread has set; no message
 * spells it out. Peer text goes through str_clean first. With log_format json
 * a line is one object with the members class, id and msg; of a line of pairs
 * (log_pairs) each pair is a member instead of msg, of an event (log_event) beside
 * it. On stderr timestamp and program, which syslog adds by itself, stand first.
 * Thread-safe after log_open; the context is per thread. */
#ifndef ESETS_LOG_H
#define ESETS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The classes of syslog_class: name, syslog priority by default. */
#define LOG_CLASS_LIST(X)                \
	X(ERROR, "error", LOG_ERR)       \
	X(WARNING, "warning", LOG_WARNING) \
	X(SUMM, "summ", LOG_NOTICE)      \
	X(SUMMALL, "summall", LOG_NOTICE) \
	X(PART, "part", LOG_NOTICE)      \
	X(PARTALL, "partall", LOG_NOTICE) \
	X(INFO, "info", LOG_INFO)        \
	X(DEBUG, "debug", LOG_DEBUG)

enum log_class {
#define X(id, name, prio) LC_##id,
	LOG_CLASS_LIST(X)
#undef X
	LC_COUNT
};

struct log_cfg {
	int facility;      /* LOG_DAEMON, ...; -1 = syslog off (syslog_facility none) */
	unsigned classes;  /* bit 1u << LC_x */
	bool to_stderr;    /* --foreground, and until the start is over */
	bool json;         /* log_format json */
};

/* "daemon", "mail", "user", "local0".."local7", "none" -> facility or -1.
 * Returns 0, or -1 for another name. */
int log_facility_parse(const char *name, int *out);
/* "error:warning:summ" -> bits. 0; -1 and the bad item in why (may be cut). */
int log_classes_parse(const char *list, unsigned *out, char *why, unsigned long why_size);

/* Before the first call everything goes to stderr in text. ident must outlive
 * the program. May be called again (reload); not while threads log. */
void log_open(const char *ident, const struct log_cfg *cfg);
/* Opens the syslog connection anew; proc_close_others does this, since that
 * closed the descriptor behind the C library's back. */
void log_reopen(void);
bool log_has_syslog(void);
/* For a process that soon can make no socket: the connection to syslog is opened
 * now, and when it breaks (its daemon was restarted) dial gives another, or -1.
 * Before there are threads. */
void log_dial_by(int (*dial)(void));
/* Is a line of this class written anywhere? Ask before costly formatting. */
bool log_wants(enum log_class c);

/* The id in the brackets for lines of this thread; copied, at most 31 octets.
 * NULL: the process id. */
void log_ctx_set(const char *id);
/* The same for a session, or its message n if that is not 0; put into words
 * only when a line is written, since it is set with every event. */
void log_ctx_set_session(uint64_t id, unsigned n);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One key of a line that programs read: built once, rendered twice. */
enum log_pair_kind {
	LOG_PAIR_BARE,     /* text: key=value    JSON: a string */
	LOG_PAIR_TEXT,     /* text: key="value"  JSON: a string */
	LOG_PAIR_NUMBER,   /* text: key="value"  JSON: a number; null where it is "" */
	LOG_PAIR_PATH,     /* text: key=<value>  JSON: a string */
	LOG_PAIR_COUNT,    /* text: key=value    JSON: a number; null where it is "" */
};
struct log_pair {
	const char *key;        /* not timestamp, program, class, id or msg */
	enum log_pair_kind kind;
	const char *value;      /* as str_clean leaves it; a number as JSON writes it */
};
/* A line of class c, whose priority is the caller's (summary lines: the
 * specification's LOG_WARNING for an action other than accept). */
void log_pairs(enum log_class c, int prio, const struct log_pair *pairs, unsigned n);
/* A line `event key=value ...`; in JSON msg is the event, a word of at most 32
 * octets that needs no escapes. */
void log_event(enum log_class c, const char *event, const struct log_pair *pairs, unsigned n);
/* The two renderers. What does not fit is left out from the first pair on that
 * does not: the rest is whole. JSON: members with commas between, no braces. The
 * length, and a NUL behind it. */
size_t log_pairs_text(char *out, size_t size, const struct log_pair *pairs, unsigned n);
size_t log_pairs_json(char *out, size_t size, const struct log_pair *pairs, unsigned n);

/* One error, repeated without end, must not fill the disk: true at most
 * burst times in a minute for one limit; the first true of a later minute
 * is preceded by a line that says how many were left out. A limit starts as
 * all zeroes and may be shared by threads. */
struct log_limit {
	long long window_start_ms;
	unsigned count;
	unsigned suppressed;
};
bool log_limited(struct log_limit *l, unsigned burst);

/* Logs an error (also to stderr) and leaves with the given status. Only
 * before the first client is served, or in the manager. */
void log_fatal(int status, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

#endif
