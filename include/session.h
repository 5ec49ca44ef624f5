/* session.h - one client and its server: the life of a pair, without sockets.
 *
 * A session takes octets and events and leaves octets in c_out and s_out for
 * its owner to write; it asks for what needs the outside (dial, scan) through
 * session_ops. So the real session plays scripted dialogues and fuzz inputs
 * with a fake connection. It lives and dies on one thread; time is what the
 * owner writes to env->now_ms before each call.
 *
 *     client ──session_client_input──►┌─────────┐──s_out──► server
 *            ◄──────── c_out ─────────│ session │◄─session_server_input──
 *                                     └─────────┘ ops: dial, hangup, scan */
#ifndef ESETS_SESSION_H
#define ESETS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "conf.h"
#include "net.h"
#include "scan_msg.h"
#include "session_fsm.h"
#include "smtp_ehlo.h"
#include "smtp_line.h"
#include "smtp_reply.h"
#include "spool.h"
#include "strictest.h"

struct session;
struct scan_job;
struct session_pending;
struct session_msg;

/* How a session ends: id, name in the log, is it an error, the text of a
 * last reply of our own (NULL: none). */
#define SESSION_END_LIST(X)                                                              \
	X(NONE, "open", false, NULL)                                                     \
	X(QUIT, "quit", false, NULL)                                                     \
	X(CLIENT_CLOSED, "client-closed", false, NULL)                                   \
	X(CLIENT_CUT, "client-closed-in-message", true, NULL)                            \
	X(CLIENT_RESET, "client-reset", true, NULL)                                      \
	X(CLIENT_TIMEOUT, "client-timeout", true, "421 4.4.2 Timeout, closing connection") \
	X(SERVER_BYE, "server-bye", false, NULL)                                         \
	X(SERVER_CLOSED, "server-closed", true, "421 4.4.2 Server closed the connection") \
	X(SERVER_421, "server-421", true, NULL)                                          \
	X(SERVER_TIMEOUT, "server-timeout", true, "421 4.4.2 Server does not answer")    \
	X(SERVER_GARBAGE, "server-garbage", true, "421 4.4.2 Server protocol error")     \
	X(SERVER_DOWN, "server-unreachable", true, "421 4.4.1 Server is not reachable")  \
	X(STOPPED, "stopped", false, "421 4.3.2 Service is shutting down")               \
	X(MEMORY, "no-memory", true, "421 4.3.0 Insufficient resources")                 \
	X(NOT_ALLOWED, "not-allowed", false, "554 5.7.1 Not allowed to connect here")    \
	X(COMMANDS, "too-many-commands", true, "421 4.7.0 Too many commands without a message") \
	X(CHUNK_SIZE, "bad-chunk-size", true, "501 5.5.4 Syntax: BDAT size [LAST]")      \
	X(BUSY, "too-many-sessions", true, "421 4.3.2 Too many connections, try later")  \
	X(INTERNAL, "internal", true, "421 4.3.0 Internal error")

enum session_end {
#define X(id, name, is_error, text) SESSION_END_##id,
	SESSION_END_LIST(X)
#undef X
	SESSION_END_COUNT
};

struct session_ops {
	/* Connects to the server; then session_on_dial(s, true), or false once
	 * every address has failed. Never calls back from within. */
	void (*dial)(struct session *s);
	/* Closes the server connection now; what is in s_out is dropped. */
	void (*hangup)(struct session *s);
	/* Starts a scan (fd -1: inline); the outcome by session_on_verdict. NULL:
	 * could not. */
	struct scan_job *(*scan)(struct session *s, const struct scan_request *r, int fd,
		unsigned timeout_ms);
	void (*scan_cancel)(struct session *s, struct scan_job **job);
};

struct session_env {               /* one per thread */
	const struct conf *conf;
	struct spool_cfg spool;
	const char *hostname;      /* for Received */
	const struct session_ops *ops;
	size_t scan_inline_max;    /* octets that a scan request may carry itself */
	long long now_ms;          /* monotonic */
	long long now_us;          /* the same, for what is counted */
	long long wall_s;          /* unix time, for Received */
	int tz_minutes;
};

struct session_envelope {          /* of the transaction the server has open */
	char *mail;                /* accepted MAIL line, NULL none */
	char **rcpts;              /* accepted RCPT lines, in order */
	unsigned nrcpts, cap;
	size_t octets;             /* of all lines */
	unsigned nrcpts_total;     /* also those beyond what is kept */
	struct conf_settings settings;  /* that hold, once a recipient was accepted */
	struct strictest *strictest;    /* they are several recipients', NULL one's */
	bool has_gap;              /* a chunk of its message was refused */
};

#define SESSION_XFORWARD_LINES 8

/* Octets of the spool that come behind s_out as they are. The owner sends them
 * from the descriptor, without a copy of its own. */
struct session_direct {
	int fd;
	uint64_t at, left;
};

/* What a trusted client said of its client; holds for one transaction. */
struct session_xforward {
	char addr[64], name[128], helo[128], ident[64];
	char *lines[SESSION_XFORWARD_LINES];  /* accepted, for a replay */
	unsigned nlines;           /* also those beyond what is kept */
};

