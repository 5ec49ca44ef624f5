/* check_task.c - a request worked off: what is found where, budgets, time. */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "engine.h"
#include "engine_hash.h"
#include "task.h"
#include "unit.h"

static const char eicar_a[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$";
static const char eicar_b[] = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
static char eicar[80];
static struct scan_request req;
static struct verdict verdict;
static int clean_fd;

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void setup(void)
{
	static struct conf c;
	char why[128];

	c.global.av_engines = c.global.as_engines = "builtin";
	c.global.av_signature_dir = "/nonexistent/signatures";
	ck_assert_msg(engines_load(&c, why, sizeof why) == 0, "%s", why);
	snprintf(eicar, sizeof eicar, "%s%s", eicar_a, eicar_b);
	req = (struct scan_request){ .id = "1.1", .agent = "test", .sender = "", .client = "",
		.helo = "", .queue_id = "", .name = "file", .is_mail = true, .want_av = true,
		.want_as = true, .want_parts = SCAN_PARTS_ALL,
		.opts = { .obj_files = true, .obj_archives = true, .obj_emails = true,
			.obj_mailbox = true, .obj_sfx = true, .obj_rtp = true,
			.archive_max_level = 10, .archive_max_size = 256u << 20,
			.archive_max_files = 10000, .archive_max_ratio = 1000, .timeout_s = 60,
			.ext_exclude = "", .block_ext = "", .allow_hash = "", .allow_name = "" } };
}

static void teardown(void)
{
	verdict_fini(&verdict);
	engine_hash_unload();
}

static char cleaned[65536];     /* the cleaned message of the last run, "" none */

/* What comes back is sealed, and its offset is nobody's business. */
static void take_cleaned(void)
{
	cleaned[0] = '\0';
	ck_assert(((verdict.av & VERDICT_AV_DELETED) != 0) == (clean_fd >= 0));
	if (clean_fd < 0)
		return;
	int want = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	ck_assert_int_eq(fcntl(clean_fd, F_GET_SEALS) & want, want);
	ssize_t n = pread(clean_fd, cleaned, sizeof cleaned - 1, 0);
	ck_assert_int_gt(n, 0);
	cleaned[n] = '\0';
	close(clean_fd);
	clean_fd = -1;
}

static bool run_until(const char *msg, size_t len, long long deadline, task_cancelled_fn cancelled)
{
	static bool is_inline;
	char *octets = malloc(len > 0 ? len : 1);
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, msg, len), (ssize_t)len);
	memcpy(octets, msg, len);
	req.size = len;
	/* In turn by the descriptor and inline; then one octet too many is seen. */
	req.is_inline = is_inline = !is_inline;
	req.octets = octets;
	verdict_fini(&verdict);
	bool done = task_run(&req, is_inline ? -1 : fd, deadline, cancelled, NULL, &verdict,
		&clean_fd);
	if (done)
		take_cleaned();
	ck_assert_int_eq(clean_fd, -1);
	close(fd);
	free(octets);
	return done;
}

static void run(const char *msg)
{
	ck_assert(run_until(msg, strlen(msg), now_ms() + 60000, NULL));
}

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *fmt, ...)
{
	static char out[65536];
	va_list ap;

	va_start(ap, fmt);
	ck_assert_int_lt(vsnprintf(out, sizeof out, fmt, ap), (int)sizeof out);
	va_end(ap);
	return out;
}

static const char *base64(const char *s)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static char out[4096];
	size_t n = strlen(s), w = 0;

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)(unsigned char)s[i] << 16;
		v |= i + 1 < n ? (unsigned)(unsigned char)s[i + 1] << 8 : 0;
		v |= i + 2 < n ? (unsigned)(unsigned char)s[i + 2] : 0;
		for (unsigned k = 0; k < 4; k++)
			out[w++] = k <= n - i ? abc[v >> (18 - 6 * k) & 63] : '=';
	}
	out[w] = '\0';
	return out;
}

START_TEST(clean_mail)
{
	run("From: a@b\r\nSubject: x\r\n\r\nhello\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	ck_assert_int_eq(verdict.as, VERDICT_AS_CLEAN);
	ck_assert_uint_eq(strlen(verdict.sha256), 64);
	ck_assert_ptr_nonnull(strstr(verdict.vdb, "builtin:"));
	run("");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
}
END_TEST

static void expect_infected(const char *msg)
{
	run(msg);
	ck_assert_msg(verdict.av & VERDICT_AV_INFECTED, "not found in: %s", msg);
	ck_assert_str_eq(verdict.virus, "EICAR-Test-File");
}

START_TEST(found_in_every_wrapping)
{
	expect_infected(text("Subject: x\r\n\r\n%s", eicar));
	expect_infected(text("Subject: x\r\n\r\n%s\r\n", eicar));
	expect_infected(text("%s\r\n", eicar));
	expect_infected(text("Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", base64(eicar)));
	expect_infected(text("Content-Transfer-Encoding: BASE64 (x)\r\n\r\n%s\r\n", base64(eicar)));
	expect_infected(text("Content-Transfer-Encoding: basse64\r\n\r\n%s\r\n", base64(eicar)));
	expect_infected(text("Content-Transfer-Encoding: quoted-printable\r\n\r\n=58%s\r\n", eicar + 1));
	expect_infected(text("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
		"--b\r\n\r\ntext\r\n--b\r\nContent-Transfer-Encoding: base64\r\n"
		"Content-Disposition: attachment; filename=e.com\r\n\r\n%s\r\n--b--\r\n", base64(eicar)));
	expect_infected(text("Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n"
		"Content-Type: message/rfc822\r\n\r\nSubject: deep\r\n\r\n%s\r\n", eicar));
	expect_infected(text("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n%s",
		base64(text("Subject: in\r\n\r\n%s\r\n", eicar))));
	expect_infected(text("Subject: x\r\n\r\nSubject: forwarded as text\r\n\r\n%s\r\n", eicar));
	expect_infected(text("Subject: x\n\n%s\n", eicar));
}
END_TEST

/* Where decoders disagree, each of them is right. */
START_TEST(found_in_every_reading_of_an_encoding)
{
	static const char cte[] = "Content-Transfer-Encoding: base64\r\n\r\n";
	static const char footer[] = "____________\r\nA list whose footer runs on and on, far "
		"beyond what may stand behind it: see http://list.example/\r\n";
	char b64[200], cut[200], blanks[301];

	snprintf(b64, sizeof b64, "%s", base64(eicar));
	snprintf(cut, sizeof cut, "%.*s", (int)strcspn(b64, "="), b64);
	memset(blanks, ' ', sizeof blanks - 1);
	blanks[sizeof blanks - 1] = '\0';
	expect_infected(text("%s%s\r\n%s", cte, b64, footer));
	expect_infected(text("%s%s\r\n%s", cte, cut, footer));
	expect_infected(text("%s%s\r\n%s%s%s\r\n", cte, b64, b64, b64, b64));
	expect_infected(text("%s%.6s=%s\r\n", cte, b64, b64 + 6));
	expect_infected(text("%s%s\r\n", cte, eicar));
	expect_infected(text("%sW===%s\r\n", cte, base64(eicar + 1)));
	expect_infected(text("%s%.1s=%sAAAABBBB\r\n", cte, b64, b64 + 1));
	expect_infected(text("Content-Transfer-Encoding: quoted-printable\r\n\r\n%.9s=%s\r\n%s\r\n",
		eicar, blanks, eicar + 9));
	expect_infected(text("Content-Transfer-Encoding: quoted-printable\r\n\r\n%.9s=\r\r\n%s\r\n",
		eicar, eicar + 9));
	expect_infected(text("Content-Transfer-Encoding: quoted-printable\r\n\r\n%.9s=\v\r\n%s\r\n",
		eicar, eicar + 9));
	expect_infected(text("Content-Transfer-Encoding: quoted-printable\r\n\r\n%.9s=\r\t\n%s\r\n",
		eicar, eicar + 9));
	expect_infected(text("Content-Transfer-Encoding: quoted-printable\r\n\r\n%s\f\r\n", eicar));
	/* Nobody said that it is base64. */
	expect_infected(text("Content-Type: application/octet-stream\r\n\r\n%s\r\n", b64));
}
END_TEST

START_TEST(found_in_an_encoded_multipart)
{
	const char *hdr = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
	char *inner = strdup(text("--b\r\n\r\ntext\r\n--b\r\nContent-Type: a/b\r\n\r\n"
		"%s\r\n--b--\r\n", eicar));

	expect_infected(text("%sContent-Transfer-Encoding: base64\r\n\r\n%s", hdr, base64(inner)));
	expect_infected(text("%sContent-Transfer-Encoding: 7bit\r\n\r\n%s", hdr, inner));
	/* The multipart inside has an encoding too. */
	char *outer = strdup(text("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n",
		base64(text("--c\r\n\r\n%s\r\n--c--\r\n", eicar))));
	expect_infected(text("%sContent-Transfer-Encoding: base64\r\n\r\n%s", hdr, base64(outer)));
	free(outer);
	free(inner);
}
END_TEST

/* An attached message, whatever it is declared as: by its first field, by
 * what is in its header, by its name. */
START_TEST(found_in_an_attached_message)
{
	static const char *const begins[] = { "Reply-To: a@b\r\n", "DKIM-Signature: v=1\r\n",
		"\xef\xbb\xbf", "\xef\xbb\xbf\r\nFrom: a@b\r\n", "\r\n\n\r\n", "Thread-Topic : x\n",
		"\357\273\277From: a@b\r\n", "From a@b Mon\r\n", "A: b\r\n folded\r\nno field\r\n" };
	static const char cte[] = "Content-Type: application/octet-stream\r\n"
		"Content-Transfer-Encoding: base64\r\n";

	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		char *in = strdup(text("%sContent-Transfer-Encoding: base64\r\n\r\n%s", begins[i],
			base64(eicar)));
		expect_infected(text("%s\r\n%s", cte, base64(in)));
		expect_infected(in);
		free(in);
	}
	char *in = strdup(text("no field\r\nContent-Transfer-Encoding: base64\r\n\r\n%s",
		base64(eicar)));
	run(text("%s\r\n%s", cte, base64(in)));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	expect_infected(text("%sContent-Disposition: attachment; filename=\"a.EML\"\r\n\r\n%s", cte,
		base64(in)));
	expect_infected(text("%sContent-Disposition: attachment; filename=a; name=b.mhtml\r\n\r\n%s",
		cte, base64(in)));
	free(in);
}
END_TEST

