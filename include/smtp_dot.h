/* smtp_dot.h - the DATA body: end of data and dot-stuffing, both ways. Pure.
 *
 * In: end of data is CR LF . CR LF and nothing else, found on the raw stream
 * together with the stuffed dots; then, unless newlines are kept, each bare
 * LF and each bare CR becomes CR LF (invariant I4). So what comes out holds
 * only canonical line ends, and what is sent on after stuffing shows one
 * message to every server, however lax.
 * Out: a dot at the start of a line (after CR LF, and at the very start) is
 * doubled. Source: RFC 5321 2.3.8, 4.1.1.4, 4.5.2. */
#ifndef ESETS_SMTP_DOT_H
#define ESETS_SMTP_DOT_H

#include <stdbool.h>
#include <stddef.h>

/* Takes n octets of the decoded body. 0, -1: it could not (the decoder goes
 * on to the end of data all the same, without calling it again). */
typedef int (*smtp_dot_sink_fn)(void *arg, const void *p, size_t n);

struct smtp_dot {
	unsigned char state;
	bool keep_newlines;    /* bare_newline = pass */
	bool no_dots;          /* BDAT: no end of data, no stuffing in the stream */
	bool has_bare;         /* a bare CR or LF was seen */
	bool has_dot_lines;    /* a line of the output starts with a dot */
	bool sink_failed;
	bool is_bol;           /* output stands at the beginning of a line */
};

void smtp_dot_init(struct smtp_dot *d, bool keep_newlines);
/* For the chunks of BDAT (RFC 3030): only newlines are looked after. Pushed
 * like the other, which never ends it; smtp_dot_end is its end. */
void smtp_dot_init_chunks(struct smtp_dot *d, bool keep_newlines);
/* Passes on a CR that was held back at the end of the last chunk. */
void smtp_dot_end(struct smtp_dot *d, smtp_dot_sink_fn sink, void *arg);
/* Decodes the next octets, any split. Returns 1 end of data (*used_out is
 * just past it), 0 more needed (*used_out == n). */
int smtp_dot_push(struct smtp_dot *d, const void *in, size_t n, smtp_dot_sink_fn sink,
	void *arg, size_t *used_out);

struct smtp_stuff {
	unsigned char state;   /* what the output ends with */
};

void smtp_stuff_init(struct smtp_stuff *s);
/* Writes in stuffed to out, which has room for 2n octets. Returns octets. */
size_t smtp_stuff_push(struct smtp_stuff *s, const void *in, size_t n, char *out);
/* What ends the data: ".\r\n" behind a complete line, else "\r\n.\r\n". */
const char *smtp_stuff_end(const struct smtp_stuff *s);

#endif
