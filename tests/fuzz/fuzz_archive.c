/* fuzz_archive.c - whatever archive comes: the limits hold, nothing is left
 * allocated (AddressSanitizer), and the end comes soon (libFuzzer's timeout).
 * Input: an octet for the limits, then the file. */
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "engine.h"
#include "fuzz.h"
#include "task.h"
#include "zip_dir.h"

#define SCAN_MS_MAX 20000

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void load_engines(void)
{
	static struct conf c;
	static bool is_loaded;
	char why[128];

	if (is_loaded)
		return;
	c.global.av_engines = c.global.as_engines = "builtin";
	c.global.av_signature_dir = "/nonexistent/signatures";
	must(engines_load(&c, why, sizeof why) == 0);
	is_loaded = true;
}

/* What the reader of zip files says lies in the file. */
static void check_zip(const uint8_t *p, size_t len)
{
	size_t from = len, end, at, n;
	const char *name;
	bool has_dir;

	must(!zip_dir_is_plain(p, len, &end) || end <= len);
	while (zip_dir_prev_end(p, len, &from, &end, &has_dir))
		must(end <= len && from < end);
	from = 0;
	while (zip_dir_next_local(p, len, &from, &at))
		must(at < len && from > at && from <= len);
	from = 0;
	while (zip_dir_next_name(p, len, &from, &name, &n))
		must(n > 0 && (const uint8_t *)name >= p && (const uint8_t *)name + n <= p + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan_request r = { .id = "", .agent = "", .sender = "", .client = "", .helo = "",
		.queue_id = "", .name = "f", .want_av = true, .want_parts = SCAN_PARTS_ALL,
		.opts = { .obj_files = true, .obj_archives = true, .obj_emails = true,
			.obj_mailbox = true, .obj_sfx = true, .archive_max_size = 8u << 20,
			.archive_max_ratio = 1000, .ext_exclude = "txt", .block_ext = "exe:com",
			.allow_hash = "", .allow_name = "" } };
	struct verdict v;
	int clean_fd;

	if (size < 1)
		return 0;
	load_engines();
	check_zip(data + 1, size - 1);
	r.opts.archive_max_level = 1 + data[0] % 8;
	r.opts.archive_max_files = 1 + data[0] * 4u;
	r.size = size - 1;
	r.is_inline = true;
	r.octets = data + 1; /* one octet too many is seen */
	must(task_run(&r, -1, now_ms() + SCAN_MS_MAX, NULL, NULL, &v, &clean_fd));
	must(clean_fd == -1);
	must(v.objects <= r.opts.archive_max_files + 1);
	must((v.av & ~(unsigned)VERDICT_AV_ALL) == 0 && !(v.av & VERDICT_AV_UNAVAILABLE));
	must((v.av & VERDICT_AV_INFECTED) == 0 || v.virus[0] != '\0');
	must((v.av & ~(unsigned)VERDICT_AV_INFECTED) == 0 || v.reason[0] != '\0');
	verdict_fini(&v);
	return 0;
}
