/* release_msg.c - see release_msg.h. Neither end trusts the other: what is not
 * understood is an error, and a message whose fate is not told was not released. */
#include "release_msg.h"

#include <stdlib.h>
#include <string.h>

#include "kv.h"
#include "str.h"

#define HEAD_ASK "esets-release/1 ask\n"
#define HEAD_ANSWER "esets-release/1 answer\n"

static const char *const results[] = { "kept", "released", NULL };

/* Takes a pair, its value decoded. 1 it is one of ours, 0 it is not known, -1 its
 * value is out of range. bit: which one, to see it twice. */
typedef int (*pair_fn)(void *to, const char *key, const char *value, unsigned *bit_out);

static int take_pairs(char *p, char *end, pair_fn take, void *to, unsigned *seen,
	const char **why)
{
	char *key, *value;
	int rc;

	while ((rc = kv_next(&p, end, &key, &value, why)) == 1) {
		unsigned bit = 0;
		*why = "a value is not encoded right";
		if (kv_decode(value) < 0)
			return -1;
		*why = "a value is out of range";
		const int got = take(to, key, value, &bit);
		if (got < 0)
			return -1;
		*why = "a key is repeated";
		if (got > 0 && (*seen & bit) != 0)
			return -1;
		*seen |= bit;
	}
	return rc;
}

/* needs: the keys that must be there. */
static int parse(const void *p, size_t n, const char *head, pair_fn take, void *to, unsigned needs,
	const char **why)
{
	unsigned seen = 0;

	*why = "the packet is too long";
	if (n > RELEASE_MSG_MAX)
		return -1;
	char *text = kv_copy(p, n, why);
	if (text == NULL)
		return -1;
	char *pairs = kv_after_head(text, n, head, why);
	int rc = pairs != NULL ? take_pairs(pairs, text + n, take, to, &seen, why) : -1;
	free(text);
	if (rc == 0 && (seen & needs) != needs) {
		*why = "a key is missing";
		rc = -1;
	}
	return rc;
}

/* --- request ------------------------------------------------------------- */

enum { ASK_ID = 1, ASK_RELEASED = 2, ASK_BY = 4 };

int release_ask_format(const struct release_ask *a, struct buf *out)
{
	if (buf_append_str(out, HEAD_ASK) < 0 || kv_put_text(out, "id", a->id) < 0 ||
	    kv_put_number(out, "released", a->released_s) < 0 ||
	    kv_put_text(out, "by", a->by) < 0)
		return -1;
	return buf_append_str(out, "\n");
}

static int take_ask(void *to, const char *key, const char *value, unsigned *bit)
{
	struct release_ask *a = to;

	if (strcmp(key, "id") == 0) {
		*bit = ASK_ID;
		return quar_id_is_valid(value) && str_copy(a->id, sizeof a->id, value) ? 1 : -1;
	}
	if (strcmp(key, "released") == 0) {
		*bit = ASK_RELEASED;
		return str_parse_u64(value, &a->released_s) == 0 ? 1 : -1;
	}
	if (strcmp(key, "by") != 0)
		return 0;
	*bit = ASK_BY;
	str_clean(a->by, sizeof a->by, value, strlen(value));
	return 1;
}

int release_ask_parse(const void *p, size_t n, struct release_ask *out, const char **why_out)
{
	*out = (struct release_ask){ .id = "" };
	return parse(p, n, HEAD_ASK, take_ask, out, ASK_ID | ASK_RELEASED, why_out);
}

/* --- answer -------------------------------------------------------------- */

enum { ANSWER_RESULT = 1, ANSWER_TEXT = 2 };

int release_answer_format(const struct release_answer *a, struct buf *out)
{
	if (buf_append_str(out, HEAD_ANSWER) < 0 ||
	    kv_put_text(out, "result", results[a->is_released]) < 0 ||
	    kv_put_text(out, "text", a->text) < 0)
		return -1;
	return buf_append_str(out, "\n");
}

static int take_answer(void *to, const char *key, const char *value, unsigned *bit)
{
	struct release_answer *a = to;

	if (strcmp(key, "result") == 0) {
		const int i = kv_index(results, value);
		*bit = ANSWER_RESULT;
		a->is_released = i == 1;
		return i >= 0 ? 1 : -1;
	}
	if (strcmp(key, "text") != 0)
		return 0;
	*bit = ANSWER_TEXT;
	str_clean(a->text, sizeof a->text, value, strlen(value));
	return 1;
}

int release_answer_parse(const void *p, size_t n, struct release_answer *out, const char **why_out)
{
	*out = (struct release_answer){ .text = "" };
	int rc = parse(p, n, HEAD_ANSWER, take_answer, out, ANSWER_RESULT, why_out);
	if (rc < 0)
		out->is_released = false;
	return rc;
}
