/* fuzz_smtp_dot.c - end of data and stuffing against the reference, in every
 * split; what goes out shows one end of data to every server (I4).
 * Input: flags (1 newlines are kept, 2 chunks of BDAT), then octets. */
#include "../unit/smtp_ref.h"
#include "fuzz.h"
#include "smtp_dot.h"

static int sink(void *arg, const void *p, size_t n)
{
	fuzz_add(arg, p, n);
	return 0;
}

static int decode(const char *in, size_t n, bool keep, bool chunks, unsigned mode,
	struct fuzz_text *out, size_t *used_out)
{
	struct smtp_dot d;
	unsigned seed = 5;
	size_t used;
	int end = 0;

	*used_out = 0;
	if (chunks)
		smtp_dot_init_chunks(&d, keep);
	else
		smtp_dot_init(&d, keep);
	while (*used_out < n && end == 0) {
		size_t k = fuzz_piece(mode, &seed, n - *used_out);
		end = smtp_dot_push(&d, in + *used_out, k, sink, out, &used);
		must(end == 1 || used == k);
		*used_out += used;
	}
	must(!chunks || end == 0);
	if (chunks)
		smtp_dot_end(&d, sink, out);
	return end;
}

static void stuff(const struct fuzz_text *in, unsigned mode, struct fuzz_text *out)
{
	struct smtp_stuff s;
	unsigned seed = 6;

	smtp_stuff_init(&s);
	for (size_t at = 0; at < in->len;) {
		size_t k = fuzz_piece(mode, &seed, in->len - at);
		char *piece = malloc(2 * k);
		must(piece != NULL);
		fuzz_add(out, piece, smtp_stuff_push(&s, in->p + at, k, piece));
		free(piece);
		at += k;
	}
	fuzz_add(out, smtp_stuff_end(&s), strlen(smtp_stuff_end(&s)));
}

/* The body goes out and comes in again; a line end is added where the last
 * line has none. */
static void check_stuffed(const struct fuzz_text *body, bool keep)
{
	struct fuzz_text out = { NULL, 0, 0 }, cut = { NULL, 0, 0 }, again = { NULL, 0, 0 };
	size_t used;

	stuff(body, 0, &out);
	stuff(body, 2, &cut);
	fuzz_same(&out, &cut);
	must(decode(out.p, out.len, true, false, 0, &again, &used) == 1);
	must(used == out.len && again.len >= body->len);
	must(body->len == 0 || memcmp(again.p, body->p, body->len) == 0);
	must(again.len == body->len || (again.len == body->len + 2 &&
		memcmp(again.p + body->len, "\r\n", 2) == 0));
	must(keep || ref_lax_ends(out.p, out.len) == 1);
	fuzz_free(&out);
	fuzz_free(&cut);
	fuzz_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_text whole = { NULL, 0, 0 }, cut = { NULL, 0, 0 };
	size_t used, cut_used, want_len, want_used;

	if (size < 1)
		return 0;
	bool keep = data[0] & 1, chunks = data[0] & 2;
	const char *in = (const char *)data + 1;
	int end = decode(in, size - 1, keep, chunks, 0, &whole, &used);
	for (unsigned mode = 1; mode < 3; mode++) {
		must(decode(in, size - 1, keep, chunks, mode, &cut, &cut_used) == end);
		must(cut_used == used);
		fuzz_same(&whole, &cut);
		fuzz_free(&cut);
	}
	char *want = malloc(2 * size + 2);
	must(want != NULL);
	if (chunks) {
		must(whole.len == ref_newlines(in, size - 1, keep, want));
		must(whole.len == 0 || memcmp(want, whole.p, whole.len) == 0);
	} else {
		must(ref_dot_decode(in, size - 1, keep, want, &want_len, &want_used) == (end == 1));
		if (end == 1) {
			must(want_used == used && want_len == whole.len);
			must(want_len == 0 || memcmp(want, whole.p, want_len) == 0);
		}
	}
	if (end == 1 || chunks)
		check_stuffed(&whole, keep);
	free(want);
	fuzz_free(&whole);
	return 0;
}
