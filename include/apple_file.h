/* apple_file.h - files of a Mac with more than their octets: AppleSingle,
 * AppleDouble and MacBinary. Pure.
 * Sources: RFC 1740, the MacBinary II standard. */
#ifndef ESETS_APPLE_FILE_H
#define ESETS_APPLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct apple_fork {
	const char *p;     /* within the file; what reaches beyond it is cut off */
	size_t n;
	bool is_name;      /* the name of the file, in a charset of a Mac */
};

/* Fork number *i of the file, counted from 0; *i moves on. False: there is no
 * more, or it is no such file. */
bool apple_file_next(const void *data, size_t len, unsigned *i, struct apple_fork *out);

#endif
