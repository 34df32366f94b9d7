/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The configuration as plain data, and its file. A classic peer's file is read as it is; unknown
 * keys are warned of, everything else that is not as expected is refused with one line that names
 * file, key and value. Reads the file and looks at folders: call it before the main loop runs or in
 * a worker. */

#include "engine/config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"
#include "engine/error.h"
#include "wire/json.h"

#define MAX_FILE (1024 * 1024) /* bytes: somebody gave a wrong file */
#define MAX_SHOWN 60           /* characters of a wrong value in a message */
#define DEFAULT_PORT 8081

/* Everything that the readers below need to name what is wrong. */
typedef struct
{
  const char *path;
  char *folder; /* of the file, absolute */
  P2psConfig *config;
  GPtrArray *warnings;
  gboolean look; /* at the folders; otherwise the disk is left alone */
} Reader;

static char *
dup_default_download_folder (void)
{
  const char *folder = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);

  return folder != NULL ? g_strdup (folder)
                        : g_build_filename (g_get_home_dir (), "Downloads", NULL);
}

/**
 * p2ps_config_new:
 *
 * Returns: (transfer full): every interface, port 8081, no peers, nothing shared, no limits but
 *   the usual upload slots, and
 *   the user's folder for downloads (not made here)
 */
P2psConfig *
p2ps_config_new (void)
{
  P2psConfig *config = g_new0 (P2psConfig, 1);

  config->host = g_strdup ("0.0.0.0");
  config->port = DEFAULT_PORT;
  config->peers = g_array_new (FALSE, FALSE, sizeof (P2psAddress));
  config->folders = g_ptr_array_new_with_free_func (g_free);
  config->download_folder = dup_default_download_folder ();
  config->max_ttl = P2PS_DEFAULT_TTL;
  config->upload_bytes_per_second = P2PS_NO_LIMIT;
  config->upload_bytes_per_second_per_peer = P2PS_NO_LIMIT;
  config->download_bytes_per_second = P2PS_NO_LIMIT;
  config->upload_slots = P2PS_UPLOAD_SLOTS;
  config->uploads_per_peer = P2PS_UPLOADS_PER_PEER;
  return config;
}

P2psConfig *
p2ps_config_copy (const P2psConfig *config)
{
  P2psConfig *copy = g_memdup2 (config, sizeof *config);

  copy->host = g_strdup (config->host);
  copy->peers = g_array_copy (config->peers);
  copy->folders = g_ptr_array_copy (config->folders, (GCopyFunc)(void (*) (void))g_strdup, NULL);
  g_ptr_array_set_free_func (copy->folders, g_free);
  copy->download_folder = g_strdup (config->download_folder);
  copy->warnings = g_strdupv (config->warnings);
  return copy;
}

void
p2ps_config_free (P2psConfig *config)
{
  if (config == NULL)
    return;
  g_free (config->host);
  g_array_unref (config->peers);
  g_ptr_array_unref (config->folders);
  g_free (config->download_folder);
  g_strfreev (config->warnings);
  g_free (config);
}

static gboolean G_GNUC_PRINTF (4, 5)
    refuse (Reader *reader, GError **error, const char *key, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list args;

  va_start (args, format);
  reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG, "%s: %s: %s", reader->path, key, reason);
  return FALSE;
}

static void G_GNUC_PRINTF (3, 4) warn (Reader *reader, const char *key, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list args;

  va_start (args, format);
  reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (reader->warnings, g_strdup_printf ("%s: %s: %s", reader->path, key, reason));
}

static gboolean
refuse_value (Reader *reader, GError **error, const char *key, JsonNode *node, const char *reason)
{
  g_autofree char *text = json_to_string (node, FALSE);

  if (g_utf8_strlen (text, -1) > MAX_SHOWN)
    strcpy (g_utf8_offset_to_pointer (text, MAX_SHOWN - 1), "…");
  return refuse (reader, error, key, "%s %s", text, reason);
}

/* Members of an object, null as good as absent. `known` ends with NULL. */
static void
warn_of_unknown (Reader *reader, JsonObject *object, const char *parent, const char *const *known)
{
  g_autoptr (GList) members = json_object_get_members (object);

  for (GList *l = members; l != NULL; l = l->next)
    if (!g_strv_contains (known, l->data))
      {
        g_autofree char *key = g_strconcat (parent, l->data, NULL);
        g_autofree char *shown
            = g_utf8_substring (key, 0, MIN (g_utf8_strlen (key, -1), MAX_SHOWN));

        warn (reader, shown, "unknown key");
      }
}

