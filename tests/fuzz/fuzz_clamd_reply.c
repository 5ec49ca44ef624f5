/* fuzz_clamd_reply.c - answers of clamd are the same in every split, and their
 * texts are bounded and clean. Input: octets from clamd. */
#include "fuzz.h"
#include "clamd_reply.h"

static int read_reply(const uint8_t *in, size_t n, unsigned mode, struct clamd_reply *r)
{
	const char *why = NULL;
	unsigned seed = 3;
	int got = 0;

	clamd_reply_init(r);
	while (n > 0 && got >= 0) {
		size_t k = fuzz_piece(mode, &seed, n);
		got = clamd_reply_push(r, in, k, &why);
		in += k;
		n -= k;
	}
	must(got >= 0 || why != NULL);
	must(r->len <= CLAMD_REPLY_MAX);
	return got;
}

static void check_text(const char *s, size_t max)
{
	must(strlen(s) < max);
	for (; *s != '\0'; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clamd_reply whole, cut;
	char name[VERDICT_NAME_MAX], version[CLAMD_VERSION_MAX];
	const struct scan_opts opts = { .heur = true };
	enum clamd_kind kind;
	int got = read_reply(data, size, 0, &whole);

	for (unsigned mode = 1; mode < 3; mode++) {
		must(read_reply(data, size, mode, &cut) == got);
		must(got != 1 || strcmp(whole.text, cut.text) == 0);
		must(got < 0 || whole.timed_out == cut.timed_out);
	}
	if (got != 1)
		return 0;
	const char *rest = "";
	if (clamd_reply_number(whole.text, 1, &rest) == 1) {
		must(rest == whole.text + 3 && strncmp(whole.text, "1: ", 3) == 0);
		must(clamd_reply_number(whole.text, 2, &rest) == -1);
	}
	if (clamd_reply_scan(whole.text, &kind, name) == 0) {
		check_text(name, sizeof name);
		must((kind == CLAMD_CLEAN) == (name[0] == '\0'));
		must(kind != CLAMD_CLEAN || strcmp(whole.text + strlen(whole.text) - 4, ": OK") == 0);
		clamd_name_counts(name, &opts);
	}
	if (clamd_reply_version(whole.text, version) == 0)
		check_text(version, sizeof version);
	return 0;
}
