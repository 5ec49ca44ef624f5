/* task_object.c - one object to the engines, and what they say into the
 * verdict of the whole. */
#include "task_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allow.h"
#include "engine.h"
#include "engine_hash.h"
#include "file_ext.h"
#include "log.h"
#include "str.h"

#define ALLOWED_LOG_MAX 10u          /* lines of one task */

/* Most verdicts have none: room for them is made for the first. Without memory
 * there is the verdict alone. */
static struct verdict_part *new_part(struct verdict *v)
{
	if (v->parts == NULL) /* -Wanalyzer-malloc-leak: as below */
		v->parts = malloc(VERDICT_PARTS_MAX * sizeof *v->parts);
	/* -Wanalyzer-malloc-leak: verdict_fini frees them */
	return v->parts != NULL ? &v->parts[v->nparts++] : NULL;
}

static void add_part(struct task *t, const char *name, unsigned av, const char *virus,
	const char *reason)
{
	if (t->r->want_parts == SCAN_PARTS_NONE || t->v->nparts == VERDICT_PARTS_MAX ||
	    (t->r->want_parts == SCAN_PARTS_NOTABLE && av == VERDICT_AV_CLEAN && virus[0] == '\0'))
		return;
	struct verdict_part *p = new_part(t->v);
	if (p == NULL)
		return;
	/* As they are: whoever reads the answer makes them safe. */
	str_copy(p->name, sizeof p->name, name);
	str_copy(p->virus, sizeof p->virus, virus);
	str_copy(p->reason, sizeof p->reason, reason);
	p->av = av;
}

static unsigned av_of(enum engine_status s)
{
	switch (s) {
	case ENGINE_CLEAN: return VERDICT_AV_CLEAN;
	case ENGINE_FOUND: return VERDICT_AV_INFECTED;
	case ENGINE_NOTSCANNED: return VERDICT_AV_NOTSCANNED;
	case ENGINE_OVERLIMIT: return VERDICT_AV_OVERLIMIT;
	case ENGINE_ENCRYPTED: return VERDICT_AV_ENCRYPTED;
	case ENGINE_ERROR: break;
	}
	return VERDICT_AV_UNAVAILABLE;
}

/* Is the object, or was one that it lies in, a false alarm that must pass? */
static void look_up_allowed(struct task *t, struct engine_object *o)
{
	const char *list = t->r->opts.allow_hash;

	if (!t->in_allowed && list[0] != '\0' && engine_hash_sha256(o, &t->call) == 0)
		t->in_allowed = allow_has_hash(list, o->sha256_hex);
	o->is_allowed = t->in_allowed;
}

/* It is in the log whatever classes are on: mail passed that an engine would
 * have stopped. */
static void note_allowed(struct task *t, const struct engine_object *o)
{
	char virus[VERDICT_NAME_MAX], name[VERDICT_NAME_MAX];

	if (t->allowed++ >= ALLOWED_LOG_MAX)
		return;
	log_info("allowed: \"%s\" in \"%s\" by %s",
		str_clean(virus, sizeof virus, o->allowed, strlen(o->allowed)),
		str_clean(name, sizeof name, o->name, strlen(o->name)),
		o->is_allowed ? "av_allow_hash" : "av_allow_name");
}

/* ---- finds ------------------------------------------------------------------ */

static void count_find(struct task *t, const char *name, const char *virus, const char *reason)
{
	t->v->av |= VERDICT_AV_INFECTED;
	t->finds++;
	str_copy(t->last_virus, sizeof t->last_virus, virus);
	if (t->v->virus[0] == '\0')
		str_copy(t->v->virus, sizeof t->v->virus, virus);
	if (reason[0] != '\0')
		task_reason(t, reason);
	add_part(t, name, VERDICT_AV_INFECTED, virus, reason);
}