static JsonNode *
get_member (JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;

  return node == NULL || JSON_NODE_HOLDS_NULL (node) ? NULL : node;
}

static const char *
get_name (const char *key)
{
  const char *dot = strrchr (key, '.');

  return dot != NULL ? dot + 1 : key;
}

/* The readers leave *value as it was when the key is absent. `key` is the whole one ("self.port"),
 * its last part is looked up in the object. */
static gboolean
read_object (Reader *reader, JsonObject *object, const char *key, JsonObject **value,
             GError **error)
{
  JsonNode *node = get_member (object, get_name (key));

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return refuse_value (reader, error, key, node, "is not an object");
  *value = json_node_get_object (node);
  return TRUE;
}

static gboolean
read_array (Reader *reader, JsonObject *object, const char *key, JsonArray **value, GError **error)
{
  JsonNode *node = get_member (object, get_name (key));

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return refuse_value (reader, error, key, node, "is not an array");
  *value = json_node_get_array (node);
  return TRUE;
}

static gboolean
read_boolean (Reader *reader, JsonObject *object, const char *key, gboolean *value, GError **error)
{
  JsonNode *node = get_member (object, get_name (key));

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return refuse_value (reader, error, key, node, "is not true or false");
  *value = json_node_get_boolean (node);
  return TRUE;
}

static gboolean
read_int (Reader *reader, JsonObject *object, const char *key, gint64 min, gint64 max,
          gint64 *value, GError **error)
{
  JsonNode *node = get_member (object, get_name (key));
  gint64 number;

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64)
    return refuse_value (reader, error, key, node, "is not a whole number");
  number = json_node_get_int (node);
  if (number < min || number > max)
    {
      g_autofree char *reason
          = max == G_MAXINT64
                ? g_strdup_printf ("is less than %" G_GINT64_FORMAT, min)
                : g_strdup_printf ("is not between %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT, min,
                                   max);

      return refuse_value (reader, error, key, node, reason);
    }
  *value = number;
  return TRUE;
}

static gboolean
check_string (Reader *reader, JsonNode *node, const char *key, const char **value, GError **error)
{
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return refuse_value (reader, error, key, node, "is not a string");
  if (json_node_get_string (node)[0] == '\0')
    return refuse (reader, error, key, "is empty");
  *value = json_node_get_string (node);
  return TRUE;
}

static gboolean
read_string (Reader *reader, JsonObject *object, const char *key, const char **value,
             GError **error)
{
  JsonNode *node = get_member (object, get_name (key));

  return node == NULL || check_string (reader, node, key, value, error);
}

/* "localhost" is the one name: what it means needs no look-up. address->host is "" for every
 * interface, *every its spelling then. */
static gboolean
read_address (Reader *reader, JsonObject *object, const char *parent, P2psAddress *address,
              const char **host, GError **error)
{
  g_autofree char *host_key = g_strconcat (parent, ".host", NULL);
  g_autofree char *port_key = g_strconcat (parent, ".port", NULL);
  gint64 port = 0;

  if (!read_string (reader, object, host_key, host, error)
      || !read_int (reader, object, port_key, 1, G_MAXUINT16, &port, error))
    return FALSE;
  if (port == 0)
    return refuse (reader, error, port_key, "missing");
  if (*host == NULL)
    return refuse (reader, error, host_key, "missing");
  if (strcmp (*host, "localhost") == 0)
    *host = "127.0.0.1";
  if (!p2ps_address_init (address, *host, port))
    return refuse_value (reader, error, host_key, get_member (object, "host"),
                         "is not an IPv4 or IPv6 address");
  return TRUE;
}

static gboolean
read_self (Reader *reader, JsonObject *root, GError **error)
{
  static const char *const known[] = { "host", "port", NULL };
  JsonObject *self = NULL;
  const char *host = NULL;
  P2psAddress address;

  if (!read_object (reader, root, "self", &self, error))
    return FALSE;
  if (self == NULL)
    return refuse (reader, error, "self", "missing");
  warn_of_unknown (reader, self, "self.", known);
  if (get_member (self, "host") == NULL)
    json_object_set_string_member (self, "host", "0.0.0.0");
  if (!read_address (reader, self, "self", &address, &host, error))
    return FALSE;
  g_free (reader->config->host);
  reader->config->host = g_strdup (host);
  reader->config->port = address.port;
  return TRUE;
}

