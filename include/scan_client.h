/* scan_client.h - timed scan requests with a passed descriptor.
 *
 * One client per event loop (asynchronous form), or none at all (blocking
 * form, for the tools). At most max_inflight requests of a client are at the
 * daemon, the rest wait in order; the deadline of a request covers waiting,
 * connecting (a full accept queue is tried again by timer) and scanning.
 * The done callback runs exactly once for each request, never from within
 * scan_client_start; after scan_request_cancel it does not run at all. */
#ifndef ESETS_SCAN_CLIENT_H
#define ESETS_SCAN_CLIENT_H

#include "scan_msg.h"

struct event_base;
struct scan_client;
struct scan_job;

/* v: the verdict, unavailable with a reason where none was had; valid during
 * the call. clean_fd: the cleaned message (sealed memfd, seals and size
 * checked), or -1; the callee takes it. */
typedef void (*scan_done_fn)(void *arg, struct verdict *v, int clean_fd);

struct scan_client *scan_client_new(struct event_base *base, const char *sock_path,
	unsigned max_inflight);
void scan_client_free(struct scan_client **c);
/* The most octets a request may carry inline; what is larger needs a
 * descriptor. Less than SCAN_INLINE_MAX where the system's socket buffers are
 * small. */
size_t scan_client_inline_max(const struct scan_client *c);
/* fd (-1: the octets are inline) is borrowed until done or cancel; r is
 * formatted at once, with its octets. timeout_ms
 * from now on. NULL: out of memory or the request is too large. */
struct scan_job *scan_client_start(struct scan_client *c, const struct scan_request *r, int fd,
	unsigned timeout_ms, scan_done_fn done, void *arg);
/* Ends a request: its connection is closed, the daemon stops working on it. */
void scan_job_cancel(struct scan_job **job);

/* Blocking form for the tools; same results. */
void scan_client_call(const char *sock_path, const struct scan_request *r, int fd,
	unsigned timeout_ms, struct verdict *v, int *clean_fd_out);

#endif
