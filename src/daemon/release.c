/* release.c - releases messages from the quarantine, see release.h.
 *
 * One thread, one request after the other: the next one waits in the socket. What
 * is sent is esets_quar's (quar_release.h), to the server of this configuration and
 * the recipients that the message had; who asks names a message, and nothing else.
 * It is released when the server has said 2xx, and then that is noted beside it; a
 * request that does not know of an earlier release is refused, so that one asked
 * twice sends one mail. A message is claimed for as long as it takes: a predecessor of
 * an earlier configuration, or esets_quar, may be at it. Can change nothing but what
 * lies in the quarantine, and run no program. */
#include "release.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "confine.h"
#include "log.h"
#include "net.h"
#include "quar_dir.h"
#include "quar_release.h"
#include "release_msg.h"
#include "str.h"

#define ASK_MS 200           /* for a request to come behind its connection */
#define LOG_BURST 10
#define MOST_MS 540000       /* esets_wwwi waits for 600 s */

struct releaser {
	const struct conf *conf;
	int dir;                 /* the quarantine; -1 there is none */
	int dir_error;           /* why */
	uid_t wwwi;              /* who may ask beside our own user */
	struct log_limit broken;
};

/* Before anybody is listened to: what is not open now is none of this process's. */
static void shut_in(struct releaser *r)
{
	r->dir = quar_dir_open(r->conf->global.scan.quarantine_dir);
	r->dir_error = errno;
	if (confine_to_dir(r->dir) < 0)
		log_debug("release: this kernel cannot confine the process: %s", strerror(errno));
}

/* What we are confined to is gone, or another one has its name, or there is one
 * now: a successor opens that. */
static bool is_gone(const struct releaser *r)
{
	const char *path = r->conf->global.scan.quarantine_dir;
	struct stat st, now;

	if (r->dir < 0) {
		int fd = quar_dir_open(path);
		if (fd >= 0)
			close(fd);
		return fd >= 0;
	}
	if (fstat(r->dir, &st) < 0 || st.st_nlink == 0)
		return true;
	return stat(path, &now) == 0 && (now.st_dev != st.st_dev || now.st_ino != st.st_ino);
}

/* As esets_quar's line. */
static void log_release(const struct release_ask *a, const struct quar_meta *m, uid_t uid,
	const char *result)
{
	char to[200] = "", clean[256], number[16];
	size_t at = 0;

	for (unsigned i = 0; i < m->nrcpts && at + 32 < sizeof to; i++)
		at += (size_t)snprintf(to + at, sizeof to - at, "%s%s", i > 0 ? ", " : "", m->rcpts[i]);
	snprintf(number, sizeof number, "%lu", (unsigned long)uid);
	const struct log_pair pairs[] = {
		{ "quarantine", LOG_PAIR_TEXT, a->id }, { "action", LOG_PAIR_TEXT, "release" },
		{ "to", LOG_PAIR_TEXT, str_clean(clean, sizeof clean, to, strlen(to)) },
		{ "result", LOG_PAIR_TEXT, result }, { "by", LOG_PAIR_TEXT, a->by },
		{ "uid", LOG_PAIR_NUMBER, number },
	};
	log_pairs(LC_INFO, LOG_INFO, pairs, sizeof pairs / sizeof pairs[0]);
}

static void note(struct releaser *r, const struct quar_meta *m, struct release_answer *out)
{
	if (quar_dir_note(r->dir, m->id, QUAR_NOTE_RELEASED, (uint64_t)time(NULL), NULL) == 0)
		snprintf(out->text, sizeof out->text, "released to %u recipient%s", m->nrcpts,
			m->nrcpts == 1 ? "" : "s");
	else
		snprintf(out->text, sizeof out->text, "released, but that could not be noted: %s",
			strerror(errno));
}

/* The log has it before the server hears of it: who ends us in between leaves that. */
static void send_it(struct releaser *r, const struct release_ask *a, const struct quar_meta *m,
	uid_t uid, struct release_answer *out)
{
	char why[QUAR_RELEASE_WHY];

	log_release(a, m, uid, "begun");
	out->is_released = quar_release(&r->conf->smtp, r->dir, m, NULL, 0, MOST_MS, why) == 0;
	if (out->is_released)
		note(r, m, out);
	else
		str_clean(out->text, sizeof out->text, why, strlen(why));
}

static void release_claimed(struct releaser *r, const struct release_ask *a, uid_t uid,
	struct release_answer *out)
{
	struct scan_msg_store store;
	char why[QUAR_RELEASE_WHY];
	struct quar_meta m;

