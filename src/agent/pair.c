/* pair.c - one session with its two connections: moves octets and time
 * between sockets and the session, and knows neither commands nor messages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients.h"
#include "conf.h"
#include "log.h"
#include "proxy_hdr.h"
#include "scan_client.h"
#include "stats.h"
#include "worker_int.h"

#define DAEMON_BURST 10  /* lines a minute where it comes and goes */
#define CROWD_BURST 5    /* lines a minute where there is no room */
#define FLUSH_ROUNDS 8   /* then others get their turn */
#define DIRECT_TURN (1u << 20)   /* octets, the same */

static struct pair *pair_of(struct session *s)
{
	return (struct pair *)s; /* s is its first member */
}

static struct pair *pair_of_client(struct conn *c)
{
	return (struct pair *)((char *)c - offsetof(struct pair, client));
}

static struct pair *pair_of_server(struct conn *c)
{
	return (struct pair *)((char *)c - offsetof(struct pair, server));
}

/* ---- the server side: dialling ----------------------------------------- */

static void dial_end(struct pair *p)
{
	free(p->addrs);
	p->addrs = NULL;
	p->connecting = false;
}

/* Tries the next addresses until one connect is under way. */
static void dial_next(struct pair *p)
{
	char text[160];

	while (p->addr < p->naddrs) {
		const struct net_endpoint *e = &p->addrs[p->addr++];
		int fd = net_connect(e, SOCK_STREAM);
		net_endpoint_text(e, p->s.server_text, sizeof p->s.server_text);
		if (fd >= 0) {
			conn_open(&p->server, fd);
			p->connecting = true;
			p->connect_until_ms = p->s.env->now_ms + WORKER_CONNECT_MS;
			conn_want_writable(&p->server);
			return;
		}
		log_warning("connect to %s: %s", net_endpoint_text(e, text, sizeof text),
			strerror(errno));
	}
	dial_end(p);
	p->dial_failed = true; /* told by pair_update, never from within */
}

static void op_dial(struct session *s)
{
	struct pair *p = pair_of(s);
	struct net_endpoint all[NET_ADDRS_MAX];
	unsigned n = server_table_get(p->t->worker->in.servers, all, NET_ADDRS_MAX);

	dial_end(p);
	p->dial_failed = false;
	p->addr = 0;
	p->naddrs = n;
	p->addrs = n > 0 ? malloc(n * sizeof *p->addrs) : NULL;
	if (p->addrs == NULL)
		p->naddrs = 0;
	else
		for (unsigned i = 0; i < n; i++)
			p->addrs[i] = all[(p->t->next_server + i) % n];
	p->t->next_server++;
	dial_next(p);
}

static void dial_failed(struct pair *p, int err)
{
	char text[160];

	log_warning("connect to %s: %s",
		net_endpoint_text(&p->addrs[p->addr - 1], text, sizeof text), strerror(err));
	conn_close(&p->server);
	dial_next(p);
}

static void dial_outcome(struct pair *p)
{
	int err = p->server.write_dead ? p->server.error : conn_connect_result(&p->server);

	if (err != 0) {
		dial_failed(p, err);
		return;
	}
	dial_end(p);
	session_on_dial(&p->s, true);
}

/* A message that was given up, but of which the kernel still holds octets, must not
 * be at the server later: its client was told to send it again. */
static void end_server(struct pair *p)
{
	bool is_all_out = true;

	if (session_end_is_queued(&p->s) && conn_is_open(&p->server))
		conn_taken(&p->server, &is_all_out);
	if (is_all_out)
		conn_close(&p->server);
	else
		conn_abort(&p->server);
}

static void op_hangup(struct session *s)
{
	struct pair *p = pair_of(s);

	dial_end(p);
	p->dial_failed = false;
	end_server(p);
}

/* ---- the scanner --------------------------------------------------------- */

/* What each message met is in its summary; this is for whoever watches the daemon.
 * A verdict of its own, unavailable too, has an id, or names its engines. */
