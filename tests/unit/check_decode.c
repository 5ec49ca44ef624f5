/* check_decode.c - transfer encodings: tables of what mail
 * programs send and what hostile ones send, each fed whole, octet by octet
 * and cut at random; what we encode ourselves comes back; nothing is ever
 * written beyond the room that decode.h promises. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "decode_run.h"
#include "split.h"
#include "unit.h"

#define GUARD 0xa5

struct got {
	unsigned char *data;
	size_t n;
	bool bad;
	unsigned others;
};

/* Each piece is decoded into a block of just the promised size. */
static size_t push_guarded(struct decode *d, const void *in, size_t n, unsigned char *out)
{
	unsigned char *piece = malloc(n + DECODE_HELD), *copy = malloc(n + (n == 0));

	need(piece != NULL && copy != NULL);
	memcpy(copy, in, n);
	memset(piece, GUARD, n + DECODE_HELD);
	size_t w = decode_push(d, copy, n, piece);
	need(w <= n + DECODE_HELD);
	memcpy(out, piece, w);
	free(piece);
	free(copy);
	return w;
}

static struct got decode_all(enum decode_kind kind, const void *in, size_t n, unsigned mode)
{
	struct split cut = split_init(mode);
	struct got g = { malloc(2 * n + 2 * DECODE_HELD), 0, false, 0 };
	unsigned char last[DECODE_HELD];
	struct decode d;

	need(g.data != NULL);
	decode_init(&d, kind);
	for (size_t at = 0; at < n;) {
		size_t k = split_next(&cut, n - at);
		g.n += push_guarded(&d, (const char *)in + at, k, g.data + g.n);
		need(g.n <= n + DECODE_HELD);
		at += k;
	}
	size_t k = decode_end(&d, last);
	need(k <= sizeof last);
	memcpy(g.data + g.n, last, k);
	g.n += k;
	g.bad = d.bad;
	g.others = d.others;
	return g;
}

static void check_text(enum decode_kind kind, const char *in, size_t n, const char *out,
	size_t out_n, bool bad)
{
	for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
		struct got g = decode_all(kind, in, n, mode);
		ck_assert_msg(g.n == out_n && memcmp(g.data, out, out_n) == 0,
			"mode %u: \"%.*s\" gave %zu \"%.*s\", not %zu \"%.*s\"", mode, (int)n, in,
			g.n, (int)g.n, (const char *)g.data, out_n, (int)out_n, out);
		ck_assert_msg(g.bad == bad, "mode %u: \"%.*s\": bad %d", mode, (int)n, in, g.bad);
		free(g.data);
	}
}

struct row {
	const char *in, *out;
	bool bad;
};

#define RUN(kind, rows) do { \
	for (size_t i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++) \
		check_text((kind), (rows)[i_].in, strlen((rows)[i_].in), (rows)[i_].out, \
			strlen((rows)[i_].out), (rows)[i_].bad); \
} while (0)

START_TEST(base64_table)
{
	static const struct row rows[] = {
		{ "", "", false },
		{ "QUJD", "ABC", false },
		{ "QUJDRA==", "ABCD", false },
		{ "QUJDREU=", "ABCDE", false },
		{ "QUJD\r\nREVG\r\n", "ABCDEF", false },
		{ "Q U\tJ\nD", "ABC", false },
		{ "QUJDRA", "ABCD", false },          /* no padding */
		{ "QUJDREU", "ABCDE", false },
		{ "QUJDR", "ABC", true },             /* six bits are no octet */
		{ "QUJD=", "ABC", false },
		{ "=QUJD", "ABC", false },
		{ "====", "", false },
		{ "QUI=QUI=", "ABAB", false },        /* blocks one behind the other */
		{ "QQ==QQ==\r\nQQ==", "AAA", false },
		{ "QQ=QUJD", "AABC", false },         /* padding half missing */
		{ "Q=QUJD", "ABC", true },
		{ "Q!U*J-D", "ABC", true },           /* junk between */
		{ "!!!!QUJD", "ABC", true },
		{ "QUJ\xc3\xa4" "D", "ABC", true },
		{ "QUJD-_-_", "ABC", true },          /* not the URL alphabet */
		{ "+/+/", "\xfb\xff\xbf", false },
		{ "//8=", "\xff\xff", false },
		{ "Q\nU\nJ\nD\nQUJDQUJD\nQ\nUJD", "ABCABCABCABC", false },
	};
	RUN(DECODE_BASE64, rows);
	check_text(DECODE_BASE64, "QU\0JD", 5, "ABC", 3, true);
	check_text(DECODE_BASE64, "AAAA", 4, "\0\0\0", 3, false);
}
END_TEST

