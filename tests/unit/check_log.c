/* check_log.c - classes, the form of a line, both sinks. syslog itself is
 * replaced below, so that the test sees what would have been sent. */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "str.h"
#include "unit.h"

static struct {
	int prio, count;
	char line[9000];
	char ident[32];
	int opens;
} sys;

void closelog(void)
{
	sys.ident[0] = '\0';
}

void openlog(const char *ident, int option, int facility)
{
	(void)facility;
	ck_assert_int_ne(option & LOG_PID, 0);
	snprintf(sys.ident, sizeof sys.ident, "%s", ident);
	sys.opens++;
}

__attribute__((format(printf, 2, 0)))
static void record(int prio, const char *fmt, va_list ap)
{
	sys.prio = prio;
	sys.count++;
	vsnprintf(sys.line, sizeof sys.line, fmt, ap);
}

/* With clang the hardened header makes a macro of it. */
#undef syslog
void syslog(int prio, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(prio, fmt, ap);
	va_end(ap);
}

/* What the hardened build calls instead. */
void __syslog_chk(int prio, int flag, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void __syslog_chk(int prio, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	record(prio, fmt, ap);
	va_end(ap);
}

/* What has been written to stderr since capture_begin. */
static FILE *capture;
static char text[20000];

static void capture_begin(void)
{
	capture = tmpfile();
	ck_assert_ptr_nonnull(capture);
	dup2(fileno(capture), STDERR_FILENO);
}

static const char *captured(void)
{
	rewind(capture);
	size_t n = fread(text, 1, sizeof text - 1, capture);
	text[n] = '\0';
	rewind(capture);
	ck_assert_int_eq(ftruncate(fileno(capture), 0), 0);
	lseek(STDERR_FILENO, 0, SEEK_SET);
	return text;
}

static void open_with(int facility, unsigned classes, bool to_stderr, bool json)
{
	struct log_cfg cfg = { facility, classes, to_stderr, json };

	log_open("esets_test", &cfg);
}

START_TEST(test_facility)
{
	int f = 0;

	ck_assert_int_eq(log_facility_parse("mail", &f), 0);
	ck_assert_int_eq(f, LOG_MAIL);
	ck_assert_int_eq(log_facility_parse("LOCAL7", &f), 0);
	ck_assert_int_eq(f, LOG_LOCAL7);
	ck_assert_int_eq(log_facility_parse("none", &f), 0);
	ck_assert_int_eq(f, -1);
	ck_assert_int_eq(log_facility_parse("local8", &f), -1);
	ck_assert_int_eq(log_facility_parse("", &f), -1);
}
END_TEST

START_TEST(test_classes)
{
	unsigned bits = 99;
	char why[8] = "";

	ck_assert_int_eq(log_classes_parse("error: warning :summ", &bits, why, sizeof why), 0);
	ck_assert_uint_eq(bits, 1u << LC_ERROR | 1u << LC_WARNING | 1u << LC_SUMM);
	ck_assert_int_eq(log_classes_parse("", &bits, why, sizeof why), 0);
	ck_assert_uint_eq(bits, 0);
	ck_assert_int_eq(log_classes_parse("SummAll:partall:part:debug:info", &bits, why,
		sizeof why), 0);
	ck_assert_uint_eq(bits, 1u << LC_SUMMALL | 1u << LC_PARTALL | 1u << LC_PART |
		1u << LC_DEBUG | 1u << LC_INFO);
	ck_assert_int_eq(log_classes_parse("error:verbose", &bits, why, sizeof why), -1);
	ck_assert_str_eq(why, "verbose");
	ck_assert_int_eq(log_classes_parse("error:averyveryverylongnameofaclassthatisnone", &bits,
		why, sizeof why), -1);
	ck_assert_str_eq(why, "aver...");
}
END_TEST

START_TEST(test_before_open)
{
	char want[80];

	capture_begin();
	log_debug("early %d", 1);
	snprintf(want, sizeof want, "esets: debug[%ld]: early 1\n", (long)getpid());
	ck_assert_str_eq(captured(), want);
	ck_assert_int_eq(sys.count, 0);
}
END_TEST

START_TEST(test_line)
{
	capture_begin();
	open_with(LOG_MAIL, 1u << LC_ERROR | 1u << LC_SUMM, true, false);
	ck_assert_str_eq(sys.ident, "esets_test");
	log_ctx_set("1b3e0300");
	log_error("cannot %s", "do it");
	ck_assert_str_eq(captured(), "esets_test: error[1b3e0300]: cannot do it\n");
	ck_assert_str_eq(sys.line, "error[1b3e0300]: cannot do it");
	ck_assert_int_eq(sys.prio, LOG_MAIL | LOG_ERR);
	const struct log_pair pair = { "vdb", LOG_PAIR_BARE, "1" };
	log_pairs(LC_SUMM, LOG_WARNING, &pair, 1);
	ck_assert_str_eq(sys.line, "summ[1b3e0300]: vdb=1");
	ck_assert_int_eq(sys.prio, LOG_MAIL | LOG_WARNING);
	ck_assert_int_eq(sys.count, 2);
	captured();
	log_info("not wanted");
	log_warning("not wanted");
	log_pairs(LC_SUMMALL, LOG_NOTICE, &pair, 1);
	ck_assert_str_eq(captured(), "");
	ck_assert_int_eq(sys.count, 2);
}
END_TEST

START_TEST(test_sinks)
{
	capture_begin();
	open_with(-1, ~0u, false, false);
	ck_assert_int_eq(sys.opens, 0);
	ck_assert(!log_wants(LC_ERROR));
	log_error("nowhere");
	ck_assert_str_eq(captured(), "");
	open_with(-1, 1u << LC_INFO, true, false);
	ck_assert(log_wants(LC_INFO) && !log_wants(LC_ERROR));
	log_info("here");
	ck_assert_ptr_nonnull(strstr(captured(), "]: here\n"));
	ck_assert_int_eq(sys.count, 0);
	open_with(LOG_USER, 1u << LC_INFO, false, false);
	log_info("there");
	ck_assert_str_eq(captured(), "");
	ck_assert_int_eq(sys.count, 1);
	log_reopen();
	ck_assert_int_eq(sys.opens, 2);
	ck_assert_str_eq(sys.ident, "esets_test");
}
END_TEST

/* One event is one line, whatever the text holds. */
START_TEST(test_one_line)
{
	capture_begin();
	open_with(-1, ~0u, true, false);
	log_ctx_set("a\nb");
	log_error("one\r\ntwo\t\x7f%s", "\x1b[2J");
	ck_assert_str_eq(captured(), "esets_test: error[a\\x0ab]: one  two   [2J\n");
}
END_TEST

START_TEST(test_long)
{
	char huge[10000];

	memset(huge, 'x', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	capture_begin();
	open_with(LOG_USER, ~0u, true, _i != 0);
	log_ctx_set(huge);
	log_error("%s", huge);
	const char *p = captured();
	ck_assert_uint_lt(strlen(p), 9000);
	ck_assert_uint_gt(strlen(p), 4000);
	ck_assert_ptr_eq(strchr(p, '\n'), p + strlen(p) - 1);
	if (_i != 0)
		ck_assert_str_eq(p + strlen(p) - 3, "\"}\n");
}
END_TEST

/* What is captured, without the time and the program that stderr has in front. */
static const char *captured_json(void)
{
	static char line[10000];
	static const char behind[] = "\",\"program\":\"esets_test\",";
	const char *p = captured();
	struct tm tm = { .tm_sec = 0 };

	ck_assert_int_eq(strncmp(p, "{\"timestamp\":\"", 14), 0);
	const char *end = strptime(p + 14, "%Y-%m-%dT%H:%M:%S", &tm);
	ck_assert_ptr_nonnull(end);
	ck_assert_int_le(labs(timegm(&tm) - time(NULL)), 60);
	ck_assert(end[0] == '.' && end[4] == 'Z' && strspn(end + 1, "0123456789") == 3);
	ck_assert_int_eq(strncmp(end + 5, behind, strlen(behind)), 0);
	snprintf(line, sizeof line, "{%s", end + 5 + strlen(behind));
	return line;
}

START_TEST(test_json)
{
	capture_begin();
	open_with(LOG_USER, ~0u, true, true);
	log_ctx_set("x\"y");
	log_warning("a \"b\" \\ c\n\x01 \xc3\xa4 \xff end");
	ck_assert_int_eq(strncmp(sys.line, "{\"class\":", 9), 0); /* syslog has its own */
	ck_assert_str_eq(captured_json(), "{\"class\":\"warning\",\"id\":\"x\\\\\\\"y\",\"msg\":"
		"\"a \\\"b\\\" \\\\ c\\u000a\\u0001 \xc3\xa4 \\u00ff end\"}\n");
}
END_TEST

/* Each value as a peer would have it, cleaned as the builders do. */
START_TEST(test_pairs)
{
	static const struct { const char *raw, *text, *json; } cases[] = {
		{ "plain", "plain", "plain" },
		{ "", "", "" },
		{ "a\", k=\"b", "a\\\", k=\\\"b", "a\\\", k=\\\"b" },
		{ "a\\", "a\\\\", "a\\\\" },
		{ "\\x41", "\\\\x41", "\\\\x41" },
		{ "one\r\ntwo", "one\\x0d\\x0atwo", "one\\u000d\\u000atwo" },
		{ "\x1b[2J\x7f", "\\x1b[2J\\x7f", "\\u001b[2J\\u007f" },
		{ "\xff\xc3\xa4\xc3", "\\xff\xc3\xa4\\xc3", "\\u00ff\xc3\xa4\\u00c3" },
		{ "\xed\xa0\x80\xc2\x85", "\\xed\\xa0\\x80\\xc2\\x85",
			"\\u00ed\\u00a0\\u0080\\u00c2\\u0085" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	};
	char value[100], want[200];

	capture_begin();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		str_clean(value, sizeof value, cases[i].raw, strlen(cases[i].raw));
		const struct log_pair pairs[] = { { "a", LOG_PAIR_BARE, "x" },
			{ "b", LOG_PAIR_TEXT, value }, { "c", LOG_PAIR_NUMBER, "-1.500" },
			{ "d", LOG_PAIR_NUMBER, "" } };
		open_with(-1, ~0u, true, false);
		log_ctx_set("id");
		log_pairs(LC_SUMM, LOG_NOTICE, pairs, 4);
		snprintf(want, sizeof want, "esets_test: summ[id]: a=x, b=\"%s\", c=\"-1.500\", d=\"\"\n",
			cases[i].text);
		ck_assert_str_eq(captured(), want);
		open_with(-1, ~0u, true, true);
		log_pairs(LC_SUMM, LOG_NOTICE, pairs, 4);
		snprintf(want, sizeof want, "{\"class\":\"summ\",\"id\":\"id\",\"a\":\"x\",\"b\":\"%s\","
			"\"c\":-1.500,\"d\":null}\n", cases[i].json);
		ck_assert_str_eq(captured_json(), want);
	}
}
END_TEST

START_TEST(test_event)
{
	static const struct log_pair pairs[] = { { "a", LOG_PAIR_BARE, "x" },
		{ "b", LOG_PAIR_PATH, "y\\x0a" }, { "c", LOG_PAIR_COUNT, "12" },
		{ "d", LOG_PAIR_TEXT, "250 z" }, { "e", LOG_PAIR_COUNT, "" } };

	capture_begin();
	open_with(LOG_USER, 1u << LC_INFO, true, _i != 0);
	log_ctx_set("id");
	log_event(LC_INFO, "word", pairs, 5);
	ck_assert_int_eq(sys.prio, LOG_USER | LOG_INFO);
	if (_i == 0)
		ck_assert_str_eq(captured(), "esets_test: info[id]: word a=x b=<y\\x0a> c=12 "
			"d=\"250 z\" e=\n");
	else
		ck_assert_str_eq(captured_json(), "{\"class\":\"info\",\"id\":\"id\",\"msg\":\"word\","
			"\"a\":\"x\",\"b\":\"y\\u000a\",\"c\":12,\"d\":\"250 z\",\"e\":null}\n");
	log_event(LC_INFO, "alone", pairs, 0);
	ck_assert_str_eq(_i == 0 ? captured() : captured_json(), _i == 0 ?
		"esets_test: info[id]: alone\n" :
		"{\"class\":\"info\",\"id\":\"id\",\"msg\":\"alone\"}\n");
	log_event(LC_DEBUG, "not wanted", pairs, 5);
	ck_assert_str_eq(captured(), "");
}
END_TEST

/* A line that is too long loses whole pairs from its end, nothing else. */
START_TEST(test_pairs_too_long)
{
	char huge[3001], out[4000];
	const struct log_pair pairs[] = { { "a", LOG_PAIR_TEXT, huge }, { "b", LOG_PAIR_TEXT, "1" },
		{ "c", LOG_PAIR_TEXT, huge }, { "d", LOG_PAIR_TEXT, huge } };

	memset(huge, 'x', sizeof huge - 1);
	huge[sizeof huge - 1] = '\0';
	capture_begin();
	open_with(-1, ~0u, true, true);
	log_ctx_set("id");
	log_pairs(LC_SUMM, LOG_NOTICE, pairs, 4);
	const char *line = captured();
	ck_assert_uint_gt(strlen(line), 6000);
	ck_assert_str_eq(line + strlen(line) - 4, "x\"}\n");
	ck_assert_ptr_null(strstr(line, "\"d\""));
	/* Every size: never cut within one, never beyond. */
	for (size_t size = 1; size < 30; size++) {
		memset(out, '#', sizeof out);
		const struct log_pair few[] = { { "a", LOG_PAIR_BARE, "1" }, { "b", LOG_PAIR_TEXT, "2" },
			{ "c", LOG_PAIR_NUMBER, "3" } };
		size_t n = log_pairs_text(out, size, few, 3);
		ck_assert_uint_lt(n, size);
		ck_assert_uint_eq(strlen(out), n);
		ck_assert_int_eq(out[size], '#');
		ck_assert_str_eq(out, size <= 3 ? "" : size <= 10 ? "a=1" : size <= 17 ? "a=1, b=\"2\"" :
			"a=1, b=\"2\", c=\"3\"");
		n = log_pairs_json(out, size, few, 3);
		ck_assert_uint_lt(n, size);
		ck_assert_uint_eq(strlen(out), n);
	}
}
END_TEST

static void *other_thread(void *arg)
{
	(void)arg;
	log_ctx_set("other");
	return NULL;
}

START_TEST(test_context)
{
	pthread_t t;
	char want[80];

	capture_begin();
	open_with(-1, ~0u, true, false);
	log_ctx_set("mine");
	pthread_create(&t, NULL, other_thread, NULL);
	pthread_join(t, NULL);
	log_info("x");
	ck_assert_str_eq(captured(), "esets_test: info[mine]: x\n");
	log_ctx_set_session(0x1b3e0300, 0);
	log_info("x");
	ck_assert_str_eq(captured(), "esets_test: info[00001b3e0300]: x\n");
	log_ctx_set_session(UINT64_MAX, UINT32_MAX);
	log_info("x");
	log_info("y");
	ck_assert_str_eq(captured(), "esets_test: info[ffffffffffffffff.4294967295]: x\n"
		"esets_test: info[ffffffffffffffff.4294967295]: y\n");
	log_ctx_set_session(0, 7);
	log_info("x");
	ck_assert_str_eq(captured(), "esets_test: info[000000000000.7]: x\n");
	log_ctx_set_session(1, 1);
	log_ctx_set(NULL);
	log_info("x");
	snprintf(want, sizeof want, "esets_test: info[%ld]: x\n", (long)getpid());
	ck_assert_str_eq(captured(), want);
}
END_TEST

START_TEST(test_limited)
{
	struct log_limit l = { 0, 0, 0 };

	capture_begin();
	open_with(-1, ~0u, true, false);
	ck_assert(log_limited(&l, 2));
	ck_assert(log_limited(&l, 2));
	for (int i = 0; i < 5; i++)
		ck_assert(!log_limited(&l, 2));
	ck_assert_str_eq(captured(), "");
	l.window_start_ms -= 60000; /* a minute later */
	ck_assert(log_limited(&l, 2));
	ck_assert_ptr_nonnull(strstr(captured(), "5 lines like the next one were left out"));
	ck_assert(log_limited(&l, 2));
	ck_assert(!log_limited(&l, 2));
	ck_assert_str_eq(captured(), "");
}
END_TEST

START_TEST(test_fatal)
{
	open_with(-1, 0, false, false); /* stderr gets it all the same */
	log_fatal(78, "file:1: wrong");
}
END_TEST

static void *many_lines(void *arg)
{
	char id[16];

	snprintf(id, sizeof id, "t%ld", (long)(size_t)arg);
	log_ctx_set(id);
	for (int i = 0; i < 200; i++)
		log_info("%s says %d", id, i);
	return NULL;
}

START_TEST(test_threads)
{
	pthread_t t[4];
	FILE *f = tmpfile();
	char line[200];
	unsigned n = 0;

	dup2(fileno(f), STDERR_FILENO);
	open_with(-1, ~0u, true, false);
	for (size_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, many_lines, (void *)i);
	for (size_t i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	rewind(f);
	while (fgets(line, sizeof line, f) != NULL) {
		unsigned a, b, k;
		ck_assert_msg(sscanf(line, "esets_test: info[t%u]: t%u says %u", &a, &b, &k) == 3,
			"%s", line);
		ck_assert_uint_eq(a, b);
		n++;
	}
	ck_assert_uint_eq(n, 800);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");
	tcase_add_test(t, test_facility);
	tcase_add_test(t, test_classes);
	tcase_add_test(t, test_before_open);
	tcase_add_test(t, test_line);
	tcase_add_test(t, test_sinks);
	tcase_add_test(t, test_one_line);
	tcase_add_loop_test(t, test_long, 0, 2);
	tcase_add_test(t, test_json);
	tcase_add_test(t, test_pairs);
	tcase_add_loop_test(t, test_event, 0, 2);
	tcase_add_test(t, test_pairs_too_long);
	tcase_add_test(t, test_context);
	tcase_add_test(t, test_limited);
	tcase_add_exit_test(t, test_fatal, 78);
	tcase_add_test(t, test_threads);
	suite_add_tcase(s, t);
	return unit_run(s);
}
