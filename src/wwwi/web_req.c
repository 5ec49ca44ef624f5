/* web_req.c - see web_req.h. The fields that count are rows of a table. */
#include "web_req.h"

#include <stddef.h>
#include <string.h>

#include "str.h"

static const struct field {
	const char *name;
	size_t offset;     /* in struct web_req */
} fields[] = {
	{ "host", offsetof(struct web_req, host) },
	{ "authorization", offsetof(struct web_req, auth) },
	{ "origin", offsetof(struct web_req, origin) },
	{ "sec-fetch-site", offsetof(struct web_req, site) },
	{ "content-type", offsetof(struct web_req, type) },
	{ "content-length", offsetof(struct web_req, length) },
	{ "transfer-encoding", offsetof(struct web_req, coding) },
};

#define NFIELDS (sizeof fields / sizeof fields[0])
#define HAS_HOST 1u        /* the first row */

/* --- the head ------------------------------------------------------------ */

unsigned web_req_begin(struct web_req *r, enum web_method method, const char *target)
{
	*r = (struct web_req){ .method = method, .host = "", .auth = "", .origin = "", .site = "",
		.type = "", .length = "", .coding = "" };
	if (target[0] != '/') /* an absolute one would name a host of its own */
		return 400;
	for (const unsigned char *p = (const unsigned char *)target; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return 400;
	return str_copy_n(r->path, sizeof r->path, target, strcspn(target, "?")) ? 0 : 414;
}

unsigned web_req_field(struct web_req *r, const char *name, const char *value)
{
	for (unsigned i = 0; i < NFIELDS; i++) {
		if (!str_ieq_n(name, strlen(name), fields[i].name))
			continue;
		if ((r->seen & 1u << i) != 0)
			return 400;
		r->seen |= 1u << i;
		memcpy((char *)r + fields[i].offset, &value, sizeof value);
		return 0;
	}
	/* "Host : x" is a field to some, and none to others. */
	return name[0] == '\0' || strpbrk(name, " \t") != NULL ? 400 : 0;
}

unsigned web_req_end(const struct web_req *r)
{
	if ((r->seen & HAS_HOST) == 0)
		return 400;
	if (r->coding[0] != '\0')
		return 501;
	return r->method != WEB_POST && r->length[strspn(r->length, "0")] != '\0' ? 413 : 0;
}

/* --- forms --------------------------------------------------------------- */

static bool is_plain(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char c = p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '.' || c == '-' || c == '_'))
			return false;
	}
	return true;
}

int web_form_get(const void *form, size_t n, const char *key, char *out, size_t size)
{
	const char *p = form, *end = p + n;
	bool is_there = false;

	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *next = amp != NULL ? amp : end;
		const char *eq = memchr(p, '=', (size_t)(next - p));
		if (eq == NULL || !is_plain(p, (size_t)(eq - p)) ||
		    !is_plain(eq + 1, (size_t)(next - eq - 1)))
			return -1;
		if (strlen(key) == (size_t)(eq - p) && memcmp(p, key, strlen(key)) == 0) {
			if (is_there || !str_copy_n(out, size, eq + 1, (size_t)(next - eq - 1)))
				return -1;
			is_there = true;
		}
		p = amp != NULL ? amp + 1 : end;
	}
	return is_there ? 0 : -1;
}
