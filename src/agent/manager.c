/* manager.c - esets_smtp's manager: reads no mail, starts no thread.
 *
 * Binds the listening sockets before it forks, so that a worker that dies is
 * replaced without a refused connection; drops privileges in the children;
 * keeps the server's addresses fresh. Supervision itself is supervise.c's. */
#include "manager.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cell.h"
#include "clients.h"
#include "dirs.h"
#include "listen.h"
#include "log.h"
#include "pidfile.h"
#include "proc.h"
#include "resolve.h"
#include "spool.h"
#include "start.h"
#include "stats.h"
#include "supervise.h"
#include "worker.h"

#define RESOLVE_EVERY_S 60
#define RESOLVE_AT_START_MS 5000
#define SLOTS_FOR_WORKERS 16u    /* room for a larger num_proc at reload */
#define THREADS_AT_LEAST 16u

struct manager {
	const struct conf_cli *cli;
	struct conf *conf;
	struct proc_identity id;
	struct listen_set listen;
	struct server_table *servers;
	struct clients *clients;
	struct resolve resolve;
	char *sock_path;              /* of the daemon; fixed at the start */
	bool has_addrs;               /* the server's name was resolved once */
	struct supervise_cfg sup;
	struct unix_sock status;
	unsigned max_workers, max_threads;
	unsigned ticks;               /* seconds since names were resolved */
	uint64_t *done_before;        /* finished sessions of a slot's earlier workers */
	pid_t pid;
};

/* Errors before the start is over are one line on stderr and in the log. */
static int fail(const char *what, const char *why, int status)
{
	log_error("%s: %s", what, why);
	return status;
}

static int fail_option(const struct conf *c, const char *option, const char *why)
{
	return start_fail(CONF_PROG_SMTP, c, option, why);
}

/* The same; but whoever only checks may have fewer rights than what starts
 * later, which is no more than a warning. */
static int fail_place(const struct manager *m, const struct conf *c, const char *option, int error,
	const char *why)
{
	if (error != EACCES || !m->cli->check_config || geteuid() == 0) {
		const int status = fail_option(c, option, why);
		return m->cli->check_config ? status : start_status_of(error);
	}
	log_warning("%s: %s", option, why);
	return 0;
}

/* ---- the worker's side ------------------------------------------------- */

static int run_worker(void *ctx, unsigned slot)
{
	struct manager *m = ctx;
	const struct worker_inherit in = { m->conf, &m->listen, m->servers, m->clients, slot };
	int keep[LISTEN_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < m->listen.n; i++)
		keep[n++] = m->listen.l[i].fd;
	proc_close_others(keep, n);
	proc_set_title("esets_smtp:w");
	if (proc_identity_take(&m->id) < 0) {
		log_error("cannot become user %s: %m", m->id.user);
		return 1;
	}
	if (proc_die_with_parent(m->pid) < 0)
		return 1;
	cell_enter(m->conf->smtp.spool_dir);
	stats_slot_begin(slot);
	return worker_run(&in);
}

/* ---- supervision --------------------------------------------------------- */

static bool is_proven(void *ctx, unsigned slot)
{
	struct manager *m = ctx;

	return stats_slot_sum(ST_SESSIONS_DONE, slot) > m->done_before[slot];
}

static void on_exit_worker(void *ctx, unsigned slot, pid_t pid, int status)
{
	struct manager *m = ctx;

	(void)pid;
	(void)status;
	m->done_before[slot] = stats_slot_sum(ST_SESSIONS_DONE, slot);
	clients_slot_begin(m->clients, slot);
}

static void take_addresses(struct manager *m, int timeout_ms)
{
	struct net_endpoint e[NET_ADDRS_MAX];
	char why[160];
	unsigned n;
	int got = resolve_finish(&m->resolve, timeout_ms, e, NET_ADDRS_MAX, &n, why, sizeof why);

	if (got > 0) {
		server_table_set(m->servers, e, n);
		m->has_addrs = true;
	} else if (got < 0) {
		log_warning("server_addr: %s; %s", why, m->has_addrs ?
			"keeping the addresses that were known" :
			"clients are told 421 until it resolves");
	}
}

