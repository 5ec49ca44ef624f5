/* worker_int.h - shared by worker.c (process, threads, accept, drain) and
 * pair.c (one session with its two connections). */
#ifndef ESETS_WORKER_INT_H
#define ESETS_WORKER_INT_H

#include <stdatomic.h>

#include "conn.h"
#include "session.h"
#include "slab.h"
#include "worker.h"

struct scan_client;

#define WORKER_CONNECT_MS 10000     /* for one address of the server */
#define WORKER_PROXY_MS 10000       /* for the PROXY header to come */
#define WORKER_LINGER_MS 2000       /* for the client to read its last reply */
#define WORKER_REFUSED_MAX 100u     /* refused ones of a thread that are given it */

struct worker {                     /* one per process, constant for threads */
	struct worker_inherit in;
	struct cidrs { struct net_cidr *list; size_t n; }
		trusted,                /* trusted_networks */
		allowed,                /* client_networks */
		balancers,              /* listen_proxy_protocol */
		debugged;               /* debug_clients */
	char hostname[256];
	unsigned fds_own;               /* descriptors in use before any session */
	atomic_uint listening;          /* threads that still use the sockets */
	atomic_bool is_daemon_away;     /* it was said in the log; nothing else asks */
};

/* WORKER_STOP: who has sent the end of a message may wait for its reply, for
 * timeout_stop; WORKER_CUT: nobody may. */
enum worker_phase { WORKER_RUN, WORKER_DRAIN, WORKER_STOP, WORKER_CUT };

struct worker_thread {
	struct worker *worker;
	unsigned number;
	struct event_base *base;
	struct session_env env;
	struct scan_client *scan;
	struct slab slab;               /* of pairs */
	struct pair *pairs;             /* all, newest first */
	unsigned npairs;
	unsigned npairs_high;           /* most of them since memory was given back */
	unsigned nrefused;              /* of these: told no, and not yet gone */
	atomic_int phase;               /* enum worker_phase, set by the main thread */
	int wake_fd;                    /* eventfd: look at phase */
	struct event *ev_wake, *ev_tick, *ev_turn, *ev_listen[LISTEN_MAX];
	bool listening;
	bool listen_over;               /* its part in the sockets has ended */
	bool accept_paused;             /* until descriptors, or memory, are free again */
	int fds_for_clients;            /* with so many in use nobody new is accepted */
	unsigned next_server;           /* round-robin over server addresses */
};

struct pair {
	struct session s;               /* first: ops get the session only */
	struct conn client, server;
	struct worker_thread *t;
	struct pair *next, **prev;
	/* dialling */
	struct net_endpoint *addrs;     /* what is left to try; NULL when done */
	unsigned naddrs, addr;
	bool connecting, dial_failed;
	long long connect_until_ms;
	uint64_t server_taken;          /* octets, when the clock was looked at last */
	/* the beginning */
	bool await_proxy;               /* a PROXY header must come first */
	bool counted;                   /* in clients */
	bool is_refused;                /* no session: does not count as one */
	/* the end */
	bool lingering;
	long long linger_until_ms;
};

void pair_new(struct worker_thread *t, int fd, const struct net_addr *peer);
/* Octets out, interest set anew, freed if it is over. The last thing every
 * callback does with a pair. */
void pair_update(struct pair *p);
void pair_tick(struct pair *p);
/* Goes on with what was put off. */
void pair_turn(struct pair *p);
void pair_stop(struct pair *p);
void pair_cut(struct pair *p);
void pair_free(struct pair *p);
/* pair_turn for all who want it, in the next turn of the loop. */
void worker_want_turn(struct worker_thread *t);
/* A pair was freed: there may be room for another, or nothing left to do. */
void worker_pair_gone(struct worker_thread *t);
/* Reads the clock into the thread's env. */
void worker_clock(struct worker_thread *t);

extern const struct session_ops pair_ops;

#endif
