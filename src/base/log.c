/* log.c - the suite's log, see log.h.
 *
 * Owns the syslog connection, the classes in force and the calling thread's
 * context. A line is formatted once, on the stack, and only if a sink wants
 * its class; on stderr it is one write, so that lines of several processes do
 * not mix. Control characters that slipped through become blanks: one event
 * is one line whatever the text holds.
 * Must not allocate and must not fail: a lost line is not an error. */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "str.h"

#define LOG_TEXT_MAX 4096              /* of a message, before it is escaped */
#define LOG_ID_MAX 32
#define WHEN_MAX 40
#define LOG_REST_MAX 7680              /* of a line behind class and id; syslog takes 8192 */
#define LOG_LINE_MAX (LOG_REST_MAX + 256)
#define LOG_WINDOW_MS 60000
#define LOG_REDIAL_MS 1000

static const char *const class_names[LC_COUNT] = {
#define X(id, name, prio) [LC_##id] = (name),
	LOG_CLASS_LIST(X)
#undef X
};

static const int class_prios[LC_COUNT] = {
#define X(id, name, prio) [LC_##id] = (prio),
	LOG_CLASS_LIST(X)
#undef X
};

static struct {
	const char *ident;
	struct log_cfg cfg;
} g_log = { "esets", { -1, ~0u, true, false } };

static _Thread_local char t_id[LOG_ID_MAX];
static _Thread_local struct { bool is_set; uint64_t id; unsigned n; } t_session; /* not in t_id yet */

int log_facility_parse(const char *name, int *out)
{
	static const struct { const char *name; int facility; } table[] = {
		{ "daemon", LOG_DAEMON }, { "mail", LOG_MAIL }, { "user", LOG_USER },
		{ "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
		{ "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
		{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 }, { "none", -1 },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (str_ieq(name, table[i].name)) {
			*out = table[i].facility;
			return 0;
		}
	}
	return -1;
}

static int class_find(const char *name)
{
	for (int i = 0; i < LC_COUNT; i++) {
		if (str_ieq(name, class_names[i]))
			return i;
	}
	return -1;
}

int log_classes_parse(const char *list, unsigned *out, char *why, unsigned long why_size)
{
	unsigned bits = 0;
	char item[32];
	int rc;

	while ((rc = str_list_next(&list, ':', item, sizeof item)) != 0) {
		int c = rc > 0 ? class_find(item) : -1;
		if (c < 0) {
			str_clean(why, why_size, item, strlen(item));
			return -1;
		}
		bits |= 1u << c;
	}
	*out = bits;
	return 0;
}

void log_open(const char *ident, const struct log_cfg *cfg)
{
	g_log.ident = ident;
	g_log.cfg = *cfg;
	log_reopen();
}

void log_reopen(void)
{
	closelog();
	/* At once: later the process may be confined or out of descriptors. */
	if (g_log.cfg.facility != -1)
		openlog(g_log.ident, LOG_PID | LOG_NDELAY, g_log.cfg.facility);
}

/* --- syslog without the C library, which can only dial for itself --- */

static struct {
	int (*dial)(void);                     /* NULL: the C library does it */
	int fd;                                /* or -1 */
	long long next_ms;                     /* not to be dialled before */
	pthread_mutex_t lock;
} g_dialled = { NULL, -1, 0, PTHREAD_MUTEX_INITIALIZER };

static long long monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int dial_now(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof un) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool log_has_syslog(void)
{
	return g_log.cfg.facility != -1;
}

void log_dial_by(int (*dial)(void))
{
	if (g_log.cfg.facility == -1)
		return;
	closelog();
	g_dialled.fd = dial_now();
	g_dialled.dial = dial;
}

/* The form that syslog(3) gives a line. */
static int packet_compose(char *out, size_t size, int prio, const char *line)
{
	const time_t now = time(NULL);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL || strftime(when, sizeof when, "%b %e %T", &tm) == 0)
		when[0] = '\0';
	int n = snprintf(out, size, "<%d>%s %s[%ld]: %s", prio, when, g_log.ident, (long)getpid(),
		line);
	return n < (int)size ? n : (int)size - 1;
}

static void dialled_send(int prio, const char *line)
{
	char packet[LOG_LINE_MAX + 128];
	const int n = packet_compose(packet, sizeof packet, prio, line);
	bool is_sent = false;

	pthread_mutex_lock(&g_dialled.lock);
	for (int i = 0; !is_sent && i < 2; i++) {
		if (g_dialled.fd < 0 && monotonic_ms() >= g_dialled.next_ms) {
			g_dialled.fd = g_dialled.dial();
			g_dialled.next_ms = monotonic_ms() + LOG_REDIAL_MS;
		}
		is_sent = g_dialled.fd < 0 ||
			send(g_dialled.fd, packet, (size_t)n, MSG_NOSIGNAL) >= 0;
		if (!is_sent) {
			close(g_dialled.fd);
			g_dialled.fd = -1;
		}
	}
	pthread_mutex_unlock(&g_dialled.lock);
}

bool log_wants(enum log_class c)
{
	return (g_log.cfg.classes & 1u << c) != 0 &&
		(g_log.cfg.to_stderr || g_log.cfg.facility != -1);
}

void log_ctx_set(const char *id)
{
	t_session.is_set = false;
	if (id == NULL)
		t_id[0] = '\0';
	else
		str_clean(t_id, sizeof t_id, id, strlen(id));
}

void log_ctx_set_session(uint64_t id, unsigned n)
{
	t_session.is_set = true;
	t_session.id = id;
	t_session.n = n;
}

static const char *ctx_text(void)
{
	if (t_session.is_set) {
		int w = snprintf(t_id, sizeof t_id, "%012llx", (unsigned long long)t_session.id);
		if (t_session.n != 0)
			snprintf(t_id + w, sizeof t_id - (size_t)w, ".%u", t_session.n);
		t_session.is_set = false;
	}
	return t_id;
}

static void flatten(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	}
}

