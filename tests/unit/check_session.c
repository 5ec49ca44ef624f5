/* check_session.c - the scripted dialogues of tests/unit/sessions, each whole
 * and cut in several ways, and whether together they reach every cell of the
 * transition table. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "session.h"
#include "session_fsm.h"
#include "session_player.h"
#include "stats.h"
#include "stats_view.h"
#include "unit.h"

#define SCRIPTS_MAX 512

static char *scripts[SCRIPTS_MAX];
static int nscripts;
static char dir[512];

static int is_script(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 4 && strcmp(e->d_name + n - 4, ".txt") == 0;
}

static void find_scripts(void)
{
	const char *src = getenv("srcdir");
	struct dirent **names = NULL;

	snprintf(dir, sizeof dir, "%s/tests/unit/sessions", src != NULL ? src : ".");
	int n = scandir(dir, &names, is_script, alphasort);
	for (int i = 0; i < n; i++) {
		if (nscripts < SCRIPTS_MAX)
			scripts[nscripts++] = strdup(names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

START_TEST(dialogue)
{
	char why[1200] = "";

	for (unsigned mode = 0; mode < SESSION_PLAYER_MODES; mode++)
		ck_assert_msg(session_play(dir, scripts[_i], mode, why, sizeof why), "mode %u: %s",
			mode, why);
}
END_TEST

START_TEST(scripts_found)
{
	ck_assert_int_gt(nscripts, 50);
	ck_assert_int_lt(nscripts, SCRIPTS_MAX);
}
END_TEST

/* While the owner dials there is no connection to end, and no clock of ours. */
static bool is_ruled_out(enum session_state st, enum session_event ev)
{
	return st == ST_CLOSE || (st == ST_DIAL && (ev == EV_GONE || ev == EV_SRVTIME));
}

/* A cell that no script reaches is a decision that nobody has looked at. */
START_TEST(every_cell)
{
	char why[1200], missing[2000] = "";
	size_t w = 0;

	for (int i = 0; i < nscripts; i++)
		session_play(dir, scripts[i], 0, why, sizeof why);
	for (unsigned i = 0; i < SESSION_STATE_COUNT * SESSION_EVENT_COUNT; i++) {
		enum session_state st = (enum session_state)(i / SESSION_EVENT_COUNT);
		enum session_event ev = (enum session_event)(i % SESSION_EVENT_COUNT);
		bool seen = session_play_seen[st][ev];
		if (!seen && !is_ruled_out(st, ev) && session_fsm_step(st, ev).action != ACT_BAD)
			w += (size_t)snprintf(missing + w, w < sizeof missing ? sizeof missing - w : 0,
				" %s/%s", session_state_name(st), session_event_name(ev));
	}
	ck_assert_msg(w == 0, "never reached:%s", missing);
}
END_TEST

/* Each way to end has its own row of counters, of the same name. */
START_TEST(ends_are_counted)
{
	const char *why;
	struct stat st;

	ck_assert_int_eq(fstat(stats_fd(), &st), 0);
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, stats_fd(), 0);
	struct stats_view *v = stats_view_new(map, (size_t)st.st_size, &why);
	ck_assert_ptr_nonnull(v);
	for (unsigned e = SESSION_END_QUIT; e < SESSION_END_COUNT; e++) {
		const struct stats_view_row *r = stats_view_find(v, "sessions_total",
			session_end_name((enum session_end)e));
		ck_assert_msg(r != NULL, "%s", session_end_name((enum session_end)e));
		ck_assert_uint_eq(r->cell, stats_nth(ST_END_QUIT, e - SESSION_END_QUIT));
	}
	stats_view_free(&v);
}
END_TEST

int main(int argc, char **argv)
{
	find_scripts();
	if (stats_init(STATS_AGENT, 1, 1) < 0)
		return 1;
	stats_thread(0, 0);
	/* check_session NAME... plays only these, and says what it thinks of them. */
	for (int i = 1; i < argc; i++) {
		char why[1200];
		for (unsigned mode = 0; mode < SESSION_PLAYER_MODES; mode++)
			printf("%s mode %u: %s\n", argv[i], mode,
				session_play(dir, argv[i], mode, why, sizeof why) ? "ok" : why);
	}
	if (argc > 1)
		return 0;
	Suite *suite = suite_create("session");
	TCase *tc = tcase_create("session");

	tcase_add_test(tc, scripts_found);
	tcase_add_loop_test(tc, dialogue, 0, nscripts);
	tcase_add_test(tc, every_cell);
	tcase_add_test(tc, ends_are_counted);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	int status = unit_run(suite);
	while (nscripts > 0)
		free(scripts[--nscripts]);
	return status;
}
