/* engine_hash.h - signatures that are digests of whole objects.
 *
 * Loaded once by the master, before the fork, and then only read: all workers
 * share one copy. The only module that uses libcrypto.
 *
 * Files of the signature directory, by name:
 *   *.hdb            MD5:size:name              ClamAV's form
 *   *.hsb            SHA1 or SHA256:size or *:name[:level]
 *   *.sha256 *.txt   SHA256, or SHA256 and a name behind blanks
 * Empty lines and lines that begin with # are skipped; bad lines are reported
 * with file and line and skipped. Other files are reported and left alone,
 * but for hidden ones, README* and *~.
 *
 * A mail on its way is the object where digests cost most and tell least: it is
 * as long as all its parts, and its trace header makes it another one each time.
 * For it only those signatures count that name its size (sized_only), so that it
 * is digested only where one of them may fit. */
#ifndef ESETS_ENGINE_HASH_H
#define ESETS_ENGINE_HASH_H

#include "engine.h"

/* Reads the directory and puts what it holds in force, in place of what was
 * before. A directory that does not exist holds nothing. 0; -1 with a text:
 * what was in force stays. That happens also, if something is in force, for a file
 * without a single good line, and for one that is empty and held signatures. */
int engine_hash_load(const char *dir, char *why, size_t why_size);
void engine_hash_unload(void);
unsigned long engine_hash_count(void);
/* Unix time of the newest of its files, 0 there are none. */
long long engine_hash_time(void);
/* A file without a single good line was passed over: it would not be, were something
 * in force. */
bool engine_hash_has_broken_file(void);
/* Others than root and ourselves can change what is in force: it would not take the
 * place of what they cannot. */
bool engine_hash_is_of_others(void);
/* call of the following may be NULL: for as long as it takes.
 *
 * FOUND with the name in r, CLEAN, or ERROR. Fills o->sha256_hex if wanted.
 * Where several signatures fit, one whose name is not in allow_name (a list as
 * allow.h has it) comes first. */
enum engine_status engine_hash_scan(struct engine_object *o, const char *allow_name,
	const struct engine_call *call, struct engine_result *r);
/* Fills o->sha256_hex. 0; -1 the library refused, or call is over. */
int engine_hash_sha256(struct engine_object *o, const struct engine_call *call);
/* Why there is no digest. Large objects are digested in pieces, and the call is asked
 * between them whether it goes on. */
const char *engine_hash_why(const struct engine_call *call);

#endif