START_TEST(qp_table)
{
	static const struct row rows[] = {
		{ "", "", false },
		{ "plain text", "plain text", false },
		{ "=41=42=43", "ABC", false },
		{ "=c3=A4=C3=a4", "\xc3\xa4\xc3\xa4", false },
		{ "a=3Db", "a=b", false },
		{ "one=\r\ntwo", "onetwo", false },
		{ "one=\ntwo", "onetwo", false },
		{ "one=\rtwo", "onetwo", false },
		{ "one=  \t\r\ntwo", "onetwo", false },  /* blanks behind a soft break */
		{ "one  =\r\ntwo", "one  two", false },
		{ "one  \r\ntwo\t\n", "one\r\ntwo\n", false }, /* blanks before a line end */
		{ "one  two", "one  two", false },
		{ "a=k", "a=k", true },                  /* a lone '=' stays */
		{ "a=zz", "a=zz", true },
		{ "a=4", "a=4", false },
		{ "a=4z", "a=4z", true },
		{ "a==41", "a=A", true },
		{ "a=4=41", "a=4A", true },
		{ "a=  b", "a=  b", true },
		{ "a=", "a", false },                    /* its line end went to the boundary */
		{ "a=  ", "a", false },
		{ "a=\r", "a", false },
		{ "a=\r=42", "aB", false },
		{ "a=\r\r\nb", "a\r\nb", false },
		{ "a  ", "a  ", false },
		{ "\r\n=\r\n\r\n", "\r\n\r\n", false },
	};
	RUN(DECODE_QP, rows);
	check_text(DECODE_QP, "a\0=00b", 6, "a\0\0b", 4, false);
}
END_TEST

/* More blanks than the decoder can hold: they count as text then. */
START_TEST(qp_many_blanks)
{
	char in[300], out[300];

	for (size_t n = 1; n < 200; n++) {
		memset(in, ' ', sizeof in);
		memset(out, ' ', sizeof out);
		in[n] = out[n] = 'x';
		check_text(DECODE_QP, in, n + 1, out, n + 1, false);
		in[0] = '=';
		struct got g = decode_all(DECODE_QP, in, n + 1, SPLIT_WHOLE);
		ck_assert_uint_eq(g.n, n + 1);
		ck_assert(memcmp(g.data, in, n + 1) == 0);
		free(g.data);
	}
}
END_TEST

START_TEST(uu_table)
{
	static const struct row rows[] = {
		{ "#0V%T\n`\nend\n", "Cat", false },
		{ "#0V%T\r\n`\r\nend\r\n", "Cat", false },
		{ "#0V%T\r`\rend\r", "Cat", false },
		{ "#0V%T\nend\n#0V%T\n", "Cat", false },   /* nothing behind the end */
		{ "#0V%T\n#0V%T\n", "CatCat", false },      /* no end */
		{ "#0V%T", "Cat", false },
		{ "!00\n", "A", false },                    /* one octet, padding left out */
		{ "!00``\n", "A", false },
		{ "\"04(`\n", "AB", false },
		{ "\"04(\n", "AB", false },
		{ "#0V%Tx\n", "Cat", false },               /* a check character behind */
		{ "\n\n#0V%T\n", "Cat", false },
		{ " \n#0V%T\n", "Cat", false },
		{ "xyz\n#0V%T\n", "Cat", false },           /* no count: no data */
		{ "else\n#0V%T\nendx\n#0V%T\nend", "CatCat", true },
	};
	RUN(DECODE_UU, rows);
	check_text(DECODE_UU, "#````\n", 6, "\0\0\0", 3, false);
	check_text(DECODE_UU, "#    \n", 6, "\0\0\0", 3, false);
	check_text(DECODE_UU, "$0V%T\nend\n", 10, "Cat\0", 4, false); /* blanks lost */
	check_text(DECODE_UU, "&0V%T\n", 6, "Cat\0\0\0", 6, false);
	check_text(DECODE_UU, ")0V%T\n", 6, "Cat\0\0\0", 6, true); /* too many lost */
}
END_TEST

