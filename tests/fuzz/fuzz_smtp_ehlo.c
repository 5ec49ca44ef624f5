/* fuzz_smtp_ehlo.c - the filter of EHLO replies: what comes out is well formed,
 * and no keyword passes that must not (I1, I6).
 * Input: flags, then the lines of a reply, which LF parts. */
#include <stdbool.h>
#include <strings.h>

#include "fuzz.h"
#include "smtp_ehlo.h"

static const char *const never[] = { "STARTTLS", "TLS", "BURL", "XEXCH50", "CHECKPOINT", "PRDR",
	"COMPRESS", "TURN", "ATRN", "X-LINK2STATE", "X-ANONYMOUSTLS", "X-EXPS", "VERB", "ONEX" };

/* The reply as the session has it: complete, with CR LF. */
static void make_reply(const uint8_t *in, size_t n, struct fuzz_text *out)
{
	size_t at = 0, line;

	do {
		line = at;
		while (at < n && in[at] != '\n')
			at++;
		fuzz_add(out, at < n ? "250-" : "250 ", 4);
		fuzz_add(out, in + line, at - line);
		fuzz_add(out, "\r\n", 2);
	} while (at++ < n);
}

static bool is_alnum(char c)
{
	return memchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", c, 62) != NULL;
}

/* As lax clients read it: white space in front is nothing, and the first octet
 * that is in no keyword ends it. */
static bool is_word(const char *p, size_t n, const char *word)
{
	size_t k = strlen(word);

	while (n > 0 && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) {
		p++;
		n--;
	}
	return n >= k && strncasecmp(p, word, k) == 0 && (n == k || (p[k] != '-' && !is_alnum(p[k])));
}

/* Is it offered, as RFC 5321 has it? */
static bool is_offered(const struct fuzz_text *reply, const char *word)
{
	const char *p = memchr(reply->p, '\n', reply->len), *end = reply->p + reply->len;
	size_t k = strlen(word);

	for (p++; p < end; p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1) {
		if ((size_t)(end - p) >= k + 6 && strncasecmp(p + 4, word, k) == 0 &&
		    (p[4 + k] == ' ' || p[4 + k] == '\t' || memcmp(p + 4 + k, "\r\n", 2) == 0))
			return true;
	}
	return false;
}

static void check_info(const struct fuzz_text *reply, const struct smtp_ehlo_info *info)
{
	must(info->pipelining == is_offered(reply, "PIPELINING"));
	must(info->chunking == is_offered(reply, "CHUNKING"));
	must(info->binarymime == is_offered(reply, "BINARYMIME"));
	must(info->smtputf8 == is_offered(reply, "SMTPUTF8"));
	must(info->xclient == is_offered(reply, "XCLIENT"));
	must(info->size == is_offered(reply, "SIZE"));
}

static void check_line(const char *p, size_t n, const struct smtp_ehlo_cfg *cfg,
	const struct smtp_ehlo_info *info)
{
	size_t i = 0, word;

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	for (word = i; i < n && (is_alnum(p[i]) || (i > word && p[i] == '-'));)
		i++;
	must(i > word && (i == n || memchr(" \t=", p[i], 3) != NULL));
	for (size_t k = 0; k < sizeof never / sizeof *never; k++)
		must(!is_word(p, n, never[k]));
	must(cfg->is_trusted || (!is_word(p, n, "XCLIENT") && !is_word(p, n, "XFORWARD")));
	must(!is_word(p, n, "CHUNKING") || smtp_ehlo_has_chunking(cfg, info));
	must(!is_word(p, n, "BINARYMIME") || (info->chunking && info->binarymime));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_text in = { NULL, 0, 0 };
	struct smtp_ehlo_info info;
	struct buf out = BUF_INIT(1u << 20);
	const char *arg;
	size_t arg_len, lines = 0;

	if (size < 1)
		return 0;
	const struct smtp_ehlo_cfg cfg = {
		.is_trusted = data[0] & 1, .hide_unknown = data[0] & 2, .chunking = data[0] & 4,
		.chunking_always = data[0] & 8, .max_size = data[0] & 16 ? 1000 : 0,
	};
	make_reply(data + 1, size - 1, &in);
	must(smtp_ehlo_filter(in.p, in.len, &cfg, &info, &out) == 0);
	const char *p = (const char *)buf_head(&out), *end = p + buf_len(&out);
	must(p != NULL && p < end);
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		must(lf != NULL && lf - p >= 5 && lf[-1] == '\r');
		must(memcmp(p, lf + 1 == end ? "250 " : "250-", 4) == 0);
		if (lines++ > 0)
			check_line(p + 4, (size_t)(lf - p) - 5, &cfg, &info);
		p = lf + 1;
	}
	check_info(&in, &info);
	if (smtp_ehlo_find(in.p, in.len, "XCLIENT", &arg, &arg_len))
		must(arg >= in.p && arg + arg_len <= in.p + in.len);
	buf_fini(&out);
	fuzz_free(&in);
	return 0;
}
