/* web_answer.c - the head of what esets_wwwi answers, see wwwi_int.h. Every answer
 * has every field here: none is made elsewhere. */
#include "wwwi_int.h"

#include <stdio.h>
#include <string.h>

void answer_text(struct answer *a, unsigned status, const char *text)
{
	a->status = status;
	a->type = WEB_TYPE_TEXT;
	a->nonce[0] = '\0';
	buf_clear(&a->body);
	if (buf_printf(&a->body, "%s\n", text) < 0)
		buf_clear(&a->body); /* the status says it as well */
}

const char *answer_phrase(unsigned status)
{
	static const struct { unsigned status; const char *text; } texts[] = {
		{ 200, "OK" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 421, "Misdirected Request" }, { 429, "Too Many Requests" }, { 500, "Internal Server Error" },
		{ 501, "Not Implemented" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Error";
}

/* A page may load nothing but its own script, style and data; everything else
 * may load nothing at all, and nobody may frame either. */
static void policy(const struct answer *a, char *out, size_t size)
{
	if (a->nonce[0] == '\0')
		snprintf(out, size, "default-src 'none'; base-uri 'none'; form-action 'none'; "
			"frame-ancestors 'none'");
	else
		snprintf(out, size, "default-src 'none'; script-src 'nonce-%s'; "
			"style-src 'nonce-%s'; connect-src 'self'; img-src data:; base-uri 'none'; "
			"form-action 'none'; frame-ancestors 'none'", a->nonce, a->nonce);
}

int answer_fields(const struct answer *a, int (*put)(void *to, const char *name, const char *value),
	void *to)
{
	char length[24], csp[400];
	const struct { const char *name, *value; unsigned status; } fields[] = {
		{ "Server", "esets_wwwi", 0 }, { "Content-Type", a->type, 0 },
		{ "Content-Length", length, 0 }, { "Connection", "close", 0 },
		{ "Cache-Control", "no-store", 0 }, { "X-Content-Type-Options", "nosniff", 0 },
		{ "X-Frame-Options", "DENY", 0 }, { "Referrer-Policy", "no-referrer", 0 },
		{ "Cross-Origin-Resource-Policy", "same-origin", 0 },
		{ "Cross-Origin-Opener-Policy", "same-origin", 0 },
		{ "Content-Security-Policy", csp, 0 },
		{ "WWW-Authenticate", "Basic realm=\"esets_wwwi\", charset=\"UTF-8\"", 401 },
		{ "Allow", "GET, HEAD", 405 },
	};
	int rc = 0;

	snprintf(length, sizeof length, "%zu", buf_len(&a->body));
	policy(a, csp, sizeof csp);
	for (size_t i = 0; rc == 0 && i < sizeof fields / sizeof fields[0]; i++)
		if (fields[i].status == 0 || fields[i].status == a->status)
			rc = put(to, fields[i].name, fields[i].value);
	return rc;
}
