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

/* A line of the reply, without code and line end. */
struct line {
	const char *p, *key;
	size_t len, word;         /* word: length of the keyword at key */
	bool is_strict;           /* spelled as RFC 5321 has it: at p, a blank behind */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* ALNUM *(ALNUM / "-"), RFC 5321 4.1.1.1 */
static bool is_keyword(const struct line *l)
{
	size_t i = 0;

	while (i < l->word && (is_alnum(l->key[i]) || (i > 0 && l->key[i] == '-')))
		i++;
	return i > 0 && i == l->word;
}

/* Notes nothing of a line that the server may not mean: what is taken for an offer
 * here changes what it is sent (a wrong BINARYMIME: octets that it reads as commands). */
static void note(struct smtp_ehlo_info *info, const struct line *l)
{
	const struct { const char *name; bool *flag; } flags[] = {
		{ "PIPELINING", &info->pipelining }, { "CHUNKING", &info->chunking },
		{ "BINARYMIME", &info->binarymime }, { "SMTPUTF8", &info->smtputf8 },
		{ "XCLIENT", &info->xclient }, { "XFORWARD", &info->xforward },
		{ "SIZE", &info->size },
	};
	char number[24];

	if (!l->is_strict)
		return;
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		if (str_ieq_n(l->key, l->word, flags[i].name))
			*flags[i].flag = true;
	}
	if (str_ieq_n(l->key, l->word, "SIZE") && l->len > l->word + 1 &&
	    str_copy_n(number, sizeof number, l->key + l->word + 1, l->len - l->word - 1)) {
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

static bool is_passed(const struct line *l, const struct smtp_ehlo_cfg *cfg,
	const struct smtp_ehlo_info *info)
{
	enum smtp_ehlo_rule rule;

	if (!is_keyword(l))
		return false;
	if (!smtp_ehlo_rule_of(l->key, l->word, &rule))
		return !cfg->hide_unknown;
	if (rule == SMTP_EHLO_OWN)
		return l->is_strict && (str_ieq_n(l->key, l->word, "CHUNKING") ?
			smtp_ehlo_has_chunking(cfg, info) : smtp_ehlo_has_binarymime(cfg, info));
	return rule == SMTP_EHLO_PASS || (rule == SMTP_EHLO_TRUSTED && cfg->is_trusted);
}

static int put_line(const char *code, const char *p, size_t len, struct buf *out)
{
	if (buf_append(out, code, 3) < 0 || buf_append(out, "-", 1) < 0 ||
	    buf_append(out, p, len) < 0)
		return -1;
	return buf_append(out, "\r\n", 2);
}

/* One keyword line of the filtered reply. */
static int put_keyword(const char *code, const struct line *l, const struct smtp_ehlo_cfg *cfg,
	const struct smtp_ehlo_info *info, struct buf *out)
{
	if (str_ieq_n(l->key, l->word, "SIZE") && cfg->max_size != 0 &&
	    (info->size_max == 0 || cfg->max_size < info->size_max))
		return buf_printf(out, "%.3s-%.*s %llu\r\n", code, (int)l->word, l->key,
			(unsigned long long)cfg->max_size);
	return put_line(code, l->p, l->len, out);
}

/* The next line of the reply. Its keyword is what the laxest client takes for it:
 * such a one skips blanks in front, and lets more than a blank end it. False at
 * the end. */
static bool next_line(const char **p, const char *end, struct line *l)
{
	if (*p >= end)
		return false;
	const char *lf = memchr(*p, '\n', (size_t)(end - *p));
	size_t n = (size_t)((lf != NULL ? lf : end) - *p);
	size_t text = n > 0 && (*p)[n - 1] == '\r' ? n - 1 : n;
	size_t skip = text > 4 ? 4 : text, lead = 0, left;

	*l = (struct line){ .p = *p + skip, .len = text - skip };
	while (lead < l->len && is_blank(l->p[lead]))
		lead++;
	l->key = l->p + lead;
	left = l->len - lead;
	while (l->word < left && !is_blank(l->key[l->word]) && l->key[l->word] != '=')
		l->word++;
	l->is_strict = lead == 0 && (l->word == left || l->key[l->word] != '=');
	*p += n + (lf != NULL);
	return true;
}

bool smtp_ehlo_find(const char *raw, size_t len, const char *keyword, const char **arg_out,
	size_t *arg_len_out)
{
	const char *p = raw, *end = raw + len;
	struct line l;

	next_line(&p, end, &l);
	while (next_line(&p, end, &l)) {
		if (!l.is_strict || !str_ieq_n(l.key, l.word, keyword))
			continue;
		*arg_out = l.key + l.word;
		*arg_len_out = l.len - l.word;
		return true;
	}
	return false;
}

void smtp_ehlo_read(const char *raw, size_t len, struct smtp_ehlo_info *info)
{
	const char *p = raw, *end = raw + len;
	struct line l;

	*info = (struct smtp_ehlo_info){ .size_max = 0 };
	next_line(&p, end, &l); /* the greeting */
	while (next_line(&p, end, &l))
		note(info, &l);
}

int smtp_ehlo_filter(const char *raw, size_t len, const struct smtp_ehlo_cfg *cfg,
	struct smtp_ehlo_info *info, struct buf *out)
{
	const char *p = raw, *end = raw + len;
	size_t last = buf_len(out);
	struct line l;

	smtp_ehlo_read(raw, len, info);
	/* The first line is the server's greeting, no keyword. */
	if (!next_line(&p, end, &l))
		return 0;
	if (put_line(raw, l.p, l.len, out) < 0)
		return -1;
	while (next_line(&p, end, &l)) {
		if (!is_passed(&l, cfg, info))
			continue;
		last = buf_len(out);
		if (put_keyword(raw, &l, cfg, info, out) < 0)
			return -1;
	}
	if (cfg->chunking_always && !info->chunking) {
		last = buf_len(out);
		if (put_line(raw, "CHUNKING", 8, out) < 0)
			return -1;
	}
	buf_head(out)[last + 3] = ' ';
	return 0;
}
