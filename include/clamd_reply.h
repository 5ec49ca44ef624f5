/* clamd_reply.h - what clamd answers, as octets. Pure.
 *
 * Commands are sent in the form "zCOMMAND\0", so that an answer ends with a
 * NUL and the engine's data with the connection:
 *
 *     fd[12]: OK                             stream: OK
 *     fd[12]: Name FOUND                     stream: Name(md5:size) FOUND
 *     stream: What went wrong ERROR          INSTREAM size limit exceeded. ERROR
 *     PONG                                   ClamAV 1.4.6/27812/Fri Nov 20 09:12:13 2026
 *
 * Anything else is no answer. In a session (zIDSESSION) the number of the
 * command stands before each, from 1:
 *
 *     3: fd[12]: OK
 *
 * and, where the next command does not come within clamd's ReadTimeout, even
 * while it still works on the last, a line without a number and a NUL:
 *
 *     COMMAND READ TIMED OUT
 *
 * Then it hangs up, after the answer to what it works on. Sources: clamd(8),
 * clamd.conf(5), and clamd 1.4 itself. */
#ifndef ESETS_CLAMD_REPLY_H
#define ESETS_CLAMD_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "scan_opts.h"
#include "verdict.h"

#define CLAMD_REPLY_MAX 2048   /* octets of one answer */
#define CLAMD_VERSION_MAX 64

struct clamd_reply {
	char text[CLAMD_REPLY_MAX + 1];
	size_t len;
	bool is_whole;
	bool timed_out;        /* that line stood before the answer */
};

enum clamd_kind {
	CLAMD_CLEAN, CLAMD_FOUND,
	CLAMD_OVERLIMIT,   /* not looked at to its end */
	CLAMD_ENCRYPTED,
	CLAMD_ERROR        /* it says that it could not scan */
};

void clamd_reply_init(struct clamd_reply *r);
/* Takes octets as received, any split legal. 1 the answer is whole (in text),
 * 0 more needed, -1 no answer of clamd: too long, control characters, anything
 * behind the one that is whole. */
int clamd_reply_push(struct clamd_reply *r, const void *p, size_t n, const char **why_out);
/* Is the text the answer to the command of that number in a session? 1 yes,
 * behind the number in *rest_out; 0 it has no number; -1 another one. */
int clamd_reply_number(const char *text, unsigned number, const char **rest_out);
/* What a whole answer to a scan means. name_out: the signature's name (also
 * of the kinds that clamd reports as one), or the error's text; cleaned. 0;
 * -1 this is no answer to a scan. */
int clamd_reply_scan(const char *text, enum clamd_kind *kind_out, char name_out[VERDICT_NAME_MAX]);
/* "1.4.6+27812@2026-11-20" of an answer to VERSION; without its end where
 * clamd has no database with a version. 0; -1 no such answer. */
int clamd_reply_version(const char *text, char out[CLAMD_VERSION_MAX]);
/* Does a detection of that name count under these settings? PUA.* are
 * applications (av_scan_app_*), Heuristics.* follow av_scan_heur and
 * av_scan_adv_heur, everything else counts. */
bool clamd_name_counts(const char *name, const struct scan_opts *opts);
/* The option that says so, or "" for what always counts. */
const char *clamd_name_option(const char *name);
/* Heuristics are reported at the end of a scan in which no signature was found;
 * any other name ends it (HeuristicScanPrecedence no, its default; measured). */
bool clamd_name_is_last(const char *name);

#endif
