/* check_marks.c - marks.c against searches one after the other. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "split.h"
#include "unit.h"

static const struct {
	const char *octets;
	size_t n;
	unsigned mark;
} marks[] = {
#define MARK(s, mark) { s, sizeof(s) - 1, mark }
	MARK("PK\3\4", MARK_ZIP), MARK("PK\5\6", MARK_ZIP_END), MARK("Rar!\x1a\7", MARK_RAR),
	MARK("7z\xbc\xaf\x27\x1c", MARK_7Z), MARK("MSCF", MARK_CAB), MARK("-lh", MARK_LHA),
	MARK("-lz", MARK_LHA), MARK("begin", MARK_UU), MARK("bEGIn", MARK_UU),
	MARK("Must be Converted with BINHEX", MARK_BINHEX), MARK("DAta:", MARK_DATA_URI),
	MARK("\x1f\x8b\10\x1f", MARK_GZIP), MARK("\x1f\x8b\10\0", MARK_GZIP),
	MARK("1AY&SY", MARK_BZIP2), MARK("\xfd" "7zXZ\0", MARK_XZ),
	MARK("\x28\xb5\x2f\xfd", MARK_ZSTD), MARK("07070", MARK_CPIO), MARK("CD001", MARK_ISO),
};

#define COUNT (sizeof marks / sizeof marks[0])

/* Both ways, in a block of just that size. */
static unsigned found_in(const char *p, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	need(copy != NULL);
	memcpy(copy, p, n);
	const unsigned found = marks_find(copy, n);
	need(marks_find_plain(copy, n) == found);
	free(copy);
	return found;
}

/* Each mark at each place around the steps, whole and an octet short of it. */
START_TEST(each_place)
{
	char hay[110];

	for (size_t i = 0; i < COUNT; i++) {
		for (size_t at = 0; at + marks[i].n <= sizeof hay; at++) {
			memset(hay, 'P', sizeof hay);
			memcpy(hay + at, marks[i].octets, marks[i].n);
			for (size_t n = at + marks[i].n; n <= sizeof hay; n += 7)
				need(found_in(hay, n) == marks[i].mark);
			need(found_in(hay, at + marks[i].n - 1) == 0);
			hay[at + 1] = '\0';
			need(found_in(hay, sizeof hay) == 0);
		}
	}
}
END_TEST

/* What is said is what was put there, however many, and beginnings of others. */
START_TEST(several)
{
	char hay[600];
	unsigned seed = 99;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned want = 0;
		size_t n = 0;
		for (unsigned k = split_random(&seed) % 12; k > 0; k--) {
			const size_t i = split_random(&seed) % COUNT;
			const unsigned gap = split_random(&seed) % 20;
			const bool is_whole = split_random(&seed) % 2;
			const size_t len = is_whole ? marks[i].n : 2;
			memset(hay + n, '.', gap);
			memcpy(hay + n + gap, marks[i].octets, len);
			n += gap + len;
			want |= is_whole ? marks[i].mark : 0;
		}
		need(found_in(hay, n) == want);
	}
}
END_TEST

START_TEST(at_random)
{
	static const char octets[] = "PK\3\4\5\6-lhzbegindat:DATMSCFr!\x1a\7";
	char hay[3000];
	unsigned seed = 7, any = 0;

	ck_assert_uint_eq(found_in("", 0), 0);
	for (unsigned round = 0; round < 3000; round++) {
		const size_t n = split_random(&seed) % sizeof hay;
		for (size_t i = 0; i < n; i++)
			hay[i] = octets[split_random(&seed) % (sizeof octets - 1)];
		any |= found_in(hay, n);
	}
	ck_assert_uint_ne(any, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("marks");
	TCase *tc = tcase_create("marks");

	tcase_add_test(tc, each_place);
	tcase_add_test(tc, several);
	tcase_add_test(tc, at_random);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
