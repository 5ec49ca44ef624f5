/* engine_spamd.c - spamd as an engine.
 *
 * The whole message goes to it once, by CHECK; with the log class debug by
 * HEADERS, which has the same verdict and the header that SpamAssassin would
 * write, so that the log shows the rules. "User:" is the first recipient, for
 * settings of users that spamd may have. spamd's own limit decides what is
 * spam, unless as_spam_score is set. */
#include "engine_spamd.h"

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "engine_ext.h"
#include "log.h"
#include "spamd_reply.h"
#include "str.h"

#define ANSWER_MAX (1u << 20)
#define PING_MAX (SPAMD_HEAD_MAX + 1)

static struct engine_ext ext = { .what = "spamd", .gate = ENGINE_GATE_SPAMD, .works_on = true };

struct question {
	const struct engine_object *o;
	const struct scan_request *req;
};

static int parse_answer(const char *p, size_t n, bool is_end, void *answer, const char **why_out)
{
	struct spamd_reply *r = answer;
	int got = spamd_reply_parse(p, n, is_end, r);

	*why_out = r->why;
	return got;
}

static int parse_pong(const char *p, size_t n, bool is_end, void *answer, const char **why_out)
{
	struct spamd_reply *r = answer;
	int got = spamd_reply_pong(p, n, is_end, r);

	*why_out = r->why;
	return got;
}

static int make_head(struct buf *head, const struct question *q, bool with_header)
{
	const char *user = q->req->nrcpts > 0 ? q->req->rcpts[0] : "";
	const bool has_user = engine_conn_is_header(user);

	return buf_printf(head, "%s SPAMC/1.5\r\nContent-length: %zu\r\n%s%s%s\r\n",
		with_header ? "HEADERS" : "CHECK", q->o->len, has_user ? "User: " : "",
		has_user ? user : "", has_user ? "\r\n" : "");
}

/* The rules that hit, as SpamAssassin writes them into X-Spam-Status: the field
 * with its folded lines. */
static void log_rules(const struct spamd_reply *r)
{
	static const char field[] = "X-Spam-Status:";
	const char *end = r->body + r->body_len, *lf;
	/* -Wanalyzer-null-argument: a parsed reply has a body, if an empty one */
	const char *at = memmem(r->body, r->body_len, field, sizeof field - 1);
	char text[1000];

	if (at == NULL || (at != r->body && at[-1] != '\n'))
		return;
	lf = at;
	do
		lf = memchr(lf + 1, '\n', (size_t)(end - lf - 1));
	while (lf != NULL && lf + 1 < end && (lf[1] == ' ' || lf[1] == '\t'));
	log_debug("spamd: %s", str_clean(text, sizeof text, at,
		(size_t)((lf != NULL ? lf - 1 : end) - at)));
}

static int talk(struct engine_conn *c, struct engine_peer *peer, void *arg,
	enum engine_status *status_out, struct engine_result *r)
{
	const struct question *q = arg;
	const uint32_t limit = q->req->opts.as_spam_score_milli;
	const bool with_header = log_wants(LC_DEBUG);
	struct buf head = BUF_INIT(4096), in = BUF_INIT(ANSWER_MAX);
	struct spamd_reply reply = { .why = "" };

	(void)peer;
	int rc = make_head(&head, q, with_header) < 0 ?
		engine_conn_garbage(c, "no memory for a question") :
		engine_conn_ask(c, &head, q->o, &in, parse_answer, &reply);
	if (rc == 1) /* who has not read the message cannot judge it */
		rc = engine_conn_garbage(c, "an answer before the end of the message");
	if (rc == 0) {
		r->score_milli = reply.score_milli;
		bool is_spam = limit != 0 ? reply.score_milli >= (int)limit : reply.is_spam;
		*status_out = is_spam ? ENGINE_FOUND : ENGINE_CLEAN;
		if (with_header)
			log_rules(&reply);
	}
	buf_fini(&head);
	buf_fini(&in);
	return rc;
}

static enum engine_status as(const struct engine_object *o, bool is_marked,
	const struct scan_request *req, const struct engine_call *call, struct engine_result *r)
{
	struct question q = { .o = o, .req = req };

	(void)is_marked;
	return engine_ext_ask(&ext, talk, &q, call, r);
}

static int probe(struct engine_conn *c, struct engine_peer *peer)
{
	static const char ping[] = "PING SPAMC/1.5\r\n\r\n";
	struct buf in = BUF_INIT(PING_MAX);
	struct spamd_reply reply;

	(void)peer;
	int rc = engine_conn_send(c, ping, sizeof ping - 1, false);
	if (rc >= 0)
		rc = engine_conn_answer(c, &in, parse_pong, &reply);
	buf_fini(&in);
	return rc;
}

static int load(const struct conf *c)
{
	ext.probe = probe;
	return engine_ext_load(&ext, c->global.spamd_addr, c);
}

static size_t version(char *out, size_t size)
{
	return (size_t)snprintf(out, size, "spamd");
}

static void watch(const struct engine_call *call)
{
	engine_ext_watch(&ext, call);
}

static bool is_up(void)
{
	return engine_ext_is_up(&ext);
}

const struct engine engine_spamd = {
	.name = "spamd", .load = load, .version = version, .as = as, .watch = watch,
	.is_up = is_up, .ext = &ext,
};
