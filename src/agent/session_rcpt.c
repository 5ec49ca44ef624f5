/* session_rcpt.c - recipients and their settings.
 *
 * Whose settings hold is known when the server's replies have come: the first
 * recipient it accepts. user_config_recipients says what becomes of others:
 *   first      they go by the first one's
 *   defer      452 from us for one whose settings differ; it comes again in a
 *              transaction of its own
 *   strictest  all are laid together; 452 for one whose list has no room there
 * While there are sections at all, an address that a server might read in
 * another way than we do is refused by us: else a comment in it were enough to
 * get other settings than its section's.
 * With pipelining a recipient goes on at once while it may, whatever the replies
 * that are owed: with defer if everybody who may turn out to be the first has the
 * same settings as it, with strictest if there is room for the lists of all who were
 * asked about. Else it waits for these replies, and all commands behind it. */
#include <stdlib.h>
#include <string.h>

#include "addr_plain.h"
#include "log.h"
#include "session_int.h"
#include "str.h"

static size_t take_apart(const char *line, size_t len, enum smtp_verb verb, const char **addr_out,
	const char **params_out, size_t *params_len_out)
{
	const size_t n = strlen(smtp_verb_name(verb));
	const char *arg = line + n, *end = line + len;

	while (arg < end && (*arg == ' ' || (*arg >= '\t' && *arg <= '\r')))
		arg++;
	return smtp_cmd_path(arg, (size_t)(end - arg), verb == SMTP_VERB_MAIL ? "FROM" : "TO", addr_out,
		params_out, params_len_out);
}

size_t session_path(const char *line, size_t len, enum smtp_verb verb, const char **addr_out)
{
	return take_apart(line, len, verb, addr_out, NULL, NULL);
}

size_t session_mail_params(const char *line, size_t len, const char **params_out)
{
	const char *addr;
	size_t n;

	take_apart(line, len, SMTP_VERB_MAIL, &addr, params_out, &n);
	return n;
}

bool session_mail_has(const char *line, size_t len, const char *name, const char *value)
{
	const char *params;
	size_t n = session_mail_params(line, len, &params);

	return smtp_cmd_has_param(params, n, name, value);
}

uint64_t session_mail_size(const char *line, size_t len)
{
	const char *params;
	size_t n = session_mail_params(line, len, &params);
	char text[24];
	uint64_t size;

	return smtp_cmd_attr(params, n, "SIZE", text, sizeof text) &&
		str_parse_u64(text, &size) == 0 ? size : 0;
}

/* MAIL or RCPT: is there one address (or the null sender), and nothing that
 * may be another? */
static bool is_clear(const struct smtp_cmd *cmd)
{
	const bool is_mail = cmd->verb == SMTP_VERB_MAIL;
	const char *addr, *params;
	size_t k, n = smtp_cmd_path(cmd->arg, cmd->arg_len, is_mail ? "FROM" : "TO", &addr, &params, &k);

	if (!smtp_cmd_params_are_plain(params, k))
		return false;
	if (n == 0) /* else it is no path, or a route without an address */
		return is_mail && addr > cmd->arg && addr[-1] == '<';
	return addr_is_plain(addr, n);
}

/* Settings of one recipient of a MAIL line (NULL: none). */
static struct conf_settings settings_of(const struct session *s, const char *mail, const char *rcpt,
	size_t rcpt_len)
{
	const char *r, *m = "";
	size_t nr = session_path(rcpt, rcpt_len, SMTP_VERB_RCPT, &r);
	size_t nm = mail != NULL ? session_path(mail, strlen(mail), SMTP_VERB_MAIL, &m) : 0;

	return conf_settings_for(s->env->conf, r, nr, m, nm);
}

/* With what goes between it and the next. */
static size_t list_octets(const struct conf_scan *scan)
{
	return strlen(scan->opts.block_ext) + 1;
}

static bool changes_transaction(enum smtp_verb v)
{
	return v == SMTP_VERB_MAIL || v == SMTP_VERB_RSET || v == SMTP_VERB_EHLO ||
		v == SMTP_VERB_HELO || v == SMTP_VERB_XCLIENT;
}

static enum session_rcpt check_defer(const struct conf_scan *first, const struct conf_scan *asked,
	const struct conf_scan *scan)
{
	if (first != NULL)
		return scan == first ? SESSION_RCPT_GOES : SESSION_RCPT_DEFERRED;
	return asked == NULL || asked == scan ? SESSION_RCPT_GOES : SESSION_RCPT_WAITS;
}

