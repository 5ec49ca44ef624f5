/* esets_inst.c - hooks the agent into Postfix, shows first what it would do,
 * and undoes it.
 *
 * Owns the command line, what is asked, and the order of things. How a plan is
 * shown is inst_print.c's, what is to be changed is inst_plan.c's and
 * inst_undo.c's, the changes are inst_apply.c's, the test mails inst_check.c's. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "inst_int.h"
#include "net.h"
#include "proc.h"
#include "str.h"

#define EX_NOT_DONE 1        /* nothing was changed */
#define EX_CHECK_FAILED 2    /* it was, but mail does not go as it should */

/* The queues whose mail is to forget the filter. Not "hold": mail that somebody holds
 * back would be let go. */
#define REQUEUED "incoming active deferred"

struct tool {
	const char *config_path, *postfix_dir, *rcpt;
	enum inst_mode mode;
	bool is_undo, is_check, is_dry_run, is_yes, is_forced, keep_config, has_mode, no_check;
	struct conf_cli cli;
	struct conf *conf;
	struct inst_site site;
	struct inst_state state;
	struct inst_config config;
	struct inst_postfix postfix;
	struct inst_plan plan;
};

static const char usage_text[] =
	"Usage: esets_inst [OPTION]...\n"
	"Hooks the filter esets_smtp into Postfix. Shows what it would change, asks,\n"
	"changes it, and sends test mails. Without a terminal it only shows.\n"
	"\n"
	"  --mode MODE           after-queue: as content_filter (the default)\n"
	"                        before-queue: as smtpd_proxy_filter, which refuses\n"
	"                        viruses while the sender is still connected\n"
	"  --undo                undo what was changed\n"
	"  --check               change nothing, only send the test mails\n"
	"\n"
	"  --dry-run             show it and ask nothing\n"
	"  --yes                 ask nothing and do it\n"
	"  --force               replace what is not ours (another content_filter)\n"
	"  --keep-config         do not change esets.cfg\n"
	"  --no-check            send no test mails\n"
	"  --recipient ADDRESS   of the test mails, instead of an address whose mail\n"
	"                        Postfix throws away\n"
	"  --postfix-config DIR  the Postfix whose main.cf is there\n"
	"  -c, --config FILE     read FILE instead of esets.cfg\n"
	"  -h, --help            print this text and exit\n"
	"  -v, --version         print the version and exit\n"
	"\n"
	"esets_inst(8) says more.\n";

static int usage_error(const char *what, const char *text)
{
	char clean[256];

	fprintf(stderr, "esets_inst: %s%s%s; try --help\n", what, text != NULL ? ": " : "",
		text != NULL ? str_clean(clean, sizeof clean, text, strlen(text)) : "");
	return CONF_EX_USAGE;
}

static int not_done(const char *why)
{
	fflush(stdout);
	fprintf(stderr, "esets_inst: %s\n", why);
	return EX_NOT_DONE;
}

/* A command of ours, on the same files as this one, to the end of the line. */
static void print_command(const struct tool *t, const char *option)
{
	printf("esets_inst");
	if (t->config_path != NULL) {
		printf(" -c ");
		inst_print_word(t->config_path);
	}
	if (t->postfix_dir != NULL) {
		printf(" --postfix-config ");
		inst_print_word(t->postfix_dir);
	}
	printf(" %s\n", option);
}

