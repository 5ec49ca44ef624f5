/* check_clamd_reply.c - answers of clamd: what is one, and what it means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clamd_reply.h"
#include "split.h"
#include "unit.h"

/* Feeds n octets in the mode's pieces; the last return value. */
static int push(struct clamd_reply *r, const char *in, size_t n, unsigned mode)
{
	struct split s = split_init(mode);
	const char *why = NULL;
	int got = 0;

	clamd_reply_init(r);
	for (size_t at = 0; at < n && got >= 0;) {
		size_t k = split_next(&s, n - at);
		char *piece = malloc(k);
		memcpy(piece, in + at, k);
		got = clamd_reply_push(r, piece, k, &why);
		free(piece);
		at += k;
	}
	need(got >= 0 || why != NULL);
	return got;
}

START_TEST(framing)
{
	struct clamd_reply r;
	char big[CLAMD_REPLY_MAX + 2];

	memset(big, 'x', sizeof big);
	for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
		need(push(&r, "PONG", 5, mode) == 1 && strcmp(r.text, "PONG") == 0);
		need(push(&r, "PONG\0more", 9, mode) == -1);
		need(push(&r, "OK\0stream: Eicar FOUND", 23, mode) == -1);
		need(push(&r, "PONG\0", 6, mode) == -1);
		need(push(&r, "", 1, mode) == 1 && r.text[0] == '\0');
		need(push(&r, "PONG", 4, mode) == 0);
		need(push(&r, "PO\nNG", 6, mode) == -1);
		need(push(&r, "PO\x7fNG", 6, mode) == -1);
		need(push(&r, big, sizeof big, mode) == -1);
		need(push(&r, big, CLAMD_REPLY_MAX, mode) == 0);
	}
}
END_TEST

START_TEST(read_timeout)
{
	static const char line[] = "COMMAND READ TIMED OUT\n";
	struct clamd_reply r;
	char in[64];

	for (unsigned mode = 0; mode < SPLIT_MODES; mode++) {
		int n = snprintf(in, sizeof in, "%s1: PONG", line);
		need(push(&r, in, (size_t)n + 1, mode) == 1);
		need(strcmp(r.text, "1: PONG") == 0 && r.timed_out);
		need(push(&r, line, sizeof line - 1, mode) == 0 && r.len == 0 && r.timed_out);
		need(push(&r, "PONG", 5, mode) == 1 && !r.timed_out);
		n = snprintf(in, sizeof in, "%s%s", line, line);
		need(push(&r, in, (size_t)n, mode) == -1);
		n = snprintf(in, sizeof in, "1: %s", line);
		need(push(&r, in, (size_t)n, mode) == -1);
		need(push(&r, line + 1, sizeof line - 2, mode) == -1);
		need(push(&r, "\n", 1, mode) == -1);
		/* behind the answer it is one too many */
		n = snprintf(in, sizeof in, "PONG%c%s", '\0', line);
		need(push(&r, in, (size_t)n, mode) == -1);
	}
}
END_TEST

