/* check_mbox.c - mailboxes cut into messages, in every split; and what is taken
 * for a message or a mailbox at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail_kind.h"
#include "mbox.h"
#include "split.h"
#include "unit.h"

#define F "From a@b Sat Nov 21 10:00:00 2026\n"

/* All segments as "NUMBER.READING=[octets]", newlines as they are. */
static const char *cut(const char *text, unsigned mode)
{
	static char out[8192];
	struct split sp = split_init(mode);
	struct mbox_segment s[2];
	size_t n = strlen(text), w = 0;
	struct mbox m;
	unsigned got;

	mbox_init(&m);
	out[0] = '\0';
	for (size_t at = 0, is_over = 0; !is_over;) {
		if (at == n) {
			is_over = 1;
			got = mbox_end(&m, s);
		} else {
			size_t k = split_next(&sp, n - at);
			size_t used = mbox_push(&m, text + at, k, s, &got);
			need(used <= k && (got > 0 || used == k));
			at += used;
		}
		for (unsigned i = 0; i < got; i++) {
			need(s[i].from <= s[i].to && s[i].to <= n);
			w += (size_t)snprintf(out + w, sizeof out - w, "%d.%u=[%.*s]",
				(int)s[i].number, s[i].reading, (int)(s[i].to - s[i].from),
				text + s[i].from);
		}
	}
	return out;
}

static const struct { const char *name, *text, *want; } table[] = {
	{ "empty file", "", "" },
	{ "no mailbox", "hello\n", "0.0=[hello\n]" },
	{ "one", F "A: b\n\nx\n", "1.0=[A: b\n\nx\n]" },
	{ "one, empty line at the end", F "A: b\n\nx\n\n", "1.0=[A: b\n\nx\n]" },
	{ "two", F "A: b\n\nx\n\n" F "C: d\n\ny\n\n", "1.0=[A: b\n\nx\n]2.0=[C: d\n\ny\n]" },
	{ "CR LF", "From a 1:2\r\nA: b\r\n\r\nx\r\n\r\nFrom a 10:00\r\ny\r\n\r\n",
	  "1.0=[A: b\r\n\r\nx\r\n]2.0=[y\r\n]" },
	{ "no message behind the line", F F, "1.1=[]1.2=[]1.0=[" F "]" },
	{ "empty messages", F "\n" F "\n", "1.0=[]2.0=[]" },
	{ "no line end at the end", F "x\n\n" F "y", "1.0=[x\n]2.0=[y]" },
	{ "separator without its line end", F "x\n\nFrom a 10:00", "1.0=[x\n\nFrom a 10:00]" },
	{ "quoted", F "x\n\n>From a 10:00\ny\n", "1.0=[x\n\n>From a 10:00\ny\n]" },
	{ "blank in front", F "x\n\n From a 10:00\n", "1.0=[x\n\n From a 10:00\n]" },
	{ "no blank behind", F "x\n\nFrom: a 10:00\n", "1.0=[x\n\nFrom: a 10:00\n]" },
	{ "in front of the first", "x\n\n" F "y\n", "0.0=[x\n]1.0=[y\n]" },
	/* Lines that only some take for a separator. */
	{ "no time", F "x\n\nFrom here on\ny\n\n" F "z\n",
	  "1.1=[x\n]1.2=[y\n]1.0=[x\n\nFrom here on\ny\n]2.0=[z\n]" },
	{ "no empty line", F "x\n" F "y\n", "1.1=[x\n]1.2=[y\n]1.0=[x\n" F "y\n]" },
	{ "neither", F "x\nFrom us\ny", "1.1=[x\n]1.2=[y]1.0=[x\nFrom us\ny]" },
	{ "two of them", F "x\n\nFrom a\ny\n\nFrom b\nz\n\n" F "w\n",
	  "1.1=[x\n]1.2=[y\n]1.3=[z\n]1.0=[x\n\nFrom a\ny\n\nFrom b\nz\n]2.0=[w\n]" },
	{ "first line without a time", "From a\nx\n", "1.0=[x\n]" },
};

