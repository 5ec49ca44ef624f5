/* engine_clamd.c - clamd as an engine.
 *
 * What is sent: the whole message as it came, and each decoded object that the
 * task finds in it. clamd takes messages apart too, but by its own reading of
 * MIME, and what it does not take for a message (by its first line) not at all;
 * a signature for whole messages, on the other hand, fits nothing but those.
 * The objects behind the message cost little: clamd remembers what it has just
 * called clean, and only digests it. (Measured, 100 kB in base64: 5.8 ms for
 * the message, 0.9 ms for the part behind it, 3.8 ms for a part it has not
 * seen.)
 *
 * How: to a UNIX socket by FILDES. The message's own descriptor goes on, an
 * object in memory is put into a memfd; clamd needs no right to read any file
 * and writes none. A clamd that answers with an error (a security module may
 * keep descriptors from it) gets the same by INSTREAM; where that works it is
 * remembered. Over TCP there is INSTREAM only.
 *
 * In sessions (IDSESSION), of which one serves for several objects, one after
 * the other, where the probe found that it knows them; else, and where a
 * session ended by itself, in a connection for each object. An answer has to
 * bear the number of its command, and after anything but a plain answer the
 * session is over: no answer can go astray. An idle one costs clamd a
 * descriptor and no thread.
 *
 * What has a limit for a name, or is larger than clamd_max_size, is over the
 * limit, never clean. Nor is an object clean in which clamd found a PUA that
 * does not count: it stops at the first signature, and whoever wrote the mail
 * may have put that one in front of another. */
#include "engine_clamd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clamd_reply.h"
#include "conf.h"
#include "engine_ext.h"
#include "sealed.h"
#include "str.h"

#define CHUNK_MAX (1u << 18)

static struct engine_ext ext = { .what = "clamd", .gate = ENGINE_GATE_CLAMD, .works_on = true };
static uint64_t max_size;

static const char cmd_session[] = "zIDSESSION"; /* with their NULs */
static const char cmd_fildes[] = "zFILDES";
static const char cmd_instream[] = "zINSTREAM";
static const char cmd_ping[] = "zPING";
static const char cmd_version[] = "zVERSION";

#define CMD_MAX (sizeof cmd_session + sizeof cmd_instream + 1)

/* --- one question, one answer --------------------------------------------------- */

/* The command, behind what begins a session where it is the first. */
static size_t put_command(struct engine_conn *c, char out[CMD_MAX], const char *cmd, size_t len)
{
	size_t n = 0;

	if (c->questions++ == 0 && c->is_session) {
		memcpy(out, cmd_session, sizeof cmd_session);
		n = sizeof cmd_session;
	}
	memcpy(out + n, cmd, len);
	return n + len;
}

static int send_command(struct engine_conn *c, const char *cmd, size_t len, bool more)
{
	char out[CMD_MAX];

	return engine_conn_send(c, out, put_command(c, out, cmd, len), more);
}

/* The text of an answer, without its number. */
static int take_number(struct engine_conn *c, const struct clamd_reply *reply, const char **text_out)
{
	*text_out = reply->text;
	if (!c->is_session)
		return reply->timed_out ? engine_conn_garbage(c, "COMMAND READ TIMED OUT") : 0;
	switch (clamd_reply_number(reply->text, c->questions, text_out)) {
	case 1: return 0;
	case 0:
		c->is_stale = true;
		return engine_conn_garbage(c, "it does not know sessions");
	default: return engine_conn_garbage(c, "an answer to another question");
	}
}

static int read_octets(struct engine_conn *c, struct clamd_reply *reply)
{
	char in[512];
	const char *why = "";
	ptrdiff_t n;
	int got = 0;

	clamd_reply_init(reply);
	while (got == 0) {
		n = engine_conn_recv(c, in, sizeof in);
		if (n < 0)
			return -1;
		if (n == 0)
			return reply->len > 0 ? engine_conn_garbage(c, "an answer without an end") :
				engine_conn_hung_up(c);
		got = clamd_reply_push(reply, in, (size_t)n, &why);
	}
	return got < 0 ? engine_conn_garbage(c, why) : 0;
}

/* A session that it closed before it saw the question, or because the next one
 * did not come while it still worked on this: not for this object's sake. */
static int read_reply(struct engine_conn *c, struct clamd_reply *reply, const char **text_out)
{
	if (read_octets(c, reply) == 0)
		return take_number(c, reply, text_out);
	c->is_stale = c->is_session && c->trouble == ENGINE_REFUSED &&
		(c->questions > 1 || reply->timed_out);
	return -1;
}

/* clamd hangs up behind the answer. If it answered before it had read all that
 * was sent, or has more to say, the answer is none to this object. */
