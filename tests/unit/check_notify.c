/* check_notify.c - what exec_script is told, and how often. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "notify.h"
#include "proc.h"
#include "unit.h"

static const char *const rcpts[] = { "b@example.net", "c@example.net" };

static const struct scan_request request = {
	.id = "4f2a.1", .agent = "smtp", .sender = "a@example.org", .rcpts = rcpts, .nrcpts = 2,
	.nrcpts_total = 5, .client = "192.0.2.1", .helo = "mx.example.org", .queue_id = "4Xy",
	.name = "", .size = 1042,
};

static struct verdict infected(void)
{
	return (struct verdict){ .av = VERDICT_AV_INFECTED, .virus = "Eicar",
		.quarantine = VERDICT_QUARANTINE_STORED,
		.quarantine_id = "20261121-113249-4f3a9c21" };
}

static const char *value_of(const struct notify_env *env, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; env->vars[i] != NULL; i++) {
		if (strncmp(env->vars[i], name, n) == 0 && env->vars[i][n] == '=')
			return env->vars[i] + n + 1;
	}
	ck_abort_msg("no %s", name);
	return NULL;
}

START_TEST(what_is_a_detection)
{
	struct verdict v = infected();
	struct notify_record r;

	ck_assert(notify_record_fill(&r, &request, &v, 1));
	v.av = VERDICT_AV_DELETED | VERDICT_AV_OVERLIMIT;
	ck_assert(notify_record_fill(&r, &request, &v, 1));
	/* it comes again */
	v.quarantine = VERDICT_QUARANTINE_FAILED;
	ck_assert(!notify_record_fill(&r, &request, &v, 1));
	v = (struct verdict){ .av = VERDICT_AV_ENCRYPTED | VERDICT_AV_UNAVAILABLE,
		.as = VERDICT_AS_SPAM };
	ck_assert(!notify_record_fill(&r, &request, &v, 1));
}
END_TEST

START_TEST(environment)
{
	struct verdict v = infected();
	struct notify_record r;
	struct notify_env env;

	ck_assert(notify_record_fill(&r, &request, &v, 1795260769));
	ck_assert(notify_env_fill(&env, &r));
	static const char *const want[][2] = {
		{ "ESETS_STATUS", "infected" }, { "ESETS_VIRUS", "Eicar" }, { "ESETS_AGENT", "smtp" },
		{ "ESETS_ID", "4f2a.1" }, { "ESETS_QUEUE_ID", "4Xy" }, { "ESETS_CLIENT", "192.0.2.1" },
		{ "ESETS_HELO", "mx.example.org" }, { "ESETS_SENDER", "a@example.org" },
		{ "ESETS_RECIPIENTS", "b@example.net, c@example.net" },
		{ "ESETS_RECIPIENT_COUNT", "5" }, { "ESETS_SIZE", "1042" }, { "ESETS_NAME", "" },
		{ "ESETS_TIME", "2026-11-21T11:32:49Z" },
		{ "ESETS_QUARANTINE_ID", "20261121-113249-4f3a9c21" }, { "LC_ALL", "C" },
	};
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		ck_assert_str_eq(value_of(&env, want[i][0]), want[i][1]);
	for (unsigned i = 0; env.vars[i] != NULL; i++)
		ck_assert(strncmp(env.vars[i], "ESETS_", 6) == 0 || strncmp(env.vars[i], "PATH=", 5) == 0 ||
			strcmp(env.vars[i], "LC_ALL=C") == 0);
}
END_TEST

/* A record is not trusted: no NUL at the end of a field, control characters,
 * an id that is none. */
