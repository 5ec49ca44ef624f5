/* server.h - a worker of esets_daemon: threads that serve scan requests.
 *
 * The master binds the socket and loads the engines; each worker runs
 * server_run on what it inherits. A thread takes a connection, checks who
 * calls and what was sent, has the task run, answers and closes: one request
 * for each connection, so that the kernel's accept queue is the only queue. */
#ifndef ESETS_SERVER_H
#define ESETS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Who may ask: resolved once, so that serving needs no name service. */
struct server_access {
	uid_t *uids;
	gid_t *gids;
	size_t nuids, ngids;
};

/* A colon list of users and @groups (daemon_allowed_users). Names that do not
 * exist are left out, and logged as a warning if warn. 0, -1 no memory. */
int server_access_load(struct server_access *a, const char *list, bool warn);
void server_access_fini(struct server_access *a);
/* Our own user may always; groups are the caller's further ones. */
bool server_access_allows(const struct server_access *a, uid_t uid, gid_t gid,
	const gid_t *groups, size_t ngroups);

struct server_cfg {
	int listen_fd;       /* SOCK_SEQPACKET, non-blocking, shared by all workers */
	unsigned slot;       /* of the counters */
	unsigned threads;
	bool is_alone;       /* there are no other workers */
	unsigned stop_ms, drain_ms;
	const struct server_access *access;
	int quarantine_fd;   /* quarantine.h: the workers' end */
	int notify_fd;       /* notify.h: the workers' end; -1 nobody is to be told */
};

/* Lines of counters that a worker of n threads writes: those of the threads, from
 * 1 on, and engine_watch's. */
#define SERVER_LINES(n) ((n) + 1)

/* In the child, identity taken, TERM, USR2, HUP, INT and USR1 blocked. Serves
 * until TERM (those at work finish within stop_ms) or USR2 (within
 * drain_ms). The worker's exit status. */
int server_run(const struct server_cfg *cfg);

#endif
