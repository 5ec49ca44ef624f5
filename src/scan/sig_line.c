/* sig_line.c - one line of a file of digest signatures, see sig_line.h. */
#include "sig_line.h"

#include <stdbool.h>
#include <string.h>

#include "str.h"

const unsigned char sig_digest_len[SIG_KIND_COUNT] = { 16, 20, 32 };

enum sig_format sig_format_of(const char *file)
{
	const char *dot = strrchr(file, '.');

	if (file[0] == '.' || dot == NULL)
		return SIG_NONE;
	if (strcmp(dot, ".hdb") == 0)
		return SIG_HDB;
	if (strcmp(dot, ".hsb") == 0)
		return SIG_HSB;
	if (strcmp(dot, ".sha256") == 0 || strcmp(dot, ".txt") == 0)
		return SIG_PLAIN;
	return SIG_NONE;
}

static enum sig_kind kind_of_hex(size_t n)
{
	int k = 0;

	while (k < SIG_KIND_COUNT && n != sig_digest_len[k] * (size_t)2)
		k++;
	return (enum sig_kind)k;
}

/* Cuts the next field off at the separator; NULL: there is none left. */
static char *cut(char **p, char sep)
{
	char *field = *p;

	if (field == NULL)
		return NULL;
	char *end = strchr(field, sep);
	*p = end != NULL ? end + 1 : NULL;
	if (end != NULL)
		*end = '\0';
	return field;
}

static void trim_end(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	s[n] = '\0';
}

/* "digest:size:name[:level]" */
static int parse_clamav(char *line, bool md5, struct sig *out)
{
	char *p = line;
	const char *hex = cut(&p, ':'), *size = cut(&p, ':');
	char *name = cut(&p, ':');
	uint64_t octets = SIG_SIZE_ANY;

	if (name != NULL)
		trim_end(name);
	/* -Wanalyzer-null-argument: a line has a first field */
	out->kind = kind_of_hex(strlen(hex));
	if (size == NULL || name == NULL || name[0] == '\0' || out->kind == SIG_KIND_COUNT ||
	    (out->kind == SIG_MD5) != md5 || str_unhex(out->digest, sig_digest_len[out->kind], hex) < 0)
		return -1;
	if (strcmp(size, "*") != 0 && (str_parse_u64(size, &octets) < 0 || octets >= SIG_SIZE_ANY))
		return -1;
	out->size = (uint32_t)octets;
	out->name = name;
	return 1;
}

/* "digest", "digest name", "digest *name" as sha256sum prints it. */
static int parse_plain(char *line, struct sig *out)
{
	size_t n = strcspn(line, " \t");
	const char *name = line + n + strspn(line + n, " \t*");

	out->kind = SIG_SHA256;
	out->size = SIG_SIZE_ANY;
	out->name = *name != '\0' ? name : "Listed.SHA256";
	return n == sig_digest_len[SIG_SHA256] * (size_t)2 && str_unhex(out->digest, SIG_DIGEST_MAX, line) == 0 ?
		1 : -1;
}

int sig_line_parse(char *line, enum sig_format format, struct sig *out)
{
	trim_end(line);
	*out = (struct sig){ .name = "" };
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	return format == SIG_PLAIN ? parse_plain(line, out) :
		parse_clamav(line, format == SIG_HDB, out);
}