START_TEST(what_nobody_can_see_is_not_clean)
{
	run("Content-Type: multipart/encrypted; boundary=b\r\n\r\n"
		"--b\r\n\r\nVersion: 1\r\n--b--\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_ENCRYPTED);
	ck_assert_ptr_nonnull(strstr(verdict.reason, "encrypted"));
	run("Content-Type: message/partial; number=2; total=3; id=x\r\n\r\nmiddle\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_NOTSCANNED);
	ck_assert_ptr_nonnull(strstr(verdict.reason, "partial"));
	run("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_ENCRYPTED);
	run("Content-Type: application/octet-stream; name=smime.P7M\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_ENCRYPTED);
	run("Content-Type: application/x-pkcs7-mime; smime-type=signed-data\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_NOTSCANNED);
	ck_assert_str_eq(verdict.reason, "opaque signed S/MIME");
	run("Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	req.want_av = false;
	run("Content-Type: message/partial; number=2; total=3; id=x\r\n\r\nmiddle\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
}
END_TEST

/* Where lines are C strings in pieces: 1023 octets in a header, 255 in a quoted-printable
 * body, of which those count that are seen. */
START_TEST(found_where_a_nul_hides_a_piece)
{
	static const struct { const char *before, *behind; size_t n; } rows[] = {
		{ "Content-Transfer-Encoding: @ 7bit;", " base64;\r\n7bit;: x\r\n\r\n", 989 },
		{ "Subject: x\r\nContent-Transfer-Encoding:\r\n @ 7bit;", " base64;\r\n7bit;: x\r\n\r\n",
			989 },
		{ "Content-Transfer-Encoding: base64\r\nA: x\r\n @", "\r\n B: x\r\n:", 5 },
		{ "Content-Transfer-Encoding: quoted-printable\r\n\r\n@",
			"=58=35=4F=21=50=25=40=41=50=5B=34=5C=50=5A=58=35=34=28=50=5E=29=37=43=43=29=\r\n"
			"=37=7D=24=45=49=43=41=52=2D=53=54=41=4E=44=41=52=44=2D=41=4E=54=49=56=49=52=\r\n"
			"=55=53=2D=54=45=53=54=2D=46=49=4C=45=21=24=48=2B=48=2A\r\n", 254 } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char fill[1024] = "";
		memset(fill, 'x', rows[i].n);
		fill[rows[i].n] = '\0';
		/* The last one goes on behind its end. */
		for (unsigned is_part = 0; is_part < (i < 3 ? 2 : 1); is_part++) {
			char *msg = text("%s%s%s%s%s\r\n%s", is_part ? "Content-Type: multipart/mixed; "
				"boundary=B\r\n\r\n--B\r\n" : "", rows[i].before, fill, rows[i].behind,
				i < 3 ? base64(eicar) : "", is_part ? "--B--\r\n" : "");
			const size_t n = strlen(msg);
			*strchr(msg, '@') = '\0';
			ck_assert(run_until(msg, n, now_ms() + 60000, NULL));
			ck_assert_msg(verdict.av & VERDICT_AV_INFECTED, "%zu: %s", i, rows[i].before);
		}
	}
}
END_TEST

/* What a NUL does to a header or a boundary is for the reader to say. */
START_TEST(found_where_there_are_nuls)
{
	static const char *const heads[] = {
		"Content-Type: multipart/mixed; bound@junk\r\nary=xyz\r\n\r\n"
			"--d0\r\n\r\n--d1\r\n\r\n--d2\r\n\r\n--d3\r\n\r\n--d4\r\n\r\n--d5\r\n\r\n--d6\r\n\r\n"
			"--xyz\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		"Content-T@ype: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
			"Content-Transfer-Encoding: base64\r\n\r\n",
		"Content-Transfer-Enc@oding: base64\r\n\r\n",
		"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--b@b\r\n"
			"Content-Transfer-Encoding: base64\r\n\r\n" };

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		char *msg = text("%s%s\r\n", heads[i], base64(eicar));
		size_t n = strlen(msg);
		*strchr(msg, '@') = '\0';
		ck_assert(run_until(msg, n, now_ms() + 60000, NULL));
		ck_assert_msg(verdict.av & VERDICT_AV_INFECTED, "%s", heads[i]);
	}
}
END_TEST

START_TEST(found_with_odd_boundaries)
{
	static const char *const values[] = { "\vbb", "\fbb", "\v\"bb\"", "\v bb", "'bb'", "\v'bb'\f",
		"(x)\vbb", "other" };

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		expect_infected(text("Content-Type: multipart/mixed; boundary\v=%s\r\n\r\n--decoy\r\n"
			"\r\n--bb\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--bb--\r\n",
			values[i], base64(eicar)));
}
END_TEST

/* The encoding of a message is not allowed (RFC 2045 6.4), and some readers
 * take no notice of it. */
START_TEST(found_in_an_attached_message_as_it_stands)
{
	static const char *const encodings[] = { "quoted-printable", "x-uuencode", "x-yencode",
		"base64" };

	for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++)
		expect_infected(text("Content-Type: message/rfc822\r\n"
			"Content-Transfer-Encoding: %s\r\n\r\n"
			"From: a@b\r\nSubject: =0D=0A=0D=0Afoo bar=0D=0A\r\n"
			"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", encodings[i], base64(eicar)));
}
END_TEST

/* An honest one is no header that is too long, as it stands. */
START_TEST(an_encoded_message_is_no_long_header)
{
	static const struct { const char *encoding, *first, *line; unsigned n; } rows[] = {
		{ "quoted-printable", "From: a@b=\r\n\r\nSubject: =3D\r\n\r\n", "Gr=C3=BC=C3=9Fe: x=\r\n", 3000 },
		{ "base64", "", "RnJvbTogYUBiDQpTdWJqZWN0OiB4DQoNCnRleHQNCnRleHQN\r\n", 3000 },
		{ "x-uuencode", "begin 644 a.eml\r\n", "-1G)O;3H:84!B#0I3=6)\r\n", 900 },
	};
	char *msg = malloc(400000);

	ck_assert_ptr_nonnull(msg);
	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		char *p = msg + sprintf(msg, "Content-Type: message/rfc822\r\n"
			"Content-Transfer-Encoding: %s\r\n\r\n%s", rows[k].encoding, rows[k].first);
		for (unsigned i = 0; i < rows[k].n; i++)
			p += sprintf(p, "%s", rows[k].line);
		ck_assert(run_until(msg, (size_t)(p - msg), now_ms() + 60000, NULL));
		ck_assert_msg(verdict.av == VERDICT_AV_CLEAN, "%s: %s", rows[k].encoding,
			verdict.reason);
	}
	free(msg);
}
END_TEST

START_TEST(found_in_opaque_signed_mail)
{
	static const char der[] = "0\x82\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x82";

	expect_infected(text("Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n%s", base64(text("%sContent-Type: text/plain"
		"\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n\xa0\x82", der, base64(eicar)))));
}
END_TEST

START_TEST(what_is_not_looked_into_is_not_clean)
{
	static const char *const begins[] = { "PK\3\4", "RE~^", "7z\xbc\xaf\x27\x1c", "\x1f\x8b\10",
		"BZh91AY&SY", "xar!", "!<arch>\n", "\x78\x9f\x3e\x22" };

	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		char *b64 = strdup(base64(text("%sand more", begins[i])));
		bool is_tnef = begins[i][1] == '\x9f';
		for (unsigned on = 0; on < 2; on++) {
			req.opts.obj_archives = on;
			run(text("Content-Transfer-Encoding: base64\r\n\r\n%s", b64));
			ck_assert_uint_eq(verdict.av, on || is_tnef ? VERDICT_AV_NOTSCANNED :
				VERDICT_AV_CLEAN);
		}
		ck_assert_ptr_nonnull(strstr(verdict.reason, is_tnef ? "TNEF" : "archive"));
		req.is_mail = false;
		run(text("%sx", begins[i]));
		ck_assert_uint_eq(verdict.av, VERDICT_AV_NOTSCANNED);
		req.is_mail = true;
		free(b64);
	}
	/* TNEF is told by its octets alone. */
	run("Content-Type: application/ms-tnef; name=WinMail.DAT\r\n\r\nx");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
}
END_TEST

#define EICAR_SHA256 "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"

/* A part of the verdict with this find that did not count. */
static bool is_told_allowed(const char *virus)
{
	for (unsigned i = 0; i < verdict.nparts; i++)
		if (verdict.parts[i].av == VERDICT_AV_CLEAN &&
		    strcmp(verdict.parts[i].virus, virus) == 0)
			return true;
	return false;
}

START_TEST(allowed_names_pass)
{
	static const struct { const char *list; bool passes; } t[] = { { "", false },
		{ "EICAR-Test-File", true }, { "Other:eicar*", true }, { "EICAR", false },
		{ "*", false }, { "Other", false } };

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		req.opts.allow_name = t[i].list;
		req.want_parts = SCAN_PARTS_NOTABLE;
		run(text("Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", base64(eicar)));
		ck_assert_msg(verdict.av == (t[i].passes ? VERDICT_AV_CLEAN : VERDICT_AV_INFECTED),
			"%s", t[i].list);
		ck_assert(is_told_allowed("EICAR-Test-File") == t[i].passes);
		ck_assert_str_eq(verdict.virus, t[i].passes ? "" : "EICAR-Test-File");
	}
}
END_TEST

START_TEST(allowed_digests_pass)
{
	char *in = strdup(text("From: a@b\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
		base64(eicar)));

	req.opts.allow_hash = EICAR_SHA256;
	run(in);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	ck_assert(is_told_allowed("EICAR-Test-File"));
	/* One octet more is another object, and so is what lies beside it. */
	run(text("Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", base64(text("%s ", eicar))));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	char *both = strdup(text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n%s"
		"\r\n--b\r\n\r\n%s \r\n--b--\r\n", eicar, eicar));
	run(both);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	ck_assert(is_told_allowed("EICAR-Test-File"));
	free(both);
	free(in);
}
END_TEST

/* The digest of a container stands for all that lies in it, and for nothing
 * that lies beside it. */
START_TEST(allowed_digest_of_a_container)
{
	char hash[65];

	req.opts.allow_hash = "";
	char *in = strdup(text("Subject: in\r\n\r\n%s\r\n", eicar));
	run(in);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	snprintf(hash, sizeof hash, "%s", verdict.sha256);
	req.opts.allow_hash = hash;
	run(in);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	ck_assert_str_eq(verdict.sha256, hash);
	char *b64 = strdup(base64(in));
	const char *head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n";
	run(text("%s%s\r\n--b\r\n\r\nhi\r\n--b--\r\n", head, b64));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	run(text("%s%s\r\n--b\r\n\r\n%s\r\n--b--\r\n", head, b64, eicar));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	free(b64);
	free(in);
}
END_TEST

static const char mbox[] =
	"From a@b Sat Nov 21 10:00:00 2026\r\nSubject: 1\r\n\r\nhello\r\n\r\n"
	"From someone who says:\r\n\r\nFrom c@d Sat Nov 21 10:00:01 2026\r\n"
	"Content-Transfer-Encoding: base64\r\n\r\n";

/* Whatever is a separator for a reader, and not only in the first message. */
START_TEST(found_in_a_mailbox)
{
	static const char cte[] = "Content-Transfer-Encoding: base64\r\n"
		"Content-Type: application/mbox; name=x\r\n\r\n";
	char *in = strdup(text("%s%s\r\n", mbox, base64(eicar)));

	expect_infected(text("%s%s", cte, base64(in)));
	req.is_mail = false;
	expect_infected(in);
	req.opts.obj_mailbox = false;
	run(in);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	free(in);
}
END_TEST

/* Where the extension cannot be told, nothing says that it is not blocked. */
/* Lines that begin with "from" are no messages in each other. */
START_TEST(a_script_is_no_mail)
{
	char lines[2000] = "";

	for (unsigned i = 0; i < 40; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "from a%u import b\n", i);
	run(text("Content-Type: text/x-python; name=a.py\r\n\r\n%s\nx = 1\n", lines));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	ck_assert_str_eq(verdict.reason, "");
	for (unsigned i = 0; i < 2; i++)
		expect_infected(text("Content-Type: text/plain\r\n\r\n%sFrom a@b Sat Nov 21 10:00:00 2026\r\n"
			"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", i == 0 ? "" : ">", base64(eicar)));
}
END_TEST

START_TEST(names_in_a_foreign_charset)
{
	static const char *const foreign[] = {
		"Content-Type: a/b; name=\"=?utf-7?Q?e+AC4-exe?=\"\r\n\r\nx\r\n",
		"Content-Type: a/b; name*=ibm037''x\r\n\r\nx\r\n",
		"Content-Type: a/b; name=\"=?hz-gb-2312?Q?e.e~{~}xe?=\"\r\n\r\nx\r\n",
	};

	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		req.opts.block_ext = "exe";
		run(foreign[i]);
		ck_assert_uint_eq(verdict.av, VERDICT_AV_NOTSCANNED);
		req.opts.block_ext = "";
		run(foreign[i]);
		ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	}
	req.opts.block_ext = "exe";
	run("Content-Type: a/b; name=\"=?iso-2022-jp?B?ZS5lGyhCeGU=?=\"\r\n\r\nx\r\n");
	ck_assert_str_eq(verdict.virus, "Blocked/exe");
	run("Content-Type: a/b; name=\"=?koi8-r?Q?=C1.txt?=\"\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	static const char *const fullwidth[] = {
		"name*=euc-jp''a.%A3%E5%A3%F8%A3%E5", "name=\"=?gbk?Q?a=A3=AEexe?=\"",
		"name*=gb18030''a.e%816%A47xe", "name=\"=?big5?B?YS6i7aNBou0=?=\"",
		"name*=shift_jis''a.%82%85%82%98%82%85", "name=\"=?euc-kr?Q?a.=A3=E5xe?=\"" };
	for (size_t i = 0; i < sizeof fullwidth / sizeof fullwidth[0]; i++) {
		run(text("Content-Type: a/b; %s\r\n\r\nx\r\n", fullwidth[i]));
		ck_assert_msg(strcmp(verdict.virus, "Blocked/exe") == 0, "%s", fullwidth[i]);
	}
	run("Content-Type: a/b; name=\"::::::::::::::::::a.exe\"\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_NOTSCANNED);
	ck_assert_str_eq(verdict.reason, "file name with too many colons");
	run("Content-Type: a/b; name=\"10:20:30 note.txt\"\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	req.opts.block_ext = "";
}
END_TEST

START_TEST(names_that_are_blocked_or_left_alone)
{
	char *msg = strdup(text("Content-Type: a/b; name=\"x.COM \"\r\n\r\n%s\r\n", eicar));

	req.opts.block_ext = "exe:com";
	run("Content-Type: a/b; name=\"x.COM \"\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	ck_assert_str_eq(verdict.virus, "Blocked/com");
	req.opts.allow_name = "blocked/*";
	run("Content-Type: a/b; name=x.com\r\n\r\nx\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	req.opts.block_ext = "";
	req.opts.ext_exclude = "com";
	expect_infected(msg); /* the blank is odd */
	run(text("Content-Type: a/b; name=x.com\r\n\r\n%s\r\n", eicar));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	req.opts.ext_exclude = "";
	req.opts.obj_files = false;
	run(msg);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	free(msg);
}
END_TEST

/* As many parts as may be, the last of them bad; and one more. */
START_TEST(as_many_parts_as_may_be)
{
	const unsigned max = req.opts.archive_max_files;
	char *msg = malloc(max * 16 + 400);

	for (unsigned more = 0; more < 2; more++) {
		char *p = msg + sprintf(msg, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
		for (unsigned i = 0; i < max - 1 + more; i++)
			p += sprintf(p, "--b\r\n\r\nx\r\n");
		p += sprintf(p, "--b\r\n\r\n%s\r\n--b--\r\n", eicar);
		run(msg);
		ck_assert_uint_eq(verdict.av, more ? VERDICT_AV_OVERLIMIT : VERDICT_AV_INFECTED);
	}
	free(msg);
}
END_TEST

#define REMOVED "Content-Type: text/plain; charset=us-ascii\r\n\r\n" \
	"This part of the message was removed, since it was infected.\r\nFound: EICAR-Test-File"
#define MULTI "From: a@b\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n.\r\n" \
	"--B\r\n\r\nhello \xff\r\n--B\r\n"
#define MULTI_END "\r\n--B\r\nX: y\r\n\r\nlast\r\n--B--\r\nbye\r\n"
#define ATTACHED "Content-Type: application/x; name=\"e.com\"\r\n" \
	"Content-Transfer-Encoding: base64\r\n\r\n"

static void expect_cleaned(const char *msg, const char *want)
{
	char *copy = strdup(msg);

	run(copy);
	ck_assert_msg(verdict.av == VERDICT_AV_DELETED, "av %x for %s", verdict.av, copy);
	ck_assert_str_eq(verdict.virus, "EICAR-Test-File");
	ck_assert_str_eq(cleaned, want);
	free(copy);
}

/* The innermost part that lies in the message as it came is replaced, and
 * every other octet stays. */
START_TEST(cleaned_parts)
{
	char *part = strdup(text("%s%s", ATTACHED, base64(eicar)));
	char *mail = strdup(text("%s%s%s", MULTI, part, MULTI_END));

	req.opts.clean_mode = SCAN_CLEAN_STANDARD;
	expect_cleaned(mail, MULTI REMOVED "\r\nFile name: e.com" MULTI_END);
	/* a message is a part too; its own header stays */
	expect_cleaned(text("From: a\r\n%sx", part), "From: a\r\n" REMOVED "\r\nFile name: e.com\r\n");
	expect_cleaned(text("To: b\r\n\r\n%s", eicar), "To: b\r\n" REMOVED "\r\n");
	/* inside a message that lies there in the clear, and in one that does not */
	expect_cleaned(text("To: c\r\nContent-Type: message/rfc822\r\n\r\n%s", mail),
		"To: c\r\nContent-Type: message/rfc822\r\n\r\n" MULTI REMOVED "\r\nFile name: e.com"
		MULTI_END);
	char *encoded = strdup(base64(mail));
	expect_cleaned(text("%sContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		"%s%s", MULTI, encoded, MULTI_END), MULTI REMOVED MULTI_END);
	free(encoded);
	/* in the preamble; two of them; behind a boundary that does not close */
	expect_cleaned(text("Content-Type: multipart/mixed; boundary=B\r\n\r\n%s\r\n--B\r\n\r\n"
		"x\r\n--B--\r\n", eicar),
		"Content-Type: multipart/mixed; boundary=B\r\n\r\n" REMOVED "\r\n--B\r\n\r\nx\r\n--B--\r\n");
	expect_cleaned(text("%s%s\r\n--B\r\n%s%s", MULTI, part, part, MULTI_END),
		MULTI REMOVED "\r\nFile name: e.com\r\n--B\r\n" REMOVED "\r\nFile name: e.com" MULTI_END);
	expect_cleaned(text("%s%s", MULTI, part), MULTI REMOVED "\r\nFile name: e.com\r\n");
	free(mail);
	free(part);
}
END_TEST

/* Where a header ends for mutt, for Python, or for both. The @ is content: base64 whose
 * first eight octets stand before a blank, or a name's, where readers of base64 pass
 * over what is none. */
START_TEST(found_wherever_a_header_may_end)
{
#define TYPED "Content-Type: application/octet-stream; name=e.com\r\n"
#define CODED TYPED "Content-Transfer-Encoding: base64\r\n"
	static const struct { const char *before, *between; bool is_plain; } rows[] = {
		{ TYPED "bogus line\r\n", "", true },
		{ CODED "bogus line\r\n", "", false },
		{ CODED "bogus line\r\n more of it\r\n", ":", false },
		{ CODED "bogus line\r\n", ":", false },
		{ CODED, " :", false }, { CODED "Foo: bar\r\n", " :", false },
		{ CODED "\xe9", ":", false }, { CODED "\x01", ":", false },
		{ CODED "\xe9: x\r\nbogus\r\n\x0b: x\r\n", ":", false },
		{ CODED "From x: y\r\nX: y\r\nfrom b: c\r\n", ":", false },
		{ CODED "From x\r\nX: y\r\n>From b\r\n", ":", false },
		{ TYPED "Content-Transfer-Encoding\r\n : base64\r\n\r\n", "", false },
		{ TYPED ":x\r\n", "", true }, { TYPED ":x\r\nFrom x\r\n", "", true },
		{ CODED ":x\r\nfoo bar: x\r\n", "", false },
		{ CODED "foo bar: x\r\nbogus\r\n", ":", false },
		{ CODED "X: y\r", "", false }, { CODED "X: y\rbogus\r", ":", false },
		{ TYPED "bad\rone: x\r\n", "", true } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char body[200], *part;
		snprintf(body, sizeof body, "%.8s%s%s", rows[i].is_plain ? eicar : base64(eicar),
			rows[i].between, (rows[i].is_plain ? eicar : base64(eicar)) + 8);
		expect_infected(text("%s%s\r\n\r\n", rows[i].before, body));
		part = strdup(text("%s%s\r\n", rows[i].before, body));
		expect_infected(text("%s%s%s", MULTI, part, MULTI_END));
		free(part);
	}
}
END_TEST

/* Nor is broken mail without harm held back for it. */
START_TEST(odd_headers_cost_little)
{
	static const char *const odd[] = { "Subject : x\r\n", "X-A : x\r\n", "by b\r\nX-B: y\r\n",
		"by b\r\nfor c; d\r\n", "\xe9: x\r\n", " \r\nHello,\r\nthis is: a text\r\n:-)\r\n",
		"Hello,\r\nFrom here on\r\n" };
	char head[4096];

	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		size_t n = 0;
		for (unsigned k = 0; k < 30; k++)
			n += (size_t)snprintf(head + n, sizeof head - n, "%s", odd[i]);
		run(text("Received: x\r\n%s%stext%s", head, MULTI, MULTI_END));
		ck_assert_msg(verdict.av == VERDICT_AV_CLEAN, "%zu before: %s", i, verdict.reason);
		run(text("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n%s"
			"\r\n--B\r\n\r\ntext%s", head, MULTI_END));
		ck_assert_msg(verdict.av == VERDICT_AV_CLEAN, "%zu behind: %s", i, verdict.reason);
	}
}
END_TEST

START_TEST(what_is_never_altered)
{
	static const char *const types[] = { "multipart/signed; boundary=B",
		"multipart/encrypted; boundary=B", "application/pkcs7-mime", "application/x-pkcs7-mime" };
	char *part = strdup(text("%s%s", ATTACHED, base64(eicar)));
	char *mail = strdup(text("%s%s%s", MULTI, part, MULTI_END));

	/* it was not asked for */
	run(mail);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	req.opts.clean_mode = SCAN_CLEAN_DELETE;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		run(text("Content-Type: %s\r\n\r\n--B\r\n%s%s", types[i], part, MULTI_END));
		ck_assert_msg((verdict.av & VERDICT_AV_DELETED) == 0, "%s", types[i]);
		/* nor where only a part of it is signed */
		run(text("%sContent-Type: %s\r\n\r\nx\r\n--B\r\n%s%s", MULTI, types[i], part,
			MULTI_END));
		ck_assert_msg((verdict.av & (VERDICT_AV_INFECTED | VERDICT_AV_DELETED)) ==
			VERDICT_AV_INFECTED, "%s", types[i]);
	}
	/* nor where one of its names says that it is */
	run(text("%sContent-Type: x/y; name=smime.p7m\r\nContent-Disposition: attachment; "
		"filename=foo.bin\r\n\r\n%s%s", MULTI, eicar, MULTI_END));
	ck_assert_uint_eq(verdict.av & (VERDICT_AV_INFECTED | VERDICT_AV_DELETED), VERDICT_AV_INFECTED);
	/* nor what is no mail */
	req.is_mail = false;
	run(mail);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	free(mail);
	free(part);
}
END_TEST

/* Readers that do not agree on the parts: cleaned for all of them, or not at
 * all. */
START_TEST(cleaned_for_every_reader)
{
	static const struct { const char *before, *behind; } mails[] = {
		{ "Content-Type: multipart/mixed; boundary=A; boundary=B\r\n\r\n--A\r\n\r\n--B\r\n\r\n",
		  "\r\n--B--\r\nx\r\n--A--\r\n" },
		{ "Content-Type: multipart/mixed; boundary=B\r\nContent-Type: text/plain\r\n\r\n--B\r\n\r\n",
		  "\r\n--B--\r\n" },
		{ "Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\n", "\r\n--Bx\r\n\r\n--B--\r\n" },
		{ "Content-Type: text/plain\r\nbad\r\n", "\r\n" },
		{ "Content-Type: text/plain\r\nbad\r\n more\r\n:x\r\n", "\r\n\r\n" },
		{ "Content-Type: multipart/mixed; boundary=B\r\nbad\r\n\r\n--B\r\nbad\r\n", "\r\n--B--\r\n" },
		{ "Content-Type: text/plain\r\n\r\n--B\r\n\r\nx\r\n\r\nbegin-base64 6 x\r\n", "" } };

	req.opts.clean_mode = SCAN_CLEAN_STRICT;
	for (size_t i = 0; i < sizeof mails / sizeof mails[0]; i++) {
		run(text("%s%s%s", mails[i].before, mails[i].behind[0] != '\0' ? eicar : base64(eicar),
			mails[i].behind));
		ck_assert_msg(verdict.av & (VERDICT_AV_INFECTED | VERDICT_AV_DELETED), "%zu", i);
		if ((verdict.av & VERDICT_AV_DELETED) == 0)
			continue;
		ck_assert_msg(strstr(cleaned, eicar) == NULL, "%zu", i);
		char *again = strdup(cleaned);
		run(again);
		ck_assert_msg((verdict.av & VERDICT_AV_INFECTED) == 0, "%zu", i);
		free(again);
	}
}
END_TEST

/* One line of uuencode, without its end. */
static void uu_line(char *out, const char *p, size_t n)
{
	*out++ = (char)(32 + n);
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)(unsigned char)p[i] << 16;
		v |= i + 1 < n ? (unsigned)(unsigned char)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? (unsigned)(unsigned char)p[i + 2] : 0;
		for (unsigned k = 0; k < 4; k++) {
			unsigned c = v >> (18 - 6 * k) & 63;
			*out++ = (char)(c == 0 ? '`' : 32 + c);
		}
	}
	*out = '\0';
}

START_TEST(found_in_uuencode)
{
	/* 45 + 23 octets: "M" and "7" are the counts. */
	char body[400], lines[2][70];
	uu_line(lines[0], eicar, 45);
	uu_line(lines[1], eicar + 45, 23);
	snprintf(body, sizeof body, "begin 644 e.com\r\n%s\r\n%s\r\n`\r\nend\r\n", lines[0], lines[1]);
	expect_infected(text("Subject: x\r\n\r\nsee below\r\n\r\n%s\r\nbye\r\n", body));
	expect_infected(text("Subject: x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n%s", body));
	expect_infected(text("Subject: x\r\n\r\nbegin 644 clean\r\n#86)C\r\n`\r\nend\r\n%s", body));
	char high[400];
	snprintf(high, sizeof high, "begin 644 e.com\r\n%c%s\r\n%c%s\r\n`\r\nend\r\n",
		lines[0][0] + 0x40, lines[0] + 1, lines[1][0] + 0x40, lines[1] + 1);
	expect_infected(text("Subject: x\r\n\r\nsee below\r\n\r\n%s\r\nbye\r\n", high));
	expect_infected(text("Subject: x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n%s", high));
	/* What begins like prose is a file where uuencode is announced, and only there. */
	char prose[400];
	snprintf(prose, sizeof prose, "begin foo%s", body + strlen("begin 644 e.com"));
	expect_infected(text("Subject: x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n"
		"Hello there, see below\r\n%s", prose));
	run(text("Subject: x\r\n\r\nHello there, see below\r\n%s", prose));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	req.is_mail = false;
	expect_infected(text("text\r\n%s", body));
}
END_TEST

/* Some readers look for a file before they take the encoding off. */
START_TEST(found_in_uuencode_that_is_encoded)
{
	/* No line has a '=' but at its end, where it is a soft break, or a check
	 * character that nobody looks at. */
	static const size_t counts[] = { 15, 9, 1, 43 };
	char body[400] = "hello\r\nbegin 644 e.com\r\n", line[70];
	const char *p = eicar;

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; p += counts[i++]) {
		uu_line(line, p, counts[i]);
		strcat(strcat(body, line), "=\r\n");
	}
	strcat(body, "`\r\nend\r\n");
	expect_infected(text("Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%s",
		body));
	expect_infected(text("Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n%s", body));
#ifdef HAVE_LIBARCHIVE
	/* The other reading of an honest one may be no archive any more: no news. */
	run("Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
		"begin 644 a.bz2\r\nM0EIH.3%!62936>Y<8O(   (1@$   F 4 \"  ,, (8:2T&C\"[DBG\"A(=3DRXQ>0=\r\n\r\n"
		"`\r\nend\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
#endif
}
END_TEST

START_TEST(found_in_yenc)
{
	char data[200];
	size_t w = 0;

	for (const char *p = eicar; *p != '\0'; p++)
		data[w++] = (char)(*p + 42);
	data[w] = '\0';
	expect_infected(text("Subject: x\r\n\r\nlook\r\n=ybegin line=128 size=68 name=e.com\r\n%s\r\n"
		"=yend size=68\r\n", data));
	expect_infected(text("Content-Transfer-Encoding: x-yencode\r\n\r\nlook\r\n"
		"=ybegin line=128 size=68 name=e.com\r\n%s\r\n=yend size=68\r\n", data));
	expect_infected(text("Content-Transfer-Encoding: x-yencode\r\n\r\n%s\r\n", data));
	/* Who does not know it shows it as it stands. */
	expect_infected(text("Content-Transfer-Encoding: x-yencode\r\n\r\n%s\r\n", eicar));
}
END_TEST

/* By the publisher's rule: at the start, white space behind, 128 octets. */
START_TEST(eicar_rule)
{
	req.is_mail = false;
	run(text("x%s", eicar));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	run(text("%sx", eicar));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	run(text("%s%60s", eicar, ""));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	run(text("%s%61s", eicar, ""));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	run(text("%s \t\r\n\x1a", eicar));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
}
END_TEST

START_TEST(gtube)
{
	static const char a[] = "XJS*C4JDBQADN1.NSBN3*2IDNEN*", b[] = "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

	run(text("Subject: x\r\n\r\nbuy %s%s now\r\n", a, b));
	ck_assert_int_eq(verdict.as, VERDICT_AS_SPAM);
	ck_assert_int_eq(verdict.as_score_milli, 1000000);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	run(text("Content-Transfer-Encoding: base64\r\n\r\n%s", base64(text("%s%s", a, b))));
	ck_assert_int_eq(verdict.as, VERDICT_AS_SPAM);
	run(text("Subject: x\r\n\r\n%s %s\r\n", a, b));
	ck_assert_int_eq(verdict.as, VERDICT_AS_CLEAN);
	req.opts.as_spam_score_milli = 1000001;
	run(text("Subject: x\r\n\r\n%s%s\r\n", a, b));
	ck_assert_int_eq(verdict.as, VERDICT_AS_CLEAN);
	req.want_as = false;
	run(text("Subject: x\r\n\r\n%s%s\r\n", a, b));
	ck_assert_int_eq(verdict.as, VERDICT_AS_NONE);
}
END_TEST

START_TEST(parts_by_name)
{
	expect_infected(text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n"
		"--b\r\nContent-Type: application/x; name=evil.com\r\n\r\n%s\r\n--b--\r\n", eicar));
	unsigned bad = 0;
	for (unsigned i = 0; i < verdict.nparts; i++) {
		if (verdict.parts[i].av == VERDICT_AV_CLEAN)
			continue;
		bad++;
		ck_assert_ptr_nonnull(strstr(verdict.parts[i].name, "evil.com"));
		ck_assert_str_eq(verdict.parts[i].virus, "EICAR-Test-File");
	}
	ck_assert_uint_eq(bad, 1);
	req.want_parts = SCAN_PARTS_NOTABLE;
	expect_infected(text("Subject: x\r\n\r\n%s\r\n", eicar));
	ck_assert_uint_eq(verdict.nparts, 1);
	req.want_parts = SCAN_PARTS_NONE;
	expect_infected(text("Subject: x\r\n\r\n%s\r\n", eicar));
	ck_assert_uint_eq(verdict.nparts, 0);
}
END_TEST

START_TEST(nested_messages_can_be_left_alone)
{
	req.opts.obj_emails = false;
	run(text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
		"Subject: in\r\n\r\n%s\r\n--b--\r\n", eicar));
	ck_assert_uint_eq(verdict.av & VERDICT_AV_INFECTED, 0);
}
END_TEST

/* Beyond a limit is never clean. */
START_TEST(limits)
{
	char deep[4096] = "";

	for (int i = 0; i < 14; i++)
		strcat(deep, "Content-Type: message/rfc822\r\n\r\n");
	run(text("%sSubject: x\r\n\r\nbottom\r\n", deep));
	ck_assert_uint_ne(verdict.av & VERDICT_AV_OVERLIMIT, 0);
	ck_assert_str_ne(verdict.reason, "");
	req.opts.archive_max_files = 3;
	run("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n"
		"--b\r\n\r\n4\r\n--b--\r\n");
	ck_assert_uint_ne(verdict.av & VERDICT_AV_OVERLIMIT, 0);
	setup();
	req.opts.max_size = 10;
	run("Subject: x\r\n\r\nlonger\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_OVERLIMIT);
	ck_assert_int_eq(verdict.as, VERDICT_AS_NOTSCANNED);
}
END_TEST

/* Limits that no option names are named in words, the length of a field among them. */
START_TEST(fixed_limits)
{
	char field[20000];

	memset(field, 'x', sizeof field - 1);
	field[sizeof field - 1] = '\0';
	run(text("Content-Type: multipart/mixed; x=%s; boundary=b\r\n\r\n--b\r\n\r\n1\r\n"
		"--b--\r\n", field));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_OVERLIMIT);
	ck_assert_str_eq(verdict.reason,
		"the message has too many parts, levels or header lines, or a field too long");
}
END_TEST

/* Each level would keep a copy of all that is inside. */
START_TEST(memory_is_bounded)
{
	const size_t pad = 16u << 20;

	req.opts.archive_max_size = 1;
	char *msg = malloc(pad + 8192), *p = msg;

	for (int i = 0; i < 9; i++)
		p += sprintf(p, "Content-Type: multipart/mixed; boundary=x%d\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n\r\n--x%d\r\n", i, i);
	for (size_t i = 0; i < pad; i += 64, p += 64)
		memcpy(p, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 64);
	ck_assert(run_until(msg, (size_t)(p - msg), now_ms() + 60000, NULL));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_OVERLIMIT);
	ck_assert_ptr_nonnull(strstr(verdict.reason, "memory"));
	free(msg);
}
END_TEST

