/* sandbox.c - system call filters, see sandbox.h.
 *
 * Owns the table of what each kind of process may call. Calls that are allowed
 * whatever their arguments cost next to nothing: the kernel knows them by a
 * bitmap and runs no filter. For the others libseccomp makes a binary tree.
 * Names that a machine does not have are left out by libseccomp; the forms of
 * 32-bit machines stand beside their sisters. */
#include "config.h"

#include "sandbox.h"

#include "confine.h"
#include "log.h"

#ifdef HAVE_LIBSECCOMP

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCANNER (1u << SANDBOX_SCANNER)
#define AGENT (1u << SANDBOX_AGENT)
#define SIDE (1u << SANDBOX_SIDE)
#define WWWI (1u << SANDBOX_WWWI)
#define ALL (SCANNER | AGENT | WWWI)
#define EVERY (ALL | SIDE)

#define LIBRARY_ROOM (2u << 20)  /* a filter takes 0.7 MiB to make */
#define SOCK_KIND 0xf        /* of socket's second argument, less its flags */

enum answer { ALLOW, REFUSE, UNKNOWN, FATAL };

struct rule {
	unsigned kinds;
	enum answer answer;
	int call;
	struct {
		enum { ANY, IS, NOT, OWN_PID, OTHER_PID } test; /* of an argument, */
		unsigned arg;
		uint64_t mask, value;          /* IS: less what mask leaves out */
	} if_, and_;                           /* and_: another IS, or ANY */
};

#define NO_TEST { ANY, 0, 0, 0 }
#define CALL(kinds, answer, name) { kinds, answer, SCMP_SYS(name), NO_TEST, NO_TEST }
/* Newer than headers may be: the number is one on all machines but Alpha and MIPS. */
#define CALL_NEW(kinds, answer, number) { kinds, answer, number, NO_TEST, NO_TEST }
#define CALL_IF(kinds, answer, name, test, arg, mask, value) \
	{ kinds, answer, SCMP_SYS(name), { test, arg, mask, value }, NO_TEST }
#define CALL_IF2(kinds, answer, name, value1, value2) \
	{ kinds, answer, SCMP_SYS(name), { IS, 1, WHOLE, value1 }, { IS, 2, WHOLE, value2 } }
/* RLIMIT_DATA lets pass what is shared, and what grows as a stack does. */
#define CALL_COUNTED_MAP(kinds, answer, name) \
	{ kinds, answer, SCMP_SYS(name), { IS, 2, PROT_EXEC, 0 }, \
		{ IS, 3, MAP_SHARED | MAP_GROWSDOWN, 0 } }
#define WHOLE UINT32_MAX     /* an int; what stands above it in the register is nobody's */
#define POINTER UINT64_MAX

