/* status.h - what --status prints: the counters of a running program, for
 * people and for programs. The forms are pure. */
#ifndef ESETS_STATUS_H
#define ESETS_STATUS_H

#include <stdbool.h>
#include <stdio.h>

#include "buf.h"
#include "stats_view.h"

/* Exit status of --status, as the LSB has it for init scripts; 150 is the first that
 * it leaves to programs. */
enum status_exit {
	STATUS_EX_RUNNING = 0,
	STATUS_EX_NOT_RUNNING = 3,
	STATUS_EX_UNKNOWN = 4,     /* not for this user, no answer, no configuration */
	STATUS_EX_NO_DAEMON = 150  /* it runs, but the daemon that it was to tell of does not */
};

struct status_now {
	long long mono_ms;         /* CLOCK_MONOTONIC */
	long long wall_s;          /* unix time */
};

#define STATUS_SIZE_MAX ((size_t)4 << 20)

/* Lines of at most 80 columns. Append; 0, -1 no room or no memory. */
int status_text(struct buf *out, const struct stats_view *v, const struct status_now *now);
/* Only what the agent's lines end with: how the daemon and its engines do. */
int status_text_engines(struct buf *out, const struct stats_view *v,
	const struct status_now *now);
/* One object, a counter a line: names and labels as in the table. */
int status_json(struct buf *out, const struct stats_view *v, const struct status_now *now);

struct status_ask {
	const char *program;       /* "esets_smtp" */
	const char *path;          /* its status_sock_path */
	const char *daemon_path;   /* text: the daemon's, to be told too; NULL none */
	bool json;
};

/* Asks and prints; what stands in the way goes there too. The exit status. */
enum status_exit status_command(const struct status_ask *ask, FILE *out);

#endif
