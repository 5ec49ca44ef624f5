/* check_scan_msg.c - the scanner protocol: both directions, whole, cut at
 * each octet, mutated. */
#include "scan_msg.h"
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const rcpts[] = { "a@example.org", "b@example.org", "\"odd %\"@example.org" };

static struct scan_request full_request(void)
{
	return (struct scan_request){
		.id = "1b3e0300", .agent = "smtp", .sender = "s@example.org", .rcpts = rcpts,
		.nrcpts = 3, .nrcpts_total = 7, .client = "192.0.2.1",
		.helo = "h\xc3\xa9lo.example",
		.queue_id = "4ABC", .name = "100%\n\x7f.exe", .is_mail = false, .size = 1ull << 40,
		.want_av = false, .want_as = true, .want_parts = SCAN_PARTS_ALL,
		.sha256_if_found = true,
		.opts = { .clean_mode = SCAN_CLEAN_RIGOROUS, .obj_files = false,
			.obj_archives = true, .obj_emails = false, .obj_mailbox = true,
			.obj_sfx = false, .obj_rtp = true, .app_adware = false,
			.app_unwanted = true, .app_unsafe = true, .heur = false, .adv_heur = false,
			.archive_max_level = 3, .archive_max_size = 1ull << 33,
			.archive_max_files = UINT32_MAX, .archive_max_ratio = 5, .max_size = 77,
			.timeout_s = 12, .quarantine = true, .as_spam_score_milli = 5500,
			.ext_exclude = "txt:log", .block_ext = "exe", .allow_hash = "ab:cd",
			.allow_name = "Foo.*" },
	};
}

static void check_same_opts(const struct scan_opts *a, const struct scan_opts *b)
{
	ck_assert_int_eq(a->clean_mode, b->clean_mode);
	ck_assert(a->obj_files == b->obj_files && a->obj_archives == b->obj_archives &&
		a->obj_emails == b->obj_emails && a->obj_mailbox == b->obj_mailbox &&
		a->obj_sfx == b->obj_sfx && a->obj_rtp == b->obj_rtp);
	ck_assert(a->app_adware == b->app_adware && a->app_unwanted == b->app_unwanted &&
		a->app_unsafe == b->app_unsafe && a->heur == b->heur && a->adv_heur == b->adv_heur);
	ck_assert_uint_eq(a->archive_max_level, b->archive_max_level);
	ck_assert_uint_eq(a->archive_max_size, b->archive_max_size);
	ck_assert_uint_eq(a->archive_max_files, b->archive_max_files);
	ck_assert_uint_eq(a->archive_max_ratio, b->archive_max_ratio);
	ck_assert_uint_eq(a->max_size, b->max_size);
	ck_assert_uint_eq(a->timeout_s, b->timeout_s);
	ck_assert(a->quarantine == b->quarantine);
	ck_assert_uint_eq(a->as_spam_score_milli, b->as_spam_score_milli);
	ck_assert_str_eq(a->ext_exclude, b->ext_exclude);
	ck_assert_str_eq(a->block_ext, b->block_ext);
	ck_assert_str_eq(a->allow_hash, b->allow_hash);
	ck_assert_str_eq(a->allow_name, b->allow_name);
}

static void check_same_request(const struct scan_request *a, const struct scan_request *b)
{
	ck_assert_str_eq(a->id, b->id);
	ck_assert_str_eq(a->agent, b->agent);
	ck_assert_str_eq(a->sender, b->sender);
	ck_assert_str_eq(a->client, b->client);
	ck_assert_str_eq(a->helo, b->helo);
	ck_assert_str_eq(a->queue_id, b->queue_id);
	ck_assert_str_eq(a->name, b->name);
	ck_assert(a->is_mail == b->is_mail && a->want_av == b->want_av && a->want_as == b->want_as);
	ck_assert_int_eq(a->want_parts, b->want_parts);
	ck_assert(a->sha256_if_found == b->sha256_if_found);
	ck_assert_uint_eq(a->size, b->size);
	ck_assert_uint_eq(a->nrcpts, b->nrcpts);
	ck_assert_uint_eq(a->nrcpts_total, b->nrcpts_total);
	for (unsigned i = 0; i < a->nrcpts; i++)
		ck_assert_str_eq(a->rcpts[i], b->rcpts[i]);
	check_same_opts(&a->opts, &b->opts);
}

static int parse(const struct buf *b, struct scan_request *r, struct scan_msg_store *s)
{
	const char *why = NULL;
	int rc = scan_request_parse(buf_head(b), buf_len(b), r, s, &why);

	ck_assert_msg(rc == 0 || why != NULL, "no reason");
	return rc;
}