static void resolve_now(struct manager *m, int timeout_ms)
{
	const struct conf_smtp *c = &m->conf->smtp;
	struct net_endpoint e[NET_ADDRS_MAX];
	char why[160];

	m->ticks = 0;
	if (!net_list_has_names(c->server_addr)) {
		int n = net_resolve(c->server_addr, c->server_port, false, e, NET_ADDRS_MAX, why,
			sizeof why);
		server_table_set(m->servers, e, n > 0 ? (unsigned)n : 0);
		return;
	}
	if (resolve_start(&m->resolve, m->conf->smtp.server_addr, m->conf->smtp.server_port,
	    &m->id) < 0)
		log_error("name resolution: %m");
	take_addresses(m, timeout_ms);
}

static void tick(void *ctx, bool fd_ready)
{
	struct manager *m = ctx;

	(void)fd_ready;
	if (listen_mend(&m->listen))
		m->sup.is_broken = true;
	take_addresses(m, 0);
	if (++m->ticks >= RESOLVE_EVERY_S && net_list_has_names(m->conf->smtp.server_addr))
		resolve_now(m, 0);
}

/* Because of a socket that was opened anew: forked, workers have it. */
static int refresh(void *ctx)
{
	(void)ctx;
	return 0;
}

static void stopping(void *ctx)
{
	struct manager *m = ctx;

	resolve_stop(&m->resolve);
	listen_close(&m->listen);
}

static int open_spool_file(const void *dir)
{
	return spool_open_file(dir) < 0 ? -1 : 0; /* closed with the process */
}

/* Can a worker keep messages there? 0, or an errno. */
static int try_spool_dir(const struct manager *m, const char *dir)
{
	return proc_do_as(&m->id, open_spool_file, dir) < 0 ? errno : 0;
}

static int fail_pid_file(const struct manager *m, int error)
{
	char why[PATH_MAX + 64];

	snprintf(why, sizeof why, "%s: %s", m->conf->smtp.mod.pid_file, strerror(error));
	return fail_place(m, m->conf, "pid_file", error, why);
}

/* Tried as a worker. */
static int fail_spool_dir(const struct manager *m, const struct conf *c, int error)
{
	char why[PATH_MAX + 128];

	start_path_why(why, sizeof why, c->smtp.spool_dir, error, &m->id);
	return fail_place(m, c, "spool_dir", error, why);
}

static int make_spool_dir(const struct manager *m, const struct conf *c)
{
	const char *dir = c->smtp.spool_dir;

	if (dirs_make(dir, 0700, &m->id) < 0)
		return fail_spool_dir(m, c, errno);
	int err = try_spool_dir(m, dir);
	return err != 0 ? fail_spool_dir(m, c, err) : 0;
}

static void apply_times(struct manager *m)
{
	m->sup.num = m->conf->smtp.num_proc;
	m->sup.stop_ms = 1000u * m->conf->smtp.timeout_stop;
	m->sup.drain_ms = 1000u * m->conf->smtp.timeout_drain;
}

/* What was fixed at the start stays, and says so. */
static void keep_fixed(struct manager *m, struct conf *c)
{
	start_say_fixed("daemon_sock_path", m->sock_path, c->smtp.daemon_sock_path);
	start_say_fixed_module(&m->conf->smtp.mod, &c->smtp.mod);
	c->smtp.daemon_sock_path = m->sock_path;
	if (!c->smtp.mod.agent_enabled)
		log_warning("agent_enabled = no: stop the agent to disable it");
}

/* A bad file changes nothing and is logged. */
static int reload(void *ctx, unsigned *num_io)
{
	struct manager *m = ctx;
	struct listen_set fresh;
	char why[256];
	struct conf *c = conf_load(m->cli, start_note, NULL);

	if (c != NULL && (c->smtp.num_proc > m->max_workers || c->smtp.num_thrd > m->max_threads)) {
		const bool is_proc = c->smtp.num_proc > m->max_workers;

		log_error("%s: beyond %u it grows only by a restart", is_proc ? "num_proc" : "num_thrd",
			is_proc ? m->max_workers : m->max_threads);
		conf_free(&c);
	}
	if (c != NULL && make_spool_dir(m, c) != 0)
		conf_free(&c);
	if (c != NULL && listen_open(&fresh, &m->listen, c, why, sizeof why) < 0) {
		fail_option(c, "listen_addr", why);
		conf_free(&c);
	}
	if (c == NULL) {
		log_error("the configuration was not reloaded, the old one stays in force");
		return -1;
	}
	const unsigned changes = conf_changes(m->conf, c, CONF_PROG_SMTP, start_note, NULL);
	keep_fixed(m, c);
	listen_close(&m->listen);
	m->listen = fresh;
	conf_free(&m->conf);
	m->conf = c;
	start_log(CONF_PROG_SMTP, c, m->cli->foreground);
	resolve_stop(&m->resolve);
	resolve_now(m, 1000);
	apply_times(m);
	*num_io = c->smtp.num_proc;
	log_info("configuration reloaded%s", changes == 0 ? ": the same as before" : "");
	return 0;
}

