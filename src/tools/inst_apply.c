/* inst_apply.c - changes, all or none, and what is kept to undo them, see
 * inst_int.h.
 *
 *     DIR/main.cf, DIR/master.cf          by postconf
 *     DIR/esets_inst/journal              what was changed (inst_undo.c)
 *     DIR/esets_inst/NAME.before, .after  these files and esets.cfg, whole
 *
 * The journal is on the disk before anything is changed, so that a run that is
 * cut off can be undone. master.cf comes first, and Postfix reads it, before
 * main.cf sends mail that way; the other way round on the way back. */
#include "inst_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"

#define STATE_DIR "esets_inst"
#define JOURNAL "journal"
#define CONFIG_NAME "esets.cfg"

enum { MAIN_CF, MASTER_CF, CONFIG, FILES };
static const char *const names[FILES] = { "main.cf", "master.cf", CONFIG_NAME };
static const enum inst_kind kinds[FILES] = { INST_MAIN, INST_MASTER, INST_CONF };

/* The files as they are when a run begins. */
struct files {
	char *text[FILES];      /* NULL: not to be touched */
	size_t len[FILES];
};

static int fail(char why[INST_WHY], const char *what)
{
	snprintf(why, INST_WHY, "%.400s: %s", what, strerror(errno));
	return -1;
}

/* --- the directory ------------------------------------------------------------------- */

static int check_state_dir(int fd, char why[INST_WHY])
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(why, STATE_DIR);
	if (st.st_uid == geteuid() && (st.st_mode & 022) == 0)
		return 0;
	snprintf(why, INST_WHY, STATE_DIR " beside main.cf can be written to by others");
	return -1;
}

static int read_journal(struct inst_state *st, char why[INST_WHY])
{
	const char *what;
	size_t len;
	char *text = inst_file_read(st->fd, JOURNAL, &len);

	if (text == NULL)
		return errno == ENOENT ? 0 : fail(why, STATE_DIR "/" JOURNAL);
	int rc = inst_journal_parse(&st->journal, text, len, &what);
	if (rc < 0)
		snprintf(why, INST_WHY, STATE_DIR "/" JOURNAL " cannot be read: %s", what);
	free(text);
	return rc;
}

