/* smtp_cmd.h - SMTP commands: the verb table, arguments, addresses. Pure.
 *
 * One row per verb says what the proxy does with it. Verbs are recognised as
 * the laxest server would (leading blanks, any case, any white space behind),
 * so that none can be hidden from us (invariant I1). Source: RFC 5321 4.1 and
 * the registry of SMTP service extensions. */
#ifndef ESETS_SMTP_CMD_H
#define ESETS_SMTP_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a verb is handled. */
enum smtp_cmd_kind {
	SMTP_CMD_RELAY,     /* goes on as it is */
	SMTP_CMD_BARRIER,   /* the same, but nothing behind it is read before its reply */
	SMTP_CMD_DATA,      /* served by the agent */
	SMTP_CMD_BDAT,      /* the same: its octets follow the line */
	SMTP_CMD_REFUSE,    /* answered by the agent with the row's reply */
	SMTP_CMD_TRUSTED,   /* BARRIER for trusted clients, else refused */
};

#define SMTP_VERB_LIST(X)                                                                  \
	X(EHLO,     "EHLO",     BARRIER, NULL)                                             \
	X(HELO,     "HELO",     BARRIER, NULL)                                             \
	X(MAIL,     "MAIL",     RELAY,   NULL)                                             \
	X(RCPT,     "RCPT",     RELAY,   NULL)                                             \
	X(DATA,     "DATA",     DATA,    "501 5.5.4 Syntax: DATA")                         \
	X(RSET,     "RSET",     RELAY,   NULL)                                             \
	X(NOOP,     "NOOP",     RELAY,   NULL)                                             \
	X(QUIT,     "QUIT",     BARRIER, NULL)                                             \
	X(VRFY,     "VRFY",     RELAY,   NULL)                                             \
	X(EXPN,     "EXPN",     RELAY,   NULL)                                             \
	X(HELP,     "HELP",     RELAY,   NULL)                                             \
	X(ETRN,     "ETRN",     RELAY,   NULL)                                             \
	X(AUTH,     "AUTH",     BARRIER, NULL)                                             \
	X(XFORWARD, "XFORWARD", TRUSTED, "550 5.7.1 XFORWARD is not allowed from here")    \
	X(XCLIENT,  "XCLIENT",  TRUSTED, "550 5.7.1 XCLIENT is not allowed from here")     \
	/* They carry or fetch content, or change what follows: I1, I6. */                 \
	X(STARTTLS, "STARTTLS", REFUSE,  "502 5.5.1 STARTTLS is not supported here")       \
	X(BDAT,     "BDAT",     BDAT,    "502 5.5.1 BDAT is not supported here")           \
	X(BURL,     "BURL",     REFUSE,  "502 5.5.1 BURL is not supported here")           \
	X(XEXCH50,  "XEXCH50",  REFUSE,  "502 5.5.1 XEXCH50 is not supported here")        \
	X(X_LINK2STATE, "X-LINK2STATE", REFUSE, "502 5.5.1 X-LINK2STATE is not supported here") \
	X(X_EXPS,   "X-EXPS",   REFUSE,  "502 5.5.1 X-EXPS is not supported here")         \
	X(X_ANONYMOUSTLS, "X-ANONYMOUSTLS", REFUSE,                                        \
		"502 5.5.1 X-ANONYMOUSTLS is not supported here")                          \
	X(TLS, "TLS", REFUSE, "502 5.5.1 TLS is not supported here")                       \
	X(ONEX, "ONEX", REFUSE, "502 5.5.1 ONEX is not supported here")                    \
	X(VERB, "VERB", REFUSE, "502 5.5.1 VERB is not supported here")                    \
	X(XPROXY, "XPROXY", REFUSE, "502 5.5.1 XPROXY is not supported here")              \
	X(XPROXYFROM, "XPROXYFROM", REFUSE, "502 5.5.1 XPROXYFROM is not supported here")  \
	X(XPROXYTO, "XPROXYTO", REFUSE, "502 5.5.1 XPROXYTO is not supported here")        \
	X(XRDST, "XRDST", REFUSE, "502 5.5.1 XRDST is not supported here")                 \
	X(XSHADOW, "XSHADOW", REFUSE, "502 5.5.1 XSHADOW is not supported here")           \
	X(XSHADOWREQUEST, "XSHADOWREQUEST", REFUSE,                                        \
		"502 5.5.1 XSHADOWREQUEST is not supported here")                          \
	X(TURN,     "TURN",     REFUSE,  "502 5.5.1 TURN is not supported here")           \
	X(ATRN,     "ATRN",     REFUSE,  "502 5.5.1 ATRN is not supported here")           \
	X(COMPRESS, "COMPRESS", REFUSE,  "502 5.5.1 COMPRESS is not supported here")       \
	X(CHECKPOINT, "CHECKPOINT", REFUSE, "502 5.5.1 CHECKPOINT is not supported here")  \
	X(LHLO,     "LHLO",     REFUSE,  "500 5.5.1 LHLO: this is SMTP, not LMTP")         \
	/* Obsolete; they open a transaction that the agent does not follow. */             \
	X(SEND,     "SEND",     REFUSE,  "502 5.5.1 SEND is not supported here")           \
	X(SOML,     "SOML",     REFUSE,  "502 5.5.1 SOML is not supported here")           \
	X(SAML,     "SAML",     REFUSE,  "502 5.5.1 SAML is not supported here")           \
	/* Relayed, but alone: were it DATA to a server that looks at four letters          \
	 * only, a body behind it in the packet would go unscanned. */                     \
	X(UNKNOWN,  "",         BARRIER, NULL)                                             \
	/* An unknown one that such a server would take for RCPT, MAIL, RSET, ...: a          \
	 * transaction, or its end, of which the agent knows nothing. Relayed, too; but a     \
	 * 2xx to it ends the session. */                                                    \
	X(LONGER,   "(longer)", BARRIER, NULL)

