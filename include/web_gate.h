/* web_gate.h - who may see the pages of esets_wwwi. Pure.
 *
 * A page of some other site can make a browser ask us; it cannot read the
 * answer unless its name is made to point here (DNS rebinding). Hence only
 * names that are this machine's are answered, and any literal address: who
 * rebinds has none. */
#ifndef ESETS_WEB_GATE_H
#define ESETS_WEB_GATE_H

#include <stdbool.h>

#include "web_req.h"

#define WEB_SECRET_MAX 1000u   /* base64 of name:password */

struct web_gate {
	char host[256];                    /* this machine's name, or "" */
	char basic[WEB_SECRET_MAX + 1];    /* base64 of name:password, "" nobody is asked */
};

enum web_answer { WEB_OK, WEB_WRONG_HOST, WEB_WHO };

/* username and password: "" both, or neither. host: as gethostname has it. 0,
 * -1 they are too long. */
int web_gate_init(struct web_gate *g, const char *host, const char *username,
	const char *password);
/* Does a page of ours send it, as far as the browser says? */
bool web_gate_is_same_origin(const struct web_req *r);
/* Takes as long as what was sent is long, right or wrong; secret is not "". */
bool web_gate_is_secret(const char *sent, const char *secret);
/* The time it takes tells nothing of the password. */
enum web_answer web_gate_ask(const struct web_gate *g, const struct web_req *r);

#endif
