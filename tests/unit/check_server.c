/* check_server.c - a worker of esets_daemon, with a task of our own.
 *
 * The worker is a child that runs server_run as the daemon's would; the task
 * it runs is the one below, which does what the request's name says. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "net.h"
#include "scan_client.h"
#include "supervise.h"
#include "task.h"
#include "unit.h"

#define SIZE 1000
#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

struct shared {
	_Atomic int started, ended, cancelled;
	_Atomic pid_t by;
	char reasons[4][VERDICT_REASON_MAX];
};

static struct shared *sh;
static char dir[UNIT_PATH_SIZE];
static struct net_endpoint ep = { .addr = { .family = AF_UNIX } };
static struct server_access access_list;
static int listen_fd = -1, msg_fd = -1;
static pid_t workers[2];

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the task --- */

static bool sleep_unless(long ms, task_cancelled_fn cancelled, void *arg)
{
	for (long long end = now_ms() + ms; now_ms() < end;) {
		if (cancelled(arg)) {
			sh->cancelled++;
			return false;
		}
		poll(NULL, 0, 5);
	}
	return true;
}

void task_mem_rest(void)
{
}

bool task_run(const struct scan_request *r, int fd, long long deadline_ms,
	task_cancelled_fn cancelled, void *arg, struct verdict *v, int *clean_fd_out)
{
	struct stat st;

	memset(v, 0, sizeof *v);
	*clean_fd_out = -1;
	sh->by = getpid();
	sh->started++;
	if (deadline_ms < now_ms() || (r->is_inline ? fd >= 0 || r->size != 3 ||
	    memcmp(r->octets, "abc", 3) != 0 : fstat(fd, &st) < 0 ||
	    (uint64_t)st.st_size < r->size))
		v->av = VERDICT_AV_UNAVAILABLE;
	if (strncmp(r->name, "sleep ", 6) == 0 && !sleep_unless(atol(r->name + 6), cancelled, arg))
		return false;
	if (strncmp(r->name, "deaf ", 5) == 0) /* looks at nothing */
		poll(NULL, 0, atoi(r->name + 5));
	if (strcmp(r->name, "clean") == 0) {
		*clean_fd_out = memfd_create("c", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (ftruncate(*clean_fd_out, 10) == 0 &&
		    fcntl(*clean_fd_out, F_ADD_SEALS, ALL_SEALS) == 0)
			v->av = VERDICT_AV_DELETED;
	}
	sh->ended++;
	return true;
}

/* --- the worker --- */

static pid_t start_worker(struct server_cfg cfg)
{
	pid_t parent = getpid();

	cfg.listen_fd = listen_fd;
	cfg.access = &access_list;
	cfg.quarantine_fd = cfg.notify_fd = -1;
	/* Before the fork, as the master does: none may come too early. */
	supervise_block_signals();
	pid_t pid = fork();
	if (pid == 0) {
		struct log_cfg log = { -1, 0, false, false };
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		log_open("check_server", &log);
		exit(server_run(&cfg));
	}
	return pid;
}

static void setup(void)
{
	unit_dir(dir);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(ep.path, sizeof ep.path, "%s/s", dir);
	listen_fd = net_listen(&ep, 64, SOCK_SEQPACKET, 0666);
	ck_assert_int_ge(listen_fd, 0);
	msg_fd = memfd_create("msg", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(msg_fd, SIZE), 0);
	ck_assert_int_eq(fcntl(msg_fd, F_ADD_SEALS, ALL_SEALS), 0);
	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void teardown(void)
{
	for (int i = 0; i < 2; i++) {
		if (workers[i] > 0) {
			kill(workers[i], SIGKILL);
			waitpid(workers[i], NULL, 0);
		}
	}
	server_access_fini(&access_list);
}

static int wait_exit(int i)
{
	int status;

	ck_assert_int_eq(waitpid(workers[i], &status, 0), workers[i]);
	workers[i] = 0;
	ck_assert_msg(WIFEXITED(status), "status %x", (unsigned)status);
	return WEXITSTATUS(status);
}

/* --- asking --- */

static struct scan_request request(const char *name)
{
	return (struct scan_request){ .id = "t1", .agent = "test", .name = name, .size = SIZE,
		.want_av = true, .is_mail = true,
		.opts = { .clean_mode = SCAN_CLEAN_STANDARD, .timeout_s = 60 } };
}

static unsigned ask_fd(const char *name, int fd, char *reason)
{
	struct scan_request r = request(name);
	struct verdict v;
	int clean_fd;

	scan_client_call(ep.path, &r, fd, 15000, &v, &clean_fd);
	if (reason != NULL)
		strcpy(reason, v.reason);
	if (clean_fd >= 0)
		close(clean_fd);
	verdict_fini(&v);
	return v.av;
}

static unsigned ask(const char *name)
{
	return ask_fd(name, msg_fd, NULL);
}

/* Askers are processes: a worker may not be forked by a process with threads. */
struct asker {
	pid_t pid;
	int slot;
};

static void ask_begin(struct asker *a, int slot, const char *name)
{
	a->slot = slot;
	a->pid = fork();
	if (a->pid == 0)
		_exit((int)ask_fd(name, msg_fd, sh->reasons[slot]));
	ck_assert_int_gt(a->pid, 0);
}

static unsigned ask_end(struct asker *a)
{
	int status;

	ck_assert_int_eq(waitpid(a->pid, &status, 0), a->pid);
	ck_assert(WIFEXITED(status));
	return (unsigned)WEXITSTATUS(status);
}

#define WAIT_FOR(cond)                                                  \
	do {                                                            \
		long long end_ = now_ms() + 8000;                       \
		while (!(cond) && now_ms() < end_)                      \
			poll(NULL, 0, 2);                               \
		ck_assert_msg(cond, "waited in vain: %s", #cond);       \
	} while (0)

static const struct server_cfg two_threads = { .threads = 2, .stop_ms = 5000, .drain_ms = 5000 };

/* --- who may ask --- */

START_TEST(test_access)
{
	struct server_access a;
	gid_t groups[] = { 5555, 0 };
	char own_group[80];

	ck_assert_int_eq(server_access_load(&a, "no-such-user:@no-such-group", false), 0);
	ck_assert(server_access_allows(&a, geteuid(), 4444, NULL, 0)); /* always */
	ck_assert(!server_access_allows(&a, geteuid() + 1, 4444, groups, 2));
	server_access_fini(&a);
	ck_assert_int_eq(server_access_load(&a, "nobody", false), 0);
	ck_assert(server_access_allows(&a, getpwnam("nobody")->pw_uid, 4444, NULL, 0));
	ck_assert(!server_access_allows(&a, 4444, getpwnam("nobody")->pw_gid, NULL, 0));
	server_access_fini(&a);
	snprintf(own_group, sizeof own_group, "x: @%s", getgrgid(0)->gr_name);
	ck_assert_int_eq(server_access_load(&a, own_group, false), 0);
	ck_assert(server_access_allows(&a, 4444, 0, NULL, 0));
	ck_assert(server_access_allows(&a, 4444, 4444, groups, 2));
	ck_assert(!server_access_allows(&a, 4444, 4444, groups, 1));
	server_access_fini(&a);
	ck_assert_int_eq(server_access_load(&a, "", false), 0);
	ck_assert(!server_access_allows(&a, 4444, 4444, NULL, 0));
	server_access_fini(&a);
}
END_TEST

/* Asks as another user; the exit status says whether there was a verdict. */
static bool nobody_gets_a_verdict(void)
{
	struct passwd *pw = getpwnam("nobody");
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct scan_request r = request("");
		struct verdict v;
		int fd;
		if (setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
			_exit(2);
		scan_client_call(ep.path, &r, msg_fd, 5000, &v, &fd);
		_exit(v.av == VERDICT_AV_CLEAN ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

START_TEST(test_stranger)
{
	if (geteuid() != 0)
		return; /* only root can be two users */
	ck_assert_int_eq(server_access_load(&access_list, _i == 0 ? "daemon:@bin" : "daemon:nobody",
		false), 0);
	workers[0] = start_worker(two_threads);
	ck_assert_int_eq(nobody_gets_a_verdict(), _i != 0);
	ck_assert_int_eq(sh->started, _i);
	ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN); /* our own user */
}
END_TEST

/* --- requests --- */

START_TEST(test_serves)
{
	workers[0] = start_worker(two_threads);
	for (int i = 0; i < 50; i++)
		ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN);
	ck_assert_uint_eq(ask("clean"), VERDICT_AV_DELETED); /* the client checks what came */
	ck_assert_int_eq(sh->ended, 51);
	kill(workers[0], SIGTERM);
	ck_assert_int_eq(wait_exit(0), 0);
}
END_TEST

START_TEST(test_time)
{
	struct scan_request r = request("sleep 60");
	struct verdict v;
	int fd;

	workers[0] = start_worker(two_threads);
	scan_client_call(ep.path, &r, msg_fd, 5000, &v, &fd);
	ck_assert_uint_eq(v.av, VERDICT_AV_CLEAN);
	ck_assert_uint_ge(v.time_us, 59000); /* the task counts whole milliseconds */
	ck_assert_uint_lt(v.time_us, 8000000);
	verdict_fini(&v);
}
END_TEST

static int open_as(const char *kind)
{
	char path[128];
	int p[2], fd;

	snprintf(path, sizeof path, "%s/f", dir);
	if (strcmp(kind, "pipe") == 0) {
		ck_assert_int_eq(pipe(p), 0);
		return p[0];
	}
	if (strcmp(kind, "memfd") == 0 || strcmp(kind, "grow-sealed") == 0) {
		fd = memfd_create("x", MFD_ALLOW_SEALING);
		ck_assert_int_eq(ftruncate(fd, SIZE), 0);
		if (kind[0] == 'g')
			ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
		return fd;
	}
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, strcmp(kind, "short") == 0 ? SIZE - 1 : SIZE), 0);
	close(fd);
	int flags = strcmp(kind, "rw") == 0 ? O_RDWR : strcmp(kind, "wo") == 0 ? O_WRONLY :
		strcmp(kind, "path") == 0 ? O_PATH :
		strcmp(kind, "dir") == 0 ? O_DIRECTORY : O_RDONLY;
	fd = open(strcmp(kind, "dir") == 0 ? dir : path, flags);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	return fd;
}

static const struct { const char *kind, *reason; } descriptors[] = {
	{ "ro", NULL }, { "rw", "can be written to" }, { "wo", "cannot be read" },
	{ "path", "cannot be read" }, { "short", "shorter than size" }, { "pipe", "is no file" },
	{ "dir", "is no file" }, { "memfd", "can be written to" },
	{ "grow-sealed", "can be written to" },
};

START_TEST(test_descriptor)
{
	char reason[VERDICT_REASON_MAX];

	workers[0] = start_worker(two_threads);
	int fd = open_as(descriptors[_i].kind);
	unsigned av = ask_fd("", fd, reason);
	if (descriptors[_i].reason == NULL) {
		ck_assert_uint_eq(av, VERDICT_AV_CLEAN);
	} else {
		ck_assert_uint_eq(av, VERDICT_AV_UNAVAILABLE);
		ck_assert_msg(strstr(reason, descriptors[_i].reason) != NULL, "%s", reason);
		ck_assert_int_eq(sh->started, 0);
	}
	close(fd);
	ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN); /* and it goes on */
}
END_TEST

/* Sends what a broken client would; reads the answer's text. */
static const char *talk(const char *text, size_t n, int fd)
{
	static char in[SCAN_MSG_MAX + 1];
	struct pollfd p = { .events = POLLIN };
	int got;

	in[0] = '\0';
	p.fd = net_connect(&ep, SOCK_SEQPACKET);
	ck_assert_int_ge(p.fd, 0);
	ck_assert_int_eq(net_send_fd(p.fd, text, n, fd), (long)n);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ptrdiff_t len = net_recv_fd(p.fd, in, SCAN_MSG_MAX, &got);
	ck_assert_int_eq(got, -1);
	if (len >= 0)
		in[len] = '\0';
	close(p.fd);
	return in;
}

START_TEST(test_broken_requests)
{
	static const char good[] = "esets-scan/1 scan\nsize=10\n\n";
	static const char octets[] = "esets-scan/1 scan\nsize=3\ninline=yes\n\nabc";
	char *huge = calloc(1, SCAN_PACKET_MAX + 10);

	workers[0] = start_worker(two_threads);
	ck_assert_ptr_nonnull(strstr(talk("garbage", 7, msg_fd), "av=unavailable\n"));
	ck_assert_ptr_nonnull(strstr(talk(good, sizeof good - 2, msg_fd), "the packet was cut"));
	ck_assert_ptr_nonnull(strstr(talk(good, sizeof good - 1, -1), "no descriptor"));
	ck_assert_ptr_nonnull(strstr(talk(huge, SCAN_PACKET_MAX + 10, msg_fd), "too long"));
	ck_assert_ptr_nonnull(strstr(talk(octets, sizeof octets - 1, msg_fd),
		"a descriptor came with octets inline"));
	ck_assert_ptr_nonnull(strstr(talk(octets, sizeof octets - 2, -1), "size is not that"));
	ck_assert_int_eq(sh->started, 0);
	ck_assert_ptr_nonnull(strstr(talk(octets, sizeof octets - 1, -1), "\nav=clean\n"));
	ck_assert_ptr_nonnull(strstr(talk(good, sizeof good - 1, msg_fd), "\nav=clean\n"));
	ck_assert_int_eq(sh->started, 2);
	free(huge);
}
END_TEST

/* Connections that end or stay silent harm nobody. */
START_TEST(test_silent_callers)
{
	workers[0] = start_worker(two_threads);
	for (int i = 0; i < 30; i++) {
		int c = net_connect(&ep, SOCK_SEQPACKET);
		ck_assert_int_ge(c, 0);
		close(c);
	}
	int silent[10]; /* more than there are threads */
	for (int i = 0; i < 10; i++) {
		silent[i] = net_connect(&ep, SOCK_SEQPACKET);
		ck_assert_int_ge(silent[i], 0);
	}
	long long at = now_ms();
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN);
	ck_assert_int_lt(now_ms() - at, 5000); /* half of what a silent one has */
	at = now_ms();
	kill(workers[0], SIGTERM); /* does not wait for them */
	ck_assert_int_eq(wait_exit(0), 0);
	ck_assert_int_lt(now_ms() - at, 2500);
	for (int i = 0; i < 10; i++)
		close(silent[i]);
}
END_TEST