static gboolean
has_peer (GArray *peers, const P2psAddress *address)
{
  for (guint i = 0; i < peers->len; i++)
    if (p2ps_address_equal (&g_array_index (peers, P2psAddress, i), address))
      return TRUE;
  return FALSE;
}

static gboolean
read_peers (Reader *reader, JsonObject *root, GError **error)
{
  static const char *const known[] = { "host", "port", NULL };
  JsonArray *peers = NULL;
  guint n;

  if (!read_array (reader, root, "peers", &peers, error))
    return FALSE;
  n = peers != NULL ? json_array_get_length (peers) : 0;
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *key = g_strdup_printf ("peers[%u]", i);
      g_autofree char *prefix = g_strconcat (key, ".", NULL);
      JsonObject *entry = p2ps_json_array_get_object (peers, i);
      const char *host = NULL;
      P2psAddress address;

      if (entry == NULL)
        return refuse_value (reader, error, key, json_array_get_element (peers, i),
                             "is not an object");
      warn_of_unknown (reader, entry, prefix, known);
      if (!read_address (reader, entry, key, &address, &host, error))
        return FALSE;
      if (address.host[0] == '\0')
        warn (reader, key, "\"%s\" is no peer's address: left out", host);
      else if (!has_peer (reader->config->peers, &address))
        g_array_append_val (reader->config->peers, address);
    }
  return TRUE;
}

static gboolean
add_shared_folder (Reader *reader, const char *key, const char *name, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (name, reader->folder);

  if (reader->look && !g_file_test (path, G_FILE_TEST_EXISTS))
    return refuse (reader, error, key, "the folder %s does not exist", path);
  if (reader->look && !g_file_test (path, G_FILE_TEST_IS_DIR))
    return refuse (reader, error, key, "%s is not a folder", path);
  if (reader->look && g_access (path, R_OK | X_OK) != 0)
    return refuse (reader, error, key, "the folder %s can't be read: %s", path, g_strerror (errno));
  if (!g_ptr_array_find_with_equal_func (reader->config->folders, path, g_str_equal, NULL))
    g_ptr_array_add (reader->config->folders, g_steal_pointer (&path));
  return TRUE;
}

/* Made when it is missing, but only that one folder: a path that is wrong further up is a mistake.
 */
static gboolean
set_download_folder (Reader *reader, const char *key, const char *name, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (name, reader->folder);

  if (reader->look && g_mkdir (path, 0777) != 0 && errno != EEXIST)
    return refuse (reader, error, key, "the folder %s can't be made: %s", path, g_strerror (errno));
  if (reader->look && !g_file_test (path, G_FILE_TEST_IS_DIR))
    return refuse (reader, error, key, "%s is not a folder", path);
  g_free (reader->config->download_folder);
  reader->config->download_folder = g_steal_pointer (&path);
  return TRUE;
}

