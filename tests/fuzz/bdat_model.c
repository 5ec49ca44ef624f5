/* bdat_model.c - records to a client's stream and what must come of it, see
 * bdat_model.h. A record: an octet that says what the client does, and its
 * arguments. */
#include "bdat_model.h"

#include <stdarg.h>

#include "../unit/smtp_ref.h"

#define STREAM_MAX (12u << 10)
#define CUT_BEHIND_LINE 0x80    /* in a record's first octet */
#define CUT_IN_CHUNK 0x40

struct maker {
	struct bdat_script *b;
	const struct bdat_cfg *cfg;
	const uint8_t *in, *end;
	unsigned tag;               /* of the server's last reply */
	bool esmtp, has_mail, is_binary;
	bool is_refused;            /* by the server, after all recipients were taken */
	unsigned nrcpts;
	bool in_chunks;             /* a chunk was taken, no last one yet */
	bool has_gap;               /* one was not */
	bool is_over;
	struct fuzz_text raw;       /* of the message under way */
};

static uint8_t next(struct maker *m)
{
	return m->in < m->end ? *m->in++ : 0;
}

static void expect(struct bdat_list *l, enum bdat_kind kind, const void *p, size_t n)
{
	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 16;
		l->p = realloc(l->p, l->cap * sizeof *l->p);
		must(l->p != NULL);
	}
	l->p[l->n] = (struct bdat_item){ .kind = kind };
	fuzz_add(&l->p[l->n++].text, p, n);
}

__attribute__((format(printf, 2, 3)))
static void own_reply(struct maker *m, const char *format, ...)
{
	char text[80];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	expect(&m->b->to_client, BDAT_REPLY, text, strlen(text));
}

/* Each reply of the server has its number. */
static void server_reply(struct maker *m, int code, char sep)
{
	own_reply(m, "%d%cmx tag%u.\r\n", code, sep, ++m->tag);
}

static void server_hears(struct maker *m, const char *line)
{
	expect(&m->b->to_server, BDAT_LINE, line, strlen(line));
}

static void cut(struct maker *m)
{
	if (m->b->ncuts < BDAT_CUTS_MAX)
		m->b->cuts[m->b->ncuts++] = m->b->stream.len;
}

static void client_says(struct maker *m, const char *line, uint8_t op)
{
	fuzz_add(&m->b->stream, line, strlen(line));
	if (op & CUT_BEHIND_LINE)
		cut(m);
}

static void forget(struct maker *m)
{
	m->has_mail = m->is_binary = m->is_refused = m->in_chunks = m->has_gap = false;
	m->nrcpts = 0;
	m->raw.len = 0;
}

/* What ends a transaction here and not at the server has it ended there. */
static void reset_server(struct maker *m)
{
	server_hears(m, "RSET\r\n");
	m->tag++;
	forget(m);
}

/* ---- messages ------------------------------------------------------------- */

static bool offers_chunking(const struct maker *m)
{
	return m->esmtp && (m->cfg->chunking == CONF_CHUNKING_ALWAYS ||
		(m->cfg->chunking == CONF_CHUNKING_YES && m->cfg->server_chunking));
}

static bool offers_binary(const struct maker *m)
{
	return offers_chunking(m) && m->cfg->server_chunking;
}

/* The message so far as it is kept. */
static void decode(const struct maker *m, struct fuzz_text *out)
{
	bool keep = m->is_binary || m->cfg->bare_newline == CONF_BARE_PASS;

	out->p = malloc(2 * m->raw.len + 1);
	must(out->p != NULL);
	out->len = ref_newlines(m->raw.p, m->raw.len, keep, out->p);
	out->cap = 2 * m->raw.len + 1;
}

/* Is the message with n octets too big? */
static bool is_too_big(const struct maker *m, size_t n)
{
	return m->cfg->size_max > 0 && n > m->cfg->size_max;
}

static bool is_bare(const struct maker *m, const struct fuzz_text *body)
{
	return !m->is_binary && m->cfg->bare_newline == CONF_BARE_REJECT &&
		(body->len != m->raw.len || (body->len > 0 && memcmp(body->p, m->raw.p, body->len) != 0));
}

