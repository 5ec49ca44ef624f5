/* check_conf_docs.c - option table, man/esets.cfg.5 and etc/esets.cfg agree.
 *
 * The manual has one item for each option in the chapter of its group, with
 * type, bounds, unit and default in the line below it; the sample file has
 * each option as `;name = default` in a section it belongs to, and loads as it
 * is and with all of them uncommented. Files are looked for in $srcdir. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "conf_int.h"
#include "unit.h"

#define TEXT_MAX 200000

static char said[4000];

static void read_text(const char *name, char text[TEXT_MAX])
{
	const char *srcdir = getenv("srcdir");
	char path[1000];

	snprintf(path, sizeof(path), "%s/%s", srcdir != NULL ? srcdir : ".", name);
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	size_t n = fread(text, 1, TEXT_MAX - 1, f);
	ck_assert_uint_lt(n, TEXT_MAX - 1);
	text[n] = '\0';
	fclose(f);
}

/* --- the manual ----------------------------------------------------------- */

static const char *const chapters[CONF_IN_COUNT] = {
	[CONF_IN_MODULE] = "ESETS MODULE COMMON OPTIONS",
	[CONF_IN_SCAN] = "ESETS SCANNER COMMON OPTIONS",
	[CONF_IN_GLOBAL] = "OPTIONS OF ESETS_DAEMON",
	[CONF_IN_SMTP] = "OPTIONS OF ESETS_SMTP",
	[CONF_IN_WWWI] = "OPTIONS OF ESETS_WWWI",
	[CONF_IN_NONE] = "USER SPECIFIC CONFIGURATION",
};

static const char *type_text(const struct conf_opt *o)
{
	static const char *const names[][2] = { { "WORD", "word" }, { "LIST", "list" },
		{ "NAME", "name" }, { "PATH", "path" }, { "FILE", "path" }, { "TEXT", "string" },
		{ "URL", "URL" }, { "ADDR", "address" }, { "SCORE", "number" } };

	if (o->type == CONF_T_BOOL || conf_opt_is_number(o))
		return o->type == CONF_T_BOOL ? "bool" : "integer";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(o->meta, names[i][0]) == 0)
			return names[i][1];
	ck_abort_msg("%s: no text for %s", o->name, o->meta);
}

/* The line below the item: ".Pq integer, seconds, 1 to 3600; default: 60". */
static void facts_text(const struct conf_opt *o, char *out, size_t size)
{
	char range[100] = "", lo[32], hi[32];

	if (conf_opt_is_number(o))
		snprintf(range, sizeof(range), ", %s%s%s to %s", o->unit,
			o->unit[0] != '\0' ? ", " : "", conf_number_text(o, o->min, lo),
			conf_number_text(o, o->max, hi));
	snprintf(out, size, ".Pq %s%s; %s%s%s\n", type_text(o), range,
		o->def != NULL ? "default: " : "", conf_opt_default_text(o),
		(o->flags & CONF_RESTART) != 0 ? "; read at start only" : "");
}

/* The text of a chapter, cut out of page. */
static void chapter_text(const char *page, const char *title, char out[TEXT_MAX])
{
	char header[100];

	snprintf(header, sizeof(header), "\n.Sh %s\n", title);
	const char *p = strstr(page, header);
	ck_assert_msg(p != NULL, "no chapter %s", title);
	p += strlen(header);
	const char *end = strstr(p, "\n.Sh ");
	size_t n = end != NULL ? (size_t)(end - p) + 1 : strlen(p);
	memcpy(out, p, n);
	out[n] = '\0';
}

/* Is the word there as `.Cm word`, or the item says where the values stand? */
static bool names_word(const char *item, const char *word)
{
	char forms[4][80];

	snprintf(forms[0], sizeof(forms[0]), "\n.Cm %s\n", word);
	snprintf(forms[1], sizeof(forms[1]), "\n.Cm %s ", word);
	snprintf(forms[2], sizeof(forms[2]), "\n.Cm \\&%s\n", word);
	snprintf(forms[3], sizeof(forms[3]), "\n.Cm \\&%s ", word);
	for (size_t i = 0; i < 4; i++)
		if (strstr(item, forms[i]) != NULL)
			return true;
	return strstr(item, "The values are those of") != NULL ||
		strstr(item, "\nAs\n.Cm action_av ,\n") != NULL;
}

static void check_item(const struct conf_opt *o, const char *chapter)
{
	static char item[TEXT_MAX];
	char head[100], facts[300];

	snprintf(head, sizeof(head), ".It Cm %s No = ", o->name);
	const char *p = strstr(chapter, head);
	ck_assert_msg(p != NULL, "%s is not in chapter %s", o->name, chapters[o->group]);
	p += strcspn(p, "\n") + 1;
	facts_text(o, facts, sizeof(facts));
	ck_assert_msg(strncmp(p, facts, strlen(facts)) == 0, "%s: not %s but %.100s", o->name, facts,
		p);
	const char *end = p;
	do {
		end = strstr(end + 1, "\n.It Cm ");
	} while (end != NULL && strncmp(end + strcspn(end + 8, " ") + 8, " No = ", 6) != 0);
	snprintf(item, sizeof(item), "%.*s", end != NULL ? (int)(end - p) : (int)strlen(p), p);
	for (const struct conf_word *w = o->words; w != NULL && w->name != NULL; w++)
		ck_assert_msg(names_word(item, w->name), "%s: nothing about %s", o->name, w->name);
}