START_TEST(test_request_round_trip)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct scan_request in = full_request(), out;
	struct scan_msg_store store;

	ck_assert_int_eq(scan_request_format(&in, &b), 0);
	ck_assert_int_eq(parse(&b, &out, &store), 0);
	check_same_request(&in, &out);
	/* The result does not live in the packet. */
	memset(b.data, 'x', b.cap);
	check_same_request(&in, &out);
	scan_msg_store_fini(&store);
	scan_msg_store_fini(&store);
	buf_fini(&b);
}
END_TEST

/* What was given inline comes out where it lies in the packet. */
START_TEST(test_request_inline)
{
	static char octets[SCAN_INLINE_MAX + 1];
	static const size_t sizes[] = { 0, 1, 13, 4096, SCAN_INLINE_MAX };
	struct scan_request in = full_request(), out;
	struct buf b = BUF_INIT(SCAN_PACKET_MAX);
	struct scan_msg_store store;
	const char *why;

	memset(octets, '\n', sizeof octets); /* is not taken for the text's end */
	in.is_inline = true;
	in.octets = octets;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		in.size = sizes[i];
		buf_clear(&b);
		ck_assert_int_eq(scan_request_format(&in, &b), 0);
		ck_assert_int_eq(parse(&b, &out, &store), 0);
		check_same_request(&in, &out);
		ck_assert(out.is_inline);
		ck_assert_ptr_eq(out.octets, buf_head(&b) + buf_len(&b) - in.size);
		scan_msg_store_fini(&store);
		/* one octet less or more than size */
		ck_assert_int_eq(scan_request_parse(buf_head(&b), buf_len(&b) - 1, &out, &store,
			&why), -1);
		ck_assert_int_eq(buf_append(&b, "x", sizes[i] < SCAN_INLINE_MAX), 0);
		if (sizes[i] < SCAN_INLINE_MAX)
			ck_assert_int_eq(parse(&b, &out, &store), -1);
	}
	in.size = SCAN_INLINE_MAX + 1;
	ck_assert_int_eq(scan_request_format(&in, &b), -1);
	buf_fini(&b);
}
END_TEST

START_TEST(test_request_inline_is_bounded)
{
	struct buf b = BUF_INIT(2 * SCAN_PACKET_MAX);
	struct scan_request out;
	struct scan_msg_store store;
	const char *why;

	ck_assert_int_eq(buf_printf(&b, "esets-scan/1 scan\nsize=%d\ninline=yes\n\n",
		SCAN_INLINE_MAX + 1), 0);
	for (int i = 0; i <= SCAN_INLINE_MAX; i++)
		ck_assert_int_eq(buf_append(&b, "x", 1), 0);
	ck_assert_int_eq(scan_request_parse(buf_head(&b), buf_len(&b), &out, &store, &why), -1);
	ck_assert_str_eq(why, "more is inline than may be");
	buf_fini(&b);
}
END_TEST

/* The octets themselves: other programs were written to this. What has its
 * default is left out. */
START_TEST(test_request_octets)
{
	static const char want[] = "esets-scan/1 scan\nsize=1099511627776\nid=1b3e0300\n"
		"agent=smtp\n"
		"sender=s@example.org\nrcpts=7\nclient=192.0.2.1\nhelo=h\xc3\xa9lo.example\n"
		"queue_id=4ABC\nname=100%25%0A%7F.exe\ntype=file\nwant_av=no\nwant_as=yes\n"
		"want_parts=all\nsha256_if_found=yes\nclean_mode=rigorous\nobj_files=no\nobj_emails=no\nobj_sfx=no\n"
		"app_adware=no\n"
		"app_unwanted=yes\napp_unsafe=yes\nheur=no\nadv_heur=no\narchive_max_level=3\n"
		"archive_max_size=8589934592\narchive_max_files=4294967295\narchive_max_ratio=5\n"
		"max_size=77\ntimeout=12\nquarantine=yes\nas_spam_score_milli=5500\n"
		"ext_exclude=txt:log\nblock_ext=exe\nallow_hash=ab:cd\nallow_name=Foo.*\n"
		"rcpt=a@example.org\nrcpt=b@example.org\nrcpt=\"odd %25\"@example.org\n\n";
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct scan_request in = full_request();

	ck_assert_int_eq(scan_request_format(&in, &b), 0);
	ck_assert_uint_eq(buf_len(&b), sizeof want - 1);
	ck_assert_int_eq(memcmp(buf_head(&b), want, sizeof want - 1), 0);
	in.is_inline = true;
	in.octets = "a\n\nb";
	in.size = 4;
	buf_clear(&b);
	ck_assert_int_eq(scan_request_format(&in, &b), 0);
	ck_assert_int_eq(memcmp(buf_head(&b), "esets-scan/1 scan\nsize=4\ninline=yes\nid=1b", 41), 0);
	ck_assert_int_eq(memcmp(buf_head(&b) + buf_len(&b) - 6, "\n\na\n\nb", 6), 0);
	buf_fini(&b);
}
END_TEST