static void server_takes(struct maker *m, struct fuzz_text *body)
{
	if (m->is_binary) {
		expect(&m->b->to_server, BDAT_CHUNK, body->p, body->len);
	} else {
		server_hears(m, "DATA\r\n");
		if (m->is_refused) {
			server_reply(m, 451, ' ');
			reset_server(m);
			return;
		}
		m->tag++;
		/* A last line without an end gets one. */
		if (body->len > 0 && (body->len < 2 || memcmp(body->p + body->len - 2, "\r\n", 2) != 0))
			fuzz_add(body, "\r\n", 2);
		expect(&m->b->to_server, BDAT_MAIL, body->p, body->len);
	}
	server_reply(m, m->is_refused ? 451 : 250, ' ');
	forget(m);
}

static void message_ends(struct maker *m)
{
	struct fuzz_text body;

	decode(m, &body);
	if (is_too_big(m, body.len)) {
		own_reply(m, "552 5.3.4 ");
		reset_server(m);
	} else if (is_bare(m, &body)) {
		own_reply(m, "550 5.6.11 ");
		reset_server(m);
	} else {
		expect(&m->b->to_scanner, BDAT_SCAN, body.p, body.len);
		if (body.len > 0 && memchr(body.p, BDAT_INFECTED, body.len) != NULL) {
			own_reply(m, "554 5.7.1 ");
			reset_server(m);
		} else {
			server_takes(m, &body);
		}
	}
	fuzz_free(&body);
}

/* ---- chunks ------------------------------------------------------------- */

/* What would end a message, or begin another, were it not in a chunk. */
static const char *const pieces[] = {
	"\r\n.\r\n", ".\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r.\r\n",
	"\r\n", "\r", "\n", ".", "RSET\r\n", "QUIT\r\n", "BDAT 3 LAST\r\n", "BDAT 0 LAST\r\n",
	"\r\n.\r\nMAIL FROM:<x@y>\r\nRCPT TO:<x@y>\r\nDATA\r\n", "STARTTLS\r\n", "\r\n..\r\n",
	"Subject: s\r\n\r\n", "text\r\n",
};

static void add_piece(struct fuzz_text *out, unsigned i)
{
	const char *p = pieces[i % (sizeof pieces / sizeof *pieces)];

	fuzz_add(out, p, strlen(p));
}

static void content(struct maker *m, struct fuzz_text *out)
{
	uint8_t how = next(m);

	if (how < 0x40) {
		size_t left = (size_t)(m->end - m->in), n = how < left ? how : left;
		fuzz_add(out, m->in, n);
		m->in += n;
	} else if (how < 0xf0) {
		add_piece(out, how - 0x40u);
		if (how >= 0xb0)
			add_piece(out, next(m));
	} else {
		for (int i = 0; i < 40 * (how - 0xef); i++)
			fuzz_add(out, "0 text\r\n", 8);
	}
}

static void bdat_line(struct maker *m, uint8_t op, size_t size, bool last)
{
	static const struct {
		const char *before, *last, *end;
	} forms[] = {
		{ "BDAT ", " LAST", "\r\n" }, { "BDAT ", " LAST", "\n" }, { "bdat ", " last", "\r\n" },
		{ " \tBDAT ", " LAST", " \r\n" }, { "BDAT\t", "\tLAST", "\r\n" },
		{ "BDAT 000", "  Last", "\n" }, { "BDAT \v", " LAST\f", "\r\n" },
	};
	char line[64];
	size_t i = next(m) % (sizeof forms / sizeof *forms);

	snprintf(line, sizeof line, "%s%zu%s%s", forms[i].before, size, last ? forms[i].last : "",
		forms[i].end);
	client_says(m, line, op);
}

static void chunk_reply(struct maker *m)
{
	struct fuzz_text body;
	size_t cr = m->raw.len > 0 && m->raw.p[m->raw.len - 1] == '\r' && !m->is_binary;
	char text[80];

	decode(m, &body);
	/* A CR at the end counts one, two, or not yet. */
	size_t least = body.len - cr * (m->cfg->bare_newline == CONF_BARE_PASS ? 1 : 2);
	snprintf(text, sizeof text, "250 2.0.0 %zu octets", m->raw.len);
	if (is_too_big(m, least))
		own_reply(m, "552 5.3.4 ");
	else
		expect(&m->b->to_client, is_too_big(m, body.len) ? BDAT_REPLY_EITHER : BDAT_REPLY,
			text, strlen(text));
	fuzz_free(&body);
}

