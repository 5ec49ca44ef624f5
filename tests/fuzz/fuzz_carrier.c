/* fuzz_carrier.c - files in TNEF, forks of a Mac's files, BinHex, Intel HEX, data URIs, and
 * what a file name is in each charset: all within the octets, all walks end, and
 * a name that holds its extension in ASCII is found. Input: octets. */
#include "apple_file.h"
#include "binhex.h"
#include "data_uri.h"
#include "file_ext.h"
#include "fuzz.h"
#include "ihex.h"
#include "name_form.h"
#include "tnef.h"

static void must_lie_in(const void *p, size_t n, const uint8_t *data, size_t size)
{
	const uint8_t *at = p;

	must(at >= data && at <= data + size && n <= (size_t)(data + size - at));
}

static void look_at_tnef(const uint8_t *data, size_t size)
{
	enum tnef_status got;
	struct tnef_item item;
	struct tnef t;
	size_t items = 0;

	if (!tnef_is(data, size))
		return;
	tnef_init(&t, data, size);
	while ((got = tnef_next(&t, &item)) < TNEF_END) {
		must(++items <= size / 4 + 1);
		if (got == TNEF_FILE)
			must_lie_in(item.p, item.n, data, size);
		must(strlen(item.name) < sizeof item.name);
	}
}

static void look_at_forks(const uint8_t *data, size_t size)
{
	struct apple_fork f;
	unsigned i = 0, before = 0;

	for (; apple_file_next(data, size, &i, &f); before = i) {
		must(i > before && f.n > 0);
		must_lie_in(f.p, f.n, data, size);
	}
}

static void look_at_binhex(const uint8_t *data, size_t size)
{
	size_t from = 0, before = 0, n, used, again;
	const char *body;

	while (binhex_find((const char *)data, size, &from, &body, &n)) {
		struct binhex_file f;
		must(from > before && from <= size);
		must_lie_in(body, n, data, size);
		const size_t out_len = binhex_decode(body, n, NULL, &used, NULL);
		must(used <= n && out_len <= 255 * n);
		unsigned char *out = malloc(out_len + 1);
		must(out != NULL && binhex_decode(body, n, out, &again, NULL) == out_len && again == used);
		if (binhex_parse(out, out_len, &f)) {
			must_lie_in(f.data, f.data_len, out, out_len);
			must_lie_in(f.resource, f.resource_len, out, out_len);
			must(strlen(f.name) < sizeof f.name);
		}
		free(out);
		before = from;
		from += used;
	}
}

static void look_at_ihex(const uint8_t *data, size_t size)
{
	struct ihex h, ahead;
	size_t n;

	if (!ihex_init(&h, (const char *)data, size))
		return;
	while (ahead = h, (n = ihex_run(&ahead, NULL, NULL)) > 0) {
		must(n <= size / 2 && ahead.at <= size);
		unsigned char *out = malloc(n);
		must(out != NULL && ihex_run(&h, out, NULL) == n && h.at == ahead.at);
		free(out);
	}
}

static void look_at_uris(const uint8_t *data, size_t size)
{
	struct data_uri u;
	size_t from = 0, before = 0;

	for (; data_uri_find((const char *)data, size, &from, NULL, &u); before = from) {
		must(from > before && from <= size);
		must_lie_in(u.body, u.body_len, data, size);
		char *out = malloc(u.body_len + 1);
		must(out != NULL && data_uri_unescape(u.body, u.body_len, out, NULL) <= u.body_len);
		free(out);
	}
}

static void look_at_name(const uint8_t *data, size_t size)
{
	char form[NAME_FORM_MAX], ext[FILE_EXT_MAX], *name = malloc(size + 5);

	must(name != NULL);
	if (size > 0)
		memcpy(name, data, size);
	name[size] = '\0';
	for (unsigned f = 0; f < NAME_FORM_COUNT; f++) {
		name_form_make(f, name, form);
		must(strlen(form) < sizeof form);
	}
	file_ext_check("exe:tar.gz", name, ext);
	const size_t n = strlen(name);
	/* An octet in front may take the dot for its second one in no charset. */
	memcpy(name + n, ".exe", 5);
	must(file_ext_check("exe:tar.gz", name, ext) != FILE_EXT_OTHER);
	free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look_at_tnef(data, size);
	look_at_forks(data, size);
	look_at_binhex(data, size);
	look_at_ihex(data, size);
	look_at_uris(data, size);
	look_at_name(data, size);
	return 0;
}
