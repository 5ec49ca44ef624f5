/* check_release_msg.c - what asks for a release and what answers: whole, cut anywhere,
 * and everything that it must not be. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "release_msg.h"
#include "unit.h"

#define ID "20261121-113249-4f3a9c21"
#define ASK "esets-release/1 ask\n"
#define ANSWER "esets-release/1 answer\n"

/* In a block of its own: a read beyond it is seen. */
static int parse_ask(const char *text, size_t n, struct release_ask *a)
{
	const char *why = NULL;
	char *copy = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	int rc = release_ask_parse(copy, n, a, &why);
	free(copy);
	ck_assert(rc == 0 || why != NULL);
	return rc;
}

static int parse_answer(const char *text, size_t n, struct release_answer *a)
{
	const char *why = NULL;
	char *copy = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	int rc = release_answer_parse(copy, n, a, &why);
	free(copy);
	ck_assert(rc == 0 || why != NULL);
	ck_assert(rc == 0 || !a->is_released);
	return rc;
}

START_TEST(ask_there_and_back)
{
	const struct release_ask a = { .id = ID, .released_s = 1795000000, .by = "a%b\n\"c\"" };
	struct buf b = BUF_INIT(RELEASE_MSG_MAX);
	struct release_ask got;

	ck_assert_int_eq(release_ask_format(&a, &b), 0);
	ck_assert_int_eq(parse_ask((char *)buf_head(&b), buf_len(&b), &got), 0);
	ck_assert_str_eq(got.id, ID);
	ck_assert_uint_eq(got.released_s, 1795000000);
	ck_assert_str_eq(got.by, "a%b\\x0a\\\"c\\\"");
	for (size_t n = 0; n < buf_len(&b); n++)
		ck_assert_int_eq(parse_ask((char *)buf_head(&b), n, &got), -1);
	buf_fini(&b);
}
END_TEST

START_TEST(answer_there_and_back)
{
	struct release_answer a = { .is_released = _i != 0, .text = "released to 2" }, got;
	struct buf b = BUF_INIT(RELEASE_MSG_MAX);

	memset(a.text + 13, 'x', sizeof a.text - 14);
	ck_assert_int_eq(release_answer_format(&a, &b), 0);
	ck_assert_int_eq(parse_answer((char *)buf_head(&b), buf_len(&b), &got), 0);
	ck_assert_int_eq(got.is_released, a.is_released);
	ck_assert_str_eq(got.text, a.text);
	for (size_t n = 0; n < buf_len(&b); n++)
		ck_assert_int_eq(parse_answer((char *)buf_head(&b), n, &got), -1);
	buf_fini(&b);
}
END_TEST

static const struct { const char *text; bool is_ok; } asks[] = {
	{ ASK "id=" ID "\nreleased=0\n\n", true },
	{ ASK "released=18446744073709551615\nby=\nid=" ID "\nnew=x\nnew=y\n\n", true },
	{ "", false }, { ASK "\n", false }, { ASK "id=" ID "\n\n", false },
	{ ASK "released=0\n\n", false }, { ASK "id=\nreleased=0\n\n", false },
	{ ASK "id=../../x\nreleased=0\n\n", false }, { ASK "id=" ID "0\nreleased=0\n\n", false },
	{ ASK "id=" ID "%2f\nreleased=0\n\n", false }, { ASK "id=" ID "%00\nreleased=0\n\n", false },
	{ ASK "id=20261321-113249-4f3a9c21\nreleased=0\n\n", false },
	{ ASK "id=" ID "\nid=" ID "\nreleased=0\n\n", false },
	{ ASK "id=" ID "\nreleased=0\nreleased=0\n\n", false },
	{ ASK "id=" ID "\nreleased=0\nby=a\nby=a\n\n", false },
	{ ASK "id=" ID "\nreleased=-1\n\n", false }, { ASK "id=" ID "\nreleased=\n\n", false },
	{ ASK "id=" ID "\nreleased=18446744073709551616\n\n", false },
	{ ASK "id=" ID "\nreleased=0\n\nx", false }, { ASK "id=" ID "\nreleased=0\n\n\n", false },
	{ ASK "id=" ID "\nreleased=0\nBy=a\n\n", false }, { ASK "id=" ID "\nreleased=0\nby\n\n", false },
	{ ASK "id=" ID "\r\nreleased=0\n\n", false }, { ANSWER "id=" ID "\nreleased=0\n\n", false },
	{ "esets-release/2 ask\nid=" ID "\nreleased=0\n\n", false },
	{ "esets-scan/1 ask\nid=" ID "\nreleased=0\n\n", false },
};

