/* data_uri.h - files that stand in a page as "data:...;base64,...". Pure.
 * Source: RFC 2397, and what browsers take. */
#ifndef ESETS_DATA_URI_H
#define ESETS_DATA_URI_H

#include <stdbool.h>
#include <stddef.h>

struct pace;

struct data_uri {
	char type[64];       /* "image/png", cut off; "" none */
	const char *body;    /* base64 ... */
	size_t body_len;
	bool has_escapes;    /* ... in which %XX may stand for its characters */
};

/* The next one at or behind *from, which moves behind it. Those that are not in
 * base64 are passed over. It is cut off where pace (NULL: none) is over. */
bool data_uri_find(const char *text, size_t len, size_t *from, struct pace *pace,
	struct data_uri *out);
/* Takes the escapes off; out has room for n octets. Returns how many it has. */
size_t data_uri_unescape(const char *in, size_t n, char *out, struct pace *pace);

#endif
