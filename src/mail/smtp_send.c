/* smtp_send.c - a client's dialogue that hands one message to a server, see
 * smtp_send.h. */
#include "smtp_send.h"

#include <stdio.h>
#include <string.h>

#include "smtp_ehlo.h"
#include "str.h"

#define ADDRESS_MAX 1000u

enum state { S_BANNER, S_EHLO, S_HELO, S_MAIL, S_RCPT, S_DATA, S_END, S_QUIT, S_OVER };

/* --- content and addresses ----------------------------------------------------- */

void smtp_send_look_push(struct smtp_send_look *l, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		bool is_lf = p[i] == '\n';
		l->has_8bit |= p[i] >= 0x80;
		l->has_bare |= is_lf != l->ends_in_cr;
		l->ends_in_cr = p[i] == '\r';
	}
}

void smtp_send_look_end(struct smtp_send_look *l)
{
	l->has_bare |= l->ends_in_cr;
}

static bool is_8bit(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s >= 0x80)
			return true;
	}
	return false;
}

bool smtp_send_is_address(const char *address)
{
	bool in_quotes = false;
	size_t n = 0;

	for (const char *p = address; *p != '\0'; p++, n++) {
		unsigned char c = (unsigned char)*p;
		if (c < 0x20 || c == 0x7f || n >= ADDRESS_MAX)
			return false;
		if (in_quotes && c == '\\' && p[1] != '\0' && (unsigned char)p[1] >= 0x20) {
			p++;
			continue;
		}
		if (c == '"')
			in_quotes = !in_quotes;
		else if (!in_quotes && strchr(" <>", c) != NULL)
			return false;
	}
	return !in_quotes;
}

/* --- steps ------------------------------------------------------------------------ */

static enum smtp_send_step say(struct smtp_send *s, enum state next, const char *text)
{
	s->state = (unsigned char)next;
	if (text != s->line)
		snprintf(s->line, sizeof s->line, "%s\r\n", text);
	return SMTP_SEND_LINE;
}

/* "what: the first line of the reply" */
static void note_reply(struct smtp_send *s, const char *what, const char *raw, size_t len)
{
	const char *end = memchr(raw, '\n', len);
	int n = (int)(end != NULL ? end - raw : (ptrdiff_t)len);

	while (n > 0 && (raw[n - 1] == '\r' || raw[n - 1] == '\n'))
		n--;
	snprintf(s->why, sizeof s->why, "%s: %.*s", what, n < 200 ? n : 200, raw);
}

static enum smtp_send_step fail(struct smtp_send *s, int code, const char *what, const char *raw,
	size_t len)
{
	note_reply(s, what, raw, len);
	/* 421: it closes by itself. */
	if (code == 421) {
		s->state = S_OVER;
		return SMTP_SEND_OVER;
	}
	return say(s, S_QUIT, "QUIT");
}

static enum smtp_send_step give_up(struct smtp_send *s, const char *why)
{
	str_copy(s->why, sizeof s->why, why);
	return say(s, S_QUIT, "QUIT");
}

static bool needs_utf8(const struct smtp_send_job *job)
{
	bool needs = is_8bit(job->sender);

	for (unsigned i = 0; i < job->nrcpts; i++)
		needs |= is_8bit(job->rcpts[i]);
	return needs;
}

static enum smtp_send_step mail(struct smtp_send *s)
{
	const struct smtp_send_job *j = s->job;
	bool by_bdat = j->has_bare, is_utf8 = needs_utf8(j);
	char size[32] = "";

	if (by_bdat && (!s->is_chunking || !s->is_binarymime))
		return give_up(s, "it holds bare CR or LF, and the server has no BINARYMIME");
	if (is_utf8 && !s->is_smtputf8)
		return give_up(s, "an address is not ASCII, and the server has no SMTPUTF8");
	if (s->is_size)
		snprintf(size, sizeof size, " SIZE=%llu", (unsigned long long)j->size);
	snprintf(s->line, sizeof s->line, "MAIL FROM:<%s>%s%s%s\r\n", j->sender, size,
		by_bdat ? " BODY=BINARYMIME" : j->has_8bit && s->is_8bitmime ? " BODY=8BITMIME" : "",
		is_utf8 ? " SMTPUTF8" : "");
	return say(s, S_MAIL, s->line);
}

static enum smtp_send_step rcpt(struct smtp_send *s)
{
	snprintf(s->line, sizeof s->line, "RCPT TO:<%s>\r\n", s->job->rcpts[s->rcpt++]);
	return say(s, S_RCPT, s->line);
}

