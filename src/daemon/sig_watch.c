/* sig_watch.c - see sig_watch.h.
 *
 * What is being written is not loaded: a file counts when its writer closes it
 * or it gets its name, and then all must be quiet for a moment, since updates
 * come as several files. Only names that would be loaded count. */
#include "sig_watch.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "sig_line.h"

#define QUIET_MS 2000
#define AT_MOST_MS 30000
#define LOOK_AGAIN_MS 10000
#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)

static void note(struct sig_watch *w, long long now_ms)
{
	if (w->first_ms == 0)
		w->first_ms = now_ms;
	w->last_ms = now_ms;
}

/* A directory that comes later is a change. */
static void look_for_dir(struct sig_watch *w, long long now_ms)
{
	if (w->wd >= 0 || now_ms < w->next_ms)
		return;
	w->wd = inotify_add_watch(w->fd, w->dir, CHANGES | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	w->next_ms = now_ms + LOOK_AGAIN_MS;
	if (w->wd >= 0 && w->was_missing)
		note(w, now_ms);
	w->was_missing = w->wd < 0;
}

int sig_watch_set(struct sig_watch *w, const char *dir, long long now_ms)
{
	const bool is_another = w->dir != NULL;

	if (is_another && strcmp(w->dir, dir) == 0)
		return 0;
	sig_watch_close(w);
	w->dir = strdup(dir);
	w->fd = w->dir != NULL ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;
	if (w->fd < 0)
		return -1;
	look_for_dir(w, now_ms);
	if (is_another)
		note(w, now_ms);
	return 0;
}

void sig_watch_close(struct sig_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->dir);
	*w = (struct sig_watch)SIG_WATCH_INIT;
}

static void on_event(struct sig_watch *w, const struct inotify_event *e, long long now_ms)
{
	const bool is_overflow = (e->mask & IN_Q_OVERFLOW) != 0; /* it has no wd */

	if (!is_overflow && e->wd != w->wd)
		return; /* of a directory that was there before */
	if (e->mask & GONE) {
		inotify_rm_watch(w->fd, w->wd);
		w->wd = -1;
		w->next_ms = now_ms;
		w->was_missing = true;
		note(w, now_ms);
	} else if (is_overflow || (e->len > 0 && sig_format_of(e->name) != SIG_NONE)) {
		note(w, now_ms);
	}
}

static void read_events(struct sig_watch *w, long long now_ms)
{
	union { char octets[4096]; struct inotify_event e; } in;
	ssize_t n;

	while ((n = read(w->fd, in.octets, sizeof in.octets)) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(in.octets + at);
			on_event(w, e, now_ms);
			at += (ssize_t)(sizeof *e + e->len);
		}
	}
}

bool sig_watch_is_due(struct sig_watch *w, long long now_ms)
{
	if (w->fd < 0)
		return false;
	read_events(w, now_ms);
	look_for_dir(w, now_ms);
	if (w->first_ms == 0 ||
	    (now_ms - w->last_ms < QUIET_MS && now_ms - w->first_ms < AT_MOST_MS))
		return false;
	w->first_ms = 0;
	return true;
}
