/* allow.c - false alarms that must pass, see allow.h. Pure: no descriptor, no
 * clock, no log.
 *
 * Called only where an engine has found something, or where the list of
 * digests is not empty, so the lists are read as they are, each time. */
#include "allow.h"

#include <stdint.h>
#include <string.h>

#include "str.h"

#define MASK_SIZE 512
#define HASH_DIGITS 64

bool allow_has_name(const char *list, const char *name)
{
	char mask[MASK_SIZE];
	int got;

	if (name[0] == '\0')
		return false;
	while ((got = str_list_next(&list, ':', mask, sizeof mask)) != 0) {
		if (got > 0 && mask[strspn(mask, "*?")] != '\0' && str_mask_match(mask, name))
			return true;
	}
	return false;
}

bool allow_has_hash(const char *list, const char *sha256_hex)
{
	char item[HASH_DIGITS + 1];
	int got;

	if (strlen(sha256_hex) != HASH_DIGITS)
		return false;
	while ((got = str_list_next(&list, ':', item, sizeof item)) != 0) {
		if (got > 0 && str_ieq(item, sha256_hex))
			return true;
	}
	return false;
}
