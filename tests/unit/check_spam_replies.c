/* check_spam_replies.c - answers of spamd and rspamd: whole, octet by octet and
 * cut at random; what is one, and what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_reply.h"
#include "rspamd_reply.h"
#include "score.h"
#include "spamd_reply.h"
#include "split.h"
#include "unit.h"

START_TEST(scores)
{
	static const struct { const char *text; int milli; } good[] = {
		{ "0", 0 }, { "5", 5000 }, { "-2.5", -2500 }, { "1.0004", 1000 }, { "1.0006", 1001 },
		{ "-0.0006", -1 }, { "15e-1", 1500 }, { "1E+2", 100000 }, { "-0", 0 },
		{ "1e400", SCORE_MAX_MILLI }, { "-1e400", -SCORE_MAX_MILLI }, { "1e-400", 0 },
		{ "99999999", SCORE_MAX_MILLI },
	};
	static const char *const bad[] = { "", "-", "+1", "01", "1.", ".5", "1e", "1e+", "nan", "inf",
		"0x10", "1 ", " 1", "1,5", "--1",
		"0.00000000000000000000000000000000000000000000000000000000000000001" };
	int milli;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ck_assert_msg(score_parse(good[i].text, strlen(good[i].text), &milli) == 0, "%s",
			good[i].text);
		ck_assert_msg(milli == good[i].milli, "%s: %d", good[i].text, milli);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(score_parse(bad[i], strlen(bad[i]), &milli) < 0, "%s", bad[i]);
	ck_assert_uint_eq(score_number_len("-1.5e3x", 7), 6);
}
END_TEST

/* --- spamd ------------------------------------------------------------------ */

typedef int (*spamd_parse_fn)(const char *p, size_t n, bool is_end, struct spamd_reply *r);

/* Gives the parser one octet more at a time, or more; the last result. Each
 * time in a block of its own, so that a read beyond it is seen. */
static int feed_spamd(spamd_parse_fn parse, const char *in, size_t n, unsigned mode,
	struct spamd_reply *r, char **copy)
{
	struct split s = split_init(mode);
	size_t at = 0;
	int got = 0;

	*copy = NULL;
	while (got == 0) {
		at += at < n ? split_next(&s, n - at) : 0;
		free(*copy);
		*copy = malloc(at > 0 ? at : 1);
		memcpy(*copy, in, at);
		got = parse(*copy, at, false, r);
		if (got == 0 && at == n)
			return parse(*copy, at, true, r);
	}
	return got;
}