int inst_state_open(struct inst_state *st, const struct inst_site *s, bool for_change,
	char why[INST_WHY])
{
	memset(st, 0, sizeof *st);
	if (for_change && mkdirat(s->fd, STATE_DIR, 0700) < 0 && errno != EEXIST)
		return st->fd = -1, fail(why, STATE_DIR);
	st->fd = openat(s->fd, STATE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (st->fd < 0) {
		if (!for_change && errno == ENOENT)
			return 0;
		if (!for_change && errno == EACCES) {
			snprintf(why, INST_WHY, STATE_DIR " beside main.cf is for root only");
			return -1;
		}
		return fail(why, STATE_DIR);
	}
	if (for_change && (check_state_dir(st->fd, why) < 0))
		return -1;
	if (for_change && flock(st->fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(why, INST_WHY, "another esets_inst is at work");
		return -1;
	}
	return read_journal(st, why);
}

void inst_state_close(struct inst_state *st, const struct inst_site *s)
{
	if (st->fd < 0)
		return;
	if (!st->journal.is_there)
		unlinkat(s->fd, STATE_DIR, AT_REMOVEDIR);
	close(st->fd);
	st->fd = -1;
}

/* When nothing is hooked in, nothing is left. */
static void state_remove(struct inst_state *st, const struct inst_site *s)
{
	char name[64];

	unlinkat(st->fd, JOURNAL, 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "%s.before", names[i]);
		unlinkat(st->fd, name, 0);
		snprintf(name, sizeof name, "%s.after", names[i]);
		unlinkat(st->fd, name, 0);
	}
	unlinkat(s->fd, STATE_DIR, AT_REMOVEDIR);
}

static int write_journal(const struct inst_state *st, const struct inst_journal *j,
	char why[INST_WHY])
{
	struct buf b = BUF_INIT(1u << 20);
	int rc = inst_journal_format(j, &b);

	if (rc == 0)
		rc = inst_file_write(st->fd, JOURNAL, buf_head(&b), buf_len(&b), 0600);
	else
		errno = ENOMEM;
	buf_fini(&b);
	return rc == 0 ? 0 : fail(why, STATE_DIR "/" JOURNAL);
}

/* --- whole files ------------------------------------------------------------------------ */

static void files_fini(struct files *f)
{
	for (int i = 0; i < FILES; i++)
		free(f->text[i]);
}

static char *read_now(const struct inst_site *s, const struct inst_config *config, int i,
	size_t *len)
{
	return i == CONFIG ? inst_file_read(AT_FDCWD, config->path, len) :
		inst_file_read(s->fd, names[i], len);
}

static int write_now(const struct inst_site *s, const struct inst_config *config, int i,
	const char *text, size_t len)
{
	return i == CONFIG ? inst_file_write(AT_FDCWD, config->path, text, len, 0640) :
		inst_file_write(s->fd, names[i], text, len, 0644);
}

static int files_read(struct files *f, const struct inst_site *s, const struct inst_plan *plan,
	const struct inst_config *config, char why[INST_WHY])
{
	memset(f, 0, sizeof *f);
	for (int i = 0; i < FILES; i++) {
		if (i == CONFIG && !inst_plan_has(plan, INST_CONF))
			continue;
		f->text[i] = read_now(s, config, i, &f->len[i]);
		if (f->text[i] == NULL)
			return fail(why, i == CONFIG ? config->path : names[i]);
	}
	return 0;
}

/* Has the file stayed as the last run left it? */
static bool is_untouched(const struct inst_state *st, int i, const char *text, size_t len)
{
	char name[64];

	snprintf(name, sizeof name, "%s.after", names[i]);
	return inst_file_is(st->fd, name, text, len);
}

/* A file as it was before the first run; when somebody else has written to it
 * since, that is no longer where the way back leads. */
static int save_before(const struct inst_state *st, const struct files *f, int i,
	char why[INST_WHY])
{
	char name[64];
	struct stat stat;

	snprintf(name, sizeof name, "%s.before", names[i]);
	bool has = fstatat(st->fd, name, &stat, 0) == 0;
	if (f->text[i] == NULL)
		return 0;
	if (has) {
		if (!is_untouched(st, i, f->text[i], f->len[i]))
			unlinkat(st->fd, name, 0);
		return 0;
	}
	/* Changed by an earlier run already: it must be undone line by line. */
	for (size_t k = 0; k < st->journal.nsteps; k++) {
		if (st->journal.steps[k].kind == kinds[i])
			return 0;
	}
	if (inst_file_write(st->fd, name, f->text[i], f->len[i], 0600) < 0)
		return fail(why, name);
	return 0;
}

static int save_after(const struct inst_state *st, const struct inst_site *s,
	const struct inst_config *config, const struct files *f, char why[INST_WHY])
{
	int rc = 0;

	for (int i = 0; i < FILES && rc == 0; i++) {
		char name[64];
		size_t len;
		if (f->text[i] == NULL)
			continue;
		snprintf(name, sizeof name, "%s.after", names[i]);
		char *text = read_now(s, config, i, &len);
		rc = text != NULL ? inst_file_write(st->fd, name, text, len, 0600) : -1;
		if (rc < 0)
			rc = fail(why, name);
		free(text);
	}
	return rc;
}

/* Everything as the run found it. */
static void roll_back(const struct inst_site *s, const struct inst_config *config,
	const struct files *f, bool is_running, char why[INST_WHY])
{
	char text[INST_WHY] = "", more[INST_WHY];

	for (int i = 0; i < FILES; i++) {
		size_t len;
		char *now = f->text[i] != NULL ? read_now(s, config, i, &len) : NULL;
		bool is_same = now != NULL && len == f->len[i] && memcmp(now, f->text[i], len) == 0;
		free(now);
		if (f->text[i] != NULL && !is_same &&
		    write_now(s, config, i, f->text[i], f->len[i]) < 0)
			snprintf(text, sizeof text, " AND %s COULD NOT BE PUT BACK: %s", names[i],
				strerror(errno));
	}
	inst_site_take_up(s, is_running, more);
	snprintf(more, sizeof more, "%.300s%s%.200s", why,
		text[0] != '\0' ? ";" : "; everything was put back", text);
	snprintf(why, INST_WHY, "%s", more);
}

/* --- esets.cfg --------------------------------------------------------------------------- */

/* The text with all steps done, to be freed. */
static char *edited(const char *text, const struct inst_plan *plan, size_t *len_out)
{
	char *now = strdup(text);

	for (size_t i = 0; i < plan->nsteps && now != NULL; i++) {
		const struct inst_step *s = &plan->steps[i];
		struct buf b = BUF_INIT(16u << 20);
		if (s->kind != INST_CONF)
			continue;
		int rc = inst_conf_edit(now, s->name, s->has ? s->becomes : NULL, &b);
		free(now);
		now = rc < 0 ? NULL : inst_text_of(&b);
		buf_fini(&b);
	}
	*len_out = now != NULL ? strlen(now) : 0;
	return now;
}

/* Tried beside the old one first, since names in it may be relative. */
static int put_config(const struct inst_config *c, const char *text, size_t len,
	char why[INST_WHY])
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof path, "%s.esets_inst", c->path);
	if (inst_file_write(AT_FDCWD, path, text, len, 0600) < 0)
		return fail(why, path);
	int rc = c->check(path, why);
	unlink(path);
	if (rc == 0 && inst_file_write(AT_FDCWD, c->path, text, len, 0640) < 0)
		rc = fail(why, c->path);
	return rc;
}

static int change_config(const struct inst_config *c, const struct inst_plan *plan,
	char why[INST_WHY])
{
	size_t len;

	if (!inst_plan_has(plan, INST_CONF))
		return 0;
	char *text = edited(c->text, plan, &len);
	if (text == NULL) {
		snprintf(why, INST_WHY, "out of memory");
		return -1;
	}
	int rc = put_config(c, text, len, why);
	free(text);
	return rc;
}

