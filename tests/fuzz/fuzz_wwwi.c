/* fuzz_wwwi.c - what esets_wwwi itself reads of a request, which evhttp has taken to
 * pieces: target and fields, who may ask, a form; and a text of a stranger becomes
 * one JSON string without anything of HTML. Input: a target and lines of
 * "name:value"; the same octets as a form, and as a text. */
#include "fuzz.h"
#include "web_gate.h"
#include "web_json.h"
#include "web_req.h"

static void check_text(const uint8_t *data, size_t size)
{
	struct buf b = BUF_INIT(10000);
	char *text = malloc(size + 1);

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	must(web_json_text(&b, text) == 0);
	const unsigned char *p = buf_head(&b);
	const size_t n = buf_len(&b);
	must(n >= 2 && p[0] == '"' && p[n - 1] == '"');
	for (size_t i = 1; i + 1 < n; i++)
		must(p[i] >= 0x20 && p[i] != 0x7f && strchr("\"<>&'", p[i]) == NULL &&
			(p[i] != '\\' || p[i + 1] == 'u'));
	buf_fini(&b);
	free(text);
}

/* As evhttp has taken it to pieces: a target, then lines of "name:value". */
static void check_request(char *text)
{
	struct web_req r;
	struct web_gate g;
	char *line = strsep(&text, "\n");
	unsigned status = web_req_begin(&r, WEB_POST, line);

	while (status == 0 && text != NULL && (line = strsep(&text, "\n")) != NULL) {
		const char *name = strsep(&line, ":");
		status = web_req_field(&r, name, line != NULL ? line : "");
	}
	if (status == 0)
		status = web_req_end(&r);
	if (status != 0) {
		must(status >= 400 && status < 600);
		return;
	}
	must(r.path[0] == '/' && strpbrk(r.path, "?# ") == NULL);
	must(web_gate_init(&g, "mx.example.net", "admin", "x") == 0);
	must(web_gate_ask(&g, &r) != WEB_OK || strstr(r.auth, "YWRtaW46eA==") != NULL);
}

static void check_form(const uint8_t *data, size_t size)
{
	char id[20], *copy = malloc(size > 0 ? size : 1); /* a read beyond it is seen */

	must(copy != NULL);
	memcpy(copy, data, size);
	if (web_form_get(copy, size, "id", id, sizeof id) == 0)
		must(strlen(id) < sizeof id && strpbrk(id, "/%&=+ ") == NULL);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > 20000)
		return 0;
	check_text(data, size);
	check_form(data, size);
	text = malloc(size + 1);
	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check_request(text);
	free(text);
	return 0;
}
