/* task_archive.c - which archives an object is, or has inside.
 *
 *   object ─► magic ─┬─► at its start ─┬─► task_zip ─┬─► task_unpack ─► member
 *                    └─► inside it ────┴─────────────┘
 *                        (behind a program, a picture, ...)
 *
 * Readers disagree about archives as they do about mail: what one of them
 * shows is scanned, so a file that is several archives is read as each of
 * them. */
#include "task_unpack.h"

#include <stdio.h>
#include <string.h>

#include "marks.h"
#include "zip_dir.h"

#define ISO_FROM (32u << 10)         /* what is in front of that is nobody's */

#define XZ_LOOK_COST 16u             /* its octets gone through for the end, in octets decoded */

/* What an object is one of. */
struct place {
	const char *data;
	size_t len;
	const char *name;
	bool is_guess, is_hint;              /* as in struct reading */
	size_t end;                          /* told: where a reader came to its end; 0 none did */
};

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

/* A tar ends at a block of zeros, and some readers go on behind them. end_out:
 * where the last one ended. */
static bool scan_tars(struct task *t, const struct magic *m, const char *data, size_t len,
	const char *name, bool is_guess, size_t *end_out)
{
	*end_out = 0;
	for (size_t at = 0; at < len && (at == 0 || magic_is_tar(data + at, len - at));) {
		struct reading r = { .name = name, .is_guess = is_guess || at > 0 };
		if (!task_unpack(t, m, UNPACK_FIRST_WAY, data + at, len - at, "", &r))
			return false;
		if (r.end != UNPACK_END)
			break;
		at += r.position + (size_t)-r.position % 512;
		*end_out = at;
		while (at < len && data[at] == '\0')
			at++;
	}
	return true;
}

/* The one in front came to its end: it was no accident, however few octets said so. */
static void note_more(struct task *t, const struct place *p)
{
	if (!p->is_hint && !t->in_guess)
		task_note(t, VERDICT_AV_NOTSCANNED, p->name,
			"an archive cannot be read: behind its end it goes on");
}

/* Some readers pass over zeros behind a compressed file and go on with the next
 * as one file with it, which libarchive doesn't do for all. Each of the same kind is
 * scanned; what they are together is not, nor what is of another kind. */
static bool scan_streams(struct task *t, const struct magic *m, struct place *p)
{
	const char *data = p->data;
	const size_t len = p->len;
	char title[NAME_SIZE];

	stream_title(m, data, len, p->name, title, sizeof title);
	for (size_t at = 0; at < len;) {
		struct reading r = { .name = p->name, .is_guess = p->is_guess, .is_hint = p->is_hint };
		const bool is_same = at == 0 || magic_is(m->format, data + at, len - at);
		if (at > 0 && (is_same || magic_goes_on(data + at, len - at)))
			note_more(t, p);
		if (!is_same)
			break;
		if (!task_unpack(t, m, UNPACK_FIRST_WAY, data + at,
		    magic_stream_end(m->format, data + at, len - at), title, &r))
			return false;
		if (r.end != UNPACK_END || r.is_over || r.position == 0)
			break;
		/* Of lz4 libarchive takes four more, to see that they are no frame. */
		const bool is_seen = m->format == MAGIC_LZ4 && r.position > 4 && r.position < len - at;
		p->end = at += r.position - (is_seen ? 4 : 0);
		while (at < len && data[at] == '\0')
			at++;
	}
	return true;
}

