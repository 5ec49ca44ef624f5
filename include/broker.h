/* broker.h - connections to the engines, and to the log, for workers that may
 * make none.
 *
 * A worker parses hostile mail and has no connect(). The broker, a process of
 * its own (side_proc.h), has none of that mail: it makes the sockets, and looks
 * names up.
 *
 *     worker --number of an address, one end of a socket pair--> broker
 *     worker <--errno, the socket: connected or about to be---- broker
 *
 * A worker names one of the addresses that the broker has from the configuration
 * by its number, a digest of the address; what is not among them is not reached.
 * The number of an address stays the same whatever else its name comes to lead
 * to, and whether the broker was replaced meanwhile. The broker only starts
 * connects and never waits for anybody; a thread of its own waits for names. */
#ifndef ESETS_BROKER_H
#define ESETS_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "net.h"

struct engine_addresses;

/* --- worker ------------------------------------------------------------------ */

/* Child: from now on there is no other way. ask_fd -1: every process makes its
 * connections itself, as it is at the start. */
void broker_use(int ask_fd);
bool broker_is_used(void);
/* Asks for a connection. The descriptor on which the answer will come (poll it
 * for POLLIN), or -1 with errno: EAGAIN the broker has much to do. */
int broker_ask(const struct net_endpoint *e);
/* The answer: a socket as net_connect's, or -1 with errno, EAGAIN where the broker
 * died and may be asked again. Closes ask. */
int broker_take(int ask);
/* A socket to the log (log_dial_by); waits for it a moment. -1 none. */
int broker_dial_log(void);
/* What the addresses of engine number n (engines_external) are by now. Waits
 * timeout_ms at most. 0, -1 with errno. */
int broker_list(unsigned n, struct engine_addresses *out, int timeout_ms);

/* --- the process --------------------------------------------------------------- */

/* side_proc_start's run: serves until TERM, or nobody can ask any more. arg is
 * not used. */
int broker_run(int serve_fd, void *arg);

#endif
