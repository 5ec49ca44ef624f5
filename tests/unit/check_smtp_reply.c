/* check_smtp_reply.c - replies, whole, octet by octet and cut at random. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp_reply.h"
#include "split.h"
#include "unit.h"

/* All replies of the input: "code:octets" each with its raw lines, then
 * "!why" where it is broken, or "+n" where n octets are left over. */
static void replies_read(char *out, size_t size, const char *in, size_t n, unsigned mode)
{
	struct split cut = split_init(mode);
	struct smtp_reply r;
	struct buf kept = BUF_INIT(1u << 20);
	const char *why = NULL;
	size_t used, w = 0;
	int got = 0;

	smtp_reply_init(&r);
	while (n > 0 && got >= 0) {
		size_t k = split_next(&cut, n);
		need(buf_append(&kept, in, k) == 0);
		in += k;
		n -= k;
		while ((got = smtp_reply_push(&r, buf_head(&kept), buf_len(&kept), &used, &why)) == 1) {
			buf_consume(&kept, used);
			w += (size_t)snprintf(out + w, size - w, "%d:%.*s", r.code,
				(int)buf_len(&r.raw), (const char *)buf_head(&r.raw));
			smtp_reply_reset(&r);
			need(buf_len(&r.raw) == 0 && r.code == 0);
		}
		buf_consume(&kept, used);
	}
	if (got < 0)
		snprintf(out + w, size - w, "!%s", why);
	else
		snprintf(out + w, size - w, "+%zu", buf_len(&kept));
	buf_fini(&kept);
	smtp_reply_fini(&r);
}

START_TEST(queue_ids)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "250 2.0.0 Ok: queued as 4XyZ12abcd", "4XyZ12abcd" },
		{ "250 2.0.0 Ok: queued as 9F0B52E3A1.", "9F0B52E3A1" },
		{ "250 OK id=1rCxyz-000AbC-2d", "1rCxyz-000AbC-2d" },
		{ "250 2.0.0 w3BA1b2c012345 Message accepted for delivery", "w3BA1b2c012345" },
		{ "250 2.0.0 7e4a6d12 Message accepted for delivery", "7e4a6d12" },
		{ "250 2.6.0 <x@y> [InternalId=12345, Hostname=a.b] Queued mail for delivery", "12345" },
		{ "250 ok 1700000000 qp 12345", "12345" },
		{ "250 2.0.0 Ok", "" },
		{ "250 Message accepted", "" },
		{ "250", "" },
		{ "", "" },
		{ "250 valid=no", "" },
		{ "250 QUEUED AS X", "X" },
		{ "250 queued as", "" },
		{ "250 queued as \\\"x", "" },
		{ "250 queued as 0123456789012345678901234567890123456789", "" },
		{ "250 ok: queued as a\\x0dqueued as b", "a" },
	};
	char out[32];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_str_eq(smtp_reply_queue_id(cases[i].text, out, sizeof out), cases[i].want);
}
END_TEST

START_TEST(replies)
{
	static const struct { const char *in, *want; } cases[] = {
		{ "250 ok\r\n", "250:250 ok\r\n+0" },
		{ "250\r\n", "250:250\r\n+0" },
		{ "250 \r\n", "250:250 \r\n+0" },
		{ "250 ok\n", "250:250 ok\r\n+0" },
		{ "250-a\r\n250-b\r\n250 c\r\n", "250:250-a\r\n250-b\r\n250 c\r\n+0" },
		{ "250-a\r\n250\r\n", "250:250-a\r\n250\r\n+0" },
		{ "250-\r\n250 \r\n", "250:250-\r\n250 \r\n+0" },
		{ "220 a\r\n354 b\r\n", "220:220 a\r\n354:354 b\r\n+0" },
		{ "599 a\r\n200 b\r\n", "599:599 a\r\n200:200 b\r\n+0" },
		{ "250 caf\xc3\xa9\r\n", "250:250 caf\xc3\xa9\r\n+0" },
		{ "250 tab\there\r\n", "250:250 tab\there\r\n+0" },
		{ "25", "+2" },
		{ "250 no end", "+10" },
		{ "250-a\r\n250 b\r\n250 beg", "250:250-a\r\n250 b\r\n+7" },
		{ "250-a\r\n251 b\r\n", "!reply code changes within a reply" },
		{ "250-a\r\nx\r\n", "!no SMTP reply" },
		{ "\r\n", "!no SMTP reply" },
		{ "25\r\n", "!no SMTP reply" },
		{ "2500 x\r\n", "!no SMTP reply" },
		{ "250x\r\n", "!no SMTP reply" },
		{ "250\tx\r\n", "!no SMTP reply" },
		{ "150 x\r\n", "!no SMTP reply" },
		{ "650 x\r\n", "!no SMTP reply" },
		{ "2a0 x\r\n", "!no SMTP reply" },
		{ "25: x\r\n", "!no SMTP reply" },
		{ " 250 x\r\n", "!no SMTP reply" },
		{ "HTTP/1.1 400 Bad Request\r\n", "!no SMTP reply" },
		{ "250 a\r\nHTTP\r\n", "250:250 a\r\n!no SMTP reply" },
	};
	char out[512];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
			replies_read(out, sizeof out, cases[i].in, strlen(cases[i].in), mode);
			ck_assert_str_eq(out, cases[i].want);
		}
	}
}
END_TEST

