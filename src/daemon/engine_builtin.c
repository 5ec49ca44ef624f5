/* engine_builtin.c - EICAR, GTUBE and digests, see engine_builtin.h.
 *
 * EICAR by the rule of its publisher: the 68 octets at the very start of the
 * object, and behind them nothing but white space up to 128 octets in all.
 * The test strings are put together at run time, so that neither this file
 * nor the program is what they are for. */
#include "config.h"

#include "engine_builtin.h"

#include <stdio.h>
#include <string.h>

#include "allow.h"
#include "conf.h"
#include "engine_hash.h"
#include "find.h"
#include "log.h"
#include "pace.h"
#include "str.h"

#define EICAR_LEN 68u
#define EICAR_MAX 128u
#define GTUBE_SCORE_MILLI 1000000
#define SPAM_DEFAULT_MILLI 5000u

static const char eicar_name[] = "EICAR-Test-File";
static const char eicar_head[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$";
static const char eicar_tail[] = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
static const char gtube_head[] = "XJS*C4JDBQADN1.NSBN3*2IDNEN*";
static const char gtube_tail[] = "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

/* By its publisher's rule: at most 128 octets, with white space behind it, where a line
 * end is one octet: so mail is stored. */
static bool is_eicar(const unsigned char *p, size_t len)
{
	const size_t head = sizeof eicar_head - 1;
	size_t n = EICAR_LEN;

	if (len < EICAR_LEN || len > (size_t)2 * EICAR_MAX || memcmp(p, eicar_head, head) != 0 ||
	    memcmp(p + head, eicar_tail, sizeof eicar_tail - 1) != 0)
		return false;
	for (size_t i = EICAR_LEN; i < len; i++) {
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): five octets, not NUL */
		if (memchr(" \t\r\n\x1a", p[i], 5) == NULL)
			return false;
		n += p[i] != '\r' || i + 1 == len || p[i + 1] != '\n';
	}
	return n <= EICAR_MAX;
}

static bool find_gtube(const unsigned char *p, size_t len)
{
	const size_t head = sizeof gtube_head - 1, tail = sizeof gtube_tail - 1;
	const unsigned char *end = p + len;

	while ((size_t)(end - p) >= head + tail) {
		p = find_octets(p, (size_t)(end - p), gtube_head, head);
		if (p == NULL)
			return false;
		p += head;
		if ((size_t)(end - p) >= tail && memcmp(p, gtube_tail, tail) == 0)
			return true;
	}
	return false;
}

/* In pieces, behind each of which some octets more are looked at. */
static bool has_gtube(const unsigned char *p, size_t len, const struct engine_call *call)
{
	const size_t more = sizeof gtube_head + sizeof gtube_tail;
	bool found = false;

	for (size_t at = 0, end; !found && at < len && (at == 0 || engine_call_goes_on(call)); at = end) {
		end = pace_end(at, len);
		found = find_gtube(p + at, (len - end < more ? len : end + more) - at);
	}
	return found;
}

static int load(const struct conf *c)
{
	char why[256];

	if (engine_hash_load(c->global.av_signature_dir, why, sizeof why) == 0)
		return 0;
	log_error("signatures: %s", why);
	return -1;
}

static size_t version(char *out, size_t size)
{
	return (size_t)snprintf(out, size, "builtin:%s+%lu", PACKAGE_VERSION, engine_hash_count());
}

static enum engine_status av(struct engine_object *o, const struct scan_opts *opts,
	const struct engine_call *call, struct engine_result *r)
{
	/* Always: it fills in the digest too. */
	enum engine_status s = engine_hash_scan(o, opts->allow_name, call, r);

	if (!is_eicar(o->data, o->len) ||
	    (s == ENGINE_FOUND && allow_has_name(opts->allow_name, eicar_name)))
		return s;
	snprintf(r->name, sizeof r->name, "%s", eicar_name);
	return ENGINE_FOUND;
}

static enum engine_status as(const struct engine_object *o, bool is_marked,
	const struct scan_request *req, const struct engine_call *call, struct engine_result *r)
{
	const uint32_t limit = req->opts.as_spam_score_milli;

	r->score_milli = is_marked || has_gtube(o->data, o->len, call) ? GTUBE_SCORE_MILLI : 0;
	if (r->score_milli == 0 && o->len > PACE_OCTETS && !engine_call_goes_on(call)) {
		str_copy(r->reason, sizeof r->reason, "the scan took longer than av_scan_timeout");
		return ENGINE_ERROR; /* it may not have come to the end */
	}
	return (uint32_t)r->score_milli >= (limit != 0 ? limit : SPAM_DEFAULT_MILLI) ?
		ENGINE_FOUND : ENGINE_CLEAN;
}

const struct engine engine_builtin = {
	.name = "builtin", .load = load, .version = version, .mark = has_gtube, .av = av, .as = as,
	.data_time = engine_hash_time,
};
