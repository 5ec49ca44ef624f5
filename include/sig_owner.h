/* sig_owner.h - who decides what the signatures are: root and ourselves, or others
 * as well? */
#ifndef ESETS_SIG_OWNER_H
#define ESETS_SIG_OWNER_H

#include <stdbool.h>
#include <stddef.h>

struct stat;

/* Can others write to the file st, which has that path? True: who, in why. */
bool sig_owner_others_file(const char *path, const struct stat *st, char *why, size_t size);
/* Can others write to that directory, or put another one in its place? It need not
 * be there. */
bool sig_owner_others_dir(const char *path, char *why, size_t size);

#endif
