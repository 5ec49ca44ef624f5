/* quar_store.c - puts messages into quarantine, see quar_store.h.
 *
 * The list of what is there is kept in memory, since a directory with a
 * hundred thousand files takes a while to look through. The time of the
 * directory's last change tells whether somebody else has removed something.
 * No room is made before it is known that the message can fit at all. */
#include "quar_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "kv.h"
#include "str.h"

#define COPY_CHUNK (256u << 10)
#define LIST_MAX_AGE_S 60       /* a change within one tick of the clock is not seen */
#define HALF_MAX_AGE_S 3600
#define ID_TRIES 8
#define DAY_S 86400

void quar_store_init(struct quar_store *s, const char *path, uint64_t max_octets,
	unsigned max_days)
{
	*s = (struct quar_store){ .path = path, .max_octets = max_octets, .max_days = max_days,
		.dir = -1 };
}

void quar_store_fini(struct quar_store *s)
{
	quar_list_fini(&s->list);
	if (s->dir >= 0)
		close(s->dir);
	s->dir = -1;
}

int quar_store_open(struct quar_store *s)
{
	if (s->dir >= 0)
		return 0;
	s->dir = quar_dir_open(s->path);
	if (s->dir < 0 && errno == ENOENT && mkdir(s->path, 0700) == 0)
		s->dir = quar_dir_open(s->path);
	return s->dir < 0 ? -1 : 1;
}

bool quar_store_is_gone(const struct quar_store *s)
{
	struct stat st;

	return s->dir >= 0 && (fstat(s->dir, &st) < 0 || st.st_nlink == 0);
}

/* --- bounds ------------------------------------------------------------------ */

static void note_change(struct quar_store *s)
{
	struct stat st;

	s->changed = fstat(s->dir, &st) == 0 ? st.st_mtim : (struct timespec){ .tv_sec = 0 };
}

static bool is_stale(const struct quar_store *s, int64_t now_s)
{
	struct stat st;

	return fstat(s->dir, &st) < 0 || st.st_mtim.tv_sec != s->changed.tv_sec ||
		st.st_mtim.tv_nsec != s->changed.tv_nsec ||
		now_s - s->listed_s >= LIST_MAX_AGE_S || now_s < s->listed_s;
}

static int refresh(struct quar_store *s, int64_t now_s)
{
	if (s->listed_s != 0 && !is_stale(s, now_s))
		return 0;
	quar_list_fini(&s->list);
	s->first = 0;
	note_change(s); /* before it: what happens meanwhile makes it stale */
	s->listed_s = now_s;
	if (quar_dir_list(s->dir, &s->list) == 0)
		return 0;
	s->listed_s = 0; /* not all of it */
	return -1;
}

static int remove_first(struct quar_store *s)
{
	const struct quar_entry *e = &s->list.e[s->first];

	if (quar_dir_remove(s->dir, e->id) < 0 && errno != ENOENT)
		return -1;
	s->list.octets -= e->octets;
	s->first++;
	note_change(s);
	return 0;
}

static int make_room(struct quar_store *s, uint64_t octets, int64_t now_s, unsigned *removed)
{
	if (s->listed_s != 0 && s->list.octets + octets <= s->max_octets)
		return 0;
	if (refresh(s, now_s) < 0)
		return -1;
	while (s->list.octets + octets > s->max_octets && s->first < s->list.n) {
		*removed += quar_entry_is_whole(&s->list.e[s->first]);
		if (remove_first(s) < 0)
			return -1;
	}
	return 0;
}

/* Half a message is somebody's who is at work on it, or who was killed. */
static void remove_halves(struct quar_store *s, int64_t now_s)
{
	for (size_t i = s->first; i < s->list.n; i++) {
		struct quar_entry *e = &s->list.e[i];
		if (quar_entry_is_whole(e) || now_s - quar_id_time(e->id) < HALF_MAX_AGE_S ||
		    e->files == 0)
			continue;
		if (quar_dir_remove(s->dir, e->id) == 0 || errno == ENOENT) {
			s->list.octets -= e->octets;
			e->octets = 0;
			e->files = 0;
		}
	}
	note_change(s);
}

unsigned quar_store_expire(struct quar_store *s, int64_t now_s)
{
	const int64_t oldest_s = now_s - (int64_t)s->max_days * DAY_S;
	unsigned removed = 0;

	if (quar_store_open(s) < 0 || refresh(s, now_s) < 0)
		return 0;
	while (s->first < s->list.n && quar_id_time(s->list.e[s->first].id) < oldest_s) {
		removed += quar_entry_is_whole(&s->list.e[s->first]);
		if (remove_first(s) < 0)
			return removed;
	}
	remove_halves(s, now_s);
	make_room(s, 0, now_s, &removed);
	return removed;
}

/* --- one message --------------------------------------------------------------- */

