/* check_quar_store.c - the files of the quarantine, and its bounds. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "digest.h"
#include "quar_store.h"
#include "unit.h"

#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static char path[UNIT_PATH_SIZE];
static struct quar_store store;
static char id[QUAR_ID_SIZE], why[QUAR_STORE_WHY];

static void setup(void)
{
	unit_dir(path);
	quar_store_init(&store, path, 4000, 30);
}

static void teardown(void)
{
	quar_store_fini(&store);
}

static int message(const char *text, size_t n)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	return fd;
}

static struct quar_meta meta(uint64_t size)
{
	return (struct quar_meta){ .id = "", .sha256 = "", .size = size, .agent = "smtp",
		.session = "s", .sender = "a@example.org", .client = "", .helo = "",
		.queue_id = "", .name = "", .virus = "Eicar", .reason = "", .vdb = "",
		.av = VERDICT_AV_INFECTED };
}

/* Each time another one, so that none counts as the same again. */
static int put(size_t n)
{
	static char text[8192];
	static unsigned number;
	struct quar_meta m = meta(n);

	if (n >= sizeof number)
		memcpy(text, &number, sizeof number);
	number++;
	int fd = message(text, n), rc = quar_store_put(&store, &m, fd, time(NULL), id, why);

	close(fd);
	return rc;
}

/* A file of the directory, by hand. */
static void touch(const char *name, size_t n)
{
	static const char octets[8192];
	char file[200];

	snprintf(file, sizeof file, "%s/%s", path, name);
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, octets, n), (ssize_t)n);
	close(fd);
}

static struct quar_list list(void)
{
	struct quar_list l;
	int dir = quar_dir_open(path);

	ck_assert_int_eq(quar_dir_list(dir, &l), 0);
	close(dir);
	return l;
}

static size_t count(void)
{
	struct quar_list l = list();
	size_t n = l.n;

	quar_list_fini(&l);
	return n;
}

START_TEST(digest)
{
	struct digest *d = digest_new();
	char hex[DIGEST_HEX_SIZE];

	ck_assert_int_eq(digest_push(d, "hel", 3), 0);
	ck_assert_int_eq(digest_push(d, "", 0), 0);
	ck_assert_int_eq(digest_push(d, "lo", 2), 0);
	ck_assert_int_eq(digest_end(d, hex), 0);
	ck_assert_str_eq(hex, HELLO_SHA256);
	digest_free(&d);
	digest_free(&d);
}
END_TEST

