/* quar_text.h - metadata of the quarantine for people and for programs. Pure.
 *
 * What goes to a terminal came from strangers: no control character gets
 * there (str_clean; in JSON they are escaped, and what is no UTF-8 is U+FFFD). */
#ifndef ESETS_QUAR_TEXT_H
#define ESETS_QUAR_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "quar_meta.h"

/* A line for esets_quar list. */
void quar_text_line(const struct quar_meta *m, FILE *out);
/* All that is known, "name: value", one a line. */
void quar_text_show(const struct quar_meta *m, FILE *out);
/* The same as one JSON object on one line. */
void quar_text_json(const struct quar_meta *m, FILE *out);
/* Octets of a message for a terminal: lines and tabs stay, control characters
 * do not. */
void quar_text_octets(const char *p, size_t n, FILE *out);

#endif
