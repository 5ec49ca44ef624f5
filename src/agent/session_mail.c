/* session_mail.c - one message: body in, scan, policy, body out.
 *
 * The body is decoded straight into the spool; nothing of it goes to the
 * server before session_mail_decide or a verdict says so (I1). What goes out
 * is what was scanned, behind the headers of this proxy (I5). */
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "session_int.h"
#include "stats.h"
#include "str.h"

static void path_of(const char *line, enum smtp_verb verb, char *out, size_t size)
{
	const char *addr;
	size_t n = session_path(line, strlen(line), verb, &addr);

	str_copy_n(out, size, addr, n);
}

bool session_mail_begin(struct session *s, bool by_bdat)
{
	const struct conf_smtp *c = &s->env->conf->smtp;
	struct session_msg *m = calloc(1, sizeof *m);

	if (m != NULL)
		m->spool = spool_open(&s->env->spool,
			session_mail_size(s->envelope.mail, strlen(s->envelope.mail)));
	if (m == NULL || m->spool == NULL) {
		free(m);
		session_close(s, SESSION_END_MEMORY);
		return false;
	}
	s->msg = m;
	s->msgs++;
	s->cmds = 0;
	m->start_ms = s->env->now_ms;
	m->size_max = s->info.size_max;
	if (c->max_message_size != 0 && (m->size_max == 0 || c->max_message_size < m->size_max))
		m->size_max = c->max_message_size;
	m->by_bdat = by_bdat;
	m->is_binary = session_mail_has(s->envelope.mail, strlen(s->envelope.mail), "BODY",
		"BINARYMIME");
	if (by_bdat)
		smtp_dot_init_chunks(&m->dot, c->bare_newline == CONF_BARE_PASS);
	else
		smtp_dot_init(&m->dot, c->bare_newline == CONF_BARE_PASS);
	hdr_scan_init(&m->hdr);
	path_of(s->envelope.mail, SMTP_VERB_MAIL, m->sender, sizeof m->sender);
	if (s->envelope.nrcpts > 0)
		path_of(s->envelope.rcpts[0], SMTP_VERB_RCPT, m->first_rcpt, sizeof m->first_rcpt);
	m->settings = s->envelope.settings.scan;
	snprintf(m->section, sizeof m->section, "%s%s", s->envelope.settings.section,
		s->envelope.strictest != NULL ? " and others" : "");
	session_log_ctx(s);
	return true;
}

void session_mail_free(struct session *s)
{
	struct session_msg *m = s->msg;

	s->msg = NULL;
	s->direct.left = 0;
	if (m == NULL)
		return;
	verdict_fini(&m->verdict);
	session_clean_fini(&m->clean);
	session_head_fini(&m->head);
	spool_close(&m->spool);
	free(m);
}

void session_mail_done(struct session *s, const char *outcome)
{
	if (s->msg == NULL) /* memory ran out over its reply: session_close was here */
		return;
	if (s->job != NULL)
		s->env->ops->scan_cancel(s, &s->job);
	session_log_message(s, outcome);
	session_mail_free(s);
	session_envelope_clear(s);
	session_xforward_clear(s);
	session_log_ctx(s);
}

/* Names the option that the administrator has to look at. */
static void log_spool_error(const struct session *s)
{
	const struct spool_cfg *c = &s->env->spool;

	if (errno == ENOSPC)
		log_error("spool_dir: %s: the disk is full: %llu octets must stay free (spool_min_free); "
			"the message is deferred", c->dir, (unsigned long long)c->min_free);
	else
		log_error("spool_dir: %s: %m%s; the message is deferred", c->dir,
			errno == EFBIG ? " (ulimit -f, LimitFSIZE)" : "");
}

