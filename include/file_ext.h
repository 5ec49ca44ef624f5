/* file_ext.h - file name extensions, as av_block_ext and av_scan_ext_exclude
 * list them. Pure.
 *
 * A name comes from a stranger, and what a system makes of it in the end may
 * differ from how it looks: dots and blanks at the end fall away, ":$DATA"
 * names the file before it, invisible and bidi characters hide where the name
 * ends, fullwidth letters are letters, in any charset (name_form.h). To block, every form counts; to leave a
 * file unscanned, nothing may be odd about its name. */
#ifndef ESETS_FILE_EXT_H
#define ESETS_FILE_EXT_H

#include <stdbool.h>
#include <stddef.h>

#define FILE_EXT_MAX 64

enum file_ext {
	FILE_EXT_OTHER,
	FILE_EXT_UNKNOWN,   /* more colons than any honest name has: not all was looked at */
	FILE_EXT_BLOCKED
};

/* Does any form of the name end in "." and an item of the list (separated by
 * colons; case doesn't count; an item may hold dots, as in tar.gz)? The item,
 * in lower case, goes to ext. */
enum file_ext file_ext_check(const char *list, const char *name, char ext[FILE_EXT_MAX]);
/* Does the name as it stands, and every form of it, end in one? */
bool file_ext_is_excluded(const char *list, const char *name);

#endif
