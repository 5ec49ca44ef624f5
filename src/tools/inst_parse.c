/* inst_parse.c - what postconf prints, see inst_plan.h. */
#include "inst_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

#define WORDS_BEFORE_COMMAND 7   /* service type private unpriv chroot wakeup maxproc */

#define INST_PARAM_NAME(name) [INST_P_##name] = #name,
const char *const inst_param_names[INST_P_COUNT] = { INST_PARAMS(INST_PARAM_NAME) };

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* --- lines ------------------------------------------------------------------------ */

/* The next line, without blanks around it; false at the end. */
static bool next_line(const char **text, const char **line_out, size_t *len_out)
{
	const char *p = *text;

	if (*p == '\0')
		return false;
	size_t n = strcspn(p, "\n");
	*text = p + n + (p[n] == '\n' ? 1 : 0);
	while (n > 0 && (is_blank(p[n - 1]) || p[n - 1] == '\r'))
		n--;
	while (n > 0 && is_blank(*p)) {
		p++;
		n--;
	}
	*line_out = p;
	*len_out = n;
	return true;
}

static int complain(char why[INST_NOTE_MAX], const char *what, const char *line, size_t n)
{
	char shown[120];

	snprintf(why, INST_NOTE_MAX, "postconf: %s: \"%s\"", what,
		str_clean(shown, sizeof shown, line, n));
	return -1;
}

/* "name = value". 0, -1 not of this form, or longer than fits. */
static int split(const char *line, size_t n, char *name, size_t name_size,
	char *value, size_t value_size)
{
	const char *eq = memchr(line, '=', n), *end = line + n;

	if (eq == NULL)
		return -1;
	size_t len = (size_t)(eq - line);
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (len == 0 || !str_copy_n(name, name_size, line, len))
		return -1;
	for (eq++; eq < end && is_blank(*eq);)
		eq++;
	return str_copy_n(value, value_size, eq, (size_t)(end - eq)) ? 0 : -1;
}

static int param_find(const char *name)
{
	for (int i = 0; i < INST_P_COUNT; i++) {
		if (strcmp(inst_param_names[i], name) == 0)
			return i;
	}
	return -1;
}

int inst_params_parse(struct inst_postfix *p, const char *text, bool is_n,
	char why[INST_NOTE_MAX])
{
	char name[INST_NAME_MAX], value[INST_TEXT_MAX];
	const char *line;
	size_t n;

	while (next_line(&text, &line, &n)) {
		if (n == 0)
			continue;
		size_t word = strcspn(line, " =\t\r\n");
		if (word >= sizeof name || word > n || !str_copy_n(name, sizeof name, line, word))
			continue;
		int i = param_find(name);
		if (i < 0)
			continue;
		if (split(line, n, name, sizeof name, value, sizeof value) < 0)
			return complain(why, "not \"name = value\", or too long", line, n);
		struct inst_param *param = &p->params[i];
		param->is_set = param->is_set || is_n;
		str_copy(is_n ? param->raw : param->value, INST_TEXT_MAX, value);
	}
	return 0;
}

/* --- master.cf ---------------------------------------------------------------------- */

/* Words with one blank between them. 0, -1 too long. */
static int normalise(const char *line, size_t n, char out[INST_TEXT_MAX])
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_blank(line[i]) && (at == 0 || out[at - 1] == ' '))
			continue;
		if (at + 1 >= INST_TEXT_MAX)
			return -1;
		out[at++] = line[i];
		if (is_blank(line[i]))
			out[at - 1] = ' ';
	}
	out[at] = '\0';
	return 0;
}

/* Takes word number k of a normalised line. */
static bool word_at(const char *line, unsigned k, char *out, size_t size)
{
	while (k > 0 && *line != '\0') {
		if (*line++ == ' ')
			k--;
	}
	size_t n = strcspn(line, " ");
	return n > 0 && str_copy_n(out, size, line, n);
}

int inst_services_parse(struct inst_postfix *p, const char *text, char why[INST_NOTE_MAX])
{
	const char *line;
	size_t n;

	p->nservices = 0;
	while (next_line(&text, &line, &n)) {
		struct inst_service *s = &p->services[p->nservices];
		if (n == 0)
			continue;
		if (p->nservices == INST_SERVICES_MAX)
			return complain(why, "more services than fit, from", line, n);
		if (normalise(line, n, s->line) < 0 || !word_at(s->line, 0, s->name, sizeof s->name) ||
		    !word_at(s->line, 1, s->type, sizeof s->type) ||
		    !word_at(s->line, WORDS_BEFORE_COMMAND - 1, s->maxproc, sizeof s->maxproc) ||
		    !word_at(s->line, WORDS_BEFORE_COMMAND, s->command, sizeof s->command))
			return complain(why, "not a service of master.cf, or too long", line, n);
		p->nservices++;
	}
	return 0;
}

