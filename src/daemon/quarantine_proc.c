/* quarantine_proc.c - the master's hold on the process that keeps messages.
 *
 * The socket pair between workers and process outlives both: the master keeps
 * both ends and never uses them. */
#include "quarantine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "proc.h"

#define STOP_MS 5000
#define STEP_MS 10
#define LOG_BURST 10

int quarantine_proc_open(struct quarantine_proc *q)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	q->ask_fd = ends[0];
	q->serve_fd = ends[1];
	return 0;
}

__attribute__((noreturn))
static void child(const struct quarantine_proc *q, const struct conf_global *g,
	const struct proc_identity *id, pid_t master)
{
	const struct quarantine_cfg cfg = { .serve_fd = q->serve_fd,
		.dir = g->scan.quarantine_dir, .max_octets = g->av_quarantine_max_size,
		.max_days = g->av_quarantine_max_days };

	/* NOLINTBEGIN(concurrency-mt-unsafe): this process has one thread */
	if (proc_identity_take(id) < 0) {
		log_error("user %s: privileges cannot be dropped: %s", id->user, strerror(errno));
		exit(1);
	}
	if (proc_die_with_parent(master) < 0)
		exit(1);
	proc_close_others(&q->serve_fd, 1);
	proc_set_title("esets_daemon/q");
	exit(quarantine_run(&cfg));
	/* NOLINTEND(concurrency-mt-unsafe) */
}

static void leave(struct quarantine_proc *q)
{
	unsigned i = 0;

	while (i < QUARANTINE_LEAVING_MAX && q->leaving[i] != 0)
		i++;
	/* Nobody takes that long, but for a disk that hangs. */
	kill(q->pid, i < QUARANTINE_LEAVING_MAX ? SIGTERM : SIGKILL);
	if (i < QUARANTINE_LEAVING_MAX)
		q->leaving[i] = q->pid;
	else
		waitpid(q->pid, NULL, 0);
	q->pid = 0;
}

void quarantine_proc_start(struct quarantine_proc *q, const struct conf_global *g,
	const struct proc_identity *id, pid_t master)
{
	if (q->pid != 0)
		leave(q);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		child(q, g, id, master);
	if (pid < 0)
		log_error("quarantine: fork: %s", strerror(errno));
	else
		q->pid = pid;
}

static void reap_leaving(struct quarantine_proc *q)
{
	for (unsigned i = 0; i < QUARANTINE_LEAVING_MAX; i++) {
		if (q->leaving[i] != 0 && waitpid(q->leaving[i], NULL, WNOHANG) == q->leaving[i])
			q->leaving[i] = 0;
	}
}

bool quarantine_proc_tick(struct quarantine_proc *q)
{
	int status;

	reap_leaving(q);
	if (q->pid != 0 && waitpid(q->pid, &status, WNOHANG) == q->pid) {
		if (log_limited(&q->deaths, LOG_BURST))
			log_error("quarantine process (pid %ld) ended %s %d, it is replaced",
				(long)q->pid, WIFSIGNALED(status) ? "by signal" : "with status",
				WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		q->pid = 0;
	}
	/* Not more often than the tick: a crash loop costs a fork a second. */
	return q->pid == 0;
}

void quarantine_proc_stop(struct quarantine_proc *q)
{
	if (q->pid != 0)
		leave(q);
	for (int ms = 0; ms < STOP_MS; ms += STEP_MS) {
		bool is_done = true;
		reap_leaving(q);
		for (unsigned i = 0; i < QUARANTINE_LEAVING_MAX; i++)
			is_done &= q->leaving[i] == 0;
		if (is_done)
			break;
		poll(NULL, 0, STEP_MS);
	}
	for (unsigned i = 0; i < QUARANTINE_LEAVING_MAX; i++) {
		if (q->leaving[i] == 0)
			continue;
		kill(q->leaving[i], SIGKILL);
		waitpid(q->leaving[i], NULL, 0);
	}
	if (q->ask_fd >= 0)
		close(q->ask_fd);
	if (q->serve_fd >= 0)
		close(q->serve_fd);
	q->ask_fd = q->serve_fd = -1;
}
