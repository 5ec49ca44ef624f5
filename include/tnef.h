/* tnef.h - what a winmail.dat holds. Pure.
 *
 * Files and their names are handed out one after the other, as they stand; a
 * message attached as an object of MAPI is a TNEF of its own in a file. Source:
 * [MS-OXTNEF]. */
#ifndef ESETS_TNEF_H
#define ESETS_TNEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tnef_status {
	TNEF_FILE,          /* p, n: an attached file, or a body */
	TNEF_NAME,          /* name: what an attached file may be called */
	TNEF_END,
	TNEF_BROKEN         /* it does not go on from here */
};

struct tnef_item {
	const unsigned char *p;
	size_t n;
	char name[256];     /* UTF-8 or raw octets; the end of a longer one */
};

struct tnef {
	const unsigned char *p, *end;           /* what was not looked at yet */
	const unsigned char *prop, *prop_end;   /* properties of the attribute at work */
	uint32_t props, values;                 /* left of them, and of one of them */
	unsigned id, type;                      /* of the property at work */
};

bool tnef_is(const void *data, size_t len);
/* data, which tnef_is, is borrowed until the last tnef_next. */
void tnef_init(struct tnef *t, const void *data, size_t len);
enum tnef_status tnef_next(struct tnef *t, struct tnef_item *out);

#endif
