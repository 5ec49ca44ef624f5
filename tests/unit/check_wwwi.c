/* check_wwwi.c - the pure parts of esets_wwwi: requests, who may ask, metrics,
 * the last hour, texts of strangers as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "http_req.h"
#include "metrics.h"
#include "series.h"
#include "stats.h"
#include "stats_view.h"
#include "unit.h"
#include "web_gate.h"
#include "web_json.h"

/* --- requests ------------------------------------------------------------ */

#define HOST "Host: localhost\r\n"

static const struct { const char *text; unsigned status; } requests[] = {
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", 0 },
	{ "GET / HTTP/1.0\r\n" HOST "\r\n", 0 },
	{ "GET /metrics?x=<>&y HTTP/1.1\r\nhOsT:localhost \t\r\nX-A:\r\n\r\n", 0 },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 0 },
	{ "GET / HTTP/1.1\r\n" HOST "\r\nGET /x HTTP/1.1\r\nbad", 0 },
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\n", 400 },
	{ "\n", 400 },
	{ "GET / HTTP/1.1\r\rx", 400 },
	{ "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /#x HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET x HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http://a/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /\r\n" HOST "\r\n", 400 },
	{ "GET\r\n\r\n", 400 },
	{ "GET \r\n\r\n", 400 },
	{ "\r\n\r\n", 400 },
	{ "GET / http/1.1\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.2\r\n" HOST "\r\n", 505 },
	{ "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
	{ "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", 413 },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 413 },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: +0\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 501 },
};

static int parse(const char *text, size_t n, struct http_req *r, unsigned *status)
{
	/* In a block of its own: a read beyond it is seen. */
	char *copy = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	int rc = http_req_parse(copy, n, r, status);
	free(copy);
	return rc;
}

/* Whole, and octet by octet: never accepted before its end, nor refused and
 * then accepted. */
START_TEST(request)
{
	const char *text = requests[_i].text;
	const unsigned want = requests[_i].status;
	const char *end = strstr(text, "\r\n\r\n");
	struct http_req r;
	unsigned status;
	int rc = parse(text, strlen(text), &r, &status);

	ck_assert_int_eq(rc, want == 0 ? 1 : -1);
	ck_assert_uint_eq(status, want);
	for (size_t n = 0; n < strlen(text); n++) {
		rc = parse(text, n, &r, &status);
		if (want == 0)
			ck_assert_int_eq(rc, n >= (size_t)(end - text) + 4);
		else
			ck_assert_int_le(rc, 0);
		ck_assert_uint_eq(status, rc < 0 ? status : 0);
	}
}
END_TEST

START_TEST(request_is_taken)
{
	const char *text = "GET /metrics?a=b HTTP/1.1\r\nhost:  [::1]:8080\t\r\n"
		"AUTHORIZATION: Basic eDp5\r\n\r\n";
	struct http_req r;
	unsigned status;

	ck_assert_int_eq(parse(text, strlen(text), &r, &status), 1);
	ck_assert_int_eq(r.method, HTTP_GET);
	ck_assert_str_eq(r.path, "/metrics");
	ck_assert_str_eq(r.host, "[::1]:8080");
	ck_assert_str_eq(r.auth, "Basic eDp5");
	text = "HEAD / HTTP/1.1\r\n" HOST "\r\n";
	ck_assert_int_eq(parse(text, strlen(text), &r, &status), 1);
	ck_assert_int_eq(r.method, HTTP_HEAD);
	ck_assert_str_eq(r.auth, "");
	text = "get / HTTP/1.1\r\n" HOST "\r\n";
	ck_assert_int_eq(parse(text, strlen(text), &r, &status), 1);
	ck_assert_int_eq(r.method, HTTP_OTHER);
}
END_TEST

START_TEST(request_is_bounded)
{
	static char text[3 * HTTP_HEAD_MAX];
	struct http_req r;
	unsigned status;

	memset(text, 'x', sizeof text);
	ck_assert_int_eq(parse(text, HTTP_HEAD_MAX - 1, &r, &status), 0);
	ck_assert_int_eq(parse(text, HTTP_HEAD_MAX, &r, &status), -1);
	ck_assert_uint_eq(status, 431);
	ck_assert_int_eq(parse(text, sizeof text, &r, &status), -1);
	ck_assert_uint_eq(status, 431);
	for (unsigned fields = HTTP_FIELDS_MAX; fields <= HTTP_FIELDS_MAX + 1; fields++) {
		char *p = text + sprintf(text, "GET / HTTP/1.1\r\n" HOST);
		for (unsigned i = 1; i < fields; i++)
			p += sprintf(p, "X: y\r\n");
		p += sprintf(p, "\r\n");
		ck_assert_int_eq(parse(text, (size_t)(p - text), &r, &status),
			fields <= HTTP_FIELDS_MAX ? 1 : -1);
	}
	ck_assert_uint_eq(status, 431);
	for (int n = 120; n < 140; n++) {
		int len = sprintf(text, "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", n - 1, 0);
		ck_assert_int_eq(parse(text, (size_t)len, &r, &status), n <= 127 ? 1 : -1);
		ck_assert_uint_eq(status, n <= 127 ? 0 : 414);
	}
	for (int n = 250; n < 260; n++) {
		int len = sprintf(text, "GET / HTTP/1.1\r\nHost: %0*d\r\n\r\n", n, 0);
		ck_assert_int_eq(parse(text, (size_t)len, &r, &status), n <= 255 ? 1 : -1);
	}
}
END_TEST

