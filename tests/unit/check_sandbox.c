/* check_sandbox.c - what a process of each kind may ask of the kernel, tried by
 * one that has the filter on. */
#include "config.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "unit.h"

#define PAGE 4096
#define KILLED (-1)

/* What a process has open when the filter closes. */
static int mem, pair[2], listening, idle;
static void *mapped;

/* Each says 0 or -1 with errno. */

static int open_read(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 ? -1 : 0;
}

static int open_write(void)
{
	return open("/dev/null", O_WRONLY) < 0 ? -1 : 0;
}

static int open_create(void)
{
	return open("check_sandbox.new", O_WRONLY | O_CREAT, 0600) < 0 ? -1 : 0;
}

static int open_proc(void)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%ld/maps", (long)getppid());
	return open(path, O_RDONLY) < 0 ? -1 : 0;
}

static int open_again(void)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", mem);
	return open(path, O_RDWR) < 0 ? -1 : 0;
}

static int open_old(void)
{
#ifdef SYS_open
	return (int)syscall(SYS_open, "/etc/passwd", O_RDONLY) < 0 ? -1 : 0;
#else
	errno = EACCES;
	return -1;
#endif
}

static int remove_file(void)
{
	return unlink("check_sandbox.none");
}

static int stat_path(void)
{
	struct stat st;

	return fstatat(AT_FDCWD, "/etc/passwd", &st, 0);
}

static int stat_fd(void)
{
	struct stat st;

	return fstat(mem, &st);
}

static int run_program(void)
{
	char *argv[] = { (char *)"true", NULL };

	return execve("/bin/true", argv, argv + 1);
}

static int run_by_fd(void)
{
	char *argv[] = { (char *)"x", NULL };

	return (int)syscall(SYS_execveat, mem, "", argv, argv + 1, AT_EMPTY_PATH);
}

static int make_process(void)
{
	return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void *in_thread(void *arg)
{
	return arg;
}

static int make_thread(void)
{
	pthread_t t;
	void *got = NULL;

	errno = pthread_create(&t, NULL, in_thread, &mem);
	if (errno != 0)
		return -1;
	pthread_join(t, &got);
	return got == &mem ? 0 : -1;
}

/* A filter that threads did not have would be none. */
static void *opens(void *arg)
{
	*(int *)arg = open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
	return NULL;
}

static int open_in_thread(void)
{
	pthread_t t;
	int error = 0;

	if (pthread_create(&t, NULL, opens, &error) != 0)
		return 0;
	pthread_join(t, NULL);
	errno = error;
	return error != 0 ? -1 : 0;
}

static int socket_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? -1 : 0;
}

static int socket_unix(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ? -1 : 0;
}

static int socket_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? -1 : 0;
}

static int connect_fd(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return connect(pair[0], (struct sockaddr *)&in, sizeof in);
}

static int bind_fd(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	return bind(pair[0], (struct sockaddr *)&un, sizeof un);
}

