/* check_smtp_ehlo.c - which keywords of an EHLO reply the client sees. Each
 * row of the table is played, in three spellings, and the table itself is
 * held against a list of what must never be seen (I1, I6). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp_ehlo.h"
#include "unit.h"

static const struct smtp_ehlo_cfg plain = { .is_trusted = false };

static void check_filter(const struct smtp_ehlo_cfg *cfg, const char *in, const char *want,
	struct smtp_ehlo_info *info)
{
	struct buf out = BUF_INIT(1u << 16);
	size_t n = strlen(in);
	char *raw = malloc(n > 0 ? n : 1);

	/* Text that was there before stays. */
	ck_assert_int_eq(buf_append_str(&out, "before"), 0);
	memcpy(raw, in, n);
	ck_assert_int_eq(smtp_ehlo_filter(raw, n, cfg, info, &out), 0);
	ck_assert_int_eq(buf_append(&out, "", 1), 0);
	ck_assert_str_eq((const char *)buf_head(&out), want);
	free(raw);
	buf_fini(&out);
}

START_TEST(filter)
{
	static const struct { const char *in, *want; } cases[] = {
		{ "250 mx\r\n", "before250 mx\r\n" },
		{ "250-mx hello\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
		  "before250-mx hello\r\n250-PIPELINING\r\n250 8BITMIME\r\n" },
		{ "250-mx\r\n250-STARTTLS\r\n250 8BITMIME\r\n", "before250-mx\r\n250 8BITMIME\r\n" },
		/* The last line's form follows what is last now. */
		{ "250-mx\r\n250-8BITMIME\r\n250 STARTTLS\r\n", "before250-mx\r\n250 8BITMIME\r\n" },
		{ "250-mx\r\n250 STARTTLS\r\n", "before250 mx\r\n" },
		{ "250-mx\r\n250-starttls\r\n250-StartTLS\r\n250 CHUNKING\r\n", "before250 mx\r\n" },
		{ "250-mx\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 DSN\r\n",
		  "before250-mx\r\n250 DSN\r\n" },
		/* Order and spelling of the rest are the server's. */
		{ "250-mx\r\n250-dsn\r\n250-Auth  PLAIN LOGIN\r\n250-X-OwnThing a=b\r\n250 HELP\r\n",
		  "before250-mx\r\n250-dsn\r\n250-Auth  PLAIN LOGIN\r\n250-X-OwnThing a=b\r\n250 HELP\r\n" },
		/* The first line is a greeting, whatever it says. */
		{ "250-STARTTLS\r\n250 DSN\r\n", "before250-STARTTLS\r\n250 DSN\r\n" },
		{ "250 CHUNKING\r\n", "before250 CHUNKING\r\n" },
		/* A parameter or a longer word does not hide a keyword, nor make one. */
		{ "250-mx\r\n250-STARTTLS now\r\n250-STARTTLS\tnow\r\n250 STARTTLSX\r\n",
		  "before250-mx\r\n250 STARTTLSX\r\n" },
		/* Nor do blanks in front of it, or what clients let follow it. */
		{ "250-mx\r\n250- STARTTLS\r\n250-\tSTARTTLS\r\n250- \t starttls x\r\n250 DSN\r\n",
		  "before250-mx\r\n250 DSN\r\n" },
		{ "250-mx\r\n250-STARTTLS=x\r\n250-STARTTLS=\r\n250- TLS==\r\n250 X-EXPS=LOGIN\r\n",
		  "before250 mx\r\n" },
		{ "250-mx\r\n250- XCLIENT NAME\r\n250-XFORWARD=NAME\r\n250 DSN\r\n",
		  "before250-mx\r\n250 DSN\r\n" },
		{ "250-mx\r\n250- DSN  \r\n250-\t8BITMIME\r\n250 AUTH=LOGIN PLAIN\r\n",
		  "before250-mx\r\n250- DSN  \r\n250-\t8BITMIME\r\n250 AUTH=LOGIN PLAIN\r\n" },
		/* What is no keyword at all. */
		{ "250-mx\r\n250-\r\n250 \r\n", "before250 mx\r\n" },
		{ "250-mx\r\n250\r\n", "before250 mx\r\n" },
		{ "250-mx\r\n250-STARTTLS;x\r\n250-STARTTLS,\r\n250-STARTTLS:\r\n250-(STARTTLS)\r\n"
		  "250-STARTTLS\v\r\n250-\fSTARTTLS\r\n250-\rSTARTTLS\r\n250-STARTTLS\rx\r\n"
		  "250-STARTTLS\xa0\r\n250-\xa0STARTTLS\r\n250--STARTTLS\r\n250-_X\r\n250-X_Y\r\n"
		  "250-=STARTTLS\r\n250-   \r\n250-\"STARTTLS\"\r\n250-DSN\r\n250 X-\r\n",
		  "before250-mx\r\n250-DSN\r\n250 X-\r\n" },
	};
	struct smtp_ehlo_info info;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_filter(&plain, cases[i].in, cases[i].want, &info);
}
END_TEST

