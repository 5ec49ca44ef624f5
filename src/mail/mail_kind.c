/* mail_kind.c - is a file a message, a mailbox, or something else? See
 * mail_kind.h. Pure: no descriptor, no clock, no log. */
#include "mail_kind.h"

#include <stdbool.h>
#include <string.h>

#include "str.h"

/* Any of them makes a header that of a message (RFC 5322, and what mail
 * systems put above it). */
static bool is_mail_field(const char *name, size_t len)
{
	static const char *const fields[] = { "from", "to", "cc", "subject", "date", "received",
		"return-path", "message-id", "delivered-to", "mime-version", "content-type", NULL };

	for (size_t i = 0; fields[i] != NULL; i++)
		if (str_ieq_n(name, len, fields[i]))
			return true;
	return false;
}

/* The length of a field's name (RFC 5322 2.2), 0: the line is none. */
static size_t field_name(const char *p, size_t n)
{
	size_t i = 0, name;

	while (i < n && p[i] > ' ' && p[i] < 0x7f && p[i] != ':')
		i++;
	name = i;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i < n && p[i] == ':' ? name : 0;
}

/* Is it a header from its first line to its end, or as far as we see? */
static bool is_header(const char *p, size_t n)
{
	bool is_mail = false, is_first = true;

	if (n == 0 || memchr(p, '\0', n < 512 ? n : 512) != NULL)
		return false;
	while (n > 0) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf != NULL ? (size_t)(lf - p) : n;
		size_t used = len + (lf != NULL);
		if (len > 0 && p[len - 1] == '\r')
			len--;
		if (len == 0)
			break;
		bool is_folded = (p[0] == ' ' || p[0] == '\t') && !is_first;
		size_t name = is_folded ? 0 : field_name(p, len);
		bool is_cut = lf == NULL; /* the rest was not read */
		if (!is_folded && name == 0 && (!is_cut || is_first))
			return false;
		is_mail |= name > 0 && is_mail_field(p, name);
		is_first = false;
		p += used;
		n -= used;
	}
	return is_mail;
}

enum mail_kind mail_kind_of(const void *data, size_t n)
{
	const char *p = data, *lf;

	if (is_header(p, n))
		return MAIL_KIND_MAIL;
	if (n < 5 || memcmp(p, "From ", 5) != 0)
		return MAIL_KIND_OTHER;
	lf = memchr(p, '\n', n);
	if (lf == NULL || !is_header(lf + 1, n - (size_t)(lf + 1 - p)))
		return MAIL_KIND_OTHER;
	return MAIL_KIND_MBOX;
}
