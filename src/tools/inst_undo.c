/* inst_undo.c - what was changed, and the way back, see inst_plan.h.
 *
 *     "esets-inst/1" LF "mode=" MODE LF ["config=" PATH LF]
 *     *("step=" KIND LF "name=" NAME LF ["was=" VALUE LF] ["becomes=" VALUE LF]) LF
 *
 * in the form of kv.h; "had=no" and "has=no" tell a thing that is not there from
 * one that is empty. */
#include "inst_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "kv.h"
#include "str.h"

#define HEAD "esets-inst/1"

static const char *const kinds[] = { "main", "master", "conf", NULL };
static const char *const modes[] = { "after-queue", "before-queue", NULL };

/* --- the journal -------------------------------------------------------------------- */

const struct inst_step *inst_journal_find(const struct inst_journal *j, enum inst_kind kind,
	const char *name)
{
	for (size_t i = 0; i < j->nsteps; i++) {
		if (j->steps[i].kind == kind && strcmp(j->steps[i].name, name) == 0)
			return &j->steps[i];
	}
	return NULL;
}

int inst_journal_add(struct inst_journal *j, const struct inst_plan *plan)
{
	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct inst_step *s = &plan->steps[i];
		/* It is j's own, which is not const. */
		struct inst_step *known = (struct inst_step *)inst_journal_find(j, s->kind, s->name);
		if (known != NULL) {
			known->has = s->has;
			str_copy(known->becomes, sizeof known->becomes, s->becomes);
		} else if (j->nsteps < INST_STEPS_MAX) {
			j->steps[j->nsteps++] = *s;
		} else {
			return -1;
		}
	}
	j->is_there = true;
	return 0;
}

static int put_step(struct buf *out, const struct inst_step *s)
{
	if (kv_put_text(out, "step", kinds[s->kind]) < 0 || kv_put_text(out, "name", s->name) < 0)
		return -1;
	if (kv_put_text(out, s->had ? "was" : "had", s->had ? s->was : "no") < 0)
		return -1;
	return kv_put_text(out, s->has ? "becomes" : "has", s->has ? s->becomes : "no");
}

int inst_journal_format(const struct inst_journal *j, struct buf *out)
{
	if (buf_append_str(out, HEAD "\n") < 0 || kv_put_text(out, "mode", modes[j->mode]) < 0 ||
	    kv_put_text(out, "config", j->config) < 0)
		return -1;
	for (size_t i = 0; i < j->nsteps; i++) {
		if (put_step(out, &j->steps[i]) < 0)
			return -1;
	}
	return buf_append_str(out, "\n");
}

/* The value goes to out; false: too long. */
static bool take(char *out, size_t size, const char *value)
{
	return str_copy(out, size, value);
}

static bool set_step(struct inst_journal *j, const char *value)
{
	int kind = kv_index(kinds, value);

	if (kind < 0 || j->nsteps == INST_STEPS_MAX)
		return false;
	j->steps[j->nsteps++] = (struct inst_step){ .kind = (enum inst_kind)kind, .had = true,
		.has = true };
	return true;
}

static bool set_pair(struct inst_journal *j, const char *key, const char *value)
{
	struct inst_step *s = j->nsteps > 0 ? &j->steps[j->nsteps - 1] : NULL;
	int mode = kv_index(modes, value);

	if (strcmp(key, "mode") == 0) {
		j->mode = mode > 0 ? (enum inst_mode)mode : INST_AFTER_QUEUE;
		return mode >= 0;
	}
	if (strcmp(key, "config") == 0)
		return take(j->config, sizeof j->config, value);
	if (strcmp(key, "step") == 0)
		return set_step(j, value);
	if (s == NULL)
		return false;
	if (strcmp(key, "name") == 0)
		return take(s->name, sizeof s->name, value);
	if (strcmp(key, "was") == 0)
		return take(s->was, sizeof s->was, value);
	if (strcmp(key, "becomes") == 0)
		return take(s->becomes, sizeof s->becomes, value);
	if (strcmp(key, "had") == 0 || strcmp(key, "has") == 0) {
		*(key[2] == 'd' ? &s->had : &s->has) = false;
		return strcmp(value, "no") == 0;
	}
	return false;
}

