/* fuzz_spamd_reply.c - an answer of spamd is one from some octet on, and the
 * same however many octets follow. Input: octets from spamd. */
#include "fuzz.h"
#include "spamd_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct spamd_reply whole, part;
	int got = spamd_reply_parse(p, size, false, &whole), early = 0;

	for (size_t n = 0; n <= size && n < 2000 && early == 0; n++)
		early = spamd_reply_parse(p, n, false, &part);
	must(size >= 2000 || early == got);
	must(got >= 0 || (whole.why[0] != '\0' && strlen(whole.why) < sizeof whole.why));
	if (got == 1) {
		must(whole.body >= p && whole.body + whole.body_len <= p + size);
		must(early != 1 || (part.is_spam == whole.is_spam &&
			part.score_milli == whole.score_milli && part.body_len == whole.body_len));
	}
	if (got == 0)
		must(spamd_reply_parse(p, size, true, &part) == -1);
	spamd_reply_pong(p, size, true, &part);
	return 0;
}