static const struct {
	const char *text;
	int got;
	bool is_spam;
	int score, threshold;
	const char *body;
} spamd_rows[] = {
	{ "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 15.2 / 5.0\r\n\r\n", 1, true, 15200, 5000, "" },
	{ "SPAMD/1.1 0 EX_OK\nSpam: False ; -1 / 5\n\n", 1, false, -1000, 5000, "" },
	{ "SPAMD/1.5 0 EX_OK\r\nContent-length: 3\r\nSPAM:yes;1/2\r\n\r\nabcd", 1, true, 1000, 2000,
	  "abc" },
	{ "SPAMD/1.1 0\r\nX: y\r\nSpam: No ; 0 / 5 \r\n\r\n", 1, false, 0, 5000, "" },
	{ "SPAMD/1.1 0 EX_OK\r\n\r\n", -1, 0, 0, 0, "an answer without a verdict" },
	{ "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 1 / 5\r\n", -1, 0, 0, 0, "an answer without an end" },
	{ "SPAMD/1.1 0 EX_OK\r\nContent-length: 3\r\nSpam: True ; 1 / 5\r\n\r\nab", -1, 0, 0, 0,
	  "an answer without an end" },
	{ "SPAMD/1.0 76 Bad header line: x\r\n", -1, 0, 0, 0, "76 Bad header line: x" },
	{ "SPAMD/1.0 00 EX_OK\r\nSpam: False ; 0 / 5\r\n\r\n", -1, 0, 0, 0, "00 EX_OK" },
	{ "SPAMD/ 0 EX_OK\r\nSpam: False ; 0 / 5\r\n\r\n", -1, 0, 0, 0, "not an answer of spamd" },
	{ "SPAMD/1.1 OK\r\n", -1, 0, 0, 0, "not an answer of spamd" },
	{ "SPAMD/1.1 0x\r\n", -1, 0, 0, 0, "not an answer of spamd" },
	{ "spamd/1.1 0 EX_OK\r\n", -1, 0, 0, 0, "not an answer of spamd" },
	{ "\r\n", -1, 0, 0, 0, "not an answer of spamd" },
	{ "", -1, 0, 0, 0, "an answer without an end" },
	{ "SPAMD/1.1 0 K\r\nSpam: Maybe ; 1 / 5\r\n\r\n", -1, 0, 0, 0, "a line Spam: that is none" },
	{ "SPAMD/1.1 0 K\r\nSpam: True 1 / 5\r\n\r\n", -1, 0, 0, 0, "a line Spam: that is none" },
	{ "SPAMD/1.1 0 K\r\nSpam: True ; 1\r\n\r\n", -1, 0, 0, 0, "a line Spam: that is none" },
	{ "SPAMD/1.1 0 K\r\nSpam: True ; 1 / 5 x\r\n\r\n", -1, 0, 0, 0, "a line Spam: that is none" },
	{ "SPAMD/1.1 0 K\r\nSpam:\r\n\r\n", -1, 0, 0, 0, "a line Spam: that is none" },
	{ "SPAMD/1.1 0 K\r\nSpam: No ; 1 / 5\r\nSpam: No ; 1 / 5\r\n\r\n", -1, 0, 0, 0,
	  "a line Spam: that is none" },
	{ "SPAMD/1.1 0 K\r\nContent-length: -1\r\nSpam: No ; 1 / 5\r\n\r\n", -1, 0, 0, 0,
	  "a Content-length that is none" },
	{ "SPAMD/1.1 0 K\r\nContent-length: 9999999999\r\nSpam: No ; 1 / 5\r\n\r\n", -1, 0, 0, 0,
	  "a Content-length that is none" },
};

START_TEST(spamd)
{
	for (size_t i = 0; i < sizeof spamd_rows / sizeof spamd_rows[0]; i++) {
		for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
			const char *text = spamd_rows[i].text;
			struct spamd_reply r;
			char *copy;
			int got = feed_spamd(spamd_reply_parse, text, strlen(text), mode, &r, &copy);
			ck_assert_msg(got == spamd_rows[i].got, "%s: %d", text, got);
			if (got < 0)
				ck_assert_str_eq(r.why, spamd_rows[i].body);
			else
				ck_assert_msg(r.is_spam == spamd_rows[i].is_spam &&
					r.score_milli == spamd_rows[i].score &&
					r.threshold_milli == spamd_rows[i].threshold &&
					r.body_len == strlen(spamd_rows[i].body) &&
					memcmp(r.body, spamd_rows[i].body, r.body_len) == 0, "%s", text);
			free(copy);
		}
	}
}
END_TEST

START_TEST(spamd_too_long)
{
	size_t n = SPAMD_HEAD_MAX + 100;
	char *in = malloc(n), *copy;
	struct spamd_reply r;

	memset(in, 'x', n);
	for (unsigned mode = 0; mode < SPLIT_MODES; mode += mode == 0 ? 2 : 1) {
		need(feed_spamd(spamd_reply_parse, in, n, mode, &r, &copy) == -1);
		free(copy);
	}
	memcpy(in, "SPAMD/1.1 0 EX_OK\r\n", 19);
	for (unsigned mode = 0; mode < SPLIT_MODES; mode += mode == 0 ? 2 : 1) {
		need(feed_spamd(spamd_reply_parse, in, n, mode, &r, &copy) == -1);
		ck_assert_str_eq(r.why, "an answer that is too long");
		free(copy);
	}
	free(in);
}
END_TEST

START_TEST(pong)
{
	static const struct { const char *text; int got; } rows[] = {
		{ "SPAMD/1.5 0 PONG\r\n", 1 }, { "SPAMD/1.5 0 pong\n", 1 }, { "SPAMD/1.5 0 \r\n", -1 },
		{ "SPAMD/1.5 0\r\n", -1 }, { "SPAMD/1.5 1 PONG\r\n", -1 }, { "PONG\r\n", -1 },
		{ "SPAMD/1.5 0 PONG", -1 }, { "", -1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
			struct spamd_reply r;
			char *copy;
			int got = feed_spamd(spamd_reply_pong, rows[i].text, strlen(rows[i].text), mode,
				&r, &copy);
			ck_assert_msg(got == rows[i].got, "%s: %d", rows[i].text, got);
			free(copy);
		}
	}
}
END_TEST

