/* quarantine.h - esets_daemon's quarantine: the workers' side, the process that
 * keeps the messages, and the master's hold on that process.
 *
 *     worker --ask: one end of a socket pair per message--> process --> files
 *
 * A worker parses hostile mail, so the process takes nothing from it but a
 * descriptor to copy and bounded text, and makes all names itself. A worker
 * puts its request into a socket pair of its own and hands the other end over:
 * the process never waits for a worker, and a process that dies breaks only
 * the request it was at; those that wait are for its successor. */
#ifndef ESETS_QUARANTINE_H
#define ESETS_QUARANTINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "log.h"
#include "scan_msg.h"

struct conf_global;
struct proc_identity;

/* --- worker ---------------------------------------------------------------- */

/* Asked now and then: is the caller gone? */
typedef bool (*quarantine_cancelled_fn)(void *arg);
/* Has the message (in fd, or inline) kept, if v is of a kind that is, and says
 * so in v. Blocks
 * until deadline_ms (CLOCK_MONOTONIC) at most. */
void quarantine_ask(int ask_fd, const struct scan_request *r, int fd, long long deadline_ms,
	quarantine_cancelled_fn cancelled, void *arg, struct verdict *v);

/* --- the process ------------------------------------------------------------- */

struct quarantine_cfg {
	int serve_fd;
	const char *dir;
	uint64_t max_octets;
	unsigned max_days;
};

/* In the child, identity taken, TERM, USR2, HUP, INT and USR1 blocked. Serves
 * until TERM. The exit status. */
int quarantine_run(const struct quarantine_cfg *cfg);

/* --- master -------------------------------------------------------------------- */

#define QUARANTINE_LEAVING_MAX 4

struct quarantine_proc {
	int ask_fd, serve_fd;   /* of the workers, of the process */
	pid_t pid;              /* 0 none */
	pid_t leaving[QUARANTINE_LEAVING_MAX];
	struct log_limit deaths;
};

#define QUARANTINE_PROC_INIT { .ask_fd = -1, .serve_fd = -1 }

/* Once, before anything is forked. 0, -1 with errno. */
int quarantine_proc_open(struct quarantine_proc *q);
/* Starts the process for this configuration; one that runs is told to leave,
 * which it does after the message it is at. master: pid of the caller. */
void quarantine_proc_start(struct quarantine_proc *q, const struct conf_global *g,
	const struct proc_identity *id, pid_t master);
/* About once a second. True: the process has died and is to be started again. */
bool quarantine_proc_tick(struct quarantine_proc *q);
/* When no worker is left. */
void quarantine_proc_stop(struct quarantine_proc *q);

#endif
