/* inst_check.c - does the hook do what it is for? See inst_int.h.
 *
 * Mails go to the agent itself, whose answer tells what it did, and to Postfix's
 * own port. That one of these has come to the filter from the queue is told by the
 * filter's counters, as far as they can be read: what Postfix is told to do need not
 * be what it does. They are for Postfix's double-bounce address, whose mail it
 * throws away by itself, so nobody gets one. The EICAR test file stands in here in
 * pieces only: scanners would find it in this program. */
#include "inst_int.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp_dot.h"
#include "smtp_link.h"
#include "smtp_send.h"
#include "stats_view.h"
#include "status_sock.h"
#include "str.h"

#define STEP_MS 30000
#define QUEUE_WAIT_MS 30000
#define QUEUE_POLL_MS 250
#define UNSEEN_MAX 12            /* times in a row that it is in neither place */
#define COUNTERS_MS 2000
#define RELOAD_WAIT_MS 10000
#define RELOAD_POLL_MS 250
#define MAIL_MAX 1024
#define NOT_READ "esets_smtp has not read it yet (reload it)"
#define DISCARDED "Message discarded"   /* the agent's own words for it */

static const char *const eicar[] = { "X5O!P%@AP[4\\PZX54", "(P^)7CC)7}$EICAR-STAND",
	"ARD-ANTIVIRUS-TEST", "-FILE!$H+H*" };

struct mail {
	char text[MAIL_MAX];       /* as it goes over the wire, stuffed, with its end */
	size_t len;
	struct smtp_send_job job;
	const char *rcpts[1];
};

struct outcome {
	bool is_taken;             /* the server said 2xx to the content */
	char text[400];            /* its reply, or what went wrong; cleaned */
	char queue_id[64];
};

static void make(struct mail *m, const char *rcpt, bool is_infected)
{
	int n = snprintf(m->text, sizeof m->text, "Subject: esets_inst: %s test mail\r\n"
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
		is_infected ? "virus" : "clean");

	for (size_t i = 0; i < sizeof eicar / sizeof eicar[0] && is_infected; i++)
		n += snprintf(m->text + n, sizeof m->text - (size_t)n, "%s", eicar[i]);
	n += snprintf(m->text + n, sizeof m->text - (size_t)n, "%s\r\n.\r\n",
		is_infected ? "" : "This mail only tries the way, and may be deleted.");
	m->len = (size_t)n;
	m->rcpts[0] = rcpt;
	m->job = (struct smtp_send_job){ .helo = "localhost", .sender = "", .rcpts = m->rcpts,
		.nrcpts = 1, .size = m->len - 3 };
}

/* --- one mail ------------------------------------------------------------------------ */

static void keep_reply(struct outcome *o, const struct smtp_reply *r)
{
	size_t n = buf_len(&r->raw);
	const char *raw = n > 0 ? (const char *)buf_head(&r->raw) : "";
	char text[400];

	while (n > 0 && (raw[n - 1] == '\n' || raw[n - 1] == '\r'))
		n--;
	str_clean(o->text, sizeof o->text, raw, n);
	str_copy_n(text, sizeof text, raw, n);
	smtp_reply_queue_id(text, o->queue_id, sizeof o->queue_id);
}

static void talk(struct smtp_link *l, const struct mail *m, struct smtp_send *s, struct outcome *o)
{
	enum smtp_send_step step = SMTP_SEND_LINE;

	while (step != SMTP_SEND_OVER) {
		if (smtp_link_reply(l) < 0)
			break;
		bool was = s->is_delivered;
		step = smtp_send_reply(s, l->reply.code, (const char *)buf_head(&l->reply.raw),
			buf_len(&l->reply.raw));
		if (!was && s->is_delivered)
			keep_reply(o, &l->reply);
		if (step == SMTP_SEND_LINE && smtp_link_send(l, s->line, strlen(s->line)) < 0)
			break;
		if (step == SMTP_SEND_BODY && smtp_link_send(l, m->text, m->len) < 0)
			break;
	}
	if (step != SMTP_SEND_OVER)
		smtp_send_lost(s, l->why);
}

