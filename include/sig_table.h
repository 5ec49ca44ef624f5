/* sig_table.h - digest signatures in memory: filled, sorted once, then only read, by
 * any number of threads and, behind a fork, of processes. Pure. */
#ifndef ESETS_SIG_TABLE_H
#define ESETS_SIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "sig_line.h"

struct sig_table;

struct sig_table *sig_table_new(void);             /* NULL: no memory */
void sig_table_free(struct sig_table *d);          /* or NULL */
/* Copies it. 0; -1 no memory, or 4 GiB of names. */
int sig_table_add(struct sig_table *d, const struct sig *sig);
/* Once, behind the last: before it nothing is found. 0; -1 no memory. */
int sig_table_finish(struct sig_table *d);
size_t sig_table_count(const struct sig_table *d);
/* Can a signature fit an object of size octets: is its digest of use? sized_only: those
 * that fit every size do not count. */
bool sig_table_may_have(const struct sig_table *d, enum sig_kind k, uint32_t size,
	bool sized_only);
/* The name of a signature that fits, or NULL; it lives as long as the table. */
const char *sig_table_find(const struct sig_table *d, enum sig_kind k,
	const unsigned char *digest, uint32_t size, bool sized_only);

#endif
