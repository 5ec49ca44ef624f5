/* scan_client.c - timed scan requests to the daemon.
 *
 *     start -> QUEUED -> CONNECT (timer while the accept queue is full)
 *                     -> SEND (once, EV_WRITE if need be) -> WAIT -> done
 *
 * Owns a link for each request at the daemon, those that were kept behind an
 * answer for the next one, and the line of requests that wait for a place. The
 * daemon may close a kept link whenever it likes: a request that finds it so, or
 * gets no answer on it, is asked once more on a new one. To connect anew for each
 * would cost a small message twice the wake-ups. One timer for each job serves its deadline, the
 * next try to connect and results that are known before the loop may say so
 * (done never runs inside start). Everything the daemon sends is untrusted:
 * the answer goes through scan_msg, a descriptor through clean_fd_check.
 * Thread rule: a client belongs to its event loop's thread. Must not log:
 * the reason is in the verdict, and whoever asked has the context. */
#include "scan_client.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "stats.h"
#include "str.h"

#define RETRY_FIRST_MS 10
#define RETRY_MAX_MS 200
#define SOCK_OVERHEAD 1024       /* of a packet in a socket's buffer, amply */
#define CLEAN_EXTRA_MAX (1u << 20)  /* a cleaned message may grow by this */
#define SEALS_NEEDED (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

enum job_state { JOB_QUEUED, JOB_CONNECT, JOB_SEND, JOB_WAIT };

/* What an answer is checked against. */
struct ask {
	char id[VERDICT_ID_SIZE];
	uint64_t size;
	bool want_as, may_clean;
};

struct scan_job {
	struct scan_client *client;
	TAILQ_ENTRY(scan_job) link;  /* in client->waiting or client->active */
	enum job_state state;
	struct event timer;
	struct link *link_used;      /* from CONNECT on; NULL while there is none */
	int fd;
	struct buf packet;
	bool must_be_new;            /* a kept link did not do */
	struct ask ask;
	long long deadline_ms;
	unsigned retry_ms;
	bool is_failed;              /* reason is known, the timer tells it */
	char reason[VERDICT_REASON_MAX];
	scan_done_fn done;
	void *arg;
};

/* One connection. Without a job it is kept, and closed as soon as anything
 * happens to it. */
struct link {
	struct scan_client *client;
	SLIST_ENTRY(link) next;      /* among the kept ones */
	struct event io;
	short on;                    /* what io is on for */
	int sock;
	bool is_used;                /* an answer has come by it */
	struct scan_job *job;
};

TAILQ_HEAD(job_list, scan_job);
SLIST_HEAD(link_list, link);

struct scan_client {
	struct event_base *base;
	struct net_endpoint daemon;
	unsigned max_inflight, inflight;
	size_t inline_max;
	struct job_list waiting, active;
	struct link_list kept;       /* the last used first */
	unsigned char answer[SCAN_MSG_MAX];
};

static void pump(struct scan_client *c);

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- what both forms share ----------------------------------------------- */

static int endpoint_set(struct net_endpoint *e, const char *path)
{
	memset(e, 0, sizeof *e);
	e->addr.family = AF_UNIX;
	if (path[0] == '\0' || !str_copy(e->path, sizeof e->path, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static struct ask ask_of(const struct scan_request *r)
{
	struct ask a = { .size = r->size, .want_as = r->want_as,
		.may_clean = r->opts.clean_mode != SCAN_CLEAN_NONE };

	if (r->id != NULL)
		str_copy_n(a.id, sizeof a.id, r->id, strlen(r->id));
	return a;
}

static unsigned retry_next(unsigned ms)
{
	return ms * 2 < RETRY_MAX_MS ? ms * 2 : RETRY_MAX_MS;
}

/* May this failure pass? A full accept queue does, and so do too many
 * descriptors on their way. */
static bool is_passing(int error)
{
	return error == EAGAIN || error == ETOOMANYREFS || error == ENOBUFS;
}

/* NULL, or why this is not a cleaned message that can be trusted to stay as
 * it is and to be no bigger than it should be. */
static const char *clean_fd_check(int fd, const struct ask *ask)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	int flags = fcntl(fd, F_GETFL);

	if (seals < 0 || (seals & SEALS_NEEDED) != SEALS_NEEDED)
		return "the cleaned message is not sealed";
	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) != 0)
		return "the cleaned message cannot be read";
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uint64_t)st.st_size > ask->size + CLEAN_EXTRA_MAX)
		return "the cleaned message has a wrong size";
	return NULL;
}

