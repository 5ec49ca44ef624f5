/* sig_table.c - digest signatures in memory, see sig_table.h.
 *
 * One sorted array for each kind of digest. A record is the digest, the size
 * of the object it belongs to (or any), and where its name is in the pool.
 * A look-up interpolates: digests are spread evenly, so that a few steps
 * reach the place, and no index is needed beside the records.
 * Sizes that some signature names are kept apart, sorted: an object of
 * another size need not be hashed at all.
 * Figures are in esets_daemon(8). */
#include "sig_table.h"

#include <stdlib.h>
#include <string.h>

#define FEW 32u                      /* records are sorted one by one */

/* Records lie behind each other without padding: digest, size, name. */
struct kind_table {
	unsigned char *rec;
	size_t n, cap;
	uint32_t *sizes;         /* sorted, each once; not those of any size */
	size_t nsizes;
	bool any_size;           /* some signature fits every size */
};

struct sig_table {
	struct kind_table t[SIG_KIND_COUNT];
	char *names;             /* NUL-terminated, one behind the other */
	size_t names_len, names_cap;
	size_t last_name;        /* many lines in a row have the same name */
};

struct sig_table *sig_table_new(void)
{
	return calloc(1, sizeof(struct sig_table));
}

void sig_table_free(struct sig_table *d)
{
	if (d == NULL)
		return;
	for (int k = 0; k < SIG_KIND_COUNT; k++) {
		free(d->t[k].rec);
		free(d->t[k].sizes);
	}
	free(d->names);
	free(d);
}

static size_t rec_len(enum sig_kind k)
{
	return sig_digest_len[k] + 2 * sizeof(uint32_t);
}

static unsigned char *rec_at(const struct kind_table *t, enum sig_kind k, size_t i)
{
	return t->rec + i * rec_len(k);
}

static uint32_t rec_u32(const unsigned char *rec, enum sig_kind k, unsigned which)
{
	uint32_t v;

	memcpy(&v, rec + sig_digest_len[k] + which * sizeof v, sizeof v);
	return v;
}

/* ---- filling ----------------------------------------------------------------- */

static int64_t add_name(struct sig_table *d, const char *name)
{
	size_t n = strlen(name) + 1;

	if (d->names_len > 0 && strcmp(d->names + d->last_name, name) == 0)
		return (int64_t)d->last_name;
	if (d->names_len + n > UINT32_MAX)
		return -1;
	if (d->names == NULL || d->names_len + n > d->names_cap) {
		size_t cap = d->names_cap > 0 ? d->names_cap + d->names_cap / 2 : 4096;
		char *p = realloc(d->names, cap > d->names_len + n ? cap : d->names_len + n);
		if (p == NULL)
			return -1;
		d->names = p;
		d->names_cap = cap > d->names_len + n ? cap : d->names_len + n;
	}
	memcpy(d->names + d->names_len, name, n);
	d->last_name = d->names_len;
	d->names_len += n;
	return (int64_t)d->last_name;
}

int sig_table_add(struct sig_table *d, const struct sig *sig)
{
	const size_t len = sig_digest_len[sig->kind];
	struct kind_table *t = &d->t[sig->kind];
	int64_t at = add_name(d, sig->name);

	if (at < 0)
		return -1;
	if (t->n == t->cap) {
		size_t cap = t->cap > 0 ? t->cap + t->cap / 2 : 256;
		unsigned char *p = realloc(t->rec, cap * rec_len(sig->kind));
		if (p == NULL)
			return -1;
		t->rec = p;
		t->cap = cap;
	}
	unsigned char *rec = rec_at(t, sig->kind, t->n++);
	uint32_t name_at = (uint32_t)at;
	memcpy(rec, sig->digest, len);
	memcpy(rec + len, &sig->size, sizeof sig->size);
	memcpy(rec + len + sizeof sig->size, &name_at, sizeof name_at);
	return 0;
}

size_t sig_table_count(const struct sig_table *d)
{
	size_t n = 0;

	for (int k = 0; k < SIG_KIND_COUNT; k++)
		n += d->t[k].n;
	return n;
}

/* ---- sorting ------------------------------------------------------------------ */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static void swap_records(unsigned char *a, unsigned char *b, size_t n)
{
	unsigned char tmp[SIG_DIGEST_MAX + 2 * sizeof(uint32_t)];

	memcpy(tmp, a, n);
	memcpy(a, b, n);
	memcpy(b, tmp, n);
}