START_TEST(number)
{
	static const struct { const char *text; unsigned number; int want; const char *rest; } rows[] = {
		{ "1: PONG", 1, 1, "PONG" }, { "16: fd[7]: OK", 16, 1, "fd[7]: OK" }, { "3: ", 3, 1, "" },
		{ "4294967295: OK", 4294967295u, 1, "OK" }, { "2: 3: OK", 2, 1, "3: OK" },
		{ "2: PONG", 1, -1, NULL }, { "0: PONG", 1, -1, NULL }, { "01: PONG", 1, -1, NULL },
		{ "11: PONG", 1, -1, NULL }, { "1: PONG", 11, -1, NULL },
		{ "99999999999999999999: PONG", 1, -1, NULL }, { "4294967297: PONG", 1, -1, NULL },
		{ "PONG", 1, 0, NULL }, { "", 1, 0, NULL }, { "1:PONG", 1, 0, NULL }, { "1 PONG", 1, 0, NULL },
		{ "-1: PONG", 1, 0, NULL }, { " 1: PONG", 1, 0, NULL }, { "fd[1]: OK", 1, 0, NULL },
		{ "1", 1, 0, NULL }, { "1:", 1, 0, NULL }, { ": OK", 1, 0, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *rest = NULL;
		int got = clamd_reply_number(rows[i].text, rows[i].number, &rest);
		ck_assert_msg(got == rows[i].want, "%s: %d", rows[i].text, got);
		if (got == 1)
			ck_assert_str_eq(rest, rows[i].rest);
		else
			ck_assert(rest == NULL);
	}
}
END_TEST

static const struct {
	const char *text;
	int kind; /* -1: no answer */
	const char *name;
} scans[] = {
	{ "fd[7]: OK", CLAMD_CLEAN, "" },
	{ "fd[12345]: OK", CLAMD_CLEAN, "" },
	{ "stream: OK", CLAMD_CLEAN, "" },
	{ "stream: Win.Test.EICAR_HDB-1 FOUND", CLAMD_FOUND, "Win.Test.EICAR_HDB-1" },
	{ "fd[7]: A(44d88612fea8a8f36de82e1278abb02f:68) FOUND", CLAMD_FOUND, "A" },
	{ "fd[7]: A(b) FOUND", CLAMD_FOUND, "A(b)" },
	{ "fd[7]: A(12) FOUND", CLAMD_FOUND, "A(12)" },
	{ "fd[7]: (12:3) FOUND", CLAMD_FOUND, "(12:3)" },
	{ "fd[7]: ) FOUND", CLAMD_FOUND, ")" },
	{ "fd[7]: A B FOUND", CLAMD_FOUND, "A B" },
	{ "fd[7]: OK FOUND", CLAMD_FOUND, "OK" },
	{ "fd[7]: A\"b FOUND", CLAMD_FOUND, "A\\\"b" },
	{ "fd[7]: Heuristics.Limits.Exceeded FOUND", CLAMD_OVERLIMIT, "Heuristics.Limits.Exceeded" },
	{ "stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND", CLAMD_OVERLIMIT,
	  "Heuristics.Limits.Exceeded.MaxScanTime" },
	{ "stream: Heuristics.Encrypted.PDF FOUND", CLAMD_ENCRYPTED, "Heuristics.Encrypted.PDF" },
	{ "stream: Heuristics.EncryptedX FOUND", CLAMD_FOUND, "Heuristics.EncryptedX" },
	{ "INSTREAM size limit exceeded. ERROR", CLAMD_OVERLIMIT,
	  "INSTREAM size limit exceeded. ERROR" },
	{ "fd[7]: Time limit reached ERROR", CLAMD_OVERLIMIT, "Time limit reached ERROR" },
	{ "fd[7]: Can't allocate memory ERROR", CLAMD_ERROR, "Can't allocate memory ERROR" },
	{ "No file descriptor received. ERROR", CLAMD_ERROR, "No file descriptor received. ERROR" },
	{ "ERROR", CLAMD_ERROR, "ERROR" },
	{ "", -1, NULL }, { "OK", -1, NULL }, { "fd: OK", -1, NULL }, { "fd[]: OK", -1, NULL },
	{ "fd[7] OK", -1, NULL }, { "fd[7]:OK", -1, NULL }, { "fd[-7]: OK", -1, NULL },
	{ "fd[7]: ok", -1, NULL }, { "fd[7]: OK ", -1, NULL }, { "fd[7]:  OK", -1, NULL },
	{ "fd[7]: ", -1, NULL }, { "fd[7]: FOUND", -1, NULL }, { "fd[7]:  FOUND", -1, NULL },
	{ "fd[7]: A found", -1, NULL }, { "fd[7]: AFOUND", -1, NULL }, { "/path: OK", -1, NULL },
	{ "stream: ", -1, NULL }, { "Stream: OK", -1, NULL }, { "PONG", -1, NULL },
	{ "UNKNOWN COMMAND", -1, NULL },
};

START_TEST(scan)
{
	char name[VERDICT_NAME_MAX];

	for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++) {
		enum clamd_kind kind;
		int got = clamd_reply_scan(scans[i].text, &kind, name);
		ck_assert_msg((got < 0) == (scans[i].kind < 0), "%s", scans[i].text);
		if (got == 0) {
			ck_assert_msg((int)kind == scans[i].kind, "%s", scans[i].text);
			ck_assert_str_eq(name, scans[i].name);
		}
	}
}
END_TEST

START_TEST(long_name)
{
	char text[CLAMD_REPLY_MAX + 1], name[VERDICT_NAME_MAX];
	enum clamd_kind kind;

	snprintf(text, sizeof text, "fd[1]: %01900d FOUND", 7);
	ck_assert_int_eq(clamd_reply_scan(text, &kind, name), 0);
	ck_assert_int_eq(kind, CLAMD_FOUND);
	ck_assert_uint_lt(strlen(name), sizeof name);
}
END_TEST

