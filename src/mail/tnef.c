/* tnef.c - attributes of a TNEF stream, and MAPI properties in them, see tnef.h.
 *
 * An attribute or a property that reaches beyond what is there is broken, and
 * nothing behind it is believed. Sums are not looked at, as most readers don't. */
#include "tnef.h"

#include <string.h>

#define HEAD_LEN 6u              /* signature, key */
#define ATTR_LEN 9u              /* level, id, length */
#define SUM_LEN 2u
#define ATT_TITLE 0x8010u
#define ATT_DATA 0x800fu
#define ATT_BODY 0x800cu
#define ATT_MSG_PROPS 0x9003u
#define ATT_ATTACHMENT 0x9005u
#define PT_OBJECT 0x0du
#define PT_STRING 0x1eu
#define PT_UNICODE 0x1fu
#define PT_BINARY 0x102u
#define PT_MANY 0x1000u
#define IID_LEN 16u              /* which interface an object has */

static uint32_t u16(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const unsigned char *p)
{
	return u16(p) | u16(p + 2) << 16;
}

bool tnef_is(const void *data, size_t len)
{
	return len >= 4 && memcmp(data, "\x78\x9f\x3e\x22", 4) == 0;
}

void tnef_init(struct tnef *t, const void *data, size_t len)
{
	*t = (struct tnef){ .p = (const unsigned char *)data + (len >= HEAD_LEN ? HEAD_LEN : 0),
		.end = (const unsigned char *)data + len };
}

/* ---- names ------------------------------------------------------------------- */

static size_t put_utf8(char *out, uint32_t c)
{
	size_t n = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };

	out[0] = (char)(lead[n] | c >> (6 * n));
	for (size_t i = 1; i <= n; i++)
		out[i] = (char)(0x80 | (c >> (6 * (n - i)) & 0x3f));
	return n + 1;
}

static void name_put(struct tnef_item *out, size_t *w, const char *s, size_t n)
{
	if (n > sizeof out->name - 1 - *w) {
		const size_t cut = sizeof out->name / 2;
		memmove(out->name, out->name + cut, *w - cut);
		*w -= cut;
	}
	memcpy(out->name + *w, s, n);
	*w += n;
}

static void name_of_utf16(const unsigned char *p, size_t n, struct tnef_item *out)
{
	size_t w = 0;
	char s[4];

	for (; n >= 2 && u16(p) != 0; p += 2, n -= 2) {
		uint32_t c = u16(p);
		if (c >= 0xd800 && c < 0xdc00 && n >= 4 && (u16(p + 2) & 0xfc00) == 0xdc00) {
			c = 0x10000 + ((c & 0x3ff) << 10) + (u16(p + 2) & 0x3ff);
			p += 2;
			n -= 2;
		}
		name_put(out, &w, s, put_utf8(s, c));
	}
	out->name[w] = '\0';
}

static void name_of_octets(const unsigned char *p, size_t n, struct tnef_item *out)
{
	size_t w = 0;

	for (; n > 0 && *p != '\0'; p++, n--)
		name_put(out, &w, (const char *)p, 1);
	out->name[w] = '\0';
}

/* ---- properties ---------------------------------------------------------------- */

static bool has(const struct tnef *t, uint64_t n)
{
	return n <= (uint64_t)(t->prop_end - t->prop);
}

/* Octets that are filled up to four. */
static bool skip_padded(struct tnef *t, uint64_t n)
{
	const uint64_t all = n + (4 - n % 4) % 4;

	if (!has(t, all))
		return false;
	t->prop += all;
	return true;
}

static bool take_u32(struct tnef *t, uint32_t *out)
{
	if (!has(t, 4))
		return false;
	*out = u32(t->prop);
	t->prop += 4;
	return true;
}

static bool is_variable(unsigned type)
{
	return type == PT_OBJECT || type == PT_STRING || type == PT_UNICODE || type == PT_BINARY;
}

/* Octets of one value, 0: of no known type. */
static unsigned fixed_size(unsigned type)
{
	switch (type) {
	case 0x01: case 0x02: case 0x03: case 0x04: case 0x0a: case 0x0b: return 4;
	case 0x05: case 0x06: case 0x07: case 0x14: case 0x40: return 8;
	case 0x48: return 16;
	default: return 0;
	}
}

