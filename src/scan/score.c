/* score.c - the numbers of spam filters, see score.h. */
#include "score.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 64

static size_t digits(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= '0' && p[i] <= '9')
		i++;
	return i;
}

size_t score_number_len(const char *p, size_t n)
{
	size_t i = n > 0 && p[0] == '-', k = digits(p + i, n - i);

	if (k == 0 || (k > 1 && p[i] == '0'))
		return 0;
	i += k;
	if (i < n && p[i] == '.') {
		k = digits(p + i + 1, n - i - 1);
		if (k == 0)
			return 0;
		i += 1 + k;
	}
	if (i < n && (p[i] == 'e' || p[i] == 'E')) {
		size_t sign = i + 1 < n && (p[i + 1] == '-' || p[i + 1] == '+');
		k = digits(p + i + 1 + sign, n - i - 1 - sign);
		if (k == 0)
			return 0;
		i += 1 + sign + k;
	}
	return i;
}

int score_parse(const char *p, size_t n, int *milli_out)
{
	char text[NUMBER_MAX];

	if (n == 0 || n >= sizeof text || score_number_len(p, n) != n)
		return -1;
	memcpy(text, p, n);
	text[n] = '\0';
	/* The programs never set a locale, so the point is a point. */
	double milli = strtod(text, NULL) * 1000;
	if (milli > SCORE_MAX_MILLI)
		milli = SCORE_MAX_MILLI;
	if (milli < -SCORE_MAX_MILLI)
		milli = -SCORE_MAX_MILLI;
	*milli_out = (int)(milli < 0 ? milli - 0.5 : milli + 0.5);
	return 0;
}
