/* conf.c - loading: file and command line to one constant struct conf.
 *
 *   esets.cfg -> values of [global], [smtp], [wwwi]   (conf_file.c)
 *   argv      -> over the program's own section       (conf_cli.c)
 *   [global]  -> under the agents' sections: module and scanner common options
 *   table     -> struct conf, then the checks between options (conf_rules.c)
 *
 * Owns memory and inheritance. Files are read here and in conf_file.c, at
 * start and on reload, nowhere else. The result is never changed, so threads
 * share it. */
#include "conf_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

/* --- memory ------------------------------------------------------------------ */

struct conf_chunk {
	struct conf_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

static bool add_chunk(struct conf_arena *a, size_t n)
{
	size_t size = n > 4096 ? n : 4096;
	struct conf_chunk *c = malloc(sizeof(*c) + size);

	if (c == NULL)
		return false;
	*c = (struct conf_chunk){ .next = a->chunks, .size = size };
	a->chunks = c;
	return true;
}

void *conf_arena_alloc(struct conf_arena *a, size_t n)
{
	n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	/* -Wanalyzer-malloc-leak: the first chunk has the next, conf_arena_fini frees all */
	if ((a->chunks == NULL || n > a->chunks->size - a->chunks->used) && !add_chunk(a, n)) {
		a->failed = true;
		return NULL;
	}
	void *p = a->chunks->data + a->chunks->used;
	a->chunks->used += n;
	return memset(p, 0, n);
}

const char *conf_arena_str(struct conf_arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = conf_arena_alloc(a, n);

	return p != NULL ? memcpy(p, s, n) : "";
}

void conf_arena_fini(struct conf_arena *a)
{
	while (a->chunks != NULL) {
		struct conf_chunk *c = a->chunks;
		a->chunks = c->next;
		free(c);
	}
}

/* --- messages ---------------------------------------------------------------- */

void conf_note(struct conf_notes *n, enum conf_note kind, const char *where, const char *fmt, ...)
{
	char what[2 * CONF_WHY], text[1024];
	va_list ap;

	if (kind == CONF_NOTE_ERROR && ++n->errors > CONF_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s%s%s", where != NULL ? where : "",
		where != NULL ? ": " : "", what);
	if (n->fn != NULL)
		n->fn(n->arg, kind, text);
	if (kind == CONF_NOTE_ERROR && n->errors == CONF_ERRORS_MAX && n->fn != NULL)
		n->fn(n->arg, kind, "too many errors, the rest is not looked at");
}

/* --- values, merged and stored ----------------------------------------------- */

void conf_values_merge(const struct conf_values *own, const struct conf_values *parent,
	unsigned section, struct conf_values *out)
{
	*out = (struct conf_values){ 0 };
	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		if ((o->sections & section) == 0)
			continue;
		if (own != NULL && own->v[i].origin != NULL)
			out->v[i] = own->v[i];
		else if (parent != NULL)
			out->v[i] = parent->v[i];
		if (out->v[i].text == NULL)
			out->v[i].text = o->def;
	}
}

const struct conf_value *conf_value_of(const struct conf_values *vs, const char *name,
	unsigned section)
{
	return &vs->v[conf_opt_index(conf_opt_find(name, section))];
}

static void store(const struct conf_values *vs, unsigned section, enum conf_group group, void *out)
{
	for (size_t i = 0; i < conf_nopts; i++)
		if ((conf_opts[i].sections & section) != 0 && conf_opts[i].group == group)
			conf_opt_store(&conf_opts[i], out, vs->v[i].text);
}

enum { SET_NOTSCANNED = 1, SET_ENCRYPTED = 2, SET_OVERLIMIT = 4, SET_UNAVAILABLE = 8 };

