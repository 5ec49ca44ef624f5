/* dirs.h - directories that programs make for themselves, and what would be in the
 * way of one.
 *
 * For programs only, before threads exist. */
#ifndef ESETS_DIRS_H
#define ESETS_DIRS_H

#include <stdbool.h>
#include <sys/types.h>

#include "proc.h"

/* Makes a directory owned by id (and one missing parent level, our own); one that is
 * there stays as it is. 0, -1 with errno. */
int dirs_make(const char *path, unsigned mode, const struct proc_identity *id);
/* The same for the directory that path lies in. */
int dirs_make_parent(const char *path, unsigned mode, const struct proc_identity *id);

/* What a start would run into, found without making anything: 0, -1 with the
 * errno that would come. dirs_try: a directory as dirs_make has it, in which
 * id's user can make files. dirs_try_file: a pid file (type S_IFREG) or a socket
 * (S_IFSOCK) at path, whose directory would be made too where makes_dir. */
int dirs_try(const char *path, const struct proc_identity *id);
int dirs_try_file(const char *path, mode_t type, bool makes_dir);

#endif