static bool scan_known(struct task *t, const struct magic *m, struct place *p)
{
	const char *data = p->data, *name = p->name;
	const size_t len = p->len;
	struct reading r = { .name = name, .is_guess = p->is_guess, .is_hint = p->is_hint };

	if (m->format == MAGIC_ZIP)
		return task_scan_zip(t, data, len, name, p->is_guess, &p->end);
	if (m->format == MAGIC_TAR)
		return scan_tars(t, m, data, len, name, p->is_guess, &p->end);
	if (m->format == MAGIC_7Z && magic_is_7z(data, len) && !magic_7z_is_bounded(data, len)) {
		task_note(t, VERDICT_AV_OVERLIMIT, name, "the header of a 7z is too large");
		return true;
	}
	if (magic_is_stream(m->format))
		return scan_streams(t, m, p);
	if (!task_unpack(t, m, UNPACK_FIRST_WAY, data, len, "", &r))
		return false;
	p->end = r.end == UNPACK_END && !r.is_over ? r.position : 0;
	if (m->format != MAGIC_ISO || r.is_over || (p->is_hint && r.end != UNPACK_END))
		return true;
	struct reading again = { .name = name }, bare = { .name = name };
	return task_unpack(t, m, UNPACK_SECOND_WAY, data, len, "", &again) && (again.is_over ||
		task_unpack(t, m, UNPACK_THIRD_WAY, data, len, "", &bare));
}

/* The object is one of them; false: the task is to end. */
static bool scan_as(struct task *t, const struct magic *m, struct place *p)
{
	char why[64];

	if (!unpack_knows(m->format)) {
		snprintf(why, sizeof why, "%s archives are not looked into", m->name);
		if (!m->is_weak)
			task_note(t, VERDICT_AV_NOTSCANNED, p->name, why);
		return true;
	}
	if (!task_enter(t))
		return true; /* what lies beside it is still looked at */
	bool on = scan_known(t, m, p);
	task_leave(t);
	return on;
}

/* Nothing that only looks like one: what cannot be read of it is missed. */
static bool is_no_accident(enum magic_format f, const char *p, size_t len)
{
	return (f == MAGIC_7Z && magic_is_7z(p, len)) || (f == MAGIC_CAB && magic_is_cab(p, len)) ||
		(f == MAGIC_XZ && magic_is_xz(p, len));
}

/* Kinds of archives that stand behind something else: self-extracting programs,
 * pictures. is_hint: they also stand in others, as members that nobody packed again,
 * and programs name their first octets. */
static const struct inside_kind {
	struct magic m;
	unsigned mark;
	bool is_hint;
} inside_kinds[] = {
	{ { MAGIC_RAR, "rar", false }, MARK_RAR, false },
	{ { MAGIC_RAR5, "rar", false }, MARK_RAR, false },
	{ { MAGIC_7Z, "7z", false }, MARK_7Z, false }, { { MAGIC_CAB, "cab", false }, MARK_CAB, false },
	{ { MAGIC_LHA, "lha", false }, MARK_LHA, false },
	{ { MAGIC_GZIP, "gzip", false }, MARK_GZIP, true },
	{ { MAGIC_BZIP2, "bzip2", false }, MARK_BZIP2, true },
	{ { MAGIC_XZ, "xz", false }, MARK_XZ, true }, { { MAGIC_ZSTD, "zstd", false }, MARK_ZSTD, true },
	{ { MAGIC_CPIO, "cpio", false }, MARK_CPIO, true },
	{ { MAGIC_ISO, "iso", false }, MARK_ISO, true } };

/* Is it worth the work? What looking at it costs is taken from the budget: false where
 * that is used up. */
static bool pay_for_look(struct task *t, enum magic_format f, const char *p, size_t len,
	bool *is_any_out)
{
	*is_any_out = f != MAGIC_GZIP || magic_gzip_is_bounded(p, len);
	if (f == MAGIC_XZ)
		return task_charge(t, len / XZ_LOOK_COST);
	return *is_any_out || task_take_object(t);
}

/* Nothing more was found: did the budget end before the octets? */
static bool is_all_looked_at(struct task *t)
{
	return t->octets_left > 0 || task_charge(t, 1);
}

/* All of one kind; seen_from, seen_to: where a reader went through, and hints are
 * none: its members were looked at as what they are. */
