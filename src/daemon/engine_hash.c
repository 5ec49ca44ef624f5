/* engine_hash.c - digest signatures, see engine_hash.h.
 *
 * One sorted array for each kind of digest. A record is the digest, the size
 * of the object it belongs to (or any), and where its name is in the pool.
 * A look-up interpolates: digests are spread evenly, so that a few steps
 * reach the place, and no index is needed beside the records.
 * Sizes that some signature names are kept apart, sorted: an object of
 * another size need not be hashed at all.
 * Figures are in esets_daemon(8). */
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
#include "str.h"

#define LINE_MAX_OCTETS 1024
#define WHY_OCTETS 256
#define BAD_LINES_LOGGED 10u
#define PATHS_MAX ((size_t)64 << 20)
#define FEW 32u                      /* records are sorted one by one */

/* Records lie behind each other without padding: digest, size, name. */
struct table {
	unsigned char *rec;
	size_t n, cap;
	uint32_t *sizes;         /* sorted, each once; not those of any size */
	size_t nsizes;
	bool any_size;           /* some signature fits every size */
};

struct db {
	struct table t[SIG_KIND_COUNT];
	char *names;             /* NUL-terminated, one behind the other */
	size_t names_len, names_cap;
	size_t last_name;        /* many lines in a row have the same name */
	unsigned bad_lines;
	bool has_broken_file;    /* not one of its lines is a signature */
	char others[WHY_OCTETS]; /* who else can change them, "" nobody */
	struct buf paths;        /* of files that hold signatures, each with its NUL */
	size_t files;            /* how many */
	time_t newest;           /* change of the newest of them */
};

static struct db *db;
static EVP_MD *algorithms[SIG_KIND_COUNT];

static size_t rec_len(enum sig_kind k)
{
	return sig_digest_len[k] + 2 * sizeof(uint32_t);
}

static unsigned char *rec_at(const struct table *t, enum sig_kind k, size_t i)
{
	return t->rec + i * rec_len(k);
}

static uint32_t rec_u32(const unsigned char *rec, enum sig_kind k, unsigned which)
{
	uint32_t v;

	memcpy(&v, rec + sig_digest_len[k] + which * sizeof v, sizeof v);
	return v;
}

static void db_free(struct db **dp)
{
	struct db *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	for (int k = 0; k < SIG_KIND_COUNT; k++) {
		free(d->t[k].rec);
		free(d->t[k].sizes);
	}
	buf_fini(&d->paths);
	free(d->names);
	free(d);
}

/* ---- loading --------------------------------------------------------------- */

static int64_t add_name(struct db *d, const char *name)
{
	size_t n = strlen(name) + 1;

	if (d->names_len > 0 && strcmp(d->names + d->last_name, name) == 0)
		return (int64_t)d->last_name;
	if (d->names_len + n > UINT32_MAX)
		return -1;
	if (d->names == NULL || d->names_len + n > d->names_cap) {
		size_t cap = d->names_cap > 0 ? d->names_cap + d->names_cap / 2 : 4096;
		char *p = realloc(d->names, cap > d->names_len + n ? cap : d->names_len + n);
		if (p == NULL)
			return -1;
		d->names = p;
		d->names_cap = cap > d->names_len + n ? cap : d->names_len + n;
	}
	memcpy(d->names + d->names_len, name, n);
	d->last_name = d->names_len;
	d->names_len += n;
	return (int64_t)d->last_name;
}

static int add_record(struct db *d, const struct sig *sig)
{
	const size_t len = sig_digest_len[sig->kind];
	struct table *t = &d->t[sig->kind];
	int64_t at = add_name(d, sig->name);

	if (at < 0)
		return -1;
	if (t->n == t->cap) {
		size_t cap = t->cap > 0 ? t->cap + t->cap / 2 : 256;
		unsigned char *p = realloc(t->rec, cap * rec_len(sig->kind));
		if (p == NULL)
			return -1;
		t->rec = p;
		t->cap = cap;
	}
	unsigned char *rec = rec_at(t, sig->kind, t->n++);
	uint32_t name_at = (uint32_t)at;
	memcpy(rec, sig->digest, len);
	memcpy(rec + len, &sig->size, sizeof sig->size);
	memcpy(rec + len + sizeof sig->size, &name_at, sizeof name_at);
	return 0;
}

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
		if (got > 0 && add_record(d, &sig) < 0)
			return -1;
		if (got < 0)
			bad_line(d, path, number);
		number++;
	}
	return ferror(f) ? -1 : 0;
}

