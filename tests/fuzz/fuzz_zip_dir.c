/* fuzz_zip_dir.c - the tables of a zip file, the header of a 7z, headers of tar
 * and of what stands behind a program: places lie within the octets, searches
 * end, and what is plain agrees. Input: octets. */
#include "fuzz.h"
#include "magic.h"
#include "zip_dir.h"

static void look_at_ends(const char *d, size_t n)
{
	size_t from = n, before = n + 1, end, count;
	bool has_dir;

	while (zip_dir_prev_end(d, n, &from, &end, &has_dir)) {
		must(from < before && end <= n && end == from + 22);
		before = from;
		const bool agrees = zip_dir_agrees(d, end, &count);
		must(!agrees || (has_dir && count > 0 && count <= n / 46));
		const bool is_lost = zip_dir_is_lost(d, n, end, false);
		must(!is_lost || !has_dir);
		must(!zip_dir_is_lost(d, n, end, true) || is_lost);
	}
	if (zip_dir_is_plain(d, n, &end)) {
		must(end <= n);
		must(zip_dir_agrees(d, end, &count));
	}
}

static void look_at_names(const char *d, size_t n)
{
	size_t from = 0, at, k, before = 0;
	const char *name;

	for (; zip_dir_next_local(d, n, &from, &at); before = from) {
		must(at >= before && at < from && from <= n);
		must(!zip_dir_link_is(d, n, at, "x") || n - at > 30);
	}
	for (from = before = 0; zip_dir_next_name(d, n, &from, &name, &k); before = from)
		must(from > before && name >= d && k > 0 && name + k <= d + n);
	for (from = before = 0; zip_dir_next_other_name(d, n, &from, &name, &k); before = from)
		must(from > before && name >= d && k > 0 && name + k <= d + n);
}

static void look_inside(const char *d, size_t n)
{
	static const enum magic_format kinds[] = { MAGIC_RAR, MAGIC_RAR5, MAGIC_7Z, MAGIC_CAB,
		MAGIC_LHA };
	uint64_t left = UINT64_MAX;
	size_t from, at, before;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (from = before = 1; n > 0 && magic_inside(kinds[i], d, n, &from, &at, &left); before = from)
			must(from > before && from <= n && at < n);
	for (from = 1; n > 0 && magic_tar_behind(d, n, &from, &at, &left);)
		must(at < n && from > at && from <= n && magic_is_tar(d + at, n - at));
	magic_tar_head_is_plain(d, n);
	magic_goes_on(d, n);
}

/* The octets as the header of a 7z, right behind its first one. */
static void look_at_7z(const uint8_t *d, size_t n)
{
	uint8_t *p = malloc(32 + n);

	must(p != NULL);
	memset(p, 0, 32);
	memcpy(p, "7z\xbc\xaf\x27\x1c\0\4", 8);
	for (unsigned i = 0; i < 4; i++)
		p[20 + i] = (uint8_t)(n >> (8 * i));
	if (n > 0)
		memcpy(p + 32, d, n);
	const bool is_bounded = magic_7z_is_bounded(p, 32 + n);
	must(is_bounded || (n > 0 && (d[0] == 0x17 || n > 1u << 19)));
	magic_is_7z(p, 32 + n);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *d = (const char *)data;
	struct magic m[MAGIC_MAX];
	char name[64];

	must(magic_at_start(data, size, m) <= MAGIC_MAX);
	look_at_ends(d, size);
	look_at_names(d, size);
	look_inside(d, size);
	look_at_7z(data, size);
	magic_7z_is_bounded(data, size);
	must(magic_stream_end(MAGIC_XZ, data, size) <= size);
	must(magic_stream_end(MAGIC_ZSTD, data, size) <= size);
	magic_gzip_name(data, size, name, sizeof name);
	must(strlen(name) < sizeof name);
	return 0;
}
