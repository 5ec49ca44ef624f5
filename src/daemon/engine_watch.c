/* engine_watch.c - the watch thread, see engine_watch.h. */
#include "engine_watch.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "engine.h"
#include "stats.h"

#define TURN_S 1
#define END_WAIT_S 2

static pthread_t thread;
static bool is_running;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static _Atomic bool stop;
static bool has_ended;              /* under the lock */

static bool is_stopping(void *arg)
{
	(void)arg;
	return atomic_load(&stop);
}

static void pause_s(time_t s)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += s;
	pthread_mutex_lock(&lock);
	if (!atomic_load(&stop))
		pthread_cond_timedwait(&wake, &lock, &until);
	pthread_mutex_unlock(&lock);
}

static void *watch(void *arg)
{
	const struct engine_call call = { .deadline_ms = LLONG_MAX, .cancelled = is_stopping };

	stats_thread(*(const unsigned *)arg, 0);
	while (!atomic_load(&stop)) {
		engines_watch(&call);
		pause_s(TURN_S);
	}
	pthread_mutex_lock(&lock);
	has_ended = true;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
	return NULL;
}

int engine_watch_start(unsigned slot)
{
	static unsigned of;
	pthread_condattr_t attr;

	if (!engines_are_watched())
		return 0;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&wake, &attr);
	pthread_condattr_destroy(&attr);
	of = slot;
	errno = pthread_create(&thread, NULL, watch, &of);
	is_running = errno == 0;
	return is_running ? 0 : -1;
}

void engine_watch_stop(void)
{
	struct timespec until;

	if (!is_running)
		return;
	/* Only a name service can hold it up longer; the process ends anyway. */
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += END_WAIT_S;
	pthread_mutex_lock(&lock);
	atomic_store(&stop, true);
	pthread_cond_signal(&wake);
	while (!has_ended && pthread_cond_timedwait(&wake, &lock, &until) == 0)
		;
	const bool can_join = has_ended;
	pthread_mutex_unlock(&lock);
	if (can_join)
		pthread_join(thread, NULL);
	is_running = false;
}
