/* binhex.c - BinHex 4.0, see binhex.h. Octets that are not of its alphabet are
 * passed over; the sums are not looked at. */
#include "binhex.h"

#include <stdint.h>
#include <string.h>

#include "find.h"
#include "pace.h"

#define REPEAT 0x90u             /* the octet before it comes so often */
#define HEAD_LEN 22u             /* and the name */

static const char alphabet[] = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

static int value_of(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

static const char *skip_white(const char *p, const char *end)
{
	while (p < end && (*p == '\r' || *p == '\n' || *p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* Past white space, is there a colon with data behind it? */
static const char *colon_at(const char *p, const char *end)
{
	p = skip_white(p, end);
	return end - p > 1 && *p == ':' && value_of(p[1]) >= 0 ? p + 1 : NULL;
}

bool binhex_begins(const char *text, size_t len)
{
	return colon_at(text, text + len) != NULL;
}

bool binhex_find(const char *text, size_t len, size_t *from, const char **body_out,
	size_t *n_out)
{
	static const char mark[] = "must be converted with binhex";
	const char *end = text + len, *body = *from == 0 ? colon_at(text, end) : NULL;

	while (body == NULL && len - *from > sizeof mark) {
		const char *p = find_letters(text + *from, len - *from, mark, sizeof mark - 1);
		if (p == NULL)
			break;
		*from = (size_t)(p - text) + sizeof mark - 1;
		/* Readers pass over lines that are no data. */
		while (body == NULL && p < end) {
			while (p < end && *p != '\n' && *p != '\r')
				p++;
			p = skip_white(p, end);
			body = colon_at(p, end);
		}
		if (body == NULL)
			break;
	}
	if (body == NULL) {
		*from = len;
		return false;
	}
	*from = (size_t)(body - text);
	*body_out = body;
	*n_out = (size_t)(end - body);
	return true;
}

struct output {
	unsigned char *p;
	size_t n;
	unsigned char last;
	bool is_repeat;              /* its count comes next */
};

static void put(struct output *o, unsigned char c, unsigned count)
{
	if (o->p != NULL)
		memset(o->p + o->n, c, count);
	o->n += count;
	o->last = c;
}

static void take(struct output *o, unsigned char c)
{
	if (!o->is_repeat && c == REPEAT) {
		o->is_repeat = true;
	} else if (!o->is_repeat) {
		put(o, c, 1);
	} else {
		o->is_repeat = false;
		if (c == 0)
			put(o, REPEAT, 1);
		else if (o->n > 0)
			put(o, o->last, c - 1u);
	}
}

size_t binhex_decode(const char *body, size_t n, unsigned char *out, size_t *used_out,
	struct pace *pace)
{
	struct output o = { .p = out };
	uint32_t bits = 0;
	unsigned nbits = 0;
	size_t i = 0;

	for (; i < n && body[i] != ':'; i++) {
		if (i % PACE_OCTETS == PACE_OCTETS - 1 && !pace_on(pace, PACE_OCTETS))
			break;
		const int v = value_of(body[i]);
		if (v < 0)
			continue;
		bits = (bits << 6 | (uint32_t)v) & 0xffff;
		nbits += 6;
		if (nbits >= 8) {
			nbits -= 8;
			take(&o, (unsigned char)(bits >> nbits));
		}
	}
	*used_out = i;
	return o.n;
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Name, version, type, creator, flags, two sizes, a sum; a fork and its sum; the
 * other one. */
bool binhex_parse(const unsigned char *p, size_t n, struct binhex_file *out)
{
	if (n < HEAD_LEN || p[0] == 0 || p[0] >= sizeof out->name || n < HEAD_LEN + p[0])
		return false;
	const unsigned char *sizes = p + 1 + p[0] + 1 + 4 + 4 + 2;
	memset(out, 0, sizeof *out);
	memcpy(out->name, p + 1, p[0]);
	out->data = sizes + 10;
	size_t left = n - (size_t)(out->data - p);
	const uint64_t data = be32(sizes), resource = be32(sizes + 4);
	out->data_len = data < left ? (size_t)data : left;
	left -= out->data_len;
	left -= left < 2 ? left : 2;
	out->resource = p + n - left;
	out->resource_len = resource < left ? (size_t)resource : left;
	return true;
}
