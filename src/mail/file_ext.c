/* file_ext.c - file name extensions, see file_ext.h. */
#include "file_ext.h"

#include <stdint.h>
#include <string.h>

#include "str.h"

#define FORM_MAX 1024u      /* of a longer name the end, where the extension is */

struct range { uint32_t first, last; };

/* Nothing of these is seen, and readers drop some: zero width, bidi, BOM. */
static const struct range invisible[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x34f, 0x34f }, { 0x61c, 0x61c },
	{ 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x206f },
	{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xe0000, 0xe0fff } };
static const struct range blanks[] = {
	{ 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x2028, 0x2029 },
	{ 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 } };
static const struct range dots[] = {
	{ 0x2024, 0x2024 }, { 0x3002, 0x3002 }, { 0xfe52, 0xfe52 }, { 0xff61, 0xff61 } };

#define IS_IN(c, ranges) is_in(c, ranges, sizeof(ranges) / sizeof((ranges)[0]))

static bool is_in(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

/* One character at s; what is no UTF-8 stands for itself as an octet. */
static size_t next_char(const unsigned char *s, uint32_t *out)
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

/* What a character is taken for: 0 nothing; other scripts stay as 0xff. */
static char plain_char(uint32_t c, size_t n)
{
	if (n > 1 || c < 0x80) {
		if (IS_IN(c, invisible))
			return '\0';
		if (IS_IN(c, blanks))
			return ' ';
		if (IS_IN(c, dots))
			return '.';
		if (c >= 0xff01 && c <= 0xff5e)
			c -= 0xfee0;
	}
	return c < 0x80 ? str_lower((char)c) : '\xff';
}

/* The name in plain lower-case letters. False: that changed more than case. */
static bool plain_form(const char *name, char out[FORM_MAX])
{
	size_t len = strlen(name), w = 0;
	const unsigned char *s = (const unsigned char *)name;
	bool is_same = true;

	if (len >= FORM_MAX)
		s += len - (FORM_MAX - 1);
	while (*s != '\0') {
		uint32_t c;
		size_t n = next_char(s, &c);
		char p = plain_char(c, n);
		is_same &= p == '\xff' || (n == 1 && p == str_lower((char)c));
		if (p != '\0')
			out[w++] = p;
		s += n;
	}
	out[w] = '\0';
	return is_same;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* As in an address of the web. False: there is nothing to decode. */
static bool percent_form(const char *name, char out[FORM_MAX])
{
	size_t w = 0;
	bool any = false;

	for (; *name != '\0' && w < FORM_MAX - 1; name++) {
		int hi = name[0] == '%' ? hex(name[1]) : -1, lo = hi >= 0 ? hex(name[2]) : -1;
		int c = lo >= 0 ? hi * 16 + lo : (unsigned char)*name;
		any |= lo >= 0;
		name += lo >= 0 ? 2 : 0;
		if (c != 0)
			out[w++] = (char)c;
	}
	out[w] = '\0';
	return any;
}

/* ISO 2022 as it is used in mail: less its escape sequences, and of the sets of
 * two octets (JIS X 0208, GB 2312 and KS X 1001 have the fullwidth letters in
 * the same row) what is ASCII. False: there is nothing to decode. */
static bool shift_form(const char *name, char out[FORM_MAX])
{
	const char *s = name;
	bool is_double = false;
	size_t w = 0;

	while (*s != '\0' && w < FORM_MAX - 1) {
		if (*s == '\033') {
			const char *set = ++s;
			while (*s >= 0x20 && *s < 0x30)
				s++;
			if (set[0] == '(' || (set[0] == '$' && (s == set + 1 || set[1] == '(')))
				is_double = set[0] == '$';
			s += *s != '\0';
		} else if (*s == '\016' || *s == '\017') {
			is_double = *s++ == '\016';
		} else if (is_double && s[0] > 0x20 && s[1] > 0x20) {
			out[w++] = s[0] == 0x23 ? s[1] : s[0] == 0x21 && s[1] == 0x25 ? '.' : '\xff';
			s += 2;
		} else {
			out[w++] = *s++;
		}
	}
	out[w] = '\0';
	return strpbrk(name, "\033\016\017") != NULL;
}

/* The item that the n octets at name end in, behind a dot. */
static bool ends_in_item(const char *list, const char *name, size_t n, char ext[FILE_EXT_MAX])
{
	int got;

	while ((got = str_list_next(&list, ':', ext, FILE_EXT_MAX)) != 0) {
		const char *item = ext + (ext[0] == '.');
		size_t k = strlen(item);
		if (got < 0 || k == 0 || n <= k || name[n - k - 1] != '.' ||
		    !str_ieq_n(name + n - k, k, item))
			continue;
		memmove(ext, item, k + 1);
		for (size_t i = 0; i < k; i++)
			ext[i] = str_lower(ext[i]);
		return true;
	}
	return false;
}

/* Without the extension of what is compressed: "a.exe.gz" is an a.exe. */
static size_t without_compression(const char *name, size_t n)
{
	static const char *const ends[] = { ".gz", ".bz2", ".xz", ".zst", ".lz4", ".lz", ".z",
		".lzma" };

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		size_t k = strlen(ends[i]);
		if (n > k && memcmp(name + n - k, ends[i], k) == 0)
			return n - k;
	}
	return n;
}

/* Each piece between colons is a name to some system, less what systems and
 * readers take off its end. */
static bool form_is_blocked(const char *list, const char *form, char ext[FILE_EXT_MAX])
{
	for (;;) {
		size_t piece = strcspn(form, ":"), n = piece;
		while (n > 0 && strchr(" .\"'<>/\\\t", form[n - 1]) != NULL)
			n--;
		if (ends_in_item(list, form, n, ext) ||
		    ends_in_item(list, form, without_compression(form, n), ext))
			return true;
		if (form[piece] == '\0')
			return false;
		form += piece + 1;
	}
}

bool file_ext_is_blocked(const char *list, const char *name, char ext[FILE_EXT_MAX])
{
	static bool (*const decoders[])(const char *, char[FORM_MAX]) = { percent_form, shift_form };
	char form[FORM_MAX], decoded[FORM_MAX];

	if (list[0] == '\0' || name[0] == '\0')
		return false;
	plain_form(name, form);
	if (form_is_blocked(list, form, ext))
		return true;
	for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++) {
		if (!decoders[i](name, decoded))
			continue;
		plain_form(decoded, form);
		if (form_is_blocked(list, form, ext))
			return true;
	}
	return false;
}

bool file_ext_is_excluded(const char *list, const char *name)
{
	char form[FORM_MAX], ext[FILE_EXT_MAX];

	return list[0] != '\0' && plain_form(name, form) && strpbrk(form, ":%/\\\"'<>") == NULL &&
		ends_in_item(list, form, strlen(form), ext);
}
