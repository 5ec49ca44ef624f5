/* task_carrier.c - files that stand in others and are no archives: TNEF, forks
 * of a Mac's files, BinHex, Intel HEX, data URIs.
 *
 * Told from their octets, wherever they are. Each is one level, and each file
 * in it one object. What none of these hold is in esets_daemon(8), "WHAT IS NOT
 * LOOKED INTO". */
#include "task_int.h"

#include <stdio.h>
#include <string.h>

#include "apple_file.h"
#include "binhex.h"
#include "data_uri.h"
#include "ihex.h"
#include "marks.h"
#include "tnef.h"

#define NAME_SIZE 512

static void name_of(char out[NAME_SIZE], const char *outer, const char *what)
{
	snprintf(out, NAME_SIZE, "%s: %s", outer, what);
}

static void check_name(struct task *t, const char *name, const char *outer)
{
	char shown[NAME_SIZE];

	name_of(shown, outer, name);
	task_check_name(t, name, shown);
}

/* Files within memory that is there already; in each other they are work. */
static bool scan_inner(struct task *t, const void *p, size_t n, const char *outer, const char *what)
{
	char name[NAME_SIZE];

	name_of(name, outer, what);
	return task_charge(t, n) && task_scan_content(t, p, n, name, TASK_IS_FILE);
}

/* ---- TNEF -------------------------------------------------------------------- */

static bool scan_tnef(struct task *t, const char *data, size_t len, const char *name)
{
	enum tnef_status got = TNEF_NAME;
	struct tnef_item item;
	struct tnef tnef;
	bool on = true;

	if (!tnef_is(data, len) || !task_enter(t))
		return true;
	tnef_init(&tnef, data, len);
	while (on && (got = tnef_next(&tnef, &item)) < TNEF_END) {
		if (got == TNEF_NAME)
			check_name(t, item.name, name);
		on = got == TNEF_NAME ? task_goes_on(t) :
			scan_inner(t, item.p, item.n, name, "in TNEF");
	}
	if (got == TNEF_BROKEN && !t->in_guess)
		task_note(t, VERDICT_AV_NOTSCANNED, name, "TNEF that cannot be read");
	task_leave(t);
	return on;
}

/* ---- a Mac's ----------------------------------------------------------------- */

static bool scan_forks(struct task *t, const char *data, size_t len, const char *name)
{
	struct apple_fork fork;
	char own[64];
	unsigned i = 0;
	bool on = true;

	if (!apple_file_next(data, len, &i, &fork) || !task_enter(t))
		return true;
	do {
		if (fork.is_name) {
			const size_t n = fork.n < sizeof own ? fork.n : sizeof own - 1;
			memcpy(own, fork.p + (fork.n - n), n);
			own[n] = '\0';
			check_name(t, own, name);
		} else {
			on = scan_inner(t, fork.p, fork.n, name, "fork");
		}
	} while (on && apple_file_next(data, len, &i, &fork));
	task_leave(t);
	return on;
}

static bool scan_unhexed(struct task *t, const unsigned char *p, size_t n, const char *outer)
{
	struct binhex_file f;

	if (!binhex_parse(p, n, &f))
		return true;
	check_name(t, f.name, outer);
	return scan_inner(t, f.data, f.data_len, outer, f.name) && (f.resource_len == 0 ||
		scan_inner(t, f.resource, f.resource_len, outer, f.name));
}

/* Repeats make much of little: the size is told first. */
static bool scan_binhex(struct task *t, const char *text, size_t len, const char *name,
	unsigned marks)
{
	size_t from = 0, n, used;
	const char *body;
	bool on = true;

	if (!(marks & MARK_BINHEX) && !binhex_begins(text, len))
		return true;
	while (on && !t->pace.is_over && binhex_find(text, len, &from, &body, &n)) {
		const size_t size = binhex_decode(body, n, NULL, &used, &t->pace);
		from += used;
		if (!task_enter(t))
			continue;
		on = task_goes_on(t) && task_charge(t, used) && task_charge(t, size);
		unsigned char *p = on ? task_alloc(t, size + 1) : NULL;
		on = p != NULL;
		if (on) {
			on = binhex_decode(body, n, p, &used, &t->pace) == size &&
				scan_unhexed(t, p, size, name);
		}
		task_free(t, p, size + 1);
		task_leave(t);
	}
	return on;
}

/* ---- Intel HEX --------------------------------------------------------------- */

static bool scan_ihex(struct task *t, const char *text, size_t len, const char *name)
{
	struct ihex h, ahead;
	bool on = true;
	size_t n;

	if (!ihex_init(&h, text, len) || !task_enter(t))
		return true;
	while (ahead = h, on && (n = ihex_run(&ahead, NULL, &t->pace)) > 0) {
		unsigned char *p = task_alloc(t, n);
		on = p != NULL && ihex_run(&h, p, &t->pace) == n && scan_inner(t, p, n, name, "in Intel HEX");
		task_free(t, p, n);
	}
	task_leave(t);
	return on && !t->pace.is_over;
}

/* ---- data URIs --------------------------------------------------------------- */

static bool scan_escaped(struct task *t, const struct data_uri *u, const char *name)
{
	if (!task_charge(t, u->body_len))
		return false;
	char *p = task_alloc(t, u->body_len + 1);
	if (p == NULL)
		return false;
	const size_t n = data_uri_unescape(u->body, u->body_len, p, &t->pace);
	bool on = task_scan_encoded(t, DECODE_BASE64, p, n, name, TASK_IS_FILE);
	task_free(t, p, u->body_len + 1);
	return on;
}

static bool scan_data_uris(struct task *t, const char *text, size_t len, const char *outer)
{
	struct data_uri u;
	char name[NAME_SIZE];
	size_t from = 0;
	bool on = true;

	while (on && !t->pace.is_over && data_uri_find(text, len, &from, &t->pace, &u)) {
		if (!task_enter(t))
			continue;
		snprintf(name, sizeof name, "%s: data:%s", outer, u.type);
		on = u.has_escapes ? scan_escaped(t, &u, name) :
			task_scan_encoded(t, DECODE_BASE64, u.body, u.body_len, name, TASK_IS_FILE);
		task_leave(t);
	}
	return on;
}

bool task_scan_carriers(struct task *t, const char *data, size_t len, const char *name,
	unsigned marks)
{
	return scan_tnef(t, data, len, name) && scan_forks(t, data, len, name) &&
		scan_binhex(t, data, len, name, marks) && scan_ihex(t, data, len, name) &&
		(!(marks & MARK_DATA_URI) || scan_data_uris(t, data, len, name));
}
