/* engine_linger.h - scans that an engine goes on with although nobody waits.
 *
 * clamd and spamd don't notice that their client has gone before they answer.
 * Given up and sent again by the server before us, a mail would be scanned
 * twice and more at once (the more, the busier the engine is). So our end of
 * such a connection stays open, only shut down for sending, and its cell of
 * the gate taken, until the engine answers or hangs up, or for two minutes.
 * One list for each worker; any thread may call. */
#ifndef ESETS_ENGINE_LINGER_H
#define ESETS_ENGINE_LINGER_H

#include "engine_gate.h"
#include "net.h"

/* Takes the connection and the cell. */
void engine_linger_add(unsigned g, int cell, int fd, const struct net_endpoint *e);
/* Gives back what has ended. */
void engine_linger_sweep(void);
/* Nothing at this address is alive. */
void engine_linger_drop(unsigned g, const struct net_endpoint *e);

#endif