static int read_end(struct engine_conn *c)
{
	char more;
	ptrdiff_t n = engine_conn_recv(c, &more, sizeof more);

	return n > 0 ? engine_conn_garbage(c, "more than one answer") : (int)n;
}

/* --- the object ------------------------------------------------------------- */

static int send_descriptor(struct engine_conn *c, const struct engine_object *o)
{
	char text[CMD_MAX];
	const bool may_lend = c->is_session && o->len <= ENGINE_SCRATCH_MAX;
	int fd = o->fd >= 0 ? o->fd :
		may_lend ? engine_scratch_fill(&c->scratch, o->data, o->len) :
		sealed_fd("esets-object", o->data, o->len);

	if (fd < 0)
		return engine_conn_garbage(c, "no memory for a descriptor");
	size_t n = put_command(c, text, cmd_fildes, sizeof cmd_fildes);
	text[n++] = '\0'; /* the octet that the descriptor belongs to */
	int rc = engine_conn_send_fd(c, text, n, fd);
	if (fd != o->fd && !may_lend)
		close(fd);
	return rc;
}

static int send_stream(struct engine_conn *c, const struct engine_object *o)
{
	uint32_t head;
	int rc = send_command(c, cmd_instream, sizeof cmd_instream, true);

	for (size_t at = 0; rc == 0 && at < o->len;) {
		size_t n = o->len - at < CHUNK_MAX ? o->len - at : CHUNK_MAX;
		head = htonl((uint32_t)n);
		rc = engine_conn_send(c, &head, sizeof head, true);
		if (rc == 0)
			rc = engine_conn_send(c, o->data + at, n, true);
		at += n;
	}
	head = 0;
	return rc == 0 ? engine_conn_send(c, &head, sizeof head, false) : rc;
}

/* --- a scan ------------------------------------------------------------------ */

struct question {
	const struct engine_object *o;
	const struct scan_opts *opts;
};

static enum engine_status judge(enum clamd_kind kind, const char *name, const struct scan_opts *opts,
	struct engine_result *r)
{
	static const enum engine_status status[] = {
		[CLAMD_CLEAN] = ENGINE_CLEAN, [CLAMD_FOUND] = ENGINE_FOUND,
		[CLAMD_OVERLIMIT] = ENGINE_OVERLIMIT, [CLAMD_ENCRYPTED] = ENGINE_ENCRYPTED,
		[CLAMD_ERROR] = ENGINE_ERROR,
	};

	if (kind == CLAMD_FOUND && !clamd_name_counts(name, opts)) {
		if (clamd_name_is_last(name))
			return ENGINE_CLEAN;
		snprintf(r->reason, sizeof r->reason, "clamd looked no further than %s (%s = no)",
			name, clamd_name_option(name));
		return ENGINE_NOTSCANNED;
	}
	if (kind == CLAMD_FOUND) {
		str_copy(r->name, sizeof r->name, name);
		if (clamd_name_option(name)[0] != '\0')
			snprintf(r->reason, sizeof r->reason, "it counts by %s",
				clamd_name_option(name));
	}
	if (kind != CLAMD_CLEAN && kind != CLAMD_FOUND)
		snprintf(r->reason, sizeof r->reason, "clamd: %s", name);
	return status[kind];
}

static int ask(struct engine_conn *c, bool by_fd, const struct question *q,
	enum clamd_kind *kind_out, char name[VERDICT_NAME_MAX])
{
	struct clamd_reply reply;
	const char *text;
	int rc = by_fd ? send_descriptor(c, q->o) : send_stream(c, q->o);

	/* 1: it has said something before it had everything. */
	if (rc < 0)
		c->is_stale = c->is_session && c->trouble == ENGINE_REFUSED && c->questions > 1;
	if (rc < 0 || read_reply(c, &reply, &text) < 0)
		return -1;
	if (clamd_reply_scan(text, kind_out, name) < 0)
		return engine_conn_garbage(c, "not an answer to a scan");
	if (*kind_out == CLAMD_OVERLIMIT || *kind_out == CLAMD_ERROR)
		return 0;
	if (rc == 1)
		return engine_conn_garbage(c, "an answer before the end of the object");
	c->is_answered = c->is_session && !reply.timed_out;
	return c->is_session ? 0 : read_end(c);
}

static int talk(struct engine_conn *c, struct engine_peer *peer, void *arg,
	enum engine_status *status_out, struct engine_result *r)
{
	const struct question *q = arg;
	bool by_fd = peer->ep.addr.family == AF_UNIX && !peer->no_fds;
	char name[VERDICT_NAME_MAX], again[VERDICT_NAME_MAX];
	struct engine_conn second;
	enum clamd_kind kind;

