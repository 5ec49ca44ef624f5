/* engine.c - which engines are in force, and what they say together.
 *
 * Written by the master before the fork, read by the workers' threads after
 * it. Clean is what every engine called clean; an engine that gives no verdict
 * makes the object unavailable, unless another one finds something. */
#include "engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "allow.h"
#include "conf.h"
#include "engine_builtin.h"
#include "engine_clamd.h"
#include "engine_ext.h"
#include "engine_gate.h"
#include "engine_hash.h"
#include "engine_rspamd.h"
#include "engine_spamd.h"
#include "stats.h"
#include "str.h"

#define ENGINES_MAX 8u
#define NAME_MAX_OCTETS 32

static const struct engine *const all[] = { &engine_builtin, &engine_clamd,
	&engine_spamd, &engine_rspamd };

struct engine_list {
	const struct engine *e[ENGINES_MAX];
	unsigned n;
};

static struct engine_list av_list, as_list;

static const struct engine *find(const char *name)
{
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
}

static int parse_list(const char *option, const char *text, struct engine_list *out, char *why,
	size_t why_size)
{
	char name[NAME_MAX_OCTETS];
	int got;

	out->n = 0;
	while ((got = str_list_next(&text, ':', name, sizeof name)) != 0) {
		const struct engine *e = got > 0 ? find(name) : NULL;
		if (e == NULL || out->n == ENGINES_MAX) {
			snprintf(why, why_size, "%s: %s does not exist in this version", option, name);
			return -1;
		}
		out->e[out->n++] = e;
	}
	return 0;
}

static_assert(sizeof all / sizeof all[0] == STATS_ENGINES, "rows of engine_ in stats_list.h");

static bool is_listed(const struct engine_list *l, const struct engine *e)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->e[i] == e)
			return true;
	}
	return false;
}

static bool is_in_force(const struct engine *e)
{
	return is_listed(&av_list, e) || is_listed(&as_list, e);
}

static void count_one(unsigned i, const struct engine *e)
{
	long long at = e->data_time != NULL ? e->data_time() : 0;

	stats_state(stats_nth(ST_ENGINE_UP, i), e->is_up == NULL || e->is_up());
	stats_state(stats_nth(ST_ENGINE_DATA, i), at > 0 && at < 1LL << 39 ? (uint64_t)at : 0);
}

/* Master: which there are, and what is told of those that nobody watches. */
static void count_loaded(void)
{
	for (unsigned i = 0; i < STATS_ENGINES; i++) {
		stats_parent_set(stats_nth(ST_ENGINE_ON, i), is_in_force(all[i]));
		if (all[i]->watch == NULL && is_in_force(all[i])) {
			stats_parent_state(stats_nth(ST_ENGINE_UP, i), 1);
			stats_parent_state(stats_nth(ST_ENGINE_DATA, i), (uint64_t)all[i]->data_time());
		}
	}
	stats_parent_set(ST_ENGINE_SIGS, is_in_force(&engine_builtin) ? engine_hash_count() : 0);
}

int engines_load(const struct conf *c, char *why, size_t why_size)
{
	struct engine_list av, as;

	if (engine_gate_init() < 0) {
		snprintf(why, why_size, "no memory for the engines");
		return -1;
	}
	if (parse_list("av_engines", c->global.av_engines, &av, why, why_size) < 0 ||
	    parse_list("as_engines", c->global.as_engines, &as, why, why_size) < 0)
		return -1;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (!is_listed(&av, all[i]) && !is_listed(&as, all[i]))
			continue;
		if (all[i]->load != NULL && all[i]->load(c) < 0) {
			snprintf(why, why_size, "engine %s could not be loaded", all[i]->name);
			return -1;
		}
	}
	av_list = av;
	as_list = as;
	count_loaded();
	return 0;
}

const char *engines_version(char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (!is_in_force(all[i]) || at + 2 >= size)
			continue;
		if (at > 0)
			out[at++] = '/';
		at += all[i]->version(out + at, size - at);
		if (at >= size)
			at = size - 1;
	}
	return out;
}

bool engines_are_watched(void)
{
	bool yes = false;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		yes |= all[i]->watch != NULL && is_in_force(all[i]);
	return yes;
}

void engines_watch(const struct engine_call *call)
{
	for (unsigned i = 0; i < STATS_ENGINES; i++) {
		if (all[i]->watch == NULL || !is_in_force(all[i]))
			continue;
		all[i]->watch(call);
		count_one(i, all[i]);
	}
}

