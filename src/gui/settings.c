/* SPDX-License-Identifier: GPL-3.0-or-later */

/* GSettings on one side, P2psConfig on the other. A run with a configuration file has settings of
 * its own: they begin as what the file says, live in memory and end with the run, so that the
 * preferences work as always and nothing of the person's own settings is touched. Main thread only.
 */

#define G_LOG_DOMAIN "p2ps-gui"
#define G_SETTINGS_ENABLE_BACKEND

#include "gui/settings.h"

#include <gio/gsettingsbackend.h>
#include <glib/gi18n.h>
#include <string.h>

#include "config-build.h"

#define KILOBYTE 1000
#define MAX_LIMIT 10000000 /* as in the schema, in kilobytes per second */
#define MAX_SLOTS 1000

/* Settings are in kilobytes per second: less than one is rounded up, 0 stays 0. */
static void
fill_limit (GSettings *settings, const char *use, const char *key, guint64 bytes)
{
  g_settings_set_boolean (settings, use, bytes != P2PS_NO_LIMIT);
  if (bytes != P2PS_NO_LIMIT)
    g_settings_set_int (settings, key,
                        (int)MIN (bytes / KILOBYTE + (bytes % KILOBYTE > 0), MAX_LIMIT));
}

static guint64
get_limit (GSettings *settings, const char *use, const char *key)
{
  if (!g_settings_get_boolean (settings, use))
    return P2PS_NO_LIMIT;
  return (guint64)g_settings_get_int (settings, key) * KILOBYTE;
}

static void
fill_limits (GSettings *settings, const P2psConfig *base)
{
  fill_limit (settings, "limit-uploads", "upload-limit", base->upload_bytes_per_second);
  fill_limit (settings, "limit-downloads", "download-limit", base->download_bytes_per_second);
  g_settings_set_int (settings, "upload-slots", (int)MIN (base->upload_slots, MAX_SLOTS));
  g_settings_set_int (settings, "uploads-per-peer", (int)MIN (base->uploads_per_peer, MAX_SLOTS));
}

static void
read_limits (GSettings *settings, const P2psConfig *base, P2psConfig *config)
{
  config->upload_bytes_per_second = get_limit (settings, "limit-uploads", "upload-limit");
  config->download_bytes_per_second = get_limit (settings, "limit-downloads", "download-limit");
  if (base != NULL)
    config->upload_bytes_per_second_per_peer = base->upload_bytes_per_second_per_peer;
  config->upload_slots = (guint64)g_settings_get_int (settings, "upload-slots");
  config->uploads_per_peer = (guint64)g_settings_get_int (settings, "uploads-per-peer");
}

static void
fill (GSettings *settings, const P2psConfig *base)
{
  g_autoptr (GStrvBuilder) peers = g_strv_builder_new ();
  g_autoptr (GPtrArray) folders = g_ptr_array_new ();
  g_auto (GStrv) addresses = NULL;

  for (guint i = 0; i < base->peers->len; i++)
    {
      g_autofree char *address
          = p2ps_address_to_string (&g_array_index (base->peers, P2psAddress, i));

      g_strv_builder_add (peers, address);
    }
  addresses = g_strv_builder_end (peers);
  for (guint i = 0; i < base->folders->len; i++)
    g_ptr_array_add (folders, g_ptr_array_index (base->folders, i));

  g_settings_set_string (settings, "host", base->host);
  if (base->port >= P2PS_MIN_PORT)
    g_settings_set_int (settings, "port", base->port);
  g_settings_set_strv (settings, "peers", (const char *const *)addresses);
  g_settings_set_value (
      settings, "folders",
      g_variant_new_bytestring_array ((const char *const *)folders->pdata, folders->len));
  if (base->download_folder != NULL)
    p2ps_settings_set_download_folder (settings, base->download_folder);
  g_settings_set_boolean (settings, "share-hidden", base->share_hidden);
  g_settings_set_boolean (settings, "follow-links", base->follow_links);
  if (base->max_ttl > 0)
    g_settings_set_int (settings, "max-ttl", (int)MIN (base->max_ttl, P2PS_MAX_TTL_IN));
  fill_limits (settings, base);
}

/* base: of the configuration file, or NULL for the person's own settings. Fails when the program's
 * schema is not installed. */
GSettings *
p2ps_settings_new (const P2psConfig *base, GError **error)
{
  GSettingsSchemaSource *source = g_settings_schema_source_get_default ();
  g_autoptr (GSettingsSchema) schema
      = source == NULL ? NULL : g_settings_schema_source_lookup (source, P2PS_APP_ID, TRUE);
  g_autoptr (GSettingsBackend) backend = NULL;
  GSettings *settings;

  if (schema == NULL)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                   _ ("the settings schema %s is not installed; from a build folder, set "
                      "GSETTINGS_SCHEMA_DIR to its data folder"),
                   P2PS_APP_ID);
      return NULL;
    }
  if (base != NULL)
    backend = g_memory_settings_backend_new ();
  settings = g_settings_new_full (schema, backend, NULL);
  if (base != NULL)
    fill (settings, base);
  return settings;
}

