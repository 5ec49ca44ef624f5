/* quar_release.c - a message out of quarantine to the server, see
 * quar_release.h.
 *
 * Straight to server_addr, so that it is not scanned again, by a connection of
 * its own and never by a mark in the mail that the filter would honour:
 * anybody could write that. What is said is smtp_send.c's. */
#include "quar_release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "digest.h"
#include "proxy_hdr.h"
#include "smtp_dot.h"
#include "smtp_link.h"
#include "smtp_send.h"

#define CHUNK ((size_t)65536)
#define EARLY_MS 5000       /* for the rest of a reply that came before its time */

/* A server that expects the header gets one that names no client. */
static int send_proxy_header(struct smtp_link *l, const struct conf_smtp *c)
{
	const struct proxy_hdr h = { .is_local = true };
	char text[128];

	if (c->server_proxy_protocol == CONF_PROXY_NO)
		return 0;
	size_t n = proxy_hdr_format(&h, c->server_proxy_protocol == CONF_PROXY_V1 ? 1 : 2, text);
	return smtp_link_send(l, text, n);
}

/* --- content ---------------------------------------------------------------------- */

/* Reads all of it: for what the server must be told, and against its digest. */
static int look(int fd, const struct quar_meta *m, struct smtp_send_look *out)
{
	struct digest *d = digest_new();
	char *mem = malloc(CHUNK), hex[DIGEST_HEX_SIZE];
	bool is_ok = d != NULL && mem != NULL;
	ssize_t n = 0;

	*out = (struct smtp_send_look){ .has_8bit = false };
	for (off_t at = 0; is_ok && (n = pread(fd, mem, CHUNK, at)) > 0; at += n) {
		smtp_send_look_push(out, mem, (size_t)n);
		is_ok = digest_push(d, mem, (size_t)n) == 0;
	}
	smtp_send_look_end(out);
	is_ok = is_ok && n == 0 && digest_end(d, hex) == 0 && strcmp(hex, m->sha256) == 0;
	digest_free(&d);
	free(mem);
	return is_ok ? 0 : -1;
}

static int send_content(struct smtp_link *l, int fd, uint64_t size, bool is_stuffed)
{
	struct smtp_stuff stuff;
	char *mem = malloc(3 * CHUNK);
	int rc = mem != NULL ? 0 : -1;

	l->why = "out of memory";
	smtp_stuff_init(&stuff);
	for (uint64_t at = 0; rc == 0 && at < size;) {
		ssize_t n = pread(fd, mem, size - at < CHUNK ? (size_t)(size - at) : CHUNK, (off_t)at);
		if (!smtp_link_is_quiet(l)) {
			rc = -1;
		} else if (n <= 0) {
			l->why = "the message cannot be read";
			rc = -1;
		} else if (is_stuffed) {
			size_t k = smtp_stuff_push(&stuff, mem, (size_t)n, mem + CHUNK);
			rc = smtp_link_send(l, mem + CHUNK, k);
		} else {
			rc = smtp_link_send(l, mem, (size_t)n);
		}
		at += n > 0 ? (uint64_t)n : 0;
	}
	const char *end = smtp_stuff_end(&stuff);
	if (rc == 0 && is_stuffed)
		rc = smtp_link_is_quiet(l) ? smtp_link_send(l, end, strlen(end)) : -1;
	free(mem);
	return rc;
}

/* --- one message -------------------------------------------------------------------- */

static int act(struct smtp_link *l, struct smtp_send *s, enum smtp_send_step step, int fd)
{
	if (!smtp_link_is_quiet(l) ||
	    (step != SMTP_SEND_BODY && smtp_link_send(l, s->line, strlen(s->line)) < 0))
		return -1;
	if (step == SMTP_SEND_LINE)
		return 0;
	return send_content(l, fd, s->job->size, step == SMTP_SEND_BODY);
}

/* Not all could be sent. It may have been told why. */
static void cut_off(struct smtp_link *l, struct smtp_send *s)
{
	l->timeout_ms = EARLY_MS;
	if (!smtp_link_is_quiet(l) && smtp_link_reply(l) > 0)
		smtp_send_early(s, l->reply.code, (const char *)buf_head(&l->reply.raw),
			buf_len(&l->reply.raw));
	else
		smtp_send_lost(s, l->why);
}

static void talk(struct smtp_link *l, struct smtp_send *s, int fd, const struct conf_smtp *c)
{
	enum smtp_send_step step = SMTP_SEND_LINE;

	while (step != SMTP_SEND_OVER) {
		if (smtp_link_reply(l) < 0) {
			smtp_send_lost(s, l->why);
			return;
		}
		step = smtp_send_reply(s, l->reply.code, (const char *)buf_head(&l->reply.raw),
			buf_len(&l->reply.raw));
		l->timeout_ms = c->timeout_server * 1000LL;
		if (step != SMTP_SEND_OVER && act(l, s, step, fd) < 0) {
			cut_off(l, s);
			return;
		}
	}
}

static int release_open(const struct conf_smtp *c, int fd, const struct smtp_send_job *job,
	long long most_ms, char why[QUAR_RELEASE_WHY])
{
	struct smtp_link l;
	struct smtp_send s;

	if (smtp_send_init(&s, job) < 0) {
		snprintf(why, QUAR_RELEASE_WHY, "%s", s.why);
		return -1;
	}
	if (smtp_link_open(&l, c->server_addr, "server_addr", c->server_port,
	    c->timeout_banner * 1000LL, most_ms, why, QUAR_RELEASE_WHY) < 0)
		return -1;
	if (send_proxy_header(&l, c) < 0)
		smtp_send_lost(&s, l.why);
	else
		talk(&l, &s, fd, c);
	smtp_link_close(&l);
	snprintf(why, QUAR_RELEASE_WHY, "%s", s.why);
	return s.is_delivered ? 0 : -1;
}

int quar_release(const struct conf_smtp *c, int dir, const struct quar_meta *m,
	const char *const *rcpts, unsigned nrcpts, long long most_ms, char why[QUAR_RELEASE_WHY])
{
	struct smtp_send_look content;
	char host[256] = "localhost";
	uint64_t size;
	int rc = -1;

	if (rcpts == NULL && m->nrcpts < m->nrcpts_total) {
		snprintf(why, QUAR_RELEASE_WHY, "only %u of its %u recipients are known: use --to",
			m->nrcpts, m->nrcpts_total);
		return -1;
	}
	int fd = quar_dir_open_file(dir, m->id, QUAR_FILE_MESSAGE, &size);
	if (fd < 0 || size != m->size || look(fd, m, &content) < 0) {
		snprintf(why, QUAR_RELEASE_WHY, "the message is not the one that was kept (SHA-256)");
	} else {
		gethostname(host, sizeof host - 1);
		const struct smtp_send_job job = { .helo = host, .sender = m->sender,
			.rcpts = rcpts != NULL ? rcpts : m->rcpts,
			.nrcpts = rcpts != NULL ? nrcpts : m->nrcpts, .size = m->size,
			.has_8bit = content.has_8bit, .has_bare = content.has_bare };
		rc = release_open(c, fd, &job, most_ms, why);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