static enum smtp_send_step data(struct smtp_send *s)
{
	if (!s->job->has_bare)
		return say(s, S_DATA, "DATA");
	s->state = S_END;
	snprintf(s->line, sizeof s->line, "BDAT %llu LAST\r\n", (unsigned long long)s->job->size);
	return SMTP_SEND_CHUNK;
}

static void read_ehlo(struct smtp_send *s, const char *raw, size_t len)
{
	struct smtp_ehlo_info info;
	const char *arg;
	size_t n;

	smtp_ehlo_read(raw, len, &info);
	s->is_chunking = info.chunking;
	s->is_binarymime = info.binarymime;
	s->is_smtputf8 = info.smtputf8;
	s->is_size = info.size;
	s->is_8bitmime = smtp_ehlo_find(raw, len, "8BITMIME", &arg, &n);
}

static enum smtp_send_step greet(struct smtp_send *s, enum state next, const char *verb)
{
	snprintf(s->line, sizeof s->line, "%s %s\r\n", verb, s->job->helo);
	return say(s, next, s->line);
}

static enum smtp_send_step on_ok(struct smtp_send *s, const char *raw, size_t len)
{
	switch ((enum state)s->state) {
	case S_BANNER:
		return greet(s, S_EHLO, "EHLO");
	case S_EHLO:
		read_ehlo(s, raw, len);
		return mail(s);
	case S_HELO:
		return mail(s);
	case S_MAIL:
		return rcpt(s);
	case S_RCPT:
		return s->rcpt < s->job->nrcpts ? rcpt(s) : data(s);
	case S_END:
		s->is_delivered = true;
		return say(s, S_QUIT, "QUIT");
	case S_DATA: case S_QUIT: case S_OVER:
		break;
	}
	s->state = S_OVER;
	return SMTP_SEND_OVER;
}

static const char *step_text(const struct smtp_send *s, char *out, size_t size)
{
	static const char *const texts[] = { [S_BANNER] = "banner", [S_EHLO] = "EHLO",
		[S_HELO] = "HELO", [S_MAIL] = "sender", [S_DATA] = "DATA", [S_END] = "message",
		[S_QUIT] = "QUIT", [S_OVER] = "end" };

	if (s->state != S_RCPT)
		return texts[s->state];
	snprintf(out, size, "recipient %.100s", s->job->rcpts[s->rcpt - 1]);
	return out;
}

int smtp_send_init(struct smtp_send *s, const struct smtp_send_job *job)
{
	*s = (struct smtp_send){ .job = job, .state = S_BANNER };
	if (job->nrcpts == 0)
		str_copy(s->why, sizeof s->why, "no recipient");
	else if (!smtp_send_is_address(job->sender))
		str_copy(s->why, sizeof s->why, "the sender is no address");
	for (unsigned i = 0; i < job->nrcpts && s->why[0] == '\0'; i++) {
		if (job->rcpts[i][0] == '\0' || !smtp_send_is_address(job->rcpts[i]))
			str_copy(s->why, sizeof s->why, "a recipient is no address");
	}
	return s->why[0] == '\0' ? 0 : -1;
}

enum smtp_send_step smtp_send_reply(struct smtp_send *s, int code, const char *raw, size_t len)
{
	char text[160];
	int kind = code / 100;

	if (s->state >= S_QUIT) {
		s->state = S_OVER;
		return SMTP_SEND_OVER;
	}
	if (s->state == S_DATA && code == 354) {
		s->state = S_END;
		return SMTP_SEND_BODY;
	}
	if (s->state == S_EHLO && kind == 5)
		return greet(s, S_HELO, "HELO");
	if (kind == 2 && s->state != S_DATA)
		return on_ok(s, raw, len);
	return fail(s, code, step_text(s, text, sizeof text), raw, len);
}

void smtp_send_early(struct smtp_send *s, int code, const char *raw, size_t len)
{
	char step[160], what[220];
	const bool is_refusal = code / 100 == 4 || code / 100 == 5;

	if (s->state < S_QUIT) {
		snprintf(what, sizeof what, "%s%s", step_text(s, step, sizeof step),
			is_refusal ? "" : ": the server speaks before it is asked");
		note_reply(s, what, raw, len);
	}
	s->state = S_OVER;
}

void smtp_send_lost(struct smtp_send *s, const char *text)
{
	char step[160];

	if (s->state < S_QUIT)
		snprintf(s->why, sizeof s->why, "%s: %s%s", step_text(s, step, sizeof step), text,
			s->state == S_END ? "; it may have been delivered all the same" : "");
	s->state = S_OVER;
}
