/* session_clean.c - a message that the scanner has cleaned takes the place of
 * the one that came in.
 *
 * The scanner is not trusted (I9): the octets of its message are read as a
 * client's are, so that no bare newline gets out that could not have got in
 * (I4). Its descriptor is a sealed memfd of bounded size, which scan_client has
 * seen to. A large one is read over several turns of the loop: other sessions
 * of the thread go on meanwhile. */
#include <errno.h>
#include <unistd.h>

#include "log.h"
#include "session_int.h"

#define READ_CHUNK (64u << 10)
#define STEP (256u << 10)   /* octets of one turn */

int session_clean_begin(struct session *s, int fd)
{
	struct session_msg *m = s->msg;

	spool_close(&m->spool);
	m->spool = spool_open(&s->env->spool, 0);
	if (m->spool == NULL) {
		close(fd);
		return -1;
	}
	m->clean = (struct session_clean){ .is_open = true, .fd = fd };
	m->size_max = 0; /* it has passed; the text instead of a part may be longer */
	smtp_dot_init_chunks(&m->dot, s->env->conf->smtp.bare_newline == CONF_BARE_PASS);
	hdr_scan_init(&m->hdr);
	return 0;
}

/* 1 all of it was read, 0 there is more, -1 it can't be read or kept. */
static int read_some(struct session *s)
{
	struct session_clean *c = &s->msg->clean;
	char chunk[READ_CHUNK];

	for (uint64_t end = c->at + STEP; c->at < end;) {
		ssize_t n = pread(c->fd, chunk, sizeof chunk, (off_t)c->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) {
			session_mail_chunks_end(s);
			return s->msg->fail == FAIL_NONE ? 1 : -1;
		}
		c->at += (uint64_t)n;
		session_mail_chunk(s, chunk, (size_t)n);
		if (s->msg->fail != FAIL_NONE)
			return -1;
	}
	return 0;
}

int session_clean_step(struct session *s, const char **why_out)
{
	struct session_msg *m = s->msg;
	int rc = read_some(s);

	if (rc == 0)
		return 0;
	session_clean_fini(&m->clean);
	*why_out = "no storage for the cleaned message";
	if (rc < 0)
		return -1;
	*why_out = "the cleaned message holds bare newlines";
	if (m->dot.has_bare && s->env->conf->smtp.bare_newline == CONF_BARE_REJECT)
		return -1;
	hdr_scan_end(&m->hdr);
	return 1;
}

void session_clean_fini(struct session_clean *c)
{
	if (c->is_open)
		close(c->fd);
	c->is_open = false;
}
