/* engine_ext.c - addresses of an external engine, and questions to them; see
 * engine_ext.h. What is said is the engine's own module's. */
#include "engine_ext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker.h"
#include "conf.h"
#include "engine_keep.h"
#include "engine_linger.h"
#include "engine_names.h"
#include "log.h"
#include "str.h"

#define WHERE_MAX 140
#define RESOLVE_MS 60000    /* how old an address may be, */
#define RETRY_MS 5000       /* where there is none, */
#define NOTE_MS 60000       /* and what a probe said */
#define LIST_MS 5000        /* a worker asks the broker where names lead */
#define LIST_WAIT_MS 1000
#define LATE_MS 30000
#define FULL_WAIT_MS 5      /* until a place is looked for again */
#define LOG_BURST 5

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* --- addresses -------------------------------------------------------------- */

static struct engine_peer *find(struct engine_ext *e, const struct net_endpoint *ep)
{
	for (unsigned i = 0; i < e->n; i++) {
		if (net_endpoint_is_equal(&e->peers[i].ep, ep))
			return &e->peers[i];
	}
	return NULL;
}

/* Takes these addresses instead of those it has, whose state stays. */
static void take_addresses(struct engine_ext *e, const struct engine_addresses *a)
{
	struct engine_peer now[ENGINE_PEERS_MAX] = { 0 };

	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < a->n; i++) {
		const struct engine_peer *was = find(e, &a->ep[i]);
		now[i] = was != NULL ? *was : (struct engine_peer){ .ep = a->ep[i] };
		now[i].gate = (unsigned)e->gate + a->alt[i];
	}
	e->n = a->n;
	memcpy(e->peers, now, a->n * sizeof now[0]);
	e->resolved_ms = now_ms();
	pthread_mutex_unlock(&e->lock);
}

/* 0, -1: it does not say. */
static int list_of_broker(const struct engine_ext *e, struct engine_addresses *out)
{
	return broker_is_used() ?
		broker_list((unsigned)e->gate / ENGINE_GATE_ALTS, out, LIST_WAIT_MS) : -1;
}

static const struct proc_identity *names_as;

void engine_ext_names_as(const struct proc_identity *id)
{
	names_as = id;
}

int engine_ext_load(struct engine_ext *e, const char *list, const struct conf *c)
{
	const struct conf_global *g = &c->global;
	struct engine_addresses a;
	char *copy = strdup(list);

	if (copy == NULL)
		return -1;
	const bool is_same = e->list != NULL && strcmp(e->list, list) == 0;
	free(e->list);
	e->list = copy;
	e->connect_ms = g->engine_timeout_connect * 1000;
	e->read_ms = g->engine_timeout_read * 1000;
	e->max_scans = g->engine_max_scans != 0 ? g->engine_max_scans : g->num_proc * g->num_thrd;
	for (unsigned alt = 0; alt < ENGINE_GATE_ALTS; alt++)
		engine_gate_use((unsigned)e->gate + alt, e->max_scans);
	pthread_mutex_init(&e->lock, NULL);
	if (!is_same)
		e->n = 0;
	e->probed_ms = 0;
	snprintf(e->why, sizeof e->why, "%s: no address", e->what);
	if (names_as != NULL)
		engine_names_look_up_as(e, names_as, &a);
	else
		engine_names_look_up(e, &a);
	e->has_names = a.has_names;
	/* A name service that is away takes away nothing that was known. */
	if (a.is_whole || e->n == 0)
		take_addresses(e, &a);
	if (!a.is_whole)
		e->resolved_ms = now_ms() - RESOLVE_MS; /* the broker tries at once */
	return 0;
}

void engine_ext_resolve(struct engine_ext *e)
{
	struct engine_addresses a;

	if (!e->has_names || now_ms() - e->resolved_ms < (e->n == 0 ? RETRY_MS : RESOLVE_MS))
		return;
	engine_names_look_up(e, &a);
	if (a.is_whole || e->n == 0)
		take_addresses(e, &a);
	else
		e->resolved_ms = now_ms();
}

