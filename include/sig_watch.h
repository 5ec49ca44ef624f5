/* sig_watch.h - notices that the files of av_signature_dir have changed.
 *
 * inotify(7); the master looks once a second. One directory, one watcher. */
#ifndef ESETS_SIG_WATCH_H
#define ESETS_SIG_WATCH_H

#include <stdbool.h>

struct sig_watch {
	int fd, wd;                          /* -1 none */
	char *dir;
	long long first_ms, last_ms;         /* changes not yet told of; 0 none */
	long long next_ms;                   /* a missing directory is looked for again */
	bool was_missing;
};
#define SIG_WATCH_INIT { .fd = -1, .wd = -1 }

/* From now on that directory, which may be missing. Another than before counts
 * as a change: what is in it may have changed since it was read. 0; -1 with
 * errno, then nothing is ever noticed. */
int sig_watch_set(struct sig_watch *w, const char *dir, long long now_ms);
/* Is there something new that has been left alone for two seconds, or that has
 * gone on for thirty? True once for all of it. */
bool sig_watch_is_due(struct sig_watch *w, long long now_ms);
void sig_watch_close(struct sig_watch *w);

#endif
