/* engine_ext.h - an external engine: its alternative addresses, how they do,
 * and the way of one question through them.
 *
 *   first address that is neither down nor full ─► talk ─► a result
 *      ▲                                             │
 *      └──── the others, those that are late last ◄──┘ trouble
 *
 * An address that cost somebody time (no connection, no answer) is late for a
 * while and looked at by the worker's watch thread within a second; one that
 * does not answer the probe either is down, until it does again. One that
 * refuses at once costs nothing and is tried each time. Full is one that has
 * engine_max_scans at work; where all are, the question waits. Names are
 * looked up by a child of the master at the start, and by the broker from then on
 * (broker.h);
 * the watch thread asks it where they lead.
 *
 * Where the probe has seen that the engine allows it, a connection serves for
 * several questions (engine_keep.h). One that is kept may have been closed at
 * any time: that is no trouble of the address, and it is asked once more. */
#ifndef ESETS_ENGINE_EXT_H
#define ESETS_ENGINE_EXT_H

#include <pthread.h>

#include "engine_conn.h"
#include "engine_gate.h"

#define ENGINE_PEERS_MAX ENGINE_GATE_ALTS
#define ENGINE_NOTE_MAX 64

struct engine_peer {
	struct net_endpoint ep;
	unsigned gate;
	long long late_until_ms;      /* it was silent: the others first */
	bool is_down;                 /* passed over */
	bool is_suspect;              /* to be probed at once */
	bool is_bad;                  /* the log says so */
	bool no_fds;                  /* the talker's: takes no descriptors */
	bool no_sessions;             /* the talker's: it does not know them after all */
	bool has_sessions;            /* the prober's: several questions in a connection */
	char note[ENGINE_NOTE_MAX];   /* the prober's: version */
};

/* One conversation. 0 it came to a result, in *status_out and r; -1 trouble
 * (in c). It may change the notes of the peer, which is a copy. */
typedef int (*engine_talk_fn)(struct engine_conn *c, struct engine_peer *peer, void *arg,
	enum engine_status *status_out, struct engine_result *r);
/* Is anybody there? 0, -1 trouble (in c). */
typedef int (*engine_probe_fn)(struct engine_conn *c, struct engine_peer *peer);

/* Where an engine's addresses lead at the moment. */
struct engine_addresses {
	struct net_endpoint ep[ENGINE_PEERS_MAX];
	uint32_t alt[ENGINE_PEERS_MAX];  /* number of the item it comes from */
	uint32_t n;
	uint8_t is_whole;                /* none is missing */
	uint8_t has_names;               /* it may change */
	uint8_t zero[2];
};

struct engine_ext {
	/* set by the engine */
	const char *what;             /* "clamd" */
	enum engine_gate gate;
	uint16_t port;                /* of an address without one, 0: it must have one */
	bool works_on;                /* does not notice that nobody waits any more */
	engine_probe_fn probe;
	/* by engine_ext_load */
	char *list;
	unsigned connect_ms, read_ms, max_scans;
	bool has_names;
	pthread_mutex_t lock;         /* of what follows */
	unsigned n;
	struct engine_peer peers[ENGINE_PEERS_MAX];
	char why[VERDICT_REASON_MAX]; /* the last trouble */
	long long resolved_ms, probed_ms;
};

struct proc_identity;

/* Master, before: who looks names up, in a process apart. Without it the caller does. */
void engine_ext_names_as(const struct proc_identity *id);
/* Master: addresses and limits from the configuration. A name that does not
 * resolve is a warning; it may later. 0, -1 no memory. */
int engine_ext_load(struct engine_ext *e, const char *list, const struct conf *c);
/* Asks one address after the other. ERROR, with a reason, where none could
 * answer. */
enum engine_status engine_ext_ask(struct engine_ext *e, engine_talk_fn talk, void *arg,
	const struct engine_call *call, struct engine_result *r);
/* Broker: looks the names up again, where it is time to. Blocks. */
void engine_ext_resolve(struct engine_ext *e);
void engine_ext_addresses(struct engine_ext *e, struct engine_addresses *out);
/* The watch thread's turn. */
void engine_ext_watch(struct engine_ext *e, const struct engine_call *call);
/* Does one of its addresses do well, as far as is known? */
bool engine_ext_is_up(struct engine_ext *e);
/* The note of the first address that is up and has one; "" none. */
void engine_ext_note(struct engine_ext *e, char out[ENGINE_NOTE_MAX]);

#endif
