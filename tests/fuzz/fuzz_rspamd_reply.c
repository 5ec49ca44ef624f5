/* fuzz_rspamd_reply.c - an answer of HTTP is one from some octet on; what
 * stands in it is JSON or not, bounded either way. Input: octets from rspamd. */
#include "fuzz.h"
#include "http_reply.h"
#include "rspamd_reply.h"

static void check_body(const char *p, size_t n)
{
	struct rspamd_reply r;
	const char *why = NULL;
	int got = rspamd_reply_parse(p, n, &r, &why);

	must(got == 0 || why != NULL);
	must(strlen(r.action) < sizeof r.action && strlen(r.error) < sizeof r.error);
	if (got == 0) {
		/* It begins with a brace and ends with one. */
		while (n > 0 && p[n - 1] != '}') {
			must(p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\n' || p[n - 1] == '\r');
			n--;
		}
		must(n > 0);
		must(rspamd_reply_parse(p, n - 1, &r, &why) < 0);
		rspamd_reply_means(&r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *why = NULL;
	struct http_reply whole, part;
	int got = http_reply_parse(p, size, false, &whole, &why), early = 0;

	for (size_t n = 0; n <= size && n < 2000 && early == 0; n++)
		early = http_reply_parse(p, n, false, &part, &why);
	must(size >= 2000 || early == got);
	must(got >= 0 || why != NULL);
	if (got == 0)
		got = http_reply_parse(p, size, true, &whole, &why);
	if (got == 1) {
		must(whole.status >= 100 && whole.status < 600);
		must(whole.body >= p && whole.body + whole.body_len <= p + size);
		check_body(whole.body, whole.body_len);
	}
	check_body(p, size);
	return 0;
}
