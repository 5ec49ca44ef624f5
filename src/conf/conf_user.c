/* conf_user.c - the file that user_config names: its sections to an index.
 *
 *   text -> sections with what each says itself        (conf_file.c)
 *        -> same names joined, parents found, cycles refused
 *        -> each section's settings: over its parent's, over the agent's
 *        -> equal settings kept once, names into the index (user_match.c)
 *
 * Everything but the outcome is in memory of its own that goes when loading
 * ends. A section costs its name, two pointers and its place in the index;
 * settings are kept once for all sections that have the same. */
#include "conf_int.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "user_match.h"

#define SECTIONS_MAX 10000000u
#define COVERED_LINES 20u             /* of one kind of mistake */
#define NO_SECTION ((unsigned)-1)

struct conf_user { const char *name; const struct conf_scan *scan; };

struct conf_users {
	struct user_match *match;
	const struct conf_user *entries;      /* by section number */
};

/* One option that a section sets. */
struct own {
	struct own *next;
	const struct conf_opt *opt;
	const char *text, *origin;
};

enum { STATE_NEW, STATE_OPEN, STATE_DONE };

struct section {
	const char *name, *where;
	struct own *first, **last;
	unsigned parent;
	const char *parent_where;
	bool is_group, is_again;          /* again: its options went to the first */
	unsigned char state;
	struct settings *settings;        /* of a group, for those that inherit */
};

struct settings {
	struct conf_scan scan;
	unsigned set;                     /* conf_scan_set_bit of all that is set */
};

struct loading {
	struct conf *c;
	struct conf_notes *notes;
	struct conf_arena mem;            /* goes when loading ends */
	struct section *sections;
	unsigned n, cap;
	unsigned *sorted;                 /* by name, the first of each name */
	unsigned nsorted;
	struct conf_values values;        /* of the section being read */
	bool is_warned[CONF_OPTS_MAX];
	void *texts;                      /* tsearch: each text that is kept, once */
	struct settings agent;
	const struct conf_scan **unique;  /* open-addressed, at most half full */
	size_t nunique, unique_cap;
	struct conf_user *entries;
	unsigned covered, unused;         /* sections of which that was, or would be, said */
	bool has_quarantine_dir;          /* said once, of the first */
};

static const char *shown(const char *name, char out[160])
{
	return str_clean(out, 160, name, strlen(name));
}

/* ---- reading ------------------------------------------------------------ */