static bool is_closed(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

/* The queue of the socket is short: callers have to be accepted. */
static int connect_patiently(void)
{
	int fd = net_connect(&ep, SOCK_SEQPACKET);

	for (int k = 0; fd < 0 && errno == EAGAIN && k < 5000; k++) {
		poll(NULL, 0, 1);
		fd = net_connect(&ep, SOCK_SEQPACKET);
	}
	return fd;
}

static void ask_late(int fd)
{
	static const char text[] = "esets-scan/1 scan\nsize=10\n\n";
	char in[SCAN_MSG_MAX];
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	int clean_fd = -1;

	ck_assert_int_gt(net_send_fd(fd, text, sizeof text - 1, msg_fd), 0);
	ck_assert_int_eq(poll(&pf, 1, 5000), 1);
	ptrdiff_t n = net_recv_fd(fd, in, sizeof in - 1, &clean_fd);
	ck_assert_int_gt(n, 0);
	in[n] = '\0';
	ck_assert_ptr_nonnull(strstr(in, "\nav=clean\n"));
}

static int count_closed(const int *fds, int n)
{
	int closed = 0;

	for (int i = 0; i < n; i++)
		closed += is_closed(fds[i]);
	return closed;
}

/* Who asks late is served, though others came behind it; also by a worker that
 * drains, which nobody else could do. */
START_TEST(test_late_callers)
{
	int late[5];

	workers[0] = start_worker(two_threads);
	for (int i = 0; i < 5; i++) {
		late[i] = net_connect(&ep, SOCK_SEQPACKET);
		ck_assert_int_ge(late[i], 0);
	}
	ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN); /* all of them were accepted before */
	if (_i != 0)
		kill(workers[0], SIGUSR2);
	for (int i = 4; i >= 0; i--)
		ask_late(late[i]);
	if (_i != 0) {
		long long at = now_ms();
		ck_assert_int_eq(wait_exit(0), 0); /* and then nothing keeps it */
		ck_assert_int_lt(now_ms() - at, 2500);
	}
	for (int i = 0; i < 5; i++)
		close(late[i]);
}
END_TEST

