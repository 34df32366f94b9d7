/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The preferences window. Rows for folders and peers are made anew from the settings when those
 * change. An address that can't be listened on is not taken over. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/preferences.h"

#include <glib/gi18n.h>

#include "gui/add-peer.h"
#include "gui/settings.h"

struct _P2psPreferences
{
  AdwPreferencesWindow parent_instance;

  GSettings *settings;
  P2psEngine *engine;
  GtkNativeDialog *chooser;
  GPtrArray *folder_rows; /* borrowed: of the groups below */
  GPtrArray *peer_rows;

  AdwPreferencesGroup *folders_group;
  AdwActionRow *no_folders;
  AdwActionRow *download_row;
  GtkSwitch *hidden_switch;
  GtkSwitch *links_switch;
  AdwEntryRow *host_row;
  GtkSpinButton *port_spin;
  AdwExpanderRow *uploads_row;
  GtkSpinButton *upload_spin;
  AdwExpanderRow *downloads_row;
  GtkSpinButton *download_spin;
  GtkSpinButton *slots_spin;
  AdwPreferencesGroup *peers_group;
  AdwActionRow *no_peers;
  AdwEntryRow *peer_row;
};

enum
{
  PROP_SETTINGS = 1,
  PROP_ENGINE,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psPreferences, p2ps_preferences, ADW_TYPE_PREFERENCES_WINDOW)

static GtkWidget *
new_row (const char *title, const char *subtitle, const char *remove_name, GCallback remove_cb,
         const char *key, P2psPreferences *self)
{
  GtkWidget *row = adw_action_row_new ();
  GtkWidget *button = gtk_button_new_from_icon_name ("user-trash-symbolic");

  adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (row), FALSE);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  if (subtitle != NULL)
    {
      g_autofree char *markup = g_markup_escape_text (subtitle, -1);

      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), markup);
    }
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (button, remove_name);
  g_object_set_data_full (G_OBJECT (button), "p2ps-key", g_strdup (key), g_free);
  g_signal_connect_object (button, "clicked", remove_cb, self, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  return row;
}

static void
remove_rows (AdwPreferencesGroup *group, GPtrArray *rows)
{
  for (guint i = 0; i < rows->len; i++)
    adw_preferences_group_remove (group, g_ptr_array_index (rows, i));
  g_ptr_array_set_size (rows, 0);
}

static void
remove_folder_cb (GtkButton *button, P2psPreferences *self)
{
  p2ps_settings_remove_folder (self->settings, g_object_get_data (G_OBJECT (button), "p2ps-key"));
}

static void
fill_folders (P2psPreferences *self)
{
  g_auto (GStrv) folders = p2ps_settings_dup_folders (self->settings);

  remove_rows (self->folders_group, self->folder_rows);
  for (guint i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *name = g_filename_display_basename (folders[i]);
      g_autofree char *path = g_filename_display_name (folders[i]);
      /* Translators: %s is the name of a folder */
      g_autofree char *remove = g_strdup_printf (_ ("Stop sharing %s"), name);
      GtkWidget *row
          = new_row (name, path, remove, G_CALLBACK (remove_folder_cb), folders[i], self);

      adw_preferences_group_add (self->folders_group, row);
      g_ptr_array_add (self->folder_rows, row);
    }
  gtk_widget_set_visible (GTK_WIDGET (self->no_folders), folders[0] == NULL);
}

static void
remove_peer_cb (GtkButton *button, P2psPreferences *self)
{
  p2ps_settings_remove_peer (self->settings, g_object_get_data (G_OBJECT (button), "p2ps-key"));
}

static void
fill_peers (P2psPreferences *self)
{
  g_auto (GStrv) peers = g_settings_get_strv (self->settings, "peers");

  remove_rows (self->peers_group, self->peer_rows);
  for (guint i = 0; peers[i] != NULL; i++)
    {
      /* Translators: %s is the address of a peer */
      g_autofree char *remove = g_strdup_printf (_ ("Remove %s"), peers[i]);
      GtkWidget *row
          = new_row (peers[i], NULL, remove, G_CALLBACK (remove_peer_cb), peers[i], self);

      adw_preferences_group_add (self->peers_group, row);
      g_ptr_array_add (self->peer_rows, row);
    }
  gtk_widget_set_visible (GTK_WIDGET (self->no_peers), peers[0] == NULL);
}

