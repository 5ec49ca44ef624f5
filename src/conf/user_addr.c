/* user_addr.c - e-mail addresses in the form that is compared, see user_addr.h.
 *
 * Sources: RFC 5321 4.1.2 (path, quoted string, source route), RFC 5890 (A-label),
 * UTS 46 non-transitional as libidn2 does it. */
#include "user_addr.h"

#include <string.h>

#include "config.h"
#include "str.h"
#ifdef HAVE_LIBIDN2
#include <idn2.h>
#endif

#define PART_MAX 1024   /* octets of one part of a section's name */

static void put(struct user_addr *a, char c)
{
	if (a->len + 1 < sizeof a->text)
		a->text[a->len++] = str_lower(c);
}

static bool is_ascii(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] >= 0x80)
			return false;
	return true;
}

/* The A-label form in place of the octets at a->domain; left as it is where
 * libidn2 finds no sense in it. */
static void to_ascii(struct user_addr *a)
{
#ifdef HAVE_LIBIDN2
	char *ascii = NULL;

	a->text[a->len] = '\0';
	if (idn2_to_ascii_8z(a->text + a->domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
	    IDN2_OK)
		return;
	a->len = a->domain;
	for (const char *p = ascii; *p != '\0'; p++)
		put(a, *p);
	idn2_free(ascii);
#else
	(void)a;
#endif
}

static void put_domain(struct user_addr *a, const char *p, size_t n)
{
	a->domain = a->len;
	for (size_t i = 0; i < n; i++)
		put(a, p[i]);
	if (n > 0 && p[0] != '[' && !is_ascii(p, n))
		to_ascii(a);
	if (a->len > a->domain + 1 && a->text[a->len - 1] == '.')
		a->len--;
}

/* Where the @ before the domain is, n if there is none. One inside quotes is
 * of the local part, unless the quotes are not closed: then they are none. */
static size_t find_at(const char *p, size_t n, bool *quotes_out)
{
	size_t outside = n, any = n;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '@') {
			any = i;
			outside = quoted ? outside : i;
		} else if (p[i] == '"') {
			quoted = !quoted;
		} else if (p[i] == '\\' && quoted && i + 1 < n) {
			i++;
		}
	}
	*quotes_out = !quoted;
	return quoted ? any : outside;
}

static void put_local(struct user_addr *a, const char *p, size_t n, bool quotes)
{
	for (size_t i = 0; i < n; i++) {
		if (quotes && p[i] == '"')
			continue;
		if (quotes && p[i] == '\\' && i + 1 < n)
			i++;
		put(a, p[i]);
	}
}

/* "@a,@b:user@domain", RFC 5321 appendix C. */
static void skip_route(const char **p, size_t *n)
{
	const char *colon = *n > 0 && **p == '@' ? memchr(*p, ':', *n) : NULL;

	if (colon != NULL) {
		*n -= (size_t)(colon + 1 - *p);
		*p = colon + 1;
	}
}

void user_addr_read(const char *p, size_t n, struct user_addr *out)
{
	bool quotes;

	out->len = 0;
	skip_route(&p, &n);
	size_t at = find_at(p, n, &quotes);
	out->is_none = n == 0;
	put_local(out, p, at, quotes);
	out->domain = out->len;
	if (at < n) {
		put(out, '@');
		put_domain(out, p + at + 1, n - at - 1);
	}
	/* What is left of a domain that was cut is another one's. */
	if (n >= sizeof out->text)
		out->domain = out->len;
}

static const char *what_of_domain(const struct user_addr *a)
{
	const char *p = a->text + a->domain;
	size_t n = a->len - a->domain;

	if (n == 0)
		return "has no domain behind the @";
	if (n > USER_DOMAIN_MAX)
		return "has a domain of more than 255 octets";
	if (p[0] == '.')
		return "begins with a dot: the domain alone stands for all that is below it";
	if (p[n - 1] == '.' || memmem(p, n, "..", 2) != NULL)
		return "has an empty label in its domain";
	return NULL;
}

static const char *what_of_octets(const char *p, size_t n)
{
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"')
			quoted = !quoted;
		else if (p[i] == '*')
			return "holds a *: masks are not known, a domain stands for all that is in it";
		else if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f || p[i] == '<' || p[i] == '>' ||
		         ((p[i] == ' ' || p[i] == ',') && !quoted))
			return "is not an address or a domain";
		else if (quoted && p[i] == '\\' && i + 1 < n)
			i++;
	}
	return quoted ? "has a quote that is not closed" : NULL;
}

int user_addr_read_part(const char *p, size_t n, struct user_addr *out, const char **why_out)
{
	bool quotes;

	*why_out = n > PART_MAX ? "is too long" : what_of_octets(p, n);
	if (*why_out != NULL)
		return -1;
	if (find_at(p, n, &quotes) < n) {
		user_addr_read(p, n, out);
		/* While there are sections no such address is accepted. */
		if (memchr(p, '"', n) == NULL && memchr(p, '@', n) != memrchr(p, '@', n) && p[0] != '@')
			*why_out = "holds more than one @";
		else if (out->domain < 2)
			*why_out = "begins with @: the domain alone stands for all addresses in it";
	} else {
		out->len = 0;
		out->is_none = false;
		put_domain(out, p, n);
	}
	if (*why_out == NULL)
		*why_out = what_of_domain(out);
	return *why_out == NULL ? 0 : -1;
}

size_t user_addr_parent(const struct user_addr *a, size_t at)
{
	const char *dot = at < a->len && a->text[at] != '[' ?
		memchr(a->text + at, '.', a->len - at) : NULL;

	return dot != NULL ? (size_t)(dot + 1 - a->text) : a->len;
}

bool user_addr_needs_idn(const struct user_addr *a)
{
#ifdef HAVE_LIBIDN2
	(void)a;
	return false;
#else
	return !is_ascii(a->text + a->domain, a->len - a->domain);
#endif
}
