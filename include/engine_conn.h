/* engine_conn.h - a blocking conversation with an external engine.
 *
 * Nothing waits longer than its own limit, the call's deadline, or for a
 * requester that has gone. The first thing that goes wrong stays in the
 * connection and everything behind it fails at once. One thread each. */
#ifndef ESETS_ENGINE_CONN_H
#define ESETS_ENGINE_CONN_H

#include "buf.h"
#include "engine.h"
#include "engine_scratch.h"
#include "net.h"

enum engine_trouble {
	ENGINE_FINE,
	ENGINE_REFUSED,     /* no connection, or it broke: error says why */
	ENGINE_GARBAGE,     /* it says what it may not say */
	ENGINE_UNREACHED,   /* no connection within engine_timeout_connect */
	ENGINE_SILENT,      /* nothing within engine_timeout_read */
	ENGINE_DEADLINE,    /* the call's time is over */
	ENGINE_CANCELLED,
};

struct engine_conn {
	const struct engine_call *call;
	unsigned read_ms;            /* engine_timeout_read */
	int fd;
	enum engine_trouble trouble;
	int error;                   /* errno of REFUSED, 0 it hung up */
	char why[VERDICT_NAME_MAX];  /* of GARBAGE */
	/* Where several questions may be asked in one connection (engine_keep.h): */
	bool is_session;             /* they may in this one */
	unsigned questions;          /* so far, this one among them */
	bool is_answered;            /* the talker's: another may follow */
	bool is_stale;               /* the talker's: trouble of the session alone; the
	                              * question is to be asked once more, without one */
	struct engine_scratch scratch;
};

/* Connects within connect_ms. 0, -1 trouble. engine_conn_close is always
 * allowed afterwards. */
int engine_conn_open(struct engine_conn *c, const struct net_endpoint *e, unsigned connect_ms,
	unsigned read_ms, const struct engine_call *call);
void engine_conn_close(struct engine_conn *c);
/* Sends all of it. 1 the engine already says something, and the rest was kept
 * back; 0, -1 trouble. more: other octets follow at once. */
int engine_conn_send(struct engine_conn *c, const void *p, size_t n, bool more);
/* The same with a descriptor along with the first octet. */
int engine_conn_send_fd(struct engine_conn *c, const void *p, size_t n, int fd);
/* Octets read, 0 the engine has hung up (no trouble yet), -1 trouble. */
ptrdiff_t engine_conn_recv(struct engine_conn *c, void *p, size_t n);
/* The same to the end of a buffer; more than it may hold is trouble too. */
ptrdiff_t engine_conn_read(struct engine_conn *c, struct buf *b);
/* Takes an answer apart. 1 it is whole, 0 more is needed, -1 it is none. is_end:
 * no more will come. */
typedef int (*engine_parse_fn)(const char *p, size_t n, bool is_end, void *answer,
	const char **why_out);
/* Reads, into an empty buffer, until parse has an answer. 0, -1 trouble. What
 * the answer points to is in the buffer. */
int engine_conn_answer(struct engine_conn *c, struct buf *in, engine_parse_fn parse, void *answer);
/* Asks with a head and the object behind it. 0; 1 it has answered before it had
 * everything; -1 trouble. */
int engine_conn_ask(struct engine_conn *c, const struct buf *head, const struct engine_object *o,
	struct buf *in, engine_parse_fn parse, void *answer);
/* Notes that it said something it may not say, or hung up where an answer was
 * due. Returns -1. */
int engine_conn_garbage(struct engine_conn *c, const char *why);
int engine_conn_hung_up(struct engine_conn *c);
/* May the text, which strangers chose, stand in a header line that is sent? Not
 * empty, not too long, no control characters. */
bool engine_conn_is_header(const char *s);
/* "Connection refused", "no answer in time". */
const char *engine_conn_text(const struct engine_conn *c);

#endif
