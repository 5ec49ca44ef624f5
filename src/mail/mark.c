/* mark.c - the text of the marks, see mark.h.
 *
 * Names come from a scanner that is not trusted: what goes into a header is
 * printable ASCII, and bounded. Sources: RFC 2047 2 and 5, RFC 5322 2.1.1. */
#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

#define LINE_MAX_OCTETS 998u
#define WORD_OCTETS 45u          /* of text in one encoded word: 60 in base64, 72 in all */

/* ---- subject ---------------------------------------------------------------- */

static bool is_plain(const char *s)
{
	for (size_t i = 0; s[i] != '\0'; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return strstr(s, "=?") == NULL;
}

/* The longest piece of s that is at most WORD_OCTETS and does not end inside a
 * character: each encoded word must stand alone (RFC 2047 5). */
static size_t word_len(const char *s)
{
	size_t n = strlen(s);

	if (n <= WORD_OCTETS)
		return n;
	n = WORD_OCTETS;
	while (n > 1 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void base64(const char *s, size_t n, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)s;

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
			(i + 2 < n ? p[i + 2] : 0);
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*out = '\0';
}

/* The prefix as encoded words, each behind a blank, all but the first folded. */
static int put_encoded(const char *prefix, bool with_space, struct buf *out)
{
	char text[520], word[80];
	const char *fold = "";

	snprintf(text, sizeof text, "%s%s", prefix, with_space ? " " : "");
	for (size_t at = 0, n; text[at] != '\0'; at += n, fold = "\r\n") {
		n = word_len(text + at);
		base64(text + at, n, word);
		if (buf_append_str(out, fold) < 0 || buf_append_str(out, " =?UTF-8?B?") < 0 ||
		    buf_append_str(out, word) < 0 || buf_append_str(out, "?=") < 0)
			return -1;
	}
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int mark_subject(const char *setting, const char *value, size_t n, struct buf *out)
{
	size_t line = 0, word = 0;
	const size_t before = buf_len(out);
	char prefix[512];
	int rc;

	/* A blank follows anyway: one at the end of the setting is not doubled. */
	str_copy(prefix, sizeof prefix, setting);
	for (size_t len = strlen(prefix); len > 0 && is_blank(prefix[len - 1]);)
		prefix[--len] = '\0';
	while (line < n && value[line] != '\r' && value[line] != '\n')
		line++;
	while (word < n && (is_blank(value[word]) || value[word] == '\r' || value[word] == '\n'))
		word++;
	if (is_plain(prefix)) {
		rc = buf_append_str(out, " ") < 0 ? -1 : buf_append_str(out, prefix);
	} else {
		/* Blanks between two encoded words are not shown (RFC 2047 6.2). */
		rc = put_encoded(prefix, n - word >= 2 && memcmp(value + word, "=?", 2) == 0, out);
	}
	if (rc < 0)
		return -1;
	/* Folded only before a word: a line of blanks would look like the end. */
	if (word < line && buf_len(out) - before + line > LINE_MAX_OCTETS - sizeof "Subject:" &&
	    buf_append_str(out, "\r\n") < 0)
		return -1;
	return line > 0 && !is_blank(value[0]) ? buf_append_str(out, " ") : 0;
}

/* ---- fields of their own ------------------------------------------------------ */

static int put(struct buf *out, const char *name, const char *value)
{
	return buf_append_str(out, name) < 0 || buf_append_str(out, ": ") < 0 ||
		buf_append_str(out, value) < 0 ? -1 : buf_append_str(out, "\r\n");
}

int mark_av(const struct verdict *v, struct buf *out)
{
	char text[VERDICT_NAME_MAX + 32], name[VERDICT_NAME_MAX];

	str_ascii(name, sizeof name, v->virus[0] != '\0' ? v->virus : "unknown");
	if (v->av & VERDICT_AV_INFECTED)
		snprintf(text, sizeof text, "infected, %s", name);
	else if (v->av & ~(unsigned)VERDICT_AV_DELETED)
		snprintf(text, sizeof text, "%s", verdict_av_text(v->av & ~(unsigned)VERDICT_AV_DELETED));
	else if (v->av & VERDICT_AV_DELETED)
		snprintf(text, sizeof text, "cleaned, %s", name);
	else
		snprintf(text, sizeof text, "clean, is OK");
	return put(out, "X-EsetResult", text);
}

int mark_as(const struct verdict *v, struct buf *out)
{
	char text[64];
	const bool is_spam = v->as == VERDICT_AS_SPAM;

	if (!is_spam && v->as != VERDICT_AS_CLEAN)
		return 0;
	const int tenths = v->as_score_milli / 100;
	snprintf(text, sizeof text, "R=%s;S=%s%d", is_spam ? "SPAM" : "OK", tenths < 0 ? "-" : "",
		abs(tenths) / 10);
	if (tenths % 10 != 0)
		snprintf(text + strlen(text), 8, ".%d", abs(tenths) % 10);
	return put(out, "X-ESET-AS", text) < 0 ? -1 :
		put(out, "X-ESET-Antispam", is_spam ? "SPAM" : "OK");
}

int mark_dry_run(const char *hop, const char *why, struct buf *out)
{
	char text[2 * VERDICT_NAME_MAX], clean[VERDICT_NAME_MAX];

	snprintf(text, sizeof text, "would be %s, %s", hop, str_ascii(clean, sizeof clean, why));
	return put(out, "X-Esets-Dry-Run", text);
}
