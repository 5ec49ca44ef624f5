/* fuzz_wwwi.c - a request is whole at its empty line or not at all, what was
 * taken from it is bounded and clean, and a text of a stranger becomes one JSON
 * string without anything of HTML. Input: the first octets of a connection. */
#include "fuzz.h"
#include "http_req.h"
#include "web_gate.h"
#include "web_json.h"

static int parse(const uint8_t *in, size_t n, struct http_req *r, unsigned *status)
{
	uint8_t *copy = malloc(n > 0 ? n : 1); /* a read beyond it is seen */

	must(copy != NULL);
	memcpy(copy, in, n);
	int rc = http_req_parse(copy, n, r, status);
	free(copy);
	must(rc >= -1 && rc <= 1);
	must((rc < 0) == (*status != 0));
	must(rc != 0 || n < HTTP_HEAD_MAX);
	return rc;
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_req r, part;
	struct web_gate g;
	unsigned status, early_status;

	if (size > 2 * HTTP_HEAD_MAX)
		return 0;
	check_text(data, size);
	const int got = parse(data, size, &r, &status);
	/* What a piece says, the whole says: nothing is accepted and then refused. */
	for (size_t k = 0; k < size && size < 1000; k++) {
		const int early = parse(data, k, &part, &early_status);
		must(early == 0 || early == got);
	}
	if (got == 1) {
		must(r.path[0] == '/' && r.host[strcspn(r.host, "\r\n\t")] == '\0');
		must(web_gate_init(&g, "mx.example.net", "admin", "x") == 0);
		must(web_gate_ask(&g, &r) != WEB_OK || strstr(r.auth, "YWRtaW46eA==") != NULL);
	}
	return 0;
}
