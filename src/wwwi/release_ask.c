/* release_ask.c - esets_wwwi asks the daemon to release a message, see wwwi_int.h: one
 * packet there, one back, at a socket of its own for each. What does not come is
 * not known to be released, and the text says so. */
#include "wwwi_int.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "release_msg.h"

struct release_job {
	int fd;
	struct event *readable;
	release_fn done;
	void *arg;
};

void release_job_cancel(struct release_job **j)
{
	struct release_job *p = *j;

	if (p == NULL)
		return;
	*j = NULL;
	if (p->readable != NULL)
		event_free(p->readable);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	unsigned char mem[RELEASE_MSG_MAX + 1];
	struct release_job *j = arg;
	struct release_answer a = { .text = "" };
	const char *why = "no answer in time";

	if ((what & EV_TIMEOUT) == 0) {
		ssize_t n = recv(fd, mem, sizeof mem, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		why = n < 0 ? strerror(errno) : "it closed the connection";
		if (n > 0 && release_answer_parse(mem, (size_t)n, &a, &why) == 0)
			why = NULL;
	}
	if (why != NULL)
		snprintf(a.text, sizeof a.text, "esets_daemon does not say what has become of it "
			"(%s): see its log before you try again", why);
	release_fn done = j->done;
	void *done_arg = j->arg;
	release_job_cancel(&j);
	done(&a, done_arg);
}

static int ask_fd(const char *daemon_sock_path, const struct release_ask *ask)
{
	struct net_endpoint at = { .addr = { .family = AF_UNIX } };
	struct buf out = BUF_INIT(RELEASE_MSG_MAX);
	int fd = -1, rc = -1;

	if (snprintf(at.path, sizeof at.path, "%s%s", daemon_sock_path, RELEASE_SUFFIX) >=
	    (int)sizeof at.path)
		errno = ENAMETOOLONG;
	else if (release_ask_format(ask, &out) < 0)
		errno = ENOMEM;
	else
		fd = net_connect(&at, SOCK_SEQPACKET);
	if (fd >= 0)
		rc = send(fd, buf_head(&out), buf_len(&out), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
			errno != EPIPE ? -1 : 0; /* EPIPE: the answer, a no, is there already */
	int error = errno;
	buf_fini(&out);
	if (rc < 0 && fd >= 0)
		close(fd);
	errno = error;
	return rc < 0 ? -1 : fd;
}

struct release_job *release_job_start(struct event_base *base, const char *daemon_sock_path,
	const struct release_ask *ask, release_fn done, void *arg, const char **why_out)
{
	const struct timeval most = { .tv_sec = RELEASE_S };
	struct release_job *j = calloc(1, sizeof *j);

	*why_out = "out of memory";
	if (j == NULL)
		return NULL;
	*j = (struct release_job){ .done = done, .arg = arg, .fd = ask_fd(daemon_sock_path, ask) };
	if (j->fd < 0)
		*why_out = strerror(errno);
	else
		j->readable = event_new(base, j->fd, EV_READ | EV_PERSIST, on_answer, j);
	if (j->readable == NULL || event_add(j->readable, &most) < 0)
		release_job_cancel(&j);
	return j;
}
