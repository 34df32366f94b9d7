/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* The main window: the pages in a view stack, or what is wrong when the node could not start.
 * Properties "engine" (P2psEngine), "settings" (GSettings) and "trouble" (string: why there is no
 * running node, NULL when there is one). */
#define P2PS_TYPE_WINDOW (p2ps_window_get_type ())
G_DECLARE_FINAL_TYPE (P2psWindow, p2ps_window, P2PS, WINDOW, AdwApplicationWindow)

P2psWindow *p2ps_window_new (GtkApplication *application, P2psEngine *engine, GSettings *settings);
P2psEngine *p2ps_window_get_engine (P2psWindow *self);
GSettings *p2ps_window_get_settings (P2psWindow *self);
const char *p2ps_window_get_trouble (P2psWindow *self);
void p2ps_window_set_trouble (P2psWindow *self, const char *trouble);
void p2ps_window_tell (P2psWindow *self, const char *text);
void p2ps_window_show_page (P2psWindow *self, const char *name);
void p2ps_window_focus_first (P2psWindow *self);
void p2ps_window_focus_search (P2psWindow *self);

G_END_DECLS
