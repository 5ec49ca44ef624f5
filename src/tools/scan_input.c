/* scan_input.c - what the operands of esets_scan name: files, directories with
 * what is in them, mailboxes with their messages, standard input.
 *
 * Items are made when they are asked for, so that neither descriptors nor
 * memory grow with the number of files. What lies in a directory may belong
 * to somebody hostile: symbolic links are not followed there, nothing but
 * regular files is opened, and depth is bounded. A link that is an operand is
 * the caller's wish. */
#include "scan_int.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail_kind.h"
#include "mbox.h"
#include "str.h"

#define DEPTH_MAX 100
#define READ_SIZE 65536u
#define NAME_MAX_OCTETS 8192

static const char too_large[] = "larger than av_scan_max_size, or 1 GB";

/* A mailbox that is being cut into messages. */
struct box {
	int fd;                    /* -1: none */
	char *name;
	uint64_t size;
	struct mbox m;
	unsigned char data[READ_SIZE];
	size_t at, len;            /* of data */
	struct mbox_segment ready[2];
	unsigned nready, next;
	bool is_over;
};

struct scan_input {
	char *const *operands;
	uint64_t copy_max;
	bool may_clean;
	FTS *fts;
	struct box box;
};

void scan_item_fini(struct scan_item *it)
{
	if (it->fd >= 0)
		close(it->fd);
	if (it->dir_fd >= 0)
		close(it->dir_fd);
	free(it->name);
	free(it->base);
	*it = (struct scan_item){ .fd = -1, .dir_fd = -1 };
}

struct scan_input *scan_input_new(char *const *operands, uint64_t max_size, bool may_clean)
{
	struct scan_input *in = calloc(1, sizeof *in);

	if (in == NULL)
		return NULL;
	in->operands = operands;
	in->may_clean = may_clean;
	in->copy_max = max_size != 0 && max_size < SCAN_COPY_MAX ? max_size : SCAN_COPY_MAX;
	in->box.fd = -1;
	return in;
}

static void box_close(struct box *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	free(b->name);
	b->name = NULL;
}

void scan_input_free(struct scan_input **in)
{
	if (*in == NULL)
		return;
	box_close(&(*in)->box);
	if ((*in)->fts != NULL)
		fts_close((*in)->fts);
	free(*in);
	*in = NULL;
}

/* --- items ------------------------------------------------------------------- */

static int item_name(struct scan_item *it, const char *name)
{
	it->name = strdup(name);
	return it->name != NULL ? 1 : -1;
}

/* An item that is only told. */
static int item_told(struct scan_item *it, const char *name, enum scan_fate fate, const char *why)
{
	if (it->fd >= 0)
		close(it->fd);
	it->fd = -1;
	it->fate = fate;
	str_copy(it->why, sizeof it->why, why);
	return item_name(it, name);
}

static int item_failed(struct scan_item *it, const char *name, bool is_operand, int error)
{
	return item_told(it, name, is_operand ? SCAN_FATE_ERROR : SCAN_FATE_NOTSCANNED,
		strerror(error));
}

/* --- mailboxes ---------------------------------------------------------------- */

/* The next octets of the file. 0, -1 with errno. */
static int box_read(struct box *b)
{
	uint64_t left = b->size - b->m.at;
	ssize_t n = left == 0 ? 0 : pread(b->fd, b->data, left < READ_SIZE ? (size_t)left : READ_SIZE,
		(off_t)b->m.at);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return -1;
	b->at = 0;
	b->len = (size_t)n;
	b->is_over = n == 0;
	return 0;
}

/* The next message. 1, 0 the end, -1 with errno. */
static int box_segment(struct box *b, struct mbox_segment *out)
{
	while (b->next == b->nready) {
		b->next = b->nready = 0;
		if (b->is_over)
			return 0;
		if (b->at == b->len && box_read(b) < 0)
			return -1;
		if (b->is_over)
			b->nready = mbox_end(&b->m, b->ready);
		else
			b->at += mbox_push(&b->m, b->data + b->at, b->len - b->at, b->ready, &b->nready);
	}
	*out = b->ready[b->next++];
	return 1;
}

static int box_next(struct scan_input *in, struct scan_item *it)
{
	struct box *b = &in->box;
	struct mbox_segment s;
	char name[NAME_MAX_OCTETS];
	int rc = box_segment(b, &s);

	if (rc <= 0) {
		rc = rc < 0 ? item_failed(it, b->name, false, errno) : 0;
		box_close(b);
		return rc;
	}
	if (s.reading > 0)
		snprintf(name, sizeof name, "%s:%llu.%u", b->name, (unsigned long long)s.number,
			s.reading);
	else
		snprintf(name, sizeof name, "%s:%llu", b->name, (unsigned long long)s.number);
	it->size = s.to - s.from;
	if (it->size > in->copy_max)
		return item_told(it, name, SCAN_FATE_NOTSCANNED, too_large);
	it->is_mail = true;
	it->fd = scan_copy_range(b->fd, s.from, it->size);
	return it->fd < 0 ? item_failed(it, name, false, errno) : item_name(it, name);
}

/* Takes the item's descriptor over. */
static int box_open(struct scan_input *in, struct scan_item *it, const char *name)
{
	struct box *b = &in->box;

	b->name = strdup(name);
	if (b->name == NULL)
		return -1;
	b->fd = it->fd;
	it->fd = -1;
	b->size = it->size;
	b->at = b->len = 0;
	b->next = b->nready = 0;
	b->is_over = false;
	mbox_init(&b->m);
	return box_next(in, it);
}

