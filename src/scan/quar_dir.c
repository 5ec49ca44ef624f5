/* quar_dir.c - the files of the quarantine, see quar_dir.h.
 *
 *     ID.eml.tmp --fsync, rename--> ID.eml
 *     ID.meta.tmp --fsync, rename--> ID.meta     the moment it counts
 *
 * Everything goes through the descriptor of the directory. Must not decide
 * what is kept or for how long. */
#include "quar_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv.h"
#include "str.h"

#define SEEN_WAIT_MS 200
#define RELEASED_WAIT_MS 5000  /* the quarantine may be at it nearly all the time */

static const char *const suffixes[QUAR_FILE_COUNT] = {
	[QUAR_FILE_MESSAGE] = ".eml", [QUAR_FILE_META] = ".meta",
	[QUAR_FILE_MESSAGE_TMP] = ".eml.tmp", [QUAR_FILE_META_TMP] = ".meta.tmp",
};

int quar_dir_open(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool quar_dir_name(char out[QUAR_NAME_SIZE], const char *id, enum quar_file which)
{
	if (!quar_id_is_valid(id))
		return false;
	snprintf(out, QUAR_NAME_SIZE, "%s%s", id, suffixes[which]);
	return true;
}

/* --- listing --------------------------------------------------------------- */

static bool entry_of(const char *name, struct quar_entry *e)
{
	if (strlen(name) <= QUAR_ID_LEN)
		return false;
	str_copy_n(e->id, sizeof e->id, name, QUAR_ID_LEN);
	for (unsigned i = 0; i < QUAR_FILE_COUNT; i++) {
		if (strcmp(name + QUAR_ID_LEN, suffixes[i]) == 0) {
			e->files = 1u << i;
			return quar_id_is_valid(e->id);
		}
	}
	return false;
}

int quar_list_add(struct quar_list *l, const struct quar_entry *e)
{
	if (l->n == l->cap) {
		size_t cap = l->cap > 0 ? 2 * l->cap : 64;
		struct quar_entry *p = realloc(l->e, cap * sizeof *p);
		if (p == NULL)
			return -1;
		l->e = p;
		l->cap = cap;
	}
	l->e[l->n++] = *e;
	l->octets += e->octets;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct quar_entry *)a)->id, ((const struct quar_entry *)b)->id);
}

/* One entry for each id. */
static void merge(struct quar_list *l)
{
	size_t n = 0;

	if (l->n == 0)
		return;
	qsort(l->e, l->n, sizeof *l->e, by_id);
	for (size_t i = 0; i < l->n; i++) {
		if (n > 0 && strcmp(l->e[n - 1].id, l->e[i].id) == 0) {
			l->e[n - 1].files |= l->e[i].files;
			l->e[n - 1].octets += l->e[i].octets;
		} else {
			l->e[n++] = l->e[i];
		}
	}
	l->n = n;
}

