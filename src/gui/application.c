/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GtkApplication. It owns the engine, its control socket and the settings, starts the node,
 * tells it when settings change, and ends only when the node has ended (at most 5 s). It holds
 * itself while the node runs: closing the window ends the program unless it was started with
 * --background. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/application.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <locale.h>

#include "config-build.h"
#include "gui/about.h"
#include "gui/settings.h"
#include "gui/window-actions.h"
#include "gui/window.h"

/* Several settings that change together are one change. */
#define APPLY_DELAY_MS 150
#define QUIT_SECONDS 5

struct _P2psApplication
{
  AdwApplication parent_instance;

  char *state_dir;
  P2psConfig *base; /* of --config, or NULL */
  gboolean background;

  P2psEngine *engine;
  P2psControl *control;
  GSettings *settings;
  char *trouble; /* why the node does not run */
  guint apply_source;
  guint quit_source;
  guint signal_sources[2];
  gboolean quitting;
};

G_DEFINE_FINAL_TYPE (P2psApplication, p2ps_application, ADW_TYPE_APPLICATION)

static P2psWindow *
get_window (P2psApplication *self)
{
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (self)); l != NULL; l = l->next)
    if (P2PS_IS_WINDOW (l->data))
      return l->data;
  return NULL;
}

static void
set_trouble (P2psApplication *self, const char *trouble)
{
  P2psWindow *window = get_window (self);

  if (self->trouble != trouble)
    {
      g_free (self->trouble);
      self->trouble = g_strdup (trouble);
    }
  if (window != NULL)
    p2ps_window_set_trouble (window, trouble);
}

/* In the window that the person looks at. */
static void
tell (P2psApplication *self, const char *text)
{
  GtkWindow *active = gtk_application_get_active_window (GTK_APPLICATION (self));
  P2psWindow *window = get_window (self);

  if (ADW_IS_PREFERENCES_WINDOW (active))
    {
      g_autofree char *markup = g_markup_escape_text (text, -1);

      adw_preferences_window_add_toast (ADW_PREFERENCES_WINDOW (active), adw_toast_new (markup));
    }
  else if (window != NULL)
    p2ps_window_tell (window, text);
}

/* What is wrong, and what a person can do about it. */
static char *
explain (const GError *error, const P2psConfig *config)
{
  if (g_error_matches (error, P2PS_ERROR, P2PS_ERROR_PORT_TAKEN))
    return g_strdup_printf (_ ("Another program uses port %u. Choose another port in the "
                               "preferences, or end that program and try again."),
                            config->port);
  return g_strdup_printf (_ ("%s\nChange it in the preferences, or put it right and try again."),
                          error->message);
}

static void
start_control (P2psApplication *self)
{
  g_autoptr (GError) error = NULL;

  self->control = p2ps_control_new (self->engine);
  if (!p2ps_control_start (self->control, &error))
    {
      g_message ("the command line can't reach this node: %s", error->message);
      tell (self, error->message);
      g_clear_object (&self->control);
    }
}

/* The configuration holds addresses only: peers that are known by name are looked up now. */
static void
add_named_peers (P2psApplication *self)
{
  g_auto (GStrv) peers = g_settings_get_strv (self->settings, "peers");
  P2psAddress address;

  for (guint i = 0; peers[i] != NULL; i++)
    if (!p2ps_address_parse (&address, peers[i]))
      p2ps_engine_add_peer_async (self->engine, peers[i], NULL, NULL);
}

static void
start_node (P2psApplication *self)
{
  g_autoptr (P2psConfig) config = p2ps_settings_to_config (self->settings, self->base);
  g_autoptr (GError) error = NULL;
  g_autofree char *trouble = NULL;

  if (p2ps_engine_start (self->engine, config, &error))
    {
      set_trouble (self, NULL);
      add_named_peers (self);
      if (self->control == NULL)
        start_control (self);
      return;
    }
  trouble = explain (error, config);
  g_message ("%s", error->message);
  set_trouble (self, trouble);
}

static gboolean
apply_cb (gpointer user_data)
{
  P2psApplication *self = user_data;
  g_autoptr (P2psConfig) config = p2ps_settings_to_config (self->settings, self->base);
  g_autoptr (GError) error = NULL;

  self->apply_source = 0;
  if (self->trouble != NULL)
    start_node (self);
  else if (!p2ps_engine_apply (self->engine, config, &error))
    tell (self, error->message);
  return G_SOURCE_REMOVE;
}

static void
settings_changed_cb (P2psApplication *self, const char *key)
{
  if (self->quitting || g_str_has_prefix (key, "window-") || g_str_equal (key, "page"))
    return;
  g_clear_handle_id (&self->apply_source, g_source_remove);
  self->apply_source = g_timeout_add (APPLY_DELAY_MS, apply_cb, self);
}

