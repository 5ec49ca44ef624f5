/* conf_int.h - what the conf_*.c share; nobody else includes it.
 *
 * The way of a value: conf_file.c reads esets.cfg into one struct conf_values
 * a section (text and origin of each option), conf_cli.c does the same with
 * argv, conf.c lays one over the other, lets agents inherit from [global] and
 * stores the result by the table of conf_table.c into struct conf. A value is
 * checked where it is read, so that each error names its own line, and parsed
 * once more, by the same function, where it is stored. */
#ifndef ESETS_CONF_INT_H
#define ESETS_CONF_INT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"

/* Sections of this project, as bits: where an option may stand. */
enum {
	CONF_SEC_GLOBAL = 1,
	CONF_SEC_SMTP = 2,
	CONF_SEC_WWWI = 4,
	CONF_SEC_USER = 8,      /* sections of the file user_config names */
	CONF_SEC_AGENTS = CONF_SEC_SMTP | CONF_SEC_WWWI,
	CONF_SEC_MODULE = CONF_SEC_GLOBAL | CONF_SEC_AGENTS,
	CONF_SEC_SCAN = CONF_SEC_GLOBAL | CONF_SEC_SMTP | CONF_SEC_USER
};

/* The structure of conf.h that an option is stored in. */
enum conf_group { CONF_IN_NONE, CONF_IN_MODULE, CONF_IN_SCAN, CONF_IN_GLOBAL, CONF_IN_SMTP,
	CONF_IN_WWWI, CONF_IN_COUNT };

enum conf_type {
	CONF_T_BOOL,    /* bool */
	CONF_T_U16, CONF_T_U32, CONF_T_U64,
	CONF_T_MILLI,   /* uint32_t: decimal number * 1000; "" is 0 */
	CONF_T_WORD,    /* enum, one of the row's words */
	CONF_T_STR,     /* const char * */
	CONF_T_PATH,    /* the same, absolute */
	CONF_T_FILE     /* the same, relative to the directory of esets.cfg */
};

enum {
	CONF_NONEMPTY = 1,   /* "" is refused */
	CONF_SECRET = 2,     /* left out by --dump-config */
	CONF_RESTART = 4,    /* a reload does not change it */
	CONF_NOT_YET = 8     /* read, without effect: a warning where it is set */
};

struct conf_word { const char *name; int value; };

/* 0; -1 with what is wrong in why. */
typedef int (*conf_check_fn)(const char *text, char *why, size_t size);

struct conf_opt {
	const char *name;
	unsigned sections;               /* CONF_SEC_* */
	enum conf_group group;
	enum conf_type type;
	unsigned flags;
	const char *def;                 /* as one would write it; NULL none */
	const char *def_text;            /* what manuals say instead, or NULL */
	uint64_t min, max;               /* numbers; max also octets of a text */
	const char *unit;                /* of a number, or "" */
	const char *meta;                /* the value's name in --help */
	const struct conf_word *words;   /* ends with a NULL name */
	conf_check_fn check;             /* of texts, or NULL */
	size_t offset;                   /* in its group's structure */
	size_t size;                     /* of the field */
	const char *help;
};

#define CONF_OPTS_MAX 128
#define CONF_WHY 256

extern const struct conf_opt conf_opts[];
extern const size_t conf_nopts;

/* The row of a name in one section (one CONF_SEC_ bit), or NULL. */
const struct conf_opt *conf_opt_find(const char *name, unsigned section);
/* All sections that have an option of that name, 0 for none. */
unsigned conf_opt_sections(const char *name);
/* The name in that section that a typing error may have meant, or NULL. */
const char *conf_opt_guess(const char *name, unsigned section);
/* An option of the original suite that has no meaning here. */
bool conf_opt_is_legacy(const char *name);
static inline size_t conf_opt_index(const struct conf_opt *o) { return (size_t)(o - conf_opts); }
static inline bool conf_opt_is_number(const struct conf_opt *o)
{
	return o->type == CONF_T_U16 || o->type == CONF_T_U32 || o->type == CONF_T_U64;
}
static inline bool conf_opt_is_text(const struct conf_opt *o)
{
	return o->type == CONF_T_STR || o->type == CONF_T_PATH || o->type == CONF_T_FILE;
}
/* "[global] or [smtp]" for messages. */
const char *conf_sections_text(unsigned sections, char *out, size_t size);
const char *conf_section_name(unsigned section);
/* One typing error apart: a letter wrong, missing, too many, or two swapped. */
bool conf_is_typo(const char *a, const char *b);
/* The default as manual and --help have it. */
const char *conf_opt_default_text(const struct conf_opt *o);
/* A number for the row's reader: octets as short as K, M and G make it. */
const char *conf_number_text(const struct conf_opt *o, uint64_t n, char out[32]);

/* Checks the text of a value; 0, or -1 and why. */
int conf_opt_check(const struct conf_opt *o, const char *text, char *why, size_t size);
/* Does the checked text mean the same as the row's default? */
bool conf_opt_is_default(const struct conf_opt *o, const char *text);
/* What manuals say of a row without effect, or NULL. */
static inline const char *conf_opt_state(const struct conf_opt *o)
{
	return (o->flags & CONF_NOT_YET) != 0 ? "no effect yet" : NULL;
}
/* Stores a checked text (which must live as long as the structure). */
void conf_opt_store(const struct conf_opt *o, void *group, const char *text);
/* The stored value as one would write it in the file, strings in quotes. */
void conf_opt_print(const struct conf_opt *o, const void *group, FILE *out);

