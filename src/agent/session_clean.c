/* session_clean.c - a message that the scanner has cleaned takes the place of
 * the one that came in.
 *
 * The scanner is not trusted (I9): the octets of its message are read as a
 * client's are, in chunks, so that no bare newline gets out that could not have
 * got in (I4). Its descriptor is a sealed memfd of bounded size, which
 * scan_client has seen to. */
#include <errno.h>
#include <unistd.h>

#include "log.h"
#include "session_int.h"

#define READ_CHUNK 65536

/* All of it through the decoder. 0; -1 what came can't be kept or read. */
static int copy_in(struct session *s, int fd)
{
	char chunk[READ_CHUNK];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, chunk, sizeof chunk, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		session_mail_chunk(s, chunk, (size_t)n);
		if (s->msg->fail != FAIL_NONE)
			return -1;
	}
	session_mail_chunks_end(s);
	return s->msg->fail == FAIL_NONE ? 0 : -1;
}

const char *session_clean_take(struct session *s, int fd)
{
	struct session_msg *m = s->msg;
	const enum conf_bare_newline bare = s->env->conf->smtp.bare_newline;
	const uint64_t size = m->size, received = m->received;

	spool_close(&m->spool);
	m->spool = spool_open(&s->env->spool);
	if (m->spool == NULL)
		return "no memory for the cleaned message";
	m->size_max = 0; /* it has passed; the text instead of a part may be longer */
	smtp_dot_init_chunks(&m->dot, bare == CONF_BARE_PASS);
	hdr_scan_init(&m->hdr);
	int rc = copy_in(s, fd);
	m->size = size; /* as it came, for the log */
	m->received = received;
	if (rc < 0 || m->spool == NULL)
		return "no storage for the cleaned message";
	if (m->dot.has_bare && bare == CONF_BARE_REJECT)
		return "the cleaned message holds bare newlines";
	hdr_scan_end(&m->hdr);
	return NULL;
}
