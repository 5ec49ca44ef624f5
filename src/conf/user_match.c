/* user_match.c - the index of user sections, see user_match.h.
 *
 * Every distinct part (an address, a domain, or "" for a part that is not
 * there, which is key 0) is a key; every distinct pair of them has the first
 * section of that name. A key remembers the first section in which it stands
 * on either side: that answers at once where the other side is not known, and
 * cuts the search short otherwise. Both tables are open-addressed, at most
 * half full, and grow only while the configuration is loaded. */
#include "user_match.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user_addr.h"

#define CANDIDATES_MAX (USER_DOMAIN_MAX + 3)
#define EMPTY UINT32_MAX

struct key {
	uint32_t hash, text, len;      /* text: offset in the pool */
	uint32_t first[2];             /* section, by side */
};

struct pair { uint32_t ids[2], section; };

enum side { RCPT, SNDR };

struct user_match {
	char *pool;
	size_t pool_len, pool_cap;
	struct key *keys;
	size_t nkeys, keys_cap;
	uint32_t *slots;               /* ids of keys */
	size_t slots_cap;              /* a power of two */
	struct pair *pairs;
	size_t npairs, pairs_cap;      /* a power of two */
	unsigned first;                /* section of all */
};

/* FNV-1a with a last mix, since the low bits are what is used. */
static uint32_t hash_of(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t hash_pair(uint32_t a, uint32_t b)
{
	uint64_t h = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(h >> 32);
}

/* The slot of a text: its id is there, or EMPTY. */
static uint32_t *slot_of(const struct user_match *m, const char *p, size_t n, uint32_t hash)
{
	size_t i = hash & (m->slots_cap - 1);

	for (; m->slots[i] != EMPTY; i = (i + 1) & (m->slots_cap - 1)) {
		const struct key *k = &m->keys[m->slots[i]];
		if (k->hash == hash && k->len == n && memcmp(m->pool + k->text, p, n) == 0)
			break;
	}
	return &m->slots[i];
}

static struct pair *pair_of(const struct user_match *m, uint32_t rcpt, uint32_t sndr)
{
	size_t i = hash_pair(rcpt, sndr) & (m->pairs_cap - 1);

	while (m->pairs[i].section != EMPTY &&
	       (m->pairs[i].ids[RCPT] != rcpt || m->pairs[i].ids[SNDR] != sndr))
		i = (i + 1) & (m->pairs_cap - 1);
	return &m->pairs[i];
}

/* ---- candidates --------------------------------------------------------- */

struct candidates {
	uint32_t ids[CANDIDATES_MAX];
	unsigned n;
};

static void candidate(const struct user_match *m, const char *p, size_t n, enum side side,
	struct candidates *c)
{
	uint32_t id = *slot_of(m, p, n, hash_of(p, n));

	if (id != EMPTY && m->keys[id].first[side] != EMPTY)
		c->ids[c->n++] = id;
}

/* The keys that are this text, its domain or a parent of that; and "". */
static void candidates_of(const struct user_match *m, const struct user_addr *a, enum side side,
	struct candidates *c)
{
	c->n = 0;
	candidate(m, "", 0, side, c);
	if (a->is_none)
		return;
	candidate(m, a->text, a->len, side, c);
	for (size_t at = a->domain == 0 ? user_addr_parent(a, 0) : a->domain; at < a->len;
	     at = user_addr_parent(a, at))
		if (a->len - at <= USER_DOMAIN_MAX)
			candidate(m, a->text + at, a->len - at, side, c);
}

static unsigned lowest_pair(const struct user_match *m, const struct candidates *rcpt,
	const struct candidates *sndr)
{
	uint32_t best = EMPTY;

	for (unsigned i = 0; i < rcpt->n; i++) {
		if (m->keys[rcpt->ids[i]].first[RCPT] >= best)
			continue;
		for (unsigned k = 0; k < sndr->n; k++) {
			if (m->keys[sndr->ids[k]].first[SNDR] >= best)
				continue;
			const struct pair *pair = pair_of(m, rcpt->ids[i], sndr->ids[k]);
			if (pair->section < best)
				best = pair->section;
		}
	}
	return best;
}

/* ---- building ----------------------------------------------------------- */

/* Room for n more of size octets each. */
static bool grow(void *array, size_t *cap, size_t used, size_t n, size_t size)
{
	void **p = array;
	size_t want = *cap > 0 ? *cap : 64;

	while (want - used < n)
		want *= 2;
	if (want == *cap)
		return true;
	void *bigger = want <= UINT32_MAX / 2 ? realloc(*p, want * size) : NULL;
	if (bigger == NULL)
		return false;
	*p = bigger;
	*cap = want;
	return true;
}

static bool grow_slots(struct user_match *m)
{
	if (m->slots_cap > 2 * m->nkeys)
		return true;
	size_t cap = m->slots_cap > 0 ? 2 * m->slots_cap : 64;
	uint32_t *slots = malloc(cap * sizeof *slots);
	if (slots == NULL)
		return false;
	free(m->slots);
	m->slots = slots;
	m->slots_cap = cap;
	memset(slots, 0xff, cap * sizeof *slots);
	for (uint32_t id = 0; id < m->nkeys; id++) {
		size_t i = m->keys[id].hash & (cap - 1);
		while (slots[i] != EMPTY)
			i = (i + 1) & (cap - 1);
		slots[i] = id;
	}
	return true;
}

static bool grow_pairs(struct user_match *m)
{
	if (m->pairs_cap > 2 * m->npairs)
		return true;
	const size_t old_cap = m->pairs_cap;
	struct pair *old = m->pairs, *pairs;
	size_t cap = old_cap > 0 ? 2 * old_cap : 64;

	pairs = malloc(cap * sizeof *pairs);
	if (pairs == NULL)
		return false;
	m->pairs = pairs;
	m->pairs_cap = cap;
	for (size_t i = 0; i < cap; i++)
		pairs[i].section = EMPTY;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].section != EMPTY)
			*pair_of(m, old[i].ids[RCPT], old[i].ids[SNDR]) = old[i];
	free(old);
	return true;
}

