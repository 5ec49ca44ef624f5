/* magic_tar.c - headers of tar, see magic.h. */
#include <string.h>

#include "find.h"
#include "magic_int.h"

#define TAR_BLOCK 512u
#define TAR_SIZE_AT 124u
#define TAR_SUM_AT 148u
#define TAR_TYPE_AT 156u
#define TAR_NAME_AT 257u
#define TAR_LOOK (64u << 10)         /* behind junk of no more */
#define DIGITS_MAX 18u

/* A number in octal digits, blanks around it; some readers pass over a NUL. */
static bool octal(const unsigned char *p, size_t n, uint64_t *out)
{
	size_t i = 0;

	i += p[0] == '\0';
	while (i < n && (p[i] == ' ' || (p[i] >= '\t' && p[i] <= '\r')))
		i++;
	const size_t first = i;
	for (*out = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out * 8 + (uint64_t)(p[i] - '0');
	return i > first;
}

/* The sum over the header with blanks for itself; some writers took octets for
 * signed. */
bool magic_is_tar_head(const unsigned char *p, size_t len)
{
	uint64_t want;
	unsigned sum = 0;
	int is_signed = 0;

	if (len < TAR_BLOCK || !octal(p + TAR_SUM_AT, 8, &want))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		unsigned char c = i >= TAR_SUM_AT && i < TAR_SUM_AT + 8 ? ' ' : p[i];
		sum += c;
		is_signed += (signed char)c;
	}
	return sum == want || (is_signed >= 0 && (unsigned)is_signed == want);
}

bool magic_is_tar(const void *data, size_t len)
{
	return magic_is_tar_head(data, len);
}

/* Keys of files with holes, which are of a sort for each tar, and known to no other. */
static const struct { const char *octets; size_t n; } sparse[] = {
	{ OCTETS(" GNU.sparse.") }, { OCTETS(" SCHILY.realsize=") }, { OCTETS(" SUN.holesdata=") } };

/* Size, path and sparseness, for all members behind it. */
static bool global_is_odd(const unsigned char *p, size_t n)
{
	bool is_odd = find_octets(p, n, " size=", 6) != NULL || find_octets(p, n, " path=", 6) != NULL;

	for (size_t i = 0; i < sizeof sparse / sizeof sparse[0]; i++)
		is_odd |= find_octets(p, n, sparse[i].octets, sparse[i].n) != NULL;
	return is_odd;
}

/* How many digits there are, of a number that no file is too large for. */
static size_t decimal(const unsigned char *p, size_t n, uint64_t *out)
{
	size_t i = 0;

	for (*out = 0; i < n && i < DIGITS_MAX && p[i] >= '0' && p[i] <= '9'; i++)
		*out = *out * 10 + (uint64_t)(p[i] - '0');
	return i;
}

/* " KEY=VALUE\n" */
static bool record_is_plain(const unsigned char *p, size_t n, uint64_t size)
{
	uint64_t value;

	for (size_t i = 0; i < sizeof sparse / sizeof sparse[0]; i++)
		if (n >= sparse[i].n && memcmp(p, sparse[i].octets, sparse[i].n) == 0)
			return false;
	return n < 6 || memcmp(p, " size=", 6) != 0 ||
		(decimal(p + 6, n - 6, &value) == n - 7 && value == size);
}

/* Records, each with its length in front, of a member that has so many octets to those
 * who know nothing of them. */
static bool records_are_plain(const unsigned char *p, size_t n, uint64_t size)
{
	while (n > 0) {
		uint64_t all;
		const size_t digits = decimal(p, n, &all);
		if (all > n || all < digits + 2 || digits == 0 || p[digits] != ' ' || p[all - 1] != '\n' ||
		    !record_is_plain(p + digits, (size_t)all - digits, size))
			return false;
		p += all;
		n -= (size_t)all;
	}
	return true;
}

bool magic_tar_head_is_plain(const void *data, size_t len)
{
	const unsigned char *p = data, *records = p;
	size_t n_records = 0;
	unsigned own = 0;
	uint64_t size;

	while (magic_is_tar_head(p, len) && p[TAR_TYPE_AT] != '\0' &&
	    strchr("AKLVXgx", p[TAR_TYPE_AT]) != NULL) {
		if (!octal(p + TAR_SIZE_AT, 12, &size))
			return false;
		const char type = (char)p[TAR_TYPE_AT];
		own += type == 'x' || type == 'X' || type == 'L';
		p += TAR_BLOCK;
		len -= TAR_BLOCK;
		const size_t n = size < len ? (size_t)size : len;
		if (type == 'x' || type == 'X') {
			records = p;
			n_records = n;
		}
		if (own > 1 || (type == 'g' && global_is_odd(p, n)))
			return false;
		const size_t all = n + (size_t)-n % TAR_BLOCK < len ? n + (size_t)-n % TAR_BLOCK : len;
		p += all;
		len -= all;
	}
	if (!magic_is_tar_head(p, len) || n_records == 0)
		return true;
	return records_are_plain(records, n_records,
		octal(p + TAR_SIZE_AT, 12, &size) ? size : UINT64_MAX);
}

bool magic_tar_behind(const void *data, size_t len, size_t *from, size_t *at_out, uint64_t *left)
{
	const unsigned char *p = data;
	const size_t end = len < TAR_LOOK ? len : TAR_LOOK;
	size_t named = *from, block = *from + (size_t)-*from % TAR_BLOCK;

	for (; block < end && !magic_is_tar_head(p + block, len - block);)
		block += TAR_BLOCK;
	for (; named < block && named + TAR_BLOCK <= end; named++) {
		const unsigned char *q = find_octets(p + named + TAR_NAME_AT, end - named - TAR_NAME_AT,
			"ustar", 5);
		if (q == NULL)
			break;
		named = (size_t)(q - p) - TAR_NAME_AT;
		if (!magic_pay(left, TAR_BLOCK)) {
			block = end;
			break;
		}
		if (magic_is_tar_head(p + named, len - named) && named < block) {
			block = named;
			break;
		}
	}
	*at_out = block;
	*from = block < end ? block + 1 : len;
	return block < end;
}
