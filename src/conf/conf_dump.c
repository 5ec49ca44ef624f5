/* conf_dump.c - --dump-config: what is in force, and where it comes from.
 *
 * The output is a configuration file again: what was set is a line of its
 * own, what is at its default is a comment in the `;name = default` form of
 * the sample file, so that reading it back gives the same configuration,
 * with "is set" and "follows" as they were. Passwords are left out. */
#include "conf_int.h"

#include <inttypes.h>
#include <string.h>

#include "str.h"

static void print_string(const char *s, FILE *out)
{
	fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void print_milli(uint32_t milli, FILE *out)
{
	if (milli == 0)
		fputs("\"\"", out);
	else
		fprintf(out, "%" PRIu32 ".%03" PRIu32, milli / 1000, milli % 1000);
}

static void print_word(const struct conf_opt *o, int value, FILE *out)
{
	const struct conf_word *w = o->words;

	while (w->value != value)
		w++;
	fputs(w->name, out);
}

void conf_opt_print(const struct conf_opt *o, const void *group, FILE *out)
{
	union { bool b; uint16_t n16; uint32_t n32; uint64_t n64; int word; const char *s; } v;
	char text[32];

	memcpy(&v, (const char *)group + o->offset, o->size);
	switch (o->type) {
	case CONF_T_BOOL: fputs(v.b ? "yes" : "no", out); break;
	case CONF_T_U16: fputs(conf_number_text(o, v.n16, text), out); break;
	case CONF_T_U32: fputs(conf_number_text(o, v.n32, text), out); break;
	case CONF_T_U64: fputs(conf_number_text(o, v.n64, text), out); break;
	case CONF_T_MILLI: print_milli(v.n32, out); break;
	case CONF_T_WORD: print_word(o, v.word, out); break;
	case CONF_T_STR:
	case CONF_T_PATH:
	case CONF_T_FILE: print_string(v.s, out); break;
	}
}

/* Where the value comes from: of what follows another option, where that does. */
static void origin_text(const struct conf *c, unsigned section, const struct conf_opt *o,
	char *out, size_t size)
{
	const struct conf_values *all = conf_merged(c, section);
	const struct conf_value *v = &all->v[conf_opt_index(o)];
	const struct conf_opt *followed = conf_followed(o, all, section);

	if (followed != NULL) {
		size_t n = (size_t)snprintf(out, size, "as %s, ", followed->name);
		origin_text(c, section, followed, out + n, size - n);
	} else if (v->origin == NULL) {
		str_copy(out, size, v->text != NULL ? "default" : "not set");
	} else if (v->origin[0] == '-') {
		str_copy(out, size, "command line");
	} else {
		str_clean(out, size, v->origin, strlen(v->origin));
	}
}

static void dump_option(const struct conf *c, unsigned section, const struct conf_opt *o, FILE *out)
{
	const struct conf_value *v = &conf_merged(c, section)->v[conf_opt_index(o)];
	const void *group = conf_group_of(c, section, o->group);
	bool is_secret = (o->flags & CONF_SECRET) != 0;
	char origin[512];

	/* [global] may hold options that only an agent has a use for. */
	if (group == NULL)
		return;
	fprintf(out, "%s%s = ", v->origin == NULL || is_secret ? ";" : "", o->name);
	if (is_secret && v->origin != NULL)
		fputs("...", out);
	else if (v->text != NULL)
		conf_opt_print(o, group, out);
	origin_text(c, section, o, origin, sizeof(origin));
	fprintf(out, "\t# %s%s%s%s\n", origin, is_secret && v->origin != NULL ? ", left out" : "",
		conf_opt_state(o) != NULL ? ", " : "",
		conf_opt_state(o) != NULL ? conf_opt_state(o) : "");
}

static void dump_section(const struct conf *c, unsigned section, FILE *out)
{
	fprintf(out, "[%s]\n", conf_section_name(section));
	for (size_t i = 0; i < conf_nopts; i++)
		if ((conf_opts[i].sections & section) != 0)
			dump_option(c, section, &conf_opts[i], out);
}

void conf_dump(const struct conf *c, enum conf_program program, FILE *out)
{
	unsigned section = conf_program_section(program);

	if (section == 0 || section == CONF_SEC_GLOBAL) {
		dump_section(c, CONF_SEC_GLOBAL, out);
		return;
	}
	/* The one option of [global] that agents use as it is. */
	fputs("[global]\n", out);
	dump_option(c, CONF_SEC_GLOBAL, conf_opt_find("daemon_sock_path", CONF_SEC_GLOBAL), out);
	fputc('\n', out);
	dump_section(c, section, out);
}