struct row { const char *keyword; enum smtp_ehlo_rule rule; };
static const struct row rows[] = {
#define X(keyword, rule, reason) { keyword, SMTP_EHLO_##rule },
	SMTP_EHLO_LIST(X)
#undef X
};
#define ROWS (sizeof rows / sizeof *rows)

/* Spelling 0 as in the table, 1 lower case, 2 alternating. */
static void spell(char *out, const char *word, unsigned how)
{
	size_t i = 0;

	for (; word[i] != '\0'; i++)
		out[i] = (char)(how == 0 ? word[i] : how == 1 || i % 2 == 0 ?
			tolower((unsigned char)word[i]) : toupper((unsigned char)word[i]));
	out[i] = '\0';
}

START_TEST(every_row)
{
	const struct row *r = &rows[_i];
	struct smtp_ehlo_info info;
	char word[64], in[200], with[200];
	enum smtp_ehlo_rule rule;

	for (unsigned how = 0; how < 3; how++) {
		spell(word, r->keyword, how);
		ck_assert(smtp_ehlo_rule_of(word, strlen(word), &rule));
		ck_assert_int_eq(rule, r->rule);
		for (unsigned trusted = 0; trusted < 4; trusted++) {
			struct smtp_ehlo_cfg cfg = { .is_trusted = trusted & 1,
				.hide_unknown = trusted & 2 };
			bool seen = r->rule == SMTP_EHLO_PASS ||
				(r->rule == SMTP_EHLO_TRUSTED && cfg.is_trusted);
			snprintf(in, sizeof in, "250-mx\r\n250-%s arg\r\n250 DSN\r\n", word);
			snprintf(with, sizeof with, "before250-mx\r\n250-%s arg\r\n250 DSN\r\n", word);
			check_filter(&cfg, in, seen ? with : "before250-mx\r\n250 DSN\r\n", &info);
		}
	}
}
END_TEST

/* What the table must say, by the design and not by the table. */
START_TEST(never_seen)
{
	static const char *const hidden[] = { "STARTTLS", "BURL", "XEXCH50", "CHECKPOINT", "PRDR",
		"COMPRESS", "TURN", "ATRN", "X-LINK2STATE", "X-ANONYMOUSTLS", "X-EXPS", "VERB",
		"ONEX", "XPROXYFROM", "XRDST", "XSHADOW", "TLS" };
	static const char *const own[] = { "CHUNKING", "BINARYMIME" };
	static const char *const trusted[] = { "XCLIENT", "XFORWARD" };
	static const char *const passed[] = { "8BITMIME", "AUTH", "DELIVERBY", "DSN",
		"ENHANCEDSTATUSCODES", "ETRN", "EXPN", "FUTURERELEASE", "HELP", "LIMITS",
		"MT-PRIORITY", "PIPELINING", "REQUIRETLS", "RRVS", "SIZE", "SMTPUTF8", "VRFY" };
	const struct { const char *const *words; size_t n; enum smtp_ehlo_rule rule; } sets[] = {
		{ hidden, sizeof hidden / sizeof *hidden, SMTP_EHLO_HIDE },
		{ own, sizeof own / sizeof *own, SMTP_EHLO_OWN },
		{ trusted, sizeof trusted / sizeof *trusted, SMTP_EHLO_TRUSTED },
		{ passed, sizeof passed / sizeof *passed, SMTP_EHLO_PASS },
	};
	enum smtp_ehlo_rule rule;

	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		for (size_t k = 0; k < sets[i].n; k++) {
			const char *word = sets[i].words[k];
			ck_assert_msg(smtp_ehlo_rule_of(word, strlen(word), &rule), "%s", word);
			ck_assert_msg(rule == sets[i].rule, "%s", word);
		}
	}
	ck_assert(!smtp_ehlo_rule_of("X-NEW", 5, &rule));
	ck_assert(!smtp_ehlo_rule_of("", 0, &rule));
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t k = i + 1; k < ROWS; k++)
			ck_assert_str_ne(rows[i].keyword, rows[k].keyword);
	}
}
END_TEST

START_TEST(unknown)
{
	static const char in[] = "250-mx\r\n250-X-NEW a\r\n250-AUTH=PLAIN\r\n250 DSN\r\n";
	struct smtp_ehlo_cfg hide = { .hide_unknown = true };
	struct smtp_ehlo_info info;

	check_filter(&plain, in, "before250-mx\r\n250-X-NEW a\r\n250-AUTH=PLAIN\r\n250 DSN\r\n",
		&info);
	check_filter(&hide, in, "before250-mx\r\n250-AUTH=PLAIN\r\n250 DSN\r\n", &info);
}
END_TEST