static gboolean
read_shared_directories (Reader *reader, JsonObject *file, GError **error)
{
  const char *name = NULL;
  JsonArray *names = NULL;
  guint n;

  if (!read_string (reader, file, "file.shared_directory", &name, error)
      || (name != NULL && !add_shared_folder (reader, "file.shared_directory", name, error))
      || !read_array (reader, file, "file.shared_directories", &names, error))
    return FALSE;
  n = names != NULL ? json_array_get_length (names) : 0;
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *key = g_strdup_printf ("file.shared_directories[%u]", i);

      if (!check_string (reader, json_array_get_element (names, i), key, &name, error)
          || !add_shared_folder (reader, key, name, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
read_file (Reader *reader, JsonObject *root, GError **error)
{
  static const char *const known[] = { "chunk_size",
                                       "shared_directory",
                                       "shared_directories",
                                       "save_directory",
                                       "share_hidden",
                                       "follow_symlinks",
                                       NULL };
  P2psConfig *config = reader->config;
  JsonObject *file = NULL;
  const char *save = NULL;
  gint64 chunk_size; /* of classic peers; we choose our own */

  if (!read_object (reader, root, "file", &file, error))
    return FALSE;
  if (file == NULL)
    return TRUE;
  warn_of_unknown (reader, file, "file.", known);
  return read_int (reader, file, "file.chunk_size", 1, G_MAXINT64, &chunk_size, error)
         && read_shared_directories (reader, file, error)
         && read_string (reader, file, "file.save_directory", &save, error)
         && (save == NULL || set_download_folder (reader, "file.save_directory", save, error))
         && read_boolean (reader, file, "file.share_hidden", &config->share_hidden, error)
         && read_boolean (reader, file, "file.follow_symlinks", &config->follow_links, error);
}

static gboolean
read_network (Reader *reader, JsonObject *root, GError **error)
{
  static const char *const known[] = { "max_ttl", NULL };
  JsonObject *network = NULL;
  gint64 max_ttl = reader->config->max_ttl;

  if (!read_object (reader, root, "network", &network, error))
    return FALSE;
  if (network == NULL)
    return TRUE;
  warn_of_unknown (reader, network, "network.", known);
  if (!read_int (reader, network, "network.max_ttl", 1, G_MAXINT64, &max_ttl, error))
    return FALSE;
  if (max_ttl > P2PS_MAX_TTL_IN)
    {
      warn (reader, "network.max_ttl", "%" G_GINT64_FORMAT " is more than peers accept: %d is used",
            max_ttl, P2PS_MAX_TTL_IN);
      max_ttl = P2PS_MAX_TTL_IN;
    }
  reader->config->max_ttl = max_ttl;
  return TRUE;
}

static gboolean
read_limits (Reader *reader, JsonObject *root, GError **error)
{
  static const char *const known[]
      = { "upload_bytes_per_second",   "upload_bytes_per_second_per_peer",
          "download_bytes_per_second", "upload_slots",
          "uploads_per_peer",          NULL };
  guint64 *fields[] = { &reader->config->upload_bytes_per_second,
                        &reader->config->upload_bytes_per_second_per_peer,
                        &reader->config->download_bytes_per_second, &reader->config->upload_slots,
                        &reader->config->uploads_per_peer };
  JsonObject *limits = NULL;

  if (!read_object (reader, root, "limits", &limits, error))
    return FALSE;
  if (limits == NULL)
    return TRUE;
  warn_of_unknown (reader, limits, "limits.", known);
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      g_autofree char *key = g_strconcat ("limits.", known[i], NULL);
      gint64 value = -1;

      if (!read_int (reader, limits, key, 0, G_MAXINT64, &value, error))
        return FALSE;
      if (value >= 0)
        *fields[i] = value;
    }
  return TRUE;
}

static P2psConfig *
load (const char *path, const char *data, gsize length, gboolean look, GError **error)
{
  static const char *const known[] = { "self", "peers", "file", "network", "limits", NULL };
  g_autoptr (P2psConfig) config = p2ps_config_new ();
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) local = NULL;
  g_autoptr (JsonNode) root = p2ps_json_parse (data, length, &local);
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autofree char *folder = g_path_get_dirname (absolute);
  Reader reader = { path, folder, config, warnings, look };
  JsonObject *object;

  if (root == NULL)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG, "%s: %s", path, local->message);
      return NULL;
    }
  if (!JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG, "%s: line 1: not a JSON object", path);
      return NULL;
    }
  object = json_node_get_object (root);
  warn_of_unknown (&reader, object, "", known);
  if (!read_self (&reader, object, error) || !read_peers (&reader, object, error)
      || !read_network (&reader, object, error) || !read_limits (&reader, object, error)
      || !read_file (&reader, object, error))
    return NULL;
  if (warnings->len > 0)
    {
      g_ptr_array_add (warnings, NULL);
      config->warnings = g_strdupv ((GStrv)warnings->pdata);
    }
  return g_steal_pointer (&config);
}

/**
 * p2ps_config_load_data:
 * @path: names the file in messages, and folders are relative to where it is
 * @data: its contents
 *
 * As p2ps_config_load(), but the disk is left alone: folders are neither looked for nor made.
 *
 * Returns: (transfer full): or NULL with P2PS_ERROR_CONFIG
 */
P2psConfig *
p2ps_config_load_data (const char *path, const char *data, gsize length, GError **error)
{
  return load (path, data, length, FALSE, error);
}

/**
 * p2ps_config_load:
 * @path: in file system encoding
 *
 * Returns: (transfer full): or NULL with P2PS_ERROR_CONFIG and one line for people. What is odd but
 *   harmless is in `warnings`.
 */
P2psConfig *
p2ps_config_load (const char *path, GError **error)
{
  g_autofree char *data = NULL;
  g_autoptr (GError) local = NULL;
  GStatBuf info;
  gsize length;

  if (g_stat (path, &info) == 0 && info.st_size > MAX_FILE)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG, "%s: longer than 1 MiB", path);
      return NULL;
    }
  if (!g_file_get_contents (path, &data, &length, &local))
    {
      g_set_error_literal (error, P2PS_ERROR, P2PS_ERROR_CONFIG, local->message);
      return NULL;
    }
  return load (path, data, length, TRUE, error);
}
