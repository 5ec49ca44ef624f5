/* engine_clamd.h - the engine that asks clamd, of ClamAV. */
#ifndef ESETS_ENGINE_CLAMD_H
#define ESETS_ENGINE_CLAMD_H

#include "engine.h"

extern const struct engine engine_clamd;

#endif
