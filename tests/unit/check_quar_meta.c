/* check_quar_meta.c - ids, metadata and filters of the quarantine. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quar_meta.h"
#include "unit.h"

#define H "esets-quarantine/1\n"
#define ID "20261121-113249-4f3a9c21"
#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* --- ids ------------------------------------------------------------------ */

START_TEST(id_round_trip)
{
	static const int64_t times[] = { 0, 1, 951782400, 1795260769, 4102444799, 253402300799 };
	char id[QUAR_ID_SIZE];

	for (int i = 0; i < COUNT(times); i++) {
		quar_id_format(id, times[i] * 1000000 + i, UINT32_MAX - (uint32_t)i);
		ck_assert_msg(quar_id_is_valid(id), "%s", id);
		ck_assert_int_eq(quar_id_time(id), times[i]);
	}
	quar_id_format(id, 1795260769324521, 0xabcdec21);
	ck_assert_str_eq(id, "20261121-113249-4f3a9c21");
	ck_assert_uint_eq(quar_id_tag(id), 0xc21);
	quar_id_format(id, -5, 0);
	ck_assert_str_eq(id, "19700101-000000-00000000");
	quar_id_format(id, INT64_MAX, 1);
	ck_assert_str_eq(id, "99991231-235959-f423f001");
}
END_TEST

static const char *const bad_ids[] = {
	"", "x", ID "0", "20261121-113249-4f3a9c2", "20261121-113249-4F3A9C21",
	"20261121-113249-4f3a9c2g", "20261121-113249/4f3a9c21", "20261121.113249-4f3a9c21",
	"20260231-113249-4f3a9c21", "20261321-113249-4f3a9c21", "20261100-113249-4f3a9c21",
	"20261121-243249-4f3a9c21", "20261121-116049-4f3a9c21", "20261121-113260-4f3a9c21",
	"19691121-113249-4f3a9c21", "00000000-000000-00000000", "../../../../../etc/passwd",
	"2026112\xff-113249-4f3a9c21", " 0261121-113249-4f3a9c21", "20261121-113249-4f3a9c21\n",
	"+0261121-113249-4f3a9c21", "..261121-113249-4f3a9c21",
};

START_TEST(id_bad)
{
	ck_assert_msg(!quar_id_is_valid(bad_ids[_i]), "%s", bad_ids[_i]);
}
END_TEST

/* --- metadata --------------------------------------------------------------- */

static const char *const rcpts[] = { "b@example.net", "c d@example.net", "" };

static const struct quar_meta full = {
	.id = ID, .time_s = 1795260769, .seen = 3, .last_s = 1795260800, .released_s = 1795260770, .size = UINT64_MAX,
	.sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	.agent = "smtp", .session = "4f2a.1", .sender = "\"a=%\n\"@example.org", .rcpts = rcpts,
	.nrcpts = 2, .nrcpts_total = 7, .client = "192.0.2.1", .helo = "mx\x1b[2J",
	.queue_id = "4Xy", .name = "", .av = VERDICT_AV_INFECTED | VERDICT_AV_OVERLIMIT,
	.as = VERDICT_AS_SPAM, .as_score_milli = -5500, .virus = "Eicar 100%",
	.reason = "too deep", .vdb = "builtin:1",
};

START_TEST(meta_octets)
{
	static const char want[] = H "size=18446744073709551615\nid=" ID "\ntime=1795260769\n"
		"seen=3\nlast=1795260800\nreleased=1795260770\nsha256=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaa\nagent=smtp\nsession=4f2a.1\nclient=192.0.2.1\nhelo=mx%1B[2J\n"
		"queue_id=4Xy\nav=infected:overlimit\nvirus=Eicar 100%25\nas=spam\n"
		"as_score_milli=-5500\nreason=too deep\nvdb=builtin:1\n"
		"sender=\"a=%25%0A\"@example.org\nrcpts=7\nrcpt=b@example.net\n"
		"rcpt=c d@example.net\n\n";
	struct buf b = BUF_INIT(SCAN_MSG_MAX);

	ck_assert_int_eq(quar_meta_format(&full, &b), 0);
	ck_assert_uint_eq(buf_len(&b), sizeof want - 1);
	ck_assert_mem_eq(buf_head(&b), want, sizeof want - 1);
	buf_fini(&b);
}
END_TEST