/* What a user section cannot have yet; said once for each option. */
static void check_effect(struct loading *l, const struct conf_opt *o, const struct conf_value *v)
{
	if (conf_opt_state(o) == NULL || l->is_warned[conf_opt_index(o)] ||
	    conf_opt_is_default(o, v->text))
		return;
	l->is_warned[conf_opt_index(o)] = true;
	conf_note(l->notes, CONF_NOTE_WARNING, v->origin, "%s has no effect in this version",
		o->name);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep_node(void *text)
{
	(void)text; /* it is the configuration's */
}

/* The one copy of a text that lives as long as the configuration. */
static const char *keep_text(struct loading *l, const char *text)
{
	const char **node = tsearch(text, &l->texts, compare_texts);

	if (node == NULL) {
		l->mem.failed = true;
		return "";
	}
	if (*node == text)
		*node = conf_arena_str(&l->c->priv->mem, text);
	return *node;
}

/* The section that was read last is complete. */
static void end_section(struct loading *l)
{
	struct section *s = l->n > 0 ? &l->sections[l->n - 1] : NULL;

	for (size_t i = 0; s != NULL && i < conf_nopts; i++) {
		const struct conf_value *v = &l->values.v[i];
		struct own *own = v->text != NULL ? conf_arena_alloc(&l->mem, sizeof(*own)) : NULL;
		if (own == NULL)
			continue;
		*own = (struct own){ .opt = &conf_opts[i], .origin = v->origin,
			.text = conf_opt_is_text(&conf_opts[i]) ? keep_text(l, v->text) : v->text };
		*(s->first == NULL ? &s->first : s->last) = own;
		s->last = &own->next;
		check_effect(l, own->opt, v);
	}
	l->values = (struct conf_values){ 0 };
}

static bool on_section(struct conf_reader *r, const char *name, const char *where,
	unsigned *section_out, struct conf_values **values_out)
{
	struct loading *l = r->ctx;

	end_section(l);
	if (l->n == l->cap) {
		unsigned cap = l->cap > 0 ? 2 * l->cap : 64;
		struct section *more = cap <= SECTIONS_MAX ?
			realloc(l->sections, cap * sizeof(*more)) : NULL;
		if (more == NULL) {
			l->mem.failed = true;
			return false;
		}
		l->sections = more;
		l->cap = cap;
	}
	l->sections[l->n++] = (struct section){ .name = conf_arena_str(&l->mem, name),
		.where = conf_arena_str(&l->mem, where), .parent = NO_SECTION };
	*section_out = CONF_SEC_USER;
	*values_out = &l->values;
	return true;
}

/* ---- names and parents -------------------------------------------------- */

static int compare_names(const void *a, const void *b, void *arg)
{
	const struct section *sections = arg;
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	int d = strcmp(sections[x].name, sections[y].name);

	return d != 0 ? d : x < y ? -1 : 1;
}

/* A later section of the same name continues the first. */
static void join(struct section *first, struct section *again)
{
	if (again->first != NULL) {
		*(first->first == NULL ? &first->first : first->last) = again->first;
		first->last = again->last;
	}
	again->is_again = true;
}

static void sort_names(struct loading *l)
{
	unsigned kept = 0;

	l->sorted = malloc((l->n > 0 ? l->n : 1) * sizeof(*l->sorted));
	if (l->sorted == NULL) {
		l->mem.failed = true;
		return;
	}
	for (unsigned i = 0; i < l->n; i++)
		l->sorted[i] = i;
	qsort_r(l->sorted, l->n, sizeof(*l->sorted), compare_names, l->sections);
	for (unsigned i = 0; i < l->n; i++) {
		struct section *s = &l->sections[l->sorted[i]];
		if (kept > 0 && strcmp(l->sections[l->sorted[kept - 1]].name, s->name) == 0)
			join(&l->sections[l->sorted[kept - 1]], s);
		else
			l->sorted[kept++] = l->sorted[i];
	}
	l->nsorted = kept;
}

static unsigned find_section(const struct loading *l, const char *name)
{
	unsigned lo = 0, hi = l->nsorted;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int d = strcmp(l->sections[l->sorted[mid]].name, name);
		if (d == 0)
			return l->sorted[mid];
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NO_SECTION;
}

static void find_parent(struct loading *l, struct section *s)
{
	char text[160];

	for (const struct own *own = s->first; own != NULL; own = own->next) {
		if (own->opt->group != CONF_IN_NONE)
			continue;
		s->parent = own->text[0] != '\0' ? find_section(l, own->text) : NO_SECTION;
		s->parent_where = own->origin;
		if (own->text[0] != '\0' && s->parent == NO_SECTION)
			conf_note(l->notes, CONF_NOTE_ERROR, own->origin,
				"parent_id: there is no section [%s]", shown(own->text, text));
	}
	if (s->parent != NO_SECTION)
		l->sections[s->parent].is_group = true;
}

/* ---- settings ----------------------------------------------------------- */

/* Lays what a section says over what it inherits. */
static void overlay(struct loading *l, const struct section *s, struct settings *out)
{
	const char *origins[CONF_OPTS_MAX] = { NULL };

	for (const struct own *own = s->first; own != NULL; own = own->next) {
		const char **origin = &origins[conf_opt_index(own->opt)];
		if (*origin != NULL)
			conf_note(l->notes, CONF_NOTE_WARNING, own->origin,
				"%s is set again, which replaces %s", own->opt->name, *origin);
		*origin = own->origin;
		if (own->opt->group != CONF_IN_SCAN)
			continue;
		conf_opt_store(own->opt, &out->scan, own->text);
		out->set |= conf_scan_set_bit(own->opt);
	}
	conf_scan_follow(&out->scan, out->set);
}

/* What a section inherits: its parent is done, or it has none. */
static const struct settings *inherited(const struct loading *l, const struct section *s)
{
	const struct settings *p = s->parent != NO_SECTION ? l->sections[s->parent].settings : NULL;

	return p != NULL ? p : &l->agent;
}

/* Groups from the top of the line of parents down to section i. */
static void resolve_group(struct loading *l, unsigned i, unsigned *stack)
{
	unsigned depth = 0;
	char text[160];

	for (unsigned k = i; k != NO_SECTION && l->sections[k].state != STATE_DONE;) {
		struct section *s = &l->sections[k];
		s->state = STATE_OPEN;
		stack[depth++] = k;
		k = s->parent;
		if (k != NO_SECTION && l->sections[k].state == STATE_OPEN) {
			conf_note(l->notes, CONF_NOTE_ERROR, s->parent_where,
				"parent_id: [%s] would inherit itself", shown(s->name, text));
			s->parent = k = NO_SECTION;
		}
	}
	while (depth > 0) {
		struct section *s = &l->sections[stack[--depth]];
		s->state = STATE_DONE;
		s->settings = conf_arena_alloc(&l->mem, sizeof(*s->settings));
		if (s->settings == NULL)
			return;
		*s->settings = *inherited(l, s);
		overlay(l, s, s->settings);
	}
}

/* ---- equal settings ----------------------------------------------------- */

static const char *text_at(const struct conf_scan *scan, const struct conf_opt *o)
{
	const char *text;

	memcpy(&text, (const char *)scan + o->offset, sizeof(text));
	return text;
}

static size_t hash_scan(const struct conf_scan *scan)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		if (o->group != CONF_IN_SCAN)
			continue;
		bool is_text = conf_opt_is_text(o);
		const char *p = is_text ? text_at(scan, o) : (const char *)scan + o->offset;
		size_t n = is_text ? strlen(p) : o->size;
		for (size_t k = 0; k < n; k++)
			h = (h ^ (unsigned char)p[k]) * 0x100000001b3u;
		h = (h ^ n) * 0x100000001b3u;
	}
	return (size_t)(h ^ h >> 32);
}

