/* fuzz_mime.c - whatever a message looks like: every range the walker reports
 * lies in it, parts are inside their multipart, budgets hold, the work stays
 * within its bound (libFuzzer's timeout shows it), and what a plain reader
 * would see as a part is reported. Input: an octet for the budgets, then the
 * message. */
#include "fuzz.h"
#include "mime.h"

#define DEPTH_MAX 8

struct seen {
	const char *msg;
	size_t len;
	unsigned n, n_bare, stop_at;
	struct mime_budget budget;
	const char *outer[DEPTH_MAX + 2];      /* the last part of each depth */
	const char *outer_end[DEPTH_MAX + 2];
};

static void check_text(const char *s, size_t size)
{
	must(memchr(s, '\0', size) != NULL);
}

static bool on_part(void *arg, const struct mime_part *p)
{
	struct seen *s = arg;
	const char *end = p->body + p->body_len;

	s->n_bare += p->is_bare;
	must(++s->n == p->number && s->n - s->n_bare <= s->budget.max_parts);
	must(p->depth <= s->budget.max_depth + 1);
	must(p->hdr >= s->msg && p->body == p->hdr + p->hdr_len && end <= s->msg + s->len);
	if (p->depth > 1 || (p->depth == 1 && !p->is_guess)) /* that may be in the header */
		must(p->hdr >= s->outer[p->depth - 1] && end <= s->outer_end[p->depth - 1]);
	if (p->depth > 0 || s->n == 1) { /* the message's first reading is the widest */
		s->outer[p->depth] = p->body;
		s->outer_end[p->depth] = end;
	}
	check_text(p->type, sizeof p->type);
	check_text(p->filename, sizeof p->filename);
	must(p->type[0] != '\0' && p->n_other_names < MIME_NAMES_MAX);
	for (unsigned i = 0; i < p->n_other_names; i++) {
		check_text(p->other_names[i], sizeof p->other_names[i]);
		must(p->other_names[i][0] != '\0');
	}
	must((unsigned)p->encoding <= DECODE_YENC);
	must(!(p->is_multipart && p->is_message));
	must(!p->is_filler || (p->hdr_len == 0 && p->encoding == DECODE_IDENTITY));
	return s->n != s->stop_at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct seen s = { .msg = (const char *)data + 1, .len = size - 1,
		.budget = { .max_depth = data[0] % (DEPTH_MAX + 1), .max_parts = 1 + data[0] * 4u,
			.max_headers = 1 + data[0] / 4u } };
	enum mime_result r = mime_walk(s.msg, s.len, &s.budget, on_part, &s);
	unsigned n = s.n;

	must(r == MIME_DONE || r == MIME_OVER_BUDGET);
	must(n > 0 || s.len == 0);
	if (n > 0) {
		s.n = s.n_bare = 0;
		s.stop_at = 1 + n / 2;
		must(mime_walk(s.msg, s.len, &s.budget, on_part, &s) == MIME_STOPPED);
		must(s.n == s.stop_at);
	}
	return 0;
}
