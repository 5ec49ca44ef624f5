/* check_quar_text.c - what esets_quar prints. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quar_text.h"
#include "unit.h"

static const char *const rcpts[] = { "b@example.net", "c\x1b@example.net" };
static const struct quar_meta plain = {
	.id = "20261121-113249-4f3a9c21", .time_s = 1795260769, .released_s = 0, .size = 42,
	.sha256 = "", .agent = "smtp", .session = "s", .sender = "a@example.org", .rcpts = rcpts,
	.nrcpts = 2, .nrcpts_total = 3, .client = "", .helo = "", .queue_id = "", .name = "",
	.av = VERDICT_AV_INFECTED | VERDICT_AV_ENCRYPTED, .as = VERDICT_AS_SPAM,
	.as_score_milli = -1500, .virus = "Eicar", .reason = "", .vdb = "",
};

typedef void (*print_fn)(const struct quar_meta *m, FILE *out);

static const char *printed(print_fn print, const struct quar_meta *m)
{
	static char text[8192];
	FILE *f = fmemopen(text, sizeof text, "w");

	ck_assert_ptr_nonnull(f);
	print(m, f);
	fclose(f);
	return text;
}

START_TEST(line)
{
	struct quar_meta m = plain;

	ck_assert_str_eq(printed(quar_text_line, &m), "20261121-113249-4f3a9c21         42  Eicar"
		"  from=<a@example.org> to=<b@example.net> and 2 more score=-1.500\n");
	m.virus = "";
	m.nrcpts = 0;
	m.nrcpts_total = 0;
	m.released_s = 1;
	m.sender = "\x1b\"\\\xc2\x9b\xff";
	ck_assert_str_eq(printed(quar_text_line, &m), "20261121-113249-4f3a9c21         42  spam"
		"  from=<\\x1b\\\"\\\\\\xc2\\x9b\\xff> to=<> score=-1.500  released\n");
	m.as = VERDICT_AS_CLEAN;
	ck_assert_ptr_nonnull(strstr(printed(quar_text_line, &m), "  -  "));
	m.as = VERDICT_AS_NOTSCANNED;
	m.queue_id = "4Xy\n";
	m.seen = 3;
	ck_assert_ptr_nonnull(strstr(printed(quar_text_line, &m),
		"to=<> queue_id=4Xy\\x0a  seen 3 times  released\n"));
}
END_TEST

START_TEST(show)
{
	setenv("TZ", "UTC", 1);
	tzset();
	ck_assert_str_eq(printed(quar_text_show, &plain), "id: 20261121-113249-4f3a9c21\n"
		"time: 2026-11-21 11:32:49 +0000\nsize: 42\nagent: smtp\nsession: s\n"
		"viruses: infected:encrypted\nvirus: Eicar\nspam: spam\nspam score: -1.500\n"
		"sender: <a@example.org>\nrecipients: 3\nrecipient: <b@example.net>\n"
		"recipient: <c\\x1b@example.net>\n");
	struct quar_meta m = plain;
	m.time_s = UINT64_MAX;
	ck_assert_ptr_null(strstr(printed(quar_text_show, &m), "time:"));
	m = plain;
	m.seen = 2;
	m.last_s = 1795260770;
	ck_assert_ptr_nonnull(strstr(printed(quar_text_show, &m),
		"\nseen: 2 times\nlast: 2026-11-21 11:32:50 +0000\n"));
}
END_TEST

START_TEST(json)
{
	struct quar_meta m = plain;

	m.helo = "\x01\x7f\"\\/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	m.name = "\xff\xc3\xe2\x82";
	m.reason = "\xc2\x9b[31m";
	const char *text = printed(quar_text_json, &m);
	ck_assert_ptr_nonnull(strstr(text, ",\"helo\":\"\\u0001\\u007f\\\"\\\\/\xc3\xa9\xe2\x82\xac"
		"\xf0\x9f\x98\x80\","));
	ck_assert_ptr_nonnull(strstr(text, ",\"name\":\"\\ufffd\\ufffd\\ufffd\\ufffd\","));
	ck_assert_ptr_nonnull(strstr(text, ",\"reason\":\"\\ufffd\\ufffd[31m\","));
	ck_assert_ptr_nonnull(strstr(text,
		"\"rcpts\":3,\"rcpt\":[\"b@example.net\",\"c\\u001b@example.net\"]}\n"));
	ck_assert_ptr_nonnull(strstr(text, "\"as_score_milli\":-1500,\"score\":-1.500,"));
	m.as = VERDICT_AS_NONE;
	ck_assert_ptr_nonnull(strstr(printed(quar_text_json, &m), ",\"score\":null,"));
	ck_assert_ptr_nonnull(strstr(text, ",\"seen\":0,\"last\":0,"));
}
END_TEST

START_TEST(octets)
{
	static const char in[] = "Subject: x\r\n\tok\x1b[31m\x07\x00\x7f\xc3\xa9\x9b\r\n";
	char out[100] = "";
	FILE *f = fmemopen(out, sizeof out, "w");

	quar_text_octets(in, sizeof in - 1, f);
	fclose(f);
	ck_assert_str_eq(out, "Subject: x\n\tok?[31m??????\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("quar_text");
	TCase *t = tcase_create("quar_text");

	tcase_add_test(t, line);
	tcase_add_test(t, show);
	tcase_add_test(t, json);
	tcase_add_test(t, octets);
	suite_add_tcase(s, t);
	return unit_run(s);
}
