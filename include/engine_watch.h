/* engine_watch.h - a thread of each worker that looks after external engines:
 * which of them answer, what they call themselves, where their names lead. So
 * no scan waits for what somebody else has found out already. */
#ifndef ESETS_ENGINE_WATCH_H
#define ESETS_ENGINE_WATCH_H

/* Child, engines loaded, slot its own: the thread has line 0 of its counters. Starts nothing where no engine is external. 0, -1 with
 * errno. */
int engine_watch_start(unsigned slot);
/* Ends it; waits two seconds at most. */
void engine_watch_stop(void);

#endif
