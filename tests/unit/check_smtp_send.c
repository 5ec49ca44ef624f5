/* check_smtp_send.c - the dialogue of a client that releases a message. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp_send.h"
#include "unit.h"

static const char *const two[] = { "b@example.net", "c@example.net" };
static const char *const utf8[] = { "b\xc3\xa9@example.net" };

struct turn {
	const char *reply;   /* its first three octets are the code */
	const char *want;    /* line that follows, or BODY, CHUNK..., OVER */
};

/* job, dialogue, is it delivered, and what why begins with */
static const struct dialogue {
	struct smtp_send_job job;
	bool is_delivered;
	const char *why;
	struct turn t[16];
} dialogues[] = {
	{ { "me", "a@example.org", two, 2, 42, false, false }, true, "", {
		{ "220 x\r\n", "EHLO me" }, { "250-x\r\n250-SIZE 1000\r\n250 8BITMIME\r\n",
		"MAIL FROM:<a@example.org> SIZE=42" }, { "250 ok\r\n", "RCPT TO:<b@example.net>" },
		{ "251 ok\r\n", "RCPT TO:<c@example.net>" }, { "250 ok\r\n", "DATA" },
		{ "354 go\r\n", "BODY" }, { "250 queued\r\n", "QUIT" }, { "221 bye\r\n", "OVER" } } },
	{ { "me", "", two, 1, 42, true, false }, true, "", {
		{ "220 x\r\n", "EHLO me" }, { "250-x\r\n250 8bitmime\r\n",
		"MAIL FROM:<> BODY=8BITMIME" }, { "250 ok\r\n", "RCPT TO:<b@example.net>" },
		{ "250 ok\r\n", "DATA" }, { "354 go\r\n", "BODY" }, { "250 queued\r\n", "QUIT" },
		{ "500 what\r\n", "OVER" } } },
	{ { "me", "a@example.org", two, 1, 42, true, false }, true, "", {
		{ "220 x\r\n", "EHLO me" }, { "502 no\r\n", "HELO me" },
		{ "250 x\r\n", "MAIL FROM:<a@example.org>" }, { "250 ok\r\n", "RCPT TO:<b@example.net>" },
		{ "250 ok\r\n", "DATA" }, { "354 go\r\n", "BODY" }, { "250 ok\r\n", "QUIT" } } },
	{ { "me", "a@example.org", two, 1, 42, true, true }, true, "", {
		{ "220 x\r\n", "EHLO me" }, { "250-x\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 8BITMIME\r\n",
		"MAIL FROM:<a@example.org> BODY=BINARYMIME" },
		{ "250 ok\r\n", "RCPT TO:<b@example.net>" }, { "250 ok\r\n", "CHUNK BDAT 42 LAST" },
		{ "250 ok\r\n", "QUIT" } } },
	{ { "me", "a@example.org", two, 1, 42, true, true }, false, "it holds bare CR or LF", {
		{ "220 x\r\n", "EHLO me" }, { "250-x\r\n250 CHUNKING\r\n", "QUIT" },
		{ "221 bye\r\n", "OVER" } } },
	{ { "me", "a@example.org", utf8, 1, 42, false, false }, true, "", {
		{ "220 x\r\n", "EHLO me" }, { "250-x\r\n250 SMTPUTF8\r\n",
		"MAIL FROM:<a@example.org> SMTPUTF8" },
		{ "250 ok\r\n", "RCPT TO:<b\xc3\xa9@example.net>" }, { "250 ok\r\n", "DATA" },
		{ "354 go\r\n", "BODY" }, { "250 ok\r\n", "QUIT" } } },
	{ { "me", "a@example.org", utf8, 1, 42, false, false }, false, "an address is not ASCII", {
		{ "220 x\r\n", "EHLO me" }, { "250 x\r\n", "QUIT" } } },
	{ { "me", "a@example.org", two, 2, 42, false, false }, false,
		"recipient c@example.net: 550 5.1.1 nobody", {
		{ "220 x\r\n", "EHLO me" }, { "250 x\r\n", "MAIL FROM:<a@example.org>" },
		{ "250 ok\r\n", "RCPT TO:<b@example.net>" }, { "250 ok\r\n", "RCPT TO:<c@example.net>" },
		{ "550 5.1.1 nobody\r\n", "QUIT" }, { "221 bye\r\n", "OVER" } } },
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "banner: 554-go away", {
		{ "554-go away\r\n554 now\r\n", "QUIT" }, { "221 bye\r\n", "OVER" } } },
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "banner: 421 busy", {
		{ "421 busy\r\n", "OVER" }, { "250 what\r\n", "OVER" } } },
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "EHLO: 421", {
		{ "220 x\r\n", "EHLO me" }, { "421 no\r\n", "OVER" } } },
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "sender: 451", {
		{ "220 x\r\n", "EHLO me" }, { "250 x\r\n", "MAIL FROM:<a@example.org>" },
		{ "451 later\r\n", "QUIT" } } },
	/* 2xx to DATA is no go-ahead, 3xx to anything else is no yes */
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "DATA: 250", {
		{ "220 x\r\n", "EHLO me" }, { "250 x\r\n", "MAIL FROM:<a@example.org>" },
		{ "250 ok\r\n", "RCPT TO:<b@example.net>" }, { "250 ok\r\n", "DATA" },
		{ "250 ok\r\n", "QUIT" }, { "250 ok\r\n", "OVER" } } },
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "recipient b@example.net: 354", {
		{ "220 x\r\n", "EHLO me" }, { "250 x\r\n", "MAIL FROM:<a@example.org>" },
		{ "250 ok\r\n", "RCPT TO:<b@example.net>" }, { "354 ok\r\n", "QUIT" } } },
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "message: 354", {
		{ "220 x\r\n", "EHLO me" }, { "250 x\r\n", "MAIL FROM:<a@example.org>" },
		{ "250 ok\r\n", "RCPT TO:<b@example.net>" }, { "250 ok\r\n", "DATA" },
		{ "354 ok\r\n", "BODY" }, { "354 more\r\n", "QUIT" }, { "250 ok\r\n", "OVER" } } },
	{ { "me", "a@example.org", two, 1, 42, false, false }, false, "message: 552 too big", {
		{ "220 x\r\n", "EHLO me" }, { "250 x\r\n", "MAIL FROM:<a@example.org>" },
		{ "250 ok\r\n", "RCPT TO:<b@example.net>" }, { "250 ok\r\n", "DATA" },
		{ "354 ok\r\n", "BODY" }, { "552 too big\r\n", "QUIT" }, { "250 ok\r\n", "OVER" } } },
};