static void
end (P2psApplication *self)
{
  if (self->quit_source == 0)
    return;
  g_clear_handle_id (&self->quit_source, g_source_remove);
  g_application_release (G_APPLICATION (self));
}

static gboolean
took_too_long_cb (gpointer user_data)
{
  P2psApplication *self = user_data;

  g_message ("the node did not end within %d s", QUIT_SECONDS);
  self->quit_source = 0;
  g_application_release (G_APPLICATION (self));
  return G_SOURCE_REMOVE;
}

static void
stopped_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (P2psApplication) self = user_data;
  g_autoptr (GError) error = NULL;

  if (!p2ps_engine_stop_finish (P2PS_ENGINE (source), result, &error))
    g_message ("%s", error->message);
  end (self);
}

/* The windows go at once, the process when the node has ended. */
static void
quit (P2psApplication *self)
{
  g_autolist (GtkWindow) windows = NULL;

  if (self->quitting)
    return;
  self->quitting = TRUE;
  g_clear_handle_id (&self->apply_source, g_source_remove);
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (self)); l != NULL; l = l->next)
    windows = g_list_prepend (windows, g_object_ref (l->data));
  for (GList *l = windows; l != NULL; l = l->next)
    if (P2PS_IS_WINDOW (l->data))
      gtk_window_close (l->data); /* it remembers its size */
    else
      gtk_window_destroy (l->data);
  if (self->control != NULL)
    p2ps_control_stop (self->control);
  self->quit_source = g_timeout_add_seconds (QUIT_SECONDS, took_too_long_cb, self);
  p2ps_engine_stop_async (self->engine, stopped_cb, g_object_ref (self));
}

static gboolean
signal_cb (gpointer user_data)
{
  quit (user_data);
  return G_SOURCE_CONTINUE;
}

static void
quit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  quit (user_data);
}

static void
retry_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  P2psApplication *self = user_data;

  if (self->trouble != NULL)
    start_node (self);
}

static void
about_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  p2ps_about_present (gtk_application_get_active_window (GTK_APPLICATION (user_data)));
}

static void
p2ps_application_window_removed (GtkApplication *application, GtkWindow *window)
{
  P2psApplication *self = P2PS_APPLICATION (application);

  GTK_APPLICATION_CLASS (p2ps_application_parent_class)->window_removed (application, window);
  if (P2PS_IS_WINDOW (window) && get_window (self) == NULL && !self->background)
    quit (self);
}