static const struct supervise_cb callbacks = {
	.run = run_worker, .reload = reload, .refresh = refresh, .is_proven = is_proven,
	.on_exit = on_exit_worker, .tick = tick, .stopping = stopping,
};

/* ---- the start ------------------------------------------------------------- */

static bool has_open_door(const struct listen_set *set)
{
	for (unsigned i = 0; i < set->n; i++) {
		if (set->l[i].where.path[0] == '\0' && !net_addr_is_loopback(&set->l[i].where.addr))
			return true;
	}
	return false;
}

/* A warning only: there may be room in a moment, and what waits is not lost. */
static void warn_if_full(const struct manager *m)
{
	const struct conf_smtp *c = &m->conf->smtp;
	struct statvfs v;

	if (statvfs(c->spool_dir, &v) < 0 || (uint64_t)v.f_bavail * v.f_frsize >= c->spool_min_free)
		return;
	log_warning("%s: spool_dir: %s: %llu MB are free, less than spool_min_free: what does not "
		"fit into memory is deferred", conf_origin(m->conf, "smtp", "spool_dir"), c->spool_dir,
		(unsigned long long)v.f_bavail * v.f_frsize >> 20);
}

/* What is there already, and whether the rest can be made: the same for
 * --check-config as for the start. */
static int try_places(const struct manager *m)
{
	const struct conf_smtp *c = &m->conf->smtp;
	struct stat st;
	int err = dirs_try(c->spool_dir, &m->id) < 0 ? errno :
		stat(c->spool_dir, &st) == 0 ? try_spool_dir(m, c->spool_dir) : 0;
	int status = err != 0 ? fail_spool_dir(m, m->conf, err) : 0;

	if (err == 0)
		warn_if_full(m);
	if (!start_wants_pid_file(m->cli, m->conf) || dirs_try_file(c->mod.pid_file, S_IFREG, true) == 0)
		return status;
	err = fail_pid_file(m, errno);
	return status != 0 ? status : err;
}

static int write_pid(const struct manager *m)
{
	int status = start_pid_file(m->cli, m->conf, &m->id);

	return status >= 0 ? status : fail_pid_file(m, errno);
}

static int alloc_tables(struct manager *m)
{
	const struct conf_smtp *c = &m->conf->smtp;

	m->max_workers = c->num_proc > SLOTS_FOR_WORKERS ? c->num_proc : SLOTS_FOR_WORKERS;
	m->max_threads = c->num_thrd > THREADS_AT_LEAST ? c->num_thrd : THREADS_AT_LEAST;
	m->servers = server_table_new();
	m->clients = clients_new(supervise_slots(m->max_workers));
	m->done_before = calloc(supervise_slots(m->max_workers), sizeof *m->done_before);
	if (m->servers == NULL || m->clients == NULL || m->done_before == NULL ||
	    stats_init(STATS_AGENT, supervise_slots(m->max_workers), m->max_threads) < 0)
		return fail("shared memory", strerror(errno), 1);
	return 0;
}

/* What the service manager has passed is listened on if listen_addr says so. */
static int open_sockets(struct manager *m)
{
	struct listen_set passed;
	char why[256], text[160];
	int status = 0;

	listen_passed(&passed);
	if (listen_open(&m->listen, &passed, m->conf, why, sizeof why) < 0) {
		status = start_status_of(errno);
		fail_option(m->conf, "listen_addr", why);
	}
	for (unsigned i = 0; status == 0 && i < passed.n; i++)
		if (passed.l[i].fd >= 0)
			log_warning("%s: passed by the service manager, but not in listen_addr: closed",
				net_endpoint_text(&passed.l[i].where, text, sizeof text));
	listen_close(&passed);
	return status;
}