/* Asks by a connection that is to be kept; what is answered is clean. */
static void ask_kept(int fd)
{
	static const char text[] = "esets-scan/1 scan\nsize=3\ninline=yes\nkeep=yes\nid=k\n\nabc";
	char in[SCAN_MSG_MAX];
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	ck_assert_int_gt(send(fd, text, sizeof text - 1, MSG_NOSIGNAL), 0);
	ck_assert_int_eq(poll(&pf, 1, 5000), 1);
	ssize_t n = recv(fd, in, sizeof in - 1, 0);
	ck_assert_int_gt(n, 0);
	in[n] = '\0';
	ck_assert_ptr_nonnull(strstr(in, "\nav=clean\n"));
	ck_assert_ptr_nonnull(strstr(in, "\nid=k\n"));
}

static int kept_one(void)
{
	int fd = connect_patiently();

	ck_assert_int_ge(fd, 0);
	ask_kept(fd);
	return fd;
}

/* A connection that is to be kept serves as long as its worker; a worker that is to
 * leave lets it go at once. */
START_TEST(test_kept)
{
	workers[0] = start_worker(two_threads);
	int kept[3] = { kept_one(), kept_one(), kept_one() };
	for (int i = 0; i < 30; i++)
		ask_kept(kept[i % 3]);
	ck_assert_int_eq(count_closed(kept, 3), 0);
	long long at = now_ms();
	kill(workers[0], _i == 0 ? SIGTERM : SIGUSR2);
	ck_assert_int_eq(wait_exit(0), 0);
	ck_assert_int_lt(now_ms() - at, 2500);
	for (int i = 0; i < 3; i++) {
		ck_assert(is_closed(kept[i]));
		close(kept[i]);
	}
}
END_TEST