/* The decoder's sink. What can't be kept is still read to its end. */
static int body_sink(void *arg, const void *p, size_t n)
{
	struct session *s = arg;
	struct session_msg *m = s->msg;

	if (!m->clean.is_open) /* as it came, for the log */
		m->size += n;
	if (m->size_max != 0 && m->size > m->size_max) {
		m->fail = FAIL_TOO_BIG;
		return -1;
	}
	if (!m->hdr.done)
		hdr_scan_push(&m->hdr, p, n);
	if (spool_write(m->spool, p, n) < 0) {
		log_spool_error(s);
		m->fail = FAIL_STORAGE;
		return -1;
	}
	return 0;
}

/* What has failed is kept no longer. */
static void after_input(struct session *s)
{
	if (s->msg->fail != FAIL_NONE && s->msg->spool != NULL)
		spool_close(&s->msg->spool);
}

size_t session_mail_input(struct session *s, const char *p, size_t n)
{
	size_t used;
	int end = smtp_dot_push(&s->msg->dot, p, n, body_sink, s, &used);

	s->client_since_ms = s->env->now_ms;
	stats_add(ST_BYTES_IN, used);
	after_input(s);
	if (end == 1)
		session_event(s, EV_EOD);
	return used;
}

void session_mail_chunk(struct session *s, const char *p, size_t n)
{
	size_t used;

	if (!s->msg->is_binary)
		smtp_dot_push(&s->msg->dot, p, n, body_sink, s, &used);
	else if (s->msg->fail == FAIL_NONE)
		body_sink(s, p, n); /* notes a failure by itself */
	after_input(s);
}

void session_mail_chunks_end(struct session *s)
{
	if (!s->msg->is_binary)
		smtp_dot_end(&s->msg->dot, body_sink, s);
	after_input(s);
}

static const char *client_text(const struct session *s, char buf[NET_ADDR_TEXT])
{
	if (s->xforward != NULL && s->xforward->addr[0] != '\0')
		return s->xforward->addr;
	return net_addr_text(&s->client, buf);
}

static const char *helo_of(const struct session *s)
{
	if (s->xforward != NULL && s->xforward->helo[0] != '\0')
		return s->xforward->helo;
	if (s->helo == NULL)
		return "";
	return s->helo + 4 + strspn(s->helo + 4, " \t\v\f");
}

const char *session_mail_queue_id(const struct session *s, char buf[SESSION_QUEUE_ID_MAX])
{
	if (s->xforward != NULL && s->xforward->ident[0] != '\0')
		return s->xforward->ident;
	buf[0] = '\0';
	return s->is_trusted ? hdr_received_id(s->msg->hdr.first_received, buf,
		SESSION_QUEUE_ID_MAX) : buf;
}

/* The addresses of RCPT lines, in one piece of memory. */
struct rcpt_list {
	const char *addrs[SCAN_MSG_RCPTS_MAX];
	char text[];
};

static struct rcpt_list *rcpt_list_new(char *const *lines, unsigned n)
{
	size_t octets = 0;

	for (unsigned i = 0; i < n; i++)
		octets += strlen(lines[i]) + 1;
	struct rcpt_list *l = malloc(sizeof *l + octets);
	for (size_t i = 0, at = 0; l != NULL && i < n; i++) {
		path_of(lines[i], SMTP_VERB_RCPT, l->text + at, octets - at);
		l->addrs[i] = l->text + at;
		at += strlen(l->text + at) + 1;
	}
	return l;
}