/* Type, id and, for a named one, its name. Values of variable size are left to
 * be taken one by one. */
static bool property_begin(struct tnef *t)
{
	uint32_t kind, n = 1;

	if (!has(t, 4))
		return false;
	t->type = u16(t->prop);
	t->id = u16(t->prop + 2);
	t->prop += 4;
	if (t->id >= 0x8000) {
		if (!skip_padded(t, 16) || !take_u32(t, &kind) || !take_u32(t, &n) ||
		    (kind != 0 && !skip_padded(t, n)))
			return false;
		n = 1;
	}
	const bool is_many = t->type & PT_MANY;
	t->type &= ~PT_MANY;
	if ((is_many || is_variable(t->type)) && !take_u32(t, &n))
		return false;
	if (is_variable(t->type)) {
		t->values = n;
		return true;
	}
	const unsigned size = fixed_size(t->type);
	return size != 0 && !(is_many && t->type == 0x02) && skip_padded(t, (uint64_t)n * size);
}

/* One value; true: it is one to hand out. */
static bool value_is_item(const struct tnef *t, const unsigned char *p, size_t n,
	struct tnef_item *out, enum tnef_status *status)
{
	switch (t->id) {
	case 0x3701: /* PR_ATTACH_DATA */
	case 0x1000: case 0x1013: /* PR_BODY, PR_HTML */
		out->p = t->type == PT_OBJECT && n >= IID_LEN ? p + IID_LEN : p;
		out->n = n - (size_t)(out->p - p);
		*status = TNEF_FILE;
		return true;
	case 0x3001: case 0x3704: case 0x3707: /* display name, file name, long file name */
		if (t->type == PT_UNICODE)
			name_of_utf16(p, n, out);
		else
			name_of_octets(p, n, out);
		*status = TNEF_NAME;
		return true;
	default:
		return false;
	}
}

/* The next item in the properties; TNEF_END: there is no more. */
static enum tnef_status property_next(struct tnef *t, struct tnef_item *out)
{
	enum tnef_status status;
	uint32_t n;

	while (t->values > 0 || t->props > 0) {
		if (t->values == 0) {
			t->props--;
			if (!property_begin(t))
				return TNEF_BROKEN;
			continue;
		}
		t->values--;
		if (!take_u32(t, &n))
			return TNEF_BROKEN;
		const unsigned char *p = t->prop;
		if (!skip_padded(t, n))
			return TNEF_BROKEN;
		if (value_is_item(t, p, n, out, &status))
			return status;
	}
	return TNEF_END;
}

/* ---- attributes ---------------------------------------------------------------- */

enum tnef_status tnef_next(struct tnef *t, struct tnef_item *out)
{
	*out = (struct tnef_item){ .n = 0 };
	for (;;) {
		const enum tnef_status got = property_next(t, out);
		if (got != TNEF_END)
			return got;
		if (t->p == t->end)
			return TNEF_END;
		const size_t left = (size_t)(t->end - t->p);
		if (left < ATTR_LEN + SUM_LEN || t->p[0] < 1 || t->p[0] > 2 ||
		    u32(t->p + 5) > left - ATTR_LEN - SUM_LEN)
			return TNEF_BROKEN;
		const unsigned id = u16(t->p + 1);
		const size_t n = u32(t->p + 5);
		const unsigned char *p = t->p + ATTR_LEN;
		t->p = p + n + SUM_LEN;
		if (id == ATT_DATA || id == ATT_BODY) {
			out->p = p;
			out->n = n;
			return TNEF_FILE;
		}
		if (id == ATT_TITLE) {
			name_of_octets(p, n, out);
			return TNEF_NAME;
		}
		if (id != ATT_MSG_PROPS && id != ATT_ATTACHMENT)
			continue;
		if (n < 4)
			return TNEF_BROKEN;
		t->prop = p;
		t->prop_end = p + n;
		take_u32(t, &t->props);
	}
}