struct engine_ext *engines_external(unsigned n)
{
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (all[i]->ext != NULL && (unsigned)all[i]->ext->gate == n * ENGINE_GATE_ALTS)
			return is_in_force(all[i]) ? all[i]->ext : NULL;
	}
	return NULL;
}

bool engine_call_goes_on(const struct engine_call *call)
{
	struct timespec ts;

	if (call == NULL)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000 < call->deadline_ms &&
		(call->cancelled == NULL || !call->cancelled(call->arg));
}

static void count_scan(const struct engine *e, enum engine_status s)
{
	unsigned i = 0;

	while (all[i] != e)
		i++;
	stats_add(stats_nth(ST_ENGINE_ASKED, i), 1);
	if (s == ENGINE_ERROR)
		stats_add(stats_nth(ST_ENGINE_ERRORS, i), 1);
}

/* Of what several engines say of an object the most serious counts. */
static bool is_worse(enum engine_status a, enum engine_status b)
{
	static const int weight[] = {
		[ENGINE_CLEAN] = 0, [ENGINE_NOTSCANNED] = 1, [ENGINE_OVERLIMIT] = 2,
		[ENGINE_ENCRYPTED] = 3, [ENGINE_ERROR] = 4, [ENGINE_FOUND] = 5,
	};
	return weight[a] > weight[b];
}

enum engine_status engines_av(struct engine_object *o, const struct scan_opts *opts,
	const struct engine_call *call, struct engine_result *r)
{
	enum engine_status worst = ENGINE_CLEAN;

	*r = (struct engine_result){ .score_milli = 0 };
	if (av_list.n == 0) {
		str_copy(r->reason, sizeof r->reason, "no engine");
		return ENGINE_ERROR;
	}
	for (unsigned i = 0; i < av_list.n && worst != ENGINE_FOUND; i++) {
		struct engine_result one = { .score_milli = 0 };
		enum engine_status s = av_list.e[i]->av != NULL ?
			av_list.e[i]->av(o, opts, call, &one) : ENGINE_CLEAN;
		count_scan(av_list.e[i], s);
		if (s == ENGINE_FOUND && (o->is_allowed ||
		    allow_has_name(opts->allow_name, one.name))) {
			str_copy(o->allowed, sizeof o->allowed, one.name);
			s = ENGINE_CLEAN; /* for this engine: the others are still asked */
		}
		one.is_inside = av_list.e[i]->looks_inside;
		if (is_worse(s, worst)) {
			worst = s;
			*r = one;
		}
	}
	/* The digest of the message is wanted whichever engines look at it. */
	if (o->want_sha256 && engine_hash_sha256(o, call) < 0 && worst == ENGINE_CLEAN) {
		str_copy(r->reason, sizeof r->reason, engine_hash_why(call));
		worst = ENGINE_ERROR;
	}
	return worst;
}

unsigned engines_mark(const unsigned char *data, size_t len, const struct engine_call *call)
{
	unsigned marks = 0;

	for (unsigned i = 0; i < as_list.n; i++) {
		if (as_list.e[i]->mark != NULL && as_list.e[i]->mark(data, len, call))
			marks |= 1u << i;
	}
	return marks;
}

enum engine_status engines_as(const struct engine_object *o, const struct scan_request *req,
	const struct engine_call *call, struct engine_result *r)
{
	enum engine_status worst = ENGINE_CLEAN;

	*r = (struct engine_result){ .score_milli = 0 };
	if (as_list.n == 0) {
		str_copy(r->reason, sizeof r->reason, "no engine");
		return ENGINE_ERROR;
	}
	for (unsigned i = 0; i < as_list.n && worst != ENGINE_FOUND; i++) {
		struct engine_result one = { .score_milli = 0 };
		enum engine_status s = as_list.e[i]->as != NULL ?
			as_list.e[i]->as(o, o->marks & (1u << i), req, call, &one) : ENGINE_CLEAN;
		count_scan(as_list.e[i], s);
		/* The first engine's score may be below zero. */
		if (i == 0 || is_worse(s, worst) ||
		    (worst == ENGINE_CLEAN && one.score_milli > r->score_milli)) {
			worst = s;
			*r = one;
		}
	}
	return worst;
}