START_TEST(manual_has_every_option)
{
	static char page[TEXT_MAX], chapter[TEXT_MAX];

	read_text("man/esets.cfg.5", page);
	for (size_t i = 0; i < conf_nopts; i++) {
		chapter_text(page, chapters[conf_opts[i].group], chapter);
		check_item(&conf_opts[i], chapter);
	}
}
END_TEST

/* No item without an option, and none twice in a chapter. */
START_TEST(manual_has_no_other)
{
	static char page[TEXT_MAX], chapter[TEXT_MAX];
	char name[100], again[120];

	read_text("man/esets.cfg.5", page);
	for (unsigned g = 0; g < CONF_IN_COUNT; g++) {
		chapter_text(page, chapters[g], chapter);
		for (const char *p = chapter; (p = strstr(p, "\n.It Cm ")) != NULL; p++) {
			if (sscanf(p, "\n.It Cm %90s No = ", name) != 1 ||
			    strncmp(p + 8 + strlen(name), " No = ", 6) != 0)
				continue;
			bool is_row = false;
			for (size_t i = 0; i < conf_nopts; i++)
				is_row |= conf_opts[i].group == g &&
					strcmp(conf_opts[i].name, name) == 0;
			ck_assert_msg(is_row, "%s in chapter %s", name, chapters[g]);
			snprintf(again, sizeof(again), "\n.It Cm %s No = ", name);
			ck_assert_msg(strstr(p + 1, again) == NULL, "%s twice", name);
		}
	}
}
END_TEST

/* All rows of the name have one of the flags, and there is one. */
static bool has_flags(const char *name, unsigned flags)
{
	unsigned rows = 0, set = 0;

	for (size_t i = 0; i < conf_nopts; i++) {
		if (strcmp(conf_opts[i].name, name) != 0)
			continue;
		rows++;
		set += (conf_opts[i].flags & flags) != 0;
	}
	return rows > 0 && set == rows;
}

/* The paragraph that a text begins lists the options with these flags. */
static void check_list(const char *chapter, const char *begin, unsigned flags)
{
	static char list[TEXT_MAX];
	char name[100], line[120];

	const char *p = strstr(chapter, begin);
	ck_assert_msg(p != NULL, "%s", begin);
	const char *end = strstr(p, "\n.Pp\n");
	snprintf(list, sizeof(list), "%.*s\n", end != NULL ? (int)(end - p) : (int)strlen(p), p);
	for (p = list; (p = strstr(p, "\n.Cm ")) != NULL; p++)
		if (sscanf(p, "\n.Cm %90s", name) == 1)
			ck_assert_msg(has_flags(name, flags), "%s is in effect", name);
	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		if ((o->flags & flags) == 0)
			continue;
		snprintf(line, sizeof(line), "\n.Cm %s ", o->name);
		ck_assert_msg(strstr(list, line) != NULL, "%s is not listed", o->name);
	}
}

START_TEST(manual_lists_what_has_no_effect)
{
	static char page[TEXT_MAX], chapter[TEXT_MAX];

	read_text("man/esets.cfg.5", page);
	chapter_text(page, "OPTIONS READ BUT NOT YET IN EFFECT", chapter);
	check_list(chapter, "These options are read", CONF_NOT_YET);
}
END_TEST

/* --- the other pages --------------------------------------------------------- */

static bool is_option(const char *word, size_t n)
{
	for (size_t i = 0; i < conf_nopts; i++)
		if (strlen(conf_opts[i].name) == n && memcmp(conf_opts[i].name, word, n) == 0)
			return true;
	return false;
}

/* On these pages .Cm stands for options and nothing else. Returns how many. */
static unsigned check_commands(const char *page, char *line)
{
	bool in_cm = false;
	unsigned found = 0;

	for (char *p = line + 1, *word; (word = strsep(&p, " ")) != NULL;) {
		size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (word[0] >= 'A' && word[0] <= 'Z' && strlen(word) == 2)
			in_cm = strcmp(word, "Cm") == 0;
		else if (in_cm && n > 0) {
			ck_assert_msg(word[n] == '\0' && is_option(word, n), "%s: %s is no option", page, word);
			found++;
		}
	}
	return found;
}

START_TEST(pages_name_real_options)
{
	static const char *const pages[] = { "man/esets_moving.7", "man/esets_trouble.7" };
	static char text[TEXT_MAX];
	unsigned found = 0;

	read_text(pages[_i], text);
	for (char *p = text, *line; (line = strsep(&p, "\n")) != NULL;)
		if (line[0] == '.')
			found += check_commands(pages[_i], line);
	ck_assert_uint_gt(found, 20);
}
END_TEST

/* --- the sample file -------------------------------------------------------- */