START_TEST(test_request_defaults)
{
	static const char min[] = "esets-scan/1 scan\nsize=5\n\n";
	struct scan_request r, want = {
		.id = "", .agent = "", .sender = "", .client = "", .helo = "", .queue_id = "",
		.name = "", .is_mail = true, .size = 5, .want_av = true,
		.opts = { .obj_files = true, .obj_archives = true, .obj_emails = true,
			.obj_mailbox = true, .obj_sfx = true, .obj_rtp = true, .app_adware = true,
			.heur = true, .adv_heur = true, .archive_max_level = 10,
			.archive_max_size = 256 << 20, .archive_max_files = 10000,
			.archive_max_ratio = 1000, .timeout_s = 60, .ext_exclude = "",
			.block_ext = "", .allow_hash = "", .allow_name = "" } };
	struct scan_msg_store store;
	const char *why;

	ck_assert_int_eq(scan_request_parse(min, sizeof min - 1, &r, &store, &why), 0);
	check_same_request(&want, &r);
	scan_msg_store_fini(&store);
}
END_TEST

START_TEST(test_request_null_texts)
{
	struct scan_request in = { .size = 1 }, out;
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct scan_msg_store store;

	ck_assert_int_eq(scan_request_format(&in, &b), 0);
	ck_assert_int_eq(parse(&b, &out, &store), 0);
	ck_assert_str_eq(out.sender, "");
	ck_assert_str_eq(out.opts.allow_hash, "");
	scan_msg_store_fini(&store);
	buf_fini(&b);
}
END_TEST

#define H "esets-scan/1 scan\n"
static const struct { const char *text, *why; } bad_requests[] = {
	{ "", "unknown message" }, { "\n", "unknown message" },
	{ "esets-scan/2 scan\nsize=1\n\n", "unknown protocol or version" },
	{ "esets-scan/1 verdict\nav=clean\n\n", "unknown message" },
	{ "esets-scan/1 scan\r\nsize=1\n\n", "unknown message" },
	{ H, "the packet was cut" }, { H "\n", "size is missing" },
	{ H "size=1", "the packet was cut" }, { H "size=1\n", "the packet was cut" },
	{ H "size=1\ninline=yes\n\n", "size is not that of the octets inline" },
	{ H "size=1\ninline=yes\n\nab", "size is not that of the octets inline" },
	{ H "size=1\ninline=no\n\na", "octets after the end" },
	{ H "inline=yes\n\n", "size is missing" },
	{ H "size=1\n\nx", "octets after the end" }, { H "size=1\n\n\n", "octets after the end" },
	{ H "size=1\nsize=1\n\n", "a key is repeated" },
	{ H "size=1\nid=a\nid=b\n\n", "a key is repeated" },
	{ H "size\n\n", "a line is not key=value" }, { H "=1\n\n", "a line is not key=value" },
	{ H "Size=1\n\n", "a line is not key=value" },
	{ H " size=1\n\n", "a line is not key=value" },
	{ H "size =1\n\n", "a line is not key=value" },
	{ H "1size=1\n\n", "a line is not key=value" },
	{ H "size=\n\n", "a value is out of range" },
	{ H "size=-1\n\n", "a value is out of range" },
	{ H "size=1 \n\n", "a value is out of range" },
	{ H "size=18446744073709551616\n\n", "a value is out of range" },
	{ H "size=1\ntimeout=4294967296\n\n", "a value is out of range" },
	{ H "size=1\nheur=1\n\n", "a value is out of range" },
	{ H "size=1\nheur=Yes\n\n", "a value is out of range" },
	{ H "size=1\nclean_mode=\n\n", "a value is out of range" },
	{ H "size=1\nwant_parts=some\n\n", "a value is out of range" },
	{ H "size=1\ntype=\n\n", "a value is out of range" },
	{ H "size=1\nid=a\rb\n\n", "a value is not encoded right" },
	{ H "size=1\nid=a\x7f\n\n", "a value is not encoded right" },
	{ H "size=1\nid=a%\n\n", "a value is not encoded right" },
	{ H "size=1\nid=a%4\n\n", "a value is not encoded right" },
	{ H "size=1\nid=a%g0\n\n", "a value is not encoded right" },
	{ H "size=1\nid=a%00\n\n", "a value is not encoded right" },
	{ H "size=1\nfuture=%zz\n\n", "a value is not encoded right" },
	{ H "size=1\nrcpts=1\nrcpt=a\nrcpt=b\n\n", "rcpts is less than the recipients named" },
};

