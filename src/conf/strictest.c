/* strictest.c - the settings of several recipients laid together, see
 * strictest.h.
 *
 * A switch is on where one of them has it on, a limit is the largest, since a
 * message within it is looked into. Lists of what is passed over keep what
 * stands in all of them, the list of what counts as infected what stands in
 * any. What is about the form of a marked message is the first one's. */
#include "strictest.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "policy.h"
#include "str.h"

#define ITEM_MAX 4097

static bool has_item(const char *list, const char *name)
{
	char item[ITEM_MAX];
	int r;

	while ((r = str_list_next(&list, ':', item, sizeof item)) != 0)
		if (r > 0 && str_ieq(item, name))
			return true;
	return false;
}

/* Appends the items of from that are in other, or that are not. */
static int add_items(struct buf *out, const char *from, const char *other, bool if_there)
{
	char item[ITEM_MAX];
	int r;

	while ((r = str_list_next(&from, ':', item, sizeof item)) != 0) {
		if (r < 0 || has_item(other, item) != if_there)
			continue;
		if ((!buf_is_empty(out) && buf_append(out, ":", 1) < 0) || buf_append_str(out, item) < 0)
			return -1;
	}
	return 0;
}

/* The list at *text, whose memory may be *own, becomes what both have, or what
 * one of them has. */
static int join(const char **text, char **own, const char *more, bool all)
{
	struct buf out = BUF_INIT(STRICTEST_LIST_MAX);

	if (strcmp(*text, more) == 0)
		return 0;
	if ((all && add_items(&out, *text, "", false) < 0) ||
	    add_items(&out, more, *text, !all) < 0 || buf_append(&out, "", 1) < 0) {
		buf_fini(&out);
		return -1;
	}
	free(*own);
	*text = *own = (char *)out.data; /* nothing was consumed of it */
	return 0;
}

static uint64_t largest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static enum scan_clean_mode clean_mode(enum scan_clean_mode a, enum scan_clean_mode b)
{
	/* Whoever has nothing taken out refuses what the others would get. */
	if (a == SCAN_CLEAN_NONE || b == SCAN_CLEAN_NONE)
		return SCAN_CLEAN_NONE;
	return a > b ? a : b;
}

static void join_opts(struct scan_opts *o, const struct scan_opts *m)
{
	o->clean_mode = clean_mode(o->clean_mode, m->clean_mode);
	o->obj_files |= m->obj_files;
	o->obj_archives |= m->obj_archives;
	o->obj_emails |= m->obj_emails;
	o->obj_mailbox |= m->obj_mailbox;
	o->obj_sfx |= m->obj_sfx;
	o->obj_rtp |= m->obj_rtp;
	o->app_adware |= m->app_adware;
	o->app_unwanted |= m->app_unwanted;
	o->app_unsafe |= m->app_unsafe;
	o->heur |= m->heur;
	o->adv_heur |= m->adv_heur;
	o->archive_max_level = (uint32_t)largest(o->archive_max_level, m->archive_max_level);
	o->archive_max_size = largest(o->archive_max_size, m->archive_max_size);
	o->archive_max_files = (uint32_t)largest(o->archive_max_files, m->archive_max_files);
	o->archive_max_ratio = (uint32_t)largest(o->archive_max_ratio, m->archive_max_ratio);
	o->max_size = o->max_size == 0 || m->max_size == 0 ? 0 : largest(o->max_size, m->max_size);
	o->timeout_s = (uint32_t)largest(o->timeout_s, m->timeout_s);
	o->quarantine |= m->quarantine;
	if (o->as_spam_score_milli == 0 ||
	    (m->as_spam_score_milli != 0 && m->as_spam_score_milli < o->as_spam_score_milli))
		o->as_spam_score_milli = m->as_spam_score_milli;
}

void strictest_init(struct strictest *st, const struct conf_scan *first)
{
	*st = (struct strictest){ .scan = *first, .seen = { first }, .nseen = 1 };
}

bool strictest_fits(const struct conf_scan *all, const struct conf_scan *more)
{
	const char *list = more->opts.block_ext;
	size_t octets = strlen(all->opts.block_ext) + 1;
	char item[ITEM_MAX];
	int r;

	while ((r = str_list_next(&list, ':', item, sizeof item)) != 0)
		if (r > 0 && !has_item(all->opts.block_ext, item))
			octets += strlen(item) + 1;
	return octets <= STRICTEST_LIST_MAX;
}

int strictest_add(struct strictest *st, const struct conf_scan *more)
{
	struct scan_opts *o = &st->scan.opts;

	for (unsigned i = 0; i < STRICTEST_SEEN; i++)
		if (st->seen[i] == more)
			return 0;
	st->seen[st->nseen++ % STRICTEST_SEEN] = more;
	st->scan.actions = policy_strictest(&st->scan.actions, &more->actions);
	join_opts(o, &more->opts);
	st->scan.av_header |= more->av_header;
	st->scan.as_header |= more->as_header;
	if (join(&o->ext_exclude, &st->lists[0], more->opts.ext_exclude, false) < 0 ||
	    join(&o->block_ext, &st->lists[1], more->opts.block_ext, true) < 0 ||
	    join(&o->allow_hash, &st->lists[2], more->opts.allow_hash, false) < 0 ||
	    join(&o->allow_name, &st->lists[3], more->opts.allow_name, false) < 0)
		return -1;
	return 0;
}

void strictest_fini(struct strictest *st)
{
	for (size_t i = 0; i < STRICTEST_LISTS; i++)
		free(st->lists[i]);
	*st = (struct strictest){ .nseen = 0 };
}
