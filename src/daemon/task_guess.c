/* task_guess.c - what may a reader take these octets for, whatever their header
 * says? Pure. */
#include "task_int.h"

#include <string.h>

#include "str.h"

#define MAIL_LOOK (64u << 10)        /* of a header, to see whether it is one */

/* What some readers pass over before a header: a byte order mark, empty lines. */
size_t guess_mail_start(struct pace *pace, const char *p, size_t len)
{
	const size_t from = len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	size_t i = from;

	while (i < len && (p[i] == '\r' || p[i] == '\n') &&
	    ((i - from) % PACE_OCTETS != PACE_OCTETS - 1 || pace_on(pace, PACE_OCTETS)))
		i++;
	return i;
}

/* Is there a colon behind the first word? A NUL is nothing for some readers. */
static bool is_field(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != ':' && ((unsigned char)p[i] > ' ' || p[i] == '\0'))
		i++;
	size_t name = i;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return name > 0 && i < n && p[i] == ':';
}

/* Of a mailbox. Case counts to all readers, and scripts begin with "from ". */
static bool is_from_line(const char *p, size_t n)
{
	return (n > 5 && memcmp(p, "From ", 5) == 0) || (n > 6 && memcmp(p, ">From ", 6) == 0);
}

bool guess_starts_any(const char *p, size_t n, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_istarts(p, n, *words))
			return true;
	return false;
}

/* A message may be attached as a file, or as text: does it begin like one?
 * Either with a field that every message has, or with any field, if one of
 * those by which content is hidden is in the header too. */
bool guess_is_mail(struct pace *pace, const char *p, size_t len)
{
	static const char *const first[] = { "received:", "return-path:", "from:", "to:", "subject:",
		"date:", "message-id:", "delivered-to:", "x-", NULL };
	static const char *const mime[] = { "content-type", "content-transfer-encoding",
		"mime-version", NULL };
	size_t at = guess_mail_start(pace, p, len), end = len - at < MAIL_LOOK ? len : at + MAIL_LOOK;
	bool is_first = true;

	for (; at < end; is_first = false) {
		size_t eol = at;
		while (eol < end && p[eol] != '\r' && p[eol] != '\n')
			eol++;
		if (eol == at)
			return false;
		if (is_first && is_from_line(p + at, eol - at))
			return true;
		if (is_first && !is_field(p + at, eol - at)) /* X-rays are none */
			return false;
		if (is_first && guess_starts_any(p + at, eol - at, first))
			return true;
		if (guess_starts_any(p + at, eol - at, mime) && is_field(p + at, eol - at))
			return true;
		at = eol + 1 + (end - eol > 1 && p[eol] == '\r' && p[eol + 1] == '\n');
	}
	return false;
}

bool guess_ends_any(const char *name, const char *const *ends)
{
	size_t n = strlen(name);

	while (n > 0 && (name[n - 1] == ' ' || name[n - 1] == '.'))
		n--;
	for (; *ends != NULL; ends++) {
		size_t k = strlen(*ends);
		if (n >= k && str_ieq_n(name + n - k, k, *ends))
			return true;
	}
	return false;
}

/* By its name a mail program opens it as a message. */
bool guess_is_mail_name(const char *name)
{
	static const char *const ends[] = { ".eml", ".mht", ".mhtml", ".nws", NULL };

	return guess_ends_any(name, ends);
}

bool guess_is_emlx(struct pace *pace, const char *p, size_t len, size_t *at_out, size_t *n_out)
{
	size_t i = 0, n = 0;

	for (; i < len && i < 10 && p[i] >= '0' && p[i] <= '9'; i++)
		n = n * 10 + (size_t)(p[i] - '0');
	if (i == 0)
		return false;
	while (i < len && (p[i] == ' ' || p[i] == '\t'))
		i++;
	if (i == len || (p[i] != '\n' && p[i] != '\r') || !guess_is_mail(pace, p + i, len - i))
		return false;
	*at_out = i + 1 + (p[i] == '\r' && len - i > 1 && p[i + 1] == '\n');
	*n_out = n < len - *at_out ? n : len - *at_out;
	return true;
}

/* Is this nothing but base64, and not a word by chance? Some readers decode
 * an attachment that only forgot to say so. */
bool guess_is_base64(struct pace *pace, const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < 4096; i++) {
		if (i % PACE_OCTETS == PACE_OCTETS - 1 && !pace_on(pace, PACE_OCTETS))
			return false;
		bool word = (str_lower(p[i]) >= 'a' && str_lower(p[i]) <= 'z') ||
			(p[i] >= '0' && p[i] <= '9') || p[i] == '+' || p[i] == '/' || p[i] == '=';
		if (word)
			n++;
		else if (p[i] != '\r' && p[i] != '\n')
			return false;
	}
	return n >= 24;
}