START_TEST(version)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "ClamAV 1.4.6/27812/Fri Nov 20 09:12:13 2026", "1.4.6+27812@2026-11-20" },
		{ "ClamAV 0.103.8/26800/Sun Jan  1 08:21:44 2023", "0.103.8+26800@2023-01-01" },
		{ "ClamAV 1.5.0-rc2/1/Tue Feb 29 00:00:00 2028", "1.5.0-rc2+1@2028-02-29" },
		{ "ClamAV 1.4.6", "1.4.6" },
		{ "ClamAV ", NULL }, { "clamav 1", NULL }, { "ClamAV 1.4 x", NULL },
		{ "ClamAV 1.4.6/", NULL }, { "ClamAV 1.4.6/1", NULL }, { "ClamAV 1.4.6/1/", NULL },
		{ "ClamAV 1.4.6/x/Fri Nov 20 09:12:13 2026", NULL },
		{ "ClamAV 1.4.6/1/Fri Nov 32 09:12:13 2026", NULL },
		{ "ClamAV 1.4.6/1/Fri Nox 20 09:12:13 2026", NULL },
		{ "ClamAV 1.4.6/1/Fri ovD 20 09:12:13 2026", NULL },
		{ "ClamAV 1.4.6/1/Fri Nov 20 09:12:13 2026 x", NULL },
		{ "ClamAV 1.4.6/12345678901/Fri Nov 20 09:12:13 2026", NULL },
		{ "ClamAV 1234567890123456789012345678901", NULL },
	};
	char out[CLAMD_VERSION_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int got = clamd_reply_version(rows[i].text, out);
		ck_assert_msg((got == 0) == (rows[i].want != NULL), "%s", rows[i].text);
		if (got == 0)
			ck_assert_str_eq(out, rows[i].want);
	}
}
END_TEST

START_TEST(what_counts)
{
	static const struct { const char *name; char on; } rows[] = {
		{ "PUA.Win.Adware.X-1", 'a' }, { "PUA.Adware.X", 'a' }, { "PUA.Win.adware.X", 'a' },
		{ "PUA.Win.Tool.X", 's' }, { "PUA.NetTool.X", 's' }, { "PUA.Andr.RAT.X", 's' },
		{ "PUA.Win.Packer.X", 'u' }, { "PUA.", 'u' }, { "PUA.Win.Toolbar.X", 'u' },
		{ "Heuristics.Broken.Executable", 'h' }, { "Heuristics.Phishing.Email", 'v' },
		{ "Heuristics.Structured.SSN", 'v' }, { "Win.Adware.X", '-' }, { "PUAX", '-' },
		{ "X.Heuristics.Y", '-' }, { "", '-' },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *name = rows[i].name;
		for (unsigned bits = 0; bits < 32; bits++) {
			const struct scan_opts o = { .app_adware = bits & 1, .app_unsafe = bits & 2,
				.app_unwanted = bits & 4, .heur = bits & 8, .adv_heur = bits & 16 };
			bool want = rows[i].on == 'a' ? o.app_adware : rows[i].on == 's' ? o.app_unsafe :
				rows[i].on == 'u' ? o.app_unwanted : rows[i].on == 'h' ? o.heur :
				rows[i].on == 'v' ? o.heur && o.adv_heur : true;
			ck_assert_msg(clamd_name_counts(name, &o) == want, "%s, %u", name, bits);
		}
	}
	ck_assert_str_eq(clamd_name_option("PUA.Win.Adware.X"), "av_scan_app_adware");
	ck_assert_str_eq(clamd_name_option("PUA.NetTool.X"), "av_scan_app_unsafe");
	ck_assert_str_eq(clamd_name_option("PUA.X"), "av_scan_app_unwanted");
	ck_assert_str_eq(clamd_name_option("Heuristics.X"), "av_scan_heur");
	ck_assert_str_eq(clamd_name_option("Heuristics.Phishing.X"), "av_scan_adv_heur");
	ck_assert_str_eq(clamd_name_option("Win.Test"), "");
	ck_assert(clamd_name_is_last("Heuristics.X") && !clamd_name_is_last("PUA.X"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clamd_reply");
	TCase *tc = tcase_create("clamd_reply");

	tcase_add_test(tc, framing);
	tcase_add_test(tc, read_timeout);
	tcase_add_test(tc, number);
	tcase_add_test(tc, scan);
	tcase_add_test(tc, long_name);
	tcase_add_test(tc, version);
	tcase_add_test(tc, what_counts);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
