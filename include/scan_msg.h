/* scan_msg.h - the scanner protocol: requests and answers as octets. Pure.
 *
 * One connection of type SOCK_SEQPACKET on daemon_sock_path carries one
 * request and its answer, or several one after the other (keep=yes); each is
 * one packet of at most SCAN_MSG_MAX octets of text:
 *
 *     esets-scan/1 scan\n           or   esets-scan/1 verdict\n
 *     key=value\n ...                    key=value\n ...
 *     \n                                 \n
 *
 * The empty line is the end: a packet that was cut is never a shorter valid
 * one. Octets below 0x20, 0x7f and "%" in a value are written %XX, and %00 is
 * not allowed. Unknown keys are ignored, a repeated single key is an error,
 * so that both ends can grow; an unknown kind in av is an error, since it
 * cannot be told from a bad one. A key that is absent has its default.
 * What is to be scanned stands behind the text of the request (inline=yes; up
 * to SCAN_INLINE_MAX octets), or is in the one descriptor that goes with it:
 * open for reading only, or a memfd sealed against writing; its offset is not
 * used (pread only). The answer carries one only where av says deleted: a
 * sealed memfd with the cleaned message.
 * The grammar with every key is in esets_daemon(8). */
#ifndef ESETS_SCAN_MSG_H
#define ESETS_SCAN_MSG_H

#include "buf.h"
#include "scan_opts.h"
#include "verdict.h"

#define SCAN_MSG_MAX 65536
#define SCAN_INLINE_MAX 65536
#define SCAN_PACKET_MAX (SCAN_MSG_MAX + SCAN_INLINE_MAX)   /* of a request */
#define SCAN_MSG_RCPTS_MAX 1000 /* recipients named in a request */

enum scan_parts { SCAN_PARTS_NONE, SCAN_PARTS_NOTABLE, SCAN_PARTS_ALL };

/* Everything is borrowed when formatted; when parsed, strings point into the
 * struct scan_msg_store that was given, octets into the packet. */
struct scan_request {
	const char *id;            /* session and message, for both logs */
	const char *agent;         /* "smtp", "scan", ... */
	const char *sender;        /* without <>, "" null sender */
	const char *const *rcpts;  /* accepted ones, the first SCAN_MSG_RCPTS_MAX */
	unsigned nrcpts;           /* entries of rcpts */
	unsigned nrcpts_total;
	const char *client;        /* address text, "" unknown */
	const char *helo;          /* "" unknown */
	const char *queue_id;      /* of the MTA before us, "" unknown */
	const char *name;          /* file name for esets_scan, "" mail on its way */
	bool is_mail;              /* a message (RFC 5322), else any file */
	uint64_t size;             /* octets to scan */
	bool is_inline;            /* they are octets, else in the descriptor */
	const void *octets;
	bool keep;                 /* the connection is for further requests */
	bool want_av, want_as;
	enum scan_parts want_parts;
	bool sha256_if_found;      /* of what is clean nobody wants to know it */
	struct scan_opts opts;
};

struct scan_msg_store {            /* memory of one parsed request */
	char *text;
	const char **rcpts;
};

/* Appends the packet to out. 0; -1 its text would exceed SCAN_MSG_MAX
 * (recipients are left out from the end before that happens), more is inline
 * than may be, or no memory (out is then as it was). */
int scan_request_format(const struct scan_request *r, struct buf *out);
/* 0; -1 with a text in *why_out. On 0 the store is to be freed with
 * scan_msg_store_fini when the request is no longer used. */
int scan_request_parse(const void *p, size_t n, struct scan_request *r,
	struct scan_msg_store *store, const char **why_out);
void scan_msg_store_fini(struct scan_msg_store *s);

/* The answer. Every text of v is cut and cleaned when parsed: the scanner is
 * not trusted (I9). */
int scan_verdict_format(const struct verdict *v, struct buf *out);
int scan_verdict_parse(const void *p, size_t n, struct verdict *v, const char **why_out);

#endif
