/* quar_store.c - puts messages into quarantine, see quar_store.h.
 *
 * The list of what is there is kept in memory, since a directory with a
 * hundred thousand files takes a while to look through. The time of the
 * directory's last change tells whether somebody else has removed something.
 * A client that is deferred comes again with the same message: the last digits
 * of an id are drawn from octets, envelope and verdict, so that the list tells
 * which metadata is worth a look, after a restart as well.
 * No room is made before it is known that the message can fit at all. */
#include "quar_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* to -1: for the digest only. */
static int copy_octets(int from, int to, uint64_t size, struct digest *d, unsigned char *mem)
{
	for (uint64_t at = 0; at < size;) {
		size_t want = size - at < COPY_CHUNK ? (size_t)(size - at) : COPY_CHUNK;
		ssize_t n = pread(from, mem, want, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENODATA; /* shorter than it was said to be */
		if (n <= 0 || digest_push(d, mem, (size_t)n) < 0 ||
		    (to >= 0 && quar_dir_write(to, mem, (size_t)n) < 0))
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
		rc = to >= 0 ? fsync(to) : 0;
	int error = errno;
	free(mem);
	digest_free(&d);
	errno = error;
	return rc;
}

/* What the same message has in common each time it comes: a number for its id. */
static uint32_t tag_of(const struct quar_meta *m, const char *sha256)
{
	struct digest *d = digest_new();
	char hex[DIGEST_HEX_SIZE] = "", more[32];

	if (d == NULL)
		return 0; /* it is only looked for in vain */
	snprintf(more, sizeof more, "%x %x %u", m->av, (unsigned)m->as, m->nrcpts_total);
	int rc = digest_push(d, sha256, strlen(sha256)) | digest_push(d, more, strlen(more) + 1) |
		digest_push(d, m->virus, strlen(m->virus) + 1) |
		digest_push(d, m->sender, strlen(m->sender) + 1);
	for (unsigned i = 0; i < m->nrcpts; i++)
		rc |= digest_push(d, m->rcpts[i], strlen(m->rcpts[i]) + 1);
	if (rc != 0 || digest_end(d, hex) < 0)
		hex[0] = '\0';
	digest_free(&d);
	hex[3] = '\0';
	return (uint32_t)strtoul(hex, NULL, 16);
}

/* A file under a new id. */
static int open_new(int dir, uint32_t tag, char id[QUAR_ID_SIZE])
{
	char name[QUAR_NAME_SIZE];
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	for (int i = 0; i < ID_TRIES; i++) {
		/* Another one of the same moment: the next free microsecond. */
		quar_id_format(id, (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 + i, tag);
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

static void add_entry(struct quar_store *s, const struct quar_meta *m, uint64_t octets,
	bool was_fresh)
{
	struct quar_entry e = { .files = 3u, .octets = octets };

	str_copy(e.id, sizeof e.id, m->id);
	/* A clock that was set back, or no memory: look through it again. */
	if ((s->list.n > s->first && strcmp(s->list.e[s->list.n - 1].id, e.id) > 0) ||
	    quar_list_add(&s->list, &e) < 0)
		s->listed_s = 0;
	if (was_fresh)
		note_change(s);
}

static int put(struct quar_store *s, struct quar_meta *m, int from, int64_t now_s, uint64_t octets,
	uint32_t tag, char id[QUAR_ID_SIZE])
{
	bool was_fresh = s->listed_s != 0 && !is_stale(s, now_s);
	int to = open_new(s->dir, tag, id);

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
	/* Into a list that is out of date too: it is for the next look. */
	if (s->listed_s != 0)
		add_entry(s, m, octets, was_fresh);
	return 0;
}

static uint64_t meta_octets(const struct quar_meta *m)
{
	struct buf b = BUF_INIT(KV_MAX);
	uint64_t n = quar_meta_format(m, &b) == 0 ? buf_len(&b) : 0;

	buf_fini(&b);
	return n;
}

/* Octets that message and metadata will take, or 0: not possible. */
static uint64_t octets_needed(const struct quar_store *s, const struct quar_meta *m)
{
	uint64_t n = meta_octets(m);

	return n == 0 || m->size > s->max_octets || n > s->max_octets - m->size ? 0 : n + m->size;
}

/* --- one that comes again --------------------------------------------------------- */

static bool is_same(const struct quar_meta *a, const struct quar_meta *b, const char *sha256)
{
	bool is = a->size == b->size && strcmp(a->sha256, sha256) == 0 && a->av == b->av &&
		a->as == b->as && strcmp(a->virus, b->virus) == 0 &&
		strcmp(a->sender, b->sender) == 0 && a->nrcpts == b->nrcpts &&
		a->nrcpts_total == b->nrcpts_total;

	for (unsigned i = 0; is && i < a->nrcpts; i++)
		is = strcmp(a->rcpts[i], b->rcpts[i]) == 0;
	return is;
}

/* Is it this one? Then that is noted; where it cannot be, the copy is there all
 * the same. */
static bool again(struct quar_store *s, struct quar_entry *e, const struct quar_meta *m,
	const char *sha256, int64_t now_s)
{
	bool was_fresh = !is_stale(s, now_s);
	struct scan_msg_store store;
	struct quar_meta old;
	char why[QUAR_STORE_WHY];

	if (quar_dir_read_meta(s->dir, e->id, &old, &store, why, sizeof why) < 0)
		return false;
	bool is = is_same(&old, m, sha256);
	long long grown;
	if (is && quar_dir_note(s->dir, e->id, QUAR_NOTE_SEEN, (uint64_t)now_s, &grown) == 0) {
		e->octets += (uint64_t)grown; /* modulo 2^64: it may have shrunk */
		s->list.octets += (uint64_t)grown;
		if (was_fresh)
			note_change(s);
	}
	scan_msg_store_fini(&store);
	return is;
}

/* The newest first: who was deferred comes again soon. */
static bool find_again(struct quar_store *s, const struct quar_meta *m, const char *sha256,
	uint32_t tag, int64_t now_s, char id_out[QUAR_ID_SIZE])
{
	unsigned looks = 0;

	if (s->listed_s == 0 && refresh(s, now_s) < 0)
		return false;
	for (size_t i = s->list.n; i > s->first && looks < QUAR_STORE_LOOKS; i--) {
		struct quar_entry *e = &s->list.e[i - 1];
		if (quar_id_tag(e->id) != tag || !quar_entry_is_whole(e) || e->octets < m->size ||
		    e->octets > m->size + KV_MAX)
			continue;
		looks++;
		if (again(s, e, m, sha256, now_s)) {
			str_copy(id_out, QUAR_ID_SIZE, e->id);
			return true;
		}
	}
	return false;
}

/* 0 new, 1 it was there, -1 with errno. */
static int put_or_note(struct quar_store *s, struct quar_meta *m, int fd, int64_t now_s,
	uint64_t octets, char id_out[QUAR_ID_SIZE])
{
	char sha256[DIGEST_HEX_SIZE];
	unsigned removed = 0;

	if (write_message(-1, fd, m->size, sha256) < 0)
		return -1;
	uint32_t tag = tag_of(m, sha256);
	if (find_again(s, m, sha256, tag, now_s, id_out))
		return 1;
	return make_room(s, octets, now_s, &removed) < 0 ||
		put(s, m, fd, now_s, octets, tag, id_out) < 0 ? -1 : 0;
}

int quar_store_put(struct quar_store *s, const struct quar_meta *request, int fd, int64_t now_s,
	char id_out[QUAR_ID_SIZE], char why[QUAR_STORE_WHY])
{
	struct quar_meta m = *request;
	struct stat st;
	int rc = -1;

	/* id and digest as long as they will be */
	m.id = "20261121-113249-4f3a9c21";
	m.sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
	m.time_s = m.last_s = (uint64_t)now_s;
	m.seen = 1;
	m.released_s = 0;
	uint64_t octets = octets_needed(s, &m);
	why[0] = '\0';
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < m.size)
		str_copy(why, QUAR_STORE_WHY, "no file of that size came with the request");
	else if (octets == 0)
		str_copy(why, QUAR_STORE_WHY, "larger than av_quarantine_max_size");
	else if (quar_store_open(s) < 0 ||
	    (rc = put_or_note(s, &m, fd, now_s, octets, id_out)) < 0)
		snprintf(why, QUAR_STORE_WHY, "av_quarantine_dir: %.300s: %s", s->path, strerror(errno));
	return rc;
}

void quar_store_take_back(struct quar_store *s, const char *id)
{
	if (s->dir >= 0)
		quar_dir_remove(s->dir, id);
	s->listed_s = 0;
}
