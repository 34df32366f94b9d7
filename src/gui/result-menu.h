/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* The menu of a row of results, and what its items do with the row that is selected. */
typedef struct _P2psResultMenu P2psResultMenu;

P2psResultMenu *
p2ps_result_menu_new (GtkWidget *page, GtkWidget *view, GtkSingleSelection *selection);
void p2ps_result_menu_open (P2psResultMenu *menu);
void p2ps_result_menu_copy_link (P2psResultMenu *menu);
void p2ps_result_menu_copy_hash (P2psResultMenu *menu);
void p2ps_result_menu_free (P2psResultMenu *menu);

G_END_DECLS
