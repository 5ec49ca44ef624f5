/* smtp_dot.c - end of data and dot-stuffing, see smtp_dot.h.
 *
 * The decoder is a byte machine with a fast path: inside a line it looks for the
 * first place where line ends or dots are not ordinary, and hands on all before
 * it together. Pieces between such places are collected before the sink sees
 * them: each sink may be a system call. */
#include "smtp_dot.h"

#include <string.h>

#include "find.h"

enum dot_state {
	DOT_BOL,      /* behind CR LF, or at the start */
	DOT_LINE,     /* inside a line */
	DOT_CR,       /* a CR inside a line, not yet passed on */
	DOT_DOT,      /* a dot at BOL, not yet passed on */
	DOT_DOT_CR,   /* dot and CR at BOL, neither passed on */
};

void smtp_dot_init(struct smtp_dot *d, bool keep_newlines)
{
	*d = (struct smtp_dot){ .state = DOT_BOL, .keep_newlines = keep_newlines, .is_bol = true };
}

void smtp_dot_init_chunks(struct smtp_dot *d, bool keep_newlines)
{
	smtp_dot_init(d, keep_newlines);
	d->no_dots = true;
}

#define ROOM 32768u
#define SHORT 8192u

struct dot_out {
	struct smtp_dot *d;
	smtp_dot_sink_fn sink;
	void *arg;
	size_t n;             /* octets collected */
	char room[ROOM];
};

static void out_init(struct dot_out *o, struct smtp_dot *d, smtp_dot_sink_fn sink, void *arg)
{
	o->d = d;
	o->sink = sink;
	o->arg = arg;
	o->n = 0;
}

static void to_sink(struct dot_out *o, const char *p, size_t n)
{
	if (n > 0 && !o->d->sink_failed && o->sink(o->arg, p, n) < 0)
		o->d->sink_failed = true;
}

static void flush(struct dot_out *o)
{
	to_sink(o, o->room, o->n);
	o->n = 0;
}

static void emit(struct dot_out *o, const char *p, size_t n)
{
	struct smtp_dot *d = o->d;

	if (n == 0)
		return;
	if (d->is_bol && p[0] == '.')
		d->has_dot_lines = true;
	d->is_bol = p[n - 1] == '\n';
	if (n > SHORT || n > ROOM - o->n)
		flush(o);
	if (n > SHORT) {
		to_sink(o, p, n);
		return;
	}
	memcpy(o->room + o->n, p, n);
	o->n += n;
}

/* A bare CR or LF goes out as a line end of its own. */
static void emit_bare(struct dot_out *o, const char *octet)
{
	o->d->has_bare = true;
	if (o->d->keep_newlines)
		emit(o, octet, 1);
	else
		emit(o, "\r\n", 2);
}

/* Passes on what is certain from p (in state DOT_LINE) and returns where the
 * byte machine must look again. Ordinary lines are handed on together. */
static const char *fast_lines(struct dot_out *o, const char *p, const char *end)
{
	const size_t n = find_odd_line(p, (size_t)(end - p));
	const char *stop = p + n;

	emit(o, p, n);
	if (stop == end || *stop == '.') {
		o->d->state = stop[-1] == '\n' ? DOT_BOL : DOT_LINE;
		return stop;
	}
	if (*stop == '\n')
		emit_bare(o, "\n");
	else
		o->d->state = DOT_CR;
	return stop + 1;
}

/* Behind the CR of a "dot CR" that was no end of data, or of any bare CR:
 * the octet c decides. Returns false if c must be looked at again. */
static bool after_cr(struct dot_out *o, char c)
{
	if (c == '\n') {
		emit(o, "\r\n", 2);
		o->d->state = DOT_BOL;
		return true;
	}
	emit_bare(o, "\r");
	o->d->state = c == '\r' ? DOT_CR : DOT_LINE;
	return c == '\r';
}

/* To the end of data, or of the input. Returns the octets used. */
static size_t push(struct dot_out *o, const char *in, size_t n, bool *is_end)
{
	struct smtp_dot *d = o->d;
	const char *p = in, *end = p + n;

	while (p < end) {
		switch ((enum dot_state)d->state) {
		case DOT_BOL:
			if (*p == '.' && !d->no_dots) {
				d->state = DOT_DOT;
				p++;
				break;
			}
			d->state = DOT_LINE;
			break;
		case DOT_LINE:
			p = fast_lines(o, p, end);
			break;
		case DOT_CR:
			p += after_cr(o, *p);
			break;
		case DOT_DOT:
			/* The stuffed dot is gone whatever follows (RFC 5321 4.5.2). */
			if (*p == '\r') {
				d->state = DOT_DOT_CR;
				p++;
			} else {
				d->state = DOT_LINE;
			}
			break;
		case DOT_DOT_CR:
			if (*p == '\n') {
				*is_end = true;
				return (size_t)(p + 1 - in);
			}
			p += after_cr(o, *p);
			break;
		}
	}
	return n;
}

int smtp_dot_push(struct smtp_dot *d, const void *in, size_t n, smtp_dot_sink_fn sink,
	void *arg, size_t *used_out)
{
	struct dot_out o;
	bool is_end = false;

	out_init(&o, d, sink, arg);
	*used_out = push(&o, in, n, &is_end);
	flush(&o);
	return is_end;
}

void smtp_dot_end(struct smtp_dot *d, smtp_dot_sink_fn sink, void *arg)
{
	struct dot_out o;

	out_init(&o, d, sink, arg);
	if (d->state == DOT_CR)
		emit_bare(&o, "\r");
	flush(&o);
	d->state = DOT_BOL;
}

enum stuff_state { STUFF_BOL, STUFF_LINE, STUFF_CR };

void smtp_stuff_init(struct smtp_stuff *s)
{
	s->state = STUFF_BOL;
}

size_t smtp_stuff_push(struct smtp_stuff *s, const void *in, size_t n, char *out)
{
	const char *p = in, *end = p + n;
	char *w = out;

	if (n == 0)
		return 0;
	if (s->state == STUFF_BOL && *p == '.')
		*w++ = '.';
	if (s->state == STUFF_CR && *p == '\n') {
		*w++ = *p++;
		if (p < end && *p == '.')
			*w++ = '.';
	}
	while (p < end) {
		const char *lf = find_octets(p, (size_t)(end - p), "\n.", 2);
		const char *stop = lf != NULL ? lf + 1 : end;
		memcpy(w, p, (size_t)(stop - p));
		w += stop - p;
		/* Only CR LF ends a line; a bare LF kept by bare_newline = pass does not. */
		if (lf != NULL && lf > (const char *)in && lf[-1] == '\r')
			*w++ = '.';
		p = stop;
	}
	if (end[-1] == '\r')
		s->state = STUFF_CR;
	else if (end[-1] == '\n' && ((n > 1 && end[-2] == '\r') || (n == 1 && s->state == STUFF_CR)))
		s->state = STUFF_BOL;
	else
		s->state = STUFF_LINE;
	return (size_t)(w - out);
}

const char *smtp_stuff_end(const struct smtp_stuff *s)
{
	return s->state == STUFF_BOL ? ".\r\n" : "\r\n.\r\n";
}
