/* server_int.h - what the parts of the server share, and nobody else:
 *   server.c       the worker and its threads
 *   server_wait.c  callers that have not asked yet
 *   server_conn.c  one that has */
#ifndef ESETS_SERVER_INT_H
#define ESETS_SERVER_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "scan_msg.h"
#include "server.h"

enum server_state { SERVER_RUN, SERVER_DRAIN, SERVER_STOP };

#define SERVER_WAIT_MAX 256u     /* callers of a worker that have not asked yet */
#define SERVER_STRANGERS_MAX 16u /* of them such as may not ask */

struct server_waiting {
	int conn;
	bool is_stranger;
	uint64_t id;
	long long until_ms;
};

struct server_wait {
	pthread_mutex_t lock;
	int ep;                     /* readable: one of them has something to say */
	unsigned n;
	uint64_t next_id;
	struct server_waiting list[SERVER_WAIT_MAX]; /* the oldest first */
	struct log_limit full;
};

/* One worker, as its threads see it. */
struct server_pool {
	const struct server_cfg *cfg;
	int stop_fd;                /* eventfd; readable from the first order to leave on */
	struct server_wait wait;
	_Atomic long long stop_ms;  /* when it was told to stop; monotonic */
	_Atomic int state;          /* enum server_state, only ever forward */
	_Atomic bool cancel;        /* time is up: tasks at work are given up */
	_Atomic unsigned running;   /* threads */
	struct log_limit denied, broken, no_fds;
};

/* 0; -1 with errno. */
int server_wait_init(struct server_wait *w);
void server_wait_fini(struct server_wait *w);
/* Takes a connection until its packet comes; closes it if that takes too long. A
 * stranger may not ask: it is only told so, and pushes out none but its like. */
void server_wait_add(struct server_wait *w, int conn, bool is_stranger, long long now_ms);
/* One whose packet is there or that has hung up, or a stranger who waited long
 * enough; -1 none. The caller's now. */
int server_wait_take(struct server_wait *w, long long now_ms);
/* Closes those whose time is over. Are there others? *timeout_out: when to call
 * again, in ms, -1 never. stop_ms: since when the worker stops, if it does. */
bool server_wait_expire(struct server_wait *w, enum server_state state, long long now_ms,
	long long stop_ms, int *timeout_out);

/* May the other end ask anything at all? */
bool server_conn_is_allowed(const struct server_pool *p, int conn);
/* Serves a connection on which there is something to read; closes it. mem holds
 * SCAN_PACKET_MAX octets. */
void server_conn_serve(struct server_pool *p, int conn, unsigned char *mem);

#endif
