/* name_form.c - file names in other ways of writing, see name_form.h.
 *
 * Of each charset there are the letters, digits, blanks, dots and colons that
 * look like those of ASCII, and how long a character is. Where charsets of one
 * form differ, the reading is taken that makes a dot or nothing of it.
 * Sources: RFC 1468, RFC 1922, the WHATWG Encoding Standard. */
#include "name_form.h"

#include <stdint.h>
#include <string.h>

#define OTHER '\xff'
#define NOTHING '\0'

struct form {
	char *out;
	size_t n;
};

/* Of what is too long the end stays. */
static void put(struct form *f, char c)
{
	if (c == NOTHING)
		return;
	if (f->n == NAME_FORM_MAX - 1) {
		memmove(f->out, f->out + NAME_FORM_MAX / 2, f->n - NAME_FORM_MAX / 2);
		f->n -= NAME_FORM_MAX / 2;
	}
	f->out[f->n++] = c;
}

size_t name_form_next(const unsigned char *s, unsigned *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] >= 0xf0 && s[0] < 0xf8 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 1;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			n = 1;
			break;
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*out = n == 1 || c < least[n] ? s[0] : c;
	return n == 1 || c < least[n] ? 1 : n;
}

/* ---- %XX --------------------------------------------------------------------- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool percent(const char *name, struct form *f)
{
	bool any = false;

	for (; *name != '\0'; name++) {
		int hi = name[0] == '%' ? hex(name[1]) : -1, lo = hi >= 0 ? hex(name[2]) : -1;
		any |= lo >= 0;
		put(f, (char)(lo >= 0 ? hi * 16 + lo : *name));
		name += lo >= 0 ? 2 : 0;
	}
	return any;
}

/* ---- ISO 2022 ---------------------------------------------------------------- */

/* JIS X 0208, GB 2312 and KS X 1001 have the fullwidth letters in one row. */
static char of_row(unsigned row, unsigned cell)
{
	static const struct { unsigned char row, cell; char c; } rest[] = {
		{ 0x21, 0x21, ' ' }, { 0x21, 0x23, '.' }, { 0x21, 0x25, '.' }, { 0x21, 0x27, ':' },
		{ 0x21, 0x29, NOTHING }, { 0x21, 0x32, '_' }, { 0x21, 0x5d, '-' } };

	if (row == 0x23 && cell >= 0x21 && cell <= 0x7e)
		return (char)cell;
	for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
		if (row == rest[i].row && cell == rest[i].cell)
			return rest[i].c;
	return OTHER;
}

/* Past an escape sequence; does a set of two octets follow? */
static const char *escape(const char *s, bool *is_double)
{
	const char *set = s;

	while (*s >= 0x20 && *s < 0x30)
		s++;
	if (set[0] == '(' || (set[0] == '$' && (s == set + 1 || set[1] == '(')))
		*is_double = set[0] == '$';
	return s + (*s != '\0');
}

static bool shifts(const char *name, struct form *f)
{
	bool is_double = false;

	for (const char *s = name; *s != '\0';) {
		if (*s == '\033') {
			s = escape(s + 1, &is_double);
		} else if (*s == '\016' || *s == '\017') {
			is_double = *s++ == '\016';
		} else if (is_double && s[0] > 0x20 && s[1] > 0x20) {
			put(f, of_row((unsigned char)s[0], (unsigned char)s[1]));
			s += 2;
		} else {
			put(f, *s++);
		}
	}
	return strpbrk(name, "\033\016\017") != NULL;
}

/* ---- two octets a character ---------------------------------------------------- */

/* One character at s, which begins with an octet of 0x80 or more. Returns how
 * many octets it has, all of which are there. */
typedef size_t (*char_fn)(const unsigned char *s, char *out);

/* GB 18030 has four octets for what no other set has: most of it can't be seen
 * or is rare, and counts as nothing. */
static size_t of_euc(const unsigned char *s, char *out)
{
	*out = OTHER;
	if (s[0] == 0x80 || s[0] == 0xff || s[1] < 0x30)
		return 1;
	if (s[1] <= 0x39) {
		if (s[2] < 0x81 || s[3] < 0x30 || s[3] > 0x39)
			return 1;
		*out = memcmp(s, "\x84\x31\x95\x37", 4) == 0 || memcmp(s, "\x81\x36\xa6\x33", 4) == 0 ?
			'.' : NOTHING;
		return 4;
	}
	if (s[1] < 0x40 || s[1] == 0x7f)
		return 1;
	if (s[0] == 0xa9 && s[1] == 0x71)
		*out = '.';
	else if (s[0] > 0xa0 && s[1] > 0xa0)
		*out = of_row(s[0] - 0x80u, s[1] - 0x80u);
	return 2;
}

static size_t of_euc_jp(const unsigned char *s, char *out)
{
	*out = OTHER;
	if (s[0] == 0x8e && s[1] > 0xa0) {
		*out = s[1] == 0xa1 ? '.' : OTHER;
		return 2;
	}
	if (s[0] == 0x8f && s[1] > 0xa0 && s[2] > 0xa0)
		return 3;
	if (s[0] <= 0xa0 || s[1] <= 0xa0)
		return 1;
	*out = of_row(s[0] - 0x80u, s[1] - 0x80u);
	return 2;
}

