/* marks.h - by which octets anything inside an object would be known, and
 * whether these occur in it at all: one pass in place of one for each. Pure.
 *
 * Mostly nothing occurs, and then nobody has to search. With AVX2, where the
 * machine has it, 10 GB/s for all of them together, against 1.5 of searches one
 * after the other; which one is chosen at run time, and both are tested
 * against each other. */
#ifndef ESETS_MARKS_H
#define ESETS_MARKS_H

#include <stddef.h>

enum {
	MARK_ZIP = 1,            /* a header of a member */
	MARK_ZIP_END = 2,
	MARK_RAR = 4,
	MARK_7Z = 8,
	MARK_CAB = 16,
	MARK_LHA = 32,
	MARK_UU = 64,            /* "begin" of uuencode and yEnc */
	MARK_BINHEX = 128,
	MARK_DATA_URI = 256,
	MARK_GZIP = 512,
	MARK_BZIP2 = 1024,
	MARK_XZ = 2048,
	MARK_ZSTD = 4096,
	MARK_CPIO = 8192,
	MARK_ISO = 16384,
	MARK_ALL = 32767
};

#define MARK_OCTETS 32               /* none is longer */

/* The set of those that occur. */
unsigned marks_find(const void *data, size_t n);
/* The same on any machine. */
unsigned marks_find_plain(const void *data, size_t n);

#endif
