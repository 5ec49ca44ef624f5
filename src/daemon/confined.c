/* confined.c - a worker gives up what it will not need, see confined.h.
 *
 * Three walls, each of which holds without the others: Landlock (no file, no
 * TCP), the filter of system calls (sandbox.h), and a limit on memory. What is
 * missing on this machine is no reason not to serve: mail would go unscanned
 * instead.
 *
 * Libraries open files when something is first needed: time zone, character
 * sets, libcrypto's configuration. They are made to before. */
#include "confined.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "confine.h"
#include "engine_hash.h"
#include "log.h"
#include "sandbox.h"
#include "unpack.h"

/* The memory that scans may take: for each thread as much as a task may have at
 * once (task.c), less what the size of its message adds, and what libraries and
 * its stack need; that of the messages together for all threads. */
#define TASK_OCTETS (64ull << 20)
#define LIBRARY_OCTETS (192ull << 20)
#define MESSAGES_OCTETS (5ull << 30)  /* five times one of 1 GiB, or ten of 100 MiB */

static void open_lazy_things(void)
{
	struct engine_object nothing = { .data = (const unsigned char *)"", .fd = -1, .name = "" };

	tzset();
	(void)engine_hash_sha256(&nothing, NULL);
	unsigned missing = unpack_preload();
	if (missing > 0)
		log_debug("confinement: %u character sets of archives are not on this machine", missing);
}

/* What of its memory counts for the limit by now: signatures, mainly. The sixth
 * number of statm, in pages (proc(5)). */
static rlim_t data_octets(void)
{
	char line[256] = "", *p = line;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	rlim_t pages = 0;

	if (fd < 0)
		return 0;
	if (read(fd, line, sizeof line - 1) > 0) {
		for (unsigned i = 0; i < 6; i++)
			pages = strtoul(p, &p, 10);
	}
	close(fd);
	return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* RLIMIT_DATA, not RLIMIT_AS: address space that is only reserved (arenas,
 * messages that are mapped to be read) costs nobody anything. */
static int limit_memory(const struct conf_global *g)
{
	const rlim_t each = TASK_OCTETS + LIBRARY_OCTETS + g->scan.opts.archive_max_size;
	const rlim_t all = data_octets() + g->num_thrd * each + MESSAGES_OCTETS;
	const struct rlimit limit = { all, all };

	return setrlimit(RLIMIT_DATA, &limit);
}

void confined_begin(const struct conf_global *g)
{
	const char *why = confine_why_not();
	const char *why_no_filter;

	open_lazy_things();
	if (why == NULL && limit_memory(g) < 0)
		log_info("confinement: no limit on memory: %s", strerror(errno));
	if (why == NULL && confine_to_nothing() < 0)
		log_info("confinement: without Landlock: %s", strerror(errno));
	if (sandbox_enter(SANDBOX_SCANNER, &why_no_filter) < 0)
		log_info("confinement: no filter of system calls: %s", why_no_filter);
}
