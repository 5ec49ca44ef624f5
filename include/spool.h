/* spool.h - the body of one message: heap, then sealed memfd, then unlinked file.
 *
 * Its user writes, finishes, and reads; where the octets are changes without
 * its knowing. Small messages stay in a heap block and are copied to a memfd
 * only if a scanner is to see them; up to message_memory octets live in a
 * memfd; what is larger, or does not fit the memory that all spools of this
 * process share, goes to an unlinked file in dir. Any thread, one at a time
 * per spool. Why the octets are kept is not known here. */
#ifndef ESETS_SPOOL_H
#define ESETS_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spool_cfg {
	const char *dir;           /* for files */
	uint64_t heap_max;         /* octets of one message in a heap block; 0: 64 KiB */
	uint64_t message_memory;   /* octets of one message held in memory */
	uint64_t memory_max;       /* octets of all messages of this process */
	uint64_t min_free;         /* octets of disk that stay free */
};

struct spool;

/* NULL: out of memory. cfg must outlive the spool. expected: how many octets it
 * will be, by what the client says, 0 unknown; with more than message_memory the
 * first ones need not go to memory and be moved. */
struct spool *spool_open(const struct spool_cfg *cfg, uint64_t expected);
void spool_close(struct spool **s);
/* Appends. 0, -1 with errno: no memory, no descriptor, disk full or below
 * min_free. After -1 the spool can only be closed. */
int spool_write(struct spool *s, const void *p, size_t n);
uint64_t spool_size(const struct spool *s);
/* No more writing; a descriptor that holds exactly the message and cannot be
 * written through (a sealed memfd, or a read-only open of the file). Owned by
 * the spool. -1 with errno. */
int spool_fd(struct spool *s);
/* n octets from offset, fewer only at the end; how many, -1 with errno. */
ssize_t spool_read(const struct spool *s, uint64_t offset, void *p, size_t n);
/* The octets themselves while they are in the heap block, else NULL. */
const void *spool_view(const struct spool *s);
/* The descriptor it lies in, for reading at an offset (sendfile); -1 in a heap
 * block. Owned by the spool. */
int spool_raw_fd(const struct spool *s);
/* A new unlinked file in dir, as spools use it. -1 with errno. */
int spool_open_file(const char *dir);
/* Octets held in memory by all spools of this process. */
uint64_t spool_memory_used(void);

#endif
