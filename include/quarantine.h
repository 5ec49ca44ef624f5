/* quarantine.h - esets_daemon's quarantine: the workers' side, and the process that
 * keeps the messages (side_proc.h).
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

#endif
