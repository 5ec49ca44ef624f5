/* release_msg.h - a message out of quarantine, asked of esets_daemon: request and
 * answer as octets. Pure.
 *
 * One connection of type SOCK_SEQPACKET on daemon_sock_path with ".release" behind
 * it carries one request and its answer, each one packet in the grammar of kv.h
 * with the heads "esets-release/1 ask" and "esets-release/1 answer". Keys that are
 * not known are ignored, one that is repeated is an error. esets_daemon(8) has
 * them all. */
#ifndef ESETS_RELEASE_MSG_H
#define ESETS_RELEASE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "quar_meta.h"

#define RELEASE_MSG_MAX 4096u   /* octets of a packet */
#define RELEASE_BY_SIZE 200u
#define RELEASE_TEXT_SIZE 600u
#define RELEASE_SUFFIX ".release"

struct release_ask {
	char id[QUAR_ID_SIZE];         /* valid (quar_id_is_valid) once parsed */
	uint64_t released_s;           /* when it was released last, as far as who asks knows */
	char by[RELEASE_BY_SIZE];      /* who asks, for the log; cleaned once parsed */
};

struct release_answer {
	bool is_released;              /* the server said 2xx to it */
	char text[RELEASE_TEXT_SIZE];  /* what happened; cleaned once parsed */
};

/* Append; 0, -1 no room or memory. */
int release_ask_format(const struct release_ask *a, struct buf *out);
int release_answer_format(const struct release_answer *a, struct buf *out);
/* 0; -1 with a text in *why_out. */
int release_ask_parse(const void *p, size_t n, struct release_ask *out, const char **why_out);
int release_answer_parse(const void *p, size_t n, struct release_answer *out, const char **why_out);

#endif
