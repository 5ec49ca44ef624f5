/* check_carriers.c - TNEF, files of a Mac, BinHex and data URIs: what is in
 * them, whole, cut off anywhere, and of any octets. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apple_file.h"
#include "binhex.h"
#include "data_uri.h"
#include "ihex.h"
#include "pace.h"
#include "tnef.h"
#include "unit.h"

/* In a room of its own size, so that what is read behind it is noticed. */
static unsigned char *exact(const void *p, size_t n)
{
	unsigned char *copy = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	return copy;
}

/* All that a walk gives, in one line; every octet of it is looked at. */
static char told[4096];
static unsigned sum;

static void tell(const char *what, const void *p, size_t n)
{
	const unsigned char *octets = p;
	const size_t w = strlen(told);

	for (size_t i = 0; i < n; i++)
		sum += octets[i];
	snprintf(told + w, sizeof told - w, "%s[%.*s] ", what, n < 100 ? (int)n : 100, (const char *)p);
}

/* ---- TNEF -------------------------------------------------------------------- */

static enum tnef_status tnef_all(const void *p, size_t n)
{
	enum tnef_status got = TNEF_BROKEN;
	struct tnef_item item;
	struct tnef t;
	unsigned char *data = exact(p, n);

	told[0] = '\0';
	if (tnef_is(data, n)) {
		tnef_init(&t, data, n);
		while ((got = tnef_next(&t, &item)) < TNEF_END)
			tell(got == TNEF_FILE ? "F" : "N", got == TNEF_FILE ? (const char *)item.p : item.name,
				got == TNEF_FILE ? item.n : strlen(item.name));
	}
	free(data);
	return got;
}

#define TNEF_HEAD "\x78\x9f\x3e\x22\1\0"
#define ATTR(level, id, n) level id n "\0\0\0"
#define SUM "ss"
static const char tnef[] = TNEF_HEAD
	ATTR("\1", "\x06\x90\x08\0", "\4") "\0\0\1\0" SUM
	ATTR("\2", "\x10\x80\1\0", "\6") "a.txt\0" SUM
	ATTR("\2", "\x0f\x80\6\0", "\5") "first" SUM
	ATTR("\2", "\x05\x90\6\0", "\x84") "\5\0\0\0"
		"\3\0" "\x21\x0e" "\7\0\0\0"
		"\x1f\0" "\7\x37" "\1\0\0\0\x0c\0\0\0" "\xfc\0.\0=\xd8\0\xde" "b\0\0\0"
		"\x02\x11" "\3\x80" "GUIDGUIDGUIDGUID" "\1\0\0\0" "\3\0\0\0" "n\0_\0"
			"\2\0\0\0" "\1\0\0\0" "x_\0_" "\0\0\0\0"
		"\5\0" "\1\1" "eight___"
		"\x0d\0" "\1\x37" "\1\0\0\0" "\x16\0\0\0" "IIDIIDIIDIIDIID_second__" SUM;

START_TEST(tnef_whole)
{
	ck_assert_int_eq(tnef_all(tnef, sizeof tnef - 1), TNEF_END);
	ck_assert_str_eq(told, "N[a.txt] F[first] N[\u00fc.\U0001f600b] F[second] ");
}
END_TEST

START_TEST(tnef_cut_off)
{
	unsigned whole = 0;

	for (size_t n = 0; n < sizeof tnef - 1; n++)
		whole += tnef_all(tnef, n) == TNEF_END;
	ck_assert_uint_eq(whole, 4); /* its head, and behind each attribute */
}
END_TEST

/* Names longer than there is room: the end of them. */
START_TEST(tnef_long_name)
{
	char d[1000] = TNEF_HEAD ATTR("\2", "\x10\x80\1\0", "\0");
	const size_t n = 600, head = 15;

	d[11] = (char)(n & 0xff);
	d[12] = (char)(n >> 8);
	memset(d + head, 'a', n);
	memcpy(d + head + n - 5, ".exe", 5);
	ck_assert_int_eq(tnef_all(d, head + n + 2), TNEF_END);
	ck_assert(strlen(told) < 300);
	struct tnef t;
	struct tnef_item item;
	tnef_init(&t, d, head + n + 2);
	ck_assert_int_eq(tnef_next(&t, &item), TNEF_NAME);
	ck_assert_str_eq(item.name + strlen(item.name) - 5, "a.exe");
}
END_TEST

/* ---- files of a Mac -------------------------------------------------------------- */

