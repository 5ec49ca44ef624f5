/* session_fsm.h - what a session does when something happens. Pure.
 *
 * A table (state, event) -> (action, next state). An empty cell is something
 * that cannot happen in order: its action is ACT_BAD, which ends the session
 * with 421. States and events are lists, so enum, names and table cannot
 * drift apart. What the actions do is in session_act.c.
 *
 *   DIAL ─ BANNER ─ COMMAND ⇄ AUTH          the relay
 *             └ XEHLO ─ XCLIENT ┘            only with server_xclient
 *                     │ DATA (354 by the agent)     BDAT: CHUNK ⇄ COMMAND,
 *                     │                             SCAN behind the last
 *                   BODY ─ SCAN ─┬─ DATA ─ SEND ─ DOT ─► COMMAND     accepted
 *                                │    ▲
 *                                │  REPLAY (the server had gone)
 *                                └─ RSET ─► COMMAND       not accepted
 *   ORPHAN: the server has gone, the client gets 421 for its next command
 *   CLOSE: what is owed to the client is still written */
#ifndef ESETS_SESSION_FSM_H
#define ESETS_SESSION_FSM_H

#define SESSION_STATE_LIST(X)                              \
	X(DIAL)    /* connecting to the server */          \
	X(BANNER)  /* connected, no banner yet */          \
	X(XEHLO)   /* server_xclient: our own EHLO is out */ \
	X(XCLIENT) /* and then our XCLIENT */              \
	X(COMMAND) /* commands and replies are relayed */  \
	X(AUTH)    /* 334 was relayed: an opaque line */   \
	X(BODY)    /* the client sends the message */      \
	X(CHUNK)   /* the same, a chunk of BDAT */         \
	X(SCAN)    /* the scanner has it */                \
	X(REPLAY)  /* the envelope goes to a new server connection */ \
	X(DATA)    /* DATA was sent, 354 is awaited */     \
	X(SEND)    /* the message goes to the server */    \
	X(DOT)     /* all sent, its reply is awaited */    \
	X(RSET)    /* the agent's own RSET is out */       \
	X(ORPHAN)  \
	X(CLOSE)

#define SESSION_EVENT_LIST(X)                                   \
	X(UP)      /* connected to the server */                \
	X(DOWN)    /* no server address answers */              \
	X(R2) X(R3) X(R4) X(R5)  /* a reply, by first digit; 3: 354, for AUTH 334 */ \
	X(R421)    /* a reply 421 */                            \
	X(GONE)    /* server closed or failed */                \
	X(GARBAGE) /* server sent what is no reply, or none here */ \
	X(SRVTIME) /* server let its time go by */              \
	X(EOD)     /* end of data from the client */            \
	X(PASS)    /* the policy accepts the message */         \
	X(HOLD)    /* it does not, or the message can't be taken */ \
	X(SENT)    /* the last octet of the message has left us */ \
	X(CLIEOF)  /* client closed its sending side */         \
	X(CLIERR)  /* client connection broke */                \
	X(CLITIME) /* client let its time go by */              \
	X(STOP)    /* the agent is told to terminate */

enum session_state {
#define X(id) ST_##id,
	SESSION_STATE_LIST(X)
#undef X
	SESSION_STATE_COUNT
};

enum session_event {
#define X(id) EV_##id,
	SESSION_EVENT_LIST(X)
#undef X
	SESSION_EVENT_COUNT
};

#define SESSION_ACTION_LIST(X)                                                    \
	X(BAD)          /* out of order: 421 and the end */                       \
	X(NONE)                                                                   \
	X(UP)           /* connected: what the server must know first */          \
	X(BANNER)       /* pass the banner on, or our EHLO first */               \
	X(XCLIENT)      /* our EHLO was answered: XCLIENT, if it is offered */    \
	X(XCLIENT_DONE) /* the new banner is the client's */                      \
	X(XCLIENT_NOT)  /* the first one is, after all */                         \
	X(REPLY)        /* the reply belongs to the oldest command */             \
	X(END_421)      /* pass the server's 421 on and end */                    \
	X(END_GONE)     /* 421 of our own, end */                                 \
	X(END_DOWN)     /* 421 4.4.1, end */                                      \
	X(END_SRVTIME)  /* 421 4.4.2, end */                                      \
	X(END_CLITIME)  /* 421 4.4.2, end */                                      \
	X(END_STOP)     /* 421 4.3.2, end */                                      \
	X(END_CLIERR)   /* nothing more to say */                                 \
	X(CLIEOF)       /* end once everything owed was answered */               \
	X(END_CUT)      /* client left in the middle of a message */              \
	X(STOP_LATER)   /* end once the message has its reply */                  \
	X(LOST)         /* server has gone while its turn has not come */         \
	X(DECIDE)       /* scan the message, or decide without */                 \
	X(ASK_DATA)     /* DATA to the server, or replay first */                 \
	X(HOLD)         /* our own reply to the message, RSET to the server */    \
	X(REPLAY_UP)    /* connected again: wait for the banner */                \
	X(REPLAY_NEXT)  /* next line of the replay, DATA at its end */            \
	X(REPLAY_FAIL)  /* 451 4.4.2 */                                           \
	X(SEND)         /* headers and body */                                    \
	X(DATA_REFUSED) /* the reply to DATA is the reply to the message */       \
	X(REDIAL)       /* server went before the dot: once more */               \
	X(EARLY)        /* server refused in the middle of the message */         \
	X(DELIVERED)    /* the server's reply is the client's */                  \
	X(FINAL_421)    /* 421 to the dot: the client's reply, and the end */      \
	X(UNKNOWN)      /* the dot was sent, no reply came: 451 */                \
	X(RESUME)       /* our RSET was answered: go on */                        \
	X(ORPHAN)       /* server has gone between messages of our own */

enum session_action {
#define X(id) ACT_##id,
	SESSION_ACTION_LIST(X)
#undef X
	SESSION_ACTION_COUNT
};

struct session_step {
	enum session_action action;
	enum session_state next;  /* set before the action runs, which may set another */
};

/* The step for an event; ACT_BAD and ST_CLOSE for an empty cell. */
struct session_step session_fsm_step(enum session_state state, enum session_event event);
const char *session_state_name(enum session_state s);
const char *session_event_name(enum session_event e);

#endif
