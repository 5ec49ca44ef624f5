/* task_unpack.c - the members of one archive, each scanned in its turn.
 *
 * A member is unpacked into memory, one at a time for each level, and nothing
 * is written to a file. Bombs end at a limit: level, objects, octets of one
 * archive with all that lies in it, octets of all archives of a message,
 * ratio, time; beyond it the message is over the limit.
 * What is encrypted or cannot be read, what is listed with two sizes, and octets
 * behind a header that is said not to be a file's, is not scanned, unless it only looked
 * like an archive: no more than a few octets, or in the middle of a file. */
#include "task_unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zip_dir.h"

#define FIRST_ROOM (16u << 10)
#define DECLARED_MAX (1u << 20)      /* believed of a size before anything came */
#define HEAD_7Z 32u                  /* octets: all that an empty one has */
#define RATIO_FREE (1u << 20)        /* unpacked from one archive, whatever the ratio */

struct octets {
	char *p;
	size_t n, cap;
	uint64_t end;                /* where it ends to the reader, which may give none of them */
};

static bool unpack_goes_on(void *arg)
{
	return task_goes_on(arg);
}

/* ---- one member ------------------------------------------------------------ */

static void over(struct task *t, struct reading *r, const char *text)
{
	task_note(t, VERDICT_AV_OVERLIMIT, r->name, text);
	r->is_over = true;
}

/* May n more octets come out of the archive? */
static bool take_unpacked(struct task *t, struct reading *r, uint64_t n)
{
	const struct scan_opts *o = &t->r->opts;
	const uint64_t all = r->unpacked + n;

	if (n > t->unpack_left)
		over(t, r, "more unpacked than av_scan_archive_max_size");
	else if (n > t->unpack_total_left)
		over(t, r, "more unpacked from all archives than four times av_scan_archive_max_size");
	else if (all > RATIO_FREE && all / o->archive_max_ratio > r->packed)
		over(t, r, "more unpacked than av_scan_archive_max_ratio allows");
	if (r->is_over)
		return false;
	r->unpacked = all;
	t->unpack_left -= n;
	t->unpack_total_left -= n;
	t->octets_left += n;
	return true;
}

/* Room for n more octets and one; false: the task is to end. */
static bool make_room(struct task *t, struct octets *all, size_t n, uint64_t declared)
{
	size_t cap = all->cap > 0 ? all->cap : declared < FIRST_ROOM ? FIRST_ROOM :
		declared < DECLARED_MAX ? (size_t)declared + 1 : DECLARED_MAX;

	if (all->p != NULL && all->cap > all->n + n)
		return true;
	while (cap <= all->n + n)
		cap *= 2;
	char *p = task_realloc(t, all->p, all->cap, cap);
	if (p == NULL)
		return false;
	all->p = p;
	all->cap = cap;
	return true;
}

/* Everything up to the member's end or a limit. OK: it came to neither its end
 * nor an error, but the task or the archive is over. */
static enum unpack_status unpack_all(struct task *t, struct unpack *u, struct reading *r,
	const struct unpack_member *m, struct octets *all)
{
	enum unpack_status s;
	const void *block;
	uint64_t at;
	size_t n;

	while ((s = unpack_read(u, &block, &n, &at)) == UNPACK_OK) {
		uint64_t gap = at > all->n ? at - all->n : 0;
		if (n == 0)
			continue;
		if (gap > SIZE_MAX / 4 || !take_unpacked(t, r, gap + n) ||
		    !make_room(t, all, (size_t)gap + n, m->size))
			return UNPACK_OK;
		memset(all->p + all->n, 0, (size_t)gap);
		memcpy(all->p + all->n + gap, block, n);
		all->n += (size_t)gap + n;
	}
	all->end = at;
	if (s != UNPACK_END || at <= all->n || m->type != UNPACK_FILE)
		return s;
	/* A hole at its end. */
	const uint64_t gap = at - all->n;
	if (gap > SIZE_MAX / 4 || !take_unpacked(t, r, gap) ||
	    !make_room(t, all, (size_t)gap, m->size))
		return UNPACK_OK;
	memset(all->p + all->n, 0, (size_t)gap);
	all->n += (size_t)gap;
	return s;
}

