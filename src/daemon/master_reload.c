/* master_reload.c - another configuration, or other signatures, see master.h. */
#include "master.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "log.h"
#include "start.h"
#include "start_check.h"

#define WHY_SIZE 512

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void master_times(struct master *m)
{
	const struct conf_global *g = &m->conf->global;

	m->sup.num = g->num_proc;
	m->sup.stop_ms = g->timeout_stop * 1000;
	m->sup.drain_ms = g->timeout_drain * 1000;
}

/* Of the default's names some need not exist, and nobody is to blame. */
int master_access(struct server_access *a, const struct conf *c)
{
	bool is_default = strcmp(conf_origin(c, "global", "daemon_allowed_users"), "default") == 0;

	return server_access_load(a, c->global.daemon_allowed_users, !is_default);
}

void master_watch(struct master *m)
{
	if (sig_watch_set(&m->watch, m->conf->global.av_signature_dir, now_ms()) < 0)
		log_warning("av_signature_dir: changes will not be noticed without a reload: %s",
			strerror(errno));
}

bool master_watch_is_due(struct master *m)
{
	return sig_watch_is_due(&m->watch, now_ms());
}

int master_reload(void *ctx, unsigned *num_io)
{
	struct master *m = ctx;
	struct server_access access;
	char why[WHY_SIZE], versions[VERDICT_VDB_MAX];

	log_info("reload: reading %s", m->cli->config_path);
	struct conf *conf = conf_load(m->cli, start_note, NULL);
	if (conf == NULL) {
		log_error("reload: the configuration is not valid, nothing was changed");
		return -1;
	}
	if (!start_check_reload(conf, m->cli, &m->id)) {
		log_error("reload: nothing was changed");
		conf_free(&conf);
		return -1;
	}
	if (master_access(&access, conf) < 0) {
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
	conf_changes(m->conf, conf, CONF_PROG_DAEMON, start_note, NULL);
	start_say_fixed("daemon_sock_path", m->conf->global.daemon_sock_path,
		conf->global.daemon_sock_path);
	start_say_fixed("[wwwi] release", m->conf->wwwi.release ? "yes" : "no",
		conf->wwwi.release ? "yes" : "no");
	start_say_fixed_module(&m->conf->global.mod, &conf->global.mod);
	server_access_fini(&m->access);
	conf_free(&m->conf);
	m->conf = conf;
	m->access = access;
	start_log(CONF_PROG_DAEMON, conf, m->cli->foreground);
	master_times(m);
	master_watch(m);
	if (m->is_shut)
		master_sides_renew(m);
	master_sides_start(m);
	*num_io = conf->global.num_proc;
	log_info("reload: done, engines: %s", engines_version(versions, sizeof versions));
	return 0;
}

/* Nobody has touched the configuration, but workers need others: because of what
 * one of them did, or signatures that have changed. */
int master_refresh(void *ctx)
{
	struct master *m = ctx;
	char why[WHY_SIZE], was[VERDICT_VDB_MAX], is[VERDICT_VDB_MAX];
	const bool is_renewed = m->is_shut;

	if (is_renewed)
		master_sides_renew(m);
	if (!m->has_new_signatures)
		return 0;
	m->has_new_signatures = false;
	engines_version(was, sizeof was);
	if (engines_load(m->conf, why, sizeof why) < 0) {
		log_error("signatures have changed: %s; the old ones stay", why);
		return is_renewed ? 0 : -1; /* workers have sockets that are none any more */
	}
	log_info("signatures have changed: loaded, engines: %s (were %s)",
		engines_version(is, sizeof is), was);
	return 0;
}