void engine_ext_addresses(struct engine_ext *e, struct engine_addresses *out)
{
	memset(out, 0, sizeof *out);
	pthread_mutex_lock(&e->lock);
	out->n = e->n;
	for (unsigned i = 0; i < e->n; i++) {
		out->ep[i] = e->peers[i].ep;
		out->alt[i] = e->peers[i].gate - (unsigned)e->gate;
	}
	pthread_mutex_unlock(&e->lock);
}

void engine_ext_note(struct engine_ext *e, char out[ENGINE_NOTE_MAX])
{
	out[0] = '\0';
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < e->n && out[0] == '\0'; i++) {
		if (!e->peers[i].is_down)
			str_copy(out, ENGINE_NOTE_MAX, e->peers[i].note);
	}
	pthread_mutex_unlock(&e->lock);
}

bool engine_ext_is_up(struct engine_ext *e)
{
	bool up = false;

	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < e->n; i++)
		up |= !e->peers[i].is_bad && !e->peers[i].is_down;
	pthread_mutex_unlock(&e->lock);
	return up;
}

/* --- how an address does ------------------------------------------------------ */

/* Trouble with an address: what is to be said of it, and remembered. */
static void note_trouble(struct engine_ext *e, const struct engine_peer *peer,
	const struct engine_conn *c, bool is_probe)
{
	static struct log_limit limit;
	const bool took_time = c->trouble == ENGINE_UNREACHED || c->trouble == ENGINE_SILENT ||
		c->trouble == ENGINE_DEADLINE;
	char where[WHERE_MAX];

	net_endpoint_text(&peer->ep, where, sizeof where);
	pthread_mutex_lock(&e->lock);
	snprintf(e->why, sizeof e->why, "%s at %s: %s", e->what, where, engine_conn_text(c));
	struct engine_peer *p = find(e, &peer->ep);
	const bool is_news = p != NULL && !p->is_bad && (is_probe || c->trouble != ENGINE_DEADLINE);
	if (p != NULL) {
		p->is_bad |= is_news;
		p->is_suspect = true;
		if (took_time && !is_probe)
			p->late_until_ms = now_ms() + LATE_MS;
		p->is_down = took_time && (is_probe || c->trouble == ENGINE_UNREACHED);
	}
	pthread_mutex_unlock(&e->lock);
	if (is_news && log_limited(&limit, LOG_BURST))
		log_warning("%s at %s: %s", e->what, where, engine_conn_text(c));
}

static void note_well(struct engine_ext *e, const struct engine_peer *peer, bool is_probe)
{
	char where[WHERE_MAX];

	pthread_mutex_lock(&e->lock);
	struct engine_peer *p = find(e, &peer->ep);
	const bool is_news = p != NULL && p->is_bad;
	if (p != NULL) {
		/* One that hung may answer a probe and hang again. */
		if (!is_probe || p->is_down)
			p->late_until_ms = 0;
		p->is_bad = p->is_down = p->is_suspect = false;
		p->no_fds = peer->no_fds;
		p->no_sessions = !is_probe && (p->no_sessions || peer->no_sessions);
		if (is_probe) {
			p->has_sessions = peer->has_sessions;
			str_copy(p->note, sizeof p->note, peer->note);
		}
	}
	pthread_mutex_unlock(&e->lock);
	if (is_news)
		log_info("%s at %s answers again", e->what,
			net_endpoint_text(&peer->ep, where, sizeof where));
}

/* --- a question --------------------------------------------------------------- */

/* The way of one question. */
struct tour {
	struct net_endpoint tried[ENGINE_PEERS_MAX];
	unsigned ntried;
	bool is_full;                 /* there is an address, but no cell */
};

static bool is_tried(const struct tour *t, const struct net_endpoint *ep)
{
	for (unsigned i = 0; i < t->ntried; i++) {
		if (net_endpoint_is_equal(&t->tried[i], ep))
			return true;
	}
	return false;
}

