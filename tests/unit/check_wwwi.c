/* check_wwwi.c - the pure parts of esets_wwwi: requests, who may ask, metrics,
 * the last hour, texts of strangers as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"
#include "series.h"
#include "stats.h"
#include "stats_view.h"
#include "unit.h"
#include "web_gate.h"
#include "web_json.h"
#include "web_req.h"

/* --- requests ------------------------------------------------------------ */

#define HOST "Host", "localhost"

/* What evhttp makes of a head: a target, then names and values. */
static const struct { unsigned status; enum web_method method; const char *target, *fields[8]; }
	requests[] = {
	{ 0, WEB_GET, "/", { HOST } }, { 0, WEB_HEAD, "/metrics?x=<>&y", { "hOsT", "localhost" } },
	{ 0, WEB_GET, "/", { HOST, "Content-Length", "0" } },
	{ 0, WEB_GET, "/", { HOST, "Content-Length", "000" } },
	{ 0, WEB_POST, "/", { HOST, "Content-Length", "17" } },
	{ 0, WEB_GET, "/", { HOST, "X-A", "", "X-A", "" } },
	{ 0, WEB_OTHER, "/", { HOST } },
	{ 400, WEB_GET, "/", { "X-Host", "localhost" } },
	{ 400, WEB_GET, "/", { HOST, HOST } },
	{ 400, WEB_GET, "/", { HOST, "HOST", "" } },
	{ 400, WEB_GET, "/", { "Authorization", "a", "authorization", "a", HOST } },
	{ 400, WEB_POST, "/", { HOST, "Origin", "a", "Origin", "b" } },
	{ 400, WEB_POST, "/", { HOST, "Sec-Fetch-Site", "same-origin", "sec-fetch-site", "none" } },
	{ 400, WEB_POST, "/", { HOST, "Content-Length", "1", "Content-Length", "2" } },
	{ 400, WEB_POST, "/", { HOST, "Content-Type", "a", "Content-Type", "b" } },
	{ 400, WEB_GET, "/", { "Host ", "localhost" } }, { 400, WEB_GET, "/", { HOST, "Host\t", "b" } },
	{ 400, WEB_GET, "/", { HOST, "", "a" } },
	{ 400, WEB_GET, "x", { HOST } }, { 400, WEB_GET, "", { HOST } },
	{ 400, WEB_GET, "http://localhost/", { HOST } }, { 400, WEB_GET, "*", { HOST } },
	{ 400, WEB_GET, "/#x", { HOST } }, { 400, WEB_GET, "/\x01", { HOST } },
	{ 400, WEB_GET, "/\xc3\xa4", { HOST } }, { 400, WEB_GET, "/ ", { HOST } },
	{ 413, WEB_GET, "/", { HOST, "Content-Length", "1" } },
	{ 413, WEB_GET, "/", { HOST, "Content-Length", "18446744073709551616" } },
	{ 413, WEB_HEAD, "/", { HOST, "Content-Length", "+0" } },
	{ 501, WEB_GET, "/", { HOST, "Transfer-Encoding", "identity" } },
	{ 501, WEB_POST, "/", { HOST, "transfer-encoding", "chunked" } },
};

static unsigned request_of(struct web_req *r, enum web_method method, const char *target,
	const char *const *fields)
{
	unsigned status = web_req_begin(r, method, target);

	for (unsigned i = 0; status == 0 && i < 8 && fields[i] != NULL; i += 2)
		status = web_req_field(r, fields[i], fields[i + 1]);
	return status != 0 ? status : web_req_end(r);
}

START_TEST(request)
{
	struct web_req r;

	ck_assert_uint_eq(request_of(&r, requests[_i].method, requests[_i].target,
		requests[_i].fields), requests[_i].status);
}
END_TEST

START_TEST(request_is_taken)
{
	static const char *const fields[8] = { "host", "[::1]:8080", "AUTHORIZATION", "Basic eDp5",
		"Origin", "http://[::1]:8080" };
	char target[200];
	struct web_req r;

	ck_assert_uint_eq(request_of(&r, WEB_GET, "/metrics?a=b", fields), 0);
	ck_assert_int_eq(r.method, WEB_GET);
	ck_assert_str_eq(r.path, "/metrics");
	ck_assert_str_eq(r.host, "[::1]:8080");
	ck_assert_str_eq(r.auth, "Basic eDp5");
	ck_assert_str_eq(r.origin, "http://[::1]:8080");
	ck_assert_str_eq(r.site, "");
	for (int n = 120; n < 140; n++) {
		sprintf(target, "/%0*d", n - 1, 0);
		ck_assert_uint_eq(request_of(&r, WEB_GET, target, fields), n <= 127 ? 0 : 414);
	}
}
END_TEST

