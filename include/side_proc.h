/* side_proc.h - a process of the master's beside the workers, which do what
 * workers may not do themselves.
 *
 *     workers --ask_fd ==== serve_fd--> process
 *
 * The socket pair outlives both: the master keeps both ends and never uses
 * them, so what workers have sent while the process was being replaced is for
 * its successor. The child has the workers' identity, dies with the master,
 * holds no descriptor but serve_fd, and cannot run programs. The master never
 * waits for one without a bound: on a disk that hangs it may not even be killed. */
#ifndef ESETS_SIDE_PROC_H
#define ESETS_SIDE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "log.h"

struct proc_identity;

#define SIDE_PROC_LEAVING_MAX 4    /* more than that are not given time */

struct side_proc {
	const char *what;       /* "quarantine", for the log */
	const char *title;      /* of the process */
	int ask_fd, serve_fd;   /* of the workers, of the process; or serve_fd alone, a socket that
	                         * it listens at */
	pid_t pid;              /* 0 none */
	pid_t *leaving;         /* predecessors that have not ended yet */
	size_t nleaving;
	struct log_limit deaths;
};

#define SIDE_PROC_INIT(WHAT, TITLE) \
	{ .what = (WHAT), .title = (TITLE), .ask_fd = -1, .serve_fd = -1 }

/* Makes the socket pair (packets, non-blocking). 0, -1 with errno. */
int side_proc_open(struct side_proc *p);
/* Starts the process, in which run(serve_fd, arg) gives the exit status: TERM,
 * USR2, HUP, INT and USR1 are blocked, and TERM asks it to leave. One that runs
 * is told so first. master: pid of the caller. */
void side_proc_start(struct side_proc *p, int (*run)(int serve_fd, void *arg), void *arg,
	const struct proc_identity *id, pid_t master);
/* For a new configuration: the workers of the present one keep their process,
 * which leaves when they have gone; there is no socket pair now. */
void side_proc_let_go(struct side_proc *p);
/* About once a second. True: the process has died and is to be started again. */
bool side_proc_tick(struct side_proc *p);
/* When no worker is left. Takes a few seconds at most. */
void side_proc_stop(struct side_proc *p);

#endif
