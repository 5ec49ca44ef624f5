/* session_log.c - the summary line of a message and its fellows.
 *
 * The keys of the summary line, their order and their quotes are those that
 * existing log readers match on (esets_smtp(1), LOGGING); further keys follow
 * behind hop, new ones behind the last. The pairs are built here, once; log.c
 * makes text or JSON of them. Peer text is cleaned and bounded; that of a verdict
 * was when it came. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "log.h"
#include "session_int.h"
#include "smtp_reply.h"
#include "stats.h"
#include "str.h"

#define FIELD_MAX 160
#define NUMBER_MAX 32

static const char *clean(char out[FIELD_MAX], const char *text)
{
	return str_clean(out, FIELD_MAX, text, strlen(text));
}

static bool is_av_scanned(const struct session_msg *m)
{
	return m->has_verdict && policy_wants(&m->settings->actions).av;
}

/* Anything but clean and accepted; what was accepted unscanned is not clean. */
static bool is_notable(const struct session_msg *m)
{
	return m->verdict.av != VERDICT_AV_CLEAN || !is_av_scanned(m) ||
		m->verdict.as == VERDICT_AS_SPAM ||
		m->verdict.as == VERDICT_AS_NOTSCANNED || m->fail != FAIL_NONE ||
		m->result.action != POLICY_ACCEPT || m->would.action != POLICY_ACCEPT;
}

static int priority(const struct session_msg *m)
{
	return m->result.action == POLICY_ACCEPT ? LOG_NOTICE : LOG_WARNING;
}

/* Which objects came with the verdict is what the daemon was asked for. */
static void log_parts(const struct session_msg *m)
{
	for (unsigned i = 0; i < m->verdict.nparts; i++) {
		const struct verdict_part *p = &m->verdict.parts[i];
		bool is_allowed = p->av == VERDICT_AV_CLEAN && p->virus[0] != '\0';
		bool is_part = p->av != VERDICT_AV_CLEAN || is_allowed;
		enum log_class c = is_part && log_wants(LC_PART) ? LC_PART : LC_PARTALL;
		const struct log_pair pairs[] = {
			{ "vdb", LOG_PAIR_BARE, m->verdict.vdb },
			{ "agent", LOG_PAIR_BARE, "smtp" },
			{ "name", LOG_PAIR_TEXT, p->name },
			{ "virus", LOG_PAIR_TEXT, p->virus },
			{ "action", LOG_PAIR_TEXT, is_allowed ? "allowed" : "" },
			{ "info", LOG_PAIR_TEXT, p->reason },
			{ "avstatus", LOG_PAIR_TEXT, verdict_av_text(p->av) },
			{ "hop", LOG_PAIR_TEXT, policy_action_hop(m->result.action) },
		};
		log_pairs(c, priority(m), pairs, sizeof pairs / sizeof pairs[0]);
	}
}

static const char *info_text(const struct session_msg *m)
{
	static const char *const fails[] = {
		[FAIL_TOO_BIG] = "message is too big", [FAIL_STORAGE] = "no storage",
		[FAIL_LOOP] = "message loops", [FAIL_BARE] = "bare CR or LF",
		[FAIL_CLEAN] = "the message could not be cleaned",
		[FAIL_QUARANTINE] = "not kept in quarantine",
	};
	if (m->fail != FAIL_NONE)
		return fails[m->fail];
	return m->verdict.reason;
}

/* A verdict of the spam engines alone says nothing of viruses. */
static const char *av_text(const struct session_msg *m)
{
	if (m->verdict.av == VERDICT_AV_CLEAN && !is_av_scanned(m))
		return "not scanned";
	return verdict_av_text(m->verdict.av);
}

/* From the header of the message: FIELD_MAX for each of the four. */
static void name_text(char *out, size_t size, const struct session_msg *m)
{
	char from[FIELD_MAX], to[FIELD_MAX], subject[FIELD_MAX], date[FIELD_MAX];

	snprintf(out, size, "from: %s to: %s with subject %s dated %s", clean(from, m->hdr.from),
		clean(to, m->hdr.to), clean(subject, m->hdr.subject), clean(date, m->hdr.date));
}

/* "" where no spam engine has given one. */
static const char *score_text(char out[NUMBER_MAX], const struct verdict *v)
{
	out[0] = '\0';
	if (v->as == VERDICT_AS_CLEAN || v->as == VERDICT_AS_SPAM)
		snprintf(out, NUMBER_MAX, "%.3f", v->as_score_milli / 1000.0);
	return out;
}

static const char *would_text(const struct session_msg *m)
{
	return m->would.action != POLICY_ACCEPT ? policy_action_hop(m->would.action) :
		m->would_clean ? "cleaned" : "";
}

