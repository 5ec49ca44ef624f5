/* inst_hook.c - which filter is in force at a service of Postfix, whoever has put
 * it there, see inst_plan.h. */
#include "inst_plan.h"

#include <stdio.h>
#include <string.h>

/* The smtpd that postscreen hands its clients to. */
static const struct inst_service *behind_postscreen(const struct inst_postfix *p)
{
	for (size_t i = 0; i < p->nservices; i++) {
		const struct inst_service *s = &p->services[i];
		if (strcmp(s->type, "pass") == 0 && strcmp(s->command, "smtpd") == 0)
			return s;
	}
	return NULL;
}

static const struct inst_override *override_of(const struct inst_postfix *p,
	const struct inst_service *s, enum inst_param_id id)
{
	const struct inst_override *found = NULL;
	char key[INST_NAME_MAX + 32];

	snprintf(key, sizeof key, "%s/%s", s->name, s->type);
	for (size_t i = 0; i < p->noverrides; i++) {
		if (p->overrides[i].param == id && strcmp(p->overrides[i].service, key) == 0)
			found = &p->overrides[i];   /* the last one counts */
	}
	return found;
}

const char *inst_value_at(const struct inst_postfix *p, const struct inst_service *s,
	enum inst_param_id id)
{
	const struct inst_service *pass = strcmp(s->command, "postscreen") == 0 ?
		behind_postscreen(p) : NULL;
	const struct inst_override *o = override_of(p, pass != NULL ? pass : s, id);

	return o != NULL ? o->value : p->params[id].value;
}

bool inst_leads_to(const char *filter, unsigned port)
{
	const char *colon = strrchr(filter, ':');

	return inst_port_number(colon != NULL ? colon + 1 : filter) == port && port != 0;
}

static bool is_off(const struct inst_postfix *p, const struct inst_service *s,
	enum inst_param_id hook)
{
	const struct inst_override *o = override_of(p, s, hook);

	return o != NULL && o->value[0] == '\0';
}

bool inst_takes_mail(const struct inst_postfix *p, const struct inst_service *s)
{
	if (strcmp(s->type, "inet") != 0)
		return false;
	if (strcmp(s->command, "postscreen") == 0)
		return true;
	/* Who believes XFORWARD has a filter in front of it. */
	return strcmp(s->command, "smtpd") == 0 && !is_off(p, s, INST_P_content_filter) &&
		!is_off(p, s, INST_P_smtpd_proxy_filter) &&
		strstr(s->line, "smtpd_authorized_xforward_hosts=") == NULL;
}
