/* stats.h - counters in memory that all workers share.
 *
 * One row of STATS_LIST is one counter: id, name, kind (C counter, G gauge),
 * help. Each thread writes its own line of the table without a lock; a reader
 * sums the lines. A dead worker's lines stay (its counters count), but its
 * gauges are zeroed when the slot is given out again. */
#ifndef ESETS_STATS_H
#define ESETS_STATS_H

#include <stdint.h>

#define STATS_LIST(X)                                                              \
	X(SESSIONS, "sessions_total", C, "client connections accepted")            \
	X(SESSIONS_DONE, "sessions_finished_total", C, "sessions ended in order")  \
	X(SESSIONS_OPEN, "sessions_open", G, "sessions open now")                  \
	X(MSGS, "messages_total", C, "messages received to their end")             \
	X(MSGS_ACCEPTED, "messages_accepted_total", C, "messages the server took") \
	X(MSGS_REJECTED, "messages_rejected_total", C, "messages rejected by policy") \
	X(MSGS_DEFERRED, "messages_deferred_total", C, "messages deferred by policy") \
	X(MSGS_DISCARDED, "messages_discarded_total", C, "messages discarded by policy") \
	X(MSGS_FAILED, "messages_failed_total", C, "messages that server or proxy could not take") \
	X(SCANS, "scans_total", C, "requests the scanner answered")                \
	X(SCANS_UNAVAILABLE, "scans_unavailable_total", C, "requests without a verdict") \
	X(BYTES_IN, "bytes_received_total", C, "message octets received from clients") \
	X(SPOOL_MEMORY, "spool_memory_bytes", G, "octets of messages held in memory") \
	X(SPOOL_FILES, "spool_files", G, "messages held in files")

enum stats_id {
#define X(id, name, kind, help) ST_##id,
	STATS_LIST(X)
#undef X
	STATS_COUNT
};

/* Parent, before any fork: lines for slots * threads. 0, -1 with errno. */
int stats_init(unsigned slots, unsigned threads);
/* Child: the slot is given out (zeroes its gauges). */
void stats_slot_begin(unsigned slot);
/* Thread: its line. A thread that never calls this writes to a private line. */
void stats_thread(unsigned slot, unsigned thread);
void stats_add(enum stats_id id, uint64_t n);
void stats_sub(enum stats_id id, uint64_t n);
/* Any process: over all lines, or over one slot's. */
uint64_t stats_sum(enum stats_id id);
uint64_t stats_slot_sum(enum stats_id id, unsigned slot);
/* A number no other session of this machine has soon: unix seconds at start
 * times 65536, counted up by all workers. */
uint64_t stats_next_id(void);

#endif