static void note_daemon(struct worker *w, const struct verdict *v)
{
	static struct log_limit limit;
	const bool is_away = v->av == VERDICT_AV_UNAVAILABLE && v->id[0] == '\0' &&
		v->vdb[0] == '\0';

	if (atomic_load(&w->is_daemon_away) == is_away ||
	    atomic_exchange(&w->is_daemon_away, is_away) == is_away ||
	    !log_limited(&limit, DAEMON_BURST))
		return;
	if (is_away)
		log_warning("esets_daemon gives no verdicts: %s", v->reason);
	else
		log_info("esets_daemon gives verdicts again");
}

static void on_scanned(void *arg, struct verdict *v, int clean_fd)
{
	struct pair *p = arg;

	worker_clock(p->t);
	note_daemon(p->t->worker, v);
	session_on_verdict(&p->s, v, clean_fd);
	pair_update(p);
}

static struct scan_job *op_scan(struct session *s, const struct scan_request *r, int fd,
	unsigned timeout_ms)
{
	struct pair *p = pair_of(s);

	return scan_client_start(p->t->scan, r, fd, timeout_ms, on_scanned, p);
}

static void op_scan_cancel(struct session *s, struct scan_job **job)
{
	(void)s;
	scan_job_cancel(job);
}

const struct session_ops pair_ops = { op_dial, op_hangup, op_scan, op_scan_cancel };

/* ---- events ---------------------------------------------------------------- */

static void on_server(struct conn *c, enum conn_event e, const void *data, size_t n)
{
	struct pair *p = pair_of_server(c);

	worker_clock(p->t);
	if (p->connecting && e == CONN_WRITABLE) {
		dial_outcome(p);
	} else if (e == CONN_READ) {
		session_server_input(&p->s, data, n);
	} else if (e == CONN_EOF || e == CONN_ERROR) {
		end_server(p); /* it may have shut down its half only, and go on reading */
		session_server_gone(&p->s);
	}
	pair_update(p);
}

static bool proxy_input(struct pair *p, const void *data, size_t n);

static void on_client(struct conn *c, enum conn_event e, const void *data, size_t n)
{
	struct pair *p = pair_of_client(c);

	worker_clock(p->t);
	if (p->lingering) {
		if (e != CONN_READ) {
			pair_free(p);
			return;
		}
	} else if (p->await_proxy) {
		if (e != CONN_READ)
			pair_free(p);
		if (e != CONN_READ || !proxy_input(p, data, n))
			return;
	} else if (e == CONN_READ) {
		session_client_input(&p->s, data, n);
	} else if (e == CONN_EOF) {
		session_client_eof(&p->s);
	} else if (e == CONN_ERROR) {
		session_client_error(&p->s);
	}
	pair_update(p);
}

/* ---- the beginning ------------------------------------------------------- */

static void pair_uncount(struct pair *p)
{
	if (p->counted)
		clients_sub(p->t->worker->in.clients, p->t->worker->in.slot, &p->s.client);
	p->counted = false;
}

/* No session for this one. It does not count as one while it goes: those who
 * are refused must not keep the next one out. */
static void refuse(struct pair *p, enum session_end why)
{
	session_refuse(&p->s, why);
	pair_uncount(p);
	stats_sub(ST_SESSIONS_OPEN, 1);
	p->is_refused = true;
	p->t->nrefused++;
}

/* One client or the whole agent has as many sessions as it may. */
static void refuse_busy(struct pair *p, bool is_full)
{
	static struct log_limit full, client;
	const struct conf_smtp *c = &p->t->env.conf->smtp;
	char who[NET_ADDR_TEXT];

	refuse(p, SESSION_END_BUSY);
	if (is_full && log_limited(&full, CROWD_BURST))
		log_warning("max_sessions (%u) is reached: more clients are told 421, to try later",
			c->max_sessions);
	else if (!is_full && log_limited(&client, CROWD_BURST))
		log_warning("max_sessions_per_client (%u) is reached by %s: it is told 421, to try "
			"later", c->max_sessions_per_client, net_addr_text(&p->s.client, who));
}

/* The client is known, by its connection or by what the balancer said; or it is
 * not, and then the balancer's own address earns it no trust. */
