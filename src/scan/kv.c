/* kv.c - text of key=value lines, see kv.h.
 *
 * Both ends of the scanner protocol and the quarantine's files go through
 * here, and what is read came from somebody who is not trusted: every length
 * is that of the octets at hand, nothing is guessed. Pure: no descriptor, no
 * clock, no log. */
#include "kv.h"

#include <stdlib.h>
#include <string.h>

#include "str.h"

static bool is_plain(unsigned char c, bool blank_too)
{
	return c >= 0x20 && c != 0x7f && c != '%' && !(blank_too && c == ' ');
}

int kv_put_value(struct buf *out, const char *value, bool blank_too)
{
	for (const char *p = value; *p != '\0';) {
		const char *q = p;
		while (*q != '\0' && is_plain((unsigned char)*q, blank_too))
			q++;
		if (buf_append(out, p, (size_t)(q - p)) < 0)
			return -1;
		if (*q == '\0')
			break;
		if (buf_printf(out, "%%%02X", (unsigned char)*q) < 0)
			return -1;
		p = q + 1;
	}
	return 0;
}

int kv_put_text(struct buf *out, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return 0; /* the default */
	if (buf_append_str(out, key) < 0 || buf_append(out, "=", 1) < 0 ||
	    kv_put_value(out, value, false) < 0)
		return -1;
	return buf_append(out, "\n", 1);
}

int kv_put_number(struct buf *out, const char *key, uint64_t v)
{
	return buf_printf(out, "%s=%llu\n", key, (unsigned long long)v);
}

static bool is_key(const char *s)
{
	if (*s < 'a' || *s > 'z')
		return false;
	while ((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_')
		s++;
	return *s == '\0';
}

int kv_decode(char *s)
{
	char *w = s;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < 0x20 || c == 0x7f)
			return -1;
		if (c == '%') {
			if (s[1] == '\0' || str_unhex(&c, 1, s + 1) < 0 || c == 0)
				return -1;
			s += 2;
		}
		*w++ = (char)c;
	}
	*w = '\0';
	return 0;
}

int kv_next(char **p, char *end, char **key, char **value, const char **why)
{
	char *line = *p;
	char *lf = memchr(line, '\n', (size_t)(end - line));

	*why = "the packet was cut";
	if (lf == NULL)
		return -1;
	*p = lf + 1;
	if (lf == line) {
		*why = "octets after the end";
		return *p == end ? 0 : -1;
	}
	*lf = '\0';
	*why = "a line is not key=value";
	char *eq = strchr(line, '=');
	if (eq == NULL || strlen(line) != (size_t)(lf - line))
		return -1;
	*eq = '\0';
	if (!is_key(line))
		return -1;
	*key = line;
	*value = eq + 1;
	return 1;
}

char *kv_after_head(char *text, size_t n, const char *head, const char **why)
{
	size_t len = strlen(head), name = strcspn(head, " \n") + 1;

	if (n >= len && memcmp(text, head, len) == 0)
		return text + len;
	*why = n >= name && memcmp(text, head, name) != 0 ? "unknown protocol or version"
							  : "unknown message";
	return NULL;
}

char *kv_copy(const void *p, size_t n, const char **why)
{
	char *text;

	*why = "the packet is too long";
	if (n > KV_MAX)
		return NULL;
	*why = "out of memory";
	text = malloc(n + 1);
	if (text == NULL)
		return NULL;
	if (n > 0)
		memcpy(text, p, n);
	text[n] = '\0';
	return text;
}

int kv_index(const char *const *names, const char *value)
{
	for (int i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], value) == 0)
			return i;
	}
	return -1;
}
