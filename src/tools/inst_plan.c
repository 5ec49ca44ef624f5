/* inst_plan.c - from what is to what is to be, see inst_plan.h.
 *
 *   after the queue:   client -> Postfix -> queue -> "esets" -> agent -> way back
 *   before the queue:  client -> Postfix -> agent -> way back -> queue
 *
 * The options of both services are those of etc/postfix/master.cf*.esets; a
 * test compares them. Concurrency: two messages in the filter for each scan
 * that runs at a time, so that the scanner never waits for octets, and two. */
#include "inst_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "str.h"

#define TRANSPORT "esets"
#define TRANSPORT_KEY TRANSPORT "/unix"
#define CONCURRENCY_MAX 200u
#define REPLAY_S 100u        /* of smtpd_proxy_timeout, besides the scan */
#define HEADER_ROOM 10000u   /* what the filter adds to a mail, at most */
#define UNLIMITED 1000u      /* stands for process limit 0 */

/* From smtp_fallback_relay on, what main.cf may say, now or later, of mail that
 * leaves this machine: that would send it past the filter, or change it twice. */
static const char *const transport_options[] = {
	"smtp_send_xforward_command=yes", "disable_mime_output_conversion=yes",
	"smtp_data_done_timeout=1200", "disable_dns_lookups=yes", "smtp_tls_security_level=none",
	"smtp_fallback_relay=", "smtp_generic_maps=", "smtp_header_checks=",
	"smtp_mime_header_checks=", "smtp_nested_header_checks=", "smtp_body_checks=",
	"smtp_sasl_auth_enable=no", "smtp_tls_wrappermode=no",
};

/* Neither hook is in force there, whichever main.cf has, or will have. */
static const char *const back_options[] = {
	"content_filter=", "smtpd_proxy_filter=",
	"mynetworks=127.0.0.0/8,[::1]/128",
	"smtpd_authorized_xforward_hosts=127.0.0.0/8,[::1]/128",
	"smtpd_client_restrictions=permit_mynetworks,reject", "smtpd_helo_restrictions=",
	"smtpd_sender_restrictions=", "smtpd_relay_restrictions=permit_mynetworks,reject",
	"smtpd_recipient_restrictions=permit_mynetworks,reject", "smtpd_data_restrictions=",
	"smtpd_end_of_data_restrictions=", "smtpd_restriction_classes=", "smtpd_delay_reject=no",
	"smtpd_error_sleep_time=0", "smtpd_soft_error_limit=1001", "smtpd_hard_error_limit=1000",
	"smtpd_client_connection_count_limit=0", "smtpd_client_connection_rate_limit=0",
	"smtpd_tls_security_level=none", "smtpd_sasl_auth_enable=no",
};

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

/* What goes from function to function while a plan is made. */
struct making {
	struct inst_plan *plan;
	enum inst_mode mode;
	const struct inst_agent *a;
	const struct inst_postfix *p;
	const struct inst_journal *j;
	char way_in[INST_NAME_MAX + 16];  /* "[127.0.0.1]:2526" */
	unsigned concurrency;
};

const char *inst_mode_name(enum inst_mode m)
{
	return m == INST_AFTER_QUEUE ? "after-queue" : "before-queue";
}

/* --- plans ------------------------------------------------------------------------- */

void inst_plan_note(struct inst_plan *plan, enum inst_level level, const char *fmt, ...)
{
	/* The last place takes the worst of what does not fit. */
	bool is_full = plan->nnotes == INST_NOTES_MAX;
	struct inst_note *n = &plan->notes[is_full ? plan->nnotes - 1 : plan->nnotes];
	va_list ap;

	if (is_full && n->level >= level)
		return;
	plan->nnotes += !is_full;
	n->level = level;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof n->text, fmt, ap);
	va_end(ap);
}

const char *inst_plan_shown(char out[INST_SHOWN_MAX], const char *text)
{
	size_t n = INST_SHOWN_MAX - sizeof " ...";

	if (str_copy(out, INST_SHOWN_MAX, text))
		return out;
	while (n > 0 && text[n] != ' ')
		n--;
	if (n == 0)   /* one word */
		n = INST_SHOWN_MAX - sizeof " ...";
	snprintf(out, INST_SHOWN_MAX, "%.*s ...", (int)n, text);
	return out;
}