/* The server's name for the message: only where it has taken it. */
static const char *queued_text(char out[FIELD_MAX], const struct session_msg *m, const char *outcome)
{
	out[0] = '\0';
	return strcmp(outcome, "accepted") == 0 ? smtp_reply_queue_id(m->reply, out, FIELD_MAX) : out;
}

static void log_summary(const struct session *s, const struct session_msg *m, const char *outcome)
{
	enum log_class c = is_notable(m) && log_wants(LC_SUMM) ? LC_SUMM : LC_SUMMALL;
	char name[4 * FIELD_MAX + 64], sender[FIELD_MAX], msgid[FIELD_MAX], queue_id[FIELD_MAX];
	char client[FIELD_MAX], section[FIELD_MAX], queued[FIELD_MAX], peer[NET_ADDR_TEXT];
	char ident[SESSION_QUEUE_ID_MAX];
	char recipients[NUMBER_MAX], size[NUMBER_MAX], time[NUMBER_MAX], score[NUMBER_MAX];
	const struct verdict *v = &m->verdict;
	const char *addr = s->xforward != NULL && s->xforward->addr[0] != '\0' ?
		s->xforward->addr : net_addr_text(&s->client, peer);

	if (!log_wants(c))
		return;
	name_text(name, sizeof name, m);
	snprintf(recipients, sizeof recipients, "%u", s->envelope.nrcpts_total);
	snprintf(size, sizeof size, "%llu", (unsigned long long)m->size);
	snprintf(time, sizeof time, "%.3f", (double)(s->env->now_ms - m->eod_ms) / 1000.0);
	const struct log_pair pairs[] = {
		{ "vdb", LOG_PAIR_BARE, v->vdb },
		{ "agent", LOG_PAIR_BARE, "smtp" },
		{ "name", LOG_PAIR_TEXT, name },
		{ "virus", LOG_PAIR_TEXT, v->virus },
		{ "action", LOG_PAIR_TEXT, v->av & VERDICT_AV_DELETED ? "cleaned by deleting" : "" },
		{ "info", LOG_PAIR_TEXT, info_text(m) },
		{ "avstatus", LOG_PAIR_TEXT, av_text(m) },
		{ "hop", LOG_PAIR_TEXT, policy_action_hop(m->result.action) },
		{ "asstatus", LOG_PAIR_TEXT, verdict_as_text(v->as) },
		{ "sender", LOG_PAIR_TEXT, clean(sender, m->sender) },
		{ "recipients", LOG_PAIR_NUMBER, recipients },
		{ "client", LOG_PAIR_TEXT, clean(client, addr) },
		{ "size", LOG_PAIR_NUMBER, size },
		{ "msgid", LOG_PAIR_TEXT, clean(msgid, m->hdr.msgid) },
		{ "time", LOG_PAIR_NUMBER, time },
		{ "sha256", LOG_PAIR_TEXT, v->sha256 },
		{ "outcome", LOG_PAIR_TEXT, outcome },
		{ "section", LOG_PAIR_TEXT, clean(section, m->section) },
		{ "dry_run", LOG_PAIR_TEXT, would_text(m) },
		{ "quarantine", LOG_PAIR_TEXT, v->quarantine_id },
		{ "queue_id", LOG_PAIR_TEXT,
			clean(queue_id, session_mail_queue_id(s, ident)) },
		{ "queued_as", LOG_PAIR_TEXT, queued_text(queued, m, outcome) },
		{ "score", LOG_PAIR_NUMBER, score_text(score, v) },
	};
	log_pairs(c, priority(m), pairs, sizeof pairs / sizeof pairs[0]);
}

static void count_outcome(const char *outcome)
{
	static const struct { const char *outcome; enum stats_id id; } rows[] = {
		{ "accepted", ST_MSGS_ACCEPTED }, { "rejected", ST_MSGS_REJECTED },
		{ "deferred", ST_MSGS_DEFERRED }, { "discarded", ST_MSGS_DISCARDED },
		{ "refused", ST_MSGS_REFUSED }, { "failed", ST_MSGS_FAILED },
		{ "aborted", ST_MSGS_ABORTED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(outcome, rows[i].outcome) == 0) {
			stats_add(rows[i].id, 1);
			return;
		}
	}
	stats_add(ST_MSGS_UNKNOWN, 1);
}

static_assert(ST_FAIL_QUARANTINE - ST_FAIL_TOO_BIG == FAIL_QUARANTINE - FAIL_TOO_BIG,
	"rows of messages_not_taken_total");
static_assert(ST_AV_CLEAN - ST_AV_INFECTED == VERDICT_AV_RANK_CLEAN, "rows of av_verdicts_total");
static_assert(ST_AS_NOTSCANNED - ST_AS_NONE == VERDICT_AS_NOTSCANNED, "rows of as_verdicts_total");

