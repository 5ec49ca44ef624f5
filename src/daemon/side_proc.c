/* side_proc.c - a process beside the workers, see side_proc.h. */
#include "side_proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"
#include "sandbox.h"

#define STOP_MS 5000
#define KILL_MS 1000
#define STEP_MS 10
#define LOG_BURST 10

int side_proc_open(struct side_proc *p)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	p->ask_fd = ends[0];
	p->serve_fd = ends[1];
	return 0;
}

static void close_pair(struct side_proc *p)
{
	if (p->ask_fd >= 0)
		close(p->ask_fd);
	if (p->serve_fd >= 0)
		close(p->serve_fd);
	p->ask_fd = p->serve_fd = -1;
}

__attribute__((noreturn))
static void child(const struct side_proc *p, int (*run)(int serve_fd, void *arg), void *arg,
	const struct proc_identity *id, pid_t master)
{
	const char *why;

	/* NOLINTBEGIN(concurrency-mt-unsafe): this process has one thread */
	if (proc_identity_take(id) < 0) {
		log_error("user %s: privileges cannot be dropped: %s", id->user, strerror(errno));
		exit(1);
	}
	if (proc_die_with_parent(master) < 0)
		exit(1);
	proc_close_others(&p->serve_fd, 1);
	proc_set_title(p->title);
	if (sandbox_enter(SANDBOX_SIDE, &why) < 0)
		log_debug("%s: no system call filter: %s", p->what, why);
	exit(run(p->serve_fd, arg));
	/* NOLINTEND(concurrency-mt-unsafe) */
}

static void reap_leaving(struct side_proc *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nleaving; i++) {
		if (waitpid(p->leaving[i], NULL, WNOHANG) != p->leaving[i])
			p->leaving[n++] = p->leaving[i];
	}
	p->nleaving = n;
}

/* Nobody takes that long, but for a disk that hangs. */
static void leave(struct side_proc *p, int sig)
{
	reap_leaving(p);
	pid_t *more = realloc(p->leaving, (p->nleaving + 1) * sizeof *more);

	if (p->nleaving >= SIDE_PROC_LEAVING_MAX || more == NULL)
		sig = SIGKILL;
	if (sig != 0)
		kill(p->pid, sig);
	if (more != NULL) { /* else its entry among the processes stays as long as we do */
		p->leaving = more;
		p->leaving[p->nleaving++] = p->pid;
	}
	p->pid = 0;
}

void side_proc_start(struct side_proc *p, int (*run)(int serve_fd, void *arg), void *arg,
	const struct proc_identity *id, pid_t master)
{
	if (p->pid != 0)
		leave(p, SIGTERM);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		child(p, run, arg, id, master);
	if (pid < 0)
		log_error("%s: fork: %s", p->what, strerror(errno));
	else
		p->pid = pid;
}

void side_proc_let_go(struct side_proc *p)
{
	if (p->pid != 0)
		leave(p, 0);
	close_pair(p);
}

bool side_proc_tick(struct side_proc *p)
{
	int status;

	reap_leaving(p);
	if (p->serve_fd < 0)
		return false;
	if (p->pid != 0 && waitpid(p->pid, &status, WNOHANG) == p->pid) {
		if (log_limited(&p->deaths, LOG_BURST))
			log_error("%s process (pid %ld) ended %s %d, it is replaced", p->what,
				(long)p->pid, WIFSIGNALED(status) ? "by signal" : "with status",
				WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		p->pid = 0;
	}
	/* Not more often than the tick: a crash loop costs a fork a second. */
	return p->pid == 0;
}

static void end_leaving(struct side_proc *p, int sig, int wait_ms)
{
	for (size_t i = 0; i < p->nleaving; i++)
		kill(p->leaving[i], sig);
	for (int ms = 0; ms < wait_ms; ms += STEP_MS) {
		reap_leaving(p);
		if (p->nleaving == 0)
			return;
		poll(NULL, 0, STEP_MS);
	}
}

void side_proc_stop(struct side_proc *p)
{
	if (p->pid != 0)
		leave(p, SIGTERM);
	end_leaving(p, SIGTERM, STOP_MS);
	end_leaving(p, SIGKILL, KILL_MS);
	free(p->leaving);
	p->leaving = NULL;
	p->nleaving = 0;
	close_pair(p);
}