static const struct rule rules[] = {
	/* memory */
	CALL(ALL, ALLOW, brk),
	CALL(ALL, ALLOW, munmap),
	CALL(ALL, ALLOW, mremap),
	CALL(ALL, ALLOW, madvise),
	CALL_COUNTED_MAP(SCANNER, ALLOW, mmap),
	CALL_COUNTED_MAP(SCANNER, ALLOW, mmap2),
	CALL_IF(AGENT | WWWI, ALLOW, mmap, IS, 2, PROT_EXEC, 0),
	CALL_IF(AGENT | WWWI, ALLOW, mmap2, IS, 2, PROT_EXEC, 0),
	CALL_IF(ALL, ALLOW, mprotect, IS, 2, PROT_EXEC, 0),
	CALL_IF(ALL, REFUSE, mmap, IS, 2, PROT_EXEC, PROT_EXEC),
	CALL_IF(ALL, REFUSE, mmap2, IS, 2, PROT_EXEC, PROT_EXEC),
	CALL_IF(ALL, REFUSE, mprotect, IS, 2, PROT_EXEC, PROT_EXEC),
	CALL(ALL, ALLOW, memfd_create),

	/* threads; clone3, which hides its flags from us, stays unknown */
	CALL(SIDE, UNKNOWN, clone3),
	CALL_IF(ALL, ALLOW, clone, IS, 0, CLONE_THREAD, CLONE_THREAD),
	CALL_IF(EVERY, FATAL, clone, IS, 0, CLONE_THREAD, 0),
	CALL(ALL, ALLOW, futex),
	CALL(ALL, ALLOW, futex_time64),
	CALL(ALL, ALLOW, rseq),
	CALL(ALL, ALLOW, membarrier),
	CALL(ALL, ALLOW, set_robust_list),
	CALL(ALL, ALLOW, sched_yield),
	CALL(ALL, ALLOW, sched_getaffinity),
	CALL(ALL, ALLOW, getcpu),
	CALL(ALL, ALLOW, gettid),
	CALL(ALL, ALLOW, exit),
	CALL(ALL, ALLOW, exit_group),
	CALL_IF(ALL, ALLOW, prctl, IS, 0, WHOLE, PR_SET_NAME),

	/* signals, to itself */
	CALL(ALL, ALLOW, rt_sigaction),
	CALL(ALL, ALLOW, rt_sigprocmask),
	CALL(ALL, ALLOW, rt_sigreturn),
	CALL(ALL, ALLOW, sigreturn),
	CALL(ALL, ALLOW, rt_sigtimedwait),
	CALL(ALL, ALLOW, rt_sigtimedwait_time64),
	CALL(ALL, ALLOW, rt_sigpending),
	CALL(ALL, ALLOW, sigaltstack),
	CALL(ALL, ALLOW, restart_syscall),
	CALL_IF(ALL, ALLOW, tgkill, OWN_PID, 0, 0, 0),
	CALL_IF(EVERY, REFUSE, tgkill, OTHER_PID, 0, 0, 0),
	CALL(EVERY, REFUSE, kill),
	CALL(EVERY, REFUSE, tkill),
	CALL(EVERY, REFUSE, rt_sigqueueinfo),
	CALL(EVERY, REFUSE, rt_tgsigqueueinfo),
	/* A descriptor can have signals sent, a limit that is met sends one. */
	CALL_IF(SIDE, REFUSE, fcntl, IS, 1, WHOLE, F_SETOWN),
	CALL_IF(SIDE, REFUSE, fcntl, IS, 1, WHOLE, F_SETOWN_EX),
	CALL_IF(SIDE, REFUSE, fcntl64, IS, 1, WHOLE, F_SETOWN),
	CALL_IF(SIDE, REFUSE, fcntl64, IS, 1, WHOLE, F_SETOWN_EX),
	CALL_IF(SIDE, REFUSE, ioctl, IS, 1, WHOLE, FIOSETOWN),
	CALL_IF(SIDE, REFUSE, ioctl, IS, 1, WHOLE, SIOCSPGRP),
	CALL_IF(SIDE, REFUSE, prlimit64, NOT, 0, 0, 0),

	/* time, and what it is told about itself */
	CALL(ALL, ALLOW, clock_gettime),
	CALL(ALL, ALLOW, clock_gettime64),
	CALL(ALL, ALLOW, clock_getres),
	CALL(ALL, ALLOW, gettimeofday),
	CALL(ALL, ALLOW, time),
	CALL(ALL, ALLOW, nanosleep),
	CALL(ALL, ALLOW, clock_nanosleep),
	CALL(ALL, ALLOW, clock_nanosleep_time64),
	CALL(ALL, ALLOW, getrandom),
	CALL(ALL, ALLOW, getpid),
	CALL(ALL, ALLOW, getppid),
	CALL(ALL, ALLOW, getuid),
	CALL(ALL, ALLOW, geteuid),
	CALL(ALL, ALLOW, getgid),
	CALL(ALL, ALLOW, getegid),
	CALL(ALL, ALLOW, sysinfo),
	CALL(ALL, ALLOW, uname),
	CALL(ALL, ALLOW, getrlimit),
	CALL(ALL, ALLOW, ugetrlimit),
	CALL_IF(ALL, ALLOW, prlimit64, IS, 2, POINTER, 0),

	/* descriptors that are there */
	CALL(ALL, ALLOW, read),
	CALL(ALL, ALLOW, readv),
	CALL(ALL, ALLOW, pread64),
	CALL(ALL, ALLOW, preadv),
	CALL(ALL, ALLOW, write),
	CALL(ALL, ALLOW, writev),
	CALL(ALL, ALLOW, pwrite64),
	CALL(ALL, ALLOW, pwritev),
	CALL(ALL, ALLOW, close),
	CALL(ALL, ALLOW, lseek),
	CALL(ALL, ALLOW, _llseek),
	CALL(ALL, ALLOW, fstat),
	CALL(ALL, ALLOW, fstat64),
	/* fstat of today's C library */
	CALL_IF(ALL, ALLOW, newfstatat, IS, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
	CALL_IF(SCANNER | AGENT, REFUSE, newfstatat, IS, 3, AT_EMPTY_PATH, 0),
	CALL_IF(ALL, ALLOW, fstatat64, IS, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
	CALL_IF(SCANNER | AGENT, REFUSE, fstatat64, IS, 3, AT_EMPTY_PATH, 0),
	CALL_IF(ALL, ALLOW, statx, IS, 2, AT_EMPTY_PATH, AT_EMPTY_PATH),
	CALL_IF(ALL, REFUSE, statx, IS, 2, AT_EMPTY_PATH, 0),
	/* not the agent's: nobody cuts short what the scanner reads */
	CALL(SCANNER, ALLOW, ftruncate),
	CALL(SCANNER, ALLOW, ftruncate64),
	CALL(AGENT, REFUSE, ftruncate),
	CALL(AGENT, REFUSE, ftruncate64),
	CALL(AGENT, REFUSE, fallocate),
	CALL(ALL, ALLOW, fadvise64),
	CALL(ALL, ALLOW, fadvise64_64),
	CALL_IF(ALL, ALLOW, fcntl, IS, 1, WHOLE, F_GETFD),
	CALL_IF(ALL, ALLOW, fcntl, IS, 1, WHOLE, F_SETFD),
	CALL_IF(ALL, ALLOW, fcntl, IS, 1, WHOLE, F_GETFL),
	CALL_IF(ALL, ALLOW, fcntl, IS, 1, WHOLE, F_ADD_SEALS),
	CALL_IF(ALL, ALLOW, fcntl, IS, 1, WHOLE, F_GET_SEALS),
	CALL_IF(ALL, ALLOW, fcntl64, IS, 1, WHOLE, F_GETFD),
	CALL_IF(ALL, ALLOW, fcntl64, IS, 1, WHOLE, F_SETFD),
	CALL_IF(ALL, ALLOW, fcntl64, IS, 1, WHOLE, F_GETFL),
	CALL_IF(ALL, ALLOW, fcntl64, IS, 1, WHOLE, F_ADD_SEALS),
	CALL_IF(ALL, ALLOW, fcntl64, IS, 1, WHOLE, F_GET_SEALS),
	CALL(ALL, ALLOW, pipe2),
	CALL(ALL, ALLOW, eventfd2),

	/* waiting */
	CALL(ALL, ALLOW, poll),
	CALL(ALL, ALLOW, ppoll),
	CALL(ALL, ALLOW, ppoll_time64),
	CALL(ALL, ALLOW, epoll_create1),
	CALL(ALL, ALLOW, epoll_ctl),
	CALL(ALL, ALLOW, epoll_wait),
	CALL(ALL, ALLOW, epoll_pwait),
	CALL(ALL, ALLOW, epoll_pwait2),

	/* sockets that are there, and pairs of our own */
	CALL(ALL, ALLOW, accept4),
	CALL(ALL, ALLOW, recvfrom),
	CALL(ALL, ALLOW, recvmsg),
	CALL(ALL, ALLOW, recv),
	/* MSG_FASTOPEN would connect a TCP socket that is reset, to whomever. */
	CALL_IF(ALL, ALLOW, sendmsg, IS, 2, MSG_FASTOPEN, 0),
	CALL(ALL, ALLOW, send),
	CALL_IF(ALL, ALLOW, sendto, IS, 4, POINTER, 0), /* to nobody but its peer */
	/* The other ways would end a listening socket for all workers. */
	CALL_IF(ALL, ALLOW, shutdown, IS, 1, WHOLE, SHUT_WR),
	CALL(ALL, ALLOW, getsockopt),
	CALL(ALL, ALLOW, getsockname),
	CALL(ALL, ALLOW, getpeername),
	/* No datagrams: they could be sent elsewhere. */
	CALL_IF(ALL, ALLOW, socketpair, IS, 1, SOCK_KIND, SOCK_STREAM),
	CALL_IF(ALL, ALLOW, socketpair, IS, 1, SOCK_KIND, SOCK_SEQPACKET),

	/* An agent dials and opens spool files. No options but these two: a listening
	 * socket has its own for all workers, as it has O_NONBLOCK. */
	CALL_IF(AGENT, ALLOW, socket, IS, 0, WHOLE, AF_UNIX),
	CALL_IF(AGENT, ALLOW, socket, IS, 0, WHOLE, AF_INET),
	CALL_IF(AGENT, ALLOW, socket, IS, 0, WHOLE, AF_INET6),
	CALL(AGENT, ALLOW, connect),
	CALL_IF2(AGENT, ALLOW, setsockopt, IPPROTO_TCP, TCP_NODELAY),
	CALL_IF2(AGENT, ALLOW, setsockopt, SOL_SOCKET, SO_KEEPALIVE),
	/* Where, is confine_all_to_dir's matter; a file system without O_TMPFILE
	 * needs unlink as well. */
	CALL(AGENT, ALLOW, openat),
	CALL(AGENT, ALLOW, unlink),
	CALL(AGENT, ALLOW, unlinkat),
	CALL(ALL, ALLOW, fstatfs),
	CALL(ALL, ALLOW, fstatfs64),
	CALL(AGENT, ALLOW, sendfile),
	CALL(AGENT, ALLOW, sendfile64),

	/* The web server asks by UNIX sockets and reads the quarantine's index. */
	CALL_IF(WWWI, ALLOW, socket, IS, 0, WHOLE, AF_UNIX),
	CALL(WWWI, ALLOW, connect),
	CALL_IF2(WWWI, ALLOW, setsockopt, IPPROTO_TCP, TCP_NODELAY),
	CALL_IF2(WWWI, ALLOW, setsockopt, SOL_SOCKET, SO_KEEPALIVE),
	CALL_IF2(WWWI, ALLOW, setsockopt, SOL_SOCKET, SO_RCVTIMEO),
	CALL_IF2(WWWI, ALLOW, setsockopt, SOL_SOCKET, SO_SNDTIMEO),
	CALL_IF(WWWI, ALLOW, openat, IS, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
	CALL(WWWI, ALLOW, getdents64),
	CALL_IF(WWWI, ALLOW, newfstatat, IS, 3, AT_EMPTY_PATH, 0),
	CALL_IF(WWWI, ALLOW, fstatat64, IS, 3, AT_EMPTY_PATH, 0),

	/* What a library may try, and can do without. */
	CALL(SCANNER, REFUSE, socket),
	CALL(SCANNER, REFUSE, connect),
	CALL(SCANNER, REFUSE, setsockopt),
	CALL(SCANNER, REFUSE, openat),
	CALL(ALL, REFUSE, openat2),
	CALL(ALL, REFUSE, open),
	CALL(ALL, REFUSE, creat),
	CALL(ALL, REFUSE, access),
	CALL(ALL, REFUSE, faccessat),
	CALL(ALL, REFUSE, faccessat2),
	CALL(ALL, REFUSE, stat),
	CALL(ALL, REFUSE, lstat),
	CALL(ALL, REFUSE, stat64),
	CALL(ALL, REFUSE, lstat64),
	CALL(ALL, REFUSE, readlink),
	CALL(ALL, REFUSE, readlinkat),
	CALL(ALL, REFUSE, getcwd),
	CALL(ALL, REFUSE, chdir),
	CALL(ALL, REFUSE, mkdir),
	CALL(ALL, REFUSE, mkdirat),
	CALL(SCANNER | WWWI, REFUSE, unlink),
	CALL(SCANNER | WWWI, REFUSE, unlinkat),
	CALL(ALL, REFUSE, rename),
	CALL(ALL, REFUSE, renameat),
	CALL(ALL, REFUSE, renameat2),
	CALL(ALL, REFUSE, link),
	CALL(ALL, REFUSE, linkat),
	CALL(ALL, REFUSE, symlink),
	CALL(ALL, REFUSE, symlinkat),
	CALL(ALL, REFUSE, truncate),
	CALL(ALL, REFUSE, bind),
	CALL(ALL, REFUSE, listen),
	CALL(ALL, REFUSE, ioctl),

	/* Whose a file is and who may open it, which Landlock does not ask about. The
	 * quarantine leaves a file that it writes anew to its owner. */
	CALL(EVERY, REFUSE, chmod),
	CALL(EVERY, REFUSE, fchmod),
	CALL(EVERY, REFUSE, fchmodat),
	CALL_NEW(EVERY, REFUSE, 452), /* fchmodat2 */
	CALL(EVERY, REFUSE, chown),
	CALL(EVERY, REFUSE, chown32),
	CALL(EVERY, REFUSE, lchown),
	CALL(EVERY, REFUSE, lchown32),
	CALL(ALL, REFUSE, fchown),
	CALL(ALL, REFUSE, fchown32),
	CALL(EVERY, REFUSE, fchownat),
	CALL(EVERY, REFUSE, setxattr),
	CALL(EVERY, REFUSE, lsetxattr),
	CALL(EVERY, REFUSE, fsetxattr),
	CALL_NEW(EVERY, REFUSE, 463), /* setxattrat */
	CALL(EVERY, REFUSE, removexattr),
	CALL(EVERY, REFUSE, lremovexattr),
	CALL(EVERY, REFUSE, fremovexattr),
	CALL_NEW(EVERY, REFUSE, 466), /* removexattrat */
	CALL_NEW(EVERY, REFUSE, 469), /* file_setattr */
	CALL(EVERY, REFUSE, utime),
	CALL(EVERY, REFUSE, utimes),
	CALL(EVERY, REFUSE, futimesat),
	CALL(EVERY, REFUSE, utimensat),
	CALL(EVERY, REFUSE, utimensat_time64),

	/* What nothing of ours ever does. */
	CALL(EVERY, FATAL, execve),
	CALL(EVERY, FATAL, execveat),
	CALL(EVERY, FATAL, fork),
	CALL(EVERY, FATAL, vfork),
	CALL(EVERY, FATAL, ptrace),
	CALL(EVERY, FATAL, process_vm_readv),
	CALL(EVERY, FATAL, process_vm_writev),
	CALL(EVERY, FATAL, kcmp),
	CALL(EVERY, FATAL, setuid),
	CALL(EVERY, FATAL, setgid),
	CALL(EVERY, FATAL, setreuid),
	CALL(EVERY, FATAL, setregid),
	CALL(EVERY, FATAL, setresuid),
	CALL(EVERY, FATAL, setresgid),
	CALL(EVERY, FATAL, setgroups),
	CALL(EVERY, FATAL, setfsuid),
	CALL(EVERY, FATAL, setfsgid),
	CALL(EVERY, FATAL, capset),
	CALL(EVERY, FATAL, unshare),
	CALL(EVERY, FATAL, setns),
	CALL(EVERY, FATAL, chroot),
	CALL(EVERY, FATAL, pivot_root),
	CALL(EVERY, FATAL, mount),
	CALL(EVERY, FATAL, umount2),
	CALL(EVERY, FATAL, mknod),
	CALL(EVERY, FATAL, mknodat),
	CALL(EVERY, FATAL, open_by_handle_at),
	CALL(EVERY, FATAL, name_to_handle_at),
	CALL(EVERY, FATAL, bpf),
	CALL(EVERY, FATAL, perf_event_open),
	CALL(EVERY, FATAL, userfaultfd),
	CALL(EVERY, FATAL, io_uring_setup),
	CALL(EVERY, FATAL, pidfd_open),
	CALL(EVERY, FATAL, pidfd_getfd),
	CALL(EVERY, FATAL, pidfd_send_signal),
	CALL(EVERY, FATAL, keyctl),
	CALL(EVERY, FATAL, add_key),
	CALL(EVERY, FATAL, request_key),
	CALL(EVERY, FATAL, init_module),
	CALL(EVERY, FATAL, finit_module),
	CALL(EVERY, FATAL, delete_module),
	CALL(EVERY, FATAL, kexec_load),
	CALL(EVERY, FATAL, kexec_file_load),
	CALL(EVERY, FATAL, reboot),
	CALL(EVERY, FATAL, swapon),
	CALL(EVERY, FATAL, swapoff),
	CALL(EVERY, FATAL, settimeofday),
	CALL(EVERY, FATAL, clock_settime),
	CALL(EVERY, FATAL, adjtimex),
	CALL(EVERY, FATAL, clock_adjtime),
	CALL(EVERY, FATAL, quotactl),
	CALL(EVERY, FATAL, iopl),
	CALL(EVERY, FATAL, ioperm),
	CALL(EVERY, FATAL, personality),
};

static uint32_t action_of(enum answer a)
{
	switch (a) {
	case ALLOW: return SCMP_ACT_ALLOW;
	case REFUSE: return SCMP_ACT_ERRNO(EACCES);
	case UNKNOWN: return SCMP_ACT_ERRNO(ENOSYS);
	case FATAL: break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static int add_rule(scmp_filter_ctx f, const struct rule *r)
{
	struct scmp_arg_cmp test[2] = {
		{ .arg = r->if_.arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = r->if_.mask,
			.datum_b = r->if_.value },
		{ .arg = r->and_.arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = r->and_.mask,
			.datum_b = r->and_.value },
	};

	if (r->if_.test == NOT)
		test[0] = (struct scmp_arg_cmp){ .arg = r->if_.arg, .op = SCMP_CMP_NE,
			.datum_a = r->if_.value };
	if (r->if_.test == OWN_PID || r->if_.test == OTHER_PID)
		test[0] = (struct scmp_arg_cmp){ .arg = r->if_.arg, .datum_a = (uint64_t)getpid(),
			.op = r->if_.test == OWN_PID ? SCMP_CMP_EQ : SCMP_CMP_NE };
	return seccomp_rule_add_array(f, action_of(r->answer), r->call,
		(r->if_.test != ANY ? 1u : 0u) + (r->and_.test != ANY ? 1u : 0u), test);
}

static int fill(scmp_filter_ctx f, enum sandbox_kind kind)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* Without it the rules are tried one after the other: slower, not weaker. */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; rc == 0 && i < sizeof rules / sizeof rules[0]; i++) {
		if ((rules[i].kinds & 1u << kind) != 0)
			rc = add_rule(f, &rules[i]);
	}
	return rc;
}

/* libseccomp that gets no memory may say that all is well, and have left rules out. */
static void want_room(void)
{
	void *volatile room = malloc(LIBRARY_ROOM); /* not to be optimised away */

	if (room == NULL)
		log_fatal(1, "no memory for a filter of system calls");
	free(room);
}

int sandbox_enter(enum sandbox_kind kind, const char **why_out)
{
	*why_out = confine_why_not();
	if (*why_out != NULL)
		return -1;
	want_room();
	scmp_filter_ctx f = seccomp_init(kind == SANDBOX_SIDE ? SCMP_ACT_ALLOW :
		SCMP_ACT_ERRNO(ENOSYS));
	int rc = f != NULL ? fill(f, kind) : -ENOMEM;
	if (rc == 0)
		rc = seccomp_load(f);
	if (f != NULL)
		seccomp_release(f);
	if (rc < 0)
		*why_out = strerror(-rc);
	return rc < 0 ? -1 : 0;
}

#else

int sandbox_enter(enum sandbox_kind kind, const char **why_out)
{
	(void)kind;
	*why_out = "built without libseccomp";
	return -1;
}

#endif
