/* addr_plain.c - addresses that are read in one way only, see addr_plain.h.
 *
 * Sources: RFC 5321 4.1.2; what Postfix takes beyond it (strict_rfc821_envelopes
 * no, swap_bangpath, resolve_dequoted_address), postconf(5). */
#include "addr_plain.h"

#include <string.h>

#include "str.h"

static bool is_letter(char c)
{
	return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') ||
		(str_lower(c) >= 'a' && str_lower(c) <= 'z');
}

/* Postfix turns a!b into b@a. */
static bool is_atom(char c)
{
	return is_letter(c) || (c != '\0' && strchr(".#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Length of the quoted string at p with its quotes; 0 there is none that holds
 * only what is no second address to a server that looks inside (Postfix's
 * resolve_dequoted_address). */
static size_t quoted_len(const char *p, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (p[i] == '"')
			return i + 1;
		if (p[i] == '\\')
			i++;
		if (i == n || (unsigned char)p[i] < 0x20 || p[i] == 0x7f || p[i] == '@' || p[i] == '!')
			return 0;
	}
	return 0;
}

/* Length of a local part of atoms and quoted strings between dots; 0 none. */
static size_t local_len(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '@') {
		size_t k = p[i] == '"' && (i == 0 || p[i - 1] == '.') ? quoted_len(p + i, n - i) : 0;
		if (k > 0 && i + k < n && p[i + k] != '.' && p[i + k] != '@')
			return 0;
		if (k == 0 && !is_atom(p[i]))
			return 0;
		i += k > 0 ? k : 1;
	}
	return i;
}

static bool is_plain_domain(const char *p, size_t n)
{
	const bool literal = n > 2 && p[0] == '[' && p[n - 1] == ']';
	char before = '.';

	if (literal) {
		p++;
		n -= 2;
	}
	for (size_t i = 0; i < n; before = p[i++]) {
		if (!is_letter(p[i]) && p[i] != '-' && p[i] != '_' && !(literal && p[i] == ':') &&
		    !(p[i] == '.' && before != '.'))
			return false;
	}
	return n > 0;
}

bool addr_is_plain(const char *p, size_t n)
{
	size_t at = local_len(p, n);

	if (str_ieq_n(p, n, "postmaster"))
		return true;
	return at > 0 && at < n && is_plain_domain(p + at + 1, n - at - 1);
}