/* Asks the scanner. False: it could not even be asked. */
static bool start_scan(struct session *s, struct policy_wants wants)
{
	struct session_msg *m = s->msg;
	char peer[NET_ADDR_TEXT], queue_id[SESSION_QUEUE_ID_MAX], id[40];
	unsigned n = s->envelope.nrcpts < SCAN_MSG_RCPTS_MAX ? s->envelope.nrcpts : SCAN_MSG_RCPTS_MAX;
	const void *octets = spool_size(m->spool) <= s->env->scan_inline_max ?
		spool_view(m->spool) : NULL;
	int fd = octets != NULL ? -1 : spool_fd(m->spool);

	if (octets == NULL && fd < 0) {
		log_spool_error(s);
		return false;
	}
	struct rcpt_list *list = rcpt_list_new(s->envelope.rcpts, n);
	if (list == NULL) {
		log_error("out of memory for %u recipients", n);
		return false;
	}
	snprintf(id, sizeof id, "%012llx.%u", (unsigned long long)s->id, s->msgs);
	const struct scan_request r = {
		.id = id, .agent = "smtp", .sender = m->sender,
		.rcpts = list->addrs, .nrcpts = n, .nrcpts_total = s->envelope.nrcpts_total,
		.client = client_text(s, peer), .helo = helo_of(s),
		.queue_id = session_mail_queue_id(s, queue_id), .name = "",
		.is_mail = true, .size = spool_size(m->spool),
		.is_inline = octets != NULL, .octets = octets,
		.want_av = wants.av, .want_as = wants.as,
		.want_parts = log_wants(LC_PARTALL) ? SCAN_PARTS_ALL :
			log_wants(LC_PART) ? SCAN_PARTS_NOTABLE : SCAN_PARTS_NONE,
		.sha256_if_found = !log_wants(LC_SUMMALL),
		.opts = m->settings->opts,
	};
	s->job = s->env->ops->scan(s, &r, fd, 1000u * m->settings->opts.timeout_s);
	free(list);
	return s->job != NULL;
}

/* Is there a copy where the settings want one? Only the daemon's word for it
 * counts; one that says nothing of it has stored nothing. */
static bool is_kept(const struct session_msg *m, const struct verdict *v)
{
	return v == NULL || (v->quarantine != VERDICT_QUARANTINE_FAILED &&
		(v->quarantine == VERDICT_QUARANTINE_STORED || !m->settings->opts.quarantine ||
		 !verdict_is_for_quarantine(v)));
}

/* For a reason of our own, which session_mail_fail_reply names. */
static void not_taken(struct session *s, enum session_fail why)
{
	struct session_msg *m = s->msg;
	const bool may_pass = why == FAIL_STORAGE || why == FAIL_CLEAN || why == FAIL_QUARANTINE;

	m->fail = why;
	m->result.action = may_pass ? POLICY_DEFER : POLICY_REJECT;
	m->verdict_ms = s->env->now_ms;
	m->verdict_us = s->env->now_us;
	session_event(s, EV_HOLD);
}

/* Verdict and settings to what happens next. */
static void apply_policy(struct session *s, const struct verdict *v)
{
	struct session_msg *m = s->msg;

	/* In a trial run it is delivered, with or without a copy. */
	if (!s->env->conf->smtp.policy_dry_run && !is_kept(m, v)) {
		not_taken(s, FAIL_QUARANTINE);
		return;
	}
	m->result = policy_decide(&m->settings->actions, v);
	if (m->would_clean && v != NULL) {
		/* decided as if it had been cleaned */
		struct verdict cleaned = *v;
		cleaned.av = (v->av & ~(unsigned)VERDICT_AV_INFECTED) | VERDICT_AV_DELETED;
		m->result = policy_decide(&m->settings->actions, &cleaned);
	}
	if (s->env->conf->smtp.policy_dry_run && m->result.action != POLICY_ACCEPT) {
		m->would = m->result;
		m->result = (struct policy_result){ POLICY_ACCEPT, POLICY_BY_NONE };
	}
	m->verdict_ms = s->env->now_ms;
	m->verdict_us = s->env->now_us;
	session_event(s, m->result.action == POLICY_ACCEPT ? EV_PASS : EV_HOLD);
}

/* Whoever did not ask about spam has had no answer either, and none failed. */
static void forget_not_asked(struct session_msg *m)
{
	if (m->verdict.as == VERDICT_AS_NOTSCANNED && !policy_wants(&m->settings->actions).as)
		m->verdict.as = VERDICT_AS_NONE;
}