/* The id of a text, a new one where it has none; EMPTY no memory. */
static uint32_t intern(struct user_match *m, const char *p, size_t n)
{
	uint32_t hash = hash_of(p, n);

	if (!grow_slots(m))
		return EMPTY;
	uint32_t *slot = slot_of(m, p, n, hash);
	if (*slot != EMPTY)
		return *slot;
	if (!grow(&m->pool, &m->pool_cap, m->pool_len, n + 1, 1) ||
	    !grow(&m->keys, &m->keys_cap, m->nkeys, 1, sizeof *m->keys))
		return EMPTY;
	memcpy(m->pool + m->pool_len, p, n);
	m->keys[m->nkeys] = (struct key){ .hash = hash, .text = (uint32_t)m->pool_len,
		.len = (uint32_t)n, .first = { EMPTY, EMPTY } };
	m->pool_len += n;
	return *slot = (uint32_t)m->nkeys++;
}

struct user_match *user_match_new(void)
{
	struct user_match *m = calloc(1, sizeof *m);

	if (m != NULL && (!grow_pairs(m) || intern(m, "", 0) == EMPTY))
		user_match_free(&m);
	return m;
}

void user_match_free(struct user_match **m)
{
	if (*m == NULL)
		return;
	free((*m)->pool);
	free((*m)->keys);
	free((*m)->slots);
	free((*m)->pairs);
	free(*m);
	*m = NULL;
}

/* The | between the parts, outside quotes; n if there is none. */
static size_t find_bar(const char *p, size_t n)
{
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '|' && !quoted)
			return i;
		if (p[i] == '"')
			quoted = !quoted;
		else if (p[i] == '\\' && quoted)
			i++;
	}
	return n;
}

