/* check_mime.c - the MIME walker: a table of messages, as they are sent and as
 * hostile senders write them, with the parts that must be found. Most run
 * with LF, CRLF and bare CR as line ends and must give the same parts; each
 * is also cut off at every octet, where only the ranges are checked. Then
 * budgets, and sizes at which anything quadratic would be noticed. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mime.h"
#include "pace.h"
#include "split.h"
#include "unit.h"

#define PARTS_MAX 64

/* What was reported, a line each:
 *   depth type encoding[?] marks name|other names>body
 * encoding i, b, q, u, with ? if it is not known; marks of M multipart,
 * R message, F filler, A ambiguous, or "-". */
struct got {
	const char *msg;
	size_t len;
	char *part[PARTS_MAX];
	unsigned n, stop_at;
	bool is_ranges_only;
};

static void print_part(const struct mime_part *p, char *out, size_t size)
{
	int n = snprintf(out, size, "%u %s %c%s %s%s%s%s%s %s", p->depth, p->type,
		"ibquy"[p->encoding], p->encoding_known ? "" : "?", p->is_multipart ? "M" : "",
		p->is_message ? "R" : "", p->is_filler ? "F" : "", p->is_ambiguous ? "A" : "",
		p->is_multipart || p->is_message || p->is_filler || p->is_ambiguous ? "" : "-",
		p->filename);

	for (unsigned i = 0; i < p->n_other_names; i++)
		n += snprintf(out + n, size - (size_t)n, "|%s", p->other_names[i]);
	n += snprintf(out + n, size - (size_t)n, ">");
	for (size_t i = 0; i < p->body_len; i++)
		out[n++] = p->body[i] != '\0' ? p->body[i] : '@';
	out[n] = '\0';
}

static bool keep_part(void *arg, const struct mime_part *p)
{
	struct got *g = arg;

	need(p->hdr >= g->msg && p->hdr + p->hdr_len <= g->msg + g->len);
	need(p->body >= p->hdr && p->body + p->body_len <= g->msg + g->len);
	need(p->body == p->hdr + p->hdr_len);
	need(memchr(p->type, '\0', sizeof p->type) != NULL && p->type[0] != '\0');
	need(memchr(p->filename, '\0', sizeof p->filename) != NULL);
	need(p->n_other_names < MIME_NAMES_MAX);
	g->n++;
	need(p->number == g->n);
	if (!g->is_ranges_only && g->n <= PARTS_MAX) {
		size_t size = p->body_len + 4096;
		g->part[g->n - 1] = malloc(size);
		need(g->part[g->n - 1] != NULL);
		print_part(p, g->part[g->n - 1], size);
	}
	return g->n != g->stop_at;
}

static enum mime_result walk(struct got *g, const char *msg, size_t len)
{
	const struct mime_budget b = { 20, 1000, 100, NULL, NULL };
	char *copy = malloc(len + (len == 0)); /* so that a read beyond it is seen */

	need(copy != NULL);
	memcpy(copy, msg, len);
	g->msg = copy;
	g->len = len;
	enum mime_result r = mime_walk(copy, len, &b, keep_part, g);
	free(copy);
	return r;
}

static void got_free(struct got *g)
{
	for (unsigned i = 0; i < g->n && i < PARTS_MAX; i++)
		free(g->part[i]);
	memset(g, 0, sizeof *g);
}

/* LF to another line end; NUL is written as @N in the tables. */
static size_t with_eol(char *out, const char *in, const char *eol)
{
	size_t w = 0;

	for (; *in != '\0'; in++) {
		if (*in == '\n') {
			memcpy(out + w, eol, strlen(eol));
			w += strlen(eol);
		} else if (in[0] == '@' && in[1] == 'N') {
			out[w++] = '\0';
			in++;
		} else {
			out[w++] = *in;
		}
	}
	out[w] = '\0';
	return w;
}

struct row {
	const char *what, *msg;
	const char *want[8];   /* each must be there, in any order */
	unsigned n;            /* number of parts, 0: not asked */
	bool as_is;            /* only with the line ends as they stand here */
};

#define MIXED "Content-Type: multipart/mixed; boundary=abc\n\n"
#define B64 "Content-Transfer-Encoding: base64\n"