START_TEST(ask_forms)
{
	struct release_ask a;

	ck_assert_int_eq(parse_ask(asks[_i].text, strlen(asks[_i].text), &a), asks[_i].is_ok ? 0 : -1);
	if (asks[_i].is_ok)
		ck_assert_str_eq(a.id, ID);
}
END_TEST

static const struct { const char *text; int result; } answers[] = {
	{ ANSWER "result=released\n\n", 1 }, { ANSWER "result=kept\ntext=no\nx=y\n\n", 0 },
	{ ANSWER "\n", -1 }, { ANSWER "text=released\n\n", -1 }, { ANSWER "result=\n\n", -1 },
	{ ANSWER "result=yes\n\n", -1 }, { ANSWER "result=released\nresult=kept\n\n", -1 },
	{ ANSWER "result=kept\nresult=released\n\n", -1 }, { ANSWER "result=released\ntext=%\n\n", -1 },
	{ ANSWER "result=released\n", -1 }, { ASK "result=released\n\n", -1 },
	{ ANSWER "result=released\n\n\n", -1 }, { ANSWER "result=Released\n\n", -1 },
};

START_TEST(answer_forms)
{
	struct release_answer a;

	ck_assert_int_eq(parse_answer(answers[_i].text, strlen(answers[_i].text), &a),
		answers[_i].result < 0 ? -1 : 0);
	ck_assert_int_eq(a.is_released, answers[_i].result == 1);
}
END_TEST

START_TEST(bounded)
{
	static char text[2 * RELEASE_MSG_MAX];
	struct release_ask a;
	int n = snprintf(text, sizeof text, ASK "id=" ID "\nreleased=0\nby=");

	memset(text + n, 'x', sizeof text - (size_t)n);
	memcpy(text + RELEASE_MSG_MAX - 2, "\n\n", 2);
	ck_assert_int_eq(parse_ask(text, RELEASE_MSG_MAX, &a), 0);
	ck_assert_uint_lt(strlen(a.by), sizeof a.by);
	memset(text + RELEASE_MSG_MAX - 2, 'x', 2);
	memcpy(text + RELEASE_MSG_MAX - 1, "\n\n", 2);
	ck_assert_int_eq(parse_ask(text, RELEASE_MSG_MAX + 1, &a), -1);
}
END_TEST

/* One octet changed: what is released then is still a message that has an id. */
START_TEST(changed_at_random)
{
	static const char good[] = ASK "id=" ID "\nreleased=7\nby=somebody\n\n";
	char text[sizeof good];
	struct release_ask a;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		memcpy(text, good, sizeof good);
		for (int k = rand() % 3; k >= 0; k--)
			text[(size_t)rand() % (sizeof good - 1)] = (char)rand();
		if (parse_ask(text, sizeof good - 1, &a) == 0)
			ck_assert(quar_id_is_valid(a.id) && a.by[strcspn(a.by, "\n\r\x7f")] == '\0');
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("release_msg");
	TCase *c = tcase_create("release_msg");

	tcase_add_test(c, ask_there_and_back);
	tcase_add_loop_test(c, answer_there_and_back, 0, 2);
	tcase_add_loop_test(c, ask_forms, 0, sizeof asks / sizeof asks[0]);
	tcase_add_loop_test(c, answer_forms, 0, sizeof answers / sizeof answers[0]);
	tcase_add_test(c, bounded);
	tcase_add_test(c, changed_at_random);
	suite_add_tcase(s, c);
	return unit_run(s);
}