static void chunk_ends(struct maker *m, const struct fuzz_text *octets, bool last)
{
	if (!offers_chunking(m) || !m->has_mail || m->has_gap || m->nrcpts == 0) {
		own_reply(m, !offers_chunking(m) ? "502 5.5.1 " : m->has_mail && !m->has_gap ?
			"554 5.5.1 " : "503 5.5.1 ");
		m->has_gap = m->has_mail;
		if (last)
			reset_server(m);
		return;
	}
	m->in_chunks = true;
	fuzz_add(&m->raw, octets->p, octets->len);
	if (last)
		message_ends(m);
	else
		chunk_reply(m);
}

/* A chunk whose octets end before it does, as a client that disappears has it;
 * is_over then. */
static void on_bdat(struct maker *m, uint8_t op, bool last, bool is_cut)
{
	struct fuzz_text octets = { NULL, 0, 0 };

	content(m, &octets);
	bdat_line(m, op, octets.len + (is_cut ? 1u + next(m) * 257u : 0), last);
	size_t half = octets.len > 0 ? next(m) % octets.len : 0;
	fuzz_add(&m->b->stream, octets.p, half);
	if (op & CUT_IN_CHUNK)
		cut(m);
	fuzz_add(&m->b->stream, octets.p != NULL ? octets.p + half : NULL, octets.len - half);
	m->is_over = is_cut;
	if (!is_cut)
		chunk_ends(m, &octets, last);
	fuzz_free(&octets);
}

/* Nobody knows what follows it: nothing does. */
static void on_bad_bdat(struct maker *m, uint8_t op)
{
	static const char *const lines[] = { "BDAT\r\n", "BDAT x\r\n", "BDAT -1 LAST\r\n",
		"BDAT 1 FIRST\r\n", "BDAT 5 LAST x\r\n", "BDAT 18446744073709551616\r\n",
		"BDAT 5LAST\r\n", "BDAT +5\r\n", "BDAT 0x5 LAST\r\n", "BDAT5 LAST\r\n", "BDAT LAST\r\n",
		"BDAT 5, LAST\r\n" };

	client_says(m, lines[next(m) % (sizeof lines / sizeof *lines)], op);
	own_reply(m, "501 5.5.4 ");
	m->b->has_end = m->is_over = true;
}

/* ---- what stands between chunks ------------------------------------------- */

static void relay_mail(struct maker *m, const char *line, bool binary)
{
	server_hears(m, line);
	server_reply(m, m->has_mail ? 503 : 250, ' ');
	if (!m->has_mail)
		m->is_binary = binary;
	m->has_mail = true;
}

static void on_mail(struct maker *m, uint8_t op, bool binary)
{
	const char *line = binary ? "MAIL FROM:<a@b> BODY=BINARYMIME\r\n" : "MAIL FROM:<a@b>\r\n";

	client_says(m, line, op);
	if (m->in_chunks)
		own_reply(m, "503 5.5.1 ");
	else if (binary && !offers_binary(m))
		own_reply(m, "555 5.5.4 ");
	else
		relay_mail(m, line, binary);
}

/* With a size that may be beyond max_message_size (RFC 1870 6.1). */
static void on_mail_size(struct maker *m, uint8_t op)
{
	const unsigned size = next(m);
	char line[64];

	snprintf(line, sizeof line, "MAIL FROM:<a@b> SIZE=%u\r\n", size);
	client_says(m, line, op);
	if (m->in_chunks)
		own_reply(m, "503 5.5.1 ");
	else if (is_too_big(m, size))
		own_reply(m, "552 5.3.4 ");
	else
		relay_mail(m, line, false);
}

enum rcpt { RCPT_GOOD, RCPT_NO, RCPT_LATE, RCPT_UNCLEAR };

static void on_rcpt(struct maker *m, uint8_t op, enum rcpt what)
{
	static const char *const lines[] = { [RCPT_GOOD] = "RCPT TO:<c@d>\r\n",
		[RCPT_NO] = "RCPT TO:<no@d>\r\n", [RCPT_LATE] = "RCPT TO:<late@d>\r\n",
		[RCPT_UNCLEAR] = "RCPT TO:<c@d (e@f)>\r\n" };

	client_says(m, lines[what], op);
	if (m->in_chunks) {
		own_reply(m, "503 5.5.1 ");
		return;
	}
	if (what == RCPT_UNCLEAR && m->cfg->has_users) {
		own_reply(m, "553 5.1.3 ");
		return;
	}
	server_hears(m, lines[what]);
	server_reply(m, !m->has_mail ? 503 : what == RCPT_NO ? 550 : 250, ' ');
	if (!m->has_mail || what == RCPT_NO)
		return;
	m->nrcpts++;
	m->is_refused |= what == RCPT_LATE;
}