static const struct row plain_rows[] = {
	{ "empty", "", { NULL }, 0, false },
	{ "text", "Subject: x\n\nbody\n", { "0 text/plain i - >body\n" }, 1, false },
	{ "no header", "\nbody\n", { "0 text/plain i - >body\n" }, 1, false },
	{ "no header, no blank line", "body here\nmore\n", { "0 text/plain i A >body here\n"
		"more\n", "0 text/plain i A >more\n" }, 2, false },
	{ "header only", "Subject: x\n", { "0 text/plain i - >" }, 1, false },
	{ "header only, no line end", "Content-Type: text/html", { "0 text/html i - >" }, 1,
		false },
	{ "type and encoding", "Content-Type: TEXT/HTML; charset=x\n" B64 "\nQUJD", {
		"0 text/html b - >QUJD" }, 1, false },
	{ "blanks before the colon", "Content-Type : text/html\n"
		"Content-Transfer-Encoding\t: base64\n\nQ", { "0 text/html b - >Q" }, 1, false },
	{ "no blank behind the colon", "Content-Type:text/html\n"
		"CONTENT-TRANSFER-ENCODING:BASE64\n\nQ", { "0 text/html b - >Q" }, 1, false },
	{ "folded", "Content-Type:\n text/html\nContent-Transfer-Encoding:\n\t base64\n\nQ", {
		"0 text/html b? - >Q" }, 1, false },
	{ "comments", "Content-Type: (a (b) c) text (d) / html (e); x=y\n"
		"Content-Transfer-Encoding: (f) base64 (g)\n\nQ", { "0 text/html b? - >Q" }, 1,
		false },
	{ "mbox line", "From a@b Mon Jan 1 10:00\n" B64 "\nQ", { "0 text/plain b - >Q" }, 1,
		false },
	{ "mbox line without a time", "From a@b Mon Jan 1\n" B64 "\nQ", {
		"0 text/plain b A >Q", "0 text/plain i A >" B64 "\nQ" }, 2, false },
	{ "quoted mbox line", ">From a@b 10:00\n" B64 "\nQ", { "0 text/plain b - >Q" }, 1,
		false },
	{ "quoted mbox line without a time", ">From a@b\n" B64 "\nQ", { "0 text/plain b A >Q",
		"0 text/plain i A >" B64 "\nQ", "0 text/plain i A >>From a@b\n" B64 "\nQ" }, 3, false },
	{ "8 bit in the header", "Subject: \xc3\xa4\xff\nX-\xe4: y\n" B64 "\nQ", {
		"0 text/plain b - >Q" }, 1, false },
	{ "NULs", "Subject: a@Nb\n" B64 "\nQ@NQ", { "0 text/plain b - >Q@Q" }, 1, false },
	{ "unknown encoding", "Content-Transfer-Encoding: x-foo\n\nQ", { "0 text/plain i? - >Q"
		}, 1, false },
	{ "empty encoding", "Content-Transfer-Encoding:\n\nQ", { "0 text/plain i? - >Q" }, 1,
		false },
	{ "uuencode", "Content-Transfer-Encoding: x-uuencode\n\nQ", { "0 text/plain u - >Q" }, 1,
		false },
	{ "empty type", "Content-Type:\n\nQ", { "0 text/plain i - >Q" }, 1, false },
	{ "type without subtype", "Content-Type: text\n\nQ", { "0 text i - >Q" }, 1, false },
	{ "message", "Content-Type: message/rfc822\n\nSubject: x\n\ny", {
		"0 message/rfc822 i R >Subject: x\n\ny" }, 1, false },
	{ "message/global", "Content-Type: Message/Global; x\n\ny", { "0 message/global i R >y"
		}, 1, false },
	/* Readers disagree. */
	{ "two encodings", B64 "Content-Transfer-Encoding: quoted-printable\n\nQ", {
		"0 text/plain b A >Q", "0 text/plain q A >Q" }, 2, false },
	{ "two equal encodings", B64 B64 "\nQ", { "0 text/plain b - >Q" }, 1, false },
	{ "known and unknown", "Content-Transfer-Encoding: 7bit\n"
		"Content-Transfer-Encoding: x\n\nQ", { "0 text/plain i? - >Q" }, 1, false },
	{ "two types", "Content-Type: text/plain\nContent-Type: text/html\n\nQ", {
		"0 text/plain i A >Q", "0 text/html i A >Q" }, 2, false },
	{ "two of each", "Content-Type: text/plain\nContent-Type: text/html\n" B64
		"Content-Transfer-Encoding: 8bit\n\nQ", { "0 text/plain i A >Q",
		"0 text/html i A >Q", "0 text/plain b A >Q", "0 text/html b A >Q" }, 4, false },
	{ "two equal types", "Content-Type: text/html\nContent-Type: text/html\n\nQ", {
		"0 text/html i - >Q" }, 1, false },
	{ "five equal types", "Content-Type: a/b\nContent-Type: a/b\nContent-Type: a/b\n"
		"Content-Type: a/b\nContent-Type: a/b\n\nQ", { "0 a/b i - >Q" }, 1, false },
	{ "type behind a bad line", "bad line\nContent-Type: text/html\n\nQ", {
		"0 text/plain i A >bad line\nContent-Type: text/html\n\nQ",
		"0 text/html i A >Q" }, 2, false },
	{ "line of blanks", "Subject: x\n \t\nText: z\n\nbody", {
		"0 text/plain i A >Text: z\n\nbody", "0 text/plain i A >body" }, 2, false },
	{ "field behind a line of blanks", "Subject: x\n \n" B64 "\nQ", { "0 text/plain b A >Q",
		"0 text/plain i A >" B64 "\nQ" }, 2, false },
	{ "no blank line", "Subject: x\n" B64 "QUJD\nREVG", { "0 text/plain b A >QUJD\nREVG",
		"0 text/plain b A >REVG" }, 2, false },
	{ "no blank line, one line", "Subject: x\n" B64 "QUJD\n", {
		"0 text/plain b A >QUJD\n" }, 1, false },
	{ "bad line in the header", "Subject: x\nbad line\n" B64 "\nQ", { "0 text/plain b A >Q",
		"0 text/plain i A >bad line\n" B64 "\nQ" }, 2, false },
	{ "bad and blank line", "bad line\n" B64 " \nQ\n\nz", { "0 text/plain b A >Q\n\nz",
		"0 text/plain b A >z" }, 3, false },
	{ "value goes on behind a bad line", "Content-Transfer-Encoding: base64\nbad line\n"
		" x\n\nQ", { "0 text/plain b A >Q", "0 text/plain b A >bad line\n x\n\nQ",
		"0 text/plain b A > x\n\nQ" }, 4, false },
	{ "continuation of a bad line", B64 "bad\n x\n y\nQ:\n\nz", { "0 text/plain b A >z",
		"0 text/plain b A >bad\n x\n y\nQ:\n\nz", "0 text/plain b A > x\n y\nQ:\n\nz",
		"0 text/plain b A >Q:\n\nz" }, 4, false },
	{ "line ends of a bad line go with it", "Content-Type: text/html\nbad\n\nQ", {
		"0 text/html i A >bad\n\nQ", "0 text/html i A >\nQ", "0 text/html i A >Q" }, 3,
		false },
	/* A field with an odd name: is it one? */
	{ "blank before the colon", B64 "Q :x\nR :x\n\nz", { "0 text/plain b A >z",
		"0 text/plain b A >Q :x\nR :x\n\nz", "0 text/plain b A >R :x\n\nz" }, 3, false },
	{ "8 bit in a name", B64 "\xe9Q:x\nR:x\n\nz", { "0 text/plain b A >z",
		"0 text/plain b A >\xe9Q:x\nR:x\n\nz", "0 text/plain b A >R:x\n\nz" }, 3, false },
	{ "odd and of content", "Content-Type: text/html\nContent-Transfer-Encoding : base64\n"
		"\nz", { "0 text/html b A >z", "0 text/html i A >\nz", "0 text/html i A >"
		"Content-Transfer-Encoding : base64\n\nz" }, 3, false },
	{ "odd before anything of content", "Subject : x\n\xe9: y\n" B64 "To : y\n\nz", {
		"0 text/plain b - >z" }, 1, false },
	/* Each way of being odd counts once. */
	{ "colon first", ":x\nbad\nmore\n", { "0 text/plain i A >:x\nbad\nmore\n",
		"0 text/plain i A >bad\nmore\n", "0 text/plain i A >more\n" }, 3, false },
	{ "words before the colon", "a b: c\nd\ne f: g\nh\n", {
		"0 text/plain i A >a b: c\nd\ne f: g\nh\n", "0 text/plain i A >d\ne f: g\nh\n",
		"0 text/plain i A >e f: g\nh\n" }, 3, false },
	{ "8 bit and words", "a b: c\nd\n\xe9 f: g\nh: i\n", {
		"0 text/plain i A >\xe9 f: g\nh: i\n", }, 3, false },
	{ "control", "a b: c\nd\x01:e\nf\n", { "0 text/plain i A >d\x01:e\nf\n",
		"0 text/plain i A >f\n" }, 3, false },
	{ "mbox lines further down", B64 "From x\nFrom y: z\nbad\nmore\n", {
		"0 text/plain b A >From x\nFrom y: z\nbad\nmore\n",
		"0 text/plain b A >From y: z\nbad\nmore\n", "0 text/plain b A >bad\nmore\n",
		"0 text/plain b A >more\n" }, 4, false },
	{ "the same in a text", "A: b\nFrom x\nFrom y: z\nbad\nmore\n", {
		"0 text/plain i A >From x\nFrom y: z\nbad\nmore\n",
		"0 text/plain i A >bad\nmore\n", "0 text/plain i A >more\n" }, 3, false },
	{ "no mbox line", B64 "From x: y\nX: y\nfrom b: c\nQ:\n\nz", {
		"0 text/plain b A >from b: c\nQ:\n\nz" }, 0, false },
	{ "quoted mbox line behind another", B64 "From x\nX: y\n>From b\nQ:\n\nz", {
		"0 text/plain b A >>From b\nQ:\n\nz", "0 text/plain b A >Q:\n\nz" }, 0, false },
	{ "mbox lines with and without a date", B64 "From a 10:00\nX: y\nFrom b:\nQ:\nFrom b 10:x\n"
		"R:\n\nz", { "0 text/plain b A >From b:\nQ:\nFrom b 10:x\nR:\n\nz",
		"0 text/plain b A >From b 10:x\nR:\n\nz" }, 0, false },
	{ "mbox line last", B64 "From x\nFrom y\nX: y\nFrom z\n\nz", {
		"0 text/plain b A >From z\n\nz" }, 0, false },
	{ "mbox line last before an odd one", B64 "From x\nFrom y\nX: y\nFrom z\n:x\n\nz", {
		"0 text/plain b A >From z\n:x\n\nz" }, 0, false },
	{ "mbox line last before a bare CR", B64 "From x\nFrom y\nX: y\rFrom z\r\rz\n\n", {
		"0 text/plain b A >From z\r\rz\n\n" }, 0, true },
	/* Spaces before the colon, line ends among them. */
	{ "folded before the colon", "Subject: x\nContent-Transfer-Encoding\n : base64\n\nz", {
		"0 text/plain b A >z", "0 text/plain i A >z" }, 0, false },
	{ "the same, and in its value", "Content-Type \n\t\n : multipart/mixed;\n boundary=x\n\n"
		"--x\nContent-Transfer-Encoding\n\n : base64\n\nz\n--x\n"
		"Content-Transfer-Encoding\n\t:base64\n\nz\n--x--\n", {
		"1 text/plain b A >z", "1 text/plain i A > : base64\n\nz" }, 0, false },
	{ "folded behind a bare CR", "Subject: x\rContent-Transfer-Encoding\r : base64\n\nz", {
		"0 text/plain b A >z", "0 text/plain i A >z" }, 0, true },
	{ "VT before the colon", "Content-Type: text/html\nContent-Transfer-Encoding \v: base64\n"
		"\nz", { "0 text/html b A >z", "0 text/html i A >z" }, 0, false },
	{ "not folded before the colon", "Subject: x\nContent-Transfer-Encoding\n x : base64\n : "
		"base64\nX: y\n : base64\n\nz", { "0 text/plain i A >z" }, 3, false },
	/* Lines that are empty to some, when the other kinds are used up. */
	{ "NUL first", B64 "\xff: y\nbad\n@Nq: x\nQ:\n\nz", { "0 text/plain b A >Q:\n\nz" }, 0,
		false },
	{ "CR first", B64 "\xff: y\nbad\n\rq: x\nQ:\n\nz", { "0 text/plain b A >Q:\n\nz" }, 0,
		true },
	{ "VT first", B64 "\xff: y\nbad\n\vq: x\nQ:\n\nz", { "0 text/plain b A >Q:\n\nz" }, 0,
		false },
	{ "FF first", B64 "\xff: y\nbad\n\fq: x\nQ:\n\nz", { "0 text/plain b A >Q:\n\nz" }, 0,
		false },
	{ "continues nothing", " a\nb\n\nd", { "0 text/plain i A > a\nb\n\nd",
		"0 text/plain i A >b\n\nd", "0 text/plain i A >\nd", "0 text/plain i A >d" }, 4,
		false },
	{ "NUL before the colon", B64 "x@N:y\nQ:\n\nz", { "0 text/plain b A >x@:y\nQ:\n\nz",
		"0 text/plain b A >Q:\n\nz", "0 text/plain b A >z" }, 3, false },
	{ "paragraph behind a line of blanks", "A: b\n \nfirst\nsecond\nthird: x\nfourth\n"
		"fifth\nsixth\nseventh\n\nz", { "0 text/plain i A >first\nsecond\nthird: x\n"
		"fourth\nfifth\nsixth\nseventh\n\nz" }, 4, false },
	/* Bare CRs among LFs. */
	{ "field behind a bare CR", "X: y\rContent-Transfer-Encoding: base64\n\nQ", {
		"0 text/plain i A >Q", "0 text/plain b A >Q" }, 2, true },
	{ "type behind a bare CR", "X: y\rContent-Type: text/html\n\nQ", {
		"0 text/plain i A >Q", "0 text/html i A >Q" }, 2, true },
	{ "bare CR ends a value", "Content-Transfer-Encoding: base64\rX: y\n\nQ", {
		"0 text/plain b? - >Q" }, 1, true },
	{ "bare CRs as blank line", "X: y\n" "Content-Type: text/html\r\rQ: \n\nz", {
		"0 text/html i A >Q: \n\nz", "0 text/html i A >z" }, 2, true },
	{ "bad line behind a bare CR", "Content-Transfer-Encoding: base64\rbad\r x\rQ:\n\nz", {
		"0 text/plain b? A >bad\r x\rQ:\n\nz", "0 text/plain b? A > x\rQ:\n\nz",
		"0 text/plain b? A >Q:\n\nz", "0 text/plain b? A >z" }, 4, true },
	{ "bare CR in a bad line", B64 "bad\rline: x\n y\nQ:\n\nz", { "0 text/plain b A >z",
		"0 text/plain b A >bad\rline: x\n y\nQ:\n\nz",
		"0 text/plain b A >line: x\n y\nQ:\n\nz", "0 text/plain b A > y\nQ:\n\nz",
		"0 text/plain b A >Q:\n\nz" }, 5, true },
	{ "bad for the one, then for the other", "a\rb: c\nd\re f\ng\nh:\n\nz", {
		"0 text/plain i A >a\rb: c\nd\re f\ng\nh:\n\nz",
		"0 text/plain i A >d\re f\ng\nh:\n\nz", "0 text/plain i A >g\nh:\n\nz" }, 0, true },
	{ "many bare CRs", "X: y\r\r\r\r\r\rQ: \n\nz", { "0 text/plain i A >Q: \n\nz" }, 0, true },
	{ "CR CR LF", "Content-Type: text/html\r\r\n\r\r\nz", { "0 text/html i - >z" }, 1, true },
	{ "LF CR", "Content-Type: text/html\n\r\n\rz", { "0 text/html i - >\rz" }, 1, true },
	{ "mixed line ends", "Content-Type: text/html\r\n" B64 "\r\nz\n", {
		"0 text/html b - >z\n" }, 1, true },
};

