/* check_smtp_cmd.c - verbs and how they can be disguised, addresses,
 * parameters, XFORWARD attributes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp_cmd.h"
#include "split.h"
#include "unit.h"

/* A copy of exactly n octets: sanitizers see a read beyond it. */
static char *exact(const char *p, size_t n)
{
	char *c = malloc(n > 0 ? n : 1);

	memcpy(c, p, n);
	return c;
}

static void check_verb(const char *line, size_t n, bool ok, enum smtp_verb verb)
{
	struct smtp_cmd cmd;
	char *c = exact(line, n);

	ck_assert_msg(smtp_cmd_parse(c, n, &cmd) == ok, "line '%s'", line);
	if (ok)
		ck_assert_msg(cmd.verb == verb, "line '%s' is %s", line, smtp_verb_name(cmd.verb));
	free(c);
}

START_TEST(verb_kinds)
{
	static const struct { const char *line; enum smtp_verb verb; enum smtp_cmd_kind kind; }
	cases[] = {
		{ "EHLO a.example", SMTP_VERB_EHLO, SMTP_CMD_BARRIER },
		{ "helo a", SMTP_VERB_HELO, SMTP_CMD_BARRIER },
		{ "Mail From:<a@b>", SMTP_VERB_MAIL, SMTP_CMD_RELAY },
		{ "rCPT TO:<a@b>", SMTP_VERB_RCPT, SMTP_CMD_RELAY },
		{ "DATA", SMTP_VERB_DATA, SMTP_CMD_DATA },
		{ "data", SMTP_VERB_DATA, SMTP_CMD_DATA },
		{ "RSET", SMTP_VERB_RSET, SMTP_CMD_RELAY },
		{ "NOOP x", SMTP_VERB_NOOP, SMTP_CMD_RELAY },
		{ "QUIT", SMTP_VERB_QUIT, SMTP_CMD_BARRIER },
		{ "VRFY x", SMTP_VERB_VRFY, SMTP_CMD_RELAY },
		{ "EXPN x", SMTP_VERB_EXPN, SMTP_CMD_RELAY },
		{ "HELP", SMTP_VERB_HELP, SMTP_CMD_RELAY },
		{ "ETRN x", SMTP_VERB_ETRN, SMTP_CMD_RELAY },
		{ "AUTH PLAIN", SMTP_VERB_AUTH, SMTP_CMD_BARRIER },
		{ "XFORWARD NAME=x", SMTP_VERB_XFORWARD, SMTP_CMD_TRUSTED },
		{ "XCLIENT NAME=x", SMTP_VERB_XCLIENT, SMTP_CMD_TRUSTED },
		{ "STARTTLS", SMTP_VERB_STARTTLS, SMTP_CMD_REFUSE },
		{ "BURL imap://x LAST", SMTP_VERB_BURL, SMTP_CMD_REFUSE },
		{ "XEXCH50 1 2", SMTP_VERB_XEXCH50, SMTP_CMD_REFUSE },
		{ "X-LINK2STATE LAST CHUNK=", SMTP_VERB_X_LINK2STATE, SMTP_CMD_REFUSE },
		{ "X-EXPS NTLM", SMTP_VERB_X_EXPS, SMTP_CMD_REFUSE },
		{ "TURN", SMTP_VERB_TURN, SMTP_CMD_REFUSE },
		{ "ATRN x", SMTP_VERB_ATRN, SMTP_CMD_REFUSE },
		{ "COMPRESS DEFLATE", SMTP_VERB_COMPRESS, SMTP_CMD_REFUSE },
		{ "CHECKPOINT x", SMTP_VERB_CHECKPOINT, SMTP_CMD_REFUSE },
		{ "LHLO x", SMTP_VERB_LHLO, SMTP_CMD_REFUSE },
		{ "SEND FROM:<a@b>", SMTP_VERB_SEND, SMTP_CMD_REFUSE },
		{ "SOML FROM:<a@b>", SMTP_VERB_SOML, SMTP_CMD_REFUSE },
		{ "SAML FROM:<a@b>", SMTP_VERB_SAML, SMTP_CMD_REFUSE },
		{ "XYZZY", SMTP_VERB_UNKNOWN, SMTP_CMD_BARRIER },
		{ "DAT", SMTP_VERB_UNKNOWN, SMTP_CMD_BARRIER },
		{ "DATAX", SMTP_VERB_LONGER, SMTP_CMD_BARRIER },
		{ "MAIL:", SMTP_VERB_LONGER, SMTP_CMD_BARRIER },
		{ "rcptx TO:<a@b>", SMTP_VERB_LONGER, SMTP_CMD_BARRIER },
		{ "RSET1", SMTP_VERB_LONGER, SMTP_CMD_BARRIER },
		{ "EHLO-x y", SMTP_VERB_LONGER, SMTP_CMD_BARRIER },
		{ "HELOX", SMTP_VERB_LONGER, SMTP_CMD_BARRIER },
		{ "AUTHX", SMTP_VERB_LONGER, SMTP_CMD_BARRIER },
		{ "NOOPX", SMTP_VERB_UNKNOWN, SMTP_CMD_BARRIER },
		{ "RCP", SMTP_VERB_UNKNOWN, SMTP_CMD_BARRIER },
		{ "XRCPT", SMTP_VERB_UNKNOWN, SMTP_CMD_BARRIER },
	};
	struct smtp_cmd cmd;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_verb(cases[i].line, strlen(cases[i].line), true, cases[i].verb);
		ck_assert(smtp_cmd_parse(cases[i].line, strlen(cases[i].line), &cmd));
		ck_assert_msg(cmd.kind == cases[i].kind, "kind of '%s'", cases[i].line);
	}
}
END_TEST