static uint64_t prefix(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* Whole digests: the first eight octets decide nearly always. */
static bool is_above(const unsigned char *a, const unsigned char *b, size_t octets)
{
	const uint64_t x = prefix(a), y = prefix(b);

	return x != y ? x > y : memcmp(a, b, octets) > 0;
}

/* Few records, each pushed down to its place. */
static void sort_few(unsigned char *rec, size_t n, size_t len, size_t octets)
{
	unsigned char tmp[SIG_DIGEST_MAX + 2 * sizeof(uint32_t)];

	for (size_t i = 1; i < n; i++) {
		size_t to = i;
		while (to > 0 && is_above(rec + (to - 1) * len, rec + i * len, octets))
			to--;
		if (to == i)
			continue;
		memcpy(tmp, rec + i * len, len);
		memmove(rec + (to + 1) * len, rec + to * len, (i - to) * len);
		memcpy(rec + to * len, tmp, len);
	}
}

/* Sorts records in place by their digests, octet by octet from the first
 * (American flag sort): no second copy of hundreds of megabytes. */
static void sort_records(unsigned char *rec, size_t n, size_t len, size_t octet, size_t octets)
{
	if (octet == octets)
		return;
	if (n < FEW) {
		sort_few(rec, n, len, octets);
		return;
	}
	size_t start[256], end[256], at = 0, count[256] = { 0 };
	for (size_t i = 0; i < n; i++)
		count[rec[i * len + octet]]++;
	for (int c = 0; c < 256; c++) {
		start[c] = at;
		at += count[c];
		end[c] = at;
	}
	for (int c = 0; c < 256; c++) {
		for (size_t i = start[c]; i < end[c]; i = start[c]) {
			unsigned char to = rec[i * len + octet];
			if (to != c)
				swap_records(rec + i * len, rec + start[to] * len, len);
			start[to]++;
		}
	}
	for (int c = 0; c < 256; c++)
		sort_records(rec + (end[c] - count[c]) * len, count[c], len, octet + 1, octets);
}

/* Sorted, and its sizes known. */
static int finish_table(struct kind_table *t, enum sig_kind k)
{
	if (t->n == 0)
		return 0;
	unsigned char *rec = realloc(t->rec, t->n * rec_len(k));
	if (rec != NULL)
		t->rec = rec;
	t->cap = t->n;
	sort_records(t->rec, t->n, rec_len(k), 0, sig_digest_len[k]);
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		n += rec_u32(rec_at(t, k, i), k, 0) != SIG_SIZE_ANY;
	t->any_size = n < t->n;
	if (n == 0)
		return 0;
	t->sizes = malloc(n * sizeof *t->sizes);
	if (t->sizes == NULL)
		return -1;
	for (size_t i = 0, w = 0; i < t->n; i++) {
		uint32_t size = rec_u32(rec_at(t, k, i), k, 0);
		if (size != SIG_SIZE_ANY)
			t->sizes[w++] = size;
	}
	qsort(t->sizes, n, sizeof *t->sizes, compare_u32);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || t->sizes[i] != t->sizes[t->nsizes - 1])
			t->sizes[t->nsizes++] = t->sizes[i];
	}
	/* Of millions of signatures they are some ten thousand. */
	uint32_t *sizes = realloc(t->sizes, t->nsizes * sizeof *t->sizes);
	if (sizes != NULL)
		t->sizes = sizes;
	return 0;
}

int sig_table_finish(struct sig_table *d)
{
	for (int k = 0; k < SIG_KIND_COUNT; k++) {
		if (finish_table(&d->t[k], (enum sig_kind)k) < 0)
			return -1;
	}
	return 0;
}

/* ---- looking up -------------------------------------------------------------- */

/* First record whose digest is not below the given one. */
static size_t lower_bound(const struct kind_table *t, enum sig_kind k, const unsigned char *digest)
{
	size_t lo = 0, hi = t->n;
	uint64_t want = prefix(digest), lo_key = 0, hi_key = UINT64_MAX;

	for (unsigned step = 0; lo < hi; step++) {
		size_t mid = lo + (hi - lo) / 2;
		/* Interpolation, and now and then a bisection: a directory that was
		 * made to be uneven costs no more than a binary search twice over. */
		if (step % 4 != 3 && hi_key > lo_key && want >= lo_key && want <= hi_key) {
			double part = (double)(want - lo_key) / (double)(hi_key - lo_key);
			mid = lo + (size_t)(part * (double)(hi - lo - 1));
		}
		const unsigned char *rec = rec_at(t, k, mid);
		if (memcmp(rec, digest, sig_digest_len[k]) < 0) {
			lo = mid + 1;
			lo_key = prefix(rec);
		} else {
			hi = mid;
			hi_key = prefix(rec);
		}
	}
	return lo;
}

const char *sig_table_find(const struct sig_table *d, enum sig_kind k, const unsigned char *digest,
	uint32_t size, bool sized_only)
{
	const struct kind_table *t = &d->t[k];

	for (size_t i = lower_bound(t, k, digest); i < t->n; i++) {
		const unsigned char *rec = rec_at(t, k, i);
		if (memcmp(rec, digest, sig_digest_len[k]) != 0)
			break;
		uint32_t want = rec_u32(rec, k, 0);
		if (want == size || (want == SIG_SIZE_ANY && !sized_only))
			return d->names + rec_u32(rec, k, 1);
	}
	return NULL;
}

bool sig_table_may_have(const struct sig_table *d, enum sig_kind k, uint32_t size, bool sized_only)
{
	const struct kind_table *t = &d->t[k];

	return (t->any_size && !sized_only) || (t->nsizes > 0 && bsearch(&size, t->sizes, t->nsizes,
		sizeof *t->sizes, compare_u32) != NULL);
}
