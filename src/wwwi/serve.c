/* serve.c - the worker of esets_wwwi: its loop, who is answered what, and when.
 *
 * Requests come from web_http.c and answers go there; pages are made by answers.c.
 * What has to wait for the daemon waits here, within bounds.
 * One thread; nothing but sources.c blocks, and not for long. */
#include "wwwi_int.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "quar_meta.h"
#include "release_msg.h"
#include "scan_client.h"
#include "str.h"

#define STOP_S 2
#define HEALTH_MS 2000u        /* for the daemon's verdict */
#define HEALTH_FRESH_MS 1000   /* one serves all who ask meanwhile */
#define WAITING_MAX 32u
#define TOKEN_SIZE 33u

_Static_assert(WAITING_MAX + LOGIN_HELD_MAX + 1 < WEB_PLACES, "see web_http_fn");

struct web {
	const struct wwwi_cfg *cfg;
	struct event_base *base;
	struct event *stop, *sample, *signal;
	struct sources *sources;
	struct web_http *http;
	bool is_stopping;
	struct log_limit login_limit;
	struct login_brake *brake;
	/* what the daemon said, and who waits for it */
	struct scan_client *scanner;
	struct scan_job *job;
	struct evhttp_request *waiting[WAITING_MAX];
	unsigned nwaiting;
	long long health_ms;
	bool has_health, is_well;
	char health[VERDICT_REASON_MAX + 64];
	/* the release that is on its way, and what the next has to be asked with */
	struct release_job *release;
	struct evhttp_request *releasing;
	char token[TOKEN_SIZE];
};

static long long mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* --- /healthz ------------------------------------------------------------ */

/* Where the agent is to run, it has to. */
static void health_answer(struct web *w, struct evhttp_request *in)
{
	sources_refresh(w->sources, mono_ms());
	if (!w->is_well) {
		web_http_text(in, 503, w->health);
	} else if (w->cfg->conf->smtp.mod.agent_enabled &&
	    sources_view(w->sources, SOURCE_AGENT) == NULL) {
		char text[300];
		snprintf(text, sizeof text, "esets_smtp: %s", sources_why(w->sources, SOURCE_AGENT));
		web_http_text(in, 503, text);
	} else {
		web_http_text(in, 200, "ok");
	}
}

static void on_verdict(void *arg, struct verdict *v, int clean_fd)
{
	struct web *w = arg;

	if (clean_fd >= 0)
		close(clean_fd);
	w->job = NULL;
	w->has_health = true;
	w->health_ms = mono_ms();
	w->is_well = (v->av & VERDICT_AV_UNAVAILABLE) == 0;
	snprintf(w->health, sizeof w->health, "esets_daemon gives no verdict: %s", v->reason);
	while (w->nwaiting > 0)
		health_answer(w, w->waiting[--w->nwaiting]);
}

static int health_ask(struct web *w)
{
	static const char mail[] = "Subject: esets_wwwi asks how you are\r\n\r\n\r\n";
	struct scan_request r = { .id = "wwwi-health", .agent = "wwwi", .sender = "", .client = "",
		.helo = "", .queue_id = "", .name = "", .is_mail = true, .is_inline = true,
		.octets = mail, .size = sizeof mail - 1, .want_av = true,
		.opts = w->cfg->conf->global.scan.opts };

	r.opts.clean_mode = SCAN_CLEAN_NONE;
	r.opts.quarantine = false;
	w->job = scan_client_start(w->scanner, &r, -1, HEALTH_MS, on_verdict, w);
	return w->job != NULL ? 0 : -1;
}

static void health(struct web *w, struct evhttp_request *in)
{
	if (w->job == NULL && w->has_health && mono_ms() - w->health_ms < HEALTH_FRESH_MS)
		health_answer(w, in);
	else if (w->nwaiting == WAITING_MAX)
		web_http_text(in, 503, "too many wait for this answer");
	else if (w->job == NULL && health_ask(w) < 0)
		web_http_text(in, 503, "out of memory");
	else
		w->waiting[w->nwaiting++] = in;
}

/* --- /release ------------------------------------------------------------ */

static void on_released(const struct release_answer *r, void *arg)
{
	struct web *w = arg;

	w->release = NULL;
	web_http_text(w->releasing, r->is_released ? 200 : 502, r->text);
}

/* From here on it is in order; the daemon checks all it needs for itself. */
static void release_start(struct web *w, struct evhttp_request *in, struct release_ask *ask)
{
	char text[300];
	const char *why;

	snprintf(ask->by, sizeof ask->by, "%s from %s", w->cfg->conf->wwwi.username,
		web_http_peer(in));
	w->release = release_job_start(w->base, w->cfg->conf->global.daemon_sock_path, ask,
		on_released, w, &why);
	if (w->release == NULL) {
		snprintf(text, sizeof text, "esets_daemon cannot be asked: %s (it has to run, and to be "
			"restarted once after release = yes was set)", why);
		web_http_text(in, 502, text);
		return;
	}
	w->releasing = in;
	web_http_hold(w->http, in, RELEASE_S);
}