static void
fill_download_folder (P2psPreferences *self)
{
  g_autofree char *path = p2ps_settings_dup_download_folder (self->settings);
  g_autofree char *name = g_filename_display_name (path);
  g_autofree char *markup = g_markup_escape_text (name, -1);

  adw_action_row_set_subtitle (self->download_row, markup);
}

static void
fill_host (P2psPreferences *self)
{
  g_autofree char *host = g_settings_get_string (self->settings, "host");

  gtk_editable_set_text (GTK_EDITABLE (self->host_row), host);
}

/* Two choosers at once would be confusing: the older one goes. */
static void
choose_folder (P2psPreferences *self, const char *title, GCallback chosen_cb)
{
  GtkFileChooserNative *chooser = gtk_file_chooser_native_new (
      title, GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _ ("_Select"), NULL);

  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (chooser), TRUE);
  g_signal_connect_object (chooser, "response", chosen_cb, self, 0);
  g_clear_object (&self->chooser);
  self->chooser = GTK_NATIVE_DIALOG (chooser);
  gtk_native_dialog_show (self->chooser);
}

static char *
dup_chosen_path (GtkNativeDialog *chooser, int response)
{
  g_autoptr (GFile) file = NULL;

  if (response == GTK_RESPONSE_ACCEPT)
    file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (chooser));
  return file == NULL ? NULL : g_file_get_path (file);
}

static void
shared_folder_chosen_cb (GtkNativeDialog *chooser, int response, P2psPreferences *self)
{
  g_autofree char *path = dup_chosen_path (chooser, response);

  if (path != NULL)
    p2ps_settings_add_folder (self->settings, path);
}

static void
add_folder_cb (P2psPreferences *self)
{
  choose_folder (self, _ ("Share a Folder"), G_CALLBACK (shared_folder_chosen_cb));
}

static void
download_folder_chosen_cb (GtkNativeDialog *chooser, int response, P2psPreferences *self)
{
  g_autofree char *path = dup_chosen_path (chooser, response);

  if (path != NULL)
    p2ps_settings_set_download_folder (self->settings, path);
}

static void
change_download_folder_cb (P2psPreferences *self)
{
  choose_folder (self, _ ("Choose the Download Folder"), G_CALLBACK (download_folder_chosen_cb));
}

static gboolean
host_is_valid (const char *host)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);

  return address != NULL && !g_inet_address_get_is_multicast (address);
}

static void
mark (AdwEntryRow *row, gboolean wrong)
{
  if (wrong)
    gtk_widget_add_css_class (GTK_WIDGET (row), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (row), "error");
}

static void
host_changed_cb (P2psPreferences *self)
{
  g_autofree char *host
      = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->host_row))));

  mark (self->host_row, !host_is_valid (host));
}

static void
tell (P2psPreferences *self, const char *text)
{
  g_autofree char *markup = g_markup_escape_text (text, -1);

  adw_preferences_window_add_toast (ADW_PREFERENCES_WINDOW (self), adw_toast_new (markup));
}

static void
host_applied_cb (P2psPreferences *self)
{
  g_autofree char *host
      = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->host_row))));

  if (host_is_valid (host))
    g_settings_set_string (self->settings, "host", host);
  else
    {
      tell (self, _ ("That is not an IPv4 or IPv6 address"));
      fill_host (self);
    }
}

static void
peer_changed_cb (P2psPreferences *self)
{
  g_autofree char *peer
      = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->peer_row))));

  mark (self->peer_row, *peer != '\0' && !p2ps_peer_address_is_valid (peer));
}

static void
peer_added_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (P2psPreferences) self = user_data;
  g_autoptr (GError) error = NULL;

  if (!p2ps_engine_add_peer_finish (P2PS_ENGINE (source), result, &error))
    tell (self, error->message);
}

static void
peer_applied_cb (P2psPreferences *self)
{
  g_autofree char *peer
      = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->peer_row))));
  gboolean running = FALSE;

  if (!p2ps_peer_address_is_valid (peer))
    {
      tell (self, _ ("A peer is an address and a port, such as 192.0.2.5:8081"));
      return;
    }
  g_object_get (self->engine, "running", &running, NULL);
  p2ps_settings_add_peer (self->settings, peer);
  if (running)
    p2ps_engine_add_peer_async (self->engine, peer, peer_added_cb, g_object_ref (self));
  gtk_editable_set_text (GTK_EDITABLE (self->peer_row), "");
}