/* They are bounded, and give way to who has not asked yet. */
START_TEST(test_many_kept)
{
	static int kept[512 + 20];
	const int n = (int)(sizeof kept / sizeof *kept);

	workers[0] = start_worker(two_threads);
	int late = net_connect(&ep, SOCK_SEQPACKET);
	for (int i = 0; i < n; i++)
		kept[i] = kept_one();
	WAIT_FOR(count_closed(kept, n) >= 20);
	ck_assert_int_eq(count_closed(kept + 100, n - 100), 0);
	ask_late(late);
	close(late);
	for (int i = 0; i < n; i++)
		close(kept[i]);
}
END_TEST

/* With all its threads at work a worker lets those go that could ask another, and
 * with no other it keeps them. */
START_TEST(test_kept_find_others)
{
	struct server_cfg cfg = two_threads;
	struct asker a[3];

	cfg.is_alone = _i != 0;
	workers[0] = start_worker(cfg);
	int kept = kept_one();
	ask_begin(&a[0], 0, "sleep 1500");
	ask_begin(&a[1], 1, "sleep 1500");
	WAIT_FOR(sh->started == 3);
	/* nobody else need come for it to be seen */
	if (_i == 0) {
		WAIT_FOR(is_closed(kept));
		ck_assert_int_eq(sh->ended, 1);
	}
	ask_begin(&a[2], 2, "");
	if (_i != 0)
		ask_kept(kept);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(ask_end(&a[i]), VERDICT_AV_CLEAN);
	if (_i != 0)
		ck_assert(!is_closed(kept));
	close(kept);
}
END_TEST

