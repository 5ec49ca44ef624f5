/* proc.c - the process: daemonising, identity, limits; see proc.h.
 *
 * Owns what must be done once for a process, in the right order and checked:
 * each of these calls is a place where a silent failure would leave a daemon
 * with more rights, or fewer guarantees, than its administrator believes.
 * Must not log (the callers name the failing step) and must not be called
 * once threads exist. */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "str.h"

#define NSS_BUF_SIZE 65536

/* --- daemonising --------------------------------------------------------- */

static int g_ready_fd = -1;

int proc_std_open(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -1;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static int null_to(int first, int last)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	for (int i = first; i <= last; i++) {
		if (dup2(fd, i) < 0) {
			close(fd);
			return -1;
		}
	}
	close(fd);
	return 0;
}

/* Waits for the child's word and leaves with what it means. */
__attribute__((noreturn))
static void parent_wait(int fd, pid_t child)
{
	char word;
	ssize_t n;
	int status;
	pid_t pid;

	do {
		n = read(fd, &word, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	do {
		pid = waitpid(child, &status, 0);
	} while (pid < 0 && errno == EINTR);
	if (pid < 0)
		_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int proc_daemonize(void)
{
	int p[2];

	if (proc_std_open() < 0 || pipe2(p, O_CLOEXEC) < 0)
		return -1;
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0) {
		int e = errno;
		close(p[0]);
		close(p[1]);
		errno = e;
		return -1;
	}
	if (pid > 0) {
		close(p[1]);
		parent_wait(p[0], pid);
	}
	close(p[0]);
	g_ready_fd = p[1];
	if (setsid() < 0 || chdir("/") < 0 || null_to(STDIN_FILENO, STDOUT_FILENO) < 0)
		return -1;
	return 0;
}

void proc_daemon_ready(void)
{
	if (g_ready_fd < 0)
		return;
	null_to(STDERR_FILENO, STDERR_FILENO);
	ssize_t rc = write(g_ready_fd, "r", 1);
	(void)rc; /* the parent was killed: nobody to tell */
	close(g_ready_fd);
	g_ready_fd = -1;
}

/* --- as another user ------------------------------------------------------ */

/* The child's end closes the pipe, in which nothing is written. */
static int end_of(pid_t pid, int fd)
{
	struct pollfd p = { .fd = fd };
	int rc, status = 0;

	do {
		rc = poll(&p, 1, PROC_AS_MS);
	} while (rc < 0 && errno == EINTR);
	if (rc != 1)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return rc != 1 ? ETIMEDOUT : WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

int proc_do_as(const struct proc_identity *id, int (*fn)(const void *arg), const void *arg)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(proc_identity_take(id) < 0 || fn(arg) < 0 ? errno : 0);
	int e = errno;
	close(p[1]);
	if (pid > 0)
		e = end_of(pid, p[0]);
	close(p[0]);
	errno = e;
	return e == 0 ? 0 : -1;
}

struct access_to {
	const char *path;
	int mode;
};

static int try_access(const void *arg)
{
	const struct access_to *a = arg;

	return faccessat(AT_FDCWD, a->path, a->mode, AT_EACCESS);
}

int proc_try_as(const char *path, int mode, const struct proc_identity *id)
{
	const struct access_to a = { path, mode };

	return proc_do_as(id, try_access, &a);
}

/* --- identity ------------------------------------------------------------ */

static int lookup_user(const char *user, struct proc_identity *out, char *why, size_t size)
{
	struct passwd pw, *res = NULL;
	char *mem = malloc(NSS_BUF_SIZE);
	int rc = mem == NULL ? ENOMEM : getpwnam_r(user, &pw, mem, NSS_BUF_SIZE, &res);

	if (res != NULL) {
		out->uid = pw.pw_uid;
		str_copy(out->user, sizeof out->user, user);
	} else {
		/* The usual reason: nobody has made the account yet. */
		snprintf(why, size, rc == 0 ? "user: no such user %s: make it, for example with "
			"adduser --system --group --no-create-home %s" : "user: %s: %s",
			rc == 0 ? user : strerror(rc), user);
	}
	free(mem);
	return res != NULL ? 0 : -1;
}

static int lookup_group(const char *group, struct proc_identity *out, char *why, size_t size)
{
	struct group gr, *res = NULL;
	char *mem = malloc(NSS_BUF_SIZE);
	int rc = mem == NULL ? ENOMEM : getgrnam_r(group, &gr, mem, NSS_BUF_SIZE, &res);

	if (res != NULL)
		out->gid = gr.gr_gid;
	else
		snprintf(why, size, rc == 0 ? "group: no such group %s: make it, for example with "
			"groupadd --system %s" : "group: %s: %s", rc == 0 ? group : strerror(rc), group);
	free(mem);
	return res != NULL ? 0 : -1;
}

int proc_identity_get(const char *user, const char *group, struct proc_identity *out,
	char *why, size_t why_size)
{
	memset(out, 0, sizeof *out);
	out->uid = geteuid();
	out->gid = getegid();
	if (out->uid != 0)
		return 0;
	if (strlen(user) >= sizeof out->user) {
		snprintf(why, why_size, "user: the name is too long");
		return -1;
	}
	if (lookup_user(user, out, why, why_size) < 0 ||
	    lookup_group(group, out, why, why_size) < 0)
		return -1;
	out->drop = out->uid != 0;
	return 0;
}

static int drop_ids(const struct proc_identity *id)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	/* The user's other groups too: access to clamd's socket is given so. */
	if (initgroups(id->user, id->gid) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
	    setresuid(id->uid, id->uid, id->uid) < 0)
		return -1;
	if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
		return -1;
	if (r != id->uid || e != id->uid || s != id->uid || rg != id->gid || eg != id->gid ||
	    sg != id->gid || setuid(0) == 0 || seteuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* Becoming another user takes them away, but not where the program was started
 * as that user and was given some, such as CAP_NET_BIND_SERVICE. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	return (int)syscall(SYS_capset, &head, none);
}

int proc_identity_drop(const struct proc_identity *id)
{
	return id->drop ? drop_ids(id) : 0;
}

int proc_identity_take(const struct proc_identity *id)
{
	/* 1, not 0: the kernel obeys a limit of 0 for files only, and would still
	 * pipe the core with its mails to a core_pattern program. */
	struct rlimit no_core = { 1, 1 };

	if (proc_identity_drop(id) < 0)
		return -1;
	if (geteuid() != 0 && drop_capabilities() < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -1;
	umask(077);
	return 0;
}

int proc_die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -1;
	if (getppid() != parent) {
		errno = ESRCH;
		return -1;
	}
	return 0;
}

/* --- limits and descriptors ---------------------------------------------- */

unsigned long proc_raise_nofile(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 0;
	rlim_t was = rl.rlim_cur;
	rl.rlim_cur = rl.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &rl) < 0 ? was : rl.rlim_cur;
}

void proc_close_others(const int *keep, size_t n)
{
	unsigned from = STDERR_FILENO + 1;

	closelog();
	for (;;) {
		int next = -1; /* the lowest descriptor to keep that is >= from */
		for (size_t i = 0; i < n; i++) {
			if (keep[i] >= (int)from && (next < 0 || keep[i] < next))
				next = keep[i];
		}
		unsigned to = next < 0 ? UINT_MAX : (unsigned)next - 1;
		if (to >= from)
			close_range(from, to, 0);
		if (next < 0)
			break;
		from = (unsigned)next + 1;
	}
	log_reopen();
}

void proc_signals_default(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void proc_set_title(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
}
