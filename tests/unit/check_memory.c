/* check_memory.c - when there is no memory: configuration, user sections, messages
 * between agent and daemon, the quarantine.
 *
 * The linker puts the functions below before those of libc (--wrap), for all of our
 * libraries that are linked here, and for check, which has its memory: only what
 * STARVED() calls runs out. Each thing is done again and again: first the first allocation fails, then the second, and so on until it is
 * done without one; once with that allocation alone, once with all behind it too.
 * Whatever fails, it is an error, or all of it is there; never a part of it, and no
 * block is left. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "config.h"
#include "quar_dir.h"
#include "quar_meta.h"
#include "quar_store.h"
#include "scan_msg.h"
#include "smtp_ehlo.h"
#include "unit.h"
#include "user_match.h"

/* --- the allocator ---------------------------------------------------------- */

#define BLOCKS_MAX 4096

static void *blocks[BLOCKS_MAX]; /* that live; NULL: free place */
static unsigned nblocks, seen, fails_at; /* fails_at 0: none fails */
static bool all_behind, has_failed, is_starved;

/* The call, whose allocations count, and one of which fails. */
#define STARVED(call) __extension__ ({ \
	is_starved = true; \
	__typeof__(call) result_ = (call); \
	is_starved = false; \
	result_; \
})

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *p);

static bool is_time_to_fail(void)
{
	bool fails;

	if (!is_starved)
		return false;
	seen++;
	fails = fails_at > 0 && (seen == fails_at || (all_behind && seen > fails_at));
	has_failed |= fails;
	if (fails)
		errno = ENOMEM;
	return fails;
}

static void *born(void *p)
{
	unsigned i = 0;

	if (p == NULL || !is_starved)
		return p;
	while (i < BLOCKS_MAX && blocks[i] != NULL)
		i++;
	if (i == BLOCKS_MAX)
		abort();
	blocks[i] = p;
	nblocks++;
	return p;
}

static void died(const void *p)
{
	for (unsigned i = 0; p != NULL && i < BLOCKS_MAX; i++) {
		if (blocks[i] == p) {
			blocks[i] = NULL;
			nblocks--;
			return;
		}
	}
}

