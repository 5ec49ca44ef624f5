/* check_user_match.c - addresses in the form that is compared, and which of
 * the user sections holds, against a table and against the specification's
 * own algorithm, section by section. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr_plain.h"
#include "config.h"
#include "split.h"
#include "unit.h"
#include "user_addr.h"
#include "user_match.h"

/* --- addresses ------------------------------------------------------------ */

START_TEST(addresses)
{
	static const struct { const char *in, *text, *domain; } rows[] = {
		{ "user@domain.com", "user@domain.com", "domain.com" },
		{ "User@Domain.COM", "user@domain.com", "domain.com" },
		{ "user@domain.com.", "user@domain.com", "domain.com" },
		{ "user@.", "user@.", "." },
		{ "@a.example,@b.example:user@domain.com", "user@domain.com", "domain.com" },
		{ "@a:@b:c@d", "@b:c@d", "d" },
		{ "\"user\"@domain.com", "user@domain.com", "domain.com" },
		{ "\"us\\er\"@domain.com", "user@domain.com", "domain.com" },
		{ "\"a b\".\"c\"@d", "a b.c@d", "d" },
		{ "\"a@b\"@c", "a@b@c", "c" },
		{ "\"a@b\"", "a@b", "" },
		{ "\"a\\\"@b\"@c", "a\"@b@c", "c" },
		{ "x\"@good.com", "x\"@good.com", "good.com" },
		{ "a@b@c", "a@b@c", "c" },
		{ "postmaster", "postmaster", "" },
		{ "a@[192.0.2.1]", "a@[192.0.2.1]", "[192.0.2.1]" },
		{ "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]", "[ipv6:2001:db8::1]" },
		{ "\"\"@c", "@c", "c" },
		{ "@c", "@c", "c" },
		{ "a@", "a@", "" },
		{ "", "", "" },
#ifdef HAVE_LIBIDN2
		{ "M\xc3\xa4x@B\xc3\x9c" "cher.Example", "m\xc3\xa4x@xn--bcher-kva.example",
		  "xn--bcher-kva.example" },
		{ "a@fa\xc3\x9f.de", "a@xn--fa-hia.de", "xn--fa-hia.de" },
		{ "a@b\xc3\xbc" "cher\xe3\x80\x82" "de\xe3\x80\x82", "a@xn--bcher-kva.de", "xn--bcher-kva.de" },
		{ "a@XN--BCHER-KVA.de", "a@xn--bcher-kva.de", "xn--bcher-kva.de" },
#endif
		{ "a@\xff.Example", "a@\xff.example", "\xff.example" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct user_addr a;
		size_t n = strlen(rows[i].in);
		char *copy = malloc(n > 0 ? n : 1); /* nothing behind it is read */
		memcpy(copy, rows[i].in, n);
		user_addr_read(copy, n, &a);
		free(copy);
		a.text[a.len] = '\0';
		ck_assert_str_eq(a.text, rows[i].text);
		ck_assert_str_eq(a.text + a.domain, rows[i].domain);
		ck_assert_int_eq(a.is_none, rows[i].in[0] == '\0');
	}
}
END_TEST

/* What every server reads alike; the others are a section's address to some. */
START_TEST(plain_addresses)
{
	static const char *const plain[] = {
		"victim@strict.com", "Victim@Strict.COM.", "victim+x@strict.com", "v%x.org@strict.com",
		"a..b.@strict.com", "#$&'*+-/=?^_`{|}~@c", "postmaster", "PostMaster", "\"vic tim\"@strict.com",
		"\"a\\\"(b)<c>,;:[]\".d@c", "a.\"b\"@c", "\"\"@c", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]",
		"m\xc3\xa4x@b\xc3\xbc\x63her.de", "a@b_c-d.e", "a@\xff",
	};
	static const char *const others[] = {
		"victim(x)@strict.com", "(x)victim@strict.com", "victim@strict.com(c)", "victim@(c)strict.com",
		"victim(@strict.com", "victim @strict.com", "victim@ strict.com", " victim@strict.com",
		"victim@strict.com ", "victim\t@strict.com", "x <victim@strict.com", "<victim@strict.com",
		"grp: victim@strict.com;", "grp:victim@strict.com;", "victim@strict.com,a@b", "a@b@strict.com",
		"victim@strict.com@b", "strict.com!victim", "strict.com!victim@here", "vic\\tim@strict.com",
		"victim", "\"postmaster\"", "victim@", "@strict.com", "@a,@b", "", "@", "\"victim@strict.com",
		"victim\"@strict.com", "vic\"tim\"@strict.com", "\"vic\"tim@strict.com",
		"\"vic\"\"tim\"@strict.com", "\"victim@strict.com\"@here", "\"strict.com!victim\"@here",
		"\"a\\@b\"@here", "\"a\\", "\"a\tb\"@c", "victim@strict..com", "victim@.strict.com",
		"victim@strict.com..", "victim@strict.com:25", "victim@#1", "victim@[1", "victim@1]", "a@[]",
		"victim@strict.com>", "victim@[1]strict.com", "vic\x7ftim@strict.com", "victim@strict.com\x01",
		"victim@\"strict.com\"", "victim;@strict.com", "vic,tim@strict.com", "victim@strict\\.com",
	};

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		ck_assert_msg(addr_is_plain(plain[i], strlen(plain[i])), "%s", plain[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		size_t n = strlen(others[i]);
		char *copy = malloc(n > 0 ? n : 1); /* nothing behind it is read */
		memcpy(copy, others[i], n);
		ck_assert_msg(!addr_is_plain(copy, n), "%s", others[i]);
		free(copy);
	}
	ck_assert(!addr_is_plain("a\0b@c", 5));
	ck_assert(!addr_is_plain("a@b\0c", 5));
}
END_TEST

START_TEST(addresses_too_long)
{
	struct user_addr a;
	char text[2 * USER_ADDR_MAX];

	memset(text, 'x', sizeof text);
	user_addr_read(text, sizeof text, &a);
	ck_assert_uint_eq(a.len, USER_ADDR_MAX - 1);
	/* Cut at a place that looks like the end of another domain. */
	memcpy(text + USER_ADDR_MAX - 1 - 7, "@b.com.evil", 11);
	user_addr_read(text, USER_ADDR_MAX + 100, &a);
	ck_assert_uint_eq(a.domain, a.len);
}
END_TEST

START_TEST(parts_that_are_none)
{
	static const struct { const char *in, *why; } rows[] = {
		{ "@domain.com", "begins with @" }, { "\"\"@domain.com", "begins with @" },
		{ ".domain.com", "begins with a dot" }, { "a@.com", "begins with a dot" },
		{ "a@", "no domain" }, { "*@domain.com", "masks" }, { "*.domain.com", "masks" },
		{ "a b@c", "not an address" }, { "a,b@c", "not an address" },
		{ "<a@b>", "not an address" }, { "a..com", "empty label" }, { "a@b..", "empty label" },
		{ "a@@b.c", "more than one @" }, { "a@b@c", "more than one @" },
		{ "\"a@b", "not closed" }, { "a\tb", "not an address" },
	};
	struct user_addr a;
	const char *why;
	char text[2000];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_int_eq(user_addr_read_part(rows[i].in, strlen(rows[i].in), &a, &why), -1);
		ck_assert_msg(strstr(why, rows[i].why) != NULL, "%s: %s", rows[i].in, why);
	}
	memset(text, 'x', sizeof text);
	ck_assert_int_eq(user_addr_read_part(text, sizeof text, &a, &why), -1);
	ck_assert_int_eq(user_addr_read_part(text, 256, &a, &why), -1);
	ck_assert_int_eq(user_addr_read_part(text, 255, &a, &why), 0);
}
END_TEST

