/* main.c - esets_daemon: options, start order, master.
 *
 *   config -> log -> identity -> background -> pid file -> socket -> engines
 *   -> supervise (workers: identity, parent-death signal, confined_begin, server_run)
 *      beside them the process that keeps messages (quarantine.h), the one that
 *      connects to engines (broker.h), and exec_script (notify.h)
 *
 * Owns what exists once for the daemon: the socket's name, the pid file and
 * the loaded engines, which workers share with it copy-on-write. The master
 * stays what it was started as and never reads a request; the one thing that
 * workers tell it is that something was found (notify.h), in records that it
 * trusts as little as them. It never starts a thread. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "broker.h"
#include "conf.h"
#include "confined.h"
#include "engine.h"
#include "engine_gate.h"
#include "engine_watch.h"
#include "log.h"
#include "net.h"
#include "notify.h"
#include "proc.h"
#include "quarantine.h"
#include "server.h"
#include "service.h"
#include "side_proc.h"
#include "sig_watch.h"
#include "start_check.h"
#include "stats.h"
#include "status.h"
#include "status_sock.h"
#include "str.h"
#include "supervise.h"
#include "task.h"

#define IDENT "esets_daemon"
#define EX_RUNNING 1       /* another instance holds pid file or socket */
#define BACKLOG 1024
#define SLOTS_MIN 64       /* workers a reload may raise num_proc to with counters */
#define THREADS_MIN 64     /* the same of num_thrd */
#define WHY_SIZE 512
#define NOTES_MAX 65536

struct master {
	struct conf_cli cli;
	struct conf *conf;
	struct proc_identity id;
	struct server_access access;
	struct unix_sock sock;     /* where requests come */
	struct unix_sock status;
	pid_t pid;                 /* for the parent-death check */
	struct buf notes;          /* of conf_load, until it is known where they go */
	bool is_log_open;
	uint64_t *served;          /* by slot: answers of its former workers */
	unsigned nslots;
	struct side_proc quarantine;
	struct side_proc broker;   /* where an engine is external, or there is syslog */
	struct notify notify;
	struct supervise_cfg sup;
	struct sig_watch watch;
	bool has_new_signatures;
	bool is_shut;              /* one of the sockets to and from workers */
};

/* --- configuration ------------------------------------------------------- */

static void say_note(enum conf_note kind, const char *text)
{
	switch (kind) {
	case CONF_NOTE_ERROR:
		log_error("%s", text);
		break;
	case CONF_NOTE_WARNING:
		log_warning("%s", text);
		break;
	case CONF_NOTE_INFO:
		log_info("%s", text);
		break;
	}
}

/* Errors are said at once; the rest waits for the configuration to say where
 * the log is. */
static void on_note(void *arg, enum conf_note kind, const char *text)
{
	struct master *m = arg;
	unsigned char k = (unsigned char)kind;
	size_t n = strlen(text) + 1;

	if (!m->is_log_open && kind != CONF_NOTE_ERROR) {
		unsigned char *room = buf_reserve(&m->notes, n + 1);
		if (room != NULL) {
			room[0] = k;
			memcpy(room + 1, text, n);
			buf_commit(&m->notes, n + 1);
			return;
		}
	}
	say_note(kind, text);
}

static void notes_flush(struct master *m)
{
	const unsigned char *p;

	m->is_log_open = true;
	while ((p = buf_head(&m->notes)) != NULL && !buf_is_empty(&m->notes)) {
		const char *text = (const char *)p + 1;
		say_note((enum conf_note)p[0], text);
		buf_consume(&m->notes, strlen(text) + 2);
	}
	buf_fini(&m->notes);
}

/* Until the configuration is known: where errors go by default, and stderr. */
static void log_early(bool to_syslog)
{
	struct log_cfg cfg = { .facility = to_syslog ? LOG_DAEMON : -1,
		.classes = 1u << LC_ERROR | 1u << LC_WARNING | 1u << LC_INFO, .to_stderr = true };

	log_open(IDENT, &cfg);
}

