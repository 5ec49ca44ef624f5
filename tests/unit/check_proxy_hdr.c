/* check_proxy_hdr.c - the PROXY header, versions 1 and 2, both ways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy_hdr.h"
#include "split.h"
#include "unit.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

/* "family src:port dst:port +used", "more", or "!why". */
static void text_of(char out[256], const void *in, size_t n)
{
	struct proxy_hdr h;
	char src[NET_ADDR_TEXT], dst[NET_ADDR_TEXT];
	const char *why = "?";
	size_t used = 0;
	int got = proxy_hdr_parse(in, n, &h, &used, &why);

	if (got == 0)
		snprintf(out, 256, "more");
	else if (got < 0)
		snprintf(out, 256, "!%s", why);
	else if (h.src.family == 0)
		snprintf(out, 256, "nobody +%zu", used);
	else
		snprintf(out, 256, "%s %s %u %s %u +%zu", h.src.family == AF_INET ? "4" : "6",
			net_addr_text(&h.src, src), h.src.port, net_addr_text(&h.dst, dst),
			h.dst.port, used);
}

/* A header is complete at its last octet and not before; octets behind it
 * are nobody's business. In memory of its own, for the sanitizers. */
static void check_whole(const char *in, size_t n, const char *want)
{
	char out[256];
	bool broken = want[0] == '!';

	for (size_t k = 0; k <= n + 3; k++) {
		char *copy = malloc(k > 0 ? k : 1);
		ck_assert_ptr_nonnull(copy);
		memset(copy, 'E', k);
		memcpy(copy, in, k < n ? k : n);
		text_of(out, copy, k);
		free(copy);
		if (k >= n)
			ck_assert_str_eq(out, want);
		else if (!broken)
			ck_assert_str_eq(out, "more");
	}
}