static void come_as_nobody(int n)
{
	struct passwd *pw = getpwnam("nobody");
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
			_exit(2);
		while (n > 0 && connect_patiently() >= 0)
			n--;
		_exit(n > 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Many who may not ask cost nobody else his place. */
START_TEST(test_many_strangers)
{
	if (geteuid() != 0)
		return; /* only root can be two users */
	ck_assert_int_eq(server_access_load(&access_list, "daemon", false), 0);
	workers[0] = start_worker(two_threads);
	int late = net_connect(&ep, SOCK_SEQPACKET);
	ck_assert_int_ge(late, 0);
	ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN);
	come_as_nobody(400);
	ck_assert(!is_closed(late));
	ask_late(late);
	close(late);
}
END_TEST

/* They are bounded: the one that came first goes, not the one that will ask. */
START_TEST(test_many_silent_callers)
{
	enum { MORE = 40 };
	int silent[512 + MORE];
	const int n = (int)(sizeof silent / sizeof *silent);

	workers[0] = start_worker(two_threads);
	for (int i = 0; i < n; i++) {
		silent[i] = connect_patiently();
		ck_assert_int_ge(silent[i], 0);
	}
	ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN);
	/* Two threads take them: the order is not to one. */
	WAIT_FOR(count_closed(silent, n) == MORE);
	ck_assert_int_eq(count_closed(silent, 2 * MORE), MORE);
	for (int i = 0; i < n; i++)
		close(silent[i]);
}
END_TEST

