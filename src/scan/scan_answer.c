/* scan_answer.c - what may be believed of the daemon's answers, and what its
 * failures mean, for both forms of the client.
 *
 * Everything the daemon sends is untrusted: the answer goes through scan_msg, a
 * descriptor through clean_fd_check. */
#include "scan_client_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "str.h"

#define RETRY_MAX_MS 200
#define CLEAN_EXTRA_MAX (1u << 20)  /* a cleaned message may grow by this */
#define SEALS_NEEDED (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

long long scan_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int scan_daemon_at(struct net_endpoint *e, const char *path)
{
	memset(e, 0, sizeof *e);
	e->addr.family = AF_UNIX;
	if (path[0] == '\0' || !str_copy(e->path, sizeof e->path, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

struct scan_ask scan_ask_of(const struct scan_request *r)
{
	struct scan_ask a = { .size = r->size, .want_as = r->want_as,
		.may_clean = r->opts.clean_mode != SCAN_CLEAN_NONE };

	if (r->id != NULL)
		str_copy_n(a.id, sizeof a.id, r->id, strlen(r->id));
	return a;
}

unsigned scan_retry_next(unsigned ms)
{
	return ms * 2 < RETRY_MAX_MS ? ms * 2 : RETRY_MAX_MS;
}

bool scan_is_passing(int error)
{
	return error == EAGAIN || error == ETOOMANYREFS || error == ENOBUFS;
}

/* NULL, or why this is not a cleaned message that can be trusted to stay as
 * it is and to be no bigger than it should be. */
static const char *clean_fd_check(int fd, const struct scan_ask *ask)
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

/* A second answer to the request before must not be taken for this one's. */
static bool is_answer_to(const struct scan_ask *ask, const struct verdict *v)
{
	return strcmp(v->id, ask->id) == 0;
}

/* Checks verdict and descriptor against each other and the request. NULL, or
 * what is wrong. */
static const char *answer_check(struct verdict *v, int fd, const struct scan_ask *ask)
{
	/* Only who refuses a request unread may not name it. */
	if (!is_answer_to(ask, v) && (v->id[0] != '\0' || v->av != VERDICT_AV_UNAVAILABLE))
		return v->id[0] != '\0' ? "it belongs to another request" : "it belongs to no request";
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

enum scan_answer scan_answer_read(int sock, unsigned char *mem, const struct scan_ask *ask,
	struct verdict *v, int *fd_out)
{
	char text[VERDICT_REASON_MAX];
	const char *why = NULL;
	bool is_ours = true;
	int fd;

	*fd_out = -1;
	ptrdiff_t n = net_recv_fd(sock, mem, SCAN_MSG_MAX, &fd);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return SCAN_ANSWER_NOT_YET;
	if (n < 0) {
		const bool is_gone = errno == ECONNRESET;
		snprintf(text, sizeof text, "scanner daemon: %s", strerror(errno));
		verdict_unavailable(v, text);
		return is_gone ? SCAN_ANSWER_NEVER : SCAN_ANSWER_BAD;
	}
	if (n == 0) {
		verdict_unavailable(v, "scanner daemon gave no answer");
		return SCAN_ANSWER_NEVER;
	}
	if (scan_verdict_parse(mem, (size_t)n, v, &why) == 0) {
		is_ours = is_answer_to(ask, v);
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
	if (!is_ours)
		return SCAN_ANSWER_NEVER;
	return why == NULL ? SCAN_ANSWER_GOOD : SCAN_ANSWER_BAD;
}

void scan_unreachable(char *out, size_t size, const struct net_endpoint *daemon, int error)
{
	snprintf(out, size, "scanner daemon is not reachable: %s%s (%s)", strerror(error),
		error == EACCES ? ": the user must be in the group of daemon_sock_path" : "",
		daemon->path);
}
