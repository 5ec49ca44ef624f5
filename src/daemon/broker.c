/* broker.c - the process that connects to the engines, see broker.h.
 *
 * What workers send is 16 octets and a descriptor; each answer is one packet
 * into a socket that is theirs, so none of them can hold the broker up. Runs
 * with the workers' identity: what opens clamd's socket to them opens it here. */
#include "broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include "broker_int.h"
#include "confine.h"
#include "log.h"

#define TURN_MS 1000
#define LOG_BURST 10

static struct log_limit broken;

/* --- names --------------------------------------------------------------------- */

/* A name service that hangs holds up this thread alone. */
__attribute__((noreturn))
static void *look_up(void *arg)
{
	(void)arg;
	for (;;) {
		for (unsigned i = 0; i < ENGINES_EXTERNAL; i++) {
			struct engine_ext *e = engines_external(i);
			if (e != NULL)
				engine_ext_resolve(e);
		}
		poll(NULL, 0, TURN_MS);
	}
}

static void look_up_start(void)
{
	bool has_names = false;
	pthread_t thread;

	for (unsigned i = 0; i < ENGINES_EXTERNAL; i++) {
		const struct engine_ext *e = engines_external(i);
		has_names |= e != NULL && e->has_names;
	}
	if (!has_names)
		return;
	int error = pthread_create(&thread, NULL, look_up, NULL);
	if (error != 0)
		log_error("broker: names of engines cannot be looked up again: %s", strerror(error));
}

/* --- requests ------------------------------------------------------------------- */

static bool find(uint64_t number, struct net_endpoint *out)
{
	struct engine_addresses a;

	for (unsigned k = 0; k < ENGINES_EXTERNAL; k++) {
		struct engine_ext *e = engines_external(k);
		if (e == NULL)
			continue;
		engine_ext_addresses(e, &a);
		for (unsigned i = 0; i < a.n; i++) {
			if (broker_number(&a.ep[i]) == number) {
				*out = a.ep[i];
				return true;
			}
		}
	}
	return false;
}

static void answer_list(int conn, unsigned n)
{
	struct engine_ext *e = n < ENGINES_EXTERNAL ? engines_external(n) : NULL;
	struct engine_addresses a;

	if (e == NULL)
		return;
	engine_ext_addresses(e, &a);
	(void)net_send_fd(conn, &a, sizeof a, -1); /* who does not read it has not waited */
}

/* A datagram's; who writes to the log waits for it. */
static int connect_log(void)
{
	const struct net_endpoint log = { .addr = { .family = AF_UNIX }, .path = _PATH_LOG };
	int fd = net_connect(&log, SOCK_DGRAM);

	if (fd >= 0)
		fcntl(fd, F_SETFL, 0);
	return fd;
}

static void answer_socket(int conn, uint64_t number)
{
	struct net_endpoint ep;
	int fd = -1;

	errno = ENXIO;
	if (number == BROKER_LOG)
		fd = connect_log();
	else if (find(number, &ep))
		fd = net_connect(&ep, SOCK_STREAM);
	const struct broker_answer a = { .error = fd < 0 ? errno : 0 };
	(void)net_send_fd(conn, &a, sizeof a, fd);
	if (fd >= 0)
		close(fd);
}

/* False: it is the end. */
static bool serve(int serve_fd)
{
	struct broker_request r;
	int conn = -1;
	ptrdiff_t n = net_recv_fd(serve_fd, &r, sizeof r, &conn);

	if (n == 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return n != 0;
	if (n != (ptrdiff_t)sizeof r || conn < 0) {
		if (log_limited(&broken, LOG_BURST))
			log_warning("broker: a worker sent what is no request");
	} else if (r.number == BROKER_LIST) {
		answer_list(conn, r.engine);
	} else {
		answer_socket(conn, r.number);
	}
	if (conn >= 0)
		close(conn);
	return true;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int broker_run(int serve_fd, void *arg)
{
	struct pollfd p[2] = { { .fd = open_signals(), .events = POLLIN },
		{ .fd = serve_fd, .events = POLLIN | POLLRDHUP } };

	(void)arg;
	if (p[0].fd < 0) {
		log_error("broker: %s", strerror(errno));
		return 1;
	}
	if (confine_to_dir(-1) < 0)
		log_debug("broker: the kernel has no Landlock: %s", strerror(errno));
	look_up_start();
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents != 0)
			break;
		if ((p[1].revents & (POLLHUP | POLLERR)) != 0)
			break; /* the workers of this configuration have gone */
		/* A packet without an octet is no end. */
		if (p[1].revents != 0 && !serve(serve_fd) && (p[1].revents & POLLRDHUP) != 0)
			break;
	}
	return 0;
}