/* The digest of a message: always, or with everything but a clean one. */
START_TEST(digest)
{
	static const char a[] = "XJS*C4JDBQADN1.NSBN3*2IDNEN*", b[] = "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";
	char *bad = strdup(text("Subject: x\r\n\r\n%s\r\n", eicar)), hash[65];

	run(bad);
	strcpy(hash, verdict.sha256);
	ck_assert_uint_eq(strlen(hash), 64);
	req.sha256_if_found = true;
	run("Subject: x\r\n\r\nclean\r\n");
	ck_assert_str_eq(verdict.sha256, "");
	run(bad);
	ck_assert_str_eq(verdict.sha256, hash);
	req.opts.max_size = 10;
	run(bad); /* was not read at all */
	ck_assert_str_eq(verdict.sha256, "");
	req.opts.max_size = 0;
	req.opts.allow_name = "EICAR*";
	run(bad);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	ck_assert_str_eq(verdict.sha256, hash);
	free(bad);
	run(text("Subject: x\r\n\r\n%s%s\r\n", a, b));
	ck_assert_int_eq(verdict.as, VERDICT_AS_SPAM);
	ck_assert_uint_eq(strlen(verdict.sha256), 64);
}
END_TEST

static bool always(void *arg)
{
	(void)arg;
	return true;
}