/* Checks verdict and descriptor against each other and the request. NULL, or
 * what is wrong. */
static const char *answer_check(struct verdict *v, int fd, const struct ask *ask)
{
	/* A second answer to the request before would be taken for this one's. */
	if (v->id[0] != '\0' && strcmp(v->id, ask->id) != 0)
		return "it belongs to another request";
	/* Not asked or not answered must not look like clean. */
	if (ask->want_as && v->as == VERDICT_AS_NONE)
		v->as = VERDICT_AS_NOTSCANNED;
	if ((v->av & VERDICT_AV_DELETED) == 0)
		return NULL;
	if (!ask->may_clean)
		return "the scanner changed a message without being asked to";
	if (fd < 0)
		return "the cleaned message is missing";
	return clean_fd_check(fd, ask);
}

enum answer {
	ANSWER_NOT_YET,
	ANSWER_GOOD,
	ANSWER_BAD,    /* v is unavailable, as it is with the next */
	ANSWER_NEVER   /* the connection ended */
};

/* Reads the answer into v and *fd_out. */
static enum answer answer_read(int sock, unsigned char *mem, const struct ask *ask,
	struct verdict *v, int *fd_out)
{
	char text[VERDICT_REASON_MAX];
	const char *why = NULL;
	int fd;

	*fd_out = -1;
	ptrdiff_t n = net_recv_fd(sock, mem, SCAN_MSG_MAX, &fd);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ANSWER_NOT_YET;
	if (n < 0) {
		const bool is_gone = errno == ECONNRESET;
		snprintf(text, sizeof text, "scanner daemon: %s", strerror(errno));
		verdict_unavailable(v, text);
		return is_gone ? ANSWER_NEVER : ANSWER_BAD;
	}
	if (n == 0) {
		verdict_unavailable(v, "scanner daemon gave no answer");
		return ANSWER_NEVER;
	}
	if (scan_verdict_parse(mem, (size_t)n, v, &why) == 0) {
		why = answer_check(v, fd, ask);
		if (why != NULL)
			verdict_fini(v);
	}
	if (why != NULL) {
		snprintf(text, sizeof text, "scanner daemon gave a wrong answer: %s", why);
		verdict_unavailable(v, text);
	}
	if (fd >= 0 && (why != NULL || (v->av & VERDICT_AV_DELETED) == 0)) {
		close(fd);
		fd = -1;
	}
	*fd_out = fd;
	return why == NULL ? ANSWER_GOOD : ANSWER_BAD;
}

#define UNREACHABLE_MAX 320 /* verdict_unavailable cuts it */

static void unreachable_text(char *out, size_t size, const struct net_endpoint *daemon, int error)
{
	snprintf(out, size, "scanner daemon is not reachable: %s%s (%s)", strerror(error),
		error == EACCES ? ": the user must be in the group of daemon_sock_path" : "",
		daemon->path);
}

/* --- links --------------------------------------------------------------- */

static void on_io(evutil_socket_t sock, short what, void *arg);

/* 0, -1 no memory. */
static int link_watch(struct link *l, short what)
{
	if (l->on == what)
		return 0;
	if (l->on != 0)
		event_del(&l->io);
	l->on = 0;
	event_assign(&l->io, l->client->base, l->sock, (short)(what | EV_PERSIST), on_io, l);
	if (event_add(&l->io, NULL) < 0)
		return -1;
	l->on = what;
	return 0;
}

/* NULL with errno. */
static struct link *link_new(struct scan_client *c)
{
	struct link *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->client = c;
	l->sock = net_connect(&c->daemon, SOCK_SEQPACKET);
	if (l->sock >= 0)
		return l;
	int error = errno;
	free(l);
	errno = error;
	return NULL;
}

