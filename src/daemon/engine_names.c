/* engine_names.c - see engine_names.h. */
#include "engine_names.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"
#include "str.h"

#define ITEM_MAX 300
#define LOG_BURST 5
#define WAIT_MS 2000         /* at a start or a reload, for each engine */

_Static_assert(sizeof(struct engine_addresses) <= 4096, "an answer is one atomic pipe write");

/* One item: /path, unix:/path, host:port (checked by the configuration). The
 * number of endpoints, -1 and why. */
static int resolve_item(const struct engine_ext *e, const char *item, struct net_endpoint *out,
	size_t max, bool with_names, bool *is_name_out, char *why, size_t size)
{
	char host[ITEM_MAX + 8];
	uint64_t port = e->port;

	if (item[0] == '/') {
		snprintf(host, sizeof host, "unix:%s", item);
		return net_resolve(host, 1, false, out, max, why, size);
	}
	str_copy(host, sizeof host, item);
	char *colon = strrchr(host, ':');
	if (strncmp(host, "unix:", 5) != 0 && colon != NULL &&
	    str_parse_u64(colon + 1, &port) == 0 && port <= UINT16_MAX)
		*colon = '\0';
	*is_name_out = net_list_has_names(host);
	if (*is_name_out && !with_names) {
		str_copy(why, size, "");
		return 0;
	}
	return net_resolve(host, (uint16_t)port, false, out, max, why, size);
}

/* Names too, or as if there were none. */
static void resolve_all(const struct engine_ext *e, bool with_names, struct engine_addresses *a)
{
	static struct log_limit limit;
	const char *rest = e->list;
	char item[ITEM_MAX], why[ITEM_MAX + 64];

	memset(a, 0, sizeof *a);
	a->is_whole = true;
	for (unsigned alt = 0; a->n < ENGINE_PEERS_MAX &&
	    str_list_next(&rest, ',', item, sizeof item) > 0; alt++) {
		bool is_name = false;
		int got = resolve_item(e, item, a->ep + a->n, ENGINE_PEERS_MAX - a->n,
			with_names, &is_name, why, sizeof why);
		for (int i = 0; i < got; i++)
			a->alt[a->n++] = alt;
		a->is_whole &= got > 0;
		a->has_names |= is_name;
		if (got <= 0 && why[0] != '\0' && log_limited(&limit, LOG_BURST))
			log_warning("%s: %s", e->what, why);
	}
}

void engine_names_look_up(const struct engine_ext *e, struct engine_addresses *out)
{
	resolve_all(e, true, out);
}

bool engine_names_is_sound(const struct engine_addresses *a)
{
	bool ok = a->n <= ENGINE_PEERS_MAX;

	for (unsigned i = 0; ok && i < a->n; i++)
		ok = a->alt[i] < ENGINE_GATE_ALTS && net_endpoint_is_sound(&a->ep[i]);
	return ok;
}

/* It has nothing of the master's but the pipe. */
__attribute__((noreturn))
static void child(const struct engine_ext *e, const struct proc_identity *id, pid_t master, int fd)
{
	struct engine_addresses a;

	proc_signals_default();
	proc_close_others(&fd, 1);
	if (proc_identity_take(id) < 0 || proc_die_with_parent(master) < 0)
		_exit(1);
	resolve_all(e, true, &a);
	_exit(write(fd, &a, sizeof a) == (ssize_t)sizeof a ? 0 : 1);
}

static pid_t start(const struct engine_ext *e, const struct proc_identity *id, int *fd_out)
{
	const pid_t master = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		child(e, id, master, fds[1]);
	const int error = errno;
	close(fds[1]);
	*fd_out = fds[0];
	if (pid < 0)
		close(fds[0]);
	errno = error;
	return pid;
}

void engine_names_look_up_as(const struct engine_ext *e, const struct proc_identity *id,
	struct engine_addresses *out)
{
	struct engine_addresses a;
	int fd;

	resolve_all(e, false, out);
	if (!out->has_names)
		return;
	pid_t pid = start(e, id, &fd);
	if (pid < 0) {
		log_warning("%s: names cannot be looked up: %s", e->what, strerror(errno));
		return;
	}
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (poll(&p, 1, WAIT_MS) <= 0)
		log_warning("%s: names are not found in time, and looked up further", e->what);
	else if (read(fd, &a, sizeof a) == (ssize_t)sizeof a && engine_names_is_sound(&a))
		*out = a;
	kill(pid, SIGKILL);
	close(fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