void inst_plan_step(struct inst_plan *plan, enum inst_kind kind, const char *name,
	const char *was, const char *becomes)
{
	struct inst_step *s = &plan->steps[plan->nsteps];

	if (plan->nsteps == INST_STEPS_MAX) {
		inst_plan_note(plan, INST_FATAL, "more changes than fit into a plan");
		return;
	}
	plan->nsteps++;
	*s = (struct inst_step){ .kind = kind, .had = was != NULL, .has = becomes != NULL };
	if (!str_copy(s->name, sizeof s->name, name) ||
	    !str_copy(s->was, sizeof s->was, was != NULL ? was : "") ||
	    !str_copy(s->becomes, sizeof s->becomes, becomes != NULL ? becomes : ""))
		inst_plan_note(plan, INST_FATAL, "%s: the value is too long", name);
}

enum inst_level inst_plan_level(const struct inst_plan *plan)
{
	enum inst_level worst = INST_NOTE;

	for (size_t i = 0; i < plan->nnotes; i++) {
		if (plan->notes[i].level > worst)
			worst = plan->notes[i].level;
	}
	return worst;
}

bool inst_plan_has(const struct inst_plan *plan, enum inst_kind kind)
{
	for (size_t i = 0; i < plan->nsteps; i++) {
		if (plan->steps[i].kind == kind)
			return true;
	}
	return false;
}

/* --- addresses ---------------------------------------------------------------------- */

/* The first address of a list that is TCP, without brackets; one that stands
 * for all of them is loopback. false: none. */
static bool first_host(const char *list, char out[INST_NAME_MAX])
{
	char text[NET_ADDR_TEXT];
	struct net_addr a;

	while (str_list_next(&list, ',', out, INST_NAME_MAX) > 0) {
		if (strncmp(out, "unix:", 5) == 0)
			continue;
		if (net_addr_parse(out, &a) < 0)
			return true;
		str_copy(out, INST_NAME_MAX, !net_addr_is_any(&a) ? net_addr_text(&a, text) :
			a.family == AF_INET ? "127.0.0.1" : "::1");
		return true;
	}
	return false;
}

static bool is_ipv6(const char *host)
{
	return strchr(host, ':') != NULL;
}

static void find_places(struct making *m)
{
	struct inst_plan *plan = m->plan;
	const struct inst_agent *a = m->a;
	struct net_addr back;

	plan->agent_port = a->listen_port != 0 ? a->listen_port : INST_LISTEN_PORT;
	plan->back_port = a->server_port != 0 ? a->server_port : INST_SERVER_PORT;
	if (a->listen_addr[0] == '\0')
		str_copy(plan->agent_host, INST_NAME_MAX, "127.0.0.1");
	else if (!first_host(a->listen_addr, plan->agent_host))
		inst_plan_note(plan, INST_FATAL,
			"listen_addr has no TCP address, and Postfix's client speaks to no other");
	if (a->server_addr[0] == '\0' || !first_host(a->server_addr, plan->back_host) ||
	    str_ieq(plan->back_host, "localhost"))
		str_copy(plan->back_host, INST_NAME_MAX, "127.0.0.1");
	if (net_addr_parse(plan->back_host, &back) < 0 || !net_addr_is_loopback(&back))
		inst_plan_note(plan, INST_FATAL, "server_addr is %s: the way back can only be made on "
			"this machine, at 127.0.0.1 or ::1", plan->back_host);
	snprintf(plan->back, sizeof plan->back, is_ipv6(plan->back_host) ? "[%.60s]:%u" : "%.60s:%u",
		plan->back_host, plan->back_port);
	snprintf(m->way_in, sizeof m->way_in, "[%s]:%u", plan->agent_host, plan->agent_port);
}

/* --- numbers ------------------------------------------------------------------------- */

static const char *value_of(const struct making *m, enum inst_param_id id)
{
	return m->p->params[id].value;
}