static bool ask(const char *question)
{
	char line[64];

	printf("%s [y/N] ", question);
	fflush(stdout);
	if (fgets(line, sizeof line, stdin) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return str_ieq(line, "y") || str_ieq(line, "yes");
}

/* true: go on. Else status_out is how it ends. */
static bool may_go_on(const struct tool *t, int *status_out)
{
	enum inst_level level = inst_plan_level(&t->plan);
	bool is_asking = !t->is_yes && !t->is_dry_run && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

	*status_out = EX_NOT_DONE;
	if (level == INST_FATAL)
		return not_done("this cannot be done; nothing was changed"), false;
	if (level == INST_CONFLICT && !t->is_forced && !is_asking)
		return not_done("something is in the way; nothing was changed (--force changes it "
			"all the same)"), false;
	if (is_asking && level == INST_CONFLICT && !t->is_forced &&
	    !ask("Something is in the way, see above. Change it all the same?"))
		return not_done("nothing was changed"), false;
	if (is_asking && !ask("Make these changes?"))
		return not_done("nothing was changed"), false;
	if (is_asking || t->is_yes)
		return true;
	printf("Nothing was changed. --yes makes these changes.\n");
	*status_out = 0;
	return false;
}

/* --- configuration -------------------------------------------------------------------- */

static void on_note(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	if (kind == CONF_NOTE_ERROR)
		fprintf(stderr, "esets_inst: %s\n", text);
}

static void keep_note(void *arg, enum conf_note kind, const char *text)
{
	if (kind == CONF_NOTE_ERROR)
		snprintf(arg, INST_WHY, "%.500s", text);
}

static struct conf *load(const char *path, struct conf_cli *cli, conf_note_fn note, void *arg)
{
	char name[] = "esets_inst", option[] = "-c";
	char *argv[] = { name, option, (char *)path, NULL };

	if (conf_cli_parse(cli, CONF_PROG_TOOL, path != NULL ? 3 : 1, argv, note, arg) < 0)
		return NULL;
	return conf_load(cli, note, arg);
}

/* inst_config's check. */
static int config_check(const char *path, char why[INST_WHY])
{
	struct conf_cli cli = { .config_path = NULL };
	struct conf *c = load(path, &cli, keep_note, why);
	int rc = c != NULL ? 0 : -1;

	conf_free(&c);
	conf_cli_fini(&cli);
	return rc;
}

static int read_config(struct tool *t, const char *path)
{
	t->conf = load(path, &t->cli, on_note, NULL);
	if (t->conf == NULL)
		return CONF_EX_CONFIG;
	t->config.check = config_check;
	if (!str_copy(t->config.path, sizeof t->config.path, t->conf->path))
		return not_done("the name of esets.cfg is too long");
	t->config.text = inst_file_read(AT_FDCWD, t->config.path, &t->config.len);
	return t->config.text != NULL ? 0 : not_done("esets.cfg cannot be read");
}

static struct inst_agent agent_of(const struct tool *t)
{
	const struct conf_smtp *c = &t->conf->smtp;
	const struct conf_global *g = &t->conf->global;
	uint32_t scans = g->num_proc * g->num_thrd;

	return (struct inst_agent){ .is_enabled = c->mod.agent_enabled,
		.listen_addr = c->listen_addr, .server_addr = c->server_addr,
		.listen_port = c->listen_port, .server_port = c->server_port,
		.max_sessions = c->max_sessions,
		.scans = g->engine_max_scans != 0 && g->engine_max_scans < scans ?
			g->engine_max_scans : scans,
		.scan_timeout_s = c->scan.opts.timeout_s, .actions = c->scan.actions,
		.quarantine = c->scan.opts.quarantine, .has_users = conf_has_users(t->conf),
		.server_proxy = c->server_proxy_protocol != CONF_PROXY_NO,
		.server_xclient = c->server_xclient, .conf_text = t->config.text,
		.keep_config = t->keep_config };
}

/* --- the programs of the suite ---------------------------------------------------------- */

/* Does somebody take connections there? */
static bool answers(const char *host, unsigned port)
{
	struct net_endpoint e[NET_ADDRS_MAX];
	char why[200];

	int n = net_resolve(host, (uint16_t)port, false, e, NET_ADDRS_MAX, why, sizeof why);
	for (int i = 0; i < n; i++) {
		int fd = net_connect(&e[i], SOCK_STREAM), error = 0;
		socklen_t len = sizeof error;
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		bool is_up = fd >= 0 && poll(&p, 1, 5000) == 1 &&
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
		if (fd >= 0)
			close(fd);
		if (is_up)
			return true;
	}
	return false;
}

/* Who holds the lock of a pid file; 0 nobody. It is one for writing: others may have
 * one for reading. */
static pid_t holder_of(const char *pid_file)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open(pid_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool is_held = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return is_held ? lock.l_pid : 0;
}

/* Which process of ours listens at a UNIX socket; 0 none. Its directory may belong to
 * the user of the workers, who could put a socket of another there. */
static pid_t listener_at(const char *path)
{
	struct net_endpoint at = { .addr.family = AF_UNIX };
	struct ucred who = { 0 };
	socklen_t len = sizeof who;

	if (!str_copy(at.path, sizeof at.path, path))
		return 0;
	int fd = net_connect(&at, SOCK_SEQPACKET);
	bool is_ours = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
		who.uid == geteuid();
	if (fd >= 0)
		close(fd);
	return is_ours ? who.pid : 0;
}

/* A signal to a program that runs, 0 none; false: none runs. Under a service manager it
 * has no pid file. */
static bool signal_to(const struct conf_module *mod, int sig)
{
	pid_t pid = holder_of(mod->pid_file);

	if (pid <= 1)
		pid = listener_at(mod->status_sock_path);
	return pid > 1 && kill(pid, sig) == 0;
}

/* With this esets.cfg esets_smtp would not start, and one that runs refuses to read it. */
static bool is_agent_off(const struct tool *t)
{
	return !t->conf->smtp.mod.agent_enabled || t->conf->smtp.listen_addr[0] == '\0';
}

/* After a change of esets.cfg, which t has read again. true: the agent was told to do so
 * too. */
static bool reload_suite(const struct tool *t)
{
	bool daemon = signal_to(&t->conf->global.mod, SIGHUP);
	bool agent = signal_to(&t->conf->smtp.mod, is_agent_off(t) ? 0 : SIGHUP);

	if (is_agent_off(t)) {
		if (daemon)
			printf("Told to read esets.cfg again: esets_daemon\n");
		if (agent)
			printf("esets_smtp runs on with the settings it had, and nothing sends it mail: stop "
				"it, or\nhook it in again.\n");
		return false;
	}

	if (daemon || agent)
		printf("Told to read esets.cfg again:%s%s\n", daemon ? " esets_daemon" : "",
			agent ? " esets_smtp" : "");
	if (!(daemon && agent))
		printf("esets.cfg was changed. Where it was not told so just now, a program that runs "
			"must\nread it again: service esets reload, or\n"
			"systemctl reload esets-daemon esets-smtp\n");
	return agent;
}

/* --- test mails -------------------------------------------------------------------------- */

/* Where Postfix takes mail; host "" it does not by any port we could try. */
static const struct inst_service *find_front(const struct tool *t, char host[INST_NAME_MAX],
	unsigned *port_out)
{
	const struct inst_service *s = inst_service_front(&t->postfix, t->plan.back);
	char port[INST_NAME_MAX];
	struct net_addr a;

	host[0] = '\0';
	if (s == NULL)
		return NULL;
	inst_service_addr(s->name, host, port);
	*port_out = inst_port_number(port);
	if (*port_out == 0)
		host[0] = '\0';
	else if (host[0] == '\0' || (net_addr_parse(host, &a) == 0 && net_addr_is_any(&a)))
		str_copy(host, INST_NAME_MAX, "127.0.0.1");
	return s;
}

/* The way back leads to where mail comes in, and that goes to the filter. */
static bool is_circle(const struct tool *t)
{
	const struct inst_service *s = t->plan.circle;

	return s != NULL && inst_leads_to(inst_value_at(&t->postfix, s, t->mode == INST_AFTER_QUEUE ?
		INST_P_content_filter : INST_P_smtpd_proxy_filter), t->plan.agent_port);
}

static int check(struct tool *t, bool is_reloading)
{
	char host[INST_NAME_MAX], rcpt[2 * INST_NAME_MAX];
	unsigned port = 0;

	inst_discarded_address(&t->postfix, rcpt);
	const struct inst_service *front = find_front(t, host, &port);
	const struct inst_check c = { .mode = t->mode, .agent_host = t->plan.agent_host,
		.agent_port = t->plan.agent_port, .front_host = host, .front_port = port,
		.is_circle = is_circle(t),
		.front_name = front != NULL ? front->name : "",
		.filter = front != NULL ? inst_value_at(&t->postfix, front, INST_P_content_filter) : "",
		.status_path = t->conf->smtp.mod.status_sock_path,
		.rcpt = t->rcpt != NULL ? t->rcpt : rcpt, .postfix_dir = t->site.dir,
		.expects = t->conf->smtp.scan.actions.av_infected,
		.has_users = t->conf->smtp.mod.user_config[0] != '\0',
		.is_dry_run = t->conf->smtp.policy_dry_run, .is_reloading = is_reloading,
		.scan_s = t->conf->smtp.scan.opts.timeout_s };
	printf("Test mails to %s:\n", c.rcpt);
	fflush(stdout);
	if (inst_check_run(&c))
		return 0;
	printf("esets_trouble(7) has the usual reasons.\n");
	return EX_CHECK_FAILED;
}

/* When there is nothing (more) to be changed: what is still to be done, and test mails. */
static int after_change(struct tool *t, bool is_changed, bool is_reloading)
{
	bool is_running = inst_site_is_running(&t->site);
	bool is_agent = answers(t->plan.agent_host, t->plan.agent_port);

	if (!is_running)
		printf("Postfix does not run: %s.\n", is_changed ?
			"the next start takes the changes up" : "nothing was tested");
	if (!is_agent)
		printf("esets_smtp does not answer at %s, port %u: start it and esets_daemon\n"
			"(systemctl enable --now esets, or service esets start). Until\n"
			"then mail waits%s. Then: ", t->plan.agent_host, t->plan.agent_port,
			t->mode == INST_AFTER_QUEUE ? " in Postfix's queue" : " at its senders");
	if (!is_agent)
		print_command(t, "--check");
	if (!is_running || !is_agent)
		return t->is_check ? EX_CHECK_FAILED : 0;
	return t->no_check ? 0 : check(t, is_reloading);
}

/* --- what it does -------------------------------------------------------------------------- */

static int open_all(struct tool *t, bool for_change)
{
	char why[INST_WHY];

	if (inst_site_open(&t->site, t->postfix_dir, why) < 0 ||
	    inst_state_open(&t->state, &t->site, for_change, why) < 0 ||
	    inst_site_read(&t->site, &t->postfix, why) < 0)
		return not_done(why);
	return 0;
}

/* Somebody else at the port of the way back, which Postfix does not have yet. */
static void check_port_is_free(struct tool *t)
{
	struct inst_plan *p = &t->plan;
	char key[INST_NAME_MAX + 8];

	snprintf(key, sizeof key, "%s/inet", p->back);
	if (inst_plan_level(p) < INST_FATAL && inst_service_find(&t->postfix, key) == NULL &&
	    answers(p->back_host, p->back_port))
		inst_plan_note(p, INST_FATAL, "something listens at %s already: set another server_port "
			"in esets.cfg", p->back);
}

static int make_plan(struct tool *t)
{
	const struct inst_journal *j = &t->state.journal;

	if (!t->has_mode && j->is_there)
		t->mode = j->mode;
	const struct inst_agent agent = agent_of(t);
	inst_plan(&t->plan, t->mode, &agent, &t->postfix, j);
	if (j->is_there && strcmp(j->config, t->config.path) != 0)
		inst_plan_note(&t->plan, INST_FATAL, "the filter was hooked in with %s", j->config);
	check_port_is_free(t);
	return 0;
}

/* The new esets.cfg holds from here on. */
static int reread(struct tool *t, const char *path)
{
	conf_free(&t->conf);
	conf_cli_fini(&t->cli);
	t->conf = load(path, &t->cli, on_note, NULL);
	return t->conf != NULL ? 0 : CONF_EX_CONFIG;
}

/* Mail in the queue remembers the filter; what is said of it, and the command that makes
 * it forget. */
static void print_requeue(const struct tool *t, const char *text)
{
	printf("There is mail in the queue, and it remembers %s: postsuper -c ", text);
	inst_print_word(t->site.dir);
	printf(" -r ALL " REQUEUED "\n");
}

/* Did mail go to the filter at another place before? */
static bool is_moved(const struct inst_plan *plan)
{
	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct inst_step *s = &plan->steps[i];
		if (s->kind == INST_MAIN && strcmp(s->name, "content_filter") == 0)
			return strncmp(s->was, "esets:", 6) == 0;
	}
	return false;
}

