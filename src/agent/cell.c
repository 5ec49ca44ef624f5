/* cell.c - what a worker of the agent is shut into, see cell.h.
 *
 * A filter of system calls sees no paths, and Landlock no connections; together
 * they leave a worker its spool directory, its descriptors and connect(2). */
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "log.h"
#include "sandbox.h"

/* A directory that cannot be reached now leaves nothing that may be opened: never
 * everything. */
static int confine_files(const char *spool_dir)
{
	int dir = open(spool_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		log_error("spool_dir: %s: %s; this worker keeps messages in memory only, until the next "
			"reload", spool_dir, strerror(errno));
	int rc = confine_all_to_dir(dir);
	int error = errno;
	if (dir >= 0)
		close(dir);
	errno = error;
	return rc;
}

void cell_enter(const char *spool_dir)
{
	const char *why = confine_why_not();

	/* The C library reads the time zone when it is first asked for. */
	tzset();
	if (why != NULL) {
		log_debug("a worker that is not confined: %s", why);
		return;
	}
	if (confine_files(spool_dir) < 0)
		log_warning("files are not confined to spool_dir %s: %s", spool_dir,
			errno == ENOSYS || errno == EOPNOTSUPP ? "this kernel has no Landlock" :
			strerror(errno));
	if (sandbox_enter(SANDBOX_AGENT, &why) < 0)
		log_warning("system calls are not filtered: %s", why);
}
