/* nodelay.c - forces TCP_NODELAY and a long backlog on a program (LD_PRELOAD).
 *
 * clamsmtp sets neither, and then waits for delayed acknowledgements and loses
 * SYNs: its rate says more about that than about its work. tests/bench/run
 * builds this and measures clamsmtp with it too. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int listen(int fd, int backlog)
{
	int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");

	(void)backlog;
	return next(fd, 4096);
}

static int with_nodelay(int fd)
{
	int one = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

int socket(int domain, int type, int protocol)
{
	int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
	int fd = next(domain, type, protocol);

	return domain == AF_INET || domain == AF_INET6 ? with_nodelay(fd) : fd;
}

int accept(int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
{
	int (*next)(int, struct sockaddr *, socklen_t *) =
		(int (*)(int, struct sockaddr *, socklen_t *))dlsym(RTLD_NEXT, "accept");

	return with_nodelay(next(fd, addr, len));
}
