/* engine_rspamd.c - rspamd as an engine.
 *
 * The whole message goes to it once, by POST /checkv2 with the envelope in
 * headers; whatever of that could not stand in a header is left out. It is one
 * request of HTTP/1.0 on a connection of its own: rspamd drops the scan when
 * the connection goes. rspamd's action decides what is spam, unless
 * as_spam_score is set; "soft reject" is no verdict either way. */
#include "engine_rspamd.h"

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "engine_ext.h"
#include "http_reply.h"
#include "rspamd_reply.h"
#include "str.h"

#define RCPTS_MAX 100           /* of its header: rspamd bounds that */
#define QUESTION_MAX (256u << 10)   /* a hundred recipients, and all the rest */
#define ANSWER_MAX (4u << 20)
#define URL_MAX 1024

static struct engine_ext ext = { .what = "rspamd", .gate = ENGINE_GATE_RSPAMD, .port = 80 };
static char host[URL_MAX];      /* with the port, as in the URL */
static char prefix[URL_MAX];    /* what stands before /checkv2 */

struct question {
	const struct engine_object *o;
	const struct scan_request *req;
};

/* --- HTTP -------------------------------------------------------------------- */

static int parse_http(const char *p, size_t n, bool is_end, void *answer, const char **why_out)
{
	return http_reply_parse(p, n, is_end, answer, why_out);
}

static int put(struct buf *b, const char *name, const char *value)
{
	return engine_conn_is_header(value) ? buf_printf(b, "%s: %s\r\n", name, value) : 0;
}

static int put_envelope(struct buf *b, const struct scan_request *r)
{
	struct net_addr ip;
	int rc = 0;

	if (r->sender[0] != '\0')
		rc |= put(b, "From", r->sender);
	else if (r->nrcpts > 0)
		rc |= put(b, "From", "<>");
	for (unsigned i = 0; i < r->nrcpts && i < RCPTS_MAX; i++)
		rc |= put(b, "Rcpt", r->rcpts[i]);
	if (net_addr_parse(r->client, &ip) == 0)
		rc |= put(b, "IP", r->client);
	return rc | put(b, "Helo", r->helo) | put(b, "Queue-Id", r->queue_id);
}

static int make_head(struct buf *head, const struct question *q)
{
	int rc = buf_printf(head, "POST %s/checkv2 HTTP/1.0\r\nHost: %s\r\n"
		"Content-Type: text/plain\r\nContent-Length: %zu\r\n", prefix, host, q->o->len);

	return rc | put_envelope(head, q->req) | buf_append_str(head, "\r\n");
}

/* --- a scan ---------------------------------------------------------------------- */

static int refused(struct engine_conn *c, int status, const char *error)
{
	char text[VERDICT_NAME_MAX], clean[RSPAMD_WORD_MAX];

	str_clean(clean, sizeof clean, error, strlen(error));
	snprintf(text, sizeof text, "HTTP status %d %s", status, clean);
	return engine_conn_garbage(c, text);
}

static enum engine_status judge(const struct rspamd_reply *reply, uint32_t limit,
	struct engine_result *r)
{
	const enum rspamd_means means = rspamd_reply_means(reply);
	char clean[RSPAMD_WORD_MAX];

	r->score_milli = reply->score_milli;
	if (means == RSPAMD_LATER || (means == RSPAMD_UNKNOWN && limit == 0)) {
		snprintf(r->reason, sizeof r->reason, "rspamd: action %s",
			str_clean(clean, sizeof clean, reply->action, strlen(reply->action)));
		return ENGINE_NOTSCANNED;
	}
	bool is_spam = limit != 0 ? reply->score_milli >= (int)limit : means == RSPAMD_SPAM;
	return is_spam ? ENGINE_FOUND : ENGINE_CLEAN;
}

static int talk(struct engine_conn *c, struct engine_peer *peer, void *arg,
	enum engine_status *status_out, struct engine_result *r)
{
	const struct question *q = arg;
	struct buf head = BUF_INIT(QUESTION_MAX), in = BUF_INIT(ANSWER_MAX);
	struct http_reply http = { .status = 0 };
	struct rspamd_reply reply;
	const char *why;

	(void)peer;
	int rc = make_head(&head, q) < 0 ? engine_conn_garbage(c, "no memory for a question") :
		engine_conn_ask(c, &head, q->o, &in, parse_http, &http);
	if (rc >= 0) {
		int parsed = rspamd_reply_parse(http.body, http.body_len, &reply, &why);
		if (http.status != 200 || reply.error[0] != '\0')
			rc = refused(c, http.status, reply.error);
		else if (parsed < 0 || rc == 1)
			rc = engine_conn_garbage(c, parsed < 0 ? why :
				"an answer before the end of the message");
		else
			*status_out = judge(&reply, q->req->opts.as_spam_score_milli, r);
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

/* --- how it does -------------------------------------------------------------------- */

static int probe(struct engine_conn *c, struct engine_peer *peer)
{
	char text[3 * URL_MAX];
	struct buf in = BUF_INIT(HTTP_HEAD_MAX + 4096);
	struct http_reply http = { .status = 0 };

	(void)peer;
	int n = snprintf(text, sizeof text, "GET %s/ping HTTP/1.0\r\nHost: %s\r\n\r\n", prefix,
		host);
	int rc = engine_conn_send(c, text, (size_t)n, false);
	if (rc >= 0)
		rc = engine_conn_answer(c, &in, parse_http, &http);
	if (rc == 0 && http.status >= 500)
		rc = refused(c, http.status, "");
	buf_fini(&in);
	return rc;
}

/* http://HOST[:PORT][/PREFIX], as the configuration has checked. */
static int load(const struct conf *c)
{
	const char *p = c->global.rspamd_url + strlen("http://");
	const size_t n = strcspn(p, "/");

	str_copy_n(host, sizeof host, p, n);
	str_copy(prefix, sizeof prefix, p + n);
	for (size_t k = strlen(prefix); k > 0 && prefix[k - 1] == '/'; k--)
		prefix[k - 1] = '\0';
	ext.probe = probe;
	return engine_ext_load(&ext, host, c);
}

static size_t version(char *out, size_t size)
{
	return (size_t)snprintf(out, size, "rspamd");
}

static void watch(const struct engine_call *call)
{
	engine_ext_watch(&ext, call);
}

static bool is_up(void)
{
	return engine_ext_is_up(&ext);
}

const struct engine engine_rspamd = {
	.name = "rspamd", .load = load, .version = version, .as = as, .watch = watch,
	.is_up = is_up, .ext = &ext,
};
