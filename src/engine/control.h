/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/engine.h"

G_BEGIN_DECLS

/* The control API: HTTP and JSON on STATE-DIR/control.sock, mode 0600: file modes are the login.
 * What the window can do, it can do; docs/control.md lists the calls. */
#define P2PS_TYPE_CONTROL (p2ps_control_get_type ())
G_DECLARE_FINAL_TYPE (P2psControl, p2ps_control, P2PS, CONTROL, GObject)

P2psControl *p2ps_control_new (P2psEngine *engine);
gboolean p2ps_control_start (P2psControl *control, GError **error);
void p2ps_control_stop (P2psControl *control);

G_END_DECLS