START_TEST(time_and_cancel)
{
	const char *msg = "Subject: x\r\n\r\ntext\r\n";

	ck_assert(run_until(msg, strlen(msg), now_ms() - 1, NULL));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_int_eq(verdict.as, VERDICT_AS_NOTSCANNED);
	ck_assert(!run_until(msg, strlen(msg), now_ms() + 60000, always));
	verdict = (struct verdict){ .av = 0 };
}
END_TEST

static bool on_second(void *arg)
{
	return ++*(unsigned *)arg == 2;
}

/* A large file that nobody waits for is not read to its end, where it turns out
 * to be shorter than was said. */
START_TEST(gives_up_while_reading)
{
	unsigned asked = 0;
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 20 << 20), 0);
	req.size = 21 << 20;
	req.is_inline = false;
	ck_assert(!task_run(&req, fd, now_ms() + 60000, on_second, &asked, &verdict, &clean_fd));
	ck_assert_uint_eq(asked, 2);
	verdict = (struct verdict){ .av = 0 };
	close(fd);
}
END_TEST

static unsigned asked, asked_max;

static bool is_gone(void *arg)
{
	(void)arg;
	return ++asked >= asked_max;
}

/* As many octets as are looked at without a question, three times. */
#define LONG_LEN (24u << 20)

