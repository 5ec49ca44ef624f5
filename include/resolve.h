/* resolve.h - names of server_addr, resolved by a helper process.
 *
 * getaddrinfo blocks and may take tens of seconds; the manager must answer
 * signals and workers are confined. So a child resolves and writes what it
 * found to a pipe. Single-threaded parent only. */
#ifndef ESETS_RESOLVE_H
#define ESETS_RESOLVE_H

#include <sys/types.h>

#include "net.h"

struct resolve {
	pid_t pid;       /* 0: no helper */
	int fd;          /* its pipe, non-blocking; -1 */
};

#define RESOLVE_INIT { 0, -1 }

struct proc_identity;

/* Starts a helper for the list (see net_resolve); one at a time. It runs with
 * this identity and ends where it cannot take it. 0, -1 errno. */
int resolve_start(struct resolve *r, const char *list, uint16_t port,
	const struct proc_identity *id);
/* Waits at most timeout_ms (0: not at all) for the helper. 1 and the number of
 * addresses in *n_out; 0 not yet; -1 it failed, a text in why. After 1 or -1
 * the helper has gone. */
int resolve_finish(struct resolve *r, int timeout_ms, struct net_endpoint *out, unsigned max,
	unsigned *n_out, char *why, size_t why_size);
/* Ends a helper that still runs. */
void resolve_stop(struct resolve *r);

#endif
