/* web_http.c - HTTP for esets_wwwi: libevent's evhttp, and the bounds that it lacks.
 *
 *   accept --> READING --whole--> PENDING --> ANSWERED --gone out--> closed
 *
 * evhttp 2.1 bounds a head, a body and the time between two octets. It bounds
 * neither the number of connections nor the time of a whole request nor the line
 * with the length of a chunk, which it reads from its start with every octet.
 * While an answer is too long to go out at once it keeps whatever comes in (300 MB
 * in two seconds were seen) and takes a client that has closed its half for gone;
 * and behind an answer to CONNECT it does not close. Hence:
 *   - There is a fixed number of places. Each holds a reference to the bufferevent
 *     that evhttp gets for a connection (evhttp_set_bevcb); one whose callbacks are
 *     unset is evhttp's no longer. With all places taken the oldest connection
 *     whose request is not whole gives way, then the oldest that does not read its
 *     answer. Those that wait for theirs stay: serve.c keeps them fewer than places.
 *   - The states follow each other as drawn, each with one deadline. It ends the
 *     connection by the event that evhttp would get from a timeout of its own.
 *   - Where more comes, though what evhttp has left there is longer than a request,
 *     the connection ends.
 *   - While a request is answered nothing is read, and when the answer has gone out
 *     the connection ends: one connection is one request.
 * What evhttp refuses by itself (400, 413, 501) it answers itself, in constant
 * text. Knows nothing of pages. */
#include "wwwi_int.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "stats.h"

#define READ_S 10
#define WRITE_S 30
#define PAUSE_S 1          /* no descriptor for a connection */
#define HEAD_MAX 8192
#define BODY_MAX 1024
#define METHODS (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | \
	EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH)
	/* those we do not serve get our own 405; CONNECT would make us a proxy */

/* In the order in which they give way. */
enum state { FREE, READING, ANSWERED, PENDING };

struct conn {
	struct web_http *h;
	struct bufferevent *bev;   /* a reference; NULL if FREE */
	struct event *timer;
	enum state state;
	bool has_nul;              /* an octet 0 has come: evhttp ends a text there */
	unsigned long age;         /* the smaller, the older */
};

struct web_http {
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener;   /* http's */
	struct event *again;
	struct conn conns[WEB_PLACES];
	unsigned long next_age;
	bool is_stopping;
	web_http_fn serve;
	void *arg;
};

static struct web_http *accepting;     /* the one of this process */

static void set_state(struct conn *c, enum state s, int seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	c->state = s;
	evtimer_add(c->timer, &t);
}

/* --- what goes in and out ------------------------------------------------ */

/* evhttp is to have taken what it can before more comes. (A watermark would have its
 * callback called without end.) */
static void on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *arg)
{
	struct evbuffer_ptr from;
	struct conn *c = arg;

	if (info->n_added > 0 && evbuffer_ptr_set(in, &from, info->orig_size, EVBUFFER_PTR_SET) == 0 &&
	    evbuffer_search(in, "", 1, &from).pos >= 0)
		c->has_nul = true;
	if (info->n_added > 0 && info->orig_size > HEAD_MAX + BODY_MAX)
		event_active(c->timer, EV_TIMEOUT, 1);
}

/* Whatever evhttp means to do behind an answer, and whoever made that, the timer is
 * first. "100 Continue" is none: evhttp goes on to read. */
static void on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	bufferevent_data_cb on_read = NULL;
	struct conn *c = arg;

	if (info->n_added > 0 && c->state == PENDING)
		set_state(c, ANSWERED, WRITE_S);
	bufferevent_getcb(c->bev, &on_read, NULL, NULL, NULL);
	if (info->n_deleted == 0 || evbuffer_get_length(out) > 0 || on_read != NULL)
		return;
	c->state = ANSWERED;
	event_active(c->timer, EV_TIMEOUT, 1);
}

static int watch(struct conn *c)
{
	return evbuffer_add_cb(bufferevent_get_input(c->bev), on_input, c) == NULL ||
		evbuffer_add_cb(bufferevent_get_output(c->bev), on_output, c) == NULL ? -1 : 0;
}

/* --- places -------------------------------------------------------------- */

static void release_place(struct conn *c)
{
	if (c->state == READING)
		stats_add(ST_HTTP_CUT, 1);
	c->state = FREE;
	event_del(c->timer);
	evbuffer_remove_cb(bufferevent_get_input(c->bev), on_input, c);
	evbuffer_remove_cb(bufferevent_get_output(c->bev), on_output, c);
	bufferevent_decref(c->bev);
	c->bev = NULL;
}