struct session {
	struct session_env *env;
	uint8_t state;             /* enum session_state */
	uint8_t end;               /* enum session_end */
	bool is_trusted;           /* in trusted_networks */
	bool is_check;             /* a balancer's own: it comes every few seconds, so
	                            * without a message its lines are for debug */
	bool is_debugged;          /* in debug_clients; set by the owner */
	bool in_confidence;        /* what was said last is not for the log */
	bool client_eof;           /* client sends no more */
	bool client_dead;          /* client takes no more */
	bool stop_later;           /* 421 once the message has its reply */
	bool server_up;            /* connected (also while its banner is awaited) */
	bool server_lost;          /* gone since the envelope was given */
	bool server_bye;           /* its last reply says that it closes */
	bool authed;               /* AUTH or XCLIENT succeeded: no replay */
	bool esmtp;                /* EHLO, not HELO */
	bool told_chunking;        /* its EHLO reply had CHUNKING, whatever a server
	                            * dialled later has */
	unsigned char refusals;    /* refused verbs that were logged */
	bool barrier;              /* nothing is parsed before the queue is empty */
	bool running;              /* inside session_run */
	uint64_t id;
	unsigned msgs;             /* messages begun */
	unsigned cmds;             /* commands since the last message */
	char server_text[80];      /* where the last dial went, "" nowhere yet */
	struct net_addr client, local;
	struct buf banner;         /* held back while XCLIENT is tried */
	char *xclient;             /* the line that the server took, for a replay */
	struct buf c_in, c_out, s_in, s_out;
	struct session_direct direct;
	struct smtp_line c_line;
	struct smtp_reply reply;
	struct session_pending *queue;   /* commands whose replies are owed */
	unsigned queue_head, queue_len, queue_cap;
	char *helo;                /* accepted EHLO or HELO line */
	struct smtp_ehlo_info info;
	struct session_envelope envelope;
	struct session_xforward *xforward;
	struct session_msg *msg;   /* from DATA or the first BDAT to the final reply */
	uint64_t chunk_left;       /* octets of the chunk still to come */
	long long chunk_start_ms;
	const char *chunk_error;   /* they are eaten, this is the reply; else NULL */
	bool chunk_last;
	struct scan_job *job;
	long long client_since_ms; /* the client's time runs from here */
	long long server_since_ms; /* the server's */
	long long start_ms;
	uint64_t octets_in, octets_out;
};

/* client, local: the two ends of the client's connection. */
void session_init(struct session *s, struct session_env *env, uint64_t id,
	const struct net_addr *client, const struct net_addr *local, bool is_trusted);
/* Starts: dials the server. */
void session_start(struct session *s);
/* Answers with the reason's 421 and ends; for sessions that may not begin. */
void session_refuse(struct session *s, enum session_end why);
/* Frees what it holds; cancels a scan. */
void session_fini(struct session *s);

/* Octets from the client or the server; all are taken (kept if need be). */
void session_client_input(struct session *s, const void *p, size_t n);
void session_server_input(struct session *s, const void *p, size_t n);
/* The client closed its sending side; or its connection broke. */
void session_client_eof(struct session *s);
void session_client_error(struct session *s);
/* The server connection ended, orderly or not (after all its octets). */
void session_server_gone(struct session *s);
void session_on_dial(struct session *s, bool up);
/* Takes the descriptor and what the verdict holds. */
void session_on_verdict(struct session *s, struct verdict *v, int clean_fd);
/* The agent terminates. */
void session_stop(struct session *s);
/* The same, and waits for nothing: a message that has no reply yet gets 421. */
void session_cut(struct session *s);
/* Looks at the clock; call at least once a second. */
void session_tick(struct session *s);
/* n octets of direct were sent; 0: there are no more, though there should be. */
void session_direct_sent(struct session *s, size_t n);
/* The server acknowledges octets of a message that have left us: it is alive. */
void session_server_takes(struct session *s);
/* Call when the server's output was written, whatever the client reads: goes on with a
 * message under way, or with input that waited for room. */
void session_on_written(struct session *s);

/* Is there work left that was put off, so that others get their turn? Then call
 * session_on_turn in the next turn of the loop. */
bool session_wants_turn(const struct session *s);
void session_on_turn(struct session *s);

/* Is more input wanted (back-pressure)? */
bool session_wants_client(const struct session *s);
bool session_wants_server(const struct session *s);
static inline bool session_has_output(const struct session *s)
{
	return !buf_is_empty(&s->s_out) || s->direct.left > 0;
}
/* Is the end of a message's data among the server's output, or beyond? */
bool session_end_is_queued(const struct session *s);
/* Is a message on its way to the server, or there and not answered? */
static inline bool session_is_sending(const struct session *s)
{
	return s->state == ST_SEND || s->state == ST_DOT;
}
/* Everything is said: close once c_out is written. */
static inline bool session_is_over(const struct session *s) { return s->state == ST_CLOSE; }

const char *session_end_name(enum session_end e);
/* "6920f3a10001" */
void session_id_text(const struct session *s, char out[24]);

#endif