/* --- who may ask --------------------------------------------------------- */

static enum web_answer gate(const char *own, const char *host, const char *user, const char *word,
	const char *auth)
{
	struct http_req r = { .method = HTTP_GET };
	struct web_gate g;

	ck_assert_int_eq(web_gate_init(&g, own, user, word), 0);
	snprintf(r.host, sizeof r.host, "%s", host);
	snprintf(r.auth, sizeof r.auth, "%s", auth);
	return web_gate_ask(&g, &r);
}

static const struct { const char *own, *host; bool is_ok; } hosts[] = {
	{ "", "localhost", true }, { "", "LocalHost:8080", true }, { "", "127.0.0.1", true },
	{ "", "127.0.0.1:1", true }, { "", "[::1]", true }, { "", "[fe80::1]:8080", true },
	{ "", "192.0.2.1:80", true }, { "mx.example.net", "MX.example.net:8080", true },
	{ "mx.example.net", "mx", true }, { "mx", "mx", true }, { "mx", "mx:", true },
	{ "", "", false }, { "", ":80", false }, { "", "evil.example", false },
	{ "mx.example.net", "example.net", false }, { "mx.example.net", "mx.example", false },
	{ "mx.example.net", "m", false }, { "mx.example.net", "mx.", false },
	{ "", "localhost.evil.example", false }, { "", "127.0.0.1.evil.example", false },
	{ "", "localhost:80x", false }, { "", "localhost:80:80", false }, { "", "[::1", false },
	{ "", "[::1]x", false }, { "", "[::1]x:80", false }, { "", "[evil.example]", false },
	{ "", "[]", true }, { "", "::1", false }, { "", "0x7f.1", false },
	{ "", "localhost@evil.example", false }, { "", "localhost ", false },
};

START_TEST(host)
{
	ck_assert_msg(gate(hosts[_i].own, hosts[_i].host, "", "", "") ==
		(hosts[_i].is_ok ? WEB_OK : WEB_WRONG_HOST), "%s", hosts[_i].host);
}
END_TEST

static const struct { const char *user, *word, *auth; bool is_ok; } logins[] = {
	{ "", "", "", true }, { "", "", "Basic eDp5", true },
	{ "a", "b", "Basic YTpi", true }, { "a", "bc", "basic YTpiYw==", true },
	{ "a", "bcd", "BASIC  YTpiY2Q=", true }, { "user", "p\xc3\xa4:", "Basic dXNlcjpww6Q6", true },
	{ "a", "b", "", false }, { "a", "b", "Basic", false }, { "a", "b", "Basic ", false },
	{ "a", "b", "Basic YTpj", false }, { "a", "b", "Basic YTpiYTpi", false },
	{ "a", "b", "Basic YTp", false }, { "a", "b", "BasicYTpi", false },
	{ "a", "b", "Bearer YTpi", false }, { "a", "b", "Basic YTpi ", false },
	{ "a", "b", "YTpi", false },
};

START_TEST(login)
{
	ck_assert_msg(gate("", "localhost", logins[_i].user, logins[_i].word, logins[_i].auth) ==
		(logins[_i].is_ok ? WEB_OK : WEB_WHO), "%s", logins[_i].auth);
}
END_TEST

START_TEST(login_is_bounded)
{
	char word[WEB_SECRET_MAX + 10];
	struct web_gate g;

	memset(word, 'x', sizeof word);
	word[500] = '\0';
	ck_assert_int_eq(web_gate_init(&g, "", "a", word), 0);
	word[500] = 'x';
	word[sizeof word - 1] = '\0';
	ck_assert_int_eq(web_gate_init(&g, "", "a", word), -1);
}
END_TEST

/* --- counters ------------------------------------------------------------ */

static struct stats_view *view_of(void)
{
	const char *why;
	const off_t size = lseek(stats_fd(), 0, SEEK_END);
	void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, stats_fd(), 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	struct stats_view *v = stats_view_new(p, (size_t)size, &why);
	ck_assert_ptr_nonnull(v);
	return v;
}