START_TEST(table_of_mailboxes)
{
	for (unsigned mode = 0; mode < SPLIT_MODES; mode++)
		for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
			const char *got = cut(table[i].text, mode);
			ck_assert_msg(strcmp(got, table[i].want) == 0, "%s:\n%s", table[i].name, got);
		}
}
END_TEST

/* The messages lie one behind the other and leave nothing out but separators
 * and the empty lines in front of them. */
START_TEST(nothing_is_left_out)
{
	static const char *const pieces[] = { "From ", "a 10:00", "\n", "\r\n", "x", ">", ":", "From" };
	char text[600];
	unsigned seed = 1;

	for (unsigned round = 0; round < 3000; round++) {
		size_t n = 0;
		text[0] = '\0';
		for (unsigned i = 0; i < 40; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s",
				pieces[split_random(&seed) % 8]);
		char *whole = strdup(cut(text, SPLIT_WHOLE));
		ck_assert_str_eq(cut(text, SPLIT_OCTETS), whole);
		ck_assert_str_eq(cut(text, 2 + round % 6), whole);
		free(whole);
		struct mbox_segment s[2];
		struct mbox m;
		uint64_t end = 0, number = 0;
		unsigned got;
		mbox_init(&m);
		for (size_t at = 0;; ) {
			bool is_over = at == n;
			if (is_over)
				got = mbox_end(&m, s);
			else
				at += mbox_push(&m, text + at, n - at, s, &got);
			for (unsigned i = 0; i < got; i++) {
				if (s[i].reading > 0)
					continue;
				const char *line = text + end + strspn(text + end, "\r\n");
				need(s[i].from >= end && s[i].number >= number);
				need(s[i].from == end || strncmp(line, "From ", 5) == 0);
				need(s[i].from == end || memchr(line, '\n', (size_t)(text + s[i].from -
					line)) == text + s[i].from - 1);
				end = s[i].to;
				number = s[i].number + 1;
			}
			if (is_over)
				break;
		}
		ck_assert_uint_eq(end + strspn(text + end, "\r\n"), n);
	}
}
END_TEST

static const struct { const char *text; size_t n; enum mail_kind kind; } kinds[] = {
#define K(text, kind) { text, sizeof(text) - 1, MAIL_KIND_##kind }
	K("", OTHER), K("hello\n", OTHER), K("From: a@b\n\nx", MAIL), K("From: a@b", MAIL),
	K("Received: from a\r\n\tby b\r\nSubject: x\r\n\r\n", MAIL), K("subject : x\n\n", MAIL),
	K("X-Any: x\nTo: y\n\n", MAIL), K("X-Any: x\n\nTo: y\n", OTHER), K("Key: value\n", OTHER),
	K("\nFrom: a@b\n", OTHER), K(" From: a@b\n", OTHER), K("no field\nFrom: a\n\n", OTHER),
	K("From: a@b\nno field\n\n", OTHER), K("From: a\nSubj", MAIL), K("PK\3\4From: a\n", OTHER),
	K("From: a\0b\n\n", OTHER), K("Subject: x\0\0\0\0\0\0\0ustar", OTHER),
	K("#!/bin/sh\nTo: x\n", OTHER), K("From\xc3\xa4: a\nTo: b\n", OTHER),
	K("From a@b Sat Nov 21 10:00:00 2026\nFrom: a@b\n\nx\n", MBOX),
	K("From here on all is well\nand so on\n", OTHER), K("From a@b\n", OTHER),
	K("From a@b", OTHER), K("From a\n\nTo: b\n", OTHER),
};

START_TEST(kind_table)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		ck_assert_msg(mail_kind_of(kinds[i].text, kinds[i].n) == kinds[i].kind, "%s",
			kinds[i].text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mbox");
	TCase *tc = tcase_create("mbox");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, table_of_mailboxes);
	tcase_add_test(tc, nothing_is_left_out);
	tcase_add_test(tc, kind_table);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
