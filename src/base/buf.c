/* buf.c - byte buffer with a hard limit, see buf.h. */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN_CAP 256u

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void buf_fini(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	b->pos = b->end = 0;
}

void buf_trim(struct buf *b)
{
	if (buf_is_empty(b))
		buf_fini(b);
}

unsigned char *buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b);

	if (n > b->max || len > b->max - n)
		return NULL;
	/* Not end + n: with no limit n may be near SIZE_MAX. */
	if (b->data != NULL && n <= b->cap - b->end)
		return b->data + b->end;
	/* Moving costs as much as growing once half of it is free in front. */
	if (b->data != NULL && len + n <= b->cap / 2) {
		memmove(b->data, b->data + b->pos, len);
		b->pos = 0;
		b->end = len;
		return b->data + b->end;
	}
	size_t cap = b->cap > BUF_MIN_CAP ? b->cap : BUF_MIN_CAP;
	while (cap < len + n)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap == 0)
		cap = 1;
	unsigned char *p = cap <= PTRDIFF_MAX ? malloc(cap) : NULL;
	if (p == NULL)
		return NULL;
	if (len > 0)
		memcpy(p, b->data + b->pos, len);
	free(b->data);
	b->data = p;
	b->cap = cap;
	b->pos = 0;
	b->end = len;
	return p + len;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->end);
	b->end += n;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	unsigned char *room = buf_reserve(b, n);
	if (room == NULL)
		return -1;
	memcpy(room, p, n);
	b->end += n;
	return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;
	/* vsnprintf writes a NUL, which the limit does not count. */
	size_t max = b->max;
	b->max = max < SIZE_MAX ? max + 1 : max;
	unsigned char *room = buf_reserve(b, (size_t)n + 1);
	b->max = max;
	if (room == NULL || (size_t)n > max - buf_len(b))
		return -1;
	va_start(ap, fmt);
	vsnprintf((char *)room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->end += (size_t)n;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->pos += n;
	if (b->pos == b->end)
		b->pos = b->end = 0;
}