static void
settings_changed_cb (P2psPreferences *self, const char *key)
{
  if (g_strcmp0 (key, "folders") == 0)
    fill_folders (self);
  else if (g_strcmp0 (key, "peers") == 0)
    fill_peers (self);
  else if (g_strcmp0 (key, "download-folder") == 0)
    fill_download_folder (self);
  else if (g_strcmp0 (key, "host") == 0)
    fill_host (self);
}

static void
bind_limits (P2psPreferences *self)
{
  g_settings_bind (self->settings, "limit-uploads", self->uploads_row, "enable-expansion",
                   G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "upload-limit", self->upload_spin, "value",
                   G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "limit-downloads", self->downloads_row, "enable-expansion",
                   G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "download-limit", self->download_spin, "value",
                   G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "upload-slots", self->slots_spin, "value",
                   G_SETTINGS_BIND_DEFAULT);
}

static void
p2ps_preferences_constructed (GObject *object)
{
  P2psPreferences *self = P2PS_PREFERENCES (object);

  G_OBJECT_CLASS (p2ps_preferences_parent_class)->constructed (object);
  fill_folders (self);
  fill_peers (self);
  fill_download_folder (self);
  fill_host (self);
  g_settings_bind (self->settings, "share-hidden", self->hidden_switch, "active",
                   G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "follow-links", self->links_switch, "active",
                   G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "port", self->port_spin, "value", G_SETTINGS_BIND_DEFAULT);
  bind_limits (self);
  g_signal_connect_object (self->settings, "changed", G_CALLBACK (settings_changed_cb), self,
                           G_CONNECT_SWAPPED);
}

static void
p2ps_preferences_dispose (GObject *object)
{
  P2psPreferences *self = P2PS_PREFERENCES (object);

  g_clear_object (&self->chooser);
  g_clear_object (&self->settings);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (p2ps_preferences_parent_class)->dispose (object);
}

static void
p2ps_preferences_finalize (GObject *object)
{
  P2psPreferences *self = P2PS_PREFERENCES (object);

  g_ptr_array_unref (self->folder_rows);
  g_ptr_array_unref (self->peer_rows);
  G_OBJECT_CLASS (p2ps_preferences_parent_class)->finalize (object);
}

static void
p2ps_preferences_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psPreferences *self = P2PS_PREFERENCES (object);

  switch (id)
    {
    case PROP_SETTINGS:
      self->settings = g_value_dup_object (value);
      break;
    case PROP_ENGINE:
      self->engine = g_value_dup_object (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_preferences_class_init (P2psPreferencesClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  GParamFlags flags = G_PARAM_WRITABLE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = p2ps_preferences_constructed;
  object_class->dispose = p2ps_preferences_dispose;
  object_class->finalize = p2ps_preferences_finalize;
  object_class->set_property = p2ps_preferences_set_property;

  properties[PROP_SETTINGS] = g_param_spec_object ("settings", NULL, NULL, G_TYPE_SETTINGS, flags);
  properties[PROP_ENGINE] = g_param_spec_object ("engine", NULL, NULL, P2PS_TYPE_ENGINE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/com/example/P2PShare/preferences.ui");
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, folders_group);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, no_folders);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, download_row);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, hidden_switch);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, links_switch);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, host_row);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, port_spin);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, uploads_row);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, upload_spin);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, downloads_row);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, download_spin);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, slots_spin);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, peers_group);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, no_peers);
  gtk_widget_class_bind_template_child (widget_class, P2psPreferences, peer_row);
  gtk_widget_class_bind_template_callback (widget_class, add_folder_cb);
  gtk_widget_class_bind_template_callback (widget_class, change_download_folder_cb);
  gtk_widget_class_bind_template_callback (widget_class, host_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, host_applied_cb);
  gtk_widget_class_bind_template_callback (widget_class, peer_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, peer_applied_cb);
}

static void
p2ps_preferences_init (P2psPreferences *self)
{
  self->folder_rows = g_ptr_array_new ();
  self->peer_rows = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWindow *
p2ps_preferences_new (GSettings *settings, P2psEngine *engine)
{
  return g_object_new (P2PS_TYPE_PREFERENCES, "settings", settings, "engine", engine, NULL);
}