static bool scan_inside(struct task *t, const struct inside_kind *k, const char *data, size_t len,
	const char *name, size_t seen_from, size_t seen_to)
{
	const size_t lead = k->m.format == MAGIC_ISO ? ISO_FROM : 0;
	size_t from = 1, at;

	while (magic_inside(k->m.format, data, len, &from, &at, &t->octets_left)) {
		if (k->is_hint && at + lead >= seen_from && at + lead < seen_to) {
			from = from + lead < seen_to ? seen_to - lead : from;
			continue;
		}
		bool is_any;
		if (!pay_for_look(t, k->m.format, data + at, len - at, &is_any))
			return false;
		if (!is_any)
			continue;
		const bool is_guess = !is_no_accident(k->m.format, data + at, len - at);
		struct place p = { .data = data + at, .len = len - at, .name = name,
			.is_guess = is_guess, .is_hint = k->is_hint && is_guess };
		if (!scan_as(t, &k->m, &p))
			return false;
		if (k->is_hint && from + lead < at + p.end)
			from = at + p.end - lead;
	}
	return is_all_looked_at(t);
}

/* A tar behind octets that are none. Readers go on at the next block; where one
 * begins elsewhere, what is wrong with it is no news. */
static bool scan_tar_behind(struct task *t, const char *data, size_t len, const char *name)
{
	static const struct magic tar = { MAGIC_TAR, "tar", false };
	const bool outer = t->in_guess;
	size_t from = 1, at, end;
	bool on = true;

	while (on && magic_tar_behind(data, len, &from, &at, &t->octets_left)) {
		if (!task_enter(t))
			break;
		t->in_guess |= at % 512 != 0;
		on = scan_tars(t, &tar, data + at, len - at, name, at % 512 != 0, &end);
		from += end;
		t->in_guess = outer;
		task_leave(t);
	}
	return on && is_all_looked_at(t);
}

/* A zip that does not begin with the first octet, by either of its tables. */
static bool has_zip_inside(const char *data, size_t len, unsigned marks)
{
	size_t from = 0, at;
	bool has_dir = false;

	if ((marks & MARK_ZIP) && zip_dir_next_local(data, len, &from, &at))
		return true;
	from = len;
	while ((marks & MARK_ZIP_END) && !has_dir && zip_dir_prev_end(data, len, &from, &at, &has_dir))
		continue;
	return has_dir;
}

bool task_scan_archive(struct task *t, const char *data, size_t len, const char *name,
	unsigned marks)
{
	struct magic found[MAGIC_MAX];
	static const struct magic zip = { MAGIC_ZIP, "zip", false };
	const unsigned n = magic_at_start(data, len, found);
	size_t seen_from = 0, seen_to = 0;
	bool is_zip = false;

	if (!t->r->want_av)
		return true;
	for (unsigned i = 0; i < n; i++) {
		is_zip |= found[i].format == MAGIC_ZIP;
		struct place p = { .data = data, .len = len, .name = name, .is_guess = found[i].is_weak };
		if (t->r->opts.obj_archives && !scan_as(t, &found[i], &p))
			return false;
		if (!t->r->opts.obj_archives)
			p.end = len; /* nor anything that lies in it */
		if (p.end <= seen_to || found[i].is_weak)
			continue;
		seen_to = p.end;
		seen_from = found[i].format == MAGIC_ISO ? ISO_FROM : 0;
	}
	if (!t->r->opts.obj_sfx)
		return true;
	struct place whole = { .data = data, .len = len, .name = name, .is_guess = true };
	if (!is_zip && has_zip_inside(data, len, marks) && !scan_as(t, &zip, &whole))
		return false;
	/* Raw blocks of a compressed tar look like one. */
	if (n == 0 && !scan_tar_behind(t, data, len, name))
		return false;
	for (size_t i = 0; i < sizeof inside_kinds / sizeof inside_kinds[0]; i++)
		if ((marks & inside_kinds[i].mark) &&
		    !scan_inside(t, &inside_kinds[i], data, len, name, seen_from, seen_to))
			return false;
	return true;
}
