/* clean.c - what stands instead of an infected part, see clean.h.
 *
 * RFC 2045 3: Content- fields describe the body they stand with, so those of
 * the infected one go with it. The text says what is missing, in ASCII, and in
 * lines that no boundary can be (none begins with "--"). */
#include "clean.h"

#include <string.h>

#include "str.h"

/* Where the line at i ends, its line end included. */
static size_t line_end(const char *p, size_t i, size_t end)
{
	const char *lf = memchr(p + i, '\n', end - i);

	return lf != NULL ? (size_t)(lf - p) + 1 : end;
}

static bool is_empty_line(const char *p, size_t n)
{
	return n == 0 || p[0] == '\n' || (n == 2 && p[0] == '\r' && p[1] == '\n');
}

/* The fields of a message but for those that describe its content. */
static int put_head(const char *msg, const struct clean_cut *c, struct buf *out)
{
	bool skips = false;

	for (size_t i = c->from, end; i < c->body; i = end) {
		end = line_end(msg, i, c->body);
		if (is_empty_line(msg + i, end - i))
			break;
		if (msg[i] != ' ' && msg[i] != '\t')
			skips = str_istarts(msg + i, end - i, "content-");
		if (skips)
			continue;
		if (buf_append(out, msg + i, end - i) < 0 ||
		    (msg[end - 1] != '\n' && buf_append_str(out, "\r\n") < 0))
			return -1;
	}
	return 0;
}

int clean_replacement(const char *msg, size_t len, const struct clean_cut *c, struct buf *out)
{
	char name[VERDICT_NAME_MAX], virus[VERDICT_NAME_MAX];

	str_ascii(name, sizeof name, c->name);
	str_ascii(virus, sizeof virus, c->virus);
	if (c->keeps_head && put_head(msg, c, out) < 0)
		return -1;
	if (buf_append_str(out, "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
		"This part of the message was removed, since it was infected.\r\n") < 0 ||
	    buf_printf(out, "Found: %s", virus) < 0 ||
	    (name[0] != '\0' && buf_printf(out, "\r\nFile name: %s", name) < 0))
		return -1;
	/* Elsewhere the line end before the boundary follows. */
	return c->keeps_head || c->to == len ? buf_append_str(out, "\r\n") : 0;
}