START_TEST(version_1)
{
	static const struct { const char *in, *want; } cases[] = {
		{ "PROXY TCP4 192.0.2.1 198.51.100.2 1024 25\r\n",
			"4 192.0.2.1 1024 198.51.100.2 25 +43" },
		{ "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n",
			"4 255.255.255.255 65535 0.0.0.0 0 +44" },
		{ "PROXY TCP6 2001:db8::1 2001:db8::2 1024 25\r\n",
			"6 2001:db8::1 1024 2001:db8::2 25 +44" },
		{ "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n",
			"4 192.0.2.1 1 192.0.2.2 2 +50" },
		{ "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
			"6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 +104" },
		{ "PROXY UNKNOWN\r\n", "nobody +15" },
		{ "PROXY UNKNOWN \r\n", "nobody +16" },
		{ "PROXY UNKNOWN what ever: \xff it says\r\n", "nobody +36" },
		{ "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "nobody +59" },
		{ "\r\nEHLO x\r\n", "!no PROXY header" },
		{ "EHLO x\r\n", "!no PROXY header" },
		{ "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "!no PROXY header" },
		{ " PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "!no PROXY header" },
		{ "PROXY\r\n", "!no PROXY header" },
		{ "PROXY \r\n", "!bad PROXY header" },
		{ "PROXY TCP4\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", "!bad PROXY header" },
		{ "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 99999999999999999999999\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1x 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 0x1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 ::1 ::1 1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP6 [::1] ::1 1 2\r\n", "!bad PROXY header" },
		{ "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", "!bad PROXY header" },
		{ "PROXY UNKNOWNX\r\n", "!bad PROXY header" },
		{ "PROXY unknown\r\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "!bad PROXY header" },
		{ "PROXY UNKNOWN\n", "!bad PROXY header" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n", "!bad PROXY header" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_whole(cases[i].in, strlen(cases[i].in), cases[i].want);
	check_whole("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n", 38, "!bad PROXY header");
	check_whole("PROXY UNKNOWN \0\r\n", 17, "!bad PROXY header");
}
END_TEST

/* At most 107 octets with CR LF, and nobody waits for more. */
START_TEST(version_1_length)
{
	char in[200], out[256];

	memset(in, 'x', sizeof in);
	memcpy(in, "PROXY UNKNOWN ", 14);
	memcpy(in + 105, "\r\n", 2);
	check_whole(in, 107, "nobody +107");
	memset(in + 105, 'x', 2);
	text_of(out, in, 106);
	ck_assert_str_eq(out, "more");
	text_of(out, in, 107);
	ck_assert_str_eq(out, "!bad PROXY header");
	memcpy(in + 106, "\r\n", 2);
	text_of(out, in, 108);
	ck_assert_str_eq(out, "!bad PROXY header");
}
END_TEST

static size_t v2(char *out, int cmd, int family, const void *body, size_t n)
{
	memcpy(out, SIG, 12);
	out[12] = (char)cmd;
	out[13] = (char)family;
	out[14] = (char)(n >> 8);
	out[15] = (char)(n & 255);
	memcpy(out + 16, body, n);
	return 16 + n;
}

#define V4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\x04\x00\x00\x19"
#define V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2" \
	"\xff\xff\x00\x19"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01" \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x02" "\x04\x00\x00\x19"

START_TEST(version_2)
{
	static const struct { int cmd, family; const char *body; size_t n; const char *want; } cases[] = {
		{ 0x21, 0x11, V4, 12, "4 192.0.2.1 1024 198.51.100.2 25 +28" },
		{ 0x21, 0x11, V4 "\x03\0\4abcd", 19, "4 192.0.2.1 1024 198.51.100.2 25 +35" },
		{ 0x21, 0x21, V6, 36, "6 2001:db8::1 65535 2001:db8::2 25 +52" },
		{ 0x21, 0x21, MAPPED, 36, "4 192.0.2.1 1024 198.51.100.2 25 +52" },
		{ 0x20, 0x11, V4, 12, "nobody +28" },            /* LOCAL */
		{ 0x20, 0, "", 0, "nobody +16" },
		{ 0x20, 0x7f, "xyz", 3, "nobody +19" },
		{ 0x21, 0, "", 0, "nobody +16" },                 /* UNSPEC */
		{ 0x21, 0x12, V4, 12, "nobody +28" },            /* UDP */
		{ 0x21, 0x31, V4, 12, "nobody +28" },            /* UNIX */
		{ 0x21, 0x11, V4, 11, "!bad PROXY header" },
		{ 0x21, 0x11, "", 0, "!bad PROXY header" },
		{ 0x21, 0x21, V6, 35, "!bad PROXY header" },
		{ 0x21, 0x21, V4, 12, "!bad PROXY header" },
		{ 0x22, 0x11, V4, 12, "!bad PROXY header" },     /* no such command */
		{ 0x2f, 0x11, V4, 12, "!bad PROXY header" },
		{ 0x11, 0x11, V4, 12, "!bad PROXY header" },     /* no such version */
		{ 0x31, 0x11, V4, 12, "!bad PROXY header" },
		{ 0x01, 0x11, V4, 12, "!bad PROXY header" },
	};
	char in[64];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t n = v2(in, cases[i].cmd, cases[i].family, cases[i].body, cases[i].n);
		check_whole(in, n, cases[i].want);
	}
}
END_TEST

START_TEST(version_2_length)
{
	static char in[70000], body[66000];
	char out[256], want[64];
	size_t n;

	memcpy(body, V4, 12);
	for (n = 12; n < 65536; n += n < 3000 ? 731 : n < 4070 ? 1 : 9973) {
		size_t len = v2(in, 0x21, 0x11, body, n);
		text_of(out, in, len);
		if (len <= PROXY_HDR_MAX)
			snprintf(want, sizeof want, "4 192.0.2.1 1024 198.51.100.2 25 +%zu", len);
		else
			snprintf(want, sizeof want, "!bad PROXY header");
		ck_assert_str_eq(out, want);
		text_of(out, in, len - 1);
		ck_assert_str_eq(out, len <= PROXY_HDR_MAX ? "more" : "!bad PROXY header");
	}
}
END_TEST

START_TEST(not_quite_the_signature)
{
	char in[32], out[256];

	v2(in, 0x21, 0x11, V4, 12);
	for (int i = 0; i < 12; i++) {
		in[i] ^= 1;
		text_of(out, in, 28);
		ck_assert_str_eq(out, "!no PROXY header");
		text_of(out, in, (size_t)i + 1);
		ck_assert_str_eq(out, "!no PROXY header");
		in[i] ^= 1;
	}
}
END_TEST

static struct net_addr addr(const char *ip, uint16_t port)
{
	struct net_addr a = { .family = 0 };

	if (ip != NULL && net_addr_parse(ip, &a) < 0)
		ck_abort_msg("%s", ip);
	a.port = port;
	return a;
}

START_TEST(format)
{
	static const struct { const char *src, *dst, *v1, *again; } cases[] = {
		{ "192.0.2.1", "198.51.100.2", "PROXY TCP4 192.0.2.1 198.51.100.2 1024 25\r\n",
			"4 192.0.2.1 1024 198.51.100.2 25" },
		{ "2001:db8::1", "::1", "PROXY TCP6 2001:db8::1 ::1 1024 25\r\n",
			"6 2001:db8::1 1024 ::1 25" },
		{ "192.0.2.1", "2001:db8::2", "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1024 25\r\n",
			"4 192.0.2.1 1024 2001:db8::2 25" },
		{ "2001:db8::1", "192.0.2.1", "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1024 25\r\n",
			"6 2001:db8::1 1024 192.0.2.1 25" },
		{ NULL, NULL, "PROXY UNKNOWN\r\n", "nobody" },
		{ NULL, "192.0.2.1", "PROXY UNKNOWN\r\n", "nobody" },
		{ "192.0.2.1", NULL, "PROXY UNKNOWN\r\n", "nobody" },
	};
	char text[128], out[256];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct proxy_hdr h = { .src = addr(cases[i].src, 1024),
			.dst = addr(cases[i].dst, 25) };
		size_t n = proxy_hdr_format(&h, 1, text);
		ck_assert_uint_eq(n, strlen(cases[i].v1));
		ck_assert_mem_eq(text, cases[i].v1, n);
		for (int version = 1; version <= 2; version++) {
			n = proxy_hdr_format(&h, version, text);
			ck_assert_uint_le(n, 107);
			text_of(out, text, n);
			ck_assert_int_eq(strncmp(out, cases[i].again, strlen(cases[i].again)), 0);
			text_of(out, text, n - 1);
			ck_assert_str_eq(out, "more");
		}
	}
}
END_TEST

START_TEST(format_unix)
{
	const struct proxy_hdr h = { .src = { .family = AF_UNIX }, .dst = { .family = AF_UNIX } };
	char text[128];

	ck_assert_uint_eq(proxy_hdr_format(&h, 1, text), 15);
	ck_assert_mem_eq(text, "PROXY UNKNOWN\r\n", 15);
	ck_assert_uint_eq(proxy_hdr_format(&h, 2, text), 16);
	ck_assert_mem_eq(text, SIG "\x20\0\0\0", 16);
}
END_TEST

START_TEST(format_v2_octets)
{
	const struct proxy_hdr h = { .src = addr("192.0.2.1", 1024),
		.dst = addr("198.51.100.2", 25) };
	char text[128];

	ck_assert_uint_eq(proxy_hdr_format(&h, 2, text), 28);
	ck_assert_mem_eq(text, SIG "\x21\x11\0\x0c" V4, 28);
}
END_TEST

START_TEST(noise)
{
	static const char *const words[] = { "PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", " ", "\r\n",
		"\n", "\r", "192.0.2.1 ", "::1 ", "1 ", "65536", "\xff", "x" };
	unsigned seed = 5;
	char in[300], out[256];

	for (int round = 0; round < 20000; round++) {
		size_t n = 0;
		for (unsigned k = split_random(&seed) % 9; k > 0 && n < 200; k--)
			n += (size_t)sprintf(in + n, "%s", words[split_random(&seed) % 14]);
		char *copy = malloc(n > 0 ? n : 1);
		memcpy(copy, in, n);
		text_of(out, copy, n);
		free(copy);
		/* Once broken, more octets do not mend it. */
		if (out[0] == '!') {
			memcpy(in + n, "xx\r\n", 4);
			text_of(out, in, n + 4);
			need(out[0] == '!');
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_hdr");
	TCase *tc = tcase_create("proxy_hdr");

	tcase_add_test(tc, version_1);
	tcase_add_test(tc, version_1_length);
	tcase_add_test(tc, version_2);
	tcase_add_test(tc, version_2_length);
	tcase_add_test(tc, not_quite_the_signature);
	tcase_add_test(tc, format);
	tcase_add_test(tc, format_unix);
	tcase_add_test(tc, format_v2_octets);
	tcase_add_test(tc, noise);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
