/* smtp_reply.h - replies of the server, read line by line. Pure.
 *
 * A reply is kept as it came, octet for octet, until its last line is there;
 * only then does the session decide whether the client may see it. Lenient
 * about LF alone and missing text, strict about the code: three digits, the
 * same on every line. Source: RFC 5321 4.2. */
#ifndef ESETS_SMTP_REPLY_H
#define ESETS_SMTP_REPLY_H

#include <stddef.h>

#include "buf.h"
#include "smtp_line.h"

#define SMTP_REPLY_LINE_MAX 65536u     /* octets of one line with CR LF */
#define SMTP_REPLY_MAX ((size_t)8 << 20)     /* octets of a whole reply */

struct smtp_reply {
	struct smtp_line line;
	int code;          /* 200..599, 0 before the first line */
	struct buf raw;    /* all lines with CR LF */
};

void smtp_reply_init(struct smtp_reply *r);
void smtp_reply_fini(struct smtp_reply *r);
/* Forgets the reply, ready for the next. */
void smtp_reply_reset(struct smtp_reply *r);
/* Takes the next line(s) from in, which must be all that was not taken yet.
 * 1 a reply is complete in r (*used_out octets taken), 0 more needed (drop
 * *used_out), -1 no SMTP reply or too large, *why_out says what. */
int smtp_reply_push(struct smtp_reply *r, const void *in, size_t len, size_t *used_out,
	const char **why_out);

/* The name that the server has given the message, out of the text of its reply
 * to the end of data: what follows "queued as", "id=" and the like, as Postfix,
 * Exim, Sendmail, OpenSMTPD, Exchange and qmail write it. Graphic ASCII without
 * quotes and backslashes, "" where there is none; returns out. */
const char *smtp_reply_queue_id(const char *text, char *out, size_t size);

#endif