static void log_configure(const struct conf_module *m, bool to_stderr)
{
	struct log_cfg cfg = { .to_stderr = to_stderr, .json = m->log_format == CONF_LOG_JSON };
	char why[WHY_SIZE];

	/* conf_load has checked both. */
	if (log_facility_parse(m->syslog_facility, &cfg.facility) < 0)
		cfg.facility = LOG_DAEMON;
	if (log_classes_parse(m->syslog_class, &cfg.classes, why, sizeof why) < 0)
		cfg.classes = 1u << LC_ERROR | 1u << LC_WARNING;
	log_open(IDENT, &cfg);
}

/* Things that were fixed at the start. */
static void warn_fixed(const struct conf_global *was, const struct conf_global *is)
{
	const struct { const char *name, *was, *is; } fixed[] = {
		{ "daemon_sock_path", was->daemon_sock_path, is->daemon_sock_path },
		{ "pid_file", was->mod.pid_file, is->mod.pid_file },
		{ "user", was->mod.user, is->mod.user },
		{ "group", was->mod.group, is->mod.group },
		{ "status_sock_path", was->mod.status_sock_path, is->mod.status_sock_path },
	};

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (strcmp(fixed[i].was, fixed[i].is) != 0)
			log_warning("%s: a change takes effect after a restart only",
				fixed[i].name);
	}
}

static void sup_configure(struct supervise_cfg *s, const struct conf_global *g)
{
	s->num = g->num_proc;
	s->stop_ms = g->timeout_stop * 1000;
	s->drain_ms = g->timeout_drain * 1000;
}

