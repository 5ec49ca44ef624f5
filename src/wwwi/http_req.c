/* http_req.c - see http_req.h. Each call looks at all octets again: a head is
 * small, and a parser without a state has no state to get wrong. */
#include "http_req.h"

#include <string.h>

#include "str.h"

struct piece { const char *p; size_t n; };

struct parse {
	struct http_req *out;
	unsigned fields;
	bool has_host, has_auth;
	unsigned status;        /* of the refusal */
};

static int refuse(struct parse *s, unsigned status)
{
	s->status = status;
	return -1;
}

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_len(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_token(p[i]))
		i++;
	return i;
}

/* CR only before LF, LF only behind CR, and of other controls the tab alone. */
static bool is_clean(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)p[i];
		if (c == '\r' ? i + 1 < n && p[i + 1] != '\n' :
		    c == '\n' ? i == 0 || p[i - 1] != '\r' : (c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static int version(struct parse *s, struct piece v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.')
		return refuse(s, 400);
	if (v.p[5] != '1' || (v.p[7] != '0' && v.p[7] != '1'))
		return refuse(s, 505);
	return 0;
}

static int target(struct parse *s, struct piece t)
{
	size_t path = 0;

	if (t.n == 0 || t.p[0] != '/')
		return refuse(s, 400);
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || t.p[i] == '#')
			return refuse(s, 400);
	while (path < t.n && t.p[path] != '?')
		path++;
	return str_copy_n(s->out->path, sizeof s->out->path, t.p, path) ? 0 : refuse(s, 414);
}

static enum http_method method_of(const char *p, size_t n)
{
	if (n == 3 && memcmp(p, "GET", 3) == 0)
		return HTTP_GET;
	return n == 4 && memcmp(p, "HEAD", 4) == 0 ? HTTP_HEAD : HTTP_OTHER;
}

/* METHOD SP target SP version */
static int request_line(struct parse *s, const char *p, size_t n)
{
	const size_t m = token_len(p, n);
	const char *end = p + n, *at = p + m + 1;

	if (m == 0 || m + 1 >= n || p[m] != ' ')
		return refuse(s, 400);
	const char *space = memchr(at, ' ', (size_t)(end - at));
	if (space == NULL)
		return refuse(s, 400);
	s->out->method = method_of(p, m);
	if (version(s, (struct piece){ space + 1, (size_t)(end - space - 1) }) < 0)
		return -1;
	return target(s, (struct piece){ at, (size_t)(space - at) });
}

static int take(struct parse *s, bool *has, char *to, size_t size, struct piece v)
{
	if (*has || memchr(v.p, '\t', v.n) != NULL)
		return refuse(s, 400);
	*has = true;
	return str_copy_n(to, size, v.p, v.n) ? 0 : refuse(s, 431);
}

/* Nothing that this program serves has a body. */
static int content_length(struct parse *s, struct piece v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return refuse(s, 400);
	if (v.n == 0)
		return refuse(s, 400);
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] != '0')
			return refuse(s, 413);
	return 0;
}

static int field(struct parse *s, const char *p, size_t n)
{
	const size_t name = token_len(p, n);
	struct piece v;

	if (++s->fields > HTTP_FIELDS_MAX)
		return refuse(s, 431);
	if (name == 0 || name == n || p[name] != ':')
		return refuse(s, 400);
	v = (struct piece){ p + name + 1, n - name - 1 };
	while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t')) {
		v.p++;
		v.n--;
	}
	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	if (str_ieq_n(p, name, "host"))
		return take(s, &s->has_host, s->out->host, sizeof s->out->host, v);
	if (str_ieq_n(p, name, "authorization"))
		return take(s, &s->has_auth, s->out->auth, sizeof s->out->auth, v);
	if (str_ieq_n(p, name, "content-length"))
		return content_length(s, v);
	return str_ieq_n(p, name, "transfer-encoding") ? refuse(s, 501) : 0;
}

/* The head up to its empty line. */
static int head(struct parse *s, const char *p, size_t n)
{
	bool is_first = true;

	while (n > 0) {
		const char *lf = memchr(p, '\n', n);
		const size_t line = (size_t)(lf - p) - 1;
		if ((is_first ? request_line : field)(s, p, line) < 0)
			return -1;
		is_first = false;
		p += line + 2;
		n -= line + 2;
	}
	return s->has_host ? 1 : refuse(s, 400);
}

int http_req_parse(const void *p, size_t n, struct http_req *out, unsigned *status_out)
{
	struct parse s = { .out = out };
	const char *end = n > 0 ? memmem(p, n, "\r\n\r\n", 4) : NULL;
	const size_t used = end != NULL ? (size_t)(end - (const char *)p) + 4 : n;
	int rc = 0;

	*out = (struct http_req){ .method = HTTP_OTHER };
	if (!is_clean(p, used < HTTP_HEAD_MAX ? used : HTTP_HEAD_MAX))
		rc = refuse(&s, 400);
	else if (used > HTTP_HEAD_MAX || (end == NULL && used == HTTP_HEAD_MAX))
		rc = refuse(&s, 431);
	else if (end != NULL)
		rc = head(&s, p, used - 2);
	*status_out = s.status;
	return rc;
}
