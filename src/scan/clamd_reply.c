/* clamd_reply.c - answers of clamd, see clamd_reply.h.
 *
 * Clean is one exact form of answer; whatever is not understood is an error of
 * the engine. */
#include "clamd_reply.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

void clamd_reply_init(struct clamd_reply *r)
{
	r->len = 0;
	r->is_whole = r->timed_out = false;
	r->text[0] = '\0';
}

/* A line feed: the end of the one line that may stand before an answer? */
static bool take_line(struct clamd_reply *r)
{
	static const char line[] = "COMMAND READ TIMED OUT";

	if (r->timed_out || r->len != sizeof line - 1 || memcmp(r->text, line, r->len) != 0)
		return false;
	r->timed_out = true;
	r->len = 0;
	return true;
}

int clamd_reply_push(struct clamd_reply *r, const void *p, size_t n, const char **why_out)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < n; i++) {
		if (r->is_whole) {
			*why_out = "more than one answer";
			return -1;
		}
		if (s[i] == '\0') {
			r->text[r->len] = '\0';
			r->is_whole = true;
			continue;
		}
		if (s[i] == '\n' && take_line(r))
			continue;
		if (s[i] < 0x20 || s[i] == 0x7f) {
			*why_out = "control characters in the answer";
			return -1;
		}
		if (r->len == CLAMD_REPLY_MAX) {
			*why_out = "an answer that is too long";
			return -1;
		}
		r->text[r->len++] = (char)s[i];
	}
	return r->is_whole ? 1 : 0;
}

int clamd_reply_number(const char *text, unsigned number, const char **rest_out)
{
	char want[16];
	const size_t digits = strspn(text, "0123456789");
	const int n = snprintf(want, sizeof want, "%u: ", number);

	if (digits == 0 || strncmp(text + digits, ": ", 2) != 0)
		return 0;
	if (strncmp(text, want, (size_t)n) != 0)
		return -1;
	*rest_out = text + n;
	return 1;
}

/* --- answers to a scan ---------------------------------------------------- */

static bool ends(const char *s, size_t n, const char *tail)
{
	size_t k = strlen(tail);

	return n >= k && memcmp(s + n - k, tail, k) == 0;
}