/* All that can fail because of the configuration, before anything runs. The
 * pid file first: who runs already is not told that the port is in use. */
static int prepare(struct manager *m)
{
	int status = try_places(m);

	if (status == 0)
		status = make_spool_dir(m, m->conf);
	if (status == 0)
		status = write_pid(m);
	if (status == 0)
		status = open_sockets(m);
	m->sock_path = strdup(m->conf->smtp.daemon_sock_path);
	if (status == 0 && m->sock_path == NULL)
		status = fail("start", strerror(errno), 1);
	return status != 0 ? status : alloc_tables(m);
}

int manager_check(const struct conf_cli *cli, struct conf *conf)
{
	struct manager m = { .cli = cli, .conf = conf };
	const struct conf_smtp *c = &conf->smtp;
	struct net_endpoint e[NET_ADDRS_MAX];
	char why[256];
	int status = start_identity(CONF_PROG_SMTP, conf, &m.id);

	/* No mistake: it may resolve when it is needed. */
	if (c->server_addr[0] != '\0' && net_resolve(c->server_addr, c->server_port, false, e,
	    NET_ADDRS_MAX, why, sizeof why) < 0)
		log_warning("%s: server_addr: %s", conf_origin(conf, "smtp", "server_addr"), why);
	if (status == 0 && conf->smtp.listen_addr[0] != '\0' && listen_try(conf, why, sizeof why) < 0)
		status = fail_place(&m, conf, "listen_addr", errno, why);
	start_try_status(cli, conf); /* no mistake that keeps the agent from starting */
	return status != 0 ? status : try_places(&m);
}

static void log_start(const struct manager *m)
{
	const struct conf_smtp *c = &m->conf->smtp;
	const unsigned long files = proc_raise_nofile();
	const unsigned long sessions = worker_sessions(files, c->num_thrd);
	char text[160];

	for (unsigned i = 0; i < m->listen.n; i++)
		log_info("listening on %s", net_endpoint_text(&m->listen.l[i].where, text, sizeof text));
	if (sessions < (c->max_sessions + c->num_proc - 1ul) / c->num_proc)
		log_warning("%lu descriptors carry about %lu sessions at a time: who needs max_sessions "
			"%u raises their limit (ulimit -n, LimitNOFILE), others may lower max_sessions",
			files, sessions * c->num_proc, c->max_sessions);
	if (has_open_door(&m->listen) && !c->server_xclient &&
	    c->server_proxy_protocol == CONF_PROXY_NO)
		log_warning("listening beyond loopback: the server sees every client with this "
			"host's address; see server_xclient and server_proxy_protocol");
}

static void manager_fini(struct manager *m)
{
	resolve_stop(&m->resolve);
	listen_close(&m->listen);
	unix_sock_close(&m->status);
	server_table_free(&m->servers);
	clients_free(&m->clients);
	free(m->done_before);
	free(m->sock_path);
	conf_free(&m->conf);
}

int manager_run(const struct conf_cli *cli, struct conf *conf)
{
	struct manager m = { .cli = cli, .conf = conf, .resolve = RESOLVE_INIT,
		.status = UNIX_SOCK_INIT };
	int status = start_identity(CONF_PROG_SMTP, conf, &m.id);

	if (status == 0 && !cli->foreground && proc_daemonize() < 0)
		status = fail("daemonize", strerror(errno), 1);
	if (status == 0)
		status = prepare(&m);
	if (status == 0) {
		m.pid = getpid();
		m.sup = (struct supervise_cfg){ .what = "worker", .extra_fd = -1, .ctx = &m,
			.cb = &callbacks, .status = &m.status };
		start_status(cli, conf, &m.id, &m.status);
		apply_times(&m);
		log_start(&m);
		resolve_now(&m, RESOLVE_AT_START_MS);
		start_log(CONF_PROG_SMTP, conf, cli->foreground);
		if (!cli->foreground)
			proc_daemon_ready();
		status = supervise_run(&m.sup);
		log_info("ended");
	}
	unix_sock_remove(&m.status);
	pidfile_close();
	manager_fini(&m);
	return status;
}