/* An address to be asked, and a cell of its gate; false: none. */
static bool next_peer(struct engine_ext *e, struct tour *t, struct engine_peer *out, int *cell_out)
{
	const long long now = now_ms();
	bool got = false;

	t->is_full = false;
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; !got && i < 2 * e->n; i++) {
		const struct engine_peer *p = &e->peers[i % e->n];
		if (p->is_down || (now < p->late_until_ms) != (i >= e->n) || is_tried(t, &p->ep))
			continue;
		*cell_out = engine_gate_enter(p->gate, e->max_scans);
		got = *cell_out >= 0;
		t->is_full |= !got;
		if (got)
			*out = *p;
	}
	pthread_mutex_unlock(&e->lock);
	return got;
}

static void say_why(struct engine_ext *e, struct engine_result *r)
{
	pthread_mutex_lock(&e->lock);
	str_copy(r->reason, sizeof r->reason, e->why);
	pthread_mutex_unlock(&e->lock);
}

/* The call of a question in a new connection to an engine that allows several. */
struct first_call {
	struct engine_call call;
	const struct engine_call *outer;
};

/* Asked whenever it has waited for a while: for a place in the engine, perhaps. */
static bool while_waiting(void *arg)
{
	const struct first_call *f = arg;

	engine_keep_pause();
	return f->outer->cancelled != NULL && f->outer->cancelled(f->outer->arg);
}

/* A connection to the address, open or in trouble. */
static void open_conn(const struct engine_ext *e, const struct engine_peer *peer, bool in_session,
	struct first_call *f, struct engine_conn *c)
{
	if (in_session && engine_keep_take(c, &peer->ep, e->read_ms, f->outer))
		return;
	f->call = (struct engine_call){ .deadline_ms = f->outer->deadline_ms,
		.cancelled = while_waiting, .arg = f };
	if (engine_conn_open(c, &peer->ep, e->connect_ms, e->read_ms,
			peer->has_sessions ? &f->call : f->outer) < 0)
		engine_conn_close(c);
	c->is_session = in_session;
}

static void close_conn(const struct engine_ext *e, const struct engine_peer *peer, int cell,
	struct engine_conn *c)
{
	const bool may_work = c->trouble == ENGINE_SILENT || c->trouble == ENGINE_DEADLINE ||
		c->trouble == ENGINE_CANCELLED;

	if (e->works_on && may_work && c->fd >= 0) {
		engine_linger_add(peer->gate, cell, c->fd, &peer->ep);
		c->fd = -1;
		engine_conn_close(c);
		return;
	}
	if (c->is_answered)
		engine_keep_give(c, &peer->ep);
	else
		engine_conn_close(c);
	engine_gate_leave(peer->gate, cell);
}

/* Asks one address. 0 there is a result, -1 try the next, -2 it is over. */
static int ask_peer(struct engine_ext *e, struct engine_peer *peer, int cell, engine_talk_fn talk,
	void *arg, const struct engine_call *call, enum engine_status *status_out,
	struct engine_result *r)
{
	struct first_call f = { .outer = call };
	struct engine_conn c;
	int rc = -1;

	open_conn(e, peer, peer->has_sessions && !peer->no_sessions, &f, &c);
	r->reason[0] = '\0'; /* what was wrong before is none for this result */
	if (c.trouble == ENGINE_FINE)
		rc = talk(&c, peer, arg, status_out, r);
	if (rc < 0 && c.is_stale) {
		engine_conn_close(&c);
		open_conn(e, peer, false, &f, &c);
		rc = c.trouble == ENGINE_FINE ? talk(&c, peer, arg, status_out, r) : -1;
	}
	close_conn(e, peer, cell, &c);
	if (rc == 0) {
		note_well(e, peer, false);
		return 0;
	}
	if (c.trouble != ENGINE_CANCELLED)
		note_trouble(e, peer, &c, false);
	say_why(e, r);
	return c.trouble == ENGINE_CANCELLED || c.trouble == ENGINE_DEADLINE ? -2 : -1;
}

