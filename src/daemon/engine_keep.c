/* engine_keep.c - see engine_keep.h. The one used last is taken first, so
 * that no more are kept than are needed. */
#include "engine_keep.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define KEPT_MAX 16u        /* at rest, of this worker */
#define QUESTIONS_MAX 16u   /* in one connection: to open it costs less than one */
#define IDLE_MS 3000
#define PAUSE_MS 100

struct kept {
	struct engine_conn conn;
	struct net_endpoint ep;
	long long since_ms;
};

static struct kept list[KEPT_MAX];   /* the longest at rest first */
static unsigned n;
static long long none_until_ms;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void drop(unsigned i)
{
	memmove(&list[i], &list[i + 1], (--n - i) * sizeof list[0]);
}

bool engine_keep_take(struct engine_conn *c, const struct net_endpoint *e, unsigned read_ms,
	const struct engine_call *call)
{
	bool got = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = n; !got && i-- > 0;) {
		got = net_endpoint_is_equal(&list[i].ep, e);
		if (got) {
			*c = list[i].conn;
			drop(i);
		}
	}
	pthread_mutex_unlock(&lock);
	if (got) {
		c->call = call;
		c->read_ms = read_ms;
	}
	return got;
}

void engine_keep_give(struct engine_conn *c, const struct net_endpoint *e)
{
	const long long now = now_ms();
	bool has_room = false;

	c->call = NULL;
	c->is_answered = false;
	pthread_mutex_lock(&lock);
	if (n < KEPT_MAX && c->questions < QUESTIONS_MAX && now >= none_until_ms) {
		list[n++] = (struct kept){ .conn = *c, .ep = *e, .since_ms = now };
		has_room = true;
	}
	pthread_mutex_unlock(&lock);
	if (!has_room)
		engine_conn_close(c);
}

void engine_keep_pause(void)
{
	pthread_mutex_lock(&lock);
	none_until_ms = now_ms() + PAUSE_MS;
	while (n > 0)
		engine_conn_close(&list[--n].conn);
	pthread_mutex_unlock(&lock);
}

void engine_keep_sweep(void)
{
	const long long now = now_ms();

	pthread_mutex_lock(&lock);
	while (n > 0 && now - list[0].since_ms >= IDLE_MS) {
		engine_conn_close(&list[0].conn);
		drop(0);
	}
	pthread_mutex_unlock(&lock);
}
