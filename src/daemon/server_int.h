/* server_int.h - what the parts of the server share, and nobody else:
 *   server.c       the worker and its threads
 *   server_wait.c  connections that nobody serves at the moment
 *   server_conn.c  one request */
#ifndef ESETS_SERVER_INT_H
#define ESETS_SERVER_INT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "scan_msg.h"
#include "server.h"

enum server_state { SERVER_RUN, SERVER_DRAIN, SERVER_STOP };

#define SERVER_WAKE SIGUSR1      /* to each thread, with an order to leave */
#define SERVER_WAIT_MAX 512u     /* connections of a worker that nobody serves now */
#define SERVER_STRANGERS_MAX 16u /* of them such as may not ask */

enum server_kind {
	SERVER_NEWCOMER,            /* has not asked yet */
	SERVER_STRANGER,            /* may not ask: it is only told so */
	SERVER_KEPT                 /* was answered, and may ask again */
};

struct server_waiting {
	int conn;
	enum server_kind kind;
	uint64_t id;
	long long until_ms;
};

struct server_wait {
	pthread_mutex_t lock;
	int ep;                     /* what wakes threads: these, and new ones */
	sigset_t mask;              /* while a thread waits: SERVER_WAKE ends that */
	unsigned n;
	uint64_t next_id;
	_Atomic long long look_ms;  /* before then nobody's time is over */
	struct server_waiting list[SERVER_WAIT_MAX]; /* the oldest first */
	struct log_limit full;
};

struct server_thread;               /* server.c */

/* One worker, as its threads see it. */
struct server_pool {
	const struct server_cfg *cfg;
	struct server_wait wait;
	_Atomic long long stop_ms;  /* when it was told to stop; monotonic */
	_Atomic int state;          /* enum server_state, only ever forward */
	_Atomic bool cancel;        /* time is up: tasks at work are given up */
	_Atomic unsigned running;   /* threads */
	struct server_thread *thread;  /* those that were started */
	unsigned nthreads;
	struct log_limit denied, broken, no_fds;
};

/* 0; -1 with errno. */
int server_wait_init(struct server_wait *w, int listen_fd);
void server_wait_fini(struct server_wait *w);
/* Nobody new is waited for. */
void server_wait_leave(struct server_wait *w, int listen_fd);
/* Takes a connection until its packet comes; closes it if that takes too long, or
 * lets another go for it. A stranger pushes out none but its like. */
void server_wait_add(struct server_wait *w, int conn, enum server_kind kind, long long now_ms);
/* Waits. One whose packet is there or that has hung up, or a stranger who waited
 * long enough; -1 none, or somebody new (*is_new_out). The caller's now. */
int server_wait_next(struct server_wait *w, int timeout_ms, long long (*now)(void),
	bool *is_new_out, bool *is_stranger_out);
/* Closes those that are only kept: their next request may find another worker;
 * also_asked: and so does the one that has come, which its owner sends again. */
void server_wait_let_go(struct server_wait *w, bool also_asked);
/* Closes those whose time is over. Are there others (always told right when leaving)? *timeout_out: when to call
 * again, in ms, -1 never. stop_ms: since when the worker stops, if it does. */
bool server_wait_expire(struct server_wait *w, enum server_state state, long long now_ms,
	long long stop_ms, int *timeout_out);

/* Where all threads are at work, and one for long, lets kept ones go. To be called
 * in long scans too: the last thread to begin one may have come too soon. */
void server_relieve(struct server_pool *p, long long now_ms, bool also_asked);
/* May the other end ask anything at all? */
bool server_conn_is_allowed(const struct server_pool *p, int conn);
/* Serves a connection on which there is something to read. mem holds
 * SCAN_PACKET_MAX octets. True: it may ask again; else it is closed. */
bool server_conn_serve(struct server_pool *p, int conn, bool is_stranger, unsigned char *mem);

#endif
