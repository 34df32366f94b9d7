/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* The desktop program: a node and, most of the time, a window. */
#define P2PS_TYPE_APPLICATION (p2ps_application_get_type ())
G_DECLARE_FINAL_TYPE (P2psApplication, p2ps_application, P2PS, APPLICATION, AdwApplication)

P2psApplication *p2ps_application_new (void);

G_END_DECLS
