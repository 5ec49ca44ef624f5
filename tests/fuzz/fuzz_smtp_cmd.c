/* fuzz_smtp_cmd.c - commands: nothing is read or pointed to outside the line,
 * and what carries content is never relayed, however disguised (I1).
 * Input: a line. */
#include <strings.h>

#include "fuzz.h"
#include "smtp_cmd.h"

static bool is_blank(char c)
{
	return c == ' ' || (c >= 9 && c <= 13);
}

/* As the laxest server: blanks in front, any case, four letters of these. */
static bool carries_content(const char *p, size_t n)
{
	static const char *const fours[] = { "BDAT", "BURL", "TURN", "ATRN", "LHLO" };
	static const char *const words[] = { "STARTTLS", "TLS", "XEXCH50", "X-EXPS", "X-LINK2STATE",
		"X-ANONYMOUSTLS", "COMPRESS", "CHECKPOINT", "ONEX", "VERB", "SEND", "SOML", "SAML" };
	size_t k = 0;

	while (n > 0 && is_blank(*p)) {
		p++;
		n--;
	}
	while (k < n && !is_blank(p[k]))
		k++;
	for (size_t i = 0; i < sizeof fours / sizeof *fours; i++) {
		if (k >= 4 && strncasecmp(p, fours[i], 4) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (k == strlen(words[i]) && strncasecmp(p, words[i], k) == 0)
			return true;
	}
	return false;
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
