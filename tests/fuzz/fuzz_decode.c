/* fuzz_decode.c - the decoders give the same in every split, keep within the
 * room that decode.h promises, and announce what other readings give; encoded
 * files in a text and encoded words stay inside theirs.
 * Input: an octet that chooses, then octets. */
#include "decode.h"
#include "decode_uu.h"
#include "decode_words.h"
#include "fuzz.h"

/* Returns the readings that differ. */
static unsigned decode_pieces(enum decode_kind kind, unsigned reading, const uint8_t *in, size_t n,
	unsigned mode, struct fuzz_text *out)
{
	unsigned char last[DECODE_HELD];
	unsigned seed = 7;
	size_t total = n;
	struct decode d;

	decode_init(&d, kind);
	d.reading = reading;
	while (n > 0) {
		size_t k = fuzz_piece(mode, &seed, n);
		unsigned char *piece = malloc(k + DECODE_HELD);
		must(piece != NULL);
		size_t w = decode_push(&d, in, k, piece);
		must(w <= k + DECODE_HELD);
		fuzz_add(out, piece, w);
		free(piece);
		in += k;
		n -= k;
	}
	size_t w = decode_end(&d, last);
	must(w <= sizeof last && out->len + w <= total + DECODE_HELD);
	fuzz_add(out, last, w);
	return d.others;
}

static void try_reading(enum decode_kind kind, unsigned reading, const uint8_t *in, size_t n,
	const struct fuzz_text *whole, unsigned others)
{
	struct fuzz_text cut = { NULL, 0, 0 };

	for (unsigned mode = 1; mode < 3; mode++) {
		unsigned o = decode_pieces(kind, reading, in, n, mode, &cut);
		must(o == others);
		fuzz_same(whole, &cut);
		fuzz_free(&cut);
	}
}

/* Octets up to the next LF, of which CRs in front of it are no part. */
static size_t line_len(const struct fuzz_text *t, size_t at, size_t *next_out)
{
	const uint8_t *p = (const uint8_t *)t->p + at, *lf = memchr(p, '\n', t->len - at);
	size_t n = lf != NULL ? (size_t)(lf - p) : t->len - at;

	*next_out = at + n + (lf != NULL);
	while (lf != NULL && n > 0 && p[n - 1] == '\r')
		n--;
	return n;
}

static bool is_same(const struct fuzz_text *a, const struct fuzz_text *b, bool is_any_eol)
{
	size_t i = 0, k = 0;

	if (!is_any_eol)
		return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
	while (i < a->len && k < b->len) {
		size_t next_i, next_k;
		const size_t n = line_len(a, i, &next_i);
		if (n != line_len(b, k, &next_k) || memcmp(a->p + i, b->p + k, n) != 0)
			return false;
		i = next_i;
		k = next_k;
	}
	return i == a->len && k == b->len;
}

/* A reading that is not announced gives what an announced one gives, or 0; in
 * quoted-printable not with the same line ends. */
static void try_kind(enum decode_kind kind, const uint8_t *in, size_t n)
{
	struct fuzz_text out[DECODE_READINGS] = { { NULL, 0, 0 } };
	unsigned others = 0;

	for (unsigned r = 0; r < DECODE_READINGS; r++) {
		unsigned o = decode_pieces(kind, r, in, n, 0, &out[r]);
		others |= r == 0 ? o | 1u : 0;
		try_reading(kind, r, in, n, &out[r], o);
	}
	for (unsigned r = 0; r < DECODE_READINGS; r++) {
		bool known = false;
		for (unsigned k = 0; k < DECODE_READINGS; k++)
			known |= (others & 1u << k) != 0 && is_same(&out[r], &out[k], kind == DECODE_QP);
		must(known);
	}
	for (unsigned r = 0; r < DECODE_READINGS; r++)
		fuzz_free(&out[r]);
}

static void try_uu_find(const char *text, size_t n, bool is_announced)
{
	struct decode_uu f;
	size_t from = 0, before = 0, octets = 0;

	while (decode_uu_find(text, n, &from, is_announced, NULL, &f)) {
		must(from > before && from <= n);
		must(f.body >= text + before && f.body + f.body_len <= text + from);
		must(memchr(f.name, '\0', sizeof f.name) != NULL);
		must(f.kind == DECODE_UU || f.kind == DECODE_BASE64 || f.kind == DECODE_YENC);
		octets += f.body_len;
		try_kind(f.kind, (const uint8_t *)f.body, f.body_len);
		before = from;
	}
	must(from == n && octets <= n);
	(void)decode_uu_is_plain(text, n, NULL);
	for (unsigned r = 3; r <= 4; r++)
		must(!decode_uu_find_first(text, n, r, NULL, &f) ||
			(f.body > text + 5 && f.body + f.body_len == text + n));
}

static void try_words(const char *text, size_t n, size_t size)
{
	char *whole = malloc(3 * n + 1), *some = malloc(size);
	bool known;

	must(whole != NULL && some != NULL);
	size_t all = decode_words(text, n, whole, 3 * n + 1);
	size_t k = decode_words(text, n, some, size);
	must(all <= 3 * n && whole[all] == '\0');
	must(k < size && k <= all && some[k] == '\0');
	k = decode_charset("latin1", 6, text, n, whole, 3 * n + 1);
	must(k >= n && k <= 3 * n);
	must(decode_kind_parse(text, n, &known) <= DECODE_YENC);
	free(whole);
	free(some);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	unsigned what = data[0];
	const uint8_t *in = data + 1;
	size_t n = size - 1;

	if (what % 6 < 4)
		try_kind((enum decode_kind)(what % 6), in, n);
	else if (what % 6 == 4)
		try_uu_find((const char *)in, n, what % 12 != 4);
	else
		try_words((const char *)in, n, 1 + what / 6);
	return 0;
}
