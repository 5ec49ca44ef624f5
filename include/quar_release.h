/* quar_release.h - a message out of quarantine to the server, by SMTP. */
#ifndef ESETS_QUAR_RELEASE_H
#define ESETS_QUAR_RELEASE_H

#include "quar_dir.h"

struct conf_smtp;

#define QUAR_RELEASE_WHY 600

/* The server of this configuration, behind the filter. rcpts: who is to get
 * it, NULL the original ones. most_ms: how long it may take once there is a
 * connection, 0 as long as it goes on. 0 the server has said 2xx to it; -1 with a text
 * that may hold words of the server (not cleaned). Blocks. Its caller has claimed the
 * message (quar_dir_claim). */
int quar_release(const struct conf_smtp *c, int dir, const struct quar_meta *m,
	const char *const *rcpts, unsigned nrcpts, long long most_ms, char why[QUAR_RELEASE_WHY]);

#endif
