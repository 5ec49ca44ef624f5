/* check_clean.c - what stands instead of an infected part. */
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "unit.h"

#define TYPE "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
#define REMOVED "This part of the message was removed, since it was infected.\r\n"

static void expect(const char *msg, struct clean_cut c, const char *want)
{
	struct buf out = BUF_INIT(65536);

	ck_assert_int_eq(clean_replacement(msg, strlen(msg), &c, &out), 0);
	ck_assert_int_eq(buf_append(&out, "", 1), 0);
	ck_assert_str_eq((const char *)buf_head(&out), want);
	buf_fini(&out);
}

START_TEST(part)
{
	const char msg[] = "--b\r\nContent-Type: x/y\r\n\r\nvirus\r\n--b--\r\n";
	struct clean_cut c = { .from = 5, .body = 26, .to = 31, .name = "a.exe", .virus = "Eicar" };

	expect(msg, c, TYPE REMOVED "Found: Eicar\r\nFile name: a.exe");
	c.name[0] = '\0';
	expect(msg, c, TYPE REMOVED "Found: Eicar");
	c.to = sizeof msg - 1;
	expect(msg, c, TYPE REMOVED "Found: Eicar\r\n");
}
END_TEST

/* Names are of others: they make no lines and no fields. */
START_TEST(hostile_names)
{
	const char msg[] = "x\r\n\r\ny--b";
	struct clean_cut c = { .from = 0, .body = 5, .to = 6, .name = "\r\n--b\r\nX: \xff",
		.virus = "a\nb" };

	expect(msg, c, TYPE REMOVED "Found: a?b\r\nFile name: " "?" "?--b?" "?X: ?");
}
END_TEST

START_TEST(message)
{
	static const struct { const char *head, *kept; } heads[] = {
		{ "From: a\r\nContent-Type: x/y;\r\n\tname=z\r\nSubject: s\r\n\tt\r\nCONTENT-Foo: 1\r\n\r\n",
		  "From: a\r\nSubject: s\r\n\tt\r\n" },
		{ "Content-Type: x/y\r\n\r\n", "" },
		{ "From: a\nContent-Type: x\nTo: b\n\n", "From: a\nTo: b\n" },
		{ "From: a", "From: a\r\n" },
		{ "\r\n", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		char msg[256], want[512];
		struct clean_cut c = { .keeps_head = true, .body = strlen(heads[i].head), .virus = "V" };
		strcpy(msg, heads[i].head);
		strcat(msg, "virus\r\n");
		c.to = strlen(msg);
		strcpy(want, heads[i].kept);
		strcat(want, TYPE REMOVED "Found: V\r\n");
		expect(msg, c, want);
	}
}
END_TEST

START_TEST(no_room)
{
	const struct clean_cut c = { .keeps_head = true, .body = 9, .to = 9, .name = "n", .virus = "V" };

	for (size_t max = 0; max < 130; max++) {
		struct buf out = BUF_INIT(max);
		ck_assert_int_eq(clean_replacement("From: a\r\n", 9, &c, &out), -1);
		buf_fini(&out);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clean");
	TCase *t = tcase_create("clean");

	suite_add_tcase(s, t);
	tcase_add_test(t, part);
	tcase_add_test(t, hostile_names);
	tcase_add_test(t, message);
	tcase_add_test(t, no_room);
	return unit_run(s);
}
