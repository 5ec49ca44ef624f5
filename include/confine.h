/* confine.h - what a process may reach of the machine, for good: its files, by
 * Landlock (what it may call at all: sandbox.h); and when it must not be limited. */
#ifndef ESETS_CONFINE_H
#define ESETS_CONFINE_H

/* All of these hold for this process and what it forks, and set
 * PR_SET_NO_NEW_PRIVS; what is open stays so. 0; -1 with errno: ENOSYS or
 * EOPNOTSUPP where the kernel cannot (Landlock, Linux 5.13). */

/* Files can be made, written, renamed and removed below the directory only (-1:
 * nowhere), and no program run; reading is as before. */
int confine_to_dir(int dir);
/* The same for reading: files can be opened below the directory only, and none
 * can be listed. */
int confine_all_to_dir(int dir);
/* Files can be opened to be read and directories listed below the directory only
 * (-1: nowhere), nothing changed anywhere; else as confine_to_nothing. */
int confine_to_read(int dir);
/* No file can be opened at all. Where the kernel can: no TCP (6.7), no abstract
 * UNIX sockets and signals of others (6.12). */
int confine_to_nothing(void);

/* NULL; or why no filter (sandbox.h) and no limit on memory must be put on this
 * process: it is built with sanitizers or for coverage, or valgrind runs it. */
const char *confine_why_not(void);

#endif
