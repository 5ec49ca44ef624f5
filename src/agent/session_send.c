/* session_send.c - one message on its way to the server.
 *
 * Headers of this proxy, then the spool, dot-stuffed; a BINARYMIME message as
 * one chunk of BDAT instead, since it has no lines. Nothing is sent beyond
 * what the server takes: the rest waits in the spool. */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_int.h"

#define FILL_CHUNK (32u << 10)
#define LEAD_MAX 4096u           /* a longer mbox line is no such line */

static void protocol_name(const struct session *s, char out[16])
{
	const char *mail = s->envelope.mail;
	bool utf8 = smtp_cmd_has_param(mail, strlen(mail), "SMTPUTF8", NULL);

	/* RFC 3848, RFC 6531 3.7.3 */
	snprintf(out, 16, "%s%s", !s->esmtp ? "SMTP" : utf8 ? "UTF8SMTP" : "ESMTP",
		s->esmtp && s->authed ? "A" : "");
}

/* Received first, then X-Virus-Scanner: that one stands at the top of the
 * header block as it came in. Only where a scan gave a verdict. */
static int put_headers(struct session *s, struct buf *out)
{
	const struct conf_smtp *c = &s->env->conf->smtp;
	struct session_msg *m = s->msg;
	char peer[NET_ADDR_TEXT], id[40], proto[16];
	size_t before = buf_len(out);

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
	if (buf_len(out) > before && m->hdr.needs_blank)
		return buf_append(out, "\r\n", 2);
	return 0;
}

static void send_end(struct session *s)
{
	const char *end = smtp_stuff_end(&s->msg->stuff);

	if (!s->msg->is_binary)
		session_to_server(s, end, strlen(end));
	s->server_since_ms = s->env->now_ms;
	s->msg->end_queued = true;
}

/* The server's word on the message counts from when all of it has left us: a
 * reply before that is no reply to it. */
void session_send_check(struct session *s)
{
	if (s->state == ST_SEND && s->msg->end_queued && buf_is_empty(&s->s_out))
		session_event(s, EV_SENT);
}

/* A spool that can't be read any more must not become a short message: the
 * connection is cut before the dot (I3). */
static void spool_broken(struct session *s)
{
	log_error("spool read: %m");
	s->reply.code = 0;
	session_event(s, EV_GARBAGE);
}

/* Gives up to max octets of the spool to the server, stuffed. False: none
 * were given, the session has gone on elsewhere. */
static bool copy_out(struct session *s, size_t max)
{
	struct session_msg *m = s->msg;
	char chunk[FILL_CHUNK];
	ssize_t n;

	if (max == 0)
		return true;
	n = spool_read(m->spool, m->sent, chunk, max < sizeof chunk ? max : sizeof chunk);
	if (n <= 0) {
		spool_broken(s);
		return false;
	}
	unsigned char *room = buf_reserve(&s->s_out, 2 * (size_t)n);
	if (room == NULL) {
		session_close(s, SESSION_END_MEMORY);
		return false;
	}
	if (m->is_binary)
		memcpy(room, chunk, (size_t)n);
	buf_commit(&s->s_out, m->is_binary ? (size_t)n :
		smtp_stuff_push(&m->stuff, chunk, (size_t)n, (char *)room));
	m->sent += (uint64_t)n;
	s->server_since_ms = s->env->now_ms;
	return true;
}

void session_send_begin(struct session *s)
{
	s->server_since_ms = s->env->now_ms;
	if (!s->msg->is_binary) {
		session_to_server(s, "DATA\r\n", 6);
		return;
	}
	session_set_state(s, ST_SEND);
	session_send_fill(s);
}

/* What goes before the spool. Ours stand behind an mbox line, if there is
 * one, and apart from a body without a header. */
static bool send_head(struct session *s)
{
	struct session_msg *m = s->msg;
	struct buf headers = BUF_INIT(16384);
	char line[64];
	bool done = false;

	smtp_stuff_init(&m->stuff);
	m->headers_sent = true;
	if (put_headers(s, &headers) < 0) {
		session_close(s, SESSION_END_MEMORY);
		goto out;
	}
	if (m->is_binary) {
		snprintf(line, sizeof line, "BDAT %llu LAST\r\n",
			(unsigned long long)(buf_len(&headers) + spool_size(m->spool)));
		session_to_server(s, line, strlen(line));
	}
	if (m->hdr.lead_len <= LEAD_MAX && !copy_out(s, m->hdr.lead_len))
		goto out;
	session_to_server(s, buf_head(&headers), buf_len(&headers));
	done = s->state == ST_SEND;
out:
	buf_fini(&headers);
	return done;
}

void session_send_fill(struct session *s)
{
	struct session_msg *m = s->msg;

	if (!m->headers_sent && !send_head(s))
		return;
	while (s->state == ST_SEND && !m->end_queued && buf_len(&s->s_out) < SESSION_OUT_HIGH) {
		if (m->sent == spool_size(m->spool)) {
			send_end(s);
			return;
		}
		if (!copy_out(s, FILL_CHUNK))
			return;
	}
}
