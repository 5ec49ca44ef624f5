/* zip_dir.h - do all readers of a zip file see the same in it? Pure.
 *
 * A zip file says twice what it holds: in a header before each member, and in
 * the directory at its end. A reader that streams believes the first, most
 * others the second, and some search. Where both say the same and nothing
 * stands between, before or behind, one way of reading shows all; else a
 * scanner has to go each of them. */
#ifndef ESETS_ZIP_DIR_H
#define ESETS_ZIP_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* One directory at the end, its members one behind the other, headers alike.
 * ZIP64 and what else is rare counts as not plain. *end_out: where the record
 * at the end ends, without its comment. */
bool zip_dir_is_plain(const void *data, size_t len, size_t *end_out);
/* The next record that may end the file for some reader, from the end on:
 * *from starts as len; *end_out is where the record ends (without comment).
 * Only the last 64 KiB are looked at, as readers do. has_dir_out: a directory
 * stands in front of it. */
bool zip_dir_prev_end(const void *data, size_t len, size_t *from, size_t *end_out,
	bool *has_dir_out);
/* Does each entry of the directory in front of the record that ends at end lead
 * to a header with the same method and sizes, and do plain and ZIP64 numbers
 * lead to the same directory? *n_out: entries. */
bool zip_dir_agrees(const void *data, size_t end, size_t *n_out);
/* Does the record that ends at end tell of a directory that isn't in front of
 * it? is_guess: it may be no record at all, so one has to be where it says. */
bool zip_dir_is_lost(const void *data, size_t len, size_t end, bool is_guess);
/* Is the member whose header is at that place stored, and its octets the target,
 * all of them? */
bool zip_dir_link_is(const void *data, size_t len, size_t at, const char *target);
/* The next header of a member at or behind *from that is no accident; *from
 * moves behind its first octets. */
bool zip_dir_next_local(const void *data, size_t len, size_t *from, size_t *at_out);
/* The next name, of any header or directory entry; it is not NUL-terminated. */
bool zip_dir_next_name(const void *data, size_t len, size_t *from, const char **name_out,
	size_t *n_out);
/* The same of names in UTF-8 that extra fields give (0x7075), for which some readers
 * look in one of the two tables only. What looks like one may be an accident. */
bool zip_dir_next_other_name(const void *data, size_t len, size_t *from, const char **name_out,
	size_t *n_out);

#endif
