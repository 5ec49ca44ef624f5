/* wwwi_int.h - what the modules of esets_wwwi share.
 *
 *   main.c     options, start, parent: binds, supervises, serves its own counters
 *   serve.c    worker: its loop, who is answered what
 *   web_http.c HTTP by evhttp: connections, one request each, and their bounds
 *   login_brake.c  refuses wrong passwords, late
 *   web_answer.c  the head of each answer
 *   answers.c  what is answered: pages, metrics, JSON
 *   release_ask.c  asks the daemon to release a message
 *   sources.c  where that comes from: tables of counters, index of the quarantine
 */
#ifndef ESETS_WWWI_INT_H
#define ESETS_WWWI_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "conf.h"
#include "series.h"
#include "stats_view.h"
#include "web_gate.h"
#include "web_req.h"

#define WWWI_THREADS 1u

/* --- sources.c ----------------------------------------------------------- */

enum source { SOURCE_AGENT, SOURCE_DAEMON, SOURCE_SELF, SOURCE_COUNT };

struct sources;
/* quarantine_fd: its directory, -1 none; borrowed. NULL: no memory. */
struct sources *sources_new(const struct conf *c, int quarantine_fd);
void sources_free(struct sources **s);
/* Asks the programs anew, but not more than once a second. Blocks, for a part of
 * a second, where one does not answer; it is left alone for a while then. */
void sources_refresh(struct sources *s, long long mono_ms);
/* The table, valid until the next refresh; NULL: sources_why tells why not. */
const struct stats_view *sources_view(const struct sources *s, enum source which);
const char *sources_why(const struct sources *s, enum source which);
const char *sources_program(enum source which);
/* "running", "not-running" or "unknown" */
const char *sources_state(const struct sources *s, enum source which);

struct quar_index {
	bool is_there;
	size_t messages;
	uint64_t octets;
	struct buf json;        /* of the newest, objects with commas between */
};
/* The index, read anew where the directory has changed; valid until the next
 * call. */
const struct quar_index *sources_quarantine(struct sources *s, long long mono_ms);

/* --- web_answer.c -------------------------------------------------------- */

#define ANSWER_MAX ((size_t)8 << 20)
#define NONCE_SIZE 33u
#define WEB_TYPE_TEXT "text/plain; charset=utf-8"

struct answer {
	unsigned status;
	const char *type;       /* static text */
	struct buf body;
	char nonce[NONCE_SIZE]; /* of a page with a script, else "" */
};

/* A line of text. */
void answer_text(struct answer *a, unsigned status, const char *text);
/* The text beside a status. */
const char *answer_phrase(unsigned status);
/* Hands put every field of the head. 0, or the first that put does not return 0. */
int answer_fields(const struct answer *a, int (*put)(void *to, const char *name, const char *value),
	void *to);

/* --- answers.c ----------------------------------------------------------- */

enum answer_kind { ANSWER_NOW, ANSWER_HEALTH };

/* Fills in a, or says that the daemon must be asked first. token: what a release has
 * to be asked with, "" none is. */
enum answer_kind answer_make(struct answer *a, const char *path, struct sources *s,
	const struct series *history, const char *token);
extern const char wwwi_page[];  /* page.c; @NONCE@ in it is replaced */

/* --- web_http.c ---------------------------------------------------------- */

struct event_base;
struct evhttp_request;
struct web_http;

#define WEB_PLACES 64u      /* connections at once */

/* A request: in is to be answered once, at once or later; r holds for this call.
 * Connections do not give way to new ones as long as their request waits for its
 * answer: fewer than WEB_PLACES may do so at a time. */
typedef void (*web_http_fn)(struct evhttp_request *in, const struct web_req *r, void *arg);

/* Accepts at listen_fd (borrowed). NULL with errno. */
struct web_http *web_http_new(struct event_base *base, int listen_fd, web_http_fn serve, void *arg);
/* Closes all; requests that were not answered are gone. */
void web_http_free(struct web_http **h);
/* No more connections; leaves the loop when those that are there have their
 * answers. One that never asks is the caller's to end. */
void web_http_stop(struct web_http *h);
/* Takes a's body. The client may have gone. */
void web_http_answer(struct evhttp_request *in, struct answer *a);
/* A line of text. */
void web_http_text(struct evhttp_request *in, unsigned status, const char *text);
/* The answer takes longer than the half minute that is usual, but not more than this. */
void web_http_hold(struct web_http *h, struct evhttp_request *in, int seconds);
/* The client's address as text, valid as long as the request is. */
const char *web_http_peer(struct evhttp_request *in);

/* --- login_brake.c ------------------------------------------------------- */

#define LOGIN_HELD_MAX 16u  /* wrong passwords that wait for their answer */
#define LOGIN_HELD_S 1
#define LOGIN_TEXT "username and password are needed"

/* Against who guesses and waits for the answers; nobody who knows the password waits,
 * or is kept out. */
struct login_brake;
struct login_brake *login_brake_new(struct event_base *base);
/* Requests that wait are the caller's to close, before. */
void login_brake_free(struct login_brake **b);
/* Answers with 401 in a second, or with 429 now if too many wait for theirs. */
void login_brake_refuse(struct login_brake *b, struct evhttp_request *in);

/* --- release_ask.c ------------------------------------------------------- */

struct release_ask;
struct release_answer;
struct release_job;

/* Called once, in the loop; the job is gone then. */
typedef void (*release_fn)(const struct release_answer *a, void *arg);
/* Asks at daemon_sock_path's side socket. NULL with a text. */
struct release_job *release_job_start(struct event_base *base, const char *daemon_sock_path,
	const struct release_ask *ask, release_fn done, void *arg, const char **why_out);
void release_job_cancel(struct release_job **j);

#define RELEASE_S 600     /* that a release may take */

/* --- serve.c ------------------------------------------------------------- */

struct wwwi_cfg {
	const struct conf *conf;
	int listen_fd;
	int quarantine_fd;      /* -1 none */
	int signal_fd;          /* TERM, USR2 */
	const struct web_gate *gate;
	struct series *history; /* outlives this process */
};

/* Runs until TERM or USR2. The exit status. */
int wwwi_serve(const struct wwwi_cfg *cfg);

#endif
