/* scan_link.c - connections to the scanner daemon, see scan_client_int.h.
 *
 * A link is somebody's, or it is kept for the next request. To connect anew for
 * each would cost a small message twice the wake-ups. The daemon may close a kept
 * link whenever it likes. */
#include "scan_client_int.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct scan_link {
	struct scan_links *all;
	SLIST_ENTRY(scan_link) next; /* among the kept ones */
	struct event io;
	short on;                    /* what io is on for */
	int sock;
	bool is_used;                /* an answer has come by it */
	scan_link_fn ready;          /* NULL: it is kept */
	void *arg;
};

static void on_io(evutil_socket_t sock, short what, void *arg)
{
	struct scan_link *l = arg;

	(void)sock;
	(void)what;
	if (l->ready != NULL) {
		l->ready(l->arg);
		return;
	}
	SLIST_REMOVE(&l->all->kept, l, scan_link, next);
	scan_link_free(&l);
}

int scan_link_watch(struct scan_link *l, short what)
{
	if (l->on == what)
		return 0;
	if (l->on != 0)
		event_del(&l->io);
	l->on = 0;
	event_assign(&l->io, l->all->base, l->sock, (short)(what | EV_PERSIST), on_io, l);
	if (event_add(&l->io, NULL) < 0)
		return -1;
	l->on = what;
	return 0;
}

/* NULL with errno. */
static struct scan_link *link_new(struct scan_links *ls)
{
	struct scan_link *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->all = ls;
	l->sock = net_connect(&ls->daemon, SOCK_SEQPACKET);
	if (l->sock >= 0)
		return l;
	int error = errno;
	free(l);
	errno = error;
	return NULL;
}

static struct scan_link *link_take(struct scan_links *ls)
{
	struct scan_link *l = SLIST_FIRST(&ls->kept);

	if (l != NULL)
		SLIST_REMOVE_HEAD(&ls->kept, next);
	return l;
}

/* What lies there before a request is sent answers nobody, nor does its end; the
 * loop may not have come to say so yet. */
static bool is_quiet(const struct scan_link *l)
{
	char octet;

	return recv(l->sock, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		(errno == EAGAIN || errno == EWOULDBLOCK);
}

static struct scan_link *link_take_quiet(struct scan_links *ls)
{
	struct scan_link *l;

	while ((l = link_take(ls)) != NULL && !is_quiet(l))
		scan_link_free(&l);
	return l;
}

struct scan_link *scan_link_get(struct scan_links *ls, bool must_be_new, scan_link_fn ready,
	void *arg)
{
	struct scan_link *l = must_be_new ? NULL : link_take_quiet(ls);

	if (l == NULL)
		l = link_new(ls);
	if (l == NULL)
		return NULL;
	l->ready = ready;
	l->arg = arg;
	return l;
}

int scan_link_sock(const struct scan_link *l)
{
	return l->sock;
}

bool scan_link_is_used(const struct scan_link *l)
{
	return l->is_used;
}

void scan_link_keep(struct scan_link *l)
{
	l->is_used = true;
	l->ready = NULL;
	SLIST_INSERT_HEAD(&l->all->kept, l, next);
}

/* It is in no list. */
void scan_link_free(struct scan_link **lp)
{
	struct scan_link *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	if (l->on != 0)
		event_del(&l->io);
	close(l->sock);
	free(l);
}

void scan_links_init(struct scan_links *ls, struct event_base *base)
{
	ls->base = base;
	SLIST_INIT(&ls->kept);
}

void scan_links_fini(struct scan_links *ls)
{
	for (struct scan_link *l; (l = link_take(ls)) != NULL;)
		scan_link_free(&l);
}
