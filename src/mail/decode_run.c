/* decode_run.c - clean base64, see decode_run.h. */
#include "decode_run.h"

#include "cpu.h"
#include "decode_int.h"

#define V(c, v) [c] = (0x40 | (v))
const uint8_t decode_b64_table[256] = {
	V('A', 0), V('B', 1), V('C', 2), V('D', 3), V('E', 4), V('F', 5), V('G', 6), V('H', 7),
	V('I', 8), V('J', 9), V('K', 10), V('L', 11), V('M', 12), V('N', 13), V('O', 14),
	V('P', 15), V('Q', 16), V('R', 17), V('S', 18), V('T', 19), V('U', 20), V('V', 21),
	V('W', 22), V('X', 23), V('Y', 24), V('Z', 25), V('a', 26), V('b', 27), V('c', 28),
	V('d', 29), V('e', 30), V('f', 31), V('g', 32), V('h', 33), V('i', 34), V('j', 35),
	V('k', 36), V('l', 37), V('m', 38), V('n', 39), V('o', 40), V('p', 41), V('q', 42),
	V('r', 43), V('s', 44), V('t', 45), V('u', 46), V('v', 47), V('w', 48), V('x', 49),
	V('y', 50), V('z', 51), V('0', 52), V('1', 53), V('2', 54), V('3', 55), V('4', 56),
	V('5', 57), V('6', 58), V('7', 59), V('8', 60), V('9', 61), V('+', 62), V('/', 63),
};
#undef V
#define B64_MARKS (0x40u << 18 ^ 0x40u << 12 ^ 0x40u << 6 ^ 0x40u)

static const unsigned char *skip_eols(const unsigned char *p, const unsigned char *end)
{
	while (p < end && is_eol(*p))
		p++;
	return p;
}

const unsigned char *decode_b64_run_plain(const unsigned char *p, const unsigned char *end,
	unsigned char **out)
{
	unsigned char *o = *out;

	while (end - p >= 4) {
		uint32_t a = decode_b64_table[p[0]], b = decode_b64_table[p[1]];
		uint32_t c = decode_b64_table[p[2]], e = decode_b64_table[p[3]];
		if ((a & b & c & e & 0x40) == 0) {
			if (!is_eol(*p))
				break;
			p = skip_eols(p, end);
			continue;
		}
		uint32_t v = a << 18 ^ b << 12 ^ c << 6 ^ e ^ B64_MARKS;
		o[0] = (unsigned char)(v >> 16);
		o[1] = (unsigned char)(v >> 8);
		o[2] = (unsigned char)v;
		o += 3;
		p += 4;
	}
	*out = o;
	return p;
}

#ifdef CPU_AVX2
#include <immintrin.h>

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* Each bit is a set of characters by their high half: 2, 3, 4 and 6, 5 and 7,
 * any other; which low halves are none of that set? A character is clean where
 * the two have no bit in common. */
#define HIGH_SETS TWICE(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16)
#define LOW_NOT TWICE(16 + 4 + 1, 16 + 1, 16 + 1, 16 + 1, 16 + 1, 16 + 1, 16 + 1, 16 + 1, \
	16 + 1, 16 + 1, 16 + 2 + 1, 16 + 8 + 2, 16 + 8 + 2 + 1, 16 + 8 + 2 + 1, \
	16 + 8 + 2 + 1, 16 + 8 + 2)
/* By the high half, what makes a value of a character; 1 stands for the slash. */
#define TO_VALUE TWICE(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a', \
	0, 0, 0, 0, 0, 0, 0, 0)
/* Of three octets in four the wrong way round. */
#define TURN TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)

/* 32 characters to 24 octets, of which those count that clean characters gave;
 * 32 are written. Returns how many are clean up to the first that is not. */
CPU_AVX2 static inline unsigned step(const unsigned char *p, unsigned char *o)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	const __m256i c = _mm256_loadu_si256((const __m256i_u *)p);
	const __m256i low = _mm256_and_si256(c, half);
	const __m256i high = _mm256_and_si256(_mm256_srli_epi16(c, 4), half);
	const __m256i odd = _mm256_and_si256(_mm256_shuffle_epi8(LOW_NOT, low),
		_mm256_shuffle_epi8(HIGH_SETS, high));
	const uint32_t clean = (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(odd, _mm256_setzero_si256()));
	const __m256i slash = _mm256_cmpeq_epi8(c, _mm256_set1_epi8('/'));
	const __m256i value = _mm256_add_epi8(c,
		_mm256_shuffle_epi8(TO_VALUE, _mm256_add_epi8(high, slash)));
	/* Sextets to twelve bits, these to twenty-four. */
	const __m256i pairs = _mm256_maddubs_epi16(value, _mm256_set1_epi32(0x01400140));
	const __m256i groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
	const __m256i octets = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(groups, TURN),
		_mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));

	_mm256_storeu_si256((__m256i_u *)o, octets);
	return clean == UINT32_MAX ? 32 : (unsigned)__builtin_ctz(~clean);
}

CPU_AVX2 static const unsigned char *run_avx2(const unsigned char *p, const unsigned char *end,
	unsigned char **out)
{
	unsigned char *o = *out;

	while (end - p >= 32) {
		const size_t groups = step(p, o) / 4;
		p += 4 * groups;
		o += 3 * groups;
		if (groups == 8)
			continue;
		if (!is_eol(*p))
			break;
		p = skip_eols(p, end);
	}
	*out = o;
	return decode_b64_run_plain(p, end, out);
}
#endif

const unsigned char *decode_b64_run(const unsigned char *p, const unsigned char *end,
	unsigned char **out)
{
#ifdef CPU_AVX2
	if (cpu_has_avx2())
		return run_avx2(p, end, out);
#endif
	return decode_b64_run_plain(p, end, out);
}