/* evhttp has let go of it, which it tells only of those that were asked of us. */
static bool is_gone(const struct conn *c)
{
	bufferevent_event_cb on_event = NULL;

	bufferevent_getcb(c->bev, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

static void cut(struct conn *c)
{
	struct bufferevent *bev = c->bev;
	const bool has_gone = is_gone(c);

	bufferevent_incref(bev);
	release_place(c);
	if (!has_gone)
		bufferevent_trigger_event(bev, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
	bufferevent_decref(bev);
}

static void sweep(struct web_http *h)
{
	for (unsigned i = 0; i < WEB_PLACES; i++)
		if (h->conns[i].state == READING && is_gone(&h->conns[i]))
			release_place(&h->conns[i]);
}

static struct conn *oldest(struct web_http *h, enum state s)
{
	struct conn *found = NULL;

	for (unsigned i = 0; i < WEB_PLACES; i++) {
		struct conn *c = &h->conns[i];
		if (c->state == s && (found == NULL || c->age < found->age))
			found = c;
	}
	return found;
}

static struct conn *place(struct web_http *h)
{
	struct conn *c = oldest(h, FREE);

	if (c != NULL)
		return c;
	sweep(h);
	for (enum state s = FREE; c == NULL; s++)
		c = oldest(h, s);
	if (c->state != FREE)
		cut(c);
	return c;
}

static struct conn *place_of(struct web_http *h, struct evhttp_connection *evcon)
{
	const struct bufferevent *bev = evcon != NULL ? evhttp_connection_get_bufferevent(evcon) : NULL;

	for (unsigned i = 0; bev != NULL && i < WEB_PLACES; i++)
		if (h->conns[i].bev == bev)
			return &h->conns[i];
	return NULL;
}

/* evhttp asks for what a new connection is to be read by. */
static struct bufferevent *on_new(struct event_base *base, void *arg)
{
	struct web_http *h = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);

	if (bev == NULL)
		return NULL;
	struct conn *c = place(h);
	bufferevent_incref(bev);
	c->bev = bev;
	c->has_nul = false;
	c->age = h->next_age++;
	set_state(c, READING, READ_S);
	if (watch(c) == 0)
		return bev;
	release_place(c);
	bufferevent_free(bev);
	return NULL;
}

static void leave_if_idle(struct web_http *h)
{
	if (!h->is_stopping)
		return;
	sweep(h);
	for (unsigned i = 0; i < WEB_PLACES; i++)
		if (h->conns[i].state != FREE)
			return;
	event_base_loopbreak(h->base);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	cut(c);
	leave_if_idle(c->h);
}

static void on_closed(struct evhttp_connection *evcon, void *arg)
{
	struct web_http *h = arg;
	struct conn *c = place_of(h, evcon);

	if (c != NULL)
		release_place(c);
	leave_if_idle(h);
}

/* --- accepting ----------------------------------------------------------- */

/* The argument is the listener's, and so evhttp's own. */
static void on_accept_error(struct evconnlistener *l, void *evhttp)
{
	const struct timeval pause = { .tv_sec = PAUSE_S };

	(void)evhttp;
	log_debug("accept: %s", strerror(errno));
	evconnlistener_disable(l); /* it would be ready again at once */
	evtimer_add(accepting->again, &pause);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct web_http *h = arg;

	(void)fd;
	(void)what;
	if (!h->is_stopping)
		evconnlistener_enable(h->listener);
}

/* --- requests ------------------------------------------------------------ */

static enum web_method method_of(const struct evhttp_request *in)
{
	switch (evhttp_request_get_command(in)) {
	case EVHTTP_REQ_GET: return WEB_GET;
	case EVHTTP_REQ_HEAD: return WEB_HEAD;
	case EVHTTP_REQ_POST: return WEB_POST;
	default: return WEB_OTHER;
	}
}

/* 0, or the status of the refusal. */
static unsigned take(struct evhttp_request *in, struct web_req *r)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(in);
	const struct evkeyval *f;
	unsigned status = web_req_begin(r, method_of(in), evhttp_request_get_uri(in));

	for (f = evhttp_request_get_input_headers(in)->tqh_first; status == 0 && f != NULL;
	     f = f->next.tqe_next)
		status = web_req_field(r, f->key, f->value);
	if (status == 0)
		status = web_req_end(r);
	r->body_len = evbuffer_get_length(body);
	r->body = evbuffer_pullup(body, -1);
	return status == 0 && r->body == NULL && r->body_len > 0 ? 500 : status;
}

static void on_request(struct evhttp_request *in, void *arg)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(in);
	struct web_http *h = arg;
	struct conn *c = place_of(h, evcon);
	struct web_req r;

	if (c == NULL || c->state != READING) { /* not its first: it has had its answer */
		if (c != NULL)
			cut(c);
		evhttp_send_reply(in, 400, NULL, NULL); /* to nobody */
		return;
	}
	set_state(c, PENDING, WRITE_S);
	evhttp_connection_set_closecb(evcon, on_closed, h);
	const unsigned status = c->has_nul ? 400 : take(in, &r);
	if (status == 0)
		h->serve(in, &r, h->arg);
	else
		web_http_text(in, status, "this request is not understood");
}

const char *web_http_peer(struct evhttp_request *in)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(in);
	char *address = NULL;
	uint16_t port;

	if (evcon != NULL)
		evhttp_connection_get_peer(evcon, &address, &port);
	return address != NULL ? address : "";
}

