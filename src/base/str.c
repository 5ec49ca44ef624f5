/* str.c - bounded text, see str.h. */
#include "str.h"

#include <stdio.h>
#include <string.h>

bool str_copy_n(char *dst, size_t size, const void *src, size_t n)
{
	bool whole = n < size;

	if (!whole)
		n = size - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
	return whole;
}

bool str_copy(char *dst, size_t size, const char *src)
{
	return str_copy_n(dst, size, src, strlen(src));
}

int str_icmp_n(const void *a, const void *b, size_t n)
{
	const char *x = a, *y = b;

	for (size_t i = 0; i < n; i++) {
		int d = (unsigned char)str_lower(x[i]) - (unsigned char)str_lower(y[i]);
		if (d != 0)
			return d;
	}
	return 0;
}

bool str_ieq_n(const void *a, size_t alen, const char *b)
{
	return strlen(b) == alen && str_icmp_n(a, b, alen) == 0;
}

bool str_ieq(const char *a, const char *b)
{
	return str_ieq_n(a, strlen(a), b);
}

bool str_istarts(const void *a, size_t alen, const char *prefix)
{
	size_t n = strlen(prefix);

	return n <= alen && str_icmp_n(a, prefix, n) == 0;
}

static int parse_digits(const char *s, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		uint64_t d = (uint64_t)(s[i] - '0');
		if (v > (UINT64_MAX - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	*out = v;
	return 0;
}

int str_parse_u64(const char *s, uint64_t *out)
{
	return parse_digits(s, strlen(s), out);
}

int str_parse_size(const char *s, uint64_t *out)
{
	size_t n = strlen(s);
	unsigned shift = 0;
	uint64_t v;

	if (n > 0) {
		switch (str_lower(s[n - 1])) {
		case 'k': shift = 10; break;
		case 'm': shift = 20; break;
		case 'g': shift = 30; break;
		default: break;
		}
	}
	if (parse_digits(s, n - (shift != 0), &v) < 0 || v > UINT64_MAX >> shift)
		return -1;
	*out = v << shift;
	return 0;
}

int str_parse_bool(const char *s, bool *out)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < 4; i++) {
		if (str_ieq(s, yes[i]) || str_ieq(s, no[i])) {
			*out = str_ieq(s, yes[i]);
			return 0;
		}
	}
	return -1;
}

bool str_mask_match(const char *mask, const char *s)
{
	const char *star = NULL, *from = NULL;

	while (*s != '\0') {
		if (*mask == '*') {
			star = mask++;
			from = s;
		} else if (*mask == '?' || str_lower(*mask) == str_lower(*s)) {
			mask++;
			s++;
		} else if (star != NULL) {
			mask = star + 1;
			s = ++from;
		} else {
			return false;
		}
	}
	while (*mask == '*')
		mask++;
	return *mask == '\0';
}

int str_list_next(const char **list, char sep, char *item, size_t size)
{
	const char *p = *list;

	while (*p == sep || *p == ' ' || *p == '\t')
		p++;
	if (*p == '\0') {
		*list = p;
		return 0;
	}
	const char *end = p;
	while (*end != '\0' && *end != sep)
		end++;
	*list = end;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return str_copy_n(item, size, p, (size_t)(end - p)) ? 1 : -1;
}

/* Length of the valid UTF-8 sequence of two to four octets at p, else 0
 * (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
 * C1 controls (U+0080 to U+009F) count as invalid: terminals act on them. */
static size_t utf8_seq(const unsigned char *p, size_t n)
{
	if (n >= 2 && p[0] >= 0xc2 && p[0] <= 0xdf && (p[1] & 0xc0) == 0x80)
		return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : 2;
	if (n >= 3 && (p[0] & 0xf0) == 0xe0 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80) {
		if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (n >= 4 && p[0] >= 0xf0 && p[0] <= 0xf4 && (p[1] & 0xc0) == 0x80 &&
	    (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80) {
		if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

const char *str_clean(char *dst, size_t size, const void *src, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = src;
	size_t w = 0, mark = 0; /* mark: where "..." still fits */

	for (size_t i = 0; i < n;) {
		char item[4];
		size_t len = 1, used = 1;
		if (p[i] == '"' || p[i] == '\\') {
			item[0] = '\\';
			item[1] = (char)p[i];
			len = 2;
		} else if (p[i] >= 0x20 && p[i] < 0x7f) {
			item[0] = (char)p[i];
		} else if ((used = utf8_seq(p + i, n - i)) > 0) {
			memcpy(item, p + i, used);
			len = used;
		} else {
			used = 1;
			item[0] = '\\';
			item[1] = 'x';
			item[2] = digits[p[i] >> 4];
			item[3] = digits[p[i] & 15];
			len = 4;
		}
		if (w + len >= size) {
			w = mark;
			if (size > 3) {
				memcpy(dst + w, "...", 3);
				w += 3;
			}
			break;
		}
		memcpy(dst + w, item, len);
		w += len;
		i += used;
		if (w + 3 < size)
			mark = w;
	}
	dst[w] = '\0';
	return dst;
}

const char *str_ascii(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; src[n] != '\0' && n + 1 < size; n++)
		dst[n] = src[n] >= 0x20 && src[n] < 0x7f ? src[n] : '?';
	dst[n] = '\0';
	return dst;
}

void str_hex(char *dst, const void *src, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = src;

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[p[i] >> 4];
		dst[2 * i + 1] = digits[p[i] & 15];
	}
	dst[2 * n] = '\0';
}

/* 0x10 | value of a digit, 0 for every other octet. A table, since millions of
 * digests are read when the daemon starts. */
#define V(c, v) [c] = (0x10 | (v))
static const unsigned char hex_table[256] = {
	V('0', 0), V('1', 1), V('2', 2), V('3', 3), V('4', 4), V('5', 5), V('6', 6), V('7', 7),
	V('8', 8), V('9', 9), V('a', 10), V('b', 11), V('c', 12), V('d', 13), V('e', 14),
	V('f', 15), V('A', 10), V('B', 11), V('C', 12), V('D', 13), V('E', 14), V('F', 15),
};
#undef V

int str_unhex(void *dst, size_t n, const char *s)
{
	const unsigned char *in = (const unsigned char *)s;
	unsigned char *p = dst;

	for (size_t i = 0; i < n; i++) {
		const unsigned hi = hex_table[in[2 * i]];
		const unsigned lo = hi != 0 ? hex_table[in[2 * i + 1]] : 0;
		if (lo == 0)
			return -1;
		p[i] = (unsigned char)(hi << 4 | (lo & 0xf));
	}
	return 0;
}
