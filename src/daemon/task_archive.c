/* task_archive.c - what archives hold, within limits.
 *
 *   object ─► magic ─┬─► at its start  ─► unpack ─► member ─► task_scan_content
 *                    └─► inside it     ─► (behind a program, a picture, ...)
 *
 * Readers disagree about archives as they do about mail: what one of them
 * shows is scanned, so a file that is several archives is read as each of
 * them, and a zip whose two tables of contents differ by both (zip_dir.h). A
 * member is unpacked into memory, one at a time for each level, and nothing is
 * written to a file. Bombs end at a limit: level, objects, octets of one
 * archive with all that lies in it, octets of all archives of a message,
 * ratio, time; beyond it the message is over the limit.
 * What is encrypted or cannot be read, what is listed with two sizes, and octets
 * behind a header that is said not to be a file's, is not scanned, unless it only looked
 * like an archive: no more than a few octets, or in the middle of a file. */
#include "task_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magic.h"
#include "unpack.h"
#include "zip_dir.h"

#define FIRST_ROOM (16u << 10)
#define DECLARED_MAX (1u << 20)      /* believed of a size before anything came */
#define RATIO_FREE (1u << 20)        /* unpacked from one archive, whatever the ratio */
#define NAME_SIZE 512
#define NAME_WORK 16u                /* looking at a name, in octets unpacked */
#define ZIP_ENDS_MAX 16u             /* of directories in one zip */

/* One way through one archive. */
struct reading {
	const char *name;
	enum magic_format format;
	uint64_t packed, unpacked;   /* octets of it, and of its members so far */
	bool is_guess;               /* it may be no archive at all */
	bool is_quiet;               /* how it ends is no news */
	bool is_over;                /* a limit */
	unsigned members;
	size_t headers;              /* of members, also of such as were not read */
	enum unpack_status end;
	size_t position;             /* where it ended, or the member that failed began */
};

struct octets {
	char *p;
	size_t n, cap;
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

	if (all->cap > all->n + n)
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
	uint64_t declared, struct octets *all)
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
		    !make_room(t, all, (size_t)gap + n, declared))
			return UNPACK_OK;
		memset(all->p + all->n, 0, (size_t)gap);
		memcpy(all->p + all->n + gap, block, n);
		all->n += (size_t)gap + n;
	}
	if (s != UNPACK_END || at <= all->n)
		return s;
	/* A hole at its end. */
	const uint64_t gap = at - all->n;
	if (gap > SIZE_MAX / 4 || !take_unpacked(t, r, gap) ||
	    !make_room(t, all, (size_t)gap, declared))
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
static bool hides_octets(const struct reading *r, const struct unpack_member *m)
{
	const bool may_be_odd = r->format == MAGIC_ISO;

	switch (m->type) {
	case UNPACK_FILE:
		return m->size > 0;
	case UNPACK_DIR:
		/* The directory of a zip has said its size already. */
		return !may_be_odd && (m->size > 0 ||
			(!m->is_sized && !r->is_quiet && r->format == MAGIC_ZIP));
	case UNPACK_LINK:
		return !may_be_odd && (r->format == MAGIC_TAR ? m->size > 0 :
			m->target == NULL || strlen(m->target) != m->size);
	default:
		return !may_be_odd && (r->format != MAGIC_TAR || m->size > 0);
	}
}

static bool scan_nothing(struct task *t, const struct reading *r,
	const struct unpack_member *m, const char *name)
{
	if (hides_octets(r, m) && !(r->is_guess && r->members == 0) && !t->in_guess)
		task_note(t, VERDICT_AV_NOTSCANNED, name,
			m->type == UNPACK_FILE ? "an archive cannot be read: nothing comes of a member" :
			"an archive cannot be read: a member that is no regular file");
	if (m->type == UNPACK_LINK && m->target != NULL && m->target[0] != '\0')
		return task_scan_content(t, m->target, strlen(m->target), name, TASK_IS_FILE);
	return task_take_object(t);
}