/* The inside of a JSON string out of what str_clean wrote: its \" and \\ are
 * JSON's too, its \xHH is \u00HH there. False: it did not fit. */
static bool json_inside(char *dst, size_t size, const char *clean)
{
	size_t w = 0;

	for (const char *p = clean; *p != '\0'; p++) {
		if (w + 8 > size)
			return false;
		if (p[0] != '\\' || p[1] == '\0') {
			dst[w++] = p[0] != '\\' ? *p : ' ';
		} else if (p[1] == 'x') {
			memcpy(dst + w, "\\u00", 4);
			w += 4;
			p++;
		} else {
			dst[w++] = *p++;
			dst[w++] = *p;
		}
	}
	dst[w] = '\0';
	return true;
}

/* The same of any text; cut where it is too long. */
static void json_escape(char *dst, size_t size, const char *src)
{
	char clean[LOG_TEXT_MAX];

	size_t max = size / 3 * 2 - 8; /* six octets for each four of \xHH */
	str_clean(clean, max < sizeof clean ? max : sizeof clean, src, strlen(src));
	if (!json_inside(dst, size, clean))
		dst[0] = '\0';
}

typedef bool (*pair_fn)(char *out, size_t size, const struct log_pair *p);

static size_t put_pairs(char *out, size_t size, const struct log_pair *pairs, unsigned n,
	const char *between, pair_fn put)
{
	size_t w = 0, gap = strlen(between);

	out[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		size_t at = w + (i > 0 ? gap : 0);
		if (at >= size || !put(out + at, size - at, &pairs[i]))
			break;
		memcpy(out + w, between, at - w);
		w = at + strlen(out + at);
	}
	out[w] = '\0';
	return w;
}