static const struct row multipart_rows[] = {
	{ "plain", MIXED "pre\n--abc\nX: y\n\none\n--abc\n\ntwo\n--abc--\nepi\n", {
		"0 multipart/mixed i M >pre\n--abc\nX: y\n\none\n--abc\n\ntwo\n--abc--\nepi\n",
		"1 text/plain i F >pre", "1 text/plain i - >one", "1 text/plain i - >two",
		"1 text/plain i F >epi\n" }, 5, false },
	{ "quoted boundary", "Content-Type: multipart/mixed; boundary=\"a b;c\"\n\n--a b;c\n\n"
		"one\n--a b;c--\n", { "1 text/plain i - >one" }, 2, false },
	{ "escaped boundary", "Content-Type: multipart/mixed; boundary=\"a\\bc\"\n\n--abc\n\n"
		"one\n--abc--\n", { "1 text/plain i A >one" }, 2, false },
	{ "escaped boundary, taken as it is",
		"Content-Type: multipart/mixed; boundary=\"a\\bc\"\n\n--a\\bc\n\none\n"
		"--a\\bc--\n", { "1 text/plain i A >one" }, 2, false },
	{ "blanks at the end of the boundary",
		"Content-Type: multipart/mixed; boundary=\"abc \"\n\n--abc\n\none\n--abc --\n", {
		"1 text/plain i - >one\n--abc --\n" }, 0, false },
	{ "blanks around =", "Content-Type: multipart/mixed; boundary = \"abc\"\n\n--abc\n\n"
		"one\n--abc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "comments", "Content-Type: multipart/mixed (a;b); (c) boundary (d) = (e) abc (f)\n\n"
		"--abc\n\none\n--abc--\n", { "1 text/plain i A >one" }, 2, false },
	{ "folded", "Content-Type: multipart/mixed;\n\tboundary=\n  \"abc\"\n\n--abc\n\none\n"
		"--abc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "folded inside the quotes", "Content-Type: multipart/mixed; boundary=\"a\n bc\"\n\n"
		"--a bc\n\none\n--a bc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "no semicolon", "Content-Type: multipart/mixed boundary=abc\n\n--abc\n\none\n"
		"--abc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "no semicolon behind", "Content-Type: multipart/mixed; boundary=abc charset=x\n\n"
		"--abc\n\none\n--abc--\n", { "1 text/plain i A >one" }, 2, false },
	{ "open quote", "Content-Type: multipart/mixed; x=\"y; boundary=abc\n\n--abc\n\none\n"
		"--abc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "boundary not closed", "Content-Type: multipart/mixed; boundary=\"abc\n\n--abc\n\n"
		"one\n--abc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "no type", "Content-Type: multipart; boundary=abc\n\n--abc\n\none\n--abc--\n", {
		"1 text/plain i - >one" }, 2, false },
	{ "RFC 2231", "Content-Type: multipart/mixed; boundary*0=\"a\"; boundary*1=bc\n\n"
		"--abc\n\none\n--abc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "RFC 2231, any order", "Content-Type: multipart/mixed; boundary*2=c;\n"
		" boundary*0=a; boundary*1*=%62\n\n--abc\n\none\n--abc--\n", {
		"1 text/plain i - >one" }, 2, false },
	{ "RFC 2231, extended", "Content-Type: multipart/mixed; boundary*=us-ascii'en'a%62c\n\n"
		"--abc\n\none\n--abc--\n", { "1 text/plain i - >one" }, 2, false },
	{ "RFC 2231 and plain",
		"Content-Type: multipart/mixed; boundary=abc; boundary*=''xyz\n\n--abc\n\none\n"
		"--xyz\n\ntwo\n--xyz--\n", { "1 text/plain i A >one\n--xyz\n\ntwo\n--xyz--\n",
		"1 text/plain i A >two" }, 0, false },
	{ "two boundaries", "Content-Type: multipart/mixed; boundary=abc; boundary=xyz\n\n"
		"--abc\n\none\n--abc--\n--xyz\n\ntwo\n--xyz--\n", { "1 text/plain i A >one",
		"1 text/plain i A >two" }, 0, false },
	{ "two types", "Content-Type: multipart/mixed; boundary=abc\n"
		"Content-Type: multipart/mixed; boundary=xyz\n\n--abc\n\none\n--abc--\n"
		"--xyz\n\ntwo\n--xyz--\n", { "1 text/plain i A >one", "1 text/plain i A >two" },
		0, false },
	{ "text first", "Content-Type: text/plain\n" MIXED "--abc\n\none\n--abc--\n", {
		"1 text/plain i A >one", "0 text/plain i A >--abc\n\none\n--abc--\n" }, 3, false
		},
	{ "boundary of a text", "Content-Type: text/plain; boundary=abc\n\n--abc\n\none\n"
		"--abc--\n", { "0 text/plain i - >--abc\n\none\n--abc--\n",
		"1 text/plain i A >one" }, 2, false },
	{ "no boundary parameter", "Content-Type: multipart/mixed\n\npre\n--xyz\n\none\n"
		"--xyz--\n", { "1 text/plain i A >one" }, 0, false },
	{ "another boundary", MIXED "pre\n--xyz \n\none\n--xyz--\n", { "1 text/plain i A >one" },
		0, false },
	{ "no boundary at all", MIXED "only text\n", { "1 text/plain i FA >only text\n" }, 2,
		false },
	{ "empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\none\n----\n",
		{ "1 text/plain i - >one" }, 0, false },
	{ "boundary of dashes", "Content-Type: multipart/mixed; boundary=\"--\"\n\n----\n\n"
		"one\n------\n", { "1 text/plain i - >one" }, 2, false },
	{ "not closed", MIXED "--abc\n\none\n--abc\n\ntwo\n", { "1 text/plain i - >one",
		"1 text/plain i - >two\n" }, 3, false },
	{ "only opened", MIXED "--abc", { "0 multipart/mixed i M >--abc" }, 1, false },
	{ "only closed", MIXED "pre\n--abc--\nepi", { "1 text/plain i F >pre",
		"1 text/plain i F >epi" }, 3, false },
	{ "blanks behind the boundary", MIXED "--abc  \t\n\none\n--abc-- \t\nepi\n", {
		"1 text/plain i - >one", "1 text/plain i F >epi\n" }, 3, false },
	{ "parts behind the end", MIXED "--abc\n\none\n--abc--\nepi\n--abc\n\ntwo\n--abc--\n", {
		"1 text/plain i - >one", "1 text/plain i F >epi", "1 text/plain i A >two" }, 4,
		false },
	{ "boundary inside a line", MIXED "--abc\n\none --abc\n--abc--\n", {
		"1 text/plain i - >one --abc" }, 2, false },
	{ "boundary with more behind", MIXED "--abc\n\none\n--abcdef\n\ntwo\n--abc--\n", {
		"1 text/plain i - >one\n--abcdef\n\ntwo", "1 text/plain i A >one",
		"1 text/plain i A >two" }, 5, false },
	{ "text behind the boundary", MIXED "--abc text\n\none\n--abc-- text\n", {
		"1 text/plain i A >one" }, 0, false },
	{ "prefix of the inner one", MIXED "--abc\n"
		"Content-Type: multipart/mixed; boundary=abcdef\n\n--abcdef\n" B64 "\none\n"
		"--abcdef\n\ntwo\n--abcdef--\n--abc\n\nthree\n--abc--\n", {
		"2 text/plain b - >one", "2 text/plain i - >two", "1 text/plain i - >three" }, 8,
		false },
	{ "inner one is a prefix", "Content-Type: multipart/mixed; boundary=abcdef\n\n"
		"--abcdef\nContent-Type: multipart/mixed; boundary=abc\n\n--abc\n" B64 "\none\n"
		"--abc--\n--abcdef\n\ntwo\n--abcdef--\n", { "2 text/plain b - >one",
		"1 text/plain i - >two" }, 4, false },
	{ "outer boundary with dashes", MIXED "--abc\n"
		"Content-Type: multipart/mixed; boundary=abc--\n\n--abc--\n" B64
		"\none\n--abc----\n--abc--\n", { "1 text/plain i F >" B64 "\none\n--abc----",
		"1 text/plain b A >one" }, 0, false },
	{ "nested", MIXED "--abc\nContent-Type: multipart/alternative; boundary=xyz\n\n"
		"--xyz\n\none\n--xyz\nContent-Type: text/html\n\ntwo\n--xyz--\n--abc\n\nthree\n"
		"--abc--\n", { "1 multipart/alternative i M >--xyz\n\none\n--xyz\n"
		"Content-Type: text/html\n\ntwo\n--xyz--", "2 text/plain i - >one",
		"2 text/html i - >two", "1 text/plain i - >three" }, 5, false },
	{ "outer boundary ends the inner", MIXED "--abc\n"
		"Content-Type: multipart/mixed; boundary=xyz\n\n--xyz\n\none\n--abc\n\ntwo\n", {
		"2 text/plain i - >one", "1 text/plain i - >two\n" }, 5, false },
	{ "the same boundary inside", MIXED "--abc\n" MIXED "--abc\n\none\n--abc--\n--abc\n\n"
		"two\n--abc--\n", { "1 text/plain i - >one", "1 text/plain i A >two" }, 0, false
		},
	{ "boundary in the preamble of the inner", MIXED "--abc\n"
		"Content-Type: multipart/mixed; boundary=xyz\n\n--xyy\n--xyz\n\none\n--xyz--\n"
		"--abc--", { "2 text/plain i F >--xyy", "2 text/plain i - >one" }, 4, false },
	{ "digest", "Content-Type: multipart/digest; boundary=abc\n\n--abc\n\nSubject: x\n\n"
		"one\n--abc\nContent-Type: text/plain\n\ntwo\n--abc--\n", {
		"1 message/rfc822 i R >Subject: x\n\none", "1 text/plain i - >two" }, 3, false },
	{ "no blank line before the first boundary",
		"Content-Type: multipart/mixed; boundary=abc\n--abc\n" B64 "\none\n--abc--\n", {
		"1 text/plain b A >one" }, 0, false },
	{ "bad line ends the header of a part", MIXED "--abc\n" B64 "bad\nQUJD\nREVG\n--abc--\n", {
		"1 text/plain b A >QUJD\nREVG" }, 3, false },
	{ "no blank line in a part", MIXED "--abc\n" B64 "QUJD!\n--abc--\n", {
		"1 text/plain b A >QUJD!" }, 2, false },
	{ "part is header only", MIXED "--abc\n"
		"Content-Disposition: attachment; filename=x.exe\n--abc--\n", {
		"1 text/plain i - x.exe>" }, 2, false },
	{ "empty parts", MIXED "--abc\n--abc\n\n--abc\n\none\n--abc--", { "1 text/plain i - >one"
		}, 2, false },
	{ "NULs", MIXED "--abc\n\no@Nne\n--abc--\n", { "1 text/plain i - >o@ne" }, 2, false },
	{ "NUL in the boundary line", MIXED "--abc@N\n\none\n--abc--\n", {
		"1 text/plain i A >one" }, 0, false },
	{ "encoded multipart", "Content-Type: multipart/mixed; boundary=abc\n" B64
		"\n--abc\n\none\n--abc--\n", { "0 multipart/mixed b M >--abc\n\none\n--abc--\n",
		"1 text/plain i - >one" }, 2, false },
	{ "CR only in one part", MIXED "--abc\n" "Content-Type: text/html\rX: y\r\rone\n"
		"--abc--\n", { "1 text/html i - >one" }, 2, true },
	{ "boundary behind a bare CR", MIXED "--abc\n\none\r--abc\r" B64 "\ntwo\n--abc--\n", {
		"1 text/plain b A >two", "1 text/plain i A >one" }, 0, true },
	{ "mixed line ends", "Content-Type: multipart/mixed; boundary=abc\r\n\n--abc\n\r\n"
		"one\r\n--abc\r\n\ntwo\n--abc--", { "1 text/plain i - >one",
		"1 text/plain i - >two" }, 3, true },
	{ "blank line belongs to the text", MIXED "--abc\n\none\n\n--abc--", {
		"1 text/plain i - >one\n" }, 2, false },
};