	if (quar_dir_read_meta(r->dir, a->id, &m, &store, why, sizeof why) < 0) {
		str_clean(out->text, sizeof out->text, why, strlen(why));
		m = (struct quar_meta){ .nrcpts = 0 };
		log_release(a, &m, uid, out->text);
		return;
	}
	if (m.released_s != a->released_s)
		str_copy(out->text, sizeof out->text, "it was released meanwhile");
	else
		send_it(r, a, &m, uid, out);
	log_release(a, &m, uid, out->text);
	scan_msg_store_fini(&store);
}

static void release(struct releaser *r, const struct release_ask *a, uid_t uid,
	struct release_answer *out)
{
	const struct quar_meta none = { .nrcpts = 0 };

	if (r->dir < 0) {
		snprintf(out->text, sizeof out->text, "the quarantine: %s", strerror(r->dir_error));
		return;
	}
	int claim = quar_dir_claim(r->dir, a->id);
	if (claim >= 0 || errno == ENOENT || errno == EINVAL || errno == ELOOP) {
		release_claimed(r, a, uid, out); /* which says what is wrong with the file */
	} else {
		str_copy(out->text, sizeof out->text, errno == EWOULDBLOCK ? "it is being released" :
			strerror(errno));
		log_release(a, &none, uid, out->text);
	}
	if (claim >= 0)
		close(claim);
}

/* --- requests ------------------------------------------------------------ */

/* False: nobody waits for it. */
static bool answer(int conn, const struct release_answer *a)
{
	struct buf out = BUF_INIT(RELEASE_MSG_MAX);
	const bool ok = release_answer_format(a, &out) == 0 &&
		send(conn, buf_head(&out), buf_len(&out), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;

	buf_fini(&out);
	return ok;
}

static bool may_ask(const struct releaser *r, int conn, uid_t *uid_out)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*uid_out = peer.uid;
	return peer.uid == geteuid() || peer.uid == r->wwwi;
}

/* Who has gone would not learn of it. */
static bool has_gone(int conn)
{
	struct pollfd p = { .fd = conn, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static void log_refused(struct releaser *r, uid_t uid, const char *why)
{
	if (log_limited(&r->broken, LOG_BURST))
		log_warning("release: a request of uid %ld is refused: %s", (long)uid, why);
}

/* Told so at once, whether he asks or not: nobody is to wait for a stranger. What he
 * has sent is read, for left unread it would take our answer with it. */
static void refuse(struct releaser *r, int conn, uid_t uid)
{
	const struct release_answer a = { .text = "this user may not ask" };
	char octet;

	log_refused(r, uid, "it may not ask");
	(void)answer(conn, &a);
	(void)shutdown(conn, SHUT_RD);
	while (recv(conn, &octet, 1, MSG_DONTWAIT) > 0)
		;
}

static void serve(struct releaser *r, int conn)
{
	struct pollfd p = { .fd = conn, .events = POLLIN };
	struct release_answer out = { .text = "" };
	unsigned char mem[RELEASE_MSG_MAX + 1];
	struct release_ask a;
	uid_t uid = (uid_t)-1;
	const char *why = NULL;

	if (!may_ask(r, conn, &uid)) {
		refuse(r, conn, uid);
		return;
	}
	ssize_t n = poll(&p, 1, ASK_MS) > 0 ? recv(conn, mem, sizeof mem, MSG_DONTWAIT) : 0;
	if (n <= 0 || has_gone(conn))
		return; /* or too slow */
	if (release_ask_parse(mem, (size_t)n, &a, &why) == 0) {
		release(r, &a, uid, &out);
	} else {
		snprintf(out.text, sizeof out.text, "bad request: %s", why);
		log_refused(r, uid, why);
	}
	if (!answer(conn, &out))
		log_info("release: nobody waits for the answer: %s", out.text);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static uid_t uid_of(const char *user)
{
	/* cppcheck-suppress getpwnamCalled ; NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	const struct passwd *pw = getpwnam(user);

	return pw != NULL ? pw->pw_uid : geteuid();
}

int release_run(int listen_fd, void *conf)
{
	struct releaser r = { .conf = conf, .dir = -1 };
	struct pollfd p[2] = { { .fd = open_signals(), .events = POLLIN },
		{ .fd = listen_fd, .events = POLLIN } };
	struct net_addr peer;

	if (p[0].fd < 0) {
		log_error("release: %s", strerror(errno));
		return 1;
	}
	r.wwwi = uid_of(r.conf->wwwi.mod.user);
	shut_in(&r);
	while (poll(p, 2, -1) < 0 || p[0].revents == 0) {
		if (is_gone(&r))
			break;
		if (p[1].revents == 0)
			continue;
		int conn = net_accept(listen_fd, &peer);
		if (conn >= 0) {
			serve(&r, conn);
			close(conn);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			poll(NULL, 0, 100);
		}
	}
	if (r.dir >= 0)
		close(r.dir);
	close(p[0].fd);
	return 0;
}
