/* conf_file.c - the text of esets.cfg to one struct conf_values a section.
 *
 *   text --lines--> headers, `name = value` lines in one plain form
 *        --libconfuse, a body at a time--> on_value --> struct conf_values
 *
 * The splitter knows lines: section headers, comments (; and #), one option a
 * line, strings that end on their line. It hands libconfuse the options of a
 * section, each value in quotes and "$" escaped (libconfuse would put
 * environment variables there), other lines empty, so that libconfuse's line
 * plus the section's first one is the file's. libconfuse is given every option
 * as a string, since its own integers know octal; conf_table.c has the types.
 * Not for threads: libconfuse's lexer is global, and so is `current`. */
#include "conf_int.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "str.h"

#define READ_STEP 8192u
#define SCANNER_ROOM 65536u     /* its buffers are of 16 KiB */

/* A body on its way through libconfuse. */
struct body {
	struct conf_reader *r;
	unsigned section;            /* CONF_SEC_ bit; 0: passed over */
	struct conf_values *values;
	unsigned first_line;         /* of the file, where the text begins */
	bool has_options;
	struct buf text;
	cfg_t *cfg[CONF_SEC_USER + 1];  /* by section bit, made when needed */
};
static struct body *current;

static const char *where_of(const struct conf_reader *r, unsigned line, char out[512])
{
	snprintf(out, 512, "%.490s:%u", r->path, line);
	return out;
}

/* --- libconfuse ----------------------------------------------------------- */

__attribute__((format(printf, 2, 0)))
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[CONF_WHY * 2], where[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	conf_note(current->r->notes, CONF_NOTE_ERROR,
		where_of(current->r, current->first_line + (unsigned)cfg->line - 1, where),
		"%s", text);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct conf_reader *r = current->r;
	const struct conf_opt *o = conf_opt_find(opt->name, current->section);
	struct conf_value *v = &current->values->v[conf_opt_index(o)];
	char why[CONF_WHY], where[512];

	*(const char **)result = value;
	where_of(r, current->first_line + (unsigned)cfg->line - 1, where);
	if (v->origin != NULL)
		conf_note(r->notes, CONF_NOTE_WARNING, where,
			"%s is set again, which replaces %s", o->name, v->origin);
	v->text = NULL;
	v->origin = conf_arena_str(r->mem, where);
	v->is_bad = conf_opt_check(o, value, why, sizeof(why)) < 0;
	if (v->is_bad)
		cfg_error(cfg, "%s: %s", o->name, why);
	else
		v->text = conf_arena_str(r->mem, value);
	return 0;
}

/* The option table of one section as libconfuse wants it. */
static cfg_t *make_cfg(unsigned section)
{
	cfg_opt_t *opts = calloc(conf_nopts + 1, sizeof(*opts));
	size_t n = 0;

	if (opts == NULL)
		return NULL;
	for (size_t i = 0; i < conf_nopts; i++)
		if ((conf_opts[i].sections & section) != 0)
			opts[n++] = (cfg_opt_t)CFG_STR_CB(conf_opts[i].name, NULL, CFGF_NONE,
				on_value);
	opts[n] = (cfg_opt_t)CFG_END();
	cfg_t *cfg = cfg_init(opts, CFGF_NONE);
	free(opts);
	if (cfg != NULL)
		cfg_set_error_function(cfg, on_error);
	return cfg;
}

/* Is there memory for a piece of text of that size? libconfuse's scanner ends the
 * process where it gets none, and with it every worker that serves: what it will
 * take is taken, and given back, before. */
static bool has_room(size_t n)
{
	void *volatile room = malloc(SCANNER_ROOM + 2 * n); /* not to be optimised away */

	free(room);
	return room != NULL;
}