/* A header without octets costs an object too, lest there be millions. */
static bool scan_member(struct task *t, struct unpack *u, struct reading *r,
	const struct unpack_member *m)
{
	struct octets all = { NULL, 0, 0 };
	char name[NAME_SIZE];
	bool on = true;

	snprintf(name, sizeof name, "%s: %s", r->name, m->name);
	r->headers++;
	if (m->type != UNPACK_DIR)
		task_check_name(t, m->name, name);
	if (m->is_encrypted) {
		r->members++;
		task_note(t, VERDICT_AV_ENCRYPTED, name, "an archive is encrypted");
		return task_take_object(t);
	}
	if (m->type != UNPACK_DIR && task_is_excluded(t, m->name))
		return task_take_object(t);
	enum unpack_status s = unpack_all(t, u, r, m->size, &all);
	if (s == UNPACK_BROKEN || s == UNPACK_ENCRYPTED) {
		/* Noise that looked like a header. */
		if (r->is_guess && r->members == 0 && all.n == 0)
			return task_take_object(t);
		note_failure(t, u, s, name);
	}
	r->members++;
	if (s == UNPACK_OK || s == UNPACK_STOPPED)
		on = r->is_over;
	else
		on = all.n > 0 ? task_scan_content(t, all.p, all.n, name, TASK_IS_FILE) :
			s == UNPACK_END ? scan_nothing(t, r, m, name) : task_take_object(t);
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
		on = scan_member(t, u, r, &m);
	}
	return on && r->end != UNPACK_STOPPED;
}

/* Some readers of libarchive take a header that is cut off for the end. */
static bool may_be_empty(enum magic_format f)
{
	return f == MAGIC_ZIP || f == MAGIC_7Z || f == MAGIC_CAB || f == MAGIC_ISO;
}

/* Reads one archive one way. title: what its one member is called, "" it has
 * names of its own. False: the task is to end. */
static bool read_archive(struct task *t, const struct magic *m, enum unpack_way way,
	const char *data, size_t len, const char *title, struct reading *r)
{
	if (!task_take_object(t))
		return false;
	struct unpack *u = unpack_open(m->format, way, data, len, unpack_goes_on, t);
	if (u == NULL)
		return task_out_of_memory(t);
	r->packed = len;
	r->format = m->format;
	if (t->n_archives++ == 0)
		t->unpack_left = t->r->opts.archive_max_size;
	bool on = read_members(t, u, r, title);
	t->n_archives--;
	if (on && r->end == UNPACK_END && r->members == 0 && !may_be_empty(m->format))
		r->end = UNPACK_BROKEN;
	if (r->end == UNPACK_END)
		r->position = unpack_position(u);
	else if (on && !r->is_over && !r->is_quiet && (r->end == UNPACK_ENCRYPTED ||
	    !r->is_guess || r->members > 0))
		note_failure(t, u, r->end, r->name);
	if (on && r->end == UNPACK_END && unpack_is_damaged(u) && !r->is_quiet &&
	    (!r->is_guess || r->members > 0))
		note_failure(t, u, UNPACK_BROKEN, r->name);
	/* Work, lest a file be gone through from each of many places in it. */
	on = on && task_charge(t, unpack_position(u));
	unpack_close(&u);
	return on;
}

/* ---- zip ------------------------------------------------------------------- */

static const struct magic zip_magic = { MAGIC_ZIP, "zip", false };

/* Also names that only some readers show. */
static bool check_zip_names(struct task *t, const char *data, size_t len, const char *outer)
{
	char name[NAME_SIZE], shown[2 * NAME_SIZE];
	const char *p;
	size_t from = 0, n;

	if (t->r->opts.block_ext[0] == '\0')
		return true;
	while (zip_dir_next_name(data, len, &from, &p, &n)) {
		if (p[n - 1] == '/')
			continue;
		size_t k = n < sizeof name ? n : sizeof name - 1;
		if (!task_goes_on(t) || !task_charge(t, k * NAME_WORK))
			return false;
		memcpy(name, p + (n - k), k);
		name[k] = '\0';
		snprintf(shown, sizeof shown, "%.*s: %s", NAME_SIZE - 3, outer, name);
		task_check_name(t, name, shown);
	}
	return true;
}

/* A directory that was read to its end: did it show all that it lists, as
 * other readers see it? */
static void check_zip_directory(struct task *t, const char *data, size_t end,
	const struct reading *r)
{
	size_t n;

	if (r->end == UNPACK_END && !r->is_over && !t->in_guess &&
	    (!zip_dir_agrees(data, end, &n) || n != r->headers))
		task_note(t, VERDICT_AV_NOTSCANNED, r->name,
			"an archive cannot be read: headers and directory of a zip differ");
}

