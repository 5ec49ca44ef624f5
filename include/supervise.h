/* supervise.h - a parent that keeps num workers alive.
 *
 * Shared by esets_smtp's manager and esets_daemon's master, so that both
 * treat signals, dead workers and reloads alike (design: single-threaded
 * parent, never reads mail, threads only after the fork in the child).
 *
 *   TERM, INT  every worker gets SIGTERM; those left after stop_ms SIGKILL
 *   USR1       every worker gets SIGKILL; the parent leaves at once
 *   HUP        cb->reload(); on 0 a new generation is started and the old one
 *              gets SIGUSR2 (drain); those left after drain_ms get SIGTERM,
 *              then SIGKILL after stop_ms
 *              (a second HUP while old ones drain stops those first, and is
 *              worked off when they have gone; the present ones go on)
 * The service manager is told (service.h): ready when the first workers were
 * forked, reloading from a HUP until it has been worked off, stopping.
 * A worker that dies is replaced at once. One that died within a second and
 * was not proven is young: the first young death in a row is made good at
 * once too, those after it wait 1, 2, 4 ... 10 s; a proven one starts the row
 * afresh. Each worker has a slot of its own, any free number below
 * supervise_slots(the largest num so far); only children started here are
 * waited for. What becomes of workers is counted (stats.h). */
#ifndef ESETS_SUPERVISE_H
#define ESETS_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct unix_sock;

struct supervise_cb {
	/* In the child: signals at default and unblocked but for PIPE and XFSZ, which are
	 * ignored, and TERM, USR2, HUP, INT, USR1, which are blocked for the child's own
	 * signalfd or sigwait; extra_fd and status are closed. TERM asks it to stop within
	 * stop_ms, USR2 to drain; HUP, INT (from a terminal) and USR1 mean nothing to it.
	 * Returns the exit status. slot is the child's number for shared counters. */
	int (*run)(void *ctx, unsigned slot);
	/* Parent, on HUP: read and check the new configuration, bind what is new.
	 * 0 and the new number of workers in *num_io; -1 keep everything. */
	int (*reload)(void *ctx, unsigned *num_io);
	/* Parent, because tick has set is_stale or is_broken: take in what workers share, and
	 * nothing else. 0 then a new generation takes over as after a reload; -1
	 * keep everything. Not while a HUP waits, whose reload does that too.
	 * May be NULL where nobody sets them. */
	int (*refresh)(void *ctx);
	/* Parent: did the worker in this slot finish a unit of work? Asked when it
	 * has died, before on_exit. NULL: never. */
	bool (*is_proven)(void *ctx, unsigned slot);
	/* Parent: there is a worker in this slot. May be NULL. */
	void (*on_start)(void *ctx, unsigned slot, pid_t pid);
	/* Parent: a worker has gone (its slot is free again). May be NULL. */
	void (*on_exit)(void *ctx, unsigned slot, pid_t pid, int status);
	/* Parent: called about once a second, and after fd became readable if
	 * extra_fd is not -1 (a helper's pipe). May be NULL. */
	void (*tick)(void *ctx, bool fd_ready);
	/* Parent: the stop has begun (close listeners so that none queue up). */
	void (*stopping)(void *ctx);
};

struct supervise_cfg {
	const char *what;      /* "worker", for the log */
	unsigned num;          /* workers to keep */
	unsigned stop_ms;      /* timeout_stop */
	unsigned drain_ms;     /* timeout_drain */
	int extra_fd;          /* also waited for, or -1 */
	bool is_stale;         /* see cb->refresh, which clears it */
	bool is_broken;        /* the same, and it cannot wait: predecessors do not drain on */
	struct unix_sock *status;  /* of status_sock.h, served too; NULL none */
	unsigned young_ms, backoff_ms, backoff_max_ms; /* 0: 1000, 1000, 10000 */
	void *ctx;
	const struct supervise_cb *cb;
};

/* The values of *cfg may be changed by reload and tick (read afresh). */
/* Runs until stopped. Returns the parent's exit status: 0 after TERM, INT or
 * USR1. Logs starts, deaths and back-off. All signals named above must be
 * blocked by supervise_block_signals before daemons start anything, so that
 * none is lost during the start. It has SIGPIPE and SIGXFSZ ignored too, which
 * children inherit: one that executes a program calls proc_signals_default. */
int supervise_run(struct supervise_cfg *cfg);
void supervise_block_signals(void);
/* Slots a table needs for up to num workers and their predecessors. */
unsigned supervise_slots(unsigned num);

#endif
