/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* Text for people, by locale. Every function is also a closure of the templates, hence `self`,
 * which is not looked at and may be NULL. What is returned belongs to the caller. */
char *p2ps_format_size (gpointer self, gint64 size);
char *p2ps_format_total_size (gpointer self, guint64 size);
char *p2ps_format_speed (gpointer self, double speed);
char *p2ps_format_seconds_left (gpointer self, gint64 seconds);
char *p2ps_format_count (gpointer self, gint64 count);
char *p2ps_format_total (gpointer self, guint64 count);
char *p2ps_format_number (gpointer self, guint count);
char *p2ps_format_time (gpointer self, gint64 seconds);
char *p2ps_format_ago (gint64 then, gint64 now, gint64 *changes_in);
char *p2ps_format_peer_state (gpointer self, const char *state);
char *p2ps_format_peer_kind (gpointer self, gboolean classic, const char *agent);
char *p2ps_format_download_state (gpointer self, P2psDownloadState state, const char *reason);
char *p2ps_format_addresses (gpointer self, GObject *result, guint n_sources);
GIcon *p2ps_icon_for_type (gpointer self, const char *content_type);
GIcon *p2ps_icon_for_name (gpointer self, const char *filename);
gboolean p2ps_is_set (gpointer self, const char *text);

void p2ps_format_bind_template (GtkWidgetClass *widget_class);

G_END_DECLS
