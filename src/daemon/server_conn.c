/* server_conn.c - one connection to esets_daemon, from its request to its close.
 *
 * Owns who may ask and what a request must look like before a task sees it.
 * The caller is authenticated by the kernel (SO_PEERCRED), never by what it
 * says. The descriptor must be one that nobody can make us write through and
 * that holds what the request claims. All times are bounded, and a caller
 * that hangs up ends its task. Blocking; runs on a thread of the worker. */
#include "server_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "notify.h"
#include "quarantine.h"
#include "stats.h"
#include "str.h"
#include "task.h"

#define ANSWER_WAIT_MS 5000
#define LOOK_MS 5
#define NAME_SIZE 64
#define NSS_BUF_SIZE 65536
#define GROUPS_MAX 1024           /* of a caller; more are not looked at */
#define SCAN_S_DEFAULT 60
#define SCAN_S_MAX 3600
#define LOG_BURST 10

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- who may ask --------------------------------------------------------- */

static int add_uid(struct server_access *a, uid_t uid)
{
	uid_t *p = realloc(a->uids, (a->nuids + 1) * sizeof *p);

	if (p == NULL)
		return -1;
	p[a->nuids++] = uid;
	a->uids = p;
	return 0;
}

static int add_gid(struct server_access *a, gid_t gid)
{
	gid_t *p = realloc(a->gids, (a->ngids + 1) * sizeof *p);

	if (p == NULL)
		return -1;
	p[a->ngids++] = gid;
	a->gids = p;
	return 0;
}

/* One item of the list. 0, -1 no memory. */
static int add_item(struct server_access *a, const char *item, bool warn, char *mem)
{
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	int error;

	if (item[0] == '@')
		error = getgrnam_r(item + 1, &gr, mem, NSS_BUF_SIZE, &group);
	else
		error = getpwnam_r(item, &pw, mem, NSS_BUF_SIZE, &user);
	if (group != NULL)
		return add_gid(a, group->gr_gid);
	if (user != NULL)
		return add_uid(a, user->pw_uid);
	if (warn)
		log_warning("daemon_allowed_users: %s: %s",
			error != 0 ? strerror(error) : "no such user or group", item);
	return 0;
}

int server_access_load(struct server_access *a, const char *list, bool warn)
{
	char item[NAME_SIZE];
	char *mem = malloc(NSS_BUF_SIZE);
	int rc, result = mem == NULL ? -1 : 0;

	memset(a, 0, sizeof *a);
	while (result == 0 && (rc = str_list_next(&list, ':', item, sizeof item)) != 0) {
		if (rc > 0)
			result = add_item(a, item, warn, mem);
		else if (warn)
			log_warning("daemon_allowed_users: a name is too long");
	}
	if (result < 0)
		server_access_fini(a);
	free(mem);
	return result;
}

void server_access_fini(struct server_access *a)
{
	free(a->uids);
	free(a->gids);
	memset(a, 0, sizeof *a);
}

static bool has_gid(const struct server_access *a, gid_t gid)
{
	for (size_t i = 0; i < a->ngids; i++) {
		if (a->gids[i] == gid)
			return true;
	}
	return false;
}

bool server_access_allows(const struct server_access *a, uid_t uid, gid_t gid,
	const gid_t *groups, size_t ngroups)
{
	if (uid == geteuid() || has_gid(a, gid))
		return true;
	for (size_t i = 0; i < a->nuids; i++) {
		if (a->uids[i] == uid)
			return true;
	}
	for (size_t i = 0; i < ngroups; i++) {
		if (has_gid(a, groups[i]))
			return true;
	}
	return false;
}

bool server_conn_is_allowed(const struct server_pool *p, int conn)
{
	struct ucred peer;
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof peer, glen = sizeof groups;

	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (getsockopt(conn, SOL_SOCKET, SO_PEERGROUPS, groups, &glen) < 0)
		glen = 0;
	return server_access_allows(p->cfg->access, peer.uid, peer.gid, groups, glen / sizeof(gid_t));
}

/* --- one request --------------------------------------------------------- */

