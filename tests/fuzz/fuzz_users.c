/* fuzz_users.c - the user file's reader and the matcher, on any octets.
 * Input: the file, a NUL, then addresses by lines, recipient and sender in
 * turn. What is read must match as the specification's own words do, section
 * by section; equal settings must be one pointer. */
#include "conf_int.h"
#include "fuzz.h"
#include "str.h"
#include "user_addr.h"
#include "user_match.h"

#define NAMES_MAX 64

static struct { char *name; bool used; } names[NAMES_MAX];
static unsigned nnames;

static bool on_section(struct conf_reader *r, const char *name, const char *where,
	unsigned *section_out, struct conf_values **values_out)
{
	must(where != NULL && strchr(name, '\n') == NULL && name[0] != '\0');
	if (nnames < NAMES_MAX) {
		names[nnames].name = strdup(name);
		must(names[nnames].name != NULL);
		nnames++;
	}
	*section_out = CONF_SEC_USER;
	*values_out = r->ctx;
	return true;
}

static void note(void *arg, enum conf_note kind, const char *text)
{
	(void)arg;
	(void)kind;
	must(text != NULL && strchr(text, '\n') == NULL);
}

static void read_names(const uint8_t *p, size_t n)
{
	struct conf_arena mem = { NULL, false };
	struct conf_notes notes = { .fn = note };
	struct conf_values values = { 0 };
	struct conf_reader r = { .path = "users", .mem = &mem, .notes = &notes, .is_users = true,
		.on_section = on_section, .ctx = &values };
	char *text = malloc(n + 1);

	must(text != NULL);
	memcpy(text, p, n);
	text[n] = '\0';
	must(conf_file_parse(&r, text, n) == 0 && !mem.failed);
	free(text);
	conf_arena_fini(&mem);
}

/* Rules 1 and 2 of the specification, on addresses in one form. */
static bool part_matches(const char *part, size_t n, const struct user_addr *a)
{
	struct user_addr p;
	const char *why;

	while (n > 0 && (*part == ' ' || *part == '\t')) {
		part++;
		n--;
	}
	while (n > 0 && (part[n - 1] == ' ' || part[n - 1] == '\t'))
		n--;
	if (n == 0 || a->is_none)
		return true;
	must(user_addr_read_part(part, n, &p, &why) == 0);
	if (p.len == a->len && memcmp(p.text, a->text, p.len) == 0)
		return true;
	for (size_t at = a->domain; at < a->len; at = user_addr_parent(a, at))
		if (a->len - at == p.len && memcmp(a->text + at, p.text, p.len) == 0)
			return true;
	return false;
}

static bool name_matches(const char *name, const struct user_addr *rcpt, const struct user_addr *sndr)
{
	size_t bar = 0, n = strlen(name);

	for (bool quoted = false; bar < n && (quoted || name[bar] != '|'); bar++) {
		if (name[bar] == '"')
			quoted = !quoted;
		else if (name[bar] == '\\' && quoted)
			bar++;
	}
	bar = bar < n ? bar : n;
	return part_matches(name, bar, rcpt) && (bar == n || part_matches(name + bar + 1, n - bar - 1, sndr));
}

static void check_pair(const struct user_match *m, const char *r, size_t nr, const char *s, size_t ns)
{
	struct user_addr rcpt, sndr;
	unsigned want = USER_MATCH_NONE;

	user_addr_read(r, nr, &rcpt);
	user_addr_read(s, ns, &sndr);
	for (unsigned i = 0; i < nnames && want == USER_MATCH_NONE; i++)
		if (names[i].used && name_matches(names[i].name, &rcpt, &sndr))
			want = i;
	must(user_match_find(m, r, nr, s, ns) == want);
}

static void check_addresses(const struct user_match *m, const char *p, const char *end)
{
	while (p < end) {
		const char *r = p, *lf = memchr(p, '\n', (size_t)(end - p));
		size_t nr = (size_t)((lf != NULL ? lf : end) - p);
		p = lf != NULL ? lf + 1 : end;
		lf = memchr(p, '\n', (size_t)(end - p));
		size_t ns = (size_t)((lf != NULL ? lf : end) - p);
		/* Blocks of their own: a read beyond them is seen. */
		char *rcpt = malloc(nr + 1), *sndr = malloc(ns + 1);
		must(rcpt != NULL && sndr != NULL);
		char *rp = memcpy(rcpt + 1, r, nr), *sp = memcpy(sndr + 1, p, ns);
		check_pair(m, rp, nr, sp, ns);
		free(rcpt);
		free(sndr);
		p = lf != NULL ? lf + 1 : end;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	size_t n = nul != NULL ? (size_t)(nul - data) : size;
	struct user_match *m = user_match_new();
	const char *why;
	unsigned first;
	bool same, octets;

	must(m != NULL);
	nnames = 0;
	read_names(data, n);
	for (unsigned i = 0; i < nnames; i++) {
		names[i].used = user_match_add(m, names[i].name, i, &first, &same, &octets, &why) == 0;
		must(names[i].used ? first == USER_MATCH_NONE || first < i : why != NULL);
	}
	if (nul != NULL)
		check_addresses(m, (const char *)nul + 1, (const char *)data + size);
	for (unsigned i = 0; i < nnames; i++)
		free(names[i].name);
	user_match_free(&m);
	return 0;
}