START_TEST(yenc_table)
{
	static const struct row rows[] = {
		{ "", "", false },
		{ "kl\r\nm\n", "ABC", false },
		{ "=ybegin line=128 size=3 name=x\r\nk=\xacm\r\n=yend size=3\r\n", "ABC", false },
		{ "=ypart begin=1 end=2\nk", "A", false },
		{ "k=y", "A\x0f", false },
		{ "..k", "\x04\x04" "A", false },
		{ "k=", "A", false },
	};
	RUN(DECODE_YENC, rows);
}
END_TEST

/* What reading 0 says of the others, and what these give (NULL: the same). */
struct reading_row {
	enum decode_kind kind;
	const char *in, *out[DECODE_READINGS];
};

static void check_reading(const struct reading_row *row, unsigned reading, unsigned mode,
	unsigned *others_out)
{
	const char *want = row->out[reading] != NULL ? row->out[reading] : row->out[0];
	struct split cut = split_init(mode);
	unsigned char out[1024];
	size_t n = strlen(row->in), w = 0;
	struct decode d;

	decode_init(&d, row->kind);
	d.reading = reading;
	for (size_t at = 0; at < n;) {
		size_t k = split_next(&cut, n - at);
		w += push_guarded(&d, row->in + at, k, out + w);
		at += k;
	}
	w += decode_end(&d, out + w);
	ck_assert_msg(w == strlen(want) && memcmp(out, want, w) == 0,
		"mode %u reading %u: \"%s\" gave \"%.*s\", not \"%s\"", mode, reading, row->in,
		(int)w, (const char *)out, want);
	*others_out = d.others;
}

