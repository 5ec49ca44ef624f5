/* fuzz_mbox.c - a mailbox is cut the same way in every split, its messages lie
 * one behind the other, and pieces lie inside their message. Input: octets. */
#include "fuzz.h"
#include "mail_kind.h"
#include "mbox.h"

struct seen { uint64_t end, piece_from; };

static void look(const struct mbox_segment *s, struct seen *seen, size_t size,
	struct fuzz_text *out)
{
	must(s->from <= s->to && s->to <= size);
	must(s->from >= seen->end);
	if (s->reading == 0)
		seen->end = s->to;
	else
		must(s->from >= seen->piece_from);
	seen->piece_from = s->reading == 0 ? 0 : s->to;
	fuzz_add(out, s, sizeof *s);
}

static void cut(const uint8_t *in, size_t size, unsigned mode, struct fuzz_text *out)
{
	struct mbox_segment s[2];
	struct seen seen = { 0, 0 };
	struct mbox m;
	unsigned seed = 7, got;

	memset(s, 0, sizeof s); /* padding is compared too */
	mbox_init(&m);
	for (size_t at = 0; at < size;) {
		size_t k = fuzz_piece(mode, &seed, size - at);
		size_t used = mbox_push(&m, in + at, k, s, &got);
		must(used <= k && got <= 2 && (got > 0 || used == k));
		at += used;
		for (unsigned i = 0; i < got; i++)
			look(&s[i], &seen, size, out);
	}
	got = mbox_end(&m, s);
	must(got <= 2);
	for (unsigned i = 0; i < got; i++)
		look(&s[i], &seen, size, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_text whole = { NULL, 0, 0 }, other = { NULL, 0, 0 };

	mail_kind_of(data, size);
	cut(data, size, 0, &whole);
	for (unsigned mode = 1; mode < 3; mode++) {
		cut(data, size, mode, &other);
		fuzz_same(&whole, &other);
		fuzz_free(&other);
	}
	fuzz_free(&whole);
	return 0;
}