#define CD "Content-Disposition: attachment; "

static const struct row name_rows[] = {
	{ "filename", CD "filename=x.exe\n\n", { "0 text/plain i - x.exe>" }, 1, false },
	{ "quoted", CD "filename=\"x y;\\\"z.exe\"\n\n", { "0 text/plain i - x y;\"z.exe>" }, 1,
		false },
	{ "not quoted, with blanks", CD "filename=x y.exe; size=1\n\n", {
		"0 text/plain i - x y.exe|x>" }, 1, false },
	{ "name", "Content-Type: a/b; name=\"x.exe\"\n\n", { "0 a/b i - x.exe>" }, 1, false },
	{ "both, equal", "Content-Type: a/b; name=x.exe\n" CD "filename=x.exe\n\n", {
		"0 a/b i - x.exe>" }, 1, false },
	{ "both, different", "Content-Type: a/b; name=y.com\n" CD "filename=x.exe\n\n", {
		"0 a/b i - x.exe|y.com>" }, 1, false },
	{ "filename in the type", "Content-Type: a/b; filename=x.exe\n\n", { "0 a/b i - x.exe>"
		}, 1, false },
	{ "RFC 2231", CD "filename*=utf-8'en'%c3%A4.exe\n\n", { "0 text/plain i - \xc3\xa4.exe>"
		}, 1, false },
	{ "RFC 2231, latin1", CD "filename*=ISO-8859-1''%e4.exe\n\n", {
		"0 text/plain i - \xc3\xa4.exe>" }, 1, false },
	{ "RFC 2231, no charset", CD "filename*=x%2Eexe\n\n", { "0 text/plain i - x.exe>" }, 1,
		false },
	{ "RFC 2231, broken %", CD "filename*=utf-8''x%zz%4\n\n", { "0 text/plain i - x%zz%4>" },
		1, false },
	{ "continuations", CD "filename*0=\"x.\";\n filename*1=ex; filename*2=e\n\n", {
		"0 text/plain i - x.exe>" }, 1, false },
	{ "continuations, any order", CD
		"filename*10=e; filename*2=ex; filename*1*=%2e; filename*0=x\n\n", {
		"0 text/plain i - x.exe>" }, 1, false },
	{ "continuations, extended", CD
		"filename*0*=iso-8859-1''%e4; filename*1*=%2e; filename*2=exe\n\n", {
		"0 text/plain i - \xc3\xa4.exe>" }, 1, false },
	{ "plain and RFC 2231", CD "filename=x.txt; filename*=''x.exe\n\n", {
		"0 text/plain i - x.txt|x.exe>" }, 1, false },
	{ "two names", CD "filename=a.txt; filename=b.exe\n\n", {
		"0 text/plain i - a.txt|b.exe>" }, 1, false },
	{ "encoded word", CD "filename=\"=?utf-8?B?eC5leGU=?=\"\n\n", { "0 text/plain i - x.exe>"
		}, 1, false },
	{ "encoded words, folded", CD "filename=\"=?iso-8859-1?Q?=E4?=\n =?utf-8?Q?.exe?=\"\n\n",
		{ "0 text/plain i - \xc3\xa4.exe>" }, 1, false },
	{ "encoded word, not quoted", CD "filename==?utf-8?Q?x_y.exe?=\n\n", {
		"0 text/plain i - x y.exe>" }, 1, false },
	{ "quote not closed", CD "filename=\"x.exe\n\n", { "0 text/plain i - x.exe>" }, 1, false },
	{ "comment", CD "filename (c) = (d) x.exe\n\n", { "0 text/plain i - x.exe>" }, 1, false },
	{ "no disposition", "Content-Disposition: filename=x.exe\n\n", {
		"0 text/plain i - x.exe>" }, 1, false },
	{ "NUL", CD "filename=\"x.exe@N.txt\"\n\n", { "0 text/plain i - x.exe|x.exe.txt>" }, 1,
		false },
	{ "folded name", CD "filename=\"x\n y.exe\"\n\n", { "0 text/plain i - x y.exe>" }, 1,
		false },
	{ "another parameter", "Content-Type: a/b; surname=x.exe; x-name=y; names=z\n\n", {
		"0 a/b i - >" }, 1, false },
	{ "name of a multipart's part", MIXED "--abc\nContent-Type: a/b; name=x.exe\n\none\n"
		"--abc--\n", { "1 a/b i - x.exe>one" }, 2, false },
	{ "fields few know", "Content-Name: \"a\\\"x.exe\"\nX-Sun-Data-Name: (y).exe \n"
		CD "filename=x.exe\ncontent-name: x.exe\n\n", {
		"0 text/plain i - x.exe|a\"x.exe|(y).exe>" }, 1, false },
	{ "no file name by them", "Content-Name: x y.exe\n\n", {
		"0 text/plain i - |x|x y.exe>" }, 1, false },
	{ "and encoded", "Content-Name: =?utf-8?B?eC5leGU=?=\nContent-Name:\n\n", {
		"0 text/plain i - |x.exe>" }, 1, false },
	{ "location", "Content-Location: x.\n exe\n\n", { "0 text/plain i - |x.exe>" }, 1, false },
	{ "location on a host", "Content-Location: \"HTTP://a.com/d/x.exe?a=b#c\"\n\n", {
		"0 text/plain i - |/d/x.exe?a=b#c|/d/x.exe>" }, 1, false },
	{ "of a host", "Content-Location: http://a.com\n\n", { "0 text/plain i - >" }, 1, false },
	{ "of a host, bare", "Content-Location: //a.com/\n\n", { "0 text/plain i - |/>" }, 1, false },
	{ "of a part", "Content-Location: cid:1.2@a.com\n\n", { "0 text/plain i - >" }, 1, false },
	{ "like a part", "Content-Location: cid:x.exe\n\n", { "0 text/plain i - |cid:x.exe>" }, 1,
		false },
	{ "of a file", "Content-Location: file:///C:/d/x.exe\n\n", {
		"0 text/plain i - |/C:/d/x.exe>" }, 1, false },
};