/* -> the caller owns it. Peers that don't parse are left out. base as in p2ps_settings_new(): a
 * port below those that the settings allow holds until another one is set. */
P2psConfig *
p2ps_settings_to_config (GSettings *settings, const P2psConfig *base)
{
  P2psConfig *config = p2ps_config_new ();
  g_autoptr (GVariant) port = g_settings_get_user_value (settings, "port");
  g_auto (GStrv) peers = g_settings_get_strv (settings, "peers");
  g_auto (GStrv) folders = p2ps_settings_dup_folders (settings);

  g_free (config->host);
  config->host = g_settings_get_string (settings, "host");
  config->port = (guint16)(base != NULL && port == NULL ? base->port
                                                        : g_settings_get_int (settings, "port"));
  g_array_set_size (config->peers, 0);
  for (guint i = 0; peers[i] != NULL; i++)
    {
      P2psAddress address;

      if (p2ps_address_parse (&address, peers[i]))
        g_array_append_val (config->peers, address);
    }
  g_ptr_array_set_size (config->folders, 0);
  for (guint i = 0; folders[i] != NULL; i++)
    g_ptr_array_add (config->folders, g_strdup (folders[i]));
  g_free (config->download_folder);
  config->download_folder = p2ps_settings_dup_download_folder (settings);
  config->share_hidden = g_settings_get_boolean (settings, "share-hidden");
  config->follow_links = g_settings_get_boolean (settings, "follow-links");
  config->max_ttl = (guint)g_settings_get_int (settings, "max-ttl");
  read_limits (settings, base, config);
  return config;
}

char **
p2ps_settings_dup_folders (GSettings *settings)
{
  g_autoptr (GVariant) value = g_settings_get_value (settings, "folders");

  return g_variant_dup_bytestring_array (value, NULL);
}

void
p2ps_settings_add_folder (GSettings *settings, const char *path)
{
  g_auto (GStrv) old = p2ps_settings_dup_folders (settings);
  g_autoptr (GPtrArray) all = g_ptr_array_new ();

  for (guint i = 0; old[i] != NULL; i++)
    {
      if (strcmp (old[i], path) == 0)
        return;
      g_ptr_array_add (all, old[i]);
    }
  g_ptr_array_add (all, (char *)path);
  g_settings_set_value (settings, "folders",
                        g_variant_new_bytestring_array ((const char *const *)all->pdata, all->len));
}

void
p2ps_settings_remove_folder (GSettings *settings, const char *path)
{
  g_auto (GStrv) old = p2ps_settings_dup_folders (settings);
  g_autoptr (GPtrArray) all = g_ptr_array_new ();

  for (guint i = 0; old[i] != NULL; i++)
    if (strcmp (old[i], path) != 0)
      g_ptr_array_add (all, old[i]);
  g_settings_set_value (settings, "folders",
                        g_variant_new_bytestring_array ((const char *const *)all->pdata, all->len));
}

/* -> absolute path in file system encoding; the caller owns it. */
char *
p2ps_settings_dup_download_folder (GSettings *settings)
{
  g_autoptr (GVariant) value = g_settings_get_value (settings, "download-folder");
  const char *path = g_variant_get_bytestring (value);
  const char *downloads = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);

  if (*path != '\0')
    return g_strdup (path);
  if (downloads != NULL)
    return g_strdup (downloads);
  return g_build_filename (g_get_home_dir (), "Downloads", NULL);
}

void
p2ps_settings_set_download_folder (GSettings *settings, const char *path)
{
  g_settings_set_value (settings, "download-folder", g_variant_new_bytestring (path));
}

void
p2ps_settings_add_peer (GSettings *settings, const char *address)
{
  g_auto (GStrv) peers = g_settings_get_strv (settings, "peers");
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) all = NULL;

  if (g_strv_contains ((const char *const *)peers, address))
    return;
  g_strv_builder_addv (builder, (const char **)peers);
  g_strv_builder_add (builder, address);
  all = g_strv_builder_end (builder);
  g_settings_set_strv (settings, "peers", (const char *const *)all);
}

void
p2ps_settings_remove_peer (GSettings *settings, const char *address)
{
  g_auto (GStrv) peers = g_settings_get_strv (settings, "peers");
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) all = NULL;

  for (guint i = 0; peers[i] != NULL; i++)
    if (strcmp (peers[i], address) != 0)
      g_strv_builder_add (builder, peers[i]);
  all = g_strv_builder_end (builder);
  g_settings_set_strv (settings, "peers", (const char *const *)all);
}
