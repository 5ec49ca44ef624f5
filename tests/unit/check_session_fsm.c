/* check_session_fsm.c - what must hold of the transition table as a whole.
 *
 * What each cell does is shown by the dialogues of check_session; here is what
 * no dialogue can show: that the dangerous actions stand nowhere else. */
#include <stdbool.h>
#include <string.h>

#include "session_fsm.h"
#include "unit.h"

static enum session_action action_of(enum session_state s, enum session_event e)
{
	return session_fsm_step(s, e).action;
}

/* The only cells where an action may stand; checks both directions. */
struct place { enum session_state state; enum session_event event; };

static void only_at(enum session_action a, const struct place *at, size_t n)
{
	size_t found = 0;

	for (unsigned i = 0; i < SESSION_STATE_COUNT * SESSION_EVENT_COUNT; i++) {
		enum session_state s = (enum session_state)(i / SESSION_EVENT_COUNT);
		enum session_event e = (enum session_event)(i % SESSION_EVENT_COUNT);
		bool expected = false;
		for (size_t k = 0; k < n; k++)
			expected |= at[k].state == s && at[k].event == e;
		if (action_of(s, e) == a)
			found++;
		ck_assert_msg((action_of(s, e) == a) == expected, "action %d in %s on %s", (int)a,
			session_state_name(s), session_event_name(e));
	}
	ck_assert_uint_eq(found, n);
}

#define ONLY_AT(action, ...) do {                                          \
	static const struct place at[] = { __VA_ARGS__ };                  \
	only_at(action, at, sizeof at / sizeof *at);                       \
} while (0)

/* I1: a message goes to the server behind its verdict and the server's 354. */
START_TEST(content_only_behind_verdict)
{
	ONLY_AT(ACT_ASK_DATA, { ST_SCAN, EV_PASS });
	ONLY_AT(ACT_SEND, { ST_DATA, EV_R3 });
	ONLY_AT(ACT_DECIDE, { ST_BODY, EV_EOD }, { ST_CHUNK, EV_EOD });
	ONLY_AT(ACT_HOLD, { ST_SCAN, EV_HOLD });
}
END_TEST

/* I2: the server's reply is that of the message only where all was sent. */
START_TEST(accepted_only_behind_dot)
{
	ONLY_AT(ACT_DELIVERED, { ST_DOT, EV_R2 }, { ST_DOT, EV_R4 }, { ST_DOT, EV_R5 });
	ONLY_AT(ACT_EARLY, { ST_SEND, EV_R4 }, { ST_SEND, EV_R5 });
	ONLY_AT(ACT_DATA_REFUSED, { ST_DATA, EV_R4 }, { ST_DATA, EV_R5 });
	ck_assert_int_eq(session_fsm_step(ST_SEND, EV_SENT).next, ST_DOT);
	for (int s = 0; s < SESSION_STATE_COUNT; s++) {
		enum session_state st = (enum session_state)s;
		bool to_dot = session_fsm_step(st, EV_SENT).next == ST_DOT;
		ck_assert(to_dot == (st == ST_SEND));
	}
}
END_TEST

/* I3: the server is dialled again only while no end of data was sent. */
START_TEST(redial_only_before_dot)
{
	ONLY_AT(ACT_REDIAL, { ST_DATA, EV_R421 }, { ST_DATA, EV_GONE }, { ST_SEND, EV_R421 },
		{ ST_SEND, EV_GONE });
	ONLY_AT(ACT_UNKNOWN, { ST_DOT, EV_R3 }, { ST_DOT, EV_GONE }, { ST_DOT, EV_GARBAGE },
		{ ST_DOT, EV_SRVTIME });
}
END_TEST

