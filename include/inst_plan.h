/* inst_plan.h - how the agent is hooked into a Postfix: what Postfix says of
 * itself, what is to be changed, what was changed. Pure.
 *
 *     postconf's output --inst_params_*, inst_services_*--> struct inst_postfix
 *     struct inst_agent (esets.cfg), struct inst_postfix --inst_plan--> struct inst_plan
 *     struct inst_plan --inst_journal_add--> struct inst_journal <-> a file
 *     struct inst_journal, struct inst_postfix --inst_plan_undo--> struct inst_plan
 *
 * A plan is a list of steps, each one parameter of main.cf, one service of
 * master.cf or one line of esets.cfg with what it is and what it is to be; what
 * is as it should be already is no step, so a second plan has none. The
 * structures are large: not for the stack of a thread. */
#ifndef ESETS_INST_PLAN_H
#define ESETS_INST_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

#define INST_NAME_MAX ((size_t)128)
#define INST_TEXT_MAX 2048      /* of a value or a service with its options */
#define INST_STEPS_MAX 24
#define INST_NOTES_MAX 24
#define INST_NOTE_MAX 800
#define INST_SERVICES_MAX 128
#define INST_OVERRIDES_MAX 64

enum inst_mode { INST_AFTER_QUEUE, INST_BEFORE_QUEUE };
const char *inst_mode_name(enum inst_mode m);

/* --- what Postfix says ------------------------------------------------------------ */

/* The parameters that matter, in the order of the names for postconf. */
#define INST_PARAMS(X) \
	X(content_filter) X(receive_override_options) X(smtpd_proxy_filter) \
	X(smtpd_proxy_timeout) X(smtpd_proxy_options) X(esets_destination_concurrency_limit) \
	X(default_destination_concurrency_limit) X(default_process_limit) X(inet_interfaces) \
	X(inet_protocols) X(mydestination) X(mydomain) X(myorigin) X(double_bounce_sender) \
	X(message_size_limit) X(multi_instance_directories) X(master_service_disable) \
	X(smtp_bind_address) X(smtp_bind_address6) \
	X(smtpd_upstream_proxy_protocol) X(smtpd_tls_wrappermode) X(smtpd_milters)

#define INST_PARAM_ID(name) INST_P_##name,
enum inst_param_id { INST_PARAMS(INST_PARAM_ID) INST_P_COUNT };

extern const char *const inst_param_names[INST_P_COUNT];

struct inst_param {
	bool is_set;                     /* main.cf has it */
	char raw[INST_TEXT_MAX];         /* as main.cf has it, "" not set */
	char value[INST_TEXT_MAX];       /* in force, $names expanded */
};

struct inst_service {
	char name[INST_NAME_MAX], type[16], maxproc[16], command[INST_NAME_MAX];
	char line[INST_TEXT_MAX];        /* all of it, one blank between words */
};

/* NAME/TYPE has PARAM = VALUE of its own; of the parameters above only. */
struct inst_override {
	char service[INST_NAME_MAX + 16];
	enum inst_param_id param;
	char value[INST_NAME_MAX];
};

struct inst_postfix {
	struct inst_param params[INST_P_COUNT];
	struct inst_service services[INST_SERVICES_MAX];
	size_t nservices;
	struct inst_override overrides[INST_OVERRIDES_MAX];
	size_t noverrides;
};

/* What `postconf NAME...` (with -n: is_set and raw, with -x: value), `postconf
 * -M` and `postconf -P` print. Unknown names are passed over, what else is no
 * such line or too long is an error: 0, -1 with what is wrong in why. */
int inst_params_parse(struct inst_postfix *p, const char *text, bool is_n,
	char why[INST_NOTE_MAX]);
int inst_services_parse(struct inst_postfix *p, const char *text, char why[INST_NOTE_MAX]);
int inst_overrides_parse(struct inst_postfix *p, const char *text, char why[INST_NOTE_MAX]);

/* "NAME/TYPE"; NULL none. */
const struct inst_service *inst_service_find(const struct inst_postfix *p, const char *key);

/* Host and port of an inet service: "smtp", "2525", "[::1]:25", "host:25". The
 * host is "" for all addresses; the port may be a name. */
void inst_service_addr(const char *name, char host[INST_NAME_MAX], char port[INST_NAME_MAX]);
/* A port's number; 0 for a name that is none of smtp, submission, smtps,
 * submissions. */
unsigned inst_port_number(const char *port);
/* The inet service at which mail from elsewhere comes in, other than except:
 * smtpd or postscreen without TLS of its own, port 25 where there is one. */
const struct inst_service *inst_service_front(const struct inst_postfix *p, const char *except);

/* --- inst_hook.c: which filter is in force --- */

/* What holds at a service: its own "-o", or main.cf's; behind postscreen that of the
 * smtpd it hands over to. */
const char *inst_value_at(const struct inst_postfix *p, const struct inst_service *s,
	enum inst_param_id id);
/* Does a content_filter or smtpd_proxy_filter end at this port? */
bool inst_leads_to(const char *filter, unsigned port);
/* Does mail from elsewhere come in there? Not at the way back of a filter, ours or
 * another's. */