/* Hands the collected body to libconfuse and empties it. 0, -1 no memory. */
static int body_flush(struct body *b)
{
	cfg_t **cfg = &b->cfg[b->section];
	unsigned errors = b->r->notes->errors;
	int rc = 0;

	if (b->section != 0 && b->has_options) {
		if (*cfg == NULL)
			*cfg = make_cfg(b->section);
		if (*cfg == NULL || buf_append(&b->text, "", 1) < 0 || !has_room(buf_len(&b->text)))
			return -1;
		current = b;
		/* Errors were reported where they were found; if it fails without
		 * one, memory ran out. */
		if (cfg_parse_buf(*cfg, (char *)buf_head(&b->text)) != CFG_SUCCESS &&
		    b->r->notes->errors == errors)
			rc = -1;
		current = NULL;
	}
	buf_clear(&b->text);
	b->has_options = false;
	return rc;
}

/* --- lines ---------------------------------------------------------------- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

static bool is_rest_empty(const char *p)
{
	while (is_blank(*p))
		p++;
	return *p == '\0' || *p == ';' || *p == '#';
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '-';
}

/* A value in quotes: *value_out to the text between them, *end_out behind the
 * closing one. What is wrong, or NULL. */
static const char *split_quoted(char *p, char **value_out, char **end_out)
{
	*value_out = ++p;
	while (*p != '"') {
		if (*p == '\\' && *++p != '"' && *p != '\\' && *p != '\0')
			return "only \\\" and \\\\ may follow a backslash in a string";
		if (*p == '\0')
			return "the string is not closed on its line";
		p++;
	}
	*end_out = p + 1;
	return NULL;
}

static const char *split_bare(char *p, char **value_out, char **end_out)
{
	*value_out = p;
	if (*p == '\0' || *p == ';' || *p == '#')
		return "the value is missing (\"\" is an empty one)";
	size_t n = strcspn(p, " \t\"'=;#\\");
	if (p[n] != '\0' && !is_blank(p[n]))
		return "a value with any of \" ' = ; # \\ must be in double quotes";
	*end_out = p + n;
	return NULL;
}

/* Cuts `name = value` in place: the name ends in a NUL, the value, which is
 * not yet unescaped, has len octets. What is wrong with the line, or NULL. */
static const char *split_option(char *p, char **name_out, char **value_out, size_t *len_out)
{
	char *name = p, *end;
	const char *why;

	while (is_name_char(*p))
		p++;
	char *name_end = p;
	p = skip_blanks(p);
	if (name_end == name || *p != '=')
		return "not a line of the form name = value";
	p = skip_blanks(p + 1);
	*name_end = '\0';
	*name_out = name;
	if (*p == '"') {
		why = split_quoted(p, value_out, &end);
		*len_out = why == NULL ? (size_t)(end - *value_out) - 1 : 0;
	} else {
		why = split_bare(p, value_out, &end);
		*len_out = why == NULL ? (size_t)(end - *value_out) : 0;
	}
	if (why == NULL && !is_rest_empty(end))
		return "text behind the value: one option a line, and a value with blanks "
			"in double quotes";
	return why;
}

static void note_unknown(struct conf_reader *r, const char *name, unsigned section,
	const char *where)
{
	char shown[64], list[96];
	unsigned others = conf_opt_sections(name);
	const char *guess = conf_opt_guess(name, section);

	str_clean(shown, sizeof(shown), name, strlen(name));
	if (conf_opt_is_legacy(name))
		conf_note(r->notes, CONF_NOTE_INFO, where,
			"%s has no meaning for this program and is passed over", shown);
	else if (others != 0)
		conf_note(r->notes, CONF_NOTE_ERROR, where,
			"option %s does not belong here but in %s", shown,
			conf_sections_text(others, list, sizeof(list)));
	else if (guess != NULL)
		conf_note(r->notes, CONF_NOTE_ERROR, where,
			"unknown option %s (is %s meant?)", shown, guess);
	else
		conf_note(r->notes, CONF_NOTE_ERROR, where, "unknown option %s", shown);
}

