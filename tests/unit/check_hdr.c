/* check_hdr.c - the header scan in every split, and the lines made. */
#include <stdlib.h>
#include <string.h>

#include "hdr.h"
#include "unit.h"

static unsigned seed = 1;

static size_t rnd(size_t n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

struct scan_case {
	const char *in;
	size_t len;         /* 0: strlen */
	unsigned received;
	bool xvirus, done;
	const char *from, *to, *subject, *date, *msgid;
};

static const struct scan_case scan_cases[] = {
	{ "From: a@b\r\nTo: c@d\r\nSubject: hi\r\nDate: Mon\r\nMessage-ID: <1@x>\r\n\r\nTo: body\r\n", 0,
	  0, false, true, "a@b", "c@d", "hi", "Mon", "<1@x>" },
	{ "From: a@b\nTO : c@d\nsubject:hi\n\nReceived: no\n", 0, 0, false, true, "a@b", "c@d", "hi", "", "" },
	{ "Received: one\r\n\tReceived: fold\r\nRECEIVED: two\r\nReceived\t: three\r\n"
	  "Received-SPF: x\r\nX-Received: y\r\n\r\nReceived: no\r\n", 0, 3, false, true, "", "", "", "", "" },
	{ "X-Virus-Scanner: old\r\n\r\n", 0, 0, true, true, "", "", "", "", "" },
	{ "Subject: X-Virus-Scanner: no\r\nX-Virus-Scanner2: n\r\n\r\n", 0, 0, false, true,
	  "", "", "X-Virus-Scanner: no", "", "" },
	{ "\r\nX-Virus-Scanner: body\r\n", 0, 0, false, true, "", "", "", "", "" },
	{ "From me Mon Jan 1\nFrom: a@b\n\n", 0, 0, false, true, "a@b", "", "", "", "" },
	{ ">From me Mon Jan 1\r\nReceived: x\r\n\r\n", 0, 1, false, true, "", "", "", "", "" },
	{ "Subject: a\r\nFrom me\r\nTo: x\r\n", 0, 0, false, true, "", "", "a", "", "" },
	{ "Subject:   two\r\n\t \twords \r\n  more\t\r\nTo:\r\n x\r\n\r\n", 0, 0, false, true,
	  "", "x", "two words more", "", "" },
	{ "Subject: first\r\nSubject: second\r\n\r\n", 0, 0, false, true, "", "", "first", "", "" },
	{ "Subject:\r\nSubject: second\r\n\r\n", 0, 0, false, true, "", "", "second", "", "" },
	{ "Subject: a\0b\r\nTo: x\r\n\r\n", 25, 0, false, true, "", "x", "a?b", "", "" },
	{ "Subject: open", 0, 0, false, false, "", "", "open", "", "" },
	{ "To: x\r\nno colon here\r\nFrom: y\r\n", 0, 0, false, true, "", "x", "", "", "" },
	{ "To: x\r\n: empty name\r\nFrom: y\r\n", 0, 0, false, true, "", "x", "", "", "" },
	{ " leading blank: x\r\nFrom: y\r\n", 0, 0, false, true, "", "", "", "", "" },
	{ "To: x\r\n   \r\nFrom: y\r\n\r\n", 0, 0, false, true, "y", "x", "", "", "" },
	{ "Subject: caf\xc3\xa9 \xff\r\n\r\n", 0, 0, false, true, "", "", "caf\xc3\xa9 \xff", "", "" },
	{ "A-name-that-is-much-longer-than-any-field-we-know-of-Received: x\r\nTo: q\r\n\r\n", 0,
	  0, false, true, "", "q", "", "", "" },
	{ "", 0, 0, false, false, "", "", "", "", "" },
};

static void scan_matches(const struct hdr_scan *h, const struct scan_case *c)
{
	ck_assert_uint_eq(h->received, c->received);
	ck_assert(h->has_xvirus == c->xvirus);
	ck_assert(h->done == c->done);
	ck_assert_str_eq(h->from, c->from);
	ck_assert_str_eq(h->to, c->to);
	ck_assert_str_eq(h->subject, c->subject);
	ck_assert_str_eq(h->date, c->date);
	ck_assert_str_eq(h->msgid, c->msgid);
}

/* The first Received field, whole as Postfix writes it, and the id in it. */
START_TEST(received_names_the_message)
{
	static const struct { const char *field, *id; } t[] = {
		{ "from a.example (b [192.0.2.1]) by c (Postfix) with ESMTP id 3CB1FA7C181 for <x@y>; Mon", "3CB1FA7C181" },
		{ "from a.example (b [192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
		  "bits)\r\n\t key-exchange X25519 server-signature RSA-PSS (4096 bits) server-digest SHA256)\r\n\t"
		  "(Client did not present a certificate)\r\n\tby c (Postfix) with ESMTPS id 4XyZ12abc\r\n\tfor <x@y>; "
		  "Mon, 1 Jan 2026 00:00:00 +0000 (UTC)", "4XyZ12abc" },
		{ "by c (Postfix, from userid 0) id 3CB1FA7C181; Mon", "3CB1FA7C181" },
		{ "by c ID Q; id no", "Q" }, { "by c; id Q", "" }, { "by c (id Q)", "" }, { "by c (a (id Q) id R) id S", "S" },
		{ "from id by c id Q", "Q" }, { "by c (\\) id Q) id R", "R" }, { "by c id", "" }, { "by c id ;", "" },
		{ "", "" }, { "(", "" }, { "\\", "" }, { "id Q", "" }, { "by c (open id Q", "" },
		{ "from \"x by c id FAKE\" (b) by c id Q", "Q" }, { "from \"x\\\" by c id FAKE\" by c id Q", "Q" },
		{ "from x id FAKE by c id Q", "Q" }, { "from \"x by c id FAKE", "" }, { "from \"", "" },
		{ "by c id FAKE\"", "" }, { "by c id Q\xe2\x80\xaeR", "" }, { "by c id 1abcDe-000001-XY", "1abcDe-000001-XY" },
		{ "by c id 123456789012345678901234567890123456789012345678901234567890123",
		  "123456789012345678901234567890123456789012345678901234567890123" },
		{ "by c id 1234567890123456789012345678901234567890123456789012345678901234", "" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct hdr_scan h;
		char id[64];

		hdr_scan_init(&h);
		hdr_scan_push(&h, "Received: ", 10);
		for (const char *p = t[i].field; *p != '\0'; p++)
			hdr_scan_push(&h, p, 1);
		hdr_scan_push(&h, "\r\nReceived: by z id LATER\r\n\r\n", 29);
		ck_assert_str_eq(hdr_received_id(h.first_received, id, sizeof id), t[i].id);
	}
}
END_TEST

START_TEST(received_that_is_too_long)
{
	struct hdr_scan h;
	char id[64];

	hdr_scan_init(&h);
	hdr_scan_push(&h, "Received: by c", 14);
	for (int i = 0; i < 1000; i++)
		hdr_scan_push(&h, " (c)", 4);
	hdr_scan_push(&h, " id Q\r\nSubject: s\r\n\r\n", 21);
	ck_assert_str_eq(hdr_received_id(h.first_received, id, sizeof id), "");
	ck_assert_str_eq(h.subject, "s");
}
END_TEST

START_TEST(scan_any_split)
{
	const struct scan_case *c = &scan_cases[_i];
	size_t len = c->len != 0 ? c->len : strlen(c->in);
	struct hdr_scan h;

	hdr_scan_init(&h);
	hdr_scan_push(&h, c->in, len);
	scan_matches(&h, c);
	hdr_scan_init(&h);
	for (size_t i = 0; i < len; i++)
		hdr_scan_push(&h, c->in + i, 1);
	scan_matches(&h, c);
	for (int round = 0; round < 200; round++) {
		hdr_scan_init(&h);
		for (size_t i = 0; i < len;) {
			size_t n = rnd(8);
			n = n > len - i ? len - i : n;
			hdr_scan_push(&h, c->in + i, n);
			i += n;
		}
		scan_matches(&h, c);
	}
}
END_TEST

START_TEST(scan_long_value_is_cut)
{
	struct hdr_scan h;

	hdr_scan_init(&h);
	hdr_scan_push(&h, "Subject: ", 9);
	for (int i = 0; i < 100000; i++)
		hdr_scan_push(&h, "y z", 3);
	hdr_scan_push(&h, "\r\nTo: end\r\n\r\n", 13);
	ck_assert(h.done);
	ck_assert_str_eq(h.to, "end");
	size_t n = strlen(h.subject);
	ck_assert(n >= HDR_VALUE_MAX - 3 && n < HDR_VALUE_MAX);
	ck_assert_int_eq(strncmp(h.subject, "y zy z", 6), 0);
}
END_TEST

/* Where marks go: the block's end, and behind the colon of each Subject. */
static const struct {
	const char *msg;
	size_t end;
	bool ends_open, needs_blank;
	unsigned nsubjects;
	size_t subjects[HDR_SUBJECTS_MAX];
} places[] = {
	{ "A: b\r\n\r\nbody\r\n", 6, false, false, 0, { 0 } },
	{ "A: b\r\nSubject: x\r\n\r\nSubject: y\r\n", 18, false, false, 1, { 14 } },
	{ "Subject:\r\n folded\r\nsubject : z\n\n", 31, false, false, 2, { 8, 28 } },
	{ "Subject: x\r\nno field\r\n\r\n", 12, false, false, 1, { 8 } },
	{ "From me\r\nSubject: x\r\n\r\n", 21, false, false, 1, { 17 } },
	{ "just text\r\n", 0, false, true, 0, { 0 } },
	{ "just", 0, false, true, 0, { 0 } },
	{ "A: b\r\njust", 6, false, false, 0, { 0 } },
	{ "A: b\r\n", 6, false, false, 0, { 0 } },
	{ "A: b", 4, true, false, 0, { 0 } },
	{ "Subject:", 8, true, false, 1, { 8 } },
	{ "", 0, false, false, 0, { 0 } },
	{ "\r\nbody", 0, false, false, 0, { 0 } },
	{ "Subject: 1\nSubject: 2\nSubject: 3\nSubject: 4\nSubject: 5\n\n", 55, false, false, 4,
	  { 8, 19, 30, 41 } },
};

START_TEST(places_of_marks)
{
	const size_t len = strlen(places[_i].msg);

	for (size_t step = 1; step <= len + 1; step++) {
		struct hdr_scan h;
		hdr_scan_init(&h);
		for (size_t at = 0; at < len; at += step)
			hdr_scan_push(&h, places[_i].msg + at, len - at < step ? len - at : step);
		hdr_scan_end(&h);
		ck_assert_uint_eq(h.end, places[_i].end);
		ck_assert(h.ends_open == places[_i].ends_open);
		ck_assert(h.needs_blank == places[_i].needs_blank);
		ck_assert_uint_eq(h.nsubjects, places[_i].nsubjects);
		for (unsigned i = 0; i < h.nsubjects; i++)
			ck_assert_uint_eq(h.subjects[i], places[_i].subjects[i]);
	}
}
END_TEST

/* Where lines of ours go: behind an mbox line, apart from a bare body. */
START_TEST(place_of_new_lines)
{
	static const struct {
		const char *msg;
		size_t lead;
		bool blank;
	} t[] = {
		{ "Subject: x\r\n\r\nbody\r\n", 0, false },
		{ "\r\nbody\r\n", 0, false },
		{ "", 0, false },
		{ "just text\r\n", 0, true },
		{ " folded: x\r\n", 0, true },
		{ ": no name\r\n", 0, true },
		{ "Subject: x\r\ntext at once\r\n", 0, false },
		{ "From a@b Thu Jan 1\r\nSubject: x\r\n\r\n", 20, false },
		{ ">From a@b\r\nSubject: x\r\n\r\n", 11, false },
		{ "From a@b\r\ntext\r\n", 10, true },
		{ "From a@b\r\n\tfolded: x\r\n", 10, true },
		{ "From a@b\r\nFrom a@b\r\n", 10, true },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		for (size_t step = 1; step < 40; step += 38) {
			struct hdr_scan h;
			size_t n = strlen(t[i].msg);
			hdr_scan_init(&h);
			for (size_t at = 0; at < n; at += step)
				hdr_scan_push(&h, t[i].msg + at, n - at < step ? n - at : step);
			ck_assert_msg(h.lead_len == t[i].lead, "%zu: lead %zu", i, h.lead_len);
			ck_assert_msg(h.needs_blank == t[i].blank, "%zu: blank %d", i, h.needs_blank);
		}
	}
}
END_TEST

START_TEST(xvirus_text)
{
	struct buf b = BUF_INIT(256), small = BUF_INIT(10);

	ck_assert_int_eq(hdr_xvirus_format(&b), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	const char *s = (const char *)buf_head(&b);
	ck_assert_int_eq(strncmp(s, "X-Virus-Scanner: Scanned by esets_smtp ", 39), 0);
	const char *fold = strstr(s, "\r\n\t");
	ck_assert_ptr_nonnull(fold);
	ck_assert_str_eq(fold, "\r\n\tan open SMTP content filter\r\n");
	ck_assert_int_eq(hdr_xvirus_format(&small), -1);
	ck_assert_uint_eq(buf_len(&small), 0);
	buf_fini(&b);
}
END_TEST

static const struct hdr_received plain = {
	.helo = "mx.example.net", .client_ip = "192.0.2.7", .client_name = "",
	.by = "gw.example.org", .protocol = "ESMTP", .id = "1b3e0300",
	.rcpt = "", .when = 1793000096, .tz_minutes = 0,
};

static char *received(const struct hdr_received *r)
{
	struct buf b = BUF_INIT(4096);

	ck_assert_int_eq(hdr_received_format(r, &b), 0);
	ck_assert_int_eq(buf_append(&b, "", 1), 0);
	char *s = strdup((const char *)buf_head(&b));
	buf_fini(&b);
	return s;
}

START_TEST(received_plain)
{
	struct hdr_received r = plain;
	char *s = received(&r);

	ck_assert_str_eq(s, "Received: from mx.example.net ([192.0.2.7]) by gw.example.org with ESMTP id\r\n"
		"\t1b3e0300; Mon, 26 Oct 2026 07:34:56 +0000\r\n");
	free(s);
	r.client_name = "mail.example.net";
	r.client_ip = "2001:db8::1";
	r.client_is_ipv6 = true;
	r.rcpt = "user+x@example.org";
	r.tz_minutes = -210;
	s = received(&r);
	ck_assert_str_eq(s, "Received: from mx.example.net (mail.example.net [IPv6:2001:db8::1]) by\r\n"
		"\tgw.example.org with ESMTP id 1b3e0300 for <user+x@example.org>;\r\n"
		"\tMon, 26 Oct 2026 04:04:56 -0330\r\n");
	free(s);
	r.helo = "";
	s = received(&r);
	ck_assert(strncmp(s, "Received: from [IPv6:2001:db8::1] (mail", 38) == 0);
	free(s);
}
END_TEST

START_TEST(received_hostile)
{
	static const char *const bad[] = {
		"a\r\nX-Evil: 1", "a) by evil (", "\x01\x7f\xff\xc3\xa9", "a b\tc", "<a>;\"\\", "a\n\n",
	};
	char big[5000];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct hdr_received r = plain;
		r.helo = r.client_ip = r.client_name = r.by = r.protocol = r.id = r.rcpt = bad[i];
		char *s = received(&r);
		size_t n = strlen(s);
		unsigned open = 0, semicolons = 0;
		for (size_t k = 0; k < n; k++) {
			ck_assert(s[k] != '\r' || s[k + 1] == '\n');
			ck_assert(s[k] != '\n' || k + 1 == n || s[k + 1] == '\t');
			ck_assert(s[k] == '\r' || s[k] == '\n' || s[k] == '\t' || (s[k] >= 32 && s[k] < 127));
			open += s[k] == '(';
			semicolons += s[k] == ';';
		}
		ck_assert_uint_eq(open, 1);
		ck_assert_uint_eq(semicolons, 1);
		ck_assert_ptr_null(strchr(s, '<'));
		free(s);
	}
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	struct hdr_received r = plain;
	r.helo = r.client_ip = r.client_name = r.by = r.protocol = r.id = r.rcpt = big;
	char *s = received(&r);
	ck_assert_uint_lt(strlen(s), 1500);
	ck_assert_ptr_nonnull(strstr(s, "26 Oct 2026"));
	for (char *line = s; *line != '\0';) {
		char *end = strstr(line, "\r\n");
		ck_assert_uint_lt((size_t)(end - line), 360);
		line = end + 2;
	}
	free(s);
}
END_TEST

START_TEST(received_dates)
{
	static const struct { long long when; int tz; const char *text; } t[] = {
		{ 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 951868799, 60, "Wed, 1 Mar 2000 00:59:59 +0100" },
		{ 4107542399, 0, "Sun, 28 Feb 2100 23:59:59 +0000" },
		{ 4107542400, 0, "Mon, 1 Mar 2100 00:00:00 +0000" },
		{ 253402214400, 0, "Fri, 31 Dec 9999 00:00:00 +0000" },
		{ 1LL << 62, 0, "Fri, 31 Dec 9999 00:00:00 +0000" },
		{ -5, 0, "Fri, 2 Jan 1970 00:00:00 +0000" },
		{ 86400, 1 << 30, "Fri, 2 Jan 1970 00:00:00 +0000" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct hdr_received r = plain;
		r.when = t[i].when;
		r.tz_minutes = t[i].tz;
		char *s = received(&r);
		ck_assert_msg(strstr(s, t[i].text) != NULL, "%s: %s", t[i].text, s);
		free(s);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hdr");
	TCase *t = tcase_create("hdr");

	suite_add_tcase(s, t);
	tcase_add_test(t, received_names_the_message);
	tcase_add_test(t, received_that_is_too_long);
	tcase_add_loop_test(t, scan_any_split, 0, (int)(sizeof scan_cases / sizeof *scan_cases));
	tcase_add_test(t, scan_long_value_is_cut);
	tcase_add_loop_test(t, places_of_marks, 0, (int)(sizeof places / sizeof *places));
	tcase_add_test(t, place_of_new_lines);
	tcase_add_test(t, xvirus_text);
	tcase_add_test(t, received_plain);
	tcase_add_test(t, received_hostile);
	tcase_add_test(t, received_dates);
	return unit_run(s);
}