/* Of the default's names some need not exist, and nobody is to blame. */
static int access_load(struct server_access *a, const struct conf *c)
{
	bool is_default = strcmp(conf_origin(c, "global", "daemon_allowed_users"), "default") == 0;

	return server_access_load(a, c->global.daemon_allowed_users, !is_default);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* --- what supervise asks ------------------------------------------------- */

static int worker_run(void *ctx, unsigned slot)
{
	struct master *m = ctx;
	const struct conf_global *g = &m->conf->global;
	struct server_cfg cfg = { .listen_fd = m->sock.fd, .slot = slot,
		.threads = g->num_thrd, .is_alone = g->num_proc == 1, .stop_ms = g->timeout_stop * 1000,
		.drain_ms = g->timeout_drain * 1000, .access = &m->access,
		.quarantine_fd = m->quarantine.ask_fd,
		.notify_fd = g->exec_script[0] != '\0' ? m->notify.write_fd : -1 };
	const int keep[] = { m->sock.fd, cfg.quarantine_fd, cfg.notify_fd, m->broker.ask_fd };

	if (proc_identity_take(&m->id) < 0) {
		log_error("user %s: privileges cannot be dropped: %s", m->id.user, strerror(errno));
		return 1;
	}
	if (proc_die_with_parent(m->pid) < 0)
		return 1; /* it is gone already */
	proc_close_others(keep, sizeof keep / sizeof keep[0]);
	proc_set_title("esets_daemon/w");
	stats_slot_begin(slot);
	engine_gate_worker(slot);
	task_mem_init();
	broker_use(m->broker.ask_fd);
	log_dial_by(broker_dial_log);
	confined_begin(g);
	if (engine_watch_start(slot) < 0)
		log_error("the engines cannot be watched: %s", strerror(errno));
	int status = server_run(&cfg);
	engine_watch_stop();
	return status;
}

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

	if (start_check_wants_quarantine(m->conf) && proc_make_dir(dir, 0700, &m->id) < 0)
		log_error("av_quarantine_dir: %s cannot be made: %s", dir, strerror(errno));
	side_proc_start(&m->quarantine, quarantine_main, &m->conf->global, &m->id, m->pid);
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

/* Signature files, as the configuration in force names them. */
static void watch_signatures(struct master *m)
{
	if (sig_watch_set(&m->watch, m->conf->global.av_signature_dir, now_ms()) < 0)
		log_warning("av_signature_dir: changes will not be noticed without a reload: %s",
			strerror(errno));
}

static int reload(void *ctx, unsigned *num_io)
{
	struct master *m = ctx;
	struct server_access access;
	char why[WHY_SIZE], versions[VERDICT_VDB_MAX];

	log_info("reload: reading %s", m->cli.config_path);
	struct conf *conf = conf_load(&m->cli, on_note, m);
	if (conf == NULL) {
		log_error("reload: the configuration is not valid, nothing was changed");
		return -1;
	}
	if (access_load(&access, conf) < 0) {
		log_error("reload: out of memory, nothing was changed");
		conf_free(&conf);
		return -1;
	}
	if (engines_load(conf, why, sizeof why) < 0) {
		log_error("reload: %s; nothing was changed", why);
		server_access_fini(&access);
		conf_free(&conf);
		return -1;
	}
	conf_changes(m->conf, conf, CONF_PROG_DAEMON, on_note, m);
	warn_fixed(&m->conf->global, &conf->global);
	server_access_fini(&m->access);
	conf_free(&m->conf);
	m->conf = conf;
	m->access = access;
	log_configure(&conf->global.mod, m->cli.foreground);
	sup_configure(&m->sup, &conf->global);
	watch_signatures(m);
	quarantine_start(m);
	broker_renew(m);
	*num_io = conf->global.num_proc;
	log_info("reload: done, engines: %s", engines_version(versions, sizeof versions));
	return 0;
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
	m->sup.is_stale = true;
	if (!was)
		log_error("a worker has shut down a socket that all workers need: they are replaced");
}

/* For the next workers. */
static void sockets_renew(struct master *m)
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

/* Nobody has touched the configuration, but workers need others: because of what
 * one of them did, or signatures that have changed. */
static int refresh(void *ctx)
{
	struct master *m = ctx;
	char why[WHY_SIZE], was[VERDICT_VDB_MAX], is[VERDICT_VDB_MAX];

	if (m->is_shut)
		sockets_renew(m);
	if (!m->has_new_signatures)
		return 0;
	m->has_new_signatures = false;
	engines_version(was, sizeof was);
	if (engines_load(m->conf, why, sizeof why) < 0) {
		log_error("signatures have changed: %s; the old ones stay", why);
		return -1;
	}
	log_info("signatures have changed: loaded, engines: %s (were %s)",
		engines_version(is, sizeof is), was);
	return 0;
}

static uint64_t answers_of(unsigned slot)
{
	return stats_slot_sum(ST_REQUESTS, slot) + stats_slot_sum(ST_REQUESTS_BROKEN, slot);
}

static bool is_proven(void *ctx, unsigned slot)
{
	const struct master *m = ctx;

	return slot < m->nslots && answers_of(slot) > m->served[slot];
}

static void on_exit_worker(void *ctx, unsigned slot, pid_t pid, int status)
{
	struct master *m = ctx;

	(void)pid;
	(void)status;
	engine_gate_clear(slot);
	if (slot < m->nslots)
		m->served[slot] = answers_of(slot);
}

static void tick(void *ctx, bool fd_ready)
{
	struct master *m = ctx;

	if (sig_watch_is_due(&m->watch, now_ms()))
		m->has_new_signatures = m->sup.is_stale = true;
	look_for_shut(m);
	if (!fd_ready && !m->is_shut && side_proc_tick(&m->quarantine))
		quarantine_start(m);
	if (!fd_ready && !m->is_shut && side_proc_tick(&m->broker))
		broker_start(m);
	m->sup.extra_fd = !m->is_shut && notify_tick(&m->notify, &m->conf->global, &m->id) ?
		m->notify.read_fd : -1;
}

/* Nobody shall queue up for workers that leave. The name goes first: the next
 * instance may take it from now on, and a socket of its own could get the number
 * of ours as soon as that is closed. */
static void stopping(void *ctx)
{
	struct master *m = ctx;

	unix_sock_remove(&m->sock);
	unix_sock_close(&m->sock);
}

static const struct supervise_cb callbacks = {
	.run = worker_run,
	.reload = reload,
	.refresh = refresh,
	.is_proven = is_proven,
	.on_exit = on_exit_worker,
	.tick = tick,
	.stopping = stopping,
};

/* --- start --------------------------------------------------------------- */

static void identity_resolve(struct master *m)
{
	const struct conf_module *mod = &m->conf->global.mod;
	char why[WHY_SIZE];

	if (proc_identity_get(mod->user, mod->group, &m->id, why, sizeof why) < 0) {
		bool is_group = strncmp(why, "group:", 6) == 0;
		const char *text = strchr(why, ' ');
		start_check_fatal(m->conf, is_group ? "group" : "user", "%s", text != NULL ? text + 1 : why);
	}
	if (geteuid() != 0)
		log_info("not started as root: user and group have no effect");
	else if (!m->id.drop)
		log_warning("user: workers run as root");
}

static void pidfile_take(struct master *m)
{
	const struct conf_module *mod = &m->conf->global.mod;
	pid_t other;

	if (m->cli.foreground && !mod->pid_file_is_set)
		return;
	if (proc_pidfile_open(mod->pid_file, m->id.uid, m->id.gid, &other) == 0) {
		/* However the start ends; in a child this does nothing. */
		atexit(proc_pidfile_close);
		return;
	}
	if (errno == EWOULDBLOCK)
		log_fatal(EX_RUNNING, "already running with pid %ld (%s)", (long)other,
			mod->pid_file);
	start_check_fatal(m->conf, "pid_file", "%s: %s", mod->pid_file, strerror(errno));
}

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

static void socket_bind(struct master *m)
{
	const char *path = m->conf->global.daemon_sock_path;

	m->sock.fd = take_passed(path); /* its name is not ours to remove */
	if (m->sock.fd >= 0)
		return;
	if (proc_make_parent_dir(path, 0755, &m->id) < 0)
		start_check_fatal(m->conf, "daemon_sock_path", "its directory cannot be made: %s",
			strerror(errno));
	if (unix_sock_listen(&m->sock, path, BACKLOG, &m->id) == 0)
		return;
	if (errno == EADDRINUSE)
		log_fatal(EX_RUNNING, "already running: somebody answers on %s", path);
	start_check_fatal(m->conf, "daemon_sock_path", "%s: %s", path, strerror(errno));
}

/* --check-config: no mistake that keeps the daemon from starting. */
static void status_try(const struct master *m)
{
	const struct conf_module *mod = &m->conf->global.mod;

	if (mod->status_sock_is_set && proc_try_file(mod->status_sock_path, S_IFSOCK, true) < 0)
		log_warning("%s: status_sock_path: %s: %s", conf_origin(m->conf, "global",
			"status_sock_path"), mod->status_sock_path, strerror(errno));
}

/* Without it scans go on as well: nothing to fail for. */
static void status_open(struct master *m)
{
	const struct conf_module *mod = &m->conf->global.mod;

	if ((!m->cli.foreground || service_is_told() || mod->status_sock_is_set) &&
	    status_sock_open(&m->status, mod->status_sock_path, &m->id) < 0)
		log_warning("status_sock_path: %s: %s; --status will not tell anything",
			mod->status_sock_path, errno == EADDRINUSE ?
			"another program answers there" : strerror(errno));
}

static void engines_start(struct master *m)
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
		start_check_fatal(m->conf, name, "%s", why + n + 2);
	log_fatal(CONF_EX_CONFIG, "%s", why);
}