/* --- one section ---------------------------------------------------------- */

/* The number of names, and the section that is found. */
static unsigned find_in(const char *const *names, const char *rcpt, const char *sndr)
{
	struct user_match *m = user_match_new();
	unsigned first;
	const char *why;
	bool same, octets;

	for (unsigned i = 0; names[i] != NULL; i++)
		ck_assert_msg(user_match_add(m, names[i], i, &first, &same, &octets, &why) == 0, "%s: %s",
			names[i], why);
	unsigned found = user_match_find(m, rcpt, strlen(rcpt), sndr, strlen(sndr));
	user_match_free(&m);
	ck_assert_ptr_null(m);
	return found;
}

START_TEST(one_section)
{
	static const struct { const char *name, *rcpt, *sndr; bool matches; } rows[] = {
		/* the specification's examples */
		{ "|username@domain.com", "any@where.org", "username@domain.com", true },
		{ "|username@domain.com", "username@domain.com", "any@where.org", false },
		{ "username@domain.com", "username@domain.com", "any@where.org", true },
		{ "username@domain.com", "any@where.org", "username@domain.com", false },
		{ "domain.com", "any@domain.com", "x@y", true },
		{ "domain.com", "any@sub.domain.com", "x@y", true },
		{ "domain.com", "any@notdomain.com", "x@y", false },
		{ "domain.com", "any@domain.com.evil", "x@y", false },
		{ "org|domain.com", "a@b.org", "c@domain.com", true },
		{ "org|domain.com", "a@b.org", "c@domain.net", false },
		{ "org|domain.com", "a@b.net", "c@domain.com", false },
		/* rule 1 and 2: address, domain, top-level domain */
		{ "rcptname@rcptdomain.com", "rcptname@rcptdomain.com", "x@y", true },
		{ "rcptdomain.com", "rcptname@rcptdomain.com", "x@y", true },
		{ "com", "rcptname@rcptdomain.com", "x@y", true },
		{ "m", "rcptname@rcptdomain.com", "x@y", false },
		{ "b.c.d", "x@a.b.c.d", "x@y", true },
		{ "other@rcptdomain.com", "rcptname@rcptdomain.com", "x@y", false },
		{ "name@com", "name@domain.com", "x@y", false },
		/* a part that is not there, an address that is not known */
		{ "|", "a@b", "c@d", true }, { "a@b|", "a@b", "c@d", true },
		{ "a@b|", "z@b", "c@d", false }, { " a@b | c@d ", "a@b", "c@d", true },
		{ "|c@d", "a@b", "", true }, { "a@b|c@d", "a@b", "", true },
		{ "a@b|c@d", "z@b", "", false }, { "a@b", "", "c@d", true },
		{ "a@b|c@d", "", "c@d", true }, { "a@b|c@d", "", "c@e", false },
		{ "a@b|c@d", "", "", true },
		/* spelling */
		{ "USER@Domain.Com.", "user@domain.com", "x@y", true },
		{ "user@domain.com", "\"User\"@DOMAIN.com.", "x@y", true },
		{ "\"user\"@domain.com", "@relay:user@domain.com", "x@y", true },
		{ "\"a|b\"@c", "\"a|b\"@c", "x@y", true }, { "\"a b\"@c", "\"a\\ b\"@c", "x@y", true },
		{ "a@[192.0.2.1]", "A@[192.0.2.1]", "x@y", true },
		{ "[192.0.2.1]", "a@[192.0.2.1]", "x@y", true },
		{ "1]", "a@[192.0.2.1]", "x@y", false },
		/* not fully qualified: as it stands */
		{ "postmaster", "Postmaster", "x@y", true }, { "com", "postmaster", "x@y", false },
		/* one that ends in the name of another */
		{ "|white.com", "a@b", "x@white.com.evil.net", false },
		{ "|white.com", "a@b", "\"x@white.com\"", false },
		{ "|white.com", "a@b", "\"x@white.com\"@evil.net", false },
		{ "|white.com", "a@b", "x@white.com", true },
#ifdef HAVE_LIBIDN2
		{ "b\xc3\xbc" "cher.de", "a@xn--bcher-kva.de", "x@y", true },
		{ "xn--bcher-kva.de", "a@B\xc3\x9c" "CHER.de", "x@y", true },
		{ "XN--Bcher-KVA.de", "a@sub.b\xc3\xbc" "cher.de", "x@y", true },
#else
		{ "b\xc3\xbc" "cher.de", "a@xn--bcher-kva.de", "x@y", false },
#endif
		{ "b\xc3\xbc" "cher.de", "a@b\xc3\xbc" "cher.DE", "x@y", true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *const names[] = { rows[i].name, NULL };
		unsigned found = find_in(names, rows[i].rcpt, rows[i].sndr);
		ck_assert_msg(found == (rows[i].matches ? 0 : USER_MATCH_NONE), "[%s] for %s from %s",
			rows[i].name, rows[i].rcpt, rows[i].sndr);
	}
}
END_TEST

START_TEST(first_match_in_file_order)
{
	static const char *const names[] = { "a@b.com|x@y", "a@b.com", "b.com|y", "|y", "b.com", "com",
		"a@c.net", "|", NULL };
	static const struct { const char *rcpt, *sndr; unsigned found; } rows[] = {
		{ "a@b.com", "x@y", 0 }, { "a@b.com", "z@y", 1 }, { "a@b.com", "z@q", 1 },
		{ "z@b.com", "x@y", 2 }, { "z@z.com", "x@y", 3 }, { "z@b.com", "x@q", 4 },
		{ "z@z.com", "x@q", 5 }, { "z@q", "x@q", 7 }, { "a@c.net", "x@q", 6 },
		{ "a@c.net", "x@y", 3 }, { "a@b.com", "", 0 }, { "z@b.com", "", 2 }, { "z@z.com", "", 3 },
		{ "", "x@q", 1 }, { "", "", 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_msg(find_in(names, rows[i].rcpt, rows[i].sndr) == rows[i].found, "%s from %s",
			rows[i].rcpt, rows[i].sndr);
	static const char *const none[] = { NULL };
	ck_assert_uint_eq(find_in(none, "a@b", "c@d"), USER_MATCH_NONE);
	ck_assert_uint_eq(find_in(none, "", ""), USER_MATCH_NONE);
}
END_TEST

/* Which earlier section makes a later one useless: only one that stands for
 * every message of it. */
START_TEST(covered)
{
	static const struct { const char *first, *later; bool is_covered, is_same; } cases[] = {
		{ "b.c", "a@b.c", true, false }, { "c", "a@b.c", true, false },
		{ "b.c", "x.b.c", true, false }, { "b.c", "B.C.", true, true },
		{ "b.c", "a@b.c|x@y", true, false }, { "b.c|y", "a@b.c|x@y", true, false },
		{ "|y", "a@b.c|x@y", true, false }, { "|y", "|x@y", true, false },
		{ "a@b.c|y", "b.c|y", false, false }, { "a@b.c", "b.c", false, false },
		{ "b.c|y", "a@b.c", false, false }, { "b.c|x@y", "a@b.c|y", false, false },
		{ "b.c", "|x@y", false, false }, { "|y", "b.c", false, false },
		{ "b.c", "a@xb.c", false, false }, { "a@b.c", "a@x.b.c", false, false },
		{ "b.c", "b.c.d", false, false }, { "[192.0.2.1]", "a@[192.0.2.1]", true, false },
	};
	const char *why;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct user_match *m = user_match_new();
		unsigned first;
		bool same, octets;
		ck_assert_int_eq(user_match_add(m, "other@example", 3, &first, &same, &octets, &why), 0);
		ck_assert_int_eq(user_match_add(m, cases[i].first, 4, &first, &same, &octets, &why), 0);
		ck_assert_uint_eq(first, USER_MATCH_NONE);
		ck_assert_int_eq(user_match_add(m, cases[i].later, 5, &first, &same, &octets, &why), 0);
		ck_assert_msg(first == (cases[i].is_covered ? 4 : USER_MATCH_NONE) &&
			same == cases[i].is_same, "[%s] [%s]: %u", cases[i].first, cases[i].later, first);
		user_match_free(&m);
	}
}
END_TEST

START_TEST(names)
{
	struct user_match *m = user_match_new();
	unsigned first;
	const char *why;
	bool same, octets;

	ck_assert_int_eq(user_match_add(m, "a@b|c|d", 0, &first, &same, &octets, &why), -1);
	ck_assert_ptr_nonnull(strstr(why, "more than one |"));
	ck_assert_int_eq(user_match_add(m, "a@b|*", 0, &first, &same, &octets, &why), -1);
	ck_assert_int_eq(user_match_add(m, "a@b|c@d", 5, &first, &same, &octets, &why), 0);
	ck_assert(first == USER_MATCH_NONE && !same);
	ck_assert_int_eq(user_match_add(m, "A@B.|\"c\"@d", 6, &first, &same, &octets, &why), 0);
	ck_assert(first == 5 && same);
	ck_assert(!octets);
	ck_assert_int_eq(user_match_add(m, "\xc3\xbc.de", 7, &first, &same, &octets, &why), 0);
#ifdef HAVE_LIBIDN2
	ck_assert(!octets);
#else
	ck_assert(octets);
#endif
	ck_assert_uint_eq(user_match_find(m, "", 0, "", 0), 5);
	ck_assert_uint_gt(user_match_memory(m), 1000);
	user_match_free(&m);
	user_match_free(&m);
}
END_TEST

/* --- against the specification, read word for word ------------------------- */

static bool part_matches(const char *part, const char *addr)
{
	const char *at = strchr(addr, '@');

	if (addr[0] == '\0' || part[0] == '\0' || strcmp(part, addr) == 0)
		return true;
	for (const char *p = at; p != NULL; p = strchr(p + 1, '.'))
		if (strcmp(part, p + 1) == 0)
			return true;
	return false;
}

static const char *random_part(unsigned *seed)
{
	static const char *const parts[] = { "", "u@a.b.c", "v@a.b.c", "u@b.c", "u@c", "a.b.c", "b.c", "c",
		"d", "u@d", "x.d", "u@x.d" };

	return parts[split_random(seed) % (sizeof parts / sizeof *parts)];
}

static const char *random_addr(unsigned *seed)
{
	static const char *const addrs[] = { "", "u@a.b.c", "v@a.b.c", "u@b.c", "u@c", "w@b.c", "u@d",
		"u@x.d", "u@e" };

	return addrs[split_random(seed) % (sizeof addrs / sizeof *addrs)];
}

START_TEST(as_the_specification_says)
{
	unsigned seed = (unsigned)_i + 1, first;
	const char *rcpts[40], *sndrs[40], *why;
	bool is_useless[40];
	struct user_match *m = user_match_new();
	unsigned n = 1 + split_random(&seed) % 40;
	char name[100];
	bool same, octets;

	for (unsigned i = 0; i < n; i++) {
		rcpts[i] = random_part(&seed);
		sndrs[i] = random_part(&seed);
		snprintf(name, sizeof name, "%s|%s", rcpts[i], sndrs[i]);
		need(user_match_add(m, name, i, &first, &same, &octets, &why) == 0);
		is_useless[i] = first != USER_MATCH_NONE;
	}
	for (unsigned t = 0; t < 300; t++) {
		const char *rcpt = random_addr(&seed), *sndr = random_addr(&seed);
		unsigned want = 0;
		while (want < n && !(part_matches(rcpts[want], rcpt) && part_matches(sndrs[want], sndr)))
			want++;
		unsigned found = user_match_find(m, rcpt, strlen(rcpt), sndr, strlen(sndr));
		if (found != (want < n ? want : USER_MATCH_NONE) || (want < n && is_useless[want]))
			ck_abort_msg("%s from %s: %u, not %u of %u", rcpt, sndr, found, want, n);
	}
	user_match_free(&m);
}
END_TEST

/* Tables that grow; and an address of thousands of labels. */
START_TEST(many_sections)
{
	struct user_match *m = user_match_new();
	unsigned first;
	const char *why;
	char name[100], labels[4000];
	bool same, octets;

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "u%u@d%u.example|s%u.example", i, i % 77, i % 5);
		need(user_match_add(m, name, i, &first, &same, &octets, &why) == 0 && first == USER_MATCH_NONE);
	}
	for (unsigned i = 0; i < 20000; i++) {
		char rcpt[50], sndr[50];
		int r = snprintf(rcpt, sizeof rcpt, "U%u@d%u.example", i, i % 77);
		int s = snprintf(sndr, sizeof sndr, "x@a.s%u.example", i % 5);
		need(user_match_find(m, rcpt, (size_t)r, sndr, (size_t)s) == i);
		need(user_match_find(m, rcpt, (size_t)r, "", 0) == i);
		need(user_match_find(m, rcpt, (size_t)r, "x@y", 3) == USER_MATCH_NONE);
	}
	for (size_t i = 0; i < sizeof labels; i++)
		labels[i] = i < 2 ? "a@"[i] : i % 2 == 0 ? 'b' : '.';
	ck_assert_uint_eq(user_match_find(m, labels, sizeof labels, labels, sizeof labels),
		USER_MATCH_NONE);
	memset(labels + 2, '.', sizeof labels - 2);
	ck_assert_uint_eq(user_match_find(m, labels, sizeof labels, labels, sizeof labels),
		USER_MATCH_NONE);
	user_match_free(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("user_match");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, addresses);
	tcase_add_test(tc, plain_addresses);
	tcase_add_test(tc, addresses_too_long);
	tcase_add_test(tc, parts_that_are_none);
	tcase_add_test(tc, one_section);
	tcase_add_test(tc, first_match_in_file_order);
	tcase_add_test(tc, names);
	tcase_add_test(tc, covered);
	tcase_add_loop_test(tc, as_the_specification_says, 0, 200);
	tcase_add_test(tc, many_sections);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
