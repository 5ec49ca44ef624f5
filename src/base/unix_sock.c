/* unix_sock.c - see unix_sock.h. */
#include "unix_sock.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "str.h"

/* Binds with the group's id in force, so that the socket is the group's from
 * its first moment on and no chown by name is needed. */
static int listen_as_group(const struct net_endpoint *at, int backlog,
	const struct proc_identity *id)
{
	gid_t own = getegid();

	if (id->drop && setegid(id->gid) < 0)
		return -1;
	int fd = net_listen(at, backlog, SOCK_SEQPACKET, 0660);
	int error = errno;
	if (id->drop && setegid(own) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	errno = error;
	return fd;
}

int unix_sock_listen(struct unix_sock *s, const char *path, int backlog,
	const struct proc_identity *id)
{
	struct stat st;

	*s = (struct unix_sock){ .fd = -1 };
	s->at.addr.family = AF_UNIX;
	if (!str_copy(s->at.path, sizeof s->at.path, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	s->fd = listen_as_group(&s->at, backlog, id);
	if (s->fd < 0)
		return -1;
	if (lstat(path, &st) == 0) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	return 0;
}

void unix_sock_close(struct unix_sock *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void unix_sock_remove(const struct unix_sock *s)
{
	struct stat st;

	if (s->fd >= 0 && lstat(s->at.path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlink(s->at.path);
}
