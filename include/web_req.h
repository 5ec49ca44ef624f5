/* web_req.h - what of a request to esets_wwwi matters, and what it must not be. Pure.
 *
 * libevent's evhttp has read it; it is lax where another parser may be strict, and
 * of a field that comes twice it gives the first. Here such a request is refused:
 * nothing that decides who may do what is there twice, nothing but a POST has a
 * body, and a form is what this program's own page sends. */
#ifndef ESETS_WEB_REQ_H
#define ESETS_WEB_REQ_H

#include <stdbool.h>
#include <stddef.h>

enum web_method { WEB_GET, WEB_HEAD, WEB_POST, WEB_OTHER };

/* Texts are borrowed from the fields, "" where there is none. */
struct web_req {
	enum web_method method;
	char path[128];         /* without the query, which means nothing here */
	const char *host;       /* with its port */
	const char *auth;       /* Authorization */
	const char *origin;
	const char *site;       /* Sec-Fetch-Site */
	const char *type;       /* Content-Type */
	const char *length;     /* Content-Length */
	const char *coding;     /* Transfer-Encoding */
	const void *body;
	size_t body_len;
	unsigned seen;          /* which fields */
};

/* Each of these three: 0, or the status of the refusal. First, */
unsigned web_req_begin(struct web_req *r, enum web_method method, const char *target);
/* then for every field, */
unsigned web_req_field(struct web_req *r, const char *name, const char *value);
/* and behind the last one. */
unsigned web_req_end(const struct web_req *r);

/* The value of a key in "key=value&key=value", where values hold letters, digits,
 * dots, dashes and underscores only. 0; -1: the form is another, the key is not
 * there or twice, or the value is not shorter than size. */
int web_form_get(const void *form, size_t n, const char *key, char *out, size_t size);

#endif
