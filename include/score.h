/* score.h - the numbers of spam filters. Pure. */
#ifndef ESETS_SCORE_H
#define ESETS_SCORE_H

#include <stddef.h>

#define SCORE_MAX_MILLI 1000000000

/* Length of the decimal number that p begins with, as JSON writes it: -12.5,
 * 1e-05; 0 there is none. */
size_t score_number_len(const char *p, size_t n);
/* All n octets as one number, times 1000, cut at SCORE_MAX_MILLI either way.
 * 0, -1 it is none. */
int score_parse(const char *p, size_t n, int *milli_out);

#endif