static bool run_long(const char *head, const char *piece, unsigned max)
{
	const size_t n = strlen(head), k = strlen(piece);
	char *msg = malloc(LONG_LEN);

	ck_assert_ptr_nonnull(msg);
	for (size_t i = 0; i < LONG_LEN; i++)
		msg[i] = i < n ? head[i] : piece[(i - n) % k];
	asked = 0;
	asked_max = max;
	req.size = LONG_LEN;
	req.is_inline = true;
	req.octets = msg;
	verdict_fini(&verdict);
	bool done = task_run(&req, -1, now_ms() + 600000, is_gone, NULL, &verdict, &clean_fd);
	free(msg);
	if (!done)
		verdict = (struct verdict){ .av = 0 };
	return done;
}

/* Whatever a long message is made of, it is asked again and again whether anybody
 * waits, and a no is the end of it. */
START_TEST(asks_in_long_objects)
{
	static const struct { const char *head, *piece; } texts[] = { { "Subject: ", "a" },
		{ "Subject: x\n\nbegin 644 x\n", "#86)C\n" }, { "", "x\n" }, { "", "\n" },
		{ "From x\nSubject: x\n\n", "From x\n\nx\n" }, { "Subject: x\n\n", "PK-lRar" } };

	req.sha256_if_found = true;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		(void)run_long(texts[i].head, texts[i].piece, UINT_MAX);
		const unsigned all = asked;
		ck_assert_msg(all >= 5, "text %zu: %u questions", i, all);
		for (unsigned max = 2; max <= all / 2; max += all / 4) {
			ck_assert(!run_long(texts[i].head, texts[i].piece, max));
			ck_assert_uint_le(asked, max + 2); /* an engine's, and the task's */
		}
	}
}
END_TEST

