/* session_int.h - shared by the parts of the session:
 *   session.c       life, events, time, the end
 *   session_greet.c what a new server connection must hear first
 *   session_rcpt.c  recipients and their settings
 *   session_cmd.c   client commands
 *   session_queue.c the replies that are owed for them
 *   session_reply.c the server's replies, and what they change: the envelope
 *   session_act.c   what the actions of the transition table do
 *   session_mail.c  one message: body in, scan, policy
 *   session_clean.c the cleaned message in its place
 *   session_head.c  what is added to it
 *   session_send.c  its way to the server
 *   session_bdat.c  its way in by BDAT
 *   session_log.c   the summary line and its fellows */
#ifndef ESETS_SESSION_INT_H
#define ESETS_SESSION_INT_H

#include "conf.h"
#include "hdr.h"
#include "policy.h"
#include "session.h"
#include "smtp_cmd.h"
#include "smtp_dot.h"
#include "verdict.h"

#define SESSION_CMD_MAX 4096u        /* command line with CR LF */
#define SESSION_AUTH_MAX 12288u      /* line of an AUTH exchange, RFC 4954 4 */
#define SESSION_QUEUE_MAX 1024u      /* commands whose replies are owed */
#define SESSION_OUT_HIGH (64u << 10) /* above this no more is produced */
#define SESSION_IN_HIGH (16u << 10)  /* above this no more is read ahead */
#define SESSION_ENVELOPE_MAX (4u << 20) /* octets of lines kept for a replay */
#define SESSION_CLOSE_MS 10000       /* for the last reply to be written */

/* A command whose reply is owed to the client. */
struct session_pending {
	uint8_t verb;          /* enum smtp_verb */
	bool has_dot;          /* DATA: 354 came, and our lone dot went out */
	const char *local;     /* our own reply, or NULL: the server owes it */
	const char *instead;   /* said in place of the server's reply, or NULL */
	char *line;            /* MAIL, RCPT, EHLO, HELO, XFORWARD: kept until the
	                        * reply says whether it holds; else NULL */
	struct conf_settings settings; /* of RCPT, if they were looked up */
};

enum session_fail { FAIL_NONE, FAIL_TOO_BIG, FAIL_STORAGE, FAIL_LOOP, FAIL_BARE,
	FAIL_CLEAN, FAIL_QUARANTINE };

#define SESSION_WHY_MAX (VERDICT_NAME_MAX + 64u)

/* Additions to a message, in the order of their offsets in the spool. */
#define SESSION_HEAD_MAX (HDR_SUBJECTS_MAX + 2)
struct session_head {
	bool made;
	struct buf text;             /* of all that were not given yet */
	uint64_t at[SESSION_HEAD_MAX];
	size_t len[SESSION_HEAD_MAX];
	unsigned n, next;
};

/* The message as the scanner cleaned it, while it is read. */
struct session_clean {
	bool is_open;
	int fd;
	uint64_t at;                 /* read up to here */
};

#define SESSION_QUEUE_ID_MAX 64

struct session_msg {
	struct spool *spool;
	struct smtp_dot dot;
	struct smtp_stuff stuff;
	struct hdr_scan hdr;
	enum session_fail fail;
	bool is_binary;              /* BODY=BINARYMIME: octets, by BDAT only */
	bool by_bdat;
	uint64_t size_max;           /* 0 none */
	uint64_t size;               /* octets of the decoded body as it came in */
	uint64_t received;           /* octets of its chunks as they came */
	uint64_t sent;               /* octets of the spool given to the server */
	struct session_head head;
	bool end_queued;             /* the end of data is in s_out, or beyond */
	bool dialled_again;
	unsigned replay_step;        /* lines given to the new connection */
	long long replay_ms;         /* when that was asked for */
	long long start_ms, eod_ms, verdict_ms;
	long long eod_us, verdict_us;       /* for what is counted */
	const struct conf_scan *settings;   /* the envelope's */
	char section[160];                  /* whose they are, for the log */
	struct verdict verdict;
	struct session_clean clean;
	bool has_verdict;            /* a scan gave one */
	struct policy_result result;
	struct policy_result would;  /* policy_dry_run: what it was not, else accept */
	bool would_clean;            /* and it would have been cleaned */
	char first_rcpt[256], sender[256];
	char reply[160];             /* the client's, cleaned, for the log */
};

/* session.c */
void session_event(struct session *s, enum session_event e);
void session_set_state(struct session *s, enum session_state next);
/* The one place where a session ends: reason, last reply, state CLOSE. */
void session_close(struct session *s, enum session_end why);
/* A reply of our own, without CR LF. */
void session_say(struct session *s, const char *text);
/* Octets to either side; out of memory ends the session. */
void session_to_client(struct session *s, const void *p, size_t n);
void session_to_server(struct session *s, const void *p, size_t n);
/* Closes the server connection and forgets what was meant for it. */
void session_drop_server(struct session *s);
/* Goes on with input that waits. */
void session_run(struct session *s);
/* Sets the log's context to session and message. */
void session_log_ctx(const struct session *s);

/* session_debug.c: what is said, for clients in debug_clients; whole lines, or
 * a line and its end in a call each. Never what is in a body. */
enum session_way { SESSION_FROM_CLIENT, SESSION_TO_CLIENT, SESSION_FROM_SERVER, SESSION_TO_SERVER };
void session_debug_lines(struct session *s, enum session_way way, const void *data, size_t n);
static inline void session_debug(struct session *s, enum session_way way, const void *data,
	size_t n)
{
	if (s->is_debugged)
		session_debug_lines(s, way, data, n);
}