START_TEST(test_request_bad)
{
	struct scan_request r;
	struct scan_msg_store store;
	const char *text = bad_requests[_i].text, *why = "";

	ck_assert_int_eq(scan_request_parse(text, strlen(text), &r, &store, &why), -1);
	ck_assert_str_eq(r.id, ""); /* it lay in the store */
	ck_assert_str_eq(why, bad_requests[_i].why);
	ck_assert_ptr_null(store.text); /* nothing left to free */
}
END_TEST

START_TEST(test_request_nul)
{
	static const char text[] = H "size=1\nid=a\0b\n\n";
	struct scan_request r;
	struct scan_msg_store store;
	const char *why;

	ck_assert_int_eq(scan_request_parse(text, sizeof text - 1, &r, &store, &why), -1);
}
END_TEST

START_TEST(test_request_lenient)
{
	static const char text[] = H "future_key9=x%20y\nsize=1\nfuture_key9=again\nrcpt=\n"
		"rcpt=%41\nid=%c3%A4=\n\n";
	struct scan_request r;
	struct scan_msg_store store;
	const char *why;

	ck_assert_int_eq(scan_request_parse(text, sizeof text - 1, &r, &store, &why), 0);
	ck_assert_str_eq(r.id, "\xc3\xa4=");
	ck_assert_uint_eq(r.nrcpts, 2);
	ck_assert_uint_eq(r.nrcpts_total, 2);
	ck_assert_str_eq(r.rcpts[0], "");
	ck_assert_str_eq(r.rcpts[1], "A");
	scan_msg_store_fini(&store);
}
END_TEST

/* No beginning of a packet is a packet. */
START_TEST(test_cut)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct scan_request in = full_request(), r;
	struct verdict v = { .av = VERDICT_AV_INFECTED, .virus = "Eicar" }, out;
	struct scan_msg_store store;
	const char *why;

	ck_assert_int_eq(scan_request_format(&in, &b), 0);
	for (size_t n = 0; n < buf_len(&b); n++) {
		/* A block of its own, so that reading beyond the end is seen. */
		char *p = malloc(n + 1);
		memcpy(p, buf_head(&b), n);
		ck_assert_int_eq(scan_request_parse(p, n, &r, &store, &why), -1);
		free(p);
	}
	buf_clear(&b);
	ck_assert_int_eq(scan_verdict_format(&v, &b), 0);
	for (size_t n = 0; n < buf_len(&b); n++)
		ck_assert_int_eq(scan_verdict_parse(buf_head(&b), n, &out, &why), -1);
	buf_fini(&b);
}
END_TEST

static struct verdict full_verdict(void)
{
	struct verdict v = { .av = VERDICT_AV_INFECTED | VERDICT_AV_OVERLIMIT,
		.as = VERDICT_AS_SPAM, .as_score_milli = -5500, .virus = "Eicar-Test 100%",
		.reason = "too deep", .vdb = "builtin:EICAR+123", .objects = 3, .time_us = 4711,
		.quarantine = VERDICT_QUARANTINE_STORED,
		.quarantine_id = "20261121-113249-4f3a9c21",
		.nparts = 2 };

	memset(v.sha256, 'a', 64);
	v.parts = calloc(VERDICT_PARTS_MAX, sizeof *v.parts);
	v.parts[0] = (struct verdict_part){ .name = "part 2: a b.exe", .virus = "Eicar Test",
		.av = VERDICT_AV_INFECTED, .reason = "it counts by 100%" };
	v.parts[1] = (struct verdict_part){ .name = "", .virus = "", .av = VERDICT_AV_CLEAN };
	return v;
}