static void note_failure(struct task *t, const struct unpack *u, enum unpack_status s,
	const char *name)
{
	char why[VERDICT_REASON_MAX];

	if (s == UNPACK_ENCRYPTED) {
		task_note(t, VERDICT_AV_ENCRYPTED, name, "an archive is encrypted");
		return;
	}
	if (t->in_guess)
		return;
	snprintf(why, sizeof why, "an archive cannot be read: %.120s", unpack_error(u));
	task_note(t, VERDICT_AV_NOTSCANNED, name, why);
}

/* A member that came to nothing: are there octets of it that another reader
 * would give? In a tar, links have none, and an ISO is also read without Rock
 * Ridge, which makes other things of its files. */
static bool hides_octets(const struct reading *r, const struct unpack_member *m, uint64_t end)
{
	const bool may_be_odd = r->format == MAGIC_ISO;
	const uint64_t size = m->size > end ? m->size : end;

	switch (m->type) {
	case UNPACK_FILE:
		return size > 0;
	case UNPACK_DIR:
		/* The directory of a zip has said its size already. */
		return !may_be_odd && (size > 0 ||
			(!m->is_sized && !r->is_quiet && r->format == MAGIC_ZIP));
	case UNPACK_LINK:
		if (r->format == MAGIC_ZIP)
			return !r->counts_links && (m->target == NULL ||
				!zip_dir_link_is(r->data, r->packed, r->position - 1, m->target));
		return !may_be_odd && (r->format == MAGIC_TAR ? size > 0 :
			m->target == NULL || strlen(m->target) != size);
	default:
		return !may_be_odd && (r->format != MAGIC_TAR || size > 0);
	}
}

static bool scan_nothing(struct task *t, const struct reading *r,
	const struct unpack_member *m, uint64_t end, const char *name)
{
	if (hides_octets(r, m, end) && !(r->is_guess && r->members == 0) && !t->in_guess)
		task_note(t, VERDICT_AV_NOTSCANNED, name,
			m->type == UNPACK_FILE ? "an archive cannot be read: nothing comes of a member" :
			"an archive cannot be read: a member that is no regular file");
	if (m->type == UNPACK_LINK && m->target != NULL && m->target[0] != '\0')
		return task_scan_content(t, m->target, strlen(m->target), name, TASK_IS_FILE);
	return task_take_object(t);
}

/* libarchive has no name for one that is no Unicode, though others do. */
static void check_member_name(struct task *t, const struct reading *r,
	const struct unpack_member *m, const char *name)
{
	task_check_name(t, m->name, name);
	if (m->name[0] == '\0' && t->r->opts.block_ext[0] != '\0' && !t->in_guess &&
	    !(r->is_guess && r->members == 0))
		task_note(t, VERDICT_AV_NOTSCANNED, name, "an archive cannot be read: a member without a name");
}

/* Some readers stop at the size that is declared, whatever comes. */
static bool scan_declared(struct task *t, const struct unpack_member *m, const struct octets *all,
	const char *name)
{
	return !m->is_sized || m->size == 0 || m->size >= all->n || (task_charge(t, (size_t)m->size) &&
		task_scan_content(t, all->p, (size_t)m->size, name, TASK_IS_FILE));
}