START_TEST(put_and_read)
{
	struct quar_meta m = meta(5), back;
	struct scan_msg_store mem;
	char octets[10];
	uint64_t size;
	int fd = message("hello and more", 14);

	ck_assert_msg(quar_store_put(&store, &m, fd, 1795260769, id, why) == 0, "%s", why);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 14);
	close(fd);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, id, &back, &mem, why, sizeof why), 0);
	ck_assert_str_eq(back.id, id);
	ck_assert_str_eq(back.sha256, HELLO_SHA256);
	ck_assert_uint_eq(back.time_s, 1795260769);
	ck_assert_str_eq(back.virus, "Eicar");
	scan_msg_store_fini(&mem);
	fd = quar_dir_open_file(store.dir, id, QUAR_FILE_MESSAGE, &size);
	ck_assert_uint_eq(size, 5);
	ck_assert_int_eq(read(fd, octets, sizeof octets), 5);
	ck_assert_mem_eq(octets, "hello", 5);
	close(fd);
	struct quar_list l = list();
	ck_assert(l.n == 1 && quar_entry_is_whole(&l.e[0]) && l.octets == store.list.octets);
	quar_list_fini(&l);
	quar_store_take_back(&store, id);
	ck_assert_uint_eq(count(), 0);
	ck_assert_int_eq(quar_dir_remove(store.dir, id), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static int put_text(const char *text, const struct quar_meta *m, int64_t now_s)
{
	int fd = message(text, strlen(text)), rc = quar_store_put(&store, m, fd, now_s, id, why);

	close(fd);
	return rc;
}

/* The same octets, envelope and verdict are one copy, also for who starts anew
 * and for a list that is out of date; anything else is another. */
START_TEST(comes_again)
{
	static const char *const two[] = { "b@example.net", "c@example.net" };
	static const char *const other[] = { "b@example.net", "d@example.net" };
	struct quar_meta m = meta(5), back;
	struct scan_msg_store mem;
	char first[QUAR_ID_SIZE];
	struct quar_list l;

	m.rcpts = two;
	m.nrcpts = m.nrcpts_total = 2;
	ck_assert_int_eq(put_text("hello", &m, 1795260769), 0);
	strcpy(first, id);
	ck_assert_int_eq(put_text("hello", &m, 1795260770), 1);
	ck_assert_str_eq(id, first);
	quar_store_fini(&store);
	quar_store_init(&store, path, 4000, 30);
	touch("README", 1);
	ck_assert_int_eq(put_text("hello", &m, 1795260799), 1);
	ck_assert_str_eq(id, first);
	l = list();
	ck_assert(l.n == 1 && l.octets == store.list.octets);
	quar_list_fini(&l);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, id, &back, &mem, why, sizeof why), 0);
	ck_assert(back.seen == 3 && back.time_s == 1795260769 && back.last_s == 1795260799);
	ck_assert_str_eq(back.rcpts[1], "c@example.net");
	scan_msg_store_fini(&mem);

	ck_assert_int_eq(put_text("hallo", &m, 1795260799), 0);
	struct quar_meta changed = m;
	changed.rcpts = other;
	ck_assert_int_eq(put_text("hello", &changed, 1795260799), 0);
	changed = m;
	changed.nrcpts_total = 3;
	ck_assert_int_eq(put_text("hello", &changed, 1795260799), 0);
	changed = m;
	changed.sender = "";
	ck_assert_int_eq(put_text("hello", &changed, 1795260799), 0);
	changed = m;
	changed.as = VERDICT_AS_SPAM;
	ck_assert_int_eq(put_text("hello", &changed, 1795260799), 0);
	changed = m;
	changed.virus = "Blocked/exe";
	ck_assert_int_eq(put_text("hello", &changed, 1795260799), 0);
	changed = m;
	changed.session = changed.client = changed.queue_id = "another time";
	ck_assert_int_eq(put_text("hello", &changed, 1795260799), 1);
	ck_assert_uint_eq(count(), 7);
	/* What somebody has removed is kept anew, and one that was cut is no copy. */
	ck_assert_int_eq(quar_dir_remove(store.dir, first), 0);
	ck_assert_int_eq(put_text("hello", &m, 1795260799), 0);
	char name[80];
	snprintf(name, sizeof name, "%s.eml", id);
	touch(name, 4);
	ck_assert_int_eq(put_text("hello", &m, 1795260799), 0);
}
END_TEST

/* The digits in an id are few: all of it is compared, and nothing is noted at
 * another message. */
START_TEST(same_digits_of_another)
{
	static const char *const two[] = { "b@example.net", "c@example.net" };
	static const char *const other[] = { "b@example.net", "d@example.net" };
	struct quar_meta m = meta(5), changed[7], back;
	char first[QUAR_ID_SIZE];
	struct scan_msg_store mem;

	m.rcpts = two;
	m.nrcpts = m.nrcpts_total = 2;
	for (int i = 0; i < 7; i++)
		changed[i] = m;
	changed[0].sender = "b@example.org";
	changed[1].rcpts = other;
	changed[2].nrcpts_total = 3;
	changed[3].av |= VERDICT_AV_ENCRYPTED;
	changed[4].as = VERDICT_AS_SPAM;
	changed[5].virus = "Blocked/exe";
	for (int i = 0; i < 7; i++) {
		ck_assert_int_eq(put_text("hello", &m, 1795260769), 0);
		strcpy(first, id);
		changed[i].id = first;
		changed[i].sha256 = i < 6 ? HELLO_SHA256 :
			"0000000000000000000000000000000000000000000000000000000000000000";
		changed[i].seen = 1;
		ck_assert_int_eq(quar_dir_rewrite_meta(store.dir, &changed[i]), 0);
		ck_assert_msg(put_text("hello", &m, 1795260769) == 0, "%d", i);
		ck_assert_str_ne(id, first);
		ck_assert_uint_eq(quar_id_tag(id), quar_id_tag(first));
		ck_assert_int_eq(quar_dir_read_meta(store.dir, first, &back, &mem, why, sizeof why), 0);
		ck_assert_uint_eq(back.seen, 1);
		scan_msg_store_fini(&mem);
		ck_assert_int_eq(quar_dir_remove(store.dir, first), 0);
		ck_assert_int_eq(quar_dir_remove(store.dir, id), 0);
	}
}
END_TEST