START_TEST(test_caller_hangs_up)
{
	struct scan_request r = request("sleep 20000");
	struct verdict v;
	int fd;

	workers[0] = start_worker(two_threads);
	scan_client_call(ep.path, &r, msg_fd, 200, &v, &fd);
	ck_assert_uint_eq(v.av, VERDICT_AV_UNAVAILABLE);
	WAIT_FOR(sh->cancelled == 1);
	/* To say that nothing more will come is to give up, too. */
	static const char text[] = "esets-scan/1 scan\nsize=1000\nname=sleep 20000\n\n";
	int c = net_connect(&ep, SOCK_SEQPACKET);
	ck_assert_int_gt(net_send_fd(c, text, sizeof text - 1, msg_fd), 0);
	WAIT_FOR(sh->started == 2);
	shutdown(c, SHUT_WR);
	WAIT_FOR(sh->cancelled == 2);
	close(c);
	ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN);
}
END_TEST

/* --- threads and workers --- */

START_TEST(test_threads_at_work)
{
	struct asker a[3];

	workers[0] = start_worker(two_threads);
	for (int i = 0; i < 3; i++)
		ask_begin(&a[i], i, "sleep 400");
	WAIT_FOR(sh->started == 2);
	poll(NULL, 0, 100);
	ck_assert_int_eq(sh->started, 2); /* the third waits in the queue */
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(ask_end(&a[i]), VERDICT_AV_CLEAN);
	ck_assert_int_eq(sh->ended, 3);
}
END_TEST

START_TEST(test_term_finishes)
{
	struct asker a;

	workers[0] = start_worker(two_threads);
	int kept = kept_one();
	ask_begin(&a, 0, "sleep 300");
	WAIT_FOR(sh->started == 2);
	ck_assert(!is_closed(kept));
	kill(workers[0], _i == 0 ? SIGTERM : SIGUSR2);
	/* Its idle thread has left the socket before it lets this one go. */
	WAIT_FOR(is_closed(kept));
	close(kept);
	int c = net_connect(&ep, SOCK_SEQPACKET); /* we hold the socket, too */
	ck_assert_int_ge(c, 0);
	ck_assert_uint_eq(ask_end(&a), VERDICT_AV_CLEAN);
	if (_i == 0) {
		ck_assert_int_eq(wait_exit(0), 0);
		struct net_addr peer;
		int s = net_accept(listen_fd, &peer); /* nobody took it any more */
		ck_assert_int_ge(s, 0);
		close(s);
	}
	close(c);
	if (_i != 0)
		ck_assert_int_eq(wait_exit(0), 0);
}
END_TEST

