/* engine_keep.h - connections to external engines that are used again.
 *
 * To connect, and to wait for the end of each connection, took as long as the
 * question itself. So where an engine allows it the connection of a question
 * that was answered is kept for the next of any thread of this worker: for
 * some seconds, and for some questions, since clamd takes no new connection
 * while it has MaxQueue of them, and others wait there too.
 *
 * One of which anything at all is uncertain is never kept. */
#ifndef ESETS_ENGINE_KEEP_H
#define ESETS_ENGINE_KEEP_H

#include "engine_conn.h"

/* One that was kept for that address, to be used under this call. The engine
 * may have closed it: that shows when it is used. False: there is none. */
bool engine_keep_take(struct engine_conn *c, const struct net_endpoint *e, unsigned read_ms,
	const struct engine_call *call);
/* Takes the connection, on which nothing is under way; it may be closed. */
void engine_keep_give(struct engine_conn *c, const struct net_endpoint *e);
/* Closes all, and keeps none for a moment: a new connection waits for its first
 * answer, perhaps because the engine takes no more of them. */
void engine_keep_pause(void);
/* Closes those that nobody has used for a while. */
void engine_keep_sweep(void);

#endif