static unsigned apple_all(const void *p, size_t n)
{
	struct apple_fork f;
	unsigned char *data = exact(p, n);
	unsigned i = 0, forks = 0;

	told[0] = '\0';
	for (; apple_file_next(data, n, &i, &f); forks++)
		tell(f.is_name ? "N" : "F", f.p, f.n);
	free(data);
	return forks;
}

static const char single[] = "\0\5\x16\0\0\2\0\0" "________________" "\0\4"
	"\0\0\0\3" "\0\0\0\x4a" "\0\0\0\5" "\0\0\0\x09" "\0\0\0\x4a" "\0\0\0\5"
	"\0\0\0\2" "\0\0\0\x4f" "\0\0\0\0" "\0\0\0\1" "\0\0\0\x4f" "\0\0\0\4" "a.txtdata";

START_TEST(apple_single)
{
	char d[sizeof single];
	const size_t n = sizeof single - 1;

	ck_assert_uint_eq(apple_all(single, n), 2);
	ck_assert_str_eq(told, "N[a.txt] F[data] ");
	memcpy(d, single, n);
	d[3] = 7;
	ck_assert_uint_eq(apple_all(d, n), 2);
	d[3] = 8;
	ck_assert_uint_eq(apple_all(d, n), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert(apple_all(single, i) <= 2);
	ck_assert_uint_eq(apple_all(single, n - 2), 2);
	ck_assert_str_eq(told, "N[a.txt] F[da] ");
}
END_TEST

START_TEST(mac_binary)
{
	char d[128 + 128 + 10] = "\0\5a.txt";

	d[86] = 3;                   /* the data */
	d[90] = 4;                   /* the resources, at the next 128 */
	memcpy(d + 128, "abc", 3);
	memcpy(d + 256, "rsrc", 4);
	ck_assert_uint_eq(apple_all(d, sizeof d), 3);
	ck_assert_str_eq(told, "N[a.txt] F[abc] F[rsrc] ");
	for (size_t i = 0; i < sizeof d; i++)
		ck_assert(apple_all(d, i) <= 3);
	d[83] = 1;                   /* more than there is, as far as it goes */
	ck_assert_uint_eq(apple_all(d, 128 + 3), 2);
	ck_assert_str_eq(told, "N[a.txt] F[abc] ");
	d[83] = d[86] = d[90] = 0;
	ck_assert_uint_eq(apple_all(d, sizeof d), 0);
	d[86] = 3;
	d[82] = 1;
	ck_assert_uint_eq(apple_all(d, sizeof d), 0);
	d[82] = 0;
	d[1] = 64;
	ck_assert_uint_eq(apple_all(d, sizeof d), 0);
	d[1] = 6;                    /* a NUL in the name */
	ck_assert_uint_eq(apple_all(d, sizeof d), 0);
}
END_TEST

/* ---- BinHex ---------------------------------------------------------------------- */

static unsigned binhex_all(const void *p, size_t len)
{
	char *text = (char *)exact(p, len);
	size_t from = 0, n, used, again;
	const char *body;
	unsigned files = 0;

	told[0] = '\0';
	while (binhex_find(text, len, &from, &body, &n)) {
		ck_assert(body >= text && body + n == text + len && n > 0);
		const size_t size = binhex_decode(body, n, NULL, &used, NULL);
		ck_assert(used <= n);
		unsigned char *out = malloc(size + 1);
		ck_assert_uint_eq(binhex_decode(body, n, out, &again, NULL), size);
		ck_assert_uint_eq(used, again);
		unsigned char *tight = exact(out, size);
		struct binhex_file f;
		if (binhex_parse(tight, size, &f)) {
			files++;
			tell("N", f.name, strlen(f.name));
			tell("F", f.data, f.data_len);
			tell("R", f.resource, f.resource_len);
		}
		free(tight);
		free(out);
		from += used;
	}
	ck_assert_uint_eq(from, len);
	free(text);
	return files;
}

static char *binhex_of(const char *plain, size_t n, const char *before)
{
	static const char abc[] = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
	static char out[1000];
	size_t w = (size_t)snprintf(out, sizeof out, "%s:", before);

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)(unsigned char)plain[i] << 16;
		v |= i + 1 < n ? (unsigned)(unsigned char)plain[i + 1] << 8 : 0;
		v |= i + 2 < n ? (unsigned)(unsigned char)plain[i + 2] : 0;
		for (unsigned k = 0; k < 4; k++)
			out[w++] = abc[v >> (18 - 6 * k) & 63];
		out[w++] = '\n';
	}
	out[w++] = ':';
	out[w] = '\0';
	return out;
}

static const char hexed[] = "\5a.txt\0TEXTttxt\0\0\0\0\0\6\0\0\0\4cca\x90\4\x90\0z" "ccrsrccc";

