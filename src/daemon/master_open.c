/* master_open.c - what a start of the master takes, see master.h. */
#include "master.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dirs.h"
#include "engine.h"
#include "log.h"
#include "net.h"
#include "pidfile.h"
#include "release_msg.h"
#include "service.h"
#include "start.h"
#include "start_check.h"
#include "stats.h"
#include "str.h"

#define BACKLOG 1024
#define RELEASE_BACKLOG 1024 /* one that is full refuses esets_wwwi at once */
#define SLOTS_MIN 64       /* workers a reload may raise num_proc to with counters */
#define THREADS_MIN 64     /* the same of num_thrd */
#define WHY_SIZE 512

/* NOLINTBEGIN(concurrency-mt-unsafe): exit() and atexit(), in a process of one thread */

void master_identity(struct master *m)
{
	int status = start_identity(CONF_PROG_DAEMON, m->conf, &m->id);

	if (status != 0)
		exit(status);
	if (geteuid() != 0)
		log_info("not started as root: user and group have no effect");
	else if (!m->id.drop)
		log_warning("user: workers run as root");
}

void master_pid_file(struct master *m)
{
	int status = start_pid_file(m->cli, m->conf, &m->id);

	if (status < 0)
		start_check_fatal(m->conf, "pid_file", errno, "%s: %s", m->conf->global.mod.pid_file,
			strerror(errno));
	if (status > 0)
		exit(status);
	/* However the start ends; in a child, and where there is none, this does nothing. */
	atexit(pidfile_close);
}

/* NOLINTEND(concurrency-mt-unsafe) */

/* Of the sockets that the service manager has passed the one of that path; the
 * others are closed. */
static int take_passed(const char *path)
{
	struct net_endpoint where;
	char text[160];
	int taken = -1;

	for (unsigned i = 0; i < service_fds(); i++) {
		const int fd = SERVICE_FD_FIRST + (int)i;
		if (net_adopt(fd, SOCK_SEQPACKET, &where) == 0 && taken < 0 &&
		    strcmp(where.path, path) == 0) {
			taken = fd;
			continue;
		}
		log_warning("%s: passed by the service manager, but not the SOCK_SEQPACKET socket "
			"daemon_sock_path: closed", net_endpoint_text(&where, text, sizeof text));
		close(fd);
	}
	return taken;
}

void master_listen(struct master *m)
{
	const char *path = m->conf->global.daemon_sock_path;

	m->sock.fd = take_passed(path); /* its name is not ours to remove */
	if (m->sock.fd >= 0)
		return;
	if (dirs_make_parent(path, 0755, &m->id) < 0)
		start_check_fatal(m->conf, "daemon_sock_path", errno, "its directory cannot be made: %s",
			strerror(errno));
	if (unix_sock_listen(&m->sock, path, BACKLOG, &m->id) == 0)
		return;
	if (errno == EADDRINUSE)
		log_fatal(START_EX_RUNNING, "already running: somebody answers on %s", path);
	start_check_fatal(m->conf, "daemon_sock_path", errno, "%s: %s", path, strerror(errno));
}

void master_listen_release(struct master *m)
{
	const struct conf_wwwi *w = &m->conf->wwwi;
	char path[sizeof m->release_sock.at.path + sizeof RELEASE_SUFFIX];

	if (!w->mod.agent_enabled || !w->release || w->username[0] == '\0')
		return;
	snprintf(path, sizeof path, "%s%s", m->conf->global.daemon_sock_path, RELEASE_SUFFIX);
	if (unix_sock_listen(&m->release_sock, path, RELEASE_BACKLOG, &m->id) == 0)
		m->release.serve_fd = m->release_sock.fd;
	else
		log_error("nothing can be released from the page: %s: %s", path, strerror(errno));
}

void master_counters(struct master *m)
{
	const struct conf_global *g = &m->conf->global;

	m->nslots = supervise_slots(g->num_proc > SLOTS_MIN ? g->num_proc : SLOTS_MIN);
	m->served = calloc(m->nslots, sizeof *m->served);
	if (m->served == NULL || stats_init(STATS_DAEMON, m->nslots,
	    SERVER_LINES(g->num_thrd > THREADS_MIN ? g->num_thrd : THREADS_MIN)) < 0)
		log_fatal(1, "counters: %s", strerror(errno));
}

void master_engines(struct master *m)
{
	char why[WHY_SIZE], name[64], versions[VERDICT_VDB_MAX];

	if (engines_load(m->conf, why, sizeof why) == 0) {
		log_info("engines: %s", engines_version(versions, sizeof versions));
		return;
	}
	unix_sock_remove(&m->sock);
	/* "OPTION: what is wrong" where one is to blame. */
	size_t n = strcspn(why, ":");
	str_copy_n(name, sizeof name, why, n);
	if (why[n] == ':' && why[n + 1] == ' ')
		start_check_fatal(m->conf, name, 0, "%s", why + n + 2);
	log_fatal(CONF_EX_CONFIG, "%s", why);
}
