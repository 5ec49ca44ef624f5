/* pidfile.h - the pid file, of which one instance at a time has the lock. */
#ifndef ESETS_PIDFILE_H
#define ESETS_PIDFILE_H

#include <sys/types.h>

#include "proc.h"

/* Writes the pid file and keeps it open and locked (fcntl) as long as the process
 * lives. Its directory is made when missing (0755, owned by id). 0; -1 with errno,
 * EWOULDBLOCK: another instance holds the lock, its pid in *other_out. A stale file
 * gives way to another, which is path with .new behind until it is in order. */
int pidfile_open(const char *path, const struct proc_identity *id, pid_t *other_out);
/* Removes the file and gives the lock up; harmless when none is open and in a
 * child. A lock is not inherited: open the file after proc_daemonize. */
void pidfile_close(void);

#endif