/* Appends the line in the form libconfuse gets. 0, -1 no memory. */
static int body_add(struct body *b, const char *name, const char *value, size_t len)
{
	if (buf_append_str(&b->text, name) < 0 || buf_append_str(&b->text, " = \"") < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '$' && buf_append(&b->text, "\\", 1) < 0)
			return -1;
		if (buf_append(&b->text, value + i, 1) < 0)
			return -1;
	}
	b->has_options = true;
	return buf_append(&b->text, "\"", 1);
}

/* Whether there is one, and how long it is, is all that others may know of a secret:
 * no library has it, and no process that is forked later. What follows a backslash
 * becomes one. */
static void mask(char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '\\')
			value[++i] = '\\';
		else
			value[i] = 'x';
	}
}

static int read_option(struct body *b, char *line, unsigned line_no, bool has_section)
{
	char where[512], *name, *value;
	size_t len;

	if (has_section && b->section == 0)
		return 0;
	const char *why = split_option(line, &name, &value, &len);
	if (why == NULL && !has_section)
		why = "an option must follow a section header";
	const struct conf_opt *o = why == NULL ? conf_opt_find(name, b->section) : NULL;
	if (o != NULL) {
		if ((o->flags & CONF_SECRET) != 0 && b->section != b->r->own_section)
			mask(value, len);
		return body_add(b, name, value, len);
	}
	/* What libconfuse has to say of the lines before comes first. */
	if (body_flush(b) < 0)
		return -1;
	b->first_line = line_no;
	where_of(b->r, line_no, where);
	if (why != NULL)
		conf_note(b->r->notes, CONF_NOTE_ERROR, where, "%s", why);
	else
		note_unknown(b->r, name, b->section, where);
	return 0;
}

/* The ] that ends a header. In the name of a user section those of an address
 * literal, and what is in quotes, are not it. */
static char *header_end(char *p, bool is_users)
{
	if (!is_users)
		return strchr(p, ']');
	for (bool quoted = false; *++p != '\0';) {
		if (*p == '"') {
			quoted = !quoted;
		} else if (*p == '\\' && quoted && p[1] != '\0') {
			p++;
		} else if (*p == ']' && !quoted) {
			char next = *skip_blanks(p + 1);
			if (next != ']' && next != '|')
				return p;
		}
	}
	return NULL;
}

static void read_header(struct body *b, char *p, unsigned line_no)
{
	char where[512], *end = header_end(p, b->r->is_users);

	where_of(b->r, line_no, where);
	b->section = 0;
	b->first_line = line_no;
	if (end == NULL || !is_rest_empty(end + 1)) {
		conf_note(b->r->notes, CONF_NOTE_ERROR, where, "%s", end == NULL ?
			"the section header is not closed by ]" : "text behind the section header");
		return;
	}
	p = skip_blanks(p + 1);
	while (end > p && is_blank(end[-1]))
		end--;
	*end = '\0';
	if (*p == '\0') {
		conf_note(b->r->notes, CONF_NOTE_ERROR, where, "the section has no name");
		return;
	}
	if (!b->r->on_section(b->r, p, where, &b->section, &b->values))
		b->section = 0;
}

/* One line without its end. Each leaves one line in the body, so that the
 * line numbers stay; a header is the first line of its own body. */
static int read_line(struct body *b, char *line, unsigned line_no, bool *has_section)
{
	char *p = skip_blanks(line);

	if (*p == '[') {
		if (body_flush(b) < 0)
			return -1;
		read_header(b, p, line_no);
		*has_section = true;
	} else if (*p != '\0' && *p != ';' && *p != '#') {
		if (read_option(b, p, line_no, *has_section) < 0)
			return -1;
	}
	return buf_append(&b->text, "\n", 1);
}

