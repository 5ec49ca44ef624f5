/* confine.h - a process that may use one directory and nothing else; and when
 * that must not be. */
#ifndef ESETS_CONFINE_H
#define ESETS_CONFINE_H

/* From now on this process (and what it forks) can make, write, rename and
 * remove files below the directory only, and run no program; files that are
 * open stay so, and reading is as before. For good. 0; -1 with errno: ENOSYS or
 * EOPNOTSUPP where the kernel cannot (Landlock, Linux 5.13). */
int confine_to_dir(int dir);
/* The same for reading: files can be opened below the directory only, and none
 * can be listed. */
int confine_all_to_dir(int dir);

/* NULL; or why no filter (sandbox.h) and no limit on address space must be put on
 * this process: it is built with sanitizers or for coverage, or valgrind runs it. */
const char *confine_why_not(void);

#endif
