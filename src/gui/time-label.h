/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* How long ago something was. Property "time" (int64, Unix seconds, 0 = never). */
#define P2PS_TYPE_TIME_LABEL (p2ps_time_label_get_type ())
G_DECLARE_FINAL_TYPE (P2psTimeLabel, p2ps_time_label, P2PS, TIME_LABEL, GtkWidget)

G_END_DECLS
