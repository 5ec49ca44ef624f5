/* conf_rules.c - what must hold between options.
 *
 * Each looks at several options of the configuration as it would be in force, and
 * says what is wrong with where it was set. What one value must be like is
 * conf_check.c's. Nothing here asks the system. */
#include "conf_int.h"

#include <string.h>

#include "net.h"
#include "str.h"

#define QUARANTINE_FEW ((uint64_t)1 << 20)

struct checked {
	const struct conf *c;
	struct conf_notes *notes;
};

static bool is_missing(const struct conf_value *v)
{
	return !v->is_bad && (v->text == NULL || v->text[0] == '\0');
}

static bool list_needs_port(const char *list)
{
	char item[CONF_ITEM_MAX];
	int r;

	while ((r = str_list_next(&list, ',', item, sizeof(item))) != 0)
		if (r > 0 && conf_unix_path(item) == NULL)
			return true;
	return false;
}

static void check_side(const struct checked *k, const char *where, const char *addr_name,
	const char *port_name)
{
	const struct conf_values *vs = conf_merged(k->c, CONF_SEC_SMTP);
	const struct conf_value *addr = conf_value_of(vs, addr_name, CONF_SEC_SMTP);
	const struct conf_value *port = conf_value_of(vs, port_name, CONF_SEC_SMTP);

	if (is_missing(addr))
		conf_note(k->notes, CONF_NOTE_ERROR, where,
			"the agent is enabled, but %s is not set in [smtp]", addr_name);
	if (is_missing(port) && (addr->text == NULL || list_needs_port(addr->text)))
		conf_note(k->notes, CONF_NOTE_ERROR, where,
			"the agent is enabled, but %s is not set in [smtp]", port_name);
}

/* Does a connection to this server item, with equal ports, end at this
 * listener? As written: names are not looked up. */
static bool is_same_end(const char *listen, const char *server)
{
	const char *lp = conf_unix_path(listen), *sp = conf_unix_path(server);
	struct net_addr l, s;

	if (lp != NULL || sp != NULL)
		return lp != NULL && sp != NULL && strcmp(lp, sp) == 0;
	bool l_is_addr = net_addr_parse(listen, &l) == 0;
	bool s_is_addr = net_addr_parse(server, &s) == 0;
	bool l_is_local = str_ieq(listen, "localhost"), s_is_local = str_ieq(server, "localhost");
	if (!l_is_addr && !s_is_addr)
		return str_ieq(listen, server);
	if (!l_is_addr)
		return l_is_local && (net_addr_is_loopback(&s) || net_addr_is_any(&s));
	if (!s_is_addr)
		return s_is_local && (net_addr_is_loopback(&l) || net_addr_is_any(&l));
	if (l.family != s.family)
		return false;
	/* To connect to 0.0.0.0 is to connect to the machine itself. */
	return net_addr_is_equal_ip(&l, &s) ||
		(net_addr_is_any(&l) && net_addr_is_loopback(&s)) ||
		(net_addr_is_any(&s) && net_addr_is_loopback(&l));
}

static bool find_own_listener(const struct conf_smtp *s, const char **server_out,
	char item[CONF_ITEM_MAX])
{
	char listen[CONF_ITEM_MAX];
	const char *servers = s->server_addr;
	int r, k;

	while ((r = str_list_next(&servers, ',', item, CONF_ITEM_MAX)) != 0) {
		const char *listens = s->listen_addr;
		while ((k = str_list_next(&listens, ',', listen, sizeof(listen))) != 0) {
			bool is_unix = conf_unix_path(item) != NULL;
			if (r < 0 || k < 0 || (!is_unix && s->listen_port != s->server_port))
				continue;
			if (is_same_end(listen, item)) {
				*server_out = item;
				return true;
			}
		}
	}
	return false;
}

