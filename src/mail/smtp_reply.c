/* smtp_reply.c - replies read line by line, see smtp_reply.h. */
#include "smtp_reply.h"

#include <stdbool.h>
#include <string.h>

#include "str.h"

void smtp_reply_init(struct smtp_reply *r)
{
	*r = (struct smtp_reply){ .raw = BUF_INIT(SMTP_REPLY_MAX) };
}

void smtp_reply_fini(struct smtp_reply *r)
{
	buf_fini(&r->raw);
}

void smtp_reply_reset(struct smtp_reply *r)
{
	r->code = 0;
	buf_fini(&r->raw);
}

static int code_of(const struct smtp_text *t)
{
	const char *p = t->p;

	if (t->len < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '9' ||
	    p[2] < '0' || p[2] > '9')
		return -1;
	if (t->len > 3 && p[3] != ' ' && p[3] != '-')
		return -1;
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

int smtp_reply_push(struct smtp_reply *r, const void *in, size_t len, size_t *used_out,
	const char **why_out)
{
	const char *p = in;
	struct smtp_text t;
	size_t used;

	*used_out = 0;
	for (;;) {
		int got = smtp_line_next(&r->line, p, len, SMTP_REPLY_LINE_MAX, &t, &used);
		*used_out += used;
		p += used;
		len -= used;
		if (got == 0 && !r->line.skipping)
			return 0;
		if (got == 0 || t.is_too_long) {
			*why_out = "reply line is too long";
			return -1;
		}
		int code = code_of(&t);
		if (code < 0 || (r->code != 0 && code != r->code)) {
			*why_out = code < 0 ? "no SMTP reply" : "reply code changes within a reply";
			return -1;
		}
		r->code = code;
		if (buf_append(&r->raw, t.p, t.len) < 0 || buf_append(&r->raw, "\r\n", 2) < 0) {
			*why_out = "reply is too large";
			return -1;
		}
		if (t.len == 3 || t.p[3] == ' ')
			return 1;
	}
}

/* --- the server's name for a message ------------------------------------------ */

static bool is_id_char(char c)
{
	return c > ' ' && c < 0x7f && strchr("\"\\,;<>()[]", c) == NULL;
}

static const char *word_end(const char *p)
{
	while (is_id_char(*p))
		p++;
	return p;
}

/* Where the text has mark, behind it; "" where it has not. At the beginning of
 * a word only: "valid=" is no "id=". */
static const char *behind(const char *text, const char *mark)
{
	for (const char *p = text; *p != '\0'; p++) {
		if ((p == text || !is_id_char(p[-1])) && str_istarts(p, strlen(p), mark))
			return p + strlen(mark);
	}
	return "";
}

/* The word that the text begins with behind code and enhanced code. */
static const char *first_word(const char *text)
{
	const char *p = text;

	for (unsigned i = 0; i < 2; i++) {
		size_t n = strspn(p, "0123456789.");
		if (n > 0 && p[n] == ' ')
			p += n + 1;
	}
	return p;
}

const char *smtp_reply_queue_id(const char *text, char *out, size_t size)
{
	static const char *const marks[] = { "queued as ", "id=", "InternalId=", "qp " };
	const char *p = "";

	for (size_t i = 0; i < sizeof marks / sizeof marks[0] && word_end(p) == p; i++)
		p = behind(text, marks[i]);
	if (word_end(p) == p) {
		/* "250 2.0.0 4XyZ12 Message accepted for delivery" */
		p = first_word(text);
		if (*word_end(p) != ' ' ||
		    !str_istarts(word_end(p) + 1, strlen(word_end(p) + 1), "Message accepted"))
			p = "";
	}
	const char *end = word_end(p);
	while (end > p && end[-1] == '.')
		end--;
	/* Half an id is another one. */
	if ((size_t)(end - p) >= size)
		end = p;
	str_copy_n(out, size, p, (size_t)(end - p));
	return out;
}
