/* resolve.c - name resolution in a helper process, see resolve.h. */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"

#define HELPER_SECONDS 60   /* a resolver that hangs is ended */

struct answer {
	int n;                  /* addresses, or -1 */
	char why[160];
	struct net_endpoint e[NET_ADDRS_MAX];
};
_Static_assert(sizeof(struct answer) <= 4096, "an answer is one atomic pipe write");

/* It has nothing of the manager's but the pipe, and does not outlive it: else it
 * would hold the ports of one that was killed until the resolver answers. */
__attribute__((noreturn))
static void helper(int fd, pid_t manager, const char *list, uint16_t port,
	const struct proc_identity *id)
{
	struct answer a = { .n = 0 };
	sigset_t none;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	alarm(HELPER_SECONDS);
	proc_close_others(&fd, 1);
	/* What comes from the network is not read as root. */
	if (proc_identity_take(id) < 0 || proc_die_with_parent(manager) < 0)
		_exit(1);
	a.n = net_resolve(list, port, false, a.e, NET_ADDRS_MAX, a.why, sizeof a.why);
	_exit(write(fd, &a, sizeof a) == (ssize_t)sizeof a ? 0 : 1);
}

int resolve_start(struct resolve *r, const char *list, uint16_t port,
	const struct proc_identity *id)
{
	int fds[2];

	if (r->pid != 0)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	const pid_t manager = getpid();
	pid_t pid = fork();
	if (pid < 0) {
		int keep = errno;
		close(fds[0]);
		close(fds[1]);
		errno = keep;
		return -1;
	}
	if (pid == 0)
		helper(fds[1], manager, list, port, id);
	close(fds[1]);
	r->pid = pid;
	r->fd = fds[0];
	return 0;
}

/* Whatever it has read may have taken it over: one that has answered need not end. */
static void forget(struct resolve *r)
{
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(r->fd);
	*r = (struct resolve)RESOLVE_INIT;
}

static bool is_sound(const struct answer *a)
{
	bool ok = a->n <= NET_ADDRS_MAX;

	for (int i = 0; ok && i < a->n; i++)
		ok = net_endpoint_is_sound(&a->e[i]);
	return ok;
}

int resolve_finish(struct resolve *r, int timeout_ms, struct net_endpoint *out, unsigned max,
	unsigned *n_out, char *why, size_t why_size)
{
	struct pollfd p = { r->fd, POLLIN, 0 };
	struct answer a;

	if (r->pid == 0)
		return 0;
	if (poll(&p, 1, timeout_ms) <= 0)
		return 0;
	ssize_t n = read(r->fd, &a, sizeof a);
	forget(r);
	if (n != (ssize_t)sizeof a || !is_sound(&a)) {
		snprintf(why, why_size, "name resolution did not finish");
		return -1;
	}
	if (a.n < 0) {
		a.why[sizeof a.why - 1] = '\0';
		snprintf(why, why_size, "%s", a.why);
		return -1;
	}
	*n_out = (unsigned)a.n < max ? (unsigned)a.n : max;
	memcpy(out, a.e, *n_out * sizeof *out);
	return 1;
}

void resolve_stop(struct resolve *r)
{
	if (r->pid == 0)
		return;
	forget(r);
}