START_TEST(readings)
{
#define BLANKS_79 "                                        " \
	"                                       "
#define DIGITS_10 "0123456789"
#define DIGITS_50 DIGITS_10 DIGITS_10 DIGITS_10 DIGITS_10 DIGITS_10
#define DIGITS_120 DIGITS_50 DIGITS_50 DIGITS_10 DIGITS_10
#define DIGITS_250 DIGITS_120 DIGITS_120 DIGITS_10
	static const struct reading_row rows[] = {
		{ DECODE_BASE64, "QUJD\r\n", { "ABC", NULL, NULL, NULL } },
		{ DECODE_BASE64, "QUI=\r\n", { "AB", NULL, NULL, NULL } },
		{ DECODE_BASE64, "QUI=QUJD", { "ABABC", "AB", "AB\x10P\x90", NULL, NULL, "AB" } },
		{ DECODE_BASE64, "QQ==\r\n", { "A", NULL, NULL, NULL, NULL, NULL } },
		{ DECODE_BASE64, "QQ==QQ==", { "AA", "A", "A\x04\x10", NULL, NULL, "A" } },
		{ DECODE_BASE64, "Q===REVG", { "DEF", "", "A\x11\x15", NULL, "@DEF",
		  "A\x11\x15" } },
		{ DECODE_BASE64, "Q=UJDREU=QUJD", { "P\x90\xd1\x11" "ABC", "",
		  "ABCDE\x10P\x90", NULL, "@\x05\x0d\x11\x14\x01\x05", "ABCDE" } },
		{ DECODE_BASE64, "QUI=\r\n-- \r\n", { "AB", NULL, NULL, NULL } },
		{ DECODE_BASE64, "QUJD\r\n_\r\nQUJD", { "ABCABC", NULL, NULL, "ABC" } },
		{ DECODE_BASE64, "QUI_QUJD", { "AB\x10P\x90", NULL, NULL, "AB" } },
		{ DECODE_BASE64, "QUI=_Q=UJD", { "ABP\x90", "AB", "AB\x10P\x90", "AB",
		  "AB@\x05", "AB" } },
		{ DECODE_QP, "a=\r\nb \r\n", { "ab\r\n", NULL, NULL, "ab \r\n" } },
		{ DECODE_QP, "a=\r\r\nb", { "a\r\nb", "ab", "ab", NULL, "ab", "ab" } },
		{ DECODE_QP, "a=" BLANKS_79 "  \r\nb",
		  { "a=" BLANKS_79 "\r\nb", "ab", "ab", "a=" BLANKS_79 "  \r\nb",
		  "a=" BLANKS_79 "  \nb", "ab" } },
		{ DECODE_QP, "a" BLANKS_79 " b", { "a" BLANKS_79 " b", "a" BLANKS_79 "b" } },
		{ DECODE_QP, "a" BLANKS_79 "b", { "a" BLANKS_79 "b" } },
		{ DECODE_QP, "a" BLANKS_79 "  \nb",
		  { "a" BLANKS_79 " \nb", "a\nb", NULL, "a" BLANKS_79 "  \nb", NULL, "a\nb" } },
		{ DECODE_QP, "a=\v\r\nb", { "a=\v\r\nb", NULL, "ab", NULL, NULL, "ab" } },
		{ DECODE_QP, "a= \f\t\nb",
		  { "a= \f\nb", NULL, "ab", "a= \f\t\nb", "a= \f\t\nb", "ab" } },
		{ DECODE_QP, "a=\v", { "a=\v", NULL, "a", "a" } },
		{ DECODE_QP, "a=\vb", { "a=\vb" } },
		{ DECODE_QP, "a\v\r\nb\f \nc\vd\v",
		  { "a\v\r\nb\f\nc\vd\v", NULL, "a\r\nb\nc\vd\v", "a\v\r\nb\f \nc\vd\v", NULL,
		  "a\nb\nc\vd\v" } },
		{ DECODE_QP, "a=\r\t\nb", { "a\nb", NULL, "ab", "a\t\nb", "ab", "ab" } },
		{ DECODE_QP, "a=\r\v\r\nb", { "a\v\r\nb", NULL, "ab", NULL, "ab", "ab" } },
		{ DECODE_QP, "a=\rb=\nc", { "abc", NULL, "a=\rbc", NULL, "ac", "a=\rbc" } },
		{ DECODE_QP, "a=\r\r\t\nb", { "a\r\nb", "a\nb", "ab", "a\r\t\nb", "ab", "ab" } },
		{ DECODE_QP, "a=" BLANKS_79 "  \r\t\nb",
		  { "a=" BLANKS_79 "\r\nb", "a\nb", "ab", "a=" BLANKS_79 "  \r\t\nb",
		  "a=" BLANKS_79 "  \r\t\nb", "ab" } },
		{ DECODE_QP, "a=\v" BLANKS_79 "  \nb",
		  { "a=\v" BLANKS_79 " \nb", "a=\v\nb", "ab", "a=\v" BLANKS_79 "  \nb",
		  "a=\v" BLANKS_79 "  \nb", "ab" } },
		{ DECODE_QP, "a=\rjunk\nb",
		  { "ajunk\nb", NULL, "a=\rjunk\nb", NULL, "ab", "a=\rjunk\nb" } },
		{ DECODE_QP, "a=\rj\rk", { "aj\rk", NULL, "a=\rj\rk", NULL, "a", "a=\rj\rk" } },
		{ DECODE_QP, "a==41=\nb", { "a=Ab", NULL, NULL, "a==41b", "a=41b" } },
		{ DECODE_QP, "a=X=41=4=41=\r=42",
		  { "a=XA=4AB", NULL, "a=XA=4A=\rB", "a=X=41=4=41B", "a=XA=4A", "a=XA=4A=\rB" } },
		{ DECODE_QP, "a=4x=41", { "a=4xA" } },
		{ DECODE_QP, "a \r\nb\t\nc", { "a\r\nb\nc", NULL, NULL, "a \r\nb\t\nc" } },
		{ DECODE_QP, "a= \nb= ", { "ab", NULL, NULL, "a= \nb", "a= \nb= ", "ab= " } },
		{ DECODE_QP, "a  \rb", { "a\rb", NULL, NULL, "a  \rb", NULL, "a  \rb" } },
		{ DECODE_QP, "a\r\n=01",
		  { "a\r\n\x01", NULL, NULL, NULL, "a\n\x01", "a\n\x01" } },
		{ DECODE_QP, "=01=0D\r\n",
		  { "\x01\r\r\n", NULL, NULL, NULL, "\x01\r\n", "\x01\n" } },
		/* In pieces of 255 octets. */
		{ DECODE_QP, DIGITS_250 "abcd==41",
		  { DIGITS_250 "abcd=A", NULL, NULL, DIGITS_250 "abcd==41", DIGITS_250 "abcd=41",
		  DIGITS_250 "abcdA" } },
		{ DECODE_QP, "\n" DIGITS_250 "abc=41",
		  { "\n" DIGITS_250 "abcA", NULL, NULL, NULL, NULL, "\n" DIGITS_250 "abc=41" } },
		{ DECODE_QP, DIGITS_250 "abc  \nx",
		  { DIGITS_250 "abc\nx", NULL, NULL, DIGITS_250 "abc  \nx", NULL,
		  DIGITS_250 "abc  \nx" } },
		{ DECODE_QP, DIGITS_250 "abcd=\nx",
		  { DIGITS_250 "abcdx", NULL, NULL, NULL, NULL, DIGITS_250 "abcd\nx" } },
		{ DECODE_QP, DIGITS_250 DIGITS_250 "abcdefgh==\n=41",
		  { DIGITS_250 DIGITS_250 "abcdefgh=A", NULL, NULL,
		  DIGITS_250 DIGITS_250 "abcdefgh==\nA", DIGITS_250 DIGITS_250 "abcdefgh=\nA",
		  DIGITS_250 DIGITS_250 "abcdefgh=\nA" } },
		{ DECODE_UU, "#86)C\n#86)C\nend\n", { "abcabc" } },
		{ DECODE_UU, "#86)C\nend#86)\n#86)C\n",
		  { "abcabc", NULL, NULL, "abc8@\xd8X\x90" "abc", "abc" } },
		{ DECODE_UU, "#86)C\r#86)C\n#86)C\n",
		  { "abcabcabc", NULL, NULL, NULL, "abcabc" } },
		{ DECODE_UU, "#86)C!" DIGITS_120 "x#86)C\n",
		  { "abc", NULL, NULL, "abcabc", "abcabc" } },
		{ DECODE_UU, "#86)C\n`\n#86)C\nend\n", { "abcabc", "abc" } },
		{ DECODE_UU, "#86)C\n`\nend\n#86)C\n", { "abc" } },
		{ DECODE_UU, "#86)C\n`ome words\n#86)C\n", { "abcabc", "abc" } },
		{ DECODE_UU, "#86)C\nc86)C\nend\n", { "abc", NULL, "abcabc" } },
		{ DECODE_UU, "e86)C86)\nend\n", { "", NULL, "abcab", "abcab" } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
			unsigned others, unused;
			check_reading(&rows[i], 0, mode, &others);
			for (unsigned r = 1; r < DECODE_READINGS; r++) {
				if (rows[i].out[r] != NULL || (others & 1u << r) != 0)
					check_reading(&rows[i], r, mode, &unused);
				ck_assert_msg(rows[i].out[r] == NULL || (others & 1u << r) != 0,
					"\"%s\": reading %u is not announced", rows[i].in, r);
			}
		}
	}
}
END_TEST