static unsigned number_of(const struct making *m, enum inst_param_id id, unsigned fallback)
{
	uint64_t v;

	return str_parse_u64(value_of(m, id), &v) == 0 && v <= 1000000 ? (unsigned)v : fallback;
}

/* Postfix's times: a number, and s, m, h, d or w. 0 what is none. */
static unsigned long seconds_of(const char *text)
{
	static const struct { char unit; unsigned long s; } units[] = {
		{ '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 },
	};
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	for (size_t i = 0; i < COUNT(units) && end != text && v <= 1000000; i++) {
		if (*end == units[i].unit && (*end == '\0' || end[1] == '\0'))
			return v * units[i].s;
	}
	return 0;
}

static unsigned min_u(unsigned a, unsigned b) { return a < b ? a : b; }

static bool is_back(const struct making *m, const struct inst_service *s)
{
	return strcmp(s->name, m->plan->back) == 0;
}

/* Processes in front that may each hold a session of the filter. */
static unsigned front_processes(const struct making *m)
{
	unsigned sum = 0, fallback = number_of(m, INST_P_default_process_limit, 100);

	for (size_t i = 0; i < m->p->nservices; i++) {
		const struct inst_service *s = &m->p->services[i];
		uint64_t v = 0;
		if (strcmp(s->command, "smtpd") != 0 || is_back(m, s))
			continue;
		bool is_number = str_parse_u64(s->maxproc, &v) == 0 && v <= 1000000;
		sum += !is_number ? fallback : v == 0 ? UNLIMITED : (unsigned)v;
	}
	return sum;
}

/* How many messages may be in the filter at a time. */
static void find_concurrency(struct making *m)
{
	uint32_t most = m->a->max_sessions != 0 ? m->a->max_sessions : UINT32_MAX;

	if (m->mode == INST_AFTER_QUEUE) {
		m->concurrency = min_u(2 * min_u(m->a->scans, CONCURRENCY_MAX) + 2, CONCURRENCY_MAX);
	} else {
		m->concurrency = front_processes(m);
		if (m->concurrency > most)
			inst_plan_note(m->plan, INST_NOTE, "Postfix may hold %u sessions of the filter, "
				"max_sessions is %lu: beyond it senders are told to come again. Give smtpd a "
				"limit in master.cf, or raise max_sessions.", m->concurrency,
				(unsigned long)most);
	}
	m->concurrency = min_u(m->concurrency, most);
}

/* --- services -------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void add(char line[INST_TEXT_MAX], const char *fmt, ...)
{
	size_t at = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + at, INST_TEXT_MAX - at, fmt, ap);
	va_end(ap);
}

/* A source address for mail that leaves is none for loopback: the agent would
 * not trust it. Postfix takes the one of inet_interfaces too. */
static void add_bind(const struct making *m, char line[INST_TEXT_MAX])
{
	const char *all = value_of(m, INST_P_inet_interfaces);
	bool v6 = is_ipv6(m->plan->agent_host);
	const char *bound = value_of(m, v6 ? INST_P_smtp_bind_address6 : INST_P_smtp_bind_address);
	struct net_addr a;

	if (net_addr_parse(m->plan->agent_host, &a) == 0 && net_addr_is_loopback(&a) &&
	    (bound[0] != '\0' || (strcmp(all, "all") != 0 && strcmp(all, "loopback-only") != 0)))
		add(line, " -o smtp_bind_address%s=%s", v6 ? "6" : "", m->plan->agent_host);
}

static void transport_line(const struct making *m, char line[INST_TEXT_MAX])
{
	line[0] = '\0';
	add(line, TRANSPORT " unix - - n - %u smtp", m->concurrency);
	for (size_t i = 0; i < COUNT(transport_options); i++)
		add(line, " -o %s", transport_options[i]);
	add_bind(m, line);
}

static void back_line(const struct making *m, char line[INST_TEXT_MAX])
{
	bool is_many = m->concurrency > number_of(m, INST_P_default_process_limit, 100);

	line[0] = '\0';
	add(line, "%s inet n - n - ", m->plan->back);
	add(line, is_many ? "%u" : "-", m->concurrency);
	add(line, " smtpd -o syslog_name=postfix/esets -o myhostname=esets.%s",
		value_of(m, INST_P_mydomain));
	for (size_t i = 0; i < COUNT(back_options); i++)
		add(line, " -o %s", back_options[i]);
	/* Where mail is queued here for the first time, it was not checked before. Milters
	 * would take each client for this machine. */
	add(line, " -o receive_override_options=no_unknown_recipient_checks%s,no_milters",
		m->mode == INST_AFTER_QUEUE ? ",no_header_body_checks" : "");
	if (m->a->server_proxy)
		add(line, " -o smtpd_upstream_proxy_protocol=haproxy");
	else if (value_of(m, INST_P_smtpd_upstream_proxy_protocol)[0] != '\0')
		add(line, " -o smtpd_upstream_proxy_protocol=");
	if (m->a->server_xclient)
		add(line, " -o smtpd_authorized_xclient_hosts=127.0.0.0/8,[::1]/128");
}

static void plan_service(struct making *m, const char *key, const char *line)
{
	const struct inst_service *s = inst_service_find(m->p, key);
	const struct inst_step *ours = inst_journal_find(m->j, INST_MASTER, key);
	char shown[INST_SHOWN_MAX];

	if (s != NULL && strcmp(s->line, line) == 0)
		return;
	if (s != NULL && s == m->plan->circle)
		return;   /* said already; to take its place would help nobody */
	if (s != NULL && (ours == NULL || strcmp(ours->becomes, s->line) != 0))
		inst_plan_note(m->plan, INST_CONFLICT, "master.cf has a service %s already, %s: %s",
			key, ours != NULL ? "which was changed since" : "another one",
			inst_plan_shown(shown, s->line));
	inst_plan_step(m->plan, INST_MASTER, key, s != NULL ? s->line : NULL, line);
}

/* The port of the way back; of what stands there only ours, or another way back that
 * only is not as ours, may be replaced. */
static void check_back(struct making *m, const struct inst_service *s)
{
	char key[INST_NAME_MAX + 32];

	snprintf(key, sizeof key, "%s/%s", s->name, s->type);
	if (inst_takes_mail(m->p, s) && inst_journal_find(m->j, INST_MASTER, key) == NULL) {
		m->plan->circle = s;
		inst_plan_note(m->plan, INST_FATAL, "server_port %u is where mail comes in: mail would "
			"go in circles. The service %s of master.cf is there: set another server_port in "
			"esets.cfg", m->plan->back_port, s->name);
	} else if (!is_back(m, s)) {
		inst_plan_note(m->plan, INST_FATAL, "port %u of the way back is taken by the service "
			"%s of master.cf: set another server_port in esets.cfg", m->plan->back_port, s->name);
	}
}

/* Another service at a port that is needed. */
static void check_ports(struct making *m)
{
	struct inst_plan *plan = m->plan;

	if (plan->agent_port == plan->back_port && strcmp(plan->agent_host, plan->back_host) == 0)
		inst_plan_note(plan, INST_FATAL, "listen_port and server_port are the same");
	for (size_t i = 0; i < m->p->nservices; i++) {
		const struct inst_service *s = &m->p->services[i];
		char host[INST_NAME_MAX], port[INST_NAME_MAX];
		if (strcmp(s->type, "inet") != 0)
			continue;
		inst_service_addr(s->name, host, port);
		unsigned n = inst_port_number(port);
		struct net_addr a;
		bool is_here = net_addr_parse(host, &a) < 0 || net_addr_is_any(&a) ||
			net_addr_is_loopback(&a);
		if (n == plan->back_port && is_here)
			check_back(m, s);
		if (is_back(m, s))
			continue;
		if (n == plan->agent_port && (is_here || strcmp(host, plan->agent_host) == 0))
			inst_plan_note(plan, INST_FATAL, "port %u of the filter is taken by the service %s "
				"of master.cf: set another listen_port in esets.cfg", n, s->name);
	}
}

/* --- main.cf ---------------------------------------------------------------------------- */

static void plan_param(struct making *m, enum inst_param_id id, const char *value)
{
	const struct inst_param *p = &m->p->params[id];

	if (strcmp(p->value, value) == 0)
		return;
	inst_plan_step(m->plan, INST_MAIN, inst_param_names[id], p->is_set ? p->raw : NULL, value);
}

/* A hook that is not ours, in the place for ours. */
static void check_taken(struct making *m, enum inst_param_id id, const char *wanted)
{
	const char *now = value_of(m, id), *name = inst_param_names[id];
	const struct inst_step *ours = inst_journal_find(m->j, INST_MAIN, name);

	if (now[0] == '\0' || strcmp(now, wanted) == 0 ||
	    (ours != NULL && strcmp(ours->becomes, now) == 0))
		return;
	inst_plan_note(m->plan, INST_CONFLICT, "%s is %s: another filter would no longer see any "
		"mail. To have both, one behind the other, leave it as it is, and let that filter hand "
		"its mail to port %u; it comes back at port %u. (amavisd: $forward_method = "
		"'smtp:[%s]:%u'; the services of master.cf stay to be added by hand.)", name, now,
		m->plan->agent_port, m->plan->back_port, m->plan->agent_host, m->plan->agent_port);
}

static bool has_word(const char *list, const char *word)
{
	const size_t n = strlen(word);

	while (*(list += strspn(list, ", \t")) != '\0') {
		size_t len = strcspn(list, ", \t");
		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

static void plan_after(struct making *m)
{
	const struct inst_param *rewriting = &m->p->params[INST_P_receive_override_options];
	char text[INST_TEXT_MAX];

	snprintf(text, sizeof text, TRANSPORT ":%s", m->way_in);
	check_taken(m, INST_P_content_filter, text);
	plan_param(m, INST_P_content_filter, text);
	if (!has_word(rewriting->value, "no_address_mappings")) {
		text[0] = '\0';
		add(text, "%s%sno_address_mappings", rewriting->raw, rewriting->raw[0] != '\0' ? ", " : "");
		plan_param(m, INST_P_receive_override_options, text);
	}
	if (m->concurrency > number_of(m, INST_P_default_destination_concurrency_limit, 20)) {
		snprintf(text, sizeof text, "%u", m->concurrency);
		plan_param(m, INST_P_esets_destination_concurrency_limit, text);
	}
	if (value_of(m, INST_P_smtpd_proxy_filter)[0] != '\0')
		inst_plan_note(m->plan, INST_CONFLICT, "smtpd_proxy_filter is %s: mail goes through a "
			"filter before the queue too. If it is this one, it would be scanned twice.",
			value_of(m, INST_P_smtpd_proxy_filter));
}

static void plan_before(struct making *m)
{
	const char *filter = value_of(m, INST_P_content_filter);
	unsigned long timeout_s = REPLAY_S + m->a->scan_timeout_s;
	char text[INST_NAME_MAX + 16];

	if (strncmp(filter, TRANSPORT ":", strlen(TRANSPORT) + 1) == 0)
		inst_plan_note(m->plan, INST_FATAL, "content_filter is %s: the filter is hooked in after "
			"the queue; undo that first", filter);
	snprintf(text, sizeof text, is_ipv6(m->plan->agent_host) ? "[%s]:%u" : "%s:%u",
		m->plan->agent_host, m->plan->agent_port);
	check_taken(m, INST_P_smtpd_proxy_filter, text);
	plan_param(m, INST_P_smtpd_proxy_filter, text);
	plan_param(m, INST_P_smtpd_proxy_options, "speed_adjust");
	if (seconds_of(value_of(m, INST_P_smtpd_proxy_timeout)) < timeout_s) {
		snprintf(text, sizeof text, "%lus", timeout_s);
		plan_param(m, INST_P_smtpd_proxy_timeout, text);
	}
	inst_plan_note(m->plan, INST_NOTE, "Mail from programs on this machine (the sendmail command) "
		"does not come in by SMTP: before the queue it is not scanned.");
	if (value_of(m, INST_P_smtpd_milters)[0] != '\0')
		inst_plan_note(m->plan, INST_NOTE, "smtpd_milters is %s: before the queue milters see the "
			"client and the envelope only, not the message, so nothing is signed or verified by "
			"them. Where that is needed, use --mode after-queue.",
			value_of(m, INST_P_smtpd_milters));
}

/* --- esets.cfg ------------------------------------------------------------------------- */

static void plan_option(struct making *m, const char *name, const char *value)
{
	char was[INST_TEXT_MAX], line[INST_NAME_MAX * 2];
	int has = inst_conf_line(m->a->conf_text, name, was);

	snprintf(line, sizeof line, "%s = %s", name, value);
	if (has < 0)
		inst_plan_note(m->plan, INST_FATAL, "esets.cfg: the line of %s is too long", name);
	else
		inst_plan_step(m->plan, INST_CONF, name, has > 0 ? was : NULL, line);
}

static void plan_places(struct making *m)
{
	char port[16];

	if (!m->a->is_enabled)
		plan_option(m, "agent_enabled", "yes");
	if (m->a->listen_addr[0] == '\0')
		plan_option(m, "listen_addr", "\"127.0.0.1\"");
	if (m->a->listen_port == 0) {
		snprintf(port, sizeof port, "%u", m->plan->agent_port);
		plan_option(m, "listen_port", port);
	}
	if (m->a->server_addr[0] == '\0')
		plan_option(m, "server_addr", "\"127.0.0.1\"");
	if (m->a->server_port == 0) {
		snprintf(port, sizeof port, "%u", m->plan->back_port);
		plan_option(m, "server_port", port);
	}
}

/* Behind the queue a refusal makes a bounce, nearly always to a stranger. */
static void plan_actions(struct making *m)
{
	const struct policy_actions *x = &m->a->actions;
	bool infected = x->av_infected == POLICY_REJECT, spam = x->as_spam == POLICY_REJECT;

	if (m->mode == INST_BEFORE_QUEUE) {
		if (x->av_infected == POLICY_DISCARD)
			inst_plan_note(m->plan, INST_NOTE, "action_av_infected is discard. Before the queue "
				"reject is the better one: the sender learns of it, and there is no bounce.");
		return;
	}
	if (infected || spam)
		inst_plan_note(m->plan, INST_NOTE, "Backscatter: behind the queue Postfix has taken a "
			"mail by the time the filter refuses it, and sends a bounce, with the virus in it, "
			"to a sender that is nearly always forged.%s", m->a->keep_config ?
			" action_av_infected or action_as_spam is reject: think of discard." :
			" So the filter is to discard, and to keep a copy in quarantine (esets_quar). To "
			"refuse instead, use --mode before-queue.");
	if (m->a->has_users)
		inst_plan_note(m->plan, INST_NOTE, "user_config is set: look for reject there too.");
	if (!m->a->keep_config) {
		if (infected)
			plan_option(m, "action_av_infected", "discard");
		if (spam)
			plan_option(m, "action_as_spam", "discard");
		if ((infected || spam) && !m->a->quarantine)
			plan_option(m, "av_quarantine_enabled", "yes");
	}
	if (x->av_notscanned == POLICY_REJECT || x->av_encrypted == POLICY_REJECT ||
	    x->av_overlimit == POLICY_REJECT || x->as_notscanned == POLICY_REJECT)
		inst_plan_note(m->plan, INST_NOTE, "Mail that is not scanned is rejected (action_av_"
			"notscanned, _encrypted, _overlimit or action_as_notscanned): its senders, real "
			"or forged, get bounces.");
}

/* --- what else stands in the way --------------------------------------------------------- */

static bool has_protocol(const struct making *m, const char *host)
{
	const char *list = value_of(m, INST_P_inet_protocols);

	return list[0] == '\0' || has_word(list, "all") ||
		has_word(list, is_ipv6(host) ? "ipv6" : "ipv4");
}

/* Is a mail that would not come back refused wherever mail comes in? */
static bool is_size_limited(const struct making *m, uint64_t most)
{
	bool has = false;

	for (size_t i = 0; i < m->p->nservices; i++) {
		const struct inst_service *s = &m->p->services[i];
		uint64_t v = 0;
		if (!inst_takes_mail(m->p, s))
			continue;
		has = str_parse_u64(inst_value_at(m->p, s, INST_P_message_size_limit), &v) == 0 &&
			v > 0 && v <= most;
		if (!has)
			break;
	}
	return has;
}

static void check_postfix(struct making *m)
{
	const char *list = value_of(m, INST_P_master_service_disable);
	uint64_t limit;

	if (!has_protocol(m, m->plan->agent_host) || !has_protocol(m, m->plan->back_host))
		inst_plan_note(m->plan, INST_FATAL, "inet_protocols is %s, which leaves out %s of the "
			"filter: set listen_addr and server_addr in esets.cfg to the other kind",
			value_of(m, INST_P_inet_protocols), m->plan->agent_host);
	if (has_word(list, "inet"))
		inst_plan_note(m->plan, INST_FATAL, "master_service_disable is %s: the way back would "
			"not listen", list);
	if (value_of(m, INST_P_mydomain)[0] == '\0')
		inst_plan_note(m->plan, INST_FATAL, "mydomain is empty");
	if (value_of(m, INST_P_multi_instance_directories)[0] != '\0')
		inst_plan_note(m->plan, INST_NOTE, "There are more instances of Postfix (%s): only this "
			"one is changed. --postfix-config names another; each needs an agent of its own.",
			value_of(m, INST_P_multi_instance_directories));
	if (str_parse_u64(value_of(m, INST_P_message_size_limit), &limit) == 0 &&
	    limit > HEADER_ROOM && !is_size_limited(m, limit - HEADER_ROOM))
		inst_plan_note(m->plan, INST_NOTE, "The filter adds a header line: a mail of just "
			"message_size_limit would not come back. To have it refused at once, give smtpd in "
			"front \"-o message_size_limit=%llu\" in master.cf.",
			(unsigned long long)(limit - HEADER_ROOM));
}

/* Ways into Postfix that go past the hook. */
static void check_overrides(struct making *m)
{
	enum inst_param_id hook = m->mode == INST_AFTER_QUEUE ? INST_P_content_filter :
		INST_P_smtpd_proxy_filter;
	char back[INST_NAME_MAX + 16];

	snprintf(back, sizeof back, "%s/inet", m->plan->back);
	for (size_t i = 0; i < m->p->noverrides; i++) {
		const struct inst_override *o = &m->p->overrides[i];
		if (o->param == hook && strcmp(o->service, back) != 0)
			inst_plan_note(m->plan, INST_NOTE, "The service %s of master.cf has \"-o %s=%s\": "
				"mail that comes in there does not go to the filter.", o->service,
				inst_param_names[hook], o->value);
	}
}

void inst_plan(struct inst_plan *out, enum inst_mode mode, const struct inst_agent *a,
	const struct inst_postfix *p, const struct inst_journal *j)
{
	struct making m = { .plan = out, .mode = mode, .a = a, .p = p, .j = j };
	char line[INST_TEXT_MAX], key[INST_NAME_MAX + 16];

	memset(out, 0, sizeof *out);
	if (j->is_there && j->mode != mode) {
		inst_plan_note(out, INST_FATAL, "the filter is hooked in as %s; undo that first: "
			"esets_inst(8), CHANGING THE MODE", inst_mode_name(j->mode));
		return;
	}
	find_places(&m);
	find_concurrency(&m);
	check_postfix(&m);
	check_ports(&m);
	check_overrides(&m);
	plan_actions(&m);
	if (!a->keep_config)
		plan_places(&m);
	if (mode == INST_AFTER_QUEUE) {
		transport_line(&m, line);
		plan_service(&m, TRANSPORT_KEY, line);
	}
	back_line(&m, line);
	if (strlen(line) + 1 >= INST_TEXT_MAX)
		inst_plan_note(out, INST_FATAL, "the service of the way back is too long");
	snprintf(key, sizeof key, "%s/inet", out->back);
	plan_service(&m, key, line);
	(mode == INST_AFTER_QUEUE ? plan_after : plan_before)(&m);
}
