/* task_zip.c - what zip files hold, for whoever reads them.
 *
 * A zip that says the same in its two tables of contents is read once; one in
 * which they differ by both, and by each directory that some reader may take
 * for the one (zip_dir.h). */
#include "task_unpack.h"

#include <stdio.h>
#include <string.h>

#include "zip_dir.h"

#define NAME_WORK 16u                /* looking at a name, in octets unpacked */
#define ZIP_ENDS_MAX 16u             /* of directories in one zip */
#define SPANNED_LEN 4u               /* a mark in front of the first header */

static const struct magic zip_magic = { MAGIC_ZIP, "zip", false };

typedef bool (*next_name_fn)(const void *data, size_t len, size_t *from, const char **name_out,
	size_t *n_out);

/* Also names that only some readers show. */
static bool check_zip_names(struct task *t, const char *data, size_t len, const char *outer,
	next_name_fn next)
{
	char name[NAME_SIZE], shown[2 * NAME_SIZE];
	const char *p;
	size_t from = 0, n;

	if (t->r->opts.block_ext[0] == '\0')
		return true;
	while (next(data, len, &from, &p, &n)) {
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

/* A reader that goes by the headers knows of no links: it shows the octets of
 * all that is one to the directory. */
static bool read_plain(struct task *t, const char *data, size_t end, const char *name,
	bool is_guess, size_t *end_out)
{
	struct reading r = { .name = name, .is_guess = is_guess, .counts_links = true };

	if (!task_unpack(t, &zip_magic, UNPACK_FIRST_WAY, data, end, "", &r))
		return false;
	if (r.is_over || r.end != UNPACK_END)
		return true;
	*end_out = end;
	if (r.links == 0)
		return true;
	struct reading again = { .name = name, .is_guess = is_guess };
	if (!task_unpack(t, &zip_magic, UNPACK_SECOND_WAY, data, end, "", &again))
		return false;
	if (!again.is_over && again.end == UNPACK_END && again.headers != r.headers)
		task_note(t, VERDICT_AV_NOTSCANNED, name,
			"an archive cannot be read: headers and directory of a zip differ");
	return true;
}

/* By each record that may be the end; *is_whole_out: the last one leads to a
 * directory, and all that it lists could be read. */
static bool read_zip_directories(struct task *t, const char *data, size_t len, const char *name,
	bool is_guess, bool *is_whole_out)
{
	size_t from = len, end;
	bool has_dir, is_last = true;
	unsigned tried = 0;

	*is_whole_out = false;
	while (zip_dir_prev_end(data, len, &from, &end, &has_dir)) {
		/* What leads to a directory is no accident. */
		struct reading r = { .name = name, .is_guess = !is_last };
		if (!has_dir && zip_dir_is_lost(data, len, end, is_guess) && !t->in_guess)
			task_note(t, VERDICT_AV_NOTSCANNED, name,
				"an archive cannot be read: the directory of a zip is missing");
		if (!has_dir)
			continue;
		if (tried++ == ZIP_ENDS_MAX) {
			task_note(t, VERDICT_AV_OVERLIMIT, name, "a zip has too many directories");
			return true;
		}
		if (!task_unpack(t, &zip_magic, UNPACK_FIRST_WAY, data, end, "", &r))
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

static bool note_unread(struct task *t, const char *name)
{
	if (!t->in_guess)
		task_note(t, VERDICT_AV_NOTSCANNED, name, "an archive cannot be read: zip");
	return true;
}

/* By the headers on the way, and again behind whatever ended it. */
static bool read_zip_headers(struct task *t, const char *data, size_t len, const char *name,
	bool is_guess, bool is_quiet)
{
	size_t from = 0, at;
	bool any = is_guess || is_quiet; /* something was read, or was said of it */
	bool is_first = !any;

	while (zip_dir_next_local(data, len, &from, &at)) {
		struct reading r = { .name = name, .is_guess = is_guess || at > 0,
			.is_quiet = is_quiet };
		any |= is_first && at > SPANNED_LEN && note_unread(t, name);
		is_first = false;
		if (!task_unpack(t, &zip_magic, UNPACK_SECOND_WAY, data + at, len - at, "", &r))
			return false;
		if (r.is_over)
			return true;
		any |= r.members > 0 || (!r.is_guess && r.end != UNPACK_END);
		if (at + r.position > from)
			from = at + r.position;
	}
	if (!any)
		note_unread(t, name);
	return true;
}

static bool is_empty_zip(const char *data, size_t len)
{
	size_t from = len, end;
	bool has_dir;

	return len < 22 + 65536 && memcmp(data, "PK\5\6", 4) == 0 &&
		zip_dir_prev_end(data, len, &from, &end, &has_dir) && from == 0 && !has_dir;
}

bool task_scan_zip(struct task *t, const char *data, size_t len, const char *name,
	bool is_guess, size_t *end_out)
{
	bool is_whole;
	size_t end;

	*end_out = 0;
	if (!check_zip_names(t, data, len, name, zip_dir_next_name) ||
	    !check_zip_names(t, data, len, name, zip_dir_next_other_name))
		return false;
	if (zip_dir_is_plain(data, len, &end))
		return read_plain(t, data, end, name, is_guess, end_out);
	if (len >= 4 && is_empty_zip(data, len))
		return true;
	return read_zip_directories(t, data, len, name, is_guess, &is_whole) &&
		read_zip_headers(t, data, len, name, is_guess, is_whole);
}