static void unavailable(struct session *s, const char *why)
{
	verdict_unavailable(&s->msg->verdict, why);
	forget_not_asked(s->msg);
	apply_policy(s, &s->msg->verdict);
}

void session_mail_decide(struct session *s)
{
	struct session_msg *m = s->msg;
	struct policy_wants wants = policy_wants(&m->settings->actions);

	stats_add(ST_MSGS, 1);
	m->eod_ms = s->env->now_ms;
	m->eod_us = s->env->now_us;
	hdr_scan_end(&m->hdr);
	if (m->fail == FAIL_NONE && m->hdr.received > s->env->conf->smtp.max_received)
		m->fail = FAIL_LOOP;
	if (m->fail == FAIL_NONE && m->dot.has_bare &&
	    s->env->conf->smtp.bare_newline == CONF_BARE_REJECT)
		m->fail = FAIL_BARE;
	if (m->fail != FAIL_NONE) {
		not_taken(s, m->fail);
	} else if (!wants.av && !wants.as) {
		apply_policy(s, NULL);
	} else if (!start_scan(s, wants)) {
		unavailable(s, "the scanner could not be asked");
	}
}

/* Verdict and message are what they will be. */
static void settle(struct session *s)
{
	struct session_msg *m = s->msg;

	m->has_verdict = !(m->verdict.av & VERDICT_AV_UNAVAILABLE);
	forget_not_asked(m);
	stats_time(ST_SCAN_TIME, s->env->now_us - m->eod_us);
	if (m->fail != FAIL_NONE)
		not_taken(s, m->fail);
	else
		apply_policy(s, &m->verdict);
}

static void not_cleaned(struct session *s, const char *why)
{
	log_error("%s", why);
	s->msg->fail = FAIL_CLEAN;
	settle(s);
}

bool session_wants_turn(const struct session *s)
{
	return s->msg != NULL && s->msg->clean.is_open;
}

static void clean_on(struct session *s)
{
	const char *why;
	int rc = session_clean_step(s, &why);

	if (rc < 0)
		not_cleaned(s, why);
	else if (rc > 0)
		settle(s);
}

void session_on_turn(struct session *s)
{
	session_log_ctx(s);
	clean_on(s);
	session_run(s);
}

/* A verdict that says cleaned comes with another message, which takes the
 * place of the one that came in. From here on that one is out of the way,
 * whatever goes wrong. Takes the descriptor. */
static void on_cleaned(struct session *s, int clean_fd)
{
	struct session_msg *m = s->msg;
	struct verdict *v = &m->verdict;
	const bool is_asked = m->settings->opts.clean_mode != SCAN_CLEAN_NONE && clean_fd >= 0;

	if (is_asked && !s->env->conf->smtp.policy_dry_run) {
		if (session_clean_begin(s, clean_fd) < 0)
			not_cleaned(s, "no memory for the cleaned message");
		else
			clean_on(s);
		return;
	}
	if (clean_fd >= 0)
		close(clean_fd);
	if (is_asked) {
		/* What is delivered is infected still. */
		m->would_clean = true;
		v->av = (v->av & ~(unsigned)VERDICT_AV_DELETED) | VERDICT_AV_INFECTED;
	} else {
		verdict_fini(v);
		verdict_unavailable(v, "the scanner cleaned what it was not asked to");
	}
	settle(s);
}

void session_on_verdict(struct session *s, struct verdict *v, int clean_fd)
{
	struct session_msg *m = s->msg;

	session_log_ctx(s);
	s->job = NULL;
	m->verdict = *v;
	*v = (struct verdict){ .av = 0 }; /* its memory is the message's now */
	if (m->verdict.av & VERDICT_AV_DELETED) {
		on_cleaned(s, clean_fd);
	} else {
		if (clean_fd >= 0)
			close(clean_fd);
		settle(s);
	}
	session_run(s);
}

/* ---- our own reply to the message ---------------------------------------- */

