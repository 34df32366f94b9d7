/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The façade: owns the parts and hands calls on to them; what the parts tell each other is in
 * engine-wiring.c, how they start and end in engine-run.c. On the main context that it was made on.
 */

#define G_LOG_DOMAIN "p2ps-engine"

#include "engine/engine-private.h"

#include "config-build.h"

#include <glib/gi18n-lib.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/peer-address.h"

G_DEFINE_FINAL_TYPE (P2psEngine, p2ps_engine, G_TYPE_OBJECT)

static GParamSpec *props[P2PS_ENGINE_N_PROPS];

static void
p2ps_engine_dispose (GObject *object)
{
  P2psEngine *engine = P2PS_ENGINE (object);

  p2ps_engine_end (engine);
  p2ps_stats_disconnect (engine->stats);
  G_OBJECT_CLASS (p2ps_engine_parent_class)->dispose (object);
}

static void
p2ps_engine_finalize (GObject *object)
{
  P2psEngine *engine = P2PS_ENGINE (object);

  if (engine->lock_fd >= 0)
    close (engine->lock_fd);
  g_clear_object (&engine->searches);
  g_clear_object (&engine->peers);
  g_clear_object (&engine->downloads);
  g_clear_object (&engine->library);
  g_clear_object (&engine->client);
  g_clear_object (&engine->queries);
  g_clear_object (&engine->stats);
  g_clear_object (&engine->store);
  g_clear_pointer (&engine->config, p2ps_config_free);
  g_clear_pointer (&engine->retired.refused, g_hash_table_unref);
  g_free (engine->state_dir);
  g_free (engine->id);
  g_free (engine->notice);
  G_OBJECT_CLASS (p2ps_engine_parent_class)->finalize (object);
}

