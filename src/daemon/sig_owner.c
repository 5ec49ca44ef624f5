/* sig_owner.c - see sig_owner.h. A group that is root's or our own is as good as its
 * owner. */
#include "sig_owner.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "str.h"

static bool is_others(const char *path, const struct stat *st, char *why, size_t size)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		snprintf(why, size, "%s belongs to user %lu, who can change it", path,
			(unsigned long)st->st_uid);
	else if ((st->st_mode & S_IWOTH) != 0)
		snprintf(why, size, "%s: everybody can write to it", path);
	else if ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0 && st->st_gid != getegid())
		snprintf(why, size, "%s: group %lu can write to it", path,
			(unsigned long)st->st_gid);
	else
		return false;
	return true;
}

bool sig_owner_others_file(const char *path, const struct stat *st, char *why, size_t size)
{
	return is_others(path, st, why, size);
}

/* Of the directories above counts who can rename what lies in them; in a sticky one
 * that is the owner of each. */
static bool is_below_others(const char *path, char *why, size_t size)
{
	char above[PATH_MAX];
	struct stat st;

	for (size_t i = 0; path[i] != '\0'; i++) {
		if (path[i] != '/' || !str_copy_n(above, sizeof above, path, i > 0 ? i : 1) ||
		    stat(above, &st) < 0)
			continue;
		if ((st.st_mode & S_ISVTX) != 0)
			st.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
		if (is_others(above, &st, why, size))
			return true;
	}
	return false;
}

bool sig_owner_others_dir(const char *path, char *why, size_t size)
{
	char real[PATH_MAX];   /* behind links, whose places count as well */
	struct stat st;

	return (stat(path, &st) == 0 && is_others(path, &st, why, size)) ||
		is_below_others(path, why, size) ||
		(realpath(path, real) != NULL && is_below_others(real, why, size));
}