/* The digest is not worth the time where there is none: the verdict stays. */
START_TEST(no_digest_without_time)
{
	const char *head = text("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n%s\n--b\n\n", eicar);

	req.sha256_if_found = true;
	req.want_as = false;
	ck_assert(run_long(head, "x\n", UINT_MAX));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	ck_assert_uint_eq(strlen(verdict.sha256), 64);
	ck_assert(run_long(head, "x\n", asked - 1));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	ck_assert_str_eq(verdict.sha256, "");
	ck_assert_uint_eq(asked, asked_max);
}
END_TEST

/* Octets that nobody has written take no memory, not even once they are scanned. */
START_TEST(holes_stay)
{
	const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;

	ck_assert_int_eq(ftruncate(fd, LONG_LEN), 0);
	ck_assert_int_eq(pwrite(fd, "Subject: x\n\n", 12, 0), 12);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	req.size = LONG_LEN;
	req.is_inline = false;
	ck_assert(task_run(&req, fd, now_ms() + 600000, NULL, NULL, &verdict, &clean_fd));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_lt(st.st_blocks * 512, LONG_LEN / 4);
	close(fd);
}
END_TEST

/* The test string of spam, where two pieces meet; and nobody waits for the second. */
START_TEST(gtube_between_pieces)
{
	const char *mark = text("%s%s", "XJS*C4JDBQADN1.NSBN3*2IDNEN*",
		"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X");
	const size_t n = strlen(mark);
	const struct engine_call call = { .deadline_ms = LLONG_MAX, .cancelled = is_gone };
	unsigned char *p = calloc(1, LONG_LEN);

	ck_assert_ptr_nonnull(p);
	for (size_t before = 0; before <= n + 1; before++) {
		const size_t at = (8u << 20) - before;
		memcpy(p + at, mark, n);
		asked = 0;
		asked_max = UINT_MAX;
		ck_assert_uint_eq(engines_mark(p, LONG_LEN, &call), 1);
		memset(p + at, 0, n);
	}
	asked = 0;
	asked_max = 1;
	memcpy(p + LONG_LEN - n, mark, n);
	ck_assert_uint_eq(engines_mark(p, LONG_LEN, &call), 0);
	ck_assert_uint_eq(asked, 1);
	/* Nor is it clean, as it was not looked at to its end. */
	const struct engine_object o = { .data = p, .len = LONG_LEN, .fd = -1, .name = "" };
	struct engine_result r = { .score_milli = 0 };
	ck_assert_int_eq(engines_as(&o, &req, &call, &r), ENGINE_ERROR);
	free(p);
}
END_TEST

/* What says that there is more to take apart, where two pieces meet. */
START_TEST(mark_between_pieces)
{
	const size_t len = (8u << 20) + 4096;
	const char *file = text("\nbegin-base64 644 e.com\n%s\n====\n", base64(eicar));
	char *p = malloc(len);

	ck_assert_ptr_nonnull(p);
	req.is_mail = false;
	req.is_inline = true;
	req.octets = p;
	req.size = len;
	for (size_t before = 0; before <= 7; before++) {
		memset(p, '\n', len);
		memcpy(p + (8u << 20) - before, file, strlen(file));
		ck_assert(task_run(&req, -1, now_ms() + 600000, NULL, NULL, &verdict, &clean_fd));
		ck_assert_msg(verdict.av & VERDICT_AV_INFECTED, "%zu octets before", before);
		verdict_fini(&verdict);
	}
	verdict = (struct verdict){ .av = 0 };
	free(p);
}
END_TEST

static char file_path[UNIT_PATH_SIZE];

#define MAPPED_LEN (2u << 20)        /* so long that it may be mapped */
#define COPIED_LEN (3u << 12)

/* A file as a caller may pass it; a named one is unlinked later. */
static int open_file(bool is_named, mode_t mode, size_t len)
{
	static char message[MAPPED_LEN] = "Subject: x\r\n\r\n";

	int fd = unit_file(file_path);
	if (!is_named)
		ck_assert_int_eq(unlink(file_path), 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(write(fd, message, len), (ssize_t)len);
	req.size = len;
	req.is_inline = false;
	return fd;
}

static bool cut_short(void *arg)
{
	ck_assert_int_eq(ftruncate(*(int *)arg, 0), 0);
	return false;
}

/* What others cut short while it is read is a message without a verdict, and not the
 * end of this process: whether it is copied or, the last one, mapped. */
START_TEST(cut_short_by_another)
{
	const struct { bool is_named; mode_t mode; uid_t uid; size_t len; } files[] = {
		{ true, 0600, geteuid(), MAPPED_LEN }, { false, 0620, geteuid(), MAPPED_LEN },
		{ false, 0602, geteuid(), MAPPED_LEN }, { false, 0600, 65534, MAPPED_LEN },
		{ false, 0600, geteuid(), COPIED_LEN }, { false, 0600, geteuid(), MAPPED_LEN },
	};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		int fd = open_file(files[i].is_named, files[i].mode, files[i].len);
		if (files[i].uid == geteuid() || fchown(fd, files[i].uid, (gid_t)-1) == 0) {
			ck_assert(task_run(&req, fd, now_ms() + 60000, cut_short, &fd, &verdict, &clean_fd));
			ck_assert_uint_eq(verdict.av, VERDICT_AV_UNAVAILABLE);
			verdict_fini(&verdict);
		}
		close(fd);
	}
}
END_TEST