static void
p2ps_application_startup (GApplication *application)
{
  static const GActionEntry actions[]
      = { { "quit", quit_cb }, { "retry", retry_cb }, { "about", about_cb } };
  P2psApplication *self = P2PS_APPLICATION (application);

  G_APPLICATION_CLASS (p2ps_application_parent_class)->startup (application);
  g_action_map_add_action_entries (G_ACTION_MAP (self), actions, G_N_ELEMENTS (actions), self);
  p2ps_window_install_accels (GTK_APPLICATION (self));
  gtk_window_set_default_icon_name (P2PS_APP_ID);
  self->signal_sources[0] = g_unix_signal_add (SIGINT, signal_cb, self);
  self->signal_sources[1] = g_unix_signal_add (SIGTERM, signal_cb, self);

  self->engine = p2ps_engine_new (self->state_dir);
  g_signal_connect_object (self->settings, "changed", G_CALLBACK (settings_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_application_hold (application);
  start_node (self);
}

static P2psWindow *
present_window (P2psApplication *self)
{
  P2psWindow *window = get_window (self);

  if (self->quitting)
    return NULL;
  if (window == NULL)
    {
      window = p2ps_window_new (GTK_APPLICATION (self), self->engine, self->settings);
      p2ps_window_set_trouble (window, self->trouble);
      if (self->trouble == NULL)
        p2ps_window_focus_first (window);
    }
  gtk_window_present (GTK_WINDOW (window));
  return window;
}

/* The first activation of a start with --background shows nothing. */
static void
p2ps_application_activate (GApplication *application)
{
  P2psApplication *self = P2PS_APPLICATION (application);
  static const char *const started = "p2ps-started";

  if (self->background && g_object_get_data (G_OBJECT (self), started) == NULL)
    {
      g_object_set_data (G_OBJECT (self), started, (gpointer)started);
      return;
    }
  present_window (self);
}

/* Links: each becomes a download, and the peers that one names are a way into the network. */
static void
p2ps_application_open (GApplication *application, GFile **files, int n_files, const char *hint)
{
  P2psApplication *self = P2PS_APPLICATION (application);
  P2psWindow *window = present_window (self);

  for (int i = 0; window != NULL && self->trouble == NULL && i < n_files; i++)
    {
      g_autofree char *text = g_file_get_uri (files[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (P2psLink) link = p2ps_link_parse (text, &error);
      g_autoptr (GPtrArray) hits = link == NULL ? NULL : p2ps_link_list_hits (link);

      if (link == NULL
          || p2ps_engine_download (self->engine, link->filehash, link->filename, link->size, hits,
                                   NULL, &error)
                 == NULL)
        p2ps_window_tell (window, error->message);
      else
        {
          for (guint k = 0; k < link->sources->len; k++)
            p2ps_engine_add_peer_async (self->engine, g_ptr_array_index (link->sources, k), NULL,
                                        NULL);
          p2ps_window_show_page (window, "downloads");
        }
    }
}

/* What the command line says, before the instance is registered. -1 = go on. */
static int
p2ps_application_handle_local_options (GApplication *application, GVariantDict *options)
{
  P2psApplication *self = P2PS_APPLICATION (application);
  g_autoptr (GError) error = NULL;
  const char *config = NULL;
  const char *state_dir = NULL;

  if (g_variant_dict_contains (options, "version"))
    {
      g_print ("p2pshare %s\n", P2PS_VERSION);
      return 0;
    }
  self->background = g_variant_dict_contains (options, "background");
  if (g_variant_dict_lookup (options, "state-dir", "^&ay", &state_dir))
    {
      self->state_dir = g_canonicalize_filename (state_dir, NULL);
      g_application_set_flags (application,
                               g_application_get_flags (application) | G_APPLICATION_NON_UNIQUE);
    }
  else
    self->state_dir = p2ps_state_dir_default ();
  if (g_variant_dict_lookup (options, "config", "^&ay", &config))
    self->base = p2ps_config_load (config, &error);
  if (error == NULL)
    self->settings = p2ps_settings_new (self->base, &error);
  if (error == NULL)
    g_application_register (application, NULL, &error);
  if (error != NULL)
    {
      g_printerr ("p2pshare: %s\n", error->message);
      return 1;
    }
  if (!g_application_get_is_remote (application))
    return -1;
  if (self->base != NULL)
    {
      g_printerr (_ ("p2pshare: it already runs; end it first, or give this run its own "
                     "--state-dir\n"));
      return 1;
    }
  return self->background ? 0 : -1;
}

static void
p2ps_application_finalize (GObject *object)
{
  P2psApplication *self = P2PS_APPLICATION (object);

  for (guint i = 0; i < G_N_ELEMENTS (self->signal_sources); i++)
    g_clear_handle_id (&self->signal_sources[i], g_source_remove);
  g_clear_handle_id (&self->apply_source, g_source_remove);
  g_clear_object (&self->control);
  g_clear_object (&self->engine);
  g_clear_object (&self->settings);
  g_clear_pointer (&self->base, p2ps_config_free);
  g_free (self->state_dir);
  g_free (self->trouble);
  G_OBJECT_CLASS (p2ps_application_parent_class)->finalize (object);
}

static void
p2ps_application_class_init (P2psApplicationClass *class)
{
  GApplicationClass *application_class = G_APPLICATION_CLASS (class);

  G_OBJECT_CLASS (class)->finalize = p2ps_application_finalize;
  application_class->handle_local_options = p2ps_application_handle_local_options;
  application_class->startup = p2ps_application_startup;
  application_class->activate = p2ps_application_activate;
  application_class->open = p2ps_application_open;
  GTK_APPLICATION_CLASS (class)->window_removed = p2ps_application_window_removed;
}

static void
p2ps_application_init (P2psApplication *self)
{
  static const GOptionEntry options[]
      = { { "background", 'b', 0, G_OPTION_ARG_NONE, NULL, N_ ("Share without showing a window"),
            NULL },
          { "config", 'c', 0, G_OPTION_ARG_FILENAME, NULL,
            N_ ("Take the settings of this run from a configuration file"), N_ ("FILE") },
          { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, NULL,
            N_ ("A node of its own, with its data in this folder"), N_ ("DIR") },
          { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_ ("Show the version and exit"), NULL },
          { NULL } };

  g_application_add_main_option_entries (G_APPLICATION (self), options);
  g_application_set_option_context_parameter_string (G_APPLICATION (self), N_ ("[LINK…]"));
  g_application_set_option_context_summary (G_APPLICATION (self),
                                            N_ ("Find and share files without a server."));
}

P2psApplication *
p2ps_application_new (void)
{
  return g_object_new (P2PS_TYPE_APPLICATION, "application-id", P2PS_APP_ID, "flags",
                       G_APPLICATION_HANDLES_OPEN, "resource-base-path", "/com/example/P2PShare",
                       NULL);
}