/* --- HTTP -------------------------------------------------------------------- */

static int feed_http(const char *in, size_t n, unsigned mode, struct http_reply *r, char **copy)
{
	struct split s = split_init(mode);
	const char *why = NULL;
	size_t at = 0;
	int got = 0;

	*copy = NULL;
	while (got == 0) {
		at += at < n ? split_next(&s, n - at) : 0;
		free(*copy);
		*copy = malloc(at > 0 ? at : 1);
		memcpy(*copy, in, at);
		got = http_reply_parse(*copy, at, false, r, &why);
		if (got == 0 && at == n) {
			got = http_reply_parse(*copy, at, true, r, &why);
			break;
		}
	}
	need(got >= 0 || why != NULL);
	return got;
}

START_TEST(http)
{
	static const struct { const char *text; int status; const char *body; } rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc" },
		{ "HTTP/1.0 200\r\ncontent-length:3 \r\nX: y\r\n\r\nabcd", 200, "abc" },
		{ "HTTP/1.1 404 No\n\nabc", 404, "abc" },
		{ "HTTP/1.1 500 No\r\n\r\n", 500, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 200, "a" },
		{ "", 0, NULL }, { "HTTP/1.1 200 OK\r\n", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\na", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 0, NULL },
		{ "HTTP/2 200 OK\r\n\r\n", 0, NULL }, { "HTTP/1.1 99 OK\r\n\r\n", 0, NULL },
		{ "HTTP/1.1 600 OK\r\n\r\n", 0, NULL }, { "HTTP/1.1 2000 OK\r\n\r\n", 0, NULL },
		{ "HTTP/1.1 20\r\n\r\n", 0, NULL }, { "220 hello\r\n", 0, NULL }, { "\r\n\r\n", 0, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
			struct http_reply r;
			char *copy;
			int got = feed_http(rows[i].text, strlen(rows[i].text), mode, &r, &copy);
			ck_assert_msg((got == 1) == (rows[i].body != NULL), "%s: %d", rows[i].text, got);
			if (got == 1)
				ck_assert_msg(r.status == rows[i].status &&
					r.body_len == strlen(rows[i].body) &&
					memcmp(r.body, rows[i].body, r.body_len) == 0, "%s", rows[i].text);
			free(copy);
		}
	}
}
END_TEST

START_TEST(http_too_long)
{
	size_t n = HTTP_HEAD_MAX + 100;
	char *in = malloc(n), *copy;
	struct http_reply r;

	memset(in, 'x', n);
	memcpy(in, "HTTP/1.1 200 OK\r\nX: ", 20);
	memcpy(in + n - 4, "\r\n\r\n", 4);
	for (unsigned mode = 0; mode < SPLIT_MODES; mode += mode == 0 ? 2 : 1) {
		need(feed_http(in, n, mode, &r, &copy) == -1);
		free(copy);
	}
	free(in);
}
END_TEST

/* --- rspamd ------------------------------------------------------------------- */

static int parse(const char *text, size_t n, struct rspamd_reply *r)
{
	char *copy = malloc(n > 0 ? n : 1);
	const char *why = NULL;

	memcpy(copy, text, n);
	int got = rspamd_reply_parse(copy, n, r, &why);
	need(got == 0 || why != NULL);
	free(copy);
	return got;
}