#define EVIL B64 "\nRVZJTA\n"
#define FOUND { "1 text/plain b A >RVZJTA" }
#define TYPE "Content-Type: multipart/mixed; "
#define A16 "AAAAAAAAAAAAAAAA"
#define A80 A16 A16 A16 A16 A16

/* Some put together a "c" behind what they know, and some don't. */
#define MISREAD(kind, known) "Content-Type: multipart/" kind "; boundary*0=" known \
	"; boundary*1=c\n\n--" known "c\n\none\n"

/* Boundaries that some reader sees and the walk does not. */
static const struct row net_rows[] = {
	{ "longer than a reader's buffer", TYPE "boundary=" A80 A16 "\n\n--" A80 A16 "\n\none\n"
		"--" A80 "BB\n" EVIL "--" A80 "BB--\n", FOUND, 0, false },
	{ "ended by another that begins the same", TYPE "boundary=" A80 A16 "\n\n"
		"--" A80 A16 "\n\none\n--" A80 "BB\n" EVIL "--" A80 "CC\njunk\n", FOUND, 0, false },
	{ "cut off, and ended by another", TYPE "boundary=" A80 A16 "\n\n--" A80 A16 "\n" EVIL
		"--" A80 "CC\njunk\n--" A80 A16 "--\n", FOUND, 0, false },
	{ "cut off, and ended outside", TYPE "boundary=" A80 A16 "\n\n--" A80 A16 "\n"
		MIXED "--abc\n" EVIL "--" A16 A16 A16 A16 "AAAAAAAACC\n--" A80 "CC\njunk\n--"
		A80 A16 "--\n", FOUND, 0, false },
	{ "longer than ours", MIXED "--abc\n\none\n--abcd\n" B64 "\nRVZJ\n--abc\nTA\n--abcd--\n", {
		"1 text/plain b A >RVZJ\n--abc\nTA" }, 0, false },
	{ "other dashes inside", TYPE "boundary=\"<xyz>\"\n\n--<xyz>\n\none\n--xyz\n" B64
		"\nRVZJTA\n--!\n--x!\nRQ\n--xyz--\njunk\n", {
		"1 text/plain b A >RVZJTA\n--!\n--x!\nRQ" }, 0, false },
	{ "RFC 2231, one quote", TYPE "boundary*=us-ascii'xyz\n\n--us-ascii'xyz\n\none\n"
		"--xyz\n" EVIL "--xyz--\n", FOUND, 0, false },
	{ "RFC 2231, twice", TYPE "boundary*0=a; boundary*0=b; boundary*1=c\n\n--abc\n\none\n"
		"--bac\n" EVIL "--bac--\n", FOUND, 0, false },
	{ "RFC 2231, twice, the last one lost", TYPE "boundary*0=aa; boundary*1=c; boundary*0=b"
		"\n\n--aabc\n\none\n--aac\n" EVIL "--aac--\n", FOUND, 0, false },
	{ "RFC 2231, a gap", TYPE "boundary*0=aa; boundary*2=c\n\n--aac\n\none\n"
		"--aa\n" EVIL "--aa--\n", FOUND, 0, false },
	{ "RFC 2231, a leading zero", TYPE "boundary*0=aa; boundary*01=c\n\n--aac\n\none\n"
		"--aa\n" EVIL "--aa--\n", FOUND, 0, false },
	{ "RFC 2231, the first not extended", TYPE "boundary*0=xx; boundary*1*=%62\n\n--xxb\n\n"
		"one\n--xx%62\n" EVIL "--xx%62--\n", FOUND, 0, false },
	{ "RFC 2231, case", TYPE "Boundary*0=xx; boundary*1=c\n\n--xxc\n\none\n--xx\n" EVIL
		"--xx--\n", FOUND, 0, false },
	{ "encoded word", TYPE "boundary=\"=?us-ascii?q?xyz?=\"\n\n--=?us-ascii?q?xyz?=\n\n"
		"one\n--xyz\n" EVIL "--xyz--\n", FOUND, 0, false },
	{ "folded with a tab", TYPE "boundary=\"a\n\tb\"\n\n--a\tb\n\none\n--a b\n" EVIL
		"--a b--\n", FOUND, 0, false },
	{ "folded behind a blank", TYPE "boundary=\"a \n   b\"\n\n--a    b\n\none\n--a b\n" EVIL
		"--a b--\n", FOUND, 0, false },
	{ "in angles", TYPE "boundary=\"<xyz>\"\n\n--<xyz>\n\none\n--xyz\n" EVIL "--xyz--\n",
		FOUND, 0, false },
	{ "encoded word, rules", TYPE "boundary=\"=?us-ascii?q?---?=\"\n\n-----\n\nVIRUS\n"
		"-------\n", { "1 text/plain i A >VIRUS" }, 0, false },
	{ "in angles, rules", TYPE "boundary=\"<<--->>\"\n\n-----\n\nVIRUS\n-------\n", {
		"1 text/plain i A >VIRUS" }, 0, false },
	{ "X-sun-attachment", "Content-Type: X-sun-attachment\n\n----------\nX-Sun-Data-Type: text\n"
		"\nhello\n----------\nX-Sun-Data-Type: default-app\n\none\n----------\n", {
		"1 text/plain i A >hello", "1 text/plain i A >one" }, 3, false },
	{ "X-sun-attachment in a part", MIXED "--abc\nContent-Type: X-sun-attachment\n\n----------\n"
		"X-Sun-Data-Name: x.exe\n\none\n----------\n--abc--\n", {
		"1 text/plain i A |x.exe>one" }, 3, false },
	{ "no multipart", "Subject: x\n\nreturned:\n\n--xyz\n" EVIL "--xyz--\n", FOUND, 2, false },
	{ "multiparts in a text", "Subject: x\n\nreturned:\n\n--xyz\n"
		"Content-Type: multipart/alternative; boundary=in\n\n--in\n" B64 "\nT05F\n--in\n"
		B64 "\nVFdP\n--in--\n--xyz\nContent-Type: text/html\n\nthree\n--xyz--\n", {
		"2 text/plain b A >T05F", "2 text/plain b A >VFdP", "1 text/html i A >three" }, 6,
		false },
	{ "field behind others, a bad line and a line of blanks", "\n--xyz\nX: y\nbad\n \n" EVIL
		"--xyz--\n", FOUND, 0, false },
	{ "behind a bare CR", "\n--xyz\rX: y\r" EVIL "--xyz--\n", FOUND, 0, true },
	{ "not ended", "\n--xyz\n" B64 "\nRVZJTA", FOUND, 2, false },
	{ "an inner boundary accounts for its part alone", MIXED "--abc\n"
		"Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\n--abc\n\none\n--xyz\n" EVIL
		"--xyz--\n--abc--\n", FOUND, 0, false },
	{ "behind a closing boundary", MIXED "--abc\n\none\n--abc--x\n" EVIL "--abc--x--\n",
		FOUND, 0, false },
	{ "out of a message", MIXED "--abc\nContent-Type: message/rfc822\n\n\none\n--xyz\n" B64
		"\nRVZJ\n--abc\nTA\n--xyz--\n", { "1 text/plain b A >RVZJ\n--abc\nTA" }, 0, false },
	{ "behind the message", MIXED "--abc\nContent-Type: message/rfc822\n\n\none\n--abc--\n"
		"--xyz\n" EVIL "--xyz--\n", FOUND, 0, false },
	{ "a message of two types", MIXED "--abc\nContent-Type: message/rfc822\n"
		"Content-Type: text/plain\n\n\none\n--xyz\n" EVIL "--xyz--\n--abc--\n", FOUND, 0,
		false },
	{ "no field", MISREAD("mixed", "xx") "--xx\n\nVIRUS\n--xx--\n", {
		"1 text/plain i A >VIRUS" }, 0, false },
	{ "no field, behind more empty lines", MISREAD("mixed", "xx") "--xx\n\n\nVIRUS\n--xx--\n", {
		"1 text/plain i A >\nVIRUS" }, 0, false },
	{ "a description", MISREAD("mixed", "xx") "--xx\nX y\nContent-Description: z\n\nVIRUS\n"
		"--xx--\n", { "1 text/plain i A >VIRUS" }, 0, false },
	{ "name folded", MISREAD("mixed", "xx") "--xx\nX y\nContent-Type\n : a/b\n\nVIRUS\n--xx--\n", {
		"1 text/plain i A >VIRUS" }, 0, false },
	{ "a message in a digest", MISREAD("digest", "xx") "--xx\n\nSubject: x\n\nVIRUS\n--xx--\n", {
		"1 message/rfc822 i RA >Subject: x\n\nVIRUS" }, 0, false },
	{ "a message in a digest, behind a rule", MISREAD("digest", "----") "------\n\n"
		"Subject: x\n\nVIRUS\n--------\n", {
		"1 message/rfc822 i RA >Subject: x\n\nVIRUS" }, 0, false },
	{ "a message in a digest, a field of its own", MISREAD("digest", "xx") "--xx\n" CD "x\n\n"
		"Subject: x\n\nVIRUS\n--xx--\n", {
		"1 message/rfc822 i RA >Subject: x\n\nVIRUS" }, 0, false },
	{ "a message in a digest, others think outside it", MISREAD("digest", "xx") "--xx\n"
		"Content-Type: multipart/mixed; boundary=yy\n\n--yy\n\nSubject: x\n\nVIRUS\n--yy--\n"
		"--xx--\n", { "1 message/rfc822 i RA >Subject: x\n\nVIRUS" }, 0, false },
	{ "in the header of a message inside", "Subject: x\n--xx:y\n" EVIL "--xx:y--\n", FOUND, 0,
		false },
	{ "what others end a part with, as a field", TYPE "boundary=\"f: b\"; boundary*0=zz\n\n"
		"--xx\n--f: b\n" EVIL "--xx--\n", FOUND, 0, false },
	{ "behind a closing line, the same", TYPE "boundary=\"f: b\"; boundary*0=zz\n\n"
		"--x--\n--f: b\n" EVIL "--x----\n", FOUND, 0, false },
	{ "what others end around it", TYPE "boundary=zz\n\n--zz\n" TYPE "boundary=xx\n\n--xx\n"
		B64 "\nRVZJ\n--zz\nTA\n--xx--\n", {
		"1 text/plain b A >RVZJ\n--zz\nTA" }, 0, false },
	{ "the last part, in a range of its own", TYPE "boundary=zz\n\n--zz\n" TYPE
		"boundary=xx\n\n--xx\n" B64 "\nT05F\n--xx\n" B64 "\nRVZJ\n--zz\nTA\n--xx--\n", {
		"1 text/plain b A >RVZJ\n--zz\nTA" }, 0, false },
};

