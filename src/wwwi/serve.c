/* serve.c - the worker of esets_wwwi: connections, one request each.
 *
 *   READING --head whole--> (WAITING for the daemon) --> WRITING --> LINGER
 *
 * libevent's evhttp is not used: it bounds neither the number of connections nor
 * the time of a whole request, so a client that sends an octet now and then
 * keeps it busy for good. Here each state has one deadline. Where all places are
 * taken, the oldest connection whose request is not whole gives way.
 * One thread; nothing but sources.c blocks, and not for long. */
#include "wwwi_int.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "http_req.h"
#include "log.h"
#include "net.h"
#include "scan_client.h"
#include "stats.h"
#include "str.h"

#define CONNS_MAX 64u
#define READ_S 10
#define WRITE_S 30
#define LINGER_S 2
#define STOP_S 2
#define HEALTH_MS 2000u        /* for the daemon's verdict */
#define HEALTH_FRESH_MS 1000   /* one serves all who ask meanwhile */
#define PAUSE_S 1              /* no descriptor for a connection */

enum state { READING, WAITING, WRITING, LINGER };

struct web_conn {
	struct web *w;
	struct bufferevent *bev;
	struct event *timer;
	struct net_addr peer;
	enum state state;
	bool is_head;
	TAILQ_ENTRY(web_conn) link;
};

struct web {
	const struct wwwi_cfg *cfg;
	struct event_base *base;
	struct event *accept, *again, *stop, *sample, *signal;
	struct sources *sources;
	TAILQ_HEAD(web_conns, web_conn) conns;   /* the oldest first */
	unsigned nconns;
	bool is_stopping;
	struct log_limit login_limit;
	/* what the daemon said */
	struct scan_client *scanner;
	struct scan_job *job;
	long long health_ms;
	bool has_health, is_well;
	char health[VERDICT_REASON_MAX + 64];
};

static long long mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* --- connections --------------------------------------------------------- */

static void conn_free(struct web_conn *c)
{
	struct web *w = c->w;

	if (c->state == READING)
		stats_add(ST_HTTP_CUT, 1);
	TAILQ_REMOVE(&w->conns, c, link);
	w->nconns--;
	event_free(c->timer);
	bufferevent_free(c->bev);
	free(c);
	if (w->is_stopping && w->nconns == 0)
		event_base_loopbreak(w->base);
}

static void set_state(struct web_conn *c, enum state s, int seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	c->state = s;
	evtimer_add(c->timer, &t);
}

static void count(unsigned status)
{
	stats_add(status == 200 ? ST_HTTP_OK : status == 401 ? ST_HTTP_WHO :
		status == 503 ? ST_HTTP_UNWELL : ST_HTTP_OTHER, 1);
}

/* Takes a's body. */
static void send_answer(struct web_conn *c, struct answer *a)
{
	struct buf head = BUF_INIT(4096);

	count(a->status);
	set_state(c, WRITING, WRITE_S);
	bool is_ok = answer_head(a, &head) == 0 &&
		bufferevent_write(c->bev, buf_head(&head), buf_len(&head)) == 0 &&
		(c->is_head || buf_is_empty(&a->body) ||
		bufferevent_write(c->bev, buf_head(&a->body), buf_len(&a->body)) == 0);
	buf_fini(&head);
	buf_fini(&a->body);
	if (!is_ok)
		conn_free(c);
}

static void send_text(struct web_conn *c, unsigned status, const char *text)
{
	struct answer a = { .body = BUF_INIT(ANSWER_MAX) };

	answer_text(&a, status, text);
	send_answer(c, &a);
}

/* --- /healthz ------------------------------------------------------------ */

/* Where the agent is to run, it has to. */
static void health_answer(struct web_conn *c)
{
	struct web *w = c->w;

	sources_refresh(w->sources, mono_ms());
	if (!w->is_well) {
		send_text(c, 503, w->health);
	} else if (w->cfg->conf->smtp.mod.agent_enabled &&
	    sources_view(w->sources, SOURCE_AGENT) == NULL) {
		char text[300];
		snprintf(text, sizeof text, "esets_smtp: %s", sources_why(w->sources, SOURCE_AGENT));
		send_text(c, 503, text);
	} else {
		send_text(c, 200, "ok");
	}
}

