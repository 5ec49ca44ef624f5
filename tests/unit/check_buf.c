/* check_buf.c - buf.c against a plain model: limits, growing, consuming. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "unit.h"

START_TEST(starts_empty)
{
	struct buf b = BUF_INIT(10);

	ck_assert(buf_is_empty(&b));
	ck_assert_uint_eq(buf_len(&b), 0);
	ck_assert_ptr_null(buf_head(&b));
	ck_assert_int_eq(buf_append(&b, NULL, 0), 0);
	ck_assert_ptr_null(b.data);
	buf_clear(&b);
	buf_trim(&b);
	buf_consume(&b, 0);
	buf_fini(&b);
}
END_TEST

START_TEST(limit_is_hard)
{
	struct buf b;

	buf_init(&b, 10);
	ck_assert_int_eq(buf_append_str(&b, "0123456789"), 0);
	ck_assert_int_eq(buf_append(&b, "x", 1), -1);
	ck_assert_ptr_null(buf_reserve(&b, 1));
	ck_assert_int_eq(buf_printf(&b, "%s", "x"), -1);
	ck_assert_uint_eq(buf_len(&b), 10);
	ck_assert_mem_eq(buf_head(&b), "0123456789", 10);
	buf_consume(&b, 4);
	ck_assert_int_eq(buf_append_str(&b, "abcde"), -1);
	ck_assert_int_eq(buf_append_str(&b, "abcd"), 0);
	ck_assert_mem_eq(buf_head(&b), "456789abcd", 10);
	ck_assert_uint_eq(b.max, 10);
	buf_fini(&b);
	ck_assert_uint_eq(b.max, 10);
}
END_TEST

START_TEST(printf_counts_no_nul)
{
	struct buf b = BUF_INIT(5);

	ck_assert_int_eq(buf_printf(&b, "%d%s", 123, "45"), 0);
	ck_assert_mem_eq(buf_head(&b), "12345", 5);
	ck_assert_int_eq(buf_printf(&b, "%s", ""), 0);
	buf_clear(&b);
	ck_assert_int_eq(buf_printf(&b, "%s", "123456"), -1);
	ck_assert(buf_is_empty(&b));
	ck_assert_uint_eq(b.max, 5);
	buf_fini(&b);
}
END_TEST

/* Let malloc fail under the sanitizers as it does without them. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "allocator_may_return_null=1"; }

/* SIZE_MAX: no limit; nothing may wrap around. */
START_TEST(no_limit)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	ck_assert_int_eq(buf_printf(&b, "%s", "abc"), 0);
	buf_consume(&b, 2);
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX - 1));
	ck_assert_uint_eq(buf_len(&b), 1);
	ck_assert_mem_eq(buf_head(&b), "c", 1);
	buf_fini(&b);
}
END_TEST

START_TEST(reserve_and_commit)
{
	struct buf b = BUF_INIT(1000);
	unsigned char *room = buf_reserve(&b, 600);

	ck_assert_ptr_nonnull(room);
	memset(room, 'a', 600);
	buf_commit(&b, 400);
	ck_assert_uint_eq(buf_len(&b), 400);
	ck_assert_ptr_nonnull(buf_reserve(&b, 600));
	ck_assert_ptr_null(buf_reserve(&b, 601));
	ck_assert_ptr_nonnull(buf_head(&b));
	ck_assert_ptr_nonnull(memchr(buf_head(&b), 'a', 1));
	buf_consume(&b, 400);
	ck_assert_uint_eq(b.pos, 0);
	buf_trim(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(trim_keeps_content)
{
	struct buf b = BUF_INIT(1000);

	ck_assert_int_eq(buf_append_str(&b, "abc"), 0);
	buf_trim(&b);
	ck_assert_mem_eq(buf_head(&b), "abc", 3);
	buf_clear(&b);
	ck_assert_ptr_nonnull(b.data);
	buf_trim(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

/* Random appends and consumes: what goes in comes out, never more than max. */
START_TEST(queue_of_octets)
{
	enum { MAX = 3000 };
	struct buf b = BUF_INIT(MAX);
	unsigned char piece[700], in = 0, out = 0;
	unsigned seed = 42;

	for (int round = 0; round < 20000; round++) {
		seed = seed * 1103515245 + 12345;
		size_t n = (seed >> 16) % sizeof(piece), len = buf_len(&b);
		if ((seed >> 8 & 1) != 0) {
			for (size_t i = 0; i < n; i++)
				piece[i] = (unsigned char)(in + i);
			int rc = buf_append(&b, piece, n);
			ck_assert_int_eq(rc, len + n <= MAX ? 0 : -1);
			if (rc == 0)
				in = (unsigned char)(in + n);
			ck_assert_uint_eq(buf_len(&b), rc == 0 ? len + n : len);
		} else {
			if (n > len)
				n = len;
			for (size_t i = 0; i < n; i++)
				piece[i] = (unsigned char)(out + i);
			if (n > 0)
				ck_assert_mem_eq(buf_head(&b), piece, n);
			buf_consume(&b, n);
			out = (unsigned char)(out + n);
		}
		ck_assert(buf_len(&b) <= MAX && b.end <= b.cap && b.cap <= 2 * MAX);
	}
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("buf");
	TCase *tc = tcase_create("buf");

	tcase_add_test(tc, starts_empty);
	tcase_add_test(tc, limit_is_hard);
	tcase_add_test(tc, printf_counts_no_nul);
	tcase_add_test(tc, no_limit);
	tcase_add_test(tc, reserve_and_commit);
	tcase_add_test(tc, trim_keeps_content);
	tcase_add_test(tc, queue_of_octets);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