START_TEST(size)
{
	static const struct { const char *line; uint64_t max; const char *want; uint64_t server; }
	cases[] = {
		{ "SIZE 1000", 0, "SIZE 1000", 1000 },
		{ "SIZE 1000", 2000, "SIZE 1000", 1000 },
		{ "SIZE 1000", 1000, "SIZE 1000", 1000 },
		{ "SIZE 1000", 500, "SIZE 500", 1000 },
		{ "size 1000", 500, "size 500", 1000 },
		{ "SIZE", 0, "SIZE", 0 },
		{ "SIZE", 500, "SIZE 500", 0 },
		{ "SIZE 0", 500, "SIZE 500", 0 },
		{ "SIZE 0", 0, "SIZE 0", 0 },
		{ "SIZE\t1000", 500, "SIZE 500", 1000 },
		{ "SIZE many", 0, "SIZE many", 0 },
		{ "SIZE 99999999999999999999999999", 0, "SIZE 99999999999999999999999999", 0 },
		{ "SIZE 18446744073709551616", 7, "SIZE 7", 0 },
	};
	struct smtp_ehlo_info info;
	char in[128], want[128];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_ehlo_cfg cfg = { .max_size = cases[i].max };
		snprintf(in, sizeof in, "250-mx\r\n250-%s\r\n250 DSN\r\n", cases[i].line);
		snprintf(want, sizeof want, "before250-mx\r\n250-%s\r\n250 DSN\r\n", cases[i].want);
		check_filter(&cfg, in, want, &info);
		ck_assert(info.size);
		ck_assert_uint_eq(info.size_max, cases[i].server);
	}
	struct smtp_ehlo_cfg cfg = { .max_size = 500 };
	/* The greeting is none, even of a host of that name. */
	check_filter(&cfg, "250-SIZE\r\n250 DSN\r\n", "before250-SIZE\r\n250 DSN\r\n", &info);
	/* What only the client may take for it is held down, too. */
	check_filter(&cfg, "250-mx\r\n250- SIZE 9000\r\n250-Size=9000\r\n250 DSN\r\n",
		"before250-mx\r\n250-SIZE 500\r\n250-Size 500\r\n250 DSN\r\n", &info);
	ck_assert(!info.size && info.size_max == 0);
	/* A server that offers none gets none from us. */
	check_filter(&cfg, "250-mx\r\n250 DSN\r\n", "before250-mx\r\n250 DSN\r\n", &info);
	ck_assert(!info.size);
}
END_TEST

/* What the server offered is noted also where the client may not see it. */
START_TEST(noted)
{
	struct smtp_ehlo_info info;

	check_filter(&plain, "250-PIPELINING\r\n250 DSN\r\n", "before250-PIPELINING\r\n250 DSN\r\n",
		&info);
	ck_assert(!info.pipelining && !info.chunking && !info.smtputf8 && !info.xclient);
	check_filter(&plain, "250-mx\r\n250-Pipelining\r\n250-chunking\r\n250-BINARYMIME\r\n"
		"250-XCLIENT NAME\r\n250-XFORWARD NAME\r\n250 SMTPUTF8\r\n",
		"before250-mx\r\n250-Pipelining\r\n250 SMTPUTF8\r\n", &info);
	ck_assert(info.pipelining && info.chunking && info.binarymime && info.xclient &&
		info.xforward && info.smtputf8 && !info.size);
	check_filter(&plain, "250-mx\r\n250 PIPELININGX\r\n", "before250-mx\r\n250 PIPELININGX\r\n",
		&info);
	ck_assert(!info.pipelining);
	/* Relied on is only what is spelled as it must be. */
	check_filter(&plain, "250-mx\r\n250- PIPELINING\r\n250-\tCHUNKING\r\n250-CHUNKING=x\r\n"
		"250- BINARYMIME\r\n250-BINARYMIME=\r\n250- XCLIENT NAME\r\n250 SMTPUTF8=y\r\n",
		"before250-mx\r\n250- PIPELINING\r\n250 SMTPUTF8=y\r\n", &info);
	ck_assert(!info.pipelining && !info.chunking && !info.binarymime && !info.xclient &&
		!info.smtputf8);
}
END_TEST

