/* smtp_send.h - a client's dialogue that hands one message to a server. Pure.
 *
 * It is given the server's replies, one at a time, and says what to send next.
 * All recipients or none: one that is refused ends it before DATA, so that it
 * can be tried again without anybody getting it twice. The message is
 * delivered only if the server said 2xx to the end of its data.
 * Source: RFC 5321, 1870 (SIZE), 6152 (8BITMIME), 3030 (CHUNKING, BINARYMIME),
 * 6531 (SMTPUTF8). */
#ifndef ESETS_SMTP_SEND_H
#define ESETS_SMTP_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has to be known of the content before it is sent. */
struct smtp_send_look {
	bool has_8bit;
	bool has_bare;         /* a CR or LF alone: not for DATA */
	bool ends_in_cr;       /* so far */
};
/* The next octets, any split; look_end behind the last. */
void smtp_send_look_push(struct smtp_send_look *l, const void *p, size_t n);
void smtp_send_look_end(struct smtp_send_look *l);

struct smtp_send_job {     /* borrowed until the end */
	const char *helo;
	const char *sender;                /* without <> */
	const char *const *rcpts;
	unsigned nrcpts;
	uint64_t size;
	bool has_8bit, has_bare;
};

/* Can it stand between angle brackets? Without control characters, and what
 * would end it early only in quotes. Addresses come from files that are not
 * trusted. */
bool smtp_send_is_address(const char *address);

enum smtp_send_step {
	SMTP_SEND_LINE,        /* send line */
	SMTP_SEND_BODY,        /* send the content, stuffed, and the end of data */
	SMTP_SEND_CHUNK,       /* send line, and behind it the content as it is */
	SMTP_SEND_OVER,        /* close */
};

#define SMTP_SEND_LINE_MAX 2048
#define SMTP_SEND_WHY_MAX 400

struct smtp_send {
	const struct smtp_send_job *job;
	unsigned char state;
	bool is_8bitmime, is_chunking, is_binarymime, is_smtputf8, is_size;
	unsigned rcpt;         /* the next */
	bool is_delivered;
	char line[SMTP_SEND_LINE_MAX];   /* with CR LF */
	char why[SMTP_SEND_WHY_MAX];     /* why it is not delivered; not cleaned */
};

/* Ready for the banner. 0; -1 with why: this cannot be sent to anybody. */
int smtp_send_init(struct smtp_send *s, const struct smtp_send_job *job);
/* A whole reply: its code and all its lines. */
enum smtp_send_step smtp_send_reply(struct smtp_send *s, int code, const char *raw, size_t len);
/* The same where not all had been sent that the last step wanted: it is the end, and
 * nothing is delivered by it. A refusal is told in the server's words. */
void smtp_send_early(struct smtp_send *s, int code, const char *raw, size_t len);
/* The connection has ended, or time is over, with this text. */
void smtp_send_lost(struct smtp_send *s, const char *text);

#endif
