/* find.c - a search by the first two octets, 64 places at once, see find.h.
 *
 * The compiler's vectors, so that it is fast on any machine and needs no other
 * for those that lack a set of instructions. */
#include "find.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "str.h"

typedef uint8_t vec __attribute__((vector_size(16)));

#define STRIDE (4 * sizeof(vec))

struct needle {
	const char *p;
	size_t k;
	uint8_t fold;        /* 0x20: letters of either case are the same */
};

static vec load(const unsigned char *p)
{
	vec v;

	memcpy(&v, p, sizeof v);
	return v;
}

static vec all_of(uint8_t c)
{
	vec v;

	memset(&v, c, sizeof v);
	return v;
}

static bool is_set(vec v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof half);
	return (half[0] | half[1]) != 0;
}

static bool is_at(const unsigned char *p, size_t n, const struct needle *w)
{
	if (n < w->k || (p[0] | w->fold) != (uint8_t)w->p[0] ||
	    (p[1] | w->fold) != (uint8_t)w->p[1])
		return false;
	return w->fold != 0 ? str_istarts((const char *)p, n, w->p) :
		memcmp(p, w->p, w->k) == 0;
}

/* Can the needle begin at one of STRIDE places? One more octet is read. */
static inline bool may_begin(const unsigned char *p, vec first, vec second, vec fold)
{
	vec hit = { 0 };

	for (size_t i = 0; i < STRIDE; i += sizeof(vec))
		hit |= (vec)((load(p + i) | fold) == first) &
			(vec)((load(p + i + 1) | fold) == second);
	return is_set(hit);
}

static const unsigned char *find(const unsigned char *p, size_t n, const struct needle *w)
{
	const vec first = all_of((uint8_t)w->p[0]), second = all_of((uint8_t)w->p[1]),
		fold = all_of(w->fold);
	size_t at = 0;

	while (n - at > STRIDE) {
		if (may_begin(p + at, first, second, fold)) {
			for (size_t i = at; i < at + STRIDE; i++)
				if (is_at(p + i, n - i, w))
					return p + i;
		}
		at += STRIDE;
	}
	for (; n - at >= w->k; at++)
		if (is_at(p + at, n - at, w))
			return p + at;
	return NULL;
}

/* A CR and then no LF, a LF without one, or a dot behind it? Of STRIDE octets and
 * the one before them. */
static inline bool has_odd(const unsigned char *p)
{
	const vec cr = all_of('\r'), lf = all_of('\n'), dot = all_of('.');
	vec odd = { 0 };

	for (size_t i = 0; i < STRIDE; i += sizeof(vec)) {
		const vec before = load(p + i - 1), here = load(p + i);
		odd |= (vec)(before == cr) ^ (vec)(here == lf);
		odd |= (vec)(before == lf) & (vec)(here == dot);
	}
	return is_set(odd);
}

size_t find_odd_line(const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t at = 1;

	if (n == 0 || p[0] == '\n')
		return 0;
	while (n - at >= STRIDE && !has_odd(p + at))
		at += STRIDE;
	for (; at < n; at++) {
		if ((p[at - 1] == '\r') != (p[at] == '\n'))
			return at - (p[at - 1] == '\r');
		if (p[at - 1] == '\n' && p[at] == '.')
			return at;
	}
	return n - (p[n - 1] == '\r');
}

const void *find_octets(const void *hay, size_t n, const void *needle, size_t k)
{
	return find(hay, n, &(struct needle){ needle, k, 0 });
}

const void *find_letters(const void *hay, size_t n, const char *needle, size_t k)
{
	return find(hay, n, &(struct needle){ needle, k, 0x20 });
}
