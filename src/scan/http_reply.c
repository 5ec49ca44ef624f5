/* http_reply.c - the answer to one HTTP/1.0 request, see http_reply.h. */
#include "http_reply.h"

#include <string.h>

#include "str.h"

struct head {
	bool is_whole, has_length;
	size_t length, end;
};

static int status_of(const char *s, size_t len)
{
	if (len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || s[7] < '0' || s[7] > '9' || s[8] != ' ' ||
	    s[9] < '1' || s[9] > '5' || s[10] < '0' || s[10] > '9' || s[11] < '0' || s[11] > '9' ||
	    (len > 12 && s[12] != ' '))
		return -1;
	return (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
}

static int length_of(const char *s, size_t len, size_t *out)
{
	size_t v = 0;

	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	if (len == 0 || len > 9)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (size_t)(s[i] - '0');
	}
	*out = v;
	return 0;
}

/* One line behind the first. NULL, or what is wrong with it. */
static const char *take_field(struct head *h, const char *s, size_t len)
{
	size_t length;

	if (str_istarts(s, len, "Transfer-Encoding:"))
		return "an answer in chunks";
	if (!str_istarts(s, len, "Content-Length:"))
		return memchr(s, ':', len) != NULL ? NULL : "a header line without a colon";
	if (length_of(s + 15, len - 15, &length) < 0 || (h->has_length && length != h->length))
		return "a Content-Length that is none";
	h->has_length = true;
	h->length = length;
	return NULL;
}

static int parse_head(const char *p, size_t n, struct head *h, struct http_reply *r,
	const char **why_out)
{
	const char *lf;

	while (!h->is_whole && (lf = memchr(p + h->end, '\n', n - h->end)) != NULL) {
		const char *s = p + h->end;
		size_t len = (size_t)(lf - s);
		h->end += len + 1;
		if (h->end > HTTP_HEAD_MAX)
			break;
		if (len > 0 && s[len - 1] == '\r')
			len--;
		if (s == p) {
			*why_out = "not an answer of HTTP";
			r->status = status_of(s, len);
			if (r->status < 0)
				return -1;
		} else if (len == 0) {
			h->is_whole = true;
		} else if ((*why_out = take_field(h, s, len)) != NULL) {
			return -1;
		}
	}
	*why_out = "an answer with too much of a header";
	return (h->is_whole ? h->end : n) > HTTP_HEAD_MAX ? -1 : 0;
}

int http_reply_parse(const char *p, size_t n, bool is_end, struct http_reply *r,
	const char **why_out)
{
	struct head h = { .end = 0 };

	memset(r, 0, sizeof *r);
	if (n > 0 && parse_head(p, n, &h, r, why_out) < 0)
		return -1;
	bool is_whole = h.is_whole && (h.has_length ? n - h.end >= h.length : is_end);
	if (!is_whole) {
		*why_out = "an answer without an end";
		return is_end ? -1 : 0;
	}
	r->body = p + h.end;
	r->body_len = h.has_length ? h.length : n - h.end;
	return 1;
}