static const struct { const char *form, *id; } forms[] = {
	{ "id=a", "a" }, { "id=a-b.c_D9&token=x", "a-b.c_D9" }, { "token=x&id=a", "a" },
	{ "id=", "" }, { "id=a&", "a" }, { "ids=x&id=a&i=y", "a" }, { "id=1234567", "1234567" },
	{ "", NULL }, { "id", NULL }, { "id=a&id=a", NULL }, { "id=12345678901234567890", NULL },
	{ "ID=a", NULL }, { "token=x", NULL }, { "id=a&token", NULL }, { "id=%61", NULL },
	{ "id=a+b", NULL }, { "id=../a", NULL }, { "id=a;token=b", NULL }, { "&id=a", NULL },
	{ "id=a=b", NULL }, { "id=a\n", NULL }, { "id=a&tok en=b", NULL }, { "id=\xc3\xa4", NULL },
};

START_TEST(form)
{
	const size_t n = strlen(forms[_i].form);
	char out[16], *copy = malloc(n + 1); /* a read beyond it is seen */

	ck_assert_ptr_nonnull(copy);
	copy = memcpy(copy + 1, forms[_i].form, n);
	const int rc = web_form_get(copy, n, "id", out, sizeof out);
	free(copy - 1);
	ck_assert_int_eq(rc, forms[_i].id != NULL ? 0 : -1);
	if (rc == 0)
		ck_assert_str_eq(out, forms[_i].id);
	ck_assert_int_eq(web_form_get("id=a\0b", 6, "id", out, sizeof out), -1);
}
END_TEST

/* --- who may ask --------------------------------------------------------- */

static enum web_answer gate(const char *own, const char *host, const char *user, const char *word,
	const char *auth)
{
	const struct web_req r = { .method = WEB_GET, .host = host, .auth = auth };
	struct web_gate g;

	ck_assert_int_eq(web_gate_init(&g, own, user, word), 0);
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

static const struct { const char *host, *origin, *site; bool is_ok; } origins[] = {
	{ "localhost:8080", "http://localhost:8080", "same-origin", true },
	{ "localhost:8080", "HTTP://LOCALHOST:8080", "", true }, { "localhost", "", "", true },
	{ "[::1]:8080", "http://[::1]:8080", "", true }, { "mx", "https://mx", "Same-Origin", true },
	{ "localhost:8080", "", "same-origin", true },
	{ "localhost:8080", "http://localhost", "", false },
	{ "localhost", "http://localhost:8080", "", false }, { "localhost", "null", "", false },
	{ "localhost", "localhost", "", false }, { "localhost", "http://", "", false },
	{ "localhost", "ftp://localhost", "", false }, { "localhost", "http://localhost.", "", false },
	{ "localhost", "http://attacker.example", "same-origin", false },
	{ "localhost", "http://localhost", "cross-site", false },
	{ "localhost", "http://localhost", "same-site", false },
	{ "localhost", "http://localhost", "none", false },
	{ "localhost", "", "same-origin, none", false }, { "", "http://", "", true },
};

START_TEST(origin)
{
	const struct web_req r = { .method = WEB_POST, .host = origins[_i].host,
		.origin = origins[_i].origin, .site = origins[_i].site };

	ck_assert_msg(web_gate_is_same_origin(&r) == origins[_i].is_ok, "%s", origins[_i].origin);
}
END_TEST

START_TEST(secret)
{
	ck_assert(web_gate_is_secret("0123456789abcdef", "0123456789abcdef"));
	ck_assert(!web_gate_is_secret("", "0123456789abcdef"));
	ck_assert(!web_gate_is_secret("0123456789abcde", "0123456789abcdef"));
	ck_assert(!web_gate_is_secret("0123456789abcdeF", "0123456789abcdef"));
	ck_assert(!web_gate_is_secret("0123456789abcdef0123456789abcdef", "0123456789abcdef"));
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
	tcase_add_loop_test(c, form, 0, sizeof forms / sizeof forms[0]);
	tcase_add_loop_test(c, host, 0, COUNT(hosts));
	tcase_add_loop_test(c, login, 0, COUNT(logins));
	tcase_add_test(c, login_is_bounded);
	tcase_add_loop_test(c, origin, 0, COUNT(origins));
	tcase_add_test(c, secret);
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