/* conf_check.c: checks that look into the text. */
int conf_check_facility(const char *text, char *why, size_t size);
int conf_check_classes(const char *text, char *why, size_t size);
int conf_check_networks(const char *text, char *why, size_t size);
int conf_check_endpoints(const char *text, char *why, size_t size);
int conf_check_engine_addrs(const char *text, char *why, size_t size);
int conf_check_av_engines(const char *text, char *why, size_t size);
int conf_check_as_engines(const char *text, char *why, size_t size);
int conf_check_url(const char *text, char *why, size_t size);
int conf_check_users(const char *text, char *why, size_t size);
int conf_check_user(const char *text, char *why, size_t size);
int conf_check_exts(const char *text, char *why, size_t size);
int conf_check_hashes(const char *text, char *why, size_t size);
int conf_check_masks(const char *text, char *why, size_t size);
int conf_check_ip(const char *text, char *why, size_t size);
int conf_check_host(const char *text, char *why, size_t size);
/* Is the name an item of the list? */
bool conf_list_has(const char *list, char sep, const char *name);
/* An item of listen_addr or server_addr that is a UNIX socket's path, or NULL. */
const char *conf_unix_path(const char *item);
#define CONF_ITEM_MAX 512  /* an address with its NUL */

/* Memory that lives as long as the configuration. A failed allocation is
 * remembered; texts are "" then. */
struct conf_arena {
	struct conf_chunk *chunks;
	bool failed;
};
void *conf_arena_alloc(struct conf_arena *a, size_t n);
const char *conf_arena_str(struct conf_arena *a, const char *s);
void conf_arena_fini(struct conf_arena *a);

/* Where messages go, and how many errors there were. */
struct conf_notes {
	conf_note_fn fn;
	void *arg;
	unsigned errors;
};
#define CONF_ERRORS_MAX 100  /* then the rest of a file is not looked at */
/* where: "FILE:LINE", "--option" or NULL. */
void conf_note(struct conf_notes *n, enum conf_note kind, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* What one section says of an option. text NULL: nothing, or (is_bad) a value
 * that was refused. origin NULL, in merged values: the default. */
struct conf_value { const char *text, *origin; bool is_bad; };
struct conf_values { struct conf_value v[CONF_OPTS_MAX]; };  /* by row */

/* One file being read. on_section is called at each header, in file order:
 * it says which options may stand there (one CONF_SEC_ bit) and where they
 * go, or false to pass the section over. values are complete when the next
 * call comes, or conf_file_read returns. */
struct conf_reader {
	const char *path;
	struct conf_arena *mem;
	struct conf_notes *notes;
	bool is_world_readable;       /* out: of conf_file_read */
	uint64_t sum;                 /* out: another where the text is another */
	bool is_users;       /* names of sections are addresses */
	unsigned own_section;         /* the program's: secrets of others are masked */
	bool (*on_section)(struct conf_reader *r, const char *name, const char *where,
		unsigned *section_out, struct conf_values **values_out);
	void *ctx;
};
#define CONF_FILE_MAX (64u << 20)
/* All errors go to notes. 0 read to its end (perhaps with errors noted). */
int conf_file_read(struct conf_reader *r);
/* The same with the text in memory, which is changed; text[len] is writable. */
int conf_file_parse(struct conf_reader *r, char *text, size_t len);

/* One option of the command line. */
struct conf_set {
	const struct conf_opt *opt;
	const char *text;
	const char *where;   /* "--num-thrd" */
};
unsigned conf_program_section(enum conf_program p);   /* 0 for tools */
const char *conf_program_name(enum conf_program p);
/* May the row's option be given on that program's command line? */
bool conf_program_has(enum conf_program p, const struct conf_opt *o);
#define CONF_DEFAULT_PATH SYSCONFDIR "/esets/esets.cfg"
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

/* Lays own over parent (NULL: none) for the options of one section: what own
 * does not say comes from parent where the same row belongs to both, else it
 * is the default. Then conf_scan_store stores the scanner common options and
 * resolves what follows what. */
void conf_values_merge(const struct conf_values *own, const struct conf_values *parent,
	unsigned section, struct conf_values *out);
void conf_scan_store(const struct conf_values *merged, unsigned section, struct conf_scan *out);
/* Options that others follow, or that follow one unless they are set: as bits,
 * which of them are set in merged values; the bit of one row, or 0. */
unsigned conf_scan_set_in(const struct conf_values *merged, unsigned section);
unsigned conf_scan_set_bit(const struct conf_opt *o);
/* The option that the row follows in merged values of a section, or NULL. */
const struct conf_opt *conf_followed(const struct conf_opt *o, const struct conf_values *merged,
	unsigned section);
/* Lets follow what is not set. May be done again when more is set. */
void conf_scan_follow(struct conf_scan *scan, unsigned set);
const struct conf_value *conf_value_of(const struct conf_values *vs, const char *name,
	unsigned section);
/* The structure of a group in one section's part of the configuration, or
 * NULL where that has none. */
const void *conf_group_of(const struct conf *c, unsigned section, enum conf_group group);

/* conf_rules.c: what must hold between options, of all that is in force for one
 * program; and of secrets, by section as conf_merged has them, in a file. */
void conf_check_all(const struct conf *c, enum conf_program program, struct conf_notes *notes);
void conf_check_secrets(const struct conf_values own[3], const struct conf_reader *r);

struct conf_users;
/* conf_user.c: the file that user_config of [smtp] names, into c->priv->users. */
void conf_users_load(struct conf *c, struct conf_notes *notes);
void conf_users_free(struct conf_users **users);

struct conf_priv {
	struct conf_arena mem;
	struct conf_users *users;       /* NULL none */
	uint64_t users_sum;             /* of the text of their file, 0 none */
	struct conf_values merged[3];   /* global, smtp, wwwi after inheritance */
};
/* What holds for one of GLOBAL, SMTP, WWWI. */
const struct conf_values *conf_merged(const struct conf *c, unsigned section);

#endif
