/* esets_quar.c - lists, shows, releases and deletes what is in quarantine.
 *
 * Owns the command line and the commands; what they need is in quar_dir,
 * quar_meta, quar_text and quar_release. Works on the files, not through the
 * daemon: a message is in quarantine as long as its metadata is there. What
 * changes anything is logged where esets_daemon logs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "quar_dir.h"
#include "quar_release.h"
#include "quar_store.h"
#include "quar_text.h"
#include "str.h"

#define EX_SOME_FAILED 1
#define TO_MAX 100
#define USER_MAX 64

struct tool {
	struct conf_cli cli;
	struct conf *conf;
	const char *path;          /* of the quarantine */
	int dir;
	/* options of the commands */
	struct quar_filter filter;
	bool is_json, is_message, wants_delete;
	const char *to[TO_MAX];
	unsigned nto;
	uint64_t max_octets;
	unsigned max_days;
};

static const char usage_text[] =
	"Usage: esets_quar [-c FILE] COMMAND [OPTION]... [ID]...\n"
	"Works with the messages that esets_daemon keeps (av_quarantine_enabled).\n"
	"\n"
	"  list     [--since TIME] [--until TIME] [--sender MASK] [--recipient MASK]\n"
	"           [--virus MASK] [--spam] [--json]\n"
	"  show     [--json | --message] ID...\n"
	"  release  [--to ADDRESS]... [--delete] ID...\n"
	"  delete   ID...\n"
	"  purge    [--days N] [--size N]\n"
	"\n"
	"  -c, --config FILE  read FILE\n"
	"  -h, --help         print this text and exit\n"
	"  -v, --version      print the version and exit\n"
	"\n"
	"TIME is 2026-11-21, \"2026-11-21 11:32\", or an age: 90m, 12h, 7d. A MASK may\n"
	"hold * and ?. esets_quar(1) says more.\n";

static int usage_error(const char *what, const char *text)
{
	char clean[256];

	fprintf(stderr, "esets_quar: %s%s%s; try --help\n", what, text != NULL ? ": " : "",
		text != NULL ? str_clean(clean, sizeof clean, text, strlen(text)) : "");
	return CONF_EX_USAGE;
}

/* Says what is wrong with one message. */
static int complain(const char *id, const char *why)
{
	char a[64], b[QUAR_RELEASE_WHY];

	fprintf(stderr, "esets_quar: %s: %s\n", str_clean(a, sizeof a, id, strlen(id)),
		str_clean(b, sizeof b, why, strlen(why)));
	return EX_SOME_FAILED;
}

static int open_quarantine(struct tool *t)
{
	t->path = t->conf->global.scan.quarantine_dir;
	t->dir = quar_dir_open(t->path);
	if (t->dir >= 0)
		return 0;
	fprintf(stderr, "esets_quar: av_quarantine_dir: %s: %s%s\n", t->path, strerror(errno),
		errno != EACCES ? "" : "; it is for root and the user of esets_daemon only");
	return EX_SOME_FAILED;
}

/* --- what is done is in the log -------------------------------------------------------- */

/* The place and form of esets_daemon's lines. */
static void open_log(const struct conf *c)
{
	const struct conf_module *mod = &c->global.mod;
	struct log_cfg cfg = { .facility = LOG_DAEMON, .classes = ~0u,
		.json = mod->log_format == CONF_LOG_JSON };
	char why[64];

	log_facility_parse(mod->syslog_facility, &cfg.facility);
	if (log_classes_parse(mod->syslog_class, &cfg.classes, why, sizeof why) < 0)
		cfg.classes = ~0u;
	log_open("esets_quar", &cfg);
}