static void counters_start(struct master *m)
{
	const struct conf_global *g = &m->conf->global;

	m->nslots = supervise_slots(g->num_proc > SLOTS_MIN ? g->num_proc : SLOTS_MIN);
	m->served = calloc(m->nslots, sizeof *m->served);
	if (m->served == NULL || stats_init(STATS_DAEMON, m->nslots,
	    SERVER_LINES(g->num_thrd > THREADS_MIN ? g->num_thrd : THREADS_MIN)) < 0)
		log_fatal(1, "counters: %s", strerror(errno));
}

/* Everything up to the first worker; leaves the process if it fails. */
static void start(struct master *m)
{
	const struct conf_global *g = &m->conf->global;

	proc_raise_nofile();
	if (!m->cli.foreground && proc_daemonize() < 0)
		log_fatal(1, "going into the background: %s", strerror(errno));
	m->pid = getpid();
	pidfile_take(m);
	if (side_proc_open(&m->quarantine) < 0 || notify_open(&m->notify) < 0)
		log_fatal(1, "sockets between processes: %s", strerror(errno));
	socket_bind(m);
	if (access_load(&m->access, m->conf) < 0)
		log_fatal(1, "out of memory");
	counters_start(m);
	watch_signatures(m); /* before they are read: nothing is missed */
	engines_start(m);
	status_open(m);
	log_info("version %s listens on %s, %u processes of %u threads", PACKAGE_VERSION,
		g->daemon_sock_path, g->num_proc, g->num_thrd);
	proc_daemon_ready();
	log_configure(&g->mod, m->cli.foreground);
}