static int hook(struct tool *t)
{
	bool is_reloading = false;
	char why[INST_WHY];
	int status;

	make_plan(t);
	inst_print_plan(&t->plan, t->config.path, t->site.dir);
	if (t->plan.nsteps == 0 && inst_plan_level(&t->plan) != INST_FATAL) {
		printf("esets_smtp is hooked into Postfix (%s); nothing is to be changed.\n",
			inst_mode_name(t->mode));
		return t->is_dry_run || geteuid() != 0 ? 0 : after_change(t, false, false);
	}
	if (!may_go_on(t, &status))
		return status;
	if (geteuid() != 0)
		return not_done("only root can change Postfix; nothing was changed");
	if (inst_site_check(&t->site, why) < 0) {
		inst_print_folded("", why);
		return not_done("Postfix does not like its configuration as it is; nothing was changed");
	}
	if (inst_apply(&t->state, &t->site, &t->plan, t->mode, &t->config, why) < 0)
		return not_done(why);
	printf("Changed. To undo it: ");
	print_command(t, "--undo");
	if (inst_plan_has(&t->plan, INST_CONF)) {
		if (reread(t, t->config_path) != 0)
			return EX_CHECK_FAILED;
		is_reloading = reload_suite(t);
	}
	if (is_moved(&t->plan) && inst_site_has_mail(&t->site))
		print_requeue(t, "where the filter was. To send it the\nnew way");
	if (inst_site_read(&t->site, &t->postfix, why) < 0) {
		not_done(why);
		return EX_CHECK_FAILED;
	}
	return after_change(t, true, is_reloading);
}