struct run { uint16_t first, last; char c; };

static char of_runs(const unsigned char *s, const struct run *r, size_t n)
{
	const unsigned code = (unsigned)s[0] << 8 | s[1];

	for (size_t i = 0; i < n; i++)
		if (code >= r[i].first && code <= r[i].last)
			return (char)(r[i].c + (int)(code - r[i].first));
	return OTHER;
}

static size_t of_sjis(const unsigned char *s, char *out)
{
	static const struct run runs[] = { { 0x8140, 0x8140, ' ' }, { 0x8142, 0x8142, '.' },
		{ 0x8144, 0x8144, '.' }, { 0x8146, 0x8146, ':' }, { 0x8151, 0x8151, '_' },
		{ 0x817c, 0x817c, '-' }, { 0x824f, 0x8258, '0' }, { 0x8260, 0x8279, 'A' },
		{ 0x8281, 0x829a, 'a' } };
	const bool is_lead = (s[0] > 0x80 && s[0] < 0xa0) || (s[0] >= 0xe0 && s[0] < 0xfd);

	*out = s[0] == 0xa1 ? '.' : OTHER;
	if (!is_lead || s[1] < 0x40 || s[1] == 0x7f || s[1] > 0xfc)
		return 1;
	*out = of_runs(s, runs, sizeof runs / sizeof runs[0]);
	return 2;
}

static size_t of_big5(const unsigned char *s, char *out)
{
	static const struct run runs[] = { { 0xa140, 0xa140, ' ' }, { 0xa143, 0xa143, '.' },
		{ 0xa144, 0xa144, '.' }, { 0xa147, 0xa147, ':' }, { 0xa14f, 0xa14f, '.' },
		{ 0xa1c4, 0xa1c4, '_' }, { 0xa1d0, 0xa1d0, '-' }, { 0xa2af, 0xa2b8, '0' },
		{ 0xa2cf, 0xa2e8, 'A' }, { 0xa2e9, 0xa2fe, 'a' }, { 0xa340, 0xa343, 'w' } };

	*out = OTHER;
	if (s[0] == 0x80 || s[0] == 0xff || s[1] < 0x40 || s[1] == 0x7f || s[1] == 0xff)
		return 1;
	*out = of_runs(s, runs, sizeof runs / sizeof runs[0]);
	return 2;
}

/* is_odd: a longer name was cut in the middle of a character. */
static bool doubles(const char *name, bool is_odd, char_fn next, struct form *f)
{
	const unsigned char *s = (const unsigned char *)name;
	bool any = false;

	if (is_odd && *s++ < 0x80)
		return false;
	while (*s != '\0') {
		char c = (char)*s;
		size_t n = *s < 0x80 ? 1 : next(s, &c);
		any |= n > 1 || *s >= 0x80;
		put(f, c);
		s += n;
	}
	return any;
}

/* Octets that are a blank, a soft hyphen, a joiner or a mark of direction in some
 * charset of single octets, of ISO 8859, Windows, KOI8, DOS and the Mac. */
static bool may_be_invisible(unsigned c)
{
	return c >= 0x80 && c <= 0xff && strchr("\x9a\x9d\x9e\xa0\xad\xca\xfd\xfe\xff", (int)c) != NULL;
}

static bool bare(const char *name, struct form *f)
{
	const unsigned char *s = (const unsigned char *)name;
	bool any = false;

	while (*s != '\0') {
		unsigned c;
		const size_t n = name_form_next(s, &c);
		const bool is_nothing = n == 1 && may_be_invisible(c);
		any |= is_nothing;
		for (size_t i = 0; i < n && !is_nothing; i++)
			put(f, (char)s[i]);
		s += n;
	}
	return any;
}

bool name_form_make(enum name_form form, const char *name, char out[NAME_FORM_MAX])
{
	struct form f = { out, 0 };
	bool any = false;

	switch (form) {
	case NAME_FORM_PERCENT: any = percent(name, &f); break;
	case NAME_FORM_SHIFTS: any = shifts(name, &f); break;
	case NAME_FORM_EUC: any = doubles(name, false, of_euc, &f); break;
	case NAME_FORM_EUC_ODD: any = doubles(name, true, of_euc, &f); break;
	case NAME_FORM_EUC_JP: any = doubles(name, false, of_euc_jp, &f); break;
	case NAME_FORM_EUC_JP_ODD: any = doubles(name, true, of_euc_jp, &f); break;
	case NAME_FORM_SJIS: any = doubles(name, false, of_sjis, &f); break;
	case NAME_FORM_SJIS_ODD: any = doubles(name, true, of_sjis, &f); break;
	case NAME_FORM_BIG5: any = doubles(name, false, of_big5, &f); break;
	case NAME_FORM_BIG5_ODD: any = doubles(name, true, of_big5, &f); break;
	case NAME_FORM_BARE: any = bare(name, &f); break;
	case NAME_FORM_COUNT: break;
	}
	out[f.n] = '\0';
	return any;
}