static int copy_octets(int from, int to, uint64_t size, struct digest *d, unsigned char *mem)
{
	for (uint64_t at = 0; at < size;) {
		size_t want = size - at < COPY_CHUNK ? (size_t)(size - at) : COPY_CHUNK;
		ssize_t n = pread(from, mem, want, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENODATA; /* shorter than it was said to be */
		if (n <= 0 || digest_push(d, mem, (size_t)n) < 0 || quar_dir_write(to, mem, (size_t)n) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_message(int to, int from, uint64_t size, char sha256[DIGEST_HEX_SIZE])
{
	struct digest *d = digest_new();
	unsigned char *mem = malloc(COPY_CHUNK);
	int rc = -1;

	errno = ENOMEM;
	if (d != NULL && mem != NULL && copy_octets(from, to, size, d, mem) == 0 &&
	    digest_end(d, sha256) == 0)
		rc = fsync(to);
	int error = errno;
	free(mem);
	digest_free(&d);
	errno = error;
	return rc;
}

/* A file under a new id. */
static int open_new(int dir, char id[QUAR_ID_SIZE])
{
	char name[QUAR_NAME_SIZE];
	struct timespec ts;
	uint32_t random;

	clock_gettime(CLOCK_REALTIME, &ts);
	for (int i = 0; i < ID_TRIES; i++) {
		if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
			return -1;
		quar_id_format(id, (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000, random);
		if (!quar_dir_name(name, id, QUAR_FILE_MESSAGE) ||
		    faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		quar_dir_name(name, id, QUAR_FILE_MESSAGE_TMP);
		int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	errno = EEXIST;
	return -1;
}

/* Both files, on the disk. -1 with errno; the caller removes what is there. */
static int write_both(int dir, struct quar_meta *m, int to, int from)
{
	char sha256[DIGEST_HEX_SIZE];

	if (write_message(to, from, m->size, sha256) < 0)
		return -1;
	m->sha256 = sha256;
	int rc = quar_dir_write_meta(dir, m) < 0 ||
		quar_dir_commit(dir, m->id, QUAR_FILE_MESSAGE_TMP) < 0 ||
		quar_dir_commit(dir, m->id, QUAR_FILE_META_TMP) < 0 ? -1 : 0;
	m->sha256 = "";
	return rc;
}

static void add_entry(struct quar_store *s, const struct quar_meta *m, uint64_t octets)
{
	struct quar_entry e = { .files = 3u, .octets = octets };

	str_copy(e.id, sizeof e.id, m->id);
	/* A clock that was set back, or no memory: look through it again. */
	if ((s->list.n > s->first && strcmp(s->list.e[s->list.n - 1].id, e.id) > 0) ||
	    quar_list_add(&s->list, &e) < 0)
		s->listed_s = 0;
	note_change(s);
}

static int put(struct quar_store *s, struct quar_meta *m, int from, int64_t now_s, uint64_t octets,
	char id[QUAR_ID_SIZE])
{
	bool was_fresh = s->listed_s != 0 && !is_stale(s, now_s);
	int to = open_new(s->dir, id);

	if (to < 0)
		return -1;
	m->id = id;
	int rc = write_both(s->dir, m, to, from), error = errno;
	close(to);
	if (rc < 0) {
		quar_dir_remove(s->dir, id);
		if (was_fresh)
			note_change(s);
		errno = error;
		return -1;
	}
	if (was_fresh)
		add_entry(s, m, octets);
	else
		s->listed_s = 0;
	return 0;
}

/* Octets that message and metadata will take, or 0: not possible. */
static uint64_t octets_needed(const struct quar_store *s, const struct quar_meta *m)
{
	struct buf b = BUF_INIT(KV_MAX);
	uint64_t n = quar_meta_format(m, &b) == 0 ? buf_len(&b) : 0;

	buf_fini(&b);
	return n == 0 || m->size > s->max_octets || n > s->max_octets - m->size ? 0 : n + m->size;
}

int quar_store_put(struct quar_store *s, const struct quar_meta *request, int fd, int64_t now_s,
	char id_out[QUAR_ID_SIZE], char why[QUAR_STORE_WHY])
{
	struct quar_meta m = *request;
	unsigned removed = 0;
	struct stat st;

	/* id and digest as long as they will be */
	m.id = "20261121-113249-4f3a9c21";
	m.sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
	m.time_s = (uint64_t)now_s;
	m.released_s = 0;
	uint64_t octets = octets_needed(s, &m);
	why[0] = '\0';
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < m.size)
		str_copy(why, QUAR_STORE_WHY, "no file of that size came with the request");
	else if (octets == 0)
		str_copy(why, QUAR_STORE_WHY, "larger than av_quarantine_max_size");
	else if (quar_store_open(s) < 0)
		snprintf(why, QUAR_STORE_WHY, "av_quarantine_dir: %s", strerror(errno));
	else if (make_room(s, octets, now_s, &removed) < 0 ||
	         put(s, &m, fd, now_s, octets, id_out) < 0)
		snprintf(why, QUAR_STORE_WHY, "%s", strerror(errno));
	return why[0] == '\0' ? 0 : -1;
}

void quar_store_take_back(struct quar_store *s, const char *id)
{
	if (s->dir >= 0)
		quar_dir_remove(s->dir, id);
	s->listed_s = 0;
}
