/* scan_client_int.h - what the parts of the scanner client share; nobody else includes it.
 *
 *   scan_client.c   requests of an event loop: their line, deadlines and tries
 *   scan_link.c     its connections to the daemon, and those kept for the next
 *   scan_call.c     the blocking form: one request, one connection
 *   scan_answer.c   what may be believed of an answer, and which failures pass */
#ifndef ESETS_SCAN_CLIENT_INT_H
#define ESETS_SCAN_CLIENT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net.h"
#include "scan_msg.h"

struct event_base;

/* --- scan_answer.c --------------------------------------------------------- */

/* What an answer is checked against. */
struct scan_ask {
	char id[VERDICT_ID_SIZE];
	uint64_t size;
	bool want_as, may_clean;
};
struct scan_ask scan_ask_of(const struct scan_request *r);

enum scan_answer {
	SCAN_ANSWER_NOT_YET,
	SCAN_ANSWER_GOOD,
	SCAN_ANSWER_BAD,    /* v is unavailable, as it is with the next */
	SCAN_ANSWER_NEVER   /* the connection ended, or what came was no answer to this */
};
/* Reads the answer into v and *fd_out; mem: room for SCAN_MSG_MAX octets. */
enum scan_answer scan_answer_read(int sock, unsigned char *mem, const struct scan_ask *ask,
	struct verdict *v, int *fd_out);

/* May this failure pass? A full accept queue does, and so do too many
 * descriptors on their way. */
bool scan_is_passing(int error);
#define SCAN_RETRY_FIRST_MS 10
/* The wait after that one. */
unsigned scan_retry_next(unsigned ms);

/* 0, -1 ENAMETOOLONG. */
int scan_daemon_at(struct net_endpoint *e, const char *path);
#define SCAN_UNREACHABLE_MAX 320 /* verdict_unavailable cuts it */
void scan_unreachable(char *out, size_t size, const struct net_endpoint *daemon, int error);

long long scan_now_ms(void);

/* --- scan_link.c ----------------------------------------------------------- */

struct scan_link;
SLIST_HEAD(scan_link_list, scan_link);

/* Connections of one event loop to the daemon. */
struct scan_links {
	struct event_base *base;
	struct net_endpoint daemon;
	struct scan_link_list kept;  /* the last used first */
};
void scan_links_init(struct scan_links *ls, struct event_base *base);
void scan_links_fini(struct scan_links *ls);

/* Something can be read or written, as scan_link_watch asked for. */
typedef void (*scan_link_fn)(void *arg);

/* A kept one, or where there is none (or must_be_new) a new one, which is
 * arg's until it is kept or freed. Nothing lies unread in it. NULL with errno. */
struct scan_link *scan_link_get(struct scan_links *ls, bool must_be_new, scan_link_fn ready,
	void *arg);
/* what: EV_READ or EV_WRITE. 0, -1 no memory. */
int scan_link_watch(struct scan_link *l, short what);
int scan_link_sock(const struct scan_link *l);
/* Has an answer come by it before? Then the daemon may close it at any time. */
bool scan_link_is_used(const struct scan_link *l);
/* Its answer is there: it is for the next one, and closed as soon as anything
 * happens to it before. */
void scan_link_keep(struct scan_link *l);
void scan_link_free(struct scan_link **l);

#endif