START_TEST(hostile_record)
{
	struct notify_record r;
	struct notify_env env;

	memset(&r, '\n', sizeof r);
	ck_assert(!notify_env_fill(&env, &r));
	r.magic = NOTIFY_MAGIC;
	ck_assert(notify_env_fill(&env, &r));
	for (unsigned i = 0; env.vars[i] != NULL; i++) {
		for (const char *p = env.vars[i]; *p != '\0'; p++)
			ck_assert(*p >= 0x20 && *p != 0x7f);
	}
	ck_assert_uint_eq(strlen(value_of(&env, "ESETS_VIRUS")), sizeof r.virus);
	ck_assert_str_eq(value_of(&env, "ESETS_QUARANTINE_ID"), "");
	memset(&r, 0xff, sizeof r);
	r.magic = NOTIFY_MAGIC;
	memcpy(r.quarantine_id, "../../../../etc/passwd..", sizeof r.quarantine_id);
	ck_assert(notify_env_fill(&env, &r));
	ck_assert_str_eq(value_of(&env, "ESETS_QUARANTINE_ID"), "");
}
END_TEST

START_TEST(long_texts)
{
	static char name[2000];
	const char *many[SCAN_MSG_RCPTS_MAX];
	struct scan_request q = request;
	struct verdict v = infected();
	struct notify_record r;
	struct notify_env env;

	memset(name, 'x', sizeof name - 1);
	for (unsigned i = 0; i < SCAN_MSG_RCPTS_MAX; i++)
		many[i] = "somebody@example.net";
	q.sender = q.helo = q.client = q.queue_id = q.id = q.agent = q.name = name;
	q.rcpts = many;
	q.nrcpts = q.nrcpts_total = SCAN_MSG_RCPTS_MAX;
	ck_assert(notify_record_fill(&r, &q, &v, 1));
	ck_assert_str_eq(r.rcpts + strlen(r.rcpts) - 20, "somebody@example.net");
	ck_assert(notify_env_fill(&env, &r));
	many[0] = name;
	ck_assert(notify_record_fill(&r, &q, &v, 1));
	ck_assert_str_eq(r.rcpts, "");
	/* one packet */
	ck_assert_uint_lt(sizeof r, 4096);
}
END_TEST

START_TEST(rate)
{
	struct notify_rate r = { .start_ms = 0 };
	unsigned ran = 0;

	ck_assert_uint_eq(notify_rate_report(&r, 1000000), 0);
	for (int i = 0; i < 10; i++)
		ran += notify_rate_take(&r, 1000 + i, 3);
	ck_assert_uint_eq(ran, 3);
	ck_assert_uint_eq(notify_rate_report(&r, 60999), 0);
	ck_assert_uint_eq(notify_rate_report(&r, 61000), 7);
	ck_assert_uint_eq(notify_rate_report(&r, 61000), 0);
	ck_assert(notify_rate_take(&r, 62000, 3));
	ck_assert_uint_eq(notify_rate_report(&r, 121999), 0);
	/* nothing was left out, but the minute is over */
	ck_assert_uint_eq(notify_rate_report(&r, 122000), 0);
	for (int i = 0; i < 3; i++)
		ck_assert(notify_rate_take(&r, 122001, 3));
	ck_assert(!notify_rate_take(&r, 122001, 3));
}
END_TEST

START_TEST(worker_never_blocks)
{
	struct verdict v = infected();
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	for (int i = 0; i < 10000; i++)
		notify_send(ends[1], &request, &v);
	close(ends[0]);
	notify_send(ends[1], &request, &v);
	close(ends[1]);
	notify_send(-1, &request, &v);
}
END_TEST

/* --- running it ---------------------------------------------------------- */

static char script[UNIT_PATH_SIZE], out[UNIT_PATH_SIZE + 8];
static struct notify notify;
static const struct proc_identity own = { .drop = false };
static struct conf_global conf = { .exec_script = script, .exec_script_rate = 100 };

static void script_make(const char *body)
{
	int fd = unit_file(script);

	snprintf(out, sizeof out, "%s.out", script);
	ck_assert_int_gt(dprintf(fd, "#!/bin/sh\n{ %s; } >>%s\n", body, out), 0);
	ck_assert_int_eq(fchmod(fd, 0700), 0);
	close(fd);
	ck_assert_int_eq(notify_open(&notify), 0);
}

static void script_end(void)
{
	notify_close(&notify);
}