/* Whatever is changed: an answer, right or wrong, and no harm done. */
START_TEST(test_mutated)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct scan_request in = full_request(), r;
	struct verdict v = full_verdict(), out;
	struct scan_msg_store store;
	const char *why;

	ck_assert_int_eq((_i == 0 ? scan_request_format(&in, &b) : scan_verdict_format(&v, &b)), 0);
	size_t n = buf_len(&b);
	char *p = malloc(n);
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		memcpy(p, buf_head(&b), n);
		for (long k = random() % 4; k >= 0; k--)
			p[(size_t)random() % n] = (char)random();
		if (_i == 0 && scan_request_parse(p, n, &r, &store, &why) == 0) {
			ck_assert_uint_le(r.nrcpts, SCAN_MSG_RCPTS_MAX);
			scan_msg_store_fini(&store);
		} else if (_i == 1 && scan_verdict_parse(p, n, &out, &why) == 0) {
			ck_assert_uint_eq(out.av & ~(unsigned)VERDICT_AV_ALL, 0);
			ck_assert_uint_lt(strlen(out.virus), VERDICT_NAME_MAX);
			verdict_fini(&out);
		}
	}
	free(p);
	verdict_fini(&v);
	buf_fini(&b);
}
END_TEST

/* The reason of a part is that of the one before it; none without a part. */
START_TEST(test_part_reason)
{
	static const char good[] = "esets-scan/1 verdict\nav=infected\npart=infected A a\n"
		"part_reason=one%0A\npart=clean  b\npart=notscanned  c\npart_reason=two\npart_reason=three\n\n";
	static const char bad[] = "esets-scan/1 verdict\nav=infected\npart_reason=x\npart=infected A a\n\n";
	struct verdict v;
	const char *why;

	ck_assert_int_eq(scan_verdict_parse(good, sizeof good - 1, &v, &why), 0);
	ck_assert_uint_eq(v.nparts, 3);
	ck_assert_str_eq(v.parts[0].reason, "one\\x0a");
	ck_assert_str_eq(v.parts[1].reason, "");
	ck_assert_str_eq(v.parts[2].reason, "two");
	verdict_fini(&v);
	ck_assert_int_eq(scan_verdict_parse(bad, sizeof bad - 1, &v, &why), -1);
}
END_TEST

START_TEST(test_request_many_rcpts)
{
	static const char *many[SCAN_MSG_RCPTS_MAX + 50];
	struct scan_request in = full_request(), out;
	struct buf b = BUF_INIT(4 * SCAN_MSG_MAX);
	struct scan_msg_store store;
	char *long_one = malloc(1000);

	memset(long_one, 'x', 999);
	long_one[999] = '\0';
	in.rcpts = many;
	in.nrcpts = in.nrcpts_total = SCAN_MSG_RCPTS_MAX + 50;
	for (unsigned i = 0; i < in.nrcpts; i++)
		many[i] = "r@example.org";
	ck_assert_int_eq(scan_request_format(&in, &b), 0);
	ck_assert_int_eq(parse(&b, &out, &store), 0);
	ck_assert_uint_eq(out.nrcpts, SCAN_MSG_RCPTS_MAX);
	ck_assert_uint_eq(out.nrcpts_total, SCAN_MSG_RCPTS_MAX + 50);
	scan_msg_store_fini(&store);
	buf_clear(&b);
	/* More than a packet holds: the last ones are left out. */
	for (unsigned i = 0; i < in.nrcpts; i++)
		many[i] = long_one;
	many[0] = "first@example.org";
	ck_assert_int_eq(scan_request_format(&in, &b), 0);
	ck_assert_uint_le(buf_len(&b), SCAN_MSG_MAX);
	ck_assert_uint_gt(buf_len(&b), SCAN_MSG_MAX - 1100);
	ck_assert_uint_eq(b.max, 4 * SCAN_MSG_MAX);
	ck_assert_int_eq(parse(&b, &out, &store), 0);
	ck_assert_uint_gt(out.nrcpts, 50);
	ck_assert_uint_lt(out.nrcpts, 70);
	ck_assert_str_eq(out.rcpts[0], "first@example.org");
	ck_assert_uint_eq(out.nrcpts_total, in.nrcpts_total);
	scan_msg_store_fini(&store);
	buf_fini(&b);
	free(long_one);
}
END_TEST

START_TEST(test_request_too_many_rcpts)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct scan_request r;
	struct scan_msg_store store;
	const char *why;

	ck_assert_int_eq(buf_append_str(&b, H "size=1\n"), 0);
	for (int i = 0; i <= SCAN_MSG_RCPTS_MAX; i++)
		ck_assert_int_eq(buf_append_str(&b, "rcpt=a\n"), 0);
	ck_assert_int_eq(buf_append_str(&b, "\n"), 0);
	ck_assert_int_eq(scan_request_parse(buf_head(&b), buf_len(&b), &r, &store, &why), -1);
	ck_assert_str_eq(why, "too many recipients");
	buf_fini(&b);
}
END_TEST

