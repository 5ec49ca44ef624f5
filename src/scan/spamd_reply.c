/* spamd_reply.c - answers of spamd, see spamd_reply.h. Only what is known is
 * an answer: without a line "Spam:" in the known form there is no verdict. */
#include "spamd_reply.h"

#include <stdio.h>
#include <string.h>

#include "score.h"
#include "str.h"

static int broken(struct spamd_reply *r, const char *why)
{
	snprintf(r->why, sizeof r->why, "%s", why);
	return -1;
}

/* A line, without its end; false: there is no whole one. */
static bool next_line(const char *p, size_t n, size_t *at, const char **line, size_t *len)
{
	const char *lf = memchr(p + *at, '\n', n - *at);

	if (lf == NULL)
		return false;
	*line = p + *at;
	*len = (size_t)(lf - *line);
	*at += *len + 1;
	if (*len > 0 && (*line)[*len - 1] == '\r')
		--*len;
	return true;
}

/* "SPAMD/1.1 0 EX_OK": 0; another code is an error. */
static int parse_status(const char *s, size_t len, const char **text, struct spamd_reply *r)
{
	size_t i = 6;

	if (len < 6 || memcmp(s, "SPAMD/", 6) != 0)
		return broken(r, "not an answer of spamd");
	while (i < len && ((s[i] >= '0' && s[i] <= '9') || s[i] == '.'))
		i++;
	if (i == 6 || i == len || s[i] != ' ')
		return broken(r, "not an answer of spamd");
	size_t code = ++i;
	while (i < len && s[i] >= '0' && s[i] <= '9')
		i++;
	if (i == code || (i < len && s[i] != ' '))
		return broken(r, "not an answer of spamd");
	*text = i < len ? s + i + 1 : s + len;
	if (i == code + 1 && s[code] == '0')
		return 0;
	str_clean(r->why, sizeof r->why, s + code, len - code);
	return -1;
}

static const char *skip(const char *s, const char *end, char c)
{
	while (s < end && *s == c)
		s++;
	return s;
}

static const char *number(const char *s, const char *end, int *milli_out)
{
	size_t n = score_number_len(s, (size_t)(end - s));

	return n > 0 && score_parse(s, n, milli_out) == 0 ? s + n : NULL;
}

/* " True ; 15.2 / 5.0" */
static int parse_spam(const char *s, size_t len, struct spamd_reply *r)
{
	const char *end = s + len, *at = skip(s, end, ' '), *word = at;

	while (at < end && *at != ' ' && *at != ';')
		at++;
	const size_t n = (size_t)(at - word);
	r->is_spam = str_ieq_n(word, n, "True") || str_ieq_n(word, n, "Yes");
	if (!r->is_spam && !str_ieq_n(word, n, "False") && !str_ieq_n(word, n, "No"))
		return -1;
	at = skip(at, end, ' ');
	if (at == end || *at != ';')
		return -1;
	at = number(skip(at + 1, end, ' '), end, &r->score_milli);
	if (at == NULL)
		return -1;
	at = skip(at, end, ' ');
	if (at == end || *at != '/')
		return -1;
	at = number(skip(at + 1, end, ' '), end, &r->threshold_milli);
	return at != NULL && skip(at, end, ' ') == end ? 0 : -1;
}

/* " 217": at most nine digits. */
static int parse_length(const char *s, size_t len, size_t *out)
{
	const char *end = s + len, *at = skip(s, end, ' ');
	size_t v = 0;

	if (at == end || end - at > 9)
		return -1;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return -1;
		v = v * 10 + (size_t)(*at - '0');
	}
	*out = v;
	return 0;
}

struct head {
	bool has_spam, has_length, is_whole;
	size_t length, end;           /* of the body; where it begins */
};

/* The lines behind the first. 0, or -1 broken. */
static int parse_head(const char *p, size_t n, struct head *h, struct spamd_reply *r)
{
	const char *s;
	size_t len;

	while (next_line(p, n, &h->end, &s, &len)) {
		if (h->end > SPAMD_HEAD_MAX)
			break;
		if (len == 0) {
			h->is_whole = true;
			return 0;
		}
		if (str_istarts(s, len, "Spam:")) {
			if (h->has_spam || parse_spam(s + 5, len - 5, r) < 0)
				return broken(r, "a line Spam: that is none");
			h->has_spam = true;
		} else if (str_istarts(s, len, "Content-length:")) {
			if (h->has_length || parse_length(s + 15, len - 15, &h->length) < 0)
				return broken(r, "a Content-length that is none");
			h->has_length = true;
		}
	}
	return n > SPAMD_HEAD_MAX ? broken(r, "an answer that is too long") : 0;
}

int spamd_reply_parse(const char *p, size_t n, bool is_end, struct spamd_reply *r)
{
	struct head h = { .end = 0 };
	const char *s, *text;
	size_t len;

	memset(r, 0, sizeof *r);
	if (!next_line(p, n, &h.end, &s, &len) || h.end > SPAMD_HEAD_MAX) {
		if (n > SPAMD_HEAD_MAX)
			return broken(r, "an answer that is too long");
		return is_end ? broken(r, "an answer without an end") : 0;
	}
	if (parse_status(s, len, &text, r) < 0 || parse_head(p, n, &h, r) < 0)
		return -1;
	if (h.is_whole && !h.has_spam)
		return broken(r, "an answer without a verdict");
	if (!h.is_whole || (h.has_length && n - h.end < h.length))
		return is_end ? broken(r, "an answer without an end") : 0;
	r->body = p + h.end;
	r->body_len = h.length;
	return 1;
}

int spamd_reply_pong(const char *p, size_t n, bool is_end, struct spamd_reply *r)
{
	const char *s, *text;
	size_t at = 0, len;

	memset(r, 0, sizeof *r);
	if (!next_line(p, n, &at, &s, &len)) {
		if (n > SPAMD_HEAD_MAX)
			return broken(r, "an answer that is too long");
		return is_end ? broken(r, "an answer without an end") : 0;
	}
	if (parse_status(s, len, &text, r) < 0)
		return -1;
	return str_istarts(text, (size_t)(s + len - text), "PONG") ? 1 :
		broken(r, "not an answer to PING");
}
