/* engine_linger.c - scans given up but not ended, see engine_linger.h. */
#include "engine_linger.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINGER_MAX 256u
#define LINGER_MS 120000   /* clamd's own MaxScanTime */

struct one {
	unsigned gate;
	int cell, fd;
	struct net_endpoint ep;
	long long end_ms;
};

static struct one list[LINGER_MAX];
static unsigned n;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void end(const struct one *o)
{
	close(o->fd);
	engine_gate_leave(o->gate, o->cell);
}

void engine_linger_add(unsigned g, int cell, int fd, const struct net_endpoint *e)
{
	const struct one o = { .gate = g, .cell = cell, .fd = fd, .ep = *e,
		.end_ms = now_ms() + LINGER_MS };

	shutdown(fd, SHUT_WR);
	pthread_mutex_lock(&lock);
	bool has_room = n < LINGER_MAX;
	if (has_room)
		list[n++] = o;
	pthread_mutex_unlock(&lock);
	if (!has_room)
		end(&o);
}

static bool has_ended(const struct one *o, long long now)
{
	struct pollfd pf = { .fd = o->fd, .events = POLLIN };

	return now >= o->end_ms || poll(&pf, 1, 0) != 0;
}

void engine_linger_sweep(void)
{
	pthread_mutex_lock(&lock);
	const long long now = n > 0 ? now_ms() : 0;
	for (unsigned i = 0; i < n;) {
		if (has_ended(&list[i], now)) {
			end(&list[i]);
			list[i] = list[--n];
		} else {
			i++;
		}
	}
	pthread_mutex_unlock(&lock);
}

void engine_linger_drop(unsigned g, const struct net_endpoint *e)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < n;) {
		if (list[i].gate == g && net_endpoint_is_equal(&list[i].ep, e)) {
			end(&list[i]);
			list[i] = list[--n];
		} else {
			i++;
		}
	}
	pthread_mutex_unlock(&lock);
}