bool inst_takes_mail(const struct inst_postfix *p, const struct inst_service *s);

/* The address whose mail Postfix throws away by itself, in a domain of its own if
 * there is one. */
void inst_discarded_address(const struct inst_postfix *p, char out[2 * INST_NAME_MAX]);

/* --- what esets.cfg says ---------------------------------------------------------- */

#define INST_LISTEN_PORT 2526   /* where esets.cfg sets none */
#define INST_SERVER_PORT 2525

struct inst_agent {
	bool is_enabled;
	const char *listen_addr, *server_addr;  /* lists, "" unset */
	unsigned listen_port, server_port;      /* 0 unset */
	uint32_t max_sessions;                  /* 0 none */
	uint32_t scans;                         /* that the scanner does at a time */
	uint32_t scan_timeout_s;
	struct policy_actions actions;
	bool quarantine, has_users;
	bool server_proxy, server_xclient;
	const char *conf_text;                  /* of the file */
	bool keep_config;                       /* leave the file as it is */
};

/* --- plans ------------------------------------------------------------------------- */

enum inst_kind { INST_MAIN, INST_MASTER, INST_CONF };

struct inst_step {
	enum inst_kind kind;
	char name[INST_NAME_MAX];        /* parameter, NAME/TYPE, option of [smtp] */
	bool had, has;                   /* is it there before, after? */
	char was[INST_TEXT_MAX], becomes[INST_TEXT_MAX];  /* value, service, whole line */
};

/* NOTE: to know; CONFLICT: something else would be lost, so only if forced;
 * FATAL: it would not work. */
enum inst_level { INST_NOTE, INST_CONFLICT, INST_FATAL };

struct inst_plan {
	struct inst_step steps[INST_STEPS_MAX];
	size_t nsteps;
	struct inst_note { enum inst_level level; char text[INST_NOTE_MAX]; } notes[INST_NOTES_MAX];
	size_t nnotes;
	/* Where things are with this plan, for checks. */
	char back[INST_NAME_MAX];        /* service of the way back, NAME/TYPE */
	char agent_host[INST_NAME_MAX];  /* where the agent listens, without brackets */
	unsigned agent_port;
	char back_host[INST_NAME_MAX];
	unsigned back_port;
	/* The way back leads to this service, where mail comes in; NULL it does not. */
	const struct inst_service *circle;
};

struct inst_journal {
	bool is_there;
	enum inst_mode mode;
	char config[INST_TEXT_MAX];      /* path of esets.cfg */
	struct inst_step steps[INST_STEPS_MAX];
	size_t nsteps;
};

/* j: what was changed by earlier runs, and so is ours to change again. */
void inst_plan(struct inst_plan *out, enum inst_mode mode, const struct inst_agent *a,
	const struct inst_postfix *p, const struct inst_journal *j);
/* Back to how it was. What has been changed since by others is a CONFLICT;
 * forced, it is undone too. conf_text NULL: esets.cfg stays. */
void inst_plan_undo(struct inst_plan *out, const struct inst_journal *j,
	const struct inst_postfix *p, const char *conf_text);
/* The worst of the notes; INST_NOTE where there is none. */
enum inst_level inst_plan_level(const struct inst_plan *plan);
/* Has it steps of this kind? */
bool inst_plan_has(const struct inst_plan *plan, enum inst_kind kind);

/* Is everything in main.cf and master.cf as the plan wanted it? */
bool inst_plan_holds(const struct inst_plan *plan, const struct inst_postfix *p);

/* For those who make plans. */
void inst_plan_step(struct inst_plan *plan, enum inst_kind kind, const char *name,
	const char *was, const char *becomes);   /* NULL: not there */
#define INST_SHOWN_MAX ((size_t)304)
/* As much of a text as a note has room for, in whole words; what is cut ends with dots. */
const char *inst_plan_shown(char out[INST_SHOWN_MAX], const char *text);
__attribute__((format(printf, 3, 4)))
void inst_plan_note(struct inst_plan *plan, enum inst_level level, const char *fmt, ...);

/* --- what was changed -------------------------------------------------------------- */

/* The oldest state of each thing is kept. 0, -1 too many. */
int inst_journal_add(struct inst_journal *j, const struct inst_plan *plan);
/* The step of that thing, or NULL. */
const struct inst_step *inst_journal_find(const struct inst_journal *j, enum inst_kind kind,
	const char *name);
struct buf;
int inst_journal_format(const struct inst_journal *j, struct buf *out);   /* 0, -1 no room */
int inst_journal_parse(struct inst_journal *j, const char *text, size_t n, const char **why_out);

/* --- esets.cfg ---------------------------------------------------------------------- */

/* The line that sets an option in section [smtp], without its end; the last
 * one counts. 1 there is one, 0 none, -1 it is too long. */
int inst_conf_line(const char *text, const char *name, char line[INST_TEXT_MAX]);
/* Puts line in the place of that one, or, if there is none, behind the sample
 * line ";name = ..." of the section, or behind its header, or in a new section;
 * NULL takes it out. 0, -1 no room in out. */
int inst_conf_edit(const char *text, const char *name, const char *line, struct buf *out);

#endif
