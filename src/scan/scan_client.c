/* scan_client.c - timed scan requests to the daemon.
 *
 *     start -> QUEUED -> CONNECT (timer while the accept queue is full)
 *                     -> SEND (once, EV_WRITE if need be) -> WAIT -> done
 *
 * Owns the line of requests that wait for a place. A request that finds a kept
 * link closed, or gets no answer of its own on it, is asked once more on a new one. One timer
 * for each job serves its deadline, the next try to connect and results that are
 * known before the loop may say so (done never runs inside start).
 * Thread rule: a client belongs to its event loop's thread. Must not log:
 * the reason is in the verdict, and whoever asked has the context. */
#include "scan_client.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "scan_client_int.h"
#include "stats.h"
#include "str.h"

#define SOCK_OVERHEAD 1024       /* of a packet in a socket's buffer, amply */

enum job_state { JOB_QUEUED, JOB_CONNECT, JOB_SEND, JOB_WAIT };

struct scan_job {
	struct scan_client *client;
	TAILQ_ENTRY(scan_job) link;  /* in client->waiting or client->active */
	enum job_state state;
	struct event timer;
	struct scan_link *link_used; /* from CONNECT on; NULL while there is none */
	int fd;
	struct buf packet;
	bool must_be_new;            /* a kept link did not do */
	struct scan_ask ask;
	long long deadline_ms;
	unsigned retry_ms;
	bool is_failed;              /* reason is known, the timer tells it */
	char reason[VERDICT_REASON_MAX];
	scan_done_fn done;
	void *arg;
};

TAILQ_HEAD(job_list, scan_job);

struct scan_client {
	struct scan_links links;
	unsigned max_inflight, inflight;
	size_t inline_max;
	struct job_list waiting, active;
	unsigned char answer[SCAN_MSG_MAX];
};

static void pump(struct scan_client *c);

/* --- jobs ---------------------------------------------------------------- */

/* Takes a job out of everything and frees it. */
static void job_free(struct scan_job *j)
{
	struct scan_client *c = j->client;

	scan_link_free(&j->link_used);
	event_del(&j->timer);
	if (j->state == JOB_QUEUED) {
		TAILQ_REMOVE(&c->waiting, j, link);
		stats_sub(ST_SCANS_WAITING, 1);
	} else {
		TAILQ_REMOVE(&c->active, j, link);
		stats_sub(ST_SCANS_ACTIVE, 1);
		c->inflight--;
	}
	buf_fini(&j->packet);
	free(j);
}

static void job_done(struct scan_job *j, struct verdict *v, int clean_fd)
{
	struct scan_client *c = j->client;
	scan_done_fn done = j->done;
	void *arg = j->arg;

	job_free(j);
	pump(c);
	done(arg, v, clean_fd);
	verdict_fini(v);
}

static void job_done_unavailable(struct scan_job *j, const char *reason)
{
	struct verdict v;

	verdict_unavailable(&v, reason);
	job_done(j, &v, -1);
}

/* Wakes the job up in ms, or at its deadline if that is sooner. */
static void job_timer(struct scan_job *j, long long ms)
{
	long long left = j->deadline_ms - scan_now_ms();

	if (ms > left)
		ms = left;
	if (ms < 0)
		ms = 0;
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_add(&j->timer, &tv);
}

static void job_until_deadline(struct scan_job *j)
{
	job_timer(j, j->deadline_ms - scan_now_ms() + 1);
}

static void job_fail(struct scan_job *j, const char *reason)
{
	scan_link_free(&j->link_used);
	str_copy(j->reason, sizeof j->reason, reason);
	j->is_failed = true;
	job_timer(j, 0);
}

static void job_retry(struct scan_job *j)
{
	scan_link_free(&j->link_used);
	j->state = JOB_CONNECT;
	job_timer(j, j->retry_ms);
	j->retry_ms = scan_retry_next(j->retry_ms);
}

static void job_connect(struct scan_job *j);
static void on_link(void *arg);

/* The link was kept, and closed by the daemon or brought what is not the answer:
 * another one, and a new one lest a request that ends workers goes through all that
 * are kept. */
static void job_again(struct scan_job *j)
{
	scan_link_free(&j->link_used);
	j->must_be_new = true;
	j->state = JOB_CONNECT;
	job_connect(j);
}

static void job_send(struct scan_job *j)
{
	struct scan_link *l = j->link_used;
	char text[SCAN_UNREACHABLE_MAX];
	short what = EV_READ;

	j->state = JOB_SEND;
	if (net_send_fd(scan_link_sock(l), buf_head(&j->packet), buf_len(&j->packet), j->fd) >= 0) {
		j->state = JOB_WAIT;
	} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
		what = EV_WRITE;
	} else if (scan_link_is_used(l) && (errno == EPIPE || errno == ECONNRESET)) {
		job_again(j);
		return;
	} else if (scan_is_passing(errno)) {
		job_retry(j);
		return;
	} else {
		if (errno == EMSGSIZE) /* somebody made net.core.wmem_default smaller */
			j->client->inline_max = 0;
		scan_unreachable(text, sizeof text, &j->client->links.daemon, errno);
		job_fail(j, text);
		return;
	}
	if (scan_link_watch(l, what) < 0)
		job_fail(j, "out of memory");
	else
		job_until_deadline(j);
}