START_TEST(meta_round_trip)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX), again = BUF_INIT(SCAN_MSG_MAX);
	struct scan_msg_store store;
	struct quar_meta m;
	const char *why = NULL;

	ck_assert_int_eq(quar_meta_format(&full, &b), 0);
	ck_assert_int_eq(quar_meta_parse(buf_head(&b), buf_len(&b), &m, &store, &why), 0);
	ck_assert_str_eq(m.sender, full.sender);
	ck_assert_str_eq(m.helo, full.helo);
	ck_assert_uint_eq(m.nrcpts, 2);
	ck_assert_str_eq(m.rcpts[1], rcpts[1]);
	ck_assert_uint_eq(m.av, full.av);
	ck_assert_int_eq(m.as, full.as);
	ck_assert_int_eq(m.as_score_milli, full.as_score_milli);
	ck_assert_uint_eq(m.size, UINT64_MAX);
	ck_assert_int_eq(quar_meta_format(&m, &again), 0);
	ck_assert_uint_eq(buf_len(&again), buf_len(&b));
	ck_assert_mem_eq(buf_head(&again), buf_head(&b), buf_len(&b));
	scan_msg_store_fini(&store);
	/* Every shorter one is broken: a file that was cut is no other file. */
	for (size_t n = 0; n < buf_len(&b); n++)
		ck_assert_int_eq(quar_meta_parse(buf_head(&b), n, &m, &store, &why), -1);
	buf_fini(&b);
	buf_fini(&again);
}
END_TEST

START_TEST(meta_defaults)
{
	static const char text[] = H "size=0\nfuture=x\n\n";
	struct scan_msg_store store;
	struct quar_meta m;
	const char *why;

	ck_assert_int_eq(quar_meta_parse(text, sizeof text - 1, &m, &store, &why), 0);
	ck_assert(m.id[0] == '\0' && m.sender[0] == '\0' && m.vdb[0] == '\0' && m.name[0] == '\0');
	ck_assert(m.nrcpts == 0 && m.nrcpts_total == 0 && m.av == VERDICT_AV_CLEAN);
	ck_assert(m.seen == 0 && m.last_s == 0);
	scan_msg_store_fini(&store);
	/* A file of a version that did not count: it came once. */
	static const char old[] = H "size=0\nid=" ID "\ntime=5\n\n";
	ck_assert_int_eq(quar_meta_parse(old, sizeof old - 1, &m, &store, &why), 0);
	ck_assert(m.seen == 1 && m.last_s == 5);
	scan_msg_store_fini(&store);
}
END_TEST

START_TEST(meta_many_rcpts)
{
	static char names[SCAN_MSG_RCPTS_MAX][1001];
	const char *list[SCAN_MSG_RCPTS_MAX];
	struct quar_meta m = full;
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct scan_msg_store store;
	const char *why;

	for (unsigned i = 0; i < SCAN_MSG_RCPTS_MAX; i++) {
		memset(names[i], 'r', 1000);
		list[i] = names[i];
	}
	m.rcpts = list;
	m.nrcpts = m.nrcpts_total = SCAN_MSG_RCPTS_MAX;
	ck_assert_int_eq(quar_meta_format(&m, &b), 0);
	ck_assert_uint_le(buf_len(&b), SCAN_MSG_MAX);
	ck_assert_int_eq(quar_meta_parse(buf_head(&b), buf_len(&b), &m, &store, &why), 0);
	ck_assert_uint_gt(m.nrcpts, 50);
	ck_assert_uint_lt(m.nrcpts, SCAN_MSG_RCPTS_MAX);
	ck_assert_uint_eq(m.nrcpts_total, SCAN_MSG_RCPTS_MAX);
	scan_msg_store_fini(&store);
	buf_fini(&b);
	struct buf small = BUF_INIT(40);
	ck_assert_int_eq(quar_meta_format(&m, &small), -1);
	ck_assert_uint_eq(buf_len(&small), 0);
	buf_fini(&small);
}
END_TEST

static const char *const bad_metas[] = {
	"", H, H "\n", "esets-quarantine/2\nsize=1\n\n", "esets-scan/1 scan\nsize=1\n\n",
	H "size=1\n", H "size=1\n\nx", H "size=1\nsize=1\n\n", H "size=-1\n\n", H "size=\n\n",
	H "size=18446744073709551616\n\n", H "size=1\nid=../../etc/passwd\n\n",
	H "size=1\nid=\n\n", H "size=1\nsha256=abc\n\n", H "size=1\nav=fine\n\n",
	H "size=1\nas=maybe\n\n", H "size=1\nas_score_milli=1.5\n\n",
	H "size=1\nas_score_milli=2147483648\n\n", H "size=1\nrcpts=4294967296\n\n",
	H "size=1\nrcpts=1\nrcpt=a\nrcpt=b\n\n", H "size=1\nvirus=%00\n\n",
	H "size=1\nvirus=\x01\n\n", H "size=1\nvirus=%1\n\n", H "size=1\nNAME=x\n\n",
	H "size=1\nno pair\n\n", H "size=1\nrcpt=%g0\n\n",
};