static bool put_text(char *out, size_t size, const struct log_pair *p)
{
	static const char *const quotes[][2] = {
		[LOG_PAIR_BARE] = { "", "" }, [LOG_PAIR_TEXT] = { "\"", "\"" },
		[LOG_PAIR_NUMBER] = { "\"", "\"" }, [LOG_PAIR_PATH] = { "<", ">" },
		[LOG_PAIR_COUNT] = { "", "" },
	};
	int n = snprintf(out, size, "%s=%s%s%s", p->key, quotes[p->kind][0], p->value,
		quotes[p->kind][1]);

	return n >= 0 && (size_t)n < size;
}

static bool put_json(char *out, size_t size, const struct log_pair *p)
{
	char value[LOG_TEXT_MAX];
	const char *quote = p->kind == LOG_PAIR_NUMBER || p->kind == LOG_PAIR_COUNT ? "" : "\"";

	if (!json_inside(value, sizeof value, p->value))
		return false;
	int n = snprintf(out, size, "\"%s\":%s%s%s", p->key, quote,
		quote[0] == '\0' && value[0] == '\0' ? "null" : value, quote);
	return n >= 0 && (size_t)n < size;
}

size_t log_pairs_text(char *out, size_t size, const struct log_pair *pairs, unsigned n)
{
	return put_pairs(out, size, pairs, n, ", ", put_text);
}

size_t log_pairs_json(char *out, size_t size, const struct log_pair *pairs, unsigned n)
{
	return put_pairs(out, size, pairs, n, ",", put_json);
}

/* What a line is about: the id in its brackets. */
static const char *line_id(char id[LOG_ID_MAX])
{
	if (ctx_text()[0] != '\0')
		str_copy(id, LOG_ID_MAX, t_id);
	else
		snprintf(id, LOG_ID_MAX, "%ld", (long)getpid());
	return id;
}

/* rest: in text what follows the brackets, in JSON the other members. */
static void line_compose(char *line, size_t size, enum log_class c, const char *rest)
{
	char id[LOG_ID_MAX], id_json[4 * LOG_ID_MAX];

	line_id(id);
	if (!g_log.cfg.json) {
		snprintf(line, size, "%s[%s]: %s", class_names[c], id, rest);
		return;
	}
	json_escape(id_json, sizeof id_json, id);
	snprintf(line, size, "{\"class\":\"%s\",\"id\":\"%s\",%s}", class_names[c], id_json, rest);
}

/* "2026-11-21T11:32:49.123Z" (RFC 3339, UTC) */
static const char *now_text(char text[WHEN_MAX])
{
	struct timespec ts = { .tv_sec = 0 };
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	const size_t n = gmtime_r(&ts.tv_sec, &tm) == NULL ? 0 :
		strftime(text, WHEN_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, WHEN_MAX - n, ".%03ldZ", ts.tv_nsec / 1000000);
	return text;
}

/* Program and time are what syslog would have given the line. */
static void stderr_write(const char *line)
{
	char out[LOG_LINE_MAX + 128], when[WHEN_MAX];
	int n = g_log.cfg.json ?
		snprintf(out, sizeof out, "{\"timestamp\":\"%s\",\"program\":\"%s\",%s\n",
			now_text(when), g_log.ident, line + 1) :
		snprintf(out, sizeof out, "%s: %s\n", g_log.ident, line);

	if (n >= (int)sizeof out) {
		n = (int)sizeof out - 1;
		out[n - 1] = '\n';
	}
	ssize_t rc = write(STDERR_FILENO, out, (size_t)n);
	(void)rc; /* nowhere left to say it */
}

/* Writes a line to syslog if it is on and to stderr if asked. */
static void emit(enum log_class c, int prio, bool to_syslog, bool to_stderr, const char *rest)
{
	char line[LOG_LINE_MAX];

	line_compose(line, sizeof line, c, rest);
	if (to_syslog && g_log.cfg.facility != -1 && g_dialled.dial != NULL)
		dialled_send(g_log.cfg.facility | prio, line);
	else if (to_syslog && g_log.cfg.facility != -1)
		syslog(g_log.cfg.facility | prio, "%s", line);
	if (to_stderr)
		stderr_write(line);
}

