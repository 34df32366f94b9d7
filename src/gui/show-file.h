/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Paths are in file system encoding. What goes wrong is told in the window of `widget`. */
void p2ps_open_file (const char *path, GtkWidget *widget);
void p2ps_show_file (const char *path, GtkWidget *widget);

G_END_DECLS
