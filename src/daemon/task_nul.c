/* task_nul.c - what readers make of the NULs in a message. No mail should have
 * any; for text in UTF-16, or binary parts, each reading but one is nonsense. */
#include "task_int.h"

#include <string.h>

#include "c_lines.h"

/* ---- the whole message ------------------------------------------------------- */

/* The octets without NULs, or without these and the rest of their lines, line
 * end included. Returns how many. */
static size_t copy_without_nul(struct task *t, char *copy, const char *msg, size_t len,
	bool is_line_cut)
{
	bool in_cut = false;
	size_t n = 0;

	for (size_t at = 0, end; at < len && pace_on(&t->pace, 0); at = end) {
		end = pace_end(at, len);
		for (size_t i = at; i < end; i++) {
			in_cut |= is_line_cut && msg[i] == '\0';
			if (msg[i] != '\0' && !in_cut)
				copy[n++] = msg[i];
			in_cut &= msg[i] != '\n';
		}
		pace_on(&t->pace, end - at);
	}
	return n;
}

static enum mime_result walk_without_nul(struct task *t, const char *msg, size_t len,
	bool is_line_cut)
{
	if (!task_charge(t, len))
		return MIME_STOPPED;
	char *copy = task_alloc(t, len);
	if (copy == NULL)
		return MIME_STOPPED;
	const size_t n = copy_without_nul(t, copy, msg, len, is_line_cut);
	const bool outer = t->in_guess;
	t->in_guess = true;
	enum mime_result got = t->pace.is_over ? MIME_STOPPED : task_walk_octets(t, copy, n);
	t->in_guess = outer;
	task_free(t, copy, len);
	return got;
}

/* Some readers take no notice of NULs; where lines are C strings, one hides the
 * rest of its line and joins the next to it. What is inside has none any more, so
 * there are these two copies of a message. */
enum mime_result task_walk_nuls(struct task *t, const char *msg, size_t len)
{
	if (len == 0 || memchr(msg, '\0', len) == NULL)
		return MIME_DONE;
	const enum mime_result got = walk_without_nul(t, msg, len, false);
	if (got == MIME_STOPPED)
		return got;
	const enum mime_result cut = walk_without_nul(t, msg, len, true);
	return cut == MIME_DONE ? got : cut;
}

/* ---- a header, and a body in quoted-printable, of C strings in pieces -------- */

static bool has_nul(const char *p, size_t n)
{
	return n > 0 && memchr(p, '\0', n) != NULL;
}

/* Each part is reported more than once; its header is read from the same place to the
 * same end. */
static bool is_known_header(struct task *t, const struct mime_part *p)
{
	struct task_range *known = &t->nul_headers[p->depth];
	const struct task_range range = { p->hdr, p->hdr_len + p->body_len };
	const bool is_known = known->p == range.p && known->n == range.n;

	*known = range;
	return is_known;
}

/* The part with one reading of its header. A header that is empty has no content field:
 * that the body begins at, or behind, a line that is none is a reading of everybody. */
static bool walk_header_of_lines(struct task *t, const struct mime_part *p, unsigned i, char *copy,
	bool *is_last)
{
	const size_t len = p->hdr_len + p->body_len;
	size_t n, body;

	*is_last = !c_lines_head(p->hdr, len, i, &t->pace, copy, &n, &body);
	if (*is_last || n == 0)
		return !t->pace.is_over;
	if (i == C_LINES_ENDS_MAX) {
		task_over_limit(t, "NULs in a header that may have many ends");
		*is_last = true;
		return true;
	}
	if (!task_charge(t, len))
		return false;
	copy[n++] = '\n';
	memcpy(copy + n, p->hdr + body, len - body);
	const enum mime_result got = task_walk_octets(t, copy, n + len - body);
	if (got == MIME_OVER_BUDGET)
		task_over_limit(t, TASK_OVER_BUDGET);
	return got != MIME_STOPPED;
}

bool task_walk_nul_header(struct task *t, const struct mime_part *p)
{
	const bool was_guess = t->in_guess, was_decoded = t->root_is_decoded;
	const size_t size = p->hdr_len + p->body_len + 1;
	bool on = true, is_last = false;

	if (!has_nul(p->hdr, p->hdr_len) || is_known_header(t, p))
		return true;
	if (!task_enter(t))
		return true;
	char *copy = task_alloc(t, size);
	t->in_guess = true;
	t->root_is_decoded &= p->depth == 0;
	for (unsigned i = 0; copy != NULL && on && !is_last; i++)
		on = walk_header_of_lines(t, p, i, copy, &is_last);
	t->root_is_decoded = was_decoded;
	t->in_guess = was_guess;
	if (copy != NULL)
		task_free(t, copy, size);
	task_leave(t);
	return on && copy != NULL;
}

bool task_scan_nul_quoted(struct task *t, const struct mime_part *p, const char *name, unsigned is)
{
	const bool outer = t->in_guess;
	size_t used;

	if (p->encoding != DECODE_QP || !has_nul(p->body, p->body_len))
		return true;
	const size_t all = t->file.n - (size_t)(p->body - t->file.p);
	const size_t size = c_lines_quoted(p->body, all, p->body_len, &t->pace, NULL, &used);
	if (t->pace.is_over || !task_charge(t, used))
		return false;
	char *text = task_alloc(t, size + 1);
	if (text == NULL)
		return false;
	c_lines_quoted(p->body, all, p->body_len, &t->pace, text, &used);
	t->in_guess = true;
	bool on = !t->pace.is_over && task_scan_encoded(t, DECODE_QP, text, size, name, is);
	t->in_guess = outer;
	task_free(t, text, size + 1);
	return on;
}
