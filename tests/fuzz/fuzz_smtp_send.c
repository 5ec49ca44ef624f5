/* fuzz_smtp_send.c - whatever a server says: each step is a line or an end,
 * and delivered is only what had a 2xx behind its body. Input: two octets that
 * choose the message, then replies, each ended by a NUL; an empty one is the
 * end of the connection, one with an exclamation mark came too early. */
#include "fuzz.h"
#include "smtp_send.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const rcpts[] = { "b@example.net", "b\xc3\xa9@example.net", "c@x" };
	struct smtp_send s;
	unsigned body_sent = 0;

	if (size < 2)
		return 0;
	const struct smtp_send_job job = { .helo = "me", .sender = data[0] & 1 ? "" : "a@x",
		.rcpts = rcpts + (data[0] >> 1 & 1), .nrcpts = 1 + (data[0] >> 2 & 1), .size = 42,
		.has_8bit = data[1] & 1, .has_bare = data[1] >> 1 & 1 };
	must(smtp_send_init(&s, &job) == 0);
	for (size_t at = 2; at < size;) {
		const uint8_t *end = memchr(data + at, 0, size - at);
		size_t n = end != NULL ? (size_t)(end - (data + at)) : size - at;
		char *raw = malloc(n + 1);
		must(raw != NULL);
		memcpy(raw, data + at, n);
		raw[n] = '\0';
		bool was_delivered = s.is_delivered;
		int code = n >= 3 ? 100 * (raw[0] & 7) + 10 * (raw[1] & 7) + (raw[2] & 7) : 0;
		enum smtp_send_step step = SMTP_SEND_OVER;
		if (n == 0)
			smtp_send_lost(&s, "gone");
		else if (raw[0] == '!')
			smtp_send_early(&s, code = 0, raw, n);
		else
			step = smtp_send_reply(&s, code, raw, n);
		free(raw);
		must(s.is_delivered == was_delivered || (body_sent == 1 && code / 100 == 2));
		must(s.is_delivered || step != SMTP_SEND_OVER || s.why[0] != '\0');
		body_sent += step == SMTP_SEND_BODY || step == SMTP_SEND_CHUNK;
		must(body_sent <= 1);
		if (step == SMTP_SEND_LINE || step == SMTP_SEND_CHUNK) {
			size_t len = strlen(s.line);
			must(len > 2 && strcmp(s.line + len - 2, "\r\n") == 0);
			must(strchr(s.line, '\r') == s.line + len - 2);
		}
		at += n + 1;
	}
	return 0;
}
