/* rspamd_reply.c - JSON from rspamd, see rspamd_reply.h.
 *
 * A reader that keeps four members and nothing else. It goes down as many
 * levels as RSPAMD_DEPTH_MAX allows and looks at each octet once. */
#include "rspamd_reply.h"

#include <stdint.h>
#include <string.h>

#include "score.h"
#include "str.h"

struct json {
	const char *p, *end;
	unsigned depth;
};

static void blanks(struct json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
		j->p++;
}

/* The octet is the next; it is taken. */
static bool take(struct json *j, char c)
{
	blanks(j);
	if (j->p == j->end || *j->p != c)
		return false;
	j->p++;
	return true;
}

/* --- strings ---------------------------------------------------------------- */

/* What \X stands for; text that is not ASCII is never compared: "?". -1. */
static int read_escape(struct json *j)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint8_t u[2];

	if (j->p == j->end)
		return -1;
	char c = *j->p++;
	if (c == 'u') {
		if (j->end - j->p < 4 || str_unhex(u, 2, j->p) < 0)
			return -1;
		j->p += 4;
		return u[0] == 0 && u[1] >= 0x20 && u[1] < 0x7f ? u[1] : '?';
	}
	const char *at = c != '\0' ? strchr(from, c) : NULL;
	return at != NULL ? to[at - from] : -1;
}

/* A string, cut to what fits. 0, -1. */
static int read_string(struct json *j, char *out, size_t size)
{
	size_t n = 0;

	if (!take(j, '"'))
		return -1;
	while (j->p < j->end && *j->p != '"') {
		int c = (unsigned char)*j->p++;
		if (c < 0x20)
			return -1;
		if (c == '\\')
			c = read_escape(j);
		if (c < 0)
			return -1;
		if (n + 1 < size)
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return take(j, '"') ? 0 : -1;
}

/* --- values ------------------------------------------------------------------ */

static int skip_value(struct json *j);

static int skip_word(struct json *j, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
		return -1;
	j->p += n;
	return 0;
}

static int skip_members(struct json *j, char close, bool has_names)
{
	char unused[2];

	if (take(j, close))
		return 0;
	do {
		if (has_names && (read_string(j, unused, sizeof unused) < 0 || !take(j, ':')))
			return -1;
		if (skip_value(j) < 0)
			return -1;
	} while (take(j, ','));
	return take(j, close) ? 0 : -1;
}

static int skip_nested(struct json *j)
{
	bool is_object = *j->p == '{';

	if (j->depth == RSPAMD_DEPTH_MAX)
		return -1;
	j->depth++;
	j->p++;
	int rc = skip_members(j, is_object ? '}' : ']', is_object);
	j->depth--;
	return rc;
}

static int skip_value(struct json *j)
{
	char unused[2];

	blanks(j);
	if (j->p == j->end)
		return -1;
	switch (*j->p) {
	case '{':
	case '[': return skip_nested(j);
	case '"': return read_string(j, unused, sizeof unused);
	case 't': return skip_word(j, "true");
	case 'f': return skip_word(j, "false");
	case 'n': return skip_word(j, "null");
	default: break;
	}
	size_t n = score_number_len(j->p, (size_t)(j->end - j->p));
	j->p += n;
	return n > 0 ? 0 : -1;
}

static int read_number(struct json *j, int *milli_out)
{
	blanks(j);
	size_t n = score_number_len(j->p, (size_t)(j->end - j->p));
	if (score_parse(j->p, n, milli_out) < 0)
		return -1;
	j->p += n;
	return 0;
}

/* --- the object ---------------------------------------------------------------- */

/* A member that is to be kept may not come twice: which one would count? */
static int read_once(bool *has)
{
	if (*has)
		return -1;
	*has = true;
	return 0;
}

static int read_member(struct json *j, struct rspamd_reply *r)
{
	char name[RSPAMD_WORD_MAX];

	if (read_string(j, name, sizeof name) < 0 || !take(j, ':'))
		return -1;
	if (strcmp(name, "action") == 0)
		return read_once(&r->has_action) < 0 ? -1 :
			read_string(j, r->action, sizeof r->action);
	if (strcmp(name, "error") == 0)
		return r->error[0] != '\0' ? -1 : read_string(j, r->error, sizeof r->error);
	if (strcmp(name, "score") == 0)
		return read_once(&r->has_score) < 0 ? -1 : read_number(j, &r->score_milli);
	if (strcmp(name, "required_score") == 0)
		return read_once(&r->has_required) < 0 ? -1 : read_number(j, &r->required_milli);
	return skip_value(j);
}

static int read_object(struct json *j, struct rspamd_reply *r)
{
	if (!take(j, '{'))
		return -1;
	if (!take(j, '}')) {
		do {
			if (read_member(j, r) < 0)
				return -1;
		} while (take(j, ','));
		if (!take(j, '}'))
			return -1;
	}
	blanks(j);
	return j->p == j->end ? 0 : -1;
}

int rspamd_reply_parse(const char *p, size_t n, struct rspamd_reply *r, const char **why_out)
{
	struct json j = { .p = p, .end = p + n, .depth = 1 };

	memset(r, 0, sizeof *r);
	*why_out = "not the JSON of an answer";
	if (n == 0 || read_object(&j, r) < 0)
		return -1;
	*why_out = "an answer without action or score";
	return r->has_action && r->has_score ? 0 : -1;
}

enum rspamd_means rspamd_reply_means(const struct rspamd_reply *r)
{
	static const struct { const char *action; enum rspamd_means means; } rows[] = {
		{ "no action", RSPAMD_HAM },
		{ "greylist", RSPAMD_HAM },
		{ "add header", RSPAMD_SPAM },
		{ "rewrite subject", RSPAMD_SPAM },
		{ "quarantine", RSPAMD_SPAM },
		{ "discard", RSPAMD_SPAM },
		{ "reject", RSPAMD_SPAM },
		{ "soft reject", RSPAMD_LATER },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].action, r->action) == 0)
			return rows[i].means;
	}
	return RSPAMD_UNKNOWN;
}
