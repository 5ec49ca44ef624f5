/* quar_dir.h - the files of the quarantine: ID.eml, the message as received,
 * and ID.meta, what is known of it. Both or neither: a message counts once its
 * metadata has that name, and no longer when it has not.
 *
 * For esets_daemon and esets_quar. What lies there may have been put there by
 * somebody else: only regular files are opened, no symbolic link is followed,
 * and only ids (quar_id_is_valid) become part of a name. */
#ifndef ESETS_QUAR_DIR_H
#define ESETS_QUAR_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quar_meta.h"

enum quar_file { QUAR_FILE_MESSAGE, QUAR_FILE_META, QUAR_FILE_MESSAGE_TMP, QUAR_FILE_META_TMP,
	QUAR_FILE_COUNT };

#define QUAR_NAME_SIZE 40

struct quar_entry {
	char id[QUAR_ID_SIZE];
	unsigned files;       /* bits 1u << QUAR_FILE_* that are there */
	uint64_t octets;      /* of all its files */
};

static inline bool quar_entry_is_whole(const struct quar_entry *e)
{
	return (e->files & 3u) == 3u;
}

struct quar_list {
	struct quar_entry *e; /* sorted by id, that is, oldest first */
	size_t n, cap;
	uint64_t octets;
};

/* The directory's descriptor; -1 with errno. */
int quar_dir_open(const char *path);
/* The name of a file; false: no valid id. */
bool quar_dir_name(char out[QUAR_NAME_SIZE], const char *id, enum quar_file which);
/* Everything that belongs to some id, whole or not; other files are passed
 * over. 0, -1 with errno. To be freed with quar_list_fini in both cases. */
int quar_dir_list(int dir, struct quar_list *out);
void quar_list_fini(struct quar_list *l);
/* Adds an entry at the end. 0, -1 no memory. */
int quar_list_add(struct quar_list *l, const struct quar_entry *e);
/* A file for reading, and its size. -1 with errno: EINVAL no valid id, or no
 * regular file; ELOOP a symbolic link. */
int quar_dir_open_file(int dir, const char *id, enum quar_file which, uint64_t *size_out);
/* 0 and the store to be freed with scan_msg_store_fini; -1 with a text. What
 * it says of id and size agrees with the files then. */
int quar_dir_read_meta(int dir, const char *id, struct quar_meta *m,
	struct scan_msg_store *store, char *why, size_t why_size);
/* All of it; 0, -1 with errno. */
int quar_dir_write(int fd, const void *p, size_t n);
/* Makes the file new, 0600, whole on the disk, but under its name for the
 * time being. 0, -1 with errno (nothing is left). */
int quar_dir_write_meta(int dir, const struct quar_meta *m);
/* Gives the temporary file its name, for good. 0, -1 with errno. */
int quar_dir_commit(int dir, const char *id, enum quar_file tmp);
/* Puts this in place of the metadata that is there, with the same owner. 0, -1
 * with errno: the old one stays. Who does not know all of what others have noted
 * meanwhile wants quar_dir_note. */
int quar_dir_rewrite_meta(int dir, const struct quar_meta *m);
/* Notes that the message was released, or has come again, at now_s, in what the
 * metadata says at that moment: one process at a time, whoever else notes what.
 * 0 and by how many octets the file has grown (may be NULL); -1 with errno, EAGAIN
 * where others were at it for some seconds (released) or 0.2 s (come again): nothing
 * is noted. */
enum quar_note { QUAR_NOTE_RELEASED, QUAR_NOTE_SEEN };
int quar_dir_note(int dir, const char *id, enum quar_note what, uint64_t now_s,
	long long *grown_out);
/* Claims a message for the time of its release, until the descriptor that comes back
 * is closed. -1 with errno: EWOULDBLOCK another process has it, else as
 * quar_dir_open_file. */
int quar_dir_claim(int dir, const char *id);
/* Metadata first. 0; -1 with errno, ENOENT when nothing of it was there. */
int quar_dir_remove(int dir, const char *id);

#endif
