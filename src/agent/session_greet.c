/* session_greet.c - what a new server connection must hear before the client.
 *
 * The server sees our address. With server_proxy_protocol or server_xclient
 * it learns the client's: by the PROXY header in front of everything, or by
 * XCLIENT behind an EHLO of our own. The banner that the client gets is the
 * one that holds for it: the new one after XCLIENT, else the first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "proxy_hdr.h"
#include "session_int.h"
#include "str.h"

void session_greet_fini(struct session *s)
{
	buf_fini(&s->banner);
	free(s->xclient);
	s->xclient = NULL;
}

void session_greet_up(struct session *s)
{
	const enum conf_proxy version = s->env->conf->smtp.server_proxy_protocol;
	const struct proxy_hdr h = { .src = s->client, .dst = s->local };
	char text[128];

	if (version != CONF_PROXY_NO)
		session_to_server(s, text, proxy_hdr_format(&h, version == CONF_PROXY_V1 ? 1 : 2, text));
}

const char *session_greet_ehlo(const struct session *s, char *out, size_t size)
{
	snprintf(out, size, "EHLO %s", s->env->hostname);
	return out;
}

void session_greet_banner(struct session *s)
{
	const struct buf *raw = &s->reply.raw;
	char text[300];

	if (s->reply.code / 100 != 2 || !s->env->conf->smtp.server_xclient) {
		s->server_bye = s->reply.code / 100 != 2;
		session_to_client(s, buf_head(raw), buf_len(raw));
		return;
	}
	if (buf_append(&s->banner, buf_head(raw), buf_len(raw)) < 0) {
		session_close(s, SESSION_END_MEMORY);
		return;
	}
	session_set_state(s, ST_XEHLO);
	session_greet_ehlo(s, text, sizeof text);
	session_to_server(s, text, strlen(text));
	session_to_server(s, "\r\n", 2);
}

/* The XCLIENT line, with what the server said it takes. */
static char *xclient_line(const struct session *s, const char *takes, size_t n)
{
	char line[256], ip[NET_ADDR_TEXT];
	size_t at;

	if (s->client.family != AF_INET && s->client.family != AF_INET6)
		return NULL;
	net_addr_text(&s->client, ip);
	/* Without a name the server would keep the one it knows us by. */
	at = (size_t)snprintf(line, sizeof line, "XCLIENT%s ADDR=%s%s",
		smtp_cmd_has_param(takes, n, "NAME", NULL) ? " NAME=[UNAVAILABLE]" : "",
		s->client.family == AF_INET6 ? "IPV6:" : "", ip);
	if (smtp_cmd_has_param(takes, n, "PORT", NULL))
		snprintf(line + at, sizeof line - at, " PORT=%u", s->client.port);
	return strdup(line);
}

void session_greet_xclient(struct session *s)
{
	const char *takes;
	size_t n;

	if (!smtp_ehlo_find((const char *)buf_head(&s->reply.raw), buf_len(&s->reply.raw), "XCLIENT",
			&takes, &n) || !smtp_cmd_has_param(takes, n, "ADDR", NULL)) {
		log_warning("the server does not offer XCLIENT: it takes the client for this host");
		session_greet_end(s, false);
		return;
	}
	s->xclient = xclient_line(s, takes, n);
	if (s->xclient == NULL) {
		session_greet_end(s, false);
		return;
	}
	s->server_since_ms = s->env->now_ms;
	session_to_server(s, s->xclient, strlen(s->xclient));
	session_to_server(s, "\r\n", 2);
}

void session_greet_end(struct session *s, bool taken)
{
	const struct buf *raw = taken ? &s->reply.raw : &s->banner;

	if (!taken && s->state == ST_XCLIENT)
		session_set_state(s, ST_COMMAND);
	if (!taken && s->xclient != NULL) {
		log_warning("the server refused XCLIENT: it takes the client for this host");
		free(s->xclient);
		s->xclient = NULL;
	}
	session_to_client(s, buf_head(raw), buf_len(raw));
	buf_fini(&s->banner);
}