/* --- files ---------------------------------------------------------------------- */

/* An open file, it->fd and it->size: what is it? */
static int take_file(struct scan_input *in, struct scan_item *it, const char *name)
{
	unsigned char *look = in->box.data; /* no mailbox is open */
	ssize_t n = pread(it->fd, look, MAIL_KIND_LOOK, 0);
	enum mail_kind kind = mail_kind_of(look, n > 0 ? (size_t)n : 0);

	if (n < 0)
		return item_failed(it, name, false, errno);
	if (kind == MAIL_KIND_MBOX)
		return box_open(in, it, name);
	it->is_mail = kind == MAIL_KIND_MAIL;
	return item_name(it, name);
}

_Static_assert(READ_SIZE >= MAIL_KIND_LOOK, "the buffer serves both");

/* Where the file lies. Without it the file stays as it is. */
static void keep_place(struct scan_item *it, const char *accpath, bool is_operand)
{
	char *path = is_operand ? realpath(accpath, NULL) : strdup(accpath);
	char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (path == NULL)
		return;
	it->base = strdup(slash != NULL ? slash + 1 : path);
	if (slash != NULL)
		slash[slash == path] = '\0';
	if (it->base != NULL)
		it->dir_fd = open(slash != NULL ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(path);
}

static int take_path(struct scan_input *in, struct scan_item *it, const FTSENT *e)
{
	const bool is_operand = e->fts_level == 0;
	struct stat st;

	/* Without blocking: it may have become a pipe since it was looked at. */
	it->fd = open(e->fts_accpath, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
		(is_operand ? 0 : O_NOFOLLOW));
	if (it->fd < 0 || fstat(it->fd, &st) < 0)
		return item_failed(it, e->fts_path, is_operand, errno);
	if (!S_ISREG(st.st_mode))
		return item_told(it, e->fts_path, SCAN_FATE_SKIPPED, "not a regular file");
	it->size = (uint64_t)st.st_size;
	int rc = take_file(in, it, e->fts_path);
	if (in->may_clean && rc > 0 && it->fd >= 0 && it->is_mail && in->box.fd < 0)
		keep_place(it, e->fts_accpath, is_operand);
	return rc;
}

static int take_stdin(struct scan_input *in, struct scan_item *it)
{
	it->fd = scan_copy_stream(STDIN_FILENO, in->copy_max, &it->size);
	if (it->fd < 0 && errno == EFBIG)
		return item_told(it, "-", SCAN_FATE_NOTSCANNED, too_large);
	if (it->fd < 0)
		return item_failed(it, "-", true, errno);
	return take_file(in, it, "-");
}

/* --- the walk ---------------------------------------------------------------- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* One entry of the walk. 1 an item, 0 nothing to tell, -1 no memory. */
static int take_entry(struct scan_input *in, struct scan_item *it, FTSENT *e)
{
	switch (e->fts_info) {
	case FTS_D:
		if (e->fts_level <= DEPTH_MAX)
			return 0;
		fts_set(in->fts, e, FTS_SKIP);
		return item_told(it, e->fts_path, SCAN_FATE_NOTSCANNED, "directories too deep");
	case FTS_DP:
		return 0;
	case FTS_F:
		return take_path(in, it, e);
	case FTS_DC:
		return item_told(it, e->fts_path, SCAN_FATE_SKIPPED, "a directory around this one");
	case FTS_SL:
		return item_told(it, e->fts_path, SCAN_FATE_SKIPPED, "symbolic link");
	case FTS_DEFAULT:
		return item_told(it, e->fts_path,
			e->fts_level == 0 ? SCAN_FATE_ERROR : SCAN_FATE_SKIPPED, "not a regular file");
	case FTS_SLNONE:
		return item_failed(it, e->fts_path, true, ENOENT);
	default: /* FTS_DNR, FTS_ERR, FTS_NS */
		return item_failed(it, e->fts_path, e->fts_level == 0, e->fts_errno);
	}
}

/* The next operand: 1 an item, 0 a walk has begun, -1 no memory. */
static int take_operand(struct scan_input *in, struct scan_item *it)
{
	char *operand = *in->operands++;
	char *paths[] = { operand, NULL };

	if (strcmp(operand, "-") == 0)
		return take_stdin(in, it);
	if (operand[0] == '\0')
		return item_failed(it, operand, true, ENOENT);
	if (strlen(operand) >= NAME_MAX_OCTETS / 2)
		return item_failed(it, operand, true, ENAMETOOLONG);
	in->fts = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW, by_name);
	return in->fts != NULL ? 0 : -1;
}

static int walk_next(struct scan_input *in, struct scan_item *it)
{
	FTSENT *e;

	errno = 0;
	e = fts_read(in->fts);
	if (e != NULL)
		return take_entry(in, it, e);
	int error = errno;
	fts_close(in->fts);
	in->fts = NULL;
	return error != 0 ? item_failed(it, in->operands[-1], true, error) : 0;
}

int scan_input_next(struct scan_input *in, struct scan_item *it)
{
	int rc = 0;

	*it = (struct scan_item){ .fd = -1, .dir_fd = -1 };
	while (rc == 0) {
		if (in->box.fd >= 0)
			rc = box_next(in, it);
		else if (in->fts != NULL)
			rc = walk_next(in, it);
		else if (*in->operands != NULL)
			rc = take_operand(in, it);
		else
			break;
	}
	if (rc < 0)
		scan_item_fini(it);
	return rc;
}