void *__wrap_malloc(size_t n)
{
	return is_time_to_fail() ? NULL : born(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return is_time_to_fail() ? NULL : born(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (is_time_to_fail())
		return NULL;
	died(p);
	return born(__real_realloc(p, n));
}

char *__wrap_strdup(const char *s)
{
	return is_time_to_fail() ? NULL : born(__real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t n)
{
	return is_time_to_fail() ? NULL : born(__real_strndup(s, n));
}

void __wrap_free(void *p)
{
	died(p);
	__real_free(p);
}

/* A thing to be done: true when all of it was done, false when it said that there is
 * no memory. It checks what came out, and frees it. */
typedef bool (*doing_fn)(void);

static void again_and_again(doing_fn doing, unsigned at_least)
{
	for (unsigned both = 0; both < 2; both++) {
		unsigned n = 0, failures = 0;
		all_behind = both;
		do {
			fails_at = ++n;
			seen = 0;
			has_failed = false;
			bool is_done = doing();
			ck_assert_msg(has_failed || is_done, "allocation %u: an error without one", n);
			ck_assert_msg(nblocks == 0, "allocation %u: %u blocks are left", n, nblocks);
			failures += !is_done;
		} while (has_failed);
		ck_assert_uint_ge(failures, at_least);
	}
}

/* --- configuration ----------------------------------------------------------- */

static char dir[UNIT_PATH_SIZE], cfg_path[300], user_path[300], store_path[300], said[1000];
static char whole[200000];

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	unit_dir(dir);
	snprintf(cfg_path, sizeof cfg_path, "%s/esets.cfg", dir);
	snprintf(user_path, sizeof user_path, "%s/users.cfg", dir);
	snprintf(store_path, sizeof store_path, "%s/quarantine", dir);
	write_file(cfg_path, "[global]\nav_scan_timeout = 77\ndaemon_allowed_users = \"root:esets\"\n"
		"[smtp]\nagent_enabled = yes\nlisten_addr = \"127.0.0.1\"\nlisten_port = 2526\n"
		"server_addr = \"127.0.0.1\"\nserver_port = 2525\nuser_config = users.cfg\n");
	write_file(user_path, "[black]\naction_av = reject\n[example.org]\nparent_id = black\n"
		"[a@example.com|b@example.net]\naction_av = accept\n[|example.net]\n"
		"action_av = defer\n");
}

static void note(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	if (kind == CONF_NOTE_ERROR)
		snprintf(said, sizeof said, "%s", text);
}

/* Everything that is in force. */
static void dump(const struct conf *c, char *out, size_t size)
{
	FILE *f = fmemopen(out, size, "w");

	ck_assert_ptr_nonnull(f);
	conf_dump(c, CONF_PROG_SMTP, f);
	ck_assert_int_eq(fclose(f), 0);
}

static const char *section_for(const struct conf *c, const char *rcpt, const char *sndr)
{
	return conf_settings_for(c, rcpt, strlen(rcpt), sndr, strlen(sndr)).section;
}

static bool is_as_written(const struct conf *c)
{
	static char now[sizeof whole];

	dump(c, now, sizeof now);
	return strcmp(now, whole) == 0 &&
		strcmp(section_for(c, "x@sub.example.org", "s@s.test"), "example.org") == 0 &&
		strcmp(section_for(c, "a@example.com", "b@example.net"), "a@example.com|b@example.net") == 0 &&
		strcmp(section_for(c, "q@q.test", "b@example.net"), "|example.net") == 0;
}

static struct conf *configure(void)
{
	char prog[] = "prog", option[] = "-c", port[] = "--server_port=2600";
	char addr[] = "--server_addr=\"127.0.0.2\"";
	char *argv[] = { prog, option, cfg_path, port, addr, NULL };
	struct conf_cli cli;

	said[0] = '\0';
	if (STARVED(conf_cli_parse(&cli, CONF_PROG_SMTP, 5, argv, note, NULL)) < 0)
		return NULL;
	struct conf *c = STARVED(conf_load(&cli, note, NULL));
	conf_cli_fini(&cli);
	return c;
}

static bool do_configure(void)
{
	struct conf *c = configure();
	bool is_done = c != NULL;

	/* All of it or nothing: no option, no section may be lost in silence. */
	ck_assert_msg(is_done ? is_as_written(c) : said[0] != '\0', "allocation %u", fails_at);
	conf_free(&c);
	return is_done;
}

START_TEST(configuration)
{
	struct conf *c = configure();

	ck_assert_msg(c != NULL, "%s", said);
	dump(c, whole, sizeof whole);
	ck_assert_ptr_nonnull(strstr(whole, "server_port = 2600"));
	ck_assert(is_as_written(c));
	conf_free(&c);
	again_and_again(do_configure, 10);
}
END_TEST

/* --- user sections ------------------------------------------------------------ */

#define SECTIONS 100u

static void name_of(unsigned i, char out[64])
{
	snprintf(out, 64, "u%u@d%u.example|s%u.test", i, i % 7, i);
}

static bool do_match(void)
{
	struct user_match *m = STARVED(user_match_new());
	unsigned added = 0, first;
	const char *why = NULL;
	bool is_same, is_octets;
	char name[64], sndr[64];

	while (m != NULL && added < SECTIONS) {
		name_of(added, name);
		if (STARVED(user_match_add(m, name, added, &first, &is_same, &is_octets, &why)) < 0) {
			ck_assert_ptr_null(why);
			break;
		}
		added++;
	}
	/* What was added is found, whatever failed behind it. */
	for (unsigned i = 0; i < added; i++) {
		name_of(i, name);
		snprintf(sndr, sizeof sndr, "x@s%u.test", i);
		ck_assert_uint_eq(user_match_find(m, name, strcspn(name, "|"), sndr, strlen(sndr)), i);
	}
	user_match_free(&m);
	return added == SECTIONS;
}

START_TEST(user_sections)
{
	again_and_again(do_match, 5);
}
END_TEST

/* --- between agent and daemon ---------------------------------------------------- */

static const char *const rcpts[] = { "a@example.org", "b@example.org" };

static bool do_request(void)
{
	const struct scan_request in = { .id = "1.1", .agent = "smtp", .sender = "s@example.net",
		.rcpts = rcpts, .nrcpts = 2, .nrcpts_total = 2, .client = "192.0.2.1",
		.helo = "client", .queue_id = "Q", .name = "", .is_mail = true, .size = 3,
		.is_inline = true, .octets = "abc", .want_av = true };
	struct scan_request out;
	struct scan_msg_store store;
	struct buf b = BUF_INIT(SCAN_PACKET_MAX);
	const char *why = "";
	int rc = STARVED(scan_request_format(&in, &b));

	ck_assert(rc == 0 || buf_is_empty(&b));
	if (rc == 0)
		rc = STARVED(scan_request_parse(buf_head(&b), buf_len(&b), &out, &store, &why));
	if (rc == 0) {
		ck_assert_uint_eq(out.nrcpts, 2);
		ck_assert_str_eq(out.rcpts[1], "b@example.org");
		ck_assert_str_eq(out.sender, "s@example.net");
		ck_assert_mem_eq(out.octets, "abc", 3);
		scan_msg_store_fini(&store);
	}
	ck_assert_ptr_nonnull(why);
	buf_fini(&b);
	return rc == 0;
}

/* Without memory an infected message never becomes a clean one. */
static bool do_verdict(void)
{
	struct verdict_part part = { .name = "x.exe", .av = VERDICT_AV_INFECTED, .virus = "Eicar" };
	const struct verdict in = { .av = VERDICT_AV_INFECTED, .virus = "Eicar", .parts = &part,
		.nparts = 1 };
	struct verdict out;
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	const char *why = "";
	int rc = STARVED(scan_verdict_format(&in, &b));

	ck_assert(rc == 0 || buf_is_empty(&b));
	if (rc == 0)
		rc = STARVED(scan_verdict_parse(buf_head(&b), buf_len(&b), &out, &why));
	if (rc == 0) {
		ck_assert_uint_eq(out.av, VERDICT_AV_INFECTED);
		ck_assert_str_eq(out.virus, "Eicar");
		ck_assert_uint_eq(out.nparts, 1);
		ck_assert_str_eq(out.parts[0].virus, "Eicar");
		verdict_fini(&out);
	}
	ck_assert_ptr_nonnull(why);
	buf_fini(&b);
	return rc == 0;
}

START_TEST(requests)
{
	again_and_again(do_request, 3);
}
END_TEST

START_TEST(verdicts)
{
	again_and_again(do_verdict, 3);
}
END_TEST

/* --- quarantine ------------------------------------------------------------------- */

static struct quar_meta meta(void)
{
	static const char *const to[] = { "a@example.org", "b@example.org" };

	return (struct quar_meta){ .agent = "smtp", .sender = "s@example.net", .rcpts = to,
		.nrcpts = 2, .nrcpts_total = 2, .client = "192.0.2.1", .helo = "client", .size = 5,
		.id = "", .sha256 = "", .session = "1.1", .queue_id = "", .name = "",
		.av = VERDICT_AV_INFECTED, .virus = "Eicar", .reason = "", .vdb = "" };
}

static unsigned files_of_store(void)
{
	struct quar_list l;
	unsigned n = 0;
	int d = quar_dir_open(store_path);

	if (d >= 0 && quar_dir_list(d, &l) == 0) {
		n = (unsigned)l.n;
		quar_list_fini(&l);
	}
	if (d >= 0)
		close(d);
	return n;
}

static bool do_store(void)
{
	const struct quar_meta m = meta();
	struct quar_meta back;
	struct scan_msg_store mem;
	struct quar_store s;
	char id[QUAR_ID_SIZE] = "", why[QUAR_STORE_WHY] = "", text[200];
	int fd = memfd_create("message", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, "hello", 5), 5);
	quar_store_init(&s, store_path, 1 << 20, 30);
	bool is_kept = STARVED(quar_store_put(&s, &m, fd, 1795260769, id, why)) == 0, is_read = false;
	close(fd);
	ck_assert_msg(files_of_store() == (is_kept ? 1 : 0), "allocation %u: %u files", fails_at,
		files_of_store());
	ck_assert(is_kept || why[0] != '\0');
	if (is_kept) {
		is_read = STARVED(quar_dir_read_meta(s.dir, id, &back, &mem, text, sizeof text)) == 0;
		if (is_read) {
			ck_assert_uint_eq(back.nrcpts, 2);
			ck_assert_str_eq(back.virus, "Eicar");
			scan_msg_store_fini(&mem);
		}
		quar_store_take_back(&s, id);
	}
	ck_assert_uint_eq(files_of_store(), 0);
	quar_store_fini(&s);
	return is_kept && is_read;
}

START_TEST(quarantine)
{
	again_and_again(do_store, 3);
}
END_TEST

/* --- EHLO -------------------------------------------------------------------------- */

static bool do_ehlo(void)
{
	static const char reply[] = "250-server\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE 1000\r\n";
	const struct smtp_ehlo_cfg cfg = { .chunking = false };
	struct smtp_ehlo_info info;
	struct buf out = BUF_INIT(4096);
	bool is_done = STARVED(smtp_ehlo_filter(reply, sizeof reply - 1, &cfg, &info, &out)) == 0;

	/* Nothing half: a reply without its end would shift all that follow (I7). */
	if (is_done) {
		ck_assert_uint_ge(buf_len(&out), 8);
		ck_assert_mem_eq(buf_head(&out) + buf_len(&out) - 2, "\r\n", 2);
		ck_assert_ptr_null(memmem(buf_head(&out), buf_len(&out), "STARTTLS", 8));
	}
	buf_fini(&out);
	return is_done;
}

START_TEST(ehlo)
{
	again_and_again(do_ehlo, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memory");
	TCase *t = tcase_create("memory");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, configuration);
	tcase_add_test(t, user_sections);
	tcase_add_test(t, requests);
	tcase_add_test(t, verdicts);
	tcase_add_test(t, quarantine);
	tcase_add_test(t, ehlo);
	suite_add_tcase(s, t);
	return unit_run(s);
}
