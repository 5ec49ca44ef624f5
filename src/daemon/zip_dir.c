/* zip_dir.c - do all readers of a zip file see the same, see zip_dir.h.
 * Source: PKWARE APPNOTE 6.3.9, chapter 4. */
#include "zip_dir.h"

#include <stdint.h>
#include <string.h>

#include "find.h"

#define LOCAL_LEN 30u
#define ENTRY_LEN 46u
#define END_LEN 22u
#define END64_LEN 56u
#define LOCATOR_LEN 20u
#define OTHER_NAME_HEAD 5u      /* version 1, sum of the name it stands for */
#define COMMENT_MAX 65535u
#define DESCRIPTOR 8u            /* flag: sizes stand behind the data */
#define METHOD_MAX 99u
#define VERSION_MAX 63u
#define NONE UINT32_MAX          /* the true number is in a ZIP64 field */

static uint32_t u16(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const unsigned char *p)
{
	return u16(p) | u16(p + 2) << 16;
}

static uint64_t u64(const unsigned char *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

/* A directory, as it is found from a record at the end. */
struct dir {
	size_t at, end;
	uint64_t offset;         /* where it is said to begin */
	bool is_odd;             /* there is more than one way to find one */
};

/* Before the record at end_at, a locator and a record of ZIP64: its numbers
 * count, and have to be those of the plain record where that has them. */
static void zip64_dir(const unsigned char *p, size_t end_at, struct dir *d, uint64_t *size)
{
	const unsigned char *r = p + end_at - LOCATOR_LEN - END64_LEN;

	if (end_at < LOCATOR_LEN || memcmp(p + end_at - LOCATOR_LEN, "PK\6\7", 4) != 0)
		return;
	d->is_odd = true;
	if (end_at < LOCATOR_LEN + END64_LEN || memcmp(r, "PK\6\6", 4) != 0 ||
	    u64(r + 4) != END64_LEN - 12)
		return;
	d->end = (size_t)(r - p);
	d->is_odd = (*size != NONE && *size != u64(r + 40)) || u64(r + 24) != u64(r + 32) ||
		(d->offset != NONE && d->offset != u64(r + 48)) ||
		(u16(p + end_at + 10) != UINT16_MAX && u16(p + end_at + 10) != u64(r + 32)) ||
		u64(p + end_at - LOCATOR_LEN + 8) - u64(r + 48) != u64(r + 40);
	*size = u64(r + 40);
	d->offset = u64(r + 48);
}

/* The directory of the record at end_at; it stands right before it, whatever
 * offset is written there. */
static bool dir_of(const unsigned char *p, size_t end_at, struct dir *d)
{
	uint64_t size = u32(p + end_at + 12);

	*d = (struct dir){ .end = end_at, .offset = u32(p + end_at + 16) };
	zip64_dir(p, end_at, d, &size);
	if (size > d->end)
		return false;
	d->at = d->end - (size_t)size;
	return size >= ENTRY_LEN && memcmp(p + d->at, "PK\1\2", 4) == 0;
}

/* Sum and sizes of a header with DESCRIPTOR: each may be missing. */
static bool is_zero_or(const unsigned char *here, const unsigned char *there)
{
	return u32(here) == 0 || u32(here) == u32(there);
}

/* Does a header at the given place say the same as the directory's entry? */
static bool is_same(const unsigned char *p, size_t at, size_t limit, const unsigned char *e)
{
	const unsigned char *l = p + at;

	if (limit - at < LOCAL_LEN || memcmp(l, "PK\3\4", 4) != 0)
		return false;
	const uint32_t name_len = u16(e + 28), flags = u16(e + 8);
	if (u16(l + 6) != flags || u16(l + 8) != u16(e + 10) || u16(l + 26) != name_len ||
	    limit - at - LOCAL_LEN < name_len || memcmp(l + LOCAL_LEN, e + ENTRY_LEN, name_len) != 0)
		return false;
	return memcmp(l + 14, e + 16, 12) == 0 || ((flags & DESCRIPTOR) &&
		is_zero_or(l + 14, e + 16) && is_zero_or(l + 18, e + 20) && is_zero_or(l + 22, e + 24));
}

/* One entry of the directory, whose member has to begin at *at and to end
 * where the next one (or the directory) begins. */
static bool entry_is_plain(const unsigned char *p, const unsigned char *e, size_t *at,
	size_t next, size_t dir_at)
{
	const uint32_t packed = u32(e + 20);

	if (packed == NONE || u32(e + 24) == NONE || u16(e + 34) != 0 || u32(e + 42) != *at ||
	    next > dir_at || next < *at || !is_same(p, *at, next, e) ||
	    memchr(e + ENTRY_LEN, '\0', u16(e + 28)) != NULL)
		return false;
	const size_t data = *at + LOCAL_LEN + u16(p + *at + 26) + u16(p + *at + 28);
	if (data > next || next - data < packed)
		return false;
	/* A reader that streams may take what is inside for the end of it. */
	if ((u16(e + 8) & DESCRIPTOR) && find_octets(p + data, packed, "PK\3\4", 4) != NULL)
		return false;
	const size_t rest = next - data - packed;
	*at = next;
	return rest == 0 || ((u16(e + 8) & DESCRIPTOR) && (rest == 12 || rest == 16));
}

static bool dir_is_plain(const unsigned char *p, size_t dir_at, size_t end_at, uint32_t count)
{
	size_t at = 0, e = dir_at;

	for (uint32_t i = 0; i < count; i++) {
		if (end_at - e < ENTRY_LEN || memcmp(p + e, "PK\1\2", 4) != 0)
			return false;
		size_t len = ENTRY_LEN + u16(p + e + 28) + u16(p + e + 30) + u16(p + e + 32);
		if (end_at - e < len)
			return false;
		bool is_last = i + 1 == count;
		if (!is_last && end_at - e - len < ENTRY_LEN)
			return false;
		size_t next = is_last ? dir_at : u32(p + e + len + 42);
		if (!entry_is_plain(p, p + e, &at, next, dir_at))
			return false;
		e += len;
	}
	return e == end_at && at == dir_at;
}

bool zip_dir_is_plain(const void *data, size_t len, size_t *end_out)
{
	const unsigned char *p = data;
	size_t from = len, end;
	struct dir d;
	bool has_dir;

	if (!zip_dir_prev_end(data, len, &from, &end, &has_dir) || !has_dir)
		return false;
	const unsigned char *r = p + end - END_LEN;
	const uint32_t count = u16(r + 10);
	if (u16(r + 20) != len - end || u16(r + 4) != 0 || u16(r + 6) != 0 ||
	    u16(r + 8) != count || !dir_of(p, end - END_LEN, &d) || d.offset != d.at ||
	    d.end != end - END_LEN || d.is_odd)
		return false;
	*end_out = end;
	return dir_is_plain(p, d.at, d.end, count);
}

bool zip_dir_prev_end(const void *data, size_t len, size_t *from, size_t *end_out,
	bool *has_dir_out)
{
	const unsigned char *p = data;
	const size_t least = len > END_LEN + COMMENT_MAX ? len - END_LEN - COMMENT_MAX : 0;
	size_t at = *from;
	struct dir d;

	if (len < END_LEN)
		return false;
	if (at > len - END_LEN + 1)
		at = len - END_LEN + 1;
	/* Forward it is found quickly that there is none, as mostly. */
	if (at <= least || find_octets(p + least, at + 3 - least, "PK\5\6", 4) == NULL)
		at = 0;
	while (at > least) {
		at--;
		if (memcmp(p + at, "PK\5\6", 4) != 0)
			continue;
		*from = at;
		*end_out = at + END_LEN;
		*has_dir_out = dir_of(p, at, &d);
		return true;
	}
	*from = 0;
	return false;
}

static bool is_likely_local(const unsigned char *p, size_t len)
{
	return len >= LOCAL_LEN && p[4] <= VERSION_MAX && (p[7] & 0xd0) == 0 &&
		u16(p + 8) <= METHOD_MAX && u16(p + 26) > 0 && u16(p + 26) <= 4096 &&
		len - LOCAL_LEN >= u16(p + 26) && p[LOCAL_LEN] != '\0';
}

struct sizes { uint64_t packed, size; };

/* At n octets of extra fields: what stands there for numbers that are NONE. */
static void zip64_sizes(const unsigned char *p, size_t n, struct sizes *s)
{
	uint64_t *const wanted[] = { &s->size, &s->packed };

	while (n >= 4 && u16(p) != 1 && n - 4 >= u16(p + 2)) {
		n -= 4 + u16(p + 2);
		p += 4 + u16(p + 2);
	}
	if (n < 4 || u16(p) != 1 || n - 4 < u16(p + 2))
		return;
	n = u16(p + 2);
	p += 4;
	for (size_t i = 0; i < 2; i++) {
		if (*wanted[i] != NONE || n < 8)
			continue;
		*wanted[i] = u32(p) | (uint64_t)u32(p + 4) << 32;
		p += 8;
		n -= 8;
	}
}

/* The header at l, which has room octets, and the entry at e, a whole one. */
static bool leads_to(const unsigned char *l, size_t room, const unsigned char *e)
{
	if (room < LOCAL_LEN || memcmp(l, "PK\3\4", 4) != 0 ||
	    room - LOCAL_LEN < u16(l + 26) + u16(l + 28) || u16(l + 8) != u16(e + 10))
		return false;
	struct sizes here = { u32(l + 18), u32(l + 22) }, there = { u32(e + 20), u32(e + 24) };
	zip64_sizes(l + LOCAL_LEN + u16(l + 26), u16(l + 28), &here);
	zip64_sizes(e + ENTRY_LEN + u16(e + 28), u16(e + 30), &there);
	const bool may_lack = u16(l + 6) & DESCRIPTOR;
	return (here.packed == there.packed || (may_lack && here.packed == 0)) &&
		(here.size == there.size || (may_lack && here.size == 0));
}

bool zip_dir_agrees(const void *data, size_t end, size_t *n_out)
{
	const unsigned char *p = data;
	struct dir d;

	*n_out = 0;
	if (!dir_of(p, end - END_LEN, &d) || d.is_odd || d.offset > d.at)
		return false;
	const size_t shift = d.at - (size_t)d.offset;
	size_t at = d.at;
	while (d.end - at >= ENTRY_LEN && memcmp(p + at, "PK\1\2", 4) == 0) {
		const unsigned char *e = p + at;
		const size_t len = ENTRY_LEN + u16(e + 28) + u16(e + 30) + u16(e + 32);
		if (d.end - at < len || u32(e + 42) > d.at - shift)
			return false;
		const size_t local = u32(e + 42) + shift;
		if (!leads_to(p + local, d.at - local, e))
			return false;
		at += len;
		++*n_out;
	}
	return at == d.end;
}

bool zip_dir_is_lost(const void *data, size_t len, size_t end, bool is_guess)
{
	const unsigned char *p = data, *r = p + end - END_LEN;
	const size_t at = u32(r + 16);
	struct dir d;

	if ((u16(r + 10) == 0 && u32(r + 12) == 0) || dir_of(p, end - END_LEN, &d))
		return false;
	return !is_guess || (at < len && len - at >= ENTRY_LEN && memcmp(p + at, "PK\1\2", 4) == 0);
}

bool zip_dir_link_is(const void *data, size_t len, size_t at, const char *target)
{
	const unsigned char *l = (const unsigned char *)data + at;
	const size_t n = strlen(target);

	if (at > len || len - at < LOCAL_LEN || memcmp(l, "PK\3\4", 4) != 0)
		return false;
	const size_t head = LOCAL_LEN + u16(l + 26) + u16(l + 28);
	return !(u16(l + 6) & DESCRIPTOR) && u16(l + 8) == 0 && u32(l + 18) == n && u32(l + 22) == n &&
		len - at >= head && len - at - head >= n && memcmp(l + head, target, n) == 0;
}

bool zip_dir_next_local(const void *data, size_t len, size_t *from, size_t *at_out)
{
	while (*from < len) {
		const unsigned char *start = (const unsigned char *)data + *from;
		const unsigned char *p = find_octets(start, len - *from, "PK\3\4", 4);
		if (p == NULL)
			break;
		*at_out = *from + (size_t)(p - start);
		*from = *at_out + 4;
		if (is_likely_local(p, len - *at_out))
			return true;
	}
	*from = len;
	return false;
}

bool zip_dir_next_name(const void *data, size_t len, size_t *from, const char **name_out,
	size_t *n_out)
{
	while (*from < len) {
		const unsigned char *start = (const unsigned char *)data + *from;
		const unsigned char *p = find_octets(start, len - *from, "PK", 2);
		if (p == NULL)
			break;
		const size_t at = *from + (size_t)(p - start);
		*from = at + 2;
		const bool is_local = len - at > LOCAL_LEN && memcmp(p, "PK\3\4", 4) == 0;
		const bool is_entry = len - at > ENTRY_LEN && memcmp(p, "PK\1\2", 4) == 0;
		if (!is_local && !is_entry)
			continue;
		const size_t n = u16(p + (is_local ? 26 : 28)), head = is_local ? LOCAL_LEN : ENTRY_LEN;
		if (n == 0 || n > len - at - head)
			continue;
		*name_out = (const char *)p + head;
		*n_out = n;
		return true;
	}
	*from = len;
	return false;
}

bool zip_dir_next_other_name(const void *data, size_t len, size_t *from, const char **name_out,
	size_t *n_out)
{
	while (*from < len) {
		const unsigned char *start = (const unsigned char *)data + *from;
		const unsigned char *p = find_octets(start, len - *from, "up", 2);
		if (p == NULL)
			break;
		const size_t at = *from + (size_t)(p - start);
		*from = at + 2;
		if (len - at < 4 + OTHER_NAME_HEAD || p[4] != 1)
			continue;
		const size_t n = u16(p + 2);
		if (n <= OTHER_NAME_HEAD || n > len - at - 4)
			continue;
		*name_out = (const char *)p + 4 + OTHER_NAME_HEAD;
		*n_out = n - OTHER_NAME_HEAD;
		return true;
	}
	*from = len;
	return false;
}
