/* check_scan_out.c - what esets_scan says: lines, JSON, summary, exit status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan_out.h"
#include "unit.h"

static struct verdict v;
static struct verdict_part parts[4];
static struct scan_result r;

static void setup(void)
{
	v = (struct verdict){ .objects = 3, .time_us = 7, .vdb = "builtin:1+2", .parts = parts };
	memset(parts, 0, sizeof parts);
	r = (struct scan_result){ .name = "/m/a.eml", .why = "", .v = &v, .root = "message",
		.size = 42 };
}

static void add_part(const char *name, const char *virus, unsigned av)
{
	struct verdict_part *p = &parts[v.nparts++];

	snprintf(p->name, sizeof p->name, "%s", name);
	snprintf(p->virus, sizeof p->virus, "%s", virus);
	p->av = av;
}

static const char *said(int (*format)(struct buf *, const struct scan_result *))
{
	static char out[70000];
	struct buf b = BUF_INIT(sizeof out - 1);

	ck_assert_int_eq(format(&b, &r), 0);
	snprintf(out, sizeof out, "%.*s", (int)buf_len(&b), (const char *)buf_head(&b));
	buf_fini(&b);
	return out;
}

#define text() said(scan_out_text)
#define json() said(scan_out_json)

static enum scan_exit status(void)
{
	struct scan_sum s = { 0 };

	scan_sum_add(&s, &r);
	return scan_sum_exit(&s);
}

START_TEST(clean)
{
	ck_assert_str_eq(text(), "name=\"/m/a.eml\", threat=\"\", action=\"\", info=\"\"\n");
	ck_assert_str_eq(json(), "{\"name\":\"/m/a.eml\",\"threat\":\"\",\"action\":\"\",\"info\":\"\","
		"\"status\":\"clean\",\"size\":42,\"vdb\":\"builtin:1+2\",\"sha256\":\"\",\"objects\":3,"
		"\"time_us\":7,\"parts\":[]}\n");
	ck_assert(!scan_out_is_notable(&r));
	ck_assert_int_eq(status(), 0);
}
END_TEST

START_TEST(infected)
{
	v.av = VERDICT_AV_INFECTED | VERDICT_AV_ENCRYPTED;
	strcpy(v.virus, "Eicar");
	strcpy(v.reason, "S/MIME");
	add_part("message", "Eicar", VERDICT_AV_INFECTED);
	add_part("part 2: e.com", "Eicar", VERDICT_AV_INFECTED);
	strcpy(parts[1].reason, "it counts");
	add_part("part 3: x", "", VERDICT_AV_ENCRYPTED);
	strcpy(parts[2].reason, "PGP");
	add_part("part 4: y", "Alarm", VERDICT_AV_CLEAN);
	ck_assert_str_eq(text(), "name=\"/m/a.eml\", threat=\"Eicar\", action=\"retained\", "
		"info=\"not scanned (encrypted): S/MIME\"\n"
		"name=\"/m/a.eml: part 2: e.com\", threat=\"Eicar\", action=\"retained\", info=\"it counts\"\n"
		"name=\"/m/a.eml: part 3: x\", threat=\"\", action=\"\", "
		"info=\"not scanned (encrypted): PGP\"\n"
		"name=\"/m/a.eml: part 4: y\", threat=\"Alarm\", action=\"allowed\", info=\"\"\n");
	ck_assert_ptr_nonnull(strstr(json(), "\"status\":\"infected\",\"size\":42,"));
	ck_assert_ptr_nonnull(strstr(json(), "\"parts\":[{\"name\":\"part 2: e.com\",\"threat\":"
		"\"Eicar\",\"action\":\"retained\",\"info\":\"it counts\",\"status\":\"infected\"},{\"name\":\"part 3: x\","));
	ck_assert(scan_out_is_notable(&r));
	ck_assert_int_eq(status(), 50);
}
END_TEST

/* Parts of a file that is no mail are named by the file first: once is enough. */
START_TEST(part_of_a_file)
{
	r.name = "/m/a.zip";
	r.root = "/m/a.zip";
	v.av = VERDICT_AV_INFECTED;
	strcpy(v.virus, "Eicar");
	add_part("/m/a.zip: b: e.com", "Eicar", VERDICT_AV_INFECTED);
	add_part("/m/a.zipper: e.com", "Eicar", VERDICT_AV_INFECTED);
	ck_assert_str_eq(text(), "name=\"/m/a.zip\", threat=\"Eicar\", action=\"retained\", info=\"\"\n"
		"name=\"/m/a.zip: b: e.com\", threat=\"Eicar\", action=\"retained\", info=\"\"\n"
		"name=\"/m/a.zip: /m/a.zipper: e.com\", threat=\"Eicar\", action=\"retained\", info=\"\"\n");
	ck_assert_ptr_nonnull(strstr(json(), "\"parts\":[{\"name\":\"b: e.com\","));
}
END_TEST