static void step_text(const struct smtp_send *s, enum smtp_send_step step, char out[2100])
{
	static const char *const names[] = { [SMTP_SEND_LINE] = "", [SMTP_SEND_BODY] = "BODY",
		[SMTP_SEND_CHUNK] = "CHUNK ", [SMTP_SEND_OVER] = "OVER" };
	bool has_line = step == SMTP_SEND_LINE || step == SMTP_SEND_CHUNK;

	snprintf(out, 2100, "%s%s", names[step], has_line ? s->line : "");
	size_t n = strlen(out);
	if (has_line) {
		ck_assert(n > 2 && strcmp(out + n - 2, "\r\n") == 0);
		out[n - 2] = '\0';
	}
}

START_TEST(dialogue)
{
	const struct dialogue *d = &dialogues[_i];
	struct smtp_send s;
	char text[2100];

	ck_assert_int_eq(smtp_send_init(&s, &d->job), 0);
	for (const struct turn *t = d->t; t->reply != NULL; t++) {
		ck_assert(strcmp(t->want, "OVER") == 0 || t[0].want != NULL);
		enum smtp_send_step step = smtp_send_reply(&s, atoi(t->reply), t->reply,
			strlen(t->reply));
		step_text(&s, step, text);
		ck_assert_str_eq(text, t->want);
	}
	ck_assert(s.is_delivered == d->is_delivered);
	ck_assert_msg(strncmp(s.why, d->why, strlen(d->why)) == 0 &&
		(s.why[0] == '\0') == d->is_delivered, "%s", s.why);
}
END_TEST

/* Wherever the connection ends, delivered is what has had its 250. */
START_TEST(lost)
{
	const struct dialogue *d = &dialogues[0];
	struct smtp_send s;

	for (int n = 0; d->t[n].reply != NULL; n++) {
		ck_assert_int_eq(smtp_send_init(&s, &d->job), 0);
		for (int i = 0; i < n; i++)
			smtp_send_reply(&s, atoi(d->t[i].reply), d->t[i].reply, strlen(d->t[i].reply));
		smtp_send_lost(&s, "timed out");
		ck_assert(s.is_delivered == (n >= 7));
		ck_assert((s.why[0] == '\0') == s.is_delivered);
		ck_assert((strstr(s.why, "may have been delivered") != NULL) == (n == 6));
		ck_assert_int_eq(smtp_send_reply(&s, 250, "250 ok\r\n", 8), SMTP_SEND_OVER);
	}
}
END_TEST