enum smtp_verb {
#define X(id, name, kind, reply) SMTP_VERB_##id,
	SMTP_VERB_LIST(X)
#undef X
	SMTP_VERB_COUNT
};

/* A command line without its line end, taken apart; points into the line. */
struct smtp_cmd {
	enum smtp_verb verb;
	enum smtp_cmd_kind kind;
	const char *reply;      /* row's own reply without CR LF, or NULL */
	const char *line;       /* from the verb on: what is sent on */
	size_t line_len;
	const char *arg;        /* behind the verb and white space */
	size_t arg_len;         /* without trailing white space */
};

const char *smtp_verb_name(enum smtp_verb v);

/* Takes a line apart. False if the verb holds a control character or an
 * octet above 0x7e, or the line is blank: then 500 5.5.2 and never relayed. */
bool smtp_cmd_parse(const char *line, size_t len, struct smtp_cmd *out);

/* The address of "FROM:<...>" or "TO:<...>": without route and angle
 * brackets, quotes kept, "" for the null sender. Lenient: blanks behind the
 * colon, no brackets. *params_out: what follows (may be NULL). Returns the
 * length (0 also where there is no address), with *addr_out into arg. */
size_t smtp_cmd_path(const char *arg, size_t len, const char *prefix, const char **addr_out,
	const char **params_out, size_t *params_len_out);
/* Are they blank-separated KEYWORD or KEYWORD=value (RFC 5321 4.1.2), or none? */
bool smtp_cmd_params_are_plain(const char *params, size_t len);
/* "SIZE [LAST]" of BDAT. 0; -1 it is no such thing. As servers read it (Postfix):
 * digits alone, zeros in front of it too, any white space between the words; up to
 * 64 bits, theirs being 63. What one of them can read must not be unreadable here. */
int smtp_cmd_bdat(const char *arg, size_t len, uint64_t *size_out, bool *last_out);
/* Is NAME or NAME=value (any value if NULL) among the parameters? */
bool smtp_cmd_has_param(const char *params, size_t len, const char *name, const char *value);
/* Value of an XFORWARD attribute, xtext decoded and cut into out. False if it
 * is not there (out is as it was) or is "[UNAVAILABLE]" or "[TEMPUNAVAIL]"
 * (out is ""). */
bool smtp_cmd_attr(const char *arg, size_t len, const char *name, char *out, size_t size);

#endif
