/* file_ext.c - file name extensions, see file_ext.h. */
#include "file_ext.h"

#include <stdint.h>
#include <string.h>

#include "name_form.h"
#include "str.h"

#define FORM_MAX NAME_FORM_MAX
#define PIECES_MAX 16u      /* between colons, of one form */

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
		unsigned c;
		size_t n = name_form_next(s, &c);
		char p = plain_char(c, n);
		is_same &= p == '\xff' || (n == 1 && p == str_lower((char)c));
		if (p != '\0')
			out[w++] = p;
		s += n;
	}
	out[w] = '\0';
	return is_same;
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
static enum file_ext form_check(const char *list, const char *form, char ext[FILE_EXT_MAX])
{
	for (unsigned i = 0; i < PIECES_MAX; i++) {
		size_t piece = strcspn(form, ":"), n = piece;
		while (n > 0 && strchr(" .\"'<>/\\\t*?|", form[n - 1]) != NULL)
			n--;
		if (memchr(form, '.', n) != NULL && (ends_in_item(list, form, n, ext) ||
		    ends_in_item(list, form, without_compression(form, n), ext)))
			return FILE_EXT_BLOCKED;
		if (form[piece] == '\0')
			return FILE_EXT_OTHER;
		form += piece + 1;
	}
	return FILE_EXT_UNKNOWN;
}

/* The name as it stands, and in each other way of writing. */
static enum file_ext name_check(const char *list, const char *name, char ext[FILE_EXT_MAX])
{
	char form[FORM_MAX], decoded[FORM_MAX];

	plain_form(name, form);
	enum file_ext worst = form_check(list, form, ext);
	for (unsigned f = 0; f < NAME_FORM_COUNT && worst != FILE_EXT_BLOCKED; f++) {
		if (!name_form_make(f, name, decoded))
			continue;
		plain_form(decoded, form);
		enum file_ext got = form_check(list, form, ext);
		worst = got > worst ? got : worst;
	}
	return worst;
}

enum file_ext file_ext_check(const char *list, const char *name, char ext[FILE_EXT_MAX])
{
	char decoded[FORM_MAX];

	if (list[0] == '\0' || name[0] == '\0')
		return FILE_EXT_OTHER;
	enum file_ext worst = name_check(list, name, ext);
	if (worst == FILE_EXT_BLOCKED || !name_form_make(NAME_FORM_PERCENT, name, decoded))
		return worst;
	enum file_ext got = name_check(list, decoded, ext);
	return got > worst ? got : worst;
}

bool file_ext_is_excluded(const char *list, const char *name)
{
	char form[FORM_MAX], ext[FILE_EXT_MAX];

	return list[0] != '\0' && plain_form(name, form) && strpbrk(form, ":%/\\\"'<>") == NULL &&
		ends_in_item(list, form, strlen(form), ext);
}
