/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Hands a finished file to the program for its type, or to the file manager. Never waits: both are
 * asked over D-Bus or the portal. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/show-file.h"

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkWidget) widget = user_data;
  g_autoptr (GError) error = NULL;

  if (!gtk_show_uri_full_finish (GTK_WINDOW (source), result, &error)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    gtk_widget_activate_action (widget, "win.tell", "s", error->message);
}

static void
open_uri (const char *uri, GtkWidget *widget)
{
  GtkRoot *root = gtk_widget_get_root (widget);

  if (GTK_IS_WINDOW (root))
    gtk_show_uri_full (GTK_WINDOW (root), uri, GDK_CURRENT_TIME, NULL, opened_cb,
                       g_object_ref (widget));
}

void
p2ps_open_file (const char *path, GtkWidget *widget)
{
  g_autofree char *uri = path == NULL ? NULL : g_filename_to_uri (path, NULL, NULL);

  if (uri != NULL)
    open_uri (uri, widget);
}

typedef struct
{
  char *path;
  GtkWidget *widget;
} ShowData;

/* No file manager speaks that interface: its folder will do. */
static void
shown_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ShowData *data = user_data;
  g_autoptr (GVariant) reply
      = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  g_autofree char *folder = g_path_get_dirname (data->path);

  if (reply == NULL)
    p2ps_open_file (folder, data->widget);
  g_free (data->path);
  g_object_unref (data->widget);
  g_free (data);
}

void
p2ps_show_file (const char *path, GtkWidget *widget)
{
  GDBusConnection *bus = g_application_get_dbus_connection (g_application_get_default ());
  g_autofree char *uri = path == NULL ? NULL : g_filename_to_uri (path, NULL, NULL);
  const char *uris[] = { uri, NULL };
  ShowData *data;

  if (uri == NULL)
    return;
  if (bus == NULL)
    {
      g_autofree char *folder = g_path_get_dirname (path);

      p2ps_open_file (folder, widget);
      return;
    }
  data = g_new0 (ShowData, 1);
  data->path = g_strdup (path);
  data->widget = g_object_ref (widget);
  g_dbus_connection_call (bus, "org.freedesktop.FileManager1", "/org/freedesktop/FileManager1",
                          "org.freedesktop.FileManager1", "ShowItems",
                          g_variant_new ("(^ass)", uris, ""), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                          NULL, shown_cb, data);
}