/* By each record that may be the end; *is_whole_out: the last one leads to a
 * directory, and all that it lists could be read. */
static bool read_zip_directories(struct task *t, const char *data, size_t len, const char *name,
	bool *is_whole_out)
{
	size_t from = len, end;
	bool has_dir, is_last = true;
	unsigned tried = 0;

	*is_whole_out = false;
	while (zip_dir_prev_end(data, len, &from, &end, &has_dir)) {
		/* What leads to a directory is no accident. */
		struct reading r = { .name = name, .is_guess = !is_last };
		if (!has_dir)
			continue;
		if (tried++ == ZIP_ENDS_MAX) {
			task_note(t, VERDICT_AV_OVERLIMIT, name, "a zip has too many directories");
			return true;
		}
		if (!read_archive(t, &zip_magic, UNPACK_FIRST_WAY, data, end, "", &r))
			return false;
		if (r.is_over)
			return true;
		if (!r.is_guess || r.members > 0)
			check_zip_directory(t, data, end, &r);
		if (is_last)
			*is_whole_out = r.end == UNPACK_END;
		is_last = false;
	}
	return true;
}

/* By the headers on the way, and again behind whatever ended it. */
static bool read_zip_headers(struct task *t, const char *data, size_t len, const char *name,
	bool is_guess, bool is_quiet)
{
	size_t from = 0, at;
	bool any = is_guess || is_quiet; /* something was read, or was said of it */

	while (zip_dir_next_local(data, len, &from, &at)) {
		struct reading r = { .name = name, .is_guess = is_guess || at > 0,
			.is_quiet = is_quiet };
		if (!read_archive(t, &zip_magic, UNPACK_SECOND_WAY, data + at, len - at, "", &r))
			return false;
		if (r.is_over)
			return true;
		any |= r.members > 0 || (!r.is_guess && r.end != UNPACK_END);
		if (at + r.position > from)
			from = at + r.position;
	}
	if (!any && !t->in_guess)
		task_note(t, VERDICT_AV_NOTSCANNED, name, "an archive cannot be read: zip");
	return true;
}

static bool is_empty_zip(const char *data, size_t len)
{
	size_t from = len, end;
	bool has_dir;

	return len < 22 + 65536 && memcmp(data, "PK\5\6", 4) == 0 &&
		zip_dir_prev_end(data, len, &from, &end, &has_dir) && from == 0 && !has_dir;
}

static bool scan_zip(struct task *t, const char *data, size_t len, const char *name,
	bool is_guess)
{
	bool is_whole;
	size_t end;

	if (!check_zip_names(t, data, len, name))
		return false;
	if (zip_dir_is_plain(data, len, &end)) {
		struct reading r = { .name = name, .is_guess = is_guess };
		return read_archive(t, &zip_magic, UNPACK_FIRST_WAY, data, end, "", &r);
	}
	if (len >= 4 && is_empty_zip(data, len))
		return true;
	return read_zip_directories(t, data, len, name, &is_whole) &&
		read_zip_headers(t, data, len, name, is_guess, is_whole);
}

/* ---- all kinds ------------------------------------------------------------- */

/* What the content of a compressed file is called: as it says itself, or as
 * the file without its last extension. */
static void stream_title(const struct magic *m, const char *data, size_t len, const char *outer,
	char *out, size_t size)
{
	const char *colon = strrchr(outer, ':'), *slash = strrchr(outer, '/');
	const char *base = colon != NULL && colon[1] == ' ' ? colon + 2 : outer;

	out[0] = '\0';
	if (m->format == MAGIC_GZIP)
		magic_gzip_name(data, len, out, size);
	if (out[0] != '\0')
		return;
	if (slash != NULL && slash >= base)
		base = slash + 1;
	const char *dot = strrchr(base, '.');
	size_t n = dot != NULL && dot > base ? (size_t)(dot - base) : strlen(base);
	snprintf(out, size, "%.*s", (int)n, n > 0 ? base : "content");
	if (n == 0)
		snprintf(out, size, "content");
}

