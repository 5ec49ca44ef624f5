/* buf.h - byte buffer with a hard limit.
 *
 * A queue of octets: appended at the end, consumed at the front. It never
 * holds more than max octets and never aborts: a failed append leaves the
 * content as it was and the caller turns that into an SMTP reply. An empty
 * buffer can give its memory back, so an idle session costs nothing.
 * No thread rule: a buffer belongs to whoever embeds it. */
#ifndef ESETS_BUF_H
#define ESETS_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	unsigned char *data; /* heap, or NULL while cap is 0 */
	size_t pos;          /* first octet not consumed */
	size_t end;          /* one past the last octet */
	size_t cap;          /* octets allocated */
	size_t max;          /* limit of end - pos */
};

#define BUF_INIT(limit) { NULL, 0, 0, 0, (limit) }

/* Makes an empty buffer of at most max octets; allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer is empty and may be used again. */
void buf_fini(struct buf *b);
/* Empties the buffer and keeps its memory. */
void buf_clear(struct buf *b);
/* Gives the memory back if the buffer is empty. */
void buf_trim(struct buf *b);

static inline size_t buf_len(const struct buf *b) { return b->end - b->pos; }
static inline bool buf_is_empty(const struct buf *b) { return b->end == b->pos; }
/* The first octet; valid until the next append, NULL while never filled. */
static inline unsigned char *buf_head(const struct buf *b)
{
	return b->data != NULL ? b->data + b->pos : NULL;
}

/* Appends n octets. 0 done; -1 over the limit or out of memory (unchanged). */
int buf_append(struct buf *b, const void *p, size_t n) __attribute__((warn_unused_result));
int buf_append_str(struct buf *b, const char *s) __attribute__((warn_unused_result));
int buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));
/* Room for n more octets at the end, to be filled and then taken with
 * buf_commit. NULL over the limit or out of memory. */
unsigned char *buf_reserve(struct buf *b, size_t n) __attribute__((warn_unused_result));
void buf_commit(struct buf *b, size_t n);
/* Drops n octets (n <= buf_len) from the front. */
void buf_consume(struct buf *b, size_t n);

#endif