/* Each row of the table has what its kind needs, and is found by its name. */
START_TEST(table)
{
	struct smtp_cmd cmd;
	char line[64];

	for (unsigned v = 0; v < SMTP_VERB_UNKNOWN; v++) {
		const char *name = smtp_verb_name((enum smtp_verb)v);
		snprintf(line, sizeof line, "%s arg", name);
		check_verb(line, strlen(line), true, (enum smtp_verb)v);
		ck_assert(smtp_cmd_parse(line, strlen(line), &cmd));
		bool own = cmd.kind != SMTP_CMD_RELAY && cmd.kind != SMTP_CMD_BARRIER;
		ck_assert_msg((cmd.reply != NULL) == own, "reply of %s", name);
		/* Refusals are permanent, with an enhanced code of the same class. */
		if (own) {
			ck_assert_msg(cmd.reply[0] == '5' && cmd.reply[4] == '5' &&
				cmd.reply[5] == '.', "reply of %s", name);
			ck_assert(strpbrk(cmd.reply, "\r\n") == NULL);
		}
	}
}
END_TEST

/* Whatever carries content or makes the stream opaque is never relayed (I1). */
START_TEST(never_relayed)
{
	static const char *const names[] = { "BDAT 5 LAST", "BURL x", "STARTTLS", "XEXCH50 1 2",
		"X-LINK2STATE x", "X-EXPS x", "TURN", "ATRN x", "COMPRESS x", "CHECKPOINT x", "LHLO x" };
	struct smtp_cmd cmd;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ck_assert(smtp_cmd_parse(names[i], strlen(names[i]), &cmd));
		ck_assert_msg(cmd.kind != SMTP_CMD_RELAY && cmd.kind != SMTP_CMD_BARRIER &&
			cmd.kind != SMTP_CMD_TRUSTED, "%s", names[i]);
		ck_assert_ptr_nonnull(cmd.reply);
	}
}
END_TEST

/* As the laxest server would read it (I1): what carries content or makes the
 * stream opaque is recognised in every disguise. */
START_TEST(disguises)
{
	static const char *const before[] = { "", " ", "\t", " \t  ", "\v", "\f", "\r", " \n" };
	static const char *const verbs[] = { "BDAT", "bdat", "bDaT", "BDATX", "BDAT1", "bdatum" };
	static const char *const behind[] = { "", " 5", "\t5", "\v5", "\f5", "  ", " 5 LAST" };
	char line[64];

	for (size_t a = 0; a < sizeof before / sizeof *before; a++) {
		for (size_t b = 0; b < sizeof verbs / sizeof *verbs; b++) {
			for (size_t c = 0; c < sizeof behind / sizeof *behind; c++) {
				snprintf(line, sizeof line, "%s%s%s", before[a], verbs[b], behind[c]);
				check_verb(line, strlen(line), true, SMTP_VERB_BDAT);
			}
		}
	}
	check_verb("\tStartTLS", 9, true, SMTP_VERB_STARTTLS);
	check_verb("BURLX", 5, true, SMTP_VERB_BURL);
	check_verb("TURNIP", 6, true, SMTP_VERB_TURN);
	check_verb("ATRNX", 5, true, SMTP_VERB_ATRN);
	check_verb("LHLOX", 5, true, SMTP_VERB_LHLO);
	check_verb("BDA", 3, true, SMTP_VERB_UNKNOWN);
}
END_TEST

