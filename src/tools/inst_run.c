/* inst_run.c - runs postconf, postfix and their kind, see inst_int.h.
 *
 * Never by a shell. The program gets nothing of ours: a clean environment, no
 * descriptor but its two pipes, its own session. */
#include "inst_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "proc.h"
#include "str.h"

#define RUN_MS 60000
#define POLL_MS 20      /* for the end of one that has closed its output */
#define EXIT_NO_EXEC 127

static const char *const dirs[] = { "/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin",
	"/usr/local/bin" };

static const char *const environment[] = {
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/", NULL
};

bool inst_program(const char *name, char path[64])
{
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(path, 64, "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the child ------------------------------------------------------------------- */

__attribute__((noreturn))
static void child(const char *const argv[], int out, int err)
{
	int in = open("/dev/null", O_RDONLY);

	proc_signals_default();
	umask(022);
	if (in >= 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0 &&
	    close_range(3, UINT_MAX, 0) == 0 && setsid() >= 0 && chdir("/") == 0)
		execve(argv[0], (char *const *)argv, (char *const *)environment);
	_exit(EXIT_NO_EXEC);
}

/* --- its output and end ------------------------------------------------------------ */

struct taken {
	struct buf b;
	bool is_cut;
};

/* Takes what there is; what does not fit is read and dropped, so that the program
 * does not wait. false: that was the end. */
static bool take(int fd, struct taken *t)
{
	char mem[4096];
	ssize_t n = read(fd, mem, sizeof mem);

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	t->is_cut = t->is_cut || buf_append(&t->b, mem, (size_t)n) < 0;
	return true;
}

/* 0 both are at their end; -1 time is over. */
static int collect(const int fds[2], struct taken taken[2], long long end_ms)
{
	struct pollfd p[2] = { { .fd = fds[0], .events = POLLIN },
		{ .fd = fds[1], .events = POLLIN } };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		long long left = end_ms - now_ms();
		if (left <= 0)
			return -1;
		if (poll(p, 2, (int)left) < 0 && errno != EINTR)
			return -1;
		for (int i = 0; i < 2; i++) {
			if (p[i].fd >= 0 && p[i].revents != 0 && !take(p[i].fd, &taken[i]))
				p[i].fd = -1;
		}
	}
	return 0;
}

/* Its status; -1 it had to be ended. */
static int reap(pid_t pid, long long end_ms)
{
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);
		if (got == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		if (got < 0 || now_ms() >= end_ms)
			break;
		poll(NULL, 0, POLL_MS);
	}
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static void tell(struct inst_output *out, const char *name, struct buf *err)
{
	size_t n = buf_len(err);
	const char *text = n > 0 ? (const char *)buf_head(err) : "";
	char clean[INST_WHY - 80];

	while (n > 0 && text[n - 1] == '\n')
		n--;
	str_clean(clean, sizeof clean, text, n);
	if (out->status < 0)
		snprintf(out->err, sizeof out->err, "%s: did not end in order, or said too much%s%s", name,
			n > 0 ? ": " : "", clean);
	else if (out->status != 0 && n == 0)
		snprintf(out->err, sizeof out->err, "%s: ended with status %d", name, out->status);
	else
		snprintf(out->err, sizeof out->err, "%s", clean);
}

static int run(const char *const argv[], struct inst_output *out, int pipes[2][2])
{
	struct taken taken[2] = { { .b = BUF_INIT(INST_OUTPUT_MAX) }, { .b = BUF_INIT(8192) } };
	long long end_ms = now_ms() + RUN_MS;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		child(argv, pipes[0][1], pipes[1][1]);
	for (int i = 0; i < 2; i++) {
		close(pipes[i][1]);
		pipes[i][1] = -1;
	}
	if (pid < 0) {
		snprintf(out->err, sizeof out->err, "fork: %s", strerror(errno));
		return -1;
	}
	const int fds[2] = { pipes[0][0], pipes[1][0] };
	if (collect(fds, taken, end_ms) < 0)
		end_ms = 0;
	out->status = reap(pid, end_ms);
	if (taken[0].is_cut)
		out->status = -1;
	out->out = inst_text_of(&taken[0].b);
	tell(out, argv[0], &taken[1].b);
	buf_fini(&taken[0].b);
	buf_fini(&taken[1].b);
	return out->status == 0 && out->out != NULL ? 0 : -1;
}

int inst_run(const char *const argv[], struct inst_output *out)
{
	int pipes[2][2] = { { -1, -1 }, { -1, -1 } }, rc = -1;

	*out = (struct inst_output){ .status = -1 };
	if (pipe2(pipes[0], O_CLOEXEC) == 0 && pipe2(pipes[1], O_CLOEXEC) == 0)
		rc = run(argv, out, pipes);
	else
		snprintf(out->err, sizeof out->err, "pipe: %s", strerror(errno));
	for (int i = 0; i < 4; i++) {
		if (pipes[i / 2][i % 2] >= 0)
			close(pipes[i / 2][i % 2]);
	}
	return rc;
}

int inst_run_quietly(const char *const argv[], char why[INST_WHY])
{
	struct inst_output o;
	int rc = inst_run(argv, &o);

	snprintf(why, INST_WHY, "%s", rc == 0 ? "" : o.err);
	free(o.out);
	return rc;
}