/* --- there --------------------------------------------------------------------------------- */

static int change_postfix(const struct inst_site *s, const struct inst_plan *plan,
	bool is_running, char why[INST_WHY])
{
	static const enum inst_kind order[] = { INST_MASTER, INST_MAIN };

	for (size_t i = 0; i < 2; i++) {
		if (!inst_plan_has(plan, order[i]))
			continue;
		if (inst_site_change(s, plan, order[i], why) < 0 ||
		    inst_site_take_up(s, is_running, why) < 0)
			return -1;
	}
	return 0;
}

/* postconf has no word for a parameter that stands there twice, for example. */
static int see_it_holds(const struct inst_site *s, const struct inst_plan *plan,
	char why[INST_WHY])
{
	struct inst_postfix *p = malloc(sizeof *p);
	int rc = -1;

	if (p == NULL)
		snprintf(why, INST_WHY, "out of memory");
	else if (inst_site_read(s, p, why) == 0) {
		rc = inst_plan_holds(plan, p) ? 0 : -1;
		if (rc < 0)
			snprintf(why, INST_WHY, "postconf did not make all changes");
	}
	free(p);
	return rc;
}

static int apply(struct inst_state *st, const struct inst_site *s, const struct inst_plan *plan,
	const struct inst_config *config, const struct inst_journal *new, const struct files *f,
	char why[INST_WHY])
{
	for (int i = 0; i < FILES; i++) {
		if (save_before(st, f, i, why) < 0)
			return -1;
	}
	if (write_journal(st, new, why) < 0)
		return -1;
	bool is_running = inst_site_is_running(s);
	if (change_config(config, plan, why) == 0 && change_postfix(s, plan, is_running, why) == 0 &&
	    see_it_holds(s, plan, why) == 0 && save_after(st, s, config, f, why) == 0)
		return 0;
	roll_back(s, config, f, is_running, why);
	return -1;
}

int inst_apply(struct inst_state *st, const struct inst_site *s, const struct inst_plan *plan,
	enum inst_mode mode, struct inst_config *config, char why[INST_WHY])
{
	struct inst_journal *new = malloc(sizeof *new);
	struct files f = { .text = { NULL } };
	char text[INST_WHY];
	int rc = -1;

	snprintf(why, INST_WHY, "out of memory");
	if (new != NULL) {
		*new = st->journal;
		new->mode = mode;
		snprintf(new->config, sizeof new->config, "%.2000s", config->path);
		snprintf(why, INST_WHY, "too many changes");
		if (inst_journal_add(new, plan) == 0 && files_read(&f, s, plan, config, why) == 0)
			rc = apply(st, s, plan, config, new, &f, why);
	}
	if (rc < 0 && st->journal.is_there)
		write_journal(st, &st->journal, text);
	else if (rc < 0)
		state_remove(st, s);
	else
		st->journal = *new;
	free(new);
	files_fini(&f);
	return rc;
}

/* --- and back -------------------------------------------------------------------------------- */

/* The whole file as it was, where nobody else has written to it. 1 done, 0 not
 * possible, -1 failed. */
static int put_back(const struct inst_state *st, const struct inst_site *s,
	const struct inst_config *config, const struct files *f, int i, char why[INST_WHY])
{
	char name[64];
	size_t len;

	snprintf(name, sizeof name, "%s.before", names[i]);
	if (!is_untouched(st, i, f->text[i], f->len[i]))
		return 0;
	char *text = inst_file_read(st->fd, name, &len);
	if (text == NULL)
		return 0;
	int rc = i == CONFIG ? put_config(config, text, len, why) :
		write_now(s, config, i, text, len) < 0 ? fail(why, names[i]) : 0;
	free(text);
	return rc < 0 ? -1 : 1;
}

static int undo(const struct inst_state *st, const struct inst_site *s,
	const struct inst_plan *plan, const struct inst_config *config, const struct files *f,
	bool is_running, char why[INST_WHY])
{
	for (int i = 0; i < FILES; i++) {
		if (f->text[i] == NULL || !inst_plan_has(plan, kinds[i]))
			continue;
		int rc = put_back(st, s, config, f, i, why);
		if (rc == 0)
			rc = i == CONFIG ? change_config(config, plan, why) :
				inst_site_change(s, plan, kinds[i], why);
		if (rc < 0 || (i != CONFIG && inst_site_take_up(s, is_running, why) < 0))
			return -1;
	}
	return 0;
}

int inst_undo(struct inst_state *st, const struct inst_site *s, const struct inst_plan *plan,
	struct inst_config *config, char why[INST_WHY])
{
	struct files f;
	int rc = files_read(&f, s, plan, config, why);

	if (rc == 0) {
		bool is_running = inst_site_is_running(s);
		rc = undo(st, s, plan, config, &f, is_running, why);
		if (rc < 0)
			roll_back(s, config, &f, is_running, why);
		else
			state_remove(st, s);
	}
	files_fini(&f);
	return rc;
}