const char *session_mail_why(const struct session_msg *m, enum policy_level by, char *out)
{
	const size_t size = SESSION_WHY_MAX;
	char name[VERDICT_NAME_MAX];

	/* Without SMTPUTF8 a reply is ASCII (RFC 6531 3.7.4.2), and nobody knows
	 * what the client's log does with the rest. */
	str_ascii(name, sizeof name, m->verdict.virus);
	switch (by) {
	case POLICY_BY_INFECTED:
		snprintf(out, size, strncmp(name, "Blocked/", 8) == 0 ?
			"holds a file of a type that is not allowed, %s" : "infected with %s", name);
		break;
	case POLICY_BY_DELETED:
		snprintf(out, size, "was infected with %s", name);
		break;
	case POLICY_BY_SPAM:
		snprintf(out, size, "considered spam");
		break;
	case POLICY_BY_ENCRYPTED:
		snprintf(out, size, "encrypted content cannot be scanned");
		break;
	case POLICY_BY_OVERLIMIT:
		snprintf(out, size, "content is beyond the limits of the scanner");
		break;
	case POLICY_BY_NOTSCANNED:
	case POLICY_BY_AS_NOTSCANNED:
		snprintf(out, size, "content could not be scanned");
		break;
	case POLICY_BY_UNAVAILABLE:
		snprintf(out, size, "the scanner is not available");
		break;
	default:
		snprintf(out, size, "by local policy");
		break;
	}
	return out;
}

/* A reply to the message, for the client and for the log. */
static void say_final(struct session *s, const char *text)
{
	str_clean(s->msg->reply, sizeof s->msg->reply, text, strlen(text));
	session_say(s, text);
}

static void policy_reply(struct session *s)
{
	struct session_msg *m = s->msg;
	char why[SESSION_WHY_MAX], text[512], id[24];

	session_mail_why(m, m->result.by, why);
	session_id_text(s, id);
	switch (m->result.action) {
	case POLICY_REJECT:
		snprintf(text, sizeof text, "554 5.7.1 Message rejected: %s", why);
		break;
	case POLICY_DISCARD:
		snprintf(text, sizeof text, "250 2.0.0 Message discarded: %s (id %s.%u)", why, id,
			s->msgs);
		break;
	default:
		snprintf(text, sizeof text, "451 4.7.1 Message deferred: %s", why);
		break;
	}
	say_final(s, text);
}

const char *session_mail_fail_reply(const struct session_msg *m)
{
	static const char *const replies[] = {
		[FAIL_NONE] = NULL,
		[FAIL_TOO_BIG] = "552 5.3.4 Message is too big",
		[FAIL_STORAGE] = "452 4.3.1 Insufficient system storage",
		[FAIL_LOOP] = "554 5.4.6 Message loops: too many Received header fields",
		[FAIL_BARE] = "550 5.6.11 Message holds bare CR or LF",
		[FAIL_CLEAN] = "451 4.3.0 Message could not be cleaned; try again",
		[FAIL_QUARANTINE] = "452 4.3.1 Insufficient system storage",
	};
	return replies[m->fail];
}

void session_mail_hold(struct session *s)
{
	static const char *const outcomes[] = {
		[POLICY_DISCARD] = "discarded", [POLICY_DEFER] = "deferred",
		[POLICY_REJECT] = "rejected",
	};
	struct session_msg *m = s->msg;

	if (m->fail != FAIL_NONE)
		say_final(s, session_mail_fail_reply(m));
	else
		policy_reply(s);
	if (s->state == ST_CLOSE)
		return;
	session_mail_done(s, outcomes[m->result.action]);
	if (s->server_lost || !s->server_up) {
		session_set_state(s, ST_ORPHAN);
	} else {
		s->server_since_ms = s->env->now_ms;
		session_to_server(s, "RSET\r\n", 6);
	}
	if (s->stop_later)
		session_close(s, SESSION_END_STOPPED);
}