static void pair_begin(struct pair *p, bool is_known)
{
	const struct worker *w = p->t->worker;
	const struct conf_smtp *c = &p->t->env.conf->smtp;
	unsigned sessions = 0;

	p->s.is_trusted = is_known && net_cidrs_match(w->trusted.list, w->trusted.n, &p->s.client);
	p->s.is_debugged = net_cidrs_match(w->debugged.list, w->debugged.n, &p->s.client);
	if (c->max_sessions_per_client != 0) {
		sessions = clients_add(w->in.clients, w->in.slot, &p->s.client);
		p->counted = true;
	}
	if (!net_cidrs_match(w->allowed.list, w->allowed.n, &p->s.client)) {
		refuse(p, SESSION_END_NOT_ALLOWED);
		return;
	}
	const bool is_full = stats_sum(ST_SESSIONS_OPEN) > c->max_sessions;
	if (is_full || sessions > c->max_sessions_per_client)
		refuse_busy(p, is_full);
	else
		session_start(&p->s);
}

/* Octets of a balancer's connection up to the end of its header. False: the
 * pair has gone. */
static bool proxy_input(struct pair *p, const void *data, size_t n)
{
	struct proxy_hdr h;
	const char *why = "too long";
	size_t used;

	int got = buf_append(&p->s.c_in, data, n) < 0 ? -1 :
		proxy_hdr_parse(buf_head(&p->s.c_in), buf_len(&p->s.c_in), &h, &used, &why);
	if (got < 0) {
		log_warning("PROXY header: %s", why);
		pair_free(p);
		return false;
	}
	if (got == 0)
		return true;
	p->await_proxy = false;
	buf_consume(&p->s.c_in, used);
	if (h.src.family != 0) {
		p->s.client = h.src;
		p->s.local = h.dst;
	}
	p->s.is_check = h.is_local;
	pair_begin(p, h.src.family != 0 || h.is_local);
	return true;
}

static void pair_link(struct pair *p)
{
	struct worker_thread *t = p->t;

	p->next = t->pairs;
	p->prev = &t->pairs;
	if (p->next != NULL)
		p->next->prev = &p->next;
	t->pairs = p;
	t->npairs++;
	stats_add(ST_SESSIONS, 1);
	stats_add(ST_SESSIONS_OPEN, 1);
}

void pair_new(struct worker_thread *t, int fd, const struct net_addr *peer)
{
	const struct cidrs *balancers = &t->worker->balancers;
	struct net_addr local = { .family = 0 };
	struct pair *p = slab_take(&t->slab);

	if (p == NULL) {
		close(fd);
		log_error("no memory for a session");
		return;
	}
	p->t = t;
	conn_init(&p->client, t->base, on_client);
	conn_open(&p->client, fd);
	conn_init(&p->server, t->base, on_server);
	if (t->env.conf->smtp.server_proxy_protocol != CONF_PROXY_NO)
		net_local_addr(fd, &local);
	session_init(&p->s, &t->env, stats_next_id(), peer, &local, false);
	pair_link(p);
	p->await_proxy = net_cidrs_match(balancers->list, balancers->n, peer);
	if (p->await_proxy)
		conn_set_reading(&p->client, true);
	else
		pair_begin(p, true);
	pair_update(p);
}

void pair_free(struct pair *p)
{
	struct worker_thread *t = p->t;

	*p->prev = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	t->npairs--;
	if (p->is_refused)
		t->nrefused--;
	else
		stats_sub(ST_SESSIONS_OPEN, 1);
	pair_uncount(p);
	dial_end(p);
	conn_close(&p->server);
	conn_close(&p->client);
	session_fini(&p->s);
	slab_give(&t->slab, p);
	worker_pair_gone(t);
}

/* All is said. A client that still sends would get a reset that could wipe
 * out its last reply before it was read: it is given a moment. */
static void pair_finish(struct pair *p)
{
	if (p->s.client_dead || p->client.write_dead || p->s.client_eof ||
	    p->s.end == SESSION_END_QUIT ||
	    (p->is_refused && p->t->nrefused > WORKER_REFUSED_MAX)) {
		pair_free(p);
		return;
	}
	if (!p->lingering) {
		p->lingering = true;
		p->linger_until_ms = p->s.env->now_ms + WORKER_LINGER_MS;
		shutdown(p->client.fd, SHUT_WR);
	}
	conn_set_reading(&p->client, true);
}

/* What goes by its descriptor. Not all at once, lest a fast server keeps the
 * thread from others: false then too, and the write event brings us back. */