/* A line that begins with E counts 37 octets, and is no end. */
START_TEST(uu_line_of_37)
{
	char in[64] = "E", out[37];

	for (int i = 0; i < 13; i++)
		memcpy(in + 1 + 4 * i, "0V%T", 4);
	for (int i = 0; i < 37; i++)
		out[i] = "Cat"[i % 3];
	memcpy(in + 53, "\nend\n", 6);
	check_text(DECODE_UU, in, strlen(in), out, sizeof out, false);
}
END_TEST

static size_t encode_base64(const unsigned char *p, size_t n, char *out)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t w = 0;

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16;
		v |= i + 1 < n ? (unsigned)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? p[i + 2] : 0;
		out[w++] = abc[v >> 18];
		out[w++] = abc[v >> 12 & 63];
		out[w++] = i + 1 < n ? abc[v >> 6 & 63] : '=';
		out[w++] = i + 2 < n ? abc[v & 63] : '=';
		if (i % 57 == 54) {
			out[w++] = '\r';
			out[w++] = '\n';
		}
	}
	return w;
}

static size_t encode_qp(const unsigned char *p, size_t n, char *out)
{
	size_t w = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] > ' ' && p[i] < 0x7f && p[i] != '=')
			out[w++] = (char)p[i];
		else
			w += (size_t)sprintf(out + w, i % 2 ? "=%02X" : "=%02x", p[i]);
		if (i % 25 == 24)
			w += (size_t)sprintf(out + w, "=\r\n");
	}
	return w;
}