static char *long_line(size_t text, const char *end)
{
	char *p = malloc(text + 8);

	memcpy(p, "250 ", 4);
	memset(p + 4, 'x', text);
	strcpy(p + 4 + text, end);
	return p;
}

/* 65536 octets with the line end are a line, one more is none. */
START_TEST(line_limit)
{
	static char out[70000];

	for (unsigned mode = 0; mode < 4; mode++) {
		char *p = long_line(SMTP_REPLY_LINE_MAX - 6, "\r\n");
		replies_read(out, sizeof out, p, strlen(p), mode);
		ck_assert_uint_eq(strlen(out), 4 + SMTP_REPLY_LINE_MAX + 2);
		free(p);
		p = long_line(SMTP_REPLY_LINE_MAX - 5, "\r\n");
		replies_read(out, sizeof out, p, strlen(p), mode);
		ck_assert_str_eq(out, "!reply line is too long");
		free(p);
		/* No need to wait for its end. */
		p = long_line(SMTP_REPLY_LINE_MAX, "");
		replies_read(out, sizeof out, p, strlen(p), mode);
		ck_assert_str_eq(out, "!reply line is too long");
		free(p);
	}
}
END_TEST

/* A reply that never ends is refused at a bound. */
START_TEST(reply_limit)
{
	static char block[65536];
	struct smtp_reply r;
	const char *why = "";
	size_t used, total = 0;
	int got = 0;

	for (size_t i = 0; i < sizeof block; i += 64) {
		memcpy(block + i, "250-", 4);
		memset(block + i + 4, 'x', 58);
		memcpy(block + i + 62, "\r\n", 2);
	}
	smtp_reply_init(&r);
	while (got == 0 && total < 4u * SMTP_REPLY_MAX) {
		got = smtp_reply_push(&r, block, sizeof block, &used, &why);
		total += used;
	}
	ck_assert_int_eq(got, -1);
	ck_assert_str_eq(why, "reply is too large");
	ck_assert_uint_le(buf_len(&r.raw), SMTP_REPLY_MAX);
	smtp_reply_fini(&r);
}
END_TEST

/* A hundred lines and more come through octet for octet. */
START_TEST(many_lines)
{
	static char in[40000], want[40100], out[40100];
	size_t n = 0;

	for (int i = 0; i < 500; i++)
		n += (size_t)sprintf(in + n, "250%cline %d of the reply\r\n", i < 499 ? '-' : ' ', i);
	snprintf(want, sizeof want, "250:%s+0", in);
	for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
		replies_read(out, sizeof out, in, n, mode);
		ck_assert_str_eq(out, want);
	}
}
END_TEST

START_TEST(noise)
{
	static const char mix[] = "2222555500  --\r\n\r\n\n\0x";
	static char whole[4096], cut[4096];
	unsigned seed = 9;
	char in[80];

	for (int round = 0; round < 5000; round++) {
		size_t n = split_random(&seed) % sizeof in;
		for (size_t i = 0; i < n; i++)
			in[i] = mix[split_random(&seed) % (sizeof mix - 1)];
		replies_read(whole, sizeof whole, in, n, SPLIT_WHOLE);
		for (unsigned mode = 1; mode < SPLIT_MODES; mode++) {
			replies_read(cut, sizeof cut, in, n, mode);
			need(strcmp(whole, cut) == 0);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smtp_reply");
	TCase *tc = tcase_create("smtp_reply");

	tcase_add_test(tc, replies);
	tcase_add_test(tc, queue_ids);
	tcase_add_test(tc, line_limit);
	tcase_add_test(tc, reply_limit);
	tcase_add_test(tc, many_lines);
	tcase_add_test(tc, noise);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