static void on_data(struct maker *m, uint8_t op)
{
	client_says(m, "DATA\r\n", op);
	if (m->in_chunks || (m->nrcpts > 0 && m->is_binary)) {
		own_reply(m, "503 5.5.1 ");
	} else if (m->nrcpts == 0) {
		server_hears(m, "DATA\r\n");
		server_reply(m, m->has_mail ? 554 : 503, ' ');
	} else {
		client_says(m, "by data\r\n.\r\n", op);
		own_reply(m, "354 ");
		fuzz_add(&m->raw, "by data\r\n", 9);
		message_ends(m);
	}
}

/* Lines that the server hears and that have no effect on the mail. */
static void on_relayed(struct maker *m, uint8_t op, const char *line)
{
	client_says(m, line, op);
	server_hears(m, line);
	server_reply(m, 250, ' ');
}

static void on_hello(struct maker *m, uint8_t op, bool esmtp)
{
	const char *line = esmtp ? "EHLO c\r\n" : "HELO c\r\n";

	client_says(m, line, op);
	server_hears(m, line);
	server_reply(m, 250, esmtp ? '-' : ' ');
	m->esmtp = esmtp;
	forget(m);
}

static void on_record(struct maker *m)
{
	uint8_t op = next(m);

	switch (op % 32) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		on_bdat(m, op, false, false);
		break;
	case 6: case 7: case 8: case 9:
		on_bdat(m, op, true, false);
		break;
	case 10:
		on_bad_bdat(m, op);
		break;
	case 11: case 12: case 13:
		on_mail(m, op, op % 32 == 13);
		break;
	case 14: case 15: case 16:
		on_rcpt(m, op, (enum rcpt)(op % 32 - 14));
		break;
	case 17:
		on_data(m, op);
		break;
	case 18:
		client_says(m, "STARTTLS\n", op);
		own_reply(m, "502 5.5.1 ");
		break;
	case 19:
		fuzz_add(&m->b->stream, "NOOP \0BDAT 3\r\n", 14);
		own_reply(m, "500 5.5.2 ");
		break;
	case 20:
		on_relayed(m, op, "RSET\r\n");
		forget(m);
		break;
	case 21: case 22:
		on_hello(m, op, op % 32 == 21);
		break;
	case 23:
		client_says(m, "QUIT\r\n", op);
		server_hears(m, "QUIT\r\n");
		server_reply(m, 221, ' ');
		m->b->has_end = m->is_over = true;
		break;
	case 24:
		on_bdat(m, op, op & CUT_BEHIND_LINE, true);
		break;
	case 25: case 26: /* a transaction, so that inputs come far */
		on_mail(m, op, op % 32 == 26);
		on_rcpt(m, op, RCPT_GOOD);
		break;
	case 27:
		on_mail_size(m, op);
		break;
	case 28:
		on_rcpt(m, op, RCPT_UNCLEAR);
		break;
	default:
		on_relayed(m, op, op % 2 != 0 ? "NOOP\r\n" : "VRFY x\r\n");
		break;
	}
}

void bdat_script_make(struct bdat_script *b, const struct bdat_cfg *cfg, const uint8_t *in,
	size_t n)
{
	struct maker m = { .b = b, .cfg = cfg, .in = in, .end = in + n };

	*b = (struct bdat_script){ .ncuts = 0 };
	server_reply(&m, 220, ' ');
	on_hello(&m, 0, true);
	while (m.in < m.end && !m.is_over && b->stream.len < STREAM_MAX)
		on_record(&m);
	fuzz_free(&m.raw);
}

static void list_free(struct bdat_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		fuzz_free(&l->p[i].text);
	free(l->p);
	*l = (struct bdat_list){ NULL, 0, 0 };
}

void bdat_script_free(struct bdat_script *b)
{
	fuzz_free(&b->stream);
	list_free(&b->to_client);
	list_free(&b->to_server);
	list_free(&b->to_scanner);
}