static char uu_char(unsigned v)
{
	return (char)(v == 0 ? '`' : v + ' ');
}

static size_t encode_uu(const unsigned char *p, size_t n, char *out)
{
	size_t w = 0;

	for (size_t i = 0; i < n; i += 45) {
		size_t k = n - i < 45 ? n - i : 45;
		out[w++] = uu_char((unsigned)k);
		for (size_t j = i; j < i + k; j += 3) {
			unsigned v = (unsigned)p[j] << 16;
			v |= j + 1 < n ? (unsigned)p[j + 1] << 8 : 0;
			v |= j + 2 < n ? p[j + 2] : 0;
			for (unsigned s = 24; s > 0; s -= 6)
				out[w++] = uu_char(v >> (s - 6) & 63);
		}
		out[w++] = '\n';
	}
	return w + (size_t)sprintf(out + w, "`\nend\n");
}

START_TEST(round_trip)
{
	static size_t (*const encode[])(const unsigned char *, size_t, char *) = {
		[DECODE_BASE64] = encode_base64, [DECODE_QP] = encode_qp, [DECODE_UU] = encode_uu,
	};
	unsigned char data[700];
	char text[4000];
	unsigned seed = 7;

	for (size_t n = 0; n < sizeof data; n += n < 200 ? 1 : 23) {
		for (size_t i = 0; i < n; i++)
			data[i] = (unsigned char)split_random(&seed);
		for (int kind = DECODE_BASE64; kind <= DECODE_UU; kind++) {
			size_t k = encode[kind](data, n, text);
			check_text((enum decode_kind)kind, text, k, (const char *)data, n, false);
		}
		check_text(DECODE_IDENTITY, (const char *)data, n, (const char *)data, n, false);
	}
}
END_TEST

/* Any octets: the same result in any split, and within the promised room. */
START_TEST(random_octets)
{
	static const char some[] = "==\r\n\n  \tABCDend`#MQ!\x00\xff" "4e";
	unsigned seed = 1;
	char in[600];

	for (int round = 0; round < 3000; round++) {
		size_t n = split_random(&seed) % sizeof in;
		for (size_t i = 0; i < n; i++)
			in[i] = round % 4 == 0 ? (char)split_random(&seed) :
				some[split_random(&seed) % (sizeof some - 1)];
		for (int kind = DECODE_IDENTITY; kind <= DECODE_UU; kind++) {
			struct got a = decode_all((enum decode_kind)kind, in, n, SPLIT_WHOLE);
			struct got b = decode_all((enum decode_kind)kind, in, n,
				1 + (unsigned)round % (SPLIT_MODES - 1));
			need(a.n == b.n && memcmp(a.data, b.data, a.n) == 0 && a.bad == b.bad);
			free(a.data);
			free(b.data);
		}
	}
}
END_TEST

