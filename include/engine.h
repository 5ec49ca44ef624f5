/* engine.h - the engines of esets_daemon behind one small table.
 *
 * An engine looks at an object (av: octets of one part, whole, decoded) or at
 * a message (as). Daemon side only; blocking; one thread at a time per ctx. */
#ifndef ESETS_ENGINE_H
#define ESETS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan_msg.h"

struct conf;
struct engine_ext;

struct engine_object {
	const unsigned char *data; size_t len;
	int fd;                      /* -1, or a descriptor that holds exactly data */
	const char *name;            /* file name, "" */
	bool is_message;             /* the whole message as received */
	bool sized_only;             /* signatures of any size are not for it */
	bool want_sha256;            /* fill in sha256_hex */
	char sha256_hex[65];         /* out: "" or the digest */
	bool is_allowed;             /* its digest is in av_allow_hash: finds don't count */
	char allowed[VERDICT_NAME_MAX];   /* out: a find that did not count, "" none */
	unsigned marks;              /* as: what engines_mark said of its parts */
};

enum engine_status { ENGINE_CLEAN, ENGINE_FOUND, ENGINE_NOTSCANNED, ENGINE_OVERLIMIT,
	ENGINE_ENCRYPTED, ENGINE_ERROR /* no verdict: unavailable */ };

struct engine_result {
	char name[VERDICT_NAME_MAX];      /* FOUND: signature name */
	char reason[VERDICT_REASON_MAX];  /* others: why; FOUND: why it counts, or "" */
	int score_milli;                  /* as */
	bool is_inside;                   /* FOUND: perhaps in what the object holds */
};

/* How long a scan may take, and whether anybody still waits for it. */
struct engine_call {
	long long deadline_ms;            /* CLOCK_MONOTONIC */
	bool (*cancelled)(void *arg);     /* or NULL */
	void *arg;
};

/* Shall it go on? call may be NULL: it shall. */
bool engine_call_goes_on(const struct engine_call *call);

struct engine {
	const char *name;                 /* as in av_engines, as_engines */
	bool looks_inside;                /* finds in a container what lies in it */
	/* Parent, before the fork: load data. 0, -1 logged. NULL: nothing to do. */
	int (*load)(const struct conf *c);
	/* "builtin:EICAR+123" piece for vdb. */
	size_t (*version)(char *out, size_t size);
	/* Looks at each decoded object of a message that is to be judged for spam;
	 * true: this engine will call the message spam. May be NULL. A call that is
	 * over ends early. */
	bool (*mark)(const unsigned char *data, size_t len, const struct engine_call *call);
	/* Either may be NULL: not that kind of engine. A call that is cancelled
	 * ends early, with ERROR. */
	enum engine_status (*av)(struct engine_object *o, const struct scan_opts *opts,
		const struct engine_call *call, struct engine_result *r);
	enum engine_status (*as)(const struct engine_object *o, bool is_marked,
		const struct scan_request *req, const struct engine_call *call,
		struct engine_result *r);
	/* Of an external engine: asked about once a second by a thread of each
	 * worker, to see how it does. May be NULL. */
	void (*watch)(const struct engine_call *call);
	/* How it does, as far as this process knows. NULL: always up. */
	bool (*is_up)(void);
	/* Unix time of its signatures, 0 not known. May be NULL. */
	long long (*data_time)(void);
	struct engine_ext *ext;           /* of an external engine, else NULL */
};

/* Chosen by av_engines and as_engines; -1 and a text for a name that does not
 * exist or a load that fails. */
int engines_load(const struct conf *c, char *why, size_t why_size);
/* Text for vdb=, of all engines in force. Returns out. */
const char *engines_version(char *out, size_t size);
/* Is any engine in force external? Then engine_watch.h's thread calls this. */
bool engines_are_watched(void);
/* A turn of all that are; what they know then is counted (stats.h). */
void engines_watch(const struct engine_call *call);
/* External engine number n (its gate over ENGINE_GATE_ALTS), below
 * ENGINES_EXTERNAL; NULL: it is not in force. */
#define ENGINES_EXTERNAL 3u
struct engine_ext *engines_external(unsigned n);
/* All av engines in order: FOUND at the first that finds what av_allow_name
 * and is_allowed do not let pass; else the most serious of what they said
 * (ERROR before NOTSCANNED kinds before CLEAN). No engine: ERROR, "no engine". */
enum engine_status engines_av(struct engine_object *o, const struct scan_opts *opts,
	const struct engine_call *call, struct engine_result *r);
/* A bit for each as engine whose mark found something in this object. */
unsigned engines_mark(const unsigned char *data, size_t len, const struct engine_call *call);
enum engine_status engines_as(const struct engine_object *o, const struct scan_request *req,
	const struct engine_call *call, struct engine_result *r);

#endif