static size_t count_of(const struct db *d)
{
	size_t n = 0;

	for (int k = 0; k < SIG_KIND_COUNT; k++)
		n += d->t[k].n;
	return n;
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
		count_of(d), d->files, date,
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
	const size_t before = count_of(d);
	const unsigned bad = d->bad_lines;
	FILE *f = open_file(d, path);
	if (f == NULL || load_stream(d, f, path, format) < 0 ||
	    (count_of(d) > before && note_file(d, f, path) < 0)) {
		snprintf(why, why_size, "%s: %s", path, f == NULL && errno == EINVAL ?
			"not a file" : strerror(errno));
		if (f != NULL)
			(void)fclose(f);
		return -1;
	}
	const char *wrong = count_of(d) > before ? NULL : why_no_good(d, f, path, bad);
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

static int compare_u32(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static void swap_records(unsigned char *a, unsigned char *b, size_t n)
{
	unsigned char tmp[SIG_DIGEST_MAX + 2 * sizeof(uint32_t)];

	memcpy(tmp, a, n);
	memcpy(a, b, n);
	memcpy(b, tmp, n);
}

static uint64_t prefix(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* Whole digests: the first eight octets decide nearly always. */
static bool is_above(const unsigned char *a, const unsigned char *b, size_t octets)
{
	const uint64_t x = prefix(a), y = prefix(b);

	return x != y ? x > y : memcmp(a, b, octets) > 0;
}

/* Few records, each pushed down to its place. */
static void sort_few(unsigned char *rec, size_t n, size_t len, size_t octets)
{
	unsigned char tmp[SIG_DIGEST_MAX + 2 * sizeof(uint32_t)];

	for (size_t i = 1; i < n; i++) {
		size_t to = i;
		while (to > 0 && is_above(rec + (to - 1) * len, rec + i * len, octets))
			to--;
		if (to == i)
			continue;
		memcpy(tmp, rec + i * len, len);
		memmove(rec + (to + 1) * len, rec + to * len, (i - to) * len);
		memcpy(rec + to * len, tmp, len);
	}
}

/* Sorts records in place by their digests, octet by octet from the first
 * (American flag sort): no second copy of hundreds of megabytes. */
static void sort_records(unsigned char *rec, size_t n, size_t len, size_t octet, size_t octets)
{
	if (octet == octets)
		return;
	if (n < FEW) {
		sort_few(rec, n, len, octets);
		return;
	}
	size_t start[256], end[256], at = 0, count[256] = { 0 };
	for (size_t i = 0; i < n; i++)
		count[rec[i * len + octet]]++;
	for (int c = 0; c < 256; c++) {
		start[c] = at;
		at += count[c];
		end[c] = at;
	}
	for (int c = 0; c < 256; c++) {
		for (size_t i = start[c]; i < end[c]; i = start[c]) {
			unsigned char to = rec[i * len + octet];
			if (to != c)
				swap_records(rec + i * len, rec + start[to] * len, len);
			start[to]++;
		}
	}
	for (int c = 0; c < 256; c++)
		sort_records(rec + (end[c] - count[c]) * len, count[c], len, octet + 1, octets);
}

/* Sorted, and its sizes known. */
static int finish_table(struct table *t, enum sig_kind k)
{
	if (t->n == 0)
		return 0;
	unsigned char *rec = realloc(t->rec, t->n * rec_len(k));
	if (rec != NULL)
		t->rec = rec;
	t->cap = t->n;
	sort_records(t->rec, t->n, rec_len(k), 0, sig_digest_len[k]);
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		n += rec_u32(rec_at(t, k, i), k, 0) != SIG_SIZE_ANY;
	t->any_size = n < t->n;
	if (n == 0)
		return 0;
	t->sizes = malloc(n * sizeof *t->sizes);
	if (t->sizes == NULL)
		return -1;
	for (size_t i = 0, w = 0; i < t->n; i++) {
		uint32_t size = rec_u32(rec_at(t, k, i), k, 0);
		if (size != SIG_SIZE_ANY)
			t->sizes[w++] = size;
	}
	qsort(t->sizes, n, sizeof *t->sizes, compare_u32);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || t->sizes[i] != t->sizes[t->nsizes - 1])
			t->sizes[t->nsizes++] = t->sizes[i];
	}
	/* Of millions of signatures they are some ten thousand. */
	uint32_t *sizes = realloc(t->sizes, t->nsizes * sizeof *t->sizes);
	if (sizes != NULL)
		t->sizes = sizes;
	return 0;
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
	for (int k = 0; k < SIG_KIND_COUNT; k++) {
		if (finish_table(&d->t[k], (enum sig_kind)k) < 0) {
			snprintf(why, why_size, "out of memory");
			return -1;
		}
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

	if (d != NULL)
		buf_init(&d->paths, PATHS_MAX);
	if (d == NULL || fetch_algorithms() < 0)
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
	if (count_of(d) == 0 && engine_hash_count() > 0)
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
	return db != NULL ? count_of(db) : 0;
}

long long engine_hash_time(void)
{
	return db != NULL && db->files > 0 ? (long long)db->newest : 0;
}

bool engine_hash_has_broken_file(void)
{
	return db != NULL && db->has_broken_file;
}

/* ---- looking up -------------------------------------------------------------- */

/* First record whose digest is not below the given one. */
static size_t lower_bound(const struct table *t, enum sig_kind k, const unsigned char *digest)
{
	size_t lo = 0, hi = t->n;
	uint64_t want = prefix(digest), lo_key = 0, hi_key = UINT64_MAX;

	for (unsigned step = 0; lo < hi; step++) {
		size_t mid = lo + (hi - lo) / 2;
		/* Interpolation, and now and then a bisection: a directory that was
		 * made to be uneven costs no more than a binary search twice over. */
		if (step % 4 != 3 && hi_key > lo_key && want >= lo_key && want <= hi_key) {
			double part = (double)(want - lo_key) / (double)(hi_key - lo_key);
			mid = lo + (size_t)(part * (double)(hi - lo - 1));
		}
		const unsigned char *rec = rec_at(t, k, mid);
		if (memcmp(rec, digest, sig_digest_len[k]) < 0) {
			lo = mid + 1;
			lo_key = prefix(rec);
		} else {
			hi = mid;
			hi_key = prefix(rec);
		}
	}
	return lo;
}

static const char *look_up(const struct db *d, enum sig_kind k, const unsigned char *digest,
	uint32_t size, bool sized_only)
{
	const struct table *t = &d->t[k];

	for (size_t i = lower_bound(t, k, digest); i < t->n; i++) {
		const unsigned char *rec = rec_at(t, k, i);
		if (memcmp(rec, digest, sig_digest_len[k]) != 0)
			break;
		uint32_t want = rec_u32(rec, k, 0);
		if (want == size || (want == SIG_SIZE_ANY && !sized_only))
			return d->names + rec_u32(rec, k, 1);
	}
	return NULL;
}

static bool has_size(const struct table *t, uint32_t size, bool sized_only)
{
	return (t->any_size && !sized_only) || (t->nsizes > 0 && bsearch(&size, t->sizes, t->nsizes,
		sizeof *t->sizes, compare_u32) != NULL);
}

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
		bool useful = db != NULL && db->t[k].n > 0 && algorithms[k] != NULL &&
			has_size(&db->t[k], size, o->sized_only);
		if (!wanted && !useful)
			continue;
		if (digest_of((enum sig_kind)k, o, call, digest) < 0) {
			str_copy(r->reason, sizeof r->reason, engine_hash_why(call));
			return ENGINE_ERROR;
		}
		if (wanted)
			str_hex(o->sha256_hex, digest, sig_digest_len[SIG_SHA256]);
		const char *name = useful ?
			look_up(db, (enum sig_kind)k, digest, size, o->sized_only) : NULL;
		if (name == NULL)
			continue;
		str_copy(r->name, sizeof r->name, name);
		if (!allow_has_name(allow_name, name))
			return ENGINE_FOUND;
	}
	return r->name[0] != '\0' ? ENGINE_FOUND : ENGINE_CLEAN;
}
