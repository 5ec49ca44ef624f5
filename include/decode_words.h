/* decode_words.h - text of a header: charsets and encoded words. Pure. */
#ifndef ESETS_DECODE_WORDS_H
#define ESETS_DECODE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 2047 encoded words in a header value to UTF-8 octets (charsets other
 * than UTF-8, US-ASCII, ISO-8859-1 and windows-1252 keep their raw octets);
 * folds are taken out. Cut at size - 1, NUL behind it. Returns the length. */
size_t decode_words(const char *in, size_t n, char *out, size_t size);
/* Is what looks like ASCII in a text of that charset ASCII, and is there no
 * other way to write it; or is it ISO 2022 (see file_ext.h), or none ("")? */
bool decode_charset_is_plain(const char *charset, size_t n);
/* Is each encoded word in such a charset? */
bool decode_words_are_plain(const char *in, size_t n);
/* Text of the named charset to UTF-8, by the same rule. */
size_t decode_charset(const char *charset, size_t charset_len, const char *in, size_t n,
	char *out, size_t size);

#endif