START_TEST(no_command)
{
	static const struct { const char *line; size_t n; } cases[] = {
		{ "", 0 }, { " ", 1 }, { " \t ", 3 }, { "\r", 1 },
		{ "\0", 1 }, { "BDAT\0 5", 7 }, { "B\0DAT", 5 }, { "NO\x01OP", 5 },
		{ "\x1bNOOP", 5 }, { "NOOP\x7f", 5 }, { "\bNOOP", 5 }, { "NO\bOP", 5 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_verb(cases[i].line, cases[i].n, false, SMTP_VERB_UNKNOWN);
	check_verb("\xc3\xa4", 2, false, SMTP_VERB_UNKNOWN); /* NBSP and the like */
	check_verb("\xa0" "DATA", 5, false, SMTP_VERB_UNKNOWN);
	check_verb("DATA\xa0", 5, false, SMTP_VERB_UNKNOWN);
	check_verb("NOOP \x01", 6, true, SMTP_VERB_NOOP);  /* an argument is the server's */
}
END_TEST

/* What goes on is the line from its verb to its end; the argument is inside. */
START_TEST(pieces)
{
	static const struct { const char *line, *sent, *arg; } cases[] = {
		{ "MAIL FROM:<a> SIZE=1", "MAIL FROM:<a> SIZE=1", "FROM:<a> SIZE=1" },
		{ " \tMAIL  FROM:<a>  ", "MAIL  FROM:<a>  ", "FROM:<a>" },
		{ "DATA  \t ", "DATA  \t ", "" },
		{ "QUIT", "QUIT", "" },
		{ "NOOP \t a b ", "NOOP \t a b ", "a b" },
	};
	struct smtp_cmd cmd;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert(smtp_cmd_parse(cases[i].line, strlen(cases[i].line), &cmd));
		ck_assert_uint_eq(cmd.line_len, strlen(cases[i].sent));
		ck_assert_mem_eq(cmd.line, cases[i].sent, cmd.line_len);
		ck_assert_uint_eq(cmd.arg_len, strlen(cases[i].arg));
		ck_assert_mem_eq(cmd.arg, cases[i].arg, cmd.arg_len);
	}
}
END_TEST

START_TEST(paths)
{
	static const struct { const char *arg, *prefix, *addr, *params; } cases[] = {
		{ "FROM:<a@b>", "FROM", "a@b", "" },
		{ "from:<a@b> SIZE=5 BODY=8BITMIME", "FROM", "a@b", " SIZE=5 BODY=8BITMIME" },
		{ "FROM:<>", "FROM", "", "" },
		{ "FROM:<> SIZE=5", "FROM", "", " SIZE=5" },
		{ "FROM: <a@b>", "FROM", "a@b", "" },
		{ "FROM : <a@b>", "FROM", "a@b", "" },
		{ "FROM:\t a@b SIZE=1", "FROM", "a@b", " SIZE=1" },
		{ "FROM:a@b", "FROM", "a@b", "" },
		{ "FROM:", "FROM", "", "" },
		{ "FROM", "FROM", "", "" },
		{ "FROM <a@b>", "FROM", "", "" },
		{ "TO:<a@b>", "FROM", "", "" },
		{ "", "TO", "", "" },
		{ "TO:<@x,@y:a@b>", "TO", "a@b", "" },
		{ "TO:<@x>", "TO", "@x", "" },
		{ "TO:<\"a b\"@c>", "TO", "\"a b\"@c", "" },
		{ "TO:<\"a>b\"@c> NOTIFY=NEVER", "TO", "\"a>b\"@c", " NOTIFY=NEVER" },
		{ "TO:<\"a\\\">b\"@c> X", "TO", "\"a\\\">b\"@c", " X" },
		{ "TO:<a@b", "TO", "a@b", "" },
		{ "TO:<\"a@b> X", "TO", "\"a@b> X", "" },
		{ "TO:<a b@c>", "TO", "a b@c", "" },
		{ "TO:<postmaster>", "TO", "postmaster", "" },
		{ "TO:<\xc3\xa4@b>", "TO", "\xc3\xa4@b", "" },
		{ "TO:<a@[IPv6:::1]>", "TO", "a@[IPv6:::1]", "" },
		{ "TO:<\"\\", "TO", "\"\\", "" },
	};
	const char *addr, *params;
	size_t n, k;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].arg);
		char *arg = exact(cases[i].arg, len);
		n = smtp_cmd_path(arg, len, cases[i].prefix, &addr, &params, &k);
		ck_assert_msg(n == strlen(cases[i].addr) && memcmp(addr, cases[i].addr, n) == 0,
			"address of '%s' is '%.*s'", cases[i].arg, (int)n, addr);
		ck_assert_msg(k == strlen(cases[i].params) && memcmp(params, cases[i].params, k) == 0,
			"parameters of '%s' are '%.*s'", cases[i].arg, (int)k, params);
		ck_assert_uint_eq(n, smtp_cmd_path(arg, len, cases[i].prefix, &addr, NULL, NULL));
		free(arg);
	}
}
END_TEST

