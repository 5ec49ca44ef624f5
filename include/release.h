/* release.h - esets_daemon's process that releases messages from the quarantine, for
 * esets_wwwi (release_msg.h).
 *
 *     esets_wwwi --socket of its own--> process --SMTP--> server_addr
 *
 * A side process (side_proc.h) that listens itself: no worker, which parses hostile
 * mail, has a hand in it or can reach it, as workers can connect to nothing. Only the user
 * of esets_wwwi is answered. */
#ifndef ESETS_RELEASE_H
#define ESETS_RELEASE_H

/* In the child, identity taken, TERM, USR2, HUP, INT and USR1 blocked. listen_fd:
 * non-blocking. conf: struct conf. Serves until TERM. The exit status. */
int release_run(int listen_fd, void *conf);

#endif
