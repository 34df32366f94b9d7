/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "gui/window.h"

G_BEGIN_DECLS

/* What can be done in the window, in one place. */
void p2ps_window_install_actions (P2psWindow *window);
void p2ps_window_update_actions (P2psWindow *window);
void p2ps_window_install_accels (GtkApplication *application);

G_END_DECLS