/* All addresses are full. False: no more waiting. */
static bool wait_for_cell(const struct engine_ext *e, const struct engine_call *call,
	struct engine_result *r)
{
	const struct timespec a_while = { .tv_nsec = FULL_WAIT_MS * 1000000L };

	engine_linger_sweep();
	if (now_ms() >= call->deadline_ms ||
	    (call->cancelled != NULL && call->cancelled(call->arg))) {
		snprintf(r->reason, sizeof r->reason,
			"%s: too many scans at work (engine_max_scans)", e->what);
		return false;
	}
	nanosleep(&a_while, NULL);
	return true;
}

/* A worker that has just begun may know no address yet that the broker knows. */
static void look_for_address(struct engine_ext *e)
{
	struct engine_addresses a;

	pthread_mutex_lock(&e->lock);
	const bool has_none = e->n == 0;
	pthread_mutex_unlock(&e->lock);
	if (has_none && e->has_names && list_of_broker(e, &a) == 0 && a.n > 0)
		take_addresses(e, &a);
}

enum engine_status engine_ext_ask(struct engine_ext *e, engine_talk_fn talk, void *arg,
	const struct engine_call *call, struct engine_result *r)
{
	enum engine_status status = ENGINE_ERROR;
	struct tour tour = { .ntried = 0 };
	struct engine_peer peer;
	int cell, rc = -1;

	look_for_address(e);
	say_why(e, r);
	while (rc == -1) {
		if (next_peer(e, &tour, &peer, &cell)) {
			rc = ask_peer(e, &peer, cell, talk, arg, call, &status, r);
			if (tour.ntried < ENGINE_PEERS_MAX)
				tour.tried[tour.ntried++] = peer.ep;
		} else if (!tour.is_full || !wait_for_cell(e, call, r)) {
			rc = -2;
		}
	}
	return rc == 0 ? status : ENGINE_ERROR;
}

/* --- the watch thread ----------------------------------------------------------- */

static void probe_peer(struct engine_ext *e, unsigned i, bool is_due, const struct engine_call *call)
{
	struct engine_call c = { .deadline_ms = now_ms() + 3LL * e->connect_ms,
		.cancelled = call->cancelled, .arg = call->arg };
	struct engine_conn conn;
	struct engine_peer peer;

	pthread_mutex_lock(&e->lock);
	bool wanted = i < e->n && (is_due || e->peers[i].is_suspect);
	if (wanted)
		peer = e->peers[i];
	pthread_mutex_unlock(&e->lock);
	if (!wanted)
		return;
	bool ok = engine_conn_open(&conn, &peer.ep, e->connect_ms, e->connect_ms, &c) == 0 &&
		e->probe(&conn, &peer) == 0;
	engine_conn_close(&conn);
	if (ok) {
		note_well(e, &peer, true);
	} else if (conn.trouble != ENGINE_CANCELLED) {
		note_trouble(e, &peer, &conn, true);
		engine_linger_drop(peer.gate, &peer.ep);
	}
}

void engine_ext_watch(struct engine_ext *e, const struct engine_call *call)
{
	const long long now = now_ms();
	struct engine_addresses a;

	engine_linger_sweep();
	engine_keep_sweep();
	if (e->has_names && now - e->resolved_ms >= (e->n == 0 ? 0 : LIST_MS)) {
		e->resolved_ms = now;
		if (list_of_broker(e, &a) == 0)
			take_addresses(e, &a);
	}
	const bool is_due = e->probed_ms == 0 || now - e->probed_ms >= NOTE_MS;
	if (is_due)
		e->probed_ms = now;
	for (unsigned i = 0; i < e->n; i++) {
		engine_gate_sweep(e->peers[i].gate, e->max_scans);
		probe_peer(e, i, is_due, call);
	}
}