/* The client may go and the agent may stop at any time. */
START_TEST(always_answered)
{
	for (int i = 0; i < SESSION_STATE_COUNT; i++) {
		enum session_state s = (enum session_state)i;
		ck_assert_int_ne(action_of(s, EV_CLIERR), ACT_BAD);
		ck_assert_int_ne(action_of(s, EV_CLIEOF), ACT_BAD);
		ck_assert_int_ne(action_of(s, EV_STOP), ACT_BAD);
		for (int k = 0; k < SESSION_EVENT_COUNT; k++) {
			ck_assert_int_eq(session_fsm_step(ST_CLOSE, (enum session_event)k).next, ST_CLOSE);
			ck_assert_int_eq(action_of(ST_CLOSE, (enum session_event)k), ACT_NONE);
		}
	}
	/* From the end of data to the final reply a stop waits. */
	ONLY_AT(ACT_STOP_LATER, { ST_SCAN, EV_STOP }, { ST_REPLAY, EV_STOP }, { ST_DATA, EV_STOP },
		{ ST_SEND, EV_STOP }, { ST_DOT, EV_STOP });
}
END_TEST

/* An empty cell ends the session. */
START_TEST(empty_cells)
{
	struct session_step step = session_fsm_step(ST_COMMAND, EV_PASS);

	ck_assert_int_eq(step.action, ACT_BAD);
	ck_assert_int_eq(step.next, ST_CLOSE);
	ck_assert_int_eq(action_of(ST_COMMAND, EV_GARBAGE), ACT_BAD);
	ck_assert_int_eq(action_of(ST_AUTH, EV_R2), ACT_BAD);
	ck_assert_int_eq(action_of(ST_BANNER, EV_R3), ACT_BAD);
}
END_TEST

/* A state that waits for the server knows that its time runs out; one that
 * waits for the client knows the other. */
START_TEST(time_runs_out)
{
	static const enum session_state server[] = { ST_BANNER, ST_COMMAND, ST_REPLAY, ST_DATA,
		ST_SEND, ST_DOT, ST_RSET, ST_XEHLO, ST_XCLIENT };
	static const enum session_state client[] = { ST_COMMAND, ST_AUTH, ST_BODY, ST_CHUNK,
		ST_ORPHAN };

	for (size_t i = 0; i < sizeof server / sizeof *server; i++) {
		ck_assert_int_ne(action_of(server[i], EV_SRVTIME), ACT_BAD);
		ck_assert_int_ne(action_of(server[i], EV_GONE), ACT_BAD);
	}
	for (size_t i = 0; i < sizeof client / sizeof *client; i++)
		ck_assert_int_eq(action_of(client[i], EV_CLITIME), ACT_END_CLITIME);
}
END_TEST

/* Each state can be come to and left. */
START_TEST(reachable)
{
	/* Set by actions, not by the table. */
	bool seen[SESSION_STATE_COUNT] = { [ST_DIAL] = true, [ST_AUTH] = true, [ST_BODY] = true,
		[ST_CHUNK] = true, [ST_XEHLO] = true };

	for (int round = 0; round < SESSION_STATE_COUNT; round++) {
		for (unsigned i = 0; i < SESSION_STATE_COUNT * SESSION_EVENT_COUNT; i++) {
			enum session_state s = (enum session_state)(i / SESSION_EVENT_COUNT);
			if (seen[s])
				seen[session_fsm_step(s, (enum session_event)(i % SESSION_EVENT_COUNT)).next] =
					true;
		}
	}
	for (int s = 0; s < SESSION_STATE_COUNT; s++)
		ck_assert_msg(seen[s], "%s", session_state_name((enum session_state)s));
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(session_state_name(ST_DIAL), "DIAL");
	ck_assert_str_eq(session_state_name(ST_CLOSE), "CLOSE");
	ck_assert_str_eq(session_state_name(SESSION_STATE_COUNT), "?");
	ck_assert_str_eq(session_event_name(EV_UP), "UP");
	ck_assert_str_eq(session_event_name(EV_STOP), "STOP");
	ck_assert_str_eq(session_event_name(SESSION_EVENT_COUNT), "?");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_fsm");
	TCase *tc = tcase_create("session_fsm");

	tcase_add_test(tc, content_only_behind_verdict);
	tcase_add_test(tc, accepted_only_behind_dot);
	tcase_add_test(tc, redial_only_before_dot);
	tcase_add_test(tc, always_answered);
	tcase_add_test(tc, empty_cells);
	tcase_add_test(tc, time_runs_out);
	tcase_add_test(tc, reachable);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
