/* conn.h - one end of a pair: a socket turned into events. Knows no SMTP.
 *
 * Octets read go straight from the thread's scratch buffer to the owner, so
 * an idle connection holds no buffer. Writes are tried at once; what the
 * kernel does not take waits in the owner's buf for the write event. */
#ifndef ESETS_CONN_H
#define ESETS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event_struct.h>

struct buf;

enum conn_event { CONN_READ, CONN_EOF, CONN_ERROR, CONN_WRITABLE };

/* p, n: the octets of CONN_READ, valid during the call. The callee may close
 * the connection. CONN_ERROR: errno is kept in c->error. */
struct conn;
typedef void (*conn_fn)(struct conn *c, enum conn_event e, const void *p, size_t n);

struct conn {
	int fd;                  /* -1 closed */
	int error;               /* errno of what broke it */
	bool reading, writing;   /* what is asked for */
	bool write_dead;         /* the peer takes no more: read what it said */
	bool wrote_last;         /* of reading and writing each has its turn */
	short on;                /* what the event is on for */
	struct event ev;
	struct event_base *base;
	conn_fn fn;
};

void conn_init(struct conn *c, struct event_base *base, conn_fn fn);
/* Takes the descriptor. reading starts off. */
void conn_open(struct conn *c, int fd);
void conn_close(struct conn *c);
/* The same, but a TCP peer gets a reset instead of octets that it has not yet taken;
 * conn_close lets the kernel deliver them. */
void conn_abort(struct conn *c);
/* Octets that a TCP peer has taken so far; *is_all_out: there are none that it has not
 * (also where the system does not tell). */
uint64_t conn_taken(const struct conn *c, bool *is_all_out);
static inline bool conn_is_open(const struct conn *c) { return c->fd >= 0; }

void conn_set_reading(struct conn *c, bool on);
/* Asks for CONN_WRITABLE once (a connect under way). */
void conn_want_writable(struct conn *c);
/* Writes what it can of b. True: all is out. False: CONN_WRITABLE will come,
 * or write_dead is set (c->error says why). */
bool conn_flush(struct conn *c, struct buf *b);
/* Sends up to n octets of a file from at on. How many; 0 it has no more, or cannot be
 * read; -1 CONN_WRITABLE will come, or write_dead is set. */
ptrdiff_t conn_send_file(struct conn *c, int fd, uint64_t at, size_t n);
/* Outcome of a connect: 0 or an errno. */
int conn_connect_result(const struct conn *c);

#endif