static bool begins(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

/* Behind "fd[N]: " or "stream: ", or NULL. */
static const char *behind_name(const char *s)
{
	if (begins(s, "stream: "))
		return s + 8;
	if (!begins(s, "fd["))
		return NULL;
	size_t digits = strspn(s + 3, "0123456789");
	return digits > 0 && begins(s + 3 + digits, "]: ") ? s + 3 + digits + 3 : NULL;
}

/* Length of a name without the "(md5:size)" of ExtendedDetectionInfo. */
static size_t name_len(const char *s, size_t n)
{
	size_t i = n;

	if (n == 0 || s[n - 1] != ')')
		return n;
	for (i = n - 1; i > 0 && strchr("0123456789abcdef:", s[i - 1]) != NULL; i--)
		;
	return i > 1 && s[i - 1] == '(' && memchr(s + i, ':', n - i) != NULL ? i - 1 : n;
}

static bool has_word(const char *s, const char *word)
{
	for (; *s != '\0'; s++) {
		if (str_istarts(s, strlen(s), word))
			return true;
	}
	return false;
}

/* clamd has limits that it reports as an error instead of a detection. */
static bool is_limit_error(const char *s)
{
	return has_word(s, "limit") && (has_word(s, "exceeded") || has_word(s, "reached"));
}

int clamd_reply_scan(const char *text, enum clamd_kind *kind_out, char name_out[VERDICT_NAME_MAX])
{
	const char *s = behind_name(text);
	size_t n = strlen(text);

	name_out[0] = '\0';
	if (ends(text, n, "ERROR")) {
		*kind_out = is_limit_error(text) ? CLAMD_OVERLIMIT : CLAMD_ERROR;
		s = s != NULL ? s : text;
		str_clean(name_out, VERDICT_NAME_MAX, s, strlen(s));
		return 0;
	}
	if (s == NULL)
		return -1;
	*kind_out = CLAMD_CLEAN;
	if (strcmp(s, "OK") == 0)
		return 0;
	n = strlen(s);
	if (n <= 6 || !ends(s, n, " FOUND"))
		return -1;
	str_clean(name_out, VERDICT_NAME_MAX, s, name_len(s, n - 6));
	*kind_out = begins(s, "Heuristics.Limits.Exceeded") ? CLAMD_OVERLIMIT :
		begins(s, "Heuristics.Encrypted.") ? CLAMD_ENCRYPTED : CLAMD_FOUND;
	return 0;
}

/* --- names ---------------------------------------------------------------- */

/* PUA.PLATFORM.CATEGORY.NAME, or as once PUA.CATEGORY.NAME: is one of the
 * words a part of it? */
static bool has_part(const char *name, const char *const *words)
{
	char part[VERDICT_NAME_MAX];
	const char *rest = name;
	int got;

	while ((got = str_list_next(&rest, '.', part, sizeof part)) != 0) {
		for (size_t i = 0; got > 0 && words[i] != NULL; i++) {
			if (str_ieq(part, words[i]))
				return true;
		}
	}
	return false;
}

enum name_kind { NAME_VIRUS, NAME_ADWARE, NAME_UNSAFE, NAME_UNWANTED, NAME_HEUR, NAME_ADV_HEUR };

static enum name_kind kind_of(const char *name)
{
	static const char *const adware[] = { "Adware", NULL };
	static const char *const unsafe[] = { "Tool", "HackTool", "PwTool", "NetTool", "RAT",
		"IRC", "P2P", "Server", "Spy", "Keylogger", "Scanner", "RemoteAdmin", NULL };

	if (begins(name, "PUA."))
		return has_part(name, adware) ? NAME_ADWARE :
			has_part(name, unsafe) ? NAME_UNSAFE : NAME_UNWANTED;
	if (begins(name, "Heuristics.Phishing.") || begins(name, "Heuristics.Structured."))
		return NAME_ADV_HEUR;
	return begins(name, "Heuristics.") ? NAME_HEUR : NAME_VIRUS;
}

bool clamd_name_counts(const char *name, const struct scan_opts *opts)
{
	switch (kind_of(name)) {
	case NAME_ADWARE: return opts->app_adware;
	case NAME_UNSAFE: return opts->app_unsafe;
	case NAME_UNWANTED: return opts->app_unwanted;
	case NAME_HEUR: return opts->heur;
	case NAME_ADV_HEUR: return opts->heur && opts->adv_heur;
	case NAME_VIRUS: break;
	}
	return true;
}

const char *clamd_name_option(const char *name)
{
	static const char *const options[] = { [NAME_VIRUS] = "",
		[NAME_ADWARE] = "av_scan_app_adware", [NAME_UNSAFE] = "av_scan_app_unsafe",
		[NAME_UNWANTED] = "av_scan_app_unwanted", [NAME_HEUR] = "av_scan_heur",
		[NAME_ADV_HEUR] = "av_scan_adv_heur" };

	return options[kind_of(name)];
}

bool clamd_name_is_last(const char *name)
{
	return begins(name, "Heuristics.");
}

/* --- VERSION -------------------------------------------------------------- */

/* "Fri Nov 20 09:12:13 2026" to "2026-11-20". */
static int parse_date(const char *s, char *out, size_t size)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month[4];
	unsigned day, year;
	int n = 0;

	/* NOLINTNEXTLINE(cert-err34-c): the widths keep the numbers small */
	if (sscanf(s, "%*3s %3s %2u %*2u:%*2u:%*2u %4u%n", month, &day, &year, &n) != 3 ||
	    s[n] != '\0' || strlen(month) != 3 || day < 1 || day > 31 || year < 1970)
		return -1;
	const char *at = strstr(months, month);
	if (at == NULL || (at - months) % 3 != 0)
		return -1;
	snprintf(out, size, "%04u-%02u-%02u", year % 10000,
		((unsigned)(at - months) / 3 + 1) % 100, day % 100);
	return 0;
}

int clamd_reply_version(const char *text, char out[CLAMD_VERSION_MAX])
{
	static const char word[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~";
	char date[16];

	if (!begins(text, "ClamAV "))
		return -1;
	const char *s = text + 7;
	size_t n = strspn(s, word);
	if (n == 0 || n > 30)
		return -1;
	snprintf(out, CLAMD_VERSION_MAX, "%.*s", (int)n, s);
	s += n;
	size_t digits = s[0] == '/' ? strspn(s + 1, "0123456789") : 0;
	if (s[0] == '\0')
		return 0;
	if (digits == 0 || digits > 10 || s[1 + digits] != '/' ||
	    parse_date(s + 1 + digits + 1, date, sizeof date) < 0)
		return -1;
	size_t at = strlen(out);
	snprintf(out + at, CLAMD_VERSION_MAX - at, "+%.*s@%s", (int)digits, s + 1, date);
	return 0;
}