static void trim(const char **p, size_t *n)
{
	while (*n > 0 && (**p == ' ' || **p == '\t')) {
		(*p)++;
		(*n)--;
	}
	while (*n > 0 && ((*p)[*n - 1] == ' ' || (*p)[*n - 1] == '\t'))
		(*n)--;
}

/* One part of a name: its key, and those of earlier sections that cover it. */
static uint32_t part_id(struct user_match *m, const char *p, size_t n, enum side side,
	struct candidates *covers_out, bool *is_octets_out, const char **why_out)
{
	struct user_addr a = { .is_none = true };

	*why_out = NULL;
	trim(&p, &n);
	if (find_bar(p, n) < n) {
		*why_out = "has more than one |";
		return EMPTY;
	}
	if (n > 0 && user_addr_read_part(p, n, &a, why_out) < 0)
		return EMPTY;
	candidates_of(m, &a, side, covers_out);
	if (n == 0)
		return 0;
	*is_octets_out |= user_addr_needs_idn(&a);
	return intern(m, a.text, a.len);
}

int user_match_add(struct user_match *m, const char *name, unsigned section, unsigned *first_out,
	bool *is_same_out, bool *is_octets_out, const char **why_out)
{
	size_t n = strlen(name), bar = find_bar(name, n);
	struct candidates covers[2];
	uint32_t ids[2];

	*first_out = USER_MATCH_NONE;
	*is_same_out = *is_octets_out = false;
	const char *sndr = name + (bar < n ? bar + 1 : n);
	ids[RCPT] = part_id(m, name, bar, RCPT, &covers[RCPT], is_octets_out, why_out);
	if (ids[RCPT] == EMPTY)
		return -1;
	ids[SNDR] = part_id(m, sndr, strlen(sndr), SNDR, &covers[SNDR], is_octets_out, why_out);
	if (ids[SNDR] == EMPTY || !grow_pairs(m))
		return -1;
	*first_out = lowest_pair(m, &covers[RCPT], &covers[SNDR]);
	for (int side = RCPT; side <= SNDR; side++)
		if (m->keys[ids[side]].first[side] == EMPTY)
			m->keys[ids[side]].first[side] = section;
	struct pair *pair = pair_of(m, ids[RCPT], ids[SNDR]);
	*is_same_out = pair->section != EMPTY;
	if (*is_same_out)
		return 0;
	if (m->npairs == 0)
		m->first = section;
	*pair = (struct pair){ .ids = { ids[RCPT], ids[SNDR] }, .section = section };
	m->npairs++;
	return 0;
}

/* ---- looking up --------------------------------------------------------- */

/* Which parts that stand in names match this address, "" among them. */
static bool find_parts(const struct user_match *m, const char *p, size_t n, enum side side,
	struct candidates *c)
{
	struct user_addr a;

	user_addr_read(p, n, &a);
	candidates_of(m, &a, side, c);
	return !a.is_none;
}

static unsigned lowest(const struct user_match *m, const struct candidates *c, enum side side)
{
	uint32_t best = EMPTY;

	for (unsigned i = 0; i < c->n; i++)
		if (m->keys[c->ids[i]].first[side] < best)
			best = m->keys[c->ids[i]].first[side];
	return best;
}

unsigned user_match_find(const struct user_match *m, const char *rcpt, size_t rcpt_len,
	const char *sndr, size_t sndr_len)
{
	struct candidates r, s;
	bool has_rcpt = find_parts(m, rcpt, rcpt_len, RCPT, &r);
	bool has_sndr = find_parts(m, sndr, sndr_len, SNDR, &s);

	if (has_rcpt && has_sndr)
		return lowest_pair(m, &r, &s);
	if (has_rcpt)
		return lowest(m, &r, RCPT);
	if (has_sndr)
		return lowest(m, &s, SNDR);
	return m->npairs > 0 ? m->first : USER_MATCH_NONE;
}

size_t user_match_memory(const struct user_match *m)
{
	return sizeof *m + m->pool_cap + m->keys_cap * sizeof *m->keys +
		m->slots_cap * sizeof *m->slots + m->pairs_cap * sizeof *m->pairs;
}
