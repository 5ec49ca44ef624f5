/* inst_postfix.c - one instance of Postfix, by its own programs, see inst_int.h. */
#include "inst_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "str.h"

/* --- where it is ------------------------------------------------------------------- */

static int find_dir(struct inst_site *s, const char *dir, char why[INST_WHY])
{
	const char *argv[] = { s->postconf, "-h", "config_directory", NULL };
	struct inst_output o;

	if (dir != NULL) {
		if (realpath(dir, s->dir) != NULL)
			return 0;
		snprintf(why, INST_WHY, "--postfix-config: %.300s: %s", dir, strerror(errno));
		return -1;
	}
	int rc = inst_run(argv, &o);
	if (rc == 0) {
		o.out[strcspn(o.out, "\n")] = '\0';
		rc = o.out[0] == '/' && realpath(o.out, s->dir) != NULL ? 0 : -1;
	}
	if (rc < 0)
		snprintf(why, INST_WHY, "Postfix is installed, but not configured (dpkg-reconfigure "
			"postfix): %.400s", o.err[0] != '\0' ? o.err : "config_directory is not found");
	free(o.out);
	return rc;
}

static int check_file(const struct inst_site *s, const char *name, char why[INST_WHY])
{
	struct stat st;

	if (fstatat(s->fd, name, &st, 0) == 0 && S_ISREG(st.st_mode))
		return 0;
	snprintf(why, INST_WHY, "%.400s has no file %s: this is no configuration of Postfix", s->dir,
		name);
	return -1;
}

int inst_site_open(struct inst_site *s, const char *dir, char why[INST_WHY])
{
	s->fd = -1;
	if (!inst_program("postconf", s->postconf) || !inst_program("postfix", s->postfix)) {
		snprintf(why, INST_WHY, "Postfix is not installed: no postconf and postfix in /usr/sbin "
			"and the like");
		return -1;
	}
	if (find_dir(s, dir, why) < 0)
		return -1;
	s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0) {
		snprintf(why, INST_WHY, "%.400s: %s", s->dir, strerror(errno));
		return -1;
	}
	return check_file(s, "main.cf", why) < 0 || check_file(s, "master.cf", why) < 0 ? -1 : 0;
}

void inst_site_close(struct inst_site *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* --- reading -------------------------------------------------------------------------- */

/* postconf -c DIR OPTION [names], through a parser. */
static int ask(const struct inst_site *s, const char *option, bool with_names,
	struct inst_output *o, char why[INST_WHY])
{
	const char *argv[INST_P_COUNT + 5] = { s->postconf, "-c", s->dir, option };

	for (int i = 0; with_names && i < INST_P_COUNT; i++)
		argv[4 + i] = inst_param_names[i];
	if (inst_run(argv, o) == 0)
		return 0;
	snprintf(why, INST_WHY, "%.500s", o->err);
	return -1;
}

static int read_one(const struct inst_site *s, const char *option, struct inst_postfix *out,
	char why[INST_WHY])
{
	char text[INST_NOTE_MAX] = "";
	struct inst_output o;

	int rc = ask(s, option, strcmp(option, "-x") == 0, &o, why);
	if (rc == 0) {
		switch (option[1]) {
		case 'x': rc = inst_params_parse(out, o.out, false, text); break;
		case 'n': rc = inst_params_parse(out, o.out, true, text); break;
		case 'M': rc = inst_services_parse(out, o.out, text); break;
		default: rc = inst_overrides_parse(out, o.out, text); break;
		}
		if (rc < 0)
			snprintf(why, INST_WHY, "%.500s", text);
	}
	free(o.out);
	return rc;
}

int inst_site_read(const struct inst_site *s, struct inst_postfix *out, char why[INST_WHY])
{
	static const char *const options[] = { "-x", "-n", "-M", "-P" };

	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (read_one(s, options[i], out, why) < 0)
			return -1;
	}
	if (out->nservices > 0)
		return 0;
	snprintf(why, INST_WHY, "master.cf has no services");
	return -1;
}

/* --- changing -------------------------------------------------------------------------- */

/* One call for all that is set, or all that is taken out. */
static int change(const struct inst_site *s, const struct inst_plan *plan, enum inst_kind kind,
	bool sets, char why[INST_WHY])
{
	const char *argv[INST_STEPS_MAX + 6] = { s->postconf, "-c", s->dir };
	char *texts[INST_STEPS_MAX];
	int n = 3, rc = 0;
	size_t ntexts = 0;

	if (kind == INST_MASTER)
		argv[n++] = "-M";
	argv[n++] = sets ? "-e" : "-X";
	for (size_t i = 0; i < plan->nsteps && rc == 0; i++) {
		const struct inst_step *step = &plan->steps[i];
		if (step->kind != kind || step->has != sets)
			continue;
		if (asprintf(&texts[ntexts], "%s%s%s", step->name, sets ? "=" : "",
		    sets ? step->becomes : "") < 0) {
			rc = -1;
			snprintf(why, INST_WHY, "out of memory");
		} else {
			argv[n++] = texts[ntexts++];
		}
	}
	if (rc == 0 && ntexts > 0)
		rc = inst_run_quietly(argv, why);
	while (ntexts > 0)
		free(texts[--ntexts]);
	return rc;
}

int inst_site_change(const struct inst_site *s, const struct inst_plan *plan,
	enum inst_kind kind, char why[INST_WHY])
{
	return change(s, plan, kind, true, why) < 0 || change(s, plan, kind, false, why) < 0 ? -1 : 0;
}

/* --- running ---------------------------------------------------------------------------- */

static int postfix_does(const struct inst_site *s, const char *what, char why[INST_WHY])
{
	const char *argv[] = { s->postfix, "-c", s->dir, what, NULL };
	char text[INST_WHY];

	if (inst_run_quietly(argv, text) == 0)
		return 0;
	snprintf(why, INST_WHY, "postfix %s: %.500s", what, text);
	return -1;
}

bool inst_site_is_running(const struct inst_site *s)
{
	char why[INST_WHY];

	return postfix_does(s, "status", why) == 0;
}

int inst_site_check(const struct inst_site *s, char why[INST_WHY])
{
	return postfix_does(s, "check", why);
}

int inst_site_take_up(const struct inst_site *s, bool is_running, char why[INST_WHY])
{
	if (inst_site_check(s, why) < 0)
		return -1;
	return is_running ? postfix_does(s, "reload", why) : 0;
}

bool inst_site_has_mail(const struct inst_site *s)
{
	char path[64];
	struct inst_output o;

	if (!inst_program("postqueue", path))
		return false;
	const char *argv[] = { path, "-c", s->dir, "-j", NULL };
	bool has = inst_run(argv, &o) == 0 && o.out[0] != '\0';
	free(o.out);
	return has;
}