static int read_text(struct body *b, char *p, char *limit)
{
	bool has_section = false;
	unsigned line_no = 0;
	int rc = 0;

	while (p < limit && rc == 0 && b->r->notes->errors < CONF_ERRORS_MAX) {
		char *end = memchr(p, '\n', (size_t)(limit - p));
		size_t n = (size_t)((end != NULL ? end : limit) - p);
		char *next = end != NULL ? end + 1 : limit;

		line_no++;
		if (n > 0 && p[n - 1] == '\r')
			n--;
		p[n] = '\0';
		if (strlen(p) != n) {
			char where[512];
			conf_note(b->r->notes, CONF_NOTE_ERROR, where_of(b->r, line_no, where),
				"the line holds a NUL");
			*p = '\0';
		}
		rc = read_line(b, p, line_no, &has_section);
		p = next;
	}
	return rc == 0 ? body_flush(b) : rc;
}

int conf_file_parse(struct conf_reader *r, char *text, size_t len)
{
	/* Each octet may get a backslash, each line the room of ` = ""`. */
	struct body b = { .r = r, .text = BUF_INIT(8 * len + 64) };
	bool has_mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
	int rc = read_text(&b, text + (has_mark ? 3 : 0), text + len);

	for (size_t i = 0; i <= CONF_SEC_USER; i++)
		if (b.cfg[i] != NULL)
			cfg_free(b.cfg[i]);
	buf_fini(&b.text);
	if (rc < 0)
		conf_note(r->notes, CONF_NOTE_ERROR, r->path, "out of memory");
	return rc;
}

/* --- the file --------------------------------------------------------------- */

/* All of an open file, with room for a NUL; NULL with errno (EFBIG beyond
 * CONF_FILE_MAX, so that /dev/zero ends too). A file has its room at once: what
 * moved would leave its secrets where it was. */
static char *read_all(int fd, size_t *len_out)
{
	struct buf b = BUF_INIT(CONF_FILE_MAX);
	size_t size = 0;
	struct stat st;
	int e = 0;

	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < (off_t)CONF_FILE_MAX - READ_STEP)
		size = (size_t)st.st_size;
	for (; e == 0; size = 0) {
		unsigned char *room = buf_reserve(&b, size + READ_STEP);
		if (room == NULL) {
			e = buf_len(&b) + READ_STEP > CONF_FILE_MAX ? EFBIG : ENOMEM;
			break;
		}
		ssize_t n = read(fd, room, READ_STEP - 1);
		if (n == 0) {
			*len_out = buf_len(&b);
			return (char *)b.data;
		}
		if (n > 0)
			buf_commit(&b, (size_t)n);
		else if (errno != EINTR)
			e = errno;
	}
	buf_fini(&b);
	errno = e;
	return NULL;
}

/* A group that is root's or our own is as good as its owner. */
static void check_mode(struct conf_reader *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	r->is_world_readable = (st.st_mode & S_IROTH) != 0;
	if ((st.st_mode & S_IWOTH) != 0)
		conf_note(r->notes, CONF_NOTE_WARNING, r->path,
			"everybody can write to it: chmod o-w");
	else if ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0 && st.st_gid != getegid())
		conf_note(r->notes, CONF_NOTE_WARNING, r->path,
			"group %lu can write to it: chmod g-w", (unsigned long)st.st_gid);
}

/* FNV-1a: an accident that hides a change from the log does no harm. */
static uint64_t sum_of(const char *text, size_t len)
{
	uint64_t sum = 14695981039346656037u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)text[i]) * 1099511628211u;
	return sum;
}

int conf_file_read(struct conf_reader *r)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	char *text = fd < 0 ? NULL : read_all(fd, &len);
	int e = errno;

	if (fd >= 0) {
		check_mode(r, fd);
		close(fd);
	}
	if (text == NULL) {
		conf_note(r->notes, CONF_NOTE_ERROR, r->path, "cannot be read: %s", strerror(e));
		return -1;
	}
	r->sum = sum_of(text, len);
	int rc = conf_file_parse(r, text, len);
	explicit_bzero(text, len);
	free(text);
	return rc;
}