/* Only what a plan of ours can have changed may be given to postconf. */
static bool is_ours(const struct inst_step *s)
{
	const char *slash = strrchr(s->name, '/');

	if (s->kind == INST_MASTER)
		return slash != NULL && slash != s->name &&
			(strcmp(slash, "/inet") == 0 || strcmp(s->name, "esets/unix") == 0);
	for (int i = 0; s->kind == INST_MAIN && i < INST_P_COUNT; i++) {
		if (strcmp(s->name, inst_param_names[i]) == 0)
			return true;
	}
	return s->kind == INST_CONF && s->name[0] != '\0' &&
		strspn(s->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(s->name);
}

int inst_journal_parse(struct inst_journal *j, const char *text, size_t n, const char **why_out)
{
	char *copy = kv_copy(text, n, why_out), *key, *value;
	char *p = copy != NULL ? kv_after_head(copy, n, HEAD "\n", why_out) : NULL;
	int got = -1;

	memset(j, 0, sizeof *j);
	while (p != NULL && (got = kv_next(&p, copy + n, &key, &value, why_out)) > 0) {
		if (kv_decode(value) < 0 || !set_pair(j, key, value)) {
			*why_out = "a line of it is unknown";
			got = -1;
			break;
		}
	}
	for (size_t i = 0; got == 0 && i < j->nsteps; i++) {
		if (!is_ours(&j->steps[i])) {
			*why_out = "it names something that is never changed";
			got = -1;
		}
	}
	free(copy);
	j->is_there = got == 0;
	return got;
}

/* --- the way back --------------------------------------------------------------------- */

/* What is there now: NULL nothing. */
static const char *current(const struct inst_step *s, const struct inst_postfix *p,
	const char *conf_text, char line[INST_TEXT_MAX])
{
	if (s->kind == INST_MASTER) {
		const struct inst_service *found = inst_service_find(p, s->name);
		return found != NULL ? found->line : NULL;
	}
	if (s->kind == INST_CONF)
		return inst_conf_line(conf_text, s->name, line) != 0 ? line : NULL;
	for (int i = 0; i < INST_P_COUNT; i++) {
		if (strcmp(s->name, inst_param_names[i]) == 0)
			return p->params[i].is_set ? p->params[i].raw : NULL;
	}
	return NULL;
}

static bool is_same(const char *now, bool has, const char *text)
{
	return now == NULL ? !has : has && strcmp(now, text) == 0;
}

void inst_plan_undo(struct inst_plan *out, const struct inst_journal *j,
	const struct inst_postfix *p, const char *conf_text)
{
	memset(out, 0, sizeof *out);
	for (size_t i = j->nsteps; i-- > 0;) {
		const struct inst_step *s = &j->steps[i];
		char line[INST_TEXT_MAX] = "", shown[INST_SHOWN_MAX];
		if (s->kind == INST_CONF && conf_text == NULL)
			continue;
		const char *now = current(s, p, conf_text, line);
		if (is_same(now, s->had, s->was))
			continue;
		if (!is_same(now, s->has, s->becomes))
			inst_plan_note(out, INST_CONFLICT, "%s was changed since by hand: it is %s%s%s",
				s->name, now != NULL ? "\"" : "", now != NULL ? inst_plan_shown(shown, now) : "gone",
				now != NULL ? "\"" : "");
		inst_plan_step(out, s->kind, s->name, now, s->had ? s->was : NULL);
	}
}

bool inst_plan_holds(const struct inst_plan *plan, const struct inst_postfix *p)
{
	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct inst_step *s = &plan->steps[i];
		if (s->kind != INST_CONF && !is_same(current(s, p, NULL, NULL), s->has, s->becomes))
			return false;
	}
	return true;
}