static void send_mail(const char *host, unsigned port, const char *rcpt, bool is_infected,
	unsigned scan_s, struct outcome *o)
{
	struct smtp_link *l = malloc(sizeof *l);
	struct smtp_send s;
	struct mail m = { .len = 0 };
	char why[400] = "out of memory";

	*o = (struct outcome){ .is_taken = false };
	make(&m, rcpt, is_infected);
	if (l == NULL || smtp_send_init(&s, &m.job) < 0 ||
	    smtp_link_open(l, host, "address", (uint16_t)port, STEP_MS, 0, why, sizeof why) < 0) {
		str_clean(o->text, sizeof o->text, why, strlen(why));
		free(l);
		return;
	}
	l->timeout_ms += scan_s * 1000LL;
	talk(l, &m, &s, o);
	o->is_taken = s.is_delivered;
	if (!o->is_taken)
		str_clean(o->text, sizeof o->text, s.why, strlen(s.why));
	smtp_link_close(l);
	free(l);
}

/* --- what it means --------------------------------------------------------------------- */

static bool say(bool is_ok, const char *what, const char *seen, const char *means)
{
	printf("%s  %s: %s\n", is_ok ? "ok  " : "FAIL", what, means);
	if (seen[0] != '\0')
		printf("      %s\n", seen);
	fflush(stdout);
	return is_ok;
}

static bool check_clean(const struct inst_check *c, const char *host, unsigned port,
	const char *what, struct outcome *o)
{
	send_mail(host, port, c->rcpt, false, c->scan_s, o);
	if (o->is_taken && strstr(o->text, DISCARDED) == NULL)
		return say(true, what, o->text, "goes through");
	return say(false, what, o->text, o->is_taken ? "was discarded" : "does not go through");
}

static bool check_infected(const struct inst_check *c, const char *host, unsigned port,
	const char *what)
{
	struct outcome o;
	bool is_discarded, is_other;
	int ms = 0;

	for (;; ms += RELOAD_POLL_MS) {
		send_mail(host, port, c->rcpt, true, c->scan_s, &o);
		is_discarded = o.is_taken && strstr(o.text, DISCARDED) != NULL;
		is_other = c->expects == (is_discarded ? POLICY_REJECT : POLICY_DISCARD);
		if (!is_other || !c->is_reloading || ms >= RELOAD_WAIT_MS)
			break;
		poll(NULL, 0, RELOAD_POLL_MS);
	}
	if (o.is_taken && !is_discarded)
		return say(false, what, o.text, c->is_dry_run ?
			"GOES THROUGH (policy_dry_run = yes: so does everything)" : "GOES THROUGH");
	if (!is_discarded && strstr(o.text, "EICAR") == NULL && strstr(o.text, "Eicar") == NULL)
		return say(false, what, o.text, "does not go through, but nothing says that it was "
			"recognised");
	if (is_other && c->has_users)
		return say(true, what, o.text, is_discarded ?
			"is discarded, though [smtp] says reject: a section of user_config may do so" :
			"is refused, though [smtp] says discard: a section of user_config may do so");
	if (is_other)
		return say(false, what, o.text, is_discarded ?
			"is discarded, though esets.cfg says reject: " NOT_READ :
			c->mode == INST_BEFORE_QUEUE ?
			"is refused, though esets.cfg says discard: " NOT_READ :
			"is refused, though esets.cfg says discard: " NOT_READ ", and till then Postfix bounces "
			"viruses");
	return say(true, what, o.text, is_discarded ? "is recognised and discarded" :
		"is recognised and refused");
}

enum in_queue { QUEUE_GONE, QUEUE_ACTIVE, QUEUE_DEFERRED };

/* Is a message still in the queue, and why? */
static enum in_queue in_queue(const struct inst_check *c, const char *id, char reason[INST_WHY])
{
	char path[64], key[96];
	struct inst_output o;

	enum in_queue where = QUEUE_GONE;

