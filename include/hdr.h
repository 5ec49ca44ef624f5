/* hdr.h - the header block of a message: find lines, make the lines that
 * this proxy adds. Pure.
 *
 * Lines end at CR LF or LF (what came in with bare newlines is looked at as
 * a lax reader would). A header block ends at the first empty line, or at the
 * first line that cannot belong to one (RFC 5322 2.2), or at the end. */
#ifndef ESETS_HDR_H
#define ESETS_HDR_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* Finds the header fields of a message fed in any split, keeping only what
 * the session needs, so that nothing need be read twice. */
#define HDR_VALUE_MAX 256
#define HDR_RECEIVED_MAX 1024     /* one with all that TLS adds */
#define HDR_SUBJECTS_MAX 4

struct hdr_scan {
	unsigned received;          /* Received fields (max_received) */
	bool has_xvirus;            /* an X-Virus-Scanner field is there already */
	/* Unfolded, cut, of the first field that has a value; NUL as '?'. */
	char from[HDR_VALUE_MAX];   /* "" none */
	char to[HDR_VALUE_MAX];
	char subject[HDR_VALUE_MAX];
	char date[HDR_VALUE_MAX];
	char msgid[HDR_VALUE_MAX];
	char first_received[HDR_RECEIVED_MAX];
	bool done;                  /* the block has ended */
	/* Where lines of ours may stand: behind an mbox "From " line of so many
	 * octets, and with an empty line behind them where the message has no
	 * header at all (else its first line would become part of ours). */
	size_t lead_len;
	bool needs_blank;
	/* Offset behind the block's last line, once done or hdr_scan_end was
	 * called; ends_open: that line has no end. */
	size_t end;
	bool ends_open;
	/* Offsets behind the colons of the Subject fields, the first few. */
	size_t subjects[HDR_SUBJECTS_MAX];
	unsigned nsubjects;
	/* private; the struct must not be moved while it is used */
	unsigned state;
	size_t total;               /* octets seen */
	size_t line_at;             /* where the line began */
	bool first_line, space;
	char name[32];
	unsigned name_len;
	char *value;                /* where the field's value goes, or NULL */
	unsigned value_len, value_max;
};

void hdr_scan_init(struct hdr_scan *h);
/* Takes the next octets of the message (unstuffed); does nothing once done. */
void hdr_scan_push(struct hdr_scan *h, const void *p, size_t n);
/* The message has no more octets: sets end where the block had none. */
void hdr_scan_end(struct hdr_scan *h);

/* The name that who wrote a Received field has for the message ("by HOST (Postfix)
 * with ESMTP id NAME"), into out; "" where it tells none or it does not fit. Returns
 * out. */
const char *hdr_received_id(const char *field, char *out, size_t size);

/* "X-Virus-Scanner: ..." as one folded field with CR LF (TAB for the fold).
 * This and the next: 0; -1 no room in out, which is then unchanged. */
int hdr_xvirus_format(struct buf *out) __attribute__((warn_unused_result));

struct hdr_received {
	const char *helo;        /* client's EHLO or HELO argument, "" none */
	const char *client_ip;   /* text */
	bool client_is_ipv6;
	const char *client_name; /* XFORWARD or PROXY name, "" unknown */
	const char *by;          /* our host name */
	const char *protocol;    /* "SMTP", "ESMTP", "UTF8SMTP", ... RFC 3848 */
	const char *id;
	const char *rcpt;        /* only where there is exactly one, else "" */
	long long when;          /* unix seconds */
	int tz_minutes;          /* east of UTC */
};
/* RFC 5321 4.4. Peer text that the grammar does not allow is replaced by
 * "?" or left out. Folded so that no line is over 78 where it can be. */
int hdr_received_format(const struct hdr_received *r, struct buf *out)
	__attribute__((warn_unused_result));

#endif