/* Metadata that looks like it may be, as much as somebody likes, is read only so
 * far. */
START_TEST(looks_are_bounded)
{
	struct quar_meta m = meta(5);
	char name[80], first[QUAR_ID_SIZE], like[QUAR_ID_SIZE];

	store.max_octets = 1u << 20;
	ck_assert_int_eq(put_text("hello", &m, 1795260769), 0);
	strcpy(first, id);
	for (unsigned i = 0; i < QUAR_STORE_LOOKS; i++) {
		if (i == QUAR_STORE_LOOKS - 1) {
			store.listed_s = 0;
			ck_assert_int_eq(put_text("hello", &m, 1795260769), 1);
		}
		quar_id_format(like, 4102444799000000 + i, quar_id_tag(first));
		snprintf(name, sizeof name, "%s.eml", like);
		touch(name, 5);
		snprintf(name, sizeof name, "%s.meta", like);
		touch(name, 200);
	}
	store.listed_s = 0;
	ck_assert_int_eq(put_text("hello", &m, 1795260769), 0);
	ck_assert_str_ne(id, first);
}
END_TEST

START_TEST(makes_its_directory)
{
	struct stat st;

	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_msg(put(10) == 0, "%s", why);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(what_cannot_be_kept)
{
	struct quar_meta m = meta(100);
	int pipes[2], fd = message("short", 5);

	ck_assert_int_eq(quar_store_put(&store, &m, fd, 1, id, why), -1);
	close(fd);
	ck_assert_int_eq(quar_store_put(&store, &m, -1, 1, id, why), -1);
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(quar_store_put(&store, &m, pipes[0], 1, id, why), -1);
	close(pipes[0]);
	close(pipes[1]);
	ck_assert_msg(put(100) == 0, "%s", why);
	ck_assert_int_eq(put(4001), -1);
	ck_assert_str_eq(why, "larger than av_quarantine_max_size");
	m.size = UINT64_MAX;
	ck_assert_int_eq(quar_store_put(&store, &m, 0, 1, id, why), -1);
	ck_assert_uint_eq(count(), 1);
	/* What can be opened but not read. */
	fd = open("/proc/self/mem", O_RDONLY);
	m.size = 0;
	ck_assert_int_eq(quar_store_put(&store, &m, fd, time(NULL), id, why), 0);
	close(fd);
}
END_TEST

/* A file that shrinks while it is copied: nothing is left. */
START_TEST(shorter_than_said)
{
	char file[200];
	struct quar_meta m = meta(1);

	/* its size is 4096 for stat, and less can be read */
	snprintf(file, sizeof file, "/sys/kernel/mm/transparent_hugepage/enabled");
	int fd = open(file, O_RDONLY);
	if (fd < 0)
		return;
	m.size = 3500;
	ck_assert_int_eq(quar_store_put(&store, &m, fd, time(NULL), id, why), -1);
	ck_assert_str_ne(why, "no file of that size came with the request");
	close(fd);
	ck_assert_uint_eq(count(), 0);
}
END_TEST

START_TEST(oldest_go_first)
{
	char ids[8][QUAR_ID_SIZE];

	for (int i = 0; i < 8; i++) {
		ck_assert_msg(put(1000) == 0, "%s", why);
		strcpy(ids[i], id);
		struct quar_list l = list();
		ck_assert_uint_le(l.octets, 4000);
		ck_assert_str_eq(l.e[l.n - 1].id, id);
		quar_list_fini(&l);
	}
	struct quar_list l = list();
	ck_assert_uint_eq(l.n, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(l.e[i].id, ids[5 + i]);
	quar_list_fini(&l);
	/* One that takes all the room, and none that takes more. */
	ck_assert_int_eq(put(4000 - 100), -1);
	ck_assert_uint_eq(count(), 3);
	ck_assert_msg(put(3500) == 0, "%s", why);
	ck_assert_uint_eq(count(), 1);
}
END_TEST

/* What others removed makes room, what others put takes some. */
START_TEST(others_are_at_work)
{
	char first[QUAR_ID_SIZE];

	ck_assert_int_eq(put(1000), 0);
	strcpy(first, id);
	ck_assert_int_eq(put(1000), 0);
	ck_assert_int_eq(quar_dir_remove(store.dir, id), 0);
	ck_assert_int_eq(put(1000), 0);
	ck_assert_int_eq(put(1000), 0);
	struct quar_list l = list();
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.e[0].id, first);
	quar_list_fini(&l);
	touch("20991231-235959-00000000.eml", 1000);
	touch("20991231-235959-00000000.meta", 500);
	ck_assert_int_eq(put(1000), 0);
	l = list();
	ck_assert_uint_le(l.octets, 4000);
	quar_list_fini(&l);
}
END_TEST

START_TEST(age)
{
	int64_t now = 1795260769;
	char name[80], old[QUAR_ID_SIZE];

	for (int days = 28; days <= 33; days++) {
		quar_id_format(old, (now - days * 86400LL) * 1000000, 1);
		snprintf(name, sizeof name, "%s.eml", old);
		touch(name, 10);
		snprintf(name, sizeof name, "%s.meta", old);
		touch(name, 10);
	}
	ck_assert_uint_eq(quar_store_expire(&store, now), 3);
	ck_assert_uint_eq(count(), 3);
	ck_assert_uint_eq(quar_store_expire(&store, now), 0);
}
END_TEST

START_TEST(halves)
{
	int64_t now = 1795260769;
	char name[80], half[QUAR_ID_SIZE];
	static const char *const suffixes[] = { "eml", "meta", "eml.tmp", "meta.tmp" };

	for (int i = 0; i < 8; i++) {
		quar_id_format(half, (now - (i < 4 ? 3599 : 3600)) * 1000000, (uint32_t)i);
		snprintf(name, sizeof name, "%s.%s", half, suffixes[i % 4]);
		touch(name, 10);
	}
	touch("README", 5000);
	touch("20260101-000000-00000000", 10);
	touch("20260101-000000-00000000.txt", 10);
	touch("20260101-000000-0000000g.eml", 10);
	ck_assert_uint_eq(quar_store_expire(&store, now), 0);
	ck_assert_uint_eq(count(), 4);
	ck_assert_uint_eq(store.list.octets, 40);
	snprintf(name, sizeof name, "%s/README", path);
	ck_assert_int_eq(access(name, F_OK), 0);
}
END_TEST

/* Somebody else's files: links and worse are neither followed nor read. */
START_TEST(hostile_files)
{
	static const char evil[] = "20261121-113249-4f3a9c21";
	char name[200], target[300];
	struct scan_msg_store mem;
	struct quar_meta m;
	uint64_t size;

	ck_assert_int_eq(put(10), 0);
	snprintf(name, sizeof name, "%s/%s.eml", path, evil);
	snprintf(target, sizeof target, "%s/%s.eml", path, id);
	ck_assert_int_eq(symlink("/etc/passwd", name), 0);
	ck_assert_int_eq(quar_dir_open_file(store.dir, evil, QUAR_FILE_MESSAGE, &size), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, evil, &m, &mem, why, sizeof why), -1);
	ck_assert_int_eq(quar_dir_remove(store.dir, evil), 0);
	ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	ck_assert_int_eq(quar_dir_open_file(store.dir, evil, QUAR_FILE_MESSAGE, &size), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(quar_dir_open_file(store.dir, "../../../../etc/passwd", QUAR_FILE_META,
		&size), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(quar_dir_remove(store.dir, "../x"), -1);
	/* metadata of another message, and a message of another size */
	unlink(name);
	ck_assert_int_eq(link(target, name), 0);
	snprintf(name, sizeof name, "%s/%s.meta", path, evil);
	snprintf(target, sizeof target, "%s/%s.meta", path, id);
	ck_assert_int_eq(link(target, name), 0);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, evil, &m, &mem, why, sizeof why), -1);
	ck_assert_str_eq(why, "metadata: of another message");
	snprintf(name, sizeof name, "%s.eml", id);
	touch(name, 11);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, id, &m, &mem, why, sizeof why), -1);
	ck_assert_str_eq(why, "message: not of the size it had");
	snprintf(name, sizeof name, "%s.meta", evil);
	touch(name, 0);
	snprintf(target, sizeof target, "%s/%s", path, name);
	ck_assert_int_eq(truncate(target, 1 << 30), 0);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, evil, &m, &mem, why, sizeof why), -1);
	ck_assert_str_eq(why, "metadata: too long");
}
END_TEST