/* A tar ends at a block of zeros, and some readers go on behind them. */
static bool scan_tars(struct task *t, const struct magic *m, const char *data, size_t len,
	const char *name, bool is_guess)
{
	for (size_t at = 0; at < len && (at == 0 || magic_is_tar(data + at, len - at));) {
		struct reading r = { .name = name, .is_guess = is_guess || at > 0 };
		if (!read_archive(t, m, UNPACK_FIRST_WAY, data + at, len - at, "", &r))
			return false;
		if (r.end != UNPACK_END)
			break;
		at += r.position + (size_t)-r.position % 512;
		while (at < len && data[at] == '\0')
			at++;
	}
	return true;
}

static bool scan_known(struct task *t, const struct magic *m, const char *data, size_t len,
	const char *name, bool is_guess)
{
	struct reading r = { .name = name, .is_guess = is_guess };
	char title[NAME_SIZE] = "";

	if (m->format == MAGIC_ZIP)
		return scan_zip(t, data, len, name, is_guess);
	if (m->format == MAGIC_TAR)
		return scan_tars(t, m, data, len, name, is_guess);
	if (m->format == MAGIC_7Z && magic_is_7z(data, len) && !magic_7z_is_bounded(data, len)) {
		task_note(t, VERDICT_AV_OVERLIMIT, name, "the header of a 7z is too large");
		return true;
	}
	if (magic_is_stream(m->format)) {
		stream_title(m, data, len, name, title, sizeof title);
		len = magic_stream_end(m->format, data, len);
	}
	if (!read_archive(t, m, UNPACK_FIRST_WAY, data, len, title, &r))
		return false;
	if (m->format != MAGIC_ISO || r.is_over)
		return true;
	struct reading again = { .name = name }, bare = { .name = name };
	return read_archive(t, m, UNPACK_SECOND_WAY, data, len, title, &again) && (again.is_over ||
		read_archive(t, m, UNPACK_THIRD_WAY, data, len, title, &bare));
}

/* The object is one of them; false: the task is to end. */
static bool scan_as(struct task *t, const struct magic *m, const char *data, size_t len,
	const char *name, bool is_guess)
{
	char why[64];

	if (m->format == MAGIC_TNEF) {
		task_note(t, VERDICT_AV_NOTSCANNED, name, "TNEF is not looked into");
		return true;
	}
	if (!unpack_knows(m->format)) {
		snprintf(why, sizeof why, "%s archives are not looked into", m->name);
		if (!m->is_weak)
			task_note(t, VERDICT_AV_NOTSCANNED, name, why);
		return true;
	}
	if (!task_enter(t))
		return true; /* what lies beside it is still looked at */
	bool on = scan_known(t, m, data, len, name, is_guess);
	task_leave(t);
	return on;
}

/* Archives behind something else: self-extracting programs, pictures. */
static bool scan_inside(struct task *t, const char *data, size_t len, const char *name)
{
	static const struct magic kinds[] = { { MAGIC_RAR, "rar", false },
		{ MAGIC_RAR5, "rar", false }, { MAGIC_7Z, "7z", false }, { MAGIC_CAB, "cab", false } };

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		size_t from = 1, at;
		while (magic_inside(kinds[i].format, data, len, &from, &at))
			if (!scan_as(t, &kinds[i], data + at, len - at, name,
			    kinds[i].format != MAGIC_7Z || !magic_is_7z(data + at, len - at)))
				return false;
	}
	return true;
}

/* A zip that does not begin with the first octet, by either of its tables. */
static bool has_zip_inside(const char *data, size_t len)
{
	size_t from = 0, at;
	bool has_dir = false;

	if (zip_dir_next_local(data, len, &from, &at))
		return true;
	from = len;
	while (!has_dir && zip_dir_prev_end(data, len, &from, &at, &has_dir))
		continue;
	return has_dir;
}

bool task_scan_archive(struct task *t, const char *data, size_t len, const char *name)
{
	struct magic found[MAGIC_MAX];
	const unsigned n = magic_at_start(data, len, found);
	bool is_zip = false;

	if (!t->r->want_av)
		return true;
	for (unsigned i = 0; i < n; i++) {
		is_zip |= found[i].format == MAGIC_ZIP;
		if ((t->r->opts.obj_archives || found[i].format == MAGIC_TNEF) &&
		    !scan_as(t, &found[i], data, len, name, found[i].is_weak))
			return false;
	}
	if (!t->r->opts.obj_sfx)
		return true;
	if (!is_zip && has_zip_inside(data, len) && !scan_as(t, &zip_magic, data, len, name, true))
		return false;
	return scan_inside(t, data, len, name);
}
