/* worker.h - one worker process: threads, event loops, session pairs. */
#ifndef ESETS_WORKER_H
#define ESETS_WORKER_H

#include "listen.h"

struct clients;
struct conf;

/* All that a worker gets from the manager. */
struct worker_inherit {
	const struct conf *conf;
	const struct listen_set *listen;
	const struct server_table *servers;
	struct clients *clients;   /* sessions per client address */
	unsigned slot;             /* for the counters */
};

/* How many sessions, about, a worker lets in that may have so many descriptors. */
unsigned long worker_sessions(unsigned long files, unsigned threads);

/* Runs the worker until SIGTERM (sessions with a complete message finish
 * within timeout_stop, all others get 421) or SIGUSR2 (no new sessions, leave
 * when the last has gone, or on SIGTERM). Both are blocked on entry. Returns
 * the exit status. */
int worker_run(const struct worker_inherit *in);

#endif
