/* web_json.h - texts of strangers and metadata of the quarantine as JSON for
 * the page. Pure. */
#ifndef ESETS_WEB_JSON_H
#define ESETS_WEB_JSON_H

#include "buf.h"
#include "quar_meta.h"

#define WEB_TEXT_MAX 300u   /* octets of a text, then it is cut */

/* A string with its quotes: valid UTF-8 without controls, cut; nothing in it
 * means anything to HTML either. Append; 0, -1 no room or no memory. */
int web_json_text(struct buf *out, const char *s);
/* One object; of the recipients the first WEB_RCPTS_MAX. */
#define WEB_RCPTS_MAX 10u
int web_json_meta(struct buf *out, const struct quar_meta *m);

#endif
