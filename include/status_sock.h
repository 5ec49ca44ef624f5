/* status_sock.h - the socket that hands out the table of counters
 * (status_sock_path), both ends.
 *
 * Whoever connects gets one packet, "esets-status 1\n" with a descriptor of the
 * table (stats.h), and the connection is closed. The parent writes that packet
 * to a connection that is new, so it never waits for a reader, reads nothing
 * and keeps nothing; the reader maps the table and needs the parent no more.
 * SOCK_SEQPACKET, mode 0660, of the group that workers run as. */
#ifndef ESETS_STATUS_SOCK_H
#define ESETS_STATUS_SOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "unix_sock.h"

#define STATUS_SOCK_HELLO "esets-status 1\n"

struct proc_identity;

/* Parent, after stats_init: makes the socket and its directory. One that nobody
 * answers is replaced. 0; -1 with errno, EADDRINUSE: another instance has it. */
int status_sock_open(struct unix_sock *s, const char *path, const struct proc_identity *id);
/* There is something to accept. False: not before a moment has passed (no
 * descriptors). */
bool status_sock_serve(const struct unix_sock *s);

enum status_sock_result {
	STATUS_SOCK_OK,
	STATUS_SOCK_NONE,     /* nobody is there: the program does not run */
	STATUS_SOCK_DENIED,   /* not for this user */
	STATUS_SOCK_BROKEN    /* it does not answer, or not as it should */
};

struct status_map {
	void *map;
	size_t size;
};

/* Reader: asks the program behind path, within timeout_ms. OK: the table is
 * mapped and cannot shrink; else a text in why. Blocks. */
enum status_sock_result status_sock_fetch(const char *path, unsigned timeout_ms,
	struct status_map *out, char *why, size_t why_size);
void status_sock_unmap(struct status_map *m);

#endif
