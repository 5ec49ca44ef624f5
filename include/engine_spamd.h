/* engine_spamd.h - the engine that asks spamd, of SpamAssassin. */
#ifndef ESETS_ENGINE_SPAMD_H
#define ESETS_ENGINE_SPAMD_H

#include "engine.h"

extern const struct engine engine_spamd;

#endif