START_TEST(write_again)
{
	struct quar_meta m;
	struct scan_msg_store mem;

	ck_assert_int_eq(put(10), 0);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, id, &m, &mem, why, sizeof why), 0);
	m.released_s = 5;
	ck_assert_int_eq(quar_dir_write_meta(store.dir, &m), 0);
	ck_assert_int_eq(quar_dir_write_meta(store.dir, &m), -1); /* somebody is at it */
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(quar_dir_commit(store.dir, id, QUAR_FILE_META_TMP), 0);
	scan_msg_store_fini(&mem);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, id, &m, &mem, why, sizeof why), 0);
	ck_assert_uint_eq(m.released_s, 5);
	scan_msg_store_fini(&mem);
	ck_assert_uint_eq(count(), 1);
}
END_TEST

/* 0: as wanted; 1: the kernel cannot; more: what went wrong. */
static int confined(void)
{
	char outside[100];
	int dir = quar_dir_open(path);

	if (confine_to_dir(dir) < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 1 : 2;
	if (put(10) < 0)
		return 3;
	snprintf(outside, sizeof outside, "%s.x", path);
	if (open(outside, O_WRONLY | O_CREAT, 0600) >= 0)
		return 4;
	if (open("/dev/null", O_WRONLY) >= 0 || mkdir(outside, 0700) == 0)
		return 5;
	if (system("true") == 0)
		return 6;
	return quar_store_expire(&store, time(NULL) + 100 * 86400) == 1 ? 0 : 7;
}

START_TEST(confinement)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(confined());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_le(WEXITSTATUS(status), 1);
}
END_TEST

