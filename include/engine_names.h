/* engine_names.h - where the addresses of an external engine lead. Blocks, as a name
 * service does. */
#ifndef ESETS_ENGINE_NAMES_H
#define ESETS_ENGINE_NAMES_H

#include "engine_ext.h"

struct proc_identity;

/* What is found nowhere is a warning, and missing in *out. */
void engine_names_look_up(const struct engine_ext *e, struct engine_addresses *out);
/* The same, names being looked up by a child of that identity: what comes from the
 * network is not read as root. Waits two seconds at most; what is not known by then
 * is missing, as are all names where there can be no child. Only from a process of one
 * thread. */
void engine_names_look_up_as(const struct engine_ext *e, const struct proc_identity *id,
	struct engine_addresses *out);
/* Is that one, as far as a reader of it has to know? */
bool engine_names_is_sound(const struct engine_addresses *a);

#endif
