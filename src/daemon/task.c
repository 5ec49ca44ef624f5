/* task.c - the life of one scan request, see task.h: its content, its budget,
 * its end.
 *
 *   message ─► engines ─► task_walk ─┬─► part ─► task_decode ─► engines
 *                                    │            ├─► uuencoded files ─► engines
 *                                    │            └─► a message inside: again
 *
 * Everything is looked at in each reading that some mail program may have. The
 * budget of one task is hard: objects, levels, octets decoded, memory, time.
 * What is beyond it makes the message over the limit, never clean.
 * Blocking, no mutable state outside the task. */
#include "task_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "engine_hash.h"
#include "pace.h"
#include "str.h"

#define OCTETS_FREE (64u << 20)      /* decoded in any task, however small */
#define OCTETS_FACTOR 16u            /* and so many times the message */
#define WALK_FREE (256u << 20)       /* steps over parts, a fraction of a second */
#define WALK_FACTOR 64u              /* an octet: levels times readings */
#define LIVE_FREE (64u << 20)        /* octets in memory at once, message aside */
#define LIVE_FACTOR 4u
#define UNPACK_FACTOR 4u             /* av_scan_archive_max_size, of all archives */

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* ---- budget ---------------------------------------------------------------- */

void task_reason(struct task *t, const char *text)
{
	if (t->v->reason[0] == '\0')
		str_copy(t->v->reason, sizeof t->v->reason, text);
}

void task_over_limit(struct task *t, const char *text)
{
	t->v->av |= VERDICT_AV_OVERLIMIT;
	task_reason(t, text);
}

bool task_goes_on(struct task *t)
{
	t->is_over |= t->content.is_lost;
	if (t->is_cancelled || t->is_over)
		return false;
	if (t->call.cancelled != NULL && t->call.cancelled(t->call.arg)) {
		t->is_cancelled = true;
	} else if (now_us() / 1000 >= t->call.deadline_ms) {
		t->is_over = true;
		t->v->av |= VERDICT_AV_UNAVAILABLE;
		task_reason(t, "the scan took longer than av_scan_timeout");
	}
	return !t->is_cancelled && !t->is_over;
}

bool task_charge(struct task *t, size_t len)
{
	if (len > t->octets_left) {
		task_over_limit(t, "too many octets to decode");
		return false;
	}
	t->octets_left -= len;
	return true;
}

bool task_take_object(struct task *t)
{
	if (t->objects_left == 0) {
		task_over_limit(t, "more objects than av_scan_archive_max_files");
		return false;
	}
	t->objects_left--;
	return true;
}

bool task_enter(struct task *t)
{
	if (t->level > t->r->opts.archive_max_level) {
		task_over_limit(t, "nested deeper than av_scan_archive_max_level");
		return false;
	}
	t->level++;
	return true;
}

void task_leave(struct task *t)
{
	t->level--;
}

/* ---- the request ----------------------------------------------------------- */

/* An engine that is given the descriptor reads it to its end. */
static int exact_fd(int fd, uint64_t size)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size == size ? fd : -1;
}

static void judge_spam(struct task *t, const struct task_content *c)
{
	const struct engine_object o = { .data = c->p, .len = c->len, .fd = -1, .name = "",
		.is_message = true, .marks = t->marks };
	struct engine_result r = { .score_milli = 0 };

	if (!task_goes_on(t)) {
		t->v->as = VERDICT_AS_NOTSCANNED;
		return;
	}
	switch (engines_as(&o, t->r, &t->call, &r)) {
	case ENGINE_FOUND:
		t->v->as = VERDICT_AS_SPAM;
		break;
	case ENGINE_CLEAN:
		t->v->as = VERDICT_AS_CLEAN;
		break;
	default:
		t->v->as = VERDICT_AS_NOTSCANNED;
		task_reason(t, r.reason);
		break;
	}
	t->v->as_score_milli = r.score_milli;
}

static bool pace_asks(void *arg)
{
	return task_goes_on(arg);
}

static void scan_all(struct task *t, const struct task_content *c)
{
	const struct scan_request *r = t->r;
	const char *name = r->is_mail ? "message" : r->name;
	const char *data = c->p;
	struct task_scope scope;

	task_scope_begin(t, &scope);
	bool on = task_scan_object(t, data, c->len, name, true);
	if (on && r->is_mail) {
		size_t from = guess_mail_start(&t->pace, data, c->len);
		task_walk_message(t, data + from, c->len - from, false);
	} else if (on) {
		task_check_name(t, name, name);
		task_look_into(t, data, c->len, name, TASK_IS_FILE);
	}
	task_scope_end(t, &scope, name);
}

/* Takes the infected parts out and looks again: cleaned is only what nothing
 * is found in any more. */
