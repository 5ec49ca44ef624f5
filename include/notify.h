/* notify.h - exec_script: the administrator's program, run at each detection.
 *
 * A worker puts a record of fixed size into a socket; the master, which reads
 * no mail, counts, and runs the program. A record is not trusted: its texts are
 * bounded and cleaned again before they become the program's environment, and
 * nothing of it is ever an argument or part of a shell's command line. */
#ifndef ESETS_NOTIFY_H
#define ESETS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "scan_msg.h"

struct conf_global;
struct proc_identity;

#define NOTIFY_MAGIC 0x45534e31u   /* of this layout */

struct notify_record {
	uint32_t magic;
	uint32_t av;              /* VERDICT_AV_* */
	int64_t time_s;
	uint64_t size;
	uint32_t nrcpts;          /* all of them */
	char virus[128];
	char agent[16], id[40], queue_id[64], client[64], helo[128];
	char name[256];           /* file name; "" mail */
	char sender[256];
	char rcpts[1024];         /* the first ones, with ", " between */
	char sha256[65];
	char quarantine_id[VERDICT_QUARANTINE_ID_SIZE];
};

/* Is it a detection (infected, deleted), and what is told of it? Pure. */
bool notify_record_fill(struct notify_record *r, const struct scan_request *q,
	const struct verdict *v, int64_t time_s);

#define NOTIFY_ENV_MAX 32
#define NOTIFY_ENV_TEXT 4096

/* The whole environment of the program, NULL at its end. Pure. False: no such
 * record. */
struct notify_env {
	char *vars[NOTIFY_ENV_MAX];
	char text[NOTIFY_ENV_TEXT];
};
bool notify_env_fill(struct notify_env *env, const struct notify_record *r);

/* At most so many in a minute of the clock's. Pure. */
struct notify_rate {
	long long start_ms;       /* of the minute, 0 none yet */
	unsigned count, left_out;
};
/* May one more be run now? It is counted either way. */
bool notify_rate_take(struct notify_rate *r, long long now_ms, unsigned max);
/* Once the minute is over: how many were left out in it. */
unsigned notify_rate_report(struct notify_rate *r, long long now_ms);

/* Worker: tells the master; never blocks. */
void notify_send(int fd, const struct scan_request *q, const struct verdict *v);

#define NOTIFY_RUNS_MAX 4

struct notify {
	int read_fd, write_fd;
	unsigned run_ms;          /* a program has so long; 60 s */
	struct notify_rate rate;
	struct { pid_t pid; long long end_ms; bool is_killed; } runs[NOTIFY_RUNS_MAX];
	struct log_limit failures, broken;
};

#define NOTIFY_INIT { .read_fd = -1, .write_fd = -1 }

/* Master, before anything is forked. 0, -1 with errno. */
int notify_open(struct notify *n);
/* Master: about once a second, and when read_fd is readable. Ends what takes
 * too long, starts what may be started. True: read_fd is to be watched; false:
 * enough programs run, look again at the next tick. */
bool notify_tick(struct notify *n, const struct conf_global *g, const struct proc_identity *id);
/* What runs goes on without us, for its minute at most. */
void notify_close(struct notify *n);

#endif
