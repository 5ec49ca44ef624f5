/* notify.c - what is told at a detection, and how often, see notify.h. Pure,
 * but for the worker's one send. */
#include "notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "kv.h"
#include "quar_meta.h"
#include "str.h"

#define MINUTE_MS 60000
#define LOG_BURST 3

static struct log_limit lost;

/* --- record ------------------------------------------------------------------ */

static void take_rcpts(struct notify_record *r, const struct scan_request *q)
{
	size_t at = 0;

	for (unsigned i = 0; i < q->nrcpts; i++) {
		int n = snprintf(r->rcpts + at, sizeof r->rcpts - at, "%s%s", i > 0 ? ", " : "",
			q->rcpts[i]);
		if (n < 0 || (size_t)n >= sizeof r->rcpts - at) {
			r->rcpts[at] = '\0'; /* no half address */
			return;
		}
		at += (size_t)n;
	}
}

bool notify_record_fill(struct notify_record *r, const struct scan_request *q,
	const struct verdict *v, int64_t time_s)
{
	/* One that could not be kept is deferred: it comes again, and is told then. */
	if ((v->av & (VERDICT_AV_INFECTED | VERDICT_AV_DELETED)) == 0 ||
	    v->quarantine == VERDICT_QUARANTINE_FAILED)
		return false;
	memset(r, 0, sizeof *r); /* no octet of our stack goes to the master */
	r->magic = NOTIFY_MAGIC;
	r->av = v->av;
	r->time_s = time_s;
	r->size = q->size;
	r->nrcpts = q->nrcpts_total;
	str_copy(r->virus, sizeof r->virus, v->virus);
	str_copy(r->agent, sizeof r->agent, q->agent);
	str_copy(r->id, sizeof r->id, q->id);
	str_copy(r->queue_id, sizeof r->queue_id, q->queue_id);
	str_copy(r->client, sizeof r->client, q->client);
	str_copy(r->helo, sizeof r->helo, q->helo);
	str_copy(r->name, sizeof r->name, q->name);
	str_copy(r->sender, sizeof r->sender, q->sender);
	str_copy(r->sha256, sizeof r->sha256, v->sha256);
	str_copy(r->quarantine_id, sizeof r->quarantine_id, v->quarantine_id);
	take_rcpts(r, q);
	return true;
}

/* --- environment --------------------------------------------------------------- */

struct env_text {
	struct notify_env *env;
	unsigned n;
	size_t at;
	bool is_full;
};

/* size: of the field, which need not end in a NUL. */
static void put(struct env_text *t, const char *name, const char *value, size_t size)
{
	size_t len = strnlen(value, size), head = strlen(name) + 1;
	char *out = t->env->text + t->at;

	if (t->n + 1 >= NOTIFY_ENV_MAX || head + len + 1 > sizeof t->env->text - t->at) {
		t->is_full = true;
		return;
	}
	memcpy(out, name, head - 1);
	out[head - 1] = '=';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];
		out[head + i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	out[head + len] = '\0';
	t->env->vars[t->n++] = out;
	t->at += head + len + 1;
}

static void put_number(struct env_text *t, const char *name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)v);
	put(t, name, text, sizeof text);
}

static void put_time(struct env_text *t, int64_t time_s)
{
	char text[32];
	time_t at = (time_t)time_s;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
	put(t, "ESETS_TIME", text, sizeof text);
}

bool notify_env_fill(struct notify_env *env, const struct notify_record *r)
{
	struct env_text t = { .env = env };
	const char *status = (r->av & VERDICT_AV_INFECTED) != 0 ? "infected" : "deleted";
	char id[QUAR_ID_SIZE];

	if (r->magic != NOTIFY_MAGIC)
		return false;
	str_copy_n(id, sizeof id, r->quarantine_id, strnlen(r->quarantine_id, QUAR_ID_LEN));
	put(&t, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 100);
	put(&t, "LC_ALL", "C", 1);
	put(&t, "ESETS_STATUS", status, strlen(status));
	put(&t, "ESETS_VIRUS", r->virus, sizeof r->virus);
	put(&t, "ESETS_AGENT", r->agent, sizeof r->agent);
	put(&t, "ESETS_ID", r->id, sizeof r->id);
	put(&t, "ESETS_QUEUE_ID", r->queue_id, sizeof r->queue_id);
	put(&t, "ESETS_CLIENT", r->client, sizeof r->client);
	put(&t, "ESETS_HELO", r->helo, sizeof r->helo);
	put(&t, "ESETS_NAME", r->name, sizeof r->name);
	put(&t, "ESETS_SENDER", r->sender, sizeof r->sender);
	put(&t, "ESETS_RECIPIENTS", r->rcpts, sizeof r->rcpts);
	put_number(&t, "ESETS_RECIPIENT_COUNT", r->nrcpts);
	put_number(&t, "ESETS_SIZE", r->size);
	put(&t, "ESETS_SHA256", r->sha256, sizeof r->sha256);
	put(&t, "ESETS_QUARANTINE_ID", quar_id_is_valid(id) ? id : "", sizeof id);
	put_time(&t, r->time_s);
	env->vars[t.n] = NULL;
	return !t.is_full;
}

/* --- rate ------------------------------------------------------------------------ */

bool notify_rate_take(struct notify_rate *r, long long now_ms, unsigned max)
{
	if (r->count == 0 && r->left_out == 0)
		r->start_ms = now_ms;
	if (r->count >= max) {
		r->left_out++;
		return false;
	}
	r->count++;
	return true;
}

unsigned notify_rate_report(struct notify_rate *r, long long now_ms)
{
	unsigned left_out = r->left_out;

	if (r->count + r->left_out == 0 || now_ms - r->start_ms < MINUTE_MS)
		return 0;
	*r = (struct notify_rate){ .start_ms = 0 };
	return left_out;
}

/* --- worker ------------------------------------------------------------------------ */

void notify_send(int fd, const struct scan_request *q, const struct verdict *v)
{
	struct notify_record r;

	if (fd < 0 || !notify_record_fill(&r, q, v, time(NULL)))
		return;
	if (send(fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && log_limited(&lost, LOG_BURST))
		log_warning("exec_script: a detection could not be told: %s", strerror(errno));
}
