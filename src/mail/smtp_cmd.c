/* smtp_cmd.c - the verb table and arguments, see smtp_cmd.h. */
#include "smtp_cmd.h"

#include <string.h>

#include "str.h"

struct verb_row {
	const char *name;
	enum smtp_cmd_kind kind;
	const char *reply;
};

static const struct verb_row verbs[SMTP_VERB_COUNT] = {
#define X(id, name, kind, reply) [SMTP_VERB_##id] = { name, SMTP_CMD_##kind, reply },
	SMTP_VERB_LIST(X)
#undef X
};

const char *smtp_verb_name(enum smtp_verb v)
{
	return verbs[v].name;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What no verb holds, and what a lax server might take for a blank (NBSP). */
static bool is_not_verb(char c)
{
	return (unsigned char)c < 0x20 || (unsigned char)c >= 0x7f;
}

/* Some servers compare only the first four letters: what carries content or is
 * refused is that to us, too. */
static bool is_verb(const char *p, size_t n, const struct verb_row *row)
{
	if ((row->kind == SMTP_CMD_REFUSE || row->kind == SMTP_CMD_BDAT) && strlen(row->name) == 4)
		return n >= 4 && str_icmp_n(p, row->name, 4) == 0;
	return str_ieq_n(p, n, row->name);
}

/* A verb that changes what is known of the session, and more. */
static bool is_longer(const char *p, size_t n)
{
	static const enum smtp_verb four[] = { SMTP_VERB_EHLO, SMTP_VERB_HELO, SMTP_VERB_MAIL,
		SMTP_VERB_RCPT, SMTP_VERB_DATA, SMTP_VERB_RSET, SMTP_VERB_AUTH };

	for (size_t i = 0; n > 4 && i < sizeof four / sizeof four[0]; i++) {
		if (str_icmp_n(p, verbs[four[i]].name, 4) == 0)
			return true;
	}
	return false;
}

bool smtp_cmd_parse(const char *line, size_t len, struct smtp_cmd *out)
{
	size_t n = 0, arg;
	unsigned v = 0;

	while (len > 0 && is_space(*line)) {
		line++;
		len--;
	}
	while (n < len && !is_space(line[n])) {
		if (is_not_verb(line[n]))
			return false;
		n++;
	}
	if (n == 0)
		return false;
	while (v < SMTP_VERB_UNKNOWN && !is_verb(line, n, &verbs[v]))
		v++;
	if (v == SMTP_VERB_UNKNOWN && is_longer(line, n))
		v = SMTP_VERB_LONGER;
	for (arg = n; arg < len && is_space(line[arg]);)
		arg++;
	*out = (struct smtp_cmd){
		.verb = (enum smtp_verb)v, .kind = verbs[v].kind, .reply = verbs[v].reply,
		.line = line, .line_len = len, .arg = line + arg, .arg_len = len - arg,
	};
	while (out->arg_len > 0 && is_space(out->arg[out->arg_len - 1]))
		out->arg_len--;
	return true;
}

/* End of the path that starts at p: the closing bracket (outside quotes), or
 * the first blank where there is no opening one. */
static const char *path_end(const char *p, const char *end, bool bracket)
{
	bool quoted = false;

	for (; p < end; p++) {
		if (*p == '\\' && quoted && p + 1 < end)
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && (bracket ? *p == '>' : is_space(*p)))
			break;
	}
	return p;
}

size_t smtp_cmd_path(const char *arg, size_t len, const char *prefix, const char **addr_out,
	const char **params_out, size_t *params_len_out)
{
	const char *p = arg, *end = arg + len;

	*addr_out = arg;
	if (params_out != NULL) {
		*params_out = end;
		*params_len_out = 0;
	}
	if (!str_istarts(arg, len, prefix))
		return 0;
	p += strlen(prefix);
	while (p < end && is_space(*p))
		p++;
	if (p == end || *p != ':')
		return 0;
	for (p++; p < end && is_space(*p);)
		p++;
	bool bracket = p < end && *p == '<';
	p += bracket;
	const char *stop = path_end(p, end, bracket);
	if (params_out != NULL && stop < end) {
		*params_out = stop + bracket;
		*params_len_out = (size_t)(end - *params_out);
	}
	/* A source route "@a,@b:" is taken off (RFC 5321 4.1.1.3, appendix C). */
	if (p < stop && *p == '@') {
		const char *colon = memchr(p, ':', (size_t)(stop - p));
		if (colon != NULL)
			p = colon + 1;
	}
	*addr_out = p;
	return (size_t)(stop - p);
}

/* The next blank-separated word at *p; false at the end. */
static bool next_word(const char **p, const char *end, const char **word, size_t *n)
{
	while (*p < end && is_space(**p))
		(*p)++;
	*word = *p;
	while (*p < end && !is_space(**p))
		(*p)++;
	*n = (size_t)(*p - *word);
	return *n > 0;
}

int smtp_cmd_bdat(const char *arg, size_t len, uint64_t *size_out, bool *last_out)
{
	const char *p = arg, *end = arg + len, *word;
	char number[21];
	size_t n;

	*last_out = false;
	if (!next_word(&p, end, &word, &n))
		return -1;
	for (; n > 1 && *word == '0'; n--)
		word++;
	if (!str_copy_n(number, sizeof number, word, n) || str_parse_u64(number, size_out) < 0)
		return -1;
	if (!next_word(&p, end, &word, &n))
		return 0;
	if (!str_ieq_n(word, n, "LAST") || next_word(&p, end, &word, &n))
		return -1;
	*last_out = true;
	return 0;
}

bool smtp_cmd_params_are_plain(const char *params, size_t len)
{
	static const char keyword[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	const char *p = params, *end = params + len, *word;
	size_t n, k;

	if (len > 0 && !is_space(*params))
		return false;
	while (next_word(&p, end, &word, &n)) {
		for (k = 0; k < n && word[k] != '\0' && strchr(keyword, word[k]) != NULL;)
			k++;
		if (k == 0 || (k < n && word[k] != '='))
			return false;
	}
	return true;
}

bool smtp_cmd_has_param(const char *params, size_t len, const char *name, const char *value)
{
	const char *p = params, *end = params + len, *word;
	size_t n, k = strlen(name);

	while (next_word(&p, end, &word, &n)) {
		if (!str_istarts(word, n, name) || (n > k && word[k] != '='))
			continue;
		if (value == NULL || (n > k && str_ieq_n(word + k + 1, n - k - 1, value)))
			return true;
	}
	return false;
}

/* xtext (RFC 3461 4): "+XX" is an octet. */
static void xtext_decode(const char *p, size_t n, char *out, size_t size)
{
	size_t w = 0;

	for (size_t i = 0; i < n && w + 1 < size; i++) {
		unsigned char c;
		if (p[i] == '+' && n - i > 2 && str_unhex(&c, 1, p + i + 1) == 0) {
			out[w++] = (char)c;
			i += 2;
		} else {
			out[w++] = p[i];
		}
	}
	out[w] = '\0';
}

bool smtp_cmd_attr(const char *arg, size_t len, const char *name, char *out, size_t size)
{
	const char *p = arg, *end = arg + len, *word;
	size_t n, k = strlen(name);

	while (next_word(&p, end, &word, &n)) {
		if (n <= k || word[k] != '=' || !str_istarts(word, n, name))
			continue;
		xtext_decode(word + k + 1, n - k - 1, out, size);
		if (str_ieq(out, "[UNAVAILABLE]") || str_ieq(out, "[TEMPUNAVAIL]"))
			out[0] = '\0';
		return out[0] != '\0';
	}
	return false;
}