/* CHUNKING and BINARYMIME are the agent's own (RFC 3030). */
START_TEST(chunking)
{
	static const struct {
		bool on, always;
		const char *server, *client;
	} cases[] = {
		{ false, false, "250-mx\r\n250-CHUNKING\r\n250 BINARYMIME\r\n", "before250 mx\r\n" },
		{ true, false, "250-mx\r\n250-Chunking\r\n250 BinaryMime\r\n",
		  "before250-mx\r\n250-Chunking\r\n250 BinaryMime\r\n" },
		{ true, false, "250-mx\r\n250 DSN\r\n", "before250-mx\r\n250 DSN\r\n" },
		{ true, false, "250-mx\r\n250 BINARYMIME\r\n", "before250 mx\r\n" },
		{ true, true, "250 mx\r\n", "before250-mx\r\n250 CHUNKING\r\n" },
		{ true, true, "250-mx\r\n250-BINARYMIME\r\n250 DSN\r\n",
		  "before250-mx\r\n250-DSN\r\n250 CHUNKING\r\n" },
		/* Not as the server is understood: not at all, or as ours. */
		{ true, false, "250-mx\r\n250- CHUNKING\r\n250 BINARYMIME=x\r\n", "before250 mx\r\n" },
		{ true, false, "250-mx\r\n250-CHUNKING\r\n250-CHUNKING=x\r\n250 \tBINARYMIME\r\n",
		  "before250-mx\r\n250 CHUNKING\r\n" },
		{ true, true, "250-mx\r\n250- CHUNKING\r\n250-CHUNKING=\r\n250 BINARYMIME\r\n",
		  "before250-mx\r\n250 CHUNKING\r\n" },
		{ true, true, "250-mx\r\n250-CHUNKING\r\n250 DSN\r\n",
		  "before250-mx\r\n250-CHUNKING\r\n250 DSN\r\n" },
		{ true, true, "250-mx\r\n250-BINARYMIME\r\n250-CHUNKING\r\n250 DSN\r\n",
		  "before250-mx\r\n250-BINARYMIME\r\n250-CHUNKING\r\n250 DSN\r\n" },
	};
	struct smtp_ehlo_info info;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_ehlo_cfg cfg = { .chunking = cases[i].on,
			.chunking_always = cases[i].always };
		check_filter(&cfg, cases[i].server, cases[i].client, &info);
		ck_assert(smtp_ehlo_has_chunking(&cfg, &info) ==
			(strcasestr(cases[i].client, "CHUNKING") != NULL));
		ck_assert(smtp_ehlo_has_binarymime(&cfg, &info) ==
			(strcasestr(cases[i].client, "BINARYMIME") != NULL));
	}
}
END_TEST

START_TEST(found)
{
	static const char in[] = "250-XCLIENT OF GREETING\r\n250-xclient NAME ADDR\r\n"
		"250-SIZE\r\n250 DSN\r\n";
	const char *arg;
	size_t n;

	ck_assert(smtp_ehlo_find(in, sizeof in - 1, "XCLIENT", &arg, &n));
	ck_assert_uint_eq(n, 10);
	ck_assert_mem_eq(arg, " NAME ADDR", n);
	ck_assert(smtp_ehlo_find(in, sizeof in - 1, "SIZE", &arg, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert(smtp_ehlo_find(in, sizeof in - 1, "DSN", &arg, &n));
	ck_assert(!smtp_ehlo_find(in, sizeof in - 1, "XFORWARD", &arg, &n));
	ck_assert(!smtp_ehlo_find(in, 25, "XCLIENT", &arg, &n));
	static const char odd[] = "250-mx\r\n250- DSN\r\n250 DSN=x\r\n";
	ck_assert(!smtp_ehlo_find(odd, sizeof odd - 1, "DSN", &arg, &n));
}
END_TEST

START_TEST(no_room)
{
	static const char in[] = "250-mx\r\n250-PIPELINING\r\n250-SIZE 9\r\n250 DSN\r\n";
	struct smtp_ehlo_cfg cfg = { .max_size = 5 };
	struct smtp_ehlo_info info;

	for (size_t room = 0; room < sizeof in - 1; room++) {
		struct buf out = BUF_INIT(room);
		ck_assert_int_eq(smtp_ehlo_filter(in, sizeof in - 1, &cfg, &info, &out), -1);
		buf_fini(&out);
	}
	struct buf out = BUF_INIT(sizeof in - 1);
	ck_assert_int_eq(smtp_ehlo_filter(in, sizeof in - 1, &cfg, &info, &out), 0);
	buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smtp_ehlo");
	TCase *tc = tcase_create("smtp_ehlo");

	tcase_add_test(tc, filter);
	tcase_add_loop_test(tc, every_row, 0, (int)ROWS);
	tcase_add_test(tc, never_seen);
	tcase_add_test(tc, unknown);
	tcase_add_test(tc, size);
	tcase_add_test(tc, noted);
	tcase_add_test(tc, chunking);
	tcase_add_test(tc, found);
	tcase_add_test(tc, no_room);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
