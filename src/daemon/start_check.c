/* start_check.c - what would prevent the start of esets_daemon, see
 * start_check.h. */
#include "start_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirs.h"
#include "log.h"
#include "proc.h"
#include "start.h"

#define WHY_SIZE 512

struct check {
	const struct conf *conf;
	const struct conf_cli *cli;
	const struct proc_identity *id;
	bool is_reload;
};

void start_check_fatal(const struct conf *c, const char *name, int error, const char *fmt, ...)
{
	char text[WHY_SIZE];
	const char *origin = conf_origin(c, "global", name);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (strcmp(origin, "default") == 0)
		log_fatal(start_status_of(error), "%s: %s", name, text);
	else
		log_fatal(start_status_of(error), "%s: %s: %s", origin, name, text);
}

/* Something about a setting, which ends a start if it is an error. */
static void blame_option(const struct check *k, const char *name, bool is_error, int error,
	const char *text)
{
	const struct conf *c = k->conf;
	const char *origin = conf_origin(c, "global", name);
	bool is_default = strcmp(origin, "default") == 0;

	if (is_error && !k->cli->check_config && !k->is_reload)
		start_check_fatal(c, name, error, "%s", text);
	(is_error ? log_error : log_warning)("%s%s%s: %s", is_default ? "" : origin,
		is_default ? "" : ": ", name, text);
}

/* Whoever only checks may have fewer rights than what starts later. */
static bool is_place_usable(const struct check *k, const char *name, const char *path,
	mode_t type)
{
	char text[WHY_SIZE];

	if (dirs_try_file(path, type, true) == 0)
		return true;
	const int error = errno;
	bool is_error = error != EACCES || !k->cli->check_config || geteuid() == 0;
	snprintf(text, sizeof text, "%s: %s", path, strerror(error));
	blame_option(k, name, is_error, error, text);
	return !is_error;
}

static bool are_signatures_usable(const struct check *k)
{
	const char *path = k->conf->global.av_signature_dir;
	char text[WHY_SIZE];
	struct stat st;
	int error = 0;

	if (stat(path, &st) < 0)
		error = errno == ENOENT ? 0 : errno;
	else if (!S_ISDIR(st.st_mode))
		error = ENOTDIR;
	if (error == 0)
		return true;
	snprintf(text, sizeof text, "%s: %s", path, strerror(error));
	blame_option(k, "av_signature_dir", true, error, text);
	return false;
}

static bool is_quarantine_usable(const struct check *k)
{
	const char *dir = k->conf->global.scan.quarantine_dir;
	char text[WHY_SIZE];

	if (!start_check_wants_quarantine(k->conf) || dirs_try(dir, k->id) == 0)
		return true;
	const int error = errno;
	bool is_error = error != EACCES || !k->cli->check_config || geteuid() == 0;
	start_path_why(text, sizeof text, dir, error, k->id);
	blame_option(k, "av_quarantine_dir", is_error, error, text);
	return !is_error;
}

/* It runs as somebody else, who may be allowed more or less than we are. */
static bool is_script_usable(const struct check *k)
{
	const char *path = k->conf->global.exec_script;
	char text[WHY_SIZE];
	struct stat st;

	if (path[0] == '\0')
		return true;
	bool is_there = stat(path, &st) == 0;
	if (is_there && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0) {
		if (proc_try_as(path, X_OK, k->id) == 0)
			return true;
		snprintf(text, sizeof text, "%s: user %s cannot run it: %s", path,
			k->conf->global.mod.user, strerror(errno));
		blame_option(k, "exec_script", false, errno, text);
		return true;
	}
	/* An EACCES may be ours alone. */
	bool is_error = is_there || errno != EACCES;
	snprintf(text, sizeof text, "%s: %s", path, is_there ? "not an executable file" : strerror(errno));
	blame_option(k, "exec_script", is_error, is_there ? 0 : errno, text);
	return !is_error;
}

/* Not wrong, and not what anybody wants to forget. */
static void warn_odd(const struct conf *c)
{
	const struct conf_global *g = &c->global;
	struct stat st;

	if (g->av_engines[0] == '\0')
		log_warning("av_engines is empty: no message can be scanned for viruses");
	if (g->as_engines[0] == '\0' && c->smtp.scan.actions.as == POLICY_SCAN)
		log_warning("as_engines is empty: no message can be scanned for spam");
	if (strcmp(conf_origin(c, "global", "av_signature_dir"), "default") != 0 &&
	    stat(g->av_signature_dir, &st) < 0 && errno == ENOENT)
		log_warning("%s: av_signature_dir: %s does not exist",
			conf_origin(c, "global", "av_signature_dir"), g->av_signature_dir);
}

bool start_check_paths(const struct conf *c, const struct conf_cli *cli,
	const struct proc_identity *id)
{
	const struct check check = { c, cli, id, false }, *k = &check;
	const struct conf_global *g = &c->global;
	bool ok = is_place_usable(k, "daemon_sock_path", g->daemon_sock_path, S_IFSOCK);

	if (!k->cli->foreground || g->mod.pid_file_is_set)
		ok &= is_place_usable(k, "pid_file", g->mod.pid_file, S_IFREG);
	ok &= is_quarantine_usable(k);
	ok &= is_script_usable(k);
	warn_odd(c);
	return are_signatures_usable(k) && ok;
}

bool start_check_reload(const struct conf *c, const struct conf_cli *cli,
	const struct proc_identity *id)
{
	const struct check k = { c, cli, id, true };
	const bool quarantine = is_quarantine_usable(&k), script = is_script_usable(&k);

	return are_signatures_usable(&k) && quarantine && script;
}

bool start_check_wants_quarantine(const struct conf *c)
{
	return c->global.scan.opts.quarantine || c->smtp.scan.opts.quarantine ||
		c->global.mod.user_config[0] != '\0' || c->smtp.mod.user_config[0] != '\0';
}