START_TEST(plain_parameters)
{
	static const struct { const char *params; bool is_plain; } cases[] = {
		{ "", true }, { " ", true }, { " SIZE=5 BODY=8BITMIME SMTPUTF8", true }, { "\tX-a=<b@c>", true },
		{ "x", false }, { "> SIZE=5", false }, { " <victim@b>", false }, { " @b", false },
		{ " SIZE=5 victim@b", false }, { " =5", false }, { " (c)", false }, { " a;", false },
		{ " X\xc3\xa4=1", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].params);
		char *params = exact(cases[i].params, len);
		ck_assert_msg(smtp_cmd_params_are_plain(params, len) == cases[i].is_plain, "'%s'",
			cases[i].params);
		free(params);
	}
	ck_assert(!smtp_cmd_params_are_plain(" a\0", 3));
}
END_TEST

START_TEST(parameters)
{
	static const struct { const char *params, *name, *value; bool has; } cases[] = {
		{ " SIZE=5 BODY=8BITMIME SMTPUTF8", "SIZE", NULL, true },
		{ " SIZE=5 BODY=8BITMIME SMTPUTF8", "SMTPUTF8", NULL, true },
		{ " SIZE=5 smtputf8", "SMTPUTF8", NULL, true },
		{ " SIZE=5 body=binarymime", "BODY", "BINARYMIME", true },
		{ " BODY=BINARYMIMEX", "BODY", "BINARYMIME", false },
		{ " BODY=8BITMIME", "BODY", "BINARYMIME", false },
		{ " BODY", "BODY", "BINARYMIME", false },
		{ " XSMTPUTF8", "SMTPUTF8", NULL, false },
		{ " SMTPUTF8X", "SMTPUTF8", NULL, false },
		{ " SMTPUTF8=", "SMTPUTF8", NULL, true },
		{ "", "SIZE", NULL, false },
		{ "\tSIZE=1\t", "SIZE", "1", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = strlen(cases[i].params);
		char *p = exact(cases[i].params, n);
		ck_assert_msg(smtp_cmd_has_param(p, n, cases[i].name, cases[i].value) == cases[i].has,
			"%s in '%s'", cases[i].name, cases[i].params);
		free(p);
	}
}
END_TEST

START_TEST(chunk_sizes)
{
	static const struct { const char *arg; bool ok; uint64_t size; bool last; } cases[] = {
		{ "0", true, 0, false }, { "0 LAST", true, 0, true }, { "86 last", true, 86, true },
		{ "86\t \vLaSt", true, 86, true }, { "007", true, 7, false },
		{ "18446744073709551615", true, UINT64_MAX, false },
		{ "18446744073709551616", false, 0, false }, { "", false, 0, false },
		{ "LAST", false, 0, false }, { "-1", false, 0, false }, { "+1", false, 0, false },
		{ "0x10", false, 0, false }, { "1 FIRST", false, 0, false },
		{ "1 LAST X", false, 0, false }, { "1 LASTX", false, 0, false }, { "1,5", false, 0, false },
		{ "000000000000000000000000001", true, 1, false },
		{ "00000000000000000018446744073709551616", false, 0, false },
		{ "99999999999999999999999999999999", false, 0, false },
	};
	uint64_t n;
	bool last;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].arg);
		char *arg = exact(cases[i].arg, len);
		ck_assert_msg((smtp_cmd_bdat(arg, len, &n, &last) == 0) == cases[i].ok, "'%s'",
			cases[i].arg);
		if (cases[i].ok)
			ck_assert_msg(n == cases[i].size && last == cases[i].last, "'%s'", cases[i].arg);
		free(arg);
	}
}
END_TEST

