/* mail.c - the messages of the benchmark; see mail.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mail.h"

#define POOL_LEN    (1u << 20)
#define STUFFED_IN  50u           /* one text line in so many begins with a dot */
#define BASE64_LINE 76u

static char text_pool[POOL_LEN];
static size_t text_len;
static char base64_pool[POOL_LEN / (BASE64_LINE + 2) * (BASE64_LINE + 2)];

uint64_t mail_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Lines of 0 to 76 octets of words. */
static void make_text_pool(void)
{
	static const char letters[] = "etaoin shrdlu ETAOIN cmfwyp vbgkq jxz 0123456789,;:-?! abcdefgh ";
	uint64_t line = 0;

	while (text_len + 80 < sizeof text_pool) {
		uint64_t r = mail_mix(++line);
		size_t n = r % 5 == 0 ? r / 5 % 77 : 60 + r / 5 % 17;

		if (line % STUFFED_IN == 0) {
			memcpy(text_pool + text_len, "..", 2);
			text_len += 2;
		}
		for (size_t i = 0; i < n; i++) {
			if (i % 8 == 0)
				r = mail_mix(r);
			text_pool[text_len++] = letters[r >> i % 8 * 8 & 63];
		}
		memcpy(text_pool + text_len, "\r\n", 2);
		text_len += 2;
	}
}

static void encode57(char *out, const unsigned char *in)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int i = 0; i < 57; i += 3, in += 3) {
		*out++ = digits[in[0] >> 2];
		*out++ = digits[(in[0] & 3) << 4 | in[1] >> 4];
		*out++ = digits[(in[1] & 15) << 2 | in[2] >> 6];
		*out++ = digits[in[2] & 63];
	}
}

static void make_base64_pool(void)
{
	unsigned char in[64];
	uint64_t r = 0;

	for (size_t at = 0; at < sizeof base64_pool; at += BASE64_LINE + 2) {
		for (size_t i = 0; i < sizeof in; i += sizeof r) {
			uint64_t x = mail_mix(++r);
			memcpy(in + i, &x, sizeof x);
		}
		encode57(base64_pool + at, in);
		memcpy(base64_pool + at + BASE64_LINE, "\r\n", 2);
	}
}

void mail_init(void)
{
	make_text_pool();
	make_base64_pool();
}

/* Just behind the first line end at or after pos, on the ring. */
static uint64_t line_end(const struct mail *m, uint64_t pos)
{
	size_t at = (size_t)(pos % m->pool_len);
	const char *lf = memchr(m->pool + at, '\n', m->pool_len - at);

	return pos + (size_t)(lf - (m->pool + at)) + 1;
}

__attribute__((format(printf, 2, 3)))
static void add(struct mail *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	m->head_len += (size_t)vsnprintf(m->head + m->head_len, sizeof m->head - m->head_len,
		format, args);
	va_end(args);
}

/* The first line of an attachment makes it one of its own. */
static void add_base64_id(struct mail *m, uint64_t seed, uint64_t id)
{
	char text[64];
	char *out = m->head + m->head_len;

	snprintf(text, sizeof text, "attachment %20" PRIu64 " of seed %15" PRIu64 "  ", id,
		seed % 1000000000000000u);
	encode57(out, (const unsigned char *)text);
	memcpy(out + BASE64_LINE, "\r\n", 2);
	m->head_len += BASE64_LINE + 2;
}

static void make_head(struct mail *m, uint64_t seed, uint64_t id, uint64_t size,
	enum mail_shape shape)
{
	m->head_len = 0;
	add(m, "From: Bench <sender@bench.example>\r\nTo: Reader <reader@bench.example>\r\n"
		"Subject: message %" PRIu64 " of the benchmark\r\n"
		"Date: Sat, 01 Jan 2000 00:00:00 +0000\r\n"
		"Message-ID: <%" PRIu64 ".%" PRIu64 "@bench.example>\r\n"
		"X-Bench: %" PRIu64 " %" PRIu64 " %" PRIu64 " %c\r\nMIME-Version: 1.0\r\n",
		id, seed, id, seed, id, size, (char)shape);
	if (shape == MAIL_TEXT) {
		add(m, "Content-Type: text/plain; charset=us-ascii\r\n");
		m->fields_len = m->head_len;
		add(m, "\r\nThis is message %" PRIu64 ".\r\n", id);
		return;
	}
	add(m, "Content-Type: multipart/mixed; boundary=\"=_bench\"\r\n");
	m->fields_len = m->head_len;
	add(m, "\r\n--=_bench\r\nContent-Type: text/plain\r\n\r\nThis is message %" PRIu64
		".\r\n--=_bench\r\nContent-Type: application/octet-stream; name=\"data.bin\"\r\n"
		"Content-Disposition: attachment; filename=\"data.bin\"\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n", id);
	add_base64_id(m, seed, id);
}

void mail_make(struct mail *m, uint64_t seed, uint64_t id, uint64_t size, enum mail_shape shape)
{
	m->pool = shape == MAIL_TEXT ? text_pool : base64_pool;
	m->pool_len = shape == MAIL_TEXT ? text_len : sizeof base64_pool;
	m->tail = shape == MAIL_TEXT ? ".\r\n" : "--=_bench--\r\n.\r\n";
	m->tail_len = strlen(m->tail);
	make_head(m, seed, id, size, shape);
	m->first = (size_t)(line_end(m, mail_mix(seed ^ mail_mix(id)) % m->pool_len) % m->pool_len);
	uint64_t rest = m->head_len + m->tail_len;
	m->middle = size > rest ? line_end(m, m->first + size - rest - 1) - m->first : 0;
	m->total = rest + m->middle;
}

size_t mail_piece(const struct mail *m, uint64_t pos, const char **out)
{
	if (pos < m->head_len) {
		*out = m->head + pos;
		return m->head_len - (size_t)pos;
	}
	pos -= m->head_len;
	if (pos < m->middle) {
		size_t at = (size_t)((m->first + pos) % m->pool_len);
		*out = m->pool + at;
		return m->middle - pos < m->pool_len - at ? (size_t)(m->middle - pos)
			: m->pool_len - at;
	}
	pos -= m->middle;
	*out = m->tail + pos;
	return m->tail_len - (size_t)pos;
}

int mail_identify(const char *header, uint64_t *seed, uint64_t *id, uint64_t *size,
	enum mail_shape *shape)
{
	const char *field = strstr(header, "X-Bench: ");
	char c;

	if (field == NULL || sscanf(field, "X-Bench: %" SCNu64 " %" SCNu64 " %" SCNu64 " %c", seed,
		id, size, &c) != 4 || (c != MAIL_TEXT && c != MAIL_MIME))
		return -1;
	*shape = (enum mail_shape)c;
	return 0;
}
