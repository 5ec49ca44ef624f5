/* service.c - the service manager's protocols, see service.h.
 *
 * A socket for each message: there are a handful in a process's life, and none
 * stays open for a worker to inherit. Whoever does not read makes us wait for
 * a moment, never hang. Must not fail: what is not heard is not an error.
 * Sources: sd_notify(3), sd_listen_fds(3), systemd.service(5) Type=. */
#include "service.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "str.h"

#define TEXT_MAX 512
#define STATUS_MAX 200
#define WAIT_S 2
#define FDS_MAX 64

static struct {
	struct sockaddr_un addr;
	socklen_t len;              /* 0: nobody wants to know */
	unsigned nfds;
} g_service;

/* Of an environment that was not meant for us nothing is taken. */
static unsigned passed_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t owner, n;

	if (pid == NULL || fds == NULL || str_parse_u64(pid, &owner) < 0 ||
	    owner != (uint64_t)getpid())
		return 0;
	if (str_parse_u64(fds, &n) < 0 || n > FDS_MAX) {
		log_warning("LISTEN_FDS: not a number up to %d, not used", FDS_MAX);
		return 0;
	}
	return (unsigned)n;
}

unsigned service_fds(void)
{
	return g_service.nfds;
}

void service_init(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t n = name != NULL ? strlen(name) : 0;

	g_service.len = 0;
	/* One octet is kept for the end of a path; @ stands for the NUL before an
	 * abstract name, which has no end. Other kinds are for other machines. */
	if (n > 1 && n < sizeof g_service.addr.sun_path && (name[0] == '/' || name[0] == '@')) {
		g_service.addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
		memcpy(g_service.addr.sun_path, name, n);
		g_service.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		if (name[0] == '@')
			g_service.addr.sun_path[0] = '\0';
		else
			g_service.len++;
	} else if (n > 0) {
		log_warning("NOTIFY_SOCKET: neither a path nor an abstract name, not used");
	}
	g_service.nfds = passed_fds();
	/* NOLINTBEGIN(concurrency-mt-unsafe): before there are threads */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	/* NOLINTEND(concurrency-mt-unsafe) */
}

bool service_is_told(void)
{
	return g_service.len != 0;
}

static void tell(const char *text)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	int fd;

	if (g_service.len == 0 || (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0 ||
	    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&g_service.addr,
	    g_service.len) < 0)
		log_warning("NOTIFY_SOCKET: %m");
	close(fd);
}

void service_ready(const char *status, ...)
{
	char text[TEXT_MAX], line[STATUS_MAX];
	va_list ap;

	va_start(ap, status);
	if (vsnprintf(line, sizeof line, status, ap) < 0)
		line[0] = '\0';
	va_end(ap);
	/* The process that says so is the one to signal, also after a fork. */
	snprintf(text, sizeof text, "READY=1\nMAINPID=%ld\nSTATUS=%s\n", (long)getpid(), line);
	tell(text);
}

void service_reloading(void)
{
	struct timespec ts;
	char text[TEXT_MAX];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading\n",
		ts.tv_sec * 1000000LL + ts.tv_nsec / 1000);
	tell(text);
}

void service_stopping(void)
{
	tell("STOPPING=1\nSTATUS=stopping\n");
}