struct request {
	struct server_pool *pool;
	int conn, fd;
	struct scan_request r;
	struct scan_msg_store store;
	long long look_ms;         /* the caller is looked at again then */
	bool is_answered;
};

/* NULL, or why the descriptor cannot be scanned. Only reading may be possible
 * through it: a memfd counts as such once it is sealed against writing. */
static const char *fd_check(int fd, const struct scan_request *r)
{
	struct stat st;

	if (fd < 0)
		return "no descriptor came with the request";
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY)
		return "the descriptor cannot be read";
	if ((flags & O_ACCMODE) != O_RDONLY) {
		int seals = fcntl(fd, F_GET_SEALS);
		if (seals < 0 || (seals & F_SEAL_WRITE) == 0)
			return "the descriptor can be written to";
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "the descriptor is no file";
	if (st.st_size < 0 || (uint64_t)st.st_size < r->size)
		return "the file is shorter than size";
	return NULL;
}

/* Reads and checks the request. NULL it is good, "" nobody is there to be
 * answered, else what is wrong with it. */
static const char *read_request(struct request *q, unsigned char *mem)
{
	const char *why;

	ptrdiff_t n = net_recv_fd(q->conn, mem, SCAN_PACKET_MAX, &q->fd);
	if (n == 0 || (n < 0 && errno != EMSGSIZE))
		return "";
	if (n < 0)
		return "the packet is too long";
	if (scan_request_parse(mem, (size_t)n, &q->r, &q->store, &why) < 0)
		return why;
	if (q->r.is_inline)
		return q->fd < 0 ? NULL : "a descriptor came with octets inline";
	return fd_check(q->fd, &q->r);
}