/* Any other error on the bus ends it as ever. */
START_TEST(bus_error_elsewhere)
{
	int fd = open_file(false, 0600, MAPPED_LEN);

	ck_assert(task_run(&req, fd, now_ms() + 60000, NULL, NULL, &verdict, &clean_fd));
	verdict_fini(&verdict);
	const volatile char *p = mmap(NULL, MAPPED_LEN, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne((const void *)p, MAP_FAILED);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_abort_msg("a read of nothing: %d", p[0]);
}
END_TEST

/* A memfd that was cut between the look at its size and its seals. */
START_TEST(sealed_too_late)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	req.size = MAPPED_LEN;
	req.is_inline = false;
	ck_assert(task_run(&req, fd, now_ms() + 60000, NULL, NULL, &verdict, &clean_fd));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_UNAVAILABLE);
	close(fd);
}
END_TEST

/* The agent's spool: scanned, and shorter than was said. */
START_TEST(unlinked_file)
{
	int fd = open_file(false, 0600, MAPPED_LEN);

	ck_assert(task_run(&req, fd, now_ms() + 60000, NULL, NULL, &verdict, &clean_fd));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	verdict_fini(&verdict);
	ck_assert_int_eq(ftruncate(fd, 1), 0);
	ck_assert(task_run(&req, fd, now_ms() + 60000, NULL, NULL, &verdict, &clean_fd));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_str_eq(verdict.reason, "the message could not be read: No data available");
	verdict_fini(&verdict);
	close(fd);
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ck_assert(task_run(&req, fd, now_ms() + 60000, NULL, NULL, &verdict, &clean_fd));
	ck_assert_str_eq(verdict.reason, "the message could not be read: Bad file descriptor");
	close(fd);
}
END_TEST

static bool on_tenth(void *arg)
{
	(void)arg;
	static unsigned n;

	return ++n == 10;
}

/* A message that is long to walk and has no part to speak of is left in the
 * middle when nobody waits for it any more. */
START_TEST(gives_up_inside_a_walk)
{
	const size_t size = 24u << 20;
	char *msg = malloc(size + 128);
	size_t n = (size_t)sprintf(msg, "Content-Type: multipart/mixed; boundary=b\n\n");

	while (n < size) {
		memcpy(msg + n, "--bx\n", 5);
		n += 5;
	}
	ck_assert(!run_until(msg, n, now_ms() + 60000, on_tenth));
	verdict = (struct verdict){ .av = 0 };
	free(msg);
}
END_TEST

static unsigned times_asked;

static bool on_none(void *arg)
{
	(void)arg;
	times_asked++;
	return false;
}

/* Multiparts in each other, whose boundaries begin alike, are walked again and
 * again; all walks of a message share one budget. Steps are counted, not time:
 * the caller is asked each million of them. */
START_TEST(walks_share_a_budget)
{
	const size_t size = 1u << 20;
	char *msg = malloc(size + 128);
	size_t n = 0;

	for (unsigned i = 0; n < size; i++)
		n += (size_t)sprintf(msg + n,
			"Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
	times_asked = 0;
	ck_assert(run_until(msg, n, now_ms() + 60000, on_none));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_OVERLIMIT);
	ck_assert_uint_lt(times_asked, 1000);
	free(msg);
}
END_TEST

/* Messages in each other, each with as many multiparts in each other as one may have:
 * together they have no more than that, since each of them lies on the stack. */
START_TEST(messages_share_a_depth)
{
	const unsigned levels = _i == 0 ? 40 : 99, deep = _i == 0 ? 70 : 1;
	char *msg = malloc(1u << 20);
	size_t n = 0;

	req.opts.archive_max_level = 100;
	for (unsigned i = 0; i < levels; i++) {
		for (unsigned k = 0; k < deep; k++)
			n += (size_t)sprintf(msg + n, "Content-Type:multipart/x;boundary=%c%c\n\n--%c%c\n",
				'A' + i % 50, '0' + k, 'A' + i % 50, '0' + k);
		n += (size_t)sprintf(msg + n, "Content-Type:message/rfc822\n\n");
	}
	n += (size_t)sprintf(msg + n, "Subject: x\n\n%s", eicar);
	ck_assert(run_until(msg, n, now_ms() + 60000, NULL));
	if (_i == 0)
		ck_assert_uint_eq(verdict.av, VERDICT_AV_OVERLIMIT);
	else
		ck_assert(verdict.av & VERDICT_AV_INFECTED);
	free(msg);
}
END_TEST

/* Mail about mail: what is quoted in a text is split by no reader that we know, and so
 * only finds in it are news. */
static const struct { const char *before, *after; } about_mail[] = {
	{ "Subject: Mail delivery failed\n\nThis is a copy of the message.\n\n"
		"From: a@example.org\nContent-Type: multipart/mixed; boundary=xyz\n\n"
		"--xyz\nContent-Type: application/zip; name=a.zip\n"
		"Content-Transfer-Encoding: base64\n\n", "\n--xyz--\n" },
	{ "Subject: what I see\n\n--b1\nContent-Type: application/pkcs7-mime; name=smime.p7m\n"
		"Content-Transfer-Encoding: base64\n\n", "\n--b1--\n" },
	{ "Subject: RFC 3156\n\n--foo\nContent-Type: multipart/encrypted; boundary=bar\n\n"
		"--bar\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--bar\n"
		"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n", "\n--bar--\n" },
};

START_TEST(mail_about_mail)
{
	/* A zip that was cut short. */
	static const char cut[] = "UEsDBBQAAAAIAOEldl1cG3WA1wAAAFgCAAAFAAAAYS50eHRjYGRiZmFlY+fg5OLm4eXjFxAUEhYR"
		"FROXkJSSlpGVk1dQVFJWUVVT19DU0tbR1dM3MDQyNjE1M7ewtLK2sbWzd3B0cnZxdXP38PTy9vH1"
		"8w8IDAoOCQ0Lj4iMio6JjYtPSExKTklNS8/IzMrOyc3LLygs";

	run(text("%s%s%s", about_mail[_i].before, cut, about_mail[_i].after));
	ck_assert_msg(verdict.av == VERDICT_AV_CLEAN, "%#x %s", verdict.av, verdict.reason);
	verdict_fini(&verdict);
	run(text("%s%s%s", about_mail[_i].before, base64(eicar), about_mail[_i].after));
	ck_assert(verdict.av & VERDICT_AV_INFECTED);
}
END_TEST

/* What may be a part of an unknown multipart, but is a chapter, is no object. */
START_TEST(headings)
{
	char msg[4096];
	size_t n = (size_t)sprintf(msg, "Subject: x\n\n");

	for (unsigned i = 0; i < 40; i++)
		n += (size_t)sprintf(msg + n, "-- Chapter %u\n\nText of it.\n", i);
	req.opts.archive_max_files = 3;
	run(msg);
	ck_assert_msg(verdict.av == VERDICT_AV_CLEAN, "%#x %s", verdict.av, verdict.reason);
	sprintf(msg + n, "-- Last\n\n%s", eicar);
	run(msg);
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
}
END_TEST

/* A tar that is not encoded, with a line end in its name, is whole without the CR only. */
START_TEST(stored_with_lf)
{
	char tar[1024] = "a\nb", msg[2048];
	unsigned sum = 8 * ' ';

	memcpy(tar + 100, "0000644", 8);
	memcpy(tar + 108, "0000000", 8);
	memcpy(tar + 116, "0000000", 8);
	sprintf(tar + 124, "%011o", (unsigned)strlen(eicar));
	memcpy(tar + 136, "00000000000", 12);
	memcpy(tar + 156, "0", 1);
	memcpy(tar + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)tar[i];
	sprintf(tar + 148, "%06o", sum);
	tar[155] = ' ';
	memcpy(tar + 512, eicar, strlen(eicar));
	size_t n = (size_t)sprintf(msg, "Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\na\r");
	memcpy(msg + n, tar + 1, sizeof tar - 1);
	ck_assert(run_until(msg, n + sizeof tar - 1, now_ms() + 60000, NULL));
	ck_assert_msg(verdict.av == VERDICT_AV_INFECTED, "%#x %s", verdict.av, verdict.reason);
}
END_TEST

/* What one reader decodes and shows as a file, and another as something else. %s: EICAR,
 * or its first and its second half. */
static const struct { const char *what, *head, *tail; bool is_cut; } as_files[] = {
	{ "an encoded multipart", "Content-Type: multipart/mixed; boundary=T-A\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n", "", false },
	{ "a type that begins like one", "Content-Type: multipartx/y; boundary=b\r\n\r\n", "", false },
	{ "an unknown word, of an encoded multipart", "Content-Type: multipart/mixed\r\n"
		"Content-Transfer-Encoding: quoted-printable-x\r\n\r\n", "=\r\n", true },
	{ "a longer word", "Content-Transfer-Encoding: x-uuencoded\r\n\r\nbegin x\r\n"
		"M6#5/(5 E0$%06S1<4%I8-30H4%XI-T-#*3=])$5)0T%2+5-404Y$05)$+4%.\r\n"
		"75$E625)54RU415-4+49)3$4A)$@K2\"H \r\n`\r\nend\r\n", NULL, false },
	{ "white space as it is stored", "Subject: x\r\n\r\n",
		"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
		"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", false },
	{ "the third block of a status", "Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\n"
		"C: d\r\n\r\nE: f\r\n", "\r\n\r\nG: h\r\n", false },
};

