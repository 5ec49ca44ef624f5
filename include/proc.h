/* proc.h - the process: daemonising, identity, limits.
 *
 * For programs only, before threads exist unless said otherwise. */
#ifndef ESETS_PROC_H
#define ESETS_PROC_H

#include <stdbool.h>
#include <sys/types.h>

/* First in main: opens /dev/null for those of descriptors 0-2 that are
 * closed, so that no socket ever takes such a number. 0, -1 with errno. */
int proc_std_open(void);

/* Forks into the background: new session, / as directory, 0-2 on /dev/null
 * (2 only once ready). The parent stays until the child says
 * proc_daemon_ready and exits 0 then, or with the child's status if that
 * ended before, so an init script sees a failed start. Returns 0 in the
 * child, -1 with errno. */
int proc_daemonize(void);
void proc_daemon_ready(void);

struct proc_identity {
	bool drop;  /* started as root and user is not root */
	uid_t uid;
	gid_t gid;
	char user[64];
};
/* Looks user and group up. 0; -1 with what is wrong in why ("user: no such
 * user esets"). Not started as root: drop is false, ids are the own ones. */
int proc_identity_get(const char *user, const char *group, struct proc_identity *out,
	char *why, size_t why_size);
/* Takes user, group and the user's other groups, checked for no way back; no
 * capabilities (but for root), PR_SET_NO_NEW_PRIVS, no core, umask 077. For
 * children, after the fork. 0, -1 with errno. */
int proc_identity_take(const struct proc_identity *id);
/* The ids alone, for another program: it may be set-group-id to some mail
 * system's group, which PR_SET_NO_NEW_PRIVS would prevent. 0, -1 with errno. */
int proc_identity_drop(const struct proc_identity *id);
/* Dies with its parent, by SIGKILL: PR_SET_PDEATHSIG (after the identity was
 * taken: setuid clears it), then checks that parent, whose pid it noted
 * before the fork, is still there. 0; -1 gone. */
int proc_die_with_parent(pid_t parent);
/* Calls fn in a child that is id's user, for PROC_AS_MS at most: it may hang, or be
 * stopped by others of that user. fn leaves 0, or -1 with errno; so does this, and with
 * ETIMEDOUT or EIO for a child that gave no answer. */
#define PROC_AS_MS 10000
int proc_do_as(const struct proc_identity *id, int (*fn)(const void *arg), const void *arg);
/* May id's user do this (access(2): W_OK | X_OK to make files in a directory)?
 * 0, -1 with errno. */
int proc_try_as(const char *path, int mode, const struct proc_identity *id);
/* Raises RLIMIT_NOFILE to the hard limit; returns what holds now. */
unsigned long proc_raise_nofile(void);
/* Closes every descriptor >= 3 that is not in keep[n]. */
void proc_close_others(const int *keep, size_t n);
/* All signals at their default and none blocked: before another program is run
 * in a child. */
void proc_signals_default(void);
void proc_set_title(const char *name); /* PR_SET_NAME, 15 octets */

#endif