static void job_connect(struct scan_job *j)
{
	char text[SCAN_UNREACHABLE_MAX];

	j->link_used = scan_link_get(&j->client->links, j->must_be_new, on_link, j);
	if (j->link_used != NULL) {
		job_send(j);
	} else if (scan_is_passing(errno)) {
		job_retry(j);
	} else {
		scan_unreachable(text, sizeof text, &j->client->links.daemon, errno);
		job_fail(j, text);
	}
}

static void job_read(struct scan_job *j)
{
	struct verdict v;
	int fd;
	const enum scan_answer got = scan_answer_read(scan_link_sock(j->link_used),
		j->client->answer, &j->ask, &v, &fd);

	if (got == SCAN_ANSWER_NOT_YET)
		return;
	if (got == SCAN_ANSWER_NEVER && scan_link_is_used(j->link_used)) {
		verdict_fini(&v);
		job_again(j);
		return;
	}
	if (got == SCAN_ANSWER_GOOD) {
		scan_link_keep(j->link_used);
		j->link_used = NULL;
	}
	job_done(j, &v, fd);
}

static void on_link(void *arg)
{
	struct scan_job *j = arg;

	if (j->state == JOB_SEND)
		job_send(j);
	else
		job_read(j);
}

static void on_timer(evutil_socket_t sock, short what, void *arg)
{
	struct scan_job *j = arg;

	(void)sock;
	(void)what;
	if (j->is_failed)
		job_done_unavailable(j, j->reason);
	else if (scan_now_ms() >= j->deadline_ms)
		job_done_unavailable(j, j->state == JOB_WAIT
			? "scanner daemon did not answer in time"
			: "scanner daemon had no place in time");
	else if (j->state == JOB_CONNECT)
		job_connect(j);
	else
		job_until_deadline(j);
}

/* Gives free places to those who wait. Fails of a job come by its timer, so
 * this never calls anybody back. */
static void pump(struct scan_client *c)
{
	struct scan_job *j;

	while (c->inflight < c->max_inflight && (j = TAILQ_FIRST(&c->waiting)) != NULL) {
		TAILQ_REMOVE(&c->waiting, j, link);
		TAILQ_INSERT_TAIL(&c->active, j, link);
		stats_sub(ST_SCANS_WAITING, 1);
		stats_add(ST_SCANS_ACTIVE, 1);
		c->inflight++;
		j->state = JOB_CONNECT;
		job_connect(j);
	}
}

/* --- the client ---------------------------------------------------------- */

/* A packet must fit into a socket's buffer as a whole. */
static size_t inline_max(void)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), size = 0;
	socklen_t len = sizeof size;

	if (sock < 0)
		return 0;
	if (getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0)
		size = 0;
	close(sock);
	return size >= SCAN_PACKET_MAX + SOCK_OVERHEAD ? SCAN_INLINE_MAX : 0;
}

size_t scan_client_inline_max(const struct scan_client *c)
{
	return c->inline_max;
}

struct scan_client *scan_client_new(struct event_base *base, const char *sock_path,
	unsigned max_inflight)
{
	struct scan_client *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	if (scan_daemon_at(&c->links.daemon, sock_path) < 0) {
		free(c);
		return NULL;
	}
	scan_links_init(&c->links, base);
	c->max_inflight = max_inflight > 0 ? max_inflight : 1;
	c->inline_max = inline_max();
	TAILQ_INIT(&c->waiting);
	TAILQ_INIT(&c->active);
	return c;
}

void scan_client_free(struct scan_client **cp)
{
	struct scan_client *c = *cp;
	struct scan_job *j;

	if (c == NULL)
		return;
	while ((j = TAILQ_FIRST(&c->waiting)) != NULL || (j = TAILQ_FIRST(&c->active)) != NULL)
		job_free(j);
	scan_links_fini(&c->links);
	free(c);
	*cp = NULL;
}

struct scan_job *scan_client_start(struct scan_client *c, const struct scan_request *r, int fd,
	unsigned timeout_ms, scan_done_fn done, void *arg)
{
	struct scan_job *j = calloc(1, sizeof *j);
	struct scan_request q = *r;

	if (j == NULL)
		return NULL;
	q.keep = true;
	buf_init(&j->packet, SCAN_PACKET_MAX);
	if (scan_request_format(&q, &j->packet) < 0) {
		buf_fini(&j->packet);
		free(j);
		return NULL;
	}
	j->client = c;
	j->state = JOB_QUEUED;
	j->fd = fd;
	j->ask = scan_ask_of(r);
	j->deadline_ms = scan_now_ms() + timeout_ms;
	j->retry_ms = SCAN_RETRY_FIRST_MS;
	j->done = done;
	j->arg = arg;
	event_assign(&j->timer, c->links.base, -1, 0, on_timer, j);
	job_until_deadline(j);
	TAILQ_INSERT_TAIL(&c->waiting, j, link);
	stats_add(ST_SCANS_WAITING, 1);
	pump(c);
	return j;
}

void scan_job_cancel(struct scan_job **job)
{
	struct scan_job *j = *job;

	if (j == NULL)
		return;
	struct scan_client *c = j->client;
	*job = NULL;
	job_free(j);
	pump(c);
}
