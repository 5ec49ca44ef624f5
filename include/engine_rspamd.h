/* engine_rspamd.h - the engine that asks rspamd. */
#ifndef ESETS_ENGINE_RSPAMD_H
#define ESETS_ENGINE_RSPAMD_H

#include "engine.h"

extern const struct engine engine_rspamd;

#endif
