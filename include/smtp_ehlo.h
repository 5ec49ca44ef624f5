/* smtp_ehlo.h - which EHLO keywords pass through the proxy. Pure.
 *
 * One row per keyword of IANA's registry of SMTP service extensions, and of
 * the known private ones: pass, hide, for trusted clients only, or the
 * agent's own. What the table does not know passes or not by ehlo_unknown;
 * the 3xx rule (I1) holds for its verbs all the same.
 *
 * Towards the client a keyword is what the laxest of them would take for it:
 * blanks in front are skipped, "=" ends it too (AUTH=LOGIN is an old spelling
 * of AUTH), and a line that does not begin with one is left out. What the agent
 * itself relies on must be spelled as RFC 5321 has it. */
#ifndef ESETS_SMTP_EHLO_H
#define ESETS_SMTP_EHLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum smtp_ehlo_rule { SMTP_EHLO_PASS, SMTP_EHLO_HIDE, SMTP_EHLO_TRUSTED, SMTP_EHLO_OWN };

/* keyword, rule, reason */
#define SMTP_EHLO_LIST(X)                                                                 \
	X("8BITMIME", PASS, "labels the body, which passes unchanged")                    \
	X("ATRN", HIDE, "turns the roles round: mail would come past the scanner")        \
	X("AUTH", PASS, "exchanges are relayed as opaque lines")                          \
	X("BINARYMIME", OWN, "bodies without lines travel by BDAT only")                  \
	X("BURL", HIDE, "the server would fetch content past the scanner")                \
	X("CHECKPOINT", HIDE, "restarts a message in the middle")                         \
	X("CHUNKING", OWN, "BDAT carries content: the agent must serve it itself")        \
	X("COMPRESS", HIDE, "makes the stream opaque")                                    \
	X("CONNEG", PASS, "answers to RCPT only")                                         \
	X("CONPERM", PASS, "a parameter of MAIL and RCPT")                                \
	X("DELIVERBY", PASS, "a parameter of MAIL")                                       \
	X("DSN", PASS, "parameters of MAIL and RCPT")                                     \
	X("ENHANCEDSTATUSCODES", PASS, "the agent's own replies have them too")           \
	X("ETRN", PASS, "starts a delivery elsewhere, carries nothing here")              \
	X("EXPN", PASS, "relayed")                                                        \
	X("FUTURERELEASE", PASS, "parameters of MAIL")                                    \
	X("HELP", PASS, "relayed")                                                        \
	X("LIMITS", PASS, "numbers; the server enforces them")                            \
	X("MT-PRIORITY", PASS, "a parameter of MAIL")                                     \
	X("MTRK", PASS, "a parameter of MAIL")                                            \
	X("NO-SOLICITING", PASS, "a parameter of MAIL")                                   \
	X("ONEX", HIDE, "obsolete; changes how the session goes on")                      \
	X("PIPELINING", PASS, "replies keep their order")                                 \
	X("PRDR", HIDE, "several replies to one end of data")                             \
	X("REQUIRETLS", PASS, "a parameter of MAIL; the server decides")                  \
	X("RRVS", PASS, "a parameter of RCPT")                                            \
	X("SAML", HIDE, "obsolete verb, not followed")                                     \
	X("SEND", HIDE, "obsolete verb, not followed")                                     \
	X("SIZE", PASS, "the smaller of the server's and max_message_size")               \
	X("SMTPUTF8", PASS, "a parameter of MAIL; addresses pass as octets")              \
	X("SOML", HIDE, "obsolete verb, not followed")                                     \
	X("STARTTLS", HIDE, "would hide the mail from the scanner (I6)")                  \
	X("SUBMITTER", PASS, "a parameter of MAIL")                                       \
	X("TIME", PASS, "private, relayed")                                               \
	X("TLS", HIDE, "old private spelling of STARTTLS")                                \
	X("TURN", HIDE, "turns the roles round")                                          \
	X("UTF8SMTP", PASS, "experimental form of SMTPUTF8")                              \
	X("UTF8SMTPA", PASS, "experimental form of SMTPUTF8")                             \
	X("UTF8SMTPB", PASS, "experimental form of SMTPUTF8")                             \
	X("VERB", HIDE, "obsolete; makes the server speak out of turn")                   \
	X("VERP", PASS, "a parameter of MAIL (Postfix: XVERP)")                           \
	X("VRFY", PASS, "relayed")                                                        \
	X("X-ANONYMOUSTLS", HIDE, "makes the stream opaque")                              \
	X("X-EXPS", HIDE, "private authentication with binary exchanges")                 \
	X("X-LINK2STATE", HIDE, "private verb that carries content")                      \
	X("XADR", PASS, "private, relayed")                                               \
	X("XCLIENT", TRUSTED, "tells the server who the client is")                       \
	X("XEXCH50", HIDE, "binary content past the scanner")                             \
	X("XFORWARD", TRUSTED, "tells the server who the client was")                     \
	X("XMESSAGECONTEXT", HIDE, "private; sends chunks that are no part of the message") \
	X("XOORG", PASS, "a parameter of MAIL")                                           \
	X("XPROXY", HIDE, "changes whom the server believes it talks to")                 \
	X("XPROXYFROM", HIDE, "changes whom the server believes it talks to")             \
	X("XPROXYTO", HIDE, "hands the session on to another server")                     \
	X("XRDST", HIDE, "private; redirects the session")                                \
	X("XSHADOW", HIDE, "private; content is kept by the client")                      \
	X("XSHADOWREQUEST", HIDE, "private; content is kept by the client")               \
	X("XVERP", PASS, "a parameter of MAIL")

struct smtp_ehlo_cfg {
	bool is_trusted;          /* the client is in trusted_networks */
	bool hide_unknown;        /* ehlo_unknown = hide */
	bool chunking;            /* CHUNKING is offered where the server does */
	bool chunking_always;     /* and where it does not */
	uint64_t max_size;        /* max_message_size, 0 none */
};

/* What the server offered (before the filter). */
struct smtp_ehlo_info {
	bool pipelining, chunking, binarymime, smtputf8, xclient, xforward, size;
	uint64_t size_max;        /* 0 none given */
};

/* What the agent itself offers the client (RFC 3030), given what the server
 * has: BINARYMIME only where the server takes such a message. */
bool smtp_ehlo_has_chunking(const struct smtp_ehlo_cfg *cfg, const struct smtp_ehlo_info *info);
bool smtp_ehlo_has_binarymime(const struct smtp_ehlo_cfg *cfg, const struct smtp_ehlo_info *info);
/* Reads a complete 2xx EHLO reply (raw, lines ending in CR LF) and appends
 * the filtered one to out. The first line and all that passes keep spelling
 * and order; "250-" and "250 " are set anew. 0, -1 no room. */
int smtp_ehlo_filter(const char *raw, size_t len, const struct smtp_ehlo_cfg *cfg,
	struct smtp_ehlo_info *info, struct buf *out);
/* What a complete EHLO reply offers, strictly read. */
void smtp_ehlo_read(const char *raw, size_t len, struct smtp_ehlo_info *info);
/* Looks for a keyword in a complete EHLO reply, strictly; what follows it on its line. */
bool smtp_ehlo_find(const char *raw, size_t len, const char *keyword, const char **arg_out,
	size_t *arg_len_out);
/* The rule of a keyword; false: not in the table. */
bool smtp_ehlo_rule_of(const char *keyword, size_t len, enum smtp_ehlo_rule *out);

#endif
