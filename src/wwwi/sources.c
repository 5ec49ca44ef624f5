/* sources.c - where esets_wwwi knows from, see wwwi_int.h. Everything that is
 * read here is mapped or opened to be read; of a message in quarantine only the
 * metadata. */
#include "wwwi_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "quar_dir.h"
#include "status_sock.h"
#include "str.h"
#include "web_json.h"

#define ASK_EVERY_MS 1000
#define ANSWER_MS 300u         /* the parent of a program writes at once */
#define LEFT_ALONE_MS 5000     /* one that did not */
#define INDEX_EVERY_MS 2000
#define LISTED_MAX 100u

struct one {
	const char *path;
	long long asked_ms;
	enum status_sock_result got;
	char why[200];
	struct status_map map;
	struct stats_view *view;
};

struct sources {
	struct one one[SOURCE_COUNT];
	bool is_asked;
	int quarantine_fd;
	struct quar_index index;
	struct timespec changed;   /* the directory's mtime that goes with it */
	long long indexed_ms;
	bool is_indexed;
};

static const char *const programs[SOURCE_COUNT] = {
	[SOURCE_AGENT] = "esets_smtp", [SOURCE_DAEMON] = "esets_daemon",
	[SOURCE_SELF] = "esets_wwwi",
};

struct sources *sources_new(const struct conf *c, int quarantine_fd)
{
	struct sources *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->one[SOURCE_AGENT].path = c->smtp.mod.status_sock_path;
	s->one[SOURCE_DAEMON].path = c->global.mod.status_sock_path;
	s->one[SOURCE_SELF].path = c->wwwi.mod.status_sock_path;
	s->quarantine_fd = quarantine_fd;
	buf_init(&s->index.json, ANSWER_MAX / 2);
	return s;
}

static void forget(struct one *o)
{
	stats_view_free(&o->view);
	status_sock_unmap(&o->map);
}

void sources_free(struct sources **s)
{
	if (*s == NULL)
		return;
	for (unsigned i = 0; i < SOURCE_COUNT; i++)
		forget(&(*s)->one[i]);
	buf_fini(&(*s)->index.json);
	free(*s);
	*s = NULL;
}

/* --- tables of counters -------------------------------------------------- */

static void ask(struct one *o, const char *program)
{
	const char *why = NULL;

	forget(o);
	o->why[0] = '\0';
	o->got = status_sock_fetch(o->path, ANSWER_MS, &o->map, o->why, sizeof o->why);
	if (o->got != STATUS_SOCK_OK)
		return;
	o->view = stats_view_new(o->map.map, o->map.size, &why);
	if (o->view != NULL && strcmp(stats_view_program(o->view), program) != 0)
		why = "another program of the suite answers there";
	if (why != NULL) {
		str_copy(o->why, sizeof o->why, why);
		o->got = STATUS_SOCK_BROKEN;
		forget(o);
	}
}

void sources_refresh(struct sources *s, long long mono_ms)
{
	for (unsigned i = 0; i < SOURCE_COUNT; i++) {
		struct one *o = &s->one[i];
		if (s->is_asked && mono_ms - o->asked_ms < (o->got == STATUS_SOCK_BROKEN ?
		    LEFT_ALONE_MS : ASK_EVERY_MS))
			continue;
		ask(o, programs[i]);
		o->asked_ms = mono_ms;
	}
	s->is_asked = true;
}

const struct stats_view *sources_view(const struct sources *s, enum source which)
{
	return s->one[which].view;
}

const char *sources_why(const struct sources *s, enum source which)
{
	return s->one[which].why;
}

const char *sources_program(enum source which)
{
	return programs[which];
}

const char *sources_state(const struct sources *s, enum source which)
{
	const struct one *o = &s->one[which];

	return o->view != NULL ? "running" : o->got == STATUS_SOCK_NONE ? "not-running" : "unknown";
}

/* --- the quarantine's index ---------------------------------------------- */

/* One that is gone or broken is left out; esets_quar says what is wrong. */
static int put_one(struct quar_index *x, int dir, const char *id)
{
	struct scan_msg_store store;
	struct quar_meta m;
	char why[200];
	int rc;

	if (quar_dir_read_meta(dir, id, &m, &store, why, sizeof why) < 0)
		return 0;
	rc = buf_is_empty(&x->json) ? 0 : buf_append_str(&x->json, ",\n");
	if (rc == 0)
		rc = web_json_meta(&x->json, &m);
	scan_msg_store_fini(&store);
	return rc;
}

static void read_index(struct quar_index *x, int dir)
{
	struct quar_list l;
	unsigned listed = 0;
	int rc = quar_dir_list(dir, &l);

	x->is_there = rc == 0;
	x->messages = 0;
	x->octets = l.octets;
	buf_clear(&x->json);
	for (size_t i = 0; i < l.n; i++)
		x->messages += quar_entry_is_whole(&l.e[i]);
	for (size_t i = l.n; rc == 0 && i > 0 && listed < LISTED_MAX; i--) {
		if (!quar_entry_is_whole(&l.e[i - 1]))
			continue;
		rc = put_one(x, dir, l.e[i - 1].id);
		listed++;
	}
	if (rc < 0)
		buf_clear(&x->json); /* half an object is none */
	quar_list_fini(&l);
}

const struct quar_index *sources_quarantine(struct sources *s, long long mono_ms)
{
	struct stat st;

	if (s->quarantine_fd < 0 || fstat(s->quarantine_fd, &st) < 0)
		return &s->index;
	if (s->is_indexed && (mono_ms - s->indexed_ms < INDEX_EVERY_MS ||
	    (st.st_mtim.tv_sec == s->changed.tv_sec && st.st_mtim.tv_nsec == s->changed.tv_nsec)))
		return &s->index;
	s->changed = st.st_mtim;
	s->indexed_ms = mono_ms;
	s->is_indexed = true;
	read_index(&s->index, s->quarantine_fd);
	return &s->index;
}