START_TEST(kinds)
{
	static const struct { const char *in; enum decode_kind kind; bool known; } rows[] = {
		{ "base64", DECODE_BASE64, true }, { " BASE64", DECODE_BASE64, true },
		{ "base64 ", DECODE_BASE64, false }, { "\r\n base64", DECODE_BASE64, false },
		{ "base64;", DECODE_BASE64, false }, { "base64; x=y", DECODE_BASE64, false },
		{ "(7bit) base64 (qp (or so))", DECODE_BASE64, false },
		{ "\"base64\"", DECODE_BASE64, false }, { "base-64", DECODE_BASE64, false },
		{ "base\r\n 64", DECODE_BASE64, false }, { "b64", DECODE_BASE64, false },
		{ "base64 7bit", DECODE_BASE64, false }, { "base64,7bit", DECODE_BASE64, false },
		{ "quoted-printable", DECODE_QP, true }, { "Quoted Printable", DECODE_QP, false },
		{ "quoted_printable", DECODE_QP, false }, { "quoted-printable-x", DECODE_QP, false },
		{ "x-uuencode", DECODE_UU, true }, { "uuencode", DECODE_UU, true },
		{ "x-uuencoded", DECODE_UU, false }, { "uuencoded", DECODE_UU, false },
		{ "x-uue", DECODE_UU, false }, { "7bit", DECODE_IDENTITY, true },
		{ "8BIT", DECODE_IDENTITY, true }, { "binary", DECODE_IDENTITY, true },
		{ "7bitx", DECODE_IDENTITY, false }, { "none", DECODE_IDENTITY, false },
		{ "", DECODE_IDENTITY, false }, { "x-unknown", DECODE_IDENTITY, false },
		{ "base640", DECODE_BASE64, false }, { "(base64", DECODE_IDENTITY, false },
		{ "base64base64base64base64base64base64base64", DECODE_BASE64, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool known = !rows[i].known;
		enum decode_kind kind = decode_kind_parse(rows[i].in, strlen(rows[i].in), &known);
		ck_assert_msg(kind == rows[i].kind && known == rows[i].known, "%s: %d %d",
			rows[i].in, (int)kind, known);
	}
}
END_TEST

/* The run that this machine takes, and the plain one: they stop at the same
 * place and have written the same. */
static void check_run(const unsigned char *in, size_t n)
{
	unsigned char *copy = malloc(n), *fast = malloc(n + 32), *plain = malloc(n + 32);
	unsigned char *f = fast, *p = plain;

	need(copy != NULL && fast != NULL && plain != NULL);
	memcpy(copy, in, n);
	const unsigned char *at = decode_b64_run_plain(copy, copy + n, &p);
	need(decode_b64_run(copy, copy + n, &f) == at);
	need(f - fast == p - plain && memcmp(fast, plain, (size_t)(p - plain)) == 0);
	free(copy);
	free(fast);
	free(plain);
}

/* Each octet at each place of a piece that is longer than a step. */
START_TEST(run_octets)
{
	unsigned char in[80];

	for (unsigned at = 0; at < 70; at++) {
		for (unsigned c = 0; c < 256; c++) {
			for (unsigned i = 0; i < sizeof in; i++)
				in[i] = (unsigned char)"Az09+/bY"[(i + c) % 8];
			in[at] = (unsigned char)c;
			for (size_t n = sizeof in; n > 28; n -= 17)
				check_run(in, n);
		}
	}
}
END_TEST

/* Lines of any length, some with an octet in them that belongs to no line. */
static size_t random_lines(unsigned char *out, size_t room, unsigned *seed)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const unsigned lens[] = { 76, 76, 64, 60, 4, 75, 77, 33, 1 };
	const unsigned line = lens[split_random(seed) % 9], eols = split_random(seed) % 3;
	const size_t want = split_random(seed) % room;
	size_t n = 0;

	while (n < want) {
		for (unsigned i = 0; i < line && n < want; i++)
			out[n++] = (unsigned char)digits[split_random(seed) % 64];
		for (unsigned i = 0; i < eols && n < want; i++)
			out[n++] = i + 1 == eols ? '\n' : '\r';
	}
	for (unsigned odd = split_random(seed) % 4; odd > 0 && n > 0; odd--)
		out[split_random(seed) % n] = (unsigned char)(split_random(seed) % 2 ? '=' :
			split_random(seed) % 256);
	return n;
}

/* Octet by octet nothing is done in steps. */
START_TEST(base64_lines)
{
	unsigned char in[700];
	unsigned seed = 4711;

	for (unsigned round = 0; round < 2000; round++) {
		const size_t n = random_lines(in, sizeof in, &seed);
		struct got want = decode_all(DECODE_BASE64, in, n, SPLIT_OCTETS);
		for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
			struct got g = decode_all(DECODE_BASE64, in, n, mode);
			need(g.n == want.n && memcmp(g.data, want.data, g.n) == 0);
			need(g.bad == want.bad && g.others == want.others);
			free(g.data);
		}
		free(want.data);
		check_run(in, n + 1 < sizeof in ? n + 1 : n);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode");
	TCase *t = tcase_create("all");

	tcase_add_test(t, base64_table);
	tcase_add_test(t, qp_table);
	tcase_add_test(t, qp_many_blanks);
	tcase_add_test(t, uu_table);
	tcase_add_test(t, yenc_table);
	tcase_add_test(t, readings);
	tcase_add_test(t, uu_line_of_37);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, random_octets);
	tcase_add_test(t, kinds);
	tcase_add_test(t, run_octets);
	tcase_add_test(t, base64_lines);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return unit_run(s);
}