int inst_overrides_parse(struct inst_postfix *p, const char *text, char why[INST_NOTE_MAX])
{
	char name[INST_TEXT_MAX], value[INST_TEXT_MAX];
	const char *line;
	size_t n;

	p->noverrides = 0;
	while (next_line(&text, &line, &n)) {
		if (n == 0)
			continue;
		/* What is too long for us is none of ours. */
		if (split(line, n, name, sizeof name, value, sizeof value) < 0)
			continue;
		char *slash = strrchr(name, '/');
		int i = slash != NULL ? param_find(slash + 1) : -1;
		if (i < 0)
			continue;
		if (p->noverrides == INST_OVERRIDES_MAX)
			return complain(why, "more options of services than fit, from", line, n);
		struct inst_override *o = &p->overrides[p->noverrides++];
		*slash = '\0';
		o->param = (enum inst_param_id)i;
		str_copy(o->service, sizeof o->service, name);
		str_copy(o->value, sizeof o->value, value);
	}
	return 0;
}

const struct inst_service *inst_service_find(const struct inst_postfix *p, const char *key)
{
	char own[INST_NAME_MAX + 32];

	for (size_t i = 0; i < p->nservices; i++) {
		snprintf(own, sizeof own, "%s/%s", p->services[i].name, p->services[i].type);
		if (strcmp(own, key) == 0)
			return &p->services[i];
	}
	return NULL;
}

/* --- addresses ---------------------------------------------------------------------- */

void inst_service_addr(const char *name, char host[INST_NAME_MAX], char port[INST_NAME_MAX])
{
	const char *colon = strrchr(name, ':');

	host[0] = '\0';
	str_copy(port, INST_NAME_MAX, colon != NULL ? colon + 1 : name);
	if (colon == NULL)
		return;
	size_t n = (size_t)(colon - name);
	if (n >= 2 && name[0] == '[' && name[n - 1] == ']')
		str_copy_n(host, INST_NAME_MAX, name + 1, n - 2);
	else
		str_copy_n(host, INST_NAME_MAX, name, n);
}

unsigned inst_port_number(const char *port)
{
	static const struct { const char *name; unsigned number; } known[] = {
		{ "smtp", 25 }, { "submission", 587 }, { "smtps", 465 }, { "submissions", 465 },
	};
	uint64_t v;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcmp(known[i].name, port) == 0)
			return known[i].number;
	}
	return str_parse_u64(port, &v) == 0 && v <= 65535 ? (unsigned)v : 0;
}

static bool has_own_tls(const struct inst_postfix *p, const struct inst_service *s)
{
	char key[INST_NAME_MAX + 32];

	snprintf(key, sizeof key, "%s/%s", s->name, s->type);
	for (size_t i = 0; i < p->noverrides; i++) {
		const struct inst_override *o = &p->overrides[i];
		if (o->param == INST_P_smtpd_tls_wrappermode && strcmp(o->service, key) == 0)
			return str_ieq(o->value, "yes");
	}
	return str_ieq(p->params[INST_P_smtpd_tls_wrappermode].value, "yes");
}

const struct inst_service *inst_service_front(const struct inst_postfix *p, const char *except)
{
	const struct inst_service *found = NULL;

	for (size_t i = 0; i < p->nservices; i++) {
		const struct inst_service *s = &p->services[i];
		char host[INST_NAME_MAX], port[INST_NAME_MAX];
		if (strcmp(s->type, "inet") != 0 || strcmp(s->name, except) == 0 ||
		    (strcmp(s->command, "smtpd") != 0 && strcmp(s->command, "postscreen") != 0) ||
		    has_own_tls(p, s))
			continue;
		inst_service_addr(s->name, host, port);
		if (inst_port_number(port) == 25)
			return s;
		if (found == NULL)
			found = s;
	}
	return found;
}

void inst_discarded_address(const struct inst_postfix *p, char out[2 * INST_NAME_MAX])
{
	const char *user = p->params[INST_P_double_bounce_sender].value;
	const char *domains = p->params[INST_P_mydestination].value;
	const char *domain = p->params[INST_P_myorigin].value;
	size_t n = strlen(domain);

	/* Of mydestination the first that is a name, not a table or a file. */
	while (*(domains += strspn(domains, ", \t")) != '\0') {
		size_t len = strcspn(domains, ", \t");
		if (memchr(domains, '/', len) == NULL && memchr(domains, ':', len) == NULL) {
			domain = domains;
			n = len;
			break;
		}
		domains += len;
	}
	if (strchr(user, '@') != NULL)
		str_copy(out, 2 * INST_NAME_MAX, user);
	else
		snprintf(out, 2 * INST_NAME_MAX, "%.100s@%.*s", user, n > 150 ? 150 : (int)n, domain);
}