/* asked: octets of the lists of those who are asked about. The server must not hear of
 * one who has no room: it would have the message for him, and then once more. */
static enum session_rcpt check_strictest(const struct conf_scan *first, size_t asked,
	const struct conf_scan *scan)
{
	const size_t most = (first != NULL ? list_octets(first) : 0) + asked + list_octets(scan);

	if (most <= STRICTEST_LIST_MAX)
		return SESSION_RCPT_GOES;
	if (asked > 0)
		return SESSION_RCPT_WAITS;
	return first == NULL || strictest_fits(first, scan) ? SESSION_RCPT_GOES : SESSION_RCPT_DEFERRED;
}

enum session_rcpt session_rcpt_check(const struct session *s, const struct smtp_cmd *cmd,
	struct conf_settings *out)
{
	const struct conf *c = s->env->conf;
	const struct conf_scan *first = s->envelope.settings.scan, *asked = NULL;
	const char *mail = s->envelope.mail;
	const enum conf_recipients mode = c->smtp.user_config_recipients;
	size_t octets = 0;

	*out = (struct conf_settings){ .scan = NULL };
	if ((cmd->verb == SMTP_VERB_MAIL || cmd->verb == SMTP_VERB_RCPT) && s->msg == NULL &&
	    conf_has_users(c) && !is_clear(cmd))
		return SESSION_RCPT_UNCLEAR;
	if (cmd->verb != SMTP_VERB_RCPT || mode == CONF_RCPT_FIRST || s->msg != NULL ||
	    !conf_has_users(c))
		return SESSION_RCPT_GOES;
	for (unsigned i = 0; i < s->queue_len; i++) {
		const struct session_pending *e = session_queue_at(s, i);
		const enum smtp_verb verb = (enum smtp_verb)e->verb;
		if (e->local != NULL)
			continue;
		/* Which transaction this recipient will be of is not known yet. */
		if (changes_transaction(verb) && (mail != NULL || first != NULL))
			return SESSION_RCPT_WAITS;
		if (verb == SMTP_VERB_MAIL)
			mail = e->line;
		if (verb != SMTP_VERB_RCPT || e->settings.scan == NULL)
			continue;
		asked = e->settings.scan;
		octets += list_octets(asked);
	}
	if (mail == NULL) /* the server refuses it; if not, we refuse DATA */
		return SESSION_RCPT_GOES;
	*out = settings_of(s, mail, cmd->line, cmd->line_len);
	return mode == CONF_RCPT_DEFER ? check_defer(first, asked, out->scan) :
		check_strictest(first, octets, out->scan);
}

void session_rcpt_log_deferred(const struct smtp_cmd *cmd, const struct conf_settings *settings)
{
	char rcpt[160], section[160];
	const char *addr;
	size_t n = session_path(cmd->line, cmd->line_len, SMTP_VERB_RCPT, &addr);

	log_info("recipient deferred to=<%s> section=\"%s\"", str_clean(rcpt, sizeof rcpt, addr, n),
		str_clean(section, sizeof section, settings->section, strlen(settings->section)));
}

static bool lay_together(struct session_envelope *e, const struct conf_scan *more)
{
	if (more == e->settings.scan)
		return true;
	if (e->strictest == NULL) {
		e->strictest = malloc(sizeof *e->strictest);
		if (e->strictest == NULL)
			return false;
		strictest_init(e->strictest, e->settings.scan);
		e->settings.scan = &e->strictest->scan;
	}
	return strictest_add(e->strictest, more) == 0;
}

void session_rcpt_accepted(struct session *s, const struct session_pending *p)
{
	struct session_envelope *e = &s->envelope;
	const bool joins = s->env->conf->smtp.user_config_recipients == CONF_RCPT_STRICTEST;

	if (e->settings.scan != NULL && !joins)
		return;
	struct conf_settings settings = p->settings.scan != NULL ? p->settings :
		settings_of(s, e->mail, p->line, strlen(p->line));
	if (e->settings.scan == NULL)
		e->settings = settings;
	else if (!lay_together(e, settings.scan))
		session_close(s, SESSION_END_MEMORY);
}

void session_rcpt_clear(struct session_envelope *e)
{
	if (e->strictest != NULL)
		strictest_fini(e->strictest);
	free(e->strictest);
	e->strictest = NULL;
	e->settings = (struct conf_settings){ .scan = NULL };
}
