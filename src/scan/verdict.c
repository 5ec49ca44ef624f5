/* verdict.c - what a scan says of one message, see verdict.h.
 *
 * Owns the texts and the empty verdicts. Pure: no descriptor, no clock, no
 * log. Which kind counts most is said here once, for the log only; what is
 * done about it is policy.c's. */
#include "verdict.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "kv.h"
#include "str.h"

/* Most serious first. */
static const unsigned order[] = { VERDICT_AV_INFECTED, VERDICT_AV_UNAVAILABLE,
	VERDICT_AV_ENCRYPTED, VERDICT_AV_OVERLIMIT, VERDICT_AV_NOTSCANNED, VERDICT_AV_DELETED };
#define NORDER (sizeof order / sizeof order[0])
static_assert(NORDER == VERDICT_AV_RANK_CLEAN, "ranks");

unsigned verdict_av_rank(unsigned av)
{
	for (unsigned i = 0; i < NORDER; i++) {
		if ((av & order[i]) != 0)
			return i;
	}
	return av == VERDICT_AV_CLEAN ? VERDICT_AV_RANK_CLEAN : VERDICT_AV_RANK_UNAVAILABLE;
}

const char *verdict_av_text(unsigned av)
{
	static const struct { unsigned bit; const char *text; } table[] = {
#define X(id, bit, name, text) { 1u << (bit), text },
		VERDICT_AV_LIST(X)
#undef X
	};

	if (av == VERDICT_AV_CLEAN)
		return "clean";
	for (size_t i = 0; i < NORDER; i++) {
		for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
			if ((av & order[i]) != 0 && table[k].bit == order[i])
				return table[k].text;
		}
	}
	return "not scanned"; /* a bit that nobody knows is never clean */
}

const char *verdict_as_text(enum verdict_as as)
{
	switch (as) {
	case VERDICT_AS_NONE: return "none";
	case VERDICT_AS_CLEAN: return "clean";
	case VERDICT_AS_SPAM: return "spam";
	case VERDICT_AS_NOTSCANNED: break;
	}
	return "not scanned";
}

int verdict_kinds_format(struct buf *out, unsigned av)
{
	static const struct { unsigned bit; const char *name; } kinds[] = {
#define X(id, bit, name, text) { 1u << (bit), name },
		VERDICT_AV_LIST(X)
#undef X
	};
	const char *colon = "";

	if ((av & ~(unsigned)VERDICT_AV_ALL) != 0)
		return -1;
	if (av == VERDICT_AV_CLEAN)
		return buf_append_str(out, "clean");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if ((av & kinds[i].bit) == 0)
			continue;
		if (buf_append_str(out, colon) < 0 || buf_append_str(out, kinds[i].name) < 0)
			return -1;
		colon = ":";
	}
	return 0;
}

int verdict_kinds_parse(const char *value, unsigned *out)
{
	static const char *const names[] = {
#define X(id, bit, name, text) [bit] = (name),
		VERDICT_AV_LIST(X)
#undef X
		NULL
	};
	char item[32];
	int rc;

	*out = 0;
	if (strcmp(value, "clean") == 0)
		return 0;
	while ((rc = str_list_next(&value, ':', item, sizeof item)) != 0) {
		int i = rc > 0 ? kv_index(names, item) : -1;
		if (i < 0)
			return -1;
		*out |= 1u << i;
	}
	return *out != 0 ? 0 : -1;
}

static const char *const as_names[] = { [VERDICT_AS_NONE] = "none",
	[VERDICT_AS_CLEAN] = "clean", [VERDICT_AS_SPAM] = "spam",
	[VERDICT_AS_NOTSCANNED] = "notscanned", NULL };

const char *verdict_as_name(enum verdict_as as)
{
	return as_names[as];
}

int verdict_as_parse(const char *text, enum verdict_as *out)
{
	int i = kv_index(as_names, text);

	*out = i < 0 ? VERDICT_AS_NOTSCANNED : (enum verdict_as)i;
	return i < 0 ? -1 : 0;
}

bool verdict_is_for_quarantine(const struct verdict *v)
{
	return (v->av & (VERDICT_AV_INFECTED | VERDICT_AV_DELETED)) != 0 ||
		v->as == VERDICT_AS_SPAM;
}

void verdict_unavailable(struct verdict *v, const char *reason)
{
	memset(v, 0, sizeof *v);
	v->av = VERDICT_AV_UNAVAILABLE;
	v->as = VERDICT_AS_NOTSCANNED;
	str_clean(v->reason, sizeof v->reason, reason, strlen(reason));
}

void verdict_fini(struct verdict *v)
{
	free(v->parts);
	v->parts = NULL;
	v->nparts = 0;
}