#define GMAIL TYPE "boundary=out\n\n--out\n" \
	"Content-Type: multipart/alternative; boundary=in\n\n--in\nContent-Type: text/plain\n\n" \
	"one\n--in\nContent-Type: text/html\n\ntwo\n--in--\n--out\n" \
	"Content-Type: a/b; name=x\n" B64 "\nQUJD\n--out--\n"
#define FORWARD(outer, what) "Subject: fwd\n" TYPE "boundary=" outer "\n\n--" outer \
	"\nContent-Type: text/plain\n\nsee below\n-- \nme\n--" outer \
	"\nContent-Type: message/rfc822\n" CD "filename=x.eml\n\nSubject: x\n" what \
	"\n--" outer "--\n"

/* What honest mail has costs no part more, but for texts behind an empty line. */
static const struct row honest_rows[] = {
	{ "nested, closed without blank lines", GMAIL, { NULL }, 5, false },
	{ "forwarded", FORWARD("a", GMAIL), { NULL }, 3, false },
	{ "forwarded twice", FORWARD("a", FORWARD("b", GMAIL)), { NULL }, 3, false },
	{ "digest", "Content-Type: multipart/digest; boundary=abc\n\n--abc\n\nSubject: x\n" GMAIL
		"\n--abc\n\nSubject: y\n" GMAIL "\n--abc--\n", { NULL }, 3, false },
	{ "a message as it is", "Content-Type: message/rfc822\n\n" GMAIL, { NULL }, 1, false },
	{ "bounce", "Content-Type: multipart/report; boundary=r\n\n--r\n\nsorry\n--r\n"
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n"
		"Final-Recipient: y\n\n--r\nContent-Type: message/rfc822\n\n" GMAIL "\n--r--\n", {
		NULL }, 4, false },
	{ "signed", "Content-Type: multipart/signed; boundary=s; protocol=x\n\n--s\n" GMAIL
		"\n--s\nContent-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n"
		"\nQUJD\n-----END PGP SIGNATURE-----\n--s--\n", { NULL }, 8, false },
	{ "quoted mail", MIXED "--abc\n\none\n-----Original Message-----\nFrom: x\nSent: y\n"
		"Subject: z\n\ntwo\n--abc\nContent-Type: text/x-patch\n\n--- a/x\n+++ b/x\n"
		"@@ 1 @@\n-Content-Type: x\n--- y\n+Content-Type: y\n--abc--\n", { NULL }, 3, false },
	{ "epilogue", MIXED "--abc\n\none\n--abc--\n\nContent-Type: a/b\n", { NULL }, 4, false },
};

static void check_row(const struct row *r, const char *eol)
{
	static char msg[8192], want[8192];
	struct got g = { 0 };
	size_t len = with_eol(msg, r->msg, eol);
	enum mime_result result = walk(&g, msg, len);

	ck_assert_msg(result == MIME_DONE, "%s: result %d", r->what, (int)result);
	for (unsigned i = 0; i < 8 && r->want[i] != NULL; i++) {
		bool found = false;
		with_eol(want, r->want[i], eol);
		for (unsigned k = 0; k < g.n && k < PARTS_MAX; k++)
			found |= strcmp(g.part[k], want) == 0;
		for (unsigned k = 0; !found && k < g.n && k < PARTS_MAX; k++)
			fprintf(stderr, "%s: %u: %s\n", r->what, k + 1, g.part[k]);
		ck_assert_msg(found, "%s: not found: %s", r->what, want);
	}
	if (r->n != 0 && g.n != r->n)
		for (unsigned k = 0; k < g.n && k < PARTS_MAX; k++)
			fprintf(stderr, "%s: %u: %s\n", r->what, k + 1, g.part[k]);
	ck_assert_msg(r->n == 0 || g.n == r->n, "%s: %u parts", r->what, g.n);
	got_free(&g);
}

static void check_rows(const struct row *rows, size_t n)
{
	char msg[8192];

	for (size_t i = 0; i < n; i++) {
		check_row(&rows[i], "\n");
		if (!rows[i].as_is) {
			check_row(&rows[i], "\r\n");
			check_row(&rows[i], "\r");
		}
		size_t len = with_eol(msg, rows[i].msg, "\n");
		for (size_t k = 0; k < len; k++) {
			struct got g = { .is_ranges_only = true };
			walk(&g, msg, k);
			walk(&(struct got){ .is_ranges_only = true }, msg + k, len - k);
		}
	}
}

#define ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

START_TEST(plain)
{
	ROWS(plain_rows);
}
END_TEST

START_TEST(multipart)
{
	ROWS(multipart_rows);
}
END_TEST

START_TEST(net)
{
	ROWS(net_rows);
	ROWS(honest_rows);
}
END_TEST

START_TEST(names)
{
	ROWS(name_rows);
}
END_TEST

/* Of a long name the end is kept. */
START_TEST(long_name)
{
	char msg[2000] = CD "filename=\"";
	struct got g = { 0 };
	size_t n = strlen(msg);

	memset(msg + n, 'n', 1000);
	memcpy(msg + n + 1000, ".exe\"\n\nbody", 12);
	ck_assert_int_eq(walk(&g, msg, strlen(msg)), MIME_DONE);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_ptr_nonnull(strstr(g.part[0], "nnn.exe>body"));
	ck_assert_uint_eq(strspn(g.part[0] + 17, "n"), 251);
	got_free(&g);
}
END_TEST

