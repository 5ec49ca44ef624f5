/* user_match.h - which section of the user file holds for a message. Pure.
 *
 * esets_smtp(1), USER SPECIFIC CONFIGURATION, to the letter: a section's name
 * is [rcpt|sndr], [rcpt] or [|sndr]; a part that is not there, or an address
 * that is not known, matches; else the part must be the address, its domain or
 * a parent of that. Of all sections that match the first one added holds.
 *
 *     address ──► itself, its domain, the parents ──► ids of the parts that
 *     sections name ──► (id, id) pairs ──► the lowest section
 *
 * What is looked up is what the administrator wrote, so that a client's
 * address of many labels costs as many look-ups and no more. tests/bench/
 * bench_users (gcc -O2, one core of a small virtual machine), with all of the
 * user file's loading and settings:
 *     10 sections   loaded in 0.000 s   hold  0.02 MiB   a match takes 384 ns
 *   1000                      0.008 s         0.32 MiB                 483 ns
 * 100000                      0.587 s        16.1  MiB                 480 ns */
#ifndef ESETS_USER_MATCH_H
#define ESETS_USER_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#define USER_MATCH_NONE ((unsigned)-1)

struct user_match;

/* NULL: no memory. */
struct user_match *user_match_new(void);
void user_match_free(struct user_match **m);

/* Adds a section by its name without brackets; section is its number, higher
 * than all before and below USER_MATCH_NONE. *first_out: the first section that
 * stands for all of this one's addresses too, because of which it is never
 * chosen, or USER_MATCH_NONE; *is_same_out: in the same words. It costs as many
 * look-ups as its domains have labels. *is_octets_out: it holds a domain that is compared as
 * octets, for want of libidn2.
 * 0; -1 with what is wrong in *why_out (NULL: no memory). */
int user_match_add(struct user_match *m, const char *name, unsigned section, unsigned *first_out,
	bool *is_same_out, bool *is_octets_out, const char **why_out);
/* The section that holds for recipient and sender, as SMTP has them between
 * < and >; length 0: not known, or the null sender. USER_MATCH_NONE: none. */
unsigned user_match_find(const struct user_match *m, const char *rcpt, size_t rcpt_len,
	const char *sndr, size_t sndr_len);
/* Octets of memory it uses. */
size_t user_match_memory(const struct user_match *m);

#endif
