/* session_log.c - the summary line of a message and its fellows.
 *
 * The keys of the summary line, their order and their quotes are those that
 * existing log readers match on (esets.cfg(5), syslog_class); further keys
 * follow behind hop. Peer text is cleaned and bounded; that of a verdict was when
 * it came. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "log.h"
#include "session_int.h"
#include "stats.h"
#include "str.h"

#define FIELD_MAX 160

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
		log_line(c, priority(m),
			"vdb=%s, agent=smtp, name=\"%s\", virus=\"%s\", action=\"%s\", info=\"\", avstatus=\"%s\", hop=\"%s\"",
			m->verdict.vdb, p->name, p->virus,
			is_allowed ? "allowed" : "", verdict_av_text(p->av), policy_action_hop(m->result.action));
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

static void log_summary(const struct session *s, const struct session_msg *m, const char *outcome)
{
	enum log_class c = is_notable(m) && log_wants(LC_SUMM) ? LC_SUMM : LC_SUMMALL;
	char from[FIELD_MAX], to[FIELD_MAX], subject[FIELD_MAX], date[FIELD_MAX];
	char sender[FIELD_MAX], msgid[FIELD_MAX];
	char client[FIELD_MAX], section[FIELD_MAX], peer[NET_ADDR_TEXT];
	const struct verdict *v = &m->verdict;
	const char *would = m->would.action != POLICY_ACCEPT ? policy_action_hop(m->would.action) :
		m->would_clean ? "cleaned" : "";
	const char *addr = s->xforward != NULL && s->xforward->addr[0] != '\0' ?
		s->xforward->addr : net_addr_text(&s->client, peer);

	if (!log_wants(c))
		return;
	log_line(c, priority(m),
		"vdb=%s, agent=smtp, name=\"from: %s to: %s with subject %s dated %s\", "
		"virus=\"%s\", action=\"%s\", info=\"%s\", avstatus=\"%s\", hop=\"%s\", "
		"asstatus=\"%s\", sender=\"%s\", recipients=\"%u\", client=\"%s\", size=\"%llu\", "
		"msgid=\"%s\", time=\"%.3f\", sha256=\"%s\", outcome=\"%s\", "
		"section=\"%s\", dry_run=\"%s\", quarantine=\"%s\"",
		v->vdb, clean(from, m->hdr.from), clean(to, m->hdr.to),
		clean(subject, m->hdr.subject), clean(date, m->hdr.date), v->virus,
		v->av & VERDICT_AV_DELETED ? "cleaned by deleting" : "", info_text(m),
		av_text(m),
		policy_action_hop(m->result.action), verdict_as_text(v->as),
		clean(sender, m->sender), s->envelope.nrcpts_total, clean(client, addr),
		(unsigned long long)m->size, clean(msgid, m->hdr.msgid),
		(double)(s->env->now_ms - m->eod_ms) / 1000.0, v->sha256, outcome,
		clean(section, m->section), would, v->quarantine_id);
}

static void count(const struct session_msg *m, const char *outcome)
{
	if (strcmp(outcome, "accepted") == 0)
		stats_add(ST_MSGS_ACCEPTED, 1);
	else if (m->fail != FAIL_NONE || strcmp(outcome, "failed") == 0 ||
	         strcmp(outcome, "unknown") == 0 || strcmp(outcome, "refused") == 0)
		stats_add(ST_MSGS_FAILED, 1);
	else if (strcmp(outcome, "rejected") == 0)
		stats_add(ST_MSGS_REJECTED, 1);
	else if (strcmp(outcome, "deferred") == 0)
		stats_add(ST_MSGS_DEFERRED, 1);
	else if (strcmp(outcome, "discarded") == 0)
		stats_add(ST_MSGS_DISCARDED, 1);
}

void session_log_message(const struct session *s, const char *outcome)
{
	const struct session_msg *m = s->msg;
	char sender[FIELD_MAX], rcpt[FIELD_MAX], ident[FIELD_MAX];

	count(m, outcome);
	/* A message that was never complete has no outcome of the policy. */
	if (m->eod_ms != 0 && (m->verdict_ms != 0 || m->fail != FAIL_NONE)) {
		log_parts(m);
		log_summary(s, m, outcome);
	}
	log_info("message from=<%s> to=<%s> recipients=%u size=%llu queue_id=%s outcome=%s reply=\"%s\"",
		clean(sender, m->sender), clean(rcpt, m->first_rcpt), s->envelope.nrcpts_total,
		(unsigned long long)m->size, s->xforward != NULL ? clean(ident, s->xforward->ident) : "",
		outcome, m->reply);
}
