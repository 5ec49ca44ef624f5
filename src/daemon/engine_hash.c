/* engine_hash.c - digest signatures, see engine_hash.h: which files they are
 * loaded from, and when they take the place of others. */
#include "engine_hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "allow.h"
#include "buf.h"
#include "log.h"
#include "pace.h"
#include "sig_line.h"
#include "sig_owner.h"
#include "sig_table.h"
#include "str.h"

#define LINE_MAX_OCTETS 1024
#define WHY_OCTETS 256
#define BAD_LINES_LOGGED 10u
#define PATHS_MAX ((size_t)64 << 20)

struct db {
	struct sig_table *sigs;
	unsigned bad_lines;
	bool has_broken_file;    /* not one of its lines is a signature */
	char others[WHY_OCTETS]; /* who else can change them, "" nobody */
	struct buf paths;        /* of files that hold signatures, each with its NUL */
	size_t files;            /* how many */
	time_t newest;           /* change of the newest of them */
};

static struct db *db;
static EVP_MD *algorithms[SIG_KIND_COUNT];

static void db_free(struct db **dp)
{
	struct db *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	sig_table_free(d->sigs);
	buf_fini(&d->paths);
	free(d);
}

/* ---- loading --------------------------------------------------------------- */

/* A file that somebody may believe to be in use. */
static bool is_notable(const char *file)
{
	size_t n = strlen(file);

	return file[0] != '.' && strncmp(file, "README", 6) != 0 && file[n - 1] != '~';
}

static void bad_line(struct db *d, const char *path, unsigned long number)
{
	if (d->bad_lines++ < BAD_LINES_LOGGED)
		log_warning("%s:%lu: not a signature, skipped", path, number);
}

static int load_stream(struct db *d, FILE *f, const char *path, enum sig_format format)
{
	char line[LINE_MAX_OCTETS];
	bool skip = false;   /* the rest of a line that was too long */

	for (unsigned long number = 1; fgets(line, sizeof line, f) != NULL;) {
		bool whole = strchr(line, '\n') != NULL || feof(f);
		bool was_skip = skip;
		skip = !whole;
		if (skip || was_skip) {
			if (!was_skip)
				bad_line(d, path, number);
			number += whole;
			continue;
		}
		line[strcspn(line, "\r\n")] = '\0';
		struct sig sig;
		int got = sig_line_parse(line, format, &sig);
		if (got > 0 && sig_table_add(d->sigs, &sig) < 0)
			return -1;
		if (got < 0)
			bad_line(d, path, number);
		number++;
	}
	return ferror(f) ? -1 : 0;
}

static int note_file(struct db *d, FILE *f, const char *path)
{
	struct stat st;

	if (buf_append(&d->paths, path, strlen(path) + 1) < 0)
		return -1;
	d->files++;
	if (fstat(fileno(f), &st) == 0 && st.st_mtime > d->newest)
		d->newest = st.st_mtime;
	return 0;
}

static bool was_loaded(const struct db *d, const char *path)
{
	const char *all = (const char *)buf_head(&d->paths);
	size_t at = 0;

	if (all == NULL)
		return false;
	while (at < buf_len(&d->paths) && strcmp(all + at, path) != 0)
		at += strlen(all + at) + 1;
	return at < buf_len(&d->paths);
}

/* Half a download, a page that says sorry, nothing at all where signatures were: what is
 * in force is better. A file that went is somebody's will. NULL or what is wrong. */
static const char *why_no_good(const struct db *d, FILE *f, const char *path, unsigned bad_before)
{
	if (d->bad_lines > bad_before)
		return "none of its lines is a signature";
	if (ftell(f) == 0 && db != NULL && was_loaded(db, path))
		return "it is empty, and held signatures; remove it if they are to go";
	return NULL;
}