START_TEST(files_to_some)
{
	char msg[4096];
	size_t n = (size_t)sprintf(msg, "%s", as_files[_i].head);

	if (as_files[_i].tail != NULL && as_files[_i].is_cut)
		sprintf(msg + n, "%.30s%s%s", eicar, as_files[_i].tail, eicar + 30);
	else if (as_files[_i].tail != NULL)
		sprintf(msg + n, "%s%s", eicar, as_files[_i].tail);
	run(msg);
	ck_assert_msg(verdict.av == VERDICT_AV_INFECTED, "%s: %#x %s", as_files[_i].what,
		verdict.av, verdict.reason);
}
END_TEST

/* A file in base64 that is damaged is also looked at as it stands, and that as base64:
 * which does not go on for ever. */
START_TEST(damaged_base64_file)
{
	char msg[8192];
	size_t n = (size_t)sprintf(msg, "Content-Type: a/b; name=x.zip\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n");

	memset(msg + n, 'Q', 4200);
	sprintf(msg + n + 4200, "\r\n[...]\r\n");
	run(msg);
	ck_assert_msg(verdict.av == VERDICT_AV_CLEAN, "%#x %s", verdict.av, verdict.reason);
	ck_assert_uint_le(verdict.objects, 10);
}
END_TEST

/* Files in each other, none of which says what it is, but somebody may open each. */
START_TEST(message_in_file_in_message)
{
	char msg[4096];
	size_t n = 0;

	for (unsigned i = 0; i < 7; i++)
		n += (size_t)sprintf(msg + n, "Subject: x\nContent-Type: text/plain; name=m%u\n\n", i);
	sprintf(msg + n, "%s", eicar);
	run(msg);
	ck_assert(verdict.av & VERDICT_AV_INFECTED);
}
END_TEST

/* Lines that grep found, each of which begins like a header. */
START_TEST(headers_under_each_other)
{
	char msg[4096];
	size_t n = (size_t)sprintf(msg, "Subject: x\n\n");

	for (unsigned i = 0; i < 40; i++)
		n += (size_t)sprintf(msg + n, "Content-Type: text/plain\nX-Line: %u\n--\n", i);
	run(msg);
	ck_assert_msg(verdict.av == VERDICT_AV_CLEAN, "%#x %s", verdict.av, verdict.reason);
}
END_TEST

/* A word that only looks like a field of a message does not make one. */
START_TEST(greetings_are_no_message)
{
	run("X-mas greetings\nto all of you\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
	verdict_fini(&verdict);
	run("Subject: x\n\nX-rays are no field\nof a header\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_CLEAN);
}
END_TEST

START_TEST(no_engine)
{
	static struct conf c;
	char why[128];

	c.global.av_engines = c.global.as_engines = "";
	c.global.av_signature_dir = "/nonexistent";
	ck_assert_int_eq(engines_load(&c, why, sizeof why), 0);
	run("Subject: x\r\n\r\ntext\r\n");
	ck_assert_uint_eq(verdict.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_int_eq(verdict.as, VERDICT_AS_NOTSCANNED);
	c.global.av_engines = "builtin:nonsense";
	ck_assert_int_eq(engines_load(&c, why, sizeof why), -1);
}
END_TEST

#ifdef HAVE_LIBARCHIVE
/* Readers show what is in it before they miss its sum and size; where it stands at the
 * start of a file that these are missing is news. */
START_TEST(gzip_without_a_tail)
{
	static const char octets[] =
		"\x4a\x55\x4e\x4b\x4a\x55\x4e\x4b\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x8b\x30"
		"\xf5\x57\x0c\x50\x75\x70\x0c\x88\x36\x89\x09\x88\x8a\x30\x35\xd1\x08\x88\xd3\x34"
		"\x77\x76\xd6\x34\xaf\x55\x71\xf5\x74\x76\x0c\xd2\x0d\x0e\x71\xf4\x73\x71\x0c\x72"
		"\xd1\x75\xf4\x0b\xf1\x0c\xf3\x0c\x0a\x0d\xd6\x0d\x71\x0d\x0e\xd1\x75\xf3\xf4\x71"
		"\x55\x54\xf1\xd0\xf6\xd0\x02\x00";

	ck_assert(run_until(octets, sizeof octets - 1, now_ms() + 60000, NULL));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED);
	ck_assert(run_until(octets + 8, sizeof octets - 1 - 8, now_ms() + 60000, NULL));
	ck_assert_uint_eq(verdict.av, VERDICT_AV_INFECTED | VERDICT_AV_NOTSCANNED);
	ck_assert_ptr_nonnull(strstr(verdict.reason, "truncated gzip"));
}
END_TEST
#endif

#if defined HAVE_LIBARCHIVE && !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
/* An lzma that asks for 4 GiB gets what its content may need. */
START_TEST(archive_asks_for_memory)
{
	static const char lzma[] = "\x5d\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		"\x00\x3c\x6b\xbd\xff\xff\xff\xff\xe0\x00\x00\x00";
	const rlim_t octets = _i == 0 ? 1u << 30 : 96u << 20;
	const struct rlimit limit = { octets, octets };

	ck_assert_int_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	ck_assert(run_until(lzma, sizeof lzma - 1, now_ms() + 60000, NULL));
	ck_assert_msg(verdict.av == (_i == 0 ? VERDICT_AV_CLEAN : VERDICT_AV_UNAVAILABLE), "%#x %s",
		verdict.av, verdict.reason);
}
END_TEST
#define HAS_MEMORY_TEST 1
#endif

int main(void)
{
	Suite *s = suite_create("task");
	TCase *t = tcase_create("task");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_test(t, clean_mail);
	tcase_add_test(t, found_in_every_wrapping);
	tcase_add_test(t, found_in_every_reading_of_an_encoding);
	tcase_add_test(t, found_in_an_encoded_multipart);
	tcase_add_test(t, found_in_an_attached_message);
	tcase_add_test(t, what_nobody_can_see_is_not_clean);
	tcase_add_test(t, found_where_there_are_nuls);
	tcase_add_test(t, found_where_a_nul_hides_a_piece);
	tcase_add_test(t, found_with_odd_boundaries);
	tcase_add_test(t, found_in_an_attached_message_as_it_stands);
	tcase_add_test(t, an_encoded_message_is_no_long_header);
	tcase_add_test(t, found_wherever_a_header_may_end);
	tcase_add_test(t, odd_headers_cost_little);
	tcase_add_test(t, found_in_opaque_signed_mail);
	tcase_add_test(t, what_is_not_looked_into_is_not_clean);
	tcase_add_test(t, allowed_names_pass);
	tcase_add_test(t, allowed_digests_pass);
	tcase_add_test(t, allowed_digest_of_a_container);
	tcase_add_test(t, found_in_a_mailbox);
	tcase_add_test(t, a_script_is_no_mail);
	tcase_add_test(t, names_in_a_foreign_charset);
	tcase_add_test(t, names_that_are_blocked_or_left_alone);
	tcase_add_test(t, as_many_parts_as_may_be);
	tcase_add_test(t, cleaned_parts);
	tcase_add_test(t, what_is_never_altered);
	tcase_add_test(t, cleaned_for_every_reader);
	tcase_add_test(t, found_in_uuencode);
	tcase_add_test(t, found_in_uuencode_that_is_encoded);
	tcase_add_test(t, found_in_yenc);
	tcase_add_test(t, eicar_rule);
	tcase_add_test(t, gtube);
	tcase_add_test(t, digest);
	tcase_add_test(t, parts_by_name);
	tcase_add_test(t, nested_messages_can_be_left_alone);
	tcase_add_test(t, limits);
	tcase_add_test(t, fixed_limits);
	tcase_add_test(t, memory_is_bounded);
	tcase_add_test(t, time_and_cancel);
	tcase_add_test(t, gives_up_while_reading);
	tcase_add_test(t, asks_in_long_objects);
	tcase_add_test(t, no_digest_without_time);
	tcase_add_test(t, holes_stay);
	tcase_add_test(t, gtube_between_pieces);
	tcase_add_test(t, mark_between_pieces);
	tcase_add_test(t, cut_short_by_another);
	tcase_add_test_raise_signal(t, bus_error_elsewhere, SIGBUS);
	tcase_add_test(t, sealed_too_late);
	tcase_add_test(t, unlinked_file);
	tcase_add_test(t, gives_up_inside_a_walk);
	tcase_add_test(t, walks_share_a_budget);
	tcase_add_loop_test(t, messages_share_a_depth, 0, 2);
	tcase_add_test(t, greetings_are_no_message);
	tcase_add_loop_test(t, mail_about_mail, 0, sizeof about_mail / sizeof about_mail[0]);
	tcase_add_test(t, headers_under_each_other);
	tcase_add_test(t, headings);
	tcase_add_test(t, damaged_base64_file);
	tcase_add_loop_test(t, files_to_some, 0, sizeof as_files / sizeof as_files[0]);
	tcase_add_test(t, stored_with_lf);
	tcase_add_test(t, message_in_file_in_message);
	tcase_add_test(t, no_engine);
#ifdef HAVE_LIBARCHIVE
	tcase_add_test(t, gzip_without_a_tail);
#endif
#ifdef HAS_MEMORY_TEST
	tcase_add_loop_test(t, archive_asks_for_memory, 0, 2);
#endif
	return unit_run(s);
}