/* A message put together from pieces that mean something, at random. */
START_TEST(random_pieces)
{
	static const char *const piece[] = {
		"\n", "\r\n", "\r", "--", "--abc", "--abc--", "--ab", "Content-Type: ",
		"multipart/mixed", "; boundary=", "abc", "ab", "\"", "(", ")", ";", "*0=", "*1*=",
		"%41", "name", "filename", "=", "Content-Transfer-Encoding: base64\n",
		"Content-Disposition: x;", " ", "\t", "x", "\\",
		"\n--abc\n", "\n\n", MIXED,
		"Content-Type: multipart/digest; boundary=ab\n\n--ab\n\n",
		"=?utf-8?Q?x?=", "message/rfc822", ":", "From ", "\xff", "X: y\n",
	};
	char msg[4096];
	const size_t pieces = sizeof piece / sizeof piece[0];
	unsigned seed = 3;

	for (int round = 0; round < 20000; round++) {
		struct got g = { .is_ranges_only = true, .stop_at = split_random(&seed) % 50 };
		size_t len = 0;
		for (unsigned n = split_random(&seed) % 60; n > 0; n--) {
			const char *p = piece[split_random(&seed) % pieces];
			memcpy(msg + len, p, strlen(p));
			len += strlen(p);
		}
		enum mime_result r = walk(&g, msg, len);
		need((r == MIME_STOPPED) == (g.n == g.stop_at && g.n > 0));
	}
}
END_TEST

/* ---- budgets ------------------------------------------------------------- */

struct many {
	unsigned n, deepest, stop_at;
};

static bool count_part(void *arg, const struct mime_part *p)
{
	struct many *m = arg;

	m->n++;
	if (p->depth > m->deepest)
		m->deepest = p->depth;
	return m->n != m->stop_at;
}

struct text {
	char *p;
	size_t n, size;
};

static void add(struct text *t, const char *s)
{
	size_t k = strlen(s);

	if (t->n + k >= t->size) {
		t->size = 2 * (t->n + k) + 1;
		t->p = realloc(t->p, t->size);
		need(t->p != NULL);
	}
	memcpy(t->p + t->n, s, k);
	t->n += k;
}

static void add_level(struct text *t, int level)
{
	char s[120];

	snprintf(s, sizeof s, "Content-Type: multipart/mixed; boundary=b%04d\n\n--b%04d\n",
		level, level);
	add(t, s);
}

START_TEST(many_parts)
{
	struct mime_budget b = { 100, 10001, 1000, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	add(&t, MIXED);
	for (int i = 0; i < 10000; i++)
		add(&t, "--abc\n" B64 "\nQUJD\n");
	add(&t, "--abc--\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_DONE);
	ck_assert_uint_eq(m.n, 10001);
	b.max_parts = 10000;
	m = (struct many){ 0 };
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	ck_assert_uint_eq(m.n, 10000);
	m = (struct many){ .stop_at = 77 };
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_STOPPED);
	ck_assert_uint_eq(m.n, 77);
	free(t.p);
}
END_TEST

START_TEST(depth)
{
	struct mime_budget b = { 100, 10000, 1000, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	for (int i = 0; i < 100; i++)
		add_level(&t, i);
	add(&t, "\nleaf");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_DONE);
	ck_assert_uint_eq(m.n, 101);
	ck_assert_uint_eq(m.deepest, 100);
	b.max_depth = 99;
	m = (struct many){ 0 };
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	ck_assert_uint_eq(m.deepest, 100); /* what is in there is given as text */
	t.n = 0;
	for (int i = 0; i < 1000; i++)
		add_level(&t, i);
	m = (struct many){ 0 };
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	b.max_depth = 1000;
	m = (struct many){ 0 };
	add(&t, "\nleaf");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_DONE);
	ck_assert_uint_eq(m.deepest, 1000);
	free(t.p);
}
END_TEST

struct asked {
	unsigned n, stop_at;
};

static bool ask(void *arg)
{
	struct asked *a = arg;

	return ++a->n != a->stop_at;
}

static bool ignore_part(void *arg, const struct mime_part *part)
{
	(void)arg;
	(void)part;
	return true;
}

/* A message that is long to walk and has no parts to report: the caller is
 * asked all the same, and can stop it. */
START_TEST(asked_while_nothing_comes)
{
	const struct mime_budget b = { 100, 10000, 1000, NULL, ask };
	struct text t = { 0 };
	struct asked a = { 0 };

	for (int i = 0; i < 40; i++)
		add_level(&t, i);
	for (int i = 0; i < 200000; i++)
		add(&t, "--b00 --b01 and so on\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, ignore_part, &a), MIME_DONE);
	ck_assert_uint_gt(a.n, 5);
	a = (struct asked){ .stop_at = 3 };
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, ignore_part, &a), MIME_STOPPED);
	ck_assert_uint_eq(a.n, 3);
	free(t.p);
}
END_TEST

/* What is too deep hides nothing beside it. */
START_TEST(depth_goes_on)
{
	const struct mime_budget b = { 1, 100, 100, NULL, NULL };
	static const char msg[] = MIXED "--abc\nContent-Type: multipart/mixed; boundary=xyz\n\n"
		"--xyz\n\none\n--xyz--\n--abc\n\ntwo\n--abc--\n";
	struct got g = { .msg = msg, .len = sizeof msg - 1 };

	ck_assert_int_eq(mime_walk(msg, sizeof msg - 1, &b, keep_part, &g), MIME_OVER_BUDGET);
	ck_assert_uint_eq(g.n, 4);
	ck_assert_str_eq(g.part[3], "1 text/plain i - >two");
	got_free(&g);
}
END_TEST

/* Some readers take a long line in pieces, and see a boundary begin inside it; what stands
 * behind it may be in the same line. */
