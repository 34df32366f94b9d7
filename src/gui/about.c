/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The about window. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/about.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "config-build.h"

void
p2ps_about_present (GtkWindow *parent)
{
  adw_show_about_window (parent, "application-name", "P2PShare", "application-icon", P2PS_APP_ID,
                         "version", P2PS_VERSION, "developer-name", _ ("The P2PShare developers"),
                         "license-type", GTK_LICENSE_GPL_3_0, "comments",
                         _ ("Find and share files without a server."),
                         /* Translators: your names, one a line */
                         "translator-credits", _ ("translator-credits"), NULL);
}
