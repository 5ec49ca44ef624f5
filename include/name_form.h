/* name_form.h - what a file name is once the way in which it is written was
 * taken off: %XX, shifts of ISO 2022, charsets of two octets. Pure.
 *
 * The name is raw octets; which charset it is in is not known, or not to be
 * believed (names in zip files say nothing of theirs), so each is tried. What
 * is no ASCII letter, and no fullwidth one, comes out as the octet 0xff. */
#ifndef ESETS_NAME_FORM_H
#define ESETS_NAME_FORM_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_FORM_MAX 1024u /* of a longer one the end, where the extension is */

enum name_form {
	NAME_FORM_PERCENT,      /* as in an address of the web */
	NAME_FORM_SHIFTS,       /* ISO 2022 */
	NAME_FORM_EUC,          /* GB 2312, GBK, GB 18030, EUC-KR, UHC */
	NAME_FORM_EUC_ODD,      /* the same, if the first octet is a second one */
	NAME_FORM_EUC_JP, NAME_FORM_EUC_JP_ODD,
	NAME_FORM_SJIS, NAME_FORM_SJIS_ODD,
	NAME_FORM_BIG5, NAME_FORM_BIG5_ODD,
	NAME_FORM_BARE,         /* less the octets that may be invisible in others */
	NAME_FORM_COUNT
};

/* False: nothing of the name is written that way. */
bool name_form_make(enum name_form f, const char *name, char out[NAME_FORM_MAX]);
/* One character at s, which is not empty; what is no UTF-8 stands for itself as
 * an octet. Returns how many octets it has. */
size_t name_form_next(const unsigned char *s, unsigned *out);

#endif
