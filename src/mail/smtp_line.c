/* smtp_line.c - octets to lines, see smtp_line.h. */
#include "smtp_line.h"

#include <string.h>

int smtp_line_next(struct smtp_line *l, const void *in, size_t len, size_t max,
	struct smtp_text *out, size_t *used_out)
{
	const char *p = in;
	const char *lf = len > l->scanned ? memchr(p + l->scanned, '\n', len - l->scanned) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - p) + 1 : len;

	*used_out = 0;
	if (l->skipping || n > max) {
		/* Never split an over-long line into a new command: eat it whole. */
		*used_out = n;
		l->scanned = 0;
		l->skipping = lf == NULL;
		if (l->skipping)
			return 0;
		*out = (struct smtp_text){ .is_too_long = true };
		return 1;
	}
	if (lf == NULL) {
		l->scanned = len;
		return 0;
	}
	l->scanned = 0;
	*used_out = n;
	size_t text = n - 1;
	bool crlf = text > 0 && p[text - 1] == '\r';
	text -= crlf;
	*out = (struct smtp_text){
		.p = p, .len = text, .is_bare_lf = !crlf,
		.has_cr = memchr(p, '\r', text) != NULL,
		.has_nul = memchr(p, '\0', text) != NULL,
	};
	return 1;
}