START_TEST(binhex)
{
	static const char *const before[] = { "", "\r\n \t", "(This file must be converted with BinHex 4.0)\n",
		"text\n(THIS FILE MUST BE CONVERTED WITH BINHEX 4.0)\r\n\r\n" };

	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
		char *text = binhex_of(hexed, sizeof hexed - 1, before[i]);
		ck_assert_uint_eq(binhex_all(text, strlen(text)), 1);
		ck_assert_str_eq(told, "N[a.txt] F[aaaa\x90z] R[rsrc] ");
		for (size_t n = 0; n < strlen(text); n++)
			ck_assert(binhex_all(text, n) <= 1);
	}
	char *text = binhex_of(hexed, sizeof hexed - 1, "text\n");
	ck_assert_uint_eq(binhex_all(text, strlen(text)), 0);
	char two[2000];
	snprintf(two, sizeof two, "%s\n", binhex_of(hexed, sizeof hexed - 1, before[2]));
	snprintf(two + strlen(two), sizeof two - strlen(two), "%s", binhex_of(hexed, sizeof hexed - 1, before[2]));
	ck_assert_uint_eq(binhex_all(two, strlen(two)), 2);
}
END_TEST

/* Cut off anywhere, and the sizes are lies. */
START_TEST(binhex_cut_off)
{
	static const char plain[] = "\5a.txt\0TEXTttxt\0\0\0\0\0\6\0\0\0\4ccabcdefccrsrccc";
	struct binhex_file f;

	for (size_t n = 0; n < sizeof plain; n++) {
		unsigned char *p = exact(plain, n);
		ck_assert(binhex_parse(p, n, &f) == (n >= 27));
		if (n >= 27) {
			ck_assert(f.data == p + 27 && f.data_len == (n < 33 ? n - 27 : 6));
			ck_assert(f.resource + f.resource_len <= p + n);
			ck_assert_uint_eq(f.resource_len, n < 35 ? 0 : n < 39 ? n - 35 : 4);
		}
		free(p);
	}
}
END_TEST

/* ---- Intel HEX ------------------------------------------------------------------ */

static void ihex_all(const char *text, size_t len)
{
	char *p = (char *)exact(text, len);
	struct ihex h, again;
	size_t n;

	told[0] = '\0';
	ihex_init(&h, p, len);
	while (again = h, (n = ihex_run(&again, NULL, NULL)) > 0) {
		unsigned char *out = malloc(n);
		ck_assert_uint_eq(ihex_run(&h, out, NULL), n);
		ck_assert(h.at == again.at && h.at <= len && n <= len / 2);
		tell("R", out, n);
		free(out);
	}
	free(p);
}

START_TEST(ihex)
{
	static const struct { const char *text, *want; } rows[] = {
		{ ":01000000619E", "R[a] " }, { "\r\n :01000000619e\n:00000001FF\r\n", "R[a] " },
		{ ":01000000619F", "" }, { ":01000000619", "" }, { ":010000066198", "" }, { "text", "" },
		{ ":01000000619E\n:01000100629C\n", "R[ab] " },
		{ ":01000000619E\n:01000200629B\n:010003006399\n", "R[a] R[bc] " },
		/* the end of 64 KiB, and what the next counts from */
		{ ":01FFFF0061A0\n:020000040001F9\n:01000000629D\n", "R[ab] " },
		{ ":020000040001F9\n:01FFFF0061A0\n:020000021000EC\n:01FFFF00629F\n", "R[a] R[b] " },
		{ ":01000000619E\n:00000001FF\n:01000100629C\ntext:010003006399\n", "R[ab] " },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ihex h;
		ihex_all(rows[i].text, strlen(rows[i].text));
		ck_assert_msg(strcmp(told, rows[i].want) == 0, "row %zu: %s", i, told);
		ck_assert(ihex_init(&h, rows[i].text, strlen(rows[i].text)) == (rows[i].want[0] != '\0'));
		for (size_t n = 0; n < strlen(rows[i].text); n++)
			ihex_all(rows[i].text, n);
	}
}
END_TEST

/* ---- data URIs ------------------------------------------------------------------ */

static unsigned uris(const void *p, size_t len)
{
	char *text = (char *)exact(p, len), out[1000];
	struct data_uri u;
	size_t from = 0;
	unsigned n = 0;

	told[0] = '\0';
	for (; data_uri_find(text, len, &from, NULL, &u); n++) {
		ck_assert(u.body >= text && u.body + u.body_len <= text + len && u.body_len < sizeof out);
		tell("T", u.type, strlen(u.type));
		tell(u.has_escapes ? "E" : "B", out, data_uri_unescape(u.body, u.body_len, out, NULL));
	}
	ck_assert_uint_eq(from, len);
	free(text);
	return n;
}

