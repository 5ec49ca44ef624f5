/* scan_client.c - timed scan requests with a passed descriptor.
 *
 *     start -> QUEUED -> CONNECT (timer while the accept queue is full)
 *                     -> SEND (once, EV_WRITE if need be) -> WAIT -> done
 *
 * Owns one connection for each request at the daemon, and the line of those
 * that wait for a place. One timer for each job serves its deadline, the
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
#include "str.h"

#define RETRY_FIRST_MS 10
#define RETRY_MAX_MS 200
#define SOCK_OVERHEAD 1024       /* of a packet in a socket's buffer, amply */
#define CLEAN_EXTRA_MAX (1u << 20)  /* a cleaned message may grow by this */
#define SEALS_NEEDED (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

enum job_state { JOB_QUEUED, JOB_CONNECT, JOB_SEND, JOB_WAIT };

/* What an answer is checked against. */
struct ask {
	uint64_t size;
	bool want_as, may_clean;
};

struct scan_job {
	struct scan_client *client;
	TAILQ_ENTRY(scan_job) link;  /* in client->waiting or client->active */
	enum job_state state;
	struct event io, timer;
	bool has_io;
	int sock, fd;
	struct buf packet;
	struct ask ask;
	long long deadline_ms;
	unsigned retry_ms;
	bool is_failed;              /* reason is known, the timer tells it */
	char reason[VERDICT_REASON_MAX];
	scan_done_fn done;
	void *arg;
};

TAILQ_HEAD(job_list, scan_job);

struct scan_client {
	struct event_base *base;
	struct net_endpoint daemon;
	unsigned max_inflight, inflight;
	size_t inline_max;
	struct job_list waiting, active;
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
	return (struct ask){ r->size, r->want_as, r->opts.clean_mode != SCAN_CLEAN_NONE };
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

/* Reads the answer. 1 done: v and *fd_out are set, unavailable where the
 * answer is no good; 0 nothing there yet. */
static int answer_read(int sock, unsigned char *mem, const struct ask *ask, struct verdict *v,
	int *fd_out)
{
	char text[VERDICT_REASON_MAX];
	const char *why = NULL;
	int fd;

	*fd_out = -1;
	ptrdiff_t n = net_recv_fd(sock, mem, SCAN_MSG_MAX, &fd);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0) {
		snprintf(text, sizeof text, "scanner daemon: %s", strerror(errno));
		verdict_unavailable(v, text);
		return 1;
	}
	if (n == 0) {
		verdict_unavailable(v, "scanner daemon gave no answer");
		return 1;
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
	return 1;
}

static void unreachable_text(char *out, size_t size, int error)
{
	snprintf(out, size, "scanner daemon is not reachable: %s%s", strerror(error),
		error == EACCES ? ": the user must be in the group of daemon_sock_path" : "");
}

/* --- jobs ---------------------------------------------------------------- */

static void job_disconnect(struct scan_job *j)
{
	if (j->has_io) {
		event_del(&j->io);
		j->has_io = false;
	}
	if (j->sock >= 0) {
		close(j->sock);
		j->sock = -1;
	}
}

/* Takes a job out of everything and frees it. */
static void job_free(struct scan_job *j)
{
	struct scan_client *c = j->client;

	job_disconnect(j);
	event_del(&j->timer);
	if (j->state == JOB_QUEUED) {
		TAILQ_REMOVE(&c->waiting, j, link);
	} else {
		TAILQ_REMOVE(&c->active, j, link);
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

static void on_io(evutil_socket_t sock, short what, void *arg);

static void job_watch(struct scan_job *j, short what)
{
	if (j->has_io)
		event_del(&j->io);
	event_assign(&j->io, j->client->base, j->sock, (short)(what | EV_PERSIST), on_io, j);
	event_add(&j->io, NULL);
	j->has_io = true;
}

static void job_send(struct scan_job *j)
{
	char text[VERDICT_REASON_MAX];

	j->state = JOB_SEND;
	if (net_send_fd(j->sock, buf_head(&j->packet), buf_len(&j->packet), j->fd) >= 0) {
		buf_fini(&j->packet);
		j->state = JOB_WAIT;
		job_watch(j, EV_READ);
		job_until_deadline(j);
	} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
		job_watch(j, EV_WRITE);
		job_until_deadline(j);
	} else if (is_passing(errno)) {
		job_retry(j);
	} else {
		if (errno == EMSGSIZE) /* somebody made net.core.wmem_default smaller */
			j->client->inline_max = 0;
		unreachable_text(text, sizeof text, errno);
		job_fail(j, text);
	}
}

static void job_connect(struct scan_job *j)
{
	char text[VERDICT_REASON_MAX];

	j->sock = net_connect(&j->client->daemon, SOCK_SEQPACKET);
	if (j->sock >= 0) {
		job_send(j);
	} else if (is_passing(errno)) {
		job_retry(j);
	} else {
		unreachable_text(text, sizeof text, errno);
		job_fail(j, text);
	}
}

static void on_io(evutil_socket_t sock, short what, void *arg)
{
	struct scan_job *j = arg;
	struct verdict v;
	int fd;

	(void)sock;
	(void)what;
	if (j->state == JOB_SEND)
		job_send(j);
	else if (answer_read(j->sock, j->client->answer, &j->ask, &v, &fd) == 1)
		job_done(j, &v, fd);
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
	free(c);
	*cp = NULL;
}

struct scan_job *scan_client_start(struct scan_client *c, const struct scan_request *r, int fd,
	unsigned timeout_ms, scan_done_fn done, void *arg)
{
	struct scan_job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return NULL;
	buf_init(&j->packet, SCAN_PACKET_MAX);
	if (scan_request_format(r, &j->packet) < 0) {
		buf_fini(&j->packet);
		free(j);
		return NULL;
	}
	j->client = c;
	j->state = JOB_QUEUED;
	j->sock = -1;
	j->fd = fd;
	j->ask = ask_of(r);
	j->deadline_ms = now_ms() + timeout_ms;
	j->retry_ms = RETRY_FIRST_MS;
	j->done = done;
	j->arg = arg;
	event_assign(&j->timer, c->base, -1, 0, on_timer, j);
	job_until_deadline(j);
	TAILQ_INSERT_TAIL(&c->waiting, j, link);
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
		    answer_read(c->sock, mem, &c->ask, v, clean_fd_out) == 1)
			return;
	}
}

void scan_client_call(const char *sock_path, const struct scan_request *r, int fd,
	unsigned timeout_ms, struct verdict *v, int *clean_fd_out)
{
	struct call c = { .ask = ask_of(r), .sock = -1, .fd = fd,
		.deadline_ms = now_ms() + timeout_ms };
	unsigned char *mem = malloc(SCAN_MSG_MAX);
	char text[VERDICT_REASON_MAX];

	*clean_fd_out = -1;
	buf_init(&c.packet, SCAN_PACKET_MAX);
	if (mem == NULL || scan_request_format(r, &c.packet) < 0) {
		verdict_unavailable(v, "the request is too large");
	} else if (endpoint_set(&c.daemon, sock_path) < 0 || call_send(&c) < 0) {
		unreachable_text(text, sizeof text, errno);
		verdict_unavailable(v, text);
	} else {
		call_wait(&c, mem, v, clean_fd_out);
	}
	if (c.sock >= 0)
		close(c.sock);
	buf_fini(&c.packet);
	free(mem);
}
