/* task_mbox.c - a mailbox in one file: each of its messages is walked, and what
 * lies between lines that only some programs take for separators (mbox.h). */
#include "task_int.h"

#include <string.h>

#include "mbox.h"

bool guess_is_mailbox(const char *p, size_t len)
{
	return len > 5 && memcmp(p, "From ", 5) == 0;
}

static bool walk_segments(struct task *t, const char *p, const struct mbox_segment *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const size_t len = (size_t)(s[i].to - s[i].from);
		if (!task_goes_on(t) || !task_take_object(t) || !task_charge(t, len) ||
		    !task_walk_message(t, p + s[i].from, len, false))
			return false;
	}
	return true;
}

bool task_walk_mailbox(struct task *t, const char *p, size_t len)
{
	struct mbox_segment s[2];
	struct mbox m;
	unsigned n;

	mbox_init(&m);
	for (size_t at = 0; at < len;) {
		const size_t used = mbox_push(&m, p + at, pace_end(at, len) - at, s, &n);
		at += used;
		if (!pace_on(&t->pace, used) || !walk_segments(t, p, s, n))
			return false;
	}
	n = mbox_end(&m, s);
	return walk_segments(t, p, s, n);
}
