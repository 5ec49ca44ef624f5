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
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "str.h"

#define LOG_TEXT_MAX 4096
#define LOG_ID_MAX 32
#define LOG_WINDOW_MS 60000

static const char *const class_names[LC_COUNT] = {
#define X(id, name, prio) [LC_##id] = name,
	LOG_CLASS_LIST(X)
#undef X
};

static const int class_prios[LC_COUNT] = {
#define X(id, name, prio) [LC_##id] = prio,
	LOG_CLASS_LIST(X)
#undef X
};

static struct {
	const char *ident;
	struct log_cfg cfg;
} g_log = { "esets", { -1, ~0u, true, false } };

static _Thread_local char t_id[LOG_ID_MAX];

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

bool log_wants(enum log_class c)
{
	return (g_log.cfg.classes & 1u << c) != 0 &&
		(g_log.cfg.to_stderr || g_log.cfg.facility != -1);
}

void log_ctx_set(const char *id)
{
	if (id == NULL)
		t_id[0] = '\0';
	else
		str_clean(t_id, sizeof t_id, id, strlen(id));
}

static void flatten(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	}
}

/* The inside of a JSON string. str_clean does all of it but for its \xHH,
 * which is \u00HH there. */
static void json_escape(char *dst, size_t size, const char *src)
{
	char clean[LOG_TEXT_MAX];
	size_t w = 0;

	str_clean(clean, sizeof clean, src, strlen(src));
	for (const char *p = clean; *p != '\0' && w + 8 < size;) {
		if (p[0] != '\\') {
			dst[w++] = *p++;
		} else if (p[1] == 'x') {
			memcpy(dst + w, "\\u00", 4);
			w += 4;
			p += 2;
		} else {
			dst[w++] = *p++;
			dst[w++] = *p++;
		}
	}
	dst[w] = '\0';
}

static void line_compose(char *line, size_t size, enum log_class c, char *text)
{
	char id[LOG_ID_MAX];

	if (t_id[0] != '\0')
		str_copy(id, sizeof id, t_id);
	else
		snprintf(id, sizeof id, "%ld", (long)getpid());
	if (!g_log.cfg.json) {
		flatten(text);
		snprintf(line, size, "%s[%s]: %s", class_names[c], id, text);
		return;
	}
	char msg[LOG_TEXT_MAX + LOG_TEXT_MAX / 2];
	char id_json[2 * LOG_ID_MAX];
	json_escape(id_json, sizeof id_json, id);
	json_escape(msg, sizeof msg, text);
	snprintf(line, size, "{\"class\":\"%s\",\"id\":\"%s\",\"msg\":\"%s\"}",
		class_names[c], id_json, msg);
}

static void stderr_write(const char *line)
{
	char out[2 * LOG_TEXT_MAX];
	int n = snprintf(out, sizeof out, "%s%s%s\n", g_log.cfg.json ? "" : g_log.ident,
		g_log.cfg.json ? "" : ": ", line);

	if (n >= (int)sizeof out) {
		n = (int)sizeof out - 1;
		out[n - 1] = '\n';
	}
	ssize_t rc = write(STDERR_FILENO, out, (size_t)n);
	(void)rc; /* nowhere left to say it */
}

/* Writes a line to syslog if it is on and to stderr if asked. */
__attribute__((format(printf, 5, 0)))
static void emit(enum log_class c, int prio, bool to_syslog, bool to_stderr,
	const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX];
	char line[2 * LOG_TEXT_MAX - 128];

	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		return;
	line_compose(line, sizeof line, c, text);
	if (to_syslog && g_log.cfg.facility != -1)
		syslog(g_log.cfg.facility | prio, "%s", line);
	if (to_stderr)
		stderr_write(line);
}

#define LOG_FORMAT(c, prio)                                                    \
	do {                                                                   \
		if (log_wants(c)) {                                            \
			va_list ap;                                            \
			va_start(ap, fmt);                                     \
			emit((c), (prio), true, g_log.cfg.to_stderr, fmt, ap); \
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

void log_line(enum log_class c, int prio, const char *fmt, ...)
{
	LOG_FORMAT(c, prio);
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
	emit(LC_ERROR, class_prios[LC_ERROR], log_wants(LC_ERROR), true, fmt, ap);
	va_end(ap);
	exit(status);
}