/* What was queued while the filter was hooked in goes to it, and to nothing else. */
static bool is_mail_left(const struct tool *t)
{
	return t->state.journal.mode == INST_AFTER_QUEUE && inst_site_has_mail(&t->site);
}

static int unhook(struct tool *t)
{
	const struct inst_journal *j = &t->state.journal;
	char why[INST_WHY];
	int status;

	if (!j->is_there) {
		printf("Nothing to undo: esets_inst has not changed this Postfix (%s).\n", t->site.dir);
		return 0;
	}
	status = read_config(t, j->config);
	if (status != 0 && !t->keep_config)
		return not_done("esets.cfg cannot be put back; --keep-config leaves it as it is");
	inst_plan_undo(&t->plan, j, &t->postfix, t->keep_config ? NULL : t->config.text);
	if (is_mail_left(t))
		inst_plan_note(&t->plan, INST_NOTE, "There is mail in the queue, and it remembers the "
			"filter: behind --undo it would wait. To have it scanned, let the queue run empty "
			"first (postqueue -f, postqueue -p).");
	inst_print_plan(&t->plan, t->config.path, t->site.dir);
	if (!may_go_on(t, &status))
		return status;
	if (geteuid() != 0)
		return not_done("only root can change Postfix; nothing was changed");
	if (inst_undo(&t->state, &t->site, &t->plan, &t->config, why) < 0)
		return not_done(why);
	printf("Undone: mail no longer goes to esets_smtp.\n");
	if (inst_plan_has(&t->plan, INST_CONF) && reread(t, t->config.path) == 0)
		reload_suite(t);
	if (is_mail_left(t))
		print_requeue(t, "the filter: it waits. To send it on\nwithout being scanned");
	return 0;
}