/* "root", or the number of a user without a name. */
static void user_name(char out[USER_MAX], uid_t uid)
{
	/* cppcheck-suppress getpwuidCalled ; NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	const struct passwd *pw = getpwuid(uid);
	char number[16];

	snprintf(number, sizeof number, "%lu", (unsigned long)uid);
	const char *name = pw != NULL ? pw->pw_name : number;
	str_clean(out, USER_MAX, name, strlen(name));
}

/* Who logged in, if the kernel knows: behind sudo everybody is root. */
static void login_name(char out[USER_MAX])
{
	char text[16] = "";
	uint64_t uid;
	int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	out[0] = '\0';
	if (n > 0)
		text[strcspn(text, "\n")] = '\0';
	if (n > 0 && str_parse_u64(text, &uid) == 0 && uid < UINT32_MAX)
		user_name(out, (uid_t)uid);
}

/* Mail came out of the quarantine, or went: by whom, to whom and how it ended. */
static void log_action(const char *action, const char *id, const char *to, const char *result)
{
	char user[USER_MAX], login[USER_MAX], uid[16], name[64], rcpt[256], text[QUAR_RELEASE_WHY];

	user_name(user, getuid());
	login_name(login);
	snprintf(uid, sizeof uid, "%lu", (unsigned long)getuid());
	const struct log_pair pairs[] = {
		{ "quarantine", LOG_PAIR_TEXT, str_clean(name, sizeof name, id, strlen(id)) },
		{ "action", LOG_PAIR_TEXT, action },
		{ "to", LOG_PAIR_TEXT, str_clean(rcpt, sizeof rcpt, to, strlen(to)) },
		{ "result", LOG_PAIR_TEXT, str_clean(text, sizeof text, result, strlen(result)) },
		{ "user", LOG_PAIR_TEXT, user },
		{ "uid", LOG_PAIR_NUMBER, uid },
		{ "login", LOG_PAIR_TEXT, login },
	};
	log_pairs(LC_INFO, LOG_INFO, pairs, sizeof pairs / sizeof pairs[0]);
}

/* --- list and show ------------------------------------------------------------------ */

/* True unless there is something wrong with it, which has been said then. */
static bool read_meta(const struct tool *t, const char *id, struct quar_meta *m,
	struct scan_msg_store *store)
{
	char why[200];

	if (!quar_id_is_valid(id)) {
		complain(id, "no id of a message in quarantine");
		return false;
	}
	if (quar_dir_read_meta(t->dir, id, m, store, why, sizeof why) == 0)
		return true;
	complain(id, why);
	return false;
}

static int list_one(const struct tool *t, const char *id)
{
	char why[200], name[QUAR_NAME_SIZE];
	struct scan_msg_store store;
	struct quar_meta m;

	if (quar_dir_read_meta(t->dir, id, &m, &store, why, sizeof why) < 0) {
		/* One that has gone since the directory was read is no failure. */
		quar_dir_name(name, id, QUAR_FILE_META);
		return faccessat(t->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT ? 0 :
			complain(id, why);
	}
	if (quar_filter_match(&t->filter, &m))
		(t->is_json ? quar_text_json : quar_text_line)(&m, stdout);
	scan_msg_store_fini(&store);
	return 0;
}

static int cmd_list(struct tool *t)
{
	struct quar_list l;
	int status = 0;

	if (quar_dir_list(t->dir, &l) < 0) {
		fprintf(stderr, "esets_quar: %s: %s\n", t->path, strerror(errno));
		status = EX_SOME_FAILED;
	}
	for (size_t i = 0; i < l.n; i++) {
		/* Halves are at work, or were left; esets_daemon sees to them. */
		if (quar_entry_is_whole(&l.e[i]) && list_one(t, l.e[i].id) != 0)
			status = EX_SOME_FAILED;
	}
	quar_list_fini(&l);
	return status;
}

static int print_message(const struct tool *t, const char *id)
{
	static char mem[65536];
	bool is_terminal = isatty(STDOUT_FILENO);
	uint64_t size;
	ssize_t n;

	int fd = quar_dir_open_file(t->dir, id, QUAR_FILE_MESSAGE, &size);
	if (fd < 0)
		return complain(id, strerror(errno));
	while ((n = read(fd, mem, sizeof mem)) > 0) {
		if (is_terminal)
			quar_text_octets(mem, (size_t)n, stdout);
		else
			(void)fwrite(mem, 1, (size_t)n, stdout); /* main asks the stream */
	}
	int error = errno;
	close(fd);
	return n < 0 ? complain(id, strerror(error)) : 0;
}

static int show_one(struct tool *t, const char *id)
{
	struct scan_msg_store store;
	struct quar_meta m;
	int status = 0;

	if (!read_meta(t, id, &m, &store))
		return EX_SOME_FAILED;
	if (t->is_message)
		status = print_message(t, id);
	else
		(t->is_json ? quar_text_json : quar_text_show)(&m, stdout);
	scan_msg_store_fini(&store);
	return status;
}

/* --- release, delete, purge ----------------------------------------------------------- */

static int delete_one(struct tool *t, const char *id)
{
	if (!quar_id_is_valid(id))
		return complain(id, "no id of a message in quarantine");
	const char *why = quar_dir_remove(t->dir, id) == 0 ? NULL :
		errno == ENOENT ? "not in quarantine" : strerror(errno);
	log_action("delete", id, "", why == NULL ? "deleted" : why);
	return why == NULL ? 0 : complain(id, why);
}

static int after_release(struct tool *t, const struct quar_meta *m)
{
	if (t->wants_delete)
		return delete_one(t, m->id);
	if (quar_dir_note(t->dir, m->id, QUAR_NOTE_RELEASED, (uint64_t)time(NULL), NULL) < 0) {
		char why[160];
		snprintf(why, sizeof why, "released, but that could not be noted: %s", strerror(errno));
		return complain(m->id, why);
	}
	return 0;
}

/* The recipients it goes to, as far as they fit into a line. */
static void recipients_text(const struct tool *t, const struct quar_meta *m, char *out, size_t size)
{
	const char *const *list = t->nto > 0 ? t->to : m->rcpts;
	unsigned n = t->nto > 0 ? t->nto : m->nrcpts;
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < n && at + 32 < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i > 0 ? ", " : "", list[i]);
}

static int release_claimed(struct tool *t, const char *id)
{
	char to[200];
	char why[QUAR_RELEASE_WHY];
	struct scan_msg_store store;
	struct quar_meta m;
	int status;

	if (!read_meta(t, id, &m, &store))
		return EX_SOME_FAILED;
	int rc = quar_release(&t->conf->smtp, t->dir, &m, t->nto > 0 ? t->to : NULL, t->nto, 0,
		why);
	recipients_text(t, &m, to, sizeof to);
	log_action("release", id, to, rc == 0 ? "released" : why);
	if (rc == 0) {
		printf("%s: released\n", id);
		status = after_release(t, &m);
	} else {
		status = complain(id, why);
	}
	scan_msg_store_fini(&store);
	return status;
}

static int release_one(struct tool *t, const char *id)
{
	int claim = quar_dir_claim(t->dir, id);

	if (claim < 0 && errno == EWOULDBLOCK)
		return complain(id, "it is being released");
	/* What else is wrong with the file shows in a moment. */
	int status = release_claimed(t, id);
	if (claim >= 0)
		close(claim);
	return status;
}

static int cmd_purge(struct tool *t)
{
	struct quar_store s;
	char result[120];

	if (faccessat(t->dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return complain(t->path, strerror(errno));
	quar_store_init(&s, t->path, t->max_octets, t->max_days);
	unsigned n = quar_store_expire(&s, time(NULL));
	printf("%u messages removed\n", n);
	snprintf(result, sizeof result, "%u messages removed, beyond %u days or %llu octets", n,
		t->max_days, (unsigned long long)t->max_octets);
	log_action("purge", "", "", result);
	quar_store_fini(&s);
	return 0;
}

/* --- commands and their options --------------------------------------------------------- */

enum opt { O_SINCE = 1, O_UNTIL, O_SENDER, O_RECIPIENT, O_VIRUS, O_SPAM, O_JSON, O_MESSAGE,
	O_TO, O_DELETE, O_DAYS, O_SIZE };

#define BIT(o) (1u << (o))

static const struct command {
	const char *name;
	unsigned options;              /* BIT of those it has */
	int (*all)(struct tool *t);    /* without ids, or */
	int (*one)(struct tool *t, const char *id);
} commands[] = {
	{ "list", BIT(O_SINCE) | BIT(O_UNTIL) | BIT(O_SENDER) | BIT(O_RECIPIENT) | BIT(O_VIRUS) |
		BIT(O_SPAM) | BIT(O_JSON), cmd_list, NULL },
	{ "show", BIT(O_JSON) | BIT(O_MESSAGE), NULL, show_one },
	{ "release", BIT(O_TO) | BIT(O_DELETE), NULL, release_one },
	{ "delete", 0, NULL, delete_one },
	{ "purge", BIT(O_DAYS) | BIT(O_SIZE), cmd_purge, NULL },
};

/* What the values of options have to be. */
static const char *const forms[] = {
	[O_SINCE] = "no time such as 2026-11-21, \"2026-11-21 11:32\" or 12h",
	[O_UNTIL] = "no time such as 2026-11-21, \"2026-11-21 11:32\" or 12h",
	[O_TO] = "more than 100 addresses", [O_DAYS] = "no number up to 36500",
	[O_SIZE] = "no number of octets (K, M or G may follow)",
};

static const struct option long_options[] = {
	{ "since", required_argument, NULL, O_SINCE }, { "until", required_argument, NULL, O_UNTIL },
	{ "sender", required_argument, NULL, O_SENDER },
	{ "recipient", required_argument, NULL, O_RECIPIENT },
	{ "virus", required_argument, NULL, O_VIRUS }, { "spam", no_argument, NULL, O_SPAM },
	{ "json", no_argument, NULL, O_JSON }, { "message", no_argument, NULL, O_MESSAGE },
	{ "to", required_argument, NULL, O_TO }, { "delete", no_argument, NULL, O_DELETE },
	{ "days", required_argument, NULL, O_DAYS }, { "size", required_argument, NULL, O_SIZE },
	{ NULL, 0, NULL, 0 }
};

static int set_number(struct tool *t, enum opt o, const char *text)
{
	uint64_t v;

	if (o == O_SIZE)
		return str_parse_size(text, &t->max_octets);
	if (str_parse_u64(text, &v) < 0 || v > 36500)
		return -1;
	t->max_days = (unsigned)v;
	return 0;
}

static int set_option(struct tool *t, enum opt o, const char *arg)
{
	switch (o) {
	case O_SINCE: return quar_time_parse(arg, time(NULL), false, &t->filter.since_s);
	case O_UNTIL: return quar_time_parse(arg, time(NULL), true, &t->filter.until_s);
	case O_SENDER: t->filter.sender = arg; return 0;
	case O_RECIPIENT: t->filter.recipient = arg; return 0;
	case O_VIRUS: t->filter.virus = arg; return 0;
	case O_SPAM: t->filter.spam = true; return 0;
	case O_JSON: t->is_json = true; return 0;
	case O_MESSAGE: t->is_message = true; return 0;
	case O_DELETE: t->wants_delete = true; return 0;
	case O_DAYS: case O_SIZE: return set_number(t, o, arg);
	case O_TO:
		if (t->nto == TO_MAX)
			return -1;
		t->to[t->nto++] = arg;
		return 0;
	}
	return -1;
}

/* argv[0] is the command. 0, or an exit status. */
static int read_options(struct tool *t, const struct command *c, int argc, char **argv)
{
	int o, index = 0;
	char what[120];

	opterr = 0;
	optind = 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): this program has one thread */
	while ((o = getopt_long(argc, argv, ":", long_options, &index)) != -1) {
		if (o == '?' || o == ':')
			return usage_error(o == '?' ? "unknown option" : "value missing", argv[optind - 1]);
		if ((c->options & BIT(o)) == 0)
			return usage_error("not an option of this command", argv[optind - 1]);
		if (set_option(t, (enum opt)o, optarg) < 0) {
			snprintf(what, sizeof what, "--%s: %s", long_options[index].name, forms[o]);
			return usage_error(what, optarg);
		}
	}
	if (c->all != NULL && optind < argc)
		return usage_error("unexpected argument", argv[optind]);
	if (c->all == NULL && optind == argc)
		return usage_error("which message? An id is missing", NULL);
	if (t->is_json && t->is_message)
		return usage_error("--json and --message exclude each other", NULL);
	return 0;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static void on_note(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	if (kind == CONF_NOTE_ERROR)
		fprintf(stderr, "esets_quar: %s\n", text);
}

/* Behind a command too, and before esets.cfg is read, which is not for everybody. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

static int run(struct tool *t, int argc, char **argv)
{
	const struct command *c = argc > 0 ? find_command(argv[0]) : NULL;
	int status = 0;

	if (c == NULL)
		return usage_error(argc > 0 ? "unknown command" : "a command is missing",
			argc > 0 ? argv[0] : NULL);
	if (wants_help(argc, argv))
		return fputs(usage_text, stdout) < 0;
	t->conf = conf_load(&t->cli, on_note, NULL);
	if (t->conf == NULL)
		return CONF_EX_CONFIG;
	open_log(t->conf);
	t->max_octets = t->conf->global.av_quarantine_max_size;
	t->max_days = t->conf->global.av_quarantine_max_days;
	if ((status = read_options(t, c, argc, argv)) != 0 || (status = open_quarantine(t)) != 0)
		return status;
	if (c->all != NULL)
		return c->all(t);
	for (int i = optind; i < argc; i++) {
		if (c->one(t, argv[i]) != 0)
			status = EX_SOME_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct tool t = { .dir = -1 };
	int status = CONF_EX_USAGE;

	umask(077);
	if (conf_cli_parse(&t.cli, CONF_PROG_TOOL, argc, argv, on_note, NULL) == 0) {
		if (t.cli.help)
			status = fputs(usage_text, stdout) < 0;
		else if (t.cli.version)
			status = printf("esets_quar %s\n", PACKAGE_VERSION) < 0;
		else
			status = run(&t, argc - t.cli.optind, argv + t.cli.optind);
	}
	if (t.dir >= 0)
		close(t.dir);
	conf_free(&t.conf);
	conf_cli_fini(&t.cli);
	return (fflush(stdout) != 0 || ferror(stdout)) && status == 0 ? EX_SOME_FAILED : status;
}