START_TEST(attributes)
{
	static const struct { const char *line, *name, *value; } cases[] = {
		{ "XFORWARD NAME=mx.example ADDR=192.0.2.1", "NAME", "mx.example" },
		{ "XFORWARD NAME=mx.example ADDR=192.0.2.1", "ADDR", "192.0.2.1" },
		{ "XFORWARD name=a+2Bb+3Dc", "NAME", "a+b=c" },
		{ "XFORWARD NAME=a+2", "NAME", "a+2" },
		{ "XFORWARD NAME=a+ZZ", "NAME", "a+ZZ" },
		{ "XFORWARD NAME=[UNAVAILABLE]", "NAME", NULL },
		{ "XFORWARD NAME=[tempunavail]", "NAME", NULL },
		{ "XFORWARD NAME=", "NAME", NULL },
		{ "XFORWARD NAMES=x", "NAME", NULL },
		{ "XFORWARD XNAME=x", "NAME", NULL },
		{ "XFORWARD", "NAME", NULL },
		{ "XFORWARD NAME=0123456789abcdefXYZ", "NAME", "0123456789abcde" },
	};
	char out[16];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = strlen(cases[i].line);
		char *line = exact(cases[i].line, n);
		bool got = smtp_cmd_attr(line, n, cases[i].name, out, sizeof out);
		ck_assert_msg(got == (cases[i].value != NULL), "%s of '%s'", cases[i].name,
			cases[i].line);
		if (got)
			ck_assert_str_eq(out, cases[i].value);
		else if (strchr(cases[i].line, '[') != NULL)
			ck_assert_str_eq(out, "");   /* never taken for a value */
		free(line);
	}
}
END_TEST

/* Any octets: no read beyond the line, no answer that points outside it. */
START_TEST(noise)
{
	static const char alphabet[] = "FROMTObdatBDAT<>@:,\"\\ \t=+2X[]\0\r\x80";
	unsigned seed = 5;
	char in[40];

	for (int round = 0; round < 20000; round++) {
		size_t n = split_random(&seed) % sizeof in, k = 0;
		for (size_t i = 0; i < n; i++)
			in[i] = alphabet[split_random(&seed) % (sizeof alphabet - 1)];
		char *line = exact(in, n), out[8];
		const char *addr, *params;
		struct smtp_cmd cmd;
		if (smtp_cmd_parse(line, n, &cmd)) {
			need(cmd.line >= line && cmd.line + cmd.line_len == line + n);
			need(cmd.arg >= cmd.line && cmd.arg + cmd.arg_len <= line + n);
		}
		size_t a = smtp_cmd_path(line, n, "FROM", &addr, &params, &k);
		need(addr >= line && addr + a <= line + n);
		need(params >= line && params + k == line + n);
		smtp_cmd_has_param(line, n, "FROM", "X");
		smtp_cmd_attr(line, n, "FROM", out, sizeof out);
		free(line);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smtp_cmd");
	TCase *tc = tcase_create("smtp_cmd");

	tcase_add_test(tc, verb_kinds);
	tcase_add_test(tc, table);
	tcase_add_test(tc, never_relayed);
	tcase_add_test(tc, disguises);
	tcase_add_test(tc, no_command);
	tcase_add_test(tc, pieces);
	tcase_add_test(tc, paths);
	tcase_add_test(tc, plain_parameters);
	tcase_add_test(tc, parameters);
	tcase_add_test(tc, chunk_sizes);
	tcase_add_test(tc, attributes);
	tcase_add_test(tc, noise);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
