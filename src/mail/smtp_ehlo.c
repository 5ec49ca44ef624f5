/* smtp_ehlo.c - which EHLO keywords pass, see smtp_ehlo.h. */
#include "smtp_ehlo.h"

#include <string.h>

#include "str.h"

static const struct {
	const char *keyword;
	enum smtp_ehlo_rule rule;
} rules[] = {
#define X(keyword, rule, reason) { keyword, SMTP_EHLO_##rule },
	SMTP_EHLO_LIST(X)
#undef X
};

bool smtp_ehlo_rule_of(const char *keyword, size_t len, enum smtp_ehlo_rule *out)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (str_ieq_n(keyword, len, rules[i].keyword)) {
			*out = rules[i].rule;
			return true;
		}
	}
	return false;
}

static void note(struct smtp_ehlo_info *info, const char *p, size_t word, size_t len)
{
	const struct { const char *name; bool *flag; } flags[] = {
		{ "PIPELINING", &info->pipelining }, { "CHUNKING", &info->chunking },
		{ "BINARYMIME", &info->binarymime }, { "SMTPUTF8", &info->smtputf8 },
		{ "XCLIENT", &info->xclient }, { "XFORWARD", &info->xforward },
		{ "SIZE", &info->size },
	};
	char number[24];

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		if (str_ieq_n(p, word, flags[i].name))
			*flags[i].flag = true;
	}
	if (str_ieq_n(p, word, "SIZE") && len > word + 1 &&
	    str_copy_n(number, sizeof number, p + word + 1, len - word - 1)) {
		number[strspn(number, "0123456789")] = '\0';
		if (str_parse_u64(number, &info->size_max) < 0)
			info->size_max = 0;
	}
}

bool smtp_ehlo_has_chunking(const struct smtp_ehlo_cfg *cfg, const struct smtp_ehlo_info *info)
{
	return cfg->chunking_always || (cfg->chunking && info->chunking);
}

bool smtp_ehlo_has_binarymime(const struct smtp_ehlo_cfg *cfg, const struct smtp_ehlo_info *info)
{
	return (cfg->chunking || cfg->chunking_always) && info->chunking && info->binarymime;
}

static bool is_passed(const char *p, size_t word, const struct smtp_ehlo_cfg *cfg,
	const struct smtp_ehlo_info *info)
{
	enum smtp_ehlo_rule rule;

	if (!smtp_ehlo_rule_of(p, word, &rule))
		return !cfg->hide_unknown;
	if (rule == SMTP_EHLO_OWN)
		return str_ieq_n(p, word, "CHUNKING") ? smtp_ehlo_has_chunking(cfg, info) :
			smtp_ehlo_has_binarymime(cfg, info);
	return rule == SMTP_EHLO_PASS || (rule == SMTP_EHLO_TRUSTED && cfg->is_trusted);
}

/* One keyword line (without code and line end) of the filtered reply. */
static int put_keyword(const char *code, const char *p, size_t word, size_t len,
	const struct smtp_ehlo_cfg *cfg, const struct smtp_ehlo_info *info, struct buf *out)
{
	if (str_ieq_n(p, word, "SIZE") && cfg->max_size != 0 &&
	    (info->size_max == 0 || cfg->max_size < info->size_max))
		return buf_printf(out, "%.3s-%.*s %llu\r\n", code, (int)word, p,
			(unsigned long long)cfg->max_size);
	if (buf_append(out, code, 3) < 0 || buf_append(out, "-", 1) < 0 ||
	    buf_append(out, p, len) < 0)
		return -1;
	return buf_append(out, "\r\n", 2);
}

/* The next line of the reply: its text behind code and separator, and the
 * length of its first word. False at the end. */
static bool next_line(const char **p, const char *end, const char **key, size_t *len, size_t *word)
{
	if (*p >= end)
		return false;
	const char *lf = memchr(*p, '\n', (size_t)(end - *p));
	size_t n = (size_t)((lf != NULL ? lf : end) - *p);
	size_t text = n > 0 && (*p)[n - 1] == '\r' ? n - 1 : n;
	size_t skip = text > 4 ? 4 : text;

	*key = *p + skip;
	*len = text - skip;
	*word = 0;
	while (*word < *len && (*key)[*word] != ' ' && (*key)[*word] != '\t')
		(*word)++;
	*p += n + (lf != NULL);
	return true;
}

bool smtp_ehlo_find(const char *raw, size_t len, const char *keyword, const char **arg_out,
	size_t *arg_len_out)
{
	const char *p = raw, *end = raw + len, *key;
	size_t n, word;

	next_line(&p, end, &key, &n, &word);
	while (next_line(&p, end, &key, &n, &word)) {
		if (!str_ieq_n(key, word, keyword))
			continue;
		*arg_out = key + word;
		*arg_len_out = n - word;
		return true;
	}
	return false;
}

void smtp_ehlo_read(const char *raw, size_t len, struct smtp_ehlo_info *info)
{
	const char *p = raw, *end = raw + len, *key;
	size_t n, word;

	*info = (struct smtp_ehlo_info){ .size_max = 0 };
	next_line(&p, end, &key, &n, &word); /* the greeting */
	while (next_line(&p, end, &key, &n, &word))
		note(info, key, word, n);
}

int smtp_ehlo_filter(const char *raw, size_t len, const struct smtp_ehlo_cfg *cfg,
	struct smtp_ehlo_info *info, struct buf *out)
{
	const char *p = raw, *end = raw + len, *key;
	size_t start = buf_len(out), last = start, n, word;

	smtp_ehlo_read(raw, len, info);
	/* The first line is the server's greeting, no keyword. */
	if (!next_line(&p, end, &key, &n, &word))
		return 0;
	if (put_keyword(raw, key, 0, n, cfg, info, out) < 0)
		return -1;
	while (next_line(&p, end, &key, &n, &word)) {
		if (!is_passed(key, word, cfg, info))
			continue;
		last = buf_len(out);
		if (put_keyword(raw, key, word, n, cfg, info, out) < 0)
			return -1;
	}
	if (cfg->chunking_always && !info->chunking) {
		last = buf_len(out);
		if (put_keyword(raw, "CHUNKING", 8, 8, cfg, info, out) < 0)
			return -1;
	}
	buf_head(out)[last + 3] = ' ';
	return 0;
}
