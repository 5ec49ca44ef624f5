/* marks.c - which marks occur in an object, see marks.h.
 *
 * The fast way sorts octets into sets by their halves, two look-ups in tables of
 * 16 for each of the first three octets of a mark: where all six have a set in
 * common one of its marks may begin. There are eight sets, and more marks. */
#include "marks.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cpu.h"
#include "find.h"
#include "str.h"

struct row {
	unsigned mark, set;
	const char *octets;      /* three at least */
	size_t n;
	bool is_letters;         /* of either case */
	unsigned char below;     /* an octet more, of less than that; 0: none */
};

#define OCTETS(s) s, sizeof(s) - 1

static const struct row rows[] = {
	{ MARK_ZIP, 0, OCTETS("PK\3\4"), false, 0 },
	{ MARK_ZIP_END, 0, OCTETS("PK\5\6"), false, 0 },
	{ MARK_RAR, 1, OCTETS("Rar!\x1a\7"), false, 0 },
	{ MARK_7Z, 2, OCTETS("7z\xbc\xaf\x27\x1c"), false, 0 },
	{ MARK_CAB, 3, OCTETS("MSCF"), false, 0 },
	{ MARK_LHA, 4, OCTETS("-lh"), false, 0 },
	{ MARK_LHA, 4, OCTETS("-lz"), false, 0 },
	{ MARK_UU, 5, OCTETS("begin"), true, 0 },
	{ MARK_BINHEX, 6, OCTETS("must be converted with binhex"), true, 0 },
	{ MARK_DATA_URI, 7, OCTETS("data:"), true, 0 },
	{ MARK_GZIP, 0, OCTETS("\x1f\x8b\10"), false, 0x20 },
	{ MARK_BZIP2, 3, OCTETS("1AY&SY"), false, 0 },
	{ MARK_XZ, 1, OCTETS("\xfd" "7zXZ\0"), false, 0 },
	{ MARK_ZSTD, 2, OCTETS("\x28\xb5\x2f\xfd"), false, 0 },
	{ MARK_CPIO, 0, OCTETS("07070"), false, 0 },
	{ MARK_ISO, 4, OCTETS("CD001"), false, 0 },
};

static_assert(sizeof "must be converted with binhex" <= MARK_OCTETS, "the longest");

#define ROWS (sizeof rows / sizeof rows[0])

/* Its octets are there: what stands behind them? */
static bool ends_at(const struct row *r, const char *p, size_t n)
{
	return r->below == 0 || (n > r->n && (unsigned char)p[r->n] < r->below);
}

static bool occurs(const struct row *r, const char *p, size_t n)
{
	for (const char *at; ; n -= (size_t)(at + 1 - p), p = at + 1) {
		at = r->is_letters ? find_letters(p, n, r->octets, r->n) : find_octets(p, n, r->octets, r->n);
		if (at == NULL || ends_at(r, at, n - (size_t)(at - p)))
			return at != NULL;
	}
}

unsigned marks_find_plain(const void *data, size_t n)
{
	unsigned found = 0;

	for (const struct row *r = rows; r < rows + ROWS; r++)
		if (!(found & r->mark) && occurs(r, data, n))
			found |= r->mark;
	return found;
}

#ifdef CPU_AVX2
#include <immintrin.h>

#define DEPTH 3u
#define STEP 32u

/* By the halves of an octet at each place, the sets that it may belong to. */
struct tables {
	uint8_t low[DEPTH][16], high[DEPTH][16];
};

static void add(struct tables *t, unsigned at, unsigned char c, unsigned set)
{
	t->low[at][c & 15] |= (uint8_t)(1u << set);
	t->high[at][c >> 4] |= (uint8_t)(1u << set);
}

static void make_tables(struct tables *t, unsigned found)
{
	memset(t, 0, sizeof *t);
	for (const struct row *r = rows; r < rows + ROWS; r++) {
		for (unsigned at = 0; at < DEPTH && !(found & r->mark); at++) {
			const unsigned char c = (unsigned char)r->octets[at];
			add(t, at, c, r->set);
			if (r->is_letters)
				add(t, at, c ^ 0x20, r->set);
		}
	}
}

/* The marks that begin right here. */
static unsigned marks_at(const char *p, size_t n)
{
	unsigned found = 0;

	for (const struct row *r = rows; r < rows + ROWS; r++) {
		const char first = r->is_letters ? p[0] | 0x20 : p[0];
		if (first == r->octets[0] && n >= r->n && (r->is_letters ?
		    str_istarts(p, n, r->octets) : memcmp(p, r->octets, r->n) == 0) &&
		    ends_at(r, p, n))
			found |= r->mark;
	}
	return found;
}

CPU_AVX2 static inline __m256i load(const uint8_t table[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i_u *)table));
}

/* The sets that octets may belong to. */
CPU_AVX2 static inline __m256i sets(const char *p, __m256i low, __m256i high)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	const __m256i c = _mm256_loadu_si256((const __m256i_u *)p);

	return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(c, half)),
		_mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(c, 4), half)));
}

/* The next STEP places from *at on where something may begin, a bit for each
 * place; 0: the end is too near for another step. */
CPU_AVX2 static uint32_t next_places(const struct tables *t, const char *p, size_t n, size_t *at)
{
	const __m256i low[DEPTH] = { load(t->low[0]), load(t->low[1]), load(t->low[2]) };
	const __m256i high[DEPTH] = { load(t->high[0]), load(t->high[1]), load(t->high[2]) };

	for (; n - *at >= STEP + DEPTH - 1; *at += STEP) {
		const __m256i s = _mm256_and_si256(sets(p + *at, low[0], high[0]),
			_mm256_and_si256(sets(p + *at + 1, low[1], high[1]),
			sets(p + *at + 2, low[2], high[2])));
		const uint32_t none = (uint32_t)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(s, _mm256_setzero_si256()));
		if (none != UINT32_MAX)
			return ~none;
	}
	return 0;
}

/* From at on. What was found is not looked for any more. */
static unsigned find_from(const char *p, size_t n, size_t at, unsigned found)
{
	struct tables t;
	uint32_t places;

	make_tables(&t, found);
	for (; (places = next_places(&t, p, n, &at)) != 0; at += STEP) {
		const unsigned before = found;
		for (; places != 0; places &= places - 1) {
			const size_t i = at + (size_t)__builtin_ctz(places);
			found |= marks_at(p + i, n - i);
		}
		if (found != before)
			make_tables(&t, found);
	}
	return found;
}

/* The last step ends where the octets end, and may go over some twice. */
static unsigned find_avx2(const char *p, size_t n)
{
	return find_from(p, n, n - (STEP + DEPTH - 1), find_from(p, n, 0, 0));
}
#endif

unsigned marks_find(const void *data, size_t n)
{
#ifdef CPU_AVX2
	if (n >= STEP + DEPTH - 1 && cpu_has_avx2())
		return find_avx2(data, n);
#endif
	return marks_find_plain(data, n);
}
