/* check_mark.c - the text of the marks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"
#include "unit.h"

static const char *text_of(struct buf *out)
{
	ck_assert_int_eq(buf_append(out, "", 1), 0);
	return (const char *)buf_head(out);
}

static const struct { const char *prefix, *value, *want; } subjects[] = {
	{ "[V]", " one\r\n", " [V]" },
	{ "[V]", "one\r\n", " [V] " },
	{ "[V]", "", " [V]" },
	/* a blank at the end of the setting is not doubled, one within it stays */
	{ "[V] ", " one\r\n", " [V]" },
	{ "[V]\t ", "one\r\n", " [V] " },
	{ "[a b] ", "", " [a b]" },
	{ "\xc3\xa4: ", " one\r\n", " =?UTF-8?B?w6Q6?=" },
	{ "[V]", "\r\n folded\r\n", " [V]" },
	{ "[V]", "\n", " [V]" },
	/* RFC 2047: a word of ours, and the blank between two of them inside */
	{ "\xc3\xa4:", " one\r\n", " =?UTF-8?B?w6Q6?=" },
	{ "\xc3\xa4:", " =?utf-8?Q?=41?=\r\n", " =?UTF-8?B?w6Q6IA==?=" },
	{ "\xc3\xa4:", "\r\n\t=?utf-8?Q?=41?=\r\n", " =?UTF-8?B?w6Q6IA==?=" },
	{ "=?utf-8?Q?x?=", " one\r\n", " =?UTF-8?B?PT91dGYtOD9RP3g/PQ==?=" },
	{ "a\nb", " one\r\n", " =?UTF-8?B?YQpi?=" },
	{ "\xff", " x", " =?UTF-8?B?/w==?=" },
	/* 45 octets in one word, and no character in two */
	{ "12345678901234567890123456789012345678901234\xc3\xa4x", " y",
	  " =?UTF-8?B?MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ=?=\r\n"
	  " =?UTF-8?B?w6R4?=" },
};

START_TEST(subject)
{
	struct buf out = BUF_INIT(4096);
	const char *value = subjects[_i].value;

	ck_assert_int_eq(mark_subject(subjects[_i].prefix, value, strlen(value), &out), 0);
	ck_assert_str_eq(text_of(&out), subjects[_i].want);
	buf_fini(&out);
}
END_TEST

/* No line gets longer than it may, and none of blanks alone comes to be. */
START_TEST(subject_of_a_long_line)
{
	char value[MARK_VALUE_MAX];

	for (size_t len = 900; len < sizeof value; len++) {
		struct buf out = BUF_INIT(4096);
		memset(value, 'x', sizeof value);
		value[0] = ' ';
		ck_assert_int_eq(mark_subject("[V]", value, len, &out), 0);
		ck_assert_str_eq(text_of(&out), sizeof "Subject: [V]" + len <= 998 ? " [V]" : " [V]\r\n");
		buf_clear(&out);
		memset(value, ' ', sizeof value);
		ck_assert_int_eq(mark_subject("[V]", value, len, &out), 0);
		ck_assert_str_eq(text_of(&out), " [V]");
		buf_fini(&out);
	}
}
END_TEST

START_TEST(results)
{
	static const struct { unsigned av; const char *virus, *want; } cases[] = {
		{ VERDICT_AV_CLEAN, "", "clean, is OK" },
		{ VERDICT_AV_INFECTED, "Eicar", "infected, Eicar" },
		{ VERDICT_AV_INFECTED | VERDICT_AV_ENCRYPTED, "", "infected, unknown" },
		{ VERDICT_AV_INFECTED, "a\r\nX-Evil: b\x7f\xc3\xa4", "infected, a??X-Evil: b???" },
		{ VERDICT_AV_DELETED, "Eicar", "cleaned, Eicar" },
		{ VERDICT_AV_DELETED | VERDICT_AV_ENCRYPTED, "Eicar", "not scanned (encrypted)" },
		{ VERDICT_AV_NOTSCANNED, "", "not scanned" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct verdict v = { .av = cases[i].av };
		struct buf out = BUF_INIT(4096);
		char want[200];
		strcpy(v.virus, cases[i].virus);
		snprintf(want, sizeof want, "X-EsetResult: %s\r\n", cases[i].want);
		ck_assert_int_eq(mark_av(&v, &out), 0);
		ck_assert_str_eq(text_of(&out), want);
		buf_fini(&out);
	}
}
END_TEST

START_TEST(scores)
{
	static const struct { enum verdict_as as; int milli; const char *want; } cases[] = {
		{ VERDICT_AS_SPAM, 100000, "X-ESET-AS: R=SPAM;S=100\r\nX-ESET-Antispam: SPAM\r\n" },
		{ VERDICT_AS_CLEAN, 0, "X-ESET-AS: R=OK;S=0\r\nX-ESET-Antispam: OK\r\n" },
		{ VERDICT_AS_CLEAN, 7560, "X-ESET-AS: R=OK;S=7.5\r\nX-ESET-Antispam: OK\r\n" },
		{ VERDICT_AS_CLEAN, -350, "X-ESET-AS: R=OK;S=-0.3\r\nX-ESET-Antispam: OK\r\n" },
		{ VERDICT_AS_SPAM, -2147483647 - 1,
		  "X-ESET-AS: R=SPAM;S=-2147483.6\r\nX-ESET-Antispam: SPAM\r\n" },
		{ VERDICT_AS_NONE, 5, "" },
		{ VERDICT_AS_NOTSCANNED, 5, "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct verdict v = { .as = cases[i].as, .as_score_milli = cases[i].milli };
		struct buf out = BUF_INIT(4096);
		ck_assert_int_eq(mark_as(&v, &out), 0);
		ck_assert_str_eq(text_of(&out), cases[i].want);
		buf_fini(&out);
	}
}
END_TEST

START_TEST(dry_run)
{
	struct buf out = BUF_INIT(4096);

	ck_assert_int_eq(mark_dry_run("rejected", "infected with \"x\r\ny\"", &out), 0);
	ck_assert_str_eq(text_of(&out), "X-Esets-Dry-Run: would be rejected, infected with \"x??y\"\r\n");
	buf_fini(&out);
}
END_TEST

/* A full buffer is an error, never half a field that looks whole. */
START_TEST(no_room)
{
	const struct verdict v = { .as = VERDICT_AS_SPAM };

	for (size_t max = 0; max < 8; max++) {
		struct buf out = BUF_INIT(max);
		ck_assert_int_eq(mark_subject("1234567890", " x", 2, &out), -1);
		ck_assert_int_eq(mark_subject("\xc3\xa4", " x", 2, &out), -1);
		ck_assert_int_eq(mark_av(&v, &out), -1);
		ck_assert_int_eq(mark_as(&v, &out), -1);
		ck_assert_int_eq(mark_dry_run("x", "y", &out), -1);
		buf_fini(&out);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mark");
	TCase *t = tcase_create("mark");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, subject, 0, (int)(sizeof subjects / sizeof *subjects));
	tcase_add_test(t, subject_of_a_long_line);
	tcase_add_test(t, results);
	tcase_add_test(t, scores);
	tcase_add_test(t, dry_run);
	tcase_add_test(t, no_room);
	return unit_run(s);
}