unsigned conf_scan_set_bit(const struct conf_opt *o)
{
	static const struct { size_t offset; unsigned bit; } rows[] = {
		{ offsetof(struct conf_scan, actions.av_notscanned), SET_NOTSCANNED },
		{ offsetof(struct conf_scan, actions.av_encrypted), SET_ENCRYPTED },
		{ offsetof(struct conf_scan, actions.av_overlimit), SET_OVERLIMIT },
		{ offsetof(struct conf_scan, actions.av_unavailable), SET_UNAVAILABLE },
	};

	for (size_t i = 0; o->group == CONF_IN_SCAN && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (o->offset == rows[i].offset)
			return rows[i].bit;
	return 0;
}

unsigned conf_scan_set_in(const struct conf_values *merged, unsigned section)
{
	unsigned set = 0;

	for (size_t i = 0; i < conf_nopts; i++)
		if ((conf_opts[i].sections & section) != 0 && merged->v[i].origin != NULL)
			set |= conf_scan_set_bit(&conf_opts[i]);
	return set;
}

/* Does the option of that bit take its value from action_av_notscanned? Without a word
 * of the administrator mail waits for the scanner. */
static bool follows(unsigned bit, unsigned set)
{
	const unsigned followers = SET_ENCRYPTED | SET_OVERLIMIT |
		((set & SET_NOTSCANNED) != 0 ? SET_UNAVAILABLE : 0);

	return (bit & followers & ~set) != 0;
}

const struct conf_opt *conf_followed(const struct conf_opt *o, const struct conf_values *merged,
	unsigned section)
{
	const unsigned bit = conf_scan_set_bit(o);

	return bit != 0 && follows(bit, conf_scan_set_in(merged, section)) ?
		conf_opt_find("action_av_notscanned", section) : NULL;
}

void conf_scan_follow(struct conf_scan *scan, unsigned set)
{
	struct policy_actions *a = &scan->actions;

	if (follows(SET_ENCRYPTED, set))
		a->av_encrypted = a->av_notscanned;
	if (follows(SET_OVERLIMIT, set))
		a->av_overlimit = a->av_notscanned;
	if (follows(SET_UNAVAILABLE, set))
		a->av_unavailable = a->av_notscanned;
}

void conf_scan_store(const struct conf_values *merged, unsigned section, struct conf_scan *out)
{
	store(merged, section, CONF_IN_SCAN, out);
	conf_scan_follow(out, conf_scan_set_in(merged, section));
}

static void module_store(const struct conf_values *vs, unsigned section, struct conf_module *out)
{
	store(vs, section, CONF_IN_MODULE, out);
	out->pid_file_is_set = conf_value_of(vs, "pid_file", section)->origin != NULL;
	out->status_sock_is_set = conf_value_of(vs, "status_sock_path", section)->origin != NULL;
}

static unsigned index_of(unsigned section)
{
	return section == CONF_SEC_GLOBAL ? 0 : section == CONF_SEC_SMTP ? 1 : 2;
}

const struct conf_values *conf_merged(const struct conf *c, unsigned section)
{
	return &c->priv->merged[index_of(section)];
}

const void *conf_group_of(const struct conf *c, unsigned section, enum conf_group group)
{
	const void *const groups[3][CONF_IN_COUNT] = {
		{ [CONF_IN_MODULE] = &c->global.mod, [CONF_IN_SCAN] = &c->global.scan,
		  [CONF_IN_GLOBAL] = &c->global },
		{ [CONF_IN_MODULE] = &c->smtp.mod, [CONF_IN_SCAN] = &c->smtp.scan,
		  [CONF_IN_SMTP] = &c->smtp },
		{ [CONF_IN_MODULE] = &c->wwwi.mod, [CONF_IN_WWWI] = &c->wwwi },
	};
	return groups[index_of(section)][group];
}

/* user_config, relative to the directory of esets.cfg. */
static void resolve_user_config(struct conf *c, struct conf_module *m)
{
	const char *name = m->user_config, *slash = strrchr(c->path, '/');

	if (name[0] == '\0' || name[0] == '/' || slash == NULL)
		return;
	size_t dir = (size_t)(slash - c->path) + 1, len = strlen(name) + 1;
	char *p = conf_arena_alloc(&c->priv->mem, dir + len);
	if (p == NULL)
		return;
	memcpy(p, c->path, dir);
	memcpy(p + dir, name, len);
	m->user_config = p;
}

static void store_all(struct conf *c)
{
	const struct conf_values *global = conf_merged(c, CONF_SEC_GLOBAL);
	const struct conf_values *smtp = conf_merged(c, CONF_SEC_SMTP);
	const struct conf_values *wwwi = conf_merged(c, CONF_SEC_WWWI);

	module_store(global, CONF_SEC_GLOBAL, &c->global.mod);
	conf_scan_store(global, CONF_SEC_GLOBAL, &c->global.scan);
	store(global, CONF_SEC_GLOBAL, CONF_IN_GLOBAL, &c->global);
	module_store(smtp, CONF_SEC_SMTP, &c->smtp.mod);
	conf_scan_store(smtp, CONF_SEC_SMTP, &c->smtp.scan);
	store(smtp, CONF_SEC_SMTP, CONF_IN_SMTP, &c->smtp);
	c->smtp.daemon_sock_path = c->global.daemon_sock_path;
	module_store(wwwi, CONF_SEC_WWWI, &c->wwwi.mod);
	store(wwwi, CONF_SEC_WWWI, CONF_IN_WWWI, &c->wwwi);
	resolve_user_config(c, &c->global.mod);
	resolve_user_config(c, &c->smtp.mod);
	resolve_user_config(c, &c->wwwi.mod);
}

/* --- sections of the file ----------------------------------------------------- */

struct loading {
	struct conf *c;
	struct conf_values own[3];   /* what file and command line say */
	struct conf_notes notes;
};

static bool on_section(struct conf_reader *r, const char *name, const char *where,
	unsigned *section_out, struct conf_values **values_out)
{
	static const unsigned sections[] = { CONF_SEC_GLOBAL, CONF_SEC_SMTP, CONF_SEC_WWWI };
	struct loading *l = r->ctx;
	const char *near = NULL;
	char shown[96];

	for (size_t i = 0; i < 3; i++) {
		const char *known = conf_section_name(sections[i]);
		if (strcmp(name, known) == 0) {
			*section_out = sections[i];
			*values_out = &l->own[i];
			return true;
		}
		if (conf_is_typo(name, known))
			near = known;
	}
	str_clean(shown, sizeof(shown), name, strlen(name));
	if (near != NULL)
		conf_note(r->notes, CONF_NOTE_WARNING, where,
			"unknown section [%s] is passed over (is [%s] meant?)", shown, near);
	else
		conf_note(r->notes, CONF_NOTE_INFO, where,
			"section [%s] is of another program and is passed over", shown);
	return false;
}

static void apply_cli(struct loading *l, const struct conf_cli *cli)
{
	unsigned section = conf_program_section(cli->program);

	for (size_t i = 0; i < cli->nsets; i++) {
		const struct conf_set *s = &cli->sets[i];
		l->own[index_of(section)].v[conf_opt_index(s->opt)] = (struct conf_value){
			.text = conf_arena_str(&l->c->priv->mem, s->text),
			.origin = conf_arena_str(&l->c->priv->mem, s->where)
		};
	}
}

static void merge_all(struct loading *l)
{
	struct conf_values *m = l->c->priv->merged;

	conf_values_merge(&l->own[0], NULL, CONF_SEC_GLOBAL, &m[0]);
	conf_values_merge(&l->own[1], &l->own[0], CONF_SEC_SMTP, &m[1]);
	conf_values_merge(&l->own[2], &l->own[0], CONF_SEC_WWWI, &m[2]);
}

/* What was read and merged becomes what is in force. */
static void take(struct loading *l, enum conf_program program, const struct conf_reader *r)
{
	struct conf *c = l->c;

	store_all(c);
	conf_check_all(c, program, &l->notes);
	conf_check_secrets(l->own, r);
	if (program == CONF_PROG_SMTP && c->smtp.mod.user_config[0] != '\0')
		conf_users_load(c, &l->notes);
}

/* --- contract ------------------------------------------------------------------- */

struct conf *conf_load(const struct conf_cli *cli, conf_note_fn note, void *arg)
{
	struct loading *l = calloc(1, sizeof(*l));
	struct conf *c = calloc(1, sizeof(*c));
	struct conf_priv *priv = calloc(1, sizeof(*priv));

	if (l == NULL || c == NULL || priv == NULL) {
		if (note != NULL)
			note(arg, CONF_NOTE_ERROR, "out of memory");
		free(l);
		free(priv);
		free(c);
		return NULL;
	}
	l->c = c;
	l->notes = (struct conf_notes){ .fn = note, .arg = arg };
	c->priv = priv;
	c->path = conf_arena_str(&priv->mem, cli->config_path != NULL ? cli->config_path : "");
	struct conf_reader r = { .path = c->path, .mem = &priv->mem, .notes = &l->notes,
		.on_section = on_section, .ctx = l,
		.own_section = conf_program_section(cli->program) };
	if (c->path[0] == '\0' || conf_file_read(&r) == 0) {
		apply_cli(l, cli);
		merge_all(l);
		/* Without memory texts are missing that were checked where they were read. */
		if (!priv->mem.failed)
			take(l, cli->program, &r);
	}
	if (priv->mem.failed)
		conf_note(&l->notes, CONF_NOTE_ERROR, c->path, "out of memory");
	if (l->notes.errors > 0)
		conf_free(&c);
	free(l);
	return c;
}

void conf_free(struct conf **c)
{
	if (*c == NULL)
		return;
	conf_users_free(&(*c)->priv->users);
	conf_arena_fini(&(*c)->priv->mem);
	free((*c)->priv);
	free(*c);
	*c = NULL;
}

const char *conf_origin(const struct conf *c, const char *section, const char *name)
{
	for (unsigned bit = CONF_SEC_GLOBAL; bit <= CONF_SEC_WWWI; bit <<= 1) {
		if (strcmp(section, conf_section_name(bit)) != 0)
			continue;
		const struct conf_opt *o = conf_opt_find(name, bit);
		const char *origin = o != NULL ?
			conf_merged(c, bit)->v[conf_opt_index(o)].origin : NULL;
		return origin == NULL ? "default" : origin;
	}
	return "default";
}
