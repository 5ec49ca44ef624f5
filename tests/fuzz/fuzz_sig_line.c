/* fuzz_sig_line.c - lines of signature files. What is taken can be written and
 * read again with the same result. Input: the format, then a line. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "sig_line.h"
#include "str.h"

static void again(const struct sig *sig, enum sig_format format)
{
	char hex[2 * SIG_DIGEST_MAX + 1], text[2048], size[16] = "*";
	struct sig other;

	str_hex(hex, sig->digest, sig_digest_len[sig->kind]);
	if (sig->size != SIG_SIZE_ANY)
		snprintf(size, sizeof size, "%u", sig->size);
	if (format == SIG_PLAIN)
		snprintf(text, sizeof text, "%s  %s", hex, sig->name);
	else
		snprintf(text, sizeof text, "%s:%s:%s", hex, size, sig->name);
	must(sig_line_parse(text, format, &other) == 1);
	must(other.kind == sig->kind && other.size == sig->size);
	must(memcmp(other.digest, sig->digest, sizeof sig->digest) == 0);
	must(strcmp(other.name, sig->name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[1024];
	struct sig sig;

	if (size < 1 || size > sizeof line)
		return 0;
	const enum sig_format format = (enum sig_format)(SIG_HDB + data[0] % 3);
	str_copy_n(line, sizeof line, (const char *)data + 1, size - 1);
	sig_format_of(line);
	if (sig_line_parse(line, format, &sig) == 1) {
		must(sig.name[0] != '\0');
		must((format == SIG_HDB) == (sig.kind == SIG_MD5));
		again(&sig, format);
	}
	return 0;
}
