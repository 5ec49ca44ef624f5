/* fuzz_smtp_line.c - LF and nothing else ends a line; lines are the same in
 * every split, and bounded.
 * Input: the limit, then octets. */
#include <stdbool.h>

#include "fuzz.h"
#include "smtp_line.h"

static void read_lines(const uint8_t *in, size_t n, size_t max, unsigned mode,
	struct fuzz_text *out)
{
	struct smtp_line l = SMTP_LINE_INIT;
	struct fuzz_text kept = { NULL, 0, 0 };
	struct smtp_text t;
	unsigned seed = 7;
	size_t used = 0;
	int got;

	while (n > 0) {
		size_t k = fuzz_piece(mode, &seed, n);
		fuzz_add(&kept, in, k);
		in += k;
		n -= k;
		size_t at = 0;
		while ((got = smtp_line_next(&l, kept.p + at, kept.len - at, max, &t, &used)) == 1) {
			must(used > 0 && used <= kept.len - at);
			const char flags[4] = { (char)t.is_bare_lf, (char)t.has_cr, (char)t.has_nul,
				(char)t.is_too_long };
			fuzz_add(out, flags, sizeof flags);
			if (!t.is_too_long) {
				must(t.p == kept.p + at && t.len < used && used <= max);
				must(memchr(t.p, '\n', t.len) == NULL);
				must(t.has_cr == (memchr(t.p, '\r', t.len) != NULL));
				fuzz_add(out, t.p, t.len);
			}
			at += used;
		}
		at += used;
		must(at <= kept.len && kept.len - at <= max);
		memmove(kept.p, kept.p + at, kept.len - at);
		kept.len -= at;
	}
	fuzz_add(out, kept.p, kept.len);
	fuzz_free(&kept);
}

/* What read_lines must have made of the whole, less the flags of lines that
 * are too long. */
static void check_lines(const char *in, size_t n, size_t max, const struct fuzz_text *got)
{
	size_t at = 0;

	for (const char *lf; n > 0 && (lf = memchr(in, '\n', n)) != NULL;) {
		size_t used = (size_t)(lf - in) + 1;
		bool crlf = used > 1 && lf[-1] == '\r';
		size_t len = used - 1 - crlf;
		must(got->len - at >= 4);
		const char *flags = got->p + at;
		at += 4;
		must(flags[3] == (used > max));
		if (used <= max) {
			must(flags[0] == !crlf);
			must(flags[1] == (memchr(in, '\r', len) != NULL));
			must(flags[2] == (memchr(in, '\0', len) != NULL));
			must(got->len - at >= len && memcmp(got->p + at, in, len) == 0);
			at += len;
		}
		in += used;
		n -= used;
	}
	/* What has no end yet is kept, unless it is too long already. */
	must(got->len - at == n || n >= max);
	must(got->len - at != n || n == 0 || memcmp(got->p + at, in, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_text whole = { NULL, 0, 0 }, cut = { NULL, 0, 0 };

	if (size < 1)
		return 0;
	size_t max = 1u + data[0];
	read_lines(data + 1, size - 1, max, 0, &whole);
	check_lines((const char *)data + 1, size - 1, max, &whole);
	for (unsigned mode = 1; mode < 3; mode++) {
		read_lines(data + 1, size - 1, max, mode, &cut);
		fuzz_same(&whole, &cut);
		fuzz_free(&cut);
	}
	fuzz_free(&whole);
	return 0;
}
