/* magic.h - which archives may these octets be? By content, never by name.
 * Pure.
 *
 * A file may be several things at once, so every row that fits is told. */
#ifndef ESETS_MAGIC_H
#define ESETS_MAGIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum magic_format {
	MAGIC_UNKNOWN,          /* an archive that nobody here can read */
	MAGIC_ZIP, MAGIC_7Z, MAGIC_RAR, MAGIC_RAR5, MAGIC_CAB, MAGIC_TAR, MAGIC_CPIO,
	MAGIC_AR, MAGIC_ISO, MAGIC_LHA,
	/* one file each, compressed */
	MAGIC_GZIP, MAGIC_BZIP2, MAGIC_XZ, MAGIC_LZMA, MAGIC_ZSTD, MAGIC_LZ4, MAGIC_LZIP,
	MAGIC_COMPRESS
};

struct magic {
	enum magic_format format;
	const char *name;       /* "zip" */
	bool is_weak;           /* so few octets that they may be there by chance */
};

#define MAGIC_MAX 8u

/* What begins at the first octet. Returns how many rows of out are filled. */
unsigned magic_at_start(const void *data, size_t len, struct magic out[MAGIC_MAX]);
/* Does that one begin at the first octet? */
bool magic_is(enum magic_format f, const void *data, size_t len);
/* Where the next rar, rar5, 7z, cab, lha, gzip, bzip2, xz, zstd, cpio (of digits) or
 * ISO begins at or behind *from (zip has its own, zip_dir.h); *from moves behind it.
 * *left: octets that may be gone through to see what is none, and how many of them
 * remain; 0 behind false: there may be more. */
bool magic_inside(enum magic_format f, const void *data, size_t len, size_t *from,
	size_t *at_out, uint64_t *left);
static inline bool magic_is_stream(enum magic_format f)
{
	return f >= MAGIC_GZIP && f <= MAGIC_COMPRESS;
}

/* Does a header of tar begin here? */
bool magic_is_tar(const void *data, size_t len);
/* Do all readers take the extended headers here, in front of a member of a tar,
 * for the same? Some pass over what one says for all members behind it, or over
 * one of two, or over all they say: a size, holes. */
bool magic_tar_head_is_plain(const void *data, size_t len);
/* Where the next tar begins at or behind *from, in the first 64 KiB; *from moves
 * behind its first octet. Some readers pass over blocks that are no header. *left: as
 * of magic_inside. */
bool magic_tar_behind(const void *data, size_t len, size_t *from, size_t *at_out,
	uint64_t *left);
/* Does a 7z begin here, no accident: with the right sum of its first header? */
bool magic_is_7z(const void *data, size_t len);
/* Does a cab begin here, no accident: with a place for its files? */
bool magic_is_cab(const void *data, size_t len);
/* Does an xz begin here, no accident: with the right sum of its flags? */
bool magic_is_xz(const void *data, size_t len);
/* Has the header of the 7z that begins here no more octets, unpacked, than
 * some thousand files need? False also where that is not to be told of one
 * that is packed. A bit of it makes a reader take a hundred octets. */
bool magic_7z_is_bounded(const void *data, size_t len);
/* Where a compressed file ends: readers pass over what stands behind it, and
 * some decompressors give nothing at all because of it. len where that is not
 * to be told, or doesn't matter. */
size_t magic_stream_end(enum magic_format f, const void *data, size_t len);
/* Does a compressed file of any kind begin here, or may it to some readers, which go on
 * with it behind one of another kind? */
bool magic_goes_on(const void *data, size_t len);
/* Do the name and the comment of the gzip that begins here end within 64 KiB each?
 * Readers that look for one behind other octets go no further. */
bool magic_gzip_is_bounded(const void *data, size_t len);
/* The name that a gzip file has for what is in it (RFC 1952 FNAME), "" none. */
void magic_gzip_name(const void *data, size_t len, char *out, size_t size);

#endif
