/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* One figure with what it counts. Properties "title" and "value" (strings). */
#define P2PS_TYPE_STAT_TILE (p2ps_stat_tile_get_type ())
G_DECLARE_FINAL_TYPE (P2psStatTile, p2ps_stat_tile, P2PS, STAT_TILE, GtkWidget)

G_END_DECLS