/* A header without octets costs an object too, lest there be millions. */
static bool scan_member(struct task *t, struct unpack *u, struct reading *r,
	const struct unpack_member *m)
{
	struct octets all = { NULL, 0, 0, 0 };
	const bool outer = t->in_guess;
	char name[NAME_SIZE];
	bool on = true, is_noise = false;

	snprintf(name, sizeof name, "%s: %s", r->name, m->name);
	r->headers++;
	r->links += m->type == UNPACK_LINK;
	if (m->type != UNPACK_DIR)
		check_member_name(t, r, m, name);
	if (m->is_encrypted) {
		r->members++;
		task_note(t, VERDICT_AV_ENCRYPTED, name, "an archive is encrypted");
		return task_take_object(t);
	}
	if (m->type != UNPACK_DIR && task_is_excluded(t, m->name))
		return task_take_object(t);
	enum unpack_status s = unpack_all(t, u, r, m, &all);
	if (s == UNPACK_BROKEN || s == UNPACK_ENCRYPTED) {
		/* Noise that looked like a header. */
		if (r->is_guess && r->members == 0 && all.n == 0)
			return task_take_object(t);
		is_noise = r->is_hint && r->members == 0;
		t->in_guess |= is_noise;
		note_failure(t, u, s, name);
	}
	r->members += !is_noise;
	if (s == UNPACK_OK || s == UNPACK_STOPPED)
		on = r->is_over;
	else
		on = all.n > 0 ? task_scan_content(t, all.p, all.n, name, TASK_IS_FILE) &&
			scan_declared(t, m, &all, name) :
			s == UNPACK_END ? scan_nothing(t, r, m, all.end, name) : task_take_object(t);
	t->in_guess = outer;
	task_free(t, all.p, all.cap);
	return on;
}

/* ---- one archive ----------------------------------------------------------- */

static bool read_members(struct task *t, struct unpack *u, struct reading *r, const char *title)
{
	struct unpack_member m;
	bool on = true;

	while (on && !r->is_over && (r->end = unpack_next(u, &m)) == UNPACK_OK) {
		if (title[0] != '\0')
			m.name = title;
		r->position = unpack_member_position(u) + 1;
		if (r->format == MAGIC_TAR && !t->in_guess &&
		    !magic_tar_head_is_plain(r->data + r->position - 1, r->packed - r->position + 1))
			task_note(t, VERDICT_AV_NOTSCANNED, r->name,
				"an archive cannot be read: headers of a tar that readers take for different things");
		on = scan_member(t, u, r, &m);
	}
	return on && r->end != UNPACK_STOPPED;
}

/* Some readers of libarchive take a header that is cut off for the end. And what stands
 * behind the first header of a 7z that says there is nothing, others look through. */
static bool may_be_empty(enum magic_format f, size_t len)
{
	return f == MAGIC_ZIP || (f == MAGIC_7Z && len <= HEAD_7Z) || f == MAGIC_CAB || f == MAGIC_ISO;
}

bool task_unpack(struct task *t, const struct magic *m, enum unpack_way way,
	const char *data, size_t len, const char *title, struct reading *r)
{
	if (!task_take_object(t))
		return false;
	struct unpack *u = unpack_open(m->format, way, data, len, unpack_goes_on, t);
	if (u == NULL)
		return task_out_of_memory(t);
	r->data = data;
	r->packed = len;
	r->format = m->format;
	if (t->n_archives++ == 0)
		t->unpack_left = t->r->opts.archive_max_size;
	bool on = read_members(t, u, r, title);
	t->n_archives--;
	if (unpack_is_short(u)) {
		unpack_close(&u);
		return task_out_of_memory(t);
	}
	if (on && r->end == UNPACK_END && r->members == 0 && !may_be_empty(m->format, len))
		r->end = UNPACK_BROKEN;
	if (r->end == UNPACK_END)
		r->position = unpack_position(u);
	else if (on && !r->is_over && !r->is_quiet && (r->end == UNPACK_ENCRYPTED ||
	    !r->is_guess || r->members > 0))
		note_failure(t, u, r->end, r->name);
	if (on && r->end == UNPACK_END && !r->is_quiet && (!r->is_guess || r->members > 0) &&
	    (unpack_is_damaged(u) || (unpack_lacks_tail(u) && !r->is_hint)))
		note_failure(t, u, UNPACK_BROKEN, r->name);
	/* Work, lest a file be gone through from each of many places in it. */
	on = on && task_charge(t, unpack_position(u));
	unpack_close(&u);
	return on;
}
