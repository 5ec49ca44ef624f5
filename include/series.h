/* series.h - the last hour, a sample every ten seconds: what the charts of
 * esets_wwwi show. Pure; bounded, and without pointers, so that it may lie in
 * memory that outlives a worker. */
#ifndef ESETS_SERIES_H
#define ESETS_SERIES_H

#include <stdint.h>

#include "buf.h"
#include "stats_view.h"

#define SERIES_STEP_S 10
#define SERIES_SAMPLES 360u

/* name, whose, kind (R per second, G as it is, Q quantile of the interval), row,
 * its label's value or the part */
#define SERIES_LIST(X) \
	X(received, A, R, "messages_received_total", "") \
	X(octets, A, R, "message_bytes_total", "") \
	X(accepted, A, R, "messages_total", "accepted") \
	X(rejected, A, R, "messages_total", "rejected") \
	X(deferred, A, R, "messages_total", "deferred") \
	X(discarded, A, R, "messages_total", "discarded") \
	X(infected, A, R, "av_verdicts_total", "infected") \
	X(unavailable, A, R, "av_verdicts_total", "unavailable") \
	X(spam, A, R, "as_verdicts_total", "spam") \
	X(p50, A, Q, "message_seconds", "0.5") \
	X(p90, A, Q, "message_seconds", "0.9") \
	X(p99, A, Q, "message_seconds", "0.99") \
	X(sessions, A, G, "sessions_open", "") \
	X(waiting, A, G, "scans", "waiting") \
	X(active, A, G, "scans", "active") \
	X(spool, A, G, "spool_memory_bytes", "") \
	X(requests, D, R, "requests_total", "answered") \
	X(busy, D, G, "requests_active", "")

enum series_field {
#define X(name, who, kind, row, value) SERIES_##name,
	SERIES_LIST(X)
#undef X
	SERIES_FIELDS
};

struct series_sample {
	int64_t at_s;                  /* unix time */
	double v[SERIES_FIELDS];       /* NAN: not known */
};

struct series_last {                   /* of one program, when it was looked at */
	uint64_t pid, start_s;         /* 0 never */
	long long mono_ms;
	double v[SERIES_FIELDS];
	struct stats_view_times times;
};

struct series {
	uint32_t next, n;              /* bounded wherever they are used */
	struct series_sample s[SERIES_SAMPLES];
	struct series_last agent, daemon;
};

/* Takes a sample. agent, daemon: NULL where there is no table. */
void series_take(struct series *s, const struct stats_view *agent,
	const struct stats_view *daemon, long long mono_ms, int64_t wall_s);
/* "step":10,"fields":[...],"samples":[[time,...],...] of a JSON object, the
 * oldest first. Append; 0, -1 no room or no memory. */
int series_json(struct buf *out, const struct series *s);

#endif
