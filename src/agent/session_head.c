/* session_head.c - what this proxy adds to a message, and where.
 *
 *   [mbox line] Received, X-Virus-Scanner  header  Subject: [prefix]  marks  body
 *
 * Each addition is an offset in the spool and a text to stand there; the
 * octets of the message stay as they are (I5). Only where a scan gave a
 * verdict, but for the word of a dry run. */
#include <stdio.h>
#include <string.h>

#include "mark.h"
#include "session_int.h"

#define TEXT_MAX 65536u
#define LEAD_MAX 4096u           /* a longer mbox line is no such line */

static void protocol_name(const struct session *s, char out[16])
{
	const char *mail = s->envelope.mail;
	bool utf8 = session_mail_has(mail, strlen(mail), "SMTPUTF8", NULL);

	/* RFC 3848, RFC 6531 3.7.3 */
	snprintf(out, 16, "%s%s", !s->esmtp ? "SMTP" : utf8 ? "UTF8SMTP" : "ESMTP",
		s->esmtp && s->authed ? "A" : "");
}

/* Received first, then X-Virus-Scanner: that one stands at the top of the
 * header block as it came in. */
static int put_top(struct session *s, struct buf *out)
{
	const struct conf_smtp *c = &s->env->conf->smtp;
	struct session_msg *m = s->msg;
	char peer[NET_ADDR_TEXT], id[40], proto[16];

	if (!m->has_verdict)
		return 0;
	if (c->add_header_received) {
		snprintf(id, sizeof id, "%012llx.%u", (unsigned long long)s->id, s->msgs);
		protocol_name(s, proto);
		const struct hdr_received r = {
			.helo = s->helo != NULL ? s->helo + 4 + strspn(s->helo + 4, " \t\v\f") : "",
			.client_ip = net_addr_text(&s->client, peer),
			.client_is_ipv6 = s->client.family == AF_INET6,
			.client_name = "", .by = s->env->hostname, .protocol = proto, .id = id,
			.rcpt = s->envelope.nrcpts_total == 1 ? m->first_rcpt : "",
			.when = s->env->wall_s, .tz_minutes = s->env->tz_minutes,
		};
		if (hdr_received_format(&r, out) < 0)
			return -1;
	}
	/* A mail that was looked at for spam alone is not one scanned for viruses. */
	if (c->add_header_xvirus && !m->hdr.has_xvirus &&
	    policy_wants(&m->settings->actions).av && hdr_xvirus_format(out) < 0)
		return -1;
	return 0;
}

/* What marked mail gets before its subject, "" nothing. */
static const char *subject_prefix(const struct session_msg *m)
{
	const struct conf_scan *c = m->settings;

	if (!m->has_verdict)
		return "";
	if ((m->verdict.av & (VERDICT_AV_INFECTED | VERDICT_AV_DELETED)) != 0 &&
	    c->av_subject_prefix[0] != '\0')
		return c->av_subject_prefix;
	return m->verdict.as == VERDICT_AS_SPAM ? c->as_subject_prefix : "";
}

static int put_marks(struct session *s, const char *prefix, struct buf *out)
{
	struct session_msg *m = s->msg;
	const struct conf_scan *c = m->settings;
	char why[SESSION_WHY_MAX];

	if (prefix[0] != '\0' && m->hdr.nsubjects == 0 &&
	    (buf_append_str(out, "Subject:") < 0 || mark_subject(prefix, "", 0, out) < 0 ||
	     buf_append(out, "\r\n", 2) < 0))
		return -1;
	if (m->has_verdict && c->av_header && policy_wants(&c->actions).av &&
	    mark_av(&m->verdict, out) < 0)
		return -1;
	if (m->has_verdict && c->as_header && mark_as(&m->verdict, out) < 0)
		return -1;
	if (m->would.action != POLICY_ACCEPT)
		return mark_dry_run(policy_action_hop(m->would.action),
			session_mail_why(m, m->would.by, why), out);
	return m->would_clean ? mark_dry_run("cleaned",
		session_mail_why(m, POLICY_BY_DELETED, why), out) : 0;
}

/* The text put in so far since the last call is to stand at that offset. */
static void place(struct session_head *h, uint64_t at)
{
	size_t before = 0;

	for (unsigned i = 0; i < h->n; i++)
		before += h->len[i];
	if (buf_len(&h->text) == before)
		return;
	h->at[h->n] = at;
	h->len[h->n++] = buf_len(&h->text) - before;
}

static int put_subjects(struct session *s, const char *prefix)
{
	struct session_msg *m = s->msg;
	char value[MARK_VALUE_MAX];

	for (unsigned i = 0; i < m->hdr.nsubjects; i++) {
		const uint64_t at = m->hdr.subjects[i];
		const ssize_t n = spool_read(m->spool, at, value, sizeof value);
		if (n < 0 || mark_subject(prefix, value, (size_t)n, &m->head.text) < 0)
			return -1;
		place(&m->head, at);
	}
	return 0;
}

int session_head_make(struct session *s)
{
	struct session_msg *m = s->msg;
	struct session_head *h = &m->head;
	const char *prefix = subject_prefix(m);
	const uint64_t lead = m->hdr.lead_len <= LEAD_MAX ? m->hdr.lead_len : 0;
	/* Without a header of its own, or with one whose last line has no end, all
	 * of ours stands on top. */
	const bool all_on_top = m->hdr.needs_blank || m->hdr.ends_open;

	session_head_fini(h);
	buf_init(&h->text, TEXT_MAX);
	h->made = true;
	if (put_top(s, &h->text) < 0 || (all_on_top && put_marks(s, prefix, &h->text) < 0))
		return -1;
	if (m->hdr.needs_blank && buf_len(&h->text) > 0 && buf_append(&h->text, "\r\n", 2) < 0)
		return -1;
	place(h, lead);
	if (prefix[0] != '\0' && put_subjects(s, prefix) < 0)
		return -1;
	if (!all_on_top && put_marks(s, prefix, &h->text) < 0)
		return -1;
	place(h, m->hdr.end);
	return 0;
}

void session_head_fini(struct session_head *h)
{
	buf_fini(&h->text);
	*h = (struct session_head){ .made = false };
}