static void release(struct web *w, struct evhttp_request *in, const struct web_req *r)
{
	struct release_ask ask = { .id = "" };
	char token[TOKEN_SIZE], released[24];

	if (!web_gate_is_same_origin(r) ||
	    web_form_get(r->body, r->body_len, "token", token, sizeof token) < 0 ||
	    !web_gate_is_secret(token, w->token))
		web_http_text(in, 403, "this was not asked from the page as it is now: load it again");
	else if (web_form_get(r->body, r->body_len, "id", ask.id, sizeof ask.id) < 0 ||
	    !quar_id_is_valid(ask.id) ||
	    web_form_get(r->body, r->body_len, "released", released, sizeof released) < 0 ||
	    str_parse_u64(released, &ask.released_s) < 0)
		web_http_text(in, 400, "this names no message in quarantine");
	else if (w->release != NULL)
		web_http_text(in, 503, "another message is being released: try again");
	else
		release_start(w, in, &ask);
}

/* --- requests ------------------------------------------------------------ */

static void refuse_login(struct web *w, struct evhttp_request *in, const struct web_req *r)
{
	if (r->auth[0] == '\0') { /* a browser's first */
		web_http_text(in, 401, LOGIN_TEXT);
		return;
	}
	if (log_limited(&w->login_limit, 5))
		log_warning("login refused, client=%s", web_http_peer(in));
	login_brake_refuse(w->brake, in);
}

static void serve(struct evhttp_request *in, const struct web_req *r, void *arg)
{
	struct web *w = arg;
	struct answer a = { .body = BUF_INIT(ANSWER_MAX) };

	switch (web_gate_ask(w->cfg->gate, r)) {
	case WEB_WRONG_HOST:
		web_http_text(in, 421, "no such host here: use an address, localhost or this "
			"machine's name");
		return;
	case WEB_WHO:
		refuse_login(w, in, r);
		return;
	case WEB_OK:
		break;
	}
	if (r->method == WEB_POST && w->token[0] != '\0' && strcmp(r->path, "/release") == 0)
		release(w, in, r);
	else if (r->method != WEB_GET && r->method != WEB_HEAD)
		web_http_text(in, 405, "GET and HEAD only");
	else if (answer_make(&a, r->path, w->sources, w->cfg->history, w->token) == ANSWER_NOW)
		web_http_answer(in, &a);
	else
		health(w, in);
}

/* --- time and signals ---------------------------------------------------- */

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;
	const long long ms = mono_ms();

	(void)fd;
	(void)what;
	if (w->is_stopping)
		return; /* another worker may be taking them already */
	sources_refresh(w->sources, ms);
	series_take(w->cfg->history, sources_view(w->sources, SOURCE_AGENT),
		sources_view(w->sources, SOURCE_DAEMON), ms, time(NULL));
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(w->base);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval most = { .tv_sec = STOP_S };
	struct signalfd_siginfo si;
	struct web *w = arg;

	(void)what;
	if (read(fd, &si, sizeof si) != (ssize_t)sizeof si || w->is_stopping)
		return;
	w->is_stopping = true;
	evtimer_add(w->stop, &most);
	web_http_stop(w->http);
}

/* --- the worker ---------------------------------------------------------- */

/* Known to who reads the page only, and to no page of another worker. */
static int make_token(struct web *w)
{
	unsigned char random[(TOKEN_SIZE - 1) / 2];

	if (!w->cfg->conf->wwwi.release || w->cfg->gate->basic[0] == '\0')
		return 0;
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -1;
	str_hex(w->token, random, sizeof random);
	return 0;
}

static int start(struct web *w)
{
	const struct timeval step = { .tv_sec = SERIES_STEP_S };

	w->base = event_base_new();
	if (w->base == NULL || make_token(w) < 0)
		return -1;
	w->sources = sources_new(w->cfg->conf, w->cfg->quarantine_fd);
	w->scanner = scan_client_new(w->base, w->cfg->conf->global.daemon_sock_path, 1);
	w->brake = login_brake_new(w->base);
	w->signal = event_new(w->base, w->cfg->signal_fd, EV_READ | EV_PERSIST, on_signal, w);
	w->sample = event_new(w->base, -1, EV_PERSIST, on_sample, w);
	w->stop = evtimer_new(w->base, on_stop, w);
	if (w->sources == NULL || w->scanner == NULL || w->brake == NULL || w->signal == NULL ||
	    w->sample == NULL || w->stop == NULL)
		return -1;
	on_sample(-1, 0, w);
	w->http = web_http_new(w->base, w->cfg->listen_fd, serve, w);
	return w->http == NULL || event_add(w->signal, NULL) < 0 ? -1 : event_add(w->sample, &step);
}

static void fini(struct web *w)
{
	struct event *events[] = { w->signal, w->sample, w->stop };

	w->nwaiting = 0; /* they go with their connections */
	web_http_free(&w->http);
	login_brake_free(&w->brake);
	release_job_cancel(&w->release);
	if (w->job != NULL)
		scan_job_cancel(&w->job);
	scan_client_free(&w->scanner);
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	sources_free(&w->sources);
	if (w->base != NULL)
		event_base_free(w->base);
}

int wwwi_serve(const struct wwwi_cfg *cfg)
{
	struct web w = { .cfg = cfg };
	int status = 1;

	if (start(&w) < 0)
		log_error("the event loop cannot be started: %s", strerror(errno));
	else
		status = event_base_dispatch(w.base) < 0;
	fini(&w);
	return status;
}