START_TEST(rspamd)
{
	static const struct { const char *text, *action; int score; } rows[] = {
		{ "{\"action\":\"reject\",\"score\":15.5}", "reject", 15500 },
		{ " { \"score\" : -1 , \"action\" : \"no action\" } \n", "no action", -1000 },
		{ "{\"action\":\"a\\n\\u0041\\u00e4\\\"\",\"score\":0}", "a\nA?\"", 0 },
		{ "{\"\\u0061ction\":\"x\",\"score\":0,\"x\":{\"action\":\"y\"},\"z\":[],\"w\":{}}", "x", 0 },
		{ "{\"action\":\"x\",\"score\":1e1,\"a\":[true,false,null,-1.5e-3,\"\",[[]]]}", "x", 10000 },
		{ "{\"actions\":\"y\",\"action\":\"x\",\"score\":1}", "x", 1000 },
		{ "", NULL, 0 }, { "{}", NULL, 0 }, { "[]", NULL, 0 }, { "null", NULL, 0 }, { "{", NULL, 0 },
		{ "{\"action\":\"x\"}", NULL, 0 }, { "{\"score\":1}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":1", NULL, 0 }, { "{\"action\":\"x\",\"score\":1}}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":1,}", NULL, 0 }, { "{,\"action\":\"x\",\"score\":1}", NULL, 0 },
		{ "{\"action\":\"x\" \"score\":1}", NULL, 0 }, { "{\"action\":1,\"score\":1}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":\"1\"}", NULL, 0 }, { "{\"action\":\"x\",\"score\":}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":NaN}", NULL, 0 }, { "{'action':'x','score':1}", NULL, 0 },
		{ "{\"action\":\"x\ny\",\"score\":1}", NULL, 0 }, { "{\"action\":\"x\\q\",\"score\":1}", NULL, 0 },
		{ "{\"action\":\"x\\u12\",\"score\":1}", NULL, 0 }, { "{\"action\":\"x\\", NULL, 0 },
		{ "{\"action\":\"x\",\"action\":\"x\",\"score\":1}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":1,\"scor\\u0065\":1}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":1,\"a\":tru}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":1,\"a\":[1,]}", NULL, 0 },
		{ "{\"action\":\"x\",\"score\":1,\"a\":[1}}", NULL, 0 },
	};
	struct rspamd_reply r;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int got = parse(rows[i].text, strlen(rows[i].text), &r);
		ck_assert_msg((got == 0) == (rows[i].action != NULL), "%s", rows[i].text);
		if (got == 0)
			ck_assert_msg(strcmp(r.action, rows[i].action) == 0 &&
				r.score_milli == rows[i].score, "%s", rows[i].text);
		/* No beginning of an answer is one. */
		for (size_t n = 0; got == 0 && n + 4 < strlen(rows[i].text); n++)
			need(parse(rows[i].text, n, &r) < 0);
	}
	ck_assert_int_eq(parse("{\"action\":\"x\\u0000y\0\",\"score\":1}", 32, &r), -1);
}
END_TEST

START_TEST(rspamd_depth)
{
	char text[400];
	struct rspamd_reply r;

	for (int depth = 1; depth < 100; depth++) {
		int n = sprintf(text, "{\"action\":\"x\",\"score\":1,\"a\":");
		memset(text + n, '[', (size_t)depth);
		memset(text + n + depth, ']', (size_t)depth);
		text[n + 2 * depth] = '}';
		int got = parse(text, (size_t)(n + 2 * depth + 1), &r);
		ck_assert_int_eq(got, depth < RSPAMD_DEPTH_MAX ? 0 : -1);
	}
}
END_TEST

START_TEST(rspamd_actions)
{
	static const struct { const char *action; enum rspamd_means means; } rows[] = {
		{ "no action", RSPAMD_HAM }, { "greylist", RSPAMD_HAM }, { "add header", RSPAMD_SPAM },
		{ "rewrite subject", RSPAMD_SPAM }, { "quarantine", RSPAMD_SPAM },
		{ "discard", RSPAMD_SPAM }, { "reject", RSPAMD_SPAM }, { "soft reject", RSPAMD_LATER },
		{ "", RSPAMD_UNKNOWN }, { "No action", RSPAMD_UNKNOWN }, { "reject ", RSPAMD_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rspamd_reply r = { .has_action = true };
		snprintf(r.action, sizeof r.action, "%s", rows[i].action);
		ck_assert_msg(rspamd_reply_means(&r) == rows[i].means, "%s", rows[i].action);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spam_replies");
	TCase *tc = tcase_create("spam_replies");

	tcase_add_test(tc, scores);
	tcase_add_test(tc, spamd);
	tcase_add_test(tc, spamd_too_long);
	tcase_add_test(tc, pong);
	tcase_add_test(tc, http);
	tcase_add_test(tc, http_too_long);
	tcase_add_test(tc, rspamd);
	tcase_add_test(tc, rspamd_depth);
	tcase_add_test(tc, rspamd_actions);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
