/* main.c - esets_daemon: options, order of the start, life cycle of the master.
 *
 *   config -> log -> identity -> background -> pid file -> socket -> engines
 *   -> supervise (workers: identity, parent-death signal, confined_begin, server_run)
 *      beside them the process that keeps messages (quarantine.h), the one that
 *      connects to engines (broker.h), and exec_script (notify.h)
 *
 * master.h says who does what. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "engine_ext.h"
#include "engine_hash.h"
#include "log.h"
#include "master.h"
#include "pidfile.h"
#include "start.h"
#include "start_check.h"

/* --- life cycle ---------------------------------------------------------- */

/* Everything up to the first worker; leaves the process if it fails. */
static void open_all(struct master *m)
{
	const struct conf_global *g = &m->conf->global;

	proc_raise_nofile();
	if (!m->cli->foreground && proc_daemonize() < 0)
		log_fatal(1, "going into the background: %s", strerror(errno));
	m->pid = getpid();
	master_pid_file(m);
	if (master_sides_open(m) < 0)
		log_fatal(1, "sockets between processes: %s", strerror(errno));
	master_listen(m);
	master_listen_release(m);
	if (master_access(&m->access, m->conf) < 0)
		log_fatal(1, "out of memory");
	master_counters(m);
	master_watch(m); /* before they are read: nothing is missed */
	master_engines(m);
	start_status(m->cli, m->conf, &m->id, &m->status);
	log_info("version %s listens on %s, %u processes of %u threads", PACKAGE_VERSION,
		g->daemon_sock_path, g->num_proc, g->num_thrd);
	proc_daemon_ready();
	start_log(CONF_PROG_DAEMON, m->conf, m->cli->foreground);
}

static int serve(struct master *m)
{
	open_all(m);
	master_times(m);
	m->sup.extra_fd = m->notify.read_fd;
	master_sides_start(m);
	int status = supervise_run(&m->sup);
	master_sides_stop(m);
	unix_sock_remove(&m->sock);
	unix_sock_remove(&m->status);
	pidfile_close();
	log_info("ended");
	return status;
}

static int check(struct master *m)
{
	if (master_access(&m->access, m->conf) < 0) /* says which names nobody has */
		log_fatal(1, "out of memory");
	start_try_status(m->cli, m->conf); /* no mistake that keeps the daemon from starting */
	master_engines(m); /* reads the signatures, and says which lines it skips */
	if (proc_identity_take(&m->id) < 0) /* as the workers: root reaches every socket */
		log_warning("engines are not asked as user %s: %s", m->id.user, strerror(errno));
	engines_watch(&(struct engine_call){ .deadline_ms = LLONG_MAX }); /* who does not answer */
	if (engine_hash_has_broken_file())
		printf("%s: good enough for a start, but a reload would be refused\n", m->conf->path);
	else if (engine_hash_is_of_others())
		printf("%s: good enough for a start, but a reload is refused where nobody but root "
			"could change the signatures so far\n", m->conf->path);
	else
		start_say_in_order(CONF_PROG_DAEMON, m->conf);
	return 0;
}

/* The configuration is read: what was asked for? */
static int with_conf(struct master *m)
{
	if (m->cli->dump_config) {
		conf_dump(m->conf, CONF_PROG_DAEMON, stdout);
		return 0;
	}
	master_identity(m);
	engine_ext_names_as(&m->id);
	if (!start_check_paths(m->conf, m->cli, &m->id))
		return CONF_EX_CONFIG;
	return m->cli->check_config ? check(m) : serve(m);
}

static void master_fini(struct master *m)
{
	server_access_fini(&m->access);
	free(m->served);
	sig_watch_close(&m->watch);
	unix_sock_close(&m->sock);
	unix_sock_close(&m->status);
	conf_free(&m->conf);
}

static int run(const struct conf_cli *cli)
{
	const bool is_question = cli->check_config || cli->dump_config;
	struct master m = { .cli = cli, .sock = UNIX_SOCK_INIT, .status = UNIX_SOCK_INIT,
		.release_sock = UNIX_SOCK_INIT,
		.quarantine = SIDE_PROC_INIT("quarantine", "esets_daemon/q"),
		.broker = SIDE_PROC_INIT("broker", "esets_daemon/b"),
		.release = SIDE_PROC_INIT("release", "esets_daemon/r"),
		.notify = NOTIFY_INIT, .watch = SIG_WATCH_INIT };

	m.sup = (struct supervise_cfg){ .what = "worker", .extra_fd = -1, .ctx = &m,
		.cb = &master_callbacks, .status = &m.status };
	/* Who only asks reads the answer; the log is for what really starts. */
	start_log_early(CONF_PROG_DAEMON, !is_question);
	if (!is_question)
		supervise_block_signals(); /* from here on none ends us half started */
	m.conf = start_load(cli, cli->dump_config ? CONF_NOTE_ERROR : CONF_NOTE_INFO);
	int status = m.conf == NULL ? CONF_EX_CONFIG : with_conf(&m);
	master_fini(&m);
	return status;
}

int main(int argc, char **argv)
{
	return start_main(CONF_PROG_DAEMON, run, argc, argv);
}
