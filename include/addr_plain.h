/* addr_plain.h - is an address of an envelope one that all servers read alike?
 * Pure. */
#ifndef ESETS_ADDR_PLAIN_H
#define ESETS_ADDR_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

/* Is it local@domain and nothing else: no comment, blank, bracket, list or bang
 * path, neither @ nor ! in a quoted local part, one domain or address literal;
 * or postmaster alone? Octets above 0x7f are letters. */
bool addr_is_plain(const char *p, size_t n);

#endif
