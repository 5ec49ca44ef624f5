/* master.c - the master's workers, as supervise.h asks for them, see master.h. */
#include "master.h"

#include <errno.h>
#include <string.h>

#include "broker.h"
#include "confined.h"
#include "engine_gate.h"
#include "engine_watch.h"
#include "log.h"
#include "stats.h"
#include "task.h"

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

static uint64_t answers_of(unsigned slot)
{
	return stats_slot_sum(ST_REQUESTS, slot) + stats_slot_sum(ST_REQUESTS_BROKEN, slot);
}

static bool is_proven(void *ctx, unsigned slot)
{
	const struct master *m = ctx;

	return slot < m->nslots && answers_of(slot) > m->served[slot];
}

static void on_start_worker(void *ctx, unsigned slot, pid_t pid)
{
	(void)ctx;
	(void)pid;
	engine_gate_started(slot);
}

static void on_exit_worker(void *ctx, unsigned slot, pid_t pid, int status)
{
	struct master *m = ctx;

	(void)pid;
	(void)status;
	engine_gate_ended(slot);
	if (slot < m->nslots)
		m->served[slot] = answers_of(slot);
}

static void tick(void *ctx, bool fd_ready)
{
	struct master *m = ctx;

	if (master_watch_is_due(m))
		m->has_new_signatures = m->sup.is_stale = true;
	master_sides_tick(m, fd_ready);
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

const struct supervise_cb master_callbacks = {
	.run = worker_run,
	.reload = master_reload,
	.refresh = master_refresh,
	.is_proven = is_proven,
	.on_start = on_start_worker,
	.on_exit = on_exit_worker,
	.tick = tick,
	.stopping = stopping,
};