/* Before all of the last step was sent: never delivered, and told as it was said. */
START_TEST(early)
{
	static const struct { const char *reply, *why; } said[] = {
		{ "552-5.3.4 too big\r\n552 really\r\n", ": 552-5.3.4 too big" },
		{ "421 4.3.2 going down\r\n", ": 421 4.3.2 going down" },
		{ "250 2.0.0 got it\r\n", ": the server speaks before it is asked: 250 2.0.0 got it" },
		{ "354 go on\r\n", ": the server speaks before it is asked: 354 go on" },
	};
	const struct dialogue *d = &dialogues[0];
	struct smtp_send s;

	for (int n = 0; d->t[n].reply != NULL; n++) {
		for (size_t k = 0; k < sizeof said / sizeof *said; k++) {
			ck_assert_int_eq(smtp_send_init(&s, &d->job), 0);
			for (int i = 0; i < n; i++)
				smtp_send_reply(&s, atoi(d->t[i].reply), d->t[i].reply, strlen(d->t[i].reply));
			smtp_send_early(&s, atoi(said[k].reply), said[k].reply, strlen(said[k].reply));
			ck_assert(s.is_delivered == (n >= 7));
			const char *tail = strstr(s.why, said[k].why);
			ck_assert_msg(s.is_delivered ? s.why[0] == '\0' :
				tail != NULL && strcmp(tail, said[k].why) == 0, "%s", s.why);
			ck_assert_int_eq(smtp_send_reply(&s, 250, "250 ok\r\n", 8), SMTP_SEND_OVER);
			ck_assert(s.is_delivered == (n >= 7));
		}
	}
}
END_TEST

START_TEST(addresses)
{
	static const char *const good[] = { "", "a@example.org", "\"a b\"@example.org",
		"\"a>b\\\"<c\"@x", "b\xc3\xa9@example.net", "a=b+c%d@x", "@a,@b:c@d", "x" };
	static const char *const bad[] = { "a\r\nRCPT TO:<x@y>", "a\n", "a\tb@x", "a b@x", "a>b@x",
		"<a@x>", "\"a@x", "\x7f@x", "a@x> SIZE=1", "\"a\\\r\nb\"@x", "\"a\\" };
	char text[1100];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_msg(smtp_send_is_address(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!smtp_send_is_address(bad[i]), "%s", bad[i]);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	ck_assert(!smtp_send_is_address(text));
}
END_TEST

START_TEST(jobs_that_cannot_be_sent)
{
	static const char *const evil[] = { "b@example.net", "x\r\nDATA" };
	static const char *const none[] = { "" };
	static const struct smtp_send_job jobs[] = {
		{ "me", "a@x", two, 0, 1, false, false }, { "me", "a\n", two, 1, 1, false, false },
		{ "me", "a@x", evil, 2, 1, false, false }, { "me", "a@x", none, 1, 1, false, false },
	};
	struct smtp_send s;

	for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
		ck_assert_int_eq(smtp_send_init(&s, &jobs[i]), -1);
		ck_assert_str_ne(s.why, "");
	}
}
END_TEST

START_TEST(look)
{
	static const struct { const char *text; bool has_8bit, has_bare; } t[] = {
		{ "", false, false }, { "a\r\nb", false, false }, { "a\r\n\r\n", false, false },
		{ "a\nb", false, true }, { "a\rb", false, true }, { "a\r\r\n", false, true },
		{ "a\r\n\n", false, true }, { "a\r", false, true }, { "\n", false, true },
		{ "\x80\r\n", true, false }, { "\xff\n", true, true },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		for (size_t cut = 0; cut <= strlen(t[i].text); cut++) {
			struct smtp_send_look l = { .has_8bit = false };
			smtp_send_look_push(&l, t[i].text, cut);
			smtp_send_look_push(&l, t[i].text + cut, strlen(t[i].text) - cut);
			smtp_send_look_end(&l);
			ck_assert_msg(l.has_8bit == t[i].has_8bit && l.has_bare == t[i].has_bare, "%zu", i);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("smtp_send");
	TCase *t = tcase_create("smtp_send");

	tcase_add_loop_test(t, dialogue, 0, (int)(sizeof dialogues / sizeof dialogues[0]));
	tcase_add_test(t, lost);
	tcase_add_test(t, early);
	tcase_add_test(t, addresses);
	tcase_add_test(t, jobs_that_cannot_be_sent);
	tcase_add_test(t, look);
	suite_add_tcase(s, t);
	return unit_run(s);
}
