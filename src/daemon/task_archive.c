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

/* Some readers pass over zeros behind a compressed file and go on with the next
 * as one file with it, which libarchive doesn't do for all. Each is scanned; what
 * they are together is not. */
static bool scan_streams(struct task *t, const struct magic *m, const char *data, size_t len,
	const char *name, bool is_guess)
{
	char title[NAME_SIZE];

	stream_title(m, data, len, name, title, sizeof title);
	for (size_t at = 0; at < len && (at == 0 || magic_is(m->format, data + at, len - at));) {
		struct reading r = { .name = name, .is_guess = is_guess };
		if (at > 0 && !m->is_weak && !t->in_guess)
			task_note(t, VERDICT_AV_NOTSCANNED, name, "an archive cannot be read: behind its end it goes on");
		if (!task_unpack(t, m, UNPACK_FIRST_WAY, data + at,
		    magic_stream_end(m->format, data + at, len - at), title, &r))
			return false;
		if (r.end != UNPACK_END || r.is_over || r.position == 0)
			break;
		/* Of lz4 libarchive takes four more, to see that they are no frame. */
		const bool is_seen = m->format == MAGIC_LZ4 && r.position > 4 && r.position < len - at;
		for (at += r.position - (is_seen ? 4 : 0); at < len && data[at] == '\0';)
			at++;
	}
	return true;
}

static bool scan_known(struct task *t, const struct magic *m, const char *data, size_t len,
	const char *name, bool is_guess)
{
	struct reading r = { .name = name, .is_guess = is_guess };
	size_t end;

	if (m->format == MAGIC_ZIP)
		return task_scan_zip(t, data, len, name, is_guess);
	if (m->format == MAGIC_TAR)
		return scan_tars(t, m, data, len, name, is_guess, &end);
	if (m->format == MAGIC_7Z && magic_is_7z(data, len) && !magic_7z_is_bounded(data, len)) {
		task_note(t, VERDICT_AV_OVERLIMIT, name, "the header of a 7z is too large");
		return true;
	}
	if (magic_is_stream(m->format))
		return scan_streams(t, m, data, len, name, is_guess);
	if (!task_unpack(t, m, UNPACK_FIRST_WAY, data, len, "", &r))
		return false;
	if (m->format != MAGIC_ISO || r.is_over)
		return true;
	struct reading again = { .name = name }, bare = { .name = name };
	return task_unpack(t, m, UNPACK_SECOND_WAY, data, len, "", &again) && (again.is_over ||
		task_unpack(t, m, UNPACK_THIRD_WAY, data, len, "", &bare));
}

/* The object is one of them; false: the task is to end. */
static bool scan_as(struct task *t, const struct magic *m, const char *data, size_t len,
	const char *name, bool is_guess)
{
	char why[64];

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

/* Nothing that only looks like one: what cannot be read of it is missed. */
static bool is_no_accident(enum magic_format f, const char *p, size_t len)
{
	return (f == MAGIC_7Z && magic_is_7z(p, len)) || (f == MAGIC_CAB && magic_is_cab(p, len));
}

/* Archives behind something else: self-extracting programs, pictures. */
static bool scan_inside(struct task *t, const char *data, size_t len, const char *name,
	unsigned marks)
{
	static const struct { struct magic m; unsigned mark; } kinds[] = {
		{ { MAGIC_RAR, "rar", false }, MARK_RAR }, { { MAGIC_RAR5, "rar", false }, MARK_RAR },
		{ { MAGIC_7Z, "7z", false }, MARK_7Z }, { { MAGIC_CAB, "cab", false }, MARK_CAB },
		{ { MAGIC_LHA, "lha", false }, MARK_LHA } };

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const struct magic *m = &kinds[i].m;
		size_t from = 1, at;
		while ((marks & kinds[i].mark) && magic_inside(m->format, data, len, &from, &at))
			if (!scan_as(t, m, data + at, len - at, name,
			    !is_no_accident(m->format, data + at, len - at)))
				return false;
	}
	return true;
}

/* A tar behind octets that are none. Readers go on at the next block; where one
 * begins elsewhere, what is wrong with it is no news. */
static bool scan_tar_behind(struct task *t, const char *data, size_t len, const char *name)
{
	static const struct magic tar = { MAGIC_TAR, "tar", false };
	const bool outer = t->in_guess;
	size_t from = 1, at, end;
	bool on = true;

	while (on && magic_tar_behind(data, len, &from, &at)) {
		if (!task_enter(t))
			break;
		t->in_guess |= at % 512 != 0;
		on = scan_tars(t, &tar, data + at, len - at, name, at % 512 != 0, &end);
		from += end;
		t->in_guess = outer;
		task_leave(t);
	}
	return on;
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
	bool is_zip = false;

	if (!t->r->want_av)
		return true;
	for (unsigned i = 0; i < n; i++) {
		is_zip |= found[i].format == MAGIC_ZIP;
		if (t->r->opts.obj_archives &&
		    !scan_as(t, &found[i], data, len, name, found[i].is_weak))
			return false;
	}
	if (!t->r->opts.obj_sfx)
		return true;
	if (!is_zip && has_zip_inside(data, len, marks) &&
	    !scan_as(t, &zip, data, len, name, true))
		return false;
	/* Raw blocks of a compressed tar look like one. */
	if (n == 0 && !scan_tar_behind(t, data, len, name))
		return false;
	return scan_inside(t, data, len, name, marks);
}