static int run(struct master *m)
{
	start(m);
	sup_configure(&m->sup, &m->conf->global);
	m->sup.extra_fd = m->notify.read_fd;
	quarantine_start(m);
	broker_renew(m);
	int status = supervise_run(&m->sup);
	side_proc_stop(&m->quarantine);
	side_proc_stop(&m->broker);
	notify_close(&m->notify);
	unix_sock_remove(&m->sock);
	unix_sock_remove(&m->status);
	proc_pidfile_close();
	log_info("ended");
	return status;
}

static void master_fini(struct master *m)
{
	server_access_fini(&m->access);
	free(m->served);
	sig_watch_close(&m->watch);
	unix_sock_close(&m->sock);
	unix_sock_close(&m->status);
	conf_free(&m->conf);
	conf_cli_fini(&m->cli);
	buf_fini(&m->notes);
}

/* The configuration is read: what was asked for? */
static int with_conf(struct master *m)
{
	if (m->cli.dump_config) {
		conf_dump(m->conf, CONF_PROG_DAEMON, stdout);
		return 0;
	}
	if (!m->cli.check_config)
		log_configure(&m->conf->global.mod, true);
	notes_flush(m);
	identity_resolve(m);
	if (!start_check_paths(m->conf, &m->cli, &m->id))
		return CONF_EX_CONFIG;
	if (m->cli.check_config) {
		if (access_load(&m->access, m->conf) < 0) /* says which names nobody has */
			log_fatal(1, "out of memory");
		status_try(m);
		engines_start(m); /* reads the signatures, and says which lines it skips */
		engines_watch(&(struct engine_call){ .deadline_ms = LLONG_MAX }); /* who does not answer */
		printf("%s: configuration is in order\n", m->conf->path);
		return 0;
	}
	return run(m);
}

/* Remarks on the configuration, which on_note keeps, are nobody's business here. */
static int status_print(const struct master *m)
{
	if (m->conf == NULL)
		return STATUS_EX_UNKNOWN;
	const struct status_ask ask = { .program = IDENT, .json = m->cli.json,
		.path = m->conf->global.mod.status_sock_path };
	return (int)status_command(&ask, stdout);
}

static int with_cli(struct master *m)
{
	if (m->cli.help) {
		conf_cli_help(&m->cli, stdout);
		return 0;
	}
	if (m->cli.version) {
		printf("%s %s\n", IDENT, PACKAGE_VERSION);
		return 0;
	}
	/* Who only asks reads the answer; the log is for what really starts. */
	if (m->cli.check_config || m->cli.dump_config || m->cli.status)
		log_early(false);
	else
		supervise_block_signals(); /* from here on none ends us half started */
	m->conf = conf_load(&m->cli, on_note, m);
	if (m->cli.status)
		return status_print(m);
	return m->conf == NULL ? CONF_EX_CONFIG : with_conf(m);
}

int main(int argc, char **argv)
{
	struct master m = { .sock = UNIX_SOCK_INIT, .status = UNIX_SOCK_INIT,
		.notes = BUF_INIT(NOTES_MAX),
		.quarantine = SIDE_PROC_INIT("quarantine", "esets_daemon/q"),
		.broker = SIDE_PROC_INIT("broker", "esets_daemon/b"),
		.notify = NOTIFY_INIT, .watch = SIG_WATCH_INIT };
	int status = CONF_EX_USAGE;

	m.sup = (struct supervise_cfg){ .what = "worker", .extra_fd = -1, .ctx = &m,
		.cb = &callbacks, .status = &m.status };
	if (proc_std_open() < 0)
		return 1;
	log_early(true);
	service_init();
	if (conf_cli_parse(&m.cli, CONF_PROG_DAEMON, argc, argv, on_note, &m) == 0)
		status = with_cli(&m);
	master_fini(&m);
	return fflush(stdout) != 0 || ferror(stdout) ? 1 : status;
}