static bool send_directly(struct pair *p)
{
	for (size_t turn = DIRECT_TURN; p->s.direct.left > 0;) {
		const struct session_direct *d = &p->s.direct;
		if (turn == 0) {
			conn_want_writable(&p->server);
			return false;
		}
		ptrdiff_t n = conn_send_file(&p->server, d->fd, d->at,
			d->left < turn ? (size_t)d->left : turn);
		if (n < 0)
			return false;
		turn -= (size_t)n;
		session_direct_sent(&p->s, (size_t)n);
	}
	return true;
}

/* Write out what the session left; false if the socket takes no more now. */
static bool flush_server(struct pair *p)
{
	return !conn_is_open(&p->server) || p->connecting || p->server.write_dead ||
		(conn_flush(&p->server, &p->s.s_out) && send_directly(p));
}

static bool flush_client(struct pair *p)
{
	return p->client.write_dead || p->lingering || conn_flush(&p->client, &p->s.c_out);
}

void pair_update(struct pair *p)
{
	if (p->await_proxy)
		return;
	for (int round = 0; round < FLUSH_ROUNDS; round++) {
		if (p->dial_failed) {
			p->dial_failed = false;
			session_on_dial(&p->s, false);
		}
		/* What the server gets does not wait for what the client reads. */
		const bool is_server_out = flush_server(p), is_client_out = flush_client(p);
		if (p->client.write_dead && !p->s.client_dead)
			session_client_error(&p->s);
		if (!is_server_out || p->s.state == ST_CLOSE)
			break;
		session_on_written(&p->s);
		if ((buf_is_empty(&p->s.c_out) || !is_client_out) && !session_has_output(&p->s) &&
		    !p->dial_failed)
			break;
	}
	if (session_is_over(&p->s) && (p->s.client_dead || buf_is_empty(&p->s.c_out))) {
		pair_finish(p);
		return;
	}
	/* More to say than these rounds could: the write event brings us back. */
	if (session_has_output(&p->s) && conn_is_open(&p->server) && !p->connecting &&
	    !p->server.write_dead)
		conn_want_writable(&p->server);
	conn_set_reading(&p->client, session_wants_client(&p->s));
	if (session_wants_turn(&p->s))
		worker_want_turn(p->t);
	/* A server that takes no more may have said why: read on to its end. */
	conn_set_reading(&p->server, conn_is_open(&p->server) && !p->connecting &&
		(session_wants_server(&p->s) || p->server.write_dead));
}

/* What the kernel holds of a message goes on to a server that is slow, but there. */
static void look_at_server(struct pair *p)
{
	bool is_all_out;

	if (!session_is_sending(&p->s) || !conn_is_open(&p->server) || p->connecting)
		return;
	const uint64_t taken = conn_taken(&p->server, &is_all_out);
	if (taken != p->server_taken)
		session_server_takes(&p->s);
	p->server_taken = taken;
}

void pair_tick(struct pair *p)
{
	long long now = p->s.env->now_ms;

	if (p->lingering) {
		if (now >= p->linger_until_ms)
			pair_free(p);
		return;
	}
	if (p->await_proxy) {
		if (now - p->s.start_ms >= WORKER_PROXY_MS) {
			char peer[NET_ADDR_TEXT];
			log_ctx_set(NULL);
			log_warning("no PROXY header came from %s, which is in listen_proxy_protocol",
				net_addr_text(&p->s.client, peer));
			pair_free(p);
		}
		return;
	}
	if (p->connecting && now >= p->connect_until_ms)
		dial_failed(p, ETIMEDOUT);
	look_at_server(p);
	session_tick(&p->s);
	pair_update(p);
}

void pair_turn(struct pair *p)
{
	if (!session_wants_turn(&p->s))
		return;
	session_on_turn(&p->s);
	pair_update(p);
}

static void pair_end(struct pair *p, void (*end)(struct session *))
{
	if (p->lingering)
		return;
	if (p->await_proxy) {
		pair_free(p);
		return;
	}
	end(&p->s);
	pair_update(p);
}

void pair_stop(struct pair *p)
{
	pair_end(p, session_stop);
}

void pair_cut(struct pair *p)
{
	pair_end(p, session_cut);
}