	if (ask(c, by_fd, q, &kind, name) < 0) {
		peer->no_sessions |= c->is_stale && c->trouble == ENGINE_GARBAGE;
		return -1;
	}
	if (by_fd && kind == CLAMD_ERROR) {
		/* Either it cannot have the descriptor or it cannot scan the object. */
		if (engine_conn_open(&second, &peer->ep, ext.connect_ms, ext.read_ms, c->call) == 0 &&
		    ask(&second, false, q, &kind, again) == 0) {
			peer->no_fds = kind != CLAMD_ERROR;
			memcpy(name, again, sizeof name);
		}
		engine_conn_close(c);
		*c = second;
		if (c->trouble != ENGINE_FINE)
			return -1;
	}
	if (kind == CLAMD_ERROR)
		return engine_conn_garbage(c, name);
	*status_out = judge(kind, name, q->opts, r);
	return 0;
}

static enum engine_status av(struct engine_object *o, const struct scan_opts *opts,
	const struct engine_call *call, struct engine_result *r)
{
	struct question q = { .o = o, .opts = opts };

	if (o->len > max_size) {
		str_copy(r->reason, sizeof r->reason, "larger than clamd_max_size");
		return ENGINE_OVERLIMIT;
	}
	return engine_ext_ask(&ext, talk, &q, call, r);
}

/* --- how it does --------------------------------------------------------------- */

static int ping(struct engine_conn *c)
{
	struct clamd_reply reply;
	const char *text;

	if (send_command(c, cmd_ping, sizeof cmd_ping, false) < 0 || read_reply(c, &reply, &text) < 0)
		return -1;
	return strcmp(text, "PONG") == 0 ? 0 : engine_conn_garbage(c, "not an answer to PING");
}

static void ask_version(struct engine_conn *c, struct engine_peer *peer)
{
	struct clamd_reply reply;
	char version[CLAMD_VERSION_MAX];
	const char *text;

	if (send_command(c, cmd_version, sizeof cmd_version, false) >= 0 &&
	    read_reply(c, &reply, &text) == 0 && clamd_reply_version(text, version) == 0)
		str_copy(peer->note, sizeof peer->note, version);
}

static int open_again(struct engine_conn *c, const struct engine_peer *peer)
{
	const struct engine_call *call = c->call;

	engine_conn_close(c);
	return engine_conn_open(c, &peer->ep, ext.connect_ms, c->read_ms, call);
}

/* PING says whether it is alive, in a session or, where it does not answer as
 * one that knows them, without; what it calls itself is only for vdb=. */
static int probe(struct engine_conn *c, struct engine_peer *peer)
{
	struct engine_conn second;

	peer->no_fds = false; /* what kept descriptors from it may be mended */
	c->is_session = true;
	peer->has_sessions = ping(c) == 0;
	if (peer->has_sessions) {
		ask_version(c, peer);
		return 0;
	}
	if (c->trouble != ENGINE_REFUSED && c->trouble != ENGINE_GARBAGE)
		return -1;
	if (open_again(c, peer) < 0 || ping(c) < 0)
		return -1;
	second = (struct engine_conn){ .call = c->call, .read_ms = c->read_ms, .fd = -1,
		.scratch = ENGINE_SCRATCH_NONE };
	if (open_again(&second, peer) == 0)
		ask_version(&second, peer);
	engine_conn_close(&second);
	return 0;
}

static int load(const struct conf *c)
{
	max_size = c->global.clamd_max_size;
	ext.probe = probe;
	return engine_ext_load(&ext, c->global.clamd_addr, c);
}

static size_t version(char *out, size_t size)
{
	char note[ENGINE_NOTE_MAX];

	engine_ext_note(&ext, note);
	return (size_t)snprintf(out, size, "clamd%s%s", note[0] != '\0' ? ":" : "", note);
}

static void watch(const struct engine_call *call)
{
	engine_ext_watch(&ext, call);
}

static bool is_up(void)
{
	return engine_ext_is_up(&ext);
}

/* Midnight of the day that its note ends with. */
static long long data_time(void)
{
	char note[ENGINE_NOTE_MAX];
	struct tm tm = { .tm_sec = 0 };

	engine_ext_note(&ext, note);
	const char *day = strchr(note, '@');
	return day != NULL && strptime(day + 1, "%Y-%m-%d", &tm) != NULL ? timegm(&tm) : 0;
}

const struct engine engine_clamd = {
	.name = "clamd", .looks_inside = true, .load = load, .version = version, .av = av, .watch = watch,
	.is_up = is_up, .data_time = data_time, .ext = &ext,
};
