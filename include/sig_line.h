/* sig_line.h - one line of a file of digest signatures. Pure. The formats are
 * in esets_daemon(8). */
#ifndef ESETS_SIG_LINE_H
#define ESETS_SIG_LINE_H

#include <stdint.h>

enum sig_format { SIG_NONE, SIG_HDB, SIG_HSB, SIG_PLAIN };
enum sig_kind { SIG_MD5, SIG_SHA1, SIG_SHA256, SIG_KIND_COUNT };

#define SIG_DIGEST_MAX 32u
#define SIG_SIZE_ANY UINT32_MAX

struct sig {
	enum sig_kind kind;
	unsigned char digest[SIG_DIGEST_MAX];
	uint32_t size;               /* of the object, or SIG_SIZE_ANY */
	const char *name;            /* into the line, or a constant; never "" */
};

/* Octets of a digest. */
extern const unsigned char sig_digest_len[SIG_KIND_COUNT];

/* By the name of the file; SIG_NONE: no signatures in it. */
enum sig_format sig_format_of(const char *file);
/* The line, without its end, is changed. 1: *out is a signature, 0: the line
 * has none and may be empty or a comment, -1: it is wrong. */
int sig_line_parse(char *line, enum sig_format format, struct sig *out);

#endif
