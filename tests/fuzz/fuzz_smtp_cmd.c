/* fuzz_smtp_cmd.c - commands: nothing is read or pointed to outside the line,
 * and what carries content is never relayed, however disguised (I1).
 * Input: a line. */
#include <strings.h>

#include "fuzz.h"
#include "smtp_cmd.h"

/* As the laxest server: blanks in front, four letters. */
static bool carries_content(const char *p, size_t n)
{
	static const char *const verbs[] = { "BDAT", "BURL", "TURN", "ATRN", "LHLO" };

	while (n > 0 && (*p == ' ' || (*p >= 9 && *p <= 13))) {
		p++;
		n--;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (n >= 4 && strncasecmp(p, verbs[i], 4) == 0)
			return true;
	}
	return n >= 8 && strncasecmp(p, "STARTTLS", 8) == 0 &&
		(n == 8 || p[8] == ' ' || (p[8] >= 9 && p[8] <= 13));
}

static void check_args(const char *p, size_t n)
{
	const char *addr, *params, *end = p + n;
	size_t params_len;
	char small[8], large[300];

	for (int to = 0; to < 2; to++) {
		size_t k = smtp_cmd_path(p, n, to ? "TO" : "FROM", &addr, &params, &params_len);
		must(addr >= p && addr + k <= end);
		must(params >= p && params + params_len == end);
		must(k == 0 || addr + k <= params);
	}
	smtp_cmd_has_param(p, n, "SIZE", NULL);
	smtp_cmd_has_param(p, n, "BODY", "BINARYMIME");
	if (smtp_cmd_attr(p, n, "ADDR", small, sizeof small))
		must(small[0] != '\0' && memchr(small, '\0', sizeof small) != NULL);
	if (smtp_cmd_attr(p, n, "NAME", large, sizeof large))
		must(large[0] != '\0' && memchr(large, '\0', sizeof large) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size;
	struct smtp_cmd cmd;
	uint64_t chunk;
	bool last;

	if (smtp_cmd_parse(line, size, &cmd)) {
		must(cmd.line >= line && cmd.line + cmd.line_len == end);
		must(cmd.arg >= cmd.line && cmd.arg + cmd.arg_len <= end);
		must(cmd.line_len > 0 && (unsigned char)cmd.line[0] > 0x20);
		must((unsigned)cmd.verb < SMTP_VERB_COUNT && smtp_verb_name(cmd.verb) != NULL);
		if (carries_content(line, size))
			must(cmd.kind == SMTP_CMD_REFUSE || cmd.kind == SMTP_CMD_BDAT);
		check_args(cmd.arg, cmd.arg_len);
		smtp_cmd_bdat(cmd.arg, cmd.arg_len, &chunk, &last);
	}
	check_args(line, size);
	smtp_cmd_bdat(line, size, &chunk, &last);
	return 0;
}