/* --- answers ------------------------------------------------------------- */

static void count(unsigned status)
{
	stats_add(status == 200 ? ST_HTTP_OK : status == 401 ? ST_HTTP_WHO :
		status == 503 ? ST_HTTP_UNWELL : ST_HTTP_OTHER, 1);
}

static int put_field(void *to, const char *name, const char *value)
{
	return evhttp_add_header(to, name, value);
}

static int put_body(struct evhttp_request *in, const struct answer *a, struct evbuffer *out)
{
	if (evhttp_request_get_command(in) == EVHTTP_REQ_HEAD || buf_is_empty(&a->body))
		return 0;
	return evbuffer_add(out, buf_head(&a->body), buf_len(&a->body));
}

void web_http_answer(struct evhttp_request *in, struct answer *a)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(in);
	struct bufferevent *bev = evcon != NULL ? evhttp_connection_get_bufferevent(evcon) : NULL;
	struct evbuffer *body = evbuffer_new();

	count(a->status);
	if (bev != NULL)
		bufferevent_incref(bev);
	if (body == NULL || put_body(in, a, body) < 0 ||
	    answer_fields(a, put_field, evhttp_request_get_output_headers(in)) < 0) {
		evhttp_clear_headers(evhttp_request_get_output_headers(in));
		evhttp_add_header(evhttp_request_get_output_headers(in), "Connection", "close");
		evhttp_send_reply(in, 500, NULL, NULL);
	} else {
		evhttp_send_reply(in, (int)a->status, answer_phrase(a->status), body);
	}
	/* evhttp has begun to read again, see above. */
	if (bev != NULL) {
		bufferevent_disable(bev, EV_READ);
		bufferevent_decref(bev);
	}
	if (body != NULL)
		evbuffer_free(body);
	buf_fini(&a->body);
}

void web_http_text(struct evhttp_request *in, unsigned status, const char *text)
{
	struct answer a = { .body = BUF_INIT(ANSWER_MAX) };

	answer_text(&a, status, text);
	web_http_answer(in, &a);
}

void web_http_hold(struct web_http *h, struct evhttp_request *in, int seconds)
{
	struct conn *c = place_of(h, evhttp_request_get_connection(in));

	if (c != NULL && c->state == PENDING)
		set_state(c, PENDING, seconds + WRITE_S);
}

/* What strangers can have evhttp say by the line is for who looks for it. */
static void on_log(int severity, const char *text)
{
	(void)severity;
	log_debug("libevent: %s", text);
}

/* --- life ---------------------------------------------------------------- */

static int start(struct web_http *h, int listen_fd)
{
	event_set_log_callback(on_log);
	h->again = evtimer_new(h->base, on_again, h);
	h->http = evhttp_new(h->base);
	if (h->again == NULL || h->http == NULL)
		return -1;
	for (unsigned i = 0; i < WEB_PLACES; i++) {
		h->conns[i].h = h;
		h->conns[i].timer = evtimer_new(h->base, on_timer, &h->conns[i]);
		if (h->conns[i].timer == NULL)
			return -1;
	}
	evhttp_set_max_headers_size(h->http, HEAD_MAX);
	evhttp_set_max_body_size(h->http, BODY_MAX);
	evhttp_set_allowed_methods(h->http, METHODS);
	evhttp_set_timeout(h->http, WRITE_S);
	evhttp_set_flags(h->http, EVHTTP_SERVER_LINGERING_CLOSE);
	evhttp_set_bevcb(h->http, on_new, h);
	evhttp_set_gencb(h->http, on_request, h);
	struct evconnlistener *l = evconnlistener_new(h->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0,
		listen_fd);
	if (l == NULL)
		return -1;
	if (evhttp_bind_listener(h->http, l) == NULL) {
		evconnlistener_free(l);
		return -1;
	}
	h->listener = l;
	accepting = h;
	evconnlistener_set_error_cb(l, on_accept_error);
	return 0;
}

struct web_http *web_http_new(struct event_base *base, int listen_fd, web_http_fn serve, void *arg)
{
	struct web_http *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->base = base;
	h->serve = serve;
	h->arg = arg;
	if (start(h, listen_fd) < 0)
		web_http_free(&h);
	return h;
}

void web_http_stop(struct web_http *h)
{
	h->is_stopping = true;
	evconnlistener_disable(h->listener);
	leave_if_idle(h);
}

void web_http_free(struct web_http **h)
{
	struct web_http *p = *h;

	if (p == NULL)
		return;
	*h = accepting = NULL;
	p->is_stopping = false;
	if (p->http != NULL)
		evhttp_free(p->http); /* listener and connections with it */
	sweep(p);
	for (unsigned i = 0; i < WEB_PLACES; i++)
		if (p->conns[i].timer != NULL)
			event_free(p->conns[i].timer);
	if (p->again != NULL)
		event_free(p->again);
	free(p);
}
