/* cell.h - what a worker of the agent is shut into. */
#ifndef ESETS_CELL_H
#define ESETS_CELL_H

/* After the identity was taken and everything but spool files is open, before
 * there are threads. From now on this process can open files below spool_dir
 * only (Landlock) and make no system calls but those of a worker (sandbox.h):
 * dialling servers, daemon and syslog is among them, running a program is not.
 * What the kernel or the build cannot do is logged and left out: it is a second
 * wall, and no reason to turn mail away. */
void cell_enter(const char *spool_dir);

#endif