__attribute__((format(printf, 5, 0)))
static void emit_format(enum log_class c, int prio, bool to_syslog, bool to_stderr,
	const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX], msg[LOG_REST_MAX];

	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		return;
	if (g_log.cfg.json) {
		char inside[LOG_REST_MAX - 16];
		json_escape(inside, sizeof inside, text);
		snprintf(msg, sizeof msg, "\"msg\":\"%s\"", inside);
	} else {
		flatten(text);
	}
	emit(c, prio, to_syslog, to_stderr, g_log.cfg.json ? msg : text);
}

#define LOG_FORMAT(c, prio)                                                    \
	do {                                                                   \
		if (log_wants(c)) {                                            \
			va_list ap;                                            \
			va_start(ap, fmt);                                     \
			emit_format((c), (prio), true, g_log.cfg.to_stderr,    \
				fmt, ap);                                      \
			va_end(ap);                                            \
		}                                                              \
	} while (0)

void log_error(const char *fmt, ...)
{
	LOG_FORMAT(LC_ERROR, class_prios[LC_ERROR]);
}

void log_warning(const char *fmt, ...)
{
	LOG_FORMAT(LC_WARNING, class_prios[LC_WARNING]);
}

void log_info(const char *fmt, ...)
{
	LOG_FORMAT(LC_INFO, class_prios[LC_INFO]);
}

void log_debug(const char *fmt, ...)
{
	LOG_FORMAT(LC_DEBUG, class_prios[LC_DEBUG]);
}

void log_pairs(enum log_class c, int prio, const struct log_pair *pairs, unsigned n)
{
	char rest[LOG_REST_MAX];

	if (!log_wants(c))
		return;
	if (g_log.cfg.json)
		log_pairs_json(rest, sizeof rest, pairs, n);
	else
		log_pairs_text(rest, sizeof rest, pairs, n);
	flatten(rest); /* a value that nobody has cleaned */
	emit(c, prio, true, g_log.cfg.to_stderr, rest);
}

void log_event(enum log_class c, const char *event, const struct log_pair *pairs, unsigned n)
{
	char members[LOG_REST_MAX - 64], rest[LOG_REST_MAX];
	const bool json = g_log.cfg.json;

	if (!log_wants(c))
		return;
	const char *gap = put_pairs(members, sizeof members, pairs, n, json ? "," : " ",
		json ? put_json : put_text) == 0 ? "" : json ? "," : " ";
	snprintf(rest, sizeof rest, json ? "\"msg\":\"%s\"%s%s" : "%s%s%s", event, gap, members);
	flatten(rest); /* a value that nobody has cleaned */
	emit(c, class_prios[c], true, g_log.cfg.to_stderr, rest);
}

bool log_limited(struct log_limit *l, unsigned burst)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct timespec ts;
	unsigned left_out = 0;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	long long now_ms = (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	pthread_mutex_lock(&lock);
	if (l->count == 0 || now_ms - l->window_start_ms >= LOG_WINDOW_MS) {
		left_out = l->suppressed;
		l->window_start_ms = now_ms;
		l->count = 0;
		l->suppressed = 0;
	}
	bool ok = l->count < burst;
	if (ok)
		l->count++;
	else
		l->suppressed++;
	pthread_mutex_unlock(&lock);
	if (left_out > 0)
		log_warning("%u lines like the next one were left out", left_out);
	return ok;
}

void log_fatal(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_format(LC_ERROR, class_prios[LC_ERROR], log_wants(LC_ERROR), true, fmt, ap);
	va_end(ap);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): where one thread is, at the start */
	exit(status);
}
