/* conf_changes.c - what a reload changes, for the log.
 *
 * Values are compared as --dump-config would write them. */
#include "conf_int.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_OCTETS 400
#define VALUE_MAX 120      /* octets of a value that are shown */

struct changes {
	conf_note_fn note;
	void *arg;
	unsigned n;
};

static void say(struct changes *ch, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct changes *ch, const char *fmt, ...)
{
	char line[LINE_MAX_OCTETS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	ch->n++;
	ch->note(ch->arg, CONF_NOTE_INFO, line);
}

/* The value as one would write it; NULL without memory. To be freed. */
static char *value_text(const struct conf *c, unsigned section, const struct conf_opt *o)
{
	const struct conf_value *v = &conf_merged(c, section)->v[conf_opt_index(o)];
	const void *group = conf_group_of(c, section, o->group);
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		return NULL;
	if (v->text != NULL)
		conf_opt_print(o, group, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool is_of_global(const struct conf *c, unsigned section, const struct conf_opt *o)
{
	const size_t i = conf_opt_index(o);
	const char *origin = conf_merged(c, section)->v[i].origin;
	const char *global = (o->sections & CONF_SEC_GLOBAL) == 0 ? NULL :
		conf_merged(c, CONF_SEC_GLOBAL)->v[i].origin;

	return origin != NULL && global != NULL && strcmp(origin, global) == 0;
}

/* Where the value is set, which may be the section it is inherited from; what is the
 * default now, where it was set. */
static const char *section_of(const struct conf *was, const struct conf *is, unsigned section,
	const struct conf_opt *o)
{
	bool is_set = conf_merged(is, section)->v[conf_opt_index(o)].origin != NULL;

	return conf_section_name(is_of_global(is_set ? is : was, section, o) ? CONF_SEC_GLOBAL :
		section);
}

static void compare(struct changes *ch, const struct conf *was, const struct conf *is,
	unsigned section, const struct conf_opt *o)
{
	char *a = value_text(was, section, o), *b = value_text(is, section, o);
	const char *name = section_of(was, is, section, o);

	if (a == NULL || b == NULL)
		say(ch, "[%s] %s: no memory to compare it", name, o->name);
	else if (strcmp(a, b) != 0 && (o->flags & CONF_SECRET) != 0)
		say(ch, "[%s] %s has changed", name, o->name);
	else if (strcmp(a, b) != 0)
		say(ch, "[%s] %s = %.*s (was %.*s)", name, o->name, VALUE_MAX, b, VALUE_MAX, a);
	free(a);
	free(b);
}

unsigned conf_changes(const struct conf *was, const struct conf *is, enum conf_program program,
	conf_note_fn note, void *arg)
{
	struct changes ch = { .note = note, .arg = arg };
	const unsigned section = conf_program_section(program);

	for (size_t i = 0; i < conf_nopts; i++)
		if ((conf_opts[i].sections & section) != 0 &&
		    conf_group_of(is, section, conf_opts[i].group) != NULL)
			compare(&ch, was, is, section, &conf_opts[i]);
	if (was->priv->users_sum != is->priv->users_sum)
		say(&ch, "the sections of user_config have changed");
	return ch.n;
}
