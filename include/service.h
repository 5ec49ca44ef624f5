/* service.h - tells the service manager (systemd) how far this program is.
 *
 * sd_notify(3)'s protocol without its library: lines in one datagram to the
 * socket that NOTIFY_SOCKET names. Every function does nothing where there is
 * none. For the one process that the unit started; not for its children. */
#ifndef ESETS_SERVICE_H
#define ESETS_SERVICE_H

/* First in main: takes NOTIFY_SOCKET out of the environment, so that nothing
 * started from here can speak in this program's name. */
void service_init(void);

/* It serves; also the end of a reload, well or not. The status, one line of at
 * most 200 octets, is what `systemctl status` shows. */
__attribute__((format(printf, 1, 2)))
void service_ready(const char *status, ...);
void service_reloading(void);
void service_stopping(void);

#endif