static void check_smtp(const struct checked *k)
{
	const struct conf_values *vs = conf_merged(k->c, CONF_SEC_SMTP);
	const struct conf_smtp *s = &k->c->smtp;
	char item[CONF_ITEM_MAX], shown[CONF_ITEM_MAX];
	const char *server;

	if (!s->mod.agent_enabled)
		return;
	const char *where = conf_value_of(vs, "agent_enabled", CONF_SEC_SMTP)->origin;
	check_side(k, where, "listen_addr", "listen_port");
	check_side(k, where, "server_addr", "server_port");
	if (find_own_listener(s, &server, item))
		conf_note(k->notes, CONF_NOTE_ERROR,
			conf_value_of(vs, "server_addr", CONF_SEC_SMTP)->origin,
			"server_addr: %s is this agent's own listener, mail would loop",
			str_clean(shown, sizeof(shown), server, strlen(server)));
}

/* An engine that is listed and has no address could never answer; one that has
 * an address and is not listed is never asked. */
static void check_engines(const struct checked *k)
{
	static const struct { const char *list, *engine, *option; } needs[] = {
		{ "av_engines", "clamd", "clamd_addr" }, { "as_engines", "spamd", "spamd_addr" },
		{ "as_engines", "rspamd", "rspamd_url" },
	};
	const struct conf_values *vs = conf_merged(k->c, CONF_SEC_GLOBAL);

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		const struct conf_value *v = conf_value_of(vs, needs[i].list, CONF_SEC_GLOBAL);
		const struct conf_value *at = conf_value_of(vs, needs[i].option, CONF_SEC_GLOBAL);
		bool is_listed = conf_list_has(v->text, ':', needs[i].engine);
		if (v->is_bad || at->is_bad || is_listed == (at->text[0] != '\0'))
			continue;
		if (is_listed)
			conf_note(k->notes, CONF_NOTE_ERROR, v->origin, "%s: %s needs %s",
				needs[i].list, needs[i].engine, needs[i].option);
		else
			conf_note(k->notes, CONF_NOTE_WARNING, at->origin,
				"%s: %s does not name %s, which is not asked", needs[i].option,
				needs[i].list, needs[i].engine);
	}
}

/* What the program would have to do and does not. */
static void check_effect(const struct checked *k, unsigned section)
{
	const struct conf_values *vs = conf_merged(k->c, section);

	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		const struct conf_value *v = &vs->v[i];
		if ((o->sections & section) == 0 || conf_opt_state(o) == NULL ||
		    v->origin == NULL || v->is_bad || conf_opt_is_default(o, v->text))
			continue;
		conf_note(k->notes, CONF_NOTE_WARNING, v->origin,
			"%s has no effect in this version", o->name);
	}
}

/* One process keeps the copies of all agents. */
static void check_quarantine(const struct checked *k)
{
	const struct conf_value *v = conf_value_of(conf_merged(k->c, CONF_SEC_SMTP),
		"av_quarantine_dir", CONF_SEC_SMTP);

	if (strcmp(k->c->smtp.scan.quarantine_dir, k->c->global.scan.quarantine_dir) != 0)
		conf_note(k->notes, CONF_NOTE_WARNING, v->origin,
			"av_quarantine_dir: only the one of [global] counts");
}

/* Less than one mail, perhaps: whoever meant megabytes would lose all copies. */
static void check_quarantine_size(const struct checked *k)
{
	const struct conf_value *v = conf_value_of(conf_merged(k->c, CONF_SEC_GLOBAL),
		"av_quarantine_max_size", CONF_SEC_GLOBAL);

	if (!v->is_bad && k->c->global.av_quarantine_max_size < QUARANTINE_FEW)
		conf_note(k->notes, CONF_NOTE_WARNING, v->origin, "av_quarantine_max_size: copies "
			"beyond %s octets are removed at once; megabytes have M behind the number",
			v->text);
}

/* Not wrong, but not to be forgotten. */
static void check_dry_run(const struct checked *k)
{
	const struct conf_value *v = conf_value_of(conf_merged(k->c, CONF_SEC_SMTP), "policy_dry_run",
		CONF_SEC_SMTP);

	if (k->c->smtp.policy_dry_run)
		conf_note(k->notes, CONF_NOTE_WARNING, v->origin,
			"policy_dry_run: every message is delivered, infected or not");
}