static bool is_equal(const struct conf_scan *a, const struct conf_scan *b)
{
	for (size_t i = 0; i < conf_nopts; i++) {
		const struct conf_opt *o = &conf_opts[i];
		if (o->group != CONF_IN_SCAN)
			continue;
		if (conf_opt_is_text(o) ? strcmp(text_at(a, o), text_at(b, o)) != 0 :
		    memcmp((const char *)a + o->offset, (const char *)b + o->offset, o->size) != 0)
			return false;
	}
	return true;
}

static const struct conf_scan **place_of(const struct loading *l, const struct conf_scan *scan)
{
	size_t i = hash_scan(scan) & (l->unique_cap - 1);

	while (l->unique[i] != NULL && !is_equal(l->unique[i], scan))
		i = (i + 1) & (l->unique_cap - 1);
	return &l->unique[i];
}

static bool grow_unique(struct loading *l)
{
	if (l->unique_cap > 2 * l->nunique)
		return true;
	const struct conf_scan **old = l->unique;
	size_t old_cap = l->unique_cap;

	l->unique_cap = old_cap > 0 ? 2 * old_cap : 64;
	l->unique = calloc(l->unique_cap, sizeof(const struct conf_scan *));
	for (size_t i = 0; l->unique != NULL && i < old_cap; i++)
		if (old[i] != NULL)
			*place_of(l, old[i]) = old[i];
	free(old);
	l->mem.failed |= l->unique == NULL;
	return l->unique != NULL;
}

static const struct conf_scan *keep(struct conf *c, const struct conf_scan *scan)
{
	struct conf_scan *copy = conf_arena_alloc(&c->priv->mem, sizeof(*copy));

	if (copy != NULL)
		*copy = *scan;
	return copy;
}

/* The one copy of these settings; NULL no memory. */
static const struct conf_scan *unique_of(struct loading *l, const struct conf_scan *scan)
{
	if (!grow_unique(l))
		return NULL;
	const struct conf_scan **place = place_of(l, scan);
	if (*place != NULL)
		return *place;
	/* The agent's own come first, and are not copied. */
	*place = l->nunique == 0 ? scan : keep(l->c, scan);
	l->nunique += *place != NULL;
	return *place;
}

/* ---- the outcome -------------------------------------------------------- */

/* The first section that matches holds, so that one behind a broader one never
 * does. A list with one such mistake may have it a hundred thousand times. */
static void warn_covered(struct loading *l, const struct section *s, const struct section *first,
	bool is_same)
{
	char name[160];

	if (l->covered++ >= COVERED_LINES)
		return;
	conf_note(l->notes, CONF_NOTE_WARNING, s->where,
		"the section is never chosen: [%s] of %s stands for %s and is first",
		shown(first->name, name), first->where, is_same ? "the same" : "all of it");
}

/* A group is a section that some parent_id names. One without a dot or @ in its
 * name that nobody names is a mistake more often than a domain, unless it is as
 * short as com. */
static void warn_unused(struct loading *l, const struct section *s)
{
	char name[160];

	if (strlen(s->name) < 4 || strpbrk(s->name, ".@|") != NULL || l->unused++ >= COVERED_LINES)
		return;
	conf_note(l->notes, CONF_NOTE_WARNING, s->where,
		"no parent_id names [%s]: it is no group and stands for the domain of that name",
		shown(s->name, name));
}

static void warn_left_out(struct loading *l)
{
	const char *path = l->c->smtp.mod.user_config;

	if (l->covered > COVERED_LINES)
		conf_note(l->notes, CONF_NOTE_WARNING, path, "%u sections more are never chosen",
			l->covered - COVERED_LINES);
	if (l->unused > COVERED_LINES)
		conf_note(l->notes, CONF_NOTE_WARNING, path, "%u sections more that no parent_id names",
			l->unused - COVERED_LINES);
}