/* A hook that was made by hand: before the queue? */
static bool is_before_queue(const struct tool *t)
{
	const struct inst_service *s = inst_service_front(&t->postfix, t->plan.back);
	unsigned port = t->plan.agent_port;

	return s != NULL &&
		inst_leads_to(inst_value_at(&t->postfix, s, INST_P_smtpd_proxy_filter), port) &&
		!inst_leads_to(inst_value_at(&t->postfix, s, INST_P_content_filter), port);
}

static int check_only(struct tool *t)
{
	const struct inst_journal *j = &t->state.journal;

	if (t->has_mode && j->is_there && j->mode != t->mode) {
		fprintf(stderr, "esets_inst: the filter is hooked in as %s\n", inst_mode_name(j->mode));
		return EX_NOT_DONE;
	}
	make_plan(t);
	if (!t->has_mode && !j->is_there && is_before_queue(t)) {
		t->mode = INST_BEFORE_QUEUE;
		make_plan(t);
	}
	if (!j->is_there && t->plan.nsteps > 0)
		printf("NOTE: esets_inst has not hooked the filter into this Postfix.\n");
	t->no_check = false;
	return after_change(t, false, false);
}

static int run(struct tool *t)
{
	/* To show it needs no rights; who is not root has no lock. */
	bool for_change = geteuid() == 0 && !t->is_dry_run && !t->is_check &&
		(t->is_yes || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)));
	int status = open_all(t, for_change);

	if (status != 0)
		return status;
	if (t->is_undo)
		return unhook(t);
	status = read_config(t, t->config_path);
	if (status != 0)
		return status;
	return t->is_check ? check_only(t) : hook(t);
}

