/* inst_edit.c - lines of section [smtp] in the text of esets.cfg, see inst_plan.h.
 *
 * Lines, comments and headers as conf_file.c reads them; every octet that is
 * not the line in question stays. */
#include "inst_plan.h"

#include <string.h>

#include "buf.h"
#include "str.h"

#define SECTION "smtp"

struct line {
	const char *p;          /* begin, without blanks */
	size_t len;             /* of it without blanks and CR behind */
	const char *begin, *next;   /* all of it */
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool next_line(const char *text, struct line *l)
{
	if (*text == '\0')
		return false;
	const char *end = text + strcspn(text, "\n");
	l->begin = text;
	l->next = *end != '\0' ? end + 1 : end;
	while (end > text && (is_blank(end[-1]) || end[-1] == '\r'))
		end--;
	while (text < end && is_blank(*text))
		text++;
	l->p = text;
	l->len = (size_t)(end - text);
	return true;
}

/* Is it the header of the section? */
static bool is_section(const struct line *l)
{
	const char *p = l->p + 1, *end = memchr(l->p, ']', l->len);

	if (end == NULL)
		return false;
	while (p < end && is_blank(*p))
		p++;
	while (end > p && is_blank(end[-1]))
		end--;
	return (size_t)(end - p) == strlen(SECTION) && memcmp(p, SECTION, strlen(SECTION)) == 0;
}

/* Does "name =" begin at p? */
static bool sets(const char *p, size_t n, const char *name)
{
	const size_t len = strlen(name);

	if (n <= len || memcmp(p, name, len) != 0)
		return false;
	for (p += len, n -= len; n > 0 && is_blank(*p); p++)
		n--;
	return n > 0 && *p == '=';
}

struct found {
	struct line option, sample, header;   /* .p NULL: none */
};

static void look(const char *text, const char *name, struct found *f)
{
	struct line l;
	bool is_in = false;

	memset(f, 0, sizeof *f);
	for (; next_line(text, &l); text = l.next) {
		if (l.len == 0)
			continue;
		if (*l.p == '[') {
			is_in = is_section(&l);
			if (is_in)
				f->header = l;
		} else if (is_in && sets(l.p, l.len, name)) {
			f->option = l;
		} else if (is_in && (*l.p == ';' || *l.p == '#') && sets(l.p + 1, l.len - 1, name)) {
			f->sample = l;
		}
	}
}

int inst_conf_line(const char *text, const char *name, char line[INST_TEXT_MAX])
{
	struct found f;

	look(text, name, &f);
	line[0] = '\0';
	if (f.option.p == NULL)
		return 0;
	return str_copy_n(line, INST_TEXT_MAX, f.option.p, f.option.len) ? 1 : -1;
}

/* The ends of lines in this text. */
static const char *eol_of(const char *text)
{
	const char *end = strchr(text, '\n');

	return end != NULL && end > text && end[-1] == '\r' ? "\r\n" : "\n";
}

int inst_conf_edit(const char *text, const char *name, const char *line, struct buf *out)
{
	const char *eol = eol_of(text), *from, *to;
	bool needs_section = false;
	struct found f;
	int rc = 0;

	look(text, name, &f);
	if (f.option.p != NULL) {
		from = f.option.p;
		to = line != NULL ? f.option.p + f.option.len : f.option.next;
		if (line == NULL)
			from = f.option.begin;
		return buf_append(out, text, (size_t)(from - text)) < 0 ||
			(line != NULL && buf_append_str(out, line) < 0) ||
			buf_append_str(out, to) < 0 ? -1 : 0;
	}
	if (line == NULL)
		return buf_append_str(out, text);
	from = f.sample.p != NULL ? f.sample.next : f.header.p != NULL ? f.header.next : NULL;
	if (from == NULL) {
		needs_section = true;
		from = text + strlen(text);
	}
	rc |= buf_append(out, text, (size_t)(from - text));
	if (from > text && from[-1] != '\n')
		rc |= buf_append_str(out, eol);
	if (needs_section)
		rc |= buf_printf(out, "[" SECTION "]%s", eol);
	rc |= buf_printf(out, "%s%s", line, eol);
	rc |= buf_append_str(out, from);
	return rc < 0 ? -1 : 0;
}
