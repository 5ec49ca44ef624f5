/* http_req.h - the head of a request to esets_wwwi. Pure.
 *
 * Of HTTP/1.1 (RFC 9112) what a browser and a metrics collector send, and
 * strictly: lines end in CR LF, nothing is folded, no control characters, no
 * transfer coding, one Host. What a lax parser would read in another way is
 * refused here. */
#ifndef ESETS_HTTP_REQ_H
#define ESETS_HTTP_REQ_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 8192u
#define HTTP_FIELDS_MAX 64u

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

struct http_req {
	enum http_method method;
	char path[128];         /* without the query, which means nothing here */
	char host[256];         /* as sent, with its port */
	char auth[1024];        /* value of Authorization, "" none */
};

/* n octets from the beginning of a connection. 1: *out is filled in; 0: more is
 * needed; -1: the status of the refusal (400, 413, 414, 431, 501, 505) is in
 * *status_out. Keeps nothing. */
int http_req_parse(const void *p, size_t n, struct http_req *out, unsigned *status_out);

#endif
