/* ihex.c - Intel HEX, see ihex.h. */
#include "ihex.h"

#include <string.h>

#include "str.h"

#define HEAD_LEN 4u              /* size, address, type */

enum { IHEX_DATA, IHEX_END, IHEX_SEGMENT, IHEX_START_SEGMENT, IHEX_LINEAR, IHEX_START_LINEAR };

struct record {
	unsigned char octets[HEAD_LEN + 255 + 1];
	unsigned n, type;        /* of the data */
	uint32_t address;
};

static size_t skip_white(const char *p, size_t len, size_t at)
{
	while (at < len && (p[at] == '\r' || p[at] == '\n' || p[at] == ' ' || p[at] == '\t'))
		at++;
	return at;
}

/* Moves behind it and the white space around it. */
static bool next_record(struct ihex *h, struct record *r)
{
	const size_t at = skip_white(h->text, h->len, h->at);
	const char *p = h->text + at;
	size_t left = h->len - at;
	unsigned sum = 0;

	if (left < 3 || p[0] != ':' || str_unhex(r->octets, 1, p + 1) != 0)
		return false;
	r->n = r->octets[0];
	const size_t all = HEAD_LEN + r->n + 1;
	if (left < 1 + 2 * all || str_unhex(r->octets, all, p + 1) != 0)
		return false;
	for (size_t i = 0; i < all; i++)
		sum += r->octets[i];
	r->address = (uint32_t)r->octets[1] << 8 | r->octets[2];
	r->type = r->octets[3];
	if ((sum & 0xff) != 0 || r->type > IHEX_START_LINEAR)
		return false;
	h->at = skip_white(h->text, h->len, at + 1 + 2 * all);
	return true;
}

bool ihex_init(struct ihex *h, const char *text, size_t len)
{
	struct record r;

	*h = (struct ihex){ .text = text, .len = len };
	const bool yes = next_record(h, &r);
	h->at = 0;
	return yes;
}

/* Where the addresses behind it count from. */
static uint32_t base_of(const struct record *r, uint32_t base)
{
	const uint32_t value = (uint32_t)r->octets[HEAD_LEN] << 8 | r->octets[HEAD_LEN + 1];

	if (r->n != 2)
		return base;
	return r->type == IHEX_SEGMENT ? value << 4 : r->type == IHEX_LINEAR ? value << 16 : base;
}

size_t ihex_run(struct ihex *h, unsigned char *out, struct pace *pace)
{
	struct ihex ahead = *h;
	uint32_t next = 0;
	struct record r;
	size_t n = 0;

	for (; next_record(&ahead, &r) && pace_on(pace, ahead.at - h->at); *h = ahead) {
		if (r.type != IHEX_DATA || r.n == 0) {
			ahead.base = base_of(&r, ahead.base);
			continue;
		}
		if (n > 0 && ahead.base + r.address != next)
			break;
		if (out != NULL)
			memcpy(out + n, r.octets + HEAD_LEN, r.n);
		n += r.n;
		next = ahead.base + r.address + r.n;
	}
	return n;
}