static void
p2ps_engine_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psEngine *engine = P2PS_ENGINE (object);

  switch ((P2psEngineProp)id)
    {
    case P2PS_ENGINE_PROP_PEERS:
      g_value_set_object (value, p2ps_engine_get_peers (engine));
      break;
    case P2PS_ENGINE_PROP_SEARCHES:
      g_value_set_object (value, p2ps_engine_get_searches (engine));
      break;
    case P2PS_ENGINE_PROP_DOWNLOADS:
      g_value_set_object (value, engine->downloads);
      break;
    case P2PS_ENGINE_PROP_QUERIES:
      g_value_set_object (value, engine->queries);
      break;
    case P2PS_ENGINE_PROP_STATS:
      g_value_set_object (value, engine->stats);
      break;
    case P2PS_ENGINE_PROP_LIBRARY:
      g_value_set_object (value, engine->library);
      break;
    case P2PS_ENGINE_PROP_HOST:
      g_value_set_string (value, p2ps_engine_get_host (engine));
      break;
    case P2PS_ENGINE_PROP_PORT:
      g_value_set_uint (value, p2ps_engine_get_port (engine));
      break;
    case P2PS_ENGINE_PROP_ID:
      g_value_set_string (value, engine->id);
      break;
    case P2PS_ENGINE_PROP_RUNNING:
      g_value_set_boolean (value, engine->running);
      break;
    case P2PS_ENGINE_PROP_PEERS_ACTIVE:
      g_value_set_uint (value, p2ps_engine_get_peers_active (engine));
      break;
    case P2PS_ENGINE_PROP_PEERS_KNOWN:
      g_value_set_uint (value, p2ps_engine_get_peers_known (engine));
      break;
    case P2PS_ENGINE_PROP_NOTICE:
      g_value_set_string (value, engine->notice);
      break;
    case P2PS_ENGINE_N_PROPS:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static GParamSpec *
model_spec (const char *name, GType type)
{
  return g_param_spec_object (name, NULL, NULL, type, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static GParamSpec *
text_spec (const char *name)
{
  return g_param_spec_string (name, NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static GParamSpec *
count_spec (const char *name)
{
  return g_param_spec_uint (name, NULL, NULL, 0, G_MAXUINT, 0,
                            G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static void
p2ps_engine_class_init (P2psEngineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = p2ps_engine_dispose;
  object_class->finalize = p2ps_engine_finalize;
  object_class->get_property = p2ps_engine_get_property;
  props[P2PS_ENGINE_PROP_PEERS] = model_spec ("peers", G_TYPE_LIST_MODEL);
  props[P2PS_ENGINE_PROP_SEARCHES] = model_spec ("searches", G_TYPE_LIST_MODEL);
  props[P2PS_ENGINE_PROP_DOWNLOADS] = model_spec ("downloads", G_TYPE_LIST_MODEL);
  props[P2PS_ENGINE_PROP_QUERIES] = model_spec ("queries", G_TYPE_LIST_MODEL);
  props[P2PS_ENGINE_PROP_STATS] = model_spec ("stats", P2PS_TYPE_STATS);
  props[P2PS_ENGINE_PROP_LIBRARY] = model_spec ("library", P2PS_TYPE_LIBRARY);
  props[P2PS_ENGINE_PROP_HOST] = text_spec ("host");
  props[P2PS_ENGINE_PROP_PORT] = count_spec ("port");
  props[P2PS_ENGINE_PROP_ID] = text_spec ("id");
  props[P2PS_ENGINE_PROP_RUNNING] = g_param_spec_boolean (
      "running", NULL, NULL, FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  props[P2PS_ENGINE_PROP_PEERS_ACTIVE] = count_spec ("peers-active");
  props[P2PS_ENGINE_PROP_PEERS_KNOWN] = count_spec ("peers-known");
  props[P2PS_ENGINE_PROP_NOTICE] = text_spec ("notice");
  g_object_class_install_properties (object_class, P2PS_ENGINE_N_PROPS, props);
}

static void
p2ps_engine_init (P2psEngine *engine)
{
  engine->lock_fd = -1;
  engine->retired.refused = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

/* For the engine's other files. */
void
p2ps_engine_tell (P2psEngine *engine, P2psEngineProp prop)
{
  g_object_notify_by_pspec (G_OBJECT (engine), props[prop]);
}

/* An engine that keeps its state in `state_dir`, which p2ps_engine_start() makes. All models are
 * there from now on, empty. An engine starts once; caller owns it. */
P2psEngine *
p2ps_engine_new (const char *state_dir)
{
  P2psEngine *engine = g_object_new (P2PS_TYPE_ENGINE, NULL);
  g_autofree char *database = g_build_filename (state_dir, "p2pshare.db", NULL);

  engine->state_dir = g_strdup (state_dir);
  engine->store = p2ps_store_new (database);
  engine->library = p2ps_library_new (engine->store);
  engine->downloads = p2ps_downloads_new (engine->store);
  engine->client = p2ps_http_client_new ();
  engine->searches = p2ps_own_searches_new (engine->library);
  engine->peers = p2ps_peers_new (engine->store);
  engine->queries = p2ps_query_log_new ();
  engine->stats = p2ps_stats_new (p2ps_engine_collect_stats, engine);
  p2ps_engine_wire_parts (engine);
  return engine;
}

/* Borrowed until the next change; NULL before the start. */
const P2psConfig *
p2ps_engine_get_config (P2psEngine *engine)
{
  return engine->config;
}

/* What it listens on, as the configuration says; NULL before the start. */
const char *
p2ps_engine_get_host (P2psEngine *engine)
{
  return engine->config ? engine->config->host : NULL;
}

/* What it really listens on; 0 unless it runs. */
guint16
p2ps_engine_get_port (P2psEngine *engine)
{
  return engine->server ? p2ps_http_server_get_port (engine->server) : 0;
}

/* A UUID that stays the same across restarts; NULL before the first start. */
const char *
p2ps_engine_get_id (P2psEngine *engine)
{
  return engine->id;
}

const char *
p2ps_engine_get_state_dir (P2psEngine *engine)
{
  return engine->state_dir;
}

gint64
p2ps_engine_get_uptime_seconds (P2psEngine *engine)
{
  return engine->running ? (g_get_monotonic_time () - engine->started) / G_USEC_PER_SEC : 0;
}

guint
p2ps_engine_get_peers_active (P2psEngine *engine)
{
  return p2ps_peers_count_active (engine->peers);
}

guint
p2ps_engine_get_peers_known (P2psEngine *engine)
{
  return p2ps_peers_count_known (engine->peers);
}

GListModel *
p2ps_engine_get_peers (P2psEngine *engine)
{
  return p2ps_peers_get_model (engine->peers);
}

GListModel *
p2ps_engine_get_searches (P2psEngine *engine)
{
  return p2ps_own_searches_get_model (engine->searches);
}

P2psDownloads *
p2ps_engine_get_downloads (P2psEngine *engine)
{
  return engine->downloads;
}

P2psQueryLog *
p2ps_engine_get_queries (P2psEngine *engine)
{
  return engine->queries;
}

P2psStats *
p2ps_engine_get_stats (P2psEngine *engine)
{
  return engine->stats;
}

P2psLibrary *
p2ps_engine_get_library (P2psEngine *engine)
{
  return engine->library;
}

/* Words are searched as a keyword search of names, 64 hex digits as a hash. Borrowed from the list
 * of searches; NULL with an error that says what to type instead. */
P2psSearch *
p2ps_engine_search (P2psEngine *engine, const char *text, GError **error)
{
  return p2ps_own_searches_start (engine->searches, text, error);
}

/* As a classic peer's /init_query: exact name and/or hash, either may be NULL. Borrowed. */
P2psSearch *
p2ps_engine_search_exact (P2psEngine *engine, const char *filename, const char *filehash,
                          GError **error)
{
  return p2ps_own_searches_start_exact (engine->searches, filename, filehash, error);
}

/* Stops it and takes it off the list. */
void
p2ps_engine_remove_search (P2psEngine *engine, P2psSearch *search)
{
  p2ps_own_searches_remove (engine->searches, search);
}

/* From a result's hits (of P2psHit, copied), or by hash alone (hits NULL: the network is asked).
 * filename NULL: not known. folder NULL: the download folder. Borrowed from the list of downloads.
 */
P2psDownload *
p2ps_engine_download (P2psEngine *engine, const char *filehash, const char *filename, gint64 size,
                      GPtrArray *hits, const char *folder, GError **error)
{
  char hash[P2PS_HASH_SIZE];

  if (!engine->running)
    {
      g_set_error_literal (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                           _ ("The node is not running: start it first."));
      return NULL;
    }
  if (!filehash || !p2ps_hash_normalize (hash, filehash))
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                   _ ("\"%s\" is no SHA-256: 64 hex digits are."), filehash ? filehash : "");
      return NULL;
    }
  if (!folder)
    folder = engine->config->download_folder;
  return p2ps_downloads_add (engine->downloads, hash, filename, size, folder, hits);
}

static void
peer_found_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  P2psEngine *engine = g_task_get_source_object (task);
  P2psAddress address;
  GError *error = NULL;

  if (!p2ps_peer_address_find_finish (result, &address, &error))
    g_task_return_error (task, error);
  else if (!engine->driver)
    g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_FAILED,
                             _ ("The node is not running: start it first."));
  else
    {
      p2ps_driver_add_peer (engine->driver, &address);
      p2ps_peers_refresh (engine->peers);
      /* The core takes every address that a user names, but its own. */
      if (p2ps_peers_find (engine->peers, &address))
        g_task_return_boolean (task, TRUE);
      else
        g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_FAILED,
                                 _ ("This is the address of this node itself."));
    }
}

/* "host:port"; a host name is looked up first. Done when the node knows of it, not when it has
 * answered: the peers list shows that. The callback may be NULL. */
void
p2ps_engine_add_peer_async (P2psEngine *engine, const char *address, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  p2ps_peer_address_find_async (address, NULL, peer_found_cb,
                                g_task_new (engine, NULL, callback, user_data));
}

gboolean
p2ps_engine_add_peer_finish (P2psEngine *engine, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* "host:port" as the list shows it; nothing happens when it isn't there. */
void
p2ps_engine_remove_peer (P2psEngine *engine, const char *address)
{
  P2psAddress parsed;

  if (!engine->driver || !p2ps_address_parse (&parsed, address))
    return;
  p2ps_driver_remove_peer (engine->driver, &parsed);
  p2ps_peers_refresh (engine->peers);
}
