/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Installs the actions of the window with their keys, and decides which are enabled. Main thread
 * only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/window-actions.h"

#include <glib/gi18n.h>

#include "gui/add-peer.h"
#include "gui/preferences.h"
#include "gui/settings.h"

static void
search_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  p2ps_window_focus_search (user_data);
}

static void
page_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  p2ps_window_show_page (user_data, g_variant_get_string (parameter, NULL));
}

static void
add_peer_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  p2ps_add_peer_present (user_data);
}

/* From the table and from the settings: else it would be back at the next start. */
static void
remove_peer_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  P2psWindow *window = user_data;
  const char *address = g_variant_get_string (parameter, NULL);
  /* Translators: %s is the address of a peer */
  g_autofree char *message = g_strdup_printf (_ ("%s removed"), address);

  p2ps_settings_remove_peer (p2ps_window_get_settings (window), address);
  p2ps_engine_remove_peer (p2ps_window_get_engine (window), address);
  p2ps_window_tell (window, message);
}

static void
preferences_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  P2psWindow *window = user_data;
  GtkWindow *preferences
      = p2ps_preferences_new (p2ps_window_get_settings (window), p2ps_window_get_engine (window));

  gtk_window_set_transient_for (preferences, GTK_WINDOW (window));
  gtk_window_present (preferences);
}

static void
clear_finished_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  p2ps_downloads_clear_finished (p2ps_engine_get_downloads (p2ps_window_get_engine (user_data)));
}

static void
tell_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  p2ps_window_tell (user_data, g_variant_get_string (parameter, NULL));
}

static const GActionEntry actions[] = {
  { "search", search_cb },           { "page", page_cb, "s" },
  { "add-peer", add_peer_cb },       { "remove-peer", remove_peer_cb, "s" },
  { "preferences", preferences_cb }, { "clear-finished", clear_finished_cb },
  { "tell", tell_cb, "s" },
};

/* Without a running node there is nothing to search, no one to add and nothing to clear. */
void
p2ps_window_update_actions (P2psWindow *window)
{
  static const char *const need_node[]
      = { "search", "page", "add-peer", "remove-peer", "clear-finished" };
  gboolean running = p2ps_window_get_trouble (window) == NULL;

  for (guint i = 0; i < G_N_ELEMENTS (need_node); i++)
    g_simple_action_set_enabled (
        G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (window), need_node[i])),
        running);
}

void
p2ps_window_install_actions (P2psWindow *window)
{
  g_action_map_add_action_entries (G_ACTION_MAP (window), actions, G_N_ELEMENTS (actions), window);
  p2ps_window_update_actions (window);
}

void
p2ps_window_install_accels (GtkApplication *application)
{
  static const struct
  {
    const char *action;
    const char *keys[3];
  } accels[] = {
    { "win.search", { "<Control>f" } },
    { "win.add-peer", { "<Control>n" } },
    { "win.preferences", { "<Control>comma" } },
    { "win.page('search')", { "<Alt>1" } },
    { "win.page('peers')", { "<Alt>2" } },
    { "win.page('downloads')", { "<Alt>3" } },
    { "win.page('stats')", { "<Alt>4" } },
    { "window.close", { "<Control>w" } },
    { "app.quit", { "<Control>q" } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (accels); i++)
    gtk_application_set_accels_for_action (application, accels[i].action, accels[i].keys);
}
