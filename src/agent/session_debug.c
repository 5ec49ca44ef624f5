/* session_debug.c - the dialogue of clients in debug_clients, line by line.
 *
 * What a client may have said in confidence is never logged: answers of AUTH,
 * what stands behind AUTH or XCLIENT, and anything that is no command we know,
 * since a client that is out of step sends its password as one, or a message,
 * whose lines may begin with a verb, too. Of the replies to these only the codes
 * are, for servers like to repeat what they do not understand. Nor are bodies:
 * they do not come here. */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_int.h"
#include "str.h"

#define SHOWN_MAX 600      /* octets of a line */

static const char *const ways[] = {
	[SESSION_FROM_CLIENT] = "client", [SESSION_TO_CLIENT] = "to client",
	[SESSION_FROM_SERVER] = "server", [SESSION_TO_SERVER] = "to server",
};

/* Lines in one, for a client that has ends of lines of its own? */
static bool has_controls(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)p[i] < 0x20 && p[i] != '\t')
			return true;
	}
	return false;
}

/* Does nothing stand behind the verb but what belongs there, and is no secret? */
static bool is_plain(const struct smtp_cmd *c)
{
	switch ((int)c->verb) {
	case SMTP_VERB_EHLO: case SMTP_VERB_HELO: case SMTP_VERB_XFORWARD: case SMTP_VERB_BDAT:
	case SMTP_VERB_VRFY: case SMTP_VERB_EXPN: case SMTP_VERB_ETRN:
		return true;
	case SMTP_VERB_MAIL:
		return str_istarts(c->arg, c->arg_len, "FROM:");
	case SMTP_VERB_RCPT:
		return str_istarts(c->arg, c->arg_len, "TO:");
	case SMTP_VERB_AUTH: case SMTP_VERB_XCLIENT:
		return false;
	default:
		return c->arg_len == 0 && c->kind != SMTP_CMD_REFUSE;
	}
}

/* How a command is shown; true: not as it is. */
static bool show_command(const char *way, const char *p, size_t n)
{
	char text[SHOWN_MAX];
	struct smtp_cmd c;

	if (has_controls(p, n) || !smtp_cmd_parse(p, n, &c) || c.verb >= SMTP_VERB_UNKNOWN) {
		log_info("dialogue %s: (%zu octets, no command that is known)", way, n);
		return true;
	}
	if (!is_plain(&c)) {
		log_info("dialogue %s: %s (%zu octets left out)", way, smtp_verb_name(c.verb), c.arg_len);
		return true;
	}
	log_info("dialogue %s: \"%s\"", way, str_clean(text, sizeof text, c.line, c.line_len));
	return false;
}

static void show_reply(const struct session *s, const char *way, const char *p, size_t n)
{
	char text[SHOWN_MAX];

	if (s->in_confidence && n > 4)
		n = 4;
	log_info("dialogue %s: \"%s\"", way, str_clean(text, sizeof text, p, n));
}

static void show(struct session *s, enum session_way way, const char *p, size_t n)
{
	bool in_confidence = true;

	if (n > 0 && p[n - 1] == '\r')
		n--;
	if (n == 0)
		return; /* the end of a line that came before */
	if (way == SESSION_TO_CLIENT || way == SESSION_FROM_SERVER) {
		show_reply(s, ways[way], p, n);
		return;
	}
	if (s->state == ST_AUTH)
		log_info("dialogue %s: (answer of AUTH, %zu octets)", ways[way], n);
	else if (n == 1 && *p == '.')
		log_info("dialogue %s: \".\", the end of the message", ways[way]);
	else
		in_confidence = show_command(ways[way], p, n);
	/* Until all that was said before is answered. */
	if (way == SESSION_FROM_CLIENT)
		s->in_confidence = in_confidence || (s->in_confidence && session_is_owed(s));
}

void session_debug_lines(struct session *s, enum session_way way, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		const size_t len = end != NULL ? (size_t)(end - p) : n;
		show(s, way, p, len);
		p += len + (end != NULL);
		n -= len + (end != NULL);
	}
}
