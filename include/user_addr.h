/* user_addr.h - e-mail addresses in the one form that user sections compare.
 *
 * Two spellings of one address must give one text: letters of ASCII are lower
 * case (in the local part too), quoting is taken off the local part, source
 * route and a trailing dot are taken off, and a domain of other letters is in
 * its A-label form where libidn2 is built in (else its octets are compared).
 * Pure: no descriptor, no clock, no log. */
#ifndef ESETS_USER_ADDR_H
#define ESETS_USER_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#define USER_ADDR_MAX 4608    /* a command line, and room for an A-label */
#define USER_DOMAIN_MAX 255   /* octets of a domain, RFC 1035 2.3.4 */

struct user_addr {
	size_t len;           /* of text */
	size_t domain;        /* offset of the domain, len if there is none */
	bool is_none;         /* no address: the null sender */
	char text[USER_ADDR_MAX];  /* local@domain, or what there is of it */
};

/* An address as SMTP has it between < and >, any octets, lenient: what cannot
 * be one is a text like any other. Longer than a command line: cut, and that
 * text compares equal to none that user_addr_read_part gives. */
void user_addr_read(const char *p, size_t n, struct user_addr *out);
/* One part of a section's name: an address, or a domain alone (domain is 0
 * then). 0; -1 with what is wrong in *why_out. */
int user_addr_read_part(const char *p, size_t n, struct user_addr *out, const char **why_out);
/* The next shorter domain behind offset at: that of its parent; len at the
 * end. What begins with [ is an address literal and has no parent. */
size_t user_addr_parent(const struct user_addr *a, size_t at);
/* Does a build without libidn2 take one domain for two? For a warning. */
bool user_addr_needs_idn(const struct user_addr *a);

#endif
