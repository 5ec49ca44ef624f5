/* mbox.c - a mailbox in one file, cut into its messages, see mbox.h.
 *
 * An octet machine for one line at a time; lines that cannot be separators are
 * skipped with memchr. Pure: no descriptor, no clock, no log. */
#include "mbox.h"

#include <string.h>

static const char separator[] = "From ";
#define SEPARATOR_LEN (sizeof separator - 1)

enum { LINE_HEAD, LINE_CR, LINE_FROM, LINE_OTHER };

void mbox_init(struct mbox *m)
{
	*m = (struct mbox){ .after_empty = true, .state = LINE_HEAD };
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static void next_line(struct mbox *m, bool was_empty)
{
	m->after_empty = was_empty;
	if (was_empty)
		m->empty_at = m->line_at;
	m->line_at = m->at;
	m->state = LINE_HEAD;
	m->matched = 0;
}

/* Ends the piece and, where it is the message's end, the message. */
static unsigned cut(struct mbox *m, uint64_t end, bool is_message, struct mbox_segment *out)
{
	unsigned n = 0;

	if (end < m->piece_from) /* the empty line is that behind the From line */
		end = m->piece_from;
	if (!is_message || m->pieces > 0)
		out[n++] = (struct mbox_segment){ m->piece_from, end, m->number, ++m->pieces };
	if (!is_message)
		return n;
	if (m->number > 0 || end > m->from)
		out[n++] = (struct mbox_segment){ m->from, end, m->number, 0 };
	return n;
}

/* At the end of a From line: what lies in front of it is complete. */
static unsigned on_separator(struct mbox *m, struct mbox_segment *out)
{
	bool is_first = m->line_at == 0;
	bool is_certain = is_first || (m->after_empty && m->has_time);
	uint64_t end = m->after_empty && !is_first ? m->empty_at : m->line_at;
	unsigned n = cut(m, end, is_certain, out);

	m->piece_from = m->at;
	if (is_certain) {
		m->from = m->at;
		m->pieces = 0;
		m->number++;
	}
	return n;
}

/* One octet of a line that may be a separator, or empty. */
static unsigned on_octet(struct mbox *m, unsigned char c, struct mbox_segment *out)
{
	unsigned n = 0;

	m->at++;
	if (c == '\n') {
		bool is_empty = m->state == LINE_CR || (m->state == LINE_HEAD && m->matched == 0);
		if (m->state == LINE_FROM)
			n = on_separator(m, out);
		next_line(m, is_empty);
	} else if (m->state == LINE_FROM) {
		m->has_time |= is_digit(m->last[0]) && m->last[1] == ':' && is_digit(c);
		m->last[0] = m->last[1];
		m->last[1] = c;
	} else if (m->state == LINE_HEAD && c == (unsigned char)separator[m->matched]) {
		if (++m->matched == SEPARATOR_LEN) {
			m->state = LINE_FROM;
			m->has_time = false;
			m->last[0] = m->last[1] = ' ';
		}
	} else if (m->state == LINE_HEAD && m->matched == 0 && c == '\r') {
		m->state = LINE_CR;
	} else {
		m->state = LINE_OTHER;
	}
	return n;
}

size_t mbox_push(struct mbox *m, const void *p, size_t n, struct mbox_segment out[2],
	unsigned *n_out)
{
	const unsigned char *in = p;
	size_t i = 0;

	*n_out = 0;
	while (i < n && *n_out == 0) {
		if (m->state == LINE_OTHER) {
			const unsigned char *lf = memchr(in + i, '\n', n - i);
			size_t skip = lf != NULL ? (size_t)(lf - in) - i : n - i;
			m->at += skip;
			i += skip;
			if (lf == NULL)
				break;
		}
		*n_out = on_octet(m, in[i++], out);
	}
	return i;
}

unsigned mbox_end(struct mbox *m, struct mbox_segment out[2])
{
	/* A From line without an end has nothing behind it: it stays text. */
	bool is_empty = m->state == LINE_HEAD && m->matched == 0 && m->after_empty && m->at > 0;

	return cut(m, is_empty ? m->empty_at : m->at, true, out);
}
