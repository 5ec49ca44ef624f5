/* scan_run.c - esets_scan's requests: some at once, told in order.
 *
 * A window of items slides over the input: each has a request at the daemon,
 * or is settled already, and the first one that is settled is told. The loop is
 * libevent's, since the client library's requests that run side by side are
 * its events; there is one thread and nothing else in the loop. */
#include "scan_int.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scan_client.h"
#include "str.h"

#define WINDOW 4u            /* requests at the daemon, and items at hand */
#define WIRE_NAME_MAX 255u   /* octets of a file's name that the daemon is told */
#define GRACE_MS 5000u       /* the daemon says itself that time is over */
#define LINE_OUT_MAX (4u << 20)
#define PROGRESS_FIRST_MS 1000
#define PROGRESS_MS 200

struct run;

struct slot {
	struct run *run;
	struct scan_item item;
	struct scan_job *job;
	struct verdict v;
	bool is_settled;
	char root[VERDICT_NAME_MAX];
};

struct run {
	const struct scan_run_cfg *cfg;
	struct event_base *base;
	struct scan_client *client;
	struct slot slots[WINDOW];
	unsigned first, used;        /* a ring */
	struct scan_sum sum;
	bool has_failed;             /* stdout, or memory */
	bool has_progress;           /* there is a line of it on the terminal */
	bool is_terminal;
	long long start_ms, shown_ms;
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- progress, on a terminal only --------------------------------------------- */

static void progress_clear(struct run *r)
{
	if (r->has_progress)
		fputs("\r\033[K", stderr);
	r->has_progress = false;
}

static void progress_show(struct run *r, const char *name)
{
	long long now = now_ms();
	char shown[48];

	if (!r->is_terminal || now - r->start_ms < PROGRESS_FIRST_MS ||
	    now - r->shown_ms < PROGRESS_MS)
		return;
	size_t n = strlen(name), skip = n > 40 ? n - 40 : 0;
	fprintf(stderr, "\r\033[K%llu scanned, %llu infected, %llu not scanned: %s",
		(unsigned long long)r->sum.scanned, (unsigned long long)r->sum.infected,
		(unsigned long long)r->sum.notscanned,
		str_clean(shown, sizeof shown, name + skip, n - skip));
	fflush(stderr);
	r->has_progress = true;
	r->shown_ms = now;
}

/* --- telling ------------------------------------------------------------------ */

static bool put_text(const struct buf *text)
{
	const size_t n = buf_len(text);

	/* -Wanalyzer-null-argument: where there are octets there is a first one */
	return n == 0 || fwrite(buf_head(text), 1, n, stdout) == n;
}

static void put_out(struct run *r, int (*format)(struct buf *, const struct scan_result *),
	const struct scan_result *res)
{
	struct buf out = BUF_INIT(LINE_OUT_MAX);

	if (format(&out, res) < 0 || !put_text(&out))
		r->has_failed = true;
	buf_fini(&out);
}

static void tell(struct run *r, struct slot *s)
{
	const struct scan_result res = { .name = s->item.name, .fate = s->item.fate,
		.why = s->item.why, .v = &s->v, .root = s->root, .size = s->item.size };

	scan_sum_add(&r->sum, &res);
	if (r->cfg->notable && !scan_out_is_notable(&res)) {
		progress_show(r, s->item.name);
		return;
	}
	progress_clear(r);
	put_out(r, r->cfg->json ? scan_out_json : scan_out_text, &res);
	/* Whoever waits for the lines gets each when it is known. */
	if (fflush(stdout) != 0)
		r->has_failed = true;
	progress_show(r, s->item.name);
}

static void tell_sum(struct run *r)
{
	struct buf out = BUF_INIT(4096);
	int rc = r->cfg->json ? scan_sum_json(&out, &r->sum) : scan_sum_text(&out, &r->sum);

	progress_clear(r);
	if (rc < 0 || !put_text(&out) || fflush(stdout) != 0)
		r->has_failed = true;
	buf_fini(&out);
}

/* --- scanning ----------------------------------------------------------------- */

static void put_back(struct slot *s, int clean_fd)
{
	if (scan_replace(&s->item, clean_fd) == 0)
		s->item.fate = SCAN_FATE_CLEANED;
	else
		snprintf(s->item.why, sizeof s->item.why, "the cleaned message could not be "
			"written: %s", strerror(errno));
}

static void on_done(void *arg, struct verdict *v, int clean_fd)
{
	struct slot *s = arg;

	s->job = NULL;
	s->v = *v;
	v->parts = NULL; /* taken */
	v->nparts = 0;
	s->is_settled = true;
	/* What is still infected, or was not looked at, stays whole. */
	if (clean_fd >= 0 && v->av == VERDICT_AV_DELETED)
		put_back(s, clean_fd);
	if (clean_fd >= 0)
		close(clean_fd);
}

/* The end of the name: there stands what tells a file's kind. */
static const char *wire_name(const char *name)
{
	size_t n = strlen(name);

	return n > WIRE_NAME_MAX ? name + n - WIRE_NAME_MAX : name;
}

/* As it comes back: cut by the daemon, cleaned by who reads its answer. */
static void root_name(struct slot *s, const char *name)
{
	char cut[VERDICT_NAME_MAX];

	str_copy(cut, sizeof cut, name);
	str_clean(s->root, sizeof s->root, cut, strlen(cut));
}

static void start(struct run *r, struct slot *s)
{
	const struct scan_item *it = &s->item;
	struct scan_request q = { .id = "", .agent = "scan", .sender = "", .client = "", .helo = "",
		.queue_id = "", .name = wire_name(it->name), .is_mail = it->is_mail,
		.size = it->size, .want_av = true, .want_parts = SCAN_PARTS_NOTABLE,
		.opts = *r->cfg->opts };

	q.opts.quarantine = false; /* the file itself stays where it is */
	if (it->dir_fd < 0)
		q.opts.clean_mode = SCAN_CLEAN_NONE;
	root_name(s, it->is_mail ? "message" : q.name);
	s->job = scan_client_start(r->client, &q, it->fd, q.opts.timeout_s * 1000 + GRACE_MS,
		on_done, s);
	if (s->job != NULL)
		return;
	verdict_unavailable(&s->v, "the request is too large, or no memory");
	s->is_settled = true;
}

/* The next item into the ring; false: there is none. */
static bool fill_one(struct run *r, struct scan_input *in)
{
	struct slot *s = &r->slots[(r->first + r->used) % WINDOW];
	int rc;

	*s = (struct slot){ .run = r, .item.fd = -1, .item.dir_fd = -1 };
	rc = scan_input_next(in, &s->item);
	if (rc < 0)
		r->has_failed = true;
	if (rc <= 0)
		return false;
	r->used++;
	if (s->item.fd >= 0)
		start(r, s);
	else
		s->is_settled = true;
	return true;
}

static void tell_settled(struct run *r)
{
	while (r->used > 0 && r->slots[r->first].is_settled) {
		struct slot *s = &r->slots[r->first];
		tell(r, s);
		verdict_fini(&s->v);
		scan_item_fini(&s->item);
		r->first = (r->first + 1) % WINDOW;
		r->used--;
	}
}

static void scan_all(struct run *r, struct scan_input *in)
{
	bool has_more = true;

	while (!r->has_failed) {
		while (has_more && r->used < WINDOW && !r->has_failed)
			has_more = fill_one(r, in);
		tell_settled(r);
		if (r->used == 0 && !has_more)
			break;
		if (r->used == WINDOW || !has_more) {
			event_base_loop(r->base, EVLOOP_ONCE);
			progress_show(r, r->slots[r->first].item.name);
		}
	}
}

static void drop_rest(struct run *r)
{
	for (; r->used > 0; r->used--, r->first = (r->first + 1) % WINDOW) {
		struct slot *s = &r->slots[r->first];
		if (s->job != NULL)
			scan_job_cancel(&s->job);
		verdict_fini(&s->v);
		scan_item_fini(&s->item);
	}
}

int scan_run(const struct scan_run_cfg *cfg, struct scan_input *in)
{
	struct run r = { .cfg = cfg, .start_ms = now_ms(), .base = event_base_new(),
		.is_terminal = isatty(STDERR_FILENO) == 1 };

	r.client = r.base == NULL ? NULL : scan_client_new(r.base, cfg->sock_path, WINDOW);
	if (r.client == NULL) {
		fprintf(stderr, "esets_scan: %s\n", strerror(errno));
		r.has_failed = true;
	} else {
		scan_all(&r, in);
		tell_sum(&r);
		drop_rest(&r);
		scan_client_free(&r.client);
	}
	if (r.base != NULL)
		event_base_free(r.base);
	if (r.has_failed)
		fprintf(stderr, "esets_scan: not everything was scanned or written: %s\n",
			strerror(errno));
	int status = (int)scan_sum_exit(&r.sum);
	return r.has_failed && status != SCAN_EXIT_FOUND ? SCAN_EXIT_ERROR : status;
}