static unsigned running(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NOTIFY_RUNS_MAX; i++)
		n += notify.runs[i].pid != 0;
	return n;
}

static void tick_until(unsigned want)
{
	for (int i = 0; i < 3000 && (notify_tick(&notify, &conf, &own), running()) > want; i++)
		usleep(5000);
	ck_assert_uint_eq(running(), want);
}

static size_t out_lines(void)
{
	FILE *f = fopen(out, "r");
	size_t n = 0;

	for (int c; f != NULL && (c = getc(f)) != EOF;)
		n += c == '\n';
	if (f != NULL)
		fclose(f);
	return n;
}

/* So many at once; the others wait in the socket. */
START_TEST(few_at_once)
{
	struct verdict v = infected();

	script_make("echo x; sleep 0.2");
	for (int i = 0; i < 10; i++)
		notify_send(notify.write_fd, &request, &v);
	ck_assert(!notify_tick(&notify, &conf, &own));
	ck_assert_uint_eq(running(), NOTIFY_RUNS_MAX);
	tick_until(0);
	ck_assert_uint_eq(out_lines(), 10);
	ck_assert(notify_tick(&notify, &conf, &own));
	script_end();
}
END_TEST

/* With everything it has started. */
START_TEST(killed_when_too_long)
{
	struct verdict v = infected();

	script_make("trap '' TERM; sleep 1000; echo x");
	notify.run_ms = 100;
	notify_send(notify.write_fd, &request, &v);
	notify_tick(&notify, &conf, &own);
	ck_assert_uint_eq(running(), 1);
	pid_t pid = notify.runs[0].pid;
	tick_until(0);
	for (int i = 0; i < 1000 && kill(-pid, 0) == 0; i++)
		usleep(5000);
	ck_assert_int_eq(kill(-pid, 0), -1);
	ck_assert_uint_eq(out_lines(), 0);
	script_end();
}
END_TEST

START_TEST(no_records)
{
	struct verdict v = infected();
	struct notify_record r;

	script_make("echo x");
	for (int i = 0; i < 20; i++)
		ck_assert_int_gt(send(notify.write_fd, "rubbish", 1 + (size_t)i % 7, 0), 0);
	memset(&r, 0, sizeof r);
	ck_assert_int_gt(send(notify.write_fd, &r, sizeof r, 0), 0);
	notify_send(notify.write_fd, &request, &v);
	notify_tick(&notify, &conf, &own);
	ck_assert_uint_eq(running(), 1);
	tick_until(0);
	ck_assert_uint_eq(out_lines(), 1);
	/* none is set any more: what waits is thrown away */
	notify_send(notify.write_fd, &request, &v);
	conf.exec_script = "";
	ck_assert(notify_tick(&notify, &conf, &own));
	conf.exec_script = script;
	ck_assert(notify_tick(&notify, &conf, &own));
	ck_assert_uint_eq(running(), 0);
	script_end();
}
END_TEST

START_TEST(rate_holds)
{
	struct verdict v = infected();

	script_make("echo x");
	conf.exec_script_rate = 2;
	for (int i = 0; i < 9; i++)
		notify_send(notify.write_fd, &request, &v);
	notify_tick(&notify, &conf, &own);
	tick_until(0);
	ck_assert_uint_eq(out_lines(), 2);
	ck_assert_uint_eq(notify.rate.left_out, 7);
	conf.exec_script_rate = 100;
	script_end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("notify");

	tcase_add_test(t, what_is_a_detection);
	tcase_add_test(t, environment);
	tcase_add_test(t, hostile_record);
	tcase_add_test(t, long_texts);
	tcase_add_test(t, rate);
	tcase_add_test(t, worker_never_blocks);
	suite_add_tcase(s, t);
	t = tcase_create("run");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, few_at_once);
	tcase_add_test(t, killed_when_too_long);
	tcase_add_test(t, no_records);
	tcase_add_test(t, rate_holds);
	suite_add_tcase(s, t);
	return unit_run(s);
}