static int send_elsewhere(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	return sendto(pair[0], "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&un, sizeof un) < 0 ? -1 : 0;
}

/* A socket that an engine has reset is one like this. */
static int send_fast(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct iovec iov = { .iov_base = (void *)"x", .iov_len = 1 };
	const struct msghdr msg = { .msg_name = &in, .msg_namelen = sizeof in, .msg_iov = &iov,
		.msg_iovlen = 1 };

	return sendmsg(idle, &msg, MSG_FASTOPEN | MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static int send_message(void)
{
	struct iovec iov = { .iov_base = (void *)"x", .iov_len = 1 };
	const struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return sendmsg(pair[0], &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

static int pair_of_datagrams(void)
{
	int p[2];

	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, p);
}

static int pair_of_packets(void)
{
	int p[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p);
}

static int talk(void)
{
	struct pollfd pf = { .fd = pair[1], .events = POLLIN };
	char c;

	return send(pair[0], "x", 1, MSG_NOSIGNAL) == 1 && poll(&pf, 1, 0) == 1 &&
		recv(pair[1], &c, 1, 0) == 1 ? 0 : -1;
}

/* What is done to a listening socket is done to all workers'. */
static int no_more_to_send(void)
{
	return shutdown(pair[0], SHUT_WR);
}

static int no_more_to_read(void)
{
	return shutdown(pair[0], SHUT_RD);
}

static int no_more_at_all(void)
{
	return shutdown(pair[0], SHUT_RDWR);
}

static int blocking(void)
{
	return fcntl(pair[0], F_SETFL, 0);
}

static int set_on(int level, int option)
{
	int on = 1;

	return setsockopt(listening, level, option, &on, sizeof on);
}

static int options_of_ours(void)
{
	return set_on(IPPROTO_TCP, TCP_NODELAY) == 0 && set_on(SOL_SOCKET, SO_KEEPALIVE) == 0 ? 0 : -1;
}

static int wait_for_data(void)
{
	return set_on(IPPROTO_TCP, TCP_DEFER_ACCEPT);
}

static int socket_filter(void)
{
	return set_on(SOL_SOCKET, SO_ATTACH_FILTER);
}

static int same_number(void)
{
	return set_on(SOL_SOCKET, SO_DEBUG);
}

static int memory(void)
{
	char *p = malloc(64 << 20);
	int fd = memfd_create("check", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (p == NULL || fd < 0 || pwrite(fd, p, PAGE, 0) != PAGE ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
		return -1;
	memset(p, 1, 64 << 20);
	p = realloc(p, 128 << 20);
	free(p);
	return p != NULL ? 0 : -1;
}

static int map_code(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0) == MAP_FAILED ? -1 : 0;
}

static int map_as(int flags)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int map_private(void)
{
	return map_as(MAP_PRIVATE | MAP_NORESERVE | MAP_STACK);
}

/* Neither counts for RLIMIT_DATA. */
static int map_shared(void)
{
	return map_as(MAP_SHARED | MAP_NORESERVE);
}

static int map_growing(void)
{
	return map_as(MAP_PRIVATE | MAP_GROWSDOWN);
}

static int make_code(void)
{
	return mprotect(mapped, PAGE, PROT_READ | PROT_EXEC);
}

static int wait_and_time(void)
{
	const struct timespec nap = { .tv_nsec = 1000 };
	struct epoll_event e;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return ep >= 0 && epoll_wait(ep, &e, 1, 0) == 0 && nanosleep(&nap, NULL) == 0 &&
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &nap) == 0 ? 0 : -1;
}

static int signal_itself(void)
{
	signal(SIGUSR1, SIG_IGN);
	return (int)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
}

static int signal_parent(void)
{
	return kill(getppid(), 0);
}

static int signal_thread_of_parent(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int own_signals(void)
{
	return fcntl(mem, F_SETOWN, getppid());
}

static int limits_of_parent(void)
{
	const struct rlimit none = { 0, 0 };

	return (int)syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, &none, NULL);
}

/* What is not the owner's to open can be made so by him. */
static int mode_of_path(void)
{
	return chmod("check_sandbox.none", 0666);
}

static int mode_of_fd(void)
{
	return fchmod(mem, 0666);
}

static int mode_by_new_call(void)
{
	return (int)syscall(452, AT_FDCWD, "check_sandbox.none", 0666, 0); /* fchmodat2 */
}

static int owner_of_path(void)
{
	return lchown("check_sandbox.none", (uid_t)-1, (gid_t)-1);
}

static int owner_of_fd(void)
{
	return fchown(mem, (uid_t)-1, (gid_t)-1);
}

static int attribute_of_path(void)
{
	return setxattr("check_sandbox.none", "user.check", "x", 1, 0);
}

static int attribute_by_new_call(void)
{
	return (int)syscall(463, AT_FDCWD, "check_sandbox.none", 0, "user.check", NULL, 0);
}

static int times_of_fd(void)
{
	return futimens(mem, NULL);
}

static int limits_of_itself(void)
{
	const struct rlimit one = { 1, 1 };

	return (int)syscall(SYS_prlimit64, 0, RLIMIT_CORE, &one, NULL);
}

static int trace(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int read_parent(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static int mount_it(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int new_user(void)
{
	return unshare(CLONE_NEWUSER);
}

static int become_root(void)
{
	return setuid(0);
}

static int load_bpf(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
}

static int ring(void)
{
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int not_there(void)
{
	return (int)syscall(1999);
}

#define SCANNER (1u << SANDBOX_SCANNER)
#define AGENT (1u << SANDBOX_AGENT)
#define SIDE (1u << SANDBOX_SIDE)
#define WWWI (1u << SANDBOX_WWWI)
#define ALL (SCANNER | AGENT)
#define EVERY (ALL | WWWI | SIDE)

static const struct {
	unsigned kinds;
	int (*try)(void);
	int error;           /* 0 it works */
} tries[] = {
	{ SCANNER, open_read, EACCES },
	{ SIDE, open_read, 0 },
	{ SCANNER, open_write, EACCES },
	{ SCANNER, open_create, EACCES },
	{ SCANNER, open_proc, EACCES },
	{ SCANNER, open_again, EACCES },
	{ SCANNER, open_in_thread, EACCES },
	{ ALL, open_old, EACCES },
	{ SCANNER, remove_file, EACCES },
	{ AGENT, remove_file, ENOENT },
	{ AGENT, open_again, 0 },
	{ ALL, stat_path, EACCES },
	{ ALL, stat_fd, 0 },
	{ EVERY, run_program, KILLED },
	{ EVERY, run_by_fd, KILLED },
	{ EVERY, make_process, KILLED },
	{ EVERY, make_thread, 0 },
	{ SCANNER, socket_inet, EACCES },
	{ SCANNER, socket_unix, EACCES },
	{ SCANNER, socket_netlink, EACCES },
	{ SCANNER, connect_fd, EACCES },
	{ AGENT | SIDE, socket_inet, 0 },
	{ AGENT, socket_unix, 0 },
	{ AGENT, socket_netlink, ENOSYS },
	{ AGENT, connect_fd, EINVAL },
	{ ALL, bind_fd, EACCES },
	{ ALL, send_elsewhere, ENOSYS },
	{ ALL | WWWI, send_fast, ENOSYS },
	{ ALL | WWWI, send_message, 0 },
	{ ALL, pair_of_datagrams, ENOSYS },
	{ ALL, pair_of_packets, 0 },
	{ ALL, talk, 0 },
	{ ALL, no_more_to_send, 0 },
	{ ALL, no_more_to_read, ENOSYS },
	{ ALL, no_more_at_all, ENOSYS },
	{ ALL, blocking, ENOSYS },
	{ AGENT, options_of_ours, 0 },
	{ SCANNER, options_of_ours, EACCES },
	{ AGENT, wait_for_data, ENOSYS },
	{ AGENT, socket_filter, ENOSYS },
	{ AGENT, same_number, ENOSYS },
	{ ALL, memory, 0 },
	{ ALL, map_code, EACCES },
	{ ALL, map_private, 0 },
	{ SCANNER, map_shared, ENOSYS },
	{ SCANNER, map_growing, ENOSYS },
	{ AGENT, map_shared, 0 },
	{ ALL, make_code, EACCES },
	{ ALL, wait_and_time, 0 },
	{ EVERY, signal_itself, 0 },
	{ EVERY, signal_parent, EACCES },
	{ EVERY, signal_thread_of_parent, EACCES },
	{ ALL, own_signals, ENOSYS },
	{ SIDE, own_signals, EACCES },
	{ ALL, limits_of_parent, ENOSYS },
	{ SIDE, limits_of_parent, EACCES },
	{ SIDE, limits_of_itself, 0 },
	{ EVERY, mode_of_path, EACCES },
	{ EVERY, mode_of_fd, EACCES },
	{ EVERY, mode_by_new_call, EACCES },
	{ EVERY, owner_of_path, EACCES },
	{ ALL, owner_of_fd, EACCES },
	{ SIDE, owner_of_fd, 0 },    /* the quarantine's, for what root has written */
	{ EVERY, attribute_of_path, EACCES },
	{ EVERY, attribute_by_new_call, EACCES },
	{ EVERY, times_of_fd, EACCES },
	{ EVERY, trace, KILLED },
	{ EVERY, read_parent, KILLED },
	{ EVERY, mount_it, KILLED },
	{ EVERY, new_user, KILLED },
	{ EVERY, become_root, KILLED },
	{ EVERY, load_bpf, KILLED },
	{ EVERY, ring, KILLED },
	{ ALL, dumpable, ENOSYS },
	{ ALL, not_there, ENOSYS },
};
#define TRIES ((int)(sizeof tries / sizeof tries[0]))

static void opened(void)
{
	mem = memfd_create("check_sandbox", MFD_CLOEXEC);
	ck_assert_int_ge(mem, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	listening = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	idle = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(idle, 0);
	mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(mapped, MAP_FAILED);
}

static bool has_filter(void)
{
#ifdef HAVE_LIBSECCOMP
	return confine_why_not() == NULL;
#else
	return false;
#endif
}

/* The status of a process of this kind that does it. */
static int status_of(enum sandbox_kind kind, int (*try)(void))
{
	const char *why;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter(kind, &why) < 0)
			_exit(255);
		errno = 0;
		_exit(try() == 0 ? 0 : errno);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void try_one(enum sandbox_kind kind, int i)
{
	if ((tries[i].kinds & 1u << kind) == 0 || !has_filter())
		return;
	const int status = status_of(kind, tries[i].try);
	if (tries[i].error == KILLED)
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
			"try %d, kind %d: status %x", i, kind, (unsigned)status);
	else
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == tries[i].error,
			"try %d, kind %d: status %x", i, kind, (unsigned)status);
}

START_TEST(scanner)
{
	opened();
	try_one(SANDBOX_SCANNER, _i);
}
END_TEST

START_TEST(side)
{
	opened();
	try_one(SANDBOX_SIDE, _i);
}
END_TEST

START_TEST(agent)
{
	opened();
	try_one(SANDBOX_AGENT, _i);
}
END_TEST

START_TEST(wwwi)
{
	opened();
	try_one(SANDBOX_WWWI, _i);
}
END_TEST

/* 0: there is a reason where there is no filter, and nowhere else. */
static int reason(void)
{
	const char *why = "untouched";
	const int rc = sandbox_enter(SANDBOX_SCANNER, &why);

	if (has_filter())
		return rc == 0 && why == NULL ? 0 : 1;
	return rc == -1 && why != NULL && why[0] != '\0' && open_read() == 0 ? 0 : 2;
}

START_TEST(says_why_not)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(reason());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sandbox");
	TCase *t = tcase_create("sandbox");

	tcase_add_loop_test(t, scanner, 0, TRIES);
	tcase_add_loop_test(t, agent, 0, TRIES);
	tcase_add_loop_test(t, side, 0, TRIES);
	tcase_add_loop_test(t, wwwi, 0, TRIES);
	suite_add_tcase(s, t);
	t = tcase_create("why");
	tcase_add_test(t, says_why_not);
	suite_add_tcase(s, t);
	return unit_run(s);
}
