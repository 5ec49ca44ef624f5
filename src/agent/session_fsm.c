/* session_fsm.c - the transition table of a session, see session_fsm.h. */
#include "session_fsm.h"

#include <stdbool.h>

struct cell {
	bool used;
	enum session_action action;
	enum session_state next;
};

#define GO(act, st) { true, ACT_##act, ST_##st }

/* The server has gone, or spoke out of turn, while the client sends or the
 * scanner works: the message is kept and the server dialled again later. */
#define LOST_IN(st)                                                              \
	[EV_R2] = GO(LOST, st), [EV_R3] = GO(LOST, st), [EV_R4] = GO(LOST, st),  \
	[EV_R5] = GO(LOST, st), [EV_R421] = GO(LOST, st), [EV_GONE] = GO(LOST, st), \
	[EV_GARBAGE] = GO(LOST, st)

static const struct cell table[SESSION_STATE_COUNT][SESSION_EVENT_COUNT] = {
	[ST_DIAL] = {
		[EV_UP]      = GO(UP, BANNER),
		[EV_DOWN]    = GO(END_DOWN, CLOSE),
		[EV_GONE]    = GO(END_DOWN, CLOSE),
		[EV_SRVTIME] = GO(END_DOWN, CLOSE),
		[EV_CLIEOF]  = GO(CLIEOF, DIAL),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_BANNER] = {
		[EV_R2]      = GO(BANNER, COMMAND),
		[EV_R4]      = GO(BANNER, COMMAND),
		[EV_R5]      = GO(BANNER, COMMAND),
		[EV_R421]    = GO(END_421, CLOSE),
		[EV_GONE]    = GO(END_GONE, CLOSE),
		[EV_SRVTIME] = GO(END_SRVTIME, CLOSE),
		[EV_CLIEOF]  = GO(CLIEOF, BANNER),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_XEHLO] = {
		[EV_R2]      = GO(XCLIENT, XCLIENT),
		[EV_R4]      = GO(XCLIENT_NOT, COMMAND),
		[EV_R5]      = GO(XCLIENT_NOT, COMMAND),
		[EV_R421]    = GO(END_421, CLOSE),
		[EV_GONE]    = GO(END_GONE, CLOSE),
		[EV_SRVTIME] = GO(END_SRVTIME, CLOSE),
		[EV_CLIEOF]  = GO(CLIEOF, XEHLO),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_XCLIENT] = {
		[EV_R2]      = GO(XCLIENT_DONE, COMMAND),
		[EV_R4]      = GO(XCLIENT_NOT, COMMAND),
		[EV_R5]      = GO(XCLIENT_NOT, COMMAND),
		[EV_R421]    = GO(END_421, CLOSE),
		[EV_GONE]    = GO(END_GONE, CLOSE),
		[EV_SRVTIME] = GO(END_SRVTIME, CLOSE),
		[EV_CLIEOF]  = GO(CLIEOF, XCLIENT),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_COMMAND] = {
		[EV_R2]      = GO(REPLY, COMMAND),
		[EV_R3]      = GO(REPLY, COMMAND),
		[EV_R4]      = GO(REPLY, COMMAND),
		[EV_R5]      = GO(REPLY, COMMAND),
		[EV_R421]    = GO(END_421, CLOSE),
		[EV_GONE]    = GO(END_GONE, CLOSE),
		[EV_SRVTIME] = GO(END_SRVTIME, CLOSE),
		[EV_CLIEOF]  = GO(CLIEOF, COMMAND),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_CLITIME] = GO(END_CLITIME, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_AUTH] = {
		[EV_R421]    = GO(END_421, CLOSE),
		[EV_GONE]    = GO(END_GONE, CLOSE),
		[EV_CLIEOF]  = GO(END_CUT, CLOSE),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_CLITIME] = GO(END_CLITIME, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_BODY] = {
		LOST_IN(BODY),
		[EV_EOD]     = GO(DECIDE, SCAN),
		[EV_CLIEOF]  = GO(END_CUT, CLOSE),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_CLITIME] = GO(END_CLITIME, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_CHUNK] = {
		LOST_IN(CHUNK),
		[EV_EOD]     = GO(DECIDE, SCAN),
		[EV_CLIEOF]  = GO(END_CUT, CLOSE),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_CLITIME] = GO(END_CLITIME, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_SCAN] = {
		LOST_IN(SCAN),
		[EV_PASS]    = GO(ASK_DATA, DATA),
		[EV_HOLD]    = GO(HOLD, RSET),
		/* A half-close behind the end of data: the mail is delivered. */
		[EV_CLIEOF]  = GO(CLIEOF, SCAN),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(STOP_LATER, SCAN),
	},
	[ST_REPLAY] = {
		[EV_UP]      = GO(REPLAY_UP, REPLAY),
		[EV_R2]      = GO(REPLAY_NEXT, REPLAY),
		[EV_R3]      = GO(REPLAY_FAIL, ORPHAN),
		[EV_R4]      = GO(REPLAY_FAIL, ORPHAN),
		[EV_R5]      = GO(REPLAY_FAIL, ORPHAN),
		[EV_R421]    = GO(REPLAY_FAIL, ORPHAN),
		[EV_DOWN]    = GO(REPLAY_FAIL, ORPHAN),
		[EV_GONE]    = GO(REPLAY_FAIL, ORPHAN),
		[EV_GARBAGE] = GO(REPLAY_FAIL, ORPHAN),
		[EV_SRVTIME] = GO(REPLAY_FAIL, ORPHAN),
		[EV_CLIEOF]  = GO(CLIEOF, REPLAY),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(STOP_LATER, REPLAY),
	},
	[ST_DATA] = {
		[EV_R3]      = GO(SEND, SEND),
		[EV_R4]      = GO(DATA_REFUSED, RSET),
		[EV_R5]      = GO(DATA_REFUSED, RSET),
		[EV_R2]      = GO(REPLAY_FAIL, ORPHAN),
		[EV_R421]    = GO(REDIAL, REPLAY),
		[EV_GONE]    = GO(REDIAL, REPLAY),
		[EV_GARBAGE] = GO(REPLAY_FAIL, ORPHAN),
		[EV_SRVTIME] = GO(REPLAY_FAIL, ORPHAN),
		[EV_CLIEOF]  = GO(CLIEOF, DATA),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(STOP_LATER, DATA),
	},
	[ST_SEND] = {
		[EV_SENT]    = GO(NONE, DOT),
		[EV_R2]      = GO(REPLAY_FAIL, ORPHAN),
		[EV_R3]      = GO(REPLAY_FAIL, ORPHAN),
		[EV_R4]      = GO(EARLY, ORPHAN),
		[EV_R5]      = GO(EARLY, ORPHAN),
		[EV_R421]    = GO(REDIAL, REPLAY),
		[EV_GONE]    = GO(REDIAL, REPLAY),
		[EV_GARBAGE] = GO(REPLAY_FAIL, ORPHAN),
		[EV_SRVTIME] = GO(REPLAY_FAIL, ORPHAN),
		[EV_CLIEOF]  = GO(CLIEOF, SEND),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(STOP_LATER, SEND),
	},
	[ST_DOT] = {
		[EV_R2]      = GO(DELIVERED, COMMAND),
		[EV_R4]      = GO(DELIVERED, COMMAND),
		[EV_R5]      = GO(DELIVERED, COMMAND),
		[EV_R421]    = GO(FINAL_421, CLOSE),
		[EV_R3]      = GO(UNKNOWN, ORPHAN),
		[EV_GONE]    = GO(UNKNOWN, ORPHAN),
		[EV_GARBAGE] = GO(UNKNOWN, ORPHAN),
		[EV_SRVTIME] = GO(UNKNOWN, ORPHAN),
		[EV_CLIEOF]  = GO(CLIEOF, DOT),
		/* Nobody waits any more, but the outcome is worth a log line. */
		[EV_CLIERR]  = GO(CLIEOF, DOT),
		[EV_STOP]    = GO(STOP_LATER, DOT),
	},
	[ST_RSET] = {
		[EV_R2]      = GO(RESUME, COMMAND),
		/* Not reset: its transaction may be open, nothing more goes there. */
		[EV_R3]      = GO(ORPHAN, ORPHAN),
		[EV_R4]      = GO(ORPHAN, ORPHAN),
		[EV_R5]      = GO(ORPHAN, ORPHAN),
		[EV_R421]    = GO(ORPHAN, ORPHAN),
		[EV_GONE]    = GO(ORPHAN, ORPHAN),
		[EV_GARBAGE] = GO(ORPHAN, ORPHAN),
		[EV_SRVTIME] = GO(ORPHAN, ORPHAN),
		[EV_CLIEOF]  = GO(CLIEOF, RSET),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_ORPHAN] = {
		[EV_CLIEOF]  = GO(CLIEOF, ORPHAN),
		[EV_CLIERR]  = GO(END_CLIERR, CLOSE),
		[EV_CLITIME] = GO(END_CLITIME, CLOSE),
		[EV_STOP]    = GO(END_STOP, CLOSE),
	},
	[ST_CLOSE] = {
#define X(id) [EV_##id] = GO(NONE, CLOSE),
		SESSION_EVENT_LIST(X)
#undef X
	},
};

struct session_step session_fsm_step(enum session_state state, enum session_event event)
{
	const struct cell *c = &table[state][event];

	if (!c->used)
		return (struct session_step){ ACT_BAD, ST_CLOSE };
	return (struct session_step){ c->action, c->next };
}

const char *session_state_name(enum session_state s)
{
	static const char *const names[] = {
#define X(id) #id,
		SESSION_STATE_LIST(X)
#undef X
	};
	return s < SESSION_STATE_COUNT ? names[s] : "?";
}

const char *session_event_name(enum session_event e)
{
	static const char *const names[] = {
#define X(id) #id,
		SESSION_EVENT_LIST(X)
#undef X
	};
	return e < SESSION_EVENT_COUNT ? names[e] : "?";
}