static void on_allowed(struct task *t, const struct engine_object *o)
{
	note_allowed(t, o);
	add_part(t, o->name, VERDICT_AV_CLEAN, o->allowed, "");
	for (struct task_held *h = t->held; o->is_allowed && h != NULL; h = h->outer)
		h->is_explained |= strcmp(h->virus, o->allowed) == 0;
}

void task_scope_begin(struct task *t, struct task_scope *s)
{
	*s = (struct task_scope){ .in_allowed = t->in_allowed, .held.outer = t->held };
	t->held = &s->held;
}

void task_scope_end(struct task *t, struct task_scope *s, const char *name)
{
	struct engine_object o = { .name = name, .is_allowed = true };

	t->held = s->held.outer;
	t->in_allowed = s->in_allowed;
	if (s->held.virus[0] == '\0')
		return;
	if (!s->held.is_explained) {
		count_find(t, name, s->held.virus, s->held.reason);
		return;
	}
	str_copy(o.allowed, sizeof o.allowed, s->held.virus);
	on_allowed(t, &o);
}

/* Mail, and not out of a file. */
static bool is_on_its_way(const struct scan_request *r)
{
	return r->is_mail && r->name[0] == '\0';
}

bool task_scan_object(struct task *t, const void *data, size_t len, const char *name,
	bool is_message)
{
	struct engine_object o = { .data = data, .len = len, .name = name,
		.fd = is_message ? t->fd : -1, .is_message = is_message,
		.sized_only = is_message && is_on_its_way(t->r),
		.want_sha256 = is_message && !t->r->sha256_if_found };
	struct engine_result r = { .score_milli = 0 };

	if (!task_goes_on(t))
		return false;
	if (!is_message && !task_take_object(t))
		return false;
	t->v->objects++;
	if (t->r->want_as)
		t->marks |= engines_mark(data, len, &t->call);
	if (!t->r->want_av && !is_message)
		return true;
	look_up_allowed(t, &o);
	enum engine_status s = engines_av(&o, &t->r->opts, &t->call, &r);
	if (is_message)
		str_copy(t->v->sha256, sizeof t->v->sha256, o.sha256_hex);
	if (!t->r->want_av)
		return true;
	if (o.allowed[0] != '\0')
		on_allowed(t, &o);
	if (s == ENGINE_FOUND && r.is_inside && t->r->opts.allow_hash[0] != '\0') {
		str_copy(t->held->virus, sizeof t->held->virus, r.name);
		str_copy(t->held->reason, sizeof t->held->reason, r.reason);
		return true;
	}
	if (s == ENGINE_FOUND) {
		count_find(t, name, r.name, r.reason);
		return true;
	}
	t->v->av |= av_of(s);
	if (s != ENGINE_CLEAN)
		task_reason(t, r.reason);
	if (s != ENGINE_CLEAN || o.allowed[0] == '\0')
		add_part(t, name, av_of(s), "", r.reason);
	return true;
}

void task_note(struct task *t, unsigned av, const char *name, const char *why)
{
	if (!t->r->want_av || (t->in_net && av != VERDICT_AV_OVERLIMIT))
		return;
	t->v->av |= av;
	task_reason(t, why);
	add_part(t, name, av, "", why);
}

void task_check_name(struct task *t, const char *name, const char *shown)
{
	char ext[FILE_EXT_MAX], virus[FILE_EXT_MAX + 16];

	if (!t->r->want_av || t->in_allowed)
		return;
	const enum file_ext got = file_ext_check(t->r->opts.block_ext, name, ext);
	if (got == FILE_EXT_UNKNOWN)
		task_note(t, VERDICT_AV_NOTSCANNED, shown, "file name with too many colons");
	if (got != FILE_EXT_BLOCKED)
		return;
	snprintf(virus, sizeof virus, "Blocked/%s", ext);
	if (allow_has_name(t->r->opts.allow_name, virus))
		return;
	count_find(t, shown, virus, "");
}

bool task_is_excluded(const struct task *t, const char *name)
{
	return file_ext_is_excluded(t->r->opts.ext_exclude, name);
}