START_TEST(test_term_is_bounded)
{
	struct server_cfg cfg = { .threads = 2, .stop_ms = 200, .drain_ms = 60000 };
	struct asker a;

	workers[0] = start_worker(cfg);
	ask_begin(&a, 0, _i == 0 ? "sleep 20000" : "deaf 20000");
	WAIT_FOR(sh->started == 1);
	long long at = now_ms();
	if (_i == 0) /* a drain that becomes a stop */
		kill(workers[0], SIGUSR2);
	kill(workers[0], SIGTERM);
	ck_assert_int_eq(wait_exit(0), 0);
	ck_assert_int_ge(now_ms() - at, 200);
	ck_assert_int_lt(now_ms() - at, 3000);
	ck_assert_uint_eq(ask_end(&a), VERDICT_AV_UNAVAILABLE);
	ck_assert_int_eq(sh->cancelled, _i == 0 ? 1 : 0);
}
END_TEST

/* A killed worker breaks its own request; the other one serves on. */
START_TEST(test_killed_worker)
{
	struct server_cfg cfg = { .threads = 1, .stop_ms = 5000, .drain_ms = 5000 };
	struct asker a;

	for (int i = 0; i < 2; i++)
		workers[i] = start_worker(cfg);
	ask_begin(&a, 0, "sleep 20000");
	WAIT_FOR(sh->started == 1);
	int victim = sh->by == workers[0] ? 0 : 1;
	kill(workers[victim], SIGKILL);
	waitpid(workers[victim], NULL, 0);
	workers[victim] = 0;
	ck_assert_uint_eq(ask_end(&a), VERDICT_AV_UNAVAILABLE);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(ask(""), VERDICT_AV_CLEAN);
}
END_TEST

/* Generations change under load and nobody is left unanswered. */
START_TEST(test_drain_loses_nothing)
{
	struct asker a[4];
	int n = 0;

	workers[0] = start_worker(two_threads);
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 4; i++)
			ask_begin(&a[i], i, "sleep 5");
		workers[1] = start_worker(two_threads);
		kill(workers[0], SIGUSR2);
		for (int i = 0; i < 4; i++) {
			ck_assert_msg(ask_end(&a[i]) == VERDICT_AV_CLEAN, "%s", sh->reasons[i]);
			n++;
		}
		ck_assert_int_eq(wait_exit(0), 0);
		workers[0] = workers[1];
		workers[1] = 0;
	}
	ck_assert_int_eq(sh->ended, n);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("server");
	TCase *t = tcase_create("access");
	tcase_add_test(t, test_access);
	suite_add_tcase(s, t);
	t = tcase_create("server");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 40);
	tcase_add_loop_test(t, test_stranger, 0, 2);
	tcase_add_test(t, test_serves);
	tcase_add_test(t, test_time);
	tcase_add_loop_test(t, test_descriptor, 0, COUNT(descriptors));
	tcase_add_test(t, test_broken_requests);
	tcase_add_test(t, test_silent_callers);
	tcase_add_loop_test(t, test_late_callers, 0, 2);
	tcase_add_test(t, test_many_silent_callers);
	tcase_add_test(t, test_many_strangers);
	tcase_add_loop_test(t, test_kept, 0, 2);
	tcase_add_test(t, test_many_kept);
	tcase_add_loop_test(t, test_kept_find_others, 0, 2);
	tcase_add_test(t, test_caller_hangs_up);
	tcase_add_test(t, test_threads_at_work);
	tcase_add_loop_test(t, test_term_finishes, 0, 2);
	tcase_add_loop_test(t, test_term_is_bounded, 0, 2);
	tcase_add_test(t, test_killed_worker);
	tcase_add_test(t, test_drain_loses_nothing);
	suite_add_tcase(s, t);
	return unit_run(s);
}
