/* confined.h - what a worker of esets_daemon gives up before it reads any mail.
 *
 * From then on it can open no file, make no connection, process or program, and
 * have no more memory than its scans may take; what it needs beyond its
 * descriptors it has from the broker and the quarantine. esets_daemon(8) tells
 * it to the administrator. */
#ifndef ESETS_CONFINED_H
#define ESETS_CONFINED_H

struct conf_global;

/* In the child, identity taken, engines loaded, everything open, before there are
 * threads. Says in the log what this machine cannot do. */
void confined_begin(const struct conf_global *g);

#endif