START_TEST(data_uris)
{
	static const struct { const char *text, *told; } rows[] = {
		{ "x data:image/png;base64,QUJD\"", "T[image/png] B[QUJD] " },
		{ "DATA:;BASE64,QUJD' data:a/b;charset=x;base64,QQ==)", "T[] B[QUJD] T[a/b] B[QQ==] " },
		{ "data:a/b; base64 ,QU\r\n JD<", "T[a/b] B[QU\r\n JD] " },
		{ "data:a/b;base64,QU%4a%44%3D&", "T[a/b] E[QUJD=] " },
		{ "data:a/b;base64,QU%4", "T[a/b] E[QU%4] " },
		{ "data:a/b;base64,", "T[a/b] B[] " },
		{ "data:a/b,QUJD data:base64,QUJD data:a/b;base6,QUJD data:a/b;base64x,QUJD", "" },
		{ "data: is what base64, it is; data:", "" },
		{ "data:data:a/b;base64,QUJD", "T[data:a/b] B[QUJD] " },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uris(rows[i].text, strlen(rows[i].text));
		ck_assert_msg(strcmp(told, rows[i].told) == 0, "row %zu: %s", i, told);
		for (size_t n = 0; n < strlen(rows[i].text); n++)
			uris(rows[i].text, n);
	}
}
END_TEST

/* ---- any octets ------------------------------------------------------------------- */

START_TEST(any_octets)
{
	static const struct { const char *p; size_t n; } seeds[] = { { tnef, sizeof tnef - 1 },
		{ single, sizeof single - 1 }, { hexed, sizeof hexed - 1 } };
	unsigned char d[300];

	srand(5);
	for (int i = 0; i < 6000; i++) {
		const size_t k = (size_t)i % 3, n = seeds[k].n - (size_t)rand() % 8;
		memcpy(d, seeds[k].p, n);
		for (int changes = rand() % 6; changes >= 0; changes--)
			d[6 + (size_t)rand() % (n - 6)] = (unsigned char)rand();
		tnef_all(d, n);
		apple_all(d, n);
		char *text = binhex_of((char *)d, n, "");
		text[(size_t)rand() % strlen(text)] = (char)rand();
		binhex_all(text, strlen(text));
		uris(d, n);
	}
}
END_TEST

static bool stops_at_once(void *arg)
{
	++*(unsigned *)arg;
	return false;
}

static char *repeat(const char *head, const char *piece, size_t len)
{
	const size_t k = strlen(piece), n = strlen(head);
	char *p = malloc(len + 1);

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < len; i++)
		p[i] = i < n ? head[i] : piece[(i - n) % k];
	p[len] = '\0';
	return p;
}

/* Nobody waits for it any more: it ends within a piece. */
START_TEST(ends_early)
{
	const size_t len = 3 * PACE_OCTETS;
	unsigned asked = 0;
	const struct pace pace = { .go_on = stops_at_once, .arg = &asked };
	struct pace p = pace;
	struct data_uri u;
	size_t used, from = 0;

	char *text = repeat("", "!\"#$%&", len), *out = malloc(len + 1);
	binhex_decode(text, len, NULL, &used, &p);
	ck_assert_uint_eq(used, PACE_OCTETS - 1);
	free(text);
	text = repeat("data:;base64,", "%41", len);
	p = pace;
	ck_assert(data_uri_find(text, len, &from, &p, &u));
	ck_assert_uint_lt(u.body_len, PACE_OCTETS);
	p = pace;
	ck_assert_uint_lt(data_uri_unescape(text, len, out, &p), PACE_OCTETS);
	ck_assert_uint_eq(asked, 3);
	ck_assert(!pace_on(&p, 0));
	free(text);
	free(out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("carriers");
	TCase *t = tcase_create("carriers");

	suite_add_tcase(s, t);
	tcase_add_test(t, tnef_whole);
	tcase_add_test(t, tnef_cut_off);
	tcase_add_test(t, tnef_long_name);
	tcase_add_test(t, apple_single);
	tcase_add_test(t, mac_binary);
	tcase_add_test(t, binhex);
	tcase_add_test(t, binhex_cut_off);
	tcase_add_test(t, ihex);
	tcase_add_test(t, data_uris);
	tcase_add_test(t, any_octets);
	tcase_add_test(t, ends_early);
	return unit_run(s);
}