static void count_verdict(const struct session_msg *m)
{
	static const enum stats_id actions[] = {
		[POLICY_ACCEPT] = ST_ACTION_ACCEPT, [POLICY_DISCARD] = ST_ACTION_DISCARD,
		[POLICY_DEFER] = ST_ACTION_DEFER, [POLICY_REJECT] = ST_ACTION_REJECT,
	};
	const bool is_known = m->verdict.av != VERDICT_AV_CLEAN || is_av_scanned(m);

	if (m->fail != FAIL_NONE)
		stats_add(stats_nth(ST_FAIL_TOO_BIG, m->fail - FAIL_TOO_BIG), 1);
	else
		stats_add(actions[m->result.action], 1);
	stats_add(is_known ? stats_nth(ST_AV_INFECTED, verdict_av_rank(m->verdict.av)) :
		ST_AV_NONE, 1);
	stats_add(stats_nth(ST_AS_NONE, m->verdict.as), 1);
}

/* The server had its say where the policy let the message go to it. */
static void count_times(const struct session *s, const char *outcome)
{
	const struct session_msg *m = s->msg;

	if (strcmp(outcome, "aborted") == 0)
		return;
	stats_time(ST_TOTAL_TIME, s->env->now_us - m->eod_us);
	if (m->verdict_ms != 0 && m->fail == FAIL_NONE && m->result.action == POLICY_ACCEPT)
		stats_time(ST_SERVER_TIME, s->env->now_us - m->verdict_us);
}

void session_log_message(const struct session *s, const char *outcome)
{
	const struct session_msg *m = s->msg;
	char sender[FIELD_MAX], rcpt[FIELD_MAX], queue_id[FIELD_MAX], ident[SESSION_QUEUE_ID_MAX];
	char recipients[NUMBER_MAX], size[NUMBER_MAX];

	count_outcome(outcome);
	/* A message that was never complete has no outcome of the policy. */
	if (m->eod_ms != 0 && (m->verdict_ms != 0 || m->fail != FAIL_NONE)) {
		count_verdict(m);
		count_times(s, outcome);
		log_parts(m);
		log_summary(s, m, outcome);
	}
	if (!log_wants(LC_INFO))
		return;
	snprintf(recipients, sizeof recipients, "%u", s->envelope.nrcpts_total);
	snprintf(size, sizeof size, "%llu", (unsigned long long)m->size);
	const struct log_pair pairs[] = {
		{ "from", LOG_PAIR_PATH, clean(sender, m->sender) },
		{ "to", LOG_PAIR_PATH, clean(rcpt, m->first_rcpt) },
		{ "recipients", LOG_PAIR_COUNT, recipients },
		{ "size", LOG_PAIR_COUNT, size },
		{ "queue_id", LOG_PAIR_BARE, clean(queue_id, session_mail_queue_id(s, ident)) },
		{ "outcome", LOG_PAIR_BARE, outcome },
		{ "reply", LOG_PAIR_TEXT, m->reply },
	};
	log_event(LC_INFO, "message", pairs, sizeof pairs / sizeof pairs[0]);
}

/* A balancer that only looks whether somebody answers does so all day. */
void session_log_unconfirmed(void)
{
	log_warning("the server did not confirm the message: it may arrive twice");
}

void session_log_connect(const struct session *s)
{
	const enum log_class c = s->is_check ? LC_DEBUG : LC_INFO;
	char peer[NET_ADDR_TEXT];

	if (!log_wants(c))
		return;
	const struct log_pair client = { "client", LOG_PAIR_BARE, net_addr_text(&s->client, peer) };
	log_event(c, "connect", &client, 1);
}

void session_log_close(const struct session *s, const char *reason)
{
	const enum log_class c = s->is_check && s->msgs == 0 ? LC_DEBUG : LC_INFO;
	char peer[NET_ADDR_TEXT];
	char messages[NUMBER_MAX], in[NUMBER_MAX], out[NUMBER_MAX], time[NUMBER_MAX];

	if (!log_wants(c))
		return;
	snprintf(messages, sizeof messages, "%u", s->msgs);
	snprintf(in, sizeof in, "%llu", (unsigned long long)s->octets_in);
	snprintf(out, sizeof out, "%llu", (unsigned long long)s->octets_out);
	snprintf(time, sizeof time, "%.3f", (double)(s->env->now_ms - s->start_ms) / 1000.0);
	const struct log_pair pairs[] = {
		{ "client", LOG_PAIR_BARE, net_addr_text(&s->client, peer) },
		{ "reason", LOG_PAIR_BARE, reason },
		{ "messages", LOG_PAIR_COUNT, messages },
		{ "in", LOG_PAIR_COUNT, in },
		{ "out", LOG_PAIR_COUNT, out },
		{ "time", LOG_PAIR_COUNT, time },
	};
	log_event(c, "close", pairs, sizeof pairs / sizeof pairs[0]);
}