START_TEST(test_request_too_large)
{
	struct scan_request in = full_request();
	struct buf b = BUF_INIT(4 * SCAN_MSG_MAX);
	char *list = malloc(SCAN_MSG_MAX);

	memset(list, 'a', SCAN_MSG_MAX - 1);
	list[SCAN_MSG_MAX - 1] = '\0';
	in.opts.allow_hash = list;
	ck_assert_int_eq(buf_append_str(&b, "before"), 0);
	ck_assert_int_eq(scan_request_format(&in, &b), -1);
	ck_assert_uint_eq(buf_len(&b), 6);
	ck_assert_uint_eq(b.max, 4 * SCAN_MSG_MAX);
	ck_assert_int_eq(memcmp(buf_head(&b), "before", 6), 0);
	free(list);
	buf_fini(&b);
}
END_TEST

/* Any limit of the buffer: a whole packet or none. */
START_TEST(test_format_into_small)
{
	struct scan_request in = full_request(), out;
	struct scan_msg_store store;
	int whole = 0;

	for (size_t max = 0; max < 1200; max++) {
		struct buf b = BUF_INIT(max);
		if (scan_request_format(&in, &b) == 0) {
			whole++;
			ck_assert_int_eq(parse(&b, &out, &store), 0);
			scan_msg_store_fini(&store);
		} else {
			ck_assert_uint_eq(buf_len(&b), 0);
		}
		ck_assert_uint_eq(b.max, max);
		buf_fini(&b);
	}
	ck_assert_int_gt(whole, 0);
	ck_assert_int_lt(whole, 1200);
}
END_TEST

START_TEST(test_packet_too_long)
{
	char *p = malloc(SCAN_MSG_MAX + 1);
	struct scan_request r;
	struct scan_msg_store store;
	struct verdict v;
	const char *why = "";

	memset(p, 'a', SCAN_MSG_MAX + 1);
	ck_assert_int_eq(scan_request_parse(p, SCAN_MSG_MAX + 1, &r, &store, &why), -1);
	ck_assert_str_eq(why, "the packet is too long");
	ck_assert_int_eq(scan_verdict_parse(p, SCAN_MSG_MAX + 1, &v, &why), -1);
	free(p);
}
END_TEST

/* --- verdicts --- */

START_TEST(test_verdict_round_trip)
{
	struct verdict in = full_verdict(), out;
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	const char *why;

	ck_assert_int_eq(scan_verdict_format(&in, &b), 0);
	ck_assert_int_eq(scan_verdict_parse(buf_head(&b), buf_len(&b), &out, &why), 0);
	ck_assert_uint_eq(out.av, in.av);
	ck_assert_int_eq(out.as, in.as);
	ck_assert_int_eq(out.as_score_milli, in.as_score_milli);
	ck_assert_str_eq(out.virus, in.virus);
	ck_assert_str_eq(out.reason, in.reason);
	ck_assert_str_eq(out.vdb, in.vdb);
	ck_assert_str_eq(out.sha256, in.sha256);
	ck_assert_uint_eq(out.objects, in.objects);
	ck_assert_uint_eq(out.time_us, in.time_us);
	ck_assert_int_eq(out.quarantine, in.quarantine);
	ck_assert_str_eq(out.quarantine_id, in.quarantine_id);
	ck_assert_uint_eq(out.nparts, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_str_eq(out.parts[i].name, in.parts[i].name);
		ck_assert_str_eq(out.parts[i].virus, in.parts[i].virus);
		ck_assert_uint_eq(out.parts[i].av, in.parts[i].av);
	}
	verdict_fini(&out);
	verdict_fini(&out);
	verdict_fini(&in);
	buf_fini(&b);
}
END_TEST

#undef H
#define H "esets-scan/1 verdict\n"

START_TEST(test_verdict_kinds)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct verdict v;
	const char *why;

	for (unsigned av = 0; av <= VERDICT_AV_ALL; av++) {
		struct verdict in = { .av = av, .as = (enum verdict_as)(av % 4),
			.as_score_milli = av % 2 != 0 ? INT_MIN : INT_MAX,
			.quarantine = av % 2 != 0 ? VERDICT_QUARANTINE_FAILED :
				VERDICT_QUARANTINE_NONE };
		buf_clear(&b);
		ck_assert_int_eq(scan_verdict_format(&in, &b), 0);
		ck_assert_int_eq(scan_verdict_parse(buf_head(&b), buf_len(&b), &v, &why), 0);
		ck_assert_uint_eq(v.av, av);
		ck_assert_int_eq(v.as, in.as);
		ck_assert_int_eq(v.as_score_milli, in.as_score_milli);
		ck_assert_int_eq(v.quarantine, in.quarantine);
		ck_assert_str_eq(v.quarantine_id, "");
	}
	/* a kind that nobody knows is never written as clean */
	ck_assert_int_eq(scan_verdict_format(&(struct verdict){ .av = 1u << 30 }, &b), -1);
	buf_fini(&b);
}
END_TEST