START_TEST(long_lines)
{
	static const struct {
		size_t before;           /* of the boundary, in its line */
		const char *line;        /* itself, filled with blanks to so many octets: */
		size_t filled;
		const char *behind, *want;
		bool is_found;
	} rows[] = {
		{ 1023, "--abc", 0, "\n" B64 "\nVIRUS", " b A >VIRUS", true },
		{ 850, "--abc", 0, "\n" B64 "\nVIRUS", " b A >VIRUS", false },
		{ 1023, "\r--abc", 0, "\n" B64 "\nVIRUS", " b A >VIRUS", true },
		{ 1000, "\rx--abc", 0, "\n" B64 "\nVIRUS", " b A >VIRUS", true },
		{ 1023, "--xyz", 0, "\r\n\r\nVIRUS", " i A >VIRUS", true },
		{ 1022, "--xyz", 0, "\n\nVIRUS", " i A >VIRUS", false },
		{ 0, "--abc", 1023, B64 "\nVIRUS", " b A >VIRUS", true },
		{ 0, "--abc", 1023, "X: y\n" B64 "\nVIRUS", " b A >VIRUS", true },
		{ 0, "--abc", 1022, B64 "\nVIRUS", " b A >VIRUS", false },
		{ 2046, "--abc", 1023, B64 "\nVIRUS", " b A >VIRUS", true },
		{ 1023, "\r--abc", 1023, B64 "\nVIRUS", " b A >VIRUS", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct text t = { 0 };
		struct got g = { 0 };
		bool is_found = false;
		add(&t, MIXED "--abc\n\none\n");
		for (size_t k = 0; k < rows[i].before; k++)
			add(&t, "x");
		add(&t, rows[i].line);
		for (size_t k = strlen(rows[i].line); k < rows[i].filled; k++)
			add(&t, " ");
		add(&t, rows[i].behind);
		add(&t, "\n--abc--\n");
		ck_assert_int_eq(walk(&g, t.p, t.n), MIME_DONE);
		for (unsigned k = 0; k < g.n; k++)
			is_found |= strstr(g.part[k], rows[i].want) != NULL;
		ck_assert_msg(is_found == rows[i].is_found, "row %zu", i);
		got_free(&g);
		free(t.p);
	}
}
END_TEST

/* Where no boundary fits, each line of dashes may be one: if they are too many, that
 * is said. */
START_TEST(guesses)
{
	struct mime_budget b = { 100, 100, 100, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	add(&t, MIXED "--1\n\n--2\n\n--3\n\n--4\n\n--5\n\n--6\n\nx\n--6\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_DONE);
	add(&t, "--7\n\ny\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	free(t.p);
}
END_TEST

/* A text may have so many headings: these count as no parts. */
START_TEST(many_headings)
{
	struct mime_budget b = { 100, 1, 100, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	add(&t, "Subject: x\n\n");
	for (int i = 0; i < 3000; i++)
		add(&t, "-- Chapter --\n\ntext\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_DONE);
	ck_assert_uint_eq(m.n, 3001);
	add(&t, "--x\n" B64 "\nUQ\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	free(t.p);
}
END_TEST

/* Nor are the ends of one part that readers may see without number. */
START_TEST(many_ends)
{
	struct mime_budget b = { 100, 100, 100, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };
	char s[20] = "--";

	add(&t, "\n--123456789\n" B64 "\nRVZJTA\n");
	for (int i = 0; i < 9; i++) {
		s[2 + i] = (char)('1' + i);
		memcpy(s + 3 + i, "!\n", 3);
		add(&t, s);
	}
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	free(t.p);
}
END_TEST

START_TEST(header_limits)
{
	const struct mime_budget b = { 100, 100, 50, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	for (int i = 0; i < 50; i++)
		add(&t, "X: y\n");
	add(&t, "\nbody");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_DONE);
	t.n = 0;
	for (int i = 0; i < 51; i++)
		add(&t, "X: y\n");
	add(&t, "\nbody");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	t.n = 0;
	for (int i = 0; i < 5; i++) {
		char s[80];
		snprintf(s, sizeof s, "Content-Type: text/x%d\n", i);
		add(&t, s);
	}
	add(&t, "\nbody");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	t.n = 0;
	add(&t, "Content-Type: text/plain;");
	for (int i = 0; i < 2000; i++)
		add(&t, "\n x12345678");
	add(&t, "\n\nbody");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	t.n = 0;
	add(&t, "Content-Type: multipart/mixed");
	for (int i = 0; i < 7; i++) {
		char s[80];
		snprintf(s, sizeof s, "; boundary=x%d", i);
		add(&t, s);
	}
	add(&t, "\n\nbody");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	t.n = 0;
	add(&t, CD);
	for (int i = 0; i < 9; i++) {
		char s[80];
		snprintf(s, sizeof s, "; filename=x%d", i);
		add(&t, s);
	}
	add(&t, "\n\nbody");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	t.n = 0;
	add(&t, CD);
	for (int i = 0; i < 25; i++)
		add(&t, "; filename=x");
	add(&t, "\n\nbody");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	free(t.p);
}
END_TEST

/* As many ends of a header as there are, the same again, and all of it behind bare CRs. */
START_TEST(header_ends)
{
	static const char *const odd[] = { " continues:\n nothing\n", "x: y\n", "\t\n",
		"no colon", ":first", "blank :", "two words:", "octet\x01:", "\v:", "\x02", "\r:",
		"From x:", ">From x:", "From x", "From 1:" };
	const struct mime_budget b = { 100, 1000, 1000, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 3; i++)
			add(&t, odd[i]);
		add(&t, "Content-Name: x\n");
		for (size_t i = 3; i < sizeof odd / sizeof *odd; i++) {
			add(&t, "x: y\r");
			add(&t, odd[i]);
			add(&t, "\r z\r z\rx: y\r \rx: y\n");
		}
		for (size_t i = 3; i < sizeof odd / sizeof *odd; i++) {
			add(&t, odd[i]);
			add(&t, "\n z\n z\nx: y\n");
		}
	}
	add(&t, "\nbody");
	for (char *nul = t.p; (nul = memchr(nul, 2, t.n - (size_t)(nul - t.p))) != NULL;)
		*nul = '\0';
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_DONE);
	/* " continues" in one view and of two; ten others and two dated mbox lines; a CR first
	 * in one view; lines of blanks; the end */
	ck_assert_uint_eq(m.n, 2 + 2 * 12 * 3 + 3 + 2 + 1);
	t.n = m.n = 0;
	add(&t, "Content-Name: x\n");
	for (int i = 0; i < 5; i++)
		add(&t, "From x 1:\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	free(t.p);
}
END_TEST

/* Messages of 8 MB made to cost much: the test's time limit is the check. */
static unsigned check_costly(const char *head, const char *repeat)
{
	const struct mime_budget b = { 100, 10000, 1000, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	add(&t, head);
	while (t.n < 8u << 20)
		add(&t, repeat);
	mime_walk(t.p, t.n, &b, count_part, &m);
	ck_assert_uint_ge(m.n, 1);
	free(t.p);
	return m.n;
}

#define COSTLY 31

START_TEST(costly)
{
	static const char *const rows[][2] = {
		{ "", "\r" }, { "\n", "\r" }, { "A: b\r", "\r\r\r\r\r\r\r\rx" }, { "a", "bc\n" },
		{ "", "a: b\n" },
		{ "", " \n" }, { "Content-Type: multipart/mixed; boundary=\"\"\n\n", "-" },
		{ "Content-Type: multipart/mixed; boundary=\"--------------------\"\n\n", "-" },
		{ "Content-Type: multipart/mixed; boundary=\"\"\n\n", "--\n" },
		{ MIXED, "\r--abc x" }, { MIXED, "\n--abc x" }, { MIXED, "--abc" },
		{ MIXED, "x--x--" },
		{ "", MIXED "--abc\n" }, { "", "Content-Type: multipart/mixed;\n\n--a\n" },
		{ "Content-Type: multipart/mixed", "; boundary=\"" },
		{ "Content-Disposition: x", "; filename=\"" },
		{ "Content-Disposition: x", "; filename*0=" },
		{ "Content-Disposition: x", "(" }, { "Content-Disposition: x", "; name (" },
		{ "Content-Disposition: x; name=", "=?" },
		{ MIXED, "--abc\n" CD "name=\"=?x?Q?=?=\n" },
		{ "\n", "--x\n" CD "\n\n" }, { "\n", "--x\n" }, { "\n", "--x\n" CD "\n" },
		{ "\n--x\n" CD "\n", "--x y\n" }, { "\n", "--x\r" CD }, { "\n", "- --x" },
		{ "\n", "--x--\n" CD "\n" }, { "\n", "--x\r\r" CD "\r\r" },
		{ "Content-Type: message/rfc822\n\n", "--x\n" CD "\n\n--y\n--z\n" CD "\n\n" },
	};

	_Static_assert(sizeof rows / sizeof rows[0] == COSTLY, "rows");
	check_costly(rows[_i][0], rows[_i][1]);
}
END_TEST

/* Levels that every reader may take two ways double the work: that ends. */
START_TEST(costly_ambiguous)
{
	struct text t = { 0 };
	char s[300], as[100];

	memset(as, 'a', sizeof as);
	for (int i = 1; i < 100; i++) {
		snprintf(s, sizeof s, "Content-Type: multipart/mixed; boundary=%.*s\n\n--%.*s\n",
			i, as, i, as);
		add(&t, s);
	}
	add(&t, "\n");
	t.p[t.n] = '\0';
	ck_assert_uint_lt(check_costly(t.p, "x\n"), 3000);
	free(t.p);
}
END_TEST

/* So do boundaries without number, each of which may end far behind. */
START_TEST(costly_net)
{
	const struct mime_budget b = { 100, 100000, 1000, NULL, NULL };
	struct text t = { 0 };
	struct many m = { 0 };
	char s[80];

	add(&t, "\n");
	for (int i = 0; i < 100000; i++) {
		snprintf(s, sizeof s, "--%05d%s\nContent-Type: text/plain\n\n", i, _i ? "--" : "");
		add(&t, s);
	}
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m), MIME_OVER_BUDGET);
	free(t.p);
}
END_TEST

/* So do headers with several ends each, and as steps are counted, soon. */
START_TEST(costly_headers)
{
	uint64_t work = (256u << 20) + 64 * (400u << 10); /* as a scan has it */
	const struct mime_budget b = { 100, 20000, 1000, &work, NULL };
	struct text t = { 0 };
	struct many m = { 0 };

	for (int i = 0; i < 40; i++) {
		add(&t, "Content-Disposition: inline\n");
		if (_i == 1) /* each ends the header behind the type */
			add(&t, "Content-Type: multipart/mixed; boundary=b\n");
		add(&t, "bad\n :x\n:x\n x\nx : y\n z\nb c: d\n e\n");
		add_level(&t, i);
	}
	while (t.n < 400u << 10)
		add(&t, "some text in a line\n");
	ck_assert_int_eq(mime_walk(t.p, t.n, &b, count_part, &m),
		_i == 1 ? MIME_OVER_BUDGET : MIME_DONE);
	free(t.p);
}
END_TEST

struct asks { unsigned n, at_part; };

static bool counts(void *arg)
{
	((struct asks *)arg)->n++;
	return true;
}

static bool notes_first(void *arg, const struct mime_part *p)
{
	struct asks *a = arg;

	if (p->number == 1)
		a->at_part = a->n;
	return true;
}

/* The longest header, or line of one, is not read without questions. */
START_TEST(asks_in_a_header)
{
	static const char *const lines[] = { "Subject: aaaaaaaaa", "aaaaaaaa", "x\n", "a       ", "\r\n " };
	const size_t len = 4 * PACE_OCTETS;
	const struct mime_budget b = { .max_depth = 9, .max_parts = 9, .max_headers = 9,
		.go_on = counts };
	char *text = malloc(len);

	ck_assert_ptr_nonnull(text);
	for (size_t k = 0; k < sizeof lines / sizeof lines[0]; k++) {
		struct asks a = { 0, 0 };
		for (size_t i = 0; i < len; i++)
			text[i] = lines[k][i % strlen(lines[k])];
		text[0] = 'S';
		mime_walk(text, len, &b, notes_first, &a);
		ck_assert_msg(a.at_part >= 4, "%zu: %u questions", k, a.at_part);
	}
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mime");
	TCase *t = tcase_create("all");

	tcase_add_test(t, plain);
	tcase_add_test(t, multipart);
	tcase_add_test(t, net);
	tcase_add_test(t, long_lines);
	tcase_add_test(t, guesses);
	tcase_add_test(t, many_headings);
	tcase_add_test(t, many_ends);
	tcase_add_test(t, names);
	tcase_add_test(t, long_name);
	tcase_add_test(t, random_pieces);
	tcase_add_test(t, many_parts);
	tcase_add_test(t, depth);
	tcase_add_test(t, depth_goes_on);
	tcase_add_test(t, asked_while_nothing_comes);
	tcase_add_test(t, header_limits);
	tcase_add_test(t, header_ends);
	tcase_add_loop_test(t, costly, 0, COSTLY);
	tcase_add_test(t, costly_ambiguous);
	tcase_add_loop_test(t, costly_net, 0, 2);
	tcase_add_loop_test(t, costly_headers, 0, 2);
	tcase_add_test(t, asks_in_a_header);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return unit_run(s);
}