static void clean(struct task *t, int *clean_fd_out)
{
	struct scan_request again = *t->r;
	struct verdict v;
	struct stat st;
	int none, fd = task_clean_make(t);

	if (fd < 0)
		return;
	again.size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	again.is_inline = again.want_as = false;
	again.want_parts = SCAN_PARTS_NONE;
	again.opts.clean_mode = SCAN_CLEAN_NONE;
	if (again.size == 0 || !task_run(&again, fd, t->call.deadline_ms, t->call.cancelled, t->call.arg,
			&v, &none)) {
		t->is_cancelled |= again.size != 0;
		close(fd);
		return;
	}
	if ((v.av & (VERDICT_AV_INFECTED | VERDICT_AV_UNAVAILABLE)) == 0) {
		t->v->av = v.av | VERDICT_AV_DELETED;
		*clean_fd_out = fd;
	} else {
		task_reason(t, (v.av & VERDICT_AV_INFECTED) != 0 ?
			"not cleaned: something is found in what would be left" :
			"not cleaned: what would be left could not be scanned");
		close(fd);
	}
	verdict_fini(&v);
}

/* To hash a message takes longer than to look into it, and of a clean one the
 * caller may not want to know. A long one is not hashed when time is over: the
 * verdict stays as it is. */
static void note_sha256(struct task *t, const struct task_content *c)
{
	struct engine_object o = { .data = c->p, .len = c->len };

	if (t->v->sha256[0] == '\0' && (t->v->av != VERDICT_AV_CLEAN ||
	    t->v->as == VERDICT_AS_SPAM || t->allowed > 0) && engine_hash_sha256(&o, &t->call) == 0)
		str_copy(t->v->sha256, sizeof t->v->sha256, o.sha256_hex);
}

/* The message is not there: memory is short, or its file is. */
static void no_content(struct verdict *v, int error)
{
	char why[VERDICT_REASON_MAX];

	snprintf(why, sizeof why, "the message could not be read: %s", strerror(error));
	verdict_unavailable(v, why);
}

static void drop(struct verdict *v, int *clean_fd)
{
	verdict_fini(v);
	if (*clean_fd >= 0)
		close(*clean_fd);
	*clean_fd = -1;
}

bool task_run(const struct scan_request *r, int fd, long long deadline_ms,
	task_cancelled_fn cancelled, void *arg, struct verdict *v, int *clean_fd_out)
{
	long long start_us = now_us();
	struct task *t = malloc(sizeof *t);

	*clean_fd_out = -1;
	if (t == NULL) {
		verdict_unavailable(v, "out of memory");
		return true;
	}
	*v = (struct verdict){ .as = VERDICT_AS_NONE };
	*t = (struct task){ .r = r, .v = v, .fd = exact_fd(fd, r->size),
		.call = { .deadline_ms = deadline_ms, .cancelled = cancelled, .arg = arg },
		.objects_left = r->opts.archive_max_files > 0 ?
			r->opts.archive_max_files : 1,
		.walk_left = WALK_FREE + WALK_FACTOR * r->size,
		.octets_left = OCTETS_FREE + OCTETS_FACTOR * r->size,
		.live_left = LIVE_FREE + LIVE_FACTOR * r->size + r->opts.archive_max_size,
		.unpack_total_left = UNPACK_FACTOR * r->opts.archive_max_size };
	t->pace = (struct pace){ .go_on = pace_asks, .arg = t };
	if (r->opts.max_size != 0 && r->size > r->opts.max_size) {
		task_over_limit(t, "larger than av_scan_max_size");
		v->as = r->want_as ? VERDICT_AS_NOTSCANNED : VERDICT_AS_NONE;
	} else if (task_content_open(t, fd) < 0) {
		const int error = errno;
		if (t->is_over)
			verdict_unavailable(v, "the scan took longer than av_scan_timeout");
		else
			no_content(v, error);
	} else {
		t->root = t->content.p;
		t->root_len = t->content.len;
		scan_all(t, &t->content);
		if (t->v->av & VERDICT_AV_INFECTED && r->opts.clean_mode != SCAN_CLEAN_NONE && r->is_mail)
			clean(t, clean_fd_out);
		if (r->want_as)
			judge_spam(t, &t->content);
		note_sha256(t, &t->content);
	}
	/* Whatever was said of zeros is not said of the message. */
	if (t->content.is_lost) {
		drop(v, clean_fd_out);
		no_content(v, EIO);
	}
	task_content_close(t);
	engines_version(v->vdb, sizeof v->vdb);
	v->time_us = (unsigned)(now_us() - start_us);
	bool done = !t->is_cancelled;
	if (!done)
		drop(v, clean_fd_out);
	task_clean_fini(t);
	free(t);
	task_mem_used();
	return done;
}
