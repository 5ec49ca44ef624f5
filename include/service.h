/* service.h - the service manager (systemd): tells it how far this program is,
 * and takes the sockets that it passes.
 *
 * sd_notify(3)'s protocol without its library: lines in one datagram to the
 * socket that NOTIFY_SOCKET names. Every function does nothing where there is
 * none. For the one process that the unit started; not for its children. */
#ifndef ESETS_SERVICE_H
#define ESETS_SERVICE_H

#include <stdbool.h>

#define SERVICE_FD_FIRST 3

/* First in main: takes NOTIFY_SOCKET out of the environment, so that nothing
 * started from here can speak in this program's name, and LISTEN_FDS. */
void service_init(void);

/* How many descriptors were passed, from SERVICE_FD_FIRST on (sd_listen_fds(3),
 * socket activation); they stay open over a restart, with all that queues up
 * there. Whose they are then is the caller's business. */
unsigned service_fds(void);

/* Is there one that wants to hear? */
bool service_is_told(void);
/* It serves; also the end of a reload, well or not. The status, one line of at
 * most 200 octets, is what `systemctl status` shows. */
__attribute__((format(printf, 1, 2)))
void service_ready(const char *status, ...);
void service_reloading(void);
void service_stopping(void);

#endif
