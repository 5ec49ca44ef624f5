/* data_uri.c - data URIs, see data_uri.h. */
#include "data_uri.h"

#include <string.h>

#include "find.h"
#include "pace.h"
#include "str.h"

#define HEAD_MAX 512u        /* type and parameters, up to the comma */

static bool is_data(char c)
{
	c = str_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' &&
		strchr("+/=-_%\\ \t\r\n\f", c) != NULL);
}

/* Behind "data:", up to the comma; its last parameter is to be base64. Blanks may
 * stand around that. */
static const char *head_end(const char *p, size_t n)
{
	static const char word[] = "base64";
	const char *comma = memchr(p, ',', n < HEAD_MAX ? n : HEAD_MAX);
	const char *e = comma;

	if (comma == NULL)
		return NULL;
	while (e > p && (unsigned char)e[-1] <= ' ')
		e--;
	const size_t k = sizeof word - 1;
	if ((size_t)(e - p) <= k || !str_ieq_n(e - k, k, word))
		return NULL;
	for (e -= k; e > p && (unsigned char)e[-1] <= ' ';)
		e--;
	return e > p && e[-1] == ';' ? comma : NULL;
}

bool data_uri_find(const char *text, size_t len, size_t *from, struct pace *pace,
	struct data_uri *out)
{
	static const char mark[] = "data:";
	const char *end = text + len;

	while (len - *from > sizeof mark) {
		const char *p = find_letters(text + *from, len - *from, mark, sizeof mark - 1);
		if (p == NULL)
			break;
		p += sizeof mark - 1;
		*from = (size_t)(p - text);
		const char *comma = head_end(p, (size_t)(end - p));
		if (comma == NULL)
			continue;
		size_t n = 0;
		while (p[n] != ';' && p[n] != ',')
			n++;
		str_copy_n(out->type, sizeof out->type, p, n);
		out->body = comma + 1;
		out->body_len = 0;
		out->has_escapes = false;
		for (p = comma + 1; p < end && is_data(*p); p++) {
			out->has_escapes |= *p == '%';
			if ((size_t)(p - comma) % PACE_OCTETS == 0 && !pace_on(pace, PACE_OCTETS))
				break;
		}
		out->body_len = (size_t)(p - out->body);
		*from = (size_t)(p - text);
		return true;
	}
	*from = len;
	return false;
}

size_t data_uri_unescape(const char *in, size_t n, char *out, struct pace *pace)
{
	size_t w = 0;

	for (size_t i = 0; i < n; i++) {
		if (w % PACE_OCTETS == PACE_OCTETS - 1 && !pace_on(pace, PACE_OCTETS))
			break;
		unsigned char c = (unsigned char)in[i];
		if (c == '%' && n - i > 2 && memchr(in + i + 1, '\0', 2) == NULL &&
		    str_unhex(&c, 1, in + i + 1) == 0)
			i += 2;
		out[w++] = (char)c;
	}
	return w;
}
