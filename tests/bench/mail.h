/* mail.h - the messages of the benchmark, made alike by generator and sink.
 *
 * Seed, id, size and shape say every octet of a message, so that the sink can
 * compare what arrives without having seen what was sent. A message is a head
 * of its own, a piece of a pool of lines that all messages share (taken as a
 * ring), and a tail; all of it in the form it has on the wire, dots stuffed. */
#ifndef BENCH_MAIL_H
#define BENCH_MAIL_H

#include <stddef.h>
#include <stdint.h>

enum mail_shape { MAIL_TEXT = 't', MAIL_MIME = 'm' };

struct mail {
	char head[1280];        /* header fields, blank line, first lines of the body */
	size_t head_len;
	size_t fields_len;      /* of it: the header fields, without the blank line */
	const char *pool;
	size_t pool_len;
	size_t first;           /* where in the pool the body goes on */
	uint64_t middle;        /* how many octets of the ring */
	const char *tail;       /* with the final dot */
	size_t tail_len;
	uint64_t total;         /* octets from the first of head to the end of tail */
};

/* Makes the pools of lines; call it first, once. */
void mail_init(void);

/* One message of about `size` octets, at least some 700. */
void mail_make(struct mail *m, uint64_t seed, uint64_t id, uint64_t size, enum mail_shape shape);

/* The octets at `pos` that lie together: sets *out, returns how many; 0 at the end. */
size_t mail_piece(const struct mail *m, uint64_t pos, const char **out);

/* What the header field X-Bench says, into the arguments of mail_make.
 * header is terminated by NUL. Returns -1 where there is none. */
int mail_identify(const char *header, uint64_t *seed, uint64_t *id, uint64_t *size,
	enum mail_shape *shape);

/* A number without a pattern for each x (splitmix64). */
uint64_t mail_mix(uint64_t x);

#endif
