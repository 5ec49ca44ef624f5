/* listen.c - listening sockets and the shared table of server addresses. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "dirs.h"
#include "log.h"
#include "proc.h"
#include "service.h"

struct addresses {
	_Atomic uint32_t seq;
	unsigned n;
	struct net_endpoint e[NET_ADDRS_MAX];
};

/* The same memory twice: children do not inherit the first, and the second can
 * never be made writable, so that no worker sends the others elsewhere. */
struct server_table {
	struct addresses *write;
	const struct addresses *read;
};

static void *map(int fd, int how)
{
	void *p = mmap(NULL, sizeof(struct addresses), how, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	return p;
}

static int map_both(struct server_table *t, int fd)
{
	if (ftruncate(fd, sizeof *t->write) < 0)
		return -1;
	t->write = map(fd, PROT_READ | PROT_WRITE);
	if (t->write == NULL || madvise(t->write, sizeof *t->write, MADV_DONTFORK) < 0)
		return -1;
	/* Linux before 5.1 has no such seal, and nothing that stands for it. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0 &&
	    errno != EINVAL)
		return -1;
	t->read = map(fd, PROT_READ);
	return t->read == NULL ? -1 : 0;
}

struct server_table *server_table_new(void)
{
	struct server_table *t = calloc(1, sizeof *t);
	int fd = memfd_create("esets-servers", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (t == NULL || fd < 0 || map_both(t, fd) < 0) {
		int error = errno;
		server_table_free(&t);
		errno = error;
	}
	if (fd >= 0)
		close(fd);
	return t;
}

void server_table_free(struct server_table **t)
{
	if (*t == NULL)
		return;
	if ((*t)->write != NULL)
		munmap((*t)->write, sizeof *(*t)->write);
	if ((*t)->read != NULL)
		munmap((void *)(uintptr_t)(*t)->read, sizeof *(*t)->read);
	free(*t);
	*t = NULL;
}

void server_table_set(struct server_table *table, const struct net_endpoint *e, unsigned n)
{
	struct addresses *t = table->write;

	if (n > NET_ADDRS_MAX)
		n = NET_ADDRS_MAX;
	atomic_fetch_add_explicit(&t->seq, 1, memory_order_acq_rel);
	atomic_thread_fence(memory_order_release);
	if (n > 0)
		memcpy(t->e, e, n * sizeof *e);
	t->n = n;
	atomic_fetch_add_explicit(&t->seq, 1, memory_order_release);
}

unsigned server_table_get(const struct server_table *table, struct net_endpoint *out, unsigned max)
{
	const struct addresses *t = table->read;
	uint32_t before, after;
	unsigned n;

	do {
		before = atomic_load_explicit(&t->seq, memory_order_acquire);
		n = t->n <= max ? t->n : max;
		if (n > NET_ADDRS_MAX)
			n = NET_ADDRS_MAX;
		memcpy(out, t->e, n * sizeof *out);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&t->seq, memory_order_relaxed);
	} while (before != after || (before & 1));
	return n;
}

static int take_over(struct listen_set *old, const struct net_endpoint *where)
{
	for (unsigned i = 0; old != NULL && i < old->n; i++) {
		struct listener *l = &old->l[i];
		if (l->fd >= 0 && net_is_listening(l->fd) && l->where.addr.port == where->addr.port &&
		    strcmp(l->where.path, where->path) == 0 &&
		    net_addr_is_equal_ip(&l->where.addr, &where->addr))
			return (int)i;
	}
	return -1;
}

static void close_one(const struct listener *l)
{
	if (l->fd < 0)
		return;
	/* The name first: closed, it is the next instance's to take. */
	if (l->where.path[0] != '\0' && !l->is_passed)
		unlink(l->where.path);
	close(l->fd);
}

/* Gives back what was taken and closes what was opened. */
static void undo(struct listen_set *set, struct listen_set *old, const int *from)
{
	for (unsigned i = 0; i < set->n; i++) {
		if (from[i] >= 0)
			old->l[from[i]].fd = set->l[i].fd;
		else
			close_one(&set->l[i]);
	}
	set->n = 0;
}

int listen_open(struct listen_set *set, struct listen_set *old, const struct conf *c,
	char *why, size_t why_size)
{
	struct net_endpoint e[LISTEN_MAX];
	char text[160];
	int from[LISTEN_MAX];
	int n = net_resolve(c->smtp.listen_addr, c->smtp.listen_port, true, e, LISTEN_MAX, why,
		why_size);

	set->n = 0;
	if (n < 0) {
		errno = EINVAL;
		return -1;
	}
	for (int i = 0; i < n; i++) {
		struct listener *l = &set->l[set->n];
		from[set->n] = take_over(old, &e[i]);
		if (from[set->n] >= 0) {
			*l = old->l[from[set->n]];
			old->l[from[set->n]].fd = -1;
		} else {
			*l = (struct listener){ .where = e[i],
				.fd = net_listen(&e[i], LISTEN_BACKLOG, SOCK_STREAM, 0666) };
		}
		set->n++;
		if (l->fd < 0) {
			int error = errno;
			snprintf(why, why_size, "cannot listen on %s: %s",
				net_endpoint_text(&e[i], text, sizeof text), strerror(error));
			undo(set, old, from);
			errno = error;
			return -1;
		}
	}
	return 0;
}

bool listen_mend(struct listen_set *set)
{
	static struct log_limit limit;
	char text[160];
	bool is_mended = false;

	for (unsigned i = 0; i < set->n; i++) {
		struct listener *l = &set->l[i];
		int rc = net_mend(&l->fd, &l->where, LISTEN_BACKLOG, SOCK_STREAM, 0666);
		if (rc == 0)
			continue;
		net_endpoint_text(&l->where, text, sizeof text);
		if (rc < 0 && log_limited(&limit, 5))
			log_error("%s: a worker has ended this socket, and another cannot be opened yet: %s",
				text, strerror(errno));
		if (rc < 0)
			continue;
		log_error("%s: a worker has ended this socket: another was opened, and all workers "
			"are replaced", text);
		l->is_passed = false;
		is_mended = true;
	}
	return is_mended;
}

int listen_try(const struct conf *c, char *why, size_t why_size)
{
	struct net_endpoint e[LISTEN_MAX];
	char text[160];
	int n = net_resolve(c->smtp.listen_addr, c->smtp.listen_port, true, e, LISTEN_MAX, why,
		why_size);

	if (n < 0)
		errno = EINVAL;
	for (int i = 0; i < n; i++) {
		if ((e[i].path[0] != '\0' ? dirs_try_file(e[i].path, S_IFSOCK, false) :
				net_try_addr(&e[i].addr)) == 0)
			continue;
		int error = errno;
		snprintf(why, why_size, "cannot listen on %s: %s",
			net_endpoint_text(&e[i], text, sizeof text), strerror(error));
		errno = error;
		return -1;
	}
	return n < 0 ? -1 : 0;
}

void listen_passed(struct listen_set *set)
{
	set->n = 0;
	for (unsigned i = 0; i < service_fds(); i++) {
		struct listener *l = &set->l[set->n];
		*l = (struct listener){ .fd = SERVICE_FD_FIRST + (int)i, .is_passed = true };
		if (set->n < LISTEN_MAX - 1 && net_adopt(l->fd, SOCK_STREAM, &l->where) == 0) {
			set->n++;
			continue;
		}
		log_warning("the service manager passes descriptor %d, which is no listening socket "
			"of the kind: closed", l->fd);
		close(l->fd);
	}
}

void listen_close(struct listen_set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		close_one(&set->l[i]);
	set->n = 0;
}
