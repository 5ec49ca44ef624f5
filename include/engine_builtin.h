/* engine_builtin.h - the engine that needs no set-up: EICAR, GTUBE, and the
 * digests of engine_hash. */
#ifndef ESETS_ENGINE_BUILTIN_H
#define ESETS_ENGINE_BUILTIN_H

#include "engine.h"

extern const struct engine engine_builtin;

#endif