START_TEST(meta_bad)
{
	struct scan_msg_store store;
	struct quar_meta m;
	const char *why = NULL;

	ck_assert_int_eq(quar_meta_parse(bad_metas[_i], strlen(bad_metas[_i]), &m, &store, &why), -1);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_null(store.text);
}
END_TEST

START_TEST(meta_too_long)
{
	static char text[SCAN_MSG_MAX + 1];
	struct scan_msg_store store;
	struct quar_meta m;
	const char *why;

	memcpy(text, H "size=1\nname=", sizeof H + 11);
	memset(text + sizeof H + 11, 'x', sizeof text - sizeof H - 11);
	memcpy(text + sizeof text - 2, "\n\n", 2);
	ck_assert_int_eq(quar_meta_parse(text, sizeof text, &m, &store, &why), -1);
}
END_TEST

/* --- filters ------------------------------------------------------------------ */

START_TEST(filters)
{
	static const struct { struct quar_filter f; bool want; } t[] = {
		{ { 0 }, true },
		{ { .since_s = 1795260769 }, true }, { { .since_s = 1795260770 }, false },
		{ { .until_s = 1795260769 }, true }, { { .until_s = 1795260768 }, false },
		{ { .spam = true }, true },
		{ { .sender = "*@EXAMPLE.org" }, true }, { { .sender = "*@example.net" }, false },
		{ { .sender = "" }, true },
		{ { .recipient = "B@example.net" }, true }, { { .recipient = "c*" }, true },
		{ { .recipient = "x*" }, false },
		{ { .virus = "eicar*" }, true }, { { .virus = "Eicar" }, false },
		{ { .virus = "eicar*", .sender = "*x*", .spam = true }, true },
		{ { .virus = "eicar*", .sender = "nobody" }, false },
	};
	struct quar_meta none = full;

	for (int i = 0; i < COUNT(t); i++)
		ck_assert_msg(quar_filter_match(&t[i].f, &full) == t[i].want, "%d", i);
	none.as = VERDICT_AS_CLEAN;
	none.nrcpts = 0;
	ck_assert(!quar_filter_match(&(struct quar_filter){ .spam = true }, &none));
	ck_assert(!quar_filter_match(&(struct quar_filter){ .recipient = "*" }, &none));
	none.time_s = UINT64_MAX;
	ck_assert(quar_filter_match(&(struct quar_filter){ .since_s = 1 }, &none));
}
END_TEST

START_TEST(times)
{
	static const struct { const char *text; bool is_end; int64_t want; } t[] = {
		{ "2026-11-21", false, 1795219200 }, { "2026-11-21", true, 1795305599 },
		{ "2026-11-21 11:32", false, 1795260720 }, { "2026-11-21T11:32", true, 1795260779 },
		{ "2026-11-21T11:32:49", false, 1795260769 },
		{ "2026-11-21 11:32:49", true, 1795260769 },
		{ "90m", false, 1000000 - 5400 }, { "12h", true, 1000000 - 43200 },
		{ "7d", false, 1000000 - 604800 }, { "0d", false, 1000000 },
	};
	static const char *const bad[] = { "", "x", "7", "d", "-7d", "7d ", "1234567d", "7w",
		"2026-02-30", "2026-13-01", "2026-11-21 25:00", "2026-11-21 11:60", "2026-11-21x11:32",
		"2026-11-21 11:32:61", "2026-11-2", "20261121", "2026-11-21 1132x", "2026/11/21" };
	int64_t out;

	setenv("TZ", "UTC", 1);
	tzset();
	for (int i = 0; i < COUNT(t); i++) {
		ck_assert_msg(quar_time_parse(t[i].text, 1000000, t[i].is_end, &out) == 0, "%s", t[i].text);
		ck_assert_msg(out == t[i].want, "%s: %lld", t[i].text, (long long)out);
	}
	for (int i = 0; i < COUNT(bad); i++)
		ck_assert_msg(quar_time_parse(bad[i], 1000000, false, &out) < 0, "%s", bad[i]);
	setenv("TZ", "UTC-2", 1);
	tzset();
	ck_assert_int_eq(quar_time_parse("2026-11-21", 0, false, &out), 0);
	ck_assert_int_eq(out, 1795219200 - 7200);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("quar_meta");
	TCase *t = tcase_create("quar_meta");

	tcase_add_test(t, id_round_trip);
	tcase_add_loop_test(t, id_bad, 0, COUNT(bad_ids));
	tcase_add_test(t, meta_octets);
	tcase_add_test(t, meta_round_trip);
	tcase_add_test(t, meta_defaults);
	tcase_add_test(t, meta_many_rcpts);
	tcase_add_loop_test(t, meta_bad, 0, COUNT(bad_metas));
	tcase_add_test(t, meta_too_long);
	tcase_add_test(t, filters);
	tcase_add_test(t, times);
	suite_add_tcase(s, t);
	return unit_run(s);
}
