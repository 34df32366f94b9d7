/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The dialog that adds a peer. It owns itself; the look-up of a host name is the engine's, which
 * outlives it. What is no address with a port can't be added. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/add-peer.h"

#include <glib/gi18n.h>

#include "gui/settings.h"

typedef struct
{
  GWeakRef window;
  char *address;
} AddData;

static void
add_data_free (AddData *data)
{
  g_weak_ref_clear (&data->window);
  g_free (data->address);
  g_free (data);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AddData, add_data_free)

/* "host:port" or "[IPv6]:port"; the host may be a name. */
gboolean
p2ps_peer_address_is_valid (const char *text)
{
  P2psAddress address;
  g_autoptr (GSocketConnectable) parsed = NULL;

  if (p2ps_address_parse (&address, text))
    return TRUE;
  parsed = g_network_address_parse (text, 0, NULL);
  return parsed != NULL && g_network_address_get_port (G_NETWORK_ADDRESS (parsed)) > 0
         && *g_network_address_get_hostname (G_NETWORK_ADDRESS (parsed)) != '\0'
         && strpbrk (text, " /@?#") == NULL;
}

static void
added_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (AddData) data = user_data;
  g_autoptr (P2psWindow) window = g_weak_ref_get (&data->window);
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;

  if (p2ps_engine_add_peer_finish (P2PS_ENGINE (source), result, &error))
    /* Translators: %s is the address of a peer */
    message = g_strdup_printf (_ ("%s added"), data->address);
  if (window != NULL)
    p2ps_window_tell (window, error != NULL ? error->message : message);
}

static void
response_cb (AdwMessageDialog *dialog, const char *response, GtkEditable *entry)
{
  P2psWindow *window = P2PS_WINDOW (gtk_window_get_transient_for (GTK_WINDOW (dialog)));
  AddData *data;

  if (g_strcmp0 (response, "add") != 0)
    return;
  data = g_new0 (AddData, 1);
  g_weak_ref_init (&data->window, window);
  data->address = g_strstrip (g_strdup (gtk_editable_get_text (entry)));
  p2ps_settings_add_peer (p2ps_window_get_settings (window), data->address);
  p2ps_engine_add_peer_async (p2ps_window_get_engine (window), data->address, added_cb, data);
}

static void
changed_cb (GtkEditable *entry, AdwMessageDialog *dialog)
{
  g_autofree char *text = g_strstrip (g_strdup (gtk_editable_get_text (entry)));
  gboolean valid = p2ps_peer_address_is_valid (text);

  adw_message_dialog_set_response_enabled (dialog, "add", valid);
  if (valid || *text == '\0')
    gtk_widget_remove_css_class (GTK_WIDGET (entry), "error");
  else
    gtk_widget_add_css_class (GTK_WIDGET (entry), "error");
}

static void
entry_activate_cb (AdwMessageDialog *dialog)
{
  if (adw_message_dialog_get_response_enabled (dialog, "add"))
    {
      adw_message_dialog_response (dialog, "add");
      gtk_window_destroy (GTK_WINDOW (dialog));
    }
}

void
p2ps_add_peer_present (P2psWindow *window)
{
  g_autoptr (GtkBuilder) builder
      = gtk_builder_new_from_resource ("/com/example/P2PShare/add-peer.ui");
  AdwMessageDialog *dialog = ADW_MESSAGE_DIALOG (gtk_builder_get_object (builder, "dialog"));
  GtkEditable *entry = GTK_EDITABLE (gtk_builder_get_object (builder, "entry"));

  gtk_window_set_transient_for (GTK_WINDOW (dialog), GTK_WINDOW (window));
  g_signal_connect_object (dialog, "response", G_CALLBACK (response_cb), entry, 0);
  g_signal_connect_object (entry, "changed", G_CALLBACK (changed_cb), dialog, 0);
  g_signal_connect_object (entry, "entry-activated", G_CALLBACK (entry_activate_cb), dialog,
                           G_CONNECT_SWAPPED);
  gtk_window_present (GTK_WINDOW (dialog));
  gtk_widget_grab_focus (GTK_WIDGET (entry));
}