static int list_stream(DIR *d, struct quar_list *out)
{
	struct quar_entry e;
	struct dirent *de;
	struct stat st;

	while ((errno = 0, de = readdir(d)) != NULL) {
		if (!entry_of(de->d_name, &e) ||
		    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* What is no file still has a name that can be removed. */
		e.octets = S_ISREG(st.st_mode) && st.st_size > 0 ? (uint64_t)st.st_size : 0;
		if (quar_list_add(out, &e) < 0)
			return -1;
	}
	return errno == 0 ? 0 : -1;
}

int quar_dir_list(int dir, struct quar_list *out)
{
	*out = (struct quar_list){ .e = NULL };
	/* A description of its own: the offset of dir's is shared. */
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	int rc = list_stream(d, out), error = errno;
	closedir(d);
	merge(out);
	errno = error;
	return rc;
}

void quar_list_fini(struct quar_list *l)
{
	free(l->e);
	*l = (struct quar_list){ .e = NULL };
}

/* --- reading ----------------------------------------------------------------- */

int quar_dir_open_file(int dir, const char *id, enum quar_file which, uint64_t *size_out)
{
	char name[QUAR_NAME_SIZE];
	struct stat st;

	if (!quar_dir_name(name, id, which)) {
		errno = EINVAL;
		return -1;
	}
	/* Not blocking: it may be a FIFO. */
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	*size_out = (uint64_t)st.st_size;
	return fd;
}

static const char *open_error(void)
{
	return errno == EINVAL ? "no regular file" : errno == ELOOP ? "a symbolic link" :
		errno == ENOENT ? "not there" : strerror(errno);
}

/* Up to size octets, all there are; how many, or -1. */
static ssize_t read_up_to(int fd, char *mem, size_t size)
{
	size_t at = 0;

	while (at < size) {
		ssize_t n = pread(fd, mem + at, size - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

/* The whole file; its octets, or -1 and a text. */
static ssize_t read_small(int dir, const char *id, char *mem, size_t size, char *why,
	size_t why_size)
{
	uint64_t octets;
	int fd = quar_dir_open_file(dir, id, QUAR_FILE_META, &octets);

	if (fd < 0 && errno == ENOENT)
		snprintf(why, why_size, "not in quarantine");
	else if (fd < 0)
		snprintf(why, why_size, "metadata: %s", open_error());
	if (fd < 0)
		return -1;
	ssize_t n = octets <= size ? read_up_to(fd, mem, size) : (ssize_t)size + 1;
	if (n < 0)
		snprintf(why, why_size, "metadata: %s", strerror(errno));
	else if ((size_t)n > size)
		snprintf(why, why_size, "metadata: too long");
	close(fd);
	return n >= 0 && (size_t)n <= size ? n : -1;
}

int quar_dir_read_meta(int dir, const char *id, struct quar_meta *m,
	struct scan_msg_store *store, char *why, size_t why_size)
{
	char mem[KV_MAX];
	const char *text;
	uint64_t size;

	ssize_t n = read_small(dir, id, mem, sizeof mem, why, why_size);
	if (n < 0)
		return -1;
	if (quar_meta_parse(mem, (size_t)n, m, store, &text) < 0) {
		snprintf(why, why_size, "metadata: %s", text);
		return -1;
	}
	int fd = quar_dir_open_file(dir, id, QUAR_FILE_MESSAGE, &size);
	if (fd < 0)
		snprintf(why, why_size, "message: %s", open_error());
	else if (strcmp(m->id, id) != 0)
		snprintf(why, why_size, "metadata: of another message");
	else if (m->size != size)
		snprintf(why, why_size, "message: not of the size it had");
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && strcmp(m->id, id) == 0 && m->size == size)
		return 0;
	scan_msg_store_fini(store);
	return -1;
}

/* --- writing ----------------------------------------------------------------- */

int quar_dir_write(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t k = write(fd, at, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return -1;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Written, given to its owner (-1: ours) and on the disk. */
static int fill(int fd, const struct buf *b, uid_t uid, gid_t gid)
{
	return fchown(fd, uid, gid) == 0 && quar_dir_write(fd, buf_head(b), buf_len(b)) == 0 ?
		fsync(fd) : -1;
}

static int write_meta(int dir, const struct quar_meta *m, uid_t uid, gid_t gid)
{
	struct buf b = BUF_INIT(KV_MAX);
	char name[QUAR_NAME_SIZE];
	int fd = -1, rc = -1;

	errno = EINVAL;
	if (!quar_dir_name(name, m->id, QUAR_FILE_META_TMP))
		return -1;
	errno = ENOMEM;
	if (quar_meta_format(m, &b) == 0)
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		rc = fill(fd, &b, uid, gid);
		int error = errno;
		if (close(fd) < 0)
			rc = -1;
		if (rc < 0) {
			unlinkat(dir, name, 0);
			errno = error;
		}
	}
	buf_fini(&b);
	return rc;
}

int quar_dir_write_meta(int dir, const struct quar_meta *m)
{
	return write_meta(dir, m, (uid_t)-1, (gid_t)-1);
}

int quar_dir_commit(int dir, const char *id, enum quar_file tmp)
{
	char from[QUAR_NAME_SIZE], to[QUAR_NAME_SIZE];

	if (!quar_dir_name(from, id, tmp) || !quar_dir_name(to, id, tmp - QUAR_FILE_MESSAGE_TMP)) {
		errno = EINVAL;
		return -1;
	}
	/* The directory too, each time: after a crash there is no metadata whose
	 * message has not got its name. */
	return renameat(dir, from, dir, to) < 0 ? -1 : fsync(dir);
}

int quar_dir_rewrite_meta(int dir, const struct quar_meta *m)
{
	char name[QUAR_NAME_SIZE], tmp[QUAR_NAME_SIZE];
	struct stat st;

	if (!quar_dir_name(name, m->id, QUAR_FILE_META) ||
	    !quar_dir_name(tmp, m->id, QUAR_FILE_META_TMP)) {
		errno = EINVAL;
		return -1;
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	unlinkat(dir, tmp, 0); /* of one that was killed */
	if (write_meta(dir, m, st.st_uid, st.st_gid) < 0)
		return -1;
	if (quar_dir_commit(dir, m->id, QUAR_FILE_META_TMP) == 0)
		return 0;
	int error = errno;
	unlinkat(dir, tmp, 0);
	errno = error;
	return -1;
}

/* --- more than one process --------------------------------------------------- */

/* Of the whole directory, for the moment that a rewrite takes: through a
 * description of its own, as dir's may be shared. */
static int lock_notes(int dir, unsigned most_ms)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned ms = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; ms++) {
		if ((errno == EWOULDBLOCK || errno == EINTR) && ms < most_ms) {
			poll(NULL, 0, 1);
			continue;
		}
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int rewrite_noted(int dir, const char *id, enum quar_note what, uint64_t now_s)
{
	struct scan_msg_store store;
	struct quar_meta m;
	char why[160];

	if (quar_dir_read_meta(dir, id, &m, &store, why, sizeof why) < 0) {
		errno = ENOENT;
		return -1;
	}
	if (what == QUAR_NOTE_RELEASED) {
		m.released_s = now_s;
	} else {
		m.seen += m.seen < UINT32_MAX;
		m.last_s = now_s;
	}
	int rc = quar_dir_rewrite_meta(dir, &m), error = errno;
	scan_msg_store_fini(&store);
	errno = error;
	return rc;
}

static long long meta_size(int dir, const char *id)
{
	char name[QUAR_NAME_SIZE];
	struct stat st;

	return quar_dir_name(name, id, QUAR_FILE_META) &&
		fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (long long)st.st_size : 0;
}

int quar_dir_note(int dir, const char *id, enum quar_note what, uint64_t now_s,
	long long *grown_out)
{
	int lock = lock_notes(dir, what == QUAR_NOTE_SEEN ? SEEN_WAIT_MS : RELEASED_WAIT_MS);

	if (lock < 0)
		return -1;
	const long long was = meta_size(dir, id);
	int rc = rewrite_noted(dir, id, what, now_s), error = errno;
	if (rc == 0 && grown_out != NULL)
		*grown_out = meta_size(dir, id) - was;
	close(lock);
	errno = error;
	return rc;
}

int quar_dir_claim(int dir, const char *id)
{
	uint64_t size;
	int fd = quar_dir_open_file(dir, id, QUAR_FILE_MESSAGE, &size);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* --- removing ---------------------------------------------------------------- */

int quar_dir_remove(int dir, const char *id)
{
	static const enum quar_file order[] = { QUAR_FILE_META, QUAR_FILE_META_TMP,
		QUAR_FILE_MESSAGE, QUAR_FILE_MESSAGE_TMP };
	char name[QUAR_NAME_SIZE];
	int error = ENOENT;

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (!quar_dir_name(name, id, order[i])) {
			errno = EINVAL;
			return -1;
		}
		if (unlinkat(dir, name, 0) == 0)
			error = error == ENOENT ? 0 : error;
		else if (errno != ENOENT)
			error = errno;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}