/* --- options --------------------------------------------------------------------------- */

enum opt { O_MODE = 256, O_UNDO, O_CHECK, O_DRY_RUN, O_YES, O_FORCE, O_KEEP, O_NO_CHECK, O_RCPT,
	O_POSTFIX };

static const struct option long_options[] = {
	{ "mode", required_argument, NULL, O_MODE }, { "undo", no_argument, NULL, O_UNDO },
	{ "check", no_argument, NULL, O_CHECK }, { "dry-run", no_argument, NULL, O_DRY_RUN },
	{ "yes", no_argument, NULL, O_YES }, { "force", no_argument, NULL, O_FORCE },
	{ "keep-config", no_argument, NULL, O_KEEP }, { "no-check", no_argument, NULL, O_NO_CHECK },
	{ "recipient", required_argument, NULL, O_RCPT },
	{ "postfix-config", required_argument, NULL, O_POSTFIX },
	{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' }, { NULL, 0, NULL, 0 }
};

static int set_mode(struct tool *t, const char *text)
{
	for (enum inst_mode m = INST_AFTER_QUEUE; m <= INST_BEFORE_QUEUE; m++) {
		if (strcmp(text, inst_mode_name(m)) == 0) {
			t->mode = m;
			t->has_mode = true;
			return 0;
		}
	}
	return usage_error("--mode: neither after-queue nor before-queue", text);
}

/* 0 go on, -1 that was all, else an exit status. */
static int set_option(struct tool *t, int o, char **argv)
{
	switch (o) {
	case O_MODE: return set_mode(t, optarg);
	case O_UNDO: t->is_undo = true; break;
	case O_CHECK: t->is_check = true; break;
	case O_DRY_RUN: t->is_dry_run = true; break;
	case O_YES: t->is_yes = true; break;
	case O_FORCE: t->is_forced = true; break;
	case O_KEEP: t->keep_config = true; break;
	case O_NO_CHECK: t->no_check = true; break;
	case O_RCPT: t->rcpt = optarg; break;
	case O_POSTFIX: t->postfix_dir = optarg; break;
	case 'c': t->config_path = optarg; break;
	case 'h': fputs(usage_text, stdout); return -1;
	case 'v': printf("esets_inst %s\n", PACKAGE_VERSION); return -1;
	default: return usage_error(o == ':' ? "value missing" : "unknown option", argv[optind - 1]);
	}
	return 0;
}

static int read_options(struct tool *t, int argc, char **argv)
{
	int o, status;

	opterr = 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): this program has one thread */
	while ((o = getopt_long(argc, argv, ":c:hv", long_options, NULL)) != -1) {
		if ((status = set_option(t, o, argv)) != 0)
			return status;
	}
	if (optind < argc)
		return usage_error("unexpected argument", argv[optind]);
	if (t->is_yes && t->is_dry_run)
		return usage_error("--yes and --dry-run exclude each other", NULL);
	if (t->is_check && (t->is_undo || t->no_check))
		return usage_error("--check excludes --undo and --no-check", NULL);
	if (t->is_undo && t->has_mode)
		return usage_error("--undo needs no --mode", NULL);
	return 0;
}

int main(int argc, char **argv)
{
	static struct tool t; /* large: not on the stack, nor in the file */

	t.site.fd = t.state.fd = -1;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	int status = proc_std_open() < 0 ? EX_NOT_DONE : read_options(&t, argc, argv);
	if (status == 0)
		status = run(&t);
	else if (status < 0)
		status = 0;
	inst_state_close(&t.state, &t.site);
	inst_site_close(&t.site);
	free(t.config.text);
	conf_free(&t.conf);
	conf_cli_fini(&t.cli);
	return (fflush(stdout) != 0 || ferror(stdout)) && status == 0 ? EX_NOT_DONE : status;
}
