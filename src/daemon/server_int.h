/* server_int.h - what server.c and server_conn.c share, and nobody else. */
#ifndef ESETS_SERVER_INT_H
#define ESETS_SERVER_INT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "log.h"
#include "scan_msg.h"
#include "server.h"

enum server_state { SERVER_RUN, SERVER_DRAIN, SERVER_STOP };

/* One worker, as its threads see it. */
struct server_pool {
	const struct server_cfg *cfg;
	int stop_fd;                /* eventfd; readable from the first order to leave on */
	_Atomic int state;          /* enum server_state, only ever forward */
	_Atomic bool cancel;        /* time is up: tasks at work are given up */
	_Atomic unsigned running;   /* threads */
	struct log_limit denied, broken, no_fds;
};

/* Serves one connection, which it closes. mem holds SCAN_PACKET_MAX octets. */
void server_conn_serve(struct server_pool *p, int conn, unsigned char *mem);

#endif
