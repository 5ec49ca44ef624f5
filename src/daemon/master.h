/* master.h - the parts of esets_daemon's master share this; nobody else.
 *
 *   main.c           options, order of the start, life cycle
 *   master_open.c    what a start takes: identity, socket, counters, engines
 *   master_sides.c   processes beside the workers, and the sockets to them
 *   master_reload.c  another configuration, other signatures
 *   master.c         workers, as supervise.h asks for them
 *
 * Owns what exists once for the daemon: the socket's name, the pid file and
 * the loaded engines, which workers share with it copy-on-write. The master
 * stays what it was started as and never reads a request; the one thing that
 * workers tell it is that something was found (notify.h), in records that it
 * trusts as little as them. It never starts a thread. */
#ifndef ESETS_MASTER_H
#define ESETS_MASTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"
#include "notify.h"
#include "proc.h"
#include "server.h"
#include "side_proc.h"
#include "sig_watch.h"
#include "supervise.h"
#include "unix_sock.h"

struct master {
	const struct conf_cli *cli;
	struct conf *conf;
	struct proc_identity id;
	struct server_access access;
	struct unix_sock sock;     /* where requests come */
	struct unix_sock status;
	struct unix_sock release_sock; /* where esets_wwwi asks for a release, if it may */
	pid_t pid;                 /* for the parent-death check */
	uint64_t *served;          /* by slot: answers of its former workers */
	unsigned nslots;
	struct side_proc quarantine;
	struct side_proc broker;   /* where an engine is external, or there is syslog */
	struct side_proc release;  /* its serve_fd is release_sock's */
	struct notify notify;
	struct supervise_cfg sup;
	struct sig_watch watch;
	bool has_new_signatures;
	bool is_shut;              /* one of the sockets to and from workers */
};

extern const struct supervise_cb master_callbacks;

/* master_open.c: each ends the program if it fails. */
void master_identity(struct master *m);
void master_pid_file(struct master *m);
void master_listen(struct master *m);
/* Not fatal: without it nothing is released from the page. */
void master_listen_release(struct master *m);
void master_counters(struct master *m);
void master_engines(struct master *m);

/* master_sides.c. The sockets: 0, -1 with errno. */
int master_sides_open(struct master *m);
/* The processes, for the configuration in force; at a reload anew, the old ones
 * stay with the old workers. */
void master_sides_start(struct master *m);
/* About once a second, or there is something to read: replaces what has died,
 * runs what is to be run, and asks for other workers where one has shut down what
 * all need. */
void master_sides_tick(struct master *m, bool fd_ready);
/* Sockets that no worker has touched, for the next workers. */
void master_sides_renew(struct master *m);
/* No worker is left. */
void master_sides_stop(struct master *m);

/* master_reload.c. Who may connect: 0, -1 no memory. */
int master_access(struct server_access *a, const struct conf *c);
/* Takes what supervise needs from the configuration. */
void master_times(struct master *m);
/* From now on changes of the signatures' files are noticed. */
void master_watch(struct master *m);
/* Have they changed? Asked about once a second. */
bool master_watch_is_due(struct master *m);
int master_reload(void *ctx, unsigned *num_io);
int master_refresh(void *ctx);

#endif
