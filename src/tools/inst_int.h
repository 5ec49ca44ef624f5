/* inst_int.h - the parts of esets_inst: programs it runs, files, what is
 * printed, test mails. */
#ifndef ESETS_INST_INT_H
#define ESETS_INST_INT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "inst_plan.h"

#define INST_WHY 600

/* --- inst_run.c: programs of Postfix --- */

#define INST_OUTPUT_MAX (1u << 20)

struct inst_output {
	int status;          /* exit status; -1 it could not be run, or did not end */
	char *out;           /* what it printed, to be freed */
	char err[INST_WHY];  /* what it complained of, or why it is -1; cleaned */
};
/* Is a program of this name in the places of system programs? Its path. */
bool inst_program(const char *name, char path[64]);
/* Runs it: argv[0] is the path; no shell, a clean environment, at most a
 * minute. 0 its status is 0, -1 anything else. Blocks. */
int inst_run(const char *const argv[], struct inst_output *out);
/* The same, for who needs only to know what was wrong. */
int inst_run_quietly(const char *const argv[], char why[INST_WHY]);

/* --- inst_postfix.c: one instance of Postfix --- */

struct inst_site {
	char dir[PATH_MAX];          /* its configuration */
	int fd;                      /* the same, or -1 */
	char postconf[64], postfix[64];
};
/* Finds Postfix and its configuration (dir NULL: where Postfix itself looks).
 * 0, -1 with why. inst_site_close in either case. */
int inst_site_open(struct inst_site *s, const char *dir, char why[INST_WHY]);
void inst_site_close(struct inst_site *s);
/* All that matters of main.cf and master.cf. 0, -1 with why. */
int inst_site_read(const struct inst_site *s, struct inst_postfix *out, char why[INST_WHY]);
/* Does the steps of one kind, INST_MAIN or INST_MASTER, by postconf. */
int inst_site_change(const struct inst_site *s, const struct inst_plan *plan,
	enum inst_kind kind, char why[INST_WHY]);
bool inst_site_is_running(const struct inst_site *s);
/* `postfix check`, and where it runs `postfix reload`. 0, -1 with why. */
int inst_site_check(const struct inst_site *s, char why[INST_WHY]);
int inst_site_take_up(const struct inst_site *s, bool is_running, char why[INST_WHY]);
/* Is there mail in the queue? */
bool inst_site_has_mail(const struct inst_site *s);

/* --- inst_apply.c: changes, and what is kept of them beside main.cf --- */

struct inst_config {             /* esets.cfg */
	char path[PATH_MAX];
	char *text;                  /* NULL: there is none to be changed */
	size_t len;
	/* Says what is wrong with a file in the place of the old one. 0, -1. */
	int (*check)(const char *path, char why[INST_WHY]);
};

/* Holds the lock while it is open, if for_change. 0, -1 with why. */
struct inst_state {
	int fd;                      /* of the directory, -1 there is none */
	struct inst_journal journal;
};
int inst_state_open(struct inst_state *st, const struct inst_site *s, bool for_change,
	char why[INST_WHY]);
/* Leaves no empty directory. */
void inst_state_close(struct inst_state *st, const struct inst_site *s);
/* Makes all changes of a plan, or none: 0; -1 with why, all is as it was unless
 * why says else. */
int inst_apply(struct inst_state *st, const struct inst_site *s, const struct inst_plan *plan,
	enum inst_mode mode, struct inst_config *config, char why[INST_WHY]);
/* The same for a plan of inst_plan_undo. A file that nobody has touched since
 * becomes what it was octet for octet. What was kept is removed then. */
int inst_undo(struct inst_state *st, const struct inst_site *s, const struct inst_plan *plan,
	struct inst_config *config, char why[INST_WHY]);

/* --- inst_files.c: whole files --- */

struct buf;
/* A copy of the octets with a NUL behind them, to be freed; NULL no memory. */
char *inst_text_of(const struct buf *b);
/* All of a file, with a NUL behind it, to be freed; NULL with errno. */
char *inst_file_read(int dir, const char *name, size_t *len_out);
/* Writes a file whole or not at all; on the disk when this returns. One that
 * is there keeps owner and mode, a new one has mode. 0, -1 with errno. */
int inst_file_write(int dir, const char *name, const void *text, size_t n, mode_t mode);
/* Are they the same, octet for octet? A file that is not there: false. */
bool inst_file_is(int dir, const char *name, const void *text, size_t n);

/* --- inst_print.c: on stdout --- */

/* What a plan changes, in esets.cfg and in Postfix's files by their paths, and
 * what is to be said of it. */
void inst_print_plan(const struct inst_plan *plan, const char *config, const char *postfix);
/* Text in lines of less than 80 columns, the first with a head. */
void inst_print_folded(const char *head, const char *text);
/* A word of a command as a shell takes it. */
void inst_print_word(const char *word);

/* --- inst_check.c: test mails --- */

struct inst_check {
	enum inst_mode mode;
	const char *agent_host;
	unsigned agent_port;
	const char *front_host;      /* of Postfix; "" there is none to be tried */
	unsigned front_port;
	bool is_circle;              /* the filter's mail comes in there again */
	const char *front_name;      /* its service */
	const char *filter;          /* content_filter in force there */
	const char *status_path;     /* where the agent tells its counters */
	const char *rcpt;
	const char *postfix_dir;
	enum policy_action expects;  /* what the agent is to do with a virus */
	bool has_users;              /* unless a section, which is not read here, says else */
	bool is_dry_run;             /* it delivers all, policy_dry_run */
	bool is_reloading;           /* it was told so just now */
	unsigned scan_s;             /* a verdict takes at most */
};
/* Sends mails and prints what became of them. true: a clean one goes through,
 * and one with the test virus does not. Blocks. */
bool inst_check_run(const struct inst_check *c);

#endif