static void log_age(const struct db *d, const char *path)
{
	const time_t now = time(NULL);
	struct tm tm;
	char date[32];

	if (d->files == 0)
		return;
	if (gmtime_r(&d->newest, &tm) == NULL ||
	    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		date[0] = '\0';
	log_info("%s: %zu signatures in %zu files, the newest of %s, %lld days old", path,
		sig_table_count(d->sigs), d->files, date,
		now > d->newest ? (long long)(now - d->newest) / 86400 : 0LL);
}

/* To read, and nothing that a reader would wait for. NULL with errno. */
static FILE *open_file(struct db *d, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	FILE *f = NULL;

	if (fd < 0 || fstat(fd, &st) < 0)
		;
	else if (!S_ISREG(st.st_mode))
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	else
		f = fdopen(fd, "r");
	const int error = errno;
	if (f == NULL && fd >= 0)
		close(fd);
	else if (f != NULL && d->others[0] == '\0')
		(void)sig_owner_others_file(path, &st, d->others, sizeof d->others);
	errno = error;
	return f;
}

static int load_file(struct db *d, const char *dir, const char *file, char *why, size_t why_size)
{
	char path[4096];
	enum sig_format format = sig_format_of(file);

	snprintf(path, sizeof path, "%s/%s", dir, file);
	if (format == SIG_NONE) {
		if (is_notable(file))
			log_warning("%s: not loaded, its name ends in none of .hdb .hsb .sha256 .txt",
				path);
		return 0;
	}
	const size_t before = sig_table_count(d->sigs);
	const unsigned bad = d->bad_lines;
	FILE *f = open_file(d, path);
	if (f == NULL || load_stream(d, f, path, format) < 0 ||
	    (sig_table_count(d->sigs) > before && note_file(d, f, path) < 0)) {
		snprintf(why, why_size, "%s: %s", path, f == NULL && errno == EINVAL ?
			"not a file" : strerror(errno));
		if (f != NULL)
			(void)fclose(f);
		return -1;
	}
	const char *wrong = sig_table_count(d->sigs) > before ? NULL : why_no_good(d, f, path, bad);
	(void)fclose(f); /* it was only read */
	if (wrong == NULL)
		return 0;
	/* At the start nothing is in force, and the other files are better than none. */
	if (db == NULL) {
		log_warning("%s: %s; with it a reload is refused", path, wrong);
		d->has_broken_file = true;
		return 0;
	}
	snprintf(why, why_size, "%s: %s", path, wrong);
	return -1;
}

static int fetch_algorithms(void)
{
	static const char *const names[SIG_KIND_COUNT] = { "MD5", "SHA1", "SHA256" };

	for (int k = 0; k < SIG_KIND_COUNT; k++) {
		if (algorithms[k] == NULL)
			algorithms[k] = EVP_MD_fetch(NULL, names[k], NULL);
	}
	/* A system may forbid MD5; its signatures are then of no use. */
	return algorithms[SIG_SHA256] != NULL ? 0 : -1;
}

static int load_dir(struct db *d, DIR *dir, const char *path, char *why, size_t why_size)
{
	const struct dirent *e;

	while ((e = readdir(dir)) != NULL) {
		if (load_file(d, path, e->d_name, why, why_size) < 0)
			return -1;
	}
	if (sig_table_finish(d->sigs) < 0) {
		snprintf(why, why_size, "out of memory");
		return -1;
	}
	return 0;
}

/* Signatures of root's are not given up for those of somebody else, who may have
 * swapped the directory. A start takes what there is, and says so. */
static int look_at_others(const struct db *d, char *why, size_t why_size)
{
	if (d->others[0] == '\0')
		return 0;
	if (db != NULL && db->others[0] == '\0') {
		snprintf(why, why_size, "%s, and so far nobody but root could", d->others);
		return -1;
	}
	log_warning("signatures: %s", d->others);
	return 0;
}

int engine_hash_load(const char *path, char *why, size_t why_size)
{
	struct db *d = calloc(1, sizeof *d);
	DIR *dir = opendir(path);
	int status = -1;

	if (d != NULL) {
		buf_init(&d->paths, PATHS_MAX);
		d->sigs = sig_table_new();
	}
	if (d == NULL || d->sigs == NULL || fetch_algorithms() < 0)
		snprintf(why, why_size, "out of memory, or libcrypto has no SHA-256");
	else if (dir == NULL && errno != ENOENT)
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
	else
		status = dir != NULL ? load_dir(d, dir, path, why, why_size) : 0;
	if (status == 0) {
		(void)sig_owner_others_dir(path, d->others, sizeof d->others);
		status = look_at_others(d, why, why_size);
	}
	if (dir != NULL)
		closedir(dir);
	else if (status == 0)
		log_info("%s does not exist: no hash signatures", path);
	if (status < 0) {
		db_free(&d);
		return -1;
	}
	if (d->bad_lines > BAD_LINES_LOGGED)
		log_warning("%s: %u bad lines in all", path, d->bad_lines);
	log_age(d, path);
	if (sig_table_count(d->sigs) == 0 && engine_hash_count() > 0)
		log_warning("%s: no signatures are left, of %lu before", path, engine_hash_count());
	db_free(&db);
	db = d;
	return 0;
}

void engine_hash_unload(void)
{
	db_free(&db);
	for (int k = 0; k < SIG_KIND_COUNT; k++) {
		EVP_MD_free(algorithms[k]);
		algorithms[k] = NULL;
	}
}

unsigned long engine_hash_count(void)
{
	return db != NULL ? sig_table_count(db->sigs) : 0;
}

long long engine_hash_time(void)
{
	return db != NULL && db->files > 0 ? (long long)db->newest : 0;
}

bool engine_hash_has_broken_file(void)
{
	return db != NULL && db->has_broken_file;
}

bool engine_hash_is_of_others(void)
{
	return db != NULL && db->others[0] != '\0';
}

/* ---- looking up -------------------------------------------------------------- */

const char *engine_hash_why(const struct engine_call *call)
{
	return engine_call_goes_on(call) ? "hashing failed" : "the scan took longer than av_scan_timeout";
}

/* Seconds, for a message of gigabytes. */
static int digest_long(const EVP_MD *md, const struct engine_object *o,
	const struct engine_call *call, unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c != NULL && EVP_DigestInit_ex(c, md, NULL) == 1;

	for (size_t at = 0, end; ok && at < o->len; at = end) {
		end = pace_end(at, o->len);
		ok = engine_call_goes_on(call) && EVP_DigestUpdate(c, o->data + at, end - at) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(c, out, NULL) == 1;
	EVP_MD_CTX_free(c);
	return ok ? 0 : -1;
}

static int digest_of(enum sig_kind k, const struct engine_object *o, const struct engine_call *call,
	unsigned char out[EVP_MAX_MD_SIZE])
{
	if (k == SIG_SHA256 && o->sha256_hex[0] != '\0')
		return str_unhex(out, sig_digest_len[SIG_SHA256], o->sha256_hex);
	/* Without this engine in force nothing was fetched. */
	const EVP_MD *md = algorithms[k] == NULL && k == SIG_SHA256 ? EVP_sha256() : algorithms[k];
	if (o->len > PACE_OCTETS)
		return digest_long(md, o, call, out);
	return EVP_Digest(o->len > 0 ? (const void *)o->data : "", o->len, out, NULL, md,
		NULL) == 1 ? 0 : -1;
}

int engine_hash_sha256(struct engine_object *o, const struct engine_call *call)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (o->sha256_hex[0] != '\0')
		return 0;
	if (digest_of(SIG_SHA256, o, call, digest) < 0)
		return -1;
	str_hex(o->sha256_hex, digest, sig_digest_len[SIG_SHA256]);
	return 0;
}

enum engine_status engine_hash_scan(struct engine_object *o, const char *allow_name,
	const struct engine_call *call, struct engine_result *r)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	const uint32_t size = o->len < SIG_SIZE_ANY ? (uint32_t)o->len : SIG_SIZE_ANY - 1;

	r->name[0] = '\0';
	for (int k = SIG_KIND_COUNT - 1; k >= 0; k--) {
		bool wanted = k == SIG_SHA256 && o->want_sha256;
		bool useful = db != NULL && algorithms[k] != NULL &&
			sig_table_may_have(db->sigs, (enum sig_kind)k, size, o->sized_only);
		if (!wanted && !useful)
			continue;
		if (digest_of((enum sig_kind)k, o, call, digest) < 0) {
			str_copy(r->reason, sizeof r->reason, engine_hash_why(call));
			return ENGINE_ERROR;
		}
		if (wanted)
			str_hex(o->sha256_hex, digest, sig_digest_len[SIG_SHA256]);
		const char *name = useful ? sig_table_find(db->sigs, (enum sig_kind)k, digest, size,
			o->sized_only) : NULL;
		if (name == NULL)
			continue;
		str_copy(r->name, sizeof r->name, name);
		if (!allow_has_name(allow_name, name))
			return ENGINE_FOUND;
	}
	return r->name[0] != '\0' ? ENGINE_FOUND : ENGINE_CLEAN;
}
