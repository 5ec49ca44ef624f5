/* fuzz_smtp_reply.c - replies are the same in every split and well formed.
 * Input: octets from a server. */
#include "fuzz.h"
#include "smtp_reply.h"
#include "str.h"

/* Every line "NNN-..." but the last "NNN ..." or "NNN"; the same code. */
static void check_reply(const struct smtp_reply *r)
{
	const char *p = (const char *)buf_head(&r->raw), *end = p + buf_len(&r->raw);
	char code[8];

	must(r->code >= 200 && r->code <= 599);
	snprintf(code, sizeof code, "%03d", r->code);
	must(p < end);
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		must(lf != NULL && lf - p >= 4 && lf[-1] == '\r');
		must(memcmp(p, code, 3) == 0);
		bool last = lf + 1 == end;
		must(last ? p[3] == ' ' || p[3] == '\r' : p[3] == '-');
		p = lf + 1;
	}
}

/* Out of what the log has of a reply: a word of it, or nothing. */
static void check_queue_id(const char *text, size_t n)
{
	char line[160], id[24];

	str_clean(line, sizeof line, text, n);
	must(smtp_reply_queue_id(line, id, sizeof id) == id && strlen(id) < sizeof id);
	must(strstr(line, id) != NULL && strpbrk(id, " \"\\") == NULL);
}

static void read_replies(const uint8_t *in, size_t n, unsigned mode, struct fuzz_text *out)
{
	struct fuzz_text kept = { NULL, 0, 0 };
	struct smtp_reply r;
	const char *why = NULL;
	unsigned seed = 3;
	size_t used;
	int got = 0;

	smtp_reply_init(&r);
	while (n > 0 && got >= 0) {
		size_t k = fuzz_piece(mode, &seed, n), at = 0;
		fuzz_add(&kept, in, k);
		in += k;
		n -= k;
		while ((got = smtp_reply_push(&r, kept.p + at, kept.len - at, &used, &why)) == 1) {
			check_reply(&r);
			check_queue_id((const char *)buf_head(&r.raw), buf_len(&r.raw));
			fuzz_add(out, buf_head(&r.raw), buf_len(&r.raw));
			smtp_reply_reset(&r);
			at += used;
		}
		at += used;
		must(at <= kept.len);
		memmove(kept.p, kept.p + at, kept.len - at);
		kept.len -= at;
	}
	if (got < 0) {
		must(why != NULL);
		fuzz_add(out, why, strlen(why));
	}
	smtp_reply_fini(&r);
	fuzz_free(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_text whole = { NULL, 0, 0 }, cut = { NULL, 0, 0 };

	read_replies(data, size, 0, &whole);
	for (unsigned mode = 1; mode < 3; mode++) {
		read_replies(data, size, mode, &cut);
		fuzz_same(&whole, &cut);
		fuzz_free(&cut);
	}
	fuzz_free(&whole);
	return 0;
}
