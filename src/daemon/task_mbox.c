/* task_mbox.c - a mailbox in one file: messages behind "From " lines.
 *
 * Where a message begins is a matter of taste: any "From " behind an empty
 * line, or only one with a date. Both are walked where they differ. */
#include "task_int.h"

#include <string.h>

#include "str.h"

/* "From sender Sat Nov 21 10:00:00 2026": a clock time is in it. */
static bool has_time(const char *p, size_t n)
{
	for (size_t i = 2; i + 3 <= n; i++)
		if (p[i] == ':' && p[i - 1] >= '0' && p[i - 1] <= '9' && p[i + 1] >= '0' &&
		    p[i + 1] <= '9')
			return true;
	return false;
}

static size_t line_len(const char *p, size_t n)
{
	const char *eol = memchr(p, '\n', n);

	return eol != NULL ? (size_t)(eol - p) + 1 : n;
}

static bool is_blank_line(const char *p, size_t n)
{
	return n <= 2 && (p[0] == '\n' || p[0] == '\r');
}

/* Is there a separator at the line of n octets? */
static bool is_from(const char *p, size_t n, bool strict)
{
	return n > 5 && memcmp(p, "From ", 5) == 0 && (!strict || has_time(p, n));
}

/* Where the message that begins at from ends. */
static size_t next_message(const char *p, size_t len, size_t from, bool strict)
{
	bool after_blank = false;

	for (size_t at = from + line_len(p + from, len - from); at < len;) {
		size_t n = line_len(p + at, len - at);
		if (after_blank && is_from(p + at, n, strict))
			return at;
		after_blank = is_blank_line(p + at, n);
		at += n;
	}
	return len;
}

static bool walk(struct task *t, const char *p, size_t len, bool strict)
{
	size_t from = 0;

	while (from < len && task_goes_on(t)) {
		size_t end = next_message(p, len, from, strict);
		size_t head = line_len(p + from, end - from);
		if (!task_take_object(t) || !task_charge(t, end - from) ||
		    !task_walk_message(t, p + from + head, end - from - head, false))
			return false;
		from = end;
	}
	return from >= len;
}

/* Are there separators that only some take for one? */
static bool is_ambiguous(const char *p, size_t len)
{
	for (size_t from = 0; from < len; from = next_message(p, len, from, false))
		if (!has_time(p + from, line_len(p + from, len - from)))
			return true;
	return false;
}

bool guess_is_mailbox(const char *p, size_t len)
{
	return is_from(p, line_len(p, len), false) && next_message(p, len, 0, false) < len;
}

bool task_walk_mailbox(struct task *t, const char *p, size_t len)
{
	return walk(t, p, len, false) && (!is_ambiguous(p, len) || walk(t, p, len, true));
}
