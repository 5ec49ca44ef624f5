/* main.c - esets_wwwi: options, start order, parent.
 *
 *   config -> log -> identity -> background -> pid file -> socket -> counters
 *   -> supervise (one worker: identity, parent-death signal, files and system
 *      calls confined, wwwi_serve)
 *
 * The parent stays what it was started as and never reads a request. The worker
 * has no privileges, opens nothing but what lies in the quarantine (to read the
 * index) and UNIX sockets, and what it has drawn its charts from lies in memory
 * that outlives it: anonymous, shared with the next worker, read by no other. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "dirs.h"
#include "log.h"
#include "net.h"
#include "pidfile.h"
#include "proc.h"
#include "quar_dir.h"
#include "sandbox.h"
#include "start.h"
#include "stats.h"
#include "supervise.h"
#include "wwwi_int.h"

#define EX_BUSY 1
#define BACKLOG 128
#define WHY_SIZE 512

struct parent {
	const struct conf_cli *cli;
	struct conf *conf;
	struct proc_identity id;
	struct web_gate gate;
	struct net_endpoint where;     /* that it listens at */
	int listen_fd;
	struct unix_sock status;
	struct series *history;
	struct stat quarantine;        /* the directory that the worker has */
	struct supervise_cfg sup;
	uint64_t *served;              /* by slot: requests of its former workers */
	pid_t pid;
};

static int fail(const struct parent *p, const char *option, const char *why)
{
	return start_fail(CONF_PROG_WWWI, p->conf, option, why);
}

/* --- the worker ---------------------------------------------------------- */

