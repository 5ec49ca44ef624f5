/* task.h - one scan request worked off: walk the object tree within a
 * budget, ask the engines for each object, merge what they say. Daemon side;
 * blocking; no sockets but what engines use. */
#ifndef ESETS_TASK_H
#define ESETS_TASK_H

#include "scan_msg.h"

/* Asked between objects: has the client gone? */
typedef bool (*task_cancelled_fn)(void *arg);

/* How this process keeps memory; once, before the first scan. */
void task_mem_init(void);
/* Gives memory back that no scan has at the moment, where there was one since
 * the last call. From any thread, every few seconds. */
void task_mem_rest(void);

/* fd holds r->size octets and is only read; -1 if they are inline. v is filled in (never fails:
 * what could not be done is in v->av and v->reason). *clean_fd_out: the
 * cleaned message as sealed memfd where v->av has DELETED, else -1. Returns
 * false if it was cancelled (v is then worthless). */
bool task_run(const struct scan_request *r, int fd, long long deadline_ms,
	task_cancelled_fn cancelled, void *arg, struct verdict *v, int *clean_fd_out);

#endif