START_TEST(cleaned)
{
	v.av = VERDICT_AV_DELETED;
	strcpy(v.virus, "Eicar");
	add_part("part 2: e.com", "Eicar", VERDICT_AV_DELETED);
	r.fate = SCAN_FATE_CLEANED;
	ck_assert_str_eq(text(), "name=\"/m/a.eml\", threat=\"Eicar\", action=\"cleaned by deleting\", "
		"info=\"\"\nname=\"/m/a.eml: part 2: e.com\", threat=\"Eicar\", "
		"action=\"cleaned by deleting\", info=\"\"\n");
	ck_assert_int_eq(status(), 1);
	/* A cleaned copy that is nowhere has cleaned nothing. */
	r.fate = SCAN_FATE_SCANNED;
	r.why = "the cleaned message could not be written: No space left on device";
	ck_assert_ptr_nonnull(strstr(text(), "action=\"retained\", info=\"the cleaned message"));
	ck_assert_ptr_nonnull(strstr(json(), "\"status\":\"infected\""));
	ck_assert_int_eq(status(), 50);
}
END_TEST

START_TEST(not_scanned)
{
	static const struct { enum scan_fate fate; unsigned av; const char *info; int status; } t[] = {
		{ SCAN_FATE_SCANNED, VERDICT_AV_UNAVAILABLE, "not scanned (unavailable): why", 10 },
		{ SCAN_FATE_SCANNED, VERDICT_AV_OVERLIMIT, "not scanned (limit): why", 10 },
		{ SCAN_FATE_SKIPPED, 0, "skipped: why", 0 },
		{ SCAN_FATE_NOTSCANNED, 0, "not scanned: why", 10 },
		{ SCAN_FATE_ERROR, 0, "error: why", 100 },
	};
	char want[200];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		v.av = t[i].av;
		strcpy(v.reason, t[i].av != 0 ? "why" : "");
		r.fate = t[i].fate;
		r.why = t[i].av != 0 ? "" : "why";
		snprintf(want, sizeof want, "name=\"/m/a.eml\", threat=\"\", action=\"\", info=\"%s\"\n",
			t[i].info);
		ck_assert_str_eq(text(), want);
		ck_assert_int_eq(status(), t[i].status);
		ck_assert(scan_out_is_notable(&r) == (t[i].status != 0));
	}
}
END_TEST

START_TEST(names_cannot_break_out)
{
	r.name = "a\", threat=\"x\n\x1b[2J\\ \xc3\xa4 \xff";
	ck_assert_str_eq(text(), "name=\"a\\\", threat=\\\"x\\x0a\\x1b[2J\\\\ \xc3\xa4 \\xff\", "
		"threat=\"\", action=\"\", info=\"\"\n");
	ck_assert_ptr_nonnull(strstr(json(), "{\"name\":\"a\\\", threat=\\\"x\\u000a\\u001b[2J\\\\ "
		"\xc3\xa4 \\u00ff\",\"threat\""));
}
END_TEST

START_TEST(long_names)
{
	static char name[40000];

	memset(name, '\n', sizeof name - 1);
	r.name = name;
	ck_assert_ptr_nonnull(strstr(text(), "\\x0a...\", threat=\"\""));
	ck_assert_uint_lt(strlen(text()), 20000);
	ck_assert_ptr_nonnull(strstr(json(), "\\u000a...\",\"threat\""));
	ck_assert_uint_lt(strlen(json()), 30000);
}
END_TEST

/* What counts most, whatever else there is. */
START_TEST(exit_table)
{
	static const struct { struct scan_sum s; int exit; } t[] = {
		{ { .scanned = 9, .skipped = 2 }, 0 }, { { .cleaned = 1 }, 1 },
		{ { .cleaned = 1, .notscanned = 1 }, 10 }, { { .notscanned = 1, .errors = 1 }, 100 },
		{ { .infected = 1, .errors = 1, .notscanned = 1, .cleaned = 1 }, 50 },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		ck_assert_int_eq(scan_sum_exit(&t[i].s), t[i].exit);
}
END_TEST

START_TEST(summary)
{
	const struct scan_sum s = { .scanned = 5, .objects = 9, .infected = 1, .skipped = 2 };
	struct buf b = BUF_INIT(1000);

	ck_assert_int_eq(scan_sum_text(&b, &s), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	ck_assert_str_eq((char *)buf_head(&b), "Scanned: 5, objects: 9\nInfected: 1\nCleaned: 0\n"
		"Not scanned: 0\nSkipped: 2\nErrors: 0\n");
	buf_clear(&b);
	ck_assert_int_eq(scan_sum_json(&b, &s), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	ck_assert_str_eq((char *)buf_head(&b), "{\"summary\":{\"scanned\":5,\"objects\":9,"
		"\"infected\":1,\"cleaned\":0,\"notscanned\":0,\"skipped\":2,\"errors\":0,"
		"\"exit\":50}}\n");
	buf_fini(&b);
}
END_TEST

/* No room is a failure, not half a line that looks whole. */
START_TEST(no_room)
{
	v.av = VERDICT_AV_INFECTED;
	add_part("part 2: e.com", "Eicar", VERDICT_AV_INFECTED);
	for (size_t max = 0; max < 150; max++) {
		struct buf b = BUF_INIT(max);
		ck_assert_int_eq(scan_out_json(&b, &r), -1);
		buf_fini(&b);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scan_out");
	TCase *tc = tcase_create("scan_out");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, clean);
	tcase_add_test(tc, infected);
	tcase_add_test(tc, cleaned);
	tcase_add_test(tc, part_of_a_file);
	tcase_add_test(tc, not_scanned);
	tcase_add_test(tc, names_cannot_break_out);
	tcase_add_test(tc, long_names);
	tcase_add_test(tc, exit_table);
	tcase_add_test(tc, summary);
	tcase_add_test(tc, no_room);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