/* session_cmd.c */
/* One command of the input; returns octets taken, 0: none can be now. */
size_t session_cmd_next(struct session *s, const char *p, size_t n);
size_t session_cmd_auth(struct session *s, const char *p, size_t n);
size_t session_cmd_orphan(struct session *s, const char *p, size_t n);

/* session_queue.c */
bool session_is_owed(const struct session *s);
/* Is QUIT the only command whose reply is owed? */
bool session_queue_is_quit(const struct session *s);
/* Entry i, the oldest first. */
struct session_pending *session_queue_at(const struct session *s, unsigned i);
/* A new last entry; NULL: no memory. */
struct session_pending *session_queue_push(struct session *s);
void session_queue_pop(struct session *s);
/* Gives the client the replies of our own whose turn has come. */
void session_queue_flush(struct session *s);
/* A reply of our own in its turn; text is not copied. */
void session_queue_answer(struct session *s, const char *text);

/* session_reply.c */
/* The reply in s->reply answers the oldest command of the queue. */
void session_reply_take(struct session *s);
void session_reply_fini(struct session *s);
void session_envelope_clear(struct session *s);
void session_xforward_clear(struct session *s);
/* What the EHLO filter needs to know of this client. */
struct smtp_ehlo_cfg session_ehlo_cfg(const struct session *s);

/* session_greet.c */
void session_greet_up(struct session *s);
void session_greet_banner(struct session *s);
void session_greet_xclient(struct session *s);
void session_greet_end(struct session *s, bool taken);
void session_greet_fini(struct session *s);
/* Our own EHLO line, without line end. */
const char *session_greet_ehlo(const struct session *s, char *out, size_t size);

/* session_act.c */
void session_act(struct session *s, enum session_action a);

/* session_rcpt.c */
enum session_rcpt {
	SESSION_RCPT_GOES, SESSION_RCPT_DEFERRED, SESSION_RCPT_WAITS,
	SESSION_RCPT_UNCLEAR, /* MAIL too: no address that is read in one way only */
};
/* The address of a MAIL or RCPT line, into it; its length. */
size_t session_path(const char *line, size_t len, enum smtp_verb verb, const char **addr_out);
/* What stands behind the address of a MAIL line. An address may look like a
 * parameter inside its quotes, and is none. */
size_t session_mail_params(const char *line, size_t len, const char **params_out);
/* SIZE of an accepted MAIL line (RFC 1870), 0 none. */
uint64_t session_mail_size(const char *line, size_t len);
bool session_mail_has(const char *line, size_t len, const char *name, const char *value);
/* May this command go on now? Its settings, where they had to be looked up.
 * It waits only while replies are owed. */
enum session_rcpt session_rcpt_check(const struct session *s, const struct smtp_cmd *cmd,
	struct conf_settings *out);
void session_rcpt_log_deferred(const struct smtp_cmd *cmd, const struct conf_settings *settings);
/* The server has taken a recipient: what it means for the settings. */
void session_rcpt_accepted(struct session *s, const struct session_pending *p);
void session_rcpt_clear(struct session_envelope *e);

/* session_mail.c */
bool session_mail_begin(struct session *s, bool by_bdat);
size_t session_mail_input(struct session *s, const char *p, size_t n);
/* Octets of the body already without framing: of a chunk, or cleaned ones. */
void session_mail_chunk(struct session *s, const char *p, size_t n);
void session_mail_chunks_end(struct session *s);
void session_mail_decide(struct session *s);
void session_mail_hold(struct session *s);
/* Why the message could not be taken, as a reply; NULL: it could. */
const char *session_mail_fail_reply(const struct session_msg *m);
/* The message has had its reply: logs it and forgets it. */
void session_mail_done(struct session *s, const char *outcome);
void session_mail_free(struct session *s);

/* session_bdat.c */
void session_bdat_begin(struct session *s, const struct smtp_cmd *cmd);
size_t session_bdat_input(struct session *s, const char *p, size_t n);

/* The client's name for the message: what XFORWARD said, else what the Received field
 * on top says, where the client is trusted. "" none. May be in buf. */
const char *session_mail_queue_id(const struct session *s, char buf[SESSION_QUEUE_ID_MAX]);
/* Why a message was not accepted, in words for the client. out holds
 * SESSION_WHY_MAX octets; returns it. */
const char *session_mail_why(const struct session_msg *m, enum policy_level by, char *out);

/* session_clean.c */
/* Begins to put the message of that descriptor, which it takes, into the place
 * of the spooled one. From here on that one is lost: what fails must be
 * deferred. 0; -1 no memory. */
int session_clean_begin(struct session *s, int fd);
/* Reads a bounded piece. 1 it is whole, 0 call again in the next turn, -1 not
 * to be had, for this reason. */
int session_clean_step(struct session *s, const char **why_out);
void session_clean_fini(struct session_clean *c);

/* session_head.c */
/* 0; -1 no memory, or the spool can't be read. */
int session_head_make(struct session *s);
void session_head_fini(struct session_head *h);

/* session_send.c */
/* DATA, or BDAT for what can't go by DATA. */
void session_send_begin(struct session *s);
void session_send_fill(struct session *s);
/* Call after s_out was written, and before input of the server is looked at. */
void session_send_check(struct session *s);

/* session_log.c */
void session_log_message(const struct session *s, const char *outcome);
/* All of a message is at the server, and what it says of it will not be heard. */
void session_log_unconfirmed(void);
void session_log_connect(const struct session *s);
void session_log_close(const struct session *s, const char *reason);

#endif
