/* unix_sock.h - a listening UNIX socket with a name, for a parent process. */
#ifndef ESETS_UNIX_SOCK_H
#define ESETS_UNIX_SOCK_H

#include <sys/types.h>

#include "net.h"
#include "proc.h"

struct unix_sock {
	struct net_endpoint at;
	int fd;                /* -1 closed */
	dev_t dev;             /* of its name, to remove only ours */
	ino_t ino;
};

#define UNIX_SOCK_INIT { .fd = -1 }

/* Listens at path (SOCK_SEQPACKET), mode 0660, as id's group. Errors as
 * net_listen's, ENAMETOOLONG. 0, -1 with errno. Not in a process with threads. */
int unix_sock_listen(struct unix_sock *s, const char *path, int backlog,
	const struct proc_identity *id);
/* Takes no more connections; the name stays. */
void unix_sock_close(struct unix_sock *s);
/* Removes the name, if it is still this socket's; before it is closed, for only
 * until then are its numbers nobody else's. */
void unix_sock_remove(const struct unix_sock *s);

#endif
