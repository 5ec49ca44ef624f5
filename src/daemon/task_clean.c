/* task_clean.c - infected parts taken out of a message (av_clean_mode).
 *
 * While the message is walked each find is put down to the innermost part that
 * lies in the message as it came: what is inside an encoding or an archive goes
 * as a whole. The result is the message with those parts replaced and every
 * other octet as it was; it is cleaned only if a second scan finds nothing.
 * Signed and encrypted messages are never altered, nor what is infected in a
 * way that no part accounts for (a digest of the whole message, say). */
#include "task_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sealed.h"
#include "str.h"

#define CUTS_MAX 1000u           /* a message with more stays infected */
#define TEXT_MAX (1u << 20)      /* of one replacement, with the header that stays */

struct task_cuts {
	unsigned n, cap;
	struct clean_cut cut[];
};

static bool is_signed_or_encrypted(const struct mime_part *p)
{
	static const char *const types[] = { "multipart/signed", "multipart/encrypted",
		"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted" };
	static const char *const ends[] = { ".p7m", ".p7z", NULL };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(p->type, types[i]) == 0)
			return true;
	bool yes = guess_ends_any(p->filename, ends);
	for (unsigned i = 0; i < p->n_other_names; i++)
		yes |= guess_ends_any(p->other_names[i], ends);
	return yes;
}

struct task_clean_at task_clean_enter(struct task *t, const struct mime_part *p)
{
	if (t->not_cleaned == NULL && is_signed_or_encrypted(p))
		t->not_cleaned = "not cleaned: signed or encrypted";
	return (struct task_clean_at){ t->finds, t->cuts != NULL ? t->cuts->n : 0 };
}

static struct clean_cut *add_cut(struct task *t)
{
	struct task_cuts *c = t->cuts;
	unsigned cap = c == NULL ? 4 : c->cap * 2;

	if (c == NULL || c->n == c->cap) {
		struct task_cuts *more = cap > 2 * CUTS_MAX ? NULL :
			realloc(c, sizeof *c + cap * sizeof c->cut[0]);
		if (more == NULL) {
			t->not_cleaned = "not cleaned: too much was found";
			return NULL;
		}
		if (c == NULL)
			more->n = 0;
		more->cap = cap;
		t->cuts = c = more;
	}
	return &c->cut[c->n++];
}

void task_clean_leave(struct task *t, const struct mime_part *p, struct task_clean_at at)
{
	const char *end = p->body + p->body_len;

	/* What is inside it has said so already, or it is a copy. */
	if (t->finds == at.finds || t->r->opts.clean_mode == SCAN_CLEAN_NONE ||
	    (t->cuts != NULL && t->cuts->n > at.cuts) ||
	    p->hdr < t->root || end > t->root + t->root_len)
		return;
	struct clean_cut *c = add_cut(t);
	if (c == NULL)
		return;
	*c = (struct clean_cut){ .from = (size_t)(p->hdr - t->root),
		.body = (size_t)(p->body - t->root), .to = (size_t)(end - t->root),
		.keeps_head = p->depth == 0 };
	str_copy(c->name, sizeof c->name, p->filename);
	str_copy(c->virus, sizeof c->virus, t->last_virus);
}

/* ---- the new message ------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct clean_cut *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to > y->to ? -1 : x->to < y->to; /* the wider one first */
}

/* In order, none inside another. False: two that only overlap, where readers
 * do not agree on the parts. */
static bool settle(struct task_cuts *c)
{
	unsigned n = 0;

	qsort(c->cut, c->n, sizeof c->cut[0], compare);
	for (unsigned i = 0; i < c->n; i++) {
		if (n == 0 || c->cut[i].from >= c->cut[n - 1].to)
			c->cut[n++] = c->cut[i];
		else if (c->cut[i].to > c->cut[n - 1].to)
			return false;
	}
	c->n = n;
	return true;
}

static int write_all(struct task *t, int fd, const void *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t k = write(fd, (const char *)p + at, pace_end(at, n) - at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return -1;
		at += (size_t)k;
		if (!pace_on(&t->pace, (size_t)k))
			return -1;
	}
	return 0;
}

static int write_message(struct task *t, int fd)
{
	size_t at = 0;

	for (unsigned i = 0; i < t->cuts->n; i++) {
		const struct clean_cut *c = &t->cuts->cut[i];
		struct buf text = BUF_INIT(TEXT_MAX);
		int rc = write_all(t, fd, t->root + at, c->from - at) < 0 ||
			clean_replacement(t->root, t->root_len, c, &text) < 0 ||
			write_all(t, fd, buf_head(&text), buf_len(&text)) < 0 ? -1 : 0;
		buf_fini(&text);
		if (rc < 0)
			return -1;
		at = c->to;
	}
	return write_all(t, fd, t->root + at, t->root_len - at);
}

int task_clean_make(struct task *t)
{
	if (t->not_cleaned == NULL && (t->cuts == NULL || !settle(t->cuts)))
		t->not_cleaned = "not cleaned: what was found is not a part of its own";
	if (t->not_cleaned != NULL) {
		task_reason(t, t->not_cleaned);
		return -1;
	}
	int fd = memfd_create("cleaned", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	if (write_message(t, fd) == 0 && seal_fd(fd) == 0)
		return fd;
	close(fd);
	return -1;
}

void task_clean_fini(struct task *t)
{
	free(t->cuts);
	t->cuts = NULL;
}