static void on_verdict(void *arg, struct verdict *v, int clean_fd)
{
	struct web *w = arg;
	struct web_conn *c, *next;

	if (clean_fd >= 0)
		close(clean_fd);
	w->job = NULL;
	w->has_health = true;
	w->health_ms = mono_ms();
	w->is_well = (v->av & VERDICT_AV_UNAVAILABLE) == 0;
	snprintf(w->health, sizeof w->health, "esets_daemon gives no verdict: %s", v->reason);
	for (c = TAILQ_FIRST(&w->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == WAITING)
			health_answer(c);
	}
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

static void health(struct web_conn *c)
{
	struct web *w = c->w;

	if (w->job == NULL && w->has_health && mono_ms() - w->health_ms < HEALTH_FRESH_MS) {
		health_answer(c);
		return;
	}
	set_state(c, WAITING, WRITE_S);
	if (w->job == NULL && health_ask(w) < 0)
		send_text(c, 503, "out of memory");
}

/* --- requests ------------------------------------------------------------ */

static void log_login(struct web_conn *c)
{
	char text[NET_ADDR_TEXT];

	if (!log_limited(&c->w->login_limit, 5))
		return;
	log_warning("login refused, client=%s", net_addr_text(&c->peer, text));
}

static void serve(struct web_conn *c, const struct http_req *r)
{
	struct web *w = c->w;
	struct answer a = { .body = BUF_INIT(ANSWER_MAX) };

	c->is_head = r->method == HTTP_HEAD;
	switch (web_gate_ask(w->cfg->gate, r)) {
	case WEB_WRONG_HOST:
		send_text(c, 421, "no such host here: use an address, localhost or this "
			"machine's name");
		return;
	case WEB_WHO:
		if (r->auth[0] != '\0')
			log_login(c);
		send_text(c, 401, "username and password are needed");
		return;
	case WEB_OK:
		break;
	}
	if (r->method == HTTP_OTHER)
		send_text(c, 405, "GET and HEAD only");
	else if (answer_make(&a, r->path, w->sources, w->cfg->history) == ANSWER_NOW)
		send_answer(c, &a);
	else
		health(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct web_conn *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	const size_t n = evbuffer_get_length(in);
	struct http_req r;
	unsigned status;

	if (c->state != READING) {
		evbuffer_drain(in, n);
		return;
	}
	const unsigned char *p = evbuffer_pullup(in, -1);
	int rc = p != NULL ? http_req_parse(p, n, &r, &status) : -1;
	if (p == NULL)
		status = 500;
	if (rc == 0)
		return;
	if (rc > 0)
		serve(c, &r);
	else
		send_text(c, status, "this request is not understood");
	explicit_bzero(&r, sizeof r);
}

/* All is sent: the client's end of the connection is waited for, as a close with
 * octets unread would be a reset, which may overtake the answer. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct web_conn *c = arg;

	if (c->state != WRITING)
		return;
	shutdown(bufferevent_getfd(bev), SHUT_WR);
	set_state(c, LINGER, LINGER_S);
	evbuffer_drain(bufferevent_get_input(bev), evbuffer_get_length(bufferevent_get_input(bev)));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct web_conn *c = arg;

	(void)bev;
	/* A client may close its half and wait for the answer. */
	if ((what & BEV_EVENT_EOF) != 0 && (c->state == WAITING || c->state == WRITING))
		return;
	conn_free(c);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_free(arg);
}

/* --- accepting ----------------------------------------------------------- */

static void make_room(struct web *w)
{
	struct web_conn *oldest = TAILQ_FIRST(&w->conns), *c = oldest;

	if (oldest == NULL || w->nconns < CONNS_MAX)
		return;
	while (c != NULL && c->state != READING)
		c = TAILQ_NEXT(c, link);
	conn_free(c != NULL ? c : oldest);
}

static void conn_new(struct web *w, int fd, const struct net_addr *peer)
{
	struct web_conn *c = calloc(1, sizeof *c);

	if (c != NULL)
		c->bev = bufferevent_socket_new(w->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		free(c);
		close(fd);
		return;
	}
	c->w = w;
	c->peer = *peer;
	c->timer = evtimer_new(w->base, on_timer, c);
	if (c->timer == NULL) {
		bufferevent_free(c->bev);
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&w->conns, c, link);
	w->nconns++;
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, HTTP_HEAD_MAX + 1);
	set_state(c, READING, READ_S);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = { .tv_sec = PAUSE_S };
	struct web *w = arg;
	struct net_addr peer;

	(void)what;
	int conn = net_accept(fd, &peer);
	if (conn >= 0) {
		make_room(w);
		conn_new(w, conn, &peer);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		event_del(w->accept);
		evtimer_add(w->again, &pause);
	}
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;

	(void)fd;
	(void)what;
	if (!w->is_stopping)
		event_add(w->accept, NULL);
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
	event_del(w->accept);
	if (w->nconns == 0)
		event_base_loopbreak(w->base);
	else
		evtimer_add(w->stop, &most);
}

/* --- the worker ---------------------------------------------------------- */

static int start(struct web *w)
{
	const struct timeval step = { .tv_sec = SERIES_STEP_S };

	w->base = event_base_new();
	if (w->base == NULL)
		return -1;
	w->sources = sources_new(w->cfg->conf, w->cfg->quarantine_fd);
	w->scanner = scan_client_new(w->base, w->cfg->conf->global.daemon_sock_path, 1);
	w->accept = event_new(w->base, w->cfg->listen_fd, EV_READ | EV_PERSIST, on_accept, w);
	w->signal = event_new(w->base, w->cfg->signal_fd, EV_READ | EV_PERSIST, on_signal, w);
	w->sample = event_new(w->base, -1, EV_PERSIST, on_sample, w);
	w->again = evtimer_new(w->base, on_again, w);
	w->stop = evtimer_new(w->base, on_stop, w);
	if (w->sources == NULL || w->scanner == NULL || w->accept == NULL || w->signal == NULL ||
	    w->sample == NULL || w->again == NULL || w->stop == NULL)
		return -1;
	on_sample(-1, 0, w);
	return event_add(w->accept, NULL) < 0 || event_add(w->signal, NULL) < 0 ? -1 :
		event_add(w->sample, &step);
}

static void fini(struct web *w)
{
	struct event *events[] = { w->accept, w->signal, w->sample, w->again, w->stop };

	w->is_stopping = false;
	while (!TAILQ_EMPTY(&w->conns))
		conn_free(TAILQ_FIRST(&w->conns));
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

	TAILQ_INIT(&w.conns);
	if (start(&w) < 0)
		log_error("the event loop cannot be started: %s", strerror(errno));
	else
		status = event_base_dispatch(w.base) < 0;
	fini(&w);
	return status;
}
