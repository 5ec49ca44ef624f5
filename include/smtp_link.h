/* smtp_link.h - a tool's connection to an SMTP server: octets out, replies in.
 *
 * Blocking, with a deadline for each step. */
#ifndef ESETS_SMTP_LINK_H
#define ESETS_SMTP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp_reply.h"

struct smtp_link {
	int fd;
	long long timeout_ms;      /* of one step; to be set at any time */
	long long end_ms;          /* of all of them; 0: no end */
	struct smtp_reply reply;   /* the last one */
	char in[8192];
	size_t have;               /* octets of in that are not taken yet */
	const char *why;           /* what went wrong last */
};

/* To the first address of the list (net_resolve) that answers; list_name is
 * what an error calls the list. A step takes at most timeout_ms, this and all
 * that follows together at most most_ms (0: no such end). 0; -1 with a text in
 * why, nothing to close. */
int smtp_link_open(struct smtp_link *l, const char *list, const char *list_name, uint16_t port,
	long long timeout_ms, long long most_ms, char *why, size_t why_size);
void smtp_link_close(struct smtp_link *l);
/* Has the server said nothing that has not been taken? What it says before it is asked
 * is no answer. False: l->why. */
bool smtp_link_is_quiet(struct smtp_link *l);
/* All of it. 0, -1 with l->why. */
int smtp_link_send(struct smtp_link *l, const void *data, size_t n);
/* The next whole reply, in l->reply. 1, -1 with l->why. */
int smtp_link_reply(struct smtp_link *l);

#endif