/* What the kernel or the build cannot do is logged and left out. */
static void shut_in(int quarantine_fd)
{
	const char *why = confine_why_not();

	tzset(); /* before the C library can no longer read the time zone */
	if (why != NULL) {
		log_debug("a worker that is not confined: %s", why);
		return;
	}
	if (confine_to_read(quarantine_fd) < 0)
		log_warning("files are not confined: %s", errno == ENOSYS || errno == EOPNOTSUPP ?
			"this kernel has no Landlock" : strerror(errno));
	if (sandbox_enter(SANDBOX_WWWI, &why) < 0)
		log_warning("system calls are not filtered: %s", why);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int worker_run(void *ctx, unsigned slot)
{
	struct parent *p = ctx;
	const char *dir = p->conf->global.scan.quarantine_dir;

	if (proc_identity_take(&p->id) < 0) {
		log_error("user %s: privileges cannot be dropped: %s", p->id.user, strerror(errno));
		return 1;
	}
	if (proc_die_with_parent(p->pid) < 0)
		return 1; /* it is gone already */
	proc_close_others(&p->listen_fd, 1);
	proc_set_title("esets_wwwi/w");
	stats_thread(slot, 0);
	signal(SIGPIPE, SIG_IGN);
	struct wwwi_cfg cfg = { .conf = p->conf, .listen_fd = p->listen_fd, .gate = &p->gate,
		.quarantine_fd = quar_dir_open(dir), .signal_fd = open_signals(),
		.history = p->history };
	if (cfg.quarantine_fd < 0 && errno != ENOENT)
		log_warning("av_quarantine_dir: %s: %s; it is not shown", dir, strerror(errno));
	if (cfg.signal_fd < 0)
		log_error("signals: %s", strerror(errno));
	shut_in(cfg.quarantine_fd);
	return cfg.signal_fd < 0 ? 1 : wwwi_serve(&cfg);
}

/* --- what supervise asks ------------------------------------------------- */

static uint64_t requests_of(unsigned slot)
{
	uint64_t n = 0;

	for (unsigned id = ST_HTTP_OK; id <= ST_HTTP_OTHER; id++)
		n += stats_slot_sum((enum stats_id)id, slot);
	return n;
}

static bool is_proven(void *ctx, unsigned slot)
{
	const struct parent *p = ctx;

	return requests_of(slot) > p->served[slot];
}

static void on_exit_worker(void *ctx, unsigned slot, pid_t pid, int status)
{
	struct parent *p = ctx;

	(void)pid;
	(void)status;
	p->served[slot] = requests_of(slot);
}

static void look_at_quarantine(struct parent *p, struct stat *out)
{
	if (stat(p->conf->global.scan.quarantine_dir, out) < 0)
		*out = (struct stat){ .st_ino = 0 };
}

/* A worker can take the socket apart, for those after it as well. */
static bool mend_socket(struct parent *p)
{
	static struct log_limit limit;
	char text[160];
	int rc = net_mend(&p->listen_fd, &p->where, BACKLOG, SOCK_STREAM, 0);

	if (rc == 0)
		return false;
	net_endpoint_text(&p->where, text, sizeof text);
	if (rc > 0)
		log_error("%s: a worker has ended this socket: another was opened, and the worker is "
			"replaced", text);
	else if (log_limited(&limit, 5))
		log_error("%s: a worker has ended this socket, and another cannot be opened yet: %s",
			text, strerror(errno));
	return rc > 0;
}

/* A worker knows one directory for good: one that was made, or made anew, wants
 * another worker. */
static void tick(void *ctx, bool fd_ready)
{
	struct parent *p = ctx;
	struct stat st;

	(void)fd_ready;
	if (p->listen_fd >= 0 && mend_socket(p))
		p->sup.is_broken = true;
	look_at_quarantine(p, &st);
	if (st.st_dev != p->quarantine.st_dev || st.st_ino != p->quarantine.st_ino)
		p->sup.is_stale = true;
}

static int refresh(void *ctx)
{
	struct parent *p = ctx;

	look_at_quarantine(p, &p->quarantine);
	return 0;
}

static int gate_make(const struct conf *c, struct web_gate *out)
{
	char host[256] = "";

	if (gethostname(host, sizeof host - 1) < 0)
		host[0] = '\0';
	return web_gate_init(out, host, c->wwwi.username, c->wwwi.password);
}

/* The socket for that configuration: the one that is there, or a new one. -1
 * with errno. */
static int socket_for(const struct parent *p, const struct conf *c, struct net_endpoint *where)
{
	*where = (struct net_endpoint){ .path = "" };
	if (net_addr_parse(c->wwwi.listen_addr, &where->addr) < 0) {
		errno = EINVAL;
		return -1;
	}
	where->addr.port = c->wwwi.listen_port;
	if (p->listen_fd >= 0 && net_is_listening(p->listen_fd) &&
	    net_endpoint_is_equal(where, &p->where))
		return p->listen_fd;
	return net_listen(where, BACKLOG, SOCK_STREAM, 0);
}

static int reload(void *ctx, unsigned *num_io)
{
	struct parent *p = ctx;
	struct net_endpoint where;
	struct web_gate gate;

	(void)num_io;
	log_info("reload: reading %s", p->cli->config_path);
	struct conf *conf = conf_load(p->cli, start_note, NULL);
	if (conf == NULL || gate_make(conf, &gate) < 0) {
		log_error("reload: the configuration is not valid, nothing was changed");
		conf_free(&conf);
		return -1;
	}
	int fd = socket_for(p, conf, &where);
	if (fd < 0) {
		log_error("reload: listen_addr: %s; nothing was changed", strerror(errno));
		conf_free(&conf);
		return -1;
	}
	conf_changes(p->conf, conf, CONF_PROG_WWWI, start_note, NULL);
	start_say_fixed_module(&p->conf->wwwi.mod, &conf->wwwi.mod);
	if (conf->wwwi.release && !p->conf->wwwi.release)
		log_warning("release: esets_daemon has to be restarted once before it releases messages");
	if (fd != p->listen_fd)
		close(p->listen_fd);
	p->listen_fd = fd;
	p->where = where;
	p->gate = gate;
	conf_free(&p->conf);
	p->conf = conf;
	start_log(CONF_PROG_WWWI, conf, p->cli->foreground);
	look_at_quarantine(p, &p->quarantine);
	log_info("reload: done");
	return 0;
}

static void stopping(void *ctx)
{
	struct parent *p = ctx;

	close(p->listen_fd);
	p->listen_fd = -1;
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

/* What a start would run into, without making anything. */
static int check(struct parent *p)
{
	const struct conf_wwwi *w = &p->conf->wwwi;
	struct net_addr a;
	int status = start_identity(CONF_PROG_WWWI, p->conf, &p->id);

	if (status == 0 && net_addr_parse(w->listen_addr, &a) == 0 && net_try_addr(&a) < 0)
		status = fail(p, "listen_addr", strerror(errno));
	if (start_wants_pid_file(p->cli, p->conf) &&
	    dirs_try_file(w->mod.pid_file, S_IFREG, true) < 0 &&
	    (errno != EACCES || geteuid() == 0))
		status = fail(p, "pid_file", strerror(errno));
	return status;
}

static int write_pid(const struct parent *p)
{
	int status = start_pid_file(p->cli, p->conf, &p->id);

	return status >= 0 ? status : fail(p, "pid_file", strerror(errno));
}

static int open_socket(struct parent *p)
{
	char text[160], why[WHY_SIZE];

	p->listen_fd = socket_for(p, p->conf, &p->where);
	if (p->listen_fd >= 0)
		return 0;
	/* Neither need be a mistake: it may be over at the next try. */
	const bool is_busy = errno == EADDRINUSE || errno == EADDRNOTAVAIL;
	snprintf(why, sizeof why, "%s: %s", net_endpoint_text(&p->where, text, sizeof text),
		strerror(errno));
	int status = fail(p, "listen_addr", why);
	return is_busy ? EX_BUSY : status;
}

static int make_memory(struct parent *p)
{
	const unsigned slots = supervise_slots(1);

	p->history = mmap(NULL, sizeof *p->history, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p->served = calloc(slots, sizeof *p->served);
	if (p->history != MAP_FAILED && p->served != NULL &&
	    stats_init(STATS_WWWI, slots, WWWI_THREADS) == 0)
		return 0;
	log_error("shared memory: %s", strerror(errno));
	return 1;
}

static int prepare(struct parent *p)
{
	int status = start_identity(CONF_PROG_WWWI, p->conf, &p->id);

	if (status == 0 && gate_make(p->conf, &p->gate) < 0)
		status = fail(p, "password", "too long");
	if (status == 0 && !p->cli->foreground && proc_daemonize() < 0) {
		log_error("daemonize: %s", strerror(errno));
		status = 1;
	}
	if (status == 0)
		status = write_pid(p);
	if (status == 0)
		status = open_socket(p);
	return status != 0 ? status : make_memory(p);
}

static int serve(struct parent *p)
{
	char text[160];
	int status = prepare(p);

	if (status == 0) {
		p->pid = getpid();
		p->sup = (struct supervise_cfg){ .what = "worker", .num = 1, .extra_fd = -1,
			.stop_ms = 5000, .drain_ms = 5000, .ctx = p, .cb = &callbacks,
			.status = &p->status };
		start_status(p->cli, p->conf, &p->id, &p->status);
		look_at_quarantine(p, &p->quarantine);
		log_info("version %s listens on %s%s", PACKAGE_VERSION,
			net_endpoint_text(&p->where, text, sizeof text),
			p->gate.basic[0] == '\0' ? ", without a password" : "");
		start_log(CONF_PROG_WWWI, p->conf, p->cli->foreground);
		if (!p->cli->foreground)
			proc_daemon_ready();
		status = supervise_run(&p->sup);
		log_info("ended");
	}
	unix_sock_remove(&p->status);
	unix_sock_close(&p->status);
	pidfile_close();
	if (p->listen_fd >= 0)
		close(p->listen_fd);
	free(p->served);
	return status;
}

static int with_conf(struct parent *p)
{
	int status = 0;

	if (p->cli->dump_config) {
		conf_dump(p->conf, CONF_PROG_WWWI, stdout);
	} else if (p->cli->check_config) {
		status = check(p);
		if (status == 0)
			start_say_in_order(CONF_PROG_WWWI, p->conf);
	} else if (start_is_enabled(CONF_PROG_WWWI, p->conf)) {
		status = serve(p);
	}
	return status;
}

static int run(const struct conf_cli *cli)
{
	const bool is_question = cli->check_config || cli->dump_config;
	struct parent p = { .cli = cli, .listen_fd = -1, .status = UNIX_SOCK_INIT };

	start_log_early(CONF_PROG_WWWI, !is_question);
	if (!is_question)
		supervise_block_signals(); /* from here on none ends us half started */
	p.conf = start_load(cli, cli->dump_config ? CONF_NOTE_ERROR : CONF_NOTE_INFO);
	int status = p.conf == NULL ? CONF_EX_CONFIG : with_conf(&p);
	conf_free(&p.conf);
	return status;
}

int main(int argc, char **argv)
{
	return start_main(CONF_PROG_WWWI, run, argc, argv);
}
