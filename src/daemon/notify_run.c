/* notify_run.c - the master runs exec_script, see notify.h.
 *
 * Never by a shell. The program gets nothing of ours: a clean environment, no
 * descriptor but /dev/null, its own session, the identity of the workers, a
 * minute. Unlike a worker it may gain privileges by set-group-id programs,
 * since Postfix's sendmail command is one.
 * Records wait in the socket while as many run as may. Must not block. */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "proc.h"

#define RUN_S 60
#define LOG_BURST 10
#define EXIT_NO_EXEC 127
#define TAKE_MAX 64          /* records at a time: workers cannot keep the master busy */

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int notify_open(struct notify *n)
{
	int ends[2];

	/* Packets: no worker can shift the records of another. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	n->read_fd = ends[0];
	n->write_fd = ends[1];
	n->run_ms = RUN_S * 1000;
	return 0;
}

void notify_close(struct notify *n)
{
	if (n->read_fd >= 0)
		close(n->read_fd);
	if (n->write_fd >= 0)
		close(n->write_fd);
	n->read_fd = n->write_fd = -1;
}

/* --- the child ------------------------------------------------------------------ */

static int std_to_null(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		return -1;
	return close_range(3, UINT_MAX, 0);
}

__attribute__((noreturn))
static void child(const char *path, struct notify_env *env, const struct proc_identity *id)
{
	char *argv[] = { (char *)path, NULL };

	proc_signals_default();
	umask(077);
	/* The kernel's own end of it, should the master be gone by then. */
	alarm(RUN_S + 5);
	if (setsid() >= 0 && chdir("/") == 0 && proc_identity_drop(id) == 0 && std_to_null() == 0)
		execve(path, argv, env->vars);
	_exit(EXIT_NO_EXEC);
}

/* --- master ----------------------------------------------------------------------- */

static void run(struct notify *n, unsigned slot, const char *path, struct notify_env *env,
	const struct proc_identity *id)
{
	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0)
		child(path, env, id);
	if (pid < 0) {
		log_error("exec_script: fork: %s", strerror(errno));
		return;
	}
	n->runs[slot].pid = pid;
	n->runs[slot].end_ms = now_ms() + n->run_ms;
	n->runs[slot].is_killed = false;
	log_debug("exec_script: runs as pid %ld", (long)pid);
}

static void on_end(struct notify *n, unsigned slot, int status)
{
	pid_t pid = n->runs[slot].pid;

	n->runs[slot].pid = 0;
	if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || n->runs[slot].is_killed ||
	    !log_limited(&n->failures, LOG_BURST))
		return;
	if (WIFSIGNALED(status))
		log_warning("exec_script (pid %ld) was ended by signal %d", (long)pid, WTERMSIG(status));
	else
		log_warning("exec_script (pid %ld) ended with status %d%s", (long)pid,
			WEXITSTATUS(status), WEXITSTATUS(status) == EXIT_NO_EXEC ?
			", which may mean that it could not be run" : "");
}

static void reap(struct notify *n)
{
	for (unsigned i = 0; i < NOTIFY_RUNS_MAX; i++) {
		int status;
		if (n->runs[i].pid == 0)
			continue;
		if (waitpid(n->runs[i].pid, &status, WNOHANG) == n->runs[i].pid) {
			on_end(n, i, status);
		} else if (now_ms() >= n->runs[i].end_ms && !n->runs[i].is_killed) {
			log_warning("exec_script (pid %ld) takes longer than %u s and is killed",
				(long)n->runs[i].pid, n->run_ms / 1000);
			kill(-n->runs[i].pid, SIGKILL);
			n->runs[i].is_killed = true;
		}
	}
}

static int free_run(const struct notify *n)
{
	for (unsigned i = 0; i < NOTIFY_RUNS_MAX; i++) {
		if (n->runs[i].pid == 0)
			return (int)i;
	}
	return -1;
}

/* 1 a record, 0 there is none, -1 one that is no record. */
static int next(struct notify *n, struct notify_record *r)
{
	struct iovec iov = { .iov_base = r, .iov_len = sizeof *r };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got = recvmsg(n->read_fd, &msg, MSG_DONTWAIT);

	if (got < 0)
		return 0;
	return (size_t)got == sizeof *r && (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 ? 1 : -1;
}

bool notify_tick(struct notify *n, const struct conf_global *g, const struct proc_identity *id)
{
	struct notify_record r;
	struct notify_env env;
	int slot = -1, got;

	reap(n);
	unsigned left_out = notify_rate_report(&n->rate, now_ms());
	if (left_out > 0)
		log_warning("exec_script: not run for %u detections of the last minute "
			"(exec_script_rate is %u)", left_out, g->exec_script_rate);
	for (int i = 0; i < TAKE_MAX && (slot = free_run(n)) >= 0 && (got = next(n, &r)) != 0; i++) {
		if (g->exec_script[0] == '\0')
			continue;
		if (got < 0 || !notify_env_fill(&env, &r)) {
			if (log_limited(&n->broken, LOG_BURST))
				log_warning("exec_script: a worker sent what is no record");
		} else if (notify_rate_take(&n->rate, now_ms(), g->exec_script_rate)) {
			run(n, (unsigned)slot, g->exec_script, &env, id);
		}
	}
	return slot >= 0;
}
