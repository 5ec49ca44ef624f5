/* status_command.c - --status: asks a running program for its counters and
 * prints them. */
#include "status.h"

#include <string.h>
#include <time.h>

#include "status_sock.h"

#define ANSWER_MS 5000     /* a reload keeps the parent busy for a while */
#define WHY_MAX 256

typedef int (*form_fn)(struct buf *out, const struct stats_view *v, const struct status_now *now);

static struct status_now now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct status_now){ .mono_ms = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000,
		.wall_s = time(NULL) };
}

/* NULL: form was appended, or why not. */
static const char *read_table(const struct status_map *m, const char *program, form_fn form,
	struct buf *out)
{
	const struct status_now t = now();
	const char *why;
	struct stats_view *v = stats_view_new(m->map, m->size, &why);

	if (v == NULL)
		return why;
	if (strcmp(stats_view_program(v), program) != 0)
		why = "another program of the suite answers there";
	else if (form(out, v, &t) < 0)
		why = "out of memory";
	stats_view_free(&v);
	return why;
}

static enum status_exit ask_one(const char *program, const char *path, form_fn form,
	struct buf *out, char why[WHY_MAX])
{
	struct status_map m;
	enum status_sock_result got = status_sock_fetch(path, ANSWER_MS, &m, why, WHY_MAX);

	if (got != STATUS_SOCK_OK)
		return got == STATUS_SOCK_NONE ? STATUS_EX_NOT_RUNNING : STATUS_EX_UNKNOWN;
	const char *wrong = read_table(&m, program, form, out);
	status_sock_unmap(&m);
	if (wrong == NULL)
		return STATUS_EX_RUNNING;
	snprintf(why, WHY_MAX, "%s", wrong);
	return STATUS_EX_UNKNOWN;
}

/* The agent's lines end with how its scanner does. False: that does not run, or
 * cannot be asked. */
static bool tell_daemon(const struct status_ask *ask, FILE *out)
{
	struct buf text = BUF_INIT(STATUS_SIZE_MAX);
	char why[WHY_MAX] = "";
	const bool runs = ask_one("esets_daemon", ask->daemon_path, status_text_engines, &text,
		why) == STATUS_EX_RUNNING;

	if (runs)
		/* -Wanalyzer-null-argument: what runs gave text */
		(void)fwrite(buf_head(&text), 1, buf_len(&text), out);
	else
		fprintf(out, "\nesets_daemon: %s (%s)\n", why, ask->daemon_path);
	buf_fini(&text);
	return runs;
}

enum status_exit status_command(const struct status_ask *ask, FILE *out)
{
	struct buf text = BUF_INIT(STATUS_SIZE_MAX);
	char why[WHY_MAX] = "";
	enum status_exit status = ask_one(ask->program, ask->path,
		ask->json ? status_json : status_text, &text, why);

	if (!buf_is_empty(&text) && status == STATUS_EX_RUNNING)
		/* -Wanalyzer-null-argument: there is text */
		(void)fwrite(buf_head(&text), 1, buf_len(&text), out);
	else if (ask->json)
		fprintf(out, "{\"program\": \"%s\", \"running\": %s, \"error\": \"%s\"}\n",
			ask->program, status == STATUS_EX_NOT_RUNNING ? "false" : "null", why);
	else
		fprintf(out, "%s: %s (%s)\n", ask->program, why, ask->path);
	if (ask->daemon_path != NULL && !ask->json && !tell_daemon(ask, out) &&
	    status == STATUS_EX_RUNNING)
		status = STATUS_EX_NO_DAEMON;
	buf_fini(&text);
	/* Whoever reads half of it must not take it for the whole. */
	return fflush(out) != 0 || ferror(out) ? STATUS_EX_UNKNOWN : status;
}
