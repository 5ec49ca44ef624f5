/* quarantine_ask.c - a worker has a message kept, see quarantine.h. */
#include "quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kv.h"
#include "net.h"
#include "quar_meta.h"
#include "sealed.h"
#include "str.h"

#define LOOK_MS 200      /* between two looks at the caller */
#define MARGIN_MS 500    /* for the answer to reach the caller in its time */
#define ANSWER_MAX 128
#define LOG_BURST 10

static struct log_limit failures;

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int format_request(const struct scan_request *r, const struct verdict *v, struct buf *out)
{
	const struct quar_meta m = { .id = "", .size = r->size, .sha256 = "", .agent = r->agent,
		.session = r->id, .sender = r->sender, .rcpts = r->rcpts, .nrcpts = r->nrcpts,
		.nrcpts_total = r->nrcpts_total, .client = r->client, .helo = r->helo,
		.queue_id = r->queue_id, .name = r->name, .av = v->av, .as = v->as,
		.as_score_milli = v->as_score_milli, .virus = v->virus, .reason = v->reason,
		.vdb = v->vdb };

	return quar_meta_format(&m, out);
}

struct wait {
	long long deadline_ms;
	quarantine_cancelled_fn cancelled;
	void *arg;
};

/* True: the descriptor is ready; false with errno: time is over, or nobody
 * waits any more. */
static bool wait_for(const struct wait *w, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		long long left = w->deadline_ms - now_ms();
		errno = left <= 0 ? ETIMEDOUT : ECANCELED;
		if (left <= 0 || w->cancelled(w->arg))
			return false;
		if (poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS) > 0)
			return true;
	}
}

/* Gives the process our other end, behind those of other workers. */
static int hand_over(const struct wait *w, int ask_fd, int theirs)
{
	for (;;) {
		if (net_send_fd(ask_fd, "q", 1, theirs) == 1)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		if (!wait_for(w, ask_fd, POLLOUT))
			return -1;
	}
}

/* "stored ID" or "failed" */
static int read_answer(int ours, struct verdict *v)
{
	char text[ANSWER_MAX];
	ptrdiff_t n = recv(ours, text, sizeof text - 1, MSG_DONTWAIT);

	if (n < 0)
		return -1;
	text[n] = '\0';
	errno = n == 0 ? ECONNRESET : EIO; /* the process died, or could not */
	if (strncmp(text, "stored ", 7) != 0 || !quar_id_is_valid(text + 7))
		return -1;
	str_copy(v->quarantine_id, sizeof v->quarantine_id, text + 7);
	return 0;
}

static int ask(const struct wait *w, int ask_fd, const struct scan_request *r, int fd,
	struct verdict *v)
{
	struct buf request = BUF_INIT(KV_MAX);
	int ends[2] = { -1, -1 }, rc = -1;
	const int own = r->is_inline ? sealed_fd("esets-message", r->octets, (size_t)r->size) : -1;

	if (r->is_inline && own < 0)
		return -1;
	errno = EMSGSIZE;
	if (format_request(r, v, &request) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ||
	    net_send_fd(ends[0], buf_head(&request), buf_len(&request), own >= 0 ? own : fd) < 0 ||
	    hand_over(w, ask_fd, ends[1]) < 0)
		goto out;
	/* Only the process holds it from now on: its end is the answer too. */
	close(ends[1]);
	ends[1] = -1;
	if (wait_for(w, ends[0], POLLIN))
		rc = read_answer(ends[0], v);
out:;
	int error = errno;
	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
	}
	if (own >= 0)
		close(own);
	buf_fini(&request);
	errno = error;
	return rc;
}

void quarantine_ask(int ask_fd, const struct scan_request *r, int fd, long long deadline_ms,
	quarantine_cancelled_fn cancelled, void *arg, struct verdict *v)
{
	const struct wait w = { deadline_ms - MARGIN_MS, cancelled, arg };

	if (!r->opts.quarantine || !verdict_is_for_quarantine(v))
		return;
	log_debug("a copy for the quarantine is asked for");
	v->quarantine = VERDICT_QUARANTINE_STORED;
	if (ask(&w, ask_fd, r, fd, v) == 0)
		return;
	v->quarantine = VERDICT_QUARANTINE_FAILED;
	v->quarantine_id[0] = '\0';
	if (errno != ECANCELED && log_limited(&failures, LOG_BURST))
		log_warning("the message is not in quarantine: %s", errno == EIO ?
			"see the line of the process that keeps it" : strerror(errno));
}