static void add_section(struct loading *l, unsigned i, bool *has_octets)
{
	struct conf_users *users = l->c->priv->users;
	const struct section *s = &l->sections[i];
	struct settings settings = *inherited(l, s);
	const char *why;
	unsigned first;
	bool is_same, octets;

	overlay(l, s, &settings);
	if (user_match_add(users->match, s->name, i, &first, &is_same, &octets, &why) < 0) {
		l->mem.failed |= why == NULL;
		if (why != NULL)
			conf_note(l->notes, CONF_NOTE_ERROR, s->where, "the section's name %s", why);
		return;
	}
	if (first != USER_MATCH_NONE)
		warn_covered(l, s, &l->sections[first], is_same);
	warn_unused(l, s);
	if (!l->has_quarantine_dir &&
	    strcmp(settings.scan.quarantine_dir, l->c->smtp.scan.quarantine_dir) != 0) {
		l->has_quarantine_dir = true;
		conf_note(l->notes, CONF_NOTE_WARNING, s->where,
			"av_quarantine_dir: only the one of [global] counts");
	}
	if (octets && !*has_octets) {
		*has_octets = true;
		conf_note(l->notes, CONF_NOTE_WARNING, s->where,
			"without libidn2 the A-label form of this domain is another one");
	}
	l->entries[i].scan = unique_of(l, &settings.scan);
	l->entries[i].name = conf_arena_str(&l->c->priv->mem, s->name);
}

static void build(struct loading *l)
{
	struct conf_users *users = conf_arena_alloc(&l->c->priv->mem, sizeof(*users));
	unsigned *stack = malloc((l->n > 0 ? l->n : 1) * sizeof(*stack));
	bool has_octets = false;

	l->entries = conf_arena_alloc(&l->c->priv->mem, (l->n > 0 ? l->n : 1) * sizeof(*l->entries));
	if (users != NULL && l->entries != NULL && stack != NULL)
		*users = (struct conf_users){ .match = user_match_new(), .entries = l->entries };
	if (users == NULL || users->match == NULL || unique_of(l, &l->c->smtp.scan) == NULL) {
		l->mem.failed = true;
		if (users != NULL)
			user_match_free(&users->match);
		free(stack);
		return;
	}
	l->c->priv->users = users;
	for (unsigned i = 0; i < l->n; i++)
		if (!l->sections[i].is_again)
			find_parent(l, &l->sections[i]);
	for (unsigned i = 0; i < l->n; i++)
		if (l->sections[i].is_group)
			resolve_group(l, i, stack);
	for (unsigned i = 0; i < l->n && !l->mem.failed; i++)
		if (!l->sections[i].is_group && !l->sections[i].is_again)
			add_section(l, i, &has_octets);
	warn_left_out(l);
	free(stack);
}

void conf_users_load(struct conf *c, struct conf_notes *notes)
{
	struct loading *l = calloc(1, sizeof(*l));
	const char *path = c->smtp.mod.user_config;

	if (l == NULL) {
		conf_note(notes, CONF_NOTE_ERROR, path, "out of memory");
		return;
	}
	l->c = c;
	l->notes = notes;
	l->agent = (struct settings){ .scan = c->smtp.scan,
		.set = conf_scan_set_in(conf_merged(c, CONF_SEC_SMTP), CONF_SEC_SMTP) };
	struct conf_reader r = { .path = path, .mem = &l->mem, .notes = notes, .is_users = true,
		.on_section = on_section, .ctx = l };
	if (conf_file_read(&r) == 0) {
		c->priv->users_sum = r.sum;
		end_section(l);
		sort_names(l);
		if (!l->mem.failed)
			build(l);
		if (l->mem.failed)
			conf_note(notes, CONF_NOTE_ERROR, path, "out of memory");
		else
			conf_note(notes, CONF_NOTE_INFO, path, "%u sections, %zu different settings",
				l->nsorted, l->nunique);
	}
	tdestroy(l->texts, keep_node);
	conf_arena_fini(&l->mem);
	free(l->sections);
	free(l->sorted);
	free(l->unique);
	free(l);
}

void conf_users_free(struct conf_users **users)
{
	if (*users != NULL)
		user_match_free(&(*users)->match);
	*users = NULL;
}

bool conf_has_users(const struct conf *c)
{
	return c->priv->users != NULL;
}

struct conf_settings conf_settings_for(const struct conf *c, const char *rcpt, size_t rcpt_len,
	const char *sndr, size_t sndr_len)
{
	const struct conf_users *users = c->priv->users;
	unsigned i = users == NULL ? USER_MATCH_NONE :
		user_match_find(users->match, rcpt, rcpt_len, sndr, sndr_len);

	if (i == USER_MATCH_NONE)
		return (struct conf_settings){ .scan = &c->smtp.scan, .section = "smtp" };
	return (struct conf_settings){ .scan = users->entries[i].scan,
		.section = users->entries[i].name };
}