START_TEST(metrics_of_a_table)
{
	struct buf b = BUF_INIT(1 << 20), small = BUF_INIT(100);

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	stats_thread(0, 0);
	stats_add(ST_MSGS_REJECTED, 3);
	stats_time(ST_TOTAL_TIME, 150);
	stats_time(ST_TOTAL_TIME, 2000000000);
	struct stats_view *v = view_of();
	ck_assert_int_eq(metrics_table(&b, v), 0);
	ck_assert_int_eq(metrics_table(&small, v), -1);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	const char *text = (const char *)buf_head(&b);
	static const char *const lines[] = {
		"\n# HELP esets_smtp_messages_total messages by what became of them\n"
		"# TYPE esets_smtp_messages_total counter\n"
		"esets_smtp_messages_total{outcome=\"accepted\"} 0\n"
		"esets_smtp_messages_total{outcome=\"rejected\"} 3\n",
		"\n# TYPE esets_smtp_message_seconds histogram\n"
		"esets_smtp_message_seconds_bucket{le=\"0.0001\"} 0\n"
		"esets_smtp_message_seconds_bucket{le=\"0.0002\"} 1\n",
		"\nesets_smtp_message_seconds_bucket{le=\"500\"} 1\n"
		"esets_smtp_message_seconds_bucket{le=\"+Inf\"} 2\n"
		"esets_smtp_message_seconds_sum 2000.000150\nesets_smtp_message_seconds_count 2\n",
		"\n# TYPE esets_smtp_sessions_open gauge\nesets_smtp_sessions_open 0\n",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		ck_assert_msg(strstr(text, lines[i]) != NULL, "%s in %s", lines[i], text);
	stats_view_free(&v);
	buf_fini(&b);
	buf_fini(&small);
}
END_TEST

START_TEST(gauges)
{
	struct buf b = BUF_INIT(1000);
	const struct metrics_gauge up = { .name = "up", .help = "is up", .key = "program",
		.value = "x", .number = 1, .has_head = true };
	const struct metrics_gauge n = { .name = "n", .help = "how many", .number = 7 };

	ck_assert_int_eq(metrics_gauge(&b, &up), 0);
	ck_assert_int_eq(metrics_gauge(&b, &n), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	ck_assert_str_eq((const char *)buf_head(&b),
		"# HELP up is up\n# TYPE up gauge\nup{program=\"x\"} 1\nn 7\n");
	buf_fini(&b);
}
END_TEST

/* --- the last hour ------------------------------------------------------- */

static const struct series_sample *newest(const struct series *s)
{
	return &s->s[(s->next + SERIES_SAMPLES - 1) % SERIES_SAMPLES];
}

START_TEST(rates_and_quantiles)
{
	static struct series s;

	ck_assert_int_eq(stats_init(STATS_AGENT, 1, 1), 0);
	stats_thread(0, 0);
	stats_add(ST_MSGS, 100);
	stats_time(ST_TOTAL_TIME, 400000000);
	struct stats_view *v = view_of();
	series_take(&s, v, NULL, 1000, 50);
	ck_assert(isnan(newest(&s)->v[SERIES_received]));
	ck_assert(isnan(newest(&s)->v[SERIES_requests]));
	stats_add(ST_MSGS, 20);
	stats_add(ST_SESSIONS_OPEN, 3);
	stats_time(ST_TOTAL_TIME, 150);
	series_take(&s, v, NULL, 11000, 60);
	ck_assert(fabs(newest(&s)->v[SERIES_received] - 2.0) < 1e-9);
	ck_assert(fabs(newest(&s)->v[SERIES_sessions] - 3.0) < 1e-9);
	ck_assert_msg(newest(&s)->v[SERIES_p99] <= 0.0002, "those of the interval");
	series_take(&s, v, NULL, 21000, 70);
	ck_assert(fabs(newest(&s)->v[SERIES_received]) < 1e-9);
	ck_assert(isnan(newest(&s)->v[SERIES_p50]));
	/* Started anew: it counts from zero. */
	stats_view_free(&v);
	s.agent.start_s--;
	v = view_of();
	series_take(&s, v, NULL, 31000, 80);
	ck_assert(isnan(newest(&s)->v[SERIES_received]));
	series_take(&s, NULL, NULL, 41000, 90);
	ck_assert(isnan(newest(&s)->v[SERIES_sessions]));
	ck_assert_uint_eq(s.n, 5);
	stats_view_free(&v);
}
END_TEST

/* A ring, whatever stands in it. */
START_TEST(hour_is_bounded)
{
	static struct series s;
	struct buf b = BUF_INIT(1 << 20);

	for (int i = 0; i < 1000; i++)
		series_take(&s, NULL, NULL, i * 10000LL, i);
	ck_assert_uint_eq(s.n, SERIES_SAMPLES);
	ck_assert_int_eq(series_json(&b, &s), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	const char *text = (const char *)buf_head(&b);
	ck_assert_ptr_nonnull(strstr(text, "\"samples\":[[640,null,"));
	ck_assert_ptr_nonnull(strstr(text, ",[999,null,"));
	ck_assert_ptr_null(strstr(text, "[1000,"));
	s.next = s.n = UINT32_MAX;
	s.s[3].v[0] = INFINITY;
	buf_clear(&b);
	ck_assert_int_eq(series_json(&b, &s), 0);
	series_take(&s, NULL, NULL, 0, 0);
	ck_assert_uint_lt(s.next, SERIES_SAMPLES);
	ck_assert_uint_eq(s.n, SERIES_SAMPLES);
	buf_fini(&b);
}
END_TEST

/* --- texts of strangers -------------------------------------------------- */

static const struct { const char *text, *json; } texts[] = {
	{ "", "\"\"" }, { "abc", "\"abc\"" },
	{ "<b>&'\"\\", "\"\\u003cb\\u003e\\u0026\\u0027\\u0022\\u005c\"" },
	{ "a\r\n\t\x1b[31m", "\"a\\u005cx0d\\u005cx0a\\u005cx09\\u005cx1b[31m\"" },
	{ "\xc3\xa4", "\"\xc3\xa4\"" }, { "\xff", "\"\\u005cxff\"" },
	{ "\xc0\xbc", "\"\\u005cxc0\\u005cxbc\"" }, { "\\x41", "\"\\u005cx41\"" },
	{ "</script>", "\"\\u003c/script\\u003e\"" },
};

START_TEST(text_as_json)
{
	struct buf b = BUF_INIT(10000);

	ck_assert_int_eq(web_json_text(&b, texts[_i].text), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	ck_assert_str_eq((const char *)buf_head(&b), texts[_i].json);
	buf_fini(&b);
}
END_TEST

START_TEST(text_is_cut)
{
	struct buf b = BUF_INIT(10000);
	char text[5000];

	memset(text, '<', sizeof text);
	text[sizeof text - 1] = '\0';
	ck_assert_int_eq(web_json_text(&b, text), 0);
	ck_assert_uint_le(buf_len(&b), 2 + 6 * WEB_TEXT_MAX);
	for (size_t i = 0; i < buf_len(&b); i++)
		ck_assert_int_ne(buf_head(&b)[i], '<');
	buf_fini(&b);
}
END_TEST

START_TEST(meta_as_json)
{
	const char *rcpts[12];
	struct buf b = BUF_INIT(10000);
	const struct quar_meta m = { .id = "20261121-113249-4f3a9c21", .time_s = 5, .seen = 1,
		.size = 7, .sha256 = "", .agent = "smtp", .session = "", .sender = "<i>", .rcpts = rcpts,
		.nrcpts = 12, .nrcpts_total = 40, .client = "", .helo = "", .queue_id = "", .name = "",
		.av = VERDICT_AV_INFECTED, .as = VERDICT_AS_SPAM, .as_score_milli = -500,
		.virus = "Eicar", .reason = "", .vdb = "" };

	for (size_t i = 0; i < 12; i++)
		rcpts[i] = "a@b";
	ck_assert_int_eq(web_json_meta(&b, &m), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	const char *text = (const char *)buf_head(&b);
	static const char *const parts[] = { "{\"id\":\"20261121-113249-4f3a9c21\",\"time\":5,",
		"\"score\":-0.500,", "\"av\":\"infected\",", "\"as\":\"spam\",",
		"\"sender\":\"\\u003ci\\u003e\",", "\"virus\":\"Eicar\",", "\"rcpts\":40,\"rcpt\":[\"a@b\"," };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		ck_assert_msg(strstr(text, parts[i]) != NULL, "%s in %s", parts[i], text);
	unsigned n = 0;
	for (const char *p = text; (p = strstr(p, "a@b")) != NULL; p++)
		n++;
	ck_assert_uint_eq(n, WEB_RCPTS_MAX);
	buf_fini(&b);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("wwwi");
	TCase *c = tcase_create("wwwi");

	tcase_add_loop_test(c, request, 0, COUNT(requests));
	tcase_add_test(c, request_is_taken);
	tcase_add_test(c, request_is_bounded);
	tcase_add_loop_test(c, host, 0, COUNT(hosts));
	tcase_add_loop_test(c, login, 0, COUNT(logins));
	tcase_add_test(c, login_is_bounded);
	tcase_add_test(c, metrics_of_a_table);
	tcase_add_test(c, gauges);
	tcase_add_test(c, rates_and_quantiles);
	tcase_add_test(c, hour_is_bounded);
	tcase_add_loop_test(c, text_as_json, 0, COUNT(texts));
	tcase_add_test(c, text_is_cut);
	tcase_add_test(c, meta_as_json);
	suite_add_tcase(s, c);
	return unit_run(s);
}