/* It is in no list. */
static void link_free(struct link *l)
{
	if (l->on != 0)
		event_del(&l->io);
	close(l->sock);
	free(l);
}

static struct link *link_take(struct scan_client *c)
{
	struct link *l = SLIST_FIRST(&c->kept);

	if (l != NULL)
		SLIST_REMOVE_HEAD(&c->kept, next);
	return l;
}

/* --- jobs ---------------------------------------------------------------- */

static void job_disconnect(struct scan_job *j)
{
	if (j->link_used != NULL)
		link_free(j->link_used);
	j->link_used = NULL;
}

/* Its answer is there: the link is for the next one. */
static void job_keep_link(struct scan_job *j)
{
	struct link *l = j->link_used;

	j->link_used = NULL;
	l->is_used = true;
	l->job = NULL;
	SLIST_INSERT_HEAD(&j->client->kept, l, next);
}

/* Takes a job out of everything and frees it. */
static void job_free(struct scan_job *j)
{
	struct scan_client *c = j->client;

	job_disconnect(j);
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
	long long left = j->deadline_ms - now_ms();

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
	job_timer(j, j->deadline_ms - now_ms() + 1);
}

static void job_fail(struct scan_job *j, const char *reason)
{
	job_disconnect(j);
	str_copy(j->reason, sizeof j->reason, reason);
	j->is_failed = true;
	job_timer(j, 0);
}

static void job_retry(struct scan_job *j)
{
	job_disconnect(j);
	j->state = JOB_CONNECT;
	job_timer(j, j->retry_ms);
	j->retry_ms = retry_next(j->retry_ms);
}

static void job_connect(struct scan_job *j);

/* The link was kept, and closed by the daemon: another one, and a new one lest
 * a request that ends workers goes through all that are kept. */
static void job_again(struct scan_job *j)
{
	job_disconnect(j);
	j->must_be_new = true;
	j->state = JOB_CONNECT;
	job_connect(j);
}

static void job_send(struct scan_job *j)
{
	struct link *l = j->link_used;
	char text[UNREACHABLE_MAX];
	short what = EV_READ;

	j->state = JOB_SEND;
	if (net_send_fd(l->sock, buf_head(&j->packet), buf_len(&j->packet), j->fd) >= 0) {
		j->state = JOB_WAIT;
	} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
		what = EV_WRITE;
	} else if (l->is_used && (errno == EPIPE || errno == ECONNRESET)) {
		job_again(j);
		return;
	} else if (is_passing(errno)) {
		job_retry(j);
		return;
	} else {
		if (errno == EMSGSIZE) /* somebody made net.core.wmem_default smaller */
			j->client->inline_max = 0;
		unreachable_text(text, sizeof text, &j->client->daemon, errno);
		job_fail(j, text);
		return;
	}
	if (link_watch(l, what) < 0)
		job_fail(j, "out of memory");
	else
		job_until_deadline(j);
}

static void job_connect(struct scan_job *j)
{
	char text[UNREACHABLE_MAX];

	j->link_used = j->must_be_new ? NULL : link_take(j->client);
	if (j->link_used == NULL)
		j->link_used = link_new(j->client);
	if (j->link_used != NULL) { /* -Wanalyzer-malloc-leak: the job has the link */
		j->link_used->job = j;
		job_send(j);
	} else if (is_passing(errno)) {
		job_retry(j);
	} else {
		unreachable_text(text, sizeof text, &j->client->daemon, errno);
		job_fail(j, text);
	}
}

static void job_read(struct scan_job *j)
{
	struct verdict v;
	int fd;
	const enum answer got = answer_read(j->link_used->sock, j->client->answer, &j->ask, &v, &fd);

	if (got == ANSWER_NOT_YET)
		return;
	if (got == ANSWER_NEVER && j->link_used->is_used) {
		verdict_fini(&v);
		job_again(j);
		return;
	}
	if (got == ANSWER_GOOD)
		job_keep_link(j);
	job_done(j, &v, fd);
}

