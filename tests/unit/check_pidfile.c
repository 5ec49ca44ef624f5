/* check_pidfile.c - of several instances one has the pid file. Each test runs in a process
 * of its own (check forks). */
#include "pidfile.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its directory stays whose it is. */
static const struct proc_identity nobody = { .uid = (uid_t)-1, .gid = (gid_t)-1 };

static char dir[UNIT_PATH_SIZE];
static char path[200];

/* A directory that any user may look into; tests run as root and as others. */
static const char *in_dir(const char *name)
{
	if (dir[0] == '\0') {
		unit_dir(dir);
		ck_assert_int_eq(chmod(dir, 0755), 0);
	}
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static int wait_status(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static long pid_in(const char *name)
{
	char text[32] = "";
	FILE *f = fopen(name, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
	fclose(f);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	return atol(text);
}

START_TEST(test_one_instance)
{
	char name[200];
	pid_t other;
	struct stat st;

	umask(077);
	strcpy(name, in_dir("run/x.pid"));
	ck_assert_int_eq(pidfile_open(name, &nobody, &other), 0);
	ck_assert_int_eq(stat(name, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0644);
	pid_t pid = fork();
	if (pid == 0) { /* a second instance, which inherits no lock */
		int rc = pidfile_open(name, &nobody, &other);
		_exit(rc == -1 && errno == EWOULDBLOCK && other == getppid() ? 0 : 1);
	}
	ck_assert_int_eq(wait_status(pid), 0);
	pid = fork();
	if (pid == 0) { /* a child removes nothing */
		pidfile_close();
		_exit(0);
	}
	ck_assert_int_eq(wait_status(pid), 0);
	ck_assert_int_eq(pid_in(name), getpid()); /* last: closing it gives the lock up */
	pidfile_close();
	ck_assert_int_eq(stat(name, &st), -1);
	pidfile_close();
}
END_TEST

START_TEST(test_stale)
{
	char name[200];
	pid_t other;

	strcpy(name, in_dir("x.pid"));
	FILE *f = fopen(name, "w");
	fprintf(f, "1234567890 and more than we write\n");
	fclose(f);
	ck_assert_int_eq(pidfile_open(name, &nobody, &other), 0);
	ck_assert_int_eq(pid_in(name), getpid());
	pidfile_close();
}
END_TEST

/* A process that holds the file locked for reading, as any user can. */
static pid_t reader_of(const char *name)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int ready[2];
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(name, O_RDONLY);
		if (fd < 0 || fcntl(fd, F_SETLK, &fl) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

/* No second instance: neither with what one that was killed has left, nor with what is
 * there while it starts. */
START_TEST(test_read_lock)
{
	static const char *const names[] = { "x.pid", "x.pid.new" };
	char name[200], held[200];
	struct stat st;
	pid_t other;

	strcpy(name, in_dir("x.pid"));
	strcpy(held, in_dir(names[_i]));
	close(open(held, O_CREAT | O_WRONLY, 0600));
	pid_t reader = reader_of(held);
	int rc = pidfile_open(name, &nobody, &other);
	if (_i == 0) {
		ck_assert_int_eq(rc, 0);
		pid_t pid = fork();
		if (pid == 0) {
			rc = pidfile_open(name, &nobody, &other);
			_exit(rc == -1 && errno == EWOULDBLOCK && other == getppid() ? 0 : 1);
		}
		ck_assert_int_eq(wait_status(pid), 0);
		ck_assert_int_eq(stat(in_dir("x.pid.new"), &st), -1);
		ck_assert_int_eq(pid_in(name), getpid());
		pidfile_close();
	} else { /* who can lock that one is one of us: it has mode 0600 */
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(errno, EWOULDBLOCK);
		ck_assert_int_eq(other, reader);
	}
	kill(reader, SIGKILL);
	wait_status(reader);
}
END_TEST

#define STARTERS 12

/* Of several that start at once one does, whatever there was. */
START_TEST(test_at_once)
{
	char name[200], c;
	int go[2], done[2], one = 0;
	pid_t other, pids[STARTERS];

	strcpy(name, in_dir("x.pid"));
	if (_i % 2 != 0)
		close(open(name, O_CREAT | O_WRONLY, 0644));
	pid_t reader = _i % 2 != 0 ? reader_of(name) : 0;
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(done), 0);
	for (int i = 0; i < STARTERS; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		close(go[1]);
		c = (char)(read(go[0], &c, 1) == 0 ? '-' : '?'); /* all at once: it was closed */
		if (pidfile_open(name, &nobody, &other) == 0)
			c = '1';
		else if (errno != EWOULDBLOCK)
			c = '?';
		if (write(done[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(go[1]);
	for (int i = 0; i < STARTERS; i++) {
		ck_assert_int_eq(read(done[0], &c, 1), 1);
		ck_assert_int_ne(c, '?');
		one += c == '1';
	}
	ck_assert_int_eq(one, 1);
	for (int i = 0; i < STARTERS; i++) {
		kill(pids[i], SIGKILL);
		wait_status(pids[i]);
	}
	if (reader > 0) {
		kill(reader, SIGKILL);
		wait_status(reader);
	}
	close(go[0]);
	close(done[0]);
	close(done[1]);
}
END_TEST

/* Whoever owns the directory must not make us write elsewhere. */
START_TEST(test_hostile)
{
	char target[200], name[200];
	pid_t other;
	struct stat st;

	strcpy(target, in_dir("precious"));
	close(open(target, O_CREAT | O_WRONLY, 0600));
	strcpy(name, in_dir("x.pid"));
	ck_assert_int_eq(symlink("precious", name), 0);
	ck_assert_int_eq(pidfile_open(name, &nobody, &other), -1);
	ck_assert_int_eq(errno, ELOOP);
	unlink(name);
	ck_assert_int_eq(link(target, name), 0);
	ck_assert_int_eq(pidfile_open(name, &nobody, &other), -1);
	unlink(name);
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	ck_assert_int_eq(pidfile_open(name, &nobody, &other), -1);
	unlink(name);
	strcat(name, ".new");
	ck_assert_int_eq(symlink("precious", name), 0);
	ck_assert_int_eq(pidfile_open(in_dir("x.pid"), &nobody, &other), -1);
	ck_assert_int_eq(errno, ELOOP);
	unlink(name);
	ck_assert_int_eq(link(target, name), 0);
	ck_assert_int_eq(pidfile_open(in_dir("x.pid"), &nobody, &other), -1);
	ck_assert_int_eq(stat(target, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pidfile");
	TCase *t = tcase_create("pidfile");
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_one_instance);
	tcase_add_test(t, test_stale);
	tcase_add_loop_test(t, test_read_lock, 0, 2);
	tcase_add_loop_test(t, test_at_once, 0, 200);
	tcase_add_test(t, test_hostile);
	suite_add_tcase(s, t);
	return unit_run(s);
}