/* What stands behind "=" in the sample file, with a remark for what has no
 * effect in this version. */
static void sample_text(const struct conf_opt *o, char *out, size_t size)
{
	bool is_quoted = conf_opt_is_text(o) || o->type == CONF_T_MILLI;

	if (o->def == NULL)
		out[0] = '\0';
	else
		snprintf(out, size, is_quoted ? " \"%s\"%s%s" : " %s%s%s", o->def,
			conf_opt_state(o) != NULL ? "  # " : "",
			conf_opt_state(o) != NULL ? conf_opt_state(o) : "");
}

START_TEST(sample_has_every_option)
{
	static char text[TEXT_MAX];
	bool seen[CONF_OPTS_MAX] = { false };
	unsigned section = 0;
	char name[100], expected[200], header[40];

	read_text("etc/esets.cfg", text);
	for (char *p = text, *line; (line = strsep(&p, "\n")) != NULL;) {
		ck_assert_msg(strlen(line) <= 80, "%s", line);
		for (unsigned bit = CONF_SEC_GLOBAL; bit <= CONF_SEC_WWWI; bit <<= 1) {
			snprintf(header, sizeof(header), "[%s]", conf_section_name(bit));
			if (strcmp(line, header) == 0)
				section = bit;
		}
		ck_assert_msg(line[0] == '\0' || strchr("#;[", line[0]) != NULL, "%s", line);
		if (line[0] != ';')
			continue;
		ck_assert_msg(sscanf(line, ";%90s =", name) == 1, "%s", line);
		const struct conf_opt *o = conf_opt_find(name, section);
		ck_assert_msg(o != NULL, "%s", line);
		sample_text(o, expected, sizeof(expected));
		ck_assert_msg(strncmp(line + 1 + strlen(name), " =", 2) == 0 &&
			strcmp(line + 3 + strlen(name), expected) == 0, "%s is not =%s", line, expected);
		seen[conf_opt_index(o)] = true;
	}
	for (size_t i = 0; i < conf_nopts; i++)
		ck_assert_msg(seen[i] || conf_opts[i].sections == CONF_SEC_USER, "%s [%s]",
			conf_opts[i].name, conf_section_name(conf_opts[i].sections));
}
END_TEST

static void note(void *arg, enum conf_note kind, const char *text)
{
	size_t n = strlen(said);

	(void)arg;
	(void)kind;
	snprintf(said + n, sizeof(said) - n, "%s\n", text);
}

/* Loads a text as the program would and prints what is in force, bare of
 * comments and origins. */
static void load_and_dump(enum conf_program program, const char *text, char out[TEXT_MAX])
{
	char path[UNIT_PATH_SIZE], prog[] = "prog", opt[] = "-c", *argv[] = { prog, opt, path, NULL };
	struct conf_cli cli;

	int fd = unit_file(path);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	said[0] = '\0';
	ck_assert_int_eq(conf_cli_parse(&cli, program, 3, argv, note, NULL), 0);
	struct conf *c = conf_load(&cli, note, NULL);
	ck_assert_msg(c != NULL && said[0] == '\0', "%s", said);
	ck_assert(!c->smtp.mod.agent_enabled && !c->wwwi.mod.agent_enabled);
	FILE *f = fmemopen(out, TEXT_MAX, "w");
	ck_assert_ptr_nonnull(f);
	conf_dump(c, program, f);
	fclose(f);
	conf_free(&c);
	conf_cli_fini(&cli);
	char *w = out;
	for (char *p = out, *line; (line = strsep(&p, "\n")) != NULL;) {
		line[strcspn(line, "\t")] = '\0';
		line += line[0] == ';';
		if (strncmp(line, "password", 8) != 0)
			w += sprintf(w, "%s\n", line);
	}
}

START_TEST(sample_loads)
{
	static char text[TEXT_MAX], bare[TEXT_MAX], base[TEXT_MAX], as_is[TEXT_MAX],
		uncommented[TEXT_MAX];
	enum conf_program program = (enum conf_program)_i;
	size_t n = 0;

	read_text("etc/esets.cfg", text);
	load_and_dump(program, "", base);
	load_and_dump(program, text, as_is);
	ck_assert_str_eq(as_is, base);
	/* Every default that is a legal value, set. */
	for (char *p = text, *line; (line = strsep(&p, "\n")) != NULL;) {
		size_t len = strlen(line);
		bool is_option = line[0] == ';' && line[len - 1] != '=';
		n += (size_t)snprintf(bare + n, sizeof(bare) - n, "%s\n", line + is_option);
	}
	load_and_dump(program, bare, uncommented);
	ck_assert_str_eq(uncommented, base);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_docs");
	TCase *tc = tcase_create("conf_docs");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, manual_has_every_option);
	tcase_add_test(tc, manual_has_no_other);
	tcase_add_test(tc, manual_lists_what_has_no_effect);
	tcase_add_loop_test(tc, pages_name_real_options, 0, 2);
	tcase_add_test(tc, sample_has_every_option);
	tcase_add_loop_test(tc, sample_loads, CONF_PROG_SMTP, CONF_PROG_TOOL + 1);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