/* Two processes note what is not the same: each finds what the other did. */
START_TEST(notes_of_two)
{
	struct quar_meta m = meta(5), back;
	struct scan_msg_store mem;
	long long grown = 0;
	int status;

	store.max_octets = 1u << 20;
	ck_assert_int_eq(put_text("hello", &m, 1795260769), 0);
	pid_t pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < 200; i++) {
			while (quar_dir_note(store.dir, id, QUAR_NOTE_SEEN, 1795260800, &grown) < 0)
				if (errno != EAGAIN)
					_exit(1);
		}
		_exit(0);
	}
	for (unsigned i = 1; i <= 200; i++)
		ck_assert_int_eq(quar_dir_note(store.dir, id, QUAR_NOTE_RELEASED, i, NULL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_eq(quar_dir_read_meta(store.dir, id, &back, &mem, why, sizeof why), 0);
	ck_assert_uint_eq(back.seen, 201);
	ck_assert_uint_eq(back.released_s, 200);
	scan_msg_store_fini(&mem);
	ck_assert_int_eq(quar_dir_note(store.dir, id, QUAR_NOTE_RELEASED, 1795260900, &grown), 0);
	ck_assert_int_eq(grown, (long long)strlen("1795260900") - (long long)strlen("200"));
	ck_assert_int_lt(quar_dir_note(store.dir, "20260101-000000-00000000", QUAR_NOTE_SEEN, 1, NULL),
		0);
}
END_TEST

START_TEST(claims)
{
	struct quar_meta m = meta(5);

	store.max_octets = 1u << 20;
	ck_assert_int_eq(put_text("hello", &m, 1795260769), 0);
	int one = quar_dir_claim(store.dir, id);
	ck_assert_int_ge(one, 0);
	ck_assert_int_lt(quar_dir_claim(store.dir, id), 0);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	close(one);
	one = quar_dir_claim(store.dir, id);
	ck_assert_int_ge(one, 0);
	close(one);
	ck_assert_int_lt(quar_dir_claim(store.dir, "20260101-000000-00000000"), 0);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("quar_store");
	TCase *t = tcase_create("quar_store");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, digest);
	tcase_add_test(t, put_and_read);
	tcase_add_test(t, comes_again);
	tcase_add_test(t, looks_are_bounded);
	tcase_add_test(t, same_digits_of_another);
	tcase_add_test(t, makes_its_directory);
	tcase_add_test(t, what_cannot_be_kept);
	tcase_add_test(t, shorter_than_said);
	tcase_add_test(t, oldest_go_first);
	tcase_add_test(t, others_are_at_work);
	tcase_add_test(t, age);
	tcase_add_test(t, halves);
	tcase_add_test(t, hostile_files);
	tcase_add_test(t, write_again);
	tcase_add_test(t, confinement);
	tcase_add_test(t, notes_of_two);
	tcase_add_test(t, claims);
	suite_add_tcase(s, t);
	return unit_run(s);
}
