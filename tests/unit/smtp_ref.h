/* smtp_ref.h - slow references for tests and fuzzers, written from the
 * standards and not from the sources. Header only; nothing is assumed of the
 * code under test. */
#ifndef ESETS_TESTS_SMTP_REF_H
#define ESETS_TESTS_SMTP_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Where what[0..k) begins in p[0..n), or n. */
static inline size_t ref_find(const char *p, size_t n, const char *what, size_t k)
{
	const char *at = n > 0 ? memmem(p, n, what, k) : NULL;

	return at != NULL ? (size_t)(at - p) : n;
}

/* Each CR LF stays, every other CR or LF becomes one. out holds 2n. */
static inline size_t ref_newlines(const char *p, size_t n, bool keep, char *out)
{
	size_t w = 0;

	for (size_t i = 0; i < n; i++) {
		bool crlf = p[i] == '\r' && i + 1 < n && p[i + 1] == '\n';
		if (keep || (p[i] != '\r' && p[i] != '\n')) {
			out[w++] = p[i];
			continue;
		}
		out[w++] = '\r';
		out[w++] = '\n';
		i += crlf;
	}
	return w;
}

/* One line of a body without its CR LF: the first dot of a line goes (RFC
 * 5321 4.5.2); each CR or LF that is left in it is a bare one. */
static inline size_t ref_dot_line(const char *p, size_t n, bool keep, char *out)
{
	size_t w = 0;

	for (size_t i = n > 0 && p[0] == '.' ? 1 : 0; i < n; i++) {
		if (!keep && (p[i] == '\r' || p[i] == '\n')) {
			out[w++] = '\r';
			out[w++] = '\n';
		} else {
			out[w++] = p[i];
		}
	}
	return w;
}

/* RFC 5321 4.1.1.4 taken literally: the data end at the first CR LF . CR LF
 * of the raw stream, where the CR LF of the DATA line counts as the first. The
 * body is what stands before, with its last CR LF. out holds 2n. Returns false
 * if the end is not there. */
static inline bool ref_dot_decode(const char *in, size_t n, bool keep, char *out,
	size_t *len_out, size_t *used_out)
{
	char *raw = malloc(n + 2), *p = raw + 2;
	size_t w = 0;

	memcpy(raw, "\r\n", 2);
	if (n > 0)
		memcpy(p, in, n);
	size_t end = ref_find(raw, n + 2, "\r\n.\r\n", 5);
	if (end == n + 2) {
		free(raw);
		return false;
	}
	*used_out = end + 3;
	for (size_t left = end; left > 0;) {   /* end octets of p are the body */
		size_t line = ref_find(p, left, "\r\n", 2);
		w += ref_dot_line(p, line, keep, out + w);
		memcpy(out + w, "\r\n", 2);
		w += 2;
		p += line + 2;
		left -= line + 2;
	}
	free(raw);
	*len_out = w;
	return true;
}

/* The number of ends of data that any lax server could see in what is sent
 * behind DATA: a dot alone between two of CR, LF or the beginning. This takes
 * in LF.LF, CR.CR, LF.CRLF, CRLF.LF, CR.CRLF and every other mix. */
static inline unsigned ref_lax_ends(const char *p, size_t n)
{
	unsigned found = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		bool before = i == 0 || p[i - 1] == '\r' || p[i - 1] == '\n';
		bool after = p[i + 1] == '\r' || p[i + 1] == '\n';
		found += p[i] == '.' && before && after;
	}
	return found;
}

#endif
