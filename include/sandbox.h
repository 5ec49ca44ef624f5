/* sandbox.h - what a process may still ask of the kernel.
 *
 * A process that reads what strangers wrote puts a filter on itself (seccomp,
 * by libseccomp) once it has everything open that it needs. From then on a
 * system call is
 *
 *   allowed    it is in the list of the process's kind, with these arguments
 *   refused    EACCES: a library may try it, and goes on without (open, connect)
 *   fatal      the process ends by SIGSYS, which its parent logs: no mistake of
 *              ours leads there (execve, fork, ptrace, mount, setuid ...)
 *   unknown    ENOSYS, as from a kernel that is older than the call, so that a
 *              newer C library takes its other way
 *
 * No kind may make memory executable that was not so already, run a program,
 * make a process, or signal another one. The lists are one table, in
 * sandbox.c. */
#ifndef ESETS_SANDBOX_H
#define ESETS_SANDBOX_H

enum sandbox_kind {
	SANDBOX_SCANNER,     /* worker of esets_daemon: descriptors that it has or is handed */
	SANDBOX_AGENT,       /* worker of esets_smtp: also connects, and opens spool files */
	SANDBOX_WWWI,        /* worker of esets_wwwi: UNIX sockets, and files to read */
	SANDBOX_SIDE,        /* process beside the workers: all that is not fatal or refused */
};

/* Puts the filter on this process, for good, and on all its threads to come: to
 * be called before there are any. 0; -1 with the reason in *why_out (static
 * text): built without libseccomp, confine_why_not, or the kernel's. Nothing
 * has changed then. Sets PR_SET_NO_NEW_PRIVS. Where memory is short it ends the
 * process, whose parent starts another when there may be more. */
int sandbox_enter(enum sandbox_kind kind, const char **why_out);

#endif