static const char *const bad_verdicts[] = {
	"", "esets-scan/1 scan\nsize=1\n\n", H "\n", H "as=clean\n\n", H "av=\n\n", H "av=:\n\n",
	H "av=clean:infected\n\n", H "av=fine\n\n", H "av=infected:fine\n\n", H "av=Clean\n\n",
	H "av=clean\nav=infected\n\n", H "av=clean\nas=maybe\n\n",
	H "av=clean\nas_score_milli=1.5\n\n", H "av=clean\nas_score_milli=--1\n\n",
	H "av=clean\nas_score_milli=\n\n", H "av=clean\nas_score_milli=2147483648\n\n",
	H "av=clean\nas_score_milli=-2147483649\n\n", H "av=clean\nobjects=4294967296\n\n",
	H "av=clean\nobjects=-1\n\n", H "av=clean\nsha256=abc\n\n",
	H "av=clean\nsha256=gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg\n\n",
	H "av=clean\npart=clean\n\n", H "av=clean\npart=clean x\n\n",
	H "av=clean\npart=fine  x\n\n",
	H "av=clean\npart=clean  %0\n\n", H "av=clean\nvirus=%00\n\n",
	H "av=clean\n\nav=infected\n\n",
	H "av=clean\nquarantine=maybe\n\n", H "av=clean\nquarantine=stored\n\n",
	H "av=clean\nquarantine=stored\nquarantine_id=../../../etc/passwd\n\n",
	H "av=clean\nquarantine=stored\nquarantine_id=\n\n",
	H "av=clean\nquarantine=failed\nquarantine=none\n\n",
};

START_TEST(test_verdict_bad)
{
	const char *text = bad_verdicts[_i], *why = NULL;
	struct verdict v;

	ck_assert_int_eq(scan_verdict_parse(text, strlen(text), &v, &why), -1);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_null(v.parts);
}
END_TEST

/* The scanner is not trusted: its texts are cleaned and cut. */
START_TEST(test_verdict_cleaned)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct verdict v;
	const char *why;

	ck_assert_int_eq(buf_append_str(&b, H "av=infected\nvirus=a%0D%0AX-Evil: 1\"\nvdb=a b\n"
		"reason="), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(buf_append_str(&b, "r"), 0);
	ck_assert_int_eq(buf_append_str(&b, "\nsha256="), 0);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(buf_append_str(&b, "A"), 0);
	ck_assert_int_eq(buf_append_str(&b, "\npart=infected \xff%20%1b n%0a n\n\n"), 0);
	ck_assert_int_eq(scan_verdict_parse(buf_head(&b), buf_len(&b), &v, &why), 0);
	ck_assert_str_eq(v.virus, "a\\x0d\\x0aX-Evil: 1\\\"");
	ck_assert_str_eq(v.vdb, "a_b");
	ck_assert_uint_eq(strlen(v.reason), VERDICT_REASON_MAX - 1);
	ck_assert_int_eq(v.sha256[0], 'a');
	ck_assert_uint_eq(v.nparts, 1);
	ck_assert_str_eq(v.parts[0].virus, "\\xff \\x1b");
	ck_assert_str_eq(v.parts[0].name, "n\\x0a n");
	verdict_fini(&v);
	buf_fini(&b);
}
END_TEST