static void on_io(evutil_socket_t sock, short what, void *arg)
{
	struct link *l = arg;

	(void)sock;
	(void)what;
	if (l->job == NULL) {
		SLIST_REMOVE(&l->client->kept, l, link, next);
		link_free(l);
	} else if (l->job->state == JOB_SEND) {
		job_send(l->job);
	} else {
		job_read(l->job);
	}
}

static void on_timer(evutil_socket_t sock, short what, void *arg)
{
	struct scan_job *j = arg;

	(void)sock;
	(void)what;
	if (j->is_failed)
		job_done_unavailable(j, j->reason);
	else if (now_ms() >= j->deadline_ms)
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
	if (endpoint_set(&c->daemon, sock_path) < 0) {
		free(c);
		return NULL;
	}
	c->base = base;
	c->max_inflight = max_inflight > 0 ? max_inflight : 1;
	c->inline_max = inline_max();
	TAILQ_INIT(&c->waiting);
	TAILQ_INIT(&c->active);
	SLIST_INIT(&c->kept);
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
	for (struct link *l; (l = link_take(c)) != NULL;)
		link_free(l);
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
	j->ask = ask_of(r);
	j->deadline_ms = now_ms() + timeout_ms;
	j->retry_ms = RETRY_FIRST_MS;
	j->done = done;
	j->arg = arg;
	event_assign(&j->timer, c->base, -1, 0, on_timer, j);
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

/* --- blocking form ------------------------------------------------------- */

struct call {
	struct net_endpoint daemon;
	struct buf packet;
	struct ask ask;
	int sock, fd;
	long long deadline_ms;
};

/* 0 sent; -1 with errno, ETIMEDOUT at the deadline. */
static int call_send(struct call *c)
{
	unsigned retry_ms = RETRY_FIRST_MS;

	for (;;) {
		c->sock = net_connect(&c->daemon, SOCK_SEQPACKET);
		if (c->sock >= 0 && net_send_fd(c->sock, buf_head(&c->packet),
				buf_len(&c->packet), c->fd) >= 0)
			return 0;
		int error = errno;
		if (c->sock >= 0)
			close(c->sock);
		c->sock = -1;
		errno = error;
		if (!is_passing(error))
			return -1;
		if (now_ms() + retry_ms > c->deadline_ms) {
			errno = ETIMEDOUT;
			return -1;
		}
		poll(NULL, 0, (int)retry_ms);
		retry_ms = retry_next(retry_ms);
	}
}

static void call_wait(struct call *c, unsigned char *mem, struct verdict *v, int *clean_fd_out)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	for (;;) {
		long long left = c->deadline_ms - now_ms();
		if (left <= 0) {
			verdict_unavailable(v, "scanner daemon did not answer in time");
			return;
		}
		if (poll(&p, 1, left > 60000 ? 60000 : (int)left) > 0 &&
		    answer_read(c->sock, mem, &c->ask, v, clean_fd_out) != ANSWER_NOT_YET)
			return;
	}
}

void scan_client_call(const char *sock_path, const struct scan_request *r, int fd,
	unsigned timeout_ms, struct verdict *v, int *clean_fd_out)
{
	struct call c = { .ask = ask_of(r), .sock = -1, .fd = fd,
		.deadline_ms = now_ms() + timeout_ms };
	unsigned char *mem = malloc(SCAN_MSG_MAX);
	char text[UNREACHABLE_MAX];

	*clean_fd_out = -1;
	buf_init(&c.packet, SCAN_PACKET_MAX);
	if (mem == NULL || scan_request_format(r, &c.packet) < 0) {
		verdict_unavailable(v, "the request is too large");
	} else if (endpoint_set(&c.daemon, sock_path) < 0 || call_send(&c) < 0) {
		unreachable_text(text, sizeof text, &c.daemon, errno);
		verdict_unavailable(v, text);
	} else {
		call_wait(&c, mem, v, clean_fd_out);
	}
	if (c.sock >= 0)
		close(c.sock);
	buf_fini(&c.packet);
	free(mem);
}
