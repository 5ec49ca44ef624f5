/* quarantine.c - the process that keeps messages, see quarantine.h.
 *
 * One thread, one message after the other. It holds three descriptors that
 * matter: where workers hand over their requests, the directory, and the message
 * at hand, which it only reads, by offset. It confines itself to the directory, for
 * good, before it listens to anybody; one that has none leaves for a successor, which
 * makes it, when there is something to be kept. Whatever comes from a worker is
 * bounded and parsed like a stranger's; it never waits for one. */
#include "quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "kv.h"
#include "net.h"
#include "quar_store.h"

#define EXPIRE_MS 600000
#define RETRY_MS 5000        /* of a directory that cannot be opened or made */
#define LOG_BURST 10

struct keeper {
	const struct quarantine_cfg *cfg;
	struct quar_store store;
	unsigned char *mem;        /* KV_MAX octets */
	int dir_error;             /* why there is none */
	long long retry_ms;
	struct log_limit failures, broken;
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Is there a directory, or something to be kept in it? */
static bool wants_dir(const struct keeper *k, bool is_asked)
{
	return is_asked || access(k->cfg->dir, F_OK) == 0;
}

/* What is not open now is none of this process's, ever. */
static void shut_in(struct keeper *k)
{
	struct pollfd p = { .fd = k->cfg->serve_fd, .events = POLLIN };

	k->dir_error = ENOENT;
	if (wants_dir(k, poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0)) {
		if (quar_store_open(&k->store) < 0)
			k->dir_error = errno;
		k->retry_ms = now_ms() + RETRY_MS;
	}
	if (confine_to_dir(k->store.dir) < 0)
		log_info("quarantine: this kernel cannot confine the process to its directory: %s",
			strerror(errno));
}

/* This process is confined to what is gone, or to nothing; its successor takes what
 * has the name now, and the request that waits. */
static bool is_for_successor(const struct keeper *k, bool is_asked)
{
	if (quar_store_is_gone(&k->store)) {
		log_warning("quarantine: %s was removed, starting anew", k->cfg->dir);
		return true;
	}
	return k->store.dir < 0 && wants_dir(k, is_asked) && now_ms() >= k->retry_ms;
}

static void expire(struct keeper *k)
{
	unsigned n = k->store.dir >= 0 ? quar_store_expire(&k->store, time(NULL)) : 0;

	if (n > 0)
		log_info("quarantine: %u messages were beyond av_quarantine_max_days or "
			"av_quarantine_max_size and are removed", n);
}

/* Only reading may be possible through it: else a worker could have us read
 * what it changes, and be blamed on the mail. */
static bool is_readable(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_WRONLY;
}

/* is_new: the copy was made for this request. */
static void answer(struct keeper *k, int conn, const char *id, bool is_new)
{
	char text[QUAR_ID_SIZE + 16];
	int n = id != NULL ? snprintf(text, sizeof text, "stored %s", id) :
		snprintf(text, sizeof text, "failed");

	if (send(conn, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n || !is_new)
		return;
	/* The caller has been told that there is no copy, and will be back. */
	log_info("quarantine: nobody waits for %s any more, it is removed", id);
	quar_store_take_back(&k->store, id);
}

static void keep(struct keeper *k, int conn, const struct quar_meta *m, int fd)
{
	char id[QUAR_ID_SIZE], why[QUAR_STORE_WHY];

	log_ctx_set(m->session[0] != '\0' ? m->session : NULL);
	int rc = -1;
	if (k->store.dir < 0)
		snprintf(why, sizeof why, "av_quarantine_dir: %.300s: %s", k->cfg->dir,
			strerror(k->dir_error));
	else
		rc = quar_store_put(&k->store, m, fd, time(NULL), id, why);
	if (rc >= 0) {
		log_info("quarantine: %s as %s, %llu octets", rc == 0 ? "kept" : "was there already",
			id, (unsigned long long)m->size);
		answer(k, conn, id, rc == 0);
	} else {
		if (log_limited(&k->failures, LOG_BURST))
			log_error("quarantine: a message cannot be kept: %s", why);
		answer(k, conn, NULL, false);
	}
	log_ctx_set(NULL);
}

/* Its sender has given up, and with it the request. */
static bool is_abandoned(int conn)
{
	struct pollfd p = { .fd = conn, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* The request lies in the socket already, whole, or is none. */
static void serve(struct keeper *k, int conn)
{
	struct scan_msg_store store = { NULL, NULL };
	const char *why = "no request";
	struct quar_meta m;
	int fd = -1;

	if (is_abandoned(conn))
		return;
	ptrdiff_t n = net_recv_fd(conn, k->mem, KV_MAX, &fd);
	if (n > 0 && quar_meta_parse(k->mem, (size_t)n, &m, &store, &why) == 0) {
		why = "the message cannot be read";
		if (is_readable(fd)) {
			why = NULL;
			keep(k, conn, &m, fd);
		}
	}
	if (why != NULL && log_limited(&k->broken, LOG_BURST))
		log_warning("quarantine: bad request of a worker: %s", why);
	scan_msg_store_fini(&store);
	if (fd >= 0)
		close(fd);
}

/* False: it is the end, or a packet without an octet. */
static bool take(struct keeper *k)
{
	char octet;
	int conn = -1;

	ptrdiff_t n = net_recv_fd(k->cfg->serve_fd, &octet, 1, &conn);
	if (n < 0 && errno != EAGAIN && errno != EINTR && log_limited(&k->broken, LOG_BURST))
		log_warning("quarantine: a request was lost: %s", strerror(errno));
	if (conn >= 0) {
		serve(k, conn);
		close(conn);
	}
	return n != 0;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void loop(struct keeper *k, int sigfd)
{
	struct pollfd p[2] = { { .fd = sigfd, .events = POLLIN },
		{ .fd = k->cfg->serve_fd, .events = POLLIN | POLLRDHUP } };

	for (;;) {
		int n = poll(p, 2, EXPIRE_MS);
		if (n > 0 && p[0].revents != 0)
			return;
		const short got = n > 0 ? p[1].revents : 0;
		if (is_for_successor(k, (got & POLLIN) != 0))
			return;
		if ((got & POLLIN) == 0 ? got != 0 : !take(k) && (got & POLLRDHUP) != 0)
			return; /* no master, no workers, or one that shut it down */
		if (n == 0)
			expire(k);
	}
}

int quarantine_run(const struct quarantine_cfg *cfg)
{
	struct keeper k = { .cfg = cfg, .mem = malloc(KV_MAX) };
	int sigfd = open_signals(), status = 1;

	quar_store_init(&k.store, cfg->dir, cfg->max_octets, cfg->max_days);
	if (k.mem == NULL || sigfd < 0) {
		log_error("quarantine: %s", strerror(errno));
	} else {
		shut_in(&k);
		expire(&k);
		loop(&k, sigfd);
		status = 0;
	}
	if (sigfd >= 0)
		close(sigfd);
	quar_store_fini(&k.store);
	free(k.mem);
	return status;
}
