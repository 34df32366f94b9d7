/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* What a person sets. It writes GSettings only: the application watches them and tells the engine.
 */
#define P2PS_TYPE_PREFERENCES (p2ps_preferences_get_type ())
G_DECLARE_FINAL_TYPE (P2psPreferences, p2ps_preferences, P2PS, PREFERENCES, AdwPreferencesWindow)

GtkWindow *p2ps_preferences_new (GSettings *settings, P2psEngine *engine);

G_END_DECLS