START_TEST(test_verdict_parts_bound)
{
	struct buf b = BUF_INIT(SCAN_MSG_MAX);
	struct verdict v, in = { .nparts = VERDICT_PARTS_MAX + 5 };
	const char *why;

	ck_assert_int_eq(buf_append_str(&b, H "av=clean\n"), 0);
	for (int i = 0; i < VERDICT_PARTS_MAX + 10; i++)
		ck_assert_int_eq(buf_printf(&b, "part=clean  p%d\n", i), 0);
	ck_assert_int_eq(buf_append_str(&b, "\n"), 0);
	ck_assert_int_eq(scan_verdict_parse(buf_head(&b), buf_len(&b), &v, &why), 0);
	ck_assert_uint_eq(v.nparts, VERDICT_PARTS_MAX);
	ck_assert_str_eq(v.parts[VERDICT_PARTS_MAX - 1].name, "p63");
	verdict_fini(&v);
	/* The longest verdict there can be fits. */
	in.parts = calloc(VERDICT_PARTS_MAX + 5, sizeof *in.parts);
	in.av = VERDICT_AV_ALL;
	for (unsigned i = 0; i < in.nparts; i++) {
		in.parts[i].av = VERDICT_AV_ALL;
		memset(in.parts[i].name, '\n', VERDICT_NAME_MAX - 1);
		memset(in.parts[i].virus, ' ', VERDICT_NAME_MAX - 1);
	}
	memset(in.virus, '%', VERDICT_NAME_MAX - 1);
	memset(in.reason, '%', VERDICT_REASON_MAX - 1);
	memset(in.vdb, '%', VERDICT_VDB_MAX - 1);
	buf_clear(&b);
	ck_assert_int_eq(scan_verdict_format(&in, &b), 0);
	ck_assert_int_eq(scan_verdict_parse(buf_head(&b), buf_len(&b), &v, &why), 0);
	ck_assert_uint_eq(v.nparts, VERDICT_PARTS_MAX);
	verdict_fini(&v);
	verdict_fini(&in);
	buf_fini(&b);
}
END_TEST

START_TEST(test_verdict_texts)
{
	struct verdict v;

	ck_assert_str_eq(verdict_av_text(VERDICT_AV_CLEAN), "clean");
	ck_assert_str_eq(verdict_av_text(VERDICT_AV_ALL), "infected");
	ck_assert_str_eq(verdict_av_text(VERDICT_AV_DELETED), "clean (deleted)");
	ck_assert_str_eq(verdict_av_text(VERDICT_AV_DELETED | VERDICT_AV_NOTSCANNED),
		"not scanned");
	ck_assert_str_eq(verdict_av_text(VERDICT_AV_ENCRYPTED | VERDICT_AV_NOTSCANNED),
		"not scanned (encrypted)");
	ck_assert_str_eq(verdict_av_text(VERDICT_AV_UNAVAILABLE | VERDICT_AV_OVERLIMIT),
		"not scanned (unavailable)");
	ck_assert_str_eq(verdict_av_text(1u << 20), "not scanned");
	ck_assert_str_eq(verdict_as_text(VERDICT_AS_NOTSCANNED), "not scanned");
	ck_assert_str_eq(verdict_as_text(VERDICT_AS_SPAM), "spam");
	memset(&v, 0xaa, sizeof v);
	verdict_unavailable(&v, "no\nway");
	ck_assert_uint_eq(v.av, VERDICT_AV_UNAVAILABLE);
	ck_assert_int_eq(v.as, VERDICT_AS_NOTSCANNED);
	ck_assert_str_eq(v.reason, "no\\x0away");
	ck_assert_ptr_null(v.parts);
	ck_assert_str_eq(v.virus, "");
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("scan_msg");
	TCase *t = tcase_create("request");
	tcase_add_test(t, test_request_round_trip);
	tcase_add_test(t, test_request_inline);
	tcase_add_test(t, test_request_inline_is_bounded);
	tcase_add_test(t, test_request_octets);
	tcase_add_test(t, test_request_defaults);
	tcase_add_test(t, test_request_null_texts);
	tcase_add_loop_test(t, test_request_bad, 0, COUNT(bad_requests));
	tcase_add_test(t, test_request_nul);
	tcase_add_test(t, test_request_lenient);
	tcase_add_test(t, test_request_many_rcpts);
	tcase_add_test(t, test_part_reason);
	tcase_add_test(t, test_request_too_many_rcpts);
	tcase_add_test(t, test_request_too_large);
	tcase_add_test(t, test_format_into_small);
	tcase_add_test(t, test_packet_too_long);
	suite_add_tcase(s, t);
	t = tcase_create("verdict");
	tcase_add_test(t, test_verdict_round_trip);
	tcase_add_test(t, test_verdict_kinds);
	tcase_add_loop_test(t, test_verdict_bad, 0, COUNT(bad_verdicts));
	tcase_add_test(t, test_verdict_cleaned);
	tcase_add_test(t, test_verdict_parts_bound);
	tcase_add_test(t, test_verdict_texts);
	suite_add_tcase(s, t);
	t = tcase_create("hostile");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_cut);
	tcase_add_loop_test(t, test_mutated, 0, 2);
	suite_add_tcase(s, t);
	return unit_run(s);
}
