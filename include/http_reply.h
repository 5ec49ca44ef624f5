/* http_reply.h - the answer to one HTTP/1.0 request. Pure.
 *
 * A request of HTTP/1.0 gets its answer whole or not at all: a body that has a
 * Content-Length or goes on to the end of the connection, no chunks. */
#ifndef ESETS_HTTP_REPLY_H
#define ESETS_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 16384

struct http_reply {
	int status;                  /* 100 to 599 */
	const char *body;            /* in the octets that were parsed */
	size_t body_len;
};

/* Parses the n octets that have come so far. is_end: none will follow. 1 the
 * answer is whole, 0 more needed, -1 broken. The same octets give the same
 * result, whatever pieces they came in. */
int http_reply_parse(const char *p, size_t n, bool is_end, struct http_reply *r,
	const char **why_out);

#endif