static bool is_cancelled(void *arg)
{
	struct request *q = arg;
	struct pollfd pf = { .fd = q->conn, .events = POLLRDHUP };

	if (atomic_load(&q->pool->cancel))
		return true;
	/* Asked between any two objects: most scans end before it pays to look. */
	const long long now = now_us() / 1000;
	if (now < q->look_ms)
		return false;
	q->look_ms = now + LOOK_MS;
	server_relieve(q->pool, now, true);
	return poll(&pf, 1, 0) > 0 && (pf.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static bool send_answer(const struct request *q, struct verdict *v, int clean_fd)
{
	struct buf out = BUF_INIT(SCAN_MSG_MAX);
	struct pollfd pf = { .fd = q->conn, .events = POLLOUT };
	ptrdiff_t rc = -1;

	if (q->r.id != NULL)
		str_copy_n(v->id, sizeof v->id, q->r.id, strlen(q->r.id));
	if (scan_verdict_format(v, &out) < 0) {
		log_error("no memory for an answer");
	} else {
		rc = net_send_fd(q->conn, buf_head(&out), buf_len(&out), clean_fd);
		if (rc < 0 && errno == EAGAIN && poll(&pf, 1, ANSWER_WAIT_MS) > 0)
			rc = net_send_fd(q->conn, buf_head(&out), buf_len(&out), clean_fd);
		if (rc < 0)
			log_debug("the answer could not be sent: %s", strerror(errno));
	}
	buf_fini(&out);
	return rc >= 0;
}

static void answer_broken(struct request *q, const char *why)
{
	struct verdict v;
	char text[VERDICT_REASON_MAX];

	if (log_limited(&q->pool->broken, LOG_BURST))
		log_warning("bad request: %s", why);
	snprintf(text, sizeof text, "bad request: %s", why);
	verdict_unavailable(&v, text);
	if (send_answer(q, &v, -1))
		stats_add(ST_REQUESTS_BROKEN, 1);
}

/* Says why, so that nobody looks for the mistake elsewhere. Its packet is taken
 * off first, unread: else the kernel would drop our answer with it. */
static void answer_denied(struct request *q, unsigned char *mem)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof peer;
	struct verdict v;

	ssize_t n = recv(q->conn, mem, SCAN_MSG_MAX, MSG_DONTWAIT);
	(void)n;
	getsockopt(q->conn, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	if (log_limited(&q->pool->denied, LOG_BURST))
		log_warning("uid %ld (pid %ld) may not ask: see daemon_allowed_users",
			(long)peer.uid, (long)peer.pid);
	verdict_unavailable(&v, "this user may not ask: daemon_allowed_users does not name it");
	send_answer(q, &v, -1);
	stats_add(ST_REQUESTS_DENIED, 1);
}

static_assert(ST_AV_CLEAN - ST_AV_INFECTED == VERDICT_AV_RANK_CLEAN, "rows of av_verdicts_total");
static_assert(ST_AS_NOTSCANNED - ST_AS_NONE == VERDICT_AS_NOTSCANNED, "rows of as_verdicts_total");

static void count(const struct request *q, const struct verdict *v)
{
	stats_time(ST_DAEMON_TIME, v->time_us);
	stats_add(ST_SCAN_BYTES, q->r.size);
	stats_add(ST_OBJECTS, v->objects);
	stats_add(v->av == VERDICT_AV_CLEAN && !q->r.want_av ? ST_AV_NONE :
		stats_nth(ST_AV_INFECTED, verdict_av_rank(v->av)), 1);
	stats_add(stats_nth(ST_AS_NONE, v->as), 1);
	if (v->quarantine == VERDICT_QUARANTINE_STORED)
		stats_add(ST_KEPT, 1);
	else if (v->quarantine == VERDICT_QUARANTINE_FAILED)
		stats_add(ST_KEPT_FAILED, 1);
}

/* What a verdict calls for beside the answer. */
static void after_task(struct request *q, long long deadline_ms, struct verdict *v)
{
	quarantine_ask(q->pool->cfg->quarantine_fd, &q->r, q->fd, deadline_ms, is_cancelled, q, v);
	notify_send(q->pool->cfg->notify_fd, &q->r, v);
}

static void run_task(struct request *q)
{
	struct verdict v;
	int clean_fd = -1;
	long long start_us = now_us();
	uint32_t s = q->r.opts.timeout_s == 0 ? SCAN_S_DEFAULT : q->r.opts.timeout_s;

	if (s > SCAN_S_MAX)
		s = SCAN_S_MAX;
	log_ctx_set(q->r.id[0] != '\0' ? q->r.id : NULL);
	memset(&v, 0, sizeof v);
	stats_add(ST_REQUESTS_ACTIVE, 1);
	long long deadline_ms = start_us / 1000 + (long long)s * 1000;
	q->look_ms = start_us / 1000 + LOOK_MS;
	if (task_run(&q->r, q->fd, deadline_ms, is_cancelled, q, &v, &clean_fd)) {
		after_task(q, deadline_ms, &v);
		long long took = now_us() - start_us;
		v.time_us = took > UINT32_MAX ? UINT32_MAX : (unsigned)took;
		q->is_answered = send_answer(q, &v, clean_fd);
		stats_add(q->is_answered ? ST_REQUESTS : ST_REQUESTS_GIVEN_UP, 1);
		count(q, &v);
		log_debug("scanned %llu octets in %lld us: %s", (unsigned long long)q->r.size,
			took, verdict_av_text(v.av));
	} else {
		stats_add(ST_REQUESTS_GIVEN_UP, 1);
		log_debug("given up: %s", atomic_load(&q->pool->cancel) ? "stopping"
									 : "the caller has gone");
	}
	if (clean_fd >= 0)
		close(clean_fd);
	verdict_fini(&v);
	stats_sub(ST_REQUESTS_ACTIVE, 1);
	log_ctx_set(NULL);
}

static void answer(struct request *q, unsigned char *mem)
{
	const char *why = read_request(q, mem);

	if (why == NULL)
		run_task(q);
	else if (why[0] != '\0')
		answer_broken(q, why);
}

bool server_conn_serve(struct server_pool *p, int conn, bool is_stranger, unsigned char *mem)
{
	struct request q = { .pool = p, .conn = conn, .fd = -1 };

	if (is_stranger)
		answer_denied(&q, mem);
	else
		answer(&q, mem);
	const bool keep = q.is_answered && q.r.keep;
	scan_msg_store_fini(&q.store);
	if (q.fd >= 0)
		close(q.fd);
	return keep;
}