/* A verdict that nobody asks for; sections of users may ask for it. */
static void check_spam(const struct checked *k)
{
	const struct conf_smtp *s = &k->c->smtp;
	const struct conf_value *v = conf_value_of(conf_merged(k->c, CONF_SEC_SMTP), "action_as_spam",
		CONF_SEC_SMTP);

	if (s->scan.actions.as_spam != POLICY_ACCEPT && s->scan.actions.as != POLICY_SCAN &&
	    s->mod.user_config[0] == '\0')
		conf_note(k->notes, CONF_NOTE_WARNING, v->origin,
			"action_as_spam: nothing is scanned for spam, since action_as is not scan");
}

/* Who may look is never left to chance. */
static void check_wwwi(const struct checked *k)
{
	const struct conf_wwwi *w = &k->c->wwwi;
	const struct conf_values *vs = conf_merged(k->c, CONF_SEC_WWWI);
	const struct conf_value *name = conf_value_of(vs, "username", CONF_SEC_WWWI);
	const struct conf_value *word = conf_value_of(vs, "password", CONF_SEC_WWWI);
	const struct conf_value *at = conf_value_of(vs, "listen_addr", CONF_SEC_WWWI);
	struct net_addr a;

	if ((w->username[0] == '\0') != (w->password[0] == '\0'))
		conf_note(k->notes, CONF_NOTE_ERROR, w->username[0] != '\0' ? name->origin :
			word->origin, "username and password go together: set both or neither");
	if (strchr(w->username, ':') != NULL)
		conf_note(k->notes, CONF_NOTE_ERROR, name->origin, "username: holds a colon");
	if (strlen(w->username) + strlen(w->password) > CONF_LOGIN_MAX)
		conf_note(k->notes, CONF_NOTE_ERROR, word->origin,
			"username and password are longer than %u octets together",
			CONF_LOGIN_MAX);
	if (!at->is_bad && w->username[0] == '\0' && net_addr_parse(w->listen_addr, &a) == 0 &&
	    !net_addr_is_loopback(&a))
		conf_note(k->notes, CONF_NOTE_ERROR, at->origin,
			"listen_addr: beyond loopback only with username and password");
	if (w->release && w->username[0] == '\0')
		conf_note(k->notes, CONF_NOTE_ERROR, conf_value_of(vs, "release",
			CONF_SEC_WWWI)->origin,
			"release: only with username and password");
}

static void check_root(const struct checked *k, unsigned section)
{
	const struct conf_value *v = conf_value_of(conf_merged(k->c, section), "user", section);

	if (strcmp(v->text, "root") == 0)
		conf_note(k->notes, CONF_NOTE_WARNING, v->origin,
			"user = root: what reads mail from strangers had better run as "
			"another user");
}

void conf_check_all(const struct conf *c, enum conf_program program, struct conf_notes *notes)
{
	const struct checked *k = &(struct checked){ c, notes };
	unsigned section = conf_program_section(program);

	if (section != 0)
		check_root(k, section);
	if (program == CONF_PROG_SMTP)
		check_smtp(k);
	if (program == CONF_PROG_DAEMON) {
		check_engines(k);
		check_quarantine_size(k);
	}
	if (program == CONF_PROG_SMTP || program == CONF_PROG_DAEMON) {
		check_effect(k, section);
		check_quarantine(k);
	}
	if (program == CONF_PROG_WWWI && k->c->wwwi.mod.agent_enabled)
		check_wwwi(k);
	if (section == CONF_SEC_SMTP) {
		check_dry_run(k);
		check_spam(k);
	}
}

/* A password is no longer one in a file that everybody can read. */
void conf_check_secrets(const struct conf_values own[3], const struct conf_reader *r)
{
	for (size_t i = 0; i < conf_nopts && r->is_world_readable; i++) {
		if ((conf_opts[i].flags & CONF_SECRET) == 0)
			continue;
		for (unsigned section = 0; section < 3; section++) {
			const struct conf_value *v = &own[section].v[i];
			if (v->text != NULL && v->text[0] != '\0' && strncmp(v->origin, "--", 2) != 0)
				conf_note(r->notes, CONF_NOTE_WARNING, v->origin,
					"everybody can read the file, which holds this %s: chmod o-r",
					conf_opts[i].name);
		}
	}
}