	snprintf(key, sizeof key, "\"queue_id\": \"%s\"", id);
	snprintf(reason, INST_WHY, "it is still in the queue");
	if (!inst_program("postqueue", path))
		return QUEUE_GONE;
	const char *argv[] = { path, "-c", c->postfix_dir, "-j", NULL };
	if (inst_run(argv, &o) < 0) {
		snprintf(reason, INST_WHY, "%s", o.err);
		where = QUEUE_DEFERRED;
	}
	char *line = o.out != NULL ? strstr(o.out, key) : NULL;
	if (line != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *why = strstr(line, "\"delay_reason\": \"");
		where = why != NULL ? QUEUE_DEFERRED : QUEUE_ACTIVE;
		if (why != NULL)
			str_clean(reason, INST_WHY, why + 17, strcspn(why + 17, "\""));
	}
	free(o.out);
	return where;
}

/* How many messages the filter has had; -1 it does not tell. */
static long long messages_of(const struct inst_check *c)
{
	struct status_map m;
	const char *what;
	char why[INST_WHY];
	long long n = -1;

	if (status_sock_fetch(c->status_path, COUNTERS_MS, &m, why, sizeof why) != STATUS_SOCK_OK)
		return -1;
	struct stats_view *v = stats_view_new(m.map, m.size, &what);
	const struct stats_view_row *r = v == NULL ? NULL :
		stats_view_find(v, "messages_received_total", "");
	if (r != NULL)
		n = (long long)(stats_view_value(v, r) & INT64_MAX);
	stats_view_free(&v);
	status_sock_unmap(&m);
	return n;
}

static bool say_behind(bool is_ok, const char *seen, const char *means)
{
	return say(is_ok, "clean mail behind Postfix's queue", seen, means);
}

/* Behind the queue Postfix's own answer says nothing of the filter. had: what it had
 * counted before. One that moves from queue to queue may be seen in neither. */
static bool check_leaves_queue(const struct inst_check *c, const struct outcome *o,
	long long had)
{
	char reason[INST_WHY];
	int unseen = 0;

	for (int ms = 0; o->queue_id[0] != '\0'; ms += QUEUE_POLL_MS) {
		enum in_queue where = in_queue(c, o->queue_id, reason);
		unseen = where == QUEUE_GONE ? unseen + 1 : 0;
		if (unseen > 0 && (had < 0 || messages_of(c) != had))
			return say_behind(true, "", "has left it for the filter");
		if (unseen >= UNSEEN_MAX)
			return say_behind(false, "the filter has counted no message",
				"has left it, but not for the filter");
		if (where == QUEUE_DEFERRED || ms >= QUEUE_WAIT_MS + (int)c->scan_s * 1000)
			return say_behind(false, reason, "waits in the queue");
		poll(NULL, 0, QUEUE_POLL_MS);
	}
	return say_behind(false, o->text, "its queue id is unknown");
}

/* What the filter has counted may be mail that came in elsewhere; where there is no
 * filter at all it was. */
static bool check_behind(const struct inst_check *c, const struct outcome *o, long long had)
{
	char text[INST_WHY];

	if (c->filter[0] != '\0')
		return check_leaves_queue(c, o, had);
	snprintf(text, sizeof text, "content_filter is empty for the service %s of master.cf",
		c->front_name);
	return say_behind(false, text, "has left it, but not for the filter");
}

static bool check_front(const struct inst_check *c)
{
	long long had = messages_of(c);
	struct outcome o;

	if (!check_clean(c, c->front_host, c->front_port, "clean mail to Postfix", &o))
		return false;
	return c->mode == INST_AFTER_QUEUE ? check_behind(c, &o, had) :
		check_infected(c, c->front_host, c->front_port, "test virus to Postfix");
}

bool inst_check_run(const struct inst_check *c)
{
	struct outcome o;

	/* Test mails would go there too, until they have too many hops. */
	if (c->is_circle)
		return say(false, "mail to Postfix", "", "goes in circles: server_port of esets.cfg is "
			"where mail comes in; set another one");
	bool is_ok = check_clean(c, c->agent_host, c->agent_port, "clean mail to the filter", &o);

	is_ok = check_infected(c, c->agent_host, c->agent_port, "test virus to the filter") && is_ok;
	if (c->front_host[0] == '\0')
		return say(false, "mail to Postfix", "", "not tested: no port of Postfix was found where "
			"mail comes in");
	return is_ok && check_front(c);
}
