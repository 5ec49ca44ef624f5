/* confine.h - a process that may change one directory and nothing else. */
#ifndef ESETS_CONFINE_H
#define ESETS_CONFINE_H

/* From now on this process (and what it forks) can make, write, rename and
 * remove files below the directory only, and run no program; files that are
 * open stay so, and reading is as before. For good. 0; -1 with errno: ENOSYS or
 * EOPNOTSUPP where the kernel cannot (Landlock, Linux 5.13). */
int confine_to_dir(int dir);

#endif
