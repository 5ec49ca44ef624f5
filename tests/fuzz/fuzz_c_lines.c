/* fuzz_c_lines.c - what mutt would read keeps within the room that c_lines.h promises,
 * holds only octets that are there, in their order, and is the same once more.
 * Input: an octet that says how much of the rest is behind a body, then octets. */
#include <ctype.h>

#include "c_lines.h"
#include "decode.h"
#include "fuzz.h"

/* All that is no white space of a text is in p, in this order. */
static bool is_within(const char *text, size_t len, const char *p, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		if (isspace((unsigned char)text[i]))
			continue;
		while (at < n && p[at] != text[i])
			at++;
		if (at++ >= n)
			return false;
	}
	return true;
}

static void try_head(const char *p, size_t n)
{
	char *out = malloc(n + 1), *again = malloc(n + 1);
	size_t before = 0, len, body, len_again, body_again;
	unsigned i = 0;

	must(out != NULL && again != NULL);
	for (; i <= C_LINES_ENDS_MAX && c_lines_head(p, n, i, NULL, out, &len, &body); i++) {
		must(len <= body && body <= n && before <= body);
		must(is_within(out, len, p, body) && memchr(out, '\0', len) == NULL);
		must(len == 0 || out[len - 1] == '\n');
		must(c_lines_head(p, n, i, NULL, again, &len_again, &body_again));
		must(len == len_again && body == body_again && memcmp(out, again, len) == 0);
		before = body;
	}
	must(i > 0);
	free(out);
	free(again);
}

/* Without white space, of which readings keep more or less before a CR. */
static size_t decoded(unsigned reading, const char *p, size_t n, unsigned char **out)
{
	struct decode d;

	*out = malloc(n + 2 * DECODE_HELD);
	must(*out != NULL);
	decode_init(&d, DECODE_QP);
	d.reading = reading;
	size_t w = decode_push(&d, (const unsigned char *)p, n, *out), kept = 0;
	w += decode_end(&d, *out + w);
	for (size_t i = 0; i < w; i++) {
		if (!isspace((*out)[i]))
			(*out)[kept++] = (*out)[i];
	}
	return kept;
}

static void try_quoted(const char *p, size_t all, size_t len)
{
	size_t used, used_again;
	const size_t size = c_lines_quoted(p, all, len, NULL, NULL, &used);
	char *text = malloc(size + 1);
	unsigned char *whole, *pieces;

	must(text != NULL && size <= 3 * len && used <= all && (used >= len || used == all));
	must(c_lines_quoted(p, all, len, NULL, text, &used_again) == size && used == used_again);
	if (all == len) { /* to reading 2 it is what the octets are to reading 5 */
		const size_t n = decoded(2, text, size, &whole), m = decoded(5, p, all, &pieces);
		must(n == m && memcmp(whole, pieces, n) == 0);
		free(whole);
		free(pieces);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	const char *p = (const char *)data + 1;
	const size_t all = size - 1, behind = all * data[0] / 255;

	try_head(p, all);
	try_quoted(p, all, all);
	try_quoted(p, all, all - behind);
	return 0;
}
