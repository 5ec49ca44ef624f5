/* master_sides.c - processes beside the workers: the one that keeps messages
 * (quarantine.h), the one that connects to engines (broker.h), the one that releases
 * messages (release.h), and exec_script (notify.h); and the sockets on which workers reach them, see master.h. */
#include "master.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "broker.h"
#include "dirs.h"
#include "engine.h"
#include "log.h"
#include "quarantine.h"
#include "release.h"
#include "start_check.h"

static int quarantine_main(int serve_fd, void *arg)
{
	const struct conf_global *g = arg;
	const struct quarantine_cfg cfg = { .serve_fd = serve_fd,
		.dir = g->scan.quarantine_dir, .max_octets = g->av_quarantine_max_size,
		.max_days = g->av_quarantine_max_days };

	return quarantine_run(&cfg);
}

/* Not fatal: without it mail that is to be kept is deferred, and other mail
 * goes on. */
static void quarantine_start(struct master *m)
{
	const char *dir = m->conf->global.scan.quarantine_dir;

	if (start_check_wants_quarantine(m->conf) && dirs_make(dir, 0700, &m->id) < 0)
		log_error("av_quarantine_dir: %s cannot be made: %s", dir, strerror(errno));
	side_proc_start(&m->quarantine, quarantine_main, &m->conf->global, &m->id, m->pid);
}

static void release_start(struct master *m)
{
	if (m->release.serve_fd >= 0)
		side_proc_start(&m->release, release_run, m->conf, &m->id, m->pid);
}

static void broker_start(struct master *m)
{
	side_proc_start(&m->broker, broker_run, NULL, &m->id, m->pid);
}

/* One for each configuration: old workers keep theirs, with the old engines. */
static void broker_renew(struct master *m)
{
	side_proc_let_go(&m->broker);
	if (!engines_are_watched() && !log_has_syslog())
		return;
	if (side_proc_open(&m->broker) == 0)
		broker_start(m);
	else
		log_error("the engines cannot be reached, no socket: %s", strerror(errno));
}

int master_sides_open(struct master *m)
{
	return side_proc_open(&m->quarantine) < 0 ? -1 : notify_open(&m->notify);
}

void master_sides_start(struct master *m)
{
	quarantine_start(m);
	broker_renew(m);
	release_start(m);
}

/* Only a worker can have shut it down: the master keeps both ends. */
static bool is_shut(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP)) != 0;
}

static void look_for_shut(struct master *m)
{
	const bool was = m->is_shut;

	m->is_shut = is_shut(m->quarantine.serve_fd) || is_shut(m->broker.serve_fd) ||
		is_shut(m->notify.read_fd);
	if (!m->is_shut)
		return;
	m->sup.is_broken = true;
	if (!was)
		log_error("a worker has shut down a socket that all workers need: they are replaced");
}

void master_sides_renew(struct master *m)
{
	side_proc_let_go(&m->quarantine);
	if (side_proc_open(&m->quarantine) == 0)
		quarantine_start(m);
	else
		log_error("nothing can be kept in quarantine, no socket: %s", strerror(errno));
	broker_renew(m);
	notify_close(&m->notify);
	if (notify_open(&m->notify) < 0)
		log_error("exec_script will not be run, no socket: %s", strerror(errno));
	m->sup.extra_fd = m->notify.read_fd;
}

void master_sides_tick(struct master *m, bool fd_ready)
{
	look_for_shut(m);
	if (!fd_ready && !m->is_shut && side_proc_tick(&m->quarantine))
		quarantine_start(m);
	if (!fd_ready && !m->is_shut && side_proc_tick(&m->broker))
		broker_start(m);
	if (!fd_ready && side_proc_tick(&m->release))
		release_start(m);
	m->sup.extra_fd = !m->is_shut && notify_tick(&m->notify, &m->conf->global, &m->id) ?
		m->notify.read_fd : -1;
}

void master_sides_stop(struct master *m)
{
	side_proc_stop(&m->quarantine);
	side_proc_stop(&m->broker);
	unix_sock_remove(&m->release_sock);
	m->release_sock.fd = -1; /* closed with the process */
	side_proc_stop(&m->release);
	notify_close(&m->notify);
}
